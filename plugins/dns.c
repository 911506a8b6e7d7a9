/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dns.c -- DNS (port 53, UDP and TCP), mDNS (5353) and LLMNR (5355): one event and one
 * step of the counters per transaction, as it is complete.
 *
 * Worker side. A query waits in its flow's state until its answer comes, which has its
 * id and its question, or is reported without one: after --dns-timeout without a
 * repetition, when the flow ends, or when PENDING_MAX newer ones wait. A repetition
 * counts as one. An answer that nobody waits for (never asked for, or the second) is
 * reported on its own. What is asked of a group (mDNS, LLMNR) is answered in other
 * flows and is reported at once. Over TCP, whole messages are read where they are; of
 * one in pieces the first PIECES bytes are kept. Each message costs its length, and a
 * look at the waiting ids.
 *
 * Most flows have one query that waits for a moment, and none is in pieces: so queries
 * and pieces are in two arrays per worker, of fixed size, made at start and touched as
 * needed, and a flow's state only says which are its.
 *
 * Control side. Keys, for service dns only:
 *	ip.<addr>		dns.queries dns.nxdomain of a client, dns.replies of a server
 *	dns.server.<addr>	queries replies noerror nxdomain servfail unanswered
 *	dns.client.<addr>	retransmissions latencyUsSum latencyUsMax
 *	dns.domain.<fqdn>	the same
 *	dns.qtype.<TYPE>	queries
 *	dns.rcode.<RCODE>	queries, by the code they were answered with
 *	top.dns.domain.<minute>	queries
 * and what names addresses have: dns.cache.<addr>, ip.<addr> name. These are learned of
 * answers that were asked for, and of mDNS; an answer that nobody asked for proves
 * nothing.
 *
 * Longer than 800 lines: both sides of one plugin, which share its report.
 */
#include <mcprobe/plugin.h>

#include "dns_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX  50
#define PIECES	     2048 /* bytes of a message over TCP that comes in pieces */
#define PIECES_SHARE 16   /* one message in pieces for so many queries that may wait */
#define PATIENCE     8	  /* timeouts in which repetitions may put off the end */
#define CLAIM_MAX	     80 /* bytes of a name, on the wire, that may name a flow */
#define SPLIT_MARK   0x10000u /* sub-flows are SPLIT_MARK | transaction id */
#define CODES	     256 /* types and codes whose names are kept */
#define QUERY_TEXT   256 /* bytes of a name's text that a record has, with its end */
#define QUESTIONS_MAX 16 /* of a message that is to be believed without its beginning */

enum service {
	SERVICE_NONE,
	SERVICE_DNS,
	SERVICE_MDNS,
	SERVICE_LLMNR,
};

enum counter {
	COUNT_MESSAGES,
	COUNT_SHORT,
	COUNT_MALFORMED,
	COUNT_UNASKED,
	COUNT_UNANSWERED,
	COUNT_PENDING_FULL,
	COUNT_TCP_LOST,
	COUNT_PIECES_FULL,
};

static const struct mc_counter counters[] = {
    [COUNT_MESSAGES] = {"messages", "DNS, mDNS and LLMNR messages"},
    [COUNT_SHORT] = {"short", "messages shorter than their header"},
    [COUNT_MALFORMED] = {"malformed", "messages that contradict themselves"},
    [COUNT_UNASKED] = {"unasked", "answers without a query, or the second to it"},
    [COUNT_UNANSWERED] = {"unanswered", "queries without an answer"},
    [COUNT_PENDING_FULL] = {"pending_full",
	"queries for which, or for newer ones, there was no room to wait"},
    [COUNT_TCP_LOST] = {"tcp_lost",
	"TCP: places where a message's beginning is unknown"},
    [COUNT_PIECES_FULL] = {"pieces_full",
	"TCP: messages in pieces without room for them"},
    {NULL, NULL},
};

/* A query that waits. */
struct query {
	uint64_t first_us; /* of its first byte */
	uint64_t asked_us; /* when it was whole: latency counts from here */
	uint64_t due_us;
	uint32_t
	    next; /* index + 1 of the flow's next, or the next free one */
	uint16_t id, qtype, retransmissions;
	uint8_t dir;	   /* sent by this endpoint */
	uint8_t question;  /* enum dns_question */
	bool malformed;
	struct dns_name name;
};

/* A message over TCP in pieces, the length's 2 bytes included; or the next free one. */
union pieces {
	uint8_t bytes[2 + PIECES];
	uint32_t next;
};

/* One side of a TCP connection: length (2 bytes) and message, RFC 1035 §4.2.2. */
struct side {
	uint64_t first_us; /* of the message begun */
	uint32_t pieces;   /* which of the pieces are its; index + 1, 0: none (yet) */
	uint32_t have;	   /* bytes of it that are kept, the 2 of the length included */
	uint32_t missing;  /* bytes of it still to come, once the length is known */
	bool begun;
	bool holed;	   /* bytes of it are lost: no more is kept */
	bool lost;	   /* where the next one begins is not known */
	bool trial;	   /* it may have been here: when there is a header, it shows */
	uint8_t length[2]; /* of the message */
};

struct state {
	uint32_t oldest; /* query that waits; index + 1, 0: none */
	uint32_t npending;
	bool named; /* the first message was seen: it names the flow, or none does */
	struct side sides[2];
};

enum field_bit {
	FIELD_ID,
	FIELD_QUERY,
	FIELD_TYPE,
	FIELD_RCODE,
	FIELD_ANSWERS,
	FIELD_TTL,
	FIELD_RESPONSE,
};

/* What a record carries: its first transaction. */
struct fields {
	uint64_t present;
	uint32_t ttl;
	uint16_t id, qtype;
	uint8_t rcode, answers;
	uint8_t asker; /* endpoint; not exported */
	char *query, *response; /* the host's */
};

