/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collector_int.h -- what the two transports share; for collector*.c alone.
 */
#ifndef MCPROBE_COLLECTOR_INT_H
#define MCPROBE_COLLECTOR_INT_H

#include <netdb.h>
#include <sys/socket.h>

#include "clock.h"
#include "collector.h"

struct bufferevent;
struct event;

/* A message in a TCP collector's queue. */
struct queued {
	struct queued *next;
	uint64_t end;	  /* of the octets of this connection, once handed over */
	uint32_t advance; /* of the sequence number */
	uint16_t len, records;
	uint8_t sequence_at;
	uint8_t buf[]; /* LEN bytes */
};

struct collector {
	const char *spec;
	bool tcp; /* or TLS */
	struct tls *tls; /* borrowed; NULL: in the clear */
	char *host;	 /* owned; of TLS: who it must be */
	struct addrinfo *addresses; /* owned: all the name resolved to */
	struct addrinfo *address;   /* the one in use */
	struct counters *counters;
	unsigned intra;
	bool has_templates;
	collector_want *want;
	void *arg;
	struct collector_stats stats;
	uint32_t sequence;
	bool started;	   /* collector_start() was called */
	bool told;	   /* has the templates, as far as is known */
	bool down;	   /* logged as gone */
	unsigned since;	   /* messages since the templates */
	uint64_t error_us; /* monotonic: latest error */
	struct sockaddr_storage local; /* family 0: unknown */

	/* UDP. The last datagram is unsettled until its fate is known. */
	int fd; /* -1: none */
	struct {
		bool is;
		uint64_t sent_us; /* monotonic */
		unsigned octets, records;
	} unsettled;
	bool again;  /* there was an error: it may have missed the templates */
	bool proved; /* ... and since then a datagram without one */
	uint64_t retry_us;    /* monotonic: templates sent as a knock, socket tried */
	uint64_t recovery_us; /* monotonic: templates sent since it proved alive */

	/* TCP. HEAD to before NEXT are handed to the connection, but not all out. */
	struct event_base *base;
	struct bufferevent *bev; /* owned, NULL: waiting to try again */
	struct event *timer;	 /* owned: the next try, or the end of this one */
	bool up;
	bool full; /* logged: the queue is full */
	struct queued *head, *next, **tail; /* owned */
	size_t queued;	   /* octets from HEAD on */
	uint64_t written;  /* octets handed to this connection */
	unsigned delay_ms; /* before the next try */
	uint64_t up_us;	   /* monotonic: when this connection was made */
	uint64_t taken_us; /* monotonic: when it last took a message, or was to be tried */
};

/* Ask the owner for WHAT. */
void	 collector_ask(struct collector *, unsigned what);

/* Account a message of OCTETS with RECORDS: sent, or lost. */
void	 collector_count_sent(struct collector *, unsigned octets, unsigned records);
void	 collector_count_lost(struct collector *, unsigned records);

/* Log once that it is gone, or back. */
void	 collector_gone(struct collector *, const char *why);
void	 collector_back(struct collector *);

/* Try the next of its addresses from now on. */
void	 collector_rotate(struct collector *);

bool	 udp_open(struct collector *);
void	 udp_close(struct collector *);
void	 udp_send(struct collector *, struct message *);
void	 udp_put(struct collector *, struct message *);
void	 udp_settle(struct collector *);
void	 udp_clock(struct collector *);

int	 tcp_open(struct collector *);
void	 tcp_close(struct collector *);
void	 tcp_send(struct collector *, struct message *);
void	 tcp_put(struct collector *, struct message *);
void	 tcp_start(struct collector *);
/* Hand the queue to the connection, as much as is good. */
void	 tcp_pump(struct collector *);

#endif
