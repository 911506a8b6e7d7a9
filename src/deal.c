/* SPDX-License-Identifier: BSD-3-Clause */
/* deal.c -- the dealer's thread. */
#include "deal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowkey.h"
#include "heart.h"
#include "plugin.h"

#define BATCHES	  32 /* per worker */
#define BLOCKS	  24 /* of some 256 KB: so far may the dealer be ahead */
#define NAP_NS	  50000
#define PAUSE_US  50000
#define STARVED_US 200 /* the workers have some milliseconds' work then */

struct hand {
	struct ring out, home;	 /* batches to the worker, and back */
	struct deal_batch *open; /* being filled */
	struct deal_batch *batch[BATCHES]; /* owned */
	struct bell *bell;
};

struct deal {
	struct deal_setup s;
	struct trace *trace;
	struct plugin_splitter *splitter; /* owned; NULL: no sub-flows */
	struct blocks *blocks; /* owned */
	bool plain; /* workers may decode plain frames */
	bool any;   /* some frames came since this was last cleared */
	struct counters counters;
	struct hand *hand; /* of each worker */
	uint64_t clock_us;
	pthread_t thread;
	bool started;
	bool stopping; /* atomic */
	bool done;     /* atomic: the thread reads no more */
};

static void
deal_nap(uint64_t us)
{
	struct timespec ts = {0, (long)us * 1000};

	nanosleep(&ts, NULL);
}

/* An empty batch for H; waits for the worker to give one back. */
static struct deal_batch *
hand_open(struct deal *d, struct hand *h)
{
	while (h->open == NULL) {
		h->open = ring_get(&h->home);
		if (h->open == NULL) {
			bell_ring(h->bell);
			heart_beat(d->s.heart, HEART_DEALER);
			deal_nap(NAP_NS / 1000);
			continue;
		}
		h->open->n = h->open->npkts = 0;
		h->open->used = 0;
	}
	return h->open;
}

static void
hand_send(struct deal *d, struct hand *h, bool last)
{
	struct deal_batch *b = hand_open(d, h);

	b->clock_us = d->clock_us;
	b->last = last;
	h->open = NULL;
	ring_put(&h->out, b); /* has room for every batch there is */
	bell_ring(h->bell);
}

/* The batch for one more frame that lies in BLOCK, or takes LEN bytes; nothing of it is in
 * there yet. */
static struct deal_batch *
hand_room(struct deal *d, struct hand *h, struct block *block, uint32_t len)
{
	struct deal_batch *b = hand_open(d, h);
	bool known = block == NULL || (b->nblocks > 0 && b->block[b->nblocks - 1] == block);

	if (b->n == DEAL_PACKETS || b->used + len > DEAL_BYTES ||
	    (!known && b->nblocks == DEAL_BLOCKS)) {
		hand_send(d, h, false);
		b = hand_open(d, h);
		known = block == NULL;
	}
	if (!known) {
		block_use(block);
		b->block[b->nblocks++] = block;
	}
	return b;
}

/* A packet, with its bytes, if anybody reads them. */
static void
hand_add(struct deal *d, struct hand *h, const struct packet *pkt)
{
	struct block *block = d->s.bytes ? trace_block(d->trace) : NULL;
	uint32_t len = d->s.bytes && block == NULL ? pkt->l3_len : 0;
	struct deal_batch *b;
	struct packet *copy;

	if (len > DEAL_BYTES)
		abort(); /* --snaplen allows no such frame */
	b = hand_room(d, h, block, len);
	copy = &b->pkt[b->npkts++];
	*copy = *pkt;
	b->frame[b->n].link = DEAL_DECODED;
	b->frame[b->n++].data = (const uint8_t *)copy;
	if (block != NULL)
		return;
	if (len == 0) {
		copy->l3 = copy->payload = NULL;
		copy->l3_len = copy->payload_len = 0;
		return;
	}
	memcpy(b->bytes + b->used, pkt->l3, len);
	copy->l3 = b->bytes + b->used;
	copy->payload = pkt->payload != NULL ? copy->l3 + (pkt->payload - pkt->l3) : NULL;
	b->used += len;
}

