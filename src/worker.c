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

#include "frag.h"
#include "log.h"

#define TURN_FRAMES   512
#define POLL_MS	      100
#define LINGER_US     5000000 /* a closed connection's late packets still find it */
#define FRAG_ENTRIES  16384
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
	const struct config *config; /* borrowed, as the next three */
	const struct strlist *files;
	struct bell *control;
	unsigned id;
	struct source *source; /* owned */
	unsigned nsources;
	unsigned file; /* which of FILES is open */
	struct decode decode;
	struct frag *frag;	 /* owned, as the next two */
	struct flowtable *table;
	struct dpi *dpi;	 /* NULL: not wanted */
	struct counters counters;
	struct ring ended, home, commands;
	struct bell bell; /* rung by control */
	pthread_t thread;
	bool started;
	bool stopping;	 /* worker's own */
	bool put;	 /* ended flows were put since control was last told */
	unsigned sample; /* packets since the last that was taken */
	uint64_t pace_first_us, pace_start_us; /* --speed: packet time, monotonic time */
	/* read by control, atomically */
	enum worker_state state;
	uint64_t clock_us, first_us, done, size;
	uint32_t alive;
	bool failed;
};

static uint64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
worker_nap(void)
{
	struct timespec ts = {0, WAIT_NS};

	nanosleep(&ts, NULL);
}

static bool
worker_is_live(const struct worker *w)
{
	return w->files == NULL;
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
		worker_packet(w, &pkts[i], &key[i], hash[i], dir[i]);
}

/* Systematic count-based sampling, RFC 5475 §5.1: every Nth packet. */
static bool
worker_samples(struct worker *w)
{
	if (w->config->sampling <= 1)
		return true;
	if (w->sample == 0) {
		w->sample = (unsigned)w->config->sampling - 1;
		return true;
	}
	w->sample--;
	counter_inc(&w->counters, COUNTER_DROP_SAMPLED);
	return false;
}

