/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_reorder.c -- TCP segments as streams.
 *
 *	bytes 0-3	the sequence numbers of side 0 begin here, those of side 1 at their
 *			complement
 *	byte 4		bits 0-4: segments in the pool; bit 5: nobody reads at first
 *	byte 5		how the second reading is cut
 *	then packets	a byte: bit 0 the side, bits 1-3 what it is, bits 4-7 a skip;
 *			and what READ below takes
 *
 * Of each side a map says which octets came, and the value that came first. Held against
 * it: what is handed on is the first copy, in order, once, up to one end; gaps are as
 * long as is said; no octet that came in time is left out; segments within their bounds
 * and all given back. And the same octets come out however segments were cut, as long as
 * the window is not full.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "packet.h"
#include "reorder.h"

const char fuzz_name[] = "reorder";

#define RANGE 49152 /* octets of a side that are watched */
#define DATA  4096  /* of a packet */

enum state {
	NOT_YET,
	CAME,
	CAME_UNCAPTURED,
	MAYBE, /* there was no room for all of the packet */
};

struct map {
	uint8_t state[RANGE], value[RANGE];
	uint32_t base;
	uint32_t sent; /* where the last segment ended */
	uint32_t pos;  /* where the next piece must begin */
	uint64_t hash; /* of what was handed on */
	bool begun;    /* POS is known */
	bool fin;
};

struct run {
	struct reorder r;
	struct pool pool;
	struct map map[2];
	uint64_t now_us;
	uint32_t cut; /* 0: as it is */
	bool keeping; /* nobody reads yet */
	bool full;    /* the window may have been */
	bool late;    /* holes may be old: which piece finds that out is of the cut */
	bool stop;    /* the reader says: no more, at the next piece */
	bool stopped;
	uint8_t data[DATA];
};

/* An octet of side SIDE; VERSION: a liar sends another one. */
static uint8_t
octet(unsigned side, uint32_t seq, unsigned version)
{
	return (uint8_t)((seq * 0x9e3779b1u >> 24) ^ (side * 0x55) ^ (version * 0xaa));
}

static bool
before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static void
map_reset(struct map *m)
{
	memset(m->state, 0, sizeof(m->state));
	m->begun = m->fin = false;
}

/* Octets of a segment arrive. KEPT: there was room for all. */
static void
map_arrive(struct run *u, unsigned side, const struct packet *p, bool fresh, uint32_t next,
    bool kept)
{
	struct map *m = &u->map[side];
	uint32_t i, at, seq = p->seq + !!(p->tcp_flags & TCP_SYN);

	for (i = 0; i < p->payload_wire; i++) {
		at = seq + i - m->base;
		if (at >= RANGE || (!fresh && before(seq + i, next)))
			continue;
		if (!kept)
			m->state[at] = MAYBE;
		if (m->state[at] != NOT_YET)
			continue;
		m->state[at] = i < p->payload_len ? CAME : CAME_UNCAPTURED;
		m->value[at] = i < p->payload_len ? p->payload[i] : 0;
	}
}

/* Octets of [SEQ, SEQ + N) are left out: none of them was there. */
static void
map_skip(const struct map *m, uint32_t seq, uint32_t n)
{
	uint32_t i, at;

	for (i = 0; i < n && i < 4 * RANGE; i++) {
		at = seq + i - m->base;
		CHECK(at >= RANGE || m->state[at] != CAME);
	}
}

static void
map_check(const struct map *m, unsigned side, uint32_t seq, const uint8_t *p, uint32_t n)
{
	uint32_t i, at;

	for (i = 0; i < n; i++) {
		at = seq + i - m->base;
		if (at >= RANGE)
			CHECK(p[i] == octet(side, seq + i, 0));
		else if (m->state[at] == CAME)
			CHECK(p[i] == m->value[at]);
		else
			CHECK(m->state[at] == MAYBE);
	}
}

