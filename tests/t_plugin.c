/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_plugin.c -- the host: which plugins run, what they see of a flow, what becomes of
 * their fields, timers, reports and verdicts. With plugins made for it here, and with
 * plugins/template.c as a shared object ($PLUGIN_OBJECT, where it was built). Longer than
 * 800 lines: each promise of plugin.h needs a plugin that tries it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "field.h"
#include "flowkey.h"
#include "flowtable.h"
#include "plugin_int.h"
#include "post.h"
#include "template.h"

#define START 1700000000000000ULL
#define SLOTS 64

/*
 * A plugin that writes down what it is told; the first octet says what it shall answer.
 */
struct toy_fields {
	uint64_t present;
	uint32_t packets;
	char last[8];
};

struct toy_state {
	uint32_t seen;
};

static struct {
	char text[4096];
	size_t len;
	enum mc_match match; /* the answer to what begins with 'm' */
	bool odd;	     /* answers nonsense */
} toy;

__attribute__((format(printf, 1, 2))) static void
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	toy.len += (size_t)vsnprintf(toy.text + toy.len, sizeof(toy.text) - toy.len, fmt, ap);
	va_end(ap);
	assert_true(toy.len < sizeof(toy.text));
}

static void
forget(void)
{
	toy.len = 0;
	toy.text[0] = '\0';
}

static void
toy_is(const char *text)
{
	assert_string_equal(toy.text, text);
	forget();
}

static int
toy_init(void **ctx, const struct mc_setup *s, char *err, size_t errlen)
{
	const char *fail = s->option(s, "fail");

	assert_null(s->option(s, "nothing"));
	if (strcmp(fail, "yes") == 0) {
		snprintf(err, errlen, "told to fail");
		return -1;
	}
	*ctx = &toy;
	return 0;
}

static enum mc_match
toy_match(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	assert_ptr_equal(ctx, &toy);
	assert_true(p->len > 0);
	if (key->port[0] == 9 || key->port[1] == 9)
		return MC_MATCH_NO;
	note("?%.*s ", (int)p->len, (const char *)p->data);
	return p->data[0] == 'm' ? toy.match : MC_MATCH_YES;
}

static uint32_t
toy_subflow(void *ctx, const struct mc_key *key, const struct mc_packet *p)
{
	(void)ctx;
	(void)key;
	return p->data[0] == 's' && p->len > 1 ? p->data[1] : 0;
}

static enum mc_verdict
toy_packet(void *ctx, void *state, void *fields, const struct mc_flow *flow,
    const struct mc_packet *p)
{
	struct toy_fields *f = fields;
	struct toy_state *s = state;
	char first = p->len > 0 ? (char)p->data[0] : '-';

	assert_ptr_equal(ctx, &toy);
	if (first == 'S' && f->packets > 0)
		return MC_SPLIT;
	note("%u%s%.*s%s ", p->dir, p->gap == MC_GAP_START ? "^" : p->gap > 0 ? "~" : ":",
	    (int)p->len, (const char *)p->data, p->fin ? "$" : "");
	s->seen++;
	f->present = 1;
	f->packets++;
	snprintf(f->last, sizeof(f->last), "%.*s", (int)p->len, (const char *)p->data);
	if (first == 'T')
		mc_timer_set(flow, p->ts_us + 1000000);
	if (first == 'R')
		mc_report(flow, p->data, p->len);
	if (first == 'L')
		assert_false(mc_report(flow, p->data, MC_REPORT_MAX + 1));
	mc_flow_count(flow, 0, 1);
	if (toy.odd)
		return 77;
	return first == 'D' ? MC_DONE : MC_MORE;
}

static void
toy_timer(void *ctx, void *state, void *fields, const struct mc_flow *flow, uint64_t now)
{
	(void)ctx;
	(void)fields;
	(void)flow;
	note("timer%u@%u ", ((struct toy_state *)state)->seen,
	    (unsigned)((now - START) / 1000000));
}

static void
toy_close(void *ctx, void *state, void *fields, const struct mc_flow *flow, uint64_t now)
{
	(void)ctx;
	(void)fields;
	(void)flow;
	(void)now;
	note("close%u ", ((struct toy_state *)state)->seen);
}

