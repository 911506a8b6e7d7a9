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
#include "decode.h"
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

struct worker;

struct worker_setup {
	const struct config *config;
	unsigned id;	/* 0 .. workers - 1 */
	uint64_t seed;	/* of the hashes; the same for all workers */
	bool statistics; /* the template needs flow_detail */
	bool dpi;	/* the template needs nDPI and the user allows it */
	struct capture **sources; /* taken: opened interfaces, or one file */
	unsigned nsources;
	const struct strlist *files; /* the files of the trace, NULL live; borrowed. The first
					is SOURCES[0] */
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
/* Its packet clock and its first packet's time, µs since the epoch, 0 before that. */
uint64_t	 worker_clock(const struct worker *);
uint64_t	 worker_first(const struct worker *);
const struct counters *worker_counters(const struct worker *);
/* Flows alive now. */
uint32_t	 worker_alive(const struct worker *);
/* Where reading a file is (octets), for the progress bar. */
void		 worker_progress(const struct worker *, uint64_t *done, uint64_t *size);
/* True if a file could not be read to its end. */
bool		 worker_failed(const struct worker *);

#endif
