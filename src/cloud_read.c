/* SPDX-License-Identifier: BSD-3-Clause */
/* cloud_read.c -- questions to the key tree. Nothing here changes a key. */
#include "cloud_int.h"

#include <string.h>

#define ANY_BUCKETS 1024 /* looked at for any key before the first is taken */

const struct cloud_key *
cloud_find(const struct cloud *c, const char *name, size_t len)
{
	const struct cloud_key *k;

	settle_all(c);
	k = index_find(c->index, name, len);
	return k != NULL && key_seen(c, k) ? k : NULL;
}

/* Does A sort after B, or begin with it? */
static bool
not_before(const char *a, size_t alen, const char *b, size_t blen)
{
	int cmp = memcmp(a, b, alen < blen ? alen : blen);

	return cmp > 0 || (cmp == 0 && alen >= blen);
}

const struct cloud_key *
cloud_next(const struct cloud *c, const char *prefix, size_t prefix_len,
    const char *after, size_t after_len)
{
	const struct cloud_key *k;

	settle_all(c);
	if (after != NULL && not_before(after, after_len, prefix, prefix_len))
		k = index_next(c->index, after, after_len, true);
	else
		k = index_next(c->index, prefix, prefix_len, false);
	while (k != NULL) {
		if (k->name_len < prefix_len ||
		    memcmp(key_name(k), prefix, prefix_len) != 0)
			return NULL;
		if (key_seen(c, k))
			return k;
		k = index_next(c->index, key_name(k), k->name_len, true);
	}
	return NULL;
}

const struct cloud_key *
cloud_any(const struct cloud *c, uint64_t random)
{
	const struct cloud_key *k, *found = NULL;
	uint32_t b, n = 0, i;

	settle_all(c);
	b = (uint32_t)(random % c->table.n);
	random /= c->table.n;
	for (i = 0; i < ANY_BUCKETS && found == NULL; i++, b++) {
		if (b == c->table.n)
			b = 0;
		for (k = c->table.bucket[b]; k != NULL; k = k->chain)
			if (key_seen(c, k) && random % ++n == 0)
				found = k;
	}
	return found != NULL ? found : cloud_next(c, "", 0, NULL, 0);
}

const char *
cloud_key_name(const struct cloud_key *k, size_t *len)
{
	if (len != NULL)
		*len = k->name_len;
	return key_name(k);
}

enum cloud_type
cloud_key_type(const struct cloud_key *k)
{
	return k->tree->def.type;
}

int64_t
cloud_key_ttl(const struct cloud *c, const struct cloud_key *k)
{
	if (k->expire_ms == 0)
		return -1;
	return k->expire_ms > c->now_ms ? (int64_t)(k->expire_ms - c->now_ms) : 0;
}

uint64_t
cloud_key_idle(const struct cloud *c, const struct cloud_key *k)
{
	return c->now_ms - k->changed_ms;
}

size_t
cloud_key_memory(const struct cloud_key *k)
{
	size_t bytes = key_size(k->tree, k->id_len, k->name_len);
	unsigned i;

	if (k->tree->def.type == CLOUD_ZSET)
		return bytes + (k->z != NULL ? zset_memory(k->z) : 0);
	if (k->v != NULL && k->v != key_values((struct cloud_key *)(uintptr_t)k))
		bytes += k->cap * sizeof(struct value) + MALLOC_HEAD;
	for (i = 0; i < k->n; i++)
		if (k->v[i].kind == VALUE_TEXT && k->v[i].big)
			bytes += k->v[i].len + MALLOC_HEAD;
	return bytes;
}

static void
value_item(const struct cloud_key *k, const struct value *v, struct cloud_item *item)
{
	memset(item, 0, sizeof(*item));
	item->name = names_text(&k->tree->cloud->names, v->name, &item->name_len);
	if (v->kind == VALUE_TEXT)
		item->text = value_string(v, &item->len);
	else
		item->number = v->number;
}

void
cloud_key_string(const struct cloud_key *k, struct cloud_item *item)
{
	const struct value *v = NULL;

	if (k->tree->def.type == CLOUD_STRING)
		v = value_find((struct cloud_key *)k, NAME_STRING);
	if (v != NULL && !v->gone)
		value_item(k, v, item);
	else
		*item = (struct cloud_item){.name = "", .text = ""};
}

unsigned
cloud_key_count(const struct cloud_key *k)
{
	switch (k->tree->def.type) {
	case CLOUD_HASH:
		return (unsigned)k->n - k->gone;
	case CLOUD_ZSET:
		return k->z != NULL ? zset_shown(k->z) : 0;
	case CLOUD_STRING:
		break;
	}
	return 0;
}

void
cloud_key_at(const struct cloud_key *k, unsigned i, struct cloud_item *item)
{
	const struct value *v;

	if (k->tree->def.type == CLOUD_ZSET) {
		zset_at(k->z, i, item);
		return;
	}
	v = k->v + (k->gone == 0 ? i : 0);
	if (k->gone > 0)
		for (;; v++)
			if (!v->gone && i-- == 0)
				break;
	value_item(k, v, item);
}

bool
cloud_key_get(
    const struct cloud_key *k, const char *name, size_t len, struct cloud_item *item)
{
	const struct value *v;
	uint32_t id;

	if (k->tree->def.type == CLOUD_ZSET)
		return k->z != NULL && zset_get(k->z, name, len, item);
	if (k->tree->def.type != CLOUD_HASH)
		return false;
	id = names_find(&k->tree->cloud->names, name, len);
	v = id != 0 ? value_find((struct cloud_key *)k, id) : NULL;
	if (v == NULL || v->gone)
		return false;
	value_item(k, v, item);
	return true;
}

uint64_t
cloud_count(const struct cloud *c)
{
	settle_all(c);
	return c->seen;
}

size_t
cloud_memory(const struct cloud *c)
{
	return sizeof(*c) + c->memory + c->table.cap * sizeof(struct cloud_key *) +
	       c->names.memory + c->names.cap * (sizeof(void *) + 2 * sizeof(uint32_t));
}

unsigned
cloud_trees(const struct cloud *c)
{
	return c->ntrees;
}

const struct cloud_tree *
cloud_tree_of(const struct cloud *c, unsigned tree, uint64_t *keys)
{
	if (keys != NULL)
		*keys = c->tree[tree].seen;
	return &c->tree[tree].def;
}
