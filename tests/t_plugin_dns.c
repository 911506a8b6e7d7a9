/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_plugin_dns.c -- DNS messages as bytes: names that are compressed, loop, lie and are
 * too long, every truncation of a message. Then transactions, fed to the plugin by the
 * rig: what is paired with what, what is reported when, keys and fields, over UDP and
 * over TCP however it is cut.
 * Longer than 800 lines: the protocol has as many cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../plugins/dns_wire.h"
#include "plugin_rig.h"

#define SECOND UINT64_C(1000000)
#define SMALL  "pending=256" /* sanitizers clear much memory slowly */

extern const struct mc_plugin mc_plugin_dns;

/* --- messages --- */

struct bytes {
	uint8_t p[8192];
	size_t len;
};

static void
put16(struct bytes *b, unsigned v)
{
	b->p[b->len++] = (uint8_t)(v >> 8);
	b->p[b->len++] = (uint8_t)v;
}

static void
put(struct bytes *b, const void *p, size_t n)
{
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

/* "www.example.com", "" or "." the root; with a pointer instead of its end if TO is not 0. */
static void
put_name(struct bytes *b, const char *name, unsigned to)
{
	size_t n;

	while (*name != '\0' && strcmp(name, ".") != 0) {
		n = strcspn(name, ".");
		b->p[b->len++] = (uint8_t)n;
		put(b, name, n);
		name += n + (name[n] == '.');
	}
	if (to != 0)
		put16(b, 0xc000 | to);
	else
		b->p[b->len++] = 0;
}

static void
header(
    struct bytes *b, unsigned id, unsigned flags, unsigned qd, unsigned an, unsigned ar)
{
	b->len = 0;
	put16(b, id);
	put16(b, flags);
	put16(b, qd);
	put16(b, an);
	put16(b, 0);
	put16(b, ar);
}

static void
question(struct bytes *b, unsigned id, unsigned flags, const char *name, unsigned type)
{
	header(b, id, flags, 1, 0, 0);
	put_name(b, name, 0);
	put16(b, type);
	put16(b, 1);
}

/* A record of the name at 12. COUNT: which of the header's counts it adds to. */
static void
record(struct bytes *b, unsigned count, unsigned type, uint32_t ttl, const void *data,
    size_t n)
{
	put16(b, 0xc00c);
	put16(b, type);
	put16(b, 1);
	put16(b, ttl >> 16);
	put16(b, ttl & 0xffff);
	put16(b, (unsigned)n);
	put(b, data, n);
	b->p[4 + 2 * count + 1]++;
}

static void
opt(struct bytes *b, unsigned extended)
{
	uint8_t rr[11] = {0, 0, 41, 0x04, 0xd0, (uint8_t)extended};

	put(b, rr, sizeof(rr));
	b->p[11]++;
}

/* www.example.com: a CNAME, then two addresses. */
static void
answer(struct bytes *b, unsigned id, unsigned flags)
{
	question(b, id, 0x8180 | flags, "www.example.com", 1);
	record(b, 1, 5, 600, "\3cdn\xc0\x10", 6);
	record(b, 1, 1, 300, "\xc0\0\2\1", 4);
	record(b, 1, 1, 300, "\xc0\0\2\2", 4);
}

static bool
parse(struct dns_message *m, const struct bytes *b)
{
	uint8_t *p = malloc(b->len > 0 ? b->len : 1);
	bool ok;

	memcpy(p, b->p, b->len);
	ok = dns_parse(m, p, b->len, b->len);
	free(p);
	return ok;
}

/* --- the wire --- */

static const char *
text_of(const void *wire, size_t len, bool lower)
{
	static char buf[DNS_NAME_TEXT];
	size_t n = dns_name_text(buf, sizeof(buf), wire, len, lower);

	assert_int_equal(n, strlen(buf));
	return buf;
}

static void
names_as_text(void **state)
{
	char small[8];
	uint8_t odd[DNS_NAME_MAX] = {0};

	(void)state;
	assert_string_equal(text_of("\0", 1, false), ".");
	assert_string_equal(text_of("", 0, false), "");
	assert_string_equal(text_of("\3wWw\2Eu", 8, false), "wWw.Eu");
	assert_string_equal(text_of("\3wWw\2Eu", 8, true), "www.eu");
	assert_string_equal(text_of("\4a\\ b\1\x7f", 8, false), "a\\\\ b.\\127");
	assert_string_equal(text_of("\3a\0b", 5, false), "a\\000b");
	assert_string_equal(text_of("\2\xc3\xa9", 4, true), "\xc3\xa9");
	/* the longest there is */
	for (unsigned i = 0; i < 4; i++)
		odd[64 * i] = i < 3 ? 63 : 61;
	assert_int_equal(strlen(text_of(odd, DNS_NAME_MAX, false)), 4 * 250 + 3);
	/* cut, never within an escape */
	assert_int_equal(
	    dns_name_text(small, sizeof(small), odd, DNS_NAME_MAX, false), 4);
	assert_string_equal(small, "\\000");
	assert_int_equal(
	    dns_name_text(small, 4, (const uint8_t *)"\5abcde", 7, false), 3);
	assert_int_equal(dns_name_text(small, 1, (const uint8_t *)"\0", 1, false), 0);
	assert_true(
	    dns_name_equal((const uint8_t *)"\1A", 3, (const uint8_t *)"\1a", 3));
	assert_false(
	    dns_name_equal((const uint8_t *)"\1[", 3, (const uint8_t *)"\1{", 3));
	assert_false(
	    dns_name_equal((const uint8_t *)"\1a", 3, (const uint8_t *)"\1a", 2));
}

static int
read_name(const char *bytes, size_t len, size_t at, struct dns_name *name)
{
	uint8_t *p = malloc(len);
	int rc;

	memcpy(p, bytes, len);
	rc = dns_name_read(name, p, len, at);
	free(p);
	return rc;
}

static void
names_are_expanded(void **state)
{
	struct dns_name n;
	uint8_t chain[2000];
	unsigned i;

	(void)state;
	assert_int_equal(read_name("\1a\0\1b\xc0\0", 7, 3, &n), 0);
	assert_string_equal(text_of(n.wire, n.len, false), "b.a");
	assert_int_equal(read_name("\0\xc0\0", 3, 1, &n), 0);
	assert_int_equal(n.len, 1);
	/* to itself, forward, in a ring, beyond, half of one, of other kinds */
	assert_int_equal(read_name("\1a\xc0\2", 4, 0, &n), DNS_NAME_BAD);
	assert_int_equal(n.len, 0);
	assert_int_equal(read_name("\xc0\2\1a\0", 5, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\1a\xc0\4\1b\xc0\0", 8, 4, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\xc0\xff", 2, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\1a\xc0", 3, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\x41" "a\0", 3, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\x81" "a\0", 3, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\1a", 2, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\5a", 2, 0, &n), DNS_NAME_BAD);
	assert_int_equal(read_name("\1a\0", 3, 3, &n), DNS_NAME_BAD);
	/* pointers to pointers: some, and more than a name can have labels */
	chain[0] = 1;
	chain[1] = 'x';
	chain[2] = 0;
	for (i = 3; i + 1 < sizeof(chain); i += 2) {
		chain[i] = (uint8_t)(0xc0 | (i == 3 ? 0 : i - 2) >> 8);
		chain[i + 1] = (uint8_t)(i == 3 ? 0 : i - 2);
	}
	assert_int_equal(dns_name_read(&n, chain, sizeof(chain), 3 + 2 * 100), 0);
	assert_int_equal(
	    dns_name_read(&n, chain, sizeof(chain), 3 + 2 * 200), DNS_NAME_BAD);
}

static void
names_have_255_bytes(void **state)
{
	struct dns_name n;
	uint8_t p[300] = {0};

	(void)state;
	memset(p, 'x', sizeof(p));
	p[0] = p[64] = p[128] = 63;
	p[192] = 61;
	p[254] = 0;
	assert_int_equal(dns_name_read(&n, p, 255, 0), 0);
	assert_int_equal(n.len, 255);
	p[254] = 'x';
	p[192] = 62;
	p[255] = 0;
	assert_int_equal(dns_name_read(&n, p, 256, 0), DNS_NAME_LONG);
	assert_int_equal(n.len, 0);
}

static void
mnemonics(void **state)
{
	char text[DNS_MNEMONIC];
	static const struct {
		unsigned n;
		const char *name;
	} types[] = {{1, "A"}, {28, "AAAA"}, {65, "HTTPS"}, {255, "ANY"}, {0, "TYPE0"},
	    {54, "TYPE54"}, {32769, "DLV"}, {65535, "TYPE65535"}},
	  codes[] = {{0, "NOERROR"}, {3, "NXDOMAIN"}, {12, "RCODE12"},
	      {23, "BADCOOKIE"}, {4095, "RCODE4095"}};

	(void)state;
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		dns_type_name(text, (uint16_t)types[i].n);
		assert_string_equal(text, types[i].name);
	}
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		dns_rcode_name(text, (uint16_t)codes[i].n);
		assert_string_equal(text, codes[i].name);
	}
}

static void
a_message_is_read(void **state)
{
	struct dns_message m;
	struct bytes b;

	(void)state;
	answer(&b, 0x1234, 0);
	opt(&b, 0);
	assert_true(parse(&m, &b));
	assert_int_equal(m.id, 0x1234);
	assert_true(m.response && !m.malformed && m.has_ttl);
	assert_int_equal(m.question, DNS_QUESTION_OK);
	assert_int_equal(m.qtype, 1);
	assert_string_equal(
	    text_of(m.qname.wire, m.qname.len, false), "www.example.com");
	assert_string_equal(
	    text_of(m.owner.wire, m.owner.len, false), "www.example.com");
	assert_string_equal(m.response_text, "192.0.2.1,192.0.2.2");
	assert_int_equal(m.ttl, 300); /* the address's, not the alias's */
	assert_int_equal(m.naddrs, 2);
	assert_memory_equal(m.addrs[1], "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2", 16);
	/* the upper bits of the code: BADVERS */
	answer(&b, 1, 0);
	opt(&b, 1);
	assert_true(parse(&m, &b));
	assert_int_equal(m.rcode, 16);
	/* not of a query */
	question(&b, 1, 0x0100, "a", 1);
	opt(&b, 1);
	assert_true(parse(&m, &b));
	assert_int_equal(m.rcode, 0);
	assert_false(m.malformed);
}

static void
answers_as_text(void **state)
{
	static const uint8_t six[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
	struct dns_message m;
	struct bytes b;
	unsigned i;

	(void)state;
	question(&b, 1, 0x8180, "example.com", 15);
	record(&b, 1, 15, 60, "\0\x0a\2mx\xc0\x0c", 7);
	record(&b, 1, 33, 60, "\0\0\0\0\0\x35\1s\0", 9);
	record(&b, 1, 16, 60, "\3txt", 4);
	assert_true(parse(&m, &b));
	assert_string_equal(m.response_text, "mx.example.com,s");
	assert_int_equal(m.ttl, 60);
	question(&b, 1, 0x8180, "example.com", 28);
	record(&b, 1, 28, 60, six, 16);
	assert_true(parse(&m, &b));
	assert_string_equal(m.response_text, "2001:db8::1");
	/* what does not fit whole is left out */
	question(&b, 1, 0x8180, "example.com", 28);
	for (i = 0; i < 12; i++) {
		uint8_t a[16];

		memset(a, 0xab, 16);
		record(&b, 1, 28, 60, a, 16);
	}
	assert_true(parse(&m, &b));
	assert_int_equal(m.naddrs, DNS_ITEMS_MAX);
	assert_int_equal(strlen(m.response_text), 6 * 39 + 5);
	assert_int_equal(m.count[DNS_ANSWERS], 12);
	assert_false(m.malformed);
	/* of another class, e.g. version.bind */
	question(&b, 1, 0x8180, "a", 1);
	record(&b, 1, 1, 60, "\1\2\3\4", 4);
	b.p[b.len - 11] = 3;
	assert_true(parse(&m, &b));
	assert_int_equal(m.naddrs, 0);
}

static void
lies_are_malformed(void **state)
{
	struct dns_message m;
	struct bytes b;

	(void)state;
	header(&b, 1, 0x8180, 0, 1000, 0); /* records that are not there */
	assert_true(parse(&m, &b));
	assert_true(m.malformed);
	assert_int_equal(m.question, DNS_NO_QUESTION);
	question(&b, 1, 0x8180, "a", 1);
	record(&b, 1, 1, 1, "abc", 3); /* an address of 3 bytes */
	assert_true(parse(&m, &b));
	assert_true(m.malformed);
	question(&b, 1, 0x8180, "a", 1);
	record(&b, 1, 15, 1, "\0\1", 2); /* a mail exchanger without name */
	assert_true(parse(&m, &b));
	assert_true(m.malformed);
	question(&b, 1, 0x8180, "a", 5);
	record(&b, 1, 5, 1, "\xc0\xff", 2); /* an alias that points beyond */
	assert_true(parse(&m, &b));
	assert_true(m.malformed);
	assert_string_equal(m.response_text, "");
	header(&b, 1, 0x0100, 1, 0, 0);
	put(&b, "\xc0\x0c\0\1\0\1", 6); /* a question that loops: its type is there */
	assert_true(parse(&m, &b));
	assert_int_equal(m.question, DNS_QUESTION_LOOPS);
	assert_int_equal(m.qtype, 1);
	assert_int_equal(m.qname.len, 0);
	assert_true(m.malformed);
	header(&b, 1, 0x0100, 1, 0, 0);
	put(&b, "\1a\0\0\1", 5); /* without a class */
	assert_true(parse(&m, &b));
	assert_int_equal(m.question, DNS_NO_QUESTION);
	b.len = 11;
	assert_false(parse(&m, &b));
}

/* Each beginning: of a message, malformed; of one that was not captured whole, never. */
static void
every_truncation(void **state)
{
	struct dns_message m;
	struct bytes b, cut;

	(void)state;
	answer(&b, 7, 0);
	opt(&b, 1);
	for (cut.len = 0; cut.len < b.len; cut.len++) {
		memcpy(cut.p, b.p, cut.len);
		assert_int_equal(parse(&m, &cut), cut.len >= 12);
		if (cut.len < 12)
			continue;
		assert_true(m.malformed);
		assert_int_equal(m.question != DNS_NO_QUESTION, cut.len >= 33);
		assert_true(dns_parse(&m, cut.p, cut.len, b.len));
		assert_false(m.malformed);
		assert_int_equal(m.count[DNS_ANSWERS], 3);
	}
}

/* --- transactions --- */

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.53"

static struct rig_flow *
udp_flow(struct rig *r)
{
	return rig_flow(r, 17, CLIENT, 4000, SERVER, 53);
}

static void
send_bytes(struct rig_flow *f, uint8_t dir, uint64_t ts, const struct bytes *b)
{
	assert_int_equal(rig_send(f, dir, ts, b->p, b->len), MC_MORE);
}

static void
ask(struct rig_flow *f, uint64_t ts, unsigned id, const char *name)
{
	struct bytes b;

	question(&b, id, 0x0100, name, 1);
	send_bytes(f, 0, ts, &b);
}

static void
reply(struct rig_flow *f, uint64_t ts, unsigned id, const char *name, unsigned rcode)
{
	struct bytes b;

	question(&b, id, 0x8180 | rcode, name, 1);
	send_bytes(f, 1, ts, &b);
}

#define has_event(r, what) assert_non_null(strstr((r)->events, what))
#define value_is(r, key, field, v)                                               \
	do {                                                                     \
		const char *value_ = rig_value(r, key, field);                   \
		assert_non_null(value_);                                         \
		assert_string_equal(value_, v);                                  \
	} while (0)

static void
query_and_answer(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	struct bytes b;

	(void)state;
	ask(f, 90 * SECOND, 0x1234, "wWw.example.com");
	assert_string_equal(r->events, "");
	assert_int_equal(f->timer_us, 100 * SECOND);
	answer(&b, 0x1234, 0); /* in lower case: the same name */
	send_bytes(f, 1, 90 * SECOND + 25000, &b);
	assert_string_equal(r->events,
	    "{\"channel\":\"dns\",\"data\":{\"v\":1,\"probe\":\"rig\",\"ts\":90.000000,"
	    "\"proto\":\"udp\",\"src\":\"10.0.0.1\",\"sport\":4000,\"dst\":\"10.0.0."
	    "53\","
	    "\"dport\":53,\"service\":\"dns\",\"id\":4660,\"qname\":\"wWw.example."
	    "com\","
	    "\"qtype\":\"A\",\"qtypeId\":1,\"rcode\":\"NOERROR\",\"rcodeId\":0,"
	    "\"answers\":3,\"ttl\":300,\"response\":\"192.0.2.1,192.0.2.2\","
	    "\"retransmissions\":0,\"latencyUs\":25000}}\n");
	assert_int_equal(f->timer_us, 0);
	value_is(r, "ip.10.0.0.1", "dns.queries", "1");
	value_is(r, "ip.10.0.0.53", "dns.replies", "1");
	assert_null(rig_value(r, "ip.10.0.0.1", "dns.nxdomain"));
	value_is(r, "dns.client.10.0.0.1", "queries", "1");
	value_is(r, "dns.server.10.0.0.53", "noerror", "1");
	value_is(r, "dns.server.10.0.0.53", "latencyUsSum", "25000");
	value_is(r, "dns.domain.www.example.com", "queries", "1");
	value_is(r, "dns.domain.www.example.com", "latencyUsMax", "25000");
	value_is(r, "dns.qtype.A", "queries", "1");
	value_is(r, "dns.rcode.NOERROR", "queries", "1");
	value_is(r, "top.dns.domain.1", "www.example.com", "1");
	value_is(r, "dns.cache.192.0.2.1", "", "www.example.com");
	value_is(r, "dns.cache.192.0.2.2", "", "www.example.com");
	rig_close(r);
}

static void
no_such_domain(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);

	(void)state;
	ask(f, SECOND, 1, "nx.test");
	reply(f, SECOND + 10, 1, "nx.test", 3);
	ask(f, 2 * SECOND, 2, "nx.test");
	reply(f, 2 * SECOND + 30, 2, "nx.test", 3);
	has_event(r, "\"rcode\":\"NXDOMAIN\",\"rcodeId\":3,\"answers\":0,\"retr");
	value_is(r, "ip.10.0.0.1", "dns.nxdomain", "2");
	value_is(r, "dns.domain.nx.test", "nxdomain", "2");
	value_is(r, "dns.domain.nx.test", "latencyUsSum", "40");
	value_is(r, "dns.domain.nx.test", "latencyUsMax", "30");
	value_is(r, "dns.rcode.NXDOMAIN", "queries", "2");
	assert_null(rig_value(r, "dns.domain.nx.test", "noerror"));
	rig_close(r);
}

/* By id and question, in any order, whoever asks. */
static void
answers_find_their_queries(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	struct bytes b;

	(void)state;
	ask(f, 1000, 7, "a.test");
	ask(f, 2000, 7, "b.test");
	ask(f, 3000, 8, "a.test");
	question(&b, 7, 0x0100, "a.test", 1);
	send_bytes(f, 1, 4000, &b); /* the other side asks the same */
	reply(f, 5000, 8, "a.test", 0);
	reply(f, 6000, 7, "b.test", 0);
	reply(f, 7000, 7, "a.test", 0);
	assert_int_equal(rig_lines(r->events, ""), 3);
	has_event(r,
	    "\"id\":8,\"qname\":\"a.test\",\"qtype\":\"A\",\"qtypeId\":1,\"rcode\":"
	    "\"NOERROR\",\"rcodeId\":0,\"answers\":0,\"retransmissions\":0,"
	    "\"latencyUs\":2000}");
	has_event(r, "\"latencyUs\":4000}");
	has_event(r, "\"latencyUs\":6000}");
	rig_forget(r);
	question(&b, 7, 0x8180, "a.test", 1);
	send_bytes(f, 0, 9000, &b);
	has_event(r, "\"src\":\"10.0.0.53\",\"sport\":53,\"dst\":\"10.0.0.1\"");
	has_event(r, "\"latencyUs\":5000}");
	/* another question with that id answers nothing */
	ask(f, 10000, 9, "c.test");
	rig_forget(r);
	reply(f, 11000, 9, "d.test", 0);
	has_event(r, "\"qname\":\"d.test\"");
	has_event(r, "\"latencyUs\":null");
	/* one without a question answers it by its id */
	header(&b, 9, 0x8181, 0, 0, 0);
	rig_forget(r);
	send_bytes(f, 1, 12000, &b);
	has_event(r, "\"qname\":\"c.test\"");
	has_event(r, "\"rcode\":\"FORMERR\"");
	has_event(r, "\"latencyUs\":2000}");
	rig_close(r);
}

static void
repetitions_and_second_answers(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);

	(void)state;
	ask(f, 1 * SECOND, 1, "a.test");
	ask(f, 6 * SECOND, 1, "A.TEST");
	rig_clock(r, 12 * SECOND); /* 6 s after the last one */
	assert_string_equal(r->events, "");
	reply(f, 13 * SECOND, 1, "a.test", 0);
	assert_int_equal(rig_lines(r->events, ""), 1);
	has_event(r, "\"ts\":1.000000");
	has_event(r, "\"retransmissions\":1,\"latencyUs\":12000000}");
	value_is(r, "dns.domain.a.test", "queries", "1");
	value_is(r, "dns.domain.a.test", "retransmissions", "1");
	rig_forget(r);
	reply(f, 13 * SECOND + 5, 1, "a.test", 0);
	assert_int_equal(rig_lines(r->events, ""), 1);
	has_event(r, "\"ts\":13.000005");
	has_event(r, "\"src\":\"10.0.0.1\"");
	has_event(r, "\"answers\":0,\"retransmissions\":0,\"latencyUs\":null}");
	value_is(r, "dns.domain.a.test", "queries", "1");
	value_is(r, "dns.domain.a.test", "replies", "2");
	/* once answered it is a new query */
	rig_forget(r);
	ask(f, 14 * SECOND, 1, "a.test");
	reply(f, 14 * SECOND + 9, 1, "a.test", 0);
	has_event(r, "\"retransmissions\":0,\"latencyUs\":9}");
	rig_close(r);
}

