/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_resp.c -- requests of Redis clients.
 *
 *	byte 0	bit 0: small limits, else those of the server
 *	byte 1	how the third reading is cut, and what is fed before it looks
 *	rest	what a client sends
 *
 * The same requests and the same end are found when the bytes come as fast as the
 * parser takes them, one by one, and in pieces of any size; no limit is passed; memory
 * is in proportion to what has come; and what was found, written anew, is found again. Where
 * there is none, the parser says so and is not used any more.
 */
#include "fuzz.h"
#include "nomem.h"
#include "resp.h"

#include <stdbool.h>

const char fuzz_name[] = "resp";

#define KEPT 4096 /* bytes the parser may keep for nothing */

static const struct resp_limits limits[] = {
    {.args = 1024, .bulk = 1 << 20, .inline_bytes = 65536, .total = 1 << 20},
    {.args = 5, .bulk = 20, .inline_bytes = 40, .total = 90},
};

struct found {
	uint64_t hash; /* of all requests and the error */
	unsigned requests;
	size_t pending; /* of what is not whole */
	bool broken;
};

static uint64_t
hash_args(uint64_t h, const struct resp_parser *r)
{
	unsigned i;

	h = fuzz_hash(h, &r->nargs, sizeof(r->nargs));
	for (i = 0; i < r->nargs; i++) {
		h = fuzz_hash(h, &r->args[i].len, sizeof(r->args[i].len));
		h = fuzz_hash(h, r->args[i].p, r->args[i].len);
	}
	return h;
}

/* The request as an array, through a parser of its own. */
static void
check_again(const struct resp_parser *r)
{
	struct resp_parser again;
	struct respbuf b;
	unsigned i;

	respbuf_init(&b);
	resp_head(&b, '*', r->nargs);
	for (i = 0; i < r->nargs; i++)
		resp_bulk(&b, r->args[i].p, r->args[i].len);
	CHECK(!b.failed);
	resp_parser_init(&again, &r->limits);
	again.limits.total = b.len; /* an inline request is shorter than its array */
	CHECK(resp_feed(&again, b.buf, b.len));
	CHECK(resp_next(&again) == RESP_REQUEST);
	CHECK(hash_args(0, &again) == hash_args(0, r));
	CHECK(resp_pending(&again) == 0);
	CHECK(resp_next(&again) == RESP_MORE);
	resp_parser_clear(&again);
	respbuf_clear(&b);
}

static void
check_request(const struct resp_parser *r)
{
	size_t total = 0;
	unsigned i;

	CHECK(r->nargs <= r->limits.args);
	for (i = 0; i < r->nargs; i++) {
		CHECK(r->args[i].len <= r->limits.bulk);
		total += r->args[i].len;
	}
	CHECK(total <= r->limits.total);
}

/* All requests there are. False: the parser gave up. */
static bool
take(struct resp_parser *r, struct found *f, bool again)
{
	enum resp_result result;

	while ((result = resp_next(r)) == RESP_REQUEST) {
		check_request(r);
		f->hash = hash_args(f->hash, r);
		f->requests++;
		if (again)
			check_again(r);
	}
	CHECK(r->nargs == 0);
	if (result == RESP_MORE) {
		CHECK(resp_pending(r) < r->limits.total);
		return true;
	}
	CHECK(r->error != NULL && resp_next(r) == RESP_ERROR);
	f->hash = fuzz_hash(f->hash, r->error, strlen(r->error));
	f->broken = true;
	return false;
}

static void
check_memory(const struct resp_parser *r)
{
	size_t pending = resp_pending(r);

	CHECK(pending <= r->limits.total);
	CHECK(r->cap <= r->limits.total || r->cap <= 256);
	CHECK(r->nstart <= r->limits.args);
	CHECK(r->args_cap <= 2 * r->limits.args + 8);
}

/* STEPS 0: as much as fits; else N pseudo-random bytes at once, some of them unlooked at. */
static void
parse(const struct resp_limits *l, const uint8_t *data, size_t len, unsigned steps,
    bool again, struct found *f)
{
	uint32_t random = steps * 2654435761u + 1;
	struct resp_parser r;
	size_t at = 0, n, room;
	bool more = true;

	memset(f, 0, sizeof(*f));
	resp_parser_init(&r, l);
	while (at < len && more) {
		room = l->total - resp_pending(&r);
		CHECK(!resp_feed(&r, data, room + 1));
		n = steps == 0 ? room : 1 + (random >> 16) % steps;
		n = n < len - at ? n : len - at;
		random = random * 1103515245u + 12345;
		if (n <= room) {
			uint8_t *piece = malloc(n); /* exact: a read beyond it shows */

			CHECK(piece != NULL);
			memcpy(piece, data + at, n);
			CHECK(resp_feed(&r, piece, n));
			free(piece);
			at += n;
			check_memory(&r);
			if (steps > 1 && at < len && (random >> 20 & 3) == 0)
				continue;
		}
		more = take(&r, f, again);
	}
	f->pending = f->broken ? 0 : resp_pending(&r);
	if (!f->broken && f->pending == 0)
		CHECK(r.cap <= KEPT);
	resp_parser_clear(&r);
}

/* While memory ends: what is found is within limits until the parser gives up. */
static void
parse_little(const struct resp_limits *l, const uint8_t *data, size_t len, uint64_t seed)
{
	struct resp_parser r;
	struct found f = {0};
	size_t n;

	resp_parser_init(&r, l);
	nomem_some(seed);
	for (; len > 0; data += n, len -= n) {
		n = 1 + seed % 50;
		n = n < len ? n : len;
		if (n > l->total - resp_pending(&r) || !resp_feed(&r, data, n) ||
		    !take(&r, &f, false))
			break;
	}
	nomem_set(0, 0);
	resp_parser_clear(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct found whole, single, pieces;
	const struct resp_limits *l;

	if (len < 2)
		return 0;
	l = &limits[data[0] & 1];
	parse(l, data + 2, len - 2, 0, true, &whole);
	parse(l, data + 2, len - 2, 1, false, &single);
	parse(l, data + 2, len - 2, 1 + data[1] % 80, false, &pieces);
	CHECK(memcmp(&whole, &single, sizeof(whole)) == 0);
	CHECK(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	parse_little(l, data + 2, len - 2, fuzz_hash(UINT64_C(0xcbf29ce484222325), data, len));
	return 0;
}
