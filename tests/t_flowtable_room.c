/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_flowtable_room.c -- who leaves when the table is full, records that are away, slots,
 * details, and what a record says of its packets.
 * Longer than 800 lines: a full table has as many cases.
 */
#include "flow_rig.h"

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
		udp(&r, i, 0, 10 * SECOND + i * SECOND / 4);
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

/* From 97 % full the idle timeout is a third, until 70 %. */
static void
test_emergency(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 100;
	rig_open(&r);
	for (i = 0; i < 89; i++)
		udp(&r, i, 0, i * 10000);
	flowtable_expire(r.t, START + 15 * SECOND);
	assert_int_equal(count(&r, COUNTER_EMERGENCIES), 0);
	assert_int_equal(flowtable_count(r.t), 89);
	udp(&r, 0, 1, 15 * SECOND); /* silent for longest no more */
	udp(&r, 200, 0, 15 * SECOND + 1000);
	assert_int_equal(count(&r, COUNTER_EMERGENCIES), 1);
	for (i = 201; i < 208; i++) /* what is just large enough gives whole records */
		udp(&r, i, 0, 15 * SECOND + 2000);
	assert_int_equal(flowtable_count(r.t), 97);
	udp(&r, 208, 0, 15 * SECOND + 3000);
	assert_int_equal(flowtable_count(r.t), 71); /* 70, and this one */
	assert_int_equal(r.ngot, 27);
	for (i = 0; i < r.ngot; i++)
		assert_int_equal(r.got[i]->end, FLOW_END_LACK);
	assert_non_null(alive(&r, 0, 17));
	assert_null(alive(&r, 1, 17));
	assert_null(alive(&r, 27, 17));
	assert_non_null(alive(&r, 28, 17));
	/* it is over: the whole timeout holds again, for those silent as long as they were */
	flowtable_expire(r.t, START + 29 * SECOND);
	assert_int_equal(flowtable_count(r.t), 71);
	assert_int_equal(count(&r, COUNTER_EMERGENCIES), 1);
	assert_int_equal(count(&r, COUNTER_ENDED_LACK), 27);
	/* and begins anew */
	for (i = 0; i < 19; i++)
		udp(&r, 300 + i, 0, 29 * SECOND);
	assert_int_equal(count(&r, COUNTER_EMERGENCIES), 2);
	rig_free(&r);
}

/* Nobody who has just spoken is hurried; then it lasts until they are silent. */
static void
test_emergency_of_busy_flows(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 100;
	r.opt.sweep = 4;
	rig_open(&r);
	for (i = 0; i < 97; i++)
		udp(&r, i, 0, i);
	flowtable_expire(r.t, START + 9 * SECOND);
	assert_int_equal(flowtable_count(r.t), 97);
	assert_int_equal(r.ngot, 0);
	/* four at a time, so that no packet waits for all */
	flowtable_expire(r.t, START + 11 * SECOND);
	assert_int_equal(r.ngot, 4);
	for (i = 0; i < 6; i++)
		flowtable_expire(r.t, START + 11 * SECOND + i);
	assert_int_equal(flowtable_count(r.t), 70);
	assert_int_equal(r.ngot, 27);
	rig_free(&r);
}

