/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode_tunnel.c -- what is inside tunnels. The packet before the tunnel is kept on
 * the stack and put back when what is inside is no IP packet, so that nothing is lost
 * by looking. Nesting ends at PACKET_TUNNELS_MAX; the cursor's budget bounds the rest.
 * Costs a copy of struct packet per tunnel; packets of other protocols and ports pay
 * for one switch.
 */
#include "decode_int.h"

enum {
	PORT_L2TP = 1701,
	PORT_GTP_C = 2123,
	PORT_GTP_U = 2152,
	PORT_GTP_0 = 3386,
	PORT_TEREDO = 3544,
	PORT_LISP = 4341,
	PORT_LISP_CONTROL = 4342,
	PORT_GRE = 4754,
	PORT_VXLAN = 4789,
	PORT_VXLAN_GPE = 4790,
	PORT_AYIYA = 5072,
	PORT_CAPWAP = 5247,
	PORT_GENEVE = 6081,
	PORT_MPLS = 6635,
	PORT_TZSP = 37008,
};

typedef enum counter tunnel_fn(struct cursor *, const uint8_t *);

static tunnel_fn *udp_tunnel(unsigned sport, unsigned dport);
static tunnel_fn tunnel_gre;

/*
 * The tunnel's header has been read: from here on PKT is the packet inside. False if
 * this would be one tunnel too many.
 */
static bool
tunnel_enter(struct cursor *c, enum tunnel_type type, uint32_t id)
{
	struct packet *pkt = c->pkt;
	struct tunnel *t = &pkt->tunnel;

	if (pkt->ntunnels == PACKET_TUNNELS_MAX) {
		c->too_deep = true;
		return false;
	}
	if (pkt->ntunnels++ == 0) {
		t->type = (uint8_t)type;
		t->ip_version = pkt->ip_version;
		t->proto = pkt->proto;
		memcpy(t->src, pkt->src, sizeof(t->src));
		memcpy(t->dst, pkt->dst, sizeof(t->dst));
		t->sport = pkt->sport;
		t->dport = pkt->dport;
		t->id = id;
	}
	pkt->flags &= PACKET_TRUNCATED | PACKET_HAS_MAC;
	pkt->sport = pkt->dport = 0;
	pkt->payload = NULL;
	pkt->payload_len = pkt->payload_wire = 0;
	return true;
}

/* Follow the tunnel FN reads at P; back to the outer packet if that leads nowhere. */
static void
tunnel_follow(struct cursor *c, tunnel_fn *fn, const uint8_t *p)
{
	struct mark m;
	enum counter r;

	cursor_mark(c, &m);
	r = fn(c, p);
	if (r == COUNTER_FLOW_PACKETS)
		return;
	cursor_back(c, &m);
	if (c->too_deep)
		counter_inc(c->d->counters, COUNTER_TUNNEL_DEPTH);
	else if (r != DECODE_NO_TUNNEL)
		counter_inc(c->d->counters, COUNTER_TUNNEL_BAD);
}

/* VERSION is 4 or 6, or 0 where only the packet inside says. */
static enum counter
inside_ip(struct cursor *c, enum tunnel_type type, uint32_t id, unsigned version,
    const uint8_t *p)
{
	if (!tunnel_enter(c, type, id))
		return COUNTER_DROP_DEPTH;
	return version == 0 ? decode_ip(c, p) : decode_ip_as(c, version, p);
}

static enum counter
inside_ethernet(struct cursor *c, enum tunnel_type type, uint32_t id, const uint8_t *p)
{
	return tunnel_enter(c, type, id) ? decode_ethernet(c, p) : COUNTER_DROP_DEPTH;
}

static enum counter
inside_mpls(struct cursor *c, enum tunnel_type type, uint32_t id, const uint8_t *p)
{
	return tunnel_enter(c, type, id) ? decode_mpls(c, p) : COUNTER_DROP_DEPTH;
}

static enum counter
inside_ppp(struct cursor *c, enum tunnel_type type, uint32_t id, const uint8_t *p)
{
	return tunnel_enter(c, type, id) ? decode_ppp(c, p) : COUNTER_DROP_DEPTH;
}

/* IP in IP (RFC 2003, 2473, 4213): protocols 4 and 41. */
static enum counter
tunnel_ipip(struct cursor *c, const uint8_t *p)
{
	return inside_ip(c, TUNNEL_IPIP, 0, c->pkt->proto == IPPROTO_IS_IP6 ? 6 : 4, p);
}

