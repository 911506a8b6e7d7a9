/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_zset.c -- sorted sets that stay small. Members are hashed; order is made when
 * it is asked for, not when scores change. Up to 2 * CLOUD_ZSET_MAX are kept, then the
 * better half is: that costs some 20 ns per member that came since the last time, and
 * what was dropped starts anew when it comes again, so its score is a lower bound. One that
 * is offered with all it had (zset_offer()) comes in if it is more than the least.
 *
 * A member with score 0 is not seen: it is of an earlier life of the key, and its node
 * has not got it yet.
 *
 * 40 bytes and two slots of the hash per member, names up to 16 bytes within; 90 KB for
 * a full set of addresses.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEPT (2 * CLOUD_ZSET_MAX)
#define FIRST 16
#define SMALL 16

struct member {
	uint64_t score;
	uint64_t pending; /* the node has not got */
	uint32_t hash;
	uint8_t len;
	bool sent;
	bool drop; /* prune()'s */
	union {
		char small[SMALL];
		char *big; /* owned, LEN > SMALL */
	};
};

struct zset {
	struct member *m; /* owned */
	uint16_t *slot;   /* owned: member number + 1, 0 empty; 2 * CAP of them */
	uint16_t *order;  /* owned: CAP numbers, lowest score first; valid if SORTED */
	unsigned n, cap;  /* CAP a power of two */
	unsigned zeros;   /* members with score 0 */
	unsigned waiting; /* members with something for the node */
	uint64_t floor;	  /* score of the least that stayed when some were dropped */
	bool sorted;
	bool added; /* there may be members below FLOOR */
	uint64_t seed;
	size_t names; /* bytes */
};

static const char *
member_name(const struct member *m)
{
	return m->len > SMALL ? m->big : m->small;
}

/* By score, then by name. */
static int
member_cmp(const struct member *a, const struct member *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int cmp;

	if (a->score != b->score)
		return a->score < b->score ? -1 : 1;
	cmp = memcmp(member_name(a), member_name(b), n);
	return cmp != 0 ? cmp : (int)a->len - (int)b->len;
}

static void
member_free(struct zset *z, struct member *m)
{
	if (m->len > SMALL) {
		z->names -= m->len + MALLOC_HEAD;
		free(m->big);
	}
}

/* Room for CAP members. -1: no memory; nothing has changed. */
static int
resize(struct zset *z, unsigned cap)
{
	struct member *m = realloc(z->m, cap * sizeof(*m));
	uint16_t *slot, *order;

	if (m == NULL)
		return -1;
	z->m = m;
	slot = calloc(2 * (size_t)cap, sizeof(*slot));
	order = malloc(cap * sizeof(*order));
	if (slot == NULL || order == NULL) {
		free(slot);
		free(order);
		return -1;
	}
	free(z->slot);
	free(z->order);
	z->slot = slot;
	z->order = order;
	z->cap = cap;
	z->sorted = false;
	return 0;
}

static void
place(struct zset *z, unsigned i)
{
	uint32_t mask = 2 * z->cap - 1, s = z->m[i].hash & mask;

	while (z->slot[s] != 0)
		s = (s + 1) & mask;
	z->slot[s] = (uint16_t)(i + 1);
}

static void
place_all(struct zset *z)
{
	unsigned i;

	memset(z->slot, 0, 2 * (size_t)z->cap * sizeof(*z->slot));
	for (i = 0; i < z->n; i++)
		place(z, i);
}

struct zset *
zset_new(uint64_t seed)
{
	struct zset *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	z->seed = seed;
	if (resize(z, FIRST) == -1) {
		zset_free(z);
		return NULL;
	}
	return z;
}

void
zset_free(struct zset *z)
{
	unsigned i;

	for (i = 0; i < z->n; i++)
		member_free(z, &z->m[i]);
	free(z->m);
	free(z->slot);
	free(z->order);
	free(z);
}

static uint32_t
member_hash(const struct zset *z, const void *name, size_t len)
{
	return (uint32_t)XXH3_64bits_withSeed(name, len, z->seed);
}

static struct member *
find(const struct zset *z, const void *name, size_t len, uint32_t hash)
{
	uint32_t mask = 2 * z->cap - 1, s;

	for (s = hash & mask; z->slot[s] != 0; s = (s + 1) & mask) {
		struct member *m = &z->m[z->slot[s] - 1];

		if (m->hash == hash && m->len == len &&
		    memcmp(member_name(m), name, len) == 0)
			return m;
	}
	return NULL;
}

