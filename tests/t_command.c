/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_command.c -- requests from the outside: connection, checks, MULTI, channels, INFO,
 * CONFIG, COMMAND; and anything at all.
 * Longer than 800 lines: clients ask for as many things.
 */
#include "command_rig.h"

#include <sys/resource.h>

#include "client.h"
#include "command_int.h"

static void
test_connection(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "PING", "+PONG");
	expect(&r, "ping hello", "\"hello\"");
	expect(&r, "PING a b", "-ERR wrong number of arguments for 'ping' command");
	expect(&r, "ECHO \1", "\" \"");
	expect(&r, "ECHO", "-ERR wrong number of arguments for 'echo' command");
	expect(&r, "SELECT 0", "+OK");
	expect(&r, "SELECT 1", "-ERR DB index is out of range");
	expect(&r, "SELECT x", "-ERR value is not an integer or out of range");
	expect(&r, "nosuch a b\1c",
	    "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b c' ");
	expect(&r, "nosuch", "-ERR unknown command 'nosuch', with args beginning with: ");
	expect(&r, "CONFIG", "-ERR wrong number of arguments for 'config' command");
	expect(&r, "config nosuch", "-ERR unknown subcommand 'nosuch'. Try CONFIG HELP.");
	expect(&r, "config get", "-ERR wrong number of arguments for 'config|get' command");
	expect(&r, "TIME x", "-ERR wrong number of arguments for 'time' command");
	expect(&r, "QUIT", "+OK");
	assert_true(rig_is_closed(&r, 0));
	rig_close(&r);
}

static void
test_hello(void **state)
{
	struct rig r;
	char want[256];

	(void)state;
	rig_open(&r, NULL);
	snprintf(want, sizeof(want),
	    "[\"server\", \"redis\", \"version\", \"7.0.15\", \"proto\", :2, \"id\", :1,"
	    " \"mode\", \"standalone\", \"role\", \"master\", \"modules\", []]");
	expect(&r, "HELLO", want);
	expect(&r, "HELLO 2", want);
	expect(&r, "HELLO 4", "-NOPROTO unsupported protocol version");
	expect(&r, "HELLO x", "-ERR Protocol version is not an integer or out of range");
	expect(&r, "HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'");
	expect(&r, "HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'");
	expect(&r, "HELLO 3 SETNAME a\1b", "-ERR Client names cannot contain spaces, newlines "
					   "or special characters.");
	expect(&r, "GET nokey", "nil");
	assert_non_null(strstr(ask(&r, "HELLO 3 SETNAME me"), "%[\"server\""));
	expect(&r, "CLIENT GETNAME", "\"me\"");
	expect(&r, "GET nokey", "_");
	expect(&r, "HGETALL nokey", "%[]");
	expect(&r, "SMEMBERS nokey", "~[]");
	expect(&r, "RESET", "+RESET");
	expect(&r, "GET nokey", "nil");
	expect(&r, "CLIENT GETNAME", "nil");
	rig_close(&r);
}

static void
test_password(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "secret");
	expect(&r, "GET a", "-NOAUTH Authentication required.");
	expect(&r, "PING", "-NOAUTH Authentication required.");
	expect(&r, "GET", "-ERR wrong number of arguments for 'get' command");
	expect(&r, "CLIENT HELP", "-ERR unknown subcommand 'HELP'. Try CLIENT HELP.");
	assert_non_null(strstr(ask(&r, "HELLO 3"), "-NOAUTH HELLO must be called"));
	expect(&r, "AUTH a b c", "-ERR syntax error");
	expect(&r, "AUTH secret", "+OK");
	expect(&r, "GET a", "nil");
	expect(&r, "ACL LIST", "[\"user default on ~* &* +@all\"]");
	rig_connect(&r, 1);
	assert_string_equal(ask_as(&r, 1, "AUTH default wrong"),
	    "-WRONGPASS invalid username-password pair or user is disabled.");
	rig_connect(&r, 2);
	assert_non_null(strstr(ask_as(&r, 2, "HELLO 3 AUTH default secret"), "%[\"server\""));
	assert_string_equal(ask_as(&r, 2, "PING"), "+PONG");
	rig_close(&r);
	rig_open(&r, NULL);
	assert_non_null(strstr(ask(&r, "AUTH x"), "-ERR AUTH <password> called without"));
	expect(&r, "AUTH default anything", "+OK");
	rig_close(&r);
}

