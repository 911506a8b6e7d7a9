/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field_get.h -- between field.c, field_get.c and field_names.c: a prototype for each
 * getter that field.def names, and the names they give. Nobody else includes it.
 */
#ifndef MCPROBE_FIELD_GET_H
#define MCPROBE_FIELD_GET_H

#include "field.h"

#define FIELD(label, iana, number, len, type, getter, ...) \
	field_get field_get_##getter;
#define INERT(...)
#include "field.def"
#undef FIELD
#undef INERT

/* field_put.c */
field_put field_put_in_bytes, field_put_out_bytes, field_put_in_pkts, field_put_out_pkts,
    field_put_protocol, field_put_tos_in, field_put_port_src, field_put_port_dst,
    field_put_ip4_src, field_put_ip4_dst, field_put_ip6_src, field_put_ip6_dst,
    field_put_first, field_put_last, field_put_end_reason, field_put_tcp_flags;

/* Names of an IP protocol and of a port's service, constants; NULL: none known. */
const char	*field_protocol_name(unsigned proto);
const char	*field_service_name(unsigned port);

#endif
