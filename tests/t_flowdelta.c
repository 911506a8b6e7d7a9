/* SPDX-License-Identifier: BSD-3-Clause */
/* t_flowdelta.c -- what a delta says of a flow, and that deltas add up to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "flowdelta.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static struct flow
a_flow(void)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	memset(f.key.addr, 0x20, sizeof(f.key.addr));
	f.key.port[0] = 1000;
	f.key.port[1] = 53;
	f.key.proto = 17;
	f.packets[0] = 3;
	f.octets[0] = 300;
	f.packets[1] = 2;
	f.octets[1] = 2000;
	f.first_us[0] = 1000;
	f.first_us[1] = 1500;
	f.last_dir_us[0] = 9000;
	f.last_dir_us[1] = 8000;
	return f;
}

static void
told(struct flow *f, struct flow_told *t, const struct flowdelta *d)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		t->packets[i] += d->packets[i];
		t->octets[i] += d->octets[i];
	}
	f->flags |= FLOW_TOLD;
}

/* Told alive, told again, ended: the sum is the flow, and one of them counts it. */
static void
test_sum(void **state)
{
	struct flow_told t = {{0, 0}, {0, 0}}, sum = t;
	struct flow f = a_flow();
	struct flowdelta d;
	unsigned fresh = 0, n;

	(void)state;
	for (n = 0; n < 3; n++) {
		assert_true(flowdelta_make(&d, &f, n == 0 ? NULL : &t));
		fresh += d.fresh;
		told(&f, &t, &d);
		sum.packets[0] += d.packets[0];
		sum.packets[1] += d.packets[1];
		sum.octets[0] += d.octets[0];
		sum.octets[1] += d.octets[1];
		assert_false(flowdelta_make(&d, &f, &t)); /* nothing since */
		assert_int_equal(d.first_us, 1000);
		assert_int_equal(d.last_us, n == 2 ? 20000 : 9000);
		if (n == 0) {
			f.packets[1]++; /* one direction only */
			f.octets[1] += 7;
		} else if (n == 1) {
			f.packets[0]++;
			f.last_dir_us[0] = 20000;
		}
	}
	assert_int_equal(fresh, 1);
	assert_memory_equal(&sum.packets, &f.packets, sizeof(sum.packets));
	assert_memory_equal(&sum.octets, &f.octets, sizeof(sum.octets));
}

static void
test_what_it_says(void **state)
{
	struct flow f = a_flow();
	struct flowdelta d;

	(void)state;
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_memory_equal(&d.key, &f.key, sizeof(d.key));
	assert_int_equal(d.client, 0);
	assert_true(d.fresh);
	assert_int_equal(d.packets[0], 3);
	assert_int_equal(d.packets[1], 2);
	assert_int_equal(d.octets[0], 300);
	assert_int_equal(d.octets[1], 2000);
	assert_int_equal(d.first_us, 1000);
	assert_int_equal(d.last_us, 9000);
	f.flags |= FLOW_CLIENT_IS_1;
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_int_equal(d.client, 1);
	memset(f.packets, 0, sizeof(f.packets));
	assert_false(flowdelta_make(&d, &f, NULL));
}

/* Who was reported at the active timeout was counted then, told alive or not. */
static void
test_fresh(void **state)
{
	static const struct {
		uint32_t flags;
		bool fresh;
	} rows[] = {{0, true}, {FLOW_TOLD, false}, {FLOW_RESTARTED, false},
		{FLOW_TOLD | FLOW_RESTARTED, false},
		{FLOW_DPI_DONE | FLOW_CLOSING, true}};
	struct flow f = a_flow();
	struct flowdelta d;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.flags = rows[i].flags;
		assert_true(flowdelta_make(&d, &f, NULL));
		assert_int_equal(d.fresh, rows[i].fresh);
	}
}

/* A name that may still change is none. */
static void
test_name(void **state)
{
	struct flow_l7 l7 = {.master = 5, .app = 126};
	struct flow f = a_flow();
	struct flowdelta d;

	(void)state;
	f.l7 = &l7;
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_false(d.named);
	assert_int_equal(d.master, 0);
	assert_int_equal(d.app, 0);
	f.flags |= FLOW_DPI_DONE;
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_true(d.named);
	assert_int_equal(d.master, 5);
	assert_int_equal(d.app, 126);
	f.l7 = NULL; /* nDPI had nothing to say */
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_true(d.named);
	assert_int_equal(d.app, 0);
}

static void
test_macs(void **state)
{
	struct flow_detail odd = {.odd_mac = true};
	struct flow f = a_flow();
	struct flowdelta d;

	(void)state;
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_int_equal(d.has_mac, 0); /* no Ethernet */

	/* only endpoint 1 was heard: it says where 0 is */
	memcpy(f.mac[1], mac_b, 6);
	memcpy(f.mac[0], mac_a, 6);
	f.flags = FLOW_MAC_KNOWN << 1;
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_int_equal(d.has_mac, 3);
	assert_memory_equal(d.mac[0], mac_a, 6);
	assert_memory_equal(d.mac[1], mac_b, 6);

	/* what it sends with itself counts more */
	f.flags |= FLOW_MAC_KNOWN;
	f.detail = &odd;
	memcpy(odd.mac[0][0], "\2\0\0\0\0\14", 6);
	memcpy(odd.mac[0][1], "\2\0\0\0\0\15", 6);
	memcpy(odd.mac[1][0], mac_b, 6);
	memcpy(odd.mac[1][1], mac_a, 6);
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_int_equal(d.has_mac, 3);
	assert_memory_equal(d.mac[0], "\2\0\0\0\0\14", 6);
	assert_memory_equal(d.mac[1], mac_b, 6);

	/* one side without an address: loopback's zeros are none */
	memset(f.mac, 0, sizeof(f.mac));
	f.detail = NULL;
	memcpy(f.mac[0], mac_a, 6);
	assert_true(flowdelta_make(&d, &f, NULL));
	assert_int_equal(d.has_mac, 1);
	assert_memory_equal(d.mac[0], mac_a, 6);
	assert_memory_equal(d.mac[1], "\0\0\0\0\0\0", 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_what_it_says),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
