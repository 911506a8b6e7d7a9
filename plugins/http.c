/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.c -- HTTP/1.x over TCP, on any port: an event for each request and its
 * response, counts by host name, the operating system clients say they have.
 *
 * A flow has a parser for each direction (http_parse.h) and a queue of requests that
 * wait for their response, in order, as HTTP/1.x pairs them; they lie packed in a
 * fixed space, so a flow has one size. Where the queue gets long, texts of new
 * requests get shorter; beyond REQUESTS they are counted and not kept, and their
 * responses stand alone. What the queue costs is a move of what is left, a few
 * hundred bytes, per response.
 *
 * An event may be longer than a report: it is then sent in parts, which come one
 * after another because a worker's reports are in order.
 */
#include "http_int.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	C_REQUESTS,
	C_RESPONSES,
	C_UNANSWERED,
	C_UNASKED,
	C_LOST,
	C_CROWDED,
};

static const struct mc_counter counters[] = {
    {"requests", "requests seen"},
    {"responses", "final responses seen"},
    {"unanswered", "requests whose response was not seen"},
    {"unasked", "responses whose request was not seen"},
    {"resyncs", "times a direction lost its place between messages"},
    {"crowded", "requests not kept: too many were waiting for responses"},
    {0},
};

static const struct mc_option options[] = {
    {"response", "begun",
	"when a response counts. begun: with its first line, and latency is up to "
	"its first segment; whole: seen to its end, else status and latency are "
	"null, and latency is up to its last segment; tshark: as whole, and where "
	"bytes of one are missing its request takes the next, as tshark pairs them"},
    {0},
};

/* What is in a record. Zeros: nothing yet. */
struct fields {
	uint64_t present;
	uint16_t status;
	char method[HTTP_METHOD_MAX + 1];
	char url[512], host[128], site[128], referer[256], agent[256],
	    mime[MIME_MAX + 1];
};

#define PEN 35632
#define FIELD(m, l, i, n, t, p, h)                                               \
	{                                                                        \
		.label = l, .pen = PEN, .id = i, .len = n, .type = t,            \
		.offset = (uint16_t)offsetof(struct fields, m),                  \
		.size = (uint16_t)sizeof(((struct fields *)0)->m), .present = p, \
		.help = h                                                        \
	}

static const struct mc_field fields[] = {
    FIELD(url, "HTTP_URL", 180, 128, MC_STRING, P_URL,
	"HTTP: target of the first request"),
    FIELD(status, "HTTP_RET_CODE", 181, 2, MC_U16, P_STATUS,
	"HTTP: status of its response"),
    FIELD(referer, "HTTP_REFERER", 182, 128, MC_STRING, P_REFERER, "HTTP: referer"),
    FIELD(agent, "HTTP_USER_AGENT", 183, 128, MC_STRING, P_AGENT, "HTTP: user agent"),
    FIELD(mime, "HTTP_MIME", 184, 32, MC_STRING, P_MIME,
	"HTTP: type of the response's body"),
    FIELD(host, "HTTP_HOST", 187, 64, MC_STRING, P_HOST, "HTTP: host asked"),
    FIELD(method, "HTTP_METHOD", 360, 16, MC_STRING, P_METHOD, "HTTP: method"),
    FIELD(site, "HTTP_SITE", 361, 64, MC_STRING, P_SITE,
	"HTTP: host asked, without the part that names a machine of the site"),
    {0},
};

static const char *const channels[] = {"http", NULL};

/* Contexts: of a worker, or of the control side. */
struct worker {
	bool split;
	bool whole; /* only whole responses count */
	bool skip;  /* and others leave their request where it is */
	uint8_t buf[WIRE_MAX];
};

struct context {
	void *control; /* owned; NULL: a worker's */
	struct worker worker;
};

