/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_put.c -- what comes often. A key that was not touched for a while is three misses
 * one behind the other: its bucket, itself, its values. So what is put to it waits for
 * others; then the buckets of some are there already, their keys are fetched together, then
 * their values, and what is left is arithmetic. Keys that were written lately (a server, a
 * port, a code: what everything goes to) are remembered by their hash, and are written at
 * once.
 *
 *	put: hash the id; a hot key? write. Else fetch the bucket, and wait
 *	settle: GROUP at a time: fetch the keys; find them and fetch their values; write
 *
 * What waits for a key comes before it is hot, and a hot one has nothing that waits: each
 * key is written in order. 70 KB.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_US 60000000
#define BYTES 65536
#define GROUP 32
#define HOT   256 /* a power of two: their memory is in the cache still */
#define LINE  64

enum put_kind {
	PUT_ADD,
	PUT_TEXT,
	PUT_SIDE,
};

/* Behind it: the id (to the next 8 bytes), then additions, a text, or what a flow did. */
struct put {
	struct tree *tree;
	struct cloud_key *key; /* NULL: to be found */
	uint64_t top;
	uint64_t minute;
	uint32_t hash;
	uint8_t kind;  /* enum put_kind */
	uint8_t side;  /* PUT_SIDE */
	uint8_t n;     /* PUT_ADD: additions */
	uint8_t field; /* PUT_TEXT */
	uint8_t id_len, text_len;
};

struct puts {
	unsigned n;
	bool busy; /* settling */
	size_t len;
	uint32_t at[CLOUD_PUTS];
	struct hot {
		struct cloud_key *key; /* borrowed; NULL: empty */
		uint32_t hash;
	} hot[HOT]; /* by the hash's low bits */
	_Alignas(8) uint8_t bytes[BYTES];
};

_Static_assert(BYTES >= 2 * (sizeof(struct put) + ID_MAX + 8 +
			 UINT8_MAX * sizeof(struct cloud_add)), "one has room");

int
puts_init(struct cloud *c)
{
	c->puts = malloc(sizeof(*c->puts));
	if (c->puts == NULL)
		return -1;
	c->puts->n = 0;
	c->puts->len = 0;
	c->puts->busy = false;
	memset(c->puts->hot, 0, sizeof(c->puts->hot));
	return 0;
}

void
puts_clear(struct cloud *c)
{
	free(c->puts);
	c->puts = NULL;
}

static inline struct put *
put_at(struct puts *p, unsigned i)
{
	return (struct put *)(void *)(p->bytes + p->at[i]);
}

static inline uint8_t *
put_id(struct put *u)
{
	return (uint8_t *)(u + 1);
}

static inline size_t
round8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static inline void *
put_more(struct put *u)
{
	return put_id(u) + round8(u->id_len);
}

/*
 * Writing
 */

/* The field numbered FIELD in its tree. NULL: no room, counted. */
static inline struct value *
known_value(struct cloud *c, struct cloud_key *k, unsigned field)
{
	const struct tree *t = k->tree;
	uint32_t name = t->known[field];
	unsigned i;

	if (field < t->placed && field < k->n && k->v[field].name == name)
		return &k->v[field];
	for (i = t->placed; i < k->n; i++)
		if (k->v[i].name == name)
			return &k->v[i];
	return value_get(c, k, name);
}

/* A into V, if that is a seen number of the kind, and no node waits for it. */
static inline bool
write_plain(const struct tree *t, struct value *v, const struct cloud_add *a)
{
	const uint32_t min = value_head(NAME_NONE, VALUE_MIN), max = value_head(NAME_NONE,
							VALUE_MAX); /* known when compiled */
	uint32_t head = t->head[a->field];
	int64_t n = (int64_t)a->n;

	if (a->kind != CLOUD_ADD)
		head |= a->kind == CLOUD_ADD_MIN ? min : max;
	if (v->head_small != head)
		return false;
	if (a->kind == CLOUD_ADD)
		v->number = (int64_t)((uint64_t)v->number + a->n);
	else if (n < 0)
		return false; /* it has no room for all of it */
	else if ((a->kind == CLOUD_ADD_MAX) == (n > v->number))
		v->number = n;
	return true;
}

