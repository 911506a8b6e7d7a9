/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload_frame.c -- random numbers, and frames into a capture file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload.h"

#define START_S 1700000000 /* 2023-11-14 22:13:20 UTC */
#define BUFFER	(4 << 20)
#define RECORD	16 /* octets before each frame */

/* Steele, Lea, Flood 2014: SplitMix64. */
uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

uint32_t
rng_size(struct rng *r, uint32_t least, uint32_t doublings)
{
	uint32_t base = least << rng_below(r, doublings);

	return base + rng_below(r, base);
}

void *
take(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL) {
		fputs("workload: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

uint32_t *
rng_order(struct rng *r, uint32_t n)
{
	uint32_t *order = take(n, sizeof(*order)), i;

	for (i = 0; i < n; i++) { /* Fisher and Yates's shuffle, inside out */
		uint32_t j = rng_below(r, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

uint8_t *
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

uint8_t *
put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

uint8_t *
put_bytes(uint8_t *p, const void *bytes, size_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

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

void
out_open(struct out *o, const char *path, struct rng *r)
{
	const uint32_t head[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
	unsigned i;

	o->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (o->fd == -1) {
		perror(path);
		exit(1);
	}
	o->buf = take(BUFFER, 1);
	for (i = 0; i < FILLER; i += 8) {
		uint64_t u = rng_next(r);

		memcpy(o->filler + i, &u, 8);
	}
	memcpy(o->buf, head, sizeof(head));
	o->len = sizeof(head);
}

void
out_close(struct out *o)
{
	out_flush(o);
	free(o->buf);
	if (close(o->fd) == -1) {
		perror("workload: close");
		exit(1);
	}
}

static uint8_t *
put_ip4(uint8_t *p, const struct conversation *c, unsigned from, unsigned len)
{
	uint8_t *start = p;
	uint32_t sum = 0;
	unsigned i;

	p = put16(p, 0x4500);
	p = put16(p, 20 + len);
	p = put16(p, c->id);
	p = put16(p, 0x4000);
	p = put16(p, (from ? 57u : 64u) << 8 | c->proto);
	p = put16(p, 0);
	p = put32(p, c->host[from]);
	p = put32(p, c->host[!from]);
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

uint8_t *
emit(struct out *o, const struct conversation *c, uint64_t us, const struct message *m)
{
	unsigned l4 = c->proto == 6 ? 20 : 8;
	unsigned len = 14 + (c->v6 ? 40u : 20u) + l4 + m->len;
	uint32_t head[4] = {(uint32_t)(START_S + us / SECOND_US),
	    (uint32_t)(us % SECOND_US), len, len};
	uint8_t *p, *frame;

	if (o->len + RECORD + len > BUFFER)
		out_flush(o);
	frame = put_bytes(o->buf + o->len, head, RECORD);
	p = put32(put16(frame, 0x0200), m->from ? 2 : 1);
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
	return frame;
}

void
emit_cut(struct out *o, uint8_t *frame, unsigned len)
{
	uint32_t had;

	memcpy(&had, frame - 8, sizeof(had));
	if (len >= had)
		return;
	memcpy(frame - 8, &len, sizeof(len));
	o->len -= had - len;
}
