/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.h -- one export message being filled: a header, then sets (NetFlow v9 says
 * FlowSets) of templates, options and data. Pure: bytes in memory, no sockets. Each
 * version is a const table of functions, and what v9 and IPFIX share is here: sets,
 * padding, and the one encoder of records, which makes a single pass of big-endian
 * stores and allocates nothing.
 *
 * A message is kept within MESSAGE_MAX, which fits every common path MTU; only a single
 * template or record that is longer by itself makes a longer one, up to MESSAGE_HARD.
 */
#ifndef MCPROBE_MESSAGE_H
#define MCPROBE_MESSAGE_H

#include "field.h"
#include "template.h"

#define MESSAGE_MAX  1420
#define MESSAGE_HARD 16384

/* The longest record: one that does not fit is first written behind a full message. */
#define MESSAGE_RECORD_MAX (MESSAGE_HARD - MESSAGE_MAX - 64)

struct message;

/* What a header tells of its exporter. */
struct message_head {
	uint64_t now_us;  /* export clock */
	uint64_t boot_us; /* whole milliseconds; the base of all uptimes */
	uint32_t domain;  /* observation domain or source id */
	uint32_t sampling; /* one in N */
	uint8_t engine_type, engine_id;
};

/* An element of an options template. */
struct option_field {
	uint16_t id; /* in NetFlow v9 a scope's is a scope type (RFC 3954 §6.1) */
	uint16_t len;
};

struct option_layout {
	unsigned nscope; /* the first NSCOPE of V */
	unsigned n;	 /* scopes included */
	struct option_field v[6];
};

/* A version of the protocol. The functions that add return false, the message as it
 * was, when there is no room: finish it, begin another and try again. */
struct message_format {
	uint8_t version;
	uint8_t header_len;
	uint8_t sequence_at; /* where the header has its sequence number */
	/* Templates; NULL in v5, which has none. */
	bool (*template)(struct message *, uint16_t id, const struct layout *);
	bool (*options)(struct message *, uint16_t id, const struct option_layout *);
	/* A flow, in the set ID of LAYOUT. */
	bool (*record)(struct message *, uint16_t id, const struct layout *,
	    const struct record *);
	/* Close the message and write its header, the sequence number aside. */
	void (*finish)(struct message *, const struct message_head *);
	/* By how much the message moves the sequence on. */
	uint32_t (*advance)(const struct message *);
};

extern const struct message_format netflow5_format, netflow9_format, ipfix_format;

/* The format of a version, NULL: none such. */
const struct message_format *message_format(int version);

struct message {
	const struct message_format *format;
	unsigned len;	    /* bytes in BUF */
	unsigned set;	    /* where the open set begins, 0: none is open */
	unsigned set_least; /* shortest record the open set can hold, bytes */
	uint16_t set_id;
	uint16_t templates; /* templates and options templates */
	uint16_t options;   /* data records of options */
	uint16_t flows;	    /* data records of flows */
	uint64_t latest_us; /* latest time in any record */
	uint8_t buf[MESSAGE_HARD];
};

/* Empty M for FORMAT. */
void	 message_begin(struct message *, const struct message_format *);

/* True while nothing was added. */
bool	 message_empty(const struct message *);

/* Write the sequence number of a finished message. */
void	 message_sequence(struct message *, uint32_t);

/*
 * For the formats: LEN bytes in the set ID, opened if need be (then LEAST is the length
 * of its shortest record). NULL: no room. The caller fills all LEN bytes and may give
 * some back by setting M->len.
 */
uint8_t	*message_room(struct message *, uint16_t id, unsigned least, unsigned len);

/* End the open set: pad it to 4 bytes, if padding could not pass for a record. */
void	 message_close_set(struct message *);

/*
 * Add the options template ID in a set of kind SET (2 bytes). FIRST and SECOND are the
 * two numbers behind the id, on which v9 and IPFIX differ. False: no room.
 */
bool	 message_options(struct message *, uint16_t set, uint16_t id,
	     const struct option_layout *, unsigned first, unsigned second);

/* RECORD by LAYOUT as v9 and IPFIX have it. False: no room. */
bool	 message_record(struct message *, uint16_t id, const struct layout *,
	     const struct record *);

/* Bytes a record of LAYOUT takes at most. No layout may exceed MESSAGE_RECORD_MAX:
 * export_new() refuses it. */
unsigned message_record_max(const struct layout *);

/* A string of IPFIX (RFC 7011 §7): length in 1 or 3 bytes, then the bytes. */
uint8_t	*message_put_varlen(uint8_t *, const void *, unsigned len);

/*
 * Uptime in ms at US, modulo 2^32 as in the header; what was before BOOT_US is at it.
 */
uint32_t message_uptime(uint64_t us, uint64_t boot_us);

/*
 * The time a header must bear: that of HEAD, or of the latest record if that is later.
 */
uint64_t message_time_us(const struct message *, const struct message_head *);

#endif
