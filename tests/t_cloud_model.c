/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_cloud_model.c -- random operations, beside a plain model of the tree and a plain
 * Redis that gets what is taken. The tree must show what the model has; each HINCRBY
 * must bring exactly what waited; after everything was taken the node must hold what
 * the tree shows, and let it live at least as long.
 */
#include "cloud_rig.h"

#define KINDS 3 /* volatile hash, persistent hash, persistent string */
#define IDS 24  /* of each kind */
#define FIELDS 6
#define TTL_MS 20000u
#define STEPS 60000

enum field {
	F_COUNT, /* two counters */
	F_COUNT2,
	F_NUMBER,
	F_TEXT,
	F_MIN,
	F_MAX,
};

static const char *const field_name[FIELDS] = {
    "count", "count2", "number", "text", "min", "max"};

struct mfield {
	bool on;    /* seen */
	bool ghost; /* not seen, its value waits for the node */
	bool waits; /* to be sent whole */
	int64_t v;
	int64_t pending;
};

struct mkey {
	char name[32], id[16];
	struct mfield f[FIELDS]; /* a string: F_TEXT */
	uint64_t expire_ms;
	/* the node's */
	bool n_on;
	bool n_f[FIELDS];
	int64_t n_v[FIELDS];
	uint64_t n_expire_ms;
	bool n_lossy;  /* its counters are behind: it lost the key once */
	bool n_marked; /* the key ended here; there it may have some time left ... */
	bool n_lost;   /* ... and took what came since */
};

struct model {
	struct rig *r;
	unsigned tree[KINDS];
	unsigned nnodes;
	struct mkey key[KINDS][IDS];
};

static unsigned
any(unsigned n)
{
	return (unsigned)random() % n;
}

static bool
past(const struct model *m, uint64_t expire_ms)
{
	return expire_ms != 0 && m->r->now_ms >= expire_ms;
}

static bool
is_seen(const struct model *m, const struct mkey *k)
{
	unsigned i;

	for (i = 0; i < FIELDS; i++)
		if (k->f[i].on)
			return !past(m, k->expire_ms);
	return false;
}

/* Forget what is past its time. */
static void
lapse(struct model *m, struct mkey *k)
{
	unsigned i;

	if (!past(m, k->expire_ms))
		return;
	k->n_marked = true;
	for (i = 0; i < FIELDS; i++) {
		k->f[i].ghost =
		    m->nnodes > 0 && (k->f[i].on || k->f[i].ghost) && k->f[i].waits;
		k->f[i].on = false;
	}
	k->expire_ms = 0;
}

static struct cloud_key *
wake(struct model *m, unsigned kind, struct mkey *k)
{
	struct cloud_key *key = cloud_key(m->r->c, m->tree[kind], k->id, strlen(k->id));

	assert_non_null(key);
	lapse(m, k);
	if (kind == 0)
		k->expire_ms = m->r->now_ms + TTL_MS;
	return key;
}

static void
text_of(char *to, int64_t v)
{
	snprintf(to, 64, v % 2 ? "%lld" : "a longer text that is kept apart %lld",
	    (long long)v);
}

static void
set(struct mfield *f, int64_t v)
{
	if (!f->on || f->v != v)
		f->waits = true;
	f->on = true;
	f->ghost = false;
	f->v = v;
}

static void
write_field(struct model *m, unsigned kind, struct mkey *k)
{
	struct cloud_key *key = wake(m, kind, k);
	struct cloud *c = m->r->c;
	enum field i = any(FIELDS);
	struct mfield *f = &k->f[i];
	int64_t n = any(50);
	char text[64];

	switch (i) {
	case F_COUNT:
	case F_COUNT2:
		n -= 5;
		cloud_incr(c, key, field_name[i], n);
		f->v = f->on ? f->v + n : n;
		f->pending += n;
		f->on = true;
		break;
	case F_NUMBER:
		cloud_set_number(c, key, field_name[i], (uint64_t)n);
		set(f, n);
		break;
	case F_TEXT:
		text_of(text, n);
		cloud_set(c, key, field_name[i], text, strlen(text));
		set(f, n);
		break;
	case F_MIN:
		cloud_set_min(c, key, field_name[i], (uint64_t)n);
		set(f, (f->ghost || f->on) && f->v < n ? f->v : n);
		break;
	case F_MAX:
		cloud_set_max(c, key, field_name[i], (uint64_t)n);
		set(f, (f->ghost || f->on) && f->v > n ? f->v : n);
		break;
	}
}

