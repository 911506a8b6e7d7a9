/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_flow.c -- plugins and the flows of one worker.
 *
 *	at[slot] -> link: plugin, timer ---> state	(while the flow lives)
 *			  |             ---> fields	(until its record is home)
 *			  +---------------> reorder	(TCP, while the plugin reads on)
 *
 * A TCP flow that no plugin has decided on yet keeps what it carried in its reorder: who
 * says YES reads from the beginning.
 *
 * Memory, taken when needed: links, states and fields for each flow a plugin reads, from
 * pools of at most as many as there are records, and the texts of fields; segments,
 * SEGMENTS for all flows. Timers stand in a wheel of WHEEL ticks by packet time; one that
 * is further off is passed over when its place comes.
 *
 * Longer than other files: links, their timers and the host functions share one struct.
 */
#include "plugin_int.h"

#include <stdlib.h>
#include <string.h>

#include "flowkey.h"
#include "post.h"
#include "reorder.h"

#define TRIES	    8	 /* payloads a flow is asked about */
#define PEEK	    2048 /* octets match() is shown at most of what was kept */
#define SEGMENTS    4096 /* 8 MB a worker */
#define WHEEL	    1024
#define TICK_US	    16384
#define SLICE	    256 /* timers of a live worker's turn */
#define TRIES_SHIFT 12	/* in struct flow's flags */
#define TRIES_MASK  0xfU
#define FETCH_STATE 384 /* octets of a state that its plugin most likely looks at first */
#define PROTO_TCP   6
#define PROTO_UDP   17

struct link {
	struct flow *flow;
	uint8_t plugin; /* PLUGIN_NONE: undecided */
	bool done;	/* STATE is gone, the plugin sees no more */
	void *state, *fields;
	struct reorder *reorder;
	uint64_t due_us; /* 0: no timer */
	struct link *next, **prev; /* of the timer's place in the wheel */
};

struct plugin_flows {
	struct plugin_flows_setup s;
	struct plugin_context context[PLUGINS_MAX];
	struct pool state[PLUGINS_MAX], fields[PLUGINS_MAX];
	struct plugin_texts texts[PLUGINS_MAX];
	struct plugin_text_pools text;
	struct pool links, reorders, segments;
	struct link **at; /* by slot; owned */
	struct link *current; /* whose function is running */
	const struct flow *claimed; /* whose CLAIM is, NULL: nobody's */
	struct dpi_claim claim;
	bool closing;	      /* CURRENT's flow has ended */
	struct link *wheel[WHEEL];
	uint64_t tick; /* the last that was run */
	uint32_t timers;
};

_Static_assert(sizeof(struct mc_key) == sizeof(struct flowkey) &&
	offsetof(struct mc_key, port) == offsetof(struct flowkey, port) &&
	offsetof(struct mc_key, vlan) == offsetof(struct flowkey, vlan) &&
	offsetof(struct mc_key, proto) == offsetof(struct flowkey, proto) &&
	offsetof(struct mc_key, ip_version) == offsetof(struct flowkey, ip_version) &&
	offsetof(struct mc_key, sub) == offsetof(struct flowkey, sub),
    "a key is copied as bytes");
_Static_assert(sizeof(struct mc_key) + MC_REPORT_MAX <= POST_MAX, "a report fits");

/*
 * Timers
 */
static void
timer_clear(struct plugin_flows *p, struct link *l)
{
	if (l->due_us == 0)
		return;
	*l->prev = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	l->due_us = 0;
	p->timers--;
}

static void
timer_set(struct plugin_flows *p, struct link *l, uint64_t at_us)
{
	uint64_t tick = (at_us + TICK_US - 1) / TICK_US;
	struct link **place;

	timer_clear(p, l);
	if (at_us == 0)
		return;
	if (p->timers == 0) /* nothing waited, so time was not looked at */
		p->tick = flowtable_clock(p->s.table) / TICK_US;
	if (tick <= p->tick)
		tick = p->tick + 1;
	place = &p->wheel[tick % WHEEL];
	l->due_us = at_us;
	l->next = *place;
	l->prev = place;
	if (l->next != NULL)
		l->next->prev = &l->next;
	*place = l;
	p->timers++;
}

