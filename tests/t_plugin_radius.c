/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_plugin_radius.c -- the plugin radius: packets, pairs, records, users and sessions.
 * Longer than 800 lines: sessions have as many stories.
 */
#include "plugin_rig.h"
#include "radius_user.h"
#include "radius_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern const struct mc_plugin mc_plugin_radius;

#define S UINT64_C(1000000)

/* A packet that is being written. */
struct pkt {
	uint8_t b[RADIUS_MAX];
	size_t n;
};

static struct pkt
pkt(uint8_t code, uint8_t id, uint8_t auth)
{
	struct pkt p = {.n = RADIUS_HEADER};

	p.b[0] = code;
	p.b[1] = id;
	p.b[3] = RADIUS_HEADER;
	memset(p.b + 4, auth, 16);
	return p;
}

static void
attr(struct pkt *p, uint8_t type, const void *v, size_t len)
{
	assert_true(len <= 253 && p->n + len + 2 <= sizeof(p->b));
	p->b[p->n] = type;
	p->b[p->n + 1] = (uint8_t)(len + 2);
	memcpy(p->b + p->n + 2, v, len);
	p->n += len + 2;
	p->b[2] = (uint8_t)(p->n >> 8);
	p->b[3] = (uint8_t)p->n;
}

static void
text(struct pkt *p, uint8_t type, const char *s)
{
	attr(p, type, s, strlen(s));
}

