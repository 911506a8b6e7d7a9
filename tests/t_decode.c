/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_decode.c -- frames built in code, and what the decoder must say of them. A frame is
 * built from the inside out: each put_ function prepends a header to what is there.
 * Nearly all samples carry the same TCP segment, so that one check serves every link
 * type and tunnel; the samples are also cut at every byte from exact-size memory.
 */
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

static void
put(struct buf *b, const void *data, size_t n)
{
	assert_true(b->p - b->room >= (ptrdiff_t)n);
	b->p -= n;
	b->n += n;
	memcpy(b->p, data, n);
}

static void
put16(struct buf *b, unsigned v)
{
	const uint8_t d[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(b, d, 2);
}

static void
put32(struct buf *b, uint32_t v)
{
	put16(b, v & 0xffff);
	put16(b, v >> 16);
}

static void
put_zero(struct buf *b, size_t n)
{
	static const uint8_t zero[256];

	put(b, zero, n);
}

#define PUT(b, ...) \
	put((b), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void
buf_init(struct buf *b)
{
	b->p = b->room + ROOM;
	b->n = 0;
}

/* 20 bytes of header and 8 of options: MSS 1460, window scale 7, end. */
static void
put_tcp(struct buf *b, unsigned sport, unsigned dport, unsigned flags)
{
	PUT(b, 2, 4, 0x05, 0xb4, 3, 3, 7, 0);
	PUT(b, 0x70, (uint8_t)flags, 0x12, 0x34, 0, 0, 0, 0);
	put32(b, 0x01020304);
	put32(b, 0xa1a2a3a4);
	put16(b, dport);
	put16(b, sport);
}

static void
put_udp(struct buf *b, unsigned sport, unsigned dport)
{
	put16(b, 0);
	put16(b, (unsigned)b->n + 6);
	put16(b, dport);
	put16(b, sport);
}

/* 10.NET.0.1 to 10.NET.0.2, TOS 0x2e, TTL 63. */
static void
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

static void
put_ip4(struct buf *b, unsigned net, unsigned proto)
{
	put_ip4_frag(b, net, proto, 1, 0x4000);
}

/* 2001:db8:NET::1 to ::2, traffic class 0x2e, hop limit 63. */
static void
put_ip6(struct buf *b, unsigned net, unsigned next)
{
	unsigned len = (unsigned)b->n;

	PUT(b, 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	PUT(b, 0x20, 1, 0x0d, 0xb8, 0, (uint8_t)net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	PUT(b, (uint8_t)next, 63);
	put16(b, len);
	PUT(b, 0x62, 0xe1, 0x23, 0x45);
}

static void
put_eth(struct buf *b, unsigned type)
{
	put16(b, type);
	PUT(b, 2, 0, 0, 0, 0, 0x0d, 2, 0, 0, 0, 0, 0x05);
}

static void
put_vlan(struct buf *b, unsigned id, unsigned type)
{
	put16(b, type);
	put16(b, 0xa000 | id);
}

/* LLC and SNAP before an EtherType. */
static void
put_snap(struct buf *b, unsigned type)
{
	put16(b, type);
	PUT(b, 0xaa, 0xaa, 3, 0, 0, 0);
}

static void
put_mpls(struct buf *b, uint32_t label, bool bottom)
{
	put32(b, label << 12 | 5u << 9 | (uint32_t)bottom << 8 | 64);
}

static void
put_gre(struct buf *b, unsigned flags, unsigned type)
{
	put16(b, type);
	put16(b, flags);
}

/* What every sample carries: 10.7.0.1:1234 > 10.7.0.2:80, "hello". */
static void
put_inner(struct buf *b)
{
	put(b, "hello", 5);
	put_tcp(b, 1234, 80, 0xda);
	put_ip4(b, 7, 6);
}

static void
put_inner_eth(struct buf *b)
{
	put_inner(b);
	put_eth(b, 0x0800);
}

/* The outer headers of a tunnel over UDP, and of one that is an IP protocol. */
static void
put_outer_udp(struct buf *b, unsigned port)
{
	put_udp(b, 40000, port);
	put_ip4(b, 1, 17);
	put_eth(b, 0x0800);
}

static void
put_outer(struct buf *b, unsigned proto)
{
	put_ip4(b, 1, proto);
	put_eth(b, 0x0800);
}

/* An 802.11 data header: frame control, durations, addresses 2:..:1 to 3, sequence. */
static void
put_wlan(struct buf *b, unsigned type, unsigned flags)
{
	put16(b, 0x1000);
	PUT(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3);
	PUT(b, (uint8_t)type, (uint8_t)flags, 0, 0);
}

static void
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

static void
test_init(struct test *t, bool tunnels)
{
	memset(t, 0, sizeof(*t));
	t->d.tunnels = tunnels;
	t->d.counters = &t->counters;
	memset(&t->pkt, 0xa5, sizeof(t->pkt));
}

/* Decode CAPLEN bytes of DATA from memory of exactly that size. */
static enum counter
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
			assert_true(t->pkt.payload_len <= (size_t)(end - t->pkt.payload));
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

static enum counter
run(struct test *t, unsigned link, const struct buf *b)
{
	return run_cut(t, link, b->p, b->n, b->n);
}

static uint64_t
count(const struct test *t, enum counter id)
{
	return counter_get(&t->counters, id);
}

static void
check_addr4(const uint8_t *addr, unsigned net, unsigned host)
{
	const uint8_t want[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10,
	    (uint8_t)net, 0, (uint8_t)host};

	assert_memory_equal(addr, want, 16);
}

static void
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

/* --- the samples --- */

static void s_eth(struct buf *b) { put_inner_eth(b); }
static void s_vlan(struct buf *b) { put_inner(b); put_vlan(b, 100, 0x0800); put_eth(b, 0x8100); }
static void s_prio(struct buf *b) { put_inner(b); put_vlan(b, 0, 0x0800); put_eth(b, 0x8100); }
static void
s_qinq(struct buf *b)
{
	put_inner(b);
	put_vlan(b, 300, 0x0800);
	put_vlan(b, 200, 0x9100);
	put_vlan(b, 100, 0x8100);
	put_eth(b, 0x88a8);
}
static void
s_llc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_eth(b, (unsigned)b->n);
}
static void s_sap6(struct buf *b) { put_inner(b); PUT(b, 6, 6, 3); put_eth(b, 56); }
static void
s_vlan_llc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_vlan(b, 9, (unsigned)b->n);
	put_eth(b, 0x8100);
}
static void
s_isl(struct buf *b)
{
	put_inner_eth(b);
	PUT(b, 0xaa, 0xaa, 3, 0, 0, 0, 0, 0x14, 0, 0, 0, 0);
	put16(b, (unsigned)b->n);
	PUT(b, 1, 0, 0x0c, 0, 0, 0, 2, 9, 9, 9, 9, 9);
}
static void
s_itag(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0x123456);
	put_vlan(b, 50, 0x88e7);
	put_eth(b, 0x88a8);
}
static void s_vntag(struct buf *b) { put_inner(b); put16(b, 0x0800); put32(b, 0x80010002); put_eth(b, 0x8926); }
static void s_etag(struct buf *b) { put_inner(b); put16(b, 0x0800); put_zero(b, 6); put_eth(b, 0x893f); }
static void s_rtag(struct buf *b) { put_inner(b); put16(b, 0x0800); put_zero(b, 4); put_eth(b, 0xf1c1); }
static void s_hsr(struct buf *b) { put_inner(b); put16(b, 0x0800); put_zero(b, 4); put_eth(b, 0x892f); }
static void s_cmd(struct buf *b) { put_inner(b); put16(b, 0x0800); PUT(b, 1, 1, 0, 1, 0, 7); put_eth(b, 0x8909); }
static void s_macsec(struct buf *b) { put_inner(b); put16(b, 0x0800); put_zero(b, 6); put_eth(b, 0x88e5); }
static void
s_macsec_sci(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put_zero(b, 13);
	PUT(b, 0x20);
	put_eth(b, 0x88e5);
}
static void s_trill(struct buf *b) { put_inner_eth(b); put_zero(b, 8); PUT(b, 0, 0x40); put_eth(b, 0x22f3); }
static void s_fabric(struct buf *b) { put_inner_eth(b); put_zero(b, 2); put_eth(b, 0x8903); }
static void s_jumbo_llc(struct buf *b) { put_inner(b); put_snap(b, 0x0800); put_eth(b, 0x8870); }
static void s_nsh(struct buf *b) { put_inner_eth(b); put_zero(b, 4); PUT(b, 0x0f, 0xc2, 1, 3); put_eth(b, 0x894f); }
static void s_teb(struct buf *b) { put_inner_eth(b); put_eth(b, 0x6558); }
static void
s_mpls(struct buf *b)
{
	put_inner(b);
	put_mpls(b, 0x22222, true);
	put_mpls(b, 0x11111, false);
	put_eth(b, 0x8847);
}
static void s_mpls_cw(struct buf *b) { put_inner_eth(b); put_zero(b, 4); put_mpls(b, 5, true); put_eth(b, 0x8848); }
static void s_mpls_eth(struct buf *b) { put_inner_eth(b); put_mpls(b, 5, true); put_eth(b, 0x8847); }
static void
s_mpls_mac(struct buf *b, unsigned first)
{
	put_inner_eth(b);
	b->p[0] = (uint8_t)first;
	put_mpls(b, 5, true);
	put_eth(b, 0x8847);
}
static void s_mpls_mac4(struct buf *b) { s_mpls_mac(b, 0x4c); }
static void s_mpls_mac6(struct buf *b) { s_mpls_mac(b, 0x64); }
static void
s_pppoe(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0021);
	put16(b, (unsigned)b->n);
	PUT(b, 0x11, 0, 0, 7);
	put_eth(b, 0x8864);
}

