/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_cloud.c -- the key tree, one promise of its header after the other. Longer than 800
 * lines: the header promises that much.
 */
#include "cloud_rig.h"

#define DNS "dns.domain."

/* A plugin's tree: volatile, with "other". */
static unsigned
add_dns(struct rig *r, uint32_t cap)
{
	const struct cloud_tree def = {
	    .prefix = DNS, .type = CLOUD_HASH, .cap = cap, .ttl_s = 40, .other = true};
	int tree = cloud_add_tree(r->c, &def);

	assert_true(tree >= CLOUD_BUILTINS);
	assert_int_equal(cloud_add_tree(r->c, &def), -1); /* there already */
	return (unsigned)tree;
}

static void
test_trees(void **state)
{
	struct rig *r = rig_new(0, 300, 100);
	struct cloud_tree def = {.prefix = "nodot", .type = CLOUD_HASH};
	const struct cloud_tree *t;
	char prefix[CLOUD_TREES_MAX][8];
	uint64_t keys;
	unsigned i, n;

	(void)state;
	assert_int_equal(cloud_trees(r->c), CLOUD_BUILTINS);
	t = cloud_tree_of(r->c, CLOUD_IP, &keys);
	assert_string_equal(t->prefix, "ip.");
	assert_int_equal(t->cap, 100);
	assert_int_equal(t->ttl_s, 300);
	assert_int_equal(keys, 0);
	rig_ip(r, CLOUD_IP, "10.0.0.1");
	cloud_tree_of(r->c, CLOUD_IP, &keys);
	assert_int_equal(keys, 1);
	assert_int_equal(cloud_add_tree(r->c, &def), -1);
	for (n = CLOUD_BUILTINS; n < CLOUD_TREES_MAX; n++) {
		snprintf(prefix[n], sizeof(prefix[n]), "x%u.", n);
		def.prefix = prefix[n];
		assert_int_equal(cloud_add_tree(r->c, &def), n);
	}
	def.prefix = "more.";
	assert_int_equal(cloud_add_tree(r->c, &def), -1);
	for (i = CLOUD_TREES_MAX; i < CLOUD_TREES_MAX + 3; i++)
		assert_null(cloud_key(r->c, i, "a", 1));
	assert_null(cloud_key(r->c, CLOUD_IP, "10.0.0.1", 8)); /* not 16 bytes */
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 4);
	cloud_incr(r->c, NULL, "x", 1); /* what cloud_key() may have said */
	rig_free(r);
}

static void
test_fields(void **state)
{
	struct rig *r = rig_new(0, 300, 100);
	struct cloud_key *k = rig_key(r, CLOUD_USER, "ann");
	struct cloud_item item;

	(void)state;
	assert_string_equal(rig_show(r, "user.ann"), "-"); /* nothing to show yet */
	cloud_incr(r->c, k, "a", 5);
	cloud_incr(r->c, k, "a", -7);
	cloud_set(r->c, k, "t", "short", 5);
	cloud_set_number(r->c, k, "n", 12);
	cloud_set_min(r->c, k, "f", 3);
	cloud_set_min(r->c, k, "f", 2);
	cloud_set_max(r->c, k, "m", 8);
	cloud_set_max(r->c, k, "m", 7);
	cloud_incr(r->c, k, "zero", 0);
	assert_string_equal(
	    rig_show(r, "user.ann"), "a=-2 t=short n=12 f=2 m=8 zero=0");
	cloud_set_max(r->c, k, "m", 9);
	cloud_incr(r->c, k, "n", 1);
	cloud_set(r->c, k, "t", "a text that is longer than what fits within", 43);
	cloud_unset(r->c, k, "f");
	cloud_unset(r->c, k, "never was");
	assert_string_equal(rig_show(r, "user.ann"),
	    "a=-2 t=a text that is longer than what fits within n=13 m=9 zero=0");
	cloud_set(r->c, k, "t", "", 0);
	cloud_set_number(r->c, k, "a", UINT64_MAX);
	assert_true(cloud_key_get(k, "a", 1, &item));
	assert_null(item.text);
	assert_true(item.number == INT64_MAX);
	assert_true(cloud_key_get(k, "t", 1, &item));
	assert_non_null(item.text);
	assert_int_equal(item.len, 0);
	assert_false(cloud_key_get(k, "f", 1, &item));
	assert_false(cloud_key_get(k, "tt", 2, &item));
	/* a text is no number */
	cloud_incr(r->c, k, "t", 1);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 1);
	cloud_set_number(r->c, k, "t", 4);
	cloud_incr(r->c, k, "t", 1);
	assert_true(cloud_key_get(k, "t", 1, &item));
	assert_int_equal(item.number, 5);
	rig_free(r);
}

static void
test_limits(void **state)
{
	struct rig *r = rig_new(0, 300, 100);
	struct cloud_key *k = rig_key(r, CLOUD_USER, "ann");
	char text[600], name[16];
	struct cloud_item item;
	unsigned i;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (i = 0; i < CLOUD_FIELDS_MAX + 3; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		cloud_incr(r->c, k, name, i);
	}
	assert_int_equal(cloud_key_count(k), CLOUD_FIELDS_MAX);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 3);
	cloud_key_at(k, 511, &item);
	assert_int_equal(item.number, 511);
	cloud_set(r->c, k, "f0", text, sizeof(text));
	cloud_key_at(k, 0, &item);
	assert_int_equal(item.len, CLOUD_VALUE_MAX);
	cloud_unset(r->c, k, "f7");
	text[256] = '\0';
	cloud_incr(r->c, k, text, 1); /* too long a name */
	assert_int_equal(cloud_key_count(k), CLOUD_FIELDS_MAX - 1);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 4);
	text[255] = '\0';
	cloud_incr(r->c, k, text, 1);
	assert_true(cloud_key_get(k, text, 255, &item));
	rig_free(r);
}

static void
test_wrong_type(void **state)
{
	struct rig *r = rig_new(0, 300, 100);
	struct cloud_key *h = rig_key(r, CLOUD_USER, "ann");
	struct cloud_key *s = rig_ip(r, CLOUD_USER_IP, "10.0.0.1");

	(void)state;
	cloud_put(r->c, h, "x", 1);
	cloud_zincr(r->c, h, "x", 1, 1);
	cloud_incr(r->c, s, "x", 1);
	cloud_set(r->c, s, "x", "x", 1);
	cloud_unset(r->c, s, "x");
	cloud_expire_after_if(r->c, h, "x", 1, 1);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 6);
	assert_int_equal(cloud_count(r->c), 0);
	rig_free(r);
}

