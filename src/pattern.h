/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern.h -- regular expressions that strangers write and that are searched for in what
 * other strangers send: the cost of a search is at most the expression's size times the
 * text's length, whatever they are, and is counted. Pure.
 *
 * As Python's re has them: . [a-z] [^...] ^ $ | ( ) (?: ) (?P<name> ) * + ? {m,n} and their
 * lazy forms, \d \w \s \b and the like, (?i) and (?s) at the beginning. Bytes, not
 * characters. What cannot be had at that cost is refused: back references and looking
 * ahead or behind.
 */
#ifndef MCPROBE_PATTERN_H
#define MCPROBE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_CODE 1000 /* steps an expression is made of at most */

struct pattern;

/* Read TEXT. NULL: *WHY, a constant text, says what is wrong. */
struct pattern	*pattern_new(const char *text, size_t len, const char **why);
void		 pattern_free(struct pattern *);
size_t		 pattern_bytes(const struct pattern *); /* memory it takes */

/* Is it found somewhere in TEXT? *FUEL is made less by each step; at 0 the search ends
 * without a find. */
bool		 pattern_search(const struct pattern *, const char *text, size_t len,
		     uint32_t *fuel);

#endif