/*
 * Links
 */
static struct link *
link_of(const struct plugin_flows *p, const struct flow *f)
{
	return (f->flags & FLOW_PLUGIN) ? p->at[f->index] : NULL;
}

static struct link *
link_new(struct plugin_flows *p, struct flow *f)
{
	struct link *l = pool_get(&p->links, sizeof(*l));

	if (l == NULL) {
		counter_inc(p->s.counters, COUNTER_PLUGIN_FULL);
		return NULL;
	}
	l->flow = f;
	l->plugin = PLUGIN_NONE;
	p->at[f->index] = l;
	f->flags |= FLOW_PLUGIN;
	return l;
}

/* What only a flow needs that its plugin still reads. */
static void
link_stop(struct plugin_flows *p, struct link *l)
{
	timer_clear(p, l);
	if (l->state != NULL)
		pool_put(&p->state[l->plugin], l->state);
	l->state = NULL;
	if (l->reorder != NULL) {
		reorder_clear(l->reorder, &p->segments);
		pool_put(&p->reorders, l->reorder);
	}
	l->reorder = NULL;
	l->done = true;
}

static void
link_free(struct plugin_flows *p, struct flow *f)
{
	struct link *l = p->at[f->index];

	link_stop(p, l);
	if (l->fields != NULL) {
		plugin_texts_free(&p->text, &p->texts[l->plugin], l->fields);
		pool_put(&p->fields[l->plugin], l->fields);
	}
	pool_put(&p->links, l);
	p->at[f->index] = NULL;
	f->flags &= ~(uint32_t)FLOW_PLUGIN;
}

static size_t
fields_size(const struct plugin_flows *p, unsigned plugin)
{
	return p->s.plugins->v[plugin].mc->fields_size;
}

/* L's fields are of zeros again. */
static void
fields_empty(struct plugin_flows *p, struct link *l)
{
	plugin_texts_free(&p->text, &p->texts[l->plugin], l->fields);
	memset(l->fields, 0, fields_size(p, l->plugin));
}

/* Is there anything in the fields? */
static bool
link_is_empty(const struct plugin_flows *p, const struct link *l)
{
	size_t size, i;

	if (l->plugin == PLUGIN_NONE || l->fields == NULL)
		return true;
	size = fields_size(p, l->plugin);
	for (i = 0; i < size; i++)
		if (((const uint8_t *)l->fields)[i] != 0)
			return false;
	return true;
}

/*
 * Calling the plugin
 */
struct call {
	struct mc_flow flow;
	struct mc_key key;
};

static void
call_begin(struct plugin_flows *p, struct link *l, struct call *c, uint64_t now_us)
{
	const struct flow *f = l->flow;
	uint64_t first = flow_first_us(f);

	memcpy(&c->key, &f->key, sizeof(c->key));
	c->flow = (struct mc_flow){
		.host = &plugin_host,
		.handle = &p->context[l->plugin],
		.key = &c->key,
		.client = (uint8_t)flow_client(f),
		.first_us = first != 0 ? first : now_us,
		.client_nw_us = f->client_nw_us,
		.server_nw_us = f->server_nw_us,
	};
	p->current = l;
}

/* The record so far leaves, the next one begins with fields of zeros. Of a flow that has
 * ended all packets are counted: what is still to be read comes into its last record. */
static void
link_split(struct plugin_flows *p, struct link *l)
{
	if (!p->closing && l->flow->packets[0] + l->flow->packets[1] > 0)
		flowtable_cut(p->s.table, l->flow);
	if (l->fields != NULL)
		fields_empty(p, l);
}

/* reorder_sink.take, and a datagram's way: ARG is the struct plugin_flows, the link is
 * the current one. False: the plugin is done with the flow. */
