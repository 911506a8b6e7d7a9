/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_rig.h -- what tests of the node room use: a key tree that is only a table, so
 * that every sum is known; redis-server processes of their own, on sockets in a folder
 * of their own; and a relay that holds bytes back. Longer than 800 lines: two programs
 * need all of it.
 */
#ifndef NODE_RIG_H
#define NODE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>

#include "cloud.h"
#include "log.h"
#include "node_int.h"

#define RIG_KEYS 300
#ifndef PATIENCE
#define PATIENCE 20000 /* ms until a test gives up */
#endif
#define UNUSED	 __attribute__((unused))

static struct event_base *base;
static char folder[64];

/*
 * The key tree: keys "k.<i>", hashes with a counter "n", a text "last" and, sometimes,
 * all other kinds of ops.
 */
struct rig_key {
	char name[24];
	int64_t delta, total; /* not taken yet; ever */
	uint64_t since_ms;
	uint64_t place; /* in the order of waiting; 0: does not wait */
	bool alive;	/* was written */
	bool rearmed;
	unsigned node;
};

struct cloud {
	struct rig_key key[RIG_KEYS];
	unsigned (*node_of)(void *arg, const char *name, size_t len);
	void *arg;
	uint64_t places;
	unsigned rearms, rearmed_all;
	bool all_kinds; /* one op of each kind is to be told of */
	unsigned fat;	/* HSETs of 200 bytes that come with each key */
};

static UNUSED void
cloud_init(struct cloud *c, struct nodes *nodes)
{
	unsigned i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < RIG_KEYS; i++) {
		struct rig_key *k = &c->key[i];

		snprintf(k->name, sizeof(k->name), "k.%u", i);
		k->node = nodes_of(nodes, k->name, strlen(k->name));
	}
}

static UNUSED void
cloud_touch(struct cloud *c, struct rig_key *k)
{
	if (k->place > 0)
		return;
	k->place = ++c->places;
	k->since_ms = node_now();
}

static UNUSED void
cloud_add(struct cloud *c, unsigned i, int64_t n)
{
	struct rig_key *k = &c->key[i % RIG_KEYS];

	k->delta += n;
	k->total += n;
	cloud_touch(c, k);
}

static struct rig_key *
first_waiting(const struct cloud *c, unsigned node)
{
	const struct rig_key *found = NULL, *k;

	for (k = c->key; k < c->key + RIG_KEYS; k++)
		if (k->node == node && k->place > 0 &&
		    (found == NULL || k->place < found->place))
			found = k;
	return (struct rig_key *)found;
}

uint64_t
cloud_waiting(const struct cloud *c, unsigned node)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < RIG_KEYS; i++)
		n += c->key[i].node == node && c->key[i].place > 0;
	return n;
}

uint64_t
cloud_waiting_most(const struct cloud *c, unsigned node)
{
	return cloud_waiting(c, node);
}

uint64_t
cloud_lag(const struct cloud *c, unsigned node)
{
	const struct rig_key *k = first_waiting(c, node);

	return k == NULL ? 0 : node_now() - k->since_ms;
}

