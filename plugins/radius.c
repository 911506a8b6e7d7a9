/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * radius.c -- RADIUS: authentication (ports 1812, 1645), accounting (1813, 1646),
 * dynamic authorization (3799, 1700): an event per packet, and who has which address.
 *
 * Worker side. A request is remembered in its flow's state by its id, so that its
 * answer is paired and a repetition (same code, id and authenticator) told from a new
 * one. All packets are sent on as they come, with what they say; texts are cut only
 * where they exceed a report together. A record carries its first transaction.
 *
 * Control side. An Access-Request is kept (REQUESTS at most, the oldest of its place
 * goes) until it is answered, for an Access-Accept says little of whom it accepts.
 * Users and sessions are in radius_user.c. Accounting is believed when it is asked, not
 * when it is answered: at once. Repetitions are events, but change nothing else.
 * Nothing here can check authenticators, for that needs the secret; passwords are never
 * looked at.
 */
#include <mcprobe/plugin.h>

#include "radius_user.h"
#include "radius_wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS	     256
#define WAYS	     4
#define PLACES	     1024
#define REQUESTS     (PLACES * WAYS)
#define SPLIT_MARK   0x20000u /* sub-flows are SPLIT_MARK | id */
#define REPETITION_US UINT64_C(300000000) /* later it is another that looks the same */
#define TEXTS_SENT   (RADIUS_CALLED + 1)
#define SESSIONS_MIN 16
#define SESSIONS_MAX (1 << 20)

enum counter {
	COUNT_PACKETS,
	COUNT_OTHER,
	COUNT_MALFORMED,
	COUNT_REPEATED,
	COUNT_UNASKED,
	COUNT_UNANSWERED,
	COUNT_REQUESTS_FULL,
	COUNT_SESSIONS_FULL,
};

static const struct mc_counter counters[] = {
    [COUNT_PACKETS] = {"packets", "RADIUS packets"},
    [COUNT_OTHER] = {"other", "packets on RADIUS ports that are something else"},
    [COUNT_MALFORMED] = {"malformed", "packets that contradict themselves"},
    [COUNT_REPEATED] = {"repeated", "requests and answers seen again"},
    [COUNT_UNASKED] = {"unasked", "answers without a request"},
    [COUNT_UNANSWERED] = {"unanswered", "requests without an answer"},
    [COUNT_REQUESTS_FULL] = {"requests_full",
	"Access-Requests forgotten for newer ones"},
    [COUNT_SESSIONS_FULL] = {"sessions_full",
	"sessions or addresses given up for want of room"},
    {NULL, NULL},
};

static const struct mc_option options[] = {
    {"sessions", "65536", "sessions that are known at a time; beyond, the one that was "
	"not heard of for longest is ended"},
    {NULL, NULL, NULL},
};

/* The last request with this id. */
struct request {
	uint64_t ts_us, mark;
	uint8_t code; /* 0: none */
	uint8_t dir;
	bool answered;
};

struct state {
	struct request requests[IDS];
};

enum field_bit {
	FIELD_REQUEST,
	FIELD_RESPONSE,
	FIELD_NAS_IP,
	FIELD_FRAMED_IP,
	FIELD_NUMBERS, /* and as many as there are numbers */
	FIELD_TEXTS = FIELD_NUMBERS + RADIUS_NUMBERS,
};

/* What a record carries: its first transaction. */
struct fields {
	uint64_t present;
	uint64_t mark; /* the request's, or of an answer alone; not exported */
	uint64_t in_octets, out_octets;
	uint32_t status, in_packets, out_packets;
	uint8_t request, response;
	uint8_t nas_ip[16], framed_ip[16];
	char text[RADIUS_TEXTS][RADIUS_TEXT];
};

#define FIELD(l, n, t, m, w, p, h)                                               \
	{.label = l, .pen = 35632, .id = n, .len = w, .type = t,                 \
	    .offset = offsetof(struct fields, m),                                \
	    .size = sizeof(((struct fields *)0)->m), .present = p, .help = h}
#define TEXT(l, n, i, w, h) FIELD(l, n, MC_STRING, text[i], w, FIELD_TEXTS + (i), h)

