/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user.c -- users of flows. A question per endpoint: what was kept of the connection and
 * the own sightings answer it at once, the cache of the read channel often, a node within
 * --user-wait. What waits stands in one queue, in the order it came; its head leaves when
 * it is answered or its time is up, so nothing waits longer than --user-wait.
 *
 * Memory: USERS_WAITING entries of some 400 bytes, and their names. An answer that
 * comes too late finds its entry among those that have left, which count as well. Of
 * connections that go on and have users some 150 bytes, for --max-flows of them.
 */
#include "user_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "clock.h"
#include "config.h"
#include "keyname.h"
#include "reader.h"

#define LEAST_MS    100 /* a node has to answer, though no record waits */
#define ADDR_KEYS   4   /* user.ip, and user.net /64 /56 /48 */
#define KEY_SIZE    96

static const unsigned net_bits[ADDR_KEYS - 1] = {64, 56, 48};

/* What is asked: of a flow, or of a part of it. */
struct ask {
	struct flowkey key;
	uint64_t serial; /* of its connection */
	unsigned client;
	bool lives; /* the connection goes on */
	struct sighting_when when;
};

struct side {
	struct user_entry *entry;
	char *name; /* owned; NULL: not known (yet) */
	bool asked; /* the answer is to come */
	bool unknown; /* no node said */
};

struct user_entry {
	TAILQ_ENTRY(user_entry) next;
	struct users *users;
	uint64_t deadline_ms;
	struct side side[2];
	struct ask ask;
	bool queued; /* else it has left, and waits for late answers */
	struct flow *flow; /* a record; NULL: none */
	void *worker;
	bool counts; /* DELTA waits for its users */
	struct flowdelta delta;
};

static uint64_t
now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

static struct ask
ask_of_flow(const struct flow *f)
{
	struct ask a = {.key = f->key, .serial = f->serial, .client = flow_client(f),
		.lives = f->flags & FLOW_CUT};

	a.when.first_us = flow_first_us(f);
	a.when.last_us = flow_last_us(f);
	a.when.at_us = f->ended_us > a.when.last_us ? f->ended_us : a.when.last_us;
	return a;
}

static struct ask
ask_of_delta(const struct flowdelta *d)
{
	return (struct ask){d->key, d->serial, d->client, true,
		{d->first_us, d->last_us, d->last_us}};
}

static bool
is_mapped(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

bool
user_is_none(const uint8_t addr[16])
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

/*
 * What is known without asking nodes. NULL: nothing; borrowed: from what is kept, or from
 * the sightings.
 */
static const char *
own_user(struct users *u, const struct ask *a, unsigned side)
{
	const uint8_t *addr = a->key.addr[side];
	const struct kept *kept;
	const char *name, *own;
	uint64_t since_us;

	if (user_is_none(addr))
		return NULL;
	kept = a->serial != 0 ? kept_find(&u->kept, &a->key, a->serial) : NULL;
	name = kept != NULL ? kept->name[side] : NULL;
	own = sightings_find(u->s.sightings, addr, &a->when, &since_us);
	if (own != NULL && (name == NULL || since_us <= a->when.first_us))
		name = own;
	return name;
}

/* NAMES of the connection of A, for its later parts. */
static void
keep(struct users *u, const struct ask *a, const struct user_names *names)
{
	if (a->serial != 0)
		kept_put(&u->kept, &a->key, a->serial, names->of);
}

/* The record of A leaves; NAMES may be what is kept. */
static void
hand_over(struct users *u, const struct ask *a, void *worker, struct flow *f,
    const struct user_names *names)
{
	if (a->lives)
		keep(u, a, names);
	u->leave(u->arg, worker, f, names);
	if (!a->lives)
		kept_drop(&u->kept, &a->key, a->serial);
}

static void
choose(struct user_names *n, unsigned client)
{
	n->flow = n->of[client] != NULL ? n->of[client] : n->of[!client];
}

/*
 * Entries
 */
static void
entry_free(struct user_entry *e)
{
	struct users *u = e->users;

	TAILQ_REMOVE(e->queued ? &u->queue : &u->left, e, next);
	u->n--;
	free(e->side[0].name);
	free(e->side[1].name);
	free(e);
}

static bool
is_answered(const struct user_entry *e)
{
	return !e->side[0].asked && !e->side[1].asked;
}

static struct user_names
names_of(struct users *u, const struct user_entry *e)
{
	struct user_names n = {{e->side[0].name, e->side[1].name}, NULL, {false, false}};
	unsigned i;

	for (i = 0; i < 2; i++) {
		/* one that waited before it may have found it */
		if (n.of[i] == NULL)
			n.of[i] = own_user(u, &e->ask, i);
		n.nobody[i] =
		    n.of[i] == NULL && !e->side[i].asked && !e->side[i].unknown;
	}
	choose(&n, e->ask.client);
	return n;
}

/* E, the head or alone, leaves. */
static void
entry_leave(struct user_entry *e)
{
	struct users *u = e->users;
	struct user_names names = names_of(u, e);

	if (e->counts)
		users_count(u, &e->delta, &names);
	if (e->flow != NULL) {
		u->nrecords--;
		if (names.flow == NULL && !is_answered(e))
			counter_inc(u->s.counters, COUNTER_USERS_LATE);
		hand_over(u, &e->ask, e->worker, e->flow, &names);
	} else if (e->counts)
		keep(u, &e->ask, &names);
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
	struct user_entry *e;

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
	struct user_entry *e = side->entry;
	struct users *u = e->users;

	side->asked = false;
	side->unknown = !a->known;
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
		side->unknown = true;
		counter_inc(u->s.counters, COUNTER_USERS_FULL);
	}
}