static void
test_client(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "CLIENT ID", ":1");
	expect(&r, "CLIENT GETNAME", "nil");
	expect(&r, "CLIENT SETNAME one", "+OK");
	expect(&r, "client getname", "\"one\"");
	expect(&r, "CLIENT SETINFO LIB-NAME x", "+OK");
	expect(&r, "CLIENT SETINFO lib-ver 1.0", "+OK");
	expect(&r, "CLIENT SETINFO lib-foo 1.0", "-ERR Unrecognized option 'lib-foo'");
	rig_connect(&r, 1);
	assert_string_equal(ask_as(&r, 1, "CLIENT ID"), ":2");
	assert_non_null(strstr(ask(&r, "CLIENT LIST"), "\"id=1 "));
	assert_non_null(strstr(r.text, "\nid=2 "));
	assert_null(strstr(ask(&r, "CLIENT INFO"), "id=2 "));
	assert_null(strstr(ask(&r, "CLIENT LIST ID 2 9"), "id=1 "));
	assert_non_null(strstr(r.text, "id=2 "));
	expect(&r, "CLIENT LIST ID x", "-ERR Invalid client ID");
	expect(&r, "CLIENT LIST TYPE pubsub", "\"\"");
	expect(&r, "CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'");
	expect(&r, "CLIENT LIST foo", "-ERR syntax error");
	expect(&r, "CLIENT NO-EVICT on", "+OK");
	expect(&r, "CLIENT NO-EVICT x", "-ERR syntax error");
	expect(&r, "CLIENT TRACKINGINFO", "[\"flags\", [\"off\"], \"redirect\", :-1, "
					  "\"prefixes\", []]");
	expect(&r, "CLIENT KILL ID x", "-ERR client-id should be greater than 0");
	expect(&r, "CLIENT KILL ID 99", ":0");
	expect(&r, "CLIENT KILL 1.2.3.4:5", "-ERR No such client");
	expect(&r, "CLIENT KILL ID 1", ":0"); /* not oneself, unless asked for */
	expect(&r, "CLIENT KILL ID 2", ":1");
	assert_true(rig_is_closed(&r, 1));
	rig_request(&r, 0, "CLIENT REPLY SKIP");
	rig_request(&r, 0, "ECHO unheard");
	expect(&r, "ECHO heard", "\"heard\"");
	rig_request(&r, 0, "CLIENT REPLY OFF");
	rig_request(&r, 0, "ECHO unheard");
	expect(&r, "CLIENT REPLY ON", "+OK");
	expect(&r, "CLIENT REPLY foo", "-ERR syntax error");
	assert_non_null(strstr(ask(&r, "CLIENT HELP"), "+KILL [addr:port] [ID client-id]"));
	expect(&r, "CLIENT KILL ID 1 SKIPME no", ":1");
	assert_true(rig_is_closed(&r, 0));
	rig_close(&r);
}

static void
test_writes(void **state)
{
	static const char *const writes[] = {"SET a b", "HSET a b c", "DEL a", "FLUSHALL",
		"EXPIRE a 1", "LPUSH a b", "ZADD a 1 b", "FUNCTION FLUSH", "GETEX a",
		"RENAME a b", "XADD a * b c", "SORT a"};
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		expect(&r, writes[i],
		    "-READONLY You can't write against a read only replica.");
	expect(&r, "SET a", "-ERR wrong number of arguments for 'set' command");
	expect(&r, "MULTI", "+OK");
	expect(&r, "SET a b", "-READONLY You can't write against a read only replica.");
	expect(&r, "EXEC", "-EXECABORT Transaction discarded because of previous errors.");
	expect(&r, "SYNC", "-ERR a probe does not do 'sync'");
	expect(&r, "DEBUG SLEEP 1", "-ERR DEBUG command not allowed.");
	rig_close(&r);
}

static void
test_multi(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "EXEC", "-ERR EXEC without MULTI");
	expect(&r, "DISCARD", "-ERR DISCARD without MULTI");
	expect(&r, "WATCH a b", "+OK");
	expect(&r, "UNWATCH", "+OK");
	expect(&r, "MULTI", "+OK");
	expect(&r, "MULTI", "-ERR MULTI calls can not be nested");
	expect(&r, "WATCH a", "-ERR WATCH inside MULTI is not allowed");
	expect(&r, "ECHO a", "+QUEUED");
	expect(&r, "CONFIG GET appendonly", "+QUEUED");
	expect(&r, "GETRANGE a b c", "+QUEUED");
	expect(&r, "EXEC", "[\"a\", [\"appendonly\", \"no\"], "
			   "-ERR value is not an integer or out of range]");
	expect(&r, "MULTI", "+OK");
	expect(&r, "EXEC", "[]");
	expect(&r, "MULTI", "+OK");
	expect(&r, "ECHO a", "+QUEUED");
	expect(&r, "DISCARD", "+OK");
	expect(&r, "ECHO b", "\"b\"");
	expect(&r, "MULTI", "+OK");
	expect(&r, "ECHO", "-ERR wrong number of arguments for 'echo' command");
	expect(&r, "ECHO a", "+QUEUED");
	expect(&r, "EXEC", "-EXECABORT Transaction discarded because of previous errors.");
	expect(&r, "MULTI", "+OK");
	expect(&r, "SAVE", "-ERR Command not allowed inside a transaction");
	expect(&r, "EXEC", "-EXECABORT Transaction discarded because of previous errors.");
	expect(&r, "MULTI", "+OK");
	for (unsigned i = 0; i < CLIENT_QUEUE_MAX; i++)
		expect(&r, "PING", "+QUEUED");
	expect(&r, "PING", "-ERR too much for one transaction");
	expect(&r, "EXEC", "-EXECABORT Transaction discarded because of previous errors.");
	expect(&r, "MULTI", "+OK");
	expect(&r, "RESET", "+RESET");
	expect(&r, "EXEC", "-ERR EXEC without MULTI");
	rig_close(&r);
}