static unsigned
tell_all_kinds(cloud_op_cb *cb, void *arg)
{
	static const struct cloud_op ops[] = {
#define KEY(name) .key = name, .key_len = sizeof(name) - 1
#define FIELD(name) .field = name, .field_len = sizeof(name) - 1
#define TEXT(value) .text = value, .len = sizeof(value) - 1
		{CLOUD_OP_HSET, KEY("kinds"), FIELD("a"), TEXT("x \r\n y")},
		{CLOUD_OP_HSET, KEY("kinds"), FIELD("b"), .number = -5},
		{CLOUD_OP_HSETNX, KEY("kinds"), FIELD("b"), .number = 7},
		{CLOUD_OP_HMIN, KEY("kinds"), FIELD("b"), .number = -4},
		{CLOUD_OP_HMIN, KEY("kinds"), FIELD("d"), .number = 9},
		{CLOUD_OP_HMIN, KEY("kinds"), FIELD("d"), .number = 8},
		{CLOUD_OP_HSET, KEY("kinds"), FIELD("c"), TEXT("")},
		{CLOUD_OP_HMIN, KEY("kinds"), FIELD("least"), .number = 1700000000},
		{CLOUD_OP_HMIN, KEY("kinds"), FIELD("least"), .number = 1600000000},
		{CLOUD_OP_HMIN, KEY("kinds"), FIELD("least"), .number = 1650000000},
		{CLOUD_OP_HDEL, KEY("kinds"), FIELD("a")},
		{CLOUD_OP_SET, KEY("user.ip.1"), TEXT("anna")},
		{CLOUD_OP_SET, KEY("user.ip.2"), TEXT("berta")},
		{CLOUD_OP_EXPIRE_IF, KEY("user.ip.1"), TEXT("anna"), .number = 60},
		{CLOUD_OP_EXPIRE_IF, KEY("user.ip.2"), TEXT("anna"), .number = 60},
		{CLOUD_OP_ZINCRBY, KEY("top"), FIELD("m"), .number = 41},
		{CLOUD_OP_ZINCRBY, KEY("top"), FIELD("m"), .number = 1},
		{CLOUD_OP_ZTRIM, KEY("top")},
		{CLOUD_OP_EXPIRE, KEY("top"), .number = 300},
		{CLOUD_OP_EXPIRE, KEY("kinds"), .number = 300},
		{CLOUD_OP_PERSIST, KEY("kinds")},
		{CLOUD_OP_SET, KEY("gone"), TEXT("1")},
		{CLOUD_OP_DEL, KEY("gone")},
	};
	unsigned i, n = sizeof(ops) / sizeof(ops[0]);

	for (i = 0; i < n; i++)
		cb(arg, &ops[i]);
	return n;
}

static void
tell(cloud_op_cb *cb, void *arg, const struct rig_key *k, enum cloud_op_kind kind,
    const char *field, const char *text, int64_t number)
{
	const struct cloud_op op = {.kind = kind,
		.key = k->name,
		.key_len = strlen(k->name),
		.field = field,
		.field_len = strlen(field),
		.text = text,
		.len = text != NULL ? strlen(text) : 0,
		.number = number,
		.alive = kind == CLOUD_OP_HINCRBY && k->alive};

	cb(arg, &op);
}

static unsigned
tell_fat(const struct cloud *c, cloud_op_cb *cb, void *arg, const struct rig_key *k)
{
	char field[16], text[201];
	unsigned i;

	memset(text, 'x', 200);
	text[200] = '\0';
	for (i = 0; i < c->fat; i++) {
		snprintf(field, sizeof(field), "f%u", i);
		tell(cb, arg, k, CLOUD_OP_HSET, field, text, 0);
	}
	return c->fat;
}

unsigned
cloud_take(struct cloud *c, unsigned node, unsigned max_ops, cloud_op_cb *cb, void *arg)
{
	struct rig_key *k;
	unsigned n = 0;

	while (n < max_ops && (k = first_waiting(c, node)) != NULL) {
		if (c->all_kinds)
			n += tell_all_kinds(cb, arg);
		c->all_kinds = false;
		if (k->delta != 0) {
			tell(cb, arg, k, CLOUD_OP_HINCRBY, "n", NULL, k->delta);
			n++;
		}
		if (!k->alive || k->rearmed) {
			tell(cb, arg, k, CLOUD_OP_HSET, "name", k->name, 0);
			tell(cb, arg, k, CLOUD_OP_EXPIRE, "", NULL, 1000);
			n += 2;
		}
		n += tell_fat(c, cb, arg, k);
		k->alive = true;
		k->rearmed = false;
		k->delta = 0;
		k->place = 0;
	}
	return n;
}

void
cloud_rearm(struct cloud *c, const char *name, size_t len)
{
	struct rig_key *k;

	for (k = c->key; k < c->key + RIG_KEYS; k++)
		if (strlen(k->name) == len && memcmp(k->name, name, len) == 0)
			break;
	assert_true(k < c->key + RIG_KEYS);
	c->rearms++;
	k->rearmed = true;
	cloud_touch(c, k);
}

void
cloud_rearm_all(struct cloud *c, unsigned node)
{
	unsigned i;

	c->rearmed_all++;
	for (i = 0; i < RIG_KEYS; i++)
		if (c->key[i].node == node && c->key[i].alive) {
			c->key[i].rearmed = true;
			cloud_touch(c, &c->key[i]);
		}
}

/*
 * Redis servers
 */
