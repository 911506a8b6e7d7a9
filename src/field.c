/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field.c -- the table made of field.def; finding and listing what is in it. Finding
 * is a walk through all rows: it happens at start only.
 */
#include "field.h"

#include <string.h>
#include <strings.h>

#include "config.h"
#include "field_get.h"

/* Why rows are inert. */
#define NO_ROUTES      "needs a routing table, which a passive probe has not"
#define NO_BGP	       "needs BGP or an AS database"
#define NO_GEO	       "needs a geolocation database"
#define NO_NAT	       "only the device that translates addresses knows"
#define NO_AGENT       "needs an agent on the host"
#define NO_FINGERPRINT "handshakes are not fingerprinted"
#define NO_SEQUENCE    "sequences of single packets are not kept"
#define ONE_TUNNEL     "one tunnel is kept per flow: UPSTREAM_TUNNEL_ID"
#define PER_PACKET     "tells of a single packet, not of a flow"
#define PER_SELECTOR   "tells of a selector, not of a flow"

/* Room for the names of all rows; the table is checked against it. */
#define FIELD_LABELS_MAX 512
#define FIELD_NAME_MAX	 48 /* longer than any name */

/* The words of the rows. */
#define IANA(n)	    .id = (n)
#define NTOP(n)	    .pen = FIELD_PEN_NTOP, .id = (n)
#define ALIAS(name) .alias = name
#define V4(label)   .family = 4, .twin = label
#define V6(label)   .family = 6, .twin = label
#define BACK(label) .reverse = label
#define STATS	    .need = FIELD_NEED_STATISTICS
#define DPI	    .need = FIELD_NEED_DPI
#define DPI_WHOLE   .need = FIELD_NEED_DPI | FIELD_NEED_DPI_WHOLE
#define IPFIX(n)    .ipfix_len = (n)
#define PUT(writer) .put = field_put_##writer

/* The help text comes first of what may follow, so it gives .help its value. */
#define ROW_HEAD(label_, iana_, len_, type_) \
	.label = #label_, .iana = iana_, .group = FIELD_GROUP, .len = len_, \
	.type = FIELD_##type_
#define FIELD(label_, iana_, number, len_, type_, getter, ...) \
	{ROW_HEAD(label_, iana_, len_, type_), number, .get = field_get_##getter, \
	    .help = __VA_ARGS__},
#define INERT(label_, iana_, number, len_, type_, ...) \
	{ROW_HEAD(label_, iana_, len_, type_), number, .help = __VA_ARGS__},

const struct field field_table[] = {
#include "field.def"
};
const unsigned field_count = sizeof(field_table) / sizeof(field_table[0]);

_Static_assert(sizeof(field_table) / sizeof(field_table[0]) <= FIELD_LABELS_MAX,
    "raise FIELD_LABELS_MAX");

static bool
same(const char *a, const char *b)
{
	return a != NULL && strcasecmp(a, b) == 0;
}

const struct field *
field_find(const char *name)
{
	const struct field *f;

	for (unsigned i = 0; i < field_count; i++) {
		f = &field_table[i];
		if (same(f->label, name) || same(f->iana, name) || same(f->alias, name))
			return f;
	}
	for (unsigned i = 0; (f = field_of_plugins(i)) != NULL; i++)
		if (same(f->label, name) || same(f->iana, name))
			return f;
	return NULL;
}

/* Labels before other names: what is near to both is likelier one of them. */
const char *
field_nearest(const char *name)
{
	const char *names[2 * FIELD_LABELS_MAX], *found;
	const struct field *f;
	unsigned n = 0;

	if (strlen(name) > FIELD_NAME_MAX)
		return NULL; /* near to nothing */
	for (unsigned i = 0; i < field_count; i++)
		names[n++] = field_table[i].label;
	for (unsigned i = 0; (f = field_of_plugins(i)) != NULL && n < FIELD_LABELS_MAX; i++)
		names[n++] = f->label;
	found = config_nearest(name, names, n);
	if (found != NULL)
		return found;
	n = 0;
	for (unsigned i = 0; i < field_count; i++) {
		if (field_table[i].iana != NULL)
			names[n++] = field_table[i].iana;
		if (field_table[i].alias != NULL)
			names[n++] = field_table[i].alias;
	}
	return config_nearest(name, names, n);
}

uint16_t
field_v9_id(const struct field *f)
{
	return (uint16_t)(f->id + (f->pen == FIELD_PEN_NTOP ? FIELD_V9_NTOP_BASE : 0));
}

/* "8", or "35632.118" and the v9 id. */
static void
print_number(FILE *out, const struct field *f)
{
	char text[32];

	if (f->pen == 0)
		snprintf(text, sizeof(text), "%u", f->id);
	else
		snprintf(text, sizeof(text), "%u/%u.%u", field_v9_id(f), f->pen, f->id);
	fprintf(out, "%-16s", text);
}

static void
print_len(FILE *out, const struct field *f)
{
	char text[16];

	if (f->type == FIELD_STRING)
		snprintf(text, sizeof(text), "%u/v", f->len);
	else if (f->ipfix_len != 0)
		snprintf(text, sizeof(text), "%u/%u", f->len, f->ipfix_len);
	else
		snprintf(text, sizeof(text), "%u", f->len);
	fprintf(out, " %-5s", text);
}

/* Row I, those of plugins behind the table's; NULL after the last. */
static const struct field *
field_at(unsigned i)
{
	return i < field_count ? &field_table[i] : field_of_plugins(i - field_count);
}

void
field_list(FILE *out)
{
	const char *group = "";
	const struct field *f;

	fputs("Label, IANA name or alias; number (v9/IPFIX); bytes (v9/IPFIX, v: any);"
	      " meaning.\n"
	      "In brackets: known, but this probe cannot fill it.\n",
	    out);
	for (unsigned i = 0; (f = field_at(i)) != NULL; i++) {
		const char *other = f->iana != NULL ? f->iana : f->alias;
		char label[40];

		if (strcmp(group, f->group) != 0) {
			group = f->group;
			fprintf(out, "\n%s\n", group);
		}
		snprintf(label, sizeof(label), f->get ? "%%%s" : "[%%%s]", f->label);
		fprintf(out, "  %-32s %-32s ", label, other != NULL ? other : "");
		print_number(out, f);
		print_len(out, f);
		fprintf(out, " %s\n", f->help);
	}
}

/* TEXT as an mdoc line: no control line, no escapes. */
static void
print_mdoc(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
	fputc('\n', out);
}

void
field_man(FILE *out)
{
	const char *group = "";
	const struct field *f;

	for (unsigned i = 0; (f = field_at(i)) != NULL; i++) {
		if (f->get == NULL)
			continue;
		if (strcmp(group, f->group) != 0) {
			if (*group != '\0')
				fputs(".El\n", out);
			group = f->group;
			fprintf(out, ".Ss %s\n.Bl -tag -width 4n\n", group);
		}
		fprintf(out, ".It Li %%%s", f->label);
		if (f->iana != NULL)
			fprintf(out, " Pq Li %%%s", f->iana);
		fputc('\n', out);
		print_mdoc(out, f->help);
	}
	if (*group != '\0')
		fputs(".El\n", out);
}
