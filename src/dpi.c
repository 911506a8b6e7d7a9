/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpi.c -- nDPI behind the functions of dpi.h. Longer than 800 lines, because no other file
 * may know nDPI; the end is what there is without it.
 *
 * nDPI never sees the packet as it came. It gets a copy that is rebuilt from the struct
 * packet: a plain IP header, a plain TCP or UDP header, the payload, and zeroes after
 * it. So there are no options, fragments, extension headers or wrong lengths to trip
 * over, a payload cut by the snaplen or at a fragment's end is classified by what is
 * there, a parser that reads a little too far (4.2 has some) reads zeroes, and all the
 * packets of one state are of one transport - nDPI keeps TCP and UDP in a union and
 * would free the wrong half. The copy costs 7 to 20 ns, nDPI itself 800 and more.
 *
 * Flows without payload and flows over the cap show a bare header to one scratch state:
 * what nDPI knows of ports and addresses without a state of their own.
 *
 * A state is 700 bytes with nDPI 4.2 (an undecided TCP flow 2,800), 1,200 (3,300) with
 * 4.11, a module 6 and 8 MB. The module owns its states; a flow borrows one from its
 * first payload packet to the verdict. Free ones are kept for the next flow. The bytes
 * nDPI hangs on a state (reassembly, certificate names) are freed at the verdict.
 */
#include "build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpi.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define UNKNOWN "Unknown"

#ifdef HAVE_NDPI

#include "dpi_ndpi.h"
#include "log.h"

#define IPPROTO_IS_L4(p) ((p) == IPPROTO_TCP || (p) == IPPROTO_UDP)
#define PACKET_MAX 65535 /* nDPI takes an unsigned short */
#define PACKET_PAD 64	 /* zeroes behind the packet */
#define MODULE_ROOM (16 << 20) /* twice what the largest known takes */

struct state {
	struct state *next_made; /* of all */
	struct state *next_free;
	uint8_t proto; /* TCP or UDP, and stays it */
	uint8_t ip_version;
	bool used; /* a flow has it */
	struct ndpi_flow_struct ndpi;
};

/*
 * What nDPI says of flows that ask for a name. A set is a cache line; what was used last
 * stands first, so names that come often stay. 1 MB, taken as it is used.
 */
#define CLAIM_SETS 16384
#define CLAIM_WAYS 4

struct claimed {
	uint64_t hash; /* of claim_hash(), 0: empty; 64 bits, seeded: taken for the name */
	uint16_t master, app, category;
	bool known;    /* false: nDPI does not decide by the first packet */
	uint8_t confidence;
};

struct dpi {
	struct ndpi_detection_module_struct *ndpi; /* owned */
	struct counters *counters;		   /* borrowed */
	struct state *all;			   /* owned */
	struct state *free;			   /* of them */
	unsigned made, limit;			   /* states: used and free; at most */
	struct state scratch;			   /* for flows without a state */
	struct state **slot; /* owned: by the flow's; NULL: it is decided, or new */
	uint32_t nslots;
	struct claimed (*claimed)[CLAIM_WAYS];	   /* owned: CLAIM_SETS */
	uint64_t seed;
	alignas(8) uint8_t packet[PACKET_MAX + PACKET_PAD];
};

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* An IP header for PKT with LEN bytes behind it; returns its length. */
static size_t
put_ip(uint8_t *p, const struct packet *pkt, size_t len)
{
	if (pkt->ip_version == 4) {
		memset(p, 0, 20);
		p[0] = 0x45;
		p[1] = pkt->tos;
		put16(p + 2, (unsigned)(20 + len));
		p[8] = pkt->ttl;
		p[9] = pkt->proto;
		memcpy(p + 12, pkt->src + 12, 4);
		memcpy(p + 16, pkt->dst + 12, 4);
		return 20;
	}
	put32(p, 0x60000000U | (uint32_t)pkt->tos << 20);
	put16(p + 4, (unsigned)len);
	p[6] = pkt->proto;
	p[7] = pkt->ttl;
	memcpy(p + 8, pkt->src, 16);
	memcpy(p + 24, pkt->dst, 16);
	return 40;
}

