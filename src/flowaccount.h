/* SPDX-License-Identifier: BSD-3-Clause */
/* flowaccount.h -- what a packet adds to its flow's record. Pure. */
#ifndef MCPROBE_FLOWACCOUNT_H
#define MCPROBE_FLOWACCOUNT_H

#include "flow.h"

/* Add PKT, sent in direction DIR, to F; OCTETS is what it counts for. */
void	 flow_account(struct flow *, const struct packet *, unsigned dir, uint32_t octets);

/* Would PKT, not accounted yet, take details: segments out of order, or sent again, or MACs
 * that are not those of the way back? */
bool	 flow_needs_detail(const struct flow *, const struct packet *, unsigned dir);

/*
 * Say who is the client of F, unless a SYN has said so already: the sender of the SYN,
 * else the side whose port is no service, or the higher one; where the ports say nothing
 * (equal, or both dynamic; or to a multicast or broadcast address) the sender of the first packet, which PKT in direction DIR
 * is. NO_SWAP: the latter always.
 */
void	 flow_choose_client(struct flow *, const struct packet *, unsigned dir,
	     bool no_swap);

#endif
