/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_load.c -- plugins in shared objects, and what every plugin must be before any of
 * its functions is called. What was built for another interface is refused by number.
 */
#include "plugin_int.h"

#include <ctype.h>
#include <dlfcn.h>
#include <string.h>

static int
refuse(char *err, size_t errlen, const char *what, const char *why)
{
	snprintf(err, errlen, "plugin %s: %s", what, why);
	return -1;
}

int
plugin_open(struct plugin *p, const char *path, char *err, size_t errlen)
{
	const struct mc_plugin *mc;
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (object == NULL)
		return refuse(err, errlen, path, dlerror());
	mc = dlsym(object, "mc_plugin");
	if (mc == NULL) {
		dlclose(object);
		return refuse(err, errlen, path, "it has no symbol mc_plugin");
	}
	/* nothing behind these two may be looked at before they are right */
	if (mc->abi != MC_PLUGIN_ABI || mc->size != sizeof(*mc)) {
		snprintf(err, errlen,
		    "plugin %s was built for interface %u of %u bytes; this is %u of %zu",
		    path, mc->abi, mc->size, MC_PLUGIN_ABI, sizeof(*mc));
		dlclose(object);
		return -1;
	}
	p->mc = mc;
	p->object = object;
	return 0;
}

/* A name is part of keys, counters and macros. */
static bool
is_name(const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '_')
			return false;
	return p > s && p - s <= 32;
}

/* How many bytes a value of TYPE is read from; 0: as many as its row says. */
static size_t
type_size(enum mc_type type)
{
	static const uint8_t sizes[] = {[MC_U8] = 1, [MC_U16] = 2, [MC_U32] = 4,
		[MC_U64] = 8, [MC_BOOL] = sizeof(bool), [MC_STRING] = 0, [MC_ADDR] = 16,
		[MC_TEXT] = sizeof(char *)};

	return sizes[type];
}

static const char *
check_options(const struct mc_plugin *mc)
{
	const struct mc_option *o = mc->options;

	while (o != NULL && o->name != NULL)
		o++;
	return o - mc->options > PLUGIN_OPTIONS ? "it has too many options" : NULL;
}

static const char *
check_fields(const struct mc_plugin *mc)
{
	const struct mc_field *f = mc->fields;
	unsigned texts = 0;

	for (; f != NULL && f->label != NULL; f++) {
		if ((size_t)f->offset + f->size > mc->fields_size ||
		    (f->present != MC_NO_ROW && f->present > 63))
			return "a field lies outside of its struct";
		if (f->type > MC_TEXT || f->len == 0 || (f->pen != 0 && f->pen != 35632))
			return "a field has a type, length or number that cannot be exported";
		if (type_size(f->type) != 0 && type_size(f->type) != f->size)
			return "a field has not the size of its type";
		if (f->type == MC_TEXT && (f->offset % sizeof(char *) != 0 ||
			++texts > PLUGIN_TEXTS))
			return "a text is not where a pointer may be, or there are too many";
	}
	return NULL;
}

int
plugin_check(const struct mc_plugin *mc, char *err, size_t errlen)
{
	const char *why;

	if (mc->abi != MC_PLUGIN_ABI || mc->size != sizeof(*mc))
		return refuse(err, errlen, "", "built for another interface");
	if (mc->name == NULL || !is_name(mc->name))
		return refuse(err, errlen, mc->name != NULL ? mc->name : "",
		    "a name has small letters, digits and _");
	if (mc->match == NULL || mc->on_packet == NULL)
		return refuse(err, errlen, mc->name, "match and on_packet must be there");
	if (mc->fields_size > MC_FIELDS_MAX || mc->state_size > MC_STATE_MAX ||
	    (mc->fields_size > 0 && mc->fields_size < sizeof(uint64_t)))
		return refuse(err, errlen, mc->name, "fields or state have a size out of bounds");
	why = check_options(mc);
	if (why == NULL)
		why = check_fields(mc);
	return why != NULL ? refuse(err, errlen, mc->name, why) : 0;
}
