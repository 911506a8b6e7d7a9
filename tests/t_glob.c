/* SPDX-License-Identifier: BSD-3-Clause */
/* t_glob.c -- Redis' patterns, the odd ones too, and what they cost at worst. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "glob.h"

static const struct {
	const char *pattern, *text;
	bool match;
} cases[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "anything", true},
    {"**", "", true},
    {"?", "", false},
    {"?", "a", true},
    {"??", "a", false},
    {"ip.192.168.*", "ip.192.168.1.1", true},
    {"ip.192.168.*", "ip.192.16.1.1", false},
    {"*.1", "ip.1.1.1", true},
    {"*a*b*c", "xxaxxbxxc", true},
    {"*a*b*c", "xxaxxbxxcx", false},
    {"*ab", "aab", true},
    {"*aab*", "aaaab", true},
    {"h?llo", "hello", true},
    {"h?llo", "hllo", false},
    {"h*llo", "heeello", true},
    {"h[ae]llo", "hallo", true},
    {"h[ae]llo", "hillo", false},
    {"h[^e]llo", "hallo", true},
    {"h[^e]llo", "hello", false},
    {"[a-c]", "b", true},
    {"[a-c]", "d", false},
    {"[c-a]", "b", true},
    {"[\\a-c]", "-", true},
    {"[\\]]", "]", true},
    {"[a\\]b]", "]", true},
    {"[\\^a]", "^", true},
    {"[a^]", "^", true},
    {"[]", "a", false},
    {"[^]", "a", true},
    {"[]a]", "a]", false},
    {"[ab", "b", true},
    {"[ab", "c", false},
    {"[^ab", "c", true},
    {"[", "[", false},
    {"[^", "x", true},
    {"[a-]", "b", false}, /* a range from a down to ], that does not end */
    {"[a-]", "^", true},
    {"[a-", "-", true},
    {"[a\\", "\\", true},
    {"[?*]", "*", true},
    {"[?*]", "x", false},
    {"\\*", "*", true},
    {"\\*", "x", false},
    {"\\?", "?", true},
    {"\\[a]", "[a]", true},
    {"\\\\", "\\", true},
    {"a\\", "a\\", true},
    {"\\a", "a", true},
    {"*\\*", "a*", true},
    {"*\\*", "a", false},
    {"*[x-z]", "az", true},
    {"*[x-z]*", "aazaa", true},
    {"[\x80-\xff]", "\x90", true}, /* bytes have no sign */
    {"[\x80-\xff]", "a", false},
    {"abc", "abcd", false},
    {"abcd", "abc", false},
    {"abc*", "abc", true},
    {"abc?*", "abc", false},
};

static void
test_match(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t plen = strlen(cases[i].pattern), len = strlen(cases[i].text);
		char *p = malloc(plen), *t = malloc(len); /* no NUL to lean on */

		if (plen > 0)
			memcpy(p, cases[i].pattern, plen);
		if (len > 0)
			memcpy(t, cases[i].text, len);
		if (glob_match(p, plen, t, len) != cases[i].match)
			fail_msg("%s %s %s", cases[i].pattern,
			    cases[i].match ? "must match" : "must not match",
			    cases[i].text);
		free(p);
		free(t);
	}
	assert_true(glob_match("a\0?", 3, "a\0b", 3));
	assert_false(glob_match("a\0?", 3, "a", 1));
}

/* What took other matchers exponential time, or a stack as deep as the pattern. */
static void
test_cost(void **state)
{
	static char pattern[1 << 16], text[1 << 16];
	size_t i;

	(void)state;
	for (i = 0; i < GLOB_MAX; i += 2)
		memcpy(pattern + i, "a*", 2);
	memset(text, 'a', sizeof(text));
	pattern[GLOB_MAX - 1] = 'b';
	assert_false(glob_match(pattern, GLOB_MAX, text, sizeof(text)));
	memset(pattern, '*', sizeof(pattern));
	assert_true(glob_match(pattern, sizeof(pattern), text, sizeof(text)));
	for (i = 0; i < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*?", 2);
	assert_true(glob_match(pattern, sizeof(pattern), text, sizeof(text)));
	assert_false(glob_match(pattern, sizeof(pattern), text, sizeof(text) / 2 - 1));
}

static void
test_prefix(void **state)
{
	static const struct {
		const char *pattern, *prefix;
		bool exact;
	} v[] = {
	    {"", "", true},
	    {"ip.10.0.0.1", "ip.10.0.0.1", true},
	    {"ip.10.*", "ip.10.", false},
	    {"*", "", false},
	    {"a?", "a", false},
	    {"a[b]", "a", false},
	    {"a\\*b", "a*b", true},
	    {"a\\*b*", "a*b", false},
	    {"a\\", "a\\", true},
	    {"\\a\\\\", "a\\", true},
	};
	char prefix[32];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		bool exact = !v[i].exact;
		size_t n =
		    glob_prefix(v[i].pattern, strlen(v[i].pattern), prefix, &exact);

		assert_int_equal(n, strlen(v[i].prefix));
		assert_memory_equal(prefix, v[i].prefix, n);
		assert_int_equal(exact, v[i].exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_cost),
	    cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
