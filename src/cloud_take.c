/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_take.c -- what a node has not got, key by key, the longest waiting first. What
 * a key did while it waited is told in the order: deletion, values, life. Merging
 * happened when it was written.
 */
#include "cloud_int.h"

#include <string.h>

#define REARM_AT_ONCE 65536 /* keys; beyond, cloud_clock() goes on */
#define MARGIN_MS 5000      /* a key this near its end may be gone on the node */

struct taker {
	struct cloud *c;
	struct cloud_key *k;
	struct cloud_op op;
	cloud_op_cb *cb;
	void *arg;
	unsigned n;
	bool wrote; /* a value: the key exists on the node now */
};

static void
tell(struct taker *t, enum cloud_op_kind kind)
{
	t->op.kind = kind;
	t->cb(t->arg, &t->op);
	t->n++;
}

static void
tell_value(struct taker *t, const struct value *v)
{
	static const enum cloud_op_kind kind[] = {
	    [VALUE_COUNTER] = CLOUD_OP_HSET,
	    [VALUE_NUMBER] = CLOUD_OP_HSET,
	    [VALUE_MIN] = CLOUD_OP_HSETNX,
	    [VALUE_MAX] = CLOUD_OP_HSET,
	    [VALUE_TEXT] = CLOUD_OP_HSET,
	};

	if (v->kind == VALUE_TEXT)
		t->op.text = value_string(v, &t->op.len);
	else
		t->op.number = v->number;
	if (v->kind == VALUE_MIN && v->sent && !v->del)
		tell(t, CLOUD_OP_HMIN); /* the node has one, ours or another probe's */
	else
		tell(t, t->k->tree->def.type == CLOUD_STRING ? CLOUD_OP_SET
							     : kind[v->kind]);
	t->op.text = NULL;
	t->op.len = 0;
	t->wrote = true;
}

/* Has the node got the key, as far as one can know? */
static bool
thought_alive(const struct cloud *c, const struct cloud_key *k)
{
	if (k->flags & KEY_DEL)
		return false;
	if (k->tree->ttl_ms == 0)
		return k->expire_ms == 0;
	return k->renew_ms != 0 && c->now_ms < k->renew_ms + k->tree->ttl_ms;
}

static void
take_fields(struct taker *t)
{
	struct cloud_key *k = t->k;
	bool alive = thought_alive(t->c, k);
	struct value *v;
	unsigned i;

	for (i = 0; i < k->n; i++) {
		v = &k->v[i];
		if (!value_waits(v))
			continue;
		t->op.field = names_text(&t->c->names, v->name, &t->op.field_len);
		t->op.number = 0;
		if (v->del)
			tell(t, CLOUD_OP_HDEL);
		if (v->set)
			tell_value(t, v);
		else if (v->kind != VALUE_TEXT && v->pending != 0) {
			t->op.number = v->pending;
			/* of a field it has not got the answer is NUMBER anyway */
			t->op.alive = alive && v->sent && !v->del;
			if (t->op.alive)
				alive = false;
			tell(t, CLOUD_OP_HINCRBY);
			t->op.alive = false;
			t->wrote = true;
		}
		if (v->kind != VALUE_TEXT)
			v->pending = 0;
		v->sent = !v->gone && (v->set || v->sent || v->kind == VALUE_COUNTER);
		v->set = v->del = 0;
	}
	t->op.field = NULL;
	t->op.field_len = 0;
}

static void
take_string(struct taker *t)
{
	struct value *v = value_find(t->k, NAME_STRING);

	if (v == NULL || !v->set)
		return;
	tell_value(t, v);
	v->set = 0;
}

static void
take_members(struct taker *t)
{
	size_t before = zset_memory(t->k->z);
	unsigned n;
	bool fresh;

	n = zset_take(t->k->z, &t->op, t->cb, t->arg, &fresh);
	t->c->memory += zset_memory(t->k->z) - before;
	t->n += n;
	t->wrote = n > 0;
	t->op.field = NULL;
	t->op.field_len = 0;
	t->op.number = 0;
	if (fresh)
		tell(t, CLOUD_OP_ZTRIM);
}

