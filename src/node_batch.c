/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_batch.c -- exactly once.
 *
 * A batch is one transaction that also sets the number, probe.<id>.seq =
 * <instance>:<n>. The connection WATCHes the number's key all the time, so a
 * transaction is refused by the server if anybody wrote that key since. After a
 * reconnect the new connection
 *
 *	WATCH, read the number; MULTI, write it back as it was, EXEC; WATCH, read again
 *
 * and by writing it fences off: what the old connection sent and the server has not
 * executed yet (it sits in a buffer, on the way, in a stopped process) is refused when
 * it comes to be executed, whenever that is. So the number read is the last word: it is
 * the batch's, then the batch is done, or it is not, then the same bytes go again.
 *
 *	old connection	...  MULTI ops SET n EXEC  ~~~~~~~~~~~~~~~~~~~~~~~~~~> EXEC: nil
 *	new connection		WATCH GET(n-1) MULTI SET(n-1) EXEC  MULTI ops SET n EXEC
 *
 * The number is read again behind each WATCH: nobody came between the transaction
 * before and it.
 *
 * A number of another instance is our predecessor's, or an intruder's
 * (node_identity.c). Who writes over it leaves it in probe.<id>.seq.<instance> for an
 * hour, within the same fence: should its owner be alive and in doubt, there it still
 * learns what was committed.
 *
 * MULTI is answered in the fence before any batch is sent, so a batch's commands are
 * never executed one by one because a server does not know or allow it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud.h"
#include "log.h"
#include "node_int.h"

#define TAKE_OPS   256 /* at a time, to see how large the batch has become */
#define PAST_TTL_S "3600"

/*
 * Numbers
 */
static void
number_text(const struct nodes *s, uint64_t number, char *to, size_t size)
{
	snprintf(to, size, "%s:%" PRIu64, s->instance, number);
}

/* The number in VALUE, if it is of INSTANCE. */
static bool
number_of(const char *value, const char *instance, uint64_t *number)
{
	size_t len = strlen(instance);
	char *end;

	if (strncmp(value, instance, len) != 0 || value[len] != ':')
		return false;
	errno = 0;
	*number = strtoull(value + len + 1, &end, 10);
	return *end == '\0' && end != value + len + 1 && errno == 0;
}

/* The key where an overwritten number of VALUE's instance is kept. False: VALUE is of
 * none. NUMBER is borrowed from VALUE. */
static bool
past_key(const char *id, const char *value, char *to, size_t size, const char **number)
{
	const char *colon = strchr(value, ':');
	char suffix[40];

	if (colon == NULL || colon == value || colon - value > 16 ||
	    strspn(value, "0123456789abcdef") != (size_t)(colon - value))
		return false;
	snprintf(suffix, sizeof(suffix), ".seq.%.*s", (int)(colon - value), value);
	node_key(to, size, id, suffix);
	*number = colon + 1;
	return true;
}

/*
 * The fence
 */

/* Work under the set's identity from now on. */
static void
adopt(struct node *n)
{
	if (n->epoch == n->set->epoch)
		return;
	n->epoch = n->set->epoch;
	memcpy(n->id, n->set->id, sizeof(n->id));
	n->known[0] = '\0';
	n->fenced = false;
	n->beat_ms = 0;
	n->gone = false;
}

void
node_fence(struct node *n)
{
	struct nodes *s = n->set;
	struct respbuf *b;
	char key[NODE_KEY], past[NODE_KEY], suffix[40];

	/* what is in doubt is in doubt under the name it was sent under */
	if (n->batch.state != NODE_BATCH_DOUBT) {
		if (!s->decided) {
			n->state = NODE_CLAIMING;
			n->due_ms = 0;
			return;
		}
		adopt(n);
	}
	n->state = NODE_FENCING;
	n->due_ms = 0;
	n->refusal = NODE_FINE;
	node_key(key, sizeof(key), n->id, ".seq");
	snprintf(suffix, sizeof(suffix), ".seq.%s", s->instance);
	node_key(past, sizeof(past), n->id, suffix);
	b = node_say(n);
	if (n->in_multi) {
		node_words(b, "DISCARD", NULL);
		node_expect(n, NODE_WANT_NOTHING, 1);
		n->in_multi = false;
	}
	node_words(b, "UNWATCH", NULL);
	node_words(b, "WATCH", key, NULL);
	node_expect(n, NODE_WANT_QUEUED, 2);
	node_words(b, "MGET", key, past, NULL);
	node_expect(n, NODE_WANT_FENCE_READ, 1);
	node_send(n);
}

