/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_capture.c -- the bytes of a file through the capture room: as a file, as a pipe,
 * and through a filter with a snapshot length. The first two must give the same, and
 * what libpcap by itself gives: the block reader's rules are to be libpcap's. Frames go
 * on to the decoder, for only files have captured lengths beyond those on the wire.
 */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "decode.h"
#include "fuzz.h"

const char fuzz_name[] = "capture";

#define PIPE_MAX 60000 /* fits into a pipe at once */
#define SNAPLEN 64

struct tally {
	size_t file_len;
	uint64_t frames, bytes, hash;
	uint32_t longest;
	int status;
	bool decode;
};

static void
tally_frame(struct tally *t, uint32_t caplen, uint32_t wirelen, const uint8_t *data)
{
	t->hash = fuzz_hash(t->hash, &caplen, sizeof(caplen));
	t->hash = fuzz_hash(t->hash, &wirelen, sizeof(wirelen));
	t->hash = fuzz_hash(t->hash, data, caplen);
	t->frames++;
	t->bytes += caplen;
	if (caplen > t->longest)
		t->longest = caplen;
}

/* capture_sink */
static void
on_frames(void *arg, const struct frame *frames, unsigned n)
{
	struct counters counters = {{0}};
	struct decode d = {.tunnels = true, .counters = &counters};
	struct tally *t = arg;
	struct packet p;
	unsigned i;

	CHECK(n > 0 && n <= CAPTURE_BATCH);
	for (i = 0; i < n; i++) {
		const struct frame *f = &frames[i];

		CHECK(f->caplen <= t->file_len && f->port == 5);
		CHECK(f->ts_us / 1000000 <= UINT64_C(253402300799) + 4295);
		tally_frame(t, f->caplen, f->wirelen, f->data);
		if (t->decode)
			decode_frame(&d, f, &p);
	}
	CHECK(t->bytes <= t->file_len); /* a frame's bytes stand in the file once */
}

/* Read PATH to its end. False: not opened. */
static bool
read_path(const char *path, const struct capture_options *o, struct tally *t)
{
	char err[512] = "";
	struct capture *c = capture_open_file(path, o, err, sizeof(err));
	uint64_t turns = 0, before, done, size;
	int n;

	if (c == NULL) {
		CHECK(err[0] != '\0' && strlen(err) < sizeof(err));
		return false;
	}
	do {
		before = t->frames;
		n = capture_read(c, 512, on_frames, t);
		CHECK(n <= 512);
		CHECK(t->frames - before == (n > 0 ? (uint64_t)n : 0));
		CHECK(++turns <= t->file_len + 64); /* or it would never end */
		capture_progress(c, &done, &size);
		CHECK(done <= t->file_len);
	} while (n >= 0);
	CHECK(n == CAPTURE_EOF || n == CAPTURE_ERROR);
	CHECK(n == CAPTURE_EOF || capture_error(c)[0] != '\0');
	CHECK(capture_read(c, 512, on_frames, t) == n);
	t->status = n;
	capture_close(c);
	return true;
}

/* The bytes in a file without a name. */
static int
make_file(const uint8_t *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd != -1);
	CHECK(write(fd, data, len) == (ssize_t)len);
	return fd;
}

static bool
same(const struct tally *a, const struct tally *b)
{
	return a->frames == b->frames && a->hash == b->hash && a->status == b->status;
}

static void
compare_pipe(const uint8_t *data, size_t len, const struct capture_options *o,
    bool opened, const struct tally *want)
{
	struct tally t = {.file_len = len};
	int fd[2];

	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	CHECK(write(fd[1], data, len) == (ssize_t)len);
	close(fd[1]);
	CHECK(dup2(fd[0], STDIN_FILENO) == STDIN_FILENO);
	close(fd[0]);
	CHECK(read_path("-", o, &t) == opened);
	if (opened)
		CHECK(same(&t, want));
}

/* What libpcap makes of the file. */
static void
compare_pcap(int file, bool opened, const struct tally *want)
{
	struct tally t = {.file_len = want->file_len};
	char err[PCAP_ERRBUF_SIZE] = "";
	struct pcap_pkthdr *h;
	const u_char *data;
	FILE *fp = fdopen(dup(file), "r");
	pcap_t *p;
	int n;

	CHECK(fp != NULL);
	rewind(fp);
	p = pcap_fopen_offline(fp, err);
	CHECK((p != NULL) == opened);
	if (p == NULL) {
		fclose(fp);
		return;
	}
	while ((n = pcap_next_ex(p, &h, &data)) == 1)
		tally_frame(&t, h->caplen, h->len, data);
	t.status = n == PCAP_ERROR_BREAK ? CAPTURE_EOF : CAPTURE_ERROR;
	CHECK(same(&t, want));
	pcap_close(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct capture_options all = {.timeout_ms = 100, .port = 5}, some = all;
	struct tally t = {.file_len = len, .decode = true}, cut = {.file_len = len};
	int file = make_file(data, len);
	char path[64];
	bool opened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	opened = read_path(path, &all, &t);
	if (len >= 24) /* shorter ones libpcap has other words for */
		compare_pcap(file, opened, &t);
	if (len <= PIPE_MAX)
		compare_pipe(data, len, &all, opened, &t);
	some.snaplen = SNAPLEN;
	some.filter = len & 1 ? "tcp or vlan" : NULL;
	if (read_path(path, &some, &cut)) {
		CHECK(opened && cut.longest <= SNAPLEN && cut.bytes <= t.bytes);
		CHECK(cut.frames <= t.frames && cut.status == t.status);
		CHECK(some.filter != NULL || cut.frames == t.frames);
	}
	close(file);
	return 0;
}
