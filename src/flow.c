/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.c -- what can be asked of one flow record. */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

uint64_t
flow_first_us(const struct flow *f)
{
	uint64_t a = f->packets[0] ? f->first_us[0] : UINT64_MAX;
	uint64_t b = f->packets[1] ? f->first_us[1] : UINT64_MAX;
	uint64_t first = a < b ? a : b;

	return first == UINT64_MAX ? 0 : first;
}

uint64_t
flow_last_us(const struct flow *f)
{
	uint64_t a = f->packets[0] ? f->last_dir_us[0] : 0;
	uint64_t b = f->packets[1] ? f->last_dir_us[1] : 0;

	return a > b ? a : b;
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
