/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_reader_faults.c -- nodes that hang, die, come back, close, lie, or are named by a
 * sentinel; and too many questions. Without redis-server only the lies are tested.
 */
#include "reader_rig.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

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
	open_reader(400);
	await_back("k", "v");
	kill(servers[0].pid, SIGSTOP);
	ticks = 0;
	start = ms();
	assert_true(ask("x", NULL, &got[0]));
	assert_true(ask("y", NULL, &got[0]));
	await(&got[0], 2);
	assert_false(got[0].a.known);
	assert_true(ms() - start >= 390);
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

static void
test_two_nodes(void **state)
{
	const char *keys[2][2] = {{"a", "b"}, {"b2", "a2"}};

	(void)state;
	config.redis.n = 2;
	tell(0, "MSET a %s a2 %s", "A", "A2");
	tell(1, "SET b %s", "B");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("a", NULL), "A");
	assert_string_equal(answer("b", NULL), "B");
	reader_forget(reader, "a");
	reader_forget(reader, "b");
	/* The second hangs. Who needs the first only is answered meanwhile, */
	kill(servers[1].pid, SIGSTOP);
	assert_true(reader_ask(reader, keys[1], 2, NULL, on_answer, &got[1]));
	assert_true(reader_ask(reader, keys[0], 2, NULL, on_answer, &got[0]));
	await(&got[0], 1);
	assert_string_equal(got[0].a.value, "A");
	assert_string_equal(answer("a2", NULL), "A2");
	/* the others later. */
	assert_int_equal(got[1].n, 0);
	kill(servers[1].pid, SIGCONT);
	await(&got[1], 1);
	assert_int_equal(got[1].a.which, 1);
	assert_string_equal(got[1].a.value, "A2");
}

/* What the one that answers knows is not certain if the other's key comes before. */
static void
test_one_of_two(void **state)
{
	const char *keys[2][2] = {{"a", "b"}, {"b", "a"}};

	(void)state;
	config.redis.n = 2;
	address[1].port = (int)free_port();
	tell(0, "SET a %s", "A");
	open_reader(PATIENCE_MS);
	assert_true(reader_ask(reader, keys[1], 2, NULL, on_answer, &got[1]));
	await(&got[1], 1);
	assert_false(got[1].a.known);
	assert_false(got[1].a.found);
	assert_true(reader_ask(reader, keys[0], 2, NULL, on_answer, &got[0]));
	await(&got[0], 1);
	assert_string_equal(got[0].a.value, "A");
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
static bool say_close; /* and nothing more */
static unsigned gone;  /* connections the reader closed */

static void
on_said(struct bufferevent *bev, void *arg)
{
	(void)arg;
	if (say_close)
		shutdown(bufferevent_getfd(bev), SHUT_WR);
}

static void
on_heard(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);

	evbuffer_drain(in, evbuffer_get_length(in));
	if (say_len > 0)
		bufferevent_write(bev, say, say_len);
	else
		on_said(bev, arg);
}

static void
on_gone(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	gone++;
	bufferevent_free(bev);
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
    void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(
	    evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);

	(void)sa;
	(void)len;
	(void)arg;
	bufferevent_setcb(bev, on_heard, on_said, on_gone, NULL);
	bufferevent_enable(bev, EV_READ);
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

/* Servers may close what is idle: no failure, and the next question is asked. */
static void
test_closed_idle(void **state)
{
	struct evconnlistener *peer = open_peer(&address[0].port);
	static const char *const keys[] = {"a", "b", "c"};
	uint64_t end = ms() + PATIENCE_MS;

	(void)state;
	say = "$2\r\nhi\r\n";
	say_len = strlen(say);
	say_close = true;
	gone = 0;
	open_reader(PATIENCE_MS);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(answer(keys[i], NULL), "hi");
		while (gone <= i && ms() < end)
			event_base_loop(base, EVLOOP_ONCE);
	}
	assert_int_equal(stats().failed, 0);
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
		{(char *)"s", (char *)"127.0.0.1", (int)free_port(), NULL, false},
		{(char *)"s", (char *)"127.0.0.1", 0, NULL, false}};
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
	/* Made a replica, its answers do not count. Then it is a master again. */
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

int
main(void)
{
	const struct CMUnitTest alone[] = {
		TEST(test_odd_answers),
		TEST(test_endless_answer),
		TEST(test_closed_idle),
	};
	const struct CMUnitTest with_servers[] = {
		TEST(test_hangs),
		TEST(test_restarted),
		TEST(test_two_nodes),
		TEST(test_one_of_two),
		TEST(test_limits),
		TEST(test_sentinel),
	};
	int rc;

	if (rig_begin() == -1)
		return 1;
	rc = cmocka_run_group_tests(alone, NULL, NULL);
	if (have_redis()) {
		rc += cmocka_run_group_tests(with_servers, start_servers, stop_servers);
	} else if (rc == 0) {
		printf("SKIP: redis-server is not installed\n");
		rc = SKIPPED;
	}
	rig_end();
	return rc;
}
