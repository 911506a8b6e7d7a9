/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_wire.c -- RADIUS packets, read. See radius_wire.h for what it costs.
 */
#include "radius_wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define VENDOR_3GPP 10415 /* 3GPP TS 29.061 §16.4.7 */

/* Attributes, by their numbers at IANA. */
enum attribute {
	USER_NAME = 1,
	NAS_IP_ADDRESS = 4,
	FRAMED_IP_ADDRESS = 8,
	VENDOR_SPECIFIC = 26,
	CALLED_STATION_ID = 30,
	CALLING_STATION_ID = 31,
	NAS_IDENTIFIER = 32,
	ACCT_STATUS_TYPE = 40,
	ACCT_DELAY_TIME = 41,
	ACCT_INPUT_OCTETS = 42,
	ACCT_OUTPUT_OCTETS = 43,
	ACCT_SESSION_ID = 44,
	ACCT_SESSION_TIME = 46,
	ACCT_INPUT_PACKETS = 47,
	ACCT_OUTPUT_PACKETS = 48,
	ACCT_INPUT_GIGAWORDS = 52,
	ACCT_OUTPUT_GIGAWORDS = 53,
	NAS_IPV6_ADDRESS = 95,
	FRAMED_IPV6_PREFIX = 97,
	DELEGATED_IPV6_PREFIX = 123,
	FRAMED_IPV6_ADDRESS = 168,
};

enum vendor_attribute {
	TGPP_IMSI = 1,
	TGPP_IMEISV = 20,
};

/* What an attribute is read as: 1 + the number in its enum. */
static const uint8_t texts[256] = {
    [USER_NAME] = 1 + RADIUS_USER,
    [CALLED_STATION_ID] = 1 + RADIUS_CALLED,
    [CALLING_STATION_ID] = 1 + RADIUS_CALLING,
    [NAS_IDENTIFIER] = 1 + RADIUS_NAS_ID,
    [ACCT_SESSION_ID] = 1 + RADIUS_SESSION,
};

static const uint8_t numbers[256] = {
    [ACCT_STATUS_TYPE] = 1 + RADIUS_STATUS,
    [ACCT_DELAY_TIME] = 1 + RADIUS_DELAY,
    [ACCT_INPUT_OCTETS] = 1 + RADIUS_IN_OCTETS,
    [ACCT_OUTPUT_OCTETS] = 1 + RADIUS_OUT_OCTETS,
    [ACCT_INPUT_GIGAWORDS] = 1 + RADIUS_IN_GIGAWORDS,
    [ACCT_OUTPUT_GIGAWORDS] = 1 + RADIUS_OUT_GIGAWORDS,
    [ACCT_INPUT_PACKETS] = 1 + RADIUS_IN_PACKETS,
    [ACCT_OUTPUT_PACKETS] = 1 + RADIUS_OUT_PACKETS,
    [ACCT_SESSION_TIME] = 1 + RADIUS_SECONDS,
};

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Codes that are in use: RFC 2865 §4, 2882 §5, 5176 §2.3, 7930 §4. */
static bool
is_code(uint8_t c)
{
	return (c >= 1 && c <= 13) || (c >= 21 && c <= 34) || (c >= 40 && c <= 45) ||
	    (c >= 50 && c <= 52);
}

static void
take_text(struct radius_packet *p, enum radius_text which, const uint8_t *v, size_t len)
{
	if (p->text_len[which] > 0 || len == 0)
		return;
	p->text[which] = v;
	p->text_len[which] = (uint8_t)len;
}

/* Once only, and of its size only. */
static bool
take_bytes(bool *has, uint8_t *to, size_t size, const uint8_t *v, size_t len)
{
	if (len != size)
		return false;
	if (!*has)
		memcpy(to, v, size);
	*has = true;
	return true;
}

/* A prefix: a reserved byte, its length, as many bytes as were thought needed. RFC
 * 3162 §2.3 */
