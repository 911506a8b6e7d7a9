/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ipfix.h -- IPFIX (RFC 7011): header of 16 bytes, sets of records with strings of
 * their own length, enterprise elements. Pure.
 */
#ifndef MCPROBE_IPFIX_H
#define MCPROBE_IPFIX_H

#include "message.h"

/* The bit of an element id that an enterprise number follows. */
#define IPFIX_ENTERPRISE 0x8000

#endif
