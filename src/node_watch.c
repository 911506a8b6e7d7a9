/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_watch.c -- the sets of what is watched (--watch), read from one node into its
 * source of the lists. By a connection of its own: one that is subscribed can ask
 * nothing, and the write channel is in a transaction most of the time.
 *
 * A round, each second and when watch.changed says so: the sizes of the sets, then pages
 * (SSCAN) of those that may have changed, one at a time. Small sets are always read, for
 * that costs less than to know; large ones if their size is another, on watch.changed, and
 * every ten seconds, or as much less often as not to take the node more than SHARE of its
 * time. What of a page is too long for a reply is asked for in smaller pages.
 *
 * A node that is away, or refuses, leaves its lists as they were.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "node_int.h"

#define PAGE	   500
#define SMALL	   1000 /* entries of a set that is always read */
#define ALL_LISTS  ((1u << WATCH_LISTS) - 1)
#define SHARE	   30 /* 1/30 */
#define TIMES_SEEN 4 /* a set may repeat itself so often while it is read */
#define TOO_LONG   "too long" /* node_conn.c: an answer that is */

static bool
is_on(const struct node *n)
{
	return n->set->s.watch != NULL;
}

/* What is wrong; told of when it changes. */
static void
trouble(struct node *n, const char *what, const char *why)
{
	char text[NODE_ERROR], error[NODE_ERROR];

	node_text(error, sizeof(error), why);
	snprintf(text, sizeof(text), "%s: %.120s", what, error);
	n->watch.wrong = true;
	if (strcmp(text, n->watch.error) == 0)
		return;
	memcpy(n->watch.error, text, sizeof(text));
	log_warn("node %s: %s", n->text, text);
}

/* A round without trouble. */
static void
well(struct node *n)
{
	if (n->watch.wrong || n->watch.error[0] == '\0')
		return;
	n->watch.error[0] = '\0';
	log_info("node %s: its sets of what is watched are read again", n->text);
}

/*
 * Lists
 */
static void
list_begin(struct node *n, enum watch_list list, int64_t size)
{
	struct node_watch *w = &n->watch;

	w->list = list;
	w->reading = true;
	w->seen = 0;
	w->began_ms = node_now();
	strcpy(w->cursor, "0");
	watch_begin(n->set->s.watch, n->index, list, size > 0 ? (size_t)size : 0);
}

/* It has come whole. */
static void
list_end(struct node *n)
{
	struct node_watch *w = &n->watch;
	struct nodes *s = n->set;
	enum watch_list list = w->list;
	struct watch_stats stats;
	int64_t size = w->of[list].size;

	watch_end(s->s.watch, n->index, list,
	    w->seen > WATCH_ENTRIES && size > 0 ? (size_t)size : 0);
	watch_stats(s->s.watch, n->index, list, &stats);
	counter_inc(s->s.counters, COUNTER_WATCH_READS);
	if (stats.left_out > w->of[list].left_out) {
		counter_add(s->s.counters, COUNTER_WATCH_LEFT_OUT,
		    stats.left_out - w->of[list].left_out);
		log_warn("node %s: %s: %zu entries are left out: %s", n->text,
		    watch_key(list), stats.left_out, stats.example);
	}
	w->of[list].left_out = stats.left_out;
	w->of[list].known = true;
	w->of[list].read_ms = node_now();
	w->of[list].took_ms = w->of[list].read_ms - w->began_ms;
	w->reading = false;
	w->todo &= ~(1u << list);
	if (s->s.watched != NULL && s->tick != NULL)
		s->s.watched(s->s.arg);
}

static void
list_abandon(struct node *n)
{
	struct node_watch *w = &n->watch;

	if (w->reading)
		watch_abandon(n->set->s.watch, n->index, w->list);
	w->reading = false;
}

/* A page: *DONE, it was the last. False: R is none. */
static bool
list_page(struct node *n, const redisReply *r, bool *done)
{
	struct node_watch *w = &n->watch;
	const redisReply *page;
	size_t i;

	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[0]->len >= sizeof(w->cursor) ||
	    r->element[1]->type != REDIS_REPLY_ARRAY)
		return false;
	page = r->element[1];
	for (i = 0; i < page->elements; i++)
		if (page->element[i]->type == REDIS_REPLY_STRING)
			watch_add(n->set->s.watch, n->index, w->list,
			    page->element[i]->str, page->element[i]->len);
	w->seen += page->elements;
	memcpy(w->cursor, r->element[0]->str, r->element[0]->len + 1);
	/* one that never ends would be read for ever */
	*done = strcmp(w->cursor, "0") == 0 ||
	    w->seen > (uint64_t)TIMES_SEEN * WATCH_ENTRIES;
	return true;
}

