/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.h -- asking the nodes: GET and HGET by a thread of its own, with blocking, timed
 * connections, several questions in one write, and a cache of answers (found: 60 s, not
 * found: 5 s). Control asks and gets answers from its loop; it never waits.
 */
#ifndef MCPROBE_READER_H
#define MCPROBE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"

#define READER_KEY   256 /* bytes of a key or field at most */
#define READER_VALUE 255
#define READER_KEYS  4	 /* keys of one question, tried in order */

struct config;
struct event_base;
struct reader;

struct reader_answer {
	bool known;  /* a node was asked, or the cache had it; false: no node in time */
	bool found;
	unsigned which; /* key that was found, 0 .. READER_KEYS - 1 */
	size_t len;
	char value[READER_VALUE + 1]; /* cut there; NUL-terminated */
};

/* ANSWER is borrowed until the callee returns. */
typedef void reader_cb(void *arg, const struct reader_answer *answer);

struct reader_setup {
	const struct config *config; /* --redis..., --sentinel; borrowed */
	struct event_base *base;     /* of control */
	struct counters *counters;   /* control's */
	/* the node that has a key; nodes_of() */
	unsigned (*node_of)(void *arg, const char *key, size_t len);
	void *arg;
	unsigned timeout_ms; /* to connect, and for an answer */
};

/* Reads the password file, starts the thread. NULL with the reason in ERR. */
struct reader	*reader_new(const struct reader_setup *, char *err, size_t errlen);
/* Ends the thread, at once unless sentinels (the timeout at most) or the resolver are
 * being asked for a name. Open questions are not answered any more. */
void		 reader_free(struct reader *);

/*
 * GET KEY, or HGET KEY FIELD: of KEYS (N of them) the first that exists. CB comes later from
 * the loop, or before this returns if the cache knows. False: too many questions are open,
 * or a key is too long; CB is not called. A key that several questions need is asked for
 * once. A key that may exist, on a node that did not answer, makes the answer unknown,
 * whatever is known of those behind it.
 */
bool		 reader_ask(struct reader *, const char *const *keys, unsigned n,
		     const char *field, reader_cb *cb, void *arg);

/* Forget an answer: the key is known to have changed. */
void		 reader_forget(struct reader *, const char *key);

struct reader_stats {
	uint64_t asked, cached; /* questions, apart from those refused */
	uint64_t found, missed, failed; /* what became of those asked */
	unsigned open;	 /* questions without an answer yet */
	unsigned cached_keys;
};
void		 reader_stats(const struct reader *, struct reader_stats *);

#endif
