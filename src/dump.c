/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c -- text files of flows. Lines gather in a buffer; after a failed write the
 * file is given up, complete as far as it goes, and the next interval's is tried.
 */
#include "dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "outfile.h"

#define ESCAPED	  4 /* characters a byte takes at most: \xNN */
#define CELL_MAX  (ESCAPED * FIELD_STRING_MAX + 2)
#define LINE_BYTES (TEMPLATE_FIELDS_MAX * CELL_MAX)
#define PIECE	  (128 * 1024)
#define SAME_MAX  10000 /* files of one interval: restarts, SIGHUPs */

struct dump {
	const char *dir;
	uint64_t interval_us;
	const struct template *template;
	struct outfile file; /* its path, for the log, is DIR */
	char tmp[PATH_MAX], final[PATH_MAX]; /* of the open file */
	uint64_t start_us; /* of the interval NOW_US is in */
	bool blocked;	   /* a failure: nothing more until the next interval */
	bool made;	   /* DIR did not exist */
	size_t len;	   /* bytes in BUF */
	unsigned records;  /* in BUF */
	char buf[PIECE + LINE_BYTES];
};

static const char *
type_name(uint8_t type)
{
	switch ((enum field_type)type) {
	case FIELD_UINT:
		return "uint";
	case FIELD_IP4:
		return "ip4";
	case FIELD_IP6:
		return "ip6";
	case FIELD_MAC:
		return "mac";
	case FIELD_STRING:
		return "string";
	case FIELD_OCTETS:
		return "hex";
	case FIELD_SECONDS:
	case FIELD_UPTIME: /* an instant by now, with its milliseconds */
		return "seconds";
	case FIELD_MILLIS:
	case FIELD_LATENCY:
		return "milliseconds";
	case FIELD_MICROS:
		return "microseconds";
	}
	return "unknown";
}

static char *
put_hex(char *p, const uint8_t *bytes, unsigned len, char between)
{
	static const char digit[] = "0123456789abcdef";
	unsigned i;

	for (i = 0; i < len; i++) {
		if (i > 0 && between != '\0')
			*p++ = between;
		*p++ = digit[bytes[i] >> 4];
		*p++ = digit[bytes[i] & 15];
	}
	return p;
}

/* No byte of a string may end a cell or a line, or be seen by a terminal. */
static char *
put_text(char *p, const uint8_t *s, unsigned len)
{
	unsigned i;

	for (i = 0; i < len; i++) {
		if (s[i] == '\\') {
			*p++ = '\\';
			*p++ = '\\';
		} else if (s[i] < 0x20 || s[i] >= 0x7f) {
			*p++ = '\\';
			*p++ = 'x';
			p = put_hex(p, s + i, 1, '\0');
		} else {
			*p++ = (char)s[i];
		}
	}
	return p;
}

/* V / 1000 and its 3 decimals. */
static char *
put_thousandths(char *p, uint64_t v)
{
	return p + sprintf(p, "%llu.%03u", (unsigned long long)(v / 1000),
		       (unsigned)(v % 1000));
}

static char *
put_uint(char *p, uint64_t v)
{
	return p + sprintf(p, "%llu", (unsigned long long)v);
}

static char *
put_cell(char *p, uint8_t type, const struct value *v)
{
	unsigned len = v->len < FIELD_STRING_MAX ? v->len : FIELD_STRING_MAX;

	switch ((enum field_type)type) {
	case FIELD_UINT:
	case FIELD_MICROS:
		return put_uint(p, v->u);
	case FIELD_SECONDS:
		return put_uint(p, v->u / 1000000);
	case FIELD_MILLIS:
		return put_uint(p, v->u / 1000);
	case FIELD_UPTIME:
		return put_thousandths(p, v->u / 1000);
	case FIELD_LATENCY:
		return put_thousandths(p, v->u);
	case FIELD_IP4:
		inet_ntop(AF_INET, v->p, p, CELL_MAX);
		return p + strlen(p);
	case FIELD_IP6:
		inet_ntop(AF_INET6, v->p, p, CELL_MAX);
		return p + strlen(p);
	case FIELD_MAC:
		return put_hex(p, v->p, 6, ':');
	case FIELD_STRING:
		return put_text(p, v->p, len);
	case FIELD_OCTETS:
		return put_hex(p, v->p, len, '\0');
	}
	return p;
}

/* Add to BUF; PIECE bytes are written at a time, so a line always has room. */
static void
add_header(struct dump *d)
{
	char *p = d->buf + d->len;
	unsigned i;

	for (i = 0; i < d->template->n; i++) {
		const struct field *f = d->template->field[i];

		p += sprintf(p, "%s%s[%s:%u]", i == 0 ? "# " : "\t", f->label,
		    type_name(f->type), f->len);
	}
	*p++ = '\n';
	d->len = (size_t)(p - d->buf);
}

