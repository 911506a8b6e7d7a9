/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * intake.h -- from frames to the packets that count: sampling, decoding, and a counter
 * for each frame that goes no further. One per thread that reads frames; owned by it.
 */
#ifndef MCPROBE_INTAKE_H
#define MCPROBE_INTAKE_H

#include "capture.h"
#include "config.h"
#include "counter.h"
#include "decode.h"

struct intake {
	struct decode decode;
	struct frag *frag; /* owned */
	struct counters *counters; /* borrowed */
	unsigned rate, wait; /* one packet in RATE; WAIT packets until the next */
};

/* 0, or -1: no memory. Cleared by intake_clear() in both cases. */
int	 intake_init(struct intake *, const struct config *, uint64_t seed,
	     struct counters *);
void	 intake_clear(struct intake *);
/* For frames that decode_plain() knows, all of which count: fragments are none of them. */
void	 intake_plain(struct intake *, struct counters *);
/* Ask SUB for the sub-flow of each packet, as of struct decode. */
void	 intake_split(struct intake *, uint32_t (*sub)(void *, const struct packet *),
	     void *arg);

/* The packets of N <= CAPTURE_BATCH frames into PKTS, in order. Returns how many. */
unsigned intake_packets(struct intake *, const struct frame *, unsigned n,
	     struct packet *pkts);

#endif