static void
num(struct pkt *p, uint8_t type, uint32_t v)
{
	uint8_t b[4] = {
	    (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

	attr(p, type, b, 4);
}

static void
ip4(struct pkt *p, uint8_t type, const char *s)
{
	uint8_t b[4];

	assert_int_equal(inet_pton(AF_INET, s, b), 1);
	attr(p, type, b, 4);
}

static void
ip6(struct pkt *p, uint8_t type, const char *s, int prefix)
{
	uint8_t b[18] = {0, (uint8_t)prefix};

	assert_int_equal(inet_pton(AF_INET6, s, b + 2), 1);
	attr(p, type, prefix < 0 ? b + 2 : b, prefix < 0 ? 16 : 18);
}

struct bench {
	struct rig *r;
	struct rig_flow *auth, *acct;
	uint64_t now;
	uint8_t seq; /* of ids and authenticators */
};

static struct bench
bench_as(const char *options)
{
	struct bench b = {.r = rig_open(&mc_plugin_radius, options), .now = 1000 * S};

	b.auth = rig_flow(b.r, 17, "192.0.2.1", 20000, "192.0.2.10", 1812);
	b.acct = rig_flow(b.r, 17, "192.0.2.1", 20001, "192.0.2.10", 1813);
	return b;
}

static struct bench
bench(void)
{
	return bench_as(NULL);
}

/* Accounting of USER's SESSION, with ADDR unless NULL; more attributes can follow. */
static struct pkt
acct(struct bench *b, uint32_t status, const char *user, const char *session,
    const char *addr)
{
	struct pkt p = pkt(RADIUS_ACCOUNTING_REQUEST, b->seq, b->seq);

	b->seq++;
	num(&p, 40, status);
	if (user != NULL)
		text(&p, 1, user);
	if (session != NULL)
		text(&p, 44, session);
	ip4(&p, 4, "192.0.2.1");
	if (addr != NULL)
		ip4(&p, 8, addr);
	return p;
}

static void
send_acct(struct bench *b, const struct pkt *p)
{
	b->now += S;
	rig_send(b->acct, 0, b->now, p->b, p->n);
}

static void
say(struct bench *b, uint32_t status, const char *user, const char *session,
    const char *addr)
{
	struct pkt p = acct(b, status, user, session, addr);

	send_acct(b, &p);
}

/* An Access-Request and its Access-Accept, a second later. */
static void
grant(struct bench *b, const char *user, const char *calling, const char *addr)
{
	struct pkt q = pkt(RADIUS_ACCESS_REQUEST, b->seq, b->seq);
	struct pkt a = pkt(RADIUS_ACCESS_ACCEPT, b->seq, 0xaa);

	b->seq++;
	text(&q, 1, user);
	text(&q, 2, "secretsecretsecr");
	text(&q, 31, calling);
	ip4(&q, 4, "192.0.2.1");
	ip4(&a, 8, addr);
	b->now += S;
	rig_send(b->auth, 0, b->now, q.b, q.n);
	b->now += S;
	rig_send(b->auth, 1, b->now, a.b, a.n);
}

static unsigned
count(const struct bench *b, const char *channel)
{
	char what[64];

	snprintf(what, sizeof(what), "\"channel\":\"%s\"", channel);
	return rig_lines(b->r->events, what);
}

static bool
has(const char *in, const char *what)
{
	return strstr(in, what) != NULL;
}

static uint64_t
counter(const struct bench *b, const char *name)
{
	unsigned i = 0;

	while (strcmp(mc_plugin_radius.counters[i].name, name) != 0)
		i++;
	return b->r->counters[i];
}

/* What is read of a packet. */

static void
test_parse(void **unused)
{
	static const uint8_t vendor[] = {
	    0, 0, 0x28, 0xaf, 1, 5, '2', '6', '2', 20, 4, '3', '5'};
	struct pkt p = pkt(RADIUS_ACCOUNTING_REQUEST, 7, 1);
	struct radius_packet m;
	char t[RADIUS_NET_TEXT];

	(void)unused;
	text(&p, 1, "bob");
	text(&p, 1, "eve"); /* not the first */
	num(&p, 42, 5);
	num(&p, 52, 2);
	num(&p, 43, 6);
	ip6(&p, 97, "2001:db8:1:2ff::1", 56);
	ip6(&p, 123, "2001:db8:5::", 48);
	ip6(&p, 168, "2001:db8:1:200::9", -1);
	attr(&p, 97, "\0\x40\x20\x01\x0d\xb8", 6); /* zeros left out */
	attr(&p, 26, vendor, sizeof(vendor));
	assert_true(radius_parse(&m, p.b, p.n, p.n));
	assert_false(m.f.malformed);
	assert_int_equal(m.f.code, 4);
	assert_int_equal(m.f.id, 7);
	assert_int_equal(m.text_len[RADIUS_USER], 3);
	assert_memory_equal(m.text[RADIUS_USER], "bob", 3);
	assert_memory_equal(m.text[RADIUS_IMSI], "262", 3);
	assert_memory_equal(m.text[RADIUS_IMEI], "35", 2);
	assert_true(radius_octets(&m.f, RADIUS_IN_OCTETS) == (UINT64_C(2) << 32) + 5);
	assert_true(radius_octets(&m.f, RADIUS_OUT_OCTETS) == 6);
	assert_int_equal(m.f.nnets, 4);
	radius_net_text(t, &m.f.nets[0]);
	assert_string_equal(t, "2001:db8:1:200::/56");
	radius_net_text(t, &m.f.nets[1]);
	assert_string_equal(t, "2001:db8:5::/48");
	radius_net_text(t, &m.f.nets[2]);
	assert_string_equal(t, "2001:db8:1:200::9");
	radius_net_text(t, &m.f.nets[3]);
	assert_string_equal(t, "2001:db8::/64");
}

/* Lengths that cannot be end the reading; what came before counts. */
static void
test_malformed(void **unused)
{
	static const struct {
		uint8_t bytes[8];
		size_t n;
	} bad[] = {
	    {{44, 0}, 2},
	    {{44, 1}, 2},
	    {{44, 2}, 2},
	    {{44, 9, 'x'}, 3},
	    {{44}, 1},
	    {{42, 5, 1, 2, 3}, 5},
	    {{8, 3, 1}, 3},
	    {{97, 4, 0, 129}, 4},
	    {{97, 3, 0}, 3},
	    {{168, 4, 1, 2}, 4},
	    {{26, 3, 1}, 3},
	    {{26, 8, 0, 0, 0x28, 0xaf, 1, 9}, 8},
	    {{26, 8, 0, 0, 0x28, 0xaf, 1, 0}, 8},
	    {{26, 7, 0, 0, 0x28, 0xaf, 1}, 7},
	};
	struct radius_packet m;
	unsigned i;

	(void)unused;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pkt p = pkt(1, 1, 1);
		uint8_t *exact;

		text(&p, 1, "bob");
		memcpy(p.b + p.n, bad[i].bytes, bad[i].n);
		p.n += bad[i].n;
		p.b[3] = (uint8_t)p.n;
		exact = malloc(p.n);
		assert_non_null(exact);
		memcpy(exact, p.b, p.n);
		assert_true(radius_parse(&m, exact, p.n, p.n));
		assert_true(m.f.malformed);
		assert_int_equal(m.text_len[RADIUS_USER], 3);
		free(exact);
	}
}

/* What was not captured is not malformed; padding is no attribute; others' packets
 * are no packets. */
static void
test_sizes(void **unused)
{
	struct pkt p = pkt(1, 1, 1);
	struct radius_packet m;
	size_t n;

	(void)unused;
	text(&p, 1, "bob");
	text(&p, 44, "session");
	for (n = 0; n <= p.n; n++) {
		assert_int_equal(radius_parse(&m, p.b, n, p.n), n >= RADIUS_HEADER);
		assert_int_equal(m.f.malformed, false);
	}
	assert_false(radius_parse(&m, p.b, p.n - 1, p.n - 1));
	p.b[p.n] = 1;
	assert_true(radius_parse(&m, p.b, p.n + 1, p.n + 1));
	assert_false(m.f.malformed);
	p.b[3] = 19;
	assert_false(radius_parse(&m, p.b, p.n, p.n));
	p.b[2] = 0x10;
	p.b[3] = 1;
	assert_false(radius_parse(&m, p.b, p.n, p.n));
	p.b[0] = 99;
	p.b[2] = 0;
	p.b[3] = 30;
	assert_false(radius_parse(&m, p.b, p.n, p.n));
}

static void
test_string(void **unused)
{
	char t[8];

	(void)unused;
	assert_int_equal(radius_string(t, sizeof(t), (const uint8_t *)"ab\0\0", 4), 2);
	assert_string_equal(t, "ab");
	assert_int_equal(radius_string(t, sizeof(t), (const uint8_t *)"a\0b", 3), 3);
	assert_string_equal(t, "a\x1a"
			       "b");
	assert_int_equal(radius_string(t, 4, (const uint8_t *)"abcdef", 6), 3);
}

/* Events and pairs. */

static void
test_events(void **unused)
{
	struct bench b = bench();
	const char *e;

	(void)unused;
	b.r->user = "somebody";
	grant(&b, "bob", "02-00-00-00-00-01", "10.0.0.5");
	e = b.r->events;
	assert_int_equal(count(&b, "radius"), 2);
	assert_true(
	    has(e, "\"src\":\"192.0.2.1\",\"sport\":20000,\"dst\":\"192.0.2.10\","
		   "\"dport\":1812,\"code\":1,\"id\":0,\"user\":\"bob\","
		   "\"calling\":\"02-00-00-00-00-01\",\"nasIp\":\"192.0.2.1\"}"));
	assert_true(
	    has(e, "\"src\":\"192.0.2.10\",\"sport\":1812,\"dst\":\"192.0.2.1\","
		   "\"dport\":20000,\"code\":2,\"id\":0,\"framedIp\":\"10.0.0.5\","
		   "\"latencyUs\":1000000}"));
	assert_false(has(e, "secret"));
	assert_false(has(e, "somebody"));
	rig_close(b.r);
}

static void
test_repetitions(void **unused)
{
	struct bench b = bench();
	struct pkt p = acct(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	struct pkt a = pkt(RADIUS_ACCOUNTING_RESPONSE, 0, 9);

	(void)unused;
	send_acct(&b, &p);
	send_acct(&b, &p);
	rig_send(b.acct, 1, b.now + 500, a.b, a.n);
	rig_send(b.acct, 1, b.now + 600, a.b, a.n);
	assert_int_equal(count(&b, "radius"), 4);
	assert_int_equal(count(&b, "user.login"), 1);
	assert_int_equal(rig_lines(b.r->events, "latencyUs"), 1);
	assert_int_equal(rig_lines(b.r->events, "\"latencyUs\":1000500"), 1);
	assert_int_equal(counter(&b, "repeated"), 2);
	/* the Stop, then the Start again: as it was, and with its delay and another
	 * id */
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	send_acct(&b, &p);
	p = acct(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	num(&p, 41, 10);
	send_acct(&b, &p);
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	assert_int_equal(count(&b, "user.login"), 1);
	assert_int_equal(count(&b, "user.logout"), 1);
	/* an id used again after that is another session */
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	assert_int_equal(count(&b, "user.login"), 2);
	a.b[1] = 200;
	rig_send(b.acct, 1, b.now, a.b, a.n);
	assert_int_equal(counter(&b, "unasked"), 1);
	rig_close(b.r);
}

static void
test_match(void **unused)
{
	static const uint8_t dns[40] = {0x12, 0x34, 1, 0, 0, 1};
	struct bench b = bench();
	struct rig_flow *f = rig_flow(b.r, 17, "10.0.0.1", 1812, "10.0.0.2", 53);
	struct rig_flow *g = rig_flow(b.r, 17, "10.0.0.1", 1234, "10.0.0.2", 53);
	struct rig_flow *t = rig_flow(b.r, 6, "10.0.0.1", 1234, "10.0.0.2", 1812);
	struct rig_flow *coa = rig_flow(b.r, 17, "10.0.0.1", 1234, "10.0.0.2", 3799);
	struct pkt p = pkt(40, 1, 1), q = pkt(41, 1, 2);

	(void)unused;
	rig_send(f, 0, S, dns, sizeof(dns));
	rig_send(g, 0, S, p.b, p.n);
	rig_send(t, 0, S, p.b, p.n);
	assert_int_equal(f->match, MC_MATCH_LATER);
	assert_int_equal(g->match, MC_MATCH_NO);
	assert_int_equal(t->match, MC_MATCH_NO);
	rig_send(coa, 0, S, p.b, p.n);
	rig_send(coa, 1, S + 5, q.b, q.n);
	assert_int_equal(coa->match, MC_MATCH_YES);
	assert_int_equal(count(&b, "radius"), 2);
	assert_true(has(b.r->events, "\"latencyUs\":5}"));
	rig_send(coa, 1, S + 5, dns, sizeof(dns));
	assert_int_equal(counter(&b, "other"), 1);
	rig_close(b.r);
}

/* Records. */

static const void *
field(const struct rig_flow *f, uint16_t id)
{
	const struct mc_field *m = mc_plugin_radius.fields;
	uint64_t present;

	while (m->id != id)
		m++;
	memcpy(&present, f->fields, sizeof(present));
	if ((present >> m->present & 1) == 0)
		return NULL;
	return (const uint8_t *)f->fields + m->offset;
}

static void
test_fields(void **unused)
{
	static const uint8_t vendor[] = {0, 0, 0x28, 0xaf, 1, 5, '2', '6', '2'};
	struct bench b = bench();
	struct pkt p = acct(&b, RADIUS_INTERIM, "bob", "s1", "10.0.0.5");
	struct pkt a = pkt(RADIUS_ACCOUNTING_RESPONSE, 0, 9);
	uint64_t v;
	uint32_t n;

	(void)unused;
	num(&p, 42, 7);
	num(&p, 52, 1);
	num(&p, 47, 9);
	text(&p, 30, "called");
	text(&p, 31, "calling");
	text(&p, 32, "nas");
	attr(&p, 26, vendor, sizeof(vendor));
	send_acct(&b, &p);
	rig_send(b.acct, 1, b.now, a.b, a.n);
	say(&b, RADIUS_STOP, "eve", "s2",
	    "10.0.0.6"); /* not of the first transaction */
	assert_int_equal(*(const uint8_t *)field(b.acct, 240), 4);
	assert_int_equal(*(const uint8_t *)field(b.acct, 241), 5);
	assert_string_equal(field(b.acct, 242), "bob");
	assert_string_equal(field(b.acct, 243), "calling");
	assert_string_equal(field(b.acct, 244), "called");
	assert_memory_equal((const uint8_t *)field(b.acct, 245) + 12, "\xc0\0\2\1", 4);
	assert_string_equal(field(b.acct, 246), "nas");
	assert_string_equal(field(b.acct, 247), "262");
	assert_null(field(b.acct, 248));
	assert_memory_equal((const uint8_t *)field(b.acct, 249) + 12, "\n\0\0\5", 4);
	assert_string_equal(field(b.acct, 250), "s1");
	memcpy(&n, field(b.acct, 251), 4);
	assert_int_equal(n, 3);
	memcpy(&v, field(b.acct, 252), 8);
	assert_true(v == (UINT64_C(1) << 32) + 7);
	assert_null(field(b.acct, 253));
	memcpy(&n, field(b.acct, 254), 4);
	assert_int_equal(n, 9);
	rig_close(b.r);
}

static void
test_split(void **unused)
{
	struct mc_setup s = {.split = true, .grace_us = 60 * S};
	struct bench b = {.now = 1000 * S};
	struct pkt p, a = pkt(RADIUS_ACCOUNTING_RESPONSE, 0, 9);
	char err[100];

	(void)unused;
	b.r = rig_open_as(&mc_plugin_radius, NULL, &s, err, sizeof(err));
	assert_non_null(b.r);
	b.acct = rig_flow(b.r, 17, "192.0.2.1", 20001, "192.0.2.10", 1813);
	p = acct(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	send_acct(&b, &p);
	send_acct(&b, &p);
	rig_send(b.acct, 1, b.now, a.b, a.n);
	assert_int_equal(b.acct->splits, 0);
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	assert_int_equal(b.acct->splits, 1);
	assert_null(field(b.acct, 241));
	rig_close(b.r);
}

/* Users. */

static void
test_login_logout(void **unused)
{
	struct bench b = bench();
	struct pkt p;

	(void)unused;
	p = acct(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	text(&p, 31, "02-01");
	ip6(&p, 97, "2001:db8:7::", 64);
	ip6(&p, 168, "2001:db8:9::1", -1);
	send_acct(&b, &p);
	assert_string_equal(rig_value(b.r, "user.bob", "ip.10.0.0.5"), "1001");
	assert_string_equal(rig_value(b.r, "user.bob", "net.2001:db8:7::/64"), "1001");
	assert_string_equal(rig_value(b.r, "user.bob", "ip.2001:db8:9::1"), "1001");
	assert_string_equal(rig_value(b.r, "user.bob", "nas"), "192.0.2.1");
	assert_string_equal(rig_value(b.r, "user.bob", "session"), "s1");
	assert_string_equal(rig_value(b.r, "user.bob", "calling"), "02-01");
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), "bob");
	assert_string_equal(rig_value(b.r, "user.ip.2001:db8:9::1", ""), "bob");
	assert_string_equal(rig_value(b.r, "user.net.2001:db8:7::/64", ""), "bob");
	assert_true(has(b.r->ops, "persist user.bob\n"));
	assert_true(has(b.r->ops, "persist user.ip.10.0.0.5\n"));
	assert_false(has(b.r->ops, "expire"));
	assert_int_equal(count(&b, "user.login"), 3);
	assert_true(
	    has(b.r->events, "\"user\":\"bob\",\"ip\":\"10.0.0.5\",\"session\":\"s1\","
			     "\"nas\":\"192.0.2.1\",\"calling\":\"02-01\"}"));
	rig_forget(b.r);
	p = acct(&b, RADIUS_STOP, NULL, "s1", NULL); /* who it is, the session knows */
	num(&p, 42, 100);
	num(&p, 43, 200);
	num(&p, 53, 1);
	num(&p, 46, 33);
	send_acct(&b, &p);
	assert_null(rig_value(b.r, "user.bob", "ip.10.0.0.5"));
	assert_true(has(b.r->ops, "expire user.ip.10.0.0.5 60 if bob\n"));
	assert_true(has(b.r->ops, "expire user.net.2001:db8:7::/64 60 if bob\n"));
	assert_true(has(b.r->ops, "expire user.bob 60\n"));
	assert_int_equal(count(&b, "user.logout"), 3);
	assert_int_equal(
	    rig_lines(b.r->events, "\"inOctets\":100,\"outOctets\":4294967496,"
				   "\"seconds\":33}"),
	    3);
	rig_forget(b.r);
	say(&b, RADIUS_START, "bob", "s2", "10.0.0.5"); /* within the grace */
	assert_true(has(b.r->ops, "persist user.bob\n"));
	assert_true(has(b.r->ops, "persist user.ip.10.0.0.5\n"));
	rig_close(b.r);
}

static void
test_several_sessions(void **unused)
{
	struct bench b = bench();

	(void)unused;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	say(&b, RADIUS_START, "bob", "s2", "10.0.0.6");
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	assert_null(rig_value(b.r, "user.bob", "ip.10.0.0.5"));
	assert_string_equal(rig_value(b.r, "user.bob", "ip.10.0.0.6"), "1002");
	assert_false(has(b.r->ops, "expire user.bob"));
	say(&b, RADIUS_STOP, "bob", "s2", "10.0.0.6");
	assert_true(has(b.r->ops, "expire user.bob 60\n"));
	rig_close(b.r);
}

/* An address goes to its new user at once; what the old one's session says later is
 * late. */
static void
test_takeover(void **unused)
{
	struct bench b = bench();

	(void)unused;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	rig_forget(b.r);
	say(&b, RADIUS_START, "eve", "s2", "10.0.0.5");
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), "eve");
	assert_null(rig_value(b.r, "user.bob", "ip.10.0.0.5"));
	assert_true(has(b.r->ops, "expire user.bob 60\n"));
	assert_false(has(b.r->ops, "expire user.ip"));
	assert_true(
	    rig_lines(b.r->events, "\"user\":\"bob\",\"ip\":\"10.0.0.5\"") == 1);
	assert_int_equal(count(&b, "user.logout"), 1);
	assert_int_equal(count(&b, "user.login"), 1);
	rig_forget(b.r);
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	say(&b, RADIUS_STOP, "bob", "never-heard-of", "10.0.0.5");
	assert_false(has(b.r->ops, "user.ip"));
	assert_int_equal(count(&b, "user.logout"), 0);
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), "eve");
	rig_close(b.r);
}

