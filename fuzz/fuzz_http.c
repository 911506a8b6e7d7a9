/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_http.c -- HTTP/1.x as a parser and as a plugin.
 *
 *	byte 0	bit 0: records are split; bits 1, 2: when a response counts
 *	byte 1	how the parser's second reading is cut
 *	rest	packets: a byte of flags (bit 0: direction, 1: a gap comes before, 2: more
 *		was on the wire, 3: the last of its side), the length, 2 bytes; the gap and
 *		what is missing, 2 bytes each; the payload
 *
 * The parser says the same of what each side sent however it is cut. The plugin tells
 * each request once, and in no more bytes than there were. The rig checks reports' sizes
 * and that nothing is read outside.
 */
#include "fuzz.h"
#include "http_parse.h"
#include "plugin_rig.h"

const char fuzz_name[] = "http";

#define STREAM 65536

extern const struct mc_plugin mc_plugin_http;

/* What a parser said. */
struct said {
	uint64_t hash;
	unsigned steps;
	/* before the line at hand, if that began while the parser was lost: it says that
	   such a line is none, or leaves it out */
	bool trial;
	uint64_t hash_before;
	unsigned steps_before;
};

static void
note(struct said *s, const struct http_parser *h, enum http_step step)
{
	uint32_t i;

	if (step == HTTP_TEXT) { /* the same in any pieces */
		CHECK(
		    h->kind < HTTP_TEXTS && h->kind != HTTP_METHOD && h->piece_len > 0);
		for (i = 0; i < h->piece_len; i++) {
			s->hash = fuzz_hash(s->hash, &h->kind, 1);
			s->hash = fuzz_hash(s->hash, h->piece + i, 1);
		}
		return;
	}
	if (step == HTTP_BEGIN) {
		s->trial = h->lost;
		s->hash_before = s->hash;
		s->steps_before = s->steps;
	} else if (step == HTTP_LINE) {
		s->trial = false;
	} else if (step == HTTP_NOT && s->trial) {
		s->hash = s->hash_before;
		s->steps = s->steps_before;
		s->trial = false;
		return;
	}
	s->steps++;
	s->hash = fuzz_hash(s->hash, &step, sizeof(step));
	if (step != HTTP_LINE)
		return;
	CHECK(h->is == HTTP_REQUEST || h->is == HTTP_RESPONSE);
	CHECK(!h->lost && http_within(h));
	if (h->is == HTTP_REQUEST) {
		CHECK(h->status == 0 && h->word_len > 0 &&
		      h->word_len <= HTTP_METHOD_MAX);
		s->hash = fuzz_hash(s->hash, h->word, h->word_len);
	} else {
		CHECK(h->status >= 100 && h->status <= 999);
		s->hash = fuzz_hash(s->hash, &h->status, sizeof(h->status));
	}
}

/* CUT 0: whole; else pieces of up to that size. */
static struct said
read_stream(const uint8_t *data, size_t len, enum http_side side, unsigned cut)
{
	struct said s = {0};
	struct http_parser h;
	struct http_input in;
	uint32_t random = cut;
	size_t at = 0, n;

	http_parser_init(&h, side, false);
	while (at < len) {
		uint8_t *piece;
		enum http_step step;

		random = random * 1103515245u + 12345;
		n = cut == 0 ? len : 1 + (random >> 16) % cut;
		n = n < len - at ? n : len - at;
		piece = malloc(n); /* exact: a read beyond it shows */
		CHECK(piece != NULL);
		memcpy(piece, data + at, n);
		in = (struct http_input){piece, (uint32_t)n};
		do {
			const uint8_t *before = in.p;

			step = http_parse(&h, &in);
			CHECK(in.p >= before && in.p + in.len == piece + n);
			CHECK(step != HTTP_MORE || in.len == 0);
			if (step == HTTP_TEXT)
				CHECK(
				    h.piece >= piece && h.piece + h.piece_len <= in.p);
			if (step != HTTP_MORE)
				note(&s, &h, step);
			if (step == HTTP_HEAD)
				http_body(&h, http_framing(&h, false));
		} while (step != HTTP_MORE);
		free(piece);
		at += n;
	}
	return s;
}

