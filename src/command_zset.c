/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_zset.c -- sorted sets, and TOP, WHO and WHERE. A set has CLOUD_ZSET_MAX members at
 * most and gives them in order, so ranges by score are a walk through all.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command_int.h"

/* Members of the key, 0 if there is none. -1: not a sorted set, and the client was told. */
static int64_t
members(struct call *call)
{
	if (call->flow != NULL ||
	    (call->key != NULL && cloud_key_type(call->key) != CLOUD_ZSET)) {
		reply_wrong_type(call);
		return -1;
	}
	return call->key != NULL ? cloud_key_count(call->key) : 0;
}

static void
reply_member(struct client *client, const struct cloud_item *item, bool score)
{
	if (score && client_proto(client) == 3)
		reply_array(client, 2);
	reply_bulk(client, item->name, item->name_len);
	if (score)
		reply_score(client, item->number);
}

static void
reply_members(struct client *client, int64_t n, bool scores)
{
	reply_array(client, (size_t)(scores && client_proto(client) == 2 ? 2 * n : n));
}

void
cmd_zcard(struct call *call)
{
	int64_t n = members(call);

	if (n >= 0)
		reply_int(call->client, n);
}

static void
reply_score_of(struct call *call, const struct resp_arg *member)
{
	struct cloud_item item;

	if (call->key != NULL && cloud_key_get(call->key, member->p, member->len, &item))
		reply_score(call->client, item.number);
	else
		reply_nil(call->client);
}

void
cmd_zscore(struct call *call)
{
	if (members(call) >= 0)
		reply_score_of(call, &call->argv[2]);
}

void
cmd_zmscore(struct call *call)
{
	if (members(call) < 0)
		return;
	reply_array(call->client, call->argc - 2);
	for (unsigned i = 2; i < call->argc; i++)
		reply_score_of(call, &call->argv[i]);
}

static void
reply_rank(struct call *call, bool reverse)
{
	const struct resp_arg *member = &call->argv[2];
	int64_t n = members(call);
	struct cloud_item item;

	if (n < 0)
		return;
	for (int64_t i = 0; i < n; i++) {
		cloud_key_at(call->key, (unsigned)i, &item);
		if (item.name_len == member->len &&
		    memcmp(item.name, member->p, member->len) == 0) {
			reply_int(call->client, reverse ? n - 1 - i : i);
			return;
		}
	}
	reply_nil(call->client);
}

void
cmd_zrank(struct call *call)
{
	reply_rank(call, false);
}

void
cmd_zrevrank(struct call *call)
{
	reply_rank(call, true);
}

/*
 * Ranges
 */
struct range {
	bool by_score, reverse, scores;
	int64_t offset, count; /* LIMIT; COUNT < 0: no limit */
	bool limited;
	int64_t start, stop; /* by place */
	double min, max;
	bool over_min, below_max; /* the bound itself is outside */
};

static bool
read_score(const struct resp_arg *arg, double *to, bool *outside)
{
	char text[64], *end;
	size_t skip = arg->len > 0 && arg->p[0] == '(' ? 1 : 0;

	if (arg->len == skip || arg->len - skip >= sizeof(text))
		return false;
	memcpy(text, arg->p + skip, arg->len - skip);
	text[arg->len - skip] = '\0';
	*outside = skip == 1;
	*to = strtod(text, &end);
	return end == text + (arg->len - skip) && text[0] != ' ' && text[0] != '\t' &&
	    !isnan(*to);
}

/* The bounds, at argv[2] and [3]; reversed, the higher one comes first. */
static bool
read_bounds(struct call *call, struct range *r)
{
	const struct resp_arg *a = &call->argv[2], *b = &call->argv[3];

	if (!r->by_score)
		return arg_number(call, 2, &r->start) && arg_number(call, 3, &r->stop);
	if (read_score(r->reverse ? b : a, &r->min, &r->over_min) &&
	    read_score(r->reverse ? a : b, &r->max, &r->below_max))
		return true;
	reply_error(call->client, "ERR min or max is not a float");
	return false;
}

/* Words from argv[4] on. SIMPLE: of ZRANGE's descendants, without BYSCORE and REV. */
static bool
read_words(struct call *call, struct range *r, bool simple, bool limits)
{
	const struct resp_arg *argv = call->argv;

	r->count = -1;
	for (unsigned i = 4; i < call->argc; i++) {
		if (arg_is(&argv[i], "withscores")) {
			r->scores = true;
		} else if (limits && arg_is(&argv[i], "limit") && i + 2 < call->argc) {
			if (!arg_number(call, i + 1, &r->offset) ||
			    !arg_number(call, i + 2, &r->count))
				return false;
			r->limited = true;
			i += 2;
		} else if (!simple && arg_is(&argv[i], "byscore")) {
			r->by_score = true;
		} else if (!simple && arg_is(&argv[i], "rev")) {
			r->reverse = true;
		} else if (!simple && arg_is(&argv[i], "bylex")) {
			reply_error(call->client,
			    "ERR BYLEX is for sets of equal scores, which a probe has not");
			return false;
		} else {
			reply_syntax(call);
			return false;
		}
	}
	if (r->limited && !r->by_score) {
		reply_error(call->client, "ERR syntax error, LIMIT is only supported in "
					  "combination with either BYSCORE or BYLEX");
		return false;
	}
	return true;
}

