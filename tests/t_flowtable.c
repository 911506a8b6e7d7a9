/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_flowtable.c -- what ends when, why, and that no packet is lost on the way; single
 * promises one by one. Random traffic against a model is in t_flowtable_model.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowtable.h"

#define START  1700000000000000ULL
#define SECOND 1000000ULL
#define IDLE   (30 * SECOND)
#define ACTIVE (120 * SECOND)
#define LINGER (5 * SECOND)
#define GRAIN  250000 /* how late a sweep may be */
#define KEPT   4096
#define ACK    TCP_ACK

/* A table and what it told. */
struct rig {
	struct flowtable_options opt;
	struct counters counters;
	struct flowtable *t;
	struct flow *got[KEPT]; /* ended, still away */
	unsigned ngot;
	unsigned finished, waited;
	unsigned give_back; /* records that come home when the table waits */
};

static void
on_finish(void *arg, struct flow *f)
{
	struct rig *r = arg;

	assert_int_equal(f->end, FLOW_END_NONE);
	r->finished++;
}

static void
on_end(void *arg, struct flow *f)
{
	struct rig *r = arg;

	assert_true(r->ngot < KEPT);
	assert_true(f->packets[0] + f->packets[1] > 0);
	r->got[r->ngot++] = f;
}

static bool
on_wait(void *arg)
{
	struct rig *r = arg;
	bool any = false;

	r->waited++;
	while (r->give_back > 0 && r->ngot > 0) {
		flowtable_put(r->t, r->got[--r->ngot]);
		r->give_back--;
		any = true;
	}
	return any;
}

static void
rig_options(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->opt = (struct flowtable_options){.max = 1024, .spare = 1024, .details = 1024,
		.serial_first = 1, .serial_step = 1, .seed = 42, .idle_us = IDLE,
		.active_us = ACTIVE, .linger_us = LINGER, .parts = FLOWKEY_DEFAULT};
}

static void
rig_open(struct rig *r)
{
	struct flowtable_calls calls = {on_finish, on_end, on_wait, r};

	r->t = flowtable_new(&r->opt, &calls, &r->counters);
	assert_non_null(r->t);
}

static void
rig_new(struct rig *r)
{
	rig_options(r);
	rig_open(r);
}

static void
rig_home(struct rig *r)
{
	while (r->ngot > 0)
		flowtable_put(r->t, r->got[--r->ngot]);
}

static void
rig_free(struct rig *r)
{
	flowtable_flush(r->t, FLOW_END_FORCED);
	assert_int_equal(flowtable_count(r->t), 0);
	rig_home(r);
	assert_int_equal(flowtable_away(r->t), 0);
	flowtable_free(r->t);
}

/* Packet of conversation N: endpoint 0 is 10.0.0.1, 1 is 10.x.y.2; DIR 0 from 10.0.0.1. */
static struct packet
packet_of(unsigned n, unsigned dir, uint64_t us, uint8_t proto)
{
	struct packet p = {.ts_us = START + us, .ip_version = 4, .proto = proto,
		.octets = 100, .wirelen = 114, .ttl = 64, .wscale = 0xff};
	uint8_t *ep[2] = {dir ? p.dst : p.src, dir ? p.src : p.dst};

	ep[0][10] = ep[0][11] = ep[1][10] = ep[1][11] = 0xff;
	ep[0][12] = ep[1][12] = 10;
	ep[0][15] = 1;
	ep[1][13] = (uint8_t)(n >> 8);
	ep[1][14] = (uint8_t)n;
	ep[1][15] = 2;
	p.sport = dir ? 80 : 40000;
	p.dport = dir ? 40000 : 80;
	p.flags = proto == 6 ? PACKET_HAS_TCP : 0;
	return p;
}

static struct flow *
feed(struct rig *r, const struct packet *p)
{
	struct flowkey key;
	uint64_t hash;
	unsigned dir = flowtable_prepare(r->t, p, &key, &hash);

	return flowtable_packet(r->t, p, &key, hash, dir);
}

static struct flow *
udp(struct rig *r, unsigned n, unsigned dir, uint64_t us)
{
	struct packet p = packet_of(n, dir, us, 17);

	return feed(r, &p);
}

static struct flow *
tcp(struct rig *r, unsigned n, unsigned dir, uint64_t us, uint8_t flags, uint32_t seq)
{
	struct packet p = packet_of(n, dir, us, 6);

	p.tcp_flags = flags;
	p.seq = seq;
	return feed(r, &p);
}

/* Three packets: a connection that is not in LIST_NEW. */
static void
tcp_open(struct rig *r, unsigned n, uint64_t us)
{
	tcp(r, n, 0, us, TCP_SYN, 1000);
	tcp(r, n, 1, us + 1, TCP_SYN | ACK, 5000);
	tcp(r, n, 0, us + 2, ACK, 1001);
}

