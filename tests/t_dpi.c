/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_dpi.c -- dpi.c on packets made here. The names expected are the same in nDPI 4.2
 * and later; built without nDPI only the last group runs. Long, because the packets of
 * every protocol it is shown stand here too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dpi.h"

#define TCP 6
#define UDP 17
#define SECOND 1000000ULL
#define NOW (1700000000 * SECOND)
#define PAYLOAD_MAX 1024

struct room {
	struct counters counters;
	struct dpi *dpi;
};

static struct dpi_names *names; /* of main(): tests only read it */

/* A flow from 192.0.2.10:SPORT to 198.51.100.20:DPORT; the client is endpoint 0. */
static void
flow_start(struct flow *f, unsigned proto, unsigned sport, unsigned dport)
{
	memset(f, 0, sizeof(*f));
	f->key.ip_version = 4;
	f->key.proto = (uint8_t)proto;
	f->key.port[0] = (uint16_t)sport;
	f->key.port[1] = (uint16_t)dport;
	memset(f->key.addr[0] + 10, 0xff, 2);
	memset(f->key.addr[1] + 10, 0xff, 2);
	memcpy(f->key.addr[0] + 12, "\xc0\x00\x02\x0a", 4);
	memcpy(f->key.addr[1] + 12, "\xc6\x33\x64\x14", 4);
	f->flags = proto == TCP ? FLOW_CLIENT_SURE : 0;
	f->last_dir_us[0] = NOW;
	f->packets[0] = 1;
	f->index = (uint32_t)sport; /* as if of a pool */
}

/* The packet of F in direction DIR with LEN bytes at DATA. */
static struct packet
packet_of(const struct flow *f, unsigned dir, const void *data, size_t len)
{
	struct packet pkt = {
		.ts_us = NOW,
		.payload = len > 0 ? data : NULL,
		.payload_len = (uint32_t)len,
		.payload_wire = (uint32_t)len,
		.sport = f->key.port[dir],
		.dport = f->key.port[!dir],
		.seq = dir ? 500000 : 1000,
		.ack = dir ? 1000 : 500000,
		.window = 512,
		.tcp_flags = TCP_ACK | TCP_PSH,
		.ip_version = f->key.ip_version,
		.proto = f->key.proto,
		.ttl = 64,
	};

	memcpy(pkt.src, f->key.addr[dir], 16);
	memcpy(pkt.dst, f->key.addr[!dir], 16);
	return pkt;
}

/* Show it to nDPI from memory of exactly its size, so that ASan sees over-reads. */
static void
send_bytes(struct room *r, struct flow *f, unsigned dir, const void *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct packet pkt;

	assert_non_null(copy);
	memcpy(copy, data, len);
	pkt = packet_of(f, dir, copy, len);
	if (!(f->flags & FLOW_DPI_DONE))
		dpi_packet(r->dpi, f, &pkt, dir, false);
	free(copy);
}

static void
send_text(struct room *r, struct flow *f, unsigned dir, const char *text)
{
	send_bytes(r, f, dir, text, strlen(text));
}

static const char *
name_of(const struct flow *f)
{
	static _Thread_local char buf[64];

	dpi_full_name(names, f->l7, buf, sizeof(buf));
	return buf;
}

/* F has its verdict and holds nothing of nDPI. */
static void
assert_done(const struct flow *f)
{
	assert_true(f->flags & FLOW_DPI_DONE);
}

static void
flow_end(struct flow *f)
{
	free(f->l7);
	f->l7 = NULL;
}

#define COUNT(r, id) counter_get(&(r)->counters, COUNTER_DPI_##id)

static int
room_start(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	r->dpi = dpi_new(100, &r->counters, NULL);
	*state = r;
	return r->dpi == NULL;
}

static int
room_start_tiny(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	r->dpi = dpi_new(1, &r->counters, NULL);
	*state = r;
	return r->dpi == NULL;
}

static int
room_end(void **state)
{
	struct room *r = *state;

	dpi_free(r->dpi);
	free(r);
	return 0;
}

static const char http_get[] = "GET /index.html HTTP/1.1\r\n"
			       "Host: www.flows.example\r\n"
			       "User-Agent: probe/1.0\r\nAccept: */*\r\n\r\n";
