/* SPDX-License-Identifier: BSD-3-Clause */
/* dns_wire.c -- see dns_wire.h. Numbers of the wire are big-endian. */
#include "dns_wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define QUESTION_POINTER 0xc00c /* to the name of the first question, RFC 1035 §4.1.4 */

/* A message and how far it is read. */
struct cursor {
	const uint8_t *p;
	size_t len, wire_len, at;
	struct dns_message *m;
	bool room; /* for more text of the response */
};

static uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint8_t
lower_case(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Are there N more bytes? If they were sent but not captured, nobody lied. */
static bool
has(struct cursor *c, size_t n)
{
	if (c->len - c->at >= n)
		return true;
	if (c->wire_len - c->at < n)
		c->m->malformed = true;
	return false;
}

/* Step over a name. */
static bool
skip_name(struct cursor *c)
{
	uint8_t n;

	for (;;) {
		if (!has(c, 1))
			return false;
		n = c->p[c->at];
		if ((n & 0xc0) != 0)
			break;
		if (!has(c, (size_t)n + 1))
			return false;
		c->at += (size_t)n + 1;
		if (n == 0)
			return true;
	}
	if ((n & 0xc0) != 0xc0) { /* 01: RFC 6891 §5 took them back; 10: never were */
		c->m->malformed = true;
		return false;
	}
	if (!has(c, 2))
		return false;
	c->at += 2;
	return true;
}

/* A name without pointers, as most questions have: it is copied at once. 0: not so. */
static unsigned
read_straight(struct dns_name *name, const uint8_t *p, size_t len)
{
	size_t at = 0;

	while (at < len && p[at] != 0 && p[at] < 0x40)
		at += p[at] + 1u;
	if (at >= len || p[at] != 0 || ++at > DNS_NAME_MAX)
		return 0;
	memcpy(name->wire, p, at);
	return (unsigned)at;
}

int
dns_name_read(struct dns_name *name, const uint8_t *p, size_t len, size_t at)
{
	size_t limit = at; /* pointers lead before it: so there is an end */
	unsigned n, label, jumps = 0;

	n = at < len ? read_straight(name, p + at, len - at) : 0;
	name->len = (uint8_t)n;
	if (n > 0)
		return 0;
	while (at < len) {
		label = p[at];
		if ((label & 0xc0) == 0xc0) {
			if (len - at < 2 || ++jumps > DNS_JUMPS_MAX)
				return DNS_NAME_BAD;
			at = be16(p + at) & 0x3fff;
			if (at >= limit)
				return DNS_NAME_BAD;
			limit = at;
			continue;
		}
		if ((label & 0xc0) != 0 || len - at < label + 1)
			return DNS_NAME_BAD;
		if (n + label + 1 > DNS_NAME_MAX)
			return DNS_NAME_LONG;
		memcpy(name->wire + n, p + at, label + 1);
		n += label + 1;
		at += label + 1;
		if (label == 0) {
			name->len = (uint8_t)n;
			return 0;
		}
	}
	return DNS_NAME_BAD;
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

/* Sixteen bytes of a text; LOW: 0x20 to make them lower case, else 0. False: there are some
 * that do not stand for themselves. */
static inline bool
plain16(char *p, uint8_t low)
{
	bytes16 v, odd;
	uint64_t w[2];

	memcpy(&v, p, sizeof(v));
	odd = (bytes16)((v < 0x20) | (v == 0x7f) | (v == '\\'));
	memcpy(w, &odd, sizeof(w));
	v |= (bytes16)((v >= 'A') & (v <= 'Z')) & low;
	memcpy(p, &v, sizeof(v));
	return (w[0] | w[1]) == 0;
}

/*
 * The text of a whole name, if all its bytes stand for themselves: copied at once, then
 * the lengths are made dots, then all is looked at. False: it is not so.
 */
static bool
plain_text(char *to, const uint8_t *wire, size_t len, bool lower)
{
	char text[DNS_NAME_MAX + 16];
	size_t n = len - 2, at, i;

	for (at = wire[0]; at < n; at += wire[at + 1] + 1u)
		if (wire[at + 1] == 0)
			return false; /* it ends before its end */
	if (wire[0] == 0 || at != n || wire[n + 1] != 0)
		return false;
	memcpy(text, wire + 1, n);
	memset(text + n, 'x', 16);
	for (at = wire[0]; at < n; at += wire[at + 1] + 1u)
		text[at] = '.';
	for (i = 0; i < n; i += 16)
		if (!plain16(text + i, lower ? 0x20 : 0))
			return false;
	memcpy(to, text, n);
	to[n] = '\0';
	return true;
}

size_t
dns_name_text(char *to, size_t size, const uint8_t *wire, size_t len, bool lower)
{
	size_t at = 0, n = 0, end;
	uint8_t c;

	/* most names are plain and have room */
	if (len > 2 && len <= size && len <= DNS_NAME_MAX && plain_text(to, wire, len, lower))
		return len - 2;
	if (len == 1 && size > 1)
		to[n++] = '.';
	while (at < len && wire[at] != 0) {
		if (n > 0 && n + 1 < size)
			to[n++] = '.';
		end = at + 1 + wire[at];
		for (at++; at < end && at < len; at++) {
			c = lower ? lower_case(wire[at]) : wire[at];
			if (c < 0x20 || c == 0x7f) {
				if (n + 4 >= size)
					goto out;
				to[n++] = '\\';
				to[n++] = (char)('0' + c / 100);
				to[n++] = (char)('0' + c / 10 % 10);
				to[n++] = (char)('0' + c % 10);
				continue;
			}
			if (n + 1 + (c == '\\') >= size)
				goto out;
			if (c == '\\')
				to[n++] = '\\';
			to[n++] = (char)c;
		}
	}
out:
	if (size > 0)
		to[n] = '\0';
	return n;
}

bool
dns_name_equal(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	size_t i;

	if (alen != blen)
		return false;
	if (memcmp(a, b, alen) == 0)
		return true;
	/* lengths of labels are below 'A' and so compared as they are */
	for (i = 0; i < alen; i++)
		if (a[i] != b[i] && lower_case(a[i]) != lower_case(b[i]))
			return false;
	return true;
}

size_t
dns_addr_text(char *to, const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned i, n = 0;
	uint8_t b;

	if (memcmp(addr, mapped, sizeof(mapped)) != 0) {
		if (inet_ntop(AF_INET6, addr, to, INET6_ADDRSTRLEN) == NULL)
			to[0] = '\0';
		return strlen(to);
	}
	for (i = 12; i < 16; i++) {
		b = addr[i];
		if (b >= 100)
			to[n++] = (char)('0' + b / 100);
		if (b >= 10)
			to[n++] = (char)('0' + b / 10 % 10);
		to[n++] = (char)('0' + b % 10);
		to[n++] = i < 15 ? '.' : '\0';
	}
	return n - 1;
}

/* What does not fit whole is left out, and all after it. */
static void
add_text(struct cursor *c, const char *text, size_t len)
{
	size_t have = strlen(c->m->response_text);
	char *to = c->m->response_text + have;

	if (have + (have > 0) + len >= DNS_RESPONSE)
		c->room = false;
	if (!c->room)
		return;
	if (have > 0)
		*to++ = ',';
	memcpy(to, text, len);
	to[len] = '\0';
}

/* An address: names before it (CNAMEs) make room. OWNER is where its name is. */
static void
add_addr(struct cursor *c, const uint8_t *bytes, size_t len, size_t owner, uint32_t ttl)
{
	struct dns_message *m = c->m;
	uint8_t *a;
	char text[INET6_ADDRSTRLEN];

	if (m->naddrs == DNS_ITEMS_MAX)
		return;
	if (m->naddrs == 0) {
		m->response_text[0] = '\0';
		m->ttl = ttl;
		c->room = true;
		if (m->question == DNS_QUESTION_OK && be16(c->p + owner) == QUESTION_POINTER) {
			m->owner.len = m->qname.len;
			memcpy(m->owner.wire, m->qname.wire, m->qname.len);
		} else if (dns_name_read(&m->owner, c->p, c->len, owner) != 0)
			m->malformed = true;
	}
	a = m->addrs[m->naddrs++];
	memset(a, 0, 16);
	if (len == 4)
		a[10] = a[11] = 0xff;
	memcpy(a + 16 - len, bytes, len);
	add_text(c, text, dns_addr_text(text, a));
}

static void
add_name(struct cursor *c, size_t at, unsigned *names)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT];

	if (c->m->naddrs > 0 || *names == DNS_ITEMS_MAX || !c->room)
		return;
	++*names;
	if (dns_name_read(&name, c->p, c->len, at) != 0) {
		if (c->len == c->wire_len)
			c->m->malformed = true;
		return;
	}
	add_text(
	    c, text, dns_name_text(text, sizeof(text), name.wire, name.len, false));
}

