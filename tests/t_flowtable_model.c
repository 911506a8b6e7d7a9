/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_flowtable_model.c -- random traffic through the table and through a model that has no
 * hash, no lists and no pool: it looks at every flow with every packet. Both must tell
 * the same records. Then storms in tiny tables, where nothing may be lost either.
 */
#include "flow_rig.h"

#define TALKS	  48 /* conversations */
#define PACKETS	  60000
#define RECORDS	  100000
#define M_IDLE	  (3 * SECOND)
#define M_ACTIVE  (10 * SECOND)
#define M_LINGER  700000

struct record {
	uint64_t serial, first_us[2], last_us[2], packets[2], octets[2];
	unsigned order, talk, end, client, tcp_flags[2];
};

struct records {
	struct record *v;
	unsigned n;
};

/* A flow as the model has it; direction 0 is from 10.0.0.1, as in packet_of(). */
struct model_flow {
	bool alive, sure, restarted, closing, fin[2], syn[2];
	uint64_t start_us, last_us; /* START_US 0: nothing since the last report */
	uint32_t isn[2];
	struct record r;
};

struct model {
	struct model_flow flow[TALKS];
	uint64_t serial, now_us;
	struct records out;
};

/* What the table told, of flows whose talk is in the key's address. */
struct told {
	struct flowtable *t;
	struct records out;
};

static void
records_add(struct records *out, const struct record *r)
{
	assert_true(out->n < RECORDS);
	out->v[out->n] = *r;
	out->v[out->n].order = out->n;
	out->n++;
}

static int
record_compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->serial != y->serial)
		return x->serial < y->serial ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void
told_end(void *arg, struct flow *f)
{
	struct told *told = arg;
	struct record r = {.serial = f->serial, .end = f->end, .client = flow_client(f)};
	unsigned d;

	r.talk = (unsigned)f->key.addr[1][13] << 8 | f->key.addr[1][14];
	for (d = 0; d < 2; d++) {
		r.packets[d] = f->packets[d];
		r.octets[d] = f->octets[d];
		r.first_us[d] = f->first_us[d];
		r.last_us[d] = f->last_dir_us[d];
		r.tcp_flags[d] = f->tcp[d].flags;
	}
	records_add(&told->out, &r);
	flowtable_put(told->t, f);
}

static void
told_finish(void *arg, struct flow *f)
{
	(void)arg;
	(void)f;
}

static bool
told_wait(void *arg)
{
	(void)arg;
	fail();
	return false;
}

/*
 * The model
 */
static void
model_end(struct model *m, struct model_flow *f, enum flow_end end)
{
	f->alive = false;
	f->r.end = end;
	if (f->r.packets[0] + f->r.packets[1] > 0)
		records_add(&m->out, &f->r);
}

static void
model_report(struct model *m, struct model_flow *f)
{
	struct record fresh = {.serial = f->r.serial, .talk = f->r.talk,
		.client = f->r.client};

	f->r.end = FLOW_END_ACTIVE;
	records_add(&m->out, &f->r);
	f->r = fresh;
	f->start_us = 0;
	f->restarted = true;
}

/* Silent for its timeout: but its age may have come first. */
static enum flow_end
model_reason(const struct model_flow *f)
{
	if (f->closing)
		return FLOW_END_DETECTED;
	if (f->start_us != 0 && f->start_us + M_ACTIVE <= f->last_us + M_IDLE)
		return FLOW_END_ACTIVE;
	return FLOW_END_IDLE;
}

static void
model_clock(struct model *m, uint64_t now_us)
{
	unsigned i;

	if (now_us > m->now_us)
		m->now_us = now_us;
	for (i = 0; i < TALKS; i++) {
		struct model_flow *f = &m->flow[i];

		if (!f->alive)
			continue;
		if (m->now_us > f->last_us + (f->closing ? M_LINGER : M_IDLE))
			model_end(m, f, model_reason(f));
		else if (f->start_us != 0 && m->now_us >= f->start_us + M_ACTIVE) {
			if (f->closing)
				model_end(m, f, FLOW_END_DETECTED);
			else
				model_report(m, f);
		}
	}
}