/* Take the members marked with DROP out. */
static void
sweep(struct zset *z)
{
	unsigned i, kept = 0;

	for (i = 0; i < z->n; i++) {
		if (!z->m[i].drop) {
			z->m[kept++] = z->m[i];
			continue;
		}
		if (z->m[i].score == 0)
			z->zeros--;
		if (z->m[i].pending != 0)
			z->waiting--;
		member_free(z, &z->m[i]);
	}
	z->n = kept;
	z->sorted = false;
	place_all(z);
}

static void
swap(uint16_t *a, uint16_t *b)
{
	uint16_t t = *a;

	*a = *b;
	*b = t;
}

/*
 * Bring the best KEEP of order[0 .. n - 1] to its front: quickselect; the pivot is any
 * one, so that no order of members is a bad one.
 */
static void
select_best(struct zset *z, unsigned n, unsigned keep)
{
	uint16_t *o = z->order;
	unsigned low = 0, high = n, i, edge;
	uint32_t r = (uint32_t)z->seed | 1;

	while (high - low > 1) {
		r = r * 1664525 + 1013904223;
		swap(&o[low + (r >> 8) % (high - low)], &o[high - 1]);
		for (i = edge = low; i < high - 1; i++)
			if (member_cmp(&z->m[o[i]], &z->m[o[high - 1]]) > 0)
				swap(&o[i], &o[edge++]);
		swap(&o[edge], &o[high - 1]);
		if (edge == keep)
			return;
		if (edge < keep)
			low = edge + 1;
		else
			high = edge;
	}
}

static unsigned
prune(struct zset *z)
{
	unsigned i;

	for (i = 0; i < z->n; i++)
		z->order[i] = (uint16_t)i;
	select_best(z, z->n, CLOUD_ZSET_MAX);
	z->floor = UINT64_MAX;
	for (i = 0; i < CLOUD_ZSET_MAX; i++)
		if (z->m[z->order[i]].score < z->floor)
			z->floor = z->m[z->order[i]].score;
	for (i = 0; i < z->n; i++)
		z->m[z->order[i]].drop = i >= CLOUD_ZSET_MAX;
	i = z->n;
	sweep(z);
	return i - z->n;
}

static struct member *
add_member(struct zset *z, const void *name, size_t len, uint32_t hash)
{
	struct member *m;
	char *big = NULL;

	if (z->n == z->cap) {
		if (resize(z, 2 * z->cap) == -1)
			return NULL;
		place_all(z);
	}
	if (len > SMALL) {
		big = malloc(len);
		if (big == NULL)
			return NULL;
		memcpy(big, name, len);
		z->names += len + MALLOC_HEAD;
	}
	m = &z->m[z->n++];
	memset(m, 0, sizeof(*m));
	m->hash = hash;
	m->len = (uint8_t)len;
	if (big != NULL)
		m->big = big;
	else if (len > 0)
		memcpy(m->small, name, len);
	place(z, z->n - 1);
	z->zeros++;
	return m;
}

size_t
zset_memory(const struct zset *z)
{
	return sizeof(*z) + z->cap * (sizeof(struct member) + 3 * sizeof(uint16_t)) +
	       4 * MALLOC_HEAD + z->names;
}

/* The member NAME, made if need be. NULL: no memory. */
static struct member *
get(struct zset *z, const void *name, size_t len, uint32_t hash, struct zadd *told)
{
	size_t before = zset_memory(z);
	struct member *m;

	if (z->n == KEPT)
		told->dropped = prune(z);
	m = add_member(z, name, len, hash);
	told->bytes = (int64_t)(zset_memory(z) - before);
	return m;
}

/* M has SCORE more, of which the node shall get N. */
static void
raise_member(struct zset *z, struct member *m, uint64_t score, uint64_t n, bool wait,
    struct zadd *told)
{
	if (score == 0)
		return;
	if (m->score == 0)
		z->zeros--;
	m->score += score;
	z->sorted = false;
	if (!wait || n == 0)
		return;
	told->merged = m->pending != 0;
	if (m->pending == 0)
		z->waiting++;
	m->pending += n;
}

int
zset_add(struct zset *z, const void *name, size_t len, uint64_t n, bool wait,
    struct zadd *told)
{
	struct member *m;
	uint32_t hash;