static const struct mc_field fields[] = {
    FIELD("RADIUS_REQ_MSG_TYPE", 240, MC_U8, request, 1, FIELD_REQUEST,
	"RADIUS request (1 Access, 4 Accounting ...)"),
    FIELD("RADIUS_RSP_MSG_TYPE", 241, MC_U8, response, 1, FIELD_RESPONSE,
	"RADIUS answer (2 Access-Accept, 3 Access-Reject ...)"),
    TEXT("RADIUS_USER_NAME", 242, RADIUS_USER, 64, "RADIUS user name"),
    TEXT("RADIUS_CALLING_STATION_ID", 243, RADIUS_CALLING, 32,
	"RADIUS calling station, often the user's MAC address"),
    TEXT("RADIUS_CALLED_STATION_ID", 244, RADIUS_CALLED, 32, "RADIUS called station"),
    FIELD("RADIUS_NAS_IP_ADDR", 245, MC_ADDR, nas_ip, 4, FIELD_NAS_IP,
	"RADIUS NAS: its address"),
    TEXT("RADIUS_NAS_IDENTIFIER", 246, RADIUS_NAS_ID, 32, "RADIUS NAS: its name"),
    TEXT("RADIUS_USER_IMSI", 247, RADIUS_IMSI, 16, "IMSI (3GPP)"),
    TEXT("RADIUS_USER_IMEI", 248, RADIUS_IMEI, 16, "IMEI and software version (3GPP)"),
    FIELD("RADIUS_FRAMED_IP_ADDR", 249, MC_ADDR, framed_ip, 4, FIELD_FRAMED_IP,
	"RADIUS address given to the user"),
    TEXT("RADIUS_ACCT_SESSION_ID", 250, RADIUS_SESSION, 32, "RADIUS session"),
    FIELD("RADIUS_ACCT_STATUS_TYPE", 251, MC_U32, status, 4,
	FIELD_NUMBERS + RADIUS_STATUS,
	"RADIUS accounting (1 Start, 2 Stop, 3 Interim ...)"),
    FIELD("RADIUS_ACCT_IN_OCTETS", 252, MC_U64, in_octets, 8,
	FIELD_NUMBERS + RADIUS_IN_OCTETS,
	"RADIUS octets from the user, with gigawords"),
    FIELD("RADIUS_ACCT_OUT_OCTETS", 253, MC_U64, out_octets, 8,
	FIELD_NUMBERS + RADIUS_OUT_OCTETS, "RADIUS octets to the user, with gigawords"),
    FIELD("RADIUS_ACCT_IN_PKTS", 254, MC_U32, in_packets, 4,
	FIELD_NUMBERS + RADIUS_IN_PACKETS, "RADIUS packets from the user"),
    FIELD("RADIUS_ACCT_OUT_PKTS", 255, MC_U32, out_packets, 4,
	FIELD_NUMBERS + RADIUS_OUT_PACKETS, "RADIUS packets to the user"),
    {.label = NULL},
};

enum report_flag {
	REPORT_PAIRED = 1, /* an answer, and its request was seen: LATENCY_US */
	REPORT_REPEATED = 2,
};

/* From worker to control: a packet. Its texts follow. */
struct report {
	uint64_t ts_us, latency_us;
	struct radius_facts f;
	uint8_t dir, flags;
	uint8_t text_len[TEXTS_SENT];
};

_Static_assert(sizeof(struct report) + 2 * RADIUS_TEXT <= MC_REPORT_MAX,
    "a report has room for a user's name and a session's");
_Static_assert(sizeof(struct fields) <= MC_FIELDS_MAX, "fields");
_Static_assert(sizeof(struct state) <= MC_STATE_MAX, "state");
_Static_assert(FIELD_TEXTS + RADIUS_TEXTS <= 64, "bits");

/* An Access-Request that waits, on the control side. The report's texts follow. */
struct asked_key {
	uint8_t addr[2][16];
	uint16_t port[2], vlan;
	uint8_t id, dir;
};

