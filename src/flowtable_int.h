/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable_int.h -- the table as its two files see it: flowtable.c (hash, lists, packets,
 * timeouts) and flowtable_pool.c (records and details; making and freeing).
 */
#ifndef MCPROBE_FLOWTABLE_INT_H
#define MCPROBE_FLOWTABLE_INT_H

#include "flowtable.h"

#define NIL	    UINT32_MAX
#define BUCKET	    7

enum list {
	LIST_NEW,
	LIST_IDLE,
	LIST_CLOSING,
	LIST_AGE,
	LISTS,
	LIST_NONE = LISTS,
};

struct bucket {
	uint16_t passed; /* flows of earlier buckets kept further on, this one's too */
	uint8_t used;	 /* bit per entry */
	uint32_t tag[BUCKET];
	uint32_t slot[BUCKET];
} __attribute__((aligned(64)));

struct list_ends {
	uint32_t head, tail, count;
};

struct flowtable {
	struct flowtable_options opt;
	struct flowtable_calls call;
	struct flowtable_plugins plugins; /* NULLs: none */
	struct counters *counters; /* borrowed */
	struct bucket *buckets;
	uint32_t mask; /* buckets - 1 */
	struct flow *pool;
	uint32_t slots, touched; /* records in the pool; the first TOUCHED were used */
	uint32_t free_head;
	uint32_t alive, away;
	uint64_t serial;
	struct list_ends list[LISTS];
	uint64_t clock_us;
	uint64_t due_us; /* no timeout before this */
	struct flow_detail *detail_free;
	struct flow_detail **slab;
	uint32_t nslabs, max_slabs;
};

/* A record of zeros, in no list. NULL: none is to be had. */
struct flow *pool_take(struct flowtable *);
/* F gets details of its own, empty; or it is told, and counted, that there are none. */
void	 detail_take(struct flowtable *, struct flow *);
/* The same after a report, of which OLD went: what belongs to the connection stays. */
void	 detail_restart(struct flowtable *, struct flow *, const struct flow_detail *old);

#endif
