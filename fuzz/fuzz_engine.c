/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_engine.c -- frames through the decoder into a flow table of 64 flows.
 *
 *	byte 0	bit 0 tunnels, 1 no swap, 2 layer 2 octets, 3 sweeps are bounded, 4 no
 *		record comes home while it is waited for, 5 key with TOS, 6-7 first time
 *	byte 1	link type
 *	then	frames: u16 (bits 0-11 length, 14 shorter and 15 longer on the wire),
 *		u8 time since the one before (advance()), the frame
 *
 * The target keeps books of its own: what each key got, packet by packet, must be what
 * the records of that key say in the end.
 */
#include "decode.h"
#include "flowtable.h"
#include "frag.h"
#include "fuzz.h"

const char fuzz_name[] = "engine";

#define FLOWS	 64
#define SPARE	 8
#define DETAILS	 16
#define PACKETS	 512
#define SECOND	 UINT64_C(1000000)
#define YEAR9999 UINT64_C(253402300799)

struct sum {
	struct flowkey key;
	uint64_t packets[2], octets[2];
	uint64_t first_us[2], last_us[2];
	uint8_t flags[2];
};

struct engine {
	struct counters counters;
	struct decode d;
	struct flowtable_options opt;
	struct flowtable *table;
	uint64_t now_us;
	uint64_t min_us, max_us; /* of all packets in flows */
	uint64_t packets;	 /* fed */
	uint64_t dropped, records, finished;
	bool stingy; /* no record comes home while the table waits */
	struct flow *away[FLOWS + SPARE];
	unsigned naway;
	struct sum in[PACKETS], out[PACKETS]; /* by key, in the same places */
	unsigned nsums;
};

static unsigned
sum_find(struct engine *e, const struct flowkey *key)
{
	unsigned i;

	for (i = 0; i < e->nsums; i++)
		if (memcmp(&e->in[i].key, key, sizeof(*key)) == 0)
			return i;
	CHECK(e->nsums < PACKETS);
	memset(&e->in[i], 0, sizeof(e->in[i]));
	memset(&e->out[i], 0, sizeof(e->out[i]));
	e->in[i].key = e->out[i].key = *key;
	return e->nsums++;
}

/* N packets of OCTETS in all, from FIRST_US to LAST_US. */
static void
sum_add(struct sum *s, unsigned d, uint64_t n, uint64_t octets, uint64_t first_us,
    uint64_t last_us)
{
	if (n == 0)
		return;
	if (s->packets[d] == 0 || first_us < s->first_us[d])
		s->first_us[d] = first_us;
	if (last_us > s->last_us[d])
		s->last_us[d] = last_us;
	s->packets[d] += n;
	s->octets[d] += octets;
}

static void
check_detail(const struct flow *f)
{
	uint64_t sizes = 0, ttls = 0;
	unsigned i;

	if (flow_whole(f) == NULL)
		return;
	for (i = 0; i < FLOW_SIZE_BINS; i++)
		sizes += f->detail->size_bin[i];
	for (i = 0; i < FLOW_TTL_BINS; i++)
		ttls += f->detail->ttl_bin[i];
	CHECK(sizes == f->packets[0] + f->packets[1]);
	CHECK(ttls == sizes);
	for (i = 0; i < 2; i++) {
		CHECK(f->detail->fragments[i] <= f->packets[i]);
		CHECK(f->detail->iat[i].n < f->packets[i] || f->detail->iat[i].n == 0);
		CHECK(f->detail->iat[i].min <= f->detail->iat[i].max);
		CHECK(f->detail->bps_min[i] <= f->detail->bps_max[i]);
	}
	CHECK(f->detail->nmpls <= PACKET_MPLS_MAX);
}

