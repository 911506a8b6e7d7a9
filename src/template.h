/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.h -- what a record consists of: the user's -T, resolved to fields, and the
 * layouts made of it: one for IPv4, one for IPv6. Immutable after template_parse().
 */
#ifndef MCPROBE_TEMPLATE_H
#define MCPROBE_TEMPLATE_H

#include <stdio.h>

#include "field.h"
#include "config.h"

#define TEMPLATE_FIELDS_MAX 256

/* One field of a layout, ready for the wire. */
struct template_field {
	const struct field *field;
	uint32_t pen;	/* IPFIX: 0, 35632, or 29305 for a reverse element */
	uint16_t id;	/* element number on the wire, without the enterprise bit (IPFIX); v9:
			   the v9 id */
	uint16_t len;	/* on the wire; FIELD_VARLEN for IPFIX strings */
	uint8_t type;	/* enum field_type, after FIRST_SWITCHED became 152 in IPFIX */
	field_put *put; /* FIELD's; NULL: by its getter */
};

struct layout {
	struct template_field v[TEMPLATE_FIELDS_MAX];
	unsigned n;
	unsigned fixed_len; /* bytes of a record, strings counted as 1 in IPFIX */
	bool has_varlen;
};

struct template {
	/* as the user gave it, macros expanded, order kept, duplicates dropped: for JSON
	   and dumps */
	const struct field *field[TEMPLATE_FIELDS_MAX];
	bool asked[TEMPLATE_FIELDS_MAX]; /* otherwise than by @ALL@ */
	unsigned n;
	unsigned need;	/* enum field_need, of all fields */
	bool biflow;	/* a record carries both directions */
	int version;	/* 5, 9, 10: what the layouts are for */
	struct layout ip4, ip6;
};

/*
 * Resolve TEXT for VERSION and MODE. 0, or -1 with the reason in ERR: unknown field (with
 * the nearest known one), a field no packet probe can fill, a field that needs nDPI when
 * DPI is false, more than TEMPLATE_FIELDS_MAX. In layouts a field of the other family is
 * replaced by its twin or dropped; with BIFLOW_UNI, OUT_ fields are dropped.
 */
int	 template_parse(struct template *, const char *text, int version,
	     enum biflow_mode mode, bool dpi, char *err, size_t errlen);

/* The layout for a flow. */
const struct layout *template_layout(const struct template *, const struct flow *);

/* --dry-run: ids, lengths, offsets. ID is the first template id. */
void	 template_print(const struct template *, unsigned id, FILE *);

/* The macros, "@DEFAULT@" ...; NULL-terminated pairs name, text. */
extern const char *const template_macros[][2];

#endif
