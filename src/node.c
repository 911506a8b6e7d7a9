/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.c -- the set of nodes. Owns them all; a tick looks at each, everything else is
 * driven by what they answer.
 */
#include "node.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <xxhash.h>

#include "cloud.h"
#include "log.h"
#include "node_int.h"
#include "tls.h"
#include "watch.h"

static const struct node_times times_default = {
	.tick = 25,
	.connect = 3000,
	.ack = 3000,
	.retry_min = 100,
	.retry_max = 5000,
	.window = 100,
	.beat = 5000,
	.poll = 1000,
	.whole = 10000,
	.look = 200,
	.dead = 20000,
	.loading = 250,
	.replica = 1000,
	.full_min = 1000,
	.full_max = 5000,
	.rights = 30000,
	.ttl_s = 15,
};

struct node_times *
nodes_times(struct nodes *s)
{
	return &s->times;
}

/*
 * Making
 */
static int
reason(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
reason(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return -1;
}

/* The text of the one node that sentinels know: MASTER@SENTINEL,SENTINEL,... */
static char *
sentinel_text(const struct config *c)
{
	size_t size = strlen(c->sentinel_master) + 2;
	char *text;
	unsigned i;

	for (i = 0; i < c->sentinels.n; i++)
		size += strlen(c->sentinels.v[i].text) + 1;
	text = malloc(size);
	if (text == NULL)
		return NULL;
	strcpy(text, c->sentinel_master);
	for (i = 0; i < c->sentinels.n; i++) {
		strcat(text, i == 0 ? "@" : ",");
		strcat(text, c->sentinels.v[i].text);
	}
	return text;
}

static int
make_node(struct nodes *s, const struct redis_address *a)
{
	struct node *n = &s->v[s->n];

	n->set = s;
	n->index = s->n;
	n->text = a != NULL ? strdup(a->text) : sentinel_text(s->s.config);
	if (n->text == NULL)
		return -1;
	if (a != NULL)
		n->target = *a;
	n->seed = XXH3_64bits(n->text, strlen(n->text));
	n->state = NODE_WAITING;
	STAILQ_INIT(&n->events);
	node_link_init(n);
	node_sentinel_init(n);
	node_command_init(n);
	node_watch_init(n);
	s->n++;
	return 0;
}

static int
make_nodes(struct nodes *s, char *err, size_t errlen)
{
	const struct config *c = s->s.config;
	unsigned i, j, n = c->sentinel_master != NULL ? 1 : c->redis.n;

	if (n == 0 || n > CLOUD_NODES_MAX)
		return reason(err, errlen, "1 to %d nodes", CLOUD_NODES_MAX);
	for (i = 0; i < n && c->sentinel_master == NULL; i++)
		for (j = 0; j < i; j++)
			if (strcmp(c->redis.v[i].text, c->redis.v[j].text) == 0)
				return reason(err, errlen, "node %s is named twice",
				    c->redis.v[i].text);
	s->v = calloc(n, sizeof(*s->v));
	for (i = 0; s->v != NULL && i < n; i++)
		if (make_node(s, c->sentinel_master != NULL ? NULL : &c->redis.v[i]) < 0)
			break;
	return s->n == n ? 0 : reason(err, errlen, "no memory");
}

static int
init(struct nodes *s, char *err, size_t errlen)
{
	const struct config *c = s->s.config;
	unsigned i;

	respbuf_init(&s->out);
	s->times = times_default;
	nodes_identity_init(s);
	if (c->redis_password_file != NULL) {
		s->password = config_secret("--redis-password-file", c->redis_password_file, err, errlen);
		if (s->password == NULL)
			return -1;
	}
	if (make_nodes(s, err, errlen) < 0)
		return -1;
	for (i = 0; s->tls == NULL && i < c->redis.n; i++)
		if (c->redis.v[i].tls &&
		    (s->tls = tls_client_new(c->tls_ca, c->tls_cert, c->tls_key, err,
			 errlen)) == NULL)
			return -1;
	return nodes_question(s, err, errlen);
}

struct nodes *
nodes_new(const struct nodes_setup *setup, char *err, size_t errlen)
{
	struct nodes *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		reason(err, errlen, "no memory");
		return NULL;
	}
	s->s = *setup;
	if (init(s, err, errlen) < 0) {
		nodes_free(s);
		return NULL;
	}
	return s;
}

