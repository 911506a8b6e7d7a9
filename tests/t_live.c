/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_live.c -- a worker's tales of its flows, without the worker: a real flow table, and
 * a control that takes posts and ended flows as the loop does. Every packet must be told
 * of once and every connection counted once, whatever ended it, whenever it was told of.
 */
#include "flow_rig.h"

#include "live.h"
#include "worker.h"

#define TALKS	 80
#define STEPS	 200000
#define M_IDLE	 (3 * SECOND)
#define M_ACTIVE (10 * SECOND)
#define M_LINGER 700000
#define AWAY	 4096

/* What one pair of endpoints did, and what was told of it. */
struct sum {
	uint64_t packets[2], octets[2], flows;
};

struct world {
	struct flowtable *t;
	struct counters counters;
	struct live live;
	struct flow *ended[AWAY]; /* not taken by control */
	unsigned nended;
	struct flow *away[AWAY]; /* taken, not home */
	unsigned naway;
	bool lossy; /* some ended records are dropped */
	struct sum did[TALKS], told[TALKS], lost[TALKS];
	uint64_t serial[TALKS]; /* of the latest connection */
	unsigned unnamed, moved;
};

static unsigned
talk_of(const struct flowkey *key)
{
	unsigned talk = (unsigned)key->addr[1][13] << 8 | key->addr[1][14];

	assert_true(talk < TALKS);
	return talk;
}

static void
world_finish(void *arg, struct flow *f)
{
	(void)arg;
	f->flags |= FLOW_DPI_DONE;
}

/* A record that is dropped: what was told of it stays told. */
static void
world_lose(struct world *w, const struct flow *f)
{
	struct sum *lost = &w->lost[talk_of(&f->key)];
	struct flowdelta d;
	unsigned i;

	if (!flowdelta_make(&d, f, live_told(&w->live, f)))
		return;
	lost->flows += d.fresh;
	for (i = 0; i < 2; i++) {
		lost->packets[i] += d.packets[i];
		lost->octets[i] += d.octets[i];
	}
}

/* flowtable_end_cb, as worker_end() */
static void
world_end(void *arg, struct flow *f)
{
	struct world *w = arg;

	live_ended(&w->live, f);
	if (f->end == FLOW_END_ACTIVE && live_told(&w->live, f) != NULL &&
	    live_told(&w->live, f)->packets[0] + live_told(&w->live, f)->packets[1] > 0)
		w->moved++;
	if (w->lossy && rand() % 4 == 0) {
		world_lose(w, f);
		live_home(&w->live, f);
		flowtable_put(w->t, f);
		return;
	}
	assert_true(w->nended < AWAY);
	w->ended[w->nended++] = f;
}

static void
world_home(struct world *w, unsigned n)
{
	while (n-- > 0 && w->naway > 0) {
		struct flow *f = w->away[--w->naway];

		live_home(&w->live, f);
		flowtable_put(w->t, f);
	}
}

/* flowtable_wait_cb: sometimes nothing comes home */
static bool
world_wait(void *arg)
{
	struct world *w = arg;
	bool any = w->naway > 0 && rand() % 2 == 0;

	world_home(w, any ? 1 : 0);
	return any;
}

static void
world_new(struct world *w, uint32_t max, uint32_t spare)
{
	const struct flowtable_options opt = {.max = max, .spare = spare,
		.details = max + spare, .serial_first = 1, .serial_step = 1, .seed = 42,
		.idle_us = M_IDLE, .active_us = M_ACTIVE, .linger_us = M_LINGER,
		.parts = FLOWKEY_DEFAULT, .sweep = 8};
	const struct flowtable_calls calls = {world_finish, world_end, world_wait, w};
	struct live_setup live = {.slots = max + spare, .counters = &w->counters,
		.cloud = true, .dpi = true, .interval_us = 1000, .finish = world_finish,
		.arg = w};

	w->t = live.table = flowtable_new(&opt, &calls, &w->counters);
	assert_non_null(w->t);
	assert_int_equal(live_init(&w->live, &live), 0);
}

