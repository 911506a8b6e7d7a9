/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netflow5.h -- NetFlow v5: a header of 24 bytes and records of 48, each of one
 * direction of an IPv4 flow. Fixed fields, no templates. Pure.
 */
#ifndef MCPROBE_NETFLOW5_H
#define MCPROBE_NETFLOW5_H

#include "message.h"

/* The protocol allows 30; one less keeps to MESSAGE_MAX. */
#define NETFLOW5_RECORDS_MAX 29

/*
 * netflow5_format.record ignores the template and the record's BIFLOW: it sends what
 * RECORD->dir sent. Records of IPv6 must not be given to it.
 */

#endif
