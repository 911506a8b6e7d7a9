/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtcp.c -- TCP as seen from the middle.
 *
 * A segment below the highest sequence number sent so far is one of three things: it
 * fills the hole that an earlier jump left and comes soon enough to have been overtaken
 * on the way (out of order); it repeats octets the probe has seen, or comes later than a
 * round trip (retransmission); or it is a keep-alive, which repeats the last octet and
 * counts as neither. One hole per direction is remembered, the latest.
 */
#include "flowtcp.h"

#include <string.h>

/* Overtaking on the way takes less than this; resending takes a round trip at least. */
#define REORDER_US 3000

/* Sequence numbers wrap: A before B (RFC 9293 §3.4). */
static inline bool
seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Are there more of them than fit? */
static inline bool
flowtcp_is_many(const struct flow *f, unsigned dir, uint32_t bytes)
{
	return (f->flags & FLOW_FEW) && (f->few.retrans[dir] == UINT16_MAX ||
	    bytes > (uint32_t)UINT16_MAX - f->few.retrans_bytes[dir]);
}

/* A segment with BYTES that were sent before, and F has no details. */
static void
flowtcp_few(struct flow *f, unsigned dir, uint32_t bytes)
{
	if (flowtcp_is_many(f, dir, bytes) || bytes > UINT16_MAX)
		return; /* there was no memory for it: counted */
	if (!(f->flags & FLOW_FEW))
		f->few = (struct flow_few){0};
	f->flags |= FLOW_FEW;
	f->few.retrans[dir]++;
	f->few.retrans_bytes[dir] += (uint16_t)bytes;
}

/* For how long a segment that is missing may have been overtaken. */
static uint64_t
flowtcp_overtake_us(const struct flow *f)
{
	/* both sides' halves, twice: there and back */
	uint64_t rtt = 2 * ((uint64_t)f->client_nw_us + f->server_nw_us);

	return rtt > REORDER_US ? rtt : REORDER_US;
}

static void
flowtcp_late(struct flow *f, const struct packet *pkt, unsigned dir, uint32_t end)
{
	struct flow_detail *detail = flow_details(f);
	struct flow_loss *l = detail != NULL ? &detail->loss[dir] : NULL;
	const struct flow_tcp *t = &f->tcp[dir];
	bool in_hole = l != NULL && l->holed && !seq_before(pkt->seq, l->hole[0]) &&
	    seq_before(pkt->seq, l->hole[1]);
	uint32_t known = t->next_seq - pkt->seq;
	uint32_t bytes = pkt->payload_wire < known ? pkt->payload_wire : known;

	if (pkt->payload_wire <= 1 && !(pkt->tcp_flags & (TCP_SYN | TCP_FIN)) &&
	    end == t->next_seq)
		return; /* keep-alive */
	if (l == NULL) {
		flowtcp_few(f, dir, bytes);
		return;
	}
	/* from when the hole was left: a sender may go on sending while it resends */
	if (in_hole && pkt->ts_us <= l->hole_us + flowtcp_overtake_us(f))
		l->ooorder++;
	else {
		l->retrans++;
		l->retrans_bytes += bytes;
	}
	if (!in_hole)
		return;
	if (pkt->seq == l->hole[0])
		l->hole[0] = end;
	else
		l->hole[1] = pkt->seq;
	if (!seq_before(l->hole[0], l->hole[1]))
		l->holed = false;
}

/* PKT leaves a hole before it. */
static void
flowtcp_hole(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_loss *l;

	if (flow_details(f) == NULL)
		return;
	l = &f->detail->loss[dir];
	l->holed = true;
	l->hole[0] = f->tcp[dir].next_seq;
	l->hole[1] = pkt->seq;
	l->hole_us = pkt->ts_us;
}

/* Sequence numbers that PKT takes. */
static uint32_t
flowtcp_len(const struct packet *pkt)
{
	uint32_t len = pkt->payload_wire;

	len += (pkt->tcp_flags & TCP_SYN) != 0;
	len += (pkt->tcp_flags & TCP_FIN) != 0;
	return pkt->tcp_flags & TCP_RST ? 0 : len;
}

bool
flowtcp_needs_detail(const struct flow *f, const struct packet *pkt, unsigned dir)
{
	if (!(f->tcp_state[dir] & FLOW_TCP_VALID) || pkt->seq == f->tcp[dir].next_seq ||
	    (pkt->flags & (PACKET_FRAG_LATER | PACKET_HAS_TCP)) != PACKET_HAS_TCP ||
	    flowtcp_len(pkt) == 0)
		return false;
	return seq_before(f->tcp[dir].next_seq, pkt->seq) || pkt->payload_wire > UINT16_MAX ||
	    flowtcp_is_many(f, dir, pkt->payload_wire);
}

