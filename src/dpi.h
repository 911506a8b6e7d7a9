/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpi.h -- names for flows. The only room that knows nDPI, in all the versions it comes
 * in; built --without-ndpi it names nothing. One struct dpi per worker (a module shared
 * by threads crashes); make them all in one thread, before the workers start.
 */
#ifndef MCPROBE_DPI_H
#define MCPROBE_DPI_H

#include <stdbool.h>
#include <stddef.h>

#include "counter.h"
#include "flow.h"

struct dpi;

#define DPI_MAX_UDP 10 /* payload packets before nDPI must decide */
#define DPI_MAX_TCP 16

struct dpi_names;

/*
 * A module that may keep STATES undecided flows at once; NAMES, if not NULL, gives the one
 * it was read from to the first who comes, which saves the time to make it. NULL: no memory
 * or no nDPI. Neither this nor dpi_names_new() may run in two threads at a time.
 */
struct dpi	*dpi_new(unsigned states, struct counters *, struct dpi_names *names);
/* Undecided states go too: the flows that had them must not be shown or finished. */
void		 dpi_free(struct dpi *);

/* Version of the nDPI linked, NULL if built without. */
const char	*dpi_version(void);

/*
 * Show PKT of FLOW (sent in direction DIR) to nDPI. At the verdict sets F->l7 and
 * FLOW_DPI_DONE and frees the state. Call only while FLOW_DPI_DONE is not set and
 * PKT->payload_len > 0; later fragments are ignored. NAMED: a plugin has read what it is,
 * and nDPI's first name is the verdict.
 *
 * F->l7 stays NULL if nDPI has nothing to say; an unknown flow with a risk or a server
 * name has one with APP 0. A single protocol is in APP, with MASTER 0.
 */
void	 dpi_packet(struct dpi *, struct flow *, const struct packet *, unsigned dir,
	     bool named);

/*
 * What a plugin has read of a flow: enough to name it. nDPI is shown one packet for each
 * name it was not asked about lately, and what it says then is kept by name (and by public
 * addresses, whose owners it knows).
 */
enum dpi_claim_kind {
	DPI_CLAIM_NONE,
	DPI_CLAIM_DNS,
	DPI_CLAIM_HTTP,
};

#define DPI_CLAIM_NAME 79 /* bytes: longer names nDPI would cut */

struct dpi_claim {
	uint64_t besides;  /* hash of what else the answer depends on */
	uint8_t kind, len; /* no NAME: nDPI must look at it */
	char name[DPI_CLAIM_NAME];
};

/*
 * FLOW is what CLAIM says, by PKT, which is as in dpi_packet(). True: it has its verdict
 * now. False: nothing has changed, show PKT to nDPI.
 */
bool	 dpi_claim(struct dpi *, struct flow *, const struct packet *, unsigned dir,
	     const struct dpi_claim *);

/*
 * The flow ends (or is reported): take what nDPI has by now, or guess by port, or name
 * the IP protocol, which is no guess. Does nothing after the verdict.
 */
void	 dpi_finish(struct dpi *, struct flow *);

/* Does it hold a state for FLOW, which is undecided? */
bool	 dpi_undecided(const struct dpi *, const struct flow *);

/* Drop the undecided state of FLOW without a verdict. */
void	 dpi_forget(struct dpi *, struct flow *);

/*
 * The names of protocols, read from one module at start and immutable after: any thread
 * may use them. NULL (no nDPI) is a valid argument: everything is "Unknown".
 */
struct dpi_names *dpi_names_new(void);
void	 dpi_names_free(struct dpi_names *);
/* Nobody will come for the module any more. */
void	 dpi_names_alone(struct dpi_names *);
unsigned dpi_names_count(const struct dpi_names *);	     /* ids are 0 .. count - 1 */
const char *dpi_name(const struct dpi_names *, unsigned id); /* "Unknown" for 0 */
const char *dpi_category(const struct dpi_names *, unsigned category);
const char *dpi_confidence(unsigned confidence);
/* "TLS.Google", "DNS", "Unknown" into BUF; returns its length. */
size_t	 dpi_full_name(const struct dpi_names *, const struct flow_l7 *, char *buf,
	     size_t len);
/* Names of the risk bits, comma separated, into BUF; returns the length. */
size_t	 dpi_risk_names(uint64_t risk, char *buf, size_t len);

#endif
