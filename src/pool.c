/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c -- slabs of objects and a list of the free ones. */
#include "pool.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_BYTES 65536 /* about; at least one object */

struct pool_slab {
	struct pool_slab *next;
	alignas(16) uint8_t bytes[];
};

void
pool_init(struct pool *p, size_t size, uint32_t max)
{
	memset(p, 0, sizeof(*p));
	p->size = (size + 15) & ~(size_t)15;
	if (p->size == 0)
		p->size = 16;
	p->max = max;
}

void
pool_clear(struct pool *p)
{
	struct pool_slab *s;

	while ((s = p->slabs) != NULL) {
		p->slabs = s->next;
		free(s);
	}
	p->free = NULL;
	p->made = p->used = 0;
}

static void
pool_grow(struct pool *p)
{
	size_t n = SLAB_BYTES / p->size, i;
	struct pool_slab *s;

	if (n == 0)
		n = 1;
	if (n > p->max - p->made)
		n = p->max - p->made;
	if (n == 0)
		return;
	s = malloc(sizeof(*s) + n * p->size);
	if (s == NULL)
		return;
	s->next = p->slabs;
	p->slabs = s;
	p->made += (uint32_t)n;
	for (i = n; i-- > 0;) {
		void *object = s->bytes + i * p->size;

		memcpy(object, &p->free, sizeof(p->free));
		p->free = object;
	}
}

void *
pool_get(struct pool *p, size_t zero)
{
	void *object;

	if (p->free == NULL)
		pool_grow(p);
	object = p->free;
	if (object == NULL)
		return NULL;
	memcpy(&p->free, object, sizeof(p->free));
	__builtin_prefetch(p->free); /* the next get reads it: it was put long ago */
	p->used++;
	memset(object, 0, zero);
	return object;
}

void
pool_put(struct pool *p, void *object)
{
	memcpy(object, &p->free, sizeof(p->free));
	p->free = object;
	p->used--;
}