void
nodes_cloud(struct nodes *s, struct cloud *cloud)
{
	s->cloud = cloud;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct nodes *s = arg;
	unsigned i;

	(void)fd;
	(void)what;
	for (i = 0; i < s->n; i++) {
		node_turn(&s->v[i]);
		node_command_turn(&s->v[i]);
		node_watch_turn(&s->v[i]);
	}
}

int
nodes_start(struct nodes *s)
{
	const struct timeval tv = {s->times.tick / 1000,
		(suseconds_t)(s->times.tick % 1000) * 1000};
	unsigned i;

	s->tick = event_new(s->s.base, -1, EV_PERSIST, on_tick, s);
	if (s->tick == NULL || event_add(s->tick, &tv) < 0)
		return -1;
	for (i = 0; i < s->n; i++) {
		s->v[i].retry_ms = s->v[i].command.retry_ms = s->times.retry_min;
		s->v[i].full_ms = s->times.full_min;
		node_turn(&s->v[i]);
	}
	return 0;
}

static void
disconnect(struct node *n)
{
	node_conn_close(&n->conn);
	node_conn_close(&n->ask);
	node_conn_close(&n->command.conn);
	node_watch_close(n);
}

void
nodes_free(struct nodes *s)
{
	unsigned i;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++)
		disconnect(&s->v[i]);
	node_conn_end_dns(s);
	tls_free(s->tls);
	for (i = 0; i < s->n; i++) {
		node_event_clear(&s->v[i]);
		node_batch_clear(&s->v[i].batch);
		free(s->v[i].text);
	}
	free(s->v);
	if (s->tick != NULL)
		event_free(s->tick);
	if (s->password != NULL)
		explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	if (s->out.buf != NULL)
		explicit_bzero(s->out.buf, s->out.cap); /* it held the password */
	respbuf_clear(&s->out);
	free(s);
}

/*
 * Whose?
 */
unsigned
nodes_count(const struct nodes *s)
{
	return s->n;
}

unsigned
nodes_of(void *arg, const char *key, size_t len)
{
	const struct nodes *s = arg;
	uint64_t score, best = 0;
	unsigned i, found = 0;

	if (s->n == 1)
		return 0;
	for (i = 0; i < s->n; i++) {
		score = XXH3_64bits_withSeed(key, len, s->v[i].seed);
		if (i == 0 || score > best) {
			best = score;
			found = i;
		}
	}
	return found;
}

const char *
nodes_probe_id(const struct nodes *s)
{
	return s->id;
}

void
nodes_publish(void *arg, const char *channel, size_t clen, const void *msg, size_t len)
{
	struct nodes *s = arg;
	unsigned i;

	if (s->ended) {
		counter_add(s->s.counters, COUNTER_NODE_EVENTS_LOST, s->n);
		return;
	}
	for (i = 0; i < s->n; i++) {
		struct respbuf *b = node_say(&s->v[i]);

		resp_head(b, '*', 3);
		resp_bulk_text(b, "PUBLISH");
		resp_bulk(b, channel, clen);
		resp_bulk(b, msg, len);
		node_event_put(&s->v[i], b, false);
	}
}

/*
 * The end
 */
bool
node_idle(const struct node *n)
{
	return n->batch.state == NODE_BATCH_NONE && n->nevents == 0 &&
	    n->events_owed == 0 && cloud_waiting(n->set->cloud, n->index) == 0;
}

void
nodes_drain(struct nodes *s)
{
	uint64_t soon = node_now() + s->times.retry_max;
	unsigned i;

	s->draining = true;
	for (i = 0; i < s->n; i++) {
		struct node *n = &s->v[i];

		if (n->state == NODE_CLAIMING)
			n->due_ms = 0;
		else if (n->due_ms > soon)
			n->due_ms = soon;
		node_turn(n);
	}
}

