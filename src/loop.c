/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c -- one libevent loop. The workers' bell wakes it; a turn takes flows for a few
 * milliseconds, so that signals and sockets never wait for a long queue.
 *
 * Files wait for a TCP collector that takes what it gets, and so does the end, for a
 * while: the flows stay in the rings until its queue has room. Live it must take what
 * comes.
 *
 * The export clock: live it is the wall clock; for a file it is the packet time of the
 * flows as they end, so that a run of the same file is the same run, byte for byte.
 */
#include "loop.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "deal.h"
#include "export.h"
#include "heart.h"
#include "log.h"
#include "report.h"
#include "ring.h"
#include "share.h"
#include "trace.h"
#include "user.h"
#include "worker.h"

#define TURN_US	      4000
#define BURST	      64 /* of one worker */
#define TICK_MS	      100
#define SECOND_TICKS  10
#define REPORT_TICKS  300 /* -b: each 30 s */
#define DRAIN_TICKS   50  /* after a file TCP collectors have 5 s to take the rest */
#define STOP_TICKS    15  /* after a signal 1.5 s, counted from it, */
#define STOP_LEAST    3	  /* but 0.3 s in any case */
#define STOP_NODES    20  /* nodes 2 s, */
#define NODES_LEAST   5	  /* but 0.5 s after the last flow */
#define HOLD_US	      1000
#define SIGNALS	      5
#define STOP_SIGNALS  3 /* the first of them end the probe */

static const int loop_signal[SIGNALS] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1};

/*
 * What a handler of signals needs, which gets no argument. It does not go through the
 * loop: the second signal must end the probe though the loop is stuck, in a pipe that
 * nobody reads.
 */
static struct {
	volatile sig_atomic_t count;
	volatile sig_atomic_t supervisor; /* only his are counted; 0: everybody's */
	int fd; /* eventfd the loop reads */
} loop_stops = {0, 0, -1};

enum loop_phase {
	LOOP_RUNNING,
	LOOP_STOPPING, /* a signal came: the workers hand over what they have */
	LOOP_DRAINING, /* the workers are done: the sockets may still have to */
};

/*
 * What may be taken of a worker: flows that had ended when its posts went as far as
 * POSTS, once these are taken. More posts do not put the flows off: a subscriber to
 * news of flows must not cost the flows themselves.
 */
struct round {
	uint32_t ended;
	uint64_t posts;
	uint64_t taken_us; /* packet time: what happened before that was taken */
};

struct loop {
	const struct loop_setup *s;
	struct round *round; /* by worker, owned */
	enum loop_phase phase;
	bool signalled;
	bool held; /* --stay: the end of the file was exported */
	unsigned next; /* worker to look at first */
	unsigned ticks;
	unsigned drain_ticks, node_ticks; /* left for collectors, for nodes */
	uint64_t clock_us; /* of the export, files */
	uint64_t start_us; /* monotonic */
	uint64_t packets;  /* read at the last tick, */
	unsigned quiet_ticks; /* and for how long that has not changed */
	bool progress;
	struct event *bell, *tick, *resume, *stop, *signal[SIGNALS];
};

static bool loop_take_flows(struct loop *);

static void
loop_sum(const struct loop *l, struct counters *sum, uint32_t *alive)
{
	unsigned i;

	l->s->sum(l->s->arg, sum);
	*alive = 0;
	for (i = 0; i < l->s->nworkers; i++)
		*alive += worker_alive(l->s->workers[i]);
}

/*
 * The clock
 */
static void
loop_clock(struct loop *l, uint64_t us)
{
	uint64_t first;

	if (l->clock_us == 0 && !l->s->config->live) {
		/* uptimes count from the first packet */
		first = trace_first(l->s->trace);
		if (first == 0)
			return; /* nothing was read yet */
		export_clock(l->s->export, first);
		l->clock_us = first;
	}
	if (us > l->clock_us) {
		l->clock_us = us;
		export_clock(l->s->export, us);
	}
}

