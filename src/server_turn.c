/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_turn.c -- a client's socket: reading, its turn to have requests run, writing,
 * and its end.
 *
 * Bytes go from the socket into the parser only when that needs them, and a request is
 * run only while little output waits, no command of this client is at work elsewhere,
 * and its turn is not over: limits on commands and time, then the loop looks at all
 * other sockets before it comes back. Replies of a turn go out in one write at its end;
 * what is said to a client outside of its turn goes out when the loop comes round.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "clock.h"
#include "command.h"
#include "log.h"
#include "server_int.h"
#include "tls.h"

#define DISCARD_MAX (1024 * 1024) /* bytes of a client that was told to go */
#define TOLD_US 60000000

static void client_turn(struct client *);

/*
 * Its end
 */
static void
drop_buffer(struct evbuffer *b)
{
	if (b != NULL)
		evbuffer_drain(b, evbuffer_get_length(b));
}

void
client_drop(struct client *c)
{
	static const struct timeval now = {0, 0};
	struct server *s = c->server;

	if (c->dead)
		return;
	c->dead = true;
	event_del(c->read);
	event_del(c->write);
	event_del(c->again);
	tls_stream_free(c->tls);
	c->tls = NULL;
	close(c->fd);
	c->fd = -1;
	drop_buffer(c->out);
	drop_buffer(c->side);
	drop_buffer(c->later);
	s->queued -= c->queued;
	c->queued = 0;
	if (s->found == c)
		s->found = NULL;
	TAILQ_REMOVE(&s->clients, c, next);
	TAILQ_INSERT_TAIL(&s->dead, c, next);
	s->nclients--;
	event_add(s->reap, &now);
}

void
client_cut(struct client *c)
{
	if (!c->dead)
		counter_inc(c->server->counters, COUNTER_RESP_CUT_OFF);
	client_drop(c);
}

static bool
client_runnable(const struct client *c)
{
	return !c->dead && !c->waiting && !c->closing && !c->paused &&
	    c->queued <= c->server->limits.output_pause;
}

/* What TLS has taken already, the socket does not tell of. */
static void
client_wake(struct client *c)
{
	if (!c->dead && c->reading && c->tls != NULL && tls_pending(c->tls))
		event_active(c->read, EV_READ, 0);
}

/* Wait for what it is to send, and only then. */
static void
client_arm(struct client *c)
{
	bool read = c->lingering || (c->hungry && !c->ended && client_runnable(c));

	if (c->dead || read == c->reading)
		return;
	if (read ? event_add(c->read, NULL) < 0 : event_del(c->read) < 0) {
		client_drop(c);
		return;
	}
	c->reading = read;
	client_wake(c);
}

/*
 * Writing
 */

/* All is written. Unread bytes in a socket that is closed would make the kernel take back
 * what was said last; so it is the client who closes, if it does so soon. */
static void
client_leave(struct client *c)
{
	if (c->tls != NULL)
		tls_shutdown(c->tls);
	if (c->ended || shutdown(c->fd, SHUT_WR) < 0) {
		client_drop(c);
		return;
	}
	c->lingering = true;
	c->last_us = clock_us(CLOCK_MONOTONIC);
	client_arm(c);
}

/* As evbuffer_write(). */
static int
write_some(struct client *c)
{
	struct evbuffer_iovec v;
	ssize_t n;

	if (c->tls == NULL)
		return evbuffer_write(c->out, c->fd);
	if (evbuffer_peek(c->out, -1, NULL, &v, 1) < 1)
		return 0;
	n = tls_write(c->tls, v.iov_base, v.iov_len);
	if (n > 0)
		evbuffer_drain(c->out, (size_t)n);
	return (int)n;
}

/* Write as much as the socket takes, at most what waits now. */
static void
client_flush(struct client *c)
{
	size_t left = evbuffer_get_length(c->out);
	int n;

	while (left > 0) {
		n = write_some(c);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			client_drop(c);
			return;
		}
		left = (size_t)n < left ? left - (size_t)n : 0;
		c->queued -= (size_t)n;
		c->server->queued -= (size_t)n;
		c->server->out_bytes += (uint64_t)n;
		c->last_us = clock_us(CLOCK_MONOTONIC);
		c->half_closed = 0;
	}
	if (evbuffer_get_length(c->out) > 0) {
		client_flush_later(c);
		return;
	}
	if (c->writing)
		event_del(c->write);
	c->writing = false;
	if (c->closing && !c->waiting && !c->lingering)
		client_leave(c);
}

