/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_capture.c -- capture files, byte by byte: the test writes them itself, to a folder
 * of its own, and compares what comes back. With a folder of captures at hand
 * (MCPROBE_CORPUS) every one of them must give the frames libpcap gives. Interfaces
 * need root: see e2e/test_live_capture.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define MAGIC_MODIFIED 0xa1b2cd34u

#define BLOCK (256 * 1024)
#define FRAME_MAX 262144
#define BASE_S 1700000000u

static char dir[] = "/tmp/t_capture.XXXXXX";
static char path[64];
static char err[512];

/* ---- files in the making */

struct bytes {
	uint8_t *p;
	size_t len, cap;
	bool swapped; /* numbers go in in the other byte order */
};

static void
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

static void
put16(struct bytes *b, uint16_t v)
{
	if (b->swapped)
		v = __builtin_bswap16(v);
	put(b, &v, sizeof v);
}

static void
put32(struct bytes *b, uint32_t v)
{
	if (b->swapped)
		v = __builtin_bswap32(v);
	put(b, &v, sizeof v);
}

static void
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
static const uint8_t *
pattern(unsigned seed, size_t len)
{
	static uint8_t buf[FRAME_MAX + 64];
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = (i * 131) ^ (i >> 8) ^ (seed * 29);
	return buf;
}

static void
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
static void
put_frame(struct bytes *b, unsigned i, uint32_t len)
{
	put_record(b, BASE_S + i, i, pattern(i, len), len, len + i);
}

static void
save(const struct bytes *b, size_t len)
{
	FILE *fp = fopen(path, "w");

	assert_non_null(fp);
	if (len > 0)
		assert_int_equal(fwrite(b->p, 1, len, fp), len);
	assert_int_equal(fclose(fp), 0);
}

static void
drop(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof *b);
}