/* Whose is PKT, of which the key's fields count? */
static struct hand *
deal_hand(struct deal *d, const struct packet *pkt)
{
	/* another seed than the tables': each must still fill evenly */
	return &d->hand[flowkey_spread(pkt, d->s.config->aggregation, ~d->s.seed) %
			d->s.workers];
}

/* What is not plain. */
static void
deal_frame(struct deal *d, const struct frame *f)
{
	struct packet pkt;

	if (trace_decode(d->trace, f, 1, &pkt) == 0)
		return;
	if (pkt.ts_us > d->clock_us)
		d->clock_us = pkt.ts_us;
	hand_add(d, deal_hand(d, &pkt), &pkt);
}

/* trace_calls.frames */
static void
deal_frames(void *arg, const struct frame *frames, unsigned n)
{
	struct deal *d = arg;
	struct block *block = d->plain ? trace_block(d->trace) : NULL;
	struct packet pkt; /* only its key */
	struct deal_batch *b;
	unsigned i;

	d->any = true;
	for (i = 0; i < n; i++) {
		if (block == NULL || !decode_plain(&frames[i], &pkt)) {
			deal_frame(d, &frames[i]);
			continue;
		}
		if (frames[i].ts_us > d->clock_us)
			d->clock_us = frames[i].ts_us;
		b = hand_room(d, deal_hand(d, &pkt), block, 0);
		b->frame[b->n++] = frames[i];
	}
}

static void
deal_send_open(struct deal *d)
{
	unsigned i;

	for (i = 0; i < d->s.workers; i++)
		hand_send(d, &d->hand[i], false);
}

/* trace_calls.pause */
static bool
deal_pause(void *arg, uint64_t us)
{
	struct deal *d = arg;

	heart_beat(d->s.heart, HEART_DEALER);
	deal_send_open(d);
	deal_nap(us < PAUSE_US ? us : PAUSE_US);
	return !__atomic_load_n(&d->stopping, __ATOMIC_ACQUIRE);
}

static void *
deal_main(void *arg)
{
	struct deal *d = arg;
	unsigned i;

	heart_beat(d->s.heart, HEART_DEALER);
	while (!__atomic_load_n(&d->stopping, __ATOMIC_ACQUIRE) && trace_read(d->trace)) {
		heart_beat(d->s.heart, HEART_DEALER);
		if (d->any)
			deal_send_open(d); /* also those without packets: the clock goes on */
		else
			deal_nap(STARVED_US); /* no block is free, or a pipe is silent */
		d->any = false;
	}
	__atomic_store_n(&d->done, true, __ATOMIC_RELEASE);
	for (i = 0; i < d->s.workers; i++)
		hand_send(d, &d->hand[i], true);
	heart_rest(d->s.heart, HEART_DEALER);
	return NULL;
}

static int
hand_init(struct hand *h)
{
	unsigned i;

	if (ring_init(&h->out, BATCHES) < 0 || ring_init(&h->home, BATCHES) < 0)
		return -1;
	for (i = 0; i < BATCHES; i++) {
		h->batch[i] = malloc(sizeof(struct deal_batch));
		if (h->batch[i] == NULL)
			return -1;
		h->batch[i]->nblocks = 0;
		ring_put(&h->home, h->batch[i]);
	}
	return 0;
}

static int
deal_split(struct deal *d)
{
	char err[256];

	if (d->s.plugins == NULL || !d->s.plugins->subflows)
		return 0;
	d->splitter = plugin_splitter_new(d->s.plugins, &d->counters, err, sizeof(err));
	if (d->splitter == NULL)
		return -1;
	trace_split(d->trace, plugin_splitter_sub, d->splitter);
	return 0;
}

