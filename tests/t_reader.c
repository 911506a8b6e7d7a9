/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_reader.c -- questions to real Redis servers on the loopback interface, healthy and
 * not, and to a peer that answers what the test wants. Without redis-server only the
 * cache is tested.
 */
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

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>

#include "clock.h"
#include "config.h"
#include "log.h"
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

static uint64_t
ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

/*
 * Servers
 */
static unsigned
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

static void
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

static void
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
static int
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
static int
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
static void
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
static unsigned
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
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	ticks++;
}

static void
on_answer(void *arg, const struct reader_answer *a)
{
	struct got *g = arg;

	g->n++;
	g->a = *a;
}

/* Keys that begin with "b" are on the second node. */
static unsigned
node_of(void *arg, const char *key, size_t len)
{
	(void)arg;
	assert_int_equal(strlen(key), len);
	return key[0] == 'b' && config.redis.n > 1 ? 1 : 0;
}

static int
set_up(void **state)
{
	const struct timeval tick = {.tv_usec = 5000};

	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&counters, 0, sizeof(counters));
	memset(got, 0, sizeof(got));
	for (unsigned i = 0; i < 2; i++) {
		address[i] = (struct redis_address){(char *)"test", (char *)"127.0.0.1",
			(int)servers[i].port, NULL};
		if (servers[i].c != NULL) {
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

static int
tear_down(void **state)
{
	(void)state;
	reader_free(reader);
	reader = NULL;
	event_free(ticker);
	event_base_free(base);
	return 0;
}

static void
open_reader(unsigned timeout_ms)
{
	struct reader_setup setup = {&config, base, &counters, node_of, NULL, timeout_ms};
	char err[256] = "";

	reader = reader_new(&setup, err, sizeof(err));
	if (reader == NULL)
		fail_msg("%s", err);
}

static bool
ask(const char *key, const char *field, struct got *g)
{
	return reader_ask(reader, &key, 1, field, on_answer, g);
}

/* Until G has N answers. */
static void
await(const struct got *g, unsigned n)
{
	uint64_t end = ms() + PATIENCE_MS;

	while (g->n < n && ms() < end)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(g->n, n);
}

/* Ask and wait: "value", "-" for none, "?" for unknown. */
static const char *
answer(const char *key, const char *field)
{
	static struct got g;

	g.n = 0;
	assert_true(ask(key, field, &g));
	await(&g, 1);
	return !g.a.known ? "?" : g.a.found ? g.a.value : "-";
}

/* Ask until the node is known to answer again. */
static void
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

static struct reader_stats
stats(void)
{
	struct reader_stats s;

	reader_stats(reader, &s);
	return s;
}

/*
 * The cache
 */

/* A lookup of KEY that came back. */
static void
cache_one(struct reader_cache *c, const char *key, const char *field,
    enum lookup_result result, uint64_t now_ms)
{
	struct lookup *l = cache_add(c, key, field);

	assert_non_null(l);
	l->result = result;
	if (result == LOOKUP_FOUND) {
		l->value = strdup(key);
		assert_non_null(l->value);
		l->len = strlen(key);
	}
	cache_settle(c, l, now_ms);
}

static void
test_cache(void **state)
{
	struct reader_cache c;
	struct lookup *l;

	(void)state;
	assert_int_equal(cache_init(&c), 0);
	assert_null(cache_find(&c, "k", NULL, 0));
	cache_one(&c, "k", NULL, LOOKUP_FOUND, 1000);
	cache_one(&c, "k", "f", LOOKUP_MISSING, 1000);
	cache_one(&c, "u", NULL, LOOKUP_UNKNOWN, 1000);
	assert_int_equal(c.known, 2);
	assert_null(cache_find(&c, "u", NULL, 1000));
	assert_null(cache_find(&c, "k", "g", 1000));
	assert_null(cache_find(&c, "f", NULL, 1000));
	l = cache_find(&c, "k", NULL, 60999);
	assert_non_null(l);
	assert_string_equal(l->value, "k");
	assert_non_null(cache_find(&c, "k", "f", 5999));
	assert_null(cache_find(&c, "k", "f", 6000));
	assert_null(cache_find(&c, "k", NULL, 61000));
	assert_int_equal(c.known, 0);
	/* Forgetting takes all fields, also of what is under way. */
	cache_one(&c, "k", NULL, LOOKUP_FOUND, 1000);
	cache_one(&c, "k", "f", LOOKUP_FOUND, 1000);
	cache_one(&c, "other", NULL, LOOKUP_FOUND, 1000);
	l = cache_add(&c, "k", "g");
	assert_non_null(l);
	cache_forget(&c, "k");
	cache_forget(&c, "never");
	assert_int_equal(c.known, 1);
	assert_null(cache_find(&c, "k", "g", 1000));
	l->result = LOOKUP_MISSING;
	cache_settle(&c, l, 1000);
	assert_null(cache_find(&c, "k", "g", 1000));
	assert_non_null(cache_find(&c, "other", NULL, 1000));
	cache_clear(&c);
}

static void
test_cache_full(void **state)
{
	struct reader_cache c;
	char key[16];

	(void)state;
	assert_int_equal(cache_init(&c), 0);
	for (unsigned i = 0; i < READER_CACHE_MAX; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		cache_one(&c, key, NULL, i % 2 ? LOOKUP_FOUND : LOOKUP_MISSING, 0);
	}
	assert_int_equal(c.known, READER_CACHE_MAX);
	assert_non_null(cache_find(&c, "k0", NULL, 1)); /* the latest now */
	cache_one(&c, "more", NULL, LOOKUP_FOUND, 0);
	cache_one(&c, "most", NULL, LOOKUP_FOUND, 0);
	assert_int_equal(c.known, READER_CACHE_MAX);
	assert_non_null(cache_find(&c, "k0", NULL, 1));
	assert_null(cache_find(&c, "k1", NULL, 1));
	assert_null(cache_find(&c, "k2", NULL, 1));
	assert_non_null(cache_find(&c, "k3", NULL, 1));
	cache_clear(&c);
}

/*
 * A healthy node
 */
static void
test_answers(void **state)
{
	char longer[300];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	tell(0, "SET k %s", "alice");
	tell(0, "SET empty %s", "");
	tell(0, "SET bytes %b", "a\0b", (size_t)3);
	tell(0, "SET long %s", longer);
	tell(0, "HSET h f %s", "field");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "alice");
	assert_string_equal(answer("none", NULL), "-");
	assert_string_equal(answer("empty", NULL), "");
	assert_string_equal(answer("h", "f"), "field");
	assert_string_equal(answer("h", "g"), "-");
	assert_string_equal(answer("none", "f"), "-");
	/* A key of another type is none. */
	assert_string_equal(answer("h", NULL), "-");
	assert_string_equal(answer("k", "f"), "-");
	assert_int_equal(strlen(answer("long", NULL)), READER_VALUE);
	assert_true(ask("bytes", NULL, &got[0]));
	await(&got[0], 1);
	assert_int_equal(got[0].a.len, 3);
	assert_memory_equal(got[0].a.value, "a\0b", 4);
	assert_int_equal(stats().asked, 10);
	assert_int_equal(stats().found, 5);
	assert_int_equal(stats().missed, 5);
	assert_int_equal(stats().failed, 0);
	assert_int_equal(stats().open, 0);
	assert_int_equal(counters.v[COUNTER_READER_ASKED], 10);
}

static void
test_refused(void **state)
{
	const char *keys[READER_KEYS + 1] = {"a", "b", "c", "d", "e"};
	char key[READER_KEY + 2];

	(void)state;
	open_reader(PATIENCE_MS);
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_false(ask(key, NULL, &got[0]));
	assert_false(ask("k", key, &got[0]));
	assert_false(reader_ask(reader, keys, READER_KEYS + 1, NULL, on_answer, &got[0]));
	assert_false(reader_ask(reader, keys, 0, NULL, on_answer, &got[0]));
	key[READER_KEY] = '\0';
	assert_string_equal(answer(key, key), "-");
	assert_int_equal(got[0].n, 0);
}

/* The first key that exists, whatever the cache knows of the others. */
static void
test_several_keys(void **state)
{
	const char *keys[] = {"a", "b", "c", "d"};
	const char *twice[] = {"x", "x", "c"};

	(void)state;
	tell(0, "MSET c %s d %s", "C", "D");
	open_reader(PATIENCE_MS);
	assert_true(reader_ask(reader, keys, 4, NULL, on_answer, &got[0]));
	await(&got[0], 1);
	assert_true(got[0].a.known && got[0].a.found);
	assert_int_equal(got[0].a.which, 2);
	assert_string_equal(got[0].a.value, "C");
	/* Now all of them are known. */
	assert_true(reader_ask(reader, keys, 4, NULL, on_answer, &got[0]));
	assert_int_equal(got[0].n, 2);
	assert_int_equal(got[0].a.which, 2);
	assert_true(reader_ask(reader, keys, 2, NULL, on_answer, &got[0]));
	assert_int_equal(got[0].n, 3);
	assert_true(got[0].a.known && !got[0].a.found);
	/* One of them is not. */
	tell(0, "SET b %s", "B");
	reader_forget(reader, "b");
	assert_true(reader_ask(reader, keys, 4, NULL, on_answer, &got[0]));
	assert_int_equal(got[0].n, 3);
	await(&got[0], 4);
	assert_int_equal(got[0].a.which, 1);
	assert_string_equal(got[0].a.value, "B");
	assert_int_equal(calls(0, "get"), 5);
	assert_true(reader_ask(reader, twice, 3, NULL, on_answer, &got[1]));
	await(&got[1], 1);
	assert_int_equal(got[1].a.which, 2);
	assert_int_equal(calls(0, "get"), 6);
}

static void
test_cached(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	assert_string_equal(answer("none", NULL), "-");
	for (unsigned i = 0; i < 3; i++) {
		/* At once. */
		assert_true(ask("k", NULL, &got[0]));
		assert_true(ask("none", NULL, &got[1]));
	}
	assert_int_equal(got[0].n, 3);
	assert_string_equal(got[0].a.value, "v");
	assert_int_equal(got[1].n, 3);
	assert_true(got[1].a.known);
	assert_int_equal(stats().cached, 6);
	assert_int_equal(stats().asked, 2);
	assert_int_equal(stats().cached_keys, 2);
	assert_int_equal(counters.v[COUNTER_READER_CACHED], 6);
	/* Not found: 5 s. Found: 60 s. */
	reader_age(reader, 5001);
	assert_string_equal(answer("none", NULL), "-");
	assert_string_equal(answer("k", NULL), "v");
	assert_int_equal(calls(0, "get"), 3);
	reader_age(reader, 55000);
	assert_string_equal(answer("k", NULL), "v");
	assert_int_equal(calls(0, "get"), 4);
}

static void
test_forget(void **state)
{
	(void)state;
	tell(0, "SET k %s", "old");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "old");
	tell(0, "SET k %s", "new");
	assert_string_equal(answer("k", NULL), "old");
	reader_forget(reader, "k");
	assert_string_equal(answer("k", NULL), "new");
	/* Under way: who asks later gets an answer of their own, and that is kept. */
	reader_forget(reader, "k");
	assert_true(ask("k", NULL, &got[0]));
	reader_forget(reader, "k");
	tell(0, "SET k %s", "newest");
	assert_true(ask("k", NULL, &got[1]));
	await(&got[1], 1);
	assert_int_equal(got[0].n, 1);
	assert_string_equal(got[1].a.value, "newest");
	assert_int_equal(calls(0, "get"), 4);
	assert_string_equal(answer("k", NULL), "newest");
	assert_int_equal(calls(0, "get"), 4);
	/* Nobody asks again: nothing is kept. */
	reader_forget(reader, "k");
	assert_true(ask("k", NULL, &got[2]));
	reader_forget(reader, "k");
	await(&got[2], 1);
	assert_int_equal(stats().cached_keys, 0);
}

