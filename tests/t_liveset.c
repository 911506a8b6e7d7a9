/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_liveset.c -- questions to workers that run: a file kept open, several workers, a
 * fast run, a pipe that falls silent, a slow replay. Control sleeps on its bell as the
 * loop does, so a bell that is not rung fails the test.
 */
#include "capture_files.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "deal.h"
#include "live.h"
#include "liveset.h"
#include "trace.h"
#include "worker.h"

#define PATIENCE_MS 20000
#define WORKERS	    3
#define FLOWS_MAX   65536
#define INSISTENT   10000000

static char *file_names[] = {path};
static const struct strlist files = {file_names, 1};

/* Control, and what it was told. */
struct rig {
	struct config config;
	struct bell bell;
	struct deal *deal;
	struct worker *worker[WORKERS];
	unsigned n;
	struct alive *alive;
	uint64_t interval_us;
	bool posts_held; /* leave posts and flows where they are */
	uint64_t told_packets, told_flows, posted, news, ended;
	uint8_t born[FLOWS_MAX]; /* POST_NEW seen */
	/* answers */
	unsigned found, missed, pages, names;
	uint64_t packets; /* of the flow found */
	uint64_t next;
	uint8_t seen[FLOWS_MAX];
	bool walk_on; /* ask for the next page from within the answer */
};

/*
 * Traffic: flow N is 10.x.y.1 port 1000 -> 10.0.0.0 port 53, UDP over Ethernet.
 */
static void
put_packet(struct bytes *b, unsigned n, uint64_t us)
{
	uint8_t p[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45};

	p[17] = 46; /* octets */
	p[22] = 64;
	p[23] = 17;
	p[26] = p[30] = 10;
	p[27] = (uint8_t)(n >> 8);
	p[28] = (uint8_t)n;
	p[29] = 1;
	p[34] = 1000 >> 8;
	p[35] = 1000 & 0xff;
	p[37] = 53;
	p[39] = 26;
	put_record(b, (uint32_t)(BASE_S + us / 1000000), (uint32_t)(us % 1000000), p,
	    sizeof(p), sizeof(p));
}

static unsigned
flow_number(const struct flowkey *key)
{
	assert_int_equal(key->addr[1][15], 1);
	return (unsigned)key->addr[1][13] << 8 | key->addr[1][14];
}

static struct flowkey
key_of(unsigned n)
{
	struct packet p = {.ip_version = 4, .proto = 17, .sport = 1000, .dport = 53};
	struct flowkey key;

	p.src[10] = p.src[11] = p.dst[10] = p.dst[11] = 0xff;
	p.src[12] = p.dst[12] = 10;
	p.src[13] = (uint8_t)(n >> 8);
	p.src[14] = (uint8_t)n;
	p.src[15] = 1;
	flowkey_make(&key, &p, FLOWKEY_DEFAULT);
	return key;
}

/* PACKETS packets of FLOWS flows by turns, all within a second. */
static void
put_traffic(struct bytes *b, unsigned flows, unsigned packets)
{
	unsigned i;

	put_header(b, MAGIC_US, 65535, 1);
	for (i = 0; i < packets; i++)
		put_packet(b, i % flows, i % 1000000);
}

/*
 * The rig
 */
static void
rig_init(struct rig *r, unsigned workers)
{
	memset(r, 0, sizeof(*r));
	r->config = (struct config){.snaplen = 65535, .sampling = 1, .max_flows = 60000,
		.workers = (int)workers, .idle_s = 30, .lifetime_s = 120, .stay = true,
		.aggregation = FLOWKEY_DEFAULT};
	r->n = workers;
	r->interval_us = 20000;
	assert_int_equal(bell_init(&r->bell), 0);
	r->alive = alive_new(r->worker, r->n);
	assert_non_null(r->alive);
	assert_int_equal(alive_count(r->alive), 0);
	assert_int_equal(alive_page(r->alive, 0, NULL, NULL), 0); /* nobody to ask */
}

