/* SPDX-License-Identifier: BSD-3-Clause */
/* worker_plugin.c -- the worker's plugins: made between the table and its packets, heard. */
#include <time.h>

#include "post.h"
#include "trace.h"
#include "worker_int.h"

/*
 * plugin_post_cb. A flow is being changed: nothing may be answered meanwhile. Control
 * takes posts whatever the worker does, so there is room in the end.
 */
static bool
worker_post_report(void *arg, const struct post_head *head, const void *msg)
{
	static const struct timespec nap = {0, 100000};
	struct worker *w = arg;

	while (!post_put(&w->live.post, head, msg)) {
		if (w->config->live && !w->stopping) {
			counter_inc(&w->counters, COUNTER_POSTS_LOST);
			return false;
		}
		bell_ring(w->control);
		nanosleep(&nap, NULL);
	}
	w->put = true;
	return true;
}

int
worker_make_plugins(struct worker *w, const struct worker_setup *s, char *err,
    size_t errlen)
{
	uint32_t max = (uint32_t)(s->config->max_flows / s->config->workers);
	const struct plugin_flows_setup setup = {
		.plugins = s->plugins,
		.table = w->table,
		.counters = &w->counters,
		.max = max,
		.slots = w->live.s.slots,
		.live = s->config->live,
		.post = worker_post_report,
		.arg = w,
	};
	struct flowtable_plugins calls = {plugin_flows_fetch, plugin_flows_packet,
		plugin_flows_close, plugin_flows_cut, NULL};

	if (s->plugins == NULL)
		return 0;
	w->plugins = calls.arg = plugin_flows_new(&setup, err, errlen);
	if (w->plugins == NULL)
		return -1;
	w->live.plugins = w->plugins;
	flowtable_set_plugins(w->table, &calls);
	if (!s->plugins->subflows || s->deal != NULL)
		return 0;
	w->splitter = plugin_splitter_new(s->plugins, &w->counters, err, errlen);
	if (w->splitter == NULL)
		return -1;
	if (w->trace != NULL)
		trace_split(w->trace, plugin_splitter_sub, w->splitter);
	else
		intake_split(&w->intake, plugin_splitter_sub, w->splitter);
	return 0;
}