static bool
link_take(void *arg, const struct mc_packet *pkt)
{
	struct plugin_flows *p = arg;
	struct link *l = p->current;
	struct plugin_context *x = &p->context[l->plugin];
	const struct mc_plugin *mc = x->plugin->mc;
	struct call c;
	enum mc_verdict v;

	call_begin(p, l, &c, pkt->ts_us);
	v = mc->on_packet(x->ctx, l->state, l->fields, &c.flow, pkt);
	if (v == MC_SPLIT && x->plugin->splits) {
		link_split(p, l);
		v = mc->on_packet(x->ctx, l->state, l->fields, &c.flow, pkt);
	}
	if (v != MC_MORE && v != MC_DONE && (v != MC_SPLIT || !x->plugin->splits))
		plugin_breach(x);
	return v != MC_DONE && !x->off;
}

/* The plugin has said DONE, or may not go on. */
static void
link_done(struct plugin_flows *p, struct link *l)
{
	struct flow *f = l->flow;

	f->flags |= FLOW_PLUGIN_DONE;
	link_stop(p, l);
	if (l->fields == NULL)
		link_free(p, f);
}

static void
fill_packet(struct mc_packet *m, const struct packet *pkt, unsigned dir)
{
	uint32_t wire = pkt->payload_wire, whole;

	/* a first fragment: its UDP header tells of the whole datagram */
	if ((pkt->flags & PACKET_FRAG_FIRST) && pkt->proto == PROTO_UDP) {
		whole = (uint32_t)(pkt->payload[-4] << 8 | pkt->payload[-3]);
		if (whole > wire + 8)
			wire = whole - 8;
	}
	*m = (struct mc_packet){
		.ts_us = pkt->ts_us,
		.data = pkt->payload,
		.len = pkt->payload_len < wire ? pkt->payload_len : wire,
		.wire_len = wire,
		.dir = (uint8_t)dir,
	};
}

static void
link_packet(struct plugin_flows *p, struct link *l, const struct packet *pkt, unsigned dir)
{
	const struct reorder_sink sink = {link_take, p, &p->segments};
	struct mc_packet m;
	bool more = !p->context[l->plugin].off;

	p->current = l;
	if (!more) {
		/* switched off since */
	} else if (l->reorder != NULL) {
		if (pkt->flags & PACKET_HAS_TCP)
			more = reorder_packet(l->reorder, &sink, pkt, dir);
	} else if (pkt->payload_len > 0 && !(pkt->flags & PACKET_FRAG_LATER)) {
		fill_packet(&m, pkt, dir);
		more = link_take(p, &m);
	}
	p->current = NULL;
	if (!more)
		link_done(p, l);
}

/*
 * Whose flow is it?
 */
static enum mc_match
flows_match(struct plugin_flows *p, const struct flow *f, const struct mc_packet *m,
    unsigned *plugin)
{
	enum mc_match found = MC_MATCH_NO;
	struct mc_key key;
	unsigned i;

	memcpy(&key, &f->key, sizeof(key));
	for (i = 0; i < p->s.plugins->n; i++) {
		struct plugin_context *x = &p->context[i];

		if (!x->inited || x->off)
			continue;
		switch (x->plugin->mc->match(x->ctx, &key, m)) {
		case MC_MATCH_NO:
			break;
		case MC_MATCH_YES:
			*plugin = i;
			return MC_MATCH_YES;
		case MC_MATCH_LATER:
			found = MC_MATCH_LATER;
			break;
		default:
			plugin_breach(x);
		}
	}
	return found;
}

static void
flow_leave(struct plugin_flows *p, struct flow *f)
{
	f->flags |= FLOW_PLUGIN_DONE;
	if (f->flags & FLOW_PLUGIN)
		link_free(p, f);
}

/* One more was asked in vain. False: that is enough. */
static bool
flow_try(struct flow *f)
{
	uint32_t tries = (f->flags >> TRIES_SHIFT & TRIES_MASK) + 1;

	f->flags = (f->flags & ~(TRIES_MASK << TRIES_SHIFT)) | tries << TRIES_SHIFT;
	return tries < TRIES;
}