static void
rig_make(struct rig *r)
{
	struct worker_setup s = {.config = &r->config, .seed = 7, .control = &r->bell,
		.cloud = true, .cloud_interval_us = r->interval_us};
	struct capture *file = must_open(path, &plain);
	unsigned i;

	s.files = &files;
	if (r->n > 1) {
		struct deal_setup d = {&r->config, &files, file, r->n, false, 7, NULL, NULL};

		r->deal = s.deal = deal_new(&d);
		assert_non_null(r->deal);
	} else
		s.file = file;
	for (i = 0; i < r->n; i++) {
		s.id = i;
		r->worker[i] = worker_new(&s, err, sizeof(err));
		assert_non_null(r->worker[i]);
	}
}

static void
rig_start(struct rig *r)
{
	struct bell *bells[WORKERS];
	unsigned i;

	for (i = 0; i < r->n; i++) {
		bells[i] = worker_bell(r->worker[i]);
		assert_int_equal(worker_start(r->worker[i]), 0);
	}
	if (r->deal != NULL)
		assert_int_equal(deal_start(r->deal, bells), 0);
}

static void
rig_delta(struct rig *r, const struct flowdelta *d)
{
	assert_true(d->packets[0] + d->packets[1] < UINT32_MAX); /* nothing is taken back */
	r->told_packets += d->packets[0] + d->packets[1];
	r->told_flows += d->fresh;
}

static void
rig_take(struct rig *r, struct worker *w)
{
	uint32_t ended = worker_ended_count(w);
	alignas(64) uint8_t msg[POST_MAX];
	struct post_head head;
	struct flowdelta d;
	struct flow *f;

	while (worker_post(w, &head, msg)) {
		if (head.kind == POST_NEW) {
			r->news++;
			r->born[flow_number(&((struct flow *)msg)->key)]++;
			continue;
		}
		assert_int_equal(head.kind, POST_DELTA);
		r->posted++;
		rig_delta(r, (struct flowdelta *)msg);
	}
	while (ended-- > 0 && (f = worker_ended(w)) != NULL) {
		r->ended++;
		if (r->news > 0)
			assert_true(r->born[flow_number(&f->key)] > 0);
		if (flowdelta_make(&d, f, worker_told(w, f)))
			rig_delta(r, &d);
		worker_return(w, f);
	}
}

static void
rig_turn(struct rig *r)
{
	unsigned i;

	for (i = 0; i < r->n && !r->posts_held; i++)
		rig_take(r, r->worker[i]);
	while (alive_answers(r->alive))
		;
}

/* As control's loop: work, arm, look once more, sleep. */
static void
rig_arm(struct rig *r)
{
	rig_turn(r);
	bell_arm(&r->bell);
	rig_turn(r);
}

static void
rig_poll(struct rig *r)
{
	struct pollfd p = {r->bell.fd, POLLIN, 0};

	if (poll(&p, 1, PATIENCE_MS) == 0)
		fail_msg("nobody rang");
}

#define WAIT_UNTIL(r, what) \
	while (!(what)) { \
		rig_arm(r); \
		if (!(what)) \
			rig_poll(r); \
		bell_quiet(&(r)->bell); \
		rig_turn(r); \
	}

static bool
rig_all(const struct rig *r, enum worker_state state)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (worker_state(r->worker[i]) != state)
			return false;
	return true;
}

static void
rig_until(struct rig *r, enum worker_state state)
{
	WAIT_UNTIL(r, rig_all(r, state));
	rig_turn(r);
}

/* Wait for COUNT, bumped by an answer, to reach N. */
static void
rig_answers(struct rig *r, const unsigned *count, unsigned n)
{
	WAIT_UNTIL(r, *count >= n);
	assert_int_equal(*count, n);
}

static void
rig_stop(struct rig *r)
{
	unsigned i;

	if (r->deal != NULL)
		deal_stop(r->deal);
	for (i = 0; i < r->n; i++)
		worker_stop(r->worker[i]);
	rig_until(r, WORKER_DONE);
}

static void
rig_clear(struct rig *r)
{
	unsigned i;

	rig_turn(r);
	for (i = 0; i < r->n; i++)
		worker_free(r->worker[i]);
	deal_free(r->deal);
	alive_free(r->alive);
	bell_clear(&r->bell);
}

