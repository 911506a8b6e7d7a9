/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable_wheel.c -- flows by the tick in which they must be looked at. All is O(1),
 * but that time passes: a look at a word of bits for each 64 ticks.
 */
#include "flowtable_int.h"

#define MASK (WHEEL_TICKS - 1)

void
wheel_init(struct wheel *w)
{
	unsigned i;

	for (i = 0; i < WHEEL_TICKS; i++)
		w->list[i] = (struct wheel_list){NIL, NIL};
	w->passed = (struct wheel_list){NIL, NIL};
}

uint64_t
wheel_place(const struct flowtable *t, uint64_t due_us)
{
	uint64_t tick = wheel_tick(due_us);

	if (tick > t->tick + MASK)
		return t->tick + MASK;
	return tick < t->tick ? t->tick : tick;
}

void
wheel_insert(struct flowtable *t, struct flow *f, uint64_t due_us)
{
	unsigned at = wheel_place(t, due_us) & MASK;
	struct wheel *w = &t->wheel[f->list];

	f->tick = (uint16_t)at;
	f->prev = w->list[at].tail;
	f->next = NIL;
	if (f->prev != NIL)
		t->pool[f->prev].next = f->index;
	else
		w->list[at].head = f->index;
	w->list[at].tail = f->index;
	w->used[at / 64] |= 1ULL << at % 64;
	w->count++;
}

void
wheel_remove(struct flowtable *t, struct flow *f)
{
	struct wheel *w = &t->wheel[f->list];
	struct wheel_list *at = &w->list[f->tick];

	if (f->prev != NIL)
		t->pool[f->prev].next = f->next;
	else if (w->passed.head == f->index)
		w->passed.head = f->next;
	else
		at->head = f->next;
	if (f->next != NIL)
		t->pool[f->next].prev = f->prev;
	else if (w->passed.tail == f->index)
		w->passed.tail = f->prev;
	else
		at->tail = f->prev;
	if (at->head == NIL)
		w->used[f->tick / 64] &= ~(1ULL << f->tick % 64);
	w->count--;
}

void
wheel_move(struct flowtable *t, struct flow *f, uint64_t due_us)
{
	wheel_remove(t, f);
	wheel_insert(t, f, due_us);
}

/* How many ticks after FROM the first that is not empty lies; WHEEL_TICKS: all are. */
static unsigned
wheel_distance(const struct wheel *w, unsigned from)
{
	unsigned i, at = from / 64;
	uint64_t bits = w->used[at] & ~0ULL << from % 64;

	for (i = 0; i <= WHEEL_TICKS / 64; i++) {
		if (bits != 0)
			return (at * 64 + (unsigned)__builtin_ctzll(bits) - from) & MASK;
		at = (at + 1) % (WHEEL_TICKS / 64);
		bits = w->used[at];
	}
	return WHEEL_TICKS;
}

/* The flows of tick AT have passed: behind those that have already. */
static void
wheel_pass(struct flowtable *t, struct wheel *w, unsigned at)
{
	struct wheel_list *from = &w->list[at], *to = &w->passed;

	t->pool[from->head].prev = to->tail;
	if (to->tail != NIL)
		t->pool[to->tail].next = from->head;
	else
		to->head = from->head;
	to->tail = from->tail;
	*from = (struct wheel_list){NIL, NIL};
	w->used[at / 64] &= ~(1ULL << at % 64);
}

void
wheel_turn(struct flowtable *t, uint64_t tick)
{
	unsigned l, at = t->tick & MASK, n;

	for (l = 0; l < LISTS; l++)
		while ((n = wheel_distance(&t->wheel[l], at)) < WHEEL_TICKS &&
		    t->tick + n < tick)
			wheel_pass(t, &t->wheel[l], (at + n) & MASK);
	t->tick = tick;
}

/* F of the pool; the one behind it is fetched. */
static struct flow *
wheel_flow(const struct flowtable *t, uint32_t index)
{
	struct flow *f = &t->pool[index];

	if (f->next != NIL)
		flow_fetch(&t->pool[f->next]);
	return f;
}

struct flow *
wheel_passed(const struct flowtable *t, enum list l)
{
	uint32_t head = t->wheel[l].passed.head;

	return head != NIL ? wheel_flow(t, head) : NULL;
}

struct flow *
wheel_first(const struct flowtable *t, enum list l, uint64_t *tick)
{
	const struct wheel *w = &t->wheel[l];
	struct flow *f = wheel_passed(t, l);
	unsigned n;

	*tick = t->tick;
	if (f != NULL)
		return f;
	n = wheel_distance(w, t->tick & MASK);
	if (n == WHEEL_TICKS)
		return NULL;
	*tick += n;
	return wheel_flow(t, w->list[*tick & MASK].head);
}
