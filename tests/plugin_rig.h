/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_rig.h -- a host for one plugin, in a test: flows that are fed by hand, timers
 * that run when told, and both sides of the plugin in one thread. What the plugin did
 * is kept as text: keys by name in RIG->ops (a line per operation) and in a store that
 * rig_value() looks up, events in RIG->events (a JSON object per line). Reports are
 * copied and handed over after the call that made them, as the probe does, and checked
 * for their size. Longer than 800 lines: it does all that the probe does for a plugin.
 *
 *	struct rig *r = rig_open(&plugin, "option=value");
 *	struct rig_flow *f = rig_flow(r, 17, "10.0.0.1", 1234, "10.0.0.2", 53);
 *	rig_send(f, 0, 1000, bytes, len);	0: from the first address; time in µs
 *	rig_clock(r, 11 * 1000000);		timers, and a second of the control side
 *	rig_end(f, now);			the flow's end; its fields are in f->fields
 *	rig_value(r, "ip.10.0.0.1", "dns.queries"), r->events, r->ops
 *	rig_close(r);				ends all flows, frees everything
 *
 * It needs libc only; what a plugin may not do ends in abort() with the line.
 * Longer than 800 lines: a host has as many functions.
 */
#ifndef MCPROBE_PLUGIN_RIG_H
#define MCPROBE_PLUGIN_RIG_H

#include <mcprobe/plugin.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RIG_FLOWS
#define RIG_FLOWS    256
#endif
#define RIG_TREES    32
#define RIG_TREE_0   100 /* number of the first tree that a plugin adds */
#define RIG_COUNTERS 64

struct rig;

struct rig_flow {
	struct rig *rig; /* first, as in struct rig: rig_count() has one or the other */
	struct mc_flow flow;
	struct mc_key key;
	void *state, *fields; /* of exactly the plugin's sizes; NULL where 0 */
	uint64_t timer_us;    /* 0: none */
	uint8_t first; /* endpoint of the address that rig_flow() was given first */
	enum mc_match match;
	bool done, open;
	unsigned splits;
	enum mc_l7 is_l7; /* what the plugin said it is, SAID_IS times, with a name */
	unsigned said_is;
	char is[512], besides[512];
};

struct rig_text {
	char *p;
	size_t len, cap;
};

/* A field of a key; FIELD "" is a string key. */
struct rig_item {
	struct rig_item *next;
	char *key, *field, *value;
};

struct rig_report {
	struct rig_report *next;
	struct rig_flow *flow;
	size_t len;
	uint8_t *msg;
};

struct rig {
	struct rig *rig; /* itself */
	const struct mc_plugin *plugin;
	struct mc_setup worker_setup, control_setup;
	void *worker, *control; /* contexts */
	const char *option_text; /* "name=value,name=value" */
	char option_value[512];
	struct rig_flow *flows[RIG_FLOWS];
	unsigned nflows;
	struct {
		char *prefix;
		enum mc_key_type type;
		uint32_t ttl_s;
		bool addr; /* ids are addresses */
	} trees[RIG_TREES];
	unsigned ntrees;
	const char *known[RIG_TREE_0 + RIG_TREES][MC_FIELDS_KNOWN]; /* fields, by number */
	unsigned nknown[RIG_TREE_0 + RIG_TREES];
	const char *top[RIG_TREES]; /* metrics */
	uint64_t counters[RIG_COUNTERS];
	struct rig_item *items;
	struct rig_report *reports, **last_report;
	bool control_turn; /* the control side is being called */
	/* for tests to set */
	const char *user;  /* of all flows */
	bool full;	   /* reports find no room */
	bool unwanted;	   /* nobody wants events */
	/* for tests to read */
	char *ops, *events; /* "" at first */
	struct rig_text ops_text, events_text;
	unsigned nreports, lost;
};

#define RIG_CHECK(cond)                                                          \
	do {                                                                     \
		if (!(cond)) {                                                   \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,       \
			    #cond);                                              \
			abort();                                                 \
		}                                                                \
	} while (0)

static inline void *
rig_calloc(size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	RIG_CHECK(p != NULL);
	return p;
}

static inline char *
rig_dup(const void *p, size_t n)
{
	char *s = rig_calloc(n + 1);

	if (n > 0)
		memcpy(s, p, n);
	return s;
}

