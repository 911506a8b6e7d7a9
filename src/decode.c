/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode.c -- the entrance of the decoder, and the headers nearly every frame has:
 * Ethernet, its tags, MPLS, IPv4 and IPv6. Owns nothing and remembers nothing; all
 * state is in the cursor, on the stack.
 *
 * The way from an Ethernet frame over IP to TCP or UDP has no loop and no table; it was
 * measured at 20 to 27 ns a packet, with and without a VLAN tag. Each header costs one
 * from the cursor's budget, so neither a stack of labels without end nor a chain of
 * extension headers can cost more than PACKET_LAYERS_MAX steps.
 */
#include <stddef.h>

#include "decode_int.h"
#include "frag.h"

#define IP4_HDR_LEN 20
#define IP6_HDR_LEN 40
#define IP6_OPT_JUMBO 0xc2 /* RFC 2675 §2 */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void
vlan_note(struct packet *pkt, unsigned tci)
{
	unsigned id = tci & 0xfff;

	/* id 0 is a priority, not a VLAN (802.1Q §9.6) */
	if (id == 0)
		return;
	if (pkt->vlan == 0)
		pkt->vlan = (uint16_t)id;
	else
		pkt->vlan_inner = (uint16_t)id;
}

/* How long a tag before the next type field is, or 0: TYPE is no such tag. */
static unsigned
tag_len(unsigned type)
{
	switch (type) {
	case ETHERTYPE_VLAN:
	case 0x88a8: /* 802.1ad */
	case 0x9100: /* QinQ before it had a number */
	case 0x9200:
	case 0x9300:
		return 2;
	case 0x8926: /* VN-Tag */
	case 0x892f: /* HSR: path and size, sequence */
	case 0xf1c1: /* 802.1CB R-TAG */
		return 4;
	case 0x893f: /* 802.1BR E-TAG */
		return 6;
	default:
		return 0;
	}
}

/* Cisco metadata: version, length in words, options; then the next type. */
static enum counter
decode_cmd(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 2)
		return COUNTER_DROP_LINK_SHORT;
	len = 2 + 4 * (uint32_t)p[1];
	if (cursor_left(c, p) < len + 2)
		return COUNTER_DROP_LINK_SHORT;
	return decode_ethertype(c, be16(p + len), p + len + 2);
}

/* MACsec that is only authenticated: 802.1AE §9.3, TCI bits SC 0x20, E 0x08, C 0x04. */
static enum counter
decode_macsec(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 1)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] & 0x0c)
		return COUNTER_DROP_NOT_IP;
	len = p[0] & 0x20 ? 14 : 6;
	if (cursor_left(c, p) < len + 2)
		return COUNTER_DROP_LINK_SHORT;
	return decode_ethertype(c, be16(p + len), p + len + 2);
}

/* PPPoE session, RFC 2516 §4: version and type 1, code 0. */
static enum counter
decode_pppoe(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 6)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] != 0x11)
		return COUNTER_DROP_LINK_BAD;
	return decode_ppp(c, p + 6);
}

/* An Ethernet frame LEN bytes on. */
static enum counter
ethernet_after(struct cursor *c, const uint8_t *p, uint32_t len)
{
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	return decode_ethernet(c, p + len);
}

/* TRILL, RFC 6325 §3: the length of the options is in words, across two bytes. */
static enum counter
decode_trill(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 6)
		return COUNTER_DROP_LINK_SHORT;
	return ethernet_after(c, p, 6 + 4 * ((p[0] & 7u) << 2 | p[1] >> 6));
}