static bool
take_net(
    struct radius_facts *f, enum radius_net_kind kind, const uint8_t *v, size_t len)
{
	struct radius_net n = {.len = 128, .kind = (uint8_t)kind};
	unsigned i;

	if (kind != RADIUS_FRAMED_ADDRESS) {
		if (len < 2 || v[1] > 128)
			return false;
		n.len = v[1];
		v += 2;
		len -= 2;
	} else if (len != 16)
		return false;
	if (len > 16)
		return false;
	memcpy(n.addr, v, len);
	for (i = 0; i < 16; i++)
		if (8 * i >= n.len)
			n.addr[i] = 0;
		else if (8 * (i + 1) > n.len)
			n.addr[i] &= (uint8_t)(0xff << (8 * (i + 1) - n.len));
	if (f->nnets < RADIUS_NETS)
		f->nets[f->nnets++] = n;
	return true;
}

/* A vendor's number, then attributes of its own. RFC 2865 §5.26 */
static bool
take_vendor(struct radius_packet *p, const uint8_t *v, size_t len)
{
	if (len < 4)
		return false;
	if (get32(v) != VENDOR_3GPP)
		return true;
	for (v += 4, len -= 4; len > 0; len -= v[1], v += v[1]) {
		if (len < 2 || v[1] < 2 || v[1] > len)
			return false;
		if (v[0] == TGPP_IMSI)
			take_text(p, RADIUS_IMSI, v + 2, v[1] - 2u);
		else if (v[0] == TGPP_IMEISV)
			take_text(p, RADIUS_IMEI, v + 2, v[1] - 2u);
	}
	return true;
}

static bool
take(struct radius_packet *p, uint8_t type, const uint8_t *v, size_t len)
{
	struct radius_facts *f = &p->f;

	if (texts[type] > 0) {
		take_text(p, texts[type] - 1u, v, len);
		return len > 0;
	}
	if (numbers[type] > 0) {
		unsigned n = numbers[type] - 1u;

		if (len != 4)
			return false;
		if (!radius_has(f, n))
			f->number[n] = get32(v);
		f->numbers |= (uint16_t)(1u << n);
		return true;
	}
	switch (type) {
	case NAS_IP_ADDRESS:
		return take_bytes(&f->has_nas, f->nas, 4, v, len);
	case NAS_IPV6_ADDRESS:
		return take_bytes(&f->has_nas6, f->nas6, 16, v, len);
	case FRAMED_IP_ADDRESS:
		return take_bytes(&f->has_framed, f->framed, 4, v, len);
	case FRAMED_IPV6_ADDRESS:
		return take_net(f, RADIUS_FRAMED_ADDRESS, v, len);
	case FRAMED_IPV6_PREFIX:
		return take_net(f, RADIUS_FRAMED_PREFIX, v, len);
	case DELEGATED_IPV6_PREFIX:
		return take_net(f, RADIUS_DELEGATED_PREFIX, v, len);
	case VENDOR_SPECIFIC:
		return take_vendor(p, v, len);
	default:
		return true;
	}
}

