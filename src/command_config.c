/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_config.c -- CONFIG. What Redis clients ask for has true values; the probe's own
 * options are there as mcprobe.<long-name>, secrets excepted: of those the configuration
 * knows but the files they are in.
 */
#include <stdio.h>
#include <string.h>

#include "command_int.h"
#include "config_row.h"

#define VALUE_MAX 512
#define OWN_PREFIX "mcprobe."

struct parameter {
	const char *name, *value; /* NULL: by parameter_value() */
	bool harmless; /* CONFIG SET says OK, and nothing changes */
};

static const struct parameter parameters[] = {
	{"appendfsync", "everysec", false},
	{"appendonly", "no", false},
	{"bind", NULL, false},
	{"cluster-enabled", "no", false},
	{"databases", "1", false},
	{"dir", "/", false},
	{"hash-max-listpack-entries", "512", true},
	{"hash-max-listpack-value", "64", true},
	{"hash-max-ziplist-entries", "512", true},
	{"hash-max-ziplist-value", "64", true},
	{"hz", "10", true},
	{"io-threads", "1", false},
	{"latency-monitor-threshold", "0", true},
	{"lazyfree-lazy-user-del", "no", true},
	{"loglevel", "notice", true},
	{"maxclients", NULL, false},
	{"maxmemory", "0", false},
	{"maxmemory-policy", "noeviction", true},
	{"maxmemory-samples", "5", true},
	{"notify-keyspace-events", "", true},
	{"port", NULL, false},
	{"proto-max-bulk-len", "1048576", false},
	{"protected-mode", "yes", false},
	{"replica-read-only", "yes", false},
	{"save", "", false},
	{"slowlog-log-slower-than", "-1", true},
	{"slowlog-max-len", "0", true},
	{"timeout", "300", false},
	{"zset-max-listpack-entries", "128", true},
	{"zset-max-listpack-value", "64", true},
	{"zset-max-ziplist-entries", "128", true},
	{"zset-max-ziplist-value", "64", true},
};

#define PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static const char *
parameter_value(const struct commands *c, const struct parameter *p, char buf[VALUE_MAX])
{
	if (p->value != NULL)
		return p->value;
	if (strcmp(p->name, "bind") == 0)
		return c->server != NULL ? server_addresses(c->server) : "";
	snprintf(buf, VALUE_MAX, "%u", strcmp(p->name, "port") == 0
		? (c->server != NULL ? server_port(c->server) : 0)
		: SERVER_CLIENTS);
	return buf;
}

static void
list_value(const struct strlist *list, char buf[VALUE_MAX])
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < list->n && used < VALUE_MAX; i++)
		used += (size_t)snprintf(buf + used, VALUE_MAX - used, "%s%s",
		    i > 0 ? " " : "", list->v[i]);
}

/* The probe's option as text. NULL: it cannot be shown that way. */
static const char *
option_value(const struct config *config, const struct option_row *o, char buf[VALUE_MAX])
{
	const void *member = (const char *)config + o->offset;
	const char *text;

	switch (o->kind) {
	case OPTION_BOOL:
		return *(const bool *)member ? "yes" : "no";
	case OPTION_NOT:
		return *(const bool *)member ? "no" : "yes";
	case OPTION_COUNT:
	case OPTION_INT:
		snprintf(buf, VALUE_MAX, "%d", *(const int *)member);
		return buf;
	case OPTION_STR:
		text = *(char *const *)member;
		return text != NULL ? text : "";
	case OPTION_LIST:
		list_value(member, buf);
		return buf;
	case OPTION_GROUP:
	case OPTION_CALL:
	case OPTION_ACT:
		break;
	}
	return NULL;
}

/* Patterns and names meet in lower case. */
static bool
asked_for(const struct call *call, const char *name)
{
	char pattern[GLOB_MAX];

	for (unsigned i = 2; i < call->argc; i++) {
		const struct resp_arg *a = &call->argv[i];

		for (size_t j = 0; j < a->len; j++)
			pattern[j] = a->p[j] >= 'A' && a->p[j] <= 'Z'
			    ? (char)(a->p[j] - 'A' + 'a')
			    : a->p[j];
		if (glob_match(pattern, a->len, name, strlen(name)))
			return true;
	}
	return false;
}

static const char *
own_name(const struct option_row *o, char *buf, size_t size)
{
	snprintf(buf, size, OWN_PREFIX "%s", o->name);
	return buf;
}

/* Counted first: a map's length comes before it. */
static size_t
show(const struct call *call, bool reply)
{
	const struct config *config = call->c->setup.config;
	char buf[VALUE_MAX], name[64];
	const char *value;
	size_t n = 0;

	for (size_t i = 0; i < PARAMETERS; i++) {
		const struct parameter *p = &parameters[i];

		if (!asked_for(call, p->name))
			continue;
		n++;
		if (reply) {
			reply_bulk_text(call->client, p->name);
			reply_bulk_text(call->client, parameter_value(call->c, p, buf));
		}
	}
	for (unsigned i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		value = option_value(config, o, buf);
		if (value == NULL || !asked_for(call, own_name(o, name, sizeof(name))))
			continue;
		n++;
		if (reply) {
			reply_bulk_text(call->client, name);
			reply_bulk_text(call->client, value);
		}
	}
	return n;
}

void
cmd_config_get(struct call *call)
{
	for (unsigned i = 2; i < call->argc; i++)
		if (!arg_pattern(call, &call->argv[i]))
			return;
	reply_map(call->client, show(call, false));
	(void)show(call, true);
}

static const struct parameter *
find_parameter(const struct resp_arg *name)
{
	for (size_t i = 0; i < PARAMETERS; i++)
		if (arg_is(name, parameters[i].name))
			return &parameters[i];
	return NULL;
}

void
cmd_config_set(struct call *call)
{
	if (call->argc % 2 != 0) {
		reply_error(call->client,
		    "ERR wrong number of arguments for 'config|set' command");
		return;
	}
	for (unsigned i = 2; i < call->argc; i += 2) {
		const struct resp_arg *name = &call->argv[i];
		const struct parameter *p = find_parameter(name);

		if (p == NULL) {
			reply_error(call->client,
			    "ERR Unknown option or number of arguments for CONFIG SET - "
			    "'%.*s'",
			    (int)(name->len < 64 ? name->len : 64), name->p);
			return;
		}
		if (!p->harmless) {
			reply_error(call->client,
			    "ERR CONFIG SET failed (possibly related to argument '%s') - "
			    "can't set immutable config",
			    p->name);
			return;
		}
	}
	reply_ok(call->client);
}

void
cmd_config_rewrite(struct call *call)
{
	reply_error(call->client, "ERR The server is running without a config file");
}