static void
write_string(struct model *m, struct mkey *k)
{
	struct cloud_key *key = wake(m, 2, k);
	int64_t n = any(4);
	char text[64];

	text_of(text, n);
	if (is_seen(m, k) && any(3) == 0) {
		uint32_t s = any(30) + 1;

		cloud_expire_after_if(m->r->c, key, text, strlen(text), s);
		if (k->f[F_TEXT].v == n)
			k->expire_ms = m->r->now_ms + s * 1000u;
		return;
	}
	cloud_put(m->r->c, key, text, strlen(text));
	set(&k->f[F_TEXT], n);
	k->expire_ms = 0;
}

static void
unset_field(struct model *m, unsigned kind, struct mkey *k)
{
	enum field i = F_NUMBER + any(4);
	struct cloud_key *key;

	if (kind == 2 || (kind == 1 && k->expire_ms != 0))
		return; /* whether a mark outlives the last field is left open */
	key = wake(m, kind, k);
	cloud_unset(m->r->c, key, field_name[i]);
	memset(&k->f[i], 0, sizeof(k->f[i]));
}

static void
live_or_die(struct model *m, unsigned kind, struct mkey *k)
{
	struct cloud_key *key;
	uint32_t s = any(30) + 1;

	if (!is_seen(m, k))
		return;
	key = wake(m, kind, k);
	switch (any(8)) {
	case 0:
		cloud_delete(m->r->c, key);
		memset(k->f, 0, sizeof(k->f));
		k->expire_ms = 0;
		k->n_lossy = k->n_marked = k->n_lost = false;
		break;
	case 1:
	case 2:
	case 3:
		cloud_persist(m->r->c, key);
		k->expire_ms = 0;
		break;
	default:
		cloud_expire_after(m->r->c, key, s);
		k->expire_ms = m->r->now_ms + s * 1000u;
	}
}

/*
 * The node
 */
static struct mkey *
find_key(struct model *m, const char *name, size_t len)
{
	unsigned kind, i;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++)
			if (strlen(m->key[kind][i].name) == len &&
			    memcmp(m->key[kind][i].name, name, len) == 0)
				return &m->key[kind][i];
	fail_msg("%.*s is not a key", (int)len, name);
	return NULL;
}

static void
node_clear(struct mkey *k)
{
	k->n_on = false;
	memset(k->n_f, 0, sizeof(k->n_f));
	memset(k->n_v, 0, sizeof(k->n_v));
	k->n_expire_ms = 0;
}

static int64_t
number_of(const struct cloud_op *op)
{
	char text[300];
	const char *p;

	if (op->text == NULL)
		return op->number;
	memcpy(text, op->text, op->len);
	text[op->len] = '\0';
	p = strrchr(text, ' ');
	return atoll(p != NULL ? p + 1 : text);
}

static unsigned
field_of(const struct cloud_op *op)
{
	unsigned i;

	if (op->kind == CLOUD_OP_SET)
		return F_TEXT;
	for (i = 0; i < FIELDS; i++)
		if (op->field_len == strlen(field_name[i]) &&
		    memcmp(op->field, field_name[i], op->field_len) == 0)
			return i;
	fail_msg("%.*s is not a field", (int)op->field_len, op->field);
	return 0;
}

static void
node_value(struct mkey *k, const struct cloud_op *op)
{
	unsigned i = field_of(op);

	switch (op->kind) {
	case CLOUD_OP_HINCRBY:
		assert_true(op->number != 0);
		assert_true(op->number == k->f[i].pending);
		k->f[i].pending = 0;
		if (op->alive)
			assert_true((k->n_on && k->n_f[i]) || k->n_lossy || k->n_lost);
		k->n_v[i] += op->number;
		break;
	case CLOUD_OP_HSETNX:
		if (!k->n_f[i])
			k->n_v[i] = op->number;
		break;
	case CLOUD_OP_HMIN:
		if (!k->n_f[i] || op->number < k->n_v[i])
			k->n_v[i] = op->number;
		break;
	case CLOUD_OP_SET:
		k->n_expire_ms = 0;
		k->n_marked = k->n_lost = false;
		/* FALLTHROUGH */
	default:
		k->n_v[i] = number_of(op);
	}
	if (op->kind != CLOUD_OP_HINCRBY)
		k->f[i].waits = k->f[i].ghost = false;
	k->n_f[i] = true;
	k->n_on = true;
}

