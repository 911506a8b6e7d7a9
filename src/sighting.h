/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sighting.h -- who had which address, and when, by packet time: what this probe has
 * seen itself of logins. There with or without a key tree. A sighting lasts from login to
 * logout and is remembered until the grace has passed after that, so that flows which
 * end later find their user. Control thread.
 *
 * As logins and flows come from several workers, and flows later than what happened
 * meanwhile, questions are asked for a time; the order in which logins and logouts of
 * one address are told does not matter, their times do.
 *
 * Bounds: SIGHTINGS_MAX of some 150 bytes, of one address SIGHTINGS_PAST that are over. A
 * question costs a hash, of an address within networks one more for each length of prefix
 * that is in use.
 */
#ifndef MCPROBE_SIGHTING_H
#define MCPROBE_SIGHTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counter.h"

#define SIGHTINGS_MAX  262144
#define SIGHTINGS_PAST 64
#define SIGHTING_NAME  255	  /* bytes of a user's name; longer ones are cut */
#define SIGHTING_SLACK 2000000u /* µs a login may be told of after its first packets */

struct sightings;

/* An address (BITS 128; IPv4 mapped) or a network; what is beyond BITS is ignored. */
struct sighting_net {
	uint8_t addr[16];
	uint8_t bits;
};

/* A sighting is forgotten. FREE: nobody else has the address; LAST: nothing else is known
 * of the user. NAME is borrowed. */
typedef void sighting_forget(void *arg, const struct sighting_net *, const char *name,
	     bool free, bool last);

struct sightings_setup {
	uint64_t grace_us;
	uint64_t seed;
	struct counters *counters; /* borrowed */
	sighting_forget *forget;   /* NULL: nobody is told */
	void *arg;
};

/* NULL: no memory. */
struct sightings *sightings_new(const struct sightings_setup *);
void	 sightings_free(struct sightings *);

/* NAME has NET since SINCE_US; whoever had it before has it no more. One that is older
 * than the newest of NET was over when that began. */
void	 sightings_login(struct sightings *, const struct sighting_net *, const char *name,
	     uint64_t since_us);
/* NAME has lost it at AT_US; nothing, unless he had it then. */
void	 sightings_logout(struct sightings *, const struct sighting_net *, const char *name,
	     uint64_t at_us);

/* Everything that happened before NOW_US has been told and asked: what is over for longer
 * than the grace is forgotten. */
void	 sightings_clock(struct sightings *, uint64_t now_us);

/* When what is asked for was: a flow's first and last packet, and when it ended, which may
 * be late. */
struct sighting_when {
	uint64_t first_us, last_us, at_us;
};

/*
 * Whose ADDR was: who had it when the flow began, or else who came while it lasted, or
 * else who had left it not longer than the grace ago. The address itself goes before
 * networks, small ones before large. *SINCE_US: when it became his. NULL: nobody. The
 * name is borrowed until the next login, logout or clock.
 */
const char	*sightings_find(const struct sightings *, const uint8_t addr[16],
		     const struct sighting_when *, uint64_t *since_us);
/* The same for now: who was seen last. */
const char	*sightings_now(const struct sightings *, const uint8_t addr[16]);

/* What NAME has, or (LEAVING) had and nobody else has taken, each once. */
void	 sightings_of(const struct sightings *, const char *name,
	     void (*tell)(void *arg, const struct sighting_net *, bool leaving), void *arg);

unsigned sightings_count(const struct sightings *);

#endif
