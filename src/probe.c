/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.c -- puts the rooms together: opens what must be opened as root, drops
 * privileges, makes the workers (their nDPI modules one after the other, in this thread)
 * and runs the control loop.
 */
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "capture.h"
#include "deal.h"
#include "decode.h"
#include "dpi.h"
#include "export.h"
#include "log.h"
#include "loop.h"
#include "plugin.h"
#include "privs.h"
#include "report.h"
#include "ring.h"
#include "sandbox.h"
#include "share.h"
#include "trace.h"
#include "worker.h"

#define CAPTURE_RING	(32 << 20) /* bytes, per interface and worker */
#define OPEN_FILES	4096 /* enough for all clients */
#define CAPTURE_TIMEOUT 100	   /* ms the kernel may hold packets back */

struct probe {
	const struct config *config;
	const struct template *template;
	const struct plugins *plugins; /* NULL: none runs */
	struct heart *heart; /* NULL: no supervisor */
	struct counters counters; /* control's */
	struct event_base *base;
	struct bell bell;
	struct dpi_names *names;
	struct strlist files;	   /* the trace; empty live */
	struct export_port *ports; /* names borrow CONFIG or FILES */
	unsigned nports;
	struct export *export;
	struct share *share;
	struct worker **workers;
	unsigned nworkers; /* made so far */
	struct deal *deal; /* files, several workers */
	const struct trace *trace; /* files */
	uint64_t seed;
};

static int
reason(char *err, size_t errlen, const char *what)
{
	snprintf(err, errlen, "%s", what);
	return -1;
}

/*
 * Input
 */
static int
probe_add_file(struct probe *p, const char *path)
{
	char **v = realloc(p->files.v, (p->files.n + 1) * sizeof(*v));

	if (v == NULL)
		return -1;
	p->files.v = v;
	v[p->files.n] = strdup(path);
	if (v[p->files.n] == NULL)
		return -1;
	p->files.n++;
	return 0;
}

/* --pcap-file-list: a name per line, "#" and empty lines left out. */
static int
probe_read_list(struct probe *p, const char *list, char *err, size_t errlen)
{
	char *line = NULL, *end;
	size_t size = 0;
	int rc = 0;
	FILE *f = fopen(list, "re");

	if (f == NULL) {
		snprintf(err, errlen, "%s: %s", list, strerror(errno));
		return -1;
	}
	while (rc == 0 && getline(&line, &size, f) >= 0) {
		end = line + strlen(line);
		while (end > line && isspace((unsigned char)end[-1]))
			*--end = '\0';
		if (*line != '\0' && *line != '#' && probe_add_file(p, line) < 0)
			rc = reason(err, errlen, "no memory");
	}
	free(line);
	fclose(f);
	if (rc == 0 && p->files.n == 0) {
		snprintf(err, errlen, "%s names no files", list);
		return -1;
	}
	return rc;
}

static int
probe_name_input(struct probe *p, char *err, size_t errlen)
{
	const struct config *c = p->config;
	unsigned i;

	if (c->pcap_file_list != NULL &&
	    probe_read_list(p, c->pcap_file_list, err, errlen) < 0)
		return -1;
	for (i = 0; !c->live && i < c->interfaces.n; i++)
		if (probe_add_file(p, c->interfaces.v[i]) < 0)
			return reason(err, errlen, "no memory");
	p->nports = c->live ? c->interfaces.n : 1;
	p->ports = calloc(p->nports, sizeof(*p->ports));
	if (p->ports == NULL)
		return reason(err, errlen, "no memory");
	for (i = 0; i < p->nports; i++) {
		const char *name = c->live ? c->interfaces.v[i] : p->files.v[0];
		const char *slash = strrchr(name, '/');

		p->ports[i].name = slash ? slash + 1 : name;
		p->ports[i].index = c->live ? if_nametoindex(name) : i + 1;
	}
	return 0;
}

