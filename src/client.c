/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c -- one client's state as commands see it: protocol, password, names, MULTI.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "clock.h"
#include "server_int.h"

/*
 * Waiting
 */
void
client_wait(struct client *c, void (*gone)(void *arg), void *arg)
{
	c->waiting = true;
	c->half_closed = 0;
	c->gone = gone;
	c->gone_arg = arg;
}

void
client_done(struct client *c)
{
	c->waiting = false;
	c->gone = NULL;
	if (c->running || c->dead)
		return; /* the turn goes on, or nothing does */
	c->last_us = clock_us(CLOCK_MONOTONIC);
	client_replied(c);
	client_flush_later(c);
	client_turn_later(c, 0);
}

/*
 * State
 */
struct server *
client_server(struct client *c)
{
	return c->server;
}

uint64_t
client_id(const struct client *c)
{
	return c->id;
}

unsigned
client_proto(const struct client *c)
{
	return c->proto;
}

void
client_set_proto(struct client *c, unsigned proto)
{
	c->proto = proto == 3 ? 3 : 2;
}

const char *
client_address(const struct client *c)
{
	return c->address;
}

bool
client_authenticated(const struct client *c)
{
	return c->server->password == NULL || c->authenticated;
}

/* Takes as long for any text of LEN bytes. */
static bool
same_secret(const char *secret, const char *text, size_t len)
{
	size_t n = strlen(secret), i;
	volatile unsigned char differ = n != len;

	for (i = 0; i < len; i++)
		differ |= (unsigned char)(secret[i % n] ^ text[i]);
	return differ == 0;
}

bool
client_authenticate(
    struct client *c, const char *user, size_t ulen, const char *password, size_t len)
{
	struct server *s = c->server;
	bool known = user == NULL || (ulen == 7 && memcmp(user, "default", 7) == 0);
	bool same = s->password == NULL || same_secret(s->password, password, len);

	if (known && same) {
		c->authenticated = true;
		client_limits(c);
		return true;
	}
	counter_inc(s->counters, COUNTER_RESP_AUTH_FAILED);
	c->paused = true;
	client_turn_later(c, s->limits.auth_ms);
	return false;
}

/*
 * Names
 */