/* The batch is on the node. */
static void
committed(struct node *n)
{
	struct counters *c = n->set->s.counters;
	struct node_batch *b = &n->batch;

	counter_inc(c, COUNTER_NODE_BATCHES);
	counter_add(c, COUNTER_NODE_COMMANDS, b->ops);
	counter_add(c, COUNTER_NODE_KEYS, b->keys);
	n->batches++;
	n->commands += b->ops;
	n->acked = b->number;
	number_text(n->set, b->number, n->known, sizeof(n->known));
	n->covered = b->covers;
	n->retry_ms = n->set->times.retry_min;
	n->full_ms = n->set->times.full_min;
	b->state = NODE_BATCH_NONE;
	node_well(n, true);
}

/* The fate of the batch that was on the way when the connection broke is known. */
static void
decided(struct node *n, bool is_there)
{
	counter_inc(n->set->s.counters, COUNTER_NODE_IN_DOUBT);
	n->in_doubt++;
	n->batch.again = true;
	if (is_there)
		committed(n);
	else
		n->batch.state = NODE_BATCH_KEPT;
}

/* Does the number say that the batch is there? If not it may still arrive, until the
 * fence stands. */
static bool
is_there(const struct node *n, const char *value, const char *past)
{
	uint64_t number;

	return (number_of(value, n->set->instance, &number) &&
		   number == n->batch.number) ||
	    strtoull(past, NULL, 10) == n->batch.number;
}

/* The number went back: an older copy of the data was loaded, or none. */
static void
rolled_back(struct node *n)
{
	if (n->rollbacks++ == 0)
		log_warn("node %s: has lost what it had acknowledged; what is not a "
			 "counter is sent again", n->text);
	counter_inc(n->set->s.counters, COUNTER_NODE_ROLLBACKS);
	cloud_rearm_all(n->set->cloud, n->index);
}

/* See what VALUE says. False: it is an intruder's. */
static bool
judge(struct node *n, const char *value)
{
	uint64_t number, known;

	if (!n->fenced || strcmp(value, n->known) == 0)
		return true;
	if (value[0] == '\0')
		rolled_back(n);
	else if (!number_of(value, n->set->instance, &number))
		return false;
	else if (number_of(n->known, n->set->instance, &known) && number < known)
		rolled_back(n);
	return true;
}

static void
fence_write(struct node *n, const char *value)
{
	struct respbuf *b = node_say(n);
	char key[NODE_KEY], past[NODE_KEY];
	const char *number;
	uint64_t own;

	if (value[0] != '\0')
		snprintf(n->writing, sizeof(n->writing), "%s", value);
	else
		number_text(n->set, n->acked, n->writing, sizeof(n->writing));
	node_key(key, sizeof(key), n->id, ".seq");
	node_words(b, "MULTI", NULL);
	node_words(b, "SET", key, n->writing, NULL);
	node_expect(n, NODE_WANT_QUEUED, 2);
	if (!number_of(n->writing, n->set->instance, &own) &&
	    past_key(n->id, n->writing, past, sizeof(past), &number)) {
		node_words(b, "SET", past, number, "EX", PAST_TTL_S, NULL);
		node_expect(n, NODE_WANT_QUEUED, 1);
	}
	node_words(b, "EXEC", NULL);
	node_expect(n, NODE_WANT_FENCE_EXEC, 1);
	node_words(b, "WATCH", key, NULL);
	node_expect(n, NODE_WANT_WATCH, 1);
	node_words(b, "GET", key, NULL);
	node_expect(n, NODE_WANT_NUMBER, 1);
	n->numbering = true;
	node_send(n);
}

void
node_fence_read(struct node *n, const redisReply *r)
{
	char value[sizeof(n->known)] = "", past[24] = "";

	if (n->refusal != NODE_FINE || r->type != REDIS_REPLY_ARRAY ||
	    r->elements != 2) {
		node_refused(n, r);
		return;
	}
	if (r->element[0]->type == REDIS_REPLY_STRING)
		node_text(value, sizeof(value), r->element[0]->str);
	if (r->element[1]->type == REDIS_REPLY_STRING)
		node_text(past, sizeof(past), r->element[1]->str);
	if (n->batch.state == NODE_BATCH_DOUBT && is_there(n, value, past))
		decided(n, true);
	if (!judge(n, value)) {
		/* who wrote that fenced us off */
		if (n->batch.state == NODE_BATCH_DOUBT)
			decided(n, false);
		node_conflict(n, value);
		return;
	}
	if (n->batch.state != NODE_BATCH_DOUBT && n->epoch != n->set->epoch) {
		node_fence(n); /* the doubt is over: now under the new name */
		return;
	}
	fence_write(n, value);
}