static void
node_apply(void *arg, const struct cloud_op *op)
{
	struct model *m = arg;
	struct mkey *k = find_key(m, op->key, op->key_len);
	uint64_t end = m->r->now_ms + (uint64_t)op->number * 1000;

	if (past(m, k->n_expire_ms)) {
		/* nothing was taken for so long that the key ended there, not here */
		k->n_lossy = k->n_lossy || is_seen(m, k);
		k->n_lost =
		    k->n_lost || k->n_marked || (k >= m->key[2] && is_seen(m, k));
		node_clear(k);
	}
	switch (op->kind) {
	case CLOUD_OP_HDEL:
		k->n_f[field_of(op)] = false;
		k->n_v[field_of(op)] = 0;
		break;
	case CLOUD_OP_EXPIRE:
		assert_true(op->number > 0);
		k->n_expire_ms = k->n_on ? end : 0;
		break;
	case CLOUD_OP_EXPIRE_IF:
		if (k->n_on && k->n_v[F_TEXT] == number_of(op))
			k->n_expire_ms = end;
		break;
	case CLOUD_OP_PERSIST:
		k->n_expire_ms = 0;
		k->n_marked = false;
		break;
	case CLOUD_OP_DEL:
		node_clear(k);
		k->n_lossy = k->n_lost = false;
		break;
	case CLOUD_OP_ZINCRBY:
	case CLOUD_OP_ZTRIM:
		fail();
		break;
	default:
		node_value(k, op);
	}
}

/* The node loses a key; its answer, or its new run_id, tells. */
static void
node_lose(struct model *m, struct mkey *k)
{
	unsigned i;

	if (m->nnodes == 0 || !is_seen(m, k) || k->expire_ms == 0)
		return;
	node_clear(k);
	k->n_lossy = true;
	for (i = F_NUMBER; i < FIELDS; i++)
		k->f[i].waits = k->f[i].waits || k->f[i].on;
	cloud_rearm(m->r->c, k->name, strlen(k->name));
}

/* After all was taken. */
static void
check_node(const struct model *m, unsigned kind, const struct mkey *k)
{
	bool any_value = false, there = k->n_on && !past(m, k->n_expire_ms);
	unsigned i;

	for (i = 0; i < FIELDS; i++) {
		assert_true(k->f[i].pending == 0);
		if (kind > 0 && (k->n_marked || k->n_lost))
			continue;
		if (!k->f[i].on || (i <= F_COUNT2 && (k->f[i].v == 0 || k->n_lossy)))
			continue;
		any_value = true;
		assert_true(there);
		assert_true(k->n_f[i]);
		/* what an earlier life left there is counted on, and HSETNX leaves it */
		if (i > F_COUNT2 && i != F_MIN)
			assert_true(k->n_v[i] == k->f[i].v);
	}
	if (!any_value || !there)
		return;
	if (k->expire_ms == 0) {
		assert_true(k->n_expire_ms == 0);
		return;
	}
	assert_true(k->n_expire_ms >= k->expire_ms);
	/* 1.25 times the TTL from when it was taken, maybe just before its end */
	assert_true(
	    k->n_expire_ms <= k->expire_ms + (kind == 0 ? TTL_MS * 5 / 4 : 1000));
}

static void
take_all(struct model *m)
{
	unsigned i, kind;

	for (i = 0; i < m->nnodes; i++) {
		cloud_take(m->r->c, i, UINT32_MAX, node_apply, m);
		assert_int_equal(cloud_waiting(m->r->c, i), 0);
	}
	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++)
			if (m->nnodes > 0 && is_seen(m, &m->key[kind][i]))
				check_node(m, kind, &m->key[kind][i]);
}

