/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netflow5.c -- NetFlow v5: fixed records, straight from the flow. Its header has
 * nanoseconds, so uptime and time of day are of the same millisecond.
 */
#include "netflow5.h"

#include "wire.h"

#define HEADER_LEN 24
#define RECORD_LEN 48

#define SAMPLING_DETERMINISTIC (1 << 14) /* mode, above 14 bits of interval */
#define SAMPLING_MAX	       0x3fff

#define PROTO_ICMP 1

static uint32_t
saturate32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* The interface index of the flow, as INPUT_SNMP and OUTPUT_SNMP tell it: 16 bits. */
static unsigned
ifindex(const struct record *r, int given)
{
	const struct field_context *ctx = r->ctx;
	uint32_t index = 0;

	if (given >= 0)
		index = (uint32_t)given;
	else if (r->flow->port < ctx->nports)
		index = ctx->port_index[r->flow->port];
	return index > UINT16_MAX ? UINT16_MAX : index;
}

static void
put_ports(uint8_t *p, const struct flow *f, unsigned dir)
{
	if (f->key.proto == PROTO_ICMP) {
		p = wire_put16(p, 0);
		wire_put16(p, f->icmp_type[dir] * 256u + f->icmp_code[dir]);
	} else {
		p = wire_put16(p, f->key.port[dir]);
		wire_put16(p, f->key.port[!dir]);
	}
}

static bool
add_record(struct message *m, uint16_t id, const struct layout *layout,
    const struct record *r)
{
	const struct flow *f = r->flow;
	const struct config *c = r->ctx->config;
	unsigned dir = r->dir;
	uint8_t *p = m->buf + m->len;

	(void)id;
	(void)layout;
	if (m->flows == NETFLOW5_RECORDS_MAX)
		return false;
	memcpy(p, f->key.addr[dir] + 12, 4); /* IPv4 is mapped: its last 4 bytes */
	memcpy(p + 4, f->key.addr[!dir] + 12, 4);
	p = wire_put32(p + 8, 0); /* next hop: a probe knows none */
	p = wire_put16(p, ifindex(r, c->in_ifindex));
	p = wire_put16(p, ifindex(r, c->out_ifindex));
	p = wire_put32(p, saturate32(f->packets[dir]));
	p = wire_put32(p, saturate32(f->octets[dir]));
	p = wire_put32(p, message_uptime(f->first_us[dir], r->ctx->boot_us));
	p = wire_put32(p, message_uptime(f->last_dir_us[dir], r->ctx->boot_us));
	put_ports(p, f, dir);
	p = wire_put8(p + 4, 0);
	p = wire_put8(p, f->tcp[dir].flags);
	p = wire_put8(p, f->key.proto);
	p = wire_put8(p, f->tos[dir]);
	memset(p, 0, 8); /* AS numbers, masks, padding */
	m->len += RECORD_LEN;
	m->flows++;
	if (f->last_dir_us[dir] > m->latest_us)
		m->latest_us = f->last_dir_us[dir];
	return true;
}

static void
finish(struct message *m, const struct message_head *head)
{
	/* Rounded up: no record may lie after its header. */
	uint64_t now_ms = (message_time_us(m, head) + 999) / 1000;
	uint32_t n = head->sampling, interval = n < SAMPLING_MAX ? n : SAMPLING_MAX;
	uint8_t *p = m->buf;

	p = wire_put16(p, 5);
	p = wire_put16(p, m->flows);
	p = wire_put32(p, (uint32_t)(now_ms - head->boot_us / 1000));
	p = wire_put32(p, (uint32_t)(now_ms / 1000));
	p = wire_put32(p, (uint32_t)(now_ms % 1000) * 1000000);
	p = wire_put32(p, 0); /* sequence: message_sequence() */
	p = wire_put8(p, head->engine_type);
	p = wire_put8(p, head->engine_id);
	wire_put16(p, SAMPLING_DETERMINISTIC | interval);
}

static uint32_t
advance(const struct message *m)
{
	return m->flows;
}

const struct message_format netflow5_format = {
	.version = 5,
	.header_len = HEADER_LEN,
	.sequence_at = 16,
	.record = add_record,
	.finish = finish,
	.advance = advance,
};
