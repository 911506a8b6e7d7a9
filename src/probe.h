/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h -- the whole probe: its configuration, workers, exporters and the control
 * thread, which is the one that calls probe_run().
 */
#ifndef MCPROBE_PROBE_H
#define MCPROBE_PROBE_H

#include "config.h"

struct probe;

/* Open the input and the sinks, drop privileges. NULL on failure, explained in the log. */
struct probe	*probe_new(const struct config *);

/* Run to the end of the input or a signal. Returns the exit status: 0, or 1 if an input
 * could not be read. */
int		 probe_run(struct probe *);
void		 probe_free(struct probe *);

#endif
