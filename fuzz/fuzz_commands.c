/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_commands.c -- Redis clients at the server and its commands, over a tree with keys
 * of every type, live flows that are told of later, and memory that may end.
 *
 *	byte 0	bit 0 a password, 1 small limits, 2 keys and flows are few, 3 one client
 *		only, whose bytes are cut in two ways (what follows are all its bytes)
 *	byte 1	0: memory does not end; else which allocation of the server's and of its
 *		commands fails (bits 0-6), and nine after it (bit 7)
 *	then	steps: u8, bits 7-5 what, bits 4-2 how much, bits 1-0 which client
 *		0-2	it sends a u8 of bytes
 *		3	the loop goes round
 *		4	it reads, 1 << 2 * how much bytes at most
 *		5	the tree changes, time goes on, something is published
 *		6	flows come and go; questions about them are left open, or answered
 *		7	it closes, or sends no more, and comes again
 *
 * What a client gets is whole replies; one for each request, unless it was cut off or
 * asked for less; the same kinds of replies however its bytes are cut. Nobody waits for
 * ever, no question stays open, and the tree is as it was.
 *
 * Longer than 800 lines: the sides of a server are many, and they are checked together.
 */
#include "alive.h"
#include "cloud.h"
#include "command.h"
#include "config.h"
#include "field.h"
#include "fuzz.h"
#include "keyname.h"
#include "log.h"
#include "nomem.h"
#include "server_int.h"
#include "template.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

const char fuzz_name[] = "commands";

#define FLOWS	  12
#define PAGE	  2
#define QUESTIONS 8
#define CLIENTS	  4
#define STEPS	  200
#define DEPTH	  12   /* of arrays in arrays: COMMAND tells of subcommands and their keys */
#define TURNS	  4000 /* within which all that was asked is answered */
#define PASSWORD  "sesame"

/*
 * Live flows
 */
struct question {
	uint64_t ticket, position;
	struct flowkey key;
	alive_found *found;
	alive_paged *paged;
	void *arg;
};

struct alive {
	struct event *event;
	struct alive_flow flow[FLOWS];
	unsigned n;
	struct question question[QUESTIONS];
	unsigned nquestions;
	uint64_t tickets;
	bool silent;
};

static void
answer_page(struct alive *a, const struct question *q)
{
	struct alive_name names[PAGE];
	uint64_t at = q->position;
	unsigned n = 0;

	for (; n < PAGE && at < a->n; at++) {
		names[n].key = a->flow[at].flow.key;
		names[n++].client = (uint8_t)flow_client(&a->flow[at].flow);
	}
	q->paged(q->arg, names, n, at < a->n ? at : 0);
}

static void
answer_find(struct alive *a, const struct question *q)
{
	const struct alive_flow *found = NULL;
	unsigned i;

	for (i = 0; i < a->n && found == NULL; i++)
		if (memcmp(&a->flow[i].flow.key, &q->key, sizeof(q->key)) == 0)
			found = &a->flow[i];
	q->found(q->arg, found);
}

static void
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
		answer_find(a, &q);
	else
		answer_page(a, &q);
}

static uint64_t
alive_ask(struct alive *a, const struct question *q)
{
	if (a->nquestions >= QUESTIONS)
		return 0;
	a->question[a->nquestions] = *q;
	a->question[a->nquestions++].ticket = ++a->tickets;
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
	return alive_ask(
	    a, &(struct question){.position = position, .paged = cb, .arg = arg});
}

void
alive_forget(struct alive *a, uint64_t ticket)
{
	unsigned i;

	for (i = 0; i < a->nquestions; i++)
		if (a->question[i].ticket == ticket)
			break;
	CHECK(i < a->nquestions);
	a->nquestions--;
	memmove(a->question + i, a->question + i + 1,
	    (a->nquestions - i) * sizeof(a->question[0]));
}

uint32_t
alive_count(const struct alive *a)
{
	return a->n;
}

/*
 * The world
 */
struct peer {
	int fd;	       /* -1: not there */
	bool ended;    /* it sends no more */
	bool inexact;  /* replies are not one for each request, or some were not sent */
	bool gone;     /* the server has closed it */
	struct resp_parser sent;
	bool broken;   /* the server will not understand what comes now */
	uint64_t asked;
	char *got; /* what was not looked at yet */
	size_t len;
	uint64_t replies, shape;
};

struct world {
	struct event_base *base;
	struct config config;
	struct template template;
	struct field_context fields;
	struct counters counters;
	struct cloud *cloud;
	struct alive alive;
	struct commands *commands;
	struct server *server;
	struct peer peer[CLIENTS];
	uint64_t now_ms;
	unsigned long at, run; /* of what is left of nomem's */
	uint64_t keys;
};

