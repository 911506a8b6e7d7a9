/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin.c -- which plugins there are, what the user wants of them, and what the host does
 * for them on either side. Runs at start, but for the counters.
 */
#include "plugin_int.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "build.h"
#include "event.h"
#include "field.h"
#include "flowkey.h"
#include "log.h"
#include "template.h"

#ifndef PLUGIN_DIR
#define PLUGIN_DIR "/usr/local/lib/mcprobe"
#endif

#define NAMES_MAX 64
#define CHANNELS_MAX 64

extern const struct mc_plugin mc_plugin_dns, mc_plugin_http, mc_plugin_radius;

static const struct mc_plugin *const builtins[] = {
	&mc_plugin_dns,
	&mc_plugin_http,
	&mc_plugin_radius,
};
#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

static int
reason(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
reason(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return -1;
}

const struct mc_plugin *
plugin_builtin(unsigned i)
{
	return i < BUILTINS ? builtins[i] : NULL;
}

/*
 * Adding
 */

/* Room for the counters of P, behind those of the plugins before it. */
static int
plugins_add_counters(const struct plugins *s, struct plugin *p, char *err, size_t errlen)
{
	const struct mc_counter *row = p->mc->counters;

	p->counter = s->n > 0 ? s->v[s->n - 1].counter + s->v[s->n - 1].ncounters : 0;
	p->ncounters = 0;
	for (; row != NULL && row->name != NULL; row++)
		p->ncounters++;
	if (p->counter + p->ncounters > COUNTER_PLUGINS)
		return reason(err, errlen, "plugin %s: %d counters of plugins at most",
		    p->mc->name, COUNTER_PLUGINS);
	return 0;
}

/* Take P, which is not among the plugins yet; its fields are known from now on. */
static int
plugins_add(struct plugins *s, const struct plugin *p, char *err, size_t errlen)
{
	struct plugin *to = &s->v[s->n];

	if (s->n == PLUGINS_MAX)
		return reason(err, errlen, "%d plugins at most", PLUGINS_MAX);
	*to = *p;
	if (plugin_check(to->mc, err, errlen) < 0 ||
	    plugins_add_counters(s, to, err, errlen) < 0 ||
	    field_add_plugin(to->mc, err, errlen) < 0)
		return -1;
	s->n++;
	return 0;
}

int
plugins_init(struct plugins *s, char *err, size_t errlen)
{
	unsigned i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < BUILTINS; i++) {
		const struct plugin p = {.mc = builtins[i]};

		if (plugins_add(s, &p, err, errlen) < 0)
			return -1;
	}
	return 0;
}

void
plugins_clear(struct plugins *s)
{
	unsigned i, j;

	field_drop_plugins();
	for (i = 0; i < s->n; i++)
		for (j = 0; j < PLUGIN_OPTIONS; j++)
			free(s->v[i].option[j]);
	/* objects stay: a leak checker names what is in them only while they are loaded */
	memset(s, 0, sizeof(*s));
}

static struct plugin *
plugins_find(struct plugins *s, const char *name)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->v[i].mc->name, name) == 0)
			return &s->v[i];
	return NULL;
}

/*
 * --plugin
 */
static const char *
plugin_dir(const struct config *c)
{
	return c->plugin_dir != NULL ? c->plugin_dir : PLUGIN_DIR;
}

/* No plugin is called NAME: which one is near, of those known and those in the folder? */
static int
unknown_plugin(const struct plugins *s, const struct config *c, const char *name,
    char *err, size_t errlen)
{
	char files[NAMES_MAX][64];
	const char *names[PLUGINS_MAX + NAMES_MAX], *near;
	unsigned n = 0, nfiles = 0, i;
	DIR *dir = opendir(plugin_dir(c));
	struct dirent *e;
	size_t len;

	for (i = 0; i < s->n; i++)
		names[n++] = s->v[i].mc->name;
	while (dir != NULL && nfiles < NAMES_MAX && (e = readdir(dir)) != NULL) {
		len = strlen(e->d_name);
		if (len < 4 || len - 3 >= sizeof(files[0]) ||
		    strcmp(e->d_name + len - 3, ".so") != 0)
			continue;
		snprintf(files[nfiles], sizeof(files[0]), "%.*s", (int)(len - 3), e->d_name);
		names[n++] = files[nfiles++];
	}
	if (dir != NULL)
		closedir(dir);
	near = config_nearest(name, names, n);
	if (near != NULL)
		return reason(err, errlen, "unknown plugin %s; did you mean %s?", name, near);
	return reason(err, errlen, "unknown plugin %s; there are dns, http and radius, and those "
				   "in %s", name, plugin_dir(c));
}