/* A transport header for PKT with LEN bytes behind it. */
static void
put_l4(uint8_t *p, const struct packet *pkt, size_t len)
{
	put16(p, pkt->sport);
	put16(p + 2, pkt->dport);
	if (pkt->proto == IPPROTO_UDP) {
		put16(p + 4, (unsigned)(8 + len));
		put16(p + 6, 0);
		return;
	}
	put32(p + 4, pkt->seq);
	put32(p + 8, pkt->ack);
	p[12] = 5 << 4;
	p[13] = pkt->tcp_flags;
	put16(p + 14, pkt->window);
	put32(p + 16, 0);
}

/*
 * Rebuild PKT in D's buffer, padded; returns its length. A protocol other than TCP and
 * UDP gets 8 zero bytes of content: nDPI names it by its number.
 */
static size_t
build_packet(struct dpi *d, const struct packet *pkt)
{
	size_t l3 = pkt->ip_version == 4 ? 20 : 40;
	size_t l4 = pkt->proto == IPPROTO_TCP ? 20 : 8;
	size_t len = pkt->payload_len;

	if (!IPPROTO_IS_L4(pkt->proto))
		len = 0;
	if (len > PACKET_MAX - l3 - l4) /* an offloaded segment of 64 KB */
		len = PACKET_MAX - l3 - l4;
	put_ip(d->packet, pkt, l4 + len);
	if (IPPROTO_IS_L4(pkt->proto))
		put_l4(d->packet + l3, pkt, len);
	else
		memset(d->packet + l3, 0, l4);
	if (len > 0)
		memcpy(d->packet + l3 + l4, pkt->payload, len);
	memset(d->packet + l3 + l4 + len, 0, PACKET_PAD);
	return l3 + l4 + len;
}

/* F's state while it is undecided, NULL: none. */
static struct state *
state_of(const struct dpi *d, const struct flow *f)
{
	return f->index < d->nslots ? d->slot[f->index] : NULL;
}

/* Room for a state of slot INDEX. */
static bool
slots_grow(struct dpi *d, uint32_t index)
{
	uint32_t n = d->nslots > 0 ? d->nslots : 1024;
	struct state **slot;

	while (n <= index && n < UINT32_MAX / 2)
		n *= 2;
	slot = realloc(d->slot, n * sizeof(struct state *));
	if (slot == NULL)
		return false;
	memset(slot + d->nslots, 0, (n - d->nslots) * sizeof(struct state *));
	d->slot = slot;
	d->nslots = n;
	return true;
}

/* A state for F, whose packet PKT is, NULL when there is no room. */
static struct state *
state_get(struct dpi *d, const struct flow *f, const struct packet *pkt)
{
	struct state *st = d->free;

	if (f->index >= d->nslots && !slots_grow(d, f->index))
		return NULL;
	if (st != NULL) {
		d->free = st->next_free;
	} else {
		if (d->made >= d->limit)
			return NULL;
		st = malloc(sizeof(*st));
		if (st == NULL)
			return NULL;
		st->next_made = d->all;
		d->all = st;
		d->made++;
	}
	st->proto = pkt->proto;
	st->ip_version = pkt->ip_version;
	st->used = true;
	memset(&st->ndpi, 0, sizeof(st->ndpi));
	d->slot[f->index] = st;
	return st;
}

/* F needs its state ST no more. */
static void
state_put(struct dpi *d, const struct flow *f, struct state *st)
{
	d->slot[f->index] = NULL;
	ndpi_free_flow_data(&st->ndpi);
	st->used = false;
	st->next_free = d->free;
	d->free = st;
}

static bool
is_tls(unsigned id)
{
	switch (id) {
	case NDPI_PROTOCOL_TLS:
	case NDPI_PROTOCOL_DTLS:
	case NDPI_PROTOCOL_QUIC:
	case NDPI_PROTOCOL_MAIL_SMTPS:
	case NDPI_PROTOCOL_MAIL_POPS:
	case NDPI_PROTOCOL_MAIL_IMAPS:
		return true;
	default:
		return false;
	}
}

static bool
is_guess(unsigned confidence)
{
	return confidence == NDPI_CONFIDENCE_MATCH_BY_PORT ||
	    confidence == NDPI_CONFIDENCE_MATCH_BY_IP;
}

/* What nDPI found, from its flow NF and its answer P; NULL if that is nothing, or there is no
 * memory to keep it. */
