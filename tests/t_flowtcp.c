/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_flowtcp.c -- connections told packet by packet through flow_account(): what was sent
 * twice, what was overtaken, when it closes, and how long handshake and answer took.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flowaccount.h"
#include "flowtcp.h"

#define START 1700000000000000ULL
#define C     0 /* direction of the client, whose endpoint is 0 here */
#define S     1
#define ACK   TCP_ACK
#define PA    (TCP_PSH | TCP_ACK)

struct talk {
	struct flow f;
	struct flow_detail detail;
	uint64_t now_us; /* since START */
	uint32_t isn[2];
};

static void
talk_init(struct talk *t)
{
	memset(t, 0, sizeof(*t));
	t->f.key.proto = 6;
	t->f.key.ip_version = 4;
	t->f.key.port[0] = 40000;
	t->f.key.port[1] = 443;
	t->f.tcp[0].wscale = t->f.tcp[1].wscale = 0xff;
	t->f.detail = &t->detail;
}

static struct packet
segment(const struct talk *t, uint8_t flags, uint32_t seq, uint32_t len, unsigned dir)
{
	struct packet p = {.proto = 6, .ip_version = 4, .tcp_flags = flags,
		.flags = PACKET_HAS_TCP, .seq = t->isn[dir] + seq, .window = 1000,
		.wscale = 0xff, .ttl = 64};

	p.ts_us = START + t->now_us;
	p.payload_wire = p.payload_len = len;
	p.octets = 40 + len;
	p.sport = t->f.key.port[dir];
	p.dport = t->f.key.port[!dir];
	return p;
}

/* DIR sends LEN octets from SEQ (relative to its isn), US later than the last packet. */
static void
send_after(struct talk *t, uint64_t us, unsigned dir, uint8_t flags, uint32_t seq,
    uint32_t len)
{
	struct packet p;

	t->now_us += us;
	p = segment(t, flags, seq, len, dir);
	flow_choose_client(&t->f, &p, dir, false);
	flow_account(&t->f, &p, dir, p.octets);
}

static void
handshake(struct talk *t, uint32_t server_rtt_us, uint32_t client_rtt_us)
{
	send_after(t, 0, C, TCP_SYN, 0, 0);
	send_after(t, server_rtt_us, S, TCP_SYN | ACK, 0, 0);
	send_after(t, client_rtt_us, C, ACK, 1, 0);
}

static void
expect_dir(const struct talk *t, unsigned dir, uint32_t retrans, uint32_t bytes,
    uint32_t ooorder)
{
	assert_int_equal(flow_loss(&t->f, dir).retrans, retrans);
	assert_int_equal(flow_loss(&t->f, dir).retrans_bytes, bytes);
	assert_int_equal(flow_loss(&t->f, dir).ooorder, ooorder);
}

static void
test_clean(void **state)
{
	struct talk t;
	unsigned i;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	for (i = 0; i < 100; i++)
		send_after(&t, 1000, C, ACK, 1 + i * 1000, 1000);
	send_after(&t, 1000, S, ACK, 1, 0);
	send_after(&t, 1000, S, PA, 1, 500);
	send_after(&t, 1000, C, TCP_FIN | ACK, 100001, 0);
	assert_false(t.f.flags & FLOW_CLOSING);
	send_after(&t, 1000, S, TCP_FIN | ACK, 501, 0);
	assert_true(t.f.flags & FLOW_CLOSING);
	send_after(&t, 1000, C, ACK, 100002, 0);
	expect_dir(&t, C, 0, 0, 0);
	expect_dir(&t, S, 0, 0, 0);
	assert_int_equal(t.f.tcp[C].flags, TCP_SYN | TCP_ACK | TCP_FIN);
	assert_int_equal(t.f.tcp[S].flags, TCP_SYN | TCP_ACK | TCP_PSH | TCP_FIN);
}

