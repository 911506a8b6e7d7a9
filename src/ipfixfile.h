/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ipfixfile.h -- --ipfix-file: IPFIX messages one after the other in a file (RFC 5655),
 * templates and options first, whatever version the collectors get. Control thread
 * only.
 */
#ifndef MCPROBE_IPFIXFILE_H
#define MCPROBE_IPFIXFILE_H

#include "options_data.h"

struct ipfixfile;

struct ipfixfile_setup {
	const char *path;		 /* borrowed */
	const struct template *template; /* of version 10; borrowed */
	const struct options_source *source; /* what to tell; borrowed */
	struct counters *counters;
	bool append; /* to the whole messages that are there */
};

/* NULL with the reason in ERR. */
struct ipfixfile *ipfixfile_new(const struct ipfixfile_setup *, char *err,
		      size_t errlen);
void		  ipfixfile_free(struct ipfixfile *);

void	 ipfixfile_record(struct ipfixfile *, const struct record *);

/* The export clock; BOOT_US as in the record's context. */
void	 ipfixfile_clock(struct ipfixfile *, uint64_t now_us, uint64_t boot_us);

/* The template interval has passed: statistics again. */
void	 ipfixfile_refresh(struct ipfixfile *);

void	 ipfixfile_flush(struct ipfixfile *);
void	 ipfixfile_reopen(struct ipfixfile *);
void	 ipfixfile_chown(struct ipfixfile *, unsigned uid, unsigned gid);

#endif
