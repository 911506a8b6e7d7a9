/* SPDX-License-Identifier: BSD-3-Clause */
/* t_event.c -- who gets which event, the text of events, and the file they go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "event.h"
#include "field.h"
#include "template.h"

#define T0   UINT64_C(1700000000123456)
#define KEPT 65536

/* A receiver that notes what it gets. */
struct listener {
	const char *wants; /* a channel, or NULL: all of them */
	unsigned asked, got;
	char channel[64];
	char last[KEPT];
	size_t len;
};

static struct config config;
static struct counters counters;
static struct template template;
static struct field_context ctx = {.config = &config, .boot_us = T0, .export_us = T0};
static char *names[8];
static char path[64];
static struct events *event;
static struct listener node, client;

static bool
on_wanted(void *arg, const char *channel)
{
	struct listener *l = arg;

	l->asked++;
	return l->wants == NULL || strcmp(l->wants, channel) == 0;
}

static void
on_publish(void *arg, const char *channel, size_t clen, const void *msg, size_t len)
{
	struct listener *l = arg;

	l->got++;
	snprintf(l->channel, sizeof(l->channel), "%.*s", (int)clen, channel);
	l->len = len < KEPT - 1 ? len : KEPT - 1;
	memcpy(l->last, msg, l->len);
	l->last[l->len] = '\0';
}

static int
set_up(void **state)
{
	char err[256];

	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&counters, 0, sizeof(counters));
	memset(&node, 0, sizeof(node));
	memset(&client, 0, sizeof(client));
	config.probe_id = (char *)"probe-1";
	config.sampling = 1;
	config.in_ifindex = config.out_ifindex = -1;
	config.publish.v = names;
	strcpy(path, "/tmp/t_event.XXXXXX");
	close(mkstemp(path));
	return template_parse(&template,
	    "%PROTOCOL %IN_BYTES %OUT_BYTES %FLOW_END_REASON", 9, BIFLOW_NTOP, false,
	    err, sizeof(err));
}

static int
tear_down(void **state)
{
	(void)state;
	events_free(event);
	event = NULL;
	unlink(path);
	return 0;
}

/* --publish: up to two names. */
static void
publish(const char *a, const char *b)
{
	names[0] = (char *)a;
	names[1] = (char *)b;
	config.publish.n = (a != NULL) + (b != NULL);
}

static void
open_event(const char *file)
{
	struct event_setup setup = {&config, &template, &ctx, &counters};
	char err[256] = "";

	config.events = (char *)file;
	event = events_new(&setup, err, sizeof(err));
	if (event == NULL)
		fail_msg("%s", err);
}

/* A node and a client that want everything. */
static void
add_sinks(void)
{
	struct event_sink to_node = {NULL, on_publish, &node};
	struct event_sink to_client = {on_wanted, on_publish, &client};

	events_add_sink(event, &to_node, true);
	events_add_sink(event, &to_client, false);
}