static const struct mc_option toy_options[] = {{"fail", "no", ""}, {NULL, NULL, NULL}};
static const struct mc_counter toy_counters[] = {{"packets", "seen"}, {NULL, NULL}};
static const struct mc_field toy_rows[] = {
	{.label = "TOY_PACKETS", .pen = 35632, .id = 32100, .len = 4, .type = MC_U32,
	    .offset = offsetof(struct toy_fields, packets), .size = 4, .present = 0,
	    .help = "packets"},
	{.label = "TOY_LAST", .pen = 35632, .id = 32101, .len = 8, .type = MC_STRING,
	    .offset = offsetof(struct toy_fields, last), .size = 8, .present = 0,
	    .help = "the last one"},
	{.label = NULL},
};

static const struct mc_plugin toy_plugin = {
	.abi = MC_PLUGIN_ABI,
	.size = sizeof(struct mc_plugin),
	.name = "toy",
	.summary = "a toy",
	.options = toy_options,
	.fields = toy_rows,
	.counters = toy_counters,
	.fields_size = sizeof(struct toy_fields),
	.state_size = sizeof(struct toy_state),
	.init = toy_init,
	.match = toy_match,
	.subflow = toy_subflow,
	.on_packet = toy_packet,
	.on_timer = toy_timer,
	.on_close = toy_close,
};

/*
 * A table with the toy as the only plugin that runs.
 */
struct rig {
	struct plugins plugins;
	struct flowtable *t;
	struct plugin_flows *p;
	struct counters counters;
	struct flow *got[SLOTS];
	unsigned ngot;
	char posted[4096];
	struct post_head head;
};

static void
on_finish(void *arg, struct flow *f)
{
	(void)arg;
	(void)f;
}

static void
on_end(void *arg, struct flow *f)
{
	struct rig *r = arg;

	assert_true(r->ngot < SLOTS);
	r->got[r->ngot++] = f;
}

static bool
on_wait(void *arg)
{
	(void)arg;
	return false;
}

static bool
on_post(void *arg, const struct post_head *head, const void *msg)
{
	struct rig *r = arg;

	r->head = *head;
	memcpy(r->posted, msg, head->len);
	return true;
}

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct flowtable_options opt = {.max = 16, .spare = SLOTS - 16, .details = 16,
		.serial_first = 1, .serial_step = 1, .idle_us = 30000000,
		.active_us = 120000000, .linger_us = 5000000, .parts = FLOWKEY_DEFAULT};
	const struct flowtable_calls calls = {on_finish, on_end, on_wait, r};
	struct plugin_flows_setup s = {&r->plugins, NULL, &r->counters, 16, SLOTS, false,
		on_post, r};
	struct flowtable_plugins hooks = {plugin_flows_fetch, plugin_flows_packet,
		plugin_flows_close, plugin_flows_cut, NULL};
	char err[256];

	memset(&toy, 0, sizeof(toy));
	r->plugins.n = 1;
	r->plugins.any = r->plugins.splits = r->plugins.subflows = true;
	r->plugins.parts = FLOWKEY_DEFAULT;
	r->plugins.v[0] = (struct plugin){
		.mc = &toy_plugin, .runs = true, .splits = true, .ncounters = 1};
	s.table = r->t = flowtable_new(&opt, &calls, &r->counters);
	assert_non_null(r->t);
	r->p = hooks.arg = plugin_flows_new(&s, err, sizeof(err));
	assert_non_null(r->p);
	flowtable_set_plugins(r->t, &hooks);
	*state = r;
	return 0;
}

static void
home(struct rig *r)
{
	while (r->ngot > 0) {
		struct flow *f = r->got[--r->ngot];

		plugin_flows_home(r->p, f);
		assert_false(f->flags & FLOW_PLUGIN);
		flowtable_put(r->t, f);
	}
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	flowtable_flush(r->t, FLOW_END_FORCED);
	home(r);
	assert_int_equal(flowtable_away(r->t), 0);
	plugin_flows_free(r->p);
	flowtable_free(r->t);
	free(r);
	return 0;
}

