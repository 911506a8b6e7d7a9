/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_collector.c -- collectors that live, die and come back, on the loopback interface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "collector.h"
#include "export.h"
#include "log.h"
#include "nfreader.h"

#define MS     1000ull
#define SECOND 1000000ull
#define START  (1700000000ull * SECOND)

static struct config config;
static struct counters counters;
static struct event_base *base;
static struct template template;
static char specs[3][64];
static char *spec_list[3];

/* A socket of TYPE bound to a port of ours; PORT 0: any. Returns it, -1: taken. */
static int
bound(int type, uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t len = sizeof(sin);
	int fd, on = 1;

	fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd != -1);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int
set_up(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&counters, 0, sizeof(counters));
	config.version = 9;
	config.sampling = 1;
	config.template = (char *)"%IPV4_SRC_ADDR %L4_SRC_PORT %IN_PKTS %IN_BYTES";
	config.template_id = 257;
	config.queue_s = 5;
	config.template_packets = 20;
	config.template_s = 60;
	config.in_ifindex = config.out_ifindex = -1;
	config.collectors.v = spec_list;
	base = event_base_new();
	return base == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

static void
add_collector(const char *scheme, uint16_t port)
{
	unsigned n = config.collectors.n++;

	snprintf(specs[n], sizeof(specs[n]), "%s127.0.0.1:%u", scheme, port);
	spec_list[n] = specs[n];
}

static struct export *
open_export(void)
{
	static const struct export_port port = {"eth0", 1};
	struct export_setup setup = {.config = &config,
	    .template = &template,
	    .ports = &port,
	    .nports = 1,
	    .base = base,
	    .counters = &counters};
	struct export *e;
	char err[256];

	if (template_parse(&template, config.template, config.version, config.biflow,
		false, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	e = export_new(&setup, err, sizeof(err));
	if (e == NULL)
		fail_msg("%s", err);
	return e;
}

static void
put_flow(struct export *e, uint64_t packets)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.key.ip_version = 4;
	f.key.proto = 17;
	f.key.port[0] = 1000;
	f.packets[0] = packets;
	f.octets[0] = 100;
	f.first_us[0] = f.last_dir_us[0] = START;
	export_flow(e, &f);
}

/* A flow in a message of its own. */
static void
send_one(struct export *e, uint64_t packets)
{
	put_flow(e, packets);
	export_flush(e);
}

/* Everything in the socket now. */
static void
receive(int fd, struct nf_reader *n)
{
	uint8_t buf[2048];
	ssize_t len;

	while ((len = recv(fd, buf, sizeof(buf), 0)) > 0)
		nf_read(n, buf, (size_t)len);
}

static void
run_loop(unsigned ms)
{
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void
test_udp(void **state)
{
	struct nf_reader n = {.sequenced = true};
	struct export *e;
	uint16_t port = 0;
	int i, fd = bound(SOCK_DGRAM, &port);

	(void)state;
	add_collector("", port);
	e = open_export();
	export_clock(e, START);
	receive(fd, &n);
	assert_int_equal(n.templates, 2 + 3);
	assert_int_equal(n.options, 3);
	for (i = 0; i < 45; i++)
		send_one(e, 1);
	receive(fd, &n);
	assert_int_equal(n.flows, 45);
	/* Again before the 21st and the 41st message. */
	assert_int_equal(n.templates, 3 * 5);
	assert_int_equal(counters.v[COUNTER_TEMPLATES_SENT], 3);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], 45);
	assert_int_equal(counters.v[COUNTER_EXPORT_MESSAGES], n.messages);
	assert_int_equal(counters.v[COUNTER_EXPORT_ERRORS], 0);
	assert_int_equal(export_pending(e), 0);
	/* And by the clock. */
	export_clock(e, START + 59 * SECOND);
	receive(fd, &n);
	assert_int_equal(n.templates, 15);
	export_clock(e, START + 60 * SECOND);
	receive(fd, &n);
	assert_int_equal(n.templates, 20);
	export_free(e);
	close(fd);
}

