/* SPDX-License-Identifier: BSD-3-Clause */
/* t_flowkey.c -- both directions meet in one key, -p leaves parts out, the hash is seeded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowkey.h"
#include "packet.h"

#define ALL_PARTS (FLOWKEY_DEFAULT | FLOWKEY_TOS)

static void
ip4(uint8_t *addr, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	const uint8_t v[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};

	memcpy(addr, v, sizeof(v));
}

/* 10.0.0.1:40000 -> 10.0.0.2:80 in VLAN 7. */
static struct packet
packet(void)
{
	struct packet p = {.proto = 6, .ip_version = 4, .sport = 40000, .dport = 80,
		.vlan = 7, .tos = 0x28};

	ip4(p.src, 10, 0, 0, 1);
	ip4(p.dst, 10, 0, 0, 2);
	return p;
}

static struct packet
reversed(const struct packet *p)
{
	struct packet r = *p;

	memcpy(r.src, p->dst, 16);
	memcpy(r.dst, p->src, 16);
	r.sport = p->dport;
	r.dport = p->sport;
	return r;
}

/* Garbage below a key shows what flowkey_make() does not write. */
static unsigned
make(struct flowkey *key, const struct packet *p, unsigned parts)
{
	memset(key, 0xa5, sizeof(*key));
	return flowkey_make(key, p, parts);
}

static bool
same(const struct packet *a, const struct packet *b, unsigned parts)
{
	struct flowkey ka, kb;

	make(&ka, a, parts);
	make(&kb, b, parts);
	return memcmp(&ka, &kb, sizeof(ka)) == 0;
}

static void
test_members(void **state)
{
	struct packet p = packet(), r = reversed(&p);
	struct flowkey k;

	(void)state;
	assert_int_equal(make(&k, &p, FLOWKEY_DEFAULT), 0);
	assert_memory_equal(k.addr[0], p.src, 16);
	assert_memory_equal(k.addr[1], p.dst, 16);
	assert_int_equal(k.port[0], 40000);
	assert_int_equal(k.port[1], 80);
	assert_int_equal(k.vlan, 7);
	assert_int_equal(k.proto, 6);
	assert_int_equal(k.ip_version, 4);
	assert_int_equal(k.sub, 0);
	assert_int_equal(make(&k, &r, FLOWKEY_DEFAULT), 1);
	assert_memory_equal(k.addr[0], p.src, 16);
	assert_int_equal(k.port[0], 40000);
}

static void
test_equal_addresses(void **state)
{
	struct packet p = packet(), r;
	struct flowkey k;

	(void)state;
	memcpy(p.dst, p.src, 16);
	r = reversed(&p);
	assert_true(same(&p, &r, FLOWKEY_DEFAULT));
	assert_int_equal(make(&k, &p, FLOWKEY_DEFAULT), 1); /* port 40000 > 80 */
	assert_int_equal(k.port[0], 80);
	assert_int_equal(k.port[1], 40000);
	assert_int_equal(make(&k, &r, FLOWKEY_DEFAULT), 0);
	/* high ports: no sign in the comparison */
	p.sport = 65535;
	p.dport = 1;
	assert_int_equal(make(&k, &p, FLOWKEY_DEFAULT), 1);
	/* an address above 127 is not negative */
	p = packet();
	ip4(p.src, 200, 0, 0, 1);
	assert_int_equal(make(&k, &p, FLOWKEY_DEFAULT), 1);
	assert_memory_equal(k.addr[1], p.src, 16);
	assert_int_equal(k.port[1], 40000);
	/* talking to itself: one direction only, and no accident */
	p.dport = p.sport;
	memcpy(p.dst, p.src, 16);
	assert_int_equal(make(&k, &p, FLOWKEY_DEFAULT), 0);
}

/* Each part that is kept tells flows apart, each that is left out does not. */
static void
test_parts(void **state)
{
	unsigned parts;

	(void)state;
	for (parts = 0; parts <= ALL_PARTS; parts++) {
		struct packet p = packet(), q = packet();

		q.vlan++;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_VLAN));
		q = packet();
		q.proto = 17;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_PROTO));
		q = packet();
		q.src[15] = 99;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_IP));
		q = packet();
		q.dst[12] ^= 1;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_IP));
		q = packet();
		q.sport++;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_PORT));
		q = packet();
		q.dport++;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_PORT));
		q = packet();
		q.tos = 0;
		assert_int_equal(same(&p, &q, parts), !(parts & FLOWKEY_TOS));
		q = packet();
		q.ip_version = 6;
		assert_false(same(&p, &q, parts));
	}
}

/* What is no part of any key. */
static void
test_rest_is_ignored(void **state)
{
	struct packet p = packet(), q = packet();

	(void)state;
	q.ts_us = 5;
	q.seq = q.ack = 77;
	q.flags = PACKET_HAS_TCP;
	q.vlan_inner = 12;
	q.port = 3;
	q.ttl = 9;
	q.tcp_flags = TCP_FIN;
	q.icmp_type = 8;
	q.mac_src[0] = 2;
	assert_true(same(&p, &q, ALL_PARTS));
}

