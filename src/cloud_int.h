/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cloud_int.h -- between the parts of the key tree; nobody else includes it.
 *
 *	cloud.c		trees, making keys, writing
 *	cloud_life.c	when keys are seen, expire and are freed
 *	cloud_table.c	keys by tree and id: chains, growing a bucket at a time
 *	cloud_index.c	keys that are seen, by name: a tree of first differing bits
 *	cloud_value.c	a key's fields, or its string
 *	cloud_names.c	one copy of each field's name
 *	cloud_zset.c	sorted sets
 *	cloud_top.c	which minutes of a top list there are, and their sums
 *	cloud_feed.c	flows into keys
 *	cloud_mem.c	memory of keys
 *	cloud_put.c	what comes often, put together before it is written
 *	cloud_sort.c	new keys into the index, and what keys did into top lists
 *	cloud_read.c	questions
 *	cloud_take.c	what nodes have not got
 *
 * A key of an IPv4 address takes about 530 bytes: 170 the key with its name, 290 room for
 * twelve fields (six counters, two times, MAC and three of plugins), 48 what it had in
 * the minute, 16 its place in the table. The index takes none of its own: its nodes are
 * in the keys.
 */
#ifndef MCPROBE_CLOUD_INT_H
#define MCPROBE_CLOUD_INT_H

#include "cloud.h"

#define WHEEL_SLOTS   1024 /* of a second each */
#define VISITS	      4096 /* keys looked at per cloud_clock() */
#define PREFIX_MAX    48
#define ID_MAX	      (KEYNAME_PART + 2)
#define NO_NODE	      UINT8_MAX
#define MALLOC_HEAD   8	 /* bytes an allocation takes besides */
#define TOP_METRICS   16
#define TOP_MINUTES   8	 /* of a metric, where nothing waits for nodes */
#define TOP_WAITING   64 /* at most */
#define TOP_TTL_S     300
#define TOPS_MS	      1000 /* how often what keys did goes to top lists */
#define PROTO_CACHE   1024
#define VLANS	      4096

/*
 * cloud_names.c. A name is a number; 0 is none. Those that no field holds go, but for
 * the ones of this room, which are always there and have the numbers of enum name.
 */
enum name {
	NAME_NONE,
	NAME_BYTES_SENT,
	NAME_BYTES_RCVD,
	NAME_PKTS_SENT,
	NAME_PKTS_RCVD,
	NAME_FLOWS_CLIENT,
	NAME_FLOWS_SERVER,
	NAME_FIRST_SEEN,
	NAME_LAST_SEEN,
	NAME_MAC,
	NAME_BYTES,
	NAME_PKTS,
	NAME_FLOWS,
	NAME_STRING,	/* of a string key's value */
	NAME_CONDITION, /* of the value a string must have to expire */
	NAME_BUILTINS
};

#define NAME_IDS  (1u << 24)
#define NAME_LEN  255
#define NAME_KEEP UINT32_MAX /* refs: forever */

struct name_entry {
	uint32_t refs;
	uint32_t hash;
	uint32_t next; /* in its bucket, 0: the last */
	uint8_t len;
	char text[];
};

struct names {
	struct name_entry **v; /* by number; a free one's is NULL */
	uint32_t *bucket;
	uint32_t *spare; /* numbers that are free again: a stack, CAP of them at most */
	uint32_t mask, n, cap, nspare, count;
	uint64_t seed;
	size_t memory;
};

int	 names_init(struct names *, uint64_t seed);
void	 names_clear(struct names *);
uint32_t names_find(const struct names *, const char *text, size_t len); /* 0: none */
/* Find or make; not held. 0: no memory, or too long. */
uint32_t names_get(struct names *, const char *text, size_t len);
void	 names_hold(struct names *, uint32_t id);
void	 names_keep(struct names *, uint32_t id);
void	 names_drop(struct names *, uint32_t id);
/* Somebody who got it did not hold it after all. */
void	 names_settle(struct names *, uint32_t id);
const char *names_text(const struct names *, uint32_t id, size_t *len);

