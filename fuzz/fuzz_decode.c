/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_decode.c -- one frame through the decoder.
 *
 *	byte 0	bits 0-5 link type (fuzz.h), 6 was longer on the wire, 7 tunnels
 *	rest	the frame
 *
 * Held against packet.h: what is pointed at lies in the frame, lengths agree with each
 * other, every field is written, and looking into tunnels never makes a drop of what
 * is a packet without.
 */
#include "decode.h"
#include "frag.h"
#include "fuzz.h"

const char fuzz_name[] = "decode";

#define BEYOND 777 /* bytes on the wire that were not captured */

static void
check_mapped(const uint8_t *addr)
{
	static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	CHECK(memcmp(addr, prefix, sizeof(prefix)) == 0);
}

static void
check_tunnel(const struct packet *p)
{
	CHECK(p->ntunnels <= PACKET_TUNNELS_MAX);
	if (p->ntunnels == 0)
		return;
	CHECK(p->tunnel.type > TUNNEL_NONE && p->tunnel.type <= TUNNEL_PIM);
	CHECK(p->tunnel.ip_version == 4 || p->tunnel.ip_version == 6);
	if (p->tunnel.ip_version == 4) {
		check_mapped(p->tunnel.src);
		check_mapped(p->tunnel.dst);
	}
}

static void
check_packet(const struct frame *f, const struct packet *p)
{
	const uint8_t *end = f->data + f->caplen;

	CHECK(p->ip_version == 4 || p->ip_version == 6);
	CHECK(p->l3 >= f->data && p->l3 < end);
	CHECK(p->l3_len > 0 && p->l3_len <= (size_t)(end - p->l3));
	CHECK(p->l3_len >= (p->ip_version == 4 ? 20 : 40));
	CHECK((p->payload == NULL) == (p->payload_len == 0));
	if (p->payload != NULL) {
		CHECK(p->payload >= p->l3);
		CHECK(p->payload_len <= (size_t)(p->l3 + p->l3_len - p->payload));
	}
	CHECK(p->payload_len <= p->payload_wire);
	CHECK(p->payload_wire <= p->octets);
	/* minimal encapsulation shortens the packet but not its header's word */
	CHECK(p->l3_len <= p->octets || p->ntunnels > 0);
	CHECK(p->payload_len == p->payload_wire || (p->flags & PACKET_CUT));
	CHECK(p->wirelen == f->wirelen && p->ts_us == f->ts_us && p->port == f->port);
	CHECK(!(p->flags & PACKET_TRUNCATED) == (f->wirelen <= f->caplen));
	CHECK((p->flags & (PACKET_FRAG_FIRST | PACKET_FRAG_LATER)) !=
	      (PACKET_FRAG_FIRST | PACKET_FRAG_LATER));
	CHECK(p->vlan < 4096 && p->vlan_inner < 4096);
	CHECK(p->nmpls <= PACKET_MPLS_MAX);
	if (p->flags & PACKET_HAS_TCP)
		CHECK(p->proto == 6);
	if (p->ip_version == 4) {
		check_mapped(p->src);
		check_mapped(p->dst);
	}
	check_tunnel(p);
}

/* Decode F twice, into memory that held different things. */
static enum counter
decode_twice(const struct frame *f, bool tunnels, struct packet *p)
{
	struct counters counters = {{0}}, again = {{0}};
	struct decode d = {.tunnels = tunnels, .counters = &counters};
	struct packet q;
	enum counter r;

	memset(p, 0xa5, sizeof(*p));
	memset(&q, 0x5a, sizeof(q));
	r = decode_frame(&d, f, p);
	d.counters = &again;
	CHECK(decode_frame(&d, f, &q) == r);
	CHECK(memcmp(&counters, &again, sizeof(again)) == 0);
	CHECK(memcmp(p, &q, sizeof(q)) == 0);
	if (r != COUNTER_FLOW_PACKETS) {
		CHECK(counter_table[r].kind == COUNTER_KIND_DROP);
		return r;
	}
	check_packet(f, p);
	CHECK(tunnels || p->ntunnels == 0);
	return r;
}

/* A frame twice through one decoder with a memory of fragments. */
static void
decode_fragments(const struct frame *f, bool tunnels)
{
	struct counters counters = {{0}};
	struct decode d = {.tunnels = tunnels, .counters = &counters};
	struct packet p;
	unsigned i;

	d.frag = frag_new(4, 1, &counters);
	CHECK(d.frag != NULL);
	for (i = 0; i < 2; i++)
		if (decode_frame(&d, f, &p) == COUNTER_FLOW_PACKETS)
			check_packet(f, &p);
	frag_free(d.frag);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	uint8_t head = input_u8(&in);
	struct frame f = {
	    .ts_us = 1700000000000000, .link = fuzz_link_of(head & 63), .port = 3};
	size_t n = in.left;
	bool tunnels = head & 0x80;
	struct packet p, other;
	enum counter r, s;

	if (len == 0)
		return 0;
	f.data = input_frame(&in, &n);
	f.caplen = (uint32_t)n;
	f.wirelen = (uint32_t)n + (head & 0x40 ? BEYOND : 0);
	r = decode_twice(&f, tunnels, &p);
	s = decode_twice(&f, !tunnels, &other);
	CHECK(r == s);
	decode_fragments(&f, tunnels);
	free((uint8_t *)f.data);
	return 0;
}
