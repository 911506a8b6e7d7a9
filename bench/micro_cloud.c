/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro_cloud.c -- the key tree, and the protocol in which it is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud.h"
#include "glob.h"
#include "micro.h"
#include "resp.h"

#define RESP_ROOM 65536

/* --- the key tree --- */

struct tree {
	struct cloud *cloud;
	struct counters counters;
	uint32_t keys; /* addresses */
	uint64_t at, now_ms;
	bool node;
};

static unsigned
node_of(void *arg, const char *name, size_t len)
{
	(void)arg;
	(void)name;
	(void)len;
	return 0;
}

static void
address_of(uint8_t addr[16], uint32_t n)
{
	memset(addr, 0, 10);
	memcpy(addr + 10, "\xff\xff\x0a", 3);
	addr[13] = (uint8_t)(n >> 16);
	addr[14] = (uint8_t)(n >> 8);
	addr[15] = (uint8_t)n;
}

static struct tree *
tree_new(uint32_t keys, bool node)
{
	struct tree *s = micro_take(1, sizeof(*s));
	struct cloud_setup setup = {.ttl_s = 300, .max_keys = 4 << 20, .seed = 42,
		.counters = &s->counters, .nnodes = node, .node_of = node_of};
	struct cloud_key *key;
	uint8_t addr[16];
	uint32_t i;

	s->cloud = cloud_new(&setup);
	micro_check(s->cloud != NULL, "no key tree");
	s->keys = keys;
	s->node = node;
	cloud_clock(s->cloud, s->now_ms = 1000);
	for (i = 0; i < keys; i++) {
		address_of(addr, i);
		key = cloud_key(s->cloud, CLOUD_IP, addr, sizeof(addr));
		micro_check(key != NULL, "no key");
		cloud_incr(s->cloud, key, "bytesSent", 1);
	}
	return s;
}

static void *
tree_begin(uint32_t keys)
{
	return tree_new(keys, false);
}

static void *
node_begin(uint32_t keys)
{
	return tree_new(keys, true);
}

static void
tree_incr(void *state, uint32_t n)
{
	struct tree *s = state;
	uint8_t addr[16];
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct cloud_key *key;

		address_of(addr, (uint32_t)(micro_mix(s->at++) % s->keys));
		key = cloud_key(s->cloud, CLOUD_IP, addr, sizeof(addr));
		cloud_incr(s->cloud, key, "dns.queries", 1);
	}
}

static void
tree_feed(void *state, uint32_t n)
{
	struct tree *s = state;
	struct flowdelta d = {.key = {.port = {40000, 443}, .proto = 6, .ip_version = 4},
		.fresh = true, .named = true, .has_mac = 3, .packets = {3, 4},
		.octets = {300, 4000}, .first_us = 1700000000000000ULL,
		.last_us = 1700000001000000ULL, .mac = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}};
	uint32_t i;

	for (i = 0; i < n; i++) {
		address_of(d.key.addr[0], (uint32_t)(micro_mix(s->at++) % s->keys));
		address_of(d.key.addr[1], (uint32_t)(micro_mix(s->at++) % s->keys));
		cloud_feed(s->cloud, &d);
	}
}

/* Keys that were never there; time goes on, so that as many are forgotten. */
static void
tree_make(void *state, uint32_t n)
{
	struct tree *s = state;
	uint8_t addr[16];
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct cloud_key *key;

		address_of(addr, (uint32_t)(s->keys + s->at++) & 0xffffff);
		key = cloud_key(s->cloud, CLOUD_IP, addr, sizeof(addr));
		cloud_incr(s->cloud, key, "dns.queries", 1);
		if (i % 64 == 0)
			cloud_clock(s->cloud, s->now_ms += 64ULL * 300000 / s->keys);
	}
}

static void
tree_find(void *state, uint32_t n)
{
	struct tree *s = state;
	char name[32];
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint32_t k = (uint32_t)(micro_mix(s->at++) % s->keys);
		int len = snprintf(name, sizeof(name), "ip.10.%u.%u.%u", k >> 16,
		    k >> 8 & 255, k & 255);

		micro_check(cloud_find(s->cloud, name, (size_t)len) != NULL, "a key is lost");
	}
}

static void
tree_walk(void *state, uint32_t n)
{
	struct tree *s = state;
	const struct cloud_key *key = NULL;
	const char *name = NULL;
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		key = cloud_next(s->cloud, "ip.", 3, name, len);
		name = key == NULL ? NULL : cloud_key_name(key, &len);
	}
	micro_keep((uintptr_t)key);
}

static void
op_taken(void *arg, const struct cloud_op *op)
{
	*(uint64_t *)arg += op->key_len;
}