static void
flowtcp_sequence(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_tcp *t = &f->tcp[dir];
	uint32_t len = flowtcp_len(pkt), end = pkt->seq + len;

	if (len == 0)
		return;
	if (!(f->tcp_state[dir] & FLOW_TCP_VALID)) {
		f->tcp_state[dir] |= FLOW_TCP_VALID;
		t->next_seq = end;
	} else if (pkt->seq == t->next_seq)
		t->next_seq = end;
	else if (seq_before(t->next_seq, pkt->seq)) {
		flowtcp_hole(f, pkt, dir);
		t->next_seq = end;
	} else {
		flowtcp_late(f, pkt, dir, end);
		if (seq_before(t->next_seq, end))
			t->next_seq = end;
	}
}

void
flowtcp_packet(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_tcp *t = &f->tcp[dir];
	uint8_t *state = &f->tcp_state[dir];

	if (pkt->flags & PACKET_FRAG_LATER)
		return;
	t->flags |= pkt->tcp_flags;
	if (pkt->tcp_flags & TCP_FIN)
		*state |= FLOW_TCP_FIN;
	if (pkt->tcp_flags & TCP_RST ||
	    (f->tcp_state[0] & f->tcp_state[1] & FLOW_TCP_FIN))
		f->flags |= FLOW_CLOSING;
	if (!(pkt->flags & PACKET_HAS_TCP))
		return;
	if (!(pkt->tcp_flags & TCP_RST)) {
		if (!(*state & FLOW_TCP_WINDOWED) || pkt->window < t->win_min)
			t->win_min = pkt->window;
		*state |= FLOW_TCP_WINDOWED;
		if (pkt->window > t->win_max)
			t->win_max = pkt->window;
	}
	if (pkt->tcp_flags & TCP_SYN) {
		*state |= FLOW_TCP_SYN;
		t->isn = pkt->seq;
		t->mss = pkt->mss;
		t->wscale = pkt->wscale;
	}
	flowtcp_sequence(f, pkt, dir);
}

bool
flowtcp_reopens(const struct flow *f, const struct packet *pkt, unsigned dir)
{
	const struct flow_tcp *t = &f->tcp[dir];

	if (!(f->flags & FLOW_CLOSING) || !(pkt->flags & PACKET_HAS_TCP) ||
	    (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return false;
	/* the same SYN again is late, not new */
	return !(f->tcp_state[dir] & FLOW_TCP_SYN) || t->isn != pkt->seq;
}

/* Microseconds from the mark, 0 if time went backwards, saturated. */
static uint32_t
flow_since_mark(const struct flow *f, uint64_t ts_us)
{
	uint64_t us = ts_us > f->mark_us ? ts_us - f->mark_us : 0;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void
flow_handshake(struct flow *f, const struct packet *pkt, bool client)
{
	unsigned flags = pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST);

	if (flags == TCP_SYN && client && f->stage <= FLOW_STAGE_SYN) {
		f->stage = FLOW_STAGE_SYN;
		f->mark_us = pkt->ts_us;
	} else if (flags == (TCP_SYN | TCP_ACK) && !client &&
	    (f->stage == FLOW_STAGE_SYN || f->stage == FLOW_STAGE_SYNACK)) {
		if (f->stage == FLOW_STAGE_SYN)
			f->server_nw_us = flow_since_mark(f, pkt->ts_us) / 2;
		f->stage = FLOW_STAGE_SYNACK;
		f->mark_us = pkt->ts_us;
	} else if (flags == TCP_ACK && client && f->stage == FLOW_STAGE_SYNACK) {
		f->client_nw_us = flow_since_mark(f, pkt->ts_us) / 2;
		f->stage = FLOW_STAGE_OPEN;
	}
}

void
flow_latency(struct flow *f, const struct packet *pkt, unsigned dir)
{
	bool client = dir == flow_client(f);

	if (f->stage == FLOW_STAGE_DONE)
		return;
	if (pkt->proto == 6 && f->stage < FLOW_STAGE_OPEN)
		flow_handshake(f, pkt, client);
	if (pkt->payload_wire == 0 || f->stage == FLOW_STAGE_SYN ||
	    f->stage == FLOW_STAGE_SYNACK)
		return;
	if (client) {
		f->stage = FLOW_STAGE_ASKED;
		f->mark_us = pkt->ts_us;
	} else if (f->stage == FLOW_STAGE_ASKED) {
		f->appl_us = flow_since_mark(f, pkt->ts_us);
		f->stage = FLOW_STAGE_DONE;
	}
}
