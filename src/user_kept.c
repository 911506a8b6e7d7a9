/* SPDX-License-Identifier: BSD-3-Clause */
/* user_kept.c -- users found for connections that go on: a table of chains, seeded. */
#include "user_int.h"

#include <stdlib.h>
#include <string.h>

#include "flowkey.h"

#define BUCKETS_LEAST 1024
#define BUCKETS_MOST  (1 << 20) /* 8 MB, taken as used */

int
kept_init(struct kept_table *t, unsigned max, uint64_t seed)
{
	size_t n = BUCKETS_LEAST;

	while (n < max && n < BUCKETS_MOST)
		n *= 2;
	t->bucket = calloc(n, sizeof(*t->bucket));
	if (t->bucket == NULL)
		return -1;
	TAILQ_INIT(&t->lru);
	t->mask = n - 1;
	t->seed = seed;
	t->max = max;
	return 0;
}

static void
forget(struct kept_table *t, struct kept *k)
{
	LIST_REMOVE(k, chain);
	TAILQ_REMOVE(&t->lru, k, lru);
	t->n--;
	free(k->name[0]);
	free(k->name[1]);
	free(k);
}

void
kept_clear(struct kept_table *t)
{
	struct kept *k;

	if (t->bucket == NULL)
		return;
	while ((k = TAILQ_FIRST(&t->lru)) != NULL)
		forget(t, k);
	free(t->bucket);
	t->bucket = NULL;
}

static struct kept_chain *
chain_of(const struct kept_table *t, const struct flowkey *key)
{
	return &t->bucket[flowkey_hash(key, t->seed) & t->mask];
}

static struct kept *
look(const struct kept_table *t, const struct flowkey *key)
{
	struct kept *k;

	LIST_FOREACH(k, chain_of(t, key), chain)
		if (memcmp(&k->key, key, sizeof(*key)) == 0)
			break;
	return k;
}

struct kept *
kept_find(struct kept_table *t, const struct flowkey *key, uint64_t serial)
{
	struct kept *k = t->n > 0 ? look(t, key) : NULL;

	if (k == NULL || (serial != 0 && k->serial != serial))
		return NULL;
	TAILQ_REMOVE(&t->lru, k, lru);
	TAILQ_INSERT_TAIL(&t->lru, k, lru);
	return k;
}

void
kept_put(struct kept_table *t, const struct flowkey *key, uint64_t serial,
    const char *const name[2])
{
	struct kept *k = look(t, key);
	unsigned i;
	char *copy;

	if (k != NULL && k->serial != serial) {
		forget(t, k); /* an earlier connection's */
		k = NULL;
	}
	if (k == NULL) {
		if ((name[0] == NULL && name[1] == NULL) ||
		    (k = calloc(1, sizeof(*k))) == NULL)
			return;
		k->key = *key;
		k->serial = serial;
		LIST_INSERT_HEAD(chain_of(t, key), k, chain);
		TAILQ_INSERT_TAIL(&t->lru, k, lru);
		if (++t->n > t->max)
			forget(t, TAILQ_FIRST(&t->lru));
	}
	for (i = 0; i < 2; i++) {
		if (name[i] == NULL || name[i] == k->name[i] ||
		    (k->name[i] != NULL && strcmp(k->name[i], name[i]) == 0) ||
		    (copy = strdup(name[i])) == NULL)
			continue;
		free(k->name[i]);
		k->name[i] = copy;
	}
}

void
kept_drop(struct kept_table *t, const struct flowkey *key, uint64_t serial)
{
	struct kept *k = t->n > 0 ? look(t, key) : NULL;

	if (k != NULL && k->serial == serial)
		forget(t, k);
}