/* The same user, a new session with the same address: nothing is gained or lost. */
static void
test_same_user_again(void **unused)
{
	struct bench b = bench();

	(void)unused;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	say(&b, RADIUS_START, "bob", "s2", "10.0.0.5");
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	assert_int_equal(count(&b, "user.login"), 1);
	assert_int_equal(count(&b, "user.logout"), 0);
	assert_false(has(b.r->ops, "expire"));
	say(&b, RADIUS_STOP, "bob", "s2", "10.0.0.5");
	assert_int_equal(count(&b, "user.logout"), 1);
	assert_true(has(b.r->ops, "expire user.bob 60\n"));
	rig_close(b.r);
}

static void
test_accept_then_accounting(void **unused)
{
	struct bench b = bench();
	struct pkt p;

	(void)unused;
	grant(&b, "bob", "02-01", "10.0.0.5");
	assert_int_equal(count(&b, "user.login"), 1);
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), "bob");
	assert_null(rig_value(b.r, "user.bob", "session"));
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	assert_string_equal(rig_value(b.r, "user.bob", "session"), "s1");
	assert_int_equal(count(&b, "user.login"), 1);
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	assert_int_equal(count(&b, "user.logout"), 1);
	assert_true(has(b.r->ops, "expire user.bob 60\n"));
	/* accounting without an address: the station tells */
	grant(&b, "eve", "02-02", "10.0.0.6");
	p = acct(&b, RADIUS_START, "eve", "s2", NULL);
	text(&p, 31, "02-02");
	send_acct(&b, &p);
	say(&b, RADIUS_STOP, "eve", "s2", NULL);
	assert_int_equal(count(&b, "user.logout"), 2);
	assert_true(has(b.r->ops, "expire user.ip.10.0.0.6 60 if eve\n"));
	/* "the NAS may choose" is no address; nor is one that was not asked for */
	grant(&b, "tim", "02-03", "255.255.255.254");
	p = pkt(RADIUS_ACCESS_ACCEPT, 99, 1);
	text(&p, 1, "tim");
	ip4(&p, 8, "10.0.0.7");
	rig_send(b.auth, 1, b.now, p.b, p.n);
	assert_int_equal(count(&b, "user.login"), 2);
	rig_close(b.r);
}