/* A transaction ended in R: is that an error? Then say so. */
static bool
failed(struct node *n, const redisReply *r)
{
	if (r->type == REDIS_REPLY_ARRAY || r->type == REDIS_REPLY_NIL) {
		n->refusal = NODE_FINE;
		return false;
	}
	/* old servers refuse EXEC itself and stay in the transaction */
	if (r->type != REDIS_REPLY_ERROR || strncmp(r->str, "EXECABORT", 9) != 0)
		n->in_multi = true;
	node_refused(n, r);
	return true;
}

void
node_fence_exec(struct node *n, const redisReply *r)
{
	if (failed(n, r))
		return;
	/* a batch of the old connection got in between, or an intruder: read again */
	if (r->type == REDIS_REPLY_NIL) {
		n->due_ms = node_now() + n->set->times.tick;
		return;
	}
	memcpy(n->known, n->writing, sizeof(n->known));
	n->fenced = true;
	if (n->batch.state == NODE_BATCH_DOUBT)
		decided(n, false);
	/* READY, but for a name that was given up meanwhile */
	if (n->epoch == n->set->epoch)
		n->state = NODE_READY;
}

/*
 * Building a batch
 */

/* The name and the number of words of an op's command; a key follows. */
static const struct {
	const char *text;
	size_t len;
} batch_heads[] = {
#define HEAD(op, text) [op] = {text, sizeof(text) - 1}
	HEAD(CLOUD_OP_HINCRBY, "*4\r\n$7\r\nHINCRBY\r\n"),
	HEAD(CLOUD_OP_HSET, "*4\r\n$4\r\nHSET\r\n"),
	HEAD(CLOUD_OP_HSETNX, "*4\r\n$6\r\nHSETNX\r\n"),
	HEAD(CLOUD_OP_HMIN, "*6\r\n$4\r\nEVAL\r\n"),
	HEAD(CLOUD_OP_HDEL, "*3\r\n$4\r\nHDEL\r\n"),
	HEAD(CLOUD_OP_SET, "*3\r\n$3\r\nSET\r\n"),
	HEAD(CLOUD_OP_ZINCRBY, "*4\r\n$7\r\nZINCRBY\r\n"),
	HEAD(CLOUD_OP_ZTRIM, "*4\r\n$15\r\nZREMRANGEBYRANK\r\n"),
	HEAD(CLOUD_OP_EXPIRE, "*3\r\n$6\r\nEXPIRE\r\n"),
	HEAD(CLOUD_OP_EXPIRE_IF, "*6\r\n$4\r\nEVAL\r\n"),
	HEAD(CLOUD_OP_PERSIST, "*2\r\n$7\r\nPERSIST\r\n"),
	HEAD(CLOUD_OP_DEL, "*2\r\n$3\r\nDEL\r\n"),
#undef HEAD
};

/* Whole, not by their hashes: a node may have been flushed. They are rare. */
static const char hmin[] =
    "local v = tonumber(redis.call('HGET', KEYS[1], ARGV[1])) "
    "if v and v <= tonumber(ARGV[2]) then return 0 end "
    "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])";
