/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_rig.h -- commands with the real server and key tree around them, on a loopback
 * socket, and live flows that are told of from the event loop, two a page. Replies are
 * shown as text, so that a test reads like a session:
 *
 *	+OK -ERR ... :1 "bulk" nil *nil _ ,2 =text [a, b] %[k, v] ~[a] >[a]
 */
#ifndef COMMAND_RIG_H
#define COMMAND_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "alive.h"
#include "cloud.h"
#include "command.h"
#include "config.h"
#include "field.h"
#include "keyname.h"
#include "server.h"
#include "template.h"

#define RIG_FLOWS   64
#define RIG_QUESTIONS 64
#define RIG_PAGE    2
#define RIG_CLIENTS 604
#define RIG_TEXT    (4 << 20)

/* --- flows --- */

struct question {
	uint64_t ticket, position;
	struct flowkey key;
	alive_found *found;
	alive_paged *paged;
	void *arg;
};

struct alive {
	struct event *event;
	struct alive_flow flow[RIG_FLOWS];
	unsigned n;
	struct question question[RIG_QUESTIONS];
	unsigned nquestions, limit; /* LIMIT: beyond, 0 is answered */
	uint64_t tickets;
	unsigned asked, forgotten;
	bool silent; /* answer nothing for now */
};

static inline void
alive_page_answer(struct alive *a, const struct question *q)
{
	struct alive_name names[RIG_PAGE];
	unsigned n = 0;
	uint64_t at = q->position;

	while (n < RIG_PAGE && at < a->n) {
		names[n].key = a->flow[at].flow.key;
		names[n++].client = (uint8_t)flow_client(&a->flow[at].flow);
		at++;
	}
	q->paged(q->arg, names, n, at < a->n ? at : 0);
}

static inline void
alive_find_answer(struct alive *a, const struct question *q)
{
	for (unsigned i = 0; i < a->n; i++) {
		if (memcmp(&a->flow[i].flow.key, &q->key, sizeof(q->key)) != 0)
			continue;
		q->found(q->arg, &a->flow[i]);
		return;
	}
	q->found(q->arg, NULL);
}

static inline void
alive_answer(evutil_socket_t fd, short what, void *arg)
{
	struct alive *a = arg;
	struct question q;

	(void)fd;
	(void)what;
	if (a->silent || a->nquestions == 0)
		return;
	q = a->question[0];
	a->nquestions--;
	memmove(a->question, a->question + 1, a->nquestions * sizeof(q));
	if (a->nquestions > 0)
		event_active(a->event, 0, 0);
	if (q.found != NULL)
		alive_find_answer(a, &q);
	else
		alive_page_answer(a, &q);
}

static inline uint64_t
alive_ask(struct alive *a, const struct question *q)
{
	if (a->nquestions >= (a->limit != 0 ? a->limit - 1 : RIG_QUESTIONS))
		return 0;
	a->question[a->nquestions] = *q;
	a->question[a->nquestions++].ticket = ++a->tickets;
	a->asked++;
	event_active(a->event, 0, 0);
	return a->tickets;
}

uint64_t
alive_find(struct alive *a, const struct flowkey *key, alive_found *cb, void *arg)
{
	return alive_ask(a, &(struct question){.key = *key, .found = cb, .arg = arg});
}

uint64_t
alive_page(struct alive *a, uint64_t position, alive_paged *cb, void *arg)
{
	return alive_ask(a,
	    &(struct question){.position = position, .paged = cb, .arg = arg});
}

void
alive_forget(struct alive *a, uint64_t ticket)
{
	for (unsigned i = 0; i < a->nquestions; i++) {
		if (a->question[i].ticket != ticket)
			continue;
		a->nquestions--;
		memmove(a->question + i, a->question + i + 1,
		    (a->nquestions - i) * sizeof(a->question[0]));
		a->forgotten++;
		return;
	}
	fail_msg("forgot a question that is not open");
}

uint32_t
alive_count(const struct alive *a)
{
	return a->n;
}

/* --- the rig --- */

struct rig {
	struct event_base *base;
	struct config config;
	struct template template;
	struct field_context fields;
	struct counters counters;
	struct cloud *cloud;
	struct alive alive;
	struct commands *commands;
	struct server *server;
	char *password;
	int fd[RIG_CLIENTS];
	char *in[RIG_CLIENTS]; /* what came and was not shown yet */
	size_t len[RIG_CLIENTS];
	char *text; /* the last reply */
	size_t used;
	char published[256];
	uint64_t now_ms;
};

static inline void
rig_counters(void *arg, struct counters *sum)
{
	*sum = ((struct rig *)arg)->counters;
}

static inline void
rig_info(void *arg, const char *section, struct respbuf *to)
{
	(void)arg;
	(void)section;
	resp_bytes(to, "# Node0\r\nstate:up\r\n", 19);
}

static inline void
rig_published(void *arg, const char *channel, size_t clen, const void *msg, size_t len)
{
	struct rig *r = arg;

	snprintf(r->published, sizeof(r->published), "%.*s %.*s", (int)clen, channel,
	    (int)len, (const char *)msg);
}

