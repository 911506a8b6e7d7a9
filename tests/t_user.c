/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_user.c -- whose a flow is, with a read channel that says what the test wants, when
 * it wants: own sightings, questions, order, waiting, bounds, counting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "cloud.h"
#include "config.h"
#include "keyname.h"
#include "reader.h"
#include "sighting.h"
#include "user.h"

#define MANY (USERS_WAITING + 100)
#define S    UINT64_C(1000000)

/*
 * The read channel
 */
struct question {
	char key[READER_KEYS][96];
	unsigned n;
	reader_cb *cb;
	void *arg;
};

static struct {
	struct question q[2 * MANY];
	unsigned n;
	bool refuses;
	const char *at_once; /* answered from the cache */
} channel;

struct reader *
reader_new(const struct reader_setup *setup, char *err, size_t errlen)
{
	(void)err;
	(void)errlen;
	assert_true(setup->timeout_ms >= 100);
	return (struct reader *)&channel;
}

void
reader_free(struct reader *r)
{
	(void)r;
}

static void
answer(const struct question *q, const char *name, bool known)
{
	struct reader_answer a = {.known = known, .found = name != NULL};

	if (name != NULL) {
		a.len = strlen(name);
		memcpy(a.value, name, a.len + 1);
	}
	q->cb(q->arg, &a);
}

bool
reader_ask(struct reader *r, const char *const *keys, unsigned n, const char *field,
    reader_cb *cb, void *arg)
{
	struct question q = {.n = n, .cb = cb, .arg = arg};
	unsigned i;

	(void)r;
	assert_null(field);
	assert_in_range(n, 1, READER_KEYS);
	if (channel.refuses)
		return false;
	for (i = 0; i < n; i++) {
		assert_true(strlen(keys[i]) < sizeof(q.key[i]));
		strcpy(q.key[i], keys[i]);
	}
	if (channel.at_once != NULL) {
		answer(&q, channel.at_once, true);
		return true;
	}
	assert_in_range(channel.n, 0, 2 * MANY - 1);
	channel.q[channel.n++] = q;
	return true;
}

static unsigned
node_of(void *arg, const char *key, size_t len)
{
	(void)arg;
	(void)key;
	(void)len;
	return 0;
}

/*
 * What is tested
 */
struct rig {
	struct config config;
	struct counters counters;
	struct event_base *base;
	struct cloud *cloud;
	struct sightings *sightings;
	struct users *users;
	unsigned n; /* records that left */
	uint64_t last; /* the serial of the last */
	char user[256], of[2][256];
};

static void
on_leave(void *arg, void *worker, struct flow *f, const struct user_names *names)
{
	struct rig *r = arg;
	unsigned i;

	assert_ptr_equal(worker, r);
	assert_true(f->serial >= r->last); /* in order; parts have one number */
	r->last = f->serial;
	r->n++;
	snprintf(r->user, sizeof(r->user), "%s", names->flow != NULL ? names->flow : "");
	for (i = 0; i < 2; i++)
		snprintf(r->of[i], sizeof(r->of[i]), "%s",
		    names->of[i] != NULL ? names->of[i] : "");
}

static void
rig_open(struct rig *r, bool nodes, int wait_ms)
{
	struct cloud_setup cloud = {.ttl_s = 300, .max_keys = 10000,
		.counters = &r->counters};
	struct sightings_setup sightings = {.grace_us = 60 * S, .counters = &r->counters};
	struct users_setup setup = {.config = &r->config, .counters = &r->counters};
	char err[256];

	memset(r, 0, sizeof(*r));
	memset(&channel, 0, sizeof(channel));
	r->config.user_wait_ms = wait_ms;
	r->config.max_flows = 1000;
	r->sightings = sightings_new(&sightings);
	assert_non_null(r->sightings);
	r->base = event_base_new();
	assert_non_null(r->base);
	r->cloud = cloud_new(&cloud);
	assert_non_null(r->cloud);
	cloud_clock(r->cloud, 1000);
	setup.base = r->base;
	setup.cloud = r->cloud;
	setup.sightings = r->sightings;
	setup.node_of = nodes ? node_of : NULL;
	r->users = users_new(&setup, err, sizeof(err));
	assert_non_null(r->users);
	users_on_leave(r->users, on_leave, r);
}

static void
rig_close(struct rig *r)
{
	users_free(r->users);
	sightings_free(r->sightings);
	cloud_free(r->cloud);
	event_base_free(r->base);
}