static void
check_direction(const struct engine *e, const struct flow *f, unsigned d)
{
	if (f->packets[d] == 0) {
		CHECK(f->octets[d] == 0 && f->first_us[d] == 0);
		CHECK(f->last_dir_us[d] == 0);
		return;
	}
	CHECK(f->first_us[d] <= f->last_dir_us[d]);
	CHECK(f->first_us[d] >= e->min_us && f->last_dir_us[d] <= e->max_us);
	CHECK(f->len_min[d] <= f->len_max[d] && f->ttl_min[d] <= f->ttl_max[d]);
	CHECK(f->octets[d] >= f->packets[d] || e->opt.account_l2);
	CHECK(flow_loss(f, d).retrans + (uint64_t)flow_loss(f, d).ooorder <= f->packets[d]);
	CHECK(f->tcp[d].win_min <= f->tcp[d].win_max);
}

static void
check_record(struct engine *e, const struct flow *f)
{
	unsigned i = sum_find(e, &f->key), d;

	CHECK(f->end >= FLOW_END_IDLE && f->end <= FLOW_END_LACK);
	CHECK(f->packets[0] + f->packets[1] > 0);
	CHECK(flow_first_us(f) <= flow_last_us(f));
	CHECK(f->index < FLOWS + SPARE);
	for (d = 0; d < 2; d++) {
		check_direction(e, f, d);
		sum_add(&e->out[i], d, f->packets[d], f->octets[d], f->first_us[d],
		    f->last_dir_us[d]);
		e->out[i].flags[d] |= f->tcp[d].flags;
	}
	check_detail(f);
}

static void
come_home(struct engine *e)
{
	while (e->naway > 0)
		flowtable_put(e->table, e->away[--e->naway]);
}

/* flowtable_finish_cb */
static void
on_finish(void *arg, struct flow *f)
{
	struct engine *e = arg;

	CHECK(f->end == FLOW_END_NONE);
	e->finished++;
}

/* flowtable_end_cb */
static void
on_end(void *arg, struct flow *f)
{
	struct engine *e = arg;

	check_record(e, f);
	e->records++;
	CHECK(e->naway < FLOWS + SPARE);
	e->away[e->naway++] = f;
}

/* flowtable_wait_cb */
static bool
on_wait(void *arg)
{
	struct engine *e = arg;

	if (e->stingy || e->naway == 0)
		return false;
	flowtable_put(e->table, e->away[--e->naway]);
	return true;
}

/*
 * Time goes on by a number of 6 bits in units of 1 ms, 100 ms or 10 s; with the fourth
 * unit it goes back by seconds, and what is away comes home.
 */
static void
advance(struct engine *e, uint8_t dt)
{
	static const uint64_t unit[] = {1000, SECOND / 10, 10 * SECOND};
	uint64_t n = dt & 63;

	if (dt >> 6 < 3)
		e->now_us += n * unit[dt >> 6];
	else if (e->now_us > n * SECOND)
		e->now_us -= n * SECOND;
	if (e->now_us > YEAR9999 * SECOND + SECOND - 1) /* as capture's times end */
		e->now_us = YEAR9999 * SECOND + SECOND - 1;
	if (dt >> 6 == 3)
		come_home(e);
}

static void
account(struct engine *e, const struct packet *p)
{
	struct flowkey key;
	uint64_t hash;
	unsigned dir = flowtable_prepare(e->table, p, &key, &hash), i;
	struct flow *f;

	if (p->ts_us < e->min_us)
		e->min_us = p->ts_us;
	if (p->ts_us > e->max_us)
		e->max_us = p->ts_us;
	f = flowtable_packet(e->table, p, &key, hash, dir);
	if (f == NULL) {
		CHECK(e->stingy);
		e->dropped++;
		return;
	}
	CHECK(flowtable_find(e->table, &key) == f);
	CHECK(f->packets[dir] > 0 && memcmp(&f->key, &key, sizeof(key)) == 0);
	i = sum_find(e, &key);
	sum_add(&e->in[i], dir, 1, e->opt.account_l2 ? p->wirelen : p->octets, p->ts_us,
	    p->ts_us);
	e->in[i].flags[dir] |= p->tcp_flags;
}

