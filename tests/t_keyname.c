/* SPDX-License-Identifier: BSD-3-Clause */
/* t_keyname.c -- names of keys: what goes in comes back, what is hostile does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowkey.h"
#include "keyname.h"
#include "packet.h"

/* Room of exactly what the header asks for: one byte more is a finding. */
static void
part_is(const char *bytes, size_t len, const char *want)
{
	char *to = malloc(KEYNAME_PART + 1);

	assert_int_equal(keyname_part(to, bytes, len), strlen(want));
	assert_string_equal(to, want);
	free(to);
}

static void
test_part(void **state)
{
	(void)state;
	part_is("", 0, "");
	part_is("www.example.com", 15, "www.example.com");
	part_is("a*b?c[d]e\\f", 11, "a%2Ab%3Fc%5Bd%5De%5Cf");
	part_is("100% sure\t\r\n", 12, "100%25%20sure%09%0D%0A");
	part_is("nul\0nul\x7f", 8, "nul%00nul%7F");
	part_is("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14,
	    "caf\xc3\xa9%20\xe2\x82\xac%20\xf0\x9f\x98\x80");
	part_is("\xc3", 1, "%C3"); /* cut */
	part_is("\xe2\x82", 2, "%E2%82");
	part_is("\xc0\x80", 2, "%C0%80"); /* overlong */
	part_is("\xe0\x80\x80", 3, "%E0%80%80");
	part_is("\xf0\x80\x80\x80", 4, "%F0%80%80%80");
	part_is("\xed\xa0\x80", 3, "%ED%A0%80");        /* a surrogate */
	part_is("\xf4\x90\x80\x80", 4, "%F4%90%80%80"); /* beyond U+10FFFF */
	part_is("\xff\xfe", 2, "%FF%FE");
	part_is("\x80", 1, "%80");
	part_is("\xc2\x85", 2, "%C2%85"); /* a control character of two bytes */
}

static void
test_part_cut(void **state)
{
	char in[400], want[KEYNAME_PART + 1];
	unsigned i;

	(void)state;
	memset(in, 'a', sizeof(in));
	memset(want, 'a', sizeof(want));
	want[KEYNAME_PART] = '\0';
	part_is(in, sizeof(in), want);
	/* an escape, a character, where there is no room for all of it */
	for (i = 1; i < 3; i++) {
		memset(in, 'a', sizeof(in));
		in[KEYNAME_PART - i] = '*';
		want[KEYNAME_PART - i] = '\0';
		part_is(in, sizeof(in), want);
		memcpy(in + KEYNAME_PART - i, "\xe2\x82\xac", 3);
		part_is(in, sizeof(in), want);
	}
	memset(in, 'a', sizeof(in));
	memcpy(in + KEYNAME_PART - 3, "\xe2\x82\xac", 3);
	memcpy(want + KEYNAME_PART - 3, "\xe2\x82\xac", 4);
	part_is(in, sizeof(in), want);
}

/* TEXT is an address and its name is WANT. */
static void
addr_is(const char *text, const char *want)
{
	char name[KEYNAME_ADDR];
	uint8_t a[16], b[16];

	assert_int_equal(keyname_read_addr(a, text, strlen(text)), 0);
	assert_int_equal(keyname_addr(name, a), strlen(want));
	assert_string_equal(name, want);
	assert_int_equal(keyname_read_addr(b, name, strlen(name)), 0);
	assert_memory_equal(a, b, 16);
}