static void
check_stream(const uint8_t *data, size_t len, unsigned cut)
{
	unsigned side;

	for (side = HTTP_ANY; side <= HTTP_RESPONSE; side++) {
		struct said whole = read_stream(data, len, (enum http_side)side, 0);
		struct said single = read_stream(data, len, (enum http_side)side, 1);
		struct said pieces =
		    read_stream(data, len, (enum http_side)side, 2 + cut);

		CHECK(whole.hash == single.hash && whole.steps == single.steps);
		CHECK(whole.hash == pieces.hash && whole.steps == pieces.steps);
	}
}

static uint64_t
counter(const struct rig *r, const char *name)
{
	unsigned i;

	for (i = 0; strcmp(mc_plugin_http.counters[i].name, name) != 0; i++)
		continue;
	return r->counters[i];
}

/* All that events say of KEY, added up. */
static uint64_t
sum(const char *events, const char *key)
{
	uint64_t n = 0;

	while ((events = strstr(events, key)) != NULL) {
		events += strlen(key);
		n += strtoull(events, NULL, 10);
	}
	return n;
}

static void
check_events(struct rig *r, uint64_t sent)
{
	/* quotes in texts are escaped: nothing else looks like that */
	unsigned of_requests = rig_lines(r->events, ",\"reqBytes\":");
	uint64_t requests = counter(r, "requests"), crowded = counter(r, "crowded");

	CHECK(of_requests + crowded == requests);
	CHECK(counter(r, "unanswered") <= requests);
	CHECK(counter(r, "unasked") <= counter(r, "responses"));
	CHECK(sum(r->events, ",\"reqBytes\":") + sum(r->events, ",\"respBytes\":") <=
	      sent);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const options[] = {
	    "response=begun", "response=whole", "response=tshark", NULL};
	static uint8_t stream[2][STREAM];
	struct input in = {data, len};
	size_t used[2] = {0, 0};
	struct mc_setup setup = {0};
	uint64_t sent = 0, us = 1000000;
	struct rig_flow *f;
	struct rig *r;
	unsigned how, cut;
	char err[128];

	how = input_u8(&in);
	cut = input_u8(&in);
	setup.split = (how & 1) != 0;
	r = rig_open_as(
	    &mc_plugin_http, options[how >> 1 & 3], &setup, err, sizeof(err));
	CHECK(r != NULL);
	f = rig_flow(r, 6, "10.0.0.1", 1234, "10.0.0.2", 80);
	f->match = MC_MATCH_YES;
	while (in.left > 0) {
		uint8_t flags = input_u8(&in);
		size_t n = input_u16(&in);
		struct mc_packet p = {
		    .ts_us = us++, .dir = flags & 1, .fin = flags >> 3 & 1};
		uint8_t *payload;

		if (flags & 2)
			p.gap = input_u16(&in);
		if (p.gap == 0xffff)
			p.gap = MC_GAP_START;
		p.wire_len = flags & 4 ? input_u16(&in) : 0;
		payload = input_frame(&in, &n);
		p.data = payload;
		p.len = (uint32_t)n;
		p.wire_len += p.len;
		sent += p.wire_len + (p.gap == MC_GAP_START ? 0 : p.gap);
		if (n > 0 && used[p.dir] + n <= STREAM) {
			memcpy(stream[p.dir] + used[p.dir], payload, n);
			used[p.dir] += n;
		}
		rig_packet(f, &p);
		free(payload);
	}
	rig_end(f, us);
	check_events(r, sent);
	rig_close(r);
	check_stream(stream[0], used[0], cut);
	check_stream(stream[1], used[1], cut);
	return 0;
}