/* A message waits for more, but not for ever. */
static void
test_queue_timeout(void **state)
{
	struct nf_reader n = {.sequenced = true};
	struct export *e;
	uint16_t port = 0;
	int fd = bound(SOCK_DGRAM, &port);

	(void)state;
	add_collector("udp://", port);
	e = open_export();
	export_clock(e, START);
	put_flow(e, 1);
	export_clock(e, START + 3 * SECOND);
	put_flow(e, 1);
	export_clock(e, START + 5 * SECOND - 1);
	receive(fd, &n);
	assert_int_equal(n.flows, 0);
	export_clock(e, START + 5 * SECOND);
	receive(fd, &n);
	assert_int_equal(n.flows, 2);
	export_free(e);
	close(fd);
}

static void
check_spread(bool all)
{
	struct nf_reader n[3];
	struct export *e;
	uint16_t port;
	unsigned i;
	int fd[3];

	config.all_collectors = all;
	config.version = 10;
	config.collectors.n = 0;
	memset(n, 0, sizeof(n));
	for (i = 0; i < 3; i++) {
		port = 0;
		fd[i] = bound(SOCK_DGRAM, &port);
		add_collector("udp://", port);
		n[i].sequenced = true; /* each from 0, without gaps */
	}
	e = open_export();
	export_clock(e, START);
	for (i = 0; i < 30; i++)
		send_one(e, 1);
	for (i = 0; i < 3; i++) {
		receive(fd[i], &n[i]);
		assert_int_equal(n[i].flows, all ? 30 : 10);
		assert_true(n[i].templates >= 5);
		close(fd[i]);
	}
	export_free(e);
}

static void
test_round_robin(void **state)
{
	(void)state;
	check_spread(false);
}

static void
test_all(void **state)
{
	(void)state;
	check_spread(true);
}

/* Packets of the records read, and where the first template stood. */
struct seen {
	uint64_t packets[64];
	unsigned n;
};

static void
see(void *arg, const struct nf_record *r)
{
	struct seen *s = arg;

	if (r->template->nscope == 0 && s->n < 64)
		s->packets[s->n++] = nf_get(r, 0, 2);
}

/*
 * Nobody there, then somebody: everything before is counted as lost, and of what comes
 * after one datagram at most is of no use.
 */
static void
test_udp_dead(void **state)
{
	struct seen seen = {.n = 0};
	struct nf_reader n = {.lossy = true, .record = see, .arg = &seen};
	struct export *e;
	uint16_t port = 0;
	uint64_t lost;
	uint8_t buf[2048];
	ssize_t len;
	unsigned i, early = 0;
	int fd = bound(SOCK_DGRAM, &port);

	(void)state;
	close(fd);
	add_collector("udp://", port);
	e = open_export();
	export_clock(e, START);
	for (i = 1; i <= 20; i++)
		send_one(e, i);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], 0);
	lost = counters.v[COUNTER_EXPORT_LOST];
	assert_int_equal(lost, 20);
	fd = bound(SOCK_DGRAM, &port);
	for (i = 21; i <= 40; i++)
		send_one(e, i);
	export_flush(e);
	/* What came before templates could not be read. */
	while ((len = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (n.ntemplates == 0 && nf_uint(buf + 20, 2) != 0) {
			early++;
			continue;
		}
		nf_read(&n, buf, (size_t)len);
	}
	assert_true(early <= 1);
	assert_int_equal(n.flows + early, 20);
	assert_int_equal(seen.packets[seen.n - 1], 40);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], 20);
	assert_int_equal(counters.v[COUNTER_EXPORT_LOST], lost);
	/* Dies and comes back once more: the gap is what was lost. */
	close(fd);
	for (i = 41; i <= 50; i++)
		send_one(e, i);
	fd = bound(SOCK_DGRAM, &port);
	usleep(1100000);
	for (i = 51; i <= 60; i++)
		send_one(e, i);
	receive(fd, &n);
	/* Gaps in the sequence are what was lost. */
	assert_int_equal(n.messages + early, counters.v[COUNTER_EXPORT_MESSAGES]);
	assert_int_equal(n.sequence,
	    counters.v[COUNTER_EXPORT_MESSAGES] + counters.v[COUNTER_EXPORT_ERRORS]);
	assert_int_equal(seen.packets[seen.n - 1], 60);
	assert_int_equal(counters.v[COUNTER_EXPORT_LOST], lost + 10);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], 30);
	export_report(e);
	export_free(e);
	close(fd);
}