/* One that takes long lets others be served in between, and ends with its client. */
static void
test_multi_long(void **state)
{
	enum { LONG = 200, WORDS = 60 };
	char request[16 + 8 * WORDS] = "CONFIG GET";
	struct rig r;

	(void)state;
	for (unsigned i = 0; i < WORDS; i++)
		strcat(request, " *?zz1*");
	rig_open(&r, NULL);
	rig_connect(&r, 1);
	rig_connect(&r, 2);
	for (unsigned client = 0; client < 2; client++) {
		assert_string_equal(ask_as(&r, client, "MULTI"), "+OK");
		for (unsigned i = 0; i < LONG; i++)
			assert_string_equal(ask_as(&r, client, request), "+QUEUED");
	}
	assert_int_equal(write(r.fd[0], "EXEC\r\n", 6), 6);
	assert_int_equal(write(r.fd[1], "EXEC\r\n", 6), 6);
	assert_int_equal(write(r.fd[2], "CLIENT KILL ID 2\r\n", 18), 18);
	while (!rig_take(&r, 2))
		event_base_loop(r.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_string_equal(rig_reply(&r, 2), ":1");
	rig_take(&r, 0);
	assert_true(r.len[0] < 4 * LONG); /* not all yet */
	assert_true(rig_is_closed(&r, 1));
	assert_int_equal(strlen(rig_reply(&r, 0)), 4 * LONG); /* [[], [], ...] */
	assert_string_equal(ask_as(&r, 0, "PING"), "+PONG");
	rig_close(&r);
}

/* Live flows in a transaction wait, one after the other; the client may go meanwhile. */
static void
test_multi_flows(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	rig_flow(&r, 1);
	rig_flow(&r, 2);
	rig_flow(&r, 3);
	expect(&r, "MULTI", "+OK");
	expect(&r, "HGET flow.tcp.10.0.0.2.1002-192.0.2.1.443 IN_BYTES", "+QUEUED");
	expect(&r, "PING", "+QUEUED");
	expect(&r, "KEYS flow.*", "+QUEUED");
	expect(&r, "EXISTS flow.tcp.10.0.0.2.1002-192.0.2.1.443 flow.tcp.10.0.0.9.1-1.1.1.1.2",
	    "+QUEUED");
	expect(&r, "EXEC", "[\"200\", +PONG, [\"flow.tcp.10.0.0.1.1001-192.0.2.1.443\", "
			   "\"flow.tcp.10.0.0.2.1002-192.0.2.1.443\", "
			   "\"flow.tcp.10.0.0.3.1003-192.0.2.1.443\"], :1]");
	expect(&r, "PING", "+PONG");
	r.alive.silent = true;
	expect(&r, "MULTI", "+OK");
	expect(&r, "HGET flow.tcp.10.0.0.2.1002-192.0.2.1.443 IN_BYTES", "+QUEUED");
	rig_request(&r, 0, "EXEC");
	rig_request(&r, 0, "PING"); /* has to wait */
	rig_connect(&r, 1);
	assert_string_equal(ask_as(&r, 1, "HGET flow.nonsense x"), "nil");
	rig_request(&r, 1, "TYPE flow.tcp.10.0.0.2.1002-192.0.2.1.443");
	assert_true(rig_is_silent(&r, 1));
	rig_take(&r, 0);
	assert_int_equal(r.len[0], 4);
	assert_memory_equal(r.in[0], "*1\r\n", 4);
	assert_int_equal(r.alive.nquestions, 2);
	rig_connect(&r, 2);
	assert_non_null(strstr(ask_as(&r, 2, "CLIENT KILL SKIPME yes"), ":2"));
	assert_true(rig_is_closed(&r, 0));
	assert_true(rig_is_closed(&r, 1));
	assert_int_equal(r.alive.nquestions, 0);
	assert_int_equal(r.alive.forgotten, 2);
	/* and with the server */
	rig_request(&r, 2, "MULTI");
	rig_request(&r, 2, "HGETALL flow.tcp.10.0.0.2.1002-192.0.2.1.443");
	rig_request(&r, 2, "EXEC");
	rig_connect(&r, 3);
	rig_request(&r, 3, "SCAN 0 MATCH flow.*");
	assert_true(rig_is_silent(&r, 3));
	assert_int_equal(r.alive.nquestions, 2);
	rig_close(&r);
}

/* Turns until CONDITION holds. */
#define WAIT_TURNS(r, condition)                     \
	do {                                         \
		time_t until = time(NULL) + 10;      \
		while (!(condition)) {               \
			assert_true(time(NULL) <= until); \
			rig_turn(r);                 \
		}                                    \
	} while (0)

static void
test_questions(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	rig_flow(&r, 1);
	r.alive.limit = 1;
	r.commands->patience_ms = 2;
	expect(&r, "TYPE flow.tcp.10.0.0.1.1001-192.0.2.1.443",
	    "-ERR too many questions about live flows are open; try again");
	expect(&r, "KEYS *", "-ERR too many questions about live flows are open; try again");
	expect(&r, "SCAN 0", "-ERR too many questions about live flows are open; try again");
	expect(&r, "EXISTS flow.tcp.10.0.0.1.1001-192.0.2.1.443",
	    "-ERR too many questions about live flows are open; try again");
	/* each of a transaction waits anew */
	expect(&r, "MULTI", "+OK");
	expect(&r, "PING", "+QUEUED");
	expect(&r, "TYPE flow.tcp.10.0.0.1.1001-192.0.2.1.443", "+QUEUED");
	expect(&r, "KEYS flow.*", "+QUEUED");
	expect(&r, "EXEC",
	    "[+PONG, -ERR too many questions about live flows are open; try again, "
	    "-ERR too many questions about live flows are open; try again]");
	/* for long enough */
	r.commands->patience_ms = 3600 * 1000;
	rig_request(&r, 0, "EXISTS flow.tcp.10.0.0.1.1001-192.0.2.1.443");
	assert_true(rig_is_silent(&r, 0));
	r.alive.limit = 0;
	assert_string_equal(rig_reply(&r, 0), ":1");
	assert_true(TAILQ_EMPTY(&r.commands->asking));
	rig_close(&r);
}

static unsigned
asking(const struct rig *r)
{
	const struct job *j;
	unsigned n = 0;

	TAILQ_FOREACH (j, &r->commands->asking, link)
		n++;
	return n;
}

/* Far more clients than questions may be open: all are answered, in order. */
static void
test_many_questions(void **state)
{
	static const char *const requests[] = {
		"HGETALL flow.tcp.10.0.0.1.1001-192.0.2.1.443", "KEYS flow.*", "SCAN 0",
		"EXISTS flow.tcp.10.0.0.1.1001-192.0.2.1.443 "
		"flow.tcp.10.0.0.2.1002-192.0.2.1.443 "
		"flow.tcp.10.0.0.2.1002-192.0.2.1.443"};
	static struct rig r;
	char hgetall[1024], keys[512], id[2][64];
	struct rlimit files;
	unsigned i, n = 600;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 2 * n + 64)
		n = (unsigned)files.rlim_cur / 2 - 32;
	rig_open(&r, NULL);
	for (i = 1; i <= 3; i++)
		rig_flow(&r, i);
	snprintf(hgetall, sizeof(hgetall), "%s", ask(&r, requests[0]));
	assert_non_null(strstr(hgetall, "\"IN_BYTES\", \"100\""));
	snprintf(keys, sizeof(keys), "%s", ask(&r, requests[1]));
	r.alive.limit = 17; /* 16 at once */
	r.alive.silent = true;
	for (i = 1; i <= n; i++) {
		rig_connect(&r, i);
		rig_turn(&r); /* accepts it: connect() must not wait for that */
	}
	for (i = 1; i <= 2; i++) /* one whose question is open, one who waits */
		snprintf(id[i - 1], sizeof(id[0]), "CLIENT KILL ID %s",
		    ask_as(&r, 20 * i - 19, "CLIENT ID") + 1);
	for (i = 1; i <= n; i++) {
		if (i == 21 || i == 30) {
			assert_string_equal(ask_as(&r, i, "MULTI"), "+OK");
			assert_string_equal(ask_as(&r, i, requests[0]), "+QUEUED");
			assert_string_equal(ask_as(&r, i, requests[3]), "+QUEUED");
			rig_request(&r, i, "EXEC");
		} else {
			rig_request(&r, i, requests[i <= n - 3 ? 0 : i - (n - 3)]);
		}
		assert_int_equal(r.alive.nquestions, i < 16 ? i : 16);
		assert_int_equal(asking(&r), i < 16 ? 0 : i - 16);
	}
	expect(&r, id[0], ":1");
	expect(&r, id[1], ":1");
	assert_true(rig_is_closed(&r, 1));
	assert_true(rig_is_closed(&r, 21));
	WAIT_TURNS(&r, asking(&r) == n - 18);
	assert_int_equal(r.alive.nquestions, 16);
	assert_int_equal(r.alive.forgotten, 1);
	r.alive.silent = false;
	event_active(r.alive.event, 0, 0);
	for (i = 1; i <= n; i++) {
		if (i == 1 || i == 21)
			continue;
		rig_reply(&r, i);
		if (i == 30)
			assert_non_null(strstr(r.text, "\"], :3]"));
		else if (i <= n - 3)
			assert_string_equal(r.text, hgetall);
		else if (i == n - 2)
			assert_string_equal(r.text, keys);
		else if (i == n - 1)
			assert_non_null(strstr(r.text, "192.0.2.1.443\"]]"));
		else
			assert_string_equal(r.text, ":3");
	}
	assert_int_equal(asking(&r), 0);
	rig_close(&r);
}