static unsigned
model_client(const struct packet *p, unsigned dir)
{
	unsigned s = p->sport < 1024, d = p->dport < 1024;

	if (p->proto == 6 && (p->tcp_flags & TCP_SYN))
		return p->tcp_flags & TCP_ACK ? !dir : dir;
	if (s != d)
		return s ? !dir : dir;
	if (s && p->sport != p->dport)
		return p->sport < p->dport ? !dir : dir;
	return dir;
}

static void
model_packet(struct model *m, unsigned talk, unsigned dir, const struct packet *p)
{
	struct model_flow *f = &m->flow[talk];
	bool tcp = p->proto == 6, syn = tcp && (p->tcp_flags & TCP_SYN);

	model_clock(m, p->ts_us);
	if (f->alive && f->closing && syn && !(p->tcp_flags & (ACK | TCP_RST | TCP_FIN)) &&
	    (!f->syn[dir] || f->isn[dir] != p->seq))
		model_end(m, f, FLOW_END_DETECTED);
	if (!f->alive) {
		memset(f, 0, sizeof(*f));
		f->alive = true;
		f->r.talk = talk;
		f->r.serial = ++m->serial;
		f->r.client = model_client(p, dir);
		f->sure = syn;
	} else if (syn && !f->sure && !f->restarted) {
		f->r.client = model_client(p, dir);
		f->sure = true;
	}
	if (f->start_us == 0)
		f->start_us = p->ts_us;
	f->last_us = p->ts_us;
	if (f->r.packets[dir]++ == 0)
		f->r.first_us[dir] = p->ts_us;
	f->r.last_us[dir] = p->ts_us;
	f->r.octets[dir] += p->octets;
	if (!tcp)
		return;
	f->r.tcp_flags[dir] |= p->tcp_flags;
	if (syn) {
		f->syn[dir] = true;
		f->isn[dir] = p->seq;
	}
	f->fin[dir] |= (p->tcp_flags & TCP_FIN) != 0;
	f->closing |= (p->tcp_flags & TCP_RST) || (f->fin[0] && f->fin[1]);
}

/*
 * Traffic
 */
static uint64_t
random_gap(void)
{
	switch (rand() % 100) {
	case 0:
		return (uint64_t)rand() % (4 * SECOND);
	case 1:
		return M_LINGER + (uint64_t)rand() % 3 - 1;
	case 2:
		return (uint64_t)rand() % 1000 == 0 ? 20 * SECOND : M_IDLE / 7;
	case 3:
		return 0;
	default:
		return (uint64_t)rand() % 30000;
	}
}

/* A packet of TALK; its protocol and ports are the talk's, the rest is chance. */
static struct packet
random_packet(unsigned talk, unsigned dir, uint64_t us)
{
	static const uint16_t ports[4][2] = {{40000, 80}, {443, 80}, {50000, 40000}, {53, 53}};
	static const uint8_t flags[] = {ACK, ACK, ACK, ACK, ACK, ACK, ACK, ACK, TCP_SYN,
		TCP_SYN | ACK, TCP_FIN | ACK, TCP_RST, 0, TCP_PSH | ACK, TCP_SYN | TCP_FIN};
	struct packet p = packet_of(talk, dir, us, talk % 3 ? 6 : 17);

	p.sport = ports[talk % 4][dir];
	p.dport = ports[talk % 4][!dir];
	p.octets = 20 + (uint32_t)rand() % 1480;
	p.seq = (uint32_t)rand();
	if (p.proto == 6)
		p.tcp_flags = flags[(unsigned)rand() % sizeof(flags)];
	return p;
}

static void
compare_alive(const struct flowtable *t, const struct model *m, const struct packet *p,
    unsigned talk)
{
	const struct model_flow *mf = &m->flow[talk];
	struct flowkey key;
	struct flow *f;

	flowkey_make(&key, p, FLOWKEY_DEFAULT);
	f = flowtable_find(t, &key);
	assert_non_null(f);
	assert_int_equal(f->packets[0], mf->r.packets[0]);
	assert_int_equal(f->packets[1], mf->r.packets[1]);
	assert_int_equal(f->octets[0], mf->r.octets[0]);
	assert_int_equal(f->serial, mf->r.serial);
}