/*
 * The wall clock was set back to US: once the workers have seen it, and what ended by the
 * old clock is exported, ours begins anew too.
 */
static void
loop_rewind(struct loop *l, uint64_t us)
{
	unsigned i;

	for (i = 0; i < l->s->nworkers; i++)
		if (worker_clock(l->s->workers[i]) > us)
			return;
	if (loop_take_flows(l))
		return;
	export_rewind(l->s->export, us);
	l->clock_us = us;
}

static void
loop_wall_clock(struct loop *l)
{
	uint64_t us = clock_us(CLOCK_REALTIME);

	if (us + CLOCK_BACK_US < l->clock_us)
		loop_rewind(l, us);
	loop_clock(l, us);
}

/* What is replayed at a pace, or comes through a pipe, has a clock that goes on while no
 * flow ends. */
static void
loop_tick_clock(struct loop *l)
{
	const struct config *c = l->s->config;
	uint64_t us = UINT64_MAX, w;
	unsigned i;

	if (c->live) {
		loop_wall_clock(l);
		return;
	}
	if (c->speed <= 0 && !(c->interfaces.n > 0 && strcmp(c->interfaces.v[0], "-") == 0))
		return;
	for (i = 0; i < l->s->nworkers; i++)
		if ((w = worker_clock(l->s->workers[i])) < us)
			us = w;
	if (us != 0 && us != UINT64_MAX)
		loop_clock(l, us);
}

/* Plugins' clock: that of the packets, of the worker that is behind. */
static void
loop_packet_clock(struct loop *l)
{
	uint64_t us = UINT64_MAX, w;
	unsigned i;

	for (i = 0; i < l->s->nworkers; i++)
		if ((w = worker_clock(l->s->workers[i])) < us)
			us = w;
	if (us != 0 && us != UINT64_MAX)
		share_clock(l->s->share, us);
}

/* The clock of users: of what was taken of the worker that is behind. */
static void
loop_taken_clock(struct loop *l)
{
	uint64_t us = UINT64_MAX;
	unsigned i;

	for (i = 0; i < l->s->nworkers; i++)
		if (l->round[i].taken_us < us)
			us = l->round[i].taken_us;
	share_taken(l->s->share, us);
}

/*
 * Flows
 */

/* Leave the flows where they are, because a collector is busy? */
static bool
loop_holds(const struct loop *l)
{
	bool may = l->phase == LOOP_RUNNING
	    ? !l->s->config->live
	    : l->phase == LOOP_STOPPING && l->drain_ticks > STOP_LEAST;

	return may &&
	    (export_busy(l->s->export) || users_busy(share_users(l->s->share)));
}

/* users_leave: F is exported, and goes home. */
static void
loop_leave(void *arg, void *worker, struct flow *f, const struct user_names *names)
{
	const struct mc_plugin *plugin = NULL;
	struct loop *l = arg;
	const void *fields;

	if (!l->s->config->live)
		loop_clock(l, f->ended_us);
	fields = worker_plugin_fields(worker, f, &plugin);
	export_user(l->s->export, names->flow);
	export_flow_plugin(l->s->export, f, plugin, fields);
	export_user(l->s->export, NULL);
	share_ended(l->s->share, worker, f, plugin, fields, names);
	worker_return(worker, f);
}

/*
 * Take at most BURST flows from worker I, but first what it told of them while they
 * lived. False: it has nothing.
 */
static bool
loop_take_worker(struct loop *l, unsigned i)
{
	struct worker *w = l->s->workers[i];
	struct round *r = &l->round[i];
	uint64_t clock = worker_clock(w);
	struct flow *f;
	unsigned posts, n;

	if (r->ended == 0) {
		r->ended = worker_ended_count(w);
		r->posts = worker_posts_end(w);
	}
	posts = share_posts(l->s->share, w, r->posts);
	if (posts == SHARE_POSTS)
		return true;
	for (n = 0; r->ended > 0 && n < BURST && (f = worker_ended(w)) != NULL; n++) {
		r->ended--;
		r->taken_us = f->ended_us;
		users_ended(share_users(l->s->share), w, f);
	}
	if (posts == 0 && n == 0)
		r->taken_us = clock;
	return posts > 0 || n > 0;
}