static void
test_coalesced(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(ask("k", NULL, &got[0]));
	assert_int_equal(stats().open, 1000);
	await(&got[0], 1000);
	assert_int_equal(calls(0, "get"), 1);
	assert_int_equal(stats().found, 1000);
	assert_int_equal(stats().open, 0);
}

/* A thousand questions in one go: as many answers, each its own. */
static void
test_many(void **state)
{
	static struct got many[1000];
	char key[16];
	redisReply *r;

	(void)state;
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < 1000; i++)
		redisAppendCommand(servers[0].c, "SET k%u %u", i, i * 7);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(redisGetReply(servers[0].c, (void **)&r), REDIS_OK);
		freeReplyObject(r);
	}
	open_reader(PATIENCE_MS);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_true(ask(key, NULL, &many[i]));
	}
	for (unsigned i = 0; i < 1000; i++) {
		await(&many[i], 1);
		assert_true(many[i].a.found);
		assert_int_equal(atoi(many[i].a.value), i * 7);
	}
	assert_int_equal(stats().found, 1000);
}

/* Callees ask again, and forget. */
static void
on_answer_ask(void *arg, const struct reader_answer *a)
{
	const char *key = "k";
	struct got *g = arg;

	on_answer(arg, a);
	reader_forget(reader, "k");
	if (g->n < 5)
		assert_true(reader_ask(reader, &key, 1, NULL, on_answer_ask, arg));
}

