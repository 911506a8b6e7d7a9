/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload_talk.c -- what applications say, as far as a probe can see it.
 */
#include <stdio.h>
#include <string.h>

#include "workload.h"

#define QUIC_LEN 1252

void
fill(const struct out *o, struct rng *r, struct message *m, unsigned len)
{
	memcpy(m->data + m->len, o->filler + rng_below(r, FILLER - FRAME_MAX), len);
	m->len += len;
}

void
say(struct message *m, const void *bytes, size_t len)
{
	memcpy(m->data + m->len, bytes, len);
	m->len += (unsigned)len;
}

void
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
		p = put32(p, SERVER_NET + 0x100 + c->name % SERVERS);
	}
	m->len = (unsigned)(p - m->data);
}

void
say_ntp(struct message *m)
{
	memset(m->data, 0, 48);
	m->data[0] = m->from ? 0x24 : 0x23; /* version 4, server or client */
	m->len = 48;
}

/* Some agents, types and answers; C's name and turn choose. */
static const char *const agents[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/119.0.0.0 Safari/537.36",
    "curl/7.88.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15",
};
static const char *const types[] = {
    "text/html; charset=utf-8", "image/png", "application/json", "text/css",
    "application/javascript", "image/jpeg"};
static const char *const endings[] = {"html", "png", "json", "css", "js", "jpg"};
static const char *const answers[] = {
    "200 OK", "200 OK", "200 OK", "200 OK", "200 OK", "200 OK", "304 Not Modified",
    "302 Found", "404 Not Found", "200 OK"};

void
say_http(struct message *m, struct conversation *c)
{
	char *text = (char *)m->data;
	unsigned pick = c->name * 7 + c->turn * 5;
	const char *status = answers[pick % 10];
	int n;

	if (m->from == 0)
		n = snprintf(text, FRAME_MAX,
		    "GET /files/%u/%u.%s HTTP/1.1\r\nHost: www%u.example.com\r\n"
		    "User-Agent: %s\r\n"
		    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
		    "Accept-Language: en\r\nReferer: http://www%u.example.com/\r\n"
		    "Connection: keep-alive\r\n\r\n",
		    c->name % 97, c->turn, endings[pick % 6], c->name,
		    agents[c->host[0] % 4], c->name);
	else {
		if (*status == '3') /* without a body */
			c->left = 0;
		n = snprintf(text, FRAME_MAX,
		    "HTTP/1.1 %s\r\nServer: nginx\r\nContent-Type: %s\r\n"
		    "Content-Length: %u\r\nCache-Control: max-age=60\r\n\r\n",
		    status, types[pick % 6], c->left);
	}
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

void
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
void
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

/* TEXT, again and again, from AT to the end. */
static void
repeat(struct message *m, unsigned at, const char *text)
{
	unsigned n = (unsigned)strlen(text), i;

	for (i = at; i < m->len; i++)
		m->data[i] = (uint8_t)text[(i - at) % n];
}

/*
 * The first segment still begins as HTTP does, or it would be nobody's; the rest is what
 * a parser is slow at, if anywhere: lines without end, fields without name, thousands of
 * them, lengths that are none, chunks of nothing.
 */
void
spoil_http(const struct out *o, struct rng *r, const struct conversation *c,
    struct message *m)
{
	static const char *const filling[] = {"A", ":\r\n", "a:b\r\n", "\r\n ",
		"Content-Length: 99999999999999999999\r\n", "0\r\n\r\n", "\n", "GET ",
		"Host: \r\n", "Transfer-Encoding: chunked\r\n\r\n-1\r\n"};
	unsigned way = (c->name + c->turn) % 12, at = 0;
	char head[64];

	if (c->turn == 0 && c->segment <= 1) {
		at = (unsigned)snprintf(head, sizeof(head), "%s",
		    m->from ? "HTTP/1.1 200 OK\r\n" : "GET / HTTP/1.1\r\nHost: a");
		if (at > m->len)
			at = m->len;
		memcpy(m->data, head, at);
	}
	if (way < 10)
		repeat(m, at, filling[way]);
	else
		memcpy(m->data + at, o->filler + rng_below(r, FILLER - FRAME_MAX),
		    m->len - at);
}

/* Names that end nowhere, pointers in circles, counts of what is not there, noise. */
void
spoil_dns(const struct out *o, struct rng *r, struct message *m)
{
	unsigned way = rng_below(r, 8), had = m->len;
	uint8_t *p = m->data + 12;

	m->len = 12 + 12 + rng_below(r, 230);
	if (way == 0) { /* shorter than a header, or noise from its first octet */
		m->len = had = 0;
		fill(o, r, m, 1 + rng_below(r, 200));
		return;
	}
	memcpy(p, o->filler + rng_below(r, FILLER - FRAME_MAX), m->len - 12);
	switch (way) {
	case 1: /* a name that points at itself */
		put32(p, 0xc00c0001);
		break;
	case 2: /* at one that points back */
		put32(p, 0xc00ec00c);
		break;
	case 3: /* labels of one octet, a long way */
		memset(p, 1, m->len - 12);
		break;
	case 4: /* a label beyond the end */
		p[0] = 63;
		m->len = 12 + 20;
		break;
	case 5: /* thousands of records, of the root and nothing */
		memset(p, 0, m->len - 12);
		put16(m->data + 4, 65535);
		put16(m->data + 6, 65535);
		break;
	case 6: /* label types that do not exist */
		memset(p, 0x80, m->len - 12);
		break;
	default: /* noise behind the header */
		put16(m->data + 8, 65535);
	}
}
