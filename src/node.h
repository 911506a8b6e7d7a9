/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.h -- the Redis nodes this probe writes to: batches of what the key tree has for
 * them, heartbeat, events, and a channel on which the probe is spoken to. Control thread,
 * one libevent loop, never blocking but at the start.
 *
 * Exactly once: one batch is in flight per node, MULTI ... SET probe.<id>.seq ... EXEC under
 * WATCH of that key; after a reconnect the seq key tells whether it arrived, and writing it
 * fences off what the old connection may still have in a buffer. Back-pressure: the next
 * batch waits for the last one's answer; meanwhile deltas merge in the tree, bounded by its
 * keys. Nothing is lost but events, which are counted.
 */
#ifndef MCPROBE_NODE_H
#define MCPROBE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "resp.h"

struct cloud;
struct config;
struct event_base;
struct nodes;
struct watch;

struct nodes_setup {
	const struct config *config; /* --redis..., --sentinel, --probe-id, --drain-timeout */
	struct event_base *base;
	struct counters *counters;
	/* fields of the heartbeat hash besides those of this room (version, instance,
	   lag_ms, merged, in_doubt): call PUT for each */
	void (*heartbeat)(void *arg,
	    void (*put)(void *to, const char *field, const char *value), void *to);
	/* a command of the command channel, REQUEST as inline text: its answer into REPLY,
	   plain text */
	void (*command)(void *arg, const char *request, size_t len, struct respbuf *reply);
	/* --watch: the lists, a source per node, which are read at the start, each second
	   and when watch.changed says so; NULL: no set is ever read. Borrowed */
	struct watch *watch;
	/* one of them has changed, perhaps */
	void (*watched)(void *arg);
	void *arg;
};

/*
 * Reads the password file, resolves what can be, asks every node that answers within a
 * second what it is: a Redis Cluster is refused. Nodes that do not answer are tried again
 * later. NULL with the reason in ERR.
 */
struct nodes	*nodes_new(const struct nodes_setup *, char *err, size_t errlen);
/* Whose keys they get: set once, before nodes_start(). */
void		 nodes_cloud(struct nodes *, struct cloud *);
/* Connect (after privileges dropped). 0, or -1. */
int		 nodes_start(struct nodes *);
void		 nodes_free(struct nodes *);

unsigned	 nodes_count(const struct nodes *);
/* The node a key belongs to: rendezvous hash over the configured list, cloud_setup.node_of
 * with ARG the struct nodes. The same for every probe with the same list. */
unsigned	 nodes_of(void *arg, const char *key, size_t len);
/* This probe's name on the nodes: --probe-id, or with "-2" where another lives under it.
 * The place stays, what it says may change. */
const char	*nodes_probe_id(const struct nodes *);

/* An event: to every node, after the batch that holds its keys; dropped and counted where
 * too many wait. Fits event_sink.publish with ARG the struct nodes. */
void		 nodes_publish(void *arg, const char *channel, size_t clen, const void *msg,
		     size_t len);

/*
 * The end: write now what waits, do not wait for windows; remove the heartbeat. Done when
 * nodes_settled(), or give up after the caller's time: nodes_end() counts what is left.
 */
void		 nodes_drain(struct nodes *);
bool		 nodes_settled(const struct nodes *);
void		 nodes_end(struct nodes *);

/* INFO: a section per node (# Node0: address, state, keys_waiting, lag_ms, batches, commands,
 * in_doubt, resent, ...). */
void		 nodes_info(const struct nodes *, struct respbuf *);

#endif