/*
 * The tree
 */
static void
check_key(const struct model *m, unsigned kind, const struct mkey *k)
{
	const struct cloud_key *key = cloud_find(m->r->c, k->name, strlen(k->name));
	struct cloud_item item;
	char text[64];
	unsigned i, n = 0;

	assert_ptr_equal(cloud_look(m->r->c, m->tree[kind], k->id, strlen(k->id)), key);
	if (!is_seen(m, k)) {
		assert_null(key);
		return;
	}
	assert_non_null(key);
	assert_int_equal(cloud_key_ttl(m->r->c, key),
	    k->expire_ms == 0 ? -1 : (int64_t)(k->expire_ms - m->r->now_ms));
	for (i = 0; i < FIELDS; i++) {
		text_of(text, k->f[i].v);
		if (kind == 2) {
			if (i != F_TEXT)
				continue;
			cloud_key_string(key, &item);
		} else {
			n += k->f[i].on;
			assert_int_equal(cloud_key_get(key, field_name[i],
					     strlen(field_name[i]), &item),
			    k->f[i].on);
			if (!k->f[i].on)
				continue;
		}
		if (i == F_TEXT) {
			assert_int_equal(item.len, strlen(text));
			assert_memory_equal(item.text, text, item.len);
		} else
			assert_true(item.number == k->f[i].v);
	}
	assert_int_equal(cloud_key_count(key), n);
	for (i = 0; i < n; i++) {
		cloud_key_at(key, i, &item);
		assert_true(cloud_key_get(key, item.name, item.name_len, &item));
	}
}

static int
name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
check_walk(const struct model *m, const char *prefix)
{
	const char *want[KINDS * IDS], *after = NULL;
	const struct cloud_key *key;
	unsigned kind, i, n = 0;
	size_t len = 0;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++)
			if (is_seen(m, &m->key[kind][i]) &&
			    strncmp(m->key[kind][i].name, prefix, strlen(prefix)) == 0)
				want[n++] = m->key[kind][i].name;
	qsort(want, n, sizeof(want[0]), name_cmp);
	for (i = 0; i < n; i++) {
		key = cloud_next(m->r->c, prefix, strlen(prefix), after, len);
		assert_non_null(key);
		after = cloud_key_name(key, &len);
		assert_string_equal(after, want[i]);
	}
	assert_null(cloud_next(m->r->c, prefix, strlen(prefix), after, len));
}

static void
check(struct model *m)
{
	unsigned kind, i;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++)
			check_key(m, kind, &m->key[kind][i]);
	check_walk(m, "");
	check_walk(m, "v.b");
	check_walk(m, "user.");
}

static void
set_up(struct model *m, unsigned nnodes)
{
	static const char *const prefix[KINDS] = {"v.", "user.", "s."};
	struct cloud_tree def = {
	    .prefix = "v.", .type = CLOUD_HASH, .ttl_s = TTL_MS / 1000};
	unsigned kind, i;

	memset(m, 0, sizeof(*m));
	m->r = rig_new(nnodes, 300, 1000);
	m->nnodes = nnodes;
	m->tree[0] = (unsigned)cloud_add_tree(m->r->c, &def);
	m->tree[1] = CLOUD_USER;
	def = (struct cloud_tree){.prefix = "s.", .type = CLOUD_STRING};
	m->tree[2] = (unsigned)cloud_add_tree(m->r->c, &def);
	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++) {
			struct mkey *k = &m->key[kind][i];

			/* a, aa, aaa, b, ba, baa, ...: each is the prefix of another */
			snprintf(
			    k->id, sizeof(k->id), "%c%.*s", 'a' + i / 3, i % 3, "aa");
			snprintf(k->name, sizeof(k->name), "%s%s", prefix[kind], k->id);
		}
}

