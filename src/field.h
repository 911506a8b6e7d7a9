/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field.h -- the registry of information elements: a row per field with its labels,
 * numbers, size and the function that reads it from a record. Templates, all encoders,
 * JSON, text dumps, --fields and the man page come from these rows.
 *
 * Numbers: IANA's, or ntop's enterprise 35632; in NetFlow v9 the latter is id 57472 + N.
 */
#ifndef MCPROBE_FIELD_H
#define MCPROBE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "flow.h"

struct config;
struct dpi_names;
struct mc_field;
struct mc_plugin;

#define FIELD_PEN_NTOP	   35632
#define FIELD_PEN_REVERSE  29305 /* RFC 5103 */
#define FIELD_V9_NTOP_BASE 57472
#define FIELD_VARLEN	   65535
#define FIELD_STRING_MAX   255 /* longest string or octet value, bytes */

enum field_type {
	FIELD_UINT,   /* value.u, LEN bytes big endian */
	FIELD_IP4,    /* value.p, 4 bytes */
	FIELD_IP6,    /* value.p, 16 bytes */
	FIELD_MAC,    /* value.p, 6 bytes */
	FIELD_STRING, /* value.p, value.len; varlen in IPFIX, padded to LEN in v9 */
	FIELD_OCTETS, /* as FIELD_STRING, shown as hex */
	FIELD_SECONDS, /* value.u = µs since the epoch; sent as seconds */
	FIELD_MILLIS,  /* value.u = µs since the epoch; sent as ms */
	FIELD_MICROS,  /* value.u = µs since the epoch; sent in NTP format (RFC 7011 §6.1.9) */
	FIELD_UPTIME,  /* value.u = µs since the epoch; sent as ms of uptime (v9) or, in
			  IPFIX, as its absolute twin (152/153) */
	FIELD_LATENCY, /* value.u = µs; sent as ms, shown in JSON as ms with 3 decimals */
};

/* What the workers must gather for a field to have a value. */
enum field_need {
	FIELD_NEED_NOTHING = 0,
	FIELD_NEED_STATISTICS = 1 << 0, /* flow_detail for every flow */
	FIELD_NEED_DPI = 1 << 1,
	FIELD_NEED_DPI_WHOLE = 1 << 2, /* what nDPI says after more than a name */
};

/* A value as a getter leaves it. P borrows the record, a constant, or BUF. */
struct value {
	uint64_t u;
	const uint8_t *p;
	uint32_t len;
	bool absent; /* does not apply to this record: omitted in JSON, zero on the wire */
	uint8_t buf[FIELD_STRING_MAX + 1]; /* room for getters that must compose */
};

/* What getters know besides the flow; owned by export, one per probe. */
struct field_context {
	const struct config *config;
	const struct dpi_names *names;
	uint64_t boot_us;     /* start of the probe's uptime, µs since the epoch */
	uint64_t export_us;   /* now, on the export clock */
	uint64_t total_flows, total_packets, total_bytes; /* exported so far: 42, 41, 40 */
	const uint8_t *exporter_ip4, *exporter_ip6; /* NULL: unknown */
	/* by capture source: name and interface index; NPORTS of them */
	const char *const *port_name;
	const uint32_t *port_index;
	unsigned nports;
};

/*
 * One flow as it is exported: FLOW seen from DIR. IN_ fields tell what DIR sent, OUT_
 * fields the other way, or 0 when BIFLOW is false (then the other way is a record of
 * its own).
 */
struct record {
	const struct flow *flow;
	const struct field_context *ctx;
	uint8_t dir; /* 0 or 1: index into the flow's [2] */
	bool biflow;
	/* what a plugin has in it, and which; NULL: none */
	const struct mc_plugin *plugin;
	const void *plugin_fields;
	const char *user; /* whose it is; NULL: not known */
};

typedef void field_get(const struct record *, struct value *);

/* The value as it is on the wire, at P; returns the place after it. */
struct template_field;
typedef uint8_t *field_put(uint8_t *p, const struct record *, const struct template_field *);

struct field {
	const char *label; /* nProbe's name */
	const char *iana;  /* IANA's name or another alias, NULL: none */
	const char *alias; /* older spelling, NULL: none */
	const char *group; /* title in --fields */
	uint32_t pen;	   /* 0 or FIELD_PEN_NTOP */
	uint16_t id;
	uint16_t len;	   /* bytes in v9; in IPFIX too, unless it is a string */
	uint8_t ipfix_len; /* where IPFIX differs (tcpControlBits: 2); 0: same */
	uint8_t type;	   /* enum field_type */
	uint8_t family;	   /* 4 or 6: only in records of that IP version; 0: both */
	uint8_t need;	   /* enum field_need */
	const char *twin;  /* label of the same thing in the other family (IPV4_SRC_ADDR -
			      IPV6_SRC_ADDR), NULL: none */
	const char *reverse; /* OUT_ fields: label of the field this is the reverse of */
	field_get *get;	   /* NULL: known, but no packet probe can fill it (HELP says why) */
	field_put *put;	   /* the same for encoders, at once; NULL: by GET */
	const char *help;
	const struct mc_plugin *plugin; /* whose it is, NULL: the probe's */
	const struct mc_field *row;	/* of the plugin */
};

extern const struct field field_table[];
extern const unsigned field_count;

/* By label, IANA name or alias, case ignored, without "%". NULL: unknown. */
const struct field *field_find(const char *name);

/* The value of F in a record. */
void	 field_read_plugin(const struct field *, const struct record *, struct value *);

static inline void
field_read(const struct field *f, const struct record *r, struct value *v)
{
	if (f->row != NULL)
		field_read_plugin(f, r, v);
	else
		f->get(r, v);
}

/*
 * A plugin's fields, behind the table: found and listed as those in it. At start only,
 * before there are threads. 0, or -1: one of them is known already, or no memory.
 */
int	 field_add_plugin(const struct mc_plugin *, char *err, size_t errlen);
void	 field_drop_plugins(void);
/* The field I of all plugins' fields, NULL after the last. */
const struct field *field_of_plugins(unsigned i);

/* The nearest known label, for "did you mean". NULL: none near. */
const char *field_nearest(const char *name);

/* List them all, for --fields; and as mdoc for the man page. */
void	 field_list(FILE *);
void	 field_man(FILE *);

/* The number of the field as NetFlow v9 sends it. */
uint16_t field_v9_id(const struct field *);

#endif
