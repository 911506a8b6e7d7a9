/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collector_tcp.c -- messages on a connection that is made again whenever it breaks.
 * The queue is here, not in libevent's buffer: that holds a few messages at a time, so
 * what a broken connection had not sent can be sent by the next.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>

#include "collector_int.h"
#include "log.h"
#include "options_data.h"
#include "tls.h"
#include "wire.h"

#define CONNECT_MS   5000
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 5000
#define STEADY_US    5000000 /* a connection that lasted this long was a good one */
#define BUFFER_HIGH  65536   /* handed to libevent at once */
#define BUFFER_LOW   16384
#define USER_TIMEOUT_MS 30000 /* unacknowledged for so long: dead */

static void try_connect(struct collector *);

/* Take out what the kernel has all of. */
static void
reap(struct collector *c)
{
	struct queued *q;
	uint64_t out;

	if (c->bev == NULL)
		return;
	out = c->written - evbuffer_get_length(bufferevent_get_output(c->bev));
	while ((q = c->head) != NULL && q != c->next && q->end <= out) {
		c->taken_us = clock_us(CLOCK_MONOTONIC);
		c->head = q->next;
		if (c->head == NULL)
			c->tail = &c->head;
		c->queued -= q->len;
		collector_count_sent(c, q->len, q->records);
		free(q);
	}
	if (c->queued < COLLECTOR_QUEUE / 2)
		c->full = false;
}

static int
write_out(struct collector *c, const void *bytes, size_t len)
{
	if (bufferevent_write(c->bev, bytes, len) == -1)
		return -1;
	c->written += len;
	return 0;
}

void
tcp_pump(struct collector *c)
{
	struct evbuffer *out;
	struct queued *q;

	if (!c->up || !c->told)
		return;
	out = bufferevent_get_output(c->bev);
	while ((q = c->next) != NULL && evbuffer_get_length(out) < BUFFER_HIGH) {
		wire_put32(q->buf + q->sequence_at, c->sequence);
		if (write_out(c, q->buf, q->len) == -1)
			return; /* no memory: the next write callback tries again */
		c->sequence += q->advance;
		q->end = c->written;
		c->next = q->next;
	}
}

/* Wait for DELAY_MS, give or take a quarter, then longer the next time. */
static void
wait_again(struct collector *c)
{
	unsigned ms, jitter;
	struct timeval tv;

	evutil_secure_rng_get_bytes(&jitter, sizeof(jitter));
	ms = c->delay_ms * 3 / 4 + jitter % (c->delay_ms / 2 + 1);
	tv.tv_sec = ms / 1000;
	tv.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	evtimer_add(c->timer, &tv);
	c->delay_ms = c->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : c->delay_ms * 2;
}

static void
disconnect(struct collector *c)
{
	if (c->bev == NULL)
		return;
	reap(c);
	bufferevent_free(c->bev);
	c->bev = NULL;
	c->up = false;
	c->next = c->head;
}

static void
lost(struct collector *c, const char *why)
{
	if (c->up && clock_us(CLOCK_MONOTONIC) - c->up_us >= STEADY_US)
		c->delay_ms = DELAY_MIN_MS;
	disconnect(c);
	collector_gone(c, why);
	collector_rotate(c);
	wait_again(c);
}

static void
set_options(struct collector *c)
{
	int fd = bufferevent_getfd(c->bev), on = 1;
	unsigned ms = USER_TIMEOUT_MS;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static void
connected(struct collector *c)
{
	evtimer_del(c->timer);
	set_options(c);
	c->up = true;
	c->up_us = c->taken_us = clock_us(CLOCK_MONOTONIC);
	c->written = 0;
	c->next = c->head;
	c->sequence = 0; /* a session of its own: RFC 7011 §3.1 */
	c->told = !c->has_templates;
	c->stats.connects++;
	counter_inc(c->counters, COUNTER_COLLECTOR_CONNECTS);
	collector_back(c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	tcp_start(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	int error = EVUTIL_SOCKET_ERROR();
	struct collector *c = arg;
	char why[192];

	if (what & BEV_EVENT_CONNECTED)
		connected(c);
	else if (what & BEV_EVENT_EOF)
		lost(c, "closed the connection");
	else if (c->tls != NULL)
		lost(c, tls_bufferevent_reason(bev, error, why, sizeof(why)));
	else
		lost(c, evutil_socket_error_to_string(error));
}

/* Collectors say nothing; what they say anyway must not pile up. */
static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct collector *c = arg;

	(void)bev;
	reap(c);
	tcp_pump(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct collector *c = arg;

	(void)fd;
	(void)what;
	if (c->bev == NULL)
		try_connect(c);
	else
		lost(c, "no answer");
}

static void
try_connect(struct collector *c)
{
	static const struct timeval limit = {CONNECT_MS / 1000, CONNECT_MS % 1000};

	c->bev = c->tls != NULL
	    ? tls_bufferevent(c->tls, c->base, c->host)
	    : bufferevent_socket_new(c->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		lost(c, "out of memory");
		return;
	}
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_WRITE, BUFFER_LOW, 0);
	evtimer_add(c->timer, &limit);
	if (bufferevent_socket_connect(c->bev, c->address->ai_addr,
		(int)c->address->ai_addrlen) == -1)
		lost(c, strerror(errno));
}

int
tcp_open(struct collector *c)
{
	c->delay_ms = DELAY_MIN_MS;
	c->taken_us = clock_us(CLOCK_MONOTONIC);
	c->timer = evtimer_new(c->base, on_timer, c);
	if (c->timer == NULL)
		return -1;
	try_connect(c);
	return 0;
}

void
tcp_close(struct collector *c)
{
	struct queued *q;

	disconnect(c);
	if (c->timer != NULL)
		event_free(c->timer);
	c->timer = NULL;
	while ((q = c->head) != NULL) {
		c->head = q->next;
		collector_count_lost(c, q->records);
		free(q);
	}
	c->tail = &c->head;
	c->next = NULL;
	c->queued = 0;
}

void
tcp_start(struct collector *c)
{
	if (!c->started || !c->up)
		return;
	if (!c->told)
		collector_ask(c, OPTIONS_ALL);
	tcp_pump(c);
}

void
tcp_send(struct collector *c, struct message *m)
{
	struct queued *q = NULL;

	if (c->queued + m->len <= COLLECTOR_QUEUE)
		q = malloc(sizeof(*q) + m->len);
	if (q == NULL) {
		if (!c->full)
			log_warn("collector %s: queue full, records are lost", c->spec);
		c->full = true;
		collector_count_lost(c, m->flows);
		return;
	}
	q->next = NULL;
	q->end = 0;
	q->advance = m->format->advance(m);
	q->len = (uint16_t)m->len;
	q->records = m->flows;
	q->sequence_at = m->format->sequence_at;
	memcpy(q->buf, m->buf, m->len);
	*c->tail = q;
	c->tail = &q->next;
	c->queued += m->len;
	if (c->next == NULL)
		c->next = q;
	tcp_pump(c);
}

/* Directly to the connection: templates go before all that waits. */
void
tcp_put(struct collector *c, struct message *m)
{
	if (c->bev == NULL || !c->up)
		return;
	message_sequence(m, c->sequence);
	if (write_out(c, m->buf, m->len) == -1) {
		collector_count_lost(c, m->flows);
		return;
	}
	c->sequence += m->format->advance(m);
	collector_count_sent(c, m->len, m->flows);
}
