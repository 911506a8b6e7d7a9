/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_conn.c -- one connection to a Redis server: a bufferevent, and hiredis' parser
 * of replies, which knows no socket and makes them of memory of node_reply.c. Names are
 * looked up anew for each attempt, by libevent's resolver, and every address of a name is
 * tried. Connected means little: the kernel of a stopped server accepts. Who owes an
 * answer and is silent is given up.
 *
 * A reply may close its connection: LIFE counts closings, and who comes back from a
 * call looks at it before anything else.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "clock.h"
#include "node_int.h"
#include "tls.h"

#define USER_TIMEOUT_MS 10000 /* unacknowledged for so long: dead */
#define KEEPALIVE_S	15
#define KEEPALIVE_TRIES 3
#define READ_MAX	65536 /* given to the parser at once */

struct node_lookup {
	struct node_conn *conn; /* NULL: nobody waits for it any more */
	struct nodes *set;
	struct evdns_getaddrinfo_request *request;
};

static void try_next(struct node_conn *);

uint64_t
node_now(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

void
node_conn_init(struct node_conn *c, struct nodes *set,
    const struct node_conn_calls *calls, void *arg)
{
	memset(c, 0, sizeof(*c));
	c->set = set;
	c->calls = calls;
	c->arg = arg;
}

static void
drop_socket(struct node_conn *c)
{
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	c->bev = NULL;
}

static void
drop_addresses(struct node_conn *c)
{
	if (c->found != NULL)
		evutil_freeaddrinfo(c->found);
	c->found = NULL;
	c->next = NULL;
}

void
node_conn_close(struct node_conn *c)
{
	if (c->lookup != NULL) {
		c->lookup->conn = NULL;
		evdns_getaddrinfo_cancel(c->lookup->request);
		c->lookup = NULL;
	}
	drop_socket(c);
	drop_addresses(c);
	if (c->reader != NULL)
		redisReaderFree(c->reader);
	c->reader = NULL;
	node_replies_clear(&c->replies);
	free(c->host);
	c->host = NULL;
	c->state = NODE_CONN_CLOSED;
	c->owed = 0;
	c->life++;
}

void
node_conn_fail(struct node_conn *c, const char *why)
{
	char text[NODE_ERROR];

	/* WHY may be part of what is about to be freed */
	node_text(text, sizeof(text), why);
	node_conn_close(c);
	c->calls->lost(c->arg, text);
}

/*
 * Replies
 */

/* R came. False: the connection was closed. */
static bool
take_reply(struct node_conn *c, const redisReply *r)
{
	unsigned life = c->life;

	c->fed = 0;
	if (c->owed > 0)
		c->owed--;
	c->calls->reply(c->arg, r);
	return c->life == life;
}

/* Hand on what is whole. False: the connection was closed. */
static bool
take_replies(struct node_conn *c)
{
	void *reply;

	for (;;) {
		reply = NULL;
		if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
			node_conn_fail(c, c->reader->errstr);
			return false;
		}
		if (reply == NULL)
			break;
		c->heard_ms = node_now();
		if (!take_reply(c, reply))
			return false;
		node_replies_reset(&c->replies);
	}
	return true;
}

/*
 * Half of all replies say that a command of a batch is queued: these the parser need not
 * see, if it waits for nothing. How many of LEN bytes they are; -1: the connection was
 * closed.
 */
static ssize_t
take_queued(struct node_conn *c, const char *p, size_t len)
{
	static const char line[] = "+QUEUED\r\n";
	static char text[] = "QUEUED";
	static const redisReply queued = {.type = REDIS_REPLY_STATUS,
		.str = text, .len = sizeof(text) - 1};
	size_t n = sizeof(line) - 1, at = 0;

	if (c->head_len > 0 || c->skip > 0 || c->reader->len != c->reader->pos ||
	    c->reader->ridx != -1)
		return 0;
	if (len >= n && *p == *line)
		c->heard_ms = node_now();
	for (; len - at >= n && memcmp(p + at, line, n) == 0; at += n)
		if (!take_reply(c, &queued))
			return -1;
	return (ssize_t)at;
}

/*
 * The parser takes memory for as many elements as an array announces, so lengths are
 * looked at before it sees them: hiredis has a limit of its own only since 1.0. RESP is
 * a flat row of lines, some of them followed by bytes. False: too much.
 */