/* A record of the answer, whose data of LEN bytes begins at AT. */
static void
read_answer(struct cursor *c, uint16_t type, bool internet, size_t at, size_t len,
    size_t owner, uint32_t ttl, unsigned *names)
{
	struct dns_message *m = c->m;
	size_t skip = type == DNS_MX ? 2 : type == DNS_SRV ? 6 : 0;

	if (!m->has_ttl) {
		m->ttl = ttl;
		m->has_ttl = true;
	}
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		if (!internet)
			break;
		if (len == (type == DNS_A ? 4 : 16))
			add_addr(c, c->p + at, len, owner, ttl);
		else
			m->malformed = true;
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_DNAME:
	case DNS_MX:
	case DNS_SRV:
		if (len > skip)
			add_name(c, at + skip, names);
		else
			m->malformed = true;
		break;
	default:
		break;
	}
}

/* A record. Name, type 2, class 2, TTL 4, length 2, data. */
static bool
read_record(struct cursor *c, enum dns_section section, unsigned *names)
{
	size_t owner = c->at, len;
	const uint8_t *p;
	uint16_t type;
	bool whole;

	if (!skip_name(c) || !has(c, 10))
		return false;
	p = c->p + c->at;
	type = be16(p);
	len = be16(p + 8);
	c->at += 10;
	if (type == DNS_OPT && section == DNS_ADDITIONAL && c->m->response)
		c->m->rcode = (uint16_t)(p[4] << 4 | (c->m->rcode & 15));
	whole = has(c, len);
	/* the upper bit of the class is mDNS's cache flush, RFC 6762 §10.2 */
	if (whole && section == DNS_ANSWERS && c->m->response &&
	    c->m->opcode != DNS_UPDATE)
		read_answer(c, type, (be16(p + 2) & 0x7fff) == 1, c->at, len, owner,
		    be32(p + 4), names);
	c->at += whole ? len : 0;
	return whole && !c->m->malformed;
}

