/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c -- from the command line to a running probe. */
#include <stdio.h>
#include <stdlib.h>

#include "build.h"
#include "config.h"
#include "daemon.h"
#include "dpi.h"
#include "field.h"
#include "log.h"
#include "loop.h"
#include "plugin.h"
#include "probe.h"
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

static int
run(const struct config *c, const struct template *t, const struct plugins *plugins)
{
	int background = -1, pidfile = -1, status;
	struct probe *p;
	char err[512];

	if (c->daemon && (background = daemon_start()) < 0)
		fatal(1, "cannot run in the background");
	if (c->pid_file != NULL &&
	    (pidfile = pidfile_open(c->pid_file, err, sizeof(err))) < 0)
		fatal(1, "%s", err);
	p = probe_new(c, t, plugins, err, sizeof(err));
	if (p == NULL) {
		log_error("%s", err);
		pidfile_close(pidfile, c->pid_file);
		return 1;
	}
	loop_hold_signals();
	if (pidfile_write(pidfile) < 0)
		log_warn("%s cannot be written", c->pid_file);
	if (background >= 0) {
		log_open(true, c->verbose > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
		daemon_ready(background);
	}
	status = probe_run(p);
	probe_free(p);
	pidfile_close(pidfile, c->pid_file);
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
