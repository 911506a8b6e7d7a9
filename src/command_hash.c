/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_hash.c -- hashes: those of the tree, and live flows, which show the fields of
 * -T and some more, each as text, and at the end their Community ID. Single fields of a
 * flow can be any that field.def knows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command_int.h"
#include "communityid.h"
#include "field_text.h"

#define COMMUNITY_ID "communityId"
#define FIELD_NAME_BYTES 64 /* more than the longest name of a field */

_Static_assert(ITEM_TEXT_MAX >= FIELD_TEXT_MAX, "a field's text fits an item");
_Static_assert(ITEM_TEXT_MAX >= COMMUNITYID_MAX, "and so does a Community ID");
_Static_assert(CLOUD_ZSET_MAX <= COMMAND_ARGS_MAX &&
	COMMAND_FLOW_FIELDS < COMMAND_ARGS_MAX && CLOUD_FIELDS_MAX <= COMMAND_ARGS_MAX,
    "command_pick() can pick among all of them");

/* The record as exporters make it, seen from the client. */
static struct record
record_of(const struct call *call)
{
	const struct flow *flow = &call->flow->flow;

	return (struct record){.flow = flow, .ctx = call->c->setup.fields,
		.dir = (uint8_t)flow_client(flow), .biflow = true,
		.plugin = call->flow->plugin,
		.plugin_fields = call->flow->plugin_fields};
}

void
item_read(struct item *item, const struct cloud_item *from)
{
	item->name = from->name;
	item->name_len = from->name_len;
	item->text = from->text;
	item->len = from->len;
	if (from->text == NULL) {
		item->len = (size_t)snprintf(item->buf, sizeof(item->buf), "%" PRId64,
		    from->number);
		item->text = item->buf;
	}
}

/* Fields the flow has: which apply is found by asking. */
static void
view_flow(struct view *v, const struct call *call)
{
	struct record r = record_of(call);
	char buf[FIELD_TEXT_MAX];
	size_t len;

	for (unsigned i = 0; i < call->c->flow_fields; i++)
		if (field_text(call->c->flow_field[i], &r, buf, sizeof(buf), &len))
			v->field[v->n++] = call->c->flow_field[i];
	v->n++; /* the Community ID */
}

bool
view_open(struct view *v, struct call *call)
{
	v->call = call;
	v->n = 0;
	if (call->key != NULL && cloud_key_type(call->key) != CLOUD_HASH) {
		reply_wrong_type(call);
		return false;
	}
	if (call->flow != NULL)
		view_flow(v, call);
	else if (call->key != NULL)
		v->n = cloud_key_count(call->key);
	return true;
}

static void
item_community(struct item *item, const struct flow *flow)
{
	item->name = COMMUNITY_ID;
	item->name_len = sizeof(COMMUNITY_ID) - 1;
	item->text = item->buf;
	item->len = communityid(item->buf, flow);
}

static bool
item_field(struct item *item, const struct call *call, const struct field *f)
{
	struct record r = record_of(call);

	item->name = f->label;
	item->name_len = strlen(f->label);
	item->text = item->buf;
	return field_text(f, &r, item->buf, sizeof(item->buf), &item->len);
}

void
view_at(const struct view *v, unsigned i, struct item *item)
{
	struct cloud_item from;

	if (v->call->flow == NULL) {
		cloud_key_at(v->call->key, i, &from);
		item_read(item, &from);
	} else if (i + 1 == v->n) {
		item_community(item, &v->call->flow->flow);
	} else {
		(void)item_field(item, v->call, v->field[i]);
	}
}

bool
view_get(const struct view *v, const struct resp_arg *name, struct item *item)
{
	const struct field *f;
	struct cloud_item from;
	char text[FIELD_NAME_BYTES];

	if (v->call->key != NULL) {
		if (!cloud_key_get(v->call->key, name->p, name->len, &from))
			return false;
		item_read(item, &from);
		return true;
	}
	if (v->call->flow == NULL || name->len >= sizeof(text) ||
	    memchr(name->p, '\0', name->len) != NULL)
		return false;
	if (arg_is(name, COMMUNITY_ID)) {
		item_community(item, &v->call->flow->flow);
		return item->len > 0;
	}
	memcpy(text, name->p, name->len);
	text[name->len] = '\0';
	f = field_find(text);
	return f != NULL && item_field(item, v->call, f);
}

void
cmd_hget(struct call *call)
{
	struct view v;
	struct item item;

	if (!view_open(&v, call))
		return;
	if (view_get(&v, &call->argv[2], &item))
		reply_bulk(call->client, item.text, item.len);
	else
		reply_nil(call->client);
}

