/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_doc.c -- the rows for others: COMMAND and its subcommands in the shapes clients
 * expect of Redis 7, the categories of ACL CAT, and the manual page.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command_int.h"

#define WORDS_MAX 8 /* in one argument: [AUTH username password] */
#define NAME_MAX_BYTES 64

static const char *const group_names[COMMAND_GROUPS] = {
    [COMMAND_GENERIC] = "generic",
    [COMMAND_STRING] = "string",
    [COMMAND_LIST] = "list",
    [COMMAND_SET] = "set",
    [COMMAND_SORTED_SET] = "sorted-set",
    [COMMAND_HASH] = "hash",
    [COMMAND_PUBSUB] = "pubsub",
    [COMMAND_TRANSACTIONS] = "transactions",
    [COMMAND_CONNECTION] = "connection",
    [COMMAND_SERVER] = "server",
    [COMMAND_SCRIPTING] = "scripting",
    [COMMAND_HYPERLOGLOG] = "hyperloglog",
    [COMMAND_CLUSTER] = "cluster",
    [COMMAND_GEO] = "geo",
    [COMMAND_STREAM] = "stream",
    [COMMAND_BITMAP] = "bitmap",
    [COMMAND_PROBE] = "probe",
};

static const struct {
	char letter;
	const char *name;
} flag_names[] = {
	{'w', "write"}, {'r', "readonly"}, {'m', "denyoom"}, {'a', "admin"},
	{'p', "pubsub"}, {'s', "noscript"}, {'b', "blocking"}, {'l', "loading"},
	{'t', "stale"}, {'q', "skip_slowlog"}, {'F', "fast"}, {'n', "no_auth"},
	{'d', "no_async_loading"}, {'x', "no_multi"}, {'v', "movablekeys"},
	{'y', "allow_busy"},
};

#define FLAGS (sizeof(flag_names) / sizeof(flag_names[0]))

/*
 * Categories of ACL follow from flags and groups, but for a few dangerous ones.
 */
static const char *const categories[] = {
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
    "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking",
    "dangerous", "connection", "transaction", "scripting",
};

#define CATEGORIES (sizeof(categories) / sizeof(categories[0]))

static bool
is_dangerous(const struct command_row *row)
{
	static const char *const names[] = {"keys", "info", "sort", "flushall", "flushdb",
		"migrate", "restore", "restore-asking", "role", "swapdb", "lastsave"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(row->name, names[i]) == 0)
			return true;
	return command_is(row, 'a');
}

static bool
in_group(const struct command_row *row, const char *category)
{
	switch (row->group) {
	case COMMAND_GENERIC:
		return strcmp(category, "keyspace") == 0 && strcmp(row->name, "wait") != 0;
	case COMMAND_SORTED_SET:
		return strcmp(category, "sortedset") == 0;
	case COMMAND_TRANSACTIONS:
		return strcmp(category, "transaction") == 0;
	case COMMAND_SERVER:
		return strcmp(category, "keyspace") == 0 &&
		    (strcmp(row->name, "dbsize") == 0 || strncmp(row->name, "flush", 5) == 0);
	default:
		return strcmp(category, group_names[row->group]) == 0;
	}
}

static bool
in_category(const struct command_row *row, const char *category)
{
	static const struct {
		const char *name;
		char flag;
	} by_flag[] = {
		{"read", 'r'}, {"write", 'w'}, {"admin", 'a'}, {"fast", 'F'},
		{"blocking", 'b'}, {"pubsub", 'p'},
	};

	for (size_t i = 0; i < sizeof(by_flag) / sizeof(by_flag[0]); i++)
		if (strcmp(category, by_flag[i].name) == 0)
			return command_is(row, by_flag[i].flag);
	if (strcmp(category, "slow") == 0)
		return !command_is(row, 'F');
	if (strcmp(category, "dangerous") == 0)
		return is_dangerous(row);
	return in_group(row, category);
}

static const char *
find_category(const struct resp_arg *name)
{
	for (size_t i = 0; i < CATEGORIES; i++)
		if (arg_is(name, categories[i]))
			return categories[i];
	return NULL;
}

/* Only has subcommands: no command itself. */
static bool
is_container(const struct command_row *row)
{
	return row->run == NULL && !command_is(row, 'w');
}