/* L is PLUGIN's from now on. False: no room. */
static bool
link_adopt(struct plugin_flows *p, struct link *l, unsigned plugin)
{
	const struct mc_plugin *mc = p->s.plugins->v[plugin].mc;

	l->plugin = (uint8_t)plugin;
	if (mc->state_size > 0)
		l->state = pool_get(&p->state[plugin], mc->state_size);
	if (mc->fields_size > 0)
		l->fields = pool_get(&p->fields[plugin], mc->fields_size);
	if ((mc->state_size == 0 || l->state != NULL) &&
	    (mc->fields_size == 0 || l->fields != NULL))
		return true;
	counter_inc(p->s.counters, COUNTER_PLUGIN_FULL);
	return false;
}

/* The streams of a TCP flow that begins to be read. */
static bool
link_open(struct plugin_flows *p, struct link *l)
{
	const struct flow *f = l->flow;
	unsigned i;

	l->reorder = pool_get(&p->reorders, sizeof(*l->reorder));
	if (l->reorder == NULL) {
		counter_inc(p->s.counters, COUNTER_PLUGIN_FULL);
		return false;
	}
	for (i = 0; i < 2; i++)
		if (f->tcp_state[i] & FLOW_TCP_SYN)
			reorder_began(l->reorder, i, f->tcp[i].isn);
	return true;
}

static void
match_datagram(struct plugin_flows *p, struct flow *f, const struct packet *pkt,
    unsigned dir)
{
	struct mc_packet m;
	struct link *l;
	unsigned plugin = 0;

	fill_packet(&m, pkt, dir);
	switch (flows_match(p, f, &m, &plugin)) {
	case MC_MATCH_LATER:
		if (!flow_try(f))
			flow_leave(p, f);
		return;
	case MC_MATCH_YES:
		l = link_new(p, f);
		if (l != NULL && link_adopt(p, l, plugin)) {
			link_packet(p, l, pkt, dir);
			return;
		}
		/* FALLTHROUGH */
	case MC_MATCH_NO:
		flow_leave(p, f);
	}
}

/* PLUGIN reads L from its beginning. */
static void
match_yes(struct plugin_flows *p, struct link *l, unsigned plugin)
{
	const struct reorder_sink sink = {link_take, p, &p->segments};
	bool more;

	if (!link_adopt(p, l, plugin)) {
		flow_leave(p, l->flow);
		return;
	}
	p->current = l;
	more = reorder_release(l->reorder, &sink);
	p->current = NULL;
	if (!more)
		link_done(p, l);
}

/* Keep PKT, and ask about what there is of its side by now. */
static void
match_kept(struct plugin_flows *p, struct flow *f, struct link *l, const struct packet *pkt,
    unsigned dir)
{
	const struct reorder_sink keep = {NULL, NULL, &p->segments};
	uint8_t buf[PEEK];
	struct mc_packet m = {.ts_us = pkt->ts_us, .data = buf, .dir = (uint8_t)dir};
	unsigned plugin = 0, i;
	enum mc_match found;
	bool kept;

	kept = reorder_packet(l->reorder, &keep, pkt, dir);
	for (i = 0; i < 2; i++)
		if (reorder_give_up(l->reorder, i, pkt->ts_us, !kept))
			m.dir = (uint8_t)i;
	if (m.dir == dir && pkt->payload_len == 0)
		return;
	m.len = m.wire_len = reorder_peek(l->reorder, m.dir, buf, sizeof(buf), &m.gap);
	if (m.len == 0)
		return; /* it came early */
	found = flows_match(p, f, &m, &plugin);
	if (found == MC_MATCH_YES)
		match_yes(p, l, plugin);
	else if (found == MC_MATCH_NO || !flow_try(f))
		flow_leave(p, f);
}

