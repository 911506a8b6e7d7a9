/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow.h -- one flow record. While it lives it belongs to its worker; when it has ended
 * the record itself travels to the control thread, is read there and comes home.
 *
 * 232 octets, ordered by how often they are needed: what finds and dates the flow, its
 * counters, TCP, the rest. What few flows or few templates need is in struct flow_detail,
 * taken from a bounded pool on demand.
 *
 * [2] is always by direction: [0] what endpoint 0 of the key sent, [1] what 1 sent.
 */
#ifndef MCPROBE_FLOW_H
#define MCPROBE_FLOW_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowkey.h"
#include "packet.h"

/* flowEndReason, IANA element 136 (RFC 5102 §5.11.3). */
enum flow_end {
	FLOW_END_NONE = 0,
	FLOW_END_IDLE = 1,
	FLOW_END_ACTIVE = 2,
	FLOW_END_DETECTED = 3,
	FLOW_END_FORCED = 4,
	FLOW_END_LACK = 5,
};

enum flow_flag {
	FLOW_CLIENT_SURE = 1 << 0,  /* a SYN said who is the client */
	FLOW_CLIENT_IS_1 = 1 << 1,  /* endpoint 1 is the client (source of the record) */
	FLOW_DPI_DONE = 1 << 2,	    /* nDPI needs no more packets */
	FLOW_L7_GUESSED = 1 << 3,   /* l7 from port or address only */
	FLOW_CLOSING = 1 << 4,	    /* RST, or FIN both ways */
	FLOW_RESTARTED = 1 << 5,    /* continues a flow already exported (active timeout) */
	FLOW_FIRST_IS_1 = 1 << 6,   /* endpoint 1 sent the first packet */
	FLOW_TOLD = 1 << 7,	    /* the key tree counts it already */
	FLOW_CUT = 1 << 8,	    /* a record of a flow that lives on */
	FLOW_PLUGIN = 1 << 9,	    /* plugin_flow.c keeps something of it, by slot */
	FLOW_PLUGIN_DONE = 1 << 10, /* no plugin needs more packets */
	/* bits 12 to 15: how often plugins were asked whose it is */
	FLOW_DETAIL_REFUSED = 1 << 16, /* there were none left */
	FLOW_DETAIL_WHOLE = 1 << 19,   /* there are, and they are: no need to look there */
	FLOW_MAC_KNOWN = 1 << 17, /* [0], and << 1 [1]: packets of that side had MACs */
	FLOW_LATE = 1 << 21, /* flowtable's: stands in a later tick than its age would have it */
	FLOW_FEW = 1 << 20, /* segments sent again are counted in FEW: no details */
};

/* How far the latency measurement is. */
enum flow_stage {
	FLOW_STAGE_NEW,	   /* nothing but, maybe, packets without payload */
	FLOW_STAGE_SYN,	   /* SYN seen at mark_us */
	FLOW_STAGE_SYNACK, /* SYN ACK seen at mark_us */
	FLOW_STAGE_OPEN,   /* handshake complete */
	FLOW_STAGE_ASKED,  /* the client's latest payload at mark_us */
	FLOW_STAGE_DONE,   /* the server answered */
};

/* What one side of a TCP connection did. Of other flows all zeros, but for WSCALE. */
struct flow_tcp {
	uint32_t isn;	   /* of the SYN, valid if FLOW_TCP_SYN */
	uint32_t next_seq; /* after the highest octet sent, if FLOW_TCP_VALID */
	uint16_t win_min, win_max; /* unscaled, if FLOW_TCP_WINDOWED */
	uint16_t mss;
	uint8_t wscale; /* 0xff = none seen */
	uint8_t flags;	/* OR of all */
};

/* More of it: struct flow's TCP_STATE. */
enum flow_tcp_state {
	FLOW_TCP_VALID = 1 << 0,
	FLOW_TCP_WINDOWED = 1 << 1,
	FLOW_TCP_SYN = 1 << 2, /* sent, be it before the last report, as the next */
	FLOW_TCP_FIN = 1 << 3,
};