static void
test_retransmission(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 100, C, PA, 1001, 1000);
	send_after(&t, 100, C, PA, 1, 1000); /* however soon: the probe saw it already */
	expect_dir(&t, C, 1, 1000, 0);
	send_after(&t, 300000, C, PA, 1001, 1000);
	expect_dir(&t, C, 2, 2000, 0);
	send_after(&t, 100, C, PA, 2001, 10); /* new octets go on where they stopped */
	expect_dir(&t, C, 2, 2000, 0);
	expect_dir(&t, S, 0, 0, 0);
	send_after(&t, 100, C, TCP_FIN | ACK, 2011, 0);
	send_after(&t, 200000, C, TCP_FIN | ACK, 2011, 0);
	assert_int_equal(flow_loss(&t.f, C).retrans, 3);
}

/* Resent and new octets in one segment: what follows is in order. */
static void
test_retransmission_coalesced(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 100);
	send_after(&t, 300000, C, PA, 1, 300);
	send_after(&t, 100, C, PA, 301, 100);
	assert_int_equal(flow_loss(&t.f, C).retrans, 1);
	assert_int_equal(flow_loss(&t.f, C).retrans_bytes, 100);
	assert_int_equal(flow_loss(&t.f, C).ooorder, 0);
}

static void
test_syn_retransmission(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	send_after(&t, 0, C, TCP_SYN, 0, 0);
	send_after(&t, 1000000, C, TCP_SYN, 0, 0);
	send_after(&t, 2000000, C, TCP_SYN, 0, 0);
	assert_int_equal(flow_loss(&t.f, C).retrans, 2);
	assert_int_equal(flow_loss(&t.f, C).retrans_bytes, 0); /* a SYN is no octet */
	send_after(&t, 30000, S, TCP_SYN | ACK, 0, 0);
	send_after(&t, 4000, C, ACK, 1, 0);
	/* from the SYN that was answered, not from the first */
	assert_int_equal(t.f.server_nw_us, 15000);
	assert_int_equal(t.f.client_nw_us, 2000);
}

static void
test_synack_retransmission(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	send_after(&t, 0, C, TCP_SYN, 0, 0);
	send_after(&t, 30000, S, TCP_SYN | ACK, 0, 0);
	send_after(&t, 1000000, S, TCP_SYN | ACK, 0, 0);
	send_after(&t, 5000, C, ACK, 1, 0);
	assert_int_equal(t.f.server_nw_us, 15000);
	assert_int_equal(t.f.client_nw_us, 2500);
	expect_dir(&t, S, 1, 0, 0);
}

static void
test_out_of_order(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 100, C, PA, 2001, 1000); /* overtakes 1001 */
	send_after(&t, 100, C, PA, 1001, 1000);
	expect_dir(&t, C, 0, 0, 1);
	send_after(&t, 100, C, PA, 3001, 1000);
	expect_dir(&t, C, 0, 0, 1);
	/* the hole is full: once more is a retransmission */
	send_after(&t, 100, C, PA, 1001, 1000);
	expect_dir(&t, C, 1, 1000, 1);
}

/* A hole filled by several segments, in either order. */
static void
test_holes(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 100, C, PA, 3001, 1000);
	send_after(&t, 100, C, PA, 1001, 1000);
	assert_true(flow_loss(&t.f, C).holed);
	send_after(&t, 100, C, PA, 2001, 1000);
	expect_dir(&t, C, 0, 0, 2);
	assert_false(flow_loss(&t.f, C).holed);
	send_after(&t, 100, C, PA, 6001, 1000);
	send_after(&t, 100, C, PA, 5001, 1000);
	send_after(&t, 100, C, PA, 4001, 1000);
	expect_dir(&t, C, 0, 0, 4);
	assert_false(flow_loss(&t.f, C).holed);
	send_after(&t, 100, C, PA, 7001, 1000);
	expect_dir(&t, C, 0, 0, 4);
	/* holes of the other side are its own */
	send_after(&t, 100, S, PA, 1001, 10);
	send_after(&t, 100, C, PA, 8001, 10);
	send_after(&t, 100, S, PA, 1, 1000);
	expect_dir(&t, S, 0, 0, 1);
	expect_dir(&t, C, 0, 0, 4);
}

