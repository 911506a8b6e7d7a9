/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user.h -- whose a flow is: who had the address of its client, or else of its server,
 * while it lasted, as this probe's own sightings of logins say (sighting.h); or who has it,
 * as the nodes say, where other probes' sightings are. A record that needs an answer waits
 * for it, in order and for a bounded time; control never does. Control thread.
 *
 * What was found first of a connection that goes on, when it was counted or a record of it
 * left, is kept to its end, whoever logs out meanwhile; only one who logged in to that
 * address before the record's first packet comes instead.
 */
#ifndef MCPROBE_USER_H
#define MCPROBE_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "flowdelta.h"

#define USERS_WAITING 16384 /* records and deltas that wait at most */
#define USERS_ENOUGH  1024  /* waiting: who can wait with flows should */
#define USERS_L7_MAX  64    /* protocols counted for a user; beyond: not */

struct cloud;
struct config;
struct dpi_names;
struct event_base;
struct sightings;
struct users;

/* By endpoint of the flow's key; NULL: not known. FLOW's: the client's, else the
 * server's. */
struct user_names {
	const char *of[2];
	const char *flow;
	bool nobody[2]; /* that is known */
};

/* F, which was handed to users_ended(), leaves now. NAMES is borrowed for the call. */
typedef void users_leave(void *arg, void *worker, struct flow *f,
	     const struct user_names *names);

/* All borrowed. */
struct users_setup {
	const struct config *config; /* --user-wait, --redis... */
	struct event_base *base;
	struct counters *counters;
	struct cloud *cloud; /* what is counted; NULL: nothing is */
	struct sightings *sightings; /* the own ones */
	const struct dpi_names *names;
	/* the nodes are asked: nodes_of() and its ARG; NULL: they are not */
	unsigned (*node_of)(void *arg, const char *key, size_t len);
	void *nodes;
	uint64_t seed; /* of hashes */
};

/* NULL with the reason in ERR. Records that still wait when it is freed are not told
 * of. */
struct users	*users_new(const struct users_setup *, char *err, size_t errlen);
void		 users_free(struct users *);
/* Where records go; before the first users_ended(). */
void		 users_on_leave(struct users *, users_leave *, void *arg);

/* F has ended: it leaves from within this call, or later, never before one that came
 * earlier. */
void		 users_ended(struct users *, void *worker, struct flow *f);
/* How many records wait; and are they so many that files should be read slower? */
unsigned	 users_waiting(const struct users *);
bool		 users_busy(const struct users *);

/* Count a flow that lives for its users, as soon as they are known. */
void		 users_delta(struct users *, const struct flowdelta *);
/* The same for one whose record leaves, with what users_leave was told. */
void		 users_count(struct users *, const struct flowdelta *,
		     const struct user_names *);

/* Whose a living flow is as far as is known now, the CLIENT endpoint first; what is not
 * known is asked for. NULL: not known. Borrowed until the next call of this room. */
const char	*users_known(struct users *, const struct flowkey *, unsigned client);

#endif
