/* SPDX-License-Identifier: BSD-3-Clause */
/* t_template.c -- -T: what it understands, what it refuses, the layouts it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "template.h"

static struct template t;
static char err[256];

static void
parse(const char *text, int version, enum biflow_mode mode)
{
	if (template_parse(&t, text, version, mode, true, err, sizeof(err)) != 0)
		fail_msg("%s: %s", text, err);
}

static void
refuse(const char *text, bool dpi, const char *why)
{
	assert_int_equal(
	    template_parse(&t, text, 10, BIFLOW_NTOP, dpi, err, sizeof(err)), -1);
	if (strstr(err, why) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err, why);
}

static const struct template_field *
element(const struct layout *l, const char *label)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->v[i].field->label, label) == 0)
			return &l->v[i];
	return NULL;
}

static void
check(const struct layout *l, const char *label, unsigned pen, unsigned id,
    unsigned len, enum field_type type)
{
	const struct template_field *e = element(l, label);

	if (e == NULL)
		fail_msg("%s is not in the layout", label);
	else if (e->pen != pen || e->id != id || e->len != len || e->type != type)
		fail_msg("%s: %u.%u, %u bytes, type %d", label, e->pen, e->id, e->len,
		    e->type);
}

/* What must hold of every layout. */
static void
check_layout(const struct layout *l, unsigned family, int version)
{
	unsigned len = 0;
	bool varlen = false;

	assert_in_range(l->n, 1, TEMPLATE_FIELDS_MAX);
	for (unsigned i = 0; i < l->n; i++) {
		const struct template_field *e = &l->v[i];

		assert_non_null(e->field->get);
		assert_true(e->field->family == 0 || e->field->family == family);
		assert_true(e->len > 0);
		varlen |= e->len == FIELD_VARLEN;
		len += e->len == FIELD_VARLEN ? 1 : e->len;
		if (version == 9)
			assert_int_equal(e->pen, 0);
		else
			assert_true(e->id < 0x8000 && e->type != FIELD_UPTIME);
		for (unsigned k = 0; k < i; k++)
			if (l->v[k].pen == e->pen && l->v[k].id == e->id)
				fail_msg("%s twice", e->field->label);
	}
	assert_int_equal(l->fixed_len, len);
	assert_int_equal(l->has_varlen, varlen);
	if (version != 10)
		assert_false(varlen);
}

static void
test_default(void **state)
{
	(void)state;
	parse("@DEFAULT@", 10, BIFLOW_NTOP);
	assert_true(t.biflow);
	assert_int_equal(t.need, FIELD_NEED_NOTHING);
	assert_int_equal(t.n, 16);
	check_layout(&t.ip4, 4, 10);
	check_layout(&t.ip6, 6, 10);
	assert_int_equal(t.ip4.n, 14);
	assert_int_equal(t.ip4.fixed_len, 57);
	assert_int_equal(t.ip6.fixed_len, 57 + 24);
	check(&t.ip4, "IPV4_SRC_ADDR", 0, 8, 4, FIELD_IP4);
	check(&t.ip6, "IPV6_DST_ADDR", 0, 28, 16, FIELD_IP6);
	check(&t.ip4, "IN_BYTES", 0, 1, 8, FIELD_UINT);
	check(&t.ip4, "OUT_BYTES", 0, 23, 8, FIELD_UINT);
	check(&t.ip4, "IN_PKTS", 0, 2, 4, FIELD_UINT);
	check(&t.ip4, "FIRST_SWITCHED", 0, 152, 8, FIELD_MILLIS);
	check(&t.ip4, "LAST_SWITCHED", 0, 153, 8, FIELD_MILLIS);
	check(&t.ip4, "TCP_FLAGS", 0, 6, 2, FIELD_UINT);
	parse("@DEFAULT@", 9, BIFLOW_NTOP);
	check_layout(&t.ip4, 4, 9);
	check_layout(&t.ip6, 6, 9);
	check(&t.ip4, "FIRST_SWITCHED", 0, 22, 4, FIELD_UPTIME);
	check(&t.ip4, "TCP_FLAGS", 0, 6, 1, FIELD_UINT);
	parse("%TOTAL_BYTES_EXP", 10, BIFLOW_NTOP); /* unsigned64 with IANA */
	check(&t.ip4, "TOTAL_BYTES_EXP", 0, 40, 8, FIELD_UINT);
	parse("@DEFAULT@", 9, BIFLOW_NTOP);
	assert_int_equal(t.ip4.fixed_len, 48);
}

