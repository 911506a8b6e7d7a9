/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode_plain.c -- the frames nearly all are, without a cursor. decode_plain() is for whoever
 * must only know which flow a frame is of, decode_usual() the short way of decode_frame():
 * each says what the long way would.
 */
#include "decode_int.h"

#define IP4_HDR_LEN 20
#define IP6_HDR_LEN 40
#define TCP_HDR_LEN 20
#define UDP_HDR_LEN 8

/* Ports at P, of which LEN octets are there. */
static bool
plain_l4(struct packet *pkt, unsigned proto, const uint8_t *p, uint32_t len)
{
	if (proto != IPPROTO_IS_TCP && proto != IPPROTO_IS_UDP)
		return false;
	if (len < (proto == IPPROTO_IS_TCP ? TCP_HDR_LEN : UDP_HDR_LEN))
		return false;
	pkt->proto = (uint8_t)proto;
	pkt->sport = be16(p);
	pkt->dport = be16(p + 2);
	return true;
}

static bool
plain_ip4(struct packet *pkt, const uint8_t *p, uint32_t left)
{
	uint32_t hlen, len;

	if (left < IP4_HDR_LEN || p[0] >> 4 != 4)
		return false;
	hlen = 4 * (p[0] & 15u);
	len = be16(p + 2);
	if (len > left)
		len = left;
	/* a fragment's ports are known elsewhere */
	if (hlen < IP4_HDR_LEN || len < hlen || (be16(p + 6) & 0x3fff))
		return false;
	pkt->ip_version = 4;
	pkt->tos = p[1];
	memset(pkt->src, 0, 10);
	memset(pkt->src + 10, 0xff, 2);
	memcpy(pkt->src + 12, p + 12, 4);
	memset(pkt->dst, 0, 10);
	memset(pkt->dst + 10, 0xff, 2);
	memcpy(pkt->dst + 12, p + 16, 4);
	return plain_l4(pkt, p[9], p + hlen, len - hlen);
}

static bool
plain_ip6(struct packet *pkt, const uint8_t *p, uint32_t left)
{
	uint32_t len;

	if (left < IP6_HDR_LEN || p[0] >> 4 != 6)
		return false;
	len = be16(p + 4); /* 0: a jumbogram; too short for any port */
	if (len > left - IP6_HDR_LEN)
		len = left - IP6_HDR_LEN;
	pkt->ip_version = 6;
	pkt->tos = (uint8_t)(be16(p) >> 4);
	memcpy(pkt->src, p + 8, 16);
	memcpy(pkt->dst, p + 24, 16);
	return plain_l4(pkt, p[6], p + IP6_HDR_LEN, len);
}

bool
decode_plain(const struct frame *f, struct packet *pkt)
{
	const uint8_t *p = f->data + ETHER_HDR_LEN;
	uint32_t left = f->caplen;
	unsigned type;

	if (f->link != 1 || left < ETHER_HDR_LEN)
		return false;
	left -= ETHER_HDR_LEN;
	type = be16(p - 2);
	pkt->vlan = 0;
	pkt->sub = 0;
	if (type == ETHERTYPE_VLAN && left >= 4) {
		pkt->vlan = be16(p) & 0xfff;
		type = be16(p + 2);
		p += 4;
		left -= 4;
	}
	if (type == ETHERTYPE_IP4)
		return plain_ip4(pkt, p, left);
	return type == ETHERTYPE_IP6 && plain_ip6(pkt, p, left);
}

/* TCP or UDP at P, which has LEN octets that are all there. */
static bool
usual_l4(struct packet *pkt, unsigned proto, const uint8_t *p, uint32_t len, bool tunnels)
{
	uint32_t head = UDP_HDR_LEN;

	if (proto == IPPROTO_IS_TCP) {
		if (len < TCP_HDR_LEN)
			return false;
		head = 4 * (p[12] >> 4);
		if (head < TCP_HDR_LEN || head > len ||
		    (head > TCP_HDR_LEN && (p[13] & TCP_SYN)))
			return false;
		pkt->tcp_flags = p[13];
		pkt->seq = be32(p + 4);
		pkt->ack = be32(p + 8);
		pkt->window = be16(p + 14);
		pkt->flags = PACKET_HAS_MAC | PACKET_HAS_TCP;
	} else {
		if (proto != IPPROTO_IS_UDP || tunnels || len < UDP_HDR_LEN ||
		    be16(p + 4) != len)
			return false;
		pkt->flags = PACKET_HAS_MAC;
	}
	pkt->proto = (uint8_t)proto;
	pkt->sport = be16(p);
	pkt->dport = be16(p + 2);
	pkt->payload_len = pkt->payload_wire = len - head;
	pkt->payload = len > head ? p + head : NULL;
	return true;
}

bool
decode_usual(const struct decode *d, const struct frame *f, struct packet *pkt)
{
	const uint8_t *p = f->data + ETHER_HDR_LEN;
	uint32_t left = f->caplen, len;
	unsigned type, vlan = 0;

	if (f->link != 1 || left < ETHER_HDR_LEN + 4 + IP4_HDR_LEN || left < f->wirelen)
		return false;
	left -= ETHER_HDR_LEN;
	type = be16(p - 2);
	if (type == ETHERTYPE_VLAN) {
		vlan = be16(p) & 0xfff;
		type = be16(p + 2);
		p += 4;
		left -= 4;
	}
	if (type == ETHERTYPE_IP4) {
		len = be16(p + 2);
		if (p[0] != 0x45 || (be16(p + 6) & 0x3fff) || len < IP4_HDR_LEN ||
		    len > left || !usual_l4(pkt, p[9], p + IP4_HDR_LEN, len - IP4_HDR_LEN,
			d->tunnels))
			return false;
		pkt->ip_version = 4;
		pkt->tos = p[1];
		pkt->ttl = p[8];
		memset(pkt->src + 10, 0xff, 2);
		memcpy(pkt->src + 12, p + 12, 4);
		memset(pkt->dst + 10, 0xff, 2);
		memcpy(pkt->dst + 12, p + 16, 4);
	} else if (type == ETHERTYPE_IP6 && left >= IP6_HDR_LEN) {
		len = IP6_HDR_LEN + be16(p + 4);
		if (p[0] >> 4 != 6 || len > left || !usual_l4(pkt, p[6], p + IP6_HDR_LEN,
			len - IP6_HDR_LEN, d->tunnels))
			return false;
		pkt->ip_version = 6;
		pkt->tos = (uint8_t)(be16(p) >> 4);
		pkt->ttl = p[7];
		memcpy(pkt->src, p + 8, 16);
		memcpy(pkt->dst, p + 24, 16);
	} else
		return false;
	memcpy(pkt->mac_dst, f->data, 6);
	memcpy(pkt->mac_src, f->data + 6, 6);
	pkt->vlan = (uint16_t)vlan;
	pkt->l3 = p;
	pkt->l3_len = pkt->octets = len;
	return true;
}
