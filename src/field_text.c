/* SPDX-License-Identifier: BSD-3-Clause */
/* field_text.c -- values as text. Asked for by people, so printf is fast enough. */
#include "field_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Bytes of the UTF-8 character at S, 0: none. Overlong forms, surrogates and what lies
 * above U+10FFFF are none (RFC 3629 §3).
 */
static size_t
character(const uint8_t *s, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = s[0];
	size_t n;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	c &= 0x7fU >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static size_t
text_string(char *to, const uint8_t *s, size_t len)
{
	char *p = to;

	for (size_t i = 0, n; i < len; i += n) {
		n = character(s + i, len - i);
		if (n == 0) {
			memcpy(p, "\xef\xbf\xbd", 3);
			p += 3;
			n = 1;
			continue;
		}
		memcpy(p, s + i, n);
		p += n;
	}
	return (size_t)(p - to);
}

static size_t
text_hex(char *to, const uint8_t *s, size_t len, const char *between)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (size_t)sprintf(to + n, "%s%02x", i > 0 ? between : "", s[i]);
	return n;
}

static size_t
text_address(char *to, size_t size, int family, const uint8_t *a)
{
	return inet_ntop(family, a, to, (socklen_t)size) != NULL ? strlen(to) : 0;
}

/* V / 1000 with three decimals. */
static size_t
text_thousandths(char *to, uint64_t v)
{
	return (size_t)sprintf(to, "%" PRIu64 ".%03u", v / 1000, (unsigned)(v % 1000));
}

static size_t
text_uint(char *to, uint64_t v)
{
	return (size_t)sprintf(to, "%" PRIu64, v);
}

static size_t
text_value(char *to, size_t size, enum field_type type, const struct value *v)
{
	size_t len = v->len < FIELD_STRING_MAX ? v->len : FIELD_STRING_MAX;

	switch (type) {
	case FIELD_UINT:
	case FIELD_MICROS:
		return text_uint(to, v->u);
	case FIELD_SECONDS:
		return text_uint(to, v->u / 1000000);
	case FIELD_MILLIS:
		return text_uint(to, v->u / 1000);
	case FIELD_UPTIME:
		return text_thousandths(to, v->u / 1000);
	case FIELD_LATENCY:
		return text_thousandths(to, v->u);
	case FIELD_IP4:
		return text_address(to, size, AF_INET, v->p);
	case FIELD_IP6:
		return text_address(to, size, AF_INET6, v->p);
	case FIELD_MAC:
		return text_hex(to, v->p, 6, ":");
	case FIELD_STRING:
		return text_string(to, v->p, len);
	case FIELD_OCTETS:
		return text_hex(to, v->p, len, "");
	}
	return 0;
}

bool
field_text(const struct field *f, const struct record *r, char *buf, size_t size,
    size_t *len)
{
	struct value v;

	if (size < FIELD_TEXT_MAX || f->get == NULL ||
	    (f->family != 0 && f->family != r->flow->key.ip_version))
		return false;
	v.absent = true;
	field_read(f, r, &v);
	if (v.absent)
		return false;
	*len = text_value(buf, size, (enum field_type)f->type, &v);
	return true;
}
