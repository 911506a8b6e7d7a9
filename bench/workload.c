/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.c -- writes the captures of the bench: a few hundred MB a second, the same
 * bytes for the same arguments everywhere.
 *
 *	mix	conversations from templates, side by side within a minute of packet time
 *	small	60-byte frames, five to a five-tuple, all tuples alive, in random order
 *	dns	queries and their answers, one conversation each
 *
 * Addresses are of the ranges for private use, benchmarks and documentation (RFC 1918,
 * 2544, 3849). IPv4 checksums are right; those of TCP and UDP are 0, as no probe looks.
 * One file for all three, so that a compiler and nothing else can build it.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_S	     1700000000 /* 2023-11-14 22:13:20 UTC */
#define SECOND_US    1000000
#define MIX_SECONDS  60
#define MIX_PACKETS  16 /* per conversation, on average */
#define DNS_GAP_US   50
#define SMALL_GAP_US 5
#define SMALL_EACH   5 /* packets per five-tuple */
#define CLIENTS	     4000
#define SERVERS	     3000
#define DNS_CLIENTS  50000
#define NAMES	     20000
#define MSS	     1448
#define QUIC_LEN     1252
#define FRAME_MAX    2048
#define BUFFER	     (4 << 20)
#define FILLER	     65536

#define FIN 0x01
#define SYN 0x02
#define PSH 0x08
#define ACK 0x10

struct rng {
	uint64_t s;
};

struct out {
	int fd;
	uint8_t *buf;
	size_t len;
	uint64_t packets, octets; /* octets: of frames */
	uint64_t limit;		  /* packets */
	uint8_t filler[FILLER];	  /* random: payload that means nothing */
};

enum kind {
	KIND_DNS,
	KIND_NTP,
	KIND_HTTP,
	KIND_TLS,
	KIND_QUIC,
	KIND_BULK,
	KIND_SCAN, /* a SYN that nobody answers */
};

/* How often each kind is, in thousandths, and the server's port. */
static const struct {
	enum kind kind;
	unsigned weight;
	uint16_t port;
	uint8_t proto;
} kinds[] = {
    {KIND_DNS, 430, 53, 17},
    {KIND_NTP, 20, 123, 17},
    {KIND_HTTP, 110, 80, 6},
    {KIND_TLS, 280, 443, 6},
    {KIND_QUIC, 110, 443, 17},
    {KIND_BULK, 3, 5001, 6},
    {KIND_SCAN, 47, 0, 6},
};

enum phase {
	PHASE_SYN,
	PHASE_SYNACK,
	PHASE_OPEN,
	PHASE_ASK,
	PHASE_ANSWER,
	PHASE_ACK, /* the client's, after every second segment */
	PHASE_FIN,
	PHASE_FIN_BACK,
	PHASE_LAST,
	PHASE_OVER,
};

/* Addresses are by number: client 10.0.0.0/8, server 198.18.0.0/15, or 2001:db8::/32. */
struct conversation {
	uint64_t due_us; /* of its next packet */
	uint64_t order;	 /* breaks ties: the same order everywhere */
	enum kind kind;
	enum phase phase;
	uint8_t proto;
	bool v6;
	uint32_t host[2]; /* client, server */
	uint16_t port[2];
	uint32_t seq[2];
	uint32_t rtt_us;
	uint32_t turn, turns;	/* requests so far, and in all */
	uint32_t left, segment; /* of the answer: octets to come, segments gone */
	uint32_t name;
	uint16_t id;
};

/* A packet that a conversation sends. */
struct message {
	unsigned from; /* 0 client, 1 server */
	unsigned flags;
	uint8_t data[FRAME_MAX]; /* LEN bytes */
	unsigned len;
	uint64_t gap_us; /* until the next */
};

/* Conversations under way, the one whose turn it is first. */
struct heap {
	struct conversation *v;
	size_t n, cap;
};

/* Steele, Lea, Flood 2014: SplitMix64. */
static uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