struct server {
	char name[16], path[96]; /* its socket, */
	char dir[80];		 /* its folder */
	int port;		 /* 0: none */
	const char *argv[40];
	pid_t pid;
	redisContext *c; /* the test's own connection */
};

static UNUSED int
free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

/* With another 10000 above it, for the bus of a cluster. */
static UNUSED int
free_cluster_port(void)
{
	int port;

	do
		port = free_port();
	while (port > 55535);
	return port;
}

static void
server_exec(struct server *s)
{
	char log[96];
	int fd;

	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(log, sizeof(log), "%s/%s.log", folder, s->name);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	execvp(s->argv[0], (char *const *)s->argv);
	_exit(127);
}

/* Wait until it answers; then the test's connection is there. */
static UNUSED void
server_wait(struct server *s)
{
	unsigned tries;

	for (tries = 0; tries < 2000; tries++) {
		redisReply *r = NULL;
		bool ready;

		s->c = redisConnectUnix(s->path);
		if (s->c != NULL && s->c->err == 0)
			r = redisCommand(s->c, "PING");
		/* or it wants a password first */
		ready = r != NULL && (r->type != REDIS_REPLY_ERROR ||
					 strncmp(r->str, "NOAUTH", 6) == 0);
		freeReplyObject(r);
		if (ready)
			return;
		if (s->c != NULL)
			redisFree(s->c);
		s->c = NULL;
		usleep(10000);
	}
	fail_msg("redis-server does not answer");
}

/* Options are pairs as on its command line, ended by NULL; borrowed until the end. */
static UNUSED void
server_start(struct server *s, const char *name, int port, ...)
{
	static char ports[8][8];
	static unsigned next;
	char *text = ports[next++ % 8];
	unsigned n = 1;
	const char *word;
	va_list ap;

	memset(s, 0, sizeof(*s));
	s->argv[0] = "redis-server";
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->path, sizeof(s->path), "%s/%s.sock", folder, name);
	snprintf(s->dir, sizeof(s->dir), "%s/%s", folder, name);
	mkdir(s->dir, 0700);
	s->port = port;
	snprintf(text, 8, "%d", port);
	s->argv[n++] = "--port";
	s->argv[n++] = text;
	s->argv[n++] = "--bind";
	s->argv[n++] = "127.0.0.1";
	s->argv[n++] = "--unixsocket";
	s->argv[n++] = s->path;
	s->argv[n++] = "--dir";
	s->argv[n++] = s->dir;
	s->argv[n++] = "--save";
	s->argv[n++] = "";
	va_start(ap, port);
	while ((word = va_arg(ap, const char *)) != NULL && n < 39)
		s->argv[n++] = word;
	va_end(ap);
	server_exec(s);
	server_wait(s);
}

