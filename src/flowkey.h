/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowkey.h -- what makes two packets one flow: VLAN, IP version, addresses, protocol,
 * ports, sub-flow. Stored with the lower endpoint first, so that both directions meet;
 * IPv4 as mapped IPv6, one code path for both.
 */
#ifndef MCPROBE_FLOWKEY_H
#define MCPROBE_FLOWKEY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct packet;

/* No padding: hashed and compared as bytes. */
struct flowkey {
	uint8_t addr[2][16]; /* endpoint 0 <= endpoint 1, by address then port */
	uint16_t port[2];    /* host order */
	uint16_t vlan;
	uint8_t proto;
	uint8_t ip_version;
	uint32_t sub; /* sub-flow: 0 unless split; the TOS with -p .../1 */
};

/* Which parts of a packet make its key: -p. */
enum flowkey_part {
	FLOWKEY_VLAN = 1 << 0,
	FLOWKEY_PROTO = 1 << 1,
	FLOWKEY_IP = 1 << 2,
	FLOWKEY_PORT = 1 << 3,
	FLOWKEY_TOS = 1 << 4,
	FLOWKEY_DEFAULT = FLOWKEY_VLAN | FLOWKEY_PROTO | FLOWKEY_IP | FLOWKEY_PORT,
};

/* Make KEY of PKT; returns the packet's direction: 0 from endpoint 0 to 1, else 1. */
unsigned flowkey_make(struct flowkey *key, const struct packet *pkt, unsigned parts);

/*
 * A number to deal PKT's flow by: the same for both directions, for all that has the same
 * key, and, with all of FLOWKEY_DEFAULT, for all VLANs; cheaper than a key and its hash.
 */
uint32_t flowkey_spread(const struct packet *pkt, unsigned parts, uint64_t seed);

/* What differs in the eight bytes from AT. */
static inline uint64_t
flowkey_differs(const struct flowkey *a, const struct flowkey *b, unsigned at)
{
	uint64_t x, y;

	memcpy(&x, (const char *)a + at, sizeof(x));
	memcpy(&y, (const char *)b + at, sizeof(y));
	return x ^ y;
}

/* memcmp() == 0, without a call or a branch. */
static inline bool
flowkey_equal(const struct flowkey *a, const struct flowkey *b)
{
	return (flowkey_differs(a, b, 0) | flowkey_differs(a, b, 8) |
	    flowkey_differs(a, b, 16) | flowkey_differs(a, b, 24) |
	    flowkey_differs(a, b, 32) | flowkey_differs(a, b, sizeof(*a) - 8)) == 0;
}

uint64_t flowkey_hash(const struct flowkey *, uint64_t seed);

#endif
