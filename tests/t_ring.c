/* SPDX-License-Identifier: BSD-3-Clause */
/* t_ring.c -- order, borders and wrap of a ring; two threads; a bell that is never missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "ring.h"

#define LOAD	 400000
#define EXCHANGE 20000

static void *
number(uintptr_t n)
{
	return (void *)n; /* never followed */
}

static bool
readable(const struct bell *b, int ms)
{
	struct pollfd p = {b->fd, POLLIN, 0};

	return poll(&p, 1, ms) == 1;
}

static void
test_sizes(void **state)
{
	static const struct {
		uint32_t asked, got;
	} sizes[] = {{0, 2}, {1, 2}, {2, 2}, {3, 4}, {64, 64}, {65, 128}, {1000, 1024}};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ring r;
		uintptr_t n;

		assert_int_equal(ring_init(&r, sizes[i].asked), 0);
		for (n = 1; ring_put(&r, number(n)); n++)
			assert_true(n <= sizes[i].got);
		assert_int_equal(n - 1, sizes[i].got);
		assert_int_equal(ring_count(&r), sizes[i].got);
		ring_clear(&r);
	}
}

/* A look ahead sees what is known to be there, and takes nothing. */
static void
test_peek(void **state)
{
	struct ring r;
	uintptr_t i;

	(void)state;
	assert_int_equal(ring_init(&r, 4), 0);
	assert_null(ring_peek(&r, 0));
	for (i = 1; i <= 9; i++) { /* more than once around */
		assert_true(ring_put(&r, number(10 * i)));
		assert_true(ring_put(&r, number(10 * i + 1)));
		assert_true(ring_put(&r, number(10 * i + 2)));
		assert_ptr_equal(ring_get(&r), number(10 * i));
		assert_ptr_equal(ring_peek(&r, 0), number(10 * i + 1));
		assert_ptr_equal(ring_peek(&r, 1), number(10 * i + 2));
		assert_null(ring_peek(&r, 2));
		assert_ptr_equal(ring_get(&r), number(10 * i + 1));
		assert_ptr_equal(ring_get(&r), number(10 * i + 2));
		assert_null(ring_peek(&r, 0));
	}
	ring_clear(&r);
}

static void
test_empty_full(void **state)
{
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, 4), 0);
	assert_null(ring_get(&r));
	assert_int_equal(ring_count(&r), 0);
	assert_true(ring_put(&r, number(1)));
	assert_true(ring_put(&r, number(2)));
	assert_true(ring_put(&r, number(3)));
	assert_true(ring_put(&r, number(4)));
	assert_false(ring_put(&r, number(5)));
	/* a refused put leaves nothing behind, and one get makes room for one */
	assert_ptr_equal(ring_get(&r), number(1));
	assert_true(ring_put(&r, number(6)));
	assert_false(ring_put(&r, number(7)));
	assert_ptr_equal(ring_get(&r), number(2));
	assert_ptr_equal(ring_get(&r), number(3));
	assert_ptr_equal(ring_get(&r), number(4));
	assert_ptr_equal(ring_get(&r), number(6));
	assert_null(ring_get(&r));
	ring_clear(&r);
	ring_clear(&r);
}

/* The indices are 32 bits and run on for ever: order and borders hold across their wrap. */
static void
test_index_wrap(void **state)
{
	uintptr_t put = 0, got = 0;
	struct ring r;
	unsigned i;

	(void)state;
	assert_int_equal(ring_init(&r, 8), 0);
	r.head = r.tail = r.head_seen = r.tail_seen = UINT32_MAX - 20;
	srand(1);
	for (i = 0; i < 200; i++) {
		unsigned n = (unsigned)rand() % 10;

		while (n-- > 0 && ring_put(&r, number(put + 1)))
			put++;
		assert_true(put - got <= 8);
		assert_int_equal(ring_count(&r), put - got);
		for (n = (unsigned)rand() % 10; n > 0 && got < put; n--)
			assert_ptr_equal(ring_get(&r), number(++got));
		if (got == put)
			assert_null(ring_get(&r));
	}
	assert_true(r.head < 2000); /* it did wrap */
	ring_clear(&r);
}

static void
test_lines_apart(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct ring, head) / 64, offsetof(struct ring, tail_seen) / 64);
	assert_int_equal(offsetof(struct ring, tail) / 64, offsetof(struct ring, head_seen) / 64);
	assert_int_not_equal(offsetof(struct ring, head) / 64, offsetof(struct ring, tail) / 64);
	assert_int_not_equal(offsetof(struct ring, slot) / 64, offsetof(struct ring, tail) / 64);
}

/* An object with rings is on cache lines of its own, wherever the heap has room. */
static void
test_ring_calloc(void **state)
{
	struct {
		int before;
		struct ring r[2];
	} *v[8];
	unsigned i, j;

	(void)state;
	for (i = 0; i < 8; i++) {
		v[i] = ring_calloc(3, sizeof(**v));
		assert_non_null(v[i]);
		assert_int_equal((uintptr_t)v[i] % 64, 0);
		for (j = 0; j < 3 * sizeof(**v); j++)
			assert_int_equal(((const char *)v[i])[j], 0);
	}
	for (i = 0; i < 8; i++)
		free(v[i]);
	assert_null(ring_calloc(SIZE_MAX / 2, 3));
}

struct pair {
	struct ring ring, back;
	struct bell bell, back_bell;
	uint32_t *word; /* what the pointers point to: must be seen as it was written */
	unsigned timeouts;
};