static void
feed(struct engine *e, struct input *in, uint16_t link)
{
	uint16_t head = input_u16(in);
	size_t n = head & 0xfff;
	struct frame f = {.link = link};
	struct packet p;
	enum counter r;

	advance(e, input_u8(in));
	f.data = input_frame(in, &n);
	f.ts_us = e->now_us;
	f.caplen = f.wirelen = (uint32_t)n;
	if (head & 0x8000)
		f.wirelen += 1000;
	else if (head & 0x4000)
		f.wirelen /= 2;
	r = decode_frame(&e->d, &f, &p);
	e->packets++;
	if (r == COUNTER_FLOW_PACKETS)
		account(e, &p);
	else
		e->dropped++;
	free((uint8_t *)f.data);
	CHECK(flowtable_count(e->table) <= FLOWS);
	CHECK(flowtable_away(e->table) == e->naway);
	CHECK(flowtable_slots(e->table) <= FLOWS + SPARE);
}

/* The books, after everything has ended. */
static void
settle(struct engine *e)
{
	const struct counters *c = &e->counters;
	uint64_t packets = 0, octets = 0;
	unsigned i, d;

	for (i = 0; i < e->nsums; i++)
		for (d = 0; d < 2; d++) {
			CHECK(e->in[i].packets[d] == e->out[i].packets[d]);
			CHECK(e->in[i].octets[d] == e->out[i].octets[d]);
			CHECK(e->in[i].first_us[d] == e->out[i].first_us[d]);
			CHECK(e->in[i].last_us[d] == e->out[i].last_us[d]);
			CHECK((e->out[i].flags[d] & ~e->in[i].flags[d]) == 0);
			packets += e->out[i].packets[d];
			octets += e->out[i].octets[d];
		}
	CHECK(counter_get(c, COUNTER_FLOW_PACKETS) == packets);
	CHECK(counter_get(c, COUNTER_FLOW_BYTES) == octets);
	CHECK(packets + e->dropped == e->packets);
	CHECK(counter_get(c, COUNTER_ENDED_IDLE) +
		  counter_get(c, COUNTER_ENDED_ACTIVE) +
		  counter_get(c, COUNTER_ENDED_DETECTED) +
		  counter_get(c, COUNTER_ENDED_FORCED) +
		  counter_get(c, COUNTER_ENDED_LACK) ==
	      e->records);
	CHECK(e->finished >= e->records);
	CHECK(counter_get(c, COUNTER_FLOWS_MAX) <= FLOWS);
}

static void
open_engine(struct engine *e, uint8_t head)
{
	static const uint64_t start[] = {1700000000, 0, 1, YEAR9999 - 100};
	const struct flowtable_calls calls = {on_finish, on_end, on_wait, e};

	memset(e, 0, offsetof(struct engine, in));
	e->nsums = 0;
	e->now_us = start[head >> 6] * SECOND;
	e->min_us = UINT64_MAX;
	e->stingy = head & 16;
	e->opt = (struct flowtable_options){.max = FLOWS,
	    .spare = SPARE,
	    .details = DETAILS,
	    .serial_first = 1,
	    .serial_step = 1,
	    .seed = 42,
	    .idle_us = 30 * SECOND,
	    .active_us = 120 * SECOND,
	    .linger_us = 5 * SECOND,
	    .parts = FLOWKEY_DEFAULT,
	    .statistics = true,
	    .no_swap = head & 2,
	    .account_l2 = head & 4,
	    .sweep = head & 8 ? 2 : 0};
	if (head & 32)
		e->opt.parts |= FLOWKEY_TOS;
	e->table = flowtable_new(&e->opt, &calls, &e->counters);
	e->d.tunnels = head & 1;
	e->d.counters = &e->counters;
	e->d.frag = frag_new(8, 1, &e->counters);
	CHECK(e->table != NULL && e->d.frag != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct engine engine; /* too large for a stack; set anew each time */
	struct input in = {data, len};
	struct engine *e = &engine;
	uint16_t link;

	open_engine(e, input_u8(&in));
	link = fuzz_link_of(input_u8(&in));
	while (in.left > 2 && e->packets < PACKETS)
		feed(e, &in, link);
	flowtable_flush(e->table, FLOW_END_FORCED);
	CHECK(flowtable_count(e->table) == 0);
	settle(e);
	come_home(e);
	CHECK(flowtable_away(e->table) == 0);
	flowtable_free(e->table);
	frag_free(e->d.frag);
	return 0;
}
