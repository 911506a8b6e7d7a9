/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collector.h -- the way to one collector: a UDP socket or a TCP connection, its
 * sequence number and its counters. Control thread only. Never blocks: what cannot be
 * sent is counted. A collector that is gone is logged once, and once when it is back.
 *
 * A UDP sender learns of a dead collector late: the answer to one datagram is an error
 * of the next call. So a datagram counts as sent when no error followed it, and one
 * that was refused counts as lost in its turn.
 *
 * TCP: messages wait in a queue of COLLECTOR_QUEUE octets at most, newest dropped; a
 * message leaves it when the kernel has all of it, so a broken connection repeats what
 * was cut. Each connection is a session: templates first, sequence from 0. TLS is TCP with a
 * collector that has proved to be the one that was named.
 */
#ifndef MCPROBE_COLLECTOR_H
#define MCPROBE_COLLECTOR_H

#include "counter.h"
#include "message.h"

struct event_base;
struct collector;
struct tls;

#define COLLECTOR_PORT	   "2055"
#define COLLECTOR_TLS_PORT "4740" /* RFC 7011 §10.3.4 */
#define COLLECTOR_QUEUE (4 * 1024 * 1024)

/* The collector wants to be told WHAT (enum options_part) before anything else: answer
 * with collector_tell() for each message. */
typedef void collector_want(void *arg, struct collector *, unsigned what);

struct collector_setup {
	const char *spec;	 /* [udp://|tcp://|tls://]HOST[:PORT], [ADDR]:PORT; borrowed */
	struct event_base *base; /* needed for tcp:// and tls:// */
	struct tls *tls;	 /* of tls://; borrowed */
	struct counters *counters;
	unsigned intra;		 /* templates again after N messages; 0: never */
	bool has_templates;	 /* not v5 */
	collector_want *want;
	void *arg;
};

/* What has become of its messages. */
struct collector_stats {
	uint64_t messages, octets, records; /* sent; RECORDS of flows */
	uint64_t errors, lost;		    /* messages not sent, records in them */
	uint64_t templates, connects;
};

/* NULL with the reason in ERR if SPEC is malformed or its name does not resolve. */
struct collector *collector_new(const struct collector_setup *, char *err,
		      size_t errlen);
void		  collector_free(struct collector *);

/* The export clock runs: templates may go out from now on. */
void	 collector_start(struct collector *);

/* Send a finished message of flows, with this collector's sequence number put in. */
void	 collector_send(struct collector *, struct message *);

/* Send a finished message of templates or options, ahead of everything queued. */
void	 collector_tell(struct collector *, struct message *);

/* The template timer: OPTIONS_ parts that are due, cut down to what a session needs. */
void	 collector_refresh(struct collector *, unsigned what);

/* Now and then: see what became of the last datagram, try a lost collector again. */
void	 collector_clock(struct collector *);

/* See now what became of the last datagram, so that the counters are complete. */
void	 collector_settle(struct collector *);

/* Give up: what was not sent is counted as lost, and nothing is sent any more. */
void	 collector_end(struct collector *);

/* Octets still waiting (TCP). */
size_t	 collector_pending(const struct collector *);

/* TCP: half of its queue is full, and it takes what it is sent or has not been reached
 * yet. Who can wait should: the queue's end is lost. Not for a dead collector. */
bool	 collector_busy(const struct collector *);

const struct collector_stats *collector_stats(const struct collector *);
const char *collector_spec(const struct collector *);

/* The local address towards it: 4 bytes for FAMILY 4, 16 for 6. NULL: unknown. */
const uint8_t *collector_local(const struct collector *, int family);

#endif
