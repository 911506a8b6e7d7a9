/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * post.h -- a one-way ring of messages between two threads, copied in and copied out: one
 * putter, one getter, no locks, memory taken once. What a worker has to tell control
 * besides ended flows goes this way (news of a flow, deltas, plugins' reports), because
 * control never looks at a flow that lives.
 */
#ifndef MCPROBE_POST_H
#define MCPROBE_POST_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POST_MAX 1280 /* bytes of one message, head excluded */

enum post_kind {
	POST_DELTA,  /* struct flowdelta */
	POST_NEW,    /* struct flow, a copy at its first packet; its pointers are NULL */
	POST_REPORT, /* a plugin's: struct flowkey, then its bytes */
};

/* What stands before every message in the ring. */
struct post_head {
	uint16_t kind;	/* enum post_kind */
	uint16_t len;	/* bytes that follow */
	uint32_t plugin; /* POST_REPORT: whose */
};

struct post {
	alignas(64) uint64_t head; /* bytes put, written by the putter */
	uint64_t tail_seen;
	alignas(64) uint64_t tail; /* bytes got, written by the getter */
	uint64_t head_seen;
	alignas(64) size_t size;   /* power of two */
	uint8_t *bytes;		   /* owned */
};

/* SIZE bytes, rounded up to a power of two. 0, or -1: no memory. */
int	 post_init(struct post *, size_t size);
void	 post_clear(struct post *);

/* Putter: room for a message of LEN bytes? And put one; false if there is no room. */
bool	 post_has_room(struct post *, size_t len);
bool	 post_put(struct post *, const struct post_head *, const void *msg);

/* Getter: copy the next one to BUF (POST_MAX bytes, aligned for any type). False: none. */
bool	 post_get(struct post *, struct post_head *, void *buf);

/*
 * Getter: look at the next one where it is, at a multiple of 8 bytes: most often in the ring,
 * else copied to BUF. NULL: none. It stays until post_next(), which the putter may wait for.
 */
const void *post_peek(struct post *, struct post_head *, void *buf);
void	 post_next(struct post *, const struct post_head *);

/* Getter: is there one? */
bool	 post_waiting(struct post *);

/* Getter: where what is put by now ends, and whether there is something before END. */
uint64_t post_end(const struct post *);
bool	 post_before(const struct post *, uint64_t end);

#endif
