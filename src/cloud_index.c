/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_index.c -- keys in the order of their names: a binary tree whose nodes say in
 * which bit of the name their two sides differ first (a crit-bit tree). A name is read
 * as symbols of 9 bits: 0x100 + byte, and 0 from its end on, so that a name sorts
 * before those that go on, and any byte may occur in a question. CRIT is the place of a
 * bit: symbol << 4 | how far from the left, growing down every path.
 *
 * N keys have N - 1 nodes. Each lies in a key, and always in one below it: a new key
 * brings the node that parts it from the rest. When a key goes, the node above it
 * becomes superfluous, and what the key's own node did moves there. So no node is ever
 * allocated.
 */
#include "cloud_int.h"

#include <stdlib.h>
#include <string.h>

#define NODE 1u

static inline bool
is_node(uintptr_t p)
{
	return p & NODE;
}

static inline struct cloud_key *
key_of(uintptr_t p)
{
	return (struct cloud_key *)(p & ~(uintptr_t)NODE);
}

static inline unsigned
side(const char *name, size_t len, uint32_t crit)
{
	size_t at = crit >> 4;

	if (at >= len)
		return 0;
	return (0x100u | (uint8_t)name[at]) >> (8 - (crit & 15)) & 1;
}

/* Where two names differ first; UINT32_MAX: nowhere. */
static uint32_t
differ(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t i = 0, n = alen < blen ? alen : blen;
	unsigned x;

	while (i < n && a[i] == b[i])
		i++;
	if (i == alen && i == blen)
		return UINT32_MAX;
	if (i == n)
		return (uint32_t)i << 4;
	x = (uint8_t)a[i] ^ (uint8_t)b[i];
	return (uint32_t)i << 4 | (uint32_t)(__builtin_clz(x) - 23);
}

/* The key at the end of NAME's way: if any has this name, it is this one. */
static struct cloud_key *
descend(uintptr_t p, const char *name, size_t len)
{
	while (is_node(p))
		p = key_of(p)->child[side(name, len, key_of(p)->crit)];
	return key_of(p);
}

static struct cloud_key *
lowest(uintptr_t p)
{
	while (is_node(p))
		p = key_of(p)->child[0];
	return key_of(p);
}

int
index_insert(uintptr_t *root, struct cloud_key *k)
{
	const char *name = key_name(k);
	uintptr_t *link = root;
	struct cloud_key *near;
	uint32_t crit;
	unsigned s;

	if (*root == 0) {
		*root = (uintptr_t)k;
		return 0;
	}
	near = descend(*root, name, k->name_len);
	crit = differ(name, k->name_len, key_name(near), near->name_len);
	if (crit == UINT32_MAX)
		return -1;
	while (is_node(*link) && key_of(*link)->crit < crit)
		link =
		    &key_of(*link)->child[side(name, k->name_len, key_of(*link)->crit)];
	s = side(name, k->name_len, crit);
	k->crit = crit;
	k->child[s] = (uintptr_t)k;
	k->child[!s] = *link;
	*link = (uintptr_t)k | NODE;
	return 0;
}

void
index_remove(uintptr_t *root, struct cloud_key *k)
{
	uintptr_t *link = root, *above = NULL, *own = NULL;
	struct cloud_key *parent = NULL;
	unsigned s = 0;

	while (is_node(*link)) {
		above = link;
		parent = key_of(*link);
		if (parent == k)
			own = link;
		s = side(key_name(k), k->name_len, parent->crit);
		link = &parent->child[s];
	}
	if (*link != (uintptr_t)k)
		abort(); /* only keys that are in the index are removed */
	if (parent == NULL) {
		*root = 0;
		return;
	}
	*above = parent->child[!s];
	if (own != NULL && parent != k) {
		parent->child[0] = k->child[0];
		parent->child[1] = k->child[1];
		parent->crit = k->crit;
		*own = (uintptr_t)parent | NODE;
	}
}

struct cloud_key *
index_find(uintptr_t root, const char *name, size_t len)
{
	struct cloud_key *k;

	if (root == 0)
		return NULL;
	k = descend(root, name, len);
	return k->name_len == len && memcmp(key_name(k), name, len) == 0 ? k : NULL;
}

struct cloud_key *
index_next(uintptr_t root, const char *name, size_t len, bool strict)
{
	uintptr_t p = root, right = 0;
	struct cloud_key *k;
	uint32_t crit;

	if (root == 0)
		return NULL;
	k = descend(root, name, len);
	crit = differ(name, len, key_name(k), k->name_len);
	if (crit == UINT32_MAX && !strict)
		return k;
	/* down to where NAME leaves the tree; what lies right of its way comes later */
	while (is_node(p) && key_of(p)->crit < crit) {
		unsigned s = side(name, len, key_of(p)->crit);

		if (s == 0)
			right = key_of(p)->child[1];
		p = key_of(p)->child[s];
	}
	if (crit != UINT32_MAX && side(name, len, crit) == 0)
		return lowest(p); /* all below is larger */
	return right != 0 ? lowest(right) : NULL;
}
