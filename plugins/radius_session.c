/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_session.c -- sessions, what they own, and what is told of it. See
 * radius_session.h for who owns what, radius_user.h for the bounds.
 */
#include "radius_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define ENDED_MAX 4096
#define LEFT_MAX  4096
#define LEFT_STEPS 32 /* of one address that are looked at */
#define HOLDS_MAX (RADIUS_NETS + 1)

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
	char user[RADIUS_TEXT], session[RADIUS_TEXT], nas[RADIUS_TEXT],
	    calling[RADIUS_TEXT];
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
/* Another text, unless there is none. */
void
radius_retell(char **to, const char *s)
{
	char *copy;

	if (s[0] == '\0' || strcmp(radius_text_of(*to), s) == 0 ||
	    (copy = strdup(s)) == NULL)
		return;
	free(*to);
	*to = copy;
}
struct user *
radius_find_user(const struct radius_users *u, const char *name)
{
	uint64_t hash = hash_more(u->seed, name, strlen(name));
	struct link *l;

	for (l = first(&u->users, hash); l != NULL; l = same(l->next, hash))
		if (strcmp(((struct user *)l)->name, name) == 0)
			return (struct user *)l;
	return NULL;
}
struct nas *
radius_find_nas(const struct radius_users *u, const uint8_t addr[16])
{
	uint64_t hash = hash_more(u->seed, addr, 16);
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
struct hold *
radius_find_hold(const struct radius_users *u, const struct radius_net *n)
{
	uint64_t hash = hash_net(u, n);
	struct link *l;

	for (l = first(&u->holds, hash); l != NULL; l = same(l->next, hash))
		if (same_net(&((struct hold *)l)->net, n))
			return (struct hold *)l;
	return NULL;
}
/* Of NET and, unless 0, of USER: the next of the chain from L on, at most *STEPS. */
static struct left *
next_left(struct link *l, uint64_t hash, const struct radius_net *net, uint64_t user,
    unsigned *steps)
{
	for (l = same(l, hash); l != NULL && *steps > 0; l = same(l->next, hash)) {
		struct left *f = (struct left *)l;

		(*steps)--;
		if (same_net(&f->net, net) && (user == 0 || f->user == user))
			return f;
	}
	return NULL;
}
static struct left *
find_left(const struct radius_users *u, const struct radius_net *net, uint64_t user)
{
	uint64_t hash = hash_net(u, net);
	unsigned steps = LEFT_STEPS;

	return next_left(u->lefts.bucket[hash & u->lefts.mask], hash, net, user, &steps);
}
static uint64_t
hash_user(const struct radius_users *u, const char *name)
{
	return hash_more(u->seed, name, strlen(name)) | 1;
}
static void
drop_left(struct radius_users *u, struct left *l)
{
	if (l == NULL)
		return;
	table_remove(&u->lefts, &l->link);
	TAILQ_REMOVE(&u->left, l, next);
	u->nleft--;
	free(l);
}
static void
note_left(struct radius_users *u, const char *user, const struct radius_net *net,
    uint64_t given_us, uint64_t told_us, uint64_t at_us)
{
	uint64_t who = hash_user(u, user);
	struct left *l;

	drop_left(u, find_left(u, net, who));
	if (u->nleft >= LEFT_MAX)
		drop_left(u, TAILQ_FIRST(&u->left));
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return; /* what is late will be believed */
	l->net = *net;
	l->given_us = given_us;
	l->told_us = told_us;
	l->at_us = at_us;
	l->user = who;
	table_add(&u->lefts, &l->link, hash_net(u, net));
	TAILQ_INSERT_TAIL(&u->left, l, next);
	u->nleft++;
}
static uint64_t
hash_key(const struct radius_users *u, const uint8_t nas[16], const char *nas_id,
    const char *id)
{
	uint64_t h = hash_more(u->seed, nas, 16);

	return hash_more(hash_more(h, nas_id, strlen(nas_id)), id, strlen(id));
}
struct session *
radius_find_session(const struct radius_users *u, const uint8_t nas[16],
    const char *nas_id, const char *id)
{
	uint64_t hash = hash_key(u, nas, nas_id, id);
	struct link *l;

	for (l = first(&u->keys, hash); l != NULL; l = same(l->next, hash)) {
		struct session *s = (struct session *)l;

		if (strcmp(s->id, id) == 0 &&
		    strcmp(radius_text_of(s->nas_id), nas_id) == 0 &&
		    memcmp(s->nas_addr, nas, 16) == 0)
			return s;
	}
	return NULL;
}
void
radius_user_event(const struct mc_cloud *c, bool login, const struct session *s,
    const struct radius_net *net, const char *user, const struct radius_news *n)
{
	const char *channel = login ? "user.login" : "user.logout";
	unsigned nrows = login ? LOGIN_ROWS : LOGOUT_ROWS;
	struct mc_cloud own = *c;
	struct event e;

	if (!mc_cloud_wanted(c, channel))
		return;
	own.user = NULL; /* the event's own is said */
	e.present = (s->id != NULL ? 1 << EVENT_SESSION : 0) |
	    (s->nas_text != NULL ? 1 << EVENT_NAS : 0) |
	    (s->calling != NULL ? 1 << EVENT_CALLING : 0) |
	    (s->has_in ? 1 << EVENT_IN : 0) | (s->has_out ? 1 << EVENT_OUT : 0);
	radius_copy(e.user, user);
	radius_copy(e.session, radius_text_of(s->id));
	radius_copy(e.nas, radius_text_of(s->nas_text));
	radius_copy(e.calling, radius_text_of(s->calling));
	radius_net_text(e.ip, net);
	e.in_octets = s->in_octets;
	e.out_octets = s->out_octets;
	e.seconds = s->has_seconds ? s->seconds :
	    n->ts_us > s->since_us ? (n->ts_us - s->since_us) / 1000000 : 0;
	mc_cloud_publish(&own, channel, n->ts_us, n->dir, rows, nrows, &e);
}
/* Which key NET has, and its field in the user's hash. ID has room for
 * RADIUS_NET_TEXT. */
static enum mc_tree
net_key(const struct radius_net *net, char *field, char *id, size_t *idlen)
{
	char t[RADIUS_NET_TEXT];

	radius_net_text(t, net);
	snprintf(
	    field, RADIUS_NET_TEXT + 4, "%s.%s", net->len == 128 ? "ip" : "net", t);
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
    const struct radius_net *net, uint64_t since_us)
{
	const char *user = s->user->name;
	char field[RADIUS_NET_TEXT + 4], id[RADIUS_NET_TEXT], since[24];
	size_t len = strlen(user), idlen;
	enum mc_tree tree = net_key(net, field, id, &idlen);
	int n = snprintf(since, sizeof(since), "%" PRIu64, since_us / 1000000);

	mc_user_login(c, user, net->addr, net->len, since_us);
	mc_cloud_set(c, MC_TREE_USER, user, len, field, since, (size_t)n);
	mc_cloud_persist(c, MC_TREE_USER, user, len);
	mc_cloud_set(c, tree, id, idlen, NULL, user, len);
	mc_cloud_persist(c, tree, id, idlen);
}
void
radius_session_keys(const struct mc_cloud *c, const struct session *s)
{
	const char *user = s->user->name;
	size_t len = strlen(user);

	if (s->nas_text != NULL)
		mc_cloud_set(c, MC_TREE_USER, user, len, "nas", s->nas_text,
		    strlen(s->nas_text));
	if (s->id != NULL)
		mc_cloud_set(
		    c, MC_TREE_USER, user, len, "session", s->id, strlen(s->id));
	if (s->calling != NULL)
		mc_cloud_set(c, MC_TREE_USER, user, len, "calling", s->calling,
		    strlen(s->calling));
	mc_cloud_persist(c, MC_TREE_USER, user, len);
}
/* NET is USER's no more. KEY: unless it is another's meanwhile, its key goes too. */
static void
keys_of_logout(const struct radius_users *u, const struct mc_cloud *c, const char *user,
    const struct radius_net *net, bool key, uint64_t at_us)
{
	char field[RADIUS_NET_TEXT + 4], id[RADIUS_NET_TEXT];
	size_t len = strlen(user), idlen;
	enum mc_tree tree = net_key(net, field, id, &idlen);

	mc_user_logout(c, user, net->addr, net->len, at_us);
	mc_cloud_unset(c, MC_TREE_USER, user, len, field);
	if (key)
		mc_cloud_expire_after(c, tree, id, idlen, u->grace_s, user, len);
}
bool
radius_leave(struct radius_users *u, const struct mc_cloud *c, const char *user,
    const struct radius_net *net, const struct radius_news *n, uint64_t given_us,
    uint64_t at_us)
{
	note_left(u, user, net, given_us, n->ts_us, at_us);
	if (radius_find_hold(u, net) != NULL)
		return false;
	keys_of_logout(u, c, user, net, true, at_us);
	return true;
}
void
radius_had(const struct mc_cloud *c, const char *user, const struct radius_net *net,
    uint64_t since_us, uint64_t at_us)
{
	mc_user_login(c, user, net->addr, net->len, since_us);
	mc_user_logout(c, user, net->addr, net->len, at_us);
}
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
void
radius_forget(struct radius_users *u, struct session *s)
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
void
radius_end(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_news *n, uint64_t at_us)
{
	while (s->holds != NULL) {
		struct radius_net net = s->holds->net;
		uint64_t given_us = s->holds->given_us;

		drop_hold(u, s->holds);
		radius_leave(u, c, s->user->name, &net, n, given_us, at_us);
		radius_user_event(c, false, s, &net, s->user->name, n);
	}
	leave(u, c, s);
	s->heard_us = at_us;
	if (s->id == NULL)
		radius_forget(u, s);
	else if (u->nended > ENDED_MAX)
		radius_forget(u, TAILQ_FIRST(&u->ended));
}
/* An address that a session can have; others are said to mean something else, or are
 * nobody's alone. RFC 2865 §5.8 */
bool
radius_is_usable(const struct radius_net *n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t none[16];

	if (n->len == 0 || memcmp(n->addr, none, 16) == 0)
		return false;
	if (memcmp(n->addr, mapped, 12) == 0)
		return n->addr[12] != 0 && n->addr[12] < 224;
	return n->addr[0] != 0xff &&
	       !(n->addr[0] == 0xfe && (n->addr[1] & 0xc0) == 0x80);
}
static bool
is_v4(const struct radius_net *n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return n->len == 128 && memcmp(n->addr, mapped, 12) == 0;
}
/* A session has one IPv4 address: another replaces it. Was there one? */
static bool
drop_other_v4(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_net *net, const struct radius_news *n, uint64_t at_us)
{
	struct radius_net other;
	uint64_t given_us;
	struct hold *h;

	for (h = s->holds; h != NULL && !is_v4(&h->net); h = h->next)
		continue;
	if (h == NULL || same_net(&h->net, net))
		return false;
	other = h->net;
	given_us = h->given_us;
	drop_hold(u, h);
	radius_leave(u, c, s->user->name, &other, n, given_us, at_us);
	radius_user_event(c, false, s, &other, s->user->name, n);
	return true;
}
/* NET is taken from the session that has it, by one of USER. Was it the user's
 * before? */
static bool
take_away(struct radius_users *u, const struct mc_cloud *c, struct hold *h,
    const struct user *user, const struct radius_news *n, uint64_t at_us)
{
	struct radius_net net = h->net;
	struct session *s = h->s;
	bool mine = s->user == user;

	if (!mine) {
		keys_of_logout(u, c, s->user->name, &net, false, at_us);
		radius_user_event(c, false, s, &net, s->user->name, n);
	}
	drop_hold(u, h);
	if (s->holds == NULL)
		radius_end(u, c, s, n, at_us);
	return mine;
}
/* Until when S had NET, that others have left, if N is late: it is older than the login of
 * one of them, or let in the one who left. 0: it is not. (Accounting of a session that has
 * ended does not come here.) */
static uint64_t
left_since(const struct radius_users *u, const struct session *s,
    const struct radius_net *net, const struct radius_news *n)
{
	uint64_t hash = hash_net(u, net), user = hash_user(u, s->user->name);
	struct link *l = u->lefts.bucket[hash & u->lefts.mask];
	unsigned steps = LEFT_STEPS;
	const struct left *f;

	while ((f = next_left(l, hash, net, 0, &steps)) != NULL) {
		if (n->ts_us < f->given_us)
			return f->given_us;
		if (s->provisional && n->ts_us < f->told_us && f->user == user)
			return f->at_us;
		l = f->link.next;
	}
	return 0;
}
/*
 * Two workers may tell in another order than the packets came. Has a packet that came
 * after N said that another, OLD's, has NET; or has one who came later left it meanwhile?
 * Then flows are told that S had it until then.
 */
static bool
is_late(const struct radius_users *u, const struct mc_cloud *c, const struct session *s,
    const struct hold *old, const struct radius_net *net, const struct radius_news *n)
{
	uint64_t until_us;

	if (old != NULL && n->ts_us < old->told_us)
		until_us = old->given_us;
	else
		until_us = left_since(u, s, net, n);
	if (until_us == 0)
		return false;
	if (s->since_us < until_us)
		radius_had(c, s->user->name, net, s->since_us, until_us);
	return true;
}
/* S has NET. */
void
radius_give(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_net *net, const struct radius_news *n, uint64_t at_us)
{
	struct hold *h, *old;
	bool had = false, now = false;

	if (!radius_is_usable(net))
		return;
	old = radius_find_hold(u, net);
	if (old != NULL && old->s == s) {
		if (n->ts_us > old->told_us)
			old->told_us = n->ts_us;
		return;
	}
	if (is_late(u, c, s, old, net, n))
		return;
	if (is_v4(net))
		now = drop_other_v4(u, c, s, net, n, at_us);
	if (s->nholds >= HOLDS_MAX || (h = calloc(1, sizeof(*h))) == NULL) {
		u->evicted++;
		return;
	}
	if (old != NULL) {
		had = take_away(u, c, old, s->user, n, at_us);
		now |= !had;
	}
	drop_left(u, find_left(u, net, hash_user(u, s->user->name)));
	h->net = *net;
	h->s = s;
	h->given_us = h->told_us = n->ts_us;
	h->next = s->holds;
	s->holds = h;
	s->nholds++;
	table_add(&u->holds, &h->link, hash_net(u, net));
	/* what it has from the start it has since then; not what another had */
	keys_of_login(c, s, net, now ? at_us : s->since_us);
	if (!had)
		radius_user_event(c, true, s, net, s->user->name, n);
}
/* Into the lists of its user and its NAS, made if they are new. -1: no memory. */
static int
join(struct radius_users *u, struct session *s, const char *name)
{
	uint64_t uh = hash_more(u->seed, name, strlen(name));
	uint64_t nh = hash_more(u->seed, s->nas_addr, 16);
	struct user *user = radius_find_user(u, name);
	struct nas *nas = radius_find_nas(u, s->nas_addr);
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
void
radius_ended(struct radius_users *u, const struct radius_news *n, const uint8_t nas[16],
    uint64_t at_us)
{
	struct session *s;

	if (radius_find_session(u, nas, n->nas_id, n->session) != NULL ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return;
	s->id = strdup(n->session);
	s->nas_id = strdup(n->nas_id);
	if (s->id == NULL || s->nas_id == NULL) {
		free(s->id);
		free(s->nas_id);
		free(s);
		return;
	}
	memcpy(s->nas_addr, nas, 16);
	s->heard_us = at_us;
	TAILQ_INSERT_TAIL(&u->ended, s, used);
	u->nended++;
	table_add(&u->keys, &s->link, hash_key(u, nas, s->nas_id, s->id));
	if (u->nended > ENDED_MAX)
		radius_forget(u, TAILQ_FIRST(&u->ended));
}
static void
evict(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n)
{
	struct session *s = TAILQ_FIRST(&u->living);

	u->evicted++;
	radius_end(u, c, s, n, n->ts_us);
}
/* A session that is not there yet. NULL: no memory. */
struct session *
radius_begin(struct radius_users *u, const struct mc_cloud *c,
    const struct radius_news *n, const uint8_t nas[16], const char *nas_text,
    uint64_t since_us)
{
	struct session *s;

	if (u->nliving >= u->max)
		evict(u, c, n);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto fail;
	memcpy(s->nas_addr, nas, 16);
	s->since_us = since_us;
	radius_retell(&s->id, n->session);
	radius_retell(&s->nas_id, n->nas_id);
	radius_retell(&s->nas_text, nas_text);
	radius_retell(&s->calling, n->calling);
	if ((s->id == NULL) != (n->session[0] == '\0') ||
	    (s->nas_id == NULL) != (n->nas_id[0] == '\0') || join(u, s, n->user) == -1)
		goto fail;
	if (s->id != NULL)
		table_add(&u->keys, &s->link,
		    hash_key(u, nas, radius_text_of(s->nas_id), s->id));
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
/* Its accounting has come: it is known by what that says. False: no memory. */
bool
radius_adopt(struct radius_users *u, struct session *s, const struct radius_news *n,
    const uint8_t nas[16], const char *nas_text)
{
	char *id = strdup(n->session), *nas_id = strdup(n->nas_id);
	struct nas *to = radius_find_nas(u, nas);

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
	radius_retell(&s->nas_text, nas_text);
	radius_retell(&s->calling, n->calling);
	table_add(&u->keys, &s->link, hash_key(u, nas, nas_id, id));
	s->provisional = false;
	return true;
}
struct radius_users *
radius_users_new(uint64_t grace_us, unsigned max_sessions)
{
	struct radius_users *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	TAILQ_INIT(&u->living);
	TAILQ_INIT(&u->ended);
	TAILQ_INIT(&u->left);
	u->max = max_sessions;
	u->grace_s = grace_us / 1000000 < UINT32_MAX ? (uint32_t)(grace_us / 1000000) :
						       UINT32_MAX;
	if (getrandom(&u->seed, sizeof(u->seed), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(u->seed))
		u->seed = (uint64_t)(uintptr_t)u;
	if (table_init(&u->users, max_sessions) == -1 ||
	    table_init(&u->nases, max_sessions / 16) == -1 ||
	    table_init(&u->holds, max_sessions) == -1 ||
	    table_init(&u->keys, max_sessions) == -1 ||
	    table_init(&u->lefts, LEFT_MAX) == -1) {
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
		radius_forget(u, s);
	while (!TAILQ_EMPTY(&u->left))
		drop_left(u, TAILQ_FIRST(&u->left));
	free(u->lefts.bucket);
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
