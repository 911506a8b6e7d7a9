/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud.h -- the key tree: what this probe knows, by name. Answers queries itself, and
 * keeps for each key what its Redis node has not got yet. Control thread; no locks.
 *
 * A key belongs to a tree (ip., mac., dns.domain., ...), which sets its type, its life and
 * how many there may be. It is found by what names it in its tree (an address, a number,
 * bytes from the wire: hashed) and by its whole name (ordered, so a prefix costs what it
 * matches). Names are formatted once, when a key is made.
 *
 * Bounds: keys by each tree's cap (what comes beyond goes to <tree>other, where the tree
 * has one, and is counted), fields of a key by CLOUD_FIELDS_MAX, strings by
 * CLOUD_VALUE_MAX, members of a sorted set by CLOUD_ZSET_MAX. A key of an IPv4 address
 * takes about 530 bytes with all that finds it (three fields of plugins included), one of a
 * protocol or port 300, a full sorted set of addresses 100 KB. Besides, 110 KB for what
 * waits to be written.
 */
#ifndef MCPROBE_CLOUD_H
#define MCPROBE_CLOUD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "flowdelta.h"
#include "keyname.h"

#define CLOUD_FIELDS_MAX 512  /* Redis keeps such a hash compact */
#define CLOUD_VALUE_MAX	 255  /* bytes of a string or a field's value */
#define CLOUD_ZSET_MAX	 1000 /* members shown; at most twice as many are kept */
#define CLOUD_TREES_MAX	 32
#define CLOUD_NODES_MAX	 64

struct cloud;
struct cloud_key;
struct dpi_names;

enum cloud_type {
	CLOUD_STRING,
	CLOUD_HASH,
	CLOUD_ZSET,
};

/* What a tree is. PREFIX, borrowed, ends in a dot. */
struct cloud_tree {
	const char *prefix;
	enum cloud_type type;
	uint32_t cap;	 /* keys at most, 0: --max-keys */
	uint32_t ttl_s;	 /* life after the last change; 0: persistent until told */
	bool other;	 /* beyond the cap: the key <prefix>other takes it */
	bool local;	 /* never written to nodes */
	bool addr;	 /* ids are 16 bytes, IPv4 mapped, else bytes from the wire */
};

/* The trees that are always there; plugins add theirs. */
enum cloud_builtin {
	CLOUD_IP,	  /* id: 16 bytes, IPv4 mapped */
	CLOUD_MAC,	  /* id: 6 bytes */
	CLOUD_VLAN,	  /* id: uint16_t, host order */
	CLOUD_PROTO,	  /* id: the L7 name's bytes */
	CLOUD_PORT_TCP,	  /* id: uint16_t */
	CLOUD_PORT_UDP,
	CLOUD_TOP,	  /* id: "<metric>.<minute>" */
	CLOUD_USER,	  /* id: the user's name; persistent */
	CLOUD_USER_IP,	  /* id: 16 bytes; persistent */
	CLOUD_USER_NET,	  /* id: "<prefix>/<len>"; persistent */
	CLOUD_BUILTINS
};

struct cloud_setup {
	uint32_t ttl_s;	   /* --volatile-ttl */
	uint32_t max_keys; /* --max-keys: cap of each big tree (ip, mac, plugins') */
	uint64_t seed;	   /* of the hashes */
	const struct dpi_names *names; /* borrowed; NULL: no nDPI */
	struct counters *counters;     /* borrowed */
	/* the node a key's name belongs to, 0 .. nnodes - 1; not called when NNODES is 0 */
	unsigned nnodes;
	unsigned (*node_of)(void *arg, const char *name, size_t len);
	void *arg;
};

/* NULL: no memory. */
struct cloud	*cloud_new(const struct cloud_setup *);
void		 cloud_free(struct cloud *);

/*
 * Monotonic clock, ms; never backwards. TTLs run by it: what is due goes, at most some
 * thousand keys per call. A key past its time is not seen, gone or not. One that still has
 * something for its node stays, unseen, until that was taken.
 */
void	 cloud_clock(struct cloud *, uint64_t now_ms);

/* --volatile-ttl, s. */
uint32_t cloud_ttl(const struct cloud *);

/* Add a tree. Its number, or -1: too many, or a prefix that is there already. A tree of
 * strings called dns.cache. names addresses: ip.<addr> takes its "name" from there when
 * it is made. */
int	 cloud_add_tree(struct cloud *, const struct cloud_tree *);

/*
 * Writing. KEYs are borrowed until the next cloud_clock(). Values reach the node with the
 * next batch; many changes of one field are one write. FIELD names are copied once.
 */

/* What a flow did: ip, mac, vlan, proto, port and top trees. */
void	 cloud_feed(struct cloud *, const struct flowdelta *);

