/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_feed.c -- what flows did, into the keys of their hosts, VLAN, protocol, port
 * and into the top lists. No name is formatted but for a new key: fields of this room
 * have numbers and places of their own, protocols are remembered by their numbers, and
 * what an address is called in a top list is the end of its key's name.
 */
#include "cloud_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpi.h"

#define SECOND 1000000u
#define MINUTE (60u * SECOND)
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PLACE_SEEN 6 /* of firstSeen in keys with six counters */
#define PLACE_MAC 8

/* The field NAME, which most often is the one at PLACE. */
static inline struct value *
field_at(struct cloud *c, struct cloud_key *k, unsigned place, uint32_t name)
{
	if (place < k->n && k->v[place].name == name)
		return &k->v[place];
	return value_get(c, k, name);
}

static inline void
count(struct cloud *c, struct cloud_key *k, unsigned place, uint32_t name, uint64_t n)
{
	struct value *v;

	if (n == 0)
		return;
	v = field_at(c, k, place, name);
	if (v == NULL)
		return;
	if (v->kind != VALUE_COUNTER || v->gone || v->pending == 0) {
		value_add(c, k, v, (int64_t)n);
		return;
	}
	/* what value_add() does where something waits already */
	v->number = (int64_t)((uint64_t)v->number + n);
	v->pending = (int64_t)((uint64_t)v->pending + n);
	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	counter_inc(c->counters, COUNTER_CLOUD_MERGED);
}

static void
seen(struct cloud *c, struct cloud_key *k, const struct flowdelta *d)
{
	struct value *v;

	v = field_at(c, k, PLACE_SEEN, NAME_FIRST_SEEN);
	if (v != NULL)
		value_number(c, k, v, VALUE_MIN, d->first_us / SECOND);
	v = field_at(c, k, PLACE_SEEN + 1, NAME_LAST_SEEN);
	if (v != NULL)
		value_number(c, k, v, VALUE_MAX, d->last_us / SECOND);
}

/* The names of the counters of a VLAN's traffic. NULL: no memory. */
static const struct vlan_names *
vlan_names(struct cloud *c, unsigned vlan)
{
	struct vlan_names *names = c->vlan[vlan];
	char text[32];
	const char *plain;
	size_t n;
	unsigned i;

	if (names != NULL)
		return names;
	names = calloc(1, sizeof(*names));
	if (names == NULL)
		return NULL;
	for (i = NAME_BYTES_SENT; i <= NAME_FLOWS_SERVER; i++) {
		plain = names_text(&c->names, i, &n);
		n = (size_t)snprintf(text, sizeof(text), "%u.%s", vlan, plain);
		names->id[i] = names_get(&c->names, text, n);
		if (names->id[i] == 0) {
			free(names);
			return NULL;
		}
		names_keep(&c->names, names->id[i]);
	}
	c->memory += sizeof(*names) + MALLOC_HEAD;
	c->vlan[vlan] = names;
	return names;
}

/* The MAC an address is seen with. */
static void
set_mac(struct cloud *c, struct cloud_key *k, const uint8_t *mac)
{
	struct value *v = field_at(c, k, PLACE_MAC, NAME_MAC);
	char text[18];

	if (v != NULL)
		value_text(c, k, v, text, keyname_mac(text, mac));
}

/* What one side of D sent and got, into the key of its address or MAC. */
static void
feed_side(
    struct cloud *c, struct cloud_key *k, const struct flowdelta *d, unsigned side)
{
	bool client = side == d->client;
	const uint64_t n[] = {
	    [NAME_BYTES_SENT] = d->octets[side],
	    [NAME_BYTES_RCVD] = d->octets[!side],
	    [NAME_PKTS_SENT] = d->packets[side],
	    [NAME_PKTS_RCVD] = d->packets[!side],
	    [NAME_FLOWS_CLIENT] = d->fresh && client,
	    [NAME_FLOWS_SERVER] = d->fresh && !client,
	};
	const struct vlan_names *names = NULL;
	unsigned i;

	if (d->key.vlan != 0 && d->key.vlan < VLANS)
		names = vlan_names(c, d->key.vlan);
	for (i = NAME_BYTES_SENT; i <= NAME_FLOWS_SERVER; i++)
		count(c, k, i - NAME_BYTES_SENT, i, n[i]);
	seen(c, k, d);
	if (k->tree == &c->tree[CLOUD_IP] && (d->has_mac & 1u << side) &&
	    !(k->flags & KEY_OTHER))
		set_mac(c, k, d->mac[side]);
	if (names != NULL)
		for (i = NAME_BYTES_SENT; i <= NAME_FLOWS_SERVER; i++)
			count(c, k, PLACE_MAC + i, names->id[i], n[i]);
	key_changed(c, k);
}

/* The key of endpoint SIDE's address. */
static struct cloud_key *
feed_address(struct cloud *c, const struct flowdelta *d, unsigned side)
{
	struct cloud_key *k = cloud_key(c, CLOUD_IP, d->key.addr[side], 16);

	if (k != NULL)
		feed_side(c, k, d, side);
	return k;
}

static void
feed_mac(struct cloud *c, const struct flowdelta *d, unsigned side)
{
	struct cloud_key *k;

	if (!(d->has_mac & 1u << side))
		return;
	k = cloud_key(c, CLOUD_MAC, d->mac[side], 6);
	if (k != NULL)
		feed_side(c, k, d, side);
}

