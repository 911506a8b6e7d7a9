/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.c -- sets, padding and the encoder of records. A record costs one getter and
 * one store per field; nothing is allocated or written twice.
 */
#include "message.h"

#include "wire.h"

#define SET_HEADER 4

/* Seconds from 1900, where NTP counts from, to 1970. */
#define NTP_EPOCH 2208988800u

const struct message_format *
message_format(int version)
{
	switch (version) {
	case 5:
		return &netflow5_format;
	case 9:
		return &netflow9_format;
	case 10:
		return &ipfix_format;
	}
	return NULL;
}

void
message_begin(struct message *m, const struct message_format *format)
{
	m->format = format;
	m->len = format->header_len;
	m->set = m->set_least = 0;
	m->set_id = 0;
	m->templates = m->options = m->flows = 0;
	m->latest_us = 0;
}

bool
message_empty(const struct message *m)
{
	return m->len == m->format->header_len;
}

void
message_sequence(struct message *m, uint32_t sequence)
{
	wire_put32(m->buf + m->format->sequence_at, sequence);
}

/*
 * Padding must be shorter than any record of the set (RFC 7011 §3.3.1), or a collector
 * would read zeros as a record: a set of 1-byte records may end anywhere.
 */
static unsigned
padding(const struct message *m)
{
	unsigned n = -m->len & 3;

	return m->set != 0 && n < m->set_least ? n : 0;
}

void
message_close_set(struct message *m)
{
	unsigned n = padding(m);

	if (m->set == 0)
		return;
	memset(m->buf + m->len, 0, n);
	m->len += n;
	wire_put16(m->buf + m->set, m->set_id);
	wire_put16(m->buf + m->set + 2, m->len - m->set);
	m->set = 0;
}

uint8_t *
message_room(struct message *m, uint16_t id, unsigned least, unsigned len)
{
	unsigned max = message_empty(m) ? MESSAGE_HARD : MESSAGE_MAX;
	unsigned at = m->len;

	if (m->set == 0 || m->set_id != id)
		at += padding(m) + SET_HEADER;
	/* Both limits are multiples of 4: padding never goes beyond them. */
	if (at + len > max)
		return NULL;
	if (m->set == 0 || m->set_id != id) {
		message_close_set(m);
		m->set = m->len;
		m->set_id = id;
		m->set_least = least;
		m->len += SET_HEADER;
	}
	m->len += len;
	return m->buf + m->len - len;
}

bool
message_options(struct message *m, uint16_t set, uint16_t id,
    const struct option_layout *o, unsigned first, unsigned second)
{
	uint8_t *p = message_room(m, set, 10, 6 + 4 * o->n);
	unsigned i;

	if (p == NULL)
		return false;
	p = wire_put16(p, id);
	p = wire_put16(p, first);
	p = wire_put16(p, second);
	for (i = 0; i < o->n; i++) {
		p = wire_put16(p, o->v[i].id);
		p = wire_put16(p, o->v[i].len);
	}
	/* One to a set: readers differ on what may follow. */
	message_close_set(m);
	m->templates++;
	return true;
}

uint8_t *
message_put_varlen(uint8_t *p, const void *bytes, unsigned len)
{
	if (len < 255) {
		p = wire_put8(p, len);
	} else {
		p = wire_put8(p, 255);
		p = wire_put16(p, len);
	}
	if (len > 0)
		memcpy(p, bytes, len);
	return p + len;
}

/* A string of LEN bytes in v9: cut or filled with zeros. */
static uint8_t *
put_padded(uint8_t *p, const struct value *v, unsigned len)
{
	unsigned n = v->len < len ? v->len : len;

	if (n > 0)
		memcpy(p, v->p, n);
	memset(p + n, 0, len - n);
	return p + len;
}

/* Addresses: getters give all LEN bytes or nothing. */
static uint8_t *
put_bytes(uint8_t *p, const struct value *v, unsigned len)
{
	if (v->p != NULL)
		memcpy(p, v->p, len);
	else
		memset(p, 0, len);
	return p + len;
}

/*
 * µs since the epoch as an NTP timestamp (RFC 7011 §6.1.9). The lower 11 bits of the
 * fraction are to be 0; it is rounded up, so that a reader who cuts gets the same µs.
 */
