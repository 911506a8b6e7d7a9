/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_info.c -- INFO: what Redis clients look for under the names they know, then the
 * probe's own: every counter once, in the section its row stands in. Made when asked for;
 * the dearest is reading memory and CPU time from the kernel.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "build.h"
#include "clock.h"
#include "command_int.h"

#define SECOND_US 1000000

struct info {
	struct commands *c;
	struct respbuf *to;
	struct counters sum;
	struct server_stats stats;
	uint64_t now_us;
};

__attribute__((format(printf, 2, 3))) static void
line(struct info *in, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	resp_bytes(in->to, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
	resp_bytes(in->to, "\r\n", 2);
}

/* Lines of numbers: what most of INFO is. */
static void
number(struct info *in, const char *name, uint64_t value)
{
	line(in, "%s:%" PRIu64, name, value);
}

static void
info_server(struct info *in)
{
	const struct commands *c = in->c;
	uint64_t up_us = clock_us(CLOCK_MONOTONIC) - c->setup.born_us;
	struct utsname os;

	line(in, "redis_version:" COMMAND_REDIS_VERSION);
	line(in, "mcprobe_version:" PACKAGE_VERSION);
	line(in, "probe_id:%s", c->setup.config->probe_id ? c->setup.config->probe_id : "");
	line(in, "redis_mode:standalone");
	if (uname(&os) == 0)
		line(in, "os:%s %s %s", os.sysname, os.release, os.machine);
	line(in, "arch_bits:%u", (unsigned)(8 * sizeof(void *)));
	line(in, "multiplexing_api:libevent");
	line(in, "process_id:%ld", (long)getpid());
	line(in, "run_id:%s", c->run_id);
	line(in, "tcp_port:%u", c->server != NULL ? server_port(c->server) : 0);
	line(in, "listen:%s", c->server != NULL ? server_addresses(c->server) : "");
	number(in, "server_time_usec", in->now_us);
	number(in, "uptime_in_seconds", up_us / SECOND_US);
	number(in, "uptime_in_days", up_us / SECOND_US / 86400);
	line(in, "hz:10");
}

static void
info_clients(struct info *in)
{
	const struct server_stats *s = &in->stats;

	number(in, "connected_clients", s->clients);
	number(in, "maxclients", SERVER_CLIENTS);
	number(in, "blocked_clients", s->blocked);
	number(in, "pubsub_clients", s->subscribers);
	number(in, "monitor_clients", s->monitors);
	number(in, "client_output_waiting", s->output_waiting);
	number(in, "client_input_waiting", s->input_waiting);
}

/* "12.50M", as Redis shows sizes to people. */
static void
line_size(struct info *in, const char *name, uint64_t bytes)
{
	static const char units[] = "BKMGT";
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1024 && u < sizeof(units) - 2) {
		v /= 1024;
		u++;
	}
	number(in, name, bytes);
	line(in, "%s_human:%.2f%c", name, v, units[u]);
}