static const char http_ok[] = "HTTP/1.1 200 OK\r\nServer: s\r\n"
			      "Content-Type: text/plain\r\n"
			      "Content-Length: 2\r\n\r\nok";

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A TLS 1.2 ClientHello for the server NAME; returns its length. */
static size_t
client_hello(uint8_t *p, const char *name)
{
	static const uint8_t ciphers[] = { 0xc0, 0x2f, 0xc0, 0x30, 0x00, 0x9c };
	size_t n = strlen(name), at = 9;

	p[0] = 22; /* handshake record */
	put16(p + 1, 0x0301);
	p[5] = 1; /* client hello */
	p[6] = 0;
	put16(p + at, 0x0303);
	memset(p + at + 2, 0x5a, 32); /* random */
	at += 34;
	p[at++] = 0; /* no session */
	put16(p + at, sizeof(ciphers));
	memcpy(p + at + 2, ciphers, sizeof(ciphers));
	at += 2 + sizeof(ciphers);
	p[at++] = 1; /* compression: none */
	p[at++] = 0;
	put16(p + at, n + 9); /* extensions: RFC 6066 §3 */
	put16(p + at + 2, 0);
	put16(p + at + 4, n + 5);
	put16(p + at + 6, n + 3);
	p[at + 8] = 0;
	put16(p + at + 9, n);
	memcpy(p + at + 11, name, n);
	at += 11 + n;
	put16(p + 3, at - 5);
	put16(p + 7, at - 9);
	return at;
}

/* A DNS message for www.flows.example A with FLAGS, no answers; returns its length. */
static size_t
dns_message(uint8_t *p, unsigned flags, unsigned authorities)
{
	static const char question[] = "\3www\5flows\7example\0\0\1\0\1";
	/* the root, SOA, IN, ttl 5, a serial and times */
	static const char soa[] = "\0\0\6\0\1\0\0\0\5\0\x16\0\0"
				  "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
	size_t len = 12;

	memset(p, 0, 12);
	put16(p, 0x1234);
	put16(p + 2, flags);
	put16(p + 4, 1);
	put16(p + 8, authorities);
	memcpy(p + len, question, sizeof(question) - 1);
	len += sizeof(question) - 1;
	if (authorities > 0) {
		memcpy(p + len, soa, sizeof(soa) - 1);
		len += sizeof(soa) - 1;
	}
	return len;
}

/* Bytes without a meaning, the same in every run. */
static void
noise(uint8_t *p, size_t len, uint32_t seed)
{
	while (len-- > 0) {
		seed = seed * 1664525 + 1013904223;
		*p++ = (uint8_t)(seed >> 24) | 0x80;
	}
}

static void
test_http(void **state)
{
	struct room *r = *state;
	struct flow f;

	flow_start(&f, TCP, 40000, 80);
	send_text(r, &f, 0, http_get);
	assert_false(f.flags & FLOW_DPI_DONE); /* the status is still to come */
	assert_true(dpi_undecided(r->dpi, &f));
	send_text(r, &f, 1, http_ok);
	assert_done(&f);
	assert_string_equal(name_of(&f), "HTTP");
	assert_string_equal(f.l7->info, "www.flows.example");
	assert_int_equal(f.l7->info_len, strlen(f.l7->info));
	assert_false(f.l7->tls);
	assert_false(f.l7->guessed);
	assert_false(f.flags & FLOW_L7_GUESSED);
	assert_string_equal(dpi_confidence(f.l7->confidence), "DPI");
	assert_string_equal(dpi_category(names, f.l7->category), "Web");
	assert_int_equal(f.dpi_packets, 2);
	assert_int_equal(COUNT(r, FLOWS), 1);
	assert_int_equal(COUNT(r, PACKETS), 2);
	assert_int_equal(COUNT(r, DETECTED), 1);
	assert_int_equal(COUNT(r, GUESSED) + COUNT(r, UNKNOWN) + COUNT(r, CAPPED), 0);
	flow_end(&f);
}

/* HTTP on a port of its own is a risk; its name goes into the record. */
static void
test_risk(void **state)
{
	struct room *r = *state;
	struct flow f;
	char buf[256];

	flow_start(&f, TCP, 40000, 8765);
	send_text(r, &f, 0, http_get);
	dpi_finish(r->dpi, &f);
	assert_done(&f);
	assert_string_equal(name_of(&f), "HTTP");
	assert_true(f.l7->risk != 0);
	assert_true(f.l7->score > 0);
	assert_true(dpi_risk_names(f.l7->risk, buf, sizeof(buf)) > 0);
	assert_non_null(strstr(buf, "Known Proto"));
	flow_end(&f);
}

