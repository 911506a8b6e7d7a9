/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.h -- where ended flows leave the probe: filters, then every sink the user
 * asked for (collectors, IPFIX file, JSON, text dump). Control thread only. Run-time
 * trouble (a dead collector, a full disk) is counted, logged once, and never stops
 * anything.
 */
#ifndef MCPROBE_EXPORT_H
#define MCPROBE_EXPORT_H

#include "counter.h"
#include "config.h"
#include "template.h"

struct event_base;
struct export;
struct mc_plugin;

/* One capture source as templates and options tell of it. */
struct export_port {
	const char *name;
	uint32_t index; /* interface index; a file's is its position from 1 */
};

struct export_setup {
	const struct config *config;
	const struct template *template;
	const struct dpi_names *names;	/* NULL: no nDPI */
	const struct export_port *ports;
	unsigned nports;
	struct event_base *base;	/* of the control thread */
	struct counters *counters;	/* control's */
};

/*
 * Open all sinks. NULL with the reason in ERR (a name that does not resolve, a file
 * that cannot be made). SETUP's pointers are borrowed for the export's life.
 */
struct export	*export_new(const struct export_setup *, char *err, size_t errlen);
void		 export_free(struct export *);

/*
 * The export clock: packet time for files, wall clock live. The first call sets the
 * boot reference of uptimes. Sends what waited --queue-timeout, templates that are due,
 * turns dump files. Never goes backwards.
 */
void	 export_clock(struct export *, uint64_t now_us);

/* The wall clock was set back to NOW_US. Uptimes go on as if nothing had been. */
void	 export_rewind(struct export *, uint64_t now_us);

/* Export F, which has ended (or a copy, at the active timeout). */
void	 export_flow(struct export *, const struct flow *);
/* The same with what a plugin has in the record, NULL: nothing. */
void	 export_flow_plugin(struct export *, const struct flow *, const struct mc_plugin *,
	     const void *fields);

/* Whose the flows are that are exported from now on, NULL: not known. Borrowed. */
void	 export_user(struct export *, const char *user);

/* Send and write out everything that is buffered. */
void	 export_flush(struct export *);

/* What fields of records are read with; borrowed for the export's life. */
const struct field_context *export_context(const struct export *);

/* Octets still queued for TCP collectors: 0 when all is out. */
size_t	 export_pending(const struct export *);

/* A TCP collector has enough to take: who can wait with flows should. */
bool	 export_busy(const struct export *);

/*
 * The run is over: give up what collectors did not take, complete the files. The
 * counters are final then; only export_report() and export_free() may follow.
 */
void	 export_end(struct export *);

/* The numbers in SETUP's ports were changed by their owner: an interface came back. */
void	 export_ports_changed(struct export *);

/* SIGHUP: close and open again the files (JSON, IPFIX, dump). */
void	 export_reopen(struct export *);

/* Give the files and folders it made to this user, before privileges drop. */
void	 export_chown(struct export *, unsigned uid, unsigned gid);

/* For -b and SIGUSR1: a line per collector to the log. */
void	 export_report(const struct export *);

#endif
