/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_field.c -- the registry's consistency, and every getter against hand-made flows.
 * Long, because the list of all labels users know and a value for every field stand here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config.h"
#include "dpi.h"
#include "field.h"

#define MAX_ROWS 1024

/* What users know: every core label of nProbe with its number in NetFlow v9. One
 * differs: element 300 is IANA's observationDomainName; the point's id is 138. */
static const struct {
	const char *label;
	unsigned v9_id;
} known[] = {
	{"IN_BYTES", 1}, {"IN_PKTS", 2}, {"OUT_BYTES", 23}, {"OUT_PKTS", 24},
	{"MIN_IP_PKT_LEN", 25}, {"MAX_IP_PKT_LEN", 26}, {"TOTAL_BYTES_EXP", 40},
	{"TOTAL_PKTS_EXP", 41}, {"TOTAL_FLOWS_EXP", 42}, {"OCTET_TOTAL", 85},
	{"PACKET_TOTAL", 86}, {"SRC_FRAGMENTS", 57552}, {"DST_FRAGMENTS", 57553},
	{"SRC_TO_DST_MAX_THROUGHPUT", 57554}, {"SRC_TO_DST_MIN_THROUGHPUT", 57555},
	{"SRC_TO_DST_AVG_THROUGHPUT", 57556}, {"DST_TO_SRC_MAX_THROUGHPUT", 57557},
	{"DST_TO_SRC_MIN_THROUGHPUT", 57558}, {"DST_TO_SRC_AVG_THROUGHPUT", 57559},
	{"SRC_TO_DST_MAX_EST_THROUGHPUT", 57995},
	{"DST_TO_SRC_MAX_EST_THROUGHPUT", 57996}, {"NUM_PKTS_UP_TO_128_BYTES", 57560},
	{"NUM_PKTS_128_TO_256_BYTES", 57561}, {"NUM_PKTS_256_TO_512_BYTES", 57562},
	{"NUM_PKTS_512_TO_1024_BYTES", 57563}, {"NUM_PKTS_1024_TO_1514_BYTES", 57564},
	{"NUM_PKTS_OVER_1514_BYTES", 57565}, {"LONGEST_FLOW_PKT", 57579},
	{"SHORTEST_FLOW_PKT", 57580}, {"RETRANSMITTED_IN_BYTES", 57599},
	{"RETRANSMITTED_IN_PKTS", 57581}, {"RETRANSMITTED_OUT_BYTES", 57600},
	{"RETRANSMITTED_OUT_PKTS", 57582}, {"OOORDER_IN_PKTS", 57583},
	{"OOORDER_OUT_PKTS", 57584}, {"NUM_PKTS_TTL_EQ_1", 57819},
	{"NUM_PKTS_TTL_2_5", 57818}, {"NUM_PKTS_TTL_5_32", 57806},
	{"NUM_PKTS_TTL_32_64", 57807}, {"NUM_PKTS_TTL_64_96", 57808},
	{"NUM_PKTS_TTL_96_128", 57809}, {"NUM_PKTS_TTL_128_160", 57810},
	{"NUM_PKTS_TTL_160_192", 57811}, {"NUM_PKTS_TTL_192_224", 57812},
	{"NUM_PKTS_TTL_224_255", 57813}, {"SRC_TO_DST_SECOND_BYTES", 57944},
	{"DST_TO_SRC_SECOND_BYTES", 57945}, {"ENTROPY_CLIENT_BYTES", 57975},
	{"ENTROPY_SERVER_BYTES", 57976}, {"PROTOCOL", 4}, {"PROTOCOL_MAP", 58500},
	{"SRC_TOS", 5}, {"L4_SRC_PORT", 7}, {"L4_SRC_PORT_MAP", 58503},
	{"IPV4_SRC_ADDR", 8}, {"IPV4_SRC_MASK", 9}, {"INPUT_SNMP", 10},
	{"L4_DST_PORT", 11}, {"L4_DST_PORT_MAP", 58507}, {"L4_SRV_PORT", 58508},
	{"L4_SRV_PORT_MAP", 58509}, {"IPV4_DST_ADDR", 12}, {"IPV4_DST_MASK", 13},
	{"OUTPUT_SNMP", 14}, {"IPV4_NEXT_HOP", 15}, {"IPV4_BGP_NEXT_HOP", 18},
	{"IPV6_SRC_ADDR", 27}, {"IPV6_DST_ADDR", 28}, {"IPV6_SRC_MASK", 29},
	{"IPV6_DST_MASK", 30}, {"ICMP_TYPE", 32}, {"MIN_TTL", 52}, {"MAX_TTL", 53},
	{"DST_TOS", 55}, {"SRC_VLAN", 58}, {"DST_VLAN", 59}, {"IN_SRC_MAC", 56},
	{"OUT_DST_MAC", 57}, {"IN_DST_MAC", 80}, {"OUT_SRC_MAC", 81},
	{"INTERFACE_NAME", 82}, {"DOT1Q_SRC_VLAN", 243}, {"DOT1Q_DST_VLAN", 254},
	{"IP_PROTOCOL_VERSION", 60}, {"DIRECTION", 61}, {"IPV6_NEXT_HOP", 62},
	{"MPLS_LABEL_1", 70}, {"MPLS_LABEL_2", 71}, {"MPLS_LABEL_3", 72},
	{"MPLS_LABEL_4", 73}, {"MPLS_LABEL_5", 74}, {"MPLS_LABEL_6", 75},
	{"MPLS_LABEL_7", 76}, {"MPLS_LABEL_8", 77}, {"MPLS_LABEL_9", 78},
	{"MPLS_LABEL_10", 79}, {"EXPORTER_IPV4_ADDRESS", 130},
	{"EXPORTER_IPV6_ADDRESS", 131}, {"BIFLOW_DIRECTION", 239},
	{"POST_NAT_SRC_IPV4_ADDR", 225}, {"POST_NAT_DST_IPV4_ADDR", 226},
	{"POST_NAPT_SRC_TRANSPORT_PORT", 227}, {"POST_NAPT_DST_TRANSPORT_PORT", 228},
	{"ICMP_IPV4_TYPE", 176}, {"ICMP_IPV4_CODE", 177}, {"FRAME_LENGTH", 312},
	{"INGRESS_VRFID", 234}, {"EGRESS_VRFID", 235}, {"PORT_RANGE_START", 361},
	{"PORT_RANGE_END", 362}, {"CUMULATIVE_ICMP_TYPE", 57570},
	{"FLOW_PROTO_PORT", 57577}, {"UNTUNNELED_PROTOCOL", 57585},
	{"UNTUNNELED_IPV4_SRC_ADDR", 57586}, {"UNTUNNELED_L4_SRC_PORT", 57587},
	{"UNTUNNELED_IPV4_DST_ADDR", 57588}, {"UNTUNNELED_L4_DST_PORT", 57589},
	{"FLOW_EXPORT_TIME", 58045}, {"UNTUNNELED_IPV6_SRC_ADDR", 57868},
	{"UNTUNNELED_IPV6_DST_ADDR", 57869}, {"IN_SRC_OSI_SAP", 57821},
	{"OUT_DST_OSI_SAP", 57822}, {"LAST_SWITCHED", 21}, {"FIRST_SWITCHED", 22},
	{"FLOW_ACTIVE_TIMEOUT", 36}, {"FLOW_INACTIVE_TIMEOUT", 37},
	{"FLOW_END_REASON", 136}, {"FLOW_START_SEC", 150}, {"FLOW_END_SEC", 151},
	{"FLOW_START_MILLISECONDS", 152}, {"FLOW_START_MICROSECONDS", 154},
	{"FLOW_END_MILLISECONDS", 153}, {"FLOW_END_MICROSECONDS", 155},
	{"FLOW_DURATION_MILLISECONDS", 161}, {"FLOW_DURATION_MICROSECONDS", 162},
	{"DURATION_IN", 57863}, {"DURATION_OUT", 57864}, {"TCP_FLAGS", 6},
	{"CLIENT_NW_LATENCY_MS", 57595}, {"SERVER_NW_LATENCY_MS", 57596},
	{"CLIENT_TCP_FLAGS", 57550}, {"SERVER_TCP_FLAGS", 57551},
	{"APPL_LATENCY_MS", 57597}, {"TCP_WIN_MIN_IN", 57887},
	{"TCP_WIN_MAX_IN", 57888}, {"TCP_WIN_MSS_IN", 57889},
	{"TCP_WIN_SCALE_IN", 57890}, {"TCP_WIN_MIN_OUT", 57891},
	{"TCP_WIN_MAX_OUT", 57892}, {"TCP_WIN_MSS_OUT", 57893},
	{"TCP_WIN_SCALE_OUT", 57894}, {"SRC_TO_DST_IAT_MIN", 58003},
	{"SRC_TO_DST_IAT_MAX", 58004}, {"SRC_TO_DST_IAT_AVG", 58005},
	{"SRC_TO_DST_IAT_STDDEV", 58006}, {"DST_TO_SRC_IAT_MIN", 58007},
	{"DST_TO_SRC_IAT_MAX", 58008}, {"DST_TO_SRC_IAT_AVG", 58009},
	{"DST_TO_SRC_IAT_STDDEV", 58010}, {"APPLICATION_ID", 95},
	{"APPLICATION_NAME", 96}, {"L7_PROTO", 57590}, {"L7_CONFIDENCE", 58032},
	{"L7_PROTO_NAME", 57591}, {"FLOW_CONTENT_TYPE", 58046},
	{"L7_PROTO_CATEGORY", 57973}, {"L7_INFO", 58011}, {"L7_DOMAIN_INFO", 58063},
	{"TLS_SERVER_NAME", 57660}, {"BITTORRENT_HASH", 57661}, {"PLUGIN_NAME", 57598},
	{"PAYLOAD_HASH", 57910}, {"JA3C_HASH", 57961}, {"JA4C_HASH", 58048},
	{"JA3S_HASH", 57962}, {"TLS_CIPHER", 57965}, {"TLS_UNSAFE_CIPHER", 57966},
	{"TLS_VERSION", 57967}, {"SEQ_PLEN", 57974}, {"SEQ_TDIFF", 57977},
	{"SEQ_PLEN_HASH", 57978}, {"SEQ_TDIFF_HASH", 57979}, {"PKT_VECTOR", 57980},
	{"HASSH_CLIENT", 57971}, {"HASSH_SERVER", 57972}, {"L7_PROTO_RISK", 57981},
	{"L7_PROTO_RISK_NAME", 57982}, {"L7_RISK_SCORE", 57999},
	{"L7_ERROR_CODE", 58026}, {"L7_RISK_INFO", 58027}, {"FLOW_ENCRYPTED", 58058},
	{"NAT_ORIGINATING_ADDRESS_REALM", 229}, {"NAT_EVENT", 230},
	{"FIREWALL_EVENT", 233}, {"UPSTREAM_TUNNEL_ID", 57578},
	{"UPSTREAM_SESSION_ID", 57918}, {"DOWNSTREAM_TUNNEL_ID", 57592},
	{"DOWNSTREAM_SESSION_ID", 57919}, {"FLOW_VERDICT", 57994},
	{"AAA_NAT_KEY", 58025}, {"SRC_AS", 16}, {"DST_AS", 17},
	{"BGP_PREV_ADJACENT_ASN", 129}, {"BGP_NEXT_ADJACENT_ASN", 128},
	{"SRC_PROC_USER_NAME", 57844}, {"SRC_FATHER_PROC_USER_NAME", 58037},
	{"DST_PROC_USER_NAME", 57849}, {"DST_FATHER_PROC_USER_NAME", 58040},
	{"SRC_IP_COUNTRY", 57573}, {"SRC_IP_CITY", 57574}, {"DST_IP_COUNTRY", 57575},
	{"DST_IP_CITY", 57576}, {"SRC_IP_LONG", 57920}, {"SRC_IP_LAT", 57921},
	{"DST_IP_LONG", 57922}, {"DST_IP_LAT", 57923}, {"FLOW_USER_NAME", 57593},
	{"SRC_AS_MAP", 57915}, {"DST_AS_MAP", 57916}, {"SRC_HOST_NAME", 57963},
	{"DST_HOST_NAME", 57964}, {"SRC_HOST_LABEL", 57997}, {"DST_HOST_LABEL", 57998},
	{"ACCOUNT_ID", 58047}, {"SRC_PROC_PID", 57640}, {"SRC_PROC_NAME", 57641},
	{"SRC_PROC_UID", 57897}, {"SRC_PROC_PKG_NAME", 58012},
	{"SRC_PROC_CMDLINE", 58028}, {"SRC_PROC_CONTAINER_ID", 58030},
	{"SRC_FATHER_PROC_NAME", 57846}, {"SRC_FATHER_PROC_UID", 58036},
	{"SRC_FATHER_PROC_PID", 57845}, {"SRC_FATHER_PROC_PKG_NAME", 58033},
	{"DST_PROC_PID", 57847}, {"DST_PROC_NAME", 57848}, {"DST_PROC_UID", 57898},
	{"DST_PROC_PKG_NAME", 58013}, {"DST_PROC_CMDLINE", 58029},
	{"DST_PROC_CONTAINER_ID", 58031}, {"DST_FATHER_PROC_PID", 57850},
	{"DST_FATHER_PROC_NAME", 57851}, {"DST_FATHER_PROC_UID", 58039},
	{"DST_FATHER_PROC_PKG_NAME", 58035}, {"SAMPLING_INTERVAL", 34},
	{"SAMPLING_ALGORITHM", 35}, {"ENGINE_TYPE", 38}, {"ENGINE_ID", 39},
	{"FORWARDING_STATUS", 89}, {"FLOW_SOURCE", 58051},
	{"PACKET_SECTION_OFFSET", 102}, {"SAMPLED_PACKET_SIZE", 103},
	{"SAMPLED_PACKET_ID", 104}, {"FLOW_ID", 148}, {"OBSERVATION_POINT_TYPE", 277},
	{"OBSERVATION_POINT_ID", 138}, {"SELECTOR_ID", 302},
	{"IPFIX_SAMPLING_ALGORITHM", 304}, {"SAMPLING_SIZE", 309},
	{"SAMPLING_POPULATION", 310}, {"PACKETS_OBSERVED", 318},
	{"PACKETS_SELECTED", 319}, {"SELECTOR_NAME", 335},
	{"NPROBE_IPV4_ADDRESS", 57943}, {"NPROBE_INSTANCE_NAME", 57594},
	{"UNIQUE_SOURCE_ID", 58061}, {"NPROBE_UUID", 58062},
};