static void
unanswered(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	uint64_t t;

	(void)state;
	ask(f, 1 * SECOND, 1, "a.test");
	ask(f, 2 * SECOND, 2, "b.test");
	rig_clock(r, 11 * SECOND - 1);
	assert_string_equal(r->events, "");
	rig_clock(r, 11 * SECOND);
	assert_int_equal(rig_lines(r->events, ""), 1);
	has_event(r, "\"id\":1,\"qname\":\"a.test\",\"qtype\":\"A\",\"qtypeId\":1,"
		     "\"rcode\":null,"
		     "\"rcodeId\":null,\"answers\":null,\"retransmissions\":0,"
		     "\"latencyUs\":null}");
	value_is(r, "dns.server.10.0.0.53", "unanswered", "1");
	value_is(r, "dns.client.10.0.0.1", "queries", "1");
	assert_int_equal(f->timer_us, 12 * SECOND);
	reply(f, 11 * SECOND + 1, 1, "a.test", 0); /* too late: an event of its own */
	assert_int_equal(rig_lines(r->events, "a.test"), 2);
	assert_int_equal(rig_lines(r->events, "NOERROR"), 1);
	rig_end(f, 11 * SECOND + 2); /* the flow's end */
	assert_int_equal(rig_lines(r->events, "b.test"), 1);
	/* repetitions put it off, not for ever */
	rig_forget(r);
	f = rig_flow(r, 17, CLIENT, 4001, SERVER, 53);
	for (t = 20; t < 200 && r->events[0] == '\0'; t += 9) {
		ask(f, t * SECOND, 3, "c.test");
		rig_clock(r, t * SECOND);
	}
	assert_int_equal(rig_lines(r->events, "\"retransmissions\":10,"), 1);
	rig_close(r);
}