/* setup.counters */
static void
all_counters(void *arg, struct counters *sum)
{
	*sum = ((struct world *)arg)->counters;
}

/* setup.info */
static void
more_info(void *arg, const char *section, struct respbuf *to)
{
	(void)arg;
	(void)section;
	resp_bytes(to, "# Node0\r\nstate:up\r\n", 19);
}

/* setup.published */
static void
was_published(void *arg, const char *channel, size_t clen, const void *msg, size_t len)
{
	(void)arg;
	CHECK(clen == 0 || channel != NULL);
	CHECK(len == 0 || msg != NULL);
}

static struct cloud_key *
ip_key(struct world *w, unsigned n)
{
	uint8_t id[16] = {[10] = 0xff, 0xff, 10, 0, 0, (uint8_t)n};

	return cloud_key(w->cloud, CLOUD_IP, id, sizeof(id));
}

static void
fill_tree(struct world *w, unsigned n)
{
	struct cloud_key *k;
	unsigned i;

	for (i = 1; i <= n; i++) {
		k = ip_key(w, i);
		CHECK(k != NULL);
		cloud_incr(w->cloud, k, "bytesSent", 1000 * i);
		cloud_incr(w->cloud, k, "pktsSent", i);
		cloud_set(w->cloud, k, "name", "a.example", 9);
		k = cloud_key(w->cloud, CLOUD_TOP, "ip.bytes.28333333", 17);
		CHECK(k != NULL);
		cloud_zincr(w->cloud, k, "10.0.0.1", 8, i);
		cloud_zincr(w->cloud, k, &"abcdefghij"[i % 10], 1, i % 3);
	}
	k = cloud_key(w->cloud, CLOUD_USER, "jane", 4);
	CHECK(k != NULL);
	cloud_set(w->cloud, k, "ip.10.0.0.1", "1700000000", 10);
	k = cloud_key(w->cloud, CLOUD_USER_NET, "10.0.0.0/8", 10);
	CHECK(k != NULL);
	cloud_put(w->cloud, k, "jane", 4);
	k = cloud_key(w->cloud, CLOUD_PROTO, "a*[b]?", 6);
	CHECK(k != NULL);
	cloud_incr(w->cloud, k, "flows", -1);
}

static void
add_flow(struct world *w)
{
	struct alive_flow *a = &w->alive.flow[w->alive.n];
	struct flow *f = &a->flow;
	char name[96];
	int len;

	if (w->alive.n == FLOWS)
		return;
	len = snprintf(name, sizeof(name), "flow.tcp.10.0.0.%u.1000-192.0.2.1.443",
	    ++w->alive.n);
	memset(a, 0, sizeof(*a));
	CHECK(keyname_read_flow(&f->key, name, (size_t)len) == 0);
	f->key.ip_version = 4;
	f->packets[0] = f->packets[1] = w->alive.n;
	f->octets[0] = f->octets[1] = 100 * w->alive.n;
	f->first_us[0] = f->first_us[1] = 1700000000000000;
	f->last_dir_us[0] = f->last_dir_us[1] = 1700000001000000;
}

static void
set_limits(struct server *s, bool small)
{
	struct server_limits *l = &s->limits;

	l->auth_ms = 0; /* nothing here waits for a clock */
	l->linger_ms = l->close_ms = l->half_ms = l->idle_ms = 3600 * 1000;
	l->turn_us = 3600u * 1000 * 1000;
	if (!small)
		return;
	l->request = (struct resp_limits){
	    .args = 12, .bulk = 200, .inline_bytes = 300, .total = 400};
	l->stranger =
	    (struct resp_limits){.args = 5, .bulk = 20, .inline_bytes = 60, .total = 120};
	l->output_pause = 500;
	l->output_stranger = 1000;
	l->output_pushed = 3000;
	l->output = 20000;
	l->output_all = 30000;
	l->patterns = 4;
	l->turn_commands = 3;
}

/* The configuration is read once: nothing changes it. */
static const struct config *
common_config(void)
{
	static struct config c;
	static bool made;
	char *argv[] = {"mcprobe", "-i", "t.pcap", "--resp", "127.0.0.1:1", "-T",
	    "%IPV4_SRC_ADDR %IN_BYTES", "--probe-id", "fuzz", NULL};
	char err[256];

	if (!made)
		CHECK(config_parse(&c, 9, argv, err, sizeof(err)) == 0);
	made = true;
	return &c;
}