/* A row's names and numbers are its own, in all rows. */
static void
test_unique(void **state)
{
	(void)state;
	for (unsigned i = 0; i < field_count; i++) {
		const struct field *f = &field_table[i];

		assert_ptr_equal(field_find(f->label), f);
		if (f->iana != NULL)
			assert_ptr_equal(field_find(f->iana), f);
		if (f->alias != NULL)
			assert_ptr_equal(field_find(f->alias), f);
		for (unsigned k = 0; k < i; k++)
			if (field_table[k].pen == f->pen && field_table[k].id == f->id)
				fail_msg("%s and %s", f->label, field_table[k].label);
	}
}

static void
check_len(const struct field *f)
{
	switch ((enum field_type)f->type) {
	case FIELD_UINT:
		assert_in_range(f->len, 1, 8);
		break;
	case FIELD_IP4:
	case FIELD_SECONDS:
	case FIELD_UPTIME:
	case FIELD_LATENCY:
		assert_int_equal(f->len, 4);
		break;
	case FIELD_IP6:
		assert_int_equal(f->len, 16);
		break;
	case FIELD_MAC:
		assert_int_equal(f->len, 6);
		break;
	case FIELD_MILLIS:
	case FIELD_MICROS:
		assert_int_equal(f->len, 8);
		break;
	case FIELD_STRING:
	case FIELD_OCTETS:
		assert_in_range(f->len, 1, FIELD_STRING_MAX);
		break;
	}
}