bool
nodes_settled(const struct nodes *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		const struct node *n = &s->v[i];

		if (!node_idle(n) || (n->state == NODE_READY && !n->gone))
			return false;
	}
	return true;
}

void
nodes_end(struct nodes *s)
{
	unsigned i;

	if (s->ended)
		return;
	s->ended = true;
	if (s->tick != NULL)
		event_del(s->tick);
	for (i = 0; i < s->n; i++) {
		struct node *n = &s->v[i];
		uint64_t keys = cloud_waiting(s->cloud, i);

		disconnect(n);
		node_event_lost(n);
		node_event_clear(n);
		counter_add(s->s.counters, COUNTER_NODE_KEYS_LEFT, keys);
		if (n->batch.state != NODE_BATCH_NONE)
			counter_inc(s->s.counters, COUNTER_NODE_BATCHES_LEFT);
		if (keys > 0 || n->batch.state != NODE_BATCH_NONE)
			log_warn("node %s: it has not taken %" PRIu64
				 " keys and %d batches: %s", n->text, keys,
			    n->batch.state != NODE_BATCH_NONE,
			    n->error[0] != '\0' ? n->error : "no time");
	}
}

/*
 * INFO
 */
static void
line(struct respbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
line(struct respbuf *b, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	resp_bytes(b, text,
	    (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
	resp_bytes(b, "\r\n", 2);
}

static const char *
state_name(const struct node *n)
{
	if (n->due_ms > node_now() && n->state != NODE_READY &&
	    n->state != NODE_CLAIMING)
		return "waiting";
	switch (n->state) {
	case NODE_WAITING:
		return "waiting";
	case NODE_RESOLVING:
	case NODE_CONNECTING:
		return "connecting";
	case NODE_AUTH:
	case NODE_ASKING:
		return "auth";
	case NODE_CLAIMING:
	case NODE_FENCING:
		return "fencing";
	case NODE_READY:
		return "ready";
	}
	return "";
}

/* What it has on its lists. */
static void
info_watch(const struct node *n, struct respbuf *b)
{
	struct watch_stats stats;
	size_t left_out = 0;
	unsigned i;

	for (i = 0; i < WATCH_LISTS; i++) {
		watch_stats(n->set->s.watch, n->index, i, &stats);
		line(b, "%s:%zu", watch_key(i), stats.entries);
		left_out += stats.left_out;
	}
	line(b, "watch.left_out:%zu", left_out);
	line(b, "watch.error:%s", n->watch.error);
}

static void
info(const struct node *n, struct respbuf *b)
{
	const struct nodes *s = n->set;

	line(b, "# Node%u", n->index);
	line(b, "address:%s", n->text);
	if (s->s.config->sentinel_master != NULL)
		line(b, "master:%s:%d", n->master, n->target.port);
	line(b, "state:%s", state_name(n));
	line(b, "id:%s", s->decided ? s->id : "");
	line(b, "keys_waiting:%" PRIu64, cloud_waiting(s->cloud, n->index));
	line(b, "lag_ms:%" PRIu64, node_lag(n));
	line(b, "batches:%" PRIu64, n->batches);
	line(b, "commands:%" PRIu64, n->commands);
	line(b, "in_doubt:%" PRIu64, n->in_doubt);
	line(b, "resent:%" PRIu64, n->resent);
	line(b, "refused:%" PRIu64, n->refusals);
	line(b, "rollbacks:%" PRIu64, n->rollbacks);
	line(b, "events:%" PRIu64, n->sent);
	line(b, "events_waiting:%u", n->nevents);
	line(b, "events_lost:%" PRIu64, n->lost);
	line(b, "requests_ignored:%" PRIu64, n->command.ignored);
	line(b, "reconnects:%" PRIu64, n->reconnects);
	if (s->s.watch != NULL)
		info_watch(n, b);
	line(b, "last_error:%s", n->error);
}

void
nodes_info(const struct nodes *s, struct respbuf *b)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		info(&s->v[i], b);
}
