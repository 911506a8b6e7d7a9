/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resp.c -- the writer, and the parser of requests.
 *
 * A request is read where it lies: arguments point into the buffer, those of an inline
 * line are unescaped in place (they only get shorter). What was read of a request that
 * is not whole is not read again: AT stands behind the last whole element, SEEN behind
 * the bytes that were searched for the end of a line. So the cost is a small constant
 * for each byte, however they are cut, and what is found does not depend on the cuts.
 *
 * Memory: the buffer is at most limits.total; two words for each argument that has
 * begun. Both go back when nothing waits.
 */
#include "resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 256
#define CAP_KEEP 4096 /* of a buffer with nothing in it */
#define ARGS_KEEP 64
#define DIGITS_MAX 20 /* of a 64-bit number with its sign */

/*
 * Writing
 */
void
respbuf_init(struct respbuf *b)
{
	memset(b, 0, sizeof(*b));
}

void
respbuf_clear(struct respbuf *b)
{
	free(b->buf);
	respbuf_init(b);
}

void
respbuf_reset(struct respbuf *b)
{
	b->len = 0;
	b->failed = false;
}

/* Room for N more bytes. */
static bool
respbuf_room(struct respbuf *b, size_t n)
{
	size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap;
	char *p;

	if (b->failed)
		return false;
	if (n <= b->cap - b->len)
		return true;
	b->failed = true;
	if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		return false;
	while (cap < b->len + n)
		cap *= 2;
	p = realloc(b->buf, cap);
	if (p == NULL)
		return false;
	b->buf = p;
	b->cap = cap;
	b->failed = false;
	return true;
}

void
resp_bytes(struct respbuf *b, const void *p, size_t n)
{
	if (n == 0 || !respbuf_room(b, n))
		return;
	memcpy(b->buf + b->len, p, n);
	b->len += n;
}

/* N's digits end before END; where they begin. */
static char *
digits(char *end, int64_t n)
{
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do
		*--end = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	if (n < 0)
		*--end = '-';
	return end;
}

void
resp_head(struct respbuf *b, char type, int64_t n)
{
	char text[DIGITS_MAX + 3], *end = text + sizeof(text), *p;

	*--end = '\n';
	*--end = '\r';
	p = digits(end, n);
	*--p = type;
	resp_bytes(b, p, (size_t)(text + sizeof(text) - p));
}

void
resp_bulk(struct respbuf *b, const void *p, size_t n)
{
	char text[DIGITS_MAX], *end = text + sizeof(text), *from, *to;

	if (!respbuf_room(b, n + sizeof("$\r\n\r\n") + DIGITS_MAX))
		return;
	to = b->buf + b->len;
	*to++ = '$';
	if (n < 10)
		*to++ = (char)('0' + n);
	else {
		from = digits(end, (int64_t)n);
		memcpy(to, from, (size_t)(end - from));
		to += end - from;
	}
	*to++ = '\r';
	*to++ = '\n';
	if (n > 0)
		memcpy(to, p, n);
	to += n;
	*to++ = '\r';
	*to++ = '\n';
	b->len = (size_t)(to - b->buf);
}

void
resp_bulk_text(struct respbuf *b, const char *s)
{
	resp_bulk(b, s, strlen(s));
}

void
resp_bulk_number(struct respbuf *b, int64_t n)
{
	char text[DIGITS_MAX], *end = text + sizeof(text), *p = digits(end, n);

	resp_bulk(b, p, (size_t)(end - p));
}

void
resp_simple(struct respbuf *b, char type, const char *text)
{
	resp_bytes(b, &type, 1);
	resp_bytes(b, text, strlen(text));
	resp_bytes(b, "\r\n", 2);
}

/*
 * The parser's memory
 */
void
resp_parser_init(struct resp_parser *r, const struct resp_limits *limits)
{
	memset(r, 0, sizeof(*r));
	r->limits = *limits;
	r->bulk = -1;
}

void
resp_parser_clear(struct resp_parser *r)
{
	struct resp_limits limits = r->limits;

	free(r->buf);
	free(r->args);
	free(r->start);
	resp_parser_init(r, &limits);
}

