/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_live.c -- interfaces. The kernel fills a ring (TPACKET_V3) and gives a block
 * of it when it is full or TIMEOUT_MS old; immediate mode would fall back to
 * TPACKET_V2, which loses packets under load, so it is never used. The handle is
 * non-blocking because a blocking one waits for ever on an idle interface, and each
 * read is bounded because an unbounded one does not return while packets keep coming.
 *
 * An interface that goes down and up again is not lost: libpcap waits for it. One that
 * is deleted makes reading fail; the handle is then closed and opened anew by the
 * caller's timer. Reopening needs CAP_NET_RAW, nothing else.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "capture_int.h"
#include "clock.h"
#include "log.h"

#define DISPATCH_MAX 512
#define EARLY_MAX_US 1000000

/* libpcap's word for an activation gone wrong, with the detail if it has one. */
static void
explain(pcap_t *p, int rc, char *err, size_t errlen)
{
	const char *detail = pcap_geterr(p);

	if (rc == PCAP_ERROR)
		snprintf(err, errlen, "%s", detail);
	else if (detail[0] == '\0' || strcmp(detail, pcap_statustostr(rc)) == 0)
		snprintf(err, errlen, "%s", pcap_statustostr(rc));
	else
		snprintf(err, errlen, "%s (%s)", pcap_statustostr(rc), detail);
}

/* The settings that must stand before activation. */
static int
configure(struct capture *c, pcap_t *p)
{
	const struct capture_options *o = &c->options;

	if (pcap_set_snaplen(p, o->snaplen > 0 ? o->snaplen : RECORD_DATA_MAX) != 0 ||
	    pcap_set_timeout(p, o->timeout_ms > 0 ? o->timeout_ms : 100) != 0 ||
	    pcap_set_immediate_mode(p, 0) != 0)
		return -1;
	if (o->buffer > 0 && pcap_set_buffer_size(p, o->buffer) != 0)
		return -1;
	/* All interfaces at once cannot be made promiscuous; asking is only a warning. */
	if (strcmp(c->name, "any") != 0)
		return pcap_set_promisc(p, o->promisc);
	return 0;
}

static int
set_filter(struct capture *c, pcap_t *p, char *err, size_t errlen)
{
	struct bpf_program program;
	int rc;

	if (c->filter == NULL)
		return 0;
	if (capture_compile(c, p, &program, err, errlen) == -1)
		return -1;
	rc = pcap_setfilter(p, &program);
	if (rc != 0)
		snprintf(err, errlen, "filter \"%s\": %s", c->filter, pcap_geterr(p));
	pcap_freecode(&program);
	return rc;
}

/*
 * Share the interface with the other handles of the group, by a hash that is the same
 * for both directions. Fragments are not put together in the kernel
 * (PACKET_FANOUT_FLAG_DEFRAG): that would change the number of packets. Before it
 * joined, the handle got every packet, which others have seen as well: those are left
 * out.
 */
static int
join_fanout(struct capture *c, pcap_t *p, char *err, size_t errlen)
{
	int arg = (c->options.fanout & 0xffff) | PACKET_FANOUT_HASH << 16;

	c->joined_us = 0;
	if (c->options.fanout == 0)
		return 0;
	if (setsockopt(pcap_fileno(p), SOL_PACKET, PACKET_FANOUT, &arg, sizeof arg) ==
	    -1) {
		snprintf(err, errlen, "cannot join fanout group %d: %s",
		    c->options.fanout, strerror(errno));
		return -1;
	}
	c->joined_us = clock_us(CLOCK_REALTIME);
	return 0;
}

/* Activate P: 0 or -1. A warning is worth one line when the probe starts. */
static int
activate(struct capture *c, pcap_t *p, char *err, size_t errlen, bool quiet)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	int rc = pcap_activate(p);

	if (rc != 0)
		explain(p, rc, err, errlen);
	if (rc < 0)
		return -1;
	if (rc > 0 && !quiet)
		log_warn("%s: %s", c->name, err);
	if (pcap_setnonblock(p, 1, why) == -1) {
		snprintf(err, errlen, "%s", why);
		return -1;
	}
	return 0;
}

