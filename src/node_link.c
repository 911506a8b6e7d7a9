/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_link.c -- the write channel's way up, and what happens when it breaks:
 *
 *	WAITING -> (RESOLVING) -> CONNECTING -> AUTH -> ASKING
 *		-> CLAIMING -> FENCING -> READY
 *
 * What is being waited for, and what is done when its time has come, is a state and
 * due_ms; one tick of the set looks at both. Replies are taken apart by a ring of what
 * was asked, in order.
 *
 * A trouble is logged when it comes and when it has gone, however many attempts lie
 * between.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "cloud.h"
#include "log.h"
#include "node_int.h"

/* First words of errors. */
static const struct {
	const char *word;
	enum node_trouble trouble;
} trouble_words[] = {
	{"OOM", NODE_FULL},
	{"MISCONF", NODE_FULL},
	{"BUSY", NODE_FULL},
	{"NOREPLICAS", NODE_FULL},
	{"LOADING", NODE_LOADING},
	{"READONLY", NODE_REPLICA},
	{"MASTERDOWN", NODE_REPLICA},
	{"NOAUTH", NODE_RIGHTS},
	{"WRONGPASS", NODE_RIGHTS},
	{"NOPERM", NODE_RIGHTS},
	{"DENIED", NODE_RIGHTS},
	{"MOVED", NODE_CLUSTER},
	{"ASK", NODE_CLUSTER},
	{"CROSSSLOT", NODE_CLUSTER},
	{"CLUSTERDOWN", NODE_CLUSTER},
};

void
node_text(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i] != '\0'; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[i] = '\0';
}

/*
 * Troubles
 */
enum node_trouble
node_classify(const char *error)
{
	size_t i, len = strcspn(error, " ");

	for (i = 0; i < sizeof(trouble_words) / sizeof(trouble_words[0]); i++)
		if (strlen(trouble_words[i].word) == len &&
		    memcmp(trouble_words[i].word, error, len) == 0)
			return trouble_words[i].trouble;
	return NODE_OTHER;
}

static void
trouble(struct node *n, enum node_trouble what, const char *why)
{
	node_text(n->error, sizeof(n->error), why);
	/* to be away adds nothing to what is known to be wrong */
	if (what == n->trouble || (what == NODE_LOST && n->trouble != NODE_FINE))
		return;
	n->trouble = what;
	log_warn("node %s: %s; what it has not got is kept", n->text, n->error);
}

void
node_well(struct node *n, bool writes)
{
	if (n->trouble == NODE_FINE || (n->trouble >= NODE_FULL && !writes))
		return;
	n->trouble = NODE_FINE;
	log_info("node %s: is %s", n->text, n->ever ? "back" : "there");
}

/* MS, give or take a quarter: probes should not come all at once. */
static uint64_t
jittered(unsigned ms)
{
	unsigned random;

	evutil_secure_rng_get_bytes(&random, sizeof(random));
	return node_now() + ms * 3 / 4 + random % (ms / 2 + 1);
}

static unsigned
doubled(unsigned ms, unsigned max)
{
	return ms * 2 > max ? max : ms * 2;
}

/* Forget the connection; nothing of it is owed any more. */
static void
forget(struct node *n)
{
	node_conn_close(&n->conn);
	node_conn_close(&n->ask);
	node_batch_lost(n);
	node_event_lost(n);
	n->nwants = n->want_first = 0;
	n->in_multi = n->numbering = n->bye = n->up = false;
	n->refusal = NODE_FINE;
	if (n->set->looker == n)
		n->set->looker = NULL;
	if (n->set->s.config->sentinel_master != NULL) {
		node_command_close(n); /* the master may be another */
		node_watch_close(n);
	}
	n->state = NODE_WAITING;
}

void
node_lost(struct node *n, const char *why)
{
	const struct node_times *t = &n->set->times;

	/* a connection that committed something or lasted was a good one */
	if (n->up && node_now() - n->up_ms > t->retry_max)
		n->retry_ms = t->retry_min;
	forget(n);
	trouble(n, NODE_LOST, why);
	n->due_ms = jittered(n->retry_ms);
	n->retry_ms = doubled(n->retry_ms, t->retry_max);
}

