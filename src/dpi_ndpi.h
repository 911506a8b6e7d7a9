/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpi_ndpi.h -- one face for every nDPI from 4.2 to the 4.x of today; private to dpi.c
 * and the only file that includes nDPI's headers. The interface changes from release to
 * release while NDPI_API_VERSION counts commits, so configure compiles a probe per
 * difference (m4/ndpi.m4) and this file asks for the answers:
 *
 *	HAVE_NDPI_GLOBAL_CONTEXT  a module is made from a shared context (4.10), before
 *				  from a word of preferences
 *	HAVE_NDPI_FINALIZE_INT    finalizing may fail and says so (4.10)
 *	HAVE_NDPI_INPUT_INFO	  a packet comes with its direction (4.6)
 *	HAVE_NDPI_GIVEUP_GUESS	  giving up is told whether to guess (until 4.8), after
 *				  that a setting says so, and it says yes
 *	HAVE_NDPI_PROTOCOL_PROTO  the two numbers of ndpi_protocol are in .proto (4.11)
 */
#ifndef MCPROBE_DPI_NDPI_H
#define MCPROBE_DPI_NDPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What nDPI's headers are warned for is not ours to mend. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#include <ndpi_api.h>
#pragma GCC diagnostic pop

#ifdef HAVE_NDPI_PROTOCOL_PROTO
#define NDPI_APP(p)    ((p)->proto.app_protocol)
#define NDPI_MASTER(p) ((p)->proto.master_protocol)
#else
#define NDPI_APP(p)    ((p)->app_protocol)
#define NDPI_MASTER(p) ((p)->master_protocol)
#endif

/* What the flow table knows of a packet and nDPI would like to. */
struct ndpi_hint {
	bool client_known; /* TCP, and the handshake was seen */
	bool from_client;
};

/* A module without protocols: enough for names. NULL: no memory. */
static inline struct ndpi_detection_module_struct *
ndpi_compat_new(void)
{
#ifdef HAVE_NDPI_GLOBAL_CONTEXT
	return ndpi_init_detection_module(NULL);
#else
	return ndpi_init_detection_module(ndpi_no_prefs);
#endif
}

/* Enable every protocol and make the module ready for packets. */
static inline bool
ndpi_compat_ready(struct ndpi_detection_module_struct *ndpi)
{
	NDPI_PROTOCOL_BITMASK all;

	NDPI_BITMASK_SET_ALL(all);
	/* fails only for a bad mask, and only newer versions return it */
	(void)ndpi_set_protocol_detection_bitmask2(ndpi, &all);
#ifdef HAVE_NDPI_FINALIZE_INT
	return ndpi_finalize_initialization(ndpi) == 0;
#else
	ndpi_finalize_initialization(ndpi);
	return true;
#endif
}

/*
 * LEN is at most 65535. The handshake has no payload and is not shown to nDPI; some of
 * its parsers (FTP data, Citrix) want to know of it.
 */
static inline ndpi_protocol
ndpi_compat_packet(struct ndpi_detection_module_struct *ndpi,
    struct ndpi_flow_struct *flow, const uint8_t *ip, size_t len, uint64_t ms,
    const struct ndpi_hint *hint)
{
#ifdef HAVE_NDPI_INPUT_INFO
	struct ndpi_flow_input_info info = {
		.in_pkt_dir = NDPI_IN_PKT_DIR_UNKNOWN,
		.seen_flow_beginning = NDPI_FLOW_BEGINNING_NOT_SEEN,
	};

	if (hint->client_known) {
		info.in_pkt_dir = hint->from_client ? NDPI_IN_PKT_DIR_C_TO_S :
						      NDPI_IN_PKT_DIR_S_TO_C;
		info.seen_flow_beginning = NDPI_FLOW_BEGINNING_SEEN;
	}
	return ndpi_detection_process_packet(ndpi, flow, ip, (unsigned short)len, ms,
	    &info);
#else
	if (hint->client_known && flow->num_processed_pkts == 0) {
		flow->l4.tcp.seen_syn = 1;
		flow->l4.tcp.seen_syn_ack = 1;
		flow->l4.tcp.seen_ack = 1;
	}
	return ndpi_detection_process_packet(ndpi, flow, ip, (unsigned short)len, ms);
#endif
}

/* The last word, by port and address if there is no better. */
static inline ndpi_protocol
ndpi_compat_giveup(struct ndpi_detection_module_struct *ndpi,
    struct ndpi_flow_struct *flow)
{
	u_int8_t guessed = 0; /* wrong in some versions: the confidence is not */

#ifdef HAVE_NDPI_GIVEUP_GUESS
	return ndpi_detection_giveup(ndpi, flow, 1, &guessed);
#else
	return ndpi_detection_giveup(ndpi, flow, &guessed);
#endif
}

#endif
