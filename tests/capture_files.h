/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_files.h -- for the tests of the capture room: capture files made byte by byte
 * in a folder of the test's own, and what came back of them. Frames made by put_frame()
 * tell by their bytes, lengths and times which one they are; check_frame() knows.
 */
#ifndef MCPROBE_CAPTURE_FILES_H
#define MCPROBE_CAPTURE_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define MAGIC_MODIFIED 0xa1b2cd34u

#define FRAME_MAX 262144
#define BASE_S 1700000000u

static char dir[] = "/tmp/t_capture.XXXXXX";
static char path[64];
static char err[512];

/*
 * Files in the making
 */

struct bytes {
	uint8_t *p;
	size_t len, cap;
	bool swapped; /* numbers go in in the other byte order */
};

static inline void
put(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->cap) {
		b->cap = 2 * (b->len + len);
		b->p = realloc(b->p, b->cap);
		assert_non_null(b->p);
	}
	if (len > 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static inline void
put16(struct bytes *b, uint16_t v)
{
	if (b->swapped)
		v = __builtin_bswap16(v);
	put(b, &v, sizeof v);
}

static inline void
put32(struct bytes *b, uint32_t v)
{
	if (b->swapped)
		v = __builtin_bswap32(v);
	put(b, &v, sizeof v);
}

static inline void
put_header(struct bytes *b, uint32_t magic, uint32_t snaplen, uint32_t network)
{
	put32(b, magic);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, snaplen);
	put32(b, network);
}

/* Bytes that tell one frame, and one place in it, from another. */
static inline const uint8_t *
pattern(unsigned seed, size_t len)
{
	static uint8_t buf[FRAME_MAX + 64];
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (i * 131) ^ (i >> 8) ^ (seed * 29);
	return buf;
}

static inline void
put_record(struct bytes *b, uint32_t sec, uint32_t sub, const void *data,
    uint32_t caplen, uint32_t wirelen)
{
	put32(b, sec);
	put32(b, sub);
	put32(b, caplen);
	put32(b, wirelen);
	put(b, data, caplen);
}

/* Record number I, of LEN bytes. */
static inline void
put_frame(struct bytes *b, unsigned i, uint32_t len)
{
	put_record(b, BASE_S + i, i, pattern(i, len), len, len + i);
}

static inline void
save(const struct bytes *b, size_t len)
{
	FILE *fp = fopen(path, "w");

	assert_non_null(fp);
	if (len > 0)
		assert_int_equal(fwrite(b->p, 1, len, fp), len);
	assert_int_equal(fclose(fp), 0);
}

static inline void
drop(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

/*
 * What comes back
 */

struct seen {
	uint64_t ts_us;
	uint32_t caplen, wirelen, sum;
	uint16_t link, port;
};

struct got {
	struct seen *v;
	unsigned n, cap;
	unsigned calls, largest, limit;
};

/* FNV-1a. */
static inline uint32_t
checksum(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u;

	while (len-- > 0)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static inline void
take(void *arg, const struct frame *f, unsigned n)
{
	struct got *g = arg;
	unsigned i;

	assert_in_range(n, 1, CAPTURE_BATCH);
	g->calls++;
	g->largest = n > g->largest ? n : g->largest;
	for (i = 0; i < n; i++) {
		if (g->n == g->cap) {
			g->cap = g->cap ? 2 * g->cap : 64;
			g->v = realloc(g->v, g->cap * sizeof *g->v);
			assert_non_null(g->v);
		}
		g->v[g->n++] = (struct seen){f[i].ts_us, f[i].caplen, f[i].wirelen,
		    checksum(f[i].data, f[i].caplen), f[i].link, f[i].port};
	}
}

static inline void
forget(struct got *g)
{
	free(g->v);
	memset(g, 0, sizeof *g);
}

static const struct capture_options plain = {.snaplen = 65535, .port = 7};
static const struct capture_options whole = {.snaplen = FRAME_MAX};

static inline struct capture *
must_open(const char *name, const struct capture_options *o)
{
	struct capture *c;

	err[0] = '\0';
	c = capture_open_file(name, o, err, sizeof err);
	if (c == NULL)
		fail_msg("%s: %s", name, err);
	return c;
}

static inline void
must_not_open(const char *name, const struct capture_options *o, const char *why)
{
	struct capture *c = capture_open_file(name, o, err, sizeof err);

	if (c != NULL)
		fail_msg("%s was opened", name);
	if (strstr(err, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, why);
}

/* Read to the end, MAX frames at a time; returns the status. */
static inline int
read_all(struct capture *c, unsigned max, struct got *g)
{
	int n;

	for (;;) {
		unsigned before = g->n;

		n = capture_read(c, max, take, g);
		if (n < 0) {
			assert_int_equal(g->n, before);
			return n;
		}
		assert_int_equal(g->n - before, n);
		assert_in_range(n, 0, max);
	}
}

/* The whole of PATH. */
static inline int
read_file(const struct capture_options *o, struct got *g)
{
	struct capture *c = must_open(path, o);
	int status = read_all(c, 512, g);

	capture_close(c);
	return status;
}

static inline void
check_frame(const struct got *g, unsigned i, uint32_t len)
{
	assert_in_range(i, 0, g->n - 1);
	assert_int_equal(g->v[i].ts_us, (BASE_S + i) * UINT64_C(1000000) + i);
	assert_int_equal(g->v[i].caplen, len);
	assert_int_equal(g->v[i].wirelen, len + i);
	assert_int_equal(g->v[i].sum, checksum(pattern(i, len), len));
}

static inline int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/x", dir);
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

#endif