static void
test_caps(void **state)
{
	struct rig *r = rig_new(0, 300, 3);
	unsigned i, dns = add_dns(r, 2);
	uint16_t vlan = 7;
	char id[16];

	(void)state;
	for (i = 1; i < 6; i++) {
		snprintf(id, sizeof(id), "10.0.0.%u", i);
		cloud_incr(r->c, rig_ip(r, CLOUD_IP, id), "hits", 1);
		cloud_incr(r->c, rig_key(r, dns, id), "queries", 1);
		cloud_incr(r->c, rig_key(r, CLOUD_USER, id), "x", 1);
	}
	assert_non_null(strstr(rig_show(r, "ip.other"), "hits=2"));
	assert_string_equal(rig_show(r, DNS "other"), "queries=3");
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_OTHER), 5);
	assert_int_equal(
	    rig_counter(r, COUNTER_CLOUD_NO_ROOM), 2); /* users have none */
	assert_string_equal(rig_show(r, "user.10.0.0.4"), "-");
	assert_int_equal(cloud_count(r->c), 3 + 1 + 2 + 1 + 3);
	/* room again when one has gone */
	cloud_delete(r->c, rig_ip(r, CLOUD_IP, "10.0.0.1"));
	rig_pass(r, 1);
	cloud_incr(r->c, rig_ip(r, CLOUD_IP, "10.0.0.9"), "hits", 1);
	assert_string_not_equal(rig_show(r, "ip.10.0.0.9"), "-");
	cloud_incr(r->c, cloud_key(r->c, CLOUD_VLAN, &vlan, 2), "x", 1);
	assert_string_not_equal(rig_show(r, "vlan.7"), "-");
	rig_free(r);
}

static void
test_hostile_ids(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	unsigned dns = add_dns(r, 0);
	char id[300];
	const struct cloud_key *k;
	size_t len;

	(void)state;
	cloud_incr(r->c, cloud_key(r->c, dns, "a *\0b", 5), "q", 1);
	assert_string_equal(rig_show(r, DNS "a%20%2A%00b"), "q=1");
	cloud_incr(r->c, cloud_key(r->c, dns, "", 0), "q", 2);
	assert_string_equal(rig_show(r, DNS), "q=2");
	memset(id, 'a', sizeof(id)); /* the same where they are cut */
	cloud_incr(r->c, cloud_key(r->c, dns, id, 250), "q", 1);
	cloud_incr(r->c, cloud_key(r->c, dns, id, 260), "q", 1);
	k = cloud_look(r->c, dns, id, 300);
	assert_non_null(k);
	cloud_key_name(k, &len);
	assert_true(len <= KEYNAME_MAX);
	assert_int_equal(len, strlen(DNS) + KEYNAME_PART);
	assert_int_equal(cloud_count(r->c), 3);
	/* a user's name does not reach into another tree */
	cloud_put(r->c, rig_ip(r, CLOUD_USER_IP, "10.0.0.1"), "ann", 3);
	cloud_incr(r->c, rig_key(r, CLOUD_USER, "ip.10.0.0.1"), "x", 1);
	cloud_incr(r->c, rig_key(r, CLOUD_USER, "ip%2E10.0.0.1"), "x", 2);
	cloud_incr(r->c, rig_key(r, CLOUD_USER, "ip"), "x", 3);
	assert_string_equal(rig_show(r, "user.ip.10.0.0.1"), "ann");
	assert_string_equal(rig_show(r, "user.ip%2E10.0.0.1"), "x=1");
	assert_string_equal(rig_show(r, "user.ip%252E10.0.0.1"), "x=2");
	assert_string_equal(rig_show(r, "user.ip"), "x=3");
	memcpy(id, "net.", 4);
	cloud_incr(r->c, cloud_key(r->c, CLOUD_USER, id, 300), "x", 4);
	assert_non_null(cloud_look(r->c, CLOUD_USER, id, 300));
	/* questions of any bytes */
	assert_null(cloud_find(r->c, "user.ip\0", 8));
	assert_null(cloud_find(r->c, "", 0));
	assert_non_null(cloud_next(r->c, "user.", 5, "user.ip\0\xff", 9));
	assert_null(cloud_next(r->c, "user.", 5, "user.\xff", 6));
	assert_null(cloud_next(r->c, "users", 5, NULL, 0));
	rig_free(r);
}

static void
test_ttl(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	unsigned dns = add_dns(r, 0); /* 40 s */
	const struct cloud_key *k;
	unsigned i;

	(void)state;
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	rig_pass(r, 39999);
	k = cloud_find(r->c, DNS "a", 12);
	assert_non_null(k);
	assert_int_equal(cloud_key_ttl(r->c, k), 1);
	assert_int_equal(cloud_key_idle(r->c, k), 39999);
	rig_pass(r, 1);
	assert_null(cloud_find(r->c, DNS "a", 12));
	assert_null(cloud_look(r->c, dns, "a", 1));
	assert_null(cloud_next(r->c, "", 0, NULL, 0));
	rig_pass(r, 1000);
	assert_int_equal(cloud_count(r->c), 0);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_EXPIRED), 1);
	/* each write re-arms; looking does not */
	for (i = 0; i < 10; i++) {
		cloud_set(r->c, rig_key(r, dns, "b"), "same", "x", 1);
		rig_pass(r, 30000);
		assert_non_null(cloud_look(r->c, dns, "b", 1));
	}
	assert_int_equal(cloud_key_ttl(r->c, cloud_find(r->c, DNS "b", 12)), 10000);
	rig_pass(r, 10000);
	assert_string_equal(rig_show(r, DNS "b"), "-");
	/* between its end and its visit it begins anew */
	cloud_incr(r->c, rig_key(r, dns, "b"), "q", 1);
	assert_string_equal(rig_show(r, DNS "b"), "q=1");
	/* the clock does not go back; a long silence ends all */
	cloud_clock(r->c, START_MS);
	assert_string_equal(rig_show(r, DNS "b"), "q=1");
	rig_pass(r, 86400000);
	assert_int_equal(cloud_count(r->c), 0);
	rig_free(r);
}

