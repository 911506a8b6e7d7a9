/* SPDX-License-Identifier: BSD-3-Clause */
/* t_netflow.c -- the encoders, read back by the collector of nfreader.h. Longer than 800
 * lines: three versions, with the same traps in each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>

#include "dpi.h"
#include "netflow5.h"
#include "nfreader.h"
#include "options_data.h"
#include "stream.h"

#define MS	 1000ull
#define SECOND	 1000000ull
#define BOOT_US	 (1700000000ull * SECOND + 123 * MS)
#define MESSAGES 64

static const uint32_t index0[] = {7};

static struct config config = {
	.sampling = 1, .in_ifindex = -1, .out_ifindex = -1, .template_id = 257};
static struct field_context ctx = {
	.config = &config, .boot_us = BOOT_US, .port_index = index0, .nports = 1};

/* What a stream has sent, with sequence numbers as a collector's sender puts them. */
struct sent {
	struct {
		uint8_t buf[MESSAGE_HARD];
		unsigned len;
	} m[MESSAGES];
	unsigned n;
	uint32_t sequence;
};

static struct sent sent;
static struct stream stream;
static struct template template;

static void
keep(void *arg, struct message *m)
{
	(void)arg;
	assert_true(sent.n < MESSAGES);
	message_sequence(m, sent.sequence);
	sent.sequence += m->format->advance(m);
	memcpy(sent.m[sent.n].buf, m->buf, m->len);
	sent.m[sent.n++].len = m->len;
}