static struct flow *
alive(const struct rig *r, unsigned n, uint8_t proto)
{
	struct packet p = packet_of(n, 0, 0, proto);
	struct flowkey key;

	flowkey_make(&key, &p, r->opt.parts);
	return flowtable_find(r->t, &key);
}

static uint64_t
count(const struct rig *r, enum counter id)
{
	return counter_get(&r->counters, id);
}

/*
 * Times
 */
static void
test_idle_exact(void **state)
{
	struct rig r;

	(void)state;
	rig_new(&r);
	udp(&r, 1, 0, 0);
	udp(&r, 1, 1, IDLE); /* exactly the timeout is not longer than it */
	assert_int_equal(r.ngot, 0);
	udp(&r, 1, 0, 2 * IDLE + 1);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->end, FLOW_END_IDLE);
	assert_int_equal(r.got[0]->packets[0], 1);
	assert_int_equal(r.got[0]->packets[1], 1);
	assert_int_equal(flow_last_us(r.got[0]), START + IDLE);
	assert_int_equal(flowtable_count(r.t), 1);
	rig_free(&r);
}

/* A flow used within the grain of its list is not moved; its time counts all the same. */
static void
test_idle_exact_within_grain(void **state)
{
	uint64_t last;

	(void)state;
	for (last = 1; last < 2 * GRAIN; last += 49999) {
		struct rig r;

		rig_new(&r);
		udp(&r, 1, 0, 0);
		udp(&r, 2, 0, 0);
		udp(&r, 1, 0, last);
		udp(&r, 2, 0, last);
		udp(&r, 1, 0, last + IDLE);
		assert_int_equal(r.ngot, 0);
		udp(&r, 2, 0, last + IDLE + 1);
		assert_int_equal(r.ngot, 1);
		assert_int_equal(r.got[0]->end, FLOW_END_IDLE);
		rig_free(&r);
	}
}

/* Without packets of its own a flow ends by other flows' time, a grain late at most. */
static void
test_idle_by_clock(void **state)
{
	struct rig r;

	(void)state;
	rig_new(&r);
	udp(&r, 1, 0, 0);
	udp(&r, 2, 0, 100000);
	udp(&r, 1, 0, 200000); /* 1 stays before 2 in the list */
	flowtable_expire(r.t, START + 100000 + IDLE + GRAIN);
	assert_int_equal(r.ngot, 2);
	assert_int_equal(count(&r, COUNTER_ENDED_IDLE), 2);
	assert_int_equal(flowtable_clock(r.t), START + 100000 + IDLE + GRAIN);
	assert_int_equal(r.got[0]->ended_us, flowtable_clock(r.t));
	rig_free(&r);
}

static void
test_active_splits_and_conserves(void **state)
{
	uint64_t us, packets = 0, octets = 0;
	struct rig r;
	unsigned i;

	(void)state;
	rig_new(&r);
	for (us = 0; us < 5 * ACTIVE; us += 10 * SECOND)
		udp(&r, 1, us / SECOND % 20 == 10, us);
	flowtable_expire(r.t, START + 10 * ACTIVE);
	assert_int_equal(r.ngot, 5);
	for (i = 0; i < r.ngot; i++) {
		const struct flow *f = r.got[i];

		assert_int_equal(f->end, i < 4 ? FLOW_END_ACTIVE : FLOW_END_IDLE);
		assert_int_equal(f->serial, 1);
		assert_int_equal(f->packets[0], 6);
		assert_int_equal(f->packets[1], 6);
		assert_int_equal(flow_first_us(f), START + i * ACTIVE);
		assert_int_equal(flow_last_us(f), START + (i + 1) * ACTIVE - 10 * SECOND);
		packets += f->packets[0] + f->packets[1];
		octets += f->octets[0] + f->octets[1];
	}
	assert_int_equal(packets, count(&r, COUNTER_FLOW_PACKETS));
	assert_int_equal(octets, count(&r, COUNTER_FLOW_BYTES));
	assert_int_equal(count(&r, COUNTER_FLOWS), 1);
	assert_int_equal(count(&r, COUNTER_ENDED_ACTIVE), 4);
	rig_free(&r);
}

static void
test_active_exact(void **state)
{
	struct rig r;
	uint64_t us;

	(void)state;
	rig_new(&r);
	for (us = 0; us < ACTIVE; us += 20 * SECOND)
		udp(&r, 1, 0, us);
	udp(&r, 1, 0, ACTIVE - 1);
	assert_int_equal(r.ngot, 0);
	udp(&r, 1, 0, ACTIVE);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->packets[0], 7);
	assert_int_equal(alive(&r, 1, 17)->packets[0], 1);
	rig_free(&r);
}

/* Reported and then silent: nothing is left to say, and nothing is said. */
static void
test_active_then_silence(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	udp(&r, 1, 0, 0);
	flowtable_expire(r.t, START + 10 * SECOND);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->end, FLOW_END_ACTIVE);
	assert_non_null(alive(&r, 1, 17));
	flowtable_expire(r.t, START + 100 * SECOND);
	assert_int_equal(r.ngot, 1);
	assert_null(alive(&r, 1, 17));
	assert_int_equal(flowtable_away(r.t), 1);
	rig_free(&r);
}

