/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_wire.h -- RADIUS packets (RFC 2865, 2866, 3162, 4818, 5176, 6911): bytes in, a
 * struct out. Pure; no memory but the caller's.
 *
 * A packet costs at most a step per attribute, of which 4,096 bytes hold 2,038; the
 * first length that cannot be ends the reading. Of an attribute that comes several
 * times the first is kept, but for IPv6 addresses and prefixes, of which RADIUS_NETS
 * are. Passwords are not looked at.
 */
#ifndef MCPROBE_RADIUS_WIRE_H
#define MCPROBE_RADIUS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RADIUS_HEADER 20
#define RADIUS_MAX    4096 /* RFC 2865 §3 */
#define RADIUS_NETS   8
#define RADIUS_TEXT   254 /* the longest text and a NUL */
#define RADIUS_NET_TEXT 50
#define RADIUS_NAME   24

enum radius_code {
	RADIUS_ACCESS_REQUEST = 1,
	RADIUS_ACCESS_ACCEPT = 2,
	RADIUS_ACCESS_REJECT = 3,
	RADIUS_ACCOUNTING_REQUEST = 4,
	RADIUS_ACCOUNTING_RESPONSE = 5,
	RADIUS_ACCESS_CHALLENGE = 11,
};

enum radius_status {
	RADIUS_START = 1,
	RADIUS_STOP = 2,
	RADIUS_INTERIM = 3,
	RADIUS_ON = 7,
	RADIUS_OFF = 8,
};

enum radius_text {
	RADIUS_USER,
	RADIUS_SESSION,
	RADIUS_NAS_ID,
	RADIUS_CALLING,
	RADIUS_CALLED,
	RADIUS_IMSI,
	RADIUS_IMEI,
	RADIUS_TEXTS
};

enum radius_number {
	RADIUS_STATUS,
	RADIUS_DELAY,
	RADIUS_IN_OCTETS,
	RADIUS_OUT_OCTETS,
	RADIUS_IN_GIGAWORDS,
	RADIUS_OUT_GIGAWORDS,
	RADIUS_IN_PACKETS,
	RADIUS_OUT_PACKETS,
	RADIUS_SECONDS,
	RADIUS_NUMBERS
};

enum radius_net_kind {
	RADIUS_FRAMED_ADDRESS, /* the order in which one is chosen to be shown */
	RADIUS_FRAMED_PREFIX,
	RADIUS_DELEGATED_PREFIX,
};

/* An address or a prefix; what is beyond LEN is zeros. Of an IPv4 address, mapped,
 * 128. */
struct radius_net {
	uint8_t addr[16];
	uint8_t len;
	uint8_t kind;
};

/* What a packet says, but its texts. */
struct radius_facts {
	uint32_t number[RADIUS_NUMBERS];
	uint16_t numbers; /* bit per enum radius_number: it is there */
	uint8_t code, id;
	bool malformed;
	bool has_framed, has_nas, has_nas6;
	uint8_t framed[4], nas[4], nas6[16];
	uint8_t nnets; /* IPv6 ones */
	struct radius_net nets[RADIUS_NETS];
};

struct radius_packet {
	struct radius_facts f;
	const uint8_t *text[RADIUS_TEXTS]; /* within the packet; any bytes */
	uint8_t text_len[RADIUS_TEXTS];	   /* 0: it is not there */
	uint64_t mark; /* of code, length and authenticator: the same in a repetition */
};

/*
 * Read the packet of LEN captured bytes of WIRE_LEN. False: it has no header, or that
 * of no RADIUS packet, or of one that is longer than the datagram (RFC 2865 §3: it must
 * be discarded). All of P is written. What was not captured is not malformed.
 */
bool	 radius_parse(struct radius_packet *p, const uint8_t *data, size_t len,
	     size_t wire_len);

static inline bool
radius_has(const struct radius_facts *f, enum radius_number n)
{
	return (f->numbers >> n & 1) != 0;
}

/* With the gigawords of RFC 2869 §5.1. */
uint64_t radius_octets(const struct radius_facts *f, enum radius_number octets);

/* Does CODE answer a request, and which codes does it answer? 0: it is a request. */
bool	 radius_is_request(uint8_t code);
bool	 radius_answers(uint8_t answer, uint8_t request);

/*
 * LEN bytes as a C string in TO (SIZE > LEN, else cut): NULs at the end go, as some
 * send them, others become SUB (0x1a), so that no two names become one. The length.
 */
size_t	 radius_string(char *to, size_t size, const uint8_t *bytes, size_t len);

/* As text: an address, or prefix/len. TO has room for RADIUS_NET_TEXT. The length. */
size_t	 radius_net_text(char *to, const struct radius_net *n);

/* An address as one the plugin compares: mapped, 128 bits. */
void	 radius_net4(struct radius_net *n, const uint8_t addr[4]);

/* "Start", ...; NULL: it has no name. */
const char *radius_status_name(uint32_t status);

#endif
