/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field_put.c -- the writers that rows of field.def name by PUT: the fields of most
 * templates, straight from the flow to the wire. Each writes what the field's getter and the
 * encoder would; with a million flows these two, a struct value and two switches between
 * them, are a tenth of all work.
 */
#include "field_get.h"
#include "message.h"
#include "template.h"
#include "wire.h"

#define PUT(name, expr) \
	uint8_t *field_put_##name(uint8_t *p, const struct record *r, \
	    const struct template_field *e) \
	{ \
		const struct flow *f = r->flow; \
		const unsigned i = r->dir, o = i ^ 1u; \
\
		(void)f; \
		(void)o; \
		(void)e; \
		return expr; \
	}

static inline uint8_t *
put_bytes(uint8_t *p, const void *bytes, size_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

static inline uint8_t *
put_packets(uint8_t *p, uint64_t n)
{
	return wire_put32(p, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}

/* An uptime, or its absolute twin. */
static inline uint8_t *
put_time(uint8_t *p, const struct record *r, const struct template_field *e, uint64_t us)
{
	if (e->type == FIELD_MILLIS)
		return wire_put64(p, us / 1000);
	return wire_put32(p, message_uptime(us, r->ctx->boot_us));
}

PUT(in_bytes, wire_put64(p, f->octets[i]))
PUT(out_bytes, wire_put64(p, r->biflow ? f->octets[o] : 0))
PUT(in_pkts, put_packets(p, f->packets[i]))
PUT(out_pkts, put_packets(p, r->biflow ? f->packets[o] : 0))
PUT(protocol, wire_put8(p, f->key.proto))
PUT(tos_in, wire_put8(p, f->packets[i] > 0 ? f->tos[i] : 0))
PUT(port_src, wire_put16(p, f->key.port[i]))
PUT(port_dst, wire_put16(p, f->key.port[o]))
/* layouts have only the addresses of their own family */
PUT(ip4_src, put_bytes(p, f->key.addr[i] + 12, 4))
PUT(ip4_dst, put_bytes(p, f->key.addr[o] + 12, 4))
PUT(ip6_src, put_bytes(p, f->key.addr[i], 16))
PUT(ip6_dst, put_bytes(p, f->key.addr[o], 16))
PUT(first, put_time(p, r, e, r->biflow ? flow_first_us(f) : f->first_us[i]))
PUT(last, put_time(p, r, e, r->biflow ? flow_last_us(f) : f->last_dir_us[i]))
PUT(end_reason, wire_put8(p, f->end))
PUT(tcp_flags,
    wire_put_uint(p, r->biflow ? f->tcp[0].flags | f->tcp[1].flags : f->tcp[i].flags, e->len))