/* Who the client is, its L7 and latencies belong to the connection, not to the report. */
static void
test_report_keeps_identity(void **state)
{
	struct rig r;
	struct flow *f;

	(void)state;
	rig_new(&r);
	tcp(&r, 1, 1, 0, TCP_SYN, 1000); /* from port 80, against all habit */
	tcp(&r, 1, 0, 20000, TCP_SYN | ACK, 5000);
	f = tcp(&r, 1, 1, 30000, ACK, 1001);
	assert_int_equal(flow_client(f), 1);
	f->l7 = calloc(1, sizeof(*f->l7));
	f->l7->app = 7;
	f->flags |= FLOW_DPI_DONE;
	tcp(&r, 1, 0, 100 * SECOND, ACK, 5001); /* idle would end it */
	assert_int_equal(r.ngot, 1);
	assert_non_null(r.got[0]->l7);
	rig_free(&r);

	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	tcp(&r, 1, 1, 0, TCP_SYN, 1000);
	tcp(&r, 1, 0, 20000, TCP_SYN | ACK, 5000);
	f = tcp(&r, 1, 1, 30000, ACK, 1001);
	f->l7 = calloc(1, sizeof(*f->l7));
	f->l7->app = 7;
	f->flags |= FLOW_DPI_DONE;
	f = tcp(&r, 1, 0, 11 * SECOND, ACK, 5001);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(flow_client(r.got[0]), 1);
	assert_ptr_not_equal(r.got[0]->l7, f->l7);
	assert_int_equal(r.got[0]->l7->app, 7);
	assert_int_equal(f->l7->app, 7);
	assert_int_equal(flow_client(f), 1);
	assert_true(f->flags & FLOW_RESTARTED);
	assert_true(f->flags & FLOW_DPI_DONE);
	assert_int_equal(f->server_nw_us, 10000);
	assert_int_equal(f->client_nw_us, 5000);
	assert_int_equal(f->tcp[0].flags, ACK); /* flags are the report's own */
	assert_int_equal(f->packets[0], 1);
	assert_int_equal(f->packets[1], 0);
	assert_int_equal(f->first_us[1], 0);
	assert_int_equal(r.finished, 1);
	rig_free(&r);
}

/* One side's FIN before the report, the other's after it: the connection is over. */
static void
test_fin_across_report(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	tcp_open(&r, 1, 0);
	tcp(&r, 1, 0, 9 * SECOND, TCP_FIN | ACK, 1001);
	tcp(&r, 1, 1, 11 * SECOND, TCP_FIN | ACK, 5001);
	assert_int_equal(r.ngot, 1);
	flowtable_expire(r.t, START + 16 * SECOND + 1);
	assert_int_equal(r.ngot, 2);
	assert_int_equal(r.got[1]->end, FLOW_END_DETECTED);
	rig_free(&r);
}

/* Silent for longer than the idle timeout is idle, though the active one is due too and
 * another flow, used a little later, stands before it in the list. */
static void
test_idle_before_active(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.active_us = IDLE + 150000;
	rig_open(&r);
	udp(&r, 1, 0, 0);
	udp(&r, 2, 0, 1000);
	udp(&r, 1, 0, 240000);
	udp(&r, 3, 0, IDLE + 160000);
	assert_int_equal(count(&r, COUNTER_ENDED_IDLE), 1); /* 2 */
	assert_int_equal(count(&r, COUNTER_ENDED_ACTIVE), 1); /* 1 */
	assert_null(alive(&r, 2, 17));
	rig_free(&r);
}

static void
test_linger(void **state)
{
	struct rig r;

	(void)state;
	rig_new(&r);
	tcp_open(&r, 1, 0);
	tcp(&r, 1, 0, SECOND, TCP_FIN | ACK, 1001);
	tcp(&r, 1, 1, SECOND, TCP_FIN | ACK, 5001);
	tcp(&r, 1, 0, SECOND + LINGER, ACK, 1002); /* late, but still its own */
	assert_int_equal(r.ngot, 0);
	assert_int_equal(alive(&r, 1, 6)->packets[0], 4);
	tcp(&r, 1, 0, SECOND + 2 * LINGER + 1, ACK, 1002);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->end, FLOW_END_DETECTED);
	assert_int_equal(r.got[0]->packets[0], 4);
	/* a reset does it alone */
	tcp(&r, 2, 0, 20 * SECOND, TCP_SYN, 1);
	tcp(&r, 2, 1, 20 * SECOND, TCP_RST | ACK, 0);
	flowtable_expire(r.t, START + 20 * SECOND + LINGER);
	assert_non_null(alive(&r, 2, 6));
	flowtable_expire(r.t, START + 20 * SECOND + LINGER + 1);
	assert_null(alive(&r, 2, 6));
	rig_free(&r);
}

