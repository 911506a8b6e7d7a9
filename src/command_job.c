/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_job.c -- requests whose answer needs workers, or more than one turn of the event
 * loop. A job runs in its functions only; whatever happens to its client meanwhile is
 * noted and done when the function has returned, so no job is freed under its own feet.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "command_int.h"

#define EXEC_US 2000
#define ASK_US 1000
#define PATIENCE_MS 10000

void *
job_new(struct call *call, const struct job_ops *ops, size_t size)
{
	struct job *j = calloc(1, size);

	if (j == NULL) {
		reply_error(call->client, "ERR out of memory");
		return NULL;
	}
	j->ops = ops;
	j->c = call->c;
	j->client = call->client;
	j->exec = call->exec;
	return j;
}

static void
job_free(struct job *j)
{
	if (j->ticket != 0)
		alive_forget(j->c->setup.alive, j->ticket);
	if (j->asking)
		TAILQ_REMOVE(&j->c->asking, j, link);
	if (j->timer != NULL)
		event_free(j->timer);
	if (j->ops->clear != NULL)
		j->ops->clear(j);
	free(j);
}

/* Its client is gone: do not reply any more. */
static void
job_gone(void *arg)
{
	struct job *j = arg;

	j->gone = true;
	if (!j->busy)
		job_free(j);
}

/* After one of its functions. */
static void
job_after(struct job *j)
{
	struct client *client = j->client;
	struct exec *exec = j->exec;
	bool waits = j->waits;

	j->busy = false;
	if (!j->gone && !j->ended)
		return;
	if (j->gone)
		waits = false;
	job_free(j);
	if (!waits)
		return;
	if (exec != NULL) {
		exec_wait(exec, NULL);
		exec_continue(exec);
	} else {
		client_done(client);
	}
}

/*
 * The first turn happens within the request: what is answered then never waits, or a
 * client with many such requests would be served by recursion.
 */
void
job_start(struct job *j)
{
	j->busy = true;
	j->ops->turn(j);
	if (!j->ended) {
		j->waits = true;
		if (j->exec != NULL)
			exec_wait(j->exec, j);
		else
			client_wait(j->client, job_gone, j);
	}
	job_after(j);
}

void
job_end(struct job *j)
{
	j->ended = true;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;

	(void)fd;
	(void)what;
	j->busy = true;
	j->ops->turn(j);
	job_after(j);
}

void
job_again(struct job *j, unsigned ms)
{
	const struct timeval when = {.tv_sec = 0, .tv_usec = ms * 1000};

	if (j->timer == NULL)
		j->timer = evtimer_new(j->c->setup.base, on_turn, j);
	if (j->timer == NULL || evtimer_add(j->timer, &when) == -1) {
		reply_error(j->client, "ERR out of memory");
		job_end(j);
	}
}

/*
 * Questions to the workers. Only so many may be open; who comes then waits in order, the
 * first are tried again each millisecond. A client has one job, so as many wait as there
 * are clients.
 */
static void
on_found(void *arg, const struct alive_flow *flow)
{
	struct job *j = arg;

	j->ticket = 0;
	j->busy = true;
	j->ops->found(j, flow);
	job_after(j);
}

static void
on_paged(void *arg, const struct alive_name *names, unsigned n, uint64_t next)
{
	struct job *j = arg;

	j->ticket = 0;
	j->busy = true;
	j->ops->paged(j, names, n, next);
	job_after(j);
}

/* False: too many are open. */
static bool
job_ask(struct job *j)
{
	struct alive *alive = j->c->setup.alive;

	if (j->find)
		j->ticket = alive_find(alive, &j->key, on_found, j);
	else
		j->ticket = alive_page(alive, j->position, on_paged, j);
	return j->ticket != 0;
}

/* At once, if nobody has waited for longer. */
static void
job_question(struct job *j)
{
	static const struct timeval tick = {0, ASK_US};
	struct commands *c = j->c;

	if (TAILQ_EMPTY(&c->asking)) {
		if (job_ask(j))
			return;
		if (event_add(c->ask, &tick) == -1) {
			reply_error(j->client, "ERR out of memory");
			job_end(j);
			return;
		}
	}
	j->until_us = clock_us(CLOCK_MONOTONIC) + c->patience_ms * UINT64_C(1000);
	j->asking = true;
	TAILQ_INSERT_TAIL(&c->asking, j, link);
}

void
job_find(struct job *j, const struct flowkey *key)
{
	j->find = true;
	j->key = *key;
	job_question(j);
}

void
job_page(struct job *j, uint64_t position)
{
	j->find = false;
	j->position = position;
	job_question(j);
}

