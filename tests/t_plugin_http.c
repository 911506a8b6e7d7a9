/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_plugin_http.c -- the plugin http in a host made for tests.
 * Longer than 800 lines: the protocol has as many cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plugin_rig.h"

#define C 0 /* sent by the client */
#define S 1

extern const struct mc_plugin mc_plugin_http;

static const char get[] = "GET /a/b?c=d HTTP/1.1\r\nHost: www.Example.org:8080\r\n"
			  "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)\r\n"
			  "Accept: */*\r\nReferer: http://example.org/\r\n\r\n";
static const char ok[] = "HTTP/1.1 200 OK\r\nServer: x\r\n"
			 "Content-Type: text/html; charset=utf-8\r\n"
			 "Content-Length: 5\r\n\r\nhello";

static struct rig *
open_http(void)
{
	return rig_open(&mc_plugin_http, NULL);
}

static struct rig_flow *
flow_to(struct rig *r, uint16_t port)
{
	static uint16_t cport = 40000;

	return rig_flow(r, 6, "10.0.0.9", cport++, "10.0.0.1", port);
}

static enum mc_verdict
say(struct rig_flow *f, uint8_t dir, uint64_t us, const char *text)
{
	return rig_send(f, dir, us, text, strlen(text));
}

static void
has(struct rig *r, const char *what)
{
	if (strstr(r->events, what) == NULL)
		fail_msg("no %s in:\n%s", what, r->events);
}

static void
has_not(struct rig *r, const char *what)
{
	if (strstr(r->events, what) != NULL)
		fail_msg("%s in:\n%s", what, r->events);
}

/* The Nth event has WHAT. */
static void
nth(struct rig *r, unsigned n, const char *what)
{
	const char *p = r->events, *end, *hit;

	for (; n > 0; n--) {
		assert_non_null(strchr(p, '\n'));
		p = strchr(p, '\n') + 1;
	}
	end = strchr(p, '\n');
	hit = strstr(p, what);
	if (end == NULL || hit == NULL || hit > end)
		fail_msg("no %s in:\n%s", what, p);
}

static unsigned
events(struct rig *r)
{
	return rig_lines(r->events, "");
}

static void
value(struct rig *r, const char *key, const char *field, const char *want)
{
	const char *have = rig_value(r, key, field);

	if (want == NULL) {
		assert_null(have);
	} else {
		assert_non_null(have);
		assert_string_equal(have, want);
	}
}

