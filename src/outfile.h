/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outfile.h -- a file records are written to in large pieces. Control thread only. A
 * piece is written whole or not at all: after a failure a regular file is cut back to
 * where the piece began. Its records then count as FILE_ERRORS, the reason is logged
 * once, and the next piece is tried anew.
 */
#ifndef MCPROBE_OUTFILE_H
#define MCPROBE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"

struct outfile {
	const char *path; /* for the log; borrowed */
	struct counters *counters;
	int fd;		  /* -1: closed */
	bool mine;	  /* to be closed: not standard output */
	bool made;	  /* did not exist before */
	bool regular;
	bool failed;	  /* logged; cleared by a write that works */
	bool torn;	  /* an unfinished piece stands at the end of what is no file */
};

enum outfile_mode {
	OUTFILE_TRUNCATE, /* start-up: empty what is there */
	OUTFILE_APPEND,	  /* reopening: keep it */
	OUTFILE_FRESH,	  /* must not exist */
	OUTFILE_RESUME,	  /* start-up after a crash: keep its whole lines */
	OUTFILE_RESUME_IPFIX, /* ... its whole messages */
};

void	 outfile_init(struct outfile *, const char *path, struct counters *);

/* Open PATH ("-": standard output). 0, or -1 with errno set and nothing changed: a file
 * that is open stays open until another takes its place. */
int	 outfile_open(struct outfile *, const char *path, enum outfile_mode);

/* Write LEN bytes, RECORDS records. 0, or -1: lost and counted. */
int	 outfile_write(struct outfile *, const void *, size_t len, uint64_t records);

void	 outfile_close(struct outfile *);

/* Count RECORDS as lost for ERROR, and log the reason unless it is known. */
void	 outfile_fail(struct outfile *, int error, uint64_t records);

/* If the file was made by outfile_open(), give it away. */
void	 outfile_chown(struct outfile *, unsigned uid, unsigned gid);

#endif
