/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_server.c -- clients that come, ask, misbehave, are slow, wait and go. Longer than 800
 * lines: each does it in another way.
 */
#include "server_rig.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

/* --- replies --- */

static void
test_types(void **state)
{
	char nul[5];
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "types\r\n");
	hear(fd, "*12\r\n+simple\r\n:-5\r\n$-1\r\n*-1\r\n$3\r\n");
	assert_int_equal(hear_bytes(fd, nul, 5), 5);
	assert_memory_equal(nul, "a\0b\r\n", 5);
	hear(fd,
	    "$20\r\n-9223372036854775808\r\n$4\r\ntext\r\n$1\r\n7\r\n*2\r\n$1\r\nk\r\n"
	    "$1\r\nv\r\n*0\r\n-WRONG a  b 3\r\n*2\r\n:1\r\n$0\r\n\r\n");
	say(fd, "hello 3\r\ntypes\r\n");
	hear(fd, "+OK\r\n*12\r\n+simple\r\n:-5\r\n_\r\n_\r\n$3\r\n");
	assert_int_equal(hear_bytes(fd, nul, 5), 5);
	hear(fd,
	    "$20\r\n-9223372036854775808\r\n=8\r\ntxt:text\r\n,7\r\n%1\r\n$1\r\nk\r\n"
	    "$1\r\nv\r\n~0\r\n-WRONG a  b 3\r\n*2\r\n:1\r\n$0\r\n\r\n");
	ping(fd);
	close(fd);
}

/* Replies off and skipped; the next command after it counts. */
static void
test_replies_off(void **state)
{
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "reply skip\r\nping\r\necho a\r\n");
	hear(fd, "$1\r\na\r\n");
	say(fd,
	    "reply off\r\nping\r\ntypes\r\nreply skip\r\nping\r\nping\r\nreply on\r\n");
	hear(fd, "+OK\r\n");
	/* what is pushed comes all the same */
	say(fd, "hello 3\r\nreply off\r\nsubscribe c\r\n");
	hear(fd, "+OK\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
	assert_int_equal(server_publish(server, "c", 1, "m", 1), 1);
	hear(fd, ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
	say(fd, "ping\r\nreply on\r\n");
	hear(fd, "+OK\r\n");
	close(fd);
}

/* --- requests --- */

#define PING "*1\r\n$4\r\nPING\r\n"

static void
test_protocol(void **state)
{
	static const struct {
		const char *bytes, *want;
		bool open;
	} v[] = {
	    {PING, "+PONG\r\n", true},
	    {"\r\n\r\nPING\r\n", "+PONG\r\n", true},
	    {"*-10\r\n*0\r\n" PING, "+PONG\r\n", true},
	    {"*1\r\n$0\r\n\r\n", "-ERR unknown command\r\n", true},
	    {"\x01\x02\x03\r\n", "-ERR unknown command\r\n", true},
	    {"*3000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n",
		false},
	    {"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n",
		"-ERR Protocol error: invalid bulk length\r\n", false},
	    {"*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n", false},
	    {"set \"\"\"a\"\"\" b\r\n",
		"-ERR Protocol error: unbalanced quotes in request\r\n", false},
	    {PING "*01\r\n" PING,
		"+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n", false},
	};
	unsigned i, errors = 0;
	size_t at;
	int fd;

	(void)state;
	start();
	for (i = 0; i < COUNT(v); i++) {
		fd = dial();
		for (at = 0; v[i].bytes[at] != '\0'; at++)
			say_bytes(fd, v[i].bytes + at, 1);
		hear(fd, v[i].want);
		errors += !v[i].open;
		if (v[i].open) {
			ping(fd);
			close(fd);
		} else {
			hear_end(fd);
		}
		assert_int_equal(counted(COUNTER_RESP_ERRORS), errors);
	}
}

/* The reason arrives although far more was sent than anybody read. */
static void
test_last_words(void **state)
{
	static char noise[900000];
	int fd;

	(void)state;
	start();
	memset(noise, 'a', sizeof(noise));
	fd = dial();
	say_bytes(fd, noise, sizeof(noise));
	hear(fd, "-ERR Protocol error: too big inline request\r\n");
	hear_end(fd);
	/* but reading on has its end */
	fd = dial();
	say_bytes(fd, noise, sizeof(noise));
	say_bytes(fd, noise, sizeof(noise));
	say_bytes(fd, noise, sizeof(noise));
	WAIT_FOR(server->nclients == 0);
	close(fd);
}

static void
test_quit(void **state)
{
	static char big[100002];
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "ping\r\nquit\r\nping\r\n");
	hear(fd, "+PONG\r\n+OK\r\n");
	hear_end(fd);
	assert_int_equal(commands.run, 2);
	/* one that has said all gets all */
	fd = dial();
	say(fd, "ping\r\nbig 100000\r\n");
	shutdown(fd, SHUT_WR);
	hear(fd, "+PONG\r\n$100000\r\n");
	assert_int_equal(hear_bytes(fd, big, sizeof(big)), sizeof(big));
	hear_end(fd);
	WAIT_FOR(server->nclients == 0);
}

