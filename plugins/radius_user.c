/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_user.c -- users, their sessions and addresses. See radius_user.h for what a
 * session is, who owns an address, and the bounds.
 *
 * Owners: a user and a NAS exist as long as they have sessions; a session owns its holds,
 * one per address. All is reached by tables of chains; their hashes begin with a secret.
 */
#include "radius_user.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define ENDED_MAX  4096
#define HOLDS_MAX  (RADIUS_NETS + 1)
#define LOOK_MAX   32 /* sessions of a user that are looked at for one to take over */
#define DELAY_MAX  86400u /* seconds an accounting may be late by its own word */
#define SLACK_US   UINT64_C(2000000) /* times in accounting are whole seconds */

const char *const radius_channels[] = {"radius", "user.login", "user.logout", NULL};

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
	struct table users, nases, holds, keys;
	struct sessions living, ended; /* least recently heard of first */
	unsigned nliving, nended, max;
	uint64_t evicted, seed;
	uint32_t grace_s;
};

/* What login and logout are made of. */
enum event_bit {
	EVENT_SESSION,
	EVENT_NAS,
	EVENT_CALLING,
	EVENT_IN,
	EVENT_OUT,
};

struct event {
	uint64_t present;
	uint64_t in_octets, out_octets;
	uint64_t seconds;
	char user[RADIUS_TEXT], session[RADIUS_TEXT], nas[RADIUS_TEXT], calling[RADIUS_TEXT];
	char ip[RADIUS_NET_TEXT];
};

static const struct mc_row rows[] = {
    MC_ROW(event, user, "user", MC_STRING, MC_NO_ROW),
    MC_ROW(event, ip, "ip", MC_STRING, MC_NO_ROW),
    MC_ROW_NULL(event, session, "session", MC_STRING, EVENT_SESSION),
    MC_ROW_NULL(event, nas, "nas", MC_STRING, EVENT_NAS),
    MC_ROW_NULL(event, calling, "calling", MC_STRING, EVENT_CALLING),
    /* a logout's */
    MC_ROW_NULL(event, in_octets, "inOctets", MC_U64, EVENT_IN),
    MC_ROW_NULL(event, out_octets, "outOctets", MC_U64, EVENT_OUT),
    MC_ROW(event, seconds, "seconds", MC_U64, MC_NO_ROW),
};

#define LOGIN_ROWS  5
#define LOGOUT_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Tables. */

static int
table_init(struct table *t, unsigned max)
{
	size_t n = 64;

	while (n < max)
		n *= 2;
	t->bucket = calloc(n, sizeof(t->bucket[0]));
	t->mask = n - 1;
	return t->bucket == NULL ? -1 : 0;
}

static void
table_add(struct table *t, struct link *l, uint64_t hash)
{
	l->hash = hash;
	l->next = t->bucket[hash & t->mask];
	t->bucket[hash & t->mask] = l;
}

static void
table_remove(struct table *t, struct link *l)
{
	struct link **p = &t->bucket[l->hash & t->mask];

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
}

/* The first of the chain from L on with HASH. */
static struct link *
same(struct link *l, uint64_t hash)
{
	while (l != NULL && l->hash != hash)
		l = l->next;
	return l;
}

static struct link *
first(const struct table *t, uint64_t hash)
{
	return same(t->bucket[hash & t->mask], hash);
}