static void
test_tls(void **state)
{
	struct room *r = *state;
	uint8_t hello[PAYLOAD_MAX];
	struct flow f;
	size_t len = client_hello(hello, "www.flows.example");

	flow_start(&f, TCP, 40001, 443);
	send_bytes(r, &f, 0, hello, len);
	dpi_finish(r->dpi, &f);
	assert_done(&f);
	assert_string_equal(name_of(&f), "TLS");
	assert_string_equal(f.l7->info, "www.flows.example");
	assert_true(f.l7->tls);
	assert_false(f.l7->guessed);
	flow_end(&f);
}

/* The server name makes it a protocol within a protocol. */
static void
test_tls_app(void **state)
{
	struct room *r = *state;
	uint8_t hello[PAYLOAD_MAX];
	struct flow f;
	size_t len = client_hello(hello, "de.wikipedia.org");

	flow_start(&f, TCP, 40001, 443);
	send_bytes(r, &f, 0, hello, len);
	dpi_finish(r->dpi, &f);
	assert_string_equal(name_of(&f), "TLS.Wikipedia");
	assert_string_equal(dpi_name(names, f.l7->master), "TLS");
	assert_true(f.l7->tls);
	flow_end(&f);
}

static void
test_dns(void **state)
{
	struct room *r = *state;
	uint8_t msg[PAYLOAD_MAX];
	struct flow f;

	flow_start(&f, UDP, 40002, 53);
	send_bytes(r, &f, 0, msg, dns_message(msg, 0x0100, 0));
	assert_false(f.flags & FLOW_DPI_DONE);
	send_bytes(r, &f, 1, msg, dns_message(msg, 0x8183, 1)); /* NXDOMAIN */
	assert_done(&f);
	assert_string_equal(name_of(&f), "DNS");
	assert_string_equal(f.l7->info, "www.flows.example");
	assert_false(f.l7->tls);
	flow_end(&f);

	/* a refusal has no records at all, and is the end of it all the same */
	flow_start(&f, UDP, 40003, 53);
	send_bytes(r, &f, 0, msg, dns_message(msg, 0x0100, 0));
	send_bytes(r, &f, 1, msg, dns_message(msg, 0x8185, 0));
	assert_done(&f);
	assert_string_equal(name_of(&f), "DNS");
	flow_end(&f);
}

/* A question for HOST, which ends in two labels. */
static size_t
dns_question(uint8_t *p, const char *host)
{
	const char *dot;
	size_t len = 12;

	memset(p, 0, 12);
	put16(p, 0x1234);
	put16(p + 2, 0x0100);
	put16(p + 4, 1);
	for (; *host != '\0'; host = *dot == '.' ? dot + 1 : dot) {
		dot = strchrnul(host, '.');
		p[len++] = (uint8_t)(dot - host);
		memcpy(p + len, host, (size_t)(dot - host));
		len += (size_t)(dot - host);
	}
	memcpy(p + len, "\0\0\1\0\1", 5);
	return len + 5;
}

static bool
claim(struct room *r, struct flow *f, unsigned dir, const char *host)
{
	struct dpi_claim c = {.kind = DPI_CLAIM_DNS, .len = (uint8_t)strlen(host)};
	uint8_t msg[PAYLOAD_MAX];
	struct packet pkt = packet_of(f, dir, msg, dns_question(msg, host));

	memcpy(c.name, host, c.len);
	return dpi_claim(r->dpi, f, &pkt, dir, &c);
}

