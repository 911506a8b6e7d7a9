/* SPDX-License-Identifier: BSD-3-Clause */
/* t_watcher.c -- alerts of transactions and flows: their text, how often, and nothing
 * made of what is not watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "event.h"
#include "field.h"
#include "json.h"
#include "keyname.h"
#include "template.h"
#include "watch.h"
#include "watcher.h"

#define T0 UINT64_C(1700000000123456)

/* As the plugins dns and http have them, as far as alerts read them. */
struct values {
	uint64_t present;
	uint64_t latency_us;
	uint16_t status;
	char qname[256], qtype[8], rcode[12], response[64], service[8];
	char method[16], host[256], url[256];
};

enum { P_NAME, P_RCODE, P_RESPONSE, P_HOST, P_STATUS };

static const struct mc_row dns_rows[] = {
	MC_ROW(values, service, "service", MC_STRING, MC_NO_ROW),
	MC_ROW_NULL(values, qname, "qname", MC_STRING, P_NAME),
	MC_ROW_NULL(values, qtype, "qtype", MC_STRING, P_NAME),
	MC_ROW_NULL(values, rcode, "rcode", MC_STRING, P_RCODE),
	MC_ROW_NULL(values, latency_us, "latencyUs", MC_U64, P_RCODE),
	MC_ROW(values, response, "response", MC_STRING, P_RESPONSE),
};
static const struct mc_row http_rows[] = {
	MC_ROW(values, method, "method", MC_STRING, MC_NO_ROW),
	MC_ROW(values, host, "host", MC_STRING, P_HOST),
	MC_ROW(values, url, "url", MC_STRING, MC_NO_ROW),
	MC_ROW_NULL(values, status, "status", MC_U16, P_STATUS),
};

static struct config config = {.probe_id = (char *)"p"};
static struct counters counters;
static struct template template;
static struct field_context ctx = {.config = &config};
static struct events *events;
static struct watch *watch;
static struct watcher *watcher;
static bool heard = true;
static unsigned got;
static char last[4096];

static bool
on_wanted(void *arg, const char *channel)
{
	(void)arg;
	return heard && strcmp(channel, "alert.warning") == 0;
}

static void
on_publish(void *arg, const char *channel, size_t clen, const void *msg, size_t len)
{
	(void)arg;
	assert_int_equal(clen, 13);
	assert_memory_equal(channel, "alert.warning", 13);
	assert_true(json_valid(msg, len));
	snprintf(last, sizeof(last), "%.*s", (int)len, (const char *)msg);
	got++;
}

static int
set_up(void **state)
{
	const struct event_setup setup = {&config, &template, &ctx, &counters};
	const struct event_sink sink = {on_wanted, on_publish, NULL};
	char err[256];

	(void)state;
	memset(&counters, 0, sizeof(counters));
	got = 0;
	last[0] = '\0';
	heard = true;
	events = events_new(&setup, err, sizeof(err));
	watch = watch_new(1);
	assert_non_null(events);
	assert_non_null(watch);
	events_add_sink(events, &sink, false);
	watcher = watcher_new(watch, events, &counters);
	return watcher == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	watcher_free(watcher);
	watch_free(watch);
	events_free(events);
	return 0;
}

static void
give(enum watch_list list, const char *entry)
{
	watch_begin(watch, 0, list, 1);
	if (entry != NULL)
		watch_add(watch, 0, list, entry, strlen(entry));
	watch_end(watch, 0, list, 0);
}

/* 10.0.0.2 asks 10.0.0.1: the client is endpoint 1. */
static struct flowkey
key_of(uint8_t proto, uint16_t port)
{
	struct flowkey key = {.port = {port, 40000}, .proto = proto, .ip_version = 4};

	keyname_read_addr(key.addr[0], "10.0.0.1", 8);
	keyname_read_addr(key.addr[1], "10.0.0.2", 8);
	return key;
}

static void
dns(uint64_t ts_us, const char *qname, const char *rcode, const char *response)
{
	struct flowkey key = key_of(17, 53);
	struct values v = {.latency_us = 1234, .qtype = "A", .service = "dns"};
	const struct watcher_event e = {"dns", ts_us, &key, 1, NULL, dns_rows,
		sizeof(dns_rows) / sizeof(dns_rows[0]), &v};

	if (qname != NULL) {
		snprintf(v.qname, sizeof(v.qname), "%s", qname);
		v.present |= 1 << P_NAME;
	}
	if (rcode != NULL) {
		snprintf(v.rcode, sizeof(v.rcode), "%s", rcode);
		v.present |= 1 << P_RCODE;
	}
	if (response != NULL) {
		snprintf(v.response, sizeof(v.response), "%s", response);
		v.present |= 1 << P_RESPONSE;
	}
	watcher_event(watcher, &e);
}

