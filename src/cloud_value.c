/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_value.c -- fields of a hash, in the order they came, and the string of a string
 * key, which is kept as a field of its own. Found by going through them: a key has some
 * ten, CLOUD_FIELDS_MAX at most.
 *
 * What waits for the node: a counter's PENDING, which is added there; for all else, and
 * for a counter that was set in between, SET: the whole value goes. DEL comes before
 * both. A field that is not seen but still waits is GONE.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

static void
no_room(struct cloud *c)
{
	counter_inc(c->counters, COUNTER_CLOUD_NO_ROOM);
}

int
values_room(struct cloud *c, struct cloud_key *k, unsigned n)
{
	struct value *v;

	if (n <= k->cap)
		return 0;
	if (k->v == NULL && n <= k->tree->room) {
		k->v = key_values(k); /* they are in the key */
		k->cap = k->tree->room;
		return 0;
	}
	if (k->v == NULL || k->v == key_values(k)) {
		v = malloc(n * sizeof(*v));
		if (v == NULL)
			return -1;
		if (k->n > 0)
			memcpy(v, k->v, k->n * sizeof(*v));
		c->memory += n * sizeof(*v) + MALLOC_HEAD;
	} else {
		v = realloc(k->v, n * sizeof(*v));
		if (v == NULL)
			return -1;
		c->memory += (n - k->cap) * sizeof(*v);
	}
	k->v = v;
	k->cap = (uint16_t)n;
	return 0;
}

int
values_place(struct cloud *c, struct cloud_key *k)
{
	const struct tree *t = k->tree;
	unsigned i;

	if (k->n > 0)
		return k->n >= t->placed ? 0 : -1;
	if (values_room(c, k, t->placed) == -1)
		return -1;
	memset(k->v, 0, t->placed * sizeof(*k->v));
	for (i = 0; i < t->placed; i++) {
		names_hold(&c->names, t->known[i]);
		k->v[i].name = t->known[i] & (NAME_IDS - 1);
		k->v[i].gone = 1;
	}
	k->n = k->gone = t->placed;
	return 0;
}

struct value *
value_find(struct cloud_key *k, uint32_t name)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		if (k->v[i].name == name)
			return &k->v[i];
	return NULL;
}

struct value *
value_get(struct cloud *c, struct cloud_key *k, uint32_t name)
{
	struct value *v = value_find(k, name);
	unsigned n;

	if (v != NULL)
		return v;
	n = k->cap + k->cap / 2u + 1; /* of ten fields five more: plugins add some */
	if (n > CLOUD_FIELDS_MAX)
		n = CLOUD_FIELDS_MAX;
	if (k->n == CLOUD_FIELDS_MAX ||
	    (k->n == k->cap && values_room(c, k, n) == -1)) {
		no_room(c);
		return NULL;
	}
	v = &k->v[k->n++];
	memset(v, 0, sizeof(*v));
	names_hold(&c->names, name);
	v->name = name & (NAME_IDS - 1);
	v->gone = 1;
	k->gone++;
	return v;
}

/* Its text, if it has one, goes: V is the number 0, without anything for the node. */
static void
value_blank(struct cloud *c, struct value *v)
{
	if (v->kind == VALUE_TEXT && v->big) {
		c->memory -= v->len + MALLOC_HEAD;
		free(v->text);
	}
	v->kind = VALUE_COUNTER;
	v->big = 0;
	v->set = 0;
	v->unused = 0;
	v->number = v->pending = 0;
}

static void
value_free(struct cloud *c, struct cloud_key *k, struct value *v)
{
	value_blank(c, v);
	if (v->gone)
		k->gone--;
	names_drop(&c->names, v->name);
}

/* V keeps its place, and nothing else. */
static void
value_empty(struct cloud *c, struct cloud_key *k, struct value *v)
{
	value_blank(c, v);
	if (!v->gone)
		k->gone++;
	v->gone = 1;
	v->del = v->sent = 0;
}

static bool
is_placed(const struct cloud_key *k, const struct value *v)
{
	return v - k->v < k->tree->placed;
}

void
value_remove(struct cloud *c, struct cloud_key *k, struct value *v)
{
	if (is_placed(k, v)) {
		value_empty(c, k, v);
		return;
	}
	value_free(c, k, v);
	k->n--;
	memmove(v, v + 1, (size_t)(k->v + k->n - v) * sizeof(*v));
}

void
values_clear(struct cloud *c, struct cloud_key *k)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		value_free(c, k, &k->v[i]);
	if (k->v != NULL && k->v != key_values(k)) {
		c->memory -= k->cap * sizeof(struct value) + MALLOC_HEAD;
		free(k->v);
	}
	k->v = NULL;
	k->n = k->cap = 0;
}

bool
value_waits(const struct value *v)
{
	return v->set || v->del || (v->kind != VALUE_TEXT && v->pending != 0);
}

static void
value_hide(struct cloud_key *k, struct value *v)
{
	if (!v->gone)
		k->gone++;
	v->gone = 1;
}

