/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_communityid.c -- published answers of the Community ID specification's baseline,
 * version 1, seed 0; and what must not change them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "communityid.h"

struct answer {
	const char *src, *dst;
	uint8_t proto;
	uint16_t sport, dport; /* of ICMP: type and code */
	const char *id;
};

static const struct answer answers[] = {
    {"128.232.110.120", "66.35.250.204", 6, 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
    {"66.35.250.204", "128.232.110.120", 6, 80, 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
    {"192.168.1.52", "8.8.8.8", 17, 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
    {"192.168.170.8", "192.168.170.56", 132, 7, 80, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
    {"192.168.0.89", "192.168.0.1", 1, 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
    {"192.168.0.1", "192.168.0.89", 1, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
    {"fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 58, 135, 0,
	"1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
    {"fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 58, 136, 0,
	"1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
    {"fe80::260:97ff:fe07:69ea", "ff02::1", 58, 134, 0, "1:pkvHqCL88/tg1k4cPigmZXUtL00="},
    /* one way: not ordered, type and code */
    {"192.168.0.89", "192.168.0.1", 1, 20, 0, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="},
    {"192.168.0.89", "192.168.0.1", 1, 20, 1, "1:tz/fHIDUHs19NkixVVoOZywde+I="},
    {"3ffe:501:0:1802:260:97ff:feb6:7ff0", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 3, 0,
	"1:bnQKq8A2r//dWnkRW2EYcMhShjc="},
};

static void
read_addr(uint8_t *to, const char *text)
{
	memset(to, 0, 16);
	if (strchr(text, ':') != NULL) {
		assert_int_equal(inet_pton(AF_INET6, text, to), 1);
		return;
	}
	to[10] = to[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, to + 12), 1);
}

/* A flow whose first packet is the answer's, with its key as the flow table has it. */
static void
make_flow(struct flow *f, const struct answer *a)
{
	uint8_t src[16], dst[16];
	bool icmp = a->proto == 1 || a->proto == 58;
	unsigned d;

	memset(f, 0, sizeof(*f));
	read_addr(src, a->src);
	read_addr(dst, a->dst);
	d = memcmp(src, dst, 16) > 0;
	memcpy(f->key.addr[d], src, 16);
	memcpy(f->key.addr[!d], dst, 16);
	f->key.ip_version = strchr(a->src, ':') != NULL ? 6 : 4;
	f->key.proto = a->proto;
	f->packets[d] = 1;
	if (d == 1)
		f->flags |= FLOW_FIRST_IS_1;
	if (icmp) {
		f->icmp_type[d] = (uint8_t)a->sport;
		f->icmp_code[d] = (uint8_t)a->dport;
	} else {
		f->key.port[d] = a->sport;
		f->key.port[!d] = a->dport;
	}
}

static void
test_answers(void **state)
{
	char id[COMMUNITYID_MAX];
	struct flow f;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		make_flow(&f, &answers[i]);
		assert_int_equal(communityid(id, &f), 30);
		assert_string_equal(id, answers[i].id);
		/* what it is no part of, and an answer in the other direction */
		f.key.vlan = 7;
		f.key.sub = 9;
		f.flags |= FLOW_CLIENT_IS_1;
		f.packets[0]++;
		f.packets[1]++;
		communityid(id, &f);
		assert_string_equal(id, answers[i].id);
	}
}

/* After the active timeout the side that came first may be silent. */
static void
test_silent(void **state)
{
	char id[COMMUNITYID_MAX];
	struct flow f;

	(void)state;
	make_flow(&f, &answers[5]);
	f.flags ^= FLOW_FIRST_IS_1;
	assert_int_equal(communityid(id, &f), 30);
	assert_string_equal(id, answers[5].id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