/* What a plugin read gives the verdict that nDPI gives, whoever is asked; once a name. */
static void
test_claim(void **state)
{
	static const char *const hosts[] = {"www.flows.example", "www.google.com",
		"static.xx.fbcdn.net", "api.dropbox.com", "s3.amazonaws.com", "a_b-c.9.de",
		"xn--bcher-kva.example", "dns.google", "kqzxvbwpfjhg.example.org"};
	static const char *const servers[] = {"\x08\x08\x08\x08", "\x01\x01\x01\x01",
		"\x0a\x00\x00\x01", "\xc0\xa8\x00\x01"};
	struct room *r = *state;
	uint8_t msg[PAYLOAD_MAX];
	struct flow f, g;
	uint64_t packets;
	unsigned i, j;

	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		for (j = 0; j < 4; j++) {
			flow_start(&g, UDP, 40002, 53);
			memcpy(g.key.addr[1] + 12, servers[j], 4);
			send_bytes(r, &g, 0, msg, dns_question(msg, hosts[i]));
			dpi_finish(r->dpi, &g);
			flow_start(&f, UDP, 40003 + j, 53);
			memcpy(f.key.addr[1] + 12, servers[j], 4);
			packets = COUNT(r, PACKETS);
			assert_true(claim(r, &f, 0, hosts[i]));
			assert_int_equal(COUNT(r, PACKETS) - packets, j < 3);
			assert_done(&f);
			if (f.l7->master != g.l7->master || f.l7->app != g.l7->app)
				fail_msg("%s of server %u: %u.%u, nDPI says %u.%u", hosts[i],
				    j, f.l7->master, f.l7->app, g.l7->master, g.l7->app);
			assert_int_equal(f.l7->category, g.l7->category);
			assert_int_equal(f.l7->confidence, g.l7->confidence);
			assert_string_equal(f.l7->info, g.l7->info);
			flow_end(&f);
			flow_end(&g);
		}
	assert_int_equal(COUNT(r, CLAIMED), 4 * sizeof(hosts) / sizeof(hosts[0]));
	/* not by an answer, nor of a flow that nDPI has begun with */
	flow_start(&f, UDP, 40002, 53);
	assert_false(claim(r, &f, 1, "www.flows.example"));
	send_bytes(r, &f, 0, msg, dns_message(msg, 0x0100, 0));
	assert_false(claim(r, &f, 0, "www.flows.example"));
	dpi_finish(r->dpi, &f);
	flow_end(&f);
}

static void
test_ssh(void **state)
{
	struct room *r = *state;
	struct flow f;

	flow_start(&f, TCP, 40004, 2222);
	send_text(r, &f, 1, "SSH-2.0-OpenSSH_9.2\r\n");
	send_text(r, &f, 0, "SSH-2.0-OpenSSH_9.0\r\n");
	dpi_finish(r->dpi, &f);
	assert_done(&f);
	assert_string_equal(name_of(&f), "SSH");
	assert_false(f.l7->guessed);
	flow_end(&f);
}

/* Feed noise until the verdict: it must come with packet MAX. */
static void
run_noise(struct room *r, unsigned proto, unsigned max)
{
	uint8_t bytes[100];
	struct flow f;
	unsigned i;

	flow_start(&f, proto, 40005, 50005);
	for (i = 1; i <= 2 * max && !(f.flags & FLOW_DPI_DONE); i++) {
		noise(bytes, sizeof(bytes), i);
		send_bytes(r, &f, i & 1, bytes, sizeof(bytes));
	}
	assert_int_equal(i - 1, max);
	assert_int_equal(f.dpi_packets, max);
	assert_done(&f);
	assert_string_equal(name_of(&f), "Unknown");
	assert_false(f.flags & FLOW_L7_GUESSED);
	assert_int_equal(COUNT(r, PACKETS), max);
	assert_int_equal(COUNT(r, UNKNOWN), 1);
	dpi_finish(r->dpi, &f); /* the verdict stands */
	assert_int_equal(COUNT(r, UNKNOWN), 1);
	flow_end(&f);
}

static void
test_noise_udp(void **state)
{
	run_noise(*state, UDP, DPI_MAX_UDP);
}

static void
test_noise_tcp(void **state)
{
	run_noise(*state, TCP, DPI_MAX_TCP);
}

