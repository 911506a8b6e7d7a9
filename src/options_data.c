/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options_data.c -- templates, options templates and their records. Cold: once a
 * minute.
 *
 * In v9 every scope is the system; in IPFIX it is what the record is about. Sampling is
 * always told, 1 in 1 too: a collector that hears nothing may take the rate for 0.
 * Strings have a fixed length in IPFIX too: nfcapd takes option records of no other.
 */
#include "options_data.h"

#include "dpi.h"
#include "netflow9.h"
#include "wire.h"

/* Element ids: https://www.iana.org/assignments/ipfix */
enum {
	IE_INGRESS_INTERFACE = 10,
	IE_SAMPLING_INTERVAL = 34,
	IE_SAMPLING_ALGORITHM = 35,
	IE_EXPORTED_OCTETS = 40,
	IE_EXPORTED_MESSAGES = 41,
	IE_EXPORTED_RECORDS = 42,
	IE_INTERFACE_NAME = 82,
	IE_INTERFACE_DESCRIPTION = 83,
	IE_APPLICATION_DESCRIPTION = 94,
	IE_APPLICATION_ID = 95,
	IE_APPLICATION_NAME = 96,
	IE_OBSERVATION_DOMAIN = 149,
	IE_SELECTOR_ID = 302,
	IE_SELECTOR_ALGORITHM = 304,
	IE_SAMPLING_PACKET_INTERVAL = 305,
	IE_SAMPLING_PACKET_SPACE = 306,
};

#define SAMPLING_DETERMINISTIC 1 /* element 35 */
#define SELECTOR_SYSTEMATIC    1 /* element 304: systematic count-based sampling */
#define SELECTOR_ID	       1 /* the probe has one selector */
#define ENGINE_PANA_L7_PEN     20 /* RFC 6759 §4.1: a PEN's own selectors */

/* Their templates' ids follow those of the flows in this order. */
enum option_kind {
	OPTION_SAMPLING,
	OPTION_STATISTICS,
	OPTION_INTERFACES,
	OPTION_APPLICATIONS,
	OPTION_KINDS
};

/*
 * Statistics repeat the sampling interval: nfcapd 1.7.1 takes 34 only from records that
 * have no 35, all others want both.
 */
static const struct option_layout v9_layouts[OPTION_KINDS] = {
	[OPTION_SAMPLING] = {1, 3, {{NETFLOW9_SCOPE_SYSTEM, 4},
	    {IE_SAMPLING_INTERVAL, 4}, {IE_SAMPLING_ALGORITHM, 1}}},
	[OPTION_STATISTICS] = {1, 5, {{NETFLOW9_SCOPE_SYSTEM, 4},
	    {IE_EXPORTED_OCTETS, 8}, {IE_EXPORTED_MESSAGES, 8},
	    {IE_EXPORTED_RECORDS, 8}, {IE_SAMPLING_INTERVAL, 4}}},
	[OPTION_INTERFACES] = {1, 4, {{NETFLOW9_SCOPE_SYSTEM, 4},
	    {IE_INGRESS_INTERFACE, 4}, {IE_INTERFACE_NAME, 32},
	    {IE_INTERFACE_DESCRIPTION, 32}}},
	[OPTION_APPLICATIONS] = {1, 4, {{NETFLOW9_SCOPE_SYSTEM, 4},
	    {IE_APPLICATION_ID, 7}, {IE_APPLICATION_NAME, 24},
	    {IE_APPLICATION_DESCRIPTION, 33}}},
};

static const struct option_layout ipfix_layouts[OPTION_KINDS] = {
	[OPTION_SAMPLING] = {1, 3, {{IE_OBSERVATION_DOMAIN, 4},
	    {IE_SAMPLING_INTERVAL, 4}, {IE_SAMPLING_ALGORITHM, 1}}},
	[OPTION_STATISTICS] = {1, 5, {{IE_OBSERVATION_DOMAIN, 4},
	    {IE_EXPORTED_OCTETS, 8}, {IE_EXPORTED_MESSAGES, 8},
	    {IE_EXPORTED_RECORDS, 8}, {IE_SAMPLING_INTERVAL, 4}}},
	[OPTION_INTERFACES] = {1, 3, {{IE_INGRESS_INTERFACE, 4},
	    {IE_INTERFACE_NAME, 32}, {IE_INTERFACE_DESCRIPTION, 32}}},
	[OPTION_APPLICATIONS] = {1, 3, {{IE_APPLICATION_ID, 7},
	    {IE_APPLICATION_NAME, 24}, {IE_APPLICATION_DESCRIPTION, 33}}},
};

