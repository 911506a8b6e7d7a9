/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervise.h -- --supervise: a parent that reads no packet and opens no socket, but makes
 * the probe's process, and another when that crashes or hangs. It keeps the rights it was
 * started with, because each child needs them to open the interfaces; the child gives
 * them up.
 */
#ifndef MCPROBE_SUPERVISE_H
#define MCPROBE_SUPERVISE_H

#include <stdbool.h>

struct config;
struct heart;

struct supervise_setup {
	const struct config *config;
	/* in the supervisor, once: the first child has everything open */
	void (*ready)(void *arg);
	void *arg;
	unsigned look_ms; /* between looks at the threads; 0: a second. Tests have less */
};

enum supervise_role {
	SUPERVISE_FAILED = -1, /* no memory, no process */
	SUPERVISE_CHILD,	   /* go on as the probe */
	SUPERVISE_OVER,	   /* the supervisor: all is over */
};

/*
 * Before any thread, event loop or socket is made. Returns in each child with its HEART,
 * which is to be told when all is open (heart_ready()), and how often the probe was started
 * AGAIN; signals are then as they were. In the supervisor it returns at the end, with
 * the exit STATUS:
 *
 *	the child's, if it ended by itself;
 *	1 if it crashed while it was to stop, or no child could be made.
 *
 * A child that ends by a signal is replaced: three times at once, then after 1, 2, 4 ...
 * 30 seconds, from the beginning once one has lived for a minute. So is one that
 * cannot start where another could before, and one that hangs: a thread that does not get
 * on for 10 seconds.
 */
enum supervise_role supervise(const struct supervise_setup *, struct heart **heart,
		  unsigned *again, int *status);

/* In the child, when rights are given up: end with the supervisor, in order. */
void	 supervise_follow(const struct heart *);

#endif
