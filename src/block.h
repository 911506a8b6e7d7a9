/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * block.h -- memory that frames lie in while several threads still read them. One thread
 * takes blocks, and says who uses them; any thread may drop its use. A block that nobody
 * uses is taken again. All are of one size; memory is had when one is first taken.
 */
#ifndef MCPROBE_BLOCK_H
#define MCPROBE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block {
	uint8_t *buf; /* owned by its blocks */
	unsigned users; /* atomic */
};

struct blocks;

/* At most N of SIZE octets, page-aligned. NULL: no memory. */
struct blocks	*blocks_new(unsigned n, size_t size);
/* Whoever uses one must be done. */
void		 blocks_free(struct blocks *);
/* A block nobody uses, of which the caller is the user now. NULL: all are in use, or there
 * is no memory. */
struct block	*blocks_take(struct blocks *);

/* The taker's: one user more. */
static inline void
block_use(struct block *b)
{
	__atomic_fetch_add(&b->users, 1, __ATOMIC_RELAXED);
}

/* A user has done. */
static inline void
block_drop(struct block *b)
{
	__atomic_fetch_sub(&b->users, 1, __ATOMIC_RELEASE);
}

/* The taker's: is there a user besides it? */
static inline bool
block_shared(const struct block *b)
{
	return __atomic_load_n(&b->users, __ATOMIC_ACQUIRE) > 1;
}

#endif