static void
pending_is_bounded(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	char name[300];
	unsigned i;

	(void)state;
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "q%u.test", i);
		ask(f, 1000 + i, i, name);
	}
	assert_int_equal(rig_lines(r->events, ""), 10); /* the oldest have gone */
	has_event(r, "q9.test");
	for (i = 10; i < 60; i += 2) {
		snprintf(name, sizeof(name), "q%u.test", i);
		reply(f, 2000 + i, i, name, 0);
	}
	assert_int_equal(rig_lines(r->events, "\"latencyUs\":1000}"), 25);
	rig_end(f, 5000);
	assert_int_equal(rig_lines(r->events, ""), 60);
	assert_int_equal(rig_lines(r->events, "q59.test"), 1);
	/* of all flows together */
	rig_close(r);
	r = rig_open(&mc_plugin_dns, "pending=16");
	for (i = 0; i < 20; i++) {
		f = rig_flow(r, 17, CLIENT, (uint16_t)(4000 + i), SERVER, 53);
		snprintf(name, sizeof(name), "%060u.%060u.%060u.%050u", i, i, i, i);
		ask(f, 1000 + i, i, name);
	}
	assert_int_equal(rig_lines(r->events, ""), 4); /* these do not wait */
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "%060u.%060u.%060u.%050u", i, i, i, i);
		reply(r->flows[i], 3000, i, name, 0);
	}
	assert_int_equal(rig_lines(r->events, "NOERROR"), 16);
	assert_int_equal(rig_lines(r->events, "\"latencyUs\":null"), 4);
	ask(f, 5000, 7, "a.test"); /* there is room again */
	reply(f, 5001, 7, "a.test", 0);
	assert_int_equal(rig_lines(r->events, "\"latencyUs\":1}"), 1);
	rig_close(r);
}

