/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h -- one Redis client as commands see it: replies in its protocol, its state,
 * its subscriptions. server.c owns clients; a struct client * is borrowed until the
 * command that got it has returned, or, after client_wait(), until client_done().
 */
#ifndef MCPROBE_CLIENT_H
#define MCPROBE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resp.h"

#define CLIENT_NAME_MAX 64
#define CLIENT_QUEUE_MAX 1024 /* requests of a MULTI */
#define CLIENT_QUEUE_BYTES (1 << 20)
#define CLIENT_SUBSCRIPTIONS 1024 /* channels and patterns of one client */

struct client;
struct server;

/*
 * Replies, into the client's output. Aggregates: the head, then that many replies. What
 * RESP2 has no type for goes out as Redis does it there.
 */
void	 reply_ok(struct client *);
void	 reply_simple(struct client *, const char *);
/* "ERR what", or any other code word first; printf format; line breaks become blanks. */
void	 reply_error(struct client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void	 reply_int(struct client *, int64_t);
void	 reply_nil(struct client *);
void	 reply_nil_array(struct client *); /* RESP2 *-1, RESP3 _ */
void	 reply_bulk(struct client *, const void *, size_t);
void	 reply_bulk_text(struct client *, const char *);
void	 reply_bulk_number(struct client *, int64_t);
void	 reply_verbatim(struct client *, const void *, size_t); /* RESP2: bulk */
void	 reply_score(struct client *, int64_t); /* RESP2: bulk, RESP3: ',' */
void	 reply_array(struct client *, size_t n);
void	 reply_map(struct client *, size_t pairs);  /* RESP2: array of 2n */
void	 reply_set(struct client *, size_t n);	    /* RESP2: array */
void	 reply_push(struct client *, size_t n);	    /* RESP2: array */
/* A reply whose length is known only after its elements: remember the place, write them,
 * then close it with their number. Not nested, not across client_wait(). */
void	 reply_array_open(struct client *);
void	 reply_array_close(struct client *, size_t n);
/* Bytes of output this client has waiting: a command that answers in pieces looks at it. */
size_t	 reply_waiting(const struct client *);

/*
 * A command that cannot answer at once calls client_wait(): nothing more is read from
 * the client until client_done(). GONE is called instead if the client goes before;
 * then it must not be touched any more. Other clients are served meanwhile.
 */
void	 client_wait(struct client *, void (*gone)(void *arg), void *arg);
void	 client_done(struct client *);

/* State. */
struct server *client_server(struct client *);
uint64_t client_id(const struct client *);
unsigned client_proto(const struct client *); /* 2 or 3 */
void	 client_set_proto(struct client *, unsigned);
bool	 client_authenticated(const struct client *);
/* Compare with the server's password in constant time; a wrong one delays the answer by
 * reading nothing for a second. USER: NULL or "default". */
bool	 client_authenticate(struct client *, const char *user, size_t ulen,
	     const char *password, size_t len);
const char *client_name(const struct client *); /* "" : none */
/* False: too long, or blanks and control characters in it. */
bool	 client_set_name(struct client *, const char *, size_t);
bool	 client_set_library(struct client *, bool version, const char *, size_t);
/* One line as CLIENT LIST has it, with its line break, into BUF. */
size_t	 client_line(const struct client *, char *buf, size_t len);
/* The client with ID, or, when NEXT, the first whose id is not smaller. NULL: none. */
struct client *client_find(struct server *, uint64_t id, bool next);
const char *client_address(const struct client *); /* "127.0.0.1:5000", "/path:0" */
void	 client_close(struct client *); /* after what it has waiting was written */
/* Now. The caller's own still gets the replies of this command, then goes too. */
void	 client_kill(struct client *);
void	 client_reset(struct client *); /* RESET: as after connecting */

enum client_replies {
	CLIENT_REPLY_ON,
	CLIENT_REPLY_OFF,
	CLIENT_REPLY_SKIP, /* the next command's */
};
void	 client_set_replies(struct client *, enum client_replies);

void	 client_set_monitor(struct client *);

/* MULTI. */
bool	 client_in_multi(const struct client *);
void	 client_multi(struct client *);
void	 client_multi_spoil(struct client *); /* EXEC will say EXECABORT */
bool	 client_multi_spoiled(const struct client *);
/* Keep a copy of a request. False: too many, or too large. */
bool	 client_multi_add(struct client *, const struct resp_arg *, unsigned n);
unsigned client_multi_count(const struct client *);
/* The I-th, borrowed until client_multi_end(). */
const struct resp_arg *client_multi_at(struct client *, unsigned i, unsigned *n);
void	 client_multi_end(struct client *);

/*
 * Subscriptions. The functions send the confirmation themselves, whatever CLIENT REPLY
 * says. CHANNEL NULL: from all. False: too many, a name longer than GLOB_MAX (glob.h),
 * or no memory; then nothing was sent, the caller answers with an error.
 */
bool	 client_subscribe(struct client *, const char *channel, size_t len, bool pattern);
void	 client_unsubscribe(struct client *, const char *channel, size_t len, bool pattern);
unsigned client_subscriptions(const struct client *);
/* PUBSUB: channels with subscribers that match PATTERN (NULL: all), told one by one. */
unsigned server_channels(const struct server *, const char *pattern, size_t len,
	     void (*cb)(void *arg, const char *channel, size_t len), void *arg);
unsigned server_subscribers(const struct server *, const char *channel, size_t len);
unsigned server_patterns(const struct server *);

#endif