static void
begin(int version, const char *text, enum biflow_mode mode)
{
	char err[256];

	memset(&sent, 0, sizeof(sent));
	ctx.boot_us = BOOT_US;
	if (template_parse(&template, text, version, mode, true, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	stream_init(&stream, &template, message_format(version), 257, keep, NULL);
	stream.head = (struct message_head){.now_us = BOOT_US + 60 * SECOND,
	    .boot_us = BOOT_US,
	    .domain = 42,
	    .sampling = 1,
	    .engine_type = 3,
	    .engine_id = 9};
}

static void
tell(unsigned what, const struct options_source *source)
{
	static struct message scratch;

	stream_tell(&stream, what, source, &scratch, keep, NULL);
}

static struct options_source
plain_source(void)
{
	return (struct options_source){.template = &template,
	    .template_id = 257,
	    .domain = 42,
	    .sampling = 1,
	    .in_ifindex = -1};
}

static void
tell_templates(void)
{
	struct options_source source = plain_source();

	tell(OPTIONS_TEMPLATES, &source);
}

static void
make_flow(struct flow *f, unsigned i, int version)
{
	memset(f, 0, sizeof(*f));
	f->key.ip_version = (uint8_t)version;
	f->key.proto = 6;
	if (version == 4) {
		memset(f->key.addr[0] + 10, 0xff, 2);
		memset(f->key.addr[1] + 10, 0xff, 2);
		f->key.addr[0][12] = 10;
		f->key.addr[1][12] = 192;
	} else {
		f->key.addr[0][0] = f->key.addr[1][0] = 0x20;
		f->key.addr[1][1] = 1;
	}
	f->key.addr[0][15] = (uint8_t)i;
	f->key.addr[1][15] = (uint8_t)(i >> 8);
	f->key.port[0] = (uint16_t)(1024 + i);
	f->key.port[1] = 443;
	f->packets[0] = i + 1;
	f->packets[1] = i + 2;
	f->octets[0] = 100ull * i + 40;
	f->octets[1] = 1000ull * i + 40;
	f->first_us[0] = BOOT_US + i * 10 * MS + 999;
	f->first_us[1] = f->first_us[0] + 1;
	f->last_dir_us[0] = f->first_us[0] + 500 * MS;
	f->last_dir_us[1] = f->first_us[0] + 777 * MS;
	f->tcp[0].flags = 0x1b;
	f->tcp[1].flags = 0x12;
	f->tos[0] = 0xb8;
	f->end = FLOW_END_DETECTED;
}

static void
put(const struct flow *f, unsigned dir, bool biflow)
{
	struct record r = {
		.flow = f, .ctx = &ctx, .dir = (uint8_t)dir, .biflow = biflow};

	stream_record(&stream, &r);
}

static void
put_many(unsigned n, int version)
{
	struct flow f;
	unsigned i;

	for (i = 0; i < n; i++) {
		make_flow(&f, i, version);
		put(&f, 0, true);
	}
	stream_flush(&stream);
}

static void
read_all(struct nf_reader *n)
{
	unsigned i;

	n->sequenced = true; /* from 0 */
	for (i = 0; i < sent.n; i++)
		nf_read(n, sent.m[i].buf, sent.m[i].len);
}

/* Compares record after record with make_flow()'s. */
struct expect {
	struct nf_reader *reader;
	unsigned next;
	int version; /* of IP; 0: every third is IPv6 */
	uint32_t reverse_pen;
};

static uint64_t
absolute_ms(const struct expect *e, const struct nf_record *r, bool last)
{
	uint64_t uptime;

	if (nf_find(r, 0, 152) != NULL)
		return nf_get(r, 0, last ? 153 : 152);
	uptime = nf_get(r, 0, last ? 21 : 22);
	/* What collectors do: header time less the difference of uptimes. */
	return e->reader->header_ms -
	    (uint32_t)((uint32_t)(e->reader->header_ms - e->reader->boot_ms) -
		(uint32_t)uptime);
}

static void
check_record(void *arg, const struct nf_record *r)
{
	struct expect *e = arg;
	int version = e->version;
	struct flow f;

	if (r->template->nscope > 0)
		return;
	if (version == 0)
		version = e->next % 3 == 2 ? 6 : 4;
	make_flow(&f, e->next++, version);
	assert_int_equal(r->template->id, version == 4 ? 257 : 258);
	if (version == 4) {
		assert_memory_equal(nf_find(r, 0, 8)->p, f.key.addr[0] + 12, 4);
		assert_memory_equal(nf_find(r, 0, 12)->p, f.key.addr[1] + 12, 4);
	} else {
		assert_memory_equal(nf_find(r, 0, 27)->p, f.key.addr[0], 16);
		assert_memory_equal(nf_find(r, 0, 28)->p, f.key.addr[1], 16);
	}
	assert_int_equal(nf_get(r, 0, 7), f.key.port[0]);
	assert_int_equal(nf_get(r, 0, 11), 443);
	assert_int_equal(nf_get(r, 0, 4), 6);
	assert_int_equal(nf_get(r, 0, 1), f.octets[0]);
	assert_int_equal(nf_get(r, 0, 2), f.packets[0]);
	if (e->reverse_pen != 0) {
		assert_int_equal(nf_get(r, e->reverse_pen, 1), f.octets[1]);
		assert_int_equal(nf_get(r, e->reverse_pen, 2), f.packets[1]);
		assert_non_null(nf_find(r, 0, 239));
	} else {
		assert_int_equal(nf_get(r, 0, 23), f.octets[1]);
		assert_int_equal(nf_get(r, 0, 24), f.packets[1]);
	}
	assert_int_equal(absolute_ms(e, r, false), f.first_us[0] / MS);
	assert_int_equal(absolute_ms(e, r, true), flow_last_us(&f) / MS);
	assert_int_equal(nf_get(r, 0, 136), FLOW_END_DETECTED);
	assert_int_equal(nf_get(r, 0, 5), 0xb8);
}

static void
check_datagrams(int version, enum biflow_mode mode, uint32_t reverse_pen)
{
	struct nf_reader reader = {.lossy = false};
	struct expect e = {.reader = &reader, .version = 4, .reverse_pen = reverse_pen};
	unsigned i, before;

	begin(version, "@DEFAULT@", mode);
	tell_templates();
	put_many(200, 4);
	reader.record = check_record;
	reader.arg = &e;
	reader.sequenced = true;
	for (i = 0; i < sent.n; i++) {
		before = reader.flows;
		assert_true(sent.m[i].len <= 1420);
		nf_read(&reader, sent.m[i].buf, sent.m[i].len);
		if (i > 0 && i + 1 < sent.n)
			assert_in_range(reader.flows - before, 22, 40);
	}
	assert_int_equal(reader.flows, 200);
	assert_int_equal(e.next, 200);
	assert_int_equal(reader.domain, 42);
	if (version == 9)
		assert_int_equal(reader.boot_ms, BOOT_US / MS);
}

static void
test_v9(void **state)
{
	(void)state;
	check_datagrams(9, BIFLOW_NTOP, 0);
}

static void
test_ipfix(void **state)
{
	(void)state;
	check_datagrams(10, BIFLOW_NTOP, 0);
	check_datagrams(10, BIFLOW_RFC5103, 29305);
}

/* Both families in one message, in the order they came. */
static void
check_mixed(int version)
{
	struct nf_reader reader = {.lossy = false};
	struct expect e = {.reader = &reader};
	struct flow f;
	unsigned i;

	begin(version, "@DEFAULT@", BIFLOW_NTOP);
	tell_templates();
	for (i = 0; i < 60; i++) {
		make_flow(&f, i, i % 3 == 2 ? 6 : 4);
		put(&f, 0, true);
	}
	stream_flush(&stream);
	reader.record = check_record;
	reader.arg = &e;
	read_all(&reader);
	assert_int_equal(e.next, 60);
	assert_in_range(sent.n, 2, 6);
	for (i = 0; i < sent.n; i++)
		assert_true(sent.m[i].len <= 1420);
}

static void
test_mixed(void **state)
{
	(void)state;
	check_mixed(9);
	check_mixed(10);
}

/* Every header of v9 gives the same boot time, and no record lies after it. */
static void
test_v9_clock(void **state)
{
	static const uint64_t after[] = {0, 1, 999, MS, SECOND - 1, SECOND,
	    876 * MS, 877 * MS, 877 * MS + 1, 86400 * SECOND};
	struct nf_reader reader = {.lossy = false};
	struct expect e = {.reader = &reader, .version = 4};
	uint64_t latest;
	struct flow f;
	unsigned i;

	(void)state;
	begin(9, "@DEFAULT@", BIFLOW_NTOP);
	tell_templates();
	for (i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		make_flow(&f, i, 4);
		stream.head.now_us = BOOT_US + after[i];
		put(&f, 0, true);
		stream_flush(&stream);
	}
	reader.record = check_record;
	reader.arg = &e;
	reader.sequenced = true;
	for (i = 0; i < sent.n; i++) {
		nf_read(&reader, sent.m[i].buf, sent.m[i].len);
		if (i == 0)
			continue;
		make_flow(&f, i - 1, 4);
		latest = BOOT_US + after[i - 1];
		latest = flow_last_us(&f) > latest ? flow_last_us(&f) : latest;
		assert_in_range(reader.header_ms * MS, latest, latest + SECOND - 1);
	}
	assert_int_equal(reader.boot_ms, BOOT_US / MS);
}

/* After 49 days uptimes wrap, in headers and records alike. */
static void
check_wrapped(void *arg, const struct nf_record *r)
{
	struct expect e = {.reader = arg};

	if (r->template->nscope > 0)
		return;
	assert_int_equal(absolute_ms(&e, r, false), BOOT_US / MS + 4294967290);
	assert_int_equal(absolute_ms(&e, r, true), BOOT_US / MS + 4294967299);
	assert_true(nf_get(r, 0, 22) > nf_get(r, 0, 21));
}

static void
test_v9_wrap(void **state)
{
	struct nf_reader reader = {.record = check_wrapped, .arg = &reader};
	struct flow f;

	(void)state;
	begin(9, "@DEFAULT@", BIFLOW_NTOP);
	tell_templates();
	make_flow(&f, 1, 4);
	f.first_us[0] = BOOT_US + 4294967290 * MS;
	f.first_us[1] = f.last_dir_us[0] = f.first_us[0] + 1;
	f.last_dir_us[1] = BOOT_US + 4294967299 * MS;
	stream.head.now_us = flow_last_us(&f);
	put(&f, 0, true);
	stream_flush(&stream);
	read_all(&reader);
	assert_int_equal(reader.flows, 1);
}

static void
check_at_boot(void *arg, const struct nf_record *r)
{
	(void)arg;
	if (r->template->nscope == 0)
		assert_int_equal(nf_get(r, 0, 22), 0);
}

/* A packet older than the probe starts with it. */
static void
test_before_boot(void **state)
{
	struct nf_reader reader = {.record = check_at_boot};
	struct flow f;

	(void)state;
	begin(9, "@DEFAULT@", BIFLOW_NTOP);
	tell_templates();
	make_flow(&f, 1, 4);
	f.first_us[0] = f.first_us[1] = BOOT_US - 3600 * SECOND;
	put(&f, 0, true);
	stream_flush(&stream);
	read_all(&reader);
	assert_int_equal(reader.flows, 1);
}

static void
check_v5(void *arg, const struct nf_record *r)
{
	const uint8_t *p = r->v5;
	unsigned *next = arg, i = *next / 2, dir = *next % 2;
	uint64_t now_ms = stream.head.now_us / MS;
	struct flow f;

	(*next)++;
	make_flow(&f, i, 4);
	assert_memory_equal(p, f.key.addr[dir] + 12, 4);
	assert_memory_equal(p + 4, f.key.addr[!dir] + 12, 4);
	assert_int_equal(nf_uint(p + 8, 4), 0);
	assert_int_equal(nf_uint(p + 12, 2), 7);
	assert_int_equal(nf_uint(p + 14, 2), 7);
	assert_int_equal(nf_uint(p + 16, 4), f.packets[dir]);
	assert_int_equal(nf_uint(p + 20, 4), f.octets[dir]);
	assert_int_equal(nf_uint(p + 24, 4), (f.first_us[dir] - BOOT_US) / MS);
	assert_int_equal(nf_uint(p + 28, 4), (f.last_dir_us[dir] - BOOT_US) / MS);
	assert_true(nf_uint(p + 28, 4) <= now_ms - BOOT_US / MS);
	assert_int_equal(nf_uint(p + 32, 2), f.key.port[dir]);
	assert_int_equal(nf_uint(p + 34, 2), f.key.port[!dir]);
	assert_int_equal(p[37], f.tcp[dir].flags);
	assert_int_equal(p[38], 6);
	assert_int_equal(p[39], f.tos[dir]);
}

static void
test_v5(void **state)
{
	unsigned i, next = 0;
	struct nf_reader reader = {.record = check_v5, .arg = &next};
	struct flow f;

	(void)state;
	begin(5, "@DEFAULT@", BIFLOW_NTOP);
	stream.head.sampling = 100;
	stream.head.now_us += 1; /* rounded up */
	for (i = 0; i < 40; i++) {
		make_flow(&f, i, 4);
		put(&f, 0, false);
		put(&f, 1, false);
	}
	stream_flush(&stream);
	read_all(&reader);
	assert_int_equal(reader.flows, 80);
	assert_int_equal(sent.n, 3);
	assert_int_equal(sent.m[0].len, 24 + 48 * NETFLOW5_RECORDS_MAX);
	assert_int_equal(reader.boot_ms, BOOT_US / MS);
	assert_int_equal(reader.header_ms, BOOT_US / MS + 60001);
	assert_int_equal(reader.sampling, 1 << 14 | 100);
	assert_int_equal(sent.m[0].buf[20], 3);
	assert_int_equal(sent.m[0].buf[21], 9);
}

static void
check_v5_icmp(void *arg, const struct nf_record *r)
{
	const uint8_t *p = r->v5;

	(void)arg;
	assert_int_equal(nf_uint(p + 32, 2), 0);
	assert_int_equal(nf_uint(p + 34, 2), 3 * 256 + 1);
	assert_int_equal(nf_uint(p + 16, 4), UINT32_MAX);
	assert_int_equal(nf_uint(p + 20, 4), UINT32_MAX);
	assert_int_equal(nf_uint(p + 12, 2), 65535);
	assert_int_equal(p[38], 1);
}

static void
test_v5_edges(void **state)
{
	struct nf_reader reader = {.record = check_v5_icmp};
	struct flow f;

	(void)state;
	begin(5, "@DEFAULT@", BIFLOW_NTOP);
	stream.head.sampling = 1000000;
	config.in_ifindex = 70000;
	make_flow(&f, 1, 4);
	f.key.proto = 1;
	f.key.port[0] = f.key.port[1] = 0;
	f.icmp_type[0] = 3;
	f.icmp_code[0] = 1;
	f.packets[0] = (uint64_t)UINT32_MAX + 1;
	f.octets[0] = UINT64_MAX;
	put(&f, 0, false);
	stream_flush(&stream);
	config.in_ifindex = -1;
	read_all(&reader);
	assert_int_equal(reader.sampling, 1 << 14 | 0x3fff);
}

static void
check_saturated(void *arg, const struct nf_record *r)
{
	(void)arg;
	if (r->template->nscope > 0)
		return;
	assert_int_equal(nf_get(r, 0, 2), UINT32_MAX);
	assert_int_equal(nf_get(r, 0, 1), (uint64_t)UINT32_MAX + 9);
}

static void
test_saturate(void **state)
{
	struct nf_reader reader = {.record = check_saturated};
	struct flow f;

	(void)state;
	begin(9, "@DEFAULT@", BIFLOW_NTOP);
	tell_templates();
	make_flow(&f, 1, 4);
	f.packets[0] = f.octets[0] = (uint64_t)UINT32_MAX + 9;
	put(&f, 0, true);
	stream_flush(&stream);
	read_all(&reader);
	assert_int_equal(reader.flows, 1);
}

static void
count_protocol(void *arg, const struct nf_record *r)
{
	unsigned *sum = arg;

	if (r->template->nscope > 0)
		return;
	assert_int_equal(nf_get(r, 0, 4), 6);
	(*sum)++;
}

/* Records of one byte: padding must not pass for more of them. */
static void
test_tiny(void **state)
{
	unsigned n, sum, version;

	(void)state;
	for (version = 9; version <= 10; version++) {
		for (n = 1; n < 9; n++) {
			struct nf_reader reader = {
				.record = count_protocol, .arg = &sum};

			sum = 0;
			begin((int)version, "%PROTOCOL", BIFLOW_NTOP);
			tell_templates();
			put_many(n, 4);
			/* The reader wants sets of v9 padded, as they are elsewhere. */
			if (version == 9) {
				assert_int_equal(sent.m[1].len, 20 + 4 + n);
				continue;
			}
			read_all(&reader);
			assert_int_equal(sum, n);
		}
	}
}

static unsigned
text_len(unsigned i)
{
	static const unsigned lens[] = {0, 1, 253, 254, 255, 17};

	return lens[i % (sizeof(lens) / sizeof(lens[0]))];
}

static void
check_text(void *arg, const struct nf_record *r)
{
	unsigned *next = arg, i, len = text_len(*next);
	const struct nf_value *v;

	if (r->template->nscope > 0)
		return;
	v = nf_find(r, 35632, 539);
	assert_non_null(v);
	assert_int_equal(v->len, len);
	for (i = 0; i < len; i++)
		assert_int_equal(v->p[i], 'a' + i % 26);
	assert_int_equal(nf_get(r, 0, 2), *next + 1);
	(*next)++;
}

/* Strings of every length form; messages stay within bounds and lose nothing. */
static void
test_varlen(void **state)
{
	unsigned i, j, next = 0;
	struct nf_reader reader = {.record = check_text, .arg = &next};
	struct flow_l7 l7;
	struct flow f;

	(void)state;
	begin(10, "%L4_SRC_PORT %L7_INFO %IN_PKTS", BIFLOW_NTOP);
	tell_templates();
	for (i = 0; i < 60; i++) {
		make_flow(&f, i, i % 5 == 0 ? 6 : 4);
		memset(&l7, 0, sizeof(l7));
		l7.app = 7;
		l7.info_len = (uint8_t)text_len(i);
		for (j = 0; j < l7.info_len; j++)
			l7.info[j] = (char)('a' + j % 26);
		f.l7 = &l7;
		put(&f, 0, true);
	}
	stream_flush(&stream);
	for (i = 0; i < sent.n; i++)
		assert_true(sent.m[i].len <= 1420);
	read_all(&reader);
	assert_int_equal(next, 60);
	assert_in_range(sent.n, 6, 12);
}

/* Everything there is: longer than a datagram, and still readable. */
static void
test_all_fields(void **state)
{
	static const int versions[] = {9, 10};
	struct nf_reader reader;
	struct flow f;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		memset(&reader, 0, sizeof(reader));
		begin(versions[i], "@ALL@", BIFLOW_NTOP);
		assert_true(message_record_max(&template.ip4) <= MESSAGE_RECORD_MAX);
		tell_templates();
		make_flow(&f, 1, 4);
		put(&f, 0, true);
		make_flow(&f, 2, 6);
		put(&f, 0, true);
		make_flow(&f, 3, 4);
		put(&f, 0, true);
		stream_flush(&stream);
		read_all(&reader);
		assert_int_equal(reader.flows, 3);
		assert_int_equal(nf_template(&reader, 257)->n, template.ip4.n);
	}
}

struct told {
	unsigned sampling, statistics, interfaces, applications;
	const struct options_source *source;
	int version;
};

static void
check_application(const struct nf_record *r, struct told *t)
{
	const struct nf_value *id = nf_find(r, 0, 95), *name = nf_find(r, 0, 96);

	assert_int_equal(id->len, 7);
	assert_int_equal(id->p[0], 20);
	assert_int_equal(nf_uint(id->p + 1, 4), 35632);
	assert_int_equal(nf_uint(id->p + 5, 2), t->applications);
	assert_int_equal(strncmp((const char *)name->p,
			     dpi_name(t->source->names, t->applications), 24),
	    0);
	t->applications++;
}

static void
check_option(void *arg, const struct nf_record *r)
{
	struct told *t = arg;
	bool v9 = t->version == 9;
	const struct nf_value *name = nf_find(r, 0, 82);

	assert_true(r->template->nscope == 1);
	if (v9)
		assert_int_equal(r->template->v[0].id, 1);
	switch (r->template->id) {
	case 259:
		t->sampling++;
		if (t->source->psamp) {
			assert_int_equal(nf_get(r, 0, 304), 1);
			assert_int_equal(nf_get(r, 0, 305), 1);
			assert_int_equal(nf_get(r, 0, 306), t->source->sampling - 1);
			assert_non_null(nf_find(r, 0, 302));
		} else {
			assert_int_equal(nf_get(r, 0, 34), t->source->sampling);
			assert_int_equal(nf_get(r, 0, 35), 1);
			if (!v9)
				assert_int_equal(nf_get(r, 0, 149), 42);
		}
		break;
	case 260:
		t->statistics++;
		assert_int_equal(nf_get(r, 0, 40), 1111111);
		assert_int_equal(nf_get(r, 0, 41), 2222);
		assert_int_equal(nf_get(r, 0, 42), 33333);
		assert_true((nf_find(r, 0, 34) == NULL) == t->source->psamp);
		break;
	case 261:
		assert_int_equal(nf_get(r, 0, 10), t->interfaces == 0 ? 5 : 6);
		assert_string_equal(
		    (const char *)name->p, t->interfaces == 0 ? "eth0" : "x1");
		t->interfaces++;
		break;
	case 262:
		check_application(r, t);
		break;
	default:
		fail_msg("options of template %u", r->template->id);
	}
}

static void
check_options(int version, bool psamp, uint32_t sampling, struct dpi_names *names)
{
	static const struct export_port ports[] = {{"eth0", 5}, {"x1", 6}};
	struct options_source source;
	struct told told = {.source = &source, .version = version};
	struct nf_reader reader = {.record = check_option, .arg = &told};
	unsigned i;

	begin(version, "@DEFAULT@", BIFLOW_NTOP);
	source = plain_source();
	source.names = names;
	source.ports = ports;
	source.nports = 2;
	source.psamp = psamp;
	source.sampling = sampling;
	source.octets = 1111111;
	source.messages = 2222;
	source.records = 33333;
	tell(OPTIONS_ALL, &source);
	read_all(&reader);
	assert_int_equal(told.sampling, 1);
	assert_int_equal(told.statistics, 1);
	assert_int_equal(told.interfaces, 2);
	assert_int_equal(told.applications, names != NULL ? dpi_names_count(names) : 0);
	assert_int_equal(reader.templates, names != NULL ? 6 : 5);
	for (i = 0; i < sent.n; i++)
		assert_true(sent.m[i].len <= 1420);
	/* The rest alone, as TCP sessions get it: no template again. */
	i = sent.n;
	tell(OPTIONS_STATISTICS, &source);
	assert_int_equal(sent.n, i + 1);
	nf_read(&reader, sent.m[i].buf, sent.m[i].len);
	assert_int_equal(told.statistics, 2);
	assert_int_equal(reader.templates, names != NULL ? 6 : 5);
}

static void
test_options(void **state)
{
	struct dpi_names *names = dpi_names_new();

	(void)state;
	check_options(9, false, 1, names);
	check_options(10, false, 1, names);
	check_options(9, false, 1000, NULL);
	check_options(10, false, 1000, NULL);
	check_options(9, true, 10, NULL);
	check_options(10, true, 1, NULL);
	dpi_names_free(names);
}

/* The same flows make the same bytes. */
static void
test_same_bytes(void **state)
{
	struct sent *first = malloc(sizeof(*first));
	unsigned i;

	(void)state;
	assert_non_null(first);
	begin(10, "@ALL@", BIFLOW_RFC5103);
	tell_templates();
	put_many(30, 6);
	*first = sent;
	begin(10, "@ALL@", BIFLOW_RFC5103);
	memset(&stream.message.buf, 0xa5, sizeof(stream.message.buf));
	tell_templates();
	put_many(30, 6);
	assert_int_equal(first->n, sent.n);
	for (i = 0; i < sent.n; i++) {
		assert_int_equal(first->m[i].len, sent.m[i].len);
		assert_memory_equal(first->m[i].buf, sent.m[i].buf, sent.m[i].len);
	}
	free(first);
}

/* Anything at all, as far as a record can tell it. */
static void
random_flow(struct flow *f, int version)
{
	unsigned d, i;

	memset(f, 0, sizeof(*f));
	for (d = 0; d < 2; d++) {
		for (i = 0; i < 16; i++)
			f->key.addr[d][i] = (uint8_t)rand();
		f->key.port[d] = (uint16_t)rand();
		f->packets[d] = rand() % 3 == 0 ? 0 : (uint64_t)rand() << rand() % 30;
		f->octets[d] = (uint64_t)rand() << rand() % 30;
		f->first_us[d] = BOOT_US - SECOND + (uint64_t)rand() * 1000;
		f->last_dir_us[d] = f->first_us[d] + (uint64_t)rand();
		f->tos[d] = (uint8_t)rand();
	}
	f->key.ip_version = (uint8_t)version;
	f->key.proto = rand() & 1 ? 6 : 17;
	f->tcp[0].flags = f->key.proto == 6 ? (uint8_t)rand() : 0;
	f->tcp[1].flags = f->key.proto == 6 ? (uint8_t)rand() : 0;
	f->end = FLOW_END_IDLE;
}

/* What a row's PUT writes is what its getter and the encoder write. */
static void
test_writers(void **state)
{
	static struct layout by_getter;
	static struct message a, b;
	const struct layout *l;
	struct flow f;
	struct record r = {.flow = &f, .ctx = &ctx};
	unsigned i, k, puts;

	(void)state;
	for (k = 0; k < 16; k++) {
		begin(k & 1 ? 10 : 9, "@DEFAULT@", BIFLOW_NTOP);
		l = k & 2 ? &template.ip4 : &template.ip6;
		by_getter = *l;
		for (i = puts = 0; i < l->n; i++)
			puts += l->v[i].put != NULL;
		assert_true(puts >= 14);
		for (i = 0; i < by_getter.n; i++)
			by_getter.v[i].put = NULL;
		r.dir = k & 4 ? 1 : 0;
		r.biflow = k & 8;
		for (i = 0; i < 200; i++) {
			random_flow(&f, k & 2 ? 4 : 6);
			message_begin(&a, message_format(template.version));
			message_begin(&b, message_format(template.version));
			assert_true(a.format->record(&a, 257, l, &r));
			assert_true(b.format->record(&b, 257, &by_getter, &r));
			assert_int_equal(a.len, b.len);
			/* headers are written at the end */
			assert_memory_equal(a.buf + a.format->header_len + 4,
			    b.buf + a.format->header_len + 4,
			    a.len - a.format->header_len - 4);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v9),
		cmocka_unit_test(test_ipfix),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_v9_clock),
		cmocka_unit_test(test_v9_wrap),
		cmocka_unit_test(test_before_boot),
		cmocka_unit_test(test_v5),
		cmocka_unit_test(test_v5_edges),
		cmocka_unit_test(test_saturate),
		cmocka_unit_test(test_tiny),
		cmocka_unit_test(test_varlen),
		cmocka_unit_test(test_all_fields),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_writers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
