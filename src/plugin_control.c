/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_control.c -- plugins on control's thread: what they write into the key tree and
 * publish. Where nobody could read the keys there is no tree, and writing does nothing.
 */
#include "plugin_int.h"

#include <stdlib.h>
#include <string.h>

#include "cloud.h"
#include "event.h"
#include "flowkey.h"
#include "json.h"
#include "keyname.h"
#include "sighting.h"
#include "watcher.h"

#define TREE_OWN 16 /* numbers of trees that plugins add begin here */
#define SECOND_US 1000000
#define LAST_ID	  64 /* longer ids are looked up each time */

struct plugin_control {
	struct plugin_control_setup s;
	struct plugin_context context[PLUGINS_MAX];
	uint64_t second; /* of the packet clock */
	const char *user; /* of the flow that is told of; borrowed */
	/* Plugins write several fields of a key in turn: the one written last, while one
	 * function of a plugin runs. NULL: none. */
	struct cloud_key *last;
	int last_tree;
	uint8_t last_len, last_id[LAST_ID];
};

static struct plugin_control *
control_of(const struct mc_cloud *c)
{
	return ((struct plugin_context *)c->handle)->control;
}

/*
 * Keys
 */
int
plugin_cloud_tree(const struct mc_setup *setup, const char *prefix, enum mc_key_type type,
    uint32_t ttl_s)
{
	static const enum cloud_type types[] = {CLOUD_STRING, CLOUD_HASH, CLOUD_ZSET,
		CLOUD_STRING, CLOUD_HASH};
	struct plugin_control *p = ((struct plugin_context *)setup->handle)->control;
	struct cloud_tree tree = {.prefix = prefix};
	int n;

	if (p == NULL || (unsigned)type > MC_KEY_ADDR_HASH)
		return -1;
	if (p->s.cloud == NULL)
		return TREE_OWN;
	tree.type = types[type];
	tree.addr = type == MC_KEY_ADDR_STRING || type == MC_KEY_ADDR_HASH;
	tree.other = tree.type == CLOUD_HASH;
	tree.ttl_s = ttl_s == UINT32_MAX ? cloud_ttl(p->s.cloud) : ttl_s;
	n = cloud_add_tree(p->s.cloud, &tree);
	return n < 0 ? -1 : TREE_OWN + n;
}

/* TREE as the key tree numbers it; -1: there is none. */
static int
control_number(const struct plugin_control *p, int tree)
{
	static const enum cloud_builtin builtin[] = {
		[MC_TREE_IP] = CLOUD_IP,
		[MC_TREE_USER] = CLOUD_USER,
		[MC_TREE_USER_IP] = CLOUD_USER_IP,
		[MC_TREE_USER_NET] = CLOUD_USER_NET,
		[MC_TREE_TOP] = CLOUD_TOP,
	};

	if (tree >= 0 && tree <= MC_TREE_TOP)
		return (int)builtin[tree];
	if (tree >= TREE_OWN && (unsigned)(tree - TREE_OWN) < cloud_trees(p->s.cloud))
		return tree - TREE_OWN;
	return -1;
}

static struct cloud_key *
find_key(const struct mc_cloud *c, int tree, const void *id, size_t len)
{
	struct cloud *cloud = control_of(c)->s.cloud;
	int n;

	if (cloud == NULL)
		return NULL;
	n = control_number(control_of(c), tree);
	if (n < 0 || !cloud_may_have(cloud, (unsigned)n, len)) {
		plugin_breach(c->handle);
		return NULL;
	}
	return cloud_key(cloud, (unsigned)n, id, len);
}

/* Of a call in init(): -1, or 0 where there is no key tree. */
int
plugin_cloud_field(const struct mc_setup *setup, int tree, const char *name)
{
	struct plugin_control *p = ((struct plugin_context *)setup->handle)->control;
	int n;

	if (p == NULL)
		return -1;
	if (p->s.cloud == NULL)
		return 0;
	n = control_number(p, tree);
	return n < 0 ? -1 : cloud_tree_field(p->s.cloud, (unsigned)n, name);
}

int
plugin_cloud_top(const struct mc_setup *setup, int tree, const char *metric)
{
	struct plugin_control *p = ((struct plugin_context *)setup->handle)->control;

	if (p == NULL || tree < TREE_OWN)
		return -1;
	if (p->s.cloud == NULL)
		return 0;
	return cloud_tree_top(p->s.cloud, (unsigned)(tree - TREE_OWN), metric);
}

