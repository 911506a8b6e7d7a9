/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud.c -- the key tree: its trees, the making of keys, and what is written to them.
 * The parts are listed in cloud_int.h.
 *
 * An update of a known key is two hash look-ups (key, field name) and a few fields
 * compared; what flows bring (cloud_feed.c) needs no look-up of names. A new key is two
 * allocations, a walk down the index and the question which node is its own.
 */
#include "cloud_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_PREFIX "dns.cache."
#define MS 1000u
#define ROOM 3 /* fields of plugins that have room in keys of common trees */
#define KEYS 262144 /* of a tree at most, where the set-up does not say */
#define TTL_MAX_S (10u * 366 * 86400)

#define HOST_FIELDS                                                              \
	NAME_BYTES_SENT, NAME_BYTES_RCVD, NAME_PKTS_SENT, NAME_PKTS_RCVD,        \
	    NAME_FLOWS_CLIENT, NAME_FLOWS_SERVER, NAME_FIRST_SEEN, NAME_LAST_SEEN
#define TOTAL_FIELDS NAME_BYTES, NAME_PKTS, NAME_FLOWS

/* The trees that are always there; CAP 0: max_keys. */
static const struct builtin {
	const char *prefix;
	uint8_t type, id;
	bool persistent, other;
	uint32_t cap;
	uint16_t base_at, nbase;
	uint8_t placed[9]; /* its first fields: enum name */
} builtin[CLOUD_BUILTINS] = {
    [CLOUD_IP] = {"ip.", CLOUD_HASH, ID_ADDR, false, true, 0, NAME_BYTES_SENT, 6,
	{HOST_FIELDS, NAME_MAC}},
    [CLOUD_MAC] = {"mac.", CLOUD_HASH, ID_MAC, false, true, 0, NAME_BYTES_SENT, 6,
	{HOST_FIELDS}},
    [CLOUD_VLAN] = {"vlan.", CLOUD_HASH, ID_NUMBER, false, false, VLANS,
	NAME_BYTES_SENT, 6, {HOST_FIELDS}},
    [CLOUD_PROTO] = {"proto.", CLOUD_HASH, ID_TEXT, false, true, 1024, NAME_BYTES, 3,
	{TOTAL_FIELDS}},
    [CLOUD_PORT_TCP] = {"port.tcp.", CLOUD_HASH, ID_NUMBER, false, false, 65536,
	NAME_BYTES, 3, {TOTAL_FIELDS}},
    [CLOUD_PORT_UDP] = {"port.udp.", CLOUD_HASH, ID_NUMBER, false, false, 65536,
	NAME_BYTES, 3, {TOTAL_FIELDS}},
    [CLOUD_TOP] = {"top.", CLOUD_ZSET, ID_TEXT, false, false, 65536, 0, 0, {0}},
    [CLOUD_USER] = {"user.", CLOUD_HASH, ID_TEXT, true, false, 0, 0, 0, {0}},
    [CLOUD_USER_IP] = {"user.ip.", CLOUD_STRING, ID_ADDR, true, false, 0, 0, 0, {0}},
    [CLOUD_USER_NET] = {"user.net.", CLOUD_STRING, ID_TEXT, true, false, 0, 0, 0, {0}},
};

static bool
beneath(const struct tree *t, const struct tree *above)
{
	return t->prefix_len > above->prefix_len &&
	       memcmp(t->def.prefix, above->def.prefix, above->prefix_len) == 0;
}

static struct tree *
add_tree(struct cloud *c, const struct cloud_tree *def)
{
	size_t len = strlen(def->prefix);
	struct tree *t = &c->tree[c->ntrees];
	unsigned i;

	if (c->ntrees == CLOUD_TREES_MAX || len < 2 || len > PREFIX_MAX ||
	    def->prefix[len - 1] != '.')
		return NULL;
	for (i = 0; i < c->ntrees; i++)
		if (strcmp(c->tree[i].def.prefix, def->prefix) == 0)
			return NULL;
	memset(t, 0, sizeof(*t));
	t->def = *def;
	t->cloud = c;
	t->prefix_len = len;
	t->seed = c->setup.seed + ((uint64_t)(c->ntrees + 1) << 32);
	t->ttl_ms = (uint64_t)(def->ttl_s < TTL_MAX_S ? def->ttl_s : TTL_MAX_S) * MS;
	t->cap = def->cap > 0 ? def->cap : c->setup.max_keys;
	t->def.cap = t->cap;
	t->id = def->addr ? ID_ADDR : ID_TEXT;
	for (i = 0; i < c->ntrees; i++) {
		if (beneath(t, &c->tree[i]))
			c->tree[i].nested = true;
		if (beneath(&c->tree[i], t))
			t->nested = true;
	}
	c->ntrees++;
	return t;
}