int
live_open(struct capture *c, char *err, size_t errlen, bool quiet)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_create(c->name, why);

	if (p == NULL) {
		snprintf(err, errlen, "%s", why);
		return -1;
	}
	if (configure(c, p) != 0) {
		snprintf(err, errlen, "libpcap refuses the settings");
		goto fail;
	}
	if (activate(c, p, err, errlen, quiet) == -1 ||
	    set_filter(c, p, err, errlen) != 0 || join_fanout(c, p, err, errlen) == -1)
		goto fail;
	c->link = capture_dlt_to_link(pcap_datalink(p));
	c->seen_recv = c->seen_drop = c->seen_ifdrop = 0;
	c->pcap = p;
	return 0;
fail:
	pcap_close(p);
	return -1;
}

void
live_close(struct capture *c)
{
	if (c->pcap == NULL)
		return;
	live_sample(c);
	pcap_close(c->pcap);
	c->pcap = NULL;
}

/*
 * Was the frame there before the handle joined its group? Over with the first that was
 * not, or that is far off because the clock was set back.
 */
static bool
live_early(struct capture *c, uint64_t ts_us)
{
	if (ts_us < c->joined_us && c->joined_us - ts_us < EARLY_MAX_US) {
		c->early++;
		return true;
	}
	c->joined_us = 0;
	return false;
}

static void
live_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	struct capture_call *call = (void *)user;
	struct capture *c = call->capture;
	struct frame f = {
	    .ts_us = capture_time(h),
	    .data = data,
	    .caplen = capture_cut(c, h->caplen),
	    .wirelen = h->len,
	    .link = c->link,
	    .port = c->options.port,
	};

	if (c->joined_us != 0 && live_early(c, f.ts_us))
		return;
	call->handed++;
	call->sink(call->arg, &f, 1);
}

/*
 * Any error of a live handle is answered alike: close, and try again each second. Most
 * often the interface was deleted, and the rest (a hang-up of the packet socket) is not
 * cured by waiting either.
 */
int
live_read(struct capture *c, unsigned max, capture_sink *sink, void *arg)
{
	struct capture_call call = {.capture = c, .sink = sink, .arg = arg};
	int n;

	if (c->pcap == NULL)
		return CAPTURE_GONE;
	if (max == 0) /* libpcap would take that for "no limit" */
		return 0;
	n = pcap_dispatch(c->pcap, max < DISPATCH_MAX ? (int)max : DISPATCH_MAX,
	    live_frame, (u_char *)&call);
	if (n >= 0 || call.handed > 0)
		return call.handed;
	capture_fail(c, "%s", pcap_geterr(c->pcap));
	return CAPTURE_GONE;
}

/*
 * libpcap counts in 32 bits and from when the handle was opened: add what came since
 * the last look, which must be less than 2^32 packets ago. The interface's own drops
 * come from sysfs and read as 0 when that cannot be read; taking the difference as
 * signed lets a later look make up for it.
 */
void
live_sample(struct capture *c)
{
	struct pcap_stat st;

	if (c->pcap == NULL || pcap_stats(c->pcap, &st) != 0)
		return;
	c->stats.received += (uint32_t)(st.ps_recv - c->seen_recv);
	c->stats.dropped += (uint32_t)(st.ps_drop - c->seen_drop);
	c->ifdropped += (int32_t)(st.ps_ifdrop - c->seen_ifdrop);
	c->stats.ifdropped = c->ifdropped > 0 ? c->ifdropped : 0;
	c->seen_recv = st.ps_recv;
	c->seen_drop = st.ps_drop;
	c->seen_ifdrop = st.ps_ifdrop;
}

bool
capture_is_interface(const char *name)
{
	pcap_if_t *list, *d;
	char why[PCAP_ERRBUF_SIZE];
	bool found = false;

	if (strchr(name, '/') != NULL || strcmp(name, "-") == 0 || name[0] == '\0')
		return false;
	if (if_nametoindex(name) != 0 || strcmp(name, "any") == 0)
		return true;
	/* What is no network interface but can be captured from: nflog, usbmon0, ... */
	if (pcap_findalldevs(&list, why) == -1)
		return false;
	for (d = list; d != NULL && !found; d = d->next)
		found = strcmp(d->name, name) == 0;
	pcap_freealldevs(list);
	return found;
}
