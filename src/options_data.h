/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options_data.h -- what collectors are told besides flows: the templates, the sampling
 * rate, the exporter's statistics, the names of applications and of interfaces. Pure;
 * in the form of NetFlow v9 or IPFIX, by the message's format.
 */
#ifndef MCPROBE_OPTIONS_DATA_H
#define MCPROBE_OPTIONS_DATA_H

#include "export.h"
#include "message.h"

enum options_part {
	OPTIONS_TEMPLATES = 1 << 0,  /* all templates, and the sampling rate */
	OPTIONS_STATISTICS = 1 << 1,
	OPTIONS_TABLES = 1 << 2,     /* applications and interfaces; ~12 messages */
	OPTIONS_ALL = 7,
};

/* Templates follow each other: IPv4, IPv6, then these. */
#define OPTIONS_TEMPLATES_MAX 6

/* What the records say. All pointers are borrowed. */
struct options_source {
	const struct template *template;
	const struct dpi_names *names; /* NULL: no application table */
	const struct export_port *ports;
	unsigned nports;
	uint16_t template_id; /* the first */
	bool psamp;	      /* sampling as RFC 5477 has it */
	uint32_t domain;
	uint32_t sampling;
	int in_ifindex; /* what all records say, -1: each its port's own */
	/* sent to this collector so far: 40, 41, 42 */
	uint64_t octets, messages, records;
};

/* Where telling stands. Zero but for WHAT to begin. */
struct options_cursor {
	unsigned what; /* enum options_part */
	unsigned step; /* which template or table */
	unsigned row;  /* of a table */
};

/*
 * Add to M as much as fits. True: M is full and there is more; finish it, begin another
 * and call again.
 */
bool	 options_fill(struct options_cursor *, const struct options_source *,
	     struct message *);

#endif