/* The name in the Access-Accept is the one that counts (RFC 2865 §5.1). */
static void
test_accept_names(void **unused)
{
	struct bench b = bench();
	struct pkt q = pkt(RADIUS_ACCESS_REQUEST, 5, 1),
		   a = pkt(RADIUS_ACCESS_ACCEPT, 5, 2);
	struct pkt r = pkt(RADIUS_ACCESS_REJECT, 6, 2);

	(void)unused;
	text(&q, 1, "anonymous");
	text(&a, 1, "bob");
	ip4(&a, 8, "10.0.0.5");
	rig_send(b.auth, 0, b.now, q.b, q.n);
	rig_send(b.auth, 1, b.now, a.b, a.n);
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), "bob");
	q.b[1] = 6;
	ip4(&r, 8, "10.0.0.6");
	rig_send(b.auth, 0, b.now, q.b, q.n);
	rig_send(b.auth, 1, b.now, r.b, r.n);
	assert_null(rig_value(b.r, "user.ip.10.0.0.6", ""));
	assert_null(rig_value(b.r, "user.anonymous", "nas"));
	rig_close(b.r);
}

static void
test_nas_restarts(void **unused)
{
	struct bench b = bench();
	struct pkt p;

	(void)unused;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	say(&b, RADIUS_START, "eve", "s2", "10.0.0.6");
	p = acct(&b, RADIUS_START, "tim", "s3", "10.0.0.7");
	memcpy(p.b + p.n - 12 + 2, "\xc0\0\2\2", 4); /* of another NAS */
	send_acct(&b, &p);
	assert_string_equal(rig_value(b.r, "user.tim", "nas"), "192.0.2.2");
	p = acct(&b, RADIUS_ON, NULL, NULL, NULL);
	num(&p, 41, 100); /* said before these began */
	send_acct(&b, &p);
	assert_int_equal(count(&b, "user.logout"), 0);
	say(&b, RADIUS_OFF, NULL, NULL, NULL);
	assert_int_equal(count(&b, "user.logout"), 2);
	assert_true(has(b.r->ops, "expire user.bob 60\n"));
	assert_true(has(b.r->ops, "expire user.ip.10.0.0.6 60 if eve\n"));
	assert_false(has(b.r->ops, "expire user.tim"));
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	assert_int_equal(count(&b, "user.logout"), 2);
	rig_close(b.r);
}