void
client_flush_later(struct client *c)
{
	if (c->dead || c->writing)
		return;
	c->writing = true;
	if (event_add(c->write, NULL) < 0)
		client_drop(c);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	client_flush(c);
	if (!c->dead && c->queued <= c->server->limits.output_pause / 2)
		client_turn(c);
}

/*
 * Its turn
 */
static bool
is_word(const struct resp_arg *a, const char *word)
{
	return a->len == strlen(word) && strncasecmp(a->p, word, a->len) == 0;
}

/* A web browser that somebody's page sent here must not get to the second line. */
static bool
is_browser(struct server *s, const struct client *c, const struct resp_arg *arg)
{
	uint64_t now = clock_us(CLOCK_MONOTONIC);

	if (!is_word(arg, "post") && !is_word(arg, "host:"))
		return false;
	if (s->told_us == 0 || now - s->told_us >= TOLD_US) {
		s->told_us = now;
		log_warn(
		    "%s speaks HTTP to the port of Redis clients: cut off", c->address);
	}
	return true;
}

/* Does the second word say what is done? CLIENT LIST tells it as client|list. */
static bool
has_subcommands(const struct resp_arg *a)
{
	static const char *const list[] = {"acl", "client", "cluster", "command",
	    "config", "debug", "function", "latency", "memory", "module", "object",
	    "pubsub", "script", "slowlog"};
	size_t i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (is_word(a, list[i]))
			return true;
	return false;
}

/* Names are the client's own words: what could break a line of CLIENT LIST does not pass. */
static size_t
put_cmd(char *to, size_t room, const struct resp_arg *a)
{
	size_t i;

	for (i = 0; i < a->len && i + 1 < room; i++) {
		char ch = a->p[i];

		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		to[i] = ch > ' ' && ch <= '~' ? ch : '?';
	}
	to[i] = '\0';
	return i;
}

static void
client_note(struct client *c, const struct resp_arg *args, unsigned n)
{
	size_t len = put_cmd(c->cmd, sizeof(c->cmd), &args[0]);
	unsigned i;

	if (n > 1 && len + 2 < sizeof(c->cmd) && has_subcommands(&args[0])) {
		c->cmd[len++] = '|';
		put_cmd(c->cmd + len, sizeof(c->cmd) - len, &args[1]);
	}
	c->argv_bytes = 0;
	for (i = 0; i < n; i++)
		c->argv_bytes += args[i].len;
}

static void
client_request(struct client *c)
{
	struct resp_parser *r = &c->parser;
	struct server *s = c->server;

	if (is_browser(s, c, &r->args[0])) {
		client_drop(c);
		return;
	}
	counter_inc(s->counters, COUNTER_RESP_COMMANDS);
	client_note(c, r->args, r->nargs);
	c->running = true;
	command_run(s->commands, c, r->args, r->nargs);
	c->running = false;
	c->argv_bytes = 0;
	if (!c->waiting)
		client_replied(c);
}

/* It cannot be understood any more: tell it why and leave. */
static void
client_broken(struct client *c)
{
	counter_inc(c->server->counters, COUNTER_RESP_ERRORS);
	reply_error(c, "ERR %s", c->parser.error);
	c->closing = true;
}

/* Run what has come. */
static void
client_turn(struct client *c)
{
	const struct server_limits *limits = &c->server->limits;
	uint64_t start_us = clock_us(CLOCK_MONOTONIC);
	enum resp_result result;
	unsigned n = 0;

	c->turning = true;
	while (client_runnable(c)) {
		if (n++ >= limits->turn_commands ||
		    clock_us(CLOCK_MONOTONIC) - start_us >= limits->turn_us) {
			client_turn_later(c, 0);
			break;
		}
		result = resp_next(&c->parser);
		c->hungry = result == RESP_MORE;
		if (c->hungry && c->ended)
			c->closing = true;
		if (c->hungry)
			break;
		if (result == RESP_ERROR)
			client_broken(c);
		else if (c->parser.nargs > 0)
			client_request(c);
		if (c->queued > limits->output_pause && !c->dead)
			client_flush(c);
	}
	c->turning = false;
	pubsub_tell(c->server);
	if (!c->dead)
		client_flush(c);
	/* too much waited, and now it does not: nothing else would bring it back here */
	if (!c->hungry && client_runnable(c))
		client_turn_later(c, 0);
	client_arm(c);
}

void
client_turn_later(struct client *c, unsigned ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	if (!c->dead && event_add(c->again, &tv) < 0)
		client_drop(c);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	c->paused = false;
	client_turn(c);
}

/*
 * Reading
 */