struct asked {
	struct asked_key key;
	uint64_t ts_us;
	size_t len;
	uint8_t msg[];
};

struct context {
	bool split;
	/* control */
	struct radius_users *users;
	uint64_t evicted; /* as told */
	struct asked **asked; /* PLACES times WAYS */
};

/* A report, taken apart. */
struct told {
	struct report r;
	char text[TEXTS_SENT][RADIUS_TEXT];
};

/* What an event is made of. */
enum event_bit {
	EVENT_USER,
	EVENT_FRAMED,
	EVENT_FRAMED6,
	EVENT_STATUS,
	EVENT_STATUS_NAME,
	EVENT_SESSION,
	EVENT_CALLING,
	EVENT_CALLED,
	EVENT_NAS_IP,
	EVENT_NAS_ID,
	EVENT_IN,
	EVENT_OUT,
	EVENT_LATENCY,
	EVENT_MALFORMED,
};

struct event {
	uint64_t present;
	uint64_t in_octets, out_octets, latency_us;
	uint32_t status;
	uint8_t code, id;
	bool malformed;
	uint8_t framed[16], nas_ip[16];
	char framed6[RADIUS_NET_TEXT];
	char status_name[RADIUS_NAME];
	char user[RADIUS_TEXT], session[RADIUS_TEXT], calling[RADIUS_TEXT],
	    called[RADIUS_TEXT], nas_id[RADIUS_TEXT];
};

static const struct mc_row rows[] = {
    MC_ROW(event, code, "code", MC_U8, MC_NO_ROW),
    MC_ROW(event, id, "id", MC_U8, MC_NO_ROW),
    MC_ROW(event, user, "user", MC_STRING, EVENT_USER),
    MC_ROW(event, framed, "framedIp", MC_ADDR, EVENT_FRAMED),
    MC_ROW(event, framed6, "framedIp6", MC_STRING, EVENT_FRAMED6),
    MC_ROW(event, status_name, "acctStatus", MC_STRING, EVENT_STATUS_NAME),
    MC_ROW(event, status, "acctStatusId", MC_U32, EVENT_STATUS),
    MC_ROW(event, session, "session", MC_STRING, EVENT_SESSION),
    MC_ROW(event, calling, "calling", MC_STRING, EVENT_CALLING),
    MC_ROW(event, called, "called", MC_STRING, EVENT_CALLED),
    MC_ROW(event, nas_ip, "nasIp", MC_ADDR, EVENT_NAS_IP),
    MC_ROW(event, nas_id, "nasId", MC_STRING, EVENT_NAS_ID),
    MC_ROW(event, in_octets, "inOctets", MC_U64, EVENT_IN),
    MC_ROW(event, out_octets, "outOctets", MC_U64, EVENT_OUT),
    MC_ROW(event, latency_us, "latencyUs", MC_U64, EVENT_LATENCY),
    MC_ROW(event, malformed, "malformed", MC_BOOL, EVENT_MALFORMED),
};

static bool
is_port(uint16_t port)
{
	return port == 1812 || port == 1813 || port == 1645 || port == 1646 ||
	    port == 3799 || port == 1700;
}

static bool
is_ours(const struct mc_key *key)
{
	return key->proto == 17 && (is_port(key->port[0]) || is_port(key->port[1]));
}

static int
reason(char *err, size_t errlen, const char *why)
{
	snprintf(err, errlen, "%s", why);
	return -1;
}

static int
radius_init(void **ctx, const struct mc_setup *s, char *err, size_t errlen)
{
	const char *text = s->option(s, "sessions");
	struct context *x;
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < SESSIONS_MIN ||
	    n > SESSIONS_MAX)
		return reason(err, errlen, "sessions: a number from 16 to 1048576");
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return reason(err, errlen, "no memory");
	x->split = s->split;
	if (s->control) {
		x->users = radius_users_new(s->grace_us, (unsigned)n);
		x->asked = calloc(REQUESTS, sizeof(x->asked[0]));
		if (x->users == NULL || x->asked == NULL) {
			radius_users_free(x->users);
			free(x->asked);
			free(x);
			return reason(err, errlen, "no memory");
		}
	}
	*ctx = x;
	return 0;
}

