/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * share.c -- wires the rooms of the MicroCloud to each other and to the workers. Owns
 * them all; none of them knows another but through what is handed over here.
 *
 *	workers -> deltas, ended flows -> user -> cloud -> nodes
 *	        -> plugins' reports -----------> cloud, event
 *	        -> new and ended flows --------> event -> subscribers, nodes, --events
 *	clients -> server -> commands -> cloud, alive -> workers
 */
#include "share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "build.h"
#include "alive.h"
#include "clock.h"
#include "cloud.h"
#include "command.h"
#include "config.h"
#include "event.h"
#include "field.h"
#include "liveset.h"
#include "log.h"
#include "node.h"
#include "plugin.h"
#include "post.h"
#include "server.h"
#include "sighting.h"
#include "template.h"
#include "tls.h"
#include "user.h"
#include "watch.h"
#include "watcher.h"
#include "worker.h"

#define SECOND_TICKS	10
#define HEARTBEAT_TICKS 50 /* 5 s */
#define HEARTBEAT_TTL_S 15

struct share {
	struct share_setup s;
	struct events *events;
	struct nodes *nodes;   /* NULL: no --redis */
	struct watch *watch;   /* NULL, as the next: no --watch */
	struct watcher *watcher;
	struct cloud *cloud;   /* NULL: nobody could read it */
	struct alive *alive;
	struct commands *commands;
	struct plugin_control *plugins; /* NULL: none runs */
	struct sightings *sightings;
	struct users *users;
	struct server *server; /* NULL: no --resp */
	char *password;	       /* of clients; owned */
	struct tls *tls;       /* of clients; owned; NULL: none */
	int probe_tree;
	bool want_new;
	uint64_t start_us, born_us, now_ms; /* start of the wall clock, and of the monotonic */
	unsigned ticks;
};

/*
 * The heartbeat: to the nodes, and into the own tree.
 */
static void
put_number(void (*put)(void *to, const char *field, const char *value), void *to,
    const char *field, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	put(to, field, text);
}

static void
share_interface(const struct config *c, char *to, size_t size)
{
	const char *name = c->pcap_file_list, *slash;
	size_t len = 0;
	unsigned i;

	to[0] = '\0';
	for (i = 0; i < c->interfaces.n && len < size; i++) {
		slash = strrchr(c->interfaces.v[i], '/');
		name = slash != NULL ? slash + 1 : c->interfaces.v[i];
		len += (size_t)snprintf(to + len, size - len, "%s%s", i > 0 ? "," : "", name);
	}
	if (i == 0 && name != NULL)
		snprintf(to, size, "%s", name);
}

/* nodes_setup.heartbeat */
static void
share_heartbeat(void *arg, void (*put)(void *to, const char *field, const char *value),
    void *to)
{
	struct share *s = arg;
	struct counters sum;
	char name[256];
	int i;

	s->s.sum(s->s.arg, &sum);
	share_interface(s->s.config, name, sizeof(name));
	put(to, "interface", name);
	put_number(put, to, "uptime", (clock_us(CLOCK_MONOTONIC) - s->born_us) / 1000000);
	put_number(put, to, "packets", sum.v[COUNTER_PACKETS]);
	put_number(put, to, "bytes", sum.v[COUNTER_BYTES]);
	put_number(put, to, "drops",
	    sum.v[COUNTER_KERNEL_DROPS] + sum.v[COUNTER_IF_DROPS]);
	put_number(put, to, "flows", sum.v[COUNTER_FLOWS]);
	put_number(put, to, "flows_alive", alive_count(s->alive));
	put_number(put, to, "keys", s->cloud != NULL ? cloud_count(s->cloud) : 0);
	for (i = 0; i < COUNTER_MAX; i++)
		if (counter_table[i].kind == COUNTER_KIND_LOSS ||
		    counter_table[i].kind == COUNTER_KIND_DROP)
			put_number(put, to, counter_table[i].name, sum.v[i]);
}

struct share_own {
	struct share *share;
	struct cloud_key *key;
};

static void
share_put_own(void *to, const char *field, const char *value)
{
	struct share_own *own = to;

	cloud_set(own->share->cloud, own->key, field, value, strlen(value));
}

static void
share_beat(struct share *s)
{
	const char *id = s->nodes != NULL ? nodes_probe_id(s->nodes) : s->s.config->probe_id;
	struct share_own own = {s, NULL};

	own.key = cloud_key(s->cloud, (unsigned)s->probe_tree, id, strlen(id));
	if (own.key == NULL)
		return;
	cloud_expire_after(s->cloud, own.key, HEARTBEAT_TTL_S);
	share_put_own(&own, "version", PACKAGE_VERSION);
	share_heartbeat(s, share_put_own, &own);
}

