/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_rig.h -- a flow table that tells its test what it did, and packets to feed it. */
#ifndef FLOW_RIG_H
#define FLOW_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flowtable.h"

#define START  1700000000000000ULL
#define SECOND 1000000ULL
#define IDLE   (30 * SECOND)
#define ACTIVE (120 * SECOND)
#define LINGER (5 * SECOND)
#define GRAIN  262144 /* how late a sweep may be: a tick */
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
	uint64_t told_records, told_packets, told_octets; /* of these */
};

static inline void
on_finish(void *arg, struct flow *f)
{
	struct rig *r = arg;

	assert_int_equal(f->end, FLOW_END_NONE);
	r->finished++;
}

static inline void
on_end(void *arg, struct flow *f)
{
	struct rig *r = arg;

	assert_true(r->ngot < KEPT);
	assert_true(f->packets[0] + f->packets[1] > 0);
	r->got[r->ngot++] = f;
}

static inline bool
on_wait(void *arg)
{
	struct rig *r = arg;
	bool any = false;

	r->waited++;
	while (r->give_back > 0 && r->ngot > 0) {
		const struct flow *f = r->got[r->ngot - 1];

		r->told_records++;
		r->told_packets += f->packets[0] + f->packets[1];
		r->told_octets += f->octets[0] + f->octets[1];
		flowtable_put(r->t, r->got[--r->ngot]);
		r->give_back--;
		any = true;
	}
	return any;
}

static inline void
rig_options(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->opt = (struct flowtable_options){.max = 1024, .spare = 1024, .details = 1024,
		.serial_first = 1, .serial_step = 1, .seed = 42, .idle_us = IDLE,
		.active_us = ACTIVE, .linger_us = LINGER, .parts = FLOWKEY_DEFAULT};
}

static inline void
rig_open(struct rig *r)
{
	struct flowtable_calls calls = {on_finish, on_end, on_wait, r};

	r->t = flowtable_new(&r->opt, &calls, &r->counters);
	assert_non_null(r->t);
}

static inline void
rig_new(struct rig *r)
{
	rig_options(r);
	rig_open(r);
}

static inline void
rig_home(struct rig *r)
{
	while (r->ngot > 0)
		flowtable_put(r->t, r->got[--r->ngot]);
}

static inline void
rig_free(struct rig *r)
{
	flowtable_flush(r->t, FLOW_END_FORCED);
	assert_int_equal(flowtable_count(r->t), 0);
	rig_home(r);
	assert_int_equal(flowtable_away(r->t), 0);
	flowtable_free(r->t);
}

/* Packet of conversation N: endpoint 0 is 10.0.0.1, 1 is 10.x.y.2; DIR 0 from 10.0.0.1. */
static inline struct packet
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

static inline struct flow *
feed(struct rig *r, const struct packet *p)
{
	struct flowkey key;
	uint64_t hash;
	unsigned dir = flowtable_prepare(r->t, p, &key, &hash);

	return flowtable_packet(r->t, p, &key, hash, dir);
}

static inline struct flow *
udp(struct rig *r, unsigned n, unsigned dir, uint64_t us)
{
	struct packet p = packet_of(n, dir, us, 17);

	return feed(r, &p);
}

static inline struct flow *
tcp(struct rig *r, unsigned n, unsigned dir, uint64_t us, uint8_t flags, uint32_t seq)
{
	struct packet p = packet_of(n, dir, us, 6);

	p.tcp_flags = flags;
	p.seq = seq;
	return feed(r, &p);
}

/* Three packets: a connection that is not in LIST_NEW. */
static inline void
tcp_open(struct rig *r, unsigned n, uint64_t us)
{
	tcp(r, n, 0, us, TCP_SYN, 1000);
	tcp(r, n, 1, us + 1, TCP_SYN | ACK, 5000);
	tcp(r, n, 0, us + 2, ACK, 1001);
}

static inline struct flow *
alive(const struct rig *r, unsigned n, uint8_t proto)
{
	struct packet p = packet_of(n, 0, 0, proto);
	struct flowkey key;

	flowkey_make(&key, &p, r->opt.parts);
	return flowtable_find(r->t, &key);
}

static inline uint64_t
count(const struct rig *r, enum counter id)
{
	return counter_get(&r->counters, id);
}

#endif