static void
test_persistent(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct cloud_key *k = rig_key(r, CLOUD_USER, "ann");

	(void)state;
	cloud_set(r->c, k, "nas", "1", 1);
	rig_pass(r, 100000000);
	k = rig_key(r, CLOUD_USER, "ann");
	assert_int_equal(cloud_key_ttl(r->c, k), -1);
	cloud_expire_after(r->c, k, 60);
	cloud_incr(r->c, k, "x", 1); /* does not save it */
	assert_int_equal(cloud_key_ttl(r->c, k), 60000);
	cloud_persist(r->c, k);
	rig_pass(r, 100000);
	assert_string_equal(rig_show(r, "user.ann"), "nas=1 x=1");
	k = rig_key(r, CLOUD_USER, "ann");
	cloud_expire_after(r->c, k, 60);
	cloud_expire_after(r->c, k, 5); /* shorter */
	rig_pass(r, 5000);
	assert_string_equal(rig_show(r, "user.ann"), "-");
	rig_pass(r, 1000);
	assert_int_equal(cloud_count(r->c), 0);
	/* strings: only while they say so; a new value stays */
	k = rig_ip(r, CLOUD_USER_IP, "::1");
	cloud_put(r->c, k, "ann", 3);
	cloud_expire_after_if(r->c, k, "bob", 3, 1);
	assert_int_equal(cloud_key_ttl(r->c, k), -1);
	cloud_expire_after_if(r->c, k, "ann", 3, 1);
	assert_int_equal(cloud_key_ttl(r->c, k), 1000);
	cloud_put(r->c, k, "ann", 3);
	assert_int_equal(cloud_key_ttl(r->c, k), -1);
	cloud_expire_after_if(r->c, k, "ann", 3, 1);
	rig_pass(r, 1000);
	assert_string_equal(rig_show(r, "user.ip.::1"), "-");
	rig_free(r);
}

/* What was told to expire goes by another clock, on this side only. */
static void
test_lapse(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	struct cloud_key *k = rig_key(r, CLOUD_USER, "ann");
	uint8_t addr[16] = {[15] = 1};

	(void)state;
	cloud_set(r->c, k, "nas", "1", 1);
	cloud_lapse(r->c, CLOUD_USER, "ann", 3, NULL, 0); /* it was not told */
	cloud_lapse(r->c, CLOUD_USER, "bob", 3, NULL, 0);
	assert_string_equal(rig_show(r, "user.ann"), "nas=1");
	cloud_expire_after(r->c, k, 60);
	cloud_lapse(r->c, CLOUD_USER, "ann", 3, NULL, 0);
	assert_string_equal(rig_show(r, "user.ann"), "-");
	k = rig_ip(r, CLOUD_USER_IP, "::1");
	cloud_put(r->c, k, "ann", 3);
	cloud_expire_after_if(r->c, k, "ann", 3, 60);
	cloud_lapse(r->c, CLOUD_USER_IP, addr, 16, "bob", 3);
	assert_string_equal(rig_show(r, "user.ip.::1"), "ann");
	cloud_lapse(r->c, CLOUD_USER_IP, addr, 16, "ann", 3);
	assert_string_equal(rig_show(r, "user.ip.::1"), "-");
	/* the node gets it all, and counts for itself */
	assert_non_null(strstr(rig_take(r, 0, 100), "EXPIRE"));
	k = rig_ip(r, CLOUD_USER_IP, "::1");
	cloud_put(r->c, k, "eve", 3);
	assert_string_equal(rig_show(r, "user.ip.::1"), "eve");
	assert_int_equal(cloud_key_ttl(r->c, k), -1);
	rig_free(r);
}

static void
test_delete(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct cloud_key *k = rig_ip(r, CLOUD_IP, "10.0.0.1");

	(void)state;
	cloud_incr(r->c, k, "bytesSent", 1);
	cloud_delete(r->c, k);
	assert_string_equal(rig_show(r, "ip.10.0.0.1"), "-");
	assert_int_equal(cloud_count(r->c), 0);
	cloud_incr(r->c, k, "bytesSent", 2); /* still borrowed */
	assert_string_equal(
	    rig_show(r, "ip.10.0.0.1"), "bytesSent=2 bytesRcvd=0 pktsSent=0 pktsRcvd=0 "
					"flowsClient=0 flowsServer=0");
	k = rig_key(r, CLOUD_USER, "ann");
	cloud_incr(r->c, k, "a", 1);
	cloud_unset(r->c, k, "a"); /* the last field */
	assert_string_equal(rig_show(r, "user.ann"), "-");
	cloud_expire_after(r->c, k, 0);
	rig_pass(r, 1);
	assert_int_equal(cloud_count(r->c), 1);
	rig_free(r);
}

/*
 * Nodes
 */
static void
test_take(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	unsigned dns = add_dns(r, 0);
	struct cloud_key *k = rig_key(r, dns, "a");

	(void)state;
	assert_int_equal(cloud_waiting(r->c, 0), 0); /* nothing written yet */
	assert_int_equal(cloud_lag(r->c, 0), 0);
	cloud_incr(r->c, k, "q", 1);
	cloud_incr(r->c, k, "q", 2);
	cloud_set_min(r->c, k, "f", 5);
	cloud_set_max(r->c, k, "m", 6);
	cloud_set_max(r->c, k, "m", 7);
	cloud_set(r->c, k, "t", "x", 1);
	cloud_incr(r->c, k, "gone", 1);
	cloud_unset(r->c, k, "gone");
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_MERGED), 3);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_UPDATES), 8);
	rig_pass(r, 250);
	assert_int_equal(cloud_waiting(r->c, 0), 1);
	assert_int_equal(cloud_lag(r->c, 0), 250);
	assert_string_equal(rig_take(r, 0, 100), "HINCRBY dns.domain.a q 3\n"
						 "HSETNX dns.domain.a f 5\n"
						 "HSET dns.domain.a m 7\n"
						 "HSET dns.domain.a t \"x\"\n"
						 "HDEL dns.domain.a gone 0\n"
						 "EXPIRE dns.domain.a 50\n");
	assert_int_equal(cloud_waiting(r->c, 0), 0);
	assert_string_equal(rig_take(r, 0, 100), "");
	assert_string_equal(rig_show(r, DNS "a"), "q=3 f=5 m=7 t=x");
	/* what does not change is not sent */
	k = rig_key(r, dns, "a");
	cloud_set(r->c, k, "t", "x", 1);
	cloud_set_min(r->c, k, "f", 9);
	cloud_set_max(r->c, k, "m", 7);
	cloud_incr(r->c, k, "q", 0);
	assert_string_equal(rig_take(r, 0, 100), "");
	cloud_set_min(r->c, k, "f", 4);
	assert_string_equal(rig_take(r, 0, 100), "HMIN dns.domain.a f 4\n");
	/* a field that comes back after its end */
	cloud_unset(r->c, k, "q");
	cloud_incr(r->c, k, "q", 4);
	cloud_unset(r->c, k, "f");
	cloud_set_min(r->c, k, "f", 9);
	cloud_unset(r->c, k, "t");
	cloud_set(r->c, k, "t", "y", 1);
	assert_string_equal(rig_take(r, 0, 100), "HDEL dns.domain.a q 0\n"
						 "HINCRBY dns.domain.a q 4\n"
						 "HDEL dns.domain.a f 0\n"
						 "HSETNX dns.domain.a f 9\n"
						 "HSET dns.domain.a t \"y\"\n");
	/* a number that was set and then counted */
	cloud_set_number(r->c, k, "n", 10);
	cloud_incr(r->c, k, "n", 1);
	assert_string_equal(rig_take(r, 0, 100), "HSET dns.domain.a n 11\n");
	cloud_incr(r->c, k, "n", 1);
	assert_string_equal(rig_take(r, 0, 100), "HINCRBY! dns.domain.a n 1\n");
	assert_int_equal(cloud_take(r->c, 7, 10, rig_op, r), 0);
	rig_free(r);
}

