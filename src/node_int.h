/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_int.h -- the parts of the node room among themselves.
 *
 *	node.c		the set of nodes: which key is whose, drain, INFO
 *	node_start.c	the question at start: is one of them a Redis Cluster?
 *	node_conn.c	one connection: names, connect, bytes, replies, silence
 *	node_link.c	the write channel's way up: log in, ask what it is, troubles
 *	node_identity.c	the probe's id and its heartbeat
 *	node_batch.c	fence, batches, the number that tells what was committed
 *	node_event.c	events that wait for their keys
 *	node_command.c	the command channel
 *	node_watch.c	the sets of what is watched
 *	node_sentinel.c	asking sentinels where the master is
 *
 * Memory per node: one batch (NODE_BATCH_BYTES and a key more, twice while it is being
 * sent), NODE_EVENTS_BYTES of events, and a reply of at most NODE_REPLY_BYTES, some
 * twenty times that when it is taken apart.
 */
#ifndef MCPROBE_NODE_INT_H
#define MCPROBE_NODE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/util.h>
#include <hiredis/hiredis.h>

#include "config.h"
#include "counter.h"
#include "node.h"
#include "resp.h"
#include "watch.h"

#define NODE_BATCH_OPS	  5000
#define NODE_BATCH_BYTES  (1 << 20)
#define NODE_BATCH_ROOM	  (3 << 20) /* NODE_BATCH_BYTES and the largest keys */
#define NODE_EVENTS_MAX	  10000
#define NODE_EVENTS_BYTES (1 << 20)
#define NODE_REPLY_BYTES  (2 << 20) /* of a reply */
#define NODE_REPLY_ITEMS  65536	    /* of an array in it */
#define NODE_ID		  224 /* --probe-id, "-", a number */
#define NODE_KEY	  (NODE_ID + 48)
#define NODE_WANTS	  64 /* heartbeats and events leave half of it free */
#define NODE_ERROR	  160

struct bufferevent;
struct event;
struct evdns_base;
struct tls;
struct node;

/* How long things take, in ms. Tests make them shorter. */
struct node_times {
	unsigned tick;	     /* how often a node is looked at */
	unsigned connect;    /* to be connected, a name's look-up included */
	unsigned ack;	     /* silence while an answer is owed */
	unsigned retry_min;  /* between attempts to connect: */
	unsigned retry_max;  /* doubled each time */
	unsigned window;     /* from a first change to the batch */
	unsigned beat;	     /* heartbeats; PING on the command channel */
	unsigned poll;	     /* between looks at the sets of what is watched, */
	unsigned whole;	     /* and between whole readings of large ones */
	unsigned look;	     /* at another's heartbeat, to see whether it beats */
	unsigned dead;	     /* one that did not in this time is of a dead probe */
	unsigned loading;    /* the node reads its data */
	unsigned replica;    /* the node is a replica */
	unsigned full_min;   /* out of memory, cannot save, ...: */
	unsigned full_max;   /* doubled each time */
	unsigned rights;     /* wrong password, forbidden, a cluster */
	unsigned ttl_s;	     /* of a heartbeat */
};

/*
 * A connection. Owned by what it is a part of.
 */
enum node_conn_state {
	NODE_CONN_CLOSED,
	NODE_CONN_RESOLVING,
	NODE_CONN_CONNECTING,
	NODE_CONN_OPEN,
};

struct node_conn_calls {
	void (*open)(void *arg);
	/* R is borrowed. The callee may close the connection. */
	void (*reply)(void *arg, const redisReply *r);
	/* it is closed; WHY is borrowed */
	void (*lost)(void *arg, const char *why);
};

/* node_reply.c: memory of what the parser makes of the reply that comes in. Zeros: empty. */
struct node_replies {
	struct reply_chunk *chunk; /* owned */
};

/* A parser whose replies are of M's memory. NULL: no memory. */
redisReader *node_replies_reader(struct node_replies *m);
/* What was parsed is not needed any more. */
void	 node_replies_reset(struct node_replies *);
void	 node_replies_clear(struct node_replies *);