/*
 * cloud_value.c. A field, or the string of a string key: 24 bytes, texts up to 19 bytes
 * within.
 */
enum value_kind {
	VALUE_COUNTER, /* HINCRBY */
	VALUE_NUMBER,  /* HSET */
	VALUE_MIN,     /* HSETNX, later HMIN */
	VALUE_MAX,     /* HSET */
	VALUE_TEXT,    /* HSET or SET */
};

#define VALUE_SMALL 19

struct value {
	union {
		struct {
			uint32_t name : 24;
			uint32_t kind : 3; /* enum value_kind */
			uint32_t set : 1;  /* the node has not got the value */
			uint32_t del : 1;  /* the node must forget it first */
			uint32_t gone : 1; /* not seen: here for its node only */
			uint32_t sent : 1; /* the node has got something of it */
			uint32_t big : 1;  /* the text is TEXT, owned */
			uint32_t unused;
			int64_t number;
			int64_t pending; /* counted, not taken by the node */
		};
		struct {
			uint32_t head_small;
			uint8_t len;
			char small[VALUE_SMALL];
		};
		struct {
			uint32_t head_big;
			uint8_t len_big;
			char *text;
		};
	};
};

_Static_assert(sizeof(struct value) == 24, "a field takes 24 bytes");

/* What a seen number of KIND begins with that has nothing for a node. Of no name it has
 * the bits of its kind alone. */
static inline uint32_t
value_head(uint32_t name, enum value_kind kind)
{
	return (struct value){.name = name & (NAME_IDS - 1), .kind = kind}.head_small;
}


/* What a node must do to the life of a key, after its values. */
enum life {
	LIFE_AS_IS,
	LIFE_EXPIRE,
	LIFE_EXPIRE_IF,
	LIFE_PERSIST,
};

enum key_flag {
	KEY_SHOWN = 1 << 0,  /* in the index: has something to show */
	KEY_QUEUED = 1 << 1, /* its node has not got something */
	KEY_DEL = 1 << 2,    /* the node must delete it before what follows */
	KEY_RENEW = 1 << 3,  /* the node must get an EXPIRE, be there values or not */
	KEY_OTHER = 1 << 4,  /* <tree>other */
	KEY_CACHED = 1 << 5, /* in the cache of protocols */
	KEY_UNSORTED = 1 << 6, /* in the list of those the index has not got yet */
	KEY_TOP = 1 << 7,    /* in the list of those whose top lists are behind */
};

/* First line: what finding a key and writing it reads. */
struct cloud_key {
	struct cloud_key *chain; /* the table's */
	struct tree *tree;	 /* borrowed */
	union {
		struct value *v; /* owned: CAP of them */
		struct zset *z;	 /* owned */
	};
	uint64_t expire_ms; /* 0: never */
	uint64_t changed_ms;
	uint32_t hash;
	uint16_t n, cap; /* values */
	uint16_t gone;	 /* of these, not seen */
	uint16_t name_len;
	uint8_t id_len; /* of BYTES, 0 for trees whose id is the name's end */
	uint8_t node;	/* NO_NODE: none */
	uint8_t flags;	/* enum key_flag */
	uint8_t life;	/* enum life */
	uint32_t crit;	/* the index's: what its two sides differ in */
	/* the rest is for changes of its life */
	uintptr_t child[2]; /* the index's; bit 0: a node, else a key. If UNSORTED the first
			       is the next of the list */
	uint64_t renew_ms; /* volatile: the next EXPIRE is due; 0: none was sent.
			      Persistent: when the node's copy will end; 0: never */
	struct cloud_key *wheel_next, **wheel_prev; /* PREV NULL: in no list */
	struct cloud_key *queue_next, *queue_prev;
	uint32_t since; /* ms, low bits: since then it waits for its node */
	char bytes[]; /* the id, then the name with a NUL; then, aligned, the first values */
};

