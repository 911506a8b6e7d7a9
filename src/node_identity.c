/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_identity.c -- under which name this probe writes: probe.<id>, a hash that lives
 * for 15 s after the last heartbeat, and its number probe.<id>.seq.
 *
 * The first node that is up decides, before the first batch: a heartbeat of another
 * instance is our predecessor's, who was killed, or of a probe that lives. Who lives
 * beats by and by, and at once when asked on its command channel; who is dead stops
 * being there. The first means another name (-2, -3, ...), the second that the name is
 * free. It is taken under WATCH, so of two that start at once one gets it and the other
 * looks again.
 *
 * Should two write under one name after all (they saw different nodes first, or one was
 * stopped for longer than its heartbeat lives), the number of one is overwritten: it
 * notices before its next batch, and looks for another name.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <event2/util.h>

#include "build.h"
#include "cloud.h"
#include "log.h"
#include "node_int.h"

void
nodes_identity_init(struct nodes *s)
{
	uint64_t random;

	evutil_secure_rng_get_bytes(&random, sizeof(random));
	snprintf(s->instance, sizeof(s->instance), "%016" PRIx64, random);
	snprintf(s->id, sizeof(s->id), "%s", s->s.config->probe_id);
	s->suffix = 1;
}

void
node_key(char *to, size_t size, const char *id, const char *suffix)
{
	snprintf(to, size, "probe.%s%s", id, suffix);
}

/* The name that is tried next. */
static void
candidate(const struct nodes *s, char *to, size_t size)
{
	if (s->suffix < 2)
		snprintf(to, size, "%s", s->s.config->probe_id);
	else
		snprintf(to, size, "%s-%u", s->s.config->probe_id, s->suffix);
}

static void
try_another(struct nodes *s)
{
	s->suffix++;
	s->other[0] = '\0';
}

/*
 * The heartbeat
 */
struct beat {
	struct respbuf pairs;
	int64_t n; /* words in it */
};

static void
put_text(void *to, const char *field, const char *value)
{
	struct beat *b = to;

	resp_bulk_text(&b->pairs, field);
	resp_bulk_text(&b->pairs, value);
	b->n += 2;
}

static void
put_number(struct beat *b, const char *field, uint64_t value)
{
	resp_bulk_text(&b->pairs, field);
	resp_bulk_number(&b->pairs, (int64_t)value);
	b->n += 2;
}

uint64_t
node_lag(const struct node *n)
{
	uint64_t now = node_now();

	if (n->batch.state != NODE_BATCH_NONE)
		return now > n->batch.since_ms ? now - n->batch.since_ms : 0;
	return cloud_lag(n->set->cloud, n->index);
}

/* What a heartbeat says. Others are asked for it: before anything is written. */
static void
beat_make(struct beat *b, const struct node *n)
{
	struct nodes *s = n->set;

	b->n = 0;
	respbuf_init(&b->pairs);
	put_text(b, "instance", s->instance);
	put_text(b, "version", PACKAGE_VERSION);
	if (s->s.heartbeat != NULL)
		s->s.heartbeat(s->s.arg, put_text, b);
	put_number(b, "lag_ms", node_lag(n));
	put_number(b, "merged", s->s.counters->v[COUNTER_CLOUD_MERGED]);
	put_number(b, "in_doubt", s->s.counters->v[COUNTER_NODE_IN_DOUBT]);
	put_number(b, "beat", ++s->beat);
}

/* HSET and EXPIRE of KEY into OUT: two replies. Clears B. */
static void
beat_say(struct beat *b, const struct nodes *s, struct respbuf *out, const char *key)
{
	char ttl[16];

	resp_head(out, '*', 2 + b->n);
	resp_bulk_text(out, "HSET");
	resp_bulk_text(out, key);
	resp_bytes(out, b->pairs.buf, b->pairs.len);
	if (b->pairs.failed)
		out->failed = true;
	respbuf_clear(&b->pairs);
	snprintf(ttl, sizeof(ttl), "%u", s->times.ttl_s);
	node_words(out, "EXPIRE", key, ttl, NULL);
}

/* The heartbeat, if it is still our own. */
static void
say_bye(struct node *n)
{
	struct respbuf *b = node_say(n);
	char key[NODE_KEY];

	node_key(key, sizeof(key), n->id, "");
	node_words(b, "EVAL",
	    "if redis.call('HGET', KEYS[1], 'instance') == ARGV[1] then "
	    "return redis.call('DEL', KEYS[1]) end return 0",
	    "1", key, n->set->instance, NULL);
	node_expect(n, NODE_WANT_BYE, 1);
	n->bye = true;
	node_send(n);
}

void
node_bye_reply(struct node *n, const redisReply *r)
{
	(void)r; /* an error: it goes by itself */
	n->bye = false;
	n->gone = true;
}

void
node_beat_turn(struct node *n)
{
	struct nodes *s = n->set;
	uint64_t now = node_now();
	struct beat beat;
	struct respbuf *b;
	char key[NODE_KEY];

	if (n->epoch == 0 || n->epoch != s->epoch || !s->decided || n->gone || n->bye)
		return;
	if (s->draining && n->state == NODE_READY && node_idle(n)) {
		say_bye(n);
		return;
	}
	if (now < n->beat_ms || n->nwants > NODE_WANTS / 2)
		return;
	n->beaten_ms = now;
	n->beat_ms = now + s->times.beat;
	beat_make(&beat, n);
	node_key(key, sizeof(key), n->id, "");
	b = node_say(n);
	beat_say(&beat, s, b, key);
	node_expect(n, NODE_WANT_NOTHING, 2);
	node_send(n);
}

