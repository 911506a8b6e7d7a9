/* SPDX-License-Identifier: BSD-3-Clause */
/* t_json.c -- the writer, and records: the whole text of some, the validity of all. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dpi.h"
#include "json.h"
#include "template.h"

/* --- a judge of JSON (RFC 8259), apart from the writer --- */

static const char *judge_value(const char *p, const char *end);

/* Past the UTF-8 character at P, NULL if it is none. */
static const char *
judge_utf8(const char *p, const char *end)
{
	const uint8_t *s = (const uint8_t *)p;
	uint32_t c = s[0];
	unsigned n = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

	if (c >= 0x80 && c < 0xc0)
		return NULL;
	c &= n == 0 ? 0x7fU : 0x3fU >> n;
	for (unsigned i = 1; i <= n; i++) {
		if (p + i >= end || (s[i] & 0xc0) != 0x80)
			return NULL;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 1 && c < 0x80) || (n == 2 && c < 0x800) || (n == 3 && c < 0x10000) ||
	    c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return NULL;
	return p + n + 1;
}

static const char *
judge_string(const char *p, const char *end)
{
	if (p == end || *p++ != '"')
		return NULL;
	while (p != NULL && p < end && *p != '"') {
		if ((uint8_t)*p < 0x20)
			return NULL;
		if (*p != '\\') {
			p = judge_utf8(p, end);
			continue;
		}
		if (++p == end)
			return NULL;
		if (*p == 'u') {
			for (unsigned i = 0; i < 4; i++)
				if (++p == end || !isxdigit((unsigned char)*p))
					return NULL;
		} else if (strchr("\"\\/bfnrt", *p) == NULL) {
			return NULL;
		}
		p++;
	}
	return p == NULL || p == end ? NULL : p + 1;
}

static const char *
judge_digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == start ? NULL : p;
}

static const char *
judge_number(const char *p, const char *end)
{
	const char *start = p;

	p = judge_digits(p, end);
	if (p == NULL || (*start == '0' && p - start > 1))
		return NULL;
	if (p < end && *p == '.')
		p = judge_digits(p + 1, end);
	return p;
}