static void
test_take_order(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	unsigned dns = add_dns(r, 0);

	(void)state;
	cloud_incr(r->c, rig_key(r, dns, "b"), "q", 1);
	rig_pass(r, 10);
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	rig_pass(r, 10);
	cloud_incr(r->c, rig_key(r, dns, "b"), "q", 1); /* keeps its place */
	rig_pass(r, 10);
	assert_int_equal(cloud_waiting(r->c, 0), 2);
	assert_int_equal(cloud_lag(r->c, 0), 30);
	/* whole keys, though one op was asked for */
	assert_string_equal(
	    rig_take(r, 0, 1), "HINCRBY dns.domain.b q 2\nEXPIRE dns.domain.b 50\n");
	assert_int_equal(cloud_lag(r->c, 0), 20);
	assert_string_equal(rig_take(r, 0, 0), "");
	assert_string_equal(
	    rig_take(r, 0, 1), "HINCRBY dns.domain.a q 1\nEXPIRE dns.domain.a 50\n");
	rig_free(r);
}

static void
test_expire_policy(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	unsigned dns = add_dns(r, 0); /* 40 s: EXPIRE 50, again after 10 */
	unsigned i;

	(void)state;
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	assert_string_equal(
	    rig_take(r, 0, 9), "HINCRBY dns.domain.a q 1\nEXPIRE dns.domain.a 50\n");
	rig_pass(r, 9999);
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	assert_string_equal(rig_take(r, 0, 9), "HINCRBY! dns.domain.a q 1\n");
	rig_pass(r, 1);
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	cloud_incr(r->c, rig_key(r, dns, "a"), "new", 1); /* says nothing of the key */
	assert_string_equal(rig_take(r, 0, 9), "HINCRBY! dns.domain.a q 1\n"
					       "HINCRBY dns.domain.a new 1\n"
					       "EXPIRE dns.domain.a 50\n");
	/* what says the same keeps the key alive there too */
	cloud_set(r->c, rig_key(r, dns, "a"), "t", "x", 1);
	rig_take(r, 0, 9);
	for (i = 0; i < 3; i++) {
		rig_pass(r, 10000);
		cloud_set(r->c, rig_key(r, dns, "a"), "t", "x", 1);
		assert_string_equal(rig_take(r, 0, 9), "EXPIRE dns.domain.a 50\n");
	}
	rig_free(r);
}

/* A node that is away: keys end here, what it has not got stays for it. */
static void
test_expired_waiting(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	unsigned dns = add_dns(r, 0);
	struct cloud_key *k = rig_key(r, dns, "a");

	(void)state;
	cloud_incr(r->c, k, "q", 3);
	cloud_incr(r->c, k, "p", 1);
	cloud_set(r->c, k, "t", "old", 3);
	rig_pass(r, 45000);
	assert_string_equal(rig_show(r, DNS "a"), "-");
	assert_int_equal(cloud_count(r->c), 0);
	assert_int_equal(cloud_waiting(r->c, 0), 1);
	/* it lives again, from zero; nothing that waited is lost */
	k = rig_key(r, dns, "a");
	cloud_incr(r->c, k, "q", 2);
	assert_string_equal(rig_show(r, DNS "a"), "q=2");
	assert_int_equal(cloud_key_count(k), 1);
	rig_pass(r, 45000);
	assert_string_equal(rig_take(r, 0, 9), "HINCRBY dns.domain.a q 5\n"
					       "HINCRBY dns.domain.a p 1\n"
					       "HSET dns.domain.a t \"old\"\n"
					       "EXPIRE dns.domain.a 50\n");
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_EXPIRED), 2);
	/* taken and unseen: it goes; the next one is new */
	rig_pass(r, 1);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_MADE), 1);
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_MADE), 2);
	rig_free(r);
}

static void
test_life_orders(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	struct cloud_key *k = rig_key(r, CLOUD_USER, "ann");

	(void)state;
	cloud_set(r->c, k, "nas", "1", 1);
	cloud_expire_after(r->c, k, 60);
	cloud_persist(r->c, k); /* the last word */
	assert_string_equal(
	    rig_take(r, 0, 9), "HSET user.ann nas \"1\"\nPERSIST user.ann 0\n");
	cloud_expire_after(r->c, k, 60);
	cloud_incr(r->c, k, "x", 1);
	rig_pass(r, 20500);
	assert_string_equal(
	    rig_take(r, 0, 9), "HINCRBY user.ann x 1\nEXPIRE user.ann 40\n");
	/* shortly before its end: the node may have lost it; no rest must stay */
	rig_pass(r, 37000);
	cloud_incr(r->c, rig_key(r, CLOUD_USER, "ann"), "x", 1);
	assert_string_equal(
	    rig_take(r, 0, 9), "HINCRBY user.ann x 1\nEXPIRE user.ann 3\n");
	k = rig_key(r, CLOUD_USER, "ann");
	cloud_incr(r->c, k, "x", 1);
	cloud_delete(r->c, k);
	assert_string_equal(rig_take(r, 0, 9), "DEL user.ann 0\n");
	k = rig_key(r, CLOUD_USER, "ann");
	cloud_delete(r->c, k);
	cloud_incr(r->c, k, "x", 7);
	assert_string_equal(
	    rig_take(r, 0, 9), "DEL user.ann 0\nHINCRBY user.ann x 7\n");
	/* logged out while it was not known here */
	cloud_expire_after(r->c, rig_key(r, CLOUD_USER, "bob"), 9);
	assert_string_equal(rig_take(r, 0, 9), "EXPIRE user.bob 9\n");
	rig_pass(r, 1);
	assert_string_equal(rig_show(r, "user.bob"), "-");
	rig_free(r);
}

