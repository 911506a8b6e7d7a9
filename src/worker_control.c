/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_control.c -- the worker as control sees it: the other ends of its rings, and
 * what it publishes.
 */
#include <signal.h>
#include <stdlib.h>

#include "worker_int.h"

uint32_t
worker_ended_count(const struct worker *w)
{
	return ring_count(&w->ended);
}

uint64_t
worker_posts_end(const struct worker *w)
{
	return post_end(&w->live.post);
}

bool
worker_posts_before(const struct worker *w, uint64_t end)
{
	return post_before(&w->live.post, end);
}

bool
worker_post(struct worker *w, struct post_head *head, void *buf)
{
	return post_get(&w->live.post, head, buf);
}

const void *
worker_post_peek(struct worker *w, struct post_head *head, void *buf)
{
	return post_peek(&w->live.post, head, buf);
}

void
worker_post_next(struct worker *w, const struct post_head *head)
{
	post_next(&w->live.post, head);
}

struct flow *
worker_ended(struct worker *w)
{
	struct flow *next = ring_peek(&w->ended, FETCH_AHEAD);

	if (next != NULL) /* written on another core, or long ago */
		flow_fetch(next);
	return ring_get(&w->ended);
}

const struct flow_told *
worker_told(const struct worker *w, const struct flow *f)
{
	return live_told(&w->live, f);
}

const void *
worker_plugin_fields(const struct worker *w, const struct flow *f,
    const struct mc_plugin **plugin)
{
	return w->plugins != NULL ? plugin_flows_fields(w->plugins, f, plugin) : NULL;
}

void
worker_return(struct worker *w, struct flow *f)
{
	if (!ring_put(&w->home, f))
		abort(); /* HOME has room for every record */
}

void
worker_ask(struct worker *w, struct worker_command *c)
{
	if (!ring_put(&w->commands, c))
		abort(); /* more than WORKER_COMMANDS are out */
	bell_ring(&w->bell);
	if (worker_state(w) == WORKER_DONE)
		bell_ring(w->control); /* nobody else will */
}

struct worker_command *
worker_answer(struct worker *w)
{
	struct worker_command *c = ring_get(&w->answers);

	if (c != NULL || worker_state(w) != WORKER_DONE)
		return c;
	c = ring_get(&w->answers); /* put before DONE was seen */
	if (c != NULL)
		return c;
	/* the thread takes no more commands: they are ours again */
	c = w->waiting;
	w->waiting = NULL;
	return c != NULL ? c : ring_get(&w->commands);
}

void
worker_want_new(struct worker *w, bool want)
{
	__atomic_store_n(&w->live.want_new, want, __ATOMIC_RELAXED);
}

void
worker_stop(struct worker *w)
{
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	bell_ring(&w->bell);
	/* a worker that reads a pipe sits in read(2) */
	if (w->started && w->trace != NULL && worker_state(w) == WORKER_RUNNING)
		pthread_kill(w->thread, SIGUSR2);
}

enum worker_state
worker_state(const struct worker *w)
{
	return __atomic_load_n(&w->state, __ATOMIC_ACQUIRE);
}

uint64_t
worker_clock(const struct worker *w)
{
	return __atomic_load_n(&w->clock_us, __ATOMIC_ACQUIRE);
}

const struct trace *
worker_trace(const struct worker *w)
{
	return w->trace;
}

struct bell *
worker_bell(struct worker *w)
{
	return &w->bell;
}

const struct counters *
worker_counters(const struct worker *w)
{
	return &w->counters;
}

uint32_t
worker_alive(const struct worker *w)
{
	return __atomic_load_n(&w->alive, __ATOMIC_RELAXED);
}