/* While nothing is to be sent, templates knock once a second. */
static void
test_udp_knock(void **state)
{
	struct nf_reader n = {.lossy = true};
	struct export *e;
	uint16_t port = 0;
	int fd = bound(SOCK_DGRAM, &port);

	(void)state;
	close(fd);
	add_collector("udp://", port);
	e = open_export();
	export_clock(e, START);
	send_one(e, 1);
	fd = bound(SOCK_DGRAM, &port);
	export_clock(e, START + SECOND);
	usleep(1100000);
	export_clock(e, START + 2 * SECOND);
	receive(fd, &n);
	assert_in_range(n.templates, 5, 10);
	export_free(e);
	close(fd);
}

/* Reads a connection into BUF until nothing comes for a while. */
static size_t
drain_tcp(int fd, uint8_t *buf, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;
	int idle = 0;

	while (idle < 4 && len < size) {
		run_loop(20);
		if (poll(&p, 1, 0) != 1) {
			idle++;
			continue;
		}
		n = read(fd, buf + len, size - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		idle = 0;
	}
	return len;
}

static int
accept_soon(int server, unsigned ms)
{
	unsigned i;
	int fd;

	for (i = 0; i < ms / 20; i++) {
		run_loop(20);
		fd = accept(server, NULL, NULL);
		if (fd != -1)
			return fd;
	}
	fail_msg("no connection");
	return -1;
}

static void
test_tcp(void **state)
{
	struct nf_reader first = {.sequenced = true}, second = {.sequenced = true};
	uint8_t *buf = malloc(1 << 20);
	struct export *e;
	uint16_t port = 0;
	size_t len;
	unsigned i;
	int fd, server = bound(SOCK_STREAM, &port);

	(void)state;
	assert_non_null(buf);
	config.version = 10;
	add_collector("tcp://", port);
	e = open_export();
	/* Before the connection stands, messages wait. */
	export_clock(e, START);
	for (i = 0; i < 30; i++)
		send_one(e, 1);
	assert_true(export_pending(e) > 0);
	fd = accept_soon(server, 1000);
	len = drain_tcp(fd, buf, 1 << 20);
	nf_read_all(&first, buf, len);
	assert_int_equal(first.flows, 30);
	assert_int_equal(first.templates, 5); /* once, however many messages */
	assert_int_equal(export_pending(e), 0);
	/* The timer brings statistics, no templates. */
	export_clock(e, START + 61 * SECOND);
	len = drain_tcp(fd, buf, 1 << 20);
	nf_read_all(&first, buf, len);
	assert_int_equal(first.templates, 5);
	assert_int_equal(first.options, 4);
	/* It breaks: what follows is for the next session. */
	close(fd);
	run_loop(50);
	for (i = 0; i < 20; i++)
		send_one(e, 2);
	assert_true(export_pending(e) > 0);
	fd = accept_soon(server, 2000);
	len = drain_tcp(fd, buf, 1 << 20);
	nf_read_all(&second, buf, len);
	assert_int_equal(second.flows, 20);
	assert_int_equal(second.templates, 5);
	assert_int_equal(counters.v[COUNTER_COLLECTOR_CONNECTS], 2);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], 50);
	assert_int_equal(counters.v[COUNTER_EXPORT_LOST], 0);
	export_free(e);
	close(fd);
	close(server);
	free(buf);
}