/* The key is there, but no set: an empty one, as far as it is ours to say. */
static bool
is_no_set(const redisReply *r)
{
	return r->type == REDIS_REPLY_ERROR && strncmp(r->str, "WRONGTYPE", 9) == 0;
}

/*
 * At the start
 */
void
node_watch_first(struct node *n, redisContext *c, uint64_t end_ms)
{
	struct node_watch *w = &n->watch;
	int db = n->set->s.config->redis_db;
	bool done = false;
	redisReply *r;
	unsigned i;

	if (db != 0)
		freeReplyObject(redisCommand(c, "SELECT %d", db));
	for (i = 0; i < WATCH_LISTS && c->err == 0; i++) {
		list_begin(n, i, 0);
		for (done = false; !done && c->err == 0 && node_now() < end_ms;) {
			r = redisCommand(c, "SSCAN %s %s COUNT %d", watch_key(i), w->cursor,
			    PAGE);
			if (r == NULL || !list_page(n, r, &done)) {
				freeReplyObject(r);
				break;
			}
			freeReplyObject(r);
		}
		if (done)
			list_end(n);
		else
			list_abandon(n);
		w->of[i].known = false;
	}
}

/*
 * The connection
 */
static void
rest(struct node *n, unsigned ms)
{
	struct node_watch *w = &n->watch;
	unsigned i;

	list_abandon(n);
	node_conn_close(&w->conn);
	w->hellos = w->sizes = w->todo = 0;
	for (i = 0; i < WATCH_LISTS; i++)
		w->of[i].known = false;
	w->due_ms = node_now() + ms;
}

/* node_conn_calls.lost */
static void
watch_lost(void *arg, const char *why)
{
	struct node *n = arg;
	struct node_watch *w = &n->watch;
	const struct node_times *t = &n->set->times;

	if (w->reading && strstr(why, TOO_LONG) != NULL) {
		if (w->page == 1) {
			trouble(n, watch_key(w->list), why);
			w->of[w->list].rest_ms = node_now() + t->whole;
		}
		w->page = w->page == 1 ? PAGE : w->page > 10 ? w->page / 10 : 1;
	}
	rest(n, w->retry_ms);
	w->retry_ms = w->retry_ms * 2 > t->retry_max ? t->retry_max : w->retry_ms * 2;
}

static void
say(struct node *n, struct respbuf *b, unsigned replies)
{
	if (!node_conn_write(&n->watch.conn, b, replies))
		watch_lost(n, "");
}

static void
ask_sizes(struct node *n)
{
	struct node_watch *w = &n->watch;
	struct respbuf *b = node_say(n);
	unsigned i;

	for (i = 0; i < WATCH_LISTS; i++)
		node_words(b, "SCARD", watch_key(i), NULL);
	w->sizes = WATCH_LISTS;
	w->wrong = false;
	w->poll_ms = node_now() + n->set->times.poll;
	say(n, b, WATCH_LISTS);
}

static void
ask_page(struct node *n)
{
	struct node_watch *w = &n->watch;
	struct respbuf *b = node_say(n);
	char count[16];

	snprintf(count, sizeof(count), "%u", w->page);
	node_words(b, "SSCAN", watch_key(w->list), w->cursor, "COUNT", count, NULL);
	say(n, b, 1);
}

/* The next list of this round. */
static void
next_list(struct node *n)
{
	struct node_watch *w = &n->watch;
	unsigned i;

	for (i = 0; i < WATCH_LISTS && (w->todo & 1u << i) == 0; i++)
		;
	if (i == WATCH_LISTS) {
		w->page = PAGE;
		well(n);
		return;
	}
	list_begin(n, i, w->of[i].size);
	if (w->of[i].size > 0)
		ask_page(n);
	else {
		list_end(n); /* there is nothing to ask for */
		next_list(n);
	}
}

/* LIST has SIZE entries: does it have to be read? */
static void
on_size(struct node *n, enum watch_list list, int64_t size)
{
	struct node_watch *w = &n->watch;
	uint64_t after = w->of[list].took_ms * SHARE;
	unsigned bit = 1u << list;
	bool same = w->of[list].known && w->of[list].size == size;

	w->of[list].size = size;
	if (node_now() < w->of[list].rest_ms) {
		w->wrong = true;
		return;
	}
	if (!same || (w->changed & bit) != 0)
		w->todo |= bit;
	else if (size > 0 && size <= SMALL)
		w->todo |= bit;
	else if (size > 0 && node_now() - w->of[list].read_ms >=
	    (after > n->set->times.whole ? after : n->set->times.whole))
		w->todo |= bit;
}