/* What one side of a TCP connection lost on its way. */
struct flow_loss {
	uint32_t hole[2];  /* first octet missing, and after the last; valid if HOLED */
	uint64_t hole_us;  /* when the hole was left */
	uint32_t retrans, ooorder; /* packets */
	uint32_t retrans_bytes;
	bool holed;
};

/* What L7 classification found. From dpi.c; one allocation, owned by the flow. */
struct flow_l7 {
	uint64_t risk;	   /* nDPI risk bits */
	uint16_t master;   /* nDPI protocol numbers: names by dpi_name() */
	uint16_t app;	   /* 0 = none or unknown */
	uint16_t category;
	uint16_t score;	   /* risk score */
	uint8_t confidence; /* nDPI's confidence number */
	bool guessed;	   /* by port or address only */
	bool tls;	   /* INFO is a TLS/QUIC server name */
	uint8_t info_len;
	/* server name, host, query; NUL-terminated; bytes as seen. Memory ends behind it. */
	char info[256];
};

#define FLOW_SIZE_BINS 6  /* <=128, <=256, <=512, <=1024, <=1514, more */
#define FLOW_TTL_BINS  10 /* =1, 2-5, 5-32, 32-64, ... 224-255 */

/* Inter-arrival times of one direction, µs; mean and M2 after Welford. */
struct flow_iat {
	uint64_t min, max, sum;
	double mean, m2;
	uint32_t n;
};

/*
 * Taken on demand: segments are missing, or more are sent again than struct flow_few can
 * count, or both sides know each other by other MACs. WHOLE: the template asks for statistics, or a packet had labels or a
 * tunnel; else there is no memory behind WHOLE.
 */
struct flow_detail {
	struct flow_detail *next_free;
	struct flow_loss loss[2];
	uint8_t mac[2][2][6]; /* if ODD_MAC: [d] = source and destination of d's packets */
	bool odd_mac, whole;
	struct tunnel tunnel;
	uint32_t mpls[PACKET_MPLS_MAX];
	uint8_t nmpls;
	uint8_t has_tunnel;
	uint32_t size_bin[FLOW_SIZE_BINS];
	uint32_t ttl_bin[FLOW_TTL_BINS];
	uint32_t fragments[2];
	uint32_t icmp_types; /* bit N: type N seen, N < 32 */
	struct flow_iat iat[2];
	/* throughput per second of packet time, bytes */
	uint64_t second_start[2], second_bytes[2];
	uint64_t bps_min[2], bps_max[2]; /* octets in the slowest, fastest whole second */
};

/* What both sides sent again, before there are details: until it is more than fits. */
struct flow_few {
	uint16_t retrans[2], retrans_bytes[2];
};

/* Up to MARK_US every packet; up to DETAIL TCP's; the rest the first ones, or seldom. */
struct flow {
	struct flowkey key; /* 44 bytes */
	uint32_t flags;	    /* enum flow_flag */
	uint64_t packets[2], octets[2]; /* octets: IP total length, or L2 with --account-l2 */
	uint64_t last_dir_us[2]; /* 0: no packet in that direction, as FIRST_US */
	uint16_t len_min[2], len_max[2]; /* IP octets; 65535 at most */
	uint8_t ttl_min[2], ttl_max[2];
	uint8_t tcp_state[2]; /* enum flow_tcp_state */
	uint16_t tick;	   /* flowtable's: where it stands in its wheel */
	uint32_t ahead; /* flowtable's: ticks from the latest time to the clock at that packet */
	uint8_t end : 3;   /* enum flow_end */
	uint8_t list : 2;  /* flowtable's: which list the flow is in */
	uint8_t stage : 3; /* enum flow_stage */
	uint8_t dpi_packets; /* payload packets nDPI saw */
	uint8_t tos[2]; /* of the first packet each way */
	uint8_t mac[2][6]; /* of each endpoint, as its packets, or those to it, have it */
	uint32_t index;	    /* slot in the pool: names the flow across threads */
	union {
		uint64_t mark_us; /* time of the packet STAGE waits for an answer to */
		uint32_t appl_us; /* client's last request octet to server's first answer,
				     if FLOW_STAGE_DONE */
	};
	union {
		struct flow_tcp tcp[2];
		struct { /* of the first packet each way, if it is not TCP */
			uint8_t icmp_type[2], icmp_code[2];
		};
	};
	union {
		struct flow_detail *detail; /* owned, NULL: none; see flow_details() */
		struct flow_few few; /* if FLOW_FEW */
	};
	uint64_t first_us[2];
	struct flow_l7 *l7;	    /* owned, NULL: not classified */
	union {
		struct {
			uint32_t prev, next; /* flowtable's links, by slot */
		};
		uint64_t ended_us; /* clock when it ended: once it has left the table */
	};
	uint16_t vlan_inner;
	uint16_t port; /* capture source the first packet came from */
	uint32_t client_nw_us, server_nw_us; /* half round trips, from the handshake; 0: not
						measured, as for APPL_US */
	uint32_t serial;   /* counts flows from the start: the same in every run of a file;
			      with INDEX tells two flows of one slot apart */
};

