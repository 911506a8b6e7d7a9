/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_table.c -- keys by tree and id. Linear hashing: with each key two buckets are
 * split, so that no insert ever waits for the whole table to
 * be moved (only the array of heads is copied when it doubles). A look-up reads the
 * head of a chain and the first line of, on average, one and a quarter keys.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST 1024

int
table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	t->bucket = calloc(FIRST, sizeof(struct cloud_key *));
	if (t->bucket == NULL)
		return -1;
	t->n = t->cap = t->level = FIRST;
	return 0;
}

void
table_clear(struct table *t)
{
	free(t->bucket);
	t->bucket = NULL;
}

/* Of a length the compiler knows it is a dozen instructions. */
uint32_t
table_hash(const struct tree *t, const void *id, size_t len)
{
	switch (len) {
	case 16:
		return (uint32_t)XXH3_64bits_withSeed(id, 16, t->seed);
	case 6:
		return (uint32_t)XXH3_64bits_withSeed(id, 6, t->seed);
	case 2:
		return (uint32_t)XXH3_64bits_withSeed(id, 2, t->seed);
	}
	return (uint32_t)XXH3_64bits_withSeed(id, len, t->seed);
}

static struct cloud_key **
bucket_of(const struct table *t, uint32_t hash)
{
	uint32_t b = hash & (2 * t->level - 1);

	return &t->bucket[b < t->n ? b : b - t->level];
}

void
table_fetch(const struct table *t, uint32_t hash)
{
	__builtin_prefetch(bucket_of(t, hash));
}

struct cloud_key *
table_first(const struct table *t, uint32_t hash)
{
	return *bucket_of(t, hash);
}

static const char *
key_id(const struct cloud_key *k, size_t *len)
{
	if (k->tree->id != ID_TEXT) {
		*len = k->id_len;
		return k->bytes;
	}
	*len = k->name_len - k->tree->prefix_len;
	return k->bytes + k->tree->prefix_len;
}

bool
key_is(const struct cloud_key *k, const struct tree *t, const void *id, size_t len)
{
	const char *own;
	size_t n;

	if (k->tree != t)
		return false;
	own = key_id(k, &n);
	return n == len && (len == 16 ? memcmp(own, id, 16) : memcmp(own, id, len)) == 0;
}

struct cloud_key *
table_find(const struct table *t, const struct tree *tree, const void *id, size_t len,
    uint32_t hash)
{
	struct cloud_key *k;

	for (k = *bucket_of(t, hash); k != NULL; k = k->chain)
		if (k->hash == hash && key_is(k, tree, id, len))
			return k;
	return NULL;
}

/* One bucket more: what belongs there leaves the one it shared until now. False: no room. */
static bool
split(struct table *t)
{
	struct cloud_key **from, **to, **grown, *k;

	if (t->n == t->cap) {
		if (t->cap > UINT32_MAX / 4)
			return false;
		grown = realloc(t->bucket, 2 * (size_t)t->cap * sizeof(*grown));
		if (grown == NULL)
			return false;
		t->bucket = grown;
		t->cap *= 2;
	}
	from = &t->bucket[t->n - t->level];
	to = &t->bucket[t->n++];
	*to = NULL;
	while ((k = *from) != NULL) {
		if (k->hash & t->level) {
			*from = k->chain;
			k->chain = *to;
			*to = k;
		} else
			from = &k->chain;
	}
	if (t->n == 2 * t->level)
		t->level = t->n;
	return true;
}

void
table_insert(struct table *t, struct cloud_key *k)
{
	struct cloud_key **head;

	/* two buckets for a key: the second key of a chain is a miss nobody fetched */
	t->count++;
	while (2 * (uint64_t)t->count > t->n && split(t))
		continue;
	head = bucket_of(t, k->hash);
	k->chain = *head;
	*head = k;
}

void
table_remove(struct table *t, struct cloud_key *k)
{
	struct cloud_key **at = bucket_of(t, k->hash);

	while (*at != k) {
		if (*at == NULL)
			abort(); /* a key alive is always in the table */
		at = &(*at)->chain;
	}
	*at = k->chain;
	t->count--;
}
