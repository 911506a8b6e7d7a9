/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch_addr.c -- lists of addresses and networks. One hash for all lengths of prefixes;
 * a look-up tries those lengths that there are, the longest first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "keyname.h"
#include "watch_int.h"

#define V4_BITS	  96 /* of the prefix of mapped IPv4 addresses */
#define SLOTS_MIN 16

static bool
is_v4(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

static void
mask(uint8_t *to, const uint8_t *addr, unsigned bits)
{
	memcpy(to, addr, bits / 8);
	memset(to + bits / 8, 0, 16 - bits / 8);
	if (bits % 8 != 0)
		to[bits / 8] = (uint8_t)(addr[bits / 8] & (0xff00 >> bits % 8));
}

static struct watch_net *
slot(const struct watch_set *s, const uint8_t *addr, unsigned bits)
{
	size_t i = XXH3_64bits_withSeed(addr, 16, bits) & (s->slots - 1);

	while (s->nets[i].used &&
	    (s->nets[i].bits != bits || memcmp(s->nets[i].addr, addr, 16) != 0))
		i = (i + 1) & (s->slots - 1);
	return &s->nets[i];
}

bool
watch_net_room(struct watch_set *s, size_t n)
{
	struct watch_set old = *s;
	size_t i, slots = s->slots > 0 ? s->slots : SLOTS_MIN;

	while (slots < 2 * n)
		slots *= 2;
	if (slots == s->slots)
		return true;
	if (!watch_take(s, slots * sizeof(*s->nets)))
		return false;
	s->nets = calloc(slots, sizeof(*s->nets));
	if (s->nets == NULL) {
		s->nets = old.nets;
		watch_give(s, slots * sizeof(*s->nets));
		return false;
	}
	s->slots = slots;
	for (i = 0; i < old.slots; i++)
		if (old.nets[i].used)
			*slot(s, old.nets[i].addr, old.nets[i].bits) = old.nets[i];
	free(old.nets);
	watch_give(s, old.slots * sizeof(*s->nets));
	return true;
}

/* Digits only, up to 128. -1: it is no such number. */
static int
read_bits(const char *p, size_t len)
{
	int n = 0;

	if (len == 0 || len > 3)
		return -1;
	for (; len > 0; p++, len--) {
		if (*p < '0' || *p > '9')
			return -1;
		n = n * 10 + (*p - '0');
	}
	return n;
}

/* 255.255.255.0, or what it leaves: 0.0.0.255. -1: neither. */
static int
read_mask(const char *p, size_t len)
{
	uint8_t addr[16];
	uint32_t v;
	int n = 0;

	if (keyname_read_addr(addr, p, len) < 0 || !is_v4(addr))
		return -1;
	v = (uint32_t)addr[12] << 24 | (uint32_t)addr[13] << 16 | (uint32_t)addr[14] << 8 |
	    addr[15];
	if (v >> 31 == 0)
		v = ~v;
	while (n < 32 && v >> 31 == 1) {
		v <<= 1;
		n++;
	}
	return v == 0 ? n : -1;
}

static int
read_net(struct watch_net *net, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t n = slash != NULL ? (size_t)(slash - text) : len, rest = len - n;
	uint8_t addr[16];
	bool v4;
	int bits;

	if (keyname_read_addr(addr, text, n) < 0)
		return -1;
	v4 = is_v4(addr) && memchr(text, ':', n) == NULL;
	bits = v4 ? 32 : 128;
	if (slash != NULL) {
		bits = read_bits(slash + 1, rest - 1);
		if (bits < 0 && v4)
			bits = read_mask(slash + 1, rest - 1);
	}
	if (bits < 0 || bits > (v4 ? 32 : 128))
		return -1;
	net->bits = (uint8_t)(v4 ? bits + V4_BITS : bits);
	net->used = true;
	mask(net->addr, addr, net->bits);
	return 0;
}

enum watch_reply
watch_net_add(struct watch_set *s, const char *text, size_t len, const char **why)
{
	struct watch_net net = {.used = false}, *to;

	if (read_net(&net, text, len) < 0) {
		*why = "no address and no network";
		return WATCH_BAD;
	}
	if (!watch_net_room(s, s->n + 1))
		return WATCH_FULL;
	to = slot(s, net.addr, net.bits);
	if (to->used)
		return WATCH_TAKEN;
	*to = net;
	s->n++;
	s->lengths[net.bits]++;
	return WATCH_TAKEN;
}

static void
net_text(char *to, const struct watch_net *net)
{
	bool v4 = net->bits >= V4_BITS && is_v4(net->addr);
	size_t n = keyname_addr(to, net->addr);

	if (net->bits < 128)
		snprintf(to + n, WATCH_ADDR - n, "/%u",
		    v4 ? net->bits - V4_BITS : net->bits);
}

bool
watch_net_find(const struct watch_set *s, const uint8_t *addr, char *entry)
{
	/* a network of IPv6 has no address of IPv4 in it, how short its prefix may be */
	int bits, least = is_v4(addr) ? V4_BITS : 0;
	const struct watch_net *net;
	uint8_t masked[16];

	if (s->n == 0)
		return false;
	for (bits = 128; bits >= least; bits--) {
		if (s->lengths[bits] == 0)
			continue;
		mask(masked, addr, (unsigned)bits);
		net = slot(s, masked, (unsigned)bits);
		if (!net->used)
			continue;
		net_text(entry, net);
		return true;
	}
	return false;
}
