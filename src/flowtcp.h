/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowtcp.h -- what a flow learns of its TCP connection: flags, windows, retransmitted
 * and out-of-order segments, handshake and application latency. No buffer: a few numbers
 * per direction, O(1) per packet.
 */
#ifndef MCPROBE_FLOWTCP_H
#define MCPROBE_FLOWTCP_H

#include "flow.h"

/* Account PKT, a TCP packet sent in direction DIR; sets FLOW_CLOSING. */
void	 flowtcp_packet(struct flow *, const struct packet *, unsigned dir);

/* Does PKT, not accounted yet, leave a hole, or is it sent again more often than struct
 * flow_few can count? */
bool	 flowtcp_needs_detail(const struct flow *, const struct packet *, unsigned dir);

/* True if PKT opens a new connection on the ports of F, whose own is over. */
bool	 flowtcp_reopens(const struct flow *, const struct packet *, unsigned dir);

/*
 * Latencies, of any protocol: the half round trips from the TCP handshake, and from the
 * client's last payload before the server's first to that one.
 */
void	 flow_latency(struct flow *, const struct packet *, unsigned dir);

#endif