/* ---- what comes back */

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
static uint32_t
checksum(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u;

	while (len-- > 0)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static void
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

static void
forget(struct got *g)
{
	free(g->v);
	memset(g, 0, sizeof *g);
}

static const struct capture_options plain = {.snaplen = 65535, .port = 7};
static const struct capture_options whole = {.snaplen = FRAME_MAX};

static struct capture *
must_open(const char *name, const struct capture_options *o)
{
	struct capture *c;

	err[0] = '\0';
	c = capture_open_file(name, o, err, sizeof err);
	if (c == NULL)
		fail_msg("%s: %s", name, err);
	return c;
}

static void
must_not_open(const char *name, const struct capture_options *o, const char *why)
{
	struct capture *c = capture_open_file(name, o, err, sizeof err);

	if (c != NULL)
		fail_msg("%s was opened", name);
	if (strstr(err, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, why);
}

/* Read to the end, MAX frames at a time; returns the status. */
static int
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
static int
read_file(const struct capture_options *o, struct got *g)
{
	struct capture *c = must_open(path, o);
	int status = read_all(c, 512, g);

	capture_close(c);
	return status;
}

static void
check_frame(const struct got *g, unsigned i, uint32_t len)
{
	assert_in_range(i, 0, g->n - 1);
	assert_int_equal(g->v[i].ts_us, (BASE_S + i) * UINT64_C(1000000) + i);
	assert_int_equal(g->v[i].caplen, len);
	assert_int_equal(g->v[i].wirelen, len + i);
	assert_int_equal(g->v[i].sum, checksum(pattern(i, len), len));
}

/* ---- tests */

static void
test_magics(void **state)
{
	static const uint32_t magics[] = {MAGIC_US, MAGIC_NS, MAGIC_MODIFIED};
	unsigned m, i;

	(void)state;
	for (m = 0; m < 6; m++) {
		struct bytes b = {.swapped = m & 1};
		struct got g = {0};
		uint32_t magic = magics[m / 2];

		put_header(&b, magic, 65535, 1);
		for (i = 0; i < 100; i++) {
			put32(&b, BASE_S + i);
			put32(&b, magic == MAGIC_NS ? i * 1000 + 999 : i);
			put32(&b, i * 7);
			put32(&b, i * 8);
			if (magic == MAGIC_MODIFIED)
				put(&b, "\0\0\0\0\0\0\0",
				    8); /* ifindex, protocol, type */
			put(&b, pattern(i, i * 7), i * 7);
		}
		save(&b, b.len);
		assert_int_equal(read_file(&plain, &g), CAPTURE_EOF);
		assert_int_equal(g.n, 100);
		for (i = 0; i < 100; i++) {
			check_frame(&g, i, i * 7);
			assert_int_equal(g.v[i].link, 1);
			assert_int_equal(g.v[i].port, 7);
		}
		forget(&g);
		drop(&b);
	}
}

static void
test_batches(void **state)
{
	struct bytes b = {0};
	struct got g = {0};
	struct capture *c;
	unsigned i;

	(void)state;
	put_header(&b, MAGIC_US, 65535, 1);
	for (i = 0; i < 100; i++)
		put_frame(&b, i, 60);
	save(&b, b.len);

	assert_int_equal(read_file(&plain, &g), CAPTURE_EOF);
	assert_int_equal(g.n, 100);
	assert_int_equal(g.largest, 32);
	assert_int_equal(g.calls, 4); /* 32 + 32 + 32 + 4 */
	forget(&g);

	c = must_open(path, &plain);
	assert_int_equal(capture_read(c, 5, take, &g), 5);
	assert_int_equal(capture_read(c, 33, take, &g), 33);
	assert_int_equal(g.calls, 3);
	assert_int_equal(capture_read(c, 0, take, &g), 0);
	assert_int_equal(capture_read(c, 100, take, &g), 62);
	assert_int_equal(capture_read(c, 100, take, &g), CAPTURE_EOF);
	assert_int_equal(capture_read(c, 100, take, &g), CAPTURE_EOF);
	for (i = 0; i < 100; i++)
		check_frame(&g, i, 60);
	assert_int_equal(capture_fd(c), -1);
	assert_int_equal(capture_link(c), 1);
	assert_string_equal(capture_name(c), path);
	assert_int_equal(capture_reopen(c), -1);
	capture_close(c);
	forget(&g);
	drop(&b);
}

/* Every record size, and every place in a record where a block may end. */
static void
test_borders(void **state)
{
	static const uint32_t sizes[] = {
	    0, 1, 15, 16, 17, 60, 61, 1499, 9000, 65535, 131072, 262143, FRAME_MAX};
	struct got g = {0};
	unsigned s, i, shift;

	(void)state;
	for (s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		struct bytes b = {0};
		unsigned n = 3 * BLOCK / (16 + sizes[s]) + 3;

		put_header(&b, MAGIC_US, FRAME_MAX, 1);
		for (i = 0; i < n; i++)
			put_frame(&b, i, sizes[s]);
		save(&b, b.len);
		assert_int_equal(read_file(&whole, &g), CAPTURE_EOF);
		assert_int_equal(g.n, n);
		for (i = 0; i < n; i += n < 1000 ? 1 : 97)
			check_frame(&g, i, sizes[s]);
		check_frame(&g, n - 1, sizes[s]);
		forget(&g);
		drop(&b);
	}
	for (shift = 0; shift < 80; shift++) {
		struct bytes b = {0};
		uint32_t first = BLOCK - 24 - 16 - shift;

		put_header(&b, MAGIC_US, FRAME_MAX, 1);
		put_frame(&b, 0, first);
		for (i = 1; i < 5; i++)
			put_frame(&b, i, 40);
		save(&b, b.len);
		assert_int_equal(read_file(&whole, &g), CAPTURE_EOF);
		assert_int_equal(g.n, 5);
		check_frame(&g, 0, first);
		for (i = 1; i < 5; i++)
			check_frame(&g, i, 40);
		forget(&g);
		drop(&b);
	}
}

/* A file cut anywhere gives the frames that are whole, then says that it is cut. */
static void
test_truncated(void **state)
{
	struct bytes b = {0};
	size_t ends[4], cut;
	unsigned i, n;

	(void)state;
	put_header(&b, MAGIC_US, 65535, 1);
	for (i = 0; i < 4; i++) {
		put_frame(&b, i, 20 + i);
		ends[i] = b.len;
	}
	for (cut = 24; cut <= b.len; cut++) {
		struct capture *c;
		struct got g = {0};
		int status;

		for (n = 0; n < 4 && ends[n] <= cut; n++)
			;
		save(&b, cut);
		c = must_open(path, &plain);
		status = read_all(c, 512, &g);
		assert_int_equal(g.n, n);
		for (i = 0; i < n; i++)
			check_frame(&g, i, 20 + i);
		if (cut == (n > 0 ? ends[n - 1] : 24)) {
			assert_int_equal(status, CAPTURE_EOF);
		} else {
			assert_int_equal(status, CAPTURE_ERROR);
			assert_non_null(strstr(capture_error(c), "cut short"));
		}
		assert_int_equal(capture_read(c, 512, take, &g), status);
		capture_close(c);
		forget(&g);
	}
	drop(&b);
}

static void
test_lengths(void **state)
{
	static const uint32_t absurd[] = {
	    FRAME_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff};
	struct capture_options o = plain;
	struct bytes b = {0};
	struct got g = {0};
	struct capture *c;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		put_header(&b, MAGIC_US, 0xffffffff, 1);
		put_frame(&b, 0, 100);
		put_frame(&b, 1, 100);
		put32(&b, BASE_S);
		put32(&b, 0);
		put32(&b, absurd[i]);
		put32(&b, 100);
		put(&b, pattern(0, 1000), 1000);
		save(&b, b.len);
		c = must_open(path, &plain);
		assert_int_equal(read_all(c, 512, &g), CAPTURE_ERROR);
		assert_int_equal(g.n, 2);
		assert_non_null(strstr(capture_error(c), "byte 256 claims"));
		capture_close(c);
		forget(&g);
		drop(&b);
	}
	/* Captured more than sent: as it stands. More than the file's snaplen: cut. */
	put_header(&b, MAGIC_US, 200, 1);
	put_record(&b, 1, 2, pattern(9, 100), 100, 60);
	put_record(&b, 1, 3, pattern(9, 300), 300, 400);
	save(&b, b.len);
	assert_int_equal(read_file(&plain, &g), CAPTURE_EOF);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.v[0].caplen, 100);
	assert_int_equal(g.v[0].wirelen, 60);
	assert_int_equal(g.v[1].caplen, 200);
	assert_int_equal(g.v[1].sum, checksum(pattern(9, 200), 200));
	forget(&g);
	o.snaplen = 64;
	assert_int_equal(read_file(&o, &g), CAPTURE_EOF);
	assert_int_equal(g.v[0].caplen, 64);
	assert_int_equal(g.v[1].caplen, 64);
	assert_int_equal(g.v[1].wirelen, 400);
	assert_int_equal(g.v[1].sum, checksum(pattern(9, 64), 64));
	forget(&g);
	drop(&b);
}