static struct packet
packet_of(uint64_t s, unsigned dir, uint8_t proto, uint16_t port, const char *text)
{
	struct packet p = {.ts_us = START + s * 1000000, .ip_version = 4, .proto = proto,
		.octets = 100, .wirelen = 114, .ttl = 64, .wscale = 0xff};
	uint8_t *ep[2] = {dir ? p.dst : p.src, dir ? p.src : p.dst};

	ep[0][10] = ep[0][11] = ep[1][10] = ep[1][11] = 0xff;
	ep[0][15] = 1;
	ep[1][15] = 2;
	p.sport = dir ? port : 1000;
	p.dport = dir ? 1000 : port;
	p.payload_len = p.payload_wire = (uint32_t)strlen(text);
	p.payload = p.payload_len > 0 ? (const uint8_t *)text : NULL;
	return p;
}

static struct flow *
account(struct rig *r, const struct packet *p)
{
	struct flowkey key;
	uint64_t hash;
	unsigned dir = flowtable_prepare(r->t, p, &key, &hash);

	plugin_flows_clock(r->p, p->ts_us);
	return flowtable_packet(r->t, p, &key, hash, dir);
}

static struct flow *
udp(struct rig *r, uint64_t s, unsigned dir, const char *text)
{
	const struct packet p = packet_of(s, dir, 17, 53, text);

	return account(r, &p);
}

static struct flow *
tcp(struct rig *r, uint64_t s, unsigned dir, uint32_t seq, unsigned flags, const char *text)
{
	struct packet p = packet_of(s, dir, 6, 80, text);

	p.flags = PACKET_HAS_TCP;
	p.seq = seq;
	p.tcp_flags = (uint8_t)flags;
	return account(r, &p);
}

/* The fields that the record I of those that left carries. */
static const struct toy_fields *
fields_of(struct rig *r, unsigned i)
{
	const struct mc_plugin *whose = NULL;
	const void *f;

	assert_true(i < r->ngot);
	f = plugin_flows_fields(r->p, r->got[i], &whose);
	assert_true(f == NULL || whose == &toy_plugin);
	return f;
}

static void
test_datagrams(void **state)
{
	struct rig *r = *state;
	struct packet nobody = packet_of(0, 0, 17, 9, "x");
	struct flow *f = account(r, &nobody);

	assert_true(f->flags & FLOW_PLUGIN_DONE);
	assert_false(f->flags & FLOW_PLUGIN);
	f = udp(r, 0, 0, "a");
	udp(r, 0, 1, "b");
	udp(r, 0, 1, "");
	assert_true(f->flags & FLOW_PLUGIN);
	toy_is("?a 0:a 1:b ");
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("close2 ");
	assert_int_equal(r->ngot, 2);
	assert_null(fields_of(r, 0));
	assert_int_equal(fields_of(r, 1)->packets, 2);
	assert_string_equal(fields_of(r, 1)->last, "b");
	assert_int_equal(r->counters.v[COUNTER_MAX], 2);
}

static void
test_done(void **state)
{
	struct rig *r = *state;
	struct flow *f = udp(r, 0, 0, "a");

	udp(r, 1, 1, "D");
	udp(r, 2, 1, "unseen");
	assert_true(f->flags & FLOW_PLUGIN_DONE);
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("?a 0:a 1:D ");
	assert_int_equal(fields_of(r, 0)->packets, 2);
}

static void
test_later(void **state)
{
	struct rig *r = *state;
	struct flow *f;
	unsigned i;

	toy.match = MC_MATCH_LATER;
	for (i = 0; i < 20; i++)
		f = udp(r, i, 0, "m");
	assert_true(f->flags & FLOW_PLUGIN_DONE);
	toy_is("?m ?m ?m ?m ?m ?m ?m ?m ");
}

/* TCP: who says YES after some segments reads from the first. */
static void
test_later_stream(void **state)
{
	struct rig *r = *state;
	struct flow *f;

	toy.match = MC_MATCH_LATER;
	tcp(r, 0, 0, 99, TCP_SYN, "");
	tcp(r, 0, 0, 100, 0, "m");
	tcp(r, 0, 0, 101, 0, "n");
	tcp(r, 0, 1, 500, 0, "");
	toy.match = MC_MATCH_YES;
	f = tcp(r, 0, 0, 102, 0, "o");
	tcp(r, 0, 0, 103, 0, "p");
	toy_is("?m ?mn ?mno 0:m 0:n 0:o 0:p ");
	assert_int_equal(f->packets[0], 5);
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("close4 ");
}