static void
test_reentered(void **state)
{
	const char *key = "k";

	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	assert_true(reader_ask(reader, &key, 1, NULL, on_answer_ask, &got[0]));
	assert_true(ask("k", NULL, &got[1]));
	await(&got[0], 5);
	assert_int_equal(got[1].n, 1);
	assert_int_equal(stats().open, 0);
}

/*
 * Ways to a node
 */
static void
test_unix_socket(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	address[0].host = NULL;
	address[0].path = servers[0].socket;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
}

static void
test_database(void **state)
{
	(void)state;
	tell(0, "SELECT 3");
	tell(0, "SET k %s", "third");
	tell(0, "SELECT 0");
	config.redis_db = 3;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "third");
	assert_int_equal(calls(0, "select"), 3);
	reader_free(reader);
	/* None of that number: nothing is asked of another. */
	config.redis_db = 99;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	assert_int_equal(calls(0, "get"), 2);
}

static char *
write_file(const char *name, const char *text)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void
test_password(void **state)
{
	struct reader_setup setup = {&config, base, &counters, node_of, NULL, 1000};
	char err[256] = "";

	(void)state;
	tell(0, "SET k %s", "v");
	tell(0, "CONFIG SET requirepass %s", "se cret");
	tell(0, "ACL SETUSER probe on >%s ~* +@all", "other");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	reader_free(reader);
	config.redis_password_file = write_file("secret", "se cret\n");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	reader_free(reader);
	config.redis_user = (char *)"probe";
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	/* What was refused is not tried again soon. */
	assert_string_equal(answer("k", NULL), "?");
	assert_int_equal(stats().failed, 2);
	reader_free(reader);
	config.redis_password_file = write_file("secret", "other");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	reader_free(reader);
	reader = NULL;
	tell(0, "CONFIG SET requirepass %s", "");
	config.redis_password_file = (char *)"/nowhere/secret";
	assert_null(reader_new(&setup, err, sizeof(err)));
	assert_non_null(strstr(err, "/nowhere/secret"));
}

