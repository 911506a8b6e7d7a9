/* SPDX-License-Identifier: BSD-3-Clause */
/* flowdelta.c -- what a flow did, less what was told of it. Pure. */
#include "flowdelta.h"

#include <string.h>

/* The address of endpoint D: of its own packets, else where the other's went to. */
static bool
delta_mac(struct flowdelta *d, const struct flow *f, unsigned end)
{
	const uint8_t *mac = flow_mac_src(f, end);

	if (mac == NULL)
		return false;
	memcpy(d->mac[end], mac, sizeof(d->mac[end]));
	return true;
}

bool
flowdelta_make(struct flowdelta *d, const struct flow *f, const struct flow_told *told)
{
	static const struct flow_told nothing;
	unsigned i;

	if (told == NULL)
		told = &nothing;
	if (f->packets[0] == told->packets[0] && f->packets[1] == told->packets[1])
		return false;
	memset(d, 0, sizeof(*d));
	d->key = f->key;
	d->serial = f->serial;
	d->client = (uint8_t)flow_client(f);
	d->fresh = !(f->flags & (FLOW_TOLD | FLOW_RESTARTED));
	d->named = f->flags & FLOW_DPI_DONE;
	if (d->named && f->l7 != NULL) {
		d->master = f->l7->master;
		d->app = f->l7->app;
	}
	for (i = 0; i < 2; i++) {
		d->packets[i] = f->packets[i] - told->packets[i];
		d->octets[i] = f->octets[i] - told->octets[i];
		d->has_mac |= (uint8_t)(delta_mac(d, f, i) << i);
	}
	d->first_us = flow_first_us(f);
	d->last_us = flow_last_us(f);
	return true;
}