static struct plugin *
plugins_get(struct plugins *s, const struct config *c, const char *name, char *err,
    size_t errlen)
{
	struct plugin *known = plugins_find(s, name), p = {0};
	char path[4096];
	FILE *f;

	if (known != NULL)
		return known;
	snprintf(path, sizeof(path), "%s/%s.so", plugin_dir(c), name);
	f = strchr(name, '/') == NULL ? fopen(path, "re") : NULL;
	if (f == NULL) {
		unknown_plugin(s, c, name, err, errlen);
		return NULL;
	}
	fclose(f);
	if (plugin_open(&p, path, err, errlen) < 0)
		return NULL;
	known = plugins_find(s, p.mc->name != NULL ? p.mc->name : "");
	if (known != NULL) {
		reason(err, errlen, "%s is plugin %s, which is known already", path,
		    p.mc->name);
		return NULL;
	}
	return plugins_add(s, &p, err, errlen) < 0 ? NULL : &s->v[s->n - 1];
}

/* WORD is opt=val. */
static int
plugin_set(struct plugin *p, const char *word, char *err, size_t errlen)
{
	const char *equals = strchr(word, '='), *names[PLUGIN_OPTIONS], *near;
	const struct mc_option *row = p->mc->options;
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	char name[64];
	unsigned i;

	for (i = 0; row != NULL && row[i].name != NULL && i < PLUGIN_OPTIONS; i++) {
		names[i] = row[i].name;
		if (strlen(row[i].name) != len || memcmp(row[i].name, word, len) != 0)
			continue;
		free(p->option[i]);
		p->option[i] = strdup(equals != NULL ? equals + 1 : "yes");
		return p->option[i] == NULL ? reason(err, errlen, "no memory") : 0;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	near = config_nearest(name, names, i);
	if (near != NULL)
		return reason(err, errlen, "plugin %s has no option %s; did you mean %s?",
		    p->mc->name, name, near);
	return reason(err, errlen, "plugin %s has no option %s", p->mc->name, name);
}

/* VALUE: NAME[:opt=val,...] */
static int
plugins_read(struct plugins *s, const struct config *c, const char *value, char *err,
    size_t errlen)
{
	char *copy = strdup(value), *rest = copy, *name, *word;
	struct plugin *p;
	int rc = 0;

	if (copy == NULL)
		return reason(err, errlen, "no memory");
	name = strsep(&rest, ":");
	p = plugins_get(s, c, name, err, errlen);
	if (p == NULL)
		rc = -1;
	else
		p->named = true;
	while (rc == 0 && (word = strsep(&rest, ",")) != NULL)
		if (*word != '\0')
			rc = plugin_set(p, word, err, errlen);
	free(copy);
	return rc;
}

int
plugins_load(struct plugins *s, const struct config *c, char *err, size_t errlen)
{
	unsigned i;

	for (i = 0; i < c->plugins.n; i++)
		if (strcmp(c->plugins.v[i], "none") != 0 &&
		    plugins_read(s, c, c->plugins.v[i], err, errlen) < 0)
			return -1;
	return 0;
}

/*
 * Choosing
 */

/* Does -T name a field of P? ASKED: otherwise than by @ALL@. */
static bool
template_has(const struct template *t, const struct plugin *p, bool asked)
{
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (t->field[i]->plugin == p->mc && (!asked || t->asked[i]))
			return true;
	return false;
}

/* Do its events go anywhere but to clients? */
static bool
publishes(const struct config *c, const struct plugin *p)
{
	const char *const *channel = p->mc->channels;

	if (c->events == NULL)
		return false; /* nodes come with the keys */
	for (; channel != NULL && *channel != NULL; channel++)
		if (events_named((const char *const *)c->publish.v, c->publish.n, *channel,
			strlen(*channel)))
			return true;
	return false;
}

/* Does it see who has which address? */
static bool
tells_users(const struct plugin *p)
{
	const char *const *channel = p->mc->channels;

	for (; channel != NULL && *channel != NULL; channel++)
		if (strcmp(*channel, "user.login") == 0)
			return true;
	return false;
}

/* Does -T ask for users of flows? */
static bool
template_has_users(const struct template *t)
{
	const struct field *user = field_find("FLOW_USER_NAME");
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (t->field[i] == user)
			return true;
	return false;
}

/* What --watch compares comes from these. */
static bool
is_watched(const struct config *c, const struct plugin *p)
{
	return c->watch &&
	    (strcmp(p->mc->name, "dns") == 0 || strcmp(p->mc->name, "http") == 0);
}

static bool
has_use(const struct config *c, const struct template *t, const struct plugin *p)
{
	if (p->named || template_has(t, p, false) || is_watched(c, p))
		return true;
	if (c->plugins.n > 0 || p->object != NULL)
		return false;
	if (tells_users(p) && template_has_users(t))
		return true;
	return config_has_cloud(c) || publishes(c, p);
}

/* --split LIST */
static int
plugins_split(struct plugins *s, const char *list, char *err, size_t errlen)
{
	char *copy = strdup(list), *rest = copy, *word;
	const char *names[PLUGINS_MAX], *near;
	unsigned i;
	int rc = copy == NULL ? reason(err, errlen, "no memory") : 0;

	for (i = 0; i < s->n; i++)
		names[i] = s->v[i].mc->name;
	while (rc == 0 && (word = strsep(&rest, ", ")) != NULL) {
		struct plugin *p = plugins_find(s, word);

		if (*word == '\0' || strcmp(word, "none") == 0)
			continue;
		if (p != NULL) {
			p->splits = p->runs = true;
			continue;
		}
		near = config_nearest(word, names, s->n);
		rc = reason(err, errlen, "--split: unknown plugin %s%s%s%s", word,
		    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
		    near != NULL ? "?" : "");
	}
	free(copy);
	return rc;
}

int
plugins_choose(struct plugins *s, const struct config *c, const struct template *t,
    char *err, size_t errlen)
{
	const unsigned need = FLOWKEY_PROTO | FLOWKEY_IP | FLOWKEY_PORT;
	unsigned i;

	s->timeout_us = (uint64_t)c->dns_timeout_s * 1000000;
	s->grace_us = (uint64_t)c->user_grace_s * 1000000;
	s->parts = c->aggregation;
	for (i = 0; i < s->n; i++) {
		s->v[i].runs = has_use(c, t, &s->v[i]);
		if (c->split == NULL)
			s->v[i].splits = s->v[i].runs && template_has(t, &s->v[i], true);
	}
	if (c->split != NULL && plugins_split(s, c->split, err, errlen) < 0)
		return -1;
	if (c->watch && (c->aggregation & need) != need)
		return reason(err, errlen,
		    "--watch needs flows with protocol, addresses and ports: not --aggregation");
	/* a flow of many connections has nothing a plugin could read */
	for (i = 0; i < s->n && (c->aggregation & need) != need; i++)
		s->v[i].runs = s->v[i].splits = false;
	for (i = 0; i < s->n; i++) {
		s->any |= s->v[i].runs;
		s->splits |= s->v[i].splits;
		s->subflows |= s->v[i].splits && s->v[i].mc->subflow != NULL;
	}
	return 0;
}

/*
 * --publish
 */

/* Is NAME a channel, or does it stand above one? */
static bool
is_channel(const char *name, const char *const *channels, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (events_named(&name, 1, channels[i], strlen(channels[i])))
			return true;
	return strncmp(name, "alert.", 6) == 0 && name[6] != '\0';
}

int
plugins_check_publish(const struct plugins *s, const struct config *c, char *err,
    size_t errlen)
{
	const char *names[CHANNELS_MAX] = {"all", "none", "flow", "flow.new", "flow.end",
		"alert", "alert.info", "alert.warning", "alert.critical", "user"};
	const char *const *channel, *near;
	unsigned n = 0, i;

	while (names[n] != NULL)
		n++;
	for (i = 0; i < s->n; i++)
		for (channel = s->v[i].mc->channels; channel != NULL && *channel != NULL &&
		     n < CHANNELS_MAX; channel++)
			names[n++] = *channel;
	for (i = 0; i < c->publish.n; i++) {
		if (is_channel(c->publish.v[i], names, n))
			continue;
		near = config_nearest(c->publish.v[i], names, n);
		if (near != NULL)
			return reason(err, errlen,
			    "--publish: unknown channel %s; did you mean %s?",
			    c->publish.v[i], near);
		return reason(err, errlen,
		    "--publish: unknown channel %s; there are flow, user, alert, all, none "
		    "and those of plugins: dns, http, radius", c->publish.v[i]);
	}
	return 0;
}

/*
 * Counters
 */
void
plugins_counters(const struct plugins *s, const struct counters *c,
    plugin_count_cb *show, void *arg)
{
	char name[128];
	unsigned i, j;

	for (i = 0; i < s->n; i++)
		for (j = 0; s->v[i].runs && j < s->v[i].ncounters; j++) {
			const struct mc_counter *row = &s->v[i].mc->counters[j];

			snprintf(name, sizeof(name), "%s_%s", s->v[i].mc->name, row->name);
			show(arg, name, row->help, c->v[COUNTER_MAX + s->v[i].counter + j]);
		}
}

static void
print_counter(void *arg, const char *name, const char *help, uint64_t n)
{
	(void)help;
	if (n != 0)
		fprintf(arg, "%-20s %" PRIu64 "\n", name, n);
}

void
plugins_report(const struct plugins *s, const struct counters *c, FILE *out)
{
	plugins_counters(s, c, print_counter, out);
}

/*
 * Contexts
 */

/* mc_setup.option */
static const char *
setup_option(const struct mc_setup *setup, const char *name)
{
	const struct plugin *p = ((const struct plugin_context *)setup->handle)->plugin;
	const struct mc_option *row = p->mc->options;
	unsigned i;

	for (i = 0; row != NULL && row[i].name != NULL && i < PLUGIN_OPTIONS; i++)
		if (strcmp(row[i].name, name) == 0)
			return p->option[i] != NULL ? p->option[i] : row[i].def;
	return NULL;
}

int
plugin_context_init(struct plugin_context *c, bool control, char *err, size_t errlen)
{
	const struct mc_setup setup = {
		.host = &plugin_host,
		.handle = c,
		.control = control,
		.split = c->plugin->splits,
		.timeout_us = c->plugins->timeout_us,
		.grace_us = c->plugins->grace_us,
		.option = setup_option,
	};
	char why[256] = "no reason given";

	if (c->plugin->mc->init != NULL &&
	    c->plugin->mc->init(&c->ctx, &setup, why, sizeof(why)) < 0)
		return reason(err, errlen, "plugin %s: %s", c->plugin->mc->name, why);
	c->inited = true;
	return 0;
}

void
plugin_context_clear(struct plugin_context *c)
{
	if (c->inited && c->plugin->mc->fini != NULL)
		c->plugin->mc->fini(c->ctx);
	c->inited = false;
}

void
plugin_breach(struct plugin_context *c)
{
	if (c->off || ++c->breaches < PLUGIN_BREACHES)
		return;
	c->off = true;
	counter_inc(c->counters, COUNTER_PLUGIN_OFF);
	log_warn("plugin %s: switched off: it broke its contract %d times",
	    c->plugin->mc->name, PLUGIN_BREACHES);
}

/* mc_host.count: of any side */
static void
host_count(void *handle, unsigned counter, uint64_t n)
{
	struct plugin_context *c = handle;
	uint64_t *v;

	if (counter >= c->plugin->ncounters) {
		plugin_breach(c);
		return;
	}
	v = &c->counters->v[COUNTER_MAX + c->plugin->counter + counter];
	__atomic_store_n(v, *v + n, __ATOMIC_RELAXED);
}

const struct mc_host plugin_host = {
	.abi = MC_PLUGIN_ABI,
	.size = sizeof(struct mc_host),
	.report = plugin_flow_report,
	.timer_set = plugin_flow_timer,
	.count = host_count,
	.tree = plugin_cloud_tree,
	.incr = plugin_cloud_incr,
	.set = plugin_cloud_set,
	.max = plugin_cloud_max,
	.unset = plugin_cloud_unset,
	.zincr = plugin_cloud_zincr,
	.persist = plugin_cloud_persist,
	.expire_after = plugin_cloud_expire_after,
	.wanted = plugin_event_wanted,
	.publish = plugin_event_publish,
	.user = plugin_user,
	.flow_is = plugin_flow_is,
	.field_add = plugin_cloud_field,
	.top_add = plugin_cloud_top,
	.add = plugin_cloud_add,
	.put = plugin_cloud_put,
	.text_set = plugin_flow_text,
};