static void
test_stream(void **state)
{
	struct rig *r = *state;

	tcp(r, 0, 0, 99, TCP_SYN, "");
	tcp(r, 0, 1, 499, TCP_SYN, "");
	tcp(r, 0, 0, 102, 0, "c"); /* overtaken: nobody is asked about the middle */
	toy_is("");
	tcp(r, 0, 0, 100, 0, "ab");
	tcp(r, 0, 0, 100, 0, "ab");
	tcp(r, 0, 1, 500, 0, "xyz");
	tcp(r, 0, 0, 105, 0, "f");
	tcp(r, 2, 0, 106, TCP_FIN, "g"); /* two seconds later the hole is given up */
	toy_is("?abc 0:ab 0:c 1:xyz 0~f 0:g$ ");
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("close5 ");
}

static void
test_middle_of_stream(void **state)
{
	struct rig *r = *state;

	tcp(r, 0, 0, 7, 0, "a");
	tcp(r, 0, 1, 8, 0, "b");
	tcp(r, 0, 0, 20, 0, "z");
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("?a 0^a 1^b 0~z close3 ");
}

static void
test_first_segment_lost(void **state)
{
	struct rig *r = *state;

	tcp(r, 0, 0, 99, TCP_SYN, "");
	tcp(r, 0, 0, 200, 0, "b");
	tcp(r, 3, 0, 201, 0, "c");
	toy_is("?bc 0~b 0:c ");
}

/* What left carries what was so far; the packet that split counts behind the cut. */
static void
test_split(void **state)
{
	struct rig *r = *state;
	uint64_t packets = 0;
	unsigned i;

	udp(r, 0, 0, "a");
	udp(r, 1, 1, "b");
	udp(r, 2, 0, "S");
	udp(r, 3, 1, "d");
	toy_is("?a 0:a 1:b 0:S 1:d ");
	assert_int_equal(r->ngot, 1);
	assert_int_equal(r->got[0]->end, FLOW_END_DETECTED);
	assert_int_equal(r->got[0]->packets[0] + r->got[0]->packets[1], 2);
	assert_string_equal(fields_of(r, 0)->last, "b");
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("close4 "); /* the state went on */
	assert_int_equal(r->ngot, 2);
	assert_int_equal(fields_of(r, 1)->packets, 2);
	for (i = 0; i < r->ngot; i++)
		packets += r->got[i]->packets[0] + r->got[i]->packets[1];
	assert_int_equal(packets, 4);
	assert_true(r->got[0]->serial == r->got[1]->serial);
}

/* What stood behind a hole asks for a split when the flow has ended: no record more. */
static void
test_split_at_end(void **state)
{
	struct rig *r = *state;
	struct flow *f = tcp(r, 0, 0, 100, TCP_SYN, "");

	tcp(r, 0, 0, 101, TCP_ACK, "a");
	tcp(r, 0, 0, 110, TCP_ACK, "Sb");
	toy_is("?a 0:a ");
	f->flags |= FLOW_TOLD;
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("0~Sb close2 ");
	assert_int_equal(r->ngot, 1);
	assert_ptr_equal(r->got[0], f);
	assert_int_equal(f->packets[0], 3);
	assert_int_equal(f->end, FLOW_END_FORCED);
}

/* Not asked to split: SPLIT means nothing. */
static void
test_split_none(void **state)
{
	struct rig *r = *state;

	r->plugins.v[0].splits = false;
	udp(r, 0, 0, "a");
	udp(r, 0, 0, "S");
	assert_int_equal(r->ngot, 0);
	r->plugins.v[0].splits = true;
}

static void
test_active_timeout(void **state)
{
	struct rig *r = *state;
	unsigned s;

	for (s = 0; s <= 130; s += 10)
		udp(r, s, 0, "a");
	assert_int_equal(r->ngot, 1);
	assert_int_equal(r->got[0]->end, FLOW_END_ACTIVE);
	assert_int_equal(fields_of(r, 0)->packets, 12);
	flowtable_flush(r->t, FLOW_END_FORCED);
	assert_int_equal(fields_of(r, 1)->packets, 2);
	forget();
}

