/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_server_pubsub.c -- subscriptions in both protocols, messages, who wants them, who
 * is too slow for them; MONITOR.
 */
#include "server_rig.h"

static void
rig_interest(void *arg)
{
	struct commands *c = arg;

	c->interest++;
}

static unsigned
publish(const char *channel, const char *msg)
{
	return server_publish(server, channel, strlen(channel), msg, strlen(msg));
}

static void
test_resp2(void **state)
{
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "subscribe a b a\r\n");
	hear(fd,
	    "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
	    "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
	    "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:2\r\n");
	say(fd, "psubscribe a* *\r\n");
	hear(fd,
	    "*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:3\r\n"
	    "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:4\r\n");
	assert_int_equal(publish("a", "x"), 3);
	hear(fd,
	    "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
	    "*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$1\r\nx\r\n"
	    "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\nx\r\n");
	assert_int_equal(counted(COUNTER_RESP_MESSAGES), 3);
	say(fd, "punsubscribe a* nothing\r\nunsubscribe b\r\n");
	hear(fd,
	    "*3\r\n$12\r\npunsubscribe\r\n$2\r\na*\r\n:3\r\n"
	    "*3\r\n$12\r\npunsubscribe\r\n$7\r\nnothing\r\n:3\r\n"
	    "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:2\r\n");
	assert_int_equal(publish("b", ""), 1);
	hear(fd, "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nb\r\n$0\r\n\r\n");
	/* from all; from nothing: one answer each */
	say(fd, "unsubscribe\r\nunsubscribe\r\npunsubscribe\r\npunsubscribe\r\n");
	hear(fd,
	    "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"
	    "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n"
	    "*3\r\n$12\r\npunsubscribe\r\n$1\r\n*\r\n:0\r\n"
	    "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n");
	assert_int_equal(publish("a", "x"), 0);
	ping(fd);
	close(fd);
}