static int
http_init(void **ctx, const struct mc_setup *setup, char *err, size_t errlen)
{
	const char *response = setup->option(setup, "response");
	struct context *c;

	if (strcmp(response, "begun") != 0 && strcmp(response, "whole") != 0 &&
	    strcmp(response, "tshark") != 0) {
		snprintf(err, errlen, "response is begun, whole or tshark, not \"%s\"",
		    response);
		return -1;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL ||
	    (setup->control && (c->control = http_control_new(setup)) == NULL)) {
		free(c);
		snprintf(err, errlen, "no memory");
		return -1;
	}
	c->worker.split = setup->split;
	c->worker.skip = response[0] == 't';
	c->worker.whole = response[0] == 'w' || c->worker.skip;
	*ctx = c;
	return 0;
}

static void
http_fini(void *ctx)
{
	struct context *c = ctx;

	if (c->control != NULL)
		http_control_free(c->control);
	free(c);
}

/* Ports where a line without a version is HTTP all the same. */
static bool
is_http_port(const struct mc_key *key)
{
	static const uint16_t ports[] = {80, 8080, 8000, 8008, 8888, 3128};
	size_t i;

	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (key->port[0] == ports[i] || key->port[1] == ports[i])
			return true;
	return false;
}

/* TLS, SSH and HTTP/2 say who they are. */
static bool
is_other(const struct mc_packet *p)
{
	return (p->len >= 2 && p->data[0] >= 0x14 && p->data[0] <= 0x17 &&
		   p->data[1] == 3) ||
	       (p->len >= 4 && memcmp(p->data, "SSH-", 4) == 0) ||
	       (p->len >= 14 && memcmp(p->data, "PRI * HTTP/2.0", 14) == 0);
}

/* Could these be the first bytes of a first line, which is not all here? */
static bool
is_prefix(const struct mc_packet *p)
{
	uint32_t i, n = p->len < 16 ? p->len : 16;

	if (memchr(p->data, '\n', p->len) != NULL)
		return false;
	for (i = 0; i < n; i++)
		if (p->data[i] < ' ' || p->data[i] > '~')
			return false;
	return true;
}

/*
 * One look at the first line. Where HTTP is usual, what is none may still be answered
 * by it, and what was there before the capture may be a body: it waits for the next
 * line.
 */
static enum mc_match
http_match(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	bool usual = is_http_port(key);

	(void)ctx;
	if (key->proto != 6)
		return MC_MATCH_NO;
	if (p->len == 0)
		return MC_MATCH_LATER;
	switch (http_guess(p->data, p->len)) {
	case HTTP_GUESS_REQUEST:
	case HTTP_GUESS_RESPONSE:
		return MC_MATCH_YES;
	case HTTP_GUESS_OLD:
		return usual ? MC_MATCH_YES : MC_MATCH_NO;
	case HTTP_GUESS_NO:
		break;
	}
	if (is_other(p))
		return MC_MATCH_NO;
	return usual || is_prefix(p) ? MC_MATCH_LATER : MC_MATCH_NO;
}

static void
fields_request(struct fields *f, struct request *r)
{
	size_t len;
	const char *p;

	if ((f->present & 1 << P_METHOD) != 0)
		return;
	memset(f, 0, sizeof(*f));
	r->in_fields = true;
#define PUT(m, kind, bit)                                 \
	do {                                              \
		p = http_request_text(r, kind, &len);     \
		if (http_put(f->m, sizeof(f->m), p, len)) \
			f->present |= 1 << (bit);         \
	} while (0)
	PUT(method, HTTP_METHOD, P_METHOD);
	PUT(url, HTTP_URL, P_URL);
	PUT(host, HTTP_HOST, P_HOST);
	PUT(referer, HTTP_REFERER, P_REFERER);
	PUT(agent, HTTP_AGENT, P_AGENT);
#undef PUT
	p = http_request_text(r, HTTP_HOST, &len);
	p = http_host_site(p, &len);
	if (http_put(f->site, sizeof(f->site), p, len))
		f->present |= 1 << P_SITE;
}

