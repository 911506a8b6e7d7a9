/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c -- the way of a packet: frame -> packet -> flow -> (ended) control.
 *
 * One turn of the loop reads at most a few hundred frames, takes back the records that
 * control is done with, and looks for commands; so a command waits a turn, never longer
 * than POLL_MS when there is no traffic. Frames are handled in batches: all are decoded
 * and their hash buckets fetched, then all are accounted.
 *
 * Files: nothing may be lost, a worker without room waits for control. Live: it drops
 * and counts, the interface does not wait.
 */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "deal.h"
#include "intake.h"
#include "log.h"
#include "trace.h"

#define TURN_FRAMES   512
#define POLL_MS	      100
#define LINGER_US     5000000 /* a closed connection's late packets still find it */
#define DPI_STATES    65536
#define LIVE_SWEEP    64   /* flows ended per packet by timeouts: bounds a turn */
#define WAIT_NS	      100000
#define COMMANDS      64
#define REOPEN_US     1000000

struct source {
	struct capture *capture; /* owned; NULL: not open */
	bool lost;		 /* the interface is away */
	uint64_t retry_us;	 /* monotonic: when to try again */
};

struct worker {
	const struct config *config; /* borrowed, as the next two */
	struct bell *control;
	struct deal *deal; /* NULL unless packets are dealt to this worker */
	unsigned id;
	struct source *source; /* owned; live */
	unsigned nsources;
	struct intake intake; /* live */
	struct trace *trace;  /* owned; the only worker of a file */
	struct flowtable *table; /* owned */
	struct dpi *dpi;	 /* owned; NULL: not wanted */
	struct counters counters;
	struct ring ended, home, commands;
	struct bell bell; /* rung by control */
	pthread_t thread;
	bool started;
	bool stopping;	 /* worker's own */
	bool put;	 /* ended flows were put since control was last told */
	/* read by control, atomically */
	enum worker_state state;
	uint64_t clock_us;
	uint32_t alive;
};

static void
worker_nap(void)
{
	struct timespec ts = {0, WAIT_NS};

	nanosleep(&ts, NULL);
}

static bool
worker_is_live(const struct worker *w)
{
	return w->config->live;
}

/*
 * Ended flows out, records home
 */
static bool
worker_take_home(struct worker *w)
{
	struct flow *f;
	bool any = false;

	while ((f = ring_get(&w->home)) != NULL) {
		flowtable_put(w->table, f);
		any = true;
	}
	return any;
}

static void
worker_tell_control(struct worker *w)
{
	if (w->put)
		bell_ring(w->control);
	w->put = false;
}

/* flowtable_end_cb */
static void
worker_end(void *arg, struct flow *f)
{
	struct worker *w = arg;

	if (!ring_put(&w->ended, f)) {
		if (worker_is_live(w) && !w->stopping) {
			counter_inc(&w->counters, COUNTER_RECORDS_LOST);
			counter_add(&w->counters, COUNTER_PACKETS_LOST,
			    f->packets[0] + f->packets[1]);
			flowtable_put(w->table, f);
			return;
		}
		counter_inc(&w->counters, COUNTER_RING_WAITS);
		/* let it drain by half: waking for every record would cost more */
		do {
			bell_ring(w->control);
			worker_nap();
		} while (ring_count(&w->ended) > w->ended.mask / 2);
		ring_put(&w->ended, f);
	}
	w->put = true;
}

/* flowtable_wait_cb */
static bool
worker_wait(void *arg)
{
	struct worker *w = arg;

	if (worker_take_home(w))
		return true;
	if (worker_is_live(w) && !w->stopping)
		return false;
	counter_inc(&w->counters, COUNTER_RING_WAITS);
	do {
		bell_ring(w->control);
		worker_nap();
	} while (!worker_take_home(w));
	return true;
}

/* flowtable_finish_cb */
static void
worker_finish_flow(void *arg, struct flow *f)
{
	struct worker *w = arg;

	if (w->dpi != NULL && !(f->flags & FLOW_DPI_DONE))
		dpi_finish(w->dpi, f);
	/* plugins' last word on a flow belongs here */
}

/*
 * Packets
 */
