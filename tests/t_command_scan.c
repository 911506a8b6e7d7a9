/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_command_scan.c -- names of keys: KEYS and SCAN over the tree and over live flows, while
 * both change and whoever asks is slow.
 */
#include "command_rig.h"

#include "glob.h"

static void
test_keys(void **state)
{
	struct rig r;
	char pattern[GLOB_MAX + 8] = "KEYS ";

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "KEYS *", "[]");
	expect(&r, "RANDOMKEY", "nil");
	cloud_incr(r.cloud, rig_ip(&r, "192.168.1.2"), "bytesSent", 1);
	cloud_incr(r.cloud, rig_ip(&r, "192.168.1.10"), "bytesSent", 1);
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "bytesSent", 1);
	expect(&r, "KEYS ip.192.168.*", "[\"ip.192.168.1.10\", \"ip.192.168.1.2\"]");
	expect(&r, "KEYS *.1", "[\"ip.10.0.0.1\"]");
	expect(&r, "KEYS ip.10.0.0.1", "[\"ip.10.0.0.1\"]");
	expect(&r, "KEYS ip.10.0.0.2", "[]");
	rig_flow(&r, 1);
	rig_flow(&r, 2);
	rig_flow(&r, 3);
	expect(&r, "KEYS flow.*.10.0.0.[23].*",
	    "[\"flow.tcp.10.0.0.2.1002-192.0.2.1.443\", "
	    "\"flow.tcp.10.0.0.3.1003-192.0.2.1.443\"]");
	expect(&r, "KEYS [f]low.*.10.0.0.1.*", "[\"flow.tcp.10.0.0.1.1001-192.0.2.1.443\"]");
	expect(&r, "KEYS flow.tcp.10.0.0.1.1001-192.0.2.1.443",
	    "[\"flow.tcp.10.0.0.1.1001-192.0.2.1.443\"]");
	expect(&r, "KEYS flow.tcp.10.0.0.4.1001-192.0.2.1.443", "[]");
	assert_int_equal(r.alive.asked, 2 + 2 + 1 + 1);
	expect(&r, "KEYS ip.10.*", "[\"ip.10.0.0.1\"]");
	assert_int_equal(r.alive.asked, 6); /* no flow has such a name */
	expect(&r, "DBSIZE", ":6");
	expect(&r, "EXISTS ip.10.0.0.1 ip.10.0.0.2 ip.10.0.0.1", ":2");
	expect(&r, "EXISTS ip.10.0.0.1 flow.tcp.10.0.0.1.1001-192.0.2.1.443 "
		   "flow.tcp.192.0.2.1.443-10.0.0.2.1002 flow.tcp.1.1.1.1.1-2.2.2.2.2", ":3");
	expect(&r, "TOUCH ip.10.0.0.1", ":1");
	assert_non_null(strstr(ask(&r, "RANDOMKEY"), "\"ip."));
	memset(pattern + 5, '*', GLOB_MAX + 1);
	expect(&r, pattern, "-ERR pattern is longer than 256 bytes");
	rig_close(&r);
}

/* More than one turn; others are served meanwhile. */
static void
test_keys_many(void **state)
{
	enum { MANY = 12000 };
	struct rig r;
	char addr[32];
	unsigned commas = 0;

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(addr, sizeof(addr), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		cloud_incr(r.cloud, rig_ip(&r, addr), "n", 1);
	}
	rig_connect(&r, 1);
	rig_request(&r, 0, "KEYS ip.*");
	rig_request(&r, 0, "PING");
	assert_string_equal(ask_as(&r, 1, "PING"), "+PONG");
	rig_reply(&r, 0);
	for (const char *p = r.text; *p != '\0'; p++)
		commas += *p == ',';
	assert_int_equal(commas, MANY - 1);
	assert_string_equal(rig_reply(&r, 0), "+PONG");
	expect(&r, "MULTI", "+OK");
	expect(&r, "KEYS ip.*", "+QUEUED");
	expect(&r, "PING", "+QUEUED");
	ask(&r, "EXEC");
	assert_string_equal(r.text + strlen(r.text) - 9, "], +PONG]");
	rig_request(&r, 0, "KEYS *");
	rig_turn(&r);
	rig_close(&r);
}

/* Who does not read is not written for: what waits stays small. */
static void
test_keys_slowly(void **state)
{
	enum { MANY = 60000, TIMES = 4 };
	struct rig r;
	struct server_stats stats;
	char addr[64];

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(addr, sizeof(addr), "2001:db8::%x:1111:2222:3333:4444", i);
		cloud_incr(r.cloud, rig_ip(&r, addr), "n", 1);
	}
	for (unsigned i = 0; i < TIMES; i++) /* more than the kernel keeps */
		rig_request(&r, 0, "KEYS *");
	for (unsigned i = 0; i < 100; i++) {
		struct timeval ms = {.tv_usec = 1000};

		event_base_loopexit(r.base, &ms);
		event_base_dispatch(r.base);
	}
	server_stats(r.server, &stats);
	assert_true(stats.output_waiting > 0);
	assert_true(stats.output_waiting < (2 << 20));
	assert_int_equal(stats.blocked, 1);
	for (unsigned i = 0; i < TIMES; i++) {
		rig_reply(&r, 0);
		assert_non_null(strstr(r.text, "2001:db8:0:ea5f:1111:2222:3333:4444"));
	}
	expect(&r, "PING", "+PONG");
	rig_close(&r);
}