/* What follows a type field, tags aside. */
static enum counter
decode_payload(struct cursor *c, unsigned type, const uint8_t *p)
{
	switch (type) {
	case ETHERTYPE_MPLS:
	case 0x8848: /* upstream-assigned labels, RFC 5332 */
		return decode_mpls(c, p);
	case 0x8864:
		return decode_pppoe(c, p);
	case ETHERTYPE_TEB:
		return decode_ethernet(c, p);
	case 0x88e7: /* 802.1ah: I-SID, then the customer's frame */
		return ethernet_after(c, p, 4);
	case 0x8903: /* FabricPath: forwarding tag */
		return ethernet_after(c, p, 2);
	case 0x22f3:
		return decode_trill(c, p);
	case 0x8909:
		return decode_cmd(c, p);
	case 0x88e5:
		return decode_macsec(c, p);
	case 0x8870: /* LLC in a jumbo frame */
		return decode_llc(c, p);
	case ETHERTYPE_NSH:
		return decode_nsh(c, p);
	default:
		return COUNTER_DROP_NOT_IP;
	}
}

enum counter
decode_ethertype(struct cursor *c, unsigned type, const uint8_t *p)
{
	unsigned len;

	while ((len = tag_len(type)) != 0) {
		if (!cursor_pay(c))
			return COUNTER_DROP_DEPTH;
		if (cursor_left(c, p) < len + 2)
			return COUNTER_DROP_LINK_SHORT;
		if (len == 2)
			vlan_note(c->pkt, be16(p));
		type = be16(p + len);
		p += len + 2;
	}
	if (type == ETHERTYPE_IP4)
		return decode_ip_as(c, 4, p);
	if (type == ETHERTYPE_IP6)
		return decode_ip_as(c, 6, p);
	if (type <= ETHER_LEN_MAX)
		return decode_llc(c, p);
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	return decode_payload(c, type, p);
}

enum counter
decode_ethernet(struct cursor *c, const uint8_t *p)
{
	unsigned type;

	if (cursor_left(c, p) < ETHER_HDR_LEN)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	cursor_macs(c, p, p + 6);
	type = be16(p + 12);
	if (type <= ETHER_LEN_MAX)
		return decode_8023(c, p);
	return decode_ethertype(c, type, p + ETHER_HDR_LEN);
}

/* Network service header, RFC 8300 §2: length in words, next protocol. */
enum counter
decode_nsh(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	len = 4 * (p[1] & 0x3fu);
	if (len < 8)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	switch (p[3]) {
	case 1:
		return decode_ip_as(c, 4, p + len);
	case 2:
		return decode_ip_as(c, 6, p + len);
	case 3:
		return decode_ethernet(c, p + len);
	case 4:
		return decode_nsh(c, p + len);
	case 5:
		return decode_mpls(c, p + len);
	default:
		return COUNTER_DROP_NOT_IP;
	}
}

/* Could an IP datagram begin at P? Its length must fit into what was sent. */
static bool
ip_plausible(const struct cursor *c, const uint8_t *p)
{
	uint32_t wire = cursor_wire(c, p), len;

	if (cursor_left(c, p) < IP4_HDR_LEN)
		return false;
	if (p[0] >> 4 == 6)
		return IP6_HDR_LEN + (uint32_t)be16(p + 4) <= wire;
	if (p[0] >> 4 != 4 || (p[0] & 15) < 5)
		return false;
	len = be16(p + 2);
	return len >= 4u * (p[0] & 15) && len <= wire;
}

/* Could an Ethernet frame with an IP datagram begin at P, be it tagged once? */
static bool
ethernet_plausible(const struct cursor *c, const uint8_t *p)
{
	uint32_t hlen = ETHER_HDR_LEN;
	unsigned type;

	if (cursor_left(c, p) < ETHER_HDR_LEN + 4)
		return false;
	type = be16(p + 12);
	if (tag_len(type) == 2) {
		type = be16(p + 16);
		hlen += 4;
	}
	if (type != ETHERTYPE_IP4 && type != ETHERTYPE_IP6)
		return false;
	p += hlen;
	return ip_plausible(c, p) && p[0] >> 4 == (type == ETHERTYPE_IP4 ? 4 : 6);
}

/*
 * Below the last label: nothing says what it is. RFC 4928 §3 keeps IP's version nibbles
 * free, RFC 4385 §3 has 0 for the control word of a pseudowire; but a pseudowire need
 * not have one and begins with a MAC address then, whatever its first nibble.
 */
