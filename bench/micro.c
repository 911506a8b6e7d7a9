/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro.c -- what the parts of the probe cost, each by itself: nanoseconds of CPU time per
 * operation, the median of many repetitions, and how far apart these were. Everything is
 * warm, so this is what an operation takes at best; run.py says what packets take.
 *
 *	micro [-t MS] [WORD ...]	benchmarks whose names contain one of the words
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "micro.h"

#define REPETITIONS 301
#define LEAST	    5

void *
micro_take(uint64_t n, uint64_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		fputs("micro: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

void
micro_check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "micro: %s\n", what);
	exit(1);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
measure(const struct micro *m, uint64_t budget_ns)
{
	double ns[REPETITIONS], median, spread;
	uint64_t spent = 0;
	unsigned n = 0, cut;
	void *state = m->begin(m->size);

	m->run(state, m->batch); /* warm */
	while (n < LEAST || (n < REPETITIONS && spent < budget_ns)) {
		uint64_t from = cpu_ns(), took;

		m->run(state, m->batch);
		took = cpu_ns() - from;
		spent += took;
		ns[n++] = (double)took / m->batch;
	}
	m->end(state);
	qsort(ns, n, sizeof(*ns), by_size);
	median = ns[n / 2];
	cut = n / 10;
	spread = (ns[n - 1 - cut] - ns[cut]) / median * 100;
	printf("| %s | %s | %.1f | %.0f %% | %u |\n", m->name, m->what, median, spread, n);
	fflush(stdout);
}

static void
measure_all(const struct micro *m, uint64_t budget_ns, char **words, int nwords)
{
	int i;

	for (; m->name != NULL; m++) {
		for (i = 0; i < nwords && strstr(m->name, words[i]) == NULL; i++)
			;
		if (nwords == 0 || i < nwords)
			measure(m, budget_ns);
	}
}

int
main(int argc, char **argv)
{
	const struct micro *const groups[] = {
	    micro_in, micro_table, micro_out, micro_cloud, micro_parse};
	uint64_t budget_ns = 300000000;
	unsigned i;

	if (argc > 1 && strcmp(argv[1], "-t") == 0 && argc > 2) {
		budget_ns = strtoull(argv[2], NULL, 10) * 1000000;
		argv += 2;
		argc -= 2;
	} else if (argc > 1 && argv[1][0] == '-') {
		fputs("usage: micro [-t MS] [WORD ...]\n", stderr);
		return 2;
	}
	puts("| benchmark | an operation is | ns | spread | repetitions |\n"
	     "|---|---|---:|---:|---:|");
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		measure_all(groups[i], budget_ns, argv + 1, argc - 1);
	return 0;
}