static struct capture *
probe_open_source(const struct probe *p, unsigned port, char *err, size_t errlen)
{
	const struct config *c = p->config;
	struct capture_options opt = {
		.filter = c->filter,
		.snaplen = c->snaplen,
		.promisc = c->promisc,
		.buffer = CAPTURE_RING,
		.timeout_ms = CAPTURE_TIMEOUT,
		.port = (uint16_t)port,
		/* a group of our own per interface and process */
		.fanout = c->live && c->workers > 1
		    ? (int)((((unsigned)getpid() << 4) + port) % 0xffff + 1)
		    : 0,
	};
	struct capture *s;

	if (c->live && !capture_is_interface(c->interfaces.v[port])) {
		snprintf(err, errlen, "%s: no such file or interface", c->interfaces.v[port]);
		return NULL;
	}
	s = c->live ? capture_open_live(c->interfaces.v[port], &opt, err, errlen)
		    : capture_open_file(p->files.v[0], &opt, err, errlen);
	if (s != NULL && !decode_knows_link(capture_link(s))) {
		snprintf(err, errlen, "%s: link type %u is not supported", capture_name(s),
		    capture_link(s));
		capture_close(s);
		s = NULL;
	}
	return s;
}

static bool
probe_wants_dpi(const struct probe *p)
{
	return p->config->dpi && dpi_version() != NULL &&
	    ((p->template->need & FIELD_NEED_DPI) || config_has_cloud(p->config));
}

/*
 * Privileges
 */
static int
probe_drop(struct probe *p, char *err, size_t errlen)
{
	uid_t uid;
	gid_t gid;

	if (!p->config->live)
		return privs_seal(err, errlen);
	if (geteuid() != 0)
		return privs_limit(err, errlen);
	if (strcmp(p->config->user, "root") == 0)
		return privs_seal(err, errlen);
	if (privs_user(p->config->user, &uid, &gid, err, errlen) < 0)
		return -1;
	export_chown(p->export, uid, gid);
	share_chown(p->share, uid, gid);
	return privs_drop(uid, gid, err, errlen);
}

/*
 * Workers
 */
static int
probe_make_worker(struct probe *p, struct capture **sources, struct capture *file,
    char *err, size_t errlen)
{
	struct worker_setup s = {
		.config = p->config,
		.id = p->nworkers,
		.seed = p->seed,
		.statistics = p->template->need & FIELD_NEED_STATISTICS,
		.dpi = probe_wants_dpi(p),
		.names = p->names,
		.dpi_whole = p->template->need & FIELD_NEED_DPI_WHOLE,
		.cloud = config_has_cloud(p->config),
		.plugins = p->plugins,
		.cloud_interval_us = (uint64_t)p->config->cloud_interval_s * 1000000,
		.sources = sources,
		.nsources = sources != NULL ? p->nports : 0,
		.file = file,
		.files = &p->files,
		.deal = p->deal,
		.control = &p->bell,
		.heart = p->heart,
	};

	p->workers[p->nworkers] = worker_new(&s, err, errlen);
	if (p->workers[p->nworkers] == NULL)
		return -1;
	p->nworkers++;
	return 0;
}

/* One reader: the only worker, or a dealer for all. */
static int
probe_open_files(struct probe *p, unsigned n, char *err, size_t errlen)
{
	struct capture *file = probe_open_source(p, 0, err, errlen);
	struct deal_setup deal = {p->config, &p->files, file, n,
		probe_wants_dpi(p) || p->plugins != NULL, p->seed, p->plugins, p->heart};
	int rc = 0;

	if (file == NULL)
		return -1;
	if (probe_drop(p, err, errlen) < 0) {
		capture_close(file);
		return -1;
	}
	if (n == 1) {
		rc = probe_make_worker(p, NULL, file, err, errlen);
		p->trace = rc == 0 ? worker_trace(p->workers[0]) : NULL;
		return rc;
	}
	p->deal = deal_new(&deal);
	if (p->deal == NULL)
		return reason(err, errlen, "no memory");
	p->trace = deal_trace(p->deal);
	while (rc == 0 && p->nworkers < n)
		rc = probe_make_worker(p, NULL, NULL, err, errlen);
	return rc;
}