/* What the file holds, to be freed. */
static char *
contents(void)
{
	struct stat st;
	char *text;
	int fd = open(path, O_RDONLY);

	assert_true(fd != -1);
	assert_int_equal(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	return text;
}

static void
check_file(const char *want)
{
	char *text = contents();

	assert_string_equal(text, want);
	free(text);
}

/* From 10.0.0.9 port 40000, who is endpoint 0, to 10.0.0.10 port 443. */
static void
make_flow(struct flow *f, uint8_t proto)
{
	memset(f, 0, sizeof(*f));
	f->key.ip_version = 4;
	f->key.proto = proto;
	f->key.port[0] = 40000;
	f->key.port[1] = 443;
	for (unsigned i = 0; i < 2; i++) {
		memcpy(f->key.addr[i] + 10, "\xff\xff\x0a\0\0", 5);
		f->key.addr[i][15] = (uint8_t)(9 + i);
		f->packets[i] = 1;
		f->octets[i] = 60 + i;
		f->first_us[i] = T0 + i * 2500;
		f->last_dir_us[i] = T0 + i * 2500;
	}
	f->end = FLOW_END_DETECTED;
}

static bool
named(const char *a, const char *b, const char *channel)
{
	const char *list[] = {a, b};

	return events_named(list, b != NULL ? 2 : 1, channel, strlen(channel));
}

static void
test_named(void **state)
{
	(void)state;
	assert_true(named("flow", NULL, "flow.new"));
	assert_true(named("flow", NULL, "flow"));
	assert_true(named("flow.new", NULL, "flow.new"));
	assert_true(named("alert.net", NULL, "alert.net.scan"));
	assert_true(named("dns", "user", "user.login"));
	assert_true(named("all", NULL, "whatever"));
	assert_false(named("flow.new", NULL, "flow.end"));
	assert_false(named("flow", NULL, "flows"));
	assert_false(named("flow", NULL, "flo"));
	assert_false(named("flow.new", NULL, "flow"));
	assert_false(named("flow", NULL, "Flow.new"));
	assert_false(named("none", NULL, "flow.new"));
	assert_false(named("", NULL, ".x"));
	assert_false(events_named(NULL, 0, "dns", 3));
	/* Only LEN bytes are the channel. */
	assert_false(events_named((const char *const[]){"dns"}, 1, "dns", 2));
	assert_true(events_named((const char *const[]){"dns"}, 1, "dnsx", 3));
}

/* Nobody wants anything: no bit; then by the file, nodes and clients. */
static void
test_wanted(void **state)
{
	struct event_sink to_node = {NULL, on_publish, &node};
	struct event_sink to_client = {on_wanted, on_publish, &client};

	(void)state;
	publish("user", "alert.warning");
	open_event(NULL);
	for (unsigned i = 0; i < EVENT_KINDS; i++)
		assert_false(events_wanted(event, (enum event_kind)i));
	events_add_sink(event, &to_node, true);
	assert_true(events_wanted(event, EVENT_USER_LOGIN));
	assert_true(events_wanted(event, EVENT_USER_LOGOUT));
	assert_true(events_wanted(event, EVENT_ALERT));
	assert_false(events_wanted(event, EVENT_DNS));
	assert_false(events_wanted(event, EVENT_FLOW_NEW));
	client.wants = "flow.end";
	events_add_sink(event, &to_client, false);
	assert_true(events_wanted(event, EVENT_FLOW_END));
	assert_false(events_wanted(event, EVENT_FLOW_NEW));
	client.wants = "dns";
	events_refresh(event);
	assert_true(events_wanted(event, EVENT_DNS));
	assert_false(events_wanted(event, EVENT_FLOW_END));
	assert_true(events_wanted(event, EVENT_USER_LOGIN));
	events_free(event);

	publish("flow.new", NULL);
	open_event(path);
	assert_true(events_wanted(event, EVENT_FLOW_NEW));
	assert_false(events_wanted(event, EVENT_FLOW_END));
	assert_false(events_wanted(event, EVENT_ALERT));
}

static void
test_flow(void **state)
{
	static const char want[] =
	    "{\"v\":1,\"probe\":\"probe-1\",\"ts\":1700000000.123456,\"proto\":\"tcp\","
	    "\"src\":\"10.0.0.9\",\"sport\":40000,\"dst\":\"10.0.0.10\",\"dport\":443,"
	    "\"flow\":\"flow.tcp.10.0.0.9.40000-10.0.0.10.443\",\"PROTOCOL\":6,"
	    "\"IN_BYTES\":60,\"OUT_BYTES\":61,\"FLOW_END_REASON\":3}";
	struct flow f;
	char line[1024];

	(void)state;
	publish("flow.end", NULL);
	open_event(path);
	add_sinks();
	client.wants = "flow.end";
	events_refresh(event);
	make_flow(&f, 6);
	events_flow(event, EVENT_FLOW_NEW, &f);
	assert_int_equal(node.got + client.got, 0);
	events_flow(event, EVENT_FLOW_END, &f);
	assert_int_equal(node.got, 1);
	assert_int_equal(client.got, 1);
	assert_string_equal(node.channel, "flow.end");
	assert_string_equal(node.last, want);
	assert_string_equal(client.last, want);
	assert_int_equal(counters.v[COUNTER_EVENTS], 1);
	events_flush(event);
	snprintf(line, sizeof(line), "{\"channel\":\"flow.end\",\"data\":%s}\n", want);
	check_file(line);
}

/* The client is endpoint 1, on a VLAN, without ports; then without addresses. */
static void
test_flow_otherwise(void **state)
{
	struct flow f;

	(void)state;
	publish("flow", NULL);
	open_event(NULL);
	add_sinks();
	make_flow(&f, 1);
	f.flags = FLOW_CLIENT_IS_1;
	f.key.vlan = 7;
	events_flow(event, EVENT_FLOW_NEW, &f);
	assert_string_equal(node.channel, "flow.new");
	assert_non_null(strstr(node.last,
	    "\"proto\":\"icmp\",\"src\":\"10.0.0.10\",\"dst\":\"10.0.0.9\",\"vlan\":7,"
	    "\"flow\":"));
	assert_non_null(strstr(node.last, "\"IN_BYTES\":61,\"OUT_BYTES\":60"));
	make_flow(&f, 17);
	memset(f.key.addr, 0, sizeof(f.key.addr));
	memset(f.key.port, 0, sizeof(f.key.port));
	events_flow(event, EVENT_FLOW_NEW, &f);
	assert_non_null(strstr(node.last, "\"proto\":\"udp\",\"flow\":"));
}

static void
test_begin(void **state)
{
	struct flow f;
	struct json *j;

	(void)state;
	publish("user", "alert.high");
	open_event(NULL);
	add_sinks();
	client.wants = "alert.low";
	events_refresh(event);
	make_flow(&f, 17);
	j = events_begin(event, 1000001, &f.key, 1);
	json_string(j, "user", "a\"b", 3);
	json_raw(j, "seconds", "null", 4);
	events_end(event, EVENT_USER_LOGOUT, NULL);
	assert_string_equal(node.channel, "user.logout");
	assert_string_equal(node.last,
	    "{\"v\":1,\"probe\":\"probe-1\",\"ts\":1.000001,\"proto\":\"udp\","
	    "\"src\":\"10.0.0.10\",\"sport\":443,\"dst\":\"10.0.0.9\",\"dport\":40000,"
	    "\"user\":\"a\\\"b\",\"seconds\":null}");
	assert_int_equal(client.got, 0);

	/* A channel of its own goes to who asks for it. */
	events_begin(event, 5, NULL, 0);
	events_end(event, EVENT_ALERT, "alert.low");
	assert_int_equal(node.got, 1);
	assert_int_equal(client.got, 1);
	assert_string_equal(client.channel, "alert.low");
	assert_string_equal(client.last,
	    "{\"v\":1,\"probe\":\"probe-1\",\"ts\":0.000005}");
	events_begin(event, 5, NULL, 0);
	events_end(event, EVENT_ALERT, "alert.high");
	assert_int_equal(node.got, 2);
	assert_int_equal(client.got, 1);
	assert_int_equal(counters.v[COUNTER_EVENTS], 3);
	events_begin(event, 5, NULL, 0);
	events_end(event, EVENT_ALERT, "alert.none");
	assert_int_equal(counters.v[COUNTER_EVENTS], 3);
}

static void
relay(const char *channel, const char *msg)
{
	events_relay(event, channel, strlen(channel), msg, strlen(msg));
}

/* Whatever a client says, a line stays a line and JSON. */
static void
test_relay(void **state)
{
	char deep[100];

	(void)state;
	publish("alert", "x");
	open_event(path);
	add_sinks();
	relay("alert.high", "{\"a\":\r\n [1,\n2]}");
	assert_int_equal(node.got, 1);
	assert_string_equal(node.channel, "alert.high");
	assert_string_equal(node.last, "{\"a\":\r\n [1,\n2]}");
	assert_int_equal(client.got, 0); /* it came from there */
	relay("alert", "not \"JSON\"\n}");
	relay("x.\"\n", "1");
	relay("x", "");
	events_relay(event, "x", 1, "\"\0\xff\"", 4);
	memset(deep, '[', sizeof(deep));
	events_relay(event, "x", 1, deep, 3);
	relay("other", "1");
	assert_int_equal(node.got, 6);
	assert_int_equal(counters.v[COUNTER_EVENTS], 6);
	events_flush(event);
	check_file("{\"channel\":\"alert.high\",\"data\":{\"a\":   [1, 2]}}\n"
		   "{\"channel\":\"alert\",\"data\":\"not \\\"JSON\\\"\\n}\"}\n"
		   "{\"channel\":\"x.\\\"\\n\",\"data\":1}\n"
		   "{\"channel\":\"x\",\"data\":\"\"}\n"
		   "{\"channel\":\"x\",\"data\":\"\\\"\\u0000\xef\xbf\xbd\\\"\"}\n"
		   "{\"channel\":\"x\",\"data\":\"[[[\"}\n");
	assert_int_equal(counters.v[COUNTER_EVENTS_LOST], 0);
}

/* What is too long is counted; what is just not goes, and its memory with it. */
static void
test_relay_long(void **state)
{
	size_t len = 1 << 20;
	static const char frame[] = "{\"channel\":\"x\",\"data\":\"\"}\n";
	char *msg = malloc(len), *text;

	(void)state;
	assert_non_null(msg);
	memset(msg, 1, len);
	publish("x", NULL);
	open_event(path);
	events_relay(event, "x", 1, msg, len);
	assert_int_equal(counters.v[COUNTER_EVENTS_LOST], 1);
	assert_int_equal(counters.v[COUNTER_EVENTS], 0);
	events_relay(event, "x", 1, msg, len - 1);
	text = contents(); /* written at once: longer than a piece */
	assert_int_equal(strlen(text), 6 * (len - 1) + strlen(frame));
	assert_int_equal(counters.v[COUNTER_EVENTS], 1);
	free(text);
	free(msg);
}

/* Many events are written before anybody says so; the last ones when it ends. */
static void
test_pieces(void **state)
{
	static const char line[] = "{\"channel\":\"x\",\"data\":\"0123456789\"}\n";
	char *text, *p;
	unsigned lines = 0;

	(void)state;
	publish("x", NULL);
	open_event(path);
	for (unsigned i = 0; i < 5000; i++)
		relay("x", "\"0123456789\"");
	text = contents();
	assert_true(strlen(text) > 65536);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
	events_free(event);
	event = NULL;
	text = contents();
	for (p = text; *p != '\0'; p = strchr(p, '\n') + 1, lines++)
		assert_memory_equal(p, line, strlen(line));
	assert_int_equal(lines, 5000);
	free(text);
}

/* No room: counted, nothing torn, and it goes on when there is room again. */
static void
test_full(void **state)
{
	struct rlimit old, small;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	publish("x", NULL);
	open_event(path);
	relay("x", "1");
	events_flush(event);
	small = old;
	small.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	relay("x", "2");
	relay("x", "3");
	events_flush(event);
	relay("x", "4");
	events_flush(event);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(counters.v[COUNTER_EVENTS_LOST], 3);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 0);
	relay("x", "5");
	events_flush(event);
	events_flush(event);
	check_file("{\"channel\":\"x\",\"data\":1}\n{\"channel\":\"x\",\"data\":5}\n");
	assert_int_equal(counters.v[COUNTER_EVENTS_LOST], 3);
}