void
cmd_acl_cat(struct call *call)
{
	const char *category;
	char name[NAME_MAX_BYTES];
	size_t n = 0;

	if (call->argc > 3) {
		reply_syntax(call);
		return;
	}
	if (call->argc == 2) {
		reply_array(call->client, CATEGORIES);
		for (size_t i = 0; i < CATEGORIES; i++)
			reply_bulk_text(call->client, categories[i]);
		return;
	}
	category = find_category(&call->argv[2]);
	if (category == NULL) {
		reply_error(call->client, "ERR Unknown category '%.*s'",
		    (int)(call->argv[2].len < 64 ? call->argv[2].len : 64), call->argv[2].p);
		return;
	}
	reply_array_open(call->client);
	for (unsigned i = 0; i < command_row_count; i++) {
		const struct command_row *row = &command_rows[i];

		if (is_container(row) || !in_category(row, category))
			continue;
		reply_bulk(call->client, name, command_name(row, name, sizeof(name)));
		n++;
	}
	reply_array_close(call->client, n);
}

/*
 * COMMAND INFO: ten elements
 */

static void
reply_flags(struct client *client, const struct command_row *row)
{
	size_t n = 0;

	for (size_t i = 0; i < FLAGS; i++)
		n += command_is(row, flag_names[i].letter);
	reply_set(client, n);
	for (size_t i = 0; i < FLAGS; i++)
		if (command_is(row, flag_names[i].letter))
			reply_simple(client, flag_names[i].name);
}

static void
reply_categories(struct client *client, const struct command_row *row)
{
	char name[32];
	size_t n = 0;

	for (size_t i = 0; i < CATEGORIES; i++)
		n += in_category(row, categories[i]);
	reply_set(client, n);
	for (size_t i = 0; i < CATEGORIES; i++) {
		if (!in_category(row, categories[i]))
			continue;
		snprintf(name, sizeof(name), "@%s", categories[i]);
		reply_simple(client, name);
	}
}

static void
reply_key_flags(struct client *client, const struct command_row *row)
{
	reply_set(client, 2);
	reply_simple(client, command_is(row, 'w') ? "RW" : "RO");
	reply_simple(client, command_is(row, 'w') ? "update" : "access");
}

/* Which words are keys: from the FIRST on, as far as LAST, each STEP. */
static void
reply_keys(struct client *client, const struct command_row *row)
{
	reply_set(client, row->first > 0 ? 1 : 0);
	if (row->first <= 0)
		return;
	reply_map(client, 3);
	reply_bulk_text(client, "flags");
	reply_key_flags(client, row);
	reply_bulk_text(client, "begin_search");
	reply_map(client, 2);
	reply_bulk_text(client, "type");
	reply_bulk_text(client, "index");
	reply_bulk_text(client, "spec");
	reply_map(client, 1);
	reply_bulk_text(client, "index");
	reply_int(client, row->first);
	reply_bulk_text(client, "find_keys");
	reply_map(client, 2);
	reply_bulk_text(client, "type");
	reply_bulk_text(client, "range");
	reply_bulk_text(client, "spec");
	reply_map(client, 3);
	reply_bulk_text(client, "lastkey");
	reply_int(client, row->last < 0 ? row->last : row->last - row->first);
	reply_bulk_text(client, "keystep");
	reply_int(client, row->step);
	reply_bulk_text(client, "limit");
	reply_int(client, 0);
}

static unsigned
count_subs(const struct command_row *row)
{
	unsigned n = 0;

	for (unsigned i = 0; row->sub == NULL && i < command_row_count; i++)
		n += command_rows[i].sub != NULL &&
		    strcmp(command_rows[i].name, row->name) == 0;
	return n;
}

static void
reply_row(struct client *client, const struct command_row *row)
{
	char name[NAME_MAX_BYTES];
	unsigned subs = count_subs(row);

	reply_array(client, 10);
	reply_bulk(client, name, command_name(row, name, sizeof(name)));
	reply_int(client, row->arity);
	reply_flags(client, row);
	reply_int(client, row->first);
	reply_int(client, row->last);
	reply_int(client, row->step);
	reply_categories(client, row);
	reply_set(client, 0); /* tips */
	reply_keys(client, row);
	reply_set(client, subs);
	for (unsigned i = 0; subs > 0 && i < command_row_count; i++)
		if (command_rows[i].sub != NULL &&
		    strcmp(command_rows[i].name, row->name) == 0)
			reply_row(client, &command_rows[i]);
}