static const char *
judge_object(const char *p, const char *end)
{
	if (p == end || *p++ != '{')
		return NULL;
	if (p < end && *p == '}')
		return p + 1;
	for (;;) {
		p = judge_string(p, end);
		if (p == NULL || p == end || *p++ != ':')
			return NULL;
		p = judge_value(p, end);
		if (p == NULL || p == end)
			return NULL;
		if (*p == '}')
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *
judge_value(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p == '{')
		return judge_object(p, end);
	if (*p == '"')
		return judge_string(p, end);
	if (end - p >= 4 && memcmp(p, "true", 4) == 0)
		return p + 4;
	if (end - p >= 5 && memcmp(p, "false", 5) == 0)
		return p + 5;
	return judge_number(p, end);
}

/* J holds one line, one object. */
static void
check_valid(const struct json *j)
{
	const char *end = j->buf + j->len;

	assert_false(j->failed);
	assert_true(j->len > 2);
	if (judge_object(j->buf, end) != end - 1 || end[-1] != '\n')
		fail_msg("not JSON: %.*s", (int)j->len, j->buf);
}

static void
check_text(const struct json *j, const char *text)
{
	if (j->failed || j->len != strlen(text) || memcmp(j->buf, text, j->len) != 0)
		fail_msg("%.*s\nis not\n%s", (int)j->len, j->buf, text);
}

/* --- the writer --- */

static void
test_members(void **state)
{
	struct json j;

	(void)state;
	json_init(&j);
	json_open(&j);
	json_close(&j);
	check_text(&j, "{}");
	json_reset(&j);
	json_open(&j);
	json_uint(&j, "a", 0);
	json_uint(&j, "b", 9);
	json_uint(&j, "c", 10);
	json_uint(&j, "d", 100);
	json_uint(&j, "e", UINT64_MAX);
	json_bool(&j, "t", true);
	json_bool(&j, "f", false);
	json_string(&j, "s", "x", 1);
	json_string(&j, "n", NULL, 0);
	json_close(&j);
	check_text(&j,
	    "{\"a\":0,\"b\":9,\"c\":10,\"d\":100,\"e\":18446744073709551615,"
	    "\"t\":true,\"f\":false,\"s\":\"x\",\"n\":\"\"}");
	json_clear(&j);
	assert_null(j.buf);
}

static void
test_fixed(void **state)
{
	struct json j;

	(void)state;
	json_init(&j);
	json_open(&j);
	json_fixed(&j, "a", 1234, 3);
	json_fixed(&j, "b", 4, 3);
	json_fixed(&j, "c", 0, 3);
	json_fixed(&j, "d", 1234, 0);
	json_fixed(&j, "e", UINT64_MAX, 6);
	json_fixed(&j, "f", UINT64_MAX, 19);
	json_close(&j);
	check_text(&j,
	    "{\"a\":1.234,\"b\":0.004,\"c\":0.000,\"d\":1234,"
	    "\"e\":18446744073709.551615,\"f\":1.8446744073709551615}");
	json_clear(&j);
}

/* Every number of digits, against printf. */
static void
test_numbers(void **state)
{
	uint64_t n = 1;
	char want[64];
	struct json j;

	(void)state;
	json_init(&j);
	for (unsigned i = 0; i < 20; i++, n *= 10) {
		for (uint64_t u = n - 1; u <= n + 1; u++) {
			json_reset(&j);
			json_open(&j);
			json_uint(&j, "n", u);
			json_close(&j);
			snprintf(want, sizeof(want), "{\"n\":%llu}",
			    (unsigned long long)u);
			check_text(&j, want);
		}
	}
	json_clear(&j);
}

#define BAD "\xef\xbf\xbd"

static void
test_escapes(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"plain", 5, "plain"},
		{"a\"b\\c/", 6, "a\\\"b\\\\c/"},
		{"\b\f\n\r\t", 5, "\\b\\f\\n\\r\\t"},
		{"\0\x01\x1f\x7f", 4, "\\u0000\\u0001\\u001f\x7f"},
		{"\xc3\xbc", 2, "\xc3\xbc"},
		{"\xe2\x82\xac", 3, "\xe2\x82\xac"},
		{"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
		{"\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"},
		{"\xff", 1, BAD},
		{"\x80x", 2, BAD "x"},
		{"\xc0\xaf", 2, BAD BAD},	  /* overlong */
		{"\xe0\x80\xaf", 3, BAD BAD BAD}, /* overlong */
		{"\xed\xa0\x80", 3, BAD BAD BAD}, /* surrogate */
		{"\xf4\x90\x80\x80", 4, BAD BAD BAD BAD}, /* above U+10FFFF */
		{"\xf0\x8f\xbf\xbf", 4, BAD BAD BAD BAD}, /* overlong */
		{"\xf5\x80\x80\x80", 4, BAD BAD BAD BAD},
		{"x\xc3", 2, "x" BAD},		 /* cut */
		{"\xe2\x82", 2, BAD BAD},	 /* cut */
		{"\xc3\"", 2, BAD "\\\""},	 /* must not swallow the quote */
		{"\xe2\x82\\", 3, BAD BAD "\\\\"},
	};
	struct json j;
	char want[128];

	(void)state;
	json_init(&j);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* On the heap, to its size: reading too far is seen. */
		char *in = malloc(cases[i].len);

		assert_non_null(in);
		memcpy(in, cases[i].in, cases[i].len);
		json_reset(&j);
		json_open(&j);
		json_string(&j, "s", in, cases[i].len);
		json_close(&j);
		free(in);
		snprintf(want, sizeof(want), "{\"s\":\"%s\"}", cases[i].out);
		check_text(&j, want);
	}
	json_clear(&j);
}

/* Any three bytes make valid JSON. */
static void
test_all_bytes(void **state)
{
	static const uint8_t second[] = {0, '"', '\\', 'a', 0x7f, 0x80, 0x8f, 0x90,
	    0x9f, 0xa0, 0xbf, 0xc0, 0xed, 0xff};
	struct json j;

	(void)state;
	json_init(&j);
	for (unsigned a = 0; a < 256; a++) {
		for (size_t b = 0; b < sizeof(second); b++) {
			for (size_t c = 0; c < sizeof(second); c++) {
				uint8_t s[] = {(uint8_t)a, second[b], second[c]};

				json_reset(&j);
				json_open(&j);
				json_string(&j, "s", s, 3);
				json_close(&j);
				json_char(&j, '\n');
				check_valid(&j);
			}
		}
	}
	json_clear(&j);
}