static UNUSED void
server_kill(struct server *s)
{
	if (s->c != NULL)
		redisFree(s->c);
	s->c = NULL;
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static UNUSED void
server_again(struct server *s)
{
	server_exec(s);
	server_wait(s);
}

/* Ask it; to be freed. Never an error. */
static UNUSED redisReply *
ask(struct server *s, const char *fmt, ...)
{
	redisReply *r;
	va_list ap;

	va_start(ap, fmt);
	r = redisvCommand(s->c, fmt, ap);
	va_end(ap);
	assert_non_null(r);
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", fmt, r->str);
	return r;
}

static UNUSED long long
ask_number(struct server *s, const char *fmt, ...)
{
	long long n = 0;
	redisReply *r;
	va_list ap;

	va_start(ap, fmt);
	r = redisvCommand(s->c, fmt, ap);
	va_end(ap);
	assert_non_null(r);
	if (r->type == REDIS_REPLY_INTEGER)
		n = r->integer;
	else if (r->type == REDIS_REPLY_STRING)
		n = atoll(r->str);
	freeReplyObject(r);
	return n;
}

/* Its answer is this text; NULL: none. */
static UNUSED void
assert_answer(struct server *s, const char *expected, const char *fmt, ...)
{
	redisReply *r;
	va_list ap;

	va_start(ap, fmt);
	r = redisvCommand(s->c, fmt, ap);
	va_end(ap);
	assert_non_null(r);
	if (expected == NULL) {
		assert_int_equal(r->type, REDIS_REPLY_NIL);
	} else {
		if (r->str == NULL)
			fail_msg("%s: no text", fmt);
		assert_string_equal(r->str, expected);
	}
	freeReplyObject(r);
}

#define tell_server(s, ...) freeReplyObject(ask(s, __VA_ARGS__))

/*
 * Probes: a set of nodes each, with all around it.
 */
struct probe {
	struct config config;
	struct redis_address address[4];
	char text[4][128];
	struct counters counters;
	struct cloud cloud;
	struct nodes *nodes;
	unsigned beats; /* heartbeats it was asked for */
	struct watch *watch;
	unsigned watched; /* times its lists may have changed */
};

static UNUSED void
probe_watched(void *arg)
{
	((struct probe *)arg)->watched++;
}

static UNUSED void
probe_beat(void *arg, void (*put)(void *to, const char *field, const char *value),
    void *to)
{
	struct probe *p = arg;

	p->beats++;
	put(to, "interface", "rig0");
}

static UNUSED void
probe_command(void *arg, const char *request, size_t len, struct respbuf *reply)
{
	(void)arg;
	resp_bytes(reply, "you said ", 9);
	resp_bytes(reply, request, len);
}

/* Where to: "unix:PATH", or "HOST:PORT". */
static UNUSED void
probe_node(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
probe_node(struct probe *p, const char *fmt, ...)
{
	unsigned n = p->config.redis.n++;
	struct redis_address *a = &p->address[n];
	va_list ap;
	char *colon;

	va_start(ap, fmt);
	vsnprintf(p->text[n], sizeof(p->text[n]), fmt, ap);
	va_end(ap);
	memset(a, 0, sizeof(*a));
	a->text = strdup(p->text[n]);
	if (strncmp(p->text[n], "unix:", 5) == 0) {
		a->path = p->text[n] + 5;
	} else {
		colon = strrchr(p->text[n], ':');
		*colon = '\0';
		a->host = p->text[n];
		a->port = atoi(colon + 1);
	}
	p->config.redis.v = p->address;
}

static UNUSED void
probe_init(struct probe *p, const char *id)
{
	memset(p, 0, sizeof(*p));
	p->config.probe_id = (char *)id;
}

static UNUSED struct nodes *
probe_try(struct probe *p, char *err, size_t errlen)
{
	const struct nodes_setup setup = {&p->config, base, &p->counters, probe_beat,
		probe_command, p->watch, probe_watched, p};

	return nodes_new(&setup, err, errlen);
}

/* Make it, with times that suit tests; nodes_start() is the test's. */
static UNUSED void
probe_make(struct probe *p)
{
	char err[256] = "";
	struct node_times *t;

	p->nodes = probe_try(p, err, sizeof(err));
	if (p->nodes == NULL)
		fail_msg("%s", err);
	cloud_init(&p->cloud, p->nodes);
	nodes_cloud(p->nodes, &p->cloud);
	t = nodes_times(p->nodes);
	t->tick = 5;
	t->connect = 1000;
	t->ack = 1000;
	t->retry_min = 10;
	t->retry_max = 100;
	t->window = 10;
	t->beat = 200;
	t->look = 20;
	t->loading = 20;
	t->replica = 50;
	t->full_min = 20;
	t->full_max = 100;
	t->rights = 150;
}

static UNUSED void
probe_start(struct probe *p)
{
	probe_make(p);
	assert_int_equal(nodes_start(p->nodes), 0);
}

static UNUSED void
probe_free(struct probe *p)
{
	unsigned i;

	nodes_free(p->nodes);
	p->nodes = NULL;
	for (i = 0; i < p->config.redis.n; i++)
		free(p->address[i].text);
}

static UNUSED bool
ready(const struct probe *p)
{
	unsigned i;

	for (i = 0; i < p->nodes->n; i++)
		if (p->nodes->v[i].state != NODE_READY || !p->nodes->v[i].up)
			return false;
	return true;
}

static UNUSED bool
idle(const struct probe *p)
{
	unsigned i;

	for (i = 0; i < p->nodes->n; i++)
		if (!node_idle(&p->nodes->v[i]))
			return false;
	return true;
}

#define C(p, name) ((p)->counters.v[COUNTER_##name])

/* Run the loop until CONDITION is true. */
#define RUN_UNTIL(condition)                                                            \
	do {                                                                            \
		uint64_t rig_end_ = node_now() + PATIENCE;                              \
		while (!(condition)) {                                                  \
			if (node_now() > rig_end_)                                      \
				fail_msg("in vain: %s", #condition);                    \
			event_base_loop(base, EVLOOP_ONCE);                             \
		}                                                                       \
	} while (0)

static UNUSED void
run_ms(unsigned ms)
{
	uint64_t end = node_now() + ms;

	RUN_UNTIL(node_now() >= end);
}

/* Drain, and wait for it. */
static UNUSED void
probe_drain(struct probe *p)
{
	nodes_drain(p->nodes);
	RUN_UNTIL(nodes_settled(p->nodes));
}

/* The servers have what the probes told of, once: N of each. */
static UNUSED void
assert_sums(struct probe *const *probes, unsigned np, struct server *const *servers,
    unsigned ns)
{
	unsigned i, j;

	for (i = 0; i < RIG_KEYS; i++) {
		long long sum = 0, expected = 0;

		for (j = 0; j < np; j++)
			expected += probes[j]->cloud.key[i].total;
		for (j = 0; j < ns; j++)
			sum += ask_number(servers[j], "HGET k.%u n", i);
		if (sum != expected)
			fail_msg("k.%u: %lld instead of %lld", i, sum, expected);
	}
}

static UNUSED void
assert_exact(struct probe *p, struct server *s)
{
	assert_sums(&p, 1, &s, 1);
}

/*
 * A relay to a server's socket, on one of its own.
 */
struct link {
	struct relay *relay;
	struct bufferevent *near, *far;
	struct evbuffer *held; /* NULL: bytes pass */
	bool deaf;	       /* what the server says is thrown away */
	bool gone;	       /* the near end was closed */
	struct link *next;
};

struct relay {
	char path[96];
	const char *to;
	struct evconnlistener *listener;
	struct link *links;
	unsigned count;
	const char *trap; /* a text; the next link that says it is caught */
	void (*catch)(struct link *);
	struct link *caught;
};

static void
link_pass(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	const char *trap = l->relay->trap;

	if (bev == l->far) {
		if (l->deaf || l->near == NULL)
			evbuffer_drain(in, evbuffer_get_length(in));
		else
			bufferevent_write_buffer(l->near, in);
		return;
	}
	if (trap != NULL && evbuffer_search(in, trap, strlen(trap), NULL).pos >= 0) {
		l->relay->trap = NULL;
		l->relay->caught = l;
		l->relay->catch(l);
	}
	if (l->held != NULL)
		evbuffer_add_buffer(l->held, in);
	else if (l->far != NULL)
		bufferevent_write_buffer(l->far, in);
}

static UNUSED void
link_hold(struct link *l)
{
	l->held = evbuffer_new();
}

static UNUSED void
link_deafen(struct link *l)
{
	l->deaf = true;
}

static void
link_end(struct bufferevent **bev)
{
	if (*bev != NULL)
		bufferevent_free(*bev);
	*bev = NULL;
}

/* Let go what was held, though its sender may be gone. */
static UNUSED void
link_release(struct link *l)
{
	struct evbuffer *held = l->held;

	l->held = NULL;
	bufferevent_write_buffer(l->far, held);
	evbuffer_free(held);
}

static void
link_event(struct bufferevent *bev, short what, void *arg)
{
	struct link *l = arg;

	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	if (bev == l->near) {
		link_end(&l->near);
		l->gone = true;
		if (l->held == NULL)
			link_end(&l->far);
	} else {
		link_end(&l->far);
		link_end(&l->near);
	}
}

static void
relay_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	struct relay *r = arg;
	struct link *l = calloc(1, sizeof(*l));
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	(void)listener;
	(void)sa;
	(void)len;
	l->relay = r;
	l->next = r->links;
	r->links = l;
	r->count++;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", r->to);
	l->near = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	l->far = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(l->near, link_pass, NULL, link_event, l);
	bufferevent_setcb(l->far, link_pass, NULL, link_event, l);
	bufferevent_socket_connect(l->far, (struct sockaddr *)&to, sizeof(to));
	bufferevent_enable(l->near, EV_READ | EV_WRITE);
	bufferevent_enable(l->far, EV_READ | EV_WRITE);
}

static UNUSED void
relay_start(struct relay *r, const char *to)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	memset(r, 0, sizeof(*r));
	r->to = to;
	snprintf(r->path, sizeof(r->path), "%s/relay.sock", folder);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", r->path);
	unlink(r->path);
	r->listener = evconnlistener_new_bind(base, relay_accept, r,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, (struct sockaddr *)&sun,
	    sizeof(sun));
	assert_non_null(r->listener);
}

static UNUSED void
relay_end(struct relay *r)
{
	struct link *l;

	evconnlistener_free(r->listener);
	while ((l = r->links) != NULL) {
		r->links = l->next;
		link_end(&l->near);
		link_end(&l->far);
		if (l->held != NULL)
			evbuffer_free(l->held);
		free(l);
	}
}

/*
 * A server that says what the test wants: each line of a script is an answer to a
 * command, in order, on every connection; after the last line it is silent.
 */
struct actor {
	char path[96];
	struct evconnlistener *listener;
	struct bufferevent *bev[64];
	const char *greeting; /* said at once, NULL: nothing */
	const char *(*answer)(void *arg, const char *command, size_t len);
	void *arg;
	unsigned count;
};

/* The length of the first whole command in P, 0: there is none. */
static size_t
command_length(const char *p, size_t len)
{
	const char *q = p, *end = p + len, *nl;
	long words, bytes;

	nl = memchr(q, '\n', (size_t)(end - q));
	if (nl == NULL)
		return 0;
	for (words = atol(q + 1), q = nl + 1; words > 0; words--) {
		nl = memchr(q, '\n', (size_t)(end - q));
		if (nl == NULL)
			return 0;
		bytes = atol(q + 1);
		if (end - (nl + 1) < bytes + 2)
			return 0;
		q = nl + 1 + bytes + 2;
	}
	return (size_t)(q - p);
}

static void
actor_read(struct bufferevent *bev, void *arg)
{
	struct actor *a = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	const char *p, *text;
	size_t len;

	while (evbuffer_get_length(in) > 0) {
		p = (const char *)evbuffer_pullup(in, -1);
		len = command_length(p, evbuffer_get_length(in));
		if (len == 0)
			return;
		text = a->answer(a->arg, p, len);
		if (text != NULL)
			bufferevent_write(bev, text, strlen(text));
		evbuffer_drain(in, len);
	}
}

static void
actor_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	struct actor *a = arg;
	struct bufferevent *bev;

	(void)listener;
	(void)sa;
	(void)len;
	if (a->count == 64) {
		close(fd);
		return;
	}
	bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	a->bev[a->count++] = bev;
	bufferevent_setcb(bev, actor_read, NULL, NULL, a);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	if (a->greeting != NULL)
		bufferevent_write(bev, a->greeting, strlen(a->greeting));
}

