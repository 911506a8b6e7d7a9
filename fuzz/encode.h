/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * encode.h -- flows through every encoder and back, for the targets of templates and of
 * records. What nfreader.h, the tests' collector, and a reader of JSON below get must
 * be what was put in. All state is static and set anew by each encode_all().
 */
#ifndef MCPROBE_FUZZ_ENCODE_H
#define MCPROBE_FUZZ_ENCODE_H

#include <stdbool.h>

#include "fuzz.h"
#include "json.h"
#include "options_data.h"
#include "stream.h"

/* nfreader.h asks as cmocka does. */
#define assert_true(c) CHECK(c)
#define assert_int_equal(a, b) CHECK((uint64_t)(a) == (uint64_t)(b))
#define assert_int_not_equal(a, b) CHECK((uint64_t)(a) != (uint64_t)(b))
#define assert_memory_equal(a, b, n) CHECK(memcmp(a, b, n) == 0)
#define fail_msg(...) fuzz_fail(__FILE__, __LINE__, "a record can be read")
#include "../tests/nfreader.h"

#define ENCODE_RECORDS 512
#define ENCODE_JSON 12 /* of the records: it is slow */
#define TEMPLATE_ID 257

/* What is put in: flows, seen from one side or both. */
struct encode {
	const struct template *template;
	struct field_context ctx;
	struct message_head head;
	struct record sent[ENCODE_RECORDS];
	unsigned nsent, read; /* READ: records that came back */
	uint32_t sequence;
	struct nf_reader reader;
	struct stream stream;
	struct message scratch;
};

/*
 * JSON: one object of plain members, then a newline
 */
static inline const uint8_t *
json_text(const uint8_t *p, const uint8_t *end)
{
	CHECK(p < end && *p == '"');
	for (p++; p < end && *p != '"'; p++) {
		CHECK(*p >= 0x20);
		if (*p != '\\')
			continue;
		p++;
		CHECK(p < end && strchr("\"\\/bfnrtu", *p) != NULL && *p != '\0');
		if (*p == 'u') {
			CHECK(end - p > 4 && strspn((const char *)p + 1,
						 "0123456789abcdefABCDEF") >= 4);
			p += 4;
		}
	}
	CHECK(p < end);
	return p + 1;
}

static inline const uint8_t *
json_number(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	CHECK(p > start && (*start != '0' || p == start + 1));
	if (p < end && *p == '.') {
		start = ++p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		CHECK(p > start);
	}
	return p;
}

static inline const uint8_t *
json_member(const uint8_t *p, const uint8_t *end)
{
	p = json_text(p, end);
	CHECK(p < end && *p == ':');
	p++;
	if (end - p >= 4 && memcmp(p, "true", 4) == 0)
		return p + 4;
	if (end - p >= 5 && memcmp(p, "false", 5) == 0)
		return p + 5;
	return p < end && *p == '"' ? json_text(p, end) : json_number(p, end);
}

/* Every byte above 0x7f belongs to a character of RFC 3629. */
static inline void
check_utf8(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		uint32_t c = *p++, n, least;

		if (c < 0x80)
			continue;
		CHECK(c >= 0xc0 && c < 0xf8);
		n = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		least = n == 1 ? 0x80 : n == 2 ? 0x800 : 0x10000;
		for (c &= 0x3f >> n; n > 0; n--) {
			CHECK(p < end && (*p & 0xc0) == 0x80);
			c = c << 6 | (*p++ & 0x3f);
		}
		CHECK(c >= least && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
	}
}

static inline void
check_json(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	CHECK(len >= 3 && end[-1] == '\n' && end[-2] == '}' && *p == '{');
	check_utf8(p, end);
	end -= 2;
	for (p++; p < end;) {
		p = json_member(p, end);
		if (p < end) {
			CHECK(*p == ',' && p + 1 < end);
			p++;
		}
	}
}

