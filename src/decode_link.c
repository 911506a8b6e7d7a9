/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode_link.c -- link types other than Ethernet, by their LINKTYPE_ number, and the
 * framings that several of them share: LLC, PPP, Cisco HDLC, frame relay, 802.11. Link
 * types that wrap another one (PPI, PKTAP) pay for it from the cursor's budget, so that
 * wrapping has an end.
 */
#include "decode_int.h"

enum {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_TOKEN_RING = 6,
	LINK_PPP = 9,
	LINK_FDDI = 10,
	LINK_ATM_1483_BSD = 11, /* the DLT_ number; LINKTYPE_ is 100 */
	LINK_RAW_BSD = 12,	/* DLT_RAW, as libpcap reports it */
	LINK_RAW_OPENBSD = 14,
	LINK_PPP_HDLC = 50,
	LINK_PPP_ETHER = 51,
	LINK_ATM_1483 = 100,
	LINK_RAW = 101,
	LINK_CHDLC = 104,
	LINK_WLAN = 105,
	LINK_FRELAY = 107,
	LINK_LOOP = 108,
	LINK_ENC = 109,
	LINK_SLL = 113,
	LINK_PFLOG = 117,
	LINK_PRISM = 119,
	LINK_IP_OVER_FC = 122,
	LINK_RADIOTAP = 127,
	LINK_WLAN_AVS = 163,
	LINK_PPI = 192,
	LINK_PPP_DIR = 204,
	LINK_CHDLC_DIR = 205,
	LINK_FRELAY_DIR = 206,
	LINK_IP4 = 228,
	LINK_IP6 = 229,
	LINK_NFLOG = 239,
	LINK_IPOIB = 242,
	LINK_PKTAP = 258,
	LINK_SLL2 = 276,
};

#define ARPHRD_FRELAY	770
#define ARPHRD_NETLINK	824
#define ARPHRD_RADIOTAP 803

#define SLL_8023 1 /* pseudo-types of the cooked headers, below any EtherType */
#define SLL_8022 4
#define SLL_PPP	 7

/*
 * An 802.3 frame: a length in place of the type. Its payload is LLC, unless it is one
 * of Cisco's ISL, known by its destination: 26 bytes, then an Ethernet frame.
 */
enum counter
decode_8023(struct cursor *c, const uint8_t *frame)
{
	static const uint8_t isl[2][5] = {{1, 0, 12, 0, 0}, {3, 0, 12, 0, 0}};
	const uint8_t *p = frame + ETHER_HDR_LEN;

	if (memcmp(frame, isl[0], 5) != 0 && memcmp(frame, isl[1], 5) != 0)
		return decode_llc(c, p);
	if (cursor_left(c, p) < 12)
		return COUNTER_DROP_LINK_SHORT;
	if (frame[5] >> 4 != 0) /* carries token ring, FDDI or ATM */
		return COUNTER_DROP_NOT_IP;
	c->pkt->vlan = be16(p + 6) >> 1 & 0xfff;
	c->pkt->flags &= (uint16_t)~PACKET_HAS_MAC;
	return decode_ethernet(c, p + 12);
}

/* SNAP: an organisation and what its 16 bits mean. P is behind the LLC header. */
static enum counter
decode_snap(struct cursor *c, const uint8_t *p)
{
	unsigned pid;

	if (cursor_left(c, p) < 5)
		return COUNTER_DROP_LINK_SHORT;
	pid = be16(p + 3);
	switch (be24(p)) {
	case 0x000000:
	case 0x0000f8: /* RFC 1042 and its bridge-tunnel twin */
		return pid > ETHER_LEN_MAX ? decode_ethertype(c, pid, p + 5) :
					     COUNTER_DROP_NOT_IP;
	case 0x0080c2: /* RFC 2684 §5.2: bridged Ethernet, with and without FCS */
		if (pid != 1 && pid != 7)
			return COUNTER_DROP_NOT_IP;
		/* two bytes of padding over ATM, none elsewhere */
		if (cursor_left(c, p) >= 7 && p[5] == 0 && p[6] == 0)
			return decode_ethernet(c, p + 7);
		return decode_ethernet(c, p + 5);
	default:
		return COUNTER_DROP_NOT_IP;
	}
}

enum counter
decode_llc(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 3)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	if (p[2] != 3) /* not an unnumbered information frame */
		return COUNTER_DROP_NOT_IP;
	if (p[0] == 0xaa && p[1] == 0xaa)
		return decode_snap(c, p + 3);
	if (p[0] == 0x06)
		return decode_ip_as(c, 4, p + 3);
	return COUNTER_DROP_NOT_IP;
}

