/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_resp.c -- what the writer writes; what requests are found in bytes, whole, cut in
 * two at each place, and byte by byte. What is refused is refused in Redis' own words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "resp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct resp_limits usual = {
    .args = 1024, .bulk = 1 << 20, .inline_bytes = 65536, .total = 1 << 20};

/* --- what was found, as text: [PING|a]  for a request, !text for an error --- */

struct found {
	char text[4096];
	size_t len;
};

static void
found_bytes(struct found *f, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && f->len + 5 < sizeof(f->text); i++)
		if (p[i] >= ' ' && p[i] <= '~')
			f->text[f->len++] = p[i];
		else
			f->len += (size_t)snprintf(
			    f->text + f->len, 5, "<%02x>", (unsigned char)p[i]);
	f->text[f->len] = '\0';
}

/* Everything there is; false once the parser gave up. */
static bool
take(struct resp_parser *r, struct found *f)
{
	enum resp_result result;
	unsigned i;

	while ((result = resp_next(r)) == RESP_REQUEST) {
		found_bytes(f, "[", 1);
		for (i = 0; i < r->nargs; i++) {
			if (i > 0)
				found_bytes(f, "|", 1);
			found_bytes(f, r->args[i].p, r->args[i].len);
		}
		found_bytes(f, "]", 1);
	}
	if (result == RESP_MORE)
		return true;
	found_bytes(f, "!", 1);
	found_bytes(f, r->error, strlen(r->error));
	assert_int_equal(resp_next(r), RESP_ERROR); /* and stays so */
	return false;
}

/* LEN bytes in pieces: the first of CUT bytes, the others of STEP. From exact memory. */
static void
parse(const struct resp_limits *limits, const char *bytes, size_t len, size_t cut,
    size_t step, struct found *f)
{
	struct resp_parser r;
	size_t at = 0, n = cut;
	bool more = true;

	f->len = 0;
	f->text[0] = '\0';
	resp_parser_init(&r, limits);
	for (; at < len && more; at += n, n = step) {
		char *piece;

		if (n > len - at)
			n = len - at;
		piece = malloc(n);
		assert_true(piece != NULL || n == 0);
		if (n > 0)
			memcpy(piece, bytes + at, n);
		assert_true(resp_feed(&r, piece, n));
		free(piece);
		more = take(&r, f);
	}
	resp_parser_clear(&r);
}

static void
expect(const char *name, const struct resp_limits *limits, const char *bytes,
    size_t len, const char *want)
{
	struct found f;
	size_t cut;

	parse(limits, bytes, len, len, len, &f);
	if (strcmp(f.text, want) != 0)
		fail_msg("%s: %s, not %s", name, f.text, want);
	for (cut = 0; cut <= len; cut++) {
		parse(limits, bytes, len, cut, len, &f);
		if (strcmp(f.text, want) != 0)
			fail_msg("%s cut at %zu: %s, not %s", name, cut, f.text, want);
	}
	for (cut = 1; cut < 8; cut++) {
		parse(limits, bytes, len, cut, cut, &f);
		if (strcmp(f.text, want) != 0)
			fail_msg("%s by %zu: %s, not %s", name, cut, f.text, want);
	}
}

/* --- vectors --- */

#define MBULK "!Protocol error: invalid multibulk length"
#define BULK "!Protocol error: invalid bulk length"
#define QUOTES "!Protocol error: unbalanced quotes in request"
#define LONGER "!Protocol error: bulk string longer than its length"
#define PING "*1\r\n$4\r\nPING\r\n"

#define V(bytes, want)                         \
	{                                      \
		bytes, sizeof(bytes) - 1, want \
	}