/* The first question is kept. */
static bool
read_question(struct cursor *c, bool first)
{
	struct dns_message *m = c->m;
	size_t at = c->at;
	int error;

	if (!skip_name(c) || !has(c, 4))
		return false;
	if (first) {
		m->qtype = be16(c->p + c->at);
		m->question = DNS_QUESTION_OK;
		error = dns_name_read(&m->qname, c->p, c->len, at);
		if (error != 0) {
			m->question = error == DNS_NAME_LONG ? DNS_QUESTION_LONG
							     : DNS_QUESTION_LOOPS;
			m->malformed = true;
		}
	}
	c->at += 4;
	return !m->malformed;
}

bool
dns_parse(struct dns_message *m, const uint8_t *p, size_t len, size_t wire_len)
{
	struct cursor c = {.p = p, .len = len, .at = DNS_HEADER, .m = m, .room = true};
	unsigned s, i, names = 0;

	if (len < DNS_HEADER)
		return false;
	c.wire_len = wire_len > len ? wire_len : len;
	m->id = be16(p);
	m->response = (p[2] & 0x80) != 0;
	m->opcode = p[2] >> 3 & 15;
	m->rcode = p[3] & 15;
	for (s = 0; s < DNS_SECTIONS; s++)
		m->count[s] = be16(p + 4 + 2 * s);
	m->question = DNS_NO_QUESTION;
	m->qtype = 0;
	m->malformed = m->has_ttl = false;
	m->ttl = 0;
	m->naddrs = 0;
	m->qname.len = m->owner.len = 0;
	m->response_text[0] = '\0';
	for (i = 0; i < m->count[DNS_QUESTIONS]; i++)
		if (!read_question(&c, i == 0))
			return true;
	for (s = DNS_ANSWERS; s < DNS_SECTIONS; s++)
		for (i = 0; i < m->count[s]; i++)
			if (!read_record(&c, s, &names))
				return true;
	return true;
}