#define FIELD(l, n, t, m, w, p, h)                                               \
	{.label = l, .pen = 35632, .id = n, .len = w, .type = t,                 \
	    .offset = offsetof(struct fields, m),                                \
	    .size = sizeof(((struct fields *)0)->m), .present = p, .help = h}

static const struct mc_field fields[] = {
    FIELD("DNS_QUERY", 205, MC_TEXT, query, 256, FIELD_QUERY, "DNS query: the name"),
    FIELD("DNS_QUERY_ID", 206, MC_U16, id, 2, FIELD_ID, "DNS transaction id"),
    FIELD("DNS_QUERY_TYPE", 207, MC_U16, qtype, 2, FIELD_TYPE,
	"DNS query type (1 A, 28 AAAA ...)"),
    FIELD("DNS_RET_CODE", 208, MC_U8, rcode, 1, FIELD_RCODE,
	"DNS return code (0 NOERROR, 3 NXDOMAIN ...; 255: or more)"),
    FIELD("DNS_NUM_ANSWERS", 209, MC_U8, answers, 1, FIELD_ANSWERS,
	"DNS answers (255: or more)"),
    FIELD("DNS_TTL_ANSWER", 352, MC_U32, ttl, 4, FIELD_TTL,
	"TTL of the first address, else of the first answer, in seconds"),
    FIELD("DNS_RESPONSE", 398, MC_TEXT, response, 256, FIELD_RESPONSE,
	"first addresses, else names, of the DNS answer, separated by commas"),
    {.label = NULL},
};

static const struct mc_option options[] = {
    {"pending", "131072",
	"queries that may wait for answers, per worker (16 to 16777216)"},
    {NULL, NULL, NULL},
};

enum report_flag {
	REPORT_ASKED = 1,    /* a query was seen */
	REPORT_ANSWERED = 2, /* an answer was seen */
	REPORT_QTYPE = 4,
	REPORT_COUNT = 8,
	REPORT_TTL = 16,
	REPORT_MALFORMED = 32,
};

/* From worker to control. After it: the addresses, the question, the first address's
 * owner, the text of the response. */
struct report {
	uint64_t first_us, latency_us; /* latency if both asked and answered */
	uint32_t ttl;
	uint16_t id, qtype, rcode, answers, retransmissions;
	uint16_t text_len;
	uint8_t service, client, flags;
	uint8_t name_len, owner_len, naddrs;
};

_Static_assert(sizeof(struct report) + 16 * DNS_ITEMS_MAX + 2 * DNS_NAME_MAX +
	    DNS_RESPONSE <= MC_REPORT_MAX, "a report has room for what it may carry");
_Static_assert(sizeof(struct fields) <= MC_FIELDS_MAX, "fields");
_Static_assert(sizeof(struct state) <= MC_STATE_MAX, "state");

struct context {
	uint64_t timeout_us;
	bool split;
	/* worker: all queries and pieces, the first free one of each (index + 1), and
	 * how many were ever used: those beyond are free too, and not yet touched */
	struct query *queries;
	union pieces *pieces;
	uint32_t queries_max, queries_made, queries_free;
	uint32_t pieces_max, pieces_made, pieces_free;
	/* control: names of the codes that were met, by number; trees, and numbers of
	 * their fields */
	struct code_name {
		uint8_t len; /* 0: not met yet */
		char text[DNS_MNEMONIC];
	} types[CODES], rcodes[CODES];
	int domain, cache, server, client, qtype, rcode;
	int ip_queries, ip_replies, ip_nxdomain;
};

/* What an event is made of. */
enum event_bit {
	EVENT_QNAME,
	EVENT_QTYPE,
	EVENT_RCODE,
	EVENT_ANSWERS,
	EVENT_TTL,
	EVENT_RESPONSE,
	EVENT_LATENCY,
	EVENT_MALFORMED,
};

struct event {
	uint64_t present;
	uint64_t latency_us;
	uint32_t ttl;
	uint16_t id, qtype_id, rcode_id, answers, retransmissions;
	bool malformed;
	char service[8];
	char qname[DNS_NAME_TEXT];
	char qtype[DNS_MNEMONIC], rcode[DNS_MNEMONIC];
	char response[DNS_RESPONSE];
};

static const struct mc_row event_rows[] = {
    MC_ROW(event, service, "service", MC_STRING, MC_NO_ROW),
    MC_ROW(event, id, "id", MC_U16, MC_NO_ROW),
    MC_ROW_NULL(event, qname, "qname", MC_STRING, EVENT_QNAME),
    MC_ROW_NULL(event, qtype, "qtype", MC_STRING, EVENT_QTYPE),
    MC_ROW_NULL(event, qtype_id, "qtypeId", MC_U16, EVENT_QTYPE),
    MC_ROW_NULL(event, rcode, "rcode", MC_STRING, EVENT_RCODE),
    MC_ROW_NULL(event, rcode_id, "rcodeId", MC_U16, EVENT_RCODE),
    MC_ROW_NULL(event, answers, "answers", MC_U16, EVENT_ANSWERS),
    MC_ROW(event, ttl, "ttl", MC_U32, EVENT_TTL),
    MC_ROW(event, response, "response", MC_STRING, EVENT_RESPONSE),
    MC_ROW(event, retransmissions, "retransmissions", MC_U16, MC_NO_ROW),
    MC_ROW_NULL(event, latency_us, "latencyUs", MC_U64, EVENT_LATENCY),
    MC_ROW(event, malformed, "malformed", MC_BOOL, EVENT_MALFORMED),
};

