/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * glob.h -- Redis' patterns: * ? [a-c] [^a] \x. Pure, without recursion; the cost is at
 * most pattern times text.
 */
#ifndef MCPROBE_GLOB_H
#define MCPROBE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GLOB_MAX 256 /* bytes of a pattern from a client at most */

bool	 glob_match(const char *pattern, size_t plen, const char *text, size_t len);
/* The same; *FUEL is made less by each step, and at 0 there is no match. */
bool	 glob_match_within(const char *pattern, size_t plen, const char *text, size_t len,
	     uint32_t *fuel);

/*
 * The bytes every match begins with: copied to PREFIX (plen bytes of room), escapes
 * resolved. The length; *EXACT if the pattern is nothing but this text.
 */
size_t	 glob_prefix(const char *pattern, size_t plen, char *prefix, bool *exact);

#endif
