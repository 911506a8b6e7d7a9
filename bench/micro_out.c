/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro_out.c -- ended flows into messages and text.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "flowtable.h"
#include "json.h"
#include "message.h"
#include "micro.h"
#include "stream.h"
#include "template.h"

#define FLOWS 64

struct exporter {
	struct config config;
	struct template template;
	struct field_context ctx;
	struct flowtable *table;
	struct counters counters;
	struct flow *flow[FLOWS]; /* ended, away from TABLE */
	unsigned nflows;
	struct flow_l7 l7;
	struct stream stream;
	struct json json;
	uint64_t octets;
};

enum output {
	OUTPUT_V5 = 5,
	OUTPUT_V9 = 9,
	OUTPUT_IPFIX = 10,
	OUTPUT_JSON = 100,
	OUTPUT_L7 = 1000, /* in addition: the long template */
};

static void
emitted(void *arg, struct message *m)
{
	struct exporter *s = arg;

	message_sequence(m, 1);
	s->octets += m->len;
}

static void
finish(void *arg, struct flow *f)
{
	(void)arg;
	(void)f;
}

static void
ended(void *arg, struct flow *f)
{
	struct exporter *s = arg;

	f->l7 = &s->l7;
	s->flow[s->nflows++] = f;
}

static bool
no_room(void *arg)
{
	(void)arg;
	return false;
}

/* Connections, two packets each, that have ended. */
static void
flows_make(struct exporter *s)
{
	struct flowtable_options o = {.max = FLOWS, .spare = FLOWS, .details = FLOWS,
		.serial_first = 1, .serial_step = 1, .seed = 42, .idle_us = 30000000,
		.active_us = 120000000, .linger_us = 5000000, .parts = FLOWKEY_DEFAULT};
	struct flowtable_calls calls = {finish, ended, no_room, s};
	struct packet p = {.ip_version = 4, .proto = 6, .octets = 100, .wirelen = 114,
		.ttl = 64, .wscale = 0xff, .sport = 40000, .dport = 443,
		.flags = PACKET_HAS_TCP | PACKET_HAS_MAC};
	struct flowkey key;
	uint64_t hash;
	unsigned i, dir;

	s->table = flowtable_new(&o, &calls, &s->counters);
	micro_check(s->table != NULL, "no flow table");
	memcpy(p.src + 10, "\xff\xff\x0a\0\0\1", 6);
	memcpy(p.dst + 10, "\xff\xff\xc6\x12\0\1", 6);
	for (i = 0; i < 2 * FLOWS; i++) {
		p.ts_us = 1700000000000000ULL + i;
		p.src[14] = (uint8_t)(i % FLOWS);
		p.tcp_flags = i < FLOWS ? TCP_SYN : TCP_ACK;
		p.seq = 1000 + i / FLOWS;
		dir = flowtable_prepare(s->table, &p, &key, &hash);
		flowtable_packet(s->table, &p, &key, hash, dir);
	}
	flowtable_flush(s->table, FLOW_END_FORCED);
	micro_check(s->nflows == FLOWS, "flows are missing");
}

static void *
output_begin(uint32_t output)
{
	struct exporter *s = micro_take(1, sizeof(*s));
	char *argv[] = {"mcprobe", "-i", "x.pcap", NULL};
	int version = output % OUTPUT_L7 == OUTPUT_JSON ? 10 : (int)(output % OUTPUT_L7);
	char err[256];

	micro_check(config_parse(&s->config, 3, argv, err, sizeof(err)) == 0, "options");
	micro_check(template_parse(&s->template,
			output >= OUTPUT_L7 ? "@NTOPNG@" : "@DEFAULT@", version,
			BIFLOW_NTOP, true, err, sizeof(err)) == 0, "a template");
	s->ctx.config = &s->config;
	s->ctx.boot_us = s->ctx.export_us = 1700000000000000ULL;
	s->l7.app = 7;
	flows_make(s);
	json_init(&s->json);
	stream_init(&s->stream, &s->template, message_format(version), 257, emitted, s);
	s->stream.head.now_us = s->stream.head.boot_us = s->ctx.boot_us;
	return s;
}

static struct record
record_of(const struct exporter *s, uint32_t i)
{
	return (struct record){.flow = s->flow[i % FLOWS], .ctx = &s->ctx,
		.biflow = s->template.biflow};
}

static void
message_run(void *state, uint32_t n)
{
	struct exporter *s = state;
	uint64_t before = s->octets;
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct record r = record_of(s, i);

		stream_record(&s->stream, &r);
	}
	micro_check(s->octets > before, "no message");
}

static void
json_run(void *state, uint32_t n)
{
	struct exporter *s = state;
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct record r = record_of(s, i);

		if (i % FLOWS == 0)
			json_reset(&s->json);
		json_record(&s->json, &s->template, &r, false);
	}
	micro_check(s->json.len > 0 && !s->json.failed, "no JSON");
}

static void
output_end(void *state)
{
	struct exporter *s = state;

	while (s->nflows > 0) {
		s->flow[--s->nflows]->l7 = NULL; /* ours */
		flowtable_put(s->table, s->flow[s->nflows]);
	}
	flowtable_free(s->table);
	json_clear(&s->json);
	config_clear(&s->config);
	free(s);
}

#define MESSAGE(name, output, what) \
	{name, what, output, 20000, output_begin, message_run, output_end}

const struct micro micro_out[] = {
    MESSAGE("encode v5", OUTPUT_V5, "a record"),
    MESSAGE("encode v9", OUTPUT_V9, "a record, @DEFAULT@"),
    MESSAGE("encode ipfix", OUTPUT_IPFIX, "a record, @DEFAULT@"),
    MESSAGE("encode ipfix long", OUTPUT_IPFIX + OUTPUT_L7, "a record, @NTOPNG@"),
    {"encode json", "a record, @DEFAULT@", OUTPUT_JSON, 20000, output_begin, json_run,
	output_end},
    {"encode json long", "a record, @NTOPNG@", OUTPUT_JSON + OUTPUT_L7, 20000, output_begin,
	json_run, output_end},
    {0},
};