static void
test_browser(void **state)
{
	static const char *const v[] = {"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
	    "*2\r\n$4\r\npost\r\n$1\r\n/\r\n", "host: localhost\r\nping\r\n"};
	unsigned i;
	int fd;

	(void)state;
	start();
	for (i = 0; i < COUNT(v); i++) {
		fd = dial();
		say(fd, v[i]);
		hear_end(fd);
	}
	assert_int_equal(commands.run, 0);
	fd = dial();
	say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	hear_end(fd); /* GET is a command, but its answer was not written yet */
	assert_int_equal(commands.run, 1);
}

/* One client's queue of requests does not keep the others waiting. */
static void
test_turns(void **state)
{
	static char many[20000 * 6 + 1];
	unsigned sent;
	int a, b;

	(void)state;
	start();
	server->limits.turn_commands = 100;
	for (unsigned i = 0; i < 20000; i++)
		memcpy(many + i * 6, "ping\r\n", 6);
	a = dial();
	b = dial();
	ping(a);
	ping(b);
	sent = (unsigned)send(a, many, sizeof(many) - 1, MSG_NOSIGNAL) / 6;
	assert_true(sent > 1000);
	say(b, "mark\r\n");
	hear(b, "+OK\r\n");
	assert_true(commands.run_before < sent / 2);
	WAIT_FOR(commands.run >= sent + 3);
	assert_true(counted(COUNTER_RESP_COMMANDS) == commands.run);
	close(a);
	close(b);
}

/* --- who may come in --- */

static void
test_crowd(void **state)
{
	int fd[3];

	(void)state;
	start();
	server->limits.clients = 2;
	fd[0] = dial();
	ping(fd[0]);
	fd[1] = dial();
	ping(fd[1]);
	fd[2] = dial();
	hear(fd[2], "-ERR max number of clients reached\r\n");
	hear_end(fd[2]);
	assert_int_equal(counted(COUNTER_RESP_REJECTED), 1);
	assert_int_equal(counted(COUNTER_RESP_CONNECTIONS), 2);
	close(fd[0]);
	WAIT_FOR(server->nclients == 1);
	fd[2] = dial();
	ping(fd[2]);
	close(fd[1]);
	close(fd[2]);
}