_Static_assert(sizeof(struct mc_add) == sizeof(struct cloud_add) &&
	offsetof(struct mc_add, kind) == offsetof(struct cloud_add, kind) &&
	offsetof(struct mc_add, n) == offsetof(struct cloud_add, n) &&
	(int)MC_ADD == CLOUD_ADD && (int)MC_ADD_MAX == CLOUD_ADD_MAX,
    "additions are handed on as they are");

void
plugin_cloud_add(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const struct mc_add *adds, unsigned n, uint64_t top, uint64_t ts_us)
{
	struct plugin_control *p = control_of(c);
	int number;

	if (p->s.cloud == NULL)
		return;
	p->last = NULL; /* what is put is written before what is looked up */
	number = control_number(p, tree);
	if (number < 0 || !cloud_put_adds(p->s.cloud, (unsigned)number, id, idlen,
			      (const struct cloud_add *)adds, n, top, ts_us))
		plugin_breach(c->handle);
}

void
plugin_cloud_put(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    int field, const void *text, size_t len)
{
	struct plugin_control *p = control_of(c);
	int number;

	if (p->s.cloud == NULL)
		return;
	p->last = NULL; /* what is put is written before what is looked up */
	number = control_number(p, tree);
	if (number < 0 ||
	    !cloud_put_text(p->s.cloud, (unsigned)number, id, idlen, field, text, len))
		plugin_breach(c->handle);
}

/* The key of ID in TREE, made if need be; NULL: there is no tree, or no room. */
static struct cloud_key *
control_key(const struct mc_cloud *c, int tree, const void *id, size_t len)
{
	struct plugin_control *p = control_of(c);
	uint64_t other = counter_get(p->s.counters, COUNTER_CLOUD_OTHER);
	struct cloud_key *k;

	if (p->last != NULL && p->last_tree == tree && p->last_len == len &&
	    memcmp(p->last_id, id, len) == 0)
		return p->last;
	k = find_key(c, tree, id, len);
	p->last = len <= LAST_ID ? k : NULL;
	if (counter_get(p->s.counters, COUNTER_CLOUD_OTHER) != other)
		p->last = NULL; /* "other": each change is counted */
	if (p->last != NULL) {
		p->last_tree = tree;
		p->last_len = (uint8_t)len;
		memcpy(p->last_id, id, len);
	}
	return k;
}

/* What a plugin wrote, and what others do from now on, may end keys. */
static void
forget_key(const struct mc_cloud *c)
{
	control_of(c)->last = NULL;
}

void
plugin_cloud_incr(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, int64_t n)
{
	struct cloud_key *k = control_key(c, tree, id, idlen);

	if (k != NULL)
		cloud_incr(control_of(c)->s.cloud, k, field, n);
}

void
plugin_cloud_set(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, const void *value, size_t len)
{
	const struct cloud *cloud = control_of(c)->s.cloud;
	struct cloud_key *k;

	if (cloud != NULL && tree == MC_TREE_IP && field != NULL && idlen == 16 &&
	    strcmp(field, "name") == 0 && cloud_look(cloud, CLOUD_IP, id, idlen) == NULL)
		return; /* it gets its name from dns.cache. when it is seen */
	k = control_key(c, tree, id, idlen);
	if (k == NULL)
		return;
	if (field == NULL)
		cloud_put(control_of(c)->s.cloud, k, value, len);
	else
		cloud_set(control_of(c)->s.cloud, k, field, value, len);
}

void
plugin_cloud_max(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field, uint64_t n)
{
	struct cloud_key *k = control_key(c, tree, id, idlen);

	if (k != NULL)
		cloud_set_max(control_of(c)->s.cloud, k, field, n);
}

void
plugin_cloud_unset(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const char *field)
{
	struct cloud_key *k = control_key(c, tree, id, idlen);

	if (k != NULL)
		cloud_unset(control_of(c)->s.cloud, k, field);
	forget_key(c);
}

void
plugin_cloud_zincr(const struct mc_cloud *c, int tree, const void *id, size_t idlen,
    const void *member, size_t mlen, uint64_t n)
{
	struct cloud_key *k = control_key(c, tree, id, idlen);

	if (k != NULL)
		cloud_zincr(control_of(c)->s.cloud, k, member, mlen, n);
}

