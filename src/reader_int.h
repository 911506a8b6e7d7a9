/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader_int.h -- between reader.c (questions), reader_cache.c (what is known or being
 * asked) and reader_link.c (the thread and its connections); and for their test.
 *
 * The unit of all three is a lookup: one key, and maybe a field, that is looked up on
 * its node. Questions wait for lookups, the cache keeps them, the thread answers them.
 */
#ifndef MCPROBE_READER_INT_H
#define MCPROBE_READER_INT_H

#include <sys/queue.h>

#include "reader.h"

#define READER_ASKING_MAX 16384 /* lookups under way */
#define READER_OPEN_MAX	  65536 /* questions without an answer */
#define READER_CACHE_MAX  65536 /* lookups kept */

struct config;
struct waiter;

enum lookup_result {
	LOOKUP_UNKNOWN, /* no node said */
	LOOKUP_MISSING,
	LOOKUP_FOUND,
};

/*
 * 136 bytes and its texts: about 200 for a name of an address's user, 0.9 KB at most;
 * the cache holds 13 MB of the usual ones, 60 MB at the very most.
 */
struct lookup {
	/* fixed when it is made */
	uint64_t deadline_ms; /* monotonic: so long the answer is waited for */
	uint64_t hash;	      /* of the key alone */
	const char *key, *field; /* in TEXT; FIELD NULL: GET */
	size_t key_len, field_len;
	unsigned node;
	/* the thread's until it comes back */
	enum lookup_result result;
	STAILQ_ENTRY(lookup) next;
	char *value; /* owned; NULL unless LOOKUP_FOUND */
	size_t len;
	/* control's */
	unsigned refs; /* of the table, of being under way, of questions */
	bool under_way;
	bool listed; /* in the table: who asks for it finds it */
	uint64_t expires_ms;
	LIST_ENTRY(lookup) chain;
	TAILQ_ENTRY(lookup) lru; /* if LISTED and not UNDER_WAY */
	TAILQ_HEAD(, waiter) waiters;
	char text[];
};

STAILQ_HEAD(lookups, lookup);

/*
 * The table: what is under way or known. Control only.
 */
struct reader_cache {
	LIST_HEAD(, lookup) *bucket; /* owned */
	TAILQ_HEAD(lookup_lru, lookup) lru; /* the one asked for last is the last */
	uint64_t seed;
	unsigned known; /* lookups in LRU */
};

/* 0, or -1: no memory. */
int	 cache_init(struct reader_cache *);
/* Nothing may be under way. */
void	 cache_clear(struct reader_cache *);
/* What is under way or known at NOW_MS; NULL: nothing. */
struct lookup *cache_find(struct reader_cache *, const char *key, const char *field,
		     uint64_t now_ms);
/* A new one, under way, in the table; NULL: no memory. */
struct lookup *cache_add(struct reader_cache *, const char *key, const char *field);
/* It came back: keep it, or not. It may be gone after this. */
void	 cache_settle(struct reader_cache *, struct lookup *, uint64_t now_ms);
/* All of KEY leave the table. */
void	 cache_forget(struct reader_cache *, const char *key);
/* One reference less. */
void	 lookup_put(struct lookup *);

/*
 * The thread. Lookups handed to it are its own until it gives them back.
 */
struct links;

struct links	*links_new(const struct config *, unsigned timeout_ms, char *err,
		     size_t errlen);
unsigned	 links_count(const struct links *);
int		 links_fd(const struct links *); /* readable: something came back */
void		 links_ask(struct links *, struct lookup *);
/* What came back, to the end of TO. */
void		 links_take(struct links *, struct lookups *to);
/* Ends the thread. What it had is in REST. */
void		 links_free(struct links *, struct lookups *rest);

/*
 * reader_tls.c: what C has to say to the socket, and back, in the clear or through TLS. 0,
 * or -1 with the reason in WHY: the connection is of no use. ALL: nothing is left.
 */
struct redisContext;
struct tls_stream;
int	 link_write(struct redisContext *c, struct tls_stream *, bool *all, char *why,
	     size_t size);
int	 link_read(struct redisContext *c, struct tls_stream *, char *why, size_t size);

/* For tests: the cache's clock goes MS further. */
void	 reader_age(struct reader *, uint64_t ms);

#endif