static unsigned
count_commands(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < command_row_count; i++)
		n += command_rows[i].sub == NULL;
	return n;
}

void
cmd_command(struct call *call)
{
	reply_array(call->client, count_commands());
	for (unsigned i = 0; i < command_row_count; i++)
		if (command_rows[i].sub == NULL)
			reply_row(call->client, &command_rows[i]);
}

void
cmd_command_count(struct call *call)
{
	reply_int(call->client, count_commands());
}

/* "get", "config|get". */
static const struct command_row *
row_named(const struct call *call, const struct resp_arg *name)
{
	const char *bar = memchr(name->p, '|', name->len);
	struct resp_arg command, sub;

	if (bar == NULL)
		return command_find(call->c, name, NULL);
	command = (struct resp_arg){name->p, (size_t)(bar - name->p)};
	sub = (struct resp_arg){bar + 1, name->len - command.len - 1};
	return command_find(call->c, &command, &sub);
}

void
cmd_command_info(struct call *call)
{
	const struct command_row *row;

	if (call->argc == 2) {
		cmd_command(call);
		return;
	}
	reply_array(call->client, call->argc - 2);
	for (unsigned i = 2; i < call->argc; i++) {
		row = row_named(call, &call->argv[i]);
		if (row != NULL)
			reply_row(call->client, row);
		else
			reply_nil(call->client);
	}
}

/*
 * COMMAND DOCS: arguments from the text of a row
 */
struct text {
	const char *p;
	size_t len;
};

/* The next word, or [words], of FROM, which is moved behind it. */
static bool
next_word(struct text *from, struct text *word)
{
	unsigned depth = 0;
	size_t i = 0;

	while (from->len > 0 && *from->p == ' ') {
		from->p++;
		from->len--;
	}
	while (i < from->len && (depth > 0 || from->p[i] != ' ')) {
		depth += from->p[i] == '[';
		depth -= from->p[i] == ']';
		i++;
	}
	*word = (struct text){from->p, i};
	from->p += i;
	from->len -= i;
	return i > 0;
}

static unsigned
count_words(struct text from)
{
	struct text word;
	unsigned n = 0;

	while (next_word(&from, &word))
		n++;
	return n;
}

static bool
is_literal(const struct text *t)
{
	for (size_t i = 0; i < t->len; i++)
		if (islower((unsigned char)t->p[i]))
			return false;
	return t->len > 0;
}

static void
reply_lower(struct client *client, const struct text *t)
{
	char name[NAME_MAX_BYTES];
	size_t n = t->len < sizeof(name) ? t->len : sizeof(name);

	for (size_t i = 0; i < n; i++)
		name[i] = t->p[i] == '|' ? '_' : (char)tolower((unsigned char)t->p[i]);
	reply_bulk(client, name, n);
}

static void
reply_member(struct client *client, const char *name, const char *value)
{
	reply_bulk_text(client, name);
	reply_bulk_text(client, value);
}

/* What one argument is made of. */
struct argument {
	struct text token; /* before it; LEN 0: none */
	struct text words[WORDS_MAX];
	unsigned n;
	bool optional, multiple;
};

static void
read_argument(struct argument *a, struct text t)
{
	struct text word;

	memset(a, 0, sizeof(*a));
	if (t.len > 2 && t.p[0] == '[') {
		a->optional = true;
		t.p++;
		t.len -= 2;
	}
	if (t.len > 3 && memcmp(t.p + t.len - 3, "...", 3) == 0) {
		a->multiple = true;
		t.len -= 3;
	}
	while (a->n < WORDS_MAX && next_word(&t, &word)) {
		if (a->n == 0 && a->token.len == 0 && is_literal(&word) &&
		    memchr(word.p, '|', word.len) == NULL)
			a->token = word;
		else
			a->words[a->n++] = word;
	}
}

static void reply_argument(struct client *client, struct text t);