static void
address(uint8_t *addr, const char *text)
{
	assert_int_equal(keyname_read_addr(addr, text, strlen(text)), 0);
}

static struct flow
flow_of(uint64_t serial, const char *client, const char *server)
{
	struct flow f = {.serial = serial};

	f.key.ip_version = strchr(client, ':') != NULL ? 6 : 4;
	address(f.key.addr[0], client);
	address(f.key.addr[1], server);
	return f;
}

static void
see_at(struct rig *r, const char *text, unsigned bits, const char *name, uint64_t at_s,
    bool has)
{
	struct sighting_net n = {.bits = (uint8_t)bits};

	address(n.addr, text);
	if (has)
		sightings_login(r->sightings, &n, name, at_s * S);
	else
		sightings_logout(r->sightings, &n, name, at_s * S);
}

static void
see_address(struct rig *r, const char *text, const char *name)
{
	see_at(r, text, 128, name, 0, true);
}

/* F, or a part of it, from FIRST to LAST, s; it ends a second later. */
static void
span(struct flow *f, uint64_t first_s, uint64_t last_s)
{
	f->packets[0] = 1;
	f->octets[0] = 100;
	f->first_us[0] = first_s * S;
	f->last_dir_us[0] = last_s * S;
	f->ended_us = (last_s + 1) * S;
}

static int64_t
number(struct rig *r, const char *key, const char *field)
{
	const struct cloud_key *k = cloud_find(r->cloud, key, strlen(key));
	struct cloud_item item;

	if (k == NULL || !cloud_key_get(k, field, strlen(field), &item))
		return 0;
	return item.number;
}

/*
 * Tests
 */
static void
test_own(void **state)
{
	struct flow f = flow_of(1, "10.0.0.1", "10.0.0.2");
	struct rig r;

	(void)state;
	rig_open(&r, false, 100);
	users_ended(r.users, &r, &f);
	assert_int_equal(r.n, 1);
	assert_string_equal(r.user, "");
	see_address(&r, "10.0.0.2", "server");
	f.serial++;
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "server");
	assert_string_equal(r.of[0], "");
	see_address(&r, "10.0.0.1", "client");
	f.serial++;
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "client");
	assert_string_equal(r.of[1], "server");
	f.serial++;
	f.flags |= FLOW_CLIENT_IS_1;
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "server");
	assert_string_equal(users_known(r.users, &f.key, 0), "client");
	assert_string_equal(users_known(r.users, &f.key, 1), "server");
	assert_int_equal(users_waiting(r.users), 0);
	rig_close(&r);
}

static void
test_networks(void **state)
{
	static const struct {
		const char *addr, *name;
		unsigned bits;
	} nets[] = {{"2001:db8:1::", "/48", 48}, {"2001:db8:1:200::", "/56", 56},
		{"2001:db8:1:200::", "/62", 62}, {"2001:db8:1:203::", "/64", 64}};
	struct flow f = flow_of(0, "2001:db8:1:203::9", "2001:db8:ffff::1");
	struct rig r;
	unsigned i;

	(void)state;
	rig_open(&r, false, 100);
	for (i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
		see_at(&r, nets[i].addr, nets[i].bits, nets[i].name, 0, true);
		f.serial++;
		users_ended(r.users, &r, &f);
		assert_string_equal(r.user, nets[i].name);
	}
	see_address(&r, "2001:db8:1:203::9", "himself");
	f.serial++;
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "himself");
	rig_close(&r);
}

static void
test_asks(void **state)
{
	struct flow a = flow_of(1, "10.0.0.1", "10.0.0.2"),
		    b = flow_of(2, "2001:db8:1:203::9", "2001:db8::1"),
		    c = flow_of(3, "0.0.0.0", "10.0.0.4");
	struct rig r;

	(void)state;
	rig_open(&r, true, 10000);
	see_address(&r, "10.0.0.2", "own");
	memset(c.key.addr[0], 0, 16); /* -p */
	users_ended(r.users, &r, &a);
	users_ended(r.users, &r, &b);
	users_ended(r.users, &r, &c);
	assert_int_equal(channel.n, 4); /* the own sighting is not asked for */
	assert_string_equal(channel.q[0].key[0], "user.ip.10.0.0.1");
	assert_int_equal(channel.q[0].n, 1);
	assert_int_equal(channel.q[1].n, 4);
	assert_string_equal(channel.q[1].key[0], "user.ip.2001:db8:1:203::9");
	assert_string_equal(channel.q[1].key[1], "user.net.2001:db8:1:203::/64");
	assert_string_equal(channel.q[1].key[2], "user.net.2001:db8:1:200::/56");
	assert_string_equal(channel.q[1].key[3], "user.net.2001:db8:1::/48");
	/* nobody overtakes */
	answer(&channel.q[3], "four", true);
	answer(&channel.q[1], NULL, true);
	answer(&channel.q[2], "two", true);
	assert_int_equal(r.n, 0);
	assert_int_equal(users_waiting(r.users), 3);
	answer(&channel.q[0], NULL, false);
	assert_int_equal(r.n, 3);
	assert_string_equal(r.user, "four");
	assert_int_equal(r.counters.v[COUNTER_USERS_LATE], 0);
	channel.at_once = "known";
	a.serial = 4;
	users_ended(r.users, &r, &a);
	assert_int_equal(r.n, 4);
	assert_string_equal(r.user, "known");
	rig_close(&r);
}