static enum counter
mpls_payload(struct cursor *c, const uint8_t *p)
{
	struct mark m;
	enum counter r;

	if (cursor_left(c, p) < 4)
		return COUNTER_DROP_LINK_SHORT;
	if (ip_plausible(c, p) && !ethernet_plausible(c, p))
		return decode_ip(c, p);
	cursor_mark(c, &m);
	if (p[0] >> 4 == 0) {
		r = decode_ethernet(c, p + 4);
		if (r == COUNTER_FLOW_PACKETS)
			return r;
		cursor_back(c, &m);
	}
	r = decode_ethernet(c, p);
	if (r == COUNTER_FLOW_PACKETS || (p[0] >> 4 != 4 && p[0] >> 4 != 6))
		return r;
	cursor_back(c, &m);
	return decode_ip(c, p); /* so that it is said what is wrong with it */
}

enum counter
decode_mpls(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;
	bool bottom;

	do {
		if (!cursor_pay(c))
			return COUNTER_DROP_DEPTH;
		if (cursor_left(c, p) < 4)
			return COUNTER_DROP_LINK_SHORT;
		if (pkt->nmpls < PACKET_MPLS_MAX)
			pkt->mpls[pkt->nmpls++] = be24(p);
		bottom = p[2] & 1;
		p += 4;
	} while (!bottom);
	return mpls_payload(c, p);
}

/* The IP layer at P, LEN captured bytes of which are its own, is PKT's now. */
static inline void
ip_note(struct cursor *c, const uint8_t *p, unsigned version)
{
	c->pkt->ip_version = (uint8_t)version;
	c->pkt->l3 = p;
	c->pkt->l3_len = cursor_left(c, p);
}

/* A fragment without its transport header: the ports are known elsewhere, if at all. */
static void
fragment_later(struct cursor *c, unsigned proto, const uint8_t *p)
{
	struct packet *pkt = c->pkt;

	pkt->proto = (uint8_t)proto;
	/* a first fragment that carries one is none that has ports (IPv6, two headers) */
	pkt->flags &= (uint16_t)~PACKET_FRAG_FIRST;
	pkt->flags |= PACKET_FRAG_LATER;
	pkt->payload_wire = cursor_wire(c, p);
	c->fragment = true;
	if (c->d->frag != NULL)
		frag_get(c->d->frag, pkt, c->frag_id);
	else
		counter_inc(c->d->counters, COUNTER_FRAG_ORPHANS);
}

static enum counter
decode_ip4(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;
	uint32_t left = cursor_left(c, p), hlen, len;
	unsigned frag;

	if (left < IP4_HDR_LEN)
		return COUNTER_DROP_IP_SHORT;
	hlen = 4 * (p[0] & 15u);
	len = be16(p + 2);
	if (len == 0 && pkt->ntunnels == 0) {
		/* left to the network card to cut up: the frame knows how long it is */
		len = cursor_wire(c, p);
		counter_inc(c->d->counters, COUNTER_IP4_LEN_ZERO);
	}
	if (hlen < IP4_HDR_LEN || len < hlen)
		return COUNTER_DROP_IP4_BAD;
	if (left < hlen)
		return COUNTER_DROP_IP_SHORT;
	cursor_limit(c, p, len);
	ip_note(c, p, 4);
	pkt->octets = len;
	pkt->tos = p[1];
	pkt->ttl = p[8];
	memcpy(pkt->src, mapped, sizeof(mapped));
	memcpy(pkt->src + 12, p + 12, 4);
	memcpy(pkt->dst, mapped, sizeof(mapped));
	memcpy(pkt->dst + 12, p + 16, 4);
	frag = be16(p + 6);
	if (frag & 0x3fff) { /* more fragments, or an offset */
		c->frag_id = be16(p + 4);
		if (frag & 0x1fff) {
			fragment_later(c, p[9], p + hlen);
			return COUNTER_FLOW_PACKETS;
		}
		pkt->flags |= PACKET_FRAG_FIRST;
		c->fragment = true;
	}
	decode_l4(c, p[9], p + hlen);
	return COUNTER_FLOW_PACKETS;
}