_Static_assert(sizeof(struct flow) == 232, "a million flows in 256 MB");

/*
 * One of zeros, but for INFO_LEN, with room for LEN bytes of INFO: what is behind its NUL is
 * not there. And a copy of one. free() takes them back. NULL: no memory.
 */
struct flow_l7 *flow_l7_new(size_t len);
struct flow_l7 *flow_l7_copy(const struct flow_l7 *);

/* What is there of one. */
static inline size_t
flow_l7_size(const struct flow_l7 *l7)
{
	return offsetof(struct flow_l7, info) + l7->info_len + 1;
}

/* The client's direction: whose packets are the record's IN. 0 or 1. */
static inline unsigned
flow_client(const struct flow *f)
{
	return (f->flags & FLOW_CLIENT_IS_1) ? 1 : 0;
}

static inline bool
flow_is_ip4(const struct flow *f)
{
	return f->key.ip_version == 4;
}

/* All of F will be needed soon. */
static inline void
flow_fetch(const struct flow *f)
{
	const char *p = (const char *)f;
	size_t line;

	for (line = 0; line < sizeof(*f); line += 64)
		__builtin_prefetch(p + line, 1);
	__builtin_prefetch(p + sizeof(*f) - 1, 1);
}

/* A packet of F will come. */
static inline void
flow_fetch_packet(const struct flow *f)
{
	const char *p = (const char *)f;

	__builtin_prefetch(p, 1);
	__builtin_prefetch(p + 64, 1);
	__builtin_prefetch(p + 128, 1);
	__builtin_prefetch(p + offsetof(struct flow, first_us) - 1, 1);
}

/* Its details, NULL: none. */
static inline struct flow_detail *
flow_details(const struct flow *f)
{
	return f->flags & FLOW_FEW ? NULL : f->detail;
}

/* Its details if they are whole, NULL: none. */
static inline struct flow_detail *
flow_whole(const struct flow *f)
{
	struct flow_detail *d = flow_details(f);

	return d != NULL && d->whole ? d : NULL;
}

/* What there is of one. */
static inline size_t
flow_detail_size(const struct flow_detail *d)
{
	return d->whole ? sizeof(*d) : offsetof(struct flow_detail, tunnel);
}

/* What side D lost; zeros: nothing that is known of. */
struct flow_loss flow_loss(const struct flow *, unsigned d);
/* The MACs of D's packets, or what those of the other side say of them; NULL: unknown. */
const uint8_t *flow_mac_src(const struct flow *, unsigned d);
const uint8_t *flow_mac_dst(const struct flow *, unsigned d);
/* From the client's last request octet to the server's first answer, µs; 0: unknown. */
uint32_t flow_appl_us(const struct flow *);

/* Times of the whole flow, µs. */
static inline uint64_t
flow_first_us(const struct flow *f)
{
	uint64_t a = f->packets[0] ? f->first_us[0] : UINT64_MAX;
	uint64_t b = f->packets[1] ? f->first_us[1] : UINT64_MAX;
	uint64_t first = a < b ? a : b;

	return first == UINT64_MAX ? 0 : first;
}

static inline uint64_t
flow_last_us(const struct flow *f)
{
	uint64_t a = f->packets[0] ? f->last_dir_us[0] : 0;
	uint64_t b = f->packets[1] ? f->last_dir_us[1] : 0;

	return a > b ? a : b;
}

#endif
