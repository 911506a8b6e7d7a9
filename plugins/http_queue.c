/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_queue.c -- requests that wait for their responses, packed in a flow's state.
 * The last may still be coming: it lies behind USED until its head is whole.
 */
#include "http_int.h"

#include <string.h>

/* A text of R, not terminated. */
const char *
http_request_text(const struct request *r, unsigned kind, size_t *len)
{
	const char *p = (const char *)(r + 1);
	unsigned i;

	*len = r->len[kind];
	for (i = 0; i < r->texts && r->order[i] != kind; i++)
		p += r->len[r->order[i]];
	return p;
}

bool
http_request_is(const struct request *r, const char *method)
{
	size_t len;
	const char *p = http_request_text(r, HTTP_METHOD, &len);

	return len == strlen(method) && memcmp(p, method, len) == 0;
}

/* A first line may begin: make room for the request it may be. */
void
http_request_open(struct state *s, uint64_t now_us)
{
	struct request *r = request_at(s, s->used);

	http_request_forget(s);
	if (s->crowded > 0 || s->requests == REQUESTS ||
	    QUEUE - s->used < (int)sizeof(*r) + HTTP_METHOD_MAX)
		return;
	memset(r, 0, sizeof(*r));
	r->first_us = r->last_us = now_us;
	r->size = sizeof(*r);
	s->last = s->used;
	s->writing = s->head = s->tentative = true;
}

/* The less room there is, the less of each. */
static size_t
text_limit(const struct state *s, unsigned kind)
{
	static const uint16_t limits[][HTTP_AGENT + 1] = {
	    {HTTP_METHOD_MAX, 24, 24, 0, 0},
	    {HTTP_METHOD_MAX, 64, 48, 0, 0},
	    {HTTP_METHOD_MAX, URL_MAX, HOST_MAX, REFERER_MAX, AGENT_MAX},
	};
	int room = QUEUE - s->used;

	return limits[room < QUEUE / 4 ? 0 : room < QUEUE / 2 ? 1 : 2][kind];
}

/* Blanks behind a value are not of it; only the last text can lose them. */
static void
request_trim(struct request *r)
{
	const char *p = (const char *)r + r->size;
	uint16_t *len;

	if (r->texts == 0)
		return;
	for (len = &r->len[r->order[r->texts - 1]]; *len > 0; (*len)--, r->size--)
		if (*--p != ' ' && *p != '\t' && *p != '\r')
			break;
}

void
http_request_add(struct state *s, unsigned kind, const void *text, size_t n)
{
	struct request *r = request_at(s, s->last);
	size_t room, limit;

	if (r->texts == 0 || r->order[r->texts - 1] != kind) {
		request_trim(r);
		if (r->texts > HTTP_AGENT)
			return;
		r->order[r->texts++] = (uint8_t)kind;
	}
	/* the method comes behind the target: it always finds room */
	room = QUEUE - s->last - r->size - (kind == HTTP_URL ? HTTP_METHOD_MAX : 0);
	limit = text_limit(s, kind) - r->len[kind];
	n = n < limit ? n : limit;
	n = n < room ? n : room;
	memcpy((uint8_t *)r + r->size, text, n);
	r->len[kind] = (uint16_t)(r->len[kind] + n);
	r->size = (uint16_t)(r->size + n);
}

/* What is known so far of the request being written. */
void
http_request_update(struct state *s)
{
	const struct side *d = &s->side[s->client];
	struct request *r = request_at(s, s->last);

	if (!s->writing || s->tentative)
		return;
	r->last_us = d->last_us;
	r->bytes = d->bytes;
}

/* The first of the queue has been told. */
void
http_request_pop(struct state *s)
{
	struct request *r = request_at(s, 0);
	size_t all = s->used, size = r->size;

	s->requests--;
	if (s->writing && s->last == 0) { /* its parser goes on, for nothing */
		s->writing = s->head = false;
		if (s->used == 0)
			return;
	}
	if (s->head)
		all += request_at(s, s->last)->size;
	memmove(s->queue, s->queue + size, all - size);
	s->used = (uint16_t)(s->used - size);
	if (s->writing)
		s->last = (uint16_t)(s->last - size);
}

void
http_request_close(struct state *s)
{
	struct request *r = request_at(s, s->last);

	request_trim(r);
	r->size = (uint16_t)((r->size + 7) & ~7);
	s->used = (uint16_t)(s->used + r->size);
	s->head = false;
}

void
http_request_forget(struct state *s)
{
	s->writing = s->head = s->tentative = false;
}
