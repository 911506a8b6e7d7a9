/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * share.h -- the MicroCloud as the probe runs it: key tree, nodes, events, Redis clients
 * and their questions to the workers, put together. Control thread.
 */
#ifndef MCPROBE_SHARE_H
#define MCPROBE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"

struct config;
struct dpi_names;
struct event_base;
struct field_context;
struct flow;
struct mc_plugin;
struct plugins;
struct share;
struct template;
struct user_names;
struct users;
struct worker;

/* All borrowed for the share's life. */
struct share_setup {
	const struct config *config;
	const struct template *template;
	const struct dpi_names *names;
	const struct field_context *fields;
	struct event_base *base;
	struct counters *counters; /* control's */
	struct worker **workers;   /* room for NWORKERS; filled before share_start() */
	unsigned nworkers;
	uint64_t seed;
	const struct plugins *plugins; /* NULL: none runs */
	void (*sum)(void *arg, struct counters *); /* of all threads, now */
	void *arg;
};

/* Open what may need rights: listen, read passwords, open --events. NULL with the reason
 * in ERR. */
struct share	*share_new(const struct share_setup *, char *err, size_t errlen);
void		 share_free(struct share *);
void		 share_chown(struct share *, unsigned uid, unsigned gid);
/* Privileges are dropped and the workers made: connect. 0, or -1. */
int		 share_start(struct share *);

/* Ten times a second; FROZEN: time stands still (--stay, the file has ended). */
void		 share_tick(struct share *, bool frozen);
/* Take what W has posted before END (worker_posts_end()), SHARE_POSTS at a time: how
 * many it were. All of them are taken before flows that had ended by then (worker.h). */
#define SHARE_POSTS 512
unsigned	 share_posts(struct share *, struct worker *w, uint64_t end);
/* F ended, with FIELDS of a plugin, NULL: none; NAMES: its users. Before it goes home to
 * W. */
void		 share_ended(struct share *, struct worker *w, const struct flow *f,
		     const struct mc_plugin *, const void *fields,
		     const struct user_names *);
/* Ended flows go through it. */
struct users	*share_users(struct share *);
/* The packet clock is NOW_US. */
void		 share_clock(struct share *, uint64_t now_us);
/* What happened before NOW_US, by packet time, was taken of all workers. */
void		 share_taken(struct share *, uint64_t now_us);
/* Workers may have answered. True: there may be more answers than were taken. */
bool		 share_answers(struct share *);

/* The end: nodes get the rest, as fast as they take it. */
void		 share_drain(struct share *);
bool		 share_settled(const struct share *); /* everything is acknowledged */
/* Give up what was not taken; the counters are final then. */
void		 share_end(struct share *);

void		 share_reopen(struct share *); /* SIGHUP */

#endif