/* A new entry at the end of the queue; what is known is in it, the rest is asked for.
 * NULL: no room. */
static struct user_entry *
entry_new(struct users *u, const struct ask *a)
{
	struct user_entry *e;
	const char *name;
	unsigned i;

	if (u->n >= USERS_WAITING || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->users = u;
	e->ask = *a;
	e->queued = true;
	e->deadline_ms = now_ms() + u->wait_ms;
	TAILQ_INSERT_TAIL(&u->queue, e, next);
	u->n++;
	u->nqueued++;
	u->asking = true;
	for (i = 0; i < 2; i++) {
		e->side[i].entry = e;
		if (user_is_none(a->key.addr[i]))
			continue;
		if ((name = own_user(u, a, i)) != NULL)
			e->side[i].name = strdup(name);
		else if (u->reader != NULL)
			ask_nodes(u, &e->side[i], a->key.addr[i]);
	}
	u->asking = false;
	return e;
}

static struct user_names
own_names(struct users *u, const struct ask *a)
{
	struct user_names n = {{NULL, NULL}, NULL, {false, false}};
	unsigned i;

	for (i = 0; i < 2; i++) {
		n.of[i] = own_user(u, a, i);
		n.nobody[i] = n.of[i] == NULL && u->reader == NULL;
	}
	choose(&n, a->client);
	return n;
}

/* Nobody was seen, nobody is kept, and no node could say. */
static inline bool
nobody_known(const struct users *u)
{
	return u->reader == NULL && u->kept.n == 0 && sightings_count(u->s.sightings) == 0;
}

void
users_ended(struct users *u, void *worker, struct flow *f)
{
	static const struct user_names nobody = {{NULL, NULL}, NULL, {true, true}};
	struct ask ask;
	struct user_names names;
	struct user_entry *e = NULL;

	if (nobody_known(u)) {
		u->leave(u->arg, worker, f, &nobody); /* there are no users */
		return;
	}
	ask = ask_of_flow(f);
	if (u->reader != NULL) {
		e = entry_new(u, &ask);
		if (e == NULL) {
			counter_inc(u->s.counters, COUNTER_USERS_FULL);
			while ((e = TAILQ_FIRST(&u->queue)) != NULL)
				entry_leave(e); /* nobody is overtaken */
		}
	}
	if (e == NULL) {
		names = own_names(u, &ask);
		hand_over(u, &ask, worker, f, &names);
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

/* Of a flow that lives: who has it. */
static const char *
user_now(struct users *u, const struct flowkey *key, unsigned side)
{
	const struct kept *kept = kept_find(&u->kept, key, 0);

	if (kept != NULL && kept->name[side] != NULL)
		return kept->name[side];
	return user_is_none(key->addr[side])
	    ? NULL
	    : sightings_now(u->s.sightings, key->addr[side]);
}

/* The nodes are asked; it need not wait for its turn, nothing of it leaves. */
static const char *
ask_now(struct users *u, const struct flowkey *key, unsigned client)
{
	const struct ask ask = {.key = *key, .client = client};
	struct user_entry *e = entry_new(u, &ask);
	const char *name;

	if (e == NULL)
		return NULL;
	name = e->side[client].name;
	if (name == NULL && (name = user_now(u, key, !client)) == NULL)
		name = e->side[!client].name;
	if (name != NULL) {
		snprintf(u->known, sizeof(u->known), "%s", name);
		name = u->known;
	}
	if (e == TAILQ_LAST(&u->queue, user_entries))
		entry_leave(e);
	return name;
}

const char *
users_known(struct users *u, const struct flowkey *key, unsigned client)
{
	const char *name;

	if (nobody_known(u))
		return NULL;
	name = user_now(u, key, client);
	if (name == NULL && u->reader != NULL &&
	    (name = ask_now(u, key, client)) != NULL)
		return name;
	if (name == NULL)
		name = user_now(u, key, !client);
	if (name == NULL)
		return NULL;
	snprintf(u->known, sizeof(u->known), "%s", name); /* logins may follow */
	return u->known;
}

void
users_delta(struct users *u, const struct flowdelta *d)
{
	struct user_names names;
	struct user_entry *e;
	struct ask ask;

	if (nobody_known(u))
		return;
	ask = ask_of_delta(d);
	if (u->reader != NULL && (e = entry_new(u, &ask)) != NULL) {
		e->counts = true;
		e->delta = *d;
		run(u);
		return;
	}
	if (u->s.cloud == NULL)
		return;
	names = own_names(u, &ask);
	users_count(u, d, &names);
	keep(u, &ask, &names);
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
	if (u->timer == NULL ||
	    kept_init(&u->kept, (unsigned)setup->config->max_flows, setup->seed) < 0) {
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
	struct user_entry *e;

	if (u == NULL)
		return;
	reader_free(u->reader);
	while ((e = TAILQ_FIRST(&u->queue)) != NULL ||
	    (e = TAILQ_FIRST(&u->left)) != NULL)
		entry_free(e);
	kept_clear(&u->kept);
	if (u->timer != NULL)
		event_free(u->timer);
	free(u);
}
