/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload_adverse.c -- what somebody sends who wants the probe to be slow, and what it is
 * compared with: as many flows per packet, well-formed.
 */
#include <stdlib.h>
#include <string.h>

#include "workload.h"

#define GAP_US	      20
#define SECONDS	      25 /* all flows are alive */
#define FORMED_EACH   6	 /* packets of a flow */
#define DAMAGED_EACH  10 /* the same after damage: ports that are lost make flows too */
#define COLLIDE_EACH  5	 /* as in small */
#define CLIENTS_MANY  50000
#define TUPLES_A_PAIR 64
#define L3	      14
#define L4	      (L3 + 20)

static uint64_t
even_us(const struct out *o)
{
	return o->packets * SECONDS * SECOND_US / o->limit;
}

/* The Nth of the tuples of formed and malformed; few pairs of hosts, so that it makes no
 * more flows to lose the ports. */
static void
some_tuple(struct conversation *c, uint32_t n)
{
	struct rng r = {n / TUPLES_A_PAIR};

	c->proto = n & 1 ? 6 : 17;
	c->v6 = n / TUPLES_A_PAIR % 8 == 0;
	c->host[0] = CLIENT_NET + 0x10000 + rng_below(&r, CLIENTS_MANY);
	c->host[1] = SERVER_NET + 0x100 + rng_below(&r, SERVERS);
	c->port[0] = (uint16_t)(1024 + rng_below(&r, 60000) + n % TUPLES_A_PAIR);
	c->port[1] = (uint16_t)(8000 + rng_below(&r, 50));
}

/* The next packet of formed, 100 to 400 octets of payload. */
static uint8_t *
some_packet(struct out *o, struct rng *r, struct conversation *c, struct message *m,
    unsigned each)
{
	uint32_t tuples = (uint32_t)(o->limit / each) + 1;

	some_tuple(c, rng_below(r, tuples));
	m->from = rng_next(r) & 1;
	m->flags = ACK;
	m->len = 0;
	c->id = (uint16_t)rng_next(r);
	fill(o, r, m, 100 + rng_below(r, 300));
	return emit(o, c, even_us(o), m);
}

void
make_formed(struct out *o, struct rng *r)
{
	struct conversation c = {0};
	struct message m;

	while (o->packets < o->limit)
		some_packet(o, r, &c, &m, FORMED_EACH);
}

/* What decode has to look at again and again, as far as the frame goes. */
static void
chain(uint8_t *p, unsigned len, unsigned way)
{
	unsigned i;

	if (way == 0) { /* 802.1Q */
		put16(p + 12, 0x8100);
		for (i = 14; i + 4 <= len; i += 4)
			put32(p + i, 0x00648100);
	} else if (way == 1) { /* MPLS labels, none the last */
		put16(p + 12, 0x8847);
		for (i = 14; i + 4 <= len; i += 4)
			put32(p + i, 0x00064040);
	} else { /* IPv6 destination options, 8 octets each, one after the other */
		put16(p + 12, 0x86dd);
		put32(p + L3, 0x60000000);
		put16(p + L3 + 4, len - L3 - 40);
		put16(p + L3 + 6, 60 << 8 | 64);
		for (i = L3 + 40; i + 8 <= len; i += 8) {
			put32(p + i, 0x3c000104);
			put32(p + i + 4, 0);
		}
	}
}

/* Damage the frame of LEN octets at P, that of C. */
static void
damage(struct out *o, struct rng *r, const struct conversation *c, uint8_t *p,
    unsigned len)
{
	unsigned way = rng_below(r, 12), l4 = c->v6 ? L3 + 40 : L4;

	switch (way) {
	case 0:
	case 1:
	case 2:
		chain(p, len, way);
		break;
	case 3: /* of no version */
		p[L3] = 0xf5;
		break;
	case 4: /* a header that ends before it begins; IPv6: a header nobody knows */
		p[c->v6 ? L3 + 6 : L3] = c->v6 ? 0xfd : 0x43;
		break;
	case 5: /* shorter than its header */
		put16(p + L3 + (c->v6 ? 4 : 2), c->v6 ? 0xffff : 19);
		break;
	case 6: /* TCP that ends in its header, UDP shorter than one */
		p[l4 + (c->proto == 6 ? 12 : 4)] = 0;
		p[l4 + 5] = c->proto == 6 ? p[l4 + 5] : 3;
		break;
	case 7: /* options of length 0 as far as a TCP header goes */
		if (c->proto == 6) {
			p[l4 + 12] = 0xf0;
			memset(p + l4 + 20, 2, 20);
		} else
			put16(p + l4 + 4, 65535);
		break;
	case 8: /* captured no further than the middle of a header */
		emit_cut(o, p, L3 + 1 + rng_below(r, 38));
		break;
	case 9: /* a fragment of something that was never there */
		if (!c->v6)
			put16(p + L3 + 6, 0x2000 | (1 + rng_below(r, 8000)));
		else
			p[L3 + 6] = 44;
		break;
	case 10: /* the first fragment of something that never goes on */
		if (!c->v6)
			put16(p + L3 + 6, 0x2000);
		else
			p[L3 + 6] = 0;
		break;
	default: /* noise */
		memcpy(p + L3, o->filler + rng_below(r, FILLER - FRAME_MAX), len - L3);
	}
}

