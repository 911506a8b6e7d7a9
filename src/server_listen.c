/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_listen.c -- where clients come in: TCP and unix sockets, and who is turned
 * away at the door.
 *
 * Without a password only this machine may come in, whatever the address listened on
 * (protected mode, as Redis has it), unless TLS asks everybody for a certificate.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "config.h"
#include "log.h"
#include "server_int.h"

#define BACKLOG 511
#define ACCEPTS 64 /* in one turn */
#define KEEPALIVE_S 300
#define PORT_TRIES 8

#define DENIED                                                                         \
	"-DENIED mcprobe runs in protected mode: it has no password, so it answers "   \
	"clients on its own machine only. Set --resp-password-file to let others in, " \
	"or connect through 127.0.0.1, ::1 or a unix socket.\r\n"
#define TOO_MANY "-ERR max number of clients reached\r\n"

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

bool
peer_is_local(const struct sockaddr *sa)
{
	const struct in_addr *a4;
	const struct in6_addr *a6;

	switch (sa->sa_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		a4 = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
		return ntohl(a4->s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		a6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(a6))
			return a6->s6_addr[12] == IN_LOOPBACKNET;
		return IN6_IS_ADDR_LOOPBACK(a6);
	default:
		return false;
	}
}

/* "127.0.0.1:6380", "[::1]:6380". Returns the port. */
static unsigned
address_text(const union address *a, char *text, size_t len)
{
	char host[INET6_ADDRSTRLEN] = "?";
	unsigned port;

	if (a->sa.sa_family == AF_INET6) {
		port = ntohs(a->in6.sin6_port);
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(text, len, "[%s]:%u", host, port);
		return port;
	}
	port = ntohs(a->in.sin_port);
	inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
	snprintf(text, len, "%s:%u", host, port);
	return port;
}

/*
 * Clients come in
 */
