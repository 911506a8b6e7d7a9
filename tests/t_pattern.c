/* SPDX-License-Identifier: BSD-3-Clause */
/* t_pattern.c -- what is found, as Python's re.search() finds it; what is refused; cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

#define FUEL 100000

static bool
found(const char *expression, const char *text)
{
	const char *why;
	struct pattern *p = pattern_new(expression, strlen(expression), &why);
	uint32_t fuel = FUEL;
	bool yes;

	if (p == NULL)
		fail_msg("%s: %s", expression, why);
	yes = pattern_search(p, text, strlen(text), &fuel);
	assert_true(fuel > 0);
	pattern_free(p);
	return yes;
}

/* Expression, texts it is found in, texts it is not. */
static const struct {
	const char *expression, *yes[6], *no[6];
} table[] = {
	{"", {"", "a"}, {NULL}},
	{"abc", {"abc", "xxabcxx", "ababc"}, {"ab", "acb", ""}},
	{"a.c", {"abc", "a.c"}, {"ac", "a\nc"}},
	{"(?s)a.c", {"a\nc"}, {"ac"}},
	{"(?i)Ab[c-d]", {"aBC", "ABd"}, {"abe"}},
	{"(?i)[^a]", {"b"}, {"a", "A", "aAaA"}},
	{"^ab", {"ab", "abc"}, {"cab"}},
	{"ab$", {"ab", "cab", "ab\n"}, {"abc", "ab\n\n"}},
	{"ab\\Z", {"ab"}, {"ab\n"}},
	{"\\Aab", {"ab"}, {"cab"}},
	{"a*b", {"b", "aab"}, {"a", ""}},
	{"^a+$", {"a", "aaa"}, {"", "ab"}},
	{"^a?b$", {"b", "ab"}, {"aab"}},
	{"^a{3}$", {"aaa"}, {"aa", "aaaa"}},
	{"^a{2,3}$", {"aa", "aaa"}, {"a", "aaaa"}},
	{"^a{2,}$", {"aa", "aaaaaa"}, {"a", ""}},
	{"^a{,2}$", {"", "a", "aa"}, {"aaa"}},
	{"^a{0}b$", {"b"}, {"ab"}},
	{"^(ab){0,3}$", {"", "ab", "abab", "ababab"}, {"abababab", "a"}},
	{"^(a|bc){2}$", {"aa", "abc", "bca", "bcbc"}, {"a", "bc", "aaa"}},
	{"^(?:a{1,2}){2}$", {"aa", "aaa", "aaaa"}, {"a", "aaaaa"}},
	{"a{", {"a{"}, {"a"}},
	{"a{x}", {"a{x}"}, {"ax"}},
	{"a{}", {"a{}"}, {"a"}},
	{"^(a*)*$", {"", "aaa"}, {"b"}},
	{"^(|a)+$", {"", "a", "aa"}, {"b"}},
	{"cat|dog|", {"", "x"}, {NULL}},
	{"^(cat|dog)$", {"cat", "dog"}, {"catdog", "ca"}},
	{"^(x|y(z|w))+$", {"x", "yz", "xywx"}, {"y", "xy"}},
	{"(?P<name>a)b", {"ab"}, {"b"}},
	{"a.*?b", {"ab", "axxb"}, {"ba"}},
	{"[]a]", {"]", "a"}, {"b"}},
	{"[^]a]", {"b"}, {"]", "a"}},
	{"[a-c-]", {"b", "-"}, {"d"}},
	{"[\\]\\\\]", {"]", "\\"}, {"a"}},
	{"^[\\d\\s]+$", {"1 2"}, {"a"}},
	{"^\\D+$", {"ab"}, {"a1"}},
	{"^\\w+$", {"a_1"}, {"a-1"}},
	{"^\\W$", {"-"}, {"a"}},
	{"\\bfoo\\b", {"foo", "a foo b", "/foo."}, {"foobar", "afoo"}},
	{"\\Boo", {"foo"}, {"oo"}},
	{"a\\.b", {"a.b"}, {"axb"}},
	{"\\x41\\t", {"A\t"}, {"x41"}},
	{"/(wp-login|xmlrpc)\\.php", {"h/wp-login.php?x", "h/xmlrpc.php"}, {"h/wp-login-php"}},
	{"\\.exe($|\\?)", {"h/a.exe", "h/a.exe?b"}, {"h/a.exec"}},
	{"\303\244", {"x\303\244y"}, {"\303\245"}},
};

static void
test_table(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (j = 0; j < 6 && table[i].yes[j] != NULL; j++)
			if (!found(table[i].expression, table[i].yes[j]))
				fail_msg("%s is not found in \"%s\"", table[i].expression,
				    table[i].yes[j]);
		for (j = 0; j < 6 && table[i].no[j] != NULL; j++)
			if (found(table[i].expression, table[i].no[j]))
				fail_msg("%s is found in \"%s\"", table[i].expression,
				    table[i].no[j]);
	}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {"(", ")", "a)", "[", "[a", "*", "a**", "a++", "^*",
		"(?=a)", "(?<!a)b", "(a)\\1", "\\", "\\q", "[b-a]", "a{3,2}", "(?P<a", "(?x)a",
		"|*", "(*a)", "a{2000}", "((((a{100}){100}){100}){100})", "(?P>a)"};
	const char *why;
	char deep[2000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		if (pattern_new(bad[i], strlen(bad[i]), &why) != NULL)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(why);
	}
	memset(deep, '(', 1000);
	memset(deep + 1000, ')', 1000);
	assert_null(pattern_new(deep, sizeof(deep), &why));
	/* every beginning of something long is taken or refused, never more */
	memcpy(deep, "(?i)^(a|[b-d]{2,3}?|\\w+x*)$|(?P<n>\\x41)\\b", 42);
	for (i = 0; i <= 42; i++)
		pattern_free(pattern_new(deep, i, &why));
}

/* What takes others for ever takes its size times the text's length at most. */
static void
test_cost(void **state)
{
	static const char *const slow[] = {"(a*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)(.*)(.*)(.*)x",
		"(a?){50}a{50}b"};
	char text[4096];
	size_t i;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		const char *why;
		struct pattern *p = pattern_new(slow[i], strlen(slow[i]), &why);
		uint32_t fuel = 10 * 1000 * 1000, enough = fuel;

		assert_non_null(p);
		assert_false(pattern_search(p, text, sizeof(text), &fuel));
		assert_true(enough - fuel < 4096 * 5 * (pattern_bytes(p) / 6));
		/* and it ends where it is told to */
		fuel = 1000;
		assert_false(pattern_search(p, text, sizeof(text), &fuel));
		assert_int_equal(fuel, 0);
		pattern_free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
