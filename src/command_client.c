/* SPDX-License-Identifier: BSD-3-Clause */
/* command_client.c -- CLIENT and its subcommands. */
#include <string.h>

#include "command_int.h"

#define LINE_MAX_BYTES 1024 /* of CLIENT LIST */

void
cmd_client_id(struct call *call)
{
	reply_int(call->client, (int64_t)client_id(call->client));
}

void
cmd_client_getname(struct call *call)
{
	const char *name = client_name(call->client);

	if (*name == '\0')
		reply_nil(call->client);
	else
		reply_bulk_text(call->client, name);
}

void
cmd_client_setname(struct call *call)
{
	if (client_set_name(call->client, call->argv[2].p, call->argv[2].len))
		reply_ok(call->client);
	else
		reply_error(call->client, "ERR Client names cannot contain spaces, newlines "
					  "or special characters.");
}

void
cmd_client_setinfo(struct call *call)
{
	const struct resp_arg *what = &call->argv[2], *value = &call->argv[3];
	bool version = arg_is(what, "lib-ver");

	if (!version && !arg_is(what, "lib-name"))
		reply_error(call->client, "ERR Unrecognized option '%.*s'",
		    (int)(what->len < 64 ? what->len : 64), what->p);
	else if (!client_set_library(call->client, version, value->p, value->len))
		reply_error(call->client, "ERR %s cannot contain spaces, newlines or special "
					  "characters.", version ? "lib-ver" : "lib-name");
	else
		reply_ok(call->client);
}

void
cmd_client_info(struct call *call)
{
	char line[LINE_MAX_BYTES];
	size_t len = client_line(call->client, line, sizeof(line));

	reply_verbatim(call->client, line, len);
}

static bool
known_type(const struct resp_arg *type)
{
	return arg_is(type, "normal") || arg_is(type, "pubsub") || arg_is(type, "master") ||
	    arg_is(type, "replica") || arg_is(type, "slave");
}

static bool
has_type(const struct client *client, const struct resp_arg *type)
{
	if (arg_is(type, "normal"))
		return client_subscriptions(client) == 0;
	return arg_is(type, "pubsub") && client_subscriptions(client) > 0;
}

static void
unknown_type(struct call *call, const struct resp_arg *type)
{
	reply_error(call->client, "ERR Unknown client type '%.*s'",
	    (int)(type->len < 64 ? type->len : 64), type->p);
}

static void
add_line(struct respbuf *to, const struct client *client)
{
	char line[LINE_MAX_BYTES];

	resp_bytes(to, line, client_line(client, line, sizeof(line)));
}

/* The clients by their numbers: FROM the first one. */
static struct client *
client_from(struct call *call, uint64_t from)
{
	return client_find(client_server(call->client), from, true);
}

static bool
list_some(struct call *call, struct respbuf *lines)
{
	struct server *server = client_server(call->client);
	const struct client *found;
	int64_t id;

	for (unsigned i = 3; i < call->argc; i++) {
		if (!arg_int(&call->argv[i], &id) || id <= 0) {
			reply_error(call->client, "ERR Invalid client ID");
			return false;
		}
		found = client_find(server, (uint64_t)id, false);
		if (found != NULL)
			add_line(lines, found);
	}
	return true;
}

static bool
list_all(struct call *call, struct respbuf *lines)
{
	const struct resp_arg *type = NULL;
	const struct client *c;

	if (call->argc == 4 && arg_is(&call->argv[2], "type")) {
		type = &call->argv[3];
		if (!known_type(type)) {
			unknown_type(call, type);
			return false;
		}
	} else if (call->argc != 2) {
		reply_syntax(call);
		return false;
	}
	for (c = client_from(call, 1); c != NULL; c = client_from(call, client_id(c) + 1))
		if (type == NULL || has_type(c, type))
			add_line(lines, c);
	return true;
}

void
cmd_client_list(struct call *call)
{
	struct respbuf lines;
	bool some = call->argc > 3 && arg_is(&call->argv[2], "id");

	respbuf_init(&lines);
	if (some ? list_some(call, &lines) : list_all(call, &lines)) {
		if (lines.failed)
			reply_error(call->client, "ERR out of memory");
		else
			reply_verbatim(call->client, lines.buf ? lines.buf : "", lines.len);
	}
	respbuf_clear(&lines);
}

/* What CLIENT KILL looks for; NULL and 0: anything. */
struct kill {
	int64_t id;
	const struct resp_arg *addr, *laddr, *type, *user;
	bool skip_me;
};