static struct flow_l7 *
l7_new(struct dpi *d, const struct ndpi_flow_struct *nf, const ndpi_protocol *p)
{
	u_int16_t client, server;
	size_t len = strnlen(nf->host_server_name, sizeof(nf->host_server_name));
	struct flow_l7 *l7;

	if (NDPI_APP(p) == 0 && NDPI_MASTER(p) == 0 && nf->risk == 0 && len == 0)
		return NULL;
	l7 = flow_l7_new(len);
	if (l7 == NULL) {
		counter_inc(d->counters, COUNTER_DPI_CAPPED);
		return NULL;
	}
	l7->app = NDPI_APP(p);
	l7->master = NDPI_MASTER(p);
	if (l7->app == 0) { /* the one there is goes to APP */
		l7->app = l7->master;
		l7->master = 0;
	} else if (l7->master == l7->app) {
		l7->master = 0;
	}
	l7->category = (uint16_t)p->category;
	l7->confidence = (uint8_t)nf->confidence;
	l7->guessed = l7->app != 0 && is_guess(nf->confidence);
	l7->risk = nf->risk;
	if (l7->risk != 0)
		l7->score = ndpi_risk2score(nf->risk, &client, &server);
	memcpy(l7->info, nf->host_server_name, l7->info_len);
	l7->tls = len > 0 && (is_tls(l7->app) || is_tls(l7->master));
	return l7;
}

/* Flow F is as L7 says (taken; may be NULL). */
static void
conclude(struct dpi *d, struct flow *f, struct flow_l7 *l7)
{
	free(f->l7);
	f->l7 = l7;
	f->flags |= FLOW_DPI_DONE;
	if (l7 == NULL || l7->app == 0) {
		counter_inc(d->counters, COUNTER_DPI_UNKNOWN);
	} else if (l7->guessed) {
		f->flags |= FLOW_L7_GUESSED;
		counter_inc(d->counters, COUNTER_DPI_GUESSED);
	} else {
		counter_inc(d->counters, COUNTER_DPI_DETECTED);
	}
}

/*
 * Make NF say what it can. P is nDPI's latest answer; if that is none, nDPI gives up
 * and may guess. The guess is kept out of NF again: the protocol written there tells
 * ndpi_free_flow_data() which members of a union are pointers, and only a protocol
 * found in the bytes has set them. A port must not decide what is freed.
 */
static struct flow_l7 *
ask_last(struct dpi *d, struct ndpi_flow_struct *nf, ndpi_protocol p)
{
	u_int16_t stack[NDPI_PROTOCOL_SIZE];
	struct flow_l7 *l7;

	if (NDPI_APP(&p) != 0)
		return l7_new(d, nf, &p);
	memcpy(stack, nf->detected_protocol_stack, sizeof(stack));
	p = ndpi_compat_giveup(d->ndpi, nf);
	l7 = l7_new(d, nf, &p);
	memcpy(nf->detected_protocol_stack, stack, sizeof(stack));
	return l7;
}

/* The end of F's state: take what nDPI has. */
static void
verdict(struct dpi *d, struct flow *f, ndpi_protocol p)
{
	struct state *st = state_of(d, f);

	conclude(d, f, ask_last(d, &st->ndpi, p));
	state_put(d, f, st);
}

/* Name F by its protocol, ports and addresses. */
static void
guess(struct dpi *d, struct flow *f)
{
	const struct flowkey *k = &f->key;
	unsigned c = flow_client(f), s = !c;
	struct packet pkt = {
		.ip_version = k->ip_version == 6 ? 6 : 4,
		.proto = k->proto,
		.sport = k->port[c],
		.dport = k->port[s],
		.tcp_flags = TCP_SYN,
		.ttl = 64,
	};
	struct ndpi_hint hint = { .client_known = false };
	struct ndpi_flow_struct *nf = &d->scratch.ndpi;
	struct flow_l7 *l7;
	ndpi_protocol p;
	size_t len;

	memcpy(pkt.src, k->addr[c], sizeof(pkt.src));
	memcpy(pkt.dst, k->addr[s], sizeof(pkt.dst));
	memset(nf, 0, sizeof(*nf));
	len = build_packet(d, &pkt);
	p = ndpi_compat_packet(d->ndpi, nf, d->packet, len, flow_last_us(f) / 1000, &hint);
	l7 = ask_last(d, nf, p);
	ndpi_free_flow_data(nf);
	if (l7 != NULL) {
		/* an invented packet is no risk, and a protocol number no guess */
		l7->risk = 0;
		l7->score = 0;
		l7->guessed = IPPROTO_IS_L4(k->proto);
		if (!l7->guessed)
			l7->confidence = NDPI_CONFIDENCE_DPI;
		if (l7->app == 0) {
			free(l7);
			l7 = NULL;
		}
	}
	conclude(d, f, l7);
}

