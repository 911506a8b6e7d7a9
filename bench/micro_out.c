/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro_out.c -- ended flows into messages and text.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
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
	struct flow flow[FLOWS];
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
flow_make(struct exporter *s, unsigned i)
{
	struct flow *f = &s->flow[i];

	f->key = (struct flowkey){.port = {40000, 443}, .proto = 6, .ip_version = 4};
	memcpy(f->key.addr[0] + 10, "\xff\xff\x0a\0\0\1", 6);
	memcpy(f->key.addr[1] + 10, "\xff\xff\xc6\x12\0\1", 6);
	f->key.addr[0][15] = (uint8_t)i;
	f->packets[0] = 10 + i;
	f->packets[1] = 12;
	f->octets[0] = 1000 + i;
	f->octets[1] = 123456;
	f->first_us[0] = f->first_us[1] = 1700000000000000ULL + i;
	f->last_dir_us[0] = f->last_dir_us[1] = f->last_us = 1700000001000000ULL + i;
	f->tcp[0].flags = f->tcp[1].flags = 0x1b;
	f->end = FLOW_END_DETECTED;
	f->l7 = &s->l7;
}

static void *
output_begin(uint32_t output)
{
	struct exporter *s = micro_take(1, sizeof(*s));
	char *argv[] = {"mcprobe", "-i", "x.pcap", NULL};
	int version = output % OUTPUT_L7 == OUTPUT_JSON ? 10 : (int)(output % OUTPUT_L7);
	char err[256];
	unsigned i;

	micro_check(config_parse(&s->config, 3, argv, err, sizeof(err)) == 0, "options");
	micro_check(template_parse(&s->template,
			output >= OUTPUT_L7 ? "@NTOPNG@" : "@DEFAULT@", version,
			BIFLOW_NTOP, true, err, sizeof(err)) == 0, "a template");
	s->ctx.config = &s->config;
	s->ctx.boot_us = s->ctx.export_us = 1700000000000000ULL;
	s->l7.app = 7;
	for (i = 0; i < FLOWS; i++)
		flow_make(s, i);
	json_init(&s->json);
	stream_init(&s->stream, &s->template, message_format(version), 257, emitted, s);
	s->stream.head.now_us = s->stream.head.boot_us = s->ctx.boot_us;
	return s;
}

static struct record
record_of(const struct exporter *s, uint32_t i)
{
	return (struct record){.flow = &s->flow[i % FLOWS], .ctx = &s->ctx,
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