static void
turn_away(struct server *s, int fd, bool tls, const char *why)
{
	counter_inc(s->counters, COUNTER_RESP_REJECTED);
	if (tls)
		why = ""; /* he could not read it */
	/* a new socket has room for a line; if not, he will see why later */
	(void)!send(fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void
set_options(int fd)
{
	int on = 1, idle = KEEPALIVE_S;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

static void
let_in(struct listener *l, int fd, const union address *peer)
{
	struct server *s = l->server;
	union address local;
	socklen_t len = sizeof(local);
	bool tls = s->tls != NULL && l->path == NULL;
	struct client *c;

	if (s->nclients >= s->limits.clients) {
		turn_away(s, fd, tls, TOO_MANY);
		return;
	}
	if (s->password == NULL && !(tls && s->certified) && !peer_is_local(&peer->sa)) {
		turn_away(s, fd, tls, DENIED);
		return;
	}
	c = client_new(s, fd, tls);
	if (c == NULL) {
		counter_inc(s->counters, COUNTER_RESP_REJECTED);
		return;
	}
	counter_inc(s->counters, COUNTER_RESP_CONNECTIONS);
	c->unix_socket = l->path != NULL;
	if (c->unix_socket) {
		snprintf(c->address, sizeof(c->address), "%s:0", l->path);
		memcpy(c->local, c->address, sizeof(c->local));
		return;
	}
	set_options(fd);
	address_text(peer, c->address, sizeof(c->address));
	if (getsockname(fd, &local.sa, &len) == 0)
		address_text(&local, c->local, sizeof(c->local));
}

static void
listen_pause(struct server *s)
{
	struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, next)
		event_del(l->event);
	s->deaf = true;
}

void
listen_resume(struct server *s)
{
	struct listener *l;

	s->deaf = false;
	TAILQ_FOREACH (l, &s->listeners, next)
		if (event_add(l->event, NULL) < 0)
			s->deaf = true;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	union address peer;
	socklen_t len;
	int i, client;

	(void)what;
	for (i = 0; i < ACCEPTS; i++) {
		memset(&peer, 0, sizeof(peer));
		len = sizeof(peer);
		client = accept4(fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client < 0)
			break;
		let_in(l, client, &peer);
	}
	if (i < ACCEPTS &&
	    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		listen_pause(l->server);
}

/*
 * Listening
 */
static void
listener_free(struct listener *l)
{
	struct stat st;

	if (l->event != NULL)
		event_free(l->event);
	if (l->fd != -1)
		close(l->fd);
	/* only what was made here: somebody may have put his own in its place */
	if (l->path != NULL && l->ino != 0 && lstat(l->path, &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	free(l->path);
	free(l);
}

/* Listen on FD, which is bound and taken. */
static struct listener *
listener_new(struct server *s, int fd)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		close(fd);
		return NULL;
	}
	l->server = s;
	l->fd = fd;
	l->event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_accept, l);
	if (l->event == NULL || listen(fd, BACKLOG) < 0 ||
	    event_add(l->event, NULL) < 0) {
		listener_free(l);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->listeners, l, next);
	return l;
}

/* 0, or -1 with errno. */
static int
listen_tcp(struct server *s, const struct addrinfo *ai)
{
	union address a;
	socklen_t len = sizeof(a);
	struct listener *l;
	int fd, on = 1, saved;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    getsockname(fd, &a.sa, &len) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	l = listener_new(s, fd);
	if (l == NULL) {
		errno = ENOMEM;
		return -1;
	}
	l->port = address_text(&a, l->address, sizeof(l->address));
	return 0;
}

/* What HOST (NULL: any) and PORT mean. 0, or -1 with the reason in ERR. */
static int
resolve(const char *host, const char *port, struct addrinfo **list, char *err,
    size_t errlen)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	int rc = getaddrinfo(host, port, &hints, list);

	if (rc != 0)
		snprintf(err, errlen, "%s", gai_strerror(rc));
	return rc == 0 ? 0 : -1;
}

/* A name may lead to the same address twice. */
static bool
have_listener(const struct server *s, const struct addrinfo *ai)
{
	char text[CLIENT_ADDRESS];
	const struct listener *l;
	union address a;

	memset(&a, 0, sizeof(a));
	memcpy(
	    &a, ai->ai_addr, ai->ai_addrlen < sizeof(a) ? ai->ai_addrlen : sizeof(a));
	address_text(&a, text, sizeof(text));
	TAILQ_FOREACH (l, &s->listeners, next)
		if (strcmp(l->address, text) == 0)
			return true;
	return false;
}

/* HOST and PORT; what there is no such address for on this machine is left out if MAY. */
static int
listen_host(struct server *s, const char *host, const char *port, bool may, char *err,
    size_t errlen)
{
	struct addrinfo *list = NULL, *ai;
	int made = 0, rc = 0, why = EADDRNOTAVAIL;

	if (resolve(host, port, &list, err, errlen) < 0) {
		errno = EINVAL;
		return may ? 0 : -1;
	}
	for (ai = list; ai != NULL && rc == 0; ai = ai->ai_next) {
		if (have_listener(s, ai) || listen_tcp(s, ai) == 0) {
			made++;
			continue;
		}
		why = errno;
		if (why != EADDRNOTAVAIL && why != EAFNOSUPPORT)
			rc = -1;
	}
	freeaddrinfo(list);
	if (rc == 0 && made == 0 && !may)
		rc = -1;
	if (rc < 0) {
		snprintf(err, errlen, "%s", strerror(why));
		errno = why;
	}
	return rc;
}

/* The loopback addresses. Port 0: one that both have. */
static int
listen_loopback(struct server *s, const char *port, char *err, size_t errlen)
{
	struct listener *l;
	char same[16];
	int i, rc = -1, tries = strcmp(port, "0") == 0 ? PORT_TRIES : 1;

	for (i = 0; i < tries; i++) {
		rc = listen_host(s, "127.0.0.1", port, false, err, errlen);
		if (rc < 0)
			return rc;
		l = TAILQ_LAST(&s->listeners, listener_list);
		snprintf(same, sizeof(same), "%u", l->port);
		rc = listen_host(s, "::1", same, true, err, errlen);
		if (rc == 0 || errno != EADDRINUSE)
			return rc;
		/* somebody has one half of it: neither is taken */
		TAILQ_REMOVE(&s->listeners, l, next);
		listener_free(l);
		errno = EADDRINUSE;
	}
	return rc;
}

/* ADDR:PORT, [ADDR]:PORT; "*" is every address. */
static int
listen_address(struct server *s, const char *spec, char *err, size_t errlen)
{
	const char *colon = strrchr(spec, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - spec);
	char host[256];

	if (colon == NULL)
		return listen_loopback(s, spec, err, errlen);
	if (len >= 2 && spec[0] == '[' && colon[-1] == ']') {
		spec++;
		len -= 2;
	}
	if (len >= sizeof(host)) {
		snprintf(err, errlen, "no such address");
		errno = EINVAL;
		return -1;
	}
	memcpy(host, spec, len);
	host[len] = '\0';
	return listen_host(
	    s, strcmp(host, "*") == 0 ? NULL : host, colon + 1, false, err, errlen);
}

/* Is PATH a socket nobody listens at? Then it goes. */
static bool
remove_stale(const char *path, const struct sockaddr_un *un)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	rc = connect(fd, (const struct sockaddr *)un, sizeof(*un));
	if (rc < 0 && errno != ECONNREFUSED)
		rc = 0; /* a queue that is full, a right we lack: somebody is there */
	close(fd);
	return rc < 0 && unlink(path) == 0;
}