/* An idle timeout shorter than the linger holds for closed connections too. */
static void
test_linger_not_beyond_idle(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.idle_us = SECOND;
	rig_open(&r);
	tcp(&r, 1, 0, 0, TCP_RST, 1);
	flowtable_expire(r.t, START + SECOND + 1);
	assert_int_equal(r.ngot, 1);
	rig_free(&r);
}

static void
test_port_reuse(void **state)
{
	struct rig r;
	struct flow *f;

	(void)state;
	rig_new(&r);
	tcp_open(&r, 1, 0);
	tcp(&r, 1, 0, 100, TCP_FIN | ACK, 1001);
	tcp(&r, 1, 1, 200, TCP_FIN | ACK, 5001);
	tcp(&r, 1, 0, 300, ACK, 1002);
	tcp(&r, 1, 0, 400, TCP_SYN, 1000); /* the same SYN, from a detour */
	assert_int_equal(r.ngot, 0);
	f = tcp(&r, 1, 0, 500, TCP_SYN, 777000);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->end, FLOW_END_DETECTED);
	assert_int_equal(r.got[0]->packets[0], 5);
	assert_int_equal(r.got[0]->packets[1], 2);
	assert_int_equal(f->packets[0], 1);
	assert_int_equal(f->tcp[0].retrans, 0);
	assert_true(f->serial != r.got[0]->serial);
	/* the new one is new: alive until its own end */
	tcp(&r, 1, 1, 600, TCP_SYN | ACK, 888000);
	assert_int_equal(f->flags & FLOW_CLOSING, 0);
	/* roles may change */
	tcp(&r, 1, 1, 700, TCP_RST, 888001);
	f = tcp(&r, 1, 1, 800, TCP_SYN, 999000);
	assert_int_equal(r.ngot, 2);
	assert_int_equal(flow_client(f), 1);
	rig_free(&r);
}

/* Timestamps that count from 1970-01-01 00:00:00.000000 are times like any other. */
static void
test_time_zero(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_new(&r);
	for (i = 0; i < 3; i++) {
		struct packet p = packet_of(1, 0, 0, 17), q = packet_of(2, 0, 0, 17);

		p.ts_us = q.ts_us = 0;
		feed(&r, &p);
		feed(&r, &q);
	}
	assert_int_equal(flowtable_count(r.t), 2);
	assert_int_equal(alive(&r, 1, 17)->packets[0], 3);
	flowtable_expire(r.t, 10 * ACTIVE);
	assert_int_equal(r.ngot, 2);
	assert_int_equal(r.got[0]->end, FLOW_END_IDLE);
	rig_free(&r);
}

static void
test_time_backwards(void **state)
{
	struct rig r;
	uint64_t us;

	(void)state;
	rig_new(&r);
	udp(&r, 1, 0, 100 * SECOND);
	udp(&r, 1, 0, 10 * SECOND); /* the clock does not follow, the record does */
	assert_int_equal(flowtable_clock(r.t), START + 100 * SECOND);
	assert_int_equal(flow_first_us(alive(&r, 1, 17)), START + 10 * SECOND);
	assert_int_equal(flow_last_us(alive(&r, 1, 17)), START + 100 * SECOND);
	flowtable_expire(r.t, START);
	assert_int_equal(flowtable_clock(r.t), START + 100 * SECOND);
	/* a new flow of the past lives as long as any other */
	udp(&r, 2, 0, 20 * SECOND);
	udp(&r, 2, 0, 90 * SECOND);
	assert_int_equal(r.ngot, 0);
	flowtable_expire(r.t, START + 100 * SECOND + IDLE);
	assert_int_equal(r.ngot, 0);
	flowtable_expire(r.t, START + 100 * SECOND + IDLE + 1);
	assert_int_equal(r.ngot, 2);
	for (us = 200 * SECOND; us > 100 * SECOND; us -= SECOND)
		udp(&r, 3, 0, us);
	assert_int_equal(alive(&r, 3, 17)->packets[0], 100);
	rig_free(&r);
}

/* A jump of years costs one look at each flow, not a turn for each timeout in between. */
static void
test_huge_jump(void **state)
{
	struct timespec a, b;
	struct rig r;
	unsigned i;

	(void)state;
	rig_new(&r);
	for (i = 0; i < 1000; i++)
		udp(&r, i, 0, i);
	clock_gettime(CLOCK_MONOTONIC, &a);
	udp(&r, 5000, 0, 100ULL * 365 * 86400 * SECOND);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(r.ngot, 1000);
	assert_int_equal(count(&r, COUNTER_ENDED_IDLE), 1000);
	assert_true(b.tv_sec - a.tv_sec < 2);
	for (i = 0; i < 1000; i++)
		assert_int_equal(r.got[i]->packets[0], 1);
	rig_free(&r);
}

