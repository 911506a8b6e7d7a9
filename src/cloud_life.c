/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_life.c -- how long keys live. A wheel of slots of a second: writing a key only
 * stores when it will expire; when its slot comes it is looked at, and moved to the
 * slot of its new time if it has one. So each key is visited about once per TTL, and
 * one that expired is gone a second later at most; whoever asks before that compares
 * times.
 *
 * A key is in the table from its making to its end; in the index while it has something
 * to show; in its node's queue while that has not got everything. It is freed by
 * cloud_clock() only, when it is in neither of the latter.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

static void
wheel_unlink(struct cloud_key *k)
{
	if (k->wheel_prev == NULL)
		return;
	*k->wheel_prev = k->wheel_next;
	if (k->wheel_next != NULL)
		k->wheel_next->wheel_prev = k->wheel_prev;
	k->wheel_prev = NULL;
}

static void
wheel_link(struct cloud_key **head, struct cloud_key *k)
{
	wheel_unlink(k);
	k->wheel_next = *head;
	if (*head != NULL)
		(*head)->wheel_prev = &k->wheel_next;
	*head = k;
	k->wheel_prev = head;
}

void
key_due(struct cloud *c, struct cloud_key *k)
{
	wheel_link(&c->due, k);
}

/* Into the slot of its time, or of the last one the wheel has. */
static void
enlist(struct cloud *c, struct cloud_key *k)
{
	uint64_t s = (k->expire_ms + 999) / 1000;

	if (s <= c->wheel_s)
		key_due(c, k);
	else {
		if (s >= c->wheel_s + WHEEL_SLOTS)
			s = c->wheel_s + WHEEL_SLOTS - 1;
		wheel_link(&c->wheel[s % WHEEL_SLOTS], k);
	}
}

void
key_expire_at(struct cloud *c, struct cloud_key *k, uint64_t ms)
{
	uint64_t old = k->expire_ms;

	k->expire_ms = ms;
	if (!(k->flags & KEY_SHOWN))
		return;
	if (ms == 0)
		wheel_unlink(k);
	else if (k->wheel_prev == NULL || ms < old)
		enlist(c, k);
}

void
key_enqueue(struct cloud *c, struct cloud_key *k)
{
	struct queue *q = &c->queue[k->node];

	k->flags |= KEY_QUEUED;
	k->since = (uint32_t)c->now_ms;
	k->queue_next = NULL;
	k->queue_prev = q->tail;
	if (q->tail != NULL)
		q->tail->queue_next = k;
	else
		q->head = k;
	q->tail = k;
	q->count++;
}

void
key_unqueue(struct cloud *c, struct cloud_key *k)
{
	struct queue *q;

	if (!(k->flags & KEY_QUEUED))
		return;
	q = &c->queue[k->node];
	k->flags &= (uint8_t)~KEY_QUEUED;
	if (k->queue_next != NULL)
		k->queue_next->queue_prev = k->queue_prev;
	else
		q->tail = k->queue_prev;
	if (k->queue_prev != NULL)
		k->queue_prev->queue_next = k->queue_next;
	else
		q->head = k->queue_next;
	q->count--;
}

static void
key_show(struct cloud *c, struct cloud_key *k)
{
	if (!(k->flags & KEY_UNSORTED)) {
		k->child[0] = (uintptr_t)c->unsorted;
		c->unsorted = k;
	}
	k->flags |= KEY_SHOWN | KEY_UNSORTED;
	k->tree->seen++;
	c->seen++;
	if (k->expire_ms != 0)
		enlist(c, k);
	else
		wheel_unlink(k);
	top_enroll(c, k);
}

void
key_hide(struct cloud *c, struct cloud_key *k)
{
	if (k->flags & KEY_SHOWN) {
		if (!(k->flags & KEY_UNSORTED))
			index_remove(&c->index, k);
		k->flags &= (uint8_t)~KEY_SHOWN;
		k->tree->seen--;
		c->seen--;
		wheel_unlink(k);
	}
	key_settle(c, k);
}

void
key_settle(struct cloud *c, struct cloud_key *k)
{
	if (k->flags & (KEY_SHOWN | KEY_QUEUED))
		return;
	top_withdraw(c, k);
	key_due(c, k);
}

void
key_drop_set(struct cloud *c, struct cloud_key *k)
{
	if (k->z == NULL)
		return;
	c->memory -= zset_memory(k->z);
	zset_free(k->z);
	k->z = NULL;
}

void
key_lapse(struct cloud *c, struct cloud_key *k)
{
	if (k->tree->def.type != CLOUD_ZSET)
		values_lapse(c, k);
	else if (k->z != NULL) {
		c->memory -= zset_memory(k->z);
		zset_lapse(k->z);
		c->memory += zset_memory(k->z);
		if (zset_kept(k->z) == 0)
			key_drop_set(c, k);
	}
	key_hide(c, k);
}

bool
key_check(struct cloud *c, struct cloud_key *k)
{
	if (k->expire_ms == 0 || c->now_ms < k->expire_ms)
		return false;
	if (k->flags & KEY_SHOWN)
		counter_inc(c->counters, COUNTER_CLOUD_EXPIRED);
	key_lapse(c, k);
	return true;
}

