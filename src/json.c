/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.c -- writes JSON. Numbers and IPv4 addresses are formatted by hand, two digits
 * at a time: printf would cost more than all the rest of a record. Every write first
 * makes room for the most it can need, so that the stores themselves do not check.
 */
#include "json.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "template.h"

#define JSON_FIRST   4096 /* bytes of a new buffer */
#define JSON_NUMBER  24	  /* room for any 64-bit number with its point */
#define ESCAPED_BYTE 6	  /* \u001f; a bad byte's U+FFFD takes 3 */

void
json_init(struct json *j)
{
	memset(j, 0, sizeof(*j));
}

void
json_clear(struct json *j)
{
	free(j->buf);
	json_init(j);
}

void
json_reset(struct json *j)
{
	j->len = 0;
	j->comma = false;
	j->failed = false;
}

/* Room for N more bytes: where they go, NULL if there is no memory. */
static char *
room(struct json *j, size_t n)
{
	size_t cap = j->cap > 0 ? j->cap : JSON_FIRST;
	char *buf;

	if (j->failed)
		return NULL;
	if (n > j->cap - j->len) {
		while (n > cap - j->len)
			cap *= 2;
		buf = realloc(j->buf, cap);
		if (buf == NULL) {
			j->failed = true;
			return NULL;
		}
		j->buf = buf;
		j->cap = cap;
	}
	return j->buf + j->len;
}

/* What was written ends at END. */
static void
done(struct json *j, const char *end)
{
	j->len = (size_t)(end - j->buf);
}

static char *
put(char *p, const char *s, size_t len)
{
	memcpy(p, s, len);
	return p + len;
}

static const char two_digits[] = "0001020304050607080910111213141516171819"
				 "2021222324252627282930313233343536373839"
				 "4041424344454647484950515253545556575859"
				 "6061626364656667686970717273747576777879"
				 "8081828384858687888990919293949596979899";

static char *
put_uint(char *p, uint64_t u)
{
	char digits[20], *d = digits + sizeof(digits);

	while (u >= 100) {
		d -= 2;
		memcpy(d, two_digits + 2 * (u % 100), 2);
		u /= 100;
	}
	if (u >= 10) {
		d -= 2;
		memcpy(d, two_digits + 2 * u, 2);
	} else {
		*--d = (char)('0' + u);
	}
	return put(p, d, (size_t)(digits + sizeof(digits) - d));
}

static char *
put_fixed(char *p, uint64_t u, unsigned decimals)
{
	char fraction[20];
	unsigned i;

	if (decimals > sizeof(fraction) - 1)
		decimals = sizeof(fraction) - 1;
	for (i = decimals; i > 0; i--) {
		fraction[i - 1] = (char)('0' + u % 10);
		u /= 10;
	}
	p = put_uint(p, u);
	if (decimals > 0) {
		*p++ = '.';
		p = put(p, fraction, decimals);
	}
	return p;
}

static char *
put_hex(char *p, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*p++ = digits[bytes[i] >> 4];
		*p++ = digits[bytes[i] & 15];
	}
	return p;
}

static char *
put_ip4(char *p, const uint8_t *a)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		if (a[i] >= 100)
			*p++ = (char)('0' + a[i] / 100);
		if (a[i] >= 10)
			*p++ = (char)('0' + a[i] / 10 % 10);
		*p++ = (char)('0' + a[i] % 10);
	}
	return p;
}

static char *
put_ip6(char *p, const uint8_t *a)
{
	inet_ntop(AF_INET6, a, p, INET6_ADDRSTRLEN);
	return p + strlen(p);
}

static char *
put_mac(char *p, const uint8_t *a)
{
	for (unsigned i = 0; i < 6; i++) {
		if (i > 0)
			*p++ = ':';
		p = put_hex(p, a + i, 1);
	}
	return p;
}

/*
 * How long the UTF-8 character at S is, within its LEN bytes: 1 to 4; 0 if it is none.
 * Overlong forms, surrogates and what lies above U+10FFFF are none (RFC 3629 §4).
 */
static size_t
utf8_len(const uint8_t *s, size_t len)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	switch (s[0]) { /* where the second byte is not free */
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed:
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4:
		high = 0x8f;
		break;
	}
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* A byte below 0x20, or one of " and \. */
static char *
put_escape(char *p, uint8_t c)
{
	*p++ = '\\';
	switch (c) {
	case '"':
	case '\\':
		*p++ = (char)c;
		return p;
	case '\b':
		*p++ = 'b';
		return p;
	case '\f':
		*p++ = 'f';
		return p;
	case '\n':
		*p++ = 'n';
		return p;
	case '\r':
		*p++ = 'r';
		return p;
	case '\t':
		*p++ = 't';
		return p;
	}
	p = put(p, "u00", 3);
	return put_hex(p, &c, 1);
}