static void
options_are_checked(void **state)
{
	static const char *const bad[] = {"pending=", "pending=x", "pending=-1",
	    "pending=15", "pending=16777217", "pending=20x"};
	struct mc_setup s = {.timeout_us = SECOND};
	char err[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		assert_null(rig_open_as(&mc_plugin_dns, bad[i], &s, err, sizeof(err)));
		assert_non_null(strstr(err, "pending"));
	}
}

static void
a_header_is_an_event(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	struct bytes b;

	(void)state;
	header(&b, 5, 0x0100, 1, 0, 0);
	put(&b, "\xc0\x0c\0\x1c\0\1", 6);
	send_bytes(f, 0, 1000, &b);
	header(&b, 6, 0x0100, 9, 0, 0);
	send_bytes(f, 0, 2000, &b);
	b.len = 11;
	send_bytes(f, 0, 3000, &b);
	rig_end(f, 4000);
	assert_int_equal(rig_lines(r->events, ""), 2);
	has_event(r, "\"id\":5,\"qname\":null,\"qtype\":\"AAAA\",\"qtypeId\":28,");
	has_event(r, "\"id\":6,\"qname\":null,\"qtype\":null,\"qtypeId\":null,");
	assert_int_equal(rig_lines(r->events, "\"malformed\":true"), 2);
	/* and no key of a domain */
	assert_null(strstr(r->ops, "dns.domain"));
	/* no question, no lie; an update counts no answers */
	rig_forget(r);
	f = rig_flow(r, 17, CLIENT, 4001, SERVER, 53);
	header(&b, 7, 0xa800, 0, 0, 0);
	send_bytes(f, 1, 5000, &b);
	has_event(r, "\"qname\":null");
	has_event(r, "\"answers\":null");
	assert_null(strstr(r->events, "malformed"));
	rig_close(r);
}

