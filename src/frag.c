/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag.c -- the ports and sub-flows of fragmented datagrams. A hash table of buckets of four entries;
 * each operation looks at one bucket, so it costs the same whatever is sent. Keys are
 * kept and compared whole: a hash alone would let strangers join flows. Owns its table.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "frag.h"

#define FRAG_WAYS 4
#define FRAG_MAX_ENTRIES (1u << 24)

/* What makes fragments one datagram: RFC 791 §3.2, RFC 8200 §4.5, and the VLAN. No
 * padding: it is hashed and compared as bytes. */
struct frag_key {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint16_t vlan;
	uint8_t ip_version, proto;
};

struct frag_entry {
	struct frag_key key; /* ip_version 0: free */
	uint16_t sport, dport;
	uint32_t sub;
	uint64_t ts_us; /* when the first fragment came */
};

struct frag {
	struct frag_entry *entries;
	uint64_t mask; /* of buckets */
	uint64_t seed;
	struct counters *counters;
};

struct frag *
frag_new(unsigned entries, uint64_t seed, struct counters *counters)
{
	struct frag *f;
	size_t n = FRAG_WAYS;

	if (entries > FRAG_MAX_ENTRIES)
		entries = FRAG_MAX_ENTRIES;
	while (n < entries)
		n *= 2;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->entries = calloc(n, sizeof(*f->entries));
	if (f->entries == NULL) {
		free(f);
		return NULL;
	}
	f->mask = n / FRAG_WAYS - 1;
	f->seed = seed;
	f->counters = counters;
	return f;
}

void
frag_free(struct frag *f)
{
	if (f == NULL)
		return;
	free(f->entries);
	free(f);
}

static void
key_fill(struct frag_key *k, const struct packet *pkt, uint32_t id)
{
	memcpy(k->src, pkt->src, sizeof(k->src));
	memcpy(k->dst, pkt->dst, sizeof(k->dst));
	k->id = id;
	k->vlan = pkt->vlan;
	k->ip_version = pkt->ip_version;
	k->proto = pkt->proto;
}

static struct frag_entry *
bucket_of(struct frag *f, const struct frag_key *k)
{
	return &f->entries[(XXH3_64bits_withSeed(k, sizeof(*k), f->seed) & f->mask) *
	    FRAG_WAYS];
}

/* A clock that goes back makes nothing old. */
static bool
entry_is_old(const struct frag_entry *e, uint64_t now_us)
{
	return now_us > e->ts_us && now_us - e->ts_us > FRAG_TIMEOUT_US;
}

static bool
entry_has(const struct frag_entry *e, const struct frag_key *k)
{
	return memcmp(&e->key, k, sizeof(*k)) == 0;
}

void
frag_put(struct frag *f, const struct packet *pkt, uint32_t id)
{
	struct frag_entry *e, *use, *bucket;
	struct frag_key k;

	key_fill(&k, pkt, id);
	bucket = bucket_of(f, &k);
	use = bucket;
	for (e = bucket; e < bucket + FRAG_WAYS; e++) {
		if (entry_has(e, &k)) { /* the identification was used again */
			use = e;
			break;
		}
		if (use->key.ip_version != 0 &&
		    (e->key.ip_version == 0 || e->ts_us < use->ts_us))
			use = e;
	}
	if (use->key.ip_version != 0 && !entry_has(use, &k) &&
	    !entry_is_old(use, pkt->ts_us))
		counter_inc(f->counters, COUNTER_FRAG_EVICTED);
	use->key = k;
	use->sport = pkt->sport;
	use->dport = pkt->dport;
	use->sub = pkt->sub;
	use->ts_us = pkt->ts_us;
}

bool
frag_get(struct frag *f, struct packet *pkt, uint32_t id)
{
	struct frag_entry *e, *bucket;
	struct frag_key k;

	key_fill(&k, pkt, id);
	bucket = bucket_of(f, &k);
	for (e = bucket; e < bucket + FRAG_WAYS; e++) {
		if (!entry_has(e, &k))
			continue;
		if (entry_is_old(e, pkt->ts_us))
			break;
		pkt->sport = e->sport;
		pkt->dport = e->dport;
		pkt->sub = e->sub;
		return true;
	}
	counter_inc(f->counters, COUNTER_FRAG_ORPHANS);
	return false;
}