void
make_malformed(struct out *o, struct rng *r)
{
	struct conversation c = {0};
	struct message m;

	while (o->packets < o->limit) {
		uint8_t *frame = some_packet(o, r, &c, &m, DAMAGED_EACH);
		uint32_t len;

		memcpy(&len, frame - 8, sizeof(len));
		damage(o, r, &c, frame, len);
	}
}

/* As dns, two packets a flow, and not one of them in order. */
void
make_dnsbad(struct out *o, struct rng *r)
{
	struct conversation c = {.kind = KIND_DNS, .proto = 17,
		.host = {0, SERVER_NET + 53}};
	struct message m;

	for (c.port[1] = 53; o->packets + 2 <= o->limit;) {
		c.host[0] = CLIENT_NET + 0x10000 + rng_below(r, CLIENTS_MANY);
		c.port[0] = (uint16_t)(1024 + rng_below(r, 64000));
		c.id = (uint16_t)rng_next(r);
		c.name = rng_below(r, NAMES);
		for (m.from = 0; m.from < 2; m.from++) {
			say_dns(&m, &c);
			spoil_dns(o, r, &m);
			emit(o, &c, (o->packets & ~1ull) * GAP_US + m.from * GAP_US, &m);
		}
	}
}

/* The connection number N of its client begins. */
void
make_syn(struct out *o, struct rng *r)
{
	struct conversation c = {.proto = 6};
	struct message m = {.flags = SYN};

	while (o->packets < o->limit) {
		uint32_t n = (uint32_t)o->packets;

		c.host[0] = CLIENT_NET + 0x10000 + n % CLIENTS_MANY;
		c.port[0] = (uint16_t)(1024 + n / CLIENTS_MANY);
		c.host[1] = SERVER_NET + 0x100 + rng_below(r, SERVERS);
		c.port[1] = 443;
		c.seq[0] = (uint32_t)rng_next(r);
		emit(o, &c, even_us(o), &m);
	}
}

void
make_synflood(struct out *o, struct rng *r)
{
	struct conversation c = {.proto = 6, .host = {0, SERVER_NET + 1},
		.port = {0, 80}};
	struct message m = {.flags = SYN};

	while (o->packets < o->limit) {
		c.host[0] = (uint32_t)rng_next(r);
		c.port[0] = (uint16_t)rng_next(r);
		c.seq[0] = (uint32_t)rng_next(r);
		emit(o, &c, even_us(o), &m);
	}
}

void
make_ask(struct out *o, struct rng *r)
{
	struct conversation c = {.kind = KIND_DNS, .proto = 17,
		.host = {0, SERVER_NET + 53}, .port = {0, 53}};
	struct message m = {0};

	while (o->packets < o->limit) {
		uint32_t n = (uint32_t)o->packets;

		c.host[0] = CLIENT_NET + 0x10000 + n % CLIENTS_MANY;
		c.port[0] = (uint16_t)(1024 + n / CLIENTS_MANY);
		c.id = (uint16_t)rng_next(r);
		c.name = rng_below(r, NAMES);
		say_dns(&m, &c);
		emit(o, &c, even_us(o), &m);
	}
}

/* Any addresses, ports and octets. */
void
make_single(struct out *o, struct rng *r)
{
	struct conversation c = {0};
	struct message m = {.flags = ACK};

	while (o->packets < o->limit) {
		c.proto = rng_next(r) & 1 ? 6 : 17;
		c.host[0] = (uint32_t)rng_next(r);
		c.host[1] = (uint32_t)rng_next(r);
		c.port[0] = (uint16_t)rng_next(r);
		c.port[1] = (uint16_t)rng_next(r);
		m.len = 0;
		fill(o, r, &m, 20 + rng_below(r, 60));
		emit(o, &c, even_us(o), &m);
	}
}

/*
 * The Nth of as many as wanted that are one to a hash without a seed: a third each to
 * XOR of all words, to their sum, and to h = 31 h + word.
 */
static void
collide_tuple(struct conversation *c, uint32_t n)
{
	uint32_t i = n / 3;

	c->proto = 17;
	c->host[0] = CLIENT_NET + 0x100000 + i;
	c->port[0] = 40000;
	c->port[1] = 40001;
	if (n % 3 == 0)
		c->host[1] = c->host[0] ^ 0x00800000;
	else if (n % 3 == 1)
		c->host[1] = 0x14f00000 - c->host[0];
	else
		c->host[1] = CLIENT_NET + 0xf00000 - 31 * i;
}

void
make_collide(struct out *o, struct rng *r)
{
	uint32_t n = (uint32_t)o->limit, i, *order = rng_order(r, n);
	struct conversation c = {0};
	struct message m;

	for (i = 0; i < n; i++) {
		collide_tuple(&c, order[i] % (n / COLLIDE_EACH + 1));
		m.from = rng_next(r) & 1;
		m.len = 0;
		fill(o, r, &m, 18);
		emit(o, &c, even_us(o), &m);
	}
	free(order);
}