/* What fits into a field of CLIENT LIST. */
static bool
set_word(char *to, const char *text, size_t len)
{
	size_t i;

	if (len > CLIENT_NAME_MAX)
		return false;
	for (i = 0; i < len; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	if (len > 0)
		memcpy(to, text, len);
	to[len] = '\0';
	return true;
}

const char *
client_name(const struct client *c)
{
	return c->name;
}

bool
client_set_name(struct client *c, const char *name, size_t len)
{
	return set_word(c->name, name, len);
}

bool
client_set_library(struct client *c, bool version, const char *text, size_t len)
{
	return set_word(c->library[version], text, len);
}

/* Redis' letters. */
static void
line_flags(const struct client *c, char *to)
{
	char *p = to;

	if (c->monitoring)
		*p++ = 'O';
	if (client_subscriptions(c) > 0)
		*p++ = 'P';
	if (c->in_multi)
		*p++ = 'x';
	if (c->waiting)
		*p++ = 'b';
	if (c->closing)
		*p++ = 'c';
	if (c->unix_socket)
		*p++ = 'U';
	if (p == to)
		*p++ = 'N';
	*p = '\0';
}

/* What it costs, without what libevent keeps for itself. */
static size_t
line_memory(const struct client *c)
{
	return sizeof(*c) + c->parser.cap +
	    c->parser.args_cap * (sizeof(struct resp_arg) + sizeof(size_t)) +
	    c->multi_cap * sizeof(*c->multi) + c->multi_bytes + c->queued;
}

size_t
client_line(const struct client *c, char *buf, size_t len)
{
	uint64_t now = clock_us(CLOCK_MONOTONIC);
	char flags[8], multi[12] = "-1", library[2 * CLIENT_NAME_MAX + 24] = "";
	int n;

	line_flags(c, flags);
	if (c->in_multi)
		snprintf(multi, sizeof(multi), "%u", c->nmulti);
	if (c->library[0][0] != '\0' || c->library[1][0] != '\0')
		snprintf(library, sizeof(library), " lib-name=%s lib-ver=%s",
		    c->library[0], c->library[1]);
	n = snprintf(buf, len,
	    "id=%llu addr=%s laddr=%s fd=%d name=%s age=%llu idle=%llu flags=%s db=0 "
	    "sub=%u psub=%u ssub=0 multi=%s qbuf=%zu qbuf-free=%zu argv-mem=%zu "
	    "multi-mem=%zu rbs=0 "
	    "rbp=%zu obl=0 oll=%d omem=%zu tot-mem=%zu events=%s%s cmd=%s user=default "
	    "redir=-1 resp=%u%s\n",
	    (unsigned long long)c->id, c->address, c->local, c->fd, c->name,
	    (unsigned long long)((now - c->made_us) / 1000000),
	    (unsigned long long)((now - c->last_us) / 1000000), flags,
	    c->nsubscriptions[SUBSCRIPTION_CHANNEL],
	    c->nsubscriptions[SUBSCRIPTION_PATTERN], multi, c->parser.len,
	    c->parser.cap - c->parser.len, c->argv_bytes, c->multi_bytes, c->queued_max,
	    c->queued > 0, c->queued, line_memory(c), c->reading ? "r" : "",
	    c->writing ? "w" : "", c->cmd[0] != '\0' ? c->cmd : "NULL", c->proto,
	    library);
	if (n < 0)
		return 0;
	return (size_t)n < len ? (size_t)n : len > 0 ? len - 1 : 0;
}

struct client *
client_find(struct server *s, uint64_t id, bool next)
{
	struct client *c = s->found;

	/* lists are read from the front: most often it is the next one */
	if (c == NULL || c->id > id)
		c = TAILQ_FIRST(&s->clients);
	while (c != NULL && c->id < id)
		c = TAILQ_NEXT(c, next);
	if (c == NULL || (!next && c->id != id))
		return NULL;
	return s->found = c;
}

/*
 * The end, and the beginning again
 */
void
client_close(struct client *c)
{
	c->closing = true;
	if (!c->turning)
		client_flush_later(c);
}

void
client_kill(struct client *c)
{
	if (c->running)
		client_close(c); /* its own command: it still gets the answer */
	else
		client_drop(c);
}

void
client_reset(struct client *c)
{
	client_multi_end(c);
	pubsub_leave(c);
	if (c->monitoring)
		TAILQ_REMOVE(&c->server->monitors, c, monitor);
	c->monitoring = false;
	c->proto = 2;
	c->off = c->skip = c->skip_next = false;
	c->name[0] = c->library[0][0] = c->library[1][0] = '\0';
	c->authenticated = false;
	client_limits(c);
}

void
client_set_replies(struct client *c, enum client_replies replies)
{
	if (replies == CLIENT_REPLY_SKIP) {
		c->skip_next = !c->off;
		return;
	}
	c->off = replies == CLIENT_REPLY_OFF;
	c->skip = c->skip_next = false;
}

void
client_set_monitor(struct client *c)
{
	if (!c->monitoring)
		TAILQ_INSERT_TAIL(&c->server->monitors, c, monitor);
	c->monitoring = true;
}

/*
 * MULTI
 */
bool
client_in_multi(const struct client *c)
{
	return c->in_multi;
}

void
client_multi(struct client *c)
{
	c->in_multi = true;
}

void
client_multi_spoil(struct client *c)
{
	c->spoiled = c->in_multi;
}

bool
client_multi_spoiled(const struct client *c)
{
	return c->spoiled;
}

/* Room for one more request. */
static bool
multi_room(struct client *c)
{
	unsigned cap = c->multi_cap == 0 ? 8 : c->multi_cap * 2;
	struct queued_request *p;

	if (c->nmulti < c->multi_cap)
		return true;
	p = realloc(c->multi, cap * sizeof(*p));
	if (p == NULL)
		return false;
	c->multi = p;
	c->multi_cap = cap;
	return true;
}

bool
client_multi_add(struct client *c, const struct resp_arg *args, unsigned n)
{
	size_t bytes = n * sizeof(*args);
	struct resp_arg *copy;
	unsigned i;
	char *p;

	for (i = 0; i < n; i++)
		bytes += args[i].len;
	if (c->nmulti >= CLIENT_QUEUE_MAX ||
	    bytes > CLIENT_QUEUE_BYTES - c->multi_bytes || !multi_room(c))
		return false;
	copy = malloc(bytes);
	if (copy == NULL)
		return false;
	p = (char *)(copy + n);
	for (i = 0; i < n; i++) {
		copy[i].p = p;
		copy[i].len = args[i].len;
		memcpy(p, args[i].p, args[i].len);
		p += args[i].len;
	}
	c->multi[c->nmulti].args = copy;
	c->multi[c->nmulti++].n = n;
	c->multi_bytes += bytes;
	return true;
}

unsigned
client_multi_count(const struct client *c)
{
	return c->nmulti;
}

const struct resp_arg *
client_multi_at(struct client *c, unsigned i, unsigned *n)
{
	*n = c->multi[i].n;
	return c->multi[i].args;
}

void
client_multi_end(struct client *c)
{
	while (c->nmulti > 0)
		free(c->multi[--c->nmulti].args);
	free(c->multi);
	c->multi = NULL;
	c->multi_cap = 0;
	c->multi_bytes = 0;
	c->in_multi = c->spoiled = false;
}
