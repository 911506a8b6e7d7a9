/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_int.h -- between the files of the command room: the rows, one request being
 * answered, and jobs, which are requests whose answer takes longer than a call. Nobody
 * else includes it.
 */
#ifndef MCPROBE_COMMAND_INT_H
#define MCPROBE_COMMAND_INT_H

#include <string.h>
#include <sys/queue.h>

#include "alive.h"
#include "client.h"
#include "cloud.h"
#include "command.h"
#include "field.h"
#include "glob.h"
#include "keyname.h"
#include "server.h"
#include "template.h"

#define COMMAND_REDIS_VERSION "7.0.15" /* whose behaviour clients may expect */
#define COMMAND_ARGS_MAX 1000	       /* results of one TOP, pages, random picks */
#define COMMAND_FLOW_PREFIX "flow."
#define COMMAND_FLOW_FIELDS (2 * TEMPLATE_FIELDS_MAX)

enum command_group {
	COMMAND_GENERIC,
	COMMAND_STRING,
	COMMAND_LIST,
	COMMAND_SET,
	COMMAND_SORTED_SET,
	COMMAND_HASH,
	COMMAND_PUBSUB,
	COMMAND_TRANSACTIONS,
	COMMAND_CONNECTION,
	COMMAND_SERVER,
	COMMAND_SCRIPTING,
	COMMAND_HYPERLOGLOG,
	COMMAND_CLUSTER,
	COMMAND_GEO,
	COMMAND_STREAM,
	COMMAND_BITMAP,
	COMMAND_PROBE, /* no Redis has these */
	COMMAND_GROUPS
};

struct call;

/* Answers a request. Replies exactly once, or starts a job that will. */
typedef void command_fn(struct call *);

struct command_row {
	const char *name;  /* lower case */
	const char *sub;   /* of a subcommand; NULL: the command itself */
	int8_t arity;	   /* words of a request; -N: N or more */
	int8_t first, last, step; /* which of them are keys, as Redis counts; 0: none */
	uint8_t group;	   /* enum command_group */
	const char *flags; /* letters: see commands.def */
	const char *since; /* the Redis, or the mcprobe, that had it first */
	command_fn *run;   /* NULL: only has subcommands, or is always refused */
	const char *args;  /* for people and COMMAND DOCS */
	const char *help;
};

extern const struct command_row command_rows[];
extern const unsigned command_row_count;

/* One request. All borrowed while it is answered. */
struct call {
	struct commands *c;
	struct client *client;
	const struct command_row *row;
	const struct resp_arg *argv;
	unsigned argc;
	struct exec *exec; /* the EXEC it is part of, NULL: none */
	/* of keyed commands (flag k): what the key is, both NULL: there is none */
	const struct cloud_key *key;
	const struct alive_flow *flow;
};

struct cursors;

TAILQ_HEAD(job_list, job);

struct commands {
	struct commands_setup setup;
	struct server *server; /* borrowed; NULL: nobody is served */
	const struct command_row **sorted; /* owned: rows by name and subcommand */
	const struct field *flow_field[COMMAND_FLOW_FIELDS]; /* what a live flow shows */
	unsigned flow_fields;
	struct cursors *cursors; /* owned: of SCAN */
	struct job_list asking;	 /* jobs whose question was not taken yet, in order */
	struct event *ask;	 /* owned; pending while there are any */
	unsigned patience_ms;	 /* they wait so long at most */
	size_t gathered;	 /* bytes that answers of KEYS and SCAN take */
	uint64_t random;	 /* state of command_random() */
	char run_id[41];
	uint64_t rate_us, rate_commands, rate; /* commands per second, as INFO has it */
};

/* --- command.c --- */

/* NULL: no such row. SUB NULL: the command itself. Case does not matter. */
const struct command_row *command_find(const struct commands *, const struct resp_arg *name,
    const struct resp_arg *sub);
/* Has the row subcommands? */
bool	 command_has_subs(const struct commands *, const struct command_row *);
/* "config", "config|get" into BUF. */
size_t	 command_name(const struct command_row *, char *buf, size_t size);
static inline bool
command_is(const struct command_row *row, char flag)
{
	for (const char *p = row->flags; *p != '\0'; p++)
		if (*p == flag)
			return true;
	return false;
}
uint64_t command_random(struct commands *);
/* COUNT different numbers below N, COUNT <= N <= COMMAND_ARGS_MAX, into TO. */
void	 command_pick(struct commands *, unsigned n, unsigned count, unsigned *to);