static void
radius_fini(void *ctx)
{
	struct context *x = ctx;
	unsigned i;

	if (x == NULL)
		return;
	for (i = 0; x->asked != NULL && i < REQUESTS; i++)
		free(x->asked[i]);
	free(x->asked);
	radius_users_free(x->users);
	free(x);
}

/* Clients choose any port, so others' packets have these too: it must look like it. */
static enum mc_match
radius_match(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	struct radius_packet m;

	(void)ctx;
	if (!is_ours(key))
		return MC_MATCH_NO;
	return radius_parse(&m, p->data, p->len, p->wire_len) ? MC_MATCH_YES
							      : MC_MATCH_LATER;
}

static uint32_t
radius_subflow(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	(void)ctx;
	if (!is_ours(key) || p->len < RADIUS_HEADER)
		return 0;
	return SPLIT_MARK | p->data[1];
}

static void
fill_ip(
    struct fields *x, enum field_bit bit, uint8_t to[16], bool has, const uint8_t *v)
{
	struct radius_net n;

	if (!has || (x->present >> bit & 1) != 0)
		return;
	radius_net4(&n, v);
	memcpy(to, n.addr, 16);
	x->present |= UINT64_C(1) << bit;
}

/* MARK is the transaction's. */
static void
fill(struct fields *x, const struct radius_packet *m, uint64_t mark, bool request)
{
	const struct radius_facts *f = &m->f;
	unsigned bit = request ? FIELD_REQUEST : FIELD_RESPONSE, i;

	if (x->present != 0 && x->mark != mark)
		return;
	x->mark = mark;
	if ((x->present >> bit & 1) != 0)
		return;
	x->present |= UINT64_C(1) << bit;
	*(request ? &x->request : &x->response) = f->code;
	fill_ip(x, FIELD_NAS_IP, x->nas_ip, f->has_nas, f->nas);
	fill_ip(x, FIELD_FRAMED_IP, x->framed_ip, f->has_framed, f->framed);
	for (i = 0; i < RADIUS_TEXTS; i++) {
		if (m->text_len[i] == 0 || (x->present >> (FIELD_TEXTS + i) & 1) != 0)
			continue;
		x->present |= UINT64_C(1) << (FIELD_TEXTS + i);
		radius_string(
		    x->text[i], sizeof(x->text[i]), m->text[i], m->text_len[i]);
	}
	if (f->numbers == 0 || (x->present >> FIELD_NUMBERS & f->numbers) != 0)
		return;
	x->present |= (uint64_t)f->numbers << FIELD_NUMBERS;
	x->status = f->number[RADIUS_STATUS];
	x->in_octets = radius_octets(f, RADIUS_IN_OCTETS);
	x->out_octets = radius_octets(f, RADIUS_OUT_OCTETS);
	x->in_packets = f->number[RADIUS_IN_PACKETS];
	x->out_packets = f->number[RADIUS_OUT_PACKETS];
}

static void
report(const struct mc_flow *f, const struct radius_packet *m,
    const struct mc_packet *p, uint8_t flags, uint64_t latency_us)
{
	uint8_t buf[MC_REPORT_MAX], *at = buf + sizeof(struct report);
	struct report r;
	unsigned i;

	memset(&r, 0, sizeof(r));
	r.ts_us = p->ts_us;
	r.latency_us = latency_us;
	r.f = m->f;
	r.dir = p->dir;
	r.flags = flags;
	for (i = 0; i < TEXTS_SENT; i++) {
		size_t room = sizeof(buf) - (size_t)(at - buf), n = m->text_len[i];

		n = n < room ? n : room;
		r.text_len[i] = (uint8_t)n;
		if (n > 0)
			memcpy(at, m->text[i], n);
		at += n;
	}
	memcpy(buf, &r, sizeof(r));
	mc_report(f, buf, (size_t)(at - buf));
}

static bool
is_repetition(const struct request *q, const struct radius_packet *m,
    const struct mc_packet *p)
{
	return q->code != 0 && q->dir == p->dir && q->mark == m->mark &&
	    p->ts_us < q->ts_us + REPETITION_US;
}