static void
open_world(struct world *w, uint8_t head)
{
	static const struct strlist none = {NULL, 0};
	struct cloud_setup cs = {.ttl_s = 300,
	    .max_keys = head & 4 ? 10 : 1000,
	    .seed = 7,
	    .counters = &w->counters};
	char err[256];

	memset(w, 0, sizeof(*w));
	w->config = *common_config();
	CHECK(template_parse(&w->template, w->config.template, 9, BIFLOW_NTOP, false, err,
		  sizeof(err)) == 0);
	w->fields.config = &w->config;
	w->base = event_base_new();
	CHECK(w->base != NULL);
	w->alive.event = event_new(w->base, -1, 0, alive_answer, &w->alive);
	CHECK(w->alive.event != NULL);
	w->cloud = cloud_new(&cs);
	CHECK(w->cloud != NULL);
	w->now_ms = 1000;
	cloud_clock(w->cloud, w->now_ms);
	fill_tree(w, head & 4 ? 2 : 40);
	while (w->alive.n < (head & 4 ? 1 : 7))
		add_flow(w);
	const struct commands_setup setup = {.config = &w->config,
	    .template = &w->template,
	    .base = w->base,
	    .cloud = w->cloud,
	    .alive = &w->alive,
	    .fields = &w->fields,
	    .own = &w->counters,
	    .counters = all_counters,
	    .info = more_info,
	    .published = was_published,
	    .arg = w,
	    .start_us = 1700000000000000};
	w->commands = commands_new(&setup);
	CHECK(w->commands != NULL);
	const struct server_setup ss = {.base = w->base,
	    .listen = &none,
	    .password = head & 1 ? PASSWORD : NULL,
	    .counters = &w->counters,
	    .commands = w->commands};
	w->server = server_new(&ss, err, sizeof(err));
	CHECK(w->server != NULL);
	set_limits(w->server, head & 2);
	commands_server(w->commands, w->server);
	for (unsigned i = 0; i < CLIENTS; i++)
		w->peer[i].fd = -1;
}

/* Memory ends for what the server and commands do, not for the target. */
static void
arm(struct world *w)
{
	nomem_set(w->at, w->run);
}

static void
disarm(struct world *w)
{
	unsigned long n = nomem_asked();

	if (w->at > n) {
		w->at -= n;
	} else if (w->at > 0) {
		w->run = w->at + w->run > n + 1 ? w->at + w->run - n - 1 : 0;
		w->at = w->run > 0 ? 1 : 0;
	}
	nomem_set(0, 0);
}

static void
turn(struct world *w)
{
	arm(w);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
	disarm(w);
}

/*
 * What clients get
 */

/* A line's end. NULL: not there yet. */
static const char *
line_end(const char *p, const char *end)
{
	const char *eol = memchr(p, '\r', (size_t)(end - p));

	if (eol == NULL || eol + 1 == end)
		return NULL;
	CHECK(eol[1] == '\n');
	return eol;
}

static long
read_length(const char *p, const char *eol)
{
	bool minus = p < eol && *p == '-';
	long n = 0;

	CHECK(p + minus < eol && eol - p < 12);
	for (p += minus; p < eol; p++) {
		CHECK(*p >= '0' && *p <= '9');
		n = 10 * n + (*p - '0');
	}
	CHECK(!minus || n == 1);
	return minus ? -1 : n;
}

/* The reply at P: where it ends; NULL: it is not whole. SHAPE is made of the types. */
static const char *
read_reply(const char *p, const char *end, unsigned depth, uint64_t *shape)
{
	const char *eol = p < end ? line_end(p, end) : NULL;
	char type;
	long n;

	CHECK(depth < DEPTH);
	if (eol == NULL)
		return NULL;
	type = *p;
	*shape = fuzz_hash(*shape, &type, 1);
	switch (type) {
	case '+':
	case '-':
		return eol + 2;
	case ':':
	case ',':
	case '_':
	case '#':
		CHECK(eol - p < 24);
		return eol + 2;
	case '$':
	case '=':
		n = read_length(p + 1, eol);
		if (n < 0)
			return eol + 2;
		if (end - (eol + 2) < n + 2)
			return NULL;
		CHECK(eol[2 + n] == '\r' && eol[3 + n] == '\n');
		return eol + 4 + n;
	case '*':
	case '%':
	case '~':
	case '>':
		n = read_length(p + 1, eol);
		*shape = fuzz_hash(*shape, &n, sizeof(n));
		n *= type == '%' ? 2 : 1;
		for (p = eol + 2; n > 0 && p != NULL; n--)
			p = read_reply(p, end, depth + 1, shape);
		return p;
	}
	fuzz_fail(__FILE__, __LINE__, "a reply of no type there is");
}

