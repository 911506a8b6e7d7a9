/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.h -- the probe's figures for people: the exit summary, -b and SIGUSR1, the
 * progress bar. Control thread.
 */
#ifndef MCPROBE_REPORT_H
#define MCPROBE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "counter.h"

/*
 * Every counter that is not 0, "name value" per line, in the order of counters.def. True
 * if packets in = packets in flows + each DROP; false is a bug in the probe.
 */
bool	 report_counters(const struct counters *, FILE *);

/* The same as log lines of a few figures each. */
void	 report_log(const struct counters *, uint32_t flows_alive);

/* Redraw the bar on OUT, a terminal: packets, rate, and time left. */
void	 report_progress(FILE *, uint64_t done, uint64_t size, uint64_t packets,
	     double seconds);

#endif