static uint64_t
rig_count(const struct rig *r, enum counter id)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < r->n; i++)
		sum += counter_get(worker_counters(r->worker[i]), id);
	return sum;
}

/*
 * Answers
 */
static void
on_found(void *arg, const struct alive_flow *flow)
{
	struct rig *r = arg;

	if (flow == NULL) {
		r->missed++;
		return;
	}
	r->found++;
	r->packets = flow->flow.packets[0] + flow->flow.packets[1];
	assert_true(flow->flow.l7 == NULL || flow->flow.l7 == &flow->l7);
	assert_true(flow->flow.detail == NULL || flow->flow.detail == &flow->detail);
}

static void
on_page(void *arg, const struct alive_name *names, unsigned n, uint64_t next)
{
	struct rig *r = arg;
	unsigned i;

	assert_true(n <= ALIVE_PAGE);
	r->pages++;
	r->names += n;
	r->next = next;
	for (i = 0; i < n; i++) {
		/* flow N's client is the side that is not 10.0.0.0 */
		assert_int_equal(names[i].client, 1);
		r->seen[flow_number(&names[i].key)]++;
	}
	if (next != 0 && r->walk_on)
		assert_true(alive_page(r->alive, next, on_page, r) != 0);
}

/* All names, page by page. */
static void
rig_walk(struct rig *r)
{
	memset(r->seen, 0, sizeof(r->seen));
	r->walk_on = true;
	r->next = 1;
	r->names = 0;
	assert_true(alive_page(r->alive, 0, on_page, r) != 0);
	WAIT_UNTIL(r, r->next == 0);
	r->walk_on = false;
}

/*
 * The file has ended and its flows stay
 */
static void
check_held(struct rig *r, unsigned flows, unsigned packets)
{
	struct flowkey key;
	unsigned i;

	assert_int_equal(alive_count(r->alive), flows);
	/* each was told of, once, though none has ended */
	assert_int_equal(r->ended, 0);
	assert_int_equal(r->told_packets, packets);
	assert_int_equal(r->told_flows, flows);
	assert_true(r->posted >= flows);
	assert_int_equal(r->posted, rig_count(r, COUNTER_DELTAS));
	for (i = 0; i < 20; i++) {
		key = key_of(i * 7 % (flows + 50));
		assert_true(alive_find(r->alive, &key, on_found, r) != 0);
	}
	WAIT_UNTIL(r, r->found + r->missed == 20);
	assert_int_equal(r->missed, 0);
	assert_int_equal(r->packets, packets / flows);
	key = key_of(flows);
	assert_true(alive_find(r->alive, &key, on_found, r) != 0);
	rig_answers(r, &r->missed, 1);
	rig_walk(r);
	assert_int_equal(r->names, flows);
	for (i = 0; i < FLOWS_MAX; i++)
		assert_int_equal(r->seen[i], i < flows);
	assert_true(rig_count(r, COUNTER_QUERIES) >= 21 * r->n + flows / ALIVE_PAGE);
}

/* Whoever asks those who have gone is answered too, but not from within the call. */
static void
check_gone(struct rig *r)
{
	struct flowkey key = key_of(1);
	uint64_t before = rig_count(r, COUNTER_QUERIES);

	r->missed = r->found = 0;
	rig_arm(r);
	assert_true(alive_find(r->alive, &key, on_found, r) != 0);
	assert_int_equal(r->missed, 0);
	rig_poll(r); /* control may be asleep then, too */
	bell_quiet(&r->bell);
	rig_turn(r);
	assert_int_equal(r->missed, 1);
	rig_walk(r);
	assert_int_equal(r->names, 0);
	assert_int_equal(r->found, 0);
	assert_int_equal(rig_count(r, COUNTER_QUERIES), before);
}

/* Somebody who asks again with each answer does not hold up who takes the answers. */
static void
on_found_again(void *arg, const struct alive_flow *flow)
{
	struct rig *r = arg;
	struct flowkey key = key_of(1);

	assert_null(flow);
	if (++r->missed < INSISTENT)
		assert_true(alive_find(r->alive, &key, on_found_again, r) != 0);
}