static void
test_sweep_budget(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.sweep = 8;
	rig_open(&r);
	for (i = 0; i < 100; i++)
		udp(&r, i, 0, i);
	udp(&r, 500, 0, 100 * SECOND);
	assert_int_equal(r.ngot, 8);
	/* whose turn it is not yet, but whose packet comes, ends exactly nevertheless */
	udp(&r, 99, 0, 100 * SECOND);
	assert_int_equal(r.ngot, 17);
	for (i = 0; i < 11; i++)
		flowtable_expire(r.t, START + 100 * SECOND);
	assert_int_equal(r.ngot, 100);
	assert_int_equal(flowtable_count(r.t), 2);
	assert_int_equal(count(&r, COUNTER_ENDED_IDLE), 100);
	rig_free(&r);
}

/*
 * Room
 */
static void
test_evicts_least_recently_used(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 32;
	rig_open(&r);
	for (i = 0; i < 32; i++)
		udp(&r, i, 0, i * SECOND / 2);
	udp(&r, 0, 1, 16 * SECOND); /* 0 is fresh again */
	udp(&r, 100, 0, 17 * SECOND);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->end, FLOW_END_LACK);
	assert_null(alive(&r, 1, 17));
	assert_non_null(alive(&r, 0, 17));
	assert_int_equal(flowtable_count(r.t), 32);
	assert_int_equal(count(&r, COUNTER_ENDED_LACK), 1);
	assert_int_equal(count(&r, COUNTER_FLOWS_MAX), 32);
	rig_free(&r);
}

static void
test_evicts_closing_first(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 32;
	rig_open(&r);
	for (i = 0; i < 31; i++)
		tcp_open(&r, i, i * 1000);
	tcp_open(&r, 31, 40000);
	tcp(&r, 20, 1, 50000, TCP_RST, 5001);
	tcp(&r, 10, 0, 60000, TCP_RST, 1001);
	udp(&r, 100, 0, 70000);
	assert_null(alive(&r, 20, 6));
	assert_non_null(alive(&r, 10, 6));
	udp(&r, 101, 0, 70000);
	assert_null(alive(&r, 10, 6));
	udp(&r, 102, 0, 70000);
	assert_null(alive(&r, 0, 6));
	assert_int_equal(count(&r, COUNTER_ENDED_LACK), 3);
	rig_free(&r);
}

/* A flood of SYNs fights for its own room; connections that exist stay. */
static void
test_flood_of_syns(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 160;
	rig_open(&r);
	for (i = 0; i < 140; i++)
		tcp_open(&r, i, i);
	for (i = 1000; i < 4000; i++) {
		assert_non_null(tcp(&r, i, 0, i, TCP_SYN, i));
		assert_true(flowtable_count(r.t) <= 160);
		if (r.ngot > 500)
			rig_home(&r);
	}
	for (i = 0; i < 140; i++)
		assert_non_null(alive(&r, i, 6));
	/* and a few new ones are not pushed out by old ones' friends */
	assert_non_null(alive(&r, 3999, 6));
	rig_free(&r);
}

static void
test_few_syns_are_kept(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 160;
	rig_open(&r);
	for (i = 0; i < 10; i++)
		tcp(&r, 1000 + i, 0, i, TCP_SYN, i);
	for (i = 0; i < 400; i++)
		udp(&r, i, 0, 100 + i);
	for (i = 0; i < 10; i++)
		assert_non_null(alive(&r, 1000 + i, 6));
	assert_int_equal(flowtable_count(r.t), 160);
	rig_free(&r);
}

static void
test_waits_for_records(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 16;
	r.opt.spare = 4;
	rig_open(&r);
	for (i = 0; i < 20; i++)
		assert_non_null(udp(&r, i, 0, i));
	assert_int_equal(flowtable_away(r.t), 4);
	assert_int_equal(r.waited, 0);
	/* all records are taken and none comes home: the packet finds no room */
	assert_null(udp(&r, 20, 0, 20));
	assert_int_equal(r.waited, 1);
	assert_int_equal(flowtable_away(r.t), 5);
	assert_int_equal(flowtable_count(r.t), 15);
	/* no second flow is sacrificed for nothing */
	assert_null(udp(&r, 21, 0, 21));
	assert_int_equal(flowtable_count(r.t), 15);
	/* flows that are there go on */
	assert_non_null(udp(&r, 19, 1, 22));
	r.give_back = 1;
	assert_non_null(udp(&r, 22, 0, 23));
	assert_int_equal(r.waited, 3);
	assert_int_equal(flowtable_away(r.t), 4);
	assert_int_equal(count(&r, COUNTER_FLOW_PACKETS), 22);
	rig_free(&r);
}

