/* SPDX-License-Identifier: BSD-3-Clause */
/* reorder.c -- streams of octets from TCP segments (RFC 9293 §3.4, §3.10.7). */
#include "reorder.h"

#include <string.h>

/* A reset is believed this far from what is expected. */
#define RESET_BEHIND (1 << 16)
#define RESET_AHEAD  (1 << 24)

/*
 * Octets of one packet, or of one kept. LEN and WIRE apart: compilers copy two neighbours at
 * once, and a load of what was stored in two pieces waits until all stores are done.
 */
struct piece {
	uint64_t ts_us;
	const uint8_t *data;
	uint32_t len, seq, wire;
	bool fin;
};

/* Sequence numbers wrap: A before B. */
static inline bool
seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

void
reorder_began(struct reorder *r, unsigned side, uint32_t isn)
{
	struct reorder_side *s = &r->side[side];

	s->isn = isn;
	s->next = isn + 1;
	s->syn = s->synced = true;
}

static void
side_clear(struct reorder_side *s, struct pool *pool)
{
	struct reorder_segment *g;

	while ((g = s->head) != NULL) {
		s->head = g->next;
		pool_put(pool, g);
	}
	s->segments = 0;
}

void
reorder_clear(struct reorder *r, struct pool *pool)
{
	side_clear(&r->side[0], pool);
	side_clear(&r->side[1], pool);
}

static void
side_gap(struct reorder_side *s, uint32_t n)
{
	s->gap = n > MC_GAP_START - s->gap ? MC_GAP_START : s->gap + n;
}

/* Cut what is before NEXT from P. False: nothing is left. */
static bool
piece_trim(const struct reorder_side *s, struct piece *p)
{
	uint32_t old = s->next - p->seq;

	if (!seq_before(p->seq, s->next))
		return true;
	if (old > p->wire || (old == p->wire && !p->fin))
		return false;
	p->seq += old;
	p->wire -= old;
	p->data = old < p->len ? p->data + old : NULL;
	p->len = old < p->len ? p->len - old : 0;
	return true;
}

/* Hand on P, which is what comes next. */
static bool
side_give(struct reorder *r, unsigned side, const struct reorder_sink *k,
    const struct piece *p)
{
	struct reorder_side *s = &r->side[side];
	struct mc_packet m = {
		.ts_us = p->ts_us,
		.data = p->data,
		.len = p->len,
		.wire_len = p->wire,
		.dir = (uint8_t)side,
		.fin = p->fin,
	};

	s->next = p->seq + p->wire + p->fin;
	s->ended = p->fin;
	if (p->len == 0 && p->wire > 0) { /* none of it was captured */
		side_gap(s, p->wire);
		m.wire_len = 0;
	}
	m.gap = s->gap;
	s->gap = 0;
	if (m.len == 0 && m.gap == 0 && !m.fin)
		return true;
	return k->take(k->arg, &m);
}

/* Take HEAD off and hand it on. */
static bool
side_give_head(struct reorder *r, unsigned side, const struct reorder_sink *k)
{
	struct reorder_side *s = &r->side[side];
	struct reorder_segment *g = s->head;
	struct piece p = {g->ts_us, g->data, g->len, g->seq, g->wire, g->fin};
	bool more = true;

	s->head = g->next;
	s->segments--;
	if (s->head != NULL)
		s->hole_us = s->head->ts_us;
	if (!s->ended && piece_trim(s, &p))
		more = side_give(r, side, k, &p);
	pool_put(k->segments, g);
	return more;
}

/* Is the hole before HEAD one that nothing will fill? */
static bool
side_gives_up(const struct reorder_side *s, uint64_t now_us)
{
	if (s->has_ack && !seq_before(s->acked, s->head->seq))
		return true;
	return now_us > s->hole_us && now_us - s->hole_us > REORDER_HOLE_US;
}