static void
test_addr(void **state)
{
	static const uint8_t ten[16] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 200, 7};
	uint8_t a[16];

	(void)state;
	assert_int_equal(keyname_read_addr(a, "10.0.200.7", 10), 0);
	assert_memory_equal(a, ten, 16);
	addr_is("0.0.0.0", "0.0.0.0");
	addr_is("255.255.255.255", "255.255.255.255");
	addr_is("::ffff:1.2.3.4", "1.2.3.4");
	addr_is("::FFFF:102:304", "1.2.3.4");
	addr_is("::", "::");
	addr_is("::1", "::1");
	addr_is("1::", "1::");
	/* RFC 5952 §4 */
	addr_is("2001:DB8:0:0:0:0:2:1", "2001:db8::2:1");
	addr_is("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
	addr_is("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
	addr_is("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
	addr_is("0:0:1:2:3:4:5:6", "::1:2:3:4:5:6");
	addr_is("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::");
	addr_is("fe80::0abc:00de:f", "fe80::abc:de:f");
}

static void
test_addr_junk(void **state)
{
	static const char *const junk[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1",
	    "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", ":::", "1::2::3",
	    "12345::", "g::", "::1%lo", "other", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
	    "::ffff:1.2.3", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
	uint8_t a[16], before[16];
	size_t i;

	(void)state;
	memset(a, 0xa5, sizeof(a));
	memcpy(before, a, sizeof(a));
	for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		if (keyname_read_addr(a, junk[i], strlen(junk[i])) != -1)
			fail_msg("%s", junk[i]);
	assert_int_equal(keyname_read_addr(a, "1.2.3.4\0", 8), -1);
	assert_memory_equal(a, before, 16);
	/* the length counts, not what stands behind */
	assert_int_equal(keyname_read_addr(a, "1.2.3.456", 8), 0);
	assert_int_equal(a[15], 45);
}

/* Any address: as inet_ntop() has it, but for its dotted form of "::a.b.c.d". */
static void
test_addr_any(void **state)
{
	char *name = malloc(KEYNAME_ADDR), want[INET6_ADDRSTRLEN];
	uint8_t a[16], back[16];
	unsigned i, j;

	(void)state;
	srandom(1);
	for (i = 0; i < 20000; i++) {
		for (j = 0; j < 16; j++)
			a[j] = (uint8_t)(random() & random() & random() & random());
		if (i % 3 == 0)
			memset(a + random() % 16, 0, 1);
		if (memcmp(a, "\0\0\0\0\0\0\0\0\0\0\0", 12) == 0 && i % 2)
			continue;
		keyname_addr(name, a);
		assert_int_equal(keyname_read_addr(back, name, strlen(name)), 0);
		assert_memory_equal(a, back, 16);
		inet_ntop(AF_INET6, a, want, sizeof(want));
		if (strchr(want, '.') == NULL)
			assert_string_equal(name, want);
	}
	free(name);
}

static void
test_mac_proto(void **state)
{
	char *mac = malloc(18), name[16];
	unsigned i;

	(void)state;
	assert_int_equal(
	    keyname_mac(mac, (const uint8_t *)"\x00\x1b\xFF\x0a\x90\x01"), 17);
	assert_string_equal(mac, "00:1b:ff:0a:90:01");
	free(mac);
	assert_int_equal(keyname_proto(name, 6), 3);
	assert_string_equal(name, "tcp");
	keyname_proto(name, 17);
	assert_string_equal(name, "udp");
	keyname_proto(name, 1);
	assert_string_equal(name, "icmp");
	keyname_proto(name, 253);
	assert_string_equal(name, "253");
	keyname_proto(name, 0);
	assert_string_equal(name, "0");
	for (i = 0; i < 256; i++) {
		size_t len = keyname_proto(name, (uint8_t)i);

		assert_int_equal(len, strlen(name));
	}
}

/* A key as flowkey_make() makes it of a packet with these numbers. */
static struct flowkey
make(const char *src, unsigned sport, const char *dst, unsigned dport, unsigned proto,
    unsigned vlan, uint32_t sub, unsigned *client)
{
	struct packet p = {.proto = (uint8_t)proto,
	    .sport = (uint16_t)sport,
	    .dport = (uint16_t)dport,
	    .vlan = (uint16_t)vlan};
	struct flowkey key;

	p.ip_version = strchr(src, ':') != NULL ? 6 : 4;
	assert_int_equal(keyname_read_addr(p.src, src, strlen(src)), 0);
	assert_int_equal(keyname_read_addr(p.dst, dst, strlen(dst)), 0);
	*client = flowkey_make(&key, &p, FLOWKEY_DEFAULT);
	key.sub = sub;
	return key;
}

static void
flow_is(const struct flowkey *key, unsigned client, const char *want)
{
	char *name = malloc(KEYNAME_FLOW);
	struct flowkey back;

	memset(&back, 0x5a, sizeof(back));
	assert_int_equal(keyname_flow(name, key, client), strlen(want));
	assert_string_equal(name, want);
	assert_int_equal(keyname_read_flow(&back, name, strlen(name)), 0);
	assert_memory_equal(&back, key, sizeof(back));
	keyname_flow(name, key, !client);
	assert_int_equal(keyname_read_flow(&back, name, strlen(name)), 0);
	assert_memory_equal(&back, key, sizeof(back));
	free(name);
}

static void
test_flow(void **state)
{
	struct flowkey key;
	unsigned c;

	(void)state;
	key = make("10.0.0.9", 40000, "10.0.0.1", 80, 6, 0, 0, &c);
	flow_is(&key, c, "flow.tcp.10.0.0.9.40000-10.0.0.1.80");
	key = make("10.0.0.1", 5353, "224.0.0.251", 5353, 17, 7, 12, &c);
	flow_is(&key, c, "flow.udp.10.0.0.1.5353-224.0.0.251.5353@7#12");
	key = make("10.0.0.1", 9, "10.0.0.1", 3, 17, 0, UINT32_MAX, &c);
	flow_is(&key, c, "flow.udp.10.0.0.1.9-10.0.0.1.3#4294967295");
	key = make("2001:db8::1", 0, "fe80::2", 0, 58, 4094, 0, &c);
	flow_is(&key, c, "flow.ipv6-icmp.2001:db8::1.0-fe80::2.0@4094");
	key = make("::1", 65535, "::", 65535, 200, 65535, 1, &c);
	flow_is(&key, c, "flow.200.::1.65535-::.65535@65535#1");
	key = make("1111:2222:3333:4444:5555:6666:7777:8888", 65535,
	    "9999:aaaa:bbbb:cccc:dddd:eeee:ffff:aaaa", 65535, 58, 65535, UINT32_MAX,
	    &c);
	flow_is(&key, c,
	    "flow.ipv6-icmp.1111:2222:3333:4444:5555:6666:7777:8888.65535-"
	    "9999:aaaa:bbbb:cccc:dddd:eeee:ffff:aaaa.65535@65535#4294967295");
	/* by number what has a name */
	assert_int_equal(keyname_read_flow(&key, "flow.6.1.1.1.1.1-2.2.2.2.2", 26), 0);
	assert_int_equal(key.proto, 6);
}

static void
test_flow_junk(void **state)
{
	static const char *const junk[] = {"", "flow", "flow.", "flow.tcp", "flow.tcp.",
	    "flow.tcp.1.1.1.1.1", "flow.tcp.1.1.1.1.1-", "flow.tcp.1.1.1.1.1-2.2.2.2",
	    "flow.tcp.1.1.1.1.1-2.2.2.2.65536", "flow.tcp.1.1.1.1.-1-2.2.2.2.2",
	    "flow.tcp.1.1.1.1.01-2.2.2.2.2", "flow.tcp.1.1.1.1.1-::1.2",
	    "flow.xyz.1.1.1.1.1-2.2.2.2.2", "flow.256.1.1.1.1.1-2.2.2.2.2",
	    "flow..1.1.1.1.1-2.2.2.2.2", "flow.tcp.1.1.1.1.1-2.2.2.2.2@",
	    "flow.tcp.1.1.1.1.1-2.2.2.2.2#", "flow.tcp.1.1.1.1.1-2.2.2.2.2@65536",
	    "flow.tcp.1.1.1.1.1-2.2.2.2.2#4294967296",
	    "flow.tcp.1.1.1.1.1-2.2.2.2.2#1@1", "flow.tcp.1.1.1.1.1-2.2.2.2.2@1@2",
	    "flow.tcp.1.1.1.1.1-2.2.2.2.2 ", "flow.tcp.1.1.1.1.1-2.2.2.2.2-3.3.3.3.3",
	    "flux.tcp.1.1.1.1.1-2.2.2.2.2", "flow.tcp.1.1.1.1.1-2.2.2.2.2@1#1#1"};
	struct flowkey key;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		if (keyname_read_flow(&key, junk[i], strlen(junk[i])) != -1)
			fail_msg("%s", junk[i]);
}

/* Every cut, and a good name with random bytes in it: nothing is read outside. */
static void
test_flow_hostile(void **state)
{
	static const char good[] = "flow.udp.2001:db8::17.5353-fe80::251.5353@7#12";
	const size_t len = sizeof(good) - 1;
	struct flowkey key, again;
	char name[KEYNAME_FLOW];
	unsigned i;
	size_t n;

	(void)state;
	srandom(2);
	for (i = 0; i < 50000; i++) {
		n = i <= len ? i : (size_t)random() % len + 1;
		char *copy = malloc(n + 1); /* N may be 0 */

		memcpy(copy, good, n);
		if (i > len)
			copy[(size_t)random() % n] = (char)random();
		if (i > 2 * len)
			copy[(size_t)random() % n] = ".-@#:0f"[random() % 7];
		char *exact = realloc(copy, n > 0 ? n : 1);

		if (keyname_read_flow(&key, exact, n) == 0) {
			keyname_flow(name, &key, (unsigned)random() & 1);
			assert_int_equal(
			    keyname_read_flow(&again, name, strlen(name)), 0);
			assert_memory_equal(&key, &again, sizeof(key));
		}
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_part),
	    cmocka_unit_test(test_part_cut),
	    cmocka_unit_test(test_addr),
	    cmocka_unit_test(test_addr_junk),
	    cmocka_unit_test(test_addr_any),
	    cmocka_unit_test(test_mac_proto),
	    cmocka_unit_test(test_flow),
	    cmocka_unit_test(test_flow_junk),
	    cmocka_unit_test(test_flow_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
