/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deal.h -- one trace for several workers: a thread of its own reads the files and deals
 * the frames by the hash of their flow, so that both directions and all fragments of a flow
 * meet in one worker. It is what bounds all others, so it does what only it can: of a plain
 * frame, as nearly all are, it reads the key, and the worker decodes it, where it lies in
 * the block it was read into. Other frames it decodes, with the one table of fragments
 * there is, and packets are dealt. Both travel in batches; a worker gives each batch back.
 */
#ifndef MCPROBE_DEAL_H
#define MCPROBE_DEAL_H

#include <pthread.h>

#include "block.h"
#include "counter.h"
#include "intake.h"
#include "packet.h"
#include "ring.h"
#include "trace.h"

#define DEAL_PACKETS 256
#define DEAL_BYTES   (384 << 10) /* the longest frame, 256 KB, and 255 of 500 bytes */
#define DEAL_BLOCKS  8

struct deal_batch {
	uint64_t clock_us; /* of the trace when the batch was closed */
	bool last;	   /* no more will come */
	unsigned n;
	unsigned npkts;	   /* of PKT */
	unsigned nblocks;  /* of BLOCK */
	uint32_t used;	   /* of BYTES */
	struct block *block[DEAL_BLOCKS]; /* where frames and packets lie; used */
	struct frame frame[DEAL_PACKETS]; /* if of link DEAL_DECODED, DATA is one of PKT */
	struct packet pkt[DEAL_PACKETS]; /* L3 and PAYLOAD: in a block, in BYTES, or NULL */
	uint8_t bytes[DEAL_BYTES]; /* copies, where there is no block */
};

#define DEAL_DECODED UINT16_MAX /* no LINKTYPE_ */

struct deal;
struct heart;
struct plugins;

struct deal_setup {
	const struct config *config;
	const struct strlist *files;
	struct capture *first; /* taken */
	unsigned workers;
	bool bytes; /* somebody reads packets' bytes */
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
/* The packets of a batch from *AT on, which goes along, into PKTS, CAPTURE_BATCH at most; 0:
 * there are no more. */
unsigned	 deal_packets(const struct deal_batch *, unsigned *at, struct intake *,
		     struct packet *pkts);

#endif
