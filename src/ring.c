/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c -- memory of the rings, and the bell that wakes the other side. */
#include "ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int
ring_init(struct ring *r, uint32_t size)
{
	uint32_t n = 2;

	while (n < size && n < 1U << 31)
		n <<= 1;
	memset(r, 0, sizeof(*r));
	r->slot = calloc(n, sizeof(*r->slot));
	if (r->slot == NULL)
		return -1;
	r->mask = n - 1;
	return 0;
}

void
ring_clear(struct ring *r)
{
	free(r->slot);
	r->slot = NULL;
}

void *
ring_calloc(size_t n, size_t size)
{
	void *p;

	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	if (posix_memalign(&p, alignof(struct ring), n * size) != 0)
		return NULL;
	memset(p, 0, n * size);
	return p;
}

int
bell_init(struct bell *b)
{
	b->armed = 0;
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return b->fd < 0 ? -1 : 0;
}

void
bell_clear(struct bell *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

void
bell_arm(struct bell *b)
{
	__atomic_store_n(&b->armed, 1, __ATOMIC_RELAXED);
	/* pairs with the one in bell_ring(): ARMED is seen before the rings are looked at;
	   an acquire load of theirs could otherwise pass the store */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
bell_ring(struct bell *b)
{
	uint64_t one = 1;

	/* the fence orders the put before the look at ARMED: without it both sides could
	   miss each other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&b->armed, __ATOMIC_RELAXED))
		return;
	if (__atomic_exchange_n(&b->armed, 0, __ATOMIC_SEQ_CST)) {
		/* fails only when the counter is full: then the sleeper wakes anyway */
		ssize_t n = write(b->fd, &one, sizeof(one));
		(void)n;
	}
}

void
bell_quiet(struct bell *b)
{
	uint64_t count;
	ssize_t n;

	__atomic_store_n(&b->armed, 0, __ATOMIC_SEQ_CST);
	n = read(b->fd, &count, sizeof(count));
	(void)n;
}
