/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keyname.c -- names of keys. Texts of addresses are written by hand, 10 to 40 ns; the
 * shapes of IPv6 are those of RFC 5952: lower case, no leading zeros, the first longest
 * run of two or more zero groups as "::".
 */
#include "keyname.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#define FLOW_PREFIX "flow."

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Those that are met; the others go by number. The names of %PROTOCOL_MAP. */
static const struct {
	uint8_t number;
	const char *name;
} protocols[] = {
    {6, "tcp"},
    {17, "udp"},
    {1, "icmp"},
    {58, "ipv6-icmp"},
    {2, "igmp"},
    {4, "ipip"},
    {33, "dccp"},
    {41, "ipv6"},
    {46, "rsvp"},
    {47, "gre"},
    {50, "esp"},
    {51, "ah"},
    {88, "eigrp"},
    {89, "ospf"},
    {94, "ipencap"},
    {97, "etherip"},
    {103, "pim"},
    {112, "vrrp"},
    {115, "l2tp"},
    {132, "sctp"},
    {136, "udplite"},
};
#define NPROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static char *
put_uint(char *p, uint32_t u)
{
	char digits[10], *d = digits + sizeof(digits);
	size_t n;

	do
		*--d = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	n = (size_t)(digits + sizeof(digits) - d);
	memcpy(p, d, n);
	return p + n;
}

/* ASCII that stands for itself. */
static bool
is_plain(uint8_t c)
{
	switch (c) {
	case '%':
	case '*':
	case '?':
	case '[':
	case ']':
	case '\\':
		return false;
	}
	return c > 0x20 && c < 0x7f;
}

/*
 * Bytes of the character at S that stands for itself, LEN > 0 bytes before the end; 0
 * if what is there must be encoded. RFC 3629 §4: no overlong forms, no surrogates,
 * U+10FFFF at most; the control characters up to U+009F are of two bytes.
 */
static size_t
character(const uint8_t *s, size_t len)
{
	size_t n, i;
	uint32_t c;

	if (s[0] < 0x80)
		return is_plain(s[0]);
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
		return 0;
	c = s[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < 0xa0 || (n == 3 && c < 0x800) || (n == 4 && c < 0x10000))
		return 0;
	return c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

/* Sixteen bytes at once, where all of them stand for themselves. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bool
copy_plain16(char *to, const uint8_t *s)
{
	bytes16 v, odd;
	uint64_t w[2];

	memcpy(&v, s, sizeof(v));
	/* '[', '\\' and ']' follow each other */
	odd = (bytes16)((v - 0x21 > 0x7e - 0x21) | (v - '[' <= ']' - '[') | (v == '%') |
	    (v == '*') | (v == '?'));
	memcpy(w, &odd, sizeof(w));
	if ((w[0] | w[1]) != 0)
		return false;
	memcpy(to, &v, sizeof(v));
	return true;
}

/* Copy the bytes at the beginning that stand for themselves: mostly all. How many. */
static size_t
plain_part(char *to, const uint8_t *s, size_t len)
{
	static const uint32_t plain[8] = {0, 0x7ffffbde, 0xc7ffffff, 0x7fffffff};
	size_t n = 0;

	while (len - n >= 16 && copy_plain16(to + n, s + n))
		n += 16;
	if (len >= 16 && len - n < 16 && copy_plain16(to + len - 16, s + len - 16))
		return len;
	while (n < len && (plain[s[n] >> 5] >> (s[n] & 31) & 1)) {
		to[n] = (char)s[n];
		n++;
	}
	return n;
}

size_t
keyname_part(char *to, const void *bytes, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const uint8_t *s = bytes, *end = s + len;
	size_t at = plain_part(to, s, len < KEYNAME_PART ? len : KEYNAME_PART), n;

	s += at;
	while (s < end) {
		n = character(s, (size_t)(end - s));
		if (at + (n > 0 ? n : 3) > KEYNAME_PART)
			break;
		if (n > 0) {
			memcpy(to + at, s, n);
			at += n;
			s += n;
		} else {
			to[at++] = '%';
			to[at++] = hex[*s >> 4];
			to[at++] = hex[*s++ & 15];
		}
	}
	to[at] = '\0';
	return at;
}