static const struct vector {
	const char *bytes;
	size_t len;
	const char *want;
} vectors[] = {
    V(PING, "[PING]"),
    V(PING PING "PING\r\n", "[PING][PING][PING]"),
    V("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", "[SET|k|]"),
    V("*2\r\n$4\r\nECHO\r\n$6\r\n\r\n$1\r\n\r\n", "[ECHO|<0d><0a>$1<0d><0a>]"),
    V("*1\r\n$9\r\nA\r\n+OK\r\nB\r\n", "[A<0d><0a>+OK<0d><0a>B]"),
    V("*1\r\n$0\r\n\r\n" PING, "[][PING]"),
    V("*1\r\n$3\r\n\0\xff\1\r\n", "[<00><ff><01>]"),
    /* nothing to do */
    V("*-1\r\n" PING, "[][PING]"),
    V("*0\r\n" PING, "[][PING]"),
    V("*-10\r\n" PING, "[][PING]"),
    V("*-9223372036854775808\r\n" PING, "[][PING]"),
    V("\r\n\r\nPING\r\n", "[][][PING]"),
    V("\n   \t\nPING\n", "[][][PING]"),
    /* numbers */
    V("*2147483648\r\n", MBULK),
    V("*3000000000\r\n", MBULK),
    V("*1025\r\n", MBULK),
    V("*9223372036854775808\r\n", MBULK),
    V("*-9223372036854775809\r\n", MBULK),
    V("*99999999999999999999999\r\n", MBULK),
    V("*+1\r\n", MBULK),
    V("* 1\r\n", MBULK),
    V("*1 \r\n", MBULK),
    V("*01\r\n", MBULK),
    V("*-0\r\n", MBULK),
    V("*-\r\n", MBULK),
    V("*\r\n", MBULK),
    V("*1x\r\n", MBULK),
    V("*1\r$", MBULK),
    V("*1\n$4\nPING\n", ""), /* waits for CR LF */
    V("*1\n$4\n\r\n", MBULK),
    V("*1\r\n$-1\r\n", BULK),
    V("*1\r\n$-5\r\n", BULK),
    V("*1\r\n$1048577\r\n", BULK),
    V("*1\r\n$536870913\r\n", BULK),
    V("*1\r\n$2147483648\r\n", BULK),
    V("*1\r\n$18446744073709551615\r\n", BULK),
    V("*1\r\n$18446744073709551620\r\nPING\r\n", BULK),
    V("*1\r\n$99999999999999999999999\r\n", BULK),
    V("*1\r\n$+4\r\nPING\r\n", BULK),
    V("*1\r\n$04\r\nPING\r\n", BULK),
    V("*1\r\n$4x\r\nPING\r\n", BULK),
    V("*1\r\n$\r\n", BULK),
    V("*1\r\n$blabla\r\n", BULK),
    V("*1\r\n$4\rxPING\r\n", BULK),
    V("*2\r\n$4\r\nECHO\r\n$-2147483648\r\n", BULK),
    V("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n", BULK),
    /* what is not a bulk string */
    V("*1\r\n:1\r\n", "!Protocol error: expected '$', got ':'"),
    V("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
	"!Protocol error: expected '$', got 'f'"),
    V("*1\r\nfoo\r\n", "!Protocol error: expected '$', got 'f'"),
    V("*1\r\n*1\r\n", "!Protocol error: expected '$', got '*'"),
    V("*1\r\n\r\n", "!Protocol error: expected '$', got '?'"),
    V("*1\r\n\xff\r\n", "!Protocol error: expected '$', got '?'"),
    V("*1\r\n$4\r\nPINGxx" PING, LONGER),
    V("*1\r\n$4\r\nPING\r" PING, LONGER),
    V("*1\r\n$4\r\nPING\n\r" PING, LONGER),
    V("*2\r\n$4\r\nPING\r\n" PING, "!Protocol error: expected '$', got '*'"),
    /* not whole */
    V("*1\r\n$4\r\nPING\r", ""),
    V("*1048576", ""),
    V(PING "*1\r\n$4", "[PING]"),
    /* inline */
    V("PING\n", "[PING]"),
    V("  get   key \t x\r\n", "[get|key|x]"),
    V("set \"a b\" 'c d'\r\n", "[set|a b|c d]"),
    V("\"\\x41\\x0a\\xFf\\n\\r\\t\\b\\a\\\\\\\"\\q\\xg1\"\n",
	"[A<0a><ff><0a><0d><09><08><07>\\\"qxg1]"),
    V("'a\\'b\\n\"'\n", "[a'b\\n\"]"),
    V("\"'\" '\"' \"\" ''\n", "['|\"||]"),
    V("a\"b c\"\n", "[ab c]"),
    V("\"a\\\r\n", QUOTES),
    V("set \"a\r\n", QUOTES),
    V("set 'a\r\n", QUOTES),
    V("set \"\"\"test-key\"\"\" test-value\r\n", QUOTES),
    V("\"a\"b\n", QUOTES),
    V("'a'b\n", QUOTES),
    V("\"\n", QUOTES),
    V("get a\0b c\nPING\n", "[get|a][PING]"),
    V("\0\1\2\nPING\n", "[][PING]"),
    V("\"a\0\"\n", QUOTES),
    V("+OK\r\n:1\r\n$3\r\n", "[+OK][:1][$3]"),
    V("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "[POST|/|HTTP/1.1][Host:|a][]"),
    V("\x16\3\1\2\0\n", "[<16><03><01><02>]"),
};

static void
test_vectors(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(vectors); i++)
		expect(vectors[i].bytes, &usual, vectors[i].bytes, vectors[i].len,
		    vectors[i].want);
}

