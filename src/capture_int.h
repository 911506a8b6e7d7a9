/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_int.h -- what the files of the capture room share: capture.c (files, and the
 * face of the room), capture_block.c (bytes from a descriptor, and classic pcap read
 * from them in place) and capture_live.c (interfaces). Nobody else includes it.
 */
#ifndef MCPROBE_CAPTURE_INT_H
#define MCPROBE_CAPTURE_INT_H

#include <pcap/pcap.h>

#include "block.h"
#include "capture.h"

#define CAPTURE_TIME_MAX 253402300799 /* s since the epoch: end of 9999 */

#define RECORD_HEADER	16
#define RECORD_DATA_MAX 262144 /* libpcap refuses longer records, and so do we */

/*
 * Bytes from a descriptor, SOURCE_BLOCK at a time. The block is always read to the same
 * page-aligned place; what was left of the block before, a record cut by the border, is
 * moved to just in front of it:
 *
 *	buf          SOURCE_FRONT              SOURCE_FRONT + SOURCE_BLOCK
 *	 |      [left over][ block ..................... ]
 *	            ^ pos                         end ^
 */
#define SOURCE_BLOCK (256 * 1024)
#define SOURCE_FRONT (RECORD_DATA_MAX + 4096)

struct source {
	int fd; /* owned, but for standard input */
	bool slow; /* a pipe or the like: waits for at most WAIT_MS */
	int wait_ms;
	uint8_t *buf;	 /* owned, but for that of BLOCK */
	struct blocks *blocks; /* borrowed: BUF is of one of them; NULL: frames are not shared */
	struct block *block; /* the one; its user */
	size_t pos, end; /* bytes not used yet */
	uint64_t got;	 /* bytes read(2) so far */
	uint64_t size;	 /* of a regular file, else 0 */
};

enum source_status {
	SOURCE_END,
	SOURCE_MORE,  /* there are more bytes than before */
	SOURCE_QUIET, /* errno: EINTR, or EAGAIN as a pipe gave nothing for WAIT_MS */
	SOURCE_FAIL,  /* errno says why */
};

struct capture {
	char *name;   /* owned */
	char *filter; /* owned, NULL: none */
	struct capture_options options; /* FILTER is the copy above */
	int status; /* what every further capture_read() returns, 0: go on */
	uint16_t link; /* LINKTYPE_ */
	bool live;
	char err[PCAP_ERRBUF_SIZE + 256];

	/* files */
	struct source source;
	struct bpf_program program; /* FILTER compiled; valid when FILTERED */
	bool filtered;
	bool swapped; /* classic pcap in the other byte order */
	bool nano;    /* ... with nanoseconds */
	uint32_t file_snaplen;

	pcap_t *pcap; /* an interface, or a file that is not classic pcap; else NULL */

	/* interfaces */
	struct capture_stats stats; /* as of the last sample */
	uint32_t seen_recv, seen_drop, seen_ifdrop; /* libpcap's figures at that time */
	int64_t ifdropped; /* may dip below zero for a moment, see live_sample() */
	uint64_t joined_us; /* when the handle joined its group, 0: long ago or never */
	uint64_t early;	    /* frames from before that, left out */
};

/* What a callback of libpcap needs to hand its frame on. */
struct capture_call {
	struct capture *capture;
	capture_sink *sink;
	void *arg;
	unsigned handed; /* frames SINK got */
};

/* capture.c */
/* Set what capture_error() says. */
void	 capture_fail(struct capture *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Compile the filter for frames of PCAP: 0, or -1 and the reason in ERR. */
int	 capture_compile(struct capture *, pcap_t *, struct bpf_program *, char *err,
	     size_t errlen);
/* LINKTYPE_ number of a DLT_ number of this system, and back. */
uint16_t capture_dlt_to_link(int dlt);
int	 capture_link_to_dlt(uint16_t link);

/* True if DATA passes the filter of a file. */
static inline bool
capture_match(const struct capture *c, const uint8_t *data, uint32_t wirelen,
    uint32_t caplen)
{
	return !c->filtered ||
	    bpf_filter(c->program.bf_insns, data, wirelen, caplen) != 0;
}

/* Bytes to keep of CAPLEN ones by --snaplen. */
static inline uint32_t
capture_cut(const struct capture *c, uint32_t caplen)
{
	uint32_t keep = c->options.snaplen;

	return keep != 0 && keep < caplen ? keep : caplen;
}

/* capture_block.c */
int	 source_open(struct source *, const char *path, int wait_ms, char *err,
	     size_t errlen);
void	 source_close(struct source *);
/* Get at least one byte more. The bytes not used yet may move. */
enum source_status source_fill(struct source *);

/* Can block_read() read a file that begins with these 24 bytes? Sets C up for it. */
bool	 block_accept(struct capture *, const uint8_t *header);
/* As capture_read(). */
int	 block_read(struct capture *, unsigned max, capture_sink *, void *arg);

/* capture_live.c; as their capture_ namesakes */
int	 live_open(struct capture *, char *err, size_t errlen, bool quiet);
void	 live_close(struct capture *);
int	 live_read(struct capture *, unsigned max, capture_sink *, void *arg);
void	 live_sample(struct capture *);

/*
 * The time of a packet libpcap read, µs. A pcapng file can name any second there is: what
 * lies before the epoch becomes 0, what lies after the year 9999 ends there, so that
 * times can be added up without a thought.
 */
static inline uint64_t
capture_time(const struct pcap_pkthdr *h)
{
	int64_t s = h->ts.tv_sec;

	if (s < 0)
		return 0;
	if (s > CAPTURE_TIME_MAX)
		s = CAPTURE_TIME_MAX;
	return (uint64_t)s * 1000000 + (uint64_t)h->ts.tv_usec % 1000000;
}

#endif