static void *
put_load(void *arg)
{
	struct pair *p = arg;
	uint32_t i;

	for (i = 0; i < LOAD; i++) {
		p->word[i] = i * 2654435761U;
		while (!ring_put(&p->ring, &p->word[i]))
			sched_yield();
	}
	return NULL;
}

static void
test_two_threads(void **state)
{
	static struct pair p;
	pthread_t putter;
	uint32_t i, wrong = 0;

	(void)state;
	p.word = calloc(LOAD, sizeof(*p.word));
	assert_non_null(p.word);
	assert_int_equal(ring_init(&p.ring, 64), 0);
	assert_int_equal(pthread_create(&putter, NULL, put_load, &p), 0);
	for (i = 0; i < LOAD; i++) {
		uint32_t *w;

		while ((w = ring_get(&p.ring)) == NULL)
			sched_yield();
		wrong += w != &p.word[i] || *w != i * 2654435761U;
	}
	pthread_join(putter, NULL);
	assert_int_equal(wrong, 0);
	assert_null(ring_get(&p.ring));
	ring_clear(&p.ring);
	free(p.word);
}

static void
test_bell_silent_unless_armed(void **state)
{
	struct bell b;

	(void)state;
	assert_int_equal(bell_init(&b), 0);
	bell_ring(&b);
	assert_false(readable(&b, 0));
	bell_arm(&b);
	assert_false(readable(&b, 0));
	bell_ring(&b);
	assert_true(readable(&b, 0));
	/* rung once: armed again only by the sleeper */
	bell_quiet(&b);
	assert_false(readable(&b, 0));
	bell_ring(&b);
	assert_false(readable(&b, 0));
	/* quiet also disarms a bell that nobody rang */
	bell_arm(&b);
	bell_quiet(&b);
	bell_ring(&b);
	assert_false(readable(&b, 0));
	/* rung before the poll, after arming: not lost */
	bell_arm(&b);
	bell_ring(&b);
	bell_ring(&b);
	assert_true(readable(&b, 0));
	bell_clear(&b);
	assert_int_equal(b.fd, -1);
	bell_clear(&b);
}

/* The sleeper's way: arm, look once more, poll. A lost wake-up shows as a timeout. */
static void *
get_asleep(struct ring *r, struct bell *b, unsigned *timeouts)
{
	void *w;

	while ((w = ring_get(r)) == NULL) {
		bell_arm(b);
		if ((w = ring_get(r)) == NULL && !readable(b, 20000)) {
			++*timeouts;
			w = ring_get(r);
		}
		bell_quiet(b);
		if (w != NULL)
			break;
	}
	return w;
}

static void *
answer(void *arg)
{
	struct pair *p = arg;
	uintptr_t i;

	for (i = 1; i <= EXCHANGE; i++) {
		void *w = get_asleep(&p->ring, &p->bell, &p->timeouts);

		if (w != number(i))
			p->timeouts += 1000;
		ring_put(&p->back, w);
		bell_ring(&p->back_bell);
	}
	return NULL;
}

static void
test_bell_ping_pong(void **state)
{
	static struct pair p;
	unsigned timeouts = 0;
	pthread_t other;
	uintptr_t i;

	(void)state;
	assert_int_equal(ring_init(&p.ring, 4), 0);
	assert_int_equal(ring_init(&p.back, 4), 0);
	assert_int_equal(bell_init(&p.bell), 0);
	assert_int_equal(bell_init(&p.back_bell), 0);
	assert_int_equal(pthread_create(&other, NULL, answer, &p), 0);
	for (i = 1; i <= EXCHANGE; i++) {
		assert_true(ring_put(&p.ring, number(i)));
		bell_ring(&p.bell);
		/* now asleep, now spinning: every interleaving of put and arm */
		if (i % 3 == 0) {
			void *w;

			while ((w = ring_get(&p.back)) == NULL)
				;
			assert_ptr_equal(w, number(i));
		} else
			assert_ptr_equal(get_asleep(&p.back, &p.back_bell, &timeouts),
			    number(i));
	}
	pthread_join(other, NULL);
	assert_int_equal(timeouts, 0);
	assert_int_equal(p.timeouts, 0);
	ring_clear(&p.ring);
	ring_clear(&p.back);
	bell_clear(&p.bell);
	bell_clear(&p.back_bell);
}

static void *
put_bursts(void *arg)
{
	struct pair *p = arg;
	uintptr_t i;

	for (i = 1; i <= LOAD; i++) {
		while (!ring_put(&p->ring, number(i)))
			sched_yield();
		if (i % 7 == 0 || i == LOAD)
			bell_ring(&p->bell);
	}
	return NULL;
}

/* One side puts as fast as it can, the other drains and sleeps. */
static void
test_bell_bursts(void **state)
{
	static struct pair p;
	pthread_t putter;
	uintptr_t i, wrong = 0;

	(void)state;
	assert_int_equal(ring_init(&p.ring, 256), 0);
	assert_int_equal(bell_init(&p.bell), 0);
	assert_int_equal(pthread_create(&putter, NULL, put_bursts, &p), 0);
	for (i = 1; i <= LOAD; i++)
		wrong += get_asleep(&p.ring, &p.bell, &p.timeouts) != number(i);
	pthread_join(putter, NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(p.timeouts, 0);
	ring_clear(&p.ring);
	bell_clear(&p.bell);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_peek),
		cmocka_unit_test(test_empty_full),
		cmocka_unit_test(test_index_wrap),
		cmocka_unit_test(test_lines_apart),
		cmocka_unit_test(test_ring_calloc),
		cmocka_unit_test(test_two_threads),
		cmocka_unit_test(test_bell_silent_unless_armed),
		cmocka_unit_test(test_bell_ping_pong),
		cmocka_unit_test(test_bell_bursts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
