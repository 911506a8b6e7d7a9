/* SPDX-License-Identifier: BSD-3-Clause */
/* t_frag.c -- the fragment table: who is found, what makes a stranger, who goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "frag.h"

#define SECOND 1000000ULL

static struct counters counters;

static int
setup(void **state)
{
	memset(&counters, 0, sizeof(counters));
	*state = frag_new(64, 12345, &counters);
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	frag_free(*state);
	return 0;
}

static uint64_t
evicted(void)
{
	return counter_get(&counters, COUNTER_FRAG_EVICTED);
}

static uint64_t
orphans(void)
{
	return counter_get(&counters, COUNTER_FRAG_ORPHANS);
}

/* A UDP packet 10.0.0.1 > 10.0.0.2, no ports yet. */
static struct packet
packet_at(uint64_t ts_us)
{
	struct packet pkt;

	memset(&pkt, 0, sizeof(pkt));
	pkt.ts_us = ts_us;
	pkt.ip_version = 4;
	pkt.proto = 17;
	pkt.src[15] = 1;
	pkt.dst[15] = 2;
	return pkt;
}

static struct packet
first_at(uint64_t ts_us, unsigned sport, unsigned dport)
{
	struct packet pkt = packet_at(ts_us);

	pkt.sport = (uint16_t)sport;
	pkt.dport = (uint16_t)dport;
	return pkt;
}

static void
test_found(void **state)
{
	struct packet first = first_at(SECOND, 1234, 53), later = packet_at(2 * SECOND);

	frag_put(*state, &first, 77);
	assert_true(frag_get(*state, &later, 77));
	assert_int_equal(later.sport, 1234);
	assert_int_equal(later.dport, 53);
	/* there may be many later ones */
	later = packet_at(3 * SECOND);
	assert_true(frag_get(*state, &later, 77));
	assert_int_equal(later.dport, 53);
	assert_int_equal(orphans(), 0);
	assert_int_equal(evicted(), 0);
}

/* Each part of the key alone makes it another datagram; ports then stay 0. */
static void
test_orphan(void **state)
{
	struct packet first = first_at(SECOND, 1234, 53), later[6];
	unsigned i;

	frag_put(*state, &first, 77);
	for (i = 0; i < 6; i++)
		later[i] = packet_at(SECOND);
	later[0].src[15] = 9;
	later[1].dst[15] = 9;
	later[2].proto = 6;
	later[3].ip_version = 6;
	later[4].vlan = 5;
	for (i = 0; i < 6; i++) {
		assert_false(frag_get(*state, &later[i], i == 5 ? 78 : 77));
		assert_int_equal(later[i].sport, 0);
		assert_int_equal(later[i].dport, 0);
		assert_int_equal(orphans(), i + 1);
	}
	/* the other direction is another datagram too */
	later[0] = packet_at(SECOND);
	memcpy(later[0].src, first.dst, 16);
	memcpy(later[0].dst, first.src, 16);
	assert_false(frag_get(*state, &later[0], 77));
}

static void
test_timeout(void **state)
{
	struct packet first = first_at(100 * SECOND, 1234, 53), later;

	frag_put(*state, &first, 77);
	later = packet_at(100 * SECOND + FRAG_TIMEOUT_US);
	assert_true(frag_get(*state, &later, 77));
	later = packet_at(100 * SECOND + FRAG_TIMEOUT_US + 1);
	assert_false(frag_get(*state, &later, 77));
	assert_int_equal(later.sport, 0);
	assert_int_equal(orphans(), 1);
	/* time that goes back makes nothing old */
	later = packet_at(SECOND);
	assert_true(frag_get(*state, &later, 77));
}

/* The identification comes round again: the newer ports are the right ones. */
static void
test_again(void **state)
{
	struct packet first = first_at(SECOND, 1234, 53), later = packet_at(2 * SECOND);

	frag_put(*state, &first, 77);
	first = first_at(2 * SECOND, 4321, 80);
	frag_put(*state, &first, 77);
	assert_true(frag_get(*state, &later, 77));
	assert_int_equal(later.sport, 4321);
	assert_int_equal(later.dport, 80);
	assert_int_equal(evicted(), 0);
}

/* Never more than 64 are known; each that had to go is counted, the newest stays. */
static void
test_capacity(void **state)
{
	struct packet pkt;
	unsigned i, known = 0;

	for (i = 0; i < 10000; i++) {
		pkt = first_at(SECOND + i, 1 + i, 53);
		frag_put(*state, &pkt, i);
		pkt = packet_at(SECOND + i);
		assert_true(frag_get(*state, &pkt, i));
		assert_int_equal(pkt.sport, 1 + i);
	}
	for (i = 0; i < 10000; i++) {
		pkt = packet_at(2 * SECOND);
		if (frag_get(*state, &pkt, i)) {
			assert_int_equal(pkt.sport, 1 + i);
			known++;
		}
	}
	assert_int_equal(known, 64);
	assert_int_equal(evicted(), 10000 - 64);
	assert_int_equal(orphans(), 10000 - 64);
}

/* One bucket of four: the oldest goes. What had timed out goes uncounted. */
static void
test_oldest_goes(void **state)
{
	struct counters c;
	struct packet pkt;
	struct frag *f;
	unsigned i;

	(void)state;
	memset(&c, 0, sizeof(c));
	f = frag_new(1, 1, &c); /* rounded up to one bucket */
	assert_non_null(f);
	for (i = 0; i < 4; i++) {
		pkt = first_at((10 - i) * SECOND, 1 + i, 53); /* 3 is the oldest */
		frag_put(f, &pkt, i);
	}
	assert_int_equal(counter_get(&c, COUNTER_FRAG_EVICTED), 0);
	pkt = first_at(11 * SECOND, 100, 53);
	frag_put(f, &pkt, 100);
	assert_int_equal(counter_get(&c, COUNTER_FRAG_EVICTED), 1);
	pkt = packet_at(11 * SECOND);
	assert_false(frag_get(f, &pkt, 3));
	for (i = 0; i < 3; i++)
		assert_true(frag_get(f, &pkt, i));
	assert_true(frag_get(f, &pkt, 100));

	pkt = first_at(100 * SECOND, 101, 53);
	frag_put(f, &pkt, 101);
	assert_int_equal(counter_get(&c, COUNTER_FRAG_EVICTED), 1);
	frag_free(f);
	frag_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_found, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orphan, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_capacity, setup, teardown),
	    cmocka_unit_test(test_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