struct deal *
deal_new(const struct deal_setup *s)
{
	struct deal *d = calloc(1, sizeof(*d));
	struct trace_calls calls = {NULL, deal_frames, deal_pause, d};
	unsigned i;

	if (d == NULL) {
		capture_close(s->first);
		return NULL;
	}
	d->s = *s;
	d->trace = trace_new(s->config, s->files, s->first, s->seed, &d->counters, &calls);
	d->hand = ring_calloc(s->workers, sizeof(*d->hand));
	d->blocks = blocks_new(BLOCKS, capture_block_size);
	if (d->trace == NULL || d->hand == NULL || d->blocks == NULL) {
		deal_free(d);
		return NULL;
	}
	trace_share(d->trace, d->blocks);
	if (deal_split(d) < 0) {
		deal_free(d);
		return NULL;
	}
	/* samples are counted, and sub-flows told, where all frames come by */
	d->plain = s->config->sampling <= 1 && !s->config->tunnel && d->splitter == NULL;
	for (i = 0; i < s->workers; i++)
		if (hand_init(&d->hand[i]) < 0) {
			deal_free(d);
			return NULL;
		}
	return d;
}

int
deal_start(struct deal *d, struct bell *const *bells)
{
	unsigned i;

	for (i = 0; i < d->s.workers; i++)
		d->hand[i].bell = bells[i];
	if (pthread_create(&d->thread, NULL, deal_main, d) != 0)
		return -1;
	d->started = true;
	pthread_setname_np(d->thread, "dealer");
	return 0;
}

void
deal_free(struct deal *d)
{
	unsigned i, j;

	if (d == NULL)
		return;
	if (d->started)
		pthread_join(d->thread, NULL);
	trace_free(d->trace);
	plugin_splitter_free(d->splitter);
	for (i = 0; d->hand != NULL && i < d->s.workers; i++) {
		ring_clear(&d->hand[i].out);
		ring_clear(&d->hand[i].home);
		for (j = 0; j < BATCHES; j++)
			free(d->hand[i].batch[j]);
	}
	free(d->hand);
	blocks_free(d->blocks);
	free(d);
}

void
deal_stop(struct deal *d)
{
	__atomic_store_n(&d->stopping, true, __ATOMIC_RELEASE);
	/* it may sit in read(2) on a pipe */
	if (d->started && !__atomic_load_n(&d->done, __ATOMIC_ACQUIRE))
		pthread_kill(d->thread, SIGUSR2);
}

struct counters *
deal_counters(struct deal *d)
{
	return &d->counters;
}

const struct trace *
deal_trace(const struct deal *d)
{
	return d->trace;
}

struct deal_batch *
deal_get(struct deal *d, unsigned worker)
{
	return ring_get(&d->hand[worker].out);
}

void
deal_put(struct deal *d, unsigned worker, struct deal_batch *b)
{
	while (b->nblocks > 0)
		block_drop(b->block[--b->nblocks]);
	ring_put(&d->hand[worker].home, b);
}

/* Headers of a batch of frames, from AT on, another core has read them in. */
static inline __attribute__((always_inline)) void
deal_fetch(const struct deal_batch *b, unsigned at)
{
	unsigned end = at + CAPTURE_BATCH < b->n ? at + CAPTURE_BATCH : b->n;

	for (; at < end; at++) {
		__builtin_prefetch(b->frame[at].data);
		__builtin_prefetch(b->frame[at].data + 63);
	}
}

unsigned
deal_packets(const struct deal_batch *b, unsigned *at, struct intake *in,
    struct packet *pkts)
{
	unsigned n = 0, i;

	if (*at == 0)
		deal_fetch(b, 0);
	deal_fetch(b, *at + CAPTURE_BATCH); /* while these are worked on */
	while (n == 0 && *at < b->n) {
		const struct frame *f = &b->frame[*at];

		for (i = 0; i < CAPTURE_BATCH && *at + i < b->n && f[i].link != DEAL_DECODED;)
			i++;
		if (i > 0)
			n = intake_packets(in, f, i, pkts);
		for (; i < CAPTURE_BATCH && n < CAPTURE_BATCH && *at + i < b->n &&
		     f[i].link == DEAL_DECODED; i++)
			pkts[n++] = *(const struct packet *)(const void *)f[i].data;
		*at += i;
	}
	return n;
}