/* Who came first asks first, also before one who comes when there is room. */
static void
test_questions_in_order(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct question *q;
	char request[96];
	unsigned i;

	(void)state;
	assert_non_null(r);
	rig_open(r, NULL);
	r->alive.limit = 1;
	r->alive.silent = true;
	for (i = 1; i <= 9; i++) {
		rig_flow(r, i);
		rig_connect(r, i);
		snprintf(request, sizeof(request),
		    "TYPE flow.tcp.10.0.0.%u.%u-192.0.2.1.443", i, 1000 + i);
		if (i == 9)
			r->alive.limit = 0;
		rig_request(r, i, request);
	}
	WAIT_TURNS(r, r->alive.nquestions == 9);
	for (i = 1; i <= 9; i++) {
		q = &r->alive.question[i - 1];
		assert_memory_equal(&q->key, &r->alive.flow[i - 1].flow.key, sizeof(q->key));
	}
	r->alive.silent = false;
	event_active(r->alive.event, 0, 0);
	for (i = 1; i <= 9; i++)
		assert_string_equal(rig_reply(r, i), "+hash");
	rig_close(r);
	free(r);
}

static void
test_pubsub(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	rig_connect(&r, 1);
	expect(&r, "SUBSCRIBE a b", "[\"subscribe\", \"a\", :1]");
	assert_string_equal(rig_reply(&r, 0), "[\"subscribe\", \"b\", :2]");
	expect(&r, "GET s", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE "
			    "/ PING / QUIT / RESET are allowed in this context");
	expect(&r, "PING", "[\"pong\", \"\"]");
	expect(&r, "PING x", "[\"pong\", \"x\"]");
	expect(&r, "PSUBSCRIBE c*", "[\"psubscribe\", \"c*\", :3]");
	assert_string_equal(ask_as(&r, 1, "PUBLISH a hi"), ":1");
	assert_string_equal(rig_reply(&r, 0), "[\"message\", \"a\", \"hi\"]");
	assert_string_equal(r.published, "a hi");
	assert_string_equal(ask_as(&r, 1, "PUBLISH cx ho"), ":1");
	assert_string_equal(rig_reply(&r, 0), "[\"pmessage\", \"c*\", \"cx\", \"ho\"]");
	assert_string_equal(ask_as(&r, 1, "PUBLISH z ho"), ":0");
	assert_string_equal(ask_as(&r, 1, "PUBSUB NUMSUB a z"), "[\"a\", :1, \"z\", :0]");
	assert_string_equal(ask_as(&r, 1, "PUBSUB NUMPAT"), ":1");
	assert_string_equal(ask_as(&r, 1, "PUBSUB CHANNELS b*"), "[\"b\"]");
	assert_string_equal(ask_as(&r, 1, "PUBSUB CHANNELS z*"), "[]");
	expect(&r, "UNSUBSCRIBE a", "[\"unsubscribe\", \"a\", :2]");
	expect(&r, "UNSUBSCRIBE", "[\"unsubscribe\", \"b\", :1]");
	expect(&r, "PUNSUBSCRIBE", "[\"punsubscribe\", \"c*\", :0]");
	expect(&r, "UNSUBSCRIBE", "[\"unsubscribe\", nil, :0]");
	expect(&r, "GET s", "nil");
	ask(&r, "HELLO 3");
	expect(&r, "SUBSCRIBE a", ">[\"subscribe\", \"a\", :1]");
	expect(&r, "GET s", "_");
	rig_close(&r);
}