/* Take flows for TURN_US, fairly. True if there may be more. */
static bool
loop_take_flows(struct loop *l)
{
	uint64_t until = clock_us(CLOCK_MONOTONIC) + TURN_US;
	unsigned idle = 0;

	while (idle < l->s->nworkers) {
		if (loop_holds(l) || clock_us(CLOCK_MONOTONIC) >= until)
			return true;
		idle = loop_take_worker(l, l->next) ? 0 : idle + 1;
		l->next = (l->next + 1) % l->s->nworkers;
	}
	return false;
}

static bool
loop_all(const struct loop *l, enum worker_state state)
{
	unsigned i;

	for (i = 0; i < l->s->nworkers; i++)
		if (worker_state(l->s->workers[i]) != state)
			return false;
	return true;
}

/* End when everything was taken, or who has not taken it had its time. */
static void
loop_settle(struct loop *l)
{
	if ((export_pending(l->s->export) == 0 || l->drain_ticks == 0) &&
	    (share_settled(l->s->share) || l->node_ticks == 0))
		event_base_loopbreak(l->s->base);
}

/* See how far the workers are, after their flows were taken. True if there are more. */
static bool
loop_advance(struct loop *l)
{
	if (l->phase == LOOP_DRAINING)
		return false;
	if (!l->held && l->s->config->stay && loop_all(l, WORKER_HOLDING)) {
		/* as below: what was put before that was read */
		if (loop_take_flows(l))
			return true;
		l->held = true;
		export_flush(l->s->export);
	}
	if (!loop_all(l, WORKER_DONE))
		return false;
	/* what was put before DONE was read is in the rings: take that too */
	if (loop_take_flows(l))
		return true;
	/* those that wait for their users' names leave soon: the tick looks again */
	if (users_waiting(share_users(l->s->share)) > 0)
		return false;
	export_flush(l->s->export);
	loop_packet_clock(l);
	share_drain(l->s->share);
	l->phase = LOOP_DRAINING;
	if (!l->signalled) {
		l->drain_ticks = DRAIN_TICKS;
		l->node_ticks = (unsigned)l->s->config->drain_s * SECOND_TICKS;
	}
	loop_settle(l);
	return false;
}

static void
on_bell(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval hold = {0, HOLD_US}, now = {0, 0};
	struct loop *l = arg;
	bool more;

	(void)fd;
	(void)what;
	bell_quiet(l->s->bell);
	more = share_answers(l->s->share);
	if (loop_holds(l)) {
		event_add(l->resume, more ? &now : &hold);
		return;
	}
	more = loop_take_flows(l) || more;
	if (!more) {
		bell_arm(l->s->bell);
		/* a worker may have put one before it saw the bell armed */
		more = loop_take_flows(l);
		more = share_answers(l->s->share) || more;
	}
	if (!more)
		more = loop_advance(l);
	/* a timer, though it is due: an event that activates itself runs again before
	   the loop looks at sockets, signals and the tick */
	if (more)
		event_add(l->resume, &now);
}

/* The workers are done and ring no more: has what waited left by now? */
static void
loop_look(struct loop *l)
{
	if (l->phase != LOOP_DRAINING && loop_all(l, WORKER_DONE))
		event_active(l->bell, EV_READ, 0);
}

/*
 * Time
 */