/* a|b|C */
static void
reply_choices(struct client *client, struct text t)
{
	size_t n = 1;

	for (size_t i = 0; i < t.len; i++)
		n += t.p[i] == '|';
	reply_array(client, n);
	while (n-- > 0) {
		const char *bar = memchr(t.p, '|', t.len);
		size_t len = bar != NULL ? (size_t)(bar - t.p) : t.len;

		reply_argument(client, (struct text){t.p, len});
		t.p += bar != NULL ? len + 1 : len;
		t.len -= bar != NULL ? len + 1 : len;
	}
}

static void
reply_argument_flags(struct client *client, const struct argument *a)
{
	if (!a->optional && !a->multiple)
		return;
	reply_bulk_text(client, "flags");
	reply_set(client, (size_t)a->optional + a->multiple);
	if (a->optional)
		reply_simple(client, "optional");
	if (a->multiple)
		reply_simple(client, "multiple");
}

static void
reply_argument(struct client *client, struct text t)
{
	struct argument a;
	bool oneof, key;
	size_t n;

	read_argument(&a, t);
	oneof = a.n == 1 && memchr(a.words[0].p, '|', a.words[0].len) != NULL;
	key = a.n == 1 && a.words[0].len == 3 && memcmp(a.words[0].p, "key", 3) == 0;
	n = 2 + (a.token.len > 0) + (a.optional || a.multiple) + key + (oneof || a.n > 1);
	reply_map(client, n);
	reply_bulk_text(client, "name");
	reply_lower(client, a.n == 1 ? &a.words[0] : &a.token);
	reply_member(client, "type", a.n == 0 ? "pure-token"
		: a.n > 1		     ? "block"
		: oneof			     ? "oneof"
		: key			     ? "key"
					     : "string");
	if (key) {
		reply_bulk_text(client, "key_spec_index");
		reply_int(client, 0);
	}
	if (a.token.len > 0) {
		reply_bulk_text(client, "token");
		reply_bulk(client, a.token.p, a.token.len);
	}
	reply_argument_flags(client, &a);
	if (!oneof && a.n <= 1)
		return;
	reply_bulk_text(client, "arguments");
	if (oneof) {
		reply_choices(client, a.words[0]);
		return;
	}
	reply_array(client, a.n);
	for (unsigned i = 0; i < a.n; i++)
		reply_argument(client, a.words[i]);
}

static void
reply_doc(struct client *client, const struct command_row *row)
{
	char name[NAME_MAX_BYTES];
	struct text args = {row->args, strlen(row->args)}, word;
	unsigned nargs = count_words(args), subs = count_subs(row);

	reply_bulk(client, name, command_name(row, name, sizeof(name)));
	reply_map(client, 3 + (nargs > 0 ? 1 : 0) + (subs > 0 ? 1 : 0));
	reply_member(client, "summary", row->help);
	reply_member(client, "since", row->since);
	reply_member(client, "group", group_names[row->group]);
	if (nargs > 0) {
		reply_bulk_text(client, "arguments");
		reply_array(client, nargs);
		while (next_word(&args, &word))
			reply_argument(client, word);
	}
	if (subs == 0)
		return;
	reply_bulk_text(client, "subcommands");
	reply_map(client, subs);
	for (unsigned i = 0; i < command_row_count; i++)
		if (command_rows[i].sub != NULL &&
		    strcmp(command_rows[i].name, row->name) == 0)
			reply_doc(client, &command_rows[i]);
}

void
cmd_command_docs(struct call *call)
{
	const struct command_row *row;
	size_t n = 0;

	if (call->argc == 2) {
		reply_map(call->client, count_commands());
		for (unsigned i = 0; i < command_row_count; i++)
			if (command_rows[i].sub == NULL)
				reply_doc(call->client, &command_rows[i]);
		return;
	}
	for (unsigned i = 2; i < call->argc; i++)
		n += row_named(call, &call->argv[i]) != NULL;
	reply_map(call->client, n);
	for (unsigned i = 2; i < call->argc; i++) {
		row = row_named(call, &call->argv[i]);
		if (row != NULL)
			reply_doc(call->client, row);
	}
}

/*
 * COMMAND LIST and GETKEYS
 */