/*
 * Where the transport header of an IPv6 packet is. Extension headers are skipped, ESP
 * and AH are not: they are the flow's protocol. A chain that is cut within a header, or
 * longer than the budget, makes a packet of the protocol the last header read names:
 * whoever sends such chains shall not stay uncounted.
 */
static void
ip6_extensions(struct cursor *c, unsigned proto, const uint8_t *p)
{
	uint32_t left, len;

	for (;;) {
		left = cursor_left(c, p);
		switch (proto) {
		case IPPROTO_IS_FRAGMENT:
			len = 8;
			break;
		case IPPROTO_IS_MOBILITY:
		case IPPROTO_IS_HIP:
		case IPPROTO_IS_SHIM6:
			/* with nothing behind it the message itself, RFC 6275 §6.1.1 */
			if (left >= 1 && p[0] == IPPROTO_IS_NONE)
				goto out;
			/* FALLTHROUGH */
		case IPPROTO_IS_HOPOPTS:
		case IPPROTO_IS_ROUTING:
		case IPPROTO_IS_DSTOPTS:
			len = left >= 2 ? 8 * (p[1] + 1u) : 8;
			break;
		default:
			goto out;
		}
		if (left < len || !cursor_pay(c)) {
			counter_inc(c->d->counters,
			    left < len ? COUNTER_L4_SHORT : COUNTER_L4_BAD);
			c->pkt->proto = (uint8_t)(left >= 2 ? p[0] : proto);
			c->pkt->payload_wire = cursor_wire(c, p);
			return;
		}
		/* offset 0 and no more to come is atomic: no fragment, RFC 6946 */
		if (proto == IPPROTO_IS_FRAGMENT && (be16(p + 2) & 0xfff9) != 0) {
			c->frag_id = be32(p + 4);
			if (be16(p + 2) & 0xfff8) {
				fragment_later(c, p[0], p + len);
				return;
			}
			c->pkt->flags |= PACKET_FRAG_FIRST;
			c->fragment = true;
		}
		proto = p[0];
		p += len;
	}
out:
	decode_l4(c, proto, p);
}

/* Does the hop-by-hop header at P have a length that IPv6's own field could not hold?
 * RFC 2675 §3 forbids any other. */
static bool
ip6_is_jumbo(const struct cursor *c, const uint8_t *p)
{
	uint32_t left = cursor_left(c, p), len, at = 2;

	if (left < 8)
		return false;
	len = 8 * (p[1] + 1u);
	if (len > left)
		len = left;
	while (at + 1 < len) {
		if (p[at] == IP6_OPT_JUMBO)
			return at + 6 <= len && be32(p + at + 2) > UINT16_MAX;
		at += p[at] == 0 ? 1 : 2u + p[at + 1];
	}
	return false;
}

static enum counter
decode_ip6(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;
	uint32_t len, wire;

	if (cursor_left(c, p) < IP6_HDR_LEN)
		return COUNTER_DROP_IP_SHORT;
	len = IP6_HDR_LEN + be16(p + 4);
	if (len == IP6_HDR_LEN) {
		/* a jumbogram says so; segmentation offload may leave it out */
		wire = cursor_wire(c, p);
		if (wire > IP6_HDR_LEN + UINT16_MAX ||
		    (p[6] == IPPROTO_IS_HOPOPTS && ip6_is_jumbo(c, p + IP6_HDR_LEN)))
			len = wire;
	}
	cursor_limit(c, p, len);
	ip_note(c, p, 6);
	pkt->octets = len;
	pkt->tos = (uint8_t)(be16(p) >> 4);
	pkt->ttl = p[7];
	memcpy(pkt->src, p + 8, 16);
	memcpy(pkt->dst, p + 24, 16);
	if (p[6] == IPPROTO_IS_TCP || p[6] == IPPROTO_IS_UDP)
		decode_l4(c, p[6], p + IP6_HDR_LEN);
	else
		ip6_extensions(c, p[6], p + IP6_HDR_LEN);
	return COUNTER_FLOW_PACKETS;
}