static void
test_rows(void **state)
{
	(void)state;
	assert_true(field_count < MAX_ROWS);
	for (unsigned i = 0; i < field_count; i++) {
		const struct field *f = &field_table[i], *other;

		assert_non_null(f->group);
		assert_non_null(f->help);
		assert_true(strlen(f->help) > 0);
		assert_true(strlen(f->label) <= 40);
		assert_true(f->iana == NULL || strlen(f->iana) <= 40);
		assert_true(f->pen == 0 || f->pen == FIELD_PEN_NTOP);
		assert_true(f->id > 0 && (f->pen == 0 || f->id < 8064));
		check_len(f);
		if (f->twin != NULL) {
			other = field_find(f->twin);
			assert_non_null(other);
			assert_string_equal(other->twin, f->label);
			assert_int_equal(f->family + other->family, 10);
			assert_true((f->get == NULL) == (other->get == NULL));
		}
		if (f->reverse != NULL) {
			other = field_find(f->reverse);
			assert_non_null(other);
			assert_int_equal(other->len, f->len);
			assert_int_equal(other->type, f->type);
			assert_null(other->reverse);
		}
	}
}

static void
test_known(void **state)
{
	(void)state;
	assert_int_equal(sizeof(known) / sizeof(known[0]), 267);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct field *f = field_find(known[i].label);

		if (f == NULL || strcmp(f->label, known[i].label) != 0)
			fail_msg("%s is not known", known[i].label);
		else if (field_v9_id(f) != known[i].v9_id)
			fail_msg("%s is %u", known[i].label, field_v9_id(f));
	}
}