static void
test_strings(void **state)
{
	const struct cloud_tree def = {
	    .prefix = "dns.cache.", .type = CLOUD_STRING, .ttl_s = 40};
	struct rig *r = rig_new(1, 300, 1000);
	unsigned cache = (unsigned)cloud_add_tree(r->c, &def);
	struct cloud_key *k = rig_ip(r, CLOUD_USER_IP, "10.0.0.1");

	(void)state;
	cloud_put(r->c, k, "ann", 3);
	cloud_put(r->c, k, "bob", 3);
	assert_string_equal(rig_take(r, 0, 9), "SET user.ip.10.0.0.1 \"bob\"\n");
	cloud_put(r->c, k, "bob", 3);
	assert_string_equal(rig_take(r, 0, 9), "");
	cloud_expire_after_if(r->c, k, "ann", 3, 60); /* it is bob's now */
	assert_string_equal(rig_take(r, 0, 9), "");
	cloud_expire_after_if(r->c, k, "bob", 3, 60);
	assert_string_equal(
	    rig_take(r, 0, 9), "EXPIRE_IF user.ip.10.0.0.1 \"bob\" 60\n");
	cloud_put(r->c, k, "bob", 3); /* back: SET takes the TTL away */
	assert_string_equal(rig_take(r, 0, 9), "SET user.ip.10.0.0.1 \"bob\"\n");
	cloud_expire_after_if(r->c, k, "bob", 3, 60);
	cloud_put(r->c, k, "eve", 3);
	cloud_persist(r->c, k);
	assert_string_equal(rig_take(r, 0, 9),
	    "SET user.ip.10.0.0.1 \"eve\"\nPERSIST user.ip.10.0.0.1 0\n");
	/* the node knows of an address this probe has not seen */
	cloud_expire_after_if(r->c, rig_ip(r, CLOUD_USER_IP, "10.0.0.2"), "ann", 3, 60);
	assert_string_equal(
	    rig_take(r, 0, 9), "EXPIRE_IF user.ip.10.0.0.2 \"ann\" 60\n");
	assert_string_equal(rig_show(r, "user.ip.10.0.0.2"), "-");
	/* volatile: each SET needs its EXPIRE */
	cloud_put(r->c, rig_key(r, cache, "10.0.0.1"), "a.example", 9);
	assert_string_equal(rig_take(r, 0, 9),
	    "SET dns.cache.10.0.0.1 \"a.example\"\nEXPIRE dns.cache.10.0.0.1 50\n");
	cloud_put(r->c, rig_key(r, cache, "10.0.0.1"), "b.example", 9);
	assert_string_equal(rig_take(r, 0, 9),
	    "SET dns.cache.10.0.0.1 \"b.example\"\nEXPIRE dns.cache.10.0.0.1 50\n");
	rig_free(r);
}

static void
test_rearm(void **state)
{
	struct rig *r = rig_new(2, 300, 1000);
	unsigned dns = add_dns(r, 0);
	struct cloud_key *k = rig_key(r, dns, "a"); /* node 1 */
	const char *ann = "HSET user.ann nas \"1\"\n";

	(void)state;
	cloud_incr(r->c, k, "q", 3);
	cloud_set(r->c, k, "t", "x", 1);
	cloud_set_min(r->c, k, "f", 4);
	cloud_set(r->c, rig_key(r, CLOUD_USER, "ann"), "nas", "1", 1);
	cloud_put(r->c, rig_ip(r, CLOUD_USER_IP, "10.0.0.1"), "ann", 3);
	rig_take(r, 0, 99);
	rig_take(r, 1, 99);
	cloud_rearm(r->c, DNS "a", 12);
	cloud_rearm(r->c, DNS "none", 15);
	assert_string_equal(rig_take(r, rig_node_of(r, DNS "a", 12), 99),
	    "HSET dns.domain.a t \"x\"\n"
	    "HSETNX dns.domain.a f 4\n"
	    "EXPIRE dns.domain.a 50\n");
	cloud_incr(r->c, k, "q", 1);
	assert_string_equal(rig_take(r, rig_node_of(r, DNS "a", 12), 99),
	    "HINCRBY dns.domain.a q 1\n"); /* its q is new: no answer to compare */
	/* all of a node's */
	cloud_rearm_all(r->c, rig_node_of(r, "user.ann", 8));
	rig_take(r, rig_node_of(r, "user.ann", 8), 99);
	assert_non_null(strstr(r->ops, ann));
	cloud_rearm_all(r->c, !rig_node_of(r, "user.ann", 8));
	rig_take(r, !rig_node_of(r, "user.ann", 8), 99);
	assert_null(strstr(r->ops, ann));
	cloud_rearm_all(r->c, 9);
	/* a mark goes along */
	cloud_expire_after(r->c, rig_key(r, CLOUD_USER, "ann"), 60);
	rig_take(r, rig_node_of(r, "user.ann", 8), 99);
	cloud_rearm(r->c, "user.ann", 8);
	assert_string_equal(rig_take(r, rig_node_of(r, "user.ann", 8), 99),
	    "HSET user.ann nas \"1\"\nEXPIRE user.ann 60\n");
	rig_free(r);
}

/* Counts ops: more than the rig has room for. */
static void
count_op(void *arg, const struct cloud_op *op)
{
	unsigned *n = arg;

	n[op->kind]++;
}

