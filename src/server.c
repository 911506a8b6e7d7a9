/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c -- the server's life: its limits, its tick, the end of clients, its figures.
 *
 * The tick looks at each client, four times a second: a thousand of them cost it less
 * than a fiftieth of a millisecond.
 */
#include "server.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/util.h>

#include "build.h"
#include "clock.h"
#include "server_int.h"

#define MB	   (1024 * 1024)
#define TRIM_BYTES MB
#define TRIM_US	   10000000 /* between two times */

static const struct server_limits default_limits = {
    .clients = SERVER_CLIENTS,
    .request = {.args = 1024, .bulk = MB, .inline_bytes = 64 * 1024, .total = MB},
    .stranger = {.args = 10,
	.bulk = 16 * 1024,
	.inline_bytes = 16 * 1024,
	.total = 10 * 16 * 1024 + 1024},
    .output_pause = MB,
    .output_stranger = 64 * 1024,
    .output_pushed = 8 * MB,
    .output = 32 * MB,
    .output_all = 256 * MB,
    .patterns = 4096,
    .turn_commands = 1000,
    .turn_us = 5000,
    .tick_ms = 250,
    .idle_ms = 300 * 1000,
    .auth_ms = 1000,
    .close_ms = 10 * 1000,
    .linger_ms = 1000,
    .half_ms = 2000,
};

/* From the loop: nobody is at work with them. */
static void
server_reap(struct server *s)
{
	struct client *c;

	while ((c = TAILQ_FIRST(&s->dead)) != NULL) {
		TAILQ_REMOVE(&s->dead, c, next);
		if (c->waiting && c->gone != NULL)
			c->gone(c->gone_arg);
		pubsub_leave(c);
		if (c->monitoring)
			TAILQ_REMOVE(&s->monitors, c, monitor);
		client_free(c);
	}
	pubsub_tell(s);
}

static void
on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	server_reap(arg);
}

static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pubsub_tell(arg);
}

/*
 * Give back what a long queue leaves behind when it is gone: thousands of pieces between
 * others that stay, which malloc keeps for ever. It looks at all that is free, some
 * milliseconds, and therefore seldom.
 */
static void
server_trim(struct server *s, uint64_t now_us)
{
	if (s->swollen < s->queued)
		s->swollen = s->queued;
	if (s->swollen < TRIM_BYTES || s->queued > s->swollen / 4 ||
	    now_us - s->trimmed_us < TRIM_US)
		return;
#ifdef HAVE_MALLOC_TRIM
	malloc_trim(0);
#endif
	s->swollen = s->queued;
	s->trimmed_us = now_us;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct client *c, *next;
	uint64_t now_us = clock_us(CLOCK_MONOTONIC);
	struct timeval tv = {s->limits.tick_ms / 1000, s->limits.tick_ms % 1000 * 1000};

	(void)fd;
	(void)what;
	for (c = TAILQ_FIRST(&s->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, next);
		client_tick(c, now_us); /* may drop C, nobody else */
	}
	if (s->deaf)
		listen_resume(s);
	server_trim(s, now_us);
	event_add(s->tick, &tv);
}

static int
server_init(
    struct server *s, const struct server_setup *setup, char *err, size_t errlen)
{
	s->base = setup->base;
	s->counters = setup->counters;
	s->commands = setup->commands;
	s->limits = default_limits;
	s->tls = setup->tls;
	s->certified = setup->certified;
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->clients);
	TAILQ_INIT(&s->dead);
	TAILQ_INIT(&s->monitors);
	respbuf_init(&s->text);
	evutil_secure_rng_get_bytes(&s->seed, sizeof(s->seed));
	if (setup->password != NULL && setup->password[0] == '\0') {
		snprintf(err, errlen, "the password of Redis clients is empty");
		return -1;
	}
	snprintf(err, errlen, "no memory");
	if (setup->password != NULL && (s->password = strdup(setup->password)) == NULL)
		return -1;
	s->tick = evtimer_new(s->base, on_tick, s);
	s->reap = evtimer_new(s->base, on_reap, s);
	s->tell = event_new(s->base, -1, 0, on_tell, s);
	if (s->tick == NULL || s->reap == NULL || s->tell == NULL)
		return -1;
	on_tick(-1, 0, s);
	return listen_open(s, setup, err, errlen);
}

struct server *
server_new(const struct server_setup *setup, char *err, size_t errlen)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(err, errlen, "no memory");
		return NULL;
	}
	if (server_init(s, setup, err, errlen) == 0)
		return s;
	server_free(s);
	return NULL;
}

void
server_free(struct server *s)
{
	struct client *c;

	if (s == NULL)
		return;
	listen_close(s);
	s->interest = NULL;
	while ((c = TAILQ_FIRST(&s->clients)) != NULL)
		client_drop(c);
	server_reap(s);
	if (s->tick != NULL)
		event_free(s->tick);
	if (s->reap != NULL)
		event_free(s->reap);
	if (s->tell != NULL)
		event_free(s->tell);
	respbuf_clear(&s->text);
	if (s->password != NULL)
		explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	free(s->addresses);
	free(s);
}

const char *
server_addresses(const struct server *s)
{
	return s->addresses == NULL ? "" : s->addresses;
}

unsigned
server_port(const struct server *s)
{
	const struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, next)
		if (l->port != 0)
			return l->port;
	return 0;
}

void
server_on_interest(struct server *s, void (*cb)(void *arg), void *arg)
{
	s->interest = cb;
	s->interest_arg = arg;
}

void
server_stats(const struct server *s, struct server_stats *st)
{
	const struct client *c;

	memset(st, 0, sizeof(*st));
	st->clients = s->nclients;
	TAILQ_FOREACH (c, &s->clients, next) {
		st->blocked += c->waiting;
		st->subscribers += client_subscriptions(c) > 0;
		st->monitors += c->monitoring;
		st->input_waiting += resp_pending(&c->parser);
	}
	st->channels = server_channels(s, NULL, 0, NULL, NULL);
	st->patterns = server_patterns(s);
	st->connections = counter_get(s->counters, COUNTER_RESP_CONNECTIONS);
	st->rejected = counter_get(s->counters, COUNTER_RESP_REJECTED);
	st->commands = counter_get(s->counters, COUNTER_RESP_COMMANDS);
	st->cut_off = counter_get(s->counters, COUNTER_RESP_CUT_OFF);
	st->in_bytes = s->in_bytes;
	st->out_bytes = s->out_bytes;
	st->output_waiting = s->queued;
}