static void
worker_packet(struct worker *w, const struct packet *pkt, const struct flowkey *key,
    uint64_t hash, unsigned dir)
{
	struct flow *f = flowtable_packet(w->table, pkt, key, hash, dir);

	if (f == NULL) {
		counter_inc(&w->counters, COUNTER_DROP_NO_ROOM);
		return;
	}
	if (w->dpi != NULL && pkt->payload_len > 0 && !(f->flags & FLOW_DPI_DONE))
		dpi_packet(w->dpi, f, pkt, dir);
	/* plugins see the packet here; monitoring programs run after the flow update (here)
	   and after a plugin's event */
}

/* At most CAPTURE_BATCH packets. */
static void
worker_packets(struct worker *w, const struct packet *pkts, unsigned n)
{
	struct flowkey key[CAPTURE_BATCH];
	uint64_t hash[CAPTURE_BATCH];
	unsigned dir[CAPTURE_BATCH], i;

	for (i = 0; i < n; i++)
		dir[i] = flowtable_prepare(w->table, &pkts[i], &key[i], &hash[i]);
	for (i = 0; i < n; i++)
		flowtable_fetch(w->table, hash[i]);
	for (i = 0; i < n; i++)
		worker_packet(w, &pkts[i], &key[i], hash[i], dir[i]);
}

static void
worker_commands(struct worker *w)
{
	const struct worker_command *c;

	while ((c = ring_get(&w->commands)) != NULL)
		switch (c->kind) {
		case WORKER_STOP:
			w->stopping = true;
			break;
		}
}

/* Sleep at most MS, woken by control's bell. */
static void
worker_sleep(struct worker *w, int ms)
{
	struct pollfd p = {w->bell.fd, POLLIN, 0};

	bell_arm(&w->bell);
	worker_take_home(w);
	worker_commands(w);
	if (!w->stopping && poll(&p, 1, ms) < 0 && errno != EINTR)
		abort();
	bell_quiet(&w->bell);
	worker_commands(w);
}

/* Tell control how far this worker is. */
static void
worker_publish(struct worker *w)
{
	__atomic_store_n(&w->clock_us, flowtable_clock(w->table), __ATOMIC_RELAXED);
	__atomic_store_n(&w->alive, flowtable_count(w->table), __ATOMIC_RELAXED);
	worker_tell_control(w);
}

/*
 * Files
 */

/* trace_calls.packets */
static void
worker_trace_packets(void *arg, const struct packet *pkts, unsigned n)
{
	worker_packets(arg, pkts, n);
}

/* trace_calls.pause */
static bool
worker_pause(void *arg, uint64_t us)
{
	struct worker *w = arg;

	worker_publish(w);
	if (us >= 1000)
		worker_sleep(w, us > POLL_MS * 1000 ? POLL_MS : (int)(us / 1000));
	else
		worker_nap();
	return !w->stopping;
}

static void
worker_run_trace(struct worker *w)
{
	bool more = true;

	while (more && !w->stopping) {
		more = trace_read(w->trace);
		worker_take_home(w);
		worker_commands(w);
		worker_publish(w);
	}
}

/* The dealer is told to stop by control; what it has dealt is still accounted. */
static void
worker_run_dealt(struct worker *w)
{
	bool last = false;

	while (!last) {
		struct deal_batch *b = deal_get(w->deal, w->id);
		unsigned i, n;

		if (b == NULL) {
			bell_arm(&w->bell);
			b = deal_get(w->deal, w->id);
			if (b == NULL) {
				struct pollfd p = {w->bell.fd, POLLIN, 0};

				poll(&p, 1, POLL_MS);
				bell_quiet(&w->bell);
				continue;
			}
			bell_quiet(&w->bell);
		}
		for (i = 0; i < b->n; i += n) {
			n = b->n - i > CAPTURE_BATCH ? CAPTURE_BATCH : b->n - i;
			worker_packets(w, &b->pkt[i], n);
		}
		if (b->clock_us != 0)
			flowtable_expire(w->table, b->clock_us);
		last = b->last;
		deal_put(w->deal, w->id, b);
		worker_take_home(w);
		worker_commands(w);
		worker_publish(w);
	}
}

static void
worker_run_files(struct worker *w)
{
	if (w->deal != NULL)
		worker_run_dealt(w);
	else
		worker_run_trace(w);
	if (!w->config->stay)
		return;
	__atomic_store_n(&w->state, WORKER_HOLDING, __ATOMIC_RELEASE);
	bell_ring(w->control);
	while (!w->stopping)
		worker_sleep(w, 1000);
}

/*
 * Interfaces
 */