/* Change a key, give it to the node. */
static void
tree_take(void *state, uint32_t n)
{
	struct tree *s = state;
	uint64_t sum = 0;

	while (cloud_take(s->cloud, 0, 100000, op_taken, &sum) > 0)
		;
	tree_incr(s, n);
	while (cloud_take(s->cloud, 0, 100000, op_taken, &sum) > 0)
		;
	micro_check(sum > 0, "the node gets nothing");
}

static void
tree_end(void *state)
{
	struct tree *s = state;

	cloud_free(s->cloud);
	free(s);
}

/* --- RESP --- */

struct resp {
	struct resp_parser parser;
	struct respbuf in, out;
	uint32_t requests; /* in IN */
};

static const struct resp_limits limits = {.args = 1024, .bulk = 1 << 20,
    .inline_bytes = 1 << 16, .total = 1 << 20};

/* Pipelined requests of ARGS words. */
static void *
resp_begin(uint32_t args)
{
	struct resp *s = micro_take(1, sizeof(*s));
	uint32_t i;

	resp_parser_init(&s->parser, &limits);
	respbuf_init(&s->in);
	respbuf_init(&s->out);
	while (s->in.len < RESP_ROOM / 4) {
		resp_head(&s->in, '*', args);
		resp_bulk_text(&s->in, "HMGET");
		for (i = 1; i < args; i++)
			resp_bulk_text(&s->in, i == 1 ? "ip.192.168.100.100" : "bytesSent");
		s->requests++;
	}
	return s;
}

static void *
inline_begin(uint32_t args)
{
	struct resp *s = resp_begin(args);

	respbuf_reset(&s->in);
	for (s->requests = 0; s->in.len < RESP_ROOM / 4; s->requests++)
		resp_bytes(&s->in, "HGET ip.192.168.100.100 bytesSent\r\n", 35);
	return s;
}

static void
resp_run(void *state, uint32_t n)
{
	struct resp *s = state;
	enum resp_result r;
	uint32_t done = 0, seen;

	while (done < n) {
		micro_check(resp_feed(&s->parser, s->in.buf, s->in.len), "it does not fit");
		for (seen = 0; (r = resp_next(&s->parser)) == RESP_REQUEST; seen++)
			micro_keep(s->parser.args[0].len);
		micro_check(r == RESP_MORE && seen == s->requests, "requests are lost");
		done += seen;
	}
}

/* A hash of ten fields, as HGETALL answers. */
static void
reply_run(void *state, uint32_t n)
{
	struct resp *s = state;
	uint32_t i, k;

	for (i = 0; i < n; i++) {
		if (i % 64 == 0)
			respbuf_reset(&s->out);
		resp_head(&s->out, '*', 20);
		for (k = 0; k < 10; k++) {
			resp_bulk_text(&s->out, "bytesSent");
			resp_bulk_number(&s->out, 123456789 + i);
		}
	}
	micro_check(!s->out.failed, "out of memory");
}

static void
glob_run(void *state, uint32_t n)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < n; i++)
		micro_keep(glob_match("ip.192.168.*.1?[0-9]", 20, "ip.192.168.100.123", 18));
}

static void
resp_end(void *state)
{
	struct resp *s = state;

	resp_parser_clear(&s->parser);
	respbuf_clear(&s->in);
	respbuf_clear(&s->out);
	free(s);
}

const struct micro micro_cloud[] = {
    {"cloud incr 1 k", "find a key by its address, add to a field", 1000, 20000, tree_begin,
	tree_incr, tree_end},
    {"cloud incr 256 k", "the same, of 256 k keys", 256000, 20000, tree_begin, tree_incr,
	tree_end},
    {"cloud make", "a new key, and one that is forgotten", 100000, 100000, tree_begin,
	tree_make, tree_end},
    {"cloud feed 1 k", "what a flow did: 7 keys of 1 k", 1000, 10000, tree_begin, tree_feed,
	tree_end},
    {"cloud feed 256 k", "the same, of 256 k hosts", 256000, 10000, tree_begin, tree_feed,
	tree_end},
    {"cloud find", "find a key by its name, of 256 k", 256000, 20000, tree_begin, tree_find,
	tree_end},
    {"cloud walk", "the next key in order, of 256 k", 256000, 20000, tree_begin, tree_walk,
	tree_end},
    {"cloud take", "change a field of one of 1 k, take it for the node", 1000, 20000,
	node_begin, tree_take, tree_end},
    {"resp request 2", "a request of 2 words", 2, 20000, resp_begin, resp_run, resp_end},
    {"resp request 10", "a request of 10 words", 10, 20000, resp_begin, resp_run, resp_end},
    {"resp inline", "a request as a line", 3, 20000, inline_begin, resp_run, resp_end},
    {"resp reply", "a reply of 10 fields", 2, 5000, resp_begin, reply_run, resp_end},
    {"glob", "a name against a pattern", 2, 20000, resp_begin, glob_run, resp_end},
    {0},
};
