/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable_pool.c -- what the table is made of: its records, which are touched when they
 * are first used, and their details, in slabs.
 */
#include "flowtable_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DETAIL_SLAB 64

/*
 * Records and details
 */
struct flow *
pool_take(struct flowtable *t)
{
	struct flow *f;
	uint32_t index, generation;

	while (t->free_head == NIL && t->touched == t->slots)
		if (!t->call.wait(t->call.arg))
			return NULL;
	if (t->free_head != NIL) {
		f = &t->pool[t->free_head];
		t->free_head = f->next;
	} else {
		f = &t->pool[t->touched];
		f->index = t->touched++;
	}
	index = f->index;
	generation = f->generation + 1;
	memset(f, 0, sizeof(*f));
	f->index = index;
	f->generation = generation;
	f->list = LIST_NONE;
	return f;
}

static struct flow_detail *
detail_get(struct flowtable *t)
{
	struct flow_detail *d;
	unsigned i, n;

	if (t->detail_free == NULL && t->nslabs < t->max_slabs) {
		struct flow_detail *slab = calloc(DETAIL_SLAB, sizeof(*slab));

		if (slab == NULL)
			return NULL;
		n = t->opt.details - t->nslabs * DETAIL_SLAB; /* the last one has fewer */
		t->slab[t->nslabs++] = slab;
		for (i = 0; i < DETAIL_SLAB && i < n; i++) {
			slab[i].next_free = t->detail_free;
			t->detail_free = &slab[i];
		}
	}
	d = t->detail_free;
	if (d != NULL) {
		t->detail_free = d->next_free;
		memset(d, 0, sizeof(*d));
	}
	return d;
}

static void
detail_put(struct flowtable *t, struct flow *f)
{
	if (f->detail == NULL)
		return;
	f->detail->next_free = t->detail_free;
	t->detail_free = f->detail;
	f->detail = NULL;
}

void
detail_take(struct flowtable *t, struct flow *f)
{
	f->detail = detail_get(t);
	if (f->detail == NULL) {
		f->detail_refused = true;
		counter_inc(t->counters, COUNTER_DETAIL_FULL);
	}
}

/* The new record's details: what belongs to the connection stays, counts start at 0. */
void
detail_restart(struct flowtable *t, struct flow *f, const struct flow_detail *old)
{
	if (old == NULL)
		return;
	detail_take(t, f);
	if (f->detail == NULL)
		return;
	f->detail->tunnel = old->tunnel;
	f->detail->has_tunnel = old->has_tunnel;
	memcpy(f->detail->mpls, old->mpls, sizeof(old->mpls));
	f->detail->nmpls = old->nmpls;
}

void
flowtable_put(struct flowtable *t, struct flow *f)
{
	detail_put(t, f);
	free(f->l7);
	f->l7 = NULL;
	f->end = FLOW_END_NONE;
	f->next = t->free_head;
	t->free_head = f->index;
	t->away--;
}

/*
 * The table
 */
struct flowtable *
flowtable_new(const struct flowtable_options *opt, const struct flowtable_calls *call,
    struct counters *counters)
{
	struct flowtable *t = calloc(1, sizeof(*t));
	uint32_t buckets = 16;
	unsigned l;

	if (t == NULL)
		return NULL;
	t->opt = *opt;
	if (t->opt.linger_us > t->opt.idle_us)
		t->opt.linger_us = t->opt.idle_us;
	t->call = *call;
	t->counters = counters;
	while ((uint64_t)buckets * 4 < opt->max)
		buckets <<= 1;
	t->mask = buckets - 1;
	t->slots = opt->max + opt->spare;
	t->free_head = NIL;
	t->serial = opt->serial_first;
	for (l = 0; l < LISTS; l++)
		wheel_init(&t->wheel[l]);
	t->max_slabs = (opt->details + DETAIL_SLAB - 1) / DETAIL_SLAB;
	t->slab = calloc(t->max_slabs + 1, sizeof(*t->slab));
	if (posix_memalign((void **)&t->buckets, 2u << 20, buckets * sizeof(*t->buckets)) != 0)
		t->buckets = NULL;
	/* pages of zeros, taken only when a record is first used */
	t->pool = mmap(NULL, t->slots * sizeof(*t->pool), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->pool == MAP_FAILED)
		t->pool = NULL;
	else
		madvise(t->pool, t->slots * sizeof(*t->pool), MADV_HUGEPAGE);
	if (t->slab == NULL || t->buckets == NULL || t->pool == NULL) {
		flowtable_free(t);
		return NULL;
	}
	madvise(t->buckets, buckets * sizeof(*t->buckets), MADV_HUGEPAGE);
	memset(t->buckets, 0, buckets * sizeof(*t->buckets));
	return t;
}

void
flowtable_set_plugins(struct flowtable *t, const struct flowtable_plugins *plugins)
{
	t->plugins = *plugins;
}

void
flowtable_free(struct flowtable *t)
{
	uint32_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->touched; i++)
		free(t->pool[i].l7);
	for (i = 0; i < t->nslabs; i++)
		free(t->slab[i]);
	free(t->slab);
	free(t->buckets);
	if (t->pool != NULL)
		munmap(t->pool, t->slots * sizeof(*t->pool));
	free(t);
}

struct flow *
flowtable_slot(const struct flowtable *t, uint32_t index)
{
	if (index >= t->touched || t->pool[index].list == LIST_NONE ||
	    t->pool[index].end != FLOW_END_NONE)
		return NULL;
	return &t->pool[index];
}

uint32_t
flowtable_slots(const struct flowtable *t)
{
	return t->touched;
}

uint32_t
flowtable_count(const struct flowtable *t)
{
	return t->alive;
}

uint32_t
flowtable_away(const struct flowtable *t)
{
	return t->away;
}

uint64_t
flowtable_clock(const struct flowtable *t)
{
	return t->clock_us;
}
