/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_block.c -- classic pcap without a copy: blocks of 256 KB from read(2),
 * records used where they lie, frames handed out in batches. Per frame it costs a look
 * at a 16-byte header; a record cut by the end of a block is moved once. The block
 * stays as it is until the sink has had every frame in it.
 *
 * The rules for a damaged record are libpcap's: more than 262,144 bytes captured end
 * the file, more than the file's own snapshot length are cut to that, and a captured
 * length beyond the wire length is passed on as it stands.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture_int.h"

#define PCAP_MAGIC_US 0xa1b2c3d4u
#define PCAP_MAGIC_NS 0xa1b23c4du

#define SOURCE_PAGE 4096

int
source_open(struct source *s, const char *path, int wait_ms, char *err, size_t errlen)
{
	struct stat st;

	memset(s, 0, sizeof *s);
	s->wait_ms = wait_ms;
	if (strcmp(path, "-") == 0)
		s->fd = STDIN_FILENO;
	else
		s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd == -1 || fstat(s->fd, &st) == -1) {
		snprintf(err, errlen, "%s", strerror(errno));
		goto fail;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(err, errlen, "is a directory");
		goto fail;
	}
	if (isatty(s->fd)) {
		snprintf(err, errlen, "is a terminal, not a capture");
		goto fail;
	}
	s->slow = !S_ISREG(st.st_mode);
	if (S_ISREG(st.st_mode)) {
		s->size = st.st_size;
		(void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	s->buf = aligned_alloc(SOURCE_PAGE, SOURCE_FRONT + SOURCE_BLOCK);
	if (s->buf == NULL) {
		snprintf(err, errlen, "out of memory");
		goto fail;
	}
	s->pos = s->end = SOURCE_FRONT;
	return 0;
fail:
	source_close(s);
	return -1;
}

void
source_close(struct source *s)
{
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	s->fd = -1;
	if (s->block != NULL)
		block_drop(s->block);
	else
		free(s->buf);
	s->block = NULL;
	s->buf = NULL;
}

const size_t capture_block_size = SOURCE_FRONT + SOURCE_BLOCK;

void
capture_share(struct capture *c, struct blocks *blocks)
{
	struct source *s = &c->source;
	struct block *b;

	if (c->live || c->pcap != NULL || s->block != NULL)
		return;
	b = blocks_take(blocks);
	if (b == NULL)
		return;
	memcpy(b->buf + s->pos, s->buf + s->pos, s->end - s->pos);
	free(s->buf);
	s->buf = b->buf;
	s->block = b;
	s->blocks = blocks;
}

struct block *
capture_block(const struct capture *c)
{
	return c->source.block;
}

/*
 * What was left over, LEFT bytes, to just in front of where the next block is read to: in
 * another one if somebody still looks at this. False: there is none.
 */
static bool
source_turn(struct source *s, size_t left)
{
	struct block *old = NULL, *new;
	uint8_t *to = s->buf;

	if (s->block != NULL && block_shared(s->block)) {
		new = blocks_take(s->blocks);
		if (new == NULL)
			return false;
		old = s->block;
		s->block = new;
		to = new->buf;
	}
	memmove(to + SOURCE_FRONT - left, s->buf + s->pos, left);
	s->buf = to;
	if (old != NULL)
		block_drop(old);
	return true;
}

/*
 * Make room after the bytes left over and say how much there is. Small pieces from a
 * pipe are appended while a page is free, so that a long record that comes in a
 * thousand pieces is not moved a thousand times. 0: no block is free.
 */
static size_t
source_room(struct source *s)
{
	const size_t limit = SOURCE_FRONT + SOURCE_BLOCK;
	size_t left = s->end - s->pos;

	if (left > 0 && limit - s->end >= SOURCE_PAGE)
		return limit - s->end;
	if (left > SOURCE_FRONT)
		abort(); /* nobody waits for more than one record */
	if (!source_turn(s, left))
		return 0;
	s->pos = SOURCE_FRONT - left;
	s->end = SOURCE_FRONT;
	return SOURCE_BLOCK;
}

enum source_status
source_fill(struct source *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	size_t room = source_room(s);
	ssize_t n;

	if (room == 0) {
		errno = EAGAIN;
		return SOURCE_QUIET;
	}
	if (s->slow) {
		int ready = poll(&p, 1, s->wait_ms);

		if (ready == 0)
			errno = EAGAIN;
		if (ready == 0 || (ready == -1 && errno == EINTR))
			return SOURCE_QUIET;
	}
	n = read(s->fd, s->buf + s->end, room);
	if (n == -1)
		return errno == EINTR || errno == EAGAIN ? SOURCE_QUIET : SOURCE_FAIL;
	s->end += n;
	s->got += n;
	return n > 0 ? SOURCE_MORE : SOURCE_END;
}

static uint16_t
load16(const uint8_t *p, bool swapped)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return swapped ? __builtin_bswap16(v) : v;
}

static uint32_t
load32(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return swapped ? __builtin_bswap32(v) : v;
}

/*
 * Link types whose frames carry fields in the byte order of the machine that wrote the
 * file: in a swapped file libpcap turns them round, which cannot be done in place.
 */
