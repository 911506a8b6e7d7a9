/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_sentinel.c -- where is the master? Sentinels are asked one after the other, from
 * the one that answered last; then the master itself is asked whether it is one (INFO,
 * see node_link.c), because sentinels learn late. They are asked again for every
 * connection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_int.h"

static void
ask_next(struct node *n, const char *why)
{
	const struct redis_list *l = &n->set->s.config->sentinels;

	node_conn_close(&n->ask);
	if (n->asked == l->n) {
		node_lost(n, why);
		return;
	}
	n->sentinel = (n->sentinel + (n->asked > 0)) % l->n;
	n->asked++;
	node_conn_open(&n->ask, &l->v[n->sentinel]);
}

void
node_sentinel_ask(struct node *n)
{
	n->state = NODE_RESOLVING;
	n->asked = 0;
	ask_next(n, "");
}

/* node_conn_calls.open */
static void
sentinel_open(void *arg)
{
	struct node *n = arg;
	struct respbuf *b = node_say(n);

	node_words(b, "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
	    n->set->s.config->sentinel_master, NULL);
	if (!node_conn_write(&n->ask, b, 1))
		ask_next(n, "no memory");
}

/* Host and port, as a sentinel tells them. False: they are none. */
static bool
take_address(struct node *n, const redisReply *r)
{
	const redisReply *host, *port;
	char *end;
	long number;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2)
		return false;
	host = r->element[0];
	port = r->element[1];
	if (host->type != REDIS_REPLY_STRING || port->type != REDIS_REPLY_STRING ||
	    host->len == 0 || host->len >= sizeof(n->master))
		return false;
	number = strtol(port->str, &end, 10);
	if (*end != '\0' || number < 1 || number > 65535)
		return false;
	node_text(n->master, sizeof(n->master), host->str);
	n->target.host = n->master;
	n->target.port = (int)number;
	return true;
}

/* node_conn_calls.reply */
static void
sentinel_reply(void *arg, const redisReply *r)
{
	struct node *n = arg;
	char why[NODE_ERROR];

	if (take_address(n, r)) {
		node_conn_close(&n->ask);
		node_connect(n);
		return;
	}
	if (r->type == REDIS_REPLY_ERROR)
		snprintf(why, sizeof(why), "sentinel %s: %s",
		    n->set->s.config->sentinels.v[n->sentinel].text, r->str);
	else
		snprintf(why, sizeof(why), "sentinel %s does not know it",
		    n->set->s.config->sentinels.v[n->sentinel].text);
	ask_next(n, why);
}

/* node_conn_calls.lost */
static void
sentinel_lost(void *arg, const char *text)
{
	struct node *n = arg;
	char why[NODE_ERROR];

	snprintf(why, sizeof(why), "sentinel %s: %s",
	    n->set->s.config->sentinels.v[n->sentinel].text, text);
	ask_next(n, why);
}

void
node_sentinel_init(struct node *n)
{
	static const struct node_conn_calls calls = {sentinel_open, sentinel_reply,
		sentinel_lost};

	node_conn_init(&n->ask, n->set, &calls, n);
}
