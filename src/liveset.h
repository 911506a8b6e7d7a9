/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * liveset.h -- control's side of alive.h: questions become commands to the workers,
 * their answers come back here. Control thread. Bounds: WORKER_COMMANDS questions open,
 * each with a page of names or a record per worker.
 */
#ifndef MCPROBE_LIVESET_H
#define MCPROBE_LIVESET_H

#include "alive.h"

struct worker;

/*
 * About N workers; the array is borrowed for life and may be filled later: until all
 * are there nothing can be asked. NULL: no memory.
 */
struct alive	*alive_new(struct worker *const *workers, unsigned n);

/* Nobody is called back. The workers must have ended, and may be gone. */
void		 alive_free(struct alive *);

/*
 * Take what the workers have answered and call back who asked; callees may ask again.
 * Call when control's bell was rung, and once more after it was armed. True: there may
 * be more; each call takes some milliseconds at most, since workers may answer as fast
 * as the callees ask.
 */
bool		 alive_answers(struct alive *);

#endif
