/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mcprobe/plugin.h -- what a plugin is to mcprobe, and mcprobe to a plugin. A plugin reads
 * what flows carry, reports what it found as it happens (events, keys), and fills fields of
 * records. It is one const struct mc_plugin: linked in, or, in a shared object, under the
 * name mc_plugin. doc/plugin.md is the manual, plugins/template.c one to start from.
 *
 * Two sides, two threads. Worker side (match, subflow, on_packet, on_timer, on_close): once
 * per worker thread, between packets; it must be quick, take no memory per packet and never
 * block. Control side (on_report, on_end): one thread, which owns keys and events. The
 * sides share nothing: what the worker side has to say it sends, copied, by mc_report() or
 * leaves in the record's fields. init() is called once for each side and worker.
 *
 * All numbers are in host order, addresses 16 bytes in network order with IPv4 mapped
 * (::ffff:a.b.c.d), times µs since the epoch by packet time.
 */
#ifndef MCPROBE_PLUGIN_H
#define MCPROBE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MC_PLUGIN_ABI  2
#define MC_REPORT_MAX  1024 /* bytes of a report */
#define MC_FIELDS_MAX  4096 /* bytes of a record's fields */
#define MC_STATE_MAX   65536 /* bytes of a flow's state */
#define MC_NO_ROW      0xff /* mc_row.present: always there */

/* What makes two packets one flow. Endpoint 0 sorts before endpoint 1. */
struct mc_key {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint16_t vlan; /* 0: untagged */
	uint8_t proto; /* 6 TCP, 17 UDP, ... */
	uint8_t ip_version;
	uint32_t sub; /* sub-flow, 0 unless split */
};

/*
 * What a flow carries: a datagram's payload, or the next bytes of one side of a TCP
 * connection, in order and without repetition, in the pieces in which they came. DATA is
 * borrowed until the callee returns.
 */
struct mc_packet {
	uint64_t ts_us;
	const uint8_t *data;
	uint32_t len;	   /* bytes of DATA; may be 0 with FIN or GAP */
	uint32_t wire_len; /* bytes there were on the wire; more than LEN: not all captured */
	uint32_t gap;	   /* TCP: this many bytes before DATA are lost; MC_GAP_START: the
			      connection's beginning was not seen */
	uint8_t dir;	   /* sent by endpoint DIR */
	bool fin;	   /* TCP: nothing comes from this side after DATA */
};

#define MC_GAP_START UINT32_MAX

struct mc_host;

/* A living flow as the worker side sees it. Borrowed until the callee returns. */
struct mc_flow {
	const struct mc_host *host;
	void *handle; /* the host's */
	const struct mc_key *key;
	uint8_t client; /* endpoint thought to be the client; may change early on */
	uint64_t first_us;
	uint32_t client_nw_us, server_nw_us; /* half round trips; 0: not measured */
};

/* The control side's view of keys and events. Borrowed until the callee returns. */
struct mc_cloud {
	const struct mc_host *host;
	void *handle;
	const struct mc_key *key; /* of the flow that is spoken of */
	const char *user;	  /* whose flow it is, NULL: not known */
};

/*
 * Rows: where in a struct of the plugin's a value is, for events and for fields of
 * records. PRESENT is the number of a bit in the uint64_t at the struct's beginning that
 * says whether there is a value, MC_NO_ROW: always.
 */
enum mc_type {
	MC_U8,
	MC_U16,
	MC_U32,
	MC_U64,
	MC_BOOL,   /* bool */
	MC_STRING, /* char [SIZE], NUL-terminated; any bytes */
	MC_ADDR,   /* uint8_t [16]; as text, IPv4 where mapped */
	MC_TEXT,   /* char *, of a record's fields only: see mc_text_set() */
};

struct mc_row {
	const char *name; /* member of the JSON object */
	enum mc_type type;
	uint16_t offset, size;
	uint8_t present;
	bool null; /* absent: null instead of left out */
};

#define MC_ROW(s, m, n, t, p)                                                    \
	{.name = n, .type = t, .offset = (uint16_t)offsetof(struct s, m),        \
	    .size = (uint16_t)sizeof(((struct s *)0)->m), .present = p}
#define MC_ROW_NULL(s, m, n, t, p)                                               \
	{.name = n, .type = t, .offset = (uint16_t)offsetof(struct s, m),        \
	    .size = (uint16_t)sizeof(((struct s *)0)->m), .present = p, .null = true}

/* A field of records, for -T: a row and its numbers. */
struct mc_field {
	const char *label, *iana; /* IANA NULL: none */
	uint32_t pen;		  /* 0 or 35632 */
	uint16_t id;
	uint16_t len;	/* bytes on the wire; of a string: in NetFlow v9 */
	enum mc_type type; /* MC_ADDR: exported as IPv4 */
	uint16_t offset, size; /* in the fields struct, which begins with the uint64_t */
	uint8_t present;
	const char *help;
};