/* An Ethernet frame with UDP from port SPORT to port 53, 60 bytes. */
static const uint8_t *
udp_frame(uint16_t sport)
{
	static uint8_t f[60];
	static const uint8_t head[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45,
	    0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};

	memcpy(f, head, sizeof head);
	f[34] = sport >> 8;
	f[35] = sport & 0xff;
	f[37] = 53;
	f[39] = 26;
	return f;
}

static void
put_udp_file(struct bytes *b, uint32_t magic, uint32_t network, unsigned skip)
{
	unsigned i;

	put_header(b, magic, 65535, network);
	for (i = 0; i < 1000; i++) {
		put32(b, BASE_S);
		put32(b, i);
		put32(b, 60 - skip);
		put32(b, 60 - skip);
		if (magic == MAGIC_MODIFIED)
			put(b, "\0\0\0\0\0\0\0", 8);
		put(b, udp_frame(i) + skip, 60 - skip);
	}
	save(b, b->len);
	drop(b);
}

/* The same filter on both ways of reading, and on raw IP, whose number has two names. */
static void
test_filter(void **state)
{
	static const struct {
		uint32_t magic, network, skip;
	} files[] = {{MAGIC_US, 1, 0}, {MAGIC_MODIFIED, 1, 0}, {MAGIC_US, 101, 14},
	    {MAGIC_US, 12, 14}, {MAGIC_US, 228, 14}, {MAGIC_MODIFIED, 101, 14}};
	struct capture_options o = plain;
	struct bytes b = {0};
	struct got g = {0};
	struct capture *c;
	unsigned i, zeros;
	int n;

	(void)state;
	for (i = 0; i < sizeof files / sizeof files[0]; i++) {
		put_udp_file(&b, files[i].magic, files[i].network, files[i].skip);
		o.filter = "udp src port 500 or udp src port 7";
		o.snaplen = 16; /* the filter sees more than what is kept */
		assert_int_equal(read_file(&o, &g), CAPTURE_EOF);
		assert_int_equal(g.n, 2);
		assert_int_equal(g.v[0].ts_us, BASE_S * UINT64_C(1000000) + 7);
		assert_int_equal(g.v[1].ts_us, BASE_S * UINT64_C(1000000) + 500);
		assert_int_equal(g.v[1].caplen, 16);
		forget(&g);

		o.filter = "udp src port";
		must_not_open(path, &o, "filter \"udp src port\": ");
		o.filter =
		    "tcp port 80"; /* nothing: but the caller is let go meanwhile */
		c = must_open(path, &o);
		for (zeros = 0; (n = capture_read(c, 100, take, &g)) == 0; zeros++)
			;
		assert_int_equal(n, CAPTURE_EOF);
		assert_in_range(zeros, 10, 11);
		assert_int_equal(g.n, 0);
		capture_close(c);
	}
	o.filter = "greater 61"; /* the length on the wire, not the captured one */
	put_header(&b, MAGIC_US, 65535, 1);
	put_record(&b, 1, 1, udp_frame(1), 60, 1500);
	put_record(&b, 1, 2, udp_frame(1), 60, 60);
	save(&b, b.len);
	assert_int_equal(read_file(&o, &g), CAPTURE_EOF);
	assert_int_equal(g.n, 1);
	forget(&g);
	drop(&b);
}