/*
 * What rooms ask of each other
 */

/* commands_setup.counters */
static void
share_counters(void *arg, struct counters *sum)
{
	struct share *s = arg;

	s->s.sum(s->s.arg, sum);
}

/* plugin_count_cb */
static void
share_plugin_count(void *arg, const char *name, const char *help, uint64_t n)
{
	char line[192];
	int len = snprintf(line, sizeof(line), "%s:%llu\r\n", name, (unsigned long long)n);

	(void)help;
	resp_bytes(arg, line, (size_t)len);
}

/* commands_setup.plugins */
static void
share_plugins_info(void *arg, const struct counters *sum, struct respbuf *to)
{
	struct share *s = arg;

	if (s->s.plugins != NULL)
		plugins_counters(s->s.plugins, sum, share_plugin_count, to);
}

/* commands_setup.info */
static void
share_info(void *arg, const char *section, struct respbuf *to)
{
	struct share *s = arg;

	(void)section;
	if (s->nodes != NULL)
		nodes_info(s->nodes, to);
}

/* commands_setup.published */
static void
share_published(void *arg, const char *channel, size_t clen, const void *msg, size_t len)
{
	struct share *s = arg;

	events_relay(s->events, channel, clen, msg, len);
}

/* nodes_setup.command: what can be said on the command channel */
static void
share_command(void *arg, const char *request, size_t len, struct respbuf *reply)
{
	struct share *s = arg;
	char word[16] = "", section[32] = "", text[64];

	snprintf(text, sizeof(text), "%.*s", (int)(len < sizeof(text) ? len : 63), request);
	sscanf(text, "%15s %31s", word, section);
	if (strcasecmp(word, "PING") == 0)
		resp_bytes(reply, "PONG", 4);
	else if (strcasecmp(word, "INFO") == 0)
		command_info(s->commands, section[0] != '\0' ? section : NULL, reply);
	else if (strcasecmp(word, "ID") == 0)
		resp_bytes(reply, nodes_probe_id(s->nodes), strlen(nodes_probe_id(s->nodes)));
	else
		resp_bytes(reply, "ERR unknown command; PING, INFO [section] and ID are known",
		    58);
}

/* commands_setup.where */
static void
share_where(void *arg, const char *user,
    void (*tell)(void *to, const struct sighting_net *, bool leaving), void *to)
{
	struct share *s = arg;

	sightings_of(s->sightings, user, tell, to);
}

/* ip.<addr> does not say any more that it is NAME's. */
static void
share_disown(struct share *s, const uint8_t addr[16], const char *name, size_t len)
{
	const struct cloud_key *k = cloud_look(s->cloud, CLOUD_IP, addr, 16);
	struct cloud_item item;

	if (k != NULL && cloud_key_get(k, "user", 4, &item) && item.text != NULL &&
	    item.len == len && memcmp(item.text, name, len) == 0)
		cloud_unset(s->cloud, cloud_key(s->cloud, CLOUD_IP, addr, 16), "user");
}

/*
 * sighting_forget: the grace has passed, by packet time. So go the own keys, which were
 * marked, whatever their TTL, which is the clock's, says.
 */
static void
share_forget(void *arg, const struct sighting_net *net, const char *name, bool free,
    bool last)
{
	struct share *s = arg;
	size_t len = strlen(name);
	char id[KEYNAME_ADDR + 8];
	size_t n;

	if (s->cloud == NULL)
		return;
	if (free && net->bits == 128) {
		cloud_lapse(s->cloud, CLOUD_USER_IP, net->addr, 16, name, len);
		if (sightings_now(s->sightings, net->addr) == NULL)
			share_disown(s, net->addr, name, len);
	} else if (free) {
		n = keyname_addr(id, net->addr);
		n += (size_t)snprintf(id + n, sizeof(id) - n, "/%u", net->bits);
		cloud_lapse(s->cloud, CLOUD_USER_NET, id, n, name, len);
	}
	if (last)
		cloud_lapse(s->cloud, CLOUD_USER, name, len, NULL, 0);
}

/* event_sink of the clients */
static bool
share_clients_want(void *arg, const char *channel)
{
	struct share *s = arg;

	return s->server != NULL && server_wanted(s->server, channel);
}

