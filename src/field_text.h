/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field_text.h -- one field of a record as text for people: what JSON shows, without its
 * quotes and escapes. Pure.
 */
#ifndef MCPROBE_FIELD_TEXT_H
#define MCPROBE_FIELD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "field.h"

/* The longest text: a string of bytes that are all replaced by three. */
#define FIELD_TEXT_MAX (3 * FIELD_STRING_MAX)

/*
 * Write the text into BUF, FIELD_TEXT_MAX bytes at least, without a NUL; *LEN is its
 * length. False: the record has no such field, or BUF is too small. Strings are UTF-8: other
 * bytes become U+FFFD, control characters stay.
 */
bool	 field_text(const struct field *, const struct record *, char *buf, size_t size,
	     size_t *len);

#endif
