/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * event.c -- who wants which event is worked out when wishes change, as a bit per kind
 * and receiver; an event that nobody wants costs a look at one bit. One that somebody
 * wants is formatted once, whoever gets it.
 *
 * The file is written in pieces, each second at the latest. A piece is EVENT_PIECE
 * bytes and a line at most; what others publish makes the longest lines, 6 bytes for
 * each of EVENT_MESSAGE_MAX where it is no JSON. Memory that such a line took is given
 * back.
 */
#include "event.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "field.h"
#include "keyname.h"
#include "log.h"
#include "outfile.h"
#include "template.h"

#define EVENT_PIECE	  65536
#define EVENT_MESSAGE_MAX (1 << 20) /* bytes somebody else may publish into the file */
#define EVENT_SINKS	  8
#define EVENT_MICROS	  6 /* decimals of a second */

/* Protocols that have ports (IANA protocol numbers). */
enum event_ports {
	PORTS_TCP = 6,
	PORTS_UDP = 17,
	PORTS_DCCP = 33,
	PORTS_SCTP = 132,
	PORTS_UDPLITE = 136,
};

static const char *const event_channel[EVENT_KINDS] = {
	[EVENT_FLOW_NEW] = "flow.new",
	[EVENT_FLOW_END] = "flow.end",
	[EVENT_DNS] = "dns",
	[EVENT_HTTP] = "http",
	[EVENT_RADIUS] = "radius",
	[EVENT_USER_LOGIN] = "user.login",
	[EVENT_USER_LOGOUT] = "user.logout",
	[EVENT_ALERT] = "alert",
};

struct receiver {
	struct event_sink sink;
	bool filtered;
	unsigned wants; /* bit per kind; that of EVENT_ALERT: ask for the channel */
};

struct events {
	const struct config *config;
	const char *probe; /* borrowed */
	const struct template *template;
	const struct field_context *fields;
	struct counters *counters;
	struct receiver receiver[EVENT_SINKS];
	unsigned nreceivers;
	unsigned named;	 /* bit per kind: --publish names it */
	unsigned wanted; /* bit per kind: somebody wants it */
	struct outfile file;
	bool has_file;
	struct json lines; /* for the file, not written yet */
	unsigned nlines;
	struct json object; /* the event that is being made */
	const char *user;   /* of the flow that is told of; borrowed */
};

/* What is told: on CHANNEL, which is KIND's own or, EVENT_KINDS, any. */
struct told {
	enum event_kind kind;
	const char *channel;
	size_t clen;
	const char *msg;
	size_t len;
};

bool
events_named(const char *const *names, unsigned n, const char *channel, size_t len)
{
	for (unsigned i = 0; i < n; i++) {
		size_t part = strlen(names[i]);

		if (strcmp(names[i], "all") == 0)
			return true;
		if (part <= len && memcmp(names[i], channel, part) == 0 &&
		    (part == len || (part > 0 && channel[part] == '.')))
			return true;
	}
	return false;
}

static bool
is_named(const struct events *e, const char *channel, size_t len)
{
	return events_named((const char *const *)e->config->publish.v,
	    e->config->publish.n, channel, len);
}

/* Alerts have as many channels as levels: does a name reach any of them? */
static bool
names_alerts(const struct strlist *names)
{
	for (unsigned i = 0; i < names->n; i++)
		if (strcmp(names->v[i], "all") == 0 ||
		    strcmp(names->v[i], "alert") == 0 ||
		    strncmp(names->v[i], "alert.", 6) == 0)
			return true;
	return false;
}

static unsigned
bit(enum event_kind kind)
{
	return 1U << kind;
}

/* What R wants of the kinds in NAMED. Alerts are few: they are asked for one by one. */
static unsigned
wishes(const struct receiver *r, unsigned named)
{
	unsigned kinds = r->filtered ? named : bit(EVENT_KINDS) - 1, wants = 0;

	for (unsigned i = 0; i < EVENT_KINDS; i++)
		if ((kinds & bit(i)) != 0 &&
		    (i == EVENT_ALERT || r->sink.wanted == NULL ||
			r->sink.wanted(r->sink.arg, event_channel[i])))
			wants |= bit(i);
	return wants;
}

void
events_refresh(struct events *e)
{
	e->wanted = e->has_file ? e->named : 0;
	for (unsigned i = 0; i < e->nreceivers; i++) {
		e->receiver[i].wants = wishes(&e->receiver[i], e->named);
		e->wanted |= e->receiver[i].wants;
	}
}

