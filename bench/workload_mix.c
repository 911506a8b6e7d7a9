/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload_mix.c -- conversations from templates, side by side: of all kinds, or of HTTP
 * alone. A heap says whose turn it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

#define MIX_SECONDS  60
#define MIX_PACKETS  19 /* per conversation: begins enough of them */
#define MIX_CLIENTS  4000
#define HTTP_SECONDS 60
#define HTTP_PACKETS 33
#define HTTP_TURNS   8
#define QUIC_LEN     1252

/* How often each kind is, in thousandths, and the server's port. */
static const struct {
	enum kind kind;
	unsigned weight;
	uint16_t port;
	uint8_t proto;
} kinds[] = {
    {KIND_DNS, 330, 53, 17},
    {KIND_NTP, 20, 123, 17},
    {KIND_HTTP, 150, 80, 6},
    {KIND_TLS, 345, 443, 6},
    {KIND_QUIC, 105, 443, 17},
    {KIND_BULK, 3, 5001, 6},
    {KIND_SCAN, 47, 0, 6},
};

/* Conversations under way, the one whose turn it is first. */
struct heap {
	struct conversation *v;
	size_t n, cap;
};

static const uint32_t answer_least[] = {
    [KIND_HTTP] = 360, [KIND_TLS] = 70, [KIND_QUIC] = 200, [KIND_BULK] = 300000};
static const uint32_t answer_doublings[] = {
    [KIND_HTTP] = 6, [KIND_TLS] = 5, [KIND_QUIC] = 5, [KIND_BULK] = 2};

static void
begin_turn(struct conversation *c, struct rng *r)
{
	c->segment = 0;
	c->left = 1;
	if (c->kind == KIND_DNS || c->kind == KIND_NTP || c->kind == KIND_SCAN)
		return;
	c->left = rng_size(r, answer_least[c->kind], answer_doublings[c->kind]);
}

static unsigned
pick_kind(struct rng *r)
{
	unsigned pick = rng_below(r, 1000), i = 0;

	while (pick >= kinds[i].weight)
		pick -= kinds[i++].weight;
	return i;
}

/* Of the Ith kind. */
static void
conversation_begin(struct conversation *c, struct rng *r, unsigned i, uint64_t us,
    uint64_t order)
{
	memset(c, 0, sizeof(*c));
	c->due_us = us;
	c->order = order;
	c->kind = kinds[i].kind;
	c->proto = kinds[i].proto;
	c->phase = c->proto == 6 ? PHASE_SYN : PHASE_ASK;
	c->v6 = rng_below(r, 100) < 15;
	c->host[0] = CLIENT_NET + 0x10000 + rng_below(r, MIX_CLIENTS);
	c->host[1] = SERVER_NET +
	    (c->kind == KIND_DNS ? 53 : 0x100 + rng_below(r, SERVERS));
	c->port[0] = (uint16_t)(1024 + rng_below(r, 64000));
	c->port[1] = kinds[i].port ? kinds[i].port : (uint16_t)(1 + rng_below(r, 10000));
	c->seq[0] = (uint32_t)rng_next(r);
	c->seq[1] = (uint32_t)rng_next(r);
	c->rtt_us = rng_size(r, 2000, 6);
	c->name = rng_below(r, NAMES);
	c->id = (uint16_t)rng_next(r);
	c->turns = 1;
	if (c->kind == KIND_HTTP || c->kind == KIND_QUIC)
		c->turns += rng_below(r, 6);
	else if (c->kind == KIND_TLS)
		c->turns += 2 + rng_below(r, 16);
	begin_turn(c, r);
}

static void
ask(const struct out *o, struct rng *r, struct conversation *c, struct message *m)
{
	unsigned len = 100 + rng_below(r, 300);

	m->flags = PSH | ACK;
	switch (c->kind) {
	case KIND_DNS:
		say_dns(m, c);
		break;
	case KIND_NTP:
		say_ntp(m);
		break;
	case KIND_HTTP:
		say_http(m, c);
		break;
	case KIND_TLS:
		say_tls(o, r, m, c, len);
		if (c->turn > 0)
			fill(o, r, m, len);
		break;
	case KIND_QUIC:
		say_quic(o, r, m, c, len);
		break;
	default:
		fill(o, r, m, len);
	}
	m->gap_us = c->rtt_us;
	c->phase = PHASE_ANSWER;
}

static void
answer(const struct out *o, struct rng *r, struct conversation *c, struct message *m)
{
	unsigned full = c->kind == KIND_QUIC ? QUIC_LEN : c->v6 ? MSS - 20 : MSS;
	unsigned head = 0;

	m->from = 1;
	m->flags = ACK;
	m->gap_us = c->kind == KIND_BULK ? 200 + rng_below(r, 4000)
					 : 20 + rng_below(r, 200);
	if (c->kind == KIND_DNS)
		say_dns(m, c);
	else if (c->kind == KIND_NTP)
		say_ntp(m);
	else if (c->kind == KIND_HTTP && c->segment == 0) {
		say_http(m, c);
		head = m->len; /* goes in addition */
	} else if (c->kind == KIND_TLS && c->segment == 0)
		say_tls(o, r, m, c, c->left > 16000 ? 16000 : c->left);
	else if (c->kind == KIND_QUIC)
		say_quic(o, r, m, c, c->left < full ? c->left : full);
	if (c->kind >= KIND_HTTP && c->kind != KIND_QUIC) {
		unsigned room = full - m->len;

		fill(o, r, m, c->left < room ? c->left : room);
	}
	c->left -= c->left < m->len - head ? c->left : m->len - head;
	c->segment++;
	if (c->segment % 2 == 0 && c->kind != KIND_DNS && c->kind != KIND_NTP)
		c->phase = PHASE_ACK;
	else if (c->left == 0)
		c->phase = PHASE_FIN;
}

