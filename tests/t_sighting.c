/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_sighting.c -- who had which address when: times, order, takeover, grace, networks of
 * all lengths, bounds, and all of it against a model that knows no order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyname.h"
#include "sighting.h"

#define S	UINT64_C(1000000)
#define GRACE_S 60

struct rig {
	struct counters counters;
	struct sightings *s;
	char forgot[512]; /* "name addr/bits[ free][ last];" ... */
};

static void
on_forget(void *arg, const struct sighting_net *net, const char *name, bool free, bool last)
{
	struct rig *r = arg;
	char addr[KEYNAME_ADDR + 1];
	size_t len = strlen(r->forgot);

	addr[keyname_addr(addr, net->addr)] = '\0';
	snprintf(r->forgot + len, sizeof(r->forgot) - len, "%s %s/%u%s%s;", name, addr,
	    net->bits, free ? " free" : "", last ? " last" : "");
}

static void
rig_open(struct rig *r)
{
	struct sightings_setup setup = {.grace_us = GRACE_S * S, .seed = 7,
		.counters = &r->counters, .forget = on_forget, .arg = r};

	memset(r, 0, sizeof(*r));
	r->s = sightings_new(&setup);
	assert_non_null(r->s);
}

static struct sighting_net
net(const char *text, unsigned bits)
{
	struct sighting_net n = {.bits = (uint8_t)bits};

	assert_int_equal(keyname_read_addr(n.addr, text, strlen(text)), 0);
	return n;
}

static void
login(struct rig *r, const char *addr, const char *name, double at)
{
	struct sighting_net n = net(addr, 128);

	sightings_login(r->s, &n, name, (uint64_t)(at * 1e6));
}

static void
logout(struct rig *r, const char *addr, const char *name, double at)
{
	struct sighting_net n = net(addr, 128);

	sightings_logout(r->s, &n, name, (uint64_t)(at * 1e6));
}

/* Of a flow from FIRST to LAST that ended at AT, s. */
static const char *
who(struct rig *r, const char *addr, double first, double last, double at)
{
	struct sighting_when w = {
		(uint64_t)(first * 1e6), (uint64_t)(last * 1e6), (uint64_t)(at * 1e6)};
	struct sighting_net n = net(addr, 128);
	uint64_t since;
	const char *name = sightings_find(r->s, n.addr, &w, &since);

	return name != NULL ? name : "-";
}

static void
test_times(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	assert_string_equal(who(&r, "10.0.0.1", 1, 2, 3), "-");
	login(&r, "10.0.0.1", "bob", 100);
	assert_string_equal(who(&r, "10.0.0.1", 90, 99, 130), "-"); /* before */
	assert_string_equal(who(&r, "10.0.0.1", 90, 101, 130), "bob"); /* came meanwhile */
	assert_string_equal(who(&r, "10.0.0.1", 105, 110, 130), "bob");
	logout(&r, "10.0.0.1", "bob", 200);
	assert_string_equal(who(&r, "10.0.0.1", 195, 199, 230), "bob");
	assert_string_equal(who(&r, "10.0.0.1", 195, 230, 259), "bob");
	assert_string_equal(who(&r, "10.0.0.1", 210, 211, 241), "bob"); /* leaving */
	assert_string_equal(who(&r, "10.0.0.1", 210, 211, 261), "-"); /* left */
	assert_string_equal(who(&r, "10.0.0.1", 195, 199, 261), "-");
	assert_string_equal(who(&r, "10.0.0.2", 105, 110, 130), "-");
	sightings_clock(r.s, 259 * S);
	assert_int_equal(sightings_count(r.s), 1);
	sightings_clock(r.s, 260 * S);
	assert_int_equal(sightings_count(r.s), 0);
	assert_string_equal(r.forgot, "bob 10.0.0.1/128 free last;");
	sightings_free(r.s);
}

/* A login within the grace cancels the end. */
static void
test_again(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	login(&r, "10.0.0.1", "bob", 100);
	logout(&r, "10.0.0.1", "bob", 200);
	login(&r, "10.0.0.1", "bob", 230);
	login(&r, "10.0.0.1", "bob", 231); /* told twice */
	assert_int_equal(sightings_count(r.s), 2);
	assert_string_equal(who(&r, "10.0.0.1", 500, 501, 530), "bob");
	sightings_clock(r.s, 1000 * S);
	assert_string_equal(r.forgot, "bob 10.0.0.1/128;"); /* neither free nor last */
	assert_string_equal(who(&r, "10.0.0.1", 500, 501, 530), "bob");
	sightings_free(r.s);
}