size_t
resp_pending(const struct resp_parser *r)
{
	return r->len - r->from;
}

/* What was used up goes. */
static void
parser_compact(struct resp_parser *r)
{
	unsigned i;

	if (r->from == 0)
		return;
	memmove(r->buf, r->buf + r->from, r->len - r->from);
	for (i = 0; i < r->nstart; i++)
		r->start[i] -= r->from;
	r->len -= r->from;
	r->at -= r->from;
	r->seen -= r->from;
	r->from = 0;
}

bool
resp_feed(struct resp_parser *r, const void *p, size_t n)
{
	size_t waiting = resp_pending(r), cap = r->cap < CAP_MIN ? CAP_MIN : r->cap;
	char *buf;

	if (waiting > r->limits.total || n > r->limits.total - waiting)
		return false;
	if (n == 0)
		return true;
	if (n > r->cap - r->len)
		parser_compact(r);
	if (n > r->cap - r->len) {
		while (cap < r->len + n)
			cap *= 2;
		if (cap > r->limits.total && r->len + n <= r->limits.total)
			cap = r->limits.total;
		buf = realloc(r->buf, cap);
		if (buf == NULL)
			return false;
		r->buf = buf;
		r->cap = cap;
	}
	memcpy(r->buf + r->len, p, n);
	r->len += n;
	return true;
}

/* Nothing waits: the memory of a large request goes. */
static void
parser_rest(struct resp_parser *r)
{
	r->len = r->from = r->at = r->seen = 0;
	r->nargs = 0;
	if (r->cap > CAP_KEEP) {
		free(r->buf);
		r->buf = NULL;
		r->cap = 0;
	}
	if (r->args_cap > ARGS_KEEP) {
		free(r->args);
		free(r->start);
		r->args = NULL;
		r->start = NULL;
		r->args_cap = r->start_cap = 0;
	}
}

/*
 * Reading
 */
static enum resp_result
parser_fail(struct resp_parser *r, const char *error)
{
	r->error = error;
	r->nargs = 0;
	return RESP_ERROR;
}

/* As far as it is read, it is not whole: is there room for the rest? */
static enum resp_result
parser_more(struct resp_parser *r)
{
	if (resp_pending(r) >= r->limits.total)
		return parser_fail(r, "Protocol error: too big request");
	r->nargs = 0;
	if (resp_pending(r) == 0)
		parser_rest(r);
	return RESP_MORE;
}

/* What is read of the request fits, and so would N more bytes. */
static bool
parser_fits(const struct resp_parser *r, size_t n)
{
	size_t used = r->at - r->from;

	return used <= r->limits.total && n <= r->limits.total - used;
}

/* An argument of LEN bytes begins at START. False: no memory. */
static bool
parser_add(struct resp_parser *r, size_t start, size_t len)
{
	unsigned cap;
	void *p;

	if (r->nstart == r->args_cap) {
		cap = r->args_cap == 0 ? 8 : r->args_cap * 2;
		p = realloc(r->args, cap * sizeof(*r->args));
		if (p == NULL)
			return false;
		r->args = p;
		r->args_cap = cap;
	}
	if (r->nstart == r->start_cap) {
		cap = r->start_cap == 0 ? 8 : r->start_cap * 2;
		p = realloc(r->start, cap * sizeof(*r->start));
		if (p == NULL)
			return false;
		r->start = p;
		r->start_cap = cap;
	}
	r->args[r->nstart].len = len;
	r->start[r->nstart++] = start;
	return true;
}

/* The request is whole and ends at AT. */
static enum resp_result
parser_done(struct resp_parser *r)
{
	unsigned i;

	for (i = 0; i < r->nstart; i++)
		r->args[i].p = r->buf + r->start[i];
	r->nargs = r->nstart;
	r->nstart = 0;
	r->in_array = false;
	r->bulk = -1;
	r->from = r->seen = r->at;
	return RESP_REQUEST;
}

/*
 * The number of a length line, as strict as Redis: no blanks, no plus, no zeros before
 * it, nothing that 64 bits do not hold.
 */
