/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowkey.h -- what makes two packets one flow: VLAN, IP version, addresses, protocol,
 * ports, sub-flow. Stored with the lower endpoint first, so that both directions meet;
 * IPv4 as mapped IPv6, one code path for both.
 */
#ifndef MCPROBE_FLOWKEY_H
#define MCPROBE_FLOWKEY_H

#include <stdint.h>

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

uint64_t flowkey_hash(const struct flowkey *, uint64_t seed);

#endif
