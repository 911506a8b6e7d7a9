/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_parse.c -- HTTP/1.x as a state machine over pieces of a stream.
 *
 * A first line is a request's if its first word is a token and, unless that word is a
 * method known here and the parser is not lost, its last one begins with "HTTP/1.";
 * known methods are taken with no version (HTTP/0.9, and the broken) but not with
 * that of another protocol (RTSP, SIP). It is a response's if it begins with
 * "HTTP/1.x NNN".
 *
 * Longer than other files: the states are one machine.
 */
#include "http_parse.h"

#include <string.h>

/*
 * As many bytes of a head may be missing and it is still read on: more than any tunnel
 * adds to a packet, less than heads are long, so that its end is hardly ever in there.
 */
#define HOLE_MAX 128

enum state {
	SKIP, /* to the end of a line, lost */
	START,
	WORD,       /* the method, or a response's version */
	URL_BEFORE, /* blanks before the target */
	URL,
	LINE_REST,
	STATUS,
	STATUS_REST,
	LINE_SAID, /* HTTP_LINE was said; WORD was the method */
	NAME,
	VALUE_BEFORE,
	VALUE,
	HEADER_REST, /* of a header nobody asked for */
	HEADER_NAME, /* of one in a head with a hole: is it one at all? */
	HEAD_END,    /* HTTP_HEAD was said */
	BODY,
	CHUNK_SIZE,
	CHUNK_REST,
	CHUNK,
	CHUNK_END,
	TRAILER,
	TRAILER_REST,
	CLOSE,
	UNKNOWN, /* a hole may have said what follows the head */
};

/* Headers: a text, or what tells where the message ends. */
enum {
	H_LENGTH = HTTP_TEXTS,
	H_CODING,
	H_NONE,
};

static const struct {
	const char *name;
	uint8_t len, kind, is;
} headers[] = {
    {"host", 4, HTTP_HOST, HTTP_REQUEST},
    {"referer", 7, HTTP_REFERER, HTTP_REQUEST},
    {"user-agent", 10, HTTP_AGENT, HTTP_REQUEST},
    {"content-type", 12, HTTP_MIME, HTTP_RESPONSE},
    {"content-length", 14, H_LENGTH, HTTP_ANY},
    {"transfer-encoding", 17, H_CODING, HTTP_ANY},
};

/* IANA's registry of HTTP methods, and some that were never registered. */
static const char *const methods[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS",
    "CONNECT", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE",
    "LOCK", "UNLOCK", "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "LABEL",
    "LINK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKREDIRECTREF", "MKWORKSPACE",
    "ORDERPATCH", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK",
    "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL", "NOTIFY", "SUBSCRIBE",
    "UNSUBSCRIBE", "POLL", "BCOPY", "BMOVE", "BDELETE", "BPROPFIND", "BPROPPATCH",
    "CCM_POST", "RPC_CONNECT", "RPC_IN_DATA", "RPC_OUT_DATA", "PURGE"};

static bool
is_method(const char *p, size_t len)
{
	size_t i;

	for (i = 0; len > 0 && i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i][0] == p[0] && strlen(methods[i]) == len &&
		    memcmp(methods[i], p, len) == 0)
			return true;
	return false;
}