void
node_rest(struct node *n, enum node_trouble what, const char *why, unsigned ms)
{
	forget(n);
	trouble(n, what, why);
	/* the end does not wait for long, but never asks hot */
	if (n->set->draining && ms > n->set->times.retry_max)
		ms = n->set->times.retry_max;
	n->due_ms = jittered(ms);
}

void
node_note(struct node *n, const redisReply *r)
{
	if (r->type != REDIS_REPLY_ERROR || n->refusal != NODE_FINE)
		return;
	n->refusal = node_classify(r->str);
	node_text(n->refused, sizeof(n->refused), r->str);
}

void
node_refused(struct node *n, const redisReply *r)
{
	const struct node_times *t = &n->set->times;
	enum node_trouble what;
	char why[NODE_ERROR];

	if (r != NULL)
		node_note(n, r);
	what = n->refusal != NODE_FINE ? n->refusal : NODE_OTHER;
	snprintf(why, sizeof(why), "%s",
	    n->refusal != NODE_FINE ? n->refused : "refused without a reason");
	n->refusal = NODE_FINE;
	if (what == NODE_RIGHTS || what == NODE_CLUSTER) {
		node_rest(n, what, why, t->rights);
		return;
	}
	if (what == NODE_REPLICA && n->set->s.config->sentinel_master != NULL) {
		node_rest(n, what, why, t->retry_min);
		return;
	}
	trouble(n, what, why);
	if (what == NODE_LOADING) {
		n->due_ms = jittered(t->loading);
	} else if (what == NODE_REPLICA) {
		n->due_ms = jittered(t->replica);
	} else {
		n->due_ms = jittered(n->full_ms);
		n->full_ms = doubled(n->full_ms, t->full_max);
	}
	if (n->state > NODE_FENCING)
		n->state = NODE_FENCING;
}

/*
 * Saying
 */
struct respbuf *
node_say(struct node *n)
{
	respbuf_reset(&n->set->out);
	return &n->set->out;
}

void
node_words(struct respbuf *b, const char *word, ...)
{
	const char *w;
	int64_t count = 0;
	va_list ap;

	va_start(ap, word);
	for (w = word; w != NULL; w = va_arg(ap, const char *))
		count++;
	va_end(ap);
	resp_head(b, '*', count);
	va_start(ap, word);
	for (w = word; w != NULL; w = va_arg(ap, const char *))
		resp_bulk_text(b, w);
	va_end(ap);
}

void
node_expect(struct node *n, enum node_want kind, unsigned count)
{
	unsigned last = (n->want_first + n->nwants + NODE_WANTS - 1) % NODE_WANTS;

	if (n->nwants > 0 && n->want[last].kind == kind) {
		n->want[last].n += count;
		return;
	}
	/* who may go on without an answer looks whether half of the ring is free */
	if (n->nwants == NODE_WANTS)
		abort();
	last = (last + 1) % NODE_WANTS;
	n->want[last].kind = kind;
	n->want[last].n = count;
	n->nwants++;
}

/* Replies that are expected but that the connection does not know of yet. */
static unsigned
unsaid(const struct node *n)
{
	unsigned i, sum = 0;

	for (i = 0; i < n->nwants; i++)
		sum += n->want[(n->want_first + i) % NODE_WANTS].n;
	return sum - n->conn.owed;
}

bool
node_send(struct node *n)
{
	if (node_conn_write(&n->conn, &n->set->out, unsaid(n)))
		return true;
	node_lost(n, "no memory");
	return false;
}

/*
 * Hearing
 */
static void
nothing_reply(struct node *n, const redisReply *r)
{
	(void)n;
	(void)r;
}

typedef void want_reply(struct node *n, const redisReply *r);

static want_reply *const want_table[NODE_WANT_MAX] = {
	[NODE_WANT_NOTHING] = nothing_reply,
	[NODE_WANT_AUTH] = node_auth_reply,
	[NODE_WANT_SELECT] = node_select_reply,
	[NODE_WANT_INFO] = node_info_reply,
	[NODE_WANT_LOOK] = node_look_reply,
	[NODE_WANT_CLAIM] = node_claim_reply,
	[NODE_WANT_QUEUED] = node_note,
	[NODE_WANT_FENCE_READ] = node_fence_read,
	[NODE_WANT_FENCE_EXEC] = node_fence_exec,
	[NODE_WANT_EXEC] = node_batch_exec,
	[NODE_WANT_WATCH] = node_batch_watch,
	[NODE_WANT_NUMBER] = node_batch_number,
	[NODE_WANT_EVENT] = node_event_reply,
	[NODE_WANT_BYE] = node_bye_reply,
};

