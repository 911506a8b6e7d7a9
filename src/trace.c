/* SPDX-License-Identifier: BSD-3-Clause */
/* trace.c -- capture files in a row, paced and decoded. */
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "intake.h"
#include "log.h"

#define TURN_FRAMES 512

struct trace {
	const struct config *config;   /* borrowed */
	const struct strlist *files;   /* borrowed */
	struct capture *capture;       /* owned; NULL at the end */
	unsigned file;		       /* which of FILES is open */
	struct intake intake;
	struct blocks *blocks; /* borrowed; NULL: frames are nobody else's */
	struct counters *counters;
	struct trace_calls call;
	uint64_t pace_ts_us, pace_us; /* --speed: packet time, monotonic time */
	bool stopped;
	/* read by other threads, atomically */
	uint64_t first_us, done, size;
	bool failed;
};

struct trace *
trace_new(const struct config *config, const struct strlist *files,
    struct capture *first, uint64_t seed, struct counters *counters,
    const struct trace_calls *call)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		capture_close(first);
		return NULL;
	}
	t->config = config;
	t->files = files;
	t->capture = first;
	t->counters = counters;
	t->call = *call;
	if (intake_init(&t->intake, config, seed, counters) < 0) {
		trace_free(t);
		return NULL;
	}
	return t;
}

void
trace_split(struct trace *t, uint32_t (*sub)(void *, const struct packet *), void *arg)
{
	intake_split(&t->intake, sub, arg);
}

unsigned
trace_decode(struct trace *t, const struct frame *frames, unsigned n, struct packet *pkts)
{
	return intake_packets(&t->intake, frames, n, pkts);
}

void
trace_share(struct trace *t, struct blocks *blocks)
{
	t->blocks = blocks;
	if (t->capture != NULL)
		capture_share(t->capture, blocks);
}

struct block *
trace_block(const struct trace *t)
{
	return capture_block(t->capture);
}

void
trace_free(struct trace *t)
{
	if (t == NULL)
		return;
	capture_close(t->capture);
	intake_clear(&t->intake);
	free(t);
}

static void
trace_batch(struct trace *t, const struct frame *frames, unsigned n)
{
	struct packet pkts[CAPTURE_BATCH];
	unsigned m;

	if (t->call.frames != NULL) {
		t->call.frames(t->call.arg, frames, n);
		return;
	}
	m = intake_packets(&t->intake, frames, n, pkts);
	if (m > 0)
		t->call.packets(t->call.arg, pkts, m);
}

/* Wait until the packet of TS_US is due. */
static void
trace_pace(struct trace *t, uint64_t ts_us)
{
	uint64_t due, now = clock_us(CLOCK_MONOTONIC);

	if (t->pace_us == 0 || ts_us < t->pace_ts_us) {
		t->pace_us = now;
		t->pace_ts_us = ts_us;
		return;
	}
	due = t->pace_us + (uint64_t)((double)(ts_us - t->pace_ts_us) / t->config->speed);
	while (now < due && !t->stopped) {
		t->stopped = !t->call.pause(t->call.arg, due - now);
		now = clock_us(CLOCK_MONOTONIC);
	}
}

/* capture_sink */
static void
trace_frames(void *arg, const struct frame *frames, unsigned n)
{
	struct trace *t = arg;
	unsigned i;

	if (t->first_us == 0 && n > 0)
		__atomic_store_n(&t->first_us, frames[0].ts_us ? frames[0].ts_us : 1,
		    __ATOMIC_RELEASE);
	if (t->config->speed <= 0) {
		trace_batch(t, frames, n);
		return;
	}
	for (i = 0; i < n && !t->stopped; i++) {
		trace_pace(t, frames[i].ts_us);
		if (!t->stopped)
			trace_batch(t, &frames[i], 1);
	}
}

static struct capture *
trace_next_file(struct trace *t)
{
	struct capture_options opt = {
		.filter = t->config->filter,
		.snaplen = t->config->snaplen,
	};
	struct capture *c;
	char err[512];

	while (++t->file < t->files->n) {
		const char *path = t->files->v[t->file];

		c = capture_open_file(path, &opt, err, sizeof(err));
		if (c != NULL && decode_knows_link(capture_link(c))) {
			if (t->blocks != NULL)
				capture_share(c, t->blocks);
			return c;
		}
		if (c != NULL)
			snprintf(err, sizeof(err), "%s: link type %u is not supported", path,
			    capture_link(c));
		capture_close(c);
		log_error("%s", err);
		counter_inc(t->counters, COUNTER_FILES_BAD);
		__atomic_store_n(&t->failed, true, __ATOMIC_RELAXED);
	}
	return NULL;
}

bool
trace_read(struct trace *t)
{
	uint64_t done, size;
	int n;

	if (t->capture == NULL)
		return false;
	n = capture_read(t->capture, TURN_FRAMES, trace_frames, t);
	capture_progress(t->capture, &done, &size);
	__atomic_store_n(&t->done, done, __ATOMIC_RELAXED);
	__atomic_store_n(&t->size, size, __ATOMIC_RELAXED);
	if (n >= 0)
		return true;
	if (n == CAPTURE_EOF)
		counter_inc(t->counters, COUNTER_FILES);
	else {
		/* what could be read counts; the damage is said and counted */
		log_warn("%s", capture_error(t->capture));
		counter_inc(t->counters, COUNTER_FILES_BAD);
	}
	capture_close(t->capture);
	t->capture = trace_next_file(t);
	return t->capture != NULL;
}

uint64_t
trace_first(const struct trace *t)
{
	return __atomic_load_n(&t->first_us, __ATOMIC_ACQUIRE);
}

void
trace_progress(const struct trace *t, uint64_t *done, uint64_t *size)
{
	*done = __atomic_load_n(&t->done, __ATOMIC_RELAXED);
	*size = __atomic_load_n(&t->size, __ATOMIC_RELAXED);
}

bool
trace_failed(const struct trace *t)
{
	return __atomic_load_n(&t->failed, __ATOMIC_RELAXED);
}
