/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.h -- one packet as the flow rooms see it: what decode() found in one frame.
 * Everything here is a value, but for the pointers L3 and PAYLOAD, which borrow the
 * frame and die with it. Numbers are in host order, addresses in network order.
 */
#ifndef MCPROBE_PACKET_H
#define MCPROBE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_MPLS_MAX	  10
#define PACKET_LAYERS_MAX 16 /* headers between the frame and the transport */
#define PACKET_TUNNELS_MAX 4

/* One frame as capture hands it over; DATA is borrowed until the next read. */
struct frame {
	uint64_t ts_us;	     /* capture time, µs since the epoch */
	const uint8_t *data; /* CAPLEN bytes */
	uint32_t caplen;     /* bytes captured */
	uint32_t wirelen;    /* bytes the frame had */
	uint16_t link;	     /* LINKTYPE_ number (pcap-linktype(7)), as in the file */
	uint16_t port;	     /* which capture source, counted from 0 */
};

enum packet_flag {
	PACKET_FRAG_FIRST = 1 << 0, /* first fragment: has ports */
	PACKET_FRAG_LATER = 1 << 1, /* later fragment: ports from the frag table or 0 */
	PACKET_TRUNCATED = 1 << 2,  /* captured shorter than it was */
	PACKET_HAS_MAC = 1 << 3,
	PACKET_HAS_ICMP = 1 << 4,
	PACKET_HAS_TCP = 1 << 5, /* TCP header read whole: seq, ack, window valid */
	PACKET_CUT = 1 << 6,     /* the payload captured is not the payload sent */
};

enum tunnel_type {
	TUNNEL_NONE,
	TUNNEL_GRE,
	TUNNEL_ERSPAN,
	TUNNEL_NVGRE,
	TUNNEL_IPIP, /* IPv4 or IPv6 in IPv4 or IPv6: protocols 4 and 41 */
	TUNNEL_GTPU,
	TUNNEL_VXLAN,
	TUNNEL_GENEVE,
	TUNNEL_L2TP,
	TUNNEL_TEREDO,
	TUNNEL_CAPWAP,
	TUNNEL_MINENC, /* Mobile IP minimal encapsulation, RFC 2004 */
	TUNNEL_ETHERIP,
	TUNNEL_MPLS_IP, /* MPLS in IP or UDP: RFC 4023, RFC 7510 */
	TUNNEL_AH,	/* IP inside an authentication header, RFC 4302 */
	TUNNEL_LISP,	/* RFC 9300 */
	TUNNEL_AYIYA,
	TUNNEL_TZSP,
	TUNNEL_PIM,	/* PIM register, RFC 7761 */
};

/* The tunnel a packet came out of: its outermost one. */
struct tunnel {
	uint8_t type;	    /* enum tunnel_type */
	uint8_t ip_version; /* of the outer header: 4 or 6 */
	uint8_t proto;	    /* protocol of the outer header: 47, 17, 4, ... */
	uint8_t src[16], dst[16]; /* outer addresses, IPv4 mapped (::ffff:a.b.c.d) */
	uint16_t sport, dport;	  /* outer ports, 0 where there are none */
	uint32_t id; /* GRE key, TEID, VNI, L2TP tunnel<<16|session, ERSPAN id, VSID */
};

struct packet {
	uint64_t ts_us;
	const uint8_t *l3;	/* IP header of the flow's layer; L3_LEN bytes captured */
	const uint8_t *payload; /* after the transport header; NULL when PAYLOAD_LEN 0 */
	uint32_t l3_len;	/* captured, cut at the IP length: no Ethernet padding */
	uint32_t payload_len;	/* captured payload bytes */
	uint32_t payload_wire;	/* payload bytes by the headers' word */
	uint32_t octets;	/* IP total length (IPv6: 40 + payload length) */
	uint32_t wirelen;	/* of the whole frame */
	uint32_t seq, ack;	/* TCP */
	uint16_t flags;		/* enum packet_flag */
	uint16_t sport, dport;	/* TCP, UDP, UDP-Lite, SCTP, DCCP; 0 else */
	uint16_t window;	/* TCP, unscaled */
	uint16_t mss;		/* TCP option, 0 = none */
	uint16_t vlan;		/* outermost VLAN id, 0 = untagged */
	uint16_t vlan_inner;	/* innermost where there are several, 0 = none */
	uint16_t port;		/* capture source */
	uint8_t wscale;		/* TCP option, 0xff = none */
	uint8_t tcp_flags;	/* CWR ECE URG ACK PSH RST SYN FIN */
	uint8_t icmp_type, icmp_code;
	uint8_t ip_version; /* 4 or 6 */
	uint8_t proto;	    /* after extension headers */
	uint8_t tos, ttl;   /* TOS or traffic class; TTL or hop limit */
	uint8_t nmpls;	    /* labels seen, at most PACKET_MPLS_MAX */
	uint8_t ntunnels;   /* tunnels stripped */
	uint8_t src[16], dst[16]; /* IPv4 mapped (::ffff:a.b.c.d) */
	uint8_t mac_src[6], mac_dst[6];
	uint32_t sub; /* sub-flow, 0 unless split */
	uint32_t mpls[PACKET_MPLS_MAX]; /* 20 bit label, 3 bit TC, 1 bit S: the top 24 bits
					   of each stack entry as sent, in the low 24 bits */
	struct tunnel tunnel; /* valid when NTUNNELS > 0 */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

#endif