static void
world_take_delta(struct world *w, const struct flowdelta *d)
{
	struct sum *told = &w->told[talk_of(&d->key)];
	unsigned i;

	for (i = 0; i < 2; i++) {
		assert_true(d->packets[i] < UINT32_MAX); /* nothing is taken back */
		told->packets[i] += d->packets[i];
		told->octets[i] += d->octets[i];
	}
	told->flows += d->fresh;
	w->unnamed += !d->named;
}

/* A turn of control. */
static void
world_control(struct world *w)
{
	alignas(64) uint8_t msg[POST_MAX];
	struct post_head head;
	struct flowdelta d;
	unsigned i;

	while (post_get(&w->live.post, &head, msg)) {
		assert_int_equal(head.kind, POST_DELTA);
		assert_int_equal(head.len, sizeof(d));
		world_take_delta(w, (const struct flowdelta *)msg);
	}
	for (i = 0; i < w->nended; i++) {
		assert_true(w->naway < AWAY);
		if (flowdelta_make(&d, w->ended[i], live_told(&w->live, w->ended[i])))
			world_take_delta(w, &d);
		w->away[w->naway++] = w->ended[i];
	}
	w->nended = 0;
}

static void
world_packet(struct world *w, uint64_t us)
{
	unsigned talk = (unsigned)rand() % TALKS, dir = rand() % 3 == 0;
	struct packet p = packet_of(talk, dir, us, talk % 3 ? 17 : 6);
	struct flowkey key;
	struct flow *f;
	uint64_t hash;

	p.octets = 40 + (uint32_t)rand() % 1000;
	if (p.proto == 6) {
		p.tcp_flags = rand() % 12 == 0 ? TCP_SYN : ACK;
		p.tcp_flags = rand() % 15 == 0 ? TCP_FIN | ACK : p.tcp_flags;
		p.tcp_flags = rand() % 30 == 0 ? TCP_RST : p.tcp_flags;
		p.seq = (uint32_t)rand();
	}
	dir = flowtable_prepare(w->t, &p, &key, &hash);
	f = flowtable_packet(w->t, &p, &key, hash, dir);
	if (f == NULL)
		return;
	live_touch(&w->live, f);
	if (rand() % 16 == 0)
		f->flags |= FLOW_DPI_DONE;
	w->did[talk].packets[dir]++;
	w->did[talk].octets[dir] += p.octets;
	w->did[talk].flows += f->serial != w->serial[talk];
	w->serial[talk] = f->serial;
}

/* One by one and in all. LOST is what dropped records took along. */
static void
world_check(const struct world *w)
{
	unsigned i, d;

	for (i = 0; i < TALKS; i++) {
		for (d = 0; d < 2; d++) {
			assert_int_equal(w->did[i].packets[d],
			    w->told[i].packets[d] + w->lost[i].packets[d]);
			assert_int_equal(w->did[i].octets[d],
			    w->told[i].octets[d] + w->lost[i].octets[d]);
		}
		assert_int_equal(w->did[i].flows, w->told[i].flows + w->lost[i].flows);
	}
}

/* Nothing that was told stays behind when its record is home. */
static void
world_free(struct world *w)
{
	static const struct flow_told nothing;
	uint32_t i;

	flowtable_flush(w->t, FLOW_END_FORCED);
	world_control(w);
	world_home(w, AWAY);
	assert_int_equal(flowtable_away(w->t), 0);
	for (i = 0; i < w->live.s.slots; i++)
		assert_memory_equal(&w->live.told[i], &nothing, sizeof(nothing));
	world_check(w);
	flowtable_free(w->t);
	live_clear(&w->live);
}

/*
 * Random traffic, walks that are cut anywhere, a control that comes when it likes.
 * Returns how often a walk found no room.
 */
static unsigned
traffic(struct world *w, unsigned seed, bool walks)
{
	uint64_t us = 0, now = 1, moment = SECOND / TALKS / 4;
	unsigned step, full = 0;
	bool put;

	srand(seed);
	for (step = 0; step < STEPS; step++) {
		/* now and then a silence, so that flows end in every way */
		us += (uint64_t)rand() % (rand() % 2000 == 0 ? 8 * SECOND : moment);
		world_packet(w, us);
		if (walks && rand() % 40 == 0)
			live_due(&w->live, now += 1000);
		if (rand() % 10 == 0)
			full += live_slice(&w->live, &put) == LIVE_FULL;
		if (rand() % 50 == 0)
			world_control(w);
		if (rand() % 60 == 0)
			world_home(w, (unsigned)rand() % 20);
	}
	assert_true(counter_get(&w->counters, COUNTER_ENDED_IDLE) > 100);
	assert_true(counter_get(&w->counters, COUNTER_ENDED_DETECTED) > 10);
	return full;
}