void
plugin_cloud_persist(const struct mc_cloud *c, int tree, const void *id, size_t idlen)
{
	struct cloud_key *k = control_key(c, tree, id, idlen);

	if (k != NULL)
		cloud_persist(control_of(c)->s.cloud, k);
}

void
plugin_cloud_expire_after(const struct mc_cloud *c, int tree, const void *id,
    size_t idlen, uint32_t s, const void *value, size_t len)
{
	struct cloud_key *k = control_key(c, tree, id, idlen);

	if (k == NULL)
		return;
	if (value == NULL)
		cloud_expire_after(control_of(c)->s.cloud, k, s);
	else
		cloud_expire_after_if(control_of(c)->s.cloud, k, value, len, s);
	forget_key(c);
}

void
plugin_user(const struct mc_cloud *c, const char *name, const uint8_t addr[16],
    unsigned bits, uint64_t at_us, bool has)
{
	struct sightings *s = control_of(c)->s.sightings;
	struct sighting_net net = {.bits = (uint8_t)bits};

	if (bits > 128 || name[0] == '\0') {
		plugin_breach(c->handle);
		return;
	}
	memcpy(net.addr, addr, sizeof(net.addr));
	if (has)
		sightings_login(s, &net, name, at_us);
	else
		sightings_logout(s, &net, name, at_us);
}

/*
 * Events
 */
bool
plugin_event_wanted(const struct mc_cloud *c, const char *channel)
{
	const struct plugin_control_setup *s = &control_of(c)->s;

	return events_wanted_channel(s->events, channel) ||
	    (s->watcher != NULL && watcher_wants(s->watcher, channel));
}

static uint64_t
row_number(const struct mc_row *row, const void *at)
{
	uint64_t n = 0;

	switch (row->type) {
	case MC_U8:
		return *(const uint8_t *)at;
	case MC_U16:
		return *(const uint16_t *)at;
	case MC_U32:
		return *(const uint32_t *)at;
	case MC_U64:
		memcpy(&n, at, sizeof(n));
		return n;
	default:
		return 0;
	}
}

static void
publish_row(struct json *j, const struct mc_row *row, const uint8_t *values)
{
	const uint8_t *at = values + row->offset;
	char text[KEYNAME_ADDR + 1];
	uint64_t present;

	if (row->present != MC_NO_ROW) {
		memcpy(&present, values, sizeof(present));
		if (!(present >> (row->present & 63) & 1)) {
			if (row->null)
				json_raw(j, row->name, "null", 4);
			return;
		}
	}
	switch (row->type) {
	case MC_STRING:
		json_string(j, row->name, at, strnlen((const char *)at, row->size));
		break;
	case MC_ADDR:
		json_string(j, row->name, text, keyname_addr(text, at));
		break;
	case MC_BOOL:
		json_bool(j, row->name, *(const bool *)at);
		break;
	default:
		json_uint(j, row->name, row_number(row, at));
	}
}

/* Does the plugin tell of a user itself (a login's)? */
static bool
names_user(const struct mc_row *rows, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strcmp(rows[i].name, "user") == 0)
			return true;
	return false;
}

/* Compare it with what is watched. False: and that is all it was wanted for. */
static bool
watched(const struct plugin_control *p, const struct watcher_event *e)
{
	if (p->s.watcher == NULL || !watcher_wants(p->s.watcher, e->channel))
		return true;
	watcher_event(p->s.watcher, e);
	return events_wanted_channel(p->s.events, e->channel);
}

/* Is CHANNEL, or one above it, among those P says it publishes on? */
static bool
is_own_channel(const struct plugin *p, const char *channel)
{
	const char *const *own = p->mc->channels;
	unsigned n = 0;

	while (own != NULL && own[n] != NULL)
		n++;
	return events_named(own, n, channel, strlen(channel));
}

