/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h -- what the fuzz targets share. A target is one file with one function that
 * takes any bytes, feeds them to a room, and holds what came out against what the
 * room's header promises. It is linked with libFuzzer (make fuzz) or with replay.c
 * (make check). A target keeps nothing from one input to the next.
 */
#ifndef MCPROBE_FUZZ_H
#define MCPROBE_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name of the target: its seeds and regressions are in folders of this name. */
extern const char fuzz_name[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

__attribute__((noreturn)) static inline void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
	abort();
}

/* A promise; in every build, for replay runs in release builds too. */
#define CHECK(cond)                                           \
	do {                                                  \
		if (!(cond))                                  \
			fuzz_fail(__FILE__, __LINE__, #cond); \
	} while (0)

/* What is left of an input. Beyond its end there are zeros, so every input is one. */
struct input {
	const uint8_t *p;
	size_t left;
};

static inline uint64_t
input_uint(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (; bytes > 0; bytes--) {
		v = v << 8 | (in->left > 0 ? *in->p : 0);
		if (in->left > 0) {
			in->p++;
			in->left--;
		}
	}
	return v;
}

static inline uint8_t
input_u8(struct input *in)
{
	return (uint8_t)input_uint(in, 1);
}

static inline uint16_t
input_u16(struct input *in)
{
	return (uint16_t)input_uint(in, 2);
}

static inline uint32_t
input_u32(struct input *in)
{
	return (uint32_t)input_uint(in, 4);
}

/* A number of any size: how many bytes it has, then these. Small ones are as likely. */
static inline uint64_t
input_number(struct input *in)
{
	return input_uint(in, input_u8(in) % 9);
}

static inline void
input_bytes(struct input *in, void *to, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(to, 0, n);
	if (have > 0)
		memcpy(to, in->p, have);
	in->p += have;
	in->left -= have;
}

/*
 * N bytes in memory of exactly their size, so that a sanitizer sees a read beyond them;
 * to be freed. Fewer if the input has fewer: *N is how many.
 */
static inline uint8_t *
input_frame(struct input *in, size_t *n)
{
	uint8_t *p;

	if (*n > in->left)
		*n = in->left;
	p = malloc(*n);
	CHECK(p != NULL || *n == 0);
	if (*n > 0)
		memcpy(p, in->p, *n);
	in->p += *n;
	in->left -= *n;
	return p;
}

/* FNV-1a: tells two sequences of bytes apart. */
static inline uint64_t
fuzz_hash(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (; n > 0; n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

/* LINKTYPE_ numbers the decoder knows, and two it does not. */
static const uint16_t fuzz_link[] = {1, 12, 14, 101, 228, 229, 113, 276, 0, 108, 127,
    105, 9, 50, 51, 104, 239, 192, 119, 163, 107, 204, 205, 206, 100, 11, 10, 6, 122,
    109, 117, 242, 258, 147, 65535};

static inline uint16_t
fuzz_link_of(unsigned index)
{
	return fuzz_link[index % (sizeof(fuzz_link) / sizeof(fuzz_link[0]))];
}

#endif
