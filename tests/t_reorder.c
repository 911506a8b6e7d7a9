/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_reorder.c -- streams from segments: order, holes, repeats, ends; and against a model,
 * a stream cut, shuffled and repeated at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reorder.h"

struct rig {
	struct reorder r;
	struct pool pool;
	char text[65536]; /* what was taken: octets, and <gap>, <start>, <fin> of side 0 */
	size_t len;
	unsigned pieces, stop; /* false at the piece STOP, 0: never */
	uint64_t ts_us;
};

static void
put(struct rig *g, const void *bytes, size_t len)
{
	assert_true(g->len + len < sizeof(g->text));
	memcpy(g->text + g->len, bytes, len);
	g->len += len;
	g->text[g->len] = '\0';
}

/* reorder_cb */
static bool
take(void *arg, const struct mc_packet *p)
{
	struct rig *g = arg;
	char mark[32];

	if (p->dir == 1)
		put(g, "|", 1);
	if (p->gap != 0) {
		snprintf(mark, sizeof(mark), p->gap == MC_GAP_START ? "<start>" : "<%u>",
		    p->gap);
		put(g, mark, strlen(mark));
	}
	put(g, p->data != NULL ? p->data : (const uint8_t *)"", p->len);
	if (p->wire_len > p->len)
		put(g, "...", 3);
	if (p->fin)
		put(g, "<fin>", 5);
	if (p->dir == 1)
		put(g, "|", 1);
	return ++g->pieces != g->stop;
}

static int
setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));

	pool_init(&g->pool, REORDER_OBJECT, 64);
	*state = g;
	return g == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct rig *g = *state;

	reorder_clear(&g->r, &g->pool);
	assert_int_equal(g->pool.used, 0); /* nothing is kept but in the streams */
	pool_clear(&g->pool);
	free(g);
	return 0;
}

static struct reorder_sink
sink(struct rig *g)
{
	return (struct reorder_sink){take, g, &g->pool};
}

static bool
send(struct rig *g, unsigned side, uint32_t seq, const char *text, unsigned flags)
{
	const struct reorder_sink k = sink(g);
	struct packet p = {.seq = seq, .tcp_flags = (uint8_t)flags, .ts_us = ++g->ts_us};

	p.payload_len = p.payload_wire = (uint32_t)strlen(text);
	p.payload = p.payload_len > 0 ? (const uint8_t *)text : NULL;
	return reorder_packet(&g->r, &k, &p, side);
}

static bool
ack(struct rig *g, unsigned side, uint32_t number)
{
	const struct reorder_sink k = sink(g);
	struct packet p = {.ack = number, .tcp_flags = TCP_ACK, .ts_us = ++g->ts_us};

	return reorder_packet(&g->r, &k, &p, side);
}

static void
test_in_order(void **state)
{
	struct rig *g = *state;

	send(g, 0, 99, "", TCP_SYN);
	send(g, 1, 499, "", TCP_SYN | TCP_ACK);
	send(g, 0, 100, "abc", TCP_ACK);
	send(g, 0, 103, "de", TCP_ACK);
	send(g, 1, 500, "xy", TCP_ACK);
	send(g, 0, 105, "f", TCP_FIN);
	send(g, 1, 502, "", TCP_FIN);
	assert_string_equal(g->text, "abcde|xy|f<fin>|<fin>|");
	assert_int_equal(g->pool.made, 0); /* nothing was copied */
	send(g, 0, 106, "late", 0);
	assert_string_equal(g->text, "abcde|xy|f<fin>|<fin>|");
}

static void
test_syn_with_data(void **state)
{
	struct rig *g = *state;

	send(g, 0, 99, "abc", TCP_SYN);
	send(g, 0, 99, "abc", TCP_SYN);
	send(g, 0, 103, "d", 0);
	assert_string_equal(g->text, "abcd");
	/* another connection on the same ports */
	send(g, 0, 5000, "", TCP_SYN);
	send(g, 0, 5001, "new", 0);
	assert_string_equal(g->text, "abcdnew");
}