void
cmd_hmget(struct call *call)
{
	struct view v;
	struct item item;

	if (!view_open(&v, call))
		return;
	reply_array(call->client, call->argc - 2);
	for (unsigned i = 2; i < call->argc; i++) {
		if (view_get(&v, &call->argv[i], &item))
			reply_bulk(call->client, item.text, item.len);
		else
			reply_nil(call->client);
	}
}

enum part {
	PART_NAME = 1,
	PART_VALUE = 2,
};

static void
reply_item(struct client *client, const struct item *item, unsigned parts)
{
	if (parts & PART_NAME)
		reply_bulk(client, item->name, item->name_len);
	if (parts & PART_VALUE)
		reply_bulk(client, item->text, item->len);
}

static void
reply_all(struct call *call, unsigned parts)
{
	struct view v;
	struct item item;

	if (!view_open(&v, call))
		return;
	if (parts == (PART_NAME | PART_VALUE))
		reply_map(call->client, v.n);
	else
		reply_array(call->client, v.n);
	for (unsigned i = 0; i < v.n; i++) {
		view_at(&v, i, &item);
		reply_item(call->client, &item, parts);
	}
}

void
cmd_hgetall(struct call *call)
{
	reply_all(call, PART_NAME | PART_VALUE);
}

void
cmd_hkeys(struct call *call)
{
	reply_all(call, PART_NAME);
}

void
cmd_hvals(struct call *call)
{
	reply_all(call, PART_VALUE);
}

void
cmd_hlen(struct call *call)
{
	struct view v;

	if (view_open(&v, call))
		reply_int(call->client, v.n);
}

void
cmd_hexists(struct call *call)
{
	struct view v;
	struct item item;

	if (view_open(&v, call))
		reply_int(call->client, view_get(&v, &call->argv[2], &item));
}

void
cmd_hstrlen(struct call *call)
{
	struct view v;
	struct item item;

	if (view_open(&v, call))
		reply_int(call->client,
		    view_get(&v, &call->argv[2], &item) ? (int64_t)item.len : 0);
}

/* The head of a list of names and values: pairs in RESP3, flat in RESP2. */
static void
reply_pairs(struct client *client, unsigned n, bool values)
{
	reply_array(client, values && client_proto(client) == 2 ? 2 * (size_t)n : n);
}

/* COUNT > 0: that many different ones at most; < 0: that many, maybe the same. */
void
cmd_hrandfield(struct call *call)
{
	unsigned chosen[COMMAND_ARGS_MAX], n;
	bool values = call->argc == 4;
	struct view v;
	struct item item;
	int64_t count = 1;

	if (call->argc > 4 || (values && !arg_is(&call->argv[3], "withvalues"))) {
		reply_syntax(call);
		return;
	}
	if (call->argc > 2 && !arg_count(call, values, &count))
		return;
	if (!view_open(&v, call))
		return;
	if (call->argc == 2 && v.n == 0) {
		reply_nil(call->client);
		return;
	}
	if (v.n == 0)
		count = 0;
	n = count < 0 ? (unsigned)(-count < COMMAND_ARGS_MAX ? -count : COMMAND_ARGS_MAX)
		      : (unsigned)(count < v.n ? count : v.n);
	if (count > 0)
		command_pick(call->c, v.n, n, chosen);
	if (call->argc > 2)
		reply_pairs(call->client, n, values);
	for (unsigned i = 0; i < n; i++) {
		view_at(&v, count > 0 ? chosen[i] : command_random(call->c) % v.n, &item);
		if (values && client_proto(call->client) == 3)
			reply_array(call->client, 2);
		reply_item(call->client, &item, values ? PART_NAME | PART_VALUE : PART_NAME);
	}
}

void
cmd_hscan(struct call *call)
{
	const struct resp_arg *match;
	struct view v;
	struct item item;
	size_t n = 0;

	if (!scan_options(call, &match) || !view_open(&v, call))
		return;
	reply_array(call->client, 2);
	reply_bulk_text(call->client, "0");
	reply_array_open(call->client);
	for (unsigned i = 0; i < v.n; i++) {
		view_at(&v, i, &item);
		if (match != NULL &&
		    !glob_match(match->p, match->len, item.name, item.name_len))
			continue;
		reply_item(call->client, &item, PART_NAME | PART_VALUE);
		n += 2;
	}
	reply_array_close(call->client, n);
}
