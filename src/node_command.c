/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_command.c -- the command channel: a connection that is subscribed to
 *
 *	mcprobe.cmd.<id>	to this probe
 *	mcprobe.cmd.all		to all
 *	watch.changed		the lists of what is watched have changed
 *
 * A request is plain text, and so is its answer, published on mcprobe.reply.<id>
 * through the write channel of the same node. BEAT is answered by a heartbeat: who
 * wants to be called <id> asks with it whether somebody is (node_identity.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_int.h"

#define REQUEST_MAX 4096

static void
rest(struct node *n, unsigned ms)
{
	struct node_command *c = &n->command;

	node_conn_close(&c->conn);
	c->due_ms = node_now() + ms;
}

/* node_conn_calls.lost */
static void
command_lost(void *arg, const char *why)
{
	struct node *n = arg;
	struct node_command *c = &n->command;

	(void)why; /* the write channel tells of the node */
	rest(n, c->retry_ms);
	c->retry_ms = c->retry_ms * 2 > n->set->times.retry_max ? n->set->times.retry_max
								: c->retry_ms * 2;
}

/* node_conn_calls.open */
static void
command_open(void *arg)
{
	struct node *n = arg;
	struct nodes *s = n->set;
	struct respbuf *b = node_say(n);
	char own[NODE_KEY];
	unsigned replies;

	replies = node_login(s, b);
	snprintf(own, sizeof(own), "mcprobe.cmd.%s", s->id);
	node_words(b, "SUBSCRIBE", own, "mcprobe.cmd.all", "watch.changed", NULL);
	n->command.epoch = s->epoch;
	n->command.ping_ms = node_now() + s->times.beat;
	if (!node_conn_write(&n->command.conn, b, replies + 3))
		command_lost(n, "");
	else
		node_watch_changed(n); /* while nobody listened */
}

/* Answer a request, on the node it came from. */
static void
answer(struct node *n, const char *request, size_t len)
{
	struct nodes *s = n->set;
	struct respbuf reply, *b;
	char channel[NODE_KEY];

	if (len == 4 && memcmp(request, "BEAT", 4) == 0) {
		/* however often it is asked */
		if (n->beat_ms > n->beaten_ms + s->times.look / 2)
			n->beat_ms = n->beaten_ms + s->times.look / 2;
		node_turn(n);
		return;
	}
	if (len > REQUEST_MAX) {
		n->command.ignored++;
		return;
	}
	if (s->s.command == NULL)
		return;
	respbuf_init(&reply);
	s->s.command(s->s.arg, request, len, &reply);
	snprintf(channel, sizeof(channel), "mcprobe.reply.%s", s->id);
	b = node_say(n);
	resp_head(b, '*', 3);
	resp_bulk_text(b, "PUBLISH");
	resp_bulk_text(b, channel);
	resp_bulk(b, reply.buf, reply.failed ? 0 : reply.len);
	respbuf_clear(&reply);
	node_event_put(n, b, true);
	node_event_turn(n);
}

/* node_conn_calls.reply */
static void
command_reply(void *arg, const redisReply *r)
{
	struct node *n = arg;
	const redisReply *kind, *channel, *text;

	if (r->type == REDIS_REPLY_ERROR) {
		/* the write channel will have said why */
		if (node_classify(r->str) == NODE_RIGHTS)
			rest(n, n->set->times.rights);
		else
			command_lost(n, r->str);
		return;
	}
	n->command.retry_ms = n->set->times.retry_min;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 3)
		return; /* a PONG */
	kind = r->element[0];
	channel = r->element[1];
	text = r->element[2];
	if (kind->type != REDIS_REPLY_STRING || strcmp(kind->str, "message") != 0 ||
	    channel->type != REDIS_REPLY_STRING || text->type != REDIS_REPLY_STRING)
		return;
	if (strncmp(channel->str, "mcprobe.cmd.", 12) == 0)
		answer(n, text->str, text->len);
	else
		node_watch_changed(n);
}

void
node_command_init(struct node *n)
{
	static const struct node_conn_calls calls = {command_open, command_reply,
		command_lost};

	node_conn_init(&n->command.conn, n->set, &calls, n);
	n->command.retry_ms = n->set->times.retry_min;
}

void
node_command_close(struct node *n)
{
	rest(n, 0);
}

void
node_command_turn(struct node *n)
{
	struct node_command *c = &n->command;
	struct nodes *s = n->set;
	uint64_t now = node_now();
	struct respbuf *b;

	node_conn_check(&c->conn, now);
	/* the name was given up, or is another now */
	if (c->conn.state == NODE_CONN_OPEN && (c->epoch != s->epoch || !s->decided))
		node_command_close(n);
	if (c->conn.state == NODE_CONN_CLOSED) {
		if (s->decided && n->up && now >= c->due_ms)
			node_conn_open(&c->conn, &n->target);
		return;
	}
	if (c->conn.state != NODE_CONN_OPEN || now < c->ping_ms)
		return;
	c->ping_ms = now + s->times.beat;
	b = node_say(n);
	node_words(b, "PING", NULL);
	if (!node_conn_write(&c->conn, b, 1))
		command_lost(n, "");
}
