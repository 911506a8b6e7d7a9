/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h -- the control thread's loop: takes ended flows from the workers to the
 * exporters and the MicroCloud, keeps the export clock, answers signals, and ends when
 * all is out.
 */
#ifndef MCPROBE_LOOP_H
#define MCPROBE_LOOP_H

#include "config.h"
#include "counter.h"

struct bell;
struct deal;
struct event_base;
struct export;
struct export_port;
struct heart;
struct share;
struct trace;
struct worker;

/* All borrowed. */
struct loop_setup {
	const struct config *config;
	struct event_base *base;
	struct export *export;
	struct share *share;
	struct export_port *ports; /* an interface that comes back may have a new number */
	unsigned nports;
	struct worker **workers; /* START starts them */
	unsigned nworkers;
	struct deal *deal;	   /* NULL unless it serves the workers */
	const struct trace *trace; /* the files' reading; NULL live */
	struct bell *bell;	    /* rung by the workers */
	struct heart *heart;	    /* told that control gets on; may be NULL */
	/* called when the loop is set up: what it takes is read from then on. -1: it cannot
	   be, the reason was told */
	int (*start)(void *arg);
	void (*sum)(void *arg, struct counters *); /* of all threads, now */
	void *arg;
};

/* From now on signals that are no end (SIGHUP, SIGUSR1) wait for loop_run(), which holds
 * them again when it returns; or all do. */
void	 loop_hold_requests(void);
void	 loop_hold_signals(void);

/*
 * Run until every worker is done and everything is exported, or as much as a dead
 * collector or node allows. A first SIGINT or SIGTERM stops the workers, a second one ends the
 * process at once; with a supervisor it is his second that does, since a terminal or a
 * service manager may send to both. 0, or -1 if the loop cannot be set up or started.
 */
int	 loop_run(const struct loop_setup *);

#endif
