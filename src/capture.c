/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c -- the face of the capture room, and capture files. A file is known by its
 * first bytes: classic pcap goes to the block reader (capture_block.c); pcapng and the
 * variants of pcap go to libpcap, through a stdio stream that first serves the bytes
 * already looked at, so both work on a pipe. That way costs a copy and two calls a
 * frame, and since libpcap's buffer holds one frame, they are handed out one at a time.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_int.h"

#define FILE_HEADER 24

/*
 * Where the numbers in files (LINKTYPE_) and those of the system's libpcap (DLT_)
 * differ. Numbers above 103 that are not here are the same in both.
 */
static const struct {
	uint16_t link;
	int dlt;
} link_table[] = {
    {100, DLT_ATM_RFC1483},
    {101, DLT_RAW},
    {102, DLT_SLIP_BSDOS},
    {103, DLT_PPP_BSDOS},
    {106, DLT_ATM_CLIP},
    {107, DLT_FRELAY},
    {108, DLT_LOOP},
    {109, DLT_ENC},
    {246, DLT_PFSYNC},
    {258, DLT_PKTAP},
};

/*
 * Files written long ago, or by programs that put a DLT_ number into them: raw IP is 12
 * on most systems and 14 on OpenBSD.
 */
static const uint16_t link_old[][2] = {
    {11, 100}, /* ATM, RFC 1483 */
    {12, 101}, /* raw IP */
    {14, 101}, /* ditto */
    {19, 106}, /* ATM, classical IP */
};

/* What people hand over by mistake. */
static const struct {
	uint8_t magic[4];
	uint8_t len;
	const char *hint;
} file_hints[] = {
    {{0x1f, 0x8b}, 2, "is compressed: gzip -dc FILE | mcprobe -i -"},
    {{0x28, 0xb5, 0x2f, 0xfd}, 4, "is compressed: zstd -dc FILE | mcprobe -i -"},
    {{0xfd, '7', 'z', 'X'}, 4, "is compressed: xz -dc FILE | mcprobe -i -"},
    {{'B', 'Z', 'h'}, 3, "is compressed: bzip2 -dc FILE | mcprobe -i -"},
};

#define NELEM(a) (sizeof(a) / sizeof(a)[0])

/* The name for people. */
static const char *
shown_name(const char *name)
{
	return strcmp(name, "-") == 0 ? "standard input" : name;
}