static void
told_once(struct world *w, unsigned seed, bool crowded)
{
	bool put = false;

	post_clear(&w->live.post); /* one that is often full */
	assert_int_equal(post_init(&w->live.post, 4096), 0);
	assert_true(traffic(w, seed, true) > 10);
	live_begin_last(&w->live);
	while (live_slice(&w->live, &put) != LIVE_IDLE)
		world_control(w);
	world_control(w);
	/* now everything is known, of the flows that live too */
	assert_true(flowtable_count(w->t) > TALKS / 2);
	world_check(w);
	assert_true(counter_get(&w->counters, COUNTER_DELTAS) > 1000);
	if (crowded) {
		assert_true(counter_get(&w->counters, COUNTER_ENDED_LACK) > 1000);
	} else {
		assert_true(w->moved > 100);
		assert_true(w->unnamed > 10);
	}
	world_free(w);
}

static void
test_told_once(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		static struct world w;

		memset(&w, 0, sizeof(w));
		/* a table with room, and one where flows push each other out */
		world_new(&w, i % 2 ? TALKS - 10 : 256, i % 2 ? 40 : 512);
		w.lossy = i >= 2;
		told_once(&w, i + 1, i % 2);
	}
}

/* No walk at all: the ended flows tell everything. */
static void
test_told_at_the_end(void **state)
{
	static struct world w;

	(void)state;
	world_new(&w, 256, 512);
	assert_int_equal(traffic(&w, 9, false), 0);
	assert_true(counter_get(&w.counters, COUNTER_ENDED_ACTIVE) > 100);
	assert_int_equal(counter_get(&w.counters, COUNTER_DELTAS), 0);
	world_free(&w);
}

/* The three records of a long connection, told of alive in the first and the second. */
static void
test_active_timeout(void **state)
{
	static struct world w;
	const struct flow_told *told;
	struct flow *f;
	bool put = false;
	unsigned i;

	(void)state;
	world_new(&w, 64, 64);
	for (i = 0; i < 30; i++) {
		struct packet p = packet_of(7, 0, i * SECOND, 17);
		struct flowkey key;
		uint64_t hash;
		unsigned dir = flowtable_prepare(w.t, &p, &key, &hash);

		f = flowtable_packet(w.t, &p, &key, hash, dir);
		f->flags |= FLOW_DPI_DONE;
		live_touch(&w.live, f);
		if (i == 5 || i == 8 || i == 15) {
			live_due(&w.live, 1000 * (i + 1));
			live_due(&w.live, 1000 * (i + 1) + 5000);
			assert_int_equal(live_slice(&w.live, &put), LIVE_IDLE);
			assert_true(f->flags & FLOW_TOLD);
			told = &w.live.told[f->index];
			assert_int_equal(told->packets[0], f->packets[0]);
		}
		w.did[7].packets[0]++;
		w.did[7].octets[0] += 100;
	}
	w.did[7].flows = 1;
	assert_int_equal(w.nended, 2);
	assert_int_equal(live_told(&w.live, w.ended[0])->packets[0], 9);
	assert_int_equal(w.ended[0]->serial, f->serial);
	world_free(&w);
}