static void
test_thousand(void **state)
{
	struct rlimit rl;
	unsigned n = 1000, i;
	struct server_stats st;
	int *fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_max < 2 * n + 50)
		n = (unsigned)(rl.rlim_max / 2 - 25);
	fd = calloc(n, sizeof(*fd));
	assert_non_null(fd);
	start();
	for (i = 0; i < n; i++) {
		fd[i] = dial();
		pump();
	}
	for (i = 0; i < n; i++)
		say(fd[i], i % 2 ? "*10\r\n$16384\r\nabc" : "subscribe c\r\n");
	for (i = 0; i < n; i += 2)
		hear(fd[i], "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
	server_stats(server, &st);
	assert_int_equal(st.clients, n);
	assert_int_equal(st.subscribers, (n + 1) / 2);
	assert_int_equal(st.channels, 1);
	assert_true(st.input_waiting >= n / 2 * 13);
	assert_int_equal(server_publish(server, "c", 1, "m", 1), (n + 1) / 2);
	for (i = 0; i < n; i += 2)
		hear(fd[i], "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
	for (i = 0; i < n; i++)
		close(fd[i]);
	WAIT_FOR(server->nclients == 0);
	WAIT_FOR(!server_wanted(server, "c"));
	assert_int_equal(server->queued, 0);
	free(fd);
}

static void
test_local(void **state)
{
	static const struct {
		int family;
		const char *text;
		bool local;
	} v[] = {
	    {AF_INET, "127.0.0.1", true},
	    {AF_INET, "127.255.0.9", true},
	    {AF_INET, "128.0.0.1", false},
	    {AF_INET, "10.0.0.1", false},
	    {AF_INET, "0.0.0.0", false},
	    {AF_INET6, "::1", true},
	    {AF_INET6, "::2", false},
	    {AF_INET6, "fe80::1", false},
	    {AF_INET6, "::ffff:127.0.0.1", true},
	    {AF_INET6, "::ffff:10.0.0.1", false},
	    {AF_INET6, "::127.0.0.1", false},
	};
	struct sockaddr_storage ss;
	unsigned i;

	(void)state;
	for (i = 0; i < COUNT(v); i++) {
		memset(&ss, 0, sizeof(ss));
		ss.ss_family = (sa_family_t)v[i].family;
		assert_int_equal(
		    inet_pton(v[i].family, v[i].text,
			v[i].family == AF_INET
			    ? (void *)&((struct sockaddr_in *)&ss)->sin_addr
			    : (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr),
		    1);
		if (peer_is_local((struct sockaddr *)&ss) != v[i].local)
			fail_msg("%s", v[i].text);
	}
	ss.ss_family = AF_UNIX;
	assert_true(peer_is_local((struct sockaddr *)&ss));
	ss.ss_family = AF_UNSPEC;
	assert_false(peer_is_local((struct sockaddr *)&ss));
}

/* An IPv4 address of this machine that is not loopback's. */
static bool
outer_address(char *text, size_t len)
{
	struct ifaddrs *list, *a;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (a = list; a != NULL && !found; a = a->ifa_next)
		found = a->ifa_addr != NULL && a->ifa_addr->sa_family == AF_INET &&
		    (a->ifa_flags & IFF_UP) && !peer_is_local(a->ifa_addr) &&
		    inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_addr)->sin_addr,
			text, (socklen_t)len) != NULL;
	freeifaddrs(list);
	return found;
}

static void
test_protected(void **state)
{
	char host[INET_ADDRSTRLEN], rest[512];
	int fd;

	(void)state;
	if (!outer_address(host, sizeof(host)))
		skip();
	start_at("*:0", NULL);
	fd = dial_at(host, server->listeners.tqh_first->port);
	hear(fd, "-DENIED mcprobe runs in protected mode: ");
	assert_true(hear_bytes(fd, rest, sizeof(rest)) < sizeof(rest));
	hear_end(fd);
	assert_int_equal(counted(COUNTER_RESP_REJECTED), 1);
	fd = dial_at("127.0.0.1", server->listeners.tqh_first->port);
	ping(fd);
	close(fd);
	server_free(server);
	start_at("*:0", "secret"); /* with a password it may come */
	fd = dial_at(host, server->listeners.tqh_first->port);
	say(fd, "auth secret\r\n");
	hear(fd, "+OK\r\n");
	close(fd);
}

/* --- the password --- */

static void
test_password(void **state)
{
	int fd;

	(void)state;
	start_at("127.0.0.1:0", "secret");
	server->limits.auth_ms = 20;
	fd = dial();
	WAIT_FOR(server->nclients == 1);
	assert_false(client_authenticated(TAILQ_FIRST(&server->clients)));
	/* each of these is wrong, and the next is read all the same, later */
	say(fd, "auth secre\r\nauth secretx\r\nauth \"\"\r\nauth other secret\r\n");
	hear(fd, "-WRONGPASS\r\n-WRONGPASS\r\n-WRONGPASS\r\n-WRONGPASS\r\n");
	assert_int_equal(counted(COUNTER_RESP_AUTH_FAILED), 4);
	say(fd, "auth default secret\r\n");
	hear(fd, "+OK\r\n");
	assert_true(client_authenticated(TAILQ_FIRST(&server->clients)));
	say(fd, "count 2 3 4 5 6 7 8 9 10 11 12\r\n");
	hear(fd, ":12\r\n");
	say(fd, "reset\r\n");
	hear(fd, "+RESET\r\n");
	assert_false(client_authenticated(TAILQ_FIRST(&server->clients)));
	say(fd, "*11\r\n");
	hear(fd, "-ERR Protocol error: invalid multibulk length\r\n");
	hear_end(fd);
	assert_int_equal(counted(COUNTER_RESP_ERRORS), 1);
}