static void
share_clients_publish(void *arg, const char *channel, size_t clen, const void *msg,
    size_t len)
{
	struct share *s = arg;

	if (s->server != NULL)
		server_publish(s->server, channel, clen, msg, len);
}

/* server_on_interest, nodes_setup.watched */
static void
share_interest(void *arg)
{
	struct share *s = arg;
	bool want;
	unsigned i;

	events_refresh(s->events);
	want = events_wanted(s->events, EVENT_FLOW_NEW) ||
	    (s->watcher != NULL && watcher_wants_flows(s->watcher));
	if (want == s->want_new)
		return;
	s->want_new = want;
	for (i = 0; i < s->s.nworkers; i++)
		if (s->s.workers[i] != NULL)
			worker_want_new(s->s.workers[i], want);
}

/*
 * Making
 */
static int
share_make_event(struct share *s, char *err, size_t errlen)
{
	const struct event_setup setup = {s->s.config, s->s.template, s->s.fields,
		s->s.counters};
	const struct event_sink clients = {share_clients_want, share_clients_publish, s};
	struct event_sink nodes = {NULL, nodes_publish, s->nodes};

	s->events = events_new(&setup, err, errlen);
	if (s->events == NULL)
		return -1;
	events_add_sink(s->events, &clients, false);
	if (s->nodes != NULL) {
		events_add_sink(s->events, &nodes, true);
		events_probe(s->events, nodes_probe_id(s->nodes)); /* it may become ID-2 */
	}
	if (s->watch == NULL)
		return 0;
	s->watcher = watcher_new(s->watch, s->events, s->s.counters);
	if (s->watcher == NULL) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	return 0;
}

static int
share_make_nodes(struct share *s, char *err, size_t errlen)
{
	const struct config *c = s->s.config;
	struct nodes_setup setup = {c, s->s.base, s->s.counters, share_heartbeat,
		share_command, NULL, share_interest, s};

	if (c->redis.n == 0 && c->sentinel_master == NULL)
		return 0;
	if (c->watch) {
		s->watch = watch_new(c->sentinel_master != NULL ? 1 : c->redis.n);
		if (s->watch == NULL) {
			snprintf(err, errlen, "no memory");
			return -1;
		}
	}
	setup.watch = s->watch;
	s->nodes = nodes_new(&setup, err, errlen);
	return s->nodes == NULL ? -1 : 0;
}

static int
share_make_cloud(struct share *s, char *err, size_t errlen)
{
	static const struct cloud_tree heartbeats = {.prefix = "probe.", .type = CLOUD_HASH,
		.cap = 4, .ttl_s = HEARTBEAT_TTL_S, .local = true};
	const struct config *c = s->s.config;
	const struct cloud_setup setup = {
		.ttl_s = (uint32_t)c->volatile_ttl_s,
		.max_keys = (uint32_t)c->max_keys,
		.seed = s->s.seed,
		.names = s->s.names,
		.counters = s->s.counters,
		.nnodes = s->nodes != NULL ? nodes_count(s->nodes) : 0,
		.node_of = nodes_of,
		.arg = s->nodes,
	};

	if (!config_has_cloud(c))
		return 0;
	s->cloud = cloud_new(&setup);
	if (s->cloud == NULL ||
	    (s->probe_tree = cloud_add_tree(s->cloud, &heartbeats)) < 0) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	cloud_clock(s->cloud, s->now_ms);
	if (s->nodes != NULL)
		nodes_cloud(s->nodes, s->cloud);
	return 0;
}

static int
share_make_plugins(struct share *s, char *err, size_t errlen)
{
	const struct plugin_control_setup setup = {s->s.plugins, s->cloud, s->events,
		s->s.counters, s->sightings, s->watcher};

	if (s->s.plugins == NULL)
		return 0;
	s->plugins = plugin_control_new(&setup, err, errlen);
	return s->plugins == NULL ? -1 : 0;
}

/* Does anybody read whose a flow is? Nodes are not asked for nobody. */
static bool
share_names_users(const struct share *s)
{
	static const char *const told[] = {"flow.new", "flow.end", "dns", "http"};
	const struct config *c = s->s.config;
	const struct field *user = field_find("FLOW_USER_NAME");
	unsigned i;

	for (i = 0; i < s->s.template->n; i++)
		if (s->s.template->field[i] == user)
			return true;
	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (events_named((const char *const *)c->publish.v, c->publish.n, told[i],
			strlen(told[i])))
			return true;
	return false;
}