/* Who is not settled is not told of, but at the last walk; who was is only once. */
static void
test_settled(void **state)
{
	static struct world w;
	bool put = false;
	struct flow *f[3];
	unsigned i, n;

	(void)state;
	world_new(&w, 64, 64);
	for (i = 0; i < 3; i++)
		for (n = 0; n < (i == 2 ? LIVE_SETTLED + 1 : 2); n++) {
			struct packet p = packet_of(i, 0, 1, 17);
			struct flowkey key;
			uint64_t hash;
			unsigned dir = flowtable_prepare(w.t, &p, &key, &hash);

			f[i] = flowtable_packet(w.t, &p, &key, hash, dir);
			live_touch(&w.live, f[i]);
			w.did[i].packets[0]++;
			w.did[i].octets[0] += 100;
			w.did[i].flows = 1;
		}
	f[1]->flags |= FLOW_DPI_DONE;
	live_due(&w.live, 1);
	assert_false(w.live.walking); /* the first comes after an interval */
	live_due(&w.live, 1001);
	assert_true(w.live.walking);
	assert_int_equal(live_slice(&w.live, &put), LIVE_IDLE);
	assert_true(put);
	assert_int_equal(counter_get(&w.counters, COUNTER_DELTAS), 2);
	assert_false(f[0]->flags & FLOW_TOLD);
	put = false;
	live_due(&w.live, 3000);
	assert_int_equal(live_slice(&w.live, &put), LIVE_IDLE);
	assert_false(put);
	live_begin_last(&w.live);
	assert_int_equal(live_slice(&w.live, &put), LIVE_IDLE);
	assert_true(put);
	assert_true(f[0]->flags & FLOW_DPI_DONE);
	assert_int_equal(counter_get(&w.counters, COUNTER_DELTAS), 3);
	world_control(&w);
	assert_int_equal(w.unnamed, 1);
	world_free(&w);
}

/* Without deltas there is nothing to pay for and nothing to tell. */
static void
test_no_cloud(void **state)
{
	struct live l;
	struct flow f;
	bool put = false;

	(void)state;
	memset(&l, 0, sizeof(l));
	memset(&f, 0, sizeof(f));
	f.flags = FLOW_TOLD;
	assert_int_equal(live_init(&l, &(struct live_setup){.slots = 1000}), 0);
	assert_null(l.touched);
	assert_null(live_told(&l, &f));
	live_home(&l, &f);
	live_ended(&l, &f);
	live_due(&l, 1);
	live_due(&l, UINT64_MAX);
	live_begin_last(&l);
	assert_int_equal(live_slice(&l, &put), LIVE_IDLE);
	assert_false(put);
	live_clear(&l);
}

/*
 * News
 */
static void
test_new(void **state)
{
	struct live l;
	struct flow f, *got;
	struct flow_l7 l7;
	struct post_head head;
	alignas(64) uint8_t msg[POST_MAX];
	unsigned n = 0;

	(void)state;
	memset(&l, 0, sizeof(l));
	memset(&f, 0, sizeof(f));
	assert_int_equal(live_init(&l, &(struct live_setup){.slots = 10}), 0);
	f.packets[1] = 1;
	f.l7 = &l7;
	assert_false(live_wants_new(&l, &f));
	l.want_new = true;
	assert_true(live_wants_new(&l, &f));
	f.flags = FLOW_RESTARTED;
	assert_false(live_wants_new(&l, &f));
	f.flags = 0;
	f.packets[0] = 1;
	assert_false(live_wants_new(&l, &f));
	while (live_post_new(&l, &f))
		f.serial = ++n;
	assert_int_equal(n, LIVE_POST / (sizeof(head) + sizeof(f)));
	for (n = 0; post_get(&l.post, &head, msg); n++) {
		got = (struct flow *)msg;
		assert_int_equal(head.kind, POST_NEW);
		assert_int_equal(head.len, sizeof(f));
		assert_int_equal(got->serial, n);
		assert_null(got->l7);
		assert_null(got->detail);
		assert_int_equal(got->packets[1], 1);
	}
	live_clear(&l);
}

/*
 * Walks and pages
 */
static struct flow *
many(struct rig *r, struct live *l, unsigned n, uint64_t us)
{
	struct flow *f = udp(r, n, 0, us);

	assert_non_null(f);
	if (l != NULL)
		live_touch(l, f);
	return f;
}

