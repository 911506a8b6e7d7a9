/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_records.c -- flows whose every field the input says, through the encoders of
 * v5, v9, IPFIX and JSON, and read back.
 *
 *	byte 0	bits 0-1 version, 2-3 biflow mode, 4-5 template
 *	byte 1	how many flows
 *	then	flows, field by field as make_flow() reads them; the last one repeats
 *
 * Only what a worker guarantees is enforced: IPv4 is mapped, times are in order, end
 * reasons are known, texts have their length.
 */
#include "encode.h"

const char fuzz_name[] = "records";

#define FLOWS 8
#define REPEATS 40    /* more than a datagram holds */
#define REPEATS_ALL 3 /* of a template that fills one alone */
#define TEXT_ALL 2
#define TIME_MAX_US UINT64_C(253402300799999999)

static void
make_tcp(struct flow_tcp *t, struct input *in)
{
	t->win_min = input_u16(in);
	t->win_max = input_u16(in);
	t->mss = input_u16(in);
	t->wscale = input_u8(in);
	t->flags = input_u8(in);
}

/* FIRST <= LAST <= the year 9999. */
static void
make_times(struct flow *f, unsigned d, struct input *in)
{
	f->first_us[d] = input_number(in) % TIME_MAX_US;
	f->last_dir_us[d] = f->first_us[d] + input_number(in) % TIME_MAX_US;
	if (f->last_dir_us[d] > TIME_MAX_US)
		f->last_dir_us[d] = TIME_MAX_US;
}

static void
make_direction(struct flow *f, unsigned d, struct input *in)
{
	input_bytes(in, f->key.addr[d], 16);
	if (f->key.ip_version == 4) {
		memset(f->key.addr[d], 0, 10);
		memset(f->key.addr[d] + 10, 0xff, 2);
	}
	f->key.port[d] = input_u16(in);
	f->packets[d] = input_number(in);
	input_bytes(in, f->mac[d], 6);
	f->flags |= (uint32_t)FLOW_MAC_KNOWN << d;
	make_tcp(&f->tcp[d], in);
	f->tcp_state[d] = input_u8(in);
	if (f->packets[d] == 0)
		return;
	f->octets[d] = input_number(in);
	make_times(f, d, in);
	f->len_min[d] = input_u16(in);
	f->len_max[d] = input_u16(in);
	f->ttl_min[d] = input_u8(in);
	f->ttl_max[d] = input_u8(in);
	f->tos[d] = input_u8(in);
	if (f->key.proto != 6) {
		f->icmp_type[d] = input_u8(in);
		f->icmp_code[d] = input_u8(in);
	}
}

static void
make_detail(struct flow_detail *d, struct input *in)
{
	unsigned i;

	memset(d, 0, sizeof(*d));
	d->whole = true;
	for (i = 0; i < 2; i++) {
		d->loss[i].retrans = (uint32_t)input_number(in);
		d->loss[i].ooorder = (uint32_t)input_number(in);
		d->loss[i].retrans_bytes = (uint32_t)input_number(in);
	}
	d->odd_mac = input_u8(in) & 1;
	input_bytes(in, d->mac, sizeof(d->mac));
	d->has_tunnel = input_u8(in) & 1;
	d->tunnel.type = input_u8(in);
	d->tunnel.ip_version = input_u8(in) & 1 ? 4 : 6;
	d->tunnel.proto = input_u8(in);
	input_bytes(in, d->tunnel.src, 16);
	d->tunnel.id = input_u32(in);
	d->nmpls = input_u8(in) % (PACKET_MPLS_MAX + 1);
	input_bytes(in, d->mpls, sizeof(d->mpls));
	for (i = 0; i < FLOW_SIZE_BINS; i++)
		d->size_bin[i] = (uint32_t)input_number(in);
	for (i = 0; i < FLOW_TTL_BINS; i++)
		d->ttl_bin[i] = (uint32_t)input_number(in);
	d->icmp_types = input_u32(in);
	for (i = 0; i < 2; i++) {
		d->fragments[i] = (uint32_t)input_number(in);
		d->iat[i].min = input_number(in);
		d->iat[i].max = input_number(in);
		d->iat[i].sum = input_number(in);
		d->iat[i].n = (uint32_t)input_number(in);
		d->iat[i].mean = (double)(input_number(in) % TIME_MAX_US);
		d->iat[i].m2 = (double)input_number(in) * (double)input_number(in);
		d->second_start[i] = input_number(in);
		d->second_bytes[i] = input_number(in);
		d->bps_min[i] = input_number(in);
		d->bps_max[i] = input_number(in);
	}
}