/* reorder_cb */
static bool
take(void *arg, const struct mc_packet *p)
{
	struct run *u = arg;
	struct map *m = &u->map[p->dir];
	const struct reorder_side *s = &u->r.side[p->dir];
	uint32_t i, at, begin = s->next - p->fin - p->wire_len;

	CHECK(!u->stopped && !m->fin);
	CHECK(p->len <= p->wire_len && (p->len > 0 || p->gap > 0 || p->fin));
	CHECK(u->pool.used <= 2 * REORDER_SEGMENTS);
	u->full |= s->segments + 1 >= REORDER_SEGMENTS || u->pool.free == NULL;
	if (!m->begun)
		CHECK(p->gap == MC_GAP_START || (s->syn && p->gap == begin - s->isn - 1) ||
		    (!s->synced && p->wire_len == 0)); /* reset before it began */
	else if (p->gap != MC_GAP_START) {
		CHECK(m->pos + p->gap == begin);
		map_skip(m, m->pos, p->gap);
	} else
		CHECK(begin - m->pos > INT32_MAX / 2); /* too long for a number */
	m->begun = true;
	map_check(m, p->dir, begin, p->data, p->len);
	map_skip(m, begin + p->len, p->wire_len - p->len);
	for (i = 0; i < p->len; i++) {
		at = begin + i;
		m->hash = fuzz_hash(m->hash, &at, sizeof(at));
		m->hash = fuzz_hash(m->hash, &p->data[i], 1);
	}
	m->pos = begin + p->wire_len;
	m->fin = p->fin;
	if (p->fin)
		m->hash = fuzz_hash(m->hash, &m->pos, sizeof(m->pos));
	u->stopped = u->stop;
	return !u->stop;
}

static struct reorder_sink
run_sink(struct run *u)
{
	struct reorder_sink k = {u->keeping ? NULL : take, u, &u->pool};

	return k;
}

/* What a host does with packets of a flow that nobody reads yet. */
static void
run_keep(struct run *u, bool kept)
{
	uint8_t buf[512];
	uint32_t gap, n;
	unsigned i;

	for (i = 0; i < 2; i++) {
		reorder_give_up(&u->r, i, u->now_us, !kept);
		n = reorder_peek(&u->r, i, buf, sizeof(buf), &gap);
		CHECK(n <= sizeof(buf));
		map_check(&u->map[i], i, u->r.side[i].next, buf, n);
	}
}

static void
run_packet(struct run *u, unsigned side, struct packet *p)
{
	const struct reorder_side *s = &u->r.side[side];
	struct reorder_sink k = run_sink(u);
	struct reorder_side was = *s;
	uint32_t again = p->seq - 1 + !!(p->tcp_flags & TCP_SYN);
	bool fresh, ok, octets = p->payload_wire > 0 || (p->tcp_flags & TCP_FIN) != 0;

	if (u->stopped)
		return;
	p->ts_us = u->now_us;
	fresh = !s->synced;
	if (((p->tcp_flags & TCP_SYN) && !(s->syn && s->isn == p->seq) &&
		(!s->synced || s->ended || octets)) ||
	    (s->reopening && s->again == again && octets && !(p->tcp_flags & TCP_RST))) {
		/* it begins anew */
		map_reset(&u->map[side]);
		fresh = true;
		was.ended = false;
	}
	if (!u->keeping && !(p->tcp_flags & TCP_RST) && !was.ended)
		map_arrive(u, side, p, fresh, was.next, true);
	ok = reorder_packet(&u->r, &k, p, side);
	if (u->keeping && !(p->tcp_flags & TCP_RST) && !was.ended)
		map_arrive(u, side, p, fresh, was.next, ok);
	CHECK(u->r.side[0].segments <= REORDER_SEGMENTS);
	CHECK(u->r.side[1].segments <= REORDER_SEGMENTS);
	CHECK(u->pool.used == u->r.side[0].segments + u->r.side[1].segments + 0u);
	u->full |= u->r.side[0].segments + 1 >= REORDER_SEGMENTS ||
	    u->r.side[1].segments + 1 >= REORDER_SEGMENTS || (u->keeping && !ok);
	if (u->keeping)
		run_keep(u, ok);
	else
		CHECK(ok != u->stopped);
}

/* A segment, in pieces of CUT. */
static void
run_segment(struct run *u, unsigned side, const struct packet *whole)
{
	uint32_t at = 0, n, step = u->cut == 0 ? DATA : u->cut;

	do {
		struct packet p = *whole;

		n = whole->payload_wire - at;
		n = n < step ? n : step;
		p.seq += at;
		p.payload += at;
		p.payload_wire = n;
		p.payload_len = at < whole->payload_len ? whole->payload_len - at : 0;
		p.payload_len = p.payload_len < n ? p.payload_len : n;
		if (at > 0) {
			p.seq += !!(p.tcp_flags & TCP_SYN);
			p.tcp_flags &= (uint8_t)~TCP_SYN;
		}
		at += n;
		if (at < whole->payload_wire)
			p.tcp_flags &= (uint8_t)~TCP_FIN;
		run_packet(u, side, &p);
	} while (at < whole->payload_wire);
}

