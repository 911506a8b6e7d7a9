/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user_int.h -- between user.c (who, and waiting for it), user_kept.c (what was found of
 * connections that go on) and user_count.c (what is counted for users).
 */
#ifndef MCPROBE_USER_INT_H
#define MCPROBE_USER_INT_H

#include <sys/queue.h>

#include "sighting.h"
#include "user.h"

/*
 * Names of connections that live on, by endpoint; owned: the table's. The one that was not
 * used for longest goes where there are more than MAX: its end was never told, or it will
 * be asked for again.
 */
struct kept {
	LIST_ENTRY(kept) chain;
	TAILQ_ENTRY(kept) lru;
	struct flowkey key;
	uint64_t serial; /* flow.serial */
	char *name[2];	 /* owned; NULL: not known */
};

LIST_HEAD(kept_chain, kept);
TAILQ_HEAD(kept_lru, kept);

struct kept_table {
	struct kept_chain *bucket; /* owned */
	struct kept_lru lru; /* the one used last is the last */
	uint64_t mask, seed;
	unsigned n, max;
};

/* 0, or -1: no memory. */
int	 kept_init(struct kept_table *, unsigned max, uint64_t seed);
void	 kept_clear(struct kept_table *);
/* What is kept of KEY; of SERIAL, unless that is 0. NULL: nothing. */
struct kept *kept_find(struct kept_table *, const struct flowkey *key, uint64_t serial);
/* Keep the NAMEs that are not NULL. */
void	 kept_put(struct kept_table *, const struct flowkey *key, uint64_t serial,
	     const char *const name[2]);
void	 kept_drop(struct kept_table *, const struct flowkey *key, uint64_t serial);

struct reader;

TAILQ_HEAD(user_entries, user_entry);

struct users {
	struct users_setup s;
	struct reader *reader; /* NULL: nodes are not asked */
	struct event *timer;
	struct user_entries queue, left;
	struct kept_table kept;
	unsigned n, nqueued, nrecords;
	unsigned wait_ms;
	bool asking, running;
	users_leave *leave;
	void *arg;
	char known[SIGHTING_NAME + 1];
};

/* -p without addresses leaves all zeros. */
bool	 user_is_none(const uint8_t addr[16]);

#endif
