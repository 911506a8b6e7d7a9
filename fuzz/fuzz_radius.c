/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_radius.c -- the plugin that reads RADIUS, by packets of two flows of one NAS.
 *
 *	byte 0	bit 0: transactions are split
 *	then	packets: 2 bytes: their length's low 12 bits, bit 12 the sender, bit 13
 *		to the port of accounting, bit 14 a second passes, bit 15 bytes of them
 *		were not captured; then as many bytes
 *
 * What the parser says of a packet lies within it, and what it says of addresses is
 * masked. Of the plugin: each packet is one event; each address in a user's hash has
 * that user in its own key, and is one that was gained and not lost; there are no more
 * sessions than there may be (16), so no more addresses; every event is an object.
 */
#include "fuzz.h"

#include "../plugins/radius_wire.h"
#include "../tests/plugin_rig.h"

const char fuzz_name[] = "radius";

#define SESSIONS 16

extern const struct mc_plugin mc_plugin_radius;

static void
check_net(const struct radius_net *n)
{
	char text[RADIUS_NET_TEXT];
	unsigned bit;

	CHECK(n->len <= 128 && n->kind <= RADIUS_DELEGATED_PREFIX);
	for (bit = n->len; bit < 128; bit++)
		CHECK((n->addr[bit / 8] & 0x80 >> bit % 8) == 0);
	CHECK(radius_net_text(text, n) == strlen(text) && text[0] != '\0');
	CHECK((strchr(text, '/') != NULL) == (n->len < 128));
}

/* Is it a packet? */
static bool
check_packet(const uint8_t *p, size_t len, size_t wire_len)
{
	struct radius_packet m, part;
	char text[RADIUS_TEXT], small[5];
	unsigned i;

	if (!radius_parse(&m, p, len, wire_len))
		return false;
	CHECK(len >= RADIUS_HEADER && m.f.code == p[0] && m.f.id == p[1]);
	CHECK(m.f.nnets <= RADIUS_NETS && m.f.numbers >> RADIUS_NUMBERS == 0);
	for (i = 0; i < m.f.nnets; i++)
		check_net(&m.f.nets[i]);
	for (i = 0; i < RADIUS_TEXTS; i++) {
		if (m.text_len[i] == 0)
			continue;
		CHECK(m.text[i] >= p + RADIUS_HEADER + 2);
		CHECK(m.text[i] + m.text_len[i] <= p + len);
		CHECK(radius_string(text, sizeof(text), m.text[i], m.text_len[i]) ==
		    strlen(text));
		CHECK(strlen(text) <= m.text_len[i]);
		CHECK(
		    radius_string(small, sizeof(small), m.text[i], m.text_len[i]) <= 4);
		CHECK(strncmp(small, text, strlen(small)) == 0);
	}
	for (i = 0; i < RADIUS_NUMBERS; i++)
		CHECK(radius_has(&m.f, i) || m.f.number[i] == 0);
	CHECK(!radius_is_request(m.f.code) || !radius_answers(m.f.code, m.f.code));
	/* The mark is of the header alone; less captured is not more said. */
	CHECK(radius_parse(&part, p, RADIUS_HEADER, wire_len) && part.mark == m.mark);
	CHECK(part.f.numbers == 0 && part.f.nnets == 0 &&
	      (!part.f.malformed || m.f.malformed));
	return true;
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

/* The user that has the address of FIELD is the one of KEY. */
static void
check_owner(const struct rig *r, const char *key, const char *field)
{
	const struct rig_item *i;
	char want[80];

	snprintf(want, sizeof(want), "user.%s", field);
	for (i = r->items; i != NULL; i = i->next)
		if (i->field[0] == '\0' && strcmp(i->key, want) == 0)
			break;
	CHECK(i != NULL);
	CHECK(strncmp(key, "user.", 5) == 0 && strcmp(key + 5, i->value) == 0);
}

static void
check_users(const struct rig *r)
{
	const struct rig_item *i;
	unsigned held = 0, logins, logouts;

	for (i = r->items; i != NULL; i = i->next) {
		if (strncmp(i->field, "ip.", 3) != 0 &&
		    strncmp(i->field, "net.", 4) != 0)
			continue;
		check_owner(r, i->key, i->field);
		held++;
	}
	logins = rig_lines(r->events, "{\"channel\":\"user.login\"");
	logouts = rig_lines(r->events, "{\"channel\":\"user.logout\"");
	CHECK(held <= SESSIONS * (RADIUS_NETS + 1) && held <= logins);
	CHECK(logins - held <= logouts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	struct mc_setup s = {.grace_us = 60000000, .split = (input_u8(&in) & 1) != 0};
	struct rig_flow *flow[2];
	unsigned packets = 0;
	uint64_t now_us = 1000000000;
	char err[100];
	struct rig *r =
	    rig_open_as(&mc_plugin_radius, "sessions=16", &s, err, sizeof(err));

	CHECK(r != NULL);
	flow[0] = rig_flow(r, 17, "192.0.2.1", 4000, "192.0.2.2", 1812);
	flow[1] = rig_flow(r, 17, "192.0.2.1", 4000, "192.0.2.2", 1813);
	while (in.left > 0) {
		unsigned head = input_u16(&in), which = head >> 13 & 1;
		size_t n = head & 0xfff;
		uint8_t *p = input_frame(&in, &n);
		struct mc_packet packet = {.ts_us = now_us,
		    .data = p,
		    .len = (uint32_t)n,
		    .wire_len = (uint32_t)n + (head & 0x8000 ? 40 : 0),
		    .dir = head >> 12 & 1};
		bool is = check_packet(p, n, packet.wire_len);

		now_us += head & 0x4000 ? 1000000 : 10;
		CHECK(rig_packet(flow[which], &packet) == MC_MORE);
		packets += is && flow[which]->match == MC_MATCH_YES;
		free(p);
	}
	CHECK(rig_lines(r->events, "{\"channel\":\"radius\"") == packets);
	CHECK(r->lost == 0);
	check_events(r->events);
	check_users(r);
	rig_close(r);
	return 0;
}
