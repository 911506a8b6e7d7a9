/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_pubsub.c -- who listens to what: channels and patterns by name, subscriptions
 * by client and channel, so that nothing is searched through but a client's own list
 * when it leaves. Tables are uthash's with a seeded hash: names are the clients'.
 *
 * A message costs one look-up, a comparison per pattern, and a copy per client that
 * gets it. Names are GLOB_MAX bytes at most, patterns limits.patterns: a client holds
 * at most CLIENT_SUBSCRIPTIONS times half a kilobyte.
 */
#define HASH_NONFATAL_OOM 1 /* before uthash.h: hh.tbl of what was not added is NULL */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>
#include <uthash.h>
#include <xxhash.h>

#include "clock.h"
#include "glob.h"
#include "server_int.h"

#define TEXT_KEEP 65536

struct channel { /* or pattern */
	UT_hash_handle hh;
	enum subscription_kind kind;
	unsigned n;
	struct subscription_list list;
	size_t len;
	char name[];
};

struct subscription {
	UT_hash_handle hh;
	struct subscription_key {
		struct client *client;
		struct channel *channel;
	} key;
	TAILQ_ENTRY(subscription) of_client, of_channel;
};

static const char *const words[2][SUBSCRIPTION_KINDS] = {
    {"unsubscribe", "punsubscribe"}, {"subscribe", "psubscribe"}};

/*
 * The tables
 */
static unsigned
hash_of(const struct server *s, const void *p, size_t len)
{
	return (unsigned)XXH3_64bits_withSeed(p, len, s->seed);
}

static struct channel *
channel_find(
    const struct server *s, enum subscription_kind kind, const char *name, size_t len)
{
	struct channel *ch;
	unsigned hash = hash_of(s, name, len);

	HASH_FIND_BYHASHVALUE(hh, s->channels[kind], name, len, hash, ch);
	return ch;
}

/*
 * Whoever wants to know is told once of all that a turn, or the end of clients, has
 * changed: what they do then costs a comparison with each pattern.
 */
static void
interest_changed(struct server *s)
{
	if (s->interest == NULL || s->interest_due)
		return;
	s->interest_due = true;
	event_active(s->tell, 0, 0);
}

void
pubsub_tell(struct server *s)
{
	if (!s->interest_due)
		return;
	s->interest_due = false;
	if (s->interest != NULL)
		s->interest(s->interest_arg);
}

static struct channel *
channel_new(struct server *s, enum subscription_kind kind, const char *name, size_t len)
{
	struct channel *ch;
	unsigned hash = hash_of(s, name, len);

	if (kind == SUBSCRIPTION_PATTERN &&
	    HASH_COUNT(s->channels[kind]) >= s->limits.patterns)
		return NULL;
	ch = calloc(1, sizeof(*ch) + len);
	if (ch == NULL)
		return NULL;
	ch->kind = kind;
	ch->len = len;
	TAILQ_INIT(&ch->list);
	if (len > 0)
		memcpy(ch->name, name, len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->channels[kind], ch->name, len, hash, ch);
	if (ch->hh.tbl == NULL) {
		free(ch);
		return NULL;
	}
	return ch;
}

static void
channel_free(struct server *s, struct channel *ch)
{
	HASH_DELETE(hh, s->channels[ch->kind], ch);
	free(ch);
}

static struct subscription *
subscription_find(struct client *c, struct channel *ch)
{
	struct subscription_key key = {c, ch};
	unsigned hash = hash_of(c->server, &key, sizeof(key));
	struct subscription *sub;

	HASH_FIND_BYHASHVALUE(
	    hh, c->server->subscriptions, &key, sizeof(key), hash, sub);
	return sub;
}

static bool
subscription_new(struct client *c, struct channel *ch)
{
	struct server *s = c->server;
	struct subscription *sub = calloc(1, sizeof(*sub));
	unsigned hash;

	if (sub == NULL)
		return false;
	sub->key.client = c;
	sub->key.channel = ch;
	hash = hash_of(s, &sub->key, sizeof(sub->key));
	HASH_ADD_KEYPTR_BYHASHVALUE(
	    hh, s->subscriptions, &sub->key, sizeof(sub->key), hash, sub);
	if (sub->hh.tbl == NULL) {
		free(sub);
		return false;
	}
	TAILQ_INSERT_TAIL(&ch->list, sub, of_channel);
	TAILQ_INSERT_TAIL(&c->subscriptions[ch->kind], sub, of_client);
	ch->n++;
	c->nsubscriptions[ch->kind]++;
	return true;
}

