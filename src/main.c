/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c -- from the command line to a running probe. */
#include <stdio.h>
#include <stdlib.h>

#include "build.h"
#include "config.h"
#include "daemon.h"
#include "dpi.h"
#include "field.h"
#include "heart.h"
#include "log.h"
#include "loop.h"
#include "plugin.h"
#include "probe.h"
#include "supervise.h"
#include "template.h"

/* --help and the like: print and say so. */
static bool
answered(const struct config *c)
{
	const char *dpi = dpi_version();

	switch (c->action) {
	case ACTION_RUN:
		return false;
	case ACTION_HELP:
		config_help(stdout);
		break;
	case ACTION_VERSION:
		printf("mcprobe %s (nDPI %s)\n", PACKAGE_VERSION, dpi ? dpi : "not built in");
		break;
	case ACTION_FIELDS:
		field_list(stdout);
		break;
	}
	return true;
}

/* Where the process stands: its pid file, and who waits for it to be ready. */
struct standing {
	const struct config *config;
	int background, pidfile; /* -1: none */
};

/* supervise_setup.ready, and what a probe alone does: everything is open. */
static void
tell_ready(void *arg)
{
	struct standing *s = arg;

	if (pidfile_write(s->pidfile) < 0)
		log_warn("%s cannot be written", s->config->pid_file);
	if (s->background < 0)
		return;
	log_open(true, s->config->verbose > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	daemon_ready(s->background);
	daemon_detach();
}

/* The probe in this process; HEART NULL: it stands alone. */
static int
run_probe(struct standing *s, const struct template *t, const struct plugins *plugins,
    struct heart *heart)
{
	struct probe *p;
	char err[512];
	int status;

	loop_hold_requests(); /* a file that is there already may be moved away */
	p = probe_new(s->config, t, plugins, heart, err, sizeof(err));
	if (p == NULL) {
		log_error("%s", err);
		return 1;
	}
	loop_hold_signals();
	supervise_follow(heart);
	heart_ready(heart);
	if (heart == NULL)
		tell_ready(s);
	else if (s->config->daemon) {
		log_open(true, s->config->verbose > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
		daemon_detach();
	}
	status = probe_run(p);
	probe_free(p);
	return status;
}

static int
run(struct config *c, const struct template *t, const struct plugins *plugins)
{
	struct standing s = {c, -1, -1};
	struct supervise_setup setup = {.config = c, .ready = tell_ready, .arg = &s};
	struct heart *heart = NULL;
	char err[512];
	int status;

	if (c->daemon && (s.background = daemon_start()) < 0)
		fatal(1, "cannot run in the background");
	if (c->pid_file != NULL &&
	    (s.pidfile = pidfile_open(c->pid_file, err, sizeof(err))) < 0)
		fatal(1, "%s", err);
	if (!c->supervise)
		status = run_probe(&s, t, plugins, NULL);
	else
		switch (supervise(&setup, &heart, &c->again, &status)) {
		case SUPERVISE_CHILD: /* the pid file is the supervisor's, its lock ours too */
			return run_probe(&s, t, plugins, heart);
		case SUPERVISE_FAILED:
			log_error("--supervise: there can be no process");
			break;
		case SUPERVISE_OVER:
			break;
		}
	pidfile_close(s.pidfile, c->pid_file);
	return status;
}

int
main(int argc, char **argv)
{
	static struct template template;
	static struct plugins plugins;
	struct config config;
	char err[512];
	int status = 0;

	if (config_parse(&config, argc, argv, err, sizeof(err)) < 0)
		fatal(CONFIG_USAGE_EXIT, "%s", err);
	if (plugins_init(&plugins, err, sizeof(err)) < 0)
		fatal(1, "%s", err);
	if (plugins_load(&plugins, &config, err, sizeof(err)) < 0)
		fatal(CONFIG_USAGE_EXIT, "--plugin: %s", err);
	if (plugins_check_publish(&plugins, &config, err, sizeof(err)) < 0)
		fatal(CONFIG_USAGE_EXIT, "%s", err);
	if (answered(&config))
		goto out;
	log_open(config.syslog && !config.daemon,
	    config.verbose > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (template_parse(&template, config.template, config.version, config.biflow,
		config.dpi && dpi_version() != NULL, err, sizeof(err)) < 0)
		fatal(CONFIG_USAGE_EXIT, "--flow-templ: %s", err);
	if (plugins_choose(&plugins, &config, &template, err, sizeof(err)) < 0)
		fatal(CONFIG_USAGE_EXIT, "%s", err);
	if (config.dry_run)
		template_print(&template, (unsigned)config.template_id, stdout);
	else if (config.check_config)
		printf("mcprobe: the configuration is fine\n");
	else
		status = run(&config, &template, &plugins);
out:
	plugins_clear(&plugins);
	config_clear(&config);
	log_close();
	return status;
}
