/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtable.h -- every flow now alive. The table owns its flows: a struct flow * is
 * borrowed until the next flowtable_ call that may end it. One table per worker; no
 * locks. Sized once: MAX flows alive, SPARE more records that may be under way to the
 * control thread. Finding, making, touching and ending a flow are O(1).
 *
 * From 90 % of MAX until 70 % there is an emergency: TCP SYNs without an answer end, for
 * lack of room, after a sixth of the idle timeout; once it was 97 % other flows do after a
 * third, if such SYNs are no more than a sixteenth of MAX. At MAX one flow leaves for each that comes: closed
 * connections first, then such SYNs, then who was silent for longest.
 */
#ifndef MCPROBE_FLOWTABLE_H
#define MCPROBE_FLOWTABLE_H

#include "counter.h"
#include "flow.h"

struct flowtable;

struct flowtable_options {
	uint32_t max;	/* flows alive at most */
	uint32_t spare; /* records that may be away at control */
	uint32_t details; /* struct flow_detail at most */
	uint64_t serial_first, serial_step; /* numbers of its flows */
	uint64_t seed;	/* of the hash */
	uint32_t fold;	/* hashes are taken modulo this, for tests of collisions; 0: not */
	uint64_t idle_us, active_us;
	uint64_t linger_us; /* after FIN both ways or RST */
	unsigned parts; /* FLOWKEY_ */
	unsigned sweep; /* flows ended per packet at most by timeouts, 0: no limit */
	bool no_l7;	/* nobody classifies: no flow ever has L7 */
	bool no_swap;	/* client = sender of the first packet */
	bool account_l2;
	bool statistics; /* keep flow_detail for every flow: the template asks for it */
};

/*
 * Told of each flow that ended (F->end says why), after it left the table. The callee
 * takes F and gives it back by flowtable_put(), now or later.
 */
typedef void flowtable_end_cb(void *arg, struct flow *f);
/* Told before an ended flow's L7 must be known: finish classification. */
typedef void flowtable_finish_cb(void *arg, struct flow *f);
/* Told that no record is free. True: some came home by flowtable_put(), try again. */
typedef bool flowtable_wait_cb(void *arg);

struct flowtable_calls {
	flowtable_finish_cb *finish;
	flowtable_end_cb *end;
	flowtable_wait_cb *wait;
	void *arg;
};

#define FLOWTABLE_BATCH 32 /* flows fetched at once */

/*
 * For plugins, as in plugin.h. FETCH: these flows, N of them, will have packets. PACKET: before the packet is accounted to its flow, which it
 * may cut by flowtable_cut(); not for flows with FLOW_PLUGIN_DONE. CLOSE: a flow is over,
 * before FINISH. CUT: the record so far leaves as COPY, the flow lives on.
 */
struct plugin_flows;

struct flowtable_plugins {
	void (*fetch)(struct plugin_flows *, const struct flow *const *, unsigned n);
	void (*packet)(struct plugin_flows *, struct flow *, const struct packet *,
	    unsigned dir);
	void (*close)(struct plugin_flows *, struct flow *);
	void (*cut)(struct plugin_flows *, struct flow *, struct flow *copy);
	struct plugin_flows *arg;
};

struct flowtable *flowtable_new(const struct flowtable_options *,
		     const struct flowtable_calls *, struct counters *);
/* Before the first packet. */
void	 flowtable_set_plugins(struct flowtable *, const struct flowtable_plugins *);
/* Frees everything, the flows that are still away excepted: get them back first. */
void	 flowtable_free(struct flowtable *);

/* Key and hash of PKT. Returns the direction. */
unsigned flowtable_prepare(const struct flowtable *, const struct packet *,
	     struct flowkey *, uint64_t *hash);

/* The same for N packets. */
void	 flowtable_prepare_all(const struct flowtable *, const struct packet *, unsigned n,
	     struct flowkey *, uint64_t *hash, unsigned *dir);

/* Then, for N <= FLOWTABLE_BATCH: fetch what the flows that have these hashes need, so that the
 * misses overlap. */
void	 flowtable_fetch(const struct flowtable *, const uint64_t *hash, unsigned n);

/*
 * Account PKT, prepared as KEY, HASH and DIR, to its flow, found or made; ends flows that
 * stand in its way (idle, active, a new connection on the same ports, no room). The flow,
 * or NULL if there is no record to be had.
 */
struct flow *flowtable_packet(struct flowtable *, const struct packet *,
	     const struct flowkey *, uint64_t hash, unsigned dir);

/* F lives on, but what it did so far leaves as a record of its own (reason 3); if there is
 * one to be had. From within PACKET only. */
void	 flowtable_cut(struct flowtable *, struct flow *);

/* Move the clock to NOW_US (never backwards) and end what timed out, as flowtable_packet()
 * does by itself. */
void	 flowtable_expire(struct flowtable *, uint64_t now_us);

/*
 * The clock that packets are stamped with was set back to NOW_US: every flow ends (reason
 * 4), since times from before and after would not fit together, and time begins anew.
 */
void	 flowtable_rewind(struct flowtable *, uint64_t now_us);

/* End every flow with REASON. */
void	 flowtable_flush(struct flowtable *, enum flow_end reason);

/* A record comes home. */
void	 flowtable_put(struct flowtable *, struct flow *);

/* The flow alive under KEY, NULL: none. */
struct flow *flowtable_find(const struct flowtable *, const struct flowkey *);
/* The flow alive in slot INDEX, NULL: none. For walking, 0 .. flowtable_slots() - 1. */
struct flow *flowtable_slot(const struct flowtable *, uint32_t index);
uint32_t flowtable_slots(const struct flowtable *);

uint32_t flowtable_count(const struct flowtable *);
uint32_t flowtable_away(const struct flowtable *);
uint64_t flowtable_clock(const struct flowtable *);

#endif