/* Stands before a key whose tree has top lists: what is in the minute it was fed last. */
struct key_top {
	uint64_t minute;
	uint64_t n[2];	   /* by the tree's top lists */
	uint64_t fresh[2]; /* of N, what the lists have not got */
	uint8_t mac[6];	   /* the last that was written, if MAC_KNOWN */
	bool mac_known;
};

enum id_kind {
	ID_TEXT,
	ID_ADDR,
	ID_MAC,
	ID_NUMBER,
};

struct tree {
	struct cloud_tree def;
	struct cloud *cloud;
	size_t prefix_len;
	uint64_t ttl_ms; /* 0: persistent */
	uint32_t cap;
	uint32_t keys;	 /* in the table, "other" not counted */
	uint32_t seen;
	uint16_t base_at, nbase; /* counters every key has: names from BASE_AT on */
	uint8_t nknown;
	uint8_t placed;	 /* so many of KNOWN are in every key, where their number says */
	uint8_t room;	 /* so many fields have room in the key itself */
	uint8_t ntops;
	uint8_t top[2];	 /* which of cloud.metric */
	uint32_t known[CLOUD_KNOWN_MAX]; /* names of fields that are put by number */
	uint32_t head[CLOUD_KNOWN_MAX];	 /* value_head() of these as counters */
	uint64_t seed;	 /* of its ids' hashes */
	uint8_t id;	 /* enum id_kind */
	bool nested;	 /* there are trees beneath its prefix */
};

struct table {
	struct cloud_key **bucket; /* owned */
	uint32_t n, cap;	   /* buckets in use, allocated */
	uint32_t level;		   /* power of two <= n: split so far up to n - level */
	uint32_t count;		   /* keys */
};

/* What waits for one node, oldest first. */
struct queue {
	struct cloud_key *head, *tail;
	uint64_t count;
};

struct metric {
	char name[32];
	size_t name_len;
	unsigned n;
	/* the one used last stands last */
	struct minute {
		struct cloud_key *key; /* borrowed */
		uint64_t minute;
	} minute[TOP_WAITING + 1];
};

enum top {
	TOP_IP_BYTES,
	TOP_IP_FLOWS,
	TOP_PROTO_BYTES,
	TOP_PROTO_FLOWS,
	TOP_DNS_DOMAIN,
	TOP_BUILTINS
};

/* Names of the fields of one VLAN, made once. */
struct vlan_names {
	uint32_t id[NAME_FLOWS_SERVER + 1]; /* by enum name */
};

/*
 * cloud_mem.c. Of zeros: empty. SIZE is the same in both.
 */
#define KEYMEM_CLASSES 48 /* larger ones are malloc()'s */

struct keymem {
	struct block *blocks; /* owned */
	char *at; /* what was never used */
	size_t left;
	struct free_key *free[KEYMEM_CLASSES];
};

void	*keymem_get(struct keymem *, size_t size); /* NULL: no memory */
void	 keymem_put(struct keymem *, void *, size_t size);
/* All of it but what is malloc()'s goes. */
void	 keymem_clear(struct keymem *);

struct puts; /* cloud_put.c's */

