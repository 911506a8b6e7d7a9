/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_user.h -- users, their sessions and addresses, as RADIUS tells of them.
 * Control side: it writes user.<name>, user.ip.<addr>, user.net.<prefix>/<len> and
 * publishes user.login and user.logout.
 *
 * A session is one of (NAS, Acct-Session-Id), or, from an Access-Accept, one that the
 * first accounting of the same user with its address or its station takes over. An
 * address belongs to one session; who had it last told has it. A session ends by its
 * Stop, by its NAS's Accounting-On or -Off, when others have taken all its addresses,
 * or, least recently heard of, for want of room. What has ended is remembered, so that
 * repetitions that come late do not revive it. Packets may be told in another order than
 * they came, by two workers: what is older than what was last told of an address changes
 * nothing but what flows are told of the past.
 *
 * Bounds: so many sessions as radius_users_new() is told and 4,096 ended ones and addresses left, of some
 * 500 bytes and their texts (at most 254 each) and RADIUS_NETS + 1 addresses. A packet
 * costs a few look-ups, On and Off a step per session of the NAS.
 */
#ifndef MCPROBE_RADIUS_USER_H
#define MCPROBE_RADIUS_USER_H

#include "radius_wire.h"

#include <mcprobe/plugin.h>

struct radius_users;

/* What a packet says, and of an Access-Accept also what it was asked. Texts: ""
 * none. */
struct radius_news {
	uint64_t ts_us;
	unsigned dir;		     /* of the packet in its flow */
	const struct radius_facts *f;
	const uint8_t *sender; /* 16 bytes: who asked; the NAS if it does not say */
	const struct radius_facts *nas; /* where the NAS named itself */
	const char *user, *session, *nas_id, *calling;
};

/* NULL: no memory. GRACE_US: until keys go after a logout. */
struct radius_users *radius_users_new(uint64_t grace_us, unsigned max_sessions);
void	 radius_users_free(struct radius_users *u);

void	 radius_users_accept(struct radius_users *u, const struct mc_cloud *c,
	     const struct radius_news *n);
void	 radius_users_account(struct radius_users *u, const struct mc_cloud *c,
	     const struct radius_news *n);

/* How many sessions and addresses were given up for want of room, or of memory. */
uint64_t radius_users_evicted(const struct radius_users *u);

extern const char *const radius_channels[];

#endif