void
capture_fail(struct capture *c, const char *fmt, ...)
{
	char why[PCAP_ERRBUF_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	snprintf(c->err, sizeof c->err, "%s: %s", shown_name(c->name), why);
}

uint16_t
capture_dlt_to_link(int dlt)
{
	unsigned i;

	for (i = 0; i < NELEM(link_table); i++) {
		if (link_table[i].dlt == dlt)
			return link_table[i].link;
	}
	return dlt;
}

int
capture_link_to_dlt(uint16_t link)
{
	unsigned i;

	for (i = 0; i < NELEM(link_table); i++) {
		if (link_table[i].link == link)
			return link_table[i].dlt;
	}
	return link;
}

static uint16_t
link_normal(uint16_t link)
{
	unsigned i;

	for (i = 0; i < NELEM(link_old); i++) {
		if (link_old[i][0] == link)
			return link_old[i][1];
	}
	return link;
}

int
capture_compile(
    struct capture *c, pcap_t *p, struct bpf_program *program, char *err, size_t errlen)
{
	if (pcap_compile(p, program, c->filter, 1, PCAP_NETMASK_UNKNOWN) == 0)
		return 0;
	snprintf(err, errlen, "filter \"%s\": %s", c->filter, pcap_geterr(p));
	return -1;
}

/* The filter of a file, applied by us: libpcap would read on and on for a match. */
static int
file_compile(struct capture *c, char *err, size_t errlen)
{
	pcap_t *p;
	int rc;

	if (c->filter == NULL)
		return 0;
	p = pcap_open_dead(capture_link_to_dlt(c->link), RECORD_DATA_MAX);
	if (p == NULL) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	rc = capture_compile(c, p, &c->program, err, errlen);
	c->filtered = rc == 0;
	pcap_close(p);
	return rc;
}

/*
 * stdio's read for libpcap. It asks for whole pieces of a record, so a silence in the
 * middle of one is waited out: there is no giving back what libpcap already took. A
 * signal, which only comes when reading is to end, fails the read and so the file: a
 * pipe that never says the rest must not keep the probe from ending.
 */
static ssize_t
stream_read(void *cookie, char *buf, size_t len)
{
	struct source *s = cookie;

	while (s->pos == s->end) {
		switch (source_fill(s)) {
		case SOURCE_END:
			return 0;
		case SOURCE_FAIL:
			return -1;
		case SOURCE_QUIET:
			if (errno == EINTR)
				return -1;
			break;
		case SOURCE_MORE:
			break;
		}
	}
	if (len > s->end - s->pos)
		len = s->end - s->pos;
	memcpy(buf, s->buf + s->pos, len);
	s->pos += len;
	return len;
}

static int
savefile_open(struct capture *c, char *err, size_t errlen)
{
	const cookie_io_functions_t io = {.read = stream_read};
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *fp;

	fp = fopencookie(&c->source, "r", io);
	if (fp == NULL) {
		snprintf(err, errlen, "%s", strerror(errno));
		return -1;
	}
	c->pcap = pcap_fopen_offline(fp, why);
	if (c->pcap == NULL) {
		snprintf(err, errlen, "%s", why);
		fclose(fp);
		return -1;
	}
	c->link = link_normal(capture_dlt_to_link(pcap_datalink(c->pcap)));
	return 0;
}

static void
savefile_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	struct capture_call *call = (void *)user;
	struct capture *c = call->capture;
	struct frame f = {
	    .ts_us = capture_time(h),
	    .data = data,
	    .caplen = capture_cut(c, h->caplen),
	    .wirelen = h->len,
	    .link = c->link,
	    .port = c->options.port,
	};

	if (!capture_match(c, data, h->len, h->caplen))
		return;
	call->handed++;
	call->sink(call->arg, &f, 1);
}

/*
 * Would the next byte have to come from the source? stdio keeps some; without its buffer
 * it would call for every byte of a cookie stream. The C library has no name for this.
 */
static bool
savefile_used_up(const struct capture *c)
{
	const FILE *fp = pcap_file(c->pcap);

	return c->source.pos == c->source.end && fp->_IO_read_ptr == fp->_IO_read_end;
}

/* As block_read(), through libpcap. */
static int
savefile_read(struct capture *c, unsigned max, capture_sink *sink, void *arg)
{
	struct capture_call call = {.capture = c, .sink = sink, .arg = arg};
	struct source *s = &c->source;
	unsigned seen;
	int n;

	for (seen = 0; seen < max; seen++) {
		if (savefile_used_up(c)) {
			if (s->slow && call.handed > 0)
				break;
			if (source_fill(s) == SOURCE_QUIET)
				break;
			/* End and error libpcap will see for itself. */
		}
		n = pcap_dispatch(c->pcap, 1, savefile_frame, (u_char *)&call);
		if (n > 0)
			continue;
		c->status = n == 0 ? CAPTURE_EOF : CAPTURE_ERROR;
		if (n < 0)
			capture_fail(c, "%s", pcap_geterr(c->pcap));
		break;
	}
	return call.handed > 0 ? (int)call.handed : c->status;
}

/* Read the file's first bytes: 0, or -1 if there are too few of any capture. */
static int
file_peek(struct source *s, char *err, size_t errlen)
{
	while (s->end - s->pos < FILE_HEADER) {
		switch (source_fill(s)) {
		case SOURCE_MORE:
			break;
		case SOURCE_QUIET:
			if (errno != EINTR)
				break;
			/* FALLTHROUGH */
		case SOURCE_FAIL:
			snprintf(err, errlen, "%s", strerror(errno));
			return -1;
		case SOURCE_END:
			if (s->got == 0)
				snprintf(err, errlen, "is empty");
			else
				snprintf(err, errlen,
				    "is not a capture: only %llu bytes long",
				    (unsigned long long)s->got);
			return -1;
		}
	}
	return 0;
}

