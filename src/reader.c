/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.c -- questions: which keys they need, what the cache knows of these, what must
 * be looked up, and whose answer is complete. A question is answered as soon as its
 * first existing key is certain: all keys before that one are known to be missing.
 *
 * A question costs 200 bytes until its answer, READER_OPEN_MAX are 13 MB; what it waits
 * for is in reader_int.h. Asking costs a hash per key, and a lock if it must be looked
 * up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "clock.h"
#include "config.h"
#include "reader_int.h"

struct question;

/* One key of a question. */
struct waiter {
	struct question *question;
	struct lookup *lookup;	   /* a reference */
	TAILQ_ENTRY(waiter) next;  /* of LOOKUP's, while that is under way */
	bool waiting;		   /* in that list */
};

struct question {
	reader_cb *cb;
	void *arg;
	unsigned n;
	struct waiter key[READER_KEYS];
	TAILQ_ENTRY(question) next;
};

struct reader {
	struct reader_setup setup;
	struct links *links;
	struct event *back; /* the thread's answers */
	struct reader_cache cache;
	TAILQ_HEAD(, question) open;
	unsigned nopen, asking;
	uint64_t older_ms; /* tests: what the clock is ahead */
	struct reader_stats stats;
};

static uint64_t
clock_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

static uint64_t
cache_ms(const struct reader *r)
{
	return clock_ms() + r->older_ms;
}

void
reader_age(struct reader *r, uint64_t ms)
{
	r->older_ms += ms;
}

/* The answer to Q, if it is certain by now. False: wait. */
static bool
decide(const struct question *q, struct reader_answer *a)
{
	const struct lookup *l;
	unsigned i;

	a->known = true;
	a->found = false;
	a->which = 0;
	a->len = 0;
	a->value[0] = '\0';
	for (i = 0; i < q->n; i++) {
		l = q->key[i].lookup;
		if (l->under_way)
			return false;
		if (l->result == LOOKUP_MISSING)
			continue;
		if (l->result == LOOKUP_UNKNOWN) {
			a->known = false;
			return true;
		}
		a->found = true;
		a->which = i;
		a->len = l->len;
		memcpy(a->value, l->value, l->len + 1);
		return true;
	}
	return true;
}

/* Q waits for nothing any more, and holds nothing. */
static void
let_go(struct question *q)
{
	for (unsigned i = 0; i < q->n; i++) {
		struct waiter *w = &q->key[i];

		if (w->waiting)
			TAILQ_REMOVE(&w->lookup->waiters, w, next);
		if (w->lookup != NULL)
			lookup_put(w->lookup);
	}
}

static void
drop(struct reader *r, struct question *q)
{
	let_go(q);
	TAILQ_REMOVE(&r->open, q, next);
	r->nopen--;
	free(q);
}

static void
count_answer(struct reader *r, const struct reader_answer *a)
{
	if (!a->known) {
		r->stats.failed++;
		counter_inc(r->setup.counters, COUNTER_READER_FAILED);
	} else if (a->found) {
		r->stats.found++;
	} else {
		r->stats.missed++;
	}
}

/* L came back: answer who waits for nothing else. Callees may ask and forget. */
static void
settle(struct reader *r, struct lookup *l)
{
	struct reader_answer a;
	struct question *q;
	struct waiter *w;
	reader_cb *cb;
	void *arg;

	r->asking--;
	l->refs++;
	cache_settle(&r->cache, l, cache_ms(r));
	while ((w = TAILQ_FIRST(&l->waiters)) != NULL) {
		TAILQ_REMOVE(&l->waiters, w, next);
		w->waiting = false;
		q = w->question;
		if (!decide(q, &a))
			continue;
		cb = q->cb;
		arg = q->arg;
		drop(r, q);
		count_answer(r, &a);
		cb(arg, &a);
	}
	lookup_put(l);
}

static void
on_back(evutil_socket_t fd, short what, void *arg)
{
	struct lookups back = STAILQ_HEAD_INITIALIZER(back);
	struct reader *r = arg;
	struct lookup *l;

	(void)fd;
	(void)what;
	links_take(r->links, &back);
	while ((l = STAILQ_FIRST(&back)) != NULL) {
		STAILQ_REMOVE_HEAD(&back, next);
		settle(r, l);
	}
}

/* What may be asked at all: it fits, and there is a node for it. */
static bool
is_askable(const char *const *keys, unsigned n, const char *field)
{
	if (n == 0 || n > READER_KEYS ||
	    (field != NULL && strlen(field) > READER_KEY))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (strlen(keys[i]) > READER_KEY)
			return false;
	return true;
}

/* A lookup of KEY, now on its way to its node; NULL: no memory. */
static struct lookup *
look_up(struct reader *r, const char *key, const char *field)
{
	struct lookup *l = cache_add(&r->cache, key, field);

	if (l == NULL)
		return NULL;
	l->deadline_ms = clock_ms() + r->setup.timeout_ms;
	l->node = r->setup.node_of(r->setup.arg, key, l->key_len);
	if (l->node >= links_count(r->links))
		abort();
	r->asking++;
	links_ask(r->links, l);
	return l;
}