/* The tunnel over UDP inside an authentication header, if there is one. */
static enum counter
ah_udp(struct cursor *c, const uint8_t *p)
{
	tunnel_fn *fn;

	if (cursor_left(c, p) < 8)
		return DECODE_NO_TUNNEL;
	fn = udp_tunnel(be16(p), be16(p + 2));
	return fn != NULL ? fn(c, p + 8) : DECODE_NO_TUNNEL;
}

/*
 * Authentication header, RFC 4302 §2: next header, length in words less two. With IP
 * inside (tunnel mode), or another tunnel, it is looked through; in transport mode it
 * is the flow's protocol and no tunnel.
 */
static enum counter
tunnel_ah(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return DECODE_NO_TUNNEL;
	len = 4 * (p[1] + 2u);
	if (cursor_left(c, p) < len)
		return DECODE_NO_TUNNEL;
	switch (p[0]) {
	case IPPROTO_IS_IPIP:
		return inside_ip(c, TUNNEL_AH, be32(p + 4), 4, p + len);
	case IPPROTO_IS_IP6:
		return inside_ip(c, TUNNEL_AH, be32(p + 4), 6, p + len);
	case IPPROTO_IS_GRE:
		return tunnel_gre(c, p + len);
	case IPPROTO_IS_UDP:
		return ah_udp(c, p + len);
	default:
		return DECODE_NO_TUNNEL;
	}
}

/*
 * Minimal encapsulation, RFC 2004 §3.1: the transport protocol, the true destination
 * and, by the S bit, the true source stand between the IP header and the rest of the
 * packet. The packet inside has no header of its own: L3 stays at the outer one, and
 * its length is the outer one's less the 8 or 12 bytes.
 */
static enum counter
tunnel_minenc(struct cursor *c, const uint8_t *p)
{
	struct packet *pkt = c->pkt;
	uint32_t len;

	if (cursor_left(c, p) < 8 || pkt->ip_version != 4)
		return COUNTER_DROP_IP_SHORT;
	len = p[1] & 0x80 ? 12 : 8;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_IP_SHORT;
	if (!cursor_pay(c) || !tunnel_enter(c, TUNNEL_MINENC, 0))
		return COUNTER_DROP_DEPTH;
	memcpy(pkt->dst + 12, p + 4, 4);
	if (len == 12)
		memcpy(pkt->src + 12, p + 8, 4);
	pkt->octets -= len;
	decode_l4(c, p[0], p + len);
	return COUNTER_FLOW_PACKETS;
}

/* EtherIP, RFC 3378 §3: version 3 in the top four bits of two bytes. */
static enum counter
tunnel_etherip(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 2 || p[0] >> 4 != 3)
		return COUNTER_DROP_LINK_BAD;
	return inside_ethernet(c, TUNNEL_ETHERIP, 0, p + 2);
}

/* Ethernet as an IP protocol, RFC 8986 §4.9. */
static enum counter
tunnel_ethernet(struct cursor *c, const uint8_t *p)
{
	return inside_ethernet(c, TUNNEL_ETHERIP, 0, p);
}

/* MPLS in IP and in UDP. */
static enum counter
tunnel_mpls(struct cursor *c, const uint8_t *p)
{
	return inside_mpls(c, TUNNEL_MPLS_IP, 0, p);
}

/* PIM register, RFC 7761 §4.9.3: a multicast packet on its way to the rendezvous point;
 * with the N bit only its header, to ask. */
static enum counter
tunnel_pim(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 8 || p[0] != 0x21 || p[4] & 0x40)
		return DECODE_NO_TUNNEL;
	return inside_ip(c, TUNNEL_PIM, 0, 0, p + 8);
}

/* ERSPAN type II or III by its version; HEADER: GRE had a sequence number, without
 * which it is type I and has no header at all. */
static enum counter
tunnel_erspan(struct cursor *c, const uint8_t *p, bool header)
{
	uint32_t len;
	unsigned frame;

	if (!header)
		return inside_ethernet(c, TUNNEL_ERSPAN, 0, p);
	if (cursor_left(c, p) < 12)
		return COUNTER_DROP_LINK_SHORT;
	switch (p[0] >> 4) {
	case 1:
		return inside_ethernet(c, TUNNEL_ERSPAN, be16(p + 2) & 0x3ff, p + 8);
	case 2:
		len = p[11] & 1 ? 20 : 12; /* platform subheader */
		break;
	default:
		return COUNTER_DROP_LINK_BAD;
	}
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	frame = p[10] >> 2 & 0x1f;
	if (frame == 2)
		return inside_ip(c, TUNNEL_ERSPAN, be16(p + 2) & 0x3ff, 0, p + len);
	return inside_ethernet(c, TUNNEL_ERSPAN, be16(p + 2) & 0x3ff, p + len);
}