static void s_null(struct buf *b) { put_inner(b); PUT(b, 2, 0, 0, 0); }
static void s_loop(struct buf *b) { put_inner(b); put32(b, 2); }
static void s_raw(struct buf *b) { put_inner(b); }
static void s_sll(struct buf *b) { put_inner(b); put16(b, 0x0800); PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0); }
static void
s_sll_vlan(struct buf *b)
{
	put_inner(b);
	put_vlan(b, 100, 0x0800);
	put16(b, 0x8100);
	PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0);
}
static void s_sll_llc(struct buf *b) { put_inner(b); put_snap(b, 0x0800); PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0, 0, 4); }
static void
s_sll2(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x08, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0);
}
static void s_ppp(struct buf *b) { put_inner(b); PUT(b, 0xff, 3, 0, 0x21); }
static void s_ppp_bare(struct buf *b) { put_inner(b); PUT(b, 0, 0x21); }
static void s_ppp_pfc(struct buf *b) { put_inner(b); PUT(b, 0x21); }
static void s_ppp_mpls(struct buf *b) { put_inner(b); put_mpls(b, 5, true); PUT(b, 2, 0x81); }
static void s_ppp_multi(struct buf *b) { put_inner(b); PUT(b, 0, 0x3d, 0xc0, 0, 0, 1, 0x21); }
static void s_ppp_bridged(struct buf *b) { put_inner_eth(b); PUT(b, 0, 0x31, 0, 1); }
static void s_ppp_ether(struct buf *b) { put_inner(b); PUT(b, 0x11, 0, 0, 7, 0, 55, 0, 0x21); }
static void s_ppp_dir(struct buf *b) { put_inner(b); PUT(b, 1, 0xff, 3, 0, 0x21); }
static void s_chdlc(struct buf *b) { put_inner(b); PUT(b, 0x0f, 0, 8, 0); }
static void s_frelay(struct buf *b) { put_inner(b); PUT(b, 0x18, 0x41, 3, 0xcc); }
static void s_frelay_snap(struct buf *b) { put_inner(b); PUT(b, 0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0); }
static void s_wlan(struct buf *b) { put_wlan_data(b); }
static void
s_wlan_wds(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	PUT(b, 2, 0, 0, 0, 0, 4);
	put_wlan(b, 0x08, 0x03);
}
static void
s_wlan_qos(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 2);
	put_wlan(b, 0x88, 0x02);
}
static void
s_wlan_htc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 6);
	put_wlan(b, 0x88, 0x81);
}
static void
s_wlan_amsdu(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put16(b, (unsigned)b->n);
	PUT(b, 2, 0, 0, 0, 0, 0x0d, 2, 0, 0, 0, 0, 0x05, 0, 0);
	memmove(b->p + 2, b->p, 12); /* addresses, then the length just put */
	b->p += 2;
	b->n -= 2;
	put16(b, 0x8000);
	put_wlan(b, 0x88, 0x01);
}
static void s_radiotap(struct buf *b) { put_wlan_data(b); PUT(b, 0, 0, 9, 0, 2, 0, 0, 0, 0x10); }
static void
s_radiotap_pad(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 4); /* QoS control and padding to 28 */
	put_wlan(b, 0x88, 0x01);
	PUT(b, 0x20);
	put_zero(b, 12); /* alignment, timestamp */
	PUT(b, 0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0);
}
static void s_ppi(struct buf *b) { put_wlan_data(b); PUT(b, 0, 0, 8, 0, 105, 0, 0, 0); }
static void s_prism(struct buf *b) { put_wlan_data(b); put_zero(b, 136); PUT(b, 0x44, 0, 0, 0, 144, 0, 0, 0); }
static void s_avs(struct buf *b) { put_wlan_data(b); put_zero(b, 56); PUT(b, 0x80, 0x21, 0x10, 1, 0, 0, 0, 64); }
static void
s_nflog(struct buf *b)
{
	put_inner(b);
	PUT(b, 57, 0, 9, 0);
	PUT(b, 6, 0, 10, 0, 'l', 'o', 0, 0);
	PUT(b, 2, 0, 0, 1);
}
static void
s_nflog_big(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 57, 0, 9);
	PUT(b, 2, 0, 0, 1);
}
static void s_fddi(struct buf *b) { put_inner(b); put_snap(b, 0x0800); PUT(b, 0x50, 2, 0, 0, 0, 0, 0x0d, 2, 0, 0, 0, 0, 5); }
static void
s_ring(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	PUT(b, 0x10, 0x40, 2, 0, 0, 0, 0, 0x0d, 0x82, 0, 0, 0, 0, 5, 4, 0x30, 0, 1);
}
static void s_atm(struct buf *b) { put_inner(b); put_snap(b, 0x0800); }
static void s_ipfc(struct buf *b) { put_inner(b); put_snap(b, 0x0800); put_zero(b, 16); }
static void s_enc(struct buf *b) { put_inner(b); PUT(b, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0); }
static void s_pflog(struct buf *b) { put_inner(b); put_zero(b, 60); PUT(b, 61, 2, 0, 0); }
static void s_ipoib(struct buf *b) { put_inner(b); put32(b, 0x08000000); put_zero(b, 40); }
static void s_pktap(struct buf *b) { put_inner_eth(b); put_zero(b, 8); PUT(b, 20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0); }