/* The first payload of a TCP flow. Most are nobody's: nothing is kept for these. */
static void
match_stream(struct plugin_flows *p, struct flow *f, const struct packet *pkt,
    unsigned dir)
{
	const struct flow_tcp *t = &f->tcp[dir];
	bool begun = f->tcp_state[dir] & FLOW_TCP_SYN;
	bool syn = begun || (pkt->tcp_flags & TCP_SYN);
	bool early = begun && !(pkt->tcp_flags & TCP_SYN) && pkt->seq != t->isn + 1;
	enum mc_match found = MC_MATCH_LATER;
	struct mc_packet m;
	struct link *l;
	unsigned plugin = 0;

	fill_packet(&m, pkt, dir);
	m.gap = syn ? 0 : MC_GAP_START;
	if (!early)
		found = flows_match(p, f, &m, &plugin);
	l = found == MC_MATCH_NO ? NULL : link_new(p, f);
	if (l == NULL || !link_open(p, l)) {
		flow_leave(p, f);
		return;
	}
	if (found == MC_MATCH_LATER) {
		const struct reorder_sink keep = {NULL, NULL, &p->segments};

		if (!reorder_packet(l->reorder, &keep, pkt, dir) || !flow_try(f))
			flow_leave(p, f);
	} else if (link_adopt(p, l, plugin))
		link_packet(p, l, pkt, dir);
	else
		flow_leave(p, f);
}

static void
flow_match(struct plugin_flows *p, struct flow *f, const struct packet *pkt, unsigned dir)
{
	if (f->key.proto == PROTO_TCP) {
		if (pkt->payload_len > 0 && (pkt->flags & PACKET_HAS_TCP))
			match_stream(p, f, pkt, dir);
	} else if (f->key.proto != PROTO_UDP)
		f->flags |= FLOW_PLUGIN_DONE;
	else if (pkt->payload_len > 0 && !(pkt->flags & PACKET_FRAG_LATER))
		match_datagram(p, f, pkt, dir);
}

/* All links, then all they point at: so that the misses overlap. */
void
plugin_flows_fetch(struct plugin_flows *p, const struct flow *const *f, unsigned n)
{
	const struct link *l[FLOWTABLE_BATCH];
	unsigned i, m = 0;
	size_t at, size;

	for (i = 0; i < n; i++)
		if ((f[i]->flags & (FLOW_PLUGIN | FLOW_PLUGIN_DONE)) == FLOW_PLUGIN) {
			l[m] = p->at[f[i]->index];
			__builtin_prefetch(l[m++], 1);
		}
	for (i = 0; i < m; i++) {
		if (l[i]->reorder != NULL) {
			__builtin_prefetch(l[i]->reorder, 1);
			__builtin_prefetch((const char *)l[i]->reorder + 64, 1);
		}
		if (l[i]->state == NULL)
			continue;
		size = p->state[l[i]->plugin].size;
		for (at = 0; at < FETCH_STATE && at < size; at += 64)
			__builtin_prefetch((const char *)l[i]->state + at, 1);
	}
}

void
plugin_flows_packet(struct plugin_flows *p, struct flow *f, const struct packet *pkt,
    unsigned dir)
{
	struct link *l = link_of(p, f);

	p->claimed = NULL;
	if (l == NULL)
		flow_match(p, f, pkt, dir);
	else if (l->plugin != PLUGIN_NONE)
		link_packet(p, l, pkt, dir);
	else if (pkt->flags & PACKET_HAS_TCP)
		match_kept(p, f, l, pkt, dir);
}

/*
 * Ends
 */
void
plugin_flows_close(struct plugin_flows *p, struct flow *f)
{
	const struct reorder_sink sink = {link_take, p, &p->segments};
	struct link *l = link_of(p, f);
	uint64_t now = flowtable_clock(p->s.table);
	struct plugin_context *x;
	struct call c;

	f->flags |= FLOW_PLUGIN_DONE;
	if (l == NULL)
		return;
	if (l->plugin != PLUGIN_NONE && !l->done && !p->context[l->plugin].off) {
		x = &p->context[l->plugin];
		p->current = l;
		p->closing = true;
		if ((l->reorder == NULL || reorder_flush(l->reorder, &sink)) &&
		    x->plugin->mc->on_close != NULL) {
			call_begin(p, l, &c, now);
			x->plugin->mc->on_close(x->ctx, l->state, l->fields, &c.flow, now);
		}
		p->closing = false;
		p->current = NULL;
	}
	link_stop(p, l);
	if (f->packets[0] + f->packets[1] == 0 || link_is_empty(p, l))
		link_free(p, f);
}

