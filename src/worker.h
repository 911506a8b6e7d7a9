/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h -- one capture queue: its thread reads frames, decodes them, accounts them to
 * flows and hands the ended ones to control. Shares nothing with other workers. With
 * control it shares two rings (ended flows out, the same records home), one ring of
 * commands, a bell each way and its counters, which control only reads.
 */
#ifndef MCPROBE_WORKER_H
#define MCPROBE_WORKER_H

#include <pthread.h>

#include "capture.h"
#include "counter.h"
#include "dpi.h"
#include "flowtable.h"
#include "config.h"
#include "ring.h"

/* What control asks of a worker. Static or owned by control; answered in place. */
enum worker_command_kind {
	WORKER_STOP, /* end every flow (reason 4) and finish */
};

struct worker_command {
	enum worker_command_kind kind;
};

enum worker_state {
	WORKER_RUNNING,
	WORKER_HOLDING, /* --stay: the file ended, flows are kept */
	WORKER_DONE,	/* everything was handed over; the thread is about to return */
};

struct deal;
struct trace;
struct worker;

struct worker_setup {
	const struct config *config;
	unsigned id;	/* 0 .. workers - 1 */
	uint64_t seed;	/* of the hashes; the same for all workers */
	bool statistics; /* the template needs flow_detail */
	bool dpi;	/* the template needs nDPI and the user allows it */
	/* where its packets come from, one of three */
	struct capture **sources; /* interfaces; each is taken */
	unsigned nsources;
	struct capture *file;	     /* the open first of FILES, taken */
	const struct strlist *files; /* borrowed */
	struct deal *deal;	     /* a dealer that serves all workers, borrowed */
	struct bell *control; /* rung when control has something to get */
};

/* Make a worker, not yet running. NULL: no memory. Takes the sources in any case. */
struct worker	*worker_new(const struct worker_setup *, char *err, size_t errlen);
int		 worker_start(struct worker *);
/* After WORKER_DONE and when all records are home. */
void		 worker_free(struct worker *);

/* The rest is control's side. */
/* Next ended flow, NULL: none now. Give it back by worker_return(). */
struct flow	*worker_ended(struct worker *);
void		 worker_return(struct worker *, struct flow *);
void		 worker_stop(struct worker *);
enum worker_state worker_state(const struct worker *);
/* Its packet clock, µs since the epoch, 0 before the first packet. */
uint64_t	 worker_clock(const struct worker *);
/* The trace it reads itself, NULL: none. */
const struct trace *worker_trace(const struct worker *);
/* Rung by whoever has something for it. */
struct bell	*worker_bell(struct worker *);
const struct counters *worker_counters(const struct worker *);
/* Flows alive now. */
uint32_t	 worker_alive(const struct worker *);
#endif