/* LEAST and more, each of DOUBLINGS powers of two as likely as the others. */
static uint32_t
rng_size(struct rng *r, uint32_t least, uint32_t doublings)
{
	uint32_t base = least << rng_below(r, doublings);

	return base + rng_below(r, base);
}

static uint8_t *
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *
put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint8_t *
put_bytes(uint8_t *p, const void *bytes, size_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

/*
 * Frames
 */
static void
out_flush(struct out *o)
{
	size_t at = 0;

	while (at < o->len) {
		ssize_t n = write(o->fd, o->buf + at, o->len - at);

		if (n <= 0) {
			perror("workload: write");
			exit(1);
		}
		at += (size_t)n;
	}
	o->len = 0;
}

static uint8_t *
put_ip4(uint8_t *p, const struct conversation *c, unsigned from, unsigned len)
{
	const uint32_t net[2] = {0x0a000000, 0xc6120000};
	uint8_t *start = p;
	uint32_t sum = 0;
	unsigned i;

	p = put16(p, 0x4500);
	p = put16(p, 20 + len);
	p = put16(p, c->id);
	p = put16(p, 0x4000);
	p = put16(p, (from ? 57u : 64u) << 8 | c->proto);
	p = put16(p, 0);
	p = put32(p, net[from] + c->host[from]);
	p = put32(p, net[!from] + c->host[!from]);
	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)start[i] << 8 | start[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(start + 10, ~(sum + (sum >> 16)) & 0xffff);
	return p;
}

static uint8_t *
put_ip6(uint8_t *p, const struct conversation *c, unsigned from, unsigned len)
{
	unsigned i;

	p = put32(p, 0x60000000);
	p = put16(p, len);
	p = put16(p, (unsigned)c->proto << 8 | (from ? 57u : 64u));
	for (i = 0; i < 2; i++) {
		unsigned who = i ? !from : from;

		p = put32(p, 0x20010db8);
		p = put32(p, who ? 0xaaaa0000 : 0x00100000);
		p = put32(p, 0);
		p = put32(p, c->host[who]);
	}
	return p;
}

/* One record of the file, with the frame in it. */
static void
emit(struct out *o, const struct conversation *c, uint64_t us, const struct message *m)
{
	unsigned l4 = c->proto == 6 ? 20 : 8;
	unsigned len = 14 + (c->v6 ? 40u : 20u) + l4 + m->len;
	uint32_t head[4] = {(uint32_t)(START_S + us / SECOND_US),
	    (uint32_t)(us % SECOND_US), len, len};
	uint8_t *p;

	if (o->len + sizeof(head) + len > BUFFER)
		out_flush(o);
	p = put_bytes(o->buf + o->len, head, sizeof(head));
	p = put32(put16(p, 0x0200), m->from ? 2 : 1);
	p = put32(put16(p, 0x0200), m->from ? 1 : 2);
	p = put16(p, c->v6 ? 0x86dd : 0x0800);
	p = (c->v6 ? put_ip6 : put_ip4)(p, c, m->from, l4 + m->len);
	p = put16(p, c->port[m->from]);
	p = put16(p, c->port[!m->from]);
	if (c->proto == 6) {
		p = put32(p, c->seq[m->from]);
		p = put32(p, m->flags & ACK ? c->seq[!m->from] : 0);
		p = put16(p, 0x5000 | m->flags);
		p = put16(p, 64240);
		p = put32(p, 0);
	} else
		p = put32(p, (l4 + m->len) << 16);
	p = put_bytes(p, m->data, m->len);
	o->len = (size_t)(p - o->buf);
	o->packets++;
	o->octets += len;
}

/*
 * What is said
 */
static void
fill(const struct out *o, struct rng *r, struct message *m, unsigned len)
{
	memcpy(m->data + m->len, o->filler + rng_below(r, FILLER - FRAME_MAX), len);
	m->len += len;
}

static void
say(struct message *m, const void *bytes, size_t len)
{
	memcpy(m->data + m->len, bytes, len);
	m->len += (unsigned)len;
}

static void
say_dns(struct message *m, const struct conversation *c)
{
	uint8_t *p = m->data;
	char label[16];
	int n = snprintf(label, sizeof(label), "host%u", c->name);

	p = put16(p, c->id);
	p = put16(p, m->from ? 0x8180 : 0x0100);
	p = put16(p, 1);
	p = put16(p, m->from);
	p = put32(p, 0);
	*p++ = (uint8_t)n;
	p = put_bytes(p, label, (size_t)n);
	p = put_bytes(p, "\7example\3com", 13); /* with the root's 0 */
	p = put32(p, 0x00010001);
	if (m->from) { /* a pointer to the question's name, A, IN, 300 s, the address */
		p = put16(p, 0xc00c);
		p = put32(p, 0x00010001);
		p = put32(p, 300);
		p = put16(p, 4);
		p = put32(p, 0xc6120000 + c->name % SERVERS);
	}
	m->len = (unsigned)(p - m->data);
}

static void
say_ntp(struct message *m)
{
	memset(m->data, 0, 48);
	m->data[0] = m->from ? 0x24 : 0x23; /* version 4, server or client */
	m->len = 48;
}

static void
say_http(struct message *m, const struct conversation *c)
{
	char *text = (char *)m->data;
	int n;

	if (m->from == 0)
		n = snprintf(text, FRAME_MAX,
		    "GET /files/%u/%u.html HTTP/1.1\r\nHost: www%u.example.com\r\n"
		    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\n"
		    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
		    "Accept-Language: en\r\nConnection: keep-alive\r\n\r\n",
		    c->name % 97, c->turn, c->name);
	else
		n = snprintf(text, FRAME_MAX,
		    "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\n"
		    "Content-Length: %u\r\nCache-Control: max-age=60\r\n\r\n",
		    c->left);
	m->len = (unsigned)n;
}

/* A TLS 1.3 ClientHello (RFC 8446 §4.1.2) with a server name. */
static void
say_client_hello(const struct out *o, struct rng *r, struct message *m,
    const struct conversation *c)
{
	static const uint8_t suites[] = {0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0};
	static const uint8_t rest[] = {/* groups */ 0, 10, 0, 4, 0, 2, 0, 29, /* signatures */
	    0, 13, 0, 4, 0, 2, 4, 3, /* versions */ 0, 43, 0, 3, 2, 3, 4};
	char name[32];
	unsigned n = (unsigned)snprintf(name, sizeof(name), "app%u.example.com", c->name);
	unsigned extensions = 9 + n + sizeof(rest), key = 42;
	unsigned body = 2 + 32 + 33 + sizeof(suites) + 2 + extensions + key;
	uint8_t *p = m->data;

	p = put_bytes(p, "\x16\x03\x01", 3);
	p = put16(p, body + 4);
	p = put32(p, 0x01000000 | body);
	p = put16(p, 0x0303);
	m->len = (unsigned)(p - m->data);
	fill(o, r, m, 32);
	say(m, "\x20", 1);
	fill(o, r, m, 32);
	say(m, suites, sizeof(suites));
	p = put16(m->data + m->len, extensions + key);
	p = put16(put16(p, 0), n + 5);
	p = put16(p, n + 3);
	*p++ = 0;
	p = put_bytes(put16(p, n), name, n);
	p = put_bytes(p, rest, sizeof(rest));
	p = put_bytes(p, "\0\x33\0\x26\0\x24\0\x1d\0\x20", 10); /* key share, X25519 */
	m->len = (unsigned)(p - m->data);
	fill(o, r, m, 32);
}

/* A ServerHello that chooses TLS 1.3; what follows is encrypted. */
static void
say_server_hello(const struct out *o, struct rng *r, struct message *m)
{
	say(m, "\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03", 11);
	fill(o, r, m, 32);
	say(m, "\x20", 1);
	fill(o, r, m, 32);
	say(m, "\x13\x01\0\0\x2e\0\x2b\0\x02\x03\x04\0\x33\0\x24\0\x1d\0\x20", 19);
	fill(o, r, m, 32);
	say(m, "\x14\x03\x03\0\x01\x01", 6);
}

static void
say_tls(const struct out *o, struct rng *r, struct message *m,
    const struct conversation *c, unsigned len)
{
	if (c->turn == 0 && m->from == 0) {
		say_client_hello(o, r, m, c);
		return;
	}
	if (c->turn == 0)
		say_server_hello(o, r, m);
	say(m, "\x17\x03\x03", 3);
	put16(m->data + m->len, len);
	m->len += 2;
}

/* QUIC version 1 (RFC 9000 §17): long header first, then short ones; the rest is noise. */
static void
say_quic(const struct out *o, struct rng *r, struct message *m,
    const struct conversation *c, unsigned len)
{
	if (c->turn == 0 && c->segment == 0) {
		say(m, "\xc3\0\0\0\x01\x08", 6);
		fill(o, r, m, 8);
		say(m, "\0\0\x44\xd0", 4);
		len = QUIC_LEN;
	} else
		say(m, "\x43", 1);
	fill(o, r, m, len > m->len ? len - m->len : 20);
}

/*
 * Conversations
 */
static const uint32_t answer_least[] = {
    [KIND_HTTP] = 300, [KIND_TLS] = 100, [KIND_QUIC] = 200, [KIND_BULK] = 300000};
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

static void
conversation_begin(struct conversation *c, struct rng *r, uint64_t us, uint64_t order)
{
	unsigned pick = rng_below(r, 1000), i = 0;

	while (pick >= kinds[i].weight)
		pick -= kinds[i++].weight;
	memset(c, 0, sizeof(*c));
	c->due_us = us;
	c->order = order;
	c->kind = kinds[i].kind;
	c->proto = kinds[i].proto;
	c->phase = c->proto == 6 ? PHASE_SYN : PHASE_ASK;
	c->v6 = rng_below(r, 100) < 15;
	c->host[0] = 0x10000 + rng_below(r, CLIENTS);
	c->host[1] = c->kind == KIND_DNS ? 53 : 0x100 + rng_below(r, SERVERS);
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
		c->turns += 1 + rng_below(r, 12);
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
	unsigned full = c->kind == KIND_QUIC ? QUIC_LEN : MSS;

	m->from = 1;
	m->flags = ACK;
	m->gap_us = c->kind == KIND_BULK ? 200 + rng_below(r, 4000)
					 : 20 + rng_below(r, 200);
	if (c->kind == KIND_DNS)
		say_dns(m, c);
	else if (c->kind == KIND_NTP)
		say_ntp(m);
	else if (c->kind == KIND_HTTP && c->segment == 0)
		say_http(m, c);
	else if (c->kind == KIND_TLS && c->segment == 0)
		say_tls(o, r, m, c, c->left > 16000 ? 16000 : c->left);
	else if (c->kind == KIND_QUIC)
		say_quic(o, r, m, c, c->left < full ? c->left : full);
	if (c->kind >= KIND_HTTP && c->kind != KIND_QUIC) {
		unsigned room = full - m->len;

		fill(o, r, m, c->left < room ? c->left : room);
	}
	c->left -= c->left < m->len ? c->left : m->len;
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
		if (h->v == NULL) {
			fputs("workload: out of memory\n", stderr);
			exit(1);
		}
	}
	heap_up(h, h->n++, c);
}