static void
test_late(void **state)
{
	struct flow a = flow_of(1, "10.0.0.1", "10.0.0.2"),
		    b = flow_of(2, "10.0.0.3", "10.0.0.4");
	struct rig r;

	(void)state;
	rig_open(&r, true, 30);
	users_ended(r.users, &r, &a);
	users_ended(r.users, &r, &b);
	answer(&channel.q[2], "b", true);
	answer(&channel.q[3], NULL, true);
	assert_int_equal(r.n, 0);
	event_base_loop(r.base, 0); /* until the timer has nothing to wait for */
	assert_int_equal(r.n, 2);
	assert_string_equal(r.user, "b");
	assert_int_equal(r.counters.v[COUNTER_USERS_LATE], 1);
	answer(&channel.q[0], "too late", true);
	answer(&channel.q[1], NULL, false);
	assert_int_equal(r.n, 2);
	/* with no time to wait it leaves at once */
	rig_close(&r);
	rig_open(&r, true, 0);
	users_ended(r.users, &r, &a);
	assert_int_equal(r.n, 1);
	rig_close(&r); /* with open questions */
}

static void
test_bounds(void **state)
{
	struct flow *f = calloc(MANY, sizeof(*f));
	struct rig r;
	unsigned i;

	(void)state;
	assert_non_null(f);
	rig_open(&r, true, 10000);
	for (i = 0; i < MANY; i++) {
		f[i] = flow_of(i + 1, "10.0.0.1", "10.0.0.2");
		users_ended(r.users, &r, &f[i]);
		if (i == USERS_ENOUGH)
			assert_true(users_busy(r.users));
	}
	assert_int_equal(r.n, MANY); /* what was too much made all leave */
	assert_int_equal(r.counters.v[COUNTER_USERS_FULL], MANY - USERS_WAITING);
	assert_int_equal(channel.n, 2 * USERS_WAITING);
	for (i = 0; i < channel.n; i++)
		answer(&channel.q[i], i % 3 == 0 ? "x" : NULL, i % 2 == 0);
	channel.refuses = true;
	f[0].serial = MANY + 1;
	users_ended(r.users, &r, &f[0]);
	assert_int_equal(r.n, MANY + 1);
	assert_false(users_busy(r.users));
	rig_close(&r);
	free(f);
}

