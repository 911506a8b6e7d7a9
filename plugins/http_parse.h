/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_parse.h -- HTTP/1.x messages (RFC 9112), found in one direction of a TCP
 * connection as its bytes come, cut anywhere. The parser knows no flow and keeps no
 * strings: it says step by step what it has seen, and hands the pieces of the texts
 * asked for out as they stand in the input. A few dozen bytes of state; each byte is
 * looked at once, bodies of known length not at all.
 *
 * It is lost where a message should begin and none does, and after a gap of which it
 * does not know what was in it. Then it looks at each line, and at each piece it is
 * given, for one that can only be a first line, with its version; of others it says
 * HTTP_BEGIN and HTTP_NOT, or nothing. After a small gap among headers it goes on with
 * the next line, as long as lines are headers: a tunnel whose packets are sent in
 * fragments has such a gap in each full segment.
 */
#ifndef MCPROBE_HTTP_PARSE_H
#define MCPROBE_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_METHOD_MAX 24 /* longer words are no methods */

enum http_side {
	HTTP_ANY, /* not known yet which of the two */
	HTTP_REQUEST,
	HTTP_RESPONSE,
};

/* The texts of a message. METHOD comes whole, with HTTP_LINE, in word. */
enum http_text {
	HTTP_METHOD,
	HTTP_URL,
	HTTP_HOST,
	HTTP_REFERER,
	HTTP_AGENT,
	HTTP_MIME,
	HTTP_TEXTS,
};

enum http_step {
	HTTP_MORE,  /* all was taken */
	HTTP_BEGIN, /* a first line may begin here */
	HTTP_TEXT,  /* the next piece of a text: kind, piece, piece_len */
	HTTP_LINE,  /* that was a first line: is, status or word are set */
	HTTP_NOT,   /* that was none: what has come since HTTP_BEGIN was nothing */
	HTTP_HEAD,  /* the empty line; answer with http_body() */
	HTTP_END,   /* the message is whole */
};

/* What follows the head. */
enum http_body {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_CLOSE, /* until the sender has no more */
};

struct http_parser {
	uint64_t length; /* Content-Length; then what is left of body or chunk */
	uint8_t state;
	uint8_t side; /* enum http_side: what is looked for; the owner may set it */
	uint8_t is;   /* of the message at hand: HTTP_REQUEST or HTTP_RESPONSE */
	bool lost;
	bool has_length : 1, bad_length : 1, coded : 1, chunked : 1;
	bool holed : 1; /* bytes of the head are missing */
	bool fresh : 1; /* nothing came since they are */
	uint16_t seen;    /* bits 1 << enum http_text: had it already */
	uint16_t status;  /* 0 in requests */
	uint8_t word_len; /* of the method, or of a header's name */
	uint8_t tail_len;
	uint8_t kind; /* of the header at hand */
	char word[HTTP_METHOD_MAX];
	char tail[8]; /* how the last word of a line begins */
	/* HTTP_TEXT, borrowed from the input */
	const uint8_t *piece;
	uint32_t piece_len;
};

/* What is not parsed yet. */
struct http_input {
	const uint8_t *p;
	uint32_t len;
};

/* A parser that begins where a message does; LOST: anywhere. */
void http_parser_init(struct http_parser *, enum http_side, bool lost);

/* Go on until there is something to say. IN is moved over what was taken. */
enum http_step http_parse(struct http_parser *, struct http_input *);

/* After HTTP_HEAD: what RFC 9112 6.3 says follows; of a response, HEAD: to a HEAD. */
enum http_body http_framing(const struct http_parser *, bool head);
void http_body(struct http_parser *, enum http_body);

/*
 * N bytes are missing (UINT64_MAX: unknown how many). True: they were within a body, or
 * few and among headers, and the parser goes on; false: it is lost, and a message at
 * hand is not coming to its end.
 */
bool http_gap(struct http_parser *, uint64_t n);

/* Between messages? Not while lost. */
bool http_idle(const struct http_parser *);

/* In a message whose first line was seen? */
bool http_within(const struct http_parser *);

/* In a body that ends with the stream? */
bool http_until_close(const struct http_parser *);

enum http_guess {
	HTTP_GUESS_NO,
	HTTP_GUESS_OLD, /* a known method, no version: perhaps HTTP */
	HTTP_GUESS_REQUEST,
	HTTP_GUESS_RESPONSE,
};

/* What the first bytes of a segment look like, without a parser. */
enum http_guess http_guess(const uint8_t *, size_t len);

/*
 * A new piece of the stream begins, P: where one is lost, or behind a gap among
 * headers, a message may begin here too. False: behind such a gap it does, and the one
 * at hand is not coming to its end.
 */
bool http_piece(struct http_parser *, const uint8_t *p, size_t len);

#endif