static void
test_monitor(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	rig_connect(&r, 1);
	expect(&r, "MONITOR", "+OK");
	ask_as(&r, 1, "GET a");
	assert_non_null(strstr(rig_reply(&r, 0), "\"GET\" \"a\""));
	ask_as(&r, 1, "AUTH default secret");
	ask_as(&r, 1, "MULTI");
	ask_as(&r, 1, "ECHO b");
	ask_as(&r, 1, "EXEC");
	assert_non_null(strstr(rig_reply(&r, 0), "\"MULTI\""));
	assert_non_null(strstr(rig_reply(&r, 0), "\"EXEC\""));
	assert_non_null(strstr(rig_reply(&r, 0), "\"ECHO\" \"b\""));
	rig_close(&r);
}

static void
test_server(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "ROLE", "[\"master\", :0, []]");
	expect(&r, "LASTSAVE", ":1700000000");
	assert_memory_equal(ask(&r, "TIME"), "[\"1", 3);
	expect(&r, "SLOWLOG GET 5", "[]");
	expect(&r, "SLOWLOG GET x", "-ERR count should be greater than or equal to -1");
	expect(&r, "SLOWLOG LEN", ":0");
	expect(&r, "SLOWLOG RESET", "+OK");
	expect(&r, "LATENCY LATEST", "[]");
	expect(&r, "LATENCY RESET", ":0");
	expect(&r, "MODULE LIST", "[]");
	expect(&r, "CLUSTER INFO", "-ERR This instance has cluster support disabled");
	expect(&r, "ACL WHOAMI", "\"default\"");
	expect(&r, "ACL USERS", "[\"default\"]");
	expect(&r, "ACL GETUSER nobody", "nil");
	expect(&r, "ACL CAT foo", "-ERR Unknown category 'foo'");
	assert_non_null(strstr(ask(&r, "ACL CAT"), "\"dangerous\""));
	assert_non_null(strstr(ask(&r, "ACL CAT dangerous"), "\"config|get\""));
	assert_null(strstr(r.text, "\"hget\""));
	assert_non_null(strstr(ask(&r, "ACL CAT hash"), "\"hget\""));
	expect(&r, "WAIT 0 0", ":0");
	rig_close(&r);
}