void
values_sweep(struct cloud *c, struct cloud_key *k)
{
	unsigned i, kept = 0;

	for (i = 0; i < k->n; i++) {
		struct value *v = &k->v[i];

		if (!v->gone || value_waits(v))
			;
		else if (is_placed(k, v))
			value_empty(c, k, v);
		else {
			value_free(c, k, v);
			continue;
		}
		if (kept != i)
			k->v[kept] = *v;
		kept++;
	}
	k->n = (uint16_t)kept;
}

void
values_lapse(struct cloud *c, struct cloud_key *k)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		value_hide(k, &k->v[i]);
	values_sweep(c, k);
}

void
value_show(struct cloud_key *k, struct value *v)
{
	if (!v->gone)
		return;
	v->gone = 0;
	k->gone--;
	if (v->kind == VALUE_COUNTER)
		v->number = 0; /* what waits is of an earlier life */
}

/* V has something for the node from now on. */
static inline void
value_wait(struct cloud *c, struct cloud_key *k, const struct value *v)
{
	if (v->set || (v->kind != VALUE_TEXT && v->pending != 0))
		counter_inc(c->counters, COUNTER_CLOUD_MERGED);
	key_queue(c, k);
}

void
value_add(struct cloud *c, struct cloud_key *k, struct value *v, int64_t n)
{
	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	if (v->kind == VALUE_TEXT) {
		if (!v->gone) {
			no_room(c);
			return;
		}
		value_blank(c, v);
		v->del = 1;
	}
	value_show(k, v);
	v->number = (int64_t)((uint64_t)v->number + (uint64_t)n);
	if (n == 0 || k->node == NO_NODE)
		return;
	value_wait(c, k, v);
	if (!v->set)
		v->pending = (int64_t)((uint64_t)v->pending + (uint64_t)n);
}

/* The node shall have V's value as it is now. */
static void
value_set(struct cloud *c, struct cloud_key *k, struct value *v)
{
	if (k->node == NO_NODE)
		return;
	value_wait(c, k, v);
	v->set = 1;
	if (v->kind != VALUE_TEXT)
		v->pending = 0;
	if (v->kind != VALUE_MIN)
		v->del = 0; /* is overwritten anyway */
}

void
value_number(struct cloud *c, struct cloud_key *k, struct value *v,
    enum value_kind kind, uint64_t n)
{
	int64_t number = n > INT64_MAX ? INT64_MAX : (int64_t)n;
	/* of an earlier life, but the node will see it: still the least, the largest */
	bool known = !v->gone || (v->set && v->kind == kind);

	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	if (known && v->kind != VALUE_TEXT &&
	    ((kind == VALUE_MIN && number >= v->number) ||
		(kind == VALUE_MAX && number <= v->number))) {
		value_show(k, v);
		return;
	}
	if (!v->gone && v->kind == kind && v->number == number)
		return;
	if (v->kind == VALUE_TEXT) {
		if (v->set && k->node != NO_NODE)
			counter_inc(c->counters, COUNTER_CLOUD_MERGED);
		value_blank(c, v);
	}
	value_show(k, v);
	v->number = number;
	v->kind = kind;
	value_set(c, k, v);
}

const char *
value_string(const struct value *v, size_t *len)
{
	*len = v->len;
	return v->big ? v->text : v->small;
}

int
value_text(
    struct cloud *c, struct cloud_key *k, struct value *v, const void *text, size_t len)
{
	char *big = NULL;
	const char *old;
	bool waited;
	size_t n;

	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	if (len > CLOUD_VALUE_MAX)
		len = CLOUD_VALUE_MAX;
	if (v->kind == VALUE_TEXT && !v->gone) {
		old = value_string(v, &n);
		if (n == len && memcmp(old, text, len) == 0)
			return 0;
	}
	if (len > VALUE_SMALL) {
		big = malloc(len);
		if (big == NULL) {
			no_room(c);
			return -1;
		}
		memcpy(big, text, len);
		c->memory += len + MALLOC_HEAD;
	}
	waited = v->set || (v->kind != VALUE_TEXT && v->pending != 0);
	value_show(k, v);
	value_blank(c, v);
	v->kind = VALUE_TEXT;
	v->len = (uint8_t)len;
	if (big != NULL) {
		v->big = 1;
		v->text = big;
	} else if (len > 0)
		memcpy(v->small, text, len);
	v->set = waited;
	value_set(c, k, v);
	return 0;
}

void
value_unset(struct cloud *c, struct cloud_key *k, struct value *v)
{
	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	if (k->node == NO_NODE) {
		value_remove(c, k, v);
		return;
	}
	value_wait(c, k, v);
	value_hide(k, v);
	value_blank(c, v);
	v->del = 1;
}

int
value_condition(
    struct cloud *c, struct cloud_key *k, struct value *v, const void *text, size_t len)
{
	int r;

	value_show(k, v); /* lest it is taken for the same and left alone */
	value_blank(c, v);
	r = value_text(c, k, v, text, len);
	value_hide(k, v);
	return r;
}