static void
test_find(void **state)
{
	static const char *const pairs[][2] = {
		{"octetDeltaCount", "IN_BYTES"}, {"in_bytes", "IN_BYTES"},
		{"SOURCEIPV4ADDRESS", "IPV4_SRC_ADDR"}, {"tcpControlBits", "TCP_FLAGS"},
		{"SSL_SERVER_NAME", "TLS_SERVER_NAME"}, {"SSL_CIPHER", "TLS_CIPHER"},
		{"FLOW_SERVER_NAME", "NPROBE_INSTANCE_NAME"},
		{"BGP_IPV4_NEXT_HOP", "IPV4_BGP_NEXT_HOP"},
		{"OCTETS_TOTAL", "OCTET_TOTAL"}, {"flowId", "FLOW_ID"},
		{"bgpNextAdjacentAsNumber", "BGP_NEXT_ADJACENT_ASN"},
		{"postdot1qVlanId", "DOT1Q_DST_VLAN"},
		{"biflow_direction", "BIFLOW_DIRECTION"},
		{"responderOctets", "RESPONDER_OCTETS"},
		{"icmpCodeIPv6", "ICMP_IPV6_CODE"},
		{"systemInitTimeMilliseconds", "SYSTEM_INIT_TIME"},
	};
	char longer[200];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_non_null(field_find(pairs[i][0]));
		assert_string_equal(field_find(pairs[i][0])->label, pairs[i][1]);
	}
	assert_null(field_find("IN_BITES"));
	assert_null(field_find(""));
	assert_string_equal(field_nearest("IN_BITES"), "IN_BYTES");
	assert_string_equal(field_nearest("l7_protoname"), "L7_PROTO_NAME");
	assert_string_equal(field_nearest("octetDeltaCuont"), "octetDeltaCount");
	assert_null(field_nearest("what_is_this_supposed_to_be"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(field_nearest(longer));
	assert_int_equal(field_v9_id(field_find("L7_PROTO")), 57590);
}

/* What cannot be filled says why. */
static void
test_inert(void **state)
{
	static const char *const inert[] = {"SRC_AS", "IPV4_SRC_MASK", "SRC_PROC_NAME",
	    "NAT_EVENT", "FIREWALL_EVENT", "SRC_IP_COUNTRY", "IPV4_NEXT_HOP",
	    "JA4C_HASH", "PAYLOAD_HASH", "ENTROPY_CLIENT_BYTES", "DST_HOST_NAME"};
	unsigned live = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(inert) / sizeof(inert[0]); i++)
		assert_null(field_find(inert[i])->get);
	for (unsigned i = 0; i < field_count; i++)
		live += field_table[i].get != NULL;
	assert_true(live > 170);
}