/* Hand on what is kept and comes next. */
static bool
side_run(struct reorder *r, unsigned side, const struct reorder_sink *k)
{
	struct reorder_side *s = &r->side[side];

	while (s->head != NULL && !seq_before(s->next, s->head->seq))
		if (!side_give_head(r, side, k))
			return false;
	return true;
}

/* What is missing before SEQ is left behind. */
static void
side_skip(struct reorder_side *s, uint32_t seq)
{
	if (!seq_before(s->next, seq))
		return;
	side_gap(s, seq - s->next);
	s->next = seq;
}

/* Hand on what can be; all of it if FORCE says how many holes to leave behind. */
static bool
side_settle(struct reorder *r, unsigned side, const struct reorder_sink *k,
    uint64_t now_us, unsigned force)
{
	struct reorder_side *s = &r->side[side];

	while (side_run(r, side, k)) {
		if (s->head == NULL || (force == 0 && !side_gives_up(s, now_us)))
			return true;
		if (force > 0)
			force--;
		side_skip(s, s->head->seq);
	}
	return false;
}

/* Keep one segment behind *AT: LEN octets from OFFSET of P, standing for WIRE. */
static struct reorder_segment *
side_insert(struct reorder *r, struct reorder_side *s, struct pool *pool,
    struct reorder_segment **at, const struct piece *p, uint32_t offset, uint32_t wire)
{
	struct reorder_segment *g;
	uint32_t len = offset < p->len ? p->len - offset : 0;

	if (s->segments == REORDER_SEGMENTS)
		return NULL;
	g = pool_get(pool, offsetof(struct reorder_segment, data));
	if (g == NULL)
		return NULL;
	g->ts_us = p->ts_us;
	g->seq = p->seq + offset;
	g->wire = wire;
	g->len = len < wire ? len : wire;
	g->order = r->order;
	if (g->len > 0)
		memcpy(g->data, p->data + offset, g->len);
	if (s->head == NULL)
		s->hole_us = p->ts_us;
	g->next = *at;
	*at = g;
	s->segments++;
	return g;
}

/* How much of P from OFFSET on goes into one segment, of ROOM octets before the next. */
static uint32_t
segment_take(const struct piece *p, uint32_t offset, uint32_t room)
{
	uint32_t len = offset < p->len ? p->len - offset : 0;

	/* what was not captured needs no octets of a segment */
	if (len > REORDER_SEGMENT && room > REORDER_SEGMENT)
		return REORDER_SEGMENT;
	return room;
}

/* Keep that P's side ends behind it, unless octets that came before say it does not. False:
 * no room. */
static bool
side_keep_fin(struct reorder *r, unsigned side, struct pool *pool, const struct piece *p)
{
	struct reorder_side *s = &r->side[side];
	struct reorder_segment **at = &s->head, *g = NULL;
	uint32_t end = p->seq + p->wire;

	for (; *at != NULL && seq_before((*at)->seq, end); at = &g->next)
		g = *at;
	if (*at != NULL && (*at)->seq == end)
		return true; /* more octets, or the same */
	if (g != NULL && seq_before(end, g->seq + g->wire))
		return true;
	if (g == NULL || g->seq + g->wire != end)
		g = side_insert(r, s, pool, at, p, p->wire, 0);
	if (g == NULL)
		return false;
	g->fin = true;
	return true;
}

/* Keep P but for what is kept already. False: no room for all of it. */
static bool
side_keep(struct reorder *r, unsigned side, struct pool *pool, const struct piece *p)
{
	struct reorder_side *s = &r->side[side];
	struct reorder_segment **at = &s->head, *g;
	uint32_t done = 0;

	r->order++;
	while (done < p->wire) {
		uint32_t seq = p->seq + done, room = p->wire - done;

		g = *at;
		if (g != NULL && !seq_before(seq, g->seq + g->wire)) {
			at = &g->next;
			continue;
		}
		if (g != NULL && !seq_before(seq, g->seq)) { /* it has this already */
			done += g->seq + g->wire - seq;
			continue;
		}
		if (g != NULL && g->seq - seq < room)
			room = g->seq - seq;
		room = segment_take(p, done, room);
		g = side_insert(r, s, pool, at, p, done, room);
		if (g == NULL)
			return false;
		done += room;
	}
	return !p->fin || side_keep_fin(r, side, pool, p);
}

