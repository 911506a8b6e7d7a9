/* SPDX-License-Identifier: BSD-3-Clause */
/* t_cloud_feed.c -- what flows did, found again in the keys. */
#include "cloud_rig.h"

#include "dpi.h"

#define T0 1700000000u /* s, a minute's 20th second */

static void
put_addr(uint8_t *to, const char *text)
{
	assert_int_equal(keyname_read_addr(to, text, strlen(text)), 0);
}

/* 10.0.0.1:40000, the client, sent 300 octets in 3 packets; 10.0.0.2:443 4000 in 5. */
static struct flowdelta
delta(void)
{
	struct flowdelta d = {.client = 0,
	    .fresh = true,
	    .named = true,
	    .packets = {3, 5},
	    .octets = {300, 4000},
	    .first_us = T0 * UINT64_C(1000000) + 999999,
	    .last_us = (T0 + 5) * UINT64_C(1000000)};

	put_addr(d.key.addr[0], "10.0.0.1");
	put_addr(d.key.addr[1], "10.0.0.2");
	d.key.port[0] = 40000;
	d.key.port[1] = 443;
	d.key.proto = 6;
	d.key.ip_version = 4;
	return d;
}

static void
key_is(const struct rig *r, const char *key, const char *want)
{
	const char *is = rig_show(r, key);

	if (strcmp(is, want) != 0)
		fail_msg("%s is\n%s, not\n%s", key, is, want);
}

static void
test_plain(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct flowdelta d = delta();

	(void)state;
	cloud_feed(r->c, &d);
	key_is(r, "ip.10.0.0.1",
	    "bytesSent=300 bytesRcvd=4000 pktsSent=3 pktsRcvd=5 flowsClient=1 "
	    "flowsServer=0 "
	    "firstSeen=1700000000 lastSeen=1700000005");
	key_is(r, "ip.10.0.0.2",
	    "bytesSent=4000 bytesRcvd=300 pktsSent=5 pktsRcvd=3 flowsClient=0 "
	    "flowsServer=1 "
	    "firstSeen=1700000000 lastSeen=1700000005");
	key_is(r, "proto.Unknown", "bytes=4300 pkts=8 flows=1");
	key_is(r, "port.tcp.443", "bytes=4300 pkts=8 flows=1");
	key_is(r, "top.ip.bytes.28333333", "10.0.0.1=4300 10.0.0.2=4300");
	key_is(r, "top.ip.flows.28333333", "10.0.0.1=1 10.0.0.2=1");
	key_is(r, "top.proto.bytes.28333333", "Unknown=4300");
	key_is(r, "top.proto.flows.28333333", "Unknown=1");
	assert_int_equal(cloud_count(r->c), 8);
	/* more of the same flow: no second flow, and times go one way */
	d.fresh = false;
	d.first_us += 7000000;
	d.last_us -= 3000000;
	d.octets[1] = d.packets[1] = 0;
	cloud_feed(r->c, &d);
	key_is(r, "ip.10.0.0.1",
	    "bytesSent=600 bytesRcvd=4000 pktsSent=6 pktsRcvd=5 flowsClient=1 "
	    "flowsServer=0 "
	    "firstSeen=1700000000 lastSeen=1700000005");
	key_is(r, "proto.Unknown", "bytes=4600 pkts=11 flows=1");
	key_is(r, "top.ip.flows.28333333", "10.0.0.1=1 10.0.0.2=1");
	d.last_us += 10000000;
	cloud_feed(r->c, &d);
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.2"), "lastSeen=1700000012"));
	rig_free(r);
}

/* The other endpoint is the client; UDP; an IPv6 host that only sent. */
static void
test_sides(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct flowdelta d = delta();

	(void)state;
	d.client = 1;
	d.key.proto = 17;
	d.packets[0] = d.octets[0] = 0;
	put_addr(d.key.addr[1], "2001:db8::1");
	cloud_feed(r->c, &d);
	key_is(r, "ip.2001:db8::1",
	    "bytesSent=4000 bytesRcvd=0 pktsSent=5 pktsRcvd=0 flowsClient=1 "
	    "flowsServer=0 "
	    "firstSeen=1700000000 lastSeen=1700000005");
	key_is(r, "port.udp.40000", "bytes=4000 pkts=5 flows=1");
	/* other protocols have no ports, nor have fragments */
	d.key.proto = 1;
	cloud_feed(r->c, &d);
	d.key.proto = 17;
	d.key.port[0] = 0;
	cloud_feed(r->c, &d);
	key_is(r, "port.udp.40000", "bytes=4000 pkts=5 flows=1");
	key_is(r, "port.udp.0", "-");
	/* a host that talks to itself */
	d = delta();
	put_addr(d.key.addr[1], "10.0.0.1");
	cloud_feed(r->c, &d);
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.1"),
	    "bytesSent=4300 bytesRcvd=16300 pktsSent=8 pktsRcvd=23"));
	/* -p without addresses */
	memset(d.key.addr, 0, sizeof(d.key.addr));
	cloud_feed(r->c, &d);
	key_is(r, "ip.::", "-");
	rig_free(r);
}

