/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h -- the lists of what is watched: clients of the DNS and names they ask for,
 * addresses, URLs. Each list comes from several sources (the nodes); what is on any of
 * them is watched. Pure; it owns a copy of all it is given.
 *
 * A look-up costs one step per source and
 *	address		prefix length in use
 *	name, host	label of the name
 *	URL		pattern that is not the name of a host; WATCH_FUEL steps at most
 */
#ifndef MCPROBE_WATCH_H
#define MCPROBE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_ENTRIES  1000000	 /* of a list of a source at most */
#define WATCH_BYTES    (256u << 20) /* of all of them, twice while one is read anew */
#define WATCH_PATTERNS 500	 /* of a list of URLs: other than names of hosts */
#define WATCH_TEXT     1024	 /* bytes of an entry */
#define WATCH_FUEL     200000	 /* steps all patterns together may take with a URL */
#define WATCH_FOUND    16	 /* patterns told of that match a URL */
#define WATCH_LOOK     4096	 /* bytes of a host or a URL that are looked at */
#define WATCH_ADDR     64	 /* room for an address or a network as text */

enum watch_list {
	WATCH_DNS_CLIENTS, /* addresses and networks */
	WATCH_DNS_DOMAINS, /* names; each means what is beneath it too, "." everything */
	WATCH_IP,	   /* addresses and networks */
	WATCH_URL,	   /* hosts, patterns, ~expressions: as redis-scripts/alert_url.py */
	WATCH_LISTS
};

struct watch;

/* NULL: no memory. All lists are empty. */
struct watch	*watch_new(unsigned sources);
void		 watch_free(struct watch *);

/* "watch.dns.clients", ... */
const char	*watch_key(enum watch_list);

/*
 * Give a list anew: begin, add its entries in any order, each as often as it comes, end.
 * Until then the old one counts. SIZE: how many there will be, a guess.
 */
void		 watch_begin(struct watch *, unsigned source, enum watch_list, size_t size);
/* False: it is left out. */
bool		 watch_add(struct watch *, unsigned source, enum watch_list,
		     const char *text, size_t len);
/* N there were, or 0: as many as were added. Those that were not are left out, too. */
void		 watch_end(struct watch *, unsigned source, enum watch_list, size_t n);
/* The old list stays. */
void		 watch_abandon(struct watch *, unsigned source, enum watch_list);

struct watch_stats {
	size_t entries;
	size_t left_out; /* not understood, or no room */
	char example[80]; /* one of them and what is wrong with it, as a clean text */
};

void		 watch_stats(const struct watch *, unsigned source, enum watch_list,
		     struct watch_stats *);
size_t		 watch_bytes(const struct watch *);
/* Is there anything on this list? */
bool		 watch_any(const struct watch *, enum watch_list);

/* Is ADDR (16 bytes, IPv4 mapped) on the list? Its entry as text into ENTRY, of WATCH_ADDR
 * bytes. The longest prefix of the first source that has one. */
bool		 watch_address(const struct watch *, enum watch_list, const uint8_t *addr,
		     char *entry);

/* An entry as it was given; borrowed until the next watch_end(). */
struct watch_text {
	const char *p;
	size_t len;
};

/* The entry nearest to NAME, a name of the DNS as text. */
bool		 watch_domain(const struct watch *, const char *name, size_t len,
		     struct watch_text *entry);

/* A request: texts as sent, not terminated; what was not is of length 0. */
struct watch_request {
	struct watch_text method, host, url;
	const uint8_t *server; /* its address, 16 bytes */
};

/* What a request is compared as. */
struct watch_url {
	char text[2 * WATCH_LOOK + WATCH_ADDR];
	size_t host, len; /* bytes of the host, and of all: host and path */
};

/* False: it has neither host nor server. */
bool		 watch_url_of(const struct watch_request *, struct watch_url *);
/* All entries that URL is meant by, WATCH_FOUND at most: how many. *COSTLY: not all
 * patterns were tried. */
unsigned	 watch_url_find(const struct watch *, const struct watch_url *,
		     struct watch_text found[WATCH_FOUND], bool *costly);

#endif