static void
the_root_and_odd_names(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);

	(void)state;
	ask(f, 1000, 1, ".");
	ask(f, 1000, 2, "a b\\\x01");
	rig_end(f, 2000);
	has_event(r, "\"id\":1,\"qname\":\".\"");
	has_event(r, "\"qname\":\"a b\\\\\\\\\\\\001\"");
	value_is(r, "dns.domain..", "queries", "1");
	rig_close(r);
}

/* Names are learned of what was asked for only. */
static void
nobody_asked(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	struct bytes b;

	(void)state;
	answer(&b, 1, 0);
	send_bytes(f, 1, 1000, &b);
	has_event(r, "\"response\":\"192.0.2.1,192.0.2.2\"");
	has_event(r, "\"latencyUs\":null");
	assert_null(rig_value(r, "dns.cache.192.0.2.1", ""));
	assert_null(rig_value(r, "dns.domain.www.example.com", "queries"));
	value_is(r, "dns.domain.www.example.com", "replies", "1");
	assert_null(rig_value(r, "top.dns.domain.0", "www.example.com"));
	/* nor of one that contradicts itself */
	ask(f, 2000, 2, "www.example.com");
	answer(&b, 2, 0);
	b.p[7] = 9;
	send_bytes(f, 1, 3000, &b);
	has_event(r, "\"malformed\":true");
	assert_null(rig_value(r, "dns.cache.192.0.2.1", ""));
	/* nor what is no host's address */
	ask(f, 4000, 3, "ads.test");
	question(&b, 3, 0x8180, "ads.test", 1);
	record(&b, 1, 1, 5, "\0\0\0\0", 4);
	record(&b, 1, 1, 5, "\x7f\0\0\1", 4);
	record(&b, 1, 28, 5, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	record(&b, 1, 1, 5, "\xef\1\1\1", 4);
	record(&b, 1, 1, 5, "\1\2\3\4", 4);
	send_bytes(f, 1, 4100, &b);
	assert_int_equal(rig_lines(r->ops, "set dns.cache."), 1);
	value_is(r, "dns.cache.1.2.3.4", "", "ads.test");
	rig_close(r);
}

static void
extended_codes(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	struct bytes b;

	(void)state;
	ask(f, 1000, 1, "a.test");
	question(&b, 1, 0x8187, "a.test", 1);
	opt(&b, 1);
	send_bytes(f, 1, 1100, &b);
	has_event(r, "\"rcode\":\"BADCOOKIE\",\"rcodeId\":23");
	value_is(r, "dns.rcode.BADCOOKIE", "queries", "1");
	rig_close(r);
}

/* Groups are asked, and answer in other flows; no counters of servers. */
static void
multicast(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = rig_flow(r, 17, CLIENT, 5353, "224.0.0.251", 5353), *g;
	struct bytes b;

	(void)state;
	question(&b, 0, 0, "printer.local", 1);
	send_bytes(f, 0, 1000, &b);
	send_bytes(f, 0, 2000, &b);
	assert_int_equal(rig_lines(r->events, "\"service\":\"mdns\""), 2);
	has_event(r, "\"latencyUs\":null");
	assert_int_equal(f->timer_us, 0);
	header(&b, 0, 0x8400, 0, 1, 0);
	put_name(&b, "Printer.local", 0);
	put(&b, "\0\1\x80\1\0\0\0\x78\0\4\xc0\0\2\7", 14);
	send_bytes(f, 0, 3000, &b);
	has_event(r, "\"src\":\"224.0.0.251\",\"sport\":5353,\"dst\":\"10.0.0.1\"");
	has_event(r,
	    "\"qname\":null,\"qtype\":null,\"qtypeId\":null,\"rcode\":\"NOERROR\","
	    "\"rcodeId\":0,\"answers\":1,\"ttl\":120,\"response\":\"192.0.2.7\"");
	value_is(r, "dns.cache.192.0.2.7", "", "printer.local");
	rig_forget(r);
	memset(b.p + b.len - 10, 0, 4); /* a TTL of 0: farewell */
	send_bytes(f, 0, 3500, &b);
	has_event(r, "\"ttl\":0");
	assert_null(strstr(r->ops, "dns.cache"));
	g = rig_flow(r, 17, "fe80::1", 50000, "ff02::1:3", 5355);
	question(&b, 9, 0, "PC", 255);
	send_bytes(g, 0, 4000, &b);
	has_event(
	    r, "\"service\":\"llmnr\",\"id\":9,\"qname\":\"PC\",\"qtype\":\"ANY\"");
	assert_null(strstr(r->ops, "dns.server"));
	assert_null(strstr(r->ops, "dns.queries"));
	/* one alone is answered in its flow */
	g = rig_flow(r, 17, "fe80::1", 50000, "fe80::2", 5355);
	send_bytes(g, 0, 5000, &b);
	question(&b, 9, 0x8000, "pc", 255);
	send_bytes(g, 1, 5500, &b);
	has_event(r, "\"latencyUs\":500}");
	/* what is nobody's */
	g = rig_flow(r, 17, CLIENT, 1, SERVER, 2);
	assert_int_equal(rig_send(g, 0, 1, b.p, b.len), MC_DONE);
	g = rig_flow(r, 6, CLIENT, 5353, SERVER, 2);
	assert_int_equal(rig_send(g, 0, 1, b.p, b.len), MC_DONE);
	rig_close(r);
}

/* --- TCP --- */

static void
put_message(struct bytes *stream, const struct bytes *b)
{
	put16(stream, (unsigned)b->len);
	put(stream, b->p, b->len);
}

static struct rig_flow *
tcp_flow(struct rig *r, unsigned port)
{
	return rig_flow(r, 6, CLIENT, (uint16_t)port, SERVER, 53);
}

/* Of the streams below, with the length before it. */
#define QUERY_LEN  27
#define ANSWER_LEN 43

static void
queries_stream(struct bytes *s, unsigned n)
{
	struct bytes b;
	char name[32];

	s->len = 0;
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%u.test", i);
		question(&b, i, 0x0100, name, 1);
		put_message(s, &b);
	}
}

