/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * communityid.h -- Community ID v1, the name other tools (Zeek, Suricata, Arkime) give a
 * connection too. Seed 0. Pure.
 */
#ifndef MCPROBE_COMMUNITYID_H
#define MCPROBE_COMMUNITYID_H

#include <stddef.h>

#include "flow.h"

#define COMMUNITYID_MAX 32 /* "1:", 28 characters, NUL */

/*
 * The id of FLOW into BUF (COMMUNITYID_MAX bytes). Its length, or 0 if the library cannot
 * hash. VLAN and sub-flow are no part of it. ICMP type and code take the place of ports.
 */
size_t	 communityid(char *buf, const struct flow *flow);

#endif