static void
test_rearm_many(void **state)
{
	struct rig *r = rig_new(1, 300, 100000);
	unsigned i, n[CLOUD_OP_DEL + 1] = {0}, total = 80000;
	uint8_t a[16] = {0x20, 1};

	(void)state;
	for (i = 0; i < total; i++) {
		memcpy(a + 12, &i, sizeof(i));
		cloud_set(r->c, cloud_key(r->c, CLOUD_IP, a, 16), "os", "x", 1);
	}
	assert_int_equal(cloud_count(r->c), total);
	cloud_take(r->c, 0, UINT32_MAX, count_op, n);
	assert_int_equal(n[CLOUD_OP_HSET], total);
	cloud_rearm_all(r->c, 0);
	for (i = 0; i < 20; i++)
		rig_pass(r, 1); /* the rest, some thousand at a time */
	cloud_take(r->c, 0, UINT32_MAX, count_op, n);
	assert_int_equal(n[CLOUD_OP_HSET], 2 * total);
	assert_int_equal(n[CLOUD_OP_EXPIRE], 2 * total);
	/* they end at once, and go some thousand at a time; none is seen meanwhile */
	rig_pass(r, 300000);
	assert_null(cloud_next(r->c, "", 0, NULL, 0));
	for (i = 0; i < 40; i++)
		rig_pass(r, 1000);
	assert_int_equal(cloud_count(r->c), 0);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_EXPIRED), total);
	rig_free(r);
}

static void
test_local(void **state)
{
	const struct cloud_tree def = {
	    .prefix = "here.", .type = CLOUD_HASH, .local = true};
	struct rig *r = rig_new(1, 300, 1000);
	unsigned here = (unsigned)cloud_add_tree(r->c, &def);

	(void)state;
	cloud_incr(r->c, rig_key(r, here, "a"), "q", 1);
	cloud_unset(r->c, rig_key(r, here, "a"), "z");
	assert_int_equal(cloud_waiting(r->c, 0), 0);
	assert_string_equal(rig_take(r, 0, 9), "");
	assert_string_equal(rig_show(r, "here.a"), "q=1");
	rig_free(r);
}

/*
 * Sorted sets
 */
static void
test_zset(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	struct cloud_key *k = rig_key(r, CLOUD_TOP, "ip.bytes.100");
	struct cloud_item item;

	(void)state;
	cloud_zincr(r->c, k, "b", 1, 5);
	cloud_zincr(r->c, k, "a", 1, 5);
	cloud_zincr(r->c, k, "a name that does not fit within", 31, 1);
	cloud_zincr(r->c, k, "b", 1, 1);
	cloud_zincr(r->c, k, "none", 4, 0);
	assert_string_equal(rig_show(r, "top.ip.bytes.100"),
	    "a name that does not fit within=1 a=5 b=6");
	assert_true(cloud_key_get(k, "b", 1, &item));
	assert_int_equal(item.number, 6);
	assert_false(cloud_key_get(k, "none", 4, &item));
	assert_string_equal(rig_take(r, 0, 9),
	    "ZINCRBY top.ip.bytes.100 b 6\n"
	    "ZINCRBY top.ip.bytes.100 a 5\n"
	    "ZINCRBY top.ip.bytes.100 a name that does not fit within 1\n"
	    "ZTRIM top.ip.bytes.100 0\n"
	    "EXPIRE top.ip.bytes.100 375\n");
	cloud_zincr(r->c, k, "b", 1, 1);
	assert_string_equal(rig_take(r, 0, 9), "ZINCRBY top.ip.bytes.100 b 1\n");
	/* an earlier life's changes go, its scores do not come back */
	cloud_zincr(r->c, k, "a", 1, 3);
	rig_pass(r, 301000);
	assert_string_equal(rig_show(r, "top.ip.bytes.100"), "-");
	k = rig_key(r, CLOUD_TOP, "ip.bytes.100");
	cloud_zincr(r->c, k, "c", 1, 2);
	assert_string_equal(rig_show(r, "top.ip.bytes.100"), "c=2");
	rig_take(r, 0, 9);
	assert_non_null(strstr(r->ops, "ZINCRBY top.ip.bytes.100 a 3\n"));
	assert_non_null(strstr(r->ops, "ZINCRBY top.ip.bytes.100 c 2\n"));
	rig_free(r);
}

/* The large ones are kept, whatever comes; their scores are exact. */
static void
test_zset_bound(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct cloud_key *k = rig_key(r, CLOUD_TOP, "ip.bytes.1");
	struct cloud_item item;
	char name[40];
	unsigned i, n, round;
	int64_t last = 0;

	(void)state;
	for (round = 1; round <= 5; round++)
		for (i = 0; i < 20000; i++) {
			n = (unsigned)snprintf(
			    name, sizeof(name), "member %u of many", i);
			/* i < 500 weigh a thousand times as much */
			cloud_zincr(r->c, k, name, n, i < 500 ? 1000 + i : 1);
		}
	assert_int_equal(cloud_key_count(k), CLOUD_ZSET_MAX);
	assert_true(rig_counter(r, COUNTER_CLOUD_TOP_DROPPED) > 19000);
	for (i = 0; i < CLOUD_ZSET_MAX; i++) {
		cloud_key_at(k, i, &item);
		assert_true(item.number >= last);
		last = item.number;
		if (i >= 500)
			assert_int_equal(item.number, 5 * (1000 + i - 500));
	}
	assert_true(cloud_key_get(k, "member 499 of many", 18, &item));
	assert_int_equal(item.number, 5 * 1499);
	/* each that is shown is found, and none else */
	for (i = n = 0; i < 20000; i++) {
		size_t len =
		    (size_t)snprintf(name, sizeof(name), "member %u of many", i);

		n += cloud_key_get(k, name, len, &item);
	}
	assert_int_equal(n, CLOUD_ZSET_MAX);
	rig_free(r);
}

