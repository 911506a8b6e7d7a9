/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader_link.c -- the thread that talks to the nodes. One connection per node, one
 * poll() for all of them: what waits is sent at once, however much is unanswered, and a
 * node that hangs holds up nobody but those who ask it. AUTH, SELECT and ROLE go out in
 * front of the first lookups, in the same write.
 *
 * A lookup has until its deadline. When the oldest one of a connection passes it, when
 * the connection breaks or says something odd, all of its lookups are answered
 * "unknown" and it is made anew later; lookups that come before that are answered so at
 * once.
 *
 * Only names are looked up blocking: of hosts by the resolver, of the master by its
 * sentinels, who have the same time as a node. With sentinels there is but one node.
 *
 * RESP2 only, and nothing but what both hiredis 0.14 and 1.x have.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "clock.h"
#include "config.h"
#include "log.h"
#include "reader_int.h"
#include "tls.h"

#define DELAY_MIN_MS	 100
#define DELAY_MAX_MS	 5000
#define DELAY_REFUSED_MS 30000 /* a password that is wrong stays wrong */
#define USER_TIMEOUT_MS	 5000  /* unacknowledged for so long: dead */
#define ANSWER_MAX	 (1 << 20) /* bytes of one answer: longer ones are not read */
#define ELEMENTS_MAX	 1024  /* of an array, where hiredis knows a limit */

struct link {
	const struct redis_address *address; /* NULL: what the sentinels say */
	const char *name;		     /* for the log; borrowed */
	redisContext *c;		     /* NULL: no connection */
	struct tls_stream *tls;		     /* owned; over it; NULL: in the clear */
	struct lookups asked;		     /* in the order of their answers */
	unsigned greeting; /* answers to come before those: AUTH, SELECT, ROLE */
	bool writing;	   /* something was not written yet */
	bool good;	   /* this connection has answered */
	bool failed;	   /* logged, until an answer comes */
	bool grumbled;	   /* an error answer of this connection was logged */
	unsigned delay_ms; /* before the next try after a failure */
	uint64_t retry_ms; /* no try before */
};

struct links {
	const struct config *config;
	struct link *link; /* owned; N of them */
	unsigned n;
	struct pollfd *poll; /* owned; WAKE_FD's, then one per link */
	unsigned timeout_ms;
	unsigned sentinel; /* whose turn it is */
	char *password;	   /* owned; NULL: none */
	struct tls *tls;   /* owned; NULL: no node wants it */
	pthread_t thread;
	int wake_fd, back_fd; /* eventfds: something to ask, something came back */
	struct lookups done;  /* answered in this turn */
	pthread_mutex_t lock; /* of the rest */
	struct lookups todo, back;
	bool stop;
};

static uint64_t
now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

static void
ring(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one)); /* full: it rings anyway */

	(void)n;
}

static void
quiet(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;
}

static void
answer(struct links *l, struct lookup *k, enum lookup_result result)
{
	k->result = result;
	STAILQ_INSERT_TAIL(&l->done, k, next);
}

/* No try for DELAY_MS, and up to a half more: not all probes at once. */
static void
rest(struct link *link, unsigned delay_ms)
{
	link->retry_ms =
	    now_ms() + delay_ms + clock_us(CLOCK_MONOTONIC) % (delay_ms / 2 + 1);
}

/* The connection is of no use any more, or there is none. */
static void
lost(struct links *l, struct link *link, const char *why, bool refused)
{
	bool idle = link->good && STAILQ_EMPTY(&link->asked) && !refused;
	struct lookup *k;

	/* Servers may close what is not used: no failure. */
	if (!idle && !link->failed) {
		log_warn("node %s cannot be asked: %s", link->name, why);
		link->failed = true;
	}
	while ((k = STAILQ_FIRST(&link->asked)) != NULL) {
		STAILQ_REMOVE_HEAD(&link->asked, next);
		answer(l, k, LOOKUP_UNKNOWN);
	}
	tls_stream_free(link->tls);
	link->tls = NULL;
	if (link->c != NULL)
		redisFree(link->c);
	link->c = NULL;
	link->writing = link->good = link->grumbled = false;
	link->greeting = 0;
	if (idle)
		return;
	if (refused) {
		rest(link, DELAY_REFUSED_MS);
		return;
	}
	rest(link, link->delay_ms);
	link->delay_ms *= 2;
	if (link->delay_ms > DELAY_MAX_MS)
		link->delay_ms = DELAY_MAX_MS;
}