struct events *
events_new(const struct event_setup *setup, char *err, size_t errlen)
{
	const struct config *config = setup->config;
	struct events *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	e->config = config;
	e->probe = config->probe_id;
	e->template = setup->template;
	e->fields = setup->fields;
	e->counters = setup->counters;
	json_init(&e->lines);
	json_init(&e->object);
	outfile_init(&e->file, config->events, setup->counters);
	if (config->events != NULL) {
		if (outfile_open(&e->file, config->events, config_appends(config) ? OUTFILE_RESUME : OUTFILE_TRUNCATE) == -1) {
			snprintf(err, errlen, "%s: %s", config->events,
			    strerror(errno));
			events_free(e);
			return NULL;
		}
		e->has_file = true;
	}
	for (unsigned i = 0; i < EVENT_KINDS; i++)
		if (is_named(e, event_channel[i], strlen(event_channel[i])))
			e->named |= bit(i);
	if (names_alerts(&config->publish))
		e->named |= bit(EVENT_ALERT);
	events_refresh(e);
	return e;
}

void
events_free(struct events *e)
{
	if (e == NULL)
		return;
	events_flush(e);
	outfile_close(&e->file);
	json_clear(&e->lines);
	json_clear(&e->object);
	free(e);
}

void
events_probe(struct events *e, const char *id)
{
	e->probe = id;
}

void
events_add_sink(struct events *e, const struct event_sink *sink, bool filtered)
{
	struct receiver *r = &e->receiver[e->nreceivers];

	if (e->nreceivers == EVENT_SINKS)
		abort();
	r->sink = *sink;
	r->filtered = filtered;
	e->nreceivers++;
	events_refresh(e);
}

bool
events_wanted(const struct events *e, enum event_kind kind)
{
	return (e->wanted & bit(kind)) != 0;
}

/* Empty; memory that an unusual event took is given back. */
static void
empty(struct json *j)
{
	if (j->failed || j->cap > 4 * EVENT_PIECE)
		json_clear(j);
	else
		json_reset(j);
}

void
events_flush(struct events *e)
{
	if (e->nlines == 0)
		return;
	/* FILE_ERRORS counts records of flows: events have a counter of their own. */
	if (e->lines.failed) {
		outfile_fail(&e->file, ENOMEM, 0);
		counter_add(e->counters, COUNTER_EVENTS_LOST, e->nlines);
	} else if (outfile_write(&e->file, e->lines.buf, e->lines.len, 0) == -1) {
		counter_add(e->counters, COUNTER_EVENTS_LOST, e->nlines);
	}
	empty(&e->lines);
	e->nlines = 0;
}

/* A line of the file. JSON: MSG is, but may have line breaks in it. */
static void
write_line(struct events *e, const struct told *t, bool json)
{
	struct json *j = &e->lines;
	size_t i;

	json_open(j);
	json_string(j, "channel", t->channel, t->clen);
	if (json) {
		json_raw(j, "data", t->msg, t->len);
		for (i = j->failed ? j->len : j->len - t->len; i < j->len; i++)
			if (j->buf[i] == '\n' || j->buf[i] == '\r')
				j->buf[i] = ' ';
	} else {
		json_string(j, "data", t->msg, t->len);
	}
	json_close(j);
	json_char(j, '\n');
	j->comma = false;
	e->nlines++;
	if (j->len >= EVENT_PIECE || j->failed)
		events_flush(e);
}

/* Is T for R? What kinds want is known; other channels are asked for. */
static bool
is_for(const struct events *e, const struct receiver *r, const struct told *t)
{
	if (t->kind < EVENT_ALERT && t->channel == event_channel[t->kind])
		return (r->wants & bit(t->kind)) != 0;
	if (r->filtered && !is_named(e, t->channel, t->clen))
		return false;
	return r->sink.wanted == NULL || r->sink.wanted(r->sink.arg, t->channel);
}

static void
tell(struct events *e, const struct told *t)
{
	bool taken = false;

	for (unsigned i = 0; i < e->nreceivers; i++) {
		const struct receiver *r = &e->receiver[i];

		if (!is_for(e, r, t))
			continue;
		r->sink.publish(r->sink.arg, t->channel, t->clen, t->msg, t->len);
		taken = true;
	}
	if (e->has_file && is_named(e, t->channel, t->clen)) {
		write_line(e, t, true);
		taken = true;
	}
	if (taken)
		counter_inc(e->counters, COUNTER_EVENTS);
}

static bool
has_ports(uint8_t proto)
{
	switch (proto) {
	case PORTS_TCP:
	case PORTS_UDP:
	case PORTS_DCCP:
	case PORTS_SCTP:
	case PORTS_UDPLITE:
		return true;
	}
	return false;
}

/*
 * The members that come from the key, SRC being who sends in direction DIR. What -p or
 * a fragment without its first one left unknown is zero both ways, and not told.
 */
