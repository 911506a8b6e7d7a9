/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_rig.h -- a real server on a free port, with a few commands of its own in place
 * of the probe's, and clients that speak to it through sockets in the same loop.
 * Nothing here measures time; DEADLINE_S only ends what would wait for ever.
 */
#ifndef MCPROBE_SERVER_RIG_H
#define MCPROBE_SERVER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "command.h"
#include "config.h"
#include "log.h"
#include "server_int.h"

#define DEADLINE_S 20
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

struct commands {
	struct server *server;
	struct client *waiting;
	unsigned gone;
	unsigned run;	     /* all commands so far */
	unsigned run_before; /* when MARK ran */
	unsigned interest;
};

static struct event_base *base;
static struct counters counters;
static struct commands commands;
static struct server *server;

/* --- commands --- */

static bool
word_is(const struct resp_arg *a, const char *word)
{
	return a->len == strlen(word) && strncasecmp(a->p, word, a->len) == 0;
}

static unsigned
number(const struct resp_arg *a)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < a->len; i++)
		n = n * 10 + (unsigned)(a->p[i] - '0');
	return n;
}

static void
rig_gone(void *arg)
{
	struct commands *c = arg;

	c->gone++;
	c->waiting = NULL;
}

static void
rig_types(struct client *c)
{
	reply_array(c, 12);
	reply_simple(c, "simple");
	reply_int(c, -5);
	reply_nil(c);
	reply_nil_array(c);
	reply_bulk(c, "a\0b", 3);
	reply_bulk_number(c, INT64_MIN);
	reply_verbatim(c, "text", 4);
	reply_score(c, 7);
	reply_map(c, 1);
	reply_bulk_text(c, "k");
	reply_bulk_text(c, "v");
	reply_set(c, 0);
	reply_error(c, "WRONG a\r\nb %d", 3);
	reply_array_open(c);
	reply_int(c, 1);
	reply_bulk(c, "", 0);
	reply_array_close(c, 2);
}

static void
rig_big(struct client *c, unsigned n)
{
	char *p = calloc(1, n + 1);

	assert_non_null(p);
	memset(p, 'x', n);
	reply_bulk(c, p, n);
	free(p);
}

static void
rig_list(struct server *s, struct client *c)
{
	struct client *other;
	char line[512];
	unsigned n = 0;

	reply_array_open(c);
	for (other = client_find(s, 1, true); other != NULL;
	     other = client_find(s, client_id(other) + 1, true)) {
		reply_bulk(c, line, client_line(other, line, sizeof(line)));
		n++;
	}
	reply_array_close(c, n);
}

static void
rig_kill(struct commands *cs, struct client *c, const struct resp_arg *a)
{
	struct client *victim = client_find(cs->server, number(a), false);

	if (victim != NULL)
		client_kill(victim);
	reply_int(c, victim != NULL);
}

/* Subscribing and the like. False: it is something else. */
static bool
rig_pubsub(struct commands *cs, struct client *c, const struct resp_arg *a, unsigned n)
{
	bool pattern = a[0].len > 0 && (a[0].p[0] | 0x20) == 'p';
	unsigned i;

	if (word_is(a, "subscribe") || word_is(a, "psubscribe")) {
		for (i = 1; i < n; i++)
			if (!client_subscribe(c, a[i].p, a[i].len, pattern))
				reply_error(c, "ERR refused");
	} else if (word_is(a, "unsubscribe") || word_is(a, "punsubscribe")) {
		for (i = 1; i < n; i++)
			client_unsubscribe(c, a[i].p, a[i].len, pattern);
		if (n == 1)
			client_unsubscribe(c, NULL, 0, pattern);
	} else if (word_is(a, "publish")) {
		reply_int(c, server_publish(cs->server, a[1].p, a[1].len, a[2].p, a[2].len));
	} else if (word_is(a, "monitor")) {
		client_set_monitor(c);
		reply_ok(c);
	} else {
		return false;
	}
	return true;
}

static bool
rig_state(struct client *c, const struct resp_arg *a, unsigned n)
{
	if (word_is(a, "hello")) {
		client_set_proto(c, number(&a[1]));
		reply_ok(c);
	} else if (word_is(a, "auth")) {
		if (client_authenticate(c, n > 2 ? a[1].p : NULL, n > 2 ? a[1].len : 0,
			a[n - 1].p, a[n - 1].len))
			reply_ok(c);
		else
			reply_error(c, "WRONGPASS");
	} else if (word_is(a, "reply")) {
		client_set_replies(c,
		    word_is(&a[1], "on")	? CLIENT_REPLY_ON
			: word_is(&a[1], "off") ? CLIENT_REPLY_OFF
						: CLIENT_REPLY_SKIP);
		if (word_is(&a[1], "on"))
			reply_ok(c);
	} else if (word_is(a, "setname")) {
		reply_int(c, client_set_name(c, a[1].p, a[1].len));
	} else if (word_is(a, "reset")) {
		client_reset(c);
		reply_simple(c, "RESET");
	} else if (word_is(a, "quit")) {
		reply_ok(c);
		client_close(c);
	} else {
		return false;
	}
	return true;
}

