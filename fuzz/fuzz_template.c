/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_template.c -- the text of -T, and what the layouts made of it do to records.
 *
 *	byte 0	version (5, 9, 10), biflow mode, nDPI: mixed radix 3, 3, 2
 *	rest	text
 */
#include "encode.h"

const char fuzz_name[] = "template";

#define TEXT_MAX 8192
#define RECORDS 6
#define BOOT_US UINT64_C(1700000000123000)

static void
check_layout(const struct template *t, const struct layout *l, unsigned family)
{
	unsigned i, len = 0;
	bool varlen = false;

	CHECK(l->n > 0 && l->n <= TEMPLATE_FIELDS_MAX);
	for (i = 0; i < l->n; i++) {
		const struct template_field *f = &l->v[i];

		CHECK(f->field->get != NULL && f->len > 0);
		CHECK(f->field->family == 0 || f->field->family == family);
		CHECK(t->version == 10 || (f->len != FIELD_VARLEN && f->pen == 0));
		CHECK(t->version != 10 || f->id < 0x8000);
		varlen |= f->len == FIELD_VARLEN;
		len += f->len == FIELD_VARLEN ? 1 : f->len;
	}
	CHECK(l->fixed_len == len && l->has_varlen == varlen);
}

static void
make_flow(struct flow *f, struct flow_detail *d, struct flow_l7 *l7, uint8_t version)
{
	unsigned i;

	memset(f, 0, sizeof(*f));
	memset(d, 0, sizeof(*d));
	memset(l7, 0, sizeof(*l7));
	f->key.ip_version = version;
	f->key.proto = version == 4 ? 6 : 17;
	for (i = 0; i < 2; i++) {
		memset(f->key.addr[i] + 10, 0xff, 2);
		f->key.addr[i][0] = version == 4 ? 0 : 0x20;
		f->key.addr[i][15] = (uint8_t)(i + 1);
		f->key.port[i] = (uint16_t)(443 + i);
		f->packets[i] = 70000 * i + 2;
		f->octets[i] = UINT64_C(5000000000) * i + 99;
		f->first_us[i] = BOOT_US + 5000 * i;
		f->last_dir_us[i] = BOOT_US + 1234567 + i;
		f->tcp[i].wscale = 0xff;
		d->iat[i] = (struct flow_iat){.max = 7, .sum = 7, .mean = 7, .n = 1};
	}
	f->end = FLOW_END_IDLE;
	d->has_tunnel = 1;
	d->tunnel.type = TUNNEL_VXLAN;
	d->tunnel.ip_version = version == 4 ? 6 : 4;
	d->nmpls = 3;
	l7->app = 7;
	l7->tls = true;
	l7->info_len = 255;
	memset(l7->info, '"', 128);
	memset(l7->info + 128, 0xc3, 127);
	f->detail = d;
	d->whole = true;
	f->l7 = l7;
}

static void
use(const struct template *t)
{
	static struct encode e; /* too large for a stack */
	static const uint32_t index[] = {7};
	static const struct config config = {.sampling = 1,
	    .in_ifindex = -1,
	    .out_ifindex = -1,
	    .template_id = TEMPLATE_ID};
	struct flow_detail detail[2];
	struct flow_l7 l7[2];
	struct flow flow[2];
	unsigned i;

	e.template = t;
	e.ctx = (struct field_context){.config = &config,
	    .boot_us = BOOT_US,
	    .export_us = BOOT_US + 60000000,
	    .port_index = index,
	    .nports = 1};
	e.head = (struct message_head){
	    .now_us = e.ctx.export_us, .boot_us = BOOT_US, .domain = 42, .sampling = 1};
	e.nsent = 0;
	for (i = 0; i < 2; i++)
		make_flow(&flow[i], &detail[i], &l7[i], i == 0 ? 4 : 6);
	for (i = 0; i < RECORDS; i++)
		encode_add(&e, &flow[i % 3 == 2]);
	encode_all(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int versions[] = {5, 9, 10};
	static struct template t;
	unsigned head = len > 0 ? data[0] : 0;
	enum biflow_mode mode = (enum biflow_mode)(head / 3 % 3);
	char *text, err[256];
	int rc;

	if (len < 1 || len > TEXT_MAX)
		return 0;
	text = malloc(len);
	CHECK(text != NULL);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	memset(err, 'x', sizeof(err));
	rc = template_parse(
	    &t, text, versions[head % 3], mode, head / 9 % 2, err, sizeof(err));
	free(text);
	if (rc != 0) {
		CHECK(rc == -1 && err[0] != '\0');
		CHECK(memchr(err, '\0', sizeof(err)) != NULL);
		return 0;
	}
	CHECK(t.n > 0 && t.n <= TEMPLATE_FIELDS_MAX && t.version == versions[head % 3]);
	CHECK(!t.biflow || mode != BIFLOW_UNI);
	check_layout(&t, &t.ip4, 4);
	check_layout(&t, &t.ip6, 6);
	use(&t);
	return 0;
}