/*
 * Addresses
 */
static char *
put_ip6(char *p, const uint8_t *a)
{
	static const char hex[] = "0123456789abcdef";
	unsigned g[8], i, run, best = 0, best_at = 8;

	for (i = 0; i < 8; i++)
		g[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
	for (i = 0; i < 8; i += run + 1) {
		for (run = 0; i + run < 8 && g[i + run] == 0; run++)
			;
		if (run > best && run >= 2) {
			best = run;
			best_at = i;
		}
	}
	for (i = 0; i < 8; i++) {
		if (i == best_at) {
			*p++ = ':';
			if (i == 0)
				*p++ = ':';
			i += best - 1;
			continue;
		}
		if (g[i] > 0xfff)
			*p++ = hex[g[i] >> 12];
		if (g[i] > 0xff)
			*p++ = hex[g[i] >> 8 & 15];
		if (g[i] > 0xf)
			*p++ = hex[g[i] >> 4 & 15];
		*p++ = hex[g[i] & 15];
		if (i < 7)
			*p++ = ':';
	}
	return p;
}

size_t
keyname_addr(char *to, const uint8_t *addr)
{
	char *p = to;
	unsigned i;

	if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
		for (i = 12; i < 16; i++) {
			p = put_uint(p, addr[i]);
			*p++ = '.';
		}
		p--;
	} else
		p = put_ip6(p, addr);
	*p = '\0';
	return (size_t)(p - to);
}

int
keyname_read_addr(uint8_t *addr, const char *text, size_t len)
{
	char copy[KEYNAME_ADDR];
	uint8_t a[16];

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return -1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, a + 12) == 1)
		memcpy(a, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, copy, a) != 1)
		return -1;
	memcpy(addr, a, sizeof(a));
	return 0;
}

size_t
keyname_mac(char *to, const uint8_t *mac)
{
	static const char hex[] = "0123456789abcdef";
	unsigned i;

	for (i = 0; i < 6; i++) {
		to[3 * i] = hex[mac[i] >> 4];
		to[3 * i + 1] = hex[mac[i] & 15];
		to[3 * i + 2] = i < 5 ? ':' : '\0';
	}
	return 17;
}

/*
 * Flows
 */
size_t
keyname_proto(char *to, uint8_t proto)
{
	size_t i, len;

	for (i = 0; i < NPROTOCOLS; i++)
		if (protocols[i].number == proto) {
			len = strlen(protocols[i].name);
			memcpy(to, protocols[i].name, len + 1);
			return len;
		}
	len = (size_t)(put_uint(to, proto) - to);
	to[len] = '\0';
	return len;
}

size_t
keyname_flow(char *to, const struct flowkey *key, unsigned client)
{
	unsigned i, d = client & 1;
	char *p = to;

	memcpy(p, FLOW_PREFIX, sizeof(FLOW_PREFIX) - 1);
	p += sizeof(FLOW_PREFIX) - 1;
	p += keyname_proto(p, key->proto);
	for (i = 0; i < 2; i++, d ^= 1) {
		*p++ = i == 0 ? '.' : '-';
		p += keyname_addr(p, key->addr[d]);
		*p++ = '.';
		p = put_uint(p, key->port[d]);
	}
	if (key->vlan != 0) {
		*p++ = '@';
		p = put_uint(p, key->vlan);
	}
	if (key->sub != 0) {
		*p++ = '#';
		p = put_uint(p, key->sub);
	}
	*p = '\0';
	return (size_t)(p - to);
}

