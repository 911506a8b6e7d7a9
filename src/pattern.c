/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern.c -- an expression becomes a row of steps (Thompson, "Regular Expression Search
 * Algorithm", 1968). All places of the row at which a search could be are followed at
 * once, byte by byte, so a place is looked at once per byte at most.
 *
 * Jumps are relative: what a repetition repeats is copied as it is, and moves as it is
 * when a step is put before it.
 */
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  50  /* parentheses within each other */
#define REPEAT_MAX 1000

enum op {
	OP_BYTE,
	OP_SET,
	OP_SPLIT, /* go to A and to B */
	OP_JUMP,  /* to A */
	OP_BEGIN,
	OP_END,	     /* or before a line break there: $ */
	OP_VERY_END, /* \Z */
	OP_WORD,     /* \b */
	OP_NO_WORD,  /* \B */
	OP_FOUND,
};

struct step {
	uint8_t op, byte;
	int16_t a, b; /* from here; of OP_SET: A is its number */
};

struct set {
	uint8_t bits[32];
};

struct pattern {
	unsigned n, nsets;
	struct set *sets; /* owned */
	struct step step[];
};

/* Reading one. */
struct reader {
	const uint8_t *p, *end;
	const char *why; /* NULL: fine so far */
	bool fold, all;	 /* (?i), (?s) */
	unsigned depth;
	unsigned n, nsets;
	struct step step[PATTERN_CODE];
	struct set sets[PATTERN_CODE / 4];
};

static void read_choice(struct reader *);

static void
refuse(struct reader *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	r->p = r->end;
}

static bool
is_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

static bool
is_letter(int c)
{
	return is_word(c | 0x20) && (c | 0x20) >= 'a';
}

static void
set_add(struct set *s, unsigned c)
{
	s->bits[c >> 3] |= (uint8_t)(1u << (c & 7));
}

static bool
set_has(const struct set *s, unsigned c)
{
	return s->bits[c >> 3] >> (c & 7) & 1;
}

static void
set_invert(struct set *s)
{
	for (unsigned i = 0; i < sizeof(s->bits); i++)
		s->bits[i] = (uint8_t)~s->bits[i];
}

/* Room for COUNT steps at AT; what stands there moves. */
static struct step *
insert(struct reader *r, unsigned at, unsigned count)
{
	if (r->n + count >= PATTERN_CODE) {
		refuse(r, "too long");
		return NULL;
	}
	memmove(r->step + at + count, r->step + at, (r->n - at) * sizeof(r->step[0]));
	memset(r->step + at, 0, count * sizeof(r->step[0]));
	r->n += count;
	return r->step + at;
}

static void
emit(struct reader *r, enum op op, int a, int b)
{
	struct step *s = insert(r, r->n, 1);

	if (s == NULL)
		return;
	s->op = (uint8_t)op;
	s->a = (int16_t)a;
	s->b = (int16_t)b;
}

static void
emit_set(struct reader *r, const struct set *set)
{
	struct set s = *set;
	unsigned i;

	for (i = 'a'; r->fold && i <= 'z'; i++)
		if (set_has(set, i) || set_has(set, i - 0x20)) {
			set_add(&s, i);
			set_add(&s, i - 0x20);
		}
	for (i = 0; i < r->nsets && memcmp(&r->sets[i], &s, sizeof(s)) != 0; i++)
		;
	if (i == sizeof(r->sets) / sizeof(r->sets[0])) {
		refuse(r, "too many sets of characters");
		return;
	}
	if (i == r->nsets)
		r->sets[r->nsets++] = s;
	emit(r, OP_SET, (int)i, 0);
}

static void
emit_byte(struct reader *r, uint8_t c)
{
	struct set s = {{0}};

	if (r->fold && is_letter(c)) {
		set_add(&s, c);
		emit_set(r, &s);
		return;
	}
	emit(r, OP_BYTE, 0, 0);
	if (r->why == NULL)
		r->step[r->n - 1].byte = c;
}

/* \d \w \s and their opposites, into S. False: C is none of them. */
static bool
add_class(struct set *to, uint8_t c)
{
	struct set s = {{0}};
	unsigned i;

	for (i = 0; i < 128; i++)
		switch (c | 0x20) {
		case 'd':
			if (i >= '0' && i <= '9')
				set_add(&s, i);
			break;
		case 'w':
			if (is_word((int)i))
				set_add(&s, i);
			break;
		case 's':
			if (i == ' ' || (i >= '\t' && i <= '\r'))
				set_add(&s, i);
			break;
		default:
			return false;
		}
	if ((c & 0x20) == 0)
		set_invert(&s);
	for (i = 0; i < sizeof(s.bits); i++)
		to->bits[i] |= s.bits[i];
	return true;
}

static int
hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape stands for; behind the backslash. */
static uint8_t
read_escape(struct reader *r)
{
	static const char names[] = "nrtfva", bytes[] = "\n\r\t\f\v\a";
	const char *at;
	uint8_t c;

	if (r->p == r->end) {
		refuse(r, "a backslash at the end");
		return 0;
	}
	c = *r->p++;
	at = c != '\0' ? strchr(names, c) : NULL;
	if (at != NULL)
		return (uint8_t)bytes[at - names];
	if (c == 'x' && r->end - r->p >= 2 && hex_digit(r->p[0]) >= 0 &&
	    hex_digit(r->p[1]) >= 0) {
		r->p += 2;
		return (uint8_t)(hex_digit(r->p[-2]) << 4 | hex_digit(r->p[-1]));
	}
	if (c >= '1' && c <= '9')
		refuse(r, "a back reference");
	else if (c != '_' && is_word(c))
		refuse(r, "an unknown escape");
	return c;
}

/* Behind a backslash, outside of brackets. */
static void
read_backslash(struct reader *r)
{
	static const struct {
		char c;
		uint8_t op;
	} places[] = {{'b', OP_WORD}, {'B', OP_NO_WORD}, {'A', OP_BEGIN}, {'Z', OP_VERY_END}};
	struct set s = {{0}};
	uint8_t c;
	unsigned i;

	for (i = 0; r->p < r->end && i < sizeof(places) / sizeof(places[0]); i++)
		if (*r->p == (uint8_t)places[i].c) {
			r->p++;
			emit(r, places[i].op, 0, 0);
			return;
		}
	if (r->p < r->end && add_class(&s, *r->p)) {
		r->p++;
		emit_set(r, &s);
		return;
	}
	c = read_escape(r);
	emit_byte(r, c);
}

/* A byte of a class, or of a range's end; -1: a class of its own, added to S. */
static int
read_member(struct reader *r, struct set *s)
{
	uint8_t c = *r->p++;

	if (c != '\\')
		return c;
	if (r->p < r->end && add_class(s, *r->p)) {
		r->p++;
		return -1;
	}
	if (r->p < r->end && *r->p == 'b') {
		r->p++;
		return '\b';
	}
	return read_escape(r);
}

/* Behind the opening bracket. */
static void
read_set(struct reader *r)
{
	struct set s = {{0}};
	bool invert = r->p < r->end && *r->p == '^', first = true;
	int low, high;

	r->p += invert;
	for (;; first = false) {
		if (r->p == r->end) {
			refuse(r, "a bracket that is not closed");
			return;
		}
		if (*r->p == ']' && !first)
			break;
		low = read_member(r, &s);
		if (low < 0)
			continue;
		high = low;
		if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
			r->p++;
			high = read_member(r, &s);
			if (high < low) {
				refuse(r, "a bad range");
				return;
			}
		}
		for (; low <= high; low++)
			set_add(&s, (unsigned)low);
	}
	r->p++;
	if (r->fold && invert) { /* what is excluded is so in both cases */
		for (unsigned i = 'a'; i <= 'z'; i++)
			if (set_has(&s, i) || set_has(&s, i - 0x20)) {
				set_add(&s, i);
				set_add(&s, i - 0x20);
			}
	}
	if (invert)
		set_invert(&s);
	emit_set(r, &s);
}

