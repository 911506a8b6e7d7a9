/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_int.h -- what the files of the server and of its clients share. The server
 * owns listeners, clients and the registry of channels.
 *
 * A client goes in two steps. client_drop() closes its socket, now; whoever is at work
 * with it, a command or a walk through subscribers, goes on with a dead client whose
 * replies lead nowhere. From the loop, with nothing else on the stack, server_reap()
 * tells a command that waited, takes it out of the registry and frees it.
 */
#ifndef MCPROBE_SERVER_INT_H
#define MCPROBE_SERVER_INT_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "client.h"
#include "server.h"

struct channel;
struct evbuffer;
struct event;
struct subscription;

#define SERVER_INPUT	(64 * 1024) /* bytes read at once */
#define CLIENT_ADDRESS	128
#define CLIENT_CMD	32

enum subscription_kind {
	SUBSCRIPTION_CHANNEL,
	SUBSCRIPTION_PATTERN,
	SUBSCRIPTION_KINDS,
};

/* What server_new() sets to the figures of server.c; tests make them smaller. */
struct server_limits {
	unsigned clients;
	struct resp_limits request; /* of who may do anything */
	struct resp_limits stranger; /* of who has to say the password first */
	size_t output_pause;	/* waits: nothing more is read or done for this client */
	size_t output_stranger; /* waits: cut off, */
	size_t output_pushed;	/* a subscriber or monitor, */
	size_t output;		/* any other */
	size_t output_all;	/* of all together: who has most of it is cut off */
	unsigned patterns;	/* different ones: each costs each message a comparison */
	unsigned turn_commands; /* in one go, */
	unsigned turn_us;	/* and for how long */
	unsigned tick_ms;
	unsigned idle_ms;
	unsigned auth_ms;  /* after a wrong password nothing is read for so long */
	unsigned close_ms; /* to take what is still waiting for a client that leaves */
	unsigned linger_ms; /* to read it and close from its side */
	unsigned half_ms; /* who sends no more waits so long for more of an answer */
};

struct listener {
	TAILQ_ENTRY(listener) next;
	struct server *server;
	int fd;
	struct event *event; /* owned */
	char address[CLIENT_ADDRESS];
	unsigned port;	/* 0: unix */
	char *path;	/* owned; NULL: TCP */
	dev_t dev;	/* of PATH as it was made here */
	ino_t ino;
};

TAILQ_HEAD(listener_list, listener);
TAILQ_HEAD(client_list, client);
TAILQ_HEAD(subscription_list, subscription);

struct server {
	struct event_base *base; /* borrowed, as the next two */
	struct counters *counters;
	struct commands *commands;
	char *password; /* owned; NULL: none */
	struct tls *tls; /* borrowed; NULL: none */
	bool certified;
	struct server_limits limits;
	struct listener_list listeners;
	char *addresses; /* owned */
	bool deaf;	 /* no descriptors: listening again with the next tick */
	struct client_list clients; /* by id */
	struct client_list dead;
	struct client_list monitors;
	struct client *found; /* by the last client_find() */
	unsigned nclients;
	uint64_t last_id;
	size_t queued; /* bytes of output, all clients */
	size_t swollen;	     /* the most of it at a tick since memory was given back */
	uint64_t trimmed_us; /* when that was */
	struct event *tick, *reap, *tell;
	struct channel *channels[SUBSCRIPTION_KINDS]; /* uthash, by name */
	struct subscription *subscriptions;	      /* uthash, by client and channel */
	uint64_t seed;				      /* of these tables */
	void (*interest)(void *);
	void *interest_arg;
	bool interest_due; /* it changed and nobody was told yet */
	struct respbuf text; /* a message or line for many */
	uint64_t told_us;    /* of a web browser, the last time */
	uint64_t in_bytes, out_bytes;
	char in[SERVER_INPUT];
};

struct queued_request {
	struct resp_arg *args; /* owned, with their bytes */
	unsigned n;
};