/* A probe that came late: an Interim-Update begins, a Stop ends what was before it. */
static void
test_came_late(void **unused)
{
	struct bench b = bench();
	struct pkt p = acct(&b, RADIUS_INTERIM, "bob", "s1", "10.0.0.5");

	(void)unused;
	num(&p, 46, 500);
	send_acct(&b, &p);
	assert_string_equal(rig_value(b.r, "user.bob", "ip.10.0.0.5"), "501");
	say(&b, RADIUS_STOP, "eve", "s9", "10.0.0.6");
	assert_true(has(b.r->ops, "expire user.ip.10.0.0.6 60 if eve\n"));
	assert_true(has(b.r->ops, "expire user.eve 60\n"));
	assert_int_equal(count(&b, "user.logout"), 1);
	rig_close(b.r);
}

/* Another IPv4 address replaces the first; IPv6 ones are added. */
static void
test_address_changes(void **unused)
{
	struct bench b = bench();
	struct pkt p;

	(void)unused;
	say(&b, RADIUS_START, "bob", "s1", NULL);
	assert_string_equal(rig_value(b.r, "user.bob", "session"), "s1");
	assert_int_equal(count(&b, "user.login"), 0);
	say(&b, RADIUS_INTERIM, "bob", "s1", "10.0.0.5");
	say(&b, RADIUS_INTERIM, "bob", "s1", "10.0.0.6");
	assert_null(rig_value(b.r, "user.bob", "ip.10.0.0.5"));
	assert_non_null(rig_value(b.r, "user.bob", "ip.10.0.0.6"));
	assert_int_equal(count(&b, "user.logout"), 1);
	p = acct(&b, RADIUS_INTERIM, "bob", "s1", NULL);
	ip6(&p, 168, "2001:db8::1", -1);
	ip6(&p, 168, "2001:db8::2", -1);
	ip6(&p, 168, "fe80::2", -1); /* nobody's alone */
	send_acct(&b, &p);
	assert_int_equal(count(&b, "user.login"), 4);
	assert_non_null(rig_value(b.r, "user.bob", "ip.10.0.0.6"));
	rig_close(b.r);
}