/* What is put is there for whoever asks, added up, in order; by number as by name. */
static void
test_puts(void **state)
{
	struct rig *r = rig_new(0, 300, 2);
	const struct cloud_tree def = {
	    .prefix = "host.", .type = CLOUD_HASH, .ttl_s = 300, .addr = true, .other = true};
	int tree = cloud_add_tree(r->c, &def), sum, max, text, i;
	uint8_t a[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
	struct cloud_add add[2];

	(void)state;
	assert_int_equal(sum = cloud_tree_field(r->c, (unsigned)tree, "sum"), 0);
	assert_int_equal(max = cloud_tree_field(r->c, (unsigned)tree, "max"), 1);
	assert_int_equal(text = cloud_tree_field(r->c, (unsigned)tree, "text"), 2);
	assert_int_equal(cloud_tree_field(r->c, (unsigned)tree, "max"), max);
	assert_int_equal(cloud_tree_field(r->c, CLOUD_TOP, "max"), -1);
	for (i = 1; i <= 3000; i++) {
		a[15] = (uint8_t)(1 + i % 3); /* of three keys one is "other" */
		add[0] = (struct cloud_add){(uint8_t)sum, CLOUD_ADD, (uint64_t)i};
		add[1] = (struct cloud_add){(uint8_t)max, CLOUD_ADD_MAX, (uint64_t)(i % 50)};
		cloud_put_adds(r->c, (unsigned)tree, a, 16, add, 2, 0, 0);
		if (i % 1000 == 0)
			cloud_put_text(r->c, (unsigned)tree, a, 16, text, "x", 1);
	}
	assert_int_equal(cloud_count(r->c), 3);
	assert_string_equal(rig_show(r, "host.10.0.0.2"), "sum=1499500 max=49 text=x");
	assert_string_equal(rig_show(r, "host.10.0.0.3"), "sum=1500500 max=49 text=x");
	assert_string_equal(rig_show(r, "host.other"), "sum=1501500 max=49 text=x");
	assert_true(rig_counter(r, COUNTER_CLOUD_UPDATES) >= 6000);
	/* what is written by name comes after what was put before */
	a[15] = 2;
	cloud_put_text(r->c, (unsigned)tree, a, 16, text, "put", 3);
	cloud_set(r->c, cloud_key(r->c, (unsigned)tree, a, 16), "text", "set", 3);
	assert_string_equal(rig_show(r, "host.10.0.0.2"), "sum=1499500 max=49 text=set");
	/* and a key that ended begins anew */
	cloud_put_adds(r->c, (unsigned)tree, a, 16, add, 1, 0, 0);
	rig_pass(r, 300000);
	cloud_put_adds(r->c, (unsigned)tree, a, 16, add, 1, 0, 0);
	assert_string_equal(rig_show(r, "host.10.0.0.2"), "sum=3000");
	assert_false(cloud_put_adds(r->c, (unsigned)tree, a, 4, add, 1, 0, 0));
	assert_false(cloud_put_adds(r->c, CLOUD_TOP, a, 4, add, 0, 0, 0));
	assert_false(cloud_put_text(r->c, (unsigned)tree, a, 16, 3, "x", 1));
	add[0].field = 3;
	assert_false(cloud_put_adds(r->c, (unsigned)tree, a, 16, add, 1, 0, 0));
	/* an address is not seen by being named */
	text = cloud_tree_field(r->c, CLOUD_IP, "name");
	cloud_put_text(r->c, CLOUD_IP, a, 16, text, "x", 1);
	assert_string_equal(rig_show(r, "ip.10.0.0.2"), "-");
	rig_free(r);
}

/* Top lists of keys: exact, though a member was small and left out for long. */
static void
test_put_tops(void **state)
{
	struct rig *r = rig_new(0, 300, 100000);
	const struct cloud_tree def = {.prefix = "name.", .type = CLOUD_HASH, .ttl_s = 300};
	int tree = cloud_add_tree(r->c, &def);
	struct cloud_item items[3];
	unsigned round, i;
	uint64_t minute = 60000000;
	const struct cloud_add one = {0, CLOUD_ADD, 1};
	char id[32];

	(void)state;
	assert_int_equal(cloud_tree_field(r->c, (unsigned)tree, "n"), 0);
	assert_int_equal(cloud_tree_top(r->c, (unsigned)tree, "names"), 0);
	assert_int_equal(cloud_tree_top(r->c, (unsigned)tree, "names"), -1);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 5000; i++) {
			snprintf(id, sizeof(id), "n%u", i);
			cloud_put_adds(r->c, (unsigned)tree, id, strlen(id), &one, 1,
			    i == 4999 ? 200 * (round == 19) + 1 : 10 + i % 100, minute);
		}
		rig_pass(r, 1000);
	}
	assert_int_equal(cloud_top(r->c, "names", items, 3), 3);
	assert_memory_equal(items[0].name, "n1099", 5); /* ties by name */
	assert_int_equal(items[0].number, 20 * 109);
	assert_int_equal(cloud_key_count(cloud_find(r->c, "top.names.1", 11)), 1000);
	snprintf(id, sizeof(id), "n4999");
	assert_false(cloud_key_get(cloud_find(r->c, "top.names.1", 11), id, 5, items));
	cloud_put_adds(r->c, (unsigned)tree, id, 5, &one, 1, 5000, minute);
	cloud_top(r->c, "names", items, 3);
	assert_memory_equal(items[0].name, "n4999", 5);
	assert_int_equal(items[0].number, 5000 + 20 + 200);
	/* another minute counts for itself */
	cloud_put_adds(r->c, (unsigned)tree, id, 5, &one, 1, 7, 2 * minute);
	assert_string_equal(rig_show(r, "top.names.2"), "n4999=7");
	rig_free(r);
}

static void
put_minute(
    struct rig *r, const char *metric, unsigned minute, const char *member, uint64_t n)
{
	char id[64];

	snprintf(id, sizeof(id), "%s.%u", metric, minute);
	cloud_zincr(r->c, rig_key(r, CLOUD_TOP, id), member, strlen(member), n);
}

static void
test_top(void **state)
{
	struct rig *r = rig_new(0, 300, 1000);
	struct cloud_item items[4];
	char metric[24];
	unsigned i;

	(void)state;
	for (i = 100; i < 120; i++) {
		put_minute(r, "dns.domain", i, "a", 1);
		put_minute(r, "dns.domain", i, i % 2 ? "b" : "c", 2);
	}
	/* 115 .. 119 */
	assert_int_equal(cloud_top(r->c, "dns.domain", items, 4), 3);
	assert_memory_equal(items[0].name, "b", 1);
	assert_int_equal(items[0].number, 6);
	assert_memory_equal(items[1].name, "a", 1);
	assert_int_equal(items[1].number, 5);
	assert_memory_equal(items[2].name, "c", 1);
	assert_int_equal(items[2].number, 4);
	assert_null(items[2].text);
	assert_int_equal(cloud_top(r->c, "dns.domain", items, 2), 2);
	assert_int_equal(cloud_top(r->c, "ip.bytes", items, 4), 0);
	assert_int_equal(cloud_top(r->c, "no.such", items, 4), 0);
	/* only the newest eight are kept */
	assert_int_equal(cloud_count(r->c), 8);
	assert_string_equal(rig_show(r, "top.dns.domain.111"), "-");
	assert_string_equal(rig_show(r, "top.dns.domain.112"), "a=1 c=2");
	/* a late one has its place for now; those in use keep theirs */
	put_minute(r, "dns.domain", 119, "a", 1);
	put_minute(r, "dns.domain", 90, "a", 1);
	assert_int_equal(cloud_count(r->c), 8);
	assert_int_equal(cloud_top(r->c, "dns.domain", items, 4), 3);
	assert_int_equal(items[1].number, 6);
	/* names that are no metric's minute */
	assert_null(rig_key(r, CLOUD_TOP, "dns.domain."));
	assert_null(rig_key(r, CLOUD_TOP, "12"));
	assert_null(rig_key(r, CLOUD_TOP, "dns.domain.1x"));
	assert_null(rig_key(r, CLOUD_TOP, ".1"));
	assert_null(rig_key(r, CLOUD_TOP, "x.99999999999999999999999"));
	for (i = 0; i < 30; i++) {
		snprintf(metric, sizeof(metric), "m%u.9", i);
		rig_key(r, CLOUD_TOP, metric);
	}
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 5 + 30 - 11);
	rig_free(r);
}

