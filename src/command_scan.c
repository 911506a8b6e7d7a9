/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_scan.c -- names that match a pattern: KEYS all at once, SCAN piece by piece. The
 * tree is walked by prefix, in order, so a look costs what it matches; then the workers are
 * asked for the names of live flows, page by page.
 *
 * KEYS takes turns of 2 ms with the rest of the loop, gathers names (64 MB at most, 128 MB
 * for all clients together), and writes them only as fast as the client reads.
 *
 * A cursor of SCAN is a number that stands for a name, or for a position among the flows,
 * to go on after. There are CURSORS of them, the least recently used goes; each also knows
 * the step before, for a client that has to ask again.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "clock.h"
#include "command_int.h"

#define TURN_US	     2000
#define TURN_NAMES   5000
#define TURN_CHECK   64 /* names between two looks at the clock */
#define NAMES_MAX    (64 << 20) /* bytes of one answer */
#define NAMES_ALL    (128 << 20) /* and of all that are being made */
#define OUTPUT_MAX   (1 << 20) /* bytes waiting for a client: then KEYS waits too */
#define OUTPUT_MS    10
#define CURSORS	     4096
#define CURSOR_BITS  12
#define CURSOR_STEPS ((1ULL << (53 - CURSOR_BITS)) - 1) /* a number JavaScript can hold */
#define COUNT_DEFAULT 10
#define COUNT_MAX    1000

/*
 * Patterns
 */
struct pattern {
	char text[GLOB_MAX];
	size_t len;
	char prefix[GLOB_MAX];
	size_t prefix_len;
	bool exact; /* nothing but PREFIX */
	bool flows; /* a flow's name could match */
};

static void
pattern_set(struct pattern *p, const char *text, size_t len)
{
	const size_t flen = sizeof(COMMAND_FLOW_PREFIX) - 1;

	memcpy(p->text, text, len);
	p->len = len;
	p->prefix_len = glob_prefix(text, len, p->prefix, &p->exact);
	p->flows = memcmp(p->prefix, COMMAND_FLOW_PREFIX,
		       p->prefix_len < flen ? p->prefix_len : flen) == 0;
}

static bool
pattern_fits(const struct pattern *p, const char *name, size_t len)
{
	return glob_match(p->text, p->len, name, len);
}

/*
 * Names, gathered: two bytes of length, then the name.
 */
struct names {
	size_t *all; /* what all answers take: struct commands has it */
	char *buf; /* owned */
	size_t len, cap;
	uint64_t n;
};

static bool
names_add(struct names *to, const char *name, size_t len)
{
	uint16_t head = (uint16_t)len;
	size_t cap = to->cap > 0 ? to->cap : 4096;
	char *buf;

	if (to->len + sizeof(head) + len > NAMES_MAX)
		return false;
	while (cap - to->len < sizeof(head) + len)
		cap *= 2;
	if (cap > to->cap) {
		if (*to->all + (cap - to->cap) > NAMES_ALL)
			return false;
		buf = realloc(to->buf, cap);
		if (buf == NULL)
			return false;
		*to->all += cap - to->cap;
		to->buf = buf;
		to->cap = cap;
	}
	memcpy(to->buf + to->len, &head, sizeof(head));
	memcpy(to->buf + to->len + sizeof(head), name, len);
	to->len += sizeof(head) + len;
	to->n++;
	return true;
}

static void
names_clear(struct names *n)
{
	*n->all -= n->cap;
	free(n->buf);
}

/* The name at *AT, which moves to the next. */
static const char *
names_next(const struct names *from, size_t *at, size_t *len)
{
	const char *name = from->buf + *at + sizeof(uint16_t);
	uint16_t head;

	memcpy(&head, from->buf + *at, sizeof(head));
	*len = head;
	*at += sizeof(head) + head;
	return name;
}

/*
 * A walk through the tree, as far as it has come.
 */
struct walk {
	char after[KEYNAME_MAX];
	size_t after_len;
	bool begun;
};

static const struct cloud_key *
walk_next(struct walk *w, const struct cloud *cloud, const struct pattern *p)
{
	const struct cloud_key *key;
	const char *name;
	size_t len;

	key = cloud_next(cloud, p->prefix, p->prefix_len, w->begun ? w->after : NULL,
	    w->begun ? w->after_len : 0);
	if (key == NULL)
		return NULL;
	name = cloud_key_name(key, &len);
	if (len > sizeof(w->after))
		abort(); /* names are bounded where they are made */
	memcpy(w->after, name, len);
	w->after_len = len;
	w->begun = true;
	return key;
}

/* A budget of names and time. */
struct turn {
	uint64_t until_us;
	unsigned n;
};

