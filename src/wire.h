/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h -- numbers in network order: the stores all encoders share. Nothing here needs
 * alignment. Each put returns the place after what it wrote, so that a header reads as
 * one column of stores.
 */
#ifndef MCPROBE_WIRE_H
#define MCPROBE_WIRE_H

#include <stdint.h>
#include <string.h>

static inline uint8_t *
wire_put8(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v;
	return p + 1;
}

static inline uint8_t *
wire_put16(uint8_t *p, unsigned v)
{
	uint16_t n = (uint16_t)v;

#if __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__
	n = __builtin_bswap16(n);
#endif
	memcpy(p, &n, sizeof(n));
	return p + sizeof(n);
}

static inline uint8_t *
wire_put32(uint8_t *p, uint32_t v)
{
#if __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static inline uint8_t *
wire_put64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

/*
 * V in LEN bytes. What does not fit saturates: a counter that says "at least so much"
 * is wrong by less than one that wrapped. LEN above 8 is padded with zeros in front.
 */
static inline uint8_t *
wire_put_uint(uint8_t *p, uint64_t v, unsigned len)
{
	unsigned i;

	switch (len) {
	case 1:
		return wire_put8(p, v > UINT8_MAX ? UINT8_MAX : (unsigned)v);
	case 2:
		return wire_put16(p, v > UINT16_MAX ? UINT16_MAX : (unsigned)v);
	case 4:
		return wire_put32(p, v > UINT32_MAX ? UINT32_MAX : (uint32_t)v);
	case 8:
		return wire_put64(p, v);
	}
	if (len < 8 && v >> (8 * len) != 0)
		v = ((uint64_t)1 << (8 * len)) - 1;
	for (i = len; i-- > 0;) {
		p[i] = (uint8_t)v;
		v >>= 8;
	}
	return p + len;
}

#endif
