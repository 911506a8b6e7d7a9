/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode_l4.c -- transport headers. Nothing here can lose a packet: an IP header was
 * read, so there is a flow, and a transport header cut short (L4_SHORT) or malformed
 * (L4_BAD) only leaves ports or payload out. Costs O(header).
 */
#include "decode_int.h"

#define TCP_HDR_LEN 20
#define UDP_HDR_LEN 8

/* The rest of the packet, from P on, is payload. */
static inline void
payload_note(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;

	pkt->payload_len = cursor_left(c, p);
	pkt->payload_wire = cursor_wire(c, p);
	pkt->payload = pkt->payload_len > 0 ? p : NULL;
}

/* The header at P, HLEN bytes, is not there in full: say how much payload was sent. */
static void
l4_short(struct cursor *c, const uint8_t *p, uint32_t hlen)
{
	uint32_t wire = cursor_wire(c, p);

	c->pkt->payload_wire = wire > hlen ? wire - hlen : 0;
	counter_inc(c->d->counters, COUNTER_L4_SHORT);
}

/* The ports TCP, UDP, UDP-Lite, SCTP and DCCP all begin with. */
static inline bool
ports_note(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 4)
		return false;
	c->pkt->sport = be16(p);
	c->pkt->dport = be16(p + 2);
	return true;
}

/* MSS (RFC 9293 §3.7.1) and window scale (RFC 7323 §2.2): only a SYN carries them. */
static void
tcp_options(struct packet *pkt, const uint8_t *p, const uint8_t *end)
{
	while (p < end && p[0] != 0) {
		if (p[0] == 1) { /* no operation */
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		if (p[0] == 2 && p[1] == 4)
			pkt->mss = be16(p + 2);
		else if (p[0] == 3 && p[1] == 3)
			pkt->wscale = p[2];
		p += p[1];
	}
}

static void
decode_tcp(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;
	uint32_t left = cursor_left(c, p), hlen;

	ports_note(c, p);
	if (left >= 14)
		pkt->tcp_flags = p[13];
	if (left < TCP_HDR_LEN) {
		l4_short(c, p, TCP_HDR_LEN);
		return;
	}
	hlen = 4 * (p[12] >> 4);
	if (hlen < TCP_HDR_LEN || hlen > cursor_wire(c, p)) {
		counter_inc(c->d->counters, COUNTER_L4_BAD);
		return;
	}
	pkt->seq = be32(p + 4);
	pkt->ack = be32(p + 8);
	pkt->window = be16(p + 14);
	pkt->flags |= PACKET_HAS_TCP;
	if (pkt->tcp_flags & TCP_SYN && hlen > TCP_HDR_LEN)
		tcp_options(pkt, p + TCP_HDR_LEN, p + (hlen < left ? hlen : left));
	if (left < hlen)
		l4_short(c, p, hlen);
	else
		payload_note(c, p + hlen);
}

/*
 * UDP. Its length may be below that of the IP payload, never above it; but that of a
 * first fragment is the whole datagram's, and 0 stands for a jumbogram (RFC 2675 §4) or
 * offload. The tunnels over UDP begin here.
 */
static void
decode_udp(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;
	uint32_t len;

	ports_note(c, p);
	if (cursor_left(c, p) < UDP_HDR_LEN) {
		l4_short(c, p, UDP_HDR_LEN);
		return;
	}
	len = be16(p + 4);
	if (len >= UDP_HDR_LEN && len < cursor_wire(c, p))
		cursor_limit(c, p, len);
	payload_note(c, p + UDP_HDR_LEN);
	if (len != 0 && len != cursor_wire(c, p) && !(pkt->flags & PACKET_FRAG_FIRST)) {
		counter_inc(c->d->counters, COUNTER_L4_BAD);
		if (len < UDP_HDR_LEN)
			return;
	}
	if (c->d->tunnels && pkt->payload_len > 0)
		tunnel_udp(c, p + UDP_HDR_LEN);
}

/* UDP-Lite (whose length field is the checksum's reach), SCTP, DCCP. */
static void
decode_ports(struct cursor *c, const uint8_t *p, uint32_t hlen)
{
	ports_note(c, p);
	if (cursor_left(c, p) < hlen)
		l4_short(c, p, hlen);
	else
		payload_note(c, p + hlen);
}

/* DCCP's data offset counts words, RFC 4340 §5.1. */
static void
decode_dccp(struct cursor *c, const uint8_t *p)
{
	uint32_t hlen = 12;

	if (cursor_left(c, p) >= 12) {
		hlen = 4u * p[4];
		if (hlen < 12 || hlen > cursor_wire(c, p)) {
			ports_note(c, p);
			counter_inc(c->d->counters, COUNTER_L4_BAD);
			return;
		}
	}
	decode_ports(c, p, hlen);
}

static void
decode_icmp(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) >= 2) {
		c->pkt->icmp_type = p[0];
		c->pkt->icmp_code = p[1];
		c->pkt->flags |= PACKET_HAS_ICMP;
	}
	if (cursor_left(c, p) < 8)
		l4_short(c, p, 8);
	else
		payload_note(c, p + 8);
}

void
decode_l4(struct cursor *c, unsigned proto, const uint8_t *p)
{
	c->pkt->proto = (uint8_t)proto;
	switch (proto) {
	case IPPROTO_IS_TCP:
		decode_tcp(c, p);
		break;
	case IPPROTO_IS_UDP:
		decode_udp(c, p);
		break;
	case IPPROTO_IS_ICMP:
	case IPPROTO_IS_ICMP6:
		decode_icmp(c, p);
		break;
	case IPPROTO_IS_UDPLITE:
		decode_ports(c, p, 8);
		break;
	case IPPROTO_IS_SCTP:
		decode_ports(c, p, 12);
		break;
	case IPPROTO_IS_DCCP:
		decode_dccp(c, p);
		break;
	default:
		payload_note(c, p);
		if (c->d->tunnels)
			tunnel_proto(c, proto, p);
		break;
	}
}