static void
test_no_node(void **state)
{
	struct reader_setup setup = {&config, base, &counters, node_of, NULL, 1000};
	char err[256] = "";

	(void)state;
	config.redis.n = 0;
	assert_null(reader_new(&setup, err, sizeof(err)));
	assert_string_equal(err, "there is no node to ask");
}

/*
 * Faults
 */

/* A node that hangs: unknown after the timeout, the loop turns meanwhile. */
static void
test_hangs(void **state)
{
	uint64_t start;

	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(150);
	await_back("k", "v");
	kill(servers[0].pid, SIGSTOP);
	ticks = 0;
	start = ms();
	assert_true(ask("x", NULL, &got[0]));
	assert_true(ask("y", NULL, &got[0]));
	await(&got[0], 2);
	assert_false(got[0].a.known);
	assert_true(ms() - start >= 140);
	assert_true(ticks >= 2);
	/* The cache goes on. */
	assert_string_equal(answer("k", NULL), "v");
	kill(servers[0].pid, SIGCONT);
	tell(0, "SET x %s", "X");
	await_back("x", "X");
	assert_true(counters.v[COUNTER_READER_FAILED] >= 2);
}

static void
test_restarted(void **state)
{
	(void)state;
	tell(1, "SET k %s", "v");
	address[0].port = (int)servers[1].port;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	stop_server(&servers[1]);
	/* Refused, not timed out. */
	assert_string_equal(answer("x", NULL), "?");
	assert_string_equal(answer("x", NULL), "?");
	assert_int_equal(start_server(&servers[1]), 0);
	tell(1, "SET x %s", "X");
	await_back("x", "X");
}

