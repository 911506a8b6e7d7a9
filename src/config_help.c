/* SPDX-License-Identifier: BSD-3-Clause */
/* config_help.c -- the rows of options.def for people: --help and the man pages. */
#include <string.h>

#include "config_row.h"

#define HELP_COLUMN 36
#define HELP_WIDTH  100

/* TEXT from column HELP_COLUMN on, broken at blanks. */
static void
print_wrapped(FILE *out, const char *text)
{
	int column = HELP_COLUMN;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (column == HELP_COLUMN)
			;
		else if (column + 1 + len > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", len, text);
		column += len;
		text += len + (text[len] == ' ');
	}
}

void
config_help(FILE *out)
{
	unsigned i;

	fputs("usage: mcprobe -i INTERFACE|FILE.pcap|- [options]\n"
	      "mcprobe counts flows, names their applications and exports them.\n", out);
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];
		char left[128], text[512];
		int n;

		if (o->kind == OPTION_GROUP) {
			fprintf(out, "\n%s:\n", o->help);
			continue;
		}
		n = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s", o->letter ? '-' : ' ',
		    o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
		    o->arg ? " " : "", o->arg ? o->arg : "");
		if (n >= HELP_COLUMN)
			fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
		else
			fprintf(out, "%-*s", HELP_COLUMN, left);
		snprintf(text, sizeof(text), "%s%s%s%s", o->help, o->def ? " [" : "",
		    o->def ? o->def : "", o->def ? "]" : "");
		print_wrapped(out, text);
		fputc('\n', out);
	}
	fputs("\nA configuration file has the same long names, one \"name value\" per line.\n"
	      "Full manual: mcprobe(8), mcprobe.conf(5).\n", out);
}

/* mdoc: a word that starts with a dot, a quote or a backslash would be read as a macro. */
static void
print_mdoc(FILE *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '"')
			fputs("\\(dq", out);
		else
			fputc(*s, out);
	}
}

static void
print_man_help(FILE *out, const struct option_row *o)
{
	fputs("\\&", out);
	print_mdoc(out, o->help);
	fputs(".\n", out);
	if (o->def != NULL)
		fprintf(out, "Default: %s.\n", o->def);
}

void
config_man(FILE *out)
{
	bool open = false;
	unsigned i;

	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		if (o->kind == OPTION_GROUP) {
			fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", open ? ".El\n" : "",
			    o->help);
			open = true;
			continue;
		}
		fputs(".It ", out);
		if (o->letter != 0)
			fprintf(out, "Fl %c , ", o->letter);
		fprintf(out, "Fl \\-%s", o->name);
		if (o->arg != NULL) {
			fputs(" Ar \"", out);
			print_mdoc(out, o->arg);
			fputc('"', out);
		}
		fputc('\n', out);
		print_man_help(out, o);
	}
	if (open)
		fputs(".El\n", out);
}

static const char *
kind_name(const struct option_row *o)
{
	switch (o->kind) {
	case OPTION_BOOL:
	case OPTION_NOT:
		return "yes or no";
	case OPTION_COUNT:
	case OPTION_INT:
		return "number";
	case OPTION_LIST:
		return "may repeat";
	default:
		return "text";
	}
}

void
config_man_file(FILE *out)
{
	unsigned i;

	fputs(".Bl -tag -width Ds\n", out);
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		if (o->kind == OPTION_GROUP || o->kind == OPTION_ACT)
			continue;
		fprintf(out, ".It Cm %s Ar \"", o->name);
		print_mdoc(out, o->arg ? o->arg : "yes|no");
		fprintf(out, "\" Pq %s\n", kind_name(o));
		print_man_help(out, o);
	}
	fputs(".El\n", out);
}