struct cloud {
	struct cloud_setup setup;
	struct counters *counters; /* borrowed */
	struct tree tree[CLOUD_TREES_MAX];
	unsigned ntrees;
	const struct tree *names_of; /* dns.cache.<addr>; NULL: there is none (yet) */
	struct table table;
	struct keymem mem;
	uintptr_t index; /* root */
	struct names names;
	uint64_t base_ms, now_ms; /* the caller's clock began; since then */
	bool started;
	uint64_t wheel_s;
	struct cloud_key *wheel[WHEEL_SLOTS];
	struct cloud_key *due; /* to be looked at next */
	struct queue queue[CLOUD_NODES_MAX];
	uint64_t rearm; /* bit per node: its keys are being gone through ... */
	uint32_t rearm_at; /* ... at this bucket */
	struct metric metric[TOP_METRICS];
	unsigned nmetrics;
	struct proto_cached {
		uint32_t id;
		struct cloud_key *key; /* borrowed; NULL: empty */
	} proto[PROTO_CACHE];
	struct puts *puts; /* owned */
	struct cloud_key *unsorted; /* shown, but not in the index yet */
	struct cloud_key **behind;  /* owned: their top lists are */
	size_t nbehind, behind_cap;
	uint64_t topped_ms; /* when these were brought up to date */
	struct vlan_names *vlan[VLANS]; /* owned */
	uint64_t seen; /* keys in the index */
	size_t memory; /* of keys and what they own */
};

static inline bool
key_seen(const struct cloud *c, const struct cloud_key *k)
{
	return (k->flags & KEY_SHOWN) &&
	    (k->expire_ms == 0 || c->now_ms < k->expire_ms);
}

static inline char *
key_name(const struct cloud_key *k)
{
	return (char *)k->bytes + k->id_len;
}

static inline struct key_top *
key_top(struct cloud_key *k)
{
	return (struct key_top *)(void *)k - 1;
}

/* Where the first values of a key are: so many bytes from its beginning. */
static inline size_t
key_values_at(size_t id_len, size_t name_len)
{
	return (offsetof(struct cloud_key, bytes) + id_len + name_len + 1 + 7) &
	       ~(size_t)7;
}

/* Room for the values that all keys of T have. */
static inline struct value *
key_values(struct cloud_key *k)
{
	return (struct value *)(void *)((char *)k +
					key_values_at(k->id_len, k->name_len));
}

/* Bytes a key takes, with what stands before it, and room for its first values. */
static inline size_t
key_size(const struct tree *t, size_t id_len, size_t name_len)
{
	return key_values_at(id_len, name_len) + t->room * sizeof(struct value) +
	       (t->ntops > 0 ? sizeof(struct key_top) : 0);
}

static inline void *
key_memory(struct cloud_key *k)
{
	return k->tree->ntops > 0 ? (void *)key_top(k) : k;
}

/*
 * cloud.c
 */
struct cloud_key *key_find_or_make(struct cloud *, struct tree *, const void *id,
		     size_t len, uint32_t hash, struct cloud_key *known);
/* What the table knows ID by; BUF has room for ID_MAX + 1. NULL: not an id of T. */
const void *table_id(const struct cloud *, const struct tree *, const void *id,
		     size_t *len, char *buf);

/*
 * cloud_put.c
 */
int	 puts_init(struct cloud *);
void	 puts_clear(struct cloud *);
void	 puts_settle(struct cloud *);
void	 puts_forget(struct cloud *, const struct cloud_key *); /* it goes */
unsigned puts_count(const struct cloud *); /* that wait */
/* Those of the two SIDES (a bit each) of a flow, by their addresses or MACs. */
void	 put_sides(struct cloud *, enum cloud_builtin tree, const struct flowdelta *,
	     unsigned sides);
void	 put_key(struct cloud *, struct cloud_key *, const struct cloud_add *, unsigned n,
	     const uint64_t top[2], uint64_t minute);

/*
 * cloud_sort.c: what the index and the top lists have not got
 */
void	 sort_keys(struct cloud *);
void	 sort_tops(struct cloud *);
/* So much more of a key, by its tree's top lists. */
void	 top_count(struct cloud *, struct cloud_key *, const uint64_t n[2], uint64_t minute);

static inline void
settle_all(const struct cloud *c)
{
	/* what was put is part of what the tree holds: asking for it changes nothing */
	cloud_settle((struct cloud *)(uintptr_t)c);
}

/*
 * cloud_table.c. IDs are those of the table: for ID_TEXT the end of the name.
 */