/* True: counted by the caller. */
static bool
write_add(struct cloud *c, struct cloud_key *k, const struct cloud_add *a)
{
	struct value *v = known_value(c, k, a->field);

	if (v == NULL)
		return false;
	if (k->node == NO_NODE && write_plain(k->tree, v, a))
		return true;
	if (a->kind == CLOUD_ADD_MAX)
		value_number(c, k, v, VALUE_MAX, a->n);
	else if (a->kind == CLOUD_ADD_MIN)
		value_number(c, k, v, VALUE_MIN, a->n);
	else
		value_add(c, k, v, (int64_t)a->n);
	return false;
}

static inline void
write_adds(struct cloud *c, struct cloud_key *k, const struct cloud_add *a, unsigned n)
{
	const struct tree *t = k->tree;
	unsigned placed = k->node != NO_NODE || t->placed > k->n ? 0 : t->placed, i, fast = 0;

	for (i = 0; i < n; i++, a++)
		fast += (a->field < placed && write_plain(t, &k->v[a->field], a)) ||
		    write_add(c, k, a);
	if (fast > 0)
		counter_add(c->counters, COUNTER_CLOUD_UPDATES, fast);
}

void
put_key(struct cloud *c, struct cloud_key *k, const struct cloud_add *add, unsigned n,
    const uint64_t top[2], uint64_t minute)
{
	key_wake(c, k);
	write_adds(c, k, add, n);
	key_changed(c, k);
	if (k->tree->ntops > 0)
		top_count(c, k, top, minute);
}

/* Does K, a string, say so already? */
static bool
says(const struct cloud *c, struct cloud_key *k, const void *text, size_t len)
{
	const struct value *v = key_seen(c, k) ? value_find(k, NAME_STRING) : NULL;
	const char *now;
	size_t n;

	if (v == NULL || v->gone || v->kind != VALUE_TEXT)
		return false;
	now = value_string(v, &n);
	return n == len && memcmp(now, text, len) == 0;
}

static void
put_text(struct cloud *c, struct cloud_key *k, unsigned field, const void *text,
    size_t len)
{
	struct value *v;

	key_wake(c, k);
	if (k->tree->def.type == CLOUD_STRING) {
		/* what lives for ever was perhaps told to end */
		if (k->tree->ttl_ms != 0 && says(c, k, text, len))
			counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
		else
			cloud_put(c, k, text, len);
		return;
	}
	v = known_value(c, k, field);
	if (v != NULL)
		value_text(c, k, v, text, len);
	key_changed(c, k);
}

/* ADDR is called that from now on; it is not seen by being named. */
static void
put_name(struct cloud *c, const void *addr, const void *text, size_t len)
{
	struct tree *t = &c->tree[CLOUD_IP];
	struct cloud_key *k = table_find(&c->table, t, addr, 16, table_hash(t, addr, 16));

	if (k != NULL && key_seen(c, k))
		cloud_set(c, k, "name", text, len);
}

static void
put_side(struct cloud *c, struct cloud_key *k, const struct flowdelta *d, unsigned side)
{
	key_wake(c, k);
	feed_side(c, k, d, side);
}

/*
 * Hot keys
 */

/* The key of ID, if it was written lately. */
static inline struct cloud_key *
hot_key(const struct puts *p, const struct tree *t, const void *id, size_t len,
    uint32_t hash)
{
	const struct hot *h = &p->hot[hash % HOT];

	return h->hash == hash && h->key != NULL && key_is(h->key, t, id, len) ? h->key
									       : NULL;
}

/* What comes for K later need not wait; but those beyond the cap are counted. */
static inline void
hot_put(struct puts *p, struct cloud_key *k)
{
	if (!(k->flags & KEY_OTHER))
		p->hot[k->hash % HOT] = (struct hot){k, k->hash};
}

void
puts_forget(struct cloud *c, const struct cloud_key *k)
{
	struct hot *h = &c->puts->hot[k->hash % HOT];

	if (h->key == k)
		h->key = NULL;
}

/*
 * Putting
 */