/* With --sampling-options psamp: no 34 at all, or the rate might count twice. */
static const struct option_layout v9_psamp[] = {
	[OPTION_SAMPLING] = {1, 5, {{NETFLOW9_SCOPE_SYSTEM, 4}, {IE_SELECTOR_ID, 8},
	    {IE_SELECTOR_ALGORITHM, 2}, {IE_SAMPLING_PACKET_INTERVAL, 4},
	    {IE_SAMPLING_PACKET_SPACE, 4}}},
	[OPTION_STATISTICS] = {1, 4, {{NETFLOW9_SCOPE_SYSTEM, 4},
	    {IE_EXPORTED_OCTETS, 8}, {IE_EXPORTED_MESSAGES, 8},
	    {IE_EXPORTED_RECORDS, 8}}},
};

static const struct option_layout ipfix_psamp[] = {
	[OPTION_SAMPLING] = {1, 4, {{IE_SELECTOR_ID, 8}, {IE_SELECTOR_ALGORITHM, 2},
	    {IE_SAMPLING_PACKET_INTERVAL, 4}, {IE_SAMPLING_PACKET_SPACE, 4}}},
	[OPTION_STATISTICS] = {1, 4, {{IE_OBSERVATION_DOMAIN, 4},
	    {IE_EXPORTED_OCTETS, 8}, {IE_EXPORTED_MESSAGES, 8},
	    {IE_EXPORTED_RECORDS, 8}}},
};

/* One record being put together: longer than any. */
struct row {
	uint8_t buf[128];
	uint8_t *end;
};

static bool
is_v9(const struct message *m)
{
	return m->format->version == 9;
}

static const struct option_layout *
layout_of(const struct options_source *s, const struct message *m,
    enum option_kind kind)
{
	if (s->psamp && kind <= OPTION_STATISTICS)
		return is_v9(m) ? &v9_psamp[kind] : &ipfix_psamp[kind];
	return is_v9(m) ? &v9_layouts[kind] : &ipfix_layouts[kind];
}

static uint16_t
template_id(const struct options_source *s, enum option_kind kind)
{
	return (uint16_t)(s->template_id + 2 + kind);
}

/*
 * Begin a record whose scope, in v9 always and in IPFIX if DOMAIN, is the whole probe.
 */
static void
row_begin(struct row *r, const struct options_source *s, const struct message *m,
    bool domain)
{
	r->end = r->buf;
	if (domain || is_v9(m))
		r->end = wire_put32(r->end, s->domain);
}

/* A string of element FIELD of the record, cut to what the template allows. */
static void
row_text(struct row *r, const struct option_layout *o, unsigned field, const char *text)
{
	unsigned max = o->v[field].len, len = (unsigned)strnlen(text, max);

	memcpy(r->end, text, len);
	memset(r->end + len, 0, max - len);
	r->end += max;
}

static bool
row_end(struct row *r, const struct options_source *s, struct message *m,
    enum option_kind kind)
{
	unsigned len = (unsigned)(r->end - r->buf);
	uint8_t *p;

	p = message_room(m, template_id(s, kind), len, len);
	if (p == NULL)
		return false;
	memcpy(p, r->buf, len);
	m->options++;
	return true;
}

static bool
fill_template(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	const struct layout *l = c->row == 0 ? &s->template->ip4 : &s->template->ip6;

	for (; c->row < 2; c->row++, l = &s->template->ip6) {
		/* A template without fields would withdraw one (RFC 7011 §8.1). */
		if (l->n > 0 &&
		    !m->format->template(m, (uint16_t)(s->template_id + c->row), l))
			return false;
	}
	return true;
}

static bool
has_kind(const struct options_source *s, enum option_kind kind)
{
	switch (kind) {
	case OPTION_INTERFACES:
		return s->nports > 0;
	case OPTION_APPLICATIONS:
		return s->names != NULL;
	default:
		return true;
	}
}