/* The answer to a wrong password does not wait; what follows does. */
static void
test_password_pause(void **state)
{
	int fd;

	(void)state;
	start_at("127.0.0.1:0", "secret");
	server->limits.auth_ms = 3600 * 1000;
	fd = dial();
	say(fd, "auth wrong\r\nauth secret\r\n");
	hear(fd, "-WRONGPASS\r\n");
	for (unsigned i = 0; i < 100; i++)
		pump();
	assert_int_equal(commands.run, 1);
	close(fd);
}

static void
test_stranger(void **state)
{
	char err[256] = "";
	int fd;

	(void)state;
	start_at("127.0.0.1:0", "secret");
	fd = dial();
	say(fd, "*2\r\n$4\r\necho\r\n$16385\r\n");
	hear(fd, "-ERR Protocol error: invalid bulk length\r\n");
	hear_end(fd);
	fd = dial();
	say(fd, "*10\r\n$5\r\ncount\r\n");
	for (unsigned i = 1; i < 10; i++) {
		static char bulk[16384];

		memset(bulk, 'b', sizeof(bulk));
		say(fd, "$16384\r\n");
		say_bytes(fd, bulk, sizeof(bulk));
		say(fd, "\r\n");
	}
	hear(fd, ":10\r\n");
	/* a stranger cannot make much wait for him */
	say(fd, "big 65536\r\n");
	hear_end(fd);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 1);
	assert_null(open_server("127.0.0.1:0", "", false, err));
	assert_string_not_equal(err, "");
}

/* --- slow ones --- */

static void
test_idle(void **state)
{
	int fd, subscriber, monitor;

	(void)state;
	start();
	server->limits.tick_ms = 5;
	subscriber = dial();
	say(subscriber, "subscribe c\r\n");
	hear(subscriber, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
	monitor = dial();
	say(monitor, "monitor\r\n");
	hear(monitor, "+OK\r\n");
	fd = dial();
	ping(fd);
	server->limits.idle_ms = 30;
	hear_end(fd);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 1);
	assert_int_equal(server->nclients, 2);
	assert_int_equal(server_publish(server, "c", 1, "m", 1), 1);
	hear(subscriber, "*3\r\n$7\r\nmessage\r\n");
	close(subscriber);
	close(monitor);
}

static void
test_output(void **state)
{
	static char big[90002];
	int fd;

	(void)state;
	start();
	server->limits.output = 100000;
	fd = dial();
	say(fd, "big 90000\r\n");
	hear(fd, "$90000\r\n");
	assert_int_equal(hear_bytes(fd, big, sizeof(big)), sizeof(big));
	say(fd, "big 100001\r\n");
	hear_end(fd);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 1);
	WAIT_FOR(server->nclients == 0);
	assert_int_equal(server->queued, 0);
}

/* One that does not read is not worked for; when it reads, nothing is missing. */
static void
test_pause(void **state)
{
	enum {
		REQUESTS = 500,
		REPLY = 8 + 50000 + 2,
	};
	static char got[REPLY], requests[REQUESTS * 11 + 1];
	unsigned i, before;
	int fd, other;

	(void)state;
	start();
	server->limits.output_pause = 100000;
	fd = dial();
	for (i = 0; i < REQUESTS; i++)
		memcpy(requests + i * 11, "big 50000\r\n", 11);
	say(fd, requests);
	other = dial();
	WAIT_FOR(server->queued > 50000);
	do { /* until it stands still */
		before = commands.run;
		for (i = 0; i < 50; i++)
			pump();
		ping(other);
	} while (commands.run > before + 1);
	assert_true(commands.run < REQUESTS);
	assert_true(server->queued > 50000 && server->queued < 100000 + 2 * REPLY);
	for (i = 0; i < REQUESTS; i++) {
		assert_int_equal(hear_bytes(fd, got, REPLY), REPLY);
		assert_memory_equal(got, "$50000\r\nxx", 10);
		assert_memory_equal(got + REPLY - 3, "x\r\n", 3);
	}
	ping(fd);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 0);
	close(fd);
	close(other);
}

