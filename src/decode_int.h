/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode_int.h -- what the files of the decoder share, and nobody else: the cursor that
 * bounds every read, and one function per kind of header. Each of them takes the cursor
 * and the address of its header, checks that it lies within the cursor before reading
 * it, and hands the rest to the next one. They return what decode_frame() returns.
 *
 *	decode.c	the frame, Ethernet and its tags, MPLS, IPv4, IPv6
 *	decode_link.c	the other link types: PPP, HDLC, LLC, 802.11, cooked, ...
 *	decode_l4.c	transport headers
 *	decode_plain.c	plain frames: only which flow one is of; and the short way
 *	decode_tunnel.c	tunnels, and the way back when one leads nowhere
 */
#ifndef MCPROBE_DECODE_INT_H
#define MCPROBE_DECODE_INT_H

#include <string.h>

#include "decode.h"

/*
 * Bytes from the current header to END are captured; MISSING more were sent, by the
 * word of the frame or of the nearest IP length. END only ever moves towards the
 * header: an IP length cuts off what lies behind the datagram.
 */
struct cursor {
	const struct decode *d;
	struct packet *pkt;
	const uint8_t *end;
	uint32_t missing;
	uint32_t frag_id; /* of the IP layer in PKT, when it is a fragment */
	uint8_t budget;	  /* headers that may still be read; never given back */
	bool fragment;	  /* an IP fragment was seen at some layer */
	bool too_deep;	  /* a fifth tunnel was refused */
	bool wlan_pad;	  /* 802.11 headers are padded to 4 bytes (radiotap says so) */
};

/* A place to return to when what follows turns out not to be what it seemed. */
struct mark {
	struct packet pkt;
	const uint8_t *end;
	uint32_t missing, frag_id;
};

/* What a tunnel's parser returns for control messages: nothing wrong, nothing inside. */
#define DECODE_NO_TUNNEL COUNTER_MAX

#define ETHERTYPE_IP4  0x0800
#define ETHERTYPE_IP6  0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_TEB  0x6558
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_NSH  0x894f
#define ETHER_HDR_LEN  14
#define ETHER_LEN_MAX  1500 /* up to here the type field is an 802.3 length */

enum {
	IPPROTO_IS_HOPOPTS = 0,
	IPPROTO_IS_ICMP = 1,
	IPPROTO_IS_IPIP = 4,
	IPPROTO_IS_TCP = 6,
	IPPROTO_IS_UDP = 17,
	IPPROTO_IS_DCCP = 33,
	IPPROTO_IS_IP6 = 41,
	IPPROTO_IS_ROUTING = 43,
	IPPROTO_IS_FRAGMENT = 44,
	IPPROTO_IS_GRE = 47,
	IPPROTO_IS_AH = 51,
	IPPROTO_IS_MINENC = 55,
	IPPROTO_IS_ICMP6 = 58,
	IPPROTO_IS_NONE = 59,
	IPPROTO_IS_DSTOPTS = 60,
	IPPROTO_IS_ETHERIP = 97,
	IPPROTO_IS_PIM = 103,
	IPPROTO_IS_SCTP = 132,
	IPPROTO_IS_MOBILITY = 135,
	IPPROTO_IS_UDPLITE = 136,
	IPPROTO_IS_MPLS = 137,
	IPPROTO_IS_HIP = 139,
	IPPROTO_IS_SHIM6 = 140,
	IPPROTO_IS_ETHERNET = 143,
};

static inline uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t
be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint16_t
le16(const uint8_t *p)
{
	return (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Captured bytes from P on. */
static inline uint32_t
cursor_left(const struct cursor *c, const uint8_t *p)
{
	return (uint32_t)(c->end - p);
}

/* Bytes from P on that were sent, captured or not; saturates. */
static inline uint32_t
cursor_wire(const struct cursor *c, const uint8_t *p)
{
	uint32_t left = cursor_left(c, p);

	return c->missing > UINT32_MAX - left ? UINT32_MAX : left + c->missing;
}

/* Pay for one header. False when the frame has had its share: give up on it. */
static inline bool
cursor_pay(struct cursor *c)
{
	if (c->budget == 0)
		return false;
	c->budget--;
	return true;
}

/* The datagram at P is LEN bytes long: leave out what follows it. */
static inline void
cursor_limit(struct cursor *c, const uint8_t *p, uint32_t len)
{
	uint32_t left = cursor_left(c, p);

	if (len <= left) {
		c->end = p + len;
		c->missing = 0;
	} else
		c->missing = len - left;
}

static inline void
cursor_mark(const struct cursor *c, struct mark *m)
{
	m->pkt = *c->pkt;
	m->end = c->end;
	m->missing = c->missing;
	m->frag_id = c->frag_id;
}

/* The budget stays spent, so trying twice cannot cost more than the frame's share. */
static inline void
cursor_back(struct cursor *c, const struct mark *m)
{
	*c->pkt = m->pkt;
	c->end = m->end;
	c->missing = m->missing;
	c->frag_id = m->frag_id;
}

/* Note the addresses of the outermost frame that has any. */
static inline void
cursor_macs(struct cursor *c, const uint8_t *dst, const uint8_t *src)
{
	if (c->pkt->flags & PACKET_HAS_MAC)
		return;
	memcpy(c->pkt->mac_dst, dst, 6);
	memcpy(c->pkt->mac_src, src, 6);
	c->pkt->flags |= PACKET_HAS_MAC;
}

/* decode.c */
enum counter	 decode_ethernet(struct cursor *, const uint8_t *);
enum counter	 decode_ethertype(struct cursor *, unsigned type, const uint8_t *);
enum counter	 decode_mpls(struct cursor *, const uint8_t *);
enum counter	 decode_nsh(struct cursor *, const uint8_t *);
enum counter	 decode_ip(struct cursor *, const uint8_t *); /* by its version field */
enum counter	 decode_ip_as(struct cursor *, unsigned version, const uint8_t *);

/* decode_frame() without the short way. */
enum counter	 decode_any(const struct decode *, const struct frame *, struct packet *);

/*
 * decode_plain.c: the short way. F into PKT, which is all zeros but for its time, WIRELEN,
 * PORT and WSCALE. False: it is not Ethernet with one tag at most, IP without options or
 * extension headers in one piece, and TCP or UDP, all of it there; some fields of PKT may
 * have been written.
 */
bool		 decode_usual(const struct decode *, const struct frame *, struct packet *);

/* decode_link.c */
enum counter	 decode_link(struct cursor *, unsigned link, const uint8_t *);
enum counter	 decode_8023(struct cursor *, const uint8_t *frame);
enum counter	 decode_llc(struct cursor *, const uint8_t *);
enum counter	 decode_ppp(struct cursor *, const uint8_t *);
enum counter	 decode_frelay(struct cursor *, const uint8_t *);
enum counter	 decode_wlan(struct cursor *, const uint8_t *, bool swapped);

/* decode_l4.c: headers cut short or malformed are counted; the packet has its flow. */
void		 decode_l4(struct cursor *, unsigned proto, const uint8_t *);

/*
 * decode_tunnel.c: follow a tunnel of IP protocol PROTO, or of the UDP ports in PKT,
 * whose header is at the address given. If that leads to an IP packet PKT is that
 * packet, else PKT is left as it was.
 */
void		 tunnel_proto(struct cursor *, unsigned proto, const uint8_t *);
void		 tunnel_udp(struct cursor *, const uint8_t *);

#endif