static void
test_vlan_mac(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct flowdelta d = delta();

	(void)state;
	d.key.vlan = 7;
	d.client = 1;
	d.has_mac = 2;
	memcpy(d.mac[1], "\x00\x1b\x21\xaa\xbb\xcc", 6);
	cloud_feed(r->c, &d);
	key_is(r, "vlan.7",
	    "bytesSent=4000 bytesRcvd=300 pktsSent=5 pktsRcvd=3 flowsClient=1 "
	    "flowsServer=1 "
	    "firstSeen=1700000000 lastSeen=1700000005");
	key_is(r, "ip.10.0.0.2",
	    "bytesSent=4000 bytesRcvd=300 pktsSent=5 pktsRcvd=3 flowsClient=1 "
	    "flowsServer=0 "
	    "firstSeen=1700000000 lastSeen=1700000005 mac=00:1b:21:aa:bb:cc "
	    "7.bytesSent=4000 7.bytesRcvd=300 7.pktsSent=5 7.pktsRcvd=3 "
	    "7.flowsClient=1");
	key_is(r, "mac.00:1b:21:aa:bb:cc",
	    "bytesSent=4000 bytesRcvd=300 pktsSent=5 pktsRcvd=3 flowsClient=1 "
	    "flowsServer=0 "
	    "firstSeen=1700000000 lastSeen=1700000005 "
	    "7.bytesSent=4000 7.bytesRcvd=300 7.pktsSent=5 7.pktsRcvd=3 "
	    "7.flowsClient=1");
	key_is(r, "mac.00:00:00:00:00:00", "-");
	assert_null(strstr(rig_show(r, "ip.10.0.0.1"), "mac="));
	/* another VLAN beside it, then none: the totals are of all */
	d.key.vlan = 4095;
	d.fresh = false;
	cloud_feed(r->c, &d);
	d.key.vlan = 0;
	cloud_feed(r->c, &d);
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.1"), "bytesSent=900 "));
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.1"), " 7.bytesSent=300 "));
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.1"), " 4095.bytesSent=300 "));
	assert_null(strstr(rig_show(r, "ip.10.0.0.1"), " 0."));
	rig_free(r);
}

static void
begins(const char *text, const char *want)
{
	if (strncmp(text, want, strlen(want)) != 0)
		fail_msg("%s\ndoes not begin with\n%s", text, want);
}

/* To the node goes what is not 0, once; then only what changed. */
static void
test_node(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	struct flowdelta d = delta();
	const char *at;

	(void)state;
	d.has_mac = 1;
	d.octets[1] = d.packets[1] = 0;
	cloud_feed(r->c, &d);
	rig_take(r, 0, UINT32_MAX);
	at = strstr(r->ops, "HINCRBY ip.10.0.0.1");
	assert_non_null(at);
	begins(at, "HINCRBY ip.10.0.0.1 bytesSent 300\n"
		   "HINCRBY ip.10.0.0.1 pktsSent 3\n"
		   "HINCRBY ip.10.0.0.1 flowsClient 1\n"
		   "HSETNX ip.10.0.0.1 firstSeen 1700000000\n"
		   "HSET ip.10.0.0.1 lastSeen 1700000005\n"
		   "HSET ip.10.0.0.1 mac \"00:00:00:00:00:00\"\n"
		   "EXPIRE ip.10.0.0.1 375\n");
	d.fresh = false;
	cloud_feed(r->c, &d);
	cloud_feed(r->c, &d);
	rig_take(r, 0, UINT32_MAX);
	at = strstr(r->ops, "HINCRBY! ip.10.0.0.1");
	assert_non_null(at);
	begins(at, "HINCRBY! ip.10.0.0.1 bytesSent 600\n"
		   "HINCRBY ip.10.0.0.1 pktsSent 6\n"
		   "HINCRBY! ip.10.0.0.2");
	assert_null(strstr(r->ops, "Seen"));
	assert_null(strstr(r->ops, " mac "));
	assert_null(strstr(r->ops, "ZTRIM"));
	rig_free(r);
}