/*
 * Whose name is it?
 */
void
node_claim_turn(struct node *n)
{
	struct nodes *s = n->set;
	struct respbuf *b;
	char id[NODE_ID], key[NODE_KEY], channel[NODE_KEY];

	if (s->decided) {
		node_fence(n);
		return;
	}
	if (s->looker == NULL) {
		s->looker = n;
		s->other[0] = '\0';
	}
	if (s->looker != n) {
		n->due_ms = node_now() + s->times.tick;
		return;
	}
	candidate(s, id, sizeof(id));
	node_key(key, sizeof(key), id, "");
	b = node_say(n);
	node_words(b, "UNWATCH", NULL);
	node_words(b, "WATCH", key, NULL);
	node_expect(n, NODE_WANT_NOTHING, 2);
	node_words(b, "HMGET", key, "instance", "beat", NULL);
	node_expect(n, NODE_WANT_LOOK, 1);
	if (s->other[0] != '\0') {
		snprintf(channel, sizeof(channel), "mcprobe.cmd.%s", id);
		node_words(b, "PUBLISH", channel, "BEAT", NULL);
		node_expect(n, NODE_WANT_NOTHING, 1);
	}
	node_send(n);
}

/* Take the name, unless somebody touches it meanwhile. */
static void
claim(struct node *n)
{
	struct respbuf *b;
	struct beat beat;
	char id[NODE_ID], key[NODE_KEY];

	candidate(n->set, id, sizeof(id));
	node_key(key, sizeof(key), id, "");
	beat_make(&beat, n);
	b = node_say(n);
	node_words(b, "MULTI", NULL);
	node_words(b, "DEL", key, NULL); /* a dead one's fields */
	beat_say(&beat, n->set, b, key);
	node_expect(n, NODE_WANT_QUEUED, 4);
	node_words(b, "EXEC", NULL);
	node_expect(n, NODE_WANT_CLAIM, 1);
	node_send(n);
}

/* Another's heartbeat: is it alive? */
static void
consider(struct node *n, const char *instance, const char *beat)
{
	struct nodes *s = n->set;
	uint64_t now = node_now();
	bool first = s->other[0] == '\0';

	if (!first && strcmp(s->other, instance) == 0 &&
	    strcmp(s->other_beat, beat) == 0) {
		/* still as it was: one that has no TTL would stay for ever */
		if (now - s->other_ms > s->times.dead) {
			claim(n);
			return;
		}
	} else if (!first || s->draining) {
		/* it beats; and the end does not wait to see whether it does */
		try_another(s);
		return;
	} else {
		snprintf(s->other, sizeof(s->other), "%s", instance);
		snprintf(s->other_beat, sizeof(s->other_beat), "%s", beat);
		s->other_ms = now;
	}
	if (s->draining) {
		try_another(s);
		return;
	}
	n->due_ms = now + s->times.look;
}

void
node_look_reply(struct node *n, const redisReply *r)
{
	struct nodes *s = n->set;
	char instance[sizeof(s->other)] = "", beat[sizeof(s->other_beat)] = "";

	if (n->state != NODE_CLAIMING || s->looker != n)
		return;
	if (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "WRONGTYPE", 9) == 0) {
		try_another(s);
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2) {
		node_refused(n, r);
		return;
	}
	if (r->element[0]->type == REDIS_REPLY_STRING)
		node_text(instance, sizeof(instance), r->element[0]->str);
	if (r->element[1]->type == REDIS_REPLY_STRING)
		node_text(beat, sizeof(beat), r->element[1]->str);
	if (instance[0] == '\0' || strcmp(instance, s->instance) == 0)
		claim(n);
	else
		consider(n, instance, beat);
}

void
node_claim_reply(struct node *n, const redisReply *r)
{
	struct nodes *s = n->set;
	char id[NODE_ID];

	if (n->state != NODE_CLAIMING || s->looker != n)
		return;
	if (r->type == REDIS_REPLY_NIL)
		return; /* somebody was faster: look again */
	if (r->type != REDIS_REPLY_ARRAY) {
		if (r->type != REDIS_REPLY_ERROR || strncmp(r->str, "EXECABORT", 9) != 0)
			n->in_multi = true;
		node_refused(n, r);
		return;
	}
	candidate(s, id, sizeof(id));
	if (s->suffix > 1)
		log_info("a probe lives as %s; this one is %s",
		    s->s.config->probe_id, id);
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->epoch++;
	s->decided = true;
	s->looker = NULL;
	n->refusal = NODE_FINE;
	node_fence(n);
}

void
node_conflict(struct node *n, const char *value)
{
	struct nodes *s = n->set;

	n->due_ms = 0;
	if (s->decided && n->epoch == s->epoch) {
		char text[64];

		counter_inc(s->s.counters, COUNTER_NODE_CONFLICTS);
		node_text(text, sizeof(text), value);
		log_warn("node %s: another probe writes as %s (%s): this one takes "
			 "another name", n->text, s->id, text);
		s->decided = false;
		s->looker = n;
		try_another(s);
	}
	/* or the name was given up already */
	n->state = NODE_CLAIMING;
}