/* WCCP sends packets in GRE, since version 2 behind four bytes of its own. */
static enum counter
tunnel_wccp(struct cursor *c, uint32_t key, const uint8_t *p)
{
	if (cursor_left(c, p) >= 5 && p[0] >> 4 != 4)
		p += 4;
	return inside_ip(c, TUNNEL_GRE, key, 0, p);
}

/* What GRE carries; FLAGS are its first 16 bits. */
static enum counter
gre_payload(struct cursor *c, unsigned flags, uint32_t key, unsigned type,
    const uint8_t *p)
{
	switch (type) {
	case ETHERTYPE_IP4:
		return inside_ip(c, TUNNEL_GRE, key, 4, p);
	case ETHERTYPE_IP6:
		return inside_ip(c, TUNNEL_GRE, key, 6, p);
	case ETHERTYPE_TEB:
		/* NVGRE, RFC 7637 §3.2: the key is VSID and flow id */
		if (flags & 0x2000)
			return inside_ethernet(c, TUNNEL_NVGRE, key >> 8, p);
		return inside_ethernet(c, TUNNEL_GRE, 0, p);
	case 0x6400: /* some switches' mirror of Ethernet */
		return inside_ethernet(c, TUNNEL_GRE, key, p);
	case ETHERTYPE_MPLS:
	case 0x8848:
		return inside_mpls(c, TUNNEL_GRE, key, p);
	case 0x880b:
		return inside_ppp(c, TUNNEL_GRE, key, p);
	case 0x88be:
		return tunnel_erspan(c, p, flags & 0x1000);
	case 0x22eb:
		return tunnel_erspan(c, p, true);
	case 0x883e:
		return tunnel_wccp(c, key, p);
	case ETHERTYPE_NSH:
		return tunnel_enter(c, TUNNEL_GRE, key) ? decode_nsh(c, p) :
							  COUNTER_DROP_DEPTH;
	case 0x6559: /* frame relay */
		return tunnel_enter(c, TUNNEL_GRE, key) ? decode_frelay(c, p) :
							  COUNTER_DROP_DEPTH;
	case 0x0000: /* keepalive */
	case 0x2000: /* CDP */
	case 0x2001: /* NHRP */
		return DECODE_NO_TUNNEL;
	default:
		break;
	}
	if ((type & 0xff0f) != 0x8200) /* 802.11 from access points, one per radio */
		return COUNTER_DROP_NOT_IP;
	return tunnel_enter(c, TUNNEL_GRE, key) ? decode_wlan(c, p, false) :
						  COUNTER_DROP_DEPTH;
}

/* The routing fields of RFC 1701: family, offset, length each; length 0 ends them. */
static const uint8_t *
gre_routing(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	while (cursor_left(c, p) >= 4 && cursor_pay(c)) {
		len = 4 + p[3];
		if (be16(p) == 0 && p[3] == 0)
			return p + 4;
		if (cursor_left(c, p) < len)
			return NULL;
		p += len;
	}
	return NULL;
}

/*
 * GRE: version 0 as in RFC 2784 and 2890, with RFC 1701's routing; version 1 as in RFC
 * 2637 §4.1, whose key is payload length and call, and whose bare acknowledgements have
 * neither a sequence number nor a payload.
 */
static enum counter
tunnel_gre(struct cursor *c, const uint8_t *p)
{
	unsigned flags, type, version;
	uint32_t key = 0, len = 4;

	if (cursor_left(c, p) < 4)
		return COUNTER_DROP_LINK_SHORT;
	flags = be16(p);
	type = be16(p + 2);
	version = flags & 7;
	if (version > 1)
		return COUNTER_DROP_LINK_BAD;
	if (version == 1 && !(flags & 0x1000))
		return DECODE_NO_TUNNEL;
	if (version == 0 && flags & 0xc000) /* checksum or routing: checksum, offset */
		len += 4;
	if (flags & 0x2000) {
		len += 4;
		if (cursor_left(c, p) < len)
			return COUNTER_DROP_LINK_SHORT;
		key = be32(p + len - 4);
		if (version == 1)
			key &= 0xffff;
	}
	if (flags & 0x1000)
		len += 4;
	if (version == 1 && flags & 0x0080)
		len += 4;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	p += len;
	if (version == 0 && flags & 0x4000) {
		p = gre_routing(c, p);
		if (p == NULL)
			return COUNTER_DROP_LINK_BAD;
	}
	return gre_payload(c, flags, key, type, p);
}