/* Lost before the probe and resent: the hole is filled a round trip later. */
static void
test_hole_filled_late(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 100, C, PA, 2001, 1000);
	send_after(&t, 250000, C, PA, 1001, 1000);
	expect_dir(&t, C, 1, 1000, 0);
	send_after(&t, 100, C, PA, 3001, 1000);
	expect_dir(&t, C, 1, 1000, 0);
}

/* As before, but the sender's window lets it go on sending meanwhile: fast retransmit. */
static void
test_hole_filled_late_while_sending(void **state)
{
	struct talk t;
	unsigned i;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	for (i = 0; i < 40; i++)
		send_after(&t, 1000, C, ACK, 2001 + 1000 * i, 1000);
	send_after(&t, 1000, C, ACK, 1001, 1000);
	expect_dir(&t, C, 1, 1000, 0);
}

/* Between half a round trip and a whole one nobody can have resent: it was overtaken. */
static void
test_hole_filled_within_round_trip(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 100, C, PA, 2001, 1000);
	send_after(&t, 25000, C, PA, 1001, 1000);
	expect_dir(&t, C, 0, 0, 1);
}

static void
test_keep_alive(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 60000000, C, ACK, 1000, 1); /* with one octet of garbage */
	send_after(&t, 60000000, C, ACK, 1000, 0); /* and without */
	send_after(&t, 100, S, ACK, 1, 0);
	send_after(&t, 60000000, C, ACK, 1000, 1);
	expect_dir(&t, C, 0, 0, 0);
	send_after(&t, 100, C, PA, 1001, 1000);
	expect_dir(&t, C, 0, 0, 0);
	/* one octet that is not the last one is a retransmission */
	send_after(&t, 100, C, ACK, 5, 1);
	expect_dir(&t, C, 1, 1, 0);
}

/* All of it again over the end of the sequence space. */
static void
test_sequence_wrap(void **state)
{
	uint32_t back;

	(void)state;
	for (back = 0; back < 6000; back += 250) {
		struct talk t;

		talk_init(&t);
		t.isn[C] = 0U - back;
		handshake(&t, 20000, 10000);
		send_after(&t, 100, C, PA, 1, 1000);
		send_after(&t, 100, C, PA, 1001, 1000);
		expect_dir(&t, C, 0, 0, 0);
		send_after(&t, 100, C, PA, 1001, 1000);
		expect_dir(&t, C, 1, 1000, 0);
		send_after(&t, 100, C, PA, 4001, 1000);
		send_after(&t, 100, C, PA, 2001, 1000);
		send_after(&t, 100, C, PA, 3001, 1000);
		expect_dir(&t, C, 1, 1000, 2);
		send_after(&t, 100, C, ACK, 5000, 1);
		send_after(&t, 100, C, TCP_FIN | ACK, 5001, 0);
		expect_dir(&t, C, 1, 1000, 2);
	}
}

static void
test_handshake_latency(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	assert_int_equal(t.f.server_nw_us, 10000);
	assert_int_equal(t.f.client_nw_us, 5000);
	/* nothing later changes them */
	send_after(&t, 777, C, ACK, 1, 0);
	send_after(&t, 777, S, ACK, 1, 0);
	send_after(&t, 777, C, PA, 1, 100);
	send_after(&t, 777, S, PA, 1, 100);
	assert_int_equal(t.f.server_nw_us, 10000);
	assert_int_equal(t.f.client_nw_us, 5000);
	assert_int_equal(flow_appl_us(&t.f), 777);
}

/* The third packet of the handshake was lost or carries the request already. */
static void
test_handshake_with_data(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	send_after(&t, 0, C, TCP_SYN, 0, 0);
	send_after(&t, 20000, S, TCP_SYN | ACK, 0, 0);
	send_after(&t, 10000, C, PA, 1, 100);
	send_after(&t, 3000, S, PA, 1, 100);
	assert_int_equal(t.f.server_nw_us, 10000);
	assert_int_equal(t.f.client_nw_us, 5000);
	assert_int_equal(flow_appl_us(&t.f), 3000);
}

