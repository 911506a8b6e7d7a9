/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader_cache.c -- lookups by key and field: O(1) but for fields of one key, which
 * share a chain, so that forgetting a key finds them all. Hashes are seeded: keys hold
 * bytes from the wire.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/util.h>
#include <xxhash.h>

#include "reader_int.h"

#define BUCKETS	   65536 /* a power of two; 512 KB */
#define FOUND_MS   60000
#define MISSING_MS 5000

int
cache_init(struct reader_cache *c)
{
	c->bucket = calloc(BUCKETS, sizeof(*c->bucket));
	if (c->bucket == NULL)
		return -1;
	TAILQ_INIT(&c->lru);
	c->known = 0;
	evutil_secure_rng_get_bytes(&c->seed, sizeof(c->seed));
	return 0;
}

void
lookup_put(struct lookup *l)
{
	if (--l->refs > 0)
		return;
	free(l->value);
	free(l);
}

/* Out of the table; it may be gone after this. */
static void
unlist(struct reader_cache *c, struct lookup *l)
{
	LIST_REMOVE(l, chain);
	l->listed = false;
	if (!l->under_way) {
		TAILQ_REMOVE(&c->lru, l, lru);
		c->known--;
	}
	lookup_put(l);
}

void
cache_clear(struct reader_cache *c)
{
	struct lookup *l;

	if (c->bucket == NULL)
		return;
	while ((l = TAILQ_FIRST(&c->lru)) != NULL)
		unlist(c, l);
	free(c->bucket);
	c->bucket = NULL;
}

static uint64_t
hash_of(const struct reader_cache *c, const char *key, size_t len)
{
	return XXH3_64bits_withSeed(key, len, c->seed);
}

static bool
has_key(const struct lookup *l, uint64_t hash, const char *key, size_t len)
{
	return l->hash == hash && l->key_len == len && memcmp(l->key, key, len) == 0;
}

static bool
has_field(const struct lookup *l, const char *field)
{
	if (l->field == NULL || field == NULL)
		return l->field == field;
	return strcmp(l->field, field) == 0;
}

struct lookup *
cache_find(struct reader_cache *c, const char *key, const char *field, uint64_t now_ms)
{
	size_t len = strlen(key);
	uint64_t hash = hash_of(c, key, len);
	struct lookup *l;

	LIST_FOREACH(l, &c->bucket[hash & (BUCKETS - 1)], chain)
		if (has_key(l, hash, key, len) && has_field(l, field))
			break;
	if (l == NULL || l->under_way)
		return l;
	if (now_ms >= l->expires_ms) {
		unlist(c, l);
		return NULL;
	}
	TAILQ_REMOVE(&c->lru, l, lru);
	TAILQ_INSERT_TAIL(&c->lru, l, lru);
	return l;
}

struct lookup *
cache_add(struct reader_cache *c, const char *key, const char *field)
{
	size_t key_len = strlen(key), field_len = field != NULL ? strlen(field) : 0;
	struct lookup *l = calloc(1, sizeof(*l) + key_len + field_len + 2);

	if (l == NULL)
		return NULL;
	memcpy(l->text, key, key_len + 1);
	l->key = l->text;
	l->key_len = key_len;
	if (field != NULL) {
		memcpy(l->text + key_len + 1, field, field_len + 1);
		l->field = l->text + key_len + 1;
		l->field_len = field_len;
	}
	l->hash = hash_of(c, key, key_len);
	l->under_way = l->listed = true;
	l->refs = 2;
	TAILQ_INIT(&l->waiters);
	LIST_INSERT_HEAD(&c->bucket[l->hash & (BUCKETS - 1)], l, chain);
	return l;
}

void
cache_settle(struct reader_cache *c, struct lookup *l, uint64_t now_ms)
{
	if (l->listed && l->result == LOOKUP_UNKNOWN)
		unlist(c, l);
	l->under_way = false;
	if (l->listed) {
		l->expires_ms =
		    now_ms + (l->result == LOOKUP_FOUND ? FOUND_MS : MISSING_MS);
		TAILQ_INSERT_TAIL(&c->lru, l, lru);
		if (++c->known > READER_CACHE_MAX)
			unlist(c, TAILQ_FIRST(&c->lru));
	}
	lookup_put(l);
}

void
cache_forget(struct reader_cache *c, const char *key)
{
	size_t len = strlen(key);
	uint64_t hash = hash_of(c, key, len);
	struct lookup *l, *next;

	for (l = LIST_FIRST(&c->bucket[hash & (BUCKETS - 1)]); l != NULL; l = next) {
		next = LIST_NEXT(l, chain);
		if (has_key(l, hash, key, len))
			unlist(c, l);
	}
}