int	 table_init(struct table *);
void	 table_clear(struct table *);
uint32_t table_hash(const struct tree *, const void *id, size_t len);
struct cloud_key *table_find(const struct table *, const struct tree *, const void *id,
		     size_t len, uint32_t hash);
void	 table_fetch(const struct table *, uint32_t hash);
bool	 key_is(const struct cloud_key *, const struct tree *, const void *id, size_t len);
struct cloud_key *table_first(const struct table *, uint32_t hash); /* of its chain */
/* Cannot fail: a table that cannot grow has longer chains. */
void	 table_insert(struct table *, struct cloud_key *);
void	 table_remove(struct table *, struct cloud_key *);

/*
 * cloud_index.c.
 */
int	 index_insert(uintptr_t *root, struct cloud_key *); /* -1: the name is there */
void	 index_remove(uintptr_t *root, struct cloud_key *);
struct cloud_key *index_find(uintptr_t root, const char *name, size_t len);
/* The first that sorts after NAME, or is NAME unless STRICT. */
struct cloud_key *index_next(uintptr_t root, const char *name, size_t len, bool strict);

/*
 * cloud_value.c. Values move when one is added or removed.
 */
int	 values_room(struct cloud *, struct cloud_key *, unsigned n);
/* The first fields of a key of its tree, not seen yet, in their places. -1: no memory. */
int	 values_place(struct cloud *, struct cloud_key *);
struct value *value_find(struct cloud_key *, uint32_t name);
/* Found or added, not seen before it is written. NULL: no room, counted. */
struct value *value_get(struct cloud *, struct cloud_key *, uint32_t name);
void	 value_remove(struct cloud *, struct cloud_key *, struct value *);
void	 values_clear(struct cloud *, struct cloud_key *);
/* The key is past its time: only what the node has not got stays, unseen. */
void	 values_lapse(struct cloud *, struct cloud_key *);
/* Take what is unseen and has nothing for the node away. */
void	 values_sweep(struct cloud *, struct cloud_key *);
void	 value_show(struct cloud_key *, struct value *);
void	 value_add(struct cloud *, struct cloud_key *, struct value *, int64_t n);
void	 value_number(struct cloud *, struct cloud_key *, struct value *,
	     enum value_kind kind, uint64_t n);
/* -1: no memory, counted. */
int	 value_text(struct cloud *, struct cloud_key *, struct value *,
	     const void *text, size_t len);
/* The text a string must have to expire: never seen, here until the node has got it. */
int	 value_condition(struct cloud *, struct cloud_key *, struct value *,
	     const void *text, size_t len);
const char *value_string(const struct value *, size_t *len);
bool	 value_waits(const struct value *);
/* Forget it here, and on the node. */
void	 value_unset(struct cloud *, struct cloud_key *, struct value *);

/*
 * cloud_zset.c.
 */
struct zset;
struct zadd {
	bool merged;	  /* something of the member waited already */
	bool left;	  /* it was left out */
	unsigned dropped; /* members that made room, or were left out */
	int64_t bytes;	  /* the set takes more now */
};
struct zset *zset_new(uint64_t seed);
void	 zset_free(struct zset *);
/* -1: no memory. WAIT: the node wants it. */
int	 zset_add(struct zset *, const void *member, size_t len, uint64_t n, bool wait,
	     struct zadd *);
void	 zset_lapse(struct zset *);
unsigned zset_shown(const struct zset *);
unsigned zset_kept(const struct zset *);
/*
 * A member that had TOTAL in all, of which N is new here. One that is not there, and no more
 * than the least of those that stayed when some were dropped, is left out (counted in
 * DROPPED).
 */
int	 zset_offer(struct zset *, const void *member, size_t len, uint64_t total,
	     uint64_t n, bool wait, struct zadd *);