static int
share_make_users(struct share *s, char *err, size_t errlen)
{
	const bool asks = s->nodes != NULL && share_names_users(s);
	const struct sightings_setup sightings = {
		(uint64_t)s->s.config->user_grace_s * 1000000, s->s.seed, s->s.counters,
		share_forget, s};
	struct users_setup setup = {s->s.config, s->s.base, s->s.counters, s->cloud, NULL,
		s->s.names, asks ? nodes_of : NULL, s->nodes, s->s.seed};

	s->sightings = setup.sightings = sightings_new(&sightings);
	if (s->sightings == NULL) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	s->users = users_new(&setup, err, errlen);
	return s->users == NULL ? -1 : 0;
}

static int
share_make_server(struct share *s, char *err, size_t errlen)
{
	const struct config *c = s->s.config;
	struct server_setup setup = {.base = s->s.base, .listen = &c->resp,
		.optional = c->resp_default, .counters = s->s.counters,
		.commands = s->commands, .certified = c->resp_client_ca != NULL};

	if (c->resp.n == 0)
		return 0;
	if (c->resp_password_file != NULL) {
		s->password = config_secret("--resp-password-file", c->resp_password_file, err, errlen);
		if (s->password == NULL)
			return -1;
	}
	setup.password = s->password;
	if (c->resp_cert != NULL) {
		s->tls = tls_server_new(c->resp_cert, c->resp_key, c->resp_client_ca, err, errlen);
		if (s->tls == NULL)
			return -1;
		setup.tls = s->tls;
	}
	s->server = server_new(&setup, err, errlen);
	if (s->server == NULL)
		return -1;
	commands_server(s->commands, s->server);
	server_on_interest(s->server, share_interest, s);
	if (*server_addresses(s->server) != '\0')
		log_info("Redis clients are answered at %s", server_addresses(s->server));
	return 0;
}

static int
share_make_commands(struct share *s, char *err, size_t errlen)
{
	const struct commands_setup setup = {
		.config = s->s.config,
		.template = s->s.template,
		.base = s->s.base,
		.cloud = s->cloud,
		.alive = s->alive,
		.fields = s->s.fields,
		.own = s->s.counters,
		.counters = share_counters,
		.info = share_info,
		.plugins = share_plugins_info,
		.published = share_published,
		.where = share_where,
		.arg = s,
		.start_us = s->start_us,
		.born_us = s->born_us,
	};

	if (s->cloud == NULL)
		return 0;
	s->commands = commands_new(&setup);
	if (s->commands == NULL) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	return 0;
}

struct share *
share_new(const struct share_setup *setup, char *err, size_t errlen)
{
	struct share *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(err, errlen, "no memory");
		return NULL;
	}
	s->s = *setup;
	s->start_us = clock_us(CLOCK_REALTIME);
	s->born_us = clock_us(CLOCK_MONOTONIC);
	s->now_ms = clock_us(CLOCK_MONOTONIC) / 1000;
	s->alive = alive_new(s->s.workers, s->s.nworkers);
	if (s->alive == NULL)
		snprintf(err, errlen, "no memory");
	if (s->alive == NULL || share_make_nodes(s, err, errlen) < 0 ||
	    share_make_cloud(s, err, errlen) < 0 ||
	    share_make_users(s, err, errlen) < 0 ||
	    share_make_event(s, err, errlen) < 0 ||
	    share_make_plugins(s, err, errlen) < 0 ||
	    share_make_commands(s, err, errlen) < 0 ||
	    share_make_server(s, err, errlen) < 0) {
		share_free(s);
		return NULL;
	}
	return s;
}

void
share_free(struct share *s)
{
	if (s == NULL)
		return;
	if (s->server != NULL)
		server_free(s->server);
	users_free(s->users);
	sightings_free(s->sightings);
	commands_free(s->commands);
	alive_free(s->alive);
	plugin_control_free(s->plugins);
	events_free(s->events);
	nodes_free(s->nodes);
	watcher_free(s->watcher);
	watch_free(s->watch);
	cloud_free(s->cloud);
	tls_free(s->tls);
	if (s->password != NULL)
		explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	free(s);
}

void
share_chown(struct share *s, unsigned uid, unsigned gid)
{
	events_chown(s->events, uid, gid);
	if (s->server != NULL)
		server_chown(s->server, uid, gid);
}