static void
asking_remove(struct job *j)
{
	j->asking = false;
	TAILQ_REMOVE(&j->c->asking, j, link);
}

static void
on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct commands *c = arg;
	uint64_t now = clock_us(CLOCK_MONOTONIC);
	struct job *j;

	(void)fd;
	(void)what;
	while ((j = TAILQ_FIRST(&c->asking)) != NULL && job_ask(j))
		asking_remove(j);
	/* what follows in an EXEC may ask again, and stands behind then, with time left */
	while ((j = TAILQ_FIRST(&c->asking)) != NULL && now >= j->until_us) {
		asking_remove(j);
		j->busy = true;
		reply_error(j->client,
		    "ERR too many questions about live flows are open; try again");
		job_end(j);
		job_after(j);
	}
	if (TAILQ_EMPTY(&c->asking))
		event_del(c->ask);
}

bool
asking_open(struct commands *c)
{
	TAILQ_INIT(&c->asking);
	c->patience_ms = PATIENCE_MS;
	c->ask = event_new(c->setup.base, -1, EV_PERSIST, on_ask, c);
	return c->ask != NULL;
}

void
asking_close(struct commands *c)
{
	if (c->ask != NULL)
		event_free(c->ask);
}

/*
 * EXEC: the commands kept since MULTI, one after the other; one that waits holds the
 * rest, and so does a turn that took too long: others are served before the next.
 */
struct exec {
	struct commands *c;
	struct client *client;
	unsigned at;
	struct job *job; /* of the command that waits; NULL: none */
	struct event *timer; /* owned, NULL: none yet */
	bool waits, busy, gone;
};

static void
exec_free(struct exec *e)
{
	if (e->timer != NULL)
		event_free(e->timer);
	free(e);
}

void
exec_wait(struct exec *e, struct job *j)
{
	e->job = j;
}

static void
exec_gone(void *arg)
{
	struct exec *e = arg;

	e->gone = true;
	if (e->job != NULL)
		job_gone(e->job);
	e->job = NULL;
	if (!e->busy)
		exec_free(e);
}

static void
exec_next(struct exec *e)
{
	struct call call = {.c = e->c, .client = e->client, .exec = e};
	const struct resp_arg *sub;

	call.argv = client_multi_at(e->client, e->at++, &call.argc);
	sub = call.argc > 1 ? &call.argv[1] : NULL;
	call.row = command_find(e->c, &call.argv[0], NULL);
	if (sub != NULL && call.row != NULL && command_has_subs(e->c, call.row))
		call.row = command_find(e->c, &call.argv[0], sub);
	if (call.row == NULL) /* it was known when it was queued */
		abort();
	server_monitor(e->c->server, e->client, call.argv, call.argc);
	command_execute(&call);
}

static void
exec_waits(struct exec *e)
{
	if (!e->waits)
		client_wait(e->client, exec_gone, e);
	e->waits = true;
}

static void
on_exec(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	exec_continue(arg);
}

/* The rest in the next turn. False: no memory for that. */
static bool
exec_again(struct exec *e)
{
	static const struct timeval now = {0, 0};

	if (e->timer == NULL)
		e->timer = evtimer_new(e->c->setup.base, on_exec, e);
	if (e->timer == NULL || evtimer_add(e->timer, &now) == -1)
		return false;
	exec_waits(e);
	return true;
}

void
exec_continue(struct exec *e)
{
	uint64_t until = clock_us(CLOCK_MONOTONIC) + EXEC_US;
	struct client *client = e->client;
	bool waits, again = false;

	e->busy = true;
	while (!again && !e->gone && e->job == NULL &&
	    e->at < client_multi_count(client)) {
		exec_next(e);
		if (e->job != NULL)
			exec_waits(e);
		else if (clock_us(CLOCK_MONOTONIC) >= until)
			again = exec_again(e);
	}
	e->busy = false;
	if (e->job != NULL || again)
		return;
	waits = e->waits && !e->gone;
	if (!e->gone)
		client_multi_end(client);
	exec_free(e);
	if (waits)
		client_done(client);
}

void
cmd_exec(struct call *call)
{
	struct exec *e;

	if (!client_in_multi(call->client)) {
		reply_error(call->client, "ERR EXEC without MULTI");
		return;
	}
	if (client_multi_spoiled(call->client)) {
		client_multi_end(call->client);
		reply_error(call->client,
		    "EXECABORT Transaction discarded because of previous errors.");
		return;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		client_multi_end(call->client);
		reply_error(call->client, "ERR out of memory");
		return;
	}
	e->c = call->c;
	e->client = call->client;
	reply_array(call->client, client_multi_count(call->client));
	exec_continue(e);
}

