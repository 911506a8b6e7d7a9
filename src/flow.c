/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.c -- what can be asked of one flow record. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

struct flow_loss
flow_loss(const struct flow *f, unsigned d)
{
	const struct flow_detail *detail = flow_details(f);
	struct flow_loss few = {0};

	if (detail != NULL)
		return detail->loss[d];
	if (f->flags & FLOW_FEW) {
		few.retrans = f->few.retrans[d];
		few.retrans_bytes = f->few.retrans_bytes[d];
	}
	return few;
}

/* As the packets of side D had it: their source, or their DESTINATION. NULL: unknown. */
static const uint8_t *
mac_seen(const struct flow *f, unsigned d, bool destination)
{
	static const uint8_t none[6];
	const uint8_t *mac = f->mac[destination ? !d : d];
	const struct flow_detail *detail = flow_details(f);

	if (!(f->flags & (uint32_t)FLOW_MAC_KNOWN << d))
		return NULL;
	if (detail != NULL && detail->odd_mac)
		mac = detail->mac[d][destination];
	return memcmp(mac, none, sizeof(none)) != 0 ? mac : NULL;
}

const uint8_t *
flow_mac_src(const struct flow *f, unsigned d)
{
	const uint8_t *mac = mac_seen(f, d, false);

	return mac != NULL ? mac : mac_seen(f, !d, true);
}

const uint8_t *
flow_mac_dst(const struct flow *f, unsigned d)
{
	const uint8_t *mac = mac_seen(f, d, true);

	return mac != NULL ? mac : mac_seen(f, !d, false);
}

uint32_t
flow_appl_us(const struct flow *f)
{
	return f->stage == FLOW_STAGE_DONE ? f->appl_us : 0;
}

/* By bytes: a compiler that sees less memory than the struct has warns of every member. */
struct flow_l7 *
flow_l7_new(size_t len)
{
	const size_t head = offsetof(struct flow_l7, info);
	uint8_t *p;

	if (len > UINT8_MAX)
		len = UINT8_MAX;
	p = malloc(head + len + 1);
	if (p == NULL)
		return NULL;
	memset(p, 0, head);
	p[offsetof(struct flow_l7, info_len)] = (uint8_t)len;
	p[head + len] = '\0';
	return (struct flow_l7 *)(void *)p;
}

struct flow_l7 *
flow_l7_copy(const struct flow_l7 *from)
{
	size_t size = flow_l7_size(from);
	void *p = malloc(size);

	if (p != NULL)
		memcpy(p, from, size);
	return p;
}
