/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_top.c -- what only a probe knows: who is largest (TOP), whose an address is
 * (WHO), which addresses a user has (WHERE).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_int.h"

static const struct {
	const char *what, *by, *metric;
} tops[] = {
	{"ip", "bytes", "ip.bytes"},
	{"ip", "flows", "ip.flows"},
	{"proto", "bytes", "proto.bytes"},
	{"proto", "flows", "proto.flows"},
	{"dns.domain", "queries", "dns.domain"},
	{"user", "bytes", "user.bytes"},
	{"user", "flows", "user.flows"},
};

/* As ZREVRANGE WITHSCORES: flat in RESP2, pairs in RESP3. */
static void
reply_top(struct call *call, const char *metric, unsigned n)
{
	struct client *client = call->client;
	struct cloud_item *items = calloc(n > 0 ? n : 1, sizeof(*items));
	bool pairs = client_proto(client) == 3;

	if (items == NULL) {
		reply_error(client, "ERR out of memory");
		return;
	}
	if (n > 0)
		n = cloud_top(call->c->setup.cloud, metric, items, n);
	reply_array(client, pairs ? n : 2 * (size_t)n);
	for (unsigned i = 0; i < n; i++) {
		if (pairs)
			reply_array(client, 2);
		reply_bulk(client, items[i].name, items[i].name_len);
		reply_score(client, items[i].number);
	}
	free(items);
}

void
cmd_top(struct call *call)
{
	int64_t n;

	if (!arg_number(call, 3, &n))
		return;
	if (n < 0)
		n = 0;
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		if (arg_is(&call->argv[1], tops[i].what) &&
		    arg_is(&call->argv[2], tops[i].by)) {
			reply_top(call, tops[i].metric,
			    n < COMMAND_ARGS_MAX ? (unsigned)n : COMMAND_ARGS_MAX);
			return;
		}
	}
	reply_error(call->client,
	    "ERR TOP knows ip bytes, ip flows, proto bytes, proto flows, dns.domain queries, "
	    "user bytes, user flows");
}

/* The user of the network of BITS bits that ADDR is in. */
static const struct cloud_key *
network_user(const struct cloud *cloud, const uint8_t *addr, unsigned bits)
{
	uint8_t net[16];
	char name[KEYNAME_ADDR + 8];
	size_t len;

	memset(net, 0, sizeof(net));
	memcpy(net, addr, bits / 8); /* the lengths asked for are whole bytes */
	len = keyname_addr(name, net);
	len += (size_t)snprintf(name + len, sizeof(name) - len, "/%u", bits);
	return cloud_look(cloud, CLOUD_USER_NET, name, len);
}

static bool
is_mapped(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

void
cmd_who(struct call *call)
{
	static const unsigned bits[] = {64, 56, 48};
	const struct cloud *cloud = call->c->setup.cloud;
	const struct cloud_key *key;
	struct cloud_item from;
	struct item item;
	uint8_t addr[16];

	if (keyname_read_addr(addr, call->argv[1].p, call->argv[1].len) == -1) {
		reply_error(call->client, "ERR not an IPv4 or IPv6 address");
		return;
	}
	key = cloud_look(cloud, CLOUD_USER_IP, addr, sizeof(addr));
	for (size_t i = 0; key == NULL && !is_mapped(addr) &&
	     i < sizeof(bits) / sizeof(bits[0]); i++)
		key = network_user(cloud, addr, bits[i]);
	if (key == NULL) {
		reply_nil(call->client);
		return;
	}
	cloud_key_string(key, &from);
	item_read(&item, &from);
	reply_bulk(call->client, item.text, item.len);
}

void
cmd_where(struct call *call)
{
	static const char prefix[] = "ip.";
	const size_t plen = sizeof(prefix) - 1;
	const struct cloud_key *key;
	struct cloud_item item;
	unsigned n, found = 0;

	key = cloud_look(call->c->setup.cloud, CLOUD_USER, call->argv[1].p,
	    call->argv[1].len);
	n = key != NULL ? cloud_key_count(key) : 0;
	reply_array_open(call->client);
	for (unsigned i = 0; i < n; i++) {
		cloud_key_at(key, i, &item);
		if (item.name_len <= plen || memcmp(item.name, prefix, plen) != 0)
			continue;
		reply_bulk(call->client, item.name + plen, item.name_len - plen);
		found++;
	}
	reply_array_close(call->client, found);
}