static void s_ipip(struct buf *b) { put_inner(b); put_outer(b, 4); }
static void s_4in6(struct buf *b) { put_inner(b); put_ip6(b, 1, 4); put_eth(b, 0x86dd); }
static void s_gre(struct buf *b) { put_inner(b); put_gre(b, 0, 0x0800); put_outer(b, 47); }
static void
s_gre_full(struct buf *b)
{
	put_inner(b);
	put_zero(b, 4); /* end of routing */
	PUT(b, 8, 0, 0, 4, 1, 2, 3, 4);
	put32(b, 1);	      /* sequence */
	put32(b, 0x11223344); /* key */
	put32(b, 0);	      /* checksum, offset */
	put_gre(b, 0xf000, 0x0800);
	put_outer(b, 47);
}
static void s_gre_mpls(struct buf *b) { put_inner(b); put_mpls(b, 5, true); put_gre(b, 0, 0x8847); put_outer(b, 47); }
static void s_gre_teb(struct buf *b) { put_inner_eth(b); put_gre(b, 0, 0x6558); put_outer(b, 47); }
static void s_gre_wccp(struct buf *b) { put_inner(b); put_zero(b, 4); put_gre(b, 0, 0x883e); put_outer(b, 47); }
static void s_gre_wlan(struct buf *b) { put_wlan_data(b); put_gre(b, 0, 0x8210); put_outer(b, 47); }
static void s_nvgre(struct buf *b) { put_inner_eth(b); put32(b, 0x123456ff); put_gre(b, 0x2000, 0x6558); put_outer(b, 47); }
static void
s_pptp(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x21);
	put32(b, 2);
	put32(b, 1);
	put16(b, 0x77);
	put16(b, 54);
	put_gre(b, 0x3081, 0x880b);
	put_outer(b, 47);
}
static void s_erspan1(struct buf *b) { put_inner_eth(b); put_gre(b, 0, 0x88be); put_outer(b, 47); }
static void
s_erspan2(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0);
	put32(b, 0x10050064);
	put32(b, 1);
	put_gre(b, 0x1000, 0x88be);
	put_outer(b, 47);
}
static void
s_erspan3(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 8);
	put32(b, 1); /* O: a subheader */
	put32(b, 0);
	put32(b, 0x20050064);
	put32(b, 1);
	put_gre(b, 0x1000, 0x22eb);
	put_outer(b, 47);
}
static void s_gre_udp(struct buf *b) { put_inner(b); put_gre(b, 0, 0x0800); put_outer_udp(b, 4754); }
static void
s_gtp(struct buf *b)
{
	put_inner(b);
	put32(b, 0xabcdef01);
	put16(b, 53);
	PUT(b, 0x30, 255);
	put_outer_udp(b, 2152);
}
static void
s_gtp_ext(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 1, 0x85, 1, 0, 9, 0xc0, 1, 0, 1, 0); /* N-PDU, ext 0x85, 0xc0, end */
	PUT(b, 0);
	put32(b, 0xabcdef01);
	put16(b, 65);
	PUT(b, 0x36, 255);
	put_outer_udp(b, 2152);
	/* sequence 0, N-PDU 1: the optional four bytes */
}
static void s_gtp0(struct buf *b) { put_inner(b); put_zero(b, 12); put16(b, 0x99); put_zero(b, 2); put16(b, 53); PUT(b, 0x1e, 255); put_outer_udp(b, 3386); }
static void s_gtp_eth(struct buf *b) { put_inner_eth(b); put32(b, 7); put16(b, 67); PUT(b, 0x30, 255); put_outer_udp(b, 2152); }
static void s_vxlan(struct buf *b) { put_inner_eth(b); put32(b, 0x12345600); put32(b, 0x08000000); put_outer_udp(b, 4789); }
static void s_gpe(struct buf *b) { put_inner(b); put32(b, 0x12345600); put32(b, 0x0c000001); put_outer_udp(b, 4790); }
static void
s_geneve(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0);
	put32(b, 0x00010101);
	put32(b, 0x12345600);
	put32(b, 0x02006558);
	put_outer_udp(b, 6081);
}
static void s_l2tp(struct buf *b) { put_inner(b); PUT(b, 0, 2, 0, 7, 0, 8, 0xff, 3, 0, 0x21); put_outer_udp(b, 1701); }
static void
s_l2tp_full(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 2, 'z', 'z', 0x21); /* offset of two */
	put32(b, 0x00010002);
	put32(b, 0x00070008);
	put16(b, (unsigned)b->n + 4);
	put16(b, 0x4a02);
	put_outer_udp(b, 1701);
}
static void
s_capwap(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_wlan(b, 0x01, 0x08); /* swapped */
	PUT(b, 0, 0x20, 3, 0x10, 0, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 0);
	put_outer_udp(b, 5247);
}
static void s_capwap_order(struct buf *b) { put_wlan_data(b); PUT(b, 0, 0x10, 3, 0, 0, 0, 0, 0); put_outer_udp(b, 5247); }
static void s_capwap_eth(struct buf *b) { put_inner_eth(b); PUT(b, 0, 0x10, 2, 0, 0, 0, 0, 0); put_outer_udp(b, 5247); }
static void s_etherip(struct buf *b) { put_inner_eth(b); put16(b, 0x3000); put_outer(b, 97); }
static void s_ip_eth(struct buf *b) { put_inner_eth(b); put_outer(b, 143); }
static void s_mpls_ip(struct buf *b) { put_inner(b); put_mpls(b, 5, true); put_outer(b, 137); }
static void s_mpls_udp(struct buf *b) { put_inner(b); put_mpls(b, 5, true); put_outer_udp(b, 6635); }
static void
s_ah(struct buf *b)
{
	put_inner(b);
	put_zero(b, 16);
	put32(b, 0x5050);
	PUT(b, 4, 4, 0, 0);
	put_outer(b, 51);
}
static void s_ah_gre(struct buf *b) { put_inner(b); put_gre(b, 0, 0x0800); put_zero(b, 20); PUT(b, 47, 4, 0, 0); put_outer(b, 51); }
static void s_lisp(struct buf *b) { put_inner(b); put32(b, 0x12345600); put32(b, 0x08000000); put_outer_udp(b, 4341); }
static void s_ayiya(struct buf *b) { put_inner(b); put_zero(b, 36); put32(b, 1); PUT(b, 0x44, 0x52, 0x11, 4); put_outer_udp(b, 5072); }
static void s_tzsp(struct buf *b) { put_inner_eth(b); PUT(b, 1, 0, 0, 1, 0, 10, 1, 5, 1); put_outer_udp(b, 37008); }
static void s_pim(struct buf *b) { put_inner(b); put_zero(b, 6); put16(b, 0x2100); put_outer(b, 103); }