static void
make_mix(struct out *o, struct rng *r)
{
	uint64_t n = o->limit / MIX_PACKETS + 1, begun = 0, conversations = 0;
	uint64_t gap_us = (uint64_t)MIX_SECONDS * SECOND_US / n + 1;
	struct heap h = {0};
	struct conversation c;

	while (o->packets < o->limit) {
		/* a new one begins when no other has anything to say before it; they go
		   on beginning until there are packets enough */
		if (h.n == 0 || h.v[0].due_us >= begun) {
			conversation_begin(&c, r, begun, conversations++);
			begun += gap_us;
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

static void
make_dns(struct out *o, struct rng *r)
{
	struct conversation c = {.kind = KIND_DNS, .proto = 17, .host = {0, 53}};
	struct message m;
	uint64_t us = 0;

	for (c.port[1] = 53; o->packets + 2 <= o->limit; us += DNS_GAP_US) {
		c.host[0] = 0x10000 + rng_below(r, DNS_CLIENTS);
		c.port[0] = (uint16_t)(1024 + rng_below(r, 64000));
		c.id = (uint16_t)rng_next(r);
		c.name = rng_below(r, NAMES);
		for (m.from = 0; m.from < 2; m.from++) {
			say_dns(&m, &c);
			emit(o, &c, us + m.from * (DNS_GAP_US / 2), &m);
		}
	}
}

/* The five-tuple number I: half of them TCP, no two alike. */
static void
small_tuple(struct conversation *c, uint32_t i)
{
	struct rng r = {i};

	c->proto = i & 1 ? 6 : 17;
	c->host[0] = i & 0xffffff;
	c->host[1] = rng_below(&r, 65536);
	c->port[0] = (uint16_t)(1024 + rng_below(&r, 64000));
	c->port[1] = (uint16_t)(1 + rng_below(&r, 10000));
}

static void
make_small(struct out *o, struct rng *r)
{
	uint32_t n = (uint32_t)o->limit, tuples = (n + SMALL_EACH - 1) / SMALL_EACH, i;
	uint32_t *order = malloc(n * sizeof(*order));
	struct conversation c = {0};
	struct message m = {.flags = ACK};

	if (order == NULL) {
		fputs("workload: out of memory\n", stderr);
		exit(1);
	}
	for (i = 0; i < n; i++) { /* Fisher and Yates's shuffle, inside out */
		uint32_t j = rng_below(r, i + 1);

		order[i] = order[j];
		order[j] = i % tuples;
	}
	for (i = 0; i < n; i++) {
		small_tuple(&c, order[i]);
		m.from = rng_next(r) & 1;
		m.len = 0;
		fill(o, r, &m, c.proto == 6 ? 6 : 18);
		emit(o, &c, (uint64_t)i * SMALL_GAP_US, &m);
	}
	free(order);
}

static const struct {
	const char *name;
	void (*make)(struct out *, struct rng *);
	uint32_t packets;
} workloads[] = {
    {"mix", make_mix, 1500000},
    {"small", make_small, 2000000},
    {"dns", make_dns, 1000000},
};

#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

static void
out_open(struct out *o, const char *path, struct rng *r)
{
	const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
	unsigned i;

	o->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	o->buf = malloc(BUFFER);
	if (o->fd == -1 || o->buf == NULL) {
		perror(path);
		exit(1);
	}
	for (i = 0; i < FILLER; i += 8) {
		uint64_t u = rng_next(r);

		memcpy(o->filler + i, &u, 8);
	}
	memcpy(o->buf, head, sizeof(head));
	o->len = sizeof(head);
}

int
main(int argc, char **argv)
{
	static struct out o;
	struct rng r = {1};
	unsigned i = 0;

	while (argc > 2 && i < WORKLOADS && strcmp(argv[1], workloads[i].name) != 0)
		i++;
	if (argc < 3 || argc > 4 || i == WORKLOADS) {
		fputs("usage: workload mix|small|dns FILE.pcap [PACKETS]\n", stderr);
		return 2;
	}
	o.limit = argc > 3 ? strtoul(argv[3], NULL, 10) : workloads[i].packets;
	if (o.limit < 1 || o.limit > 50000000) {
		fputs("workload: 1 to 50000000 packets\n", stderr);
		return 2;
	}
	out_open(&o, argv[2], &r);
	workloads[i].make(&o, &r);
	out_flush(&o);
	free(o.buf);
	if (close(o.fd) == -1) {
		perror(argv[2]);
		return 1;
	}
	printf("%llu packets, %llu octets\n", (unsigned long long)o.packets,
	    (unsigned long long)o.octets);
	return 0;
}