/* A collector that is not there costs 4 MB, then newest messages are dropped. */
static void
test_tcp_full(void **state)
{
	struct nf_reader n = {.sequenced = true};
	uint8_t *buf = malloc(8 << 20);
	struct export *e;
	uint16_t port = 0;
	size_t len;
	unsigned i, sent = 200000;
	int fd, server = bound(SOCK_STREAM, &port);

	(void)state;
	assert_non_null(buf);
	close(server);
	config.version = 10;
	config.queue_s = 3600;
	add_collector("tcp://", port);
	e = open_export();
	export_clock(e, START);
	run_loop(20);
	for (i = 0; i < sent; i++)
		put_flow(e, 1);
	run_loop(20);
	for (i = 0; i < sent; i++)
		put_flow(e, 1);
	export_flush(e);
	assert_in_range(export_pending(e), COLLECTOR_QUEUE - 1420, COLLECTOR_QUEUE);
	assert_true(counters.v[COUNTER_EXPORT_LOST] > 0);
	server = bound(SOCK_STREAM, &port);
	fd = accept_soon(server, 3000);
	len = drain_tcp(fd, buf, 8 << 20);
	nf_read_all(&n, buf, len);
	assert_int_equal(export_pending(e), 0);
	assert_int_equal(n.flows + counters.v[COUNTER_EXPORT_LOST], 2 * sent);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], n.flows);
	export_free(e);
	close(fd);
	close(server);
	free(buf);
}

/* What is still queued at the end is lost, and counted. */
static void
test_tcp_never(void **state)
{
	struct export *e;
	uint16_t port = 0;
	int server = bound(SOCK_STREAM, &port);

	(void)state;
	close(server);
	config.version = 10;
	add_collector("tcp://", port);
	e = open_export();
	export_clock(e, START);
	send_one(e, 1);
	send_one(e, 1);
	run_loop(300);
	export_end(e);
	assert_int_equal(export_pending(e), 0);
	run_loop(300);
	assert_int_equal(counters.v[COUNTER_EXPORT_LOST], 2);
	export_free(e);
	assert_int_equal(counters.v[COUNTER_EXPORT_LOST], 2);
	assert_int_equal(counters.v[COUNTER_EXPORT_ERRORS], 2);
	assert_int_equal(counters.v[COUNTER_EXPORT_RECORDS], 0);
}

static void
no_want(void *arg, struct collector *c, unsigned what)
{
	(void)arg;
	(void)c;
	(void)what;
}

static struct collector *
try_spec(const char *spec, char *err)
{
	struct collector_setup setup = {
		.spec = spec, .base = base, .counters = &counters, .want = no_want};

	err[0] = '\0';
	return collector_new(&setup, err, 256);
}

static void
test_specs(void **state)
{
	static const char *const good[] = {"127.0.0.1", "127.0.0.1:9995",
	    "udp://127.0.0.1:9995", "tcp://127.0.0.1:9995", "[::1]:4739", "[::1]",
	    "::1", "udp://[::1]:4739", "localhost:2055"};
	static const char *const bad[] = {"", ":2055", "127.0.0.1:", "127.0.0.1:0",
	    "127.0.0.1:65536", "127.0.0.1:20x5", "[::1", "[::1]x", "[]:2055",
	    "tls://127.0.0.1:1", "127.0.0.1:no-such-service",
	    "no.such.host.invalid:2055"};
	struct collector *c;
	char err[256];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		c = try_spec(good[i], err);
		if (c == NULL)
			fail_msg("%s: %s", good[i], err);
		assert_string_equal(collector_spec(c), good[i]);
		collector_free(c);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c = try_spec(bad[i], err);
		if (c != NULL)
			fail_msg("%s was taken", bad[i]);
		assert_true(err[0] != '\0');
	}
	c = try_spec("127.0.0.1:9995", err);
	assert_memory_equal(collector_local(c, 4), "\x7f\0\0\1", 4);
	assert_null(collector_local(c, 6));
	collector_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_udp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queue_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_round_robin, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udp_dead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udp_knock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tcp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tcp_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tcp_never, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_specs, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
