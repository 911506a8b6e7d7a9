/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rogue.c -- a plugin that breaks its contract in every way the interface lets it, built
 * by test_faults_plugin.py. Its option "how" says in which.
 */
#include <mcprobe/plugin.h>

#include <stdio.h>
#include <string.h>

enum how {
	GOOD,	 /* does nothing wrong */
	VERDICT, /* answers that are none */
	MATCH,	 /* the same, of match() */
	REPORT,	 /* reports too long */
	COUNT,	 /* counters that do not exist */
	TREE,	 /* writes to trees that do not exist, keys too long */
	USER,	 /* networks of 300 bits, users without a name */
	TIMER,	 /* timers in the past and at the end of time, again and again */
	FIELDS,	 /* fields full of ones: strings without an end, numbers at their limits */
	SPLIT,	 /* wants each packet split */
	FLOOD,	 /* a thousand reports for each packet */
	WORKER,	 /* fails in init() of the worker */
	CONTROL, /* fails in init() of control */
	HOWS
};

static const char *const hows[HOWS] = {"good", "verdict", "match", "report", "count", "tree",
    "user", "timer", "fields", "split", "flood", "worker", "control"};

struct rogue_fields {
	uint64_t present;
	uint32_t number;
	uint8_t addr[16];
	char text[12];
};

static const struct mc_option options[] = {{"how", "good", "in which way"}, {0}};
static const struct mc_counter counters[] = {{"packets", "packets seen"}, {"timers", "timers"}, {0}};
static const struct mc_field fields[] = {
    {.label = "ROGUE_NUMBER", .pen = 35632, .id = 32201, .len = 4, .type = MC_U32,
	.offset = offsetof(struct rogue_fields, number), .size = 4, .present = 63, .help = "a number"},
    {.label = "ROGUE_ADDR", .pen = 35632, .id = 32202, .len = 4, .type = MC_ADDR,
	.offset = offsetof(struct rogue_fields, addr), .size = 16, .present = MC_NO_ROW, .help = "an address"},
    {.label = "ROGUE_TEXT", .pen = 35632, .id = 32203, .len = 8, .type = MC_STRING,
	.offset = offsetof(struct rogue_fields, text), .size = 12, .present = 0, .help = "a text"},
    {0},
};
static const char *const channels[] = {"rogue", NULL};
static const struct mc_row rows[] = {
    MC_ROW(rogue_fields, text, "text", MC_STRING, MC_NO_ROW),
    MC_ROW(rogue_fields, number, "number", MC_U32, 63),
};

static int
rogue_init(void **ctx, const struct mc_setup *setup, char *err, size_t errlen)
{
	static enum how kinds[HOWS];
	const char *how = setup->option(setup, "how");
	unsigned i;

	for (i = 0; i < HOWS && strcmp(hows[i], how) != 0; i++)
		kinds[i] = (enum how)i;
	if (i == HOWS || i == (setup->control ? CONTROL : WORKER)) {
		snprintf(err, errlen, "told to fail");
		return -1;
	}
	kinds[i] = (enum how)i;
	*ctx = &kinds[i];
	return 0;
}

static enum mc_match
rogue_match(void *ctx, const struct mc_key *key, const struct mc_packet *pkt)
{
	(void)pkt;
	if (*(enum how *)ctx == MATCH)
		return (enum mc_match)-7;
	return key->proto == 17 && (key->port[0] == 7777 || key->port[1] == 7777) ? MC_MATCH_YES
										  : MC_MATCH_NO;
}

static enum mc_verdict
rogue_packet(void *ctx, void *state, void *fields_, const struct mc_flow *flow,
    const struct mc_packet *pkt)
{
	static const char big[MC_REPORT_MAX + 1];
	unsigned i;

	(void)state;
	mc_flow_count(flow, 0, 1);
	switch (*(enum how *)ctx) {
	case VERDICT:
		return (enum mc_verdict)1234567;
	case REPORT:
		mc_report(flow, big, sizeof(big));
		mc_report(flow, NULL, SIZE_MAX);
		break;
	case COUNT:
		mc_flow_count(flow, 99, 1);
		mc_flow_count(flow, 0x80000000U, 1);
		break;
	case TIMER:
		mc_timer_set(flow, pkt->wire_len & 1 ? 1 : UINT64_MAX);
		break;
	case FIELDS:
		memset(fields_, 0xff, sizeof(struct rogue_fields));
		break;
	case SPLIT:
		return MC_SPLIT;
	case FLOOD:
		for (i = 0; i < 1000; i++)
			mc_report(flow, big, MC_REPORT_MAX);
		break;
	default:
		mc_report(flow, "x", 1);
	}
	return MC_MORE;
}

static void
rogue_timer(void *ctx, void *state, void *fields_, const struct mc_flow *flow, uint64_t now_us)
{
	(void)ctx;
	(void)state;
	(void)fields_;
	mc_flow_count(flow, 1, 1);
	mc_timer_set(flow, now_us - 1000000);
	mc_timer_set(flow, 1);
}

static void
rogue_report(void *ctx, const struct mc_cloud *cloud, const void *msg, size_t len)
{
	static const uint8_t addr[16];
	static char id[100000];
	struct rogue_fields f;

	(void)msg;
	(void)len;
	if (*(enum how *)ctx == USER) {
		mc_user_login(cloud, "", addr, 32, UINT64_MAX);
		mc_user_login(cloud, "x", addr, 300, 0);
		mc_user_logout(cloud, "x", addr, UINT32_MAX, 0);
	}
	if (*(enum how *)ctx != TREE)
		return;
	memset(&f, 0xff, sizeof(f));
	mc_cloud_incr(cloud, -1, "x", 1, "f", 1);
	mc_cloud_incr(cloud, 1000000, "x", 1, "f", 1);
	mc_cloud_set(cloud, MC_TREE_IP, "x", 1, "f", "v", 1);
	mc_cloud_incr(cloud, MC_TREE_USER, id, sizeof(id), "f", INT64_MAX);
	mc_cloud_max(cloud, MC_TREE_TOP + 1, "x", 1, "f", 1);
	mc_cloud_unset(cloud, -1000000, "x", 1, "f");
	mc_cloud_zincr(cloud, MC_TREE_IP, addr, 16, "m", 1, 1);
	mc_cloud_persist(cloud, 99, "x", 1);
	mc_cloud_expire_after(cloud, 99, "x", 1, 1, NULL, 0);
	mc_cloud_publish(cloud, "rogue", UINT64_MAX, 77, rows, 2, &f);
	mc_cloud_publish(cloud, "dns.answer", 0, 0, rows, 2, &f);
}

MC_PLUGIN_SYMBOL(rogue) = {
    .abi = MC_PLUGIN_ABI,
    .size = sizeof(struct mc_plugin),
    .name = "rogue",
    .summary = "breaks its contract",
    .options = options,
    .fields = fields,
    .counters = counters,
    .channels = channels,
    .fields_size = sizeof(struct rogue_fields),
    .init = rogue_init,
    .match = rogue_match,
    .on_packet = rogue_packet,
    .on_timer = rogue_timer,
    .on_report = rogue_report,
};
