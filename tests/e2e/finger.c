/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * finger.c -- a plugin of somebody else's, built by test_plugin_installed.py with
 * nothing but the installed header: whom Finger (RFC 1288) is asked about, and how long
 * the answer is.
 */
#include <mcprobe/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef OTHER_ABI /* as if built for another mcprobe */
#undef MC_PLUGIN_ABI
#define MC_PLUGIN_ABI 999
#endif

enum { HAS_WHO, HAS_ANSWER };

struct finger_fields {
	uint64_t present;
	uint32_t answer;
	char who[32];
};

struct finger_state {
	uint64_t asked_us;
	uint32_t len;
	bool whole, told;
};

struct finger_report {
	uint64_t present, ts_us;
	uint32_t answer;
	uint8_t dir;
	char who[32];
};

struct finger {
	unsigned port;
	int tree;
};

static const struct mc_option options[] = {{"port", "79", "port of the service"}, {0}};
static const struct mc_counter counters[] = {{"questions", "questions seen"}, {0}};
static const struct mc_field fields[] = {
    {.label = "FINGER_WHO", .pen = 35632, .id = 32101, .len = 16, .type = MC_STRING,
	.offset = offsetof(struct finger_fields, who), .size = 32, .present = HAS_WHO,
	.help = "who was asked about"},
    {.label = "FINGER_ANSWER", .pen = 35632, .id = 32102, .len = 4, .type = MC_U32,
	.offset = offsetof(struct finger_fields, answer), .size = 4,
	.present = HAS_ANSWER, .help = "octets of the answer"},
    {0},
};
static const struct mc_row rows[] = {
    MC_ROW(finger_report, who, "who", MC_STRING, MC_NO_ROW),
    MC_ROW(finger_report, answer, "answer", MC_U32, MC_NO_ROW),
};
static const char *const channels[] = {"finger", NULL};

static int
finger_init(void **ctx, const struct mc_setup *setup, char *err, size_t errlen)
{
	struct finger *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	f->port = (unsigned)atoi(setup->option(setup, "port"));
	if (f->port == 0) {
		snprintf(err, errlen, "there is no port 0");
		free(f);
		return -1;
	}
	if (setup->control)
		f->tree = mc_tree_add(setup, "finger.who.", MC_KEY_HASH, UINT32_MAX);
	*ctx = f;
	return 0;
}

static void
finger_fini(void *ctx)
{
	free(ctx);
}

static enum mc_match
finger_match(void *ctx, const struct mc_key *key, const struct mc_packet *pkt)
{
	const struct finger *f = ctx;

	(void)pkt;
	return key->proto == 6 && (key->port[0] == f->port || key->port[1] == f->port)
		   ? MC_MATCH_YES
		   : MC_MATCH_NO;
}

static void
finger_tell(struct finger_state *s, const struct finger_fields *f,
    const struct mc_flow *flow)
{
	struct finger_report r = {.ts_us = s->asked_us, .answer = f->answer,
	    .dir = flow->client};

	if (!s->whole || s->told)
		return;
	s->told = true;
	memcpy(r.who, f->who, sizeof(r.who));
	mc_report(flow, &r, sizeof(r));
}

static enum mc_verdict
finger_packet(void *ctx, void *state, void *fields_, const struct mc_flow *flow,
    const struct mc_packet *pkt)
{
	struct finger_state *s = state;
	struct finger_fields *f = fields_;
	uint32_t i;

	(void)ctx;
	if (pkt->dir != flow->client) {
		f->answer += pkt->len;
		f->present |= 1 << HAS_ANSWER;
		if (pkt->fin)
			finger_tell(s, f, flow);
		return MC_MORE;
	}
	for (i = 0; i < pkt->len && !s->whole; i++) {
		if (pkt->data[i] == '\n') {
			s->whole = true;
			s->asked_us = pkt->ts_us;
			f->present |= 1 << HAS_WHO;
			mc_flow_count(flow, 0, 1);
		} else if (pkt->data[i] != '\r' && s->len < sizeof(f->who) - 1) {
			f->who[s->len++] = (char)pkt->data[i];
		}
	}
	return MC_MORE;
}

static void
finger_close(void *ctx, void *state, void *fields_, const struct mc_flow *flow,
    uint64_t now_us)
{
	(void)ctx;
	(void)now_us;
	finger_tell(state, fields_, flow);
}

static void
finger_on_report(void *ctx, const struct mc_cloud *cloud, const void *msg, size_t len)
{
	const struct finger *f = ctx;
	struct finger_report r;

	if (len != sizeof(r))
		return;
	memcpy(&r, msg, len);
	mc_cloud_incr(cloud, f->tree, r.who, strlen(r.who), "questions", 1);
	mc_cloud_incr(cloud, f->tree, r.who, strlen(r.who), "octets", r.answer);
	if (mc_cloud_wanted(cloud, "finger"))
		mc_cloud_publish(cloud, "finger", r.ts_us, r.dir, rows, 2, &r);
}

MC_PLUGIN_SYMBOL(finger) = {
    .abi = MC_PLUGIN_ABI,
    .size = sizeof(struct mc_plugin),
    .name = "finger",
    .summary = "who is asked about",
    .options = options,
    .fields = fields,
    .counters = counters,
    .channels = channels,
    .fields_size = sizeof(struct finger_fields),
    .state_size = sizeof(struct finger_state),
    .init = finger_init,
    .fini = finger_fini,
    .match = finger_match,
    .on_packet = finger_packet,
    .on_close = finger_close,
    .on_report = finger_on_report,
};
