/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sighting.c -- two tables of chains, of places (an address or a network) and persons;
 * between them the sightings: of a place newest first, of a person in any order, and those
 * that are over also in one list by the time of their end, which the clock eats from the
 * front. A place and a person exist as long as they have sightings.
 */
#include "sighting.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <xxhash.h>

#define BUCKETS 65536 /* a power of two; 512 KB of each table, taken as used */

TAILQ_HEAD(sighting_list, sighting);

struct sighting {
	TAILQ_ENTRY(sighting) of_place;
	LIST_ENTRY(sighting) of_person;
	TAILQ_ENTRY(sighting) over; /* if GONE_US != 0 */
	struct place *place;
	struct person *person;
	uint64_t since_us, gone_us; /* gone_us 0: has it */
};

struct place {
	LIST_ENTRY(place) chain;
	struct sighting_list sightings; /* by SINCE_US, the largest first */
	struct sighting_net net; /* what is beyond its bits is 0 */
	unsigned n;
};

struct person {
	LIST_ENTRY(person) chain;
	LIST_HEAD(, sighting) sightings;
	char name[]; /* NUL-terminated */
};

struct sightings {
	struct sightings_setup s;
	LIST_HEAD(, place) *places; /* BUCKETS, owned */
	LIST_HEAD(, person) *persons;
	struct sighting_list over; /* by GONE_US */
	unsigned nets[128]; /* places by their length of prefix, addresses excepted */
	unsigned nnets, n;
};

/*
 * Places and persons
 */
static struct sighting_net
cut(const uint8_t addr[16], unsigned bits)
{
	struct sighting_net net = {.bits = (uint8_t)(bits < 128 ? bits : 128)};

	memcpy(net.addr, addr, net.bits / 8);
	if (net.bits % 8 != 0)
		net.addr[net.bits / 8] =
		    (uint8_t)(addr[net.bits / 8] & 0xff << (8 - net.bits % 8));
	return net;
}

static uint64_t
bucket(const struct sightings *s, const void *bytes, size_t len)
{
	return XXH3_64bits_withSeed(bytes, len, s->s.seed) & (BUCKETS - 1);
}

/* NET was cut. */
static struct place *
find_place(const struct sightings *s, const struct sighting_net *net)
{
	struct place *p;

	LIST_FOREACH(p, &s->places[bucket(s, net, sizeof(*net))], chain)
		if (memcmp(&p->net, net, sizeof(*net)) == 0)
			break;
	return p;
}

static struct place *
get_place(struct sightings *s, const struct sighting_net *net)
{
	struct place *p = find_place(s, net);

	if (p != NULL || (p = calloc(1, sizeof(*p))) == NULL)
		return p;
	TAILQ_INIT(&p->sightings);
	p->net = *net;
	if (net->bits < 128) {
		s->nets[net->bits]++;
		s->nnets++;
	}
	LIST_INSERT_HEAD(&s->places[bucket(s, net, sizeof(*net))], p, chain);
	return p;
}

static void
put_place(struct sightings *s, struct place *p)
{
	if (p == NULL || !TAILQ_EMPTY(&p->sightings))
		return;
	if (p->net.bits < 128) {
		s->nets[p->net.bits]--;
		s->nnets--;
	}
	LIST_REMOVE(p, chain);
	free(p);
}

static struct person *
find_person(const struct sightings *s, const char *name, size_t len)
{
	struct person *p;

	LIST_FOREACH(p, &s->persons[bucket(s, name, len)], chain)
		if (strncmp(p->name, name, len) == 0 && p->name[len] == '\0')
			break;
	return p;
}

static struct person *
get_person(struct sightings *s, const char *name)
{
	size_t len = strnlen(name, SIGHTING_NAME);
	struct person *p = find_person(s, name, len);

	if (p != NULL || (p = malloc(sizeof(*p) + len + 1)) == NULL)
		return p;
	LIST_INIT(&p->sightings);
	memcpy(p->name, name, len);
	p->name[len] = '\0';
	LIST_INSERT_HEAD(&s->persons[bucket(s, name, len)], p, chain);
	return p;
}

static void
put_person(struct person *p)
{
	if (p == NULL || !LIST_EMPTY(&p->sightings))
		return;
	LIST_REMOVE(p, chain);
	free(p);
}

/*
 * Sightings
 */