static bool
modest(struct node_conn *c, const char *p, size_t len)
{
	const char *end = p + len, *nl;
	size_t n;

	c->fed += len;
	while (p < end) {
		if (c->skip > 0) {
			n = c->skip < (size_t)(end - p) ? c->skip : (size_t)(end - p);
			c->skip -= n;
			p += n;
			continue;
		}
		nl = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((nl != NULL ? nl : end) - p);
		if (n > sizeof(c->head) - 1 - c->head_len)
			n = sizeof(c->head) - 1 - c->head_len;
		memcpy(c->head + c->head_len, p, n);
		c->head_len += n;
		if (nl == NULL)
			break;
		p = nl + 1;
		c->head[c->head_len] = '\0';
		c->head_len = 0;
		if (c->head[0] == '*' &&
		    strtoll(c->head + 1, NULL, 10) > NODE_REPLY_ITEMS)
			return false;
		if (c->head[0] == '$' && c->head[1] != '-') {
			n = strtoull(c->head + 1, NULL, 10);
			if (n > NODE_REPLY_BYTES)
				return false;
			c->skip = n + 2;
		}
	}
	return c->fed <= NODE_REPLY_BYTES + READ_MAX;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct node_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	ssize_t queued;
	size_t len;

	while ((len = evbuffer_get_contiguous_space(in)) > 0) {
		const char *p = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);

		len = len < READ_MAX ? len : READ_MAX;
		queued = take_queued(c, p, len);
		if (queued == -1)
			return;
		if (queued > 0) {
			evbuffer_drain(in, (size_t)queued);
			continue;
		}
		if (!modest(c, p, len)) {
			node_conn_fail(c, "an answer that is too long");
			return;
		}
		if (redisReaderFeed(c->reader, p, len) != REDIS_OK) {
			node_conn_fail(c, c->reader->errstr);
			return;
		}
		evbuffer_drain(in, len);
		if (!take_replies(c))
			return;
	}
}

/*
 * Connecting
 */
static bool
open_reader(struct node_conn *c)
{
	c->fed = c->skip = c->head_len = 0;
	c->reader = node_replies_reader(&c->replies);
	if (c->reader == NULL)
		return false;
#if HIREDIS_MAJOR >= 1
	c->reader->maxelements = NODE_REPLY_ITEMS;
#endif
	return true;
}

static void
set_options(int fd)
{
	unsigned ms = USER_TIMEOUT_MS;
	int on = 1, idle = KEEPALIVE_S, each = KEEPALIVE_S / KEEPALIVE_TRIES,
	    tries = KEEPALIVE_TRIES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &each, sizeof(each));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

/* Of the event that tells of ERROR. */
static const char *
reason(const struct node_conn *c, int error, char *text, size_t size)
{
	return c->host != NULL ? tls_bufferevent_reason(c->bev, error, text, size)
			       : evutil_socket_error_to_string(error);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct node_conn *c = arg;
	int error = EVUTIL_SOCKET_ERROR();
	char why[NODE_ERROR];

	if (what & BEV_EVENT_CONNECTED) {
		drop_addresses(c);
		if (!open_reader(c)) {
			node_conn_fail(c, "no memory");
			return;
		}
		c->state = NODE_CONN_OPEN;
		c->heard_ms = node_now();
		if (c->host != NULL) /* its socket was made by libevent */
			set_options(bufferevent_getfd(bev));
		bufferevent_enable(bev, EV_READ | EV_WRITE);
		c->calls->open(c->arg);
		return;
	}
	if (c->state == NODE_CONN_CONNECTING) {
		snprintf(c->why, sizeof(c->why), "%s", reason(c, error, why, sizeof(why)));
		drop_socket(c);
		try_next(c);
	} else if (what & BEV_EVENT_EOF) {
		node_conn_fail(c, "closed the connection");
	} else {
		node_conn_fail(c, reason(c, error, why, sizeof(why)));
	}
}

static bool
start_connecting(struct node_conn *c, const struct sockaddr *sa, socklen_t len)
{
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	if (bufferevent_socket_connect(c->bev, sa, (int)len) == 0)
		return true;
	drop_socket(c);
	return false;
}

/* The answer comes through on_event(). False: none will; ERRNO says why. */
static bool
try_address(struct node_conn *c, const struct sockaddr *sa, socklen_t len)
{
	int fd;

	if (c->host != NULL) {
		c->bev = tls_bufferevent(c->set->tls, c->set->s.base, c->host);
		errno = ENOMEM;
		return c->bev != NULL && start_connecting(c, sa, len);
	}
	/* ours rather than libevent's, which would survive an exec */
	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (sa->sa_family != AF_UNIX)
		set_options(fd);
	c->bev = bufferevent_socket_new(c->set->s.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		close(fd);
		errno = ENOMEM;
		return false;
	}
	return start_connecting(c, sa, len);
}

static void
try_next(struct node_conn *c)
{
	const struct evutil_addrinfo *a;

	c->state = NODE_CONN_CONNECTING;
	while ((a = c->next) != NULL) {
		c->next = a->ai_next;
		if (try_address(c, a->ai_addr, (socklen_t)a->ai_addrlen))
			return;
		snprintf(c->why, sizeof(c->why), "%s", strerror(errno));
	}
	node_conn_fail(c, c->why);
}

