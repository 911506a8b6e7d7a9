/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_int.h -- what the files of the plugin http share: what a flow keeps, and what
 * the worker side sends the control side.
 */
#ifndef MCPROBE_HTTP_INT_H
#define MCPROBE_HTTP_INT_H

#include "http_parse.h"

#include <mcprobe/plugin.h>

#define REQUESTS 100 /* pending at most */
#define QUEUE 7872

/* Longest texts kept. */
#define URL_MAX 4095
#define HOST_MAX 255
#define REFERER_MAX 1023
#define AGENT_MAX 511
#define MIME_MAX 79

/* A request that waits. Its texts follow: target, method, then headers as they came. */
struct request {
	uint64_t first_us, last_us; /* segments */
	uint64_t bytes;
	uint16_t size; /* with the texts; up to the next of 8 once the head is whole */
	uint16_t len[HTTP_AGENT + 1];
	uint8_t order[HTTP_AGENT + 1]; /* texts as they follow */
	uint8_t texts;
	bool in_fields; /* the record's fields are of this request */
};

struct response {
	uint64_t first_us;
	uint64_t latency_us; /* to its first segment, of those that are bound */
	uint16_t status;
	uint8_t mime_len;
	bool seen;  /* there is one: its first line has come */
	bool bound; /* it answers the first of the queue */
	bool holes; /* bytes of it are missing */
	bool mime_ended;
	char mime[MIME_MAX];
};

/* A direction, and the message at hand in it. */
struct side {
	struct http_parser parser;
	uint64_t first_us, last_us;
	uint64_t bytes;
};

struct state {
	struct side side[2];
	struct response response;
	uint16_t used;    /* of the queue, by requests with their whole head */
	uint16_t last;    /* where the request being written is */
	uint8_t requests; /* in the queue, their first line seen */
	uint8_t client;   /* sends requests, if KNOWN; else it writes the queue */
	bool begun, known;
	bool named; /* the first request's head has come: it names the flow, or none does */
	bool writing;     /* the request at LAST has not come to its end */
	bool head;        /* nor its head: it lies behind USED */
	bool tentative;   /* nor its first line: it may be none */
	uint32_t crowded; /* requests behind those in the queue that were not kept */
	_Alignas(8) uint8_t queue[QUEUE];
};

_Static_assert(sizeof(struct state) <= 8192, "a flow costs what it says");

/* Bits of mc_row.present in fields and events. */
enum {
	P_METHOD,
	P_URL,
	P_HOST,
	P_REFERER,
	P_AGENT,
	P_MIME,
	P_SITE,
	P_STATUS,
	P_REQ_BYTES,
	P_RESP_BYTES,
	P_LATENCY,
	P_CLIENT_NW,
	P_SERVER_NW,
};

/* An event, as it is reported; its texts follow, in the order of enum http_text. */
struct wire {
	uint64_t first_us;
	uint64_t req_bytes, resp_bytes;
	uint64_t latency_us;
	uint32_t client_nw_us, server_nw_us;
	uint16_t present, status;
	uint16_t len[HTTP_TEXTS];
	uint8_t client;
};

#define WIRE_MAX (sizeof(struct wire) + QUEUE + MIME_MAX)

/* What stands before each part of an event. */
struct part {
	uint64_t sender; /* which worker */
	uint32_t at, total;
};

#define PART_MAX (MC_REPORT_MAX - sizeof(struct part))

/* http_names.c */

/* Copy, cut, terminate. False: it is empty. */
bool http_put(char *to, size_t size, const char *from, size_t len);

/* The name in a host, without port and brackets; *LEN is made shorter. */
const char *http_host_name(const char *, size_t *len);

/* The site of a host: what its machines have in common. */
const char *http_host_site(const char *, size_t *len);

/* The operating system a user agent names, for people. False: it names none. */
bool http_system(const char *agent, char *os, size_t size);

/* http_queue.c */

static inline struct request *
request_at(struct state *s, size_t at)
{
	return (struct request *)(void *)(s->queue + at);
}

/* A text of R, not terminated. */
const char *http_request_text(const struct request *, unsigned kind, size_t *len);

bool http_request_is(const struct request *, const char *method);

/* A first line may begin: make room for the request it may be. */
void http_request_open(struct state *, uint64_t now_us);

/* The next piece of a text of the request being written. */
void http_request_add(struct state *, unsigned kind, const void *, size_t len);

/* Its head is whole, or is not going to be. */
void http_request_close(struct state *);

/* Nothing is being written, or nothing that counts. */
void http_request_forget(struct state *);

/* Put down what is known so far of the request being written. */
void http_request_update(struct state *);

/* The first of the queue has been told. */
void http_request_pop(struct state *);

/* http_cloud.c: the control side */

void *http_control_new(const struct mc_setup *);
void http_control_free(void *);
void http_on_report(void *ctx, const struct mc_cloud *, const void *msg, size_t len);

#endif
