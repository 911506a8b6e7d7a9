/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * glob.c -- Redis' patterns without recursion. When a text does not go on as the
 * pattern does, only the last star may take one byte more: an earlier one could only do
 * what the last does. So there is one place to go back to, and the cost is at most
 * pattern times text.
 *
 * Odd patterns mean what they mean to Redis: a class that is not closed ends with the
 * pattern, [] matches nothing, [^] any byte, a range may be written backwards, in [a-]
 * the bracket is the range's end, and a backslash at the very end is itself. Only that
 * bytes have no sign here: a range up to one beyond 0x7f is what it looks like.
 */
#include "glob.h"

/* Does the class behind the [ at *P take byte C? *P goes past the class. */
static bool
match_class(const unsigned char **p, const unsigned char *end, unsigned char c)
{
	const unsigned char *s = *p + 1;
	unsigned char low, high;
	bool inverse = s < end && *s == '^', match = false;

	if (inverse)
		s++;
	for (; s < end && *s != ']'; s++) {
		if (*s == '\\' && end - s >= 2) {
			s++;
			match |= *s == c;
		} else if (end - s >= 3 && s[1] == '-') {
			low = s[0] < s[2] ? s[0] : s[2];
			high = s[0] < s[2] ? s[2] : s[0];
			match |= c >= low && c <= high;
			s += 2;
		} else {
			match |= *s == c;
		}
	}
	*p = s < end ? s + 1 : end;
	return match != inverse;
}

/* Does what stands at *P, no star, take byte C? *P goes past it. */
static bool
match_one(const unsigned char **p, const unsigned char *end, unsigned char c)
{
	const unsigned char *s = *p;

	if (*s == '[')
		return match_class(p, end, c);
	if (*s == '\\' && end - s >= 2)
		s++;
	else if (*s == '?')
		c = '?';
	*p = s + 1;
	return *s == c;
}

bool
glob_match(const char *pattern, size_t plen, const char *text, size_t len)
{
	uint32_t fuel = UINT32_MAX;

	return glob_match_within(pattern, plen, text, len, &fuel);
}

bool
glob_match_within(const char *pattern, size_t plen, const char *text, size_t len,
    uint32_t *fuel)
{
	const unsigned char *p = (const unsigned char *)pattern, *pend = p + plen;
	const unsigned char *t = (const unsigned char *)text, *tend = t + len;
	const unsigned char *star = NULL; /* behind the last star */
	const unsigned char *back = NULL; /* what it has not taken yet */

	for (; t < tend; --*fuel) {
		if (*fuel == 0)
			return false;
		if (p < pend && *p == '*') {
			star = ++p;
			back = t;
			if (p == pend)
				return true;
		} else if (p < pend && match_one(&p, pend, *t)) {
			t++;
		} else {
			if (star == NULL)
				return false;
			p = star;
			t = ++back;
		}
	}
	while (p < pend && *p == '*')
		p++;
	return p == pend;
}

size_t
glob_prefix(const char *pattern, size_t plen, char *prefix, bool *exact)
{
	size_t i, n = 0;

	for (i = 0; i < plen; i++) {
		if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[')
			break;
		if (pattern[i] == '\\' && i + 1 < plen)
			i++;
		prefix[n++] = pattern[i];
	}
	*exact = i == plen;
	return n;
}
