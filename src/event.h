/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * event.h -- what happens, told as it happens: one JSON object per event on a channel, to
 * the probe's own subscribers, to nodes (--publish) and to --events. Nothing is formatted
 * that nobody wants. Control thread.
 */
#ifndef MCPROBE_EVENT_H
#define MCPROBE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "flow.h"
#include "json.h"

struct config;
struct events;
struct field_context;
struct mc_plugin;
struct template;

enum event_kind {
	EVENT_FLOW_NEW,
	EVENT_FLOW_END,
	EVENT_DNS,
	EVENT_HTTP,
	EVENT_RADIUS,
	EVENT_USER_LOGIN,
	EVENT_USER_LOGOUT,
	EVENT_ALERT, /* "alert.<level>" */
	EVENT_KINDS
};

struct event_setup {
	const struct config *config;	 /* --publish, --events, --probe-id; borrowed */
	const struct template *template; /* of flow events; borrowed */
	const struct field_context *fields; /* borrowed */
	struct counters *counters;
};

/* Opens --events. NULL with the reason in ERR. */
struct events	*events_new(const struct event_setup *, char *err, size_t errlen);
void		 events_free(struct events *);

/* What events say in "probe" from now on; borrowed. At first --probe-id. */
void		 events_probe(struct events *, const char *id);

/* Where events go besides the file; set before the loop runs. ARG is borrowed. */
struct event_sink {
	bool (*wanted)(void *arg, const char *channel);
	void (*publish)(void *arg, const char *channel, size_t clen, const void *msg,
	    size_t len);
	void *arg;
};
/* FILTERED: only what --publish names (nodes). */
void		 events_add_sink(struct events *, const struct event_sink *,
		     bool filtered);
/* The sinks' wishes may have changed. */
void		 events_refresh(struct events *);

/* Cheap: a bit. */
bool		 events_wanted(const struct events *, enum event_kind);
/* By the channel's name, which may be any. */
bool		 events_wanted_channel(const struct events *, const char *channel);

/* Whose the flows are that are told of from now on, NULL: not known. Borrowed. */
void		 events_user(struct events *, const char *user);

/* flow.new and flow.end: the common members, the flow's key name, the record's fields. */
void		 events_flow(struct events *, enum event_kind, const struct flow *);
/* The same with what a plugin has in the record, NULL: nothing. */
void		 events_flow_plugin(struct events *, enum event_kind, const struct flow *,
		     const struct mc_plugin *, const void *fields);

/*
 * Any other: begin the object with its common members (v, probe, ts, proto, src, sport,
 * dst, dport, vlan; from KEY as seen from SRC's direction DIR; KEY NULL: none of them),
 * add to the writer it returns, and end. CHANNEL NULL: the kind's own.
 */
struct json	*events_begin(struct events *, uint64_t ts_us, const struct flowkey *key,
		     unsigned dir);
void		 events_end(struct events *, enum event_kind, const char *channel);

/* The same by the channel's name, which may be any; borrowed for the call. */
void		 events_end_channel(struct events *, const char *channel);

/* What somebody else said (PUBLISH by a client): to --events and the nodes as it is, if
 * --publish names its channel; subscribers got it already. */
void		 events_relay(struct events *, const char *channel, size_t clen,
		     const void *msg, size_t len);

void		 events_flush(struct events *);  /* the file: now */
void		 events_reopen(struct events *); /* SIGHUP */
void		 events_chown(struct events *, unsigned uid, unsigned gid);

/* Does a list of --publish name CHANNEL? "flow" names flow.new; "all" names everything. */
bool		 events_named(const char *const *names, unsigned n, const char *channel,
		     size_t len);

#endif