static void
add_line(struct dump *d, const struct record *r)
{
	char *p = d->buf + d->len;
	struct value v;
	unsigned i;

	for (i = 0; i < d->template->n; i++) {
		const struct field *f = d->template->field[i];

		if (i > 0)
			*p++ = '\t';
		if (f->family != 0 && f->family != r->flow->key.ip_version)
			continue;
		v.absent = true;
		field_read(f, r, &v);
		if (!v.absent)
			p = put_cell(p, f->type, &v);
	}
	*p++ = '\n';
	d->len = (size_t)(p - d->buf);
	d->records++;
}

/* Make the folders of PATH below its first SKIP bytes. */
static int
make_folders(char *path, size_t skip)
{
	char *slash = path + skip;

	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (mkdir(path, 0755) == -1 && errno != EEXIST) {
			*slash = '/';
			return -1;
		}
		*slash = '/';
	}
	return 0;
}

/*
 * Open the interval's file, or another of the same if there is one: -1, why in errno.
 */
static int
open_file(struct dump *d)
{
	time_t start = (time_t)(d->start_us / 1000000);
	char when[64], suffix[16] = "";
	struct tm tm;
	unsigned i;
	int n;

	if (gmtime_r(&start, &tm) == NULL)
		return -1;
	strftime(when, sizeof(when), "%Y/%m/%d/%H/flows-%H%M%S", &tm);
	for (i = 0; i < SAME_MAX; i++) {
		if (i > 0)
			snprintf(suffix, sizeof(suffix), "-%u", i);
		n = snprintf(d->final, sizeof(d->final), "%s/%s%s.txt", d->dir, when,
		    suffix);
		if (n < 0 || (size_t)n + 4 >= sizeof(d->final)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(d->tmp, d->final, (size_t)n);
		strcpy(d->tmp + n, ".tmp");
		if (i == 0 && make_folders(d->tmp, strlen(d->dir)) == -1)
			return -1;
		if (access(d->final, F_OK) == 0)
			continue;
		if (outfile_open(&d->file, d->tmp, OUTFILE_FRESH) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	errno = EEXIST;
	return -1;
}

/* Close the file and give it its name; one that nothing got into goes. */
static void
complete(struct dump *d)
{
	struct stat st;
	bool empty;

	if (d->file.fd == -1)
		return;
	empty = fstat(d->file.fd, &st) == 0 && st.st_size == 0;
	outfile_close(&d->file);
	if ((empty ? unlink(d->tmp) : rename(d->tmp, d->final)) == -1)
		outfile_fail(&d->file, errno, 0);
}

static void
write_out(struct dump *d)
{
	if (d->len > 0 && outfile_write(&d->file, d->buf, d->len, d->records) == -1) {
		d->blocked = true;
		complete(d);
	}
	d->len = d->records = 0;
}

struct dump *
dump_new(const char *dir, unsigned interval_s, const struct template *template,
    struct counters *counters, char *err, size_t errlen)
{
	struct dump *d;

	d = calloc(1, sizeof(*d));
	if (d == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	d->dir = dir;
	d->interval_us = (uint64_t)interval_s * 1000000;
	d->template = template;
	outfile_init(&d->file, dir, counters);
	d->made = mkdir(dir, 0755) == 0;
	if (access(dir, W_OK | X_OK) == -1) {
		snprintf(err, errlen, "%s: %s", dir, strerror(errno));
		free(d);
		return NULL;
	}
	return d;
}

void
dump_free(struct dump *d)
{
	if (d == NULL)
		return;
	dump_turn(d);
	free(d);
}

void
dump_record(struct dump *d, const struct record *r)
{
	if (d->blocked) {
		outfile_fail(&d->file, EIO, 1);
		return;
	}
	if (d->file.fd == -1) {
		if (open_file(d) == -1) {
			outfile_fail(&d->file, errno, 1);
			d->blocked = true;
			return;
		}
		add_header(d);
	}
	add_line(d, r);
	if (d->len >= PIECE)
		write_out(d);
}

void
dump_clock(struct dump *d, uint64_t now_us)
{
	uint64_t start_us = now_us - now_us % d->interval_us;

	if (start_us == d->start_us)
		return;
	dump_turn(d);
	d->start_us = start_us;
}

void
dump_flush(struct dump *d)
{
	write_out(d);
}

void
dump_turn(struct dump *d)
{
	write_out(d);
	complete(d);
	d->blocked = false;
}

void
dump_chown(struct dump *d, unsigned uid, unsigned gid)
{
	if (d->made && chown(d->dir, uid, gid) == -1)
		log_warn("%s: cannot give it to user %u: %s", d->dir, uid,
		    strerror(errno));
	outfile_chown(&d->file, uid, gid);
}