/* Of each port alone; of two, DNS is looked for first, then mDNS. */
static enum service
service_of(const struct mc_key *key)
{
	if (key->proto != 6 && key->proto != 17)
		return SERVICE_NONE;
	if (key->port[0] == 53 || key->port[1] == 53)
		return SERVICE_DNS;
	if (key->proto == 17 && (key->port[0] == 5353 || key->port[1] == 5353))
		return SERVICE_MDNS;
	if (key->port[0] == 5355 || key->port[1] == 5355)
		return SERVICE_LLMNR;
	return SERVICE_NONE;
}

static bool
is_group(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(addr, mapped, sizeof(mapped)) == 0)
		return addr[12] >= 224 && addr[12] <= 239;
	return addr[0] == 0xff;
}

/* One host's address, of which a name says something: not a block list's 0.0.0.0. */
static bool
is_host(const uint8_t addr[16])
{
	static const uint8_t zeros[15], mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (is_group(addr))
		return false;
	if (memcmp(addr, mapped, sizeof(mapped)) == 0)
		return addr[12] != 0 && addr[12] != 127;
	return memcmp(addr, zeros, sizeof(zeros)) != 0 || addr[15] > 1;
}

static void
dns_fini(void *ctx)
{
	struct context *x = ctx;

	free(x->queries);
	free(x->pieces);
	free(x);
}

static int
make_arrays(struct context *x, const struct mc_setup *s, char *err, size_t errlen)
{
	const char *text = s->option(s, "pending");
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n < 16 || n > 16777216) {
		snprintf(err, errlen, "pending is a number from 16 to 16777216");
		return -1;
	}
	x->queries_max = (uint32_t)n;
	x->queries = calloc(n, sizeof(*x->queries));
	x->pieces_max = (uint32_t)n / PIECES_SHARE;
	x->pieces = calloc(x->pieces_max, sizeof(*x->pieces));
	if (x->queries == NULL || x->pieces == NULL) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	return 0;
}

/* Fields of a domain, a server and a client, by number. */
enum figure {
	FIGURE_QUERIES,
	FIGURE_REPLIES,
	FIGURE_NOERROR,
	FIGURE_LATENCY_SUM,
	FIGURE_LATENCY_MAX,
	FIGURE_RETRANSMISSIONS,
	FIGURE_UNANSWERED,
	FIGURE_NXDOMAIN,
	FIGURE_SERVFAIL,
	FIGURES
};

static const char *const figures[FIGURES] = {
    [FIGURE_QUERIES] = "queries",
    [FIGURE_REPLIES] = "replies",
    [FIGURE_NOERROR] = "noerror",
    [FIGURE_LATENCY_SUM] = "latencyUsSum",
    [FIGURE_LATENCY_MAX] = "latencyUsMax",
    [FIGURE_RETRANSMISSIONS] = "retransmissions",
    [FIGURE_UNANSWERED] = "unanswered",
    [FIGURE_NXDOMAIN] = "nxdomain",
    [FIGURE_SERVFAIL] = "servfail",
};

/* The numbers of FIGURES fields must be those above: keys here have no others. */
static int
add_figures(const struct mc_setup *s, int tree, unsigned n)
{
	unsigned i;
	int at;

	for (i = 0; tree >= 0 && i < n; i++) {
		at = mc_field_add(s, tree, figures[i]);
		if (at != (int)i && at != 0) /* 0: nobody could read the keys */
			return -1;
	}
	return tree < 0 ? -1 : 0;
}

static int
make_trees(struct context *x, const struct mc_setup *s)
{
	x->domain = mc_tree_add(s, "dns.domain.", MC_KEY_HASH, UINT32_MAX);
	x->cache = mc_tree_add(s, "dns.cache.", MC_KEY_ADDR_STRING, UINT32_MAX);
	x->server = mc_tree_add(s, "dns.server.", MC_KEY_ADDR_HASH, UINT32_MAX);
	x->client = mc_tree_add(s, "dns.client.", MC_KEY_ADDR_HASH, UINT32_MAX);
	x->qtype = mc_tree_add(s, "dns.qtype.", MC_KEY_HASH, UINT32_MAX);
	x->rcode = mc_tree_add(s, "dns.rcode.", MC_KEY_HASH, UINT32_MAX);
	if (x->cache < 0 || add_figures(s, x->domain, FIGURES) < 0 ||
	    add_figures(s, x->server, FIGURES) < 0 ||
	    add_figures(s, x->client, FIGURES) < 0 || add_figures(s, x->qtype, 1) < 0 ||
	    add_figures(s, x->rcode, 1) < 0 || mc_top_add(s, x->domain, "dns.domain") < 0)
		return -1;
	x->ip_queries = mc_field_add(s, MC_TREE_IP, "dns.queries");
	x->ip_replies = mc_field_add(s, MC_TREE_IP, "dns.replies");
	x->ip_nxdomain = mc_field_add(s, MC_TREE_IP, "dns.nxdomain");
	return (x->ip_queries | x->ip_replies | x->ip_nxdomain) < 0 ? -1 : 0;
}

static int
dns_init(void **ctx, const struct mc_setup *s, char *err, size_t errlen)
{
	struct context *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	x->timeout_us = s->timeout_us;
	x->split = s->split;
	if (!s->control && make_arrays(x, s, err, errlen) == -1) {
		dns_fini(x);
		return -1;
	}
	if (s->control && make_trees(x, s) == -1) {
		snprintf(err, errlen, "no room for its trees of keys");
		free(x);
		return -1;
	}
	*ctx = x;
	return 0;
}

static enum mc_match
dns_match(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	(void)ctx;
	(void)p;
	return service_of(key) != SERVICE_NONE ? MC_MATCH_YES : MC_MATCH_NO;
}

