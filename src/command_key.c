/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_key.c -- about one key, whatever it holds. A live flow is a hash without an
 * expiry of its own: when it ends is decided on packet time, which control does not know.
 */
#include <time.h>

#include "clock.h"
#include "command_int.h"

#define EMBSTR_MAX 44 /* where Redis changes its mind about strings, */
#define PACKED_MAX 64 /* hashes, */
#define ZPACKED_MAX 128 /* and sorted sets */

static bool
is_there(const struct call *call)
{
	return call->key != NULL || call->flow != NULL;
}

void
cmd_type(struct call *call)
{
	const char *name = "none";

	if (call->flow != NULL)
		name = "hash";
	if (call->key != NULL) {
		switch (cloud_key_type(call->key)) {
		case CLOUD_STRING:
			name = "string";
			break;
		case CLOUD_HASH:
			name = "hash";
			break;
		case CLOUD_ZSET:
			name = "zset";
			break;
		}
	}
	reply_simple(call->client, name);
}

/* ms to live: -1 none, -2 no such key. */
static int64_t
life(const struct call *call)
{
	if (call->key != NULL)
		return cloud_key_ttl(call->c->setup.cloud, call->key);
	return call->flow != NULL ? -1 : -2;
}

void
cmd_ttl(struct call *call)
{
	int64_t ms = life(call);

	reply_int(call->client, ms < 0 ? ms : (ms + 500) / 1000);
}

void
cmd_pttl(struct call *call)
{
	reply_int(call->client, life(call));
}

static int64_t
end_ms(const struct call *call)
{
	int64_t ms = life(call);

	return ms < 0 ? ms : (int64_t)(clock_us(CLOCK_REALTIME) / 1000) + ms;
}

void
cmd_expiretime(struct call *call)
{
	int64_t ms = end_ms(call);

	reply_int(call->client, ms < 0 ? ms : (ms + 500) / 1000);
}

void
cmd_pexpiretime(struct call *call)
{
	reply_int(call->client, end_ms(call));
}

void
cmd_dbsize(struct call *call)
{
	reply_int(call->client, (int64_t)(cloud_count(call->c->setup.cloud) +
		alive_count(call->c->setup.alive)));
}

void
cmd_randomkey(struct call *call)
{
	const struct cloud_key *key;
	const char *name;
	size_t len;

	key = cloud_any(call->c->setup.cloud, command_random(call->c));
	if (key == NULL) {
		reply_nil(call->client);
		return;
	}
	name = cloud_key_name(key, &len);
	reply_bulk(call->client, name, len);
}

static const char *
string_encoding(const struct cloud_key *key)
{
	struct cloud_item item;

	cloud_key_string(key, &item);
	if (item.text == NULL)
		return "int";
	return item.len <= EMBSTR_MAX ? "embstr" : "raw";
}

static const char *
hash_encoding(const struct cloud_key *key)
{
	unsigned n = cloud_key_count(key);
	struct cloud_item item;

	for (unsigned i = 0; i < n; i++) {
		cloud_key_at(key, i, &item);
		if (item.name_len > PACKED_MAX ||
		    (item.text != NULL && item.len > PACKED_MAX))
			return "hashtable";
	}
	return n > CLOUD_FIELDS_MAX ? "hashtable" : "listpack";
}

void
cmd_object_encoding(struct call *call)
{
	const char *name = "hashtable";

	if (!is_there(call)) {
		reply_nil(call->client);
		return;
	}
	if (call->key != NULL) {
		switch (cloud_key_type(call->key)) {
		case CLOUD_STRING:
			name = string_encoding(call->key);
			break;
		case CLOUD_HASH:
			name = hash_encoding(call->key);
			break;
		case CLOUD_ZSET:
			name = cloud_key_count(call->key) > ZPACKED_MAX ? "skiplist"
									 : "listpack";
			break;
		}
	}
	reply_bulk_text(call->client, name);
}

void
cmd_object_freq(struct call *call)
{
	if (!is_there(call))
		reply_nil(call->client);
	else
		reply_error(call->client,
		    "ERR An LFU maxmemory policy is not selected, access frequency not "
		    "tracked. Please note that when switching between policies at runtime "
		    "LRU and LFU data will take some time to adjust.");
}

void
cmd_object_idletime(struct call *call)
{
	if (!is_there(call))
		reply_nil(call->client);
	else if (call->key == NULL)
		reply_int(call->client, 0);
	else
		reply_int(call->client,
		    (int64_t)(cloud_key_idle(call->c->setup.cloud, call->key) / 1000));
}

void
cmd_object_refcount(struct call *call)
{
	if (!is_there(call))
		reply_nil(call->client);
	else
		reply_int(call->client, 1);
}

void
cmd_memory_usage(struct call *call)
{
	const struct alive_flow *f = call->flow;
	int64_t n;

	if (call->argc != 3 && (call->argc != 5 || !arg_is(&call->argv[3], "samples"))) {
		reply_syntax(call);
		return;
	}
	if (call->argc == 5 && !arg_number(call, 4, &n))
		return;
	if (call->key != NULL)
		reply_int(call->client, (int64_t)cloud_key_memory(call->key));
	else if (f != NULL)
		reply_int(call->client, (int64_t)(sizeof(f->flow) +
			(flow_details(&f->flow) != NULL ? sizeof(f->detail) : 0) +
			(f->flow.l7 != NULL ? sizeof(f->l7) : 0)));
	else
		reply_nil(call->client);
}

void
cmd_memory_doctor(struct call *call)
{
	const struct cloud *cloud = call->c->setup.cloud;
	char text[256];
	int len;

	len = snprintf(text, sizeof(text),
	    "The key tree has %llu keys and takes %llu bytes. Trees are bounded by "
	    "--max-keys, flows by --max-flows.\n",
	    (unsigned long long)cloud_count(cloud), (unsigned long long)cloud_memory(cloud));
	reply_verbatim(call->client, text, (size_t)len);
}

void
cmd_memory_stats(struct call *call)
{
	const struct cloud *cloud = call->c->setup.cloud;
	uint64_t keys = cloud_count(cloud), bytes = cloud_memory(cloud);
	struct client *c = call->client;

	reply_map(c, 4);
	reply_bulk_text(c, "total.allocated");
	reply_int(c, (int64_t)bytes);
	reply_bulk_text(c, "dataset.bytes");
	reply_int(c, (int64_t)bytes);
	reply_bulk_text(c, "keys.count");
	reply_int(c, (int64_t)keys);
	reply_bulk_text(c, "keys.bytes-per-key");
	reply_int(c, (int64_t)(keys > 0 ? bytes / keys : 0));
}

void
cmd_wait(struct call *call)
{
	int64_t n;

	if (arg_number(call, 1, &n) && arg_number(call, 2, &n))
		reply_int(call->client, 0);
}
