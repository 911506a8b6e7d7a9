/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_top.c -- top lists: a sorted set per metric and minute. Minutes are of packet
 * time, which may run a thousand times faster than the clock by which keys expire, so
 * there is a second bound: TOP_MINUTES of a metric; beyond, the one that was not used
 * for longest goes if its node has got all of it, and at TOP_WAITING it goes in any
 * case.
 */
#include "cloud_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const builtin[TOP_BUILTINS] = {
    [TOP_IP_BYTES] = "ip.bytes",
    [TOP_IP_FLOWS] = "ip.flows",
    [TOP_PROTO_BYTES] = "proto.bytes",
    [TOP_PROTO_FLOWS] = "proto.flows",
    [TOP_DNS_DOMAIN] = "dns.domain",
};

static struct metric *
metric_find(struct cloud *c, const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < c->nmetrics; i++)
		if (c->metric[i].name_len == len &&
		    memcmp(c->metric[i].name, name, len) == 0)
			return &c->metric[i];
	return NULL;
}

static struct metric *
metric_make(struct cloud *c, const char *name, size_t len)
{
	struct metric *m;

	if (c->nmetrics == TOP_METRICS || len == 0 || len >= sizeof(m->name))
		return NULL;
	m = &c->metric[c->nmetrics++];
	memcpy(m->name, name, len);
	m->name[len] = '\0';
	m->name_len = len;
	m->n = 0;
	return m;
}

int
top_init(struct cloud *c)
{
	unsigned i;

	for (i = 0; i < TOP_BUILTINS; i++)
		if (metric_make(c, builtin[i], strlen(builtin[i])) == NULL)
			return -1;
	return 0;
}

