/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * post.c -- messages copied into a ring of bytes, and read there or copied out of it. One
 * message costs a copy and one store that the other side sees; the other side's place is
 * looked at only when what is known of it does not do. Messages begin at multiples of
 * eight bytes, so that a head is never cut by the end of the ring; what follows may be.
 *
 *	[head][message ......... pad][head][message ..   |   .. pad][head] ...
 *	^ tail                                         wrap               ^ head
 */
#include "post.h"

#include <stdlib.h>
#include <string.h>

#define POST_SIZE_MIN 4096 /* holds a message of POST_MAX */

_Static_assert(sizeof(struct post_head) == 8, "heads stand at multiples of their size");
_Static_assert(POST_SIZE_MIN >= 2 * (POST_MAX + sizeof(struct post_head)),
    "the smallest ring takes the longest message");

int
post_init(struct post *p, size_t size)
{
	size_t n = POST_SIZE_MIN;

	while (n < size && n <= SIZE_MAX / 4)
		n <<= 1;
	memset(p, 0, sizeof(*p));
	p->bytes = calloc(1, n); /* a large one is no memory before it is used */
	if (p->bytes == NULL)
		return -1;
	p->size = n;
	return 0;
}

void
post_clear(struct post *p)
{
	free(p->bytes);
	p->bytes = NULL;
	p->size = 0;
}

/* What a message of LEN bytes takes in the ring. */
static size_t
post_step(size_t len)
{
	return (sizeof(struct post_head) + len + 7) & ~(size_t)7;
}

static void
copy_in(struct post *p, uint64_t at, const void *from, size_t len)
{
	size_t pos = at & (p->size - 1), first = p->size - pos;

	if (first > len)
		first = len;
	memcpy(p->bytes + pos, from, first);
	memcpy(p->bytes, (const uint8_t *)from + first, len - first);
}

static void
copy_out(const struct post *p, uint64_t at, void *to, size_t len)
{
	size_t pos = at & (p->size - 1), first = p->size - pos;

	if (first > len)
		first = len;
	memcpy(to, p->bytes + pos, first);
	memcpy((uint8_t *)to + first, p->bytes, len - first);
}

bool
post_has_room(struct post *p, size_t len)
{
	size_t need = post_step(len);

	if (p->head - p->tail_seen + need <= p->size)
		return true;
	p->tail_seen = __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE);
	return p->head - p->tail_seen + need <= p->size;
}

bool
post_put(struct post *p, const struct post_head *head, const void *msg)
{
	if (head->len > POST_MAX)
		abort(); /* the getter's buffer has POST_MAX bytes */
	if (!post_has_room(p, head->len))
		return false;
	copy_in(p, p->head, head, sizeof(*head));
	if (head->len > 0)
		copy_in(p, p->head + sizeof(*head), msg, head->len);
	__atomic_store_n(&p->head, p->head + post_step(head->len), __ATOMIC_RELEASE);
	return true;
}

bool
post_waiting(struct post *p)
{
	if (p->tail == p->head_seen)
		p->head_seen = __atomic_load_n(&p->head, __ATOMIC_ACQUIRE);
	return p->tail != p->head_seen;
}

uint64_t
post_end(const struct post *p)
{
	return __atomic_load_n(&p->head, __ATOMIC_ACQUIRE);
}

bool
post_before(const struct post *p, uint64_t end)
{
	return (int64_t)(end - p->tail) > 0;
}

const void *
post_peek(struct post *p, struct post_head *head, void *buf)
{
	size_t pos = (p->tail + sizeof(*head)) & (p->size - 1);

	if (!post_waiting(p))
		return NULL;
	copy_out(p, p->tail, head, sizeof(*head));
	if (head->len <= p->size - pos)
		return p->bytes + pos;
	copy_out(p, p->tail + sizeof(*head), buf, head->len);
	return buf;
}

void
post_next(struct post *p, const struct post_head *head)
{
	__atomic_store_n(&p->tail, p->tail + post_step(head->len), __ATOMIC_RELEASE);
}

bool
post_get(struct post *p, struct post_head *head, void *buf)
{
	const void *msg = post_peek(p, head, buf);

	if (msg == NULL)
		return false;
	if (msg != buf)
		memcpy(buf, msg, head->len);
	post_next(p, head);
	return true;
}