/* FNV-1a from a secret on, then all bits stirred into those that choose the bucket. */
static uint64_t
hash_more(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (; n > 0; n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

/* Another text, unless there is none. */
static void
retell(char **to, const char *s)
{
	char *copy;

	if (s[0] == '\0' || strcmp(text(*to), s) == 0 || (copy = strdup(s)) == NULL)
		return;
	free(*to);
	*to = copy;
}

static struct user *
find_user(const struct radius_users *u, const char *name, uint64_t hash)
{
	struct link *l;

	for (l = first(&u->users, hash); l != NULL; l = same(l->next, hash))
		if (strcmp(((struct user *)l)->name, name) == 0)
			return (struct user *)l;
	return NULL;
}

static struct nas *
find_nas(const struct radius_users *u, const uint8_t addr[16], uint64_t hash)
{
	struct link *l;

	for (l = first(&u->nases, hash); l != NULL; l = same(l->next, hash))
		if (memcmp(((struct nas *)l)->addr, addr, 16) == 0)
			return (struct nas *)l;
	return NULL;
}

static bool
same_net(const struct radius_net *a, const struct radius_net *b)
{
	return a->len == b->len && memcmp(a->addr, b->addr, 16) == 0;
}

static uint64_t
hash_net(const struct radius_users *u, const struct radius_net *n)
{
	return hash_more(hash_more(u->seed, n->addr, 16), &n->len, 1);
}

static struct hold *
find_hold(const struct radius_users *u, const struct radius_net *n)
{
	uint64_t hash = hash_net(u, n);
	struct link *l;

	for (l = first(&u->holds, hash); l != NULL; l = same(l->next, hash))
		if (same_net(&((struct hold *)l)->net, n))
			return (struct hold *)l;
	return NULL;
}

static uint64_t
hash_key(const struct radius_users *u, const uint8_t nas[16], const char *nas_id,
    const char *id)
{
	uint64_t h = hash_more(u->seed, nas, 16);

	return hash_more(hash_more(h, nas_id, strlen(nas_id)), id, strlen(id));
}

static struct session *
find_session(const struct radius_users *u, const uint8_t nas[16], const char *nas_id,
    const char *id)
{
	uint64_t hash = hash_key(u, nas, nas_id, id);
	struct link *l;

	for (l = first(&u->keys, hash); l != NULL; l = same(l->next, hash)) {
		struct session *s = (struct session *)l;

		if (strcmp(s->id, id) == 0 && strcmp(text(s->nas_id), nas_id) == 0 &&
		    memcmp(s->nas_addr, nas, 16) == 0)
			return s;
	}
	return NULL;
}

/* Keys and events. */

static void
copy(char *to, const char *s)
{
	size_t n = strnlen(s, RADIUS_TEXT - 1);

	memcpy(to, s, n);
	to[n] = '\0';
}

static void
publish(const struct mc_cloud *c, const char *channel, const struct session *s,
    const struct radius_net *net, const char *user, const struct radius_news *n,
    unsigned nrows)
{
	struct mc_cloud own = *c;
	struct event e;

	if (!mc_cloud_wanted(c, channel))
		return;
	own.user = NULL; /* the event's own is said */
	e.present = (s->id != NULL ? 1 << EVENT_SESSION : 0) |
	    (s->nas_text != NULL ? 1 << EVENT_NAS : 0) |
	    (s->calling != NULL ? 1 << EVENT_CALLING : 0) |
	    (s->has_in ? 1 << EVENT_IN : 0) | (s->has_out ? 1 << EVENT_OUT : 0);
	copy(e.user, user);
	copy(e.session, text(s->id));
	copy(e.nas, text(s->nas_text));
	copy(e.calling, text(s->calling));
	radius_net_text(e.ip, net);
	e.in_octets = s->in_octets;
	e.out_octets = s->out_octets;
	e.seconds = s->has_seconds ? s->seconds :
	    n->ts_us > s->since_us ? (n->ts_us - s->since_us) / 1000000 : 0;
	mc_cloud_publish(&own, channel, n->ts_us, n->dir, rows, nrows, &e);
}

/*
 * A name with which user.<name> would be the key of an address, or of all those for which
 * there was no room: nobody's but one who wants to be taken for it.
 */
static bool
is_forged(const char *user)
{
	uint8_t addr[16];

	if (strncmp(user, "net.", 4) == 0)
		return strchr(user, '/') != NULL || strcmp(user + 4, "other") == 0;
	if (strncmp(user, "ip.", 3) != 0)
		return false;
	return strcmp(user + 3, "other") == 0 || inet_pton(AF_INET, user + 3, addr) == 1 ||
	    inet_pton(AF_INET6, user + 3, addr) == 1;
}

/* Which key NET has, and its field in the user's hash. ID has room for RADIUS_NET_TEXT. */
static enum mc_tree
net_key(const struct radius_net *net, char *field, char *id, size_t *idlen)
{
	char t[RADIUS_NET_TEXT];

	radius_net_text(t, net);
	snprintf(field, RADIUS_NET_TEXT + 4, "%s.%s", net->len == 128 ? "ip" : "net", t);
	if (net->len == 128) {
		memcpy(id, net->addr, 16);
		*idlen = 16;
		return MC_TREE_USER_IP;
	}
	*idlen = strlen(t);
	memcpy(id, t, *idlen);
	return MC_TREE_USER_NET;
}

static void
keys_of_login(const struct mc_cloud *c, const struct session *s,
    const struct radius_net *net)
{
	const char *user = s->user->name;
	char field[RADIUS_NET_TEXT + 4], id[RADIUS_NET_TEXT], since[24];
	size_t len = strlen(user), idlen;
	enum mc_tree tree = net_key(net, field, id, &idlen);
	int n = snprintf(since, sizeof(since), "%" PRIu64, s->since_us / 1000000);

	mc_cloud_set(c, MC_TREE_USER, user, len, field, since, (size_t)n);
	mc_cloud_persist(c, MC_TREE_USER, user, len);
	mc_cloud_set(c, tree, id, idlen, NULL, user, len);
	mc_cloud_persist(c, tree, id, idlen);
}

static void
keys_of_session(const struct mc_cloud *c, const struct session *s)
{
	const char *user = s->user->name;
	size_t len = strlen(user);

	if (s->nas_text != NULL)
		mc_cloud_set(c, MC_TREE_USER, user, len, "nas", s->nas_text,
		    strlen(s->nas_text));
	if (s->id != NULL)
		mc_cloud_set(c, MC_TREE_USER, user, len, "session", s->id, strlen(s->id));
	if (s->calling != NULL)
		mc_cloud_set(c, MC_TREE_USER, user, len, "calling", s->calling,
		    strlen(s->calling));
	mc_cloud_persist(c, MC_TREE_USER, user, len);
}

/* NET is USER's no more. KEY: unless it is another's meanwhile, its key goes too. */
static void
keys_of_logout(const struct radius_users *u, const struct mc_cloud *c, const char *user,
    const struct radius_net *net, bool key)
{
	char field[RADIUS_NET_TEXT + 4], id[RADIUS_NET_TEXT];
	size_t len = strlen(user), idlen;
	enum mc_tree tree = net_key(net, field, id, &idlen);

	mc_cloud_unset(c, MC_TREE_USER, user, len, field);
	if (key)
		mc_cloud_expire_after(c, tree, id, idlen, u->grace_s, user, len);
}

/* Sessions. */

static void
drop_hold(struct radius_users *u, struct hold *h)
{
	struct hold **p = &h->s->holds;

	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	h->s->nholds--;
	table_remove(&u->holds, &h->link);
	free(h);
}

static void
forget(struct radius_users *u, struct session *s)
{
	if (s->user == NULL) {
		TAILQ_REMOVE(&u->ended, s, used);
		u->nended--;
	}
	if (s->id != NULL)
		table_remove(&u->keys, &s->link);
	free(s->id);
	free(s->nas_id);
	free(s->nas_text);
	free(s->calling);
	free(s);
}

/* S leaves its user and its NAS, which go with their last. Its addresses are gone. */
static void
leave(struct radius_users *u, const struct mc_cloud *c, struct session *s)
{
	struct user *user = s->user;
	struct nas *nas = s->nas;

	LIST_REMOVE(s, of_user);
	LIST_REMOVE(s, of_nas);
	TAILQ_REMOVE(&u->living, s, used);
	u->nliving--;
	if (LIST_EMPTY(&user->sessions)) {
		if (c != NULL)
			mc_cloud_expire_after(c, MC_TREE_USER, user->name,
			    strlen(user->name), u->grace_s, NULL, 0);
		table_remove(&u->users, &user->link);
		free(user);
	}
	if (LIST_EMPTY(&nas->sessions)) {
		table_remove(&u->nases, &nas->link);
		free(nas);
	}
	s->user = NULL;
	s->nas = NULL;
	TAILQ_INSERT_TAIL(&u->ended, s, used);
	u->nended++;
}

static void
end_session(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_news *n, uint64_t at_us)
{
	while (s->holds != NULL) {
		struct radius_net net = s->holds->net;

		drop_hold(u, s->holds);
		keys_of_logout(u, c, s->user->name, &net, true);
		publish(c, "user.logout", s, &net, s->user->name, n, LOGOUT_ROWS);
	}
	leave(u, c, s);
	s->heard_us = at_us;
	if (s->id == NULL)
		forget(u, s);
	else if (u->nended > ENDED_MAX)
		forget(u, TAILQ_FIRST(&u->ended));
}

/* An address that a session can have; others are said to mean something else, or are
 * nobody's alone. RFC 2865 §5.8 */
static bool
is_usable(const struct radius_net *n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t none[16];

	if (n->len == 0 || memcmp(n->addr, none, 16) == 0)
		return false;
	if (memcmp(n->addr, mapped, 12) == 0)
		return n->addr[12] != 0 && n->addr[12] < 224;
	return n->addr[0] != 0xff && !(n->addr[0] == 0xfe && (n->addr[1] & 0xc0) == 0x80);
}

static bool
is_v4(const struct radius_net *n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return n->len == 128 && memcmp(n->addr, mapped, 12) == 0;
}

/* A session has one IPv4 address: another replaces it. */
static void
drop_other_v4(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_net *net, const struct radius_news *n)
{
	struct hold *h;

	for (h = s->holds; h != NULL && !is_v4(&h->net); h = h->next)
		continue;
	if (h == NULL || same_net(&h->net, net))
		return;
	keys_of_logout(u, c, s->user->name, &h->net, true);
	publish(c, "user.logout", s, &h->net, s->user->name, n, LOGOUT_ROWS);
	drop_hold(u, h);
}

/* NET is taken from the session that has it, by one of USER. Was it the user's before? */
static bool
take_away(struct radius_users *u, const struct mc_cloud *c, struct hold *h,
    const struct user *user, const struct radius_news *n, uint64_t at_us)
{
	struct radius_net net = h->net;
	struct session *s = h->s;
	bool mine = s->user == user;

	if (!mine) {
		keys_of_logout(u, c, s->user->name, &net, false);
		publish(c, "user.logout", s, &net, s->user->name, n, LOGOUT_ROWS);
	}
	drop_hold(u, h);
	if (s->holds == NULL)
		end_session(u, c, s, n, at_us);
	return mine;
}

/* S has NET. */
static void
give(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_net *net, const struct radius_news *n, uint64_t at_us)
{
	struct hold *h, *old;
	bool had = false;

	if (!is_usable(net) || ((old = find_hold(u, net)) != NULL && old->s == s))
		return;
	if (is_v4(net))
		drop_other_v4(u, c, s, net, n);
	if (s->nholds >= HOLDS_MAX || (h = calloc(1, sizeof(*h))) == NULL) {
		u->evicted++;
		return;
	}
	if (old != NULL)
		had = take_away(u, c, old, s->user, n, at_us);
	h->net = *net;
	h->s = s;
	h->next = s->holds;
	s->holds = h;
	s->nholds++;
	table_add(&u->holds, &h->link, hash_net(u, net));
	keys_of_login(c, s, net);
	if (!had)
		publish(c, "user.login", s, net, s->user->name, n, LOGIN_ROWS);
}

static void
give_all(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_news *n, uint64_t at_us)
{
	struct radius_net net;
	unsigned i;

	if (n->f->has_framed) {
		radius_net4(&net, n->f->framed);
		give(u, c, s, &net, n, at_us);
	}
	for (i = 0; i < n->f->nnets; i++)
		give(u, c, s, &n->f->nets[i], n, at_us);
}

/* Who the NAS is: its address, else its name beside the sender's address. */
static void
nas_of(uint8_t addr[16], char *as_text, const struct radius_news *n)
{
	struct radius_net net;

	if (n->nas->has_nas)
		radius_net4(&net, n->nas->nas);
	else {
		net.len = 128;
		memcpy(net.addr, n->nas->has_nas6 ? n->nas->nas6 : n->sender, 16);
	}
	memcpy(addr, net.addr, 16);
	if (n->nas->has_nas || n->nas->has_nas6 || n->nas_id[0] == '\0')
		radius_net_text(as_text, &net);
	else
		copy(as_text, n->nas_id);
}

/* Into the lists of its user and its NAS, made if they are new. -1: no memory. */
static int
join(struct radius_users *u, struct session *s, const char *name)
{
	uint64_t uh = hash_more(u->seed, name, strlen(name));
	uint64_t nh = hash_more(u->seed, s->nas_addr, 16);
	struct user *user = find_user(u, name, uh);
	struct nas *nas = find_nas(u, s->nas_addr, nh);
	bool new_user = user == NULL;

	if (user == NULL) {
		user = calloc(1, sizeof(*user) + strlen(name) + 1);
		if (user == NULL)
			return -1;
		memcpy(user->name, name, strlen(name) + 1);
	}
	if (nas == NULL) {
		nas = calloc(1, sizeof(*nas));
		if (nas == NULL) {
			if (new_user)
				free(user);
			return -1;
		}
		memcpy(nas->addr, s->nas_addr, 16);
		table_add(&u->nases, &nas->link, nh);
	}
	if (new_user)
		table_add(&u->users, &user->link, uh);
	s->user = user;
	s->nas = nas;
	LIST_INSERT_HEAD(&user->sessions, s, of_user);
	LIST_INSERT_HEAD(&nas->sessions, s, of_nas);
	TAILQ_INSERT_TAIL(&u->living, s, used);
	u->nliving++;
	return 0;
}

static void
evict(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n)
{
	struct session *s = TAILQ_FIRST(&u->living);

	u->evicted++;
	end_session(u, c, s, n, n->ts_us);
}

/* A session that is not there yet. NULL: no memory. */
static struct session *
begin(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    const uint8_t nas[16], const char *nas_text, uint64_t since_us)
{
	struct session *s;

	if (u->nliving >= u->max)
		evict(u, c, n);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto fail;
	memcpy(s->nas_addr, nas, 16);
	s->since_us = since_us;
	retell(&s->id, n->session);
	retell(&s->nas_id, n->nas_id);
	retell(&s->nas_text, nas_text);
	retell(&s->calling, n->calling);
	if ((s->id == NULL) != (n->session[0] == '\0') ||
	    (s->nas_id == NULL) != (n->nas_id[0] == '\0') || join(u, s, n->user) == -1)
		goto fail;
	if (s->id != NULL)
		table_add(&u->keys, &s->link,
		    hash_key(u, nas, text(s->nas_id), s->id));
	return s;
fail:
	u->evicted++;
	if (s != NULL) {
		free(s->id);
		free(s->nas_id);
		free(s->nas_text);
		free(s->calling);
		free(s);
	}
	return NULL;
}

/* The session that an Access-Accept began and this accounting speaks of, or NULL. */
static struct session *
find_provisional(const struct radius_users *u, const struct radius_news *n)
{
	struct user *user;
	struct session *s;
	struct radius_net net;
	struct hold *h;
	unsigned i;

	user = find_user(u, n->user, hash_more(u->seed, n->user, strlen(n->user)));
	if (user == NULL)
		return NULL;
	if (n->f->has_framed) {
		radius_net4(&net, n->f->framed);
		h = find_hold(u, &net);
		if (h != NULL)
			return h->s->provisional && h->s->user == user ? h->s : NULL;
	}
	for (i = 0; i < n->f->nnets; i++) {
		h = find_hold(u, &n->f->nets[i]);
		if (h != NULL && h->s->provisional && h->s->user == user)
			return h->s;
	}
	i = 0;
	LIST_FOREACH(s, &user->sessions, of_user) {
		if (s->provisional && s->calling != NULL &&
		    strcmp(s->calling, n->calling) == 0)
			return s;
		if (++i == LOOK_MAX)
			break;
	}
	return NULL;
}

/* Its accounting has come: it is known by what that says. False: no memory. */
static bool
adopt(struct radius_users *u, struct session *s, const struct radius_news *n,
    const uint8_t nas[16], const char *nas_text)
{
	char *id = strdup(n->session), *nas_id = strdup(n->nas_id);
	struct nas *to = find_nas(u, nas, hash_more(u->seed, nas, 16));

	if (to == NULL && (to = calloc(1, sizeof(*to))) != NULL) {
		memcpy(to->addr, nas, 16);
		table_add(&u->nases, &to->link, hash_more(u->seed, nas, 16));
		LIST_INIT(&to->sessions);
	}
	if (id == NULL || nas_id == NULL || to == NULL) {
		if (to != NULL && LIST_EMPTY(&to->sessions)) {
			table_remove(&u->nases, &to->link);
			free(to);
		}
		free(id);
		free(nas_id);
		return false;
	}
	if (s->id != NULL)
		table_remove(&u->keys, &s->link);
	free(s->id);
	free(s->nas_id);
	s->id = id;
	s->nas_id = nas_id;
	LIST_REMOVE(s, of_nas);
	if (s->nas != to && LIST_EMPTY(&s->nas->sessions)) {
		table_remove(&u->nases, &s->nas->link);
		free(s->nas);
	}
	s->nas = to;
	LIST_INSERT_HEAD(&to->sessions, s, of_nas);
	memcpy(s->nas_addr, nas, 16);
	retell(&s->nas_text, nas_text);
	retell(&s->calling, n->calling);
	table_add(&u->keys, &s->link, hash_key(u, nas, nas_id, id));
	s->provisional = false;
	return true;
}

/* What accounting counts; not from one that is older than what is known. */
static void
take_figures(struct session *s, const struct radius_facts *f, uint64_t at_us)
{
	if (at_us < s->heard_us)
		return;
	s->heard_us = at_us;
	if (radius_has(f, RADIUS_IN_OCTETS)) {
		s->has_in = true;
		s->in_octets = radius_octets(f, RADIUS_IN_OCTETS);
	}
	if (radius_has(f, RADIUS_OUT_OCTETS)) {
		s->has_out = true;
		s->out_octets = radius_octets(f, RADIUS_OUT_OCTETS);
	}
	if (radius_has(f, RADIUS_SECONDS)) {
		s->has_seconds = true;
		s->seconds = f->number[RADIUS_SECONDS];
	}
}

static void
hear(struct radius_users *u, struct session *s)
{
	TAILQ_REMOVE(&u->living, s, used);
	TAILQ_INSERT_TAIL(&u->living, s, used);
}

/* A NAS begins anew, or stops: its sessions are gone, but those begun since. */
static void
end_all(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    const uint8_t addr[16], uint64_t at_us)
{
	struct nas *nas = find_nas(u, addr, hash_more(u->seed, addr, 16));
	struct session *s, *next;

	for (s = nas != NULL ? LIST_FIRST(&nas->sessions) : NULL; s != NULL; s = next) {
		next = LIST_NEXT(s, of_nas);
		if (s->since_us > at_us + SLACK_US)
			continue;
		/* several can stand behind one address */
		if (n->nas_id[0] != '\0' && text(s->nas_id)[0] != '\0' &&
		    strcmp(s->nas_id, n->nas_id) != 0)
			continue;
		end_session(u, c, s, n, at_us); /* the NAS lives while it has a next */
	}
}

/* A Stop of a session that was not known: what an earlier run left ends, if it is its. */
static void
end_unknown(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    const char *nas_text)
{
	struct session s = {.id = (char *)(uintptr_t)n->session,
	    .calling = n->calling[0] != '\0' ? (char *)(uintptr_t)n->calling : NULL,
	    .nas_text = (char *)(uintptr_t)nas_text, .since_us = n->ts_us};
	struct radius_net nets[RADIUS_NETS + 1];
	unsigned i, nnets = 0;

	if (n->user[0] == '\0')
		return;
	take_figures(&s, n->f, n->ts_us);
	if (n->f->has_framed)
		radius_net4(&nets[nnets++], n->f->framed);
	for (i = 0; i < n->f->nnets; i++)
		nets[nnets++] = n->f->nets[i];
	for (i = 0; i < nnets; i++) {
		if (!is_usable(&nets[i]) || find_hold(u, &nets[i]) != NULL)
			continue;
		keys_of_logout(u, c, n->user, &nets[i], true);
		publish(c, "user.logout", &s, &nets[i], n->user, n, LOGOUT_ROWS);
	}
	if (find_user(u, n->user, hash_more(u->seed, n->user, strlen(n->user))) == NULL)
		mc_cloud_expire_after(c, MC_TREE_USER, n->user, strlen(n->user),
		    u->grace_s, NULL, 0);
}

/* The session with its NAS and id, or one that is adopted; NULL: there is none, or (LATE)
 * it has ended after this was said. */
static struct session *
find_any(struct radius_users *u, const struct radius_news *n, const uint8_t nas[16],
    const char *nas_text, uint64_t at_us, bool *late)
{
	struct session *s = find_session(u, nas, n->nas_id, n->session);

	*late = false;
	if (s != NULL && s->user == NULL) {
		if (n->f->number[RADIUS_STATUS] == RADIUS_STOP || at_us <= s->heard_us) {
			*late = true;
			return NULL;
		}
		forget(u, s);
		s = NULL;
	}
	if (s == NULL && n->user[0] != '\0') {
		s = find_provisional(u, n);
		if (s != NULL && !adopt(u, s, n, nas, nas_text))
			s = NULL;
	}
	return s;
}

static void
stop(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    struct session *s, const char *nas_text, uint64_t at_us)
{
	if (s == NULL || (n->user[0] != '\0' && strcmp(s->user->name, n->user) != 0)) {
		end_unknown(u, c, n, nas_text);
		return;
	}
	if (at_us + SLACK_US < s->since_us)
		return; /* of one before, with the same id */
	take_figures(s, n->f, at_us);
	end_session(u, c, s, n, at_us);
}

/* A Start, or an Interim-Update of what may have begun before the probe did. */
static void
go_on(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    struct session *s, const uint8_t nas[16], const char *nas_text, uint64_t at_us)
{
	uint64_t before = (uint64_t)n->f->number[RADIUS_SECONDS] * 1000000;
	bool told = s != NULL && s->heard_us != 0;

	if (s != NULL && n->user[0] != '\0' && strcmp(s->user->name, n->user) != 0) {
		end_session(u, c, s, n, at_us);
		s = find_session(u, nas, n->nas_id, n->session);
		if (s != NULL)
			forget(u, s); /* the id is another's now */
		s = NULL;
	}
	if (s == NULL) {
		if (n->user[0] == '\0')
			return;
		s = begin(u, c, n, nas, nas_text, before < at_us ? at_us - before : 0);
		if (s == NULL)
			return;
		told = false;
	}
	hear(u, s);
	s->provisional = false;
	retell(&s->calling, n->calling);
	take_figures(s, n->f, at_us);
	if (!told)
		keys_of_session(c, s);
	if (at_us >= s->heard_us) /* an older one's addresses may be gone */
		give_all(u, c, s, n, at_us);
}

void
radius_users_account(struct radius_users *u, const struct mc_cloud *c,
    const struct radius_news *n)
{
	uint32_t status = n->f->number[RADIUS_STATUS], delay = n->f->number[RADIUS_DELAY];
	uint64_t at_us = n->ts_us;
	char nas_text[RADIUS_TEXT];
	struct session *s;
	uint8_t nas[16];
	bool late;

	if (delay <= DELAY_MAX && (uint64_t)delay * 1000000 < at_us)
		at_us -= (uint64_t)delay * 1000000;
	nas_of(nas, nas_text, n);
	if (status == RADIUS_ON || status == RADIUS_OFF) {
		end_all(u, c, n, nas, at_us);
		return;
	}
	if ((status != RADIUS_START && status != RADIUS_STOP && status != RADIUS_INTERIM) ||
	    n->session[0] == '\0' || is_forged(n->user))
		return;
	s = find_any(u, n, nas, nas_text, at_us, &late);
	if (late)
		return;
	if (status == RADIUS_STOP)
		stop(u, c, n, s, nas_text, at_us);
	else
		go_on(u, c, n, s, nas, nas_text, at_us);
}

/* Has a session of the user one of these addresses, or, named, is there that session? */
static struct session *
find_accepted(const struct radius_users *u, const struct radius_news *n,
    const uint8_t nas[16])
{
	struct session *s = NULL;
	struct radius_net net;
	struct hold *h = NULL;

	if (n->session[0] != '\0')
		s = find_session(u, nas, n->nas_id, n->session);
	if (s == NULL) {
		if (n->f->has_framed) {
			radius_net4(&net, n->f->framed);
			h = find_hold(u, &net);
		} else if (n->f->nnets > 0)
			h = find_hold(u, &n->f->nets[0]);
		s = h != NULL ? h->s : NULL;
	}
	if (s == NULL || s->user == NULL || strcmp(s->user->name, n->user) != 0)
		return NULL;
	return s;
}

void
radius_users_accept(struct radius_users *u, const struct mc_cloud *c,
    const struct radius_news *n)
{
	char nas_text[RADIUS_TEXT];
	struct radius_net net;
	struct session *s, *old;
	uint8_t nas[16];
	bool some = false;
	unsigned i;

	if (n->user[0] == '\0' || is_forged(n->user))
		return;
	if (n->f->has_framed) {
		radius_net4(&net, n->f->framed);
		some = is_usable(&net);
	}
	for (i = 0; i < n->f->nnets; i++)
		some |= is_usable(&n->f->nets[i]);
	if (!some)
		return; /* which address it gets accounting will tell */
	nas_of(nas, nas_text, n);
	s = find_accepted(u, n, nas);
	if (s == NULL) {
		old = n->session[0] == '\0' ? NULL :
		    find_session(u, nas, n->nas_id, n->session);
		if (old != NULL && old->user != NULL)
			end_session(u, c, old, n, n->ts_us);
		/* an ended one is forgotten: the end may have forgotten it already */
		if (old != NULL &&
		    (old = find_session(u, nas, n->nas_id, n->session)) != NULL)
			forget(u, old);
		s = begin(u, c, n, nas, nas_text, n->ts_us);
		if (s == NULL)
			return;
		s->provisional = true;
		keys_of_session(c, s);
	}
	hear(u, s);
	give_all(u, c, s, n, n->ts_us);
}

struct radius_users *
radius_users_new(uint64_t grace_us, unsigned max_sessions)
{
	struct radius_users *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	TAILQ_INIT(&u->living);
	TAILQ_INIT(&u->ended);
	u->max = max_sessions;
	u->grace_s = grace_us / 1000000 < UINT32_MAX ? (uint32_t)(grace_us / 1000000) :
						       UINT32_MAX;
	if (getrandom(&u->seed, sizeof(u->seed), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(u->seed))
		u->seed = (uint64_t)(uintptr_t)u;
	if (table_init(&u->users, max_sessions) == -1 ||
	    table_init(&u->nases, max_sessions / 16) == -1 ||
	    table_init(&u->holds, max_sessions) == -1 ||
	    table_init(&u->keys, max_sessions) == -1) {
		radius_users_free(u);
		return NULL;
	}
	return u;
}

/* Keys stay: the users' sessions do not end with the probe. */
void
radius_users_free(struct radius_users *u)
{
	struct session *s;

	if (u == NULL)
		return;
	while ((s = TAILQ_FIRST(&u->living)) != NULL) {
		while (s->holds != NULL)
			drop_hold(u, s->holds);
		leave(u, NULL, s);
	}
	while ((s = TAILQ_FIRST(&u->ended)) != NULL)
		forget(u, s);
	free(u->users.bucket);
	free(u->nases.bucket);
	free(u->holds.bucket);
	free(u->keys.bucket);
	free(u);
}

uint64_t
radius_users_evicted(const struct radius_users *u)
{
	return u->evicted;
}
