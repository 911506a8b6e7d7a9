/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_glob.c -- patterns of Redis clients.
 *
 *	byte 0	length of the pattern, at most PATTERN_MAX
 *	then	the pattern
 *	rest	the text, at most TEXT_MAX
 *
 * The same answer as from a matcher that takes the other way: it reads the pattern into
 * sets of bytes first, then tells for each place in the text which of them may follow.
 */
#include "fuzz.h"
#include "glob.h"

#include <stdbool.h>

const char fuzz_name[] = "glob";

#define PATTERN_MAX 64
#define TEXT_MAX 96

struct element {
	bool star;
	bool set[256];
};

/* The class whose [ is at P[I]; where it ends. */
static size_t
read_class(struct element *e, const uint8_t *p, size_t i, size_t n)
{
	bool inverse = false;
	unsigned c, low, high;

	i++;
	if (i < n && p[i] == '^') {
		inverse = true;
		i++;
	}
	while (i < n && p[i] != ']') {
		if (p[i] == '\\' && i + 1 < n) {
			e->set[p[i + 1]] = true;
			i += 2;
			continue;
		}
		low = high = p[i];
		if (i + 2 < n && p[i + 1] == '-') {
			high = p[i + 2];
			i += 2;
		}
		for (c = 0; c < 256; c++)
			if ((c >= low && c <= high) || (c >= high && c <= low))
				e->set[c] = true;
		i++;
	}
	for (c = 0; c < 256; c++)
		e->set[c] ^= inverse;
	return i < n ? i + 1 : n;
}

static unsigned
read_pattern(struct element *e, const uint8_t *p, size_t n)
{
	unsigned count = 0;
	size_t i = 0;

	for (; i < n; count++, e++) {
		memset(e, 0, sizeof(*e));
		if (p[i] == '[') {
			i = read_class(e, p, i, n);
			continue;
		}
		if (p[i] == '*')
			e->star = true;
		else if (p[i] == '?')
			memset(e->set, true, sizeof(e->set));
		else {
			i += p[i] == '\\' && i + 1 < n;
			e->set[p[i]] = true;
		}
		i++;
	}
	return count;
}

/* AT[I]: elements before I take the text so far. */
static bool
matches(const uint8_t *pattern, size_t plen, const uint8_t *text, size_t len)
{
	static struct element e[PATTERN_MAX];
	bool at[PATTERN_MAX + 1] = {true};
	unsigned n = read_pattern(e, pattern, plen), i;
	size_t t;

	for (i = 0; i < n && e[i].star; i++)
		at[i + 1] = true;
	for (t = 0; t < len; t++) {
		bool next[PATTERN_MAX + 1] = {false};

		for (i = 0; i < n; i++)
			if (at[i] && e[i].star)
				next[i] = true;
			else if (at[i] && e[i].set[text[t]])
				next[i + 1] = true;
		for (i = 0; i < n; i++)
			if (next[i] && e[i].star)
				next[i + 1] = true;
		memcpy(at, next, sizeof(at));
	}
	return at[n];
}

static void
check_prefix(const char *pattern, size_t plen, const char *text, size_t len, bool match)
{
	char *prefix = malloc(plen + 1); /* PLEN and one that must stay */
	bool exact = false;
	size_t n;

	CHECK(prefix != NULL);
	prefix[plen] = '#';
	n = glob_prefix(pattern, plen, prefix, &exact);
	CHECK(n <= plen && prefix[plen] == '#');
	if (match)
		CHECK(n <= len && memcmp(prefix, text, n) == 0);
	if (match && exact)
		CHECK(n == len);
	if (exact)
		CHECK(glob_match(pattern, plen, prefix, n));
	free(prefix);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	size_t plen = input_u8(&in) % (PATTERN_MAX + 1), tlen = TEXT_MAX;
	uint8_t *pattern = input_frame(&in, &plen), *text = input_frame(&in, &tlen);
	bool match;

	match = glob_match((char *)pattern, plen, (char *)text, tlen);
	CHECK(match == matches(pattern, plen, text, tlen));
	check_prefix((char *)pattern, plen, (char *)text, tlen, match);
	free(pattern);
	free(text);
	return 0;
}
