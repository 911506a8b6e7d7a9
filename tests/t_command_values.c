/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_command_values.c -- what keys hold: strings, hashes, sorted sets, live flows; and TOP,
 * WHO and WHERE.
 */
#include "command_rig.h"

#include "flowdelta.h"

#define FLOW_1 "flow.tcp.10.0.0.1.1001-192.0.2.1.443"
#define WRONG  "-WRONGTYPE Operation against a key holding the wrong kind of value"

static void
put_user_ip(struct rig *r, const char *addr_text, const char *user)
{
	struct cloud_key *key;
	uint8_t addr[16];

	assert_int_equal(keyname_read_addr(addr, addr_text, strlen(addr_text)), 0);
	key = cloud_key(r->cloud, CLOUD_USER_IP, addr, sizeof(addr));
	assert_non_null(key);
	cloud_put(r->cloud, key, user, strlen(user));
}

/* A tree of hashes with one key, "h.key": bytesSent 5, name a.example. */
static void
put_hash(struct rig *r)
{
	static const struct cloud_tree tree = {.prefix = "h.", .type = CLOUD_HASH, .cap = 16,
		.ttl_s = 300};
	int number = cloud_add_tree(r->cloud, &tree);
	struct cloud_key *key;

	assert_true(number >= 0);
	key = cloud_key(r->cloud, (unsigned)number, "key", 3);
	assert_non_null(key);
	cloud_incr(r->cloud, key, "bytesSent", 5);
	cloud_set(r->cloud, key, "name", "a.example", 9);
}

/* A tree of sorted sets with one key, "z.key": a 1, b 2, c 3 and d 30. */
static void
put_set(struct rig *r)
{
	static const struct cloud_tree tree = {.prefix = "z.", .type = CLOUD_ZSET, .cap = 16,
		.ttl_s = 300};
	int number = cloud_add_tree(r->cloud, &tree);
	struct cloud_key *key;

	assert_true(number >= 0);
	key = cloud_key(r->cloud, (unsigned)number, "key", 3);
	assert_non_null(key);
	cloud_zincr(r->cloud, key, "b", 1, 2);
	cloud_zincr(r->cloud, key, "d", 1, 30);
	cloud_zincr(r->cloud, key, "a", 1, 1);
	cloud_zincr(r->cloud, key, "c", 1, 3);
}

static void
test_strings(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	put_user_ip(&r, "10.0.0.1", "alice");
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "n", 5);
	expect(&r, "GET user.ip.10.0.0.1", "\"alice\"");
	expect(&r, "GET user.ip.10.0.0.2", "nil");
	expect(&r, "GET ip.10.0.0.1", WRONG);
	expect(&r, "MGET user.ip.10.0.0.1 nokey ip.10.0.0.1", "[\"alice\", nil, nil]");
	expect(&r, "STRLEN user.ip.10.0.0.1", ":5");
	expect(&r, "STRLEN nokey", ":0");
	expect(&r, "GETRANGE user.ip.10.0.0.1 1 2", "\"li\"");
	expect(&r, "GETRANGE user.ip.10.0.0.1 -3 -1", "\"ice\"");
	expect(&r, "GETRANGE user.ip.10.0.0.1 -100 100", "\"alice\"");
	expect(&r, "GETRANGE user.ip.10.0.0.1 -1 -3", "\"\"");
	expect(&r, "GETRANGE user.ip.10.0.0.1 0 -100", "\"\"");
	expect(&r, "GETRANGE user.ip.10.0.0.1 9 20", "\"\"");
	expect(&r, "SUBSTR user.ip.10.0.0.1 0 -9223372036854775808", "\"\"");
	expect(&r, "GETRANGE user.ip.10.0.0.1 1 x",
	    "-ERR value is not an integer or out of range");
	expect(&r, "GETRANGE nokey 0 -1", "\"\"");
	expect(&r, "TYPE user.ip.10.0.0.1", "+string");
	expect(&r, "TTL user.ip.10.0.0.1", ":-1");
	expect(&r, "OBJECT ENCODING user.ip.10.0.0.1", "\"embstr\"");
	rig_close(&r);
}