/*
 * The key of ID in TREE, made if need be; re-arms its TTL. NULL: no memory, or no room
 * and the tree has no "other" (counted).
 */
struct cloud_key *cloud_key(struct cloud *, unsigned tree, const void *id, size_t len);

/*
 * What comes often is put: written at once where the key was written lately; else it waits
 * among CLOUD_PUTS others, so that the memory of all their keys is fetched at once. It is
 * written in order, before anything else is written or read (cloud_key() and all that ask
 * do so first), and with cloud_clock().
 *
 * A put field has a number in its tree, and a place in its keys. The top list of a tree is
 * fed from what its keys had in the minute, once a second and before anybody asks.
 */
#define CLOUD_KNOWN_MAX 32
#define CLOUD_PUTS	256

enum cloud_add_kind {
	CLOUD_ADD,
	CLOUD_ADD_MAX,
	CLOUD_ADD_MIN,
};

struct cloud_add {
	uint8_t field; /* cloud_tree_field()'s */
	uint8_t kind;  /* enum cloud_add_kind */
	uint64_t n;
};

/* Before the tree has keys. The number of FIELD in TREE, a hash; -1: too many. */
int	 cloud_tree_field(struct cloud *, unsigned tree, const char *field);
/* Its keys count in top.<metric>.<minute>. -1: there are too many top lists, or one is
 * TREE's. METRIC is borrowed. */
int	 cloud_tree_top(struct cloud *, unsigned tree, const char *metric);

/*
 * N additions to fields of a key of a hash, and TOP to its figure in the minute of TS_US.
 * False: there is no such tree, id or field; nothing was put.
 */
bool	 cloud_put_adds(struct cloud *, unsigned tree, const void *id, size_t len,
	     const struct cloud_add *, unsigned n, uint64_t top, uint64_t ts_us);
/*
 * A text, to the field of that number of a hash; to a string key, whatever FIELD. ip.<addr>
 * gets it only where there is the key: an address is not seen by being told of. One that
 * is new in dns.cache.<addr> becomes the "name" of ip.<addr>. False: as above.
 */
bool	 cloud_put_text(struct cloud *, unsigned tree, const void *id, size_t len, int field,
	     const void *text, size_t text_len);
/* May TREE have an id of LEN bytes? For those who do not know. */
bool	 cloud_may_have(const struct cloud *, unsigned tree, size_t len);
/* Write what was put. */
void	 cloud_settle(struct cloud *);

void	 cloud_incr(struct cloud *, struct cloud_key *, const char *field, int64_t n);
void	 cloud_set(struct cloud *, struct cloud_key *, const char *field, const void *value,
	     size_t len);
void	 cloud_set_number(struct cloud *, struct cloud_key *, const char *field, uint64_t);
/* Keep the smallest. On the node too, but for what others have left there before this
 * probe's first, which stays (HSETNX costs a fifth of a script). */
void	 cloud_set_min(struct cloud *, struct cloud_key *, const char *field, uint64_t);
/* Keep the largest this probe has seen. */
void	 cloud_set_max(struct cloud *, struct cloud_key *, const char *field, uint64_t);
void	 cloud_unset(struct cloud *, struct cloud_key *, const char *field);
void	 cloud_put(struct cloud *, struct cloud_key *, const void *value, size_t len);
void	 cloud_zincr(struct cloud *, struct cloud_key *, const void *member, size_t len,
	     uint64_t n);
void	 cloud_delete(struct cloud *, struct cloud_key *);

/* The end of a persistent key. EXPIRE_AFTER_IF only as long as its string is VALUE, which
 * the node checks for itself: another probe may have changed it. */
void	 cloud_persist(struct cloud *, struct cloud_key *);
void	 cloud_expire_after(struct cloud *, struct cloud_key *, uint32_t s);
void	 cloud_expire_after_if(struct cloud *, struct cloud_key *, const void *value,
	     size_t len, uint32_t s);

/*
 * The end of a key that was told to expire has come by another clock: it goes, as if its
 * time had passed. Its node keeps its own time. VALUE not NULL: only if its string is that.
 */
void	 cloud_lapse(struct cloud *, unsigned tree, const void *id, size_t len,
	     const void *value, size_t vlen);

/*
 * Reading. Everything is borrowed until the next call that writes or moves the clock.
 */

/* A field, a string, or a member: as text, or as a number. */
struct cloud_item {
	const char *name; /* of the field or the member */
	size_t name_len;
	const char *text; /* NULL: it is NUMBER */
	size_t len;
	int64_t number;
};

/* By its whole name. NULL: none, or past its time. */
const struct cloud_key *cloud_find(const struct cloud *, const char *name, size_t len);

/* By what names it in its tree; does not make it, does not touch its TTL. */
const struct cloud_key *cloud_look(const struct cloud *, unsigned tree, const void *id,
		     size_t len);