/* mDNS has no ids (RFC 6762 §18.1): its flows stay whole. */
static uint32_t
dns_subflow(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	enum service s = service_of(key);

	(void)ctx;
	if (key->proto != 17 || s == SERVICE_NONE || s == SERVICE_MDNS ||
	    p->len < DNS_HEADER)
		return 0;
	return SPLIT_MARK | (uint32_t)p->data[0] << 8 | p->data[1];
}

/* A transaction: Q, or M, or both. */
static void
report(const struct mc_flow *f, const struct query *q, const struct dns_message *m,
    uint64_t first_us, uint64_t now_us, uint8_t client)
{
	const struct dns_name *name = q != NULL ? &q->name : &m->qname;
	uint8_t buf[MC_REPORT_MAX], *at = buf + sizeof(struct report);
	struct report r = {.first_us = first_us, .service = (uint8_t)service_of(f->key),
	    .client = client};

	if (q != NULL) {
		r.flags |= REPORT_ASKED | (q->malformed ? REPORT_MALFORMED : 0) |
		    (q->question != DNS_NO_QUESTION ? REPORT_QTYPE : 0);
		r.id = q->id;
		r.qtype = q->qtype;
		r.retransmissions = q->retransmissions;
	} else {
		r.flags |= m->question != DNS_NO_QUESTION ? REPORT_QTYPE : 0;
		r.id = m->id;
		r.qtype = m->qtype;
	}
	r.name_len = name->len;
	if (m != NULL) {
		r.flags |= REPORT_ANSWERED | (m->malformed ? REPORT_MALFORMED : 0) |
		    (m->has_ttl ? REPORT_TTL : 0) |
		    (m->opcode != DNS_UPDATE ? REPORT_COUNT : 0); /* RFC 2136 §2.2 */
		r.rcode = m->rcode;
		r.answers = m->count[DNS_ANSWERS];
		r.ttl = m->ttl;
		r.naddrs = (uint8_t)m->naddrs;
		memcpy(at, m->addrs, 16 * m->naddrs);
		at += 16 * m->naddrs;
		r.owner_len = r.service == SERVICE_MDNS ? m->owner.len : 0;
		r.text_len = (uint16_t)strlen(m->response_text);
		if (q != NULL && now_us > q->asked_us)
			r.latency_us = now_us - q->asked_us;
	}
	memcpy(at, name->wire, r.name_len);
	at += r.name_len;
	if (r.owner_len > 0)
		memcpy(at, m->owner.wire, r.owner_len);
	at += r.owner_len;
	if (r.text_len > 0)
		memcpy(at, m->response_text, r.text_len);
	at += r.text_len;
	memcpy(buf, &r, sizeof(r));
	mc_report(f, buf, (size_t)(at - buf));
}

/* A free query, or NULL: none is. */
static struct query *
query_get(struct context *c)
{
	struct query *q;

	if (c->queries_free == 0)
		return c->queries_made < c->queries_max ? &c->queries[c->queries_made++]
							: NULL;
	q = &c->queries[c->queries_free - 1];
	c->queries_free = q->next;
	return q;
}

static struct query *
query_at(const struct context *c, uint32_t index)
{
	return index == 0 ? NULL : &c->queries[index - 1];
}

static void
set_timer(const struct context *c, const struct state *s, const struct mc_flow *f)
{
	uint64_t due = 0;
	struct query *q;

	for (q = query_at(c, s->oldest); q != NULL; q = query_at(c, q->next))
		if (due == 0 || q->due_us < due)
			due = q->due_us;
	mc_timer_set(f, due);
}

/* The query that *LINK, a link of the flow's list, leads to. */
static void
forget(struct context *c, struct state *s, uint32_t *link)
{
	uint32_t index = *link;
	struct query *q = query_at(c, index);

	*link = q->next;
	q->next = c->queries_free;
	c->queries_free = index;
	s->npending--;
}

static void
give_up(struct context *c, struct state *s, uint32_t *link, const struct mc_flow *f)
{
	const struct query *q = query_at(c, *link);

	report(f, q, NULL, q->first_us, 0, q->dir);
	mc_flow_count(f, COUNT_UNANSWERED, 1);
	forget(c, s, link);
}

/*
 * The query of endpoint DIR that M repeats or answers; the link to it, which is 0 if
 * there is none (the end of the list). ANY: an answer whose question is not there, or
 * could not be read, is paired by its id alone.
 */
static uint32_t *
find(const struct context *c, struct state *s, uint8_t dir, const struct dns_message *m,
    bool any)
{
	uint32_t *link = &s->oldest;
	struct query *q;

	for (; (q = query_at(c, *link)) != NULL; link = &q->next) {
		if (q->id != m->id || q->dir != dir)
			continue;
		if (any && m->question == DNS_NO_QUESTION)
			break;
		if (q->question == m->question && q->qtype == m->qtype &&
		    dns_name_equal(
			q->name.wire, q->name.len, m->qname.wire, m->qname.len))
			break;
	}
	return link;
}

/* The record's question, if it has none yet. */
static void
fill_query(struct fields *x, const struct mc_flow *f, uint16_t id, enum dns_question question,
    uint16_t qtype, const struct dns_name *name, uint8_t asker)
{
	char text[QUERY_TEXT];

	if (x->present != 0)
		return;
	x->present = UINT64_C(1) << FIELD_ID;
	x->id = id;
	x->asker = asker;
	if (question != DNS_NO_QUESTION) {
		x->present |= UINT64_C(1) << FIELD_TYPE;
		x->qtype = qtype;
	}
	if (name->len > 0 && mc_text_set(f, &x->query, text, dns_name_text(text,
			sizeof(text), name->wire, name->len, false)))
		x->present |= UINT64_C(1) << FIELD_QUERY;
}

