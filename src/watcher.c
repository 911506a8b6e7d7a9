/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watcher.c -- the wording, and most members, are those of redis-scripts/dns_watch.py,
 * alert_url.py and alert_host.py, so that who follows alerts need not know who published
 * them.
 *
 * What was told of lately is remembered by its hash: 16 bytes in a table of fixed size,
 * where the oldest of WAYS places gives way. What is forgotten too early is told of again.
 */
#include "watcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "event.h"
#include "json.h"
#include "keyname.h"
#include "watch.h"

#define CHANNEL	  "alert.warning"
#define PROGRAM	  "watch"
#define SECOND_US 1000000
#define WAYS	  4
#define PLACES	  65536
#define TEXT_MAX  300 /* bytes of what an alert repeats */
#define WHO_MAX	  100

struct told {
	uint64_t what; /* hash; 0: none */
	uint64_t ts_us;
};

struct watcher {
	const struct watch *watch;
	struct events *events;
	struct counters *counters;
	uint64_t second; /* the latest, */
	unsigned alerts; /* in it */
	struct watch_url url;
	struct told told[PLACES];
};

struct watcher *
watcher_new(const struct watch *watch, struct events *events, struct counters *counters)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->watch = watch;
	w->events = events;
	w->counters = counters;
	return w;
}

void
watcher_free(struct watcher *w)
{
	free(w);
}

bool
watcher_wants(const struct watcher *w, const char *channel)
{
	bool dns = watch_any(w->watch, WATCH_DNS_CLIENTS) ||
	    watch_any(w->watch, WATCH_DNS_DOMAINS);

	if (!dns && !watch_any(w->watch, WATCH_URL))
		return false;
	if (strcmp(channel, "dns") == 0)
		return dns;
	return strcmp(channel, "http") == 0 && watch_any(w->watch, WATCH_URL);
}

bool
watcher_wants_flows(const struct watcher *w)
{
	return watch_any(w->watch, WATCH_IP);
}

/*
 * How often
 */

/* What an alert is about. */
struct about {
	enum watch_list list;
	struct watch_text entry;
	const uint8_t *client; /* 16 bytes, as the two below; NULL: none */
	const uint8_t *other;
	struct watch_text what; /* was asked for */
};

static uint64_t
hash_of(const struct about *a)
{
	uint64_t h = XXH3_64bits_withSeed(a->entry.p, a->entry.len, a->list);

	h = XXH3_64bits_withSeed(a->client, 16, h);
	if (a->other != NULL)
		h = XXH3_64bits_withSeed(a->other, 16, h);
	if (a->what.len > 0)
		h = XXH3_64bits_withSeed(a->what.p, a->what.len, h);
	return h == 0 ? 1 : h;
}

/* Was it told of lately? If not, it is now. */
static bool
is_repeated(struct watcher *w, uint64_t what, uint64_t ts_us)
{
	struct told *row = &w->told[what % (PLACES / WAYS) * WAYS], *oldest = row;
	const uint64_t quiet = (uint64_t)WATCHER_QUIET_S * SECOND_US;
	unsigned i;

	for (i = 0; i < WAYS; i++) {
		if (row[i].what == what) {
			oldest = &row[i];
			break;
		}
		if (row[i].ts_us < oldest->ts_us)
			oldest = &row[i];
	}
	/* transactions are told of as they end, so not in the order of their beginnings */
	if (i < WAYS && ts_us < oldest->ts_us + quiet && oldest->ts_us < ts_us + quiet)
		return true;
	oldest->what = what;
	oldest->ts_us = ts_us;
	return false;
}

static bool
is_due(struct watcher *w, const struct about *a, uint64_t ts_us)
{
	if (!events_wanted_channel(w->events, CHANNEL))
		return false; /* nobody hears it */
	if (ts_us / SECOND_US > w->second) {
		w->second = ts_us / SECOND_US;
		w->alerts = 0;
	}
	if (w->alerts == WATCHER_ALERTS || is_repeated(w, hash_of(a), ts_us)) {
		counter_inc(w->counters, COUNTER_WATCH_SUPPRESSED);
		return false;
	}
	w->alerts++;
	counter_inc(w->counters, COUNTER_WATCH_ALERTS);
	return true;
}

/*
 * Texts
 */