static void
test_by_port(void **state)
{
	static const struct {
		unsigned proto, port;
		const char *name;
	} row[] = {
		{ TCP, 443, "TLS" },
		{ TCP, 22, "SSH" },
		{ UDP, 53, "DNS" },
		{ TCP, 50123, "Unknown" },
	};
	struct room *r = *state;
	struct flow f;
	unsigned i, v6;

	for (i = 0; i < 2 * sizeof(row) / sizeof(row[0]); i++) {
		bool known = strcmp(row[i / 2].name, "Unknown") != 0;

		v6 = i & 1;
		flow_start(&f, row[i / 2].proto, 41000, row[i / 2].port);
		if (v6) {
			f.key.ip_version = 6;
			memcpy(f.key.addr[0], "\x20\x01\x0d\xb8", 4);
			memcpy(f.key.addr[1], "\x20\x01\x0d\xb8", 4);
		}
		dpi_finish(r->dpi, &f); /* nothing but a SYN was seen */
		assert_done(&f);
		assert_string_equal(name_of(&f), row[i / 2].name);
		assert_int_equal((f.flags & FLOW_L7_GUESSED) != 0, known);
		if (known) {
			assert_true(f.l7->guessed);
			assert_int_equal(f.l7->risk, 0);
			assert_string_equal(dpi_confidence(f.l7->confidence),
			    "Match by port");
		} else {
			assert_null(f.l7);
		}
		flow_end(&f);
	}
	assert_int_equal(COUNT(r, GUESSED), 6);
	assert_int_equal(COUNT(r, UNKNOWN), 2);
	assert_int_equal(COUNT(r, FLOWS), 0); /* no state was taken for it */
}

static void
test_by_protocol(void **state)
{
	static const struct {
		unsigned proto, version;
		const char *name;
	} row[] = {
		{ 1, 4, "ICMP" },
		{ 2, 4, "IGMP" },
		{ 47, 4, "GRE" },
		{ 50, 6, "IPSec" },
		{ 58, 6, "ICMPV6" },
		{ 89, 4, "OSPF" },
		{ 132, 6, "SCTP" },
	};
	struct room *r = *state;
	struct flow f;
	unsigned i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		flow_start(&f, row[i].proto, 0, 0);
		f.key.ip_version = (uint8_t)row[i].version;
		if (i & 1)
			send_text(r, &f, 0, "some payload of it");
		else
			dpi_finish(r->dpi, &f);
		assert_done(&f);
		/* IPsec became IPSec */
		assert_int_equal(strcasecmp(name_of(&f), row[i].name), 0);
		assert_false(f.l7->guessed);
		assert_false(f.flags & FLOW_L7_GUESSED);
		flow_end(&f);
	}
	assert_int_equal(COUNT(r, FLOWS), 0);
	assert_int_equal(COUNT(r, DETECTED), sizeof(row) / sizeof(row[0]));
}

static void
test_cap(void **state)
{
	struct room *r = *state;
	uint8_t msg[PAYLOAD_MAX];
	struct flow a, b, c;
	size_t len = dns_message(msg, 0x0100, 0);

	flow_start(&a, TCP, 40006, 80);
	send_text(r, &a, 0, http_get);
	assert_true(dpi_undecided(r->dpi, &a));

	flow_start(&b, UDP, 40007, 53); /* no room */
	send_bytes(r, &b, 0, msg, len);
	assert_done(&b);
	assert_int_equal(b.dpi_packets, 0);
	assert_int_equal(COUNT(r, CAPPED), 1);
	assert_int_equal(COUNT(r, FLOWS), 1);
	assert_string_equal(name_of(&b), "DNS");
	assert_true(b.flags & FLOW_L7_GUESSED);
	assert_int_equal(b.l7->info_len, 0);

	dpi_finish(r->dpi, &a); /* room again */
	assert_string_equal(name_of(&a), "HTTP");
	flow_start(&c, UDP, 40008, 53);
	send_bytes(r, &c, 0, msg, len);
	assert_true(dpi_undecided(r->dpi, &c));
	dpi_finish(r->dpi, &c);
	assert_string_equal(c.l7->info, "www.flows.example");
	assert_int_equal(COUNT(r, CAPPED), 1);
	flow_end(&a);
	flow_end(&b);
	flow_end(&c);
}

static void
test_forget(void **state)
{
	struct room *r = *state;
	struct flow f;

	flow_start(&f, TCP, 40009, 80);
	dpi_forget(r->dpi, &f); /* nothing to forget */
	send_text(r, &f, 0, http_get);
	assert_true(dpi_undecided(r->dpi, &f));
	dpi_forget(r->dpi, &f);
	assert_false(dpi_undecided(r->dpi, &f));
	assert_null(f.l7);
	assert_false(f.flags & FLOW_DPI_DONE);
	assert_int_equal(COUNT(r, DETECTED) + COUNT(r, UNKNOWN), 0);
	send_text(r, &f, 0, http_get); /* the one state there is is free again */
	assert_int_equal(COUNT(r, CAPPED), 0);
	dpi_finish(r->dpi, &f);
	assert_string_equal(name_of(&f), "HTTP");
	flow_end(&f);
}