/* All together have a limit too: who has most goes. */
static void
test_output_all(void **state)
{
	static char message[100000];
	int big, small;

	(void)state;
	start();
	server->limits.output_all = 300000;
	small = dial();
	say(small, "subscribe s\r\n");
	hear(small, "*3\r\n$9\r\nsubscribe\r\n$1\r\ns\r\n:1\r\n");
	big = dial();
	say(big, "subscribe b\r\n");
	hear(big, "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:1\r\n");
	assert_int_equal(server_publish(server, "s", 1, message, sizeof(message)), 1);
	assert_int_equal(server_publish(server, "b", 1, message, sizeof(message)), 1);
	assert_int_equal(server_publish(server, "b", 1, message, 90000), 1);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 0);
	assert_int_equal(server_publish(server, "s", 1, message, 50000), 1);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 1);
	hear_end(big);
	hear(small, "*3\r\n$7\r\nmessage\r\n$1\r\ns\r\n$100000\r\n");
	close(small);
}

/* --- commands that wait --- */

static void
test_wait(void **state)
{
	int fd, other;

	(void)state;
	start();
	fd = dial();
	other = dial();
	say(fd, "wait\r\nping\r\nping\r\n");
	WAIT_FOR(commands.waiting != NULL);
	ping(other);
	assert_int_equal(commands.run, 2);
	reply_array(commands.waiting, 1);
	ping(other);
	reply_bulk_text(commands.waiting, "late");
	client_done(commands.waiting);
	hear(fd, "*1\r\n$4\r\nlate\r\n+PONG\r\n+PONG\r\n");
	assert_int_equal(commands.gone, 0);
	say(fd, "brief\r\nping\r\n");
	hear(fd, "+OK\r\n+PONG\r\n");
	close(fd);
	close(other);
}

