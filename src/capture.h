/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.h -- frames from an interface, a capture file or standard input. The only
 * room (capture*.c) that knows libpcap. A struct capture belongs to one thread once
 * opened. Classic pcap files (µs and ns, both byte orders) are read in blocks and used
 * in place; pcapng and everything else goes through libpcap.
 */
#ifndef MCPROBE_CAPTURE_H
#define MCPROBE_CAPTURE_H

#include <stddef.h>

#include "packet.h"

struct capture;

struct capture_options {
	const char *filter; /* BPF expression, NULL: none; borrowed */
	int snaplen;	    /* bytes kept of a packet */
	bool promisc;
	int buffer;	    /* kernel ring, bytes (32 MB) */
	int timeout_ms;	    /* how long the kernel may hold packets back (100) */
	uint16_t port;	    /* put into every frame */
	int fanout;	    /* PACKET_FANOUT group id, 0: none; symmetric hash mode */
};

/* Totals since the capture was opened the first time, 32-bit wraps undone. */
struct capture_stats {
	uint64_t received; /* by the kernel, the dropped included */
	uint64_t dropped;  /* ring full */
	uint64_t ifdropped; /* by the interface */
};

enum capture_status {
	CAPTURE_EOF = -1,   /* the file ended */
	CAPTURE_ERROR = -2, /* the file is damaged: capture_error() says how */
	CAPTURE_GONE = -3,  /* the interface disappeared: capture_reopen() each second */
};

/* N frames, at most CAPTURE_BATCH, valid during the call only. */
#define CAPTURE_BATCH 32
typedef void capture_sink(void *arg, const struct frame *frames, unsigned n);

/*
 * Open a file ("-": standard input). NULL on failure, the reason in ERR ("x.pcap: is
 * empty"). Waits for the first 24 bytes of a pipe; a signal ends that.
 */
struct capture	*capture_open_file(const char *path, const struct capture_options *,
		     char *err, size_t errlen);

/* Open an interface, non-blocking. NULL on failure, the reason in ERR, as above. */
struct capture	*capture_open_live(const char *name, const struct capture_options *,
		     char *err, size_t errlen);

void	 capture_close(struct capture *);

/*
 * Read a file's frames into BLOCKS, borrowed, of capture_block_size octets. What has its frames in a
 * block that somebody else uses stays as it is: reading goes on in another one, and there
 * are no frames while all are in use. Not for files that libpcap reads: then nothing
 * changes.
 */
struct block;
struct blocks;
void	 capture_share(struct capture *, struct blocks *);
/* The block in which the frames of the present call of the sink lie. NULL: in none. */
struct block	*capture_block(const struct capture *);
extern const size_t capture_block_size;

/*
 * Hand frames to SINK, at most MAX of them. Returns how many, or an enum
 * capture_status. 0 means none now, call again: nothing waits at the interface, a
 * signal came, a pipe gave nothing for TIMEOUT_MS, or the filter took none of the MAX
 * frames looked at. Never blocks on an interface; on a file or pipe it blocks as
 * read(2) does. An interface that goes down tells its descriptor, but one deleted while
 * it is down does not: call on a timer, too.
 */
int	 capture_read(struct capture *, unsigned max, capture_sink *, void *arg);

/* Descriptor to poll for reading, -1 for a file. */
int	 capture_fd(const struct capture *);

/* LINKTYPE_ number of the frames. */
unsigned capture_link(const struct capture *);

/* Try to open a lost interface again: 0, or -1 (quietly). Statistics go on. */
int	 capture_reopen(struct capture *);

void	 capture_stats(struct capture *, struct capture_stats *);

/* Where a file's reading is: bytes read and the file's size (0 when unknown). */
void	 capture_progress(const struct capture *, uint64_t *done, uint64_t *size);

const char *capture_name(const struct capture *);  /* as it was given */
const char *capture_error(const struct capture *); /* name and reason */

/* True if NAME is an interface of this host (else -i NAME is taken for a file). */
bool	 capture_is_interface(const char *name);

#endif