static void
turn_begin(struct turn *t)
{
	t->until_us = clock_us(CLOCK_MONOTONIC) + TURN_US;
	t->n = 0;
}

static bool
turn_over(struct turn *t)
{
	t->n++;
	return t->n >= TURN_NAMES ||
	    (t->n % TURN_CHECK == 0 && clock_us(CLOCK_MONOTONIC) >= t->until_us);
}

static bool
add_flows(struct names *to, const struct pattern *p, const struct alive_name *names,
    unsigned n)
{
	char name[KEYNAME_FLOW];
	size_t len;

	for (unsigned i = 0; i < n; i++) {
		len = keyname_flow(name, &names[i].key, names[i].client);
		if (pattern_fits(p, name, len) && !names_add(to, name, len))
			return false;
	}
	return true;
}

/*
 * KEYS
 */
enum keys_step {
	KEYS_TREE,
	KEYS_FLOWS,
	KEYS_HEAD,
	KEYS_WRITE,
};

struct keys_job {
	struct job job;
	enum keys_step step;
	struct pattern pattern;
	struct walk walk;
	struct names names;
	size_t written; /* bytes of NAMES */
};

static void
keys_too_many(struct keys_job *k)
{
	reply_error(k->job.client, "ERR too many names match; use SCAN");
	job_end(&k->job);
}

/* False: not yet. */
static bool
keys_tree(struct keys_job *k)
{
	struct turn turn;
	const struct cloud_key *key;
	const char *name;
	size_t len;

	turn_begin(&turn);
	while ((key = walk_next(&k->walk, k->job.c->setup.cloud, &k->pattern)) != NULL) {
		name = cloud_key_name(key, &len);
		if (pattern_fits(&k->pattern, name, len) &&
		    !names_add(&k->names, name, len)) {
			keys_too_many(k);
			return false;
		}
		if (turn_over(&turn)) {
			job_again(&k->job, 0);
			return false;
		}
	}
	return true;
}

static void
keys_write(struct keys_job *k)
{
	struct client *client = k->job.client;
	struct turn turn;
	const char *name;
	size_t len;

	turn_begin(&turn);
	while (k->written < k->names.len) {
		if (reply_waiting(client) > OUTPUT_MAX) {
			job_again(&k->job, OUTPUT_MS);
			return;
		}
		name = names_next(&k->names, &k->written, &len);
		reply_bulk(client, name, len);
		if (turn_over(&turn) && k->written < k->names.len) {
			job_again(&k->job, 0);
			return;
		}
	}
	job_end(&k->job);
}

static void
keys_turn(struct job *j)
{
	struct keys_job *k = (struct keys_job *)j;

	if (k->step == KEYS_TREE) {
		if (!keys_tree(k))
			return;
		k->step = k->pattern.flows && alive_count(j->c->setup.alive) > 0
		    ? KEYS_FLOWS
		    : KEYS_HEAD;
	}
	if (k->step == KEYS_FLOWS) {
		job_page(j, 0);
		return;
	}
	if (k->step == KEYS_HEAD) {
		reply_array(j->client, k->names.n);
		k->step = KEYS_WRITE;
	}
	keys_write(k);
}

static void
keys_paged(struct job *j, const struct alive_name *names, unsigned n, uint64_t next)
{
	struct keys_job *k = (struct keys_job *)j;

	if (!add_flows(&k->names, &k->pattern, names, n)) {
		keys_too_many(k);
	} else if (next == 0) {
		k->step = KEYS_HEAD;
		keys_turn(j);
	} else {
		job_page(j, next);
	}
}

static void
keys_clear(struct job *j)
{
	names_clear(&((struct keys_job *)j)->names);
}

/* An exact pattern: is there such a flow? */
static void
keys_found(struct job *j, const struct alive_flow *flow)
{
	struct keys_job *k = (struct keys_job *)j;
	char name[KEYNAME_FLOW];
	size_t len;

	if (flow != NULL) {
		len = keyname_flow(name, &flow->flow.key, flow_client(&flow->flow));
		if (pattern_fits(&k->pattern, name, len) &&
		    !names_add(&k->names, name, len)) {
			keys_too_many(k);
			return;
		}
	}
	k->step = KEYS_HEAD;
	keys_turn(j);
}

static const struct job_ops keys_ops = {
    .turn = keys_turn,
    .paged = keys_paged,
    .clear = keys_clear,
};

static void
keys_exact_turn(struct job *j)
{
	struct keys_job *k = (struct keys_job *)j;
	const struct resp_arg name = {k->pattern.prefix, k->pattern.prefix_len};
	struct flowkey key;

	if (k->step != KEYS_TREE) {
		keys_turn(j);
		return;
	}
	k->step = KEYS_HEAD;
	if (cloud_find(j->c->setup.cloud, name.p, name.len) != NULL) {
		if (!names_add(&k->names, name.p, name.len))
			keys_too_many(k);
		else
			keys_turn(j);
	} else if (!is_flow_name(&name, &key)) {
		keys_turn(j);
	} else {
		job_find(j, &key);
	}
}

