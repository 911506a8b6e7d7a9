/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h -- what the user asked for: the command line and the configuration file, read
 * through the rows of options.def. Immutable once config_parse() returned; any thread may
 * read it.
 */
#ifndef MCPROBE_CONFIG_H
#define MCPROBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_USAGE_EXIT 2

struct strlist {
	char **v; /* owned */
	unsigned n;
};

enum biflow_mode {
	BIFLOW_NTOP,	/* OUT_BYTES, OUT_PKTS as nProbe */
	BIFLOW_RFC5103, /* reverse elements, PEN 29305 */
	BIFLOW_UNI,	/* a record per direction */
};

struct subnet {
	uint8_t addr[16]; /* IPv4 mapped */
	uint8_t bits;	  /* of 128 */
};

/* A Redis server: HOST and PORT, or PATH of its socket. */
struct redis_address {
	char *text; /* owned, as the three: as the user wrote it */
	char *host; /* NULL: PATH */
	int port;
	char *path;
	bool tls; /* HOST must prove to be it */
};

struct redis_list {
	struct redis_address *v; /* owned */
	unsigned n;
};

enum config_action {
	ACTION_RUN,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_FIELDS,
};

struct config {
	enum config_action action;
	/* input */
	struct strlist interfaces;
	char *filter;
	int snaplen;
	bool promisc;
	int workers;
	char *pcap_file_list;
	double speed; /* times the capture's own pace; 0: as fast as possible */
	bool progress;
	bool stay;
	int sampling;
	/* flows */
	int lifetime_s, idle_s;
	int max_flows;
	bool tunnel;
	unsigned aggregation; /* FLOWKEY_ parts */
	struct subnet *local;
	unsigned nlocal;
	int min_flow_size;
	bool no_swap;
	bool account_l2;
	bool dpi;
	struct strlist plugins; /* NAME[:opt=val,...] */
	char *plugin_dir;	/* NULL: where it was installed */
	char *split;		/* names of plugins, none; NULL: the template says */
	int dns_timeout_s, user_grace_s, user_wait_ms;
	/* export */
	struct strlist collectors;
	bool all_collectors;
	char *tls_ca, *tls_cert, *tls_key; /* of our connections; NULL: the system's, none */
	int version; /* 5, 9, 10 */
	char *template;
	int template_id;
	enum biflow_mode biflow;
	int queue_s;
	int template_packets, template_s;
	uint32_t obs_domain;
	uint8_t engine_type, engine_id;
	bool psamp;
	int in_ifindex, out_ifindex; /* -1: the capture interface's own */
	char *json;
	bool json_ids;
	char *ipfix_file;
	char *dump_path;
	int dump_s;
	/* MicroCloud */
	char *probe_id; /* always set after config_parse() */
	struct redis_list redis;
	char *redis_user, *redis_password_file;
	int redis_db;
	char *sentinel_master;	     /* NULL: no sentinels */
	struct redis_list sentinels; /* then REDIS is empty and there is one node */
	bool watch;
	int drain_s;
	struct strlist resp; /* addresses to answer at; empty: none */
	bool resp_default;   /* nobody asked for it by name */
	bool resp_none;	     /* --resp none */
	char *resp_password_file;
	char *resp_cert, *resp_key, *resp_client_ca; /* --resp-tls; NULL: none */
	int volatile_ttl_s;
	int cloud_interval_s;
	int max_keys;
	struct strlist publish; /* channels, and what stands above them */
	char *events;
	/* running */
	bool check_config;
	int verbose;
	bool daemon;
	char *pid_file;
	bool syslog;
	char *user;
	bool supervise;
	bool sandbox;
	bool dry_run;
	bool live; /* computed: the input is interfaces */
	unsigned again; /* main's: this often the supervisor started the probe again */
	unsigned file_depth; /* config_parse()'s: files within files */
};

/*
 * Read ARGV into *C (cleared first). 0, or -1 after a mistake: ERR explains it, with the
 * nearest known name. What ACTION asks for is left to the caller. *C must be cleared in
 * every case.
 */
int	 config_parse(struct config *, int argc, char **argv, char *err, size_t errlen);
void	 config_clear(struct config *);

/* The rows of options.def as --help, and as mdoc for the man pages. */
void	 config_help(FILE *);
void	 config_man(FILE *);
void	 config_man_file(FILE *); /* mcprobe.conf(5): long names, kinds and defaults */

/* The known name nearest to NAME by edit distance, NULL if none is near. NAMES: N of them. */
const char *config_nearest(const char *name, const char *const *names, unsigned n);

/* Go on with the files that are there: what ended before wrote them, of other packets. */
bool	 config_appends(const struct config *);

/* Does the key tree have anybody to read it: nodes, or clients? */
bool	 config_has_cloud(const struct config *);

/* The first line of the password file that OPTION names, to be freed. NULL with the reason
 * in ERR. */
char	*config_secret(const char *option, const char *path, char *err, size_t errlen);

/* Is the address (16 bytes, IPv4 mapped) in one of -L's networks? */
bool	 config_is_local(const struct config *, const uint8_t *addr);

#endif