/* A flood that fills the table: its handshakes go after 5 s, connections are not hurried. */
static void
test_emergency_of_syns(void **state)
{
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.max = 100;
	rig_open(&r);
	for (i = 0; i < 40; i++)
		tcp_open(&r, i, i);
	for (i = 0; i < 55; i++)
		tcp(&r, 1000 + i, 0, 12 * SECOND + i, TCP_SYN, i);
	assert_int_equal(count(&r, COUNTER_EMERGENCIES), 1);
	flowtable_expire(r.t, START + 16 * SECOND);
	assert_int_equal(flowtable_count(r.t), 95);
	flowtable_expire(r.t, START + 18 * SECOND);
	assert_int_equal(flowtable_count(r.t), 70);
	for (i = 0; i < 40; i++)
		assert_non_null(alive(&r, i, 6));
	assert_int_equal(count(&r, COUNTER_ENDED_LACK), 25);
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
	r.opt.idle_us = 60 * SECOND; /* a third is not over */
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
	uint32_t index, serial, i, seen = 0;

	(void)state;
	rig_new(&r);
	f = udp(&r, 1, 0, 0);
	index = f->index;
	serial = f->serial;
	assert_ptr_equal(flowtable_slot(r.t, index), f);
	assert_null(flowtable_slot(r.t, 5));
	assert_null(flowtable_slot(r.t, UINT32_MAX));
	flowtable_flush(r.t, FLOW_END_FORCED);
	assert_null(flowtable_slot(r.t, index)); /* away is not alive */
	rig_home(&r);
	assert_null(flowtable_slot(r.t, index));
	g = udp(&r, 2, 0, SECOND);
	assert_int_equal(g->index, index);
	assert_true(g->serial != serial);
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
	flowtable_expire(r.t, START + IDLE + GRAIN + 3); /* the clock was at 2 */
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
/* Most flows have none; those whose segments are lost have short ones, which become whole
 * when there is a tunnel too, and nothing of them is lost by it. */
static void
test_details_short(void **state)
{
	struct packet p = packet_of(1, 0, 500, 6);
	struct rig r;
	struct flow *f;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	tcp_open(&r, 1, 0);
	assert_null(alive(&r, 1, 6)->detail);
	p.payload_wire = 100;
	p.tcp_flags = ACK;
	p.seq = 2001; /* 1,000 octets are missing */
	f = feed(&r, &p);
	assert_non_null(f->detail);
	assert_null(flow_whole(f));
	assert_true(flow_loss(f, 0).holed);
	feed(&r, &p); /* once more */
	assert_int_equal(flow_loss(f, 0).retrans, 1);
	p.ntunnels = 1;
	p.tunnel.id = 7;
	f = feed(&r, &p);
	assert_non_null(flow_whole(f));
	assert_int_equal(f->detail->tunnel.id, 7);
	assert_int_equal(flow_loss(f, 0).retrans, 2);
	assert_true(flow_loss(f, 0).holed);
	/* the report has what was counted, the flow goes on with the hole */
	f = tcp(&r, 1, 1, 11 * SECOND, ACK, 5001);
	assert_int_equal(r.ngot, 1);
	assert_int_equal(flow_loss(r.got[0], 0).retrans, 2);
	assert_int_equal(flow_loss(f, 0).retrans, 0);
	assert_true(flow_loss(f, 0).holed);
	assert_int_equal(f->detail->tunnel.id, 7);
	rig_free(&r);
}

/* What is sent again takes details only when there is more of it than the flow itself can
 * count, and no octet of it is lost then. */
static void
test_retrans_without_details(void **state)
{
	struct packet p = packet_of(1, 0, 500, 6);
	struct flow *f = NULL;
	struct rig r;
	unsigned i;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	tcp_open(&r, 1, 0);
	p.payload_wire = 2000;
	p.tcp_flags = ACK;
	p.seq = 1001;
	for (i = 0; i < 33; i++) {
		f = feed(&r, &p);
		assert_null(flow_details(f));
		assert_int_equal(flow_loss(f, 0).retrans, i);
		assert_int_equal(flow_loss(f, 0).retrans_bytes, 2000 * i);
	}
	for (; i < 40; i++) {
		f = feed(&r, &p);
		assert_non_null(flow_details(f));
		assert_int_equal(flow_loss(f, 0).retrans, i);
		assert_int_equal(flow_loss(f, 0).retrans_bytes, 2000 * i);
	}
	/* the other way with few: the report takes them along */
	tcp_open(&r, 2, 0);
	p = packet_of(2, 0, 500, 6);
	p.payload_wire = 10;
	p.tcp_flags = ACK;
	p.seq = 1001;
	feed(&r, &p);
	feed(&r, &p);
	p.ts_us += 11 * SECOND;
	f = feed(&r, &p);
	assert_int_equal(r.ngot, 2);
	assert_int_equal(flow_loss(r.got[1], 0).retrans, 1);
	assert_int_equal(flow_loss(r.got[1], 0).retrans_bytes, 10);
	assert_int_equal(flow_loss(f, 0).retrans, 1);
	rig_free(&r);
}

static struct flow *
framed(struct rig *r, unsigned dir, uint64_t us, const char *src, const char *dst)
{
	struct packet p = packet_of(1, dir, us, 17);

	p.flags |= PACKET_HAS_MAC;
	memcpy(p.mac_src, src, 6);
	memcpy(p.mac_dst, dst, 6);
	return feed(r, &p);
}

/* MACs that mirror each other take no details; those of a way back through another router
 * do, are told as they were, and outlive a report. */
static void
test_macs(void **state)
{
	struct rig r;
	struct flow *f;

	(void)state;
	rig_options(&r);
	r.opt.active_us = 10 * SECOND;
	rig_open(&r);
	framed(&r, 0, 0, "aaaaaa", "bbbbbb");
	f = framed(&r, 1, 1, "bbbbbb", "aaaaaa");
	assert_null(f->detail);
	assert_memory_equal(flow_mac_src(f, 1), "bbbbbb", 6);
	f = framed(&r, 0, 11 * SECOND, "aaaaaa", "bbbbbb");
	assert_int_equal(r.ngot, 1);
	assert_memory_equal(flow_mac_dst(r.got[0], 0), "bbbbbb", 6);
	assert_null(f->detail);
	f = framed(&r, 1, 12 * SECOND, "cccccc", "aaaaaa");
	assert_non_null(f->detail);
	assert_null(flow_whole(f));
	assert_memory_equal(flow_mac_src(f, 0), "aaaaaa", 6);
	assert_memory_equal(flow_mac_dst(f, 0), "bbbbbb", 6);
	assert_memory_equal(flow_mac_src(f, 1), "cccccc", 6);
	assert_memory_equal(flow_mac_dst(f, 1), "aaaaaa", 6);
	f = framed(&r, 0, 22 * SECOND, "aaaaaa", "bbbbbb");
	assert_int_equal(r.ngot, 2);
	assert_memory_equal(flow_mac_src(r.got[1], 1), "cccccc", 6);
	assert_memory_equal(flow_mac_src(f, 1), "cccccc", 6);
	assert_memory_equal(flow_mac_dst(f, 0), "bbbbbb", 6);
	rig_free(&r);
}

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
	assert_memory_equal(flow_mac_src(f, 0), "\1\2\3\4\5\6", 6);
	assert_memory_equal(flow_mac_dst(f, 0), "\7\10\11\12\13\14", 6);
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
	/* neither known: the lower one, */
	assert_int_equal(client_of(&r, 25, 0, 50000, 8291), 0);
	assert_int_equal(client_of(&r, 26, 0, 8291, 50000), 1);
	assert_int_equal(client_of(&r, 27, 1, 20000, 5000), 1);
	/* unless both are dynamic or nothing: who speaks first asks */
	assert_int_equal(client_of(&r, 30, 0, 50000, 40000), 0);
	assert_int_equal(client_of(&r, 31, 1, 50000, 40000), 1);
	assert_int_equal(client_of(&r, 32, 0, 40000, 50000), 0);
	assert_int_equal(client_of(&r, 33, 1, 123, 123), 1);
	assert_int_equal(client_of(&r, 34, 1, 0, 0), 1);
	assert_int_equal(client_of(&r, 35, 0, 0, 40000), 0);
	rig_free(&r);
}

