/* SPDX-License-Identifier: BSD-3-Clause */
/* collector.c -- a collector's name, its accounts, and what both transports share. */
#include "collector.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector_int.h"
#include "log.h"
#include "options_data.h"

#define SPEC_MAX 300
#define STALLED_US 5000000 /* has taken nothing for so long: nobody waits for it */

void
collector_count_sent(struct collector *c, unsigned octets, unsigned records)
{
	c->stats.messages++;
	c->stats.octets += octets;
	c->stats.records += records;
	counter_inc(c->counters, COUNTER_EXPORT_MESSAGES);
	counter_add(c->counters, COUNTER_EXPORT_BYTES, octets);
	counter_add(c->counters, COUNTER_EXPORT_RECORDS, records);
}

void
collector_count_lost(struct collector *c, unsigned records)
{
	c->stats.errors++;
	c->stats.lost += records;
	counter_inc(c->counters, COUNTER_EXPORT_ERRORS);
	counter_add(c->counters, COUNTER_EXPORT_LOST, records);
}

void
collector_gone(struct collector *c, const char *why)
{
	if (!c->down)
		log_warn("collector %s: %s; records for it %s until it is back",
		    c->spec, why, c->tcp ? "wait" : "are lost");
	c->down = true;
}

void
collector_back(struct collector *c)
{
	if (c->down)
		log_info("collector %s is back; %llu records were lost so far", c->spec,
		    (unsigned long long)c->stats.lost);
	c->down = false;
}

void
collector_rotate(struct collector *c)
{
	c->address = c->address->ai_next;
	if (c->address == NULL)
		c->address = c->addresses;
}

void
collector_ask(struct collector *c, unsigned what)
{
	if (!c->has_templates || !c->started)
		return;
	if (what & OPTIONS_TEMPLATES) {
		c->told = true;
		c->since = 0;
		c->stats.templates++;
		counter_inc(c->counters, COUNTER_TEMPLATES_SENT);
	}
	c->want(c->arg, c, what);
}

/*
 * Cut TEXT (a copy of the spec, without the scheme) into host and port:
 * HOST, HOST:PORT, [ADDR], [ADDR]:PORT, and a bare IPv6 address.
 */
static bool
split(char *text, const char *default_port, const char **host, const char **port)
{
	char *end;

	*host = text;
	*port = default_port;
	if (*text == '[') {
		*host = text + 1;
		end = strchr(text, ']');
		if (end == NULL)
			return false;
		*end++ = '\0';
		if (*end == '\0')
			return **host != '\0';
		if (*end != ':')
			return false;
	} else {
		end = strchr(text, ':');
		if (end == NULL || strchr(end + 1, ':') != NULL)
			return *text != '\0';
	}
	*end = '\0';
	*port = end + 1;
	return **host != '\0' && **port != '\0';
}

static bool
good_port(const char *port)
{
	char *end;
	long n;

	if (*port < '0' || *port > '9')
		return true; /* a service name: getaddrinfo() knows */
	n = strtol(port, &end, 10);
	return *end == '\0' && n > 0 && n < 65536;
}

static int
resolve(struct collector *c, struct tls *tls, char *err, size_t errlen)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC};
	const char *host, *port, *spec = c->spec;
	char text[SPEC_MAX];
	int n;

	if (strncmp(spec, "udp://", 6) == 0) {
		spec += 6;
	} else if (strncmp(spec, "tcp://", 6) == 0) {
		c->tcp = true;
		spec += 6;
	} else if (strncmp(spec, "tls://", 6) == 0) {
		c->tcp = true;
		c->tls = tls;
		spec += 6;
		if (tls == NULL) { /* never in the clear instead */
			snprintf(err, errlen, "collector %s: TLS is not set up", c->spec);
			return -1;
		}
	}
	if (strlen(spec) >= sizeof(text) || strstr(spec, "://") != NULL) {
		snprintf(err, errlen, "collector %s: not [udp://|tcp://|tls://]HOST:PORT",
		    c->spec);
		return -1;
	}
	strcpy(text, spec);
	if (!split(text, c->tls != NULL ? COLLECTOR_TLS_PORT : COLLECTOR_PORT, &host, &port) ||
	    !good_port(port)) {
		snprintf(err, errlen, "collector %s: not [udp://|tcp://|tls://]HOST:PORT",
		    c->spec);
		return -1;
	}
	if (c->tls != NULL && (c->host = strdup(host)) == NULL) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	hints.ai_socktype = c->tcp ? SOCK_STREAM : SOCK_DGRAM;
	n = getaddrinfo(host, port, &hints, &c->addresses);
	if (n != 0) {
		snprintf(err, errlen, "collector %s: %s", c->spec, gai_strerror(n));
		return -1;
	}
	c->address = c->addresses;
	return 0;
}