/*
 * Fill Q with the lookups there are of its keys, up to the first that exists. How many
 * must be made.
 */
static unsigned
recall(struct reader *r, struct question *q, const char *const *keys, unsigned n,
    const char *field)
{
	unsigned unknown = 0;

	for (q->n = 0; q->n < n; q->n++) {
		struct waiter *w = &q->key[q->n];
		struct lookup *l;

		l = cache_find(&r->cache, keys[q->n], field, cache_ms(r));
		*w = (struct waiter){.question = q, .lookup = l};
		if (l == NULL) {
			unknown++;
			continue;
		}
		l->refs++;
		if (!l->under_way && l->result == LOOKUP_FOUND) {
			q->n++;
			break;
		}
	}
	return unknown;
}

/* Q waits for what is under way, and for what is sent now. 0, or -1: no memory. */
static int
wait_for(struct reader *r, struct question *q, const char *const *keys,
    const char *field)
{
	for (unsigned i = 0; i < q->n; i++) {
		struct waiter *w = &q->key[i];

		if (w->lookup == NULL) {
			/* The same key may stand there twice. */
			w->lookup = cache_find(&r->cache, keys[i], field, cache_ms(r));
			if (w->lookup == NULL)
				w->lookup = look_up(r, keys[i], field);
			if (w->lookup == NULL)
				return -1;
			w->lookup->refs++;
		}
		if (w->lookup->under_way) {
			TAILQ_INSERT_TAIL(&w->lookup->waiters, w, next);
			w->waiting = true;
		}
	}
	return 0;
}

static bool
ask_nodes(struct reader *r, const struct question *known, const char *const *keys,
    const char *field)
{
	struct question *q = malloc(sizeof(*q));

	if (q == NULL)
		return false;
	*q = *known;
	for (unsigned i = 0; i < q->n; i++) {
		q->key[i].question = q;
		if (q->key[i].lookup != NULL)
			q->key[i].lookup->refs++;
	}
	if (wait_for(r, q, keys, field) == -1) {
		let_go(q);
		free(q);
		return false;
	}
	TAILQ_INSERT_TAIL(&r->open, q, next);
	r->nopen++;
	r->stats.asked++;
	counter_inc(r->setup.counters, COUNTER_READER_ASKED);
	return true;
}

bool
reader_ask(struct reader *r, const char *const *keys, unsigned n, const char *field,
    reader_cb *cb, void *arg)
{
	struct question q = {.cb = cb, .arg = arg};
	struct reader_answer a;
	unsigned unknown;
	bool ok;

	if (!is_askable(keys, n, field))
		return false;
	unknown = recall(r, &q, keys, n, field);
	if (unknown == 0 && decide(&q, &a)) {
		let_go(&q);
		r->stats.cached++;
		counter_inc(r->setup.counters, COUNTER_READER_CACHED);
		cb(arg, &a);
		return true;
	}
	ok = r->nopen < READER_OPEN_MAX && r->asking + unknown <= READER_ASKING_MAX &&
	    ask_nodes(r, &q, keys, field);
	let_go(&q);
	return ok;
}

void
reader_forget(struct reader *r, const char *key)
{
	cache_forget(&r->cache, key);
}

void
reader_stats(const struct reader *r, struct reader_stats *stats)
{
	*stats = r->stats;
	stats->open = r->nopen;
	stats->cached_keys = r->cache.known;
}

struct reader *
reader_new(const struct reader_setup *setup, char *err, size_t errlen)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	r->setup = *setup;
	TAILQ_INIT(&r->open);
	if (cache_init(&r->cache) == -1) {
		snprintf(err, errlen, "out of memory");
		goto out;
	}
	r->links = links_new(setup->config, setup->timeout_ms, err, errlen);
	if (r->links == NULL)
		goto out;
	r->back = event_new(setup->base, links_fd(r->links), EV_READ | EV_PERSIST,
	    on_back, r);
	if (r->back == NULL || event_add(r->back, NULL) == -1) {
		snprintf(err, errlen, "out of memory");
		goto out;
	}
	return r;
out:
	reader_free(r);
	return NULL;
}

void
reader_free(struct reader *r)
{
	struct lookups left = STAILQ_HEAD_INITIALIZER(left);
	struct question *q;
	struct lookup *l;

	if (r == NULL)
		return;
	if (r->back != NULL)
		event_free(r->back);
	links_free(r->links, &left);
	while ((q = TAILQ_FIRST(&r->open)) != NULL)
		drop(r, q);
	while ((l = STAILQ_FIRST(&left)) != NULL) {
		STAILQ_REMOVE_HEAD(&left, next);
		cache_settle(&r->cache, l, 0);
	}
	cache_clear(&r->cache);
	free(r);
}