/* Small limits, so that each can be met exactly and passed by one. */
static void
test_limits(void **state)
{
	static const struct resp_limits small = {
	    .args = 3, .bulk = 8, .inline_bytes = 16, .total = 40};
	static const struct vector v[] = {
	    V("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "[a|b|c]"),
	    V("*4\r\n", MBULK),
	    V("a b c\n", "[a|b|c]"),
	    V("a b c d\n", "!Protocol error: too big inline request"),
	    V("*1\r\n$8\r\n12345678\r\n", "[12345678]"),
	    V("*1\r\n$9\r\n123456789\r\n", BULK),
	    V("123456789\n", "!Protocol error: too big inline request"),
	    V("1234567 1234567 \n", "[1234567|1234567]"),
	    V("1234567 1234567  \n", "!Protocol error: too big inline request"),
	    V("1234567 1234567  ", "!Protocol error: too big inline request"),
	    V("*0000000000000000", "!Protocol error: too big mbulk count string"),
	    V("*1\r\n$0000000000000000", "!Protocol error: too big bulk count string"),
	    V("*1\r\nxxxxxxxxxxxxxxxxx", "!Protocol error: too big bulk count string"),
	    /* 4 + 12 + 12 + 12 */
	    V("*3\r\n$6\r\n123456\r\n$6\r\n123456\r\n$6\r\n123456\r\n",
		"[123456|123456|123456]"),
	    V("*3\r\n$6\r\n123456\r\n$6\r\n123456\r\n$7\r\n1234567\r\n",
		"!Protocol error: too big request"),
	    V("*3\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n$3\r\nabc\r\n",
		"!Protocol error: too big request"),
	};
	unsigned i;

	(void)state;
	for (i = 0; i < COUNT(v); i++)
		if (v[i].len <= small.total) /* the caller does not feed more */
			expect(v[i].bytes, &small, v[i].bytes, v[i].len, v[i].want);
		else {
			struct found f;

			parse(&small, v[i].bytes, v[i].len, 0, 1, &f);
			assert_string_equal(f.text, v[i].want);
		}
}

/* 64 KB of a line that does not end: refused as soon as it is longer than the limit. */
static void
test_long_lines(void **state)
{
	static const struct {
		const char *begin, *want;
	} v[] = {
	    {"", "Protocol error: too big inline request"},
	    {"*", "Protocol error: too big mbulk count string"},
	    {"*1\r\n$", "Protocol error: too big bulk count string"},
	    {"*1\r\n", "Protocol error: too big bulk count string"},
	};
	static char filler[70000];
	struct resp_parser r;
	unsigned i, step;
	size_t at;

	(void)state;
	memset(filler, '1', sizeof(filler));
	for (i = 0; i < COUNT(v); i++)
		for (step = 1; step <= sizeof(filler); step = step * 7 + 1) {
			resp_parser_init(&r, &usual);
			assert_true(resp_feed(&r, v[i].begin, strlen(v[i].begin)));
			for (at = 0; at < sizeof(filler); at += step) {
				size_t n = sizeof(filler) - at;

				assert_int_equal(resp_next(&r), RESP_MORE);
				assert_true(
				    resp_feed(&r, filler + at, step < n ? step : n));
				if (resp_next(&r) == RESP_ERROR)
					break;
			}
			assert_non_null(r.error);
			assert_string_equal(r.error, v[i].want);
			assert_true(at <= usual.inline_bytes);
			resp_parser_clear(&r);
		}
}

/* Memory is taken for what has come, whatever is announced; and it goes back. */
static void
test_memory(void **state)
{
	static const char head[] = "*1024\r\n$1000000\r\n";
	static char megabyte[1 << 20];
	struct resp_parser r;

	(void)state;
	resp_parser_init(&r, &usual);
	assert_true(resp_feed(&r, head, sizeof(head) - 1));
	assert_int_equal(resp_next(&r), RESP_MORE);
	assert_true(r.cap <= 1024);
	assert_true(r.args_cap <= 16);
	resp_parser_clear(&r);

	/* more than the total is not taken, not even for a moment */
	assert_false(resp_feed(&r, megabyte, sizeof(megabyte) + 1));
	assert_int_equal(r.cap, 0);
	assert_true(resp_feed(&r, "*2\r\n$1000000\r\n", 14));
	assert_int_equal(resp_next(&r), RESP_MORE);
	assert_true(resp_feed(&r, megabyte, 1000000));
	assert_int_equal(resp_next(&r), RESP_MORE);
	assert_true(r.cap <= usual.total);
	assert_int_equal(resp_pending(&r), 1000014);
	assert_false(resp_feed(&r, megabyte, usual.total - 1000013));
	assert_true(resp_feed(&r, "\r\n$4\r\nPING\r\n", 12));
	assert_int_equal(resp_next(&r), RESP_REQUEST);
	assert_int_equal(r.nargs, 2);
	assert_int_equal(r.args[0].len, 1000000);
	assert_memory_equal(r.args[1].p, "PING", 4);
	assert_int_equal(resp_next(&r), RESP_MORE);
	assert_int_equal(resp_pending(&r), 0);
	assert_true(r.cap <= 4096);
	resp_parser_clear(&r);
}

/* As long as requests fit one by one, any number may follow each other. */
static void
test_stream(void **state)
{
	static const char request[] = "*2\r\n$4\r\necho\r\n$11\r\nhello world\r\n";
	struct resp_limits limits = usual;
	struct resp_parser r;
	unsigned sent, found = 0;
	size_t at = 0, room;

	(void)state;
	limits.total = sizeof(request) - 1;
	resp_parser_init(&r, &limits);
	for (sent = 0; found < 5000; sent++) {
		room = limits.total - resp_pending(&r);
		assert_true(room > 0);
		if (room > sizeof(request) - 1 - at)
			room = sizeof(request) - 1 - at;
		if (room > 1 + sent % 19)
			room = 1 + sent % 19;
		assert_true(resp_feed(&r, request + at, room));
		at = (at + room) % (sizeof(request) - 1);
		while (resp_next(&r) == RESP_REQUEST) {
			assert_int_equal(r.nargs, 2);
			assert_int_equal(r.args[1].len, 11);
			assert_memory_equal(r.args[1].p, "hello world", 11);
			found++;
		}
		assert_null(r.error);
	}
	resp_parser_clear(&r);
}

static void
test_writer(void **state)
{
	static const char want[] =
	    "*3\r\n$0\r\n\r\n$3\r\na\0b\r\n$2\r\n-7\r\n"
	    "+OK\r\n-ERR no\r\n:9223372036854775807\r\n"
	    "$20\r\n-9223372036854775808\r\n%0\r\n$2\r\nhi\r\nraw";
	struct respbuf b;
	unsigned i;

	(void)state;
	respbuf_init(&b);
	resp_head(&b, '*', 3);
	resp_bulk(&b, NULL, 0);
	resp_bulk(&b, "a\0b", 3);
	resp_bulk_number(&b, -7);
	resp_simple(&b, '+', "OK");
	resp_simple(&b, '-', "ERR no");
	resp_head(&b, ':', INT64_MAX);
	resp_bulk_number(&b, INT64_MIN);
	resp_head(&b, '%', 0);
	resp_bulk_text(&b, "hi");
	resp_bytes(&b, "raw", 3);
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.buf, want, sizeof(want) - 1);
	for (i = 0; i < 10000; i++)
		resp_bulk_number(&b, i);
	assert_false(b.failed);
	respbuf_reset(&b);
	assert_int_equal(b.len, 0);
	resp_bytes(&b, "x", SIZE_MAX); /* there is no such memory */
	assert_true(b.failed);
	respbuf_clear(&b);
}

/* Requests that are written are read back. */
static void
test_both(void **state)
{
	struct resp_parser r;
	struct respbuf b;
	unsigned n, i;

	(void)state;
	respbuf_init(&b);
	resp_parser_init(&r, &usual);
	for (n = 1; n <= 1024; n += 31) {
		respbuf_reset(&b);
		resp_head(&b, '*', n);
		for (i = 0; i < n; i++)
			resp_bulk_number(&b, (int64_t)i * i);
		assert_true(resp_feed(&r, b.buf, b.len));
		assert_int_equal(resp_next(&r), RESP_REQUEST);
		assert_int_equal(r.nargs, n);
		for (i = 0; i < n; i++) {
			char digits[24];
			int len = snprintf(digits, sizeof(digits), "%u", i * i);

			assert_int_equal(r.args[i].len, len);
			assert_memory_equal(r.args[i].p, digits, (size_t)len);
		}
		assert_int_equal(resp_next(&r), RESP_MORE);
	}
	resp_parser_clear(&r);
	respbuf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_stream),
	    cmocka_unit_test(test_writer),
	    cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