/* A SYN where there is a stream: it goes on, or another begins. */
static void
test_syn_within(void **state)
{
	struct rig *g = *state;

	send(g, 0, 99, "", TCP_SYN);
	send(g, 0, 100, "abc", 0);
	send(g, 0, 105, "early", 0);
	send(g, 0, 70000, "", TCP_SYN); /* stray */
	send(g, 0, 103, "de", 0);
	assert_string_equal(g->text, "abcdeearly");
	send(g, 0, 70001, "not this one", 0); /* an early octet like any */
	assert_string_equal(g->text, "abcdeearly");
	send(g, 0, 5000, "", TCP_SYN);
	send(g, 0, 5000, "", TCP_SYN);
	send(g, 0, 5001, "new", 0); /* what was kept of the old is forgotten */
	send(g, 0, 5004, "er", TCP_FIN);
	assert_string_equal(g->text, "abcdeearlynewer<fin>");
	assert_int_equal(g->pool.used, 0);
	send(g, 0, 99, "next", TCP_SYN);
	assert_string_equal(g->text, "abcdeearlynewer<fin>next");
}

/* The window is full, and what comes fills holes: it is not left out. */
static void
test_full_at_hand(void **state)
{
	struct rig *g = *state;
	uint32_t i;

	send(g, 0, 99, "", TCP_SYN);
	for (i = 0; i < REORDER_SEGMENTS; i++)
		send(g, 0, 120 + 10 * i, "x", 0);
	send(g, 0, 110, "a", 0);
	assert_string_equal(g->text, "<10>a");
	send(g, 0, 111, "bcdefghij", 0);
	assert_string_equal(g->text, "<10>abcdefghijx");
}

/* The first copy counts: where octets follow there is no end. */
static void
test_fin_within(void **state)
{
	struct rig *g = *state;

	send(g, 0, 99, "", TCP_SYN);
	send(g, 0, 103, "defg", 0);
	send(g, 0, 103, "de", TCP_FIN);
	send(g, 0, 110, "", TCP_FIN);
	send(g, 0, 110, "", TCP_FIN);
	assert_int_equal(g->pool.used, 2);
	send(g, 0, 100, "abc", 0);
	send(g, 0, 107, "hij", 0);
	assert_string_equal(g->text, "abcdefghij<fin>");
}


static void
test_middle(void **state)
{
	struct rig *g = *state;

	send(g, 0, 7, "abc", 0);
	send(g, 1, 9, "xyz", 0);
	send(g, 0, 10, "d", 0);
	assert_string_equal(g->text, "<start>abc|<start>xyz|d");
}

static void
test_overtaken(void **state)
{
	struct rig *g = *state;

	reorder_began(&g->r, 0, UINT32_MAX - 3); /* the numbers wrap within */
	send(g, 0, UINT32_MAX - 2, "ab", 0);
	send(g, 0, 2, "ef", 0);
	send(g, 0, 4, "gh", TCP_FIN);
	assert_string_equal(g->text, "ab");
	send(g, 0, UINT32_MAX, "c", 0);
	assert_string_equal(g->text, "abc");
	send(g, 0, 0, "dd", 0);
	assert_string_equal(g->text, "abcddefgh<fin>");
}

static void
test_repeated(void **state)
{
	struct rig *g = *state;

	reorder_began(&g->r, 0, 99);
	send(g, 0, 100, "abcd", 0);
	send(g, 0, 100, "ABCD", 0);
	send(g, 0, 102, "CDef", 0);
	assert_string_equal(g->text, "abcdef");
	/* kept ones: what came first counts, before, within and behind */
	send(g, 0, 110, "kl", 0);
	send(g, 0, 108, "ijKLmn", 0);
	send(g, 0, 107, "hIJKLMNop", TCP_FIN);
	send(g, 0, 106, "gHIJ", 0);
	assert_string_equal(g->text, "abcdefghijklmnop<fin>");
}

static void
test_window_full(void **state)
{
	struct rig *g = *state;
	unsigned i;

	reorder_began(&g->r, 0, 0);
	send(g, 0, 1, "a", 0);
	for (i = 0; i < REORDER_SEGMENTS; i++)
		send(g, 0, 10 + 2 * i, "x", 0);
	assert_string_equal(g->text, "a");
	send(g, 0, 100, "z", 0); /* one too many: the first hole is given up */
	assert_string_equal(g->text, "a<8>x");
	send(g, 0, 2, "late", 0);
	assert_string_equal(g->text, "a<8>x");
	send(g, 0, 11, "y", 0);
	assert_string_equal(g->text, "a<8>xyx");
}