struct metric *
top_metric(struct cloud *c, const char *id, size_t len, uint64_t *minute)
{
	const char *dot = memrchr(id, '.', len), *p;
	struct metric *m;
	uint64_t n = 0;

	if (dot == NULL || dot + 1 == id + len || id + len - dot > 16)
		return NULL;
	for (p = dot + 1; p < id + len; p++) {
		if (*p < '0' || *p > '9')
			return NULL;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	*minute = n;
	m = metric_find(c, id, (size_t)(dot - id));
	return m != NULL ? m : metric_make(c, id, (size_t)(dot - id));
}

static void
remove_at(struct metric *m, unsigned i)
{
	m->n--;
	memmove(&m->minute[i], &m->minute[i + 1], (m->n - i) * sizeof(m->minute[0]));
}

/* The one at I was used now. */
static void
use(struct metric *m, unsigned i)
{
	struct minute used = m->minute[i];

	if (i == m->n - 1)
		return;
	remove_at(m, i);
	m->minute[m->n++] = used;
}

/* What its node has not got is given up. */
static void
give_up(struct cloud *c, struct cloud_key *k)
{
	if (k->z != NULL)
		counter_add(c->counters, COUNTER_CLOUD_NO_ROOM, zset_waiting(k->z));
	key_unqueue(c, k);
	k->flags &= (uint8_t)~(KEY_DEL | KEY_RENEW);
	k->life = LIFE_AS_IS;
	key_drop_set(c, k);
}

/* Make room in M; its last one stays. */
static void
evict(struct cloud *c, struct metric *m)
{
	unsigned i;

	while (m->n > TOP_MINUTES) {
		for (i = 0; i < m->n - 1; i++)
			if (!(m->minute[i].key->flags & KEY_QUEUED))
				break;
		if (i == m->n - 1) {
			if (m->n <= TOP_WAITING)
				return;
			i = 0;
			give_up(c, m->minute[0].key);
		}
		key_lapse(c, m->minute[i].key); /* takes it out of M */
	}
}

void
top_enroll(struct cloud *c, struct cloud_key *k)
{
	struct metric *m;
	uint64_t minute;
	unsigned i;

	if (k->tree != &c->tree[CLOUD_TOP])
		return;
	m = top_metric(c, key_name(k) + k->tree->prefix_len,
	    k->name_len - k->tree->prefix_len, &minute);
	if (m == NULL)
		abort(); /* cloud_key() lets no other names in */
	for (i = 0; i < m->n; i++)
		if (m->minute[i].key == k) {
			use(m, i);
			return;
		}
	m->minute[m->n].key = k;
	m->minute[m->n++].minute = minute;
	evict(c, m);
}

void
top_withdraw(struct cloud *c, struct cloud_key *k)
{
	unsigned i, j;

	if (k->tree != &c->tree[CLOUD_TOP])
		return;
	for (i = 0; i < c->nmetrics; i++)
		for (j = 0; j < c->metric[i].n; j++)
			if (c->metric[i].minute[j].key == k) {
				remove_at(&c->metric[i], j);
				return;
			}
}

int
top_number(struct cloud *c, const char *metric)
{
	struct metric *m = metric_find(c, metric, strlen(metric));

	if (m == NULL)
		m = metric_make(c, metric, strlen(metric));
	return m != NULL ? (int)(m - c->metric) : -1;
}

struct cloud_key *
top_key(struct cloud *c, unsigned top, uint64_t minute)
{
	struct metric *m = &c->metric[top];
	char id[64];
	unsigned i;
	int len;

	for (i = m->n; i-- > 0;)
		if (m->minute[i].minute == minute) {
			use(m, i);
			return m->minute[m->n - 1].key;
		}
	len = snprintf(id, sizeof(id), "%s.%llu", m->name, (unsigned long long)minute);
	return cloud_key(c, CLOUD_TOP, id, (size_t)len);
}

/*
 * Sums
 */
struct sum {
	const char *name;
	size_t len;
	uint64_t sum;
};

struct sums {
	struct sum *v;
	uint32_t *slot; /* number + 1, 0: empty; MASK + 1 of them */
	uint32_t mask, n;
	uint64_t seed;
};

static void
sums_add(struct sums *s, const struct cloud_item *item)
{
	struct sum *v;
	uint32_t i;

	i = (uint32_t)XXH3_64bits_withSeed(item->name, item->name_len, s->seed) &
	    s->mask;
	for (; s->slot[i] != 0; i = (i + 1) & s->mask) {
		v = &s->v[s->slot[i] - 1];
		if (v->len == item->name_len &&
		    memcmp(v->name, item->name, v->len) == 0) {
			v->sum += (uint64_t)item->number;
			return;
		}
	}
	v = &s->v[s->n++];
	v->name = item->name;
	v->len = item->name_len;
	v->sum = (uint64_t)item->number;
	s->slot[i] = s->n;
}

/* The largest first, then by name. */
static int
sum_cmp(const void *pa, const void *pb)
{
	const struct sum *a = pa, *b = pb;
	size_t n = a->len < b->len ? a->len : b->len;
	int cmp;

	if (a->sum != b->sum)
		return a->sum > b->sum ? -1 : 1;
	cmp = memcmp(a->name, b->name, n);
	return cmp != 0 ? cmp : (int)a->len - (int)b->len;
}

/* Is minute J of M one of those that are summed? */
static bool
recent(const struct cloud *c, const struct metric *m, unsigned j, uint64_t newest)
{
	return key_seen(c, m->minute[j].key) &&
	       m->minute[j].minute + CLOUD_TOP_MINUTES > newest;
}

static void
sum_minutes(
    const struct cloud *c, const struct metric *m, uint64_t newest, struct sums *s)
{
	struct cloud_item item;
	unsigned i, j;

	for (j = 0; j < m->n; j++)
		if (recent(c, m, j, newest))
			for (i = 0; i < zset_kept(m->minute[j].key->z); i++)
				if (zset_each(m->minute[j].key->z, i, &item))
					sums_add(s, &item);
}

unsigned
cloud_top(struct cloud *c, const char *metric, struct cloud_item *items, unsigned n)
{
	struct metric *m = metric_find(c, metric, strlen(metric));
	uint64_t newest = 0;
	struct sums s = {.seed = c->setup.seed};
	unsigned j, most = 0;

	cloud_settle(c);
	if (m == NULL)
		return 0;
	for (j = 0; j < m->n; j++)
		if (key_seen(c, m->minute[j].key) && m->minute[j].minute > newest)
			newest = m->minute[j].minute;
	for (j = 0; j < m->n; j++)
		if (recent(c, m, j, newest))
			most += zset_kept(m->minute[j].key->z);
	for (s.mask = 15; s.mask < 2 * most; s.mask = 2 * s.mask + 1)
		;
	s.v = malloc((most + 1) * sizeof(*s.v));
	s.slot = calloc((size_t)s.mask + 1, sizeof(*s.slot));
	if (s.v != NULL && s.slot != NULL) {
		sum_minutes(c, m, newest, &s);
		qsort(s.v, s.n, sizeof(*s.v), sum_cmp);
		if (n > s.n)
			n = s.n;
	} else
		n = 0;
	for (j = 0; j < n; j++)
		items[j] = (struct cloud_item){.name = s.v[j].name,
		    .name_len = s.v[j].len,
		    .number = (int64_t)s.v[j].sum};
	free(s.v);
	free(s.slot);
	return n;
}