static void
test_reopen(void **state)
{
	char moved[80], *text;

	(void)state;
	publish("x", NULL);
	open_event(path);
	relay("x", "1");
	snprintf(moved, sizeof(moved), "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	events_reopen(event);
	relay("x", "2");
	events_flush(event);
	check_file("{\"channel\":\"x\",\"data\":2}\n");
	events_chown(event, getuid(), getgid());
	assert_int_equal(rename(moved, path), 0);
	text = contents();
	assert_string_equal(text, "{\"channel\":\"x\",\"data\":1}\n");
	free(text);
	/* Reopening keeps what is there. */
	events_reopen(event);
	relay("x", "3");
	events_flush(event);
	check_file("{\"channel\":\"x\",\"data\":1}\n{\"channel\":\"x\",\"data\":3}\n");
}

static void
test_standard_output(void **state)
{
	int saved = dup(STDOUT_FILENO), fd = open(path, O_WRONLY);

	(void)state;
	assert_true(saved != -1 && fd != -1);
	fflush(stdout);
	publish("x", NULL);
	open_event("-");
	dup2(fd, STDOUT_FILENO);
	relay("x", "1");
	events_reopen(event);
	events_free(event);
	event = NULL;
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	check_file("{\"channel\":\"x\",\"data\":1}\n");
}

static void
test_no_file(void **state)
{
	struct event_setup setup = {&config, &template, &ctx, &counters};
	char err[256] = "";

	(void)state;
	config.events = (char *)"/nowhere/at/all";
	assert_null(events_new(&setup, err, sizeof(err)));
	assert_string_equal(err, "/nowhere/at/all: No such file or directory");
	publish("x", NULL);
	open_event(NULL);
	relay("x", "1");
	events_flush(event);
	events_reopen(event);
	events_chown(event, 0, 0);
	assert_int_equal(counters.v[COUNTER_EVENTS], 0);
	assert_int_equal(counters.v[COUNTER_EVENTS_LOST], 0);
	events_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_named),
		TEST(test_wanted),
		TEST(test_flow),
		TEST(test_flow_otherwise),
		TEST(test_begin),
		TEST(test_relay),
		TEST(test_relay_long),
		TEST(test_pieces),
		TEST(test_full),
		TEST(test_reopen),
		TEST(test_standard_output),
		TEST(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