struct mc_option {
	const char *name; /* --plugin NAME:name=value */
	const char *def;  /* default */
	const char *help;
};

struct mc_counter {
	const char *name, *help; /* shown as <plugin>_<name> */
};

enum mc_match {
	MC_MATCH_NO,
	MC_MATCH_YES,
	MC_MATCH_LATER, /* ask again with the next payload, some times */
};

enum mc_verdict {
	MC_MORE,
	MC_DONE,  /* this flow is of no more interest: it costs nothing from now on */
	/*
	 * Before this packet is counted: export the record so far, start afresh. Nothing of
	 * the packet was used: it is given again at once, FIELDS being zeros, and must be
	 * taken then (another SPLIT means MORE). Said only when mc_setup.split.
	 */
	MC_SPLIT,
};

/* What a flow may be said to be, by mc_flow_is(). */
enum mc_l7 {
	MC_L7_DNS,
	MC_L7_HTTP,
	MC_L7_MAX
};

/*
 * Fields of hashes that a tree's keys often have: each has a place in them and is written
 * by its number there. The text of NAME is the plugin's for as long as it is loaded.
 */
#define MC_FIELDS_KNOWN 16

enum mc_add_kind {
	MC_ADD,	    /* add N to the field */
	MC_ADD_MAX, /* keep the largest */
};

struct mc_add {
	uint8_t field; /* as mc_field_add() returned it for the tree */
	uint8_t kind;  /* enum mc_add_kind */
	uint64_t n;
};

/* A key tree: see cloud.h. PREFIX ends in a dot. TTL_S 0: persistent; UINT32_MAX: as
 * --volatile-ttl. */
enum mc_key_type {
	MC_KEY_STRING,
	MC_KEY_HASH,
	MC_KEY_ZSET,
	/* the id is 16 bytes, an address, instead of the name's bytes */
	MC_KEY_ADDR_STRING,
	MC_KEY_ADDR_HASH,
};

/* Trees every probe has; the id is what follows the dot, in binary. */
enum mc_tree {
	MC_TREE_IP,	  /* 16 bytes */
	MC_TREE_USER,	  /* the name's bytes */
	MC_TREE_USER_IP,  /* 16 bytes */
	MC_TREE_USER_NET, /* "<prefix>/<len>" as text */
	MC_TREE_TOP,	  /* "<metric>.<minute>" */
};

/* What init() is told. */
struct mc_setup {
	const struct mc_host *host;
	void *handle;	 /* for the host's functions below that take one */
	bool control;	 /* this is the control side's context */
	bool split;	 /* this plugin's transactions are cut into records */
	uint64_t timeout_us;  /* --dns-timeout: of transactions */
	uint64_t grace_us;    /* --user-grace */
	const char *(*option)(const struct mc_setup *, const char *name); /* its value */
};

struct mc_plugin {
	uint32_t abi;  /* MC_PLUGIN_ABI */
	uint32_t size; /* sizeof(struct mc_plugin) */
	const char *name, *summary;
	const struct mc_option *options; /* each list ends with a row without a name */
	const struct mc_field *fields;
	const struct mc_counter *counters;
	const char *const *channels; /* it publishes on; NULL-terminated */
	size_t fields_size; /* of what a record carries; zeros at first, and after a cut */
	size_t state_size;  /* of what a flow keeps besides; zeros at first */

	/* 0, or -1 with the reason in ERR. *CTX is the plugin's. */
	int (*init)(void **ctx, const struct mc_setup *, char *err, size_t errlen);
	void (*fini)(void *ctx);

	/* Worker side. */
	/* Is this flow one of its? Asked with payload; cheap for the many that are not. */
	enum mc_match (*match)(void *ctx, const struct mc_key *, const struct mc_packet *);
	/* NULL, or the sub-flow a datagram belongs to (0: none); asked only when split. */
	uint32_t (*subflow)(void *ctx, const struct mc_key *, const struct mc_packet *);
	enum mc_verdict (*on_packet)(void *ctx, void *state, void *fields,
	    const struct mc_flow *, const struct mc_packet *);
	/* The time set by mc_timer_set() has come. */
	void (*on_timer)(void *ctx, void *state, void *fields, const struct mc_flow *,
	    uint64_t now_us);
	/* The flow has ended: report what waits. STATE goes, FIELDS leave with the record. */
	void (*on_close)(void *ctx, void *state, void *fields, const struct mc_flow *,
	    uint64_t now_us);

	/* Control side. */
	void (*on_report)(void *ctx, const struct mc_cloud *, const void *msg, size_t len);
	/* A record leaves; CLOUD->key is its flow. */
	void (*on_end)(void *ctx, const struct mc_cloud *, const void *fields);
	/* Each second: NOW_US by packet time. NULL: not needed. */
	void (*on_second)(void *ctx, const struct mc_cloud *, uint64_t now_us);
};