static UNUSED void
actor_start(struct actor *a, const char *name,
    const char *(*answer)(void *arg, const char *command, size_t len), void *arg)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	memset(a, 0, sizeof(*a));
	a->answer = answer;
	a->arg = arg;
	snprintf(a->path, sizeof(a->path), "%s/%s.sock", folder, name);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", a->path);
	unlink(a->path);
	a->listener = evconnlistener_new_bind(base, actor_accept, a,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, (struct sockaddr *)&sun,
	    sizeof(sun));
	assert_non_null(a->listener);
}

static UNUSED void
actor_end(struct actor *a)
{
	unsigned i;

	evconnlistener_free(a->listener);
	for (i = 0; i < a->count; i++)
		bufferevent_free(a->bev[i]);
}

/*
 * Around each test
 */
static struct server servers[4];

static UNUSED int
rig_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(folder, sizeof(folder), "/tmp/mcprobe-node-XXXXXX");
	base = event_base_new();
	return mkdtemp(folder) == NULL || base == NULL;
}

static UNUSED int
rig_down(void **state)
{
	char command[128];
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++)
		server_kill(&servers[i]);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) != 0;
}

/* Without redis-server the tests say so and pass. */
static UNUSED bool
rig_possible(void)
{
	if (system("command -v redis-server >/dev/null 2>&1") == 0)
		return true;
	printf("skipped: redis-server is not installed\n");
	return false;
}

#endif