/* After an answer: the next question, or the end. */
static void
turn_over(struct conversation *c, struct rng *r, struct message *m)
{
	if (++c->turn < c->turns) {
		m->gap_us += rng_size(r, 1000, 9);
		begin_turn(c, r);
		c->phase = PHASE_ASK;
	} else if (c->proto != 6)
		c->phase = PHASE_OVER;
}

static void
acknowledge(const struct out *o, struct rng *r, struct conversation *c, struct message *m)
{
	m->flags = ACK;
	m->gap_us = 30 + rng_below(r, 100);
	if (c->kind == KIND_QUIC)
		say_quic(o, r, m, c, 35);
	c->phase = c->left > 0 ? PHASE_ANSWER : PHASE_FIN;
}

/* Send C's next packet and say when the one after it is due. */
static void
conversation_step(struct out *o, struct rng *r, struct conversation *c)
{
	struct message m;
	enum phase phase = c->phase;

	m.from = m.flags = m.len = 0;
	m.gap_us = c->rtt_us / 2;
	switch (phase) {
	case PHASE_SYN:
		m.flags = SYN;
		c->phase = c->kind == KIND_SCAN ? PHASE_OVER : PHASE_SYNACK;
		break;
	case PHASE_SYNACK:
		m.from = 1;
		m.flags = SYN | ACK;
		c->phase = PHASE_OPEN;
		break;
	case PHASE_OPEN:
		m.flags = ACK;
		m.gap_us = 100;
		c->phase = PHASE_ASK;
		break;
	case PHASE_ASK:
		ask(o, r, c, &m);
		break;
	case PHASE_ANSWER:
		answer(o, r, c, &m);
		break;
	case PHASE_ACK:
		acknowledge(o, r, c, &m);
		break;
	case PHASE_FIN:
	case PHASE_FIN_BACK:
		m.from = phase == PHASE_FIN_BACK;
		m.flags = FIN | ACK;
		c->phase = phase + 1;
		break;
	default:
		m.flags = ACK;
		c->phase = PHASE_OVER;
	}
	if (c->phase == PHASE_FIN && phase != PHASE_FIN)
		turn_over(c, r, &m);
	if (c->rubbish && m.len > 0)
		spoil_http(o, r, c, &m);
	emit(o, c, c->due_us, &m);
	c->seq[m.from] += m.len + ((m.flags & (SYN | FIN)) != 0);
	c->due_us += m.gap_us;
}

static bool
before(const struct conversation *a, const struct conversation *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

/* Put C into the heap, from place I towards the root. */
static void
heap_up(struct heap *h, size_t i, const struct conversation *c)
{
	while (i > 0 && before(c, &h->v[(i - 1) / 2])) {
		h->v[i] = h->v[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->v[i] = *c;
}

/* Put C where the root was, and further down if others come first. */
static void
heap_down(struct heap *h, const struct conversation *c)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && before(&h->v[child + 1], &h->v[child]))
			child++;
		if (!before(&h->v[child], c))
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = *c;
}

static void
heap_push(struct heap *h, const struct conversation *c)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 1024;
		h->v = realloc(h->v, h->cap * sizeof(*h->v));
		if (h->v == NULL)
			abort();
	}
	heap_up(h, h->n++, c);
}

/* Conversations of ONE of the kinds, -1: of all, one every GAP_US, until there are packets
 * enough. */
static void
side_by_side(struct out *o, struct rng *r, int one, uint64_t gap_us,
    void (*begun)(struct conversation *, struct rng *))
{
	uint64_t next_us = 0, conversations = 0;
	struct heap h = {0};
	struct conversation c;

	while (o->packets < o->limit) {
		/* a new one begins when no other has anything to say before it */
		if (h.n == 0 || h.v[0].due_us >= next_us) {
			conversation_begin(&c, r, one < 0 ? pick_kind(r) : (unsigned)one,
			    next_us, conversations++);
			if (begun != NULL)
				begun(&c, r);
			next_us += gap_us;
			heap_push(&h, &c);
			continue;
		}
		c = h.v[0];
		conversation_step(o, r, &c);
		if (c.phase == PHASE_OVER && --h.n > 0)
			c = h.v[h.n];
		if (h.n > 0)
			heap_down(&h, &c);
	}
	free(h.v);
	printf("%llu conversations, ", (unsigned long long)conversations);
}

static uint64_t
gap_us(const struct out *o, unsigned seconds, unsigned packets)
{
	return (uint64_t)seconds * SECOND_US / (o->limit / packets + 1) + 1;
}

void
make_mix(struct out *o, struct rng *r)
{
	side_by_side(o, r, -1, gap_us(o, MIX_SECONDS, MIX_PACKETS), NULL);
}

static void
keep_alive(struct conversation *c, struct rng *r)
{
	c->turns = 1 + rng_below(r, HTTP_TURNS);
	c->v6 = false;
}

void
make_http(struct out *o, struct rng *r)
{
	side_by_side(o, r, KIND_HTTP, gap_us(o, HTTP_SECONDS, HTTP_PACKETS), keep_alive);
}

static void
keep_alive_bad(struct conversation *c, struct rng *r)
{
	keep_alive(c, r);
	c->rubbish = true;
}

void
make_httpbad(struct out *o, struct rng *r)
{
	side_by_side(o, r, KIND_HTTP, gap_us(o, HTTP_SECONDS, HTTP_PACKETS),
	    keep_alive_bad);
}