/* A new one with room for MORE bytes behind its id. */
static struct put *
put_new(struct cloud *c, enum put_kind kind, struct tree *t, const void *id, size_t len,
    uint32_t hash, size_t more)
{
	struct puts *p = c->puts;
	size_t size = sizeof(struct put) + round8(len) + round8(more);
	struct put *u;

	if (p->n == CLOUD_PUTS || BYTES - p->len < size)
		puts_settle(c);
	table_fetch(&c->table, hash);
	p->at[p->n] = (uint32_t)p->len;
	u = put_at(p, p->n);
	p->n++;
	p->len += size;
	*u = (struct put){.tree = t, .hash = hash, .kind = (uint8_t)kind,
	    .id_len = (uint8_t)len};
	if (len > 0)
		memcpy(put_id(u), id, len);
	return u;
}

static inline bool
may_have(const struct cloud *c, unsigned tree, size_t len)
{
	static const uint8_t want[] = {[ID_ADDR] = 16, [ID_MAC] = 6, [ID_NUMBER] = 2};
	const struct tree *t = &c->tree[tree];

	return tree < c->ntrees && (t->id == ID_TEXT || len == want[t->id]);
}

bool
cloud_may_have(const struct cloud *c, unsigned tree, size_t len)
{
	return may_have(c, tree, len);
}

bool
cloud_put_adds(struct cloud *c, unsigned tree, const void *id, size_t len,
    const struct cloud_add *add, unsigned n, uint64_t top, uint64_t ts_us)
{
	const uint64_t tops[2] = {top, 0};
	struct tree *t = &c->tree[tree];
	char buf[ID_MAX + 1];
	struct cloud_key *k;
	struct put *u;
	uint32_t hash;
	unsigned i;

	if (!may_have(c, tree, len) || n > UINT8_MAX || t->def.type != CLOUD_HASH)
		return false;
	for (i = 0; i < n; i++)
		if (add[i].field >= t->nknown)
			return false;
	if (t->id == ID_TEXT)
		id = table_id(c, t, id, &len, buf);
	hash = table_hash(t, id, len);
	k = hot_key(c->puts, t, id, len, hash);
	if (k != NULL) {
		put_key(c, k, add, n, tops, t->ntops > 0 ? ts_us / MINUTE_US : 0);
		return true;
	}
	u = put_new(c, PUT_ADD, t, id, len, hash, n * sizeof(*add));
	u->n = (uint8_t)n;
	u->top = top;
	u->minute = t->ntops > 0 ? ts_us / MINUTE_US : 0;
	if (n > 0)
		memcpy(put_more(u), add, n * sizeof(*add));
	return true;
}

bool
cloud_put_text(struct cloud *c, unsigned tree, const void *id, size_t len, int field,
    const void *text, size_t text_len)
{
	struct tree *t = &c->tree[tree];
	char buf[ID_MAX + 1];
	struct put *u;

	if (!may_have(c, tree, len) ||
	    (t->def.type == CLOUD_HASH ? field < 0 || field >= t->nknown
				       : t->def.type != CLOUD_STRING))
		return false;
	if (t->id == ID_TEXT)
		id = table_id(c, t, id, &len, buf);
	if (text_len > CLOUD_VALUE_MAX)
		text_len = CLOUD_VALUE_MAX;
	u = put_new(c, PUT_TEXT, t, id, len, table_hash(t, id, len), text_len);
	u->field = (uint8_t)field;
	u->text_len = (uint8_t)text_len;
	if (text_len > 0)
		memcpy(put_more(u), text, text_len);
	return true;
}

void
put_sides(struct cloud *c, enum cloud_builtin tree, const struct flowdelta *d,
    unsigned sides)
{
	struct tree *t = &c->tree[tree];
	size_t len = tree == CLOUD_IP ? 16 : 6;
	struct cloud_key *k;
	const void *id;
	struct put *u;
	uint32_t hash;
	unsigned side;

	for (side = 0; side < 2; side++) {
		if (!(sides & 1u << side))
			continue;
		id = tree == CLOUD_IP ? (const void *)d->key.addr[side] : d->mac[side];
		hash = table_hash(t, id, len);
		k = hot_key(c->puts, t, id, len, hash);
		if (k != NULL) {
			put_side(c, k, d, side);
			continue;
		}
		u = put_new(c, PUT_SIDE, t, id, len, hash, sizeof(*d));
		u->side = (uint8_t)side;
		memcpy(put_more(u), d, sizeof(*d));
	}
}