static void
test_timers(void **state)
{
	struct rig *r = *state;

	udp(r, 10, 0, "T");
	plugin_flows_clock(r->p, START + 10999999);
	toy_is("?T 0:T ");
	plugin_flows_clock(r->p, START + 11020000);
	toy_is("timer1@11 ");
	plugin_flows_clock(r->p, START + 20000000);
	toy_is("");
	/* set again: only the last counts; once around the wheel and further at once */
	udp(r, 30, 0, "T");
	udp(r, 30, 0, "T");
	plugin_flows_clock(r->p, START + 55000000);
	toy_is("0:T 0:T timer3@55 ");
	/* the end of a flow is the end of its timer */
	udp(r, 56, 0, "T");
	flowtable_flush(r->t, FLOW_END_FORCED);
	plugin_flows_clock(r->p, START + 90000000);
	toy_is("0:T close4 ");
}

static void
test_reports(void **state)
{
	struct rig *r = *state;
	struct flow *f = udp(r, 0, 0, "Report");

	assert_int_equal(r->head.kind, POST_REPORT);
	assert_int_equal(r->head.plugin, 0);
	assert_int_equal(r->head.len, sizeof(struct mc_key) + 6);
	assert_memory_equal(r->posted, &f->key, sizeof(f->key));
	assert_memory_equal(r->posted + sizeof(struct mc_key), "Report", 6);
}

static void
test_breaches(void **state)
{
	struct rig *r = *state;
	struct flow *f = NULL;
	unsigned i;

	tcp(r, 0, 1, 100, TCP_SYN, "");
	tcp(r, 0, 1, 101, TCP_ACK, "other");
	tcp(r, 0, 1, 110, TCP_ACK, "early");
	forget();
	udp(r, 0, 0, "L"); /* a report that is too long */
	toy.odd = true;
	for (i = 1; i < PLUGIN_BREACHES; i++) {
		assert_int_equal(counter_get(&r->counters, COUNTER_PLUGIN_OFF), 0);
		f = udp(r, 0, 0, "a");
		forget();
	}
	assert_int_equal(counter_get(&r->counters, COUNTER_PLUGIN_OFF), 1);
	assert_true(f->flags & FLOW_PLUGIN_DONE);
	toy_is("");
	tcp(r, 0, 0, 1, 0, "new");
	toy_is(""); /* it is not even asked */
	assert_int_equal(f->packets[0] + f->packets[1], PLUGIN_BREACHES);
	f = tcp(r, 0, 1, 106, TCP_ACK, "more");
	toy_is(""); /* nor of flows it reads already */
	assert_true(f->flags & FLOW_PLUGIN_DONE);
	flowtable_flush(r->t, FLOW_END_FORCED);
	toy_is("");
}

static void
test_full(void **state)
{
	struct rig *r = *state;
	struct packet p;
	unsigned i;

	/* every flow ends for lack of room, and its record stays away with its fields */
	for (i = 0; i < SLOTS; i++) {
		p = packet_of(0, 0, 17, (uint16_t)(2000 + i), "a");
		account(r, &p);
		forget();
	}
	assert_int_equal(r->ngot, SLOTS - 16);
	for (i = 0; i < r->ngot; i++)
		assert_int_equal(fields_of(r, i)->packets, 1);
	assert_int_equal(counter_get(&r->counters, COUNTER_PLUGIN_FULL), 0);
	home(r);
}

static void
test_subflows(void **state)
{
	struct rig *r = *state;
	char err[256];
	struct plugin_splitter *s =
	    plugin_splitter_new(&r->plugins, &r->counters, err, sizeof(err));
	struct packet p = packet_of(0, 0, 17, 53, "sA"), q = packet_of(0, 1, 17, 53, "sB");
	struct flow *f;

	assert_non_null(s);
	p.sub = plugin_splitter_sub(s, &p);
	q.sub = plugin_splitter_sub(s, &q);
	assert_int_equal(p.sub, 'A');
	f = account(r, &p);
	assert_true(f != account(r, &q));
	assert_true(f == account(r, &p));
	assert_int_equal(f->key.sub, 'A');
	p = packet_of(0, 0, 6, 53, "sA");
	assert_int_equal(plugin_splitter_sub(s, &p), 0);
	plugin_splitter_free(s);
	toy.len = 0;
}