static const struct job_ops keys_exact_ops = {
    .turn = keys_exact_turn,
    .found = keys_found,
    .clear = keys_clear,
};

void
cmd_keys(struct call *call)
{
	const struct resp_arg *a = &call->argv[1];
	struct keys_job *k;
	struct pattern p;

	if (!arg_pattern(call, a))
		return;
	pattern_set(&p, a->p, a->len);
	k = job_new(call, p.exact ? &keys_exact_ops : &keys_ops, sizeof(*k));
	if (k == NULL)
		return;
	k->pattern = p;
	k->names.all = &call->c->gathered;
	job_start(&k->job);
}

/*
 * Cursors
 */

/* Where a scan stands: after a name of the tree, or at a position among the flows. */
struct place {
	uint64_t id; /* the cursor's number, 0: none */
	bool flows;
	uint64_t position;
	struct walk walk;
};

struct cursor {
	TAILQ_ENTRY(cursor) link;
	struct place now, before;
};

struct cursors {
	TAILQ_HEAD(, cursor) used; /* the least recently used first */
	uint64_t steps;
	struct cursor v[CURSORS];
};

struct cursors *
cursors_new(void)
{
	struct cursors *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	TAILQ_INIT(&c->used);
	for (unsigned i = 0; i < CURSORS; i++)
		TAILQ_INSERT_TAIL(&c->used, &c->v[i], link);
	return c;
}

void
cursors_free(struct cursors *c)
{
	free(c);
}

/* Its slot is in the low bits. *OLD: the number is that of the step before. */
static struct cursor *
cursors_find(struct cursors *c, uint64_t id, bool *old)
{
	struct cursor *found = &c->v[id % CURSORS];

	*old = found->before.id == id;
	return found->now.id == id || *old ? found : NULL;
}

/*
 * Keep PLACE and give it a number. GOES_ON: the cursor the client came with, NULL: it
 * begins.
 */
static uint64_t
cursors_keep(struct cursors *c, struct cursor *goes_on, const struct place *place)
{
	struct cursor *to = goes_on;

	if (to == NULL) {
		to = TAILQ_FIRST(&c->used);
		to->now.id = 0;
	}
	TAILQ_REMOVE(&c->used, to, link);
	TAILQ_INSERT_TAIL(&c->used, to, link);
	to->before = to->now;
	to->now = *place;
	c->steps = c->steps % CURSOR_STEPS + 1;
	to->now.id = c->steps << CURSOR_BITS | (uint64_t)(to - c->v);
	return to->now.id;
}

/*
 * SCAN
 */
struct scan_job {
	struct job job;
	struct pattern pattern;
	struct names names;
	struct place place;
	uint64_t asked; /* the cursor the client came with */
	unsigned count;
	int type; /* enum cloud_type, -1: any, -2: one that no key has */
};

static void
scan_reply(struct scan_job *s, bool more)
{
	struct commands *c = s->job.c;
	struct client *client = s->job.client;
	struct cursor *from = NULL;
	char number[24];
	bool old = false;
	size_t at = 0, len;
	const char *name;

	if (more && s->asked != 0)
		from = cursors_find(c->cursors, s->asked, &old);
	if (from != NULL && old)
		from->now = from->before; /* asked again: the step from there */
	snprintf(number, sizeof(number), "%llu",
	    (unsigned long long)(more ? cursors_keep(c->cursors, from, &s->place) : 0));
	reply_array(client, 2);
	reply_bulk_text(client, number);
	reply_array(client, s->names.n);
	while (at < s->names.len) {
		name = names_next(&s->names, &at, &len);
		reply_bulk(client, name, len);
	}
	job_end(&s->job);
}

static void
scan_no_memory(struct scan_job *s)
{
	reply_error(s->job.client, "ERR out of memory");
	job_end(&s->job);
}

/* True: answered, or failed. */
static bool
scan_tree(struct scan_job *s)
{
	const struct cloud_key *key;
	const char *name;
	unsigned looked = 0;
	size_t len;

	while (s->names.n < s->count) {
		key = walk_next(&s->place.walk, s->job.c->setup.cloud, &s->pattern);
		if (key == NULL)
			return false;
		name = cloud_key_name(key, &len);
		if ((s->type == -1 || (int)cloud_key_type(key) == s->type) &&
		    pattern_fits(&s->pattern, name, len) &&
		    !names_add(&s->names, name, len)) {
			scan_no_memory(s);
			return true;
		}
		if (++looked >= TURN_NAMES)
			break;
	}
	scan_reply(s, true);
	return true;
}