/* A module that goes away takes the states of flows that did not end. */
static void
test_left_over(void **state)
{
	struct room *r = *state;
	uint8_t hello[PAYLOAD_MAX];
	struct flow f[3];
	size_t len = client_hello(hello, "www.flows.example");
	unsigned i;

	for (i = 0; i < 3; i++) {
		flow_start(&f[i], TCP, 40020 + i, 443);
		send_bytes(r, &f[i], 0, hello, len / (i + 1));
		assert_true(dpi_undecided(r->dpi, &f[i]));
	}
	dpi_forget(r->dpi, &f[1]); /* LeakSanitizer sees to the others */
}

/* What has no beginning of a message is not shown to nDPI. */
static void
test_not_fed(void **state)
{
	struct room *r = *state;
	struct flow f;
	struct packet pkt;

	flow_start(&f, UDP, 40010, 53);
	pkt = packet_of(&f, 0, http_get, sizeof(http_get) - 1);
	pkt.flags |= PACKET_FRAG_LATER;
	dpi_packet(r->dpi, &f, &pkt, 0, false);
	pkt = packet_of(&f, 0, NULL, 0);
	dpi_packet(r->dpi, &f, &pkt, 0, false);
	assert_false(dpi_undecided(r->dpi, &f));
	assert_int_equal(COUNT(r, PACKETS), 0);
	dpi_finish(r->dpi, &f);
	assert_true(f.flags & FLOW_L7_GUESSED);
	flow_end(&f);
}

/* Aggregated flows (-p) may hold TCP and UDP: only the first kind is shown. */
static void
test_mixed(void **state)
{
	struct room *r = *state;
	uint8_t hello[PAYLOAD_MAX];
	struct flow f;
	struct packet pkt;
	size_t len = client_hello(hello, "www.flows.example");
	unsigned i;

	flow_start(&f, TCP, 40011, 8443);
	for (i = 0; i < 6; i++) {
		pkt = packet_of(&f, 0, hello, len - 10);
		pkt.proto = i & 1 ? UDP : TCP;
		pkt.seq += i;
		dpi_packet(r->dpi, &f, &pkt, 0, false);
		pkt.ip_version = 6;
		dpi_packet(r->dpi, &f, &pkt, 0, false);
	}
	assert_int_equal(COUNT(r, PACKETS), 3);
	dpi_finish(r->dpi, &f);
	assert_done(&f);
	flow_end(&f);
}

/* A capture made with a short snaplen still says what it is. */
static void
test_truncated(void **state)
{
	struct room *r = *state;
	struct flow f;
	struct packet pkt;

	flow_start(&f, TCP, 40012, 8080);
	pkt = packet_of(&f, 0, http_get, 60);
	pkt.payload_wire = 1400;
	pkt.flags |= PACKET_TRUNCATED | PACKET_CUT;
	dpi_packet(r->dpi, &f, &pkt, 0, false);
	dpi_finish(r->dpi, &f);
	assert_string_equal(name_of(&f), "HTTP");
	flow_end(&f);
}

/*
 * Every length of every sample, each way, over TCP and UDP, also where the port makes
 * nDPI guess another protocol than the bytes were of: no over-read, bad free or leak.
 */
static void
test_lengths(void **state)
{
	struct room *r = *state;
	uint8_t sample[4][PAYLOAD_MAX];
	size_t len[4], i, n;
	unsigned port, proto;
	struct flow f;

	memcpy(sample[0], http_get, len[0] = sizeof(http_get) - 1);
	len[1] = client_hello(sample[1], "www.flows.example");
	len[2] = dns_message(sample[2], 0x8180, 1);
	noise(sample[3], len[3] = 100, 7);
	for (i = 0; i < 4; i++)
		for (n = 1; n <= len[i]; n++)
			for (port = 0; port < 6; port++) {
				static const unsigned p[] = { 80, 443, 53 };

				proto = port & 1 ? UDP : TCP;
				flow_start(&f, proto, 40013, p[port / 2]);
				send_bytes(r, &f, 0, sample[i], n);
				send_bytes(r, &f, 1, sample[i], n);
				dpi_finish(r->dpi, &f);
				assert_done(&f);
				flow_end(&f);
			}
}