/* The head of the request being written is whole, or as whole as it gets. */
static void
head_done(struct state *s, struct fields *f)
{
	if (!s->head || s->tentative)
		return;
	http_request_close(s);
	fields_request(f, request_at(s, s->last));
}

static void
fields_response(struct fields *f, const struct response *p, const struct request *r)
{
	if (r != NULL ? !r->in_fields || (f->present & 1 << P_METHOD) == 0
		      : f->present != 0)
		return;
	f->status = p->status;
	f->present |= 1 << P_STATUS;
	if (http_put(f->mime, sizeof(f->mime), p->mime, p->mime_len))
		f->present |= 1 << P_MIME;
}

/* In parts, if it is long. What finds no room is lost, and counted by the host. */
static void
send(struct worker *w, const struct mc_flow *flow, size_t total)
{
	uint8_t msg[MC_REPORT_MAX];
	struct part part = {.sender = (uintptr_t)w, .total = (uint32_t)total};
	size_t at, n;

	for (at = 0; at < total; at += n) {
		n = total - at < PART_MAX ? total - at : PART_MAX;
		part.at = (uint32_t)at;
		memcpy(msg, &part, sizeof(part));
		memcpy(msg + sizeof(part), w->buf + at, n);
		if (!mc_report(flow, msg, sizeof(part) + n))
			return;
	}
}

/* R or P may be NULL. WHOLE: P was seen to its end. */
static void
report(struct worker *w, const struct state *s, const struct mc_flow *flow,
    const struct request *r, const struct response *p, bool whole)
{
	const struct side *server = &s->side[!s->client];
	struct wire m = {.client = s->client,
	    .client_nw_us = flow->client_nw_us,
	    .server_nw_us = flow->server_nw_us};
	size_t at = sizeof(m), len;
	const char *text;
	unsigned i;

	m.first_us = r != NULL ? r->first_us : p->first_us;
	if (r != NULL) {
		m.present |= 1 << P_REQ_BYTES;
		m.req_bytes = r->bytes;
		for (i = HTTP_METHOD; i <= HTTP_AGENT; i++) {
			text = http_request_text(r, i, &len);
			memcpy(w->buf + at, text, len);
			m.len[i] = (uint16_t)len;
			at += len;
		}
	}
	if (p != NULL) {
		m.present |= 1 << P_RESP_BYTES;
		m.resp_bytes = server->bytes;
		m.len[HTTP_MIME] = p->mime_len;
		memcpy(w->buf + at, p->mime, p->mime_len);
		at += p->mime_len;
		if (whole || !w->whole) {
			m.present |= 1 << P_STATUS;
			m.status = p->status;
		}
	}
	if (r != NULL && p != NULL && (whole || !w->whole)) {
		m.present |= 1 << P_LATENCY;
		m.latency_us = p->latency_us;
		if (w->whole)
			m.latency_us = server->last_us > r->last_us
					   ? server->last_us - r->last_us
					   : 0;
	}
	memcpy(w->buf, &m, sizeof(m));
	send(w, flow, at);
}

static void
response_done(struct worker *w, struct state *s, const struct mc_flow *flow, bool whole)
{
	struct response *p = &s->response;

	if (!p->seen)
		return;
	whole &= !p->holes;
	http_request_update(s);
	if (whole || !w->skip || !p->bound) {
		report(w, s, flow, p->bound ? request_at(s, 0) : NULL, p, whole);
		if (p->bound)
			http_request_pop(s);
	}
	memset(p, 0, sizeof(*p));
}

/* There is nothing more to come. */
static void
finish(struct worker *w, struct state *s, struct fields *f, const struct mc_flow *flow)
{
	response_done(w, s, flow, false);
	http_request_update(s);
	head_done(s, f);
	mc_flow_count(flow, C_UNANSWERED, s->requests);
	while (s->requests > 0) {
		report(w, s, flow, request_at(s, 0), NULL, false);
		http_request_pop(s);
	}
	http_request_forget(s);
	s->used = 0;
}