/*
 * Settling
 */

/* Find U's key, make it if need be, and write. */
static void
write_put(struct cloud *c, struct put *u)
{
	const uint64_t tops[2] = {u->top, 0};
	bool names = u->tree == c->names_of && u->id_len == 16 && u->kind == PUT_TEXT;
	struct cloud_key *k = u->key;

	if (u->kind == PUT_TEXT && u->tree == &c->tree[CLOUD_IP]) {
		/* an address is not seen by being named */
		if (k == NULL)
			k = table_find(&c->table, u->tree, put_id(u), u->id_len, u->hash);
		if (k == NULL || !key_seen(c, k))
			return;
	} else if (k == NULL || (k->flags & KEY_OTHER))
		k = key_find_or_make(c, u->tree, put_id(u), u->id_len, u->hash, k);
	if (names && (k == NULL || !says(c, k, put_more(u), u->text_len)))
		put_name(c, put_id(u), put_more(u), u->text_len);
	if (k == NULL) {
		counter_inc(c->counters, COUNTER_CLOUD_NO_ROOM);
		if (u->kind == PUT_SIDE && u->tree == &c->tree[CLOUD_IP])
			feed_side(c, NULL, put_more(u), u->side);
		return;
	}
	if (k->hash == u->hash)
		hot_put(c->puts, k);
	switch (u->kind) {
	case PUT_ADD:
		put_key(c, k, put_more(u), u->n, tops, u->minute);
		break;
	case PUT_TEXT:
		put_text(c, k, u->field, put_more(u), u->text_len);
		break;
	case PUT_SIDE:
		put_side(c, k, put_more(u), u->side);
		break;
	}
}

static inline void
fetch(const void *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += LINE)
		__builtin_prefetch((const char *)p + i, 1);
}

/* What writing U reads of its key, beyond what finding it did. */
static void
fetch_written(struct put *u)
{
	const struct cloud_key *k = u->key;
	const struct cloud_add *a = put_more(u);
	unsigned placed = u->tree->placed, i;

	if (u->tree->ntops > 0)
		fetch(key_top(u->key), sizeof(struct key_top));
	if (k->tree->def.type == CLOUD_ZSET || k->v == NULL)
		return;
	switch (u->kind) {
	case PUT_ADD:
		for (i = 0; i < u->n; i++)
			__builtin_prefetch(&k->v[a[i].field < placed ? a[i].field : placed], 1);
		break;
	case PUT_TEXT:
		__builtin_prefetch(k->v, 1);
		break;
	case PUT_SIDE:
		fetch(k->v, placed * sizeof(struct value));
		break;
	}
}

static void
write_group(struct cloud *c, unsigned from, unsigned to)
{
	struct puts *p = c->puts;
	struct cloud_key *k;
	struct put *u;
	unsigned i;

	for (i = from; i < to; i++) {
		k = table_first(&c->table, put_at(p, i)->hash);
		if (k != NULL) { /* most often the one; its first line, and its id */
			__builtin_prefetch(k, 1);
			__builtin_prefetch(k->bytes);
		}
	}
	for (i = from; i < to; i++) {
		u = put_at(p, i);
		u->key = table_find(&c->table, u->tree, put_id(u), u->id_len, u->hash);
		if (u->key != NULL)
			fetch_written(u);
	}
	for (i = from; i < to; i++)
		write_put(c, put_at(p, i));
}

void
puts_settle(struct cloud *c)
{
	struct puts *p = c->puts;
	unsigned i;

	if (p->n == 0 || p->busy)
		return;
	p->busy = true;
	for (i = 0; i < p->n; i += GROUP)
		write_group(c, i, i + GROUP < p->n ? i + GROUP : p->n);
	p->n = 0;
	p->len = 0;
	p->busy = false;
}

unsigned
puts_count(const struct cloud *c)
{
	return c->puts->n;
}

void
cloud_settle(struct cloud *c)
{
	puts_settle(c);
	sort_tops(c);
	sort_keys(c);
}
