/* SPDX-License-Identifier: BSD-3-Clause */
/* netflow9.c -- NetFlow v9: header, templates and options templates (RFC 3954 §5-6). */
#include "netflow9.h"

#include "wire.h"

#define HEADER_LEN   20
#define SET_TEMPLATE 0
#define SET_OPTIONS  1

static bool
add_template(struct message *m, uint16_t id, const struct layout *l)
{
	unsigned i;
	uint8_t *p;

	p = message_room(m, SET_TEMPLATE, 8, 4 + 4 * l->n);
	if (p == NULL)
		return false;
	p = wire_put16(p, id);
	p = wire_put16(p, l->n);
	for (i = 0; i < l->n; i++) {
		p = wire_put16(p, l->v[i].id);
		p = wire_put16(p, l->v[i].len);
	}
	m->templates++;
	return true;
}

/* Scopes and options are told by their octets here, not by their number. */
static bool
add_options(struct message *m, uint16_t id, const struct option_layout *o)
{
	return message_options(m, SET_OPTIONS, id, o, 4 * o->nscope, 4 * (o->n - o->nscope));
}

static void
finish(struct message *m, const struct message_head *head)
{
	uint64_t now_s = (message_time_us(m, head) + 999999) / 1000000;
	uint8_t *p = m->buf;

	message_close_set(m);
	p = wire_put16(p, 9);
	p = wire_put16(p, m->templates + m->options + m->flows);
	p = wire_put32(p, (uint32_t)(now_s * 1000 - head->boot_us / 1000));
	p = wire_put32(p, (uint32_t)now_s);
	p = wire_put32(p, 0); /* sequence: message_sequence() */
	wire_put32(p, head->domain);
}

/* Sequence numbers count messages. */
static uint32_t
advance(const struct message *m)
{
	(void)m;
	return 1;
}

const struct message_format netflow9_format = {
	.version = 9,
	.header_len = HEADER_LEN,
	.sequence_at = 12,
	.template = add_template,
	.options = add_options,
	.record = message_record,
	.finish = finish,
	.advance = advance,
};