static uint64_t
ntp_time(uint64_t us)
{
	uint64_t fraction = ((us % 1000000) << 32) / 1000000 + 2047;

	return (us / 1000000 + NTP_EPOCH) << 32 | (fraction & ~(uint64_t)2047);
}

uint32_t
message_uptime(uint64_t us, uint64_t boot_us)
{
	return us > boot_us ? (uint32_t)((us - boot_us) / 1000) : 0;
}

static uint8_t *
put_value(uint8_t *p, const struct template_field *f, const struct value *v,
    uint64_t boot_us)
{
	switch ((enum field_type)f->type) {
	case FIELD_UINT:
		return wire_put_uint(p, v->u, f->len);
	case FIELD_IP4:
	case FIELD_IP6:
	case FIELD_MAC:
		return put_bytes(p, v, f->len);
	case FIELD_STRING:
	case FIELD_OCTETS:
		if (f->len == FIELD_VARLEN)
			return message_put_varlen(p, v->p,
			    v->len < FIELD_STRING_MAX ? v->len : FIELD_STRING_MAX);
		return put_padded(p, v, f->len);
	case FIELD_SECONDS:
		return wire_put_uint(p, v->u / 1000000, f->len);
	case FIELD_MILLIS:
	case FIELD_LATENCY:
		return wire_put_uint(p, v->u / 1000, f->len);
	case FIELD_MICROS:
		return wire_put_uint(p, ntp_time(v->u), f->len);
	case FIELD_UPTIME:
		return wire_put_uint(p, message_uptime(v->u, boot_us), f->len);
	}
	__builtin_trap(); /* a type without an encoding is a bug in the field table */
}

static uint8_t *
put_absent(uint8_t *p, const struct template_field *f)
{
	unsigned len = f->len == FIELD_VARLEN ? 1 : f->len;

	memset(p, 0, len);
	return p + len;
}

unsigned
message_record_max(const struct layout *l)
{
	unsigned i, len = 0;

	for (i = 0; i < l->n; i++)
		len += l->v[i].len == FIELD_VARLEN ? 3 + FIELD_STRING_MAX : l->v[i].len;
	return len;
}

/* Encode RECORD at P; returns the place after it. */
static uint8_t *
put_record(uint8_t *p, const struct layout *l, const struct record *r)
{
	const struct template_field *f = l->v, *end = f + l->n;
	struct value v;

	for (; f < end; f++) {
		if (f->put != NULL) {
			p = f->put(p, r, f);
			continue;
		}
		/* BUF stays as it is: most getters do not use its 256 bytes. */
		v.u = 0;
		v.p = NULL;
		v.len = 0;
		v.absent = false;
		field_read(f->field, r, &v);
		if (v.absent)
			p = put_absent(p, f);
		else
			p = put_value(p, f, &v, r->ctx->boot_us);
	}
	return p;
}

/*
 * Strings make a record's length known only when it is written. It is written where it
 * would stand, in the room up to MESSAGE_HARD, and taken back if it went too far.
 */
static bool
put_varying(struct message *m, uint16_t id, const struct layout *l,
    const struct record *r)
{
	bool opened = m->set == 0 || m->set_id != id;
	bool empty = message_empty(m);
	unsigned start;
	uint8_t *p, *end;

	p = message_room(m, id, l->fixed_len, l->fixed_len);
	if (p == NULL)
		return false;
	start = (unsigned)(p - m->buf);
	end = put_record(p, l, r);
	if (end - m->buf > MESSAGE_MAX && !empty) {
		m->len = opened ? m->set : start;
		if (opened)
			m->set = 0;
		return false;
	}
	m->len = (unsigned)(end - m->buf);
	return true;
}

bool
message_record(struct message *m, uint16_t id, const struct layout *l,
    const struct record *r)
{
	uint64_t last_us;
	uint8_t *p;

	if (l->has_varlen) {
		if (!put_varying(m, id, l, r))
			return false;
	} else {
		p = message_room(m, id, l->fixed_len, l->fixed_len);
		if (p == NULL)
			return false;
		put_record(p, l, r);
	}
	m->flows++;
	last_us = flow_last_us(r->flow);
	if (last_us > m->latest_us)
		m->latest_us = last_us;
	return true;
}

uint64_t
message_time_us(const struct message *m, const struct message_head *head)
{
	return m->latest_us > head->now_us ? m->latest_us : head->now_us;
}