/* A group asks nothing, whatever the ports. */
static void
test_client_group(void **state)
{
	static const uint8_t everybody[16] = {[10] = 0xff, [11] = 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t ssdp[16] = {[10] = 0xff, [11] = 0xff, 239, 255, 255, 250};
	static const uint8_t nodes[16] = {0xff, 0x02, [15] = 1};
	const uint8_t *group[] = {everybody, ssdp, nodes};
	struct rig r;
	unsigned i;

	(void)state;
	rig_new(&r);
	for (i = 0; i < 3; i++) {
		struct packet p = packet_of(40 + i, 0, 0, 17);
		const struct flow *f;

		memcpy(p.dst, group[i], 16);
		p.sport = 67; /* a service; so is 68, and higher */
		p.dport = 68;
		f = feed(&r, &p);
		assert_memory_equal(f->key.addr[flow_client(f)], p.src, 16);
	}
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
		cmocka_unit_test(test_evicts_least_recently_used),
		cmocka_unit_test(test_evicts_closing_first),
		cmocka_unit_test(test_flood_of_syns),
		cmocka_unit_test(test_emergency),
		cmocka_unit_test(test_emergency_of_busy_flows),
		cmocka_unit_test(test_emergency_of_syns),
		cmocka_unit_test(test_few_syns_are_kept),
		cmocka_unit_test(test_waits_for_records),
		cmocka_unit_test(test_report_without_record),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slot_after_report),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_details_refused),
		cmocka_unit_test(test_details_on_demand),
		cmocka_unit_test(test_details_short),
		cmocka_unit_test(test_retrans_without_details),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_detail_statistics),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_client_group),
		cmocka_unit_test(test_no_swap),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_free_with_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