static void
test_resp3(void **state)
{
	int fd;

	(void)state;
	start();
	fd = dial();
	say(fd, "hello 3\r\nsubscribe a\r\npsubscribe ?\r\n");
	hear(fd,
	    "+OK\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
	    ">3\r\n$10\r\npsubscribe\r\n$1\r\n?\r\n:2\r\n");
	/* its own messages come after the reply, never inside one */
	say(fd, "publish a m\r\nping\r\n");
	hear(fd,
	    ":2\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n"
	    ">4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\na\r\n$1\r\nm\r\n+PONG\r\n");
	say(fd, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	reply_array(commands.waiting, 2);
	reply_int(commands.waiting, 1);
	assert_int_equal(publish("a", "n"), 2);
	reply_int(commands.waiting, 2);
	client_done(commands.waiting);
	hear(fd, "*2\r\n:1\r\n:2\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nn\r\n");
	hear(fd, ">4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\na\r\n$1\r\nn\r\n");
	say(fd, "unsubscribe\r\nunsubscribe\r\n");
	hear(fd,
	    ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n"
	    ">3\r\n$11\r\nunsubscribe\r\n_\r\n:1\r\n");
	close(fd);
}

static void
add_name(void *arg, const char *channel, size_t len)
{
	char *names = arg;

	strncat(names, channel, len);
	strcat(names, ",");
}

/* Who wants what, as it changes. */
static void
test_interest(void **state)
{
	char names[64] = "";
	struct server_stats st;
	int a, b;

	(void)state;
	start();
	server_on_interest(server, rig_interest, &commands);
	assert_false(server_wanted(server, "dns"));
	a = dial();
	b = dial();
	say(a, "subscribe dns\r\n");
	hear(a, "*3\r\n$9\r\nsubscribe\r\n$3\r\ndns\r\n:1\r\n");
	assert_int_equal(commands.interest, 1);
	assert_true(server_wanted(server, "dns"));
	assert_false(server_wanted(server, "dn"));
	say(b, "subscribe dns dns\r\npsubscribe flow.*\r\n");
	hear(b,
	    "*3\r\n$9\r\nsubscribe\r\n$3\r\ndns\r\n:1\r\n"
	    "*3\r\n$9\r\nsubscribe\r\n$3\r\ndns\r\n:1\r\n"
	    "*3\r\n$10\r\npsubscribe\r\n$6\r\nflow.*\r\n:2\r\n");
	assert_int_equal(commands.interest, 2);
	assert_true(server_wanted(server, "flow.new"));
	assert_false(server_wanted(server, "flow"));
	assert_int_equal(server_subscribers(server, "dns", 3), 2);
	assert_int_equal(server_subscribers(server, "flow.new", 8), 0);
	assert_int_equal(server_patterns(server), 1);
	assert_int_equal(server_channels(server, NULL, 0, add_name, names), 1);
	assert_string_equal(names, "dns,");
	assert_int_equal(server_channels(server, "x*", 2, add_name, names), 0);
	assert_int_equal(server_channels(server, "d*", 2, NULL, NULL), 1);
	server_stats(server, &st);
	assert_int_equal(st.channels, 1);
	assert_int_equal(st.patterns, 1);
	assert_int_equal(st.subscribers, 2);
	/* who goes leaves nothing behind */
	close(b);
	WAIT_FOR(!server_wanted(server, "flow.new"));
	assert_int_equal(commands.interest, 3);
	assert_int_equal(server_subscribers(server, "dns", 3), 1);
	say(a, "reset\r\n");
	hear(a, "+RESET\r\n");
	assert_int_equal(commands.interest, 4);
	assert_false(server_wanted(server, "dns"));
	assert_null(server->subscriptions);
	close(a);
}

/* Many at once are told of once: in a command, in a turn, at the end of a client. */
static void
test_interest_once(void **state)
{
	static const char confirmed[] =
	    "*3\r\n$9\r\nsubscribe\r\n$4\r\nlate\r\n:1\r\n";
	char text[4096], name[16], want[64];
	size_t len;
	unsigned i, k;
	int a, b;

	(void)state;
	start();
	server->limits.turn_us = 3600 * 1000000U;
	server_on_interest(server, rig_interest, &commands);
	a = dial();
	b = dial();
	for (k = 0; k < 2; k++) {
		len = 0;
		for (i = 0; i < 200; i++) /* one command, then many of a turn */
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u*%s",
			    i == 0 || k == 1 ? "psubscribe " : " ", 200 * k + i,
			    i == 199 || k == 1 ? "\r\n" : "");
		say(a, text);
		for (i = 200 * k; i < 200 * (k + 1); i++) {
			snprintf(name, sizeof(name), "%u*", i);
			snprintf(want, sizeof(want),
			    "*3\r\n$10\r\npsubscribe\r\n$%zu\r\n%s\r\n:%u\r\n",
			    strlen(name), name, i + 1);
			hear(a, want);
			assert_int_equal(commands.interest, k + 1);
		}
	}
	assert_int_equal(server_patterns(server), 400);
	close(a);
	WAIT_FOR(server_patterns(server) == 0);
	assert_int_equal(commands.interest, 3);
	/* outside of a turn: from the loop, before the confirmation */
	say(b, "wait\r\n");
	WAIT_FOR(commands.waiting != NULL);
	assert_true(client_subscribe(commands.waiting, "late", 4, false));
	assert_true(client_subscribe(commands.waiting, "later", 5, false));
	hear(b, confirmed);
	assert_int_equal(commands.interest, 4);
	server_on_interest(server, NULL, NULL);
	close(b);
}

static void
test_bounds(void **state)
{
	char text[600], want[400];
	unsigned i;
	int fd;

	(void)state;
	start();
	server->limits.patterns = 2;
	fd = dial();
	say(fd, "psubscribe 1 2 3 1\r\n");
	hear(fd,
	    "*3\r\n$10\r\npsubscribe\r\n$1\r\n1\r\n:1\r\n"
	    "*3\r\n$10\r\npsubscribe\r\n$1\r\n2\r\n:2\r\n-ERR refused\r\n"
	    "*3\r\n$10\r\npsubscribe\r\n$1\r\n1\r\n:2\r\n");
	snprintf(text, sizeof(text), "subscribe %0256d %0257d\r\n", 0, 0);
	say(fd, text);
	snprintf(want, sizeof(want),
	    "*3\r\n$9\r\nsubscribe\r\n$256\r\n%0256d\r\n:3\r\n-ERR refused\r\n", 0);
	hear(fd, want);
	for (i = 4; i <= CLIENT_SUBSCRIPTIONS; i++) {
		snprintf(text, sizeof(text), "subscribe c%04u\r\n", i);
		say(fd, text);
		snprintf(want, sizeof(want),
		    "*3\r\n$9\r\nsubscribe\r\n$5\r\nc%04u\r\n:%u\r\n", i, i);
		hear(fd, want);
	}
	say(fd, "subscribe more c0004\r\n");
	snprintf(want, sizeof(want),
	    "-ERR refused\r\n*3\r\n$9\r\nsubscribe\r\n$5\r\nc0004\r\n:%u\r\n",
	    CLIENT_SUBSCRIPTIONS);
	hear(fd, want);
	close(fd);
}

