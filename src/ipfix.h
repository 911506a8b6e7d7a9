/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ipfix.h -- IPFIX (RFC 7011): header of 16 bytes, sets of records with strings of their
 * own length, enterprise elements. Pure.
 */
#ifndef MCPROBE_IPFIX_H
#define MCPROBE_IPFIX_H

#include "message.h"

#define IPFIX_ENTERPRISE 0x8000 /* the bit of an element id before an enterprise number */

#endif
