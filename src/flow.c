/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.c -- what can be asked of one flow record. */
#include "flow.h"

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