static void
answers_stream(struct bytes *s, unsigned n)
{
	struct bytes b;
	char name[32];

	s->len = 0;
	for (unsigned i = n; i-- > 0;) { /* backwards, RFC 7766 §7 */
		snprintf(name, sizeof(name), "n%u.test", i);
		question(&b, i, 0x8180, name, 1);
		record(&b, 1, 1, 5, "\1\2\3\4", 4);
		put_message(s, &b);
	}
}

/* Whole, and in pieces of every size. */
static void
tcp_however_it_comes(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct bytes q, a;
	unsigned size;
	size_t at, n;

	(void)state;
	queries_stream(&q, 5);
	answers_stream(&a, 5);
	for (size = 1; size <= a.len; size++) {
		struct rig_flow *f = tcp_flow(r, 1000 + size);

		rig_forget(r);
		for (at = 0; at < q.len; at += n) {
			n = q.len - at < size ? q.len - at : size;
			rig_send(f, 0, 1000 + at, q.p + at, n);
		}
		for (at = 0; at < a.len; at += n) {
			n = a.len - at < size ? a.len - at : size;
			rig_send(f, 1, 5000 + at, a.p + at, n);
		}
		assert_int_equal(rig_lines(r->events, "\"proto\":\"tcp\""), 5);
		assert_int_equal(rig_lines(r->events, "\"latencyUs\":null"), 0);
		assert_int_equal(rig_lines(r->events, "\"answers\":1"), 5);
		has_event(r, "\"ts\":0.001000");
		rig_end(f, 9000);
		assert_int_equal(rig_lines(r->events, ""), 5);
		if (r->nflows == RIG_FLOWS) {
			rig_close(r);
			r = rig_open(&mc_plugin_dns, SMALL);
		}
	}
	rig_close(r);
}

static void
tcp_gaps(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = tcp_flow(r, 1000);
	struct mc_packet p = {.ts_us = 1000};
	struct bytes q, a;

	(void)state;
	queries_stream(&q, 3);
	assert_int_equal(q.len, 3 * QUERY_LEN);
	rig_send(f, 0, 1000, q.p, q.len);
	/* within a message: its beginning is read, and the next one found */
	answers_stream(&a, 3);
	assert_int_equal(a.len, 3 * ANSWER_LEN);
	rig_send(f, 1, 2000, a.p, 30);
	p.data = a.p + 40;
	p.len = p.wire_len = (uint32_t)a.len - 40;
	p.gap = 10;
	p.dir = 1;
	rig_packet(f, &p);
	assert_int_equal(rig_lines(r->events, "NOERROR"), 3);
	assert_int_equal(rig_lines(r->events, "\"latencyUs\":null"), 0);
	assert_int_equal(rig_lines(r->events, "1.2.3.4"), 2);
	rig_end(f, 3000);
	/* where messages end: whatever looks like one is taken again */
	f = tcp_flow(r, 1001);
	rig_forget(r);
	rig_send(f, 0, 1000, q.p, q.len);
	rig_send(f, 1, 2000, a.p, 30);
	p.data = a.p + 50;
	p.len = p.wire_len = 2 * ANSWER_LEN - 50; /* the middle of the second */
	p.gap = 20;
	rig_packet(f, &p);
	assert_string_equal(r->events, "");
	rig_send(f, 1, 2500, a.p + 2 * ANSWER_LEN, ANSWER_LEN);
	assert_int_equal(rig_lines(r->events, "n0.test"), 1);
	assert_int_equal(rig_lines(r->events, ""), 1);
	rig_end(f, 3000);
	/* a connection that was there before */
	f = tcp_flow(r, 1002);
	rig_forget(r);
	p.data = a.p;
	p.len = p.wire_len = (uint32_t)a.len;
	p.gap = MC_GAP_START;
	rig_packet(f, &p);
	assert_int_equal(rig_lines(r->events, "NOERROR"), 3);
	/* not captured whole: as if the rest were lost */
	rig_forget(r);
	p.gap = 0;
	p.len = 30;
	p.wire_len = ANSWER_LEN;
	rig_packet(f, &p);
	assert_int_equal(rig_lines(r->events, "n2.test"), 1);
	assert_null(strstr(r->events, "malformed"));
	rig_send(f, 1, 2500, a.p + 2 * ANSWER_LEN, ANSWER_LEN);
	assert_int_equal(rig_lines(r->events, "n0.test"), 1);
	rig_close(r);
}