struct mnemonic {
	uint16_t number;
	const char *name;
};

/* IANA, "Resource Record (RR) TYPEs". */
static const struct mnemonic types[] = {
    {1, "A"}, {2, "NS"}, {3, "MD"}, {4, "MF"}, {5, "CNAME"}, {6, "SOA"}, {7, "MB"},
    {8, "MG"}, {9, "MR"}, {10, "NULL"}, {11, "WKS"}, {12, "PTR"}, {13, "HINFO"},
    {14, "MINFO"}, {15, "MX"}, {16, "TXT"}, {17, "RP"}, {18, "AFSDB"}, {19, "X25"},
    {20, "ISDN"}, {21, "RT"}, {22, "NSAP"}, {23, "NSAP-PTR"}, {24, "SIG"}, {25, "KEY"},
    {26, "PX"}, {27, "GPOS"}, {28, "AAAA"}, {29, "LOC"}, {30, "NXT"}, {31, "EID"},
    {32, "NIMLOC"}, {33, "SRV"}, {34, "ATMA"}, {35, "NAPTR"}, {36, "KX"}, {37, "CERT"},
    {38, "A6"}, {39, "DNAME"}, {40, "SINK"}, {41, "OPT"}, {42, "APL"}, {43, "DS"},
    {44, "SSHFP"}, {45, "IPSECKEY"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"},
    {49, "DHCID"}, {50, "NSEC3"}, {51, "NSEC3PARAM"}, {52, "TLSA"}, {53, "SMIMEA"},
    {55, "HIP"}, {56, "NINFO"}, {57, "RKEY"}, {58, "TALINK"}, {59, "CDS"},
    {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"}, {63, "ZONEMD"}, {64, "SVCB"},
    {65, "HTTPS"}, {66, "DSYNC"}, {99, "SPF"}, {100, "UINFO"}, {101, "UID"},
    {102, "GID"}, {103, "UNSPEC"}, {104, "NID"}, {105, "L32"}, {106, "L64"},
    {107, "LP"}, {108, "EUI48"}, {109, "EUI64"}, {249, "TKEY"}, {250, "TSIG"},
    {251, "IXFR"}, {252, "AXFR"}, {253, "MAILB"}, {254, "MAILA"}, {255, "ANY"},
    {256, "URI"}, {257, "CAA"}, {258, "AVC"}, {259, "DOA"}, {260, "AMTRELAY"},
    {261, "RESINFO"}, {262, "WALLET"}, {263, "CLA"}, {264, "IPN"}, {32768, "TA"},
    {32769, "DLV"}};

/* IANA, "DNS RCODEs". 16 is also BADSIG, within TSIG records, which are not read. */
static const struct mnemonic rcodes[] = {{0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"},
    {3, "NXDOMAIN"}, {4, "NOTIMP"}, {5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"},
    {8, "NXRRSET"}, {9, "NOTAUTH"}, {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"},
    {17, "BADKEY"}, {18, "BADTIME"}, {19, "BADMODE"}, {20, "BADNAME"}, {21, "BADALG"},
    {22, "BADTRUNC"}, {23, "BADCOOKIE"}};

static void
mnemonic(char to[DNS_MNEMONIC], const struct mnemonic *rows, size_t n, uint16_t number,
    const char *kind)
{
	size_t low = 0, high = n, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (rows[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < n && rows[low].number == number) /* all are shorter */
		memcpy(to, rows[low].name, strlen(rows[low].name) + 1);
	else
		snprintf(to, DNS_MNEMONIC, "%s%u", kind, number);
}

void
dns_type_name(char to[DNS_MNEMONIC], uint16_t type)
{
	mnemonic(to, types, sizeof(types) / sizeof(types[0]), type, "TYPE");
}

void
dns_rcode_name(char to[DNS_MNEMONIC], uint16_t rcode)
{
	mnemonic(to, rcodes, sizeof(rcodes) / sizeof(rcodes[0]), rcode, "RCODE");
}