static const struct sample {
	const char *name;
	unsigned link;
	void (*build)(struct buf *);
	enum tunnel_type tunnel;
	uint32_t id;
	unsigned vlan, vlan_inner, nmpls;
} samples[] = {
    {"ethernet", 1, s_eth, 0, 0, 0, 0, 0},
    {"vlan", 1, s_vlan, 0, 0, 100, 0, 0},
    {"priority tag", 1, s_prio, 0, 0, 0, 0, 0},
    {"three vlans", 1, s_qinq, 0, 0, 100, 300, 0},
    {"llc/snap", 1, s_llc, 0, 0, 0, 0, 0},
    {"llc sap 6", 1, s_sap6, 0, 0, 0, 0, 0},
    {"vlan, llc", 1, s_vlan_llc, 0, 0, 9, 0, 0},
    {"isl", 1, s_isl, 0, 0, 10, 0, 0},
    {"802.1ah", 1, s_itag, 0, 0, 50, 0, 0},
    {"vn-tag", 1, s_vntag, 0, 0, 0, 0, 0},
    {"e-tag", 1, s_etag, 0, 0, 0, 0, 0},
    {"r-tag", 1, s_rtag, 0, 0, 0, 0, 0},
    {"hsr", 1, s_hsr, 0, 0, 0, 0, 0},
    {"cisco metadata", 1, s_cmd, 0, 0, 0, 0, 0},
    {"macsec", 1, s_macsec, 0, 0, 0, 0, 0},
    {"macsec, sci", 1, s_macsec_sci, 0, 0, 0, 0, 0},
    {"trill", 1, s_trill, 0, 0, 0, 0, 0},
    {"fabricpath", 1, s_fabric, 0, 0, 0, 0, 0},
    {"jumbo llc", 1, s_jumbo_llc, 0, 0, 0, 0, 0},
    {"nsh", 1, s_nsh, 0, 0, 0, 0, 0},
    {"teb", 1, s_teb, 0, 0, 0, 0, 0},
    {"mpls", 1, s_mpls, 0, 0, 0, 0, 2},
    {"pseudowire", 1, s_mpls_cw, 0, 0, 0, 0, 1},
    {"pseudowire, no control word", 1, s_mpls_eth, 0, 0, 0, 0, 1},
    {"pseudowire, mac 4c:", 1, s_mpls_mac4, 0, 0, 0, 0, 1},
    {"pseudowire, mac 64:", 1, s_mpls_mac6, 0, 0, 0, 0, 1},
    {"pppoe", 1, s_pppoe, 0, 0, 0, 0, 0},
    {"null", 0, s_null, 0, 0, 0, 0, 0},
    {"null, other order", 0, s_loop, 0, 0, 0, 0, 0},
    {"loop", 108, s_loop, 0, 0, 0, 0, 0},
    {"raw", 101, s_raw, 0, 0, 0, 0, 0},
    {"raw 12", 12, s_raw, 0, 0, 0, 0, 0},
    {"raw 14", 14, s_raw, 0, 0, 0, 0, 0},
    {"ipv4", 228, s_raw, 0, 0, 0, 0, 0},
    {"sll", 113, s_sll, 0, 0, 0, 0, 0},
    {"sll, vlan", 113, s_sll_vlan, 0, 0, 100, 0, 0},
    {"sll, llc", 113, s_sll_llc, 0, 0, 0, 0, 0},
    {"sll2", 276, s_sll2, 0, 0, 0, 0, 0},
    {"ppp", 9, s_ppp, 0, 0, 0, 0, 0},
    {"ppp, no address", 9, s_ppp_bare, 0, 0, 0, 0, 0},
    {"ppp, short protocol", 9, s_ppp_pfc, 0, 0, 0, 0, 0},
    {"ppp, mpls", 9, s_ppp_mpls, 0, 0, 0, 0, 1},
    {"ppp, multilink", 9, s_ppp_multi, 0, 0, 0, 0, 0},
    {"ppp, bridged", 9, s_ppp_bridged, 0, 0, 0, 0, 0},
    {"ppp hdlc", 50, s_ppp, 0, 0, 0, 0, 0},
    {"ppp hdlc, cisco", 50, s_chdlc, 0, 0, 0, 0, 0},
    {"pppoe link", 51, s_ppp_ether, 0, 0, 0, 0, 0},
    {"ppp with direction", 204, s_ppp_dir, 0, 0, 0, 0, 0},
    {"cisco hdlc", 104, s_chdlc, 0, 0, 0, 0, 0},
    {"frame relay", 107, s_frelay, 0, 0, 0, 0, 0},
    {"frame relay, snap", 107, s_frelay_snap, 0, 0, 0, 0, 0},
    {"802.11", 105, s_wlan, 0, 0, 0, 0, 0},
    {"802.11, four addresses", 105, s_wlan_wds, 0, 0, 0, 0, 0},
    {"802.11 qos", 105, s_wlan_qos, 0, 0, 0, 0, 0},
    {"802.11 ht control", 105, s_wlan_htc, 0, 0, 0, 0, 0},
    {"802.11 a-msdu", 105, s_wlan_amsdu, 0, 0, 0, 0, 0},
    {"radiotap", 127, s_radiotap, 0, 0, 0, 0, 0},
    {"radiotap, padded", 127, s_radiotap_pad, 0, 0, 0, 0, 0},
    {"ppi", 192, s_ppi, 0, 0, 0, 0, 0},
    {"prism", 119, s_prism, 0, 0, 0, 0, 0},
    {"avs", 163, s_avs, 0, 0, 0, 0, 0},
    {"nflog", 239, s_nflog, 0, 0, 0, 0, 0},
    {"nflog, big-endian", 239, s_nflog_big, 0, 0, 0, 0, 0},
    {"fddi", 10, s_fddi, 0, 0, 0, 0, 0},
    {"token ring", 6, s_ring, 0, 0, 0, 0, 0},
    {"atm", 100, s_atm, 0, 0, 0, 0, 0},
    {"ip over fibre channel", 122, s_ipfc, 0, 0, 0, 0, 0},
    {"enc", 109, s_enc, 0, 0, 0, 0, 0},
    {"pflog", 117, s_pflog, 0, 0, 0, 0, 0},
    {"ip over infiniband", 242, s_ipoib, 0, 0, 0, 0, 0},
    {"pktap", 258, s_pktap, 0, 0, 0, 0, 0},
    {"ip in ip", 1, s_ipip, TUNNEL_IPIP, 0, 0, 0, 0},
    {"4in6", 1, s_4in6, TUNNEL_IPIP, 0, 0, 0, 0},
    {"gre", 1, s_gre, TUNNEL_GRE, 0, 0, 0, 0},
    {"gre, all fields", 1, s_gre_full, TUNNEL_GRE, 0x11223344, 0, 0, 0},
    {"gre, mpls", 1, s_gre_mpls, TUNNEL_GRE, 0, 0, 0, 1},
    {"gre, ethernet", 1, s_gre_teb, TUNNEL_GRE, 0, 0, 0, 0},
    {"gre, wccp", 1, s_gre_wccp, TUNNEL_GRE, 0, 0, 0, 0},
    {"gre, 802.11", 1, s_gre_wlan, TUNNEL_GRE, 0, 0, 0, 0},
    {"nvgre", 1, s_nvgre, TUNNEL_NVGRE, 0x123456, 0, 0, 0},
    {"pptp", 1, s_pptp, TUNNEL_GRE, 0x77, 0, 0, 0},
    {"erspan i", 1, s_erspan1, TUNNEL_ERSPAN, 0, 0, 0, 0},
    {"erspan ii", 1, s_erspan2, TUNNEL_ERSPAN, 0x64, 0, 0, 0},
    {"erspan iii", 1, s_erspan3, TUNNEL_ERSPAN, 0x64, 0, 0, 0},
    {"gre in udp", 1, s_gre_udp, TUNNEL_GRE, 0, 0, 0, 0},
    {"gtp-u", 1, s_gtp, TUNNEL_GTPU, 0xabcdef01, 0, 0, 0},
    {"gtp-u, extensions", 1, s_gtp_ext, TUNNEL_GTPU, 0xabcdef01, 0, 0, 0},
    {"gtp version 0", 1, s_gtp0, TUNNEL_GTPU, 0x99, 0, 0, 0},
    {"gtp-u, ethernet", 1, s_gtp_eth, TUNNEL_GTPU, 7, 0, 0, 0},
    {"vxlan", 1, s_vxlan, TUNNEL_VXLAN, 0x123456, 0, 0, 0},
    {"vxlan-gpe", 1, s_gpe, TUNNEL_VXLAN, 0x123456, 0, 0, 0},
    {"geneve", 1, s_geneve, TUNNEL_GENEVE, 0x123456, 0, 0, 0},
    {"l2tp", 1, s_l2tp, TUNNEL_L2TP, 0x70008, 0, 0, 0},
    {"l2tp, all fields", 1, s_l2tp_full, TUNNEL_L2TP, 0x70008, 0, 0, 0},
    {"capwap", 1, s_capwap, TUNNEL_CAPWAP, 0, 0, 0, 0},
    {"capwap, in order", 1, s_capwap_order, TUNNEL_CAPWAP, 0, 0, 0, 0},
    {"capwap, ethernet", 1, s_capwap_eth, TUNNEL_CAPWAP, 0, 0, 0, 0},
    {"etherip", 1, s_etherip, TUNNEL_ETHERIP, 0, 0, 0, 0},
    {"ethernet in ip", 1, s_ip_eth, TUNNEL_ETHERIP, 0, 0, 0, 0},
    {"mpls in ip", 1, s_mpls_ip, TUNNEL_MPLS_IP, 0, 0, 0, 1},
    {"mpls in udp", 1, s_mpls_udp, TUNNEL_MPLS_IP, 0, 0, 0, 1},
    {"ah", 1, s_ah, TUNNEL_AH, 0x5050, 0, 0, 0},
    {"ah, gre", 1, s_ah_gre, TUNNEL_GRE, 0, 0, 0, 0},
    {"lisp", 1, s_lisp, TUNNEL_LISP, 0x123456, 0, 0, 0},
    {"ayiya", 1, s_ayiya, TUNNEL_AYIYA, 0, 0, 0, 0},
    {"tzsp", 1, s_tzsp, TUNNEL_TZSP, 0, 0, 0, 0},
    {"pim register", 1, s_pim, TUNNEL_PIM, 0, 0, 0, 0},
};
#define NSAMPLES (sizeof(samples) / sizeof(samples[0]))

