/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowdelta.h -- what a flow did since it was last told of: what feeds the key tree, from
 * a flow alive (each --cloud-interval) and from the same flow when it has ended, so that
 * every packet counts once. A value: no pointers, may be copied between threads.
 */
#ifndef MCPROBE_FLOWDELTA_H
#define MCPROBE_FLOWDELTA_H

#include "flow.h"

/* What was told of a flow already, by direction. All 0: nothing. */
struct flow_told {
	uint64_t packets[2], octets[2];
};

struct flowdelta {
	struct flowkey key;
	uint8_t client;	  /* direction whose sender is the client */
	bool fresh;	  /* the first that is told of this connection: counts a flow */
	bool named;	  /* its L7 is final; where false it is counted as Unknown */
	uint8_t has_mac;  /* bit D: MAC[D] is known */
	uint8_t mac[2][6]; /* of endpoint D, as seen here */
	uint16_t master, app; /* nDPI protocol numbers, 0: none */
	uint64_t serial;  /* of the connection, as in struct flow */
	uint64_t packets[2], octets[2]; /* by direction, since the last */
	uint64_t first_us, last_us;	/* of the flow so far, µs since the epoch */
};

/*
 * Fill D with what F did since TOLD (NULL: nothing was told). False if that is nothing.
 * The caller then adds D's figures to TOLD and sets FLOW_TOLD in F, if F lives on.
 */
bool	 flowdelta_make(struct flowdelta *d, const struct flow *f,
	     const struct flow_told *told);

#endif
