/* SPDX-License-Identifier: BSD-3-Clause */
/* flowkey.c -- canonical keys and their seeded hash. About 10 ns together. */
#include "flowkey.h"

#include <endian.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "packet.h"

_Static_assert(sizeof(struct flowkey) == 44, "the key is hashed as bytes: no padding");

/* Is the source the higher endpoint, by address as memcmp() has it, then by port? */
static inline bool
is_swapped(const uint8_t *src, const uint8_t *dst, unsigned sport, unsigned dport)
{
	uint64_t a, b;

	memcpy(&a, src, 8);
	memcpy(&b, dst, 8);
	if (a == b) {
		memcpy(&a, src + 8, 8);
		memcpy(&b, dst + 8, 8);
	}
	if (a == b)
		return sport > dport;
	return be64toh(a) > be64toh(b);
}

/* With all of FLOWKEY_DEFAULT. */
static inline unsigned
make_default(struct flowkey *key, const struct packet *pkt)
{
	unsigned dir = is_swapped(pkt->src, pkt->dst, pkt->sport, pkt->dport);

	memcpy(key->addr[dir], pkt->src, sizeof(pkt->src));
	memcpy(key->addr[!dir], pkt->dst, sizeof(pkt->dst));
	key->port[dir] = pkt->sport;
	key->port[!dir] = pkt->dport;
	key->vlan = pkt->vlan;
	key->proto = pkt->proto;
	key->ip_version = pkt->ip_version;
	key->sub = pkt->sub;
	return dir;
}

unsigned
flowkey_make(struct flowkey *key, const struct packet *pkt, unsigned parts)
{
	bool ip = parts & FLOWKEY_IP, port = parts & FLOWKEY_PORT;
	unsigned dir, sport = port ? pkt->sport : 0, dport = port ? pkt->dport : 0;

	if (parts == FLOWKEY_DEFAULT)
		return make_default(key, pkt);
	dir = ip ? is_swapped(pkt->src, pkt->dst, sport, dport) : sport > dport;
	if (ip) {
		memcpy(key->addr[dir], pkt->src, sizeof(pkt->src));
		memcpy(key->addr[!dir], pkt->dst, sizeof(pkt->dst));
	} else
		memset(key->addr, 0, sizeof(key->addr));
	key->port[dir] = (uint16_t)sport;
	key->port[!dir] = (uint16_t)dport;
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

/* Each bit of N comes to matter for all. */
static inline uint64_t
stir(uint64_t n)
{
	n = (n ^ n >> 32) * 0xd6e8feb86659fd93;
	return (n ^ n >> 32) * 0xd6e8feb86659fd93;
}

static inline uint64_t
spread_end(const uint8_t addr[16], unsigned port, uint64_t seed)
{
	uint64_t a, b;

	memcpy(&a, addr, 8);
	memcpy(&b, addr + 8, 8);
	return stir((a ^ seed) * 0x9e3779b97f4a7c15 + (b ^ port));
}

uint32_t
flowkey_spread(const struct packet *pkt, unsigned parts, uint64_t seed)
{
	struct flowkey key;
	uint64_t sum;

	if (parts != FLOWKEY_DEFAULT) {
		flowkey_make(&key, pkt, parts);
		return (uint32_t)flowkey_hash(&key, seed);
	}
	seed = stir(seed + 0x9e3779b97f4a7c15); /* any number may be one */
	sum = spread_end(pkt->src, pkt->sport, seed) + spread_end(pkt->dst, pkt->dport, seed);
	return (uint32_t)(stir(sum + pkt->proto + pkt->sub) >> 32);
}
