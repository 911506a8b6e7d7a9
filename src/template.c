/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.c -- from the text of -T to fields, and from fields to layouts. Runs once,
 * at start: clarity before speed.
 */
#include "template.h"

#include <mcprobe/plugin.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKEN_MAX 127
#define NAMES_MAX 32 /* macros told of when one is unknown */
#define BLANKS	  " \t\r\n,"

#define ALL "@ALL@"

const char *const template_macros[][2] = {
	{"@DEFAULT@",
	    "%IPV4_SRC_ADDR %IPV4_DST_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR %L4_SRC_PORT "
	    "%L4_DST_PORT %PROTOCOL %IN_BYTES %OUT_BYTES %IN_PKTS %OUT_PKTS "
	    "%FIRST_SWITCHED %LAST_SWITCHED %TCP_FLAGS %SRC_TOS %FLOW_END_REASON"},
	{"@NTOPNG@",
	    "%IN_SRC_MAC %OUT_DST_MAC %INPUT_SNMP %OUTPUT_SNMP %SRC_VLAN "
	    "%IPV4_SRC_ADDR %IPV4_DST_ADDR %L4_SRC_PORT %L4_DST_PORT %IPV6_SRC_ADDR "
	    "%IPV6_DST_ADDR %SRC_TOS %DST_TOS %IP_PROTOCOL_VERSION %PROTOCOL "
	    "%L7_PROTO %L7_CONFIDENCE %IN_BYTES %IN_PKTS %OUT_BYTES %OUT_PKTS "
	    "%FIRST_SWITCHED %LAST_SWITCHED %CLIENT_TCP_FLAGS %SERVER_TCP_FLAGS "
	    "%L7_PROTO_RISK %L7_RISK_SCORE %EXPORTER_IPV4_ADDRESS %DIRECTION "
	    "%SAMPLING_INTERVAL %TOTAL_FLOWS_EXP %NPROBE_IPV4_ADDRESS "
	    "%NPROBE_INSTANCE_NAME %FLOW_SOURCE %UNIQUE_SOURCE_ID "
	    "%CLIENT_NW_LATENCY_MS %SERVER_NW_LATENCY_MS %APPL_LATENCY_MS "
	    "%TCP_WIN_MAX_IN %TCP_WIN_MAX_OUT %OOORDER_IN_PKTS %OOORDER_OUT_PKTS "
	    "%RETRANSMITTED_IN_PKTS %RETRANSMITTED_OUT_PKTS %SRC_FRAGMENTS "
	    "%DST_FRAGMENTS %L7_INFO %TLS_SERVER_NAME"},
	{ALL, "every field that has a value"},
	{NULL, NULL},
};

/* What template_parse() carries along. */
struct parse {
	struct template *t;
	bool dpi;
	bool all; /* within @ALL@ */
	char *err;
	size_t errlen;
};

__attribute__((format(printf, 2, 3))) static int
fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err, p->errlen, fmt, ap);
	va_end(ap);
	return -1;
}

/* Where the element of F's number is among the template's; its N: nowhere. */
static unsigned
element_at(const struct template *t, const struct field *f)
{
	unsigned i = 0;

	while (i < t->n && (t->field[i]->pen != f->pen || t->field[i]->id != f->id))
		i++;
	return i;
}

static int
add_field(struct parse *p, const struct field *f)
{
	struct template *t = p->t;
	unsigned at = element_at(t, f);

	if (at < t->n) {
		t->asked[at] |= !p->all;
		return 0;
	}
	if (t->n == TEMPLATE_FIELDS_MAX)
		return fail(p, "a template has %d fields at most", TEMPLATE_FIELDS_MAX);
	t->asked[t->n] = !p->all;
	t->field[t->n++] = f;
	t->need |= f->need;
	return 0;
}

/* A %FIELD; NAME is without the sign. A macro's are left out where nDPI lacks. */
static int
add_name(struct parse *p, const char *name, bool in_macro)
{
	const struct field *f = field_find(name);
	const char *near;

	if (f == NULL) {
		near = field_nearest(name);
		if (near == NULL)
			return fail(p, "unknown field %%%s; see --fields", name);
		return fail(p, "unknown field %%%s; did you mean %%%s?", name, near);
	}
	if (f->get == NULL)
		return fail(p, "field %%%s cannot be filled: %s", f->label, f->help);
	if ((f->need & FIELD_NEED_DPI) && !p->dpi) {
		if (in_macro)
			return 0;
		return fail(p, "field %%%s needs nDPI, which is off or not built in",
		    f->label);
	}
	return add_field(p, f);
}

/* Cut the next token of *TEXT into TOKEN. False: none left. Longer ones are cut. */
static bool
next_token(const char **text, char token[TOKEN_MAX + 1])
{
	const char *start = *text + strspn(*text, BLANKS);
	size_t len = strcspn(start, BLANKS);
	size_t keep = len < TOKEN_MAX ? len : TOKEN_MAX;

	*text = start + len;
	memcpy(token, start, keep);
	token[keep] = '\0';
	return len > 0;
}