struct node_conn {
	struct nodes *set;
	const struct node_conn_calls *calls;
	void *arg;
	enum node_conn_state state;
	struct bufferevent *bev;	/* owned, as the next five */
	redisReader *reader;
	struct node_replies replies;
	char *host; /* who must prove to be it; NULL: in the clear */
	struct node_lookup *lookup;	/* under way */
	struct evutil_addrinfo *found;	/* the addresses, */
	const struct evutil_addrinfo *next; /* of them to try */
	char why[NODE_ERROR];		/* the last of them failed */
	uint64_t began_ms, heard_ms;
	unsigned owed; /* replies still to come */
	size_t fed;    /* bytes since the last whole reply */
	size_t skip;   /* of a string, not come yet */
	char head[24]; /* the line that has not come whole: its beginning */
	size_t head_len;
	unsigned life; /* counts closings */
};

void	 node_conn_init(struct node_conn *, struct nodes *,
	     const struct node_conn_calls *, void *arg);
/* Connect to ADDRESS, borrowed for the call. open() or lost() comes, perhaps at once. */
void	 node_conn_open(struct node_conn *, const struct redis_address *);
/* Without a call. */
void	 node_conn_close(struct node_conn *);
/* Close, and say so. */
void	 node_conn_fail(struct node_conn *, const char *why);
/* Send B, to which REPLIES answer. False: not open, or no memory (B's or ours); then
 * nothing is sent. */
bool	 node_conn_write(struct node_conn *, const struct respbuf *b, unsigned replies);
/* Bytes the kernel has not taken. */
size_t	 node_conn_unsent(const struct node_conn *);
/* Too long without an answer: lost. */
void	 node_conn_check(struct node_conn *, uint64_t now_ms);
/* The names' resolver, if it was ever needed; looks-up under way are called off. */
void	 node_conn_end_dns(struct nodes *);

/*
 * What is wrong with a node; logged when it changes.
 */
enum node_trouble {
	NODE_FINE,
	NODE_LOST,
	NODE_LOADING,
	NODE_REPLICA,
	NODE_RIGHTS,
	NODE_CLUSTER,
	NODE_SAME,  /* as another node of the list */
	NODE_FULL,  /* or cannot write for a reason of its own */
	NODE_OTHER, /* refuses for an unknown reason */
};

enum node_state {
	NODE_WAITING,	/* until DUE_MS */
	NODE_RESOLVING, /* sentinels are asked */
	NODE_CONNECTING,
	NODE_AUTH,
	NODE_ASKING,   /* INFO */
	NODE_CLAIMING, /* the identity is not decided */
	NODE_FENCING,
	NODE_READY,
};

/* What the next replies of the write channel answer to. */
enum node_want {
	NODE_WANT_NOTHING, /* the reply does not matter */
	NODE_WANT_AUTH,
	NODE_WANT_SELECT,
	NODE_WANT_INFO,
	NODE_WANT_LOOK,
	NODE_WANT_CLAIM,
	NODE_WANT_QUEUED, /* MULTI and what follows it */
	NODE_WANT_FENCE_READ,
	NODE_WANT_FENCE_EXEC,
	NODE_WANT_EXEC,
	NODE_WANT_WATCH,
	NODE_WANT_NUMBER,
	NODE_WANT_EVENT,
	NODE_WANT_BYE,
	NODE_WANT_MAX
};

/* An HINCRBY whose answer tells whether the node had the key. */
struct node_check {
	uint32_t op, key, key_len; /* KEY: where it is in the batch */
	int64_t delta;
};

enum node_batch_state {
	NODE_BATCH_NONE,
	NODE_BATCH_KEPT,  /* not committed: to be sent */
	NODE_BATCH_SENT,
	NODE_BATCH_DOUBT, /* was sent when the connection went */
};

struct node_batch {
	enum node_batch_state state;
	struct respbuf bytes; /* owned: what stands between MULTI and the number */
	unsigned ops;
	uint64_t keys, number;
	uint64_t covers;   /* see node_event.c */
	uint64_t since_ms; /* of its oldest change */
	bool again;	   /* it was sent before */
	struct node_check *check; /* owned */
	unsigned nchecks, checks_cap;
};

struct node_event {
	STAILQ_ENTRY(node_event) entry;
	uint64_t after; /* may go when COVERED is not less */
	size_t len;
	char bytes[]; /* the whole command */
};

struct node_command {
	struct node_conn conn;
	uint64_t due_ms, ping_ms;
	unsigned retry_ms;
	unsigned epoch;	   /* of the name it is subscribed under */
	uint64_t ignored;  /* requests that were too long */
};

