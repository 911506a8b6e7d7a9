/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_dns.c -- the plugin that reads DNS, by packets of one flow.
 *
 *	byte 0	bit 0: TCP; bit 1: transactions are split; bits 2-3: ports 53, 5353, 5355,
 *		53; bit 4: to a group; bit 5: TCP whose beginning was not seen
 *	byte 1	how the second reading of a TCP connection is cut
 *	then	packets: 2 bytes: their length's low 12 bits, bit 12 the sender, bit 13 time
 *		passes, bit 14 bytes before them are lost, bit 15 bytes of them were not
 *		captured; then as many bytes
 *
 * What the parser says of a message agrees with its bytes: names are names, addresses
 * as many as it says, text ends. Of the plugin: a timer is set exactly while something
 * waits; each query is reported once, so that nothing waits after the end; every event
 * is an object; memory is touched where it may be (by the sanitizers). Of TCP: the same
 * messages are found in the same bytes however they are cut (of large ones in pieces
 * the end is not read, so these are only counted).
 */
#include "fuzz.h"

#include "../plugins/dns_wire.h"
#include "../tests/plugin_rig.h"

const char fuzz_name[] = "dns";

#define SMALL 2048 /* messages that are kept whole */

extern const struct mc_plugin mc_plugin_dns;

/* A name is labels that end with the root at its end. */
static void
check_name(const struct dns_name *name)
{
	char text[DNS_NAME_TEXT], small[9];
	unsigned at = 0;
	size_t n;

	n = dns_name_text(text, sizeof(text), name->wire, name->len, false);
	CHECK(n == strlen(text) && n < sizeof(text));
	CHECK((n == 0) == (name->len == 0));
	CHECK(dns_name_text(small, sizeof(small), name->wire, name->len, true) <
	      sizeof(small));
	CHECK(strlen(small) <= n);
	if (name->len == 0)
		return;
	while (name->wire[at] != 0) {
		CHECK(name->wire[at] <= 63);
		at += 1u + name->wire[at];
		CHECK(at < name->len);
	}
	CHECK(at + 1 == name->len);
	CHECK(dns_name_equal(name->wire, name->len, name->wire, name->len));
}

static void
check_message(const uint8_t *p, size_t len)
{
	struct dns_message m;
	uint8_t *exact = malloc(len > 0 ? len : 1);
	unsigned commas = 0;
	const char *s;

	CHECK(exact != NULL);
	memcpy(exact, p, len);
	CHECK(dns_parse(&m, exact, len, len) == (len >= DNS_HEADER));
	if (len >= DNS_HEADER) {
		check_name(&m.qname);
		check_name(&m.owner);
		CHECK((m.qname.len > 0) == (m.question == DNS_QUESTION_OK));
		CHECK(m.naddrs <= DNS_ITEMS_MAX && m.rcode <= 0xfff);
		CHECK(m.naddrs == 0 || m.has_ttl);
		CHECK(m.count[DNS_QUESTIONS] > 0 || m.question == DNS_NO_QUESTION);
		CHECK(strlen(m.response_text) < DNS_RESPONSE);
		CHECK(m.response || (m.naddrs == 0 && m.response_text[0] == '\0'));
		for (s = m.response_text; m.naddrs > 0 && *s != '\0'; s++)
			commas += *s == ',';
		CHECK(commas < DNS_ITEMS_MAX);
	}
	free(exact);
}

/* Braces and quotes close; the rest of JSON is the host's. */
static void
check_events(const char *p)
{
	bool quoted = false;
	int depth = 0;

	for (; *p != '\0'; p++) {
		if (quoted && *p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && (*p == '{' || *p == '}'))
			depth += *p == '{' ? 1 : -1;
		CHECK(depth >= 0);
		CHECK(*p != '\n' || (depth == 0 && !quoted));
	}
	CHECK(depth == 0 && !quoted);
}

struct reading {
	struct rig *rig;
	struct rig_flow *flow;
	uint64_t now_us;
};

static void
reading_open(struct reading *r, uint8_t head)
{
	static const uint16_t ports[] = {53, 5353, 5355, 53};
	struct mc_setup s = {.timeout_us = 1000000, .split = (head & 2) != 0};
	char err[64];

	r->rig = rig_open_as(&mc_plugin_dns, "pending=64", &s, err, sizeof(err));
	CHECK(r->rig != NULL);
	r->flow = rig_flow(r->rig, head & 1 ? 6 : 17, "192.0.2.1", 4000,
	    head & 16 ? "224.0.0.251" : "192.0.2.2", ports[head >> 2 & 3]);
	r->now_us = 1000000;
}

/* Its events' hash, or how many there are. */
static uint64_t
reading_close(struct reading *r, bool count)
{
	uint64_t h;

	rig_clock(r->rig, r->now_us);
	rig_end(r->flow, r->now_us);
	check_events(r->rig->events);
	h = count ? rig_lines(r->rig->events, "")
		  : fuzz_hash(0, r->rig->events, strlen(r->rig->events));
	rig_close(r->rig);
	return h;
}

static void
reading_packet(struct reading *r, const struct mc_packet *p)
{
	enum mc_verdict v = rig_packet(r->flow, p);

	CHECK(v == MC_MORE || r->flow->match == MC_MATCH_NO);
	/* a timer that is due was run before the packet came */
	CHECK(r->flow->timer_us == 0 || r->flow->timer_us > r->now_us);
}

/* One side of a TCP connection at a time, so that the cuts change no order. STEP 0: as the
 * input has it. */
static uint64_t
read_stream(uint8_t head, const uint8_t *data, size_t len, size_t step)
{
	struct mc_packet p = {.dir = 1};
	struct reading r;
	size_t at, n;

	reading_open(&r, (uint8_t)(head & ~2)); /* a split asks by packets */
	p.ts_us = r.now_us;
	for (at = 0; at < len; at += n) {
		n = step == 0 || len - at < step ? len - at : step;
		p.data = data + at;
		p.len = p.wire_len = (uint32_t)n;
		reading_packet(&r, &p);
	}
	return reading_close(&r, len > SMALL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	struct mc_packet p = {.len = 0};
	struct reading r;
	uint8_t head = input_u8(&in), cut = input_u8(&in);
	uint16_t what;
	uint64_t whole;
	size_t n;
	bool first = true;

	if (len < 2)
		return 0;
	check_message(in.p, in.left);
	reading_open(&r, head);
	while (in.left > 0) {
		what = input_u16(&in);
		n = what & 0xfff;
		n = n < in.left ? n : in.left;
		check_message(in.p, n);
		r.now_us += what & 0x2000 ? 400000 : 10;
		rig_clock(r.rig, r.now_us);
		p.ts_us = r.now_us;
		p.data = in.p;
		p.len = (uint32_t)n;
		p.wire_len = (uint32_t)n + (what & 0x8000 ? 20 : 0);
		p.dir = what >> 12 & 1;
		p.gap = 0;
		if (head & 1)
			p.gap = (head & 32) && first ? MC_GAP_START
				: what & 0x4000      ? 20
						     : 0;
		first = false;
		reading_packet(&r, &p);
		in.p += n;
		in.left -= n;
	}
	reading_close(&r, true);
	if (head & 1) {
		whole = read_stream(head, data + 2, len - 2, 0);
		CHECK(read_stream(head, data + 2, len - 2, 1 + cut % 100u) == whole);
	}
	return 0;
}