/* Who does not read is cut off; the others notice nothing. */
static void
test_slow(void **state)
{
	static const char head[] =
	    "*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$1\r\nc\r\n$9999\r\n";
	static char message[10000], got[sizeof(head) - 1 + 9999 + 2];
	unsigned i;
	int slow, good;

	(void)state;
	start();
	server->limits.output_pushed = 65536;
	slow = dial();
	say(slow, "subscribe c\r\n");
	hear(slow, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
	good = dial();
	say(good, "psubscribe c*\r\n");
	hear(good, "*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:1\r\n");
	memset(message, 'm', sizeof(message) - 1);
	for (i = 0; counted(COUNTER_RESP_CUT_OFF) == 0; i++) {
		assert_true(i < 100000); /* a gigabyte: no socket takes that */
		assert_in_range(publish("c", message), 1, 2);
		assert_int_equal(hear_bytes(good, got, sizeof(got)), sizeof(got));
		assert_memory_equal(got, head, sizeof(head) - 1);
	}
	assert_int_equal(server->nclients, 1);
	assert_int_equal(publish("c", "end"), 1);
	hear(good, "*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$1\r\nc\r\n$3\r\nend\r\n");
	while (recv(slow, got, sizeof(got), 0) > 0)
		;
	hear_end(slow);
	close(good);
}

static void
test_monitor(void **state)
{
	char got[512] = "", want[128];
	static const char odd[] =
	    "*3\r\n$4\r\nEcho\r\n$2\r\n\"\\\r\n$8\r\n\n\r\t\a\b\0\xffz\r\n";
	int m, fd;
	size_t n;

	(void)state;
	start();
	m = dial();
	say(m, "monitor\r\n");
	hear(m, "+OK\r\n");
	fd = dial();
	say_bytes(fd, odd, sizeof(odd) - 1);
	n = hear_bytes(fd, got, 14);
	assert_int_equal(n, 14);
	say(fd, "auth secret\r\nHELLO 3\r\nping\r\n");
	hear(fd, "+OK\r\n+OK\r\n+PONG\r\n");
	snprintf(want, sizeof(want), " [0 %s] ",
	    client_address(client_find(server, 2, false)));
	assert_int_equal(hear_bytes(m, got, 20), 20);
	assert_true(
	    got[0] == '+' && got[11] == '.' && got[18] == ' ' && got[19] == '[');
	hear(m, want + 2);
	hear(m, "\"Echo\" \"\\\"\\\\\" \"\\n\\r\\t\\a\\b\\x00\\xffz\"\r\n");
	assert_int_equal(hear_bytes(m, got, 20), 20); /* nothing of AUTH and HELLO */
	hear(m, want + 2);
	hear(m, "\"ping\"\r\n");
	/* a monitor's own requests and replies do not mix */
	say(m, "ping\r\n");
	hear(m, "+PONG\r\n+");
	/* one that does not read is cut off */
	server->limits.output_pushed = 100000;
	n = 0;
	while (counted(COUNTER_RESP_CUT_OFF) == 0 && n++ < 1000000) {
		say(fd, "echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
		while (recv(fd, got, sizeof(got), 0) > 0)
			;
	}
	assert_int_equal(counted(COUNTER_RESP_CUT_OFF), 1);
	close(m);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_resp2),
	    TEST(test_resp3),
	    TEST(test_interest),
	    TEST(test_interest_once),
	    TEST(test_bounds),
	    TEST(test_slow),
	    TEST(test_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
