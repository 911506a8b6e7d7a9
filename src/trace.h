/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h -- the capture files of a run, read one after the other as one trace, as fast
 * as possible or at --speed. Belongs to the thread that reads it: the only worker, or
 * the dealer.
 */
#ifndef MCPROBE_TRACE_H
#define MCPROBE_TRACE_H

#include "capture.h"
#include "config.h"
#include "counter.h"
#include "packet.h"

struct trace;

struct trace_calls {
	/* N <= CAPTURE_BATCH packets, valid during the call */
	void (*packets)(void *arg, const struct packet *, unsigned n);
	/* or, if not NULL, the frames as they are: see trace_decode() */
	void (*frames)(void *arg, const struct frame *, unsigned n);
	/* --speed: sleep at most US; false: stop reading */
	bool (*pause)(void *arg, uint64_t us);
	void *arg;
};

/* FIRST, the open first of FILES, is taken in any case. NULL: no memory. */
struct trace	*trace_new(const struct config *, const struct strlist *files,
		     struct capture *first, uint64_t seed, struct counters *,
		     const struct trace_calls *);
void		 trace_free(struct trace *);
/* As intake_split(). */
void		 trace_split(struct trace *, uint32_t (*sub)(void *, const struct packet *),
		     void *arg);

/* From within FRAMES: the packets of N of them, as PACKETS would get them. Returns how many. */
unsigned	 trace_decode(struct trace *, const struct frame *, unsigned n,
		     struct packet *);
/* Frames are to be in BLOCKS, borrowed, where that can be; see capture_share(). */
void		 trace_share(struct trace *, struct blocks *);
/* From within FRAMES or PACKETS: the block they lie in; NULL: in none. */
struct block	*trace_block(const struct trace *);

/* Read a few hundred frames. False when the last file has ended. */
bool		 trace_read(struct trace *);

/* From any thread: the first packet's time (0: none yet), octets read of the file being
 * read and its size, and whether a file could not be opened. */
uint64_t	 trace_first(const struct trace *);
void		 trace_progress(const struct trace *, uint64_t *done, uint64_t *size);
bool		 trace_failed(const struct trace *);

#endif
