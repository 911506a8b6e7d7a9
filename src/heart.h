/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heart.h -- how a supervisor sees that threads get on: a page that the probe's process
 * shares with it, a count for each thread. A thread that counts is watched until it
 * rests; it counts at least once a second, also while it waits for others. A NULL heart
 * belongs to a probe without supervisor: all functions of the probe's side do nothing.
 */
#ifndef MCPROBE_HEART_H
#define MCPROBE_HEART_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum heart_thread {
	HEART_CONTROL,
	HEART_DEALER,
	HEART_WORKER, /* + its number */
	HEART_THREADS = HEART_WORKER + 64,
};

struct heart {
	pid_t supervisor;
	bool ready;   /* atomic: everything is open */
	bool excused; /* control may wait for ever, for who reads its output */
	struct {
		alignas(64) uint64_t count; /* atomic; 0: rests, not watched */
	} thread[HEART_THREADS];
};

/*
 * The probe's side
 */

/* WHO gets on. Costs a store: for each turn, not for each packet. */
static inline void
heart_beat(struct heart *h, unsigned who)
{
	if (h != NULL) /* the thread's own: nobody else writes it */
		__atomic_store_n(&h->thread[who].count, h->thread[who].count + 1,
		    __ATOMIC_RELAXED);
}

/* WHO is done, or about to do what may take as long as it takes. */
static inline void
heart_rest(struct heart *h, unsigned who)
{
	if (h != NULL)
		__atomic_store_n(&h->thread[who].count, 0, __ATOMIC_RELAXED);
}

static inline void
heart_ready(struct heart *h)
{
	if (h != NULL)
		__atomic_store_n(&h->ready, true, __ATOMIC_RELEASE);
}

/* The process whose stop signals count; 0: anybody's. */
static inline pid_t
heart_supervisor(const struct heart *h)
{
	return h != NULL ? h->supervisor : 0;
}

/*
 * The supervisor's side
 */

/* How long each thread has not counted, in looks. */
struct heart_looks {
	uint64_t count[HEART_THREADS];
	unsigned still[HEART_THREADS];
	unsigned resting; /* control: not begun, or done */
};

/* A shared page, zeroed. NULL: no memory. Kept until the end. */
struct heart	*heart_new(void);
/* For the next child. */
void		 heart_reset(struct heart *);
/*
 * Look, about once a second. The thread that has not counted for LIMIT looks, or -1.
 * Looks are counted, not seconds: who was stopped meanwhile, or slept with the whole
 * machine, is not late. A control thread that rests for 3 times that is late too.
 */
int		 heart_look(const struct heart *, struct heart_looks *, unsigned limit);
/* "worker 1" */
const char	*heart_name(unsigned who, char *text, size_t size);

#endif
