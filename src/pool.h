/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h -- objects of one size, taken and given back in a few instructions. Memory comes
 * in slabs when it is first needed and goes back when the pool does; there are never more
 * than MAX objects. No locks.
 */
#ifndef MCPROBE_POOL_H
#define MCPROBE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool_slab;

struct pool {
	size_t size;	     /* of an object, a multiple of 16 */
	uint32_t max, made;  /* objects */
	uint32_t used;
	void *free;	     /* list, linked through the objects' first bytes */
	struct pool_slab *slabs; /* owned */
};

/* Costs nothing yet. */
void	 pool_init(struct pool *, size_t size, uint32_t max);
void	 pool_clear(struct pool *);

/* An object, its first ZERO bytes zeros. NULL: there are MAX, or no memory. */
void	*pool_get(struct pool *, size_t zero);
void	 pool_put(struct pool *, void *);

#endif
