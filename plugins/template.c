/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.c -- a plugin to start from: it reads the first line that each side of a TCP
 * connection sends on its port, which is what chat, mail and many home-made protocols
 * begin with, and says whether it was answered. doc/plugin.md tells of everything used
 * here. Compiled alone, as tests/t_plugin.c does:
 *
 *	cc -shared -fPIC -DMC_PLUGIN_SHARED -I include -o template.so plugins/template.c
 *	mcprobe -i eth0 --plugin-dir . --plugin template:port=7 -T "@TEMPLATE@" --json -
 *
 * To make your own: give it another name, decide in match() what is yours, parse in
 * on_packet(), say what happened by mc_report(), make of it what you like in on_report().
 */
#include <mcprobe/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64

/*
 * Fields of records. The struct begins with a word of bits: which fields have a value.
 * The host makes it zeros, copies it with the record and reads it by the rows below;
 * a record that is cut (--split, active timeout) takes it along, and zeros follow.
 */
enum {
	HAS_ASKED,
	HAS_ANSWERED,
};

struct template_fields {
	uint64_t present;
	char asked[LINE];
	char answered[LINE];
};

/* What is kept of a flow while it lives, and goes with it. Zeros at first. */
struct template_state {
	uint32_t len[2]; /* of the lines so far, by side */
	char line[2][LINE];
	uint64_t asked_us;
	bool whole[2]; /* LINE is complete */
};

/* What the worker tells control: copied, so a struct of plain values. */
struct template_report {
	uint64_t present; /* for the rows of the event, as in the fields */
	uint64_t ts_us, latency_us;
	uint8_t dir; /* who asked */
	char asked[LINE], answered[LINE];
};

/* One of these per worker, and one on control's side. Shared by nobody. */
struct template {
	bool control;
	unsigned port;
	int tree; /* control: of the keys template.<line> */
};

enum {
	COUNT_LINES,
	COUNT_LOST,
};

static const struct mc_option options[] = {
	{"port", "7", "port of the service"},
	{NULL, NULL, NULL},
};

static const struct mc_counter counters[] = {
	[COUNT_LINES] = {"lines", "connections whose first line was read"},
	[COUNT_LOST] = {"lost", "connections of which it was not captured"},
	{NULL, NULL},
};

/* Labels are those of -T; numbers 35632.N should be nobody else's. */
static const struct mc_field fields[] = {
	{.label = "TEMPLATE_ASKED", .pen = 35632, .id = 32001, .len = 32, .type = MC_STRING,
	    .offset = offsetof(struct template_fields, asked), .size = LINE,
	    .present = HAS_ASKED, .help = "first line of the client"},
	{.label = "TEMPLATE_ANSWERED", .pen = 35632, .id = 32002, .len = 32,
	    .type = MC_STRING, .offset = offsetof(struct template_fields, answered),
	    .size = LINE, .present = HAS_ANSWERED, .help = "first line of the server"},
	{.label = NULL},
};

/* Members of the event, after those that all events have. */
static const struct mc_row event[] = {
	MC_ROW(template_report, asked, "asked", MC_STRING, MC_NO_ROW),
	MC_ROW_NULL(template_report, answered, "answered", MC_STRING, HAS_ANSWERED),
	MC_ROW_NULL(template_report, latency_us, "latencyUs", MC_U64, HAS_ANSWERED),
};

static const char *const channels[] = {"template", NULL};

static int
template_init(void **ctx, const struct mc_setup *setup, char *err, size_t errlen)
{
	struct template *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		snprintf(err, errlen, "no memory");
		return -1;
	}
	t->control = setup->control;
	t->port = (unsigned)atoi(setup->option(setup, "port"));
	if (t->port < 1 || t->port > 65535) {
		snprintf(err, errlen, "port: 1 to 65535");
		free(t);
		return -1;
	}
	if (t->control)
		t->tree = mc_tree_add(setup, "template.", MC_KEY_HASH, UINT32_MAX);
	*ctx = t;
	return 0;
}

static void
template_fini(void *ctx)
{
	free(ctx);
}

/*
 * The worker's side
 */

/* Asked for every flow until some plugin says YES or all say NO: look at the key first. */
static enum mc_match
template_match(void *ctx, const struct mc_key *key, const struct mc_packet *pkt)
{
	const struct template *t = ctx;

	if (key->proto != 6 || (key->port[0] != t->port && key->port[1] != t->port))
		return MC_MATCH_NO;
	/* the beginning was not seen: whatever this is, it is no first line */
	return pkt->gap == 0 ? MC_MATCH_YES : MC_MATCH_NO;
}