/*
 * A named flow may be asked for more (server name, certificate, status): does nDPI want
 * it? A DNS response is the end, even if, as a negative one, it has no answers: that
 * would keep the state of every NXDOMAIN until the flow is idle.
 */
static bool
wants_more(struct dpi *d, struct state *st, const ndpi_protocol *p,
    const struct packet *pkt)
{
	if (NDPI_APP(p) == NDPI_PROTOCOL_DNS || NDPI_MASTER(p) == NDPI_PROTOCOL_DNS) {
		/* RFC 1035 §4.1.1: QR; §4.2.2: over TCP behind a length */
		size_t qr = st->proto == IPPROTO_TCP ? 4 : 2;

		if (pkt->payload_len > qr && pkt->payload[qr] & 0x80)
			return false;
	}
	return ndpi_extra_dissection_possible(d->ndpi, &st->ndpi) != 0;
}

/*
 * Claims
 */

/* The place of HASH, now the first of its set; *FRESH: it was not there. */
static struct claimed *
claim_place(struct dpi *d, uint64_t hash, bool *fresh)
{
	struct claimed *set = d->claimed[hash >> 32 & (CLAIM_SETS - 1)], it;
	unsigned i = 0;

	while (i < CLAIM_WAYS - 1 && set[i].hash != hash)
		i++;
	*fresh = set[i].hash != hash;
	it = set[i];
	for (; i > 0; i--)
		set[i] = set[i - 1];
	if (*fresh)
		memset(&it, 0, sizeof(it));
	it.hash = hash;
	set[0] = it;
	return &set[0];
}

/* Show PKT to nDPI as the first of a flow: what is it, for all that ask for that name? */
static void
claim_learn(struct dpi *d, const struct packet *pkt, unsigned master,
    struct claimed *c)
{
	struct ndpi_hint hint = {.client_known = pkt->proto == IPPROTO_TCP,
		.from_client = true};
	struct ndpi_flow_struct *nf = &d->scratch.ndpi;
	struct flow_l7 *l7;
	ndpi_protocol p;
	size_t len;

	memset(nf, 0, sizeof(*nf));
	len = build_packet(d, pkt);
	p = ndpi_compat_packet(d->ndpi, nf, d->packet, len, pkt->ts_us / 1000, &hint);
	counter_inc(d->counters, COUNTER_DPI_PACKETS);
	l7 = NDPI_APP(&p) != 0 ? l7_new(d, nf, &p) : NULL;
	ndpi_free_flow_data(nf);
	if (l7 == NULL)
		return;
	c->master = l7->master;
	c->app = l7->app;
	c->category = l7->category;
	c->confidence = l7->confidence;
	c->known = !l7->guessed && (l7->app == master || l7->master == master);
	free(l7);
}

/* An address of no public network (RFC 6890): nDPI's lists have none of these. */
static bool
is_private(const uint8_t *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(a, mapped, sizeof(mapped)) != 0)
		return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
	a += sizeof(mapped);
	return a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) ||
	    (a[0] == 192 && a[1] == 168) || (a[0] == 198 && (a[1] & 0xfe) == 18);
}

/*
 * All that nDPI's answer depends on: the name and, as it knows whose networks they are, the
 * addresses. Never 0.
 */
static uint64_t
claim_hash(const struct dpi *d, const struct packet *pkt, const struct dpi_claim *claim)
{
	uint64_t hash = (d->seed ^ claim->besides) + claim->kind;

	if (!is_private(pkt->src))
		hash = XXH3_64bits_withSeed(pkt->src, 16, hash);
	if (!is_private(pkt->dst))
		hash = XXH3_64bits_withSeed(pkt->dst, 16, hash);
	return XXH3_64bits_withSeed(claim->name, claim->len, hash) | 1;
}

