/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deal.h -- one trace for several workers: a thread of its own reads and decodes the
 * files and deals the packets by the hash of their flow, so that both directions and all
 * fragments of a flow meet in one worker. Packets travel in batches, with a copy of the
 * bytes that nDPI and plugins read; a worker gives each batch back.
 */
#ifndef MCPROBE_DEAL_H
#define MCPROBE_DEAL_H

#include <pthread.h>

#include "counter.h"
#include "packet.h"
#include "ring.h"
#include "trace.h"

#define DEAL_PACKETS 256
#define DEAL_BYTES   (384 << 10) /* the longest frame, 256 KB, and 255 of 500 bytes */

struct deal_batch {
	uint64_t clock_us; /* of the trace when the batch was closed */
	bool last;	   /* no more will come */
	unsigned n;
	uint32_t used;	   /* of BYTES */
	struct packet pkt[DEAL_PACKETS]; /* L3 and PAYLOAD point into BYTES, or are NULL */
	uint8_t bytes[DEAL_BYTES];
};

struct deal;
struct heart;
struct plugins;

struct deal_setup {
	const struct config *config;
	const struct strlist *files;
	struct capture *first; /* taken */
	unsigned workers;
	bool bytes; /* somebody reads packets' bytes: copy them */
	uint64_t seed;
	const struct plugins *plugins; /* NULL: none; borrowed */
	struct heart *heart; /* told that the thread gets on; may be NULL */
};

/* NULL: no memory. */
struct deal	*deal_new(const struct deal_setup *);
/* BELLS: of the workers, rung when there is a batch for them. */
int		 deal_start(struct deal *, struct bell *const *bells);
void		 deal_free(struct deal *); /* joins the thread */

/* Any thread: stop reading; the workers still get what was read, and LAST. */
void		 deal_stop(struct deal *);
struct counters	*deal_counters(struct deal *);
const struct trace *deal_trace(const struct deal *);

/* WORKER's: its next batch, NULL: none now; and the way back. */
struct deal_batch *deal_get(struct deal *, unsigned worker);
void		 deal_put(struct deal *, unsigned worker, struct deal_batch *);

#endif
