/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag.h -- which ports a fragmented datagram has: first fragments are remembered so
 * that later ones find their flow. Fixed size, set at creation; the oldest entry of a
 * full bucket goes (counted). One table per decoding thread; no locks. Payload is not
 * kept: fragments are counted, not reassembled.
 */
#ifndef MCPROBE_FRAG_H
#define MCPROBE_FRAG_H

#include "counter.h"
#include "packet.h"

#define FRAG_TIMEOUT_US (30 * 1000000ULL) /* RFC 791 §3.2 has 15 s, RFC 8200 §4.5 60 s */

struct frag;

/* A table for ENTRIES datagrams (rounded up to a power of two). NULL: no memory. */
struct frag	*frag_new(unsigned entries, uint64_t seed, struct counters *);
void		 frag_free(struct frag *);

/* Remember the ports and the sub-flow of PKT, a first fragment with identification ID. */
void	 frag_put(struct frag *, const struct packet *pkt, uint32_t id);

/* Give PKT, a later fragment, these. False (ports stay 0) if its first is unknown. */
bool	 frag_get(struct frag *, struct packet *pkt, uint32_t id);

#endif