static void
http(uint64_t ts_us, const char *host, const char *url, const char *user)
{
	struct flowkey key = key_of(6, 80);
	struct values v = {.method = "GET", .status = 200, .present = 1 << P_STATUS};
	const struct watcher_event e = {"http", ts_us, &key, 1, user, http_rows,
		sizeof(http_rows) / sizeof(http_rows[0]), &v};

	snprintf(v.url, sizeof(v.url), "%s", url);
	if (host != NULL) {
		snprintf(v.host, sizeof(v.host), "%s", host);
		v.present |= 1 << P_HOST;
	}
	watcher_event(watcher, &e);
}

static uint64_t
count(enum counter c)
{
	return counters.v[c];
}

static void
test_empty(void **state)
{
	(void)state;
	assert_false(watcher_wants(watcher, "dns"));
	assert_false(watcher_wants(watcher, "http"));
	assert_false(watcher_wants_flows(watcher));
	dns(T0, "example.com", "NOERROR", "192.0.2.1");
	http(T0, "example.com", "/", NULL);
	assert_int_equal(got, 0);
	give(WATCH_DNS_CLIENTS, "10.0.0.9");
	assert_true(watcher_wants(watcher, "dns"));
	assert_false(watcher_wants(watcher, "http"));
	assert_false(watcher_wants(watcher, "radius"));
	give(WATCH_DNS_CLIENTS, NULL);
	give(WATCH_URL, "example.net");
	assert_false(watcher_wants(watcher, "dns"));
	assert_true(watcher_wants(watcher, "http"));
	give(WATCH_IP, "10.0.0.9");
	assert_true(watcher_wants_flows(watcher));
	/* nothing matches: nothing is said */
	dns(T0, "example.com", "NOERROR", "192.0.2.1");
	http(T0, "example.com", "/", NULL);
	assert_int_equal(got, 0);
	assert_int_equal(count(COUNTER_EVENTS), 0);
}

static void
test_dns(void **state)
{
	(void)state;
	give(WATCH_DNS_DOMAINS, "Example.com.");
	dns(T0, "www.EXAMPLE.com", "NOERROR", "192.0.2.1");
	assert_string_equal(last,
	    "{\"v\":1,\"probe\":\"p\",\"ts\":1700000000.123456,\"proto\":\"udp\","
	    "\"src\":\"10.0.0.2\",\"sport\":40000,\"dst\":\"10.0.0.1\",\"dport\":53,"
	    "\"program\":\"watch\",\"text\":\"10.0.0.2 asked for www.EXAMPLE.com A: "
	    "192.0.2.1\",\"set\":\"watch.dns.domains\",\"list\":\"Example.com.\","
	    "\"why\":\"domain\",\"match\":\"www.EXAMPLE.com\",\"client\":\"10.0.0.2\","
	    "\"qname\":\"www.EXAMPLE.com\",\"qtype\":\"A\",\"rcode\":\"NOERROR\","
	    "\"latencyUs\":1234,\"service\":\"dns\",\"response\":\"192.0.2.1\"}");
	dns(T0, "a.example.com", "NXDOMAIN", NULL);
	assert_non_null(strstr(last, "asked for a.example.com A: NXDOMAIN\""));
	dns(T0, "b.example.com", NULL, NULL);
	assert_non_null(strstr(last, "asked for b.example.com A: no answer\""));
	assert_null(strstr(last, "rcode"));
	assert_int_equal(got, 3);
	/* both the client and the name: two */
	give(WATCH_DNS_CLIENTS, "10.0.0.0/24");
	dns(T0, "c.example.com", "NOERROR", NULL);
	assert_int_equal(got, 5);
	dns(T0, NULL, "FORMERR", NULL);
	assert_int_equal(got, 6);
	assert_non_null(strstr(last, "asked for a name that is none: FORMERR\""));
	assert_non_null(strstr(last, "\"list\":\"10.0.0.0/24\",\"why\":\"client\","
				     "\"match\":\"10.0.0.2\",\"client\":\"10.0.0.2\","));
	assert_int_equal(count(COUNTER_WATCH_ALERTS), 6);
}