/* P comes next, but octets of it were kept before: those count. */
static bool
side_give_between(struct reorder *r, unsigned side, const struct reorder_sink *k,
    struct piece *p)
{
	struct reorder_side *s = &r->side[side];

	while (s->head != NULL && seq_before(s->head->seq, p->seq + p->wire)) {
		struct piece part = *p;

		part.wire = s->head->seq - p->seq;
		part.len = part.len < part.wire ? part.len : part.wire;
		part.fin = false;
		if (!side_give(r, side, k, &part) || !side_run(r, side, k))
			return false;
		if (s->ended || !piece_trim(s, p))
			return true;
	}
	return side_give(r, side, k, p);
}

/* P came early. */
static bool
side_early(struct reorder *r, unsigned side, const struct reorder_sink *k,
    const struct piece *p)
{
	struct reorder_side *s = &r->side[side];
	struct piece rest = *p;

	if (s->head == NULL && s->has_ack && !seq_before(s->acked, p->seq)) {
		side_skip(s, p->seq); /* the receiver has what is missing here */
		return side_give(r, side, k, p);
	}
	while (!side_keep(r, side, k->segments, &rest)) {
		/* a hole is left behind for it; not more: REST may fill them */
		if (s->head == NULL || seq_before(rest.seq, s->head->seq)) {
			side_skip(s, rest.seq);
			return side_give_between(r, side, k, &rest);
		}
		side_skip(s, s->head->seq);
		if (!side_run(r, side, k))
			return false;
		if (s->ended || !piece_trim(s, &rest))
			return true;
		if (rest.seq == s->next)
			return side_give_between(r, side, k, &rest);
	}
	return true;
}

static bool
side_accept(struct reorder *r, unsigned side, const struct reorder_sink *k,
    struct piece *p)
{
	struct reorder_side *s = &r->side[side];

	if (s->ended)
		return true;
	if (!s->synced) {
		s->synced = true;
		s->next = p->seq;
		s->gap = MC_GAP_START;
	}
	if (!piece_trim(s, p))
		return true;
	if (k->take == NULL)
		return side_keep(r, side, k->segments, p);
	if (p->seq != s->next)
		return side_early(r, side, k, p);
	return side_give_between(r, side, k, p);
}

/* Nothing more of SIDE, though no FIN said so. */
static bool
side_end(struct reorder *r, unsigned side, const struct reorder_sink *k, uint64_t ts_us)
{
	struct piece p = {.ts_us = ts_us, .seq = r->side[side].next, .fin = true};

	if (r->side[side].ended)
		return true;
	return side_give(r, side, k, &p);
}

static bool
reorder_reset(struct reorder *r, const struct reorder_sink *k, const struct packet *pkt,
    unsigned side)
{
	struct reorder_side *s = &r->side[side];
	int32_t off = (int32_t)(pkt->seq - s->next);
	unsigned i;

	if ((s->synced && (off < -RESET_BEHIND || off > RESET_AHEAD)) || k->take == NULL)
		return true;
	for (i = 0; i < 2; i++)
		if (!side_settle(r, i, k, pkt->ts_us, REORDER_SEGMENTS + 1) ||
		    !side_end(r, i, k, pkt->ts_us))
			return false;
	return true;
}

static void
side_begin(struct reorder *r, unsigned side, struct pool *pool, uint32_t isn)
{
	side_clear(&r->side[side], pool);
	memset(&r->side[side], 0, sizeof(r->side[side]));
	reorder_began(r, side, isn);
}

