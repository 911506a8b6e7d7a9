/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field_plugin.c -- the fields of plugins as rows like those of field.def. Which there are
 * is known only when the plugins are, at start; from then on the rows do not change. They
 * are read by where the plugin says the values are: it writes no bytes itself.
 */
#include <mcprobe/plugin.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "field_get.h"

#define ROWS_MAX  256
#define GROUP_MAX 48

/* Constant once the plugins are loaded, before any thread is made. */
static struct {
	struct field *row[ROWS_MAX];
	char *group[ROWS_MAX]; /* by row; the first of a plugin owns it */
	unsigned n;
} plugin_rows;

/* What no record without the plugin's values has. */
static void
get_nothing(const struct record *r, struct value *v)
{
	(void)r;
	memset(v, 0, offsetof(struct value, buf));
	v->absent = true;
}

const struct field *
field_of_plugins(unsigned i)
{
	return i < plugin_rows.n ? plugin_rows.row[i] : NULL;
}

static int
refuse(const struct mc_plugin *mc, const struct mc_field *f, const char *why, char *err,
    size_t errlen)
{
	snprintf(err, errlen, "plugin %s, field %s: %s", mc->name, f->label, why);
	return -1;
}

static enum field_type
type_of(enum mc_type type)
{
	if (type == MC_STRING || type == MC_TEXT)
		return FIELD_STRING;
	return type == MC_ADDR ? FIELD_IP4 : FIELD_UINT;
}

static bool
same_number(const struct field *a, const struct mc_field *b)
{
	return a->pen == b->pen && a->id == b->id;
}

static bool
is_taken(const struct mc_field *f)
{
	unsigned i;

	if (field_find(f->label) != NULL ||
	    (f->iana != NULL && field_find(f->iana) != NULL))
		return true;
	for (i = 0; i < field_count; i++)
		if (same_number(&field_table[i], f))
			return true;
	for (i = 0; i < plugin_rows.n; i++)
		if (same_number(plugin_rows.row[i], f))
			return true;
	return false;
}

static int
add_row(const struct mc_plugin *mc, const struct mc_field *f, const char *group, char *err,
    size_t errlen)
{
	struct field *row;

	if (is_taken(f))
		return refuse(mc, f, "its name or number is another's", err, errlen);
	if (plugin_rows.n == ROWS_MAX || (row = calloc(1, sizeof(*row))) == NULL)
		return refuse(mc, f, "no room", err, errlen);
	row->label = f->label;
	row->iana = f->iana;
	row->group = group;
	row->pen = f->pen;
	row->id = f->id;
	row->len = f->len;
	row->type = (uint8_t)type_of(f->type);
	row->get = get_nothing;
	row->help = f->help;
	row->plugin = mc;
	row->row = f;
	plugin_rows.row[plugin_rows.n++] = row;
	return 0;
}

int
field_add_plugin(const struct mc_plugin *mc, char *err, size_t errlen)
{
	const struct mc_field *f = mc->fields;
	unsigned first = plugin_rows.n;
	char *group, *p;

	if (f == NULL || f->label == NULL)
		return 0;
	group = malloc(GROUP_MAX);
	if (group == NULL)
		return refuse(mc, f, "no memory", err, errlen);
	snprintf(group, GROUP_MAX, "%s", mc->name);
	for (p = group; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	for (; f->label != NULL; f++)
		if (add_row(mc, f, group, err, errlen) < 0) {
			if (plugin_rows.n == first)
				free(group);
			else
				plugin_rows.group[first] = group;
			return -1;
		}
	plugin_rows.group[first] = group;
	return 0;
}

void
field_drop_plugins(void)
{
	while (plugin_rows.n > 0) {
		plugin_rows.n--;
		free(plugin_rows.row[plugin_rows.n]);
		free(plugin_rows.group[plugin_rows.n]);
		plugin_rows.group[plugin_rows.n] = NULL;
	}
}

static bool
is_mapped(const uint8_t *addr)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, prefix, sizeof(prefix)) == 0;
}

void
field_read_plugin(const struct field *f, const struct record *r, struct value *v)
{
	const struct mc_field *row = f->row;
	const uint8_t *at;
	const char *text;
	uint64_t present;

	get_nothing(r, v);
	if (r->plugin != f->plugin || r->plugin_fields == NULL)
		return;
	at = (const uint8_t *)r->plugin_fields + row->offset;
	memcpy(&present, r->plugin_fields, sizeof(present));
	if (row->present != MC_NO_ROW && !(present >> row->present & 1))
		return;
	switch (row->type) {
	case MC_U8:
	case MC_BOOL:
		v->u = *at;
		break;
	case MC_U16:
		v->u = *(const uint16_t *)at;
		break;
	case MC_U32:
		v->u = *(const uint32_t *)at;
		break;
	case MC_U64:
		memcpy(&v->u, at, sizeof(v->u));
		break;
	case MC_STRING:
		v->p = at;
		v->len = (uint32_t)strnlen((const char *)at,
		    row->size < FIELD_STRING_MAX ? row->size : FIELD_STRING_MAX);
		break;
	case MC_TEXT:
		memcpy(&text, at, sizeof(text));
		if (text == NULL)
			return;
		v->p = (const uint8_t *)text;
		v->len = (uint32_t)strnlen(text, FIELD_STRING_MAX);
		break;
	case MC_ADDR:
		if (!is_mapped(at))
			return;
		v->p = at + 12;
		v->len = 4;
		break;
	}
	v->absent = false;
}