int
share_start(struct share *s)
{
	share_interest(s);
	if (s->cloud != NULL)
		share_beat(s);
	return s->nodes != NULL ? nodes_start(s->nodes) : 0;
}

/*
 * Running
 */
void
share_tick(struct share *s, bool frozen)
{
	s->ticks++;
	if (s->ticks % SECOND_TICKS == 0)
		events_flush(s->events);
	if (s->cloud == NULL)
		return;
	if (!frozen) {
		s->now_ms = clock_us(CLOCK_MONOTONIC) / 1000;
		cloud_clock(s->cloud, s->now_ms);
	}
	if (s->ticks % HEARTBEAT_TICKS == 0)
		share_beat(s);
}

static void
share_new_flow(struct share *s, const struct flow *f)
{
	bool watched = s->watcher != NULL && watcher_finds(s->watcher, f);
	const char *user;

	if (!watched && !events_wanted(s->events, EVENT_FLOW_NEW))
		return;
	user = users_known(s->users, &f->key, flow_client(f));
	events_user(s->events, user);
	events_flow(s->events, EVENT_FLOW_NEW, f);
	events_user(s->events, NULL);
	if (watched)
		watcher_flow(s->watcher, f, user);
}

/* A report does not say who is the client; servers have the lower port most often. */
static void
share_report(struct share *s, const struct post_head *head, const void *msg)
{
	struct flowkey key;

	if (head->len >= sizeof(key)) {
		memcpy(&key, msg, sizeof(key));
		plugin_control_user(s->plugins,
		    users_known(s->users, &key, key.port[1] > key.port[0]));
	}
	plugin_control_report(s->plugins, head->plugin, msg, head->len);
	plugin_control_user(s->plugins, NULL);
}

static void
share_post(struct share *s, const struct post_head *head, const void *msg)
{
	switch (head->kind) {
	case POST_DELTA:
		if (s->cloud != NULL)
			cloud_feed(s->cloud, msg);
		users_delta(s->users, msg);
		break;
	case POST_NEW:
		share_new_flow(s, msg);
		break;
	case POST_REPORT:
		if (s->plugins != NULL)
			share_report(s, head, msg);
		break;
	}
}

unsigned
share_posts(struct share *s, struct worker *w, uint64_t end)
{
	alignas(64) uint8_t buf[POST_MAX];
	struct post_head head;
	const void *msg;
	unsigned n = 0;

	while (n < SHARE_POSTS && worker_posts_before(w, end) &&
	    (msg = worker_post_peek(w, &head, buf)) != NULL) {
		if (head.kind == POST_NEW && msg != buf)
			msg = memcpy(buf, msg, head.len); /* a flow stands at its line */
		share_post(s, &head, msg);
		worker_post_next(w, &head);
		n++;
	}
	return n;
}

void
share_ended(struct share *s, struct worker *w, const struct flow *f,
    const struct mc_plugin *plugin, const void *fields, const struct user_names *names)
{
	struct flowdelta delta;

	if (s->cloud != NULL && flowdelta_make(&delta, f, worker_told(w, f))) {
		cloud_feed(s->cloud, &delta);
		users_count(s->users, &delta, names);
	}
	if (events_wanted(s->events, EVENT_FLOW_END)) {
		events_user(s->events, names->flow);
		events_flow_plugin(s->events, EVENT_FLOW_END, f, plugin, fields);
		events_user(s->events, NULL);
	}
	if (fields != NULL) {
		plugin_control_user(s->plugins, names->flow);
		plugin_control_end(s->plugins, plugin, f, fields);
		plugin_control_user(s->plugins, NULL);
	}
}

struct users *
share_users(struct share *s)
{
	return s->users;
}

void
share_clock(struct share *s, uint64_t now_us)
{
	if (s->plugins != NULL)
		plugin_control_clock(s->plugins, now_us);
}

void
share_taken(struct share *s, uint64_t now_us)
{
	sightings_clock(s->sightings, now_us);
}

bool
share_answers(struct share *s)
{
	return alive_answers(s->alive);
}

void
share_drain(struct share *s)
{
	if (s->cloud != NULL)
		cloud_settle(s->cloud);
	if (s->nodes != NULL)
		nodes_drain(s->nodes);
}

bool
share_settled(const struct share *s)
{
	return s->nodes == NULL || nodes_settled(s->nodes);
}

void
share_end(struct share *s)
{
	if (s->nodes != NULL)
		nodes_end(s->nodes);
	events_flush(s->events);
}

void
share_reopen(struct share *s)
{
	events_reopen(s->events);
}
