/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h -- Redis clients: sockets, limits, replies, subscriptions. What a command means
 * is the next room's (command.h); this one reads requests, calls it, and writes. One
 * libevent loop, the control thread.
 *
 * Bounds: clients, bytes waiting from and for each, commands per turn, idle time. A client
 * beyond them is cut off and counted. One that does not read is not read from either.
 */
#ifndef MCPROBE_SERVER_H
#define MCPROBE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"
#include "resp.h"

struct client;
struct commands;
struct event_base;
struct server;
struct strlist;
struct tls;

#define SERVER_CLIENTS 1024 /* at once; the next one is told so and cut off */

struct server_setup {
	struct event_base *base;
	const struct strlist *listen; /* "[ADDR:]PORT" or "unix:PATH"; borrowed */
	bool optional;		      /* an address that cannot be had is no error (the default) */
	struct tls *tls; /* spoken at TCP addresses; NULL: none; borrowed */
	bool certified;  /* TLS lets in only who shows a certificate */
	const char *password;	      /* NULL: none; then only loopback and unix may come in */
	struct counters *counters;
	struct commands *commands; /* borrowed */
};

/*
 * Listen. A bare PORT is 127.0.0.1 and, where there is one, ::1. A socket of unix:PATH
 * is made with mode 0700 and goes at the end. NULL with the reason in ERR.
 */
struct server	*server_new(const struct server_setup *, char *err, size_t errlen);
/* Cuts off everybody, commands are told. */
void		 server_free(struct server *);
/* Sockets of unix:PATH belong to this user from now on (privileges drop). */
void		 server_chown(struct server *, unsigned uid, unsigned gid);
/* "127.0.0.1:6380 [::1]:6380" for the log, or "" where nothing listens. */
const char	*server_addresses(const struct server *);
/* The first TCP port it listens on (0 asked for: the one it got), 0: none. */
unsigned	 server_port(const struct server *);

/*
 * Pub/sub among clients. MSG goes to all that listen to CHANNEL, by name or pattern;
 * returns how many. Who has more than 8 MB waiting is cut off and counted.
 */
unsigned	 server_publish(struct server *, const char *channel, size_t clen,
		     const void *msg, size_t len);
/* Would anybody get it? */
bool		 server_wanted(const struct server *, const char *channel);
/* CB is called when the answers of server_wanted() may have changed: from the loop, once
 * for all that a client's turn changes, before it gets the confirmations of that. */
void		 server_on_interest(struct server *, void (*cb)(void *arg), void *arg);

/* Called for each request when somebody runs MONITOR; cheap when nobody does. */
void		 server_monitor(struct server *, const struct client *,
		     const struct resp_arg *, unsigned n);

/* For INFO. */
struct server_stats {
	unsigned clients, blocked, subscribers, monitors;
	unsigned channels, patterns;
	uint64_t connections, rejected, commands, cut_off; /* since the start */
	uint64_t in_bytes, out_bytes;
	size_t output_waiting; /* bytes, all clients */
	size_t input_waiting;
};
void		 server_stats(const struct server *, struct server_stats *);

#endif