__attribute__((format(printf, 2, 3))) static inline void
rig_print(struct rig_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	RIG_CHECK(n >= 0);
	if (t->len + (size_t)n + 1 > t->cap) {
		t->cap = 2 * (t->len + (size_t)n + 1) + 1024;
		t->p = realloc(t->p, t->cap);
		RIG_CHECK(t->p != NULL);
	}
	va_start(ap, fmt);
	vsnprintf(t->p + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

/* The two texts may have moved. */
static inline void
rig_texts(struct rig *r)
{
	rig_print(&r->ops_text, "%s", "");
	rig_print(&r->events_text, "%s", "");
	r->ops = r->ops_text.p;
	r->events = r->events_text.p;
}

/* Forget what was collected so far; keys keep their values. */
static inline void
rig_forget(struct rig *r)
{
	r->ops_text.len = r->events_text.len = 0;
	r->ops[0] = r->events[0] = '\0';
}

static inline const char *
rig_addr(const uint8_t a[16], char *buf, size_t len)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = memcmp(a, mapped, 12) == 0;

	RIG_CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a + 12 : a, buf,
		      (socklen_t)len) != NULL);
	return buf;
}

/* "10.0.0.1" or "2001:db8::1" as 16 bytes. */
static inline void
rig_parse_addr(const char *text, uint8_t a[16])
{
	memset(a, 0, 16);
	if (inet_pton(AF_INET6, text, a) == 1)
		return;
	a[10] = a[11] = 0xff;
	RIG_CHECK(inet_pton(AF_INET, text, a + 12) == 1);
}

/* Keys. */

static inline char *
rig_key_name(const struct rig *r, int tree, const void *id, size_t len)
{
	static const char *const builtin[] = {[MC_TREE_IP] = "ip.",
	    [MC_TREE_USER] = "user.", [MC_TREE_USER_IP] = "user.ip.",
	    [MC_TREE_USER_NET] = "user.net.", [MC_TREE_TOP] = "top."};
	char addr[INET6_ADDRSTRLEN], *name;
	const char *prefix;
	size_t n;

	if (tree == MC_TREE_IP || tree == MC_TREE_USER_IP ||
	    (tree >= RIG_TREE_0 && r->trees[tree - RIG_TREE_0].addr)) {
		RIG_CHECK(len == 16);
		id = rig_addr(id, addr, sizeof(addr));
		len = strlen(addr);
	}
	if (tree >= RIG_TREE_0) {
		RIG_CHECK((unsigned)tree < RIG_TREE_0 + r->ntrees);
		prefix = r->trees[tree - RIG_TREE_0].prefix;
	} else {
		RIG_CHECK(tree >= 0 && tree <= MC_TREE_TOP);
		prefix = builtin[tree];
	}
	n = strlen(prefix);
	name = rig_calloc(n + len + 1);
	memcpy(name, prefix, n);
	memcpy(name + n, id, len);
	return name;
}

static inline enum mc_key_type
rig_key_type(const struct rig *r, int tree)
{
	if (tree >= RIG_TREE_0)
		return r->trees[tree - RIG_TREE_0].type;
	return tree == MC_TREE_TOP				   ? MC_KEY_ZSET
	    : tree == MC_TREE_USER_IP || tree == MC_TREE_USER_NET ? MC_KEY_STRING
								   : MC_KEY_HASH;
}

static inline struct rig_item *
rig_item(struct rig *r, const char *key, const char *field, bool make)
{
	struct rig_item *i;

	for (i = r->items; i != NULL; i = i->next)
		if (strcmp(i->key, key) == 0 && strcmp(i->field, field) == 0)
			return i;
	if (!make)
		return NULL;
	i = rig_calloc(sizeof(*i));
	i->key = rig_dup(key, strlen(key));
	i->field = rig_dup(field, strlen(field));
	i->value = rig_dup("0", 1);
	i->next = r->items;
	r->items = i;
	return i;
}

/* Text of a key's field, of a member of a sorted set, or (FIELD "") of a string. NULL:
 * there is none. */
