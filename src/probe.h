/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h -- the whole probe: its input, workers, exporters and control thread, which is
 * the one that calls these functions.
 */
#ifndef MCPROBE_PROBE_H
#define MCPROBE_PROBE_H

#include <stddef.h>

#include "config.h"
#include "template.h"

struct heart;
struct plugins;
struct probe;

/*
 * Open the input and the sinks and drop privileges; nothing runs yet. NULL on failure,
 * the reason in ERR. The first four arguments are borrowed for the probe's life; HEART is NULL without a supervisor.
 */
struct probe	*probe_new(const struct config *, const struct template *,
		     const struct plugins *, struct heart *, char *err, size_t errlen);

/*
 * Run to the end of the input or a signal, and print the summary. The exit status: 0, or
 * 1 if some input could not be read or the figures do not add up.
 */
int		 probe_run(struct probe *);
void		 probe_free(struct probe *);

#endif