static void
test_application_latency(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	/* a greeting is no answer */
	send_after(&t, 1000, S, PA, 1, 50);
	assert_int_equal(flow_appl_us(&t.f), 0);
	/* from the last segment of the request to the first of the answer */
	send_after(&t, 5000, C, ACK, 1, 1000);
	send_after(&t, 5000, C, PA, 1001, 1000);
	send_after(&t, 2000, S, ACK, 51, 0);
	send_after(&t, 2000, S, ACK, 51, 1000);
	assert_int_equal(flow_appl_us(&t.f), 4000);
	/* the first exchange counts */
	send_after(&t, 9000, C, PA, 2001, 10);
	send_after(&t, 9000, S, PA, 1051, 10);
	assert_int_equal(flow_appl_us(&t.f), 4000);
}

static void
test_application_latency_udp(void **state)
{
	struct packet p;
	struct talk t;

	(void)state;
	talk_init(&t);
	t.f.key.proto = 17;
	t.f.flags = 0;
	p = segment(&t, 0, 0, 30, C);
	p.proto = 17;
	p.flags = 0;
	flow_choose_client(&t.f, &p, C, false);
	flow_account(&t.f, &p, C, p.octets);
	p.ts_us += 1234;
	flow_account(&t.f, &p, S, p.octets);
	assert_int_equal(flow_appl_us(&t.f), 1234);
	assert_int_equal(t.f.client_nw_us, 0);
	assert_int_equal(t.f.tcp[C].flags, 0);
}

static void
test_mid_connection(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	/* only acknowledgements first: they say nothing about the sequence */
	send_after(&t, 0, S, ACK, 5000, 0);
	send_after(&t, 0, C, ACK, 100000, 0);
	send_after(&t, 100, C, PA, 100000, 1000);
	send_after(&t, 100, S, PA, 5000, 1000);
	send_after(&t, 100, S, PA, 6000, 1000);
	send_after(&t, 100, C, PA, 101000, 1000);
	expect_dir(&t, C, 0, 0, 0);
	expect_dir(&t, S, 0, 0, 0);
	assert_int_equal(t.f.client_nw_us, 0);
	assert_int_equal(t.f.server_nw_us, 0);
	assert_int_equal(flow_appl_us(&t.f), 100);
	assert_int_equal(flow_client(&t.f), C); /* by port */
}

/* Clocks that step back must not become latencies of an hour. */
static void
test_time_backwards(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	t.now_us = 10000000;
	send_after(&t, 0, C, TCP_SYN, 0, 0);
	t.now_us -= 5000;
	send_after(&t, 0, S, TCP_SYN | ACK, 0, 0);
	t.now_us -= 5000;
	send_after(&t, 0, C, ACK, 1, 0);
	send_after(&t, 0, C, PA, 1, 10);
	t.now_us -= 5000;
	send_after(&t, 0, S, PA, 1, 10);
	assert_int_equal(t.f.client_nw_us, 0);
	assert_int_equal(t.f.server_nw_us, 0);
	assert_int_equal(flow_appl_us(&t.f), 0);
	assert_int_equal(flow_first_us(&t.f), START + 10000000 - 15000);
	assert_int_equal(flow_last_us(&t.f), START + 10000000);
}

static void
test_latency_saturates(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 0, C, PA, 1, 10);
	send_after(&t, 5000000000ULL, S, PA, 1, 10); /* more than 2^32 µs */
	assert_int_equal(flow_appl_us(&t.f), UINT32_MAX);
}

static void
test_reset(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	send_after(&t, 100, S, TCP_RST, 1, 0);
	assert_true(t.f.flags & FLOW_CLOSING);
	assert_int_equal(t.f.tcp[S].win_min, 1000); /* a RST's window says nothing */
	assert_int_equal(flow_loss(&t.f, S).retrans, 0);
	/* RST, then others of the same side */
	talk_init(&t);
	send_after(&t, 100, S, TCP_RST, 1, 0);
	send_after(&t, 100, S, ACK, 1, 0);
	assert_int_equal(t.f.tcp[S].win_min, 1000);
	assert_int_equal(t.f.tcp[S].win_max, 1000);
}