/* Every field with a value. */
static int
add_all(struct parse *p)
{
	const struct field *f;
	int rc = 0;

	p->all = true;
	for (unsigned i = 0; rc == 0 && i < field_count; i++)
		if (field_table[i].get != NULL)
			rc = add_name(p, field_table[i].label, true);
	for (unsigned i = 0; rc == 0 && (f = field_of_plugins(i)) != NULL; i++)
		rc = add_field(p, f);
	p->all = false;
	return rc;
}

/* @NAME@ is @DEFAULT@ and the fields of the plugin of that name. */
static bool
is_plugin_macro(const struct field *f, const char *name)
{
	size_t len = strlen(f->plugin->name);

	return strlen(name) == len + 2 && name[len + 1] == '@' &&
	    strncasecmp(name + 1, f->plugin->name, len) == 0;
}

static int add_macro(struct parse *, const char *name);

/* 1: no plugin has fields by this name. */
static int
add_plugin_macro(struct parse *p, const char *name)
{
	const struct field *f;
	int rc = 1;

	for (unsigned i = 0; rc >= 0 && (f = field_of_plugins(i)) != NULL; i++) {
		if (!is_plugin_macro(f, name))
			continue;
		if (rc == 1)
			rc = add_macro(p, template_macros[0][0]);
		if (rc == 0)
			rc = add_field(p, f);
	}
	return rc;
}

static int
unknown_macro(struct parse *p, const char *name)
{
	char macros[NAMES_MAX][TOKEN_MAX + 1];
	const char *names[NAMES_MAX], *near;
	const struct field *f;
	unsigned n = 0;

	for (unsigned i = 0; template_macros[i][0] != NULL; i++)
		names[n++] = template_macros[i][0];
	for (unsigned i = 0; (f = field_of_plugins(i)) != NULL && n < NAMES_MAX; i++) {
		snprintf(macros[n], sizeof(macros[n]), "@%s@", f->group);
		if (strcmp(macros[n], names[n - 1]) != 0) {
			names[n] = macros[n];
			n++;
		}
	}
	near = config_nearest(name, names, n);
	if (near == NULL)
		near = template_macros[0][0];
	return fail(p, "unknown macro %s; did you mean %s?", name, near);
}

static int
add_macro(struct parse *p, const char *name)
{
	char token[TOKEN_MAX + 1];
	const char *text = NULL;

	if (strcasecmp(name, ALL) == 0)
		return add_all(p);
	for (unsigned i = 0; template_macros[i][0] != NULL; i++)
		if (strcasecmp(template_macros[i][0], name) == 0)
			text = template_macros[i][1];
	if (text == NULL) {
		int rc = add_plugin_macro(p, name);

		return rc > 0 ? unknown_macro(p, name) : rc;
	}
	while (next_token(&text, token))
		if (add_name(p, token + 1, true) == -1)
			return -1;
	return 0;
}

static int
add_token(struct parse *p, const char *token)
{
	if (token[0] == '%')
		return add_name(p, token + 1, false);
	if (token[0] == '@')
		return add_macro(p, token);
	if (field_find(token) != NULL)
		return fail(p,
		    "\"%s\" is neither %%FIELD nor @MACRO@; did you mean %%%s?",
		    token, token);
	return fail(p, "\"%s\" is neither %%FIELD nor @MACRO@", token);
}

/*
 * Does the field count what came back? Only with one of these may a record stand for
 * both directions: without it the octets or packets of the way back would be lost.
 */
static bool
counts_back(const struct field *f)
{
	return f->pen == 0 &&
	    (f->id == 23 || f->id == 24 || f->id == 232 || f->id == 299);
}

static const struct template_field *
find_element(const struct layout *l, uint32_t pen, uint16_t id)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->v[i].pen == pen && l->v[i].id == id)
			return &l->v[i];
	return NULL;
}

/* F as IPFIX sends it. */
static struct template_field
ipfix_element(const struct field *f, bool reverse)
{
	struct template_field e = {
		.field = f,
		.pen = f->pen,
		.id = f->id,
		.len = f->ipfix_len != 0 ? f->ipfix_len : f->len,
		.type = f->type,
		.put = f->put,
	};
	const struct field *forward = NULL;

	if (reverse && f->reverse != NULL)
		forward = field_find(f->reverse);
	if (f->type == FIELD_STRING)
		e.len = FIELD_VARLEN;
	if (f->type == FIELD_UPTIME) {
		/* Nothing in a message tells the uptime's base: send the time itself.
		   flowStartSysUpTime 22 becomes 152, flowEndSysUpTime 21 153. */
		e.id = f->id == 22 ? 152 : 153;
		e.len = 8;
		e.type = FIELD_MILLIS;
	}
	/* RFC 5103 §6.1 has reverse elements for IANA's alone. */
	if (forward != NULL && forward->pen == 0) {
		e.pen = FIELD_PEN_REVERSE;
		e.id = forward->id;
	}
	return e;
}