static void
on_addresses(int error, struct evutil_addrinfo *found, void *arg)
{
	struct node_lookup *l = arg;
	struct node_conn *c = l->conn;

	l->set->lookups--;
	free(l);
	if (c == NULL) {
		if (found != NULL)
			evutil_freeaddrinfo(found);
		return;
	}
	c->lookup = NULL;
	c->found = found;
	c->next = found;
	if (error != 0 || found == NULL)
		node_conn_fail(c, error != 0 ? evutil_gai_strerror(error) : "no address");
	else
		try_next(c);
}

/* The resolver reads its files when it is made: nobody asks it anything now, so make it
 * anew, they may have changed. */
static bool
open_dns(struct nodes *s)
{
	if (s->lookups > 0)
		return s->dns != NULL;
	if (s->dns != NULL)
		evdns_base_free(s->dns, 0);
	s->dns = evdns_base_new(s->s.base,
	    EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (s->dns != NULL)
		return true;
	/* no servers to ask: /etc/hosts may do */
	s->dns = evdns_base_new(s->s.base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (s->dns != NULL)
		evdns_base_load_hosts(s->dns, "/etc/hosts");
	return s->dns != NULL;
}

static void
look_up(struct node_conn *c, const char *host, const char *port,
    const struct evutil_addrinfo *hints)
{
	struct evdns_getaddrinfo_request *request;
	struct node_lookup *l;

	l = open_dns(c->set) ? calloc(1, sizeof(*l)) : NULL;
	if (l == NULL) {
		node_conn_fail(c, "no resolver");
		return;
	}
	l->conn = c;
	l->set = c->set;
	c->lookup = l;
	c->set->lookups++;
	request = evdns_getaddrinfo(c->set->dns, host, port, hints, on_addresses, l);
	/* NULL: on_addresses() was called already, and L is no more */
	if (request != NULL)
		l->request = request;
}

static void
open_host(struct node_conn *c, const struct redis_address *to)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV};
	char port[8];

	snprintf(port, sizeof(port), "%d", to->port);
	if (evutil_getaddrinfo(to->host, port, &hints, &c->found) == 0) {
		c->next = c->found;
		try_next(c);
		return;
	}
	c->found = NULL;
	hints.ai_flags = EVUTIL_AI_NUMERICSERV;
	look_up(c, to->host, port, &hints);
}

static void
open_path(struct node_conn *c, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(sun.sun_path)) {
		node_conn_fail(c, "the socket's path is too long");
		return;
	}
	memcpy(sun.sun_path, path, strlen(path));
	c->state = NODE_CONN_CONNECTING;
	if (!try_address(c, (const struct sockaddr *)&sun, sizeof(sun)))
		node_conn_fail(c, strerror(errno));
}

void
node_conn_open(struct node_conn *c, const struct redis_address *to)
{
	node_conn_close(c);
	c->state = NODE_CONN_RESOLVING;
	c->began_ms = node_now();
	c->why[0] = '\0';
	if (to->tls && (c->host = strdup(to->host)) == NULL) {
		node_conn_fail(c, "no memory");
		return;
	}
	if (to->path != NULL)
		open_path(c, to->path);
	else
		open_host(c, to);
}

/*
 * Use
 */
bool
node_conn_write(struct node_conn *c, const struct respbuf *b, unsigned replies)
{
	if (c->state != NODE_CONN_OPEN || b->failed ||
	    bufferevent_write(c->bev, b->buf, b->len) < 0)
		return false;
	counter_add(c->set->s.counters, COUNTER_NODE_BYTES, b->len);
	if (c->owed == 0)
		c->heard_ms = node_now();
	c->owed += replies;
	return true;
}

size_t
node_conn_unsent(const struct node_conn *c)
{
	return c->bev == NULL ? 0
			      : evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
node_conn_check(struct node_conn *c, uint64_t now)
{
	const struct node_times *t = &c->set->times;

	if (c->state == NODE_CONN_CLOSED)
		return;
	if (c->state != NODE_CONN_OPEN) {
		if (now <= c->began_ms || now - c->began_ms <= t->connect)
			return;
		snprintf(c->why, sizeof(c->why), "cannot be reached");
		drop_socket(c);
		c->began_ms = now;
		try_next(c);
	} else if (c->owed > 0 && now > c->heard_ms && now - c->heard_ms > t->ack) {
		node_conn_fail(c, "no answer");
	}
}

void
node_conn_end_dns(struct nodes *s)
{
	if (s->dns == NULL)
		return;
	/* what was called off is told from the loop, and is freed only then */
	if (s->lookups > 0)
		event_base_loop(s->s.base, EVLOOP_NONBLOCK);
	evdns_base_free(s->dns, 1);
	if (s->lookups > 0)
		event_base_loop(s->s.base, EVLOOP_NONBLOCK);
	s->dns = NULL;
}