/* The member NAME is there and U, if the template has FIELD. */
static inline void
check_member(const struct encode *e, const struct json *j, const char *name, uint64_t u)
{
	char want[128];
	unsigned i;

	for (i = 0; i < e->template->n; i++)
		if (strcmp(e->template->field[i]->label, name) == 0)
			break;
	if (i == e->template->n)
		return;
	snprintf(want, sizeof(want), "\"%s\":%llu", name, (unsigned long long)u);
	CHECK(memmem(j->buf, j->len, want, strlen(want)) != NULL);
}

static inline void
encode_json(struct encode *e)
{
	struct json j;
	unsigned i;

	json_init(&j);
	for (i = 0; i < e->nsent && i < ENCODE_JSON; i++) {
		const struct record *r = &e->sent[i];

		json_reset(&j);
		json_record(&j, e->template, r, i & 1);
		CHECK(!j.failed);
		check_json((const uint8_t *)j.buf, j.len);
		if (i & 1)
			continue;
		check_member(e, &j, "IN_BYTES", r->flow->octets[r->dir]);
		check_member(e, &j, "IN_PKTS", r->flow->packets[r->dir]);
	}
	json_clear(&j);
}

/*
 * Messages
 */

/* The element, if the record has it, is U as far as it fits. */
static inline void
check_element(const struct nf_record *n, uint16_t id, uint64_t u)
{
	const struct nf_value *v = nf_find(n, 0, id);
	uint64_t most;

	if (v == NULL)
		return;
	CHECK(v->len >= 1 && v->len <= 8);
	most = v->len == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * v->len) - 1;
	CHECK(nf_uint(v->p, v->len) == (u < most ? u : most));
}

static inline void
check_address(const struct nf_record *n, uint16_t id, const uint8_t *addr, unsigned len)
{
	const struct nf_value *v = nf_find(n, 0, id);

	if (v == NULL)
		return;
	CHECK(v->len == len && memcmp(v->p, addr + 16 - len, len) == 0);
}

/* As a header's uptime counts: ms since boot, modulo 2^32; not before it. */
static inline uint32_t
uptime_of(const struct encode *e, uint64_t us)
{
	uint64_t boot_us = e->head.boot_us;

	return us < boot_us ? 0 : (uint32_t)((us - boot_us) / 1000);
}

static inline void
check_times(const struct encode *e, const struct nf_record *n, const struct record *r)
{
	const struct flow *f = r->flow;
	uint64_t first = r->biflow ? flow_first_us(f) : f->first_us[r->dir];
	uint64_t last = r->biflow ? flow_last_us(f) : f->last_dir_us[r->dir];

	check_element(n, 150, first / 1000000);
	check_element(n, 151, last / 1000000);
	check_element(n, 152, first / 1000);
	check_element(n, 153, last / 1000);
	check_element(n, 22, uptime_of(e, first));
	check_element(n, 21, uptime_of(e, last));
}

static inline void
check_v5(const struct encode *e, const struct nf_record *n, const struct record *r)
{
	const struct flow *f = r->flow;
	uint64_t packets = f->packets[r->dir], octets = f->octets[r->dir];

	CHECK(memcmp(n->v5, f->key.addr[r->dir] + 12, 4) == 0);
	CHECK(memcmp(n->v5 + 4, f->key.addr[!r->dir] + 12, 4) == 0);
	CHECK(nf_uint(n->v5 + 16, 4) == (packets < UINT32_MAX ? packets : UINT32_MAX));
	CHECK(nf_uint(n->v5 + 20, 4) == (octets < UINT32_MAX ? octets : UINT32_MAX));
	CHECK(nf_uint(n->v5 + 24, 4) == uptime_of(e, f->first_us[r->dir]));
	CHECK(nf_uint(n->v5 + 28, 4) == uptime_of(e, f->last_dir_us[r->dir]));
	CHECK(n->v5[38] == f->key.proto);
}