static void
test_keys(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "n", 5);
	put_set(&r);
	rig_flow(&r, 1);
	expect(&r, "TYPE ip.10.0.0.1", "+hash");
	expect(&r, "TYPE z.key", "+zset");
	expect(&r, "TYPE " FLOW_1, "+hash");
	expect(&r, "TYPE flow.tcp.192.0.2.1.443-10.0.0.1.1001", "+hash");
	expect(&r, "TYPE nokey", "+none");
	expect(&r, "TYPE flow.tcp.10.0.0.2.1001-192.0.2.1.443", "+none");
	expect(&r, "TTL ip.10.0.0.1", ":300");
	expect(&r, "PTTL ip.10.0.0.1", ":300000");
	r.now_ms += 1400;
	cloud_clock(r.cloud, r.now_ms);
	expect(&r, "TTL ip.10.0.0.1", ":299");
	expect(&r, "OBJECT IDLETIME ip.10.0.0.1", ":1");
	expect(&r, "TTL nokey", ":-2");
	expect(&r, "TTL " FLOW_1, ":-1");
	expect(&r, "PTTL " FLOW_1, ":-1");
	expect(&r, "EXPIRETIME " FLOW_1, ":-1");
	expect(&r, "EXPIRETIME nokey", ":-2");
	assert_true(atoll(ask(&r, "EXPIRETIME ip.10.0.0.1") + 1) - (long long)time(NULL) >=
	    290);
	assert_true(atoll(ask(&r, "PEXPIRETIME ip.10.0.0.1") + 1) / 1000 >
	    (long long)time(NULL));
	expect(&r, "OBJECT ENCODING ip.10.0.0.1", "\"listpack\"");
	expect(&r, "OBJECT ENCODING z.key", "\"listpack\"");
	expect(&r, "OBJECT ENCODING nokey", "nil");
	expect(&r, "OBJECT REFCOUNT z.key", ":1");
	expect(&r, "OBJECT REFCOUNT nokey", "nil");
	expect(&r, "OBJECT IDLETIME " FLOW_1, ":0");
	assert_non_null(strstr(ask(&r, "OBJECT FREQ z.key"), "-ERR An LFU maxmemory policy"));
	expect(&r, "OBJECT FREQ nokey", "nil");
	assert_true(atoll(ask(&r, "MEMORY USAGE ip.10.0.0.1 SAMPLES 0") + 1) > 50);
	assert_true(atoll(ask(&r, "MEMORY USAGE " FLOW_1) + 1) >= (long long)sizeof(struct flow));
	expect(&r, "MEMORY USAGE nokey", "nil");
	expect(&r, "MEMORY USAGE nokey SAMPLES", "-ERR syntax error");
	expect(&r, "MEMORY USAGE nokey SAMPLES x",
	    "-ERR value is not an integer or out of range");
	assert_non_null(strstr(ask(&r, "MEMORY STATS"), "\"keys.count\", :2"));
	expect(&r, "OBJECT ENCODING", "-ERR wrong number of arguments for 'object|encoding' "
				      "command");
	rig_close(&r);
}

