/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload_plain.c -- traffic of one shape, where a table or a tree is what counts.
 */
#include <stdlib.h>

#include "workload.h"

#define DNS_GAP_US    50
#define DNS_CLIENTS   50000
#define SMALL_SECONDS 25 /* within everybody's idle timeout: all tuples are alive */
#define SMALL_EACH    5	 /* packets per five-tuple */
#define LIVE_TUPLES   1000000
#define HOSTS	      100000
#define HOST_FLOWS    1024 /* at once */

void
make_dns(struct out *o, struct rng *r)
{
	struct conversation c = {.kind = KIND_DNS, .proto = 17,
		.host = {0, SERVER_NET + 53}};
	struct message m;
	uint64_t us = 0;

	for (c.port[1] = 53; o->packets + 2 <= o->limit; us += DNS_GAP_US) {
		c.host[0] = CLIENT_NET + 0x10000 + rng_below(r, DNS_CLIENTS);
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
	c->host[0] = CLIENT_NET + (i & 0xffffff);
	c->host[1] = SERVER_NET + rng_below(&r, 65536);
	c->port[0] = (uint16_t)(1024 + rng_below(&r, 64000));
	c->port[1] = (uint16_t)(1 + rng_below(&r, 10000));
}

/* A frame of 60 octets from one of its two ends. */
static void
small_packet(struct out *o, struct rng *r, const struct conversation *c)
{
	struct message m = {.flags = ACK, .from = rng_next(r) & 1};

	fill(o, r, &m, c->proto == 6 ? 6 : 18);
	emit(o, c, o->packets * SMALL_SECONDS * SECOND_US / o->limit, &m);
}

void
make_small(struct out *o, struct rng *r)
{
	uint32_t n = (uint32_t)o->limit, i;
	uint32_t tuples = o->size ? o->size : (n + SMALL_EACH - 1) / SMALL_EACH;
	uint32_t *order = rng_order(r, n);
	struct conversation c = {0};

	for (i = 0; i < n; i++) {
		small_tuple(&c, order[i] % tuples);
		small_packet(o, r, &c);
	}
	free(order);
}

/* Everybody once: what a flow costs to make; then at random: what it costs to find. */
void
make_live(struct out *o, struct rng *r)
{
	uint32_t tuples = o->size ? o->size : LIVE_TUPLES;
	uint32_t *order = rng_order(r, tuples);
	struct conversation c = {0};

	while (o->packets < o->limit) {
		small_tuple(&c,
		    o->packets < tuples ? order[o->packets] : rng_below(r, tuples));
		small_packet(o, r, &c);
	}
	free(order);
}

/* The N hosts' shares of 2^32 by Zipf's law with exponent 1, added up. */
static uint32_t *
zipf_shares(uint32_t n)
{
	uint32_t *shares = take(n, sizeof(*shares)), i;
	uint64_t all = 0, sum = 0;

	for (i = 1; i <= n; i++)
		all += (1ull << 40) / i;
	for (i = 1; i <= n; i++) {
		sum += (1ull << 40) / i;
		shares[i - 1] = (uint32_t)(sum / (all / UINT32_MAX + 1));
	}
	return shares;
}

static uint32_t
zipf_pick(const uint32_t *shares, uint32_t n, struct rng *r)
{
	uint32_t what = (uint32_t)rng_next(r), low = 0, high = n - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (shares[middle] > what)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* A flow between two of N hosts, with two to six packets to come. */
static void
host_flow(struct conversation *c, struct rng *r, const uint32_t *shares, uint32_t n)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		c->host[i] = CLIENT_NET +
		    (shares != NULL ? zipf_pick(shares, n, r) : rng_below(r, n));
	if (c->host[0] == c->host[1])
		c->host[1] ^= 1;
	c->proto = rng_next(r) & 1 ? 6 : 17;
	c->port[0] = (uint16_t)(1024 + rng_below(r, 64000));
	c->port[1] = (uint16_t)(8000 + rng_below(r, 50));
	c->left = 2 + rng_below(r, 5);
}

static void
talk_among(struct out *o, struct rng *r, const uint32_t *shares, uint32_t n)
{
	struct conversation *flows = take(HOST_FLOWS, sizeof(*flows));

	while (o->packets < o->limit) {
		struct conversation *c = &flows[rng_below(r, HOST_FLOWS)];
		struct message m = {.flags = ACK};

		if (c->left == 0)
			host_flow(c, r, shares, n);
		m.from = c->left-- & 1;
		fill(o, r, &m, 100 + rng_below(r, 300));
		emit(o, c, o->packets * 10, &m);
	}
	free(flows);
}

void
make_zipf(struct out *o, struct rng *r)
{
	uint32_t n = o->size ? o->size : HOSTS;
	uint32_t *shares = zipf_shares(n);

	talk_among(o, r, shares, n);
	free(shares);
}

void
make_hosts(struct out *o, struct rng *r)
{
	talk_among(o, r, NULL, o->size ? o->size : HOSTS);
}