/* What it sends although it was told to go. */
static void
client_discard(struct client *c, ssize_t n)
{
	c->discarded += n > 0 ? (size_t)n : 0;
	if (n == 0 || c->discarded > DISCARD_MAX)
		client_drop(c);
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct server *s = c->server;
	size_t room = sizeof(s->in), left;
	ssize_t n;

	(void)what;
	if (!c->lingering) {
		left = c->parser.limits.total - resp_pending(&c->parser);
		room = left < room ? left : room;
	}
	n = c->tls != NULL ? tls_read(c->tls, s->in, room) : recv(fd, s->in, room, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		if (c->tls != NULL && !tls_is_up(c->tls))
			counter_inc(s->counters, COUNTER_RESP_TLS_FAILED);
		client_drop(c);
		return;
	}
	s->in_bytes += (uint64_t)n;
	if (c->lingering) {
		client_discard(c, n);
		return;
	}
	c->last_us = clock_us(CLOCK_MONOTONIC);
	c->ended = n == 0;
	if (!resp_feed(&c->parser, s->in, (size_t)n)) {
		client_cut(c); /* no memory */
		return;
	}
	client_turn(c);
	client_wake(c);
}

/*
 * Its life
 */
void
client_limits(struct client *c)
{
	const struct server_limits *limits = &c->server->limits;

	c->parser.limits = client_authenticated(c) ? limits->request : limits->stranger;
}

struct client *
client_new(struct server *s, int fd, bool tls)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->server = s;
	c->fd = fd;
	c->proto = 2;
	resp_parser_init(&c->parser, &s->limits.request);
	client_limits(c);
	TAILQ_INIT(&c->subscriptions[SUBSCRIPTION_CHANNEL]);
	TAILQ_INIT(&c->subscriptions[SUBSCRIPTION_PATTERN]);
	c->read = event_new(s->base, fd, EV_READ | EV_PERSIST, on_read, c);
	c->write = event_new(s->base, fd, EV_WRITE | EV_PERSIST, on_write, c);
	c->again = evtimer_new(s->base, on_again, c);
	c->out = evbuffer_new();
	if (tls)
		c->tls = tls_accept(s->tls, fd);
	if ((tls && c->tls == NULL) || c->read == NULL || c->write == NULL || c->again == NULL || c->out == NULL ||
	    event_add(c->read, NULL) < 0) {
		close(fd);
		client_free(c);
		return NULL;
	}
	c->hungry = c->reading = true;
	c->id = ++s->last_id;
	c->made_us = c->last_us = clock_us(CLOCK_MONOTONIC);
	TAILQ_INSERT_TAIL(&s->clients, c, next);
	s->nclients++;
	return c;
}

void
client_free(struct client *c)
{
	tls_stream_free(c->tls);
	if (c->read != NULL)
		event_free(c->read);
	if (c->write != NULL)
		event_free(c->write);
	if (c->again != NULL)
		event_free(c->again);
	if (c->out != NULL)
		evbuffer_free(c->out);
	if (c->side != NULL)
		evbuffer_free(c->side);
	if (c->later != NULL)
		evbuffer_free(c->later);
	client_multi_end(c);
	resp_parser_clear(&c->parser);
	free(c);
}

/*
 * Nothing is read from a client whose command waits, so its socket is looked at. One
 * that only sends no more (its side is shut, or it closed and does not know yet) waits
 * for HALF_MS for the next of its answer; it is an error that says nobody will read it.
 * While it has some to read, which makes that error come if it closed, IDLE_MS is its
 * bound, as anybody's.
 */
static void
tick_waiting(struct client *c)
{
	const struct server_limits *limits = &c->server->limits;
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	if (poll(&p, 1, 0) <= 0)
		return;
	if (p.revents & (POLLERR | POLLHUP | POLLNVAL))
		client_drop(c);
	else if (evbuffer_get_length(c->out) == 0 &&
	    ++c->half_closed * limits->tick_ms >= limits->half_ms)
		client_drop(c);
}

void
client_tick(struct client *c, uint64_t now_us)
{
	const struct server_limits *limits = &c->server->limits;
	uint64_t idle_ms = now_us > c->last_us ? (now_us - c->last_us) / 1000 : 0;

	if (c->lingering) {
		if (idle_ms >= limits->linger_ms)
			client_drop(c);
	} else if (c->waiting && (c->queued == 0 || idle_ms < limits->idle_ms)) {
		/* its command may take its time, but not wait for ever to be read */
		tick_waiting(c);
	} else if (c->waiting) {
		client_cut(c);
	} else if (c->closing) {
		if (idle_ms >= limits->close_ms)
			client_cut(c);
	} else if (idle_ms >= limits->idle_ms && !client_is_pushed(c)) {
		client_cut(c);
	}
}
