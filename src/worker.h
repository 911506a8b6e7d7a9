/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h -- one capture queue: its thread reads frames, decodes them, accounts them to
 * flows and hands the ended ones to control. Shares nothing with other workers. With
 * control it shares two rings (ended flows out, the same records home), one ring of
 * commands, a bell each way and its counters, which control only reads.
 */
#ifndef MCPROBE_WORKER_H
#define MCPROBE_WORKER_H

#include <mcprobe/plugin.h>

#include <pthread.h>
#include <stdalign.h>

#include "alive.h"
#include "capture.h"
#include "counter.h"
#include "dpi.h"
#include "flowdelta.h"
#include "flowtable.h"
#include "config.h"
#include "post.h"
#include "ring.h"

#define WORKER_COMMANDS 256 /* under way to and from a worker at most */

/*
 * What control asks of a worker: owned by who asks, lent to the worker, answered in
 * place and given back. The struct is the first member of one of those below.
 */
enum worker_command_kind {
	WORKER_FIND,
	WORKER_PAGE,
};

struct worker_command {
	enum worker_command_kind kind;
	bool delayed; /* worker's: it waited for the budget */
	void *owner;  /* the asker's */
};

/* A copy of the flow of KEY, as it is when the worker is asked. */
struct worker_find {
	struct worker_command command;
	struct flowkey key;
	bool found;
	struct alive_flow flow; /* if FOUND */
	alignas(16) uint8_t fields[MC_FIELDS_MAX]; /* of a plugin: FLOW points here */
};

/* Names of the flows from slot SLOT on. */
struct worker_page {
	struct worker_command command;
	uint32_t slot; /* after the answer: where to go on, if MORE */
	bool more;
	unsigned n;
	struct alive_name name[ALIVE_PAGE];
};

enum worker_state {
	WORKER_RUNNING,
	WORKER_HOLDING, /* --stay: the file ended, flows are kept */
	WORKER_DONE,	/* everything was handed over; the thread is about to return */
};

struct deal;
struct heart;
struct mc_plugin;
struct plugins;
struct trace;
struct worker;

struct worker_setup {
	const struct config *config;
	unsigned id;	/* 0 .. workers - 1 */
	uint64_t seed;	/* of the hashes; the same for all workers */
	bool statistics; /* the template needs flow_detail */
	bool dpi;	/* the template needs nDPI and the user allows it */
	struct dpi_names *names; /* dpi_new()'s; borrowed; NULL: none */
	bool dpi_whole; /* the template wants of nDPI what only all packets tell */
	bool cloud;	/* the key tree wants deltas of live flows */
	uint64_t cloud_interval_us; /* how often */
	const struct plugins *plugins; /* NULL: none runs; borrowed */
	/* where its packets come from, one of three */
	struct capture **sources; /* interfaces; each is taken */
	unsigned nsources;
	struct capture *file;	     /* the open first of FILES, taken */
	const struct strlist *files; /* borrowed */
	struct deal *deal;	     /* a dealer that serves all workers, borrowed */
	struct bell *control; /* rung when control has something to get */
	struct heart *heart;  /* told that the thread gets on; NULL: nobody looks */
};

/* Make a worker, not yet running. NULL: no memory. Takes the sources in any case. */
struct worker	*worker_new(const struct worker_setup *, char *err, size_t errlen);
int		 worker_start(struct worker *);
/* After WORKER_DONE and when all records are home. */
void		 worker_free(struct worker *);

/* The rest is control's side. */

/*
 * What a worker tells comes in two rings. So that nobody hears of a flow's end before
 * its beginning: look how many ended flows wait, then where the posts end, take the
 * posts before that, then that many flows.
 */
uint32_t	 worker_ended_count(const struct worker *);
uint64_t	 worker_posts_end(const struct worker *);
/* Is there a post before END? */
bool		 worker_posts_before(const struct worker *, uint64_t end);
/* Next post, copied to BUF (POST_MAX bytes, aligned for any type). False: none now. */
bool		 worker_post(struct worker *, struct post_head *, void *buf);
/* The same without a copy: post.h's. */
const void	*worker_post_peek(struct worker *, struct post_head *, void *buf);
void		 worker_post_next(struct worker *, const struct post_head *);
/* Next ended flow, NULL: none now. Give it back by worker_return(). */
struct flow	*worker_ended(struct worker *);
/* What was told of an ended flow while it lived, borrowed until worker_return(). NULL:
 * nothing. */
const struct flow_told *worker_told(const struct worker *, const struct flow *);
/* What a plugin has in the record of an ended flow, borrowed likewise; NULL: nothing.
 * *PLUGIN: whose it is. */
const void	*worker_plugin_fields(const struct worker *, const struct flow *,
		     const struct mc_plugin **plugin);
void		 worker_return(struct worker *, struct flow *);

/*
 * Lend it a command; at most WORKER_COMMANDS may be out. The bell of control is rung
 * when worker_answer() has something. After WORKER_DONE commands come back as they went.
 */
void		 worker_ask(struct worker *, struct worker_command *);
/* Next command that comes back, NULL: none now. */
struct worker_command *worker_answer(struct worker *);

/* Post each new flow (POST_NEW) from now on, or no longer. */
void		 worker_want_new(struct worker *, bool);
/* End every flow (reason 4) and finish; at once, whatever it was asked before. */
void		 worker_stop(struct worker *);
enum worker_state worker_state(const struct worker *);
/* Its packet clock, µs since the epoch, 0 before the first packet. What happened before is
 * in its rings, or was taken. */
uint64_t	 worker_clock(const struct worker *);
/* The trace it reads itself, NULL: none. */
const struct trace *worker_trace(const struct worker *);
/* Rung by whoever has something for it. */
struct bell	*worker_bell(struct worker *);
const struct counters *worker_counters(const struct worker *);
/* Flows alive now. */
uint32_t	 worker_alive(const struct worker *);
#endif
