/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ipfixfile.c -- messages gathered into large writes. Losing a piece loses the
 * templates in it, so after a failure they are written again first.
 */
#include "ipfixfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "outfile.h"
#include "stream.h"

#define BUFFER	  (128 * 1024)
#define SECOND_US 1000000

struct ipfixfile {
	struct outfile file;
	const struct options_source *source;
	struct stream stream;
	uint64_t records;    /* of flows, all messages so far */
	uint32_t sequence;
	bool told;	     /* the templates stand in the file */
	uint64_t written_us; /* export clock at the last write */
	size_t len;	     /* bytes in BUF */
	unsigned waiting;    /* flow records in BUF */
	struct message scratch; /* for what is told besides flows */
	uint8_t buf[BUFFER];
};

static void
write_out(struct ipfixfile *f)
{
	if (outfile_write(&f->file, f->buf, f->len, f->waiting) == -1)
		f->told = false;
	f->len = f->waiting = 0;
}

static void
add_message(struct ipfixfile *f, struct message *m)
{
	if (f->len + m->len > BUFFER)
		write_out(f);
	message_sequence(m, f->sequence);
	f->sequence += m->format->advance(m);
	f->records += m->flows;
	memcpy(f->buf + f->len, m->buf, m->len);
	f->len += m->len;
	f->waiting += m->flows;
}

static void
emit(void *arg, struct message *m)
{
	add_message(arg, m);
}

static void
tell(struct ipfixfile *f, unsigned what)
{
	struct options_source source = *f->source;

	source.template = f->stream.template;
	source.messages = f->stream.messages;
	source.octets = f->stream.octets;
	source.records = f->records;
	stream_tell(&f->stream, what, &source, &f->scratch, emit, f);
}

/* A message of flows: the templates must stand before it. */
static void
emit_flows(void *arg, struct message *m)
{
	struct ipfixfile *f = arg;

	/* Now, that a failure is known before the templates are thought written. */
	if (f->len + m->len > BUFFER)
		write_out(f);
	if (!f->told) {
		f->told = true;
		tell(f, OPTIONS_ALL);
	}
	add_message(f, m);
}

struct ipfixfile *
ipfixfile_new(const struct ipfixfile_setup *setup, char *err, size_t errlen)
{
	struct ipfixfile *f;

	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	f->source = setup->source;
	stream_init(&f->stream, setup->template, &ipfix_format,
	    setup->source->template_id, emit_flows, f);
	f->stream.head.domain = setup->source->domain;
	f->stream.head.sampling = setup->source->sampling;
	outfile_init(&f->file, setup->path, setup->counters);
	if (outfile_open(&f->file, setup->path,
		setup->append ? OUTFILE_RESUME_IPFIX : OUTFILE_TRUNCATE) == -1) {
		snprintf(err, errlen, "%s: %s", setup->path, strerror(errno));
		free(f);
		return NULL;
	}
	return f;
}

void
ipfixfile_free(struct ipfixfile *f)
{
	if (f == NULL)
		return;
	ipfixfile_flush(f);
	outfile_close(&f->file);
	free(f);
}

void
ipfixfile_record(struct ipfixfile *f, const struct record *r)
{
	stream_record(&f->stream, r);
}

void
ipfixfile_clock(struct ipfixfile *f, uint64_t now_us, uint64_t boot_us)
{
	f->stream.head.now_us = now_us;
	f->stream.head.boot_us = boot_us;
	/* A file without flows is a file too: it says what would be in it. */
	if (!f->told) {
		f->told = true;
		tell(f, OPTIONS_ALL);
	}
	if (now_us - f->written_us < SECOND_US)
		return;
	f->written_us = now_us;
	ipfixfile_flush(f);
}

void
ipfixfile_refresh(struct ipfixfile *f)
{
	tell(f, OPTIONS_STATISTICS);
}

void
ipfixfile_flush(struct ipfixfile *f)
{
	stream_flush(&f->stream);
	write_out(f);
}

void
ipfixfile_reopen(struct ipfixfile *f)
{
	ipfixfile_flush(f);
	if (outfile_open(&f->file, f->file.path, OUTFILE_APPEND) == -1) {
		log_warn("%s: %s; going on with the old file", f->file.path,
		    strerror(errno));
		return;
	}
	f->told = false;
	f->sequence = 0;
}

void
ipfixfile_chown(struct ipfixfile *f, unsigned uid, unsigned gid)
{
	outfile_chown(&f->file, uid, gid);
}
