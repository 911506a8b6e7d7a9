/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable.c -- a pool of records, a hash over them, and lists in order of time.
 *
 *	hash	buckets of one cache line: 10 tags (upper bits of the hash) with the slots
 *		they stand for, and how many flows that belong here had to go further
 *		(0: a miss ends here); flowtable_hash.h.
 *	wheels	of ticks, one for each of NEW (TCP SYN without an answer), IDLE (the
 *		rest) and CLOSING (FIN both ways or RST). A flow is in the tick in which
 *		it would time out had it done nothing more; a packet does not move it.
 *		When the tick has passed it is looked at: it ends, or goes where it
 *		belongs by then. So a flow costs a look per timeout, however busy it is,
 *		and no packet touches a flow's neighbours. Timeouts are exact where a
 *		packet could tell the difference: it checks its own flow's first.
 *	pool	max + spare records, untouched memory until first used; details in slabs.
 *		Links are slot numbers, half the size of pointers.
 */
#include <string.h>

#include "flowaccount.h"
#include "flowtable_hash.h"
#include "flowtcp.h"

#define FETCH_MIN 1024 /* flows alive from which on records are fetched ahead */
/* In an emergency the idle timeout is divided by these. */
#define EMERGENCY_NEW  6 /* TCP SYN without an answer */
#define EMERGENCY_IDLE 3

/*
 * Ends
 */
static void
flowtable_count_end(struct flowtable *t, enum flow_end reason)
{
	static const enum counter of[] = {
		[FLOW_END_IDLE] = COUNTER_ENDED_IDLE,
		[FLOW_END_ACTIVE] = COUNTER_ENDED_ACTIVE,
		[FLOW_END_DETECTED] = COUNTER_ENDED_DETECTED,
		[FLOW_END_FORCED] = COUNTER_ENDED_FORCED,
		[FLOW_END_LACK] = COUNTER_ENDED_LACK,
	};

	counter_inc(t->counters, of[reason]);
}

/* Hand a record that is in no list and no hash to the owner of the table. */
static void
flowtable_send(struct flowtable *t, struct flow *f, enum flow_end reason)
{
	unsigned d;

	for (d = 0; d < 2; d++)
		if (f->packets[d] == 0)
			f->last_dir_us[d] = 0;
	f->end = reason;
	f->ended_us = t->clock_us;
	t->away++;
	flowtable_count_end(t, reason);
	t->call.end(t->call.arg, f);
}

static void
flowtable_end(struct flowtable *t, struct flow *f, enum flow_end reason)
{
	wheel_remove(t, f);
	f->list = LIST_NONE;
	if (!t->flushing)
		hash_remove(t, f);
	t->alive--;
	if (t->plugins.close != NULL)
		t->plugins.close(t->plugins.arg, f);
	t->call.finish(t->call.arg, f);
	if (f->packets[0] + f->packets[1] == 0) {
		/* everything was reported at the active timeout */
		t->away++;
		flowtable_put(t, f);
		return;
	}
	flowtable_send(t, f, reason);
}

/* What a flow keeps when it starts afresh after a report: who it is, not what it did. */
static void
flowtable_restart(struct flow *f)
{
	unsigned d;

	memset(f->packets, 0, sizeof(f->packets));
	memset(f->octets, 0, sizeof(f->octets));
	memset(f->first_us, 0, sizeof(f->first_us));
	/* the last times stay until there are others: the idle timeout goes by them */
	memset(f->len_min, 0, sizeof(f->len_min));
	memset(f->len_max, 0, sizeof(f->len_max));
	memset(f->ttl_min, 0, sizeof(f->ttl_min));
	memset(f->ttl_max, 0, sizeof(f->ttl_max));
	for (d = 0; d < 2; d++) {
		if (f->key.proto != 6)
			continue;
		f->tcp[d].flags = 0;
		f->tcp[d].win_min = f->tcp[d].win_max = 0;
		f->tcp_state[d] &= (uint8_t)~FLOW_TCP_WINDOWED;
	}
	f->flags |= FLOW_RESTARTED;
}