static void
make_l7(struct flow_l7 *l7, struct input *in)
{
	memset(l7, 0, sizeof(*l7));
	l7->risk = input_number(in);
	l7->master = input_u16(in);
	l7->app = input_u16(in);
	l7->category = input_u16(in);
	l7->score = input_u16(in);
	l7->confidence = input_u8(in);
	l7->guessed = input_u8(in) & 1;
	l7->tls = input_u8(in) & 1;
	input_bytes(in, l7->info, input_u8(in));
	l7->info_len = (uint8_t)strnlen(l7->info, sizeof(l7->info) - 1);
}

static void
make_flow(struct flow *f, struct flow_detail *d, struct flow_l7 *l7, struct input *in)
{
	uint8_t head = input_u8(in);

	memset(f, 0, sizeof(*f));
	f->key.ip_version = head & 1 ? 6 : 4;
	f->flags =
	    input_u8(in) & (FLOW_CLIENT_SURE | FLOW_CLIENT_IS_1 | FLOW_L7_GUESSED |
			       FLOW_RESTARTED | FLOW_FIRST_IS_1);
	f->key.proto = input_u8(in);
	f->key.vlan = input_u16(in) & 0xfff;
	make_direction(f, 0, in);
	make_direction(f, 1, in);
	f->vlan_inner = input_u16(in) & 0xfff;
	f->port = input_u8(in);
	f->end = (uint8_t)(1 + input_u8(in) % FLOW_END_LACK);
	f->serial = input_number(in);
	f->client_nw_us = (uint32_t)input_number(in);
	f->server_nw_us = (uint32_t)input_number(in);
	f->appl_us = (uint32_t)input_number(in);
	if (head & 2) {
		make_detail(d, in);
		f->detail = d;
	}
	if (head & 4) {
		make_l7(l7, in);
		f->l7 = l7;
	}
}

/* Templates are parsed once: they depend on nothing. */
static const struct template *
choose_template(unsigned head)
{
	static const int versions[] = {5, 9, 10, 10};
	static const char *const texts[] = {"@DEFAULT@",
	    "@NTOPNG@", [TEXT_ALL] = "@ALL@",
	    "%IN_BYTES %L7_INFO %FLOW_END_REASON %IPV6_SRC_ADDR"};
	static struct template *parsed[64];
	enum biflow_mode mode = (enum biflow_mode)((head >> 2 & 3) % 3);
	char err[256];

	head &= 63;
	if (parsed[head] == NULL) {
		parsed[head] = malloc(sizeof(*parsed[head]));
		CHECK(parsed[head] != NULL);
		CHECK(template_parse(parsed[head], texts[head >> 4], versions[head & 3],
			  mode, true, err, sizeof(err)) == 0);
	}
	return parsed[head];
}

static void
set_clock(struct encode *e, const struct flow *f, struct input *in)
{
	static const uint32_t index[] = {7, 70000};
	static struct config config = {.sampling = 1,
	    .in_ifindex = -1,
	    .out_ifindex = -1,
	    .template_id = TEMPLATE_ID,
	    .probe_id = (char *)"p"};
	uint64_t boot_us = flow_first_us(f) / 1000 * 1000;

	if (input_u8(in) & 1) /* a clock the flows know nothing of */
		boot_us = input_number(in) % TIME_MAX_US / 1000 * 1000;
	e->ctx = (struct field_context){.config = &config,
	    .boot_us = boot_us,
	    .export_us = boot_us + input_number(in) % TIME_MAX_US,
	    .total_flows = input_number(in),
	    .total_packets = input_number(in),
	    .total_bytes = input_number(in),
	    .port_index = index,
	    .nports = 2};
	e->head = (struct message_head){.now_us = e->ctx.export_us,
	    .boot_us = boot_us,
	    .domain = input_u32(in),
	    .sampling = 1 + input_u16(in)};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct encode e; /* too large for a stack, as these */
	static struct flow flow[FLOWS];
	static struct flow_detail detail[FLOWS];
	static struct flow_l7 l7[FLOWS];
	struct input in = {data, len};
	uint8_t head = input_u8(&in);
	unsigned n = 1 + input_u8(&in) % FLOWS, i;
	unsigned repeats = (head >> 4 & 3) == TEXT_ALL ? REPEATS_ALL : REPEATS;

	if (len < 4)
		return 0;
	e.template = choose_template(head);
	e.nsent = 0;
	for (i = 0; i < n; i++)
		make_flow(&flow[i], &detail[i], &l7[i], &in);
	set_clock(&e, &flow[0], &in);
	for (i = 0; i < n; i++)
		encode_add(&e, &flow[i]);
	for (i = 0; i < repeats; i++)
		encode_add(&e, &flow[n - 1]);
	encode_all(&e);
	return 0;
}
