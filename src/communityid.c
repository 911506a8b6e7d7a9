/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * communityid.c -- "1:" and base64 of SHA-1 over: seed (16 bits, 0), the two addresses,
 * protocol, 0, the two ports; big endian, the lower endpoint first. By the specification
 * "Community ID Flow Hashing", version 1. About a microsecond: made when asked for.
 *
 * ICMP messages that come in pairs (echo and its reply) have their type and the other's as
 * ports, and are ordered as all else; those without a counterpart have type and code, and
 * stand as they were sent.
 */
#include "communityid.h"

#include <openssl/evp.h>
#include <string.h>

#define PROTO_ICMP  1
#define PROTO_ICMP6 58
#define SEEDED	    (2 + 2 * 16 + 2 + 2 * 2)

static const uint8_t icmp4_pairs[][2] = {
    {0, 8}, {9, 10}, {13, 14}, {15, 16}, {17, 18},
};

/* RFC 2710, 4443, 4620, 4861, 6275. */
static const uint8_t icmp6_pairs[][2] = {
    {128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145},
};

static bool
counterpart(uint8_t proto, uint8_t type, uint8_t *other)
{
	const uint8_t(*pair)[2] = proto == PROTO_ICMP ? icmp4_pairs : icmp6_pairs;
	size_t n = proto == PROTO_ICMP ? sizeof(icmp4_pairs) / 2 : sizeof(icmp6_pairs) / 2;

	for (size_t i = 0; i < n; i++) {
		if (pair[i][0] != type && pair[i][1] != type)
			continue;
		*other = pair[i][0] == type ? pair[i][1] : pair[i][0];
		return true;
	}
	return false;
}

static uint8_t *
put16(uint8_t *p, uint16_t v)
{
	*p++ = (uint8_t)(v >> 8);
	*p++ = (uint8_t)v;
	return p;
}

/*
 * Ports of a flow as seen from SRC; false: one way, do not order. Which message came
 * first tells the direction of one without a counterpart.
 */
static bool
ports(const struct flow *f, unsigned *src, uint16_t port[2])
{
	const struct flowkey *key = &f->key;
	unsigned first = (f->flags & FLOW_FIRST_IS_1) ? 1 : 0;
	uint8_t other;

	if (key->proto != PROTO_ICMP && key->proto != PROTO_ICMP6) {
		*src = 0;
		port[0] = key->port[0];
		port[1] = key->port[1];
		return true;
	}
	if (f->packets[first] == 0)
		first ^= 1;
	*src = first;
	port[0] = f->icmp_type[first];
	if (counterpart(key->proto, f->icmp_type[first], &other)) {
		port[1] = other;
		return true;
	}
	port[1] = f->icmp_code[first];
	return false;
}

size_t
communityid(char *buf, const struct flow *f)
{
	const struct flowkey *key = &f->key;
	size_t alen = key->ip_version == 4 ? 4 : 16, skip = 16 - alen;
	uint8_t bytes[SEEDED], hash[EVP_MAX_MD_SIZE], *p = bytes;
	const uint8_t *a[2];
	unsigned src, hashed;
	uint16_t port[2], swap;
	bool paired = ports(f, &src, port);
	int cmp;

	a[0] = key->addr[src] + skip;
	a[1] = key->addr[!src] + skip;
	cmp = memcmp(a[0], a[1], alen);
	if (paired && (cmp > 0 || (cmp == 0 && port[0] > port[1]))) {
		a[0] = key->addr[!src] + skip;
		a[1] = key->addr[src] + skip;
		swap = port[0];
		port[0] = port[1];
		port[1] = swap;
	}
	p = put16(p, 0);
	memcpy(p, a[0], alen);
	memcpy(p + alen, a[1], alen);
	p += 2 * alen;
	*p++ = key->proto;
	*p++ = 0;
	p = put16(p, port[0]);
	p = put16(p, port[1]);
	if (EVP_Digest(bytes, (size_t)(p - bytes), hash, &hashed, EVP_sha1(), NULL) != 1)
		return 0;
	memcpy(buf, "1:", 2);
	return 2 + (size_t)EVP_EncodeBlock((uint8_t *)buf + 2, hash, (int)hashed);
}