/* A slice is bounded, by flows and by slots without any. */
static void
test_slices(void **state)
{
	struct rig r;
	struct live l;
	struct live_setup s = {.cloud = true, .counters = &r.counters};
	uint64_t told, before = 0, slots = (uint64_t)LIVE_SLICE_WORDS * 64;
	bool put;
	unsigned i, slices;

	(void)state;
	memset(&l, 0, sizeof(l));
	rig_options(&r);
	r.opt.max = (uint32_t)slots * 2 + 1000;
	rig_open(&r);
	s.table = r.t;
	s.slots = r.opt.max + r.opt.spare;
	assert_int_equal(live_init(&l, &s), 0);
	for (i = 0; i < 5000; i++)
		many(&r, &l, i, 0);
	live_begin_last(&l);
	for (slices = 1; live_slice(&l, &put) == LIVE_GOING; slices++) {
		told = counter_get(&r.counters, COUNTER_DELTAS);
		assert_in_range(told - before, 1, LIVE_SLICE + 63);
		before = told;
	}
	assert_int_equal(counter_get(&r.counters, COUNTER_DELTAS), 5000);
	assert_in_range(slices, 5000 / (LIVE_SLICE + 63), 5000 / LIVE_SLICE + 1);
	for (; i < r.opt.max; i++) {
		struct packet p = packet_of(i, 0, 0, 17);

		p.sport = (uint16_t)(i >> 16);
		feed(&r, &p);
	}
	live_begin_last(&l);
	assert_int_equal(live_slice(&l, &put), LIVE_GOING);
	assert_int_equal(l.word, LIVE_SLICE_WORDS);
	assert_int_equal(live_slice(&l, &put), LIVE_GOING);
	assert_int_equal(live_slice(&l, &put), LIVE_IDLE);
	live_clear(&l);
	flowtable_free(r.t);
}

/* All pages from the first: which talks were seen. */
static unsigned
walk(struct rig *r, struct live *l, uint8_t *seen, void (*meanwhile)(struct rig *))
{
	static struct worker_page q;
	unsigned pages = 0, i;

	memset(&q, 0, sizeof(q));
	q.command.kind = WORKER_PAGE;
	do {
		uint32_t from = q.slot;

		live_answer(l, &q.command);
		pages++;
		assert_true(q.slot - from <= LIVE_PAGE_SLOTS);
		assert_true(q.n <= ALIVE_PAGE);
		assert_true(!q.more || q.slot > from);
		for (i = 0; i < q.n; i++) {
			const uint8_t *addr = q.name[i].key.addr[1];

			seen[addr[13] << 8 | addr[14]]++;
		}
		if (meanwhile != NULL)
			meanwhile(r);
	} while (q.more);
	return pages;
}

static void
come_and_go(struct rig *r)
{
	uint64_t now = flowtable_clock(r->t) - START + 6 * SECOND;
	unsigned i;

	for (i = 0; i < 3000; i += 7) /* these live on */
		udp(r, i, 0, now);
	for (i = 0; i < 300; i++)
		udp(r, 20000 + (unsigned)rand() % 20000, 0, now);
	rig_home(r);
}

static void
test_pages(void **state)
{
	static uint8_t seen[65536];
	struct rig r;
	struct live l;
	struct live_setup s = {.counters = &r.counters};
	struct worker_page beyond = {.command.kind = WORKER_PAGE, .slot = UINT32_MAX,
		.more = true, .n = 9};
	unsigned i;

	(void)state;
	srand(3);
	memset(&l, 0, sizeof(l));
	rig_options(&r);
	r.opt.max = 60000;
	r.opt.sweep = 10;
	rig_open(&r);
	s.table = r.t;
	s.slots = r.opt.max + r.opt.spare;
	assert_int_equal(live_init(&l, &s), 0);
	assert_int_equal(walk(&r, &l, seen, NULL), 1); /* nobody is alive */
	for (i = 0; i < 3000; i++)
		udp(&r, i, 0, 0);
	assert_int_equal(walk(&r, &l, seen, NULL), 3000 / ALIVE_PAGE + 1);
	for (i = 0; i < 65536; i++)
		assert_int_equal(seen[i], i < 3000);

	/* who lives all the time is seen, whoever comes and goes */
	memset(seen, 0, sizeof(seen));
	walk(&r, &l, seen, come_and_go);
	for (i = 0; i < 3000; i += 7)
		assert_int_equal(seen[i], 1);

	live_answer(&l, &beyond.command);
	assert_int_equal(beyond.n, 0);
	assert_false(beyond.more);
	live_clear(&l);
	rig_free(&r);
}