/* No record for a copy: the report waits for the next period, no packet is lost. */
static void
test_report_without_record(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 16;
	r.opt.spare = 0;
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	for (i = 0; i < 16; i++)
		udp(&r, i, 0, 0);
	for (i = 0; i < 16; i++)
		udp(&r, i, 0, 11 * SECOND);
	assert_int_equal(r.ngot, 0);
	assert_int_equal(alive(&r, 3, 17)->packets[0], 2);
	flowtable_flush(r.t, FLOW_END_FORCED);
	assert_int_equal(r.ngot, 16);
	assert_int_equal(r.got[0]->packets[0], 2);
	rig_free(&r);
}

static void
test_slots(void **state)
{
	struct rig r;
	struct flow *f, *g;
	uint32_t index, generation, i, seen = 0;

	(void)state;
	rig_new(&r);
	f = udp(&r, 1, 0, 0);
	index = f->index;
	generation = f->generation;
	assert_ptr_equal(flowtable_slot(r.t, index), f);
	assert_null(flowtable_slot(r.t, 5));
	assert_null(flowtable_slot(r.t, UINT32_MAX));
	flowtable_flush(r.t, FLOW_END_FORCED);
	assert_null(flowtable_slot(r.t, index)); /* away is not alive */
	rig_home(&r);
	assert_null(flowtable_slot(r.t, index));
	g = udp(&r, 2, 0, SECOND);
	assert_int_equal(g->index, index);
	assert_true(g->generation != generation);
	assert_int_equal(g->end, FLOW_END_NONE);
	for (i = 3; i < 50; i++)
		udp(&r, i, 0, SECOND);
	for (i = 0; i < flowtable_slots(r.t); i++)
		seen += flowtable_slot(r.t, i) != NULL;
	assert_int_equal(seen, flowtable_count(r.t));
	assert_int_equal(seen, 48);
	rig_free(&r);
}

/* A slot that was a report's copy is used again as a live flow. */
static void
test_slot_after_report(void **state)
{
	struct rig r;
	uint32_t index;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	udp(&r, 1, 0, 0);
	udp(&r, 1, 0, 10 * SECOND);
	assert_int_equal(r.ngot, 1);
	index = r.got[0]->index;
	assert_null(flowtable_slot(r.t, index));
	assert_ptr_equal(flowtable_slot(r.t, alive(&r, 1, 17)->index), alive(&r, 1, 17));
	assert_true(index != alive(&r, 1, 17)->index);
	rig_home(&r);
	assert_int_equal(udp(&r, 2, 0, 11 * SECOND)->index, index);
	assert_ptr_equal(flowtable_slot(r.t, index), alive(&r, 2, 17));
	rig_free(&r);
}

