/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_rig.h -- a key tree on a bench: a clock that is moved by hand, nodes by the sum
 * of a name's bytes, and what they take as text, one line per operation.
 */
#ifndef CLOUD_RIG_H
#define CLOUD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud.h"

#define START_MS 5000000000u /* of the clock: any number will do */

struct rig {
	struct counters counters;
	struct cloud_setup setup;
	struct cloud *c;
	uint64_t now_ms; /* since START_MS */
	char ops[65536]; /* what was taken last */
	size_t len;
};

static unsigned
rig_node_of(void *arg, const char *name, size_t len)
{
	const struct rig *r = arg;
	unsigned sum = 0;

	while (len-- > 0)
		sum += (uint8_t)name[len];
	return sum % r->setup.nnodes;
}

static inline struct rig *
rig_new(unsigned nnodes, uint32_t ttl_s, uint32_t max_keys)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->setup = (struct cloud_setup){.ttl_s = ttl_s,
	    .max_keys = max_keys,
	    .seed = 0x5eed,
	    .counters = &r->counters,
	    .nnodes = nnodes,
	    .node_of = rig_node_of,
	    .arg = r};
	r->c = cloud_new(&r->setup);
	assert_non_null(r->c);
	cloud_clock(r->c, START_MS);
	return r;
}

static inline void
rig_free(struct rig *r)
{
	cloud_free(r->c);
	free(r);
}

static inline void
rig_pass(struct rig *r, uint64_t ms)
{
	r->now_ms += ms;
	cloud_clock(r->c, START_MS + r->now_ms);
}

static inline uint64_t
rig_counter(const struct rig *r, enum counter id)
{
	return counter_get(&r->counters, id);
}

static void
rig_op(void *arg, const struct cloud_op *op)
{
	static const char *const name[] = {"HINCRBY", "HSET", "HSETNX", "HMIN", "HDEL",
	    "SET", "ZINCRBY", "ZTRIM", "EXPIRE", "EXPIRE_IF", "PERSIST", "DEL"};
	struct rig *r = arg;
	char *p = r->ops + r->len;
	size_t room = sizeof(r->ops) - r->len;
	int n;

	n = snprintf(p, room, "%s%s %.*s", name[op->kind], op->alive ? "!" : "",
	    (int)op->key_len, op->key);
	if (op->field != NULL)
		n += snprintf(
		    p + n, room - (size_t)n, " %.*s", (int)op->field_len, op->field);
	if (op->text != NULL)
		n += snprintf(
		    p + n, room - (size_t)n, " \"%.*s\"", (int)op->len, op->text);
	if (op->text == NULL || op->kind == CLOUD_OP_EXPIRE_IF)
		n += snprintf(p + n, room - (size_t)n, " %lld", (long long)op->number);
	n += snprintf(p + n, room - (size_t)n, "\n");
	assert_true((size_t)n < room);
	r->len += (size_t)n;
}

/* What NODE takes, as text. */
static inline const char *
rig_take(struct rig *r, unsigned node, unsigned max_ops)
{
	r->len = 0;
	r->ops[0] = '\0';
	cloud_take(r->c, node, max_ops, rig_op, r);
	return r->ops;
}

/* KEY as "field=value field=value"; "-" if there is none. Borrowed until the next. */
static inline const char *
rig_show(const struct rig *r, const char *key)
{
	static char text[8192];
	const struct cloud_key *k = cloud_find(r->c, key, strlen(key));
	struct cloud_item item;
	unsigned i;
	size_t at = 0;

	if (k == NULL)
		return "-";
	text[0] = '\0';
	if (cloud_key_type(k) == CLOUD_STRING) {
		cloud_key_string(k, &item);
		snprintf(text, sizeof(text), "%.*s", (int)item.len, item.text);
		return text;
	}
	for (i = 0; i < cloud_key_count(k); i++) {
		cloud_key_at(k, i, &item);
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "%s%.*s=", i > 0 ? " " : "", (int)item.name_len, item.name);
		if (item.text != NULL)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s",
			    (int)item.len, item.text);
		else
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%lld",
			    (long long)item.number);
		assert_true(at < sizeof(text));
	}
	return text;
}

static inline struct cloud_key *
rig_key(struct rig *r, unsigned tree, const char *id)
{
	return cloud_key(r->c, tree, id, strlen(id));
}

/* The key of an address. */
static inline struct cloud_key *
rig_ip(struct rig *r, unsigned tree, const char *text)
{
	uint8_t a[16];

	assert_int_equal(keyname_read_addr(a, text, strlen(text)), 0);
	return cloud_key(r->c, tree, a, sizeof(a));
}

#endif