uint32_t
cloud_ttl(const struct cloud *c)
{
	return c->setup.ttl_s;
}

int
cloud_add_tree(struct cloud *c, const struct cloud_tree *def)
{
	struct tree *t = add_tree(c, def);

	if (t != NULL && def->type == CLOUD_STRING && strcmp(def->prefix, NAMES_PREFIX) == 0)
		c->names_of = t;
	return t != NULL ? (int)(t - c->tree) : -1;
}

int
cloud_tree_field(struct cloud *c, unsigned tree, const char *field)
{
	struct tree *t = &c->tree[tree];
	uint32_t name;
	unsigned i;

	if (tree >= c->ntrees || t->def.type != CLOUD_HASH)
		return -1;
	name = names_get(&c->names, field, strlen(field));
	for (i = 0; i < t->nknown; i++)
		if (t->known[i] == name)
			return (int)i;
	if (name == 0 || t->nknown == CLOUD_KNOWN_MAX || t->keys > 0)
		return -1;
	names_keep(&c->names, name);
	t->known[t->nknown] = name;
	t->head[t->nknown] = value_head(name, VALUE_COUNTER);
	/* keys of common trees belong to others too: not all of them have what this adds */
	if (tree >= CLOUD_BUILTINS)
		t->placed = t->nknown + 1;
	if (tree >= CLOUD_BUILTINS || t->room < t->placed + ROOM)
		t->room++;
	return t->nknown++;
}

int
cloud_tree_top(struct cloud *c, unsigned tree, const char *metric)
{
	struct tree *t = &c->tree[tree];
	int n;

	if (tree >= c->ntrees || t->keys > 0 || t->ntops > 0 ||
	    (n = top_number(c, metric)) < 0)
		return -1;
	t->top[t->ntops++] = (uint8_t)n;
	return 0;
}

static int
add_builtins(struct cloud *c)
{
	const struct builtin *b;
	struct cloud_tree def;
	struct tree *t;
	unsigned i;

	for (i = 0; i < CLOUD_BUILTINS; i++) {
		b = &builtin[i];
		def = (struct cloud_tree){.prefix = b->prefix,
		    .type = b->type,
		    .cap = b->cap,
		    .other = b->other};
		if (i == CLOUD_TOP)
			def.ttl_s = TOP_TTL_S;
		else if (!b->persistent)
			def.ttl_s = c->setup.ttl_s;
		t = add_tree(c, &def);
		if (t == NULL)
			return -1;
		t->id = b->id;
		t->base_at = b->base_at;
		t->nbase = b->nbase;
		while (t->placed < sizeof(b->placed) && b->placed[t->placed] != 0) {
			t->known[t->placed] = b->placed[t->placed];
			t->head[t->placed] = value_head(b->placed[t->placed], VALUE_COUNTER);
			t->placed++;
		}
		t->nknown = t->room = t->placed;
	}
	c->tree[CLOUD_IP].ntops = c->tree[CLOUD_PROTO].ntops = 2;
	c->tree[CLOUD_IP].top[0] = TOP_IP_BYTES;
	c->tree[CLOUD_IP].top[1] = TOP_IP_FLOWS;
	c->tree[CLOUD_PROTO].top[0] = TOP_PROTO_BYTES;
	c->tree[CLOUD_PROTO].top[1] = TOP_PROTO_FLOWS;
	return 0;
}

