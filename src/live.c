/* SPDX-License-Identifier: BSD-3-Clause */
/* live.c -- walks over the flows that were touched, and answers about those alive. */
#include "live.h"

#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "worker.h"

_Static_assert(sizeof(struct flow) <= POST_MAX && sizeof(struct flowdelta) <= POST_MAX,
    "what is posted fits");

int
live_init(struct live *l, const struct live_setup *s)
{
	l->s = *s;
	if (post_init(&l->post, LIVE_POST) < 0)
		return -1;
	if (!s->cloud)
		return 0;
	l->words = (uint32_t)(((uint64_t)s->slots + 63) / 64);
	l->touched = calloc(l->words, sizeof(*l->touched));
	l->told = calloc(s->slots, sizeof(*l->told));
	return l->touched == NULL || l->told == NULL ? -1 : 0;
}

void
live_clear(struct live *l)
{
	post_clear(&l->post);
	free(l->touched);
	free(l->told);
	l->touched = NULL;
	l->told = NULL;
}

/*
 * News
 */
bool
live_post_new(struct live *l, const struct flow *f)
{
	static const struct post_head head = {POST_NEW, sizeof(struct flow), 0};
	struct flow copy;

	if (!post_has_room(&l->post, sizeof(copy)))
		return false;
	copy = *f;
	if (!(copy.flags & FLOW_FEW))
		copy.detail = NULL;
	copy.l7 = NULL;
	return post_put(&l->post, &head, &copy);
}

/*
 * What was told
 */
void
live_ended(struct live *l, const struct flow *f)
{
	const struct flow *original;

	if (l->told == NULL || !(f->flags & FLOW_CUT) || !(f->flags & FLOW_TOLD))
		return;
	original = flowtable_find(l->s.table, &f->key);
	if (original == NULL)
		return;
	l->told[f->index] = l->told[original->index];
	memset(&l->told[original->index], 0, sizeof(*l->told));
}

void
live_home(struct live *l, const struct flow *f)
{
	/* who was never told of has zeros there, maybe in a page nobody touched */
	if (l->told != NULL && (f->flags & FLOW_TOLD))
		memset(&l->told[f->index], 0, sizeof(*l->told));
}

const struct flow_told *
live_told(const struct live *l, const struct flow *f)
{
	return l->told != NULL && (f->flags & FLOW_TOLD) ? &l->told[f->index] : NULL;
}

/*
 * The walk
 */
void
live_due(struct live *l, uint64_t now_us)
{
	if (l->touched == NULL || l->walking)
		return;
	if (l->due_us == 0)
		l->due_us = now_us + l->s.interval_us;
	if (now_us < l->due_us)
		return;
	l->due_us = now_us + l->s.interval_us;
	l->walking = true;
	l->word = 0;
}

void
live_begin_last(struct live *l)
{
	l->walking = l->last = l->touched != NULL;
	l->word = 0;
}

/* Will F's name not change any more, or not soon enough to wait for it? */
static bool
live_settled(const struct live *l, const struct flow *f)
{
	return !l->s.dpi || (f->flags & FLOW_DPI_DONE) ||
	    f->packets[0] + f->packets[1] > LIVE_SETTLED;
}

enum tell {
	TELL_DONE,
	TELL_LATER, /* not settled: the bit stays */
	TELL_FULL,
};

static enum tell
live_tell(struct live *l, uint32_t slot, bool *put)
{
	static const struct post_head head = {POST_DELTA, sizeof(struct flowdelta), 0};
	struct flow *f = flowtable_slot(l->s.table, slot);
	struct flow_told *told = &l->told[slot];
	struct flowdelta d;
	unsigned i;

	if (f == NULL)
		return TELL_DONE; /* it has ended: its record tells */
	if (!live_settled(l, f)) {
		if (!l->last)
			return TELL_LATER;
		l->s.finish(l->s.arg, f);
	}
	if (!flowdelta_make(&d, f, told))
		return TELL_DONE;
	if (!post_put(&l->post, &head, &d))
		return TELL_FULL;
	for (i = 0; i < 2; i++) {
		told->packets[i] += d.packets[i];
		told->octets[i] += d.octets[i];
	}
	f->flags |= FLOW_TOLD;
	counter_inc(l->s.counters, COUNTER_DELTAS);
	*put = true;
	return TELL_DONE;
}

