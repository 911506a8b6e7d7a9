/* SPDX-License-Identifier: BSD-3-Clause */
/* counter.c -- the table of counters, from counters.def. */
#include "counter.h"

const struct counter_row counter_table[COUNTER_MAX] = {
#define COUNTER(id, name, kind, help) [COUNTER_##id] = {name, COUNTER_KIND_##kind, help},
#include "counters.def"
#undef COUNTER
};

void
counter_sum(struct counters *sum, const struct counters *c)
{
	int i;

	for (i = 0; i < COUNTER_MAX + COUNTER_PLUGINS; i++)
		sum->v[i] += __atomic_load_n(&c->v[i], __ATOMIC_RELAXED);
}