struct cloud *
cloud_new(const struct cloud_setup *setup)
{
	struct cloud *c;

	if (setup->nnodes > CLOUD_NODES_MAX)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->setup = *setup;
	if (setup->max_keys == 0)
		c->setup.max_keys = KEYS;
	c->counters = setup->counters;
	c->now_ms = 1;
	if (table_init(&c->table) == -1 ||
	    names_init(&c->names, setup->seed) == -1 || top_init(c) == -1 ||
	    puts_init(c) == -1 ||
	    add_builtins(c) == -1) {
		cloud_free(c);
		return NULL;
	}
	return c;
}

void
cloud_free(struct cloud *c)
{
	struct cloud_key *k, *next;
	uint32_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->table.n; i++)
		for (k = c->table.bucket[i]; k != NULL; k = next) {
			next = k->chain;
			key_release(c, k);
		}
	keymem_clear(&c->mem);
	puts_clear(c);
	free(c->behind);
	for (i = 0; i < VLANS; i++)
		free(c->vlan[i]);
	table_clear(&c->table);
	names_clear(&c->names);
	free(c);
}

/*
 * Making keys
 */

/*
 * The id of a text tree must not lead into a tree beneath (a user who calls himself
 * "ip.10.0.0.1"): the dot that would is encoded. '%' itself always is, so names stay
 * different.
 */
static size_t
keep_out(const struct cloud *c, const struct tree *t, char *id, size_t len)
{
	size_t rest, least = SIZE_MAX;
	unsigned i;

	for (i = 0; i < c->ntrees; i++) {
		if (!beneath(&c->tree[i], t))
			continue;
		rest = c->tree[i].prefix_len - t->prefix_len;
		if (rest <= len && rest < least &&
		    memcmp(id, c->tree[i].def.prefix + t->prefix_len, rest) == 0)
			least = rest;
	}
	if (least == SIZE_MAX)
		return len;
	memmove(id + least + 2, id + least, len - least + 1);
	memcpy(id + least - 1, "%2E", 3);
	return len + 2;
}

const void *
table_id(
    const struct cloud *c, const struct tree *t, const void *id, size_t *len, char *buf)
{
	static const size_t want[] = {[ID_ADDR] = 16, [ID_MAC] = 6, [ID_NUMBER] = 2};

	if (t->id != ID_TEXT)
		return *len == want[t->id] ? id : NULL;
	*len = keyname_part(buf, id, *len);
	if (t->nested)
		*len = keep_out(c, t, buf, *len);
	return buf;
}

/* The name's part after the prefix. */
static size_t
put_id(char *to, const struct tree *t, const void *id, size_t len)
{
	uint16_t number;

	if (t->id == ID_TEXT || len == 0) {
		if (t->id != ID_TEXT)
			id = "other", len = 5;
		memcpy(to, id, len);
		to[len] = '\0';
		return len;
	}
	switch (t->id) {
	case ID_ADDR:
		return keyname_addr(to, id);
	case ID_MAC:
		return keyname_mac(to, id);
	}
	memcpy(&number, id, sizeof(number));
	return (size_t)sprintf(to, "%u", number);
}

/* Memory for a key, and what stands before it. */
static struct cloud_key *
key_new(struct cloud *c, const struct tree *t, size_t id_len, size_t name_len)
{
	size_t before = t->ntops > 0 ? sizeof(struct key_top) : 0;
	uint8_t *p = keymem_get(&c->mem, key_size(t, id_len, name_len));

	if (p == NULL)
		return NULL;
	memset(p, 0, before + sizeof(struct cloud_key));
	return (struct cloud_key *)(void *)(p + before);
}

static struct cloud_key *
make_key(struct cloud *c, struct tree *t, const void *id, size_t len, uint32_t hash)
{
	size_t id_len = t->id == ID_TEXT ? 0 : len, n;
	char name[PREFIX_MAX + ID_MAX + 1];
	struct cloud_key *k;

	memcpy(name, t->def.prefix, t->prefix_len);
	n = t->prefix_len + put_id(name + t->prefix_len, t, id, len);
	k = key_new(c, t, id_len, n);
	if (k == NULL)
		return NULL;
	k->tree = t;
	k->hash = hash;
	k->id_len = (uint8_t)id_len;
	k->name_len = (uint16_t)n;
	memcpy(k->bytes, id, id_len);
	memcpy(k->bytes + id_len, name, n + 1);
	k->node = NO_NODE;
	if (c->setup.nnodes > 0 && !t->def.local)
		k->node = (uint8_t)(c->setup.node_of(c->setup.arg, name, n) %
				    c->setup.nnodes);
	table_insert(&c->table, k);
	key_due(c, k); /* nothing may come of it */
	c->memory += key_size(t, id_len, n);
	counter_inc(c->counters, COUNTER_CLOUD_MADE);
	return k;
}