void
plugin_event_publish(const struct mc_cloud *c, const char *channel, uint64_t ts_us,
    unsigned dir, const struct mc_row *rows, unsigned nrows, const void *values)
{
	struct events *e = control_of(c)->s.events;
	struct flowkey key;
	struct json *j;
	unsigned i;

	const struct watcher_event event = {channel, ts_us, c->key != NULL ? &key : NULL,
		dir & 1, c->user, rows, nrows, values};

	if (c->key != NULL)
		memcpy(&key, c->key, sizeof(key));
	if (!is_own_channel(((struct plugin_context *)c->handle)->plugin, channel)) {
		plugin_breach(c->handle);
		return;
	}
	if (!watched(control_of(c), &event))
		return;
	j = events_begin(e, ts_us, c->key != NULL ? &key : NULL, dir & 1);
	if (c->user != NULL && !names_user(rows, nrows))
		json_string(j, "user", c->user, strlen(c->user));
	for (i = 0; i < nrows; i++)
		publish_row(j, &rows[i], values);
	events_end_channel(e, channel);
}

/*
 * What the workers tell
 */
static struct mc_cloud
control_cloud(struct plugin_control *p, unsigned index, const struct mc_key *key)
{
	p->last = NULL;
	return (struct mc_cloud){&plugin_host, &p->context[index], key,
		key != NULL ? p->user : NULL};
}

static bool
control_runs(const struct plugin_control *p, unsigned index)
{
	return index < p->s.plugins->n && p->context[index].inited &&
	    !p->context[index].off;
}

void
plugin_control_user(struct plugin_control *p, const char *user)
{
	p->user = user;
}

void
plugin_control_report(struct plugin_control *p, unsigned index, const void *msg,
    size_t len)
{
	const struct mc_plugin *mc;
	struct mc_cloud c;
	struct mc_key key;

	if (!control_runs(p, index) || len < sizeof(key))
		return;
	mc = p->context[index].plugin->mc;
	if (mc->on_report == NULL)
		return;
	memcpy(&key, msg, sizeof(key));
	c = control_cloud(p, index, &key);
	/* what follows the key is copied to where any type may stand */
	{
		_Alignas(16) uint8_t copy[MC_REPORT_MAX];

		len -= sizeof(key);
		memcpy(copy, (const uint8_t *)msg + sizeof(key), len);
		mc->on_report(p->context[index].ctx, &c, copy, len);
	}
}

void
plugin_control_end(struct plugin_control *p, const struct mc_plugin *plugin,
    const struct flow *f, const void *fields)
{
	struct mc_cloud c;
	struct mc_key key;
	unsigned index = 0;

	while (index < p->s.plugins->n && p->s.plugins->v[index].mc != plugin)
		index++;
	if (!control_runs(p, index) || p->context[index].plugin->mc->on_end == NULL)
		return;
	memcpy(&key, &f->key, sizeof(key));
	c = control_cloud(p, index, &key);
	p->context[index].plugin->mc->on_end(p->context[index].ctx, &c, fields);
}

void
plugin_control_clock(struct plugin_control *p, uint64_t now_us)
{
	unsigned i;

	/* another is most often a later one; live, the clock may be set back */
	if (now_us / SECOND_US == p->second)
		return;
	p->second = now_us / SECOND_US;
	for (i = 0; i < p->s.plugins->n; i++) {
		struct mc_cloud c = control_cloud(p, i, NULL);

		if (control_runs(p, i) && p->context[i].plugin->mc->on_second != NULL)
			p->context[i].plugin->mc->on_second(p->context[i].ctx, &c, now_us);
	}
}

/*
 * Making
 */
struct plugin_control *
plugin_control_new(const struct plugin_control_setup *s, char *err, size_t errlen)
{
	struct plugin_control *p = calloc(1, sizeof(*p));
	unsigned i;

	if (p == NULL) {
		snprintf(err, errlen, "no memory");
		return NULL;
	}
	p->s = *s;
	for (i = 0; i < s->plugins->n; i++) {
		struct plugin_context *x = &p->context[i];

		x->plugins = s->plugins;
		x->plugin = &s->plugins->v[i];
		x->counters = s->counters;
		x->control = p;
		if (x->plugin->runs && plugin_context_init(x, true, err, errlen) < 0) {
			plugin_control_free(p);
			return NULL;
		}
	}
	return p;
}

void
plugin_control_free(struct plugin_control *p)
{
	unsigned i;

	if (p == NULL)
		return;
	for (i = 0; i < PLUGINS_MAX && p->context[i].plugin != NULL; i++)
		plugin_context_clear(&p->context[i]);
	free(p);
}
