/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_flowtable.c -- the times of a flow: what ends or is reported when, why, and that no
 * packet is lost on the way. Room is in t_flowtable_room.c, random traffic against a
 * model in t_flowtable_model.c.
 */
#include <time.h>

#include "flow_rig.h"

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

		/* the last one too: its age would have come before its silence was long enough */
		assert_int_equal(f->end, FLOW_END_ACTIVE);
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
	assert_int_equal(count(&r, COUNTER_ENDED_ACTIVE), 5);
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
	flowtable_expire(r.t, START + 10 * SECOND + GRAIN);
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
	flowtable_expire(r.t, START + 16 * SECOND + GRAIN);
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
	udp(&r, 3, 0, IDLE + 160000 + GRAIN);
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
	flowtable_expire(r.t, START + 20 * SECOND + LINGER + GRAIN);
	assert_null(alive(&r, 2, 6));
	rig_free(&r);
}

/* Closed shortly before the active timeout: it has ended, it does not live on; also if
 * somebody goes on sending. */
static void
test_closed_near_age(void **state)
{
	struct rig r;
	uint64_t us;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	tcp_open(&r, 1, 0);
	tcp(&r, 1, 0, 8 * SECOND, TCP_FIN | ACK, 1001);
	tcp(&r, 1, 1, 8 * SECOND, TCP_FIN | ACK, 5001);
	for (us = 9 * SECOND; us < 10 * SECOND; us += SECOND / 4)
		tcp(&r, 1, 0, us, ACK, 1002);
	assert_int_equal(r.ngot, 0);
	tcp(&r, 1, 0, 11 * SECOND, ACK, 1002);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(r.got[0]->end, FLOW_END_DETECTED);
	assert_int_equal(count(&r, COUNTER_ENDED_ACTIVE), 0);
	assert_int_equal(count(&r, COUNTER_FLOWS), 2); /* the last packet is another's */
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
	flowtable_expire(r.t, START + SECOND + GRAIN);
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
	assert_int_equal(flow_loss(f, 0).retrans, 0);
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

/* The clock was set back: what there was ends, what comes has timeouts like any other. */
static void
test_rewind(void **state)
{
	const uint64_t year = 365 * 86400 * (uint64_t)SECOND;
	struct rig r;

	(void)state;
	rig_new(&r);
	udp(&r, 1, 0, year);
	udp(&r, 2, 0, year);
	flowtable_rewind(r.t, START + SECOND);
	assert_int_equal(r.ngot, 2);
	assert_int_equal(r.got[0]->end, FLOW_END_FORCED);
	assert_int_equal(flowtable_count(r.t), 0);
	assert_int_equal(flowtable_clock(r.t), START + SECOND);
	udp(&r, 1, 0, 2 * SECOND);
	udp(&r, 1, 1, 3 * SECOND);
	flowtable_expire(r.t, START + 3 * SECOND + IDLE);
	assert_int_equal(r.ngot, 2);
	flowtable_expire(r.t, START + 3 * SECOND + IDLE + GRAIN);
	assert_int_equal(r.ngot, 3);
	assert_int_equal(r.got[2]->end, FLOW_END_IDLE);
	assert_int_equal(flow_first_us(r.got[2]), START + 2 * SECOND);
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
	flowtable_expire(r.t, START + 100 * SECOND + IDLE + GRAIN);
	assert_int_equal(r.ngot, 2);
	for (us = 200 * SECOND; us > 100 * SECOND; us -= SECOND)
		udp(&r, 3, 0, us);
	assert_int_equal(alive(&r, 3, 17)->packets[0], 100);
	assert_int_equal(count(&r, COUNTER_PACKETS_LATE), 0);
	/* what is further back than the active timeout is counted */
	udp(&r, 4, 0, 200 * SECOND - ACTIVE);
	assert_int_equal(count(&r, COUNTER_PACKETS_LATE), 0);
	udp(&r, 4, 0, 200 * SECOND - ACTIVE - 1);
	udp(&r, 5, 0, SECOND);
	udp(&r, 5, 0, 200 * SECOND);
	assert_int_equal(count(&r, COUNTER_PACKETS_LATE), 2);
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
		cmocka_unit_test(test_closed_near_age),
		cmocka_unit_test(test_linger_not_beyond_idle),
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_time_zero),
		cmocka_unit_test(test_time_backwards),
		cmocka_unit_test(test_rewind),
		cmocka_unit_test(test_huge_jump),
		cmocka_unit_test(test_sweep_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