static void
test_rfc5103(void **state)
{
	(void)state;
	parse("%IN_BYTES %OUT_BYTES %OUT_PKTS %SRC_TOS %DST_TOS %SERVER_TCP_FLAGS", 10,
	    BIFLOW_RFC5103);
	assert_true(t.biflow);
	check_layout(&t.ip4, 4, 10);
	check(&t.ip4, "IN_BYTES", 0, 1, 8, FIELD_UINT);
	check(&t.ip4, "OUT_BYTES", 29305, 1, 8, FIELD_UINT);
	check(&t.ip4, "OUT_PKTS", 29305, 2, 4, FIELD_UINT);
	check(&t.ip4, "DST_TOS", 29305, 5, 1, FIELD_UINT);
	check(&t.ip4, "SERVER_TCP_FLAGS", 35632, 79, 1, FIELD_UINT);
	check(&t.ip4, "BIFLOW_DIRECTION", 0, 239, 1, FIELD_UINT);
	assert_int_equal(t.n, 6); /* JSON has what was asked for */
	/* Only IPFIX knows reverse elements. */
	parse("%IN_BYTES %OUT_BYTES", 9, BIFLOW_RFC5103);
	assert_true(t.biflow);
	check(&t.ip4, "OUT_BYTES", 0, 23, 8, FIELD_UINT);
	assert_int_equal(t.ip4.n, 2);
}

static void
test_uniflow(void **state)
{
	(void)state;
	parse("%IN_BYTES %OUT_BYTES %SERVER_TCP_FLAGS %IN_PKTS %DST_TOS", 10,
	    BIFLOW_UNI);
	assert_false(t.biflow);
	assert_int_equal(t.ip4.n, 2);
	assert_null(element(&t.ip4, "OUT_BYTES"));
	/* Without a count of the way back a record is one direction, in any mode. */
	parse("%IN_BYTES %IN_PKTS %DST_TOS", 10, BIFLOW_RFC5103);
	assert_false(t.biflow);
	check(&t.ip4, "DST_TOS", 0, 55, 1, FIELD_UINT);
	assert_null(element(&t.ip4, "BIFLOW_DIRECTION"));
	parse("%initiatorOctets %responderOctets", 10, BIFLOW_NTOP);
	assert_true(t.biflow);
	parse("%IN_PKTS %OUT_PKTS", 5, BIFLOW_NTOP);
	assert_true(t.biflow);
	assert_int_equal(-1,
	    template_parse(&t, "%OUT_PKTS", 10, BIFLOW_UNI, true, err, sizeof(err)));
}

/* A field of the other family gives way to its twin, or goes. */
static void
test_families(void **state)
{
	struct flow f4 = {.key.ip_version = 4}, f6 = {.key.ip_version = 6};

	(void)state;
	parse("%IPV4_SRC_ADDR %PROTOCOL %ICMP_TYPE", 9, BIFLOW_NTOP);
	check(&t.ip4, "IPV4_SRC_ADDR", 0, 8, 4, FIELD_IP4);
	check(&t.ip6, "IPV6_SRC_ADDR", 0, 27, 16, FIELD_IP6);
	check(&t.ip6, "ICMP_IPV6_TYPE_CODE", 0, 139, 2, FIELD_UINT);
	assert_int_equal(t.ip6.n, 3);
	/* In the order given. */
	assert_ptr_equal(t.ip6.v[0].field, field_find("IPV6_SRC_ADDR"));
	parse("%IPV6_SRC_ADDR %IPV4_SRC_ADDR %PROTOCOL", 9, BIFLOW_NTOP);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.ip4.n, 2);
	assert_int_equal(t.ip6.n, 2);
	assert_ptr_equal(template_layout(&t, &f4), &t.ip4);
	assert_ptr_equal(template_layout(&t, &f6), &t.ip6);
}

static void
test_text(void **state)
{
	(void)state;
	parse("  %IN_BYTES,%octetDeltaCount\t%in_bytes\n%PROTOCOL ,", 9, BIFLOW_NTOP);
	assert_int_equal(t.n, 2);
	assert_string_equal(t.field[0]->label, "IN_BYTES");
	assert_string_equal(t.field[1]->label, "PROTOCOL");
	parse("%L7_PROTO @DEFAULT@ %IN_BYTES %MPLS_LABEL_1", 9, BIFLOW_NTOP);
	assert_int_equal(t.n, 18);
	assert_string_equal(t.field[0]->label, "L7_PROTO");
	assert_int_equal(t.need, FIELD_NEED_DPI);
	check(&t.ip4, "L7_PROTO", 0, 57590, 2, FIELD_UINT);
	check(&t.ip4, "MPLS_LABEL_1", 0, 70, 3, FIELD_UINT);
	parse("%SRC_FRAGMENTS", 9, BIFLOW_NTOP);
	assert_int_equal(t.need, FIELD_NEED_STATISTICS);
}

/* A time twice under one number is sent once. */
static void
test_times(void **state)
{
	(void)state;
	parse("%FIRST_SWITCHED %FLOW_START_MILLISECONDS %LAST_SWITCHED", 10,
	    BIFLOW_NTOP);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.ip4.n, 2);
	parse("%FIRST_SWITCHED %FLOW_START_MILLISECONDS %LAST_SWITCHED", 9,
	    BIFLOW_NTOP);
	assert_int_equal(t.ip4.n, 3);
	parse("%flowStartMicroseconds", 10, BIFLOW_NTOP);
	check(&t.ip4, "FLOW_START_MICROSECONDS", 0, 154, 8, FIELD_MICROS);
}