/* A line of text: blanks in a row are one, what cannot be seen is a question mark. */
static size_t
one_line(char *to, size_t size, struct watch_text t)
{
	bool blank = false;
	size_t i, n = 0;

	for (i = 0; i < t.len && n + 2 < size; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c == ' ' || (c >= '\t' && c <= '\r')) {
			blank = n > 0;
			continue;
		}
		if (blank)
			to[n++] = ' ';
		blank = false;
		to[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	to[n] = '\0';
	return n;
}

/* Not in the middle of a character. */
static size_t
cut(struct watch_text t)
{
	size_t n = t.len < TEXT_MAX ? t.len : TEXT_MAX;

	while (n > 0 && n < t.len && ((unsigned char)t.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void
put(struct json *j, const char *name, struct watch_text t)
{
	if (t.len > 0)
		json_string(j, name, t.p, cut(t));
}

static struct watch_text
text_of(const char *s)
{
	return (struct watch_text){s, s != NULL ? strlen(s) : 0};
}

/* A value of an event; NULL: there is none. */
static const void *
value_of(const struct watcher_event *e, const char *name, const struct mc_row **found)
{
	const struct mc_row *row = e->rows;
	uint64_t present;

	while (row < e->rows + e->nrows && strcmp(row->name, name) != 0)
		row++;
	if (row == e->rows + e->nrows)
		return NULL;
	if (row->present != MC_NO_ROW) {
		memcpy(&present, e->values, sizeof(present));
		if (!(present >> (row->present & 63) & 1))
			return NULL;
	}
	*found = row;
	return (const uint8_t *)e->values + row->offset;
}

static struct watch_text
string_of(const struct watcher_event *e, const char *name)
{
	const struct mc_row *row;
	const char *p = value_of(e, name, &row);

	if (p == NULL || row->type != MC_STRING)
		return (struct watch_text){NULL, 0};
	return (struct watch_text){p, strnlen(p, row->size)};
}

/* A number as a member, if the event has it. */
static void
put_number(struct json *j, const struct watcher_event *e, const char *name)
{
	const struct mc_row *row;
	const void *p = value_of(e, name, &row);
	uint64_t n;

	if (p == NULL)
		return;
	if (row->type == MC_U16) {
		json_uint(j, name, *(const uint16_t *)p);
	} else if (row->type == MC_U32) {
		json_uint(j, name, *(const uint32_t *)p);
	} else if (row->type == MC_U64) {
		memcpy(&n, p, sizeof(n));
		json_uint(j, name, n);
	}
}

/* What all alerts have. */
static struct json *
begin(struct watcher *w, const struct about *a, uint64_t ts_us, const struct flowkey *key,
    unsigned dir, const char *user, const char *text)
{
	struct json *j = events_begin(w->events, ts_us, key, dir);
	const char *set = watch_key(a->list);
	struct watch_text line = text_of(text);

	json_string(j, "program", PROGRAM, strlen(PROGRAM));
	/* longer than what it repeats */
	json_string(j, "text", line.p, line.len);
	json_string(j, "set", set, strlen(set));
	put(j, "list", a->entry);
	put(j, "user", text_of(user));
	return j;
}

/*
 * The DNS
 */
static void
tell_dns(struct watcher *w, const struct watcher_event *e, const struct about *a,
    const char *why)
{
	struct watch_text rcode = string_of(e, "rcode"), how = string_of(e, "response");
	char client[KEYNAME_ADDR + 1], name[TEXT_MAX], type[40], reply[TEXT_MAX];
	char text[3 * TEXT_MAX];
	struct json *j;

	if (!is_due(w, a, e->ts_us))
		return;
	keyname_addr(client, a->client);
	if (one_line(name, sizeof(name), a->what) == 0)
		snprintf(name, sizeof(name), "a name that is none");
	type[0] = ' ';
	if (one_line(type + 1, sizeof(type) - 1, string_of(e, "qtype")) == 0)
		type[0] = '\0';
	if (rcode.len != 7 || memcmp(rcode.p, "NOERROR", 7) != 0 || how.len == 0)
		how = rcode.len > 0 ? rcode : text_of("no answer");
	one_line(reply, sizeof(reply), how);
	snprintf(text, sizeof(text), "%s asked for %s%s: %s", client, name, type, reply);
	j = begin(w, a, e->ts_us, e->key, e->dir, e->user, text);
	put(j, "why", text_of(why));
	put(j, "match", strcmp(why, "client") == 0 ? text_of(client) : a->what);
	put(j, "client", text_of(client));
	put(j, "qname", a->what);
	put(j, "qtype", string_of(e, "qtype"));
	put(j, "rcode", rcode);
	put_number(j, e, "latencyUs");
	put(j, "service", string_of(e, "service"));
	put(j, "response", string_of(e, "response"));
	events_end_channel(w->events, CHANNEL);
}

static void
watch_dns(struct watcher *w, const struct watcher_event *e)
{
	struct about a = {.client = e->key->addr[e->dir], .what = string_of(e, "qname")};
	char net[WATCH_ADDR];

	if (watch_address(w->watch, WATCH_DNS_CLIENTS, a.client, net)) {
		a.list = WATCH_DNS_CLIENTS;
		a.entry = text_of(net);
		tell_dns(w, e, &a, "client");
	}
	if (a.what.len > 0 && watch_domain(w->watch, a.what.p, a.what.len, &a.entry)) {
		a.list = WATCH_DNS_DOMAINS;
		tell_dns(w, e, &a, "domain");
	}
}

/*
 * HTTP
 */
static void
tell_url(struct watcher *w, const struct watcher_event *e, const struct about *a)
{
	char client[KEYNAME_ADDR + 1], who[WHO_MAX], what[TEXT_MAX + 1];
	char text[WHO_MAX + TEXT_MAX + 20];
	struct json *j;

	if (!is_due(w, a, e->ts_us))
		return;
	keyname_addr(client, a->client);
	one_line(who, sizeof(who), text_of(e->user != NULL ? e->user : client));
	one_line(what, sizeof(what), a->what);
	snprintf(text, sizeof(text), "%s fetched %s", who, what);
	j = begin(w, a, e->ts_us, e->key, e->dir, e->user, text);
	put(j, "why", text_of("url"));
	put(j, "match", a->what);
	put(j, "client", text_of(client));
	put(j, "url", a->what);
	put(j, "method", string_of(e, "method"));
	put(j, "host", string_of(e, "host"));
	put_number(j, e, "status");
	put(j, "userAgent", string_of(e, "userAgent"));
	put(j, "referer", string_of(e, "referer"));
	events_end_channel(w->events, CHANNEL);
}

static void
watch_http(struct watcher *w, const struct watcher_event *e)
{
	const struct watch_request request = {string_of(e, "method"), string_of(e, "host"),
		string_of(e, "url"), e->key->addr[!e->dir]};
	struct about a = {.list = WATCH_URL, .client = e->key->addr[e->dir]};
	struct watch_text found[WATCH_FOUND];
	unsigned i, n;
	bool costly;

	if (!watch_url_of(&request, &w->url))
		return;
	n = watch_url_find(w->watch, &w->url, found, &costly);
	if (costly)
		counter_inc(w->counters, COUNTER_WATCH_COSTLY);
	a.what = (struct watch_text){w->url.text, w->url.len};
	for (i = 0; i < n; i++) {
		a.entry = found[i];
		tell_url(w, e, &a);
	}
}

void
watcher_event(struct watcher *w, const struct watcher_event *e)
{
	if (e->key == NULL || !watcher_wants(w, e->channel))
		return;
	if (strcmp(e->channel, "dns") == 0)
		watch_dns(w, e);
	else
		watch_http(w, e);
}

/*
 * Flows
 */
bool
watcher_finds(const struct watcher *w, const struct flow *f)
{
	char net[WATCH_ADDR];

	return watcher_wants_flows(w) &&
	    (watch_address(w->watch, WATCH_IP, f->key.addr[0], net) ||
		watch_address(w->watch, WATCH_IP, f->key.addr[1], net));
}

/* MINE is on the list. */
static void
tell_flow(struct watcher *w, const struct flow *f, const char *user, unsigned mine,
    const char *net)
{
	unsigned client = flow_client(f);
	const struct about a = {.list = WATCH_IP,
		.entry = text_of(net),
		.client = f->key.addr[client],
		.other = f->key.addr[!client],
		.what = {(const char *)f->key.addr[mine], 16}};
	char host[KEYNAME_ADDR + 1], peer[KEYNAME_ADDR + 1], text[160];
	char flow[KEYNAME_FLOW + 1];
	struct json *j;

	if (!is_due(w, &a, flow_first_us(f)))
		return;
	keyname_addr(host, f->key.addr[mine]);
	keyname_addr(peer, f->key.addr[!mine]);
	keyname_flow(flow, &f->key, client);
	snprintf(text, sizeof(text), "%s is active: %s %s", host,
	    mine == client ? "client of" : "server for", peer);
	j = begin(w, &a, flow_first_us(f), &f->key, client, user, text);
	put(j, "why", text_of("flow.new"));
	put(j, "match", text_of(host));
	put(j, "host", text_of(host));
	put(j, "peer", text_of(peer));
	put(j, "flow", text_of(flow));
	events_end_channel(w->events, CHANNEL);
}

void
watcher_flow(struct watcher *w, const struct flow *f, const char *user)
{
	unsigned client = flow_client(f), i;
	char net[WATCH_ADDR];

	for (i = 0; i < 2; i++) {
		unsigned end = i == 0 ? client : !client;

		if (watch_address(w->watch, WATCH_IP, f->key.addr[end], net))
			tell_flow(w, f, user, end, net);
	}
}