static void
test_names(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct dpi_names *names = dpi_names_new();
	struct flowdelta d = delta();
	struct flow_l7 l7;
	char key[300] = "proto.";
	unsigned n = dpi_names_count(names), i, j;

	(void)state;
	cloud_free(r->c);
	r->setup.names = names;
	r->c = cloud_new(&r->setup);
	cloud_clock(r->c, START_MS);
	d.master = 91; /* nDPI: TLS */
	d.app = 126;
	d.named = false;
	cloud_feed(r->c, &d);
	key_is(r, "proto.Unknown", "bytes=4300 pkts=8 flows=1");
	d.named = true;
	memset(&l7, 0, sizeof(l7));
	for (j = 0; j < 2; j++)
		for (i = 1; i < n && i < 200; i++) {
			d.master = 0;
			d.app = (uint16_t)i;
			cloud_feed(r->c, &d);
		}
	for (i = 1; i < n && i < 200; i++) {
		l7.app = (uint16_t)i;
		char name[128];

		dpi_full_name(names, &l7, name, sizeof(name));
		keyname_part(key + 6, name, strlen(name));
		if (strcmp(name, "Unknown") != 0)
			assert_non_null(strstr(rig_show(r, key), "flows="));
	}
	dpi_names_free(names);
	rig_free(r);
}

/* An address takes its name from dns.cache. when it comes into being, whoever makes it. */
static void
test_dns_names(void **state)
{
	static const struct cloud_tree tree = {
		.prefix = "dns.cache.", .type = CLOUD_STRING, .ttl_s = 3000};
	struct rig *r = rig_new(0, 300, 1000);
	struct flowdelta d = delta();
	struct cloud_key *k;
	int names;

	(void)state;
	names = cloud_add_tree(r->c, &tree);
	assert_true(names >= 0);
	k = cloud_key(r->c, (unsigned)names, "10.0.0.2", 8);
	cloud_put(r->c, k, "www.example.org", 15);
	k = cloud_key(r->c, (unsigned)names, "10.0.0.3", 8);
	cloud_put(r->c, k, "443", 3);
	assert_string_equal(rig_show(r, "ip.10.0.0.2"), "-");
	cloud_feed(r->c, &d);
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.2"), "name=www.example.org"));
	assert_null(strstr(rig_show(r, "ip.10.0.0.1"), "name="));
	put_addr(d.key.addr[1], "10.0.0.3");
	cloud_incr(r->c, cloud_key(r->c, CLOUD_IP, d.key.addr[1], 16), "dns.queries", 1);
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.3"), "name=443"));
	rig_pass(r, 301000); /* a later life has it again */
	assert_string_equal(rig_show(r, "ip.10.0.0.3"), "-");
	cloud_feed(r->c, &d);
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.3"), "name=443"));
	rig_free(r);
}

/* What is put into dns.cache. is the name of the address from then on, if that is seen. */
static void
test_put_names(void **state)
{
	static const struct cloud_tree tree = {.prefix = "dns.cache.", .type = CLOUD_STRING,
		.ttl_s = 3000, .addr = true};
	struct rig *r = rig_new(0, 300, 1000);
	struct flowdelta d = delta();
	unsigned names, i;

	(void)state;
	names = (unsigned)cloud_add_tree(r->c, &tree);
	cloud_feed(r->c, &d);
	for (i = 0; i < 2; i++) { /* the second says nothing new */
		assert_true(cloud_put_text(r->c, names, d.key.addr[1], 16, -1, "one", 3));
		assert_non_null(strstr(rig_show(r, "ip.10.0.0.2"), "name=one"));
	}
	assert_true(cloud_put_text(r->c, names, d.key.addr[1], 16, -1, "two", 3));
	assert_string_equal(rig_show(r, "dns.cache.10.0.0.2"), "two");
	assert_non_null(strstr(rig_show(r, "ip.10.0.0.2"), "name=two"));
	put_addr(d.key.addr[1], "10.0.0.9");
	assert_true(cloud_put_text(r->c, names, d.key.addr[1], 16, -1, "nine", 4));
	assert_string_equal(rig_show(r, "ip.10.0.0.9"), "-");
	rig_pass(r, 301000); /* the name outlives the address */
	assert_string_equal(rig_show(r, "ip.10.0.0.2"), "-");
	assert_string_equal(rig_show(r, "dns.cache.10.0.0.2"), "two");
	rig_free(r);
}

