/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counter.h -- named counters. Nothing is lost silently: each drop, skip, retry and
 * eviction has a row in counters.def. Every thread owns one struct counters and alone
 * writes it; others may read it at any time (each value is one aligned 64-bit word).
 */
#ifndef MCPROBE_COUNTER_H
#define MCPROBE_COUNTER_H

#include <stdint.h>

enum counter {
#define COUNTER(id, name, kind, help) COUNTER_##id,
#include "counters.def"
#undef COUNTER
	COUNTER_MAX
};

enum counter_kind {
	COUNTER_KIND_IN,
	COUNTER_KIND_FLOW,
	COUNTER_KIND_DROP,
	COUNTER_KIND_LOSS,
	COUNTER_KIND_INFO,
};

struct counter_row {
	const char *name;
	enum counter_kind kind;
	const char *help;
};

#define COUNTER_PLUGINS 64 /* of all plugins together; plugin.h knows their names */

struct counters {
	uint64_t v[COUNTER_MAX + COUNTER_PLUGINS];
};

/* COUNTER_MAX rows, indexed by enum counter. */
extern const struct counter_row counter_table[];

/* Add N to counter ID; only the owner of C may. */
static inline void
counter_add(struct counters *c, enum counter id, uint64_t n)
{
	__atomic_store_n(&c->v[id], c->v[id] + n, __ATOMIC_RELAXED);
}

static inline void
counter_inc(struct counters *c, enum counter id)
{
	counter_add(c, id, 1);
}

/* Set a high-water mark. */
static inline void
counter_max(struct counters *c, enum counter id, uint64_t n)
{
	if (n > c->v[id])
		__atomic_store_n(&c->v[id], n, __ATOMIC_RELAXED);
}

/* Read from any thread. */
static inline uint64_t
counter_get(const struct counters *c, enum counter id)
{
	return __atomic_load_n(&c->v[id], __ATOMIC_RELAXED);
}

/* SUM += C, value by value. */
void	 counter_sum(struct counters *sum, const struct counters *c);

#endif