bool
dpi_claim(struct dpi *d, struct flow *f, const struct packet *pkt, unsigned dir,
    const struct dpi_claim *claim)
{
	static const uint16_t masters[] = {[DPI_CLAIM_DNS] = NDPI_PROTOCOL_DNS,
		[DPI_CLAIM_HTTP] = NDPI_PROTOCOL_HTTP};
	struct flow_l7 *l7;
	struct claimed *c;
	bool fresh;

	if (state_of(d, f) != NULL || claim->kind == DPI_CLAIM_NONE || claim->len == 0 ||
	    !IPPROTO_IS_L4(pkt->proto) || (pkt->flags & PACKET_FRAG_LATER) ||
	    dir != flow_client(f))
		return false;
	c = claim_place(d, claim_hash(d, pkt, claim), &fresh);
	if (fresh)
		claim_learn(d, pkt, masters[claim->kind], c);
	if (!c->known || (l7 = flow_l7_new(claim->len)) == NULL)
		return false;
	l7->master = c->master;
	l7->app = c->app;
	l7->category = c->category;
	l7->confidence = c->confidence;
	memcpy(l7->info, claim->name, claim->len);
	counter_inc(d->counters, COUNTER_DPI_CLAIMED);
	conclude(d, f, l7);
	return true;
}

/*
 * A module, NULL: no memory. nDPI does not look at what malloc() gave it while it makes one,
 * so see first that there is room; no other thread takes any while modules are made.
 */
static struct ndpi_detection_module_struct *
module_new(void)
{
	void *volatile room = malloc(MODULE_ROOM); /* or compilers leave it out */
	struct ndpi_detection_module_struct *ndpi;

	if (room == NULL)
		return NULL;
	free(room);
	ndpi = ndpi_compat_new();
	if (ndpi != NULL && !ndpi_compat_ready(ndpi)) {
		ndpi_exit_detection_module(ndpi);
		ndpi = NULL;
	}
	return ndpi;
}

struct dpi_names {
	unsigned nprotos, ncategories;
	char **proto;	 /* owned, as are the strings */
	char **category;
	struct ndpi_detection_module_struct *ndpi; /* owned; NULL: given away */
};

struct dpi *
dpi_new(unsigned states, struct counters *counters, struct dpi_names *names)
{
	struct dpi *d;

	if (ndpi_detection_get_sizeof_ndpi_flow_struct() !=
	    sizeof(struct ndpi_flow_struct)) {
		log_error("nDPI %s is not the one this program was built with",
		    ndpi_revision());
		return NULL;
	}
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->counters = counters;
	d->limit = states;
	d->seed = (uint64_t)(uintptr_t)d * 0x9e3779b97f4a7c15u;
	d->claimed = calloc(CLAIM_SETS, sizeof(*d->claimed));
	if (names != NULL && names->ndpi != NULL) {
		d->ndpi = names->ndpi;
		names->ndpi = NULL;
	} else
		d->ndpi = module_new();
	if (d->claimed == NULL || d->ndpi == NULL) {
		dpi_free(d);
		return NULL;
	}
	return d;
}

void
dpi_free(struct dpi *d)
{
	struct state *st;

	if (d == NULL)
		return;
	while ((st = d->all) != NULL) {
		d->all = st->next_made;
		if (st->used)
			ndpi_free_flow_data(&st->ndpi);
		free(st);
	}
	if (d->ndpi != NULL)
		ndpi_exit_detection_module(d->ndpi);
	free(d->slot);
	free(d->claimed);
	free(d);
}

const char *
dpi_version(void)
{
	return ndpi_revision();
}