static bool
read_number(const char *p, size_t len, int64_t *n)
{
	bool minus = len > 0 && *p == '-';
	uint64_t v = 0, max = (uint64_t)INT64_MAX + (minus ? 1 : 0);
	size_t i = minus ? 1 : 0;

	if (i == len || len > DIGITS_MAX || (p[i] == '0' && len > 1))
		return false;
	for (; i < len; i++) {
		unsigned d = (unsigned char)p[i] - (unsigned)'0';

		if (d > 9 || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*n = (int64_t)(minus ? 0 - v : v);
	return true;
}

/*
 * The length line at AT, *LEN bytes without its end, which is CR and any byte: the
 * caller says what is wrong, and looks at that byte by read_length(). RESP_REQUEST: it
 * is whole.
 */
static enum resp_result
read_line(struct resp_parser *r, size_t *len, const char *too_big)
{
	char *cr = NULL;

	if (r->seen < r->at)
		r->seen = r->at;
	if (r->seen < r->len)
		cr = memchr(r->buf + r->seen, '\r', r->len - r->seen);
	r->seen = cr == NULL ? r->len : (size_t)(cr - r->buf);
	*len = r->seen - r->at;
	if (*len > r->limits.inline_bytes)
		return parser_fail(r, too_big);
	if (cr == NULL || r->seen + 2 > r->len)
		return parser_more(r);
	if (!parser_fits(r, *len + 2))
		return parser_fail(r, "Protocol error: too big request");
	return RESP_REQUEST;
}

/* The number behind the first byte of the line of LEN bytes at AT, and past it. */
static bool
read_length(struct resp_parser *r, size_t len, int64_t *n)
{
	const char *line = r->buf + r->at;

	if (line[len + 1] != '\n' || !read_number(line + 1, len - 1, n))
		return false;
	r->at += len + 2;
	return true;
}

static enum resp_result
read_head(struct resp_parser *r)
{
	enum resp_result result;
	size_t len;

	result = read_line(r, &len, "Protocol error: too big mbulk count string");
	if (result != RESP_REQUEST)
		return result;
	if (!read_length(r, len, &r->want) || r->want > (int64_t)r->limits.args)
		return parser_fail(r, "Protocol error: invalid multibulk length");
	r->in_array = r->want > 0;
	return RESP_REQUEST;
}

static enum resp_result
read_bulk_head(struct resp_parser *r)
{
	enum resp_result result;
	unsigned char type;
	size_t len;

	result = read_line(r, &len, "Protocol error: too big bulk count string");
	if (result != RESP_REQUEST)
		return result;
	type = (unsigned char)r->buf[r->at];
	if (type != '$') {
		snprintf(r->text, sizeof(r->text),
		    "Protocol error: expected '$', got '%c'",
		    type < ' ' || type > '~' ? '?' : type);
		return parser_fail(r, r->text);
	}
	if (!read_length(r, len, &r->bulk) || r->bulk < 0 ||
	    (uint64_t)r->bulk > r->limits.bulk)
		return parser_fail(r, "Protocol error: invalid bulk length");
	if (!parser_fits(r, (size_t)r->bulk + 2))
		return parser_fail(r, "Protocol error: too big request");
	if (!parser_add(r, r->at, (size_t)r->bulk))
		return parser_fail(r, "no memory");
	return RESP_REQUEST;
}

/* The array's next argument: RESP_REQUEST if it is whole. */
static enum resp_result
read_bulk(struct resp_parser *r)
{
	enum resp_result result;
	size_t end;

	if (r->bulk < 0 && (result = read_bulk_head(r)) != RESP_REQUEST)
		return result;
	end = r->at + (size_t)r->bulk;
	if (r->len < end + 2)
		return parser_more(r);
	/* Redis does not look; what is not where it belongs is better not guessed at */
	if (r->buf[end] != '\r' || r->buf[end + 1] != '\n')
		return parser_fail(
		    r, "Protocol error: bulk string longer than its length");
	r->at = end + 2;
	r->bulk = -1;
	r->want--;
	return RESP_REQUEST;
}

/*
 * Inline requests
 */
static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at P, behind its backslash, stands for; *P goes past it. */
static char
read_escape(const char **p, const char *end)
{
	static const char name[] = "nrtba", byte[] = "\n\r\t\b\a";
	const char *s = *p, *found;

	if (*s == 'x' && end - s >= 3 && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
		*p += 3;
		return (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
	}
	*p += 1;
	found = memchr(name, *s, sizeof(name) - 1);
	return found == NULL ? *s : byte[found - name];
}

/* What stands between quotes: *P goes past the second one, *TO past what was written. */
static bool
read_quoted(const char **p, const char *end, char **to)
{
	const char *s = *p;
	char quote = *s++, *t = *to;

	while (s < end && *s != quote) {
		if (*s == '\\' && end - s > 1 && quote == '"') {
			s++;
			*t++ = read_escape(&s, end);
		} else if (*s == '\\' && end - s > 1 && s[1] == '\'') {
			*t++ = '\'';
			s += 2;
		} else {
			*t++ = *s++;
		}
	}
	if (s == end)
		return false;
	s++;
	*p = s;
	*to = t;
	return s == end || is_blank(*s);
}

/* One word at *P, unescaped where it stands. False: quotes do not match. */
static bool
read_word(const char **p, const char *end, size_t *len)
{
	char *start = (char *)(uintptr_t)*p, *to = start;
	const char *s = *p;

	while (s < end && *s != ' ' && *s != '\t' && *s != '\r' && *s != '\n') {
		if (*s != '"' && *s != '\'') {
			*to++ = *s++;
			continue;
		}
		if (!read_quoted(&s, end, &to))
			return false;
		break; /* a word ends with its quotes */
	}
	*len = (size_t)(to - start);
	*p = s;
	return true;
}

/* The words of the line of LEN bytes at AT. A NUL ends it, as it does for Redis. */
static enum resp_result
read_words(struct resp_parser *r, size_t len)
{
	const char *p = r->buf + r->at, *end = p + len, *nul = memchr(p, '\0', len),
		   *start;
	size_t n;

	if (nul != NULL)
		end = nul;
	for (;;) {
		while (p < end && is_blank(*p))
			p++;
		if (p == end)
			return RESP_REQUEST;
		start = p;
		if (!read_word(&p, end, &n))
			return parser_fail(
			    r, "Protocol error: unbalanced quotes in request");
		if (r->nstart == r->limits.args || n > r->limits.bulk)
			return parser_fail(r, "Protocol error: too big inline request");
		if (!parser_add(r, (size_t)(start - r->buf), n))
			return parser_fail(r, "no memory");
	}
}

static enum resp_result
read_inline(struct resp_parser *r)
{
	enum resp_result result;
	char *lf = NULL;
	size_t len;

	if (r->seen < r->at)
		r->seen = r->at;
	if (r->seen < r->len)
		lf = memchr(r->buf + r->seen, '\n', r->len - r->seen);
	r->seen = lf == NULL ? r->len : (size_t)(lf - r->buf);
	len = r->seen - r->at;
	if (len > r->limits.inline_bytes)
		return parser_fail(r, "Protocol error: too big inline request");
	if (lf == NULL)
		return parser_more(r);
	if (!parser_fits(r, len + 1))
		return parser_fail(r, "Protocol error: too big request");
	result = read_words(r, len);
	if (result != RESP_REQUEST)
		return result;
	r->at += len + 1;
	return parser_done(r);
}

enum resp_result
resp_next(struct resp_parser *r)
{
	enum resp_result result;

	if (r->error != NULL)
		return RESP_ERROR;
	if (!r->in_array) {
		if (r->at == r->len)
			return parser_more(r);
		if (r->buf[r->at] != '*')
			return read_inline(r);
		result = read_head(r);
		if (result != RESP_REQUEST)
			return result;
	}
	while (r->want > 0) {
		result = read_bulk(r);
		if (result != RESP_REQUEST)
			return result;
	}
	return parser_done(r);
}
