/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro_in.c -- frames to packets, packets to flows.
 */
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "flowtable.h"
#include "micro.h"

#define FRAMES	256
#define FRAME	128
#define BATCH	32
#define START	1700000000000000ULL
#define IDLE_NS 30000000000ULL

/* --- decode --- */

enum shape {
	SHAPE_TCP,
	SHAPE_UDP,
	SHAPE_IP6,
	SHAPE_VLAN,
	SHAPE_VXLAN,
	SHAPE_BAD,
};

struct frames {
	struct decode decode;
	struct counters counters;
	struct frame frame[FRAMES];
	uint8_t bytes[FRAMES][FRAME];
	enum counter want;
};

static const uint8_t ip4_tcp[] = {0x45, 0, 0, 86, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 198,
    18, 0, 1, 0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xfa, 0xf0, 0, 0, 0,
    0};
static const uint8_t ip4_udp[] = {0x45, 0, 0, 86, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1,
    198, 18, 0, 1, 0x9c, 0x40, 0, 53, 0, 66, 0, 0};
static const uint8_t ip6_tcp[] = {0x60, 0, 0, 0, 0, 46, 6, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x9c,
    0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xfa, 0xf0, 0, 0, 0, 0};
static const uint8_t vxlan[] = {0x45, 0, 0, 106, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10,
    0, 0, 2, 0x9c, 0x40, 0x12, 0xb5, 0, 86, 0, 0, /* VXLAN */ 8, 0, 0, 0, 0, 0, 7, 0,
    /* Ethernet */ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, /* IP */ 0x45, 0, 0, 56, 0, 1,
    0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 198, 18, 0, 1, 0x9c, 0x40, 0, 53, 0, 36, 0, 0};

static void
frame_make(struct frames *s, unsigned i, enum shape shape)
{
	static const struct {
		const uint8_t *bytes;
		unsigned len, type;
	} l3[] = {{ip4_tcp, sizeof(ip4_tcp), 0x0800}, {ip4_udp, sizeof(ip4_udp), 0x0800},
	    {ip6_tcp, sizeof(ip6_tcp), 0x86dd}, {ip4_tcp, sizeof(ip4_tcp), 0x0800},
	    {vxlan, sizeof(vxlan), 0x0800}, {ip4_tcp, sizeof(ip4_tcp), 0x0800}};
	uint8_t *p = s->bytes[i];
	unsigned at = 12;

	memset(p, 2, at);
	if (shape == SHAPE_VLAN) {
		memcpy(p + at, "\x88\xa8\0\7\x81\0\0\x64", 8);
		at += 8;
	}
	p[at] = (uint8_t)(l3[shape].type >> 8);
	p[at + 1] = (uint8_t)l3[shape].type;
	memcpy(p + at + 2, l3[shape].bytes, l3[shape].len);
	p[at + 2 + 13] = (uint8_t)i; /* some octet of an address */
	if (shape == SHAPE_BAD)
		p[at + 2] = 0x43;
	s->frame[i] = (struct frame){.ts_us = START + i, .data = p, .caplen = FRAME,
		.wirelen = FRAME, .link = 1};
}

static void *
decode_begin(uint32_t shape)
{
	struct frames *s = micro_take(1, sizeof(*s));
	struct packet p;
	unsigned i;

	s->decode.counters = &s->counters;
	s->decode.tunnels = shape == SHAPE_VXLAN;
	for (i = 0; i < FRAMES; i++)
		frame_make(s, i, (enum shape)shape);
	s->want = decode_frame(&s->decode, &s->frame[0], &p);
	micro_check((s->want == COUNTER_FLOW_PACKETS) == (shape != SHAPE_BAD),
	    "a frame is not decoded as it should be");
	micro_check(shape != SHAPE_VXLAN || p.ntunnels == 1, "no tunnel is seen");
	return s;
}

static void
decode_run(void *state, uint32_t n)
{
	struct frames *s = state;
	struct packet p;
	uint32_t i;

	for (i = 0; i < n; i++) {
		enum counter c = decode_frame(&s->decode, &s->frame[i % FRAMES], &p);

		micro_keep(c + p.sport);
	}
}

const struct micro micro_in[] = {
    {"decode tcp", "a frame, IPv4 and TCP", SHAPE_TCP, 100000, decode_begin, decode_run, free},
    {"decode udp", "a frame, IPv4 and UDP", SHAPE_UDP, 100000, decode_begin, decode_run, free},
    {"decode ip6", "a frame, IPv6 and TCP", SHAPE_IP6, 100000, decode_begin, decode_run, free},
    {"decode vlan", "a frame, two tags", SHAPE_VLAN, 100000, decode_begin, decode_run, free},
    {"decode vxlan", "a frame in VXLAN, --tunnel", SHAPE_VXLAN, 100000, decode_begin,
	decode_run, free},
    {"decode bad", "a frame with a bad header", SHAPE_BAD, 100000, decode_begin, decode_run,
	free},
    {0},
};

/* --- the flow table --- */