/* node_conn_calls.open */
static void
watch_open(void *arg)
{
	struct node *n = arg;
	struct respbuf *b = node_say(n);
	char db[16];

	n->watch.hellos = node_login(n->set, b);
	if (n->set->s.config->redis_db != 0) {
		snprintf(db, sizeof(db), "%d", n->set->s.config->redis_db);
		node_words(b, "SELECT", db, NULL);
		n->watch.hellos++;
	}
	if (n->watch.hellos > 0)
		say(n, b, n->watch.hellos);
	if (n->watch.conn.state == NODE_CONN_OPEN)
		ask_sizes(n);
}

/* Not now; the lists stay. */
static void
refused(struct node *n, const redisReply *r)
{
	const struct node_times *t = &n->set->times;

	trouble(n, "sets of what is watched",
	    r->type == REDIS_REPLY_ERROR ? r->str : "not what SSCAN answers");
	if (r->type == REDIS_REPLY_ERROR && node_classify(r->str) == NODE_LOADING)
		rest(n, t->loading);
	else
		rest(n, r->type == REDIS_REPLY_ERROR &&
			    node_classify(r->str) != NODE_RIGHTS
			? t->retry_max
			: t->rights);
}

static void
size_reply(struct node *n, const redisReply *r)
{
	struct node_watch *w = &n->watch;
	enum watch_list list = WATCH_LISTS - w->sizes;

	if (r->type != REDIS_REPLY_INTEGER && !is_no_set(r)) {
		refused(n, r);
		return;
	}
	w->sizes--;
	if (is_no_set(r)) {
		trouble(n, watch_key(list), r->str);
		on_size(n, list, 0);
	} else {
		on_size(n, list, r->integer);
	}
	if (w->sizes > 0)
		return;
	w->changed = 0;
	next_list(n);
}

static void
page_reply(struct node *n, const redisReply *r)
{
	struct node_watch *w = &n->watch;
	bool done = false;

	if (is_no_set(r)) {
		list_abandon(n); /* since a moment: the next round tells */
		w->todo &= ~(1u << w->list);
		w->of[w->list].known = false;
	} else if (!list_page(n, r, &done)) {
		refused(n, r);
		return;
	} else if (!done) {
		ask_page(n);
		return;
	} else {
		list_end(n);
		w->retry_ms = n->set->times.retry_min;
	}
	next_list(n);
}

/* node_conn_calls.reply */
static void
watch_reply(void *arg, const redisReply *r)
{
	struct node *n = arg;
	struct node_watch *w = &n->watch;

	if (w->hellos > 0) {
		w->hellos--; /* the write channel tells what is wrong with a password */
		if (r->type == REDIS_REPLY_ERROR && node_classify(r->str) == NODE_RIGHTS)
			refused(n, r);
	} else if (w->sizes > 0) {
		size_reply(n, r);
	} else if (w->reading) {
		page_reply(n, r);
	} else {
		watch_lost(n, "an answer to nothing");
	}
}

void
node_watch_init(struct node *n)
{
	static const struct node_conn_calls calls = {watch_open, watch_reply, watch_lost};

	node_conn_init(&n->watch.conn, n->set, &calls, n);
	n->watch.page = PAGE;
	n->watch.retry_ms = n->set->times.retry_min;
}

void
node_watch_close(struct node *n)
{
	if (is_on(n))
		rest(n, 0);
}

void
node_watch_changed(struct node *n)
{
	if (!is_on(n))
		return;
	n->watch.changed = ALL_LISTS;
	n->watch.poll_ms = 0;
	node_watch_turn(n);
}

void
node_watch_turn(struct node *n)
{
	struct node_watch *w = &n->watch;
	uint64_t now = node_now();

	if (!is_on(n))
		return;
	node_conn_check(&w->conn, now);
	if (w->conn.state == NODE_CONN_CLOSED) {
		if (n->up && now >= w->due_ms)
			node_conn_open(&w->conn, &n->target);
	} else if (w->conn.state == NODE_CONN_OPEN && w->hellos == 0 && w->sizes == 0 &&
	    !w->reading && now >= w->poll_ms) {
		ask_sizes(n);
	}
}