static bool
within(const struct range *r, int64_t score)
{
	double s = (double)score;

	return (r->over_min ? s > r->min : s >= r->min) &&
	    (r->below_max ? s < r->max : s <= r->max);
}

/*
 * The range as places: FIRST (from the front, or reversed from the end) and how many. By
 * score what is within stands together.
 */
static int64_t
find_places(struct call *call, const struct range *r, int64_t n, int64_t *first)
{
	int64_t start = r->start, stop = r->stop, count = 0;
	struct cloud_item item;

	if (!r->by_score) {
		if (start < 0)
			start = start < -n ? 0 : start + n;
		if (stop < 0)
			stop = stop < -n ? -1 : stop + n;
		if (stop >= n)
			stop = n - 1;
		*first = start;
		return start > stop ? 0 : stop - start + 1;
	}
	*first = 0;
	for (int64_t i = 0; i < n; i++) {
		cloud_key_at(call->key, (unsigned)(r->reverse ? n - 1 - i : i), &item);
		if (!within(r, item.number))
			continue;
		if (count++ == 0)
			*first = i;
	}
	if (r->offset < 0 || r->offset >= count)
		return 0;
	*first += r->offset;
	count -= r->offset;
	return r->count >= 0 && r->count < count ? r->count : count;
}

static void
reply_range(struct call *call, const struct range *r)
{
	int64_t n = members(call), first, count;
	struct cloud_item item;

	if (n < 0)
		return;
	count = find_places(call, r, n, &first);
	reply_members(call->client, count, r->scores);
	for (int64_t i = first; i < first + count; i++) {
		cloud_key_at(call->key, (unsigned)(r->reverse ? n - 1 - i : i), &item);
		reply_member(call->client, &item, r->scores);
	}
}

void
cmd_zrange(struct call *call)
{
	struct range r = {.by_score = false};

	if (read_words(call, &r, false, true) && read_bounds(call, &r))
		reply_range(call, &r);
}

void
cmd_zrevrange(struct call *call)
{
	struct range r = {.reverse = true};

	if (read_words(call, &r, true, false) && read_bounds(call, &r))
		reply_range(call, &r);
}

void
cmd_zrangebyscore(struct call *call)
{
	struct range r = {.by_score = true};

	if (read_words(call, &r, true, true) && read_bounds(call, &r))
		reply_range(call, &r);
}

void
cmd_zrevrangebyscore(struct call *call)
{
	struct range r = {.by_score = true, .reverse = true};

	if (read_words(call, &r, true, true) && read_bounds(call, &r))
		reply_range(call, &r);
}

void
cmd_zcount(struct call *call)
{
	struct range r = {.by_score = true, .count = -1};
	int64_t n, first;

	if (!read_bounds(call, &r))
		return;
	n = members(call);
	if (n >= 0)
		reply_int(call->client, find_places(call, &r, n, &first));
}

void
cmd_zrandmember(struct call *call)
{
	unsigned chosen[COMMAND_ARGS_MAX], count;
	bool scores = call->argc == 4;
	struct cloud_item item;
	int64_t want = 1, n;

	if (call->argc > 4 || (scores && !arg_is(&call->argv[3], "withscores"))) {
		reply_syntax(call);
		return;
	}
	if (call->argc > 2 && !arg_count(call, scores, &want))
		return;
	n = members(call);
	if (n < 0)
		return;
	if (n == 0 && call->argc == 2) {
		reply_nil(call->client);
		return;
	}
	if (n == 0)
		want = 0;
	count = want < 0 ? (unsigned)(-want < COMMAND_ARGS_MAX ? -want : COMMAND_ARGS_MAX)
			 : (unsigned)(want < n ? want : n);
	if (want > 0)
		command_pick(call->c, (unsigned)n, count, chosen);
	if (call->argc > 2)
		reply_members(call->client, count, scores);
	for (unsigned i = 0; i < count; i++) {
		cloud_key_at(call->key,
		    want > 0 ? chosen[i]
			     : (unsigned)(command_random(call->c) % (uint64_t)n),
		    &item);
		reply_member(call->client, &item, scores);
	}
}

/* Flat, with scores as strings, in RESP3 too: as Redis has it. */
void
cmd_zscan(struct call *call)
{
	const struct resp_arg *match;
	struct cloud_item item;
	size_t shown = 0;
	int64_t n;

	if (!scan_options(call, &match) || (n = members(call)) < 0)
		return;
	reply_array(call->client, 2);
	reply_bulk_text(call->client, "0");
	reply_array_open(call->client);
	for (int64_t i = 0; i < n; i++) {
		cloud_key_at(call->key, (unsigned)i, &item);
		if (match != NULL &&
		    !glob_match(match->p, match->len, item.name, item.name_len))
			continue;
		reply_bulk(call->client, item.name, item.name_len);
		reply_bulk_number(call->client, item.number);
		shown += 2;
	}
	reply_array_close(call->client, shown);
}