static void
take_replies(struct peer *c)
{
	const char *p = c->got, *end = p + c->len, *next;
	uint64_t shape = c->shape;

	while (p < end && (next = read_reply(p, end, 0, &shape)) != NULL) {
		c->replies++;
		c->shape = shape;
		p = next;
	}
	c->len = (size_t)(end - p);
	if (c->len > 0)
		memmove(c->got, p, c->len);
}

/* Up to N bytes. Did any come? */
static bool
peer_read(struct peer *c, size_t n)
{
	ssize_t r;

	if (c->fd < 0 || c->gone)
		return false;
	c->got = realloc(c->got, c->len + n);
	CHECK(c->got != NULL);
	r = recv(c->fd, c->got + c->len, n, MSG_DONTWAIT);
	if (r == 0 || (r < 0 && errno != EAGAIN))
		c->gone = true;
	if (r <= 0)
		return false;
	c->len += (size_t)r;
	return true;
}

static bool
has_word(const uint8_t *p, size_t n, const char *word)
{
	size_t len = strlen(word), i;

	for (i = 0; i + len <= n; i++)
		if (strncasecmp((const char *)p + i, word, len) == 0)
			return true;
	return false;
}

/* What makes more or fewer replies than requests, or depends on clocks. */
static bool
is_inexact(const uint8_t *p, size_t n)
{
	static const char *const words[] = {"sub", "mon", "repl", "kill", "quit", "reset",
	    "post", "host:", "shut"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_word(p, n, words[i]))
			return true;
	return false;
}

/* The requests in what was sent, as the server must see them. */
static void
peer_count(struct world *w, struct peer *c, const uint8_t *p, size_t n)
{
	enum resp_result r = RESP_MORE;
	size_t part, room;

	c->sent.limits = w->server->limits.request;
	while (n > 0 && !c->broken) {
		room = c->sent.limits.total - resp_pending(&c->sent);
		part = n < room ? n : room;
		CHECK(part > 0 && resp_feed(&c->sent, p, part));
		while ((r = resp_next(&c->sent)) == RESP_REQUEST) {
			c->asked += c->sent.nargs > 0;
			for (unsigned i = 0; i < c->sent.nargs; i++)
				c->inexact |= is_inexact((const uint8_t *)
							     c->sent.args[i].p,
				    c->sent.args[i].len);
		}
		c->broken = r == RESP_ERROR;
		p += part;
		n -= part;
	}
}

static void
peer_send(struct world *w, struct peer *c, const uint8_t *p, size_t n)
{
	ssize_t sent;
	unsigned tries = 0;

	if (c->fd < 0 || c->ended || c->gone || n == 0)
		return;
	peer_count(w, c, p, n);
	while (n > 0 && tries++ < 4) {
		sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		} else {
			turn(w);
		}
	}
	c->inexact |= n > 0;
}

static void
peer_open(struct world *w, struct peer *c)
{
	int fd[2], room = 4096;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	/* small: the server often finds it full */
	CHECK(setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0);
	memset(c, 0, sizeof(*c));
	c->fd = fd[0];
	resp_parser_init(&c->sent, &w->server->limits.request);
	arm(w);
	client_new(w->server, fd[1], false);
	disarm(w);
}

/* All that was sent has come, all that it gets is whole. */
static void
peer_check(struct world *w, const struct peer *c)
{
	if (c->gone) {
		CHECK(c->replies <= c->asked + 1 || c->inexact);
		return;
	}
	CHECK(c->len == 0);
	if (!c->inexact && w->server->password == NULL)
		CHECK(c->replies == c->asked + c->broken);
}

static void
peer_close(struct peer *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	free(c->got);
	resp_parser_clear(&c->sent);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* Until nobody gets anything and no question is open. */
static void
settle(struct world *w)
{
	unsigned quiet = 0, turns = 0, i;
	bool more;

	w->alive.silent = false;
	event_active(w->alive.event, 0, 0);
	while (quiet < 8) {
		CHECK(turns++ < TURNS);
		turn(w);
		more = w->alive.nquestions > 0;
		for (i = 0; i < CLIENTS; i++)
			if (peer_read(&w->peer[i], 65536)) {
				take_replies(&w->peer[i]);
				more = true;
			}
		quiet = more ? 0 : quiet + 1;
	}
}

static void
close_world(struct world *w)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		peer_close(&w->peer[i]);
	server_free(w->server);
	commands_free(w->commands);
	CHECK(w->alive.nquestions == 0);
	event_free(w->alive.event);
	cloud_free(w->cloud);
	event_base_free(w->base);
}