/* Beyond the cap "other" takes it all, and the top list still knows who. */
static void
test_other(void **state)
{
	struct rig *r = rig_new(0, 300, 2);
	struct flowdelta d = delta();
	struct cloud_item items[8];
	unsigned i, n;
	char text[16];

	(void)state;
	d.has_mac = 3;
	for (i = 1; i <= 3; i++) {
		snprintf(text, sizeof(text), "10.0.%u.1", i);
		put_addr(d.key.addr[0], text);
		snprintf(text, sizeof(text), "10.0.%u.2", i);
		put_addr(d.key.addr[1], text);
		cloud_feed(r->c, &d);
	}
	key_is(r, "ip.other",
	    "bytesSent=8600 bytesRcvd=8600 pktsSent=16 pktsRcvd=16 flowsClient=2 "
	    "flowsServer=2 "
	    "firstSeen=1700000000 lastSeen=1700000005");
	n = cloud_top(r->c, "ip.bytes", items, 8);
	assert_int_equal(n, 6);
	for (i = 0; i < n; i++)
		assert_int_equal(items[i].number, 4300);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_OTHER), 4);
	rig_free(r);
}

/* A file read in a moment: a day of packet time, no clock. */
static void
test_fast(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct flowdelta d = delta();
	struct cloud_item items[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 1440 * 2; i++) {
		d.last_us = (T0 + i * 30) * UINT64_C(1000000);
		cloud_feed(r->c, &d);
	}
	assert_int_equal(cloud_top(r->c, "ip.flows", items, 2), 2);
	assert_in_range(items[0].number, 9, 10);
	assert_int_equal(cloud_count(r->c), 4 + 4 * 8);
	assert_non_null(strstr(rig_show(r, "proto.Unknown"), "flows=2880"));
	rig_pass(r, 1);
	assert_int_equal(cloud_count(r->c), 4 + 4 * 8);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 0);
	rig_free(r);
}

/* Keys that are remembered by the feed expire like others. */
static void
test_forgotten(void **state)
{
	struct rig *r = rig_new(0, 10, 1000);
	struct flowdelta d = delta();
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		cloud_feed(r->c, &d);
		key_is(r, "proto.Unknown", "bytes=4300 pkts=8 flows=1");
		key_is(r, "top.proto.flows.28333333", "Unknown=1");
		rig_pass(r, 1000000);
		rig_pass(r, 1000);
		assert_int_equal(cloud_count(r->c), 0);
	}
	/* without the clock's visit in between */
	cloud_feed(r->c, &d);
	r->now_ms += 10000;
	cloud_clock(r->c, START_MS + r->now_ms);
	cloud_feed(r->c, &d);
	key_is(r, "proto.Unknown", "bytes=4300 pkts=8 flows=1");
	rig_free(r);
}

/* What hosts sent is what hosts got, over any mix; and all of it reaches the nodes. */
struct sums {
	uint64_t sent, rcvd, flows;
};

static void
add_up(void *arg, const struct cloud_op *op)
{
	struct sums *s = arg;

	if (op->kind != CLOUD_OP_HINCRBY || strncmp(op->key, "ip.", 3) != 0)
		return;
	if (op->field_len == 9 && memcmp(op->field, "bytesSent", 9) == 0)
		s->sent += (uint64_t)op->number;
	else if (op->field_len == 9 && memcmp(op->field, "bytesRcvd", 9) == 0)
		s->rcvd += (uint64_t)op->number;
	else if (op->field_len == 11 && memcmp(op->field, "flowsClient", 11) == 0)
		s->flows += (uint64_t)op->number;
}

static void
test_conserved(void **state)
{
	struct rig *r = rig_new(3, 20, 50);
	struct sums s = {0};
	uint64_t octets = 0, flows = 0;
	struct flowdelta d;
	unsigned i;

	(void)state;
	srandom(4);
	for (i = 0; i < 30000; i++) {
		d = delta();
		d.key.addr[0][15] = (uint8_t)(random() % 40);
		d.key.addr[1][15] = (uint8_t)(random() % 40);
		d.key.vlan = (uint16_t)(random() % 4);
		d.client = random() & 1;
		d.fresh = random() & 1;
		d.octets[0] = (uint64_t)random() % 2000;
		octets += d.octets[0] + d.octets[1];
		flows += d.fresh;
		cloud_feed(r->c, &d);
		if (random() % 100 == 0)
			cloud_take(r->c, (unsigned)random() % 3, 20, add_up, &s);
		rig_pass(r, (uint64_t)random() % 40 * (random() % 50 == 0 ? 1000 : 1));
	}
	for (i = 0; i < 3; i++)
		cloud_take(r->c, i, UINT32_MAX, add_up, &s);
	assert_true(s.sent == octets);
	assert_true(s.rcvd == octets);
	assert_true(s.flows == flows);
	assert_true(rig_counter(r, COUNTER_CLOUD_EXPIRED) > 100);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_sides),
	    cmocka_unit_test(test_vlan_mac),
	    cmocka_unit_test(test_node),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_dns_names),
	    cmocka_unit_test(test_put_names),
	    cmocka_unit_test(test_other),
	    cmocka_unit_test(test_fast),
	    cmocka_unit_test(test_forgotten),
	    cmocka_unit_test(test_conserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