static void
roles(struct state *s, unsigned client)
{
	s->known = true;
	s->client = (uint8_t)client;
	s->side[client].parser.side = HTTP_REQUEST;
	s->side[!client].parser.side = HTTP_RESPONSE;
}

/* Steps of the two parsers. */

static void
on_begin(struct state *s, unsigned dir, uint64_t now_us)
{
	struct side *d = &s->side[dir];

	d->first_us = d->last_us = now_us;
	d->bytes = 0;
	if (d->parser.side == HTTP_RESPONSE)
		return;
	s->client = (uint8_t)dir;
	http_request_open(s, now_us);
}

static void
on_text(struct state *s, unsigned dir)
{
	const struct http_parser *h = &s->side[dir].parser;
	struct response *p = &s->response;
	uint32_t i;

	if (h->kind != HTTP_MIME) {
		if (s->head && s->client == dir)
			http_request_add(s, h->kind, h->piece, h->piece_len);
		return;
	}
	/* up to the parameters; of final responses only */
	for (i = 0; p->seen && !p->mime_ended && i < h->piece_len; i++) {
		p->mime_ended = h->piece[i] == ';' || h->piece[i] == '\r' ||
				h->piece[i] == ' ' || p->mime_len == MIME_MAX;
		if (!p->mime_ended)
			p->mime[p->mime_len++] = (char)h->piece[i];
	}
}

static void
on_request(struct state *s, unsigned dir, const struct mc_flow *flow)
{
	const struct http_parser *h = &s->side[dir].parser;

	if (s->known && dir != s->client) /* begun before the roles were known */
		return;
	mc_flow_count(flow, C_REQUESTS, 1);
	if (s->head && s->tentative && s->client == dir) {
		s->tentative = false;
		s->requests++;
		http_request_add(s, HTTP_METHOD, h->word, h->word_len);
	} else {
		http_request_forget(s);
		s->crowded++;
		mc_flow_count(flow, C_CROWDED, 1);
	}
	if (!s->known)
		roles(s, dir);
}

static void
on_response(struct state *s, struct fields *f, unsigned dir, const struct mc_flow *flow)
{
	const struct side *d = &s->side[dir];
	const struct request *r = request_at(s, 0);
	struct response *p = &s->response;

	if (!s->known) {
		http_request_forget(s); /* what might have been one */
		roles(s, !dir);
	}
	if (dir == s->client || (d->parser.status < 200 && d->parser.status != 101))
		return;
	memset(p, 0, sizeof(*p));
	p->seen = true;
	p->status = d->parser.status;
	p->first_us = d->first_us;
	mc_flow_count(flow, C_RESPONSES, 1);
	if (s->side[s->client].parser.holed) /* what is missing was its end */
		head_done(s, f);
	if (s->requests > 0) {
		http_request_update(s);
		p->bound = true;
		p->latency_us = p->first_us > r->last_us ? p->first_us - r->last_us : 0;
		return;
	}
	mc_flow_count(flow, C_UNASKED, 1);
	if (s->crowded > 0)
		s->crowded--;
}

/*
 * Say what the flow is, by its first request. Of an agent nDPI knows a few apps, by the
 * product ("Mozilla"), not its version and what stands behind; and it looks at the type of a body.
 */
static void
claim(struct state *s, const struct mc_flow *flow, const struct http_parser *h)
{
	const struct request *r = request_at(s, s->last);
	bool plain = http_request_is(r, "GET") || http_request_is(r, "HEAD");
	const char *host, *agent, *slash;
	size_t hlen, alen;

	s->named = true;
	if (h->holed)
		return;
	host = http_request_text(r, HTTP_HOST, &hlen);
	agent = http_request_text(r, HTTP_AGENT, &alen);
	slash = memchr(agent, '/', alen);
	if (slash != NULL)
		alen = (size_t)(slash - agent);
	if (!plain || h->has_length || h->coded)
		hlen = 0;
	mc_flow_is(flow, MC_L7_HTTP, host, hlen, agent, alen);
}

