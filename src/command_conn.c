/* SPDX-License-Identifier: BSD-3-Clause */
/* command_conn.c -- about the connection: who is there, which protocol, MULTI. */
#include <string.h>

#include "command_int.h"

void
cmd_ok(struct call *call)
{
	reply_ok(call->client);
}

void
cmd_ping(struct call *call)
{
	const struct resp_arg *msg = call->argc > 1 ? &call->argv[1] : NULL;

	if (call->argc > 2) {
		reply_error(call->client, "ERR wrong number of arguments for 'ping' command");
	} else if (client_proto(call->client) == 2 &&
	    client_subscriptions(call->client) > 0) {
		/* as a message: that is all such a connection may get */
		reply_array(call->client, 2);
		reply_bulk_text(call->client, "pong");
		reply_bulk(call->client, msg ? msg->p : "", msg ? msg->len : 0);
	} else if (msg != NULL) {
		reply_bulk(call->client, msg->p, msg->len);
	} else {
		reply_simple(call->client, "PONG");
	}
}

void
cmd_echo(struct call *call)
{
	reply_bulk(call->client, call->argv[1].p, call->argv[1].len);
}

void
cmd_quit(struct call *call)
{
	reply_ok(call->client);
	client_close(call->client);
}

void
cmd_reset(struct call *call)
{
	client_reset(call->client);
	reply_simple(call->client, "RESET");
}

void
cmd_select(struct call *call)
{
	int64_t n;

	if (!arg_number(call, 1, &n))
		return;
	if (n != 0)
		reply_error(call->client, "ERR DB index is out of range");
	else
		reply_ok(call->client);
}

static bool
log_in(struct call *call, const struct resp_arg *user, const struct resp_arg *password)
{
	if (client_authenticate(call->client, user ? user->p : NULL, user ? user->len : 0,
		password->p, password->len))
		return true;
	reply_error(call->client,
	    "WRONGPASS invalid username-password pair or user is disabled.");
	return false;
}

void
cmd_auth(struct call *call)
{
	const struct resp_arg *user = call->argc == 3 ? &call->argv[1] : NULL;

	if (call->argc > 3)
		reply_syntax(call);
	else if (user == NULL && call->c->setup.config->resp_password_file == NULL)
		reply_error(call->client,
		    "ERR AUTH <password> called without any password configured for the "
		    "default user. Are you sure your configuration is correct?");
	else if (log_in(call, user, &call->argv[call->argc - 1]))
		reply_ok(call->client);
}

static void
reply_hello(struct call *call)
{
	struct client *c = call->client;

	reply_map(c, 7);
	reply_bulk_text(c, "server");
	reply_bulk_text(c, "redis");
	reply_bulk_text(c, "version");
	reply_bulk_text(c, COMMAND_REDIS_VERSION);
	reply_bulk_text(c, "proto");
	reply_int(c, client_proto(c));
	reply_bulk_text(c, "id");
	reply_int(c, (int64_t)client_id(c));
	reply_bulk_text(c, "mode");
	reply_bulk_text(c, "standalone");
	reply_bulk_text(c, "role");
	reply_bulk_text(c, "master");
	reply_bulk_text(c, "modules");
	reply_array(c, 0);
}

/* The options are checked before any of them takes effect. */
void
cmd_hello(struct call *call)
{
	const struct resp_arg *argv = call->argv, *auth = NULL, *name = NULL;
	int64_t proto = 0;
	unsigned i = 2;

	if (call->argc > 1 && !arg_int(&argv[1], &proto)) {
		reply_error(call->client,
		    "ERR Protocol version is not an integer or out of range");
		return;
	}
	if (call->argc > 1 && proto != 2 && proto != 3) {
		reply_error(call->client, "NOPROTO unsupported protocol version");
		return;
	}
	while (i < call->argc) {
		if (arg_is(&argv[i], "auth") && i + 2 < call->argc) {
			auth = &argv[i + 1];
			i += 3;
		} else if (arg_is(&argv[i], "setname") && i + 1 < call->argc) {
			name = &argv[i + 1];
			i += 2;
		} else {
			reply_error(call->client, "ERR Syntax error in HELLO option '%.*s'",
			    (int)(argv[i].len < 64 ? argv[i].len : 64), argv[i].p);
			return;
		}
	}
	if (auth != NULL && !log_in(call, &auth[0], &auth[1]))
		return;
	if (!client_authenticated(call->client)) {
		reply_error(call->client,
		    "NOAUTH HELLO must be called with the client already authenticated, "
		    "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
		    "authenticate the client and select the RESP protocol version at the "
		    "same time");
		return;
	}
	if (name != NULL && !client_set_name(call->client, name->p, name->len)) {
		reply_error(call->client, "ERR Client names cannot contain spaces, newlines "
					  "or special characters.");
		return;
	}
	if (proto != 0)
		client_set_proto(call->client, (unsigned)proto);
	reply_hello(call);
}

void
cmd_multi(struct call *call)
{
	if (client_in_multi(call->client)) {
		reply_error(call->client, "ERR MULTI calls can not be nested");
		return;
	}
	client_multi(call->client);
	reply_ok(call->client);
}

void
cmd_discard(struct call *call)
{
	if (!client_in_multi(call->client)) {
		reply_error(call->client, "ERR DISCARD without MULTI");
		return;
	}
	client_multi_end(call->client);
	reply_ok(call->client);
}

void
cmd_watch(struct call *call)
{
	if (client_in_multi(call->client))
		reply_error(call->client, "ERR WATCH inside MULTI is not allowed");
	else
		reply_ok(call->client);
}
