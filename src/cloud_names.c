/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_names.c -- names of fields, each kept once while any field has it. Fields refer
 * to them by number, so that finding a field compares numbers. Bounded by the fields
 * there are; finding a name costs its hash.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST 256

static const char *const builtin[NAME_BUILTINS] = {
    [NAME_BYTES_SENT] = "bytesSent",
    [NAME_BYTES_RCVD] = "bytesRcvd",
    [NAME_PKTS_SENT] = "pktsSent",
    [NAME_PKTS_RCVD] = "pktsRcvd",
    [NAME_FLOWS_CLIENT] = "flowsClient",
    [NAME_FLOWS_SERVER] = "flowsServer",
    [NAME_FIRST_SEEN] = "firstSeen",
    [NAME_LAST_SEEN] = "lastSeen",
    [NAME_MAC] = "mac",
    [NAME_BYTES] = "bytes",
    [NAME_PKTS] = "pkts",
    [NAME_FLOWS] = "flows",
    [NAME_STRING] = "",
    [NAME_CONDITION] = "=",
};

int
names_init(struct names *t, uint64_t seed)
{
	uint32_t id, i;

	memset(t, 0, sizeof(*t));
	t->seed = seed;
	t->cap = FIRST;
	t->mask = FIRST - 1;
	t->n = 1; /* 0 is none */
	t->v = calloc(FIRST, sizeof(struct name_entry *));
	t->spare = calloc(FIRST, sizeof(uint32_t));
	t->bucket = calloc(FIRST, sizeof(uint32_t));
	if (t->v == NULL || t->spare == NULL || t->bucket == NULL)
		return -1;
	for (i = 1; i < NAME_BUILTINS; i++) {
		id = names_get(t, builtin[i], strlen(builtin[i]));
		if (id == 0)
			return -1;
		names_keep(t, id);
	}
	return 0;
}

void
names_clear(struct names *t)
{
	uint32_t i;

	for (i = 1; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
	free(t->spare);
	free(t->bucket);
	memset(t, 0, sizeof(*t));
}

static uint32_t
name_hash(const struct names *t, const char *text, size_t len)
{
	return (uint32_t)XXH3_64bits_withSeed(text, len, t->seed);
}

static uint32_t
lookup(const struct names *t, const char *text, size_t len, uint32_t hash)
{
	const struct name_entry *e;
	uint32_t id;

	for (id = t->bucket[hash & t->mask]; id != 0; id = e->next) {
		e = t->v[id];
		if (e->hash == hash && e->len == len && memcmp(e->text, text, len) == 0)
			return id;
	}
	return 0;
}

uint32_t
names_find(const struct names *t, const char *text, size_t len)
{
	return lookup(t, text, len, name_hash(t, text, len));
}

/* Twice the room. -1: no memory; what there was stays as it is. */
static int
grow(struct names *t)
{
	uint32_t cap = 2 * t->cap, id, *bucket;
	struct name_entry **v;
	void *p;

	if (cap > NAME_IDS)
		return -1;
	v = realloc(t->v, cap * sizeof(struct name_entry *));
	if (v == NULL)
		return -1;
	t->v = v;
	p = realloc(t->spare, cap * sizeof(uint32_t));
	if (p == NULL)
		return -1;
	t->spare = p;
	bucket = calloc(cap, sizeof(*bucket));
	if (bucket == NULL)
		return -1;
	free(t->bucket);
	t->bucket = bucket;
	t->cap = cap;
	t->mask = cap - 1;
	for (id = 1; id < t->n; id++)
		if (v[id] != NULL) {
			v[id]->next = bucket[v[id]->hash & t->mask];
			bucket[v[id]->hash & t->mask] = id;
		}
	return 0;
}

uint32_t
names_get(struct names *t, const char *text, size_t len)
{
	uint32_t hash = name_hash(t, text, len), id = lookup(t, text, len, hash);
	struct name_entry *e;

	if (id != 0 || len > NAME_LEN)
		return id;
	if (t->nspare == 0 && t->n == t->cap && grow(t) == -1)
		return 0;
	e = malloc(sizeof(*e) + len + 1);
	if (e == NULL)
		return 0;
	e->refs = 0;
	e->hash = hash;
	e->len = (uint8_t)len;
	memcpy(e->text, text, len);
	e->text[len] = '\0';
	id = t->nspare > 0 ? t->spare[--t->nspare] : t->n++;
	t->v[id] = e;
	e->next = t->bucket[hash & t->mask];
	t->bucket[hash & t->mask] = id;
	t->count++;
	t->memory += sizeof(*e) + len + 1 + MALLOC_HEAD;
	return id;
}

static void
name_free(struct names *t, uint32_t id)
{
	struct name_entry *e = t->v[id];
	uint32_t *at = &t->bucket[e->hash & t->mask];

	while (*at != id)
		at = &t->v[*at]->next;
	*at = e->next;
	t->memory -= sizeof(*e) + e->len + 1u + MALLOC_HEAD;
	t->v[id] = NULL;
	t->spare[t->nspare++] = id;
	t->count--;
	free(e);
}

void
names_hold(struct names *t, uint32_t id)
{
	if (t->v[id]->refs != NAME_KEEP)
		t->v[id]->refs++;
}

void
names_keep(struct names *t, uint32_t id)
{
	t->v[id]->refs = NAME_KEEP;
}

void
names_drop(struct names *t, uint32_t id)
{
	if (t->v[id]->refs != NAME_KEEP && --t->v[id]->refs == 0)
		name_free(t, id);
}

void
names_settle(struct names *t, uint32_t id)
{
	if (t->v[id]->refs == 0)
		name_free(t, id);
}

const char *
names_text(const struct names *t, uint32_t id, size_t *len)
{
	*len = t->v[id]->len;
	return t->v[id]->text;
}