static void
on_request(struct request *q, struct fields *x, const struct mc_flow *f,
    const struct radius_packet *m, const struct mc_packet *p)
{
	uint8_t flags = 0;

	if (is_repetition(q, m, p)) {
		mc_flow_count(f, COUNT_REPEATED, 1);
		flags = REPORT_REPEATED;
	} else {
		if (q->code != 0 && !q->answered)
			mc_flow_count(f, COUNT_UNANSWERED, 1);
		*q = (struct request){.ts_us = p->ts_us, .mark = m->mark,
		    .code = m->f.code, .dir = p->dir};
	}
	fill(x, m, q->mark, true);
	report(f, m, p, flags, 0);
}

static void
on_answer(struct request *q, struct fields *x, const struct mc_flow *f,
    const struct radius_packet *m, const struct mc_packet *p)
{
	if (q->code == 0 || q->dir == p->dir || !radius_answers(m->f.code, q->code)) {
		mc_flow_count(f, COUNT_UNASKED, 1);
		fill(x, m, m->mark, false);
		report(f, m, p, 0, 0);
		return;
	}
	fill(x, m, q->mark, false);
	if (q->answered) {
		mc_flow_count(f, COUNT_REPEATED, 1);
		report(f, m, p, REPORT_REPEATED, 0);
		return;
	}
	q->answered = true;
	report(f, m, p, REPORT_PAIRED, p->ts_us > q->ts_us ? p->ts_us - q->ts_us : 0);
}

static enum mc_verdict
radius_on_packet(void *ctx, void *state, void *record, const struct mc_flow *f,
    const struct mc_packet *p)
{
	const struct context *c = ctx;
	struct fields *x = record;
	struct radius_packet m;
	struct request *q;
	bool request;

	if (!radius_parse(&m, p->data, p->len, p->wire_len)) {
		mc_flow_count(f, COUNT_OTHER, 1);
		return MC_MORE;
	}
	q = &((struct state *)state)->requests[m.f.id];
	request = radius_is_request(m.f.code);
	if (c->split && request && x->present != 0 && !is_repetition(q, &m, p))
		return MC_SPLIT;
	mc_flow_count(f, COUNT_PACKETS, 1);
	if (m.f.malformed)
		mc_flow_count(f, COUNT_MALFORMED, 1);
	if (request)
		on_request(q, x, f, &m, p);
	else
		on_answer(q, x, f, &m, p);
	return MC_MORE;
}

static void
radius_on_close(void *ctx, void *state, void *record, const struct mc_flow *f,
    uint64_t now_us)
{
	const struct state *s = state;
	unsigned i, n = 0;

	(void)ctx;
	(void)record;
	(void)now_us;
	for (i = 0; i < IDS; i++)
		n += s->requests[i].code != 0 && !s->requests[i].answered;
	if (n > 0)
		mc_flow_count(f, COUNT_UNANSWERED, n);
}

/* Control side. */

static bool
take_apart(struct told *t, const void *msg, size_t len)
{
	const uint8_t *at = (const uint8_t *)msg + sizeof(t->r);
	size_t left;
	unsigned i;

	if (len < sizeof(t->r))
		return false;
	memcpy(&t->r, msg, sizeof(t->r));
	left = len - sizeof(t->r);
	for (i = 0; i < TEXTS_SENT; i++) {
		size_t n = t->r.text_len[i];

		if (n > left)
			return false;
		radius_string(t->text[i], sizeof(t->text[i]), at, n);
		at += n;
		left -= n;
	}
	return true;
}

/* The place of requests of KEY: WAYS of them. */
static struct asked **
place_of(const struct context *x, const struct asked_key *key)
{
	const uint8_t *p = (const uint8_t *)key;
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < sizeof(*key); i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return x->asked + WAYS * ((h ^ h >> 32) % PLACES);
}

static void
asked_key(struct asked_key *key, const struct mc_cloud *c, uint8_t id, uint8_t dir)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->addr, c->key->addr, sizeof(key->addr));
	memcpy(key->port, c->key->port, sizeof(key->port));
	key->vlan = c->key->vlan;
	key->id = id;
	key->dir = dir;
}

