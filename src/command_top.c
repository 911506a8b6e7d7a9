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
#include "sighting.h"

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
	memcpy(net, addr, bits / 8);
	if (bits % 8 != 0)
		net[bits / 8] = (uint8_t)(addr[bits / 8] & 0xff << (8 - bits % 8));
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
	const struct cloud *cloud = call->c->setup.cloud;
	const struct cloud_key *key;
	struct cloud_item from;
	struct item item;
	uint8_t addr[16];
	uint64_t nets;
	unsigned bits;

	if (keyname_read_addr(addr, call->argv[1].p, call->argv[1].len) == -1) {
		reply_error(call->client, "ERR not an IPv4 or IPv6 address");
		return;
	}
	key = cloud_look(cloud, CLOUD_USER_IP, addr, sizeof(addr));
	/* the smallest network, of whatever length: seldom asked, so each is looked for */
	cloud_tree_of(cloud, CLOUD_USER_NET, &nets);
	for (bits = 127; key == NULL && nets > 0 && !is_mapped(addr) && bits > 0; bits--)
		key = network_user(cloud, addr, bits);
	if (key == NULL) {
		reply_nil(call->client);
		return;
	}
	cloud_key_string(key, &from);
	item_read(&item, &from);
	reply_bulk(call->client, item.text, item.len);
}

/* An answer that is being given: what a user has. */
struct places {
	struct client *client;
	const struct cloud_key *key; /* NULL: none */
	unsigned n;
};

/* "ip." or "net.", which begins the names of fields for addresses; 0: NAME is another. */
static size_t
place_prefix(const char *name, size_t len)
{
	if (len > 3 && memcmp(name, "ip.", 3) == 0)
		return 3;
	return len > 4 && memcmp(name, "net.", 4) == 0 ? 4 : 0;
}

/* What the user has left, within the grace: his hash does not say it any more. */
static void
add_left(void *to, const struct sighting_net *net, bool leaving)
{
	struct places *p = to;
	char field[KEYNAME_ADDR + 16];
	struct cloud_item item;
	size_t len, prefix;

	if (!leaving)
		return;
	prefix = (size_t)snprintf(
	    field, sizeof(field), "%s", net->bits == 128 ? "ip." : "net.");
	len = prefix + keyname_addr(field + prefix, net->addr);
	if (net->bits < 128)
		len += (size_t)snprintf(field + len, sizeof(field) - len, "/%u", net->bits);
	if (p->key != NULL && cloud_key_get(p->key, field, len, &item))
		return;
	reply_bulk(p->client, field + prefix, len - prefix);
	p->n++;
}

void
cmd_where(struct call *call)
{
	const struct commands_setup *s = &call->c->setup;
	struct places p = {call->client, NULL, 0};
	struct cloud_item item;
	char name[SIGHTING_NAME + 1];
	unsigned n, i;
	size_t len;

	p.key = cloud_look(s->cloud, CLOUD_USER, call->argv[1].p, call->argv[1].len);
	n = p.key != NULL ? cloud_key_count(p.key) : 0;
	reply_array_open(call->client);
	for (i = 0; i < n; i++) {
		cloud_key_at(p.key, i, &item);
		len = place_prefix(item.name, item.name_len);
		if (len == 0)
			continue;
		reply_bulk(call->client, item.name + len, item.name_len - len);
		p.n++;
	}
	if (s->where != NULL && call->argv[1].len < sizeof(name)) {
		memcpy(name, call->argv[1].p, call->argv[1].len);
		name[call->argv[1].len] = '\0';
		s->where(s->arg, name, add_left, &p);
	}
	reply_array_close(call->client, p.n);
}