static void
test_no_memory(void **state)
{
	struct rig *g = *state;

	g->pool.max = 1;
	reorder_began(&g->r, 0, 0);
	reorder_began(&g->r, 1, 0);
	send(g, 0, 5, "e", 0);
	send(g, 1, 5, "E", 0); /* nothing to keep it in */
	assert_string_equal(g->text, "|<4>E|");
	send(g, 1, 6, "F", 0);
	assert_string_equal(g->text, "|<4>E||F|");
}

static void
test_old_hole(void **state)
{
	struct rig *g = *state;

	reorder_began(&g->r, 0, 0);
	send(g, 0, 3, "c", 0);
	g->ts_us += REORDER_HOLE_US - 1;
	send(g, 1, 50, "", TCP_ACK); /* any packet of the connection tells the time */
	assert_string_equal(g->text, "");
	send(g, 1, 50, "", 0);
	assert_string_equal(g->text, "<2>c");
}

static void
test_acknowledged(void **state)
{
	struct rig *g = *state;

	reorder_began(&g->r, 0, 0);
	send(g, 0, 3, "c", 0);
	ack(g, 1, 2);
	assert_string_equal(g->text, "");
	ack(g, 1, 4);
	assert_string_equal(g->text, "<2>c");
	/* what comes behind a hole that was acknowledged before is not kept at all */
	ack(g, 1, 9);
	send(g, 0, 9, "i", 0);
	assert_string_equal(g->text, "<2>c<5>i");
	assert_int_equal(g->pool.used, 0);
}

static void
test_reset(void **state)
{
	struct rig *g = *state;

	reorder_began(&g->r, 0, 0);
	reorder_began(&g->r, 1, 0);
	send(g, 0, 1, "a", 0);
	send(g, 0, 4, "d", 0);
	send(g, 1, 1 << 30, "", TCP_RST); /* not of this connection */
	assert_string_equal(g->text, "a");
	send(g, 1, 1, "", TCP_RST);
	assert_string_equal(g->text, "a<2>d<fin>|<fin>|");
	send(g, 0, 5, "e", 0);
	assert_string_equal(g->text, "a<2>d<fin>|<fin>|");
}

static void
test_flush(void **state)
{
	struct rig *g = *state;
	const struct reorder_sink k = sink(g);

	reorder_began(&g->r, 0, 0);
	send(g, 0, 3, "c", 0);
	send(g, 0, 5, "e", 0);
	send(g, 0, 9, "", TCP_FIN);
	assert_true(reorder_flush(&g->r, &k));
	assert_string_equal(g->text, "<2>c<1>e<3><fin>");
}

static void
test_not_captured(void **state)
{
	struct rig *g = *state;
	const struct reorder_sink k = sink(g);
	struct packet p = {.seq = 1, .payload = (const uint8_t *)"abc", .payload_len = 3,
		.payload_wire = 10};

	reorder_began(&g->r, 0, 0);
	reorder_packet(&g->r, &k, &p, 0);
	p = (struct packet){.seq = 11, .payload_wire = 4};
	reorder_packet(&g->r, &k, &p, 0);
	send(g, 0, 15, "z", 0);
	assert_string_equal(g->text, "abc...<4>z");
}

static void
test_stop(void **state)
{
	struct rig *g = *state;

	reorder_began(&g->r, 0, 0);
	send(g, 0, 2, "b", 0);
	send(g, 0, 3, "c", 0);
	g->stop = 2;
	assert_false(send(g, 0, 1, "a", 0));
	assert_string_equal(g->text, "ab");
}