/* Cisco HDLC: address 0x0f or 0x8f, control 0, EtherType. */
static enum counter
decode_chdlc(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 4)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	if (be16(p + 2) <= ETHER_LEN_MAX)
		return COUNTER_DROP_NOT_IP;
	return decode_ethertype(c, be16(p + 2), p + 4);
}

/* PPP bridging, RFC 3518 §4.2: flags, MAC type (1: Ethernet), then the frame. */
static enum counter
ppp_bridged(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 2)
		return COUNTER_DROP_LINK_SHORT;
	return p[1] == 1 ? decode_ethernet(c, p + 2) : COUNTER_DROP_NOT_IP;
}

/* Multilink, RFC 1990 §3: only a fragment that is the whole packet can be read. */
static enum counter
ppp_multilink(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 4)
		return COUNTER_DROP_LINK_SHORT;
	return (p[0] & 0xc0) == 0xc0 ? decode_ppp(c, p + 4) : COUNTER_DROP_NOT_IP;
}

/* Address and control (RFC 1662 §3.1) and half of the protocol may be left out. */
enum counter
decode_ppp(struct cursor *c, const uint8_t *p)
{
	unsigned proto;

	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	if (cursor_left(c, p) >= 2 && p[0] == 0xff && p[1] == 0x03)
		p += 2;
	if (cursor_left(c, p) < 1)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] & 1)
		proto = *p++;
	else if (cursor_left(c, p) < 2)
		return COUNTER_DROP_LINK_SHORT;
	else {
		proto = be16(p);
		p += 2;
	}
	switch (proto) {
	case 0x0021:
	case ETHERTYPE_IP4: /* some write EtherTypes here */
		return decode_ip_as(c, 4, p);
	case 0x0057:
	case ETHERTYPE_IP6:
		return decode_ip_as(c, 6, p);
	case 0x0031:
		return ppp_bridged(c, p);
	case 0x003d:
		return ppp_multilink(c, p);
	case 0x0281:
	case 0x0283:
		return decode_mpls(c, p);
	default:
		return COUNTER_DROP_NOT_IP;
	}
}

/* PPP over a serial line; a first byte of 0x0f or 0x8f says that it is Cisco's HDLC. */
static enum counter
decode_serial(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) >= 1 && (p[0] == 0x0f || p[0] == 0x8f))
		return decode_chdlc(c, p);
	return decode_ppp(c, p);
}

/* Frame relay, RFC 2427: Q.922 address, control 3, NLPID; Cisco's has an EtherType. */
enum counter
decode_frelay(struct cursor *c, const uint8_t *p)
{
	uint32_t n = 0;

	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	do {
		if (n == 4 || n >= cursor_left(c, p))
			return COUNTER_DROP_LINK_SHORT;
	} while (!(p[n++] & 1)); /* the extension bit is set in the last address byte */
	p += n;
	if (cursor_left(c, p) < 2)
		return COUNTER_DROP_LINK_SHORT;
	if (p[0] != 3)
		return decode_ethertype(c, be16(p), p + 2);
	p += p[1] == 0 ? 2 : 1; /* a zero byte pads the header */
	if (cursor_left(c, p) < 1)
		return COUNTER_DROP_LINK_SHORT;
	switch (*p) {
	case 0xcc:
		return decode_ip_as(c, 4, p + 1);
	case 0x8e:
		return decode_ip_as(c, 6, p + 1);
	case 0x80:
		return decode_snap(c, p + 1);
	case 0xcf:
		return decode_ppp(c, p + 1);
	default:
		return COUNTER_DROP_NOT_IP;
	}
}

/*
 * Where in an 802.11 header the addresses are, IEEE 802.11 table 9-30: To DS is bit 0,
 * From DS bit 1 of the second frame control byte.
 */
static void
wlan_macs(struct cursor *c, const uint8_t *p, unsigned ds)
{
	static const uint8_t dst[4] = {4, 16, 4, 16}, src[4] = {10, 10, 16, 24};

	cursor_macs(c, p + dst[ds], p + src[ds]);
}

/*
 * An 802.11 frame. SWAPPED: the bytes of frame and sequence control come the wrong way
 * round, as many CAPWAP access points send them. Only readable data frames go on: LLC,
 * or the first subframe of an A-MSDU. The check sequence is behind any IP datagram.
 */