/* A node that is away keeps minutes waiting, but not for ever. */
static void
test_top_waiting(void **state)
{
	struct rig *r = rig_new(1, 300, 1000);
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		put_minute(r, "dns.domain", i, "a", 1);
	assert_int_equal(cloud_waiting(r->c, 0), 64);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 0);
	for (; i < 70; i++)
		put_minute(r, "dns.domain", i, "a", 1);
	assert_int_equal(cloud_waiting(r->c, 0), 64);
	assert_int_equal(rig_counter(r, COUNTER_CLOUD_NO_ROOM), 6);
	assert_string_equal(rig_show(r, "top.dns.domain.5"), "-");
	rig_take(r, 0, UINT32_MAX);
	assert_null(strstr(r->ops, "domain.5 "));
	assert_non_null(strstr(r->ops, "ZINCRBY top.dns.domain.6 a 1\n"));
	put_minute(r, "dns.domain", i, "a", 1);
	assert_int_equal(cloud_count(r->c), 8);
	rig_pass(r, 1);
	rig_free(r);
}

/*
 * Walks
 */
static void
test_next(void **state)
{
	static const char *const want[] = {"dns.domain.a", "dns.domain.a.b",
	    "dns.domain.ab", "dns.domain.b", "user.a"};
	struct rig *r = rig_new(0, 300, 1000);
	unsigned dns = add_dns(r, 0), i;
	const struct cloud_key *k = NULL;
	const char *name = NULL;
	size_t len = 0;

	(void)state;
	assert_null(cloud_any(r->c, 5));
	cloud_incr(r->c, rig_key(r, dns, "ab"), "q", 1);
	cloud_incr(r->c, rig_key(r, CLOUD_USER, "a"), "q", 1);
	cloud_incr(r->c, rig_key(r, dns, "a.b"), "q", 1);
	cloud_incr(r->c, rig_key(r, dns, "b"), "q", 1);
	cloud_incr(r->c, rig_key(r, dns, "a"), "q", 1);
	for (i = 0; i < 5; i++) {
		k = cloud_next(r->c, "", 0, name, len);
		assert_non_null(k);
		name = cloud_key_name(k, &len);
		assert_string_equal(name, want[i]);
		assert_int_equal(len, strlen(want[i]));
		assert_ptr_equal(cloud_find(r->c, name, len), k);
	}
	assert_null(cloud_next(r->c, "", 0, name, len));
	k = cloud_next(r->c, DNS "a", 12, NULL, 0);
	assert_string_equal(cloud_key_name(k, NULL), DNS "a");
	k = cloud_next(r->c, DNS "a", 12, DNS "a.b", 14);
	assert_string_equal(cloud_key_name(k, NULL), DNS "ab");
	assert_null(cloud_next(r->c, DNS "a", 12, DNS "ab", 13));
	/* AFTER before the prefix, and beyond all it covers */
	k = cloud_next(r->c, "user.", 5, "dns", 3);
	assert_string_equal(cloud_key_name(k, NULL), "user.a");
	assert_null(cloud_next(r->c, DNS, 11, "zzz", 3));
	for (i = 0; i < 100; i++)
		assert_non_null(cloud_any(r->c, (uint64_t)i * 0x9e3779b97f4a7c15));
	rig_free(r);
}

/* What was taken is given back. */
static void
test_memory(void **state)
{
	struct rig *r = rig_new(1, 300, 100000);
	unsigned i, dns = add_dns(r, 0), n[CLOUD_OP_DEL + 1] = {0};
	size_t before = 0, full;
	struct cloud_key *k;
	char name[300];
	unsigned round;

	(void)state;
	memset(name, 'n', sizeof(name));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2000; i++) {
			snprintf(name, 20, "name %u", i);
			name[strlen(name)] = 'x';
			k = cloud_key(r->c, dns, name, 150);
			cloud_set(r->c, k, "long", name, 200);
			name[100] = '\0';
			cloud_incr(r->c, k, name, 1);
			name[100] = 'n';
			put_minute(
			    r, "ip.bytes", i % 3, "some very long member's name", 1);
		}
		full = cloud_memory(r->c);
		assert_true(cloud_key_memory(cloud_look(r->c, dns, name, 150)) > 300);
		cloud_take(r->c, 0, UINT32_MAX, count_op, n);
		rig_pass(r, 400000);
		rig_pass(r, 1000);
		assert_int_equal(cloud_count(r->c), 0);
		if (round == 0)
			before = cloud_memory(r->c);
		assert_true(full > before + 2000 * 300);
		assert_int_equal(cloud_memory(r->c), before);
	}
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trees),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_wrong_type),
	    cmocka_unit_test(test_caps),
	    cmocka_unit_test(test_hostile_ids),
	    cmocka_unit_test(test_ttl),
	    cmocka_unit_test(test_persistent),
	    cmocka_unit_test(test_lapse),
	    cmocka_unit_test(test_delete),
	    cmocka_unit_test(test_take),
	    cmocka_unit_test(test_take_order),
	    cmocka_unit_test(test_expire_policy),
	    cmocka_unit_test(test_expired_waiting),
	    cmocka_unit_test(test_life_orders),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_rearm),
	    cmocka_unit_test(test_rearm_many),
	    cmocka_unit_test(test_local),
	    cmocka_unit_test(test_zset),
	    cmocka_unit_test(test_zset_bound),
	    cmocka_unit_test(test_puts),
	    cmocka_unit_test(test_put_tops),
	    cmocka_unit_test(test_top),
	    cmocka_unit_test(test_top_waiting),
	    cmocka_unit_test(test_next),
	    cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
