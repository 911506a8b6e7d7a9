/* SPDX-License-Identifier: BSD-3-Clause */
/* t_config_help.c -- the table of options itself, and what is printed of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_row.h"

static char *
captured(void (*print)(FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	print(f);
	fclose(f);
	return text;
}

static void
test_help(void **state)
{
	char *help = captured(config_help), *line, *rest = help;
	char *again = captured(config_help);
	unsigned i;

	(void)state;
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];
		char want[256];

		if (o->kind == OPTION_GROUP)
			snprintf(want, sizeof(want), "\n%s:\n", o->help);
		else if (o->letter != 0)
			snprintf(want, sizeof(want), "  -%c, --%s%s%s", o->letter, o->name,
			    o->arg ? " " : "", o->arg ? o->arg : "");
		else
			snprintf(want, sizeof(want), "      --%s%s%s", o->name,
			    o->arg ? " " : "", o->arg ? o->arg : "");
		if (strstr(again, want) == NULL)
			fail_msg("--help does not have \"%s\"", want);
		if (o->def != NULL) {
			snprintf(want, sizeof(want), "[%s]", o->def);
			assert_non_null(strstr(again, want));
		}
	}
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strlen(line) > 101)
			fail_msg("too wide: %s", line);
	free(help);
	free(again);
}

static void
test_man(void **state)
{
	char *man = captured(config_man), *file = captured(config_man_file);
	char *line, *rest;
	unsigned i, open = 0, shut = 0;

	(void)state;
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];
		char want[256];

		if (o->kind == OPTION_GROUP)
			continue;
		snprintf(want, sizeof(want), "Fl \\-%s", o->name);
		assert_non_null(strstr(man, want));
		snprintf(want, sizeof(want), ".It Cm %s ", o->name);
		assert_int_equal(strstr(file, want) != NULL, o->kind != OPTION_ACT);
	}
	for (rest = man; (line = strsep(&rest, "\n")) != NULL;) {
		open += strncmp(line, ".Bl", 3) == 0;
		shut += strncmp(line, ".El", 3) == 0;
	}
	assert_int_equal(open, shut);
	assert_true(open > 1);
	free(man);
	free(file);
}

/* The table itself: no letter and no name twice, defaults that its own parser takes. */
static void
test_table(void **state)
{
	unsigned i, j;

	(void)state;
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		assert_non_null(o->help);
		if (o->kind == OPTION_GROUP)
			continue;
		assert_true(strlen(o->name) >= 2);
		switch (o->kind) {
		case OPTION_BOOL:
		case OPTION_NOT:
		case OPTION_COUNT:
		case OPTION_ACT:
			assert_null(o->arg);
			assert_null(o->def);
			break;
		default:
			assert_non_null(o->arg);
		}
		assert_int_equal(o->kind == OPTION_CALL, o->set != NULL);
		for (j = 0; j < i; j++) {
			if (option_table[j].kind == OPTION_GROUP)
				continue;
			assert_string_not_equal(o->name, option_table[j].name);
			assert_true(o->letter == 0 || o->letter != option_table[j].letter);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_man),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