/* The buffer grows as it must, also by a string longer than it. */
static void
test_growth(void **state)
{
	static uint8_t big[50000];
	struct json j;

	(void)state;
	json_init(&j);
	json_open(&j);
	for (unsigned i = 0; i < 5000; i++)
		json_uint(&j, "number", i);
	json_string(&j, "big", big, sizeof(big));
	json_close(&j);
	json_char(&j, '\n');
	check_valid(&j);
	assert_true(j.len > 6 * sizeof(big));
	json_clear(&j);
}

/* An object within an object, as events are. */
static void
test_nested(void **state)
{
	struct json j;

	(void)state;
	json_init(&j);
	json_open(&j);
	json_string(&j, "channel", "dns", 3);
	json_char(&j, ',');
	json_char(&j, '"');
	json_char(&j, 'd');
	json_char(&j, '"');
	json_char(&j, ':');
	json_open(&j);
	json_uint(&j, "v", 1);
	json_close(&j);
	json_uint(&j, "w", 2);
	json_raw(&j, "x", "[null]", 6);
	json_close(&j);
	check_text(&j, "{\"channel\":\"dns\",\"d\":{\"v\":1},\"w\":2,\"x\":[null]}");
	json_clear(&j);
}

/* --- the reader --- */

/* On the heap, to its size: reading too far is seen. */
static bool
is_valid(const char *text, size_t len)
{
	char *copy = malloc(len + (len == 0));
	bool valid;

	assert_non_null(copy);
	memcpy(copy, text, len);
	valid = json_valid(copy, len);
	free(copy);
	return valid;
}

