/* SPDX-License-Identifier: BSD-3-Clause */
/* heart.c -- the supervisor's look at the threads. */
#include "heart.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RESTING 3 /* times the limit */

struct heart *
heart_new(void)
{
	struct heart *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (h == MAP_FAILED)
		return NULL;
	h->supervisor = getpid();
	return h;
}

void
heart_reset(struct heart *h)
{
	pid_t supervisor = h->supervisor;

	memset(h, 0, sizeof(*h));
	h->supervisor = supervisor;
}

int
heart_look(const struct heart *h, struct heart_looks *l, unsigned limit)
{
	uint64_t count;
	unsigned i;

	if (!__atomic_load_n(&h->ready, __ATOMIC_ACQUIRE))
		return -1; /* it opens what it needs: names may take long */
	for (i = 0; i < HEART_THREADS; i++) {
		count = __atomic_load_n(&h->thread[i].count, __ATOMIC_RELAXED);
		if (count == 0 || count != l->count[i] ||
		    (i == HEART_CONTROL && h->excused))
			l->still[i] = 0;
		else if (++l->still[i] >= limit)
			return (int)i;
		l->count[i] = count;
	}
	if (l->count[HEART_CONTROL] != 0 || h->excused)
		l->resting = 0;
	else if (++l->resting >= RESTING * limit)
		return HEART_CONTROL;
	return -1;
}

const char *
heart_name(unsigned who, char *text, size_t size)
{
	if (who == HEART_CONTROL)
		return "control";
	if (who == HEART_DEALER)
		return "the dealer";
	snprintf(text, size, "worker %u", who - HEART_WORKER);
	return text;
}