/* Every sample is the same packet inside, and says how it came. */
static void
test_samples(void **state)
{
	const struct sample *s;
	struct test t;
	struct buf b;

	(void)state;
	for (s = samples; s < samples + NSAMPLES; s++) {
		test_init(&t, true);
		buf_init(&b);
		s->build(&b);
		if (run(&t, s->link, &b) != COUNTER_FLOW_PACKETS)
			fail_msg("%s: not a flow", s->name);
		check_inner(&t, s->name);
		assert_int_equal(t.pkt.vlan, s->vlan);
		assert_int_equal(t.pkt.vlan_inner, s->vlan_inner);
		assert_int_equal(t.pkt.nmpls, s->nmpls);
		assert_int_equal(t.pkt.ntunnels, s->tunnel != TUNNEL_NONE);
		assert_int_equal(t.pkt.tunnel.type, s->tunnel);
		assert_int_equal(t.pkt.tunnel.id, s->id);
		assert_int_equal(count(&t, COUNTER_TUNNELED), s->tunnel != TUNNEL_NONE);
		assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 0);
		assert_true(decode_knows_link(s->link));
	}
}

/* Without --tunnel the outer flow counts, with the whole outer length. */
static void
test_outer(void **state)
{
	const struct sample *s;
	struct test t;
	struct buf b;

	(void)state;
	for (s = samples; s < samples + NSAMPLES; s++) {
		if (s->tunnel == TUNNEL_NONE)
			continue;
		test_init(&t, false);
		buf_init(&b);
		s->build(&b);
		assert_int_equal(run(&t, s->link, &b), COUNTER_FLOW_PACKETS);
		assert_int_equal(t.pkt.ntunnels, 0);
		assert_int_equal(t.pkt.octets, b.n - 14);
		if (t.pkt.ip_version == 4)
			check_addr4(t.pkt.src, 1, 1);
		assert_int_equal(t.pkt.sport, t.pkt.proto == 17 ? 40000 : 0);
		assert_int_equal(count(&t, COUNTER_TUNNELED), 0);
	}
}

/* Every sample cut at every byte: bounded, consistent, the same twice. */
static void
test_truncation(void **state)
{
	const struct sample *s;
	struct packet first;
	struct test t;
	struct buf b;
	enum counter r;
	unsigned tunnels;
	size_t n;

	(void)state;
	for (s = samples; s < samples + NSAMPLES; s++) {
		for (tunnels = 0; tunnels < 2; tunnels++) {
			buf_init(&b);
			s->build(&b);
			for (n = 0; n < b.n; n++) {
				test_init(&t, tunnels);
				r = run_cut(&t, s->link, b.p, n, b.n);
				first = t.pkt;
				memset(&t.pkt, 0x5a, sizeof(t.pkt));
				assert_int_equal(run_cut(&t, s->link, b.p, n, b.n), r);
				if (r != COUNTER_FLOW_PACKETS)
					continue;
				assert_memory_equal(&first, &t.pkt, sizeof(first));
				assert_true(t.pkt.flags & PACKET_TRUNCATED);
				assert_int_equal(t.pkt.wirelen, b.n);
			}
		}
	}
}

static void
test_macs(void **state)
{
	static const uint8_t src[6] = {2, 0, 0, 0, 0, 5}, dst[6] = {2, 0, 0, 0, 0, 0x0d};
	static const uint8_t a1[6] = {2, 0, 0, 0, 0, 1}, a2[6] = {2, 0, 0, 0, 0, 2};
	static const uint8_t a3[6] = {2, 0, 0, 0, 0, 3};
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	s_vxlan(&b);
	b.p[11] = 0x99; /* the outer source is not the inner one */
	run(&t, 1, &b);
	assert_true(t.pkt.flags & PACKET_HAS_MAC);
	assert_memory_equal(t.pkt.mac_dst, dst, 6);
	assert_int_equal(t.pkt.mac_src[5], 0x99);

	buf_init(&b);
	s_sll2(&b);
	run(&t, 276, &b);
	assert_memory_equal(t.pkt.mac_src, src, 6);

	buf_init(&b);
	s_raw(&b);
	run(&t, 101, &b);
	assert_false(t.pkt.flags & PACKET_HAS_MAC);

	buf_init(&b);
	s_wlan(&b); /* to DS: source is address 2, destination address 3 */
	run(&t, 105, &b);
	assert_memory_equal(t.pkt.mac_src, a2, 6);
	assert_memory_equal(t.pkt.mac_dst, a3, 6);
	buf_init(&b);
	s_wlan_qos(&b); /* from DS: address 3 to address 1 */
	run(&t, 105, &b);
	assert_memory_equal(t.pkt.mac_src, a3, 6);
	assert_memory_equal(t.pkt.mac_dst, a1, 6);
	buf_init(&b);
	s_wlan_amsdu(&b); /* the subframe has its own */
	run(&t, 105, &b);
	assert_memory_equal(t.pkt.mac_src, src, 6);
	assert_memory_equal(t.pkt.mac_dst, dst, 6);
}

/* The outermost tunnel is remembered, whatever is inside it. */
static void
test_tunnel_outer_fields(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put_inner(&b);
	put_gre(&b, 0, 0x0800);
	put_ip4(&b, 5, 47);
	put_eth(&b, 0x0800);
	put32(&b, 0x00007700);
	put32(&b, 0x08000000);
	put_outer_udp(&b, 4789);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	check_inner(&t, "gre in vxlan");
	assert_int_equal(t.pkt.ntunnels, 2);
	assert_int_equal(t.pkt.tunnel.type, TUNNEL_VXLAN);
	assert_int_equal(t.pkt.tunnel.id, 0x77);
	assert_int_equal(t.pkt.tunnel.ip_version, 4);
	assert_int_equal(t.pkt.tunnel.proto, 17);
	assert_int_equal(t.pkt.tunnel.sport, 40000);
	assert_int_equal(t.pkt.tunnel.dport, 4789);
	check_addr4(t.pkt.tunnel.src, 1, 1);
	check_addr4(t.pkt.tunnel.dst, 1, 2);
	assert_int_equal(count(&t, COUNTER_TUNNELED), 1);
}

static void
test_mpls_labels(void **state)
{
	struct test t;
	struct buf b;
	unsigned i;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	s_mpls(&b);
	run(&t, 1, &b);
	assert_int_equal(t.pkt.mpls[0], 0x11111 << 4 | 5 << 1);
	assert_int_equal(t.pkt.mpls[1], 0x22222 << 4 | 5 << 1 | 1);
	assert_int_equal(t.pkt.mpls[2], 0);

	/* more labels than are kept */
	buf_init(&b);
	put_inner(&b);
	for (i = 0; i < 12; i++)
		put_mpls(&b, 100 + i, i == 0);
	put_eth(&b, 0x8847);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.nmpls, PACKET_MPLS_MAX);
	assert_int_equal(t.pkt.mpls[0] >> 4, 111);
}

/* RFC 2004: addresses and protocol from its header, the rest from the outer one. */
static void
test_minimal_encapsulation(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put(&b, "hello", 5);
	put_tcp(&b, 1234, 80, 0x18);
	PUT(&b, 6, 0x80, 0, 0, 10, 7, 0, 2, 10, 7, 0, 1);
	put_outer(&b, 55);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	check_addr4(t.pkt.src, 7, 1);
	check_addr4(t.pkt.dst, 7, 2);
	assert_int_equal(t.pkt.sport, 1234);
	assert_int_equal(t.pkt.octets, 53);
	assert_int_equal(t.pkt.tunnel.type, TUNNEL_MINENC);

	buf_init(&b);
	put(&b, "hello", 5);
	put_udp(&b, 1234, 80);
	PUT(&b, 17, 0, 0, 0, 10, 7, 0, 2);
	put_outer(&b, 55);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	check_addr4(t.pkt.src, 1, 1);
	check_addr4(t.pkt.dst, 7, 2);
	assert_int_equal(t.pkt.octets, 33);
	assert_int_equal(t.pkt.payload_len, 5);
}