/* Offloading makes segments longer than an IP packet can be. */
static void
test_huge(void **state)
{
	struct room *r = *state;
	size_t len = 200000;
	uint8_t *p = calloc(1, len);
	struct flow f;

	assert_non_null(p);
	memcpy(p, http_get, sizeof(http_get) - 1);
	flow_start(&f, TCP, 40014, 80);
	send_bytes(r, &f, 0, p, len);
	dpi_finish(r->dpi, &f);
	assert_string_equal(name_of(&f), "HTTP");
	flow_end(&f);
	free(p);
}

static void *
thread_run(void *arg)
{
	struct room *r = arg;
	uint8_t hello[PAYLOAD_MAX], msg[PAYLOAD_MAX];
	size_t len = client_hello(hello, "www.flows.example");
	struct flow f;
	unsigned i, good = 0;

	for (i = 0; i < 300; i++) {
		flow_start(&f, TCP, 1024 + i, 443);
		send_bytes(r, &f, 0, hello, len);
		dpi_finish(r->dpi, &f);
		good += strcmp(name_of(&f), "TLS") == 0;
		flow_end(&f);
		flow_start(&f, UDP, 1024 + i, 53);
		send_bytes(r, &f, 0, msg, dns_message(msg, 0x0100, 0));
		dpi_finish(r->dpi, &f);
		good += strcmp(name_of(&f), "DNS") == 0;
		flow_end(&f);
	}
	return good == 600 ? r : NULL;
}

/* Modules made in one thread, each used by its own. */
static void
test_threads(void **state)
{
	struct room *r = calloc(2, sizeof(*r));
	pthread_t t[2];
	void *ret;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		r[i].dpi = dpi_new(10, &r[i].counters, NULL);
		assert_non_null(r[i].dpi);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, thread_run, &r[i]), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(t[i], &ret), 0);
		assert_ptr_equal(ret, &r[i]);
		assert_int_equal(COUNT(&r[i], DETECTED), 600);
		dpi_free(r[i].dpi);
	}
	free(r);
}

static void
test_names(void **state)
{
	const char *want[] = { "DNS", "HTTP", "TLS", "QUIC", "SSH", "ICMP" };
	unsigned count = dpi_names_count(names), i, id;

	(void)state;
	assert_in_range(count, 200, 4096);
	assert_string_equal(dpi_name(names, 0), "Unknown");
	assert_string_equal(dpi_name(names, count), "Unknown");
	assert_string_equal(dpi_name(names, 65535), "Unknown");
	for (id = 0; id < count; id++)
		assert_true(dpi_name(names, id)[0] != '\0');
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		for (id = 0; id < count; id++)
			if (strcmp(dpi_name(names, id), want[i]) == 0)
				break;
		assert_in_range(id, 1, count - 1);
	}
	assert_string_equal(dpi_category(names, 0), "Unspecified");
	assert_string_equal(dpi_category(names, 65535), "Unknown");
	assert_string_equal(dpi_confidence(0), "Unknown");
	assert_string_equal(dpi_confidence(255), "Unknown");
}

static void
test_full_name(void **state)
{
	struct flow_l7 l7 = { .master = 0 };
	char buf[32], want[32];

	(void)state;
	assert_int_equal(dpi_full_name(names, &l7, buf, sizeof(buf)), 7);
	assert_string_equal(buf, "Unknown");
	l7.app = 5;
	assert_int_equal(dpi_full_name(names, &l7, buf, sizeof(buf)),
	    strlen(dpi_name(names, 5)));
	assert_string_equal(buf, dpi_name(names, 5));
	l7.master = 5;
	dpi_full_name(names, &l7, buf, sizeof(buf));
	assert_string_equal(buf, dpi_name(names, 5));
	l7.master = 7;
	snprintf(want, sizeof(want), "%s.%s", dpi_name(names, 7), dpi_name(names, 5));
	assert_int_equal(dpi_full_name(names, &l7, buf, sizeof(buf)), strlen(want));
	assert_string_equal(buf, want);
	assert_int_equal(dpi_full_name(names, &l7, buf, 3), 2); /* cut */
	assert_int_equal(strlen(buf), 2);
	assert_int_equal(dpi_full_name(names, &l7, buf, 0), 0);
}

