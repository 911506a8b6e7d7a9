/* SPDX-License-Identifier: BSD-3-Clause */
/* t_post.c -- messages of all lengths over the ring's end; a full ring; two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "post.h"

#define LOAD 50000

/* Message number N: its length, and bytes that tell it and the places in it apart. */
static uint16_t
length_of(uint32_t n)
{
	return (uint16_t)((n * 2654435761U >> 8) % (POST_MAX + 1));
}

static uint8_t
byte_of(uint32_t n, size_t i)
{
	return (uint8_t)(n * 31 + i * 7 + (i >> 8));
}

static struct post_head
make(uint32_t n, uint8_t *buf)
{
	struct post_head h = {(uint16_t)(n % 3), length_of(n), n};
	size_t i;

	for (i = 0; i < h.len; i++)
		buf[i] = byte_of(n, i);
	return h;
}

static bool
is(uint32_t n, const struct post_head *h, const uint8_t *buf)
{
	size_t i;

	if (h->kind != n % 3 || h->len != length_of(n) || h->plugin != n)
		return false;
	for (i = 0; i < h->len; i++)
		if (buf[i] != byte_of(n, i))
			return false;
	return true;
}

static void
test_sizes(void **state)
{
	static const size_t sizes[][2] = {{0, 4096}, {1, 4096}, {4096, 4096},
		{4097, 8192}, {1 << 20, 1 << 20}};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct post p;

		assert_int_equal(post_init(&p, sizes[i][0]), 0);
		assert_int_equal(p.size, sizes[i][1]);
		assert_false(post_waiting(&p));
		assert_true(post_has_room(&p, POST_MAX));
		post_clear(&p);
		assert_null(p.bytes);
	}
}

/* Each side on a cache line of its own. */
static void
test_lines_apart(void **state)
{
	(void)state;
	assert_true(offsetof(struct post, tail) - offsetof(struct post, head) >= 64);
	assert_true(offsetof(struct post, size) - offsetof(struct post, tail) >= 64);
}

/* What was put by then, whatever is put later; over the ring's end too. */
static void
test_end(void **state)
{
	static uint8_t in[100], out[POST_MAX];
	struct post_head h = {POST_DELTA, sizeof(in), 0}, got;
	uint64_t end;
	unsigned turn, i;
	struct post p;

	(void)state;
	assert_int_equal(post_init(&p, 4096), 0);
	assert_false(post_before(&p, post_end(&p)));
	for (turn = 0; turn < 100; turn++) {
		for (i = 0; i < 5; i++)
			assert_true(post_put(&p, &h, in));
		end = post_end(&p);
		for (i = 0; i < 7; i++)
			assert_true(post_put(&p, &h, in));
		for (i = 0; post_before(&p, end); i++)
			assert_true(post_get(&p, &got, out));
		assert_int_equal(i, 5);
		while (post_get(&p, &got, out))
			i++;
		assert_int_equal(i, 12);
		assert_false(post_before(&p, end));
	}
	post_clear(&p);
}

/* Fill it with messages of LEN bytes: exactly what fits, in order, and room again. */
static void
fill(size_t len)
{
	static uint8_t in[POST_MAX], out[POST_MAX];
	size_t step = (sizeof(struct post_head) + len + 7) / 8 * 8;
	struct post_head h = {POST_DELTA, (uint16_t)len, 0}, got;
	uint32_t n, i;
	struct post p;

	assert_int_equal(post_init(&p, 4096), 0);
	for (n = 0; post_has_room(&p, len); n++) {
		h.plugin = n;
		memset(in, (int)n, len);
		assert_true(post_put(&p, &h, in));
	}
	assert_int_equal(n, 4096 / step);
	assert_false(post_put(&p, &h, in));
	for (i = 0; i < n; i++) {
		assert_true(post_waiting(&p));
		assert_true(post_get(&p, &got, out));
		assert_int_equal(got.plugin, i);
		assert_int_equal(got.len, len);
		assert_true(len == 0 || out[0] == (uint8_t)i);
		assert_true(len == 0 || out[len - 1] == (uint8_t)i);
		assert_true(post_has_room(&p, len)); /* one out, one in */
	}
	assert_false(post_waiting(&p));
	assert_false(post_get(&p, &got, out));
	post_clear(&p);
}

static void
test_full(void **state)
{
	size_t len;

	(void)state;
	for (len = 0; len <= POST_MAX; len += len < 40 ? 1 : 31)
		fill(len);
	fill(POST_MAX);
}

/* A refused message leaves nothing behind, wherever the ring's end is. */
static void
test_wrap(void **state)
{
	static uint8_t in[POST_MAX], out[POST_MAX];
	uint32_t put = 0, got = 0, refused = 0;
	struct post_head h;
	struct post p;

	(void)state;
	assert_int_equal(post_init(&p, 4096), 0);
	srand(1);
	while (got < 20000) {
		if (rand() % 2 == 0) {
			h = make(put, in);
			if (post_put(&p, &h, in))
				put++;
			else
				refused++;
		} else if (post_get(&p, &h, out)) {
			assert_true(is(got, &h, out));
			got++;
		} else {
			assert_int_equal(put, got);
		}
	}
	assert_true(refused > 100);
	post_clear(&p);
}

/*
 * Two threads
 */
static void *
put_all(void *arg)
{
	uint8_t buf[POST_MAX];
	struct post *p = arg;
	uint32_t n;

	for (n = 0; n < LOAD; n++) {
		struct post_head h = make(n, buf);

		while (!post_put(p, &h, buf))
			sched_yield();
	}
	return NULL;
}

static void
test_two_threads(void **state)
{
	static struct post p;
	uint8_t buf[POST_MAX];
	struct post_head h;
	uint32_t n, wrong = 0;
	pthread_t putter;

	(void)state;
	assert_int_equal(post_init(&p, 16384), 0);
	assert_int_equal(pthread_create(&putter, NULL, put_all, &p), 0);
	for (n = 0; n < LOAD; n++) {
		while (!post_get(&p, &h, buf))
			sched_yield();
		wrong += !is(n, &h, buf);
	}
	pthread_join(putter, NULL);
	assert_int_equal(wrong, 0);
	assert_false(post_waiting(&p));
	post_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_lines_apart),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