/* Report F while it lives, for REASON: a copy leaves, F starts afresh. */
static void
flowtable_report(struct flowtable *t, struct flow *f, enum flow_end reason)
{
	struct flow *copy = pool_take(t);
	uint32_t index;

	if (copy == NULL)
		return; /* no record: it goes on, and is looked at again */
	t->call.finish(t->call.arg, f);
	index = copy->index;
	memcpy(copy, f, sizeof(*copy));
	copy->index = index;
	copy->list = LIST_NONE;
	if (f->l7 != NULL)
		copy->l7 = flow_l7_copy(f->l7);
	copy->flags |= FLOW_CUT;
	f->detail = NULL; /* COPY has it now */
	f->flags &= ~(uint32_t)(FLOW_DETAIL_WHOLE | FLOW_FEW);
	detail_restart(t, f, flow_details(copy));
	flowtable_restart(f);
	if (t->plugins.cut != NULL)
		t->plugins.cut(t->plugins.arg, f, copy);
	flowtable_send(t, copy, reason);
}

void
flowtable_cut(struct flowtable *t, struct flow *f)
{
	flowtable_report(t, f, FLOW_END_DETECTED);
}

/*
 * Timeouts
 */
static inline uint64_t
list_timeout(const struct flowtable *t, unsigned l)
{
	return l == LIST_CLOSING ? t->opt.linger_us : t->opt.idle_us;
}

/*
 * The clock at the latest packet of F: that packet's own time, or the tick, where packets
 * come in another order than that of their times.
 */
static inline uint64_t
flow_used_us(const struct flow *f)
{
	uint64_t a = f->last_dir_us[0], b = f->last_dir_us[1], last = a > b ? a : b;

	return f->ahead == 0 ? last : (wheel_tick(last) + f->ahead) << TICK_SHIFT;
}

/* F is used now. */
static inline void
flow_use(const struct flowtable *t, struct flow *f)
{
	uint64_t a = f->last_dir_us[0], b = f->last_dir_us[1];
	uint64_t ahead = t->tick - wheel_tick(a > b ? a : b);

	f->ahead = ahead > UINT32_MAX ? UINT32_MAX : (uint32_t)ahead;
}

/* Is there anything to report, and when did it begin? */
static inline uint64_t
flow_start_us(const struct flow *f)
{
	uint64_t a = f->first_us[0], b = f->first_us[1];

	return a == 0 || (b != 0 && b < a) ? b : a;
}

/*
 * Why F, silent for its timeout, ends. Had the clock moved in smaller steps, the active
 * timeout might have come first and left nothing to report: the reason must not hang on
 * what other flows, or other workers, had to do at that time.
 */
static enum flow_end
silent_reason(const struct flowtable *t, const struct flow *f)
{
	uint64_t start = flow_start_us(f);

	if (f->list == LIST_CLOSING)
		return FLOW_END_DETECTED;
	if (start != 0 &&
	    start + t->opt.active_us <= flow_used_us(f) + list_timeout(t, f->list))
		return FLOW_END_ACTIVE;
	return FLOW_END_IDLE;
}

/* When F ends by silence. */
static inline uint64_t
flowtable_idle_due(const struct flowtable *t, const struct flow *f)
{
	return flow_used_us(f) + list_timeout(t, f->list);
}

/* The reason for which F, without a packet until now, is over; NONE: it may go on. */
static enum flow_end
flowtable_silent(const struct flowtable *t, const struct flow *f)
{
	if (t->clock_us <= flowtable_idle_due(t, f))
		return FLOW_END_NONE;
	return silent_reason(t, f);
}

/* The active timeout's time starts with the first packet after a report. */
static inline bool
flowtable_aged(const struct flowtable *t, const struct flow *f)
{
	uint64_t start = flow_start_us(f);

	return start != 0 && t->clock_us >= start + t->opt.active_us;
}

/* When F must be looked at: when it ends by silence, or for its age. */
static inline uint64_t
flowtable_look_due(const struct flowtable *t, const struct flow *f)
{
	uint64_t due = flowtable_idle_due(t, f), start = flow_start_us(f);

	if (start != 0 && start + t->opt.active_us < due)
		due = start + t->opt.active_us;
	return due;
}

/* The time for which F stood in its tick has passed, or so it seemed. */
static void
flowtable_look(struct flowtable *t, struct flow *f)
{
	enum flow_end over = flowtable_silent(t, f);

	/* nor does one that is closed live on, whoever still sends */
	if (over == FLOW_END_NONE && f->list == LIST_CLOSING && flowtable_aged(t, f))
		over = FLOW_END_DETECTED;
	if (over != FLOW_END_NONE) {
		flowtable_end(t, f, over);
		return;
	}
	if (flowtable_aged(t, f))
		flowtable_report(t, f, FLOW_END_ACTIVE);
	f->flags &= ~(uint32_t)FLOW_LATE;
	wheel_move(t, f, flowtable_look_due(t, f));
}