static const char expire_if[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then "
    "return redis.call('EXPIRE', KEYS[1], ARGV[2]) end return 0";

static void
put_value(struct respbuf *b, const struct cloud_op *op)
{
	if (op->text != NULL)
		resp_bulk(b, op->text, op->len);
	else
		resp_bulk_number(b, op->number);
}

/* A script and that it has one key. */
static void
put_script(struct respbuf *b, const char *script)
{
	resp_bulk(b, script, strlen(script));
	resp_bulk_number(b, 1);
}

/* Remember to compare the answer to OP, whose key is at KEY. */
static void
add_check(struct node_batch *b, const struct cloud_op *op, size_t key)
{
	struct node_check *v = b->check;
	unsigned cap = b->checks_cap;

	if (b->nchecks == cap) {
		cap = cap > 0 ? cap * 2 : 64;
		v = realloc(v, cap * sizeof(*v));
		if (v == NULL)
			return; /* then it is not compared */
		b->check = v;
		b->checks_cap = cap;
	}
	v[b->nchecks++] = (struct node_check){b->ops, (uint32_t)key,
		(uint32_t)op->key_len, op->number};
}

/* cloud_op_cb */
static void
put_op(void *arg, const struct cloud_op *op)
{
	struct node *n = arg;
	struct node_batch *b = &n->batch;
	struct respbuf *to = &b->bytes;

	resp_bytes(to, batch_heads[op->kind].text, batch_heads[op->kind].len);
	if (op->kind == CLOUD_OP_HMIN)
		put_script(to, hmin);
	else if (op->kind == CLOUD_OP_EXPIRE_IF)
		put_script(to, expire_if);
	resp_bulk(to, op->key, op->key_len);
	if (op->kind == CLOUD_OP_HINCRBY && op->alive && !to->failed)
		add_check(b, op, to->len - 2 - op->key_len);
	switch (op->kind) {
	case CLOUD_OP_HINCRBY:
	case CLOUD_OP_HSET:
	case CLOUD_OP_HSETNX:
	case CLOUD_OP_HMIN:
		resp_bulk(to, op->field, op->field_len);
		put_value(to, op);
		break;
	case CLOUD_OP_HDEL:
		resp_bulk(to, op->field, op->field_len);
		break;
	case CLOUD_OP_SET:
		put_value(to, op);
		break;
	case CLOUD_OP_ZINCRBY:
		resp_bulk_number(to, op->number);
		resp_bulk(to, op->field, op->field_len);
		break;
	case CLOUD_OP_ZTRIM:
		resp_bulk_number(to, 0);
		resp_bulk_number(to, -(int64_t)CLOUD_ZSET_MAX - 1);
		break;
	case CLOUD_OP_EXPIRE_IF:
		resp_bulk(to, op->text, op->len);
		resp_bulk_number(to, op->number);
		break;
	case CLOUD_OP_EXPIRE:
		resp_bulk_number(to, op->number);
		break;
	case CLOUD_OP_PERSIST:
	case CLOUD_OP_DEL:
		break;
	}
	b->ops++;
}

/* All the room a batch can need, before anything is taken for it. */
static bool
make_room(struct respbuf *b)
{
	if (b->cap == 0) {
		b->buf = malloc(NODE_BATCH_ROOM);
		b->cap = b->buf != NULL ? NODE_BATCH_ROOM : 0;
	}
	respbuf_reset(b);
	return b->cap > 0;
}

/* Has it been long enough since keys began to wait? */
static bool
window_open(struct node *n)
{
	uint64_t now = node_now();

	if (cloud_waiting(n->set->cloud, n->index) == 0) {
		n->waiting_ms = 0;
		return false;
	}
	if (n->waiting_ms == 0)
		n->waiting_ms = now;
	return n->set->draining || now - n->waiting_ms >= n->set->times.window;
}

/* Take a batch from the tree. False: nothing came. */
static bool
build(struct node *n)
{
	struct cloud *cloud = n->set->cloud;
	struct node_batch *b = &n->batch;
	uint64_t before = cloud_waiting(cloud, n->index), now = node_now(),
		 lag = cloud_lag(cloud, n->index);

	if (!make_room(&b->bytes))
		return false;
	b->ops = b->nchecks = 0;
	b->again = false;
	b->since_ms = now > lag ? now - lag : 0;
	while (b->ops < NODE_BATCH_OPS && b->bytes.len < NODE_BATCH_BYTES &&
	    cloud_take(cloud, n->index, TAKE_OPS, put_op, n) > 0)
		continue;
	b->keys = before - cloud_waiting(cloud, n->index);
	n->taken += b->keys;
	if (cloud_waiting(cloud, n->index) == 0) {
		n->waiting_ms = 0;
		node_event_all_taken(n);
	}
	b->covers = n->taken;
	if (b->bytes.failed) {
		counter_add(n->set->s.counters, COUNTER_NODE_KEYS_LEFT, b->keys);
		log_error("node %s: no memory for a batch: %u changes are lost", n->text,
		    b->ops);
		b->ops = 0;
	}
	if (b->ops == 0) {
		n->covered = n->taken;
		return false;
	}
	b->number = ++n->number;
	b->state = NODE_BATCH_KEPT;
	return true;
}

/*
 * Sending it
 */
static void
send_batch(struct node *n)
{
	struct node_batch *b = &n->batch;
	struct respbuf *out = node_say(n);
	char key[NODE_KEY], number[sizeof(n->known)];

	if (b->again) {
		counter_inc(n->set->s.counters, COUNTER_NODE_RESENT);
		n->resent++;
	}
	b->state = NODE_BATCH_SENT;
	n->refusal = NODE_FINE;
	node_words(out, "MULTI", NULL);
	if (!node_conn_write(&n->conn, out, 0) ||
	    !node_conn_write(&n->conn, &b->bytes, 0)) {
		node_lost(n, "no memory");
		return;
	}
	out = node_say(n);
	node_key(key, sizeof(key), n->id, ".seq");
	number_text(n->set, b->number, number, sizeof(number));
	node_words(out, "SET", key, number, NULL);
	node_words(out, "EXEC", NULL);
	node_words(out, "WATCH", key, NULL);
	node_words(out, "GET", key, NULL);
	node_expect(n, NODE_WANT_QUEUED, b->ops + 2);
	node_expect(n, NODE_WANT_EXEC, 1);
	node_expect(n, NODE_WANT_WATCH, 1);
	node_expect(n, NODE_WANT_NUMBER, 1);
	n->numbering = true;
	node_send(n);
}

void
node_batch_turn(struct node *n)
{
	bool open = window_open(n);

	if (n->state != NODE_READY || n->numbering || n->batch.state == NODE_BATCH_SENT)
		return;
	if (!n->set->decided || n->epoch != n->set->epoch) {
		node_fence(n); /* under another name */
		return;
	}
	if (n->batch.state == NODE_BATCH_NONE) {
		if (n->waiting_ms == 0) {
			node_event_all_taken(n);
			n->covered = n->taken;
		}
		if (!open || !build(n))
			return;
	}
	send_batch(n);
}

/*
 * Its answers
 */
static void
read_results(struct node *n, const redisReply *r)
{
	const struct node_batch *b = &n->batch;
	unsigned i;

	for (i = 0; i < b->ops; i++) {
		if (r->element[i]->type != REDIS_REPLY_ERROR)
			continue;
		counter_inc(n->set->s.counters, COUNTER_NODE_OP_ERRORS);
		node_text(n->error, sizeof(n->error), r->element[i]->str);
	}
	for (i = 0; i < b->nchecks; i++) {
		const struct node_check *c = &b->check[i];
		const redisReply *e = r->element[c->op];

		if (e->type != REDIS_REPLY_INTEGER || e->integer != c->delta)
			continue;
		counter_inc(n->set->s.counters, COUNTER_NODE_REARMED);
		cloud_rearm(n->set->cloud, b->bytes.buf + c->key, c->key_len);
	}
}

void
node_batch_exec(struct node *n, const redisReply *r)
{
	struct node_batch *b = &n->batch;

	if (r->type == REDIS_REPLY_ARRAY) {
		if (r->elements == b->ops + 1)
			read_results(n, r);
		committed(n);
		return;
	}
	b->state = NODE_BATCH_KEPT;
	if (r->type == REDIS_REPLY_NIL) {
		/* somebody wrote the number: find out who, then again */
		b->again = true;
		n->state = NODE_FENCING;
		n->due_ms = 0;
		return;
	}
	/* EXECABORT: nothing of it was done. Else ask the number. */
	if (r->type != REDIS_REPLY_ERROR || strncmp(r->str, "EXECABORT", 9) != 0)
		b->state = NODE_BATCH_DOUBT;
	counter_inc(n->set->s.counters, COUNTER_NODE_REFUSED);
	n->refusals++;
	failed(n, r);
}

void
node_batch_watch(struct node *n, const redisReply *r)
{
	if (r->type == REDIS_REPLY_ERROR && n->state == NODE_READY)
		node_refused(n, r);
}

/* Up, after a connection was made. */
static void
arrived(struct node *n)
{
	struct respbuf *b = node_say(n);
	unsigned i;

	n->up = true;
	n->up_ms = node_now();
	node_well(n, false);
	n->reconnects += n->ever;
	n->ever = true;
	n->beat_ms = 0;
	resp_head(b, '*', 2 + (int64_t)n->set->n);
	resp_bulk_text(b, "SADD");
	resp_bulk_text(b, "microcloud.nodes");
	for (i = 0; i < n->set->n; i++)
		resp_bulk_text(b, n->set->v[i].text);
	node_expect(n, NODE_WANT_NOTHING, 1);
	node_send(n);
}

void
node_batch_number(struct node *n, const redisReply *r)
{
	n->numbering = false;
	if (n->state == NODE_READY) {
		if (r->type != REDIS_REPLY_STRING || strcmp(r->str, n->known) != 0)
			n->state = NODE_FENCING; /* somebody wrote it before we watched */
		else if (!n->up)
			arrived(n);
	}
	node_turn(n);
}

void
node_batch_lost(struct node *n)
{
	if (n->batch.state == NODE_BATCH_SENT)
		n->batch.state = NODE_BATCH_DOUBT;
}

void
node_batch_clear(struct node_batch *b)
{
	respbuf_clear(&b->bytes);
	free(b->check);
	b->check = NULL;
}
