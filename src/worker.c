/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c -- the way of a packet: frame -> packet -> flow -> (ended) control.
 *
 * One turn of the loop reads at most a few hundred frames, takes back the records that
 * control is done with, answers questions within their budget, and tells of some flows;
 * so a question waits a turn or until it can be paid, never longer than POLL_MS when
 * there is no traffic. Frames are handled in batches: all are decoded and their hash
 * buckets fetched, then all are accounted.
 *
 * Files: nothing may be lost, a worker without room waits for control. Live: it drops
 * and counts, the interface does not wait.
 *
 * Longer than other files: what a turn does for each kind of input stands side by side.
 */
#include "worker_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "deal.h"
#include "heart.h"
#include "intake.h"
#include "log.h"
#include "trace.h"

#define TURN_FRAMES   512
#define POLL_MS	      100
#define BACK_LASTS_US 10000000 /* the kernel holds no packets for longer */
#define LINGER_US     5000000 /* a closed connection's late packets still find it */
#define DPI_STATES    65536
#define LIVE_SWEEP    64   /* flows ended per packet by timeouts: bounds a turn */
#define WAIT_NS	      100000
#define REOPEN_US     1000000
#define IDLE_SLICES   32 /* of a walk, in a turn without frames */
#define FOLLOW_MS     2	 /* who has got an answer asks the next question at once */
#define FOLLOW_MAX    64

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
 * Commands
 */
static uint64_t
worker_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Answer C if the budget allows it. Reads the table, changes nothing. */
static bool
worker_answers(struct worker *w, struct worker_command *c)
{
	uint64_t now = worker_cpu_ns();

	if (w->rested)
		live_rest(&w->live, now);
	w->rested = false;
	if (!live_may_answer(&w->live, now))
		return false;
	live_answer(&w->live, c);
	live_pay(&w->live, worker_cpu_ns() - now);
	ring_put(&w->answers, c); /* has room for all there are */
	return true;
}

/*
 * Take commands, which wait if the worker is BUSY and has no time to spare. Allowed
 * wherever no flow is being changed. True if something was answered.
 */
