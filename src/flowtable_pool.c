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
	uint32_t index;

	while (t->free_head == NIL && t->touched == t->slots)
		if (!t->call.wait(t->call.arg))
			return NULL;
	if (t->free_head != NIL) {
		f = &t->pool[t->free_head];
		t->free_head = f->next;
	} else {
		f = &t->pool[t->touched]; /* zeros yet */
		f->index = t->touched++;
		f->list = LIST_NONE;
		return f;
	}
	index = f->index;
	memset(f, 0, sizeof(*f));
	f->index = index;
	f->list = LIST_NONE;
	return f;
}

/* The two kinds of details differ in how much of the struct there is. */
static size_t
detail_size(bool whole)
{
	return whole ? sizeof(struct flow_detail) : DETAIL_SHORT;
}

static bool
detail_slab(struct flowtable *t, struct details *p, bool whole)
{
	size_t size = detail_size(whole), i, n;
	uint8_t *slab;

	if (p->nslabs == t->max_slabs)
		return false;
	slab = calloc(DETAIL_SLAB, size);
	if (slab == NULL)
		return false;
	n = t->opt.details - p->nslabs * DETAIL_SLAB; /* the last one has fewer */
	p->slab[p->nslabs++] = slab;
	for (i = 0; i < DETAIL_SLAB && i < n; i++) {
		struct flow_detail *d = (void *)(slab + i * size);

		d->next_free = p->free;
		p->free = d;
	}
	return true;
}

static struct flow_detail *
detail_get(struct flowtable *t, bool whole)
{
	struct details *p = &t->details[whole];
	struct flow_detail *d;

	if (p->free == NULL && !detail_slab(t, p, whole))
		return NULL;
	d = p->free;
	p->free = d->next_free;
	memset(d, 0, detail_size(whole));
	d->whole = whole;
	return d;
}

static void
detail_put(struct flowtable *t, struct flow_detail *d)
{
	if (d == NULL)
		return;
	d->next_free = t->details[d->whole].free;
	t->details[d->whole].free = d;
}

void
detail_take(struct flowtable *t, struct flow *f, bool whole)
{
	struct flow_detail *d = detail_get(t, whole);
	unsigned i;

	if (d == NULL) {
		f->flags |= FLOW_DETAIL_REFUSED;
		counter_inc(t->counters, COUNTER_DETAIL_FULL);
		return;
	}
	if (f->flags & FLOW_FEW) {
		for (i = 0; i < 2; i++) {
			d->loss[i].retrans = f->few.retrans[i];
			d->loss[i].retrans_bytes = f->few.retrans_bytes[i];
		}
		f->flags &= ~(uint32_t)FLOW_FEW;
	} else if (f->detail != NULL) { /* from short to whole */
		memcpy(d, f->detail, DETAIL_SHORT);
		d->whole = whole;
		detail_put(t, f->detail);
	}
	f->detail = d;
	f->flags |= whole ? FLOW_DETAIL_WHOLE : 0;
}

/* The new record's details: what belongs to the connection stays, counts start at 0. */
void
detail_restart(struct flowtable *t, struct flow *f, const struct flow_detail *old)
{
	unsigned d;

	if (old == NULL)
		return;
	detail_take(t, f, old->whole);
	if (f->detail == NULL)
		return;
	memcpy(f->detail->mac, old->mac, sizeof(old->mac));
	f->detail->odd_mac = old->odd_mac;
	for (d = 0; d < 2; d++) {
		f->detail->loss[d] = old->loss[d];
		f->detail->loss[d].retrans = f->detail->loss[d].ooorder = 0;
		f->detail->loss[d].retrans_bytes = 0;
	}
	if (!old->whole)
		return;
	f->detail->tunnel = old->tunnel;
	f->detail->has_tunnel = old->has_tunnel;
	memcpy(f->detail->mpls, old->mpls, sizeof(old->mpls));
	f->detail->nmpls = old->nmpls;
}

void
flowtable_put(struct flowtable *t, struct flow *f)
{
	detail_put(t, flow_details(f));
	f->detail = NULL;
	if (f->l7 != NULL)
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
	unsigned l;

	if (t == NULL)
		return NULL;
	t->opt = *opt;
	if (t->opt.linger_us > t->opt.idle_us)
		t->opt.linger_us = t->opt.idle_us;
	t->call = *call;
	t->counters = counters;
	t->nbuckets = opt->max / 6 + 4;
	t->slots = opt->max + opt->spare;
	t->full = opt->max - opt->max / 10;
	t->brim = opt->max - opt->max / 32;
	t->calm = (uint32_t)((uint64_t)opt->max * 7 / 10);
	t->free_head = NIL;
	t->serial = opt->serial_first;
	for (l = 0; l < LISTS; l++)
		wheel_init(&t->wheel[l]);
	t->max_slabs = (opt->details + DETAIL_SLAB - 1) / DETAIL_SLAB;
	for (l = 0; l < 2; l++)
		t->details[l].slab = calloc(t->max_slabs + 1, sizeof(void *));
	if (posix_memalign((void **)&t->buckets, 2u << 20,
		t->nbuckets * sizeof(*t->buckets)) != 0)
		t->buckets = NULL;
	/* pages of zeros, taken only when a record is first used */
	t->pool = mmap(NULL, t->slots * sizeof(*t->pool), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->pool == MAP_FAILED)
		t->pool = NULL;
	else
		madvise(t->pool, t->slots * sizeof(*t->pool), MADV_HUGEPAGE);
	if (t->details[0].slab == NULL || t->details[1].slab == NULL || t->buckets == NULL || t->pool == NULL) {
		flowtable_free(t);
		return NULL;
	}
	madvise(t->buckets, t->nbuckets * sizeof(*t->buckets), MADV_HUGEPAGE);
	memset(t->buckets, 0, t->nbuckets * sizeof(*t->buckets));
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
	uint32_t i, l;

	if (t == NULL)
		return;
	for (i = 0; i < t->touched && !t->opt.no_l7; i++)
		free(t->pool[i].l7);
	for (l = 0; l < 2; l++) {
		for (i = 0; i < t->details[l].nslabs; i++)
			free(t->details[l].slab[i]);
		free(t->details[l].slab);
	}
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