/* Take octets of SIDE's line. Hostile bytes: never more than there is room for. */
static void
line_take(struct template_state *s, const struct mc_packet *pkt)
{
	unsigned side = pkt->dir;
	uint32_t i;

	for (i = 0; i < pkt->len && !s->whole[side]; i++) {
		if (pkt->data[i] == '\n' || s->len[side] == LINE - 1)
			s->whole[side] = true;
		else if (pkt->data[i] != '\r')
			s->line[side][s->len[side]++] = (char)pkt->data[i];
	}
}

static void
template_tell(const struct template_state *s, const struct mc_flow *flow, bool answered,
    uint64_t now_us)
{
	struct template_report r = {.ts_us = s->asked_us, .dir = flow->client};

	memcpy(r.asked, s->line[flow->client], LINE);
	if (answered) {
		r.present = 1 << HAS_ANSWERED;
		memcpy(r.answered, s->line[!flow->client], LINE);
		r.latency_us = now_us > s->asked_us ? now_us - s->asked_us : 0;
	}
	mc_report(flow, &r, sizeof(r));
}

static enum mc_verdict
template_packet(void *ctx, void *state, void *fields_, const struct mc_flow *flow,
    const struct mc_packet *pkt)
{
	struct template_fields *f = fields_;
	struct template_state *s = state;
	unsigned client = flow->client;
	bool before = s->whole[client];

	(void)ctx;
	if (pkt->gap != 0) { /* octets are missing before these: no line can be trusted */
		mc_flow_count(flow, COUNT_LOST, 1);
		return MC_DONE;
	}
	line_take(s, pkt);
	if (s->whole[client] && !before) {
		s->asked_us = pkt->ts_us;
		memcpy(f->asked, s->line[client], LINE);
		f->present |= 1 << HAS_ASKED;
		mc_flow_count(flow, COUNT_LINES, 1);
		mc_timer_set(flow, pkt->ts_us + 5000000); /* long enough for an answer */
	}
	if (!s->whole[client] || !s->whole[!client])
		return MC_MORE;
	memcpy(f->answered, s->line[!client], LINE);
	f->present |= 1 << HAS_ANSWERED;
	template_tell(s, flow, true, pkt->ts_us);
	return MC_DONE; /* the rest of the flow costs nothing */
}

/* Nobody has answered in time: say so now. */
static void
template_timer(void *ctx, void *state, void *fields_, const struct mc_flow *flow,
    uint64_t now_us)
{
	struct template_state *s = state;

	(void)ctx;
	(void)fields_;
	template_tell(s, flow, false, now_us);
	s->asked_us = 0;
}

/* The flow is over, and the plugin was not DONE with it. */
static void
template_close(void *ctx, void *state, void *fields_, const struct mc_flow *flow,
    uint64_t now_us)
{
	struct template_state *s = state;

	(void)ctx;
	(void)fields_;
	if (s->asked_us != 0)
		template_tell(s, flow, false, now_us);
}

/*
 * Control's side
 */
static void
template_report(void *ctx, const struct mc_cloud *cloud, const void *msg, size_t len)
{
	const struct template *t = ctx;
	struct template_report r;

	if (len != sizeof(r))
		return;
	memcpy(&r, msg, len);
	mc_cloud_incr(cloud, t->tree, r.asked, strnlen(r.asked, LINE), "asked", 1);
	if (r.present & 1 << HAS_ANSWERED)
		mc_cloud_incr(cloud, t->tree, r.asked, strnlen(r.asked, LINE), "answered",
		    1);
	/* ask first: nothing is composed for nobody */
	if (mc_cloud_wanted(cloud, "template"))
		mc_cloud_publish(cloud, "template", r.ts_us, r.dir, event,
		    sizeof(event) / sizeof(event[0]), &r);
}

MC_PLUGIN_SYMBOL(template) = {
	.abi = MC_PLUGIN_ABI,
	.size = sizeof(struct mc_plugin),
	.name = "template",
	.summary = "first lines of a connection; to start from",
	.options = options,
	.fields = fields,
	.counters = counters,
	.channels = channels,
	.fields_size = sizeof(struct template_fields),
	.state_size = sizeof(struct template_state),
	.init = template_init,
	.fini = template_fini,
	.match = template_match,
	.on_packet = template_packet,
	.on_timer = template_timer,
	.on_close = template_close,
	.on_report = template_report,
};