static void
test_risk_names(void **state)
{
	char buf[4096], one[128];
	size_t len, all = dpi_risk_names(UINT64_MAX, buf, sizeof(buf)), commas = 0, i;

	(void)state;
	assert_int_equal(all, strlen(buf));
	for (i = 0; i < all; i++)
		commas += buf[i] == ',';
	assert_int_equal(commas, 63); /* no name has one inside */
	for (i = 0; i < 64; i++) {
		len = dpi_risk_names(1ULL << i, one, sizeof(one));
		assert_in_range(len, 1, sizeof(one) - 1);
		assert_non_null(strstr(buf, one));
	}
	assert_int_equal(dpi_risk_names(0, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	len = dpi_risk_names(6, buf, sizeof(buf));
	assert_int_equal(dpi_risk_names(6, one, len + 1), len);
	assert_in_range(dpi_risk_names(6, one, len), 1, len - 2); /* the first alone */
	assert_null(strchr(one, ','));
	assert_int_equal(dpi_risk_names(6, one, 1), 0);
	assert_int_equal(dpi_risk_names(6, one, 0), 0);
}

/* Without a table of names, or without nDPI, everything has an answer too. */
static void
test_no_names(void **state)
{
	struct flow_l7 l7 = { .app = 5, .master = 7 };
	char buf[32];

	(void)state;
	assert_int_equal(dpi_names_count(NULL), 0);
	assert_string_equal(dpi_name(NULL, 5), "Unknown");
	assert_string_equal(dpi_category(NULL, 5), "Unknown");
	assert_int_equal(dpi_full_name(NULL, NULL, buf, sizeof(buf)), 7);
	assert_string_equal(buf, "Unknown");
	dpi_full_name(NULL, &l7, buf, sizeof(buf));
	assert_string_equal(buf, "Unknown.Unknown");
	dpi_names_free(NULL);
	dpi_free(NULL);
}

static void
test_without(void **state)
{
	struct counters counters = { .v = { 0 } };
	struct flow f;
	struct packet pkt;
	char buf[256];

	(void)state;
	assert_null(dpi_new(10, &counters, NULL));
	assert_null(dpi_names_new());
	flow_start(&f, TCP, 40000, 80);
	pkt = packet_of(&f, 0, http_get, sizeof(http_get) - 1);
	dpi_packet(NULL, &f, &pkt, 0, false);
	assert_done(&f);
	flow_start(&f, TCP, 40000, 80);
	dpi_finish(NULL, &f);
	dpi_forget(NULL, &f);
	assert_done(&f);
	assert_null(f.l7);
	assert_string_equal(dpi_confidence(3), "Unknown");
	assert_true(dpi_risk_names(2, buf, sizeof(buf)) > 0);
}

#define ROOM(t) cmocka_unit_test_setup_teardown(t, room_start, room_end)
#define TINY(t) cmocka_unit_test_setup_teardown(t, room_start_tiny, room_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM(test_http), ROOM(test_risk), ROOM(test_tls), ROOM(test_tls_app),
		ROOM(test_dns), ROOM(test_claim), ROOM(test_ssh), ROOM(test_noise_udp),
		ROOM(test_noise_tcp), ROOM(test_by_port), ROOM(test_by_protocol),
		TINY(test_cap), TINY(test_forget), ROOM(test_not_fed),
		ROOM(test_left_over),
		ROOM(test_mixed), ROOM(test_truncated), ROOM(test_lengths),
		ROOM(test_huge),
		cmocka_unit_test(test_threads), cmocka_unit_test(test_names),
		cmocka_unit_test(test_full_name), cmocka_unit_test(test_risk_names),
		cmocka_unit_test(test_no_names),
	};
	const struct CMUnitTest without[] = {
		cmocka_unit_test(test_no_names), cmocka_unit_test(test_without),
	};
	int failed;

	if (dpi_version() == NULL)
		return cmocka_run_group_tests(without, NULL, NULL);
	names = dpi_names_new();
	if (names == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dpi_names_free(names);
	return failed;
}