/* The flows of the word the walk is at. False: no room; who was told of lost its bit. */
static bool
live_word(struct live *l, bool *put)
{
	uint64_t *word = &l->touched[l->word], bits = *word;
	uint32_t bit;

	for (; bits != 0; bits &= bits - 1) {
		bit = (uint32_t)__builtin_ctzll(bits);
		switch (live_tell(l, l->word * 64 + bit, put)) {
		case TELL_DONE:
			*word &= ~(UINT64_C(1) << bit);
			break;
		case TELL_LATER:
			break;
		case TELL_FULL:
			return false;
		}
	}
	return true;
}

enum live_walk
live_slice(struct live *l, bool *put)
{
	unsigned flows = 0, seen;
	uint32_t words;

	if (!l->walking)
		return LIVE_IDLE;
	/* slots never used have no bits */
	words = (uint32_t)(((uint64_t)flowtable_slots(l->s.table) + 63) / 64);
	for (seen = 0; l->word < words; l->word++, seen++) {
		if (flows >= LIVE_SLICE || seen >= LIVE_SLICE_WORDS)
			return LIVE_GOING;
		flows += (unsigned)__builtin_popcountll(l->touched[l->word]);
		if (!live_word(l, put))
			return LIVE_FULL;
	}
	l->walking = l->last = false;
	return LIVE_IDLE;
}

/*
 * Answering
 */
void
live_rest(struct live *l, uint64_t cpu_ns)
{
	l->budget_ns = LIVE_BURST_NS;
	l->filled_ns = cpu_ns;
}

bool
live_may_answer(struct live *l, uint64_t cpu_ns)
{
	uint64_t gain = (cpu_ns - l->filled_ns) / LIVE_SHARE;

	l->filled_ns += gain * LIVE_SHARE; /* the rest counts next time */
	if (gain > LIVE_BURST_NS * 2)
		gain = LIVE_BURST_NS * 2; /* a debt is never that large */
	l->budget_ns += (int64_t)gain;
	if (l->budget_ns > LIVE_BURST_NS)
		l->budget_ns = LIVE_BURST_NS;
	return l->budget_ns > 0;
}

void
live_pay(struct live *l, uint64_t ns)
{
	l->budget_ns -= (int64_t)ns;
}

/* What a plugin has in the record of F so far. */
static void
live_fields(const struct live *l, const struct flow *f, struct worker_find *to)
{
	const struct mc_plugin *plugin = NULL;
	const void *fields = NULL;

	if (l->plugins != NULL)
		fields = plugin_flows_fields(l->plugins, f, &plugin);
	to->flow.plugin = plugin;
	to->flow.plugin_fields = fields != NULL ? to->fields : NULL;
	if (fields != NULL)
		memcpy(to->fields, fields, plugin->fields_size);
}

static void
live_find(const struct live *l, struct worker_find *q)
{
	const struct flow *f = flowtable_find(l->s.table, &q->key);
	const struct flow_detail *detail;

	q->found = f != NULL;
	if (f == NULL)
		return;
	q->flow.flow = *f;
	live_fields(l, f, q);
	detail = flow_details(f);
	if (detail != NULL) {
		memcpy(&q->flow.detail, detail, flow_detail_size(detail));
		q->flow.detail.next_free = NULL;
		q->flow.flow.detail = &q->flow.detail;
	}
	if (f->l7 != NULL) {
		memcpy(&q->flow.l7, f->l7, flow_l7_size(f->l7));
		q->flow.flow.l7 = &q->flow.l7;
	}
}

static void
live_page(const struct live *l, struct worker_page *q)
{
	uint32_t slots = flowtable_slots(l->s.table), end = slots;
	const struct flow *f;

	if (q->slot < slots && slots - q->slot > LIVE_PAGE_SLOTS)
		end = q->slot + LIVE_PAGE_SLOTS;
	for (q->n = 0; q->slot < end && q->n < ALIVE_PAGE; q->slot++) {
		f = flowtable_slot(l->s.table, q->slot);
		if (f == NULL)
			continue;
		q->name[q->n].key = f->key;
		q->name[q->n].client = (uint8_t)flow_client(f);
		q->n++;
	}
	q->more = q->slot < slots;
}

void
live_answer(const struct live *l, struct worker_command *c)
{
	switch (c->kind) {
	case WORKER_FIND:
		live_find(l, (struct worker_find *)c);
		break;
	case WORKER_PAGE:
		live_page(l, (struct worker_page *)c);
		break;
	}
	counter_inc(l->s.counters, COUNTER_QUERIES);
}