/* s to live, at least one. */
static int64_t
left_s(const struct cloud *c, const struct cloud_key *k)
{
	if (k->expire_ms <= c->now_ms)
		return 1;
	return (int64_t)((k->expire_ms - c->now_ms + 999) / 1000);
}

static void
take_condition(struct taker *t)
{
	struct value *v = value_find(t->k, NAME_CONDITION);

	if (v == NULL)
		return;
	t->op.text = value_string(v, &t->op.len);
	t->op.number = left_s(t->c, t->k);
	tell(t, CLOUD_OP_EXPIRE_IF);
	t->op.text = NULL;
	t->op.len = 0;
}

/* The TTL of a volatile tree: with the first write, and when a quarter has passed. */
static void
take_ttl(struct taker *t)
{
	const struct cloud *c = t->c;
	struct cloud_key *k = t->k;
	uint64_t ttl_ms = k->tree->ttl_ms;
	bool there = t->wrote || thought_alive(c, k);
	bool due = t->wrote &&
		   (c->now_ms >= k->renew_ms ||
		       k->tree->def.type == CLOUD_STRING); /* SET takes the TTL away */

	if (!due && !(k->flags & KEY_RENEW))
		return;
	t->op.number = (int64_t)((ttl_ms / 1000 * 5 + 3) / 4);
	tell(t, CLOUD_OP_EXPIRE);
	/* of a key that is not there it did nothing: the next write brings it again */
	k->renew_ms = there ? c->now_ms + ttl_ms / 4 : 0;
}

/* Has the node got anything of the key from this probe? */
static bool
was_sent(const struct cloud_key *k)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		if (k->v[i].sent)
			return true;
	return false;
}

/* The end of a persistent key. Where there is no key yet it must be told again. */
static void
take_end(struct taker *t)
{
	struct cloud_key *k = t->k;
	int64_t s = left_s(t->c, k);

	t->op.number = s;
	tell(t, CLOUD_OP_EXPIRE);
	if (k->tree->ttl_ms == 0)
		k->renew_ms =
		    t->wrote || was_sent(k) ? t->c->now_ms + (uint64_t)s * 1000 : 0;
}

static void
take_life(struct taker *t)
{
	struct cloud_key *k = t->k;

	switch (k->life) {
	case LIFE_EXPIRE:
		take_end(t);
		return;
	case LIFE_EXPIRE_IF:
		take_condition(t);
		return;
	case LIFE_PERSIST:
		t->op.number = 0;
		tell(t, CLOUD_OP_PERSIST);
		k->renew_ms = 0;
		return;
	}
	if (k->tree->ttl_ms != 0)
		take_ttl(t);
	else if (t->wrote && k->expire_ms != 0 &&
		 (k->renew_ms == 0 || t->c->now_ms + MARGIN_MS >= k->expire_ms))
		take_end(t); /* the write may have made the key: not for ever */
}

/* The node has lost K: what is not a counter goes again, and EXPIRE. */
static void
rearm(struct cloud *c, struct cloud_key *k)
{
	struct value *v;
	unsigned i;

	if (!(k->flags & KEY_SHOWN) || k->node == NO_NODE)
		return;
	for (i = 0; i < k->n; i++) { /* a sorted set has none */
		v = &k->v[i];
		v->sent = 0;
		if (v->gone || v->kind == VALUE_COUNTER)
			continue;
		v->set = 1;
		if (v->kind != VALUE_TEXT)
			v->pending = 0;
	}
	if (k->tree->ttl_ms != 0)
		k->flags |= KEY_RENEW;
	else if (k->expire_ms != 0 && k->life == LIFE_AS_IS)
		k->life = LIFE_EXPIRE;
	k->renew_ms = 0;
	key_queue(c, k);
}