enum counter
decode_wlan(struct cursor *c, const uint8_t *p, bool swapped)
{
	uint32_t left = cursor_left(c, p), hlen = 24;
	unsigned type, flags;
	bool aggregate = false;

	if (left < 2)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	type = p[swapped];
	flags = p[!swapped];
	/* version 0, type data, with data (subtype bit 2), in the clear */
	if ((type & 0x4f) != 0x08 || flags & 0x40)
		return COUNTER_DROP_WIFI;
	if ((flags & 3) == 3)
		hlen += 6; /* fourth address */
	if (type & 0x80) {
		hlen += 2; /* QoS control, and HT control if the order bit is set */
		if (flags & 0x80)
			hlen += 4;
	}
	if (left < hlen)
		return COUNTER_DROP_LINK_SHORT;
	if (p[swapped ? 23 : 22] & 0x0f)
		return COUNTER_DROP_WIFI; /* a later fragment: no LLC header */
	if (type & 0x80)
		aggregate = p[(flags & 3) == 3 ? 30 : 24] & 0x80;
	if (!aggregate)
		wlan_macs(c, p, flags & 3);
	if (c->wlan_pad)
		hlen = (hlen + 3) & ~3u;
	if (aggregate) {
		if (left < hlen + 14)
			return COUNTER_DROP_LINK_SHORT;
		cursor_macs(c, p + hlen, p + hlen + 6);
		hlen += 14;
	}
	if (left < hlen)
		return COUNTER_DROP_LINK_SHORT;
	return decode_llc(c, p + hlen);
}

/*
 * Radiotap: a little-endian length, then a chain of words saying which fields follow.
 * Only the flags are of interest: whether the 802.11 header is padded.
 */
static enum counter
decode_radiotap(struct cursor *c, const uint8_t *p)
{
	uint32_t len, at = 4, present;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	len = le16(p + 2);
	if (len < 8)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	present = le32(p + 4);
	do {
		at += 4;
		if (at + 4 > len)
			break;
	} while (le32(p + at - 4) & 0x80000000u);
	if (present & 1) /* timestamp, aligned to its size */
		at = ((at + 7) & ~7u) + 8;
	if (present & 2 && at < len)
		c->wlan_pad = p[at] & 0x20;
	return decode_wlan(c, p + len, false);
}

/* Prism and AVS headers: a magic number tells them apart; both have their length. */
static enum counter
decode_prism(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if ((be32(p) & 0xfffff000u) == 0x80211000u)
		len = be32(p + 4);
	else
		len = le32(p) == 0x44 || le32(p) == 0x41 ? le32(p + 4) : be32(p + 4);
	if (len < 8)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	return decode_wlan(c, p + len, false);
}

/* PPI: version, flags, length and link type, little-endian. */
static enum counter
decode_ppi(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	len = le16(p + 2);
	if (len < 8)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	return decode_link(c, le32(p + 4), p + len);
}

/* PKTAP: length, record type, link type of what follows, little-endian. */
static enum counter
decode_pktap(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 12)
		return COUNTER_DROP_LINK_SHORT;
	if (!cursor_pay(c))
		return COUNTER_DROP_DEPTH;
	len = le32(p);
	if (len < 12)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	return le32(p + 4) == 1 ? decode_link(c, le32(p + 8), p + len) :
				  COUNTER_DROP_NOT_IP;
}

/* The IP version of an address family, or 0. AF_INET6 is 10 on Linux, 24 on NetBSD and
 * OpenBSD, 28 on FreeBSD, 30 on Darwin. */
static unsigned
family_version(uint32_t family)
{
	switch (family) {
	case 2:
		return 4;
	case 10:
	case 24:
	case 28:
	case 30:
		return 6;
	default:
		return 0;
	}
}

/* A family in the byte order of a host we know nothing of, then IP LEN bytes on. */
static enum counter
decode_family(struct cursor *c, const uint8_t *p, uint32_t len)
{
	unsigned version;

	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	version = family_version(le32(p));
	if (version == 0)
		version = family_version(be32(p));
	return version != 0 ? decode_ip_as(c, version, p + len) : COUNTER_DROP_NOT_IP;
}

/* NULL and LOOP: nothing but the family. */
static enum counter
decode_null(struct cursor *c, const uint8_t *p)
{
	return decode_family(c, p, 4);
}

/* OpenBSD's enc: family, SPI, flags. */
static enum counter
decode_enc(struct cursor *c, const uint8_t *p)
{
	return decode_family(c, p, 12);
}

/* The packet filter's log: length without its padding to 4 bytes, family. */
static enum counter
decode_pflog(struct cursor *c, const uint8_t *p)
{
	uint32_t len;

	if (cursor_left(c, p) < 4)
		return COUNTER_DROP_LINK_SHORT;
	len = (p[0] + 3u) & ~3u;
	if (len < 4)
		return COUNTER_DROP_LINK_BAD;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	if (family_version(p[1]) == 0)
		return COUNTER_DROP_NOT_IP;
	return decode_ip_as(c, family_version(p[1]), p + len);
}