/* No room: the session that was not heard of for longest ends. */
static void
test_bound(void **unused)
{
	struct bench b = bench_as("sessions=16");
	char user[16], addr[16];
	unsigned i;

	(void)unused;
	for (i = 0; i < 100; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		snprintf(addr, sizeof(addr), "10.0.0.%u", i + 1);
		say(&b, RADIUS_START, user, user, addr);
		say(&b, RADIUS_INTERIM, "u0", "u0", "10.0.0.1");
	}
	assert_int_equal(counter(&b, "sessions_full"), 84);
	assert_int_equal(count(&b, "user.logout"), 84);
	assert_false(has(b.r->ops, "expire user.u0 "));
	rig_close(b.r);
}

/* Long texts are cut where they do not fit together, others are whole. */
static void
test_long(void **unused)
{
	struct bench b = bench();
	struct pkt p = acct(&b, RADIUS_START, NULL, NULL, "10.0.0.5");
	char t[254];

	(void)unused;
	memset(t, 'u', 253);
	t[253] = '\0';
	text(&p, 1, t);
	text(&p, 44, t);
	text(&p, 32, t);
	text(&p, 31, t);
	text(&p, 30, t);
	send_acct(&b, &p);
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), t);
	say(&b, RADIUS_STOP, t, t, "10.0.0.5");
	rig_close(b.r);
}

