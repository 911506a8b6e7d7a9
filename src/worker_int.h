/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_int.h -- what the files of the worker room share: worker.c (the thread, and
 * its making), worker_plugin.c and worker_control.c (what control calls). Nobody else includes it.
 */
#ifndef MCPROBE_WORKER_INT_H
#define MCPROBE_WORKER_INT_H

#include "intake.h"
#include "live.h"
#include "plugin.h"
#include "worker.h"

#define FETCH_AHEAD 4 /* records of a ring are fetched so many before their turn */

struct source {
	struct capture *capture; /* owned; NULL: not open */
	bool lost;		 /* the interface is away */
	uint64_t retry_us;	 /* monotonic: when to try again */
};

struct worker {
	const struct config *config; /* borrowed, as the next three */
	struct bell *control;
	struct heart *heart; /* may be NULL */
	struct deal *deal; /* NULL unless packets are dealt to this worker */
	unsigned id;
	struct source *source; /* owned; live */
	unsigned nsources;
	struct intake intake; /* live */
	struct trace *trace;  /* owned; the only worker of a file */
	struct flowtable *table; /* owned */
	struct dpi *dpi;	 /* owned; NULL: not wanted */
	bool claims;		      /* plugins may name flows for nDPI */
	struct plugin_flows *plugins; /* owned; NULL: none runs */
	struct plugin_splitter *splitter; /* owned; NULL: no sub-flows, or the dealer's */
	struct live live;
	struct counters counters;
	struct ring ended, home, commands, answers;
	struct worker_command *waiting; /* its answer cannot be paid yet */
	struct bell bell; /* rung by control */
	pthread_t thread;
	bool started;
	bool stopping;	 /* worker's own */
	bool rested;	 /* there was nothing to do since the last answer */
	bool put;	 /* something was put since control was last told */
	bool patient;	 /* live, but what control has no room for waits */
	/* The wall clock at the last turn; by how much it was set back lately, and until when
	 * that matters, by the monotonic clock; live. */
	uint64_t wall_us, back_us, back_until_us;
	bool stop;	 /* written by control, atomically */
	/* read by control, atomically */
	enum worker_state state;
	uint64_t clock_us;
	uint32_t alive;
};

/* worker_plugin.c: the plugins of SETUP, which see packets from then on; when the table and
 * what reads frames are made. 0, or -1 with the reason in ERR. */
int	 worker_make_plugins(struct worker *, const struct worker_setup *, char *err,
	     size_t errlen);

#endif
