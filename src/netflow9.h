/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netflow9.h -- NetFlow v9 (RFC 3954): header of 20 bytes, FlowSets padded to 4. Pure.
 *
 * Header and records measure time from one boot reference. A header has whole seconds
 * only, so its uptime is that of the whole second: seconds * 1000 - uptime is the boot
 * time to the millisecond in every message. Seconds are rounded up: no record lies
 * after its header.
 */
#ifndef MCPROBE_NETFLOW9_H
#define MCPROBE_NETFLOW9_H

#include "message.h"

/* Scope types of options templates (RFC 3954 §6.1). */
#define NETFLOW9_SCOPE_SYSTEM 1

#endif
