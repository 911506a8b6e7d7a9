/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_field_text.c -- values as text: what JSON shows of every field, and by hand what JSON
 * has other signs for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "field_text.h"
#include "json.h"
#include "template.h"

static struct value given;

static void
get_given(const struct record *r, struct value *v)
{
	(void)r;
	*v = given;
}

/* The text of a value of TYPE, in quotes; "-" if there is none. */
static const char *
text_of(enum field_type type)
{
	static char text[FIELD_TEXT_MAX + 3];
	struct field f = {.label = "X", .type = (uint8_t)type, .get = get_given};
	struct flow flow = {.key.ip_version = 4};
	struct record r = {.flow = &flow};
	char buf[FIELD_TEXT_MAX];
	size_t len;

	if (!field_text(&f, &r, buf, sizeof(buf), &len))
		return "-";
	assert_true(len <= FIELD_TEXT_MAX);
	text[0] = '"';
	memcpy(text + 1, buf, len);
	strcpy(text + 1 + len, "\"");
	return text;
}

static void
give(uint64_t u, const void *p, size_t len)
{
	given = (struct value){.u = u, .p = p, .len = (uint32_t)len};
}

static void
test_types(void **state)
{
	(void)state;
	give(1700000000123456ULL, "", 0);
	assert_string_equal(text_of(FIELD_UINT), "\"1700000000123456\"");
	assert_string_equal(text_of(FIELD_MICROS), "\"1700000000123456\"");
	assert_string_equal(text_of(FIELD_SECONDS), "\"1700000000\"");
	assert_string_equal(text_of(FIELD_MILLIS), "\"1700000000123\"");
	assert_string_equal(text_of(FIELD_UPTIME), "\"1700000000.123\"");
	give(1007, "", 0);
	assert_string_equal(text_of(FIELD_LATENCY), "\"1.007\"");
	give(UINT64_MAX, "", 0);
	assert_string_equal(text_of(FIELD_UINT), "\"18446744073709551615\"");
	give(0, "\xc0\xa8\x01\x02", 4);
	assert_string_equal(text_of(FIELD_IP4), "\"192.168.1.2\"");
	give(0, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_string_equal(text_of(FIELD_IP6), "\"2001:db8::1\"");
	give(0, "\0\x1b\xab\xcd\xef\x09", 6);
	assert_string_equal(text_of(FIELD_MAC), "\"00:1b:ab:cd:ef:09\"");
	give(0, "\x00\xff\x10", 3);
	assert_string_equal(text_of(FIELD_OCTETS), "\"00ff10\"");
	give(0, "", 0);
	assert_string_equal(text_of(FIELD_STRING), "\"\"");
	given.absent = true;
	assert_string_equal(text_of(FIELD_STRING), "-");
	assert_string_equal(text_of(FIELD_UINT), "-");
}

static void
test_strings(void **state)
{
	uint8_t bad[FIELD_STRING_MAX + 100];

	(void)state;
	give(0, "a \"b\" \\ \n", 9);
	assert_string_equal(text_of(FIELD_STRING), "\"a \"b\" \\ \n\"");
	give(0, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9);
	assert_string_equal(text_of(FIELD_STRING),
	    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	/* overlong, surrogate, too large, cut, a lone continuation */
	give(0, "\xc0\x80", 2);
	assert_string_equal(text_of(FIELD_STRING), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	give(0, "\xe0\x9f\xbf", 3);
	assert_int_equal(strlen(text_of(FIELD_STRING)), 2 + 9);
	give(0, "\xed\xa0\x80", 3);
	assert_int_equal(strlen(text_of(FIELD_STRING)), 2 + 9);
	give(0, "\xf4\x90\x80\x80", 4);
	assert_int_equal(strlen(text_of(FIELD_STRING)), 2 + 12);
	give(0, "x\xe2\x82", 3);
	assert_string_equal(text_of(FIELD_STRING), "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
	give(0, "\xbfy", 2);
	assert_string_equal(text_of(FIELD_STRING), "\"\xef\xbf\xbdy\"");
	memset(bad, 0xff, sizeof(bad));
	give(0, bad, sizeof(bad));
	assert_int_equal(strlen(text_of(FIELD_STRING)), 2 + FIELD_TEXT_MAX);
	assert_int_equal(strlen(text_of(FIELD_OCTETS)), 2 + 2 * FIELD_STRING_MAX);
}

/* A flow in which most fields mean something. */
static void
make_flow(struct flow *f, struct flow_detail *d, uint8_t version)
{
	memset(f, 0x11, sizeof(*f));
	memset(d, 0x22, sizeof(*d));
	memset(f->key.addr, 0, sizeof(f->key.addr));
	f->key.addr[0][10] = f->key.addr[0][11] = 0xff;
	memcpy(f->key.addr[1], f->key.addr[0], 16);
	f->key.addr[0][15] = 1;
	f->key.addr[1][15] = 2;
	f->key.ip_version = version;
	f->key.proto = 6;
	f->port = 0;
	f->flags = FLOW_CLIENT_IS_1;
	f->end = FLOW_END_IDLE;
	f->first_us[0] = 1700000000000001ULL;
	f->first_us[1] = 1700000000000002ULL;
	f->last_dir_us[0] = 1700000001000003ULL;
	f->last_dir_us[1] = 1700000002000004ULL;
	d->nmpls = 3;
	d->has_tunnel = 1;
	d->tunnel.ip_version = version;
	d->next_free = NULL;
	f->detail = d;
	d->whole = true;
	f->l7 = NULL;
	memset(f->tcp, 0, sizeof(f->tcp));
	f->tcp[0].flags = 0x1b;
	f->tcp_state[0] = FLOW_TCP_WINDOWED;
	f->tcp[0].win_min = 5;
	f->tcp[0].win_max = 50;
}

/* What JSON has between {"LABEL": and }, quotes taken off. NULL: nothing. */
static char *
json_of(struct json *j, const struct field *f, const struct record *r)
{
	static struct template t;
	char *p, *end;

	t.n = 1;
	t.field[0] = f;
	json_reset(j);
	json_record(j, &t, r, false);
	json_char(j, '\0');
	p = strchr(j->buf, ':');
	if (p == NULL)
		return NULL;
	p++;
	end = j->buf + j->len - 3; /* } newline NUL */
	assert_int_equal(*end, '}');
	if (*p == '"') {
		p++;
		end--;
	}
	*end = '\0';
	return p;
}

static void
compare_all(uint8_t version)
{
	struct config config = {.sampling = 1, .lifetime_s = 120, .idle_s = 30,
		.in_ifindex = -1, .out_ifindex = -1, .probe_id = (char *)"p"};
	static const char *const port_name[] = {"eth0"};
	static const uint32_t port_index[] = {7};
	struct field_context ctx = {.config = &config, .boot_us = 1699999999000000ULL,
		.export_us = 1700000009000000ULL, .port_name = port_name,
		.port_index = port_index, .nports = 1};
	struct flow_detail detail;
	struct flow flow;
	struct record r = {.flow = &flow, .ctx = &ctx, .dir = 1, .biflow = true};
	struct json j;
	unsigned n = 0;

	make_flow(&flow, &detail, version);
	json_init(&j);
	for (unsigned i = 0; i < field_count; i++) {
		const struct field *f = &field_table[i];
		char buf[FIELD_TEXT_MAX + 1];
		const char *want;
		size_t len;

		if (f->get == NULL) {
			assert_false(field_text(f, &r, buf, sizeof(buf), &len));
			continue;
		}
		want = json_of(&j, f, &r);
		assert_int_equal(field_text(f, &r, buf, FIELD_TEXT_MAX, &len), want != NULL);
		if (want == NULL)
			continue;
		buf[len] = '\0';
		assert_string_equal(buf, want);
		n++;
	}
	assert_true(n > 100);
	json_clear(&j);
}

static void
test_all(void **state)
{
	(void)state;
	compare_all(4);
	compare_all(6);
}

static void
test_room(void **state)
{
	const struct field *f = field_find("IN_BYTES");
	struct flow flow = {.key.ip_version = 4};
	struct record r = {.flow = &flow};
	char buf[FIELD_TEXT_MAX];
	size_t len;

	(void)state;
	assert_false(field_text(f, &r, buf, sizeof(buf) - 1, &len));
	assert_true(field_text(f, &r, buf, sizeof(buf), &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_types),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