static uint64_t
resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
info_memory(struct info *in)
{
	uint64_t used = cloud_memory(in->c->setup.cloud), rss = resident_bytes();
	struct rusage ru;

	line_size(in, "used_memory", used);
	line_size(in, "used_memory_rss", rss);
	if (getrusage(RUSAGE_SELF, &ru) == 0)
		line_size(in, "used_memory_peak", (uint64_t)ru.ru_maxrss * 1024);
	line_size(in, "total_system_memory",
	    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
	number(in, "used_memory_dataset", used);
	line_size(in, "maxmemory", 0);
	line(in, "maxmemory_policy:noeviction");
	line(in, "mem_fragmentation_ratio:%.2f", used > 0 ? (double)rss / (double)used : 0);
}

static void
info_persistence(struct info *in)
{
	line(in, "loading:0");
	line(in, "rdb_changes_since_last_save:0");
	line(in, "rdb_bgsave_in_progress:0");
	number(in, "rdb_last_save_time", in->c->setup.start_us / SECOND_US);
	line(in, "rdb_last_bgsave_status:ok");
	line(in, "aof_enabled:0");
	line(in, "aof_rewrite_in_progress:0");
	line(in, "aof_last_write_status:ok");
}

/* Since the last look that is a second ago or more. */
static uint64_t
commands_per_second(struct info *in)
{
	struct commands *c = in->c;
	uint64_t us = in->now_us - c->rate_us;

	if (c->rate_us == 0 || in->now_us < c->rate_us) {
		c->rate = 0;
	} else if (us >= SECOND_US) {
		c->rate = (in->stats.commands - c->rate_commands) * SECOND_US / us;
	} else {
		return c->rate;
	}
	c->rate_us = in->now_us;
	c->rate_commands = in->stats.commands;
	return c->rate;
}

static void
info_stats(struct info *in)
{
	const struct server_stats *s = &in->stats;

	number(in, "total_connections_received", s->connections);
	number(in, "total_commands_processed", s->commands);
	number(in, "instantaneous_ops_per_sec", commands_per_second(in));
	number(in, "total_net_input_bytes", s->in_bytes);
	number(in, "total_net_output_bytes", s->out_bytes);
	number(in, "rejected_connections", s->rejected);
	number(in, "client_output_buffer_limit_disconnections", s->cut_off);
	number(in, "expired_keys", in->sum.v[COUNTER_CLOUD_EXPIRED]);
	number(in, "evicted_keys", 0);
	number(in, "pubsub_channels", s->channels);
	number(in, "pubsub_patterns", s->patterns);
}

static void
info_replication(struct info *in)
{
	line(in, "role:master");
	line(in, "connected_slaves:0");
	line(in, "master_replid:%s", in->c->run_id);
	line(in, "master_repl_offset:0");
}

static void
line_time(struct info *in, const char *name, const struct timeval *tv)
{
	line(in, "%s:%ld.%06ld", name, (long)tv->tv_sec, (long)tv->tv_usec);
}

static void
info_cpu(struct info *in)
{
	struct rusage ru;

	if (getrusage(RUSAGE_SELF, &ru) == 0) {
		line_time(in, "used_cpu_sys", &ru.ru_stime);
		line_time(in, "used_cpu_user", &ru.ru_utime);
	}
	if (getrusage(RUSAGE_THREAD, &ru) == 0) {
		line_time(in, "used_cpu_sys_main_thread", &ru.ru_stime);
		line_time(in, "used_cpu_user_main_thread", &ru.ru_utime);
	}
}

static void
info_cluster(struct info *in)
{
	line(in, "cluster_enabled:0");
}

/* Live flows are keys too; they have no expiry of their own. */
static void
info_keyspace(struct info *in)
{
	const struct cloud *cloud = in->c->setup.cloud;
	uint64_t keys = cloud_count(cloud) + alive_count(in->c->setup.alive), expires = 0, n;

	for (unsigned i = 0; i < cloud_trees(cloud); i++)
		if (cloud_tree_of(cloud, i, &n)->ttl_s > 0)
			expires += n;
	if (keys > 0)
		line(in, "db0:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0", keys, expires);
}

/* The counters of rows FROM to before TO. */
static void
info_counters(struct info *in, enum counter from, enum counter to)
{
	for (unsigned i = from; i < (unsigned)to; i++)
		number(in, counter_table[i].name, in->sum.v[i]);
}

static void
info_flows(struct info *in)
{
	number(in, "flows_alive", alive_count(in->c->setup.alive));
}

static void
info_cloud(struct info *in)
{
	const struct cloud *cloud = in->c->setup.cloud;
	uint64_t n;

	number(in, "keys", cloud_count(cloud));
	number(in, "memory", cloud_memory(cloud));
	for (unsigned i = 0; i < cloud_trees(cloud); i++) {
		const struct cloud_tree *t = cloud_tree_of(cloud, i, &n);

		line(in, "keys_%.*s:%" PRIu64, (int)strlen(t->prefix) - 1, t->prefix, n);
	}
}

static void
info_plugins(struct info *in)
{
	if (in->c->setup.plugins != NULL)
		in->c->setup.plugins(in->c->setup.arg, &in->sum, in->to);
}

/*
 * The sections in their order. Counters of a section are those from FROM up to the next
 * section's: a new row of counters.def is shown in the section of the row before it.
 */
static const struct section {
	const char *name, *title;
	void (*show)(struct info *);
	int from; /* enum counter, -1: none */
} sections[] = {
	{"server", "Server", info_server, -1},
	{"clients", "Clients", info_clients, -1},
	{"memory", "Memory", info_memory, -1},
	{"persistence", "Persistence", info_persistence, -1},
	{"stats", "Stats", info_stats, -1},
	{"replication", "Replication", info_replication, -1},
	{"cpu", "CPU", info_cpu, -1},
	{"cluster", "Cluster", info_cluster, -1},
	{"keyspace", "Keyspace", info_keyspace, -1},
	{"capture", "Capture", NULL, 0},
	{"flows", "Flows", info_flows, COUNTER_FLOW_PACKETS},
	{"dpi", "Dpi", NULL, COUNTER_DPI_FLOWS},
	{"plugins", "Plugins", info_plugins, COUNTER_PLUGIN_FULL},
	{"export", "Export", NULL, COUNTER_RECORDS},
	{"cloud", "Cloud", info_cloud, COUNTER_DELTAS},
	{"queries", "Queries", NULL, COUNTER_QUERIES},
	{"nodes", "Nodes", NULL, COUNTER_NODE_CONNECTS},
	{"watch", "Watch", NULL, COUNTER_WATCH_READS},
	{"reader", "Reader", NULL, COUNTER_READER_ASKED},
	{"events", "Events", NULL, COUNTER_EVENTS},
	{"resp", "Resp", NULL, COUNTER_RESP_CONNECTIONS},
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))
#define SECTIONS_ALL ((1u << SECTIONS) - 1)
#define NODES_SECTION "node" /* what a section of setup.info is called by */