static inline const char *
rig_value(struct rig *r, const char *key, const char *field)
{
	struct rig_item *i = rig_item(r, key, field, false);

	return i == NULL ? NULL : i->value;
}

static inline void
rig_set_value(struct rig_item *i, const void *value, size_t len)
{
	free(i->value);
	i->value = rig_dup(value, len);
}

static inline void
rig_add_value(struct rig_item *i, int64_t n)
{
	char num[24];
	int len = snprintf(num, sizeof(num), "%lld",
	    strtoll(i->value, NULL, 10) + (long long)n);

	rig_set_value(i, num, (size_t)len);
}

static inline struct rig *
rig_of(const struct mc_cloud *c)
{
	struct rig *r = c->handle;

	RIG_CHECK(r->control_turn); /* keys and events are the control side's */
	return r;
}

static inline void
rig_incr(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, int64_t n)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen);

	RIG_CHECK(rig_key_type(r, tree) == MC_KEY_HASH && field != NULL);
	rig_print(&r->ops_text, "incr %s %s %" PRId64 "\n", key, field, n);
	rig_add_value(rig_item(r, key, field, true), n);
	free(key);
}

static inline void
rig_set(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, const void *value, size_t len)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen), *v = rig_dup(value, len);

	RIG_CHECK(
	    rig_key_type(r, tree) == (field == NULL ? MC_KEY_STRING : MC_KEY_HASH));
	rig_print(&r->ops_text, "set %s %s%s%s\n", key, field == NULL ? "" : field,
	    field == NULL ? "" : " ", v);
	rig_set_value(rig_item(r, key, field == NULL ? "" : field, true), value, len);
	free(key);
	free(v);
}

static inline void
rig_max(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, uint64_t n)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen), num[24];
	struct rig_item *i = rig_item(r, key, field, true);

	RIG_CHECK(rig_key_type(r, tree) == MC_KEY_HASH);
	rig_print(&r->ops_text, "max %s %s %" PRIu64 "\n", key, field, n);
	if (n > strtoull(i->value, NULL, 10))
		rig_set_value(
		    i, num, (size_t)snprintf(num, sizeof(num), "%" PRIu64, n));
	free(key);
}

static inline void
rig_unset(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen);
	struct rig_item **at, *i;

	rig_print(&r->ops_text, "unset %s %s\n", key, field);
	for (at = &r->items; (i = *at) != NULL; at = &i->next) {
		if (strcmp(i->key, key) != 0 || strcmp(i->field, field) != 0)
			continue;
		*at = i->next;
		free(i->key);
		free(i->field);
		free(i->value);
		free(i);
		break;
	}
	free(key);
}

static inline void
rig_zincr(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const void *member, size_t mlen, uint64_t n)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen), *m = rig_dup(member, mlen);

	RIG_CHECK(rig_key_type(r, tree) == MC_KEY_ZSET);
	rig_print(&r->ops_text, "zincr %s %s %" PRIu64 "\n", key, m, n);
	rig_add_value(rig_item(r, key, m, true), (int64_t)n);
	free(key);
	free(m);
}

static inline void
rig_persist(const struct mc_cloud *c, int tree, const void *id, size_t idlen)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen);

	rig_print(&r->ops_text, "persist %s\n", key);
	free(key);
}

static inline void
rig_expire_after(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    uint32_t s, const void *value, size_t len)
{
	struct rig *r = rig_of(c);
	char *key = rig_key_name(r, tree, id, idlen), *v = rig_dup(value, len);

	rig_print(&r->ops_text, "expire %s %" PRIu32 "%s%s\n", key, s,
	    value == NULL ? "" : " if ", v);
	free(key);
	free(v);
}

static inline void
rig_tell_user(const struct mc_cloud *c, const char *name, const uint8_t addr[16],
    unsigned bits, uint64_t at_us, bool has)
{
	struct rig *r = rig_of(c);
	char text[INET6_ADDRSTRLEN];

	RIG_CHECK(bits <= 128 && name[0] != '\0');
	rig_print(&r->ops_text, "%s %s %s/%u %" PRIu64 "\n", has ? "login" : "logout", name,
	    rig_addr(addr, text, sizeof(text)), bits, at_us);
}