static void
test_teredo(void **state)
{
	struct test t;
	struct buf b;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		test_init(&t, true);
		buf_init(&b);
		put_tcp(&b, 1234, 80, 0x18);
		put_ip6(&b, 7, 6);
		if (i & 1)
			put_zero(&b, 8); /* origin indication */
		if (i & 2) {
			put_zero(&b, 14); /* 2 + 3 bytes, nonce, confirmation */
			PUT(&b, 0, 1, 2, 3);
		}
		put_outer_udp(&b, 3544);
		assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
		assert_int_equal(t.pkt.tunnel.type, TUNNEL_TEREDO);
		assert_int_equal(t.pkt.ip_version, 6);
		assert_int_equal(t.pkt.sport, 1234);
		assert_int_equal(t.pkt.octets, 68);
		b.p[b.n - 68 + 4] = 0x40; /* longer than what was sent: no Teredo */
		assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
		assert_int_equal(t.pkt.ntunnels, 0);
		assert_int_equal(t.pkt.dport, 3544);
		assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 0);
	}
}

/* What is no tunnel, or leads nowhere: the outer flow counts. */
static void
test_tunnel_back(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);

	/* GTP echo and L2TP control are what the ports are for: nothing is bad */
	buf_init(&b);
	PUT(&b, 0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0);
	put_outer_udp(&b, 2152);
	run(&t, 1, &b);
	buf_init(&b);
	PUT(&b, 0xc8, 2, 0, 12, 0, 7, 0, 0, 0, 1, 0, 2);
	put_outer_udp(&b, 1701);
	run(&t, 1, &b);
	buf_init(&b);
	PUT(&b, 0, 0x10, 2, 0x08, 0, 0, 0, 0); /* CAPWAP keepalive */
	put_outer_udp(&b, 5247);
	run(&t, 1, &b);
	buf_init(&b);
	PUT(&b, 0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 9, 0, 0, 0, 2); /* PPTP ack */
	put_outer(&b, 47);
	run(&t, 1, &b);
	assert_int_equal(t.pkt.ntunnels, 0);
	assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 0);
	assert_int_equal(count(&t, COUNTER_TUNNELED), 0);

	/* ARP in VXLAN, with a VLAN tag that must not stick to the outer packet */
	buf_init(&b);
	put_zero(&b, 28);
	put_vlan(&b, 77, 0x0806);
	put_eth(&b, 0x8100);
	put32(&b, 0x100);
	put32(&b, 0x08000000);
	put_outer_udp(&b, 4789);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.ntunnels, 0);
	assert_int_equal(t.pkt.vlan, 0);
	assert_int_equal(t.pkt.dport, 4789);
	assert_int_equal(t.pkt.octets, b.n - 14);
	assert_int_equal(t.pkt.payload_len, b.n - 14 - 28);
	assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 1);

	/* a bad IP header inside the second tunnel: the first one's flow counts */
	buf_init(&b);
	put_inner(&b);
	b.p[0] = 0x43;
	put_gre(&b, 0, 0x0800);
	put_ip4(&b, 5, 47);
	put_outer(&b, 4);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.ntunnels, 1);
	check_addr4(t.pkt.src, 5, 1);
	assert_int_equal(t.pkt.proto, 47);
	assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 2);

	/* the version is not what the protocol number says */
	buf_init(&b);
	put_inner(&b);
	put_outer(&b, 41);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.ntunnels, 0);
	assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 3);

	/* a DNS client whose port happens to be VXLAN's */
	buf_init(&b);
	put_inner_eth(&b);
	put32(&b, 0x100);
	put32(&b, 0x08000000);
	put_udp(&b, 4789, 53);
	put_ip4(&b, 1, 17);
	put_eth(&b, 0x0800);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.ntunnels, 0);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 3);
}

/* Four tunnels are followed, the fifth is counted and left alone. */
static void
test_tunnel_depth(void **state)
{
	struct test t;
	struct buf b;
	unsigned i, n;

	(void)state;
	for (n = 3; n <= 8; n++) {
		test_init(&t, true);
		buf_init(&b);
		put_inner(&b);
		for (i = 0; i < n; i++) {
			put_gre(&b, 0, 0x0800);
			put_ip4(&b, 100 + n - i, 47); /* outermost: 101 */
		}
		put_eth(&b, 0x0800);
		assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
		assert_int_equal(t.pkt.ntunnels, n < 4 ? n : 4);
		assert_int_equal(count(&t, COUNTER_TUNNEL_DEPTH), n > 4);
		assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 0);
		if (n <= 4)
			check_inner(&t, "nested gre");
		else
			check_addr4(t.pkt.src, 105, 1);
		check_addr4(t.pkt.tunnel.src, 101, 1);
	}
}

/* 16 headers before IP, and no more: tags, labels, both. */
static void
test_layers(void **state)
{
	struct test t;
	struct buf b;
	unsigned i, n;

	(void)state;
	for (n = 12; n < 20; n++) {
		/* Ethernet and IP are two of the sixteen */
		test_init(&t, true);
		buf_init(&b);
		put_inner(&b);
		for (i = 0; i < n; i++)
			put_vlan(&b, 1 + i, i == 0 ? 0x0800 : 0x8100);
		put_eth(&b, 0x8100);
		assert_int_equal(run(&t, 1, &b),
		    n <= 14 ? COUNTER_FLOW_PACKETS : COUNTER_DROP_DEPTH);
	}
	test_init(&t, true);
	buf_init(&b);
	for (i = 0; i < 300; i++)
		put_mpls(&b, i, false); /* a stack without a bottom */
	put_eth(&b, 0x8847);
	assert_int_equal(run(&t, 1, &b), COUNTER_DROP_DEPTH);

	buf_init(&b);
	for (i = 0; i < 100; i++)
		PUT(&b, 0, 0, 8, 0, 192, 0, 0, 0); /* PPI in PPI */
	assert_int_equal(run(&t, 192, &b), COUNTER_DROP_DEPTH);
	buf_init(&b);
	for (i = 0; i < 100; i++)
		put_eth(&b, 0x6558);
	assert_int_equal(run(&t, 1, &b), COUNTER_DROP_DEPTH);
}

static void
test_ip6(void **state)
{
	static const uint8_t src[16] = {0x20, 1, 0x0d, 0xb8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put(&b, "hello", 5);
	put_udp(&b, 1234, 53);
	put_ip6(&b, 7, 17);
	put_eth(&b, 0x86dd);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.ip_version, 6);
	assert_memory_equal(t.pkt.src, src, 16);
	assert_int_equal(t.pkt.dst[15], 2);
	assert_int_equal(t.pkt.octets, 53);
	assert_int_equal(t.pkt.tos, 0x2e);
	assert_int_equal(t.pkt.ttl, 63);
	assert_int_equal(t.pkt.proto, 17);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(t.pkt.payload_len, 5);
	assert_int_equal(t.pkt.wscale, 0xff);

	/* as every link type that can say IPv6 */
	b.p += 14;
	b.n -= 14;
	assert_int_equal(run(&t, 229, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	PUT(&b, 30, 0, 0, 0);
	assert_int_equal(run(&t, 0, &b), COUNTER_FLOW_PACKETS);
	b.p[0] = 10;
	assert_int_equal(run(&t, 0, &b), COUNTER_FLOW_PACKETS);
	b.p[0] = 24;
	assert_int_equal(run(&t, 0, &b), COUNTER_FLOW_PACKETS);
	b.p[0] = 28;
	assert_int_equal(run(&t, 0, &b), COUNTER_FLOW_PACKETS);
	b.p += 4;
	b.n -= 4;
	PUT(&b, 0x57);
	assert_int_equal(run(&t, 9, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.dport, 53);
}

static void
test_ip6_extensions(void **state)
{
	struct test t;
	struct buf b;
	unsigned i;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put_udp(&b, 1234, 53);
	PUT(&b, 17, 0, 1, 4, 0, 0, 0, 0);			  /* 140 */
	PUT(&b, 140, 0, 1, 4, 0, 0, 0, 0);			  /* 60 */
	PUT(&b, 60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* 43 */
	PUT(&b, 43, 0, 1, 4, 0, 0, 0, 0);			  /* 0 */
	put_ip6(&b, 7, 0);
	put_eth(&b, 0x86dd);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.proto, 17);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(t.pkt.octets, 40 + 40 + 8);

	/* no next header; a mobility header is the message itself; ESP ends the chain */
	buf_init(&b);
	put_ip6(&b, 7, 59);
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.proto, 59);
	buf_init(&b);
	PUT(&b, 59, 0, 5, 0, 0, 0, 0, 0);
	put_ip6(&b, 7, 135);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.proto, 135);
	buf_init(&b);
	PUT(&b, 6, 4, 0, 0, 0, 0, 0, 1);
	put_ip6(&b, 7, 50);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.proto, 50);
	assert_int_equal(t.pkt.payload_len, 8);
	assert_int_equal(count(&t, COUNTER_L4_SHORT), 0);

	/* the chain runs out of packet */
	buf_init(&b);
	PUT(&b, 17, 9, 1, 4, 0, 0, 0, 0);
	put_ip6(&b, 7, 60);
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.proto, 17);
	assert_int_equal(t.pkt.dport, 0);
	assert_int_equal(count(&t, COUNTER_L4_SHORT), 1);

	/* or of budget: IP is one, so fifteen extension headers may be read */
	for (i = 14; i <= 18; i++) {
		unsigned n;

		test_init(&t, true);
		buf_init(&b);
		put_udp(&b, 1234, 53);
		for (n = 0; n < i; n++)
			PUT(&b, n == 0 ? 17 : 60, 0, 1, 4, 0, 0, 0, 0);
		put_ip6(&b, 7, 60);
		assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
		assert_int_equal(t.pkt.dport, i <= 15 ? 53 : 0);
		assert_int_equal(count(&t, COUNTER_L4_BAD), i > 15);
	}
}