/* Random endpoints: one key both ways, directions opposite, endpoint 0 the lower. */
static void
test_both_directions(void **state)
{
	unsigned i, n;

	(void)state;
	srand(7);
	for (i = 0; i < 20000; i++) {
		unsigned parts = (unsigned)rand() & ALL_PARTS;
		struct packet p = packet(), r;
		struct flowkey a, b;
		unsigned da, db;
		int cmp;

		for (n = 12; n < 16; n++) {
			p.src[n] = (uint8_t)(rand() % 3 * 100);
			p.dst[n] = (uint8_t)(rand() % 3 * 100);
		}
		p.sport = (uint16_t)(rand() % 3 * 30000);
		p.dport = (uint16_t)(rand() % 3 * 30000);
		r = reversed(&p);
		da = make(&a, &p, parts);
		db = make(&b, &r, parts);
		assert_memory_equal(&a, &b, sizeof(a));
		cmp = memcmp(a.addr[0], a.addr[1], 16);
		assert_true(cmp < 0 || (cmp == 0 && a.port[0] <= a.port[1]));
		if (cmp == 0 && a.port[0] == a.port[1])
			assert_int_equal(da + db, 0);
		else
			assert_int_equal(da + db, 1);
		if (parts & FLOWKEY_IP)
			assert_memory_equal(a.addr[da], p.src, 16);
		if (parts & FLOWKEY_PORT)
			assert_int_equal(a.port[da], p.sport);
	}
}

static void
test_hash(void **state)
{
	static unsigned bucket[256];
	struct packet p = packet(), r = reversed(&p);
	struct flowkey a, b;
	uint64_t h, all = 0, any = ~0ULL;
	unsigned i;

	(void)state;
	make(&a, &p, FLOWKEY_DEFAULT);
	make(&b, &r, FLOWKEY_DEFAULT);
	assert_true(flowkey_hash(&a, 1) == flowkey_hash(&b, 1));
	assert_true(flowkey_hash(&a, 1) != flowkey_hash(&a, 2));
	b.sub = 1;
	assert_true(flowkey_hash(&a, 1) != flowkey_hash(&b, 1));
	/* consecutive ports spread over buckets and tags alike */
	for (i = 0; i < 25600; i++) {
		a.port[0] = (uint16_t)i;
		h = flowkey_hash(&a, 42);
		bucket[h & 255]++;
		all |= h;
		any &= h;
	}
	for (i = 0; i < 256; i++)
		assert_in_range(bucket[i], 50, 150);
	assert_true(all == ~0ULL && any == 0);
}

/* Packet I of a kind of traffic in which something counts up. */
static struct packet
counting(unsigned kind, unsigned i)
{
	struct packet p = packet();

	switch (kind) {
	case 0: /* clients, each from another port */
		p.src[15] = (uint8_t)i;
		p.src[14] = (uint8_t)(i >> 8);
		p.sport = (uint16_t)(i * 7);
		break;
	case 1: /* networks */
		p.src[13] = (uint8_t)(i >> 8);
		p.src[14] = (uint8_t)i;
		p.sport = p.dport = 53;
		break;
	case 2: /* ports of one client */
		p.sport = (uint16_t)i;
		break;
	case 3: /* the same ports at both ends */
		p.sport = p.dport = (uint16_t)i;
		break;
	default: /* IPv6 networks, and hosts */
		p.ip_version = 6;
		memset(p.src, 0x20, 16);
		memset(p.dst, 0x20, 16);
		memcpy(p.src + (kind == 4 ? 4 : 12), &i, sizeof(i));
	}
	return p;
}

/* What has one key is dealt to one worker, and others evenly, by whatever seed. */
static void
test_spread(void **state)
{
	static const unsigned parts[] = {FLOWKEY_DEFAULT, FLOWKEY_IP | FLOWKEY_PORT, ALL_PARTS};
	static const uint64_t seeds[] = {0, 1, 7, ~UINT64_C(0), ~UINT64_C(7), 42,
		UINT64_C(1) << 63, 0x9e3779b97f4a7c15};
	unsigned worker[3], seed, kind, k, i;

	(void)state;
	for (seed = 0; seed < sizeof(seeds) / sizeof(seeds[0]); seed++)
		for (kind = 0; kind < 6; kind++)
			for (k = 0; k < 3; k++) {
				memset(worker, 0, sizeof(worker));
				for (i = 0; i < 6000; i++) {
					struct packet p = counting(kind, i), r = reversed(&p);
					uint32_t n = flowkey_spread(&p, parts[k], seeds[seed]);

					assert_int_equal(n,
					    flowkey_spread(&r, parts[k], seeds[seed]));
					worker[n % 2]++;
					worker[2] += n % 3 == 0;
				}
				for (i = 0; i < 2; i++)
					assert_in_range(worker[i], 2700, 3300);
				assert_in_range(worker[2], 1750, 2250);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_equal_addresses),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_rest_is_ignored),
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