/* Behind the opening parenthesis. */
static void
read_group(struct reader *r)
{
	if (++r->depth > DEPTH_MAX) {
		refuse(r, "too many parentheses within each other");
		return;
	}
	if (r->p < r->end && *r->p == '?') {
		const uint8_t *p = r->p + 1;

		if (r->end - p >= 1 && *p == ':') {
			r->p = p + 1;
		} else if (r->end - p >= 2 && p[0] == 'P' && p[1] == '<') {
			for (p += 2; p < r->end && is_word(*p); p++)
				;
			if (p == r->end || *p != '>')
				refuse(r, "a name of a group that is not closed");
			else
				r->p = p + 1;
		} else {
			refuse(r, "looking ahead or behind, or another group that is not known");
		}
	}
	read_choice(r);
	if (r->why == NULL && (r->p == r->end || *r->p != ')'))
		refuse(r, "a parenthesis that is not closed");
	if (r->why == NULL)
		r->p++;
	r->depth--;
}

static void
read_atom(struct reader *r)
{
	struct set s = {{0}};
	uint8_t c = *r->p++;

	switch (c) {
	case '(':
		read_group(r);
		break;
	case '[':
		read_set(r);
		break;
	case '.':
		if (!r->all)
			set_add(&s, '\n');
		set_invert(&s);
		emit_set(r, &s);
		break;
	case '^':
		emit(r, OP_BEGIN, 0, 0);
		break;
	case '$':
		emit(r, OP_END, 0, 0);
		break;
	case '\\':
		read_backslash(r);
		break;
	case '*':
	case '+':
	case '?':
		refuse(r, "nothing to repeat");
		break;
	default:
		emit_byte(r, c);
	}
}

