/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_pubsub.c -- channels. Who is subscribed to what is the server's; what is
 * published here goes on to nodes and files by commands_setup.
 */
#include "command_int.h"

static void
subscribe(struct call *call, bool pattern)
{
	for (unsigned i = 1; i < call->argc; i++) {
		const struct resp_arg *a = &call->argv[i];

		if (pattern && !arg_pattern(call, a))
			return;
		if (!client_subscribe(call->client, a->p, a->len, pattern)) {
			reply_error(call->client, "ERR more than %d subscriptions",
			    CLIENT_SUBSCRIPTIONS);
			return;
		}
	}
}

static void
unsubscribe(struct call *call, bool pattern)
{
	if (call->argc == 1)
		client_unsubscribe(call->client, NULL, 0, pattern);
	for (unsigned i = 1; i < call->argc; i++)
		client_unsubscribe(call->client, call->argv[i].p, call->argv[i].len, pattern);
}

void
cmd_subscribe(struct call *call)
{
	subscribe(call, false);
}

void
cmd_psubscribe(struct call *call)
{
	subscribe(call, true);
}

void
cmd_unsubscribe(struct call *call)
{
	unsubscribe(call, false);
}

void
cmd_punsubscribe(struct call *call)
{
	unsubscribe(call, true);
}

void
cmd_publish(struct call *call)
{
	const struct resp_arg *channel = &call->argv[1], *msg = &call->argv[2];
	const struct commands_setup *setup = &call->c->setup;
	unsigned n;

	n = server_publish(call->c->server, channel->p, channel->len, msg->p, msg->len);
	if (setup->published != NULL)
		setup->published(setup->arg, channel->p, channel->len, msg->p, msg->len);
	reply_int(call->client, n);
}

static void
tell_channel(void *arg, const char *channel, size_t len)
{
	reply_bulk(arg, channel, len);
}

void
cmd_pubsub_channels(struct call *call)
{
	const struct resp_arg *pattern = call->argc > 2 ? &call->argv[2] : NULL;
	unsigned n;

	if (call->argc > 3) {
		reply_error(call->client,
		    "ERR wrong number of arguments for 'pubsub|channels' command");
		return;
	}
	if (pattern != NULL && !arg_pattern(call, pattern))
		return;
	reply_array_open(call->client);
	n = server_channels(call->c->server, pattern ? pattern->p : NULL,
	    pattern ? pattern->len : 0, tell_channel, call->client);
	reply_array_close(call->client, n);
}

void
cmd_pubsub_numsub(struct call *call)
{
	reply_array(call->client, 2 * (call->argc - 2));
	for (unsigned i = 2; i < call->argc; i++) {
		const struct resp_arg *a = &call->argv[i];

		reply_bulk(call->client, a->p, a->len);
		reply_int(call->client, server_subscribers(call->c->server, a->p, a->len));
	}
}

void
cmd_pubsub_numpat(struct call *call)
{
	reply_int(call->client, server_patterns(call->c->server));
}

void
cmd_monitor(struct call *call)
{
	client_set_monitor(call->client);
	reply_ok(call->client);
}