/* False: the client was told. CATEGORY of an unknown name is NULL: nothing is in it. */
static bool
read_filter(struct call *call, const struct resp_arg **pattern, const char **category,
    bool *none)
{
	const struct resp_arg *argv = call->argv;

	*pattern = NULL;
	*category = NULL;
	*none = false;
	if (call->argc == 2)
		return true;
	if (call->argc != 5 || !arg_is(&argv[2], "filterby")) {
		reply_syntax(call);
		return false;
	}
	if (arg_is(&argv[3], "pattern")) {
		*pattern = &argv[4];
		return arg_pattern(call, &argv[4]);
	}
	if (arg_is(&argv[3], "aclcat")) {
		*category = find_category(&argv[4]);
		*none = *category == NULL;
		return true;
	}
	if (arg_is(&argv[3], "module")) {
		*none = true;
		return true;
	}
	reply_syntax(call);
	return false;
}

void
cmd_command_list(struct call *call)
{
	const struct resp_arg *pattern;
	const char *category;
	char name[NAME_MAX_BYTES];
	size_t n = 0, len;
	bool none, filtered = call->argc > 2;

	if (!read_filter(call, &pattern, &category, &none))
		return;
	reply_array_open(call->client);
	for (unsigned i = 0; !none && i < command_row_count; i++) {
		const struct command_row *row = &command_rows[i];

		len = command_name(row, name, sizeof(name));
		if ((!filtered && row->sub != NULL) ||
		    (pattern != NULL && !glob_match(pattern->p, pattern->len, name, len)) ||
		    (category != NULL && !in_category(row, category)))
			continue;
		reply_bulk(call->client, name, len);
		n++;
	}
	reply_array_close(call->client, n);
}

void
cmd_command_getkeys(struct call *call)
{
	const struct resp_arg *argv = call->argv + 2;
	const struct command_row *row, *sub = NULL;
	int argc = (int)call->argc - 2, last;
	size_t n = 0;

	row = command_find(call->c, &argv[0], NULL);
	if (row != NULL && argc > 1 && command_has_subs(call->c, row))
		sub = command_find(call->c, &argv[0], &argv[1]);
	if (sub != NULL)
		row = sub;
	if (row == NULL) {
		reply_error(call->client, "ERR Invalid command specified");
		return;
	}
	if (row->first <= 0) {
		reply_error(call->client, "ERR The command has no key arguments");
		return;
	}
	if ((row->arity > 0 && argc != row->arity) || argc < -row->arity) {
		reply_error(call->client,
		    "ERR Invalid number of arguments specified for command");
		return;
	}
	last = row->last < 0 ? argc + row->last : row->last;
	reply_array_open(call->client);
	for (int i = row->first; i <= last && i < argc; i += row->step) {
		reply_bulk(call->client, argv[i].p, argv[i].len);
		n++;
	}
	reply_array_close(call->client, n);
}

/*
 * The manual
 */

/* TEXT as an mdoc line: no control line, no escapes. */
static void
print_mdoc(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

/* By group, as far as they do something; those that are refused share a sentence. */
void
command_man(FILE *out)
{
	for (unsigned g = 0; g < COMMAND_GROUPS; g++) {
		bool open = false;

		for (unsigned i = 0; i < command_row_count; i++) {
			const struct command_row *row = &command_rows[i];

			if (row->group != g || row->run == NULL)
				continue;
			if (!open)
				fprintf(out, ".Ss %s\n.Bl -tag -width 4n\n", group_names[g]);
			open = true;
			fputs(".It Ic \"", out);
			for (const char *p = row->name; *p != '\0'; p++)
				fputc(toupper((unsigned char)*p), out);
			if (row->sub != NULL)
				fputc(' ', out);
			for (const char *p = row->sub; p != NULL && *p != '\0'; p++)
				fputc(toupper((unsigned char)*p), out);
			fprintf(out, "\"%s", *row->args != '\0' ? " \"" : "");
			print_mdoc(out, row->args);
			fputs(*row->args != '\0' ? "\"\n" : "\n", out);
			print_mdoc(out, row->help);
			fputs("\n", out);
		}
		if (open)
			fputs(".El\n", out);
	}
}
