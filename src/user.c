/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user.c -- users of flows. A question per endpoint: the own tree answers it at once,
 * the cache of the read channel often, a node within --user-wait. What waits stands in
 * one queue, in the order it came; its head leaves when it is answered or its time is
 * up, so nothing waits longer than --user-wait.
 *
 * Memory: USERS_WAITING entries of some 300 bytes, and their names. An answer that
 * comes too late finds its entry among those that have left, which count as well.
 *
 * What is counted for a user goes to user.<name>, top.user.bytes and top.user.flows.
 * The life of user.<name> is left to who sees the logins.
 */
#include "user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "clock.h"
#include "cloud.h"
#include "config.h"
#include "dpi.h"
#include "keyname.h"
#include "reader.h"

#define MINUTE_US   60000000u
#define LEAST_MS    100 /* a node has to answer, though no record waits */
#define ADDR_KEYS   4   /* user.ip, and user.net /64 /56 /48 */
#define USER_NAME   255 /* bytes of a user's name */
#define KEY_SIZE    96

static const unsigned net_bits[ADDR_KEYS - 1] = {64, 56, 48};

struct entry;

struct side {
	struct entry *entry;
	char *name; /* owned; NULL: not known (yet) */
	bool asked; /* the answer is to come */
};

struct entry {
	TAILQ_ENTRY(entry) next;
	struct users *users;
	uint64_t deadline_ms;
	struct side side[2];
	unsigned client;
	bool queued; /* else it has left, and waits for late answers */
	struct flow *flow; /* a record; NULL: none */
	void *worker;
	bool counts; /* DELTA waits for its users */
	struct flowdelta delta;
};

TAILQ_HEAD(entries, entry);

struct users {
	struct users_setup s;
	struct reader *reader; /* NULL: nodes are not asked */
	struct event *timer;
	struct entries queue, left;
	unsigned n, nqueued, nrecords;
	unsigned wait_ms;
	bool asking, running;
	users_leave *leave;
	void *arg;
	char known[USER_NAME + 1];
};

static uint64_t
now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

/*
 * The own tree
 */
