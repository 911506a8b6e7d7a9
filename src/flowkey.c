/* SPDX-License-Identifier: BSD-3-Clause */
/* flowkey.c -- canonical keys and their seeded hash. About 10 ns together. */
#include "flowkey.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "packet.h"

_Static_assert(sizeof(struct flowkey) == 44, "the key is hashed as bytes: no padding");

unsigned
flowkey_make(struct flowkey *key, const struct packet *pkt, unsigned parts)
{
	bool ip = parts & FLOWKEY_IP, port = parts & FLOWKEY_PORT;
	int cmp = ip ? memcmp(pkt->src, pkt->dst, sizeof(pkt->src)) : 0;
	unsigned dir;

	if (cmp == 0 && port)
		cmp = (int)pkt->sport - (int)pkt->dport;
	dir = cmp > 0;
	if (ip) {
		memcpy(key->addr[dir], pkt->src, sizeof(pkt->src));
		memcpy(key->addr[!dir], pkt->dst, sizeof(pkt->dst));
	} else
		memset(key->addr, 0, sizeof(key->addr));
	key->port[dir] = port ? pkt->sport : 0;
	key->port[!dir] = port ? pkt->dport : 0;
	key->vlan = parts & FLOWKEY_VLAN ? pkt->vlan : 0;
	key->proto = parts & FLOWKEY_PROTO ? pkt->proto : 0;
	key->ip_version = pkt->ip_version;
	key->sub = parts & FLOWKEY_TOS ? pkt->sub << 8 | pkt->tos : pkt->sub;
	return dir;
}

uint64_t
flowkey_hash(const struct flowkey *key, uint64_t seed)
{
	return XXH3_64bits_withSeed(key, sizeof(*key), seed);
}