static void
test_hashes(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	put_hash(&r);
	put_user_ip(&r, "10.0.0.1", "alice");
	expect(&r, "HGET h.key bytesSent", "\"5\"");
	expect(&r, "HGET h.key name", "\"a.example\"");
	expect(&r, "HGET h.key nofield", "nil");
	expect(&r, "HGET nokey nofield", "nil");
	expect(&r, "HGET user.ip.10.0.0.1 x", WRONG);
	expect(&r, "HMGET h.key name x bytesSent", "[\"a.example\", nil, \"5\"]");
	expect(&r, "HMGET nokey a b", "[nil, nil]");
	expect(&r, "HMGET user.ip.10.0.0.1 a b", WRONG);
	expect(&r, "HGETALL h.key", "[\"bytesSent\", \"5\", \"name\", \"a.example\"]");
	expect(&r, "HKEYS h.key", "[\"bytesSent\", \"name\"]");
	expect(&r, "HVALS h.key", "[\"5\", \"a.example\"]");
	expect(&r, "HGETALL nokey", "[]");
	expect(&r, "HLEN h.key", ":2");
	expect(&r, "HLEN nokey", ":0");
	expect(&r, "HLEN user.ip.10.0.0.1", WRONG);
	expect(&r, "HEXISTS h.key name", ":1");
	expect(&r, "HEXISTS h.key nam", ":0");
	expect(&r, "HSTRLEN h.key name", ":9");
	expect(&r, "HSTRLEN h.key bytesSent", ":1");
	expect(&r, "HSTRLEN h.key x", ":0");
	expect(&r, "HSCAN h.key 0", "[\"0\", [\"bytesSent\", \"5\", \"name\", "
					  "\"a.example\"]]");
	expect(&r, "HSCAN h.key 0 MATCH n* COUNT 1", "[\"0\", [\"name\", \"a.example\"]]");
	expect(&r, "HSCAN nokey 0", "[\"0\", []]");
	expect(&r, "HSCAN h.key x", "-ERR invalid cursor");
	expect(&r, "HSCAN h.key 0 COUNT 0", "-ERR syntax error");
	expect(&r, "HSCAN h.key 0 TYPE hash", "-ERR syntax error");
	expect(&r, "HRANDFIELD nokey", "nil");
	expect(&r, "HRANDFIELD nokey 3", "[]");
	expect(&r, "HRANDFIELD nokey -3", "[]");
	expect(&r, "HRANDFIELD h.key 0", "[]");
	expect(&r, "HRANDFIELD h.key -9223372036854775808",
	    "-ERR value is out of range, value must between -9223372036854775807 and "
	    "9223372036854775807");
	expect(&r, "HRANDFIELD h.key -9223372036854775807 WITHVALUES",
	    "-ERR value is out of range");
	expect(&r, "HRANDFIELD h.key 1 FOO", "-ERR syntax error");
	ask(&r, "HRANDFIELD h.key 9");
	assert_true(strcmp(r.text, "[\"name\", \"bytesSent\"]") == 0 ||
	    strcmp(r.text, "[\"bytesSent\", \"name\"]") == 0);
	ask(&r, "HRANDFIELD h.key");
	assert_true(strcmp(r.text, "\"name\"") == 0 || strcmp(r.text, "\"bytesSent\"") == 0);
	assert_non_null(strstr(ask(&r, "HRANDFIELD h.key 2 WITHVALUES"),
	    "\"bytesSent\", \"5\""));
	ask(&r, "HELLO 3");
	expect(&r, "HGETALL h.key", "%[\"bytesSent\", \"5\", \"name\", \"a.example\"]");
	assert_non_null(strstr(ask(&r, "HRANDFIELD h.key -1000 WITHVALUES"),
	    "[\"bytesSent\", \"5\"]"));
	expect(&r, "HGET h.key nofield", "_");
	rig_close(&r);
}