/* {m}, {m,}, {,n}, {m,n}. False: it is a brace like any other byte. HIGH -1: no end. */
static bool
read_count(struct reader *r, int *low, int *high)
{
	const uint8_t *p = r->p + 1;
	int n[2] = {0, 0}, at = 0;
	bool digits[2] = {false, false};

	for (; p < r->end && *p != '}'; p++) {
		if (*p == ',' && at == 0) {
			at = 1;
		} else if (*p >= '0' && *p <= '9') {
			n[at] = n[at] * 10 + (*p - '0');
			digits[at] = true;
			if (n[at] > REPEAT_MAX) {
				refuse(r, "too many repetitions");
				return true;
			}
		} else {
			return false;
		}
	}
	if (p == r->end || (!digits[0] && at == 0))
		return false;
	*low = n[0];
	*high = at == 0 ? n[0] : digits[1] ? n[1] : -1;
	r->p = p + 1;
	if (*high >= 0 && *high < *low)
		refuse(r, "a count that ends before it begins");
	return true;
}

/* Append the COUNT steps from FROM on once more. */
static void
copy(struct reader *r, unsigned from, unsigned count)
{
	struct step *to = insert(r, r->n, count);

	if (to != NULL)
		memcpy(to, r->step + from, count * sizeof(*to));
}

/* What stands from AT to the end, as often as LOW to HIGH says. */
static void
repeat(struct reader *r, unsigned at, int low, int high)
{
	unsigned len = r->n - at, last;
	struct step *s;
	int i;

	if (high == 0) {
		r->n = at;
		return;
	}
	for (i = 1; i < low && r->why == NULL; i++)
		copy(r, at, len);
	if (high < 0 && low > 0) {
		emit(r, OP_SPLIT, -(int)len, 1);
	} else if (high < 0) {
		s = insert(r, at, 1);
		if (s != NULL)
			*s = (struct step){OP_SPLIT, 0, 1, (int16_t)(len + 2)};
		emit(r, OP_JUMP, -(int)len - 1, 0);
	} else if (low == 0) {
		s = insert(r, at, 1);
		if (s != NULL)
			*s = (struct step){OP_SPLIT, 0, 1, (int16_t)(len + 1)};
		low = 1;
		at++;
	}
	/* each further one may be the last: to go past it is to come to the next split */
	for (i = low; i < high && r->why == NULL; i++) {
		last = r->n;
		emit(r, OP_SPLIT, 1, (int)len + 1);
		copy(r, last - len, len);
	}
}

static void
read_repeated(struct reader *r)
{
	unsigned at = r->n;
	const uint8_t *begin = r->p;
	int low, high;

	read_atom(r);
	if (r->p == r->end)
		return;
	switch (*r->p) {
	case '*':
	case '+':
		low = *r->p++ == '+';
		high = -1;
		break;
	case '?':
		r->p++;
		low = 0;
		high = 1;
		break;
	case '{':
		if (!read_count(r, &low, &high) || r->why != NULL)
			return;
		break;
	default:
		return;
	}
	if (*begin == '^' || *begin == '$') {
		refuse(r, "nothing to repeat");
		return;
	}
	/* lazy or not: the same is found */
	if (r->p < r->end && *r->p == '?')
		r->p++;
	else if (r->p < r->end && (*r->p == '*' || *r->p == '+'))
		refuse(r, "repeated twice");
	if (r->why == NULL)
		repeat(r, at, low, high);
}

static void
read_row(struct reader *r)
{
	while (r->p < r->end && *r->p != '|' && *r->p != ')')
		read_repeated(r);
}

static void
read_choice(struct reader *r)
{
	unsigned at = r->n, jump;
	struct step *s;

	read_row(r);
	while (r->why == NULL && r->p < r->end && *r->p == '|') {
		r->p++;
		s = insert(r, at, 1);
		if (s == NULL)
			return;
		*s = (struct step){OP_SPLIT, 0, 1, (int16_t)(r->n - at + 1)};
		jump = r->n;
		emit(r, OP_JUMP, 0, 0);
		read_row(r);
		r->step[jump].a = (int16_t)(r->n - jump);
	}
}

/* (?i) and the like, at the beginning. */
static void
read_flags(struct reader *r)
{
	const uint8_t *p;

	while (r->end - r->p >= 4 && r->p[0] == '(' && r->p[1] == '?') {
		for (p = r->p + 2; p < r->end && (*p == 'i' || *p == 's'); p++)
			;
		if (p == r->p + 2 || p == r->end || *p != ')')
			return;
		for (r->p += 2; *r->p != ')'; r->p++) {
			r->fold |= *r->p == 'i';
			r->all |= *r->p == 's';
		}
		r->p++;
	}
}

