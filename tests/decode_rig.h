/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode_rig.h -- frames built in code, for the tests of the decoder. A frame is built
 * from the inside out: each put_ function prepends a header to what is there. Nearly
 * all samples carry the same TCP segment, so that one check serves every link type and
 * tunnel. Frames are decoded from memory of exactly their size.
 */
#ifndef MCPROBE_TESTS_DECODE_RIG_H
#define MCPROBE_TESTS_DECODE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode.h"
#include "frag.h"

#define ROOM 4096

struct buf {
	uint8_t room[ROOM];
	uint8_t *p; /* first byte */
	size_t n;
};

static inline void
put(struct buf *b, const void *data, size_t n)
{
	assert_true(b->p - b->room >= (ptrdiff_t)n);
	b->p -= n;
	b->n += n;
	memcpy(b->p, data, n);
}

static inline void
put16(struct buf *b, unsigned v)
{
	const uint8_t d[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(b, d, 2);
}

static inline void
put32(struct buf *b, uint32_t v)
{
	put16(b, v & 0xffff);
	put16(b, v >> 16);
}

static inline void
put_zero(struct buf *b, size_t n)
{
	static const uint8_t zero[256];

	put(b, zero, n);
}

#define PUT(b, ...) \
	put((b), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void
buf_init(struct buf *b)
{
	b->p = b->room + ROOM;
	b->n = 0;
}

/* 20 bytes of header and 8 of options: MSS 1460, window scale 7, end. */
static inline void
put_tcp(struct buf *b, unsigned sport, unsigned dport, unsigned flags)
{
	PUT(b, 2, 4, 0x05, 0xb4, 3, 3, 7, 0);
	PUT(b, 0x70, (uint8_t)flags, 0x12, 0x34, 0, 0, 0, 0);
	put32(b, 0x01020304);
	put32(b, 0xa1a2a3a4);
	put16(b, dport);
	put16(b, sport);
}

static inline void
put_udp(struct buf *b, unsigned sport, unsigned dport)
{
	put16(b, 0);
	put16(b, (unsigned)b->n + 6);
	put16(b, dport);
	put16(b, sport);
}

/* 10.NET.0.1 to 10.NET.0.2, TOS 0x2e, TTL 63. */
static inline void
put_ip4_frag(struct buf *b, unsigned net, unsigned proto, unsigned id, unsigned frag)
{
	unsigned len = (unsigned)b->n + 20;

	PUT(b, 10, (uint8_t)net, 0, 1, 10, (uint8_t)net, 0, 2);
	PUT(b, 63, (uint8_t)proto, 0, 0);
	put16(b, frag);
	put16(b, id);
	put16(b, len);
	PUT(b, 0x45, 0x2e);
}

static inline void
put_ip4(struct buf *b, unsigned net, unsigned proto)
{
	put_ip4_frag(b, net, proto, 1, 0x4000);
}

/* 2001:db8:NET::1 to ::2, traffic class 0x2e, hop limit 63. */
static inline void
put_ip6(struct buf *b, unsigned net, unsigned next)
{
	unsigned len = (unsigned)b->n;

	PUT(b, 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	PUT(b, 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	PUT(b, (uint8_t)next, 63);
	put16(b, len);
	PUT(b, 0x62, 0xe1, 0x23, 0x45);
}

static inline void
put_eth(struct buf *b, unsigned type)
{
	put16(b, type);
	PUT(b, 2, 0, 0, 0, 0, 0x0d, 2, 0, 0, 0, 0, 0x05);
}

static inline void
put_vlan(struct buf *b, unsigned id, unsigned type)
{
	put16(b, type);
	put16(b, 0xa000 | id);
}

/* LLC and SNAP before an EtherType. */
static inline void
put_snap(struct buf *b, unsigned type)
{
	put16(b, type);
	PUT(b, 0xaa, 0xaa, 3, 0, 0, 0);
}

static inline void
put_mpls(struct buf *b, uint32_t label, bool bottom)
{
	put32(b, label << 12 | 5u << 9 | (uint32_t)bottom << 8 | 64);
}

static inline void
put_gre(struct buf *b, unsigned flags, unsigned type)
{
	put16(b, type);
	put16(b, flags);
}

/* What every sample carries: 10.7.0.1:1234 > 10.7.0.2:80, "hello". */
static inline void
put_inner(struct buf *b)
{
	put(b, "hello", 5);
	put_tcp(b, 1234, 80, 0xda);
	put_ip4(b, 7, 6);
}

static inline void
put_inner_eth(struct buf *b)
{
	put_inner(b);
	put_eth(b, 0x0800);
}

/* The outer headers of a tunnel over UDP, and of one that is an IP protocol. */
static inline void
put_outer_udp(struct buf *b, unsigned port)
{
	put_udp(b, 40000, port);
	put_ip4(b, 1, 17);
	put_eth(b, 0x0800);
}

static inline void
put_outer(struct buf *b, unsigned proto)
{
	put_ip4(b, 1, proto);
	put_eth(b, 0x0800);
}

/* An 802.11 data header: frame control, durations, addresses 2:..:1 to 3, sequence. */
static inline void
put_wlan(struct buf *b, unsigned type, unsigned flags)
{
	put16(b, 0x1000);
	PUT(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3);
	PUT(b, (uint8_t)type, (uint8_t)flags, 0, 0);
}

static inline void
put_wlan_data(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_wlan(b, 0x08, 0x01);
}

/* --- one decoder for all tests --- */

struct test {
	struct counters counters;
	struct decode d;
	struct frame f;
	struct packet pkt;
};

static inline void
test_init(struct test *t, bool tunnels)
{
	memset(t, 0, sizeof(*t));
	t->d.tunnels = tunnels;
	t->d.counters = &t->counters;
	memset(&t->pkt, 0xa5, sizeof(t->pkt));
}

/* Decode CAPLEN bytes of DATA from memory of exactly that size. */
static inline enum counter
run_cut(struct test *t, unsigned link, const uint8_t *data, size_t caplen, size_t wire)
{
	uint8_t *exact = malloc(caplen);
	enum counter r;

	assert_true(exact != NULL || caplen == 0);
	if (caplen > 0)
		memcpy(exact, data, caplen);
	t->f.ts_us = 1700000000000000;
	t->f.data = exact;
	t->f.caplen = (uint32_t)caplen;
	t->f.wirelen = (uint32_t)wire;
	t->f.link = (uint16_t)link;
	t->f.port = 3;
	r = decode_frame(&t->d, &t->f, &t->pkt);
	if (r == COUNTER_FLOW_PACKETS) {
		const uint8_t *end = exact + caplen;

		/* nothing points outside; captured never exceeds what was sent */
		assert_true(t->pkt.l3 >= exact && t->pkt.l3 < end);
		assert_true(t->pkt.l3_len <= (size_t)(end - t->pkt.l3));
		assert_true((t->pkt.payload == NULL) == (t->pkt.payload_len == 0));
		if (t->pkt.payload != NULL) {
			assert_true(t->pkt.payload >= exact && t->pkt.payload < end);
			assert_true(
			    t->pkt.payload_len <= (size_t)(end - t->pkt.payload));
		}
		assert_true(t->pkt.payload_len <= t->pkt.payload_wire);
		assert_true(t->pkt.nmpls <= PACKET_MPLS_MAX);
		assert_true(t->pkt.ntunnels <= PACKET_TUNNELS_MAX);
		assert_true(t->pkt.ip_version == 4 || t->pkt.ip_version == 6);
		if (t->pkt.payload_len != t->pkt.payload_wire)
			assert_true(t->pkt.flags & PACKET_CUT);
		/* as offsets they outlive the frame */
		t->pkt.l3 = (const uint8_t *)((uintptr_t)t->pkt.l3 - (uintptr_t)exact);
		if (t->pkt.payload != NULL)
			t->pkt.payload = (const uint8_t *)((uintptr_t)t->pkt.payload -
							   (uintptr_t)exact);
	} else
		assert_int_equal(counter_table[r].kind, COUNTER_KIND_DROP);
	free(exact);
	return r;
}

static inline enum counter
run(struct test *t, unsigned link, const struct buf *b)
{
	return run_cut(t, link, b->p, b->n, b->n);
}

static inline uint64_t
count(const struct test *t, enum counter id)
{
	return counter_get(&t->counters, id);
}

static inline void
check_addr4(const uint8_t *addr, unsigned net, unsigned host)
{
	const uint8_t want[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10,
	    (uint8_t)net, 0, (uint8_t)host};

	assert_memory_equal(addr, want, 16);
}

static inline void
check_inner(const struct test *t, const char *name)
{
	const struct packet *pkt = &t->pkt;

	if (pkt->sport != 1234)
		print_error("sample: %s\n", name);
	check_addr4(pkt->src, 7, 1);
	check_addr4(pkt->dst, 7, 2);
	assert_int_equal(pkt->sport, 1234);
	assert_int_equal(pkt->dport, 80);
	assert_int_equal(pkt->ip_version, 4);
	assert_int_equal(pkt->proto, 6);
	assert_int_equal(pkt->octets, 53);
	assert_int_equal(pkt->l3_len, 53);
	assert_int_equal(pkt->payload_len, 5);
	assert_int_equal(pkt->payload_wire, 5);
	assert_int_equal(pkt->seq, 0xa1a2a3a4);
	assert_int_equal(pkt->ack, 0x01020304);
	assert_int_equal(pkt->window, 0x1234);
	assert_int_equal(pkt->tcp_flags, 0xda);
	assert_int_equal(pkt->mss, 1460);
	assert_int_equal(pkt->wscale, 7);
	assert_int_equal(pkt->tos, 0x2e);
	assert_int_equal(pkt->ttl, 63);
	assert_int_equal(pkt->icmp_type, 0);
	assert_int_equal(pkt->port, 3);
	assert_int_equal(pkt->ts_us, 1700000000000000);
	assert_int_equal(pkt->wirelen, t->f.wirelen);
	assert_int_equal(pkt->flags & ~PACKET_HAS_MAC, PACKET_HAS_TCP);
}

#endif