/* A VLAN: what clients sent and got; its flows on both sides. */
static void
feed_vlan(struct cloud *c, const struct flowdelta *d)
{
	unsigned s = d->client;
	struct cloud_key *k;

	k = cloud_key(c, CLOUD_VLAN, &d->key.vlan, sizeof(d->key.vlan));
	if (k == NULL)
		return;
	count(c, k, 0, NAME_BYTES_SENT, d->octets[s]);
	count(c, k, 1, NAME_BYTES_RCVD, d->octets[!s]);
	count(c, k, 2, NAME_PKTS_SENT, d->packets[s]);
	count(c, k, 3, NAME_PKTS_RCVD, d->packets[!s]);
	count(c, k, 4, NAME_FLOWS_CLIENT, d->fresh);
	count(c, k, 5, NAME_FLOWS_SERVER, d->fresh);
	seen(c, k, d);
	key_changed(c, k);
}

static void
feed_total(struct cloud *c, struct cloud_key *k, const struct flowdelta *d)
{
	if (k == NULL)
		return;
	count(c, k, 0, NAME_BYTES, d->octets[0] + d->octets[1]);
	count(c, k, 1, NAME_PKTS, d->packets[0] + d->packets[1]);
	count(c, k, 2, NAME_FLOWS, d->fresh);
	key_changed(c, k);
}

/* The key of an application, by its numbers. */
static struct cloud_key *
proto_key(struct cloud *c, const struct flowdelta *d)
{
	uint32_t id = d->named ? (uint32_t)d->master << 16 | d->app : 0;
	struct proto_cached *p = &c->proto[(id * 2654435761u) >> 22];
	struct flow_l7 l7;
	char name[128];
	size_t len;

	_Static_assert(PROTO_CACHE == 1 << 10, "the hash gives 10 bits");
	if (p->key != NULL && p->id == id) {
		if (p->key->flags & KEY_OTHER)
			counter_inc(c->counters, COUNTER_CLOUD_OTHER);
		key_wake(c, p->key);
		return p->key;
	}
	memset(&l7, 0, sizeof(l7));
	l7.master = (uint16_t)(id >> 16);
	l7.app = (uint16_t)id;
	len = dpi_full_name(c->setup.names, &l7, name, sizeof(name));
	p->id = id;
	p->key = cloud_key(c, CLOUD_PROTO, name, len);
	if (p->key != NULL)
		p->key->flags |= KEY_CACHED;
	return p->key;
}

void
feed_forget(struct cloud *c, const struct cloud_key *k)
{
	unsigned i;

	for (i = 0; i < PROTO_CACHE; i++)
		if (c->proto[i].key == k)
			c->proto[i].key = NULL;
}

static void
feed_port(struct cloud *c, const struct flowdelta *d)
{
	uint16_t port = d->key.port[!d->client];

	if (port == 0)
		return; /* a fragment without its first, or -p without ports */
	if (d->key.proto == PROTO_TCP)
		feed_total(c, cloud_key(c, CLOUD_PORT_TCP, &port, sizeof(port)), d);
	else if (d->key.proto == PROTO_UDP)
		feed_total(c, cloud_key(c, CLOUD_PORT_UDP, &port, sizeof(port)), d);
}

static void
top(struct cloud *c, enum top metric, const struct flowdelta *d, const char *member,
    size_t len, uint64_t n)
{
	if (n > 0)
		cloud_zincr(c, top_key(c, metric, d->last_us / MINUTE), member, len, n);
}

static void
feed_top_address(struct cloud *c, const struct flowdelta *d, unsigned side,
    const struct cloud_key *k)
{
	char text[KEYNAME_ADDR];
	const char *member = text;
	size_t len;

	if (k != NULL && !(k->flags & KEY_OTHER)) {
		member = key_name(k) + k->tree->prefix_len;
		len = k->name_len - k->tree->prefix_len;
	} else
		len = keyname_addr(text, d->key.addr[side]);
	top(c, TOP_IP_BYTES, d, member, len, d->octets[0] + d->octets[1]);
	top(c, TOP_IP_FLOWS, d, member, len, d->fresh);
}

static void
feed_top_proto(struct cloud *c, const struct flowdelta *d, const struct cloud_key *k)
{
	const char *member;
	size_t len;

	if (k == NULL)
		return;
	member = key_name(k) + k->tree->prefix_len;
	len = k->name_len - k->tree->prefix_len;
	top(c, TOP_PROTO_BYTES, d, member, len, d->octets[0] + d->octets[1]);
	top(c, TOP_PROTO_FLOWS, d, member, len, d->fresh);
}

/* -p without addresses leaves none in the key: both are all zeros. */
static bool
has_addresses(const struct flowdelta *d)
{
	static const uint8_t none[2][16];

	return memcmp(d->key.addr, none, sizeof(none)) != 0;
}

void
cloud_feed(struct cloud *c, const struct flowdelta *d)
{
	struct cloud_key *k;
	unsigned side;

	for (side = 0; side < 2; side++) {
		if (has_addresses(d)) {
			k = feed_address(c, d, side);
			feed_top_address(c, d, side, k);
		}
		feed_mac(c, d, side);
	}
	if (d->key.vlan != 0)
		feed_vlan(c, d);
	k = proto_key(c, d);
	feed_total(c, k, d);
	feed_top_proto(c, d, k);
	feed_port(c, d);
}