/* Arguments. */
bool	 arg_is(const struct resp_arg *, const char *word); /* case does not matter */
bool	 arg_int(const struct resp_arg *, int64_t *);	    /* all of it is a number */
/* The same, and says so to the client: false then. */
bool	 arg_number(struct call *, unsigned i, int64_t *);
/* The count of HRANDFIELD and ZRANDMEMBER at argv[2]; PAIRS: half the range. */
bool	 arg_count(struct call *, bool pairs, int64_t *);
/* A pattern short enough? Else the client was told. */
bool	 arg_pattern(struct call *, const struct resp_arg *);
void	 reply_syntax(struct call *);
void	 reply_wrong_type(struct call *);

/* --- command_job.c --- */

/*
 * A request that waits for workers or for its next turn. A job is the first member of
 * what its command keeps; it is freed when it has ended or its client is gone. One at a
 * time per client.
 */
struct job;
struct job_ops {
	void (*turn)(struct job *); /* first in job_start(), then after job_again() */
	void (*found)(struct job *, const struct alive_flow *);
	void (*paged)(struct job *, const struct alive_name *, unsigned n, uint64_t next);
	void (*clear)(struct job *); /* what it owns besides itself; NULL: nothing */
};

struct job {
	const struct job_ops *ops;
	struct commands *c;
	struct client *client;
	struct exec *exec;
	struct event *timer; /* owned, NULL: none yet */
	uint64_t ticket;     /* of alive.h; 0: none */
	bool busy, ended, gone, waits;
	/* a question that waits for its place */
	TAILQ_ENTRY(job) link;
	bool asking;
	bool find; /* the flow of KEY, else the page at POSITION */
	struct flowkey key;
	uint64_t position;
	uint64_t until_us; /* monotonic */
};

/* SIZE bytes, zeroed, that begin with a job. NULL: the client was told. */
void	*job_new(struct call *, const struct job_ops *, size_t size);
/* Its first turn; then it may be gone: do not touch it. */
void	 job_start(struct job *);
/* From within its functions: it has replied. Returns after that. */
void	 job_end(struct job *);
/* Its next turn comes from the event loop, after MS. */
void	 job_again(struct job *, unsigned ms);
/*
 * Ask the workers; return after that. While too many questions are open it waits for a
 * place; if that takes longer than patience_ms the client is told and the job ends.
 */
void	 job_find(struct job *, const struct flowkey *);
void	 job_page(struct job *, uint64_t position);
/* What waits is asked for again from the loop. False: no memory. */
bool	 asking_open(struct commands *);
void	 asking_close(struct commands *); /* no job is left */

/* A name that can be a flow's: its canonical key. */
bool	 is_flow_name(const struct resp_arg *, struct flowkey *);
/* Run one command that passed all checks. */
void	 command_execute(struct call *);
/* A job that was part of EXEC has ended: go on. */
void	 exec_continue(struct exec *);
/* JOB begins, NULL: ended. */
void	 exec_wait(struct exec *, struct job *);

/* --- command_hash.c: one hash, of the tree or a live flow --- */

#define ITEM_TEXT_MAX 800 /* FIELD_TEXT_MAX fits */

struct item {
	const char *name;
	size_t name_len;
	const char *text;
	size_t len;
	char buf[ITEM_TEXT_MAX];
};

struct view {
	const struct call *call;
	unsigned n; /* fields */
	const struct field *field[COMMAND_FLOW_FIELDS]; /* of a flow: those it has */
};

/* False: neither a hash nor nothing; the client was told. Nothing has no fields. */
bool	 view_open(struct view *, struct call *);
void	 view_at(const struct view *, unsigned i, struct item *);
bool	 view_get(const struct view *, const struct resp_arg *name, struct item *);
/* A number as text, into BUF, or the text it has. */
void	 item_read(struct item *, const struct cloud_item *);
/* [MATCH pattern] [COUNT n] after the cursor at argv[2]. False: the client was told. */
bool	 scan_options(struct call *, const struct resp_arg **match);

/* --- others --- */

struct cursors *cursors_new(void);
void	 cursors_free(struct cursors *);

#define COMMAND(name, sub, arity, flags, first, last, step, group, since, fn, ...) \
	command_fn fn;
#define CONTAINER(...)
#define WRITE(...)
#include "commands.def"
#undef COMMAND
#undef CONTAINER
#undef WRITE

#endif