/*
 * The script
 */
static void
change_tree(struct world *w, unsigned how, unsigned n)
{
	static const char event[] = "{\"v\":1}";
	struct cloud_key *k;

	switch (how) {
	case 0:
	case 1:
		k = ip_key(w, n + 39);
		if (k != NULL)
			cloud_incr(w->cloud, k, how ? "dns.queries" : "bytesRcvd", 1);
		break;
	case 2:
		k = ip_key(w, n + 1);
		if (k != NULL)
			cloud_delete(w->cloud, k);
		break;
	case 3:
		k = cloud_key(w->cloud, CLOUD_TOP, "ip.bytes.28333333", 17);
		if (k != NULL)
			cloud_zincr(w->cloud, k, &"abcdefghij"[n], 1, 1);
		break;
	case 4:
		w->now_ms += n * 60000;
		cloud_clock(w->cloud, w->now_ms);
		break;
	default:
		server_publish(w->server, how == 5 ? "dns" : "flow.end",
		    how == 5 ? 3 : 8, event, sizeof(event) - 1);
	}
}

static void
change_flows(struct world *w, unsigned how)
{
	if (how < 3) {
		add_flow(w);
	} else if (how < 5) {
		w->alive.n -= w->alive.n > 0;
	} else {
		w->alive.silent = how == 5;
		event_active(w->alive.event, 0, 0);
	}
}

static void
step(struct world *w, struct input *in)
{
	uint8_t op = input_u8(in);
	struct peer *c = &w->peer[op & 3];
	unsigned how = op >> 2 & 7;
	uint8_t *p;
	size_t n;

	if (c->fd < 0 && op >> 5 < 3)
		peer_open(w, c);
	switch (op >> 5) {
	case 3:
		turn(w);
		break;
	case 4:
		if (peer_read(c, (size_t)1 << 2 * how))
			take_replies(c);
		break;
	case 5:
		arm(w);
		change_tree(w, how, op & 3);
		disarm(w);
		break;
	case 6:
		change_flows(w, how);
		break;
	case 7:
		if (c->fd >= 0 && how < 4) {
			shutdown(c->fd, SHUT_WR);
			c->ended = true;
		} else {
			peer_close(c);
		}
		break;
	default:
		n = input_u8(in);
		p = input_frame(in, &n);
		peer_send(w, c, p, n);
		free(p);
	}
}

/* Several clients, and what goes on around them. */
static void
play(uint8_t head, uint8_t nomem, struct input *in)
{
	static struct world world;
	struct world *w = &world;
	unsigned i;

	open_world(w, head);
	w->at = nomem & 127;
	w->run = nomem & 128 ? 10 : 1;
	for (i = 0; i < STEPS && in->left > 0; i++)
		step(w, in);
	settle(w);
	for (i = 0; i < CLIENTS; i++)
		if (w->peer[i].fd >= 0)
			peer_check(w, &w->peer[i]);
	close_world(w);
}

/* One client's bytes, at most N at once: what kinds of replies it gets. */
static uint64_t
one_client(uint8_t head, const struct input *in, size_t n, bool *comparable)
{
	static struct world world;
	struct world *w = &world;
	struct peer *c = &w->peer[0];
	struct input rest = *in;
	uint64_t shape;

	open_world(w, head & ~2);
	peer_open(w, c);
	while (rest.left > 0) {
		size_t part = n;
		uint8_t *p = input_frame(&rest, &part);

		peer_send(w, c, p, part);
		turn(w);
		free(p);
		if (peer_read(c, 65536))
			take_replies(c);
	}
	settle(w);
	peer_check(w, c);
	shape = c->shape;
	*comparable = !c->gone && !c->inexact;
	close_world(w);
	return shape;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	struct input in = {data, len};
	uint8_t head, nomem;
	bool same[2];
	uint64_t shape[2];

	if (!ready) {
		nomem_libevent();
		signal(SIGPIPE, SIG_IGN);
		log_open(false, LOG_LEVEL_ERROR);
	}
	ready = true;
	head = input_u8(&in);
	nomem = input_u8(&in);
	if (!(head & 8)) {
		play(head, nomem, &in);
		return 0;
	}
	shape[0] = one_client(head, &in, 200, &same[0]);
	shape[1] = one_client(head, &in, 1 + nomem % 40, &same[1]);
	if (same[0] && same[1])
		CHECK(shape[0] == shape[1]);
	return 0;
}