/* The key <prefix>other. */
static struct cloud_key *
other_key(struct cloud *c, struct tree *t)
{
	const void *id = "other";
	size_t len = t->id == ID_TEXT ? 5 : 0;
	uint32_t hash = table_hash(t, id, len);
	struct cloud_key *k = table_find(&c->table, t, id, len, hash);

	if (k != NULL)
		return k;
	k = make_key(c, t, id, len, hash);
	if (k != NULL)
		k->flags |= KEY_OTHER;
	return k;
}

struct cloud_key *
key_find_or_make(struct cloud *c, struct tree *t, const void *id, size_t len,
    uint32_t hash, struct cloud_key *k)
{
	uint64_t minute;

	if (k == NULL)
		k = table_find(&c->table, t, id, len, hash);
	if (k != NULL) {
		if (k->flags & KEY_OTHER)
			counter_inc(c->counters, COUNTER_CLOUD_OTHER);
		return k;
	}
	if (t == &c->tree[CLOUD_TOP] && top_metric(c, id, len, &minute) == NULL)
		return NULL;
	if (t->keys < t->cap) {
		k = make_key(c, t, id, len, hash);
		if (k != NULL)
			t->keys++;
	} else if (t->def.other) {
		k = other_key(c, t);
		counter_inc(c->counters, COUNTER_CLOUD_OTHER);
	}
	return k;
}

struct cloud_key *
cloud_key(struct cloud *c, unsigned tree, const void *id, size_t len)
{
	struct cloud_key *k = NULL;
	char buf[ID_MAX + 1];

	if (tree < c->ntrees)
		id = table_id(c, &c->tree[tree], id, &len, buf);
	else
		id = NULL;
	puts_settle(c);
	if (id != NULL)
		k = key_find_or_make(c, &c->tree[tree], id, len,
		    table_hash(&c->tree[tree], id, len), NULL);
	if (k == NULL) {
		counter_inc(c->counters, COUNTER_CLOUD_NO_ROOM);
		return NULL;
	}
	key_wake(c, k);
	if (k->flags & KEY_SHOWN)
		top_enroll(c, k); /* used now */
	return k;
}

/* Keys are looked for in two ways, and users of addresses for every flow. */
static void
settle_tree(const struct cloud *c, unsigned tree)
{
	if (tree != CLOUD_USER && tree != CLOUD_USER_IP && tree != CLOUD_USER_NET)
		settle_all(c);
}

const struct cloud_key *
cloud_look(const struct cloud *c, unsigned tree, const void *id, size_t len)
{
	const struct cloud_key *k;
	const struct tree *t;
	char buf[ID_MAX + 1];

	if (tree >= c->ntrees)
		return NULL;
	t = &c->tree[tree];
	id = table_id(c, t, id, &len, buf);
	if (id == NULL)
		return NULL;
	settle_tree(c, tree);
	k = table_find(&c->table, t, id, len, table_hash(t, id, len));
	return k != NULL && key_seen(c, k) ? k : NULL;
}

/*
 * Writing. A KEY of NULL was counted by cloud_key().
 */
static bool
is_type(struct cloud *c, const struct cloud_key *k, enum cloud_type type)
{
	if (k == NULL)
		return false;
	if (k->tree->def.type == type)
		return true;
	counter_inc(c->counters, COUNTER_CLOUD_NO_ROOM);
	return false;
}

/* The field of that name, to be written. NULL: there is no room; counted. */
static struct value *
field_of(struct cloud *c, struct cloud_key *k, const char *field)
{
	struct value *v;
	uint32_t name;

	if (!is_type(c, k, CLOUD_HASH))
		return NULL;
	name = names_get(&c->names, field, strlen(field));
	if (name == 0) {
		counter_inc(c->counters, COUNTER_CLOUD_NO_ROOM);
		return NULL;
	}
	v = value_get(c, k, name);
	if (v == NULL)
		names_settle(&c->names, name);
	return v;
}