void
plugin_flows_cut(struct plugin_flows *p, struct flow *f, struct flow *copy)
{
	struct link *l = link_of(p, f), *to = NULL;
	void *fields;

	copy->flags &= ~(uint32_t)FLOW_PLUGIN;
	copy->flags |= FLOW_PLUGIN_DONE;
	if (l == NULL || link_is_empty(p, l))
		return;
	fields = pool_get(&p->fields[l->plugin], fields_size(p, l->plugin));
	if (fields == NULL)
		counter_inc(p->s.counters, COUNTER_PLUGIN_FULL);
	else
		to = link_new(p, copy);
	if (to == NULL) {
		if (fields != NULL)
			pool_put(&p->fields[l->plugin], fields);
		fields_empty(p, l);
		return;
	}
	to->plugin = l->plugin;
	to->done = true;
	to->fields = l->fields;
	l->fields = fields;
}

void
plugin_flows_home(struct plugin_flows *p, struct flow *f)
{
	if (f->flags & FLOW_PLUGIN)
		link_free(p, f);
}

const void *
plugin_flows_fields(const struct plugin_flows *p, const struct flow *f,
    const struct mc_plugin **plugin)
{
	const struct link *l = link_of(p, f);

	if (l == NULL || l->plugin == PLUGIN_NONE || l->fields == NULL)
		return NULL;
	*plugin = p->s.plugins->v[l->plugin].mc;
	return l->fields;
}

/*
 * Time
 */
static void
timer_run(struct plugin_flows *p, struct link *l, uint64_t now_us)
{
	struct plugin_context *x = &p->context[l->plugin];
	struct call c;

	timer_clear(p, l);
	if (x->plugin->mc->on_timer == NULL || x->off)
		return;
	call_begin(p, l, &c, now_us);
	x->plugin->mc->on_timer(x->ctx, l->state, l->fields, &c.flow, now_us);
	p->current = NULL;
}

/* The timers of TICK's place. False: BUDGET is used up. */
static bool
wheel_run(struct plugin_flows *p, uint64_t tick, uint64_t now_us, unsigned *budget)
{
	struct link *l = p->wheel[tick % WHEEL], *next;

	for (; l != NULL; l = next) {
		next = l->next;
		if ((l->due_us + TICK_US - 1) / TICK_US > tick)
			continue; /* another turn's */
		if (*budget == 0)
			return false;
		(*budget)--;
		timer_run(p, l, now_us);
	}
	return true;
}

void
plugin_flows_clock(struct plugin_flows *p, uint64_t now_us)
{
	uint64_t end = now_us / TICK_US;
	unsigned budget = p->s.live ? SLICE : UINT32_MAX;

	if (p->timers == 0 || end <= p->tick)
		return;
	/* once around is enough: every place was seen */
	if (end - p->tick > WHEEL)
		p->tick = end - WHEEL;
	while (p->tick < end && p->timers > 0) {
		p->tick++; /* before: what is set meanwhile comes later */
		if (!wheel_run(p, p->tick, now_us, &budget)) {
			p->tick--;
			return;
		}
	}
	if (p->timers == 0)
		p->tick = end;
}

/*
 * Host functions
 */