static void
compare_records(struct records *a, struct records *b)
{
	unsigned i;

	assert_int_equal(a->n, b->n);
	qsort(a->v, a->n, sizeof(*a->v), record_compare);
	qsort(b->v, b->n, sizeof(*b->v), record_compare);
	for (i = 0; i < a->n; i++) {
		a->v[i].order = b->v[i].order = 0;
		if (memcmp(&a->v[i], &b->v[i], sizeof(a->v[i])) != 0)
			fail_msg("record %u: serial %u/%u talk %u/%u end %u/%u client %u/%u "
				 "packets %u+%u/%u+%u flags %x,%x/%x,%x",
			    i, (unsigned)a->v[i].serial, (unsigned)b->v[i].serial,
			    a->v[i].talk, b->v[i].talk, a->v[i].end, b->v[i].end,
			    a->v[i].client, b->v[i].client, (unsigned)a->v[i].packets[0],
			    (unsigned)a->v[i].packets[1], (unsigned)b->v[i].packets[0],
			    (unsigned)b->v[i].packets[1], a->v[i].tcp_flags[0],
			    a->v[i].tcp_flags[1], b->v[i].tcp_flags[0],
			    b->v[i].tcp_flags[1]);
	}
}

static void
run_model(unsigned seed, unsigned collide)
{
	struct flowtable_options opt = {.max = 2 * TALKS, .spare = TALKS, .serial_first = 1,
		.serial_step = 1, .seed = seed, .idle_us = M_IDLE, .active_us = M_ACTIVE,
		.linger_us = M_LINGER, .parts = FLOWKEY_DEFAULT, .fold = collide};
	struct flowtable_calls calls = {told_finish, told_end, told_wait, NULL};
	static struct model m;
	struct told told = {0};
	struct counters counters = {{0}};
	uint64_t us = 0, ends = 0;
	unsigned i, busy = 1, seen[FLOW_END_LACK + 1] = {0};

	memset(&m, 0, sizeof(m));
	m.out.v = calloc(RECORDS, sizeof(*m.out.v));
	told.out.v = calloc(RECORDS, sizeof(*told.out.v));
	calls.arg = &told;
	told.t = flowtable_new(&opt, &calls, &counters);
	assert_non_null(told.t);
	srand(seed);
	for (i = 0; i < PACKETS; i++) {
		unsigned talk, dir = (unsigned)rand() % 2;
		struct packet p;
		struct flowkey key;
		uint64_t hash;

		/* sometimes few talk and the others fall silent */
		if (i % 1000 == 0)
			busy = 1 + (unsigned)rand() % TALKS;
		talk = (unsigned)rand() % busy;
		us += random_gap();
		p = random_packet(talk, dir, us);
		assert_int_equal(flowtable_prepare(told.t, &p, &key, &hash), dir);
		model_packet(&m, talk, dir, &p);
		assert_non_null(flowtable_packet(told.t, &p, &key, hash,
		    dir));
		compare_alive(told.t, &m, &p, talk);
	}
	flowtable_expire(told.t, START + us + M_ACTIVE * 10);
	model_clock(&m, START + us + M_ACTIVE * 10);
	assert_int_equal(flowtable_count(told.t), 0);
	assert_int_equal(flowtable_away(told.t), 0);
	for (i = 0; i < told.out.n; i++)
		seen[told.out.v[i].end]++;
	compare_records(&told.out, &m.out);
	/* it was no walk in the park */
	assert_true(seen[FLOW_END_IDLE] > 100);
	assert_true(seen[FLOW_END_ACTIVE] > 100);
	assert_true(seen[FLOW_END_DETECTED] > 100);
	for (i = COUNTER_ENDED_IDLE; i <= COUNTER_ENDED_LACK; i++)
		ends += counters.v[i];
	assert_int_equal(ends, told.out.n);
	assert_int_equal(counters.v[COUNTER_FLOW_PACKETS], PACKETS);
	flowtable_free(told.t);
	free(m.out.v);
	free(told.out.v);
}

static void
test_model(void **state)
{
	unsigned seed;

	(void)state;
	for (seed = 1; seed <= 8; seed++)
		run_model(seed, 0);
}

