/* SPDX-License-Identifier: BSD-3-Clause */
/* plugin_int.h -- between the parts of the plugin room. Nobody else includes it. */
#ifndef MCPROBE_PLUGIN_INT_H
#define MCPROBE_PLUGIN_INT_H

#include "plugin.h"
#include "pool.h"

struct plugin_text_pools;

/* One plugin on one thread: what init() left, and the handle of the host's functions. */
struct plugin_context {
	const struct plugins *plugins;
	const struct plugin *plugin;
	void *ctx;
	struct counters *counters; /* the thread's */
	bool inited;
	unsigned breaches; /* of its contract */
	bool off;	   /* too many of them */
	struct plugin_flows *flows;	/* worker side, as the next */
	struct plugin_text_pools *texts;
	struct plugin_control *control; /* control side */
};

extern const struct mc_host plugin_host;

/* init() with a context of SIDE. 0, or -1 with the reason in ERR. */
int	 plugin_context_init(struct plugin_context *, bool control, char *err,
	     size_t errlen);
void	 plugin_context_clear(struct plugin_context *);

/* It broke its contract. */
void	 plugin_breach(struct plugin_context *);

/* plugin_load.c: the shared object PATH. 0, or -1 with the reason in ERR. */
int	 plugin_open(struct plugin *, const char *path, char *err, size_t errlen);
/* Is MC one that this host can run? */
int	 plugin_check(const struct mc_plugin *mc, char *err, size_t errlen);

/*
 * plugin_record.c
 */
struct plugin_texts {
	uint16_t at[PLUGIN_TEXTS]; /* where in the fields the MC_TEXTs are */
	unsigned n;
};

#define PLUGIN_TEXT_STEP    16
#define PLUGIN_TEXT_CLASSES 16 /* longer ones are malloc()'s */

/* A worker's memory for texts, by their length in steps. */
struct plugin_text_pools {
	struct pool pool[PLUGIN_TEXT_CLASSES];
};

void	 plugin_text_pools_init(struct plugin_text_pools *);
void	 plugin_text_pools_clear(struct plugin_text_pools *);
/* Those of FIELDS, a plugin's that was checked. T was of zeros. */
void	 plugin_texts_find(struct plugin_texts *t, const struct mc_field *fields);
/* The texts of a record's FIELDS go; the pointers stay as they are. */
void	 plugin_texts_free(struct plugin_text_pools *, const struct plugin_texts *,
	     const void *fields);

struct dpi_claim;
/* C's name, if NAME is one that nDPI would take as it is, else none. */
void	 plugin_claim_name(struct dpi_claim *c, const char *name, size_t len,
	     const void *besides, size_t blen);

/* Host functions of each side. */
bool	 plugin_flow_text(const struct mc_flow *, char **at, const void *text, size_t len);
bool	 plugin_flow_report(const struct mc_flow *, const void *msg, size_t len);
void	 plugin_flow_timer(const struct mc_flow *, uint64_t at_us);
void	 plugin_flow_is(const struct mc_flow *, enum mc_l7, const char *name, size_t len,
	     const void *besides, size_t blen);
int	 plugin_cloud_field(const struct mc_setup *, int tree, const char *name);
int	 plugin_cloud_top(const struct mc_setup *, int tree, const char *metric);
void	 plugin_cloud_add(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	     const struct mc_add *, unsigned n, uint64_t top, uint64_t ts_us);
void	 plugin_cloud_put(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	     int field, const void *text, size_t len);
int	 plugin_cloud_tree(const struct mc_setup *, const char *prefix, enum mc_key_type,
	     uint32_t ttl_s);
void	 plugin_cloud_incr(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	     const char *field, int64_t n);
void	 plugin_cloud_set(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	     const char *field, const void *value, size_t len);
void	 plugin_cloud_max(const struct mc_cloud *, int tree, const void *id, size_t idlen,
	     const char *field, uint64_t n);
void	 plugin_cloud_unset(const struct mc_cloud *, int tree, const void *id,
	     size_t idlen, const char *field);
void	 plugin_cloud_zincr(const struct mc_cloud *, int tree, const void *id,
	     size_t idlen, const void *member, size_t mlen, uint64_t n);
void	 plugin_cloud_persist(const struct mc_cloud *, int tree, const void *id,
	     size_t idlen);
void	 plugin_cloud_expire_after(const struct mc_cloud *, int tree, const void *id,
	     size_t idlen, uint32_t s, const void *value, size_t len);
bool	 plugin_event_wanted(const struct mc_cloud *, const char *channel);
void	 plugin_event_publish(const struct mc_cloud *, const char *channel, uint64_t ts_us,
	     unsigned dir, const struct mc_row *rows, unsigned nrows, const void *values);
void	 plugin_user(const struct mc_cloud *, const char *name, const uint8_t addr[16],
	     unsigned bits, uint64_t at_us, bool has);

#endif