/* All a scan tells, each name as often as it came. */
static unsigned
scan(struct rig *r, const char *options, unsigned *calls, const char *look_for)
{
	char request[256], cursor[32] = "0";
	unsigned n = 0;
	const char *p;

	*calls = 0;
	do {
		snprintf(request, sizeof(request), "SCAN %s%s", cursor, options);
		p = ask(r, request);
		(*calls)++;
		assert_int_equal(sscanf(p, "[\"%31[0-9]\"", cursor), 1);
		while ((p = strstr(p, look_for)) != NULL) {
			n++;
			p++;
		}
	} while (strcmp(cursor, "0") != 0);
	return n;
}

static void
test_scan(void **state)
{
	struct rig r;
	char addr[32];
	unsigned calls, quotes;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "SCAN 0", "[\"0\", []]");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(addr, sizeof(addr), "10.0.%u.%u", i >> 8, i & 255);
		cloud_incr(r.cloud, rig_ip(&r, addr), "n", 1);
	}
	for (unsigned i = 1; i <= 5; i++)
		rig_flow(&r, i);
	assert_int_equal(scan(&r, "", &calls, "\"ip.10."), 1000);
	assert_true(calls >= 100);
	assert_int_equal(scan(&r, "", &calls, "\"flow."), 5);
	assert_int_equal(scan(&r, " COUNT 300 MATCH ip.10.0.1.*", &calls, "\"ip."), 256);
	assert_int_equal(calls, 1);
	assert_int_equal(scan(&r, " match ip.* count 400", &calls, "\"ip."), 1000);
	assert_int_equal(calls, 3);
	assert_int_equal(scan(&r, " MATCH *.7", &calls, "\"ip."), 4);
	assert_int_equal(scan(&r, " MATCH flow.*", &calls, "\"flow."), 5);
	assert_int_equal(calls, 3);
	assert_int_equal(scan(&r, " TYPE hash COUNT 1000", &calls, "\"ip."), 1000);
	quotes = scan(&r, " TYPE string COUNT 1000", &calls, "\"");
	assert_int_equal(quotes, 2 * calls); /* those of the cursor */
	expect(&r, "SCAN 0 TYPE list", "[\"0\", []]");
	expect(&r, "SCAN x", "-ERR invalid cursor");
	expect(&r, "SCAN -1", "-ERR invalid cursor");
	expect(&r, "SCAN 0 COUNT 0", "-ERR syntax error");
	expect(&r, "SCAN 0 COUNT x", "-ERR value is not an integer or out of range");
	expect(&r, "SCAN 0 FOO", "-ERR syntax error");
	assert_int_equal(r.counters.v[COUNTER_RESP_CURSORS_LOST], 0);
	expect(&r, "SCAN 12345678901234", "[\"0\", []]");
	assert_int_equal(r.counters.v[COUNTER_RESP_CURSORS_LOST], 1);
	rig_close(&r);
}

/* A cursor can be used again; one of too many is lost, and counted. */
static void
test_cursors(void **state)
{
	struct rig r;
	char addr[32], first[64], again[512], request[128], ignored[64];

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%u", i);
		cloud_incr(r.cloud, rig_ip(&r, addr), "n", 1);
	}
	assert_int_equal(sscanf(ask(&r, "SCAN 0"), "[\"%63[0-9]", first), 1);
	snprintf(request, sizeof(request), "SCAN %s", first);
	ask(&r, request);
	snprintf(again, sizeof(again), "%s", strchr(r.text, '['));
	/* the same names, whatever the number of the next step */
	assert_string_equal(strstr(ask(&r, request), "\", [") , strstr(again, "\", ["));
	for (unsigned i = 0; i < 4200; i++)
		assert_int_equal(sscanf(ask(&r, "SCAN 0"), "[\"%63[0-9]", ignored), 1);
	assert_int_equal(r.counters.v[COUNTER_RESP_CURSORS_LOST], 0);
	expect(&r, request, "[\"0\", []]");
	assert_int_equal(r.counters.v[COUNTER_RESP_CURSORS_LOST], 1);
	snprintf(request, sizeof(request), "SCAN %s", ignored);
	assert_string_not_equal(ask(&r, request), "[\"0\", []]");
	rig_close(&r);
}

/* Whatever comes and goes: what is there all the time is told. */
static void
test_scan_changes(void **state)
{
	struct rig r;
	char addr[32], cursor[64] = "0", request[128];
	unsigned stay = 0, turn = 0;

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(addr, sizeof(addr), "10.0.0.%u", i);
		cloud_incr(r.cloud, rig_ip(&r, addr), "n", 1);
	}
	do {
		snprintf(request, sizeof(request), "SCAN %s COUNT 7 MATCH ip.10.*", cursor);
		assert_int_equal(sscanf(ask(&r, request), "[\"%63[0-9]", cursor), 1);
		for (const char *p = r.text; (p = strstr(p, "\"ip.10.0.0.")) != NULL; p++)
			stay += atoi(p + 11) % 2;
		/* the even ones go, others come before and after */
		for (unsigned i = 0; i < 20; i += 2) {
			snprintf(addr, sizeof(addr), "10.0.0.%u", (turn * 20 + i) % 200);
			cloud_delete(r.cloud, rig_ip(&r, addr));
		}
		snprintf(addr, sizeof(addr), "10.1.0.%u", turn);
		cloud_incr(r.cloud, rig_ip(&r, addr), "n", 1);
		r.now_ms++;
		cloud_clock(r.cloud, r.now_ms);
		turn++;
	} while (strcmp(cursor, "0") != 0);
	assert_int_equal(stay, 100);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_keys_many),
	    cmocka_unit_test(test_keys_slowly),
	    cmocka_unit_test(test_scan),
	    cmocka_unit_test(test_cursors),
	    cmocka_unit_test(test_scan_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