/* Say what a file is that nobody can read, if we know better than libpcap. */
static void
file_explain(const uint8_t *head, char *err, size_t errlen)
{
	unsigned i;

	for (i = 0; i < NELEM(file_hints); i++) {
		if (memcmp(head, file_hints[i].magic, file_hints[i].len) == 0)
			snprintf(err, errlen, "%s", file_hints[i].hint);
	}
}

static struct capture *
capture_new(const char *name, const struct capture_options *o)
{
	struct capture *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->source.fd = -1;
	c->options = *o;
	c->name = strdup(name);
	if (o->filter != NULL)
		c->filter = strdup(o->filter);
	c->options.filter = c->filter;
	if (c->name == NULL || (o->filter != NULL && c->filter == NULL)) {
		capture_close(c);
		return NULL;
	}
	return c;
}

/* What PATH is, and the way to read it: 0 or -1. */
static int
file_open(struct capture *c, const char *path, char *err, size_t errlen)
{
	int wait_ms = c->options.timeout_ms > 0 ? c->options.timeout_ms : 100;
	uint8_t head[FILE_HEADER];

	if (source_open(&c->source, path, wait_ms, err, errlen) == -1 ||
	    file_peek(&c->source, err, errlen) == -1)
		return -1;
	memcpy(head, c->source.buf + c->source.pos, sizeof head);
	if (block_accept(c, head)) {
		c->source.pos += FILE_HEADER;
		c->link = link_normal(c->link);
	} else if (savefile_open(c, err, errlen) == -1) {
		file_explain(head, err, errlen);
		return -1;
	}
	return file_compile(c, err, errlen);
}

static struct capture *
capture_open(const char *name, bool live, const struct capture_options *o, char *err,
    size_t errlen)
{
	struct capture *c = capture_new(name, o);
	char why[PCAP_ERRBUF_SIZE + 64] = "out of memory";
	int rc = -1;

	if (c != NULL) {
		c->live = live;
		rc = live ? live_open(c, why, sizeof why, false)
			  : file_open(c, name, why, sizeof why);
	}
	if (rc == 0)
		return c;
	snprintf(err, errlen, "%s: %s", shown_name(name), why);
	capture_close(c);
	return NULL;
}

struct capture *
capture_open_file(
    const char *path, const struct capture_options *o, char *err, size_t errlen)
{
	return capture_open(path, false, o, err, errlen);
}

struct capture *
capture_open_live(
    const char *name, const struct capture_options *o, char *err, size_t errlen)
{
	return capture_open(name, true, o, err, errlen);
}

void
capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	if (c->live)
		live_close(c);
	else if (c->pcap != NULL)
		pcap_close(c->pcap);
	if (c->filtered)
		pcap_freecode(&c->program);
	source_close(&c->source);
	free(c->filter);
	free(c->name);
	free(c);
}

int
capture_read(struct capture *c, unsigned max, capture_sink *sink, void *arg)
{
	if (c->live)
		return live_read(c, max, sink, arg);
	if (c->status != 0)
		return c->status;
	if (c->pcap != NULL)
		return savefile_read(c, max, sink, arg);
	return block_read(c, max, sink, arg);
}

int
capture_fd(const struct capture *c)
{
	return c->live && c->pcap != NULL ? pcap_get_selectable_fd(c->pcap) : -1;
}

unsigned
capture_link(const struct capture *c)
{
	return c->link;
}

int
capture_reopen(struct capture *c)
{
	char why[PCAP_ERRBUF_SIZE + 64];

	if (!c->live)
		return -1;
	live_close(c);
	if (live_open(c, why, sizeof why, true) == 0)
		return 0;
	capture_fail(c, "%s", why);
	return -1;
}

void
capture_stats(struct capture *c, struct capture_stats *st)
{
	if (c->live)
		live_sample(c);
	*st = c->stats;
	st->received -= c->early; /* another handle of the group accounts for them */
}

void
capture_progress(const struct capture *c, uint64_t *done, uint64_t *size)
{
	*done = c->source.got - (c->source.end - c->source.pos);
	*size = c->source.size;
}

const char *
capture_name(const struct capture *c)
{
	return c->name;
}

const char *
capture_error(const struct capture *c)
{
	return c->err;
}