static void
test_config(void **state)
{
	struct rig r;
	char want[64];

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "CONFIG GET nosuch", "[]");
	expect(&r, "CONFIG GET save", "[\"save\", \"\"]");
	expect(&r, "CONFIG GET MAXCLIENTS databases",
	    "[\"databases\", \"1\", \"maxclients\", \"1024\"]");
	snprintf(want, sizeof(want), "[\"port\", \"%u\"]", server_port(r.server));
	expect(&r, "CONFIG GET port", want);
	expect(&r, "CONFIG GET mcprobe.max-flows", "[\"mcprobe.max-flows\", \"131072\"]");
	expect(&r, "CONFIG GET mcprobe.no-promisc", "[\"mcprobe.no-promisc\", \"no\"]");
	expect(&r, "CONFIG GET mcprobe.interface", "[\"mcprobe.interface\", \"t.pcap\"]");
	expect(&r, "CONFIG SET maxmemory-policy allkeys-lru", "+OK");
	expect(&r, "CONFIG GET maxmemory-policy", "[\"maxmemory-policy\", \"noeviction\"]");
	expect(&r, "CONFIG SET foo bar",
	    "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'");
	expect(&r, "CONFIG SET port 1", "-ERR CONFIG SET failed (possibly related to argument "
					"'port') - can't set immutable config");
	expect(&r, "CONFIG SET hz 1 port",
	    "-ERR wrong number of arguments for 'config|set' command");
	ask(&r, "HELLO 3");
	expect(&r, "CONFIG GET save", "%[\"save\", \"\"]");
	expect(&r, "CONFIG GET nosuch", "%[]");
	rig_close(&r);
}

/* How often LINE stands at the beginning of a line. */
static unsigned
lines_of(const char *text, const char *line)
{
	size_t len = strlen(line);
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, line)) != NULL; p += len)
		n += p == text || p[-1] == '\n';
	return n;
}