enum counter
decode_ip(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 1)
		return COUNTER_DROP_IP_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	switch (p[0] >> 4) {
	case 4:
		return decode_ip4(c, p);
	case 6:
		return decode_ip6(c, p);
	default:
		return COUNTER_DROP_IP4_BAD;
	}
}

/* The IP packet at P, whose VERSION the header before it has told. */
enum counter
decode_ip_as(struct cursor *c, unsigned version, const uint8_t *p)
{
	if (cursor_left(c, p) >= 1 && p[0] >> 4 != version)
		return version == 4 ? COUNTER_DROP_IP4_BAD : COUNTER_DROP_IP6_BAD;
	return decode_ip(c, p);
}

/* What the later ones inherit. Out of the way of all the packets that are whole. */
__attribute__((noinline)) static void
fragment_first(const struct cursor *c)
{
	if (c->d->sub != NULL)
		c->pkt->sub = c->d->sub(c->d->arg, c->pkt);
	frag_put(c->d->frag, c->pkt, c->frag_id);
}

/* Count what is known only now that the flow's layer is chosen. */
static void
decode_finish(const struct cursor *c)
{
	struct packet *pkt = c->pkt;

	if (c->fragment)
		counter_inc(c->d->counters, COUNTER_FRAGMENTS);
	if (pkt->flags & PACKET_FRAG_FIRST && c->d->frag != NULL)
		fragment_first(c);
	if (pkt->ntunnels > 0)
		counter_inc(c->d->counters, COUNTER_TUNNELED);
	if (pkt->payload_len != pkt->payload_wire ||
	    pkt->flags & (PACKET_FRAG_FIRST | PACKET_FRAG_LATER))
		pkt->flags |= PACKET_CUT;
}

/*
 * All fields are written, so that a packet is a value that can be compared. In pieces:
 * one clear of this size becomes a string instruction that costs a quarter of the whole
 * decoding of a plain TCP packet.
 */
static inline void
packet_clear(struct packet *pkt)
{
	memset(pkt, 0, offsetof(struct packet, src));
	memset(pkt->src, 0,
	    offsetof(struct packet, mpls) - offsetof(struct packet, src));
	memset(pkt->mpls, 0, sizeof(pkt->mpls));
	memset(&pkt->tunnel, 0, sizeof(*pkt) - offsetof(struct packet, tunnel));
	pkt->wscale = 0xff;
}

static inline void
packet_begin(struct packet *pkt, const struct frame *f)
{
	packet_clear(pkt);
	pkt->ts_us = f->ts_us;
	pkt->wirelen = f->wirelen;
	pkt->port = f->port;
}

enum counter
decode_any(const struct decode *d, const struct frame *f, struct packet *pkt)
{
	struct cursor c = {
	    .d = d,
	    .pkt = pkt,
	    .end = f->data + f->caplen,
	    .missing = f->wirelen > f->caplen ? f->wirelen - f->caplen : 0,
	    .budget = PACKET_LAYERS_MAX,
	};
	enum counter r;

	packet_begin(pkt, f);
	if (c.missing > 0)
		pkt->flags = PACKET_TRUNCATED;
	if (f->link == 1)
		r = decode_ethernet(&c, f->data);
	else
		r = decode_link(&c, f->link, f->data);
	if (r == COUNTER_FLOW_PACKETS)
		decode_finish(&c);
	return r;
}

enum counter
decode_frame(const struct decode *d, const struct frame *f, struct packet *pkt)
{
	packet_begin(pkt, f);
	return decode_usual(d, f, pkt) ? COUNTER_FLOW_PACKETS : decode_any(d, f, pkt);
}