/* capture_sink */
static void
worker_frames(void *arg, const struct frame *frames, unsigned n)
{
	struct packet pkts[CAPTURE_BATCH];
	struct worker *w = arg;

	worker_packets(w, pkts, intake_packets(&w->intake, frames, n, pkts));
}

static void
worker_lose(struct worker *w, struct source *s)
{
	if (w->id == 0) /* once, not for every queue */
		log_warn("%s; trying again each second", capture_error(s->capture));
	counter_inc(&w->counters, COUNTER_IF_LOST);
	s->lost = true;
	s->retry_us = clock_us(CLOCK_MONOTONIC) + REOPEN_US;
}

static void
worker_reopen(struct worker *w, struct source *s)
{
	uint64_t now = clock_us(CLOCK_MONOTONIC);

	if (now < s->retry_us)
		return;
	s->retry_us = now + REOPEN_US;
	if (capture_reopen(s->capture) < 0)
		return;
	s->lost = false;
	counter_inc(&w->counters, COUNTER_IF_BACK);
	if (w->id == 0)
		log_info("%s is back", capture_name(s->capture));
}

/* Wait for frames, a command, or POLL_MS. */
static void
worker_poll(struct worker *w, struct pollfd *fds)
{
	unsigned i;

	for (i = 0; i < w->nsources; i++) {
		fds[i].fd = w->source[i].lost ? -1 : capture_fd(w->source[i].capture);
		fds[i].events = POLLIN;
	}
	fds[i].fd = w->bell.fd;
	fds[i].events = POLLIN;
	bell_arm(&w->bell);
	worker_commands(w);
	if (!w->stopping && poll(fds, i + 1, POLL_MS) < 0 && errno != EINTR)
		abort();
	bell_quiet(&w->bell);
}

static int
worker_read_sources(struct worker *w)
{
	int total = 0, n;
	unsigned i;

	for (i = 0; i < w->nsources; i++) {
		struct source *s = &w->source[i];

		if (s->lost) {
			worker_reopen(w, s);
			continue;
		}
		n = capture_read(s->capture, TURN_FRAMES, worker_frames, w);
		if (n < 0)
			worker_lose(w, s);
		else
			total += n;
	}
	return total;
}

static void
worker_drops(struct worker *w)
{
	struct capture_stats sum = {0}, st;
	unsigned i;

	for (i = 0; i < w->nsources; i++) {
		capture_stats(w->source[i].capture, &st);
		sum.dropped += st.dropped;
		sum.ifdropped += st.ifdropped;
	}
	counter_max(&w->counters, COUNTER_KERNEL_DROPS, sum.dropped);
	if (w->id == 0) /* the interface's own figure: every queue would tell the same */
		counter_max(&w->counters, COUNTER_IF_DROPS, sum.ifdropped);
}

/*
 * A signal came: what the kernel holds was on the wire before it. A block that is not
 * full comes out only after the read timeout.
 */
static void
worker_drain(struct worker *w)
{
	uint64_t end = clock_us(CLOCK_MONOTONIC) + 3 * POLL_MS * 1000 / 2;

	while (clock_us(CLOCK_MONOTONIC) < end) {
		if (worker_read_sources(w) == 0)
			worker_nap();
		worker_take_home(w);
	}
}

static void
worker_run_live(struct worker *w)
{
	struct pollfd fds[w->nsources + 1];
	uint64_t next_drops = 0, now;
	int n = 0;

	while (!w->stopping) {
		if (n == 0)
			worker_poll(w, fds);
		n = worker_read_sources(w);
		worker_take_home(w);
		worker_commands(w);
		now = clock_us(CLOCK_MONOTONIC);
		/* no packets: time goes on, less what the kernel may still hold back */
		if (n == 0)
			flowtable_expire(w->table,
			    clock_us(CLOCK_REALTIME) - 2 * POLL_MS * 1000);
		if (now >= next_drops) {
			worker_drops(w);
			next_drops = now + 1000000;
		}
		worker_publish(w);
	}
	worker_drain(w);
	worker_drops(w);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	if (worker_is_live(w))
		worker_run_live(w);
	else
		worker_run_files(w);
	w->stopping = true;
	flowtable_flush(w->table, FLOW_END_FORCED);
	worker_publish(w);
	__atomic_store_n(&w->state, WORKER_DONE, __ATOMIC_RELEASE);
	bell_ring(w->control);
	return NULL;
}

/*
 * Control's side
 */
