/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_start.c -- the one time the room blocks: before anything runs, each node is
 * asked what it is, so that a list that cannot work is refused at once. Who does not
 * answer is no mistake: it may come later, and is looked at again then (node_link.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "node_int.h"

#define ANSWER_S 1    /* a node has to connect, and again to answer */
#define ALL_MS	 3000 /* after so long no further one is asked */

static redisReply *
question(redisContext *c, const struct nodes *s)
{
	const char *user = s->s.config->redis_user;
	const char *password = s->password != NULL ? s->password : "";

	/* a wrong password is told of later, when it is tried in earnest */
	if (user != NULL)
		freeReplyObject(redisCommand(c, "AUTH %s %s", user, password));
	else if (s->password != NULL)
		freeReplyObject(redisCommand(c, "AUTH %s", password));
	return c->err == 0 ? redisCommand(c, "INFO") : NULL;
}

static redisReply *
ask(struct node *n, uint64_t end)
{
	const struct redis_address *a = &n->target;
	const struct nodes *s = n->set;
	static const struct timeval limit = {ANSWER_S, 0};
	redisReply *r = NULL;
	redisContext *c;

	c = a->path != NULL ? redisConnectUnixWithTimeout(a->path, limit)
			    : redisConnectWithTimeout(a->host, a->port, limit);
	if (c != NULL && c->err == 0 && redisSetTimeout(c, limit) == REDIS_OK)
		r = question(c, s);
	if (r != NULL && s->s.watch != NULL)
		node_watch_first(n, c, end);
	if (c != NULL)
		redisFree(c);
	if (r != NULL && r->type != REDIS_REPLY_STRING) {
		freeReplyObject(r);
		r = NULL;
	}
	return r;
}

static void
take_run_id(struct node *n, const redisReply *r)
{
	const char *p = strstr(r->str, "\nrun_id:");

	if (p != NULL)
		snprintf(n->run_id, sizeof(n->run_id), "%.*s",
		    (int)strcspn(p + 8, "\r\n"), p + 8);
}

/* Can N be one of the nodes? */
static int
judge(struct nodes *s, struct node *n, const redisReply *r, char *err, size_t errlen)
{
	unsigned i;

	if (strstr(r->str, "\ncluster_enabled:1") != NULL) {
		snprintf(err, errlen, "%s is a Redis Cluster; name independent Redis "
		    "servers instead, keys are spread over them here", n->text);
		return -1;
	}
	take_run_id(n, r);
	for (i = 0; i < n->index; i++) {
		if (n->run_id[0] == '\0' || strcmp(s->v[i].run_id, n->run_id) != 0)
			continue;
		snprintf(err, errlen, "%s and %s are the same server", s->v[i].text,
		    n->text);
		return -1;
	}
	return 0;
}

int
nodes_question(struct nodes *s, char *err, size_t errlen)
{
	uint64_t end = node_now() + ALL_MS;
	int rc = 0;
	unsigned i;

	/* sentinels do not watch clusters */
	if (s->s.config->sentinel_master != NULL)
		return 0;
	for (i = 0; rc == 0 && i < s->n && node_now() < end; i++) {
		/* hiredis 0.14 knows no TLS: such a node is looked at when it is connected to */
		redisReply *r = s->v[i].target.tls ? NULL : ask(&s->v[i], end);

		if (r != NULL)
			rc = judge(s, &s->v[i], r, err, errlen);
		freeReplyObject(r);
	}
	/* what they were then is not what was written to */
	for (i = 0; i < s->n; i++)
		s->v[i].run_id[0] = '\0';
	return rc;
}
