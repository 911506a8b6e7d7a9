/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.h -- -P: flows as text, a file per interval of the export clock:
 *
 *	DIR/YYYY/MM/DD/HH/flows-<HHMMSS>[-n].txt	(UTC, start of the interval)
 *
 * The first line names the columns, "# LABEL[type:len]", tab separated; then a line per
 * record. A file has the suffix .tmp until it is complete, so a reader that takes only
 * *.txt never sees half of one. An interval without flows leaves no file. Control
 * thread only.
 */
#ifndef MCPROBE_DUMP_H
#define MCPROBE_DUMP_H

#include "counter.h"
#include "template.h"

struct dump;

/* Dumps below DIR (made if need be; borrowed), a file per INTERVAL_S. NULL with the
 * reason in ERR. */
struct dump	*dump_new(const char *dir, unsigned interval_s, const struct template *,
		     struct counters *, char *err, size_t errlen);
/* The open file is completed. */
void		 dump_free(struct dump *);

void	 dump_record(struct dump *, const struct record *);
void	 dump_clock(struct dump *, uint64_t now_us);
void	 dump_flush(struct dump *);
/* Complete the open file; the next record starts another. */
void	 dump_turn(struct dump *);
void	 dump_chown(struct dump *, unsigned uid, unsigned gid);

#endif
