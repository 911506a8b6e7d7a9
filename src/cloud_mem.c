/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_mem.c -- memory of keys. They come and go by the hundred thousand and are met at
 * random, so they stand close together, in blocks that the system may map as huge pages:
 * half of what a cold key costs is finding its page. What was freed is used again for
 * keys of nearly its size (classes of STEP bytes); blocks go when the tree goes, all at
 * once, without a look at any key.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK (2u << 20) /* a huge page */
#define FIRST (64u << 10)
#define STEP  32

struct block {
	struct block *next;
	char pad[56]; /* keys begin at a cache line */
};

struct free_key {
	struct free_key *next;
};

static size_t
class_of(size_t size)
{
	return (size + STEP - 1) / STEP;
}

static bool
new_block(struct keymem *m)
{
	size_t size = m->blocks == NULL ? FIRST : BLOCK;
	struct block *b;

	if (posix_memalign((void **)&b, size == BLOCK ? BLOCK : 64, size) != 0)
		return false;
	if (size == BLOCK)
		(void)madvise(b, size, MADV_HUGEPAGE); /* only faster, if at all */
	b->next = m->blocks;
	m->blocks = b;
	m->at = (char *)(b + 1);
	m->left = size - sizeof(*b);
	return true;
}

void *
keymem_get(struct keymem *m, size_t size)
{
	size_t class = class_of(size);
	struct free_key *f;
	void *p;

	if (class >= KEYMEM_CLASSES)
		return malloc(size);
	f = m->free[class];
	if (f != NULL) {
		m->free[class] = f->next;
		return f;
	}
	if (m->left < class * STEP && !new_block(m)) /* the rest is too small: left */
		return NULL;
	p = m->at;
	m->at += class * STEP;
	m->left -= class * STEP;
	return p;
}

void
keymem_put(struct keymem *m, void *p, size_t size)
{
	size_t class = class_of(size);
	struct free_key *f = p;

	if (class >= KEYMEM_CLASSES) {
		free(p);
		return;
	}
	f->next = m->free[class];
	m->free[class] = f;
}

void
keymem_clear(struct keymem *m)
{
	struct block *b;

	while ((b = m->blocks) != NULL) {
		m->blocks = b->next;
		free(b);
	}
	memset(m, 0, sizeof(*m));
}