static void
test_progress(void **state)
{
	static const uint32_t magics[] = {MAGIC_US, MAGIC_NS};
	uint64_t done, size, before;
	unsigned m, i;

	(void)state;
	for (m = 0; m < 2; m++) {
		struct bytes b = {0};
		struct got g = {0};
		struct capture *c;

		put_header(&b, magics[m], 65535, 1);
		for (i = 0; i < 1000; i++)
			put_frame(&b, i, 1000);
		save(&b, b.len);
		c = must_open(path, &plain);
		capture_progress(c, &before, &size);
		assert_int_equal(size, b.len);
		assert_int_equal(before, 24);
		while (capture_read(c, 10, take, &g) >= 0) {
			capture_progress(c, &done, &size);
			assert_true(done <= size);
			if (done != size)
				assert_int_equal(done, 24 + g.n * 1016);
			assert_true(done >= before);
			before = done;
		}
		assert_int_equal(before, b.len);
		capture_close(c);
		forget(&g);
		drop(&b);
	}
}

static void
test_refused(void **state)
{
	struct bytes b = {0};
	unsigned cut;

	(void)state;
	must_not_open("/nonexistent/x.pcap", &plain, "/nonexistent/x.pcap: No such file");
	must_not_open(dir, &plain, "is a directory");
	must_not_open("/dev/null", &plain, "is empty");
	save(&b, 0);
	must_not_open(path, &plain, "is empty");
	put_header(&b, MAGIC_US, 65535, 1);
	for (cut = 1; cut < 24; cut++) {
		save(&b, cut);
		must_not_open(path, &plain, "bytes long");
	}
	b.p[6] = 9; /* version 2.9 */
	save(&b, b.len);
	must_not_open(path, &plain, "version");
	drop(&b);
	put(&b, "This is a text, and no capture.\n", 32);
	save(&b, b.len);
	must_not_open(path, &plain, "unknown file format");
	drop(&b);
	put(&b, "\x1f\x8b\x08\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26);
	save(&b, b.len);
	must_not_open(path, &plain, "gzip -dc");
	drop(&b);
	assert_false(capture_is_interface(path));
	assert_false(capture_is_interface("-"));
	assert_false(capture_is_interface(""));
	assert_false(capture_is_interface("nosuchif0"));
	assert_true(capture_is_interface("any"));
	assert_true(capture_is_interface("lo"));
}

static void
test_links(void **state)
{
	static const struct {
		uint32_t network;
		unsigned link;
	} rows[] = {{1, 1}, {0, 0}, {12, 101}, {14, 101}, {101, 101}, {228, 228},
	    {229, 229}, {113, 113}, {276, 276}, {9, 9}, {50, 50}, {104, 104},
	    {105, 105}, {127, 127}, {239, 239}, {11, 100}, {19, 106}, {107, 107},
	    {108, 108},
	    {0x24000001, 1}, /* two bytes of check sequence follow each frame */
	    {0xf4000065, 101}, {147, 147}, {246, 246}};
	static const uint32_t magics[] = {MAGIC_US, MAGIC_MODIFIED};
	unsigned i;

	(void)state;
	for (i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		struct bytes b = {0};
		struct capture *c;

		put_header(&b, magics[i & 1], 65535, rows[i / 2].network);
		save(&b, b.len);
		c = must_open(path, &plain);
		assert_int_equal(capture_link(c), rows[i / 2].link);
		capture_close(c);
		drop(&b);
	}
}

/* NFLOG's lengths stand in the writer's byte order; the decoder expects its own. */
static void
test_nflog_swapped(void **state)
{
	static const uint8_t frame[] = {2, 0, 0, 0, 0, 8, 0, 10, 'x', 'y', 0, 0};
	struct bytes b = {.swapped = true};
	struct got g = {0};
	uint8_t want[sizeof frame];
	uint16_t tlv;

	(void)state;
	/* On a big-endian machine "swapped" is little-endian: write it accordingly. */
	memcpy(want, frame, sizeof frame);
	tlv = 8;
	memcpy(want + 4, &tlv, 2);
	tlv = 10;
	memcpy(want + 6, &tlv, 2);
	put_header(&b, MAGIC_US, 65535, 239);
	put32(&b, 1);
	put32(&b, 1);
	put32(&b, sizeof frame);
	put32(&b, sizeof frame);
	put(&b, frame, 4);
	put16(&b, 8);
	put16(&b, 10);
	put(&b, frame + 8, 4);
	save(&b, b.len);
	assert_int_equal(read_file(&plain, &g), CAPTURE_EOF);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.v[0].sum, checksum(want, sizeof want));
	forget(&g);
	drop(&b);
}

