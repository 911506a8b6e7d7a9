/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ring.h -- a queue of pointers between two threads: one puts, one gets, nobody locks.
 * The size is a power of two, fixed at creation. Head and tail live on cache lines of
 * their own; each side keeps a copy of the other's and looks again only when it must.
 */
#ifndef MCPROBE_RING_H
#define MCPROBE_RING_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	alignas(64) uint32_t head; /* written by the putter */
	uint32_t tail_seen;	   /* putter's last look at tail */
	alignas(64) uint32_t tail; /* written by the getter */
	uint32_t head_seen;	   /* getter's last look at head */
	alignas(64) uint32_t mask;
	void **slot; /* mask + 1 of them, owned */
};

/* Room for SIZE pointers (rounded up to a power of two). 0, or -1: no memory. */
int	 ring_init(struct ring *, uint32_t size);
void	 ring_clear(struct ring *);

/* calloc() for objects that hold rings: it does not align them to cache lines. free()
 * takes them back. NULL: no memory. */
void	*ring_calloc(size_t n, size_t size);

/* Putter: false if full. */
static inline bool
ring_put(struct ring *r, void *p)
{
	uint32_t head = r->head;

	if (head - r->tail_seen > r->mask) {
		r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
		if (head - r->tail_seen > r->mask)
			return false;
	}
	r->slot[head & r->mask] = p;
	__atomic_store_n(&r->head, head + 1, __ATOMIC_RELEASE);
	return true;
}

/* Getter: NULL if empty. */
static inline void *
ring_get(struct ring *r)
{
	uint32_t tail = r->tail;
	void *p;

	if (tail == r->head_seen) {
		r->head_seen = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
		if (tail == r->head_seen)
			return NULL;
	}
	p = r->slot[tail & r->mask];
	__atomic_store_n(&r->tail, tail + 1, __ATOMIC_RELEASE);
	return p;
}

/* Getter: what comes N after the next, NULL if that is not there, or not known to be. */
static inline void *
ring_peek(const struct ring *r, uint32_t n)
{
	uint32_t at = r->tail + n;

	return r->head_seen - at - 1 <= r->mask ? r->slot[at & r->mask] : NULL;
}

/* How many wait; exact for neither side, good enough to decide on waking. */
static inline uint32_t
ring_count(const struct ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) -
	    __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}

/*
 * A bell between two threads: the sleeper arms it, looks at its rings once more and
 * polls the descriptor; the other rings it after a put. Costs a system call only when
 * somebody sleeps.
 */
struct bell {
	int fd;	     /* eventfd, owned; poll for reading */
	int armed;   /* 1: the sleeper wants to be woken */
};

int	 bell_init(struct bell *);
void	 bell_clear(struct bell *);
void	 bell_arm(struct bell *);
void	 bell_ring(struct bell *);
void	 bell_quiet(struct bell *); /* after waking: disarm and empty the eventfd */

#endif