/* Nobody has decided yet: all is kept, shown, and handed on in the order it came. */
static void
test_kept(void **state)
{
	struct rig *g = *state;
	const struct reorder_sink keep = {NULL, NULL, &g->pool}, k = sink(g);
	struct packet p = {.seq = 1, .payload = (const uint8_t *)"GE", .payload_len = 2,
		.payload_wire = 2};
	uint8_t buf[8];
	uint32_t gap;

	reorder_began(&g->r, 0, 0);
	assert_true(reorder_packet(&g->r, &keep, &p, 0));
	p.seq = 700;
	p.payload = (const uint8_t *)"hi";
	assert_true(reorder_packet(&g->r, &keep, &p, 1));
	p.seq = 3;
	p.payload = (const uint8_t *)"T ";
	assert_true(reorder_packet(&g->r, &keep, &p, 0));
	assert_int_equal(reorder_peek(&g->r, 0, buf, sizeof(buf), &gap), 4);
	assert_memory_equal(buf, "GET ", 4);
	assert_int_equal(gap, 0);
	assert_int_equal(reorder_peek(&g->r, 0, buf, 3, &gap), 3);
	assert_int_equal(reorder_peek(&g->r, 1, buf, sizeof(buf), &gap), 2);
	assert_true(gap == MC_GAP_START);
	assert_int_equal(g->len, 0);
	assert_true(reorder_release(&g->r, &k));
	assert_string_equal(g->text, "GE|<start>hi|T ");
	/* a hole before what is kept */
	p.seq = 10;
	assert_true(reorder_packet(&g->r, &keep, &p, 0));
	assert_false(reorder_give_up(&g->r, 0, 0, false));
	assert_true(reorder_give_up(&g->r, 0, 0, true));
	assert_true(reorder_release(&g->r, &k));
	assert_string_equal(g->text, "GE|<start>hi|T <5>T ");
}

#define MODEL 40000

/* One long packet, out of order: many segments. */
static void
test_jumbo(void **state)
{
	struct rig *g = *state;
	char *text = malloc(MODEL + 1);
	unsigned i;

	for (i = 0; i < MODEL; i++)
		text[i] = (char)('a' + i % 26);
	text[MODEL] = '\0';
	reorder_began(&g->r, 0, 0);
	text[9000] = '\0';
	send(g, 0, 3, text + 2, 0);
	text[9000] = (char)('a' + 9000 % 26);
	assert_int_equal(g->len, 0);
	assert_int_equal(g->pool.used, 5);
	send(g, 0, 1, "ab", 0);
	assert_int_equal(g->len, 9000);
	assert_memory_equal(g->text, text, 9000);
	/* longer than the window: what fits is kept, the hole given up, the rest follows */
	send(g, 0, 9002, text + 9001, 0);
	assert_memory_equal(g->text + 9000, "<1>", 3);
	assert_memory_equal(g->text + 9003, text + 9001, MODEL - 9001);
	assert_int_equal(g->len, MODEL + 2);
	free(text);
}

/* Segments of random places and sizes, most near the front: the stream is the model's. */
static void
test_model(void **state)
{
	struct rig *g = *state;
	char text[4001];
	uint32_t rnd = 1, front;
	unsigned i, round;

	for (i = 0; i < 4000; i++)
		text[i] = (char)('a' + i % 23);
	text[4000] = '\0';
	for (round = 0; round < 300; round++) {
		reorder_clear(&g->r, &g->pool);
		memset(&g->r, 0, sizeof(g->r));
		g->len = 0;
		reorder_began(&g->r, 0, round * 0x01234567);
		for (front = 0; front < 4000;) {
			uint32_t at, len;
			char piece[64];

			rnd = rnd * 1664525 + 1013904223;
			at = front + (rnd >> 8) % 60;
			at = at > 20 ? at - 20 : 0;
			len = 1 + (rnd >> 16) % 40;
			if (at >= 4000)
				continue;
			if (len > 4000 - at)
				len = 4000 - at;
			memcpy(piece, text + at, len);
			piece[len] = '\0';
			send(g, 0, round * 0x01234567 + 1 + at, piece, 0);
			front = (uint32_t)g->len;
			assert_memory_equal(g->text, text, g->len > 4000 ? 4000 : g->len);
			while (g->r.side[0].segments > 2) {
				/* fill the hole before a gap is told */
				len = g->r.side[0].head->seq - g->r.side[0].next;
				memcpy(piece, text + front, len);
				piece[len] = '\0';
				send(g, 0, g->r.side[0].next, piece, 0);
				front = (uint32_t)g->len;
			}
		}
		assert_string_equal(g->text, text);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_syn_with_data),
		TEST(test_syn_within),
		TEST(test_full_at_hand),
		TEST(test_fin_within),
		TEST(test_middle),
		TEST(test_overtaken),
		TEST(test_repeated),
		TEST(test_window_full),
		TEST(test_no_memory),
		TEST(test_old_hole),
		TEST(test_acknowledged),
		TEST(test_reset),
		TEST(test_flush),
		TEST(test_not_captured),
		TEST(test_stop),
		TEST(test_kept),
		TEST(test_jumbo),
		TEST(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