/*
 * Connecting
 */
static struct timeval
timeval_of(uint64_t ms)
{
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};
}

/* A sentinel's answer, "HOST" and "PORT". 0, or -1. */
static int
read_master(const redisReply *r, char **host, int *port)
{
	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_STRING)
		return -1;
	*port = atoi(r->element[1]->str);
	if (*port < 1 || *port > 65535)
		return -1;
	*host = strdup(r->element[0]->str);
	return *host == NULL ? -1 : 0;
}

/* Ask the sentinel at A; it has MS. 0, or -1. */
static int
ask_sentinel(const struct links *l, const struct redis_address *a, uint64_t ms,
    char **host, int *port)
{
	uint64_t start_ms = now_ms();
	struct timeval tv = timeval_of(ms);
	redisReply *r = NULL;
	redisContext *c;
	int rc = -1;

	if (a->path != NULL)
		c = redisConnectUnixWithTimeout(a->path, tv);
	else
		c = redisConnectWithTimeout(a->host, a->port, tv);
	if (c == NULL || c->err != 0)
		goto out;
	ms -= now_ms() - start_ms < ms ? now_ms() - start_ms : ms;
	tv = timeval_of(ms > 0 ? ms : 1);
	if (redisSetTimeout(c, tv) != REDIS_OK)
		goto out;
	r = redisCommand(c, "SENTINEL GET-MASTER-ADDR-BY-NAME %s",
	    l->config->sentinel_master);
	rc = read_master(r, host, port);
out:
	if (r != NULL)
		freeReplyObject(r);
	if (c != NULL)
		redisFree(c);
	return rc;
}

/*
 * Where the sentinels say the master is: the first that answers. All have one timeout
 * together; who used it up is the last to be asked the next time.
 */
static int
find_master(struct links *l, char **host, int *port)
{
	uint64_t end_ms = now_ms() + l->timeout_ms, at_ms;
	unsigned n = l->config->sentinels.n;

	for (unsigned i = 0; i < n && (at_ms = now_ms()) < end_ms; i++) {
		const struct redis_address *a = &l->config->sentinels.v[l->sentinel];

		if (ask_sentinel(l, a, end_ms - at_ms, host, port) == 0)
			return 0;
		l->sentinel = (l->sentinel + 1) % n;
	}
	return -1;
}

static redisContext *
start_connecting(struct links *l, const struct link *link)
{
	redisContext *c;
	char *host;
	int port;

	if (link->address == NULL) {
		if (find_master(l, &host, &port) == -1)
			return NULL;
		c = redisConnectNonBlock(host, port);
		free(host);
		return c;
	}
	if (link->address->path != NULL)
		return redisConnectUnixNonBlock(link->address->path);
	return redisConnectNonBlock(link->address->host, link->address->port);
}

/* What hiredis 0.14 does not. What a socket does not know does it no harm. */
static void
set_options(redisContext *c)
{
	unsigned ms = USER_TIMEOUT_MS;
	int on = 1;

	fcntl(c->fd, F_SETFD, FD_CLOEXEC);
	setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
#if HIREDIS_MAJOR >= 1
	c->reader->maxelements = ELEMENTS_MAX;
#endif
}

/* 0, or -1: no memory. */
static int
append(redisContext *c, int argc, const char **argv, const size_t *len)
{
	return redisAppendCommandArgv(c, argc, argv, len) == REDIS_OK ? 0 : -1;
}

/* What is said before anything is asked. 0, or -1. */
static int
greet(const struct links *l, struct link *link)
{
	const struct config *config = l->config;
	const char *auth[3] = {"AUTH", config->redis_user, l->password};
	const char *role = "ROLE";
	int argc = 3;

	if (config->redis_user == NULL) {
		auth[1] = l->password;
		argc = 2;
	}
	if (l->password != NULL) {
		link->greeting++;
		if (append(link->c, argc, auth, NULL) == -1)
			return -1;
	}
	if (config->redis_db != 0) {
		link->greeting++;
		if (redisAppendCommand(link->c, "SELECT %d", config->redis_db) !=
		    REDIS_OK)
			return -1;
	}
	if (link->address == NULL) {
		link->greeting++;
		if (append(link->c, 1, &role, NULL) == -1)
			return -1;
	}
	return 0;
}