static void
test_info(void **state)
{
	struct respbuf b;
	struct rig r;
	char name[64];

	(void)state;
	rig_open(&r, NULL);
	rig_flow(&r, 1);
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "bytesSent", 5);
	for (int i = 0; i < COUNTER_MAX; i++)
		r.counters.v[i] = 1000000 + (uint64_t)i;
	ask(&r, "INFO");
	for (int i = 0; i < COUNTER_MAX; i++) {
		snprintf(name, sizeof(name), "%s:%u", counter_table[i].name, 1000000 + i);
		if (i < COUNTER_RESP_CONNECTIONS && lines_of(r.text, name) != 1)
			fail_msg("%s stands there %u times", name, lines_of(r.text, name));
		snprintf(name, sizeof(name), "%s:", counter_table[i].name);
		assert_int_equal(lines_of(r.text, name), 1);
	}
	assert_int_equal(lines_of(r.text, "redis_version:7.0.15"), 1);
	assert_int_equal(lines_of(r.text, "probe_id:rig"), 1);
	assert_int_equal(lines_of(r.text, "connected_clients:1"), 1);
	assert_int_equal(lines_of(r.text, "flows_alive:1"), 1);
	assert_int_equal(lines_of(r.text, "keys_ip:1"), 1);
	assert_int_equal(lines_of(r.text, "db0:keys=2,expires=1,avg_ttl=0"), 1);
	assert_int_equal(lines_of(r.text, "# Node0"), 1);
	assert_int_equal(lines_of(r.text, "loading:0"), 1);
	expect(&r, "INFO nosuch", "\"\"");
	expect(&r, "INFO keyspace",
	    "\"# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r\n\"");
	expect(&r, "INFO CLUSTER replication keyspace nosuch cluster x", r.text);
	assert_int_equal(lines_of(r.text, "role:master"), 1);
	assert_int_equal(lines_of(r.text, "cluster_enabled:0"), 1);
	assert_int_equal(lines_of(r.text, "packets:"), 0);
	assert_int_equal(lines_of(ask(&r, "INFO nodes"), "# Node0"), 1);
	assert_int_equal(lines_of(ask(&r, "INFO server"), "# Node0"), 0);
	assert_int_equal(lines_of(ask(&r, "INFO everything"), "flows_alive:1"), 1);
	ask(&r, "HELLO 3");
	assert_memory_equal(ask(&r, "INFO keyspace"), "=txt:# Keyspace", 15);
	respbuf_init(&b);
	command_info(r.commands, "memory", &b);
	resp_bytes(&b, "", 1);
	assert_int_equal(lines_of(b.buf, "used_memory:"), 1);
	assert_int_equal(lines_of(b.buf, "role:"), 0);
	respbuf_clear(&b);
	rig_close(&r);
}

static void
test_command(void **state)
{
	struct rig r;
	FILE *null;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "COMMAND INFO get nosuch",
	    "[[\"get\", :2, [+readonly, +fast], :1, :1, :1, [+@read, +@string, +@fast], [], "
	    "[[\"flags\", [+RO, +access], \"begin_search\", [\"type\", \"index\", \"spec\", "
	    "[\"index\", :1]], \"find_keys\", [\"type\", \"range\", \"spec\", [\"lastkey\", :0, "
	    "\"keystep\", :1, \"limit\", :0]]]], []], nil]");
	expect(&r, "COMMAND INFO config|get",
	    "[[\"config|get\", :-3, [+admin, +noscript, +loading, +stale], :0, :0, :0, "
	    "[+@admin, +@slow, +@dangerous], [], [], []]]");
	expect(&r, "COMMAND DOCS who nosuch",
	    "[\"who\", [\"summary\", \"the user of an address\", \"since\", \"0.1.0\", "
	    "\"group\", \"probe\", \"arguments\", [[\"name\", \"address\", \"type\", "
	    "\"string\"]]]]");
	expect(&r, "COMMAND DOCS client|no-evict",
	    "[\"client|no-evict\", [\"summary\", \"accepted; clients are not evicted\", "
	    "\"since\", \"7.0.0\", \"group\", \"connection\", \"arguments\", [[\"name\", "
	    "\"on_off\", \"type\", \"oneof\", \"arguments\", [[\"name\", \"on\", \"type\", "
	    "\"pure-token\", \"token\", \"ON\"], [\"name\", \"off\", \"type\", \"pure-token\", "
	    "\"token\", \"OFF\"]]]]]]");
	expect(&r, "COMMAND GETKEYS MGET a b", "[\"a\", \"b\"]");
	expect(&r, "COMMAND GETKEYS MEMORY USAGE a", "[\"a\"]");
	expect(&r, "COMMAND GETKEYS MSET a 1 b 2", "[\"a\", \"b\"]");
	expect(&r, "COMMAND GETKEYS PING a", "-ERR The command has no key arguments");
	expect(&r, "COMMAND GETKEYS GET a b",
	    "-ERR Invalid number of arguments specified for command");
	expect(&r, "COMMAND GETKEYS FOO a", "-ERR Invalid command specified");
	expect(&r, "COMMAND LIST FILTERBY PATTERN wh*", "[\"where\", \"who\"]");
	expect(&r, "COMMAND LIST FILTERBY ACLCAT foo", "[]");
	expect(&r, "COMMAND LIST FOO", "-ERR syntax error");
	assert_non_null(strstr(ask(&r, "COMMAND"), "\"zscan\""));
	assert_non_null(strstr(ask(&r, "COMMAND DOCS"), "\"zscan\""));
	ask(&r, "HELLO 3");
	assert_non_null(strstr(ask(&r, "COMMAND INFO get"), "~[+readonly, +fast]"));
	assert_memory_equal(ask(&r, "COMMAND DOCS"), "%[", 2);
	rig_close(&r);
	null = fopen("/dev/null", "w");
	assert_non_null(null);
	command_man(null);
	fclose(null);
}

