/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_decode_ip.c -- IP and transport headers: lengths, options, extension headers,
 * fragments, headers cut short or malformed, and each reason to drop a frame.
 */
#include "decode_rig.h"

static void
test_ip6(void **state)
{
	static const uint8_t src[16] = {
	    0x20, 1, 0x0d, 0xb8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
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
	PUT(&b, 17, 0, 1, 4, 0, 0, 0, 0);                         /* 140 */
	PUT(&b, 140, 0, 1, 4, 0, 0, 0, 0);                        /* 60 */
	PUT(&b, 60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* 43 */
	PUT(&b, 43, 0, 1, 4, 0, 0, 0, 0);                         /* 0 */
	put_ip6(&b, 7, 0);
	put_eth(&b, 0x86dd);
	assert_int_equal(run(&t, 1, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.proto, 17);
	assert_int_equal(t.pkt.dport, 53);
	assert_int_equal(t.pkt.octets, 40 + 40 + 8);

	/* no next header; mobility is the message itself; ESP ends the chain */
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
	b.p[40 + 7] = 36;
	assert_int_equal(run(&t, 101, &b), COUNTER_FLOW_PACKETS);
	assert_int_equal(t.pkt.octets, 40);
	assert_int_equal(t.pkt.sport, 0);
}

/* What is behind the datagram is no payload; offload has the length of the frame. */
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
	assert_int_equal(t.pkt.flags, PACKET_TRUNCATED | PACKET_CUT | PACKET_HAS_MAC);

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
		assert_int_equal(
		    run_cut(&t, 101, b.p, 20 + n, b.n), COUNTER_FLOW_PACKETS);
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

	/* a tunnel in fragments: the first is followed, the later ones are of the outer
	 * flow, whose ports nobody noted */
	buf_init(&b);
	put_inner_eth(&b);
	put32(&b, 0x100);
	put32(&b, 0x08000000);
	put_outer_udp(&b, 4789);
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