/* False: no connection, and no try now. */
static bool
have_connection(struct links *l, struct link *link)
{
	if (link->c != NULL)
		return true;
	if (now_ms() < link->retry_ms)
		return false;
	link->c = start_connecting(l, link);
	if (link->c == NULL) {
		lost(l, link, "no sentinel says where it is, or no memory", false);
		return false;
	}
	if (link->c->err != 0) {
		lost(l, link, link->c->errstr, false);
		return false;
	}
	set_options(link->c);
	if (link->address != NULL && link->address->tls &&
	    (link->tls = tls_connect(l->tls, link->c->fd, link->address->host)) == NULL) {
		lost(l, link, "out of memory", false);
		return false;
	}
	if (greet(l, link) == -1) {
		lost(l, link, "out of memory", false);
		return false;
	}
	return true;
}

/*
 * Asking
 */
static void
ask(struct links *l, struct lookup *k)
{
	struct link *link = &l->link[k->node];
	const char *argv[3] = {k->field != NULL ? "HGET" : "GET", k->key, k->field};
	size_t len[3] = {strlen(argv[0]), k->key_len, k->field_len};

	/* Resolving names may have used up its time. */
	if (!have_connection(l, link) || now_ms() >= k->deadline_ms) {
		answer(l, k, LOOKUP_UNKNOWN);
		return;
	}
	STAILQ_INSERT_TAIL(&link->asked, k, next);
	link->writing = true;
	if (append(link->c, k->field != NULL ? 3 : 2, argv, len) == -1)
		lost(l, link, "out of memory", false);
}

static void
write_out(struct links *l, struct link *link)
{
	char why[192];
	bool all = false;

	if (link_write(link->c, link->tls, &all, why, sizeof(why)) == -1)
		lost(l, link, why, false);
	else
		link->writing = !all;
}

/*
 * Answers
 */
static bool
begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* An error that has nothing to do with who we are, and may pass soon. */
static bool
may_pass(const char *error)
{
	return begins(error, "LOADING") || begins(error, "BUSY") ||
	    begins(error, "MASTERDOWN") || begins(error, "ERR max number of clients");
}

/* The answer to AUTH, SELECT or ROLE. False: the connection is lost. */
static bool
greeted(struct links *l, struct link *link, const redisReply *r)
{
	bool role = --link->greeting == 0 && link->address == NULL;

	/* ROLE is said to be dangerous: who may not use it has to do without. */
	if (role && r->type == REDIS_REPLY_ERROR && begins(r->str, "NOPERM"))
		return true;
	if (r->type == REDIS_REPLY_ERROR) {
		lost(l, link, r->str, !may_pass(r->str));
		return false;
	}
	if (!role)
		return true;
	if (r->type == REDIS_REPLY_ARRAY && r->elements > 0 &&
	    r->element[0]->type == REDIS_REPLY_STRING &&
	    strcmp(r->element[0]->str, "master") == 0)
		return true;
	lost(l, link, "it is not the master any more", false);
	return false;
}

static enum lookup_result
take_value(struct lookup *k, const redisReply *r)
{
	k->len = r->len < READER_VALUE ? r->len : READER_VALUE;
	k->value = malloc(k->len + 1);
	if (k->value == NULL)
		return LOOKUP_UNKNOWN;
	memcpy(k->value, r->str, k->len);
	k->value[k->len] = '\0';
	return LOOKUP_FOUND;
}

/* A key of another type is none. Other errors say nothing of the key. */
static enum lookup_result
take_error(struct link *link, const char *error)
{
	if (begins(error, "WRONGTYPE"))
		return LOOKUP_MISSING;
	if (!link->grumbled)
		log_warn("node %s does not answer a question: %s", link->name, error);
	link->grumbled = true;
	return LOOKUP_UNKNOWN;
}

static void
good(struct link *link)
{
	if (link->failed)
		log_info("node %s can be asked again", link->name);
	link->failed = false;
	link->good = true;
	link->delay_ms = DELAY_MIN_MS;
}