/* As above, after waking the key. */
static struct value *
field_to_write(struct cloud *c, struct cloud_key *k, const char *field)
{
	if (k != NULL)
		key_wake(c, k);
	return field_of(c, k, field);
}

void
cloud_incr(struct cloud *c, struct cloud_key *k, const char *field, int64_t n)
{
	struct value *v = field_to_write(c, k, field);

	if (v == NULL)
		return;
	value_add(c, k, v, n);
	key_changed(c, k);
}

static void
set_number(struct cloud *c, struct cloud_key *k, const char *field, uint64_t n,
    enum value_kind kind)
{
	struct value *v = field_to_write(c, k, field);

	if (v == NULL)
		return;
	value_number(c, k, v, kind, n);
	key_changed(c, k);
}

void
cloud_set_number(struct cloud *c, struct cloud_key *k, const char *field, uint64_t n)
{
	set_number(c, k, field, n, VALUE_NUMBER);
}

void
cloud_set_min(struct cloud *c, struct cloud_key *k, const char *field, uint64_t n)
{
	set_number(c, k, field, n, VALUE_MIN);
}

void
cloud_set_max(struct cloud *c, struct cloud_key *k, const char *field, uint64_t n)
{
	set_number(c, k, field, n, VALUE_MAX);
}

void
cloud_set(struct cloud *c, struct cloud_key *k, const char *field, const void *value,
    size_t len)
{
	struct value *v = field_to_write(c, k, field);

	if (v == NULL)
		return;
	value_text(c, k, v, value, len);
	key_changed(c, k);
}

void
cloud_unset(struct cloud *c, struct cloud_key *k, const char *field)
{
	struct value *v;
	uint32_t name;

	if (!is_type(c, k, CLOUD_HASH))
		return;
	key_wake(c, k);
	if (k->node == NO_NODE) {
		name = names_find(&c->names, field, strlen(field));
		v = name != 0 ? value_find(k, name) : NULL;
	} else
		v = field_of(c, k, field);
	if (v == NULL)
		return;
	value_unset(c, k, v);
	key_changed(c, k);
}

void
cloud_put(struct cloud *c, struct cloud_key *k, const void *value, size_t len)
{
	struct value *v;

	if (!is_type(c, k, CLOUD_STRING))
		return;
	key_wake(c, k);
	v = value_get(c, k, NAME_STRING);
	if (v == NULL || value_text(c, k, v, value, len) == -1) {
		key_changed(c, k);
		return;
	}
	/* SET makes a string persistent: it is sent even where it says the same */
	if (k->tree->ttl_ms == 0 && (k->expire_ms != 0 || k->life != LIFE_AS_IS)) {
		key_expire_at(c, k, 0);
		k->life = LIFE_AS_IS;
		if (k->node != NO_NODE) {
			v->set = 1;
			key_queue(c, k);
		}
	}
	key_changed(c, k);
}

/* The set of K, to be written. NULL: no memory, counted. */
static struct zset *
set_to_write(struct cloud *c, struct cloud_key *k)
{
	key_wake(c, k);
	if (k->z != NULL)
		return k->z;
	k->z = zset_new(c->setup.seed);
	if (k->z != NULL)
		c->memory += zset_memory(k->z);
	else
		counter_inc(c->counters, COUNTER_CLOUD_NO_ROOM);
	return k->z;
}

/* R came of it. */
static void
set_written(struct cloud *c, struct cloud_key *k, int r, const struct zadd *told)
{
	c->memory += (size_t)told->bytes;
	counter_add(c->counters, COUNTER_CLOUD_TOP_DROPPED, told->dropped);
	counter_inc(
	    c->counters, r == 0 ? COUNTER_CLOUD_UPDATES : COUNTER_CLOUD_NO_ROOM);
	if (told->merged)
		counter_inc(c->counters, COUNTER_CLOUD_MERGED);
	if (r == 0 && !told->left)
		key_queue(c, k);
	if (!(k->flags & KEY_SHOWN))
		key_show_or_hide(c, k);
}

void
cloud_zincr(
    struct cloud *c, struct cloud_key *k, const void *member, size_t len, uint64_t n)
{
	struct zadd told;
	int r;