/* What is behind GTP's extension headers (TS 29.281 §5.2), or NULL. */
static const uint8_t *
gtp_extensions(struct cursor *c, unsigned next, const uint8_t *p)
{
	uint32_t len;

	while (next != 0) {
		if (!cursor_pay(c) || cursor_left(c, p) < 4)
			return NULL;
		len = 4u * p[0];
		if (len == 0 || cursor_left(c, p) < len)
			return NULL;
		next = p[len - 1];
		p += len;
	}
	return p;
}

/* The user's packet: IP by its version, else Ethernet (5G), else PPP (long ago). */
static enum counter
gtp_payload(struct cursor *c, uint32_t teid, const uint8_t *p)
{
	struct mark m;
	enum counter r;

	if (!tunnel_enter(c, TUNNEL_GTPU, teid))
		return COUNTER_DROP_DEPTH;
	if (cursor_left(c, p) < 1 || p[0] >> 4 == 4 || p[0] >> 4 == 6)
		return decode_ip(c, p);
	cursor_mark(c, &m);
	r = decode_ethernet(c, p);
	if (r == COUNTER_FLOW_PACKETS)
		return r;
	cursor_back(c, &m);
	return decode_ppp(c, p);
}

/*
 * GTP user data, message 255: version 1, TS 29.281 §5.1, whose four optional bytes are
 * there when any of the E, S and PN flags is; version 0, GSM 09.60 §6, twenty bytes, of
 * which the flow label serves as id. All other messages, and prime, are control.
 */
static enum counter
tunnel_gtp(struct cursor *c, const uint8_t *p)
{
	const uint8_t *q;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if ((p[0] & 0xd0) != 0x10 || p[1] != 255)
		return DECODE_NO_TUNNEL;
	if (p[0] >> 5 == 0) {
		if (cursor_left(c, p) < 20)
			return COUNTER_DROP_LINK_SHORT;
		return gtp_payload(c, be16(p + 6), p + 20);
	}
	q = p + 8;
	if (p[0] & 0x07) {
		if (cursor_left(c, p) < 12)
			return COUNTER_DROP_LINK_SHORT;
		q = p + 12;
		if (p[0] & 0x04) {
			q = gtp_extensions(c, p[11], q);
			if (q == NULL)
				return COUNTER_DROP_LINK_BAD;
		}
	}
	return gtp_payload(c, be32(p + 4), q);
}

/* VXLAN, RFC 7348 §5: flags, 24 bits of VNI. Some senders forget the I bit; what is
 * inside tells better whether this is VXLAN. */
static enum counter
tunnel_vxlan(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	return inside_ethernet(c, TUNNEL_VXLAN, be24(p + 4), p + 8);
}

/* VXLAN-GPE: a next protocol where VXLAN has reserved bits; version 0. */
static enum counter
tunnel_vxlan_gpe(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	switch (p[3]) {
	case 1:
		return inside_ip(c, TUNNEL_VXLAN, be24(p + 4), 4, p + 8);
	case 2:
		return inside_ip(c, TUNNEL_VXLAN, be24(p + 4), 6, p + 8);
	case 3:
		return inside_ethernet(c, TUNNEL_VXLAN, be24(p + 4), p + 8);
	case 4:
		return tunnel_enter(c, TUNNEL_VXLAN, be24(p + 4)) ?
		    decode_nsh(c, p + 8) : COUNTER_DROP_DEPTH;
	case 5:
		return inside_mpls(c, TUNNEL_VXLAN, be24(p + 4), p + 8);
	default:
		return COUNTER_DROP_NOT_IP;
	}
}

/* Geneve, RFC 8926 §3.4: version 0, options in words, an EtherType, VNI. */
static enum counter
tunnel_geneve(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] >> 6 != 0)
		return COUNTER_DROP_LINK_BAD;
	len = 8 + 4 * (p[0] & 0x3fu);
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	if (!tunnel_enter(c, TUNNEL_GENEVE, be24(p + 4)))
		return COUNTER_DROP_DEPTH;
	return decode_ethertype(c, be16(p + 2), p + len);
}