static void
test_http(void **state)
{
	(void)state;
	give(WATCH_URL, "cdn.example/*.exe");
	http(T0, "CDN.example:80", "/a/setup.exe", "anna");
	assert_int_equal(got, 1);
	assert_non_null(strstr(last, "\"text\":\"anna fetched cdn.example/a/setup.exe\","
				     "\"set\":\"watch.url\",\"list\":\"cdn.example/*.exe\","
				     "\"user\":\"anna\",\"why\":\"url\","
				     "\"match\":\"cdn.example/a/setup.exe\","
				     "\"client\":\"10.0.0.2\","
				     "\"url\":\"cdn.example/a/setup.exe\",\"method\":\"GET\","
				     "\"host\":\"CDN.example:80\",\"status\":200}"));
	http(T0, "cdn.example", "/a/setup.ex", NULL);
	assert_int_equal(got, 1);
	/* without a host it is the server's address */
	give(WATCH_URL, "10.0.0.1");
	http(T0, NULL, "/", NULL);
	assert_non_null(strstr(last, "\"10.0.0.2 fetched 10.0.0.1/\""));
}

static void
test_flow(void **state)
{
	struct flow f = {.key = key_of(6, 443)};

	(void)state;
	give(WATCH_IP, "10.0.0.1");
	assert_true(watcher_finds(watcher, &f));
	watcher_flow(watcher, &f, "anna");
	assert_int_equal(got, 1);
	assert_non_null(strstr(last, "\"set\":\"watch.ip\",\"list\":\"10.0.0.1\","
				     "\"user\":\"anna\",\"why\":\"flow.new\","
				     "\"match\":\"10.0.0.1\",\"host\":\"10.0.0.1\","
				     "\"peer\":\"10.0.0.2\",\"flow\":\"flow.tcp."));
	/* both ends */
	give(WATCH_IP, "10.0.0.0/8");
	watcher_flow(watcher, &f, NULL);
	assert_int_equal(got, 3);
	watcher_flow(watcher, &f, NULL);
	assert_int_equal(got, 3);
	give(WATCH_IP, "10.0.0.3");
	assert_false(watcher_finds(watcher, &f));
}

static void
test_quiet(void **state)
{
	unsigned i;
	char name[32];

	(void)state;
	give(WATCH_DNS_DOMAINS, "example.com");
	dns(T0, "www.example.com", "NOERROR", NULL);
	dns(T0 + 1000000, "www.example.com", "NOERROR", NULL);
	dns(T0 + 9999999, "www.example.com", "NOERROR", NULL);
	dns(T0 - 5000000, "www.example.com", "NOERROR", NULL); /* it was told of late */
	assert_int_equal(got, 1);
	assert_int_equal(count(COUNTER_WATCH_SUPPRESSED), 3);
	dns(T0 + 9999999, "ftp.example.com", "NOERROR", NULL);
	assert_int_equal(got, 2);
	dns(T0 + 10000000, "www.example.com", "NOERROR", NULL);
	assert_int_equal(got, 3);
	/* a flood of names */
	for (i = 0; i < 3 * WATCHER_ALERTS; i++) {
		snprintf(name, sizeof(name), "x%u.example.com", i);
		dns(T0 + 20000000, name, "NOERROR", NULL);
	}
	assert_int_equal(got, 3 + WATCHER_ALERTS);
	assert_int_equal(count(COUNTER_WATCH_SUPPRESSED), 3 + 2 * WATCHER_ALERTS);
	dns(T0 + 21000000, "y.example.com", "NOERROR", NULL);
	assert_int_equal(got, 4 + WATCHER_ALERTS);
	assert_int_equal(count(COUNTER_WATCH_ALERTS), got);
	/* nobody listens: nothing is made, and nothing is counted */
	heard = false;
	dns(T0 + 40000000, "www.example.com", "NOERROR", NULL);
	assert_int_equal(count(COUNTER_WATCH_ALERTS), got);
}

/* What hosts send is hostile. */
static void
test_hostile(void **state)
{
	char name[256];

	(void)state;
	give(WATCH_DNS_DOMAINS, ".");
	dns(T0, "a\n\033[31m\"\\x", "NOERROR", "\r\n");
	assert_int_equal(got, 1);
	assert_null(strchr(last, '\033'));
	assert_null(strchr(last, '\n'));
	assert_non_null(strstr(last, "asked for a ?[31m"));
	memset(name, 'n', 255);
	name[255] = '\0';
	dns(T0, name, "NOERROR", NULL);
	assert_int_equal(got, 2);
	memset(name, '\303', 255);
	dns(T0, name, "NOERROR", NULL);
	assert_int_equal(got, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_http, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_quiet, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
	};
	char err[256];

	if (template_parse(&template, "%PROTOCOL", 9, BIFLOW_NTOP, false, err, sizeof(err)) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