/*
 * The flow of list L that was silent for longest, as far as a tick tells. On the way
 * those that were used meanwhile go where they belong: no packet makes one of them pass
 * here twice.
 */
static struct flow *
flowtable_oldest(struct flowtable *t, enum list l)
{
	struct flow *f;
	uint64_t due, tick;

	while ((f = wheel_first(t, l, &tick)) != NULL) {
		due = flowtable_idle_due(t, f);
		if (wheel_place(t, due) <= tick)
			return f;
		if (flowtable_look_due(t, f) < due)
			f->flags |= FLOW_LATE;
		wheel_move(t, f, due);
	}
	return NULL;
}

/* Do handshakes without an answer take more than their share? */
static inline bool
flowtable_flooded(const struct flowtable *t)
{
	return t->wheel[LIST_NEW].count > t->opt.max / 16;
}

/* End the flows of list L that were silent for KEEP_US, while too many are alive. */
static void
flowtable_relieve_list(struct flowtable *t, enum list l, uint64_t keep_us, unsigned *budget)
{
	struct flow *f;

	while (t->alive > t->calm && *budget > 0 && (f = flowtable_oldest(t, l)) != NULL &&
	    flow_used_us(f) + keep_us < t->clock_us) {
		--*budget;
		flowtable_end(t, f, FLOW_END_LACK);
	}
}

/*
 * An emergency: timeouts are shorter until there is room again. Connections that exist
 * are not hurried while it is handshakes without an answer that take the room, nor before
 * it is nearly used up: a table that is just large enough gives whole records.
 */
static void
flowtable_relieve(struct flowtable *t, unsigned *budget)
{
	flowtable_relieve_list(t, LIST_NEW, t->opt.idle_us / EMERGENCY_NEW, budget);
	if (t->tight && !flowtable_flooded(t))
		flowtable_relieve_list(t, LIST_IDLE, t->opt.idle_us / EMERGENCY_IDLE, budget);
	if (t->alive <= t->calm)
		t->emergency = t->tight = false;
}

static void
flowtable_sweep(struct flowtable *t)
{
	unsigned budget = t->opt.sweep ? t->opt.sweep : UINT32_MAX, l;
	struct flow *f;

	t->passed = true;
	for (l = LIST_NEW; l <= LIST_CLOSING; l++)
		while ((f = wheel_passed(t, l)) != NULL) {
			if (budget-- == 0)
				return;
			flowtable_look(t, f);
		}
	if (t->emergency) {
		flowtable_relieve(t, &budget);
		if (budget == 0)
			return;
	}
	t->passed = false;
}

/* As flowtable_expire(). */
static inline void
flowtable_clock_to(struct flowtable *t, uint64_t now_us)
{
	if (now_us > t->clock_us)
		t->clock_us = now_us;
	if (wheel_tick(t->clock_us) > t->tick)
		wheel_turn(t, wheel_tick(t->clock_us));
	else if (!t->passed)
		return;
	flowtable_sweep(t);
}

void
flowtable_expire(struct flowtable *t, uint64_t now_us)
{
	flowtable_clock_to(t, now_us);
}

/* No room: the flow that is missed least leaves. */
static void
flowtable_evict(struct flowtable *t)
{
	struct flow *f = flowtable_oldest(t, LIST_CLOSING);

	/* a flood of SYNs must not push out connections that exist; a few new ones must
	   not be pushed out by them */
	if (f == NULL && flowtable_flooded(t))
		f = flowtable_oldest(t, LIST_NEW);
	if (f == NULL)
		f = flowtable_oldest(t, LIST_IDLE);
	if (f == NULL)
		f = flowtable_oldest(t, LIST_NEW);
	if (f != NULL)
		flowtable_end(t, f, FLOW_END_LACK);
}

void
flowtable_flush(struct flowtable *t, enum flow_end reason)
{
	struct flow *f;
	uint64_t tick;
	unsigned l;

	t->flushing = true;
	for (l = LIST_NEW; l <= LIST_CLOSING; l++)
		while ((f = wheel_first(t, l, &tick)) != NULL)
			flowtable_end(t, f, reason);
	t->flushing = false;
	memset(t->buckets, 0, t->nbuckets * sizeof(*t->buckets));
}