static void
test_counts(void **state)
{
	struct flowdelta d = {.fresh = true, .packets = {3, 2}, .octets = {300, 2000},
		.first_us = 60000000, .last_us = 61000000};
	struct cloud_item item[4];
	char field[32];
	struct rig r;
	unsigned i;

	(void)state;
	rig_open(&r, true, 10000);
	address(d.key.addr[0], "10.0.0.1");
	address(d.key.addr[1], "10.0.0.2");
	users_delta(r.users, &d);
	assert_int_equal(channel.n, 2);
	assert_null(cloud_find(r.cloud, "user.jane", 9));
	assert_int_equal(users_waiting(r.users), 0); /* it is no record */
	answer(&channel.q[0], "jane", true);
	answer(&channel.q[1], "joe smith", true);
	assert_int_equal(number(&r, "user.jane", "bytesSent"), 300);
	assert_int_equal(number(&r, "user.jane", "bytesRcvd"), 2000);
	assert_int_equal(number(&r, "user.jane", "pktsSent"), 3);
	assert_int_equal(number(&r, "user.jane", "flowsClient"), 1);
	assert_int_equal(number(&r, "user.jane", "flowsServer"), 0);
	assert_int_equal(number(&r, "user.jane", "l7.Unknown"), 2300);
	assert_int_equal(number(&r, "user.joe%20smith", "bytesSent"), 2000);
	assert_int_equal(number(&r, "user.joe%20smith", "flowsServer"), 1);
	assert_int_equal(number(&r, "top.user.bytes.1", "jane"), 2300);
	assert_int_equal(number(&r, "top.user.flows.1", "joe%20smith"), 1);
	assert_int_equal(cloud_top(r.cloud, "user.bytes", item, 4), 2);
	/* what lives on is no new flow; both ends may be one user's */
	d.fresh = false;
	channel.at_once = "jane";
	users_delta(r.users, &d);
	assert_int_equal(number(&r, "user.jane", "flowsClient"), 1);
	assert_int_equal(number(&r, "user.jane", "bytesSent"), 300 + 2300);
	assert_int_equal(number(&r, "user.jane", "l7.Unknown"), 3 * 2300);
	/* protocols are bounded, bytes are not */
	for (i = 0; i < USERS_L7_MAX; i++) {
		snprintf(field, sizeof(field), "l7.P%u", i);
		cloud_incr(r.cloud, cloud_key(r.cloud, CLOUD_USER, "many", 4), field, 1);
	}
	channel.at_once = "many";
	users_delta(r.users, &d);
	assert_int_equal(number(&r, "user.many", "bytesSent"), 2300);
	assert_int_equal(number(&r, "user.many", "l7.Unknown"), 0);
	rig_close(&r);
}

/* Whose it was while it lasted. */
static void
test_times(void **state)
{
	struct flow f = flow_of(1, "10.0.0.1", "10.0.0.2");
	struct rig r;

	(void)state;
	rig_open(&r, false, 100);
	see_at(&r, "10.0.0.1", 128, "bob", 100, true);
	span(&f, 50, 99);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, ""); /* it was over before he came */
	f.serial++;
	span(&f, 98, 101);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "bob");
	see_at(&r, "10.0.0.1", 128, "eve", 200, true); /* she has it by now */
	f.serial++;
	span(&f, 150, 160);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "bob");
	assert_string_equal(users_known(r.users, &f.key, 0), "eve");
	f.serial++;
	span(&f, 210, 220);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "eve");
	rig_close(&r);
}

/* What was found first is kept to the connection's end. */
static void
test_kept(void **state)
{
	struct flow f = flow_of(7, "10.0.0.1", "10.0.0.2");
	struct rig r;

	(void)state;
	rig_open(&r, false, 100);
	see_at(&r, "10.0.0.1", 128, "bob", 100, true);
	f.flags |= FLOW_CUT;
	span(&f, 110, 120);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "bob");
	see_at(&r, "10.0.0.1", 128, "bob", 130, false);
	sightings_clock(r.sightings, 1000 * S);
	assert_int_equal(sightings_count(r.sightings), 0);
	span(&f, 1010, 1020);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "bob");
	assert_string_equal(users_known(r.users, &f.key, 0), "bob");
	/* somebody else has logged in: his is what began after that */
	see_at(&r, "10.0.0.1", 128, "eve", 1030, true);
	span(&f, 1025, 1040);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "bob");
	f.flags &= ~(uint32_t)FLOW_CUT;
	span(&f, 1040, 1050);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "eve");
	see_at(&r, "10.0.0.1", 128, "eve", 1060, false);
	span(&f, 2040, 2050);
	users_ended(r.users, &r, &f); /* that was its end: nothing is kept */
	assert_string_equal(r.user, "");
	see_at(&r, "10.0.0.1", 128, "tim", 2041, true);
	f.flags |= FLOW_CUT;
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "tim");
	see_at(&r, "10.0.0.1", 128, "tim", 2051, false);
	f.serial++; /* another connection with the same ports */
	span(&f, 3040, 3050);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "");
	rig_close(&r);
}

/* Of the nodes' answers too; they are not asked again, and parts wait for each other. */
static void
test_kept_of_nodes(void **state)
{
	struct flow f = flow_of(7, "10.0.0.1", "0.0.0.0"), g;
	struct rig r;

	(void)state;
	rig_open(&r, true, 10000);
	memset(f.key.addr[1], 0, 16);
	f.flags |= FLOW_CUT;
	span(&f, 110, 120);
	g = f;
	g.flags &= ~(uint32_t)FLOW_CUT;
	users_ended(r.users, &r, &f);
	users_ended(r.users, &r, &g);
	assert_int_equal(channel.n, 2);
	answer(&channel.q[0], "bob", true);
	assert_int_equal(r.n, 1);
	answer(&channel.q[1], NULL, false); /* the node has gone */
	assert_int_equal(r.n, 2);
	assert_string_equal(r.user, "bob");
	f.serial = 8;
	users_ended(r.users, &r, &f);
	answer(&channel.q[2], "eve", true);
	g.serial = 8;
	users_ended(r.users, &r, &g);
	assert_int_equal(channel.n, 3);
	assert_string_equal(r.user, "eve");
	rig_close(&r);
}