static void
test_valid(void **state)
{
	static const char *const good[] = {"0", "-0", "12", "-1.5", "1e9", "1E+9",
	    "0.10e-2", "true", "false", "null", "\"\"", "\"a\"", "[]", "{}", " [ ] ", "\t{\r\n}",
	    "[1,2]", "[[],{}]", "{\"a\":1}",
	    "{\"a\" : {\"b\":[1,{\"c\":null}]} , \"d\":\"\"}",
	    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fF\"", "\"\xc3\xbc\x7f\"",
	    "[\"]\",\"}\"]", "{\"\":0}"};
	static const char *const bad[] = {"", " ", "00", "01", "-", "+1", ".5", "1.",
	    "1.e1", "1e", "1e+", "0x1", "NaN", "tru", "True", "nulls", "\"", "\"a", "\"\n\"",
	    "\"\\x\"", "\"\\u12g4\"", "\"\\u123\"", "\"\\", "\"\xff\"", "\"\xc3\"",
	    "\"\xed\xa0\x80\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[}",
	    "{]", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{1:2}", "{a:1}",
	    "{\"a\" 1}", "{\"a\":1 \"b\":2}", "[1}", "{\"a\":1]", "1 2", "{}{}", "{},",
	    "[]]", "'a'", "\xef\xbb\xbf{}", "//\n1"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!is_valid(good[i], strlen(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (is_valid(bad[i], strlen(bad[i])))
			fail_msg("accepted: %s", bad[i]);
	assert_false(is_valid("1\0", 2));
	assert_false(is_valid("\"\0\"", 3));
	assert_false(is_valid("\"\\\0\"", 4));
}

/* No part of an object or array is one itself. */
static void
test_valid_truncated(void **state)
{
	static const char text[] =
	    "{\"a\":[1.5e3,\"\\u00e4\xe2\x82\xac\",true],\"b\":{}}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_false(is_valid(text, len));
	assert_true(is_valid(text, sizeof(text) - 1));
}

static void
test_valid_deep(void **state)
{
	static const char mixed[] = "[{\"a\":[]},[{\"b\":[{}]}],{}]";
	static const char crossed[] = "[{\"a\":[]},[{\"b\":[{]}}],{}]";
	char text[2 * (JSON_DEPTH + 1)];

	(void)state;
	memset(text, '[', JSON_DEPTH);
	memset(text + JSON_DEPTH, ']', JSON_DEPTH);
	assert_true(is_valid(text, (size_t)2 * JSON_DEPTH));
	memset(text, '[', JSON_DEPTH + 1);
	memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	assert_false(is_valid(text, sizeof(text)));
	memset(text, '[', sizeof(text));
	assert_false(is_valid(text, sizeof(text)));
	/* Each level remembers what it is, also when brackets were there before. */
	assert_true(is_valid(mixed, strlen(mixed)));
	assert_false(is_valid(crossed, strlen(crossed)));
}

/* --- records --- */

#define T0 UINT64_C(1700000000123456)

static struct template t;
static struct config config = {
	.in_ifindex = 1, .out_ifindex = 2, .sampling = 1, .probe_id = NULL};
static struct field_context ctx = {.config = &config, .boot_us = T0, .export_us = T0};

/* A UDP flow of one packet each way; endpoint 0 is the client. */
static struct flow *
flow_new(unsigned version)
{
	struct flow *f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	f->key.ip_version = (uint8_t)version;
	f->key.proto = 17;
	f->key.port[0] = 40000;
	f->key.port[1] = 53;
	for (unsigned e = 0; e < 2; e++) {
		if (version == 4)
			memcpy(f->key.addr[e] + 10, "\xff\xff\x0a\0\xc8", 5);
		else
			memcpy(f->key.addr[e], "\x20\x01\x0d\xb8", 4);
		f->key.addr[e][15] = (uint8_t)(9 + e);
		f->packets[e] = 1;
		f->octets[e] = 60 + e;
		f->first_us[e] = T0 + e * 2500;
		f->last_dir_us[e] = T0 + e * 2500;
		memcpy(f->mac[e], "\x02\xab\0\0\x0f", 5);
	}
	f->appl_us = 2500;
	f->stage = FLOW_STAGE_DONE;
	f->flags |= FLOW_MAC_KNOWN | FLOW_MAC_KNOWN << 1;
	f->end = FLOW_END_IDLE;
	return f;
}

static void
parse(const char *text)
{
	char err[256];

	if (template_parse(&t, text, 10, BIFLOW_NTOP, true, err, sizeof(err)) != 0)
		fail_msg("%s", err);
}

static void
test_record(void **state)
{
	struct flow *f = flow_new(4);
	struct record r = {.flow = f, .ctx = &ctx, .dir = 0, .biflow = true};
	struct json j;

	(void)state;
	json_init(&j);
	parse("@DEFAULT@ %APPL_LATENCY_MS %CLIENT_NW_LATENCY_MS %IN_SRC_MAC %SRC_VLAN "
	      "%FLOW_START_SEC %FLOW_END_MILLISECONDS %FLOW_END_MICROSECONDS");
	json_record(&j, &t, &r, false);
	check_valid(&j);
	check_text(&j,
	    "{\"IPV4_SRC_ADDR\":\"10.0.200.9\",\"IPV4_DST_ADDR\":\"10.0.200.10\","
	    "\"L4_SRC_PORT\":40000,\"L4_DST_PORT\":53,\"PROTOCOL\":17,\"IN_BYTES\":60,"
	    "\"OUT_BYTES\":61,\"IN_PKTS\":1,\"OUT_PKTS\":1,"
	    "\"FIRST_SWITCHED\":1700000000.123,\"LAST_SWITCHED\":1700000000.125,"
	    "\"TCP_FLAGS\":0,\"SRC_TOS\":0,\"FLOW_END_REASON\":1,"
	    "\"APPL_LATENCY_MS\":2.500,"
	    "\"IN_SRC_MAC\":\"02:ab:00:00:0f:00\",\"FLOW_START_SEC\":1700000000,"
	    "\"FLOW_END_MILLISECONDS\":1700000000125,"
	    "\"FLOW_END_MICROSECONDS\":1700000000125956}\n");
	free(f);
	f = flow_new(6);
	r.flow = f;
	r.dir = 1;
	r.biflow = false;
	json_reset(&j);
	parse("%IPV4_SRC_ADDR %IPV6_SRC_ADDR %IPV6_DST_ADDR %IN_BYTES %OUT_BYTES");
	json_record(&j, &t, &r, false);
	check_text(&j,
	    "{\"IPV6_SRC_ADDR\":\"2001:db8::a\",\"IPV6_DST_ADDR\":\"2001:db8::9\","
	    "\"IN_BYTES\":61}\n");
	/* A second one follows in the same buffer. */
	json_record(&j, &t, &r, false);
	assert_memory_equal(j.buf, j.buf + j.len / 2, j.len / 2);
	json_clear(&j);
	free(f);
}

/* The same fields among other members. */
static void
test_members_of_record(void **state)
{
	struct flow *f = flow_new(4);
	struct record r = {.flow = f, .ctx = &ctx, .dir = 0, .biflow = true};
	struct json j;

	(void)state;
	json_init(&j);
	parse("%IN_PKTS %IPV6_SRC_ADDR %PROTOCOL");
	json_open(&j);
	json_uint(&j, "v", 1);
	json_members(&j, &t, &r, false);
	json_uint(&j, "w", 2);
	json_close(&j);
	check_text(&j, "{\"v\":1,\"IN_PKTS\":1,\"PROTOCOL\":17,\"w\":2}");
	json_clear(&j);
	free(f);
}

static void
test_ids(void **state)
{
	struct flow_l7 l7 = {.app = 5, .info = "a\nb", .info_len = 3};
	struct flow *f = flow_new(4);
	struct record r = {.flow = f, .ctx = &ctx, .dir = 0, .biflow = true};
	struct json j;

	(void)state;
	f->l7 = &l7;
	json_init(&j);
	parse("%IPV4_SRC_ADDR %L7_PROTO %L7_INFO %APPLICATION_ID %FLOW_SOURCE "
	      "%FIRST_SWITCHED");
	json_record(&j, &t, &r, true);
	check_text(&j,
	    "{\"8\":\"10.0.200.9\",\"35632.118\":5,\"35632.539\":\"a\\nb\","
	    "\"95\":\"1400008b300005\",\"35632.579\":0,\"22\":1700000000.123}\n");
	json_clear(&j);
	free(f);
}

/* Hostile bytes where bytes may be hostile; numbers at their greatest. */
static void
fill_hostile(struct flow *f)
{
	uint8_t version = f->key.ip_version;
	struct flow_detail *d = f->detail;
	struct flow_l7 *l7 = f->l7;

	memset(f, 0xff, sizeof(*f));
	f->key.ip_version = version;
	f->key.proto = 6;
	f->detail = d;
	f->l7 = l7;
	memset(d, 0xff, sizeof(*d));
	d->odd_mac = d->whole = true;
	d->iat[0].m2 = d->iat[1].m2 = 1e300;
	d->tunnel.ip_version = 6;
	memset(l7, 0xff, sizeof(*l7));
	l7->tls = true;
	for (unsigned i = 0; i < sizeof(l7->info); i++)
		l7->info[i] = (char)i;
}

/* Every field of @ALL@, both families and directions, calm and hostile. */
static void
test_everything(void **state)
{
	static struct flow_detail detail;
	static struct flow_l7 l7;
	struct dpi_names *names = dpi_names_new();
	struct json j;

	(void)state;
	json_init(&j);
	parse("@ALL@");
	ctx.names = names;
	for (unsigned turn = 0; turn < 16; turn++) {
		struct flow *f = flow_new(turn & 1 ? 4 : 6);
		struct record r = {.flow = f, .ctx = &ctx, .dir = turn >> 1 & 1,
			.biflow = turn & 4};

		memset(&detail, 0, sizeof(detail));
		memset(&l7, 0, sizeof(l7));
		f->detail = &detail;
		f->l7 = &l7;
		if (turn & 8)
			fill_hostile(f);
		json_reset(&j);
		json_record(&j, &t, &r, false);
		check_valid(&j);
		json_reset(&j);
		json_record(&j, &t, &r, true);
		check_valid(&j);
		free(f);
	}
	ctx.names = NULL;
	dpi_names_free(names);
	json_clear(&j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_all_bytes),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_valid_truncated),
		cmocka_unit_test(test_valid_deep),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_members_of_record),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