/*
 * A head that goes on in the next packet: nDPI, too, reads a host in one packet only. If
 * none has begun it may have more luck with the next.
 */
static void
claim_head(struct state *s, const struct mc_flow *flow, unsigned dir)
{
	const struct http_parser *h = &s->side[dir].parser;

	if (!s->known || s->client != dir || !s->head || s->tentative ||
	    (h->seen & 1 << HTTP_HOST) == 0)
		return;
	s->named = true;
	mc_flow_is(flow, MC_L7_HTTP, NULL, 0, NULL, 0);
}

static void
on_request_head(struct state *s, struct fields *f, unsigned dir, const struct mc_flow *flow)
{
	struct http_parser *h = &s->side[dir].parser;
	bool first = !s->named && s->head && !s->tentative;

	http_body(h, http_framing(h, false));
	if (s->client != dir)
		return;
	head_done(s, f);
	if (first)
		claim(s, flow, h);
}

/* True: the connection is another protocol's from now on. */
static bool
on_response_head(struct state *s, struct fields *f, unsigned dir)
{
	struct http_parser *h = &s->side[dir].parser;
	struct response *p = &s->response;
	const struct request *r = p->bound ? request_at(s, 0) : NULL;

	http_body(h, http_framing(h, r != NULL && http_request_is(r, "HEAD")));
	if (!p->seen)
		return false;
	fields_response(f, p, r);
	return p->status == 101 ||
	       (r != NULL && p->status < 300 && http_request_is(r, "CONNECT"));
}

/* The message at hand, if it is one, is not coming to its end. */
static void
on_broken(struct worker *w, struct state *s, struct fields *f,
    const struct mc_flow *flow, unsigned dir)
{
	if (s->known && dir != s->client) {
		response_done(w, s, flow, false);
		return;
	}
	if (s->client != dir || !s->writing)
		return;
	http_request_update(s);
	head_done(s, f);
	http_request_forget(s);
}

static void
on_end(struct worker *w, struct state *s, const struct mc_flow *flow, unsigned dir)
{
	if (dir != s->client) {
		response_done(w, s, flow, true);
		return;
	}
	http_request_update(s);
	s->writing = false;
}

/* True: nothing more is of interest. */
static bool
feed(struct worker *w, struct state *s, struct fields *f, const struct mc_flow *flow,
    const struct mc_packet *p)
{
	struct http_input in = {p->data, p->len};
	struct side *d = &s->side[p->dir];
	enum http_step step;
	uint32_t before;
	bool lost;

	do {
		before = in.len;
		lost = d->parser.lost;
		step = http_parse(&d->parser, &in);
		if (step != HTTP_BEGIN && in.len < before) {
			d->bytes += before - in.len;
			d->last_us = p->ts_us;
		}
		switch (step) {
		case HTTP_BEGIN:
			on_begin(s, p->dir, p->ts_us);
			break;
		case HTTP_TEXT:
			on_text(s, p->dir);
			break;
		case HTTP_LINE:
			if (d->parser.is == HTTP_REQUEST)
				on_request(s, p->dir, flow);
			else
				on_response(s, f, p->dir, flow);
			break;
		case HTTP_HEAD:
			if (d->parser.is == HTTP_REQUEST) {
				on_request_head(s, f, p->dir, flow);
			} else if (on_response_head(s, f, p->dir)) {
				response_done(w, s, flow, true);
				return true;
			}
			break;
		case HTTP_NOT:
			mc_flow_count(flow, C_LOST, !lost);
			on_broken(w, s, f, flow, p->dir);
			break;
		case HTTP_END:
			on_end(w, s, flow, p->dir);
			break;
		case HTTP_MORE:
			break;
		}
	} while (step != HTTP_MORE);
	return false;
}