/*
 * Writes waited so long that the node's copy has run out of time. An answer could not
 * tell: another probe may have made the key again. A persistent key's time may have run
 * out before the order came to leave it alone; a string's value is not sent again, as
 * another probe may have written it since.
 */
static bool
outlived(const struct cloud *c, const struct cloud_key *k)
{
	if (k->renew_ms == 0)
		return false;
	if (k->tree->ttl_ms != 0)
		return !thought_alive(c, k);
	return k->life != LIFE_AS_IS && k->tree->def.type == CLOUD_HASH &&
	       c->now_ms + MARGIN_MS >= k->renew_ms;
}

static unsigned
take_key(struct cloud *c, struct cloud_key *k, cloud_op_cb *cb, void *arg)
{
	struct taker t = {.c = c, .k = k, .cb = cb, .arg = arg};
	struct value *v;

	t.op.key = key_name(k);
	t.op.key_len = k->name_len;
	if (outlived(c, k))
		rearm(c, k);
	if (k->flags & KEY_DEL)
		tell(&t, CLOUD_OP_DEL);
	if (k->tree->def.type == CLOUD_HASH)
		take_fields(&t);
	else if (k->tree->def.type == CLOUD_STRING)
		take_string(&t);
	else if (k->z != NULL)
		take_members(&t);
	take_life(&t);
	k->life = LIFE_AS_IS;
	k->flags &= (uint8_t)~(KEY_DEL | KEY_RENEW);
	if (k->tree->def.type != CLOUD_ZSET) {
		v = value_find(k, NAME_CONDITION);
		if (v != NULL && k->tree->def.type == CLOUD_STRING)
			v->set = 0;
		values_sweep(c, k);
	} else if (k->z != NULL && zset_kept(k->z) == 0)
		key_drop_set(c, k);
	return t.n;
}

unsigned
cloud_take(struct cloud *c, unsigned node, unsigned max_ops, cloud_op_cb *cb, void *arg)
{
	struct cloud_key *k;
	unsigned n = 0;

	if (node >= c->setup.nnodes)
		return 0;
	puts_settle(c);
	while (n < max_ops && (k = c->queue[node].head) != NULL) {
		n += take_key(c, k, cb, arg);
		key_unqueue(c, k);
		key_settle(c, k);
	}
	return n;
}

uint64_t
cloud_waiting(const struct cloud *c, unsigned node)
{
	if (node >= c->setup.nnodes)
		return 0;
	puts_settle((struct cloud *)(uintptr_t)c);
	if (c->queue[node].count == 0)
		settle_all(c);
	return c->queue[node].count;
}

uint64_t
cloud_waiting_most(const struct cloud *c, unsigned node)
{
	return node < c->setup.nnodes ? c->queue[node].count + puts_count(c) : 0;
}

uint64_t
cloud_lag(const struct cloud *c, unsigned node)
{
	if (node >= c->setup.nnodes || c->queue[node].head == NULL)
		return 0;
	return (uint32_t)c->now_ms - c->queue[node].head->since;
}

/*
 * What a node lost
 */
void
cloud_rearm(struct cloud *c, const char *name, size_t len)
{
	struct cloud_key *k;

	cloud_settle(c);
	k = index_find(c->index, name, len);
	if (k != NULL)
		rearm(c, k);
}

void
rearm_step(struct cloud *c, unsigned keys)
{
	struct cloud_key *k;
	unsigned n;

	for (n = 0; c->rearm != 0 && n < 4 * keys; n++) { /* every third bucket has one */
		if (c->rearm_at >= c->table.n) {
			c->rearm = 0;
			return;
		}
		for (k = c->table.bucket[c->rearm_at++]; k != NULL; k = k->chain)
			if (k->node != NO_NODE && (c->rearm >> k->node & 1))
				rearm(c, k);
	}
}

void
cloud_rearm_all(struct cloud *c, unsigned node)
{
	if (node >= c->setup.nnodes)
		return;
	c->rearm |= UINT64_C(1) << node;
	c->rearm_at = 0;
	rearm_step(c, REARM_AT_ONCE);
}