/*
 * Which run
 */
struct chosen {
	struct config c;
	struct plugins s;
	struct template t;
	char err[512];
	int rc;
};

/* LINE as the command line, split at blanks. */
static void
choose(struct chosen *x, const char *line)
{
	char *argv[32], buf[512], *word, *rest = buf;
	int argc = 1;

	snprintf(buf, sizeof(buf), "%s", line);
	argv[0] = (char *)"mcprobe";
	while ((word = strsep(&rest, " ")) != NULL)
		argv[argc++] = word;
	argv[argc] = NULL;
	assert_int_equal(config_parse(&x->c, argc, argv, x->err, sizeof(x->err)), 0);
	x->rc = plugins_init(&x->s, x->err, sizeof(x->err));
	assert_int_equal(x->rc, 0);
	x->rc = plugins_load(&x->s, &x->c, x->err, sizeof(x->err));
	if (x->rc == 0)
		x->rc = template_parse(&x->t, x->c.template, 9, BIFLOW_NTOP, true, x->err,
		    sizeof(x->err));
	if (x->rc == 0)
		x->rc = plugins_choose(&x->s, &x->c, &x->t, x->err, sizeof(x->err));
}

static void
drop(struct chosen *x)
{
	plugins_clear(&x->s);
	config_clear(&x->c);
}

/* Names of those that run, those that split with a "+". */
static void
runs(const char *line, const char *want)
{
	struct chosen *x = calloc(1, sizeof(*x));
	char got[256] = "";
	unsigned i;

	choose(x, line);
	if (x->rc != 0)
		fail_msg("%s: %s", line, x->err);
	for (i = 0; i < x->s.n; i++)
		if (x->s.v[i].runs)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s ",
			    x->s.v[i].mc->name, x->s.v[i].splits ? "+" : "");
	assert_string_equal(got, want);
	assert_int_equal(x->s.any, *want != '\0');
	drop(x);
	free(x);
}

static void
refused(const char *line, const char *why)
{
	struct chosen *x = calloc(1, sizeof(*x));

	choose(x, line);
	assert_int_equal(x->rc, -1);
	if (strstr(x->err, why) == NULL)
		fail_msg("%s: \"%s\" without \"%s\"", line, x->err, why);
	drop(x);
	free(x);
}

static void
test_choice(void **state)
{
	(void)state;
	runs("-i -", "");
	runs("-i - --publish all", ""); /* nobody reads it */
	runs("-i - --events - --publish dns", "dns ");
	runs("-i - --events - --publish flow", "");
	runs("-i - -T %DNS_QUERY", "dns+ ");
	runs("-i - -T @HTTP@", "http+ ");
	runs("-i - -T %DNS_QUERY --split none", "dns ");
	runs("-i - -T %DNS_QUERY --split http", "dns http+ ");
	runs("-i - --plugin dns", "dns ");
	runs("-i - --plugin none --resp 7000", "");
	runs("-i - -T %FLOW_USER_NAME", "radius "); /* it tells users, and splits nothing */
	runs("-i - -T %FLOW_USER_NAME --plugin none", "");
	runs("-i - -T %FLOW_USER_NAME --plugin dns", "dns ");
	runs("-i - --plugin http -T %DNS_QUERY", "dns+ http ");
	runs("-i - --plugin dns -p 1/1/1/0/0", ""); /* no flow is one connection */
	refused("-i - --plugin dms", "did you mean dns?");
	refused("-i - --plugin dns:poort=5", "no option poort");
	refused("-i - --split htpp", "did you mean http?");
	refused("-i - -T @DNZ@", "did you mean @DNS@?");
}

static void
check(const struct mc_plugin *mc, const char *why)
{
	char err[256] = "";

	assert_int_equal(plugin_check(mc, err, sizeof(err)), why == NULL ? 0 : -1);
	if (why != NULL && strstr(err, why) == NULL)
		fail_msg("\"%s\" without \"%s\"", err, why);
}