static void
test_options_and_windows(void **state)
{
	struct packet p;
	struct talk t;

	(void)state;
	talk_init(&t);
	t.isn[C] = 0xfffffff0;
	p = segment(&t, TCP_SYN, 0, 0, C);
	p.mss = 1460;
	p.wscale = 7;
	p.window = 64240;
	flow_choose_client(&t.f, &p, C, false);
	flow_account(&t.f, &p, C, p.octets);
	p = segment(&t, ACK, 1, 0, C);
	p.window = 501;
	flow_account(&t.f, &p, C, p.octets);
	p.window = 502;
	flow_account(&t.f, &p, C, p.octets);
	assert_int_equal(t.f.tcp[C].isn, 0xfffffff0);
	assert_int_equal(t.f.tcp[C].mss, 1460);
	assert_int_equal(t.f.tcp[C].wscale, 7);
	assert_int_equal(t.f.tcp[C].win_min, 501);
	assert_int_equal(t.f.tcp[C].win_max, 64240);
	assert_int_equal(t.f.tcp[S].wscale, 0xff);
}

/* Later fragments and cut headers have no sequence: they count, and spoil nothing. */
static void
test_no_header(void **state)
{
	struct packet p;
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	send_after(&t, 100, C, PA, 1, 1000);
	p = segment(&t, 0, 0, 500, C);
	p.flags = PACKET_FRAG_LATER;
	p.seq = 0;
	flow_account(&t.f, &p, C, p.octets);
	p.flags = PACKET_TRUNCATED;
	p.window = 0;
	flow_account(&t.f, &p, C, p.octets);
	send_after(&t, 100, C, PA, 1001, 1000);
	expect_dir(&t, C, 0, 0, 0);
	assert_int_equal(t.f.packets[C], 6);
	assert_int_equal(t.f.tcp[C].win_min, 1000);
}

static bool
reopens(const struct talk *t, uint8_t flags, uint32_t seq, unsigned dir)
{
	struct packet p = segment(t, flags, seq, 0, dir);

	return flowtcp_reopens(&t->f, &p, dir);
}

static void
test_reopens(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t);
	handshake(&t, 20000, 10000);
	assert_false(reopens(&t, TCP_SYN, 99999, C)); /* it is not over */
	send_after(&t, 100, C, TCP_FIN | ACK, 1, 0);
	assert_false(reopens(&t, TCP_SYN, 99999, C)); /* half of it is */
	send_after(&t, 100, S, TCP_FIN | ACK, 1, 0);
	assert_true(reopens(&t, TCP_SYN, 99999, C));
	assert_true(reopens(&t, TCP_SYN | 0xc0, 99999, C)); /* asking for ECN */
	assert_true(reopens(&t, TCP_SYN, 99999, S));
	assert_false(reopens(&t, TCP_SYN, 0, C)); /* the old one, late */
	assert_false(reopens(&t, TCP_SYN | ACK, 99999, S));
	assert_false(reopens(&t, ACK, 2, C));
	assert_false(reopens(&t, TCP_RST, 99999, C));
	/* no SYN was seen: any SYN is a new one */
	talk_init(&t);
	send_after(&t, 100, C, TCP_RST, 1, 0);
	assert_true(reopens(&t, TCP_SYN, 0, C));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_retransmission),
		cmocka_unit_test(test_retransmission_coalesced),
		cmocka_unit_test(test_syn_retransmission),
		cmocka_unit_test(test_synack_retransmission),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_hole_filled_late),
		cmocka_unit_test(test_hole_filled_late_while_sending),
		cmocka_unit_test(test_hole_filled_within_round_trip),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_sequence_wrap),
		cmocka_unit_test(test_handshake_latency),
		cmocka_unit_test(test_handshake_with_data),
		cmocka_unit_test(test_application_latency),
		cmocka_unit_test(test_application_latency_udp),
		cmocka_unit_test(test_mid_connection),
		cmocka_unit_test(test_time_backwards),
		cmocka_unit_test(test_latency_saturates),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_options_and_windows),
		cmocka_unit_test(test_no_header),
		cmocka_unit_test(test_reopens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