bool
plugin_flow_report(const struct mc_flow *flow, const void *msg, size_t len)
{
	struct plugin_context *x = flow->handle;
	struct plugin_flows *p = x->flows;
	uint8_t buf[sizeof(struct mc_key) + MC_REPORT_MAX];
	struct post_head head = {.kind = POST_REPORT};

	if (len > MC_REPORT_MAX) {
		plugin_breach(x);
		return false;
	}
	head.len = (uint16_t)(sizeof(struct mc_key) + len);
	head.plugin = (uint32_t)(x - p->context);
	memcpy(buf, flow->key, sizeof(struct mc_key));
	if (len > 0)
		memcpy(buf + sizeof(struct mc_key), msg, len);
	return p->s.post(p->s.arg, &head, buf);
}

void
plugin_flow_timer(const struct mc_flow *flow, uint64_t at_us)
{
	struct plugin_flows *p = ((struct plugin_context *)flow->handle)->flows;

	timer_set(p, p->current, at_us);
}

void
plugin_flow_is(const struct mc_flow *flow, enum mc_l7 l7, const char *name, size_t len,
    const void *besides, size_t blen)
{
	static const uint8_t kinds[MC_L7_MAX] = {[MC_L7_DNS] = DPI_CLAIM_DNS,
		[MC_L7_HTTP] = DPI_CLAIM_HTTP};
	struct plugin_context *x = flow->handle;
	struct plugin_flows *p = x->flows;

	if ((unsigned)l7 >= MC_L7_MAX) {
		plugin_breach(x);
		return;
	}
	if (p->current == NULL || (p->current->flow->flags & FLOW_DPI_DONE))
		return;
	p->claimed = p->current->flow;
	p->claim.kind = kinds[l7];
	plugin_claim_name(&p->claim, name, len, besides, blen);
}

const struct dpi_claim *
plugin_flows_claim(struct plugin_flows *p, const struct flow *f)
{
	bool is = p->claimed == f;

	p->claimed = NULL;
	return is ? &p->claim : NULL;
}

/*
 * Making
 */
struct plugin_flows *
plugin_flows_new(const struct plugin_flows_setup *s, char *err, size_t errlen)
{
	struct plugin_flows *p = calloc(1, sizeof(*p));
	unsigned i;

	snprintf(err, errlen, "no memory for plugins");
	if (p == NULL)
		return NULL;
	p->s = *s;
	plugin_text_pools_init(&p->text);
	p->at = calloc(s->slots, sizeof(struct link *));
	pool_init(&p->links, sizeof(struct link), s->slots);
	pool_init(&p->reorders, sizeof(struct reorder), s->max);
	pool_init(&p->segments, REORDER_OBJECT, SEGMENTS);
	for (i = 0; i < s->plugins->n; i++) {
		const struct plugin *plugin = &s->plugins->v[i];
		struct plugin_context *x = &p->context[i];

		x->plugins = s->plugins;
		x->plugin = plugin;
		x->counters = s->counters;
		x->flows = p;
		x->texts = &p->text;
		pool_init(&p->state[i], plugin->mc->state_size, s->max);
		pool_init(&p->fields[i], plugin->mc->fields_size, s->slots);
		plugin_texts_find(&p->texts[i], plugin->mc->fields);
		if (p->at == NULL ||
		    (plugin->runs && plugin_context_init(x, false, err, errlen) < 0)) {
			plugin_flows_free(p);
			return NULL;
		}
	}
	return p;
}

void
plugin_flows_free(struct plugin_flows *p)
{
	unsigned i;

	if (p == NULL)
		return;
	for (i = 0; p->at != NULL && i < p->s.slots; i++)
		if (p->at[i] != NULL && p->at[i]->fields != NULL)
			plugin_texts_free(&p->text, &p->texts[p->at[i]->plugin],
			    p->at[i]->fields);
	for (i = 0; i < PLUGINS_MAX; i++) {
		if (p->context[i].plugin == NULL)
			break;
		plugin_context_clear(&p->context[i]);
		pool_clear(&p->state[i]);
		pool_clear(&p->fields[i]);
	}
	plugin_text_pools_clear(&p->text);
	pool_clear(&p->links);
	pool_clear(&p->reorders);
	pool_clear(&p->segments);
	free(p->at);
	free(p);
}