static void
scan_turn(struct job *j)
{
	struct scan_job *s = (struct scan_job *)j;
	bool flows = s->pattern.flows && (s->type == -1 || s->type == CLOUD_HASH) &&
	    alive_count(j->c->setup.alive) > 0;

	if (!s->place.flows) {
		if (scan_tree(s))
			return;
		s->place.flows = true;
		s->place.position = 0;
	}
	if (!flows || s->names.n > 0) {
		scan_reply(s, flows);
		return;
	}
	job_page(j, s->place.position);
}

/* A page is never cut: more than COUNT may come, as with Redis. */
static void
scan_paged(struct job *j, const struct alive_name *names, unsigned n, uint64_t next)
{
	struct scan_job *s = (struct scan_job *)j;

	if (!add_flows(&s->names, &s->pattern, names, n)) {
		scan_no_memory(s);
		return;
	}
	s->place.position = next;
	scan_reply(s, next != 0);
}

static void
scan_clear(struct job *j)
{
	names_clear(&((struct scan_job *)j)->names);
}

static const struct job_ops scan_ops = {
    .turn = scan_turn,
    .paged = scan_paged,
    .clear = scan_clear,
};

static bool
read_cursor(struct call *call, const struct resp_arg *arg, uint64_t *id)
{
	char text[24], *end;

	if (arg->len > 0 && arg->len < sizeof(text) && arg->p[0] >= '0' &&
	    arg->p[0] <= '9') {
		memcpy(text, arg->p, arg->len);
		text[arg->len] = '\0';
		errno = 0;
		*id = strtoull(text, &end, 10);
		if (errno == 0 && *end == '\0' && end == text + arg->len)
			return true;
	}
	reply_error(call->client, "ERR invalid cursor");
	return false;
}

static int
read_type(const struct resp_arg *arg)
{
	if (arg_is(arg, "string"))
		return CLOUD_STRING;
	if (arg_is(arg, "hash"))
		return CLOUD_HASH;
	return arg_is(arg, "zset") ? CLOUD_ZSET : -2;
}

/* MATCH and COUNT, and TYPE where the call may have it. False: the client was told. */
static bool
read_options(struct call *call, unsigned i, const struct resp_arg **match, int64_t *count,
    int *type)
{
	for (; i < call->argc; i += 2) {
		const struct resp_arg *what = &call->argv[i];

		if (i + 1 < call->argc && arg_is(what, "match")) {
			if (!arg_pattern(call, what + 1))
				return false;
			*match = what + 1;
		} else if (i + 1 < call->argc && arg_is(what, "count")) {
			if (!arg_number(call, i + 1, count))
				return false;
			if (*count < 1) {
				reply_syntax(call);
				return false;
			}
		} else if (i + 1 < call->argc && type != NULL && arg_is(what, "type")) {
			*type = read_type(what + 1);
		} else {
			reply_syntax(call);
			return false;
		}
	}
	return true;
}

bool
scan_options(struct call *call, const struct resp_arg **match)
{
	int64_t count = COUNT_DEFAULT;
	uint64_t id;

	*match = NULL;
	return read_cursor(call, &call->argv[2], &id) &&
	    read_options(call, 3, match, &count, NULL);
}

static void
reply_scanned(struct call *call)
{
	reply_array(call->client, 2);
	reply_bulk_text(call->client, "0");
	reply_array(call->client, 0);
}

void
cmd_scan(struct call *call)
{
	const struct resp_arg *match = NULL;
	const struct cursor *from = NULL;
	struct scan_job *s;
	int64_t count = COUNT_DEFAULT;
	uint64_t id;
	int type = -1;
	bool old = false;

	if (!read_cursor(call, &call->argv[1], &id) ||
	    !read_options(call, 2, &match, &count, &type))
		return;
	if (id != 0 && (from = cursors_find(call->c->cursors, id, &old)) == NULL) {
		if (call->c->setup.own != NULL)
			counter_inc(call->c->setup.own, COUNTER_RESP_CURSORS_LOST);
		reply_scanned(call);
		return;
	}
	if (type == -2) {
		reply_scanned(call);
		return;
	}
	s = job_new(call, &scan_ops, sizeof(*s));
	if (s == NULL)
		return;
	if (match != NULL)
		pattern_set(&s->pattern, match->p, match->len);
	else
		pattern_set(&s->pattern, "*", 1);
	if (from != NULL)
		s->place = old ? from->before : from->now;
	s->names.all = &call->c->gathered;
	s->asked = id;
	s->count = count < COUNT_MAX ? (unsigned)count : COUNT_MAX;
	s->type = type;
	job_start(&s->job);
}