/* S in quotes; P has room for 2 + ESCAPED_BYTE * LEN. */
static char *
put_string(char *p, const uint8_t *s, size_t len)
{
	size_t i = 0, n;

	*p++ = '"';
	while (i < len) {
		if (s[i] < 0x20 || s[i] == '"' || s[i] == '\\') {
			p = put_escape(p, s[i++]);
			continue;
		}
		n = utf8_len(s + i, len - i);
		if (n > 0) {
			p = put(p, (const char *)s + i, n);
			i += n;
		} else {
			p = put(p, "\xef\xbf\xbd", 3); /* U+FFFD */
			i++;
		}
	}
	*p++ = '"';
	return p;
}

/* "NAME": with the comma it needs, and room for N bytes more behind it. */
static char *
member(struct json *j, const char *name, size_t n)
{
	size_t len = strlen(name);
	char *p = room(j, len + 4 + n);

	if (p == NULL)
		return NULL;
	if (j->comma)
		*p++ = ',';
	j->comma = true;
	*p++ = '"';
	p = put(p, name, len);
	return put(p, "\":", 2);
}

void
json_char(struct json *j, char c)
{
	char *p = room(j, 1);

	if (p == NULL)
		return;
	*p = c;
	done(j, p + 1);
}

void
json_open(struct json *j)
{
	json_char(j, '{');
	j->comma = false;
}

void
json_close(struct json *j)
{
	json_char(j, '}');
	j->comma = true;
}

void
json_uint(struct json *j, const char *name, uint64_t u)
{
	char *p = member(j, name, JSON_NUMBER);

	if (p != NULL)
		done(j, put_uint(p, u));
}

void
json_fixed(struct json *j, const char *name, uint64_t u, unsigned decimals)
{
	char *p = member(j, name, 2 * JSON_NUMBER);

	if (p != NULL)
		done(j, put_fixed(p, u, decimals));
}

void
json_string(struct json *j, const char *name, const void *bytes, size_t len)
{
	char *p = member(j, name, 2 + ESCAPED_BYTE * len);

	if (p != NULL)
		done(j, put_string(p, bytes, len));
}

void
json_bool(struct json *j, const char *name, bool b)
{
	char *p = member(j, name, 5);

	if (p != NULL)
		done(j, b ? put(p, "true", 4) : put(p, "false", 5));
}

void
json_raw(struct json *j, const char *name, const void *text, size_t len)
{
	char *p = member(j, name, len);

	if (p != NULL)
		done(j, put(p, text, len));
}

/* "8", or "35632.118": the name of F by its number. */
static const char *
number_name(const struct field *f, char buf[2 * JSON_NUMBER])
{
	char *p = buf;

	if (f->pen != 0) {
		p = put_uint(p, f->pen);
		*p++ = '.';
	}
	p = put_uint(p, f->id);
	*p = '\0';
	return buf;
}

/* An address that WRITE makes of the value, in quotes. */
static void
json_address(struct json *j, const char *name, const struct value *v,
    char *(*write)(char *, const uint8_t *))
{
	char *p = member(j, name, 2 + INET6_ADDRSTRLEN);

	if (p == NULL)
		return;
	*p++ = '"';
	p = write(p, v->p);
	*p++ = '"';
	done(j, p);
}

static void
json_hex(struct json *j, const char *name, const struct value *v)
{
	char *p = member(j, name, 2 + 2 * (size_t)v->len);

	if (p == NULL)
		return;
	*p++ = '"';
	p = put_hex(p, v->p, v->len);
	*p++ = '"';
	done(j, p);
}

static void
json_value(struct json *j, const char *name, enum field_type type,
    const struct value *v)
{
	switch (type) {
	case FIELD_UINT:
	case FIELD_MICROS:
		json_uint(j, name, v->u);
		break;
	case FIELD_SECONDS:
		json_uint(j, name, v->u / 1000000);
		break;
	case FIELD_MILLIS:
		json_uint(j, name, v->u / 1000);
		break;
	case FIELD_UPTIME:
		json_fixed(j, name, v->u / 1000, 3);
		break;
	case FIELD_LATENCY:
		json_fixed(j, name, v->u, 3);
		break;
	case FIELD_IP4:
		json_address(j, name, v, put_ip4);
		break;
	case FIELD_IP6:
		json_address(j, name, v, put_ip6);
		break;
	case FIELD_MAC:
		json_address(j, name, v, put_mac);
		break;
	case FIELD_STRING:
		json_string(j, name, v->p, v->len);
		break;
	case FIELD_OCTETS:
		json_hex(j, name, v);
		break;
	}
}

