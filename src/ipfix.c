/* SPDX-License-Identifier: BSD-3-Clause */
/* ipfix.c -- IPFIX: header, templates and options templates (RFC 7011 §3). */
#include "ipfix.h"

#include "wire.h"

#define HEADER_LEN   16
#define SET_TEMPLATE 2
#define SET_OPTIONS  3

static bool
add_template(struct message *m, uint16_t id, const struct layout *l)
{
	unsigned i, len = 4;
	uint8_t *p;

	for (i = 0; i < l->n; i++)
		len += l->v[i].pen != 0 ? 8 : 4;
	p = message_room(m, SET_TEMPLATE, 8, len);
	if (p == NULL)
		return false;
	p = wire_put16(p, id);
	p = wire_put16(p, l->n);
	for (i = 0; i < l->n; i++) {
		p = wire_put16(p,
		    l->v[i].id | (l->v[i].pen != 0 ? IPFIX_ENTERPRISE : 0));
		p = wire_put16(p, l->v[i].len);
		if (l->v[i].pen != 0)
			p = wire_put32(p, l->v[i].pen);
	}
	m->templates++;
	return true;
}

static bool
add_options(struct message *m, uint16_t id, const struct option_layout *o)
{
	return message_options(m, SET_OPTIONS, id, o, o->n, o->nscope);
}

static void
finish(struct message *m, const struct message_head *head)
{
	/* Rounded up, as in v9: no record lies after its header. */
	uint64_t now_s = (message_time_us(m, head) + 999999) / 1000000;
	uint8_t *p = m->buf;

	message_close_set(m);
	p = wire_put16(p, 10);
	p = wire_put16(p, m->len);
	p = wire_put32(p, (uint32_t)now_s);
	p = wire_put32(p, 0); /* sequence: message_sequence() */
	wire_put32(p, head->domain);
}

/* Sequence numbers count data records, those of options included. */
static uint32_t
advance(const struct message *m)
{
	return (uint32_t)m->options + m->flows;
}

const struct message_format ipfix_format = {
	.version = 10,
	.header_len = HEADER_LEN,
	.sequence_at = 8,
	.template = add_template,
	.options = add_options,
	.record = message_record,
	.finish = finish,
	.advance = advance,
};
