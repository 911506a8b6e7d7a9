/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reorder.h -- both sides of a TCP connection as streams: payload is handed on in order
 * and once, in the pieces in which it came. What comes in order is never copied. What
 * comes early is, into segments of a bounded pool, REORDER_SEGMENTS of them a side at
 * most, until the hole before it is filled; where octets overlap the copy that came first
 * counts. A hole is given up, and told of, when the window is full, when it is older than
 * REORDER_HOLE_US of packet time, when the other side has acknowledged what is behind it,
 * and when the connection ends. A SYN within a stream begins it anew once an octet comes
 * that is the first behind it; if the stream goes on instead, the SYN was stray.
 *
 * Belongs to a worker, no locks. A packet costs O(REORDER_SEGMENTS) at most.
 */
#ifndef MCPROBE_REORDER_H
#define MCPROBE_REORDER_H

#include <mcprobe/plugin.h>

#include "packet.h"
#include "pool.h"

#define REORDER_SEGMENTS 8    /* of a side, */
#define REORDER_SEGMENT	 2048 /* octets each: 16 KB */
#define REORDER_HOLE_US	 1000000

struct reorder_segment {
	struct reorder_segment *next; /* by sequence number, no two overlap */
	uint64_t ts_us;
	uint32_t seq;
	uint32_t len, wire; /* octets kept; and of the segment as it was sent */
	uint32_t order;	    /* counts arrivals */
	bool fin;
	uint8_t data[REORDER_SEGMENT];
};

struct reorder_side {
	struct reorder_segment *head;
	uint64_t hole_us; /* when the hole before HEAD was left */
	uint32_t isn, next, acked;
	uint32_t again;	  /* the ISN of a SYN within the stream: stray, or a new one's */
	uint32_t gap;	  /* to be told with what is handed on next */
	uint8_t segments;
	bool syn;    /* ISN is known */
	bool synced; /* NEXT is known */
	bool reopening; /* AGAIN is set: what comes first of both decides */
	bool has_ack;
	bool ended; /* nothing follows */
};

struct reorder {
	struct reorder_side side[2];
	uint32_t order;
};

/* Takes the next piece of a side. False: no more is wanted, of either. */
typedef bool reorder_cb(void *arg, const struct mc_packet *);

struct reorder_sink {
	reorder_cb *take; /* NULL: keep everything, the pieces in order too */
	void *arg;
	struct pool *segments; /* of struct reorder_segment; borrowed */
};

/* The size of REORDER's pool objects. */
#define REORDER_OBJECT sizeof(struct reorder_segment)

/* Zeros are a connection of which nothing is known; this one's SIDE began with ISN. */
void	 reorder_began(struct reorder *, unsigned side, uint32_t isn);

/* PKT (with a whole TCP header) was sent by SIDE. False: TAKE said so; or, where it is
 * NULL, there is no room. */
bool	 reorder_packet(struct reorder *, const struct reorder_sink *, const struct packet *,
	     unsigned side);

/* Hand on what was kept and is in order, in the order in which it came. */
bool	 reorder_release(struct reorder *, const struct reorder_sink *);

/* Leave behind the hole before what is kept of SIDE, if nothing will fill it, or FORCE.
 * True if it was. */
bool	 reorder_give_up(struct reorder *, unsigned side, uint64_t now_us, bool force);

/* What of SIDE is kept and in order: copied to BUF, SIZE octets at most. *GAP as it would
 * be told. The number of octets. */
uint32_t reorder_peek(const struct reorder *, unsigned side, uint8_t *buf, uint32_t size,
	     uint32_t *gap);

/* The connection is over: hand on everything that is left, with its gaps. */
bool	 reorder_flush(struct reorder *, const struct reorder_sink *);

/* Forget what is kept. */
void	 reorder_clear(struct reorder *, struct pool *segments);

#endif
