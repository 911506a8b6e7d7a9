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

static void
flowtcp_late(const struct flow *f, struct flow_tcp *t, const struct packet *pkt,
    uint32_t end)
{
	/* both sides' halves, twice: there and back */
	uint64_t rtt = 2 * ((uint64_t)f->client_nw_us + f->server_nw_us);
	uint64_t limit = rtt > REORDER_US ? rtt : REORDER_US;
	bool in_hole = t->holed && !seq_before(pkt->seq, t->hole[0]) &&
	    seq_before(pkt->seq, t->hole[1]);
	uint32_t known = t->next_seq - pkt->seq;

	if (pkt->payload_wire <= 1 && !(pkt->tcp_flags & (TCP_SYN | TCP_FIN)) &&
	    end == t->next_seq)
		return; /* keep-alive */
	/* from when the hole was left: a sender may go on sending while it resends */
	if (in_hole && pkt->ts_us <= t->hole_us + limit)
		t->ooorder++;
	else {
		t->retrans++;
		t->retrans_bytes += pkt->payload_wire < known ? pkt->payload_wire : known;
	}
	if (!in_hole)
		return;
	if (pkt->seq == t->hole[0])
		t->hole[0] = end;
	else
		t->hole[1] = pkt->seq;
	if (!seq_before(t->hole[0], t->hole[1]))
		t->holed = false;
}

static void
flowtcp_sequence(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_tcp *t = &f->tcp[dir];
	uint32_t len = pkt->payload_wire, end;

	len += (pkt->tcp_flags & TCP_SYN) != 0;
	len += (pkt->tcp_flags & TCP_FIN) != 0;
	if (len == 0 || (pkt->tcp_flags & TCP_RST))
		return;
	end = pkt->seq + len;
	if (!t->valid) {
		t->valid = true;
		t->next_seq = end;
	} else if (pkt->seq == t->next_seq)
		t->next_seq = end;
	else if (seq_before(t->next_seq, pkt->seq)) {
		t->holed = true;
		t->hole[0] = t->next_seq;
		t->hole[1] = pkt->seq;
		t->hole_us = pkt->ts_us;
		t->next_seq = end;
	} else {
		flowtcp_late(f, t, pkt, end);
		if (seq_before(t->next_seq, end))
			t->next_seq = end;
	}
}

void
flowtcp_packet(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_tcp *t = &f->tcp[dir];

	if (pkt->flags & PACKET_FRAG_LATER)
		return;
	t->flags |= pkt->tcp_flags;
	t->fin |= (pkt->tcp_flags & TCP_FIN) != 0;
	if (pkt->tcp_flags & TCP_RST || (f->tcp[0].fin && f->tcp[1].fin))
		f->flags |= FLOW_CLOSING;
	if (!(pkt->flags & PACKET_HAS_TCP))
		return;
	if (!(pkt->tcp_flags & TCP_RST)) {
		if (!t->windowed || pkt->window < t->win_min)
			t->win_min = pkt->window;
		t->windowed = true;
		if (pkt->window > t->win_max)
			t->win_max = pkt->window;
	}
	if (pkt->tcp_flags & TCP_SYN) {
		t->syn = true;
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
	return !t->syn || t->isn != pkt->seq;
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
