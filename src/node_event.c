/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_event.c -- events of one node. An event speaks of keys, so it goes after the
 * batch that has them: keys are taken in the order in which they began to wait, so what
 * was taken or waited when it was published is a place in that order, and the event may
 * go when a committed batch reaches that place (covered).
 *
 * Sent at most once. Bounded: the oldest give way. What the connection swallowed counts
 * as lost.
 */
#include <stdlib.h>
#include <string.h>

#include "cloud.h"
#include "node_int.h"

#define UNSENT_MAX (256 << 10) /* bytes handed to the connection at once */

static void
count_lost(struct node *n, uint64_t events)
{
	counter_add(n->set->s.counters, COUNTER_NODE_EVENTS_LOST, events);
	n->lost += events;
}

static void
drop_first(struct node *n)
{
	struct node_event *e = STAILQ_FIRST(&n->events);

	STAILQ_REMOVE_HEAD(&n->events, entry);
	n->nevents--;
	n->event_bytes -= e->len;
	free(e);
}

void
node_event_put(struct node *n, const struct respbuf *bytes, bool urgent)
{
	struct node_event *e;

	if (bytes->failed || bytes->len > NODE_EVENTS_BYTES ||
	    (e = malloc(sizeof(*e) + bytes->len)) == NULL) {
		count_lost(n, 1);
		return;
	}
	memcpy(e->bytes, bytes->buf, bytes->len);
	e->len = bytes->len;
	e->after = urgent ? 0 : n->taken + cloud_waiting_most(n->set->cloud, n->index);
	if (!urgent && e->after < n->last_after)
		e->after = n->last_after; /* fewer keys came of what was put */
	if (!urgent)
		n->last_after = e->after;
	while (n->nevents >= NODE_EVENTS_MAX ||
	    (n->nevents > 0 && n->event_bytes + e->len > NODE_EVENTS_BYTES)) {
		drop_first(n);
		count_lost(n, 1);
	}
	if (urgent)
		STAILQ_INSERT_HEAD(&n->events, e, entry);
	else
		STAILQ_INSERT_TAIL(&n->events, e, entry);
	n->nevents++;
	n->event_bytes += e->len;
}

void
node_event_all_taken(struct node *n)
{
	if (n->taken < n->last_after)
		n->taken = n->last_after;
}

/* Send what may go. */
void
node_event_turn(struct node *n)
{
	struct node_event *e;
	struct respbuf *b;
	unsigned count = 0;

	if (n->state != NODE_READY || !n->up || n->nwants > NODE_WANTS / 2)
		return;
	b = node_say(n);
	while ((e = STAILQ_FIRST(&n->events)) != NULL && e->after <= n->covered &&
	    n->events_owed < NODE_EVENTS_MAX &&
	    b->len + node_conn_unsent(&n->conn) < UNSENT_MAX) {
		resp_bytes(b, e->bytes, e->len);
		if (b->failed)
			break;
		drop_first(n);
		n->events_owed++;
		count++;
	}
	if (count == 0)
		return;
	b->failed = false; /* what is in it is whole */
	node_expect(n, NODE_WANT_EVENT, count);
	node_send(n);
}

void
node_event_reply(struct node *n, const redisReply *r)
{
	n->events_owed--;
	if (r->type == REDIS_REPLY_ERROR) {
		node_text(n->error, sizeof(n->error), r->str);
		count_lost(n, 1);
		return;
	}
	counter_inc(n->set->s.counters, COUNTER_NODE_EVENTS);
	n->sent++;
	if (n->events_owed == 0)
		node_event_turn(n);
}

void
node_event_lost(struct node *n)
{
	count_lost(n, n->events_owed);
	n->events_owed = 0;
}

void
node_event_clear(struct node *n)
{
	count_lost(n, n->nevents);
	while (n->nevents > 0)
		drop_first(n);
}