static inline int
rig_tree(const struct mc_setup *s, const char *prefix, enum mc_key_type type,
    uint32_t ttl_s)
{
	struct rig *r = s->handle;

	RIG_CHECK(s->control && r->ntrees < RIG_TREES);
	RIG_CHECK(prefix[0] != '\0' && prefix[strlen(prefix) - 1] == '.');
	r->trees[r->ntrees].prefix = rig_dup(prefix, strlen(prefix));
	r->trees[r->ntrees].addr = type >= MC_KEY_ADDR_STRING;
	r->trees[r->ntrees].type = type == MC_KEY_ADDR_STRING ? MC_KEY_STRING
	    : type == MC_KEY_ADDR_HASH			     ? MC_KEY_HASH
							     : type;
	r->trees[r->ntrees].ttl_s = ttl_s;
	return RIG_TREE_0 + (int)r->ntrees++;
}

/* Events. */

static inline void
rig_json_string(struct rig_text *t, const char *s, size_t len)
{
	size_t i;

	rig_print(t, "\"");
	for (i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)s[i];

		if (ch == '"' || ch == '\\')
			rig_print(t, "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f)
			rig_print(t, "\\u%04x", ch);
		else
			rig_print(t, "%c", ch);
	}
	rig_print(t, "\"");
}

static inline void
rig_json_value(struct rig_text *t, const struct mc_row *w, const void *values)
{
	const uint8_t *at = (const uint8_t *)values + w->offset;
	char addr[INET6_ADDRSTRLEN];
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (w->type) {
	case MC_U8:
		RIG_CHECK(w->size == 1);
		rig_print(t, "%u", *at);
		break;
	case MC_U16:
		RIG_CHECK(w->size == 2);
		memcpy(&u16, at, 2);
		rig_print(t, "%u", u16);
		break;
	case MC_U32:
		RIG_CHECK(w->size == 4);
		memcpy(&u32, at, 4);
		rig_print(t, "%" PRIu32, u32);
		break;
	case MC_U64:
		RIG_CHECK(w->size == 8);
		memcpy(&u64, at, 8);
		rig_print(t, "%" PRIu64, u64);
		break;
	case MC_BOOL:
		RIG_CHECK(w->size == sizeof(bool));
		rig_print(t, "%s", *(const bool *)(const void *)at ? "true" : "false");
		break;
	case MC_STRING:
		RIG_CHECK(memchr(at, '\0', w->size) != NULL);
		rig_json_string(t, (const char *)at, strlen((const char *)at));
		break;
	case MC_ADDR:
		RIG_CHECK(w->size == 16);
		rig_print(t, "\"%s\"", rig_addr(at, addr, sizeof(addr)));
		break;
	case MC_TEXT:
		RIG_CHECK(false); /* of a record's fields only */
	}
}

static inline bool
rig_wanted(const struct mc_cloud *c, const char *channel)
{
	const char *const *p = rig_of(c)->plugin->channels;

	while (p != NULL && *p != NULL && strcmp(*p, channel) != 0)
		p++;
	RIG_CHECK(p != NULL && *p != NULL); /* it names its channels */
	return !rig_of(c)->unwanted;
}

static inline void
rig_publish(const struct mc_cloud *c, const char *channel, uint64_t ts_us, unsigned dir,
    const struct mc_row *rows, unsigned nrows, const void *values)
{
	struct rig *r = rig_of(c);
	struct rig_text *t = &r->events_text;
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	uint64_t present;
	unsigned i;

	RIG_CHECK(rig_wanted(c, channel) && dir < 2);
	memcpy(&present, values, sizeof(present));
	rig_print(t,
	    "{\"channel\":\"%s\",\"data\":{\"v\":1,\"probe\":\"rig\",\"ts\":%" PRIu64
	    ".%06u",
	    channel, ts_us / 1000000, (unsigned)(ts_us % 1000000));
	rig_print(t,
	    ",\"proto\":\"%s\",\"src\":\"%s\",\"sport\":%u,\"dst\":\"%s\",\"dport\":%u",
	    c->key->proto == 6    ? "tcp"
	    : c->key->proto == 17 ? "udp"
				  : "other",
	    rig_addr(c->key->addr[dir], a, sizeof(a)), c->key->port[dir],
	    rig_addr(c->key->addr[!dir], b, sizeof(b)), c->key->port[!dir]);
	if (c->key->vlan != 0)
		rig_print(t, ",\"vlan\":%u", c->key->vlan);
	if (c->user != NULL) {
		rig_print(t, ",\"user\":");
		rig_json_string(t, c->user, strlen(c->user));
	}
	for (i = 0; i < nrows; i++) {
		bool here = rows[i].present == MC_NO_ROW ||
		    (present >> rows[i].present & 1) != 0;

		if (!here && !rows[i].null)
			continue;
		rig_print(t, ",\"%s\":", rows[i].name);
		if (here)
			rig_json_value(t, &rows[i], values);
		else
			rig_print(t, "null");
	}
	rig_print(t, "}}\n");
}