/* Servers may close what is idle: the next question opens it again, and gets its answer. */
static void
test_closed_idle(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	tell(0, "CLIENT KILL TYPE normal SKIPME yes");
	usleep(50000);
	await_back("x", "-");
	assert_true(stats().failed <= 1);
}

static void
test_two_nodes(void **state)
{
	const char *keys[2][2] = {{"a", "b"}, {"b2", "a2"}};

	(void)state;
	config.redis.n = 2;
	tell(0, "MSET a %s a2 %s", "A", "A2");
	tell(1, "SET b %s", "B");
	open_reader(1000);
	assert_string_equal(answer("a", NULL), "A");
	assert_string_equal(answer("b", NULL), "B");
	reader_forget(reader, "a");
	reader_forget(reader, "b");
	/* The second hangs. The first key is on the first: certain. */
	kill(servers[1].pid, SIGSTOP);
	assert_true(reader_ask(reader, keys[1], 2, NULL, on_answer, &got[1]));
	assert_true(reader_ask(reader, keys[0], 2, NULL, on_answer, &got[0]));
	await(&got[0], 1);
	assert_string_equal(got[0].a.value, "A");
	assert_string_equal(answer("a2", NULL), "A2");
	/* Its key might exist: not certain. */
	await(&got[1], 1);
	assert_false(got[1].a.known);
	kill(servers[1].pid, SIGCONT);
	await_back("b", "B");
}

/* Too many questions, and an end with all of them open. */
static void
test_limits(void **state)
{
	static struct got never;
	uint64_t start;
	char key[16];

	(void)state;
	never.n = 0;
	open_reader(60000);
	kill(servers[0].pid, SIGSTOP);
	for (unsigned i = 0; i < READER_ASKING_MAX; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_true(ask(key, NULL, &never));
	}
	assert_false(ask("more", NULL, &never));
	for (unsigned i = READER_ASKING_MAX; i < READER_OPEN_MAX; i++)
		assert_true(ask("k0", NULL, &never));
	assert_false(ask("k0", NULL, &never));
	assert_int_equal(stats().open, READER_OPEN_MAX);
	reader_forget(reader, "k5");
	start = ms();
	reader_free(reader);
	assert_true(ms() - start < 30000);
	reader = NULL;
	kill(servers[0].pid, SIGCONT);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(never.n, 0);
}

/*
 * A peer that says what the test wants, to whatever it is sent.
 */
static const char *say;
static size_t say_len;
static bool say_close;

static void
on_heard(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(in, evbuffer_get_length(in));
	bufferevent_write(bev, say, say_len);
	if (!say_close)
		return;
	bufferevent_flush(bev, EV_WRITE, BEV_FLUSH);
	shutdown(bufferevent_getfd(bev), SHUT_WR);
}

static void
on_gone(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(bev);
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
    void *arg)
{
	struct bufferevent *bev =
	    bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);

	(void)sa;
	(void)len;
	(void)arg;
	bufferevent_setcb(bev, on_heard, NULL, on_gone, NULL);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static struct evconnlistener *