	*told = (struct zadd){.merged = false};
	z->added = true;
	if (len > CLOUD_VALUE_MAX)
		len = CLOUD_VALUE_MAX;
	hash = member_hash(z, name, len);
	m = find(z, name, len, hash);
	if (m == NULL && (m = get(z, name, len, hash, told)) == NULL)
		return -1;
	raise_member(z, m, n, n, wait, told);
	return 0;
}

bool
zset_is_small(const struct zset *z, uint64_t total)
{
	return total <= z->floor && !z->added;
}

int
zset_offer(struct zset *z, const void *name, size_t len, uint64_t total, uint64_t n,
    bool wait, struct zadd *told)
{
	struct member *m;
	uint32_t hash;

	*told = (struct zadd){.merged = false};
	if (len > CLOUD_VALUE_MAX)
		len = CLOUD_VALUE_MAX;
	hash = member_hash(z, name, len);
	m = find(z, name, len, hash);
	if (m != NULL) {
		raise_member(z, m, n, n, wait, told);
		return 0;
	}
	if (total <= z->floor) {
		told->left = true;
		told->dropped = 1;
		return 0;
	}
	if ((m = get(z, name, len, hash, told)) == NULL)
		return -1;
	raise_member(z, m, total, n, wait, told);
	return 0;
}

void
zset_lapse(struct zset *z)
{
	unsigned i;

	z->floor = 0;

	for (i = 0; i < z->n; i++) {
		z->m[i].score = 0;
		z->m[i].drop = z->m[i].pending == 0;
	}
	z->zeros = z->n;
	sweep(z);
}

static unsigned
seen(const struct zset *z)
{
	return z->n - z->zeros;
}

unsigned
zset_shown(const struct zset *z)
{
	return seen(z) < CLOUD_ZSET_MAX ? seen(z) : CLOUD_ZSET_MAX;
}

unsigned
zset_kept(const struct zset *z)
{
	return z->n;
}

unsigned
zset_waiting(const struct zset *z)
{
	return z->waiting;
}

static int
order_cmp(const void *a, const void *b, void *members)
{
	const struct member *m = members;

	return member_cmp(&m[*(const uint16_t *)a], &m[*(const uint16_t *)b]);
}

static void
sort(struct zset *z)
{
	unsigned i, n = 0;

	if (z->sorted)
		return;
	for (i = 0; i < z->n; i++)
		if (z->m[i].score > 0)
			z->order[n++] = (uint16_t)i;
	qsort_r(z->order, n, sizeof(*z->order), order_cmp, z->m);
	z->sorted = true;
}

static void
member_item(const struct member *m, struct cloud_item *item)
{
	item->name = member_name(m);
	item->name_len = m->len;
	item->text = NULL;
	item->len = 0;
	item->number = m->score > INT64_MAX ? INT64_MAX : (int64_t)m->score;
}

void
zset_at(struct zset *z, unsigned i, struct cloud_item *item)
{
	sort(z);
	member_item(&z->m[z->order[seen(z) - zset_shown(z) + i]], item);
}

bool
zset_get(struct zset *z, const char *name, size_t len, struct cloud_item *item)
{
	const struct member *m = find(z, name, len, member_hash(z, name, len));

	if (m == NULL || m->score == 0)
		return false;
	sort(z);
	if (member_cmp(m, &z->m[z->order[seen(z) - zset_shown(z)]]) < 0)
		return false; /* kept, but not among those shown */
	member_item(m, item);
	return true;
}

bool
zset_each(const struct zset *z, unsigned i, struct cloud_item *item)
{
	member_item(&z->m[i], item);
	return z->m[i].score > 0;
}

unsigned
zset_take(struct zset *z, struct cloud_op *op, cloud_op_cb *cb, void *arg, bool *fresh)
{
	unsigned i, n = 0;

	op->kind = CLOUD_OP_ZINCRBY;
	*fresh = false;
	for (i = 0; i < z->n; i++) {
		struct member *m = &z->m[i];

		m->drop = m->score == 0;
		if (m->pending == 0)
			continue;
		op->field = member_name(m);
		op->field_len = m->len;
		op->number = m->pending > INT64_MAX ? INT64_MAX : (int64_t)m->pending;
		cb(arg, op);
		n++;
		if (!m->sent)
			*fresh = true;
		m->sent = true;
		m->pending = 0;
	}
	z->waiting = 0;
	if (z->zeros > 0)
		sweep(z);
	return n;
}