/* The socket is private from its first moment: the mask holds while it is made. */
static int
bind_private(int fd, const struct sockaddr_un *un)
{
	mode_t mask = umask(077);
	int rc = bind(fd, (const struct sockaddr *)un, sizeof(*un)), saved = errno;

	umask(mask);
	errno = saved;
	return rc;
}

/* A socket that is bound to UN, -1 with errno. */
static int
open_unix(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	if (fd < 0 || bind_private(fd, un) == 0)
		return fd;
	saved = errno;
	if (saved == EADDRINUSE && remove_stale(un->sun_path, un)) {
		if (bind_private(fd, un) == 0)
			return fd;
		saved = errno;
	}
	close(fd);
	errno = saved;
	return -1;
}

static int
listen_unix(struct server *s, const char *path, char *err, size_t errlen)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct listener *l;
	struct stat st;
	int fd;

	if (strlen(path) == 0 || strlen(path) >= sizeof(un.sun_path)) {
		snprintf(
		    err, errlen, "a path of 1 to %zu bytes", sizeof(un.sun_path) - 1);
		errno = EINVAL;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path));
	fd = open_unix(&un);
	if (fd < 0) {
		int why = errno;

		if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
			why = ENOTSOCK;
		snprintf(err, errlen, "%s", strerror(why));
		errno = why;
		return -1;
	}
	l = listener_new(s, fd);
	if (l == NULL || (l->path = strdup(path)) == NULL) {
		unlink(path);
		snprintf(err, errlen, "no memory");
		errno = ENOMEM;
		return -1;
	}
	snprintf(l->address, sizeof(l->address), "unix:%s", path);
	if (lstat(path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return 0;
}

/* "127.0.0.1:6380 [::1]:6380" */
static int
listen_addresses(struct server *s)
{
	struct listener *l;
	size_t len = 1;

	TAILQ_FOREACH (l, &s->listeners, next)
		len += strlen(l->address) + 1;
	s->addresses = calloc(1, len);
	if (s->addresses == NULL)
		return -1;
	TAILQ_FOREACH (l, &s->listeners, next) {
		if (s->addresses[0] != '\0')
			strcat(s->addresses, " ");
		strcat(s->addresses, l->address);
	}
	return 0;
}

int
listen_open(
    struct server *s, const struct server_setup *setup, char *err, size_t errlen)
{
	char why[128] = "";
	unsigned i;
	int rc;

	for (i = 0; i < setup->listen->n; i++) {
		const char *spec = setup->listen->v[i];

		if (strncmp(spec, "unix:", 5) == 0)
			rc = listen_unix(s, spec + 5, why, sizeof(why));
		else
			rc = listen_address(s, spec, why, sizeof(why));
		if (rc == 0)
			continue;
		/* in use, or there is no such address (yet), as where lo is down */
		if (!setup->optional ||
		    (errno != EADDRINUSE && errno != EADDRNOTAVAIL)) {
			snprintf(err, errlen, "cannot listen at %s: %s", spec, why);
			return -1;
		}
		log_warn("cannot listen at %s: %s; Redis clients are not answered there", spec,
		    why);
	}
	if (listen_addresses(s) < 0) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	return 0;
}

void
listen_close(struct server *s)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)) != NULL) {
		TAILQ_REMOVE(&s->listeners, l, next);
		listener_free(l);
	}
}

void
server_chown(struct server *s, unsigned uid, unsigned gid)
{
	struct listener *l;

	TAILQ_FOREACH (l, &s->listeners, next)
		if (l->path != NULL && lchown(l->path, (uid_t)uid, (gid_t)gid) < 0)
			log_warn("%s: owner not changed: %s", l->path, strerror(errno));
}