static bool
fill_option_templates(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	for (; c->row < OPTION_KINDS; c->row++) {
		if (has_kind(s, c->row) &&
		    !m->format->options(m, template_id(s, c->row),
			layout_of(s, m, c->row)))
			return false;
	}
	return true;
}

static bool
fill_sampling(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	struct row r;

	(void)c;
	row_begin(&r, s, m, !s->psamp);
	if (s->psamp) {
		/* RFC 5477 §8.2: 1 packet taken, then N - 1 left out. */
		r.end = wire_put64(r.end, SELECTOR_ID);
		r.end = wire_put16(r.end, SELECTOR_SYSTEMATIC);
		r.end = wire_put32(r.end, 1);
		r.end = wire_put32(r.end, s->sampling - 1);
	} else {
		r.end = wire_put32(r.end, s->sampling);
		r.end = wire_put8(r.end, SAMPLING_DETERMINISTIC);
	}
	return row_end(&r, s, m, OPTION_SAMPLING);
}

static bool
fill_statistics(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	struct row r;

	(void)c;
	row_begin(&r, s, m, true);
	r.end = wire_put64(r.end, s->octets);
	r.end = wire_put64(r.end, s->messages);
	r.end = wire_put64(r.end, s->records);
	if (!s->psamp)
		r.end = wire_put32(r.end, s->sampling);
	return row_end(&r, s, m, OPTION_STATISTICS);
}

static bool
fill_applications(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	const struct option_layout *o = layout_of(s, m, OPTION_APPLICATIONS);
	unsigned n = s->names != NULL ? dpi_names_count(s->names) : 0;
	unsigned text = o->n - 2;
	char about[32];
	struct row r;

	for (; c->row < n; c->row++) {
		row_begin(&r, s, m, false);
		r.end = wire_put8(r.end, ENGINE_PANA_L7_PEN);
		r.end = wire_put32(r.end, FIELD_PEN_NTOP);
		r.end = wire_put16(r.end, c->row);
		row_text(&r, o, text, dpi_name(s->names, c->row));
		snprintf(about, sizeof(about), "nDPI protocol %u", c->row);
		row_text(&r, o, text + 1, about);
		if (!row_end(&r, s, m, OPTION_APPLICATIONS))
			return false;
		/* One to a set of IPFIX, and 64 octets that need no padding: nfcapd
		   1.7.1 does not count the scope in a record's length, but takes up
		   to 7 octets behind a record for padding. */
		if (!is_v9(m))
			message_close_set(m);
	}
	return true;
}

static bool
fill_interfaces(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	const struct option_layout *o = layout_of(s, m, OPTION_INTERFACES);
	struct row r;

	for (; c->row < s->nports; c->row++) {
		row_begin(&r, s, m, false);
		r.end = wire_put32(r.end, s->in_ifindex >= 0 ? (uint32_t)s->in_ifindex :
							       s->ports[c->row].index);
		row_text(&r, o, o->n - 2, s->ports[c->row].name);
		row_text(&r, o, o->n - 1, s->ports[c->row].name);
		if (!row_end(&r, s, m, OPTION_INTERFACES))
			return false;
		/* One to a set: nfcapd 1.7.1 does not count 82 in a record's length. */
		message_close_set(m);
		/* One index for all is told once. */
		if (s->in_ifindex >= 0)
			break;
	}
	return true;
}

static const struct {
	unsigned what;
	bool (*fill)(struct options_cursor *, const struct options_source *,
	    struct message *);
} steps[] = {
	{OPTIONS_TEMPLATES, fill_template},
	{OPTIONS_TEMPLATES, fill_option_templates},
	{OPTIONS_TEMPLATES, fill_sampling},
	{OPTIONS_STATISTICS, fill_statistics},
	{OPTIONS_TABLES, fill_interfaces},
	{OPTIONS_TABLES, fill_applications},
};

bool
options_fill(struct options_cursor *c, const struct options_source *s,
    struct message *m)
{
	for (; c->step < sizeof(steps) / sizeof(steps[0]); c->step++, c->row = 0) {
		if ((c->what & steps[c->step].what) == 0)
			continue;
		if (!steps[c->step].fill(c, s, m))
			return true;
	}
	return false;
}