static void
test_flush(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_new(&r);
	tcp(&r, 1, 0, 0, TCP_SYN, 1);
	tcp_open(&r, 2, 0);
	tcp(&r, 3, 0, 0, TCP_RST, 1);
	udp(&r, 4, 0, 0);
	flowtable_flush(r.t, FLOW_END_FORCED);
	assert_int_equal(r.ngot, 4);
	assert_int_equal(r.finished, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(r.got[i]->end, FLOW_END_FORCED);
	assert_int_equal(flowtable_count(r.t), 0);
	assert_int_equal(flowtable_away(r.t), 4);
	assert_int_equal(count(&r, COUNTER_ENDED_FORCED), 4);
	flowtable_flush(r.t, FLOW_END_FORCED);
	assert_int_equal(r.ngot, 4);
	/* it goes on after it */
	assert_int_equal(udp(&r, 4, 0, 1)->packets[0], 1);
	flowtable_expire(r.t, START + IDLE + 3); /* the clock was at 2 */
	assert_int_equal(r.ngot, 5);
	rig_free(&r);
}

/*
 * Details
 */
static void
test_details_refused(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.statistics = true;
	r.opt.details = 70;
	rig_open(&r);
	for (i = 0; i < 100; i++)
		udp(&r, i, 0, i);
	for (i = 0; i < 100; i++) {
		udp(&r, i, 1, 1000 + i);
		assert_int_equal(alive(&r, i, 17)->detail != NULL, i < 70);
	}
	assert_int_equal(count(&r, COUNTER_DETAIL_FULL), 30); /* flows, not packets */
	/* they come back with their records */
	flowtable_flush(r.t, FLOW_END_FORCED);
	assert_non_null(r.got[0]->detail);
	assert_null(udp(&r, 200, 0, 2000)->detail);
	rig_home(&r);
	assert_non_null(udp(&r, 201, 0, 2000)->detail);
	assert_int_equal(alive(&r, 201, 17)->detail->size_bin[0], 1);
	rig_free(&r);
}

static void
test_details_on_demand(void **state)
{
	struct packet p = packet_of(1, 0, 0, 17);
	struct rig r;
	struct flow *f;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	assert_null(feed(&r, &p)->detail);
	p.ntunnels = 1;
	p.tunnel.type = TUNNEL_GRE;
	p.tunnel.id = 99;
	p.nmpls = 2;
	p.mpls[1] = 5;
	f = feed(&r, &p);
	assert_non_null(f->detail);
	assert_int_equal(f->detail->tunnel.id, 99);
	/* the tunnel is the connection's, its histograms the report's */
	f = udp(&r, 1, 0, 10 * SECOND);
	assert_int_equal(r.ngot, 1);
	assert_non_null(r.got[0]->detail);
	assert_non_null(f->detail);
	assert_ptr_not_equal(r.got[0]->detail, f->detail);
	assert_int_equal(r.got[0]->detail->size_bin[0], 1);
	assert_int_equal(f->detail->size_bin[0], 1);
	assert_int_equal(f->detail->tunnel.id, 99);
	assert_int_equal(f->detail->nmpls, 2);
	assert_int_equal(f->detail->mpls[1], 5);
	assert_int_equal(f->detail->iat[0].n, 0);
	rig_free(&r);
}

static void
test_detail_statistics(void **state)
{
	static const uint32_t len[] = {40, 128, 129, 512, 1024, 1500, 1515, 65535};
	static const uint8_t ttl[] = {1, 2, 6, 32, 33, 255, 224, 225};
	struct flow_detail *d;
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.statistics = true;
	rig_open(&r);
	for (i = 0; i < 8; i++) {
		struct packet p = packet_of(1, 0, i * i * 1000, 17);

		p.octets = len[i];
		p.ttl = ttl[i];
		feed(&r, &p);
	}
	d = alive(&r, 1, 17)->detail;
	assert_int_equal(d->size_bin[0], 2);
	assert_int_equal(d->size_bin[1], 1);
	assert_int_equal(d->size_bin[2], 1);
	assert_int_equal(d->size_bin[3], 1);
	assert_int_equal(d->size_bin[4], 1);
	assert_int_equal(d->size_bin[5], 2);
	assert_int_equal(d->ttl_bin[0], 1);
	assert_int_equal(d->ttl_bin[1], 1);
	assert_int_equal(d->ttl_bin[2], 2);
	assert_int_equal(d->ttl_bin[3], 1);
	assert_int_equal(d->ttl_bin[8], 1);
	assert_int_equal(d->ttl_bin[9], 2);
	/* gaps 1, 3, 5, ... 13 ms */
	assert_int_equal(d->iat[0].n, 7);
	assert_int_equal(d->iat[0].min, 1000);
	assert_int_equal(d->iat[0].max, 13000);
	assert_int_equal(d->iat[0].sum, 49000);
	assert_true(d->iat[0].mean > 6999.9 && d->iat[0].mean < 7000.1);
	assert_true(d->iat[0].m2 > 111.9e6 && d->iat[0].m2 < 112.1e6);
	rig_free(&r);
}

/*
 * The record
 */
static void
test_account(void **state)
{
	struct packet p = packet_of(1, 0, 0, 17);
	struct rig r;
	struct flow *f;

	(void)state;
	rig_new(&r);
	p.flags |= PACKET_HAS_MAC;
	memcpy(p.mac_src, "\1\2\3\4\5\6", 6);
	memcpy(p.mac_dst, "\7\10\11\12\13\14", 6);
	p.tos = 0xb8;
	p.vlan_inner = 9;
	p.port = 3;
	feed(&r, &p);
	p.octets = 70000; /* a jumbogram: lengths stop at 16 bits, octets do not */
	p.ttl = 10;
	p.tos = 0;
	p.ts_us += 5;
	memset(p.mac_src, 0, 6);
	f = feed(&r, &p);
	assert_int_equal(f->octets[0], 70100);
	assert_int_equal(f->octets[1], 0);
	assert_int_equal(f->len_min[0], 100);
	assert_int_equal(f->len_max[0], 65535);
	assert_int_equal(f->ttl_min[0], 10);
	assert_int_equal(f->ttl_max[0], 64);
	assert_int_equal(f->tos[0], 0xb8);
	assert_int_equal(f->vlan_inner, 9);
	assert_int_equal(f->port, 3);
	assert_memory_equal(f->mac[0], "\1\2\3\4\5\6", 6);
	assert_memory_equal(f->mac_peer[0], "\7\10\11\12\13\14", 6);
	assert_int_equal(flow_first_us(f), START);
	assert_int_equal(flow_last_us(f), START + 5);
	rig_free(&r);

	rig_options(&r);
	r.opt.account_l2 = true;
	rig_open(&r);
	assert_int_equal(udp(&r, 1, 0, 0)->octets[0], 114);
	rig_free(&r);
}

static void
test_serials(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.serial_first = 3;
	r.opt.serial_step = 4;
	rig_open(&r);
	assert_int_equal(udp(&r, 1, 0, 0)->serial, 3);
	assert_int_equal(udp(&r, 2, 0, 0)->serial, 7);
	assert_int_equal(udp(&r, 1, 1, 0)->serial, 3);
	rig_free(&r);
}

/* The client of a flow whose first packet goes from endpoint DIR with these ports. */
static unsigned
client_of(struct rig *r, unsigned n, unsigned dir, uint16_t sport, uint16_t dport)
{
	struct packet p = packet_of(n, dir, 0, 17);

	p.sport = sport;
	p.dport = dport;
	return flow_client(feed(r, &p));
}

static void
test_client(void **state)
{
	struct rig r;

	(void)state;
	rig_new(&r);
	/* a SYN says it, against any port; a SYN ACK says it of the other side */
	assert_int_equal(flow_client(tcp(&r, 1, 1, 0, TCP_SYN, 1)), 1);
	assert_int_equal(flow_client(tcp(&r, 2, 0, 0, TCP_SYN | ACK, 1)), 1);
	/* first by port, then corrected by a SYN that came late; never back */
	assert_int_equal(flow_client(tcp(&r, 3, 0, 0, ACK, 1)), 0);
	assert_int_equal(flow_client(tcp(&r, 3, 1, 1, TCP_SYN, 1)), 1);
	assert_int_equal(flow_client(tcp(&r, 3, 0, 2, TCP_SYN, 1)), 1);
	/* the known port is the server */
	assert_int_equal(client_of(&r, 10, 0, 50000, 53), 0);
	assert_int_equal(client_of(&r, 11, 0, 53, 50000), 1);
	assert_int_equal(client_of(&r, 12, 1, 53, 50000), 0);
	assert_int_equal(client_of(&r, 13, 0, 8080, 50000), 1);
	assert_int_equal(client_of(&r, 14, 0, 51820, 1024), 1);
	assert_int_equal(client_of(&r, 15, 0, 1080, 60000), 1); /* the list's ends */
	/* both known: the lower one */
	assert_int_equal(client_of(&r, 20, 0, 443, 80), 0);
	assert_int_equal(client_of(&r, 21, 1, 80, 443), 0);
	/* nothing known: who speaks first asks */
	assert_int_equal(client_of(&r, 30, 0, 50000, 40000), 0);
	assert_int_equal(client_of(&r, 31, 1, 50000, 40000), 1);
	assert_int_equal(client_of(&r, 32, 0, 40000, 50000), 0);
	assert_int_equal(client_of(&r, 33, 1, 123, 123), 1);
	assert_int_equal(client_of(&r, 34, 1, 0, 0), 1);
	assert_int_equal(client_of(&r, 35, 0, 0, 40000), 0);
	rig_free(&r);
}

static void
test_no_swap(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.no_swap = true;
	rig_open(&r);
	assert_int_equal(client_of(&r, 1, 0, 53, 50000), 0);
	assert_int_equal(client_of(&r, 2, 1, 53, 50000), 1);
	assert_int_equal(flow_client(tcp(&r, 3, 0, 0, TCP_SYN | ACK, 1)), 0);
	assert_int_equal(flow_client(tcp(&r, 3, 1, 0, TCP_SYN, 1)), 0);
	rig_free(&r);
}

static void
test_parts(void **state)
{
	struct rig r;

	(void)state;
	rig_options(&r);
	r.opt.parts = FLOWKEY_PROTO;
	rig_open(&r);
	udp(&r, 1, 0, 0);
	udp(&r, 2, 1, 0);
	tcp(&r, 3, 0, 0, TCP_SYN, 1);
	assert_int_equal(flowtable_count(r.t), 2);
	rig_free(&r);
}

static void
test_free_with_flows(void **state)
{
	struct rig r;
	struct flow *f;

	(void)state;
	flowtable_free(NULL);
	rig_options(&r);
	r.opt.statistics = true;
	rig_open(&r);
	f = udp(&r, 1, 0, 0);
	f->l7 = calloc(1, sizeof(*f->l7));
	flowtable_free(r.t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_exact),
		cmocka_unit_test(test_idle_exact_within_grain),
		cmocka_unit_test(test_idle_by_clock),
		cmocka_unit_test(test_active_splits_and_conserves),
		cmocka_unit_test(test_active_exact),
		cmocka_unit_test(test_active_then_silence),
		cmocka_unit_test(test_report_keeps_identity),
		cmocka_unit_test(test_fin_across_report),
		cmocka_unit_test(test_idle_before_active),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_linger_not_beyond_idle),
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_time_zero),
		cmocka_unit_test(test_time_backwards),
		cmocka_unit_test(test_huge_jump),
		cmocka_unit_test(test_sweep_budget),
		cmocka_unit_test(test_evicts_least_recently_used),
		cmocka_unit_test(test_evicts_closing_first),
		cmocka_unit_test(test_flood_of_syns),
		cmocka_unit_test(test_few_syns_are_kept),
		cmocka_unit_test(test_waits_for_records),
		cmocka_unit_test(test_report_without_record),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slot_after_report),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_details_refused),
		cmocka_unit_test(test_details_on_demand),
		cmocka_unit_test(test_detail_statistics),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_no_swap),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_free_with_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