/* A user is not taken for an address. */
static void
test_forged(void **unused)
{
	struct bench b = bench();

	(void)unused;
	say(&b, RADIUS_START, "ip.10.0.0.9", "s1", "10.0.0.5");
	say(&b, RADIUS_START, "net.2001:db8::/64", "s2", "10.0.0.6");
	grant(&b, "ip.2001:db8::1", "02", "10.0.0.7");
	assert_string_equal(b.r->ops, "");
	assert_int_equal(count(&b, "radius"), 4);
	say(&b, RADIUS_START, "net.admin", "s3", "10.0.0.8");
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.8", ""), "net.admin");
	rig_close(b.r);
}

static void
test_unwanted(void **unused)
{
	struct bench b = bench();

	(void)unused;
	b.r->unwanted = true;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	assert_string_equal(b.r->events, "");
	assert_string_equal(rig_value(b.r, "user.ip.10.0.0.5", ""), "bob");
	rig_close(b.r);
}

static void
test_option(void **unused)
{
	struct mc_setup s = {.grace_us = S};
	char err[100] = "";

	(void)unused;
	assert_null(rig_open_as(&mc_plugin_radius, "sessions=2", &s, err, sizeof(err)));
	assert_true(has(err, "sessions"));
	assert_null(rig_open_as(&mc_plugin_radius, "sessions=x", &s, err, sizeof(err)));
}

/* What an address had: the last that was told to flows ("login bob ..."), "" nothing. */
static const char *
holder(const struct bench *b)
{
	const char *name = rig_value(b->r, "user.bob", "ip.10.0.0.5") != NULL ? "bob" :
	    rig_value(b->r, "user.eve", "ip.10.0.0.5") != NULL		     ? "eve" :
									       "";

	if (name[0] != '\0')
		assert_string_equal(rig_value(b->r, "user.ip.10.0.0.5", ""), name);
	return name;
}

/*
 * One story, told in any order, as two workers may: BOB comes at 1001 (accept and start),
 * EVE takes his address at 1005, his stop comes at 1007, hers at 1009 if LEAVES. The end is
 * always the same.
 */
static void
tell_in_order(const unsigned order[6], bool leaves)
{
	struct bench b = bench();
	uint64_t base = b.now;
	unsigned i;

	for (i = 0; i < 6; i++) {
		static const char *const user[] = {
		    "bob", "bob", "eve", "eve", "bob", "eve"};
		static const unsigned at[] = {1, 2, 5, 6, 7, 9};
		unsigned n = order[i];

		b.now = base + (at[n] - 1) * S - (n == 0 || n == 2 ? S : 0);
		switch (n) {
		case 0:
		case 2:
			grant(&b, user[n], user[n], "10.0.0.5");
			break;
		case 1:
		case 3:
			say(&b, RADIUS_START, user[n], user[n], "10.0.0.5");
			break;
		case 4:
			say(&b, RADIUS_STOP, user[n], user[n], "10.0.0.5");
			break;
		default:
			if (leaves)
				say(&b, RADIUS_STOP, user[n], user[n], "10.0.0.5");
		}
	}
	assert_string_equal(holder(&b), leaves ? "" : "eve");
	assert_true(has(b.r->ops, "login eve 10.0.0.5/128 100"));
	rig_close(b.r);
}

