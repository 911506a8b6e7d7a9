/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h -- flow records into messages: the one message being filled for a group of
 * receivers that get the same (the collectors, or the IPFIX file). Hands each finished
 * message to EMIT, which writes the sequence number. Pure but for that call.
 */
#ifndef MCPROBE_STREAM_H
#define MCPROBE_STREAM_H

#include "message.h"
#include "options_data.h"

typedef void stream_emit(void *arg, struct message *);

struct stream {
	const struct template *template; /* borrowed */
	const struct message_format *format;
	uint16_t template_id;
	struct message_head head; /* the owner keeps NOW_US current */
	uint64_t oldest_us; /* NOW_US when the open message got its first record */
	uint64_t messages, octets; /* finished so far */
	stream_emit *emit;
	void *arg;
	struct message message; /* owned: the open one */
};

void	 stream_init(struct stream *, const struct template *,
	     const struct message_format *, uint16_t template_id, stream_emit *,
	     void *arg);

/* Add a record; a message that is full goes out first. */
void	 stream_record(struct stream *, const struct record *);

/* Send what waits. */
void	 stream_flush(struct stream *);

/* Send WHAT of SOURCE to EMIT in messages of its own. SCRATCH is room for one. */
void	 stream_tell(const struct stream *, unsigned what,
	     const struct options_source *, struct message *scratch, stream_emit *,
	     void *arg);

#endif