/* Every queue is opened before privileges drop, every thread is made after. */
static int
probe_open_live(struct probe *p, unsigned n, char *err, size_t errlen)
{
	unsigned all = n * p->nports, opened = 0, taken = 0;
	struct capture **s = calloc(all, sizeof(struct capture *));
	int rc = s == NULL ? reason(err, errlen, "no memory") : 0;

	for (; rc == 0 && opened < all; opened++) {
		s[opened] = probe_open_source(p, opened % p->nports, err, errlen);
		if (s[opened] == NULL) {
			rc = -1;
			break;
		}
	}
	if (rc == 0)
		rc = probe_drop(p, err, errlen);
	for (; rc == 0 && taken < all; taken += p->nports)
		rc = probe_make_worker(p, s + taken, NULL, err, errlen);
	for (; taken < opened; taken++)
		capture_close(s[taken]);
	free(s);
	return rc;
}

/* share_setup.sum, loop_setup.sum: the counters of all threads. */
static void
probe_sum(void *arg, struct counters *sum)
{
	const struct probe *p = arg;
	unsigned i;

	*sum = p->counters;
	if (p->deal != NULL)
		counter_sum(sum, deal_counters(p->deal));
	for (i = 0; i < p->nworkers; i++)
		counter_sum(sum, worker_counters(p->workers[i]));
}

static int
probe_open_share(struct probe *p, unsigned n, char *err, size_t errlen)
{
	const struct share_setup setup = {
		.config = p->config,
		.template = p->template,
		.names = p->names,
		.fields = export_context(p->export),
		.base = p->base,
		.counters = &p->counters,
		.workers = p->workers,
		.nworkers = n,
		.seed = p->seed,
		.plugins = p->plugins,
		.sum = probe_sum,
		.arg = p,
	};

	p->share = share_new(&setup, err, errlen);
	return p->share == NULL ? -1 : 0;
}

/* Clients and nodes need descriptors beyond what shells give by default. */
static void
probe_raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < OPEN_FILES) {
		r.rlim_cur = r.rlim_max < OPEN_FILES ? r.rlim_max : OPEN_FILES;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
probe_init(struct probe *p, char *err, size_t errlen)
{
	struct export_setup setup;
	unsigned n;

	if (getrandom(&p->seed, sizeof(p->seed), 0) != sizeof(p->seed))
		return reason(err, errlen, "no random numbers");
	p->base = event_base_new();
	if (p->base == NULL || bell_init(&p->bell) < 0)
		return reason(err, errlen, "the event loop cannot be made");
	if (probe_name_input(p, err, errlen) < 0)
		return -1;
	if (p->config->dpi)
		p->names = dpi_names_new();
	setup = (struct export_setup){p->config, p->template, p->names, p->ports, p->nports,
		p->base, &p->counters};
	p->export = export_new(&setup, err, errlen);
	if (p->export == NULL)
		return -1;
	n = (unsigned)p->config->workers;
	p->workers = calloc(n, sizeof(struct worker *));
	if (p->workers == NULL)
		return reason(err, errlen, "no memory");
	probe_raise_files();
	if (probe_open_share(p, n, err, errlen) < 0)
		return -1;
	if ((p->config->live ? probe_open_live(p, n, err, errlen)
			     : probe_open_files(p, n, err, errlen)) < 0)
		return -1;
	dpi_names_alone(p->names);
	return 0;
}

static void
probe_warn_nowhere(const struct config *c)
{
	if (c->collectors.n == 0 && c->json == NULL && c->ipfix_file == NULL &&
	    c->dump_path == NULL && c->events == NULL && !config_has_cloud(c))
		log_warn("no -n, --json, --ipfix-file, -P, --redis or --resp: flows are counted "
			 "and go nowhere");
}

struct probe *
probe_new(const struct config *config, const struct template *template,
    const struct plugins *plugins, struct heart *heart, char *err, size_t errlen)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		reason(err, errlen, "no memory");
		return NULL;
	}
	p->config = config;
	p->template = template;
	p->plugins = plugins->any ? plugins : NULL;
	p->heart = heart;
	p->bell.fd = -1;
	counter_add(&p->counters, COUNTER_RESTARTS, config->again);
	if (probe_init(p, err, errlen) < 0) {
		probe_free(p);
		return NULL;
	}
	return p;
}