/* The lists of fields that are shown can be read, with nDPI too: else it would abort. */
static void
test_fields(void **state)
{
	static struct rig r;
	struct commands_setup setup = {.fields = &r.fields, .base = event_base_new()};
	struct commands *c;

	(void)state;
	c = commands_new(&setup);
	assert_non_null(c);
	commands_free(c);
	r.fields.names = (const void *)&r;
	c = commands_new(&setup);
	assert_non_null(c);
	commands_free(c);
	event_base_free(setup.base);
}

/* --- anything --- */

static uint32_t
dice(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(*state >> 4) * n >> 28);
}

static const char *const words[] = {"", "0", "-1", "1", "7", "1000000000000",
	"9223372036854775807", "-9223372036854775808", "x", "*", "ip.*", "flow.*", "*.1",
	"[", "\\", "ip.10.0.0.1", "z.key", "user.ip.10.0.0.1", "nokey", "IN_BYTES", "bytesSent",
	"flow.tcp.10.0.0.1.1001-192.0.2.1.443", "flow.tcp.10.0.0.9.1-192.0.2.1.443", "flow.",
	"flow.tcp.1.2.3.4.99999-1.1.1.1.1", "MATCH", "COUNT", "TYPE", "hash", "WITHSCORES",
	"WITHVALUES", "BYSCORE", "REV", "LIMIT", "(1", "-inf", "+inf", "nan", "ip", "bytes",
	"proto", "10.0.0.1", "2001:db8::1", "yes", "ID", "PATTERN", "FILTERBY", "ACLCAT", "3",
	"SETNAME", "SAMPLES", "get", "config|get", "|", "a|b|c", "all", "nodes", "2"};

#define WORDS (sizeof(words) / sizeof(words[0]))

/* A row's name and some words, mostly as many as it takes. */
static void
add_any(struct respbuf *b, uint32_t *state)
{
	const struct command_row *row;
	unsigned n;

	do {
		row = &command_rows[dice(state, command_row_count)];
	} while (strcmp(row->name, "quit") == 0 || strcmp(row->name, "monitor") == 0 ||
	    strcmp(row->name, "reset") == 0 || strcmp(row->name, "auth") == 0 ||
	    (row->sub != NULL &&
		(strcmp(row->sub, "reply") == 0 || strcmp(row->sub, "kill") == 0)));
	n = (unsigned)abs(row->arity) + (dice(state, 3) == 0 ? dice(state, 5) : 0);
	if (row->arity < 0 && dice(state, 2) == 0)
		n += dice(state, 4);
	if (n < 2)
		n = row->sub != NULL ? 2 : 1;
	resp_head(b, '*', n);
	resp_bulk_text(b, row->name);
	for (unsigned i = 1; i < n; i++) {
		if (i == 1 && row->sub != NULL)
			resp_bulk_text(b, row->sub);
		else if (dice(state, 50) == 0)
			resp_bulk(b, "a\0b\r\n%s\xff", 8);
		else
			resp_bulk_text(b, words[dice(state, WORDS)]);
	}
}

/* Some of anything, in either protocol, in a transaction or not; then all is answered. */
static void
test_anything(void **state)
{
	uint32_t seed = 20261120;
	struct respbuf b;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (unsigned i = 1; i < 8; i++)
		rig_flow(&r, i);
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "bytesSent", 1);
	r.commands->patience_ms = 1;
	respbuf_init(&b);
	for (unsigned i = 0; i < 4000; i++) {
		bool multi = dice(&seed, 3) == 0;

		respbuf_reset(&b);
		if (dice(&seed, 2) == 0)
			resp_bytes(&b, "HELLO 3\r\n", 9);
		if (multi)
			resp_bytes(&b, "MULTI\r\n", 7);
		for (unsigned k = dice(&seed, 4); k > 0; k--)
			add_any(&b, &seed);
		if (multi)
			resp_bytes(&b, "EXEC\r\n", 6);
		resp_bytes(&b, "RESET\r\n", 7);
		r.alive.limit = dice(&seed, 20) == 0;
		rig_send(&r, 0, b.buf, b.len);
		while (strcmp(rig_reply(&r, 0), "+RESET") != 0)
			;
		assert_int_equal(r.len[0], 0);
	}
	respbuf_clear(&b);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_connection),
	    cmocka_unit_test(test_hello),
	    cmocka_unit_test(test_password),
	    cmocka_unit_test(test_client),
	    cmocka_unit_test(test_writes),
	    cmocka_unit_test(test_multi),
	    cmocka_unit_test(test_multi_long),
	    cmocka_unit_test(test_multi_flows),
	    cmocka_unit_test(test_questions),
	    cmocka_unit_test(test_many_questions),
	    cmocka_unit_test(test_questions_in_order),
	    cmocka_unit_test(test_pubsub),
	    cmocka_unit_test(test_monitor),
	    cmocka_unit_test(test_server),
	    cmocka_unit_test(test_config),
	    cmocka_unit_test(test_info),
	    cmocka_unit_test(test_command),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