static void
side_syn(struct reorder *r, unsigned side, struct pool *pool, uint32_t isn)
{
	struct reorder_side *s = &r->side[side];

	if (s->syn && s->isn == isn)
		return; /* the same again */
	if (!s->synced || s->ended) {
		side_begin(r, side, pool, isn);
		return;
	}
	s->again = isn;
	s->reopening = true;
}

/* P is the first since a SYN within the stream: which of the two does it belong to? */
static void
side_reopen(struct reorder *r, unsigned side, struct pool *pool, const struct piece *p)
{
	struct reorder_side *s = &r->side[side];

	if (p->seq == s->again + 1)
		side_begin(r, side, pool, s->again);
	else if (p->seq == s->next)
		s->reopening = false;
}

bool
reorder_packet(struct reorder *r, const struct reorder_sink *k, const struct packet *pkt,
    unsigned side)
{
	struct reorder_side *peer = &r->side[!side];
	struct piece p = {
		.ts_us = pkt->ts_us,
		.data = pkt->payload,
		.seq = pkt->seq,
		.len = pkt->payload_len < pkt->payload_wire ? pkt->payload_len
							    : pkt->payload_wire,
		.wire = pkt->payload_wire,
		.fin = (pkt->tcp_flags & TCP_FIN) != 0,
	};

	if (pkt->tcp_flags & TCP_SYN) {
		side_syn(r, side, k->segments, pkt->seq);
		p.seq++;
	}
	if (pkt->tcp_flags & TCP_RST)
		return reorder_reset(r, k, pkt, side);
	if ((pkt->tcp_flags & TCP_ACK) &&
	    (!peer->has_ack || seq_before(peer->acked, pkt->ack))) {
		peer->acked = pkt->ack;
		peer->has_ack = true;
	}
	/* not P's fields, for the same reason */
	if (pkt->payload_wire > 0 || (pkt->tcp_flags & TCP_FIN)) {
		if (r->side[side].reopening)
			side_reopen(r, side, k->segments, &p);
		if (!side_accept(r, side, k, &p))
			return false;
	}
	if (k->take == NULL || (peer->head == NULL && r->side[side].head == NULL))
		return true;
	return side_settle(r, side, k, pkt->ts_us, 0) &&
	    side_settle(r, !side, k, pkt->ts_us, 0);
}

bool
reorder_release(struct reorder *r, const struct reorder_sink *k)
{
	for (;;) {
		struct reorder_segment *best = NULL;
		unsigned i, side = 0;

		for (i = 0; i < 2; i++) {
			struct reorder_segment *g = r->side[i].head;

			if (g == NULL || seq_before(r->side[i].next, g->seq))
				continue;
			if (best == NULL || (int32_t)(g->order - best->order) < 0) {
				best = g;
				side = i;
			}
		}
		if (best == NULL)
			return true;
		if (!side_give_head(r, side, k))
			return false;
	}
}

bool
reorder_give_up(struct reorder *r, unsigned side, uint64_t now_us, bool force)
{
	struct reorder_side *s = &r->side[side];

	if (s->head == NULL || !seq_before(s->next, s->head->seq) ||
	    (!force && !side_gives_up(s, now_us)))
		return false;
	side_skip(s, s->head->seq);
	return true;
}

uint32_t
reorder_peek(const struct reorder *r, unsigned side, uint8_t *buf, uint32_t size,
    uint32_t *gap)
{
	const struct reorder_side *s = &r->side[side];
	const struct reorder_segment *g;
	uint32_t n = 0, next = s->next, len;

	*gap = s->gap;
	for (g = s->head; g != NULL && g->seq == next && n < size; g = g->next) {
		len = g->len < size - n ? g->len : size - n;
		memcpy(buf + n, g->data, len);
		n += len;
		if (g->len < g->wire)
			break; /* not all captured */
		next += g->wire;
	}
	return n;
}

bool
reorder_flush(struct reorder *r, const struct reorder_sink *k)
{
	return side_settle(r, 0, k, 0, REORDER_SEGMENTS + 1) &&
	    side_settle(r, 1, k, 0, REORDER_SEGMENTS + 1);
}
