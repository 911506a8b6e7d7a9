/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c -- from a request to the function that answers it, with the checks Redis
 * makes in between, in its order and its words. A look-up is a binary search of the
 * rows.
 */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "command_int.h"

#define TOLD_MAX 128 /* bytes of an unknown command shown to who sent it */

const struct command_row command_rows[] = {
#define COMMAND(name, sub, arity, flags, first, last, step, group, since, fn, args, help) \
	{name, sub, arity, first, last, step, COMMAND_##group, flags, since, fn, args, help},
#define CONTAINER(name, flags, group, since, help) \
	{name, NULL, -2, 0, 0, 0, COMMAND_##group, flags, since, NULL, "", help},
#define WRITE(name, arity, flags, first, last, step, group, since) \
	{name, NULL, arity, first, last, step, COMMAND_##group, flags, since, NULL, "[x...]", \
	    "refused: clients do not write"},
#include "commands.def"
#undef COMMAND
#undef CONTAINER
#undef WRITE
};

const unsigned command_row_count = sizeof(command_rows) / sizeof(command_rows[0]);

/* What of a live flow people want to see, besides -T and @DEFAULT@. */
#define FLOW_SHOWN \
	"@DEFAULT@ %SRC_VLAN %IP_PROTOCOL_VERSION %INTERFACE_NAME %IN_SRC_MAC %OUT_DST_MAC" \
	" %CLIENT_TCP_FLAGS %SERVER_TCP_FLAGS %CLIENT_NW_LATENCY_MS %SERVER_NW_LATENCY_MS" \
	" %APPL_LATENCY_MS %RETRANSMITTED_IN_PKTS %RETRANSMITTED_OUT_PKTS %OOORDER_IN_PKTS" \
	" %OOORDER_OUT_PKTS %ICMP_TYPE %FLOW_DURATION_MILLISECONDS"
#define FLOW_SHOWN_DPI \
	" %L7_PROTO %L7_PROTO_NAME %L7_PROTO_CATEGORY %L7_CONFIDENCE %L7_INFO" \
	" %L7_PROTO_RISK_NAME %L7_RISK_SCORE"

/*
 * Finding rows
 */

static int
compare(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t n = alen < blen ? alen : blen;
	int cmp = strncasecmp(a, b, n);

	return cmp != 0 ? cmp : (alen > blen) - (alen < blen);
}

static int
row_cmp(const void *a, const void *b)
{
	const struct command_row *x = *(const struct command_row *const *)a;
	const struct command_row *y = *(const struct command_row *const *)b;
	const char *xs = x->sub != NULL ? x->sub : "", *ys = y->sub != NULL ? y->sub : "";
	int cmp = compare(x->name, strlen(x->name), y->name, strlen(y->name));

	return cmp != 0 ? cmp : compare(xs, strlen(xs), ys, strlen(ys));
}

const struct command_row *
command_find(const struct commands *c, const struct resp_arg *name,
    const struct resp_arg *sub)
{
	unsigned low = 0, high = command_row_count, mid;
	int cmp;

	if (memchr(name->p, '\0', name->len) != NULL ||
	    (sub != NULL && (sub->len == 0 || memchr(sub->p, '\0', sub->len) != NULL)))
		return NULL; /* strncasecmp would stop there */
	while (low < high) {
		const struct command_row *row = c->sorted[mid = (low + high) / 2];
		const char *rsub = row->sub != NULL ? row->sub : "";

		cmp = compare(name->p, name->len, row->name, strlen(row->name));
		if (cmp == 0)
			cmp = compare(sub != NULL ? sub->p : "", sub != NULL ? sub->len : 0,
			    rsub, strlen(rsub));
		if (cmp == 0)
			return row;
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* Rows of one command stand together in SORTED, the command itself first. */
bool
command_has_subs(const struct commands *c, const struct command_row *row)
{
	const struct command_row **at = bsearch(&row, c->sorted, command_row_count,
	    sizeof(*c->sorted), row_cmp);

	return row->sub == NULL && at != NULL &&
	    at + 1 < c->sorted + command_row_count && at[1]->sub != NULL &&
	    strcmp(at[1]->name, row->name) == 0;
}

size_t
command_name(const struct command_row *row, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%s%s%s", row->name, row->sub ? "|" : "",
	    row->sub ? row->sub : "");
}

/*
 * Words
 */

bool
arg_is(const struct resp_arg *arg, const char *word)
{
	return compare(arg->p, arg->len, word, strlen(word)) == 0 &&
	    memchr(arg->p, '\0', arg->len) == NULL;
}

/* As Redis: no sign but '-', no blanks, no leading zeros. */
bool
arg_int(const struct resp_arg *arg, int64_t *to)
{
	char text[24], again[24], *end;
	long long v;

	if (arg->len == 0 || arg->len >= sizeof(text))
		return false;
	memcpy(text, arg->p, arg->len);
	text[arg->len] = '\0';
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	snprintf(again, sizeof(again), "%lld", v);
	if (strlen(again) != arg->len || strcmp(again, text) != 0)
		return false;
	*to = v;
	return true;
}

bool
arg_number(struct call *call, unsigned i, int64_t *to)
{
	if (arg_int(&call->argv[i], to))
		return true;
	reply_error(call->client, "ERR value is not an integer or out of range");
	return false;
}

bool
arg_count(struct call *call, bool pairs, int64_t *to)
{
	if (!arg_number(call, 2, to))
		return false;
	if (*to == INT64_MIN)
		reply_error(call->client, "ERR value is out of range, value must between "
					  "-9223372036854775807 and 9223372036854775807");
	else if (pairs && (*to < -INT64_MAX / 2 || *to > INT64_MAX / 2))
		reply_error(call->client, "ERR value is out of range");
	else
		return true;
	return false;
}

bool
arg_pattern(struct call *call, const struct resp_arg *arg)
{
	if (arg->len <= GLOB_MAX)
		return true;
	reply_error(call->client, "ERR pattern is longer than %d bytes", GLOB_MAX);
	return false;
}

void
reply_syntax(struct call *call)
{
	reply_error(call->client, "ERR syntax error");
}

void
reply_wrong_type(struct call *call)
{
	reply_error(call->client,
	    "WRONGTYPE Operation against a key holding the wrong kind of value");
}

/* xorshift64*: for RANDOMKEY and the like, nothing depends on it. */
uint64_t
command_random(struct commands *c)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return c->random * 0x2545f4914f6cdd1dULL;
}

void
command_pick(struct commands *c, unsigned n, unsigned count, unsigned *to)
{
	unsigned all[COMMAND_ARGS_MAX];

	for (unsigned i = 0; i < n; i++)
		all[i] = i;
	for (unsigned i = 0; i < count; i++) {
		unsigned at = i + (unsigned)(command_random(c) % (n - i));

		to[i] = all[at];
		all[at] = all[i];
	}
}

/*
 * Running
 */

/* A refusal: inside MULTI it spoils the transaction. */
#define refuse(client, ...) \
	do { \
		client_multi_spoil(client); \
		reply_error(client, __VA_ARGS__); \
	} while (0)

static void
refuse_unknown(struct client *client, const struct resp_arg *argv, unsigned n)
{
	char words[2 * TOLD_MAX];
	size_t used = 0;

	words[0] = '\0';
	for (unsigned i = 1; i < n && used < TOLD_MAX; i++) {
		size_t room = TOLD_MAX - used;

		used += (size_t)snprintf(words + used, sizeof(words) - used, "'%.*s' ",
		    (int)(argv[i].len < room ? argv[i].len : room), argv[i].p);
	}
	refuse(client, "ERR unknown command '%.*s', with args beginning with: %s",
	    (int)(argv[0].len < TOLD_MAX ? argv[0].len : TOLD_MAX), argv[0].p, words);
}

/* CONFIG HELP and the like: the rows. */
static void
reply_help(struct call *call)
{
	const char *name = call->row->name;
	char line[512], upper[32];
	unsigned n = 0;

	for (size_t i = 0; i <= strlen(name) && i < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	reply_array_open(call->client);
	snprintf(line, sizeof(line),
	    "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", upper);
	reply_simple(call->client, line);
	for (unsigned i = 0; i < command_row_count; i++) {
		const struct command_row *row = &command_rows[i];
		int len = 0;

		if (row->sub == NULL || strcmp(row->name, name) != 0)
			continue;
		for (const char *p = row->sub; *p != '\0'; p++)
			line[len++] = (char)toupper((unsigned char)*p);
		snprintf(line + len, sizeof(line) - (size_t)len, "%s%s",
		    *row->args ? " " : "", row->args);
		reply_simple(call->client, line);
		snprintf(line, sizeof(line), "    %s", row->help);
		reply_simple(call->client, line);
		n += 2;
	}
	reply_array_close(call->client, n + 1);
}

/*
 * The row of a request into CALL. False: it was answered, with an error or with help.
 */
static bool
find_row(struct call *call)
{
	const struct command_row *row, *sub;
	char name[32];

	row = command_find(call->c, &call->argv[0], NULL);
	if (row == NULL) {
		refuse_unknown(call->client, call->argv, call->argc);
		return false;
	}
	call->row = row;
	if (call->argc > 1 && command_has_subs(call->c, row)) {
		sub = command_find(call->c, &call->argv[0], &call->argv[1]);
		if (sub == NULL && arg_is(&call->argv[1], "help") && call->argc == 2 &&
		    client_authenticated(call->client)) {
			reply_help(call);
			return false;
		}
		if (sub == NULL) {
			command_name(row, name, sizeof(name));
			for (char *p = name; *p != '\0'; p++)
				*p = (char)toupper((unsigned char)*p);
			refuse(call->client, "ERR unknown subcommand '%.*s'. Try %s HELP.",
			    (int)(call->argv[1].len < TOLD_MAX ? call->argv[1].len
							       : TOLD_MAX),
			    call->argv[1].p, name);
			return false;
		}
		call->row = sub;
	}
	if ((call->row->arity > 0 && (int)call->argc != call->row->arity) ||
	    (int)call->argc < -call->row->arity) {
		command_name(call->row, name, sizeof(name));
		refuse(call->client, "ERR wrong number of arguments for '%s' command", name);
		return false;
	}
	return true;
}

/* In RESP2 a client with subscriptions may only change or end them. */
static bool
fits_subscriber(const struct command_row *row)
{
	static const char *const names[] = {"subscribe", "psubscribe", "unsubscribe",
		"punsubscribe", "ping", "quit", "reset"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(row->name, names[i]) == 0)
			return true;
	return false;
}

static bool
may_run(struct call *call)
{
	struct client *client = call->client;
	const struct command_row *row = call->row;
	char name[32];

	if (!client_authenticated(client) && !command_is(row, 'n')) {
		refuse(client, "NOAUTH Authentication required.");
		return false;
	}
	if (command_is(row, 'x') && client_in_multi(client)) {
		refuse(client, "ERR Command not allowed inside a transaction");
		return false;
	}
	if (command_is(row, 'w')) {
		refuse(client, "READONLY You can't write against a read only replica.");
		return false;
	}
	if (client_proto(client) == 2 && client_subscriptions(client) > 0 &&
	    !fits_subscriber(row)) {
		command_name(row, name, sizeof(name));
		refuse(client, "ERR Can't execute '%s': only (P|S)SUBSCRIBE / "
		    "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
		    name);
		return false;
	}
	return true;
}

void
command_run(struct commands *c, struct client *client, const struct resp_arg *argv,
    unsigned n)
{
	struct call call = {.c = c, .client = client, .argv = argv, .argc = n};

	if (!find_row(&call) || !may_run(&call))
		return;
	if (client_in_multi(client) && !command_is(call.row, 'i')) {
		if (client_multi_add(client, argv, n))
			reply_simple(client, "QUEUED");
		else
			refuse(client, "ERR too much for one transaction");
		return;
	}
	/* Passwords are nobody's business. */
	if (!command_is(call.row, 'n') && !command_is(call.row, 'a'))
		server_monitor(c->server, client, argv, n);
	command_execute(&call);
}

/*
 * Life
 */

static void
add_field(struct commands *c, const struct field *f)
{
	for (unsigned i = 0; i < c->flow_fields; i++)
		if (c->flow_field[i] == f)
			return;
	if (c->flow_fields < COMMAND_FLOW_FIELDS)
		c->flow_field[c->flow_fields++] = f;
}

/*
 * The user's template first, then what people want to see. Why it ended is not known of
 * a flow that lives.
 */
static bool
choose_fields(struct commands *c)
{
	struct template *t = malloc(sizeof(*t));
	bool dpi = c->setup.fields->names != NULL;
	char err[256];
	unsigned i;

	if (t == NULL)
		return false;
	for (i = 0; c->setup.template != NULL && i < c->setup.template->n; i++)
		add_field(c, c->setup.template->field[i]);
	/* If a name in these lists were wrong, their test would say so. */
	if (template_parse(t, dpi ? FLOW_SHOWN FLOW_SHOWN_DPI : FLOW_SHOWN, 10, BIFLOW_NTOP,
		dpi, err, sizeof(err)) == -1)
		abort();
	for (i = 0; i < t->n; i++)
		if (strcmp(t->field[i]->label, "FLOW_END_REASON") != 0)
			add_field(c, t->field[i]);
	free(t);
	return true;
}

static bool
make_ids(struct commands *c)
{
	uint8_t bytes[28];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	for (unsigned i = 0; i < 20; i++)
		snprintf(c->run_id + 2 * i, 3, "%02x", bytes[i]);
	memcpy(&c->random, bytes + 20, sizeof(c->random));
	c->random |= 1;
	return true;
}

struct commands *
commands_new(const struct commands_setup *setup)
{
	struct commands *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->setup = *setup;
	c->sorted = calloc(command_row_count, sizeof(*c->sorted));
	c->cursors = cursors_new();
	if (!asking_open(c) || c->sorted == NULL || c->cursors == NULL ||
	    !choose_fields(c) || !make_ids(c)) {
		commands_free(c);
		return NULL;
	}
	for (unsigned i = 0; i < command_row_count; i++)
		c->sorted[i] = &command_rows[i];
	qsort(c->sorted, command_row_count, sizeof(*c->sorted), row_cmp);
	return c;
}

void
commands_free(struct commands *c)
{
	if (c == NULL)
		return;
	asking_close(c);
	cursors_free(c->cursors);
	free(c->sorted);
	free(c);
}

void
commands_server(struct commands *c, struct server *server)
{
	c->server = server;
}