/*
 * The first key whose name begins with PREFIX and sorts after AFTER (bytewise; AFTER NULL:
 * the first of all). NULL: no more. O(length of the name).
 */
const struct cloud_key *cloud_next(const struct cloud *, const char *prefix,
		     size_t prefix_len, const char *after, size_t after_len);

/* Any key, for RANDOMKEY; RANDOM is the caller's. NULL: there are none. */
const struct cloud_key *cloud_any(const struct cloud *, uint64_t random);

const char	*cloud_key_name(const struct cloud_key *, size_t *len);
enum cloud_type	 cloud_key_type(const struct cloud_key *);
/* ms to live, -1: persistent. */
int64_t		 cloud_key_ttl(const struct cloud *, const struct cloud_key *);
/* ms since the last change. */
uint64_t	 cloud_key_idle(const struct cloud *, const struct cloud_key *);
size_t		 cloud_key_memory(const struct cloud_key *); /* bytes */
void		 cloud_key_string(const struct cloud_key *, struct cloud_item *);
/* Fields of a hash, in the order they came; or members of a set, lowest score first (ties
 * by name), CLOUD_ZSET_MAX at most. I < cloud_key_count(). */
unsigned	 cloud_key_count(const struct cloud_key *);
void		 cloud_key_at(const struct cloud_key *, unsigned i, struct cloud_item *);
/* The field or member called NAME. False: none. */
bool		 cloud_key_get(const struct cloud_key *, const char *name, size_t len,
		     struct cloud_item *);

uint64_t cloud_count(const struct cloud *); /* keys */
size_t	 cloud_memory(const struct cloud *); /* bytes taken, about */
/* For INFO. Trees are 0 .. cloud_trees() - 1. */
unsigned cloud_trees(const struct cloud *);
const struct cloud_tree *cloud_tree_of(const struct cloud *, unsigned tree, uint64_t *keys);

/*
 * The N members of METRIC ("ip.bytes", "ip.flows", "proto.bytes", "proto.flows",
 * "dns.domain") with the largest sums over the last CLOUD_TOP_MINUTES minutes, largest
 * first. How many there are; ITEMS has room for N.
 */
#define CLOUD_TOP_MINUTES 5
unsigned cloud_top(struct cloud *, const char *metric, struct cloud_item *items, unsigned n);

/*
 * The nodes' side.
 */

enum cloud_op_kind {
	CLOUD_OP_HINCRBY,   /* key, field, number */
	CLOUD_OP_HSET,	    /* key, field, text or number */
	CLOUD_OP_HSETNX,
	CLOUD_OP_HMIN,	    /* key, field, number: set if it is smaller than what is there */
	CLOUD_OP_HDEL,	    /* key, field */
	CLOUD_OP_SET,	    /* key, text or number */
	CLOUD_OP_ZINCRBY,   /* key, field = member, number */
	CLOUD_OP_ZTRIM,	    /* key: keep the CLOUD_ZSET_MAX largest */
	CLOUD_OP_EXPIRE,    /* key, number = s */
	CLOUD_OP_EXPIRE_IF, /* key, text = the value it must have, number = s */
	CLOUD_OP_PERSIST,
	CLOUD_OP_DEL,
};

struct cloud_op {
	enum cloud_op_kind kind;
	const char *key;
	size_t key_len;
	const char *field;
	size_t field_len;
	const char *text; /* NULL: NUMBER */
	size_t len;
	int64_t number;
	/* the first HINCRBY of a key that the node is thought to have: an answer equal to
	   NUMBER says it has not */
	bool alive;
};

/* Everything in OP is borrowed until the callee returns. */
typedef void cloud_op_cb(void *arg, const struct cloud_op *op);

/*
 * Take what NODE has not got: whole keys, those that wait longest first, until MAX_OPS
 * were told of or nothing is left. Taken is taken: the callee sends it until it arrives.
 * The number of ops.
 *
 * EXPIRE (1.25 x TTL) comes with a key's first write and with later ones once a quarter of
 * the TTL has passed.
 */
unsigned cloud_take(struct cloud *, unsigned node, unsigned max_ops, cloud_op_cb *,
	     void *arg);

/* Keys that have something for NODE; and how long, in ms, the oldest has waited. */
uint64_t cloud_waiting(const struct cloud *, unsigned node);
/* The same, or more: what was put is not written for that. */
uint64_t cloud_waiting_most(const struct cloud *, unsigned node);
uint64_t cloud_lag(const struct cloud *, unsigned node);

/* The node has lost this key: what is not a counter is sent again, and EXPIRE. */
void	 cloud_rearm(struct cloud *, const char *name, size_t len);
/* The node has lost everything it had. */
void	 cloud_rearm_all(struct cloud *, unsigned node);

#endif