/* All LEN bytes of TEXT: decimal, without leading zeros, MAX at most. */
static int
read_uint(const char *text, size_t len, uint32_t max, uint32_t *u)
{
	uint64_t v = 0;
	size_t i;

	if (len == 0 || len > 10 || (text[0] == '0' && len > 1))
		return -1;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (v > max)
		return -1;
	*u = (uint32_t)v;
	return 0;
}

static int
read_proto(const char *text, size_t len, uint8_t *proto)
{
	uint32_t u;
	size_t i;

	for (i = 0; i < NPROTOCOLS; i++)
		if (strlen(protocols[i].name) == len &&
		    memcmp(protocols[i].name, text, len) == 0) {
			*proto = protocols[i].number;
			return 0;
		}
	if (read_uint(text, len, UINT8_MAX, &u) == -1)
		return -1;
	*proto = (uint8_t)u;
	return 0;
}

/* "<addr>.<port>": the port stands after the last dot. */
static int
read_endpoint(const char *text, size_t len, uint8_t *addr, uint16_t *port)
{
	const char *dot = memrchr(text, '.', len);
	uint32_t u;

	if (dot == NULL || keyname_read_addr(addr, text, (size_t)(dot - text)) == -1)
		return -1;
	if (read_uint(dot + 1, (size_t)(text + len - dot - 1), UINT16_MAX, &u) == -1)
		return -1;
	*port = (uint16_t)u;
	return 0;
}

/* Take a number behind the last MARK off the end of TEXT; 0 where there is no MARK. */
static int
read_suffix(const char *text, size_t *len, char mark, uint32_t max, uint32_t *u)
{
	const char *at = memrchr(text, mark, *len);
	size_t keep;

	*u = 0;
	if (at == NULL)
		return 0;
	keep = (size_t)(at - text);
	if (read_uint(at + 1, *len - keep - 1, max, u) == -1)
		return -1;
	*len = keep;
	return 0;
}

/* As flowkey_make() orders them. */
static void
order(struct flowkey *key, const uint8_t (*addr)[16], const uint16_t *port)
{
	int cmp = memcmp(addr[0], addr[1], 16);
	unsigned dir;

	if (cmp == 0)
		cmp = (int)port[0] - (int)port[1];
	dir = cmp > 0;
	memcpy(key->addr[dir], addr[0], 16);
	memcpy(key->addr[!dir], addr[1], 16);
	key->port[dir] = port[0];
	key->port[!dir] = port[1];
}

int
keyname_read_flow(struct flowkey *key, const char *name, size_t len)
{
	const size_t skip = sizeof(FLOW_PREFIX) - 1;
	uint8_t addr[2][16];
	const char *dot, *dash;
	uint32_t vlan, sub;
	uint16_t port[2];
	bool ip4[2];
	unsigned i;

	if (len <= skip || memcmp(name, FLOW_PREFIX, skip) != 0)
		return -1;
	name += skip;
	len -= skip;
	dot = memchr(name, '.', len);
	if (dot == NULL || read_proto(name, (size_t)(dot - name), &key->proto) == -1)
		return -1;
	len -= (size_t)(dot + 1 - name);
	name = dot + 1;
	if (read_suffix(name, &len, '#', UINT32_MAX, &sub) == -1 ||
	    read_suffix(name, &len, '@', UINT16_MAX, &vlan) == -1)
		return -1;
	dash = memchr(name, '-', len);
	if (dash == NULL ||
	    read_endpoint(name, (size_t)(dash - name), addr[0], &port[0]) == -1 ||
	    read_endpoint(
		dash + 1, (size_t)(name + len - dash - 1), addr[1], &port[1]) == -1)
		return -1;
	for (i = 0; i < 2; i++)
		ip4[i] = memcmp(addr[i], mapped, sizeof(mapped)) == 0;
	if (ip4[0] != ip4[1])
		return -1;
	order(key, (const uint8_t(*)[16])addr, port);
	key->vlan = (uint16_t)vlan;
	key->sub = sub;
	key->ip_version = ip4[0] ? 4 : 6;
	return 0;
}