/* The answer to it, if M answers a question of QTYPE with this id. */
static void
fill_answer(struct fields *x, const struct mc_flow *f, const struct dns_message *m,
    uint16_t qtype)
{
	uint16_t n = m->count[DNS_ANSWERS];

	if ((x->present >> FIELD_RCODE & 1) != 0 || x->id != m->id)
		return;
	if ((x->present >> FIELD_TYPE & 1) != 0 && x->qtype != qtype)
		return;
	x->present |= UINT64_C(1) << FIELD_RCODE;
	x->rcode = m->rcode < UINT8_MAX ? (uint8_t)m->rcode : UINT8_MAX;
	if (m->opcode != DNS_UPDATE) {
		x->present |= UINT64_C(1) << FIELD_ANSWERS;
		x->answers = n < UINT8_MAX ? (uint8_t)n : UINT8_MAX;
	}
	if (m->has_ttl) {
		x->present |= UINT64_C(1) << FIELD_TTL;
		x->ttl = m->ttl;
	}
	if (m->response_text[0] != '\0' &&
	    mc_text_set(f, &x->response, m->response_text, strlen(m->response_text)))
		x->present |= UINT64_C(1) << FIELD_RESPONSE;
}

static void
repeated(const struct context *c, struct query *q, uint64_t now_us)
{
	if (q->retransmissions < UINT16_MAX)
		q->retransmissions++;
	if (now_us < q->first_us + PATIENCE * c->timeout_us)
		q->due_us = now_us + c->timeout_us;
}

static void
on_query(struct context *c, struct state *s, struct fields *x, const struct mc_flow *f,
    const struct dns_message *m, uint64_t first_us, uint64_t now_us, uint8_t dir)
{
	bool group = service_of(f->key) != SERVICE_DNS && is_group(f->key->addr[!dir]);
	struct query once, *q;
	uint32_t *link;

	link = find(c, s, dir, m, false);
	if (*link != 0) {
		repeated(c, query_at(c, *link), now_us);
		return;
	}
	fill_query(x, f, m->id, m->question, m->qtype, &m->qname, dir);
	if (!group && s->npending == PENDING_MAX) {
		mc_flow_count(f, COUNT_PENDING_FULL, 1);
		give_up(c, s, &s->oldest, f);
		link = find(
		    c, s, dir, m, false); /* the end may have been the one that went */
	}
	q = group ? NULL : query_get(c);
	if (q == NULL && !group)
		mc_flow_count(f, COUNT_PENDING_FULL, 1);
	if (q == NULL)
		q = &once;
	q->first_us = first_us;
	q->asked_us = now_us;
	q->due_us = now_us + c->timeout_us;
	q->next = 0;
	q->id = m->id;
	q->qtype = m->qtype;
	q->retransmissions = 0;
	q->dir = dir;
	q->question = (uint8_t)m->question;
	q->malformed = m->malformed;
	q->name.len = m->qname.len;
	memcpy(q->name.wire, m->qname.wire, m->qname.len);
	if (q == &once) {
		report(f, q, NULL, first_us, 0, dir);
		return;
	}
	*link = (uint32_t)(q - c->queries) + 1;
	if (s->npending++ == 0)
		mc_timer_set(f, q->due_us);
}

static void
on_answer(struct context *c, struct state *s, struct fields *x, const struct mc_flow *f,
    const struct dns_message *m, uint64_t first_us, uint64_t now_us, uint8_t dir)
{
	uint32_t *link = find(c, s, !dir, m, true);
	const struct query *q = query_at(c, *link);

	if (q == NULL) {
		fill_query(x, f, m->id, m->question, m->qtype, &m->qname, !dir);
		fill_answer(x, f, m, m->qtype);
		mc_flow_count(f, COUNT_UNASKED, 1);
		report(f, NULL, m, first_us, now_us, !dir);
		return;
	}
	fill_query(x, f, q->id, q->question, q->qtype, &q->name, q->dir);
	fill_answer(x, f, m, q->qtype);
	report(f, q, m, q->first_us, now_us, q->dir);
	forget(c, s, link);
	if (s->npending == 0)
		mc_timer_set(f, 0);
}

static void
on_message(struct context *ctx, struct state *s, struct fields *x,
    const struct mc_flow *f, const struct dns_message *m, uint64_t first_us,
    uint64_t now_us, uint8_t dir)
{
	mc_flow_count(f, COUNT_MESSAGES, 1);
	if (m->malformed)
		mc_flow_count(f, COUNT_MALFORMED, 1);
	if (m->response)
		on_answer(ctx, s, x, f, m, first_us, now_us, dir);
	else
		on_query(ctx, s, x, f, m, first_us, now_us, dir);
}

/* A plain question for a plain name: nobody need look at the flow again to name it. */
static void
claim(const struct mc_flow *f, const struct dns_message *m)
{
	char name[DNS_NAME_TEXT];
	size_t len;

	if (m->response || m->malformed || m->opcode != 0 ||
	    m->question != DNS_QUESTION_OK || m->count[DNS_QUESTIONS] != 1 ||
	    m->count[DNS_ANSWERS] != 0 || m->count[DNS_AUTHORITY] != 0 ||
	    m->qname.len <= 1 || m->qname.len > CLAIM_MAX ||
	    service_of(f->key) != SERVICE_DNS)
		return;
	len = dns_name_text(name, sizeof(name), m->qname.wire, m->qname.len, true);
	mc_flow_is(f, MC_L7_DNS, name, len, NULL, 0);
}