/* Where the request is, or NULL. */
static struct asked **
find_asked(const struct context *x, const struct asked_key *key)
{
	struct asked **a = place_of(x, key);
	unsigned i;

	for (i = 0; i < WAYS; i++)
		if (a[i] != NULL && memcmp(&a[i]->key, key, sizeof(*key)) == 0)
			return &a[i];
	return NULL;
}

static void
keep_asked(struct context *x, const struct mc_cloud *c, const struct told *t,
    const void *msg, size_t len)
{
	struct asked **a, *new;
	struct asked_key key;
	unsigned i, at = 0;

	asked_key(&key, c, t->r.f.id, t->r.dir);
	new = malloc(sizeof(*new) + len);
	if (new == NULL)
		return;
	new->key = key;
	new->ts_us = t->r.ts_us;
	new->len = len;
	memcpy(new->msg, msg, len);
	a = find_asked(x, &key);
	if (a == NULL) { /* where there is room, else the oldest's */
		a = place_of(x, &key);
		for (i = 0; i < WAYS && a[at] != NULL; i++)
			if (a[i] == NULL || a[i]->ts_us < a[at]->ts_us)
				at = i;
		if (a[at] != NULL)
			c->host->count(c->handle, COUNT_REQUESTS_FULL, 1);
		a += at;
	}
	free(*a);
	*a = new;
}

static const char *
either(const char *a, const char *b)
{
	return a[0] != '\0' ? a : b;
}

/* The answer to an Access-Request. */
static void
on_access(struct context *x, const struct mc_cloud *c, const struct told *t)
{
	struct asked_key key;
	struct asked **a;
	struct told q;

	asked_key(&key, c, t->r.f.id, !t->r.dir);
	a = find_asked(x, &key);
	if (a == NULL)
		return;
	if (t->r.f.code == RADIUS_ACCESS_ACCEPT &&
	    take_apart(&q, (*a)->msg, (*a)->len)) {
		struct radius_news n = {.ts_us = t->r.ts_us, .dir = t->r.dir,
		    .f = &t->r.f, .sender = c->key->addr[!t->r.dir], .nas = &q.r.f,
		    .user = either(t->text[RADIUS_USER], q.text[RADIUS_USER]),
		    .session = either(t->text[RADIUS_SESSION], q.text[RADIUS_SESSION]),
		    .nas_id = q.text[RADIUS_NAS_ID], .calling = q.text[RADIUS_CALLING]};

		radius_users_accept(x->users, c, &n);
	}
	free(*a);
	*a = NULL;
}

static void
on_account(struct context *x, const struct mc_cloud *c, const struct told *t)
{
	struct radius_news n = {.ts_us = t->r.ts_us,
	    .dir = t->r.dir,
	    .f = &t->r.f,
	    .sender = c->key->addr[t->r.dir],
	    .nas = &t->r.f,
	    .user = t->text[RADIUS_USER],
	    .session = t->text[RADIUS_SESSION],
	    .nas_id = t->text[RADIUS_NAS_ID],
	    .calling = t->text[RADIUS_CALLING]};

	radius_users_account(x->users, c, &n);
}

static void
event_text(struct event *e, enum event_bit bit, char *to, const char *from)
{
	size_t n = strlen(from);

	memcpy(to, from, n + 1);
	if (n > 0)
		e->present |= UINT64_C(1) << bit;
}

/* The IPv6 address or prefix to show: the nearest to an address. */
static void
event_net(struct event *e, const struct radius_facts *f)
{
	const struct radius_net *best = NULL;
	unsigned i;

	e->framed6[0] = '\0';
	for (i = 0; i < f->nnets; i++)
		if (best == NULL || f->nets[i].kind < best->kind)
			best = &f->nets[i];
	if (best == NULL)
		return;
	radius_net_text(e->framed6, best);
	e->present |= 1 << EVENT_FRAMED6;
}

