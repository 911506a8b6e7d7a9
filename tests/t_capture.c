/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_capture.c -- capture files, byte by byte. With a folder of captures at hand
 * (MCPROBE_CORPUS) every one of them must give the frames libpcap gives. Pipes and
 * pcapng: t_capture_pipe.c; interfaces, which need root: e2e/test_live_capture.py.
 */
#include "block.h"
#include "capture_files.h"

#include <dirent.h>
#include <pcap/pcap.h>

#define BLOCK (256 * 1024) /* what the room reads at once */

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
#define SHARED 2000

/* Somebody who still reads what he was handed. */
struct reader {
	struct capture *c;
	struct block *held[4];
	const uint8_t *data[SHARED];
	unsigned nheld, n;
};

static void
hold(void *arg, const struct frame *frames, unsigned n)
{
	struct reader *r = arg;
	struct block *b = capture_block(r->c);
	unsigned i;

	assert_non_null(b);
	if (r->nheld == 0 || r->held[r->nheld - 1] != b) {
		assert_true(r->nheld < 4);
		block_use(b);
		r->held[r->nheld++] = b;
	}
	for (i = 0; i < n; i++)
		r->data[r->n++] = frames[i].data;
}

/* Frames in shared blocks stay as they are until they are dropped; with all blocks in use
 * there is nothing to read, and no frame is lost by it. */
static void
test_shared(void **state)
{
	struct blocks *blocks = blocks_new(3, capture_block_size);
	struct reader *r = calloc(1, sizeof(*r));
	unsigned i, from = 0, waits = 0;
	struct bytes b = {0};
	int n;

	(void)state;
	assert_non_null(r);
	put_header(&b, MAGIC_US, 65535, 1);
	for (i = 0; i < SHARED; i++)
		put_frame(&b, i, 1000);
	save(&b, b.len);
	r->c = must_open(path, &plain);
	capture_share(r->c, blocks);
	while ((n = capture_read(r->c, 100, hold, r)) >= 0) {
		if (n > 0)
			continue;
		waits++;
		assert_int_equal(r->nheld, 3);
		for (; from < r->n; from++)
			assert_memory_equal(r->data[from], pattern(from, 1000), 1000);
		while (r->nheld > 0)
			block_drop(r->held[--r->nheld]);
	}
	assert_int_equal(n, CAPTURE_EOF);
	assert_int_equal(r->n, SHARED);
	assert_true(waits >= 2);
	capture_close(r->c);
	for (; from < r->n; from++)
		assert_memory_equal(r->data[from], pattern(from, 1000), 1000);
	blocks_free(blocks);
	free(r);
	drop(&b);
}

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

/* The same filter either way of reading, and on raw IP, whose number has two names. */
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
	must_not_open(
	    "/nonexistent/x.pcap", &plain, "/nonexistent/x.pcap: No such file");
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

/*
 * Other people's files
 */

/* Frame by frame as libpcap has it. Times are unsigned to us, as the format says. */
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_magics),
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_borders),
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_progress),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_nflog_swapped),
	    cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
