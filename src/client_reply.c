/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client_reply.c -- replies, in RESP2 or RESP3, into the client's output. Bytes are
 * copied once, into evbuffers that are handed on whole: an array whose length comes
 * last is written aside and moved behind its head.
 *
 * Bounds: what waits for one client and for all (server_int.h). Beyond them a client is
 * cut off at once; its replies from then on lead nowhere.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "server_int.h"

#define ERROR_MAX 1024 /* bytes of an error's text */
#define SHORT_BULK 512 /* put together before it is added */
#define HEAD_MAX 32

/*
 * Output
 */
bool
client_is_pushed(const struct client *c)
{
	return c->monitoring || client_subscriptions(c) > 0;
}

static size_t
output_limit(const struct client *c)
{
	const struct server_limits *limits = &c->server->limits;

	if (!client_authenticated(c))
		return limits->output_stranger;
	return client_is_pushed(c) ? limits->output_pushed : limits->output;
}

/* The one who makes all of them too much: once per client that is cut off. */
static void
cut_largest(struct server *s)
{
	struct client *c, *most = NULL;

	TAILQ_FOREACH (c, &s->clients, next)
		if (most == NULL || c->queued > most->queued)
			most = c;
	if (most != NULL)
		client_cut(most);
}

static void
put_into(struct client *c, struct evbuffer **buf, const void *p, size_t n)
{
	struct server *s = c->server;

	if (*buf == NULL)
		*buf = evbuffer_new();
	if (*buf == NULL || evbuffer_add(*buf, p, n) < 0) {
		client_cut(c); /* no memory */
		return;
	}
	s->queued += n;
	c->queued += n;
	if (c->queued > c->queued_max)
		c->queued_max = c->queued;
	if (c->queued > output_limit(c))
		client_cut(c);
	else if (s->queued > s->limits.output_all)
		cut_largest(s);
}

void
client_put(struct client *c, const void *p, size_t n)
{
	if (c->dead || n == 0 || ((c->off || c->skip) && !c->pushing))
		return;
	put_into(c, c->open ? &c->side : &c->out, p, n);
	if (!c->turning && !c->open)
		client_flush_later(c);
}

void
client_push(struct client *c, const void *p, size_t n)
{
	if (c->dead)
		return;
	if (c->running || c->waiting) {
		put_into(c, &c->later, p, n);
		return;
	}
	put_into(c, &c->out, p, n);
	if (!c->turning)
		client_flush_later(c);
}

void
client_replied(struct client *c)
{
	c->skip = c->skip_next;
	c->skip_next = false;
	if (c->open && !c->dead)
		abort(); /* a command forgot to close its array: this client is lost */
	if (c->dead || c->later == NULL || evbuffer_get_length(c->later) == 0)
		return;
	evbuffer_add_buffer(c->out, c->later);
	if (!c->turning)
		client_flush_later(c);
}

size_t
reply_waiting(const struct client *c)
{
	return c->queued;
}

/*
 * Replies
 */

/* <TYPE><N>\r\n into TEXT, its length. */
static size_t
put_head(char *text, char type, uint64_t n)
{
	char digits[20], *p = digits + sizeof(digits);
	size_t len;

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	len = (size_t)(digits + sizeof(digits) - p);
	text[0] = type;
	memcpy(text + 1, p, len);
	memcpy(text + 1 + len, "\r\n", 2);
	return len + 3;
}

static void
reply_head(struct client *c, char type, uint64_t n)
{
	char text[HEAD_MAX];

	client_put(c, text, put_head(text, type, n));
}

void
reply_simple(struct client *c, const char *text)
{
	client_put(c, "+", 1);
	client_put(c, text, strlen(text));
	client_put(c, "\r\n", 2);
}

void
reply_ok(struct client *c)
{
	client_put(c, "+OK\r\n", 5);
}

void
reply_error(struct client *c, const char *fmt, ...)
{
	char text[ERROR_MAX + 3];
	size_t len, i;
	va_list ap;
	int n;

	text[0] = '-';
	va_start(ap, fmt);
	n = vsnprintf(text + 1, ERROR_MAX, fmt, ap);
	va_end(ap);
	len = 1 + (n < 0 ? 0 : n < ERROR_MAX ? (size_t)n : ERROR_MAX - 1);
	for (i = 1; i < len; i++)
		if (text[i] == '\r' || text[i] == '\n')
			text[i] = ' ';
	memcpy(text + len, "\r\n", 2);
	client_put(c, text, len + 2);
}

void
reply_int(struct client *c, int64_t n)
{
	char text[HEAD_MAX];

	client_put(
	    c, text, (size_t)snprintf(text, sizeof(text), ":%lld\r\n", (long long)n));
}

void
reply_nil(struct client *c)
{
	if (c->proto == 3)
		client_put(c, "_\r\n", 3);
	else
		client_put(c, "$-1\r\n", 5);
}

void
reply_nil_array(struct client *c)
{
	if (c->proto == 3)
		client_put(c, "_\r\n", 3);
	else
		client_put(c, "*-1\r\n", 5);
}

void
reply_bulk(struct client *c, const void *p, size_t n)
{
	char text[HEAD_MAX + SHORT_BULK + 2];
	size_t len = put_head(text, '$', n);

	if (n > SHORT_BULK) {
		client_put(c, text, len);
		client_put(c, p, n);
		client_put(c, "\r\n", 2);
		return;
	}
	if (n > 0)
		memcpy(text + len, p, n);
	memcpy(text + len + n, "\r\n", 2);
	client_put(c, text, len + n + 2);
}

void
reply_bulk_text(struct client *c, const char *s)
{
	reply_bulk(c, s, strlen(s));
}

void
reply_bulk_number(struct client *c, int64_t n)
{
	char text[HEAD_MAX];

	reply_bulk(c, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)n));
}

void
reply_verbatim(struct client *c, const void *p, size_t n)
{
	if (c->proto != 3) {
		reply_bulk(c, p, n);
		return;
	}
	reply_head(c, '=', n + 4);
	client_put(c, "txt:", 4);
	client_put(c, p, n);
	client_put(c, "\r\n", 2);
}

void
reply_score(struct client *c, int64_t n)
{
	char text[HEAD_MAX];

	if (c->proto != 3) {
		reply_bulk_number(c, n);
		return;
	}
	client_put(
	    c, text, (size_t)snprintf(text, sizeof(text), ",%lld\r\n", (long long)n));
}

void
reply_array(struct client *c, size_t n)
{
	reply_head(c, '*', n);
}

void
reply_map(struct client *c, size_t pairs)
{
	if (c->proto == 3)
		reply_head(c, '%', pairs);
	else
		reply_head(c, '*', pairs * 2);
}

void
reply_set(struct client *c, size_t n)
{
	reply_head(c, c->proto == 3 ? '~' : '*', n);
}

void
reply_push(struct client *c, size_t n)
{
	reply_head(c, c->proto == 3 ? '>' : '*', n);
}

void
reply_array_open(struct client *c)
{
	c->open = true;
}

void
reply_array_close(struct client *c, size_t n)
{
	c->open = false;
	reply_array(c, n);
	if (c->dead || c->side == NULL || evbuffer_get_length(c->side) == 0)
		return;
	evbuffer_add_buffer(c->out, c->side);
}