static void
test_flows(void **state)
{
	struct rig r;
	struct alive_flow *a;

	(void)state;
	rig_open(&r, NULL);
	a = rig_flow(&r, 1);
	a->flow.icmp_type[0] = 0;
	expect(&r, "HGET " FLOW_1 " IN_BYTES", "\"100\"");
	expect(&r, "HGET " FLOW_1 " octetDeltaCount", "\"100\"");
	expect(&r, "HGET " FLOW_1 " out_bytes", "\"200\"");
	expect(&r, "HGET " FLOW_1 " IPV4_SRC_ADDR", "\"10.0.0.1\"");
	expect(&r, "HGET " FLOW_1 " IPV6_SRC_ADDR", "nil");
	expect(&r, "HGET " FLOW_1 " NO_SUCH_FIELD", "nil");
	expect(&r, "HGET flow.tcp.192.0.2.1.443-10.0.0.1.1001 IPV4_SRC_ADDR", "\"10.0.0.1\"");
	assert_memory_equal(ask(&r, "HGET " FLOW_1 " communityid"), "\"1:", 3);
	assert_int_equal(strlen(r.text), 32);
	expect(&r, "HGET flow.tcp.10.0.0.9.1-192.0.2.1.443 IN_BYTES", "nil");
	expect(&r, "HGETALL flow.tcp.10.0.0.9.1-192.0.2.1.443", "[]");
	expect(&r, "HMGET " FLOW_1 " IN_PKTS x OUT_PKTS", "[\"1\", nil, \"2\"]");
	expect(&r, "HEXISTS " FLOW_1 " IN_BYTES", ":1");
	expect(&r, "HSTRLEN " FLOW_1 " IN_BYTES", ":3");
	expect(&r, "HSCAN " FLOW_1 " 0 MATCH IN_BYT*", "[\"0\", [\"IN_BYTES\", \"100\"]]");
	/* the template's first, each once, the Community ID at the end */
	ask(&r, "HGETALL " FLOW_1);
	assert_ptr_equal(strstr(r.text,
		"[\"IPV4_SRC_ADDR\", \"10.0.0.1\", \"IN_BYTES\", \"100\", "), r.text);
	assert_ptr_equal(strstr(r.text, "\"IN_BYTES\""), strstr(r.text, "\"IN_BYTES\", \"100\""));
	assert_null(strstr(strstr(r.text, "\"IN_BYTES\"") + 1, "\"IN_BYTES\""));
	assert_non_null(strstr(r.text, "\"PROTOCOL\", \"6\""));
	assert_non_null(strstr(r.text, "\"L4_DST_PORT\", \"443\""));
	assert_null(strstr(r.text, "IPV6"));
	assert_null(strstr(r.text, "FLOW_END_REASON"));
	assert_non_null(strstr(r.text, "\"communityId\", \"1:"));
	ask(&r, "HKEYS " FLOW_1);
	assert_string_equal(r.text + strlen(r.text) - 16, ", \"communityId\"]");
	ask(&r, "HELLO 3");
	assert_memory_equal(ask(&r, "HGETALL " FLOW_1), "%[", 2);
	/* seen from the client, whichever end of the key that is */
	a->flow.flags |= FLOW_CLIENT_IS_1;
	expect(&r, "HGET " FLOW_1 " IN_BYTES", "\"200\"");
	expect(&r, "HGET " FLOW_1 " L4_SRC_PORT", "\"443\"");
	expect(&r, "KEYS flow.*", "[\"flow.tcp.192.0.2.1.443-10.0.0.1.1001\"]");
	rig_close(&r);
}