/* nf_reader.record: records come back in the order they were sent. */
static inline void
on_record(void *arg, const struct nf_record *n)
{
	struct encode *e = arg;
	const struct record *r;
	unsigned from = flow_is_ip4(e->sent[e->read].flow) ? 8 : 27;

	if (n->template != NULL && n->template->nscope > 0)
		return;
	CHECK(e->read < e->nsent);
	r = &e->sent[e->read++];
	if (n->template == NULL) {
		check_v5(e, n, r);
		return;
	}
	CHECK(n->template->id == TEMPLATE_ID + (flow_is_ip4(r->flow) ? 0 : 1));
	check_element(n, 1, r->flow->octets[r->dir]);
	check_element(n, 2, r->flow->packets[r->dir]);
	if (r->biflow) {
		check_element(n, 23, r->flow->octets[!r->dir]);
		check_element(n, 24, r->flow->packets[!r->dir]);
	}
	check_times(e, n, r);
	check_element(n, 4, r->flow->key.proto);
	check_element(n, 136, r->flow->end);
	check_element(n, 7, r->flow->key.port[r->dir]);
	check_element(n, 11, r->flow->key.port[!r->dir]);
	check_address(n, (uint16_t)from, r->flow->key.addr[r->dir], from == 8 ? 4 : 16);
	check_address(
	    n, from == 8 ? 12 : 28, r->flow->key.addr[!r->dir], from == 8 ? 4 : 16);
}

/* stream_emit: a collector gets the message. */
static inline void
on_message(void *arg, struct message *m)
{
	struct encode *e = arg;
	size_t len = m->len;
	uint8_t *exact;

	CHECK(m->len <= MESSAGE_HARD);
	/* longer than a datagram should be: a single template or record */
	CHECK(m->len <= MESSAGE_MAX || m->templates + m->options + m->flows == 1);
	message_sequence(m, e->sequence);
	e->sequence += m->format->advance(m);
	exact = malloc(len);
	CHECK(exact != NULL);
	memcpy(exact, m->buf, len);
	nf_read(&e->reader, exact, len);
	free(exact);
}

static inline void
encode_messages(struct encode *e, int version)
{
	static const struct export_port ports[] = {{"eth0", 2}, {"", 0}};
	struct options_source source = {.template = e->template,
	    .ports = ports,
	    .nports = 2,
	    .template_id = TEMPLATE_ID,
	    .domain = e->head.domain,
	    .sampling = e->head.sampling,
	    .in_ifindex = -1};
	unsigned i;

	memset(&e->reader, 0, sizeof(e->reader));
	e->reader.record = on_record;
	e->reader.arg = e;
	e->reader.sequenced = true;
	e->sequence = e->read = 0;
	stream_init(&e->stream, e->template, message_format(version), TEMPLATE_ID,
	    on_message, e);
	e->stream.head = e->head;
	if (version != 5)
		stream_tell(
		    &e->stream, OPTIONS_ALL, &source, &e->scratch, on_message, e);
	for (i = 0; i < e->nsent; i++)
		stream_record(&e->stream, &e->sent[i]);
	stream_flush(&e->stream);
	CHECK(e->read == e->nsent);
}

/* Seen from one side or both, as the template has it; v5 has no IPv6. */
static inline void
encode_add(struct encode *e, const struct flow *f)
{
	struct record r = {.flow = f, .ctx = &e->ctx, .biflow = e->template->biflow};
	unsigned d;

	if (e->template->version == 5 && !flow_is_ip4(f))
		return;
	if (e->template->version == 5)
		r.biflow = false;
	for (d = 0; d < (r.biflow ? 1 : 2); d++) {
		r.dir = (uint8_t)(flow_client(f) ^ d);
		if (!r.biflow && f->packets[r.dir] == 0)
			continue;
		CHECK(e->nsent < ENCODE_RECORDS);
		e->sent[e->nsent++] = r;
	}
}

static inline void
encode_all(struct encode *e)
{
	encode_json(e);
	if (message_record_max(&e->template->ip4) > MESSAGE_RECORD_MAX ||
	    message_record_max(&e->template->ip6) > MESSAGE_RECORD_MAX)
		return; /* export_new() refuses such a template */
	encode_messages(e, e->template->version);
}

#endif
