/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.h -- what the generators of captures share: random numbers that are the same
 * everywhere, frames, and what applications say. workload.c has the list of workloads;
 * each is one function that emits packets until OUT's limit.
 *
 * Addresses are of the ranges for private use, benchmarks and documentation (RFC 1918,
 * 2544, 3849), but for those a flood makes up. IPv4 checksums are right; those of TCP and
 * UDP are 0, as no probe looks.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND_US  1000000
#define CLIENT_NET 0x0a000000 /* 10.0.0.0/8 */
#define SERVER_NET 0xc6120000 /* 198.18.0.0/15 */
#define SERVERS	   3000
#define NAMES	   20000
#define MSS	   1448
#define FRAME_MAX  2048
#define FILLER	   65536

enum { FIN = 0x01, SYN = 0x02, PSH = 0x08, ACK = 0x10 };

struct rng {
	uint64_t s;
};

struct out {
	int fd;
	uint8_t *buf;
	size_t len;
	uint64_t packets, octets; /* octets: of frames */
	uint64_t limit;		  /* packets */
	uint32_t size;		  /* how many of what the workload has many of; 0: as usual */
	uint8_t filler[FILLER];	  /* random: payload that means nothing */
};

enum kind {
	KIND_DNS,
	KIND_NTP,
	KIND_HTTP,
	KIND_TLS,
	KIND_QUIC,
	KIND_BULK,
	KIND_SCAN, /* a SYN that nobody answers */
	KINDS
};

enum phase {
	PHASE_SYN,
	PHASE_SYNACK,
	PHASE_OPEN,
	PHASE_ASK,
	PHASE_ANSWER,
	PHASE_ACK, /* the client's, after every second segment */
	PHASE_FIN,
	PHASE_FIN_BACK,
	PHASE_LAST,
	PHASE_OVER,
};

/* Who talks to whom. [2]: client, server. */
struct conversation {
	uint64_t due_us; /* of its next packet */
	uint64_t order;	 /* breaks ties: the same order everywhere */
	enum kind kind;
	enum phase phase;
	uint8_t proto;
	bool v6;	  /* in 2001:db8::/32, HOST being its last 32 bits */
	uint32_t host[2]; /* IPv4 address, host order */
	uint16_t port[2];
	uint32_t seq[2];
	uint32_t rtt_us;
	uint32_t turn, turns;	/* requests so far, and in all */
	uint32_t left, segment; /* of the answer: octets to come, segments gone */
	uint32_t name;
	uint16_t id;
	bool rubbish; /* HTTP that is none */
};

/* A packet that a conversation sends. */
struct message {
	unsigned from; /* 0 client, 1 server */
	unsigned flags;
	uint8_t data[FRAME_MAX]; /* LEN bytes */
	unsigned len;
	uint64_t gap_us; /* until the next */
};

/* workload_frame.c */
uint64_t rng_next(struct rng *);
uint32_t rng_below(struct rng *, uint32_t n);
/* LEAST and more, each of DOUBLINGS powers of two as likely as the others. */
uint32_t rng_size(struct rng *, uint32_t least, uint32_t doublings);
/* 0 .. N - 1 in random order; to be freed. */
uint32_t *rng_order(struct rng *, uint32_t n);
void	*take(size_t n, size_t size); /* zeroed memory, or the end */

uint8_t *put16(uint8_t *, unsigned);
uint8_t *put32(uint8_t *, uint32_t);
uint8_t *put_bytes(uint8_t *, const void *, size_t);

void	 out_open(struct out *, const char *path, struct rng *);
void	 out_close(struct out *);
/* One record of the file, US after the start. Where its frame is, until the next. */
uint8_t	*emit(struct out *, const struct conversation *, uint64_t us,
	     const struct message *);
/* Of the frame emitted last, at FRAME, keep LEN bytes: as if captured so. */
void	 emit_cut(struct out *, uint8_t *frame, unsigned len);

/* workload_talk.c: add to a message what is said. */
void	 fill(const struct out *, struct rng *, struct message *, unsigned len);
void	 say(struct message *, const void *, size_t len);
void	 say_dns(struct message *, const struct conversation *);
void	 say_ntp(struct message *);
/* The request, or the answer's head: of C's LEFT octets, which may become 0. */
void	 say_http(struct message *, struct conversation *);
void	 say_tls(const struct out *, struct rng *, struct message *,
	     const struct conversation *, unsigned len);
void	 say_quic(const struct out *, struct rng *, struct message *,
	     const struct conversation *, unsigned len);
/* Make of the message one of the same length, or nearly, that no parser can like. */
void	 spoil_http(const struct out *, struct rng *, const struct conversation *,
	     struct message *);
void	 spoil_dns(const struct out *, struct rng *, struct message *);

/* The workloads. */
typedef void workload(struct out *, struct rng *);

workload make_mix, make_http, make_httpbad;			  /* workload_mix.c */
workload make_small, make_live, make_dns, make_zipf, make_hosts; /* workload_plain.c */
workload make_formed, make_malformed, make_dnsbad, make_syn, make_synflood, make_ask,
    make_single, make_collide; /* workload_adverse.c */

#endif