/* From the middle of a connection, the length by itself, byte by byte. */
static void
tcp_found_again(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = tcp_flow(r, 1000);
	struct mc_packet p = {.ts_us = 1000, .dir = 1, .gap = MC_GAP_START};
	struct bytes a;
	size_t i;

	(void)state;
	answers_stream(&a, 3);
	for (i = 0; i < a.len; i++) {
		p.data = a.p + i;
		p.len = p.wire_len = 1;
		rig_packet(f, &p);
		p.gap = 0;
	}
	assert_int_equal(rig_lines(r->events, "NOERROR"), 3);
	/* the end of a message, then lengths by themselves */
	f = tcp_flow(r, 1001);
	rig_forget(r);
	p.gap = MC_GAP_START;
	p.data =
	    a.p + ANSWER_LEN - 5; /* an address's: 2 bytes that are no length, ... */
	p.len = p.wire_len = 5;
	rig_packet(f, &p);
	for (i = ANSWER_LEN; i < a.len; i += ANSWER_LEN) {
		rig_send(f, 1, 2000, a.p + i, 2);
		rig_send(f, 1, 2001, a.p + i + 2, ANSWER_LEN - 2);
	}
	rig_send(f, 1, 3000, a.p, 2);
	rig_send(f, 1, 3000, a.p + 2, ANSWER_LEN - 2);
	assert_in_range(rig_lines(r->events, "NOERROR"), 1, 3);
	assert_int_equal(rig_lines(r->events, "malformed"), 0);
	/* the end of a message, then whole ones */
	f = tcp_flow(r, 1002);
	rig_forget(r);
	rig_packet(f, &p);
	p.gap = MC_GAP_START;
	rig_send(f, 1, 2000, a.p, a.len);
	assert_int_equal(rig_lines(r->events, "NOERROR"), 3);
	rig_close(r);
}

/* More messages in pieces than there is room for: these are stepped over. */
static void
tcp_many_pieces(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, "pending=32"); /* two of them */
	struct rig_flow *f[3];
	struct bytes a;
	unsigned i;

	(void)state;
	answers_stream(&a, 2);
	for (i = 0; i < 3; i++) {
		f[i] = tcp_flow(r, 1000 + i);
		rig_send(f[i], 1, 1000, a.p, 20);
	}
	for (i = 0; i < 3; i++)
		rig_send(f[i], 1, 2000, a.p + 20, a.len - 20);
	assert_int_equal(rig_lines(r->events, "n1.test"), 2);
	assert_int_equal(rig_lines(r->events, "n0.test"), 3);
	for (i = 0; i < 3; i++) { /* there is room again, also of what has ended */
		rig_send(f[i], 1, 3000, a.p, 20);
		rig_end(f[i], 3000);
	}
	rig_forget(r);
	f[0] = tcp_flow(r, 2000);
	rig_send(f[0], 1, 4000, a.p, 20);
	rig_send(f[0], 1, 5000, a.p + 20, a.len - 20);
	assert_int_equal(rig_lines(r->events, ""), 2);
	rig_close(r);
}

static void
tcp_large_and_empty(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = tcp_flow(r, 1000);
	struct bytes b, s = {.len = 0};
	unsigned i;

	(void)state;
	question(&b, 1, 0x8180, "big.test", 1);
	for (i = 0; i < 250; i++)
		record(&b, 1, 1, 5, "\1\2\3\4", 4);
	put16(&s, 0);	    /* a message of no bytes */
	put16(&s, 3);	    /* and one of three */
	put(&s, "abc", 3);
	put_message(&s, &b);
	question(&b, 2, 0x8180, "next.test", 1);
	put_message(&s, &b);
	rig_send(f, 1, 1000, s.p, 1000);
	rig_send(f, 1, 2000, s.p + 1000, 2000);
	rig_send(f, 1, 3000, s.p + 3000, s.len - 3000);
	assert_int_equal(rig_lines(r->events, ""), 2);
	has_event(r, "\"qname\":\"big.test\"");
	has_event(r, "\"answers\":250");
	has_event(r, "\"qname\":\"next.test\"");
	assert_null(strstr(r->events, "malformed"));
	rig_close(r);
}

/* --- records --- */

/* A field of the record as text, "-" where there is none. */
static const char *
field(const struct rig_flow *f, const char *label)
{
	static char text[1100];
	const struct mc_field *m = mc_plugin_dns.fields;
	const uint8_t *at;
	uint64_t present, n = 0;

	while (strcmp(m->label, label) != 0)
		m++;
	memcpy(&present, f->fields, sizeof(present));
	if ((present >> m->present & 1) == 0)
		return "-";
	at = (const uint8_t *)f->fields + m->offset;
	if (m->type == MC_TEXT) {
		const char *p;

		memcpy(&p, at, sizeof(p));
		snprintf(text, sizeof(text), "%s", p);
		return text;
	}
	assert_int_equal(m->size, m->len);
	memcpy(
	    &n, at, m->size); /* little-endian or one byte: widths are checked above */
	if (m->type == MC_U16) {
		uint16_t v;

		memcpy(&v, at, 2);
		n = v;
	} else if (m->type == MC_U32) {
		uint32_t v;

		memcpy(&v, at, 4);
		n = v;
	} else {
		n = *at;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return text;
}

static void
fields_of_records(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);
	struct bytes b;

	(void)state;
	ask(f, 1000, 258, "www.example.com");
	assert_string_equal(field(f, "DNS_QUERY"), "www.example.com");
	assert_string_equal(field(f, "DNS_RET_CODE"), "-");
	reply(f, 1500, 9, "other.test", 3); /* not the answer to it */
	assert_string_equal(field(f, "DNS_RET_CODE"), "-");
	answer(&b, 258, 0);
	send_bytes(f, 1, 2000, &b);
	ask(f, 3000, 300, "second.test"); /* a record has one */
	assert_string_equal(field(f, "DNS_QUERY"), "www.example.com");
	assert_string_equal(field(f, "DNS_QUERY_ID"), "258");
	assert_string_equal(field(f, "DNS_QUERY_TYPE"), "1");
	assert_string_equal(field(f, "DNS_RET_CODE"), "0");
	assert_string_equal(field(f, "DNS_NUM_ANSWERS"), "3");
	assert_string_equal(field(f, "DNS_TTL_ANSWER"), "300");
	assert_string_equal(field(f, "DNS_RESPONSE"), "192.0.2.1,192.0.2.2");
	/* the active timeout came between query and answer */
	rig_fields_empty(f);
	reply(f, 4000, 300, "second.test", 3);
	assert_string_equal(field(f, "DNS_QUERY"), "second.test");
	assert_string_equal(field(f, "DNS_RET_CODE"), "3");
	assert_string_equal(field(f, "DNS_RESPONSE"), "-");
	/* what does not fit */
	rig_fields_empty(f);
	question(&b, 5, 0x8180, "a", 65280);
	opt(&b, 255);
	b.p[6] = 1;
	send_bytes(f, 1, 5000, &b);
	assert_string_equal(field(f, "DNS_QUERY_TYPE"), "65280");
	assert_string_equal(field(f, "DNS_NUM_ANSWERS"), "255");
	/* two questions with one id: only the other is answered */
	rig_fields_empty(f);
	question(&b, 6, 0x0100, "www.example.com", 28);
	send_bytes(f, 0, 6000, &b);
	ask(f, 6001, 6, "www.example.com");
	answer(&b, 6, 0);
	send_bytes(f, 1, 6002, &b);
	assert_string_equal(field(f, "DNS_QUERY_TYPE"), "28");
	assert_string_equal(field(f, "DNS_RET_CODE"), "-");
	assert_string_equal(field(f, "DNS_RESPONSE"), "-");
	rig_close(r);
}