/* The address this host has towards the collector. Connecting a UDP socket asks the
 * routing table and sends nothing. */
static void
find_local(struct collector *c)
{
	socklen_t len = sizeof(c->local);
	int fd;

	fd = socket(c->address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	if (connect(fd, c->address->ai_addr, c->address->ai_addrlen) == -1 ||
	    getsockname(fd, (struct sockaddr *)&c->local, &len) == -1)
		c->local.ss_family = 0;
	close(fd);
}

struct collector *
collector_new(const struct collector_setup *setup, char *err, size_t errlen)
{
	struct collector *c;

	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	c->spec = setup->spec;
	c->base = setup->base;
	c->counters = setup->counters;
	c->intra = setup->intra;
	c->has_templates = setup->has_templates;
	c->told = !setup->has_templates;
	c->want = setup->want;
	c->arg = setup->arg;
	c->fd = -1;
	c->tail = &c->head;
	if (resolve(c, setup->tls, err, errlen) == -1)
		goto out;
	find_local(c);
	if (!c->tcp) {
		/* No route yet is no reason to end: udp_clock() tries again. */
		udp_open(c);
	} else if (tcp_open(c) == -1) {
		snprintf(err, errlen, "collector %s: out of memory", c->spec);
		goto out;
	}
	return c;
out:
	collector_free(c);
	return NULL;
}

void
collector_free(struct collector *c)
{
	if (c == NULL)
		return;
	collector_end(c);
	if (c->addresses != NULL)
		freeaddrinfo(c->addresses);
	free(c->host);
	free(c);
}

void
collector_start(struct collector *c)
{
	c->started = true;
	if (c->tcp)
		tcp_start(c);
	else
		collector_ask(c, OPTIONS_ALL);
}

void
collector_send(struct collector *c, struct message *m)
{
	if (c->tcp)
		tcp_send(c, m);
	else
		udp_send(c, m);
}

void
collector_tell(struct collector *c, struct message *m)
{
	if (c->tcp)
		tcp_put(c, m);
	else
		udp_put(c, m);
}

void
collector_refresh(struct collector *c, unsigned what)
{
	/* A TCP session keeps its templates (RFC 7011 §8.4 is about UDP). */
	if (c->tcp)
		what = c->up && c->told ? what & OPTIONS_STATISTICS : 0;
	if (what != 0)
		collector_ask(c, what);
}

void
collector_clock(struct collector *c)
{
	if (!c->tcp)
		udp_clock(c);
}

void
collector_settle(struct collector *c)
{
	if (!c->tcp)
		udp_settle(c);
}

void
collector_end(struct collector *c)
{
	tcp_close(c);
	udp_settle(c);
	udp_close(c);
}

size_t
collector_pending(const struct collector *c)
{
	return c->queued;
}

bool
collector_busy(const struct collector *c)
{
	return c->queued > COLLECTOR_QUEUE / 2 && c->bev != NULL && !c->down &&
	    clock_us(CLOCK_MONOTONIC) - c->taken_us < STALLED_US;
}

const struct collector_stats *
collector_stats(const struct collector *c)
{
	return &c->stats;
}

const char *
collector_spec(const struct collector *c)
{
	return c->spec;
}

const uint8_t *
collector_local(const struct collector *c, int family)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&c->local;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&c->local;

	if (family == 4 && c->local.ss_family == AF_INET)
		return (const uint8_t *)&sin->sin_addr;
	if (family == 6 && c->local.ss_family == AF_INET6)
		return sin6->sin6_addr.s6_addr;
	return NULL;
}