/* N bytes of DIR are missing. */
static void
gap(struct worker *w, struct state *s, struct fields *f, const struct mc_flow *flow,
    unsigned dir, uint32_t n)
{
	struct side *d = &s->side[dir];
	bool lost = d->parser.lost;

	if (http_gap(&d->parser, n == MC_GAP_START ? UINT64_MAX : n)) {
		d->bytes += n == MC_GAP_START ? 0 : n;
		if (s->known && dir != s->client)
			s->response.holes = s->response.seen;
		return;
	}
	mc_flow_count(flow, C_LOST, !lost && n != MC_GAP_START);
	on_broken(w, s, f, flow, dir);
}

/* Does this packet begin a request while the record is of another? */
static bool
is_cut(const struct state *s, const struct fields *f, const struct mc_packet *p)
{
	const struct http_parser *h = &s->side[p->dir].parser;

	return (f->present & 1 << P_METHOD) != 0 && s->known && p->dir == s->client &&
	       (http_idle(h) || h->lost || p->gap != 0) &&
	       http_guess(p->data, p->len) >= HTTP_GUESS_OLD;
}

static void
forget_fields(struct state *s)
{
	size_t at;

	for (at = 0; at < s->used; at += request_at(s, at)->size)
		request_at(s, at)->in_fields = false;
}

static enum mc_verdict
http_on_packet(void *ctx, void *state, void *fields_at, const struct mc_flow *flow,
    const struct mc_packet *p)
{
	struct worker *w = &((struct context *)ctx)->worker;
	struct state *s = state;
	struct fields *f = fields_at;
	bool over;

	if (!s->begun) {
		s->begun = true;
		http_parser_init(&s->side[0].parser, HTTP_ANY, false);
		http_parser_init(&s->side[1].parser, HTTP_ANY, false);
	}
	if (w->split && p->len > 0 && is_cut(s, f, p)) {
		forget_fields(s);
		return MC_SPLIT;
	}
	if (p->gap != 0)
		gap(w, s, f, flow, p->dir, p->gap);
	if (!http_piece(&s->side[p->dir].parser, p->data, p->len)) {
		mc_flow_count(flow, C_LOST, 1);
		on_broken(w, s, f, flow, p->dir);
	}
	over = feed(w, s, f, flow, p);
	if (!s->named)
		claim_head(s, flow, p->dir);
	if (!over && p->wire_len > p->len) {
		struct mc_packet end = {.ts_us = p->ts_us, .dir = p->dir};

		gap(w, s, f, flow, p->dir, p->wire_len - p->len);
		over = feed(w, s, f, flow, &end);
	}
	if (!over && p->fin && s->known && p->dir != s->client)
		response_done(w, s, flow, http_until_close(&s->side[p->dir].parser));
	if (over)
		finish(w, s, f, flow);
	return over ? MC_DONE : MC_MORE;
}

static void
http_on_close(void *ctx, void *state, void *fields_at, const struct mc_flow *flow,
    uint64_t now_us)
{
	(void)now_us;
	finish(&((struct context *)ctx)->worker, state, fields_at, flow);
}

static void
http_report(void *ctx, const struct mc_cloud *cloud, const void *msg, size_t len)
{
	http_on_report(((struct context *)ctx)->control, cloud, msg, len);
}

MC_PLUGIN_SYMBOL(http) = {
    .abi = MC_PLUGIN_ABI,
    .size = sizeof(struct mc_plugin),
    .name = "http",
    .summary = "HTTP/1.x requests and responses: events, hosts, HTTP_ fields",
    .options = options,
    .fields = fields,
    .counters = counters,
    .channels = channels,
    .fields_size = sizeof(struct fields),
    .state_size = sizeof(struct state),
    .init = http_init,
    .fini = http_fini,
    .match = http_match,
    .on_packet = http_on_packet,
    .on_close = http_on_close,
    .on_report = http_report,
};