static void
insert(struct place *p, struct sighting *g)
{
	struct sighting *at;

	TAILQ_FOREACH(at, &p->sightings, of_place)
		if (at->since_us <= g->since_us)
			break;
	if (at != NULL)
		TAILQ_INSERT_BEFORE(at, g, of_place);
	else
		TAILQ_INSERT_TAIL(&p->sightings, g, of_place);
}

/* G is over since GONE_US. Ends come nearly in order: the search ends soon. */
static void
set_gone(struct sightings *s, struct sighting *g, uint64_t gone_us)
{
	struct sighting *at;

	if (g->gone_us != 0)
		TAILQ_REMOVE(&s->over, g, over);
	g->gone_us = gone_us > g->since_us ? gone_us : g->since_us;
	if (g->gone_us == 0)
		g->gone_us = 1;
	TAILQ_FOREACH_REVERSE(at, &s->over, sighting_list, over)
		if (at->gone_us <= g->gone_us)
			break;
	if (at != NULL)
		TAILQ_INSERT_AFTER(&s->over, at, g, over);
	else
		TAILQ_INSERT_HEAD(&s->over, g, over);
}

/* The newest of PERSON at PLACE that began by SINCE_US; NULL: none. */
static struct sighting *
newest_of(const struct place *place, const struct person *person, uint64_t since_us)
{
	struct sighting *g;

	TAILQ_FOREACH(g, &place->sightings, of_place)
		if (g->person == person && g->since_us <= since_us)
			break;
	return g;
}

static void
drop(struct sightings *s, struct sighting *g)
{
	struct place *place = g->place;
	struct person *person = g->person;

	if (g->gone_us != 0)
		TAILQ_REMOVE(&s->over, g, over);
	TAILQ_REMOVE(&place->sightings, g, of_place);
	LIST_REMOVE(g, of_person);
	free(g);
	place->n--;
	s->n--;
	if (s->s.forget != NULL)
		s->s.forget(s->s.arg, &place->net, person->name,
		    newest_of(place, person, UINT64_MAX) == NULL,
		    LIST_EMPTY(&person->sightings));
	put_place(s, place);
	put_person(person);
}

/* Room for one more, of NET and in all. Places and persons may go with what is dropped. */
static bool
make_room(struct sightings *s, const struct sighting_net *net)
{
	struct place *p = find_place(s, net);
	struct sighting *g;

	if (p != NULL && p->n > SIGHTINGS_PAST) {
		g = TAILQ_LAST(&p->sightings, sighting_list);
		if (g->gone_us != 0)
			drop(s, g);
	}
	if (s->n >= SIGHTINGS_MAX && (g = TAILQ_FIRST(&s->over)) != NULL)
		drop(s, g);
	return s->n < SIGHTINGS_MAX;
}

/* G, new, among those of its place: when it was over, and when the one before. */
static void
settle(struct sightings *s, struct sighting *g)
{
	struct sighting *older = TAILQ_NEXT(g, of_place);
	const struct sighting *newer = TAILQ_PREV(g, sighting_list, of_place);

	if (newer != NULL)
		set_gone(s, g, newer->since_us);
	if (older != NULL && (older->gone_us == 0 || older->gone_us > g->since_us))
		set_gone(s, older, g->since_us);
}

void
sightings_login(struct sightings *s, const struct sighting_net *to, const char *name,
    uint64_t since_us)
{
	const struct sighting_net net = cut(to->addr, to->bits);
	struct place *place = find_place(s, &net);
	struct person *person;
	struct sighting *g = NULL;

	if (place != NULL) {
		g = TAILQ_FIRST(&place->sightings);
		if (g->gone_us == 0 && strncmp(g->person->name, name, SIGHTING_NAME) == 0)
			return; /* he has it */
		g = NULL;
	}
	if (make_room(s, &net))
		g = calloc(1, sizeof(*g));
	place = g != NULL ? get_place(s, &net) : NULL;
	person = g != NULL ? get_person(s, name) : NULL;
	if (place == NULL || person == NULL) {
		counter_inc(s->s.counters, COUNTER_SIGHTINGS_FULL);
		put_place(s, place);
		put_person(person);
		free(g);
		return;
	}
	g->place = place;
	g->person = person;
	g->since_us = since_us;
	insert(place, g);
	LIST_INSERT_HEAD(&person->sightings, g, of_person);
	place->n++;
	s->n++;
	settle(s, g);
}