/* Every flow in the first bucket, all tags alike; then in three of them. */
static void
test_model_collisions(void **state)
{
	(void)state;
	run_model(100, 1);
	run_model(101, 3);
	run_model(102, 3);
}

/*
 * Storms
 */
static unsigned
walk(const struct flowtable *t)
{
	unsigned n = 0;
	uint32_t i;

	for (i = 0; i < flowtable_slots(t); i++)
		n += flowtable_slot(t, i) != NULL;
	return n;
}

/* Tiny table, records that come home late or never, time that jumps both ways. */
static void
storm(unsigned seed, const struct flowtable_options *opt)
{
	uint64_t us = 1000 * SECOND, fed = 0, fed_octets = 0, told = 0, octets = 0, ends = 0;
	struct rig r;
	unsigned i;

	rig_options(&r);
	r.opt = *opt;
	rig_open(&r);
	srand(seed);
	for (i = 0; i < 40000; i++) {
		unsigned talk = (unsigned)rand() % 300, dir = (unsigned)rand() % 2;
		struct packet p;
		struct flowkey key;
		uint64_t hash;

		us += random_gap();
		if (rand() % 500 == 0)
			us -= us < 900 * SECOND ? 0 : (uint64_t)rand() % (20 * SECOND);
		p = random_packet(talk, dir, us);
		p.ntunnels = rand() % 10 == 0;
		r.give_back = (unsigned)rand() % 3;
		flowtable_prepare(r.t, &p, &key, &hash);
		if (flowtable_packet(r.t, &p, &key, hash, dir) != NULL) {
			fed++;
			fed_octets += p.octets;
		}
		assert_true(flowtable_count(r.t) <= opt->max);
		assert_true(flowtable_count(r.t) + flowtable_away(r.t) <=
		    opt->max + opt->spare);
		assert_true(flowtable_slots(r.t) <= opt->max + opt->spare);
		if (i % 1000 == 0)
			assert_int_equal(walk(r.t), flowtable_count(r.t));
		/* what came home is read before */
		while (r.ngot > 0 && rand() % 4 != 0) {
			struct flow *f = r.got[--r.ngot];

			told += f->packets[0] + f->packets[1];
			octets += f->octets[0] + f->octets[1];
			ends++;
			flowtable_put(r.t, f);
		}
		if (i % 5000 == 4999)
			flowtable_flush(r.t, FLOW_END_FORCED);
		r.give_back = 0;
	}
	flowtable_flush(r.t, FLOW_END_FORCED);
	for (i = 0; i < r.ngot; i++) {
		told += r.got[i]->packets[0] + r.got[i]->packets[1];
		octets += r.got[i]->octets[0] + r.got[i]->octets[1];
		ends++;
	}
	assert_int_equal(told + r.told_packets, fed);
	assert_int_equal(octets + r.told_octets, fed_octets);
	assert_int_equal(counter_get(&r.counters, COUNTER_FLOW_PACKETS), fed);
	assert_int_equal(counter_get(&r.counters, COUNTER_FLOW_BYTES), fed_octets);
	for (i = COUNTER_ENDED_IDLE; i <= COUNTER_ENDED_LACK; i++)
		ends -= counter_get(&r.counters, i);
	assert_int_equal(ends + r.told_records, 0);
	rig_free(&r);
}

static void
test_storms(void **state)
{
	struct flowtable_options opt = {.serial_first = 1, .serial_step = 1, .seed = 9,
		.idle_us = M_IDLE, .active_us = M_ACTIVE, .linger_us = M_LINGER,
		.parts = FLOWKEY_DEFAULT};
	static const struct {
		uint32_t max, spare, details;
		unsigned sweep, collide;
	} runs[] = {{16, 8, 4, 0, 0}, {16, 0, 0, 1, 1}, {100, 20, 70, 2, 0},
		{64, 300, 64, 64, 5}, {17, 1, 100, 3, 2}, {250, 1000, 1000, 1, 4}};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		opt.max = runs[i].max;
		opt.spare = runs[i].spare;
		opt.details = runs[i].details;
		opt.sweep = runs[i].sweep;
		opt.fold = runs[i].collide;
		opt.statistics = i % 2;
		storm(200 + i, &opt);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_collisions),
		cmocka_unit_test(test_storms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
