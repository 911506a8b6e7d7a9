/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_value.c -- strings; and what asks for sets, lists and streams, of which a probe
 * has none: the answers are those of an absent key, or the error about the wrong type.
 */
#include "command_int.h"

/* The string of KEY. NULL: none. */
static const struct item *
string_of(struct item *item, const struct cloud_key *key)
{
	struct cloud_item from;

	if (key == NULL || cloud_key_type(key) != CLOUD_STRING)
		return NULL;
	cloud_key_string(key, &from);
	item_read(item, &from);
	return item;
}

/* False: it holds something else, and the client was told. */
static bool
is_string(struct call *call)
{
	if (call->flow == NULL &&
	    (call->key == NULL || cloud_key_type(call->key) == CLOUD_STRING))
		return true;
	reply_wrong_type(call);
	return false;
}

void
cmd_get(struct call *call)
{
	const struct item *string;
	struct item item;

	if (!is_string(call))
		return;
	string = string_of(&item, call->key);
	if (string != NULL)
		reply_bulk(call->client, string->text, string->len);
	else
		reply_nil(call->client);
}

/* What is no string is nil here: live flows too, so they need not be looked for. */
void
cmd_mget(struct call *call)
{
	const struct item *string;
	struct item item;

	reply_array(call->client, call->argc - 1);
	for (unsigned i = 1; i < call->argc; i++) {
		string = string_of(&item,
		    cloud_find(call->c->setup.cloud, call->argv[i].p, call->argv[i].len));
		if (string != NULL)
			reply_bulk(call->client, string->text, string->len);
		else
			reply_nil(call->client);
	}
}

void
cmd_strlen(struct call *call)
{
	const struct item *string;
	struct item item;

	if (!is_string(call))
		return;
	string = string_of(&item, call->key);
	reply_int(call->client, string != NULL ? (int64_t)string->len : 0);
}

/* START and END may count from the end, and lie outside. */
void
cmd_getrange(struct call *call)
{
	const struct item *string;
	struct item item;
	int64_t start, end, len;

	if (!arg_number(call, 2, &start) || !arg_number(call, 3, &end) || !is_string(call))
		return;
	string = string_of(&item, call->key);
	len = string != NULL ? (int64_t)string->len : 0;
	if (start < 0)
		start = start < -len ? 0 : start + len;
	if (end < 0)
		end = end < -len ? -1 : end + len;
	if (end >= len)
		end = len - 1;
	if (string == NULL || start > end)
		reply_bulk(call->client, "", 0);
	else
		reply_bulk(call->client, string->text + start, (size_t)(end - start + 1));
}

/* False: the key holds something, which is of another type. */
static bool
is_absent(struct call *call)
{
	if (call->key == NULL && call->flow == NULL)
		return true;
	reply_wrong_type(call);
	return false;
}

void
cmd_no_set(struct call *call)
{
	for (unsigned i = 2; i < call->argc; i++) {
		const struct resp_arg *name = &call->argv[i];

		if (cloud_find(call->c->setup.cloud, name->p, name->len) != NULL) {
			reply_wrong_type(call);
			return;
		}
	}
	if (is_absent(call))
		reply_set(call->client, 0);
}

void
cmd_no_array(struct call *call)
{
	if (is_absent(call))
		reply_array(call->client, 0);
}

void
cmd_no_range(struct call *call)
{
	int64_t n;

	if (arg_number(call, 2, &n) && arg_number(call, 3, &n))
		cmd_no_array(call);
}

void
cmd_no_index(struct call *call)
{
	if (is_absent(call))
		reply_nil(call->client);
}

void
cmd_no_number(struct call *call)
{
	if (is_absent(call))
		reply_int(call->client, 0);
}

void
cmd_no_numbers(struct call *call)
{
	if (!is_absent(call))
		return;
	reply_array(call->client, call->argc - 2);
	for (unsigned i = 2; i < call->argc; i++)
		reply_int(call->client, 0);
}

void
cmd_no_random(struct call *call)
{
	int64_t n;

	if (call->argc > 3)
		reply_syntax(call);
	else if (call->argc == 3 && arg_number(call, 2, &n))
		cmd_no_array(call);
	else if (call->argc == 2)
		cmd_no_index(call);
}

void
cmd_no_scan(struct call *call)
{
	const struct resp_arg *match;

	if (!scan_options(call, &match) || !is_absent(call))
		return;
	reply_array(call->client, 2);
	reply_bulk_text(call->client, "0");
	reply_array(call->client, 0);
}
