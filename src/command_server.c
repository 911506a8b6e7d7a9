/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_server.c -- what clients ask a Redis server about itself, where a probe has
 * little to say: answers they understand, and refusals.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "command_int.h"

void
cmd_zero(struct call *call)
{
	reply_int(call->client, 0);
}

void
cmd_empty(struct call *call)
{
	reply_array(call->client, 0);
}

void
cmd_empty_map(struct call *call)
{
	reply_map(call->client, 0);
}

void
cmd_refused(struct call *call)
{
	char name[32];

	command_name(call->row, name, sizeof(name));
	reply_error(call->client, "ERR a probe does not do '%s'", name);
}

void
cmd_debug(struct call *call)
{
	reply_error(call->client, "ERR DEBUG command not allowed.");
}

void
cmd_cluster(struct call *call)
{
	reply_error(call->client, "ERR This instance has cluster support disabled");
}

void
cmd_time(struct call *call)
{
	uint64_t us = clock_us(CLOCK_REALTIME);

	reply_array(call->client, 2);
	reply_bulk_number(call->client, (int64_t)(us / 1000000));
	reply_bulk_number(call->client, (int64_t)(us % 1000000));
}

void
cmd_role(struct call *call)
{
	reply_array(call->client, 3);
	reply_bulk_text(call->client, "master");
	reply_int(call->client, 0);
	reply_array(call->client, 0);
}

void
cmd_lastsave(struct call *call)
{
	reply_int(call->client, (int64_t)(call->c->setup.start_us / 1000000));
}

void
cmd_slowlog_get(struct call *call)
{
	int64_t n;

	if (call->argc > 3)
		reply_syntax(call);
	else if (call->argc == 3 && (!arg_int(&call->argv[2], &n) || n < -1))
		reply_error(call->client, "ERR count should be greater than or equal to -1");
	else
		reply_array(call->client, 0);
}

void
cmd_latency_doctor(struct call *call)
{
	static const char text[] = "Delays are not kept. INFO has query_delays.\n";

	reply_verbatim(call->client, text, sizeof(text) - 1);
}

/*
 * ACL: one user, who may do all there is.
 */

void
cmd_acl_whoami(struct call *call)
{
	reply_bulk_text(call->client, "default");
}

void
cmd_acl_users(struct call *call)
{
	reply_array(call->client, 1);
	reply_bulk_text(call->client, "default");
}

/* The password itself is not shown, and no digest of it. */
void
cmd_acl_list(struct call *call)
{
	bool open = call->c->setup.config->resp_password_file == NULL;

	reply_array(call->client, 1);
	reply_bulk_text(call->client, open ? "user default on nopass ~* &* +@all"
					   : "user default on ~* &* +@all");
}

void
cmd_acl_getuser(struct call *call)
{
	bool open = call->c->setup.config->resp_password_file == NULL;
	struct client *c = call->client;

	if (call->argv[2].len != 7 || memcmp(call->argv[2].p, "default", 7) != 0) {
		reply_nil(c);
		return;
	}
	reply_map(c, 6);
	reply_bulk_text(c, "flags");
	reply_set(c, open ? 2 : 1);
	reply_bulk_text(c, "on");
	if (open)
		reply_bulk_text(c, "nopass");
	reply_bulk_text(c, "passwords");
	reply_array(c, 0);
	reply_bulk_text(c, "commands");
	reply_bulk_text(c, "+@all");
	reply_bulk_text(c, "keys");
	reply_bulk_text(c, "~*");
	reply_bulk_text(c, "channels");
	reply_bulk_text(c, "&*");
	reply_bulk_text(c, "selectors");
	reply_array(c, 0);
}

void
cmd_acl_log(struct call *call)
{
	int64_t n;

	if (call->argc > 3)
		reply_syntax(call);
	else if (call->argc == 3 && arg_is(&call->argv[2], "reset"))
		reply_ok(call->client);
	else if (call->argc == 2 || arg_number(call, 2, &n))
		reply_array(call->client, 0);
}