/* L2TP data messages, RFC 2661 §3.1: flags say which of the fields are there. */
static enum counter
tunnel_l2tp(struct cursor *c, const uint8_t *p)
{
	uint32_t at = 2, id;
	unsigned flags;

	if (cursor_left(c, p) < 6)
		return COUNTER_DROP_LINK_SHORT;
	flags = be16(p);
	if (flags & 0x8000 || (flags & 0x0f) != 2)
		return DECODE_NO_TUNNEL; /* control, or version 3 */
	if (flags & 0x4000)
		at += 2; /* length */
	if (cursor_left(c, p) < at + 4)
		return COUNTER_DROP_LINK_SHORT;
	id = be32(p + at);
	at += 4;
	if (flags & 0x0800)
		at += 4; /* Ns, Nr */
	if (flags & 0x0200) { /* offset */
		if (cursor_left(c, p) < at + 2)
			return COUNTER_DROP_LINK_SHORT;
		at += 2 + be16(p + at);
	}
	if (cursor_left(c, p) < at)
		return COUNTER_DROP_LINK_SHORT;
	return inside_ppp(c, TUNNEL_L2TP, id, p + at);
}

/*
 * Teredo, RFC 4380 §5.1.1: authentication and origin indication may precede the IPv6
 * header. Nothing else marks it, so the header must fit what was sent exactly enough;
 * anything else on this port is no tunnel.
 */
static enum counter
tunnel_teredo(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) >= 4 && be16(p) == 1) {
		len = 13u + p[2] + p[3];
		if (cursor_left(c, p) < len)
			return DECODE_NO_TUNNEL;
		p += len;
	}
	if (cursor_left(c, p) >= 8 && be16(p) == 0)
		p += 8;
	if (cursor_left(c, p) < 40 || p[0] >> 4 != 6 ||
	    40 + (uint32_t)be16(p + 4) > cursor_wire(c, p))
		return DECODE_NO_TUNNEL;
	return inside_ip(c, TUNNEL_TEREDO, 0, 6, p);
}

/*
 * The 802.11 frame inside CAPWAP. Whether its frame control is in order or swapped the
 * header does not say; the version bits, always 0, and the fact that data leads to LLC
 * do. Swapped is what most access points send.
 */
static enum counter
capwap_wlan(struct cursor *c, const uint8_t *p)
{
	struct mark m;
	enum counter r;

	cursor_mark(c, &m);
	r = decode_wlan(c, p, true);
	if (r == COUNTER_FLOW_PACKETS)
		return r;
	cursor_back(c, &m);
	return decode_wlan(c, p, false);
}

/*
 * CAPWAP data, RFC 5415 §4.3: preamble, header length in words, flags T (native frame),
 * F and L (fragment), K (keepalive). Later fragments carry no header to follow.
 */
static enum counter
tunnel_capwap(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] != 0) /* encrypted, or a version to come */
		return DECODE_NO_TUNNEL;
	len = 4u * (p[1] >> 3);
	if (p[3] & 0x08 || (p[3] & 0x80 && be16(p + 6) >> 3 != 0))
		return DECODE_NO_TUNNEL;
	if (len < 8)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	if (!tunnel_enter(c, TUNNEL_CAPWAP, 0))
		return COUNTER_DROP_DEPTH;
	return p[2] & 1 ? capwap_wlan(c, p + len) : decode_ethernet(c, p + len);
}

/* LISP data, RFC 9300 §5.1: eight bytes, then IP; the instance if the I bit is set. */
static enum counter
tunnel_lisp(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	return inside_ip(c, TUNNEL_LISP, p[0] & 0x08 ? be24(p + 4) : 0, 0, p + 8);
}

/* LISP encapsulated control message, RFC 9301 §5.8: type 8; without the S bit the
 * packet follows at once. All others are control. */
static enum counter
tunnel_lisp_control(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 5 || (p[0] & 0xf8) != 0x80)
		return DECODE_NO_TUNNEL;
	return inside_ip(c, TUNNEL_LISP, 0, 0, p + 4);
}

/*
 * AYIYA: lengths of identity (2 to the nibble) and signature (words), operation 1 is to
 * forward, next header; then four bytes of time, identity and signature.
 */
static enum counter
tunnel_ayiya(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if ((p[2] & 0x0f) != 1 || (p[3] != IPPROTO_IS_IP6 && p[3] != IPPROTO_IS_IPIP))
		return DECODE_NO_TUNNEL;
	len = 8 + (1u << (p[0] >> 4)) + 4u * (p[1] >> 4);
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	return inside_ip(c, TUNNEL_AYIYA, 0, 0, p + len);
}

