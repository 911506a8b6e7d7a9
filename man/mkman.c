/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mkman.c -- the lists of the manual pages and the sample configuration, from the same
 * rows the probe is built of. Runs while building and is not installed:
 *
 *	mkman options|file|fields|macros|counters|commands|sample
 *
 * writes one of them to standard output: mdoc, but for the sample.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "config.h"
#include "config_row.h"
#include "counter.h"
#include "field.h"
#include "plugin.h"
#include "template.h"

/* Text that starts a line of mdoc: no control line, no escapes, plain hyphens. */
static void
put_mdoc(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
	}
}

static void
print_options(void)
{
	config_man(stdout);
}

static void
print_file(void)
{
	config_man_file(stdout);
}

static void
print_fields(void)
{
	field_man(stdout);
}

/* There to be copied: no hyphens where a line ends, no full stop. */
static void
put_words(const char *s)
{
	while (*s != '\0') {
		int len = (int)strcspn(s, " ");

		printf("\\%%%.*s", len, s);
		s += len;
		if (*s == ' ')
			putchar(*s++);
	}
	putchar('\n');
}

static void
print_macros(void)
{
	const struct mc_plugin *p;
	const char *s;
	unsigned i;

	puts(".Bl -tag -width Ds");
	for (i = 0; template_macros[i][0] != NULL; i++) {
		printf(".It Cm %s\n", template_macros[i][0]);
		put_words(template_macros[i][1]);
	}
	for (i = 0; (p = plugin_builtin(i)) != NULL; i++) {
		if (p->fields == NULL || p->fields->label == NULL)
			continue;
		fputs(".It Cm @", stdout);
		for (s = p->name; *s != '\0'; s++)
			putchar(toupper((unsigned char)*s));
		printf("@\n@DEFAULT@ and the fields of plugin %s\n", p->name);
	}
	puts(".El");
}

static const char *
kind_title(enum counter_kind kind)
{
	switch (kind) {
	case COUNTER_KIND_IN:
		return "What came in";
	case COUNTER_KIND_FLOW:
		return "Packets that are in flows";
	case COUNTER_KIND_DROP:
		return "Packets that are in no flow, and why";
	case COUNTER_KIND_LOSS:
		return "Other losses, also in each heartbeat";
	case COUNTER_KIND_INFO:
		break;
	}
	return "Everything else";
}

static void
print_counter_kind(enum counter_kind kind)
{
	int i;

	printf(".Ss %s\n.Bl -tag -width Ds\n", kind_title(kind));
	for (i = 0; i < COUNTER_MAX; i++) {
		if (counter_table[i].kind != kind)
			continue;
		printf(".It Va %s\n", counter_table[i].name);
		put_mdoc(counter_table[i].help);
		puts(".");
	}
	puts(".El");
}

static void
print_plugin_counters(void)
{
	const struct mc_counter *row;
	const struct mc_plugin *p;
	unsigned i;

	puts(".Ss Of plugins\n.Bl -tag -width Ds");
	for (i = 0; (p = plugin_builtin(i)) != NULL; i++)
		for (row = p->counters; row != NULL && row->name != NULL; row++) {
			printf(".It Va %s_%s\n", p->name, row->name);
			put_mdoc(row->help);
			puts(".");
		}
	puts(".El");
}

static void
print_counters(void)
{
	print_counter_kind(COUNTER_KIND_IN);
	print_counter_kind(COUNTER_KIND_FLOW);
	print_counter_kind(COUNTER_KIND_DROP);
	print_counter_kind(COUNTER_KIND_LOSS);
	print_counter_kind(COUNTER_KIND_INFO);
	print_plugin_counters();
}

/* What a file says to leave an option as it is; NULL: leaving it out is the only way. */
static const char *
sample_value(const struct option_row *o)
{
	switch (o->kind) {
	case OPTION_BOOL:
	case OPTION_NOT:
		return "no";
	case OPTION_COUNT:
		return "0";
	default:
		return o->def;
	}
}

/* A line that begins with "#" and a letter can be used as it stands, without the "#". */
static void
print_sample_row(const struct option_row *o)
{
	const char *value = sample_value(o);

	printf("\n# %s\n", o->help);
	if (value != NULL)
		printf("#%s %s\n", o->name, value);
	else
		printf("# %s %s\n", o->name, o->arg);
}

static void
print_sample(void)
{
	unsigned i;

	puts("# mcprobe.conf -- every option with its default. See mcprobe.conf(5).\n"
	     "# A line like \"#name value\" is a default: take the \"#\" away and change it.\n"
	     "# A line like \"# name VALUE\" shows an option that has none.");
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		if (o->kind == OPTION_GROUP)
			printf("\n\n# ---- %s ----\n", o->help);
		else if (o->kind != OPTION_ACT)
			print_sample_row(o);
	}
}

static void
print_commands(void)
{
	command_man(stdout);
}

static const struct {
	const char *name;
	void (*print)(void);
} lists[] = {
	{"options", print_options},
	{"file", print_file},
	{"fields", print_fields},
	{"macros", print_macros},
	{"counters", print_counters},
	{"commands", print_commands},
	{"sample", print_sample},
};

#define NLISTS (sizeof(lists) / sizeof(lists[0]))

int
main(int argc, char **argv)
{
	static struct plugins plugins;
	char err[256];
	unsigned i = 0;

	if (plugins_init(&plugins, err, sizeof(err)) < 0) {
		fprintf(stderr, "mkman: %s\n", err);
		return 1;
	}
	while (argc == 2 && i < NLISTS && strcmp(argv[1], lists[i].name) != 0)
		i++;
	if (argc != 2 || i == NLISTS) {
		fputs("usage: mkman options|file|fields|macros|counters|commands|sample\n", stderr);
		return 2;
	}
	lists[i].print();
	/* a list cut short by a full disk must not become a page */
	plugins_clear(&plugins);
	return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
