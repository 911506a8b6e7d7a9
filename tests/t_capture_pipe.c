/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_capture_pipe.c -- pcapng, and captures that come through a pipe: in pieces of any
 * size, with silences, and with signals in between.
 */
#include "capture_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

/*
 * Pcapng
 */

static void
ng_section(struct bytes *b)
{
	put32(b, 0x0a0d0d0a);
	put32(b, 28);
	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put32(b, 0xffffffff);
	put32(b, 0xffffffff);
	put32(b, 28);
}

/* An interface whose clock ticks in 10^-TSRESOL s. */
static void
ng_interface(struct bytes *b, uint16_t link, uint8_t tsresol)
{
	const uint8_t value[4] = {tsresol};

	put32(b, 1);
	put32(b, 32);
	put16(b, link);
	put16(b, 0);
	put32(b, 65535);
	put16(b, 9); /* if_tsresol */
	put16(b, 1);
	put(b, value, 4);
	put32(b, 0);
	put32(b, 32);
}

static void
ng_packet(struct bytes *b, uint32_t interface, uint64_t ts, unsigned seed, uint32_t len)
{
	uint32_t padded = (len + 3) & ~3u;

	put32(b, 6);
	put32(b, 32 + padded);
	put32(b, interface);
	put32(b, ts >> 32);
	put32(b, ts & 0xffffffff);
	put32(b, len);
	put32(b, len + seed);
	put(b, pattern(seed, len), len);
	put(b, "\0\0\0", padded - len);
	put32(b, 32 + padded);
}

/* Frames that check_frame() knows, by turns from a µs and a ns interface. */
static void
ng_file(struct bytes *b, unsigned n)
{
	unsigned i;

	ng_section(b);
	ng_interface(b, 1, 6);
	ng_interface(b, 1, 9);
	for (i = 0; i < n; i++) {
		uint64_t us = (BASE_S + i) * UINT64_C(1000000) + i;

		ng_packet(b, i & 1, i & 1 ? us * 1000 + 999 : us, i, i * 11 % 3000);
	}
}

static void
test_pcapng(void **state)
{
	struct got g = {0};
	struct capture *c;
	unsigned i, swapped;

	(void)state;
	for (swapped = 0; swapped < 2; swapped++) {
		struct bytes b = {.swapped = swapped};

		ng_file(&b, 500);
		save(&b, b.len);
		assert_int_equal(read_file(&plain, &g), CAPTURE_EOF);
		assert_int_equal(g.n, 500);
		assert_int_equal(g.largest, 1);
		for (i = 0; i < 500; i++)
			check_frame(&g, i, i * 11 % 3000);
		forget(&g);

		save(&b, b.len - 3); /* the end of the last block is missing */
		c = must_open(path, &plain);
		assert_int_equal(read_all(c, 7, &g), CAPTURE_ERROR);
		assert_int_equal(g.n, 499);
		assert_non_null(strstr(capture_error(c), "truncated"));
		capture_close(c);
		forget(&g);
		drop(&b);
	}
}

/* Interfaces of different link types: libpcap cannot, and says so. */
static void
test_pcapng_mixed(void **state)
{
	struct bytes b = {0};
	struct got g = {0};
	struct capture *c;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 101, 6);
	ng_packet(&b, 0, 1, 1, 50);
	ng_interface(&b, 1, 6);
	ng_packet(&b, 1, 1, 1, 50);
	save(&b, b.len);
	c = must_open(path, &plain);
	assert_int_equal(capture_link(c), 101);
	assert_int_equal(read_all(c, 512, &g), CAPTURE_ERROR);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.v[0].link, 101);
	assert_non_null(strstr(capture_error(c), "type"));
	capture_close(c);
	forget(&g);
	drop(&b);
}

/*
 * Pipes
 */

/* A child that writes B into FD, PIECE bytes at a time, and a pause after PAUSE_AT. */
static pid_t
feed(const struct bytes *b, int fd, size_t piece, size_t pause_at)
{
	pid_t pid = fork();
	size_t at, n;

	if (pid != 0)
		return pid;
	for (at = 0; at < b->len; at += n) {
		n = b->len - at < piece ? b->len - at : piece;
		if (at < pause_at && at + n >= pause_at) {
			n = pause_at - at;
			if (write(fd, b->p + at, n) != (ssize_t)n)
				_exit(1);
			usleep(300000);
		} else if (write(fd, b->p + at, n) != (ssize_t)n) {
			_exit(1);
		}
	}
	_exit(0);
}

static void
must_end(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
}

static void
classic_file(struct bytes *b, unsigned n)
{
	unsigned i;

	put_header(b, MAGIC_US, 65535, 1);
	for (i = 0; i < n; i++)
		put_frame(b, i, i * 11 % 3000);
}

