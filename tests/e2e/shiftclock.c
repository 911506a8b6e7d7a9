/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shiftclock.c -- for LD_PRELOAD, built by test_faults_time.py: the time of day is what the
 * file $SHIFTCLOCK says (microseconds, int64_t) later than it is, for the program and for
 * the packets it captures. The file is mapped: the test may write it at any time. No clock
 * but the program's own is touched.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_dispatch)(pcap_t *, int, pcap_handler, u_char *);

__attribute__((constructor)) static void
prepare(void)
{
	static const int64_t none;
	const char *path = getenv("SHIFTCLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	real_dispatch = (int (*)(pcap_t *, int, pcap_handler, u_char *))dlsym(RTLD_NEXT,
	    "pcap_dispatch");
	map = fd >= 0 ? mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	shift = map != MAP_FAILED ? map : &none;
	if (fd >= 0)
		close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = real_gettime(id, ts);
	int64_t us = *shift;

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec += us / 1000000;
	return rc;
}

time_t
time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

struct call {
	pcap_handler handler;
	u_char *user;
};

static void
stamp(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	const struct call *c = (const struct call *)user;
	struct pcap_pkthdr later = *h;

	later.ts.tv_sec += *shift / 1000000;
	c->handler(c->user, &later, data);
}

/* The kernel stamps packets by the true clock. */
int
pcap_dispatch(pcap_t *p, int n, pcap_handler handler, u_char *user)
{
	struct call c = {handler, user};

	return real_dispatch(p, n, stamp, (u_char *)&c);
}