static void
test_sets(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	put_set(&r);
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "n", 5);
	rig_flow(&r, 1);
	expect(&r, "ZCARD z.key", ":4");
	expect(&r, "ZCARD nokey", ":0");
	expect(&r, "ZCARD ip.10.0.0.1", WRONG);
	expect(&r, "ZCARD " FLOW_1, WRONG);
	expect(&r, "ZSCORE z.key d", "\"30\"");
	expect(&r, "ZSCORE z.key x", "nil");
	expect(&r, "ZMSCORE z.key a x b", "[\"1\", nil, \"2\"]");
	expect(&r, "ZRANK z.key d", ":3");
	expect(&r, "ZREVRANK z.key d", ":0");
	expect(&r, "ZRANK z.key x", "nil");
	expect(&r, "ZCOUNT z.key (1 3", ":2");
	expect(&r, "ZCOUNT z.key -inf +inf", ":4");
	expect(&r, "ZCOUNT z.key 5 4", ":0");
	expect(&r, "ZCOUNT z.key a b", "-ERR min or max is not a float");
	expect(&r, "ZRANGE z.key 0 -1", "[\"a\", \"b\", \"c\", \"d\"]");
	expect(&r, "ZRANGE z.key 0 -1 WITHSCORES",
	    "[\"a\", \"1\", \"b\", \"2\", \"c\", \"3\", \"d\", \"30\"]");
	expect(&r, "ZRANGE z.key -2 100 REV", "[\"b\", \"a\"]");
	expect(&r, "ZRANGE z.key 3 1", "[]");
	expect(&r, "ZRANGE z.key 9223372036854775807 -9223372036854775808", "[]");
	expect(&r, "ZREVRANGE z.key 0 1 WITHSCORES", "[\"d\", \"30\", \"c\", \"3\"]");
	expect(&r, "ZREVRANGE z.key 0 1 LIMIT 0 1", "-ERR syntax error");
	expect(&r, "ZRANGE z.key (1 3 BYSCORE", "[\"b\", \"c\"]");
	expect(&r, "ZRANGE z.key 3 (1 BYSCORE REV LIMIT 0 1 WITHSCORES", "[\"c\", \"3\"]");
	expect(&r, "ZRANGE z.key -inf inf BYSCORE LIMIT 1 -1", "[\"b\", \"c\", \"d\"]");
	expect(&r, "ZRANGE z.key -inf inf BYSCORE LIMIT -1 2", "[]");
	expect(&r, "ZRANGE z.key 0 -1 LIMIT 0 1",
	    "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
	    "BYLEX");
	expect(&r, "ZRANGE z.key 0 -1 FOO", "-ERR syntax error");
	expect(&r, "ZRANGE z.key a b", "-ERR value is not an integer or out of range");
	expect(&r, "ZRANGEBYSCORE z.key 2 +inf LIMIT 1 1", "[\"c\"]");
	expect(&r, "ZRANGEBYSCORE z.key 2.5 29.9 WITHSCORES", "[\"c\", \"3\"]");
	expect(&r, "ZRANGEBYSCORE z.key 1 nan", "-ERR min or max is not a float");
	expect(&r, "ZRANGEBYSCORE z.key 1 2 LIMIT 1", "-ERR syntax error");
	expect(&r, "ZREVRANGEBYSCORE z.key +inf 3", "[\"d\", \"c\"]");
	expect(&r, "ZREVRANGEBYSCORE nokey +inf 3", "[]");
	expect(&r, "ZSCAN z.key 0 MATCH [ab]", "[\"0\", [\"a\", \"1\", \"b\", \"2\"]]");
	expect(&r, "ZRANDMEMBER nokey", "nil");
	expect(&r, "ZRANDMEMBER nokey -2", "[]");
	assert_non_null(strstr(ask(&r, "ZRANDMEMBER z.key 9"), "\"d\""));
	ask(&r, "HELLO 3");
	expect(&r, "ZRANGE z.key 0 1 WITHSCORES", "[[\"a\", ,1], [\"b\", ,2]]");
	expect(&r, "ZRANGE z.key 0 1", "[\"a\", \"b\"]");
	expect(&r, "ZSCORE z.key d", ",30");
	expect(&r, "ZSCAN z.key 0 MATCH a", "[\"0\", [\"a\", \"1\"]]");
	rig_close(&r);
}

/* REQUEST with NAME where its $ is. */
static void
format(char to[128], const char *request, const char *name)
{
	size_t at = strcspn(request, "$");

	snprintf(to, 128, "%.*s%s%s", (int)at, request, name, request + at + 1);
}

static void
test_nothing(void **state)
{
	static const struct {
		const char *request, *reply;
	} absent[] = {
		{"SMEMBERS $", "[]"}, {"SCARD $", ":0"}, {"SISMEMBER $ a", ":0"},
		{"SMISMEMBER $ a b", "[:0, :0]"}, {"SRANDMEMBER $", "nil"},
		{"SRANDMEMBER $ 2", "[]"}, {"SSCAN $ 0", "[\"0\", []]"}, {"SINTER $", "[]"},
		{"SUNION nokey $", "[]"}, {"LLEN $", ":0"}, {"LRANGE $ 0 -1", "[]"},
		{"LINDEX $ 0", "nil"}, {"XLEN $", ":0"}, {"XRANGE $ - +", "[]"},
		{"XREVRANGE $ + -", "[]"},
	};
	struct rig r;
	char request[128];

	(void)state;
	rig_open(&r, NULL);
	cloud_incr(r.cloud, rig_ip(&r, "10.0.0.1"), "n", 5);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		format(request, absent[i].request, "nokey");
		expect(&r, request, absent[i].reply);
		format(request, absent[i].request, "ip.10.0.0.1");
		expect(&r, request, WRONG);
	}
	expect(&r, "LRANGE nokey a b", "-ERR value is not an integer or out of range");
	rig_close(&r);
}