void
flowtable_rewind(struct flowtable *t, uint64_t now_us)
{
	flowtable_flush(t, FLOW_END_FORCED);
	t->clock_us = now_us;
	t->tick = wheel_tick(now_us); /* the wheels are empty: any tick will do */
	t->passed = false;
}

/*
 * Packets
 */

static struct flow *
flowtable_make(struct flowtable *t, const struct packet *pkt,
    const struct flowkey *key, uint64_t hash, unsigned dir)
{
	bool tcp = key->proto == 6;
	struct flow *f;

	if (t->alive >= t->opt.max)
		flowtable_evict(t);
	f = pool_take(t);
	if (f == NULL)
		return NULL;
	f->key = *key;
	f->port = pkt->port;
	f->vlan_inner = pkt->vlan_inner;
	f->tcp[0].wscale = f->tcp[1].wscale = 0xff;
	f->flags |= dir ? FLOW_FIRST_IS_1 : 0;
	flow_choose_client(f, pkt, dir, t->opt.no_swap);
	f->serial = (uint32_t)t->serial;
	t->serial += t->opt.serial_step;
	hash_insert(t, f, hash);
	t->alive++;
	counter_inc(t->counters, COUNTER_FLOWS);
	counter_max(t->counters, COUNTER_FLOWS_MAX, t->alive);
	if (t->alive >= t->full && !t->emergency) {
		t->emergency = t->passed = true;
		counter_inc(t->counters, COUNTER_EMERGENCIES);
	}
	if (t->alive >= t->brim && !t->tight)
		t->tight = t->passed = true;
	f->last_dir_us[dir] = pkt->ts_us; /* as if it were accounted */
	flow_use(t, f);
	f->list = tcp && (pkt->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ? LIST_NEW
									   : LIST_IDLE;
	wheel_insert(t, f, flowtable_look_due(t, f));
	return f;
}

/* Does F end before PKT, and why? */
static enum flow_end
flowtable_over(const struct flowtable *t, const struct flow *f, const struct packet *pkt,
    unsigned dir)
{
	enum flow_end over = flowtable_silent(t, f);

	if (over == FLOW_END_NONE && f->key.proto == 6 && flowtcp_reopens(f, pkt, dir))
		over = FLOW_END_DETECTED;
	return over;
}

/* Must F be looked at earlier than it was known to? A packet that comes late may say that
 * its flow began before. */
static inline bool
flowtable_is_early(const struct flowtable *t, const struct flow *f)
{
	uint64_t ahead = (f->tick - t->tick) & (WHEEL_TICKS - 1);

	return wheel_place(t, flowtable_look_due(t, f)) < t->tick + ahead;
}

/*
 * F was used: note when, and what it is by now. ORDERED: the packet was as late as the
 * clock. FIRST: of a record.
 */
static inline void
flowtable_touch(struct flowtable *t, struct flow *f, unsigned dir, bool ordered, bool first)
{
	enum list l = f->list;

	if (ordered)
		f->ahead = 0;
	else
		flow_use(t, f);
	if (f->flags & FLOW_CLOSING)
		l = LIST_CLOSING;
	else if (l == LIST_NEW &&
	    (f->packets[!dir] > 0 || (f->tcp[dir].flags & TCP_ACK)))
		l = LIST_IDLE;
	/* a short active timeout begins only now */
	if (l == f->list && !(first && t->opt.active_us < t->opt.idle_us) &&
	    (ordered || !flowtable_is_early(t, f)))
		return;
	wheel_remove(t, f);
	f->list = l;
	wheel_insert(t, f, flowtable_look_due(t, f));
}

/* Details, where PKT takes some. */
static inline void
flowtable_details(struct flowtable *t, struct flow *f, const struct packet *pkt,
    unsigned dir)
{
	bool whole = t->opt.statistics || pkt->ntunnels > 0 || pkt->nmpls > 0;

	if (f->flags & FLOW_DETAIL_REFUSED)
		return;
	if (whole ? !(f->flags & FLOW_DETAIL_WHOLE)
		  : flow_needs_detail(f, pkt, dir) && flow_details(f) == NULL)
		detail_take(t, f, whole);
}

/*
 * Has F nothing to fear of the clock? As long as the tick where it stands has not come, no
 * timeout has; where one may have begun earlier, flowtable_touch() has moved it.
 */
static inline bool
flowtable_is_young(const struct flowtable *t, const struct flow *f)
{
	return f->tick != (uint16_t)(t->tick & (WHEEL_TICKS - 1)) && !t->passed &&
	    !(f->flags & (FLOW_CLOSING | FLOW_LATE));
}

/* What PKT and the clock end of F; F, or NULL: a new one takes its place. */
static struct flow *
flowtable_check(struct flowtable *t, struct flow *f, const struct packet *pkt, unsigned dir)
{
	enum flow_end over = flowtable_over(t, f, pkt, dir);

	if (over == FLOW_END_NONE && !flowtable_aged(t, f))
		return f;
	/* the wheel may be late by a tick */
	if (over == FLOW_END_NONE && f->list != LIST_CLOSING) {
		flowtable_report(t, f, FLOW_END_ACTIVE);
		return f;
	}
	flowtable_end(t, f, over == FLOW_END_NONE ? FLOW_END_DETECTED : over);
	return NULL;
}

struct flow *
flowtable_packet(struct flowtable *t, const struct packet *pkt,
    const struct flowkey *key, uint64_t hash, unsigned dir)
{
	uint32_t octets = t->opt.account_l2 ? pkt->wirelen : pkt->octets;
	struct flow *f;
	bool first;

	if (pkt->ts_us < t->clock_us && pkt->ts_us + t->opt.active_us < t->clock_us)
		counter_inc(t->counters, COUNTER_PACKETS_LATE);
	flowtable_clock_to(t, pkt->ts_us);
	f = hash_find(t, key, hash);
	if (f != NULL && !flowtable_is_young(t, f))
		f = flowtable_check(t, f, pkt, dir);
	if (f == NULL) {
		f = flowtable_make(t, pkt, key, hash, dir);
		if (f == NULL)
			return NULL;
	} else if ((pkt->tcp_flags & TCP_SYN) && key->proto == 6 &&
	    !(f->flags & FLOW_RESTARTED))
		flow_choose_client(f, pkt, dir, t->opt.no_swap);
	if (t->plugins.packet != NULL && !(f->flags & FLOW_PLUGIN_DONE))
		t->plugins.packet(t->plugins.arg, f, pkt, dir);
	first = f->packets[0] + f->packets[1] == 0;
	flowtable_details(t, f, pkt, dir);
	flow_account(f, pkt, dir, octets);
	counter_inc(t->counters, COUNTER_FLOW_PACKETS);
	counter_add(t->counters, COUNTER_FLOW_BYTES, octets);
	flowtable_touch(t, f, dir, pkt->ts_us == t->clock_us, first);
	return f;
}

unsigned
flowtable_prepare(const struct flowtable *t, const struct packet *pkt,
    struct flowkey *key, uint64_t *hash)
{
	unsigned dir = flowkey_make(key, pkt, t->opt.parts);

	*hash = key_hash(t, key);
	return dir;
}

void
flowtable_prepare_all(const struct flowtable *t, const struct packet *pkt, unsigned n,
    struct flowkey *key, uint64_t *hash, unsigned *dir)
{
	unsigned i;

	for (i = 0; i < n; i++)
		dir[i] = flowkey_make(&key[i], &pkt[i], t->opt.parts);
	/* hashed at once a key would have to wait until it is stored, its parts are small */
	for (i = 0; i < n; i++)
		hash[i] = key_hash(t, &key[i]);
}

void
flowtable_fetch(const struct flowtable *t, const uint64_t *hash, unsigned n)
{
	const struct flow *found[FLOWTABLE_BATCH], *f;
	unsigned i, m = 0;

	if (t->alive < FETCH_MIN)
		return; /* they are in the cache */
	/* nothing in between, so that the misses, of pages too, overlap */
	for (i = 0; i < n; i++)
		__builtin_prefetch(&t->buckets[hash_home(t, hash[i])], 1);
	for (i = 0; i < n; i++)
		if ((f = hash_guess(t, hash[i])) != NULL) {
			flow_fetch_packet(f);
			found[m++] = f;
		}
	if (t->plugins.fetch != NULL)
		t->plugins.fetch(t->plugins.arg, found, m);
}

struct flow *
flowtable_find(const struct flowtable *t, const struct flowkey *key)
{
	struct flow *f = hash_find(t, key, key_hash(t, key));

	return f != NULL && f->list != LIST_NONE ? f : NULL; /* while all are flushed */
}
