/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c -- figures for people. */
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "log.h"

#define BAR_WIDTH 30

bool
report_counters(const struct counters *c, FILE *out)
{
	uint64_t in = 0, out_of = 0;
	int i;

	for (i = 0; i < COUNTER_MAX; i++) {
		const struct counter_row *row = &counter_table[i];

		if (row->kind == COUNTER_KIND_IN)
			in += c->v[i];
		if (row->kind == COUNTER_KIND_FLOW || row->kind == COUNTER_KIND_DROP)
			out_of += c->v[i];
		if (c->v[i] != 0 || row->kind == COUNTER_KIND_IN ||
		    row->kind == COUNTER_KIND_FLOW)
			fprintf(out, "%-20s %" PRIu64 "\n", row->name, c->v[i]);
	}
	return in == out_of;
}

void
report_log(const struct counters *c, uint32_t flows_alive)
{
	char line[512];
	size_t used = 0;
	int i;

	log_info("statistics: flows_alive %" PRIu32, flows_alive);
	for (i = 0; i < COUNTER_MAX; i++) {
		if (c->v[i] == 0)
			continue;
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s %" PRIu64,
		    used ? ", " : "", counter_table[i].name, c->v[i]);
		if (used > 80) {
			log_info("statistics: %s", line);
			used = 0;
		}
	}
	if (used > 0)
		log_info("statistics: %s", line);
}

void
report_progress(FILE *out, uint64_t done, uint64_t size, uint64_t packets,
    double seconds)
{
	double part = size > 0 ? (double)done / (double)size : 0;
	double rate = seconds > 0 ? (double)packets / seconds : 0;
	double left = part > 0 ? seconds / part - seconds : 0;
	char bar[BAR_WIDTH + 1];
	int full;

	if (part > 1)
		part = 1;
	full = (int)(part * BAR_WIDTH);
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t)full);
	bar[BAR_WIDTH] = '\0';
	if (size > 0)
		fprintf(out, "\r[%s] %3.0f %%  %" PRIu64 " packets  %.0f/s  %.0f s left \033[K",
		    bar, part * 100, packets, rate, left);
	else
		fprintf(out, "\r%" PRIu64 " packets  %.0f/s \033[K", packets, rate);
	fflush(out);
}