static bool
link_host_order(uint16_t link)
{
	switch (link) {
	case 117: /* PFLOG */
	case 189: /* USB_LINUX */
	case 220: /* USB_LINUX_MMAPPED */
	case 239: /* NFLOG */
		return true;
	default:
		return false;
	}
}

/*
 * The file header: magic, version (2.4), time zone, accuracy, snapshot length, and the
 * link type, whose upper half says whether frames end in a check sequence.
 */
bool
block_accept(struct capture *c, const uint8_t *header)
{
	uint32_t magic = load32(header, false), snaplen;

	c->swapped = magic == __builtin_bswap32(PCAP_MAGIC_US) ||
		     magic == __builtin_bswap32(PCAP_MAGIC_NS);
	if (c->swapped)
		magic = __builtin_bswap32(magic);
	c->nano = magic == PCAP_MAGIC_NS;
	if (!c->nano && magic != PCAP_MAGIC_US)
		return false;
	if (load16(header + 4, c->swapped) != 2 || load16(header + 6, c->swapped) != 4)
		return false;
	snaplen = load32(header + 16, c->swapped);
	c->file_snaplen =
	    snaplen == 0 || snaplen > RECORD_DATA_MAX ? RECORD_DATA_MAX : snaplen;
	c->link = load32(header + 20, c->swapped) & 0xffff;
	return !(c->swapped && link_host_order(c->link));
}

enum record {
	RECORD_TAKEN,
	RECORD_FILTERED,
	RECORD_PARTIAL, /* the block ends before the record does */
	RECORD_BAD,
};

static enum record
record_next(struct capture *c, struct frame *f)
{
	struct source *s = &c->source;
	const uint8_t *p = s->buf + s->pos;
	size_t left = s->end - s->pos;
	uint32_t caplen, stored, sub;

	if (left < RECORD_HEADER)
		return RECORD_PARTIAL;
	stored = caplen = load32(p + 8, c->swapped);
	if (stored > RECORD_DATA_MAX) {
		capture_fail(c,
		    "the record at byte %llu claims %u captured bytes, more than %u",
		    (unsigned long long)(s->got - left), stored, RECORD_DATA_MAX);
		return RECORD_BAD;
	}
	if (left - RECORD_HEADER < stored)
		return RECORD_PARTIAL;
	s->pos += RECORD_HEADER + stored;
	if (caplen > c->file_snaplen)
		caplen = c->file_snaplen;
	f->wirelen = load32(p + 12, c->swapped);
	f->data = p + RECORD_HEADER;
	if (!capture_match(c, f->data, f->wirelen, caplen))
		return RECORD_FILTERED;
	f->caplen = capture_cut(c, caplen);
	sub = load32(p + 4, c->swapped);
	f->ts_us =
	    load32(p, c->swapped) * UINT64_C(1000000) + (c->nano ? sub / 1000 : sub);
	f->link = c->link;
	f->port = c->options.port;
	return RECORD_TAKEN;
}

/* More bytes: 1, or what capture_read() is to return. */
static int
block_fill(struct capture *c)
{
	struct source *s = &c->source;
	size_t left = s->end - s->pos;
	uint32_t stored;

	switch (source_fill(s)) {
	case SOURCE_MORE:
		return 1;
	case SOURCE_QUIET:
		return 0;
	case SOURCE_FAIL:
		capture_fail(c, "%s", strerror(errno));
		return CAPTURE_ERROR;
	case SOURCE_END:
		break;
	}
	if (left == 0)
		return CAPTURE_EOF;
	if (left < RECORD_HEADER) {
		capture_fail(c,
		    "cut short: the last record's header has %zu of %u bytes", left,
		    RECORD_HEADER);
	} else {
		stored = load32(s->buf + s->pos + 8, c->swapped);
		capture_fail(c, "cut short: the last record has %zu of %u bytes",
		    left - RECORD_HEADER, stored);
	}
	return CAPTURE_ERROR;
}

/*
 * Frames of a block first, then the next block: whoever reads from a pipe gets what
 * there is before it waits for more. Looks at MAX records at most, taken or not, so a
 * filter that takes nothing cannot keep the caller waiting.
 */
int
block_read(struct capture *c, unsigned max, capture_sink *sink, void *arg)
{
	struct frame frames[CAPTURE_BATCH];
	unsigned n = 0, handed = 0, seen = 0;
	int status = 0;

	while (seen < max) {
		enum record r = record_next(c, &frames[n]);

		if (r == RECORD_TAKEN) {
			seen++;
			if (++n < CAPTURE_BATCH)
				continue;
			sink(arg, frames, n);
			handed += n;
			n = 0;
		} else if (r == RECORD_FILTERED) {
			seen++;
		} else if (r == RECORD_BAD) {
			status = CAPTURE_ERROR;
			break;
		} else if (n + handed > 0) {
			break;
		} else if ((status = block_fill(c)) <= 0) {
			break;
		}
	}
	if (n > 0)
		sink(arg, frames, n);
	handed += n;
	if (status < 0)
		c->status = status;
	return handed > 0 || status > 0 ? (int)handed : status;
}
