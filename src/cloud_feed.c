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
	if (v->kind != VALUE_COUNTER || v->gone ||
	    (k->node != NO_NODE && v->pending == 0)) {
		value_add(c, k, v, (int64_t)n);
		return;
	}
	/* what value_add() does where something waits already, or nobody does */
	v->number = (int64_t)((uint64_t)v->number + n);
	counter_inc(c->counters, COUNTER_CLOUD_UPDATES);
	if (k->node == NO_NODE)
		return;
	v->pending = (int64_t)((uint64_t)v->pending + n);
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
	struct key_top *t = key_top(k);
	char text[18];

	if (v == NULL)
		return;
	if (t->mac_known && !v->gone && v->kind == VALUE_TEXT &&
	    memcmp(t->mac, mac, sizeof(t->mac)) == 0)
		return; /* it says so already */
	if (value_text(c, k, v, text, keyname_mac(text, mac)) == -1)
		return;
	memcpy(t->mac, mac, sizeof(t->mac));
	t->mac_known = true;
}

/*
 * Counters N and times of D into a key that has them all, each in its place, and no node:
 * most often. False: nothing was written.
 */
static bool
write_plain(struct cloud *c, struct cloud_key *k, const uint64_t *n,
    const struct flowdelta *d)
{
	int64_t first = (int64_t)(d->first_us / SECOND), last = (int64_t)(d->last_us / SECOND);
	const uint32_t *head = k->tree->head;
	struct value *v = k->v;
	unsigned i, different = 0, some = 0;

	if (k->node != NO_NODE || k->n < PLACE_MAC)
		return false;
	for (i = 0; i < PLACE_SEEN; i++)
		different |= v[i].head_small ^ head[i];
	different |= v[i].head_small ^ (head[i] | value_head(NAME_NONE, VALUE_MIN));
	different |= v[i + 1].head_small ^ (head[i + 1] | value_head(NAME_NONE, VALUE_MAX));
	if (different != 0)
		return false;
	for (i = 0; i < PLACE_SEEN; i++) {
		v[i].number = (int64_t)((uint64_t)v[i].number + n[NAME_BYTES_SENT + i]);
		some += n[NAME_BYTES_SENT + i] != 0;
	}
	v[i].number = v[i].number < first ? v[i].number : first;
	v[i + 1].number = v[i + 1].number > last ? v[i + 1].number : last;
	counter_add(c->counters, COUNTER_CLOUD_UPDATES, some + 2);
	return true;
}

/* What one side of D sent and got, into the key of its address or MAC. */
static void
write_side(
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
	if (!write_plain(c, k, n, d)) {
		for (i = NAME_BYTES_SENT; i <= NAME_FLOWS_SERVER; i++)
			count(c, k, i - NAME_BYTES_SENT, i, n[i]);
		seen(c, k, d);
	}
	if (k->tree == &c->tree[CLOUD_IP] && (d->has_mac & 1u << side) &&
	    !(k->flags & KEY_OTHER))
		set_mac(c, k, d->mac[side]);
	if (names != NULL)
		for (i = NAME_BYTES_SENT; i <= NAME_FLOWS_SERVER; i++)
			count(c, k, PLACE_MAC + i, names->id[i], n[i]);
	key_changed(c, k);
}

static void
top(struct cloud *c, enum top metric, const struct flowdelta *d, const char *member,
    size_t len, uint64_t n)
{
	if (n > 0)
		cloud_zincr(c, top_key(c, metric, d->last_us / MINUTE), member, len, n);
}

/* An address that has no key of its own is in the top lists all the same. */
static void
top_address(struct cloud *c, const struct flowdelta *d, unsigned side)
{
	char text[KEYNAME_ADDR];
	size_t len = keyname_addr(text, d->key.addr[side]);

	top(c, TOP_IP_BYTES, d, text, len, d->octets[0] + d->octets[1]);
	top(c, TOP_IP_FLOWS, d, text, len, d->fresh);
}

void
feed_side(
    struct cloud *c, struct cloud_key *k, const struct flowdelta *d, unsigned side)
{
	const uint64_t n[2] = {d->octets[0] + d->octets[1], d->fresh};

	if (k != NULL)
		write_side(c, k, d, side);
	if (k == NULL || (k->tree == &c->tree[CLOUD_IP] && (k->flags & KEY_OTHER)))
		top_address(c, d, side);
	else
		top_count(c, k, n, d->last_us / MINUTE);
}

/* What clients of a VLAN sent and got; its flows on both sides. */
static void
feed_vlan(struct cloud *c, const struct flowdelta *d)
{
	unsigned side = d->client;
	const struct cloud_add add[] = {
	    {0, CLOUD_ADD, d->octets[side]},
	    {1, CLOUD_ADD, d->octets[!side]},
	    {2, CLOUD_ADD, d->packets[side]},
	    {3, CLOUD_ADD, d->packets[!side]},
	    {4, CLOUD_ADD, d->fresh},
	    {5, CLOUD_ADD, d->fresh},
	    {6, CLOUD_ADD_MIN, d->first_us / SECOND},
	    {7, CLOUD_ADD_MAX, d->last_us / SECOND},
	};

	cloud_put_adds(c, CLOUD_VLAN, &d->key.vlan, sizeof(d->key.vlan), add,
	    sizeof(add) / sizeof(add[0]), 0, 0);
}

/* Bytes, packets, flows. */
static void
total(const struct flowdelta *d, struct cloud_add add[3])
{
	add[0] = (struct cloud_add){0, CLOUD_ADD, d->octets[0] + d->octets[1]};
	add[1] = (struct cloud_add){1, CLOUD_ADD, d->packets[0] + d->packets[1]};
	add[2] = (struct cloud_add){2, CLOUD_ADD, d->fresh};
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
feed_proto(struct cloud *c, const struct flowdelta *d)
{
	struct cloud_key *k = proto_key(c, d);
	const uint64_t n[2] = {d->octets[0] + d->octets[1], d->fresh};
	struct cloud_add add[3];

	if (k == NULL)
		return;
	total(d, add);
	put_key(c, k, add, 3, n, d->last_us / MINUTE);
}

static void
feed_port(struct cloud *c, const struct flowdelta *d)
{
	uint16_t port = d->key.port[!d->client];
	struct cloud_add add[3];

	if (port == 0)
		return; /* a fragment without its first, or -p without ports */
	total(d, add);
	if (d->key.proto == PROTO_TCP)
		cloud_put_adds(c, CLOUD_PORT_TCP, &port, sizeof(port), add, 3, 0, 0);
	else if (d->key.proto == PROTO_UDP)
		cloud_put_adds(c, CLOUD_PORT_UDP, &port, sizeof(port), add, 3, 0, 0);
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
	if (has_addresses(d))
		put_sides(c, CLOUD_IP, d, 3);
	if (d->has_mac != 0)
		put_sides(c, CLOUD_MAC, d, d->has_mac);
	if (d->key.vlan != 0)
		feed_vlan(c, d);
	feed_proto(c, d);
	feed_port(c, d);
}
