/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_reply.c -- replies without an allocation each. A batch of 10,000 commands is
 * answered by an array of as many, mostly small numbers: hiredis' parser makes them of
 * chunks here, which are used again once the reply was handed on.
 */
#include "node_int.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 65536 /* bytes; a longer text has a chunk of its own */

struct reply_chunk {
	struct reply_chunk *next; /* older */
	size_t len, cap;
	_Alignas(16) char bytes[];
};

static void *
get(struct node_replies *m, size_t n)
{
	struct reply_chunk *c = m->chunk;
	size_t cap = n > CHUNK ? n : CHUNK;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (c == NULL || c->cap - c->len < n) {
		c = malloc(sizeof(*c) + cap + 15);
		if (c == NULL)
			return NULL;
		c->next = m->chunk;
		c->len = 0;
		c->cap = cap + 15;
		m->chunk = c;
	}
	p = c->bytes + c->len;
	c->len += n;
	return p;
}

void
node_replies_reset(struct node_replies *m)
{
	struct reply_chunk *c;

	while ((c = m->chunk) != NULL && (c->next != NULL || c->cap > CHUNK + 15)) {
		m->chunk = c->next;
		free(c);
	}
	if (c != NULL)
		c->len = 0;
}

void
node_replies_clear(struct node_replies *m)
{
	node_replies_reset(m);
	free(m->chunk);
	m->chunk = NULL;
}

/* A new one of TASK, in its array if it is of one. NULL: no memory. */
static redisReply *
reply_new(const redisReadTask *task, int type)
{
	redisReply *r = get(task->privdata, sizeof(*r)), *array;

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->type = type;
	if (task->parent != NULL) {
		array = task->parent->obj;
		array->element[task->idx] = r;
	}
	return r;
}

static void *
reply_string(const redisReadTask *task, char *text, size_t len)
{
	redisReply *r = reply_new(task, task->type);
	char *copy = r != NULL ? get(task->privdata, len + 1) : NULL;

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	r->str = copy;
	r->len = len;
	return r;
}

#if HIREDIS_MAJOR >= 1
typedef size_t elements;
#else
typedef int elements;
#endif

static void *
reply_array(const redisReadTask *task, elements n)
{
	redisReply *r = reply_new(task, REDIS_REPLY_ARRAY);
	size_t size = (size_t)n * sizeof(redisReply *);

	if (r == NULL || n == 0)
		return r;
	r->element = get(task->privdata, size);
	if (r->element == NULL)
		return NULL;
	memset(r->element, 0, size);
	r->elements = (size_t)n;
	return r;
}

static void *
reply_integer(const redisReadTask *task, long long n)
{
	redisReply *r = reply_new(task, REDIS_REPLY_INTEGER);

	if (r != NULL)
		r->integer = n;
	return r;
}

static void *
reply_nil(const redisReadTask *task)
{
	return reply_new(task, REDIS_REPLY_NIL);
}

/* All go at once. */
static void
reply_free(void *r)
{
	(void)r;
}

redisReader *
node_replies_reader(struct node_replies *m)
{
	/* the parser wants it writable, and writes nothing; RESP2 has no other kinds */
	static redisReplyObjectFunctions make = {.createString = reply_string,
		.createArray = reply_array, .createInteger = reply_integer,
		.createNil = reply_nil, .freeObject = reply_free};
	redisReader *r = redisReaderCreateWithFunctions(&make);

	if (r != NULL)
		r->privdata = m;
	return r;
}