static void
test_pair(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	f->flow.client_nw_us = 150;
	f->flow.server_nw_us = 20000;
	say(f, C, 1000000, get);
	assert_int_equal(events(r), 0);
	say(f, S, 1250000, ok);
	assert_int_equal(events(r), 1);
	has(r, "\"ts\":1.000000");
	has(r, "\"src\":\"10.0.0.9\"");
	has(r, "\"dst\":\"10.0.0.1\",\"dport\":80");
	has(r, "\"method\":\"GET\"");
	has(r, "\"host\":\"www.Example.org:8080\"");
	has(r, "\"url\":\"/a/b?c=d\"");
	has(r, "\"status\":200");
	has(r, "\"userAgent\":\"Mozilla/5.0 (Windows NT 10.0; Win64; x64)\"");
	has(r, "\"referer\":\"http://example.org/\"");
	has(r, "\"mime\":\"text/html\"");
	has(r, "\"reqBytes\":151");
	has(r, "\"respBytes\":94");
	has(r, "\"latencyUs\":250000");
	has(r, "\"clientLatencyUs\":150,\"serverLatencyUs\":20000");
	value(r, "ip.10.0.0.9", "http.requests", "1");
	value(r, "ip.10.0.0.9", "http.errors", NULL);
	value(r, "ip.10.0.0.9", "os", "Windows 10");
	value(r, "ip.10.0.0.1", "http.requests", NULL);
	value(r, "http.host.www.example.org", "requests", "1");
	value(r, "http.host.www.example.org", "errors", NULL);
	value(r, "http.host.www.example.org", "bytes", "245");
	value(r, "http.host.www.example.org", "serviceTimeUsSum", "250000");
	value(r, "http.host.www.example.org", "serviceTimeUsMax", "250000");
	/* the same connection again: slower, and an error */
	say(f, C, 2000000, get);
	say(f, S, 2300000, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	nth(r, 1, "\"status\":404");
	nth(r, 1, "\"ts\":2.000000");
	nth(r, 1, "\"latencyUs\":300000");
	value(r, "ip.10.0.0.9", "http.requests", "2");
	value(r, "ip.10.0.0.9", "http.errors", "1");
	value(r, "http.host.www.example.org", "errors", "1");
	value(r, "http.host.www.example.org", "serviceTimeUsSum", "550000");
	value(r, "http.host.www.example.org", "serviceTimeUsMax", "300000");
	rig_end(f, 3000000);
	assert_int_equal(events(r), 2);
	rig_close(r);
}

/* However the bytes are cut, the event is the same but for its times. */
static void
test_pieces(void **state)
{
	char *want = NULL;
	size_t n, i;

	(void)state;
	for (n = sizeof(get); n > 0; n--) {
		struct rig *r = open_http();
		struct rig_flow *f = rig_flow(r, 6, "10.0.0.9", 1234, "10.0.0.1", 80);

		f->match = MC_MATCH_YES; /* else it waits for more than a byte */
		for (i = 0; i < sizeof(get) - 1; i += n)
			rig_send(f, C, 1000, get + i,
			    n < sizeof(get) - 1 - i ? n : sizeof(get) - 1 - i);
		for (i = 0; i < sizeof(ok) - 1; i += n)
			rig_send(f, S, 2000, ok + i,
			    n < sizeof(ok) - 1 - i ? n : sizeof(ok) - 1 - i);
		assert_int_equal(events(r), 1);
		if (want == NULL)
			want = rig_dup(r->events, strlen(r->events));
		assert_string_equal(r->events, want);
		rig_close(r);
	}
	free(want);
}

static void
test_latency(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	/* from the last segment of the request to the first of the response */
	say(f, C, 1000000,
	    "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
	say(f, C, 1500000, "67890");
	say(f, S, 1700000, "HTTP/1.1 200 OK\r\nContent-");
	say(f, S, 2900000, "Length: 4\r\n\r\nab");
	say(f, S, 3900000, "cd");
	has(r, "\"latencyUs\":200000");
	has(r, "\"reqBytes\":60");
	has(r, "\"respBytes\":42");
	/* an answer before the request's end */
	say(f, C, 5000000,
	    "PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
	say(f, S, 5100000, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	nth(r, 1, "\"status\":413");
	nth(r, 1, "\"latencyUs\":100000");
	say(f, C, 5200000, "67890GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, S, 5300000, ok);
	nth(r, 2, "\"url\":\"/next\"");
	nth(r, 2, "\"status\":200");
	rig_close(r);
}

static void
test_pipelining(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000,
	    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: b\r\n"
	    "User-Agent: x\r\n\r\nGET /3 HTTP/1.1\r\nHo");
	say(f, S, 2000,
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 201 Made\r\n"
	    "Content-Length: 100\r\n\r\n");
	say(f, C, 3000, "st: c\r\n\r\nGET /4 HTTP/1.1\r\nHost: d\r\n\r\n");
	say(f, S, 4000,
	    "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
	    "HTTP/1.1 204 None\r\n\r\n");
	assert_int_equal(events(r), 4);
	nth(r, 0, "\"host\":\"a\",\"url\":\"/1\",\"status\":200");
	nth(r, 1, "\"method\":\"HEAD\",\"host\":\"b\",\"url\":\"/2\",\"status\":201");
	nth(r, 2, "\"host\":\"c\",\"url\":\"/3\",\"status\":302");
	nth(r, 3, "\"host\":\"d\",\"url\":\"/4\",\"status\":204");
	rig_close(r);
}

/* A hundred at least of small ones, and in order; what is more has lost its texts. */
/* The first request says what the flow is, by its host and the agent's product. */
static void
test_names_flow(void **state)
{
	static const struct {
		const char *request, *is, *besides;
	} v[] = {
	    {"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x/1 (b)\r\n\r\n",
		"a.example", "x"},
	    {"HEAD / HTTP/1.1\r\nHost:  b.example \r\n\r\n", "b.example", ""},
	    {"GET / HTTP/1.1\r\nUser-Agent: y\r\n\r\n", "", "y"},
	    {"GET / HTTP/1.1\r\nHost: c.exam", "", ""},
	    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1", "", ""},
	    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"", ""},
	};
	struct rig *r = open_http();
	struct rig_flow *f;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		f = flow_to(r, 80);
		say(f, C, 1000, v[i].request);
		assert_int_equal(f->said_is, 1);
		assert_int_equal(f->is_l7, MC_L7_HTTP);
		assert_string_equal(f->is, v[i].is);
		assert_string_equal(f->besides, v[i].besides);
		say(f, S, 2000, ok);
		say(f, C, 3000, get);
		assert_int_equal(f->said_is, 1);
	}
	f = flow_to(r, 80);
	say(f, C, 1000, "GET / HTTP/1.1\r\n");
	assert_int_equal(f->said_is, 0);
	say(f, C, 1000, "Host: d.example\r\n\r\n");
	assert_int_equal(f->said_is, 1);
	assert_string_equal(f->is, "d.example");
	rig_close(r);
}

static void
test_many_pending(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	char text[80];
	unsigned i;

	(void)state;
	for (i = 0; i < 130; i++) {
		snprintf(text, sizeof(text), "GET /%u HTTP/1.1\r\nHost: h\r\n\r\n", i);
		say(f, C, 1000 + i, text);
	}
	for (i = 0; i < 130; i++) {
		snprintf(text, sizeof(text),
		    "HTTP/1.1 %u OK\r\nContent-Length: 0\r\n\r\n", 200 + i);
		say(f, S, 2000 + i, text);
	}
	assert_int_equal(events(r), 130);
	for (i = 0; i < 130; i++) {
		snprintf(
		    text, sizeof(text), "\"url\":\"/%u\",\"status\":%u,", i, 200 + i);
		if (i < 100)
			nth(r, i, text);
		snprintf(text, sizeof(text), "\"status\":%u,", 200 + i);
		nth(r, i, text);
	}
	has_not(r, "\"/100\"");
	/* and all is well again */
	say(f, C, 5000, get);
	say(f, S, 6000, ok);
	nth(r, 130, "\"url\":\"/a/b?c=d\",\"status\":200");
	rig_close(r);
}

/* Long ones get shorter rather than to be lost. */
static void
test_crowd(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	static char text[4200];
	unsigned i;
	size_t n;

	(void)state;
	for (i = 0; i < 36; i++) {
		n = (size_t)snprintf(text, sizeof(text), "GET /%u", i);
		memset(text + n, 'u', 700 - n);
		snprintf(text + 700, sizeof(text) - 700,
		    " HTTP/1.1\r\nHost: host%u\r\nUser-Agent: %0100d\r\n\r\n", i, 0);
		say(f, C, 1000 + i, text);
	}
	for (i = 0; i < 36; i++)
		say(f, S, 2000 + i, ok);
	assert_int_equal(events(r), 36);
	for (i = 0; i < 36; i++) {
		snprintf(
		    text, sizeof(text), "\"host\":\"host%u\",\"url\":\"/%uu", i, i);
		nth(r, i, text);
		nth(r, i, "\"status\":200");
	}
	nth(r, 0, "\"userAgent\":\"000");
	rig_close(r);
}

static void
test_chunked(void **state)
{
	static const char chunks[] =
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: "
	    "3\r\n\r\n"
	    "5\r\nhello\r\n1a;name=value\r\n12345678901234567890123456\r\n0\r\nTrailer:"
	    " x\r\n\r\n";
	size_t n, i;

	(void)state;
	for (n = sizeof(chunks) - 1; n > 0; n--) {
		struct rig *r = open_http();
		struct rig_flow *f = flow_to(r, 80);

		say(f, C, 1000, get);
		say(f, C, 1000, get);
		for (i = 0; i < sizeof(chunks) - 1; i += n)
			rig_send(f, S, 2000, chunks + i,
			    n < sizeof(chunks) - 1 - i ? n : sizeof(chunks) - 1 - i);
		assert_int_equal(events(r), 1);
		has(r, "\"respBytes\":142");
		say(f, S, 3000, ok);
		assert_int_equal(events(r), 2);
		nth(r, 1, "\"status\":200");
		nth(r, 1, "\"respBytes\":94");
		rig_close(r);
	}
}

static void
test_interim(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000000,
	    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
	    "3\r\n\r\n");
	say(f, S, 1100000, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(events(r), 0);
	say(f, C, 1200000, "abc");
	say(f, S, 1300000,
	    "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Type: no/no\r\n\r\n");
	say(f, S, 1500000, ok);
	assert_int_equal(events(r), 1);
	has(r, "\"status\":200");
	has(r, "\"latencyUs\":300000");
	has(r, "\"mime\":\"text/html\"");
	has(r, "\"respBytes\":94");
	rig_close(r);
}

/* Responses that have no body whatever their headers say. */
static void
test_no_body(void **state)
{
	static const char *const responses[][2] = {
	    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"},
	    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"},
	    {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 1000\r\n\r\n"},
	    {"GET", "HTTP/1.0 200 OK\nContent-Length: 0\n\n"},
	};
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	char text[100];
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%s /%u HTTP/1.1\r\nHost: a\r\n\r\n",
		    responses[i][0], i);
		say(f, C, 1000 * i, text);
		say(f, S, 1000 * i + 500, responses[i][1]);
		assert_int_equal(events(r), i + 1);
		snprintf(text, sizeof(text), "\"url\":\"/%u\",\"status\":%.3s", i,
		    responses[i][1] + 9);
		nth(r, i, text);
	}
	rig_close(r);
}

static void
test_connect(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 3128);

	(void)state;
	say(f, C, 1000, "CONNECT mail.example.org:25 HTTP/1.1\r\n\r\n");
	assert_int_equal(
	    say(f, S, 2000, "HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n"), MC_MORE);
	say(f, C, 3000, "CONNECT mail.example.org:25 HTTP/1.1\r\n\r\n");
	assert_int_equal(
	    say(f, S, 4000, "HTTP/1.0 200 Connection established\r\n\r\n220 hi"),
	    MC_DONE);
	rig_end(f, 5000);
	assert_int_equal(events(r), 2);
	nth(r, 0, "\"status\":407");
	nth(r, 1,
	    "\"method\":\"CONNECT\",\"url\":\"mail.example.org:25\",\"status\":200");
	has_not(r, "\"host\"");
	value(r, "http.host.mail.example.org", "requests", "2");
	f = flow_to(r, 80);
	say(f, C, 1000, "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
	assert_int_equal(
	    say(f, S, 2000, "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81"), MC_DONE);
	nth(r, 2, "\"url\":\"/ws\",\"status\":101");
	rig_close(r);
}

static void
test_until_close(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	struct mc_packet fin = {.ts_us = 9000, .dir = S, .fin = true};

	(void)state;
	say(f, C, 1000, get);
	say(f, S, 2000, "HTTP/1.0 200 OK\r\n\r\nHTTP/1.0 500 in a body\r\n\r\n");
	say(f, S, 3000, "more");
	assert_int_equal(events(r), 0);
	rig_packet(f, &fin);
	assert_int_equal(events(r), 1);
	has(r, "\"status\":200");
	has(r, "\"respBytes\":49");
	/* or with the flow */
	f = flow_to(r, 80);
	say(f, C, 1000, get);
	say(f, S, 2000, "HTTP/1.0 200 OK\r\n\r\nbody");
	rig_end(f, 3000);
	assert_int_equal(events(r), 2);
	nth(r, 1, "\"status\":200");
	rig_close(r);
}

static void
test_unanswered(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000, get);
	say(f, C, 2000, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, C, 3000, "GET /third HTTP/1.1\r\nHo"); /* cut off in its head */
	say(f, C, 3000, "GARBAGE");
	rig_end(f, 4000);
	assert_int_equal(events(r), 3);
	nth(r, 0, "\"url\":\"/a/b?c=d\",\"status\":null");
	nth(r, 0, "\"latencyUs\":null");
	nth(r, 1, "\"url\":\"/second\",\"status\":null");
	nth(r, 2, "\"url\":\"/third\",\"status\":null");
	has_not(r, "respBytes");
	value(r, "ip.10.0.0.9", "http.requests", "3");
	value(r, "ip.10.0.0.9", "http.errors", NULL);
	rig_close(r);
}