static void
test_takeover(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	login(&r, "10.0.0.1", "bob", 100);
	login(&r, "10.0.0.1", "eve", 200);
	logout(&r, "10.0.0.1", "bob", 205); /* late */
	assert_string_equal(who(&r, "10.0.0.1", 150, 199, 229), "bob");
	assert_string_equal(who(&r, "10.0.0.1", 199, 230, 229), "eve"); /* hers, told late */
	assert_string_equal(who(&r, "10.0.0.1", 201, 210, 229), "eve");
	assert_string_equal(who(&r, "10.0.0.1", 150, 230, 231), "bob"); /* he began it */
	sightings_clock(r.s, 300 * S);
	assert_string_equal(r.forgot, "bob 10.0.0.1/128 free last;");
	assert_string_equal(who(&r, "10.0.0.1", 300, 301, 330), "eve");
	sightings_free(r.s);
}

/* What is told in another order than it happened. */
static void
test_order(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	login(&r, "10.0.0.1", "eve", 200);
	login(&r, "10.0.0.1", "bob", 100);
	assert_string_equal(who(&r, "10.0.0.1", 150, 160, 190), "bob");
	assert_string_equal(who(&r, "10.0.0.1", 250, 260, 290), "eve");
	logout(&r, "10.0.0.1", "bob", 180);
	assert_string_equal(who(&r, "10.0.0.1", 250, 260, 290), "eve");
	assert_string_equal(who(&r, "10.0.0.1", 150, 160, 190), "bob");
	login(&r, "10.0.0.1", "tim", 120); /* in between: bob's was over then */
	assert_string_equal(who(&r, "10.0.0.1", 105, 110, 140), "bob");
	assert_string_equal(who(&r, "10.0.0.1", 150, 160, 190), "tim");
	logout(&r, "10.0.0.1", "eve", 150); /* before she came */
	assert_string_equal(who(&r, "10.0.0.1", 250, 260, 290), "eve");
	sightings_free(r.s);
}

static void
test_networks(void **state)
{
	static const struct {
		const char *addr;
		unsigned bits;
	} nets[] = {{"2001:db8::", 32}, {"2001:db8:0:10::", 60}, {"2001:db8:0:11::", 64},
	    {"10.1.0.0", 96 + 16}};
	struct sighting_net n;
	struct rig r;
	unsigned i;

	(void)state;
	rig_open(&r);
	for (i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "/%u", nets[i].bits);
		n = net(nets[i].addr, nets[i].bits);
		n.addr[15] ^= 1; /* beyond the prefix */
		sightings_login(r.s, &n, name, 100 * S);
	}
	login(&r, "2001:db8:0:11::5", "himself", 100);
	assert_string_equal(who(&r, "2001:db8:0:11::5", 110, 111, 112), "himself");
	assert_string_equal(who(&r, "2001:db8:0:11::6", 110, 111, 112), "/64");
	assert_string_equal(who(&r, "2001:db8:0:1f::6", 110, 111, 112), "/60");
	assert_string_equal(who(&r, "2001:db8:0:20::6", 110, 111, 112), "/32");
	assert_string_equal(who(&r, "2001:db9::6", 110, 111, 112), "-");
	assert_string_equal(who(&r, "10.1.200.3", 110, 111, 112), "/112");
	assert_string_equal(who(&r, "10.2.200.3", 110, 111, 112), "-");
	assert_string_equal(sightings_now(r.s, net("2001:db8:0:11::6", 128).addr), "/64");
	n = net("2001:db8:0:11::", 64);
	sightings_logout(r.s, &n, "/64", 120 * S);
	assert_string_equal(who(&r, "2001:db8:0:11::6", 121, 122, 190), "/60");
	sightings_free(r.s);
}

struct listed {
	char text[256];
};