	if (!is_type(c, k, CLOUD_ZSET) || n == 0 || set_to_write(c, k) == NULL)
		return;
	r = zset_add(k->z, member, len, n, k->node != NO_NODE, &told);
	set_written(c, k, r, &told);
}

void
top_offer(struct cloud *c, struct cloud_key *k, const char *member, size_t len,
    uint64_t total, uint64_t n)
{
	struct zadd told;
	int r;

	if (k == NULL || set_to_write(c, k) == NULL)
		return;
	if (zset_is_small(k->z, total)) {
		counter_inc(c->counters, COUNTER_CLOUD_TOP_DROPPED);
		counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
		return;
	}
	r = zset_offer(k->z, member, len, total, n, k->node != NO_NODE, &told);
	set_written(c, k, r, &told);
}

void
cloud_delete(struct cloud *c, struct cloud_key *k)
{
	if (k == NULL)
		return;
	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	if (k->tree->def.type == CLOUD_ZSET)
		key_drop_set(c, k);
	else
		values_clear(c, k);
	k->expire_ms = k->renew_ms = 0;
	k->life = LIFE_AS_IS;
	k->flags &= (uint8_t)~KEY_RENEW;
	if (k->node != NO_NODE)
		k->flags |= KEY_DEL;
	key_queue(c, k);
	key_hide(c, k);
}

/*
 * The end of a persistent key
 */
static void
set_life(struct cloud *c, struct cloud_key *k, enum life life, uint64_t expire_ms)
{
	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	key_check(c, k);
	key_expire_at(c, k, expire_ms);
	k->changed_ms = c->now_ms;
	if (k->tree->ttl_ms != 0)
		k->renew_ms = 0; /* what the node has is not the tree's TTL any more */
	k->flags &= (uint8_t)~KEY_RENEW;
	if (k->node == NO_NODE)
		return;
	k->life = (uint8_t)life;
	key_queue(c, k);
}

void
cloud_persist(struct cloud *c, struct cloud_key *k)
{
	if (k != NULL)
		set_life(c, k, LIFE_PERSIST, 0);
}

void
cloud_expire_after(struct cloud *c, struct cloud_key *k, uint32_t s)
{
	if (s == 0)
		cloud_delete(c, k);
	else if (k != NULL)
		set_life(c, k, LIFE_EXPIRE, c->now_ms + (uint64_t)s * MS);
}

void
cloud_expire_after_if(
    struct cloud *c, struct cloud_key *k, const void *value, size_t len, uint32_t s)
{
	struct value *v;
	const char *text;
	size_t n;

	if (!is_type(c, k, CLOUD_STRING))
		return;
	if (len > CLOUD_VALUE_MAX)
		len = CLOUD_VALUE_MAX;
	key_check(c, k);
	v = value_find(k, NAME_STRING);
	if (v != NULL && !v->gone) {
		text = value_string(v, &n);
		if (n != len || memcmp(text, value, len) != 0)
			return; /* so it is on the node, or will be */
	}
	if (k->node != NO_NODE) {
		v = value_get(c, k, NAME_CONDITION);
		if (v == NULL || value_condition(c, k, v, value, len) == -1)
			return;
	}
	set_life(c, k, LIFE_EXPIRE_IF, c->now_ms + (uint64_t)(s > 0 ? s : 1) * MS);
}

void
cloud_lapse(struct cloud *c, unsigned tree, const void *id, size_t len, const void *value,
    size_t vlen)
{
	const struct cloud_key *seen = cloud_look(c, tree, id, len);
	struct cloud_key *k;
	struct value *v;
	const char *text;
	size_t n;

	if (seen == NULL || seen->expire_ms == 0 || seen->flags & KEY_OTHER)
		return;
	k = (struct cloud_key *)(uintptr_t)seen; /* our own */
	if (value != NULL) {
		v = value_find(k, NAME_STRING);
		if (v == NULL || v->kind != VALUE_TEXT)
			return;
		text = value_string(v, &n);
		if (n != vlen || memcmp(text, value, vlen) != 0)
			return;
	}
	key_expire_at(c, k, c->now_ms > 0 ? c->now_ms : 1);
	key_check(c, k);
}