static enum mc_verdict
on_datagram(struct context *ctx, struct state *s, struct fields *x,
    const struct mc_flow *f, const struct mc_packet *p)
{
	struct dns_message m;

	if (p->len == 0 && p->wire_len == 0)
		return MC_MORE;
	if (!dns_parse(&m, p->data, p->len, p->wire_len)) {
		mc_flow_count(f, COUNT_SHORT, 1);
		return MC_MORE;
	}
	if (ctx->split && x->present != 0 && !m.response &&
	    *find(ctx, s, p->dir, &m, false) == 0)
		return MC_SPLIT;
	if (!s->named && p->len == p->wire_len)
		claim(f, &m);
	s->named = true;
	on_message(ctx, s, x, f, &m, p->ts_us, p->ts_us, p->dir);
	return MC_MORE;
}

/* LEN bytes of a message of WIRE_LEN over TCP. */
static void
on_piece(struct context *ctx, struct state *s, struct fields *x,
    const struct mc_flow *f, const struct mc_packet *p, const uint8_t *data, size_t len,
    size_t wire_len, uint64_t first_us)
{
	struct dns_message m;

	if (dns_parse(&m, data, len, wire_len))
		on_message(ctx, s, x, f, &m, first_us, p->ts_us, p->dir);
	else
		mc_flow_count(f, COUNT_SHORT, 1);
}

/* The message is over: its pieces are free again. */
static void
side_reset(struct context *c, struct side *t)
{
	if (t->pieces != 0) {
		c->pieces[t->pieces - 1].next = c->pieces_free;
		c->pieces_free = t->pieces;
	}
	t->begun = t->holed = t->trial = false;
	t->pieces = t->have = t->missing = 0;
}

/* Does a message begin here? Of a side whose beginning was lost. */
static bool
is_beginning(const uint8_t *p, size_t n)
{
	unsigned len, records;

	if (n < 2 + DNS_HEADER)
		return false;
	len = (unsigned)p[0] << 8 | p[1];
	p += 2;
	records = ((unsigned)p[6] << 8 | p[7]) + ((unsigned)p[8] << 8 | p[9]) +
	    ((unsigned)p[10] << 8 | p[11]);
	return len >= DNS_HEADER && (p[2] >> 3 & 15) <= 6 && (p[3] & 0x40) == 0 &&
	    ((unsigned)p[4] << 8 | p[5]) <= QUESTIONS_MAX && records <= len / 11;
}

/* The length is known: room for the rest. Without, the message is stepped over. */
static void
side_begin(struct context *c, struct side *t)
{
	t->missing = (uint32_t)t->length[0] << 8 | t->length[1];
	if (c->pieces_free != 0) {
		t->pieces = c->pieces_free;
		c->pieces_free = c->pieces[t->pieces - 1].next;
	} else if (c->pieces_made < c->pieces_max) {
		t->pieces = ++c->pieces_made;
	} else {
		t->holed = true;
	}
}

/* Take bytes of a message that comes in pieces. How many. */
static size_t
side_take(struct context *c, struct side *t, const uint8_t *data, size_t n)
{
	size_t take, keep;

	if (t->have < 2) {
		t->length[t->have++] = data[0];
		if (t->have == 2)
			side_begin(c, t);
		return 1;
	}
	take = n < t->missing ? n : t->missing;
	keep = 2 + PIECES - t->have;
	keep = t->holed ? 0 : take < keep ? take : keep;
	if (keep > 0)
		memcpy(c->pieces[t->pieces - 1].bytes + t->have, data, keep);
	t->have += (uint32_t)keep;
	t->missing -= (uint32_t)take;
	return take;
}

/*
 * A side whose messages' beginnings were lost, or may have been found: do the next N
 * bytes begin one, or go on with it? Fewer than a header are taken on trial: many a
 * client sends the length by itself.
 */
static bool
side_found(struct context *c, struct side *t, const uint8_t *data, size_t n)
{
	uint8_t head[2 + DNS_HEADER];
	size_t have = t->have, more;

	if (t->trial && !t->holed) {
		memcpy(head, t->length, have < 2 ? have : 2);
		if (have > 2)
			memcpy(head + 2, c->pieces[t->pieces - 1].bytes + 2, have - 2);
		more = n < sizeof(head) - have ? n : sizeof(head) - have;
		if (more > 0)
			memcpy(head + have, data, more);
		have += more;
		t->trial = have < sizeof(head);
		if (t->trial ? have < 2 || head[0] > 0 || head[1] >= DNS_HEADER
			     : is_beginning(head, have))
			return true;
	}
	side_reset(c, t);
	t->trial = n > 0 && n < sizeof(head);
	t->lost = n == 0 || (!t->trial && !is_beginning(data, n)) ||
	    (n >= 2 && data[0] == 0 && data[1] < DNS_HEADER);
	t->trial = t->trial && !t->lost;
	return !t->lost;
}

/* The message begun is whole, or what of it came. */
static void
side_finish(struct context *c, struct state *s, struct fields *x,
    const struct mc_flow *f, const struct mc_packet *p)
{
	struct side *t = &s->sides[p->dir];
	size_t len = (size_t)t->length[0] << 8 | t->length[1];

	if (t->pieces != 0)
		on_piece(c, s, x, f, p, c->pieces[t->pieces - 1].bytes + 2, t->have - 2,
		    len, t->first_us);
	else
		mc_flow_count(f, COUNT_PIECES_FULL, 1);
	side_reset(c, t);
}

/* Bytes are lost. Within a message: it goes on behind them. */
static void
side_gap(struct context *ctx, struct state *s, struct fields *x,
    const struct mc_flow *f, const struct mc_packet *p, uint32_t gap)
{
	struct side *t = &s->sides[p->dir];

	if (t->lost)
		return;
	if (gap == MC_GAP_START || !t->begun || t->have < 2 || gap > t->missing) {
		side_reset(ctx, t);
		t->lost = true;
		mc_flow_count(f, COUNT_TCP_LOST, 1);
		return;
	}
	t->missing -= gap;
	t->holed = true;
	if (t->missing == 0)
		side_finish(ctx, s, x, f, p);
}

