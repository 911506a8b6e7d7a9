/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_session.h -- what the files of the plugin radius that know users share:
 * sessions, what they own, and the keys and events of what they gain and lose. The
 * rules by which packets begin and end them are in radius_user.c; their bounds in
 * radius_user.h.
 *
 * Owners: a user and a NAS exist as long as they have sessions; a session owns its
 * holds, one per address. All is reached by tables of chains; their hashes begin with a
 * secret.
 */
#ifndef MCPROBE_RADIUS_SESSION_H
#define MCPROBE_RADIUS_SESSION_H

#include "radius_user.h"

#include <string.h>
#include <sys/queue.h>

struct link {
	struct link *next;
	uint64_t hash;
};

struct table {
	struct link **bucket;
	size_t mask;
};

LIST_HEAD(user_sessions, session);
LIST_HEAD(nas_sessions, session);
TAILQ_HEAD(sessions, session);

struct user {
	struct link link; /* first: it is found by it */
	struct user_sessions sessions;
	char name[]; /* NUL-terminated */
};

struct nas {
	struct link link;
	struct nas_sessions sessions;
	uint8_t addr[16];
};

/* An address of a session. */
struct hold {
	struct link link;
	struct hold *next; /* of the same session */
	struct session *s;
	struct radius_net net;
	uint64_t given_us, told_us; /* the first and the latest packet that said so */
};

/* An address that somebody had and nobody has. */
struct left {
	struct link link;
	TAILQ_ENTRY(left) next;
	struct radius_net net;
	uint64_t given_us, told_us; /* the packets that said he has it, that he has not */
	uint64_t at_us;		    /* when it was left */
	uint64_t user;		    /* whose it was: a hash of the name */
};

struct session {
	struct link link; /* by NAS and id, if it has one */
	TAILQ_ENTRY(session) used;
	LIST_ENTRY(session) of_user;
	LIST_ENTRY(session) of_nas;
	struct user *user; /* NULL: it has ended */
	struct nas *nas;   /* NULL: it has ended */
	struct hold *holds;
	unsigned nholds;
	char *id, *nas_id, *nas_text, *calling; /* NULL: none */
	uint8_t nas_addr[16];
	uint64_t since_us, heard_us; /* heard_us: the last event; if ended: its end */
	uint64_t in_octets, out_octets;
	uint32_t seconds;
	bool has_in, has_out, has_seconds;
	bool provisional; /* by an Access-Accept; no accounting yet */
};

struct radius_users {
	struct table users, nases, holds, keys, lefts;
	struct sessions living, ended; /* least recently heard of first */
	TAILQ_HEAD(, left) left;       /* oldest first */
	unsigned nliving, nended, nleft, max;
	uint64_t evicted, seed;
	uint32_t grace_s;
};

static inline const char *
radius_text_of(const char *s)
{
	return s != NULL ? s : "";
}

/* At most what fits. */
static inline void
radius_copy(char to[RADIUS_TEXT], const char *s)
{
	size_t n = strnlen(s, RADIUS_TEXT - 1);

	memcpy(to, s, n);
	to[n] = '\0';
}

/* S instead of *TO, unless S is none, or there is no memory. */
void	 radius_retell(char **to, const char *s);

/* NULL: there is none. A session that is found may have ended (its user is NULL). */
struct user *radius_find_user(const struct radius_users *u, const char *name);
struct nas *radius_find_nas(const struct radius_users *u, const uint8_t addr[16]);
struct hold *radius_find_hold(const struct radius_users *u, const struct radius_net *n);
struct session *radius_find_session(const struct radius_users *u, const uint8_t nas[16],
	     const char *nas_id, const char *id);

/* A session that is not there yet, of N's user. NULL: no memory, which is counted. */
struct session *radius_begin(struct radius_users *u, const struct mc_cloud *c,
	     const struct radius_news *n, const uint8_t nas[16], const char *nas_text,
	     uint64_t since_us);

/* S gets the NAS and the id that N says. False: no memory, all is as it was. */
bool	 radius_adopt(struct radius_users *u, struct session *s,
	     const struct radius_news *n, const uint8_t nas[16], const char *nas_text);

/* S ends at AT_US and is remembered, if it has an id; else it is no more. */
void	 radius_end(struct radius_users *u, const struct mc_cloud *c, struct session *s,
	     const struct radius_news *n, uint64_t at_us);

/* A session that was not known has ended at AT_US: what is older of it is late. */
void	 radius_ended(struct radius_users *u, const struct radius_news *n,
	     const uint8_t nas[16], uint64_t at_us);

/* S, which has ended, is no more. */
void	 radius_forget(struct radius_users *u, struct session *s);

/* S has NET, whoever had it, if it is usable, unless a packet after N has said that
 * another has, or nobody. Another session may end by it, not S. */
void	 radius_give(struct radius_users *u, const struct mc_cloud *c,
	     struct session *s, const struct radius_net *net,
	     const struct radius_news *n, uint64_t at_us);

/* Can a session have it? */
bool	 radius_is_usable(const struct radius_net *n);

/* What the user's key says of the session, but its addresses. */
void	 radius_session_keys(const struct mc_cloud *c, const struct session *s);

/* USER had NET from SINCE_US to AT_US: nobody has to be told, but flows. */
void	 radius_had(const struct mc_cloud *c, const char *user,
	     const struct radius_net *net, uint64_t since_us, uint64_t at_us);

/* NET, given to USER by a packet of GIVEN_US (0: not known), is not his any more since
 * AT_US, but nobody's. False: another's, so keys and events have nothing to tell. */
bool	 radius_leave(struct radius_users *u, const struct mc_cloud *c, const char *user,
	     const struct radius_net *net, const struct radius_news *n, uint64_t given_us,
	     uint64_t at_us);

/* A login, or a logout. */
void	 radius_user_event(const struct mc_cloud *c, bool login,
	     const struct session *s, const struct radius_net *net, const char *user,
	     const struct radius_news *n);

#endif