static bool
worker_commands(struct worker *w, bool busy)
{
	struct worker_command *c;
	bool any = false;

	heart_beat(w->heart, HEART_WORKER + w->id); /* every turn and every wait comes by */
	if (__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		w->stopping = true;
	if (!busy)
		w->rested = true;
	while ((c = w->waiting) != NULL || (c = ring_get(&w->commands)) != NULL) {
		w->waiting = NULL;
		if (!worker_answers(w, c)) {
			if (busy && !c->delayed)
				counter_inc(&w->counters, COUNTER_QUERY_DELAYS);
			c->delayed = busy || c->delayed;
			w->waiting = c;
			break;
		}
		any = true;
	}
	if (any)
		bell_ring(w->control);
	return any;
}

/*
 * Ended flows out, records home
 */
static void
worker_put(struct worker *w, struct flow *f)
{
	live_home(&w->live, f);
	if (w->plugins != NULL)
		plugin_flows_home(w->plugins, f);
	flowtable_put(w->table, f);
}

static bool
worker_take_home(struct worker *w)
{
	struct flow *f;
	bool any = false;

	while ((f = ring_get(&w->home)) != NULL) {
		struct flow *next = ring_peek(&w->home, FETCH_AHEAD);

		if (next != NULL)
			__builtin_prefetch(next, 1);
		worker_put(w, f);
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

/* Give control some time to take what fills a ring. */
static void
worker_yield(struct worker *w)
{
	bell_ring(w->control);
	worker_nap();
	worker_commands(w, false);
}

/* flowtable_end_cb */
static void
worker_end(void *arg, struct flow *f)
{
	struct worker *w = arg;

	live_ended(&w->live, f);
	if (!ring_put(&w->ended, f)) {
		if (worker_is_live(w) && !w->stopping && !w->patient) {
			counter_inc(&w->counters, COUNTER_RECORDS_LOST);
			counter_add(&w->counters, COUNTER_PACKETS_LOST,
			    f->packets[0] + f->packets[1]);
			worker_put(w, f);
			return;
		}
		counter_inc(&w->counters, COUNTER_RING_WAITS);
		/* let it drain by half: waking for every record would cost more */
		do
			worker_yield(w);
		while (ring_count(&w->ended) > w->ended.mask / 2);
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
	do
		worker_yield(w);
	while (!worker_take_home(w));
	return true;
}

/* flowtable_finish_cb */
static void
worker_finish_flow(void *arg, struct flow *f)
{
	struct worker *w = arg;

	if (w->dpi != NULL && !(f->flags & FLOW_DPI_DONE))
		dpi_finish(w->dpi, f);
}

/*
 * Packets
 */

/* F is new and somebody wants to know. */
static void
worker_tell_new(struct worker *w, const struct flow *f)
{
	while (!live_post_new(&w->live, f)) {
		if (worker_is_live(w)) {
			counter_inc(&w->counters, COUNTER_POSTS_LOST);
			return;
		}
		worker_yield(w);
	}
	w->put = true;
}

/* What a plugin has read in PKT may be enough. */
static void
worker_classify(struct worker *w, struct flow *f, const struct packet *pkt, unsigned dir)
{
	const struct dpi_claim *claim = NULL;

	if (w->claims)
		claim = plugin_flows_claim(w->plugins, f);
	if (claim == NULL || !dpi_claim(w->dpi, f, pkt, dir, claim))
		dpi_packet(w->dpi, f, pkt, dir, claim != NULL);
}

static void
worker_packet(struct worker *w, const struct packet *pkt, const struct flowkey *key,
    uint64_t hash, unsigned dir)
{
	struct flow *f = flowtable_packet(w->table, pkt, key, hash, dir);

	/* plugins saw the packet there */
	if (f == NULL) {
		counter_inc(&w->counters, COUNTER_DROP_NO_ROOM);
		return;
	}
	if (w->live.touched != NULL)
		live_touch(&w->live, f);
	if (w->dpi != NULL && pkt->payload_len > 0 && !(f->flags & FLOW_DPI_DONE))
		worker_classify(w, f, pkt, dir);
	if (live_wants_new(&w->live, f))
		worker_tell_new(w, f);
	/* monitoring programs run after the flow update (here) and after a plugin's event */
}

/* At most CAPTURE_BATCH packets. */
static void
worker_packets(struct worker *w, const struct packet *pkts, unsigned n)
{
	struct plugin_flows *plugins = w->plugins;
	struct flowkey key[CAPTURE_BATCH];
	uint64_t hash[CAPTURE_BATCH];
	unsigned dir[CAPTURE_BATCH], i;

	if (n == 0)
		return;
	flowtable_prepare_all(w->table, pkts, n, key, hash, dir);
	flowtable_fetch(w->table, hash, n);
	for (i = 0; i < n; i++) {
		if (plugins != NULL)
			plugin_flows_clock(plugins, pkts[i].ts_us);
		worker_packet(w, &pkts[i], &key[i], hash[i], dir[i]);
	}
}

/* No packet says so, but it is NOW_US. */
static void
worker_expire(struct worker *w, uint64_t now_us)
{
	if (w->plugins != NULL)
		plugin_flows_clock(w->plugins, now_us);
	flowtable_expire(w->table, now_us);
}

/* How long to sleep instead of MS: there may be work that only control's turn stops. */
static int
worker_sleep_ms(const struct worker *w, int ms)
{
	if (w->waiting != NULL || ms < 1)
		return 0;
	return w->live.walking ? 1 : ms;
}

/* Sleep at most MS, woken by control's bell. True if something was answered. */
static bool
worker_sleep(struct worker *w, int ms)
{
	struct pollfd p = {w->bell.fd, POLLIN, 0};
	bool any;

	bell_arm(&w->bell);
	worker_take_home(w);
	any = worker_commands(w, false);
	if (!w->stopping && poll(&p, 1, worker_sleep_ms(w, ms)) < 0 && errno != EINTR)
		abort();
	bell_quiet(&w->bell);
	return worker_commands(w, false) || any;
}

/* Tell of flows that live on: SLICES of a walk at most, if one is due or under way. */
static void
worker_walk(struct worker *w, unsigned slices)
{
	enum live_walk walk = LIVE_GOING;
	unsigned i;

	if (w->live.touched == NULL)
		return;
	live_due(&w->live, clock_us(CLOCK_MONOTONIC));
	for (i = 0; i < slices && walk == LIVE_GOING; i++)
		walk = live_slice(&w->live, &w->put);
	if (walk == LIVE_FULL)
		w->put = true; /* control must know, whoever filled it */
}

/* Tell control how far this worker is. */
static void
worker_publish(struct worker *w)
{
	__atomic_store_n(&w->clock_us, flowtable_clock(w->table), __ATOMIC_RELEASE);
	__atomic_store_n(&w->alive, flowtable_count(w->table), __ATOMIC_RELAXED);
	worker_tell_control(w);
}

/* What comes after the frames of a turn; BUSY: there were some. True if something was
 * answered. */
static bool
worker_turn(struct worker *w, bool busy)
{
	bool any;

	worker_take_home(w);
	any = worker_commands(w, busy);
	worker_walk(w, busy ? 1 : IDLE_SLICES);
	worker_publish(w);
	return any;
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

	worker_walk(w, 1);
	worker_publish(w);
	if (us >= 1000)
		worker_sleep(w, us > POLL_MS * 1000 ? POLL_MS : (int)(us / 1000));
	else {
		worker_nap();
		worker_commands(w, false);
	}
	return !w->stopping;
}

/*
 * The pipe is silent, and reading it takes POLL_MS: look for the next question of those
 * who just got an answer before.
 */
static void
worker_follow(struct worker *w)
{
	unsigned i;

	for (i = 0; i < FOLLOW_MAX && !w->stopping; i++)
		if (!worker_sleep(w, FOLLOW_MS))
			break;
}

static void
worker_run_trace(struct worker *w)
{
	uint64_t before = 0, done, size;
	bool more = true, any;

	while (more && !w->stopping) {
		more = trace_read(w->trace);
		trace_progress(w->trace, &done, &size);
		any = worker_turn(w, done != before);
		if (any && done == before)
			worker_follow(w);
		before = done;
	}
}

/* The next batch; NULL after POLL_MS, or when the bell was rung for something else. */
static struct deal_batch *
worker_deal(struct worker *w)
{
	struct deal_batch *b = deal_get(w->deal, w->id);
	struct pollfd p = {w->bell.fd, POLLIN, 0};

	if (b != NULL)
		return b;
	bell_arm(&w->bell);
	worker_turn(w, false);
	b = deal_get(w->deal, w->id);
	if (b == NULL)
		poll(&p, 1, worker_sleep_ms(w, POLL_MS));
	bell_quiet(&w->bell);
	return b;
}

/* The dealer is told to stop by control; what it has dealt is still accounted. */
static void
worker_run_dealt(struct worker *w)
{
	bool last = false;

	while (!last) {
		struct deal_batch *b = worker_deal(w);
		struct packet pkts[CAPTURE_BATCH];
		unsigned at = 0, n;

		if (b == NULL)
			continue;
		while ((n = deal_packets(b, &at, &w->intake, pkts)) > 0)
			worker_packets(w, pkts, n);
		if (b->clock_us != 0)
			worker_expire(w, b->clock_us);
		last = b->last;
		deal_put(w->deal, w->id, b);
		worker_turn(w, true);
	}
}

/* The file has ended, its flows stay: what they did since they were last told of. */
static void
worker_tell_all(struct worker *w)
{
	live_begin_last(&w->live);
	while (!w->stopping && w->live.walking) {
		worker_turn(w, false);
		if (w->live.walking)
			worker_yield(w);
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
	worker_tell_all(w);
	__atomic_store_n(&w->state, WORKER_HOLDING, __ATOMIC_RELEASE);
	bell_ring(w->control);
	while (!w->stopping)
		worker_sleep(w, 1000);
}

/*
 * Interfaces
 */

/* capture_sink */
/* The clock was set back, but these may have waited in the kernel since before. */
static void
worker_correct(const struct worker *w, struct packet *pkts, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (pkts[i].ts_us > w->wall_us + CLOCK_BACK_US)
			pkts[i].ts_us -= w->back_us;
}

static void
worker_frames(void *arg, const struct frame *frames, unsigned n)
{
	struct packet pkts[CAPTURE_BATCH];
	struct worker *w = arg;

	n = intake_packets(&w->intake, frames, n, pkts);
	if (w->back_us != 0)
		worker_correct(w, pkts, n);
	worker_packets(w, pkts, n);
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
	worker_commands(w, false);
	if (!w->stopping && poll(fds, i + 1, worker_sleep_ms(w, POLL_MS)) < 0 &&
	    errno != EINTR)
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

/*
 * The wall clock, which stamps the packets. The table's never goes back: were the wall
 * clock set back by a year, no flow would time out for a year. So that is the end of all
 * flows, and the table begins anew. Until control has taken them the kernel holds what
 * comes.
 */
static void
worker_wall(struct worker *w)
{
	uint64_t now = clock_us(CLOCK_REALTIME);

	if (w->back_us != 0 && clock_us(CLOCK_MONOTONIC) >= w->back_until_us)
		w->back_us = 0;

	if (now + CLOCK_BACK_US < w->wall_us) {
		if (w->id == 0)
			log_warn("the clock was set back by %.0f s: flows end, and are begun anew",
			    (double)(w->wall_us - now) / 1e6);
		counter_inc(&w->counters, COUNTER_CLOCK_BACK);
		w->back_us = w->wall_us - now;
		w->back_until_us = clock_us(CLOCK_MONOTONIC) + BACK_LASTS_US;
		w->patient = true;
		flowtable_rewind(w->table, now - 2 * POLL_MS * 1000);
		w->patient = false;
	}
	w->wall_us = now;
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
		worker_wall(w);
		n = worker_read_sources(w);
		now = clock_us(CLOCK_MONOTONIC);
		/* no packets: time goes on, less what the kernel may still hold back */
		if (n == 0)
			worker_expire(w, w->wall_us - 2 * POLL_MS * 1000);
		if (now >= next_drops) {
			worker_drops(w);
			next_drops = now + 1000000;
		}
		worker_turn(w, n > 0);
	}
	worker_drain(w);
	worker_drops(w);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	heart_beat(w->heart, HEART_WORKER + w->id);
	if (worker_is_live(w))
		worker_run_live(w);
	else
		worker_run_files(w);
	w->stopping = true;
	flowtable_flush(w->table, FLOW_END_FORCED);
	worker_publish(w);
	heart_rest(w->heart, HEART_WORKER + w->id);
	__atomic_store_n(&w->state, WORKER_DONE, __ATOMIC_RELEASE);
	bell_ring(w->control);
	return NULL;
}

/*
 * Making
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
		.no_l7 = !s->dpi,
		.no_swap = c->no_swap,
		.account_l2 = c->account_l2,
		.statistics = s->statistics,
	};
	struct flowtable_calls calls = {worker_finish_flow, worker_end, worker_wait, w};
	struct live_setup live = {
		.slots = opt.max + spare,
		.counters = &w->counters,
		.cloud = s->cloud,
		.dpi = s->dpi,
		.interval_us = s->cloud_interval_us,
		.finish = worker_finish_flow,
		.arg = w,
	};

	w->table = live.table = flowtable_new(&opt, &calls, &w->counters);
	/* HOME holds every record there is: giving one back never fails */
	if (w->table == NULL || ring_init(&w->ended, spare) < 0 ||
	    ring_init(&w->home, opt.max + spare) < 0 ||
	    ring_init(&w->commands, WORKER_COMMANDS) < 0 ||
	    ring_init(&w->answers, WORKER_COMMANDS) < 0)
		return -1;
	return live_init(&w->live, &live);
}

static int
worker_init(struct worker *w, const struct worker_setup *s, char *err, size_t errlen)
{
	struct trace_calls calls = {worker_trace_packets, NULL, worker_pause, w};

	snprintf(err, errlen, "no memory for %d flows", s->config->max_flows);
	if (s->file != NULL) {
		w->trace = trace_new(s->config, s->files, s->file, s->seed, &w->counters,
		    &calls);
		if (w->trace == NULL)
			return -1;
	}
	if (bell_init(&w->bell) < 0 || worker_make_table(w, s) < 0)
		return -1;
	if (s->deal != NULL)
		intake_plain(&w->intake, &w->counters);
	if (s->config->live &&
	    intake_init(&w->intake, s->config, s->seed, &w->counters) < 0)
		return -1;
	if (worker_make_plugins(w, s, err, errlen) < 0)
		return -1;
	if (s->dpi && (w->dpi = dpi_new(DPI_STATES, &w->counters, s->names)) == NULL) {
		snprintf(err, errlen, "nDPI cannot be initialised");
		return -1;
	}
	w->claims = w->plugins != NULL && w->dpi != NULL && !s->dpi_whole;
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
	w->heart = s->heart;
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
	/* else the table is freed with all there is: a million records need no look more */
	if (w->home.slot != NULL && w->plugins != NULL)
		worker_take_home(w);
	plugin_flows_free(w->plugins);
	plugin_splitter_free(w->splitter);
	flowtable_free(w->table);
	dpi_free(w->dpi);
	trace_free(w->trace);
	intake_clear(&w->intake);
	for (i = 0; i < w->nsources; i++)
		capture_close(w->source[i].capture);
	ring_clear(&w->ended);
	ring_clear(&w->home);
	ring_clear(&w->commands);
	ring_clear(&w->answers);
	live_clear(&w->live);
	bell_clear(&w->bell);
	free(w->source);
	free(w);
}