static void
loop_progress(struct loop *l, bool last)
{
	uint64_t done = 0, size = 0;
	struct counters sum;
	uint32_t alive;

	if (!l->progress)
		return;
	loop_sum(l, &sum, &alive);
	trace_progress(l->s->trace, &done, &size);
	report_progress(stderr, done, size, sum.v[COUNTER_PACKETS],
	    (double)(clock_us(CLOCK_MONOTONIC) - l->start_us) / 1e6);
	if (last) {
		fputc('\n', stderr);
		l->progress = false;
	}
}

/* The input is a pipe that is silent: what has ended goes out by --queue-timeout. */
static void
loop_quiet(struct loop *l)
{
	struct counters sum;
	uint32_t alive;

	if (l->s->config->live || l->phase != LOOP_RUNNING)
		return;
	loop_sum(l, &sum, &alive);
	if (sum.v[COUNTER_PACKETS] != l->packets) {
		l->packets = sum.v[COUNTER_PACKETS];
		l->quiet_ticks = 0;
	} else if (++l->quiet_ticks == (unsigned)l->s->config->queue_s * SECOND_TICKS)
		export_flush(l->s->export);
}

static void
loop_statistics(struct loop *l)
{
	struct counters sum;
	uint32_t alive;

	loop_sum(l, &sum, &alive);
	report_log(&sum, alive);
	export_report(l->s->export);
}

/* An interface that was deleted and made again has another number. */
static void
loop_check_ports(struct loop *l)
{
	bool changed = false;
	uint32_t index;
	unsigned i;

	for (i = 0; i < l->s->nports; i++) {
		index = if_nametoindex(l->s->ports[i].name);
		if (index != 0 && index != l->s->ports[i].index) {
			l->s->ports[i].index = index;
			changed = true;
		}
	}
	if (changed)
		export_ports_changed(l->s->export);
}

static void
loop_stop_readers(struct loop *l)
{
	unsigned i;

	if (l->s->deal != NULL)
		deal_stop(l->s->deal);
	for (i = 0; i < l->s->nworkers; i++)
		worker_stop(l->s->workers[i]);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	heart_beat(l->s->heart, HEART_CONTROL);
	l->ticks++;
	loop_tick_clock(l);
	loop_packet_clock(l);
	loop_taken_clock(l);
	share_tick(l->s->share, l->held);
	loop_quiet(l);
	loop_look(l);
	if (l->ticks % 2 == 0)
		loop_progress(l, false);
	if (l->s->config->live && l->ticks % SECOND_TICKS == 0)
		loop_check_ports(l);
	if (l->s->config->verbose > 0 && l->ticks % REPORT_TICKS == 0)
		loop_statistics(l);
	if (l->phase == LOOP_STOPPING) {
		loop_stop_readers(l); /* one in read(2) may have missed the first */
		if (l->drain_ticks > STOP_LEAST)
			l->drain_ticks--;
		if (l->node_ticks > NODES_LEAST)
			l->node_ticks--;
	}
	if (l->phase == LOOP_DRAINING) {
		loop_settle(l);
		if (l->drain_ticks > 0)
			l->drain_ticks--;
		if (l->node_ticks > 0)
			l->node_ticks--;
	}
}

/*
 * Signals
 */
static void
stop_handler(int sig, siginfo_t *info, void *context)
{
	static const uint64_t one = 1;
	int saved = errno;
	ssize_t n;

	(void)sig;
	(void)context;
	if ((loop_stops.supervisor == 0 || info->si_pid == loop_stops.supervisor) &&
	    loop_stops.count++ > 0)
		_exit(1);
	n = write(loop_stops.fd, &one, sizeof(one));
	(void)n;
	errno = saved;
}

static void
loop_stop(struct loop *l)
{
	if (l->signalled)
		return;
	l->signalled = true;
	if (l->phase != LOOP_RUNNING) {
		if (l->drain_ticks > STOP_TICKS)
			l->drain_ticks = STOP_TICKS;
		if (l->node_ticks > STOP_NODES)
			l->node_ticks = STOP_NODES;
		return;
	}
	l->phase = LOOP_STOPPING;
	l->drain_ticks = STOP_TICKS;
	l->node_ticks = STOP_NODES;
	loop_stop_readers(l);
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct loop *l = arg;

	(void)what;
	if (sig == SIGUSR1) {
		loop_statistics(l);
		return;
	}
	log_reopen();
	export_reopen(l->s->export);
	share_reopen(l->s->share);
	log_info("files and logs opened again");
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	loop_stop(arg);
}