/* node_conn_calls.reply */
static void
link_reply(void *arg, const redisReply *r)
{
	struct node *n = arg;
	enum node_want kind;

	if (n->nwants == 0) {
		/* why it is about to hang up: too many clients, protected mode */
		node_lost(n,
		    r->type == REDIS_REPLY_ERROR ? r->str : "an answer to nothing");
		return;
	}
	kind = n->want[n->want_first].kind;
	if (--n->want[n->want_first].n == 0) {
		n->want_first = (n->want_first + 1) % NODE_WANTS;
		n->nwants--;
	}
	want_table[kind](n, r);
}

/* node_conn_calls.lost */
static void
link_lost(void *arg, const char *why)
{
	node_lost(arg, why);
}

/*
 * Up
 */
unsigned
node_login(const struct nodes *s, struct respbuf *b)
{
	const char *user = s->s.config->redis_user;

	if (user == NULL && s->password == NULL)
		return 0;
	if (user != NULL)
		node_words(b, "AUTH", user, s->password != NULL ? s->password : "",
		    NULL);
	else
		node_words(b, "AUTH", s->password, NULL);
	return 1;
}

/* node_conn_calls.open */
static void
link_open(void *arg)
{
	struct node *n = arg;
	struct respbuf *b = node_say(n);
	char db[16];

	counter_inc(n->set->s.counters, COUNTER_NODE_CONNECTS);
	if (node_login(n->set, b) > 0)
		node_expect(n, NODE_WANT_AUTH, 1);
	if (n->set->s.config->redis_db != 0) {
		snprintf(db, sizeof(db), "%d", n->set->s.config->redis_db);
		node_words(b, "SELECT", db, NULL);
		node_expect(n, NODE_WANT_SELECT, 1);
	}
	node_words(b, "INFO", NULL);
	node_expect(n, NODE_WANT_INFO, 1);
	n->state = NODE_AUTH;
	node_send(n);
}

void
node_link_init(struct node *n)
{
	static const struct node_conn_calls calls = {link_open, link_reply, link_lost};

	node_conn_init(&n->conn, n->set, &calls, n);
}

void
node_connect(struct node *n)
{
	n->state = NODE_CONNECTING;
	node_conn_open(&n->conn, &n->target);
}

/* The node will not do, for what R says. */
static void
not_good(struct node *n, const redisReply *r)
{
	enum node_trouble what = node_classify(r->str);
	char why[NODE_ERROR];

	node_text(why, sizeof(why), r->str);
	if (what == NODE_LOADING)
		node_rest(n, what, why, n->set->times.loading);
	else if (what == NODE_RIGHTS || what == NODE_CLUSTER)
		node_rest(n, what, why, n->set->times.rights);
	else
		node_rest(n, what, why, n->set->times.retry_max);
}

void
node_auth_reply(struct node *n, const redisReply *r)
{
	/* "AUTH <password> called without any password configured", "no password is
	   set": who knows no password lets everybody in */
	if (r->type != REDIS_REPLY_ERROR ||
	    strstr(r->str, "without any password") != NULL ||
	    strstr(r->str, "no password is set") != NULL)
		return;
	/* before 6.0 a wrong one is an ERR */
	if (node_classify(r->str) == NODE_OTHER)
		node_rest(n, NODE_RIGHTS, r->str, n->set->times.rights);
	else
		not_good(n, r);
}

void
node_select_reply(struct node *n, const redisReply *r)
{
	if (r->type != REDIS_REPLY_ERROR)
		return;
	if (node_classify(r->str) == NODE_OTHER)
		node_rest(n, NODE_RIGHTS, r->str, n->set->times.rights);
	else
		not_good(n, r);
}

/*
 * INFO
 */