static void
check_insistent(struct rig *r)
{
	struct flowkey key = key_of(1);

	r->missed = 0;
	assert_true(alive_find(r->alive, &key, on_found_again, r) != 0);
	assert_true(alive_answers(r->alive));
	assert_true(r->missed < INSISTENT);
	r->missed = INSISTENT; /* once more */
	while (alive_answers(r->alive))
		;
	assert_int_equal(r->missed, INSISTENT + 1);
}

/* Control takes nothing: a worker that reads a file waits when the ring is full. */
static void
check_waits(struct rig *r, unsigned flows)
{
	while (rig_count(r, COUNTER_FLOW_PACKETS) < r->n * LIVE_POST / 1024)
		usleep(1000);
	usleep(20000);
	assert_true(rig_count(r, COUNTER_FLOW_PACKETS) < flows);
	r->posts_held = false;
}

static void
stay(unsigned workers, unsigned flows, unsigned packets, bool news)
{
	static struct rig r;
	struct bytes b = {0};
	unsigned i;

	put_traffic(&b, flows, packets);
	save(&b, b.len);
	rig_init(&r, workers);
	rig_make(&r);
	for (i = 0; i < workers; i++)
		worker_want_new(r.worker[i], news);
	r.posts_held = news;
	rig_start(&r);
	if (news)
		check_waits(&r, flows);
	rig_until(&r, WORKER_HOLDING);
	check_held(&r, flows, packets);
	assert_int_equal(r.news, news ? flows : 0);
	rig_stop(&r);
	assert_int_equal(r.ended, flows);
	assert_int_equal(r.told_packets, packets); /* no more than was told before */
	assert_int_equal(r.told_flows, flows);
	assert_int_equal(rig_count(&r, COUNTER_POSTS_LOST), 0);
	check_gone(&r);
	if (workers == 1) /* of several the bell tells */
		check_insistent(&r);
	rig_clear(&r);
	drop(&b);
}

static void
test_stay(void **state)
{
	(void)state;
	stay(1, 3000, 9000, false);
	stay(1, 9000, 9000, true); /* more news than the ring has room for */
}

static void
test_stay_dealt(void **state)
{
	(void)state;
	stay(WORKERS, 18000, 54000, true);
}

/* Connections that outlive the active timeout, told of all the time: each counts once. */
static void
test_long(void **state)
{
	static struct rig r;
	struct bytes b = {0};
	unsigned i;

	(void)state;
	put_header(&b, MAGIC_US, 65535, 1);
	for (i = 0; i < 40000; i++)
		put_packet(&b, i % 40, (uint64_t)i * 25000);
	save(&b, b.len);
	rig_init(&r, 1);
	r.interval_us = 1;
	rig_make(&r);
	rig_start(&r);
	rig_until(&r, WORKER_HOLDING);
	assert_true(rig_count(&r, COUNTER_ENDED_ACTIVE) > 40 * 7);
	assert_true(rig_count(&r, COUNTER_DELTAS) > 1000);
	assert_int_equal(r.told_packets, 40000);
	assert_int_equal(r.told_flows, 40);
	rig_stop(&r);
	assert_int_equal(r.told_packets, 40000);
	assert_int_equal(r.told_flows, 40);
	rig_clear(&r);
	drop(&b);
}