static enum counter
decode_link_ip4(struct cursor *c, const uint8_t *p)
{
	return decode_ip_as(c, 4, p);
}

static enum counter
decode_link_ip6(struct cursor *c, const uint8_t *p)
{
	return decode_ip_as(c, 6, p);
}

static uint32_t
nflog_u16(const uint8_t *p, bool big)
{
	return big ? be16(p) : le16(p);
}

/*
 * NFLOG: family, version, resource; then TLVs padded to 4 bytes, in the byte order of
 * the host that wrote them: the one in which the first length makes sense. Type 9 is
 * the packet. At most 64 TLVs are looked at; the kernel writes about 20.
 */
static enum counter
decode_nflog(struct cursor *c, const uint8_t *p)
{
	unsigned n, version;
	uint32_t len;
	bool big;

	if (cursor_left(c, p) < 8)
		return COUNTER_DROP_LINK_SHORT;
	version = family_version(p[0]);
	if (version == 0)
		return COUNTER_DROP_NOT_IP;
	p += 4;
	big = le16(p) < 4 || le16(p) > cursor_wire(c, p);
	for (n = 0; n < 64 && cursor_left(c, p) >= 4; n++) {
		len = nflog_u16(p, big);
		if (len < 4)
			return COUNTER_DROP_LINK_BAD;
		if ((nflog_u16(p + 2, big) & 0x7fff) == 9) {
			cursor_limit(c, p, len);
			return decode_ip_as(c, version, p + 4);
		}
		len = (len + 3) & ~3u;
		if (cursor_left(c, p) < len)
			break;
		p += len;
	}
	return COUNTER_DROP_LINK_SHORT;
}

/* What a Linux cooked header says: PROTO below 1536 is one of the SLL_ numbers. */
static enum counter
cooked_payload(struct cursor *c, unsigned hardware, unsigned proto, const uint8_t *p)
{
	switch (hardware) {
	case ARPHRD_NETLINK:
		return COUNTER_DROP_NOT_IP;
	case ARPHRD_RADIOTAP:
		return decode_radiotap(c, p);
	case ARPHRD_FRELAY:
		return decode_frelay(c, p);
	default:
		break;
	}
	switch (proto) {
	case SLL_8022:
		return decode_llc(c, p);
	case SLL_PPP:
		return decode_ppp(c, p);
	case SLL_8023:
		return COUNTER_DROP_NOT_IP; /* Novell's raw 802.3: IPX */
	default:
		return proto > ETHER_LEN_MAX ? decode_ethertype(c, proto, p) :
					       COUNTER_DROP_NOT_IP;
	}
}

/* LINKTYPE_LINUX_SLL: packet type, hardware, address length, address, protocol. */
static enum counter
decode_sll(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 16)
		return COUNTER_DROP_LINK_SHORT;
	if (be16(p + 4) == 6) {
		memcpy(c->pkt->mac_src, p + 6, 6);
		c->pkt->flags |= PACKET_HAS_MAC;
	}
	return cooked_payload(c, be16(p + 2), be16(p + 14), p + 16);
}

/* LINKTYPE_LINUX_SLL2: the same in another order, with the interface's index. */
static enum counter
decode_sll2(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 20)
		return COUNTER_DROP_LINK_SHORT;
	if (p[11] == 6) {
		memcpy(c->pkt->mac_src, p + 12, 6);
		c->pkt->flags |= PACKET_HAS_MAC;
	}
	return cooked_payload(c, be16(p + 8), be16(p), p + 20);
}

/* FDDI: frame control (LLC frames have 01 on top), addresses. */
static enum counter
decode_fddi(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 13)
		return COUNTER_DROP_LINK_SHORT;
	if ((p[0] & 0xc0) != 0x40)
		return COUNTER_DROP_NOT_IP;
	cursor_macs(c, p + 1, p + 7);
	return decode_llc(c, p + 13);
}

/* Token ring: access and frame control, addresses, a source route if the source's top
 * bit is set; its first byte has its length in the low five bits. */
static enum counter
decode_token_ring(struct cursor *c, const uint8_t *p)
{
	uint32_t len = 14;

	if (cursor_left(c, p) < 15)
		return COUNTER_DROP_LINK_SHORT;
	if ((p[1] & 0xc0) != 0x40)
		return COUNTER_DROP_NOT_IP;
	cursor_macs(c, p + 2, p + 8);
	if (p[8] & 0x80)
		len += p[14] & 0x1f;
	if (cursor_left(c, p) < len)
		return COUNTER_DROP_LINK_SHORT;
	return decode_llc(c, p + len);
}