static inline void
rig_connect(struct rig *r, unsigned i)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)server_port(r->server))};

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->fd[i] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_not_equal(r->fd[i], -1);
	assert_int_equal(connect(r->fd[i], (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(fcntl(r->fd[i], F_SETFL, O_NONBLOCK), 0);
	r->len[i] = 0;
}

static inline void
rig_open(struct rig *r, const char *password)
{
	char *argv[] = {"mcprobe", "-i", "t.pcap", "--resp", "127.0.0.1:1", "-T",
		"%IPV4_SRC_ADDR %IN_BYTES", "--probe-id", "rig", NULL};
	struct cloud_setup cs = {.ttl_s = 300, .max_keys = 65536, .seed = 7};
	char err[256];
	static char *listen_at[] = {"127.0.0.1:0"};
	static const struct strlist list = {listen_at, 1};

	memset(r, 0, sizeof(*r));
	r->text = malloc(RIG_TEXT);
	assert_non_null(r->text);
	assert_int_equal(config_parse(&r->config, 9, argv, err, sizeof(err)), 0);
	assert_int_equal(template_parse(&r->template, r->config.template, 9, BIFLOW_NTOP,
			     false, err, sizeof(err)), 0);
	if (password != NULL)
		r->config.resp_password_file = strdup("/nowhere");
	r->fields.config = &r->config;
	r->base = event_base_new();
	r->alive.event = event_new(r->base, -1, 0, alive_answer, &r->alive);
	cs.counters = &r->counters;
	r->cloud = cloud_new(&cs);
	assert_non_null(r->cloud);
	r->now_ms = 1000;
	cloud_clock(r->cloud, r->now_ms);
	const struct commands_setup setup = {.config = &r->config,
		.template = &r->template, .base = r->base, .cloud = r->cloud,
		.alive = &r->alive, .fields = &r->fields, .own = &r->counters,
		.counters = rig_counters, .info = rig_info, .published = rig_published,
		.arg = r, .start_us = 1700000000000000ULL};
	r->commands = commands_new(&setup);
	assert_non_null(r->commands);
	const struct server_setup ss = {.base = r->base, .listen = &list,
		.password = password, .counters = &r->counters, .commands = r->commands};
	r->server = server_new(&ss, err, sizeof(err));
	if (r->server == NULL)
		fail_msg("%s", err);
	commands_server(r->commands, r->server);
	for (unsigned i = 0; i < RIG_CLIENTS; i++)
		r->fd[i] = -1;
	rig_connect(r, 0);
}

static inline void
rig_close(struct rig *r)
{
	for (unsigned i = 0; i < RIG_CLIENTS; i++) {
		if (r->fd[i] != -1)
			close(r->fd[i]);
		free(r->in[i]);
	}
	server_free(r->server);
	commands_free(r->commands);
	assert_int_equal(r->alive.nquestions, 0);
	event_free(r->alive.event);
	cloud_free(r->cloud);
	event_base_free(r->base);
	config_clear(&r->config);
	free(r->text);
}

/* --- talking --- */

static inline void
rig_send(struct rig *r, unsigned i, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(r->fd[i], p, len);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else {
			assert_true(n == -1 && errno == EAGAIN);
		}
		event_base_loop(r->base, EVLOOP_NONBLOCK);
	}
}

/* One request: words between blanks, as bulk strings; "\1" stands for a blank in a word. */
static inline void
rig_request(struct rig *r, unsigned i, const char *request)
{
	struct respbuf b;
	char word[512];
	const char *p;
	unsigned n = 0;

	respbuf_init(&b);
	for (p = request; *p != '\0'; n++)
		p += strcspn(p, " "), p += *p == ' ';
	resp_head(&b, '*', n);
	for (p = request; *p != '\0';) {
		size_t len = strcspn(p, " ");

		assert_true(len < sizeof(word));
		for (size_t k = 0; k < len; k++)
			word[k] = p[k] == '\1' ? ' ' : p[k];
		resp_bulk(&b, word, len);
		p += len;
		p += *p == ' ';
	}
	rig_send(r, i, b.buf, b.len);
	respbuf_clear(&b);
}

__attribute__((format(printf, 2, 3))) static inline void
show(struct rig *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->used += (size_t)vsnprintf(r->text + r->used, RIG_TEXT - r->used, fmt, ap);
	va_end(ap);
	assert_true(r->used < RIG_TEXT);
}

/* Show the reply at P. Behind it, NULL: it is not whole. */
static inline const char *
show_reply(struct rig *r, const char *p, const char *end)
{
	const char *eol = memchr(p, '\r', (size_t)(end - p));
	long n;

	if (eol == NULL || eol + 2 > end)
		return NULL;
	assert_int_equal(eol[1], '\n');
	n = strtol(p + 1, NULL, 10);
	switch (*p) {
	case '+':
	case '-':
	case ':':
	case ',':
	case '_':
		show(r, "%.*s", (int)(eol - p), p);
		return eol + 2;
	case '$':
	case '=':
		if (n < 0) {
			show(r, "nil");
			return eol + 2;
		}
		if (end - eol < n + 4)
			return NULL;
		assert_memory_equal(eol + 2 + n, "\r\n", 2);
		show(r, *p == '=' ? "=%.*s" : "\"%.*s\"", (int)n, eol + 2);
		return eol + 4 + n;
	case '*':
	case '%':
	case '~':
	case '>':
		if (n < 0) {
			show(r, "*nil");
			return eol + 2;
		}
		if (*p == '*')
			show(r, "[");
		else
			show(r, "%c[", *p);
		n *= *p == '%' ? 2 : 1;
		p = eol + 2;
		for (long i = 0; i < n; i++) {
			if (i > 0)
				show(r, ", ");
			if (p == end || (p = show_reply(r, p, end)) == NULL)
				return NULL;
		}
		show(r, "]");
		return p;
	}
	fail_msg("no reply begins with %.*s", (int)(eol - p), p);
	return NULL;
}

static inline void
rig_turn(struct rig *r)
{
	event_base_loop(r->base, EVLOOP_NONBLOCK);
}

/* What has come from the server. False: nothing, or the connection has ended. */
static inline bool
rig_take(struct rig *r, unsigned i)
{
	char buf[65536];
	ssize_t n = read(r->fd[i], buf, sizeof(buf));

	if (n <= 0)
		return false;
	r->in[i] = realloc(r->in[i], r->len[i] + (size_t)n + 1);
	memcpy(r->in[i] + r->len[i], buf, (size_t)n);
	r->len[i] += (size_t)n;
	r->in[i][r->len[i]] = '\0'; /* strtol() looks there */
	return true;
}

/* The next reply of client I, waited for ten seconds at most. */
static inline const char *
rig_reply(struct rig *r, unsigned i)
{
	time_t until = time(NULL) + 10;
	const char *end;
	bool more = false;

	do {
		r->used = 0;
		r->text[0] = '\0';
		if (!more && r->len[i] > 0 &&
		    (end = show_reply(r, r->in[i], r->in[i] + r->len[i])) != NULL) {
			r->len[i] -= (size_t)(end - r->in[i]);
			memmove(r->in[i], end, r->len[i] + 1);
			return r->text;
		}
		rig_turn(r);
		for (more = false; rig_take(r, i);)
			more = true;
	} while (time(NULL) <= until);
	fail_msg("no reply");
	return NULL;
}

static inline const char *
ask_as(struct rig *r, unsigned i, const char *request)
{
	rig_request(r, i, request);
	return rig_reply(r, i);
}

static inline const char *
ask(struct rig *r, const char *request)
{
	return ask_as(r, 0, request);
}

#define expect(r, request, reply) assert_string_equal(ask(r, request), reply)

/* Has the server closed it? Waits a moment for that. */
static inline bool
rig_is_closed(struct rig *r, unsigned i)
{
	time_t until = time(NULL) + 10;
	char c;

	do {
		rig_turn(r);
		if (recv(r->fd[i], &c, 1, MSG_PEEK) == 0)
			return true;
		rig_take(r, i);
	} while (time(NULL) <= until);
	return false;
}

/* Nothing came, after some turns. */
static inline bool
rig_is_silent(struct rig *r, unsigned i)
{
	for (unsigned n = 0; n < 20; n++) {
		rig_turn(r);
		rig_take(r, i);
	}
	return r->len[i] == 0;
}

/* --- things to ask for --- */

static inline struct cloud_key *
rig_ip(struct rig *r, const char *text)
{
	struct cloud_key *key;
	uint8_t addr[16];

	assert_int_equal(keyname_read_addr(addr, text, strlen(text)), 0);
	key = cloud_key(r->cloud, CLOUD_IP, addr, sizeof(addr));
	assert_non_null(key);
	return key;
}

/* TCP, 10.0.0.N.(1000 + N) to 192.0.2.1 port 443; 100 N octets sent, 200 N back. */
static inline struct alive_flow *
rig_flow(struct rig *r, unsigned n)
{
	struct alive_flow *a = &r->alive.flow[r->alive.n++];
	struct flow *f = &a->flow;
	char name[96];

	snprintf(name, sizeof(name), "flow.tcp.10.0.%u.%u.%u-192.0.2.1.443", n / 256, n % 256,
	    1000 + n);
	assert_int_equal(keyname_read_flow(&f->key, name, strlen(name)), 0);
	f->key.ip_version = 4;
	f->packets[0] = n;
	f->packets[1] = 2 * n;
	f->octets[0] = 100 * n;
	f->octets[1] = 200 * n;
	f->first_us[0] = f->first_us[1] = 1700000000000000ULL;
	f->last_dir_us[0] = f->last_dir_us[1] = 1700000001000000ULL;
	f->tcp[0].flags = 0x12;
	return a;
}

#endif