/*
 * The one symbol of a plugin: MC_PLUGIN_SYMBOL(dns) = {...}; defines mc_plugin_dns, linked
 * into mcprobe, or, compiled with -DMC_PLUGIN_SHARED, the mc_plugin of a shared object.
 */
#ifdef MC_PLUGIN_SHARED
#define MC_PLUGIN_SYMBOL(n)                                                      \
	extern const struct mc_plugin mc_plugin;                                 \
	const struct mc_plugin mc_plugin
#else
#define MC_PLUGIN_SYMBOL(n)                                                      \
	extern const struct mc_plugin mc_plugin_##n;                             \
	const struct mc_plugin mc_plugin_##n
#endif

/* What the host does for plugins. Called through the functions below. */
struct mc_host {
	uint32_t abi, size;
	/* worker side */
	bool (*report)(const struct mc_flow *, const void *msg, size_t len);
	void (*timer_set)(const struct mc_flow *, uint64_t at_us);
	/* both sides: HANDLE is that of mc_setup, mc_flow or mc_cloud */
	void (*count)(void *handle, unsigned counter, uint64_t n);
	/* control side */
	int (*tree)(const struct mc_setup *, const char *prefix, enum mc_key_type,
	    uint32_t ttl_s);
	void (*incr)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    const char *field, int64_t n);
	void (*set)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    const char *field, const void *value, size_t len);
	void (*max)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    const char *field, uint64_t n);
	void (*unset)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    const char *field);
	void (*zincr)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    const void *member, size_t mlen, uint64_t n);
	void (*persist)(const struct mc_cloud *, int tree, const void *id, size_t idlen);
	/* VALUE NULL: in any case; else only while the key's string is VALUE. */
	void (*expire_after)(const struct mc_cloud *, int tree, const void *id,
	    size_t idlen, uint32_t s, const void *value, size_t len);
	bool (*wanted)(const struct mc_cloud *, const char *channel);
	void (*publish)(const struct mc_cloud *, const char *channel, uint64_t ts_us,
	    unsigned dir, const struct mc_row *rows, unsigned nrows, const void *values);
	void (*user)(const struct mc_cloud *, const char *name, const uint8_t addr[16],
	    unsigned bits, uint64_t at_us, bool has);
	/* worker side */
	void (*flow_is)(const struct mc_flow *, enum mc_l7, const char *name, size_t len,
	    const void *besides, size_t blen);
	/* control side */
	int (*field_add)(const struct mc_setup *, int tree, const char *name);
	int (*top_add)(const struct mc_setup *, int tree, const char *metric);
	void (*add)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    const struct mc_add *, unsigned n, uint64_t top, uint64_t ts_us);
	void (*put)(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	    int field, const void *text, size_t len);
	/* worker side */
	bool (*text_set)(const struct mc_flow *, char **at, const void *text, size_t len);
};

/*
 * Worker side: tell control now. MSG (at most MC_REPORT_MAX bytes) is copied. False: there
 * was no room and it is lost, which is counted.
 */
static inline bool
mc_report(const struct mc_flow *f, const void *msg, size_t len)
{
	return f->host->report(f, msg, len);
}

/*
 * Worker side: let *AT, an MC_TEXT of the record's fields, be the LEN bytes of TEXT, none of
 * them 0. The host keeps a copy, and frees it with the record: for texts that are mostly
 * shorter than they may be. False: no memory, counted; *AT is what it was.
 */
static inline bool
mc_text_set(const struct mc_flow *f, char **at, const void *text, size_t len)
{
	return f->host->text_set(f, at, text, len);
}

/* Call on_timer() at AT_US, once; 0: not at all. One timer per flow. */
static inline void
mc_timer_set(const struct mc_flow *f, uint64_t at_us)
{
	f->host->timer_set(f, at_us);
}

/*
 * From on_packet(): what came shows beyond doubt that this flow is L7, and the host asked
 * for is NAME (LEN bytes; lower case letters, digits, - _ and dots; fewer than 79). The
 * flow is then named by what is known of the name and of BESIDES (BLEN bytes: what else the
 * answer depends on, as a user agent), without a look at its packets. With another name, or
 * none, nDPI looks at this packet, and if that is enough for a name at no further one. Where
 * more is wanted of the flow than a name it changes nothing.
 */
static inline void
mc_flow_is(const struct mc_flow *f, enum mc_l7 l7, const char *name, size_t len,
    const void *besides, size_t blen)
{
	f->host->flow_is(f, l7, name, len, besides, blen);
}

/* Add N to the plugin's COUNTERs row. */
static inline void
mc_flow_count(const struct mc_flow *f, unsigned counter, uint64_t n)
{
	f->host->count(f->handle, counter, n);
}