void
dpi_packet(struct dpi *d, struct flow *f, const struct packet *pkt, unsigned dir,
    bool named)
{
	struct ndpi_hint hint = {
		.client_known = pkt->proto == IPPROTO_TCP &&
		    (f->flags & FLOW_CLIENT_SURE),
		.from_client = dir == flow_client(f),
	};
	unsigned max = pkt->proto == IPPROTO_UDP ? DPI_MAX_UDP : DPI_MAX_TCP;
	struct state *st = state_of(d, f);
	ndpi_protocol p;
	size_t len;

	if (pkt->payload_len == 0 || (pkt->flags & PACKET_FRAG_LATER))
		return; /* the middle of a datagram has no beginning to recognise */
	if (!IPPROTO_IS_L4(pkt->proto)) {
		guess(d, f);
		return;
	}
	if (st == NULL) {
		st = state_get(d, f, pkt);
		if (st == NULL) {
			counter_inc(d->counters, COUNTER_DPI_CAPPED);
			guess(d, f);
			return;
		}
		counter_inc(d->counters, COUNTER_DPI_FLOWS);
	}
	if (st->proto != pkt->proto || st->ip_version != pkt->ip_version)
		return; /* aggregated flows mix transports: the first one counts */
	len = build_packet(d, pkt);
	p = ndpi_compat_packet(d->ndpi, &st->ndpi, d->packet, len, pkt->ts_us / 1000,
	    &hint);
	counter_inc(d->counters, COUNTER_DPI_PACKETS);
	f->dpi_packets++;
	if (f->dpi_packets >= max ||
	    (NDPI_APP(&p) != 0 && (named || !wants_more(d, st, &p, pkt))))
		verdict(d, f, p);
}

void
dpi_finish(struct dpi *d, struct flow *f)
{
	ndpi_protocol none;

	if (f->flags & FLOW_DPI_DONE)
		return;
	if (state_of(d, f) == NULL) {
		guess(d, f);
		return;
	}
	memset(&none, 0, sizeof(none));
	verdict(d, f, none);
}

bool
dpi_undecided(const struct dpi *d, const struct flow *f)
{
	return state_of(d, f) != NULL;
}

void
dpi_forget(struct dpi *d, struct flow *f)
{
	struct state *st = state_of(d, f);

	if (st == NULL)
		return;
	state_put(d, f, st);
	f->dpi_packets = 0;
}

/* A copy of NAME, which nDPI may not have. */
static char *
name_dup(const char *name)
{
	return strdup(name == NULL ? UNKNOWN : name);
}

/* Costs a module for 20 to 80 ms: newer versions have no names before finalizing. */
struct dpi_names *
dpi_names_new(void)
{
	struct dpi_names *n = calloc(1, sizeof(*n));
	unsigned i;

	if (n == NULL || (n->ndpi = module_new()) == NULL)
		goto fail;
	n->nprotos = ndpi_get_num_supported_protocols(n->ndpi);
	n->ncategories = NDPI_PROTOCOL_NUM_CATEGORIES;
	n->proto = calloc(n->nprotos, sizeof(*n->proto));
	n->category = calloc(n->ncategories, sizeof(*n->category));
	if (n->proto == NULL || n->category == NULL)
		goto fail;
	for (i = 0; i < n->nprotos; i++) {
		n->proto[i] = name_dup(ndpi_get_proto_name(n->ndpi, (u_int16_t)i));
		if (n->proto[i] == NULL)
			goto fail;
	}
	for (i = 0; i < n->ncategories; i++) {
		n->category[i] = name_dup(ndpi_category_get_name(n->ndpi,
		    (ndpi_protocol_category_t)i));
		if (n->category[i] == NULL)
			goto fail;
	}
	return n;
fail:
	dpi_names_free(n);
	return NULL;
}

void
dpi_names_alone(struct dpi_names *n)
{
	if (n == NULL || n->ndpi == NULL)
		return;
	ndpi_exit_detection_module(n->ndpi);
	n->ndpi = NULL;
}

void
dpi_names_free(struct dpi_names *n)
{
	unsigned i;

	if (n == NULL)
		return;
	for (i = 0; n->proto != NULL && i < n->nprotos; i++)
		free(n->proto[i]);
	for (i = 0; n->category != NULL && i < n->ncategories; i++)
		free(n->category[i]);
	free(n->proto);
	free(n->category);
	dpi_names_alone(n);
	free(n);
}

unsigned
dpi_names_count(const struct dpi_names *n)
{
	return n == NULL ? 0 : n->nprotos;
}

const char *
dpi_name(const struct dpi_names *n, unsigned id)
{
	return n == NULL || id >= n->nprotos ? UNKNOWN : n->proto[id];
}

const char *
dpi_category(const struct dpi_names *n, unsigned category)
{
	if (n == NULL || category >= n->ncategories)
		return UNKNOWN;
	return n->category[category];
}