/* The capture begins in the middle. */
static void
test_middle(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	struct mc_packet p = {.ts_us = 1000,
	    .data = (const uint8_t *)"rest of a body",
	    .len = 14,
	    .wire_len = 14,
	    .dir = S,
	    .gap = MC_GAP_START};

	(void)state;
	rig_packet(f, &p);
	assert_int_equal(f->match, MC_MATCH_LATER);
	say(f, S, 2000, ok);
	assert_int_equal(events(r), 1);
	has(r, "\"src\":\"10.0.0.9\"");
	has(r, "\"status\":200");
	has(r, "\"latencyUs\":null");
	has_not(r, "method");
	has_not(r, "reqBytes");
	value(r, "ip.10.0.0.9", "http.requests", NULL);
	say(f, C, 3000, get);
	say(f, S, 4000, ok);
	assert_int_equal(events(r), 2);
	nth(r, 1, "\"latencyUs\":1000");
	rig_close(r);
	/* in the middle of a body, which its plugin is shown */
	r = open_http();
	f = flow_to(r, 80);
	f->match = MC_MATCH_YES;
	rig_packet(f, &p);
	say(f, C, 2000, get);
	say(f, S, 3000, ok);
	assert_int_equal(events(r), 1);
	has(r, "\"url\":\"/a/b?c=d\",\"status\":200");
	rig_close(r);
}