static char *
collect(void (*print)(FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(f);
	fclose(f);
	return text;
}

static void
test_list(void **state)
{
	char *text = collect(field_list);
	char needle[64];

	(void)state;
	for (unsigned i = 0; i < field_count; i++) {
		snprintf(needle, sizeof(needle),
		    field_table[i].get ? "  %%%s " : "  [%%%s]", field_table[i].label);
		assert_non_null(strstr(text, needle));
	}
	assert_non_null(strstr(text, "57590/35632.118"));
	assert_non_null(strstr(text, "octetDeltaCount"));
	free(text);
	text = collect(field_man);
	assert_non_null(strstr(text, ".It Li %IN_BYTES Pq Li %octetDeltaCount\n"));
	assert_null(strstr(text, "SRC_PROC_NAME"));
	assert_non_null(strstr(text, "\\-\\-idle\\-timeout"));
	free(text);
}

/* --- getters: one flow, looked at from both sides --- */

#define T0 UINT64_C(1700000000123456)

struct fixture {
	struct config config;
	struct field_context ctx;
	struct flow flow;
	struct flow_detail detail;
	struct flow_l7 l7;
	struct record r;
	struct value v;
};

static const uint8_t ip4_exporter[] = {198, 51, 100, 7};
static const char *const port_names[] = {"eth0", "eth1"};
static const uint32_t port_indexes[] = {2, 3};

/* The last two bytes of endpoint E's address. */
static void
set_address(struct flow *f, unsigned e, unsigned hi, unsigned lo)
{
	if (f->key.ip_version == 4) {
		memset(f->key.addr[e] + 10, 0xff, 2);
		f->key.addr[e][12] = 10;
	} else {
		f->key.addr[e][0] = 0x20;
		f->key.addr[e][1] = 0x01;
	}
	f->key.addr[e][14] = (uint8_t)hi;
	f->key.addr[e][15] = (uint8_t)lo;
}

/* A TCP connection of IP version VERSION; endpoint 1 is the client. */
static struct fixture *
fixture_new(unsigned version)
{
	struct fixture *x;
	struct flow *f;

	x = aligned_alloc(64, (sizeof(*x) + 63) / 64 * 64);
	assert_non_null(x);
	memset(x, 0, sizeof(*x));
	memset(x->v.buf, 0xaa, sizeof(x->v.buf));
	x->config.in_ifindex = x->config.out_ifindex = -1;
	x->config.sampling = 10;
	x->config.lifetime_s = 120;
	x->config.idle_s = 30;
	x->config.engine_type = 4;
	x->config.engine_id = 5;
	x->config.obs_domain = 77;
	x->config.probe_id = (char *)(uintptr_t) "probe-1";
	x->ctx = (struct field_context){
		.config = &x->config,
		.boot_us = T0 - 5000000,
		.export_us = T0 + 9000000,
		.total_flows = 11,
		.total_packets = 12,
		.total_bytes = 13,
		.exporter_ip4 = ip4_exporter,
		.port_name = port_names,
		.port_index = port_indexes,
		.nports = 2,
	};
	f = &x->flow;
	f->key.ip_version = (uint8_t)version;
	f->key.proto = 6;
	f->key.vlan = 42;
	set_address(f, 0, 1, 2);
	set_address(f, 1, 3, 4);
	f->key.port[0] = 443;
	f->key.port[1] = 50000;
	f->flags = FLOW_CLIENT_IS_1 | FLOW_CLIENT_SURE | FLOW_FIRST_IS_1;
	f->packets[0] = 20;
	f->packets[1] = 10;
	f->octets[0] = 20000;
	f->octets[1] = 1000;
	f->first_us[1] = T0;
	f->first_us[0] = T0 + 1000;
	f->last_dir_us[0] = T0 + 4001000;
	f->last_dir_us[1] = T0 + 4002500;
	f->tcp[0] = (struct flow_tcp){.flags = 0x12, .win_min = 100, .win_max = 200,
	    .mss = 1460, .wscale = 7};
	f->tcp[1] = (struct flow_tcp){.flags = 0x0b, .win_min = 500, .win_max = 600,
	    .mss = 1400, .wscale = 2};
	memcpy(f->mac[0], "\x02\0\0\0\0\x10", 6);
	memcpy(f->mac[1], "\x02\0\0\0\0\x11", 6);
	f->flags |= FLOW_MAC_KNOWN | FLOW_MAC_KNOWN << 1;
	f->vlan_inner = 43;
	f->port = 1;
	f->len_min[0] = 52, f->len_max[0] = 1500;
	f->len_min[1] = 40, f->len_max[1] = 900;
	f->ttl_min[0] = 55, f->ttl_max[0] = 56;
	f->ttl_min[1] = 63, f->ttl_max[1] = 64;
	f->tos[0] = 0x20, f->tos[1] = 0x10;
	f->end = FLOW_END_DETECTED;
	f->client_nw_us = 1500;
	f->server_nw_us = 2500;
	f->appl_us = 12345;
	f->stage = FLOW_STAGE_DONE;
	x->detail.whole = true;
	x->r = (struct record){.flow = f, .ctx = &x->ctx, .dir = 1, .biflow = true};
	return x;
}

static const struct value *
get(struct fixture *x, const char *label)
{
	const struct field *f = field_find(label);

	assert_non_null(f);
	assert_non_null(f->get);
	/* What the value held before must not shine through. */
	x->v.u = 0xdeadbeef;
	x->v.absent = true;
	f->get(&x->r, &x->v);
	return &x->v;
}

#define check_uint(x, label, n) \
	do { \
		const struct value *v_ = get(x, label); \
		if (v_->absent) \
			fail_msg("%s is absent", label); \
		if (v_->u != (uint64_t)(n)) \
			fail_msg("%s is %llu", label, (unsigned long long)v_->u); \
	} while (0)

#define check_bytes(x, label, bytes, n) \
	do { \
		const struct value *v_ = get(x, label); \
		if (v_->absent || v_->len != (n) || memcmp(v_->p, bytes, n) != 0) \
			fail_msg("%s: %.*s", label, (int)v_->len, \
			    (const char *)v_->p); \
	} while (0)

#define check_text(x, label, text) check_bytes(x, label, text, strlen(text))

#define check_absent(x, label) \
	do { \
		const struct value *v_ = get(x, label); \
		if (!v_->absent || v_->u != 0 || v_->len != 0) \
			fail_msg("%s is there", label); \
	} while (0)

static void
test_biflow(void **state)
{
	struct fixture *x = fixture_new(4);

	(void)state;
	check_uint(x, "IN_BYTES", 1000);
	check_uint(x, "IN_PKTS", 10);
	check_uint(x, "OUT_BYTES", 20000);
	check_uint(x, "OUT_PKTS", 20);
	check_uint(x, "initiatorOctets", 1000);
	check_uint(x, "responderOctets", 20000);
	check_uint(x, "initiatorPackets", 10);
	check_uint(x, "responderPackets", 20);
	check_bytes(x, "IPV4_SRC_ADDR", "\x0a\x00\x03\x04", 4);
	check_bytes(x, "IPV4_DST_ADDR", "\x0a\x00\x01\x02", 4);
	check_absent(x, "IPV6_SRC_ADDR");
	check_uint(x, "L4_SRC_PORT", 50000);
	check_uint(x, "L4_DST_PORT", 443);
	check_uint(x, "L4_SRV_PORT", 443);
	check_text(x, "L4_SRC_PORT_MAP", "50000");
	check_text(x, "L4_DST_PORT_MAP", "https");
	check_text(x, "L4_SRV_PORT_MAP", "https");
	check_uint(x, "PROTOCOL", 6);
	check_text(x, "PROTOCOL_MAP", "tcp");
	check_uint(x, "TCP_FLAGS", 0x1b);
	check_uint(x, "CLIENT_TCP_FLAGS", 0x0b);
	check_uint(x, "SERVER_TCP_FLAGS", 0x12);
	check_uint(x, "SRC_TOS", 0x10);
	check_uint(x, "DST_TOS", 0x20);
	check_uint(x, "MIN_TTL", 55);
	check_uint(x, "MAX_TTL", 64);
	check_uint(x, "ipTTL", 64);
	check_uint(x, "MIN_IP_PKT_LEN", 40);
	check_uint(x, "LONGEST_FLOW_PKT", 1500);
	check_uint(x, "FIRST_SWITCHED", T0);
	check_uint(x, "LAST_SWITCHED", T0 + 4002500);
	check_uint(x, "FLOW_START_MICROSECONDS", T0);
	check_uint(x, "FLOW_DURATION_MILLISECONDS", 4002);
	check_uint(x, "FLOW_DURATION_MICROSECONDS", 4002500);
	check_uint(x, "DURATION_IN", 4002);
	check_uint(x, "DURATION_OUT", 4000);
	check_uint(x, "BIFLOW_DIRECTION", 1);
	x->detail.loss[0] = (struct flow_loss){.retrans = 3, .retrans_bytes = 300,
	    .ooorder = 4};
	x->detail.loss[1] = (struct flow_loss){.retrans = 1, .retrans_bytes = 100,
	    .ooorder = 2};
	x->flow.detail = &x->detail;
	check_uint(x, "RETRANSMITTED_IN_PKTS", 1);
	check_uint(x, "RETRANSMITTED_OUT_BYTES", 300);
	check_uint(x, "OOORDER_IN_PKTS", 2);
	check_uint(x, "OOORDER_OUT_PKTS", 4);
	check_uint(x, "TCP_WIN_MIN_IN", 500);
	check_uint(x, "TCP_WIN_MAX_OUT", 200);
	check_uint(x, "TCP_WIN_MSS_OUT", 1460);
	check_uint(x, "TCP_WIN_SCALE_IN", 2);
	check_uint(x, "TCP_WIN_SCALE_OUT", 7);
	check_uint(x, "CLIENT_NW_LATENCY_MS", 1500);
	check_uint(x, "SERVER_NW_LATENCY_MS", 2500);
	check_uint(x, "APPL_LATENCY_MS", 12345);
	check_bytes(x, "IN_SRC_MAC", "\x02\0\0\0\0\x11", 6);
	check_bytes(x, "OUT_DST_MAC", "\x02\0\0\0\0\x10", 6);
	/* 1000 octets in 4.0025 s; 20000 in 4 s. */
	check_uint(x, "SRC_TO_DST_SECOND_BYTES", 249);
	check_uint(x, "DST_TO_SRC_SECOND_BYTES", 5000);
	check_uint(x, "DST_TO_SRC_AVG_THROUGHPUT", 40000);
	/* 200 << 7 octets in 8 ms. */
	check_uint(x, "SRC_TO_DST_MAX_EST_THROUGHPUT", UINT64_C(25600) * 8 * 125);
	free(x);
}

/* The same connection as two records: each has its own side, nothing is told twice. */
static void
test_uniflow(void **state)
{
	struct fixture *x = fixture_new(4);

	(void)state;
	x->r.biflow = false;
	x->r.dir = 0;
	check_uint(x, "IN_BYTES", 20000);
	check_uint(x, "IN_PKTS", 20);
	check_absent(x, "OUT_BYTES");
	check_absent(x, "OUT_PKTS");
	check_absent(x, "initiatorOctets");
	check_uint(x, "responderOctets", 20000);
	check_bytes(x, "IPV4_SRC_ADDR", "\x0a\x00\x01\x02", 4);
	check_bytes(x, "IPV4_DST_ADDR", "\x0a\x00\x03\x04", 4);
	check_uint(x, "L4_SRC_PORT", 443);
	check_uint(x, "L4_DST_PORT", 50000);
	check_uint(x, "L4_SRV_PORT", 443);
	check_uint(x, "TCP_FLAGS", 0x12);
	check_uint(x, "CLIENT_TCP_FLAGS", 0x12);
	check_absent(x, "SERVER_TCP_FLAGS");
	check_uint(x, "SRC_TOS", 0x20);
	check_absent(x, "DST_TOS");
	check_uint(x, "MIN_IP_PKT_LEN", 52);
	check_uint(x, "MAX_TTL", 56);
	check_uint(x, "FLOW_START_SEC", T0 + 1000);
	check_uint(x, "FLOW_END_SEC", T0 + 4001000);
	check_uint(x, "BIFLOW_DIRECTION", 2);
	check_absent(x, "RETRANSMITTED_OUT_PKTS");
	check_absent(x, "DURATION_OUT");
	check_bytes(x, "IN_SRC_MAC", "\x02\0\0\0\0\x10", 6);
	x->r.dir = 1;
	check_uint(x, "initiatorOctets", 1000);
	check_absent(x, "responderOctets");
	free(x);
}

static void
test_ip6(void **state)
{
	static const uint8_t client[16] = {0x20, 0x01, [14] = 3, 4};
	struct fixture *x = fixture_new(6);

	(void)state;
	check_bytes(x, "IPV6_SRC_ADDR", client, 16);
	check_absent(x, "IPV4_SRC_ADDR");
	check_uint(x, "IP_PROTOCOL_VERSION", 6);
	check_uint(x, "ethernetType", 0x86dd);
	x->r.dir = 0;
	check_bytes(x, "IPV6_DST_ADDR", client, 16);
	free(x);
}

static void
test_icmp(void **state)
{
	struct fixture *x = fixture_new(4);

	(void)state;
	x->flow.key.proto = 1;
	x->flow.key.port[0] = x->flow.key.port[1] = 0;
	memset(x->flow.tcp, 0, sizeof(x->flow.tcp));
	x->flow.icmp_type[1] = 8;
	x->flow.icmp_code[1] = 1;
	check_uint(x, "ICMP_TYPE", 8 * 256 + 1);
	check_uint(x, "ICMP_IPV4_TYPE", 8);
	check_uint(x, "ICMP_IPV4_CODE", 1);
	check_absent(x, "icmpTypeCodeIPv6");
	check_uint(x, "L4_SRC_PORT", 0); /* part of every record's shape */
	check_absent(x, "L4_SRC_PORT_MAP");
	check_absent(x, "L4_SRV_PORT");
	check_uint(x, "TCP_FLAGS", 0);
	check_absent(x, "TCP_WIN_MAX_IN");
	check_absent(x, "TCP_WIN_SCALE_IN");
	check_text(x, "PROTOCOL_MAP", "icmp");
	free(x);
	x = fixture_new(6);
	x->flow.key.proto = 58;
	x->flow.icmp_type[1] = 128;
	check_uint(x, "ICMP_IPV6_TYPE_CODE", 128 * 256);
	check_uint(x, "icmpTypeIPv6", 128);
	check_absent(x, "ICMP_TYPE");
	x->flow.key.proto = 253;
	check_text(x, "PROTOCOL_MAP", "253");
	free(x);
}

/* Only one side spoke: the other one's extremes must not count. */
static void
test_one_sided(void **state)
{
	struct fixture *x = fixture_new(4);
	struct flow *f = &x->flow;

	(void)state;
	f->packets[0] = f->octets[0] = f->first_us[0] = f->last_dir_us[0] = 0;
	f->len_min[0] = f->len_max[0] = 0;
	f->ttl_min[0] = f->ttl_max[0] = 0;
	f->flags &= ~(uint32_t)FLOW_MAC_KNOWN;
	check_uint(x, "OUT_PKTS", 0);
	check_uint(x, "MIN_TTL", 63);
	check_uint(x, "MIN_IP_PKT_LEN", 40);
	check_uint(x, "FIRST_SWITCHED", T0);
	check_absent(x, "DST_TOS");
	check_absent(x, "TCP_WIN_MIN_OUT");
	x->r.dir = 0; /* the silent side's MAC is where frames for it went */
	check_bytes(x, "IN_SRC_MAC", "\x02\0\0\0\0\x10", 6);
	memset(f->mac, 0, sizeof(f->mac));
	check_absent(x, "IN_SRC_MAC");
	f->client_nw_us = 0;
	check_absent(x, "CLIENT_NW_LATENCY_MS");
	check_absent(x, "SRC_TO_DST_MAX_EST_THROUGHPUT");
	f->key.vlan = 0;
	check_absent(x, "SRC_VLAN");
	free(x);
}

static void
test_detail(void **state)
{
	struct fixture *x = fixture_new(4);
	struct flow_detail *d = &x->detail;

	(void)state;
	check_absent(x, "SRC_FRAGMENTS");
	check_absent(x, "NUM_PKTS_UP_TO_128_BYTES");
	check_absent(x, "SRC_TO_DST_IAT_MIN");
	check_absent(x, "MPLS_LABEL_1");
	check_absent(x, "UPSTREAM_TUNNEL_ID");
	x->flow.detail = d;
	d->fragments[0] = 5, d->fragments[1] = 6;
	for (unsigned i = 0; i < FLOW_SIZE_BINS; i++)
		d->size_bin[i] = 100 + i;
	for (unsigned i = 0; i < FLOW_TTL_BINS; i++)
		d->ttl_bin[i] = 200 + i;
	d->mpls[0] = 0x012341, d->mpls[1] = 0xabcdef;
	d->nmpls = 2;
	/* 1, 3 and 8 ms: mean 4, variance 26/3. */
	d->iat[1] = (struct flow_iat){.min = 1000, .max = 8000, .sum = 12000,
		.mean = 4000, .m2 = 26e6, .n = 3};
	d->bps_max[1] = 700, d->bps_min[1] = 300, d->second_bytes[1] = 10;
	d->second_bytes[0] = 9000;
	d->icmp_types = 1U << 8 | 1;
	check_uint(x, "SRC_FRAGMENTS", 6);
	check_uint(x, "DST_FRAGMENTS", 5);
	check_uint(x, "NUM_PKTS_UP_TO_128_BYTES", 100);
	check_uint(x, "NUM_PKTS_OVER_1514_BYTES", 105);
	check_uint(x, "NUM_PKTS_TTL_EQ_1", 200);
	check_uint(x, "NUM_PKTS_TTL_2_5", 201);
	check_uint(x, "NUM_PKTS_TTL_32_64", 203);
	check_uint(x, "NUM_PKTS_TTL_224_255", 209);
	check_uint(x, "MPLS_LABEL_1", 0x012341);
	check_uint(x, "MPLS_LABEL_2", 0xabcdef);
	check_absent(x, "MPLS_LABEL_3");
	check_absent(x, "MPLS_LABEL_10");
	check_uint(x, "SRC_TO_DST_IAT_MIN", 1000);
	check_uint(x, "SRC_TO_DST_IAT_MAX", 8000);
	check_uint(x, "SRC_TO_DST_IAT_AVG", 4000);
	check_uint(x, "SRC_TO_DST_IAT_STDDEV", 2943);
	check_absent(x, "DST_TO_SRC_IAT_AVG");
	check_uint(x, "SRC_TO_DST_MAX_THROUGHPUT", 5600);
	check_uint(x, "SRC_TO_DST_MIN_THROUGHPUT", 2400);
	check_uint(x, "DST_TO_SRC_MAX_THROUGHPUT", 72000);
	check_uint(x, "DST_TO_SRC_MIN_THROUGHPUT", 72000);
	check_absent(x, "CUMULATIVE_ICMP_TYPE");
	x->flow.key.proto = 1;
	check_uint(x, "CUMULATIVE_ICMP_TYPE", 0x101);
	free(x);
}

static void
test_tunnel(void **state)
{
	struct fixture *x = fixture_new(4);
	struct tunnel *t = &x->detail.tunnel;

	(void)state;
	x->flow.detail = &x->detail;
	x->detail.has_tunnel = 1;
	*t = (struct tunnel){.type = TUNNEL_GTPU, .ip_version = 4, .proto = 17,
		.src = {[10] = 0xff, 0xff, 192, 0, 2, 1},
		.dst = {[10] = 0xff, 0xff, 192, 0, 2, 2},
		.sport = 2152, .dport = 2153, .id = 0xcafe0001};
	check_uint(x, "UNTUNNELED_PROTOCOL", 17);
	check_bytes(x, "UNTUNNELED_IPV4_SRC_ADDR", "\xc0\x00\x02\x01", 4);
	check_bytes(x, "UNTUNNELED_IPV4_DST_ADDR", "\xc0\x00\x02\x02", 4);
	check_uint(x, "UNTUNNELED_L4_SRC_PORT", 2152);
	check_absent(x, "UNTUNNELED_IPV6_SRC_ADDR");
	check_uint(x, "UPSTREAM_TUNNEL_ID", 0xcafe0001);
	check_absent(x, "UPSTREAM_SESSION_ID");
	x->r.dir = 0; /* the way back */
	check_bytes(x, "UNTUNNELED_IPV4_SRC_ADDR", "\xc0\x00\x02\x02", 4);
	check_uint(x, "UNTUNNELED_L4_SRC_PORT", 2153);
	t->type = TUNNEL_L2TP;
	t->ip_version = 6;
	check_uint(x, "UPSTREAM_TUNNEL_ID", 0xcafe);
	check_uint(x, "UPSTREAM_SESSION_ID", 1);
	check_bytes(x, "UNTUNNELED_IPV6_DST_ADDR", t->src, 16);
	check_absent(x, "UNTUNNELED_IPV4_DST_ADDR");
	t->sport = t->dport = 0;
	check_absent(x, "UNTUNNELED_L4_DST_PORT");
	free(x);
}

static void
test_l7(void **state)
{
	struct fixture *x = fixture_new(4);

	(void)state;
	check_absent(x, "L7_PROTO");
	check_absent(x, "L7_PROTO_NAME");
	check_absent(x, "APPLICATION_ID");
	check_absent(x, "L7_INFO");
	check_absent(x, "FLOW_ENCRYPTED");
	check_absent(x, "L7_PROTO_RISK_NAME");
	x->flow.l7 = &x->l7;
	x->l7.master = 91;
	x->l7.score = 60;
	x->l7.confidence = 6;
	x->l7.risk = 0;
	check_uint(x, "L7_PROTO", 91);
	x->l7.app = 0x0102;
	check_uint(x, "L7_PROTO", 0x0102);
	check_uint(x, "L7_CONFIDENCE", 6);
	check_uint(x, "L7_RISK_SCORE", 60);
	check_uint(x, "L7_PROTO_RISK", 0);
	check_absent(x, "L7_PROTO_RISK_NAME");
	check_bytes(x, "APPLICATION_ID", "\x14\x00\x00\x8b\x30\x01\x02", 7);
	assert_false(get(x, "APPLICATION_NAME")->absent);
	memcpy(x->l7.info, "example.org", 11);
	x->l7.info_len = 11;
	check_text(x, "L7_INFO", "example.org");
	check_absent(x, "TLS_SERVER_NAME");
	x->l7.tls = true;
	check_text(x, "TLS_SERVER_NAME", "example.org");
	check_uint(x, "FLOW_ENCRYPTED", 1);
	free(x);
}

/* With nDPI built in, numbers have names. */
static void
test_l7_names(void **state)
{
	struct dpi_names *names = dpi_names_new();
	struct fixture *x = fixture_new(4);
	unsigned tls = 0, dns = 0;

	(void)state;
	if (names == NULL) {
		free(x);
		skip();
	}
	for (unsigned i = 1; i < dpi_names_count(names); i++) {
		if (strcmp(dpi_name(names, i), "TLS") == 0)
			tls = i;
		if (strcmp(dpi_name(names, i), "DNS") == 0)
			dns = i;
	}
	assert_true(tls != 0 && dns != 0);
	x->ctx.names = names;
	x->flow.l7 = &x->l7;
	x->l7.app = (uint16_t)dns;
	check_text(x, "L7_PROTO_NAME", "DNS");
	check_text(x, "APPLICATION_NAME", "DNS");
	check_uint(x, "FLOW_ENCRYPTED", 0);
	x->l7.app = (uint16_t)tls;
	check_uint(x, "FLOW_ENCRYPTED", 1);
	x->l7.risk = 1 << 5;
	assert_false(get(x, "L7_PROTO_RISK_NAME")->absent);
	dpi_names_free(names);
	free(x);
}

static void
test_probe(void **state)
{
	struct subnet local = {.bits = 112, .addr = {[10] = 0xff, 0xff, 10, 0}};
	struct fixture *x = fixture_new(4);

	(void)state;
	check_uint(x, "SAMPLING_INTERVAL", 10);
	check_uint(x, "SAMPLING_ALGORITHM", 1);
	check_uint(x, "ENGINE_TYPE", 4);
	check_uint(x, "ENGINE_ID", 5);
	check_uint(x, "observationDomainId", 77);
	check_uint(x, "TOTAL_FLOWS_EXP", 11);
	check_uint(x, "TOTAL_PKTS_EXP", 12);
	check_uint(x, "TOTAL_BYTES_EXP", 13);
	check_uint(x, "FLOW_ACTIVE_TIMEOUT", 120);
	check_uint(x, "FLOW_INACTIVE_TIMEOUT", 30);
	check_uint(x, "FLOW_END_REASON", 3);
	check_uint(x, "FLOW_EXPORT_TIME", T0 + 9000000);
	check_uint(x, "systemInitTimeMilliseconds", T0 - 5000000);
	check_text(x, "NPROBE_INSTANCE_NAME", "probe-1");
	check_bytes(x, "EXPORTER_IPV4_ADDRESS", ip4_exporter, 4);
	check_bytes(x, "NPROBE_IPV4_ADDRESS", ip4_exporter, 4);
	check_absent(x, "EXPORTER_IPV6_ADDRESS");
	check_text(x, "INTERFACE_NAME", "eth1");
	check_uint(x, "INPUT_SNMP", 3);
	check_uint(x, "OUTPUT_SNMP", 3);
	x->config.in_ifindex = 0;
	x->config.out_ifindex = 9;
	check_uint(x, "INPUT_SNMP", 0);
	check_uint(x, "OUTPUT_SNMP", 9);
	x->flow.port = 2; /* no such source */
	check_absent(x, "INTERFACE_NAME");
	check_uint(x, "observationPointId", 0);
	check_uint(x, "SRC_VLAN", 42);
	check_uint(x, "DOT1Q_SRC_VLAN", 42);
	check_uint(x, "dot1qCustomerVlanId", 43);
	check_uint(x, "DIRECTION", 0);
	x->config.local = &local;
	x->config.nlocal = 1;
	check_uint(x, "DIRECTION", 0); /* both local */
	memset(x->flow.key.addr[0] + 12, 8, 4);
	check_uint(x, "DIRECTION", 1);
	x->r.dir = 0;
	check_uint(x, "DIRECTION", 0);
	free(x);
}

/* A flow keeps its id in all its records; another flow has another one. */
static void
test_ids(void **state)
{
	struct fixture *x = fixture_new(4);
	uint64_t id = get(x, "FLOW_ID")->u, source = get(x, "UNIQUE_SOURCE_ID")->u;

	(void)state;
	assert_true(id > 0 && id < UINT64_C(1) << 53);
	assert_true(source > 0 && source <= UINT32_MAX);
	x->flow.first_us[1]++;
	x->r.dir = 0;
	assert_true(get(x, "FLOW_ID")->u == id);
	x->flow.key.port[0]++;
	assert_true(get(x, "FLOW_ID")->u != id);
	x->flow.port = 0;
	assert_true(get(x, "UNIQUE_SOURCE_ID")->u != source);
	free(x);
}

/* Each getter leaves a whole value, and reads nothing that may not be there. */
static void
test_every_getter(void **state)
{
	struct fixture *x = fixture_new(4);

	(void)state;
	memset(&x->flow, 0, sizeof(x->flow));
	x->config.probe_id = NULL;
	x->ctx = (struct field_context){.config = &x->config};
	for (unsigned turn = 0; turn < 8; turn++) {
		x->r.dir = turn & 1;
		x->r.biflow = turn & 2;
		x->flow.detail = turn & 4 ? &x->detail : NULL;
		x->flow.l7 = turn & 4 ? &x->l7 : NULL;
		for (unsigned i = 0; i < field_count; i++) {
			const struct field *f = &field_table[i];

			if (f->get == NULL)
				continue;
			get(x, f->label);
			assert_non_null(x->v.p);
			assert_true(x->v.len <= FIELD_STRING_MAX);
			if (!x->v.absent && f->type == FIELD_IP4)
				assert_int_equal(x->v.len, 4);
		}
	}
	free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_inert),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_biflow),
		cmocka_unit_test(test_uniflow),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_one_sided),
		cmocka_unit_test(test_detail),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_l7),
		cmocka_unit_test(test_l7_names),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_every_getter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
