/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live.h -- what a worker tells of its flows while they live: what they did since they
 * were last told of (deltas, for the key tree), that there is a new one, and answers to
 * questions. Part of a worker, on its thread: no thread, no lock of its own. Posts go to
 * control through a ring of copies.
 *
 * Cost: a packet sets a bit where deltas are wanted, and nothing where not. A walk over
 * the bits comes each interval, in slices. Memory: a bit and 32 bytes per record of the
 * table (the latter untouched until a flow is told of), and LIVE_POST bytes.
 *
 * Told once: what was told of a flow stands beside its record, by slot, and goes with
 * the record to control, which reads it there and feeds the key tree with the rest.
 */
#ifndef MCPROBE_LIVE_H
#define MCPROBE_LIVE_H

#include "counter.h"
#include "flowdelta.h"
#include "flowtable.h"
#include "post.h"

#define LIVE_POST	 (1 << 20)
#define LIVE_SLICE	 256	 /* flows told of in a slice at most, */
#define LIVE_SLICE_WORDS 4096	 /* and words of 64 slots looked at */
#define LIVE_SETTLED	 32	 /* packets after which nobody waits for nDPI */
#define LIVE_PAGE_SLOTS	 8192	 /* slots looked at for a page at most */
#define LIVE_BURST_NS	 5000000 /* of answering, after a rest */
#define LIVE_SHARE	 20	 /* a busy worker answers for 1/20 of its time */

struct worker_command;

struct live_setup {
	struct flowtable *table;   /* borrowed */
	uint32_t slots;		   /* records of TABLE, those away included */
	struct counters *counters; /* the worker's; borrowed */
	bool cloud;		   /* deltas are wanted */
	bool dpi;		   /* flows have FLOW_DPI_DONE one day */
	uint64_t interval_us;	   /* between walks, monotonic */
	flowtable_finish_cb *finish; /* at the last walk, for flows without a name */
	void *arg;
};

enum live_walk {
	LIVE_IDLE,  /* no walk is under way */
	LIVE_GOING, /* there is more of this one */
	LIVE_FULL,  /* it cannot go on before control takes posts */
};

struct live {
	struct live_setup s;
	uint64_t *touched; /* bit by slot, owned; NULL: no deltas */
	struct flow_told *told; /* by slot, owned; NULL: no deltas */
	uint32_t words;	   /* of TOUCHED */
	uint32_t word;	   /* where the walk is */
	bool walking, last;
	uint64_t due_us;   /* monotonic: the next walk; 0: not set */
	int64_t budget_ns; /* of answering */
	uint64_t filled_ns; /* CPU time up to which the budget was filled */
	const struct plugin_flows *plugins; /* borrowed; NULL: none runs */
	bool want_new;	   /* written by control, atomically */
	struct post post;
};

/* 0, or -1: no memory. Cleared by live_clear() in both cases; LIVE: zeros at first. */
int	 live_init(struct live *, const struct live_setup *);
void	 live_clear(struct live *);

/* F got a packet. Only where deltas are wanted. */
static inline void
live_touch(struct live *l, const struct flow *f)
{
	l->touched[f->index / 64] |= UINT64_C(1) << f->index % 64;
}

/* Is this the first packet of a connection, and does somebody want to know? */
static inline bool
live_wants_new(const struct live *l, const struct flow *f)
{
	return __atomic_load_n(&l->want_new, __ATOMIC_RELAXED) &&
	    f->packets[0] + f->packets[1] == 1 && !(f->flags & FLOW_RESTARTED);
}

/* Post F as new. False: no room now. */
bool	 live_post_new(struct live *, const struct flow *f);

/*
 * F ended and is about to leave for control. What was told of it must be found by its
 * own slot: a copy that leaves at the active timeout takes it from the original, which
 * begins at zero again.
 */
void	 live_ended(struct live *, const struct flow *f);

/* F is home, or was dropped; before flowtable_put(). */
void	 live_home(struct live *, const struct flow *f);

/* What was told of F, which has ended and is not home yet. NULL: nothing. Control's. */
const struct flow_told *live_told(const struct live *, const struct flow *f);

/* Begin a walk if it is time (NOW_US monotonic) and none is under way. */
void	 live_due(struct live *, uint64_t now_us);

/* Begin the last walk: no packets will come, so it tells of every touched flow. */
void	 live_begin_last(struct live *);

/* One slice of the walk. PUT: set if something was posted. */
enum live_walk live_slice(struct live *, bool *put);

/*
 * Answering. The budget is full after a rest (the worker had nothing to do). Else it
 * fills with 1/LIVE_SHARE of the worker's CPU time, CPU_NS by now, and answers are paid
 * from it.
 */
void	 live_rest(struct live *, uint64_t cpu_ns);
bool	 live_may_answer(struct live *, uint64_t cpu_ns);
void	 live_pay(struct live *, uint64_t ns);

/* Answer in place. */
void	 live_answer(const struct live *, struct worker_command *);

#endif
