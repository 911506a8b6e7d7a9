/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resp.h -- the Redis protocol's bytes (RESP2, RESP3): a growing buffer to write
 * requests and replies to, and a parser of requests, arrays or inline lines, that knows
 * no socket.
 */
#ifndef MCPROBE_RESP_H
#define MCPROBE_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writing
 */
struct respbuf {
	char *buf; /* owned */
	size_t len, cap;
	bool failed; /* no memory: LEN is not to be trusted */
};

void	 respbuf_init(struct respbuf *);
void	 respbuf_clear(struct respbuf *);
void	 respbuf_reset(struct respbuf *); /* empty, memory kept */

void	 resp_bytes(struct respbuf *, const void *, size_t); /* as they are */
/* <TYPE><N>\r\n: resp_head(b, '*', 3). */
void	 resp_head(struct respbuf *, char type, int64_t n);
void	 resp_bulk(struct respbuf *, const void *, size_t);
void	 resp_bulk_text(struct respbuf *, const char *);
void	 resp_bulk_number(struct respbuf *, int64_t); /* its digits as a bulk string */
void	 resp_simple(struct respbuf *, char type, const char *text); /* '+', '-': one line */

/*
 * Reading requests. Limits are the caller's; memory is taken for bytes that have
 * arrived, never for what a length announces.
 */
struct resp_arg {
	const char *p; /* borrowed until the next resp_ call on the parser */
	size_t len;
};

struct resp_limits {
	unsigned args;	     /* of a request */
	size_t bulk;	     /* bytes of an argument */
	size_t inline_bytes; /* of an inline request, or a length line */
	size_t total;	     /* bytes of a request, counted as they come */
};

enum resp_result {
	RESP_MORE,    /* not whole yet */
	RESP_REQUEST, /* ARGS and NARGS are set; NARGS may be 0: nothing to do */
	RESP_ERROR,   /* ERROR says why; the connection is of no use any more */
};

struct resp_parser {
	struct resp_limits limits; /* the caller's; may change between requests */
	struct resp_arg *args;	   /* owned; of the last request */
	unsigned nargs;
	const char *error; /* the parser's: "Protocol error: invalid multibulk length", ... */
	/* the parser's own */
	char *buf; /* owned: what has come and is not used up */
	size_t len, cap;
	size_t from; /* where this request begins in BUF, */
	size_t at;   /* what is not read yet, */
	size_t seen; /* and up to where there is no line's end */
	char text[48]; /* of an error that quotes a byte */
	size_t *start; /* owned: where arguments begin in BUF */
	unsigned nstart, start_cap, args_cap;
	int64_t want, bulk; /* arguments still to come; length of this one, -1: unknown */
	bool in_array;
};

void	 resp_parser_init(struct resp_parser *, const struct resp_limits *);
void	 resp_parser_clear(struct resp_parser *);

/*
 * Add bytes. False: more than the limits allow to wait, or no memory; then none was
 * taken. limits.total - resp_pending() fit in any case, and that is never 0 after
 * RESP_MORE. Who feeds only after RESP_MORE pays for each byte a bounded number of
 * times.
 */
bool	 resp_feed(struct resp_parser *, const void *, size_t);

/* The next request. Call until it says RESP_MORE. */
enum resp_result resp_next(struct resp_parser *);

/* Bytes that wait. */
size_t	 resp_pending(const struct resp_parser *);

#endif