static void
split(void **state)
{
	struct mc_setup s = {.timeout_us = 10 * SECOND, .split = true};
	char err[64];
	struct rig *r = rig_open_as(&mc_plugin_dns, SMALL, &s, err, sizeof(err));
	struct rig_flow *f = udp_flow(r), *t, *m;
	struct mc_packet p = {.ts_us = 1};
	struct bytes b, q, a;

	(void)state;
	/* UDP: by id */
	question(&b, 0, 0x0100, "a.test", 1);
	p.data = b.p;
	p.len = p.wire_len = (uint32_t)b.len;
	assert_int_equal(mc_plugin_dns.subflow(r->worker, &f->key, &p), 0x10000);
	b.p[1] = 7;
	assert_int_equal(mc_plugin_dns.subflow(r->worker, &f->key, &p), 0x10007);
	p.len = 11;
	assert_int_equal(mc_plugin_dns.subflow(r->worker, &f->key, &p), 0);
	p.len = (uint32_t)b.len;
	t = tcp_flow(r, 1000);
	assert_int_equal(mc_plugin_dns.subflow(r->worker, &t->key, &p), 0);
	m = rig_flow(r, 17, CLIENT, 5353, "224.0.0.251", 5353);
	assert_int_equal(mc_plugin_dns.subflow(r->worker, &m->key, &p), 0);
	/* and the id again, for another name, after another record; not for the same */
	ask(f, 1000, 1, "a.test");
	ask(f, 1500, 1, "a.test");
	reply(f, 2000, 1, "a.test", 0);
	assert_int_equal(f->splits, 0);
	ask(f, 3000, 1, "b.test");
	assert_int_equal(f->splits, 1);
	assert_string_equal(field(f, "DNS_QUERY"), "b.test");
	assert_string_equal(field(f, "DNS_RET_CODE"), "-");
	/* TCP: at each query */
	queries_stream(&q, 2);
	answers_stream(&a, 2);
	rig_send(t, 0, 1000, q.p, QUERY_LEN);
	rig_send(t, 1, 1500, a.p + ANSWER_LEN, ANSWER_LEN);
	assert_int_equal(t->splits, 0);
	assert_string_equal(field(t, "DNS_RET_CODE"), "0");
	rig_send(t, 0, 2000, q.p + QUERY_LEN, 2); /* its length alone */
	assert_int_equal(t->splits, 1);
	assert_string_equal(field(t, "DNS_QUERY"), "-");
	rig_send(t, 0, 2001, q.p + QUERY_LEN + 2, QUERY_LEN - 2);
	assert_int_equal(t->splits, 1);
	assert_string_equal(field(t, "DNS_QUERY"), "n1.test");
	rig_send(t, 1, 2500, a.p, ANSWER_LEN);
	assert_int_equal(t->splits, 1);
	assert_string_equal(field(t, "DNS_RESPONSE"), "1.2.3.4");
	rig_send(t, 0, 3000, q.p, QUERY_LEN);
	assert_int_equal(t->splits, 2);
	assert_int_equal(rig_lines(r->events, ""), 3);
	rig_close(r);
}

static void
nobody_listens_or_no_room(void **state)
{
	struct rig *r = rig_open(&mc_plugin_dns, SMALL);
	struct rig_flow *f = udp_flow(r);

	(void)state;
	r->unwanted = true;
	ask(f, 1000, 1, "a.test");
	reply(f, 2000, 1, "a.test", 0);
	assert_string_equal(r->events, "");
	value_is(r, "dns.domain.a.test", "queries", "1");
	r->full = true;
	ask(f, 1000, 2, "a.test");
	reply(f, 2000, 2, "a.test", 0);
	assert_int_equal(r->lost, 1);
	rig_close(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_as_text),
	    cmocka_unit_test(names_are_expanded),
	    cmocka_unit_test(names_have_255_bytes),
	    cmocka_unit_test(mnemonics),
	    cmocka_unit_test(a_message_is_read),
	    cmocka_unit_test(answers_as_text),
	    cmocka_unit_test(lies_are_malformed),
	    cmocka_unit_test(every_truncation),
	    cmocka_unit_test(query_and_answer),
	    cmocka_unit_test(no_such_domain),
	    cmocka_unit_test(answers_find_their_queries),
	    cmocka_unit_test(repetitions_and_second_answers),
	    cmocka_unit_test(unanswered),
	    cmocka_unit_test(pending_is_bounded),
	    cmocka_unit_test(options_are_checked),
	    cmocka_unit_test(a_header_is_an_event),
	    cmocka_unit_test(the_root_and_odd_names),
	    cmocka_unit_test(nobody_asked),
	    cmocka_unit_test(extended_codes),
	    cmocka_unit_test(multicast),
	    cmocka_unit_test(tcp_however_it_comes),
	    cmocka_unit_test(tcp_gaps),
	    cmocka_unit_test(tcp_found_again),
	    cmocka_unit_test(tcp_many_pieces),
	    cmocka_unit_test(tcp_large_and_empty),
	    cmocka_unit_test(fields_of_records),
	    cmocka_unit_test(split),
	    cmocka_unit_test(nobody_listens_or_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
