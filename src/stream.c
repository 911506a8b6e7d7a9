/* SPDX-License-Identifier: BSD-3-Clause */
/* stream.c -- fill a message, hand it on, begin the next. */
#include "stream.h"

void
stream_init(struct stream *s, const struct template *template,
    const struct message_format *format, uint16_t template_id, stream_emit *emit,
    void *arg)
{
	s->template = template;
	s->format = format;
	s->template_id = template_id;
	s->emit = emit;
	s->arg = arg;
	s->messages = s->octets = s->oldest_us = 0;
	message_begin(&s->message, format);
}

void
stream_flush(struct stream *s)
{
	if (message_empty(&s->message))
		return;
	s->format->finish(&s->message, &s->head);
	s->messages++;
	s->octets += s->message.len;
	s->emit(s->arg, &s->message);
	message_begin(&s->message, s->format);
}

void
stream_record(struct stream *s, const struct record *r)
{
	bool ip4 = flow_is_ip4(r->flow);
	const struct layout *l = ip4 ? &s->template->ip4 : &s->template->ip6;
	uint16_t id = (uint16_t)(ip4 ? s->template_id : s->template_id + 1);

	/* Its template was never sent: nothing of it is left for this family. */
	if (l->n == 0 && s->format->template != NULL)
		return;
	if (message_empty(&s->message))
		s->oldest_us = s->head.now_us;
	if (s->format->record(&s->message, id, l, r))
		return;
	stream_flush(s);
	s->oldest_us = s->head.now_us;
	if (!s->format->record(&s->message, id, l, r))
		__builtin_trap(); /* export_new() refused longer records */
}

void
stream_tell(const struct stream *s, unsigned what, const struct options_source *source,
    struct message *m, stream_emit *emit, void *arg)
{
	struct options_cursor cursor = {.what = what};
	bool more;

	do {
		message_begin(m, s->format);
		more = options_fill(&cursor, source, m);
		if (message_empty(m))
			return;
		s->format->finish(m, &s->head);
		emit(arg, m);
	} while (more);
}
