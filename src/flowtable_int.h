/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable_int.h -- the table as its files see it: flowtable.c (hash, packets, timeouts),
 * flowtable_wheel.c (who must be looked at when) and flowtable_pool.c (records and
 * details; making and freeing).
 */
#ifndef MCPROBE_FLOWTABLE_INT_H
#define MCPROBE_FLOWTABLE_INT_H

#include <stddef.h>

#include "flowtable.h"

#define NIL	    UINT32_MAX
#define BUCKET	    10
#define DETAIL_SHORT ((offsetof(struct flow_detail, tunnel) + 7) & ~(size_t)7)

enum list {
	LIST_NEW,
	LIST_IDLE,
	LIST_CLOSING,
	LISTS,
	LIST_NONE = LISTS,
};

struct bucket {
	uint16_t tag[BUCKET]; /* 0: the entry is free */
	uint16_t passed; /* flows of earlier buckets kept further on, this one's too */
	uint32_t slot[BUCKET];
} __attribute__((aligned(64)));

/*
 * Flows by the tick in which they must be looked at: a list per tick, and a bit where it
 * is not empty. What lies further ahead than the wheel goes is put as far as it goes.
 */
#define TICK_SHIFT  18	 /* µs: a quarter of a second */
#define WHEEL_TICKS 1024 /* four minutes and a half */

struct wheel_list {
	uint32_t head, tail; /* slots of the pool, NIL: empty */
};

struct wheel {
	struct wheel_list list[WHEEL_TICKS], passed; /* PASSED: to be looked at now */
	uint64_t used[WHEEL_TICKS / 64];
	uint32_t count;
};

struct flowtable {
	struct flowtable_options opt;
	struct flowtable_calls call;
	struct flowtable_plugins plugins; /* NULLs: none */
	struct counters *counters; /* borrowed */
	struct bucket *buckets;
	uint32_t nbuckets;
	bool flushing; /* every flow ends: none needs to leave its bucket */
	struct flow *pool;
	uint32_t slots, touched; /* records in the pool; the first TOUCHED were used */
	uint32_t free_head;
	uint32_t alive, away;
	uint64_t serial;
	struct wheel wheel[LISTS];
	uint64_t clock_us;
	uint64_t tick; /* of the clock: those before it have passed */
	bool passed;   /* flows have, and were not all looked at yet */
	bool emergency, tight;
	/* flows alive at which an emergency begins, is for all flows, and ends */
	uint32_t full, brim, calm;
	struct details {
		struct flow_detail *free;
		void **slab; /* owned, as the slabs */
		uint32_t nslabs;
	} details[2]; /* short, and whole ones */
	uint32_t max_slabs;
};

/* A record of zeros, in no list. NULL: none is to be had. */
struct flow *pool_take(struct flowtable *);
/* F gets details of its own, with what it has in short ones, if any; or it is told, and
 * counted, that there are none. */
void	 detail_take(struct flowtable *, struct flow *, bool whole);
/* The same after a report, of which OLD went: what belongs to the connection stays. */
void	 detail_restart(struct flowtable *, struct flow *, const struct flow_detail *old);

/*
 * flowtable_wheel.c. A flow alive is in one tick of one wheel.
 */
static inline uint64_t
wheel_tick(uint64_t us)
{
	return us >> TICK_SHIFT;
}

void	 wheel_init(struct wheel *);
/* The tick in which somebody who is due then stands: this one at least, and as far ahead as
 * the wheel goes at most. */
uint64_t wheel_place(const struct flowtable *, uint64_t due_us);
/* Into the wheel of F's list. */
void	 wheel_insert(struct flowtable *, struct flow *f, uint64_t due_us);
void	 wheel_remove(struct flowtable *, struct flow *f);
void	 wheel_move(struct flowtable *, struct flow *f, uint64_t due_us);
/* It is TICK now, later than it was. */
void	 wheel_turn(struct flowtable *, uint64_t tick);
/* The first flow of wheel L whose time has passed; NULL: none. */
struct flow *wheel_passed(const struct flowtable *, enum list l);
/* The first of all, and the tick in which it stands; NULL: none. */
struct flow *wheel_first(const struct flowtable *, enum list l, uint64_t *tick);

#endif