static void
add_key(struct json *j, const struct flowkey *key, unsigned dir)
{
	static const struct flowkey none;
	bool addrs = memcmp(key->addr, none.addr, sizeof(none.addr)) != 0;
	bool ports = has_ports(key->proto) && (key->port[0] | key->port[1]) != 0;
	char text[KEYNAME_FLOW + 1];

	json_string(j, "proto", text, keyname_proto(text, key->proto));
	if (addrs)
		json_string(j, "src", text, keyname_addr(text, key->addr[dir]));
	if (ports)
		json_uint(j, "sport", key->port[dir]);
	if (addrs)
		json_string(j, "dst", text, keyname_addr(text, key->addr[!dir]));
	if (ports)
		json_uint(j, "dport", key->port[!dir]);
	if (key->vlan > 0)
		json_uint(j, "vlan", key->vlan);
}

struct json *
events_begin(struct events *e, uint64_t ts_us, const struct flowkey *key, unsigned dir)
{
	struct json *j = &e->object;

	empty(j);
	json_open(j);
	json_uint(j, "v", 1);
	json_string(j, "probe", e->probe, strlen(e->probe));
	json_fixed(j, "ts", ts_us, EVENT_MICROS);
	if (key != NULL)
		add_key(j, key, dir);
	return j;
}

void
events_end(struct events *e, enum event_kind kind, const char *channel)
{
	struct told t = {.kind = kind};

	json_close(&e->object);
	if (e->object.failed) {
		counter_inc(e->counters, COUNTER_EVENTS_LOST);
		return;
	}
	t.channel = channel != NULL ? channel : event_channel[kind];
	t.clen = strlen(t.channel);
	t.msg = e->object.buf;
	t.len = e->object.len;
	tell(e, &t);
}

/* The kind whose own channel it is; EVENT_KINDS: another. */
static enum event_kind
kind_of(const char *channel)
{
	unsigned i;

	for (i = 0; i < EVENT_ALERT; i++)
		if (strcmp(event_channel[i], channel) == 0)
			return i;
	return EVENT_KINDS;
}

bool
events_wanted_channel(const struct events *e, const char *channel)
{
	struct told t = {.kind = kind_of(channel), .channel = channel,
		.clen = strlen(channel)};

	if (t.kind != EVENT_KINDS)
		return events_wanted(e, t.kind);
	for (unsigned i = 0; i < e->nreceivers; i++)
		if (is_for(e, &e->receiver[i], &t))
			return true;
	return e->has_file && is_named(e, channel, t.clen);
}

void
events_end_channel(struct events *e, const char *channel)
{
	enum event_kind kind = kind_of(channel);

	events_end(e, kind, kind == EVENT_KINDS ? channel : NULL);
}

void
events_user(struct events *e, const char *user)
{
	e->user = user;
}

void
events_flow(struct events *e, enum event_kind kind, const struct flow *f)
{
	events_flow_plugin(e, kind, f, NULL, NULL);
}

void
events_flow_plugin(struct events *e, enum event_kind kind, const struct flow *f,
    const struct mc_plugin *plugin, const void *fields)
{
	/* One event tells of both directions, whatever --biflow makes of records. */
	struct record r = {
		.flow = f,
		.ctx = e->fields,
		.dir = (uint8_t)flow_client(f),
		.biflow = true,
		.plugin = plugin,
		.plugin_fields = fields,
		.user = e->user,
	};
	char name[KEYNAME_FLOW + 1];
	struct json *j;

	if (!events_wanted(e, kind))
		return;
	j = events_begin(e, flow_first_us(f), &f->key, r.dir);
	if (e->user != NULL)
		json_string(j, "user", e->user, strlen(e->user));
	json_string(j, "flow", name, keyname_flow(name, &f->key, r.dir));
	json_members(j, e->template, &r, false);
	events_end(e, kind, NULL);
}

void
events_relay(struct events *e, const char *channel, size_t clen, const void *msg,
    size_t len)
{
	struct told t = {EVENT_KINDS, channel, clen, msg, len};
	bool taken = false;

	if (!is_named(e, channel, clen))
		return;
	for (unsigned i = 0; i < e->nreceivers; i++) {
		const struct receiver *r = &e->receiver[i];

		if (!r->filtered)
			continue; /* its own subscribers have it */
		r->sink.publish(r->sink.arg, channel, clen, msg, len);
		taken = true;
	}
	if (e->has_file && clen + len > EVENT_MESSAGE_MAX) {
		counter_inc(e->counters, COUNTER_EVENTS_LOST);
	} else if (e->has_file) {
		write_line(e, &t, json_valid(msg, len));
		taken = true;
	}
	if (taken)
		counter_inc(e->counters, COUNTER_EVENTS);
}

void
events_reopen(struct events *e)
{
	if (!e->has_file)
		return;
	events_flush(e);
	if (outfile_open(&e->file, e->config->events, OUTFILE_APPEND) == -1)
		log_warn("%s: %s; going on with the old file", e->config->events,
		    strerror(errno));
}

void
events_chown(struct events *e, unsigned uid, unsigned gid)
{
	if (e->has_file)
		outfile_chown(&e->file, uid, gid);
}