/* A position nobody gave out, and too many questions at once. */
static void
test_bounds(void **state)
{
	static const uint64_t bad[] = {UINT64_MAX, (uint64_t)WORKERS << 32,
		((uint64_t)WORKERS << 32) + 1, (UINT64_C(1) << 32) - 1,
		UINT64_C(1) << 63};
	static struct rig r;
	struct bytes b = {0};
	struct flowkey key = key_of(0);
	uint64_t ticket[WORKER_COMMANDS];
	unsigned i;

	(void)state;
	put_traffic(&b, 10, 10);
	save(&b, b.len);
	rig_init(&r, 1);
	rig_make(&r);
	rig_start(&r);
	rig_until(&r, WORKER_HOLDING);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r.next = 1;
		assert_true(alive_page(r.alive, bad[i], on_page, &r) != 0);
		rig_answers(&r, &r.pages, i + 1);
		assert_int_equal(r.names, 0);
		assert_int_equal(r.next, 0);
	}
	for (i = 0; i < WORKER_COMMANDS; i++) {
		ticket[i] = alive_find(r.alive, &key, on_found, &r);
		assert_true(ticket[i] != 0);
	}
	assert_int_equal(alive_find(r.alive, &key, on_found, &r), 0);
	assert_int_equal(alive_page(r.alive, 0, on_page, &r), 0);
	/* who is gone is not called back; its place is free after the answer */
	for (i = 0; i < WORKER_COMMANDS; i += 2)
		alive_forget(r.alive, ticket[i]);
	alive_forget(r.alive, 0);
	alive_forget(r.alive, UINT64_MAX);
	rig_answers(&r, &r.found, WORKER_COMMANDS / 2);
	WAIT_UNTIL(&r, rig_count(&r, COUNTER_QUERIES) >= WORKER_COMMANDS + r.pages);
	rig_turn(&r);
	assert_int_equal(r.found, WORKER_COMMANDS / 2);
	assert_true(alive_find(r.alive, &key, on_found, &r) != 0);
	rig_answers(&r, &r.found, WORKER_COMMANDS / 2 + 1);
	rig_stop(&r);
	rig_clear(&r);
	drop(&b);
}

/*
 * Questions all along a fast run: each is answered once, whether the workers still run,
 * wait for control, or have gone.
 */
static void
fast(unsigned workers)
{
	static struct rig r;
	struct bytes b = {0};
	struct flowkey key;
	unsigned asked = 0, refused = 0, pages = 0, i;

	put_traffic(&b, 40000, 200000);
	save(&b, b.len);
	rig_init(&r, workers);
	r.config.stay = false;
	rig_make(&r);
	for (i = 0; i < workers; i++)
		worker_want_new(r.worker[i], true);
	rig_start(&r);
	while (!rig_all(&r, WORKER_DONE)) {
		key = key_of(asked * 11);
		if (alive_find(r.alive, &key, on_found, &r) != 0)
			asked++;
		else
			refused++;
		if (asked % 8 == 0 &&
		    alive_page(r.alive, asked * 1000 % 60000, on_page, &r) != 0)
			pages++;
		r.posts_held = asked % 64 < 32 && refused < 64;
		rig_turn(&r);
		if (asked % 16 == 0)
			usleep(200);
	}
	r.posts_held = false;
	/* the last are asked when nobody listens any more */
	WAIT_UNTIL(&r, r.found + r.missed >= asked && r.pages >= pages);
	rig_turn(&r);
	assert_int_equal(r.found + r.missed, asked);
	assert_int_equal(r.pages, pages);
	assert_int_equal(r.told_packets, 200000);
	assert_int_equal(r.told_flows, 40000);
	assert_int_equal(r.ended, 40000);
	assert_int_equal(r.news, 40000);
	rig_clear(&r);
	drop(&b);
}

static void
test_fast(void **state)
{
	(void)state;
	fast(1);
	fast(2);
}

/*
 * A pipe that falls silent in the middle of a record, with questions meanwhile: no byte
 * is lost to them.
 */
static void
on_wakeup(int sig)
{
	(void)sig;
}

