/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * liveset.c -- a question goes to one worker (a page) or to all of them (a flow), and
 * is forgotten when all it lent out has come back, whoever still wants to know. A
 * position is (worker << 32 | slot) + 1. Workers that have ended know of no flows.
 */
#include "liveset.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "clock.h"
#include "ring.h"
#include "worker.h"

#define TURN_US 2000

struct question {
	LIST_ENTRY(question) link;
	uint64_t ticket;
	alive_found *found; /* one of the two; NULL: told, or nobody wants to know */
	alive_paged *paged;
	void *arg;
	unsigned out;		  /* commands that are not back */
	unsigned worker;	  /* whose page */
	struct worker_find *find; /* owned, one for each worker; or */
	struct worker_page *page; /* owned */
};

struct alive {
	struct worker *const *workers; /* borrowed */
	unsigned n;
	unsigned next; /* whose answers are taken first */
	unsigned open;
	uint64_t tickets;
	LIST_HEAD(, question) questions;
};

struct alive *
alive_new(struct worker *const *workers, unsigned n)
{
	struct alive *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->workers = workers;
	a->n = n;
	LIST_INIT(&a->questions);
	return a;
}

static void
question_free(struct question *q)
{
	free(q->find);
	free(q->page);
	free(q);
}

static void
alive_close(struct alive *a, struct question *q)
{
	LIST_REMOVE(q, link);
	a->open--;
}

void
alive_free(struct alive *a)
{
	struct question *q;

	if (a == NULL)
		return;
	while ((q = LIST_FIRST(&a->questions)) != NULL) {
		alive_close(a, q);
		question_free(q);
	}
	free(a);
}

/* Workers are made one after the other. */
static bool
alive_ready(const struct alive *a)
{
	return a->n > 0 && a->workers[a->n - 1] != NULL && a->open < WORKER_COMMANDS;
}

static uint64_t
alive_open(struct alive *a, struct question *q, void *arg)
{
	q->ticket = ++a->tickets;
	q->arg = arg;
	LIST_INSERT_HEAD(&a->questions, q, link);
	a->open++;
	return q->ticket;
}

static void
alive_lend(
    struct alive *a, struct question *q, unsigned worker, struct worker_command *c)
{
	c->owner = q;
	q->out++;
	worker_ask(a->workers[worker], c);
}

uint64_t
alive_find(struct alive *a, const struct flowkey *key, alive_found *cb, void *arg)
{
	struct question *q;
	uint64_t ticket;
	unsigned i;

	if (!alive_ready(a))
		return 0;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return 0;
	/* records want whole cache lines */
	q->find = ring_calloc(a->n, sizeof(*q->find));
	if (q->find == NULL) {
		question_free(q);
		return 0;
	}
	q->found = cb;
	ticket = alive_open(a, q, arg);
	for (i = 0; i < a->n; i++) {
		q->find[i].command.kind = WORKER_FIND;
		q->find[i].key = *key;
		alive_lend(a, q, i, &q->find[i].command);
	}
	return ticket;
}

uint64_t
alive_page(struct alive *a, uint64_t position, alive_paged *cb, void *arg)
{
	uint64_t at = position > 0 ? position - 1 : 0;
	struct question *q;
	uint64_t ticket;

	if (!alive_ready(a))
		return 0;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return 0;
	q->page = malloc(sizeof(*q->page));
	if (q->page == NULL) {
		question_free(q);
		return 0;
	}
	q->page->command = (struct worker_command){.kind = WORKER_PAGE};
	q->page->slot = (uint32_t)at;
	q->page->more = false;
	q->page->n = 0;
	q->worker = a->n - 1;
	if (at >> 32 < a->n)
		q->worker = (unsigned)(at >> 32);
	else
		q->page->slot = UINT32_MAX; /* no position of ours: beyond the end */
	q->paged = cb;
	ticket = alive_open(a, q, arg);
	alive_lend(a, q, q->worker, &q->page->command);
	return ticket;
}

void
alive_forget(struct alive *a, uint64_t ticket)
{
	struct question *q;

	LIST_FOREACH(q, &a->questions, link)
		if (q->ticket == ticket) {
			q->found = NULL;
			q->paged = NULL;
			return;
		}
}

uint32_t
alive_count(const struct alive *a)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < a->n; i++)
		if (a->workers[i] != NULL)
			sum += worker_alive(a->workers[i]);
	return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

static uint64_t
question_next(const struct alive *a, const struct question *q)
{
	if (q->page->more)
		return ((uint64_t)q->worker << 32 | q->page->slot) + 1;
	return q->worker + 1 < a->n ? ((uint64_t)(q->worker + 1) << 32) + 1 : 0;
}

/* A command is back. The callee may ask, and forget, what it likes. */
static void
alive_back(struct alive *a, struct worker_command *c)
{
	struct question *q = c->owner;
	alive_found *found = q->found;
	const struct alive_flow *flow = NULL;
	bool last = --q->out == 0;

	if (c->kind == WORKER_FIND && ((struct worker_find *)c)->found)
		flow = &((struct worker_find *)c)->flow;
	if (last)
		alive_close(a, q);
	if (found != NULL && (flow != NULL || last)) {
		q->found = NULL;
		found(q->arg, flow);
	}
	if (q->paged != NULL)
		q->paged(q->arg, q->page->name, q->page->n, question_next(a, q));
	if (last)
		question_free(q);
}

bool
alive_answers(struct alive *a)
{
	uint64_t until = clock_us(CLOCK_MONOTONIC) + TURN_US;
	struct worker_command *c;
	struct worker *w;
	unsigned i;

	for (i = 0; i < a->n; i++) {
		w = a->workers[a->next];
		/* the next call begins with the next one */
		a->next = (a->next + 1) % a->n;
		while (w != NULL && (c = worker_answer(w)) != NULL) {
			alive_back(a, c);
			if (clock_us(CLOCK_MONOTONIC) >= until)
				return true;
		}
	}
	return false;
}