/* The worker side. */

static inline bool
rig_report(const struct mc_flow *f, const void *msg, size_t len)
{
	struct rig_flow *flow = f->handle;
	struct rig *r = flow->rig;
	struct rig_report *p;

	RIG_CHECK(!r->control_turn && len <= MC_REPORT_MAX);
	if (r->full) {
		r->lost++;
		return false;
	}
	p = rig_calloc(sizeof(*p));
	p->flow = flow;
	p->len = len;
	p->msg = memcpy(rig_calloc(len), msg, len); /* its exact size */
	*r->last_report = p;
	r->last_report = &p->next;
	r->nreports++;
	return true;
}

static inline void
rig_timer_set(const struct mc_flow *f, uint64_t at_us)
{
	((struct rig_flow *)f->handle)->timer_us = at_us;
}

/* HANDLE is a flow or the rig. */
static inline void
rig_count(void *handle, unsigned counter, uint64_t n)
{
	struct rig *r = *(struct rig **)handle;
	unsigned i;

	for (i = 0; r->plugin->counters[i].name != NULL; i++)
		continue;
	RIG_CHECK(counter < i && i <= RIG_COUNTERS);
	r->counters[counter] += n;
}

static inline void
rig_keep(char *to, size_t size, const void *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

static inline void
rig_flow_is(const struct mc_flow *flow, enum mc_l7 l7, const char *name, size_t len,
    const void *besides, size_t blen)
{
	struct rig_flow *f = flow->handle;

	RIG_CHECK(l7 < MC_L7_MAX && !f->rig->control_turn);
	f->is_l7 = l7;
	f->said_is++;
	rig_keep(f->is, sizeof(f->is), name, len);
	rig_keep(f->besides, sizeof(f->besides), besides, blen);
}

static inline bool
rig_text_set(const struct mc_flow *flow, char **at, const void *text, size_t len)
{
	struct rig_flow *f = flow->handle;
	const struct mc_field *m = f->rig->plugin->fields;
	char *copy = rig_calloc(len + 1);

	RIG_CHECK(!f->rig->control_turn && memchr(text, 0, len) == NULL);
	while (m->label != NULL &&
	    (m->type != MC_TEXT || (char *)f->fields + m->offset != (char *)at))
		m++;
	RIG_CHECK(m->label != NULL); /* AT is one of the plugin's MC_TEXTs */
	memcpy(copy, text, len);
	free(*at);
	*at = copy;
	return true;
}

/* The record is away: its texts go, and the fields are zeros. */
static inline void
rig_fields_empty(struct rig_flow *f)
{
	const struct mc_plugin *pl = f->rig->plugin;
	const struct mc_field *m = pl->fields;
	char *text;

	for (; m != NULL && m->label != NULL; m++)
		if (m->type == MC_TEXT) {
			memcpy(&text, (char *)f->fields + m->offset, sizeof(text));
			free(text);
		}
	if (pl->fields_size > 0)
		memset(f->fields, 0, pl->fields_size);
}

static inline int
rig_field_add(const struct mc_setup *s, int tree, const char *name)
{
	struct rig *r = s->handle;

	RIG_CHECK(s->control && tree >= 0 && tree < RIG_TREE_0 + RIG_TREES);
	RIG_CHECK(rig_key_type(r, tree) == MC_KEY_HASH);
	RIG_CHECK(r->nknown[tree] < MC_FIELDS_KNOWN);
	r->known[tree][r->nknown[tree]] = name;
	return (int)r->nknown[tree]++;
}

static inline int
rig_top_add(const struct mc_setup *s, int tree, const char *metric)
{
	struct rig *r = s->handle;

	RIG_CHECK(s->control && tree >= RIG_TREE_0 && r->top[tree - RIG_TREE_0] == NULL);
	r->top[tree - RIG_TREE_0] = metric;
	return 0;
}

static inline void
rig_add(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const struct mc_add *adds, unsigned n, uint64_t top, uint64_t ts_us)
{
	struct rig *r = rig_of(c);
	char metric[64];
	unsigned i;

	for (i = 0; i < n; i++) {
		RIG_CHECK(adds[i].field < r->nknown[tree]);
		if (adds[i].kind == MC_ADD_MAX)
			rig_max(c, tree, id, idlen, r->known[tree][adds[i].field],
			    adds[i].n);
		else
			rig_incr(c, tree, id, idlen, r->known[tree][adds[i].field],
			    (int64_t)adds[i].n);
	}
	if (top == 0)
		return;
	RIG_CHECK(tree >= RIG_TREE_0 && r->top[tree - RIG_TREE_0] != NULL);
	i = (unsigned)snprintf(metric, sizeof(metric), "%s.%" PRIu64,
	    r->top[tree - RIG_TREE_0], ts_us / 60000000);
	rig_zincr(c, MC_TREE_TOP, metric, i, id, idlen, top);
}

static inline void
rig_put(const struct mc_cloud *c, int tree, const void *id, size_t idlen, int field,
    const void *text, size_t len)
{
	struct rig *r = rig_of(c);

	RIG_CHECK(field < 0 || (unsigned)field < r->nknown[tree]);
	rig_set(c, tree, id, idlen, field < 0 ? NULL : r->known[tree][field], text, len);
}

static const struct mc_host rig_host = {
    .abi = MC_PLUGIN_ABI,
    .size = sizeof(struct mc_host),
    .report = rig_report,
    .timer_set = rig_timer_set,
    .count = rig_count,
    .tree = rig_tree,
    .incr = rig_incr,
    .set = rig_set,
    .max = rig_max,
    .unset = rig_unset,
    .zincr = rig_zincr,
    .persist = rig_persist,
    .expire_after = rig_expire_after,
    .wanted = rig_wanted,
    .publish = rig_publish,
    .user = rig_tell_user,
    .flow_is = rig_flow_is,
    .field_add = rig_field_add,
    .top_add = rig_top_add,
    .add = rig_add,
    .put = rig_put,
    .text_set = rig_text_set,
};

static inline struct mc_cloud
rig_cloud(struct rig *r, const struct mc_key *key)
{
	return (struct mc_cloud){
	    .host = &rig_host, .handle = r, .key = key, .user = r->user};
}

/* Hand the reports over. */
static inline void
rig_deliver(struct rig *r)
{
	struct rig_report *p, *next;

	r->control_turn = true;
	for (p = r->reports; p != NULL; p = next) {
		struct mc_cloud c = rig_cloud(r, &p->flow->key);

		next = p->next;
		if (r->plugin->on_report != NULL)
			r->plugin->on_report(r->control, &c, p->msg, p->len);
		free(p->msg);
		free(p);
	}
	r->control_turn = false;
	r->reports = NULL;
	r->last_report = &r->reports;
	rig_texts(r);
}

static inline const char *
rig_option(const struct mc_setup *s, const char *name)
{
	struct rig *r = s->handle;
	const struct mc_option *o = r->plugin->options;
	const char *p = r->option_text;
	size_t n = strlen(name);

	for (; p != NULL && *p != '\0'; p += strcspn(p, ","), p += *p == ',')
		if (strncmp(p, name, n) == 0 && p[n] == '=') {
			snprintf(r->option_value, sizeof(r->option_value), "%.*s",
			    (int)strcspn(p + n + 1, ","), p + n + 1);
			return r->option_value;
		}
	for (; o != NULL && o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o->def;
	RIG_CHECK(!"an option that the plugin does not list");
	return NULL;
}

/* As rig_open(), with timeouts and split as in SETUP; NULL with the plugin's reason in ERR. */
static inline struct rig *
rig_open_as(const struct mc_plugin *plugin, const char *options,
    const struct mc_setup *setup, char *err, size_t errlen)
{
	struct rig *r = rig_calloc(sizeof(*r));

	RIG_CHECK(plugin->abi == MC_PLUGIN_ABI && plugin->size == sizeof(*plugin));
	RIG_CHECK(plugin->fields_size <= MC_FIELDS_MAX);
	RIG_CHECK(plugin->state_size <= MC_STATE_MAX);
	r->rig = r;
	r->plugin = plugin;
	r->option_text = options;
	r->last_report = &r->reports;
	rig_texts(r);
	r->worker_setup = *setup;
	r->worker_setup.host = &rig_host;
	r->worker_setup.handle = r;
	r->worker_setup.option = rig_option;
	r->worker_setup.control = false;
	r->control_setup = r->worker_setup;
	r->control_setup.control = true;
	if (plugin->init != NULL &&
	    plugin->init(&r->control, &r->control_setup, err, errlen) == -1)
		goto fail;
	if (plugin->init != NULL &&
	    plugin->init(&r->worker, &r->worker_setup, err, errlen) == -1) {
		if (plugin->fini != NULL)
			plugin->fini(r->control);
		goto fail;
	}
	return r;
fail:
	while (r->ntrees > 0)
		free(r->trees[--r->ntrees].prefix);
	free(r->ops_text.p);
	free(r->events_text.p);
	free(r);
	return NULL;
}

static inline struct rig *
rig_open(const struct mc_plugin *plugin, const char *options)
{
	struct mc_setup s = {.timeout_us = 10 * 1000000, .grace_us = 60 * 1000000};
	char err[256] = "";
	struct rig *r = rig_open_as(plugin, options, &s, err, sizeof(err));

	if (r == NULL)
		fprintf(stderr, "%s: %s\n", plugin->name, err);
	RIG_CHECK(r != NULL);
	return r;
}

/* A flow; the first address is the client's. */
static inline struct rig_flow *
rig_flow(struct rig *r, uint8_t proto, const char *client, uint16_t cport,
    const char *server, uint16_t sport)
{
	struct rig_flow *f = rig_calloc(sizeof(*f));
	uint8_t a[2][16];
	int order;

	RIG_CHECK(r->nflows < RIG_FLOWS);
	rig_parse_addr(client, a[0]);
	rig_parse_addr(server, a[1]);
	order = memcmp(a[0], a[1], 16);
	f->first = order > 0 || (order == 0 && cport > sport);
	memcpy(f->key.addr[f->first], a[0], 16);
	memcpy(f->key.addr[!f->first], a[1], 16);
	f->key.port[f->first] = cport;
	f->key.port[!f->first] = sport;
	f->key.proto = proto;
	f->key.ip_version = strchr(client, ':') != NULL ? 6 : 4;
	f->rig = r;
	f->flow.host = &rig_host;
	f->flow.handle = f;
	f->flow.key = &f->key;
	f->flow.client = f->first;
	if (r->plugin->state_size > 0)
		f->state = rig_calloc(r->plugin->state_size);
	if (r->plugin->fields_size > 0)
		f->fields = rig_calloc(r->plugin->fields_size);
	f->match = MC_MATCH_LATER;
	f->open = true;
	r->flows[r->nflows++] = f;
	return f;
}

/* The record leaves. */
static inline void
rig_leave(struct rig_flow *f)
{
	struct rig *r = f->rig;
	struct mc_cloud c = rig_cloud(r, &f->key);

	rig_deliver(r);
	r->control_turn = true;
	if (f->match == MC_MATCH_YES && r->plugin->on_end != NULL)
		r->plugin->on_end(r->control, &c, f->fields);
	r->control_turn = false;
	rig_texts(r);
}

/*
 * One packet of F, as it is but DIR: 0 is sent by the address named first. A SPLIT lets
 * the record go, empties the fields and offers the packet again, which must be taken
 * then.
 */
static inline enum mc_verdict
rig_packet(struct rig_flow *f, const struct mc_packet *given)
{
	const struct mc_plugin *pl = f->rig->plugin;
	struct mc_packet p = *given;
	enum mc_verdict v;
	uint8_t *data;

	if (!f->open || f->done || f->match == MC_MATCH_NO)
		return MC_DONE;
	data = rig_calloc(0);
	if (p.len > 0) { /* memory of its exact size: a read beyond it shows */
		data = realloc(data, p.len);
		RIG_CHECK(data != NULL);
		memcpy(data, p.data, p.len);
	}
	p.data = data;
	p.dir ^= f->first;
	if (f->flow.first_us == 0)
		f->flow.first_us = p.ts_us;
	if (f->match == MC_MATCH_LATER)
		f->match = pl->match(f->rig->worker, &f->key, &p);
	if (f->match != MC_MATCH_YES) {
		free(data);
		return f->match == MC_MATCH_NO ? MC_DONE : MC_MORE;
	}
	v = pl->on_packet(f->rig->worker, f->state, f->fields, &f->flow, &p);
	if (v == MC_SPLIT) {
		RIG_CHECK(f->rig->worker_setup.split);
		f->splits++;
		rig_leave(f);
		rig_fields_empty(f);
		v = pl->on_packet(f->rig->worker, f->state, f->fields, &f->flow, &p);
		RIG_CHECK(v != MC_SPLIT);
	}
	f->done = v == MC_DONE;
	free(data);
	rig_deliver(f->rig);
	return v;
}

/* All captured. DIR 0: sent by the address named first. */
static inline enum mc_verdict
rig_send(struct rig_flow *f, uint8_t dir, uint64_t ts_us, const void *data, size_t len)
{
	struct mc_packet p = {.ts_us = ts_us, .data = data, .len = (uint32_t)len,
	    .wire_len = (uint32_t)len, .dir = dir};

	return rig_packet(f, &p);
}

/* It is NOW: timers that are due, then a second of the control side. */
static inline void
rig_clock(struct rig *r, uint64_t now_us)
{
	struct mc_cloud c = rig_cloud(r, NULL);
	unsigned i;

	for (i = 0; i < r->nflows; i++) {
		struct rig_flow *f = r->flows[i];

		if (!f->open || f->timer_us == 0 || f->timer_us > now_us)
			continue;
		f->timer_us = 0;
		RIG_CHECK(r->plugin->on_timer != NULL);
		r->plugin->on_timer(r->worker, f->state, f->fields, &f->flow, now_us);
		rig_deliver(r);
	}
	r->control_turn = true;
	if (r->plugin->on_second != NULL)
		r->plugin->on_second(r->control, &c, now_us);
	r->control_turn = false;
	rig_texts(r);
}

/* The flow has ended. */
static inline void
rig_end(struct rig_flow *f, uint64_t now_us)
{
	const struct mc_plugin *pl = f->rig->plugin;

	if (!f->open)
		return;
	f->open = false;
	if (f->match == MC_MATCH_YES && pl->on_close != NULL)
		pl->on_close(f->rig->worker, f->state, f->fields, &f->flow, now_us);
	rig_leave(f);
}

static inline void
rig_close(struct rig *r)
{
	struct rig_item *i, *next;
	unsigned n;

	for (n = 0; n < r->nflows; n++)
		rig_end(r->flows[n], r->flows[n]->flow.first_us);
	for (n = 0; n < r->nflows; n++) {
		free(r->flows[n]->state);
		rig_fields_empty(r->flows[n]);
		free(r->flows[n]->fields);
		free(r->flows[n]);
	}
	if (r->plugin->fini != NULL) {
		r->plugin->fini(r->worker);
		r->plugin->fini(r->control);
	}
	for (i = r->items; i != NULL; i = next) {
		next = i->next;
		free(i->key);
		free(i->field);
		free(i->value);
		free(i);
	}
	while (r->ntrees > 0)
		free(r->trees[--r->ntrees].prefix);
	free(r->ops_text.p);
	free(r->events_text.p);
	free(r);
}

/* How many lines of TEXT contain WHAT ("" for all). */
static inline unsigned
rig_lines(const char *text, const char *what)
{
	unsigned n = 0;
	const char *p, *end, *hit;

	for (p = text; *p != '\0'; p = *end == '\0' ? end : end + 1) {
		end = p + strcspn(p, "\n");
		hit = strstr(p, what);
		n += hit != NULL && hit + strlen(what) <= end;
	}
	return n;
}

#endif