/* The connection that reads what is watched, with --watch. */
struct node_watch {
	struct node_conn conn;
	uint64_t due_ms, poll_ms; /* to connect, to look */
	unsigned retry_ms;
	unsigned hellos; /* replies to AUTH and SELECT to come, */
	unsigned sizes;	 /* to SCARD */
	unsigned todo;	 /* bits of lists: to be read in this round */
	unsigned changed; /* to be read in the next one, whatever they look like */
	enum watch_list list; /* being read if READING */
	bool reading;
	char cursor[24];
	uint64_t seen, began_ms; /* entries of it, since */
	unsigned page; /* asked for at once */
	struct {
		bool known; /* it was read on this connection */
		int64_t size;
		uint64_t read_ms, took_ms;
		size_t left_out; /* counted already */
		uint64_t rest_ms; /* it cannot be read: not before */
	} of[WATCH_LISTS];
	char error[NODE_ERROR]; /* "": none */
	bool wrong;		/* in this round */
};

struct node {
	struct nodes *set;
	unsigned index;
	char *text;	/* owned: as configured; says which keys are its own */
	uint64_t seed;	/* of TEXT */
	struct redis_address target; /* borrows; where to connect */
	char master[256];	     /* host of TARGET, from a sentinel */
	struct node_conn conn, ask;  /* write channel; sentinels */
	unsigned sentinel, asked;    /* next to ask; how many were, in this round */
	struct node_command command;
	struct node_watch watch;

	enum node_state state;
	uint64_t due_ms; /* nothing is done before */
	unsigned retry_ms, full_ms;
	enum node_trouble trouble;
	char error[NODE_ERROR]; /* the last one */
	enum node_trouble refusal; /* of the transaction under way: its first error */
	char refused[NODE_ERROR];

	struct {
		enum node_want kind;
		unsigned n;
	} want[NODE_WANTS]; /* a ring */
	unsigned want_first, nwants;

	char run_id[64];
	unsigned epoch;	      /* of the identity it works under; 0: none yet */
	char id[NODE_ID];     /* that identity */
	char known[96];	      /* what stands in its number's key; "": none */
	char writing[96];     /* what the fence writes there */
	uint64_t number;      /* of the last batch built, */
	uint64_t acked;	      /* of the last one committed */
	bool up;	      /* this connection was READY once, */
	uint64_t up_ms;	      /* since */
	bool ever;	      /* some connection was */
	bool fenced;	      /* KNOWN was read or written under EPOCH */
	bool in_multi;	      /* perhaps: a transaction ended in an unknown way */
	bool numbering;	      /* the number is being read after a transaction */
	bool gone;	      /* the heartbeat was removed: the end */
	bool bye;	      /* is being removed */
	uint64_t beat_ms;     /* next heartbeat */
	uint64_t beaten_ms;   /* the last one */
	uint64_t waiting_ms;  /* since when keys wait; 0: none do */
	struct node_batch batch;

	STAILQ_HEAD(, node_event) events;
	unsigned nevents;
	size_t event_bytes;
	unsigned events_owed;
	uint64_t taken, covered, last_after;

	/* for INFO */
	uint64_t batches, commands, in_doubt, resent, refusals, sent, lost, reconnects,
	    rollbacks;
};

struct nodes {
	struct nodes_setup s;
	struct node_times times;
	struct cloud *cloud;
	struct node *v; /* owned; N of them */
	unsigned n;
	char *password; /* owned; NULL: none */
	struct tls *tls; /* owned; NULL: no node wants it */
	struct event *tick;
	struct evdns_base *dns;
	unsigned lookups;   /* under way, also those called off */
	struct respbuf out; /* scratch of whoever is about to write */
	bool draining, ended;

	char instance[17]; /* of this start */
	char id[NODE_ID];  /* that is ours, or was last */
	unsigned epoch;	   /* counts identities */
	bool decided;	   /* ID is ours */
	unsigned suffix;   /* to try: 1 is --probe-id itself */
	struct node *looker; /* who finds out */
	char other[40], other_beat[24]; /* whose heartbeat it has seen, since */
	uint64_t other_ms;
	uint64_t beat;
};

uint64_t node_now(void); /* monotonic, ms */
/* The times of NODES, to be changed before nodes_start(). */
struct node_times *nodes_times(struct nodes *);