/* A segment of the input: where it begins is said by WHAT. */
static void
read_segment(struct run *u, struct input *in, unsigned side, unsigned what, unsigned skip)
{
	struct map *m = &u->map[side];
	struct packet p = {.payload = u->data};
	uint16_t n = input_u16(in);
	uint32_t i, seq = m->base + m->sent;
	unsigned version = n >> 13 & 1;

	if (what == 1)
		seq = m->base + (input_u16(in) & 0x7fff);
	else if (what == 2)
		seq += skip * 97;
	else if (what == 3)
		seq = skip == 0 ? input_u32(in) : seq - skip;
	p.tcp_flags = (what == 4 ? TCP_SYN : 0) | (n & 0x8000 ? TCP_FIN : 0) |
	    (n & 0x1000 ? TCP_ACK : 0);
	if (p.tcp_flags & TCP_ACK)
		p.ack = u->map[!side].base + (input_u16(in) & 0x7fff);
	p.payload_wire = p.payload_len = n & 0xfff;
	if (n & 0x4000)
		p.payload_len = (uint16_t)input_u8(in) * 8;
	p.payload_len = p.payload_len < p.payload_wire ? p.payload_len : p.payload_wire;
	p.seq = seq;
	if (what == 4) {
		p.seq = seq = m->base - 1 + skip;
		seq++;
	}
	if (seq - m->base >= RANGE - DATA)
		version = 0;
	for (i = 0; i < p.payload_wire; i++)
		u->data[i] = octet(side, seq + i, version);
	if (what != 3 || skip > 0)
		m->sent = seq + p.payload_wire - m->base;
	run_segment(u, side, &p);
}

static void
read_packet(struct run *u, struct input *in)
{
	uint8_t op = input_u8(in);
	unsigned side = op & 1, what = op >> 1 & 7, skip = op >> 4;
	struct packet p = {.payload = u->data};
	struct reorder_sink k;

	u->now_us += skip == 15 ? REORDER_HOLE_US + 1 : 100;
	u->late |= skip == 15;
	switch (what) {
	case 5: /* a reset, or only an acknowledgement */
		p.tcp_flags = skip & 1 ? TCP_RST : TCP_ACK;
		p.seq = u->map[side].base + input_u16(in);
		p.ack = u->map[!side].base + input_u16(in);
		run_packet(u, side, &p);
		return;
	case 6: /* now somebody reads */
		u->keeping = false;
		k = run_sink(u);
		if (!u->stopped)
			CHECK(reorder_release(&u->r, &k) != u->stopped);
		return;
	case 7:
		u->stop = skip == 7;
		return;
	default:
		read_segment(u, in, side, what, skip);
	}
}

/* Nothing that came is left. */
static void
run_end(struct run *u)
{
	struct reorder_sink k;
	unsigned i;

	u->keeping = false;
	k = run_sink(u);
	if (!u->stopped && reorder_release(&u->r, &k) && reorder_flush(&u->r, &k))
		for (i = 0; i < 2; i++) {
			const struct map *m = &u->map[i];
			uint32_t next = u->r.side[i].next, at = next - m->base;

			CHECK(u->r.side[i].head == NULL);
			if (!u->r.side[i].ended && u->r.side[i].synced && at < RANGE)
				map_skip(m, next, RANGE - at);
		}
	reorder_clear(&u->r, &u->pool);
	CHECK(u->pool.used == 0);
	pool_clear(&u->pool);
}

static void
reading(struct run *u, struct input in, uint8_t head, uint32_t base, uint32_t cut)
{
	memset(u, 0, sizeof(*u));
	pool_init(&u->pool, REORDER_OBJECT, head & 31);
	u->keeping = (head & 32) != 0;
	u->cut = cut;
	u->map[0].base = base;
	u->map[1].base = ~base;
	while (in.left > 0)
		read_packet(u, &in);
	run_end(u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	struct run *u = calloc(1, sizeof(*u));
	uint32_t base = input_u32(&in);
	uint8_t head = input_u8(&in), cut = input_u8(&in);
	uint64_t hash[2];
	bool full;

	CHECK(u != NULL);
	reading(u, in, head, base, 0);
	hash[0] = u->map[0].hash;
	hash[1] = u->map[1].hash;
	full = u->full || u->late || u->stopped || (head & 31) < 2 * REORDER_SEGMENTS;
	if (!full && cut > 0) {
		reading(u, in, head, base, cut * 8u);
		CHECK(u->full || u->stopped ||
		    (u->map[0].hash == hash[0] && u->map[1].hash == hash[1]));
	}
	free(u);
	return 0;
}