static int
worker_make_table(struct worker *w, const struct worker_setup *s)
{
	const struct config *c = s->config;
	uint32_t max = (uint32_t)(c->max_flows / c->workers);
	uint32_t spare = max / 8 < 16384 ? 16384 : max / 8;
	struct flowtable_options opt = {
		.max = max < 16 ? 16 : max,
		.spare = spare,
		.details = max + spare,
		.serial_first = s->id + 1,
		.serial_step = (uint64_t)c->workers,
		.seed = s->seed,
		.idle_us = (uint64_t)c->idle_s * 1000000,
		.active_us = (uint64_t)c->lifetime_s * 1000000,
		.linger_us = LINGER_US,
		.parts = c->aggregation,
		.sweep = c->live ? LIVE_SWEEP : 0,
		.no_swap = c->no_swap,
		.account_l2 = c->account_l2,
		.statistics = s->statistics,
	};
	struct flowtable_calls calls = {worker_finish_flow, worker_end, worker_wait, w};

	w->table = flowtable_new(&opt, &calls, &w->counters);
	/* HOME holds every record there is: giving one back never fails */
	if (w->table == NULL || ring_init(&w->ended, spare) < 0 ||
	    ring_init(&w->home, opt.max + spare) < 0 || ring_init(&w->commands, COMMANDS) < 0)
		return -1;
	return 0;
}

static int
worker_init(struct worker *w, const struct worker_setup *s, char *err, size_t errlen)
{
	struct trace_calls calls = {worker_trace_packets, worker_pause, w};

	snprintf(err, errlen, "no memory for %d flows", s->config->max_flows);
	if (s->file != NULL) {
		w->trace = trace_new(s->config, s->files, s->file, s->seed, &w->counters,
		    &calls);
		if (w->trace == NULL)
			return -1;
	}
	if (bell_init(&w->bell) < 0 || worker_make_table(w, s) < 0)
		return -1;
	if (s->config->live &&
	    intake_init(&w->intake, s->config, s->seed, &w->counters) < 0)
		return -1;
	if (s->dpi && (w->dpi = dpi_new(DPI_STATES, &w->counters)) == NULL) {
		snprintf(err, errlen, "nDPI cannot be initialised");
		return -1;
	}
	return 0;
}

struct worker *
worker_new(const struct worker_setup *s, char *err, size_t errlen)
{
	struct worker *w = ring_calloc(1, sizeof(*w));
	unsigned i;

	if (w != NULL)
		w->source = calloc(s->nsources + 1, sizeof(*w->source));
	if (w == NULL || w->source == NULL) {
		for (i = 0; i < s->nsources; i++)
			capture_close(s->sources[i]);
		capture_close(s->file);
		free(w);
		snprintf(err, errlen, "no memory");
		return NULL;
	}
	w->nsources = s->nsources;
	for (i = 0; i < s->nsources; i++)
		w->source[i].capture = s->sources[i];
	w->config = s->config;
	w->control = s->control;
	w->deal = s->deal;
	w->id = s->id;
	w->bell.fd = -1;
	if (worker_init(w, s, err, errlen) < 0) {
		worker_free(w);
		return NULL;
	}
	return w;
}

int
worker_start(struct worker *w)
{
	char name[16];

	if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
		return -1;
	w->started = true;
	snprintf(name, sizeof(name), "worker/%u", w->id % 100);
	pthread_setname_np(w->thread, name);
	return 0;
}

void
worker_free(struct worker *w)
{
	unsigned i;

	if (w == NULL)
		return;
	if (w->started)
		pthread_join(w->thread, NULL);
	if (w->home.slot != NULL)
		worker_take_home(w);
	flowtable_free(w->table);
	dpi_free(w->dpi);
	trace_free(w->trace);
	intake_clear(&w->intake);
	for (i = 0; i < w->nsources; i++)
		capture_close(w->source[i].capture);
	ring_clear(&w->ended);
	ring_clear(&w->home);
	ring_clear(&w->commands);
	bell_clear(&w->bell);
	free(w->source);
	free(w);
}

struct flow *
worker_ended(struct worker *w)
{
	return ring_get(&w->ended);
}

void
worker_return(struct worker *w, struct flow *f)
{
	if (!ring_put(&w->home, f))
		abort(); /* HOME has room for every record */
}

void
worker_stop(struct worker *w)
{
	static struct worker_command stop = {WORKER_STOP};

	ring_put(&w->commands, &stop); /* full: a stop is in there already */
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
	return __atomic_load_n(&w->clock_us, __ATOMIC_RELAXED);
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