/* ---- pcapng */

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

/* Frames that check_frame() knows, by turns from a µs, a ns and a ms interface. */
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

/* ---- pipes */

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

/* ---- other people's files */

/* Frame by frame as libpcap has it. Times are unsigned to us: a file's are, by its format. */
static unsigned
compare(const char *file)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(file, why);
	struct capture *c = capture_open_file(file, &whole, err, sizeof err);
	struct pcap_pkthdr *h;
	const u_char *data;
	struct got g = {0};
	unsigned n = 0;
	int rc, status;

	if ((p == NULL) != (c == NULL))
		fail_msg("%s: libpcap: %s, capture: %s", file, p ? "yes" : why,
		    c ? "yes" : err);
	if (p == NULL)
		return 0;
	status = read_all(c, 100, &g);
	while ((rc = pcap_next_ex(p, &h, &data)) == 1) {
		const struct seen *s = &g.v[n];

		if (n == g.n)
			fail_msg("%s: only %u frames: %s", file, n, capture_error(c));
		if (s->caplen != h->caplen || s->wirelen != h->len ||
		    s->sum != checksum(data, h->caplen))
			fail_msg("%s: frame %u differs", file, n + 1);
		if (h->ts.tv_usec >= 0 && h->ts.tv_usec < 1000000 &&
		    s->ts_us !=
			(uint32_t)h->ts.tv_sec * UINT64_C(1000000) + h->ts.tv_usec)
			fail_msg("%s: time of frame %u differs", file, n + 1);
		n++;
	}
	if (n != g.n)
		fail_msg("%s: %u frames, libpcap has %u", file, g.n, n);
	if (status != (rc == PCAP_ERROR ? CAPTURE_ERROR : CAPTURE_EOF))
		fail_msg("%s: ends with %d (%s), libpcap %d (%s)", file, status,
		    capture_error(c), rc, pcap_geterr(p));
	pcap_close(p);
	capture_close(c);
	forget(&g);
	return n;
}

static unsigned
compare_folder(const char *folder, unsigned *files)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	unsigned frames = 0;
	char file[1024];

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');

		if (dot == NULL ||
		    (strcmp(dot, ".pcap") != 0 && strcmp(dot, ".pcapng") != 0))
			continue;
		snprintf(file, sizeof file, "%s/%s", folder, e->d_name);
		frames += compare(file);
		++*files;
	}
	closedir(d);
	return frames;
}

static void
test_corpus(void **state)
{
	static const char *const subs[] = {"", "/dev", "/hostile", "/held"};
	static const char *const beside[] = {"../shared/corpus", "../../shared/corpus"};
	const char *root = getenv("MCPROBE_CORPUS"), *src = getenv("srcdir");
	char base[512] = "", folder[600];
	unsigned i, files = 0, frames = 0;

	(void)state;
	if (root != NULL)
		snprintf(base, sizeof base, "%s", root);
	for (i = 0; i < 2 && root == NULL; i++) {
		snprintf(base, sizeof base, "%s/%s", src ? src : ".", beside[i]);
		if (access(base, R_OK) == 0)
			break;
	}
	for (i = 0; i < sizeof subs / sizeof subs[0]; i++) {
		snprintf(folder, sizeof folder, "%s%s", base, subs[i]);
		frames += compare_folder(folder, &files);
	}
	print_message(
	    "%u captures, %u frames, the same as from libpcap\n", files, frames);
	if (files == 0)
		skip();
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/x", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_magics),
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_borders),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_progress),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_nflog_swapped),
	    cmocka_unit_test(test_pcapng),
	    cmocka_unit_test(test_pcapng_mixed),
	    cmocka_unit_test(test_stdin),
	    cmocka_unit_test(test_fifo_quiet),
	    cmocka_unit_test(test_interrupted),
	    cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