static void
test_silent_pipe(void **state)
{
	static struct rig r;
	struct sigaction sa = {.sa_handler = on_wakeup};
	struct bytes b = {0};
	struct flowkey key = key_of(3);
	size_t half;
	unsigned i;
	int fd;

	(void)state;
	sigaction(SIGUSR2, &sa, NULL);
	put_traffic(&b, 100, 600);
	half = 24 + 76 * 300 + 20; /* in the 301st record */
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, b.p, half), (ssize_t)half);
	rig_init(&r, 1);
	r.config.stay = false;
	rig_make(&r);
	rig_start(&r);
	while (rig_count(&r, COUNTER_FLOW_PACKETS) < 300)
		usleep(1000);
	for (i = 1; i <= 3; i++) {
		assert_true(alive_find(r.alive, &key, on_found, &r) != 0);
		rig_answers(&r, &r.found, i);
		assert_int_equal(r.packets, 3);
	}
	rig_walk(&r); /* a walk does not wait for the pipe with each page */
	assert_int_equal(r.names, 100);
	/* what was touched is told of by now, or soon */
	WAIT_UNTIL(&r, r.told_packets >= 300);
	assert_int_equal(r.told_flows, 100);
	assert_int_equal(write(fd, b.p + half, b.len - half), (ssize_t)(b.len - half));
	close(fd);
	rig_until(&r, WORKER_DONE);
	assert_int_equal(rig_count(&r, COUNTER_FLOW_PACKETS), 600);
	assert_int_equal(rig_count(&r, COUNTER_FILES_BAD), 0);
	assert_int_equal(r.told_packets, 600);
	assert_int_equal(r.told_flows, 100);
	rig_clear(&r);
	unlink(path);
	drop(&b);
}

/* --speed: the next packet is due in an hour. */
static void
test_slow_replay(void **state)
{
	static struct rig r;
	struct bytes b = {0};
	struct flowkey key = key_of(4);

	(void)state;
	put_traffic(&b, 10, 10);
	put_packet(&b, 4, UINT64_C(3600) * 1000000);
	save(&b, b.len);
	rig_init(&r, 1);
	r.config.speed = 1;
	rig_make(&r);
	rig_start(&r);
	while (rig_count(&r, COUNTER_FLOW_PACKETS) < 10)
		usleep(1000);
	assert_true(alive_find(r.alive, &key, on_found, &r) != 0);
	rig_answers(&r, &r.found, 1);
	WAIT_UNTIL(&r, r.told_packets >= 10);
	rig_stop(&r);
	assert_int_equal(r.ended, 10);
	assert_int_equal(r.told_packets, 10);
	rig_clear(&r);
	drop(&b);
}

/* A worker that stops has no time for questions, and no question is left open. */
static void
test_stop(void **state)
{
	static struct rig r;
	struct bytes b = {0};
	struct flowkey key = key_of(4);
	unsigned i;

	(void)state;
	put_traffic(&b, 1000, 1000);
	save(&b, b.len);
	for (i = 0; i < 20; i++) {
		rig_init(&r, 1);
		rig_make(&r);
		rig_start(&r);
		if (i % 2)
			rig_until(&r, WORKER_HOLDING);
		while (alive_find(r.alive, &key, on_found, &r) != 0)
			;
		worker_stop(r.worker[0]);
		WAIT_UNTIL(&r, r.found + r.missed >= WORKER_COMMANDS);
		rig_until(&r, WORKER_DONE);
		assert_int_equal(r.found + r.missed, WORKER_COMMANDS);
		rig_clear(&r);
	}
	drop(&b);
}

/* Without the key tree nothing is kept, and questions are answered all the same. */
static void
test_no_cloud(void **state)
{
	static struct rig r;
	struct bytes b = {0};
	struct worker_setup s = {.config = &r.config, .seed = 7, .control = &r.bell};
	struct flow *f = NULL;

	(void)state;
	put_traffic(&b, 100, 300);
	save(&b, b.len);
	rig_init(&r, 1);
	s.file = must_open(path, &plain);
	s.files = &files;
	r.worker[0] = worker_new(&s, err, sizeof(err));
	assert_non_null(r.worker[0]);
	rig_start(&r);
	rig_until(&r, WORKER_HOLDING);
	assert_int_equal(r.posted, 0);
	rig_walk(&r);
	assert_int_equal(r.names, 100);
	worker_stop(r.worker[0]);
	while ((f = worker_ended(r.worker[0])) == NULL)
		usleep(100);
	assert_null(worker_told(r.worker[0], f));
	worker_return(r.worker[0], f);
	rig_until(&r, WORKER_DONE);
	assert_int_equal(r.ended, 99);
	rig_clear(&r);
	drop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stay),
		cmocka_unit_test(test_stay_dealt),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_silent_pipe),
		cmocka_unit_test(test_slow_replay),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_no_cloud),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