static void
take_reply(struct links *l, struct link *link, const redisReply *r)
{
	struct lookup *k = STAILQ_FIRST(&link->asked);

	if (k == NULL) {
		lost(l, link, "it talks unasked", false);
		return;
	}
	if (r->type == REDIS_REPLY_ERROR && begins(r->str, "NOAUTH")) {
		lost(l, link, r->str, true);
		return;
	}
	/* With sentinels another may be the master by now. */
	if (r->type == REDIS_REPLY_ERROR && begins(r->str, "MASTERDOWN")) {
		lost(l, link, r->str, false);
		return;
	}
	STAILQ_REMOVE_HEAD(&link->asked, next);
	switch (r->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		good(link);
		answer(l, k, take_value(k, r));
		break;
	case REDIS_REPLY_NIL:
		good(link);
		answer(l, k, LOOKUP_MISSING);
		break;
	case REDIS_REPLY_ERROR:
		answer(l, k, take_error(link, r->str));
		break;
	default:
		answer(l, k, LOOKUP_UNKNOWN);
		break;
	}
}

static void
read_in(struct links *l, struct link *link)
{
	char why[192];
	void *reply;

	if (link_read(link->c, link->tls, why, sizeof(why)) == -1) {
		lost(l, link, why, false);
		return;
	}
	while (link->c != NULL) {
		if (redisGetReplyFromReader(link->c, &reply) != REDIS_OK) {
			lost(l, link, link->c->errstr, false);
			return;
		}
		if (reply == NULL)
			break;
		if (link->greeting > 0)
			greeted(l, link, reply);
		else
			take_reply(l, link, reply);
		freeReplyObject(reply);
	}
	if (link->c != NULL && link->c->reader->len > ANSWER_MAX)
		lost(l, link, "an answer is too long", false);
}

/*
 * The thread
 */

/* Take what there is to ask, and ask. False: this is the end. */
static bool
ask_all(struct links *l)
{
	struct lookups todo = STAILQ_HEAD_INITIALIZER(todo);
	struct lookup *k;
	bool stop;

	pthread_mutex_lock(&l->lock);
	stop = l->stop;
	if (!stop)
		STAILQ_CONCAT(&todo, &l->todo);
	pthread_mutex_unlock(&l->lock);
	while ((k = STAILQ_FIRST(&todo)) != NULL) {
		STAILQ_REMOVE_HEAD(&todo, next);
		ask(l, k);
	}
	for (unsigned i = 0; i < l->n; i++)
		if (l->link[i].writing)
			write_out(l, &l->link[i]);
	return !stop;
}

static void
give_back(struct links *l)
{
	bool first;

	if (STAILQ_EMPTY(&l->done))
		return;
	pthread_mutex_lock(&l->lock);
	first = STAILQ_EMPTY(&l->back);
	STAILQ_CONCAT(&l->back, &l->done);
	pthread_mutex_unlock(&l->lock);
	if (first)
		ring(l->back_fd);
}

/* Set up POLL. ms until the first deadline, -1: none. */
static int
prepare(struct links *l)
{
	uint64_t now = now_ms(), first = UINT64_MAX;

	l->poll[0] = (struct pollfd){.fd = l->wake_fd, .events = POLLIN};
	for (unsigned i = 0; i < l->n; i++) {
		const struct link *link = &l->link[i];
		const struct lookup *k = STAILQ_FIRST(&link->asked);

		l->poll[i + 1].fd = link->c != NULL ? link->c->fd : -1;
		l->poll[i + 1].events = POLLIN;
		/* while TLS shakes hands it is the other side that is waited for */
		if (link->writing && (link->tls == NULL || tls_wants_write(link->tls)))
			l->poll[i + 1].events |= POLLOUT;
		if (k != NULL && k->deadline_ms < first)
			first = k->deadline_ms;
	}
	if (first == UINT64_MAX)
		return -1;
	return first > now ? (int)(first - now) : 0;
}

/* One link after poll() said REVENTS of it. */
static void
serve(struct links *l, struct link *link, short revents)
{
	const struct lookup *k;

	if ((revents & (POLLOUT | POLLERR | POLLHUP)) != 0 && link->writing)
		write_out(l, link);
	if (link->c != NULL && (revents & (POLLIN | POLLERR | POLLHUP)) != 0)
		read_in(l, link);
	if (link->c != NULL && link->tls != NULL && link->writing && revents != 0)
		write_out(l, link);
	k = STAILQ_FIRST(&link->asked);
	if (k != NULL && now_ms() >= k->deadline_ms)
		lost(l, link, "no answer in time", false);
}