/* The channel goes with its last. */
static void
subscription_free(struct server *s, struct subscription *sub)
{
	struct channel *ch = sub->key.channel;
	struct client *c = sub->key.client;

	HASH_DELETE(hh, s->subscriptions, sub);
	TAILQ_REMOVE(&ch->list, sub, of_channel);
	TAILQ_REMOVE(&c->subscriptions[ch->kind], sub, of_client);
	c->nsubscriptions[ch->kind]--;
	free(sub);
	if (--ch->n > 0)
		return;
	channel_free(s, ch);
	interest_changed(s);
}

void
pubsub_leave(struct client *c)
{
	struct subscription *sub;
	int kind;

	for (kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
		while ((sub = TAILQ_FIRST(&c->subscriptions[kind])) != NULL)
			subscription_free(c->server, sub);
}

/*
 * Subscribing
 */

/* Confirmations come even if replies are off, as all that is pushed. */
static void
confirm(struct client *c, const char *word, const char *name, size_t len)
{
	c->pushing = true;
	reply_push(c, 3);
	reply_bulk_text(c, word);
	if (name == NULL)
		reply_nil(c);
	else
		reply_bulk(c, name, len);
	reply_int(c, client_subscriptions(c));
	c->pushing = false;
}

bool
client_subscribe(struct client *c, const char *name, size_t len, bool pattern)
{
	enum subscription_kind kind =
	    pattern ? SUBSCRIPTION_PATTERN : SUBSCRIPTION_CHANNEL;
	struct server *s = c->server;
	struct channel *ch;
	bool first;

	if (len > GLOB_MAX)
		return false;
	ch = channel_find(s, kind, name, len);
	first = ch == NULL;
	if (first || subscription_find(c, ch) == NULL) {
		if (client_subscriptions(c) >= CLIENT_SUBSCRIPTIONS)
			return false;
		if (first && (ch = channel_new(s, kind, name, len)) == NULL)
			return false;
		if (!subscription_new(c, ch)) {
			if (first)
				channel_free(s, ch);
			return false;
		}
	}
	confirm(c, words[1][kind], name, len);
	if (first)
		interest_changed(s);
	return true;
}

static void
unsubscribe_all(struct client *c, enum subscription_kind kind)
{
	struct subscription *sub = TAILQ_FIRST(&c->subscriptions[kind]);
	char name[GLOB_MAX];
	size_t len;

	if (sub == NULL)
		confirm(c, words[0][kind], NULL, 0);
	for (; sub != NULL; sub = TAILQ_FIRST(&c->subscriptions[kind])) {
		len = sub->key.channel->len;
		memcpy(name, sub->key.channel->name, len);
		subscription_free(c->server, sub);
		confirm(c, words[0][kind], name, len);
	}
}

void
client_unsubscribe(struct client *c, const char *name, size_t len, bool pattern)
{
	enum subscription_kind kind =
	    pattern ? SUBSCRIPTION_PATTERN : SUBSCRIPTION_CHANNEL;
	struct subscription *sub;
	struct channel *ch;

	if (name == NULL) {
		unsubscribe_all(c, kind);
		return;
	}
	ch = channel_find(c->server, kind, name, len);
	sub = ch == NULL ? NULL : subscription_find(c, ch);
	if (sub != NULL)
		subscription_free(c->server, sub);
	confirm(c, words[0][kind], name, len);
}

unsigned
client_subscriptions(const struct client *c)
{
	return c->nsubscriptions[SUBSCRIPTION_CHANNEL] +
	    c->nsubscriptions[SUBSCRIPTION_PATTERN];
}

/*
 * Messages
 */

/* What was put together goes to all of CH; RESP3 has its own first byte. */
static unsigned
deliver(struct server *s, const struct channel *ch)
{
	struct subscription *sub;
	unsigned n = 0;

	if (s->text.failed)
		return 0;
	TAILQ_FOREACH (sub, &ch->list, of_channel) {
		struct client *c = sub->key.client;

		if (c->dead)
			continue;
		s->text.buf[0] = c->proto == 3 ? '>' : '*';
		client_push(c, s->text.buf, s->text.len);
		n += !c->dead;
	}
	return n;
}

/* A large message's memory goes. */
static void
text_rest(struct server *s)
{
	if (s->text.cap > TEXT_KEEP)
		respbuf_clear(&s->text);
	respbuf_reset(&s->text);
}

unsigned
server_publish(
    struct server *s, const char *channel, size_t clen, const void *msg, size_t len)
{
	struct respbuf *b = &s->text;
	struct channel *ch, *next;
	unsigned n = 0;

	ch = channel_find(s, SUBSCRIPTION_CHANNEL, channel, clen);
	if (ch != NULL) {
		resp_head(b, '*', 3);
		resp_bulk_text(b, "message");
		resp_bulk(b, channel, clen);
		resp_bulk(b, msg, len);
		n += deliver(s, ch);
		respbuf_reset(b);
	}
	HASH_ITER (hh, s->channels[SUBSCRIPTION_PATTERN], ch, next) {
		if (!glob_match(ch->name, ch->len, channel, clen))
			continue;
		resp_head(b, '*', 4);
		resp_bulk_text(b, "pmessage");
		resp_bulk(b, ch->name, ch->len);
		resp_bulk(b, channel, clen);
		resp_bulk(b, msg, len);
		n += deliver(s, ch);
		respbuf_reset(b);
	}
	text_rest(s);
	counter_add(s->counters, COUNTER_RESP_MESSAGES, n);
	return n;
}

bool
server_wanted(const struct server *s, const char *channel)
{
	size_t len = strlen(channel);
	struct channel *ch, *next;

	if (channel_find(s, SUBSCRIPTION_CHANNEL, channel, len) != NULL)
		return true;
	HASH_ITER (hh, s->channels[SUBSCRIPTION_PATTERN], ch, next)
		if (glob_match(ch->name, ch->len, channel, len))
			return true;
	return false;
}

unsigned
server_channels(const struct server *s, const char *pattern, size_t len,
    void (*cb)(void *arg, const char *channel, size_t len), void *arg)
{
	struct channel *ch, *next;
	unsigned n = 0;

	if (pattern == NULL && cb == NULL)
		return HASH_COUNT(s->channels[SUBSCRIPTION_CHANNEL]);
	HASH_ITER (hh, s->channels[SUBSCRIPTION_CHANNEL], ch, next) {
		if (pattern != NULL && !glob_match(pattern, len, ch->name, ch->len))
			continue;
		n++;
		if (cb != NULL)
			cb(arg, ch->name, ch->len);
	}
	return n;
}

unsigned
server_subscribers(const struct server *s, const char *channel, size_t len)
{
	const struct channel *ch = channel_find(s, SUBSCRIPTION_CHANNEL, channel, len);

	return ch == NULL ? 0 : ch->n;
}

unsigned
server_patterns(const struct server *s)
{
	return HASH_COUNT(s->channels[SUBSCRIPTION_PATTERN]);
}

/*
 * MONITOR
 */

/* In quotes, with what is no letter escaped. */
static void
put_quoted(struct respbuf *b, const struct resp_arg *a)
{
	static const char byte[] = "\n\r\t\a\b\\\"", name[] = "nrtab\\\"";
	const char *found;
	char text[8];
	size_t i, plain = 0;

	resp_bytes(b, " \"", 2);
	for (i = 0; i < a->len; i++) {
		unsigned char ch = (unsigned char)a->p[i];

		if (ch >= ' ' && ch <= '~' && ch != '"' && ch != '\\')
			continue;
		resp_bytes(b, a->p + plain, i - plain);
		plain = i + 1;
		found = memchr(byte, ch, sizeof(byte) - 1);
		if (found != NULL)
			snprintf(text, sizeof(text), "\\%c", name[found - byte]);
		else
			snprintf(text, sizeof(text), "\\x%02x", ch);
		resp_bytes(b, text, strlen(text));
	}
	resp_bytes(b, a->p + plain, i - plain);
	resp_bytes(b, "\"", 1);
}

/* What AUTH and HELLO say is for nobody else. */
static bool
is_secret(const struct resp_arg *a)
{
	return (a->len == 4 && strncasecmp(a->p, "auth", 4) == 0) ||
	    (a->len == 5 && strncasecmp(a->p, "hello", 5) == 0);
}

void
server_monitor(
    struct server *s, const struct client *c, const struct resp_arg *args, unsigned n)
{
	uint64_t now = clock_us(CLOCK_REALTIME);
	struct client *m;
	char head[CLIENT_ADDRESS + 64];
	unsigned i;
	int len;

	if (TAILQ_EMPTY(&s->monitors) || n == 0 || is_secret(&args[0]))
		return;
	len = snprintf(head, sizeof(head), "+%llu.%06llu [0 %s%.*s]",
	    (unsigned long long)(now / 1000000), (unsigned long long)(now % 1000000),
	    c->unix_socket ? "unix:" : "",
	    c->unix_socket ? (int)strlen(c->address) - 2 : -1, c->address);
	resp_bytes(&s->text, head, (size_t)len);
	for (i = 0; i < n; i++)
		put_quoted(&s->text, &args[i]);
	resp_bytes(&s->text, "\r\n", 2);
	if (!s->text.failed)
		TAILQ_FOREACH (m, &s->monitors, monitor)
			client_push(m, s->text.buf, s->text.len);
	text_rest(s);
}
