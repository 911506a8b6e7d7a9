/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.h -- the time in microseconds. Packet time is another thing: see flowtable.h. */
#ifndef MCPROBE_CLOCK_H
#define MCPROBE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* By clock ID: CLOCK_REALTIME is since the epoch, CLOCK_MONOTONIC never goes back. */
static inline uint64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/*
 * The wall clock was set back if it is so much behind what it was: less is NTP's, or a
 * leap second's, and whoever must not go back waits for it.
 */
#define CLOCK_BACK_US (5 * UINT64_C(1000000))

#endif