static void
worker_batch(struct worker *w, const struct frame *frames, unsigned n)
{
	struct packet pkts[CAPTURE_BATCH];
	unsigned i, m = 0;

	for (i = 0; i < n; i++) {
		enum counter why;

		counter_inc(&w->counters, COUNTER_PACKETS);
		counter_add(&w->counters, COUNTER_BYTES, frames[i].wirelen);
		if (frames[i].caplen < frames[i].wirelen)
			counter_inc(&w->counters, COUNTER_TRUNCATED);
		if (!worker_samples(w))
			continue;
		why = decode_frame(&w->decode, &frames[i], &pkts[m]);
		if (why == COUNTER_FLOW_PACKETS)
			m++;
		else
			counter_inc(&w->counters, why);
	}
	worker_packets(w, pkts, m);
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

/* --speed: wait until TS_US is due. */
static void
worker_pace(struct worker *w, uint64_t ts_us)
{
	uint64_t due, now = clock_us(CLOCK_MONOTONIC);

	if (w->pace_start_us == 0 || ts_us < w->pace_first_us) {
		w->pace_start_us = now;
		w->pace_first_us = ts_us;
		return;
	}
	due = w->pace_start_us +
	    (uint64_t)((double)(ts_us - w->pace_first_us) / w->config->speed);
	while (now < due && !w->stopping) {
		uint64_t ms = (due - now) / 1000;

		worker_publish(w);
		if (ms > 0)
			worker_sleep(w, ms > POLL_MS ? POLL_MS : (int)ms);
		else
			worker_nap();
		now = clock_us(CLOCK_MONOTONIC);
	}
}

/* capture_sink */
static void
worker_frames(void *arg, const struct frame *frames, unsigned n)
{
	struct worker *w = arg;
	unsigned i;

	if (w->first_us == 0 && n > 0)
		__atomic_store_n(&w->first_us, frames[0].ts_us ? frames[0].ts_us : 1,
		    __ATOMIC_RELEASE);
	if (w->config->speed <= 0) {
		worker_batch(w, frames, n);
		return;
	}
	for (i = 0; i < n && !w->stopping; i++) {
		worker_pace(w, frames[i].ts_us);
		worker_batch(w, &frames[i], 1);
	}
}

/*
 * Files
 */
static struct capture *
worker_next_file(struct worker *w)
{
	struct capture_options opt = {
		.filter = w->config->filter,
		.snaplen = w->config->snaplen,
	};
	struct capture *c;
	char err[512];

	while (++w->file < w->files->n) {
		const char *path = w->files->v[w->file];

		c = capture_open_file(path, &opt, err, sizeof(err));
		if (c != NULL && decode_knows_link(capture_link(c)))
			return c;
		if (c != NULL)
			snprintf(err, sizeof(err), "%s: link type %u is not supported", path,
			    capture_link(c));
		capture_close(c);
		log_error("%s", err);
		counter_inc(&w->counters, COUNTER_FILES_BAD);
		__atomic_store_n(&w->failed, true, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
worker_file_ends(struct worker *w, int status)
{
	struct source *s = &w->source[0];

	if (status == CAPTURE_EOF)
		counter_inc(&w->counters, COUNTER_FILES);
	else {
		log_warn("%s", capture_error(s->capture));
		counter_inc(&w->counters, COUNTER_FILES_BAD);
	}
	capture_close(s->capture);
	s->capture = worker_next_file(w);
}

static void
worker_run_files(struct worker *w)
{
	struct source *s = &w->source[0];
	uint64_t done, size;

	while (s->capture != NULL && !w->stopping) {
		int n = capture_read(s->capture, TURN_FRAMES, worker_frames, w);

		capture_progress(s->capture, &done, &size);
		__atomic_store_n(&w->done, done, __ATOMIC_RELAXED);
		__atomic_store_n(&w->size, size, __ATOMIC_RELAXED);
		worker_take_home(w);
		worker_commands(w);
		if (n < 0)
			worker_file_ends(w, n);
		worker_publish(w);
	}
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
static void
worker_lose(struct worker *w, struct source *s)
{
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
	/* what is in the ring already was on the wire before the signal */
	for (n = 0; n < 64 && worker_read_sources(w) > 0; n++)
		worker_take_home(w);
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
		.sweep = s->files == NULL ? LIVE_SWEEP : 0,
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

struct worker *
worker_new(const struct worker_setup *s, char *err, size_t errlen)
{
	struct worker *w = calloc(1, sizeof(*w));
	unsigned i;

	if (w != NULL)
		w->source = calloc(s->nsources, sizeof(*w->source));
	if (w == NULL || w->source == NULL) {
		for (i = 0; i < s->nsources; i++)
			capture_close(s->sources[i]);
		free(w);
		snprintf(err, errlen, "no memory");
		return NULL;
	}
	w->nsources = s->nsources;
	for (i = 0; i < s->nsources; i++)
		w->source[i].capture = s->sources[i];
	w->config = s->config;
	w->files = s->files;
	w->control = s->control;
	w->id = s->id;
	w->bell.fd = -1;
	w->frag = frag_new(FRAG_ENTRIES, s->seed, &w->counters);
	w->decode = (struct decode){s->config->tunnel, w->frag, &w->counters};
	if (w->frag == NULL || worker_make_table(w, s) < 0 || bell_init(&w->bell) < 0) {
		snprintf(err, errlen, "no memory for %d flows", s->config->max_flows);
		worker_free(w);
		return NULL;
	}
	if (s->dpi && (w->dpi = dpi_new(DPI_STATES, &w->counters)) == NULL) {
		snprintf(err, errlen, "nDPI cannot be initialised");
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
	frag_free(w->frag);
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
	if (w->started && worker_state(w) == WORKER_RUNNING && !worker_is_live(w))
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

uint64_t
worker_first(const struct worker *w)
{
	return __atomic_load_n(&w->first_us, __ATOMIC_ACQUIRE);
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

void
worker_progress(const struct worker *w, uint64_t *done, uint64_t *size)
{
	*done = __atomic_load_n(&w->done, __ATOMIC_RELAXED);
	*size = __atomic_load_n(&w->size, __ATOMIC_RELAXED);
}

bool
worker_failed(const struct worker *w)
{
	return __atomic_load_n(&w->failed, __ATOMIC_RELAXED);
}
