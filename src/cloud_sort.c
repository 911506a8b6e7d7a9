/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_sort.c -- what the ordered index and the top lists have not got yet.
 *
 * A walk down the index is a miss per level. New keys wait for the clock's next tick or
 * the next question, and come sorted: one after another goes nearly the same way, which
 * is in the cache then.
 *
 * A key counts for itself what it had in the minute. Once a second, and before anybody
 * asks, its figure is offered to the top lists of its tree: one operation a second instead
 * of one per flow, and a key that was too small for the list comes with all it had in the
 * minute once it has grown, not from 0.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 8 /* keys that are fetched before they are looked at */

static int
name_cmp(const void *pa, const void *pb)
{
	const struct cloud_key *a = *(struct cloud_key *const *)pa,
			       *b = *(struct cloud_key *const *)pb;
	size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int cmp = memcmp(key_name(a), key_name(b), n);

	return cmp != 0 ? cmp : (int)a->name_len - (int)b->name_len;
}

static void
index_key(struct cloud *c, struct cloud_key *k)
{
	if (!(k->flags & KEY_SHOWN) || index_insert(&c->index, k) == 0)
		return;
	/* another tree has a key of that name: it stays unseen */
	k->flags |= KEY_UNSORTED;
	key_hide(c, k);
	k->flags &= (uint8_t)~KEY_UNSORTED;
}

void
sort_keys(struct cloud *c)
{
	struct cloud_key *list = c->unsorted, *k, *next, **v;
	size_t n = 0, i;

	if (list == NULL)
		return;
	c->unsorted = NULL;
	for (k = list; k != NULL; k = (struct cloud_key *)k->child[0])
		n++;
	v = n > 1 ? malloc(n * sizeof(struct cloud_key *)) : NULL;
	for (k = list, i = 0; k != NULL; k = next, i++) {
		next = (struct cloud_key *)k->child[0];
		k->flags &= (uint8_t)~KEY_UNSORTED;
		if (v != NULL)
			v[i] = k;
		else
			index_key(c, k);
	}
	if (v == NULL)
		return;
	qsort(v, n, sizeof(struct cloud_key *), name_cmp);
	for (i = 0; i < n; i++)
		index_key(c, v[i]);
	free(v);
}

/*
 * Top lists
 */

/* Bring the lists of K's tree up to date with it. */
static void
offer(struct cloud *c, struct cloud_key *k)
{
	struct key_top *t = key_top(k);
	const char *member = key_name(k) + k->tree->prefix_len;
	size_t len = k->name_len - k->tree->prefix_len;
	unsigned i;

	for (i = 0; i < k->tree->ntops; i++) {
		if (t->fresh[i] == 0)
			continue;
		top_offer(c, top_key(c, k->tree->top[i], t->minute), member, len,
		    t->n[i], t->fresh[i]);
		t->fresh[i] = 0;
	}
}

static bool
more_behind(struct cloud *c)
{
	size_t cap = c->behind_cap > 0 ? 2 * c->behind_cap : 1024;
	struct cloud_key **v = realloc(c->behind, cap * sizeof(*v));

	if (v == NULL)
		return false;
	c->memory += (cap - c->behind_cap) * sizeof(*v);
	c->behind = v;
	c->behind_cap = cap;
	return true;
}

void
top_count(struct cloud *c, struct cloud_key *k, const uint64_t n[2], uint64_t minute)
{
	struct key_top *t = key_top(k);
	unsigned i;

	if (k->tree->ntops == 0 || (n[0] | n[1]) == 0)
		return;
	if (t->minute != minute) {
		if (k->flags & KEY_TOP)
			offer(c, k);
		t->minute = minute;
		t->n[0] = t->n[1] = 0;
	}
	for (i = 0; i < 2; i++) {
		t->n[i] += n[i];
		t->fresh[i] += n[i];
	}
	if (k->flags & KEY_TOP)
		return;
	if (c->nbehind == c->behind_cap && !more_behind(c)) {
		offer(c, k);
		return;
	}
	k->flags |= KEY_TOP;
	c->behind[c->nbehind++] = k;
}

void
sort_tops(struct cloud *c)
{
	struct cloud_key *k;
	size_t i, n = c->nbehind;

	c->topped_ms = c->now_ms;
	for (i = 0; i < n; i++) { /* nothing is counted meanwhile */
		if (i + AHEAD < n) {
			k = c->behind[i + AHEAD];
			__builtin_prefetch(key_top(k), 1);
			__builtin_prefetch(k->bytes);
			__builtin_prefetch(k, 1);
		}
		k = c->behind[i];
		k->flags &= (uint8_t)~KEY_TOP;
		offer(c, k);
	}
	c->nbehind = 0;
}