static void
send_after(struct rig_flow *f, uint8_t dir, uint64_t us, uint32_t gap, const char *text)
{
	struct mc_packet p = {.ts_us = us,
	    .data = (const uint8_t *)text,
	    .len = (uint32_t)strlen(text),
	    .wire_len = (uint32_t)strlen(text),
	    .dir = dir,
	    .gap = gap};

	rig_packet(f, &p);
}

static void
test_gaps(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	/* within a body of known length: nothing is out of step */
	say(f, C, 1000, get);
	say(f, S, 2000, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	send_after(f, S, 3000, 80,
	    "0123456789HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(events(r), 2);
	nth(r, 0, "\"status\":200");
	nth(r, 0, "\"respBytes\":140");
	nth(r, 1, "\"status\":302");
	/* within a chunk */
	rig_forget(r);
	say(f, C, 4000, get);
	say(f, S, 5000,
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n01234567");
	send_after(f, S, 6000, 8, "\r\n0\r\n\r\n");
	assert_int_equal(events(r), 1);
	/* in a head, or over the end of a body: on with the next first line */
	rig_forget(r);
	say(f, C, 7000, get);
	say(f, S, 8000, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n");
	send_after(f, S, 9000, 30, "lost in the middle\r\nof nothing\r\n");
	assert_int_equal(events(r), 1);
	nth(r, 0, "\"status\":200");
	say(f, C, 10000, "GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, S, 11000, ok);
	assert_int_equal(events(r), 2);
	nth(r, 1, "\"url\":\"/again\",\"status\":200");
	/* on the client's side */
	rig_forget(r);
	say(f, C, 12000, "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n");
	send_after(f, C, 13000, 1000, "GET /found HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, S, 14000, ok);
	say(f, S, 15000, "HTTP/1.1 206 Some\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(events(r), 2);
	nth(r, 0, "\"url\":\"/post\",\"status\":200");
	nth(r, 1, "\"url\":\"/found\",\"status\":206");
	/* the first line stands right behind a line that is none */
	rig_forget(r);
	say(f, C, 16000, get);
	say(f, S, 17000, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n");
	send_after(f, S, 18000, 30, "the rest of a line\r\nis\none\nno x/1.1\n");
	say(f, C, 19000, "GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, S, 20000, "not\nHTTP/1.1 207 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(events(r), 2);
	nth(r, 1, "\"url\":\"/again\",\"status\":207");
	/* not one with a return in its version: what is lost is strict */
	say(f, C, 21000,
	    "what is this\nGET /odd HT\rTP/1.1\r\n\r\n"
	    "nor that\nGET /even HTTP/1.1\r\n\r\n");
	say(f, S, 22000, "HTTP/1.1 208 OK\r\nContent-Length: 0\r\n\r\n");
	nth(r, 2, "\"url\":\"/even\",\"status\":208");
	rig_close(r);
}

/* A few bytes of a head are missing, as of each full segment in a tunnel whose packets
 * are sent in fragments. */
static void
test_holes(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000, "GET /far HTTP/1.1\r\nAccept: */*\r\nCookie: abcdef");
	send_after(f, C, 2000, 16, "xyz\r\nX-Longer-Than-Any-Header-Known: 1\r\n"
				   "Host: far.org\r\nUser-Agent: x\r\n\r\n");
	say(f, S, 5000, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: ab");
	send_after(f, S, 6000, 20, "c\r\nContent-Type: a/b\r\n\r\nhello");
	assert_int_equal(events(r), 1);
	has(r, "\"host\":\"far.org\",\"url\":\"/far\",\"status\":200,\"userAgent\":\"x\"");
	has(r, "\"mime\":\"a/b\",\"reqBytes\":134");
	has(r, "\"respBytes\":95");
	has(r, "\"latencyUs\":3000");
	/* in what says how long the body is: the next first line is looked for */
	rig_forget(r);
	say(f, C, 10000, get);
	say(f, S, 11000, "HTTP/1.1 201 OK\r\nContent-Length: 5");
	send_after(f, S, 12000, 1, "2\r\nContent-Type: c/d\r\n\r\nhello\nthere");
	say(f, C, 13000, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, S, 14000, ok);
	assert_int_equal(events(r), 2);
	nth(r, 0, "\"status\":201");
	nth(r, 0, "\"mime\":\"c/d\"");
	nth(r, 1, "\"url\":\"/next\",\"status\":200");
	/* a message begins behind it: the rest of the other head is what is missing */
	rig_forget(r);
	say(f, C, 20000, "GET /cut HTTP/1.1\r\nHost: cut.org\r\nCook");
	send_after(f, C, 21000, 30, "GET /whole HTTP/1.1\r\nHost: whole.org\r\n\r\n");
	say(f, S, 22000, "HTTP/1.1 200 OK\r\nSer");
	send_after(f, S, 23000, 40, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(events(r), 2);
	nth(r, 0, "\"host\":\"cut.org\",\"url\":\"/cut\",\"status\":200");
	nth(r, 1, "\"host\":\"whole.org\",\"url\":\"/whole\",\"status\":404");
	/* the head has ended in it: what is no header is not read as one */
	rig_forget(r);
	say(f, C, 30000, get);
	say(f, S, 31000, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\nServer: ab");
	send_after(f, S, 32000, 20, "a body\r\nof two lines\r\nContent-Type: no/no\r\n");
	say(f, C, 33000, get);
	say(f, S, 34000, ok);
	assert_int_equal(events(r), 2);
	has_not(r, "no/no");
	rig_close(r);
}

/* Packets of which the capture has the beginning only. */
static void
test_snaplen(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	struct mc_packet p = {.ts_us = 2000,
	    .dir = S,
	    .data =
		(const uint8_t *)"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"};

	(void)state;
	say(f, C, 1000, get);
	p.len = (uint32_t)strlen((const char *)p.data);
	p.wire_len = p.len + 997;
	rig_packet(f, &p);
	assert_int_equal(events(r), 1);
	has(r, "\"respBytes\":1041");
	say(f, C, 3000, get);
	p.ts_us = 4000;
	p.len = 20; /* in the head */
	rig_packet(f, &p);
	say(f, C, 5000, "GET /third HTTP/1.1\r\nHost: a\r\n\r\n");
	say(f, S, 6000, ok);
	assert_int_equal(events(r), 3);
	nth(r, 1, "\"status\":200");
	nth(r, 2, "\"url\":\"/third\",\"status\":200");
	rig_close(r);
}

/* Events longer than a report come whole; if a part is lost, not at all. */
static void
test_long(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	static char text[13000], want[6000];
	size_t n;

	(void)state;
	for (n = 900; n <= 4500; n += 900) {
		unsigned before = events(r), reports = r->nreports;

		memset(want, 'u', n);
		want[n] = '\0';
		want[n - 1] = n < 4000 ? 'E' : 'u';
		snprintf(text, sizeof(text),
		    "GET /%s HTTP/1.1\r\nHost: a\r\nReferer: %s\r\n\r\n", want, want);
		say(f, C, 1000, text);
		say(f, S, 2000, ok);
		assert_int_equal(events(r), before + 1);
		assert_true(r->nreports >= reports + n / 1024 + 1);
		want[n < 4000 ? n : 4094] = '\0';
		snprintf(text, sizeof(text), "\"url\":\"/%s\",\"status\":200", want);
		nth(r, before, text);
	}
	r->full = true;
	snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\n\r\n", want);
	say(f, C, 1000, text);
	say(f, S, 2000, ok);
	assert_int_equal(events(r), 5);
	assert_int_equal(r->lost, 1);
	r->full = false;
	say(f, C, 1000, get);
	say(f, S, 2000, ok);
	nth(r, 5, "\"url\":\"/a/b?c=d\"");
	rig_close(r);
}

/* Parts of several workers' events may be mixed, and some may be missing. */
static void
test_parts(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);
	static char text[4000], url[3001];
	struct rig_report *first, *second;

	(void)state;
	memset(url, 'x', 3000);
	snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\n\r\n", url);
	say(f, C, 1000, text);
	/* the response by hand, so that the reports can be kept back */
	{
		struct mc_packet p = {.ts_us = 2000,
		    .data = (const uint8_t *)ok,
		    .len = sizeof(ok) - 1,
		    .wire_len = sizeof(ok) - 1,
		    .dir = !f->first};

		mc_plugin_http.on_packet(r->worker, f->state, f->fields, &f->flow, &p);
	}
	first = r->reports;
	second = first->next;
	assert_non_null(second->next);
	first->next = second->next; /* the second is lost */
	free(second->msg);
	free(second);
	rig_deliver(r);
	assert_int_equal(events(r), 0);
	say(f, C, 3000, text);
	say(f, S, 4000, ok);
	assert_int_equal(events(r), 1);
	rig_close(r);
}

/* The text of a field as the host reads it; NULL: absent. */
static const char *
field(const struct rig_flow *f, const char *label)
{
	static char num[8];
	const struct mc_field *d = mc_plugin_http.fields;
	const uint8_t *fields = f->fields;
	uint64_t present;
	uint16_t n;

	for (; d->label != NULL && strcmp(d->label, label) != 0; d++)
		continue;
	assert_non_null(d->label);
	memcpy(&present, fields, sizeof(present));
	if ((present >> d->present & 1) == 0)
		return NULL;
	if (d->type == MC_STRING)
		return (const char *)fields + d->offset;
	memcpy(&n, fields + d->offset, sizeof(n));
	snprintf(num, sizeof(num), "%u", n);
	return num;
}

static void
test_fields(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	assert_null(field(f, "HTTP_URL"));
	say(f, C, 1000, get);
	assert_string_equal(field(f, "HTTP_URL"), "/a/b?c=d");
	assert_null(field(f, "HTTP_RET_CODE"));
	say(f, C, 1500, "GET /other HTTP/1.1\r\nHost: b\r\n\r\n");
	say(f, S, 2000, ok);
	say(f, S, 3000,
	    "HTTP/1.1 404 No\r\nContent-Length: 0\r\nContent-Type: a/b\r\n\r\n");
	/* a record has its first transaction */
	assert_string_equal(field(f, "HTTP_URL"), "/a/b?c=d");
	assert_string_equal(field(f, "HTTP_METHOD"), "GET");
	assert_string_equal(field(f, "HTTP_HOST"), "www.Example.org:8080");
	assert_string_equal(field(f, "HTTP_SITE"), "Example.org");
	assert_string_equal(field(f, "HTTP_REFERER"), "http://example.org/");
	assert_string_equal(
	    field(f, "HTTP_USER_AGENT"), "Mozilla/5.0 (Windows NT 10.0; Win64; x64)");
	assert_string_equal(field(f, "HTTP_MIME"), "text/html");
	assert_string_equal(field(f, "HTTP_RET_CODE"), "200");
	assert_int_equal(f->splits, 0);
	/* as much as there is of a head that is cut off, by a gap or the flow's end */
	f = flow_to(r, 80);
	say(f, C, 1000, "GET /cut HTTP/1.1\r\nHost: h\r\nUser-");
	send_after(f, C, 2000, 50, "lost");
	say(f, S, 3000, ok);
	assert_string_equal(field(f, "HTTP_URL"), "/cut");
	assert_string_equal(field(f, "HTTP_RET_CODE"), "200");
	f = flow_to(r, 80);
	say(f, C, 1000, "GET /end HTTP/1.1\r\nHost: h");
	rig_end(f, 2000);
	assert_string_equal(field(f, "HTTP_URL"), "/end");
	assert_string_equal(field(f, "HTTP_HOST"), "h");
	rig_close(r);
}

static void
test_split(void **state)
{
	struct mc_setup setup = {.split = true};
	char err[64];
	struct rig *r = rig_open_as(&mc_plugin_http, NULL, &setup, err, sizeof(err));
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000, get);
	say(f, S, 2000, ok);
	assert_int_equal(f->splits, 0);
	assert_string_equal(field(f, "HTTP_RET_CODE"), "200");
	say(f, C, 3000, "GET /second HTTP/1.1\r\nHost: b.c\r\n\r\n");
	assert_int_equal(f->splits, 1);
	assert_string_equal(field(f, "HTTP_URL"), "/second");
	assert_null(field(f, "HTTP_RET_CODE"));
	/* the third comes before the answer to the second: that is not its own */
	say(f, C, 4000, "GET /third HTTP/1.1\r\nHost: b.c\r\n\r\n");
	assert_int_equal(f->splits, 2);
	say(f, S, 5000, "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");
	assert_null(field(f, "HTTP_RET_CODE"));
	say(f, S, 6000, "HTTP/1.1 202 Made\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(field(f, "HTTP_RET_CODE"), "202");
	/* a body in several packets is one record */
	say(f, C, 7000, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
	say(f, C, 8000, "GET / HTTP/1.1\r\nabc\n");
	assert_int_equal(f->splits, 3);
	/* nor does a host's cut of its own confuse it */
	memset(f->fields, 0, mc_plugin_http.fields_size);
	say(f, S, 9000, ok);
	assert_null(field(f, "HTTP_RET_CODE"));
	assert_int_equal(events(r), 4);
	nth(r, 3, "\"url\":\"/up\",\"status\":200");
	rig_close(r);
}

static enum mc_match
match(uint16_t port, uint8_t proto, const char *text, size_t len)
{
	struct mc_key key = {.port = {40000, port}, .proto = proto};
	struct mc_packet p = {.data = (const uint8_t *)text,
	    .len = (uint32_t)len,
	    .wire_len = (uint32_t)len};

	return mc_plugin_http.match(NULL, &key, &p);
}

static void
test_match(void **state)
{
	static const struct {
		const char *text;
		enum mc_match any, usual; /* on any port, on 80 */
	} lines[] = {
	    {"GET / HTTP/1.1\r\n", MC_MATCH_YES, MC_MATCH_YES},
	    {"GET /long/without/end", MC_MATCH_YES, MC_MATCH_YES},
	    {"FROB x HTTP/1.0\r\n", MC_MATCH_YES, MC_MATCH_YES},
	    {"CONNECT a:1 HTTP/1.1\r\n", MC_MATCH_YES, MC_MATCH_YES},
	    {"HTTP/1.0 200 OK\r\n", MC_MATCH_YES, MC_MATCH_YES},
	    {"\r\nGET / HTTP/1.1\r\n", MC_MATCH_YES, MC_MATCH_YES},
	    {"GET /old\r\n", MC_MATCH_YES, MC_MATCH_YES},
	    {"GET key\r\n", MC_MATCH_NO, MC_MATCH_YES},
	    {"OPTIONS\r\n", MC_MATCH_NO, MC_MATCH_YES},
	    {"GE", MC_MATCH_LATER, MC_MATCH_LATER},
	    {"HTTP/1.", MC_MATCH_LATER, MC_MATCH_LATER},
	    {"OPTIONSHTTP/1.1\r\n", MC_MATCH_NO, MC_MATCH_LATER},
	    {"OPTIONS sip:a@b SIP/2.0\r\n", MC_MATCH_NO, MC_MATCH_LATER},
	    {"OPTIONS * RTSP/1.0\r\n", MC_MATCH_NO, MC_MATCH_LATER},
	    {"220 mail ESMTP\r\n", MC_MATCH_NO, MC_MATCH_LATER},
	    {"\xc3\xc3 / HTTP/1.1\r\n", MC_MATCH_NO, MC_MATCH_LATER},
	    {"\x16\x03\x01\x02", MC_MATCH_NO, MC_MATCH_NO},
	    {"SSH-2.0-x\r\n", MC_MATCH_NO, MC_MATCH_NO},
	    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MC_MATCH_NO, MC_MATCH_NO},
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		n = strlen(lines[i].text);
		if (match(9999, 6, lines[i].text, n) != lines[i].any ||
		    match(80, 6, lines[i].text, n) != lines[i].usual)
			fail_msg("%s", lines[i].text);
		assert_int_equal(match(80, 17, lines[i].text, n), MC_MATCH_NO);
	}
	/* a line that grows is not given up before it can be told */
	for (n = 1; n < 14; n++)
		assert_int_not_equal(
		    match(9999, 6, "GET / HTTP/1.1\r\n", n), MC_MATCH_NO);
	assert_int_equal(match(9999, 6, "", 0), MC_MATCH_LATER);
}

/* What clients send that is no clean request, as servers are heard to answer it. */
static void
test_lines(void **state)
{
	static const struct {
		const char *line, *want;
	} lines[] = {
	    {"GET / HTTP/1.1", "\"method\":\"GET\",\"url\":\"/\",\"status\":400"},
	    {"GET / HTTP/1.", "\"method\":\"GET\",\"url\":\"/\",\"status\":400"},
	    {"GET /HTTP/1.1",
		"\"method\":\"GET\",\"url\":\"/HTTP/1.1\",\"status\":400"},
	    {"OPTIONS HTTP/1.1",
		"\"method\":\"OPTIONS\",\"url\":\"HTTP/1.1\",\"status\":400"},
	    {"OPTIONS", "\"method\":\"OPTIONS\",\"status\":400"},
	    {"GET  /two\t HTTP/1.1 ",
		"\"method\":\"GET\",\"url\":\"/two\",\"status\":400"},
	    {"GET /a b HTTP/1.1", "\"method\":\"GET\",\"url\":\"/a\",\"status\":400"},
	    {"get /low HTTP/1.0", "\"method\":\"get\",\"url\":\"/low\",\"status\":400"},
	    {"FROB /x HTTP/1.1", "\"method\":\"FROB\",\"url\":\"/x\",\"status\":400"},
	    {"GET/ HTTP/1.1", NULL},
	    {"GET/HTTP/1.1", NULL},
	    {"FROB /x", NULL},
	    {"OPTIONS * RTSP/1.0", NULL},
	    {"GET / HTTP/2.0", NULL},
	    {"HTTP/1.1 200 OK", NULL},
	    {"A-METHOD-THAT-IS-FAR-TOO-LONG / HTTP/1.1", NULL},
	    {"G\x01T / HTTP/1.1", NULL},
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct rig *r = open_http();
		struct rig_flow *f = flow_to(r, 80);
		char text[100];

		f->match = MC_MATCH_YES;
		if (lines[i].line[0] == 'H') /* the roles are known */
			say(f, S, 500, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
		rig_forget(r);
		snprintf(text, sizeof(text), "%s\nAccept: x\n\n", lines[i].line);
		say(f, C, 1000, text);
		say(f, S, 2000, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
		if (events(r) != 1)
			fail_msg("%s: %s", lines[i].line, r->events);
		if (lines[i].want != NULL)
			has(r, lines[i].want);
		else
			has_not(r, "method");
		/* the next is found in any case */
		say(f, C, 3000, get);
		say(f, S, 4000, ok);
		assert_int_equal(events(r), 2);
		nth(r, 1, "\"url\":\"/a/b?c=d\",\"status\":200");
		rig_close(r);
	}
}

static void
test_headers(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000,
	    "GET / HTTP/1.1\r\nHOST:\t first \r\nhost: second\r\nUser-Agent:\r\n"
	    "A-header-with-a-name-that-is-longer-than-any-known: 1\r\n"
	    " folded: line\r\nno colon at all\r\n: no name\r\nReferer: r \t\r\n\r\n");
	say(f, S, 2000,
	    "HTTP/1.1 200\r\ncontent-length:0002\r\nContent-Length: 99\r\n"
	    "CONTENT-TYPE: A/b\r\n\r\nhi");
	assert_int_equal(events(r), 1);
	has(r, "\"host\":\"first\"");
	has(r, "\"referer\":\"r\"");
	has(r, "\"mime\":\"A/b\"");
	has_not(r, "userAgent");
	/* lengths that are none: until the connection ends */
	say(f, C, 3000, get);
	say(f, S, 4000,
	    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nHTTP/1.1 500 x\r\n\r\n");
	assert_int_equal(events(r), 1);
	rig_end(f, 5000);
	assert_int_equal(events(r), 2);
	f = flow_to(r, 80);
	say(f, C, 3000, get);
	say(f, S, 4000,
	    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx");
	assert_int_equal(events(r), 2);
	/* a chunk that is none: lost, and found again */
	f = flow_to(r, 80);
	say(f, C, 3000, get);
	say(f, S, 4000, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
	assert_int_equal(events(r), 3);
	say(f, C, 5000, get);
	say(f, S, 6000,
	    "HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "fffffffffffffffff\r\n");
	assert_int_equal(events(r), 4);
	nth(r, 3, "\"status\":201");
	rig_close(r);
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *request, *key;
	} hosts[] = {
	    {"GET / HTTP/1.1\r\nHost: Example.COM.\r\n\r\n", "example.com"},
	    {"GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n", "2001:db8::1"},
	    {"GET / HTTP/1.1\r\nHost: 192.0.2.1:81\r\n\r\n", "192.0.2.1"},
	    {"GET http://Proxied.test/x?y HTTP/1.0\r\n\r\n", "proxied.test"},
	    {"CONNECT tunnel.test:443 HTTP/1.1\r\n\r\n", "tunnel.test"},
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct rig *r = open_http();
		struct rig_flow *f = flow_to(r, 80);
		char key[80];

		say(f, C, 1000, hosts[i].request);
		say(f, S, 2000, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
		snprintf(key, sizeof(key), "http.host.%s", hosts[i].key);
		value(r, key, "requests", "1");
		value(r, key, "errors", "1");
		rig_close(r);
	}
}

static void
test_sites(void **state)
{
	static const char *const sites[][2] = {
	    {"www.example.org", "example.org"},
	    {"example.org", "example.org"},
	    {"a.b.c.example.co.uk", "example.co.uk"},
	    {"co.uk", "co.uk"},
	    {"localhost:8080", "localhost"},
	    {"192.0.2.1:80", "192.0.2.1"},
	    {"[2001:db8::1]:80", "2001:db8::1"},
	    {"www.heise.de", "heise.de"},
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(sites) / sizeof(sites[0]); i++) {
		struct rig *r = open_http();
		struct rig_flow *f = flow_to(r, 80);
		char text[100];

		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
		    sites[i][0]);
		say(f, C, 1000, text);
		assert_non_null(field(f, "HTTP_SITE"));
		assert_string_equal(field(f, "HTTP_SITE"), sites[i][1]);
		rig_close(r);
	}
}

static void
test_systems(void **state)
{
	static const char *const agents[][2] = {
	    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
		"Windows 10"},
	    {"Mozilla/5.0 (Windows NT 6.3; rv:7.0.1) Gecko", "Windows 8.1"},
	    {"Mozilla/5.0 (Windows NT 6.1; rv:7.0.1) Gecko", "Windows 7"},
	    {"Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US)", "Windows XP"},
	    {"Mozilla/4.0 (compatible; MSIE 5.0; Windows 98)", "Windows"},
	    {"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft)",
		"Windows Phone 10.0"},
	    {"Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36",
		"Android 13"},
	    {"Dalvik/1.6.0 (Linux; U; Android 4.4.2; GT-I9505)", "Android 4.4"},
	    {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X)", "iOS 17.1"},
	    {"Mozilla/5.0 (iPad; CPU OS 9_3_5 like Mac OS X)", "iOS 9.3"},
	    {"App/1.0 (iPhone; iOS 10.3.2; Scale/2.00)", "iOS 10.3"},
	    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "macOS 10.15"},
	    {"Mozilla/5.0 (Macintosh; PPC)", "macOS"},
	    {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", "ChromeOS"},
	    {"Mozilla/5.0 (X11; Linux x86_64; rv:24.0)", "Linux"},
	    {"Wget/1.17.1 (linux-gnu)", "Linux"},
	    {"Mozilla/5.0 (X11; FreeBSD amd64)", "FreeBSD"},
	    {"Android 99999999999999999999999999999999999999999999999999", "Android"},
	    {"curl/7.43.0", NULL},
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(agents) / sizeof(agents[0]); i++) {
		struct rig *r = open_http();
		struct rig_flow *f = flow_to(r, 80);
		char text[200];

		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nUser-Agent: %s\r\n\r\n",
		    agents[i][0]);
		say(f, C, 1000, text);
		say(f, S, 2000, ok);
		value(r, "ip.10.0.0.9", "os", agents[i][1]);
		rig_close(r);
	}
}

static void
test_response_option(void **state)
{
	static const char partial[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n01234";
	struct mc_setup setup = {0};
	char err[128] = "";
	struct rig *r;
	struct rig_flow *f;
	unsigned i;

	(void)state;
	assert_null(
	    rig_open_as(&mc_plugin_http, "response=never", &setup, err, sizeof(err)));
	assert_non_null(strstr(err, "never"));
	for (i = 0; i < 3; i++) {
		static const char *const options[] = {
		    "response=begun", "response=whole", "response=tshark"};

		r = rig_open(&mc_plugin_http, options[i]);
		f = flow_to(r, 80);
		say(f, C, 1000, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
		say(f, S, 2000, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
		say(f, S, 9000, "cd");
		nth(r, 0, i == 0 ? "\"latencyUs\":1000" : "\"latencyUs\":8000");
		/* the second's end is missing */
		say(f, C, 10000, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
		say(f, S, 11000, partial);
		send_after(f, S, 12000, 1000, "end of something\r\n");
		say(f, C, 13000, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
		say(f, S, 14000, "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n");
		rig_end(f, 15000);
		assert_int_equal(events(r), 3);
		nth(r, 1,
		    i == 0   ? "\"url\":\"/2\",\"status\":200"
		    : i == 1 ? "\"url\":\"/2\",\"status\":null"
			     : "\"url\":\"/2\",\"status\":201");
		nth(r, 2,
		    i < 2 ? "\"url\":\"/3\",\"status\":201"
			  : "\"url\":\"/3\",\"status\":null");
		rig_close(r);
	}
}

/* Nobody wants events: keys are kept all the same. */
static void
test_unwanted(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	r->unwanted = true;
	say(f, C, 1000, get);
	say(f, S, 2000, ok);
	assert_int_equal(events(r), 0);
	value(r, "ip.10.0.0.9", "http.requests", "1");
	rig_close(r);
}

/* Counters by name. */
static uint64_t
counter(const struct rig *r, const char *name)
{
	unsigned i;

	for (i = 0; strcmp(mc_plugin_http.counters[i].name, name) != 0; i++)
		continue;
	return r->counters[i];
}

static void
test_counters(void **state)
{
	struct rig *r = open_http();
	struct rig_flow *f = flow_to(r, 80);

	(void)state;
	say(f, C, 1000, get);
	say(f, S, 2000, ok);
	say(f, S, 3000, ok);
	say(f, S, 4000, "what is this\r\nand this\r\n");
	say(f, C, 5000, get);
	rig_end(f, 6000);
	assert_int_equal(counter(r, "requests"), 2);
	assert_int_equal(counter(r, "responses"), 2);
	assert_int_equal(counter(r, "unasked"), 1);
	assert_int_equal(counter(r, "unanswered"), 1);
	assert_int_equal(counter(r, "resyncs"), 1);
	assert_int_equal(counter(r, "crowded"), 0);
	rig_close(r);
}

/* Any bytes, cut anywhere: every request whose line was seen is told of once. */
static void
test_noise(void **state)
{
	static const char *const words[] = {"GET ", "/x", " HTTP/1.1", "\r\n", "\n",
	    "\r\n\r\n", "HTTP/1.1 ", "200", " OK", "Content-Length: ", "5",
	    "Host: ", "a", "Transfer-Encoding: chunked", "HEAD ", "CONNECT ",
	    "User-Agent: ", ";", ",", "\t", "0", "ffffffff", "100", "\x80",
	    "Content-Type: "};
	uint32_t random = 1;
	unsigned round, i;

	(void)state;
	for (round = 0; round < 400; round++) {
		struct rig *r = open_http();
		struct rig_flow *f = flow_to(r, 80);

		f->match = MC_MATCH_YES;
		for (i = 0; i < 300; i++) {
			const char *w;
			struct mc_packet p = {.ts_us = i};

			random = random * 1103515245u + 12345;
			w = words[(random >> 16) % (sizeof(words) / sizeof(words[0]))];
			p.data = (const uint8_t *)w;
			p.len = p.wire_len = (uint32_t)strlen(w);
			p.dir = random >> 9 & 1;
			if ((random >> 10 & 63) == 0)
				p.gap = random >> 28;
			if ((random >> 22 & 63) == 0)
				p.wire_len += random >> 27;
			rig_packet(f, &p);
		}
		rig_end(f, 1000);
		assert_int_equal(
		    rig_lines(r->events, "\"reqBytes\"") + counter(r, "crowded"),
		    counter(r, "requests"));
		rig_close(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pair),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_latency),
	    cmocka_unit_test(test_pipelining),
	    cmocka_unit_test(test_names_flow),
	    cmocka_unit_test(test_many_pending),
	    cmocka_unit_test(test_crowd),
	    cmocka_unit_test(test_chunked),
	    cmocka_unit_test(test_interim),
	    cmocka_unit_test(test_no_body),
	    cmocka_unit_test(test_connect),
	    cmocka_unit_test(test_until_close),
	    cmocka_unit_test(test_unanswered),
	    cmocka_unit_test(test_middle),
	    cmocka_unit_test(test_gaps),
	    cmocka_unit_test(test_holes),
	    cmocka_unit_test(test_snaplen),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_systems),
	    cmocka_unit_test(test_response_option),
	    cmocka_unit_test(test_unwanted),
	    cmocka_unit_test(test_counters),
	    cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
