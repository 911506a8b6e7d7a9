/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode.h -- from the bytes of a frame to a struct packet. Pure: reads the frame
 * through a bounded cursor and writes the packet; knows no flow and no file. Costs
 * O(headers), at most PACKET_LAYERS_MAX of them, whatever the frame says.
 */
#ifndef MCPROBE_DECODE_H
#define MCPROBE_DECODE_H

#include "counter.h"
#include "packet.h"

struct frag;

struct decode {
	bool tunnels;		   /* look inside tunnels (--tunnel) */
	struct frag *frag;	   /* borrowed; NULL: later fragments have ports 0 */
	struct counters *counters; /* borrowed; gets the INFO counters of decode */
	/* the sub-flow of a first fragment, which later ones inherit; NULL: there are none */
	uint32_t (*sub)(void *arg, const struct packet *);
	void *arg;
};

/*
 * Decode FRAME into PKT (every field is written). Returns COUNTER_FLOW_PACKETS when the
 * packet belongs to a flow, else the DROP counter that says why not; the caller counts
 * it. The octets of a packet are those of the layer the flow is of: innermost IP with
 * tunnels, outermost IP without.
 */
enum counter decode_frame(const struct decode *, const struct frame *, struct packet *);

/*
 * Is FRAME plain: Ethernet, at most one VLAN tag, IP in one piece, TCP or UDP with its header
 * there? Then decode_frame() without tunnels makes a packet of a flow of it, and here are
 * the fields of that packet which make its key; the others are left as they were.
 */
bool	 decode_plain(const struct frame *, struct packet *);

/* True if frames of this LINKTYPE_ number can be decoded. */
bool	 decode_knows_link(unsigned link);

#endif