static void
on_stream(struct context *ctx, struct state *s, struct fields *x,
    const struct mc_flow *f, const struct mc_packet *p)
{
	struct side *t = &s->sides[p->dir];
	const uint8_t *data = p->data;
	size_t n = p->len, len;

	if (p->gap != 0)
		side_gap(ctx, s, x, f, p, p->gap);
	if ((t->lost || t->trial) && !side_found(ctx, t, data, n))
		n = 0;
	while (n > 0) {
		if (!t->begun) {
			len = n >= 2 ? (size_t)data[0] << 8 | data[1] : n;
			if (len + 2 <= n) {
				on_piece(ctx, s, x, f, p, data + 2, len, len, p->ts_us);
				data += len + 2;
				n -= len + 2;
				continue;
			}
			t->begun = true;
			t->first_us = p->ts_us;
		}
		len = side_take(ctx, t, data, n);
		data += len;
		n -= len;
		if (t->have >= 2 && t->missing == 0)
			side_finish(ctx, s, x, f, p);
	}
	if (p->wire_len > p->len)
		side_gap(ctx, s, x, f, p, p->wire_len - p->len);
}

/* Does a new query begin with this packet of a TCP connection? */
static bool
begins_query(const struct state *s, const struct fields *x, const struct mc_packet *p)
{
	if (p->len == 0 || s->sides[p->dir].begun || s->sides[p->dir].lost)
		return false;
	return p->len >= 5 ? (p->data[4] & 0x80) == 0 : p->dir == x->asker;
}

static enum mc_verdict
dns_on_packet(void *ctx, void *state, void *record, const struct mc_flow *f,
    const struct mc_packet *p)
{
	struct context *c = ctx;
	const struct fields *x = record;

	if (f->key->proto == 17)
		return on_datagram(c, state, record, f, p);
	if (c->split && x->present != 0 && begins_query(state, x, p))
		return MC_SPLIT;
	on_stream(c, state, record, f, p);
	return MC_MORE;
}

static void
dns_on_timer(
    void *ctx, void *state, void *record, const struct mc_flow *f, uint64_t now_us)
{
	struct state *s = state;
	uint32_t *link = &s->oldest;
	struct query *q;

	(void)record;
	while ((q = query_at(ctx, *link)) != NULL)
		if (q->due_us <= now_us)
			give_up(ctx, s, link, f);
		else
			link = &q->next;
	set_timer(ctx, s, f);
}

static void
dns_on_close(
    void *ctx, void *state, void *record, const struct mc_flow *f, uint64_t now_us)
{
	struct state *s = state;

	(void)record;
	(void)now_us;
	while (s->oldest != 0)
		give_up(ctx, s, &s->oldest, f);
	side_reset(ctx, &s->sides[0]);
	side_reset(ctx, &s->sides[1]);
}

/* Control side. */

/* A report, taken apart. The pointers are into the message. */
struct parts {
	struct report r;
	const uint8_t *addrs, *name, *owner;
	const char *text;
};

static bool
take_apart(struct parts *p, const void *msg, size_t len)
{
	const uint8_t *at = msg;

	if (len < sizeof(p->r))
		return false;
	memcpy(&p->r, msg, sizeof(p->r));
	p->addrs = at + sizeof(p->r);
	p->name = p->addrs + 16 * p->r.naddrs;
	p->owner = p->name + p->r.name_len;
	p->text = (const char *)p->owner + p->r.owner_len;
	return len == (size_t)((const uint8_t *)p->text - at) + p->r.text_len;
}

/* What a transaction adds to the keys of its server, client and domain. How many. */
static unsigned
fill_adds(struct mc_add add[FIGURES], const struct report *r)
{
	bool asked = r->flags & REPORT_ASKED, answered = r->flags & REPORT_ANSWERED;
	unsigned n = 0;

	if (asked)
		add[n++] = (struct mc_add){FIGURE_QUERIES, MC_ADD, 1};
	if (r->retransmissions > 0)
		add[n++] = (struct mc_add){FIGURE_RETRANSMISSIONS, MC_ADD,
		    r->retransmissions};
	if (!answered) {
		add[n++] = (struct mc_add){FIGURE_UNANSWERED, MC_ADD, 1};
		return n;
	}
	add[n++] = (struct mc_add){FIGURE_REPLIES, MC_ADD, 1};
	if (r->rcode == DNS_NOERROR)
		add[n++] = (struct mc_add){FIGURE_NOERROR, MC_ADD, 1};
	else if (r->rcode == DNS_NXDOMAIN)
		add[n++] = (struct mc_add){FIGURE_NXDOMAIN, MC_ADD, 1};
	else if (r->rcode == DNS_SERVFAIL)
		add[n++] = (struct mc_add){FIGURE_SERVFAIL, MC_ADD, 1};
	if (asked) {
		add[n++] = (struct mc_add){FIGURE_LATENCY_SUM, MC_ADD, r->latency_us};
		add[n++] = (struct mc_add){FIGURE_LATENCY_MAX, MC_ADD_MAX, r->latency_us};
	}
	return n;
}

/* One of a field of a host. */
static void
feed_host(const struct mc_cloud *c, const uint8_t *addr, int field)
{
	const struct mc_add one = {(uint8_t)field, MC_ADD, 1};

	mc_cloud_add(c, MC_TREE_IP, addr, 16, &one, 1, 0, 0);
}