void
json_members(struct json *j, const struct template *t, const struct record *r, bool ids)
{
	char number[2 * JSON_NUMBER];
	struct value v;

	for (unsigned i = 0; i < t->n; i++) {
		const struct field *f = t->field[i];

		if (f->family != 0 && f->family != r->flow->key.ip_version)
			continue;
		field_read(f, r, &v);
		if (!v.absent)
			json_value(j, ids ? number_name(f, number) : f->label,
			    (enum field_type)f->type, &v);
	}
}

void
json_record(struct json *j, const struct template *t, const struct record *r, bool ids)
{
	json_open(j);
	json_members(j, t, r, ids);
	json_close(j);
	json_char(j, '\n');
	j->comma = false;
}

/*
 * Reading, only to tell whether it is JSON. Foreign text: a bit per open bracket
 * instead of recursion, so depth costs no stack.
 */
struct check {
	const uint8_t *p, *end;
	uint64_t object; /* bit D: the bracket at depth D + 1 is an object's */
	unsigned depth;
};

static void
check_blanks(struct check *c)
{
	while (c->p < c->end &&
	    (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

/* Past a backslash: what it stands for. */
static bool
check_escape(struct check *c)
{
	if (c->p == c->end)
		return false;
	if (*c->p != 'u')
		return *c->p != '\0' && strchr("\"\\/bfnrt", *c->p++) != NULL;
	c->p++;
	for (unsigned i = 0; i < 4; i++, c->p++)
		if (c->p == c->end || !isxdigit(*c->p))
			return false;
	return true;
}

static bool
check_string(struct check *c)
{
	size_t n;

	if (c->p == c->end || *c->p++ != '"')
		return false;
	while (c->p < c->end && *c->p != '"') {
		if (*c->p < 0x20)
			return false;
		if (*c->p == '\\') {
			c->p++;
			if (!check_escape(c))
				return false;
			continue;
		}
		n = utf8_len(c->p, (size_t)(c->end - c->p));
		if (n == 0)
			return false;
		c->p += n;
	}
	return c->p < c->end && *c->p++ == '"';
}

static bool
check_digits(struct check *c)
{
	const uint8_t *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

static bool
check_number(struct check *c)
{
	const uint8_t *start;

	if (c->p < c->end && *c->p == '-')
		c->p++;
	start = c->p;
	if (!check_digits(c) || (*start == '0' && c->p - start > 1))
		return false;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!check_digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		return check_digits(c);
	}
	return true;
}

static bool
check_word(struct check *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
		return false;
	c->p += len;
	return true;
}

/* "name": within an object. */
static bool
check_name(struct check *c)
{
	check_blanks(c);
	if (!check_string(c))
		return false;
	check_blanks(c);
	return c->p < c->end && *c->p++ == ':';
}

static bool
check_in_object(const struct check *c)
{
	return c->object >> (c->depth - 1) & 1;
}

/* A value, or only its opening bracket and what must stand before the next value. */
static bool
check_begin(struct check *c)
{
	uint8_t first = *c->p;
	uint64_t bit;

	if (first == '"')
		return check_string(c);
	if (first == 't')
		return check_word(c, "true");
	if (first == 'f')
		return check_word(c, "false");
	if (first == 'n')
		return check_word(c, "null");
	if (first != '{' && first != '[')
		return check_number(c);
	if (c->depth == JSON_DEPTH)
		return false;
	c->p++;
	bit = (uint64_t)1 << c->depth++;
	c->object = first == '{' ? c->object | bit : c->object & ~bit;
	return true;
}

/* The brackets that close here. */
static void
check_close(struct check *c)
{
	check_blanks(c);
	while (c->depth > 0 && c->p < c->end &&
	    *c->p == (check_in_object(c) ? '}' : ']')) {
		c->p++;
		c->depth--;
		check_blanks(c);
	}
}

bool
json_valid(const void *text, size_t len)
{
	struct check c = {.p = text, .end = (const uint8_t *)text + len};
	unsigned depth;

	for (;;) {
		check_blanks(&c);
		depth = c.depth;
		if (c.p == c.end || !check_begin(&c))
			return false;
		if (c.depth > depth) { /* a bracket: closed at once, or a value follows */
			check_blanks(&c);
			if (c.p == c.end)
				return false;
			if (*c.p != '}' && *c.p != ']') {
				if (check_in_object(&c) && !check_name(&c))
					return false;
				continue;
			}
		}
		check_close(&c);
		if (c.depth == 0)
			return c.p == c.end;
		if (c.p == c.end || *c.p++ != ',')
			return false;
		if (check_in_object(&c) && !check_name(&c))
			return false;
	}
}
