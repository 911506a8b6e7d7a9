/* SPDX-License-Identifier: BSD-3-Clause */
/* intake.c -- sampling and decoding, each frame counted once. */
#include "intake.h"

#include <string.h>

#include "frag.h"

#define FRAG_ENTRIES 16384 /* fragmented datagrams known at once */

int
intake_init(struct intake *in, const struct config *c, uint64_t seed,
    struct counters *counters)
{
	memset(in, 0, sizeof(*in));
	in->counters = counters;
	in->rate = (unsigned)c->sampling;
	in->frag = frag_new(FRAG_ENTRIES, seed, counters);
	in->decode = (struct decode){
		.tunnels = c->tunnel, .frag = in->frag, .counters = counters};
	return in->frag == NULL ? -1 : 0;
}

void
intake_plain(struct intake *in, struct counters *counters)
{
	memset(in, 0, sizeof(*in));
	in->counters = counters;
	in->rate = 1;
	in->decode.counters = counters;
}

void
intake_split(struct intake *in, uint32_t (*sub)(void *, const struct packet *), void *arg)
{
	in->decode.sub = sub;
	in->decode.arg = arg;
}

void
intake_clear(struct intake *in)
{
	frag_free(in->frag);
	in->frag = NULL;
}

/* Systematic count-based sampling (RFC 5475 §5.1): the first of each RATE packets. */
static bool
intake_samples(struct intake *in)
{
	if (in->rate <= 1)
		return true;
	if (in->wait == 0) {
		in->wait = in->rate - 1;
		return true;
	}
	in->wait--;
	counter_inc(in->counters, COUNTER_DROP_SAMPLED);
	return false;
}

/* Sub-flows; those of fragments are known. */
static void
intake_subs(const struct intake *in, struct packet *pkts, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (!(pkts[i].flags & (PACKET_FRAG_FIRST | PACKET_FRAG_LATER)))
			pkts[i].sub = in->decode.sub(in->decode.arg, &pkts[i]);
}

unsigned
intake_packets(struct intake *in, const struct frame *frames, unsigned n,
    struct packet *pkts)
{
	struct counters *c = in->counters;
	unsigned i, m = 0;

	counter_add(c, COUNTER_PACKETS, n);
	for (i = 0; i < n; i++) {
		enum counter why;

		counter_add(c, COUNTER_BYTES, frames[i].wirelen);
		if (frames[i].caplen < frames[i].wirelen)
			counter_inc(c, COUNTER_TRUNCATED);
		if (!intake_samples(in))
			continue;
		why = decode_frame(&in->decode, &frames[i], &pkts[m]);
		if (why == COUNTER_FLOW_PACKETS)
			m++;
		else
			counter_inc(c, why);
	}
	if (in->decode.sub != NULL)
		intake_subs(in, pkts, m);
	return m;
}
