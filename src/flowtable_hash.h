/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable_hash.h -- from a key to its flow: an array of buckets of one cache line, each
 * with ten entries, 6 full on average at most. A look-up compares all tags of a bucket at
 * once, so that nothing has to be guessed by the processor, and follows an entry only if
 * its tag fits: one line, and the record's first ones. Inline: three files' worth of calls
 * would cost as much as the work.
 */
#ifndef MCPROBE_FLOWTABLE_HASH_H
#define MCPROBE_FLOWTABLE_HASH_H

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "flowtable_int.h"

static inline uint64_t
key_hash(const struct flowtable *t, const struct flowkey *key)
{
	uint64_t hash = flowkey_hash(key, t->opt.seed);

	return t->opt.fold == 0 ? hash : hash % t->opt.fold;
}

/* Never 0: that is an entry that is free. */
static inline uint16_t
hash_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag != 0 ? tag : 1;
}

static inline uint32_t
hash_home(const struct flowtable *t, uint64_t hash)
{
	return (uint32_t)((uint64_t)(uint32_t)hash * t->nbuckets >> 32);
}

static inline uint32_t
hash_next(const struct flowtable *t, uint32_t b)
{
	return b + 1 == t->nbuckets ? 0 : b + 1;
}

/*
 * A bit for each entry of BK that has TAG, which is twice in one word: compilers store a
 * half of one and load it whole, and that waits until all stores before are done.
 */
static inline unsigned
bucket_match(const struct bucket *bk, uint16_t tag)
{
#ifdef __SSE2__
	const __m128i want = _mm_set1_epi32((int)(tag * 0x10001u)), *p = (const void *)bk;
	__m128i low = _mm_cmpeq_epi16(_mm_load_si128(p), want);
	__m128i high = _mm_cmpeq_epi16(_mm_load_si128(p + 1), want);

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high)) &
	    ((1U << BUCKET) - 1);
#else
	unsigned i, match = 0;

	for (i = 0; i < BUCKET; i++)
		match |= (unsigned)(bk->tag[i] == tag) << i;
	return match;
#endif
}

/* The flow alive that has KEY; NULL: none. */
static inline struct flow *
hash_find(const struct flowtable *t, const struct flowkey *key, uint64_t hash)
{
	uint32_t b = hash_home(t, hash);
	uint16_t tag = hash_tag(hash);

	for (;;) {
		const struct bucket *bk = &t->buckets[b];
		unsigned match = bucket_match(bk, tag);

		for (; match != 0; match &= match - 1) {
			struct flow *f = &t->pool[bk->slot[__builtin_ctz(match)]];

			if (flowkey_equal(&f->key, key))
				return f;
		}
		if (bk->passed == 0)
			return NULL;
		b = hash_next(t, b);
	}
}

/* The record that hash_find() will look at first, as far as tags tell; NULL: none. */
static inline const struct flow *
hash_guess(const struct flowtable *t, uint64_t hash)
{
	uint32_t b = hash_home(t, hash);
	uint16_t tag = hash_tag(hash);
	const struct bucket *bk = &t->buckets[b];
	unsigned match = bucket_match(bk, tag);

	if (match == 0 && bk->passed != 0) {
		bk = &t->buckets[hash_next(t, b)];
		match = bucket_match(bk, tag);
	}
	return match != 0 ? &t->pool[bk->slot[__builtin_ctz(match)]] : NULL;
}

static inline void
hash_insert(struct flowtable *t, const struct flow *f, uint64_t hash)
{
	uint32_t b = hash_home(t, hash);
	unsigned i, free;

	while ((free = bucket_match(&t->buckets[b], 0)) == 0) {
		t->buckets[b].passed++;
		b = hash_next(t, b);
	}
	i = (unsigned)__builtin_ctz(free);
	t->buckets[b].tag[i] = hash_tag(hash);
	t->buckets[b].slot[i] = f->index;
}

static inline void
hash_remove(struct flowtable *t, const struct flow *f)
{
	uint64_t hash = key_hash(t, &f->key);
	uint32_t b = hash_home(t, hash);
	uint16_t tag = hash_tag(hash);

	for (;;) {
		struct bucket *bk = &t->buckets[b];
		unsigned match = bucket_match(bk, tag);

		for (; match != 0; match &= match - 1)
			if (bk->slot[__builtin_ctz(match)] == f->index) {
				bk->tag[__builtin_ctz(match)] = 0;
				return;
			}
		if (bk->passed-- == 0)
			abort(); /* a flow alive is always in the hash */
		b = hash_next(t, b);
	}
}

#endif
