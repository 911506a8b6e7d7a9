/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_decode.c -- every link type and tunnel: the packet inside must come out whole, the
 * outer one when tunnels are off or lead nowhere; limits hold; and every sample cut at
 * every byte stays within its bounds.
 */
#include "decode_rig.h"
#include "decode_int.h"
#include "decode_links.h"
#include "decode_tunnels.h"

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

/* What decode_plain() takes for plain decodes, and to the same key. True if it was. */
static bool
agrees(struct test *t, uint16_t link, const struct buf *b, size_t cut)
{
	const struct frame f = {.data = b->p, .caplen = (uint32_t)cut,
		.wirelen = (uint32_t)b->n, .link = link};
	const struct packet *q = &t->pkt;
	struct packet p;

	memset(&p, 0x5a, sizeof(p));
	if (!decode_plain(&f, &p))
		return false;
	assert_int_equal(run_cut(t, link, b->p, cut, b->n), COUNTER_FLOW_PACKETS);
	assert_false(q->flags & (PACKET_FRAG_FIRST | PACKET_FRAG_LATER));
	assert_memory_equal(p.src, q->src, 16);
	assert_memory_equal(p.dst, q->dst, 16);
	assert_int_equal(p.sport, q->sport);
	assert_int_equal(p.dport, q->dport);
	assert_int_equal(p.vlan, q->vlan);
	assert_int_equal(p.ip_version, q->ip_version);
	assert_int_equal(p.proto, q->proto);
	assert_int_equal(p.tos, q->tos);
	assert_int_equal(p.sub, q->sub);
	return true;
}

/* The short way says what the long one does. True if it was taken. */
static bool
same(uint16_t link, const struct buf *b, size_t cut, bool tunnels)
{
	const struct frame f = {.ts_us = 7, .data = b->p, .caplen = (uint32_t)cut,
		.wirelen = (uint32_t)b->n, .link = link, .port = 3};
	struct counters one = {{0}}, other = {{0}};
	const struct decode d = {.tunnels = tunnels, .counters = &one},
			    e = {.tunnels = tunnels, .counters = &other};
	struct packet p, q;

	memset(&p, 0x5a, sizeof(p));
	memset(&q, 0xa5, sizeof(q));
	assert_int_equal(decode_frame(&d, &f, &p), decode_any(&e, &f, &q));
	assert_memory_equal(&p, &q, sizeof(p));
	assert_memory_equal(&one, &other, sizeof(one));
	memset(&p, 0, sizeof(p));
	return decode_usual(&d, &f, &p);
}

/* Samples, cut, and with bytes that are another: nobody tells a frame's flow otherwise than
 * the decoder, by either way. */
static void
test_plain(void **state)
{
	unsigned plain = 0, whole = 0, i;
	const struct sample *s;
	struct test t;
	struct buf b;
	size_t n;

	(void)state;
	test_init(&t, false);
	for (s = samples; s < samples + NSAMPLES; s++) {
		buf_init(&b);
		s->build(&b);
		whole += agrees(&t, s->link, &b, b.n);
		for (n = 0; n < b.n; n++) {
			plain += agrees(&t, s->link, &b, n);
			same((uint16_t)s->link, &b, n, n & 1);
		}
		for (i = 0; i < 3000; i++) {
			size_t at = (size_t)rand() % (b.n < 60 ? b.n : 60);
			uint8_t was = b.p[at];

			b.p[at] = (uint8_t)(rand() & 1 ? rand() : was ^ 1 << rand() % 8);
			plain += agrees(&t, s->link, &b, b.n);
			same((uint16_t)s->link, &b, b.n, i & 1);
			if (rand() % 4 != 0)
				b.p[at] = was;
		}
	}
	assert_true(whole >= 2);
	assert_true(plain > 1000);
}

static void
s_tcp6(struct buf *b)
{
	put(b, "hello", 5);
	put_tcp(b, 1234, 80, TCP_ACK);
	put_ip6(b, 1, 6);
	put_eth(b, 0x86dd);
}

/* The same for segments that are no SYN, and datagrams. */
static void
test_usual(void **state)
{
	static void (*const build[])(struct buf *) = {s_eth, s_vlan, s_prio, s_vxlan, s_tcp6};
	const size_t n = sizeof(build) / sizeof(build[0]);
	unsigned usual = 0, i;
	struct buf b;

	(void)state;
	for (i = 0; i < 20000; i++) {
		size_t at, tag = i % n == 1 || i % n == 2 ? 4 : 0;

		buf_init(&b);
		build[i % n](&b);
		if (i % n < 3)
			b.p[47 + tag] &= (uint8_t)~TCP_SYN;
		usual += same(1, &b, b.n, i & 1);
		at = (size_t)rand() % (b.n < 60 ? b.n : 60);
		b.p[at] = (uint8_t)(rand() & 1 ? rand() : b.p[at] ^ 1 << rand() % 8);
		usual += same(1, &b, b.n, i & 1);
		same(1, &b, (size_t)rand() % b.n, i & 1);
	}
	assert_true(usual > 10000);
}

static void
test_macs(void **state)
{
	static const uint8_t src[6] = {2, 0, 0, 0, 0, 5},
			     dst[6] = {2, 0, 0, 0, 0, 0x0d};
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

	/* a GTP extension longer than the packet */
	test_init(&t, true);
	buf_init(&b);
	PUT(&b, 0x34, 255, 0, 8, 0, 0, 0, 7, 0, 0, 0, 0x85, 200, 0, 0, 0);
	put_outer_udp(&b, 2152);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.dport, 2152);
	assert_int_equal(count(&t, COUNTER_TUNNEL_BAD), 1);

	/* the outer ports are not those of the ICMP packet inside */
	buf_init(&b);
	PUT(&b, 8, 0, 0, 0, 0, 0, 0, 0);
	put_ip4(&b, 7, 1);
	put32(&b, 7);
	put32(&b, 0x30ff0008);
	put_outer_udp(&b, 2152);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	check_addr4(t.pkt.src, 7, 1);
	assert_int_equal(t.pkt.sport, 0);
	assert_int_equal(t.pkt.dport, 0);

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
int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_outer),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_usual),
	    cmocka_unit_test(test_macs),
	    cmocka_unit_test(test_tunnel_outer_fields),
	    cmocka_unit_test(test_mpls_labels),
	    cmocka_unit_test(test_minimal_encapsulation),
	    cmocka_unit_test(test_teredo),
	    cmocka_unit_test(test_tunnel_back),
	    cmocka_unit_test(test_tunnel_depth),
	    cmocka_unit_test(test_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