static const char *
text_of(struct rig *r, const char *key, const char *field)
{
	const struct cloud_key *k = cloud_find(r->cloud, key, strlen(key));
	static char text[256];
	struct cloud_item item;

	if (k == NULL || !cloud_key_get(k, field, strlen(field), &item))
		return "-";
	snprintf(text, sizeof(text), "%.*s", (int)item.len, item.text);
	return text;
}

/* What was sent before the login is not the user's, though the flow is; and ip.<addr>
 * says whose it is, if there is that key. */
static void
test_counts_since(void **state)
{
	struct flowdelta d = {.fresh = true, .serial = 9, .packets = {1, 0},
		.octets = {100, 0}, .first_us = 60 * S, .last_us = 99 * S};
	struct rig r;

	(void)state;
	rig_open(&r, false, 100);
	address(d.key.addr[0], "10.0.0.1");
	address(d.key.addr[1], "10.0.0.2");
	see_at(&r, "10.0.0.1", 128, "bob", 100, true);
	/* as the plugin does that saw him */
	cloud_set(r.cloud, cloud_key(r.cloud, CLOUD_USER, "bob", 3), "nas", "1", 1);
	users_delta(r.users, &d);
	assert_int_equal(number(&r, "user.bob", "bytesSent"), 0);
	assert_null(cloud_find(r.cloud, "ip.10.0.0.1", 11));
	cloud_feed(r.cloud, &d);
	d.fresh = false;
	d.last_us = 110 * S;
	users_delta(r.users, &d);
	assert_int_equal(number(&r, "user.bob", "bytesSent"), 100);
	assert_string_equal(text_of(&r, "ip.10.0.0.1", "user"), "bob");
	assert_string_equal(text_of(&r, "ip.10.0.0.2", "user"), "-");
	see_at(&r, "10.0.0.1", 128, "bob", 120, false);
	see_at(&r, "10.0.0.2", 128, "eve", 120, true);
	sightings_clock(r.sightings, 1000 * S);
	d.last_us = 1010 * S;
	users_delta(r.users, &d); /* it is his to its end */
	assert_int_equal(number(&r, "user.bob", "bytesSent"), 200);
	cloud_expire_after(r.cloud, cloud_key(r.cloud, CLOUD_USER, "bob", 3), 60);
	cloud_lapse(r.cloud, CLOUD_USER, "bob", 3, NULL, 0);
	users_delta(r.users, &d); /* but his key does not come again */
	assert_null(cloud_find(r.cloud, "user.bob", 8));
	d.serial = 10;
	d.first_us = 1005 * S;
	users_delta(r.users, &d);
	assert_null(cloud_find(r.cloud, "user.bob", 8));
	assert_string_equal(text_of(&r, "ip.10.0.0.1", "user"), "-");
	assert_string_equal(text_of(&r, "ip.10.0.0.2", "user"), "eve");
	rig_close(&r);
}

/* Connections whose end is never told do not stay for ever. */
static void
test_kept_bound(void **state)
{
	struct flow f = flow_of(0, "10.0.0.1", "10.0.0.2");
	struct rig r;
	unsigned i;

	(void)state;
	rig_open(&r, false, 100);
	see_at(&r, "10.0.0.1", 128, "bob", 100, true);
	f.flags |= FLOW_CUT;
	span(&f, 110, 120);
	for (i = 0; i < 3000; i++) { /* --max-flows is 1000 */
		f.serial = i + 1;
		f.key.port[0] = (uint16_t)i;
		users_ended(r.users, &r, &f);
	}
	see_at(&r, "10.0.0.1", 128, "bob", 130, false);
	sightings_clock(r.sightings, 1000 * S);
	span(&f, 1010, 1020);
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "bob");
	f.serial = 1;
	f.key.port[0] = 0;
	r.last = 0;
	users_ended(r.users, &r, &f);
	assert_string_equal(r.user, "");
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_asks),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_kept_of_nodes),
	    cmocka_unit_test(test_counts_since),
	    cmocka_unit_test(test_kept_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