/* TZSP: version 1, type, what is inside; tags up to the end tag 1, tag 0 is a pad. */
static enum counter
tunnel_tzsp(struct cursor *c, const uint8_t *p)
{
	unsigned inside;

	if (cursor_left(c, p) < 4)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] != 1 || p[1] > 1)
		return DECODE_NO_TUNNEL;
	inside = be16(p + 2);
	p += 4;
	while (cursor_left(c, p) >= 2 && p[0] != 1)
		p += p[0] == 0 ? 1 :
		    2u + p[1] <= cursor_left(c, p) ? 2u + p[1] : cursor_left(c, p);
	if (cursor_left(c, p) < 2)
		return COUNTER_DROP_LINK_SHORT;
	p++;
	if (inside == 1)
		return inside_ethernet(c, TUNNEL_TZSP, 0, p);
	if (inside != 18 || !tunnel_enter(c, TUNNEL_TZSP, 0))
		return COUNTER_DROP_NOT_IP;
	return decode_wlan(c, p, false);
}

void
tunnel_proto(struct cursor *c, unsigned proto, const uint8_t *p)
{
	switch (proto) {
	case IPPROTO_IS_IPIP:
	case IPPROTO_IS_IP6:
		tunnel_follow(c, tunnel_ipip, p);
		break;
	case IPPROTO_IS_GRE:
		tunnel_follow(c, tunnel_gre, p);
		break;
	case IPPROTO_IS_AH:
		tunnel_follow(c, tunnel_ah, p);
		break;
	case IPPROTO_IS_MINENC:
		tunnel_follow(c, tunnel_minenc, p);
		break;
	case IPPROTO_IS_ETHERIP:
		tunnel_follow(c, tunnel_etherip, p);
		break;
	case IPPROTO_IS_PIM:
		tunnel_follow(c, tunnel_pim, p);
		break;
	case IPPROTO_IS_MPLS:
		tunnel_follow(c, tunnel_mpls, p);
		break;
	case IPPROTO_IS_ETHERNET:
		tunnel_follow(c, tunnel_ethernet, p);
		break;
	default:
		break;
	}
}

static tunnel_fn *
port_tunnel(unsigned port)
{
	switch (port) {
	case PORT_L2TP:
		return tunnel_l2tp;
	case PORT_GTP_C: /* user data has been seen there too */
	case PORT_GTP_U:
	case PORT_GTP_0:
		return tunnel_gtp;
	case PORT_TEREDO:
		return tunnel_teredo;
	case PORT_LISP:
		return tunnel_lisp;
	case PORT_LISP_CONTROL:
		return tunnel_lisp_control;
	case PORT_GRE:
		return tunnel_gre;
	case PORT_VXLAN:
		return tunnel_vxlan;
	case PORT_VXLAN_GPE:
		return tunnel_vxlan_gpe;
	case PORT_AYIYA:
		return tunnel_ayiya;
	case PORT_CAPWAP:
		return tunnel_capwap;
	case PORT_GENEVE:
		return tunnel_geneve;
	case PORT_MPLS:
		return tunnel_mpls;
	case PORT_TZSP:
		return tunnel_tzsp;
	default:
		return NULL;
	}
}

/* Services whose clients may by chance have a tunnel's port: no tunnels then. */
static bool
port_service(unsigned port)
{
	switch (port) {
	case 7: case 13: case 19: case 37: case 49: case 53: case 67: case 68:
	case 69: case 88: case 111: case 123: case 137: case 138: case 161: case 162:
	case 389: case 427: case 464: case 500: case 514: case 520: case 521: case 546:
	case 547: case 623: case 646: case 853: case 1194: case 1645: case 1646:
	case 1812: case 1813: case 1900: case 2055: case 3478: case 3799: case 4500:
	case 4739: case 5060: case 5353: case 5355: case 6343:
		return true;
	default:
		return false;
	}
}

/* Either end may have the tunnel's port; the lower of the two has the say. */
static tunnel_fn *
udp_tunnel(unsigned sport, unsigned dport)
{
	unsigned lo = sport < dport ? sport : dport;
	tunnel_fn *fn = port_tunnel(lo);

	if (fn == NULL) {
		fn = port_tunnel(sport < dport ? dport : sport);
		if (fn != NULL && port_service(lo))
			fn = NULL;
	}
	return fn;
}

void
tunnel_udp(struct cursor *c, const uint8_t *p)
{
	tunnel_fn *fn = udp_tunnel(c->pkt->sport, c->pkt->dport);

	if (fn != NULL)
		tunnel_follow(c, fn, p);
}