static void
test_strings(void **state)
{
	(void)state;
	parse("%L7_PROTO_NAME %TLS_SERVER_NAME %PROTOCOL %APPLICATION_ID", 10,
	    BIFLOW_NTOP);
	check(&t.ip4, "L7_PROTO_NAME", 35632, 119, FIELD_VARLEN, FIELD_STRING);
	check(&t.ip4, "APPLICATION_ID", 0, 95, 7, FIELD_OCTETS);
	assert_true(t.ip4.has_varlen);
	assert_int_equal(t.ip4.fixed_len, 1 + 1 + 1 + 7);
	parse("%L7_PROTO_NAME %TLS_SERVER_NAME", 9, BIFLOW_NTOP);
	check(&t.ip4, "TLS_SERVER_NAME", 0, 57660, 48, FIELD_STRING);
	assert_false(t.ip4.has_varlen);
	assert_int_equal(t.ip4.fixed_len, 64);
}

static void
test_macros(void **state)
{
	unsigned all;

	(void)state;
	parse("@NTOPNG@", 9, BIFLOW_NTOP);
	check_layout(&t.ip4, 4, 9);
	check_layout(&t.ip6, 6, 9);
	assert_int_equal(t.need, FIELD_NEED_DPI | FIELD_NEED_DPI_WHOLE | FIELD_NEED_STATISTICS);
	assert_non_null(element(&t.ip4, "CLIENT_NW_LATENCY_MS"));
	assert_true(t.biflow);
	parse("@ALL@", 10, BIFLOW_NTOP);
	all = t.n;
	assert_true(all > 170);
	check_layout(&t.ip4, 4, 10);
	check_layout(&t.ip6, 6, 10);
	parse("@all@ @NTOPNG@ @DEFAULT@", 9, BIFLOW_RFC5103);
	assert_int_equal(t.n, all);
	check_layout(&t.ip4, 4, 9);
	check_layout(&t.ip6, 6, 9);
	/* Without nDPI a macro's fields that need it are left out. */
	assert_int_equal(
	    template_parse(&t, "@ALL@", 10, BIFLOW_NTOP, false, err, sizeof(err)), 0);
	assert_true(t.n < all);
	assert_int_equal(t.need, FIELD_NEED_STATISTICS);
	for (unsigned i = 0; template_macros[i][0] != NULL; i++)
		assert_int_equal(0,
		    template_parse(&t, template_macros[i][0], 10, BIFLOW_UNI, false,
			err, sizeof(err)));
}

static void
test_errors(void **state)
{
	char longer[400];

	(void)state;
	refuse("%PROTOCOL %IN_BITES", true,
	    "unknown field %IN_BITES; did you mean %IN_BYTES?");
	assert_string_equal(err, "unknown field %IN_BITES; did you mean %IN_BYTES?");
	refuse("%HOW_WOULD_I_KNOW_THIS", true, "--fields");
	refuse("%SRC_PROC_NAME", true,
	    "%SRC_PROC_NAME cannot be filled: needs an agent");
	refuse("%bgpSourceAsNumber", true, "%SRC_AS cannot be filled");
	refuse("%L7_PROTO", false, "%L7_PROTO needs nDPI");
	refuse("IN_BYTES", true, "did you mean %IN_BYTES?");
	refuse("something", true, "\"something\" is neither");
	refuse("@DNS@", true, "unknown macro @DNS@");
	refuse("@DEFUALT@", true, "did you mean @DEFAULT@?");
	refuse("", true, "no fields");
	refuse(" , ", true, "no fields");
	refuse("%", true, "unknown field %");
	refuse("@", true, "unknown macro @");
	memset(longer, 'X', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	longer[0] = '%';
	refuse(longer, true, "unknown field %XXX");
	/* A short buffer is not written over. */
	memset(err, '#', sizeof(err));
	assert_int_equal(template_parse(&t, "%NO", 10, BIFLOW_NTOP, true, err, 8), -1);
	assert_int_equal(strlen(err), 7);
	assert_int_equal(err[8], '#');
}

static void
test_print(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	parse("%IN_BYTES %L7_PROTO_NAME %FIRST_SWITCHED", 10, BIFLOW_NTOP);
	template_print(&t, 257, f);
	fclose(f);
	assert_non_null(strstr(text, "template 257, IPv4: 3 fields, at least 17 b"));
	assert_non_null(strstr(text, "template 258, IPv6"));
	assert_non_null(strstr(text, "     0  1                8  %IN_BYTES\n"));
	assert_non_null(strstr(text, "     8  35632.119      var  %L7_PROTO_NAME\n"));
	assert_non_null(strstr(text, "     9+ 152              8  %FIRST_SWITCHED\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_rfc5103),
		cmocka_unit_test(test_uniflow),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
