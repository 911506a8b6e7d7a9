/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro.h -- the harness of the microbenchmarks. A benchmark is a row: its state is made
 * once, then RUN does N operations, again and again; micro.c takes the time of each
 * repetition and shows the median.
 */
#ifndef MICRO_H
#define MICRO_H

#include <stdint.h>

struct micro {
	const char *name;
	const char *what;
	uint32_t size; /* how many of what the benchmark has many of */
	uint32_t batch; /* operations of one repetition */
	void *(*begin)(uint32_t size);
	void (*run)(void *state, uint32_t n);
	void (*end)(void *state);
};

/* Each ends with a row without a name. */
extern const struct micro micro_in[], micro_table[], micro_out[], micro_cloud[],
    micro_parse[];

/* Memory, zeroed, or the end. */
void	*micro_take(uint64_t n, uint64_t size);
void	 micro_check(int ok, const char *what); /* a benchmark that does not do its work */

/* A result that the compiler must not drop. */
static inline void
micro_keep(uint64_t v)
{
	__asm__ volatile("" : : "r"(v) : "memory");
}

/* Numbers that look random. */
static inline uint64_t
micro_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

#endif