const char *
dpi_confidence(unsigned confidence)
{
	const char *s;

	/* returns literals for those it has and may be asked by any thread */
	s = ndpi_confidence_get_name((ndpi_confidence_t)confidence);
	return s == NULL ? UNKNOWN : s;
}

/* A known risk is a literal; the default of ndpi_risk2str() is a static buffer. */
static const char *
risk_name(unsigned bit)
{
	return bit >= NDPI_MAX_RISK ? UNKNOWN : ndpi_risk2str((ndpi_risk_enum)bit);
}

#else /* !HAVE_NDPI: everything is unknown */

struct dpi *
dpi_new(unsigned states, struct counters *counters, struct dpi_names *names)
{
	(void)states;
	(void)counters;
	(void)names;
	return NULL;
}

void
dpi_free(struct dpi *d)
{
	(void)d;
}

const char *
dpi_version(void)
{
	return NULL;
}

void
dpi_packet(struct dpi *d, struct flow *f, const struct packet *pkt, unsigned dir,
    bool named)
{
	(void)d;
	(void)pkt;
	(void)dir;
	(void)named;
	f->flags |= FLOW_DPI_DONE;
}

bool
dpi_undecided(const struct dpi *d, const struct flow *f)
{
	(void)d;
	(void)f;
	return false;
}

bool
dpi_claim(struct dpi *d, struct flow *f, const struct packet *pkt, unsigned dir,
    const struct dpi_claim *claim)
{
	(void)d;
	(void)f;
	(void)pkt;
	(void)dir;
	(void)claim;
	return false;
}

void
dpi_finish(struct dpi *d, struct flow *f)
{
	(void)d;
	f->flags |= FLOW_DPI_DONE;
}

void
dpi_forget(struct dpi *d, struct flow *f)
{
	(void)d;
	(void)f;
}

struct dpi_names *
dpi_names_new(void)
{
	return NULL;
}

void
dpi_names_alone(struct dpi_names *n)
{
	(void)n;
}

void
dpi_names_free(struct dpi_names *n)
{
	(void)n;
}

unsigned
dpi_names_count(const struct dpi_names *n)
{
	(void)n;
	return 0;
}

const char *
dpi_name(const struct dpi_names *n, unsigned id)
{
	(void)n;
	(void)id;
	return UNKNOWN;
}

const char *
dpi_category(const struct dpi_names *n, unsigned category)
{
	(void)n;
	(void)category;
	return UNKNOWN;
}

const char *
dpi_confidence(unsigned confidence)
{
	(void)confidence;
	return UNKNOWN;
}

static const char *
risk_name(unsigned bit)
{
	(void)bit;
	return UNKNOWN;
}

#endif

/* TEXT, or what of it there is room for, behind the AT octets in BUF; where it ends. */
static size_t
name_add(char *buf, size_t len, size_t at, const char *text)
{
	size_t n = strlen(text);

	if (n > len - 1 - at)
		n = len - 1 - at;
	memcpy(buf + at, text, n);
	buf[at + n] = '\0';
	return at + n;
}

size_t
dpi_full_name(const struct dpi_names *n, const struct flow_l7 *l7, char *buf,
    size_t len)
{
	size_t at = 0;

	if (len == 0)
		return 0;
	if (l7 == NULL || l7->app == 0)
		return name_add(buf, len, 0, UNKNOWN);
	/* for each record: no snprintf() */
	if (l7->master != 0 && l7->master != l7->app) {
		at = name_add(buf, len, 0, dpi_name(n, l7->master));
		at = name_add(buf, len, at, ".");
	}
	return name_add(buf, len, at, dpi_name(n, l7->app));
}

size_t
dpi_risk_names(uint64_t risk, char *buf, size_t len)
{
	const char *name;
	size_t at = 0, n;
	unsigned bit;

	if (len == 0)
		return 0;
	for (bit = 0; bit < 64; bit++) {
		if ((risk >> bit & 1) == 0)
			continue;
		name = risk_name(bit);
		n = strlen(name);
		if (n + (at > 0) >= len - at)
			break; /* never half a name */
		if (at > 0)
			buf[at++] = ',';
		memcpy(buf + at, name, n);
		at += n;
	}
	buf[at] = '\0';
	return at;
}