/* RFC 2684 over ATM: LLC, or IP itself where the circuit carries nothing else. */
static enum counter
decode_atm(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) >= 1 && p[0] >> 4 == 4)
		return decode_ip(c, p);
	return decode_llc(c, p);
}

/* IP over InfiniBand: 40 bytes of routing, an EtherType, 2 bytes reserved. */
static enum counter
decode_ipoib(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 44)
		return COUNTER_DROP_LINK_SHORT;
	return decode_ethertype(c, be16(p + 40), p + 44);
}

static enum counter
decode_ppp_ether(struct cursor *c, const uint8_t *p)
{
	return decode_ethertype(c, 0x8864, p);
}

/* One byte says sent or received; then the link type without it. */
static enum counter
decode_directed(struct cursor *c, unsigned link, const uint8_t *p)
{
	if (cursor_left(c, p) < 1)
		return COUNTER_DROP_LINK_SHORT;
	return decode_link(c, link, p + 1);
}

/* Fibre channel: two 8-byte addresses whose low six bytes are MACs, then LLC. */
static enum counter
decode_ipfc(struct cursor *c, const uint8_t *p)
{
	if (cursor_left(c, p) < 16)
		return COUNTER_DROP_LINK_SHORT;
	cursor_macs(c, p + 2, p + 10);
	return decode_llc(c, p + 16);
}

static enum counter
decode_wlan_plain(struct cursor *c, const uint8_t *p)
{
	return decode_wlan(c, p, false);
}

static enum counter
decode_directed_ppp(struct cursor *c, const uint8_t *p)
{
	return decode_directed(c, LINK_PPP, p);
}

static enum counter
decode_directed_chdlc(struct cursor *c, const uint8_t *p)
{
	return decode_directed(c, LINK_CHDLC, p);
}

static enum counter
decode_directed_frelay(struct cursor *c, const uint8_t *p)
{
	return decode_directed(c, LINK_FRELAY, p);
}

/* A row per link type; searched from the top, so the likely ones come first. */
static const struct link_row {
	unsigned link;
	enum counter (*decode)(struct cursor *, const uint8_t *);
} link_table[] = {
    {LINK_ETHERNET, decode_ethernet},
    {LINK_RAW, decode_ip},
    {LINK_RAW_BSD, decode_ip},
    {LINK_SLL, decode_sll},
    {LINK_SLL2, decode_sll2},
    {LINK_NULL, decode_null},
    {LINK_LOOP, decode_null},
    {LINK_RADIOTAP, decode_radiotap},
    {LINK_WLAN, decode_wlan_plain},
    {LINK_PPP, decode_serial},
    {LINK_PPP_HDLC, decode_serial},
    {LINK_PPP_ETHER, decode_ppp_ether},
    {LINK_CHDLC, decode_chdlc},
    {LINK_NFLOG, decode_nflog},
    {LINK_IP4, decode_link_ip4},
    {LINK_IP6, decode_link_ip6},
    {LINK_RAW_OPENBSD, decode_ip},
    {LINK_PPI, decode_ppi},
    {LINK_PRISM, decode_prism},
    {LINK_WLAN_AVS, decode_prism},
    {LINK_FRELAY, decode_frelay},
    {LINK_PPP_DIR, decode_directed_ppp},
    {LINK_CHDLC_DIR, decode_directed_chdlc},
    {LINK_FRELAY_DIR, decode_directed_frelay},
    {LINK_ATM_1483, decode_atm},
    {LINK_ATM_1483_BSD, decode_atm},
    {LINK_FDDI, decode_fddi},
    {LINK_TOKEN_RING, decode_token_ring},
    {LINK_IP_OVER_FC, decode_ipfc},
    {LINK_ENC, decode_enc},
    {LINK_PFLOG, decode_pflog},
    {LINK_IPOIB, decode_ipoib},
    {LINK_PKTAP, decode_pktap},
};

static const struct link_row *
link_find(unsigned link)
{
	unsigned i;

	for (i = 0; i < sizeof(link_table) / sizeof(link_table[0]); i++)
		if (link_table[i].link == link)
			return &link_table[i];
	return NULL;
}

enum counter
decode_link(struct cursor *c, unsigned link, const uint8_t *p)
{
	const struct link_row *row = link_find(link);

	return row != NULL ? row->decode(c, p) : COUNTER_DROP_LINK_TYPE;
}

bool
decode_knows_link(unsigned link)
{
	return link_find(link) != NULL;
}