open_peer(int *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	struct evconnlistener *l;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = evconnlistener_new_bind(base, on_accept, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, (struct sockaddr *)&sin,
	    sizeof(sin));
	assert_non_null(l);
	assert_int_equal(
	    getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return l;
}

static void
end_peer(struct evconnlistener *l)
{
	/* The reader's end closes; the peer sees it. */
	reader_free(reader);
	reader = NULL;
	for (unsigned i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_ONCE);
	evconnlistener_free(l);
}

/* Whatever a node says is an answer, none, or unknown. */
static void
test_odd_answers(void **state)
{
	static const struct {
		const char *say;
		bool close;
		const char *want;
	} cases[] = {
		{"$2\r\nhi\r\n", false, "hi"},
		{"+hi\r\n", false, "hi"},
		{"$-1\r\n", false, "-"},
		{"*-1\r\n", false, "-"},
		{"-WRONGTYPE of key\r\n", false, "-"},
		{"-LOADING the dataset\r\n", false, "?"},
		{"-READONLY replica\r\n", false, "?"},
		{"-MASTERDOWN no link\r\n", false, "?"},
		{"-NOPERM no\r\n", false, "?"},
		{"-NOAUTH who\r\n", false, "?"},
		{"-MOVED 1 10.0.0.1:1\r\n", false, "?"},
		{"-\r\n", false, "?"},
		{":7\r\n", false, "?"},
		{"*1\r\n$1\r\nx\r\n", false, "?"},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", false, "?"},
		{"$5\r\nab", true, "?"},
		{"", true, "?"},
		{"$2\r\nhi\r\n+more\r\n", false, "hi"},
	};
	struct evconnlistener *peer = open_peer(&address[0].port);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		say = cases[i].say;
		say_len = strlen(say);
		say_close = cases[i].close;
		open_reader(PATIENCE_MS);
		if (strcmp(answer("k", NULL), cases[i].want) != 0)
			fail_msg("after %s: %s", say, answer("k", NULL));
		reader_free(reader);
		reader = NULL;
	}
	open_reader(PATIENCE_MS);
	end_peer(peer);
}

/* A value without end is not read to its end. */
static void
test_endless_answer(void **state)
{
	struct evconnlistener *peer = open_peer(&address[0].port);
	char *big = malloc(4 << 20);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 4 << 20);
	memcpy(big, "$400000000\r\n", 12);
	say = big;
	say_len = 4 << 20;
	say_close = false;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	end_peer(peer);
	free(big);
}

/* Sentinels: one is dead, the next names the master. */
static void
test_sentinel(void **state)
{
	struct redis_address sentinel[2] = {
		{(char *)"s", (char *)"127.0.0.1", (int)free_port(), NULL},
		{(char *)"s", (char *)"127.0.0.1", 0, NULL}};
	struct evconnlistener *peer = open_peer(&sentinel[1].port);
	char text[64], port[8];

	(void)state;
	tell(0, "SET k %s", "v");
	config.redis.n = 0;
	config.sentinel_master = (char *)"m";
	config.sentinels.v = sentinel;
	config.sentinels.n = 2;
	snprintf(port, sizeof(port), "%u", servers[0].port);
	snprintf(text, sizeof(text), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n",
	    strlen(port), port);
	say = text;
	say_len = strlen(text);
	say_close = false;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	assert_int_equal(calls(0, "role"), 1);
	/* It was made a replica: its answers do not count, until it is a master again. */
	reader_free(reader);
	tell(0, "REPLICAOF 127.0.0.1 1");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	tell(0, "REPLICAOF NO ONE");
	await_back("k", "v");
	reader_free(reader);
	/* Nobody knows the master. */
	say = "*-1\r\n";
	say_len = 5;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	end_peer(peer);
}

/*
 * The whole
 */
static bool
have_redis(void)
{
	return system("command -v redis-server >/dev/null 2>&1") == 0;
}

static int
start_servers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		if (start_anywhere(&servers[i]) == -1)
			return -1;
	return 0;
}

static int
stop_servers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		stop_server(&servers[i]);
	return 0;
}

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_full),
		TEST(test_no_node),
		TEST(test_odd_answers),
		TEST(test_endless_answer),
	};
	const struct CMUnitTest with_servers[] = {
		TEST(test_answers),
		TEST(test_refused),
		TEST(test_several_keys),
		TEST(test_cached),
		TEST(test_forget),
		TEST(test_coalesced),
		TEST(test_many),
		TEST(test_reentered),
		TEST(test_unix_socket),
		TEST(test_database),
		TEST(test_password),
		TEST(test_hangs),
		TEST(test_restarted),
		TEST(test_closed_idle),
		TEST(test_two_nodes),
		TEST(test_limits),
		TEST(test_sentinel),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	strcpy(dir, "/tmp/t_reader.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	rc = cmocka_run_group_tests(alone, NULL, NULL);
	if (have_redis()) {
		rc += cmocka_run_group_tests(with_servers, start_servers, stop_servers);
	} else if (rc == 0) {
		printf("SKIP: redis-server is not installed\n");
		rc = SKIPPED;
	}
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
