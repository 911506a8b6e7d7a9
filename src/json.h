/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * json.h -- a writer of JSON text into a growing buffer. Pure. Foreign bytes are safe:
 * control characters are escaped, bytes that are not UTF-8 become U+FFFD.
 */
#ifndef MCPROBE_JSON_H
#define MCPROBE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct template;
struct record;

struct json {
	char *buf;  /* owned; not NUL-terminated */
	size_t len; /* bytes written */
	size_t cap;
	bool comma; /* the next member needs one before it */
	bool failed; /* out of memory: LEN is not to be trusted */
};

void	 json_init(struct json *);
void	 json_clear(struct json *);
void	 json_reset(struct json *); /* empty, memory kept */

void	 json_open(struct json *);	/* { */
void	 json_close(struct json *);	/* } */
/* Members of the open object. NAME is trusted (not escaped). */
void	 json_uint(struct json *, const char *name, uint64_t);
void	 json_fixed(struct json *, const char *name, uint64_t value, unsigned decimals); /* 1234, 3: 1.234 */
void	 json_string(struct json *, const char *name, const void *bytes, size_t len);
void	 json_bool(struct json *, const char *name, bool);
/* TEXT is JSON itself. */
void	 json_raw(struct json *, const char *name, const void *text, size_t len);
void	 json_char(struct json *, char);

/* The fields of TEMPLATE that RECORD has, as members of the open object. */
void	 json_members(struct json *, const struct template *, const struct record *,
	     bool ids);

/*
 * RECORD as one object by TEMPLATE's fields, then a newline. With IDS members are named
 * by element number ("8", or "35632.118").
 */
void	 json_record(struct json *, const struct template *, const struct record *, bool ids);

#define JSON_DEPTH 64 /* objects and arrays within each other */

/*
 * Is TEXT one JSON value (RFC 8259), in UTF-8, no deeper than JSON_DEPTH? Line breaks
 * may stand between its tokens, never within them. O(LEN), no memory.
 */
bool	 json_valid(const void *text, size_t len);

#endif