static void
permute(unsigned order[6], unsigned from, bool leaves)
{
	unsigned i, swap;

	if (from == 6) {
		tell_in_order(order, leaves);
		return;
	}
	for (i = from; i < 6; i++) {
		swap = order[from];
		order[from] = order[i];
		order[i] = swap;
		permute(order, from + 1, leaves);
		order[i] = order[from];
		order[from] = swap;
	}
}

static void
test_told_out_of_order(void **unused)
{
	unsigned order[6] = {0, 1, 2, 3, 4, 5};

	(void)unused;
	permute(order, 0, false);
	permute(order, 0, true);
}

/* He comes again with another session before the end of the first is told. */
static void
test_again_out_of_order(void **unused)
{
	struct bench b = bench();
	uint64_t base;

	(void)unused;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	base = b.now;
	b.now = base + 10 * S;
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	b.now = base + 8 * S;
	say(&b, RADIUS_START, "bob", "s2", "10.0.0.5");
	assert_string_equal(holder(&b), "bob");
	b.now = base + 20 * S;
	say(&b, RADIUS_STOP, "bob", "s2", "10.0.0.5");
	assert_string_equal(holder(&b), "");
	rig_close(b.r);
}

/* A session's end is told before its beginning: flows know when it was. */
static void
test_end_before_begin(void **unused)
{
	struct bench b = bench();

	(void)unused;
	b.now += 50 * S;
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5");
	b.now -= 40 * S;
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	assert_string_equal(holder(&b), "");
	assert_true(has(b.r->ops, "login bob 10.0.0.5/128 1012000000\n"
				  "logout bob 10.0.0.5/128 1051000000\n"));
	say(&b, RADIUS_STOP, "bob", "s1", "10.0.0.5"); /* repeated */
	assert_int_equal(count(&b, "user.logout"), 1);
	b.now += 100 * S; /* the id is used again */
	say(&b, RADIUS_START, "bob", "s1", "10.0.0.5");
	assert_string_equal(holder(&b), "bob");
	rig_close(b.r);
}

/* Whatever happens in whatever order, each address has one user, and all ends. */
static void
test_any_order(void **unused)
{
	struct bench b = bench_as("sessions=16");
	uint32_t seed = 1;
	unsigned i, n;

	(void)unused;
	for (i = 0; i < 20000; i++) {
		static const uint32_t status[] = {1, 1, 1, 2, 2, 3, 3, 7};
		char user[8], session[8], addr[16];
		struct pkt p;

		seed = seed * 1103515245 + 12345;
		n = seed >> 8;
		snprintf(user, sizeof(user), "u%u", n % 8);
		snprintf(session, sizeof(session), "s%u", n / 8 % 32);
		snprintf(addr, sizeof(addr), "10.0.0.%u", 1 + n / 256 % 12);
		if (n / 65536 % 5 == 0) {
			grant(&b, user, session, addr);
		} else {
			p = acct(&b, n % 997 == 0 ? 8 : status[n / 4096 % 7], user,
			    session, n / 65536 % 5 == 1 ? NULL : addr);
			if (n / 65536 % 5 == 2)
				num(&p, 41, n % 7);
			text(&p, 31, session);
			send_acct(&b, &p);
		}
		if (i % 500 == 0)
			rig_forget(b.r);
	}
	rig_forget(b.r);
	b.now += 1000 * S;
	say(&b, RADIUS_OFF, NULL, NULL, NULL);
	for (i = 0; i < 8; i++)
		for (n = 1; n <= 12; n++) {
			char key[16], f[24];

			snprintf(key, sizeof(key), "user.u%u", i);
			snprintf(f, sizeof(f), "ip.10.0.0.%u", n);
			assert_null(rig_value(b.r, key, f));
		}
	rig_close(b.r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_string),
	    cmocka_unit_test(test_events),
	    cmocka_unit_test(test_repetitions),
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_login_logout),
	    cmocka_unit_test(test_several_sessions),
	    cmocka_unit_test(test_takeover),
	    cmocka_unit_test(test_same_user_again),
	    cmocka_unit_test(test_accept_then_accounting),
	    cmocka_unit_test(test_accept_names),
	    cmocka_unit_test(test_nas_restarts),
	    cmocka_unit_test(test_came_late),
	    cmocka_unit_test(test_address_changes),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_forged),
	    cmocka_unit_test(test_unwanted),
	    cmocka_unit_test(test_option),
	    cmocka_unit_test(test_told_out_of_order),
	    cmocka_unit_test(test_again_out_of_order),
	    cmocka_unit_test(test_end_before_begin),
	    cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