/* MULTI, ADD word..., EXEC: what was kept comes back. */
static bool
rig_multi(struct client *c, const struct resp_arg *a, unsigned n)
{
	const struct resp_arg *q;
	unsigned i, j;

	if (word_is(a, "multi")) {
		client_multi(c);
		reply_ok(c);
	} else if (word_is(a, "add")) {
		if (client_multi_add(c, a + 1, n - 1)) {
			reply_simple(c, "QUEUED");
		} else {
			client_multi_spoil(c);
			reply_error(c, "ERR full");
		}
	} else if (word_is(a, "exec")) {
		reply_int(c, client_multi_spoiled(c));
		reply_array(c, client_multi_count(c));
		for (i = 0; i < client_multi_count(c); i++) {
			q = client_multi_at(c, i, &n);
			reply_array(c, n);
			for (j = 0; j < n; j++)
				reply_bulk(c, q[j].p, q[j].len);
		}
		client_multi_end(c);
	} else {
		return false;
	}
	return true;
}

void
command_run(struct commands *cs, struct client *c, const struct resp_arg *a, unsigned n)
{
	cs->run++;
	server_monitor(cs->server, c, a, n);
	if (rig_pubsub(cs, c, a, n) || rig_state(c, a, n) || rig_multi(c, a, n))
		return;
	if (word_is(a, "ping")) {
		reply_simple(c, "PONG");
	} else if (word_is(a, "echo") && n > 1) {
		reply_bulk(c, a[n - 1].p, a[n - 1].len);
	} else if (word_is(a, "count")) {
		reply_int(c, n);
	} else if (word_is(a, "types")) {
		rig_types(c);
	} else if (word_is(a, "big")) {
		rig_big(c, number(&a[1]));
	} else if (word_is(a, "id")) {
		reply_int(c, (int64_t)client_id(c));
	} else if (word_is(a, "list")) {
		rig_list(cs->server, c);
	} else if (word_is(a, "kill")) {
		rig_kill(cs, c, &a[1]);
	} else if (word_is(a, "wait")) {
		cs->waiting = c;
		client_wait(c, rig_gone, cs);
	} else if (word_is(a, "brief")) { /* done before it has returned */
		client_wait(c, rig_gone, cs);
		reply_ok(c);
		client_done(c);
	} else if (word_is(a, "mark")) {
		cs->run_before = cs->run;
		reply_ok(c);
	} else {
		reply_error(c, "ERR unknown command");
	}
}

/* --- the server --- */

static struct server *
open_server(const char *address, const char *password, bool optional, char *err)
{
	char *list[] = {(char *)(uintptr_t)address};
	struct strlist listen = {list, 1};
	struct server_setup setup = {.base = base,
	    .listen = &listen,
	    .optional = optional,
	    .password = password,
	    .counters = &counters,
	    .commands = &commands};
	struct server *s = server_new(&setup, err, 256);

	commands.server = s;
	return s;
}

static void
start_at(const char *address, const char *password)
{
	char err[256] = "";

	server = open_server(address, password, false, err);
	if (server == NULL)
		fail_msg("%s", err);
}

static void
start(void)
{
	start_at("127.0.0.1:0", NULL);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_open(false, LOG_LEVEL_ERROR);
	memset(&counters, 0, sizeof(counters));
	memset(&commands, 0, sizeof(commands));
	base = event_base_new();
	server = NULL;
	return base == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	server_free(server);
	event_base_free(base);
	return 0;
}

static void
pump(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Until CONDITION holds. */
#define WAIT_FOR(condition)                                         \
	do {                                                        \
		time_t until = time(NULL) + DEADLINE_S;             \
		while (!(condition)) {                              \
			if (time(NULL) > until)                     \
				fail_msg("no %s in %d s", #condition, \
				    DEADLINE_S);                    \
			pump();                                     \
			usleep(200);                                \
		}                                                   \
	} while (0)

/* --- a client --- */

static int
dial_at(const char *host, unsigned port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd != -1);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	assert_int_equal(inet_pton(AF_INET, host, &sin.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static int
dial(void)
{
	return dial_at("127.0.0.1", server_port(server));
}

static void
say_bytes(int fd, const char *p, size_t n)
{
	time_t until = time(NULL) + DEADLINE_S;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return; /* it was cut off */
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
		pump();
		assert_true(time(NULL) <= until);
	}
}

static void
say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

/* N bytes, or fewer if the connection ends before; how many. */
static size_t
hear_bytes(int fd, char *to, size_t n)
{
	time_t until = time(NULL) + DEADLINE_S;
	size_t have = 0;

	while (have < n) {
		ssize_t got = recv(fd, to + have, n - have, 0);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		if (got > 0) {
			have += (size_t)got;
			continue;
		}
		if (time(NULL) > until)
			break;
		pump();
	}
	return have;
}

/* Exactly this comes. */
static void
hear(int fd, const char *want)
{
	size_t len = strlen(want), n;
	char *got = calloc(1, len + 1);

	assert_non_null(got);
	n = hear_bytes(fd, got, len);
	if (n != len || memcmp(got, want, len) != 0)
		fail_msg("heard \"%s\", not \"%s\"", got, want);
	free(got);
}

static void
hear_end(int fd)
{
	char byte = '\0';

	assert_int_equal(hear_bytes(fd, &byte, 1), 0);
	assert_true(recv(fd, &byte, 1, 0) == 0 || errno != EAGAIN);
	close(fd);
}

/* A round: whatever was to come before has come. */
static void
ping(int fd)
{
	say(fd, "PING\r\n");
	hear(fd, "+PONG\r\n");
}

static uint64_t
counted(enum counter id)
{
	return counter_get(&counters, id);
}

#endif
