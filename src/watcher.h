/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watcher.h -- tells of what is watched for: compares transactions and new flows with the
 * lists (watch.h) as control hears of them, and publishes alert.warning. What nobody
 * watches for costs a look at which lists are empty; what does not match is not formatted.
 *
 * The same again (entry, client, what it asked for) is not told of within WATCHER_QUIET_S,
 * and no more than WATCHER_ALERTS in a second, by packet time; what is not told of is
 * counted. Control thread.
 */
#ifndef MCPROBE_WATCHER_H
#define MCPROBE_WATCHER_H

#include <mcprobe/plugin.h>

#include <stdbool.h>
#include <stdint.h>

#include "counter.h"
#include "flow.h"

#define WATCHER_QUIET_S 10
#define WATCHER_ALERTS	1000

struct events;
struct watch;
struct watcher;

/* All borrowed. NULL: no memory. */
struct watcher	*watcher_new(const struct watch *, struct events *, struct counters *);
void		 watcher_free(struct watcher *);

/* Are events of CHANNEL, a plugin's, compared with anything? */
bool		 watcher_wants(const struct watcher *, const char *channel);
/* Are new flows? */
bool		 watcher_wants_flows(const struct watcher *);

/* An event as a plugin publishes it: see mc_cloud_publish(). All borrowed. */
struct watcher_event {
	const char *channel;
	uint64_t ts_us;
	const struct flowkey *key;
	unsigned dir;	  /* SRC is the key's endpoint DIR */
	const char *user; /* whose flow it is, NULL: not known */
	const struct mc_row *rows;
	unsigned nrows;
	const void *values;
};

void		 watcher_event(struct watcher *, const struct watcher_event *);

/* F has begun. Is one of its ends watched? */
bool		 watcher_finds(const struct watcher *, const struct flow *f);
/* Then tell of it. USER NULL: not known. */
void		 watcher_flow(struct watcher *, const struct flow *f, const char *user);

#endif