struct table {
	struct flowtable *t;
	struct counters counters;
	struct packet packet; /* of which all are made */
	uint32_t flows;	      /* alive */
	uint64_t at, us;
	uint64_t ended;
};

static void
table_finish(void *arg, struct flow *f)
{
	(void)arg;
	(void)f;
}

static void
table_end(void *arg, struct flow *f)
{
	struct table *s = arg;

	s->ended++;
	flowtable_put(s->t, f);
}

static bool
table_wait(void *arg)
{
	(void)arg;
	return false;
}

/* The packet of conversation N. */
static void
packet_of(struct packet *p, uint32_t n)
{
	p->src[13] = (uint8_t)(n >> 16);
	p->src[14] = (uint8_t)(n >> 8);
	p->src[15] = (uint8_t)n;
}

/* As a worker does it: keys and buckets of a batch, its records, then its accounts. */
static void
table_batch(struct table *s, const uint32_t *which, unsigned n)
{
	struct packet packet[BATCH];
	struct flowkey key[BATCH];
	uint64_t hash[BATCH];
	unsigned dir[BATCH], i;

	for (i = 0; i < n; i++) {
		packet[i] = s->packet;
		packet[i].ts_us = START + s->us;
		packet_of(&packet[i], which[i]);
		dir[i] = flowtable_prepare(s->t, &packet[i], &key[i], &hash[i]);
	}
	flowtable_fetch(s->t, hash, n);
	for (i = 0; i < n; i++)
		micro_keep((uintptr_t)flowtable_packet(s->t, &packet[i], &key[i], hash[i],
		    dir[i]));
}

/* Flows whose last packets are EVERY_NS apart. */
static struct table *
table_full(uint32_t flows, uint64_t every_ns)
{
	struct table *s = micro_take(1, sizeof(*s));
	struct flowtable_options o = {.max = flows + flows / 8 + 64, .spare = 1024,
		.details = 64, .serial_first = 1, .serial_step = 1, .seed = 42,
		.idle_us = IDLE_NS / 1000, .active_us = 120000000, .linger_us = 5000000,
		.parts = FLOWKEY_DEFAULT};
	struct flowtable_calls calls = {table_finish, table_end, table_wait, s};
	uint32_t which[BATCH], i, k;

	s->t = flowtable_new(&o, &calls, &s->counters);
	micro_check(s->t != NULL, "no flow table");
	s->flows = flows;
	s->packet = (struct packet){.ip_version = 4, .proto = 17, .octets = 100, .wirelen = 114,
		.ttl = 64, .wscale = 0xff, .sport = 40000, .dport = 5000};
	memcpy(s->packet.src + 10, "\xff\xff\xa", 3);
	memcpy(s->packet.dst + 10, "\xff\xff\xc6\x12\0\1", 6);
	for (i = 0; i + BATCH <= flows; i += BATCH) {
		for (k = 0; k < BATCH; k++)
			which[k] = i + k;
		s->us = i * every_ns / 1000;
		table_batch(s, which, BATCH);
	}
	micro_check(flowtable_count(s->t) == i, "not all flows are alive");
	s->flows = i;
	return s;
}

static void *
hit_begin(uint32_t flows)
{
	return table_full(flows, 0);
}

static void *
new_begin(uint32_t flows)
{
	struct table *s = table_full(flows, IDLE_NS / flows);

	s->at = flows;
	return s;
}

/* Packets of flows that are there, at random. */
static void
table_hit(void *state, uint32_t n)
{
	struct table *s = state;
	uint32_t which[BATCH], i, k;

	for (i = 0; i < n; i += BATCH) {
		for (k = 0; k < BATCH; k++)
			which[k] = (uint32_t)(micro_mix(s->at++) % s->flows);
		table_batch(s, which, BATCH);
	}
}

/* New flows; packet time goes on so that as many end. */
static void
table_new(void *state, uint32_t n)
{
	struct table *s = state;
	uint64_t before = s->ended;
	uint32_t which[BATCH], i, k;

	for (i = 0; i < n; i += BATCH) {
		for (k = 0; k < BATCH; k++)
			which[k] = (uint32_t)(s->at++ & 0xffffff);
		s->us = s->at * (IDLE_NS / s->flows) / 1000;
		table_batch(s, which, BATCH);
	}
	micro_check(s->ended > before, "no flow ends");
}

static void
table_clear(void *state)
{
	struct table *s = state;

	flowtable_flush(s->t, FLOW_END_FORCED);
	flowtable_free(s->t);
	free(s);
}

#define HIT(flows, text) \
	{"flowtable hit " text, "a packet of one of " text " flows", flows, 1 << 16, \
	    hit_begin, table_hit, table_clear}
#define NEW(flows, text) \
	{"flowtable new " text, "a flow that begins and one that ends, of " text, flows, \
	    1 << 16, new_begin, table_new, table_clear}

const struct micro micro_table[] = {
    HIT(1 << 10, "1 k"),
    HIT(1 << 16, "64 k"),
    HIT(1 << 20, "1 M"),
    NEW(1 << 16, "64 k"),
    NEW(1 << 20, "1 M"),
    {0},
};
