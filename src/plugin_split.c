/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_split.c -- sub-flows of datagrams, found by the thread that decodes: it is the
 * one that remembers the fragments which inherit them.
 */
#include "plugin_int.h"

#include <stdlib.h>
#include <string.h>

#include "flowkey.h"

#define PROTO_UDP 17

struct plugin_splitter {
	struct plugin_context context[PLUGINS_MAX]; /* of those that have sub-flows */
	unsigned n;
	unsigned parts;
};

struct plugin_splitter *
plugin_splitter_new(const struct plugins *plugins, struct counters *counters, char *err,
    size_t errlen)
{
	struct plugin_splitter *s = calloc(1, sizeof(*s));
	unsigned i;

	snprintf(err, errlen, "no memory for plugins");
	if (s == NULL)
		return NULL;
	s->parts = plugins->parts;
	for (i = 0; i < plugins->n; i++) {
		const struct plugin *p = &plugins->v[i];
		struct plugin_context *x = &s->context[s->n];

		if (!p->runs || !p->splits || p->mc->subflow == NULL)
			continue;
		*x = (struct plugin_context){
			.plugins = plugins, .plugin = p, .counters = counters};
		if (plugin_context_init(x, false, err, errlen) < 0) {
			plugin_splitter_free(s);
			return NULL;
		}
		s->n++;
	}
	return s;
}

void
plugin_splitter_free(struct plugin_splitter *s)
{
	unsigned i;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++)
		plugin_context_clear(&s->context[i]);
	free(s);
}

uint32_t
plugin_splitter_sub(void *arg, const struct packet *pkt)
{
	struct plugin_splitter *s = arg;
	struct mc_packet m = {.ts_us = pkt->ts_us, .data = pkt->payload,
		.len = pkt->payload_len, .wire_len = pkt->payload_wire};
	struct flowkey key;
	struct mc_key mckey;
	uint32_t sub = 0;
	unsigned i;

	if (pkt->proto != PROTO_UDP || pkt->payload_len == 0)
		return 0;
	m.dir = (uint8_t)flowkey_make(&key, pkt, s->parts);
	memcpy(&mckey, &key, sizeof(mckey));
	for (i = 0; i < s->n && sub == 0; i++)
		sub = s->context[i].plugin->mc->subflow(s->context[i].ctx, &mckey, &m);
	return sub;
}