/* An address that comes into being, K, is called what DNS called it before. */
static void
learn_name(struct cloud *c, struct cloud_key *k)
{
	const struct tree *t = c->names_of;
	const struct cloud_key *from;
	struct cloud_item name;
	const char *id = k->bytes;
	size_t len = k->id_len;

	if (t->seen == 0)
		return;
	if (t->id == ID_TEXT) {
		id = key_name(k) + k->tree->prefix_len;
		len = k->name_len - k->tree->prefix_len;
	}
	/* not by cloud_look(): what was put may be being written */
	from = table_find(&c->table, t, id, len, table_hash(t, id, len));
	if (from == NULL || !key_seen(c, from))
		return;
	cloud_key_string(from, &name);
	if (name.text != NULL)
		cloud_set(c, k, "name", name.text, name.len);
	else
		cloud_set_number(c, k, "name", (uint64_t)name.number);
}

/* The counters that keys of this tree always have. */
static void
key_base(struct cloud *c, struct cloud_key *k)
{
	const struct tree *t = k->tree;
	struct value *v;
	unsigned i;

	for (i = 0; i < t->nbase; i++) {
		v = value_get(c, k, t->base_at + i);
		if (v == NULL)
			return;
		value_show(k, v);
	}
	key_show(c, k);
	if (c->names_of != NULL && t == &c->tree[CLOUD_IP] && !(k->flags & KEY_OTHER))
		learn_name(c, k);
}

/* A volatile key lives on; on its node too, once a quarter of its TTL has passed. */
static void
key_arm(struct cloud *c, struct cloud_key *k)
{
	bool due = k->renew_ms != 0 && c->now_ms >= k->renew_ms;

	key_expire_at(c, k, c->now_ms + k->tree->ttl_ms);
	if (k->node == NO_NODE || (!due && k->life == LIFE_AS_IS))
		return;
	k->flags |= KEY_RENEW;
	k->life = LIFE_AS_IS;
	key_queue(c, k);
}

void
key_wake_up(struct cloud *c, struct cloud_key *k)
{
	if (key_check(c, k) && k->tree->ttl_ms == 0) {
		/* What the node's copy has left of its time stays: to undo a mark is
		   for cloud_persist(), not for flows that outlive their user. */
		key_expire_at(c, k, 0);
		k->life = LIFE_AS_IS;
	}
	if (!(k->flags & KEY_SHOWN)) {
		if (k->n < k->tree->placed)
			values_place(c, k);
		if (k->tree->nbase > 0)
			key_base(c, k);
	}
	if (k->tree->ttl_ms != 0)
		key_arm(c, k);
	k->changed_ms = c->now_ms;
}

void
key_show_or_hide(struct cloud *c, struct cloud_key *k)
{
	bool any;

	if (k->tree->def.type == CLOUD_ZSET)
		any = k->z != NULL && zset_shown(k->z) > 0;
	else
		any = k->n > k->gone;
	if (any && !(k->flags & KEY_SHOWN))
		key_show(c, k);
	else if (!any)
		key_hide(c, k);
}

void
key_release(struct cloud *c, struct cloud_key *k)
{
	if (k->tree->def.type == CLOUD_ZSET)
		key_drop_set(c, k);
	else
		values_clear(c, k);
	c->memory -= key_size(k->tree, k->id_len, k->name_len);
	keymem_put(&c->mem, key_memory(k), key_size(k->tree, k->id_len, k->name_len));
}

void
key_free(struct cloud *c, struct cloud_key *k)
{
	if (k->flags & (KEY_UNSORTED | KEY_TOP)) {
		sort_tops(c);
		sort_keys(c);
	}
	key_unqueue(c, k);
	if (k->flags & KEY_SHOWN)
		key_hide(c, k);
	top_withdraw(c, k);
	wheel_unlink(k);
	table_remove(&c->table, k);
	puts_forget(c, k);
	if (k->flags & KEY_CACHED)
		feed_forget(c, k);
	if (!(k->flags & KEY_OTHER))
		k->tree->keys--;
	key_release(c, k);
}

static void
visit(struct cloud *c, struct cloud_key *k)
{
	wheel_unlink(k);
	key_check(c, k);
	if (k->flags & KEY_SHOWN) {
		if (k->expire_ms != 0)
			enlist(c, k);
	} else if (!(k->flags & KEY_QUEUED))
		key_free(c, k);
}

void
cloud_clock(struct cloud *c, uint64_t now_ms)
{
	unsigned left = VISITS;
	struct cloud_key *k;
	uint64_t now_s;
	int64_t passed;

	puts_settle(c);
	sort_keys(c);
	if (!c->started) {
		c->base_ms = now_ms - c->now_ms;
		c->started = true;
	}
	passed = (int64_t)(now_ms - c->base_ms);
	if (passed > (int64_t)c->now_ms)
		c->now_ms = (uint64_t)passed;
	if (c->now_ms >= c->topped_ms + TOPS_MS)
		sort_tops(c);
	now_s = c->now_ms / 1000;
	if (now_s > c->wheel_s + 2 * WHEEL_SLOTS)
		c->wheel_s = now_s - WHEEL_SLOTS; /* once round visits all */
	for (;;) {
		k = c->due != NULL ? c->due : c->wheel[c->wheel_s % WHEEL_SLOTS];
		if (k == NULL) {
			if (c->wheel_s >= now_s)
				break;
			c->wheel_s++;
		} else {
			if (left-- == 0)
				break;
			visit(c, k);
		}
	}
	rearm_step(c, VISITS);
}