/* The value of NAME in INFO's text, at most SIZE - 1 bytes of it. False: none. */
static bool
info_value(const redisReply *r, const char *name, char *to, size_t size)
{
	size_t len = strlen(name), n;
	const char *p = r->str;

	while (p != NULL && !(strncmp(p, name, len) == 0 && p[len] == ':')) {
		p = strchr(p, '\n');
		if (p != NULL)
			p++;
	}
	if (p == NULL)
		return false;
	p += len + 1;
	n = strcspn(p, "\r\n");
	snprintf(to, size, "%.*s", (int)(n < size ? n : size - 1), p);
	return true;
}

static bool
info_is(const redisReply *r, const char *name, const char *value)
{
	char text[32];

	return info_value(r, name, text, sizeof(text)) && strcmp(text, value) == 0;
}

/* Two names of the list lead to one server: its number cannot belong to both. */
static bool
same_as_another(const struct node *n, const char *run_id)
{
	unsigned i;

	for (i = 0; i < n->set->n; i++) {
		const struct node *other = &n->set->v[i];

		if (other != n && other->state > NODE_ASKING && *run_id != '\0' &&
		    strcmp(other->run_id, run_id) == 0)
			return true;
	}
	return false;
}

/* What must wait, on this connection or not at all. */
static bool
info_objects(struct node *n, const redisReply *r)
{
	const struct node_times *t = &n->set->times;

	n->state = NODE_ASKING;
	if (info_is(r, "cluster_enabled", "1")) {
		node_rest(n, NODE_CLUSTER, "is a Redis Cluster, which is not supported",
		    t->rights);
	} else if (info_is(r, "loading", "1")) {
		trouble(n, NODE_LOADING, "is loading its data");
		n->due_ms = jittered(t->loading);
	} else if (info_is(r, "role", "slave")) {
		if (n->set->s.config->sentinel_master != NULL) {
			node_rest(n, NODE_REPLICA, "is a replica", n->retry_ms);
			n->retry_ms = doubled(n->retry_ms, t->retry_max);
			return true;
		}
		trouble(n, NODE_REPLICA, "is a replica");
		n->due_ms = jittered(t->replica);
	} else {
		return false;
	}
	return true;
}

void
node_info_reply(struct node *n, const redisReply *r)
{
	char run_id[sizeof(n->run_id)] = "";

	if (r->type == REDIS_REPLY_ERROR) {
		not_good(n, r);
		return;
	}
	if (r->type != REDIS_REPLY_STRING) {
		node_lost(n, "is not a Redis server");
		return;
	}
	if (info_objects(n, r))
		return;
	info_value(r, "run_id", run_id, sizeof(run_id));
	if (same_as_another(n, run_id)) {
		node_rest(n, NODE_SAME, "is the same server as another node of the list",
		    n->set->times.rights);
		return;
	}
	if (n->run_id[0] != '\0' && strcmp(n->run_id, run_id) != 0)
		cloud_rearm_all(n->set->cloud, n->index);
	memcpy(n->run_id, run_id, sizeof(run_id));
	n->due_ms = 0;
	node_fence(n);
}

static void
ask_info(struct node *n)
{
	struct respbuf *b = node_say(n);

	node_words(b, "INFO", NULL);
	node_expect(n, NODE_WANT_INFO, 1);
	node_send(n);
}

/*
 * Time
 */
void
node_turn(struct node *n)
{
	uint64_t now = node_now();

	node_conn_check(&n->ask, now);
	node_conn_check(&n->conn, now);
	if (n->state >= NODE_FENCING)
		node_beat_turn(n);
	if (n->due_ms > now)
		return;
	switch (n->state) {
	case NODE_WAITING:
		if (n->set->s.config->sentinel_master != NULL)
			node_sentinel_ask(n);
		else
			node_connect(n);
		break;
	case NODE_ASKING:
		if (n->nwants == 0)
			ask_info(n);
		break;
	case NODE_CLAIMING:
		if (n->nwants == 0)
			node_claim_turn(n);
		break;
	case NODE_FENCING:
		if (n->nwants == 0)
			node_fence(n);
		break;
	case NODE_READY:
		node_event_turn(n);
		node_batch_turn(n);
		break;
	default:
		break;
	}
}