static int
loop_signals(struct loop *l)
{
	struct sigaction sa = {.sa_sigaction = stop_handler, .sa_flags = SA_SIGINFO};
	int i;

	loop_stops.count = 0;
	loop_stops.supervisor = heart_supervisor(l->s->heart);
	loop_stops.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop_stops.fd < 0)
		return -1;
	l->stop = event_new(l->s->base, loop_stops.fd, EV_READ, on_stop, l);
	if (l->stop == NULL || event_add(l->stop, NULL) < 0)
		return -1;
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < STOP_SIGNALS; i++)
		sigaction(loop_signal[i], &sa, NULL);
	for (; i < SIGNALS; i++) {
		l->signal[i] = evsignal_new(l->s->base, loop_signal[i], on_signal, l);
		if (l->signal[i] == NULL || event_add(l->signal[i], NULL) < 0)
			return -1;
	}
	return 0;
}

static int
loop_events(struct loop *l)
{
	struct timeval tick = {0, TICK_MS * 1000};
	struct event_base *base = l->s->base;

	l->bell = event_new(base, l->s->bell->fd, EV_READ | EV_PERSIST, on_bell, l);
	l->tick = event_new(base, -1, EV_PERSIST, on_tick, l);
	l->resume = evtimer_new(base, on_bell, l);
	if (l->bell == NULL || l->tick == NULL || l->resume == NULL ||
	    event_add(l->bell, NULL) < 0 || event_add(l->tick, &tick) < 0)
		return -1;
	return loop_signals(l);
}

static void
loop_clear(struct loop *l)
{
	int i;

	if (l->bell != NULL)
		event_free(l->bell);
	if (l->tick != NULL)
		event_free(l->tick);
	if (l->resume != NULL)
		event_free(l->resume);
	if (l->stop != NULL)
		event_free(l->stop);
	/* FD stays: a handler may still run */
	for (i = 0; i < SIGNALS; i++)
		if (l->signal[i] != NULL)
			event_free(l->signal[i]);
}

/* Those from the FIRST on. */
static void
loop_mask(int how, int first)
{
	sigset_t set;
	int i;

	sigemptyset(&set);
	for (i = first; i < SIGNALS; i++)
		sigaddset(&set, loop_signal[i]);
	pthread_sigmask(how, &set, NULL);
}

void
loop_hold_requests(void)
{
	loop_mask(SIG_BLOCK, STOP_SIGNALS);
}

void
loop_hold_signals(void)
{
	loop_mask(SIG_BLOCK, 0);
}

int
loop_run(const struct loop_setup *s)
{
	struct loop l = {.s = s};
	int rc = -1;

	l.start_us = clock_us(CLOCK_MONOTONIC);
	l.progress = s->config->progress && !s->config->live && isatty(STDERR_FILENO);
	l.round = calloc(s->nworkers, sizeof(*l.round));
	users_on_leave(share_users(s->share), loop_leave, &l);
	if (l.round != NULL && loop_events(&l) == 0 && s->start(s->arg) == 0) {
		loop_mask(SIG_UNBLOCK, 0);
		event_active(l.bell, EV_READ, 0); /* arms it */
		heart_beat(s->heart, HEART_CONTROL);
		rc = event_base_dispatch(s->base) < 0 ? -1 : 0;
		heart_rest(s->heart, HEART_CONTROL);
		loop_progress(&l, true);
	}
	loop_hold_requests(); /* nobody is there for them any more */
	loop_clear(&l);
	free(l.round);
	return rc;
}