/* What a plugin says of itself is checked before it is believed. */
static void
test_checks(void **state)
{
	static const struct mc_option many[18] = {{"a", "", ""}, {"b", "", ""}, {"c", "", ""},
		{"d", "", ""}, {"e", "", ""}, {"f", "", ""}, {"g", "", ""}, {"h", "", ""},
		{"i", "", ""}, {"j", "", ""}, {"k", "", ""}, {"l", "", ""}, {"m", "", ""},
		{"n", "", ""}, {"o", "", ""}, {"p", "", ""}, {"q", "", ""}};
	struct mc_field row[] = {toy_rows[0], {.label = NULL}};
	struct mc_plugin mc = toy_plugin;

	(void)state;
	check(&mc, NULL);
	mc.abi++;
	check(&mc, "another interface");
	mc = toy_plugin;
	mc.size--;
	check(&mc, "another interface");
	mc = toy_plugin;
	mc.name = "Toy";
	check(&mc, "small letters");
	mc = toy_plugin;
	mc.on_packet = NULL;
	check(&mc, "must be there");
	mc = toy_plugin;
	mc.fields = row;
	check(&mc, NULL);
	row[0].type = MC_U64; /* eight bytes would be read of four */
	check(&mc, "size of its type");
	row[0].size = 8;
	check(&mc, NULL);
	row[0].offset = (uint16_t)(mc.fields_size - 4);
	check(&mc, "outside of its struct");
	mc = toy_plugin;
	mc.options = many;
	check(&mc, "too many options");
	mc.options = many + 1;
	check(&mc, NULL);
}

/* A shared object: its fields, its options; and it runs only when it is named. */
static void
test_object(void **state)
{
	const char *path = getenv("PLUGIN_OBJECT");
	char dir[] = "/tmp/t_plugin.XXXXXX", line[256], to[64], cmd[1024];
	struct chosen *x = calloc(1, sizeof(*x));
	struct plugin_flows_setup fs = {0};
	struct counters counters = {{0}};

	(void)state;
	if (path == NULL || access(path, R_OK) < 0) {
		free(x);
		skip();
	}
	assert_non_null(mkdtemp(dir));
	snprintf(to, sizeof(to), "%s/template.so", dir);
	snprintf(cmd, sizeof(cmd), "cp '%s' '%s'", path, to);
	assert_int_equal(system(cmd), 0);
	snprintf(line, sizeof(line),
	    "-i - --plugin-dir %s --plugin template:port=25 -T %%TEMPLATE_ASKED", dir);
	runs(line, "template+ ");
	snprintf(line, sizeof(line), "-i - --plugin-dir %s --plugin templete", dir);
	refused(line, "did you mean template?");
	snprintf(line, sizeof(line), "-i - --plugin-dir %s --plugin template:port=0", dir);
	choose(x, line);
	if (x->rc != 0)
		fail_msg("%s", x->err);
	fs = (struct plugin_flows_setup){.plugins = &x->s, .counters = &counters, .max = 16,
		.slots = 16};
	assert_null(plugin_flows_new(&fs, x->err, sizeof(x->err)));
	assert_non_null(strstr(x->err, "template: port: 1 to 65535"));
	drop(x);
	free(x);
	unlink(to);
	/* what is no plugin */
	snprintf(to, sizeof(to), "%s/broken.so", dir);
	snprintf(cmd, sizeof(cmd), "echo nothing >'%s'", to);
	assert_int_equal(system(cmd), 0);
	snprintf(line, sizeof(line), "-i - --plugin-dir %s --plugin broken", dir);
	refused(line, "broken.so");
	unlink(to);
	rmdir(dir);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_datagrams),
		TEST(test_done),
		TEST(test_later),
		TEST(test_later_stream),
		TEST(test_stream),
		TEST(test_middle_of_stream),
		TEST(test_first_segment_lost),
		TEST(test_split),
		TEST(test_split_at_end),
		TEST(test_split_none),
		TEST(test_active_timeout),
		TEST(test_timers),
		TEST(test_reports),
		TEST(test_breaches),
		TEST(test_full),
		TEST(test_subflows),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