/*
 * Control side. TREE is an enum mc_tree or what mc_tree_add() returned in init(); a field
 * NULL in mc_cloud_set() sets a string key. Keys are made as needed; what does not fit is
 * counted by the key tree.
 */
static inline int
mc_tree_add(const struct mc_setup *s, const char *prefix, enum mc_key_type type,
    uint32_t ttl_s)
{
	return s->host->tree(s, prefix, type, ttl_s);
}

static inline void
mc_cloud_incr(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, int64_t n)
{
	c->host->incr(c, tree, id, idlen, field, n);
}

/* The field "name" of MC_TREE_IP is set only where there is the key: an address is not
 * seen by being named. */
static inline void
mc_cloud_set(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, const void *value, size_t len)
{
	c->host->set(c, tree, id, idlen, field, value, len);
}

/* Keep the largest. */
static inline void
mc_cloud_max(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, uint64_t n)
{
	c->host->max(c, tree, id, idlen, field, n);
}

static inline void
mc_cloud_unset(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field)
{
	c->host->unset(c, tree, id, idlen, field);
}

/* Add N to a member of a sorted set. */
static inline void
mc_cloud_zincr(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const void *member, size_t mlen, uint64_t n)
{
	c->host->zincr(c, tree, id, idlen, member, mlen, n);
}

static inline void
mc_cloud_persist(const struct mc_cloud *c, int tree, const void *id, size_t idlen)
{
	c->host->persist(c, tree, id, idlen);
}

static inline void
mc_cloud_expire_after(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    uint32_t s, const void *value, size_t len)
{
	c->host->expire_after(c, tree, id, idlen, s, value, len);
}

/*
 * In init(): the fields that keys of TREE often have, in the order in which they are
 * shown; MC_FIELDS_KNOWN of a tree at most. Its number there for struct mc_add; -1: there
 * are too many.
 */
static inline int
mc_field_add(const struct mc_setup *s, int tree, const char *name)
{
	return s->host->field_add(s, tree, name);
}

/*
 * In init(): count keys of the plugin's own TREE in the top list METRIC
 * (top.<metric>.<minute>), by mc_cloud_add(). One of a tree. 0, or -1.
 */
static inline int
mc_top_add(const struct mc_setup *s, int tree, const char *metric)
{
	return s->host->top_add(s, tree, metric);
}

/*
 * All that happened to a key at once: N ADDS, and TOP in its tree's top list, in the minute
 * of TS_US. The key is looked for once; this is the way for what comes often. Written in
 * the order of calls, at the end of control's turn at the latest.
 */
static inline void
mc_cloud_add(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const struct mc_add *adds, unsigned n, uint64_t top, uint64_t ts_us)
{
	c->host->add(c, tree, id, idlen, adds, n, top, ts_us);
}

/* As mc_cloud_set(), by the number of FIELD (-1: a string key), and written as the above;
 * of MC_TREE_IP only where there is the key. What is new in dns.cache.<addr> becomes the
 * "name" of ip.<addr>. */
static inline void
mc_cloud_put(const struct mc_cloud *c, int tree, const void *id, size_t idlen, int field,
    const void *text, size_t len)
{
	c->host->put(c, tree, id, idlen, field, text, len);
}

/* Does anybody want events of CHANNEL? Ask before composing one. */
static inline bool
mc_cloud_wanted(const struct mc_cloud *c, const char *channel)
{
	return c->host->wanted(c, channel);
}

/*
 * The user called NAME has ADDR (BITS 128) or the network of its first BITS bits, since
 * SINCE_US; whoever had it has it no more. Flows find their users by this, by the time of
 * their packets, whether there is a key tree or not; keys user.* are written as others. A
 * plugin that tells of users has "user.login" among its channels.
 */
static inline void
mc_user_login(const struct mc_cloud *c, const char *name, const uint8_t addr[16],
    unsigned bits, uint64_t since_us)
{
	c->host->user(c, name, addr, bits, since_us, true);
}

/* NAME has lost it at AT_US: it is his no more once --user-grace has passed. */
static inline void
mc_user_logout(const struct mc_cloud *c, const char *name, const uint8_t addr[16],
    unsigned bits, uint64_t at_us)
{
	c->host->user(c, name, addr, bits, at_us, false);
}

/*
 * Publish VALUES, read by ROWS (N of them), as an event of TS_US. The host adds what all
 * events have: v, probe, ts, proto, src, sport, dst, dport (of the flow, sent by endpoint
 * SENT_BY), vlan, user.
 */
static inline void
mc_cloud_publish(const struct mc_cloud *c, const char *channel, uint64_t ts_us,
    unsigned sent_by, const struct mc_row *rows, unsigned nrows, const void *values)
{
	c->host->publish(c, channel, ts_us, sent_by, rows, nrows, values);
}

#endif