static void
test_ip6_jumbo(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put_zero(&b, 256);
	put_tcp(&b, 1234, 80, 0x10);
	PUT(&b, 6, 0, 0xc2, 4, 0, 2, 0, 0);
	put_ip6(&b, 7, 0);
	b.p[4] = b.p[5] = 0;
	assert_int_equal(run_cut(&t, 101, b.p, b.n, 131072 + 40), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.octets, 131072 + 40);
	assert_int_equal(t.pkt.sport, 1234);
	assert_int_equal(t.pkt.payload_len, 256);
	assert_int_equal(t.pkt.payload_wire, 131072 - 8 - 28);

	/* an option that claims a length the ordinary field could hold is none */
	b.p[40 + 5] = 0;
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.octets, 40);
	assert_int_equal(t.pkt.sport, 0);
}

/* What is behind the datagram is not payload; offload leaves the length to the frame. */
static void
test_ip4_length(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put_zero(&b, 9); /* padding */
	put_udp(&b, 1000, 2000);
	b.p[5] = 8;
	put_ip4(&b, 7, 17);
	b.p[3] = 28;
	put_eth(&b, 0x0800);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.octets, 28);
	assert_int_equal(t.pkt.l3_len, 28);
	assert_int_equal(t.pkt.payload_len, 0);
	assert_null(t.pkt.payload);
	assert_false(t.pkt.flags & PACKET_CUT);

	b.p[14 + 3] = 0;
	assert_int_equal(run_cut(&t, 1, b.p, b.n, 5014), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.octets, 5000);
	assert_int_equal(count(&t, COUNTER_IP4_LEN_ZERO), 1);

	/* snaplen: the header's length counts, the payload is cut */
	buf_init(&b);
	put_zero(&b, 200);
	put_udp(&b, 1000, 2000);
	put_ip4(&b, 7, 17);
	put_eth(&b, 0x0800);
	assert_int_equal(run_cut(&t, 1, b.p, 96, b.n), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.octets, 228);
	assert_int_equal(t.pkt.l3_len, 82);
	assert_int_equal(t.pkt.payload_len, 54);
	assert_int_equal(t.pkt.payload_wire, 200);
	assert_int_equal(t.pkt.flags,
	    PACKET_TRUNCATED | PACKET_CUT | PACKET_HAS_MAC);

	/* options are skipped */
	buf_init(&b);
	put_udp(&b, 1000, 2000);
	PUT(&b, 1, 1, 1, 0);
	put_ip4(&b, 7, 17);
	b.p[0] = 0x46;
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.dport, 2000);
	assert_int_equal(t.pkt.octets, 32);
}

static void
test_l4(void **state)
{
	struct test t;
	struct buf b;
	size_t n;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	PUT(&b, 3, 4, 0, 0, 0, 0, 0, 0, 'x');
	put_ip4(&b, 7, 1);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.icmp_type, 3);
	assert_int_equal(t.pkt.icmp_code, 4);
	assert_true(t.pkt.flags & PACKET_HAS_ICMP);
	assert_int_equal(t.pkt.sport, 0);
	assert_int_equal(t.pkt.payload_len, 1);
	buf_init(&b);
	PUT(&b, 128, 0, 0, 0, 0, 0, 0, 0);
	put_ip6(&b, 7, 58);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.icmp_type, 128);
	assert_true(t.pkt.flags & PACKET_HAS_ICMP);

	buf_init(&b);
	PUT(&b, 0, 77, 0, 78, 0, 0, 0, 0, 0, 0, 0, 0, 'd');
	put_ip4(&b, 7, 132);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.sport, 77);
	assert_int_equal(t.pkt.dport, 78);
	assert_int_equal(t.pkt.payload_len, 1);
	buf_init(&b);
	PUT(&b, 0, 77, 0, 78, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 'd');
	put_ip4(&b, 7, 33);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.dport, 78);
	assert_int_equal(t.pkt.payload_len, 1);
	buf_init(&b);
	PUT(&b, 0, 77, 0, 78, 0, 8, 0, 0, 'd');
	put_ip4(&b, 7, 136);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.dport, 78);
	assert_int_equal(t.pkt.payload_len, 1);
	assert_int_equal(count(&t, COUNTER_L4_SHORT), 0);
	assert_int_equal(count(&t, COUNTER_L4_BAD), 0);

	/* a TCP header cut at each byte */
	for (n = 0; n < 28; n++) {
		test_init(&t, true);
		buf_init(&b);
		put_inner(&b);
		assert_int_equal(run_cut(&t, 101, b.p, 20 + n, b.n), COUNTER_FLOW_PACKETS);
		assert_int_equal(count(&t, COUNTER_L4_SHORT), 1);
		assert_int_equal(t.pkt.sport, n >= 4 ? 1234 : 0);
		assert_int_equal(t.pkt.tcp_flags, n >= 14 ? 0xda : 0);
		assert_int_equal(!!(t.pkt.flags & PACKET_HAS_TCP), n >= 20);
		assert_int_equal(t.pkt.octets, 53);
		assert_int_equal(t.pkt.mss, n >= 24 ? 1460 : 0);
	}
}

static void
test_l4_bad(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	buf_init(&b);
	put_inner(&b);
	b.p[20 + 12] = 0x40; /* below 5 words */
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.sport, 1234);
	assert_int_equal(t.pkt.tcp_flags, 0xda);
	assert_false(t.pkt.flags & PACKET_HAS_TCP);
	assert_int_equal(count(&t, COUNTER_L4_BAD), 1);
	b.p[20 + 12] = 0xf0; /* beyond the packet */
	run(&t, 101, &b);
	assert_int_equal(count(&t, COUNTER_L4_BAD), 2);
	assert_int_equal(t.pkt.payload_len, 0);

	/* option lengths 0 and past the end stop the walk */
	b.p[20 + 12] = 0x70;
	b.p[20 + 20 + 1] = 0;
	run(&t, 101, &b);
	assert_int_equal(t.pkt.mss, 0);
	assert_int_equal(t.pkt.wscale, 0xff);
	b.p[20 + 20 + 1] = 40;
	run(&t, 101, &b);
	assert_int_equal(t.pkt.mss, 0);
	assert_int_equal(t.pkt.payload_len, 5);

	/* UDP lengths: short, 0, sane, too long */
	test_init(&t, true);
	buf_init(&b);
	put(&b, "0123456789", 10);
	put_udp(&b, 1, 2);
	put_ip4(&b, 7, 17);
	b.p[25] = 7;
	run(&t, 101, &b);
	assert_int_equal(count(&t, COUNTER_L4_BAD), 1);
	b.p[25] = 0;
	run(&t, 101, &b);
	assert_int_equal(t.pkt.payload_wire, 10);
	b.p[25] = 12;
	run(&t, 101, &b);
	assert_int_equal(t.pkt.payload_wire, 4);
	assert_int_equal(t.pkt.payload_len, 4);
	assert_int_equal(count(&t, COUNTER_L4_BAD), 1);
	b.p[25] = 99;
	run(&t, 101, &b);
	assert_int_equal(t.pkt.payload_wire, 10);
	assert_int_equal(t.pkt.dport, 2);
	assert_int_equal(t.pkt.octets, 38);
	assert_int_equal(count(&t, COUNTER_L4_BAD), 2);
}