/* Read 300 frames of either kind from standard input, written in pieces. */
static void
check_stdin(bool ng, size_t piece)
{
	struct bytes b = {0};
	struct got g = {0};
	struct capture *c;
	uint64_t done, size;
	int fds[2], saved;
	unsigned i;
	pid_t pid;

	if (ng)
		ng_file(&b, 300);
	else
		classic_file(&b, 300);
	assert_int_equal(pipe(fds), 0);
	saved = dup(0);
	assert_int_equal(dup2(fds[0], 0), 0);
	close(fds[0]);
	pid = feed(&b, fds[1], piece, 0);
	close(fds[1]);
	c = must_open("-", &plain);
	assert_int_equal(read_all(c, 64, &g), CAPTURE_EOF);
	capture_progress(c, &done, &size);
	assert_int_equal(done, b.len);
	assert_int_equal(size, 0);
	capture_close(c);
	assert_int_equal(dup2(saved, 0), 0);
	close(saved);
	must_end(pid);
	assert_int_equal(g.n, 300);
	for (i = 0; i < 300; i++)
		check_frame(&g, i, i * 11 % 3000);
	forget(&g);
	drop(&b);
}

static void
test_stdin(void **state)
{
	static const size_t pieces[] = {7, 100, 4096, 65536};
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++)
		check_stdin(i & 1, pieces[i / 2]);
}

/*
 * A FIFO whose writer falls silent in the middle of a file: the frames before that come
 * at once, and the reader is not held up longer than asked for.
 */
static void
test_fifo_quiet(void **state)
{
	struct capture_options o = plain;
	unsigned i, ng;

	(void)state;
	o.timeout_ms = 50;
	for (ng = 0; ng < 2; ng++) {
		struct bytes b = {0};
		struct got g = {0};
		struct capture *c;
		unsigned quiet = 0;
		size_t half;
		pid_t pid;
		int n, fd;

		if (ng)
			ng_file(&b, 10);
		else
			classic_file(&b, 10);
		half = b.len;
		if (ng)
			ng_file(&b, 20);
		for (i = 10; i < 20 && !ng; i++)
			put_frame(&b, i, i * 11 % 3000);
		unlink(path);
		assert_int_equal(mkfifo(path, 0600), 0);
		fd = open(path, O_RDWR); /* so that neither side waits for the other */
		assert_true(fd >= 0);
		pid = feed(&b, fd, 1 << 20, half);
		c = must_open(path, &o);
		close(fd);
		while ((n = capture_read(c, 512, take, &g)) >= 0) {
			if (n == 0) {
				quiet++;
				assert_int_equal(g.n, 10);
			}
		}
		assert_int_equal(n, CAPTURE_EOF);
		assert_in_range(quiet, 1, 1000);
		assert_int_equal(g.n, ng ? 30 : 20);
		capture_close(c);
		must_end(pid);
		unlink(path);
		forget(&g);
		drop(&b);
	}
}

static void
on_alarm(int sig)
{
	(void)sig;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
test_interrupted(void **state)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval on = {{0, 50000}, {0, 50000}}, off = {{0, 0}, {0, 0}};
	struct capture_options o = plain;
	struct bytes b = {0};
	struct got g = {0};
	struct capture *c;
	double t;
	int fd;

	(void)state;
	o.timeout_ms = 20000;
	sigaction(SIGALRM, &sa, NULL);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	t = now();
	setitimer(ITIMER_REAL, &on, NULL);
	must_not_open(path, &o, strerror(EINTR)); /* waiting for the first bytes */
	setitimer(ITIMER_REAL, &off, NULL);
	classic_file(&b, 3);
	assert_int_equal(write(fd, b.p, b.len - 1), b.len - 1);
	c = must_open(path, &o);
	assert_int_equal(capture_read(c, 512, take, &g), 2);
	setitimer(ITIMER_REAL, &on, NULL);
	assert_int_equal(capture_read(c, 512, take, &g), 0); /* in a record */
	setitimer(ITIMER_REAL, &off, NULL);
	assert_true(now() - t < 10);
	assert_int_equal(write(fd, b.p + b.len - 1, 1), 1);
	close(fd);
	assert_int_equal(read_all(c, 512, &g), CAPTURE_EOF);
	assert_int_equal(g.n, 3);
	check_frame(&g, 2, 22);
	capture_close(c);
	unlink(path);
	forget(&g);
	drop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pcapng),
	    cmocka_unit_test(test_pcapng_mixed),
	    cmocka_unit_test(test_stdin),
	    cmocka_unit_test(test_fifo_quiet),
	    cmocka_unit_test(test_interrupted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