struct pattern *
pattern_new(const char *text, size_t len, const char **why)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct pattern *p = NULL;

	*why = "no memory";
	if (r == NULL)
		return NULL;
	r->p = (const uint8_t *)text;
	r->end = r->p + len;
	read_flags(r);
	read_choice(r);
	if (r->why == NULL && r->p < r->end)
		refuse(r, "a parenthesis that was not opened");
	emit(r, OP_FOUND, 0, 0);
	if (r->why != NULL)
		*why = r->why;
	else
		p = malloc(sizeof(*p) + r->n * sizeof(p->step[0]));
	if (p != NULL) {
		p->n = r->n;
		p->nsets = r->nsets;
		memcpy(p->step, r->step, r->n * sizeof(p->step[0]));
		p->sets = malloc((r->nsets + 1) * sizeof(p->sets[0]));
		if (p->sets == NULL) {
			free(p);
			p = NULL;
		} else {
			memcpy(p->sets, r->sets, r->nsets * sizeof(p->sets[0]));
		}
	}
	free(r);
	return p;
}

void
pattern_free(struct pattern *p)
{
	if (p != NULL)
		free(p->sets);
	free(p);
}

size_t
pattern_bytes(const struct pattern *p)
{
	return sizeof(*p) + p->n * sizeof(p->step[0]) + p->nsets * sizeof(p->sets[0]);
}

/*
 * Searching
 */

/* Places of the row, each once; MARK: where in LIST, if it is there. */
struct places {
	unsigned n;
	uint16_t list[PATTERN_CODE], mark[PATTERN_CODE];
};

struct search {
	const struct pattern *pattern;
	const uint8_t *begin, *end;
	uint32_t *fuel;
	uint16_t stack[2 * PATTERN_CODE];
};

static bool
at_word(const struct search *s, const uint8_t *at)
{
	bool before = at > s->begin && is_word(at[-1]);
	bool behind = at < s->end && is_word(*at);

	return before != behind;
}

/* Is what a step demands of this place true? */
static bool
holds(const struct search *s, enum op op, const uint8_t *at)
{
	switch (op) {
	case OP_BEGIN:
		return at == s->begin;
	case OP_END:
		return at == s->end || (at + 1 == s->end && *at == '\n');
	case OP_VERY_END:
		return at == s->end;
	case OP_WORD:
		return at_word(s, at);
	case OP_NO_WORD:
		return !at_word(s, at);
	default:
		return false;
	}
}

/* Add PLACE and where it leads without a byte. True: one of them is the end. */
static bool
add(struct search *s, struct places *to, unsigned place, const uint8_t *at)
{
	unsigned n = 0;

	s->stack[n++] = (uint16_t)place;
	while (n > 0 && *s->fuel > 0) {
		const struct step *step;
		unsigned mark;

		place = s->stack[--n];
		mark = to->mark[place];
		--*s->fuel;
		if (mark < to->n && to->list[mark] == place)
			continue;
		to->mark[place] = (uint16_t)to->n;
		to->list[to->n++] = (uint16_t)place;
		step = &s->pattern->step[place];
		switch (step->op) {
		case OP_BYTE:
		case OP_SET:
			break;
		case OP_FOUND:
			return true;
		case OP_SPLIT:
			s->stack[n++] = (uint16_t)((int)place + step->b);
			/* fall through */
		case OP_JUMP:
			s->stack[n++] = (uint16_t)((int)place + step->a);
			break;
		default:
			if (holds(s, step->op, at))
				s->stack[n++] = (uint16_t)(place + 1);
		}
	}
	return false;
}

static bool
takes(const struct pattern *p, const struct step *step, uint8_t c)
{
	return step->op == OP_BYTE ? step->byte == c
	    : step->op == OP_SET   ? set_has(&p->sets[step->a], c)
				   : false;
}

bool
pattern_search(const struct pattern *p, const char *text, size_t len, uint32_t *fuel)
{
	struct search s = {.pattern = p, .begin = (const uint8_t *)text, .fuel = fuel};
	struct places a, b, *now = &a, *next = &b, *swap;
	const uint8_t *at;
	unsigned i;

	s.end = s.begin + len;
	memset(a.mark, 0, p->n * sizeof(a.mark[0]));
	memset(b.mark, 0, p->n * sizeof(b.mark[0]));
	now->n = 0;
	for (at = s.begin; *fuel > 0; at++) {
		if (add(&s, now, 0, at))
			return true;
		if (at == s.end)
			return false;
		next->n = 0;
		for (i = 0; i < now->n && *fuel > 0; i++) {
			unsigned place = now->list[i];

			--*fuel;
			if (takes(p, &p->step[place], *at) &&
			    add(&s, next, place + 1, at + 1))
				return true;
		}
		swap = now;
		now = next;
		next = swap;
	}
	return false;
}