struct client {
	TAILQ_ENTRY(client) next;    /* of the server's clients, or dead */
	TAILQ_ENTRY(client) monitor; /* if MONITORING */
	struct server *server;
	uint64_t id;
	int fd; /* -1: dead */
	struct tls_stream *tls; /* owned; over FD; NULL: in the clear */
	bool unix_socket;
	char address[CLIENT_ADDRESS], local[CLIENT_ADDRESS];
	uint64_t made_us, last_us; /* monotonic */
	struct event *read, *write, *again; /* owned */
	struct resp_parser parser;
	unsigned proto;
	bool authenticated; /* said the password */
	/* what it is at */
	bool dead;
	bool reading, writing; /* these events are pending */
	bool turning;	/* its requests are being run: what it gets is written later */
	bool running;	/* a command */
	bool waiting;	/* a command, for something else */
	bool paused;	/* wrong password */
	bool hungry;	/* the parser needs more */
	bool ended;	/* it sends no more */
	bool closing;	/* when all is written */
	bool lingering; /* all is written, it is to close too */
	size_t discarded; /* while LINGERING */
	unsigned half_closed; /* ticks it was seen so since it was written to */
	void (*gone)(void *);
	void *gone_arg;
	/* output */
	struct evbuffer *out;	/* owned; to the socket */
	struct evbuffer *side;	/* owned, NULL: not needed yet; elements of an open array */
	struct evbuffer *later; /* owned, likewise; messages, until the command is done */
	size_t queued, queued_max; /* bytes of the three */
	bool open;		/* an array */
	bool pushing;		/* replies off or not */
	bool off, skip, skip_next;
	/* for CLIENT LIST */
	char name[CLIENT_NAME_MAX + 1];
	char library[2][CLIENT_NAME_MAX + 1]; /* name, version */
	char cmd[CLIENT_CMD];
	size_t argv_bytes;
	/* MULTI */
	bool in_multi, spoiled;
	struct queued_request *multi; /* owned */
	unsigned nmulti, multi_cap;
	size_t multi_bytes;
	/* subscriptions */
	bool monitoring;
	struct subscription_list subscriptions[SUBSCRIPTION_KINDS];
	unsigned nsubscriptions[SUBSCRIPTION_KINDS];
};

/*
 * server_listen.c
 */
/* 0, or -1 with the reason in ERR. */
int	 listen_open(struct server *, const struct server_setup *, char *err, size_t errlen);
void	 listen_close(struct server *);
/* Listen again after there were no descriptors. */
void	 listen_resume(struct server *);
/* May it come in without a password? */
bool	 peer_is_local(const struct sockaddr *);

/*
 * server_turn.c: a client's socket.
 */
/* A client at FD, which it takes, with TLS or not; NULL: no memory, FD is closed. */
struct client	*client_new(struct server *, int fd, bool tls);
void	 client_free(struct client *);
void	 client_drop(struct client *);
void	 client_cut(struct client *); /* the same, counted as being slow or idle */
void	 client_flush_later(struct client *);
void	 client_turn_later(struct client *, unsigned ms);
void	 client_tick(struct client *, uint64_t now_us);
void	 client_limits(struct client *); /* its requests' again: AUTH, RESET */

/*
 * client_reply.c
 */
/* Bytes of a reply, nothing if replies are off. */
void	 client_put(struct client *, const void *, size_t);
/* Bytes that belong to no reply: they come between replies, never inside one. */
void	 client_push(struct client *, const void *, size_t);
/* A command is done. */
void	 client_replied(struct client *);
bool	 client_is_pushed(const struct client *); /* a subscriber or monitor */

/*
 * server_pubsub.c
 */
void	 pubsub_leave(struct client *); /* all it listens to, without a word */
/* If interest has changed, say so: at the end of a turn, before what it says is written,
 * and from the loop for what changes elsewhere. */
void	 pubsub_tell(struct server *);

#endif