static void
step(struct model *m)
{
	unsigned kind = any(KINDS);
	struct mkey *k = &m->key[kind][any(IDS)];

	switch (any(20)) {
	case 0:
	case 1:
		rig_pass(m->r, any(any(10) == 0 ? 15000 : 900));
		break;
	case 2:
		if (kind > 0)
			live_or_die(m, kind, k);
		break;
	case 3:
		unset_field(m, kind, k);
		break;
	case 4:
		if (m->nnodes > 0)
			cloud_take(m->r->c, any(m->nnodes), any(30), node_apply, m);
		break;
	case 5:
		if (any(8) == 0)
			take_all(m);
		break;
	case 6:
		if (any(4) == 0 && kind == 0)
			node_lose(m, k);
		break;
	default:
		if (kind == 2)
			write_string(m, k);
		else
			write_field(m, kind, k);
	}
}

static void
run(unsigned nnodes, unsigned seed)
{
	static struct model m;
	unsigned i, kind, n = 0;

	srandom(seed);
	set_up(&m, nnodes);
	for (i = 0; i < STEPS; i++) {
		step(&m);
		if (i % 16 == 0)
			check(&m);
	}
	take_all(&m);
	check(&m);
	/* the end of a second later what expired is not counted either */
	rig_pass(m.r, 1000);
	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < IDS; i++)
			n += is_seen(&m, &m.key[kind][i]);
	assert_in_range(cloud_count(m.r->c), n, n + 4);
	assert_int_equal(rig_counter(m.r, COUNTER_CLOUD_NO_ROOM), 0);
	assert_true(rig_counter(m.r, COUNTER_CLOUD_EXPIRED) > 50);
	rig_free(m.r);
}

static void
test_embedded(void **state)
{
	(void)state;
	run(0, 1);
}

static void
test_one_node(void **state)
{
	(void)state;
	run(1, 2);
}

static void
test_three_nodes(void **state)
{
	(void)state;
	run(3, 3);
}

/*
 * The index alone: names of few letters, so that many are prefixes of others.
 */
#define NAMES 364 /* up to five letters out of three */

struct entry {
	char name[16];
	bool there;
};

static int
entry_cmp(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void
make_entries(struct entry *e)
{
	unsigned len, i, j, x, all, n = 0;

	for (len = 0, all = 1; len <= 5; len++, all *= 3)
		for (i = 0; i < all; i++) {
			memcpy(e[n].name, "user.", 5);
			for (j = 0, x = i; j < len; j++, x /= 3)
				e[n].name[5 + j] = "-a~"[x % 3];
			e[n].name[5 + len] = '\0';
			e[n++].there = false;
		}
	assert_int_equal(n, NAMES);
	qsort(e, NAMES, sizeof(*e), entry_cmp);
}

static void
test_index(void **state)
{
	static struct entry e[NAMES];
	struct rig *r = rig_new(0, 300, 1000);
	const struct cloud_key *k;
	struct cloud_key *w;
	unsigned i, n, round;
	char after[16], prefix[16];
	size_t plen;

	(void)state;
	srandom(5);
	make_entries(e);
	for (round = 0; round < 30000; round++) {
		i = any(NAMES);
		w = cloud_key(r->c, CLOUD_USER, e[i].name + 5, strlen(e[i].name + 5));
		e[i].there = any(2);
		if (e[i].there)
			cloud_incr(r->c, w, "x", 1);
		else
			cloud_delete(r->c, w);
		if (round % 10 == 0)
			rig_pass(r, 1); /* frees */
		/* a question of letters that need not be there */
		n = 5;
		memcpy(after, "user.", 5);
		while (n < 5 + round % 7)
			after[n++] = "-a~b,"[any(5)];
		after[n] = '\0';
		strcpy(prefix, e[any(NAMES)].name);
		plen = strlen(prefix);
		k = cloud_next(r->c, prefix, plen, after, n);
		for (i = 0; i < NAMES; i++)
			if (e[i].there && strcmp(e[i].name, after) > 0 &&
			    strncmp(e[i].name, prefix, plen) == 0)
				break;
		assert_int_equal(k != NULL, i < NAMES);
		if (k != NULL)
			assert_string_equal(cloud_key_name(k, NULL), e[i].name);
		assert_int_equal(cloud_find(r->c, after, n) != NULL,
		    cloud_look(r->c, CLOUD_USER, after + 5, n - 5) != NULL);
	}
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_embedded),
	    cmocka_unit_test(test_one_node),
	    cmocka_unit_test(test_three_nodes),
	    cmocka_unit_test(test_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