/*
 * The run
 */
static void
on_wakeup(int sig)
{
	(void)sig; /* read(2) returns EINTR: that is all */
}

/* loop_setup.start. Signals are control's; workers only know the one that interrupts a
 * read. */
static int
probe_start_workers(void *arg)
{
	struct probe *p = arg;
	struct sigaction wake = {.sa_handler = on_wakeup};
	struct bell *bells[p->nworkers];
	sigset_t all, old;
	unsigned i;
	int rc = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is like a full disk */
	sigemptyset(&wake.sa_mask);
	sigaction(SIGUSR2, &wake, NULL);
	sigfillset(&all);
	sigdelset(&all, SIGUSR2);
	sigdelset(&all, SIGSYS); /* -b 2: the sandbox names the call */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; i < p->nworkers; i++)
		bells[i] = worker_bell(p->workers[i]);
	for (i = 0; rc == 0 && i < p->nworkers; i++)
		rc = worker_start(p->workers[i]);
	if (rc == 0 && p->deal != NULL)
		rc = deal_start(p->deal, bells);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc < 0)
		log_error("a worker thread cannot be made");
	return rc;
}

static int
probe_summary(struct probe *p)
{
	struct counters sum;
	bool failed = p->trace != NULL && trace_failed(p->trace), adds_up;

	export_end(p->export);
	share_end(p->share);
	probe_sum(p, &sum);
	export_report(p->export);
	if (p->config->syslog || p->config->daemon)
		report_log(&sum, 0);
	fprintf(stderr, "mcprobe: summary\n");
	adds_up = report_counters(&sum, stderr);
	if (p->plugins != NULL)
		plugins_report(p->plugins, &sum, stderr);
	if (!adds_up) {
		log_error("the packets do not add up: please report this");
		failed = true;
	}
	return failed ? 1 : 0;
}

/* False: it was asked for and cannot be had. */
static bool
probe_confine(const struct probe *p)
{
	struct sandbox_options o = {p->config->live, p->config->verbose > 1};
	char err[128];

	if (!p->config->sandbox)
		return true;
	switch (sandbox_enter(&o, err, sizeof(err))) {
	case SANDBOX_ON:
		break;
	case SANDBOX_NOT_BUILT:
		log_info("no sandbox: %s", err);
		break;
	case SANDBOX_FAILED:
		log_error("no sandbox: %s; --no-sandbox runs without", err);
		return false;
	}
	return true;
}

int
probe_run(struct probe *p)
{
	const struct loop_setup loop = {p->config, p->base, p->export, p->share, p->ports,
		p->nports, p->workers, p->nworkers, p->deal, p->trace, &p->bell, p->heart,
		probe_start_workers, probe_sum, p};

	/* some threads may run already, and nobody would take what they hand over: they
	   cannot be joined */
	probe_warn_nowhere(p->config);
	if (!probe_confine(p))
		return 1;
	if (share_start(p->share) < 0)
		fatal(1, "the Redis nodes cannot be connected to");
	if (loop_run(&loop) < 0)
		fatal(1, "the control loop failed");
	return probe_summary(p);
}

void
probe_free(struct probe *p)
{
	unsigned i;

	if (p == NULL)
		return;
	for (i = 0; i < p->nworkers; i++)
		worker_free(p->workers[i]);
	free(p->workers);
	deal_free(p->deal);
	share_free(p->share);
	export_free(p->export);
	dpi_names_free(p->names);
	bell_clear(&p->bell);
	if (p->base != NULL)
		event_base_free(p->base);
	for (i = 0; i < p->files.n; i++)
		free(p->files.v[i]);
	free(p->files.v);
	free(p->ports);
	free(p);
}