static void
test_fragments(void **state)
{
	struct test t;
	struct buf b;

	(void)state;
	test_init(&t, true);
	t.d.frag = frag_new(64, 1, &t.counters);
	assert_non_null(t.d.frag);

	/* first, later, and a stranger's later one */
	buf_init(&b);
	put_zero(&b, 16);
	put_udp(&b, 1234, 53);
	put_ip4_frag(&b, 7, 17, 42, 0x2000);
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.flags, PACKET_FRAG_FIRST | PACKET_CUT);
	buf_init(&b);
	put_zero(&b, 40);
	put_ip4_frag(&b, 7, 17, 42, 3);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.flags, PACKET_FRAG_LATER | PACKET_CUT);
	assert_int_equal(t.pkt.sport, 1234);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(t.pkt.octets, 60);
	assert_int_equal(t.pkt.payload_len, 0);
	assert_int_equal(t.pkt.payload_wire, 40);
	assert_int_equal(count(&t, COUNTER_FRAG_ORPHANS), 0);
	b.p[5] = 43;
	run(&t, 101, &b);
	assert_int_equal(t.pkt.sport, 0);
	assert_int_equal(count(&t, COUNTER_FRAG_ORPHANS), 1);
	assert_int_equal(count(&t, COUNTER_FRAGMENTS), 3);

	/* the same in IPv6, and an atomic fragment, which is none */
	buf_init(&b);
	put_udp(&b, 1234, 53);
	PUT(&b, 17, 0, 0, 1, 0, 0, 0, 42);
	put_ip6(&b, 7, 44);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.flags, PACKET_FRAG_FIRST | PACKET_CUT);
	buf_init(&b);
	put_zero(&b, 8);
	PUT(&b, 17, 0, 0, 8, 0, 0, 0, 42);
	put_ip6(&b, 7, 44);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.flags, PACKET_FRAG_LATER | PACKET_CUT);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(t.pkt.proto, 17);
	buf_init(&b);
	put_udp(&b, 1234, 53);
	PUT(&b, 17, 0, 0, 0, 0, 0, 0, 43);
	put_ip6(&b, 7, 44);
	run(&t, 101, &b);
	assert_int_equal(t.pkt.flags, 0);
	assert_int_equal(count(&t, COUNTER_FRAGMENTS), 5);

	/* a tunnel in fragments: the first is followed, the later ones are the outer flow's,
	 * whose ports nobody noted */
	buf_init(&b);
	s_vxlan(&b);
	b.p[14 + 6] = 0x20;
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	check_inner(&t, "vxlan in fragments");
	buf_init(&b);
	put_zero(&b, 40);
	put_ip4_frag(&b, 1, 17, 1, 20);
	put_eth(&b, 0x0800);
	run(&t, 1, &b);
	check_addr4(t.pkt.src, 1, 1);
	assert_int_equal(t.pkt.dport, 0);
	assert_int_equal(count(&t, COUNTER_FRAG_ORPHANS), 2);

	/* fragments inside a tunnel */
	buf_init(&b);
	put_udp(&b, 1234, 53);
	put_ip4_frag(&b, 7, 17, 50, 0x2000);
	put_outer(&b, 4);
	run(&t, 1, &b);
	buf_init(&b);
	put_zero(&b, 8);
	put_ip4_frag(&b, 7, 17, 50, 1);
	put_outer(&b, 4);
	run(&t, 1, &b);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(t.pkt.ntunnels, 1);
	frag_free(t.d.frag);
}

static void
check_drop(unsigned link, const struct buf *b, enum counter why)
{
	struct test t;

	test_init(&t, true);
	assert_int_equal(run(&t, link, b), why);
}

static void
test_drops(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	check_drop(1, &b, COUNTER_DROP_LINK_SHORT);
	check_drop(101, &b, COUNTER_DROP_IP_SHORT);
	check_drop(65535, &b, COUNTER_DROP_LINK_TYPE);
	assert_false(decode_knows_link(65535));

	put_zero(&b, 46);
	put_eth(&b, 0x0806);
	check_drop(1, &b, COUNTER_DROP_NOT_IP);
	buf_init(&b);
	put_zero(&b, 2);
	put_eth(&b, 0x8100);
	check_drop(1, &b, COUNTER_DROP_LINK_SHORT);
	buf_init(&b);
	PUT(&b, 0x42, 0x42, 3, 0, 0);
	put_eth(&b, 5);
	check_drop(1, &b, COUNTER_DROP_NOT_IP);
	buf_init(&b);
	put_zero(&b, 20);
	PUT(&b, 0x22, 0, 0, 7, 0, 0);
	put_eth(&b, 0x8864);
	check_drop(1, &b, COUNTER_DROP_LINK_BAD);
	buf_init(&b);
	PUT(&b, 0, 0, 4, 0, 0, 0, 0, 0); /* radiotap shorter than itself */
	check_drop(127, &b, COUNTER_DROP_LINK_BAD);
	buf_init(&b);
	PUT(&b, 0xff, 3, 0xc0, 0x21, 1, 1, 0, 4);
	check_drop(9, &b, COUNTER_DROP_NOT_IP);

	buf_init(&b);
	put_wlan(&b, 0x80, 0); /* beacon */
	check_drop(105, &b, COUNTER_DROP_WIFI);
	b.p[0] = 0x48; /* null data */
	check_drop(105, &b, COUNTER_DROP_WIFI);
	buf_init(&b);
	put_wlan_data(&b);
	b.p[1] |= 0x40; /* protected */
	check_drop(105, &b, COUNTER_DROP_WIFI);
	b.p[1] &= 0xbf;
	b.p[22] = 1; /* second fragment */
	check_drop(105, &b, COUNTER_DROP_WIFI);

	buf_init(&b);
	put_inner(&b);
	b.p[0] = 0x44;
	check_drop(101, &b, COUNTER_DROP_IP4_BAD);
	b.p[0] = 0x55;
	check_drop(101, &b, COUNTER_DROP_IP4_BAD);
	b.p[0] = 0x45;
	b.p[3] = 19;
	check_drop(101, &b, COUNTER_DROP_IP4_BAD);
	put_eth(&b, 0x86dd); /* IPv4 announced as IPv6 */
	check_drop(1, &b, COUNTER_DROP_IP6_BAD);
	buf_init(&b);
	put_ip6(&b, 7, 59);
	b.n--;
	check_drop(101, &b, COUNTER_DROP_IP_SHORT);
	put_eth(&b, 0x0800);
	check_drop(1, &b, COUNTER_DROP_IP4_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_outer),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_macs),
	    cmocka_unit_test(test_tunnel_outer_fields),
	    cmocka_unit_test(test_mpls_labels),
	    cmocka_unit_test(test_minimal_encapsulation),
	    cmocka_unit_test(test_teredo),
	    cmocka_unit_test(test_tunnel_back),
	    cmocka_unit_test(test_tunnel_depth),
	    cmocka_unit_test(test_layers),
	    cmocka_unit_test(test_ip6),
	    cmocka_unit_test(test_ip6_extensions),
	    cmocka_unit_test(test_ip6_jumbo),
	    cmocka_unit_test(test_ip4_length),
	    cmocka_unit_test(test_l4),
	    cmocka_unit_test(test_l4_bad),
	    cmocka_unit_test(test_fragments),
	    cmocka_unit_test(test_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