static void
publish(const struct mc_cloud *c, const struct told *t)
{
	const struct radius_facts *f = &t->r.f;
	struct mc_cloud own = *c;
	const char *status = NULL;
	struct radius_net net;
	struct event e;

	own.user = NULL; /* the packet's own only */
	e.present = 0;
	e.code = f->code;
	e.id = f->id;
	event_text(&e, EVENT_USER, e.user, t->text[RADIUS_USER]);
	event_text(&e, EVENT_SESSION, e.session, t->text[RADIUS_SESSION]);
	event_text(&e, EVENT_CALLING, e.calling, t->text[RADIUS_CALLING]);
	event_text(&e, EVENT_CALLED, e.called, t->text[RADIUS_CALLED]);
	event_text(&e, EVENT_NAS_ID, e.nas_id, t->text[RADIUS_NAS_ID]);
	radius_net4(&net, f->framed);
	memcpy(e.framed, net.addr, 16);
	radius_net4(&net, f->nas);
	memcpy(e.nas_ip, f->has_nas ? net.addr : f->nas6, 16);
	event_net(&e, f);
	e.status = f->number[RADIUS_STATUS];
	if (radius_has(f, RADIUS_STATUS))
		status = radius_status_name(e.status);
	snprintf(
	    e.status_name, sizeof(e.status_name), "%s", status != NULL ? status : "");
	e.in_octets = radius_octets(f, RADIUS_IN_OCTETS);
	e.out_octets = radius_octets(f, RADIUS_OUT_OCTETS);
	e.latency_us = t->r.latency_us;
	e.malformed = true;
	e.present |= (uint64_t)f->has_framed << EVENT_FRAMED |
	    (uint64_t)(f->has_nas || f->has_nas6) << EVENT_NAS_IP |
	    (uint64_t)radius_has(f, RADIUS_STATUS) << EVENT_STATUS |
	    (uint64_t)(status != NULL) << EVENT_STATUS_NAME |
	    (uint64_t)radius_has(f, RADIUS_IN_OCTETS) << EVENT_IN |
	    (uint64_t)radius_has(f, RADIUS_OUT_OCTETS) << EVENT_OUT |
	    (uint64_t)((t->r.flags & REPORT_PAIRED) != 0) << EVENT_LATENCY |
	    (uint64_t)f->malformed << EVENT_MALFORMED;
	mc_cloud_publish(&own, "radius", t->r.ts_us, t->r.dir, rows,
	    sizeof(rows) / sizeof(rows[0]), &e);
}

static void
radius_on_report(void *ctx, const struct mc_cloud *c, const void *msg, size_t len)
{
	struct context *x = ctx;
	uint64_t evicted;
	struct told t;

	if (!take_apart(&t, msg, len))
		return;
	if (mc_cloud_wanted(c, "radius"))
		publish(c, &t);
	if ((t.r.flags & REPORT_REPEATED) != 0)
		return;
	if (t.r.f.code == RADIUS_ACCESS_REQUEST)
		keep_asked(x, c, &t, msg, len);
	else if (t.r.f.code == RADIUS_ACCOUNTING_REQUEST &&
	    radius_has(&t.r.f, RADIUS_STATUS))
		on_account(x, c, &t);
	else if ((t.r.flags & REPORT_PAIRED) != 0)
		on_access(x, c, &t);
	evicted = radius_users_evicted(x->users);
	if (evicted > x->evicted)
		c->host->count(c->handle, COUNT_SESSIONS_FULL, evicted - x->evicted);
	x->evicted = evicted;
}

MC_PLUGIN_SYMBOL(radius) = {
    .abi = MC_PLUGIN_ABI,
    .size = sizeof(struct mc_plugin),
    .name = "radius",
    .summary = "RADIUS packets, users and their addresses",
    .options = options,
    .fields = fields,
    .counters = counters,
    .channels = radius_channels,
    .fields_size = sizeof(struct fields),
    .state_size = sizeof(struct state),
    .init = radius_init,
    .fini = radius_fini,
    .match = radius_match,
    .subflow = radius_subflow,
    .on_packet = radius_on_packet,
    .on_close = radius_on_close,
    .on_report = radius_on_report,
};