/* A large table of nothing: many short questions, not one long one. */
static void
test_empty_pages(void **state)
{
	static uint8_t seen[65536];
	struct rig r;
	struct live l;
	struct live_setup s = {.counters = &r.counters};
	unsigned i, n;

	(void)state;
	memset(&l, 0, sizeof(l));
	memset(seen, 0, sizeof(seen));
	rig_options(&r);
	r.opt.max = 50000; /* far from an emergency */
	r.opt.sweep = 1000;
	rig_open(&r);
	s.table = r.t;
	s.slots = r.opt.max + r.opt.spare;
	assert_int_equal(live_init(&l, &s), 0);
	for (i = 0; i < 40000; i++)
		udp(&r, i, 0, i < 39990 ? 0 : 20 * SECOND);
	while (flowtable_count(r.t) > 10) {
		flowtable_expire(r.t, START + 31 * SECOND);
		rig_home(&r);
	}
	n = walk(&r, &l, seen, NULL);
	assert_in_range(n, 40000 / LIVE_PAGE_SLOTS, 40000 / LIVE_PAGE_SLOTS + 2);
	for (i = 0; i < 65536; i++)
		assert_int_equal(seen[i], i >= 39990 && i < 40000);
	live_clear(&l);
	rig_free(&r);
}

static void
test_find(void **state)
{
	static struct worker_find q;
	struct rig r;
	struct live l;
	struct live_setup s = {.counters = &r.counters};
	struct flow *f;

	(void)state;
	memset(&l, 0, sizeof(l));
	rig_options(&r);
	r.opt.statistics = true;
	rig_open(&r);
	s.table = r.t;
	s.slots = r.opt.max + r.opt.spare;
	assert_int_equal(live_init(&l, &s), 0);
	udp(&r, 5, 0, 0);
	f = udp(&r, 5, 1, 10);
	f->l7 = calloc(1, sizeof(*f->l7));
	f->l7->app = 77;
	q.command.kind = WORKER_FIND;
	q.key = f->key;
	live_answer(&l, &q.command);
	f->packets[0] = 99;
	f->l7->app = 1;
	assert_true(q.found);
	assert_int_equal(q.flow.flow.packets[0], 1);
	assert_int_equal(q.flow.flow.packets[1], 1);
	assert_ptr_equal(q.flow.flow.l7, &q.flow.l7);
	assert_ptr_equal(q.flow.flow.detail, &q.flow.detail);
	assert_int_equal(q.flow.l7.app, 77);
	assert_int_equal(q.flow.detail.size_bin[0], 2);
	assert_int_equal(counter_get(&r.counters, COUNTER_QUERIES), 1);
	q.key.sub = 1;
	live_answer(&l, &q.command);
	assert_false(q.found);
	live_clear(&l);
	rig_free(&r);
}

/*
 * The budget
 */
static void
test_budget(void **state)
{
	const uint64_t cost = 100000, turn = 300000;
	uint64_t cpu = 1000000000, start, answering = 0;
	struct live l;
	unsigned i;

	(void)state;
	memset(&l, 0, sizeof(l));
	live_rest(&l, cpu);
	for (i = 0; live_may_answer(&l, cpu); i++) {
		live_pay(&l, cost);
		cpu += cost;
	}
	/* a burst, and what came in meanwhile */
	assert_in_range(i, LIVE_BURST_NS / cost, LIVE_BURST_NS / cost * 11 / 10);

	/* then a share of all the time, however often it is looked at */
	start = cpu;
	for (i = 0; i < 100000; i++) {
		cpu += turn + (uint64_t)i % 7;
		if (!live_may_answer(&l, cpu))
			continue;
		live_pay(&l, cost);
		cpu += cost;
		answering += cost;
	}
	assert_in_range(answering, (cpu - start) / LIVE_SHARE * 98 / 100,
	    (cpu - start) / LIVE_SHARE + LIVE_BURST_NS);

	/* what nobody used is not saved up */
	cpu += 3600 * UINT64_C(1000000000);
	for (i = 0; live_may_answer(&l, cpu); i++)
		live_pay(&l, cost);
	assert_int_equal(i, LIVE_BURST_NS / cost);

	/* after a rest there is no debt */
	live_pay(&l, UINT64_C(1000000000));
	assert_false(live_may_answer(&l, cpu));
	live_rest(&l, cpu);
	assert_true(live_may_answer(&l, cpu));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_once),
		cmocka_unit_test(test_told_at_the_end),
		cmocka_unit_test(test_active_timeout),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_no_cloud),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_empty_pages),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