void
sightings_logout(struct sightings *s, const struct sighting_net *from, const char *name,
    uint64_t at_us)
{
	const struct sighting_net net = cut(from->addr, from->bits);
	struct place *place = find_place(s, &net);
	struct person *person = find_person(s, name, strnlen(name, SIGHTING_NAME));
	struct sighting *g;

	if (place == NULL || person == NULL)
		return;
	/* times that NASes tell are whole seconds */
	g = newest_of(place, person, at_us + SIGHTING_SLACK);
	if (g != NULL && (g->gone_us == 0 || g->gone_us > at_us))
		set_gone(s, g, at_us);
}

void
sightings_clock(struct sightings *s, uint64_t now_us)
{
	struct sighting *g;

	while ((g = TAILQ_FIRST(&s->over)) != NULL &&
	    g->gone_us + s->s.grace_us <= now_us)
		drop(s, g);
}

/*
 * Questions
 */
static const struct sighting *
best(const struct sightings *s, const struct place *p, const struct sighting_when *w)
{
	const struct sighting *g, *later = NULL, *left = NULL;
	uint64_t begin = w->first_us + SIGHTING_SLACK;

	if (begin > w->last_us)
		begin = w->last_us;
	TAILQ_FOREACH(g, &p->sightings, of_place) {
		if (g->since_us > w->last_us ||
		    (g->gone_us != 0 && w->at_us >= g->gone_us + s->s.grace_us))
			continue;
		if (g->gone_us != 0 && g->gone_us < w->first_us)
			left = left != NULL ? left : g;
		else if (g->since_us > begin)
			later = g; /* of several the first that came */
		else
			return g;
	}
	return later != NULL ? later : left;
}

/* W NULL: now. */
static const struct sighting *
at_place(const struct sightings *s, const uint8_t addr[16], unsigned bits,
    const struct sighting_when *w)
{
	const struct sighting_net net = cut(addr, bits);
	const struct place *p = find_place(s, &net);

	if (p == NULL)
		return NULL;
	return w != NULL ? best(s, p, w) : TAILQ_FIRST(&p->sightings);
}

static const struct sighting *
find(const struct sightings *s, const uint8_t addr[16], const struct sighting_when *w)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned least = memcmp(addr, mapped, sizeof(mapped)) == 0 ? 96 : 0, bits;
	const struct sighting *g;

	if (s->n == 0)
		return NULL;
	g = at_place(s, addr, 128, w);
	for (bits = 127; g == NULL && s->nnets > 0 && bits > least; bits--)
		if (s->nets[bits] > 0)
			g = at_place(s, addr, bits, w);
	return g;
}

const char *
sightings_find(const struct sightings *s, const uint8_t addr[16],
    const struct sighting_when *when, uint64_t *since_us)
{
	const struct sighting *g = find(s, addr, when);

	if (g == NULL)
		return NULL;
	*since_us = g->since_us;
	return g->person->name;
}

const char *
sightings_now(const struct sightings *s, const uint8_t addr[16])
{
	const struct sighting *g = find(s, addr, NULL);

	return g != NULL ? g->person->name : NULL;
}

void
sightings_of(const struct sightings *s, const char *name,
    void (*tell)(void *arg, const struct sighting_net *, bool leaving), void *arg)
{
	const struct person *p = find_person(s, name, strnlen(name, SIGHTING_NAME));
	const struct sighting *g;

	if (p == NULL)
		return;
	LIST_FOREACH(g, &p->sightings, of_person)
		if (g == TAILQ_FIRST(&g->place->sightings))
			tell(arg, &g->place->net, g->gone_us != 0);
}

unsigned
sightings_count(const struct sightings *s)
{
	return s->n;
}

/*
 * Making
 */
struct sightings *
sightings_new(const struct sightings_setup *setup)
{
	struct sightings *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->s = *setup;
	TAILQ_INIT(&s->over);
	s->places = calloc(BUCKETS, sizeof(*s->places));
	s->persons = calloc(BUCKETS, sizeof(*s->persons));
	if (s->places == NULL || s->persons == NULL) {
		sightings_free(s);
		return NULL;
	}
	return s;
}

void
sightings_free(struct sightings *s)
{
	struct place *p;
	unsigned i;

	if (s == NULL)
		return;
	s->s.forget = NULL;
	for (i = 0; s->n > 0; i++)
		while ((p = LIST_FIRST(&s->places[i])) != NULL)
			drop(s, TAILQ_FIRST(&p->sightings));
	free(s->places);
	free(s->persons);
	free(s);
}