static void
test_gone(void **state)
{
	struct linger hard = {.l_onoff = 1};
	char text[64];
	int fd, other;

	(void)state;
	start();
	server->limits.tick_ms = 5;
	/* gone with a reset */
	fd = dial();
	say(fd, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	WAIT_FOR(commands.gone == 1);
	/* gone quietly: after a while */
	server->limits.half_ms = 50;
	fd = dial();
	say(fd, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	close(fd);
	WAIT_FOR(commands.gone == 2);
	/* killed by another */
	fd = dial();
	other = dial();
	say(fd, "id\r\nwait\r\nping\r\n");
	hear(fd, ":3\r\n");
	WAIT_FOR(commands.waiting != NULL);
	snprintf(text, sizeof(text), "kill 3\r\nkill 3\r\n");
	say(other, text);
	hear(other, ":1\r\n:0\r\n");
	WAIT_FOR(commands.gone == 3);
	hear_end(fd);
	/* shut on its side only: it has its answer, and what it had sent after it */
	server->limits.half_ms = 3600 * 1000;
	fd = dial();
	say(fd, "wait\r\nping\r\n");
	shutdown(fd, SHUT_WR);
	WAIT_FOR(commands.waiting != NULL);
	WAIT_FOR(commands.waiting->half_closed > 2);
	reply_ok(commands.waiting);
	client_done(commands.waiting);
	hear(fd, "+OK\r\n+PONG\r\n");
	hear_end(fd);
	assert_int_equal(commands.gone, 3);
	/* the server's end is theirs */
	commands.waiting = NULL;
	say(other, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	server_free(server);
	server = NULL;
	assert_int_equal(commands.gone, 4);
	close(other);
}

/* A command may wait for long, but not for a client that does not read what it says. */
static void
test_wait_unread(void **state)
{
	static const char block[1 << 20];
	int fd, other, i;

	(void)state;
	start();
	server->limits.tick_ms = 5;
	other = dial();
	say(other, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	fd = dial();
	commands.waiting = NULL;
	say(fd, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	for (i = 0; i < 16; i++) /* more than the sockets take */
		reply_bulk(commands.waiting, block, sizeof(block));
	server->limits.idle_ms = 50;
	WAIT_FOR(commands.gone == 1);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 1);
	assert_int_equal(server->queued, 0);
	assert_int_equal(server->nclients, 1); /* who got nothing yet */
	close(fd);
	close(other);
}

/* A client that sends no more, with a long answer: as long as some of it comes. */
static void
test_half_closed(void **state)
{
	static char block[1 << 20], got[sizeof(block) + 13];
	struct client *reader;
	int fd, other, i;

	(void)state;
	start();
	server->limits.tick_ms = 5;
	server->limits.half_ms = 3600 * 1000;
	fd = dial();
	say(fd, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	reader = commands.waiting;
	shutdown(fd, SHUT_WR);
	WAIT_FOR(reader->half_closed > 20);
	reply_ok(reader);
	hear(fd, "+OK\r\n");
	assert_true(reader->half_closed < 10);
	/* nor does it count while it has to read; another that waits is the clock */
	memset(block, 'x', sizeof(block));
	for (i = 0; i < 16; i++) /* more than the sockets take */
		reply_bulk(reader, block, sizeof(block));
	other = dial();
	commands.waiting = NULL;
	say(other, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	server->limits.half_ms = 100;
	shutdown(other, SHUT_WR);
	hear_end(other);
	WAIT_FOR(commands.gone == 1);
	server->limits.half_ms = 3600 * 1000;
	for (i = 0; i < 16; i++) {
		hear(fd, "$1048576\r\n");
		assert_int_equal(hear_bytes(fd, got, sizeof(block) + 2),
		    sizeof(block) + 2);
		assert_memory_equal(got, block, sizeof(block));
	}
	client_done(reader);
	hear_end(fd);
	assert_int_equal(commands.gone, 1);
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 0);
}

static void
test_kill_self(void **state)
{
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "kill 1\r\nping\r\n");
	hear(fd, ":1\r\n");
	hear_end(fd);
	assert_int_equal(commands.run, 1);
	/* cut off in the midst of its own command, which goes on */
	server->limits.output = 20;
	fd = dial();
	say(fd, "types\r\n");
	hear_end(fd);
	WAIT_FOR(server->nclients == 0);
}

/* --- MULTI, names --- */

static void
test_multi(void **state)
{
	static char large[300000];
	unsigned i;
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "multi\r\nadd set k v\r\nadd get \"\"\r\nexec\r\n");
	hear(fd,
	    "+OK\r\n+QUEUED\r\n+QUEUED\r\n:0\r\n*2\r\n"
	    "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n"
	    "*2\r\n$3\r\nget\r\n$0\r\n\r\n");
	say(fd, "multi\r\n");
	hear(fd, "+OK\r\n");
	for (i = 0; i < CLIENT_QUEUE_MAX; i++) {
		say(fd, "add ping\r\n");
		hear(fd, "+QUEUED\r\n");
	}
	assert_int_equal(client_multi_count(TAILQ_FIRST(&server->clients)), i);
	say(fd, "add ping\r\n");
	hear(fd, "-ERR full\r\n");
	assert_true(client_multi_spoiled(TAILQ_FIRST(&server->clients)));
	say(fd, "reset\r\nmulti\r\n");
	hear(fd, "+RESET\r\n+OK\r\n");
	memset(large, 'l', sizeof(large));
	for (i = 0; i < 4; i++) {
		say(fd, "*2\r\n$3\r\nadd\r\n$300000\r\n");
		say_bytes(fd, large, sizeof(large));
		say(fd, "\r\n");
		hear(fd, i < 3 ? "+QUEUED\r\n" : "-ERR full\r\n");
	}
	close(fd); /* with a queue */
}

static void
test_line(void **state)
{
	char got[512] = "", want[512], *p;
	int fd, fd2;

	(void)state;
	start();
	fd = dial();
	say(fd, "setname bob\r\nsetname \"a b\"\r\nsetname \"a\\n\"\r\n");
	hear(fd, ":1\r\n:0\r\n:0\r\n");
	snprintf(want, sizeof(want), "setname %065d\r\n", 0);
	say(fd, want);
	hear(fd, ":0\r\n");
	fd2 = dial();
	ping(fd2);
	say(fd2, "multi\r\n");
	hear(fd2, "+OK\r\n");
	assert_true(client_set_library(TAILQ_FIRST(&server->clients), false, "lib", 3));
	assert_false(client_set_library(TAILQ_FIRST(&server->clients), true, "1 0", 3));
	say(fd, "list\r\n");
	assert_true(hear_bytes(fd, got, 400) == 400);
	assert_memory_equal(got, "*2\r\n$", 5);
	p = strstr(got, "id=");
	assert_non_null(p);
	snprintf(want, sizeof(want), "id=1 addr=127.0.0.1:");
	assert_memory_equal(p, want, strlen(want));
	snprintf(want, sizeof(want), " laddr=127.0.0.1:%u fd=", server_port(server));
	assert_non_null(strstr(p, want));
	assert_non_null(strstr(p,
	    " name=bob age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=6 "
	    "qbuf-free="));
	assert_non_null(strstr(p, " argv-mem=4 multi-mem=0 rbs=0 rbp="));
	assert_non_null(strstr(p,
	    " events=r cmd=list user=default redir=-1 resp=2 lib-name=lib lib-ver=\n"));
	/* the name of a command is no way into another line */
	say(fd2, "*2\r\n$6\r\nCLIENT\r\n$6\r\nLI ST\n\r\n");
	hear(fd2, "-ERR unknown command\r\n");
	client_line(TAILQ_LAST(&server->clients, client_list), got, sizeof(got));
	assert_non_null(strstr(got, " flags=x "));
	assert_non_null(strstr(got, " multi=0 "));
	assert_non_null(strstr(got, " cmd=client|li?st? user=default "));
	assert_int_equal(client_line(TAILQ_FIRST(&server->clients), got, 10), 9);
	close(fd);
	close(fd2);
}

/* --- sockets --- */

static void
test_loopback(void **state)
{
	char err[256] = "", port[16], want[64];
	struct server *other;
	int fd;

	(void)state;
	start_at("0", NULL);
	assert_true(server_port(server) != 0);
	snprintf(want, sizeof(want), "127.0.0.1:%u", server_port(server));
	assert_memory_equal(server_addresses(server), want, strlen(want));
	fd = dial();
	ping(fd);
	/* the port is taken: an error, unless nobody insisted */
	snprintf(port, sizeof(port), "%u", server_port(server));
	assert_null(open_server(port, NULL, false, err));
	assert_non_null(strstr(err, port));
	assert_non_null(strstr(err, strerror(EADDRINUSE)));
	other = open_server(port, NULL, true, err);
	assert_non_null(other);
	assert_string_equal(server_addresses(other), "");
	assert_int_equal(server_port(other), 0);
	server_free(other);
	assert_null(open_server("no.such.host.invalid:1", NULL, true, err));
	commands.server = server;
	ping(fd);
	close(fd);
}

static int
dial_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1 && strlen(path) < sizeof(un.sun_path));
	strcpy(un.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void
test_unix(void **state)
{
	char folder[] = "/tmp/t_server.XXXXXX", path[64], spec[80], link[64], err[256];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(link, sizeof(link), "%s/l", folder);
	snprintf(spec, sizeof(spec), "unix:%s", path);
	umask(0);
	start_at(spec, NULL);
	assert_int_equal(umask(022), 0); /* it was put back */
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_string_equal(server_addresses(server), spec);
	server_chown(server, getuid(), getgid());
	fd = dial_unix(path);
	ping(fd);
	assert_non_null(strstr(client_address(TAILQ_FIRST(&server->clients)), path));
	/* somebody listens: it stays his */
	assert_null(open_server(spec, NULL, false, err));
	assert_non_null(strstr(err, strerror(EADDRINUSE)));
	commands.server = server;
	ping(fd);
	close(fd);
	/* left by one that died: its name is there, nobody listens */
	assert_int_equal(rename(path, link), 0);
	server_free(server);
	assert_int_equal(lstat(link, &st), 0);
	assert_int_equal(rename(link, path), 0);
	start_at(spec, NULL);
	ping(fd = dial_unix(path));
	close(fd);
	server_free(server);
	server = NULL;
	assert_int_equal(lstat(path, &st), -1);
	/* what is no socket is not touched, nor followed */
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_null(open_server(spec, NULL, true, err));
	assert_int_equal(symlink(path, link), 0);
	snprintf(spec, sizeof(spec), "unix:%s", link);
	assert_null(open_server(spec, NULL, true, err));
	assert_int_equal(lstat(link, &st), 0);
	assert_int_equal(lstat(path, &st), 0);
	unlink(path);
	unlink(link);
	assert_int_equal(rmdir(folder), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_types),
	    TEST(test_replies_off),
	    TEST(test_protocol),
	    TEST(test_last_words),
	    TEST(test_quit),
	    TEST(test_browser),
	    TEST(test_turns),
	    TEST(test_crowd),
	    TEST(test_thousand),
	    TEST(test_local),
	    TEST(test_protected),
	    TEST(test_password),
	    TEST(test_password_pause),
	    TEST(test_stranger),
	    TEST(test_idle),
	    TEST(test_output),
	    TEST(test_pause),
	    TEST(test_output_all),
	    TEST(test_wait),
	    TEST(test_gone),
	    TEST(test_wait_unread),
	    TEST(test_half_closed),
	    TEST(test_kill_self),
	    TEST(test_multi),
	    TEST(test_line),
	    TEST(test_loopback),
	    TEST(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