static struct template_field
v9_element(const struct field *f)
{
	return (struct template_field){
		.field = f,
		.id = field_v9_id(f),
		.len = f->len,
		.type = f->type,
		.put = f->put,
	};
}

static void
layout_add(struct layout *l, const struct template *t, const struct field *f,
    enum biflow_mode mode)
{
	struct template_field e;

	if (t->version == 10)
		e = ipfix_element(f, mode == BIFLOW_RFC5103 && t->biflow);
	else
		e = v9_element(f);
	if (l->n == TEMPLATE_FIELDS_MAX || find_element(l, e.pen, e.id) != NULL)
		return;
	if (e.len == FIELD_VARLEN)
		l->has_varlen = true;
	l->fixed_len += e.len == FIELD_VARLEN ? 1 : e.len;
	l->v[l->n++] = e;
}

/* The layout of T for IP version FAMILY. */
static void
layout_make(struct layout *l, const struct template *t, unsigned family,
    enum biflow_mode mode)
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct field *f = t->field[i];

		if (mode == BIFLOW_UNI && f->reverse != NULL)
			continue;
		if (f->family != 0 && f->family != family)
			f = f->twin != NULL ? field_find(f->twin) : NULL;
		if (f != NULL && f->get != NULL)
			layout_add(l, t, f, mode);
	}
	/* RFC 5103 §6.3: who began is part of a biflow. */
	if (mode == BIFLOW_RFC5103 && t->version == 10 && t->biflow)
		layout_add(l, t, field_find("BIFLOW_DIRECTION"), mode);
}

int
template_parse(struct template *t, const char *text, int version, enum biflow_mode mode,
    bool dpi, char *err, size_t errlen)
{
	struct parse p = {.t = t, .dpi = dpi, .err = err, .errlen = errlen};
	char token[TOKEN_MAX + 1];

	memset(t, 0, sizeof(*t));
	t->version = version;
	while (next_token(&text, token))
		if (add_token(&p, token) == -1)
			return -1;
	if (t->n == 0)
		return fail(&p, "the template has no fields");
	for (unsigned i = 0; i < t->n && mode != BIFLOW_UNI; i++)
		t->biflow |= counts_back(t->field[i]);
	layout_make(&t->ip4, t, 4, mode);
	layout_make(&t->ip6, t, 6, mode);
	if (t->ip4.n == 0 || t->ip6.n == 0)
		return fail(&p, "with --biflow uni no field is left of the template");
	return 0;
}

const struct layout *
template_layout(const struct template *t, const struct flow *f)
{
	return flow_is_ip4(f) ? &t->ip4 : &t->ip6;
}

static void
print_field(const struct template_field *e, unsigned at, bool moved, FILE *out)
{
	char id[32];

	if (e->pen != 0)
		snprintf(id, sizeof(id), "%u.%u", e->pen, e->id);
	else
		snprintf(id, sizeof(id), "%u", e->id);
	/* A string before it makes an offset the least one possible. */
	fprintf(out, "  %4u%c %-12s ", at, moved ? '+' : ' ', id);
	if (e->len == FIELD_VARLEN)
		fprintf(out, "%5s", "var");
	else
		fprintf(out, "%5u", e->len);
	fprintf(out, "  %%%s\n", e->field->label);
}

static void
print_layout(const struct layout *l, unsigned id, const char *family, FILE *out)
{
	bool moved = false;
	unsigned at = 0;

	fprintf(out, "template %u, %s: %u fields, %s%u bytes\n", id, family, l->n,
	    l->has_varlen ? "at least " : "", l->fixed_len);
	fprintf(out, "  %5s %-12s %5s  %s\n", "at", "element", "bytes", "field");
	for (unsigned i = 0; i < l->n; i++) {
		print_field(&l->v[i], at, moved, out);
		moved |= l->v[i].len == FIELD_VARLEN;
		at += l->v[i].len == FIELD_VARLEN ? 1 : l->v[i].len;
	}
}

void
template_print(const struct template *t, unsigned id, FILE *out)
{
	if (t->version == 5)
		fprintf(out, "NetFlow v5 has a record of its own: one direction of an IPv4 flow, 48 "
			     "bytes; the template shapes files\n");
	fprintf(out, "a record is %s\n",
	    t->biflow ? "a flow, both directions in one" : "one direction of a flow");
	print_layout(&t->ip4, id, "IPv4", out);
	print_layout(&t->ip6, id + 1, "IPv6", out);
}