static void
feed(struct rig *r, unsigned host, uint64_t octets)
{
	struct flowdelta d;
	char name[96];

	memset(&d, 0, sizeof(d));
	snprintf(name, sizeof(name), "flow.tcp.10.0.0.%u.1-192.0.2.1.443", host);
	assert_int_equal(keyname_read_flow(&d.key, name, strlen(name)), 0);
	d.packets[0] = 1;
	d.octets[0] = octets;
	d.fresh = d.named = true;
	d.key.ip_version = 4;
	cloud_feed(r->cloud, &d);
}

static void
test_top(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	expect(&r, "TOP ip bytes 10", "[]");
	feed(&r, 1, 100);
	feed(&r, 2, 300);
	feed(&r, 3, 200);
	feed(&r, 1, 150);
	expect(&r, "TOP ip bytes 2", "[\"192.0.2.1\", \"750\", \"10.0.0.2\", \"300\"]");
	expect(&r, "top IP Bytes 4", "[\"192.0.2.1\", \"750\", \"10.0.0.2\", \"300\", "
				     "\"10.0.0.1\", \"250\", \"10.0.0.3\", \"200\"]");
	expect(&r, "TOP ip flows 2", "[\"192.0.2.1\", \"4\", \"10.0.0.1\", \"2\"]");
	expect(&r, "TOP ip bytes 0", "[]");
	expect(&r, "TOP ip bytes -5", "[]");
	assert_non_null(strstr(ask(&r, "TOP ip bytes 9223372036854775807"), "\"10.0.0.3\""));
	expect(&r, "TOP dns.domain queries 5", "[]");
	expect(&r, "TOP ip bytes x", "-ERR value is not an integer or out of range");
	expect(&r, "TOP ip queries 5", "-ERR TOP knows ip bytes, ip flows, proto bytes, proto "
				       "flows, dns.domain queries, user bytes, user flows");
	ask(&r, "HELLO 3");
	expect(&r, "TOP ip bytes 1", "[[\"192.0.2.1\", ,750]]");
	rig_close(&r);
}

static void
test_users(void **state)
{
	struct rig r;
	struct cloud_key *key;

	(void)state;
	rig_open(&r, NULL);
	put_user_ip(&r, "10.0.0.1", "alice");
	key = cloud_key(r.cloud, CLOUD_USER_NET, "2001:db8:1:2::/64", 17);
	cloud_put(r.cloud, key, "bob", 3);
	key = cloud_key(r.cloud, CLOUD_USER_NET, "2001:db8:5::/48", 15);
	cloud_put(r.cloud, key, "carol", 5);
	key = cloud_key(r.cloud, CLOUD_USER, "alice", 5);
	cloud_set(r.cloud, key, "ip.10.0.0.1", "1", 1);
	cloud_set(r.cloud, key, "nas", "n", 1);
	cloud_set(r.cloud, key, "ip.2001:db8::1", "2", 1);
	cloud_set(r.cloud, key, "ip.", "2", 1);
	cloud_set(r.cloud, key, "net.2001:db8:7::/60", "2", 1);
	key = cloud_key(r.cloud, CLOUD_USER_NET, "2001:db8:7::/60", 15);
	cloud_put(r.cloud, key, "alice", 5);
	expect(&r, "WHO 10.0.0.1", "\"alice\"");
	expect(&r, "WHO ::ffff:10.0.0.1", "\"alice\"");
	expect(&r, "WHO 10.0.0.2", "nil");
	expect(&r, "WHO 2001:db8:1:2:3:4:5:6", "\"bob\"");
	expect(&r, "WHO 2001:db8:5:2:3:4:5:6", "\"carol\"");
	expect(&r, "WHO 2001:db8:6:2:3:4:5:6", "nil");
	expect(&r, "WHO 2001:db8:7:f::1", "\"alice\"");
	expect(&r, "WHO 2001:db8:7:10::1", "nil");
	expect(&r, "WHO alice", "-ERR not an IPv4 or IPv6 address");
	expect(&r, "WHERE alice", "[\"10.0.0.1\", \"2001:db8::1\", "
				 "\"2001:db8:7::/60\"]");
	expect(&r, "WHERE dave", "[]");
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_hashes),
	    cmocka_unit_test(test_flows),
	    cmocka_unit_test(test_sets),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_top),
	    cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