static void
on_place(void *arg, const struct sighting_net *n, bool leaving)
{
	struct listed *l = arg;
	char addr[KEYNAME_ADDR + 1];
	size_t len = strlen(l->text);

	addr[keyname_addr(addr, n->addr)] = '\0';
	snprintf(l->text + len, sizeof(l->text) - len, "%s%s;", addr, leaving ? " leaving" : "");
}

static void
test_of(void **state)
{
	struct listed l = {""};
	struct rig r;

	(void)state;
	rig_open(&r);
	login(&r, "10.0.0.1", "bob", 100);
	login(&r, "10.0.0.2", "bob", 100);
	login(&r, "10.0.0.3", "bob", 100);
	login(&r, "10.0.0.2", "eve", 150);
	logout(&r, "10.0.0.3", "bob", 150);
	sightings_of(r.s, "bob", on_place, &l);
	assert_string_equal(l.text, "10.0.0.3 leaving;10.0.0.1;");
	sightings_of(r.s, "nobody", on_place, &l);
	assert_string_equal(l.text, "10.0.0.3 leaving;10.0.0.1;");
	sightings_free(r.s);
}

static void
test_bounds(void **state)
{
	struct sighting_net n = net("10.0.0.0", 128);
	char name[600], user[32];
	struct rig r;
	unsigned i;

	(void)state;
	rig_open(&r);
	for (i = 0; i < 100; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		login(&r, "10.0.0.1", user, 100 + i);
		r.forgot[0] = '\0';
	}
	assert_int_equal(sightings_count(r.s), SIGHTINGS_PAST + 1);
	assert_string_equal(who(&r, "10.0.0.1", 300, 301, 330), "u99");
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	login(&r, "10.0.0.2", name, 100);
	login(&r, "10.0.0.2", name, 101);
	assert_int_equal(strlen(who(&r, "10.0.0.2", 300, 301, 330)), SIGHTING_NAME);
	logout(&r, "10.0.0.2", name, 310);
	assert_string_equal(who(&r, "10.0.0.2", 300, 301, 400), "-");
	for (i = 0; i < SIGHTINGS_MAX + 50; i++) {
		n.addr[12] = 11;
		n.addr[13] = (uint8_t)(i >> 16);
		n.addr[14] = (uint8_t)(i >> 8);
		n.addr[15] = (uint8_t)i;
		sightings_login(r.s, &n, "many", 100 * S);
		r.forgot[0] = '\0';
	}
	/* those that were over went first, then there is no room */
	assert_int_equal(sightings_count(r.s), SIGHTINGS_MAX);
	assert_int_equal(r.counters.v[COUNTER_SIGHTINGS_FULL], 51);
	sightings_free(r.s);
}

/*
 * The model: intervals of one address, that do not overlap, told in any order.
 */
struct told {
	unsigned user;
	double since, gone;
};

static void
test_model(void **state)
{
	struct told t[6];
	char name[8], expected[8];
	unsigned i, j, k, n, round;
	struct rig r;
	double at;

	(void)state;
	srandom(4);
	for (round = 0; round < 2000; round++) {
		unsigned order[6];

		rig_open(&r);
		n = 1 + (unsigned)random() % 6;
		for (i = 0, at = 1000; i < n; i++) {
			at += 10 + (double)(random() % 20);
			t[i] = (struct told){i, at, at + 10 + (double)(random() % 20)};
			at = t[i].gone;
			order[i] = i;
		}
		for (i = n; i > 1; i--) { /* each login and its logout, in any order */
			j = (unsigned)random() % i;
			k = order[i - 1];
			order[i - 1] = order[j];
			order[j] = k;
		}
		for (i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "u%u", order[i]);
			login(&r, "10.0.0.1", name, t[order[i]].since);
			logout(&r, "10.0.0.1", name, t[order[i]].gone);
		}
		for (i = 0; i < n; i++) {
			snprintf(expected, sizeof(expected), "u%u", i);
			assert_string_equal(who(&r, "10.0.0.1", t[i].since + 3,
						t[i].gone - 3, t[i].gone),
			    expected);
		}
		assert_string_equal(who(&r, "10.0.0.1", 1000, 1005, 1006), "-");
		sightings_clock(r.s, 10000 * S);
		assert_int_equal(sightings_count(r.s), 0);
		sightings_free(r.s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_takeover),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_of),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
