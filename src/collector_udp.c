/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collector_udp.c -- datagrams on a connected socket. Connected, because only then does
 * the kernel report that nobody listens: as ECONNREFUSED of a later call, which is lost
 * itself unless it is made again.
 *
 * After an error the collector may be a new one that never saw the templates. It is
 * sure to be alive when a datagram is followed by no error, and gets them before the
 * next message; until then they knock at its door once a second.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "collector_int.h"
#include "options_data.h"

#define SEND_BUFFER   (4 * 1024 * 1024)
#define SECOND_US     1000000
#define BACK_AFTER_US 1500000 /* without an error: hosts send one refusal a second */
#define KNOCK	      (OPTIONS_TEMPLATES | OPTIONS_STATISTICS)

void
udp_close(struct collector *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

/* Connect to the first address that has a route, from the present one on. */
bool
udp_open(struct collector *c)
{
	struct addrinfo *first = c->address;
	int size = SEND_BUFFER;

	udp_close(c);
	do {
		c->fd = socket(c->address->ai_family,
		    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (c->fd != -1) {
			/* FORCE, root's, goes beyond net.core.wmem_max. */
			if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				sizeof(size)) == -1)
				setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size));
			if (connect(c->fd, c->address->ai_addr,
				c->address->ai_addrlen) == 0)
				return true;
		}
		udp_close(c);
		collector_rotate(c);
	} while (c->address != first);
	return false;
}

static void
note_error(struct collector *c, int error)
{
	c->again = true;
	c->proved = false;
	c->error_us = clock_us(CLOCK_MONOTONIC);
	collector_gone(c, strerror(error));
}

/* The unsettled datagram was refused. Another address may do better. */
static void
refused(struct collector *c, int error)
{
	if (c->unsettled.is)
		collector_count_lost(c, c->unsettled.records);
	c->unsettled.is = false;
	note_error(c, error);
	if (c->addresses->ai_next != NULL) {
		collector_rotate(c);
		udp_open(c);
	}
}

/* The unsettled datagram was not refused. */
static void
accepted(struct collector *c)
{
	if (!c->unsettled.is)
		return;
	c->unsettled.is = false;
	c->proved = true;
	collector_count_sent(c, c->unsettled.octets, c->unsettled.records);
	if (c->down && clock_us(CLOCK_MONOTONIC) - c->error_us >= BACK_AFTER_US)
		collector_back(c);
}

void
udp_settle(struct collector *c)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!c->unsettled.is || c->fd == -1)
		return;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0)
		refused(c, error);
	else
		accepted(c);
}

/* 0, or the error that keeps the datagram from being sent. */
static int
send_once(struct collector *c, const struct message *m)
{
	if (c->fd == -1)
		return ENETUNREACH;
	if (send(c->fd, m->buf, m->len, MSG_NOSIGNAL) != -1)
		return 0;
	return errno;
}

void
udp_put(struct collector *c, struct message *m)
{
	int error;

	message_sequence(m, c->sequence);
	/* Lost or not: a gap is how the collector knows. */
	c->sequence += m->format->advance(m);
	error = send_once(c, m);
	if (error != 0 && error != EAGAIN && error != ENOBUFS) {
		/* A refusal is of the datagram before; anything else of this one. */
		if (error == ECONNREFUSED) {
			refused(c, error);
		} else {
			accepted(c);
			note_error(c, error);
		}
		error = send_once(c, m);
	}
	accepted(c);
	if (error != 0) {
		collector_count_lost(c, m->flows);
		return;
	}
	c->unsettled.is = true;
	c->unsettled.sent_us = clock_us(CLOCK_MONOTONIC);
	c->unsettled.octets = m->len;
	c->unsettled.records = m->flows;
}

/* Does the collector need templates before a message? */
static bool
is_due(struct collector *c)
{
	uint64_t now_us;

	if (!c->told || (c->intra > 0 && c->since >= c->intra))
		return true;
	if (!c->again)
		return false;
	udp_settle(c);
	now_us = clock_us(CLOCK_MONOTONIC);
	if (!c->proved || now_us - c->recovery_us < SECOND_US)
		return false;
	c->again = false;
	c->recovery_us = now_us;
	return true;
}

void
udp_send(struct collector *c, struct message *m)
{
	if (c->has_templates && is_due(c))
		collector_ask(c, KNOCK);
	udp_put(c, m);
	c->since++;
}

void
udp_clock(struct collector *c)
{
	uint64_t now_us;

	if (!c->unsettled.is && !c->again && c->fd != -1)
		return;
	now_us = clock_us(CLOCK_MONOTONIC);
	if (c->unsettled.is && now_us - c->unsettled.sent_us >= SECOND_US)
		udp_settle(c);
	if (now_us - c->retry_us < SECOND_US || (c->fd != -1 && !c->again))
		return;
	c->retry_us = now_us;
	if (c->fd == -1 && !udp_open(c))
		return;
	if (c->again && c->has_templates) {
		c->again = false;
		collector_ask(c, KNOCK);
	}
}
