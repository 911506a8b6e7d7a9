/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nomem.h -- memory that ends. A program linked with wrap_flags (Makefile.am) has
 * malloc() and its like of every object in it go through nomem.c, which says no when it
 * is told to; what shared libraries allocate for themselves is not touched, but for
 * libevent's after nomem_libevent().
 */
#ifndef MCPROBE_NOMEM_H
#define MCPROBE_NOMEM_H

/*
 * From now on the AT-th allocation fails (1: the next), and RUN - 1 after it; AT 0:
 * none does. Threads share the count.
 */
void		 nomem_set(unsigned long at, unsigned long run);
/* How many have failed, and how many were asked for, since nomem_set(). */
unsigned long	 nomem_failed(void);
unsigned long	 nomem_asked(void);
/* Some of what an input makes next fails: which is the input's own, HASH. */
static inline void
nomem_some(unsigned long hash)
{
	nomem_set(1 + hash % 48, hash & 1 << 20 ? 10 : 1);
}

/* libevent's too. Before anything else of it is called. */
void		 nomem_libevent(void);

#endif