/*
 * A keyed command about a flow: its words are kept until the workers have answered.
 */
struct flow_job {
	struct job job;
	const struct command_row *row;
	struct flowkey key;
	unsigned argc;
	struct resp_arg *argv; /* owned, with what they point at */
	char *bytes;
};

static void
flow_job_turn(struct job *j)
{
	job_find(j, &((struct flow_job *)j)->key);
}

static void
flow_job_found(struct job *j, const struct alive_flow *flow)
{
	struct flow_job *fj = (struct flow_job *)j;
	struct call call = {.c = j->c, .client = j->client, .row = fj->row,
		.argv = fj->argv, .argc = fj->argc, .exec = j->exec, .flow = flow};

	fj->row->run(&call);
	job_end(j);
}

static void
flow_job_clear(struct job *j)
{
	struct flow_job *fj = (struct flow_job *)j;

	free(fj->argv);
	free(fj->bytes);
}

static const struct job_ops flow_job_ops = {
    .turn = flow_job_turn,
    .found = flow_job_found,
    .clear = flow_job_clear,
};

static bool
keep_words(struct flow_job *fj, const struct call *call)
{
	size_t total = 0;
	char *p;

	for (unsigned i = 0; i < call->argc; i++)
		total += call->argv[i].len;
	fj->argv = calloc(call->argc, sizeof(*fj->argv));
	fj->bytes = p = malloc(total + 1);
	if (fj->argv == NULL || p == NULL)
		return false;
	for (unsigned i = 0; i < call->argc; i++) {
		if (call->argv[i].len > 0)
			memcpy(p, call->argv[i].p, call->argv[i].len);
		fj->argv[i] = (struct resp_arg){p, call->argv[i].len};
		p += call->argv[i].len;
	}
	fj->argc = call->argc;
	return true;
}

static void
run_on_flow(struct call *call, const struct flowkey *key)
{
	struct flow_job *fj = job_new(call, &flow_job_ops, sizeof(*fj));

	if (fj == NULL)
		return;
	fj->row = call->row;
	fj->key = *key;
	if (!keep_words(fj, call)) {
		reply_error(call->client, "ERR out of memory");
		job_free(&fj->job);
		return;
	}
	job_start(&fj->job);
}

bool
is_flow_name(const struct resp_arg *name, struct flowkey *key)
{
	const size_t len = sizeof(COMMAND_FLOW_PREFIX) - 1;

	return name->len > len && name->len < KEYNAME_FLOW &&
	    memcmp(name->p, COMMAND_FLOW_PREFIX, len) == 0 &&
	    keyname_read_flow(key, name->p, name->len) == 0;
}

void
command_execute(struct call *call)
{
	const struct resp_arg *name;
	struct flowkey key;

	if (command_is(call->row, 'k')) {
		name = &call->argv[call->row->first];
		call->key = cloud_find(call->c->setup.cloud, name->p, name->len);
		if (call->key == NULL && is_flow_name(name, &key)) {
			run_on_flow(call, &key);
			return;
		}
	}
	call->row->run(call);
}

/*
 * EXISTS: flows one after the other.
 */
struct exists_job {
	struct job job;
	struct flowkey *keys; /* owned */
	unsigned n, at;
	int64_t found;
};

static void
exists_turn(struct job *j)
{
	struct exists_job *ej = (struct exists_job *)j;

	if (ej->at == ej->n) {
		reply_int(j->client, ej->found);
		job_end(j);
	} else {
		job_find(j, &ej->keys[ej->at++]);
	}
}

static void
exists_found(struct job *j, const struct alive_flow *flow)
{
	((struct exists_job *)j)->found += flow != NULL;
	exists_turn(j);
}

static void
exists_clear(struct job *j)
{
	free(((struct exists_job *)j)->keys);
}

static const struct job_ops exists_ops = {
    .turn = exists_turn,
    .found = exists_found,
    .clear = exists_clear,
};

void
cmd_exists(struct call *call)
{
	struct exists_job *ej = job_new(call, &exists_ops, sizeof(*ej));

	if (ej == NULL)
		return;
	ej->keys = calloc(call->argc, sizeof(*ej->keys));
	if (ej->keys == NULL) {
		reply_error(call->client, "ERR out of memory");
		job_free(&ej->job);
		return;
	}
	for (unsigned i = 1; i < call->argc; i++) {
		const struct resp_arg *name = &call->argv[i];

		if (cloud_find(call->c->setup.cloud, name->p, name->len) != NULL)
			ej->found++;
		else if (is_flow_name(name, &ej->keys[ej->n]))
			ej->n++;
	}
	job_start(&ej->job);
}
