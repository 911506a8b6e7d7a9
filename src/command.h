/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.h -- what Redis clients may ask of the probe: one row per command in
 * commands.def (name, arity, flags, group, help), from which COMMAND, COMMAND DOCS, the
 * manual page and the dispatch come. Control thread.
 */
#ifndef MCPROBE_COMMAND_H
#define MCPROBE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "counter.h"
#include "resp.h"

struct alive;
struct client;
struct cloud;
struct commands;
struct config;
struct event_base;
struct field_context;
struct server;
struct sighting_net;
struct template;

/* What commands answer from; all borrowed. */
struct commands_setup {
	const struct config *config;
	const struct template *template;
	struct event_base *base; /* of the control thread: long answers go on from it */
	struct cloud *cloud;
	struct alive *alive;
	const struct field_context *fields; /* what fields of flows are read with */
	struct counters *own; /* control's, for what this room counts; NULL: not counted */
	/* the counters of all threads, summed now */
	void (*counters)(void *arg, struct counters *sum);
	/* more lines for INFO: sections of other rooms ("# Node0\r\nstate:up\r\n...") */
	void (*info)(void *arg, const char *section, struct respbuf *);
	/* the counters of plugins for INFO, a line each; NULL: none */
	void (*plugins)(void *arg, const struct counters *sum, struct respbuf *);
	/* a client published something: to nodes and files too */
	void (*published)(void *arg, const char *channel, size_t clen, const void *msg,
	    size_t len);
	/* what a user has, or had and nobody else has taken; NULL: the tree knows it all */
	void (*where)(void *arg, const char *user,
	    void (*tell)(void *to, const struct sighting_net *, bool leaving), void *to);
	void *arg;
	uint64_t start_us; /* wall clock */
	uint64_t born_us;  /* the same moment by the monotonic clock, for uptimes */
};

/* SETUP is copied. NULL: no memory, or a random number could not be had. */
struct commands	*commands_new(const struct commands_setup *);
/* After server_free(): nobody waits any more. */
void		 commands_free(struct commands *);

/* The server's side: SERVER is set once it is made (it needs COMMANDS first). */
void		 commands_server(struct commands *, struct server *);
/* Run one request, N > 0. Every request gets its replies, now or after client_wait(). */
void		 command_run(struct commands *, struct client *, const struct resp_arg *,
		     unsigned n);

/*
 * INFO's text, SECTION NULL: the default ones. Also for the command channel of nodes.
 */
void		 command_info(struct commands *, const char *section, struct respbuf *);

/* The rows as mdoc, for the manual page. */
void		 command_man(FILE *);

#endif
