/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch_int.h -- the parts of the watch room among themselves: one list of one source.
 *
 *	watch.c		the lists and their sources
 *	watch_addr.c	lists of addresses and networks
 *	watch_name.c	lists of names and of URLs
 *
 * Both kinds are hashes with open addressing, at most half full. Addresses stand in them;
 * of names it is where their text is, which is also what an alert repeats.
 */
#ifndef MCPROBE_WATCH_INT_H
#define MCPROBE_WATCH_INT_H

#include "watch.h"

struct pattern;

/* A network: its first BITS bits of 128 count, the others are 0. */
struct watch_net {
	uint8_t addr[16];
	uint8_t bits;
	bool used;
};

struct watch_name {
	uint32_t hash;
	uint32_t at;	   /* of the entry in TEXT */
	uint16_t len;	   /* 0: the slot is free */
	uint16_t from, to; /* of the name in the entry */
};

/* An entry of WATCH_URL that is no name. */
struct watch_pattern {
	uint32_t at;
	uint16_t len;
	bool whole;		/* of host and path; else of the host */
	uint32_t glob;		/* in TEXT */
	uint16_t glob_len;
	struct pattern *search; /* owned; NULL: it is a glob */
};

struct watch_set {
	size_t n;	/* entries */
	size_t given;	/* that were tried, also those that came twice */
	size_t left_out;
	char example[80];
	size_t bytes;	/* memory taken */
	size_t *budget; /* of all sets: bytes taken */

	size_t slots; /* a power of 2, or 0 */
	struct watch_net *nets;	  /* owned */
	uint32_t lengths[129];	  /* networks by length */
	struct watch_name *names; /* owned */
	char *text;		  /* owned */
	size_t text_len, text_cap;
	struct watch_pattern *patterns; /* owned */
	unsigned npatterns;
};

enum watch_reply {
	WATCH_TAKEN,
	WATCH_BAD,
	WATCH_FULL,
};

/* Account for BYTES more. False: there is no room for them. */
bool	 watch_take(struct watch_set *, size_t bytes);
void	 watch_give(struct watch_set *, size_t bytes);

/* watch_addr.c. WHY, a constant text, is set with WATCH_BAD. */
enum watch_reply watch_net_add(struct watch_set *, const char *text, size_t len,
	     const char **why);
bool	 watch_net_find(const struct watch_set *, const uint8_t *addr, char *entry);
/* Room for N in all. False: none. */
bool	 watch_net_room(struct watch_set *, size_t n);

/* watch_name.c */
bool	 watch_name_room(struct watch_set *, size_t n);
enum watch_reply watch_domain_add(struct watch_set *, const char *text, size_t len,
	     const char **why);
enum watch_reply watch_url_add(struct watch_set *, const char *text, size_t len,
	     const char **why);
/* NAME in lower case, without a dot at its end. */
bool	 watch_name_find(const struct watch_set *, const char *name, size_t len,
	     struct watch_text *entry);
/* NAME, then what it is beneath, down to the root: the next one. False: there is none. */
bool	 watch_name_up(const char **name, size_t *len);
/* A name as it is compared: in lower case into TO, SIZE bytes. Its length. */
size_t	 watch_name_copy(char *to, size_t size, const char *name, size_t len);

#endif