/* Is one that had TOTAL in all certainly not there, and would be left out? */
bool	 zset_is_small(const struct zset *, uint64_t total);
size_t	 zset_memory(const struct zset *);
/* I-th of those shown, lowest first. */
void	 zset_at(struct zset *, unsigned i, struct cloud_item *);
bool	 zset_get(struct zset *, const char *member, size_t len, struct cloud_item *);
/* I-th of those kept, in no order; false: not seen. */
bool	 zset_each(const struct zset *, unsigned i, struct cloud_item *);
unsigned zset_waiting(const struct zset *);
/* Tell of all that waits; *FRESH: there were members the node had not got before. */
unsigned zset_take(struct zset *, struct cloud_op *, cloud_op_cb *, void *arg,
	     bool *fresh);

/*
 * cloud_life.c.
 */
void	 key_wake_up(struct cloud *, struct cloud_key *);
void	 key_show_or_hide(struct cloud *, struct cloud_key *);
void	 key_enqueue(struct cloud *, struct cloud_key *);
void	 key_unqueue(struct cloud *, struct cloud_key *);
void	 key_hide(struct cloud *, struct cloud_key *);
void	 key_lapse(struct cloud *, struct cloud_key *);
/* Past its time? Then it has lapsed now, and is counted. */
bool	 key_check(struct cloud *, struct cloud_key *);
void	 key_drop_set(struct cloud *, struct cloud_key *);
/* It has nothing to show and nothing for its node: it goes with the next clock. */
void	 key_settle(struct cloud *, struct cloud_key *);
void	 key_expire_at(struct cloud *, struct cloud_key *, uint64_t ms); /* 0: never */
void	 key_free(struct cloud *, struct cloud_key *);
/* It and all that it owns; it is in no list, or all go. */
void	 key_release(struct cloud *, struct cloud_key *);
/* See to it that KEY is looked at with the next clock. */
void	 key_due(struct cloud *, struct cloud_key *);

/* Before each write: what is past its time starts anew; volatile keys live on. */
static inline void
key_wake(struct cloud *c, struct cloud_key *k)
{
	uint64_t ttl_ms = k->tree->ttl_ms;

	if (k->changed_ms != c->now_ms || !(k->flags & KEY_SHOWN) ||
	    k->expire_ms != (ttl_ms != 0 ? c->now_ms + ttl_ms : 0))
		key_wake_up(c, k); /* else it was written in this very moment */
}

/* After each write of values. */
static inline void
key_changed(struct cloud *c, struct cloud_key *k)
{
	if (!(k->flags & KEY_SHOWN) || k->n == k->gone)
		key_show_or_hide(c, k);
}

/* K has something for its node. */
static inline void
key_queue(struct cloud *c, struct cloud_key *k)
{
	if (k->node != NO_NODE && !(k->flags & KEY_QUEUED))
		key_enqueue(c, k);
}

/*
 * cloud_top.c.
 */
/* "<metric>.<minute>": the metric, made if need be, and the minute. NULL: not so. */
struct metric *top_metric(struct cloud *, const char *id, size_t len, uint64_t *minute);
int	 top_init(struct cloud *);
void	 top_enroll(struct cloud *, struct cloud_key *);
void	 top_withdraw(struct cloud *, struct cloud_key *);
/* The key of MINUTE in metric number TOP, to be written: cloud_zincr() wakes it. */
struct cloud_key *top_key(struct cloud *, unsigned top, uint64_t minute);
/* The number of METRIC, made if need be. -1: there are too many. */
int	 top_number(struct cloud *, const char *metric);
void	 top_offer(struct cloud *, struct cloud_key *top, const char *member, size_t len,
	     uint64_t total, uint64_t n);

/* cloud_feed.c. */
void	 feed_side(struct cloud *, struct cloud_key *, const struct flowdelta *,
	     unsigned side);
void	 feed_forget(struct cloud *, const struct cloud_key *);

/* cloud_take.c: go on with what cloud_rearm_all() began, so many keys. */
void	 rearm_step(struct cloud *, unsigned keys);

#endif
