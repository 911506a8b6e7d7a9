/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alive.h -- questions about the flows alive in the workers, as the rooms that answer
 * Redis clients ask them. Answers come later, from control's loop, never from within the
 * asking call; they are copies. Workers answer between batches of packets, within a
 * budget, so a question may take some milliseconds under load.
 */
#ifndef MCPROBE_ALIVE_H
#define MCPROBE_ALIVE_H

#include "flow.h"

struct mc_plugin;

#define ALIVE_PAGE 512 /* flows of a page at most */

struct alive;

/* A flow as it was when the worker was asked. Its pointers point into the answer or are
 * NULL. */
struct alive_flow {
	struct flow flow;
	struct flow_detail detail;
	struct flow_l7 l7;
	/* what a plugin has in the record so far; PLUGIN NULL: nothing */
	const struct mc_plugin *plugin;
	const void *plugin_fields;
};

/* What the name of a flow is made of. */
struct alive_name {
	struct flowkey key;
	uint8_t client; /* direction whose sender is the client */
};

/* FLOW: NULL if there is none. Borrowed until the callee returns. */
typedef void alive_found(void *arg, const struct alive_flow *flow);

/*
 * NAMES: N of them, borrowed until the callee returns. NEXT: where the next page begins, 0
 * after the last. A flow that lives through a whole walk is told of at least once.
 */
typedef void alive_paged(void *arg, const struct alive_name *names, unsigned n,
	     uint64_t next);

/*
 * Look for the flow of KEY (canonical; ports, VLAN and sub-flow as they are in the key) in
 * all workers: O(1) in each. Returns a ticket, 0: too many questions are open.
 */
uint64_t alive_find(struct alive *, const struct flowkey *key, alive_found *, void *arg);

/* Names of flows from POSITION on, 0: the first. A ticket as above. */
uint64_t alive_page(struct alive *, uint64_t position, alive_paged *, void *arg);

/* Who asked is gone: do not call back. */
void	 alive_forget(struct alive *, uint64_t ticket);

/* Flows alive in all workers, at most one turn ago. */
uint32_t alive_count(const struct alive *);

#endif
