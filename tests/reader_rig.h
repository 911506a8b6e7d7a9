/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader_rig.h -- two Redis servers on the loopback interface, and a reader to ask them
 * with. They are made once for all tests of a program and emptied for each.
 */
#ifndef READER_RIG_H
#define READER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "clock.h"
#include "config.h"
#include "reader_int.h"

#define PATIENCE_MS 10000 /* for what happens sooner */
#define SKIPPED	    77	  /* automake's */

struct server {
	pid_t pid;
	unsigned port;
	char socket[96];
	redisContext *c;
};

/* What a question got. */
struct got {
	unsigned n;
	struct reader_answer a;
};

static char dir[32];
static struct server servers[2];
static struct config config;
static struct redis_address address[2];
static struct counters counters;
static struct event_base *base;
static struct event *ticker;
static unsigned ticks;
static struct reader *reader;
static struct got got[4];

static inline uint64_t
ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

/*
 * Servers
 */
static inline unsigned
free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static inline void
exec_server(const struct server *s)
{
	char port[8];
	int fd = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	snprintf(port, sizeof(port), "%u", s->port);
	execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1",
	    "--unixsocket", s->socket, "--dir", dir, "--save", "", "--appendonly", "no",
	    (char *)NULL);
	_exit(127);
}

static inline void
stop_server(struct server *s)
{
	if (s->c != NULL)
		redisFree(s->c);
	s->c = NULL;
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

/* Start S at its port. 0, or -1: it does not answer. */
static inline int
start_server(struct server *s)
{
	uint64_t end = ms() + PATIENCE_MS;
	redisReply *r;

	snprintf(s->socket, sizeof(s->socket), "%s/%u", dir, s->port);
	s->pid = fork();
	if (s->pid == 0)
		exec_server(s);
	while (s->pid > 0 && ms() < end && waitpid(s->pid, NULL, WNOHANG) == 0) {
		s->c = redisConnectUnix(s->socket);
		if (s->c != NULL && s->c->err == 0) {
			r = redisCommand(s->c, "PING");
			if (r != NULL && r->type == REDIS_REPLY_STATUS) {
				freeReplyObject(r);
				return 0;
			}
			freeReplyObject(r);
		}
		if (s->c != NULL)
			redisFree(s->c);
		s->c = NULL;
		usleep(5000);
	}
	return -1;
}

/* Somebody may take the port before the server does. */
static inline int
start_anywhere(struct server *s)
{
	for (unsigned i = 0; i < 5; i++) {
		s->port = free_port();
		if (start_server(s) == 0)
			return 0;
		stop_server(s);
	}
	return -1;
}

/* Tell server S something; an error fails the test. */
static inline void
tell(unsigned s, const char *format, ...)
{
	va_list ap;
	redisReply *r;

	va_start(ap, format);
	r = redisvCommand(servers[s].c, format, ap);
	va_end(ap);
	assert_non_null(r);
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", format, r->str);
	freeReplyObject(r);
}

/* How often server S was sent COMMAND since the test began. */
static inline unsigned
calls(unsigned s, const char *command)
{
	redisReply *r = redisCommand(servers[s].c, "INFO commandstats");
	char row[32], *p;
	unsigned n;

	assert_non_null(r);
	snprintf(row, sizeof(row), "cmdstat_%s:calls=", command);
	p = strstr(r->str, row);
	n = p != NULL ? (unsigned)atoi(p + strlen(row)) : 0;
	freeReplyObject(r);
	return n;
}

/*
 * Questions
 */
static inline void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	ticks++;
}

static inline void
on_answer(void *arg, const struct reader_answer *a)
{
	struct got *g = arg;

	g->n++;
	g->a = *a;
}

/* Keys that begin with "b" are on the second node. */
static inline unsigned
node_of(void *arg, const char *key, size_t len)
{
	(void)arg;
	assert_int_equal(strlen(key), len);
	return key[0] == 'b' && config.redis.n > 1 ? 1 : 0;
}

static inline int
set_up(void **state)
{
	const struct timeval tick = {.tv_usec = 5000};

	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&counters, 0, sizeof(counters));
	memset(got, 0, sizeof(got));
	for (unsigned i = 0; i < 2; i++) {
		address[i] = (struct redis_address){(char *)"test", (char *)"127.0.0.1",
			(int)servers[i].port, NULL, false};
		if (servers[i].c != NULL) {
			kill(servers[i].pid, SIGCONT); /* if a test failed */
			tell(i, "FLUSHALL");
			tell(i, "CONFIG RESETSTAT");
		}
	}
	config.redis.v = address;
	config.redis.n = 1;
	ticks = 0;
	base = event_base_new();
	ticker = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	return event_add(ticker, &tick);
}

static inline int
tear_down(void **state)
{
	(void)state;
	reader_free(reader);
	reader = NULL;
	event_free(ticker);
	event_base_free(base);
	return 0;
}

static inline void
open_reader(unsigned timeout_ms)
{
	struct reader_setup setup = {&config, base, &counters, node_of, NULL,
		timeout_ms};
	char err[256] = "";

	reader = reader_new(&setup, err, sizeof(err));
	if (reader == NULL)
		fail_msg("%s", err);
}

static inline bool
ask(const char *key, const char *field, struct got *g)
{
	return reader_ask(reader, &key, 1, field, on_answer, g);
}

/* Until G has N answers. */
static inline void
await(const struct got *g, unsigned n)
{
	uint64_t end = ms() + PATIENCE_MS;

	while (g->n < n && ms() < end)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(g->n, n);
}

/* Ask and wait: "value", "-" for none, "?" for unknown. */
static inline const char *
answer(const char *key, const char *field)
{
	static struct got g;

	g.n = 0;
	assert_true(ask(key, field, &g));
	await(&g, 1);
	return !g.a.known ? "?" : g.a.found ? g.a.value : "-";
}

/* Ask until the node is known to answer again. */
static inline void
await_back(const char *key, const char *want)
{
	uint64_t end = ms() + PATIENCE_MS;
	const char *a;

	do {
		a = answer(key, NULL);
		event_base_loop(base, EVLOOP_ONCE);
	} while (strcmp(a, "?") == 0 && ms() < end);
	assert_string_equal(a, want);
}

static inline struct reader_stats
stats(void)
{
	struct reader_stats s;

	reader_stats(reader, &s);
	return s;
}

/*
 * The whole
 */
static inline bool
have_redis(void)
{
	return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static inline int
start_servers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		if (start_anywhere(&servers[i]) == -1)
			return -1;
	return 0;
}

static inline int
stop_servers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		stop_server(&servers[i]);
	return 0;
}

static inline int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

/* The groups of tests: those that need no server, and those that do. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static inline int
rig_begin(void)
{
	signal(SIGPIPE, SIG_IGN);
	strcpy(dir, "/tmp/t_reader.XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static inline void
rig_end(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