static void
show_section(struct info *in, size_t i)
{
	const struct section *s = &sections[i];
	int to = COUNTER_MAX;

	if (in->to->len > 0)
		resp_bytes(in->to, "\r\n", 2);
	line(in, "# %s", s->title);
	if (s->show != NULL)
		s->show(in);
	if (s->from < 0)
		return;
	if (i + 1 < SECTIONS)
		to = sections[i + 1].from;
	info_counters(in, (enum counter)s->from, (enum counter)to);
}

/* Bits of the sections a word asks for. *OTHERS: those of setup.info too. */
static unsigned
sections_of(const char *word, size_t len, bool *others)
{
	const struct resp_arg arg = {word, len};

	if (arg_is(&arg, "default") || arg_is(&arg, "all") || arg_is(&arg, "everything")) {
		*others = true;
		return SECTIONS_ALL;
	}
	if (len >= sizeof(NODES_SECTION) - 1) {
		const struct resp_arg begin = {word, sizeof(NODES_SECTION) - 1};

		if (arg_is(&begin, NODES_SECTION))
			*others = true;
	}
	for (unsigned i = 0; i < SECTIONS; i++)
		if (arg_is(&arg, sections[i].name))
			return 1u << i;
	return 0;
}

static void
show_all(struct commands *c, unsigned wanted, bool others, struct respbuf *to)
{
	struct info in = {.c = c, .to = to, .now_us = clock_us(CLOCK_REALTIME)};

	c->setup.counters(c->setup.arg, &in.sum);
	if (c->server != NULL)
		server_stats(c->server, &in.stats);
	for (unsigned i = 0; i < SECTIONS; i++)
		if (wanted & 1u << i)
			show_section(&in, i);
	if (others && c->setup.info != NULL) {
		if (to->len > 0)
			resp_bytes(to, "\r\n", 2);
		c->setup.info(c->setup.arg, wanted == SECTIONS_ALL ? NULL : NODES_SECTION "s",
		    to);
	}
}

void
command_info(struct commands *c, const char *section, struct respbuf *to)
{
	bool others = section == NULL;
	unsigned wanted = SECTIONS_ALL;

	if (section != NULL)
		wanted = sections_of(section, strlen(section), &others);
	show_all(c, wanted, others, to);
}

void
cmd_info(struct call *call)
{
	unsigned wanted = call->argc == 1 ? SECTIONS_ALL : 0;
	bool others = call->argc == 1;
	struct respbuf text;

	for (unsigned i = 1; i < call->argc; i++)
		wanted |= sections_of(call->argv[i].p, call->argv[i].len, &others);
	respbuf_init(&text);
	show_all(call->c, wanted, others, &text);
	if (text.failed)
		reply_error(call->client, "ERR out of memory");
	else
		reply_verbatim(call->client, text.buf != NULL ? text.buf : "", text.len);
	respbuf_clear(&text);
}
