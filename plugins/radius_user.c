/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius_user.c -- what RADIUS packets say of users, made into sessions: what begins
 * one, what goes on with it and what ends it. See radius_user.h for the rules.
 */
#include "radius_session.h"

#include <arpa/inet.h>

#define LOOK_MAX  32 /* sessions of a user that are looked at for one to take over */
#define DELAY_MAX 86400u /* seconds an accounting may be late by its own word */
#define SLACK_US  UINT64_C(2000000) /* times in accounting are whole seconds */

const char *const radius_channels[] = {"radius", "user.login", "user.logout", NULL};

/*
 * A name with which user.<name> would be the key of an address, or of all those for
 * which there was no room: nobody's but one who wants to be taken for it.
 */
static bool
is_forged(const char *user)
{
	uint8_t addr[16];

	if (strncmp(user, "net.", 4) == 0)
		return strchr(user, '/') != NULL || strcmp(user + 4, "other") == 0;
	if (strncmp(user, "ip.", 3) != 0)
		return false;
	return strcmp(user + 3, "other") == 0 ||
	       inet_pton(AF_INET, user + 3, addr) == 1 ||
	       inet_pton(AF_INET6, user + 3, addr) == 1;
}
/* The addresses that N says and a session can have. NETS has room for RADIUS_NETS + 1. */
static unsigned
usable_nets(struct radius_net *nets, const struct radius_news *n)
{
	unsigned i, k = 0;

	if (n->f->has_framed) {
		radius_net4(&nets[0], n->f->framed);
		k = radius_is_usable(&nets[0]);
	}
	for (i = 0; i < n->f->nnets; i++)
		if (radius_is_usable(&n->f->nets[i]))
			nets[k++] = n->f->nets[i];
	return k;
}
/* S, which may be FRESH, has the addresses of N; it ends if they are all others' by now. */
static void
give_all(struct radius_users *u, const struct mc_cloud *c, struct session *s,
    const struct radius_news *n, uint64_t at_us, bool fresh)
{
	struct radius_net nets[RADIUS_NETS + 1];
	unsigned k = usable_nets(nets, n), i;

	for (i = 0; i < k; i++)
		radius_give(u, c, s, &nets[i], n, at_us);
	if (fresh && k > 0 && s->holds == NULL)
		radius_end(u, c, s, n, at_us);
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
		radius_copy(as_text, n->nas_id);
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

	user = radius_find_user(u, n->user);
	if (user == NULL)
		return NULL;
	if (n->f->has_framed) {
		radius_net4(&net, n->f->framed);
		h = radius_find_hold(u, &net);
		if (h != NULL)
			return h->s->provisional && h->s->user == user ? h->s : NULL;
	}
	for (i = 0; i < n->f->nnets; i++) {
		h = radius_find_hold(u, &n->f->nets[i]);
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
	struct nas *nas = radius_find_nas(u, addr);
	struct session *s, *next;

	for (s = nas != NULL ? LIST_FIRST(&nas->sessions) : NULL; s != NULL; s = next) {
		next = LIST_NEXT(s, of_nas);
		if (s->since_us > at_us + SLACK_US)
			continue;
		/* several can stand behind one address */
		if (n->nas_id[0] != '\0' && radius_text_of(s->nas_id)[0] != '\0' &&
		    strcmp(s->nas_id, n->nas_id) != 0)
			continue;
		radius_end(u, c, s, n, at_us); /* the NAS lives while it has a next */
	}
}
/* A Stop of a session that was not known: what an earlier run left ends, if it is
 * its. */
static void
end_unknown(struct radius_users *u, const struct mc_cloud *c,
    const struct radius_news *n, const uint8_t nas[16], const char *nas_text,
    uint64_t at_us)
{
	struct session s = {.id = (char *)(uintptr_t)n->session,
	    .calling = n->calling[0] != '\0' ? (char *)(uintptr_t)n->calling : NULL,
	    .nas_text = (char *)(uintptr_t)nas_text, .since_us = n->ts_us};
	struct radius_net nets[RADIUS_NETS + 1];
	unsigned i, nnets;

	radius_ended(u, n, nas, at_us);
	if (n->user[0] == '\0')
		return;
	take_figures(&s, n->f, n->ts_us);
	nnets = usable_nets(nets, n);
	for (i = 0; i < nnets; i++) {
		if (radius_leave(u, c, n->user, &nets[i], n, 0, at_us))
			radius_user_event(c, false, &s, &nets[i], n->user, n);
	}
	if (radius_find_user(u, n->user) == NULL)
		mc_cloud_expire_after(c, MC_TREE_USER, n->user, strlen(n->user),
		    u->grace_s, NULL, 0);
}
/* The end of a session was told before this, which is older: flows are told what it had. */
static void
tell_past(const struct mc_cloud *c, const struct radius_news *n, uint64_t at_us,
    uint64_t end_us)
{
	struct radius_net nets[RADIUS_NETS + 1];
	unsigned k, i;

	if (n->f->number[RADIUS_STATUS] == RADIUS_STOP || n->user[0] == '\0')
		return;
	k = usable_nets(nets, n);
	for (i = 0; i < k; i++)
		radius_had(c, n->user, &nets[i], at_us, end_us);
}
/* The session with its NAS and id, or one that is adopted; NULL: there is none, or
 * (LATE) it has ended after this was said. */
static struct session *
find_any(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    const uint8_t nas[16], const char *nas_text, uint64_t at_us, bool *late)
{
	struct session *s = radius_find_session(u, nas, n->nas_id, n->session);

	*late = false;
	if (s != NULL && s->user == NULL) {
		if (n->f->number[RADIUS_STATUS] == RADIUS_STOP ||
		    at_us <= s->heard_us) {
			*late = true;
			tell_past(c, n, at_us, s->heard_us);
			return NULL;
		}
		radius_forget(u, s);
		s = NULL;
	}
	if (s == NULL && n->user[0] != '\0') {
		s = find_provisional(u, n);
		if (s != NULL && !radius_adopt(u, s, n, nas, nas_text))
			s = NULL;
	}
	return s;
}
static void
stop(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    struct session *s, const uint8_t nas[16], const char *nas_text, uint64_t at_us)
{
	if (s == NULL || (n->user[0] != '\0' && strcmp(s->user->name, n->user) != 0)) {
		end_unknown(u, c, n, nas, nas_text, at_us);
		return;
	}
	if (at_us + SLACK_US < s->since_us)
		return; /* of one before, with the same id */
	take_figures(s, n->f, at_us);
	radius_end(u, c, s, n, at_us);
}
/* A Start, or an Interim-Update of what may have begun before the probe did. */
static void
go_on(struct radius_users *u, const struct mc_cloud *c, const struct radius_news *n,
    struct session *s, const uint8_t nas[16], const char *nas_text, uint64_t at_us)
{
	uint64_t before = (uint64_t)n->f->number[RADIUS_SECONDS] * 1000000;
	bool told = s != NULL && s->heard_us != 0, fresh = false;

	if (s != NULL && n->user[0] != '\0' && strcmp(s->user->name, n->user) != 0) {
		radius_end(u, c, s, n, at_us);
		s = radius_find_session(u, nas, n->nas_id, n->session);
		if (s != NULL)
			radius_forget(u, s); /* the id is another's now */
		s = NULL;
	}
	if (s == NULL) {
		if (n->user[0] == '\0')
			return;
		s = radius_begin(
		    u, c, n, nas, nas_text, before < at_us ? at_us - before : 0);
		if (s == NULL)
			return;
		told = false;
		fresh = true;
	}
	hear(u, s);
	s->provisional = false;
	radius_retell(&s->calling, n->calling);
	take_figures(s, n->f, at_us);
	if (!told)
		radius_session_keys(c, s);
	if (at_us >= s->heard_us) /* an older one's addresses may be gone */
		give_all(u, c, s, n, at_us, fresh);
}
void
radius_users_account(struct radius_users *u, const struct mc_cloud *c,
    const struct radius_news *n)
{
	uint32_t status = n->f->number[RADIUS_STATUS],
		 delay = n->f->number[RADIUS_DELAY];
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
	if ((status != RADIUS_START && status != RADIUS_STOP &&
		status != RADIUS_INTERIM) ||
	    n->session[0] == '\0' || is_forged(n->user))
		return;
	s = find_any(u, c, n, nas, nas_text, at_us, &late);
	if (late)
		return;
	if (status == RADIUS_STOP)
		stop(u, c, n, s, nas, nas_text, at_us);
	else
		go_on(u, c, n, s, nas, nas_text, at_us);
}
/* Has a session of the user one of these addresses, or, named, is there that
 * session? */
static struct session *
find_accepted(const struct radius_users *u, const struct radius_news *n,
    const uint8_t nas[16])
{
	struct session *s = NULL;
	struct radius_net net;
	struct hold *h = NULL;

	if (n->session[0] != '\0')
		s = radius_find_session(u, nas, n->nas_id, n->session);
	if (s == NULL) {
		if (n->f->has_framed) {
			radius_net4(&net, n->f->framed);
			h = radius_find_hold(u, &net);
		} else if (n->f->nnets > 0)
			h = radius_find_hold(u, &n->f->nets[0]);
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
	struct radius_net nets[RADIUS_NETS + 1];
	char nas_text[RADIUS_TEXT];
	struct session *s, *old;
	uint8_t nas[16];
	bool fresh;

	if (n->user[0] == '\0' || is_forged(n->user))
		return;
	if (usable_nets(nets, n) == 0)
		return; /* which address it gets accounting will tell */
	nas_of(nas, nas_text, n);
	s = find_accepted(u, n, nas);
	fresh = s == NULL;
	if (fresh) {
		old = n->session[0] == '\0' ? NULL :
		    radius_find_session(u, nas, n->nas_id, n->session);
		if (old != NULL && old->user != NULL)
			radius_end(u, c, old, n, n->ts_us);
		/* an ended one is forgotten: the end may have forgotten it already */
		if (old != NULL &&
		    (old = radius_find_session(u, nas, n->nas_id, n->session)) != NULL)
			radius_forget(u, old);
		s = radius_begin(u, c, n, nas, nas_text, n->ts_us);
		if (s == NULL)
			return;
		s->provisional = true;
		radius_session_keys(c, s);
	}
	hear(u, s);
	give_all(u, c, s, n, n->ts_us, fresh);
}
