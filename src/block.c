/* SPDX-License-Identifier: BSD-3-Clause */
/* block.c -- a row of blocks, taken in turn: those dropped first come first. */
#include "block.h"

#include <stdlib.h>

#define BLOCK_PAGE 4096

struct blocks {
	size_t size;
	unsigned n, next;
	struct block block[];
};

struct blocks *
blocks_new(unsigned n, size_t size)
{
	struct blocks *b = calloc(1, sizeof(*b) + n * sizeof(b->block[0]));

	if (b == NULL)
		return NULL;
	b->n = n;
	b->size = (size + BLOCK_PAGE - 1) / BLOCK_PAGE * BLOCK_PAGE;
	return b;
}

void
blocks_free(struct blocks *b)
{
	unsigned i;

	if (b == NULL)
		return;
	for (i = 0; i < b->n; i++)
		free(b->block[i].buf);
	free(b);
}

struct block *
blocks_take(struct blocks *b)
{
	unsigned i;

	for (i = 0; i < b->n; i++) {
		struct block *k = &b->block[(b->next + i) % b->n];

		if (__atomic_load_n(&k->users, __ATOMIC_ACQUIRE) > 0)
			continue;
		if (k->buf == NULL && (k->buf = aligned_alloc(BLOCK_PAGE, b->size)) == NULL)
			return NULL;
		b->next = (b->next + i + 1) % b->n;
		__atomic_store_n(&k->users, 1, __ATOMIC_RELAXED);
		return k;
	}
	return NULL;
}