/* False: the client was told. */
static bool
read_kill(struct call *call, struct kill *k)
{
	for (unsigned i = 2; i < call->argc; i += 2) {
		const struct resp_arg *what = &call->argv[i], *value = what + 1;

		if (i + 1 >= call->argc) {
			reply_syntax(call);
			return false;
		}
		if (arg_is(what, "id")) {
			if (!arg_int(value, &k->id) || k->id <= 0) {
				reply_error(call->client,
				    "ERR client-id should be greater than 0");
				return false;
			}
		} else if (arg_is(what, "type")) {
			k->type = value;
			if (!known_type(value)) {
				unknown_type(call, value);
				return false;
			}
		} else if (arg_is(what, "addr")) {
			k->addr = value;
		} else if (arg_is(what, "laddr")) {
			k->laddr = value;
		} else if (arg_is(what, "user")) {
			k->user = value;
			if (!arg_is(value, "default")) {
				reply_error(call->client, "ERR No such user '%.*s'",
				    (int)(value->len < 64 ? value->len : 64), value->p);
				return false;
			}
		} else if (arg_is(what, "skipme") &&
		    (arg_is(value, "yes") || arg_is(value, "no"))) {
			k->skip_me = arg_is(value, "yes");
		} else {
			reply_syntax(call);
			return false;
		}
	}
	return true;
}

static bool
has_laddr(const struct client *c, const struct resp_arg *addr)
{
	char line[LINE_MAX_BYTES], want[128];
	size_t len = client_line(c, line, sizeof(line) - 1);

	line[len < sizeof(line) ? len : sizeof(line) - 1] = '\0';
	snprintf(want, sizeof(want), " laddr=%.*s ", (int)(addr->len < 100 ? addr->len : 100),
	    addr->p);
	return strstr(line, want) != NULL;
}

static bool
fits(struct call *call, const struct kill *k, const struct client *c)
{
	if (k->skip_me && c == call->client)
		return false;
	if (k->id != 0 && (uint64_t)k->id != client_id(c))
		return false;
	if (k->addr != NULL && !arg_is(k->addr, client_address(c)))
		return false;
	if (k->laddr != NULL && !has_laddr(c, k->laddr))
		return false;
	return k->type == NULL || has_type(c, k->type);
}

/* The caller goes last, and hears how many went. */
static unsigned
kill_all(struct call *call, const struct kill *k, bool *me)
{
	struct client *c, *next;
	unsigned n = 0;

	for (c = client_from(call, 1); c != NULL; c = next) {
		next = client_from(call, client_id(c) + 1);
		if (!fits(call, k, c))
			continue;
		n++;
		if (c == call->client)
			*me = true;
		else
			client_kill(c);
	}
	return n;
}

void
cmd_client_kill(struct call *call)
{
	struct kill k = {.skip_me = true};
	bool old = call->argc == 3, me = false;
	unsigned n;

	if (old) {
		k.addr = &call->argv[2];
		k.skip_me = false;
	} else if (!read_kill(call, &k)) {
		return;
	}
	n = kill_all(call, &k, &me);
	if (!old)
		reply_int(call->client, n);
	else if (n == 0)
		reply_error(call->client, "ERR No such client");
	else
		reply_ok(call->client);
	if (me)
		client_close(call->client);
}

void
cmd_client_reply(struct call *call)
{
	const struct resp_arg *mode = &call->argv[2];

	if (arg_is(mode, "on")) {
		client_set_replies(call->client, CLIENT_REPLY_ON);
		reply_ok(call->client);
	} else if (arg_is(mode, "off")) {
		client_set_replies(call->client, CLIENT_REPLY_OFF);
	} else if (arg_is(mode, "skip")) {
		client_set_replies(call->client, CLIENT_REPLY_SKIP);
	} else {
		reply_syntax(call);
	}
}

void
cmd_client_no_evict(struct call *call)
{
	if (arg_is(&call->argv[2], "on") || arg_is(&call->argv[2], "off"))
		reply_ok(call->client);
	else
		reply_syntax(call);
}

void
cmd_client_tracking(struct call *call)
{
	if (arg_is(&call->argv[2], "off"))
		reply_ok(call->client);
	else
		reply_error(call->client, "ERR this server does not track keys");
}

void
cmd_client_caching(struct call *call)
{
	reply_error(call->client,
	    "ERR CLIENT CACHING can be called only when the client is in tracking mode with "
	    "OPTIN or OPTOUT mode enabled");
}

void
cmd_client_getredir(struct call *call)
{
	reply_int(call->client, -1);
}

void
cmd_client_trackinginfo(struct call *call)
{
	struct client *c = call->client;

	reply_map(c, 3);
	reply_bulk_text(c, "flags");
	reply_set(c, 1);
	reply_bulk_text(c, "off");
	reply_bulk_text(c, "redirect");
	reply_int(c, -1);
	reply_bulk_text(c, "prefixes");
	reply_array(c, 0);
}

void
cmd_client_pause(struct call *call)
{
	reply_error(call->client, "ERR a probe does not pause its clients");
}

void
cmd_client_unblock(struct call *call)
{
	int64_t id;

	if (arg_number(call, 2, &id))
		reply_int(call->client, 0);
}