/* RFC 9110 5.6.2 */
static bool
is_tchar(uint8_t c)
{
	/* a bit each: !#$%&'*+-. and digits; A-Z^_; `a-z|~ */
	static const uint32_t tchars[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

	return tchars[c >> 5] >> (c & 31) & 1;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space(uint8_t c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static bool
is_version(const char *p, size_t len)
{
	return len >= 7 && memcmp(p, "HTTP/1.", 7) == 0;
}

/* "SIP/2.0", "RTSP/1.0", "HTTP/2.0": letters, a slash, a digit. TAIL may be cut to 8. */
static bool
is_other_version(const char *p, size_t len)
{
	size_t i = 0;

	while (i < len && lower((uint8_t)p[i]) >= 'a' && lower((uint8_t)p[i]) <= 'z')
		i++;
	return i >= 3 && i + 1 < len && p[i] == '/' && p[i + 1] >= '0' &&
	       p[i + 1] <= '9' && !is_version(p, len);
}

void
http_parser_init(struct http_parser *h, enum http_side side, bool lost)
{
	memset(h, 0, sizeof(*h));
	h->side = (uint8_t)side;
	h->lost = lost;
	h->state = START;
}

bool
http_idle(const struct http_parser *h)
{
	return h->state == START && !h->lost;
}

bool
http_within(const struct http_parser *h)
{
	return h->state >= LINE_SAID;
}

bool
http_until_close(const struct http_parser *h)
{
	return h->state == CLOSE;
}

static void
take(struct http_input *in, size_t n)
{
	in->p += n;
	in->len -= (uint32_t)n;
}

/* To the byte after the next line feed. False: there is none, all was taken. */
static bool
skip_line(struct http_input *in)
{
	const uint8_t *end = in->len == 0 ? NULL : memchr(in->p, '\n', in->len);

	take(in, end == NULL ? in->len : (size_t)(end - in->p) + 1);
	return end != NULL;
}

static enum http_step
not_a_line(struct http_parser *h)
{
	h->lost = true;
	h->state = SKIP;
	return HTTP_NOT;
}

/* Over the lines that are whole and have no version: while lost, these can be no first
 * lines, and most of what is no HTTP is refused here. */
static void
skip_strange(struct http_input *in)
{
	const uint8_t *found, *end;

	if (in->len == 0)
		return;
	found = memmem(in->p, in->len, "HTTP/1.", 7);
	end = memrchr(in->p, '\n', found == NULL ? in->len : (size_t)(found - in->p));
	if (end != NULL)
		take(in, (size_t)(end - in->p) + 1);
}

static enum http_step
start(struct http_parser *h, struct http_input *in)
{
	if (h->lost)
		skip_strange(in);
	while (in->len > 0 && (*in->p == '\r' || *in->p == '\n'))
		take(in, 1);
	if (in->len == 0)
		return HTTP_MORE;
	h->state = WORD;
	h->word_len = h->tail_len = 0;
	h->status = 0;
	h->seen = 0;
	h->length = 0;
	h->has_length = h->bad_length = h->coded = h->chunked = false;
	h->holed = h->fresh = false;
	return HTTP_BEGIN;
}

/* The line ends here, after its first word or later. */
static enum http_step
request_line(struct http_parser *h)
{
	if (!is_version(h->tail, h->tail_len) &&
	    (h->lost || !is_method(h->word, h->word_len) ||
		is_other_version(h->tail, h->tail_len))) {
		h->lost = true;
		h->state = START; /* its end was taken: the next may be one */
		return HTTP_NOT;
	}
	h->is = HTTP_REQUEST;
	h->lost = false;
	h->state = LINE_SAID;
	return HTTP_LINE;
}

/* What there is of the first word into H->word. False: it is too long. */
static bool
gather(struct http_parser *h, struct http_input *in)
{
	const uint8_t *p = in->p;
	size_t n = 0, had = h->word_len, room = sizeof(h->word) - had;

	while (n < in->len && n < room && (is_tchar(p[n]) || p[n] == '/')) {
		h->word[had + n] = (char)p[n];
		n++;
	}
	h->word_len = (uint8_t)(had + n);
	take(in, n);
	return n < room || in->len == 0 || !(is_tchar(p[n]) || p[n] == '/');
}

/* Two kinds of first words: a token, and "HTTP/1.x" (or the "ICY" of old radio). */
static enum http_step
word(struct http_parser *h, struct http_input *in)
{
	for (;; take(in, 1)) {
		uint8_t c;

		if (!gather(h, in))
			return not_a_line(h);
		if (in->len == 0)
			return HTTP_MORE;
		c = *in->p;
		if (is_blank(c) && h->side != HTTP_REQUEST &&
		    ((h->word_len == 8 && is_version(h->word, 8)) ||
			(h->word_len == 3 && memcmp(h->word, "ICY", 3) == 0 &&
			    !h->lost))) {
			h->state = STATUS;
			h->tail_len = 0;
			return HTTP_MORE;
		}
		if (h->side == HTTP_RESPONSE || h->word_len == 0 ||
		    memchr(h->word, '/', h->word_len) != NULL)
			return not_a_line(h);
		if (is_blank(c)) {
			h->state = URL_BEFORE;
			return HTTP_MORE;
		}
		if (c == '\n') {
			take(in, 1);
			return request_line(h);
		}
		if (c != '\r' || h->lost) /* what is lost is not lenient */
			return not_a_line(h);
	}
}

static enum http_step
url(struct http_parser *h, struct http_input *in)
{
	const uint8_t *p = in->p;
	size_t n = 0;

	while (n < in->len && (p[n] > ' ' || !is_space(p[n])))
		n++;
	if (n < in->len) {
		h->state = LINE_REST;
		h->tail_len = 0;
	}
	take(in, n);
	if (n == 0)
		return HTTP_MORE;
	h->kind = HTTP_URL;
	h->piece = p;
	h->piece_len = (uint32_t)n;
	return HTTP_TEXT;
}

/* More of the last word: its first bytes are kept. */
static void
tail(struct http_parser *h, const uint8_t *p, size_t n)
{
	size_t i, len = h->tail_len;

	for (i = 0; i < n && len < sizeof(h->tail); i++)
		if (p[i] != '\r')
			h->tail[len++] = (char)p[i];
		else if (h->lost && len > 0 && len < 7)
			h->tail[0] = '\0'; /* no version */
	h->tail_len = (uint8_t)len;
}

/* Behind the target: only how the last word begins matters. */
static enum http_step
line_rest(struct http_parser *h, struct http_input *in)
{
	const uint8_t *p = in->p, *end = memchr(p, '\n', in->len);
	size_t n = end == NULL ? in->len : (size_t)(end - p), from = n;

	while (from > 0 && !is_blank(p[from - 1]))
		from--;
	if (from > 0)
		h->tail_len = 0;
	tail(h, p + from, n - from);
	take(in, end == NULL ? n : n + 1);
	return end == NULL ? HTTP_MORE : request_line(h);
}

/* Three digits, and no fourth. */
static enum http_step
status(struct http_parser *h, struct http_input *in)
{
	for (; in->len > 0; take(in, 1)) {
		uint8_t c = *in->p;

		if (is_blank(c) && h->tail_len == 0)
			continue;
		if (h->tail_len == 3) {
			if (c >= '0' && c <= '9')
				return not_a_line(h);
			h->state = STATUS_REST;
			return HTTP_MORE;
		}
		if (c < '0' || c > '9' || (h->tail_len == 0 && c == '0'))
			return not_a_line(h);
		h->status = (uint16_t)(h->status * 10 + (c - '0'));
		h->tail_len++;
	}
	return HTTP_MORE;
}

/* Does a name that is looked for begin so? */
static bool
is_wanted(uint8_t c)
{
	c = lower(c);
	return c == 'h' || c == 'r' || c == 'u' || c == 'c' || c == 't';
}

static void
name_done(struct http_parser *h)
{
	size_t i;

	h->kind = H_NONE;
	for (i = 0; h->word_len > 3 && i < sizeof(headers) / sizeof(headers[0]); i++)
		if (headers[i].len == h->word_len &&
		    (headers[i].is == HTTP_ANY || headers[i].is == h->is) &&
		    memcmp(headers[i].name, h->word, h->word_len) == 0) {
			h->kind = headers[i].kind;
			break;
		}
	if (h->kind == H_NONE || (h->kind == H_LENGTH && h->has_length) ||
	    (h->kind < HTTP_TEXTS && (h->seen & 1 << h->kind) != 0)) {
		h->state = HEADER_REST;
		return;
	}
	if (h->kind < HTTP_TEXTS)
		h->seen = (uint16_t)(h->seen | 1 << h->kind);
	h->tail_len = 0;
	h->state = VALUE_BEFORE;
}

/* What there is of a header's name into H->word, in lower case. */
static void
gather_name(struct http_parser *h, struct http_input *in)
{
	const uint8_t *p = in->p;
	size_t n = 0, had = h->word_len, room = sizeof(h->word) - had;

	if (had == 0 && in->len > 0 && !is_wanted(p[0]))
		return;
	while (n < in->len && n < room && is_tchar(p[n])) {
		h->word[had + n] = (char)lower(p[n]);
		n++;
	}
	h->word_len = (uint8_t)(had + n);
	take(in, n);
}

/* The name of a header; most are told from those asked for by their first letter. */
static enum http_step
name(struct http_parser *h, struct http_input *in)
{
	for (;;) {
		uint8_t c;

		gather_name(h, in);
		if (in->len == 0)
			return HTTP_MORE;
		c = *in->p;
		if (c == '\r' && h->word_len == 0) {
			take(in, 1);
			continue;
		}
		if (c == '\n') {
			take(in, 1);
			if (h->word_len > 0) { /* a line that is no header */
				h->word_len = 0;
				return h->holed ? not_a_line(h) : HTTP_MORE;
			}
			h->state = HEAD_END;
			return HTTP_HEAD;
		}
		if (c == ':')
			name_done(h);
		else
			h->state = h->holed ? HEADER_NAME : HEADER_REST;
		h->word_len = 0;
		if (c == ':')
			take(in, 1);
		if (h->state != HEADER_REST || !skip_line(in))
			return HTTP_MORE;
		h->state = NAME;
	}
}

/* In a head with a hole, what has no colon behind a token tells that it has ended. */
static enum http_step
header_name(struct http_parser *h, struct http_input *in)
{
	for (; in->len > 0; take(in, 1)) {
		if (*in->p == ':') {
			h->state = HEADER_REST;
			return HTTP_MORE;
		}
		if (!is_tchar(*in->p))
			return not_a_line(h);
	}
	return HTTP_MORE;
}

static void
length_digits(struct http_parser *h, const uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (!h->has_length && (is_blank(*p) || *p == '\r'))
			continue;
		if (*p < '0' || *p > '9') {
			h->bad_length |= !h->has_length;
			h->tail_len = 1; /* behind the number */
			return;
		}
		if (h->tail_len > 0)
			continue;
		h->has_length = true;
		if (h->length > (UINT64_MAX - 9) / 10)
			h->bad_length = true;
		else
			h->length = h->length * 10 + (uint64_t)(*p - '0');
	}
}

/* Is the last coding "chunked"? Words are gathered as names are. */
static void
coding_words(struct http_parser *h, const uint8_t *p, size_t n)
{
	h->coded = true;
	for (; n > 0; p++, n--) {
		uint8_t c = lower(*p);

		if (c == '\r' || is_blank(c))
			continue;
		if (c == ',')
			h->word_len = 0;
		else if (h->word_len < sizeof(h->word))
			h->word[h->word_len++] = (char)c;
	}
	h->chunked = h->word_len == 7 && memcmp(h->word, "chunked", 7) == 0;
}

static enum http_step
value(struct http_parser *h, struct http_input *in)
{
	const uint8_t *p = in->p, *end = memchr(p, '\n', in->len);
	size_t n = end == NULL ? in->len : (size_t)(end - p);

	take(in, end == NULL ? n : n + 1);
	if (h->kind == H_LENGTH)
		length_digits(h, p, n);
	else if (h->kind == H_CODING)
		coding_words(h, p, n);
	if (end != NULL) {
		h->state = NAME;
		h->word_len = 0;
	}
	if (h->kind >= HTTP_TEXTS || n == 0)
		return HTTP_MORE;
	h->piece = p;
	h->piece_len = (uint32_t)n;
	return HTTP_TEXT;
}

static enum http_step
whole(struct http_parser *h)
{
	h->state = START;
	return HTTP_END;
}

/* Size in hexadecimal, perhaps with extensions; 0 is the last chunk. */
static enum http_step
chunk_size(struct http_parser *h, struct http_input *in)
{
	for (; in->len > 0; take(in, 1)) {
		uint8_t c = lower(*in->p);
		bool digit = c >= '0' && c <= '9';

		if (!digit && (c < 'a' || c > 'f')) {
			if (h->word_len == 0)
				return not_a_line(h);
			h->state = CHUNK_REST;
			return HTTP_MORE;
		}
		if (h->word_len == 15) /* 2^60 bytes and more are none */
			return not_a_line(h);
		h->word_len++;
		h->length = h->length << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
	}
	return HTTP_MORE;
}

/* Over H->length bytes. True: that was the last of them. */
static bool
skip_counted(struct http_parser *h, struct http_input *in)
{
	size_t n = h->length < in->len ? (size_t)h->length : in->len;

	take(in, n);
	h->length -= n;
	return h->length == 0;
}

static void
chunk_begin(struct http_parser *h)
{
	h->state = CHUNK_SIZE;
	h->word_len = 0;
	h->length = 0;
}

static enum http_step
trailer(struct http_parser *h, struct http_input *in)
{
	if (*in->p == '\r') {
		take(in, 1);
		return HTTP_MORE;
	}
	if (*in->p == '\n') {
		take(in, 1);
		return whole(h);
	}
	h->state = TRAILER_REST;
	return HTTP_MORE;
}

/* In chunks. */
static enum http_step
chunked(struct http_parser *h, struct http_input *in)
{
	switch ((enum state)h->state) {
	case CHUNK_SIZE:
		return chunk_size(h, in);
	case CHUNK_REST:
		if (skip_line(in))
			h->state = h->length == 0 ? TRAILER : CHUNK;
		return HTTP_MORE;
	case CHUNK:
		if (skip_counted(h, in))
			h->state = CHUNK_END;
		return HTTP_MORE;
	case CHUNK_END:
		if (*in->p != '\r' && *in->p != '\n')
			return not_a_line(h);
		if (*in->p == '\n')
			chunk_begin(h);
		take(in, 1);
		return HTTP_MORE;
	case TRAILER_REST:
		if (skip_line(in))
			h->state = TRAILER;
		return HTTP_MORE;
	default:
		return trailer(h, in);
	}
}

/* One state's worth. HTTP_MORE: nothing to say yet. */
static enum http_step
step(struct http_parser *h, struct http_input *in)
{
	switch ((enum state)h->state) {
	case SKIP:
		if (skip_line(in))
			h->state = START;
		return HTTP_MORE;
	case START:
		return start(h, in);
	case WORD:
		return word(h, in);
	case URL_BEFORE:
		if (is_blank(*in->p))
			take(in, 1);
		else
			h->state = URL;
		return HTTP_MORE;
	case URL:
		return url(h, in);
	case LINE_REST:
		return line_rest(h, in);
	case STATUS:
		return status(h, in);
	case STATUS_REST:
		if (!skip_line(in))
			return HTTP_MORE;
		h->is = HTTP_RESPONSE;
		h->lost = false;
		h->state = LINE_SAID;
		return HTTP_LINE;
	case LINE_SAID:
		h->word_len = 0;
		h->state = NAME;
		return HTTP_MORE;
	case NAME:
		return name(h, in);
	case VALUE_BEFORE:
		if (is_blank(*in->p))
			take(in, 1);
		else
			h->state = VALUE;
		return HTTP_MORE;
	case VALUE:
		return value(h, in);
	case HEADER_REST:
		if (skip_line(in))
			h->state = NAME;
		return HTTP_MORE;
	case HEADER_NAME:
		return header_name(h, in);
	case HEAD_END: /* nobody said what follows */
		http_body(h, http_framing(h, false));
		return HTTP_MORE;
	case BODY:
		skip_counted(h, in);
		return HTTP_MORE;
	case CLOSE:
		take(in, in->len);
		return HTTP_MORE;
	case UNKNOWN:
		return not_a_line(h);
	default:
		return chunked(h, in);
	}
}

enum http_step
http_parse(struct http_parser *h, struct http_input *in)
{
	enum http_step s;

	do {
		if (h->state == BODY && h->length == 0)
			return whole(h);
		if (in->len == 0)
			return HTTP_MORE;
		h->fresh = false;
		s = step(h, in);
	} while (s == HTTP_MORE);
	return s;
}

enum http_body
http_framing(const struct http_parser *h, bool head)
{
	bool response = h->is == HTTP_RESPONSE;

	if (response &&
	    (head || h->status < 200 || h->status == 204 || h->status == 304))
		return HTTP_BODY_NONE;
	if (h->coded && h->chunked)
		return HTTP_BODY_CHUNKED;
	if (h->has_length && !h->bad_length && !h->coded)
		return HTTP_BODY_LENGTH;
	return response ? HTTP_BODY_CLOSE : HTTP_BODY_NONE;
}

void
http_body(struct http_parser *h, enum http_body body)
{
	switch (body) {
	case HTTP_BODY_NONE:
		h->length = 0;
		h->state = BODY;
		break;
	case HTTP_BODY_LENGTH:
		h->state = BODY;
		break;
	case HTTP_BODY_CHUNKED:
		chunk_begin(h);
		break;
	case HTTP_BODY_CLOSE:
		h->state = h->holed ? UNKNOWN : CLOSE;
		break;
	}
}

/* In the lines between the first one and the empty one? */
static bool
in_headers(const struct http_parser *h)
{
	return h->state >= LINE_SAID && h->state <= HEADER_NAME;
}

bool
http_gap(struct http_parser *h, uint64_t n)
{
	if (n == 0 || h->state == CLOSE)
		return true;
	if ((h->state == BODY || h->state == CHUNK) && n <= h->length) {
		h->length -= n;
		if (h->state == CHUNK && h->length == 0)
			h->state = CHUNK_END;
		return true;
	}
	if (in_headers(h) && n <= HOLE_MAX) {
		if (h->state == VALUE && h->kind == H_LENGTH)
			h->bad_length = true;
		h->holed = h->fresh = true;
		h->word_len = 0;
		h->state = HEADER_REST;
		return true;
	}
	h->lost = true;
	h->state = SKIP;
	return false;
}

/* The first line in P, or what there is of it. */
static enum http_guess
guess_request(const uint8_t *p, size_t len, size_t word)
{
	const uint8_t *end = memchr(p, '\n', len);
	bool known = is_method((const char *)p, word);
	size_t n = end == NULL ? len : (size_t)(end - p), tail;

	if (end ==
	    NULL) /* a long target: a known method and a target of the usual kind */
		return known && word + 1 < len &&
			       (memchr("/*", p[word + 1], 2) != NULL ||
				   p[word + 1] == 'h' || (word == 7 && p[0] == 'C'))
			   ? HTTP_GUESS_REQUEST
			   : HTTP_GUESS_NO;
	while (n > word && (p[n - 1] == '\r' || is_blank(p[n - 1])))
		n--;
	for (tail = n; tail > word && !is_blank(p[tail - 1]); tail--)
		continue;
	if (is_version((const char *)p + tail, n - tail))
		return tail > word + 1 ? HTTP_GUESS_REQUEST
		       : known         ? HTTP_GUESS_OLD
				       : HTTP_GUESS_NO;
	if (!known || is_other_version((const char *)p + tail, n - tail))
		return HTTP_GUESS_NO;
	return word + 1 < n && p[word + 1] == '/' ? HTTP_GUESS_REQUEST : HTTP_GUESS_OLD;
}

enum http_guess
http_guess(const uint8_t *p, size_t len)
{
	size_t word = 0;

	while (len > 0 && (*p == '\r' || *p == '\n')) {
		p++;
		len--;
	}
	if (len >= 9 && is_version((const char *)p, len))
		return is_blank(p[8]) ? HTTP_GUESS_RESPONSE : HTTP_GUESS_NO;
	while (word < len && word <= HTTP_METHOD_MAX && is_tchar(p[word]))
		word++;
	if (word == 0 || word == len || word > HTTP_METHOD_MAX ||
	    (!is_blank(p[word]) && p[word] != '\r' && p[word] != '\n'))
		return HTTP_GUESS_NO;
	return guess_request(p, len, word);
}

bool
http_piece(struct http_parser *h, const uint8_t *p, size_t len)
{
	bool within = h->fresh && in_headers(h);
	enum http_guess guess;

	if (len == 0 || (!within && (!h->lost || h->state > STATUS_REST)))
		return true;
	if (h->state != SKIP) { /* it may be the rest of a line that may be one */
		guess = http_guess(p, len);
		if (guess != HTTP_GUESS_REQUEST && guess != HTTP_GUESS_RESPONSE)
			return true;
	}
	h->lost = true;
	h->state = START;
	return !within;
}