/* FNV-1a. */
static uint64_t
hash(const uint8_t *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; n > 0; n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

bool
radius_parse(struct radius_packet *p, const uint8_t *data, size_t len, size_t wire_len)
{
	size_t size, at = RADIUS_HEADER, end;

	memset(p, 0, sizeof(*p));
	if (len < RADIUS_HEADER || !is_code(data[0]))
		return false;
	size = (size_t)data[2] << 8 | data[3];
	if (size < RADIUS_HEADER || size > RADIUS_MAX || size > wire_len)
		return false;
	p->f.code = data[0];
	p->f.id = data[1];
	p->mark = hash(data, RADIUS_HEADER);
	end = size < len ? size : len; /* beyond SIZE there is padding */
	while (at < end) {
		const uint8_t *a = data + at;

		if (size - at < 2 ||
		    (end - at >= 2 && (a[1] < 2 || a[1] > size - at))) {
			p->f.malformed = true;
			break;
		}
		if (end - at < 2 || a[1] > end - at)
			break; /* not all captured */
		if (!take(p, a[0], a + 2, a[1] - 2u))
			p->f.malformed = true;
		at += a[1];
	}
	return true;
}

uint64_t
radius_octets(const struct radius_facts *f, enum radius_number octets)
{
	unsigned giga = octets == RADIUS_IN_OCTETS ? RADIUS_IN_GIGAWORDS :
						     RADIUS_OUT_GIGAWORDS;

	return (uint64_t)f->number[giga] << 32 | f->number[octets];
}

bool
radius_is_request(uint8_t code)
{
	switch (code) {
	case RADIUS_ACCESS_REQUEST:
	case RADIUS_ACCOUNTING_REQUEST:
	case 7:	 /* Password-Request */
	case 12: /* Status-Server */
	case 13: /* Status-Client */
	case 21: /* Resource-Free-Request */
	case 23: /* Resource-Query-Request */
	case 40: /* Disconnect-Request */
	case 43: /* CoA-Request */
		return true;
	default:
		return false;
	}
}

bool
radius_answers(uint8_t answer, uint8_t request)
{
	switch (answer) {
	case RADIUS_ACCESS_ACCEPT:
		return request == RADIUS_ACCESS_REQUEST || request == 12;
	case RADIUS_ACCESS_REJECT:
	case RADIUS_ACCESS_CHALLENGE:
		return request == RADIUS_ACCESS_REQUEST;
	case RADIUS_ACCOUNTING_RESPONSE:
		return request == RADIUS_ACCOUNTING_REQUEST || request == 12;
	case 8: /* Password-Ack, -Reject */
	case 9:
		return request == 7;
	case 22: /* Resource-Free-Response */
		return request == 21;
	case 24: /* Resource-Query-Response */
		return request == 23;
	case 41: /* Disconnect-ACK, -NAK */
	case 42:
		return request == 40;
	case 44: /* CoA-ACK, -NAK */
	case 45:
		return request == 43;
	default:
		return false;
	}
}

size_t
radius_string(char *to, size_t size, const uint8_t *bytes, size_t len)
{
	size_t i;

	while (len > 0 && bytes[len - 1] == '\0')
		len--;
	if (len > size - 1)
		len = size - 1;
	for (i = 0; i < len; i++)
		to[i] = bytes[i] != '\0' ? (char)bytes[i] : 0x1a;
	to[len] = '\0';
	return len;
}

size_t
radius_net_text(char *to, const struct radius_net *n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4 = n->len == 128 && memcmp(n->addr, mapped, sizeof(mapped)) == 0;

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? n->addr + 12 : n->addr, to,
		RADIUS_NET_TEXT) == NULL)
		to[0] = '\0'; /* there is room: never */
	if (n->len < 128) {
		size_t len = strlen(to);

		snprintf(to + len, RADIUS_NET_TEXT - len, "/%u", n->len);
	}
	return strlen(to);
}

void
radius_net4(struct radius_net *n, const uint8_t addr[4])
{
	memset(n, 0, sizeof(*n));
	n->addr[10] = n->addr[11] = 0xff;
	memcpy(n->addr + 12, addr, 4);
	n->len = 128;
	n->kind = RADIUS_FRAMED_ADDRESS;
}

const char *
radius_status_name(uint32_t status)
{
	static const char names[][RADIUS_NAME] = {
	    [RADIUS_START] = "Start",
	    [RADIUS_STOP] = "Stop",
	    [RADIUS_INTERIM] = "Interim-Update",
	    [RADIUS_ON] = "Accounting-On",
	    [RADIUS_OFF] = "Accounting-Off",
	    [9] = "Tunnel-Start",
	    [10] = "Tunnel-Stop",
	    [11] = "Tunnel-Reject",
	    [12] = "Tunnel-Link-Start",
	    [13] = "Tunnel-Link-Stop",
	    [14] = "Tunnel-Link-Reject",
	    [15] = "Failed",
	};

	if (status >= sizeof(names) / sizeof(names[0]) || names[status][0] == '\0')
		return NULL;
	return names[status];
}
