/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin.h -- the host of plugins. Three parts, as there are three lives: which plugins
 * there are and which of them run (struct plugins, made at start, constant from then on);
 * what they do with a worker's flows (struct plugin_flows, one per worker, on its thread);
 * and what they do with keys and events (struct plugin_control, control's thread).
 *
 * A flow is of one plugin at most. What the host keeps of it stands beside the flow table,
 * by slot: a flow without a plugin costs a look at its flags.
 */
#ifndef MCPROBE_PLUGIN_ROOM_H
#define MCPROBE_PLUGIN_ROOM_H

#include <mcprobe/plugin.h>

#include <stdio.h>

#include "config.h"
#include "counter.h"
#include "dpi.h"
#include "flowtable.h"
#include "packet.h"

#define PLUGINS_MAX	16
#define PLUGIN_BREACHES 100 /* of its contract, after which a plugin is switched off */
#define PLUGIN_OPTIONS	16
#define PLUGIN_TEXTS	16 /* MC_TEXTs of a plugin */
#define PLUGIN_NONE	0xff

struct cloud;
struct events;
struct sightings;
struct plugin_control;
struct plugin_flows;
struct plugin_splitter;
struct post_head;
struct template;
struct watcher;

/*
 * Which there are
 */
struct plugin {
	const struct mc_plugin *mc;
	void *object; /* owned: of dlopen(); NULL: built in */
	char *option[PLUGIN_OPTIONS]; /* owned: values, by row of MC's; NULL: default */
	bool named;   /* --plugin */
	bool runs;    /* somebody has use for it */
	bool splits;  /* its transactions are cut into records */
	unsigned counter, ncounters; /* in struct counters, behind COUNTER_MAX */
};

struct plugins {
	struct plugin v[PLUGINS_MAX];
	unsigned n;
	bool any; /* one of them runs */
	bool splits, subflows; /* one that runs does, and that has sub-flows */
	uint64_t timeout_us, grace_us;
	unsigned parts; /* of flow keys: FLOWKEY_ */
};

/* The built-in ones, none of which runs; their fields are known from then on. Once. */
int	 plugins_init(struct plugins *, char *err, size_t errlen);
void	 plugins_clear(struct plugins *);

/* What --plugin names, from --plugin-dir if need be; with options. 0, or -1: a mistake. */
int	 plugins_load(struct plugins *, const struct config *, char *err, size_t errlen);

/* Which of them run, and which split. 0, or -1: a mistake in --split. */
int	 plugins_choose(struct plugins *, const struct config *, const struct template *,
	     char *err, size_t errlen);

/* Does --publish name channels that there are, the plugins' included? 0, or -1. */
int	 plugins_check_publish(const struct plugins *, const struct config *, char *err,
	     size_t errlen);

/* For the lists: a built-in one, NULL after the last. */
const struct mc_plugin *plugin_builtin(unsigned i);

/* Counters of the plugins that run: NAME is <plugin>_<name>. */
typedef void plugin_count_cb(void *arg, const char *name, const char *help, uint64_t n);
void	 plugins_counters(const struct plugins *, const struct counters *,
	     plugin_count_cb *, void *arg);
/* Those that are not 0, a line each, for the exit summary. */
void	 plugins_report(const struct plugins *, const struct counters *, FILE *);

/*
 * A worker's flows
 */

/* Post to control. False: lost, and counted. */
typedef bool plugin_post_cb(void *arg, const struct post_head *, const void *msg);

struct plugin_flows_setup {
	const struct plugins *plugins;
	struct flowtable *table;   /* borrowed; flowtable_calls as below */
	struct counters *counters; /* the worker's; borrowed */
	uint32_t max, slots;	   /* flows alive at most; records of TABLE */
	bool live;		   /* timers run in small slices */
	plugin_post_cb *post;
	void *arg;
};

/* init() of each plugin that runs. NULL with the reason in ERR. */
struct plugin_flows *plugin_flows_new(const struct plugin_flows_setup *, char *err,
		     size_t errlen);
void	 plugin_flows_free(struct plugin_flows *); /* fini(); before the table */

/* flowtable_plugins: ARG is the struct plugin_flows. */
void	 plugin_flows_fetch(struct plugin_flows *, const struct flow *const *, unsigned n);
void	 plugin_flows_packet(struct plugin_flows *, struct flow *, const struct packet *,
	     unsigned dir);
void	 plugin_flows_close(struct plugin_flows *, struct flow *);
void	 plugin_flows_cut(struct plugin_flows *, struct flow *, struct flow *copy);

/* What a plugin has said F is, by the packet it was just shown. NULL: nothing. */
const struct dpi_claim *plugin_flows_claim(struct plugin_flows *, const struct flow *);

/* F is home, or was dropped; before flowtable_put(). */
void	 plugin_flows_home(struct plugin_flows *, struct flow *);

/* The packet clock is NOW_US: timers. Cheap before plugin_flows_due(). */
void	 plugin_flows_clock(struct plugin_flows *, uint64_t now_us);

/* What the record of F carries, which is alive (worker's thread), or has ended and is not
 * home yet (control's). NULL: nothing. *PLUGIN: whose it is. */
const void *plugin_flows_fields(const struct plugin_flows *, const struct flow *,
		     const struct mc_plugin **plugin);

/* Sub-flows of datagrams, for the thread that decodes. NULL with the reason in ERR. */
struct plugin_splitter *plugin_splitter_new(const struct plugins *, struct counters *,
		     char *err, size_t errlen);
void	 plugin_splitter_free(struct plugin_splitter *);
/* decode.sub; ARG is the struct plugin_splitter. */
uint32_t plugin_splitter_sub(void *arg, const struct packet *);

/*
 * Control
 */
struct plugin_control_setup {
	const struct plugins *plugins;
	struct cloud *cloud; /* NULL: nobody could read it */
	struct events *events;
	struct counters *counters;
	struct sightings *sightings;
	struct watcher *watcher; /* compares events with lists; NULL: nothing is watched */
};

struct plugin_control *plugin_control_new(const struct plugin_control_setup *, char *err,
		     size_t errlen);
void	 plugin_control_free(struct plugin_control *);
/* Whose the flows are that plugins tell of from now on, NULL: not known. Borrowed. */
void	 plugin_control_user(struct plugin_control *, const char *user);
/* A POST_REPORT of plugin INDEX: struct mc_key, then its bytes. */
void	 plugin_control_report(struct plugin_control *, unsigned index, const void *msg,
	     size_t len);
/* A record with FIELDS of a plugin leaves. */
void	 plugin_control_end(struct plugin_control *, const struct mc_plugin *,
	     const struct flow *, const void *fields);
/* The packet clock; on_second() when a second has passed. */
void	 plugin_control_clock(struct plugin_control *, uint64_t now_us);

#endif