static bool
is_mapped(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

/* -p without addresses leaves all zeros. */
static bool
is_none(const uint8_t *addr)
{
	static const uint8_t none[16];

	return memcmp(addr, none, sizeof(none)) == 0;
}

/* "<prefix>/<len>" of the network ADDR is in; BITS is a multiple of 8. */
static size_t
network(char *to, size_t size, const uint8_t *addr, unsigned bits)
{
	char text[KEYNAME_ADDR + 1];
	uint8_t net[16] = {0};
	size_t len;

	memcpy(net, addr, bits / 8);
	len = keyname_addr(text, net);
	return (size_t)snprintf(to, size, "%.*s/%u", (int)len, text, bits);
}

static bool
has_sightings(const struct cloud *cloud, unsigned tree)
{
	uint64_t keys;

	cloud_tree_of(cloud, tree, &keys);
	return keys > 0;
}

/* Who has ADDR, by the own sightings, to NAME (USER_NAME + 1 bytes). */
static bool
own_user(const struct users *u, const uint8_t *addr, char *name)
{
	const struct cloud *cloud = u->s.cloud;
	const struct cloud_key *key = NULL;
	struct cloud_item item;
	char id[KEY_SIZE];
	unsigned i;

	if (cloud == NULL)
		return false;
	if (has_sightings(cloud, CLOUD_USER_IP))
		key = cloud_look(cloud, CLOUD_USER_IP, addr, 16);
	if (key == NULL && !is_mapped(addr) && has_sightings(cloud, CLOUD_USER_NET))
		for (i = 0; key == NULL && i < ADDR_KEYS - 1; i++)
			key = cloud_look(cloud, CLOUD_USER_NET, id,
			    network(id, sizeof(id), addr, net_bits[i]));
	if (key == NULL)
		return false;
	cloud_key_string(key, &item);
	if (item.text == NULL)
		snprintf(name, USER_NAME + 1, "%lld", (long long)item.number);
	else {
		if (item.len > USER_NAME)
			item.len = USER_NAME;
		memcpy(name, item.text, item.len);
		name[item.len] = '\0';
	}
	return name[0] != '\0';
}

/*
 * Entries
 */
static void
entry_free(struct entry *e)
{
	struct users *u = e->users;

	TAILQ_REMOVE(e->queued ? &u->queue : &u->left, e, next);
	u->n--;
	free(e->side[0].name);
	free(e->side[1].name);
	free(e);
}

static bool
is_answered(const struct entry *e)
{
	return !e->side[0].asked && !e->side[1].asked;
}

static struct user_names
names_of(const struct entry *e)
{
	struct user_names n = {{e->side[0].name, e->side[1].name}, NULL};

	n.flow = n.of[e->client] != NULL ? n.of[e->client] : n.of[!e->client];
	return n;
}

/* E, the head or alone, leaves. */
static void
entry_leave(struct entry *e)
{
	struct users *u = e->users;
	struct user_names names = names_of(e);

	if (e->counts)
		users_count(u, &e->delta, &names);
	if (e->flow != NULL) {
		u->nrecords--;
		if (names.flow == NULL && !is_answered(e))
			counter_inc(u->s.counters, COUNTER_USERS_LATE);
		u->leave(u->arg, e->worker, e->flow, &names);
	}
	e->flow = NULL;
	e->counts = false;
	if (!e->side[0].asked && !e->side[1].asked) {
		u->nqueued--;
		entry_free(e);
		return;
	}
	TAILQ_REMOVE(&u->queue, e, next);
	u->nqueued--;
	e->queued = false;
	TAILQ_INSERT_TAIL(&u->left, e, next);
}

static void
wake_at(struct users *u, uint64_t at, uint64_t now)
{
	uint64_t ms = at > now ? at - now : 0;
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(u->timer, &tv);
}

/* Let go who may go. */
static void
run(struct users *u)
{
	uint64_t now = now_ms();
	struct entry *e;

	if (u->asking || u->running)
		return;
	u->running = true;
	while ((e = TAILQ_FIRST(&u->queue)) != NULL &&
	    (is_answered(e) || e->deadline_ms <= now))
		entry_leave(e);
	u->running = false;
	if (e == NULL)
		event_del(u->timer);
	else if (!event_pending(u->timer, EV_TIMEOUT, NULL))
		wake_at(u, e->deadline_ms, now);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run(arg);
}

/* reader_cb */
static void
on_answer(void *arg, const struct reader_answer *a)
{
	struct side *side = arg;
	struct entry *e = side->entry;
	struct users *u = e->users;

	side->asked = false;
	if (a->known && a->found && a->len > 0)
		side->name = strdup(a->value);
	if (e->queued)
		run(u);
	else if (!u->asking && !e->side[0].asked && !e->side[1].asked)
		entry_free(e);
}

static void
ask_nodes(struct users *u, struct side *side, const uint8_t *addr)
{
	char key[ADDR_KEYS][KEY_SIZE], text[KEYNAME_ADDR + 1];
	const char *keys[ADDR_KEYS];
	unsigned n = 1, i;

	text[keyname_addr(text, addr)] = '\0';
	snprintf(key[0], KEY_SIZE, "user.ip.%s", text);
	if (!is_mapped(addr))
		for (; n < ADDR_KEYS; n++) {
			char net[KEY_SIZE - 16];

			network(net, sizeof(net), addr, net_bits[n - 1]);
			snprintf(key[n], KEY_SIZE, "user.net.%s", net);
		}
	for (i = 0; i < n; i++)
		keys[i] = key[i];
	side->asked = true;
	if (!reader_ask(u->reader, keys, n, NULL, on_answer, side)) {
		side->asked = false;
		counter_inc(u->s.counters, COUNTER_USERS_FULL);
	}
}

/* A new entry at the end of the queue; what is known is in it, the rest is asked for.
 * NULL: no room. */
static struct entry *
entry_new(struct users *u, const struct flowkey *key, unsigned client)
{
	char name[USER_NAME + 1];
	struct entry *e;
	unsigned i;

	if (u->n >= USERS_WAITING || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->users = u;
	e->client = client;
	e->queued = true;
	e->deadline_ms = now_ms() + u->wait_ms;
	TAILQ_INSERT_TAIL(&u->queue, e, next);
	u->n++;
	u->nqueued++;
	u->asking = true;
	for (i = 0; i < 2; i++) {
		e->side[i].entry = e;
		if (is_none(key->addr[i]))
			continue;
		if (own_user(u, key->addr[i], name))
			e->side[i].name = strdup(name);
		else if (u->reader != NULL)
			ask_nodes(u, &e->side[i], key->addr[i]);
	}
	u->asking = false;
	return e;
}

/* What the own tree knows; NAME has room for both. */
static struct user_names
own_names(const struct users *u, const struct flowkey *key, unsigned client,
    char name[2][USER_NAME + 1])
{
	struct user_names n = {{NULL, NULL}, NULL};
	unsigned i;

	for (i = 0; i < 2; i++)
		if (!is_none(key->addr[i]) && own_user(u, key->addr[i], name[i]))
			n.of[i] = name[i];
	n.flow = n.of[client] != NULL ? n.of[client] : n.of[!client];
	return n;
}

void
users_ended(struct users *u, void *worker, struct flow *f)
{
	unsigned client = flow_client(f);
	char name[2][USER_NAME + 1];
	struct user_names names;
	struct entry *e = NULL;

	if (u->reader != NULL) {
		e = entry_new(u, &f->key, client);
		if (e == NULL) {
			counter_inc(u->s.counters, COUNTER_USERS_FULL);
			while ((e = TAILQ_FIRST(&u->queue)) != NULL)
				entry_leave(e); /* nobody is overtaken */
		}
	}
	if (e == NULL) {
		names = own_names(u, &f->key, client, name);
		u->leave(u->arg, worker, f, &names);
		return;
	}
	e->worker = worker;
	e->flow = f;
	u->nrecords++;
	run(u);
}

unsigned
users_waiting(const struct users *u)
{
	return u->nrecords;
}

bool
users_busy(const struct users *u)
{
	return u->nqueued >= USERS_ENOUGH;
}

const char *
users_known(struct users *u, const struct flowkey *key, unsigned client)
{
	struct user_names names;
	char name[2][USER_NAME + 1];
	struct entry *e;

	names = own_names(u, key, client, name);
	if (names.of[client] == NULL && u->reader != NULL &&
	    (e = entry_new(u, key, client)) != NULL) {
		/* it need not wait for its turn: nothing of it leaves */
		names = names_of(e);
		if (names.flow != NULL) {
			snprintf(u->known, sizeof(u->known), "%s", names.flow);
			names.flow = u->known;
		}
		if (e == TAILQ_LAST(&u->queue, entries))
			entry_leave(e);
		return names.flow;
	}
	if (names.flow == NULL)
		return NULL;
	snprintf(u->known, sizeof(u->known), "%s", names.flow);
	return u->known;
}

/*
 * Counting
 */
static void
count_l7(struct users *u, struct cloud_key *k, const struct flowdelta *d,
    uint64_t bytes)
{
	struct flow_l7 l7 = {.master = d->named ? d->master : 0,
		.app = d->named ? d->app : 0};
	char field[160] = "l7.";
	struct cloud_item item;
	unsigned i, n = 0;
	size_t len;

	if (bytes == 0)
		return;
	len = 3 + dpi_full_name(u->s.names, &l7, field + 3, sizeof(field) - 3);
	if (!cloud_key_get(k, field, len, &item)) {
		for (i = 0; i < cloud_key_count(k); i++) {
			cloud_key_at(k, i, &item);
			n += item.name_len > 3 && memcmp(item.name, "l7.", 3) == 0;
		}
		if (n >= USERS_L7_MAX)
			return;
	}
	cloud_incr(u->s.cloud, k, field, (int64_t)bytes);
}

static void
count_top(struct users *u, const char *metric, const struct flowdelta *d,
    const char *name, uint64_t n)
{
	struct cloud_key *k;
	char id[48];
	int len;

	if (n == 0)
		return;
	len = snprintf(id, sizeof(id), "%s.%llu", metric,
	    (unsigned long long)(d->last_us / MINUTE_US));
	k = cloud_key(u->s.cloud, CLOUD_TOP, id, (size_t)len);
	if (k != NULL)
		cloud_zincr(u->s.cloud, k, name, strlen(name), n);
}

static void
count_side(struct users *u, const struct flowdelta *d, unsigned side, const char *name)
{
	bool client = side == d->client;
	const struct {
		const char *field;
		uint64_t n;
	} v[] = {
	    {"bytesSent", d->octets[side]},
	    {"bytesRcvd", d->octets[!side]},
	    {"pktsSent", d->packets[side]},
	    {"pktsRcvd", d->packets[!side]},
	    {"flowsClient", d->fresh && client},
	    {"flowsServer", d->fresh && !client},
	};
	struct cloud *cloud = u->s.cloud;
	uint64_t bytes = d->octets[0] + d->octets[1];
	struct cloud_key *k;
	char member[KEYNAME_PART + 1];
	unsigned i;

	k = cloud_key(cloud, CLOUD_USER, name, strlen(name));
	if (k == NULL)
		return;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (v[i].n > 0)
			cloud_incr(cloud, k, v[i].field, (int64_t)v[i].n);
	count_l7(u, k, d, bytes);
	keyname_part(member, name, strlen(name));
	count_top(u, "user.bytes", d, member, bytes);
	count_top(u, "user.flows", d, member, d->fresh);
}

void
users_count(struct users *u, const struct flowdelta *d, const struct user_names *names)
{
	unsigned i;

	if (u->s.cloud == NULL)
		return;
	for (i = 0; i < 2; i++)
		if (names->of[i] != NULL)
			count_side(u, d, i, names->of[i]);
}

void
users_delta(struct users *u, const struct flowdelta *d)
{
	char name[2][USER_NAME + 1];
	struct user_names names;
	struct entry *e;

	if (u->reader != NULL && (e = entry_new(u, &d->key, d->client)) != NULL) {
		e->counts = true;
		e->delta = *d;
		run(u);
		return;
	}
	if (u->s.cloud == NULL)
		return;
	names = own_names(u, &d->key, d->client, name);
	users_count(u, d, &names);
}

/*
 * Making
 */
void
users_on_leave(struct users *u, users_leave *leave, void *arg)
{
	u->leave = leave;
	u->arg = arg;
}

struct users *
users_new(const struct users_setup *setup, char *err, size_t errlen)
{
	struct reader_setup reader = {setup->config, setup->base, setup->counters,
		setup->node_of, setup->nodes, LEAST_MS};
	struct users *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		snprintf(err, errlen, "no memory");
		return NULL;
	}
	u->s = *setup;
	TAILQ_INIT(&u->queue);
	TAILQ_INIT(&u->left);
	u->wait_ms = (unsigned)setup->config->user_wait_ms;
	if (u->wait_ms > LEAST_MS)
		reader.timeout_ms = u->wait_ms;
	u->timer = evtimer_new(setup->base, on_timer, u);
	if (u->timer == NULL) {
		snprintf(err, errlen, "no memory");
		users_free(u);
		return NULL;
	}
	if (setup->node_of == NULL)
		return u;
	u->reader = reader_new(&reader, err, errlen);
	if (u->reader == NULL) {
		users_free(u);
		return NULL;
	}
	return u;
}

void
users_free(struct users *u)
{
	struct entry *e;

	if (u == NULL)
		return;
	reader_free(u->reader);
	while ((e = TAILQ_FIRST(&u->queue)) != NULL ||
	    (e = TAILQ_FIRST(&u->left)) != NULL)
		entry_free(e);
	if (u->timer != NULL)
		event_free(u->timer);
	free(u);
}