/* Everything it was given is acknowledged. */
bool	 node_idle(const struct node *);

/* node_start.c: 0; -1 with the reason in ERR. Blocks, some seconds at most. */
int	 nodes_question(struct nodes *, char *err, size_t errlen);

/* node_link.c */
void	 node_link_init(struct node *);
void	 node_connect(struct node *); /* TARGET is known */
/* Begin a request; append to nodes.out, then node_send(). */
struct respbuf *node_say(struct node *);
/* Commands of words: a NULL ends them. */
void	 node_words(struct respbuf *, const char *word, ...) __attribute__((sentinel));
/* N replies of KIND will come for what is being said. */
void	 node_expect(struct node *, enum node_want kind, unsigned n);
/* False: the connection is lost, everything about it was done. */
bool	 node_send(struct node *);
/* AUTH, if there is a password; how many replies. */
unsigned node_login(const struct nodes *, struct respbuf *);
/* The connection is gone: WHY. */
void	 node_lost(struct node *, const char *why);
/* Not to be used for MS; disconnects. */
void	 node_rest(struct node *, enum node_trouble, const char *why, unsigned ms);
/* Which trouble an error reply tells of. */
enum node_trouble node_classify(const char *error);
/* The node refused to write, or to answer: wait, then the fence again; R is an error or
 * NULL: the transaction's first error tells. */
void	 node_refused(struct node *, const redisReply *r);
/* An error of a transaction under way is remembered. */
void	 node_note(struct node *, const redisReply *r);
/* These troubles are over. */
void	 node_well(struct node *, bool writes);
/* Do what is due. */
void	 node_turn(struct node *);
/* Clean text of a node or a library for log and INFO. */
void	 node_text(char *to, size_t size, const char *from);
void	 node_info_reply(struct node *, const redisReply *);
void	 node_auth_reply(struct node *, const redisReply *);
void	 node_select_reply(struct node *, const redisReply *);

/* node_identity.c */
void	 nodes_identity_init(struct nodes *);
void	 node_claim_turn(struct node *);
void	 node_look_reply(struct node *, const redisReply *);
void	 node_claim_reply(struct node *, const redisReply *);
/* Another probe writes under our id. */
void	 node_conflict(struct node *, const char *value);
/* A heartbeat if it is time, or the last one's removal. */
void	 node_beat_turn(struct node *);
void	 node_bye_reply(struct node *, const redisReply *);
/* How long, in ms, the oldest change has waited that the node has not acknowledged. */
uint64_t node_lag(const struct node *);
/* "probe.<id><suffix>" */
void	 node_key(char *to, size_t size, const char *id, const char *suffix);

/* node_batch.c */
void	 node_fence(struct node *);
void	 node_fence_read(struct node *, const redisReply *);
void	 node_fence_exec(struct node *, const redisReply *);
void	 node_batch_turn(struct node *);
void	 node_batch_exec(struct node *, const redisReply *);
void	 node_batch_watch(struct node *, const redisReply *);
void	 node_batch_number(struct node *, const redisReply *);
void	 node_batch_lost(struct node *); /* the connection is */
void	 node_batch_clear(struct node_batch *);

/* node_event.c */
/* BYTES: a whole PUBLISH. URGENT: does not wait for keys. */
void	 node_event_put(struct node *, const struct respbuf *bytes, bool urgent);
void	 node_event_turn(struct node *);
void	 node_event_reply(struct node *, const redisReply *);
void	 node_event_lost(struct node *); /* those on the way */
void	 node_event_clear(struct node *); /* all */
/* All keys that wait were taken. */
void	 node_event_all_taken(struct node *);

/* node_command.c */
void	 node_command_init(struct node *);
void	 node_command_turn(struct node *);
void	 node_command_close(struct node *);

/* node_watch.c: without --watch they do nothing */
void	 node_watch_init(struct node *);
void	 node_watch_turn(struct node *);
void	 node_watch_close(struct node *);
/* Somebody says that the sets have changed. */
void	 node_watch_changed(struct node *);
/* Read the sets through C, blocking, until END_MS; what is not whole by then is read
 * later. */
void	 node_watch_first(struct node *, redisContext *c, uint64_t end_ms);

/* node_sentinel.c */
void	 node_sentinel_init(struct node *);
void	 node_sentinel_ask(struct node *); /* then node_connect() or node_lost() */

#endif