/* One query of the kind CODE, which is called what NAME says. */
static void
feed_code(const struct mc_cloud *c, int tree, struct code_name kept[CODES], uint16_t code,
    void (*name)(char to[DNS_MNEMONIC], uint16_t code))
{
	static const struct mc_add one = {FIGURE_QUERIES, MC_ADD, 1};
	struct code_name other = {.len = 0}, *n = code < CODES ? &kept[code] : &other;

	if (n->len == 0) {
		name(n->text, code);
		n->len = (uint8_t)strlen(n->text);
	}
	mc_cloud_add(c, tree, n->text, n->len, &one, 1, 0, 0);
}

static void
feed_keys(struct context *x, const struct mc_cloud *c, const struct report *r,
    const char *domain, size_t domain_len)
{
	const uint8_t *client = c->key->addr[r->client],
		      *server = c->key->addr[!r->client];
	bool asked = r->flags & REPORT_ASKED;
	struct mc_add add[FIGURES];
	unsigned n = fill_adds(add, r);

	if (asked)
		feed_host(c, client, x->ip_queries);
	if (r->flags & REPORT_ANSWERED) {
		feed_host(c, server, x->ip_replies);
		if (r->rcode == DNS_NXDOMAIN)
			feed_host(c, client, x->ip_nxdomain);
		feed_code(c, x->rcode, x->rcodes, r->rcode, dns_rcode_name);
	}
	mc_cloud_add(c, x->client, client, 16, add, n, 0, 0);
	mc_cloud_add(c, x->server, server, 16, add, n, 0, 0);
	if (asked && (r->flags & REPORT_QTYPE))
		feed_code(c, x->qtype, x->types, r->qtype, dns_type_name);
	if (domain_len > 0)
		mc_cloud_add(c, x->domain, domain, domain_len, add, n, asked, r->first_us);
}

/* NAME is what the addresses of the answer are called. */
static void
learn(const struct context *x, const struct mc_cloud *c, const struct parts *p,
    const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < p->r.naddrs; i++) {
		const uint8_t *a = p->addrs + 16 * i;

		if (is_host(a)) /* ip.<addr> gets it from there */
			mc_cloud_put(c, x->cache, a, 16, -1, name, len);
	}
}

static void
publish(const struct mc_cloud *c, const struct parts *p)
{
	static const char services[][8] = {[SERVICE_NONE] = "", [SERVICE_DNS] = "dns",
	    [SERVICE_MDNS] = "mdns", [SERVICE_LLMNR] = "llmnr"};
	const struct report *r = &p->r;
	struct event e;

	e.present = 0;
	memcpy(e.service, services[r->service], sizeof(e.service));
	e.id = r->id;
	e.retransmissions = r->retransmissions;
	e.malformed = true;
	if (r->flags & REPORT_MALFORMED)
		e.present |= 1 << EVENT_MALFORMED;
	if (dns_name_text(e.qname, sizeof(e.qname), p->name, r->name_len, false) > 0)
		e.present |= 1 << EVENT_QNAME;
	if (r->flags & REPORT_QTYPE) {
		e.present |= 1 << EVENT_QTYPE;
		e.qtype_id = r->qtype;
		dns_type_name(e.qtype, r->qtype);
	}
	if (r->flags & REPORT_ANSWERED) {
		e.present |= 1 << EVENT_RCODE;
		e.rcode_id = r->rcode;
		dns_rcode_name(e.rcode, r->rcode);
		e.answers = r->answers;
		e.ttl = r->ttl;
		e.latency_us = r->latency_us;
		e.present |= (r->flags & REPORT_COUNT ? 1u << EVENT_ANSWERS : 0) |
		    (r->flags & REPORT_TTL ? 1u << EVENT_TTL : 0) |
		    (r->flags & REPORT_ASKED ? 1u << EVENT_LATENCY : 0);
	}
	if (r->text_len > 0 && r->text_len < sizeof(e.response)) {
		memcpy(e.response, p->text, r->text_len);
		e.response[r->text_len] = '\0';
		e.present |= 1 << EVENT_RESPONSE;
	}
	mc_cloud_publish(c, "dns", r->first_us, r->client, event_rows,
	    sizeof(event_rows) / sizeof(event_rows[0]), &e);
}

static void
dns_on_report(void *ctx, const struct mc_cloud *c, const void *msg, size_t len)
{
	struct context *x = ctx;
	char name[DNS_NAME_TEXT];
	struct parts p;
	size_t n;

	if (!take_apart(&p, msg, len))
		return;
	n = dns_name_text(name, sizeof(name), p.name, p.r.name_len, true);
	if (p.r.service == SERVICE_DNS)
		feed_keys(x, c, &p.r, name, n);
	if (p.r.service == SERVICE_MDNS)
		n = p.r.ttl == 0 ? 0 : /* RFC 6762 §10.1: it leaves */
		    dns_name_text(name, sizeof(name), p.owner, p.r.owner_len, true);
	else if ((p.r.flags & REPORT_ASKED) == 0)
		n = 0;
	if (n > 0 && p.r.rcode == DNS_NOERROR && (p.r.flags & REPORT_MALFORMED) == 0)
		learn(x, c, &p, name, n);
	if (mc_cloud_wanted(c, "dns"))
		publish(c, &p);
}

static const char *const channels[] = {"dns", NULL};

MC_PLUGIN_SYMBOL(dns) = {
    .abi = MC_PLUGIN_ABI,
    .size = sizeof(struct mc_plugin),
    .name = "dns",
    .summary = "DNS, mDNS and LLMNR transactions",
    .options = options,
    .fields = fields,
    .counters = counters,
    .channels = channels,
    .fields_size = sizeof(struct fields),
    .state_size = sizeof(struct state),
    .init = dns_init,
    .fini = dns_fini,
    .match = dns_match,
    .subflow = dns_subflow,
    .on_packet = dns_on_packet,
    .on_timer = dns_on_timer,
    .on_close = dns_on_close,
    .on_report = dns_on_report,
};