static void *
run(void *arg)
{
	struct links *l = arg;

	while (ask_all(l)) {
		give_back(l);
		if (poll(l->poll, l->n + 1, prepare(l)) == -1)
			continue; /* EINTR: a debugger's */
		if (l->poll[0].revents != 0)
			quiet(l->wake_fd);
		for (unsigned i = 0; i < l->n; i++)
			serve(l, &l->link[i], l->poll[i + 1].revents);
		give_back(l);
	}
	return NULL;
}

/*
 * Control's side
 */
static void
free_links(struct links *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->n; i++) {
		tls_stream_free(l->link[i].tls);
		if (l->link[i].c != NULL)
			redisFree(l->link[i].c);
	}
	tls_free(l->tls);
	if (l->password != NULL)
		explicit_bzero(l->password, strlen(l->password));
	free(l->password);
	if (l->wake_fd != -1)
		close(l->wake_fd);
	if (l->back_fd != -1)
		close(l->back_fd);
	pthread_mutex_destroy(&l->lock);
	free(l->link);
	free(l->poll);
	free(l);
}

static int
set_up(struct links *l, char *err, size_t errlen)
{
	const struct config *config = l->config;
	unsigned n = config->sentinel_master != NULL ? 1 : config->redis.n;

	l->link = calloc(n + 1, sizeof(*l->link));
	l->poll = calloc(n + 1, sizeof(*l->poll));
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->back_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->link == NULL || l->poll == NULL || l->wake_fd == -1 ||
	    l->back_fd == -1) {
		snprintf(err, errlen, "%s", strerror(errno));
		return -1;
	}
	l->n = n;
	if (l->n == 0) {
		snprintf(err, errlen, "there is no node to ask");
		return -1;
	}
	for (unsigned i = 0; i < l->n; i++) {
		struct link *link = &l->link[i];

		STAILQ_INIT(&link->asked);
		link->delay_ms = DELAY_MIN_MS;
		if (config->sentinel_master == NULL)
			link->address = &config->redis.v[i];
		if (link->address != NULL && link->address->tls && l->tls == NULL &&
		    (l->tls = tls_client_new(config->tls_ca, config->tls_cert,
			 config->tls_key, err, errlen)) == NULL)
			return -1;
		link->name = link->address != NULL ? link->address->text
						   : config->sentinel_master;
	}
	if (config->redis_password_file != NULL) {
		l->password = config_secret("--redis-password-file", config->redis_password_file, err, errlen);
		if (l->password == NULL)
			return -1;
	}
	return 0;
}

/* Signals are control's; a connection that breaks is seen where it is written to. */
static int
start(struct links *l)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		pthread_setname_np(l->thread, "reader");
	return rc;
}

struct links *
links_new(const struct config *config, unsigned timeout_ms, char *err, size_t errlen)
{
	struct links *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	l->config = config;
	l->timeout_ms = timeout_ms;
	l->wake_fd = l->back_fd = -1;
	STAILQ_INIT(&l->done);
	STAILQ_INIT(&l->todo);
	STAILQ_INIT(&l->back);
	pthread_mutex_init(&l->lock, NULL);
	if (set_up(l, err, errlen) == -1)
		goto out;
	rc = start(l);
	if (rc == 0)
		return l;
	snprintf(err, errlen, "no thread: %s", strerror(rc));
out:
	free_links(l);
	return NULL;
}

unsigned
links_count(const struct links *l)
{
	return l->n;
}

int
links_fd(const struct links *l)
{
	return l->back_fd;
}

void
links_ask(struct links *l, struct lookup *k)
{
	bool first;

	pthread_mutex_lock(&l->lock);
	first = STAILQ_EMPTY(&l->todo);
	STAILQ_INSERT_TAIL(&l->todo, k, next);
	pthread_mutex_unlock(&l->lock);
	if (first) /* who came before rang for all */
		ring(l->wake_fd);
}

void
links_take(struct links *l, struct lookups *to)
{
	quiet(l->back_fd);
	pthread_mutex_lock(&l->lock);
	STAILQ_CONCAT(to, &l->back);
	pthread_mutex_unlock(&l->lock);
}

void
links_free(struct links *l, struct lookups *left)
{
	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_mutex_unlock(&l->lock);
	ring(l->wake_fd);
	pthread_join(l->thread, NULL);
	STAILQ_CONCAT(left, &l->back);
	STAILQ_CONCAT(left, &l->done);
	STAILQ_CONCAT(left, &l->todo);
	for (unsigned i = 0; i < l->n; i++)
		STAILQ_CONCAT(left, &l->link[i].asked);
	free_links(l);
}
