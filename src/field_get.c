/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field_get.c -- the getters of field.def: each reads one thing from a record, in a few
 * instructions, and leaves it in a struct value. A getter sets all of it but BUF,
 * so that callers need not clear it. Nothing is allocated or changed.
 *
 * In the rows below F is the flow, I the direction the record is seen from (its source
 * is the flow's endpoint I), O the other one.
 */
#include <string.h>

#include "config.h"
#include "dpi.h"
#include "field_get.h"

#define PROTO_ICMP    1
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_DCCP    33
#define PROTO_ICMP6   58
#define PROTO_SCTP    132
#define PROTO_UDPLITE 136

/* What an absent address points at: its reader need not look. */
static const uint8_t nowhere[16];

static inline void
value_uint(struct value *v, uint64_t u)
{
	v->u = u;
	v->p = nowhere;
	v->len = 0;
	v->absent = false;
}

static inline void
value_none(struct value *v)
{
	value_uint(v, 0);
	v->absent = true;
}

static inline void
value_bytes(struct value *v, const void *p, size_t len)
{
	v->u = 0;
	v->p = p;
	v->len = (uint32_t)len;
	v->absent = false;
}

/* A text; none if there is none. */
static void
value_text(struct value *v, const char *s)
{
	if (s == NULL || *s == '\0')
		value_none(v);
	else
		value_bytes(v, s, strnlen(s, FIELD_STRING_MAX));
}

/* A getter in one line: of a number, and of one that may be absent. */
#define GET(name, expr) GET_IF(name, true, expr)
#define GET_IF(name, cond, expr) \
	void \
	field_get_##name(const struct record *r, struct value *v) \
	{ \
		const struct flow *f = r->flow; \
		const unsigned i = r->dir, o = i ^ 1u; \
\
		(void)f; \
		(void)o; \
		if (cond) \
			value_uint(v, (uint64_t)(expr)); \
		else \
			value_none(v); \
	}

/* What the record tells of the other direction: 0 unless it carries both. */
#define GET_BACK(name, expr) GET_IF(name, r->biflow, expr)

/* The record tells what direction D sent. */
static bool
tells(const struct record *r, unsigned d)
{
	return d == r->dir || r->biflow;
}

/* Also true if D sent anything: else its extremes have no meaning. */
static bool
seen(const struct record *r, unsigned d)
{
	return tells(r, d) && r->flow->packets[d] > 0;
}

/* By its flags too: -p may have taken the protocol out of the key. */
static bool
is_tcp(const struct flow *f)
{
	return f->key.proto == PROTO_TCP || f->tcp[0].flags || f->tcp[1].flags;
}

/* Extremes of both directions, of those that the record tells and that sent. */
static unsigned
least(const struct record *r, unsigned a, unsigned b)
{
	if (!seen(r, r->dir))
		return seen(r, r->dir ^ 1u) ? b : 0;
	return seen(r, r->dir ^ 1u) && b < a ? b : a;
}

static unsigned
most(const struct record *r, unsigned a, unsigned b)
{
	if (!seen(r, r->dir))
		return seen(r, r->dir ^ 1u) ? b : 0;
	return seen(r, r->dir ^ 1u) && b > a ? b : a;
}

/* --- times --- */

static uint64_t
record_first(const struct record *r)
{
	return r->biflow ? flow_first_us(r->flow) : r->flow->first_us[r->dir];
}

static uint64_t
record_last(const struct record *r)
{
	return r->biflow ? flow_last_us(r->flow) : r->flow->last_dir_us[r->dir];
}

static uint64_t
span(uint64_t first, uint64_t last)
{
	return last > first ? last - first : 0;
}

/* How long direction D was active, µs. */
static uint64_t
active(const struct flow *f, unsigned d)
{
	return f->packets[d] > 0 ? span(f->first_us[d], f->last_dir_us[d]) : 0;
}

GET(first, record_first(r))
GET(last, record_last(r))
GET(boot, r->ctx->boot_us)
GET(export_time, r->ctx->export_us)
GET(duration_us, span(record_first(r), record_last(r)))
GET(duration_ms, span(record_first(r), record_last(r)) / 1000)
GET(duration_in, active(f, i) / 1000)
GET_BACK(duration_out, active(f, o) / 1000)
GET(active_timeout, r->ctx->config->lifetime_s)
GET(idle_timeout, r->ctx->config->idle_s)
GET(end_reason, f->end)

/* --- counters --- */

GET(in_bytes, f->octets[i])
GET(in_pkts, f->packets[i])
GET_BACK(out_bytes, f->octets[o])
GET_BACK(out_pkts, f->packets[o])
GET_IF(client_bytes, tells(r, flow_client(f)), f->octets[flow_client(f)])
GET_IF(client_pkts, tells(r, flow_client(f)), f->packets[flow_client(f)])
GET_IF(server_bytes, tells(r, flow_client(f) ^ 1u), f->octets[flow_client(f) ^ 1u])
GET_IF(server_pkts, tells(r, flow_client(f) ^ 1u), f->packets[flow_client(f) ^ 1u])
GET(min_len, least(r, f->len_min[i], f->len_min[o]))
GET(max_len, most(r, f->len_max[i], f->len_max[o]))
GET(total_bytes, r->ctx->total_bytes)
GET(total_pkts, r->ctx->total_packets)
GET(total_flows, r->ctx->total_flows)

/* Octets a second, over the direction's time but a second at least: what a single burst
 * would have reached had it gone on is no one's average. */
static uint64_t
rate(const struct flow *f, unsigned d)
{
	uint64_t us = active(f, d);

	if (us <= 1000000)
		return f->octets[d];
	return (uint64_t)((double)f->octets[d] * 1e6 / (double)us);
}

GET(rate_in, rate(f, i))
GET_BACK(rate_out, rate(f, o))
GET(average_in, rate(f, i) * 8)
GET_BACK(average_out, rate(f, o) * 8)

/*
 * Bit/s that TCP could carry from direction D: the receiver's largest window a round
 * trip. Both halves of the round trip must be known; the scale counts only if both ends
 * announced one (RFC 7323 §2.2). 0: unknown.
 */
static uint64_t
possible(const struct flow *f, unsigned d)
{
	const struct flow_tcp *to = &f->tcp[d ^ 1u];
	uint64_t rtt_us = 2 * ((uint64_t)f->client_nw_us + f->server_nw_us);
	uint64_t window = to->win_max;

	if (f->client_nw_us == 0 || f->server_nw_us == 0)
		return 0;
	if (to->wscale <= 14 && f->tcp[d].wscale <= 14)
		window <<= to->wscale;
	return window * 8 * 1000000 / rtt_us;
}

GET_IF(possible_in, possible(f, i) > 0, possible(f, i))
GET_IF(possible_out, r->biflow && possible(f, o) > 0, possible(f, o))

/* --- what only flows with details know --- */

#define GET_DETAIL(name, expr) GET_IF(name, flow_whole(f) != NULL, expr)
#define GET_DETAIL_BACK(name, expr) GET_IF(name, flow_whole(f) != NULL && r->biflow, expr)

GET_DETAIL(fragments_in, f->detail->fragments[i])
GET_DETAIL_BACK(fragments_out, f->detail->fragments[o])
GET_IF(icmp_types,
    flow_whole(f) != NULL && (f->key.proto == PROTO_ICMP || f->key.proto == PROTO_ICMP6),
    f->detail->icmp_types)

/*
 * Octets of the fastest and the slowest second of direction D. The second that was
 * running when the flow ended is not among them: it counts if it is the only one or the
 * fastest; as the slowest it would say no more than that the flow had an end.
 */
static uint64_t
fastest(const struct flow_detail *t, unsigned d)
{
	return t->second_bytes[d] > t->bps_max[d] ? t->second_bytes[d] : t->bps_max[d];
}

static uint64_t
slowest(const struct flow_detail *t, unsigned d)
{
	return t->bps_min[d] > 0 ? t->bps_min[d] : t->second_bytes[d];
}

GET_DETAIL(fastest_in, fastest(f->detail, i) * 8)
GET_DETAIL_BACK(fastest_out, fastest(f->detail, o) * 8)
GET_DETAIL(slowest_in, slowest(f->detail, i) * 8)
GET_DETAIL_BACK(slowest_out, slowest(f->detail, o) * 8)
GET_DETAIL(size_0, f->detail->size_bin[0])
GET_DETAIL(size_1, f->detail->size_bin[1])
GET_DETAIL(size_2, f->detail->size_bin[2])
GET_DETAIL(size_3, f->detail->size_bin[3])
GET_DETAIL(size_4, f->detail->size_bin[4])
GET_DETAIL(size_5, f->detail->size_bin[5])
GET_DETAIL(ttl_0, f->detail->ttl_bin[0])
GET_DETAIL(ttl_1, f->detail->ttl_bin[1])
GET_DETAIL(ttl_2, f->detail->ttl_bin[2])
GET_DETAIL(ttl_3, f->detail->ttl_bin[3])
GET_DETAIL(ttl_4, f->detail->ttl_bin[4])
GET_DETAIL(ttl_5, f->detail->ttl_bin[5])
GET_DETAIL(ttl_6, f->detail->ttl_bin[6])
GET_DETAIL(ttl_7, f->detail->ttl_bin[7])
GET_DETAIL(ttl_8, f->detail->ttl_bin[8])
GET_DETAIL(ttl_9, f->detail->ttl_bin[9])

/* Inter-arrival times of direction D; NULL: fewer than two packets, or not told. */
static const struct flow_iat *
iat(const struct record *r, unsigned d)
{
	const struct flow_detail *t = flow_whole(r->flow);

	return t != NULL && tells(r, d) && t->iat[d].n > 0 ? &t->iat[d] : NULL;
}

/* Root of the variance; by integers, which saves linking the mathematics library. */
static uint64_t
deviation(const struct flow_iat *t)
{
	double variance = t->m2 / t->n;
	uint64_t n, root = 0;

	if (!(variance > 0))
		return 0;
	n = variance < 9e18 ? (uint64_t)variance : (uint64_t)9e18;
	for (uint64_t bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
		if (n >= root + bit) {
			n -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

GET_IF(iat_min_in, iat(r, i), iat(r, i)->min)
GET_IF(iat_max_in, iat(r, i), iat(r, i)->max)
GET_IF(iat_avg_in, iat(r, i), iat(r, i)->sum / iat(r, i)->n)
GET_IF(iat_dev_in, iat(r, i), deviation(iat(r, i)))
GET_IF(iat_min_out, iat(r, o), iat(r, o)->min)
GET_IF(iat_max_out, iat(r, o), iat(r, o)->max)
GET_IF(iat_avg_out, iat(r, o), iat(r, o)->sum / iat(r, o)->n)
GET_IF(iat_dev_out, iat(r, o), deviation(iat(r, o)))

#define GET_MPLS(n) \
	GET_IF(mpls_##n, flow_whole(f) != NULL && f->detail->nmpls >= (n), \
	    f->detail->mpls[(n)-1])

GET_MPLS(1)
GET_MPLS(2)
GET_MPLS(3)
GET_MPLS(4)
GET_MPLS(5)
GET_MPLS(6)
GET_MPLS(7)
GET_MPLS(8)
GET_MPLS(9)
GET_MPLS(10)

/* --- the tunnel a flow came out of --- */

static const struct tunnel *
tunnel(const struct flow *f)
{
	return flow_whole(f) != NULL && f->detail->has_tunnel ? &f->detail->tunnel : NULL;
}

/* The tunnel was noted from the flow's first packet: is it the source's? */
static bool
tunnel_ours(const struct record *r)
{
	return ((r->flow->flags & FLOW_FIRST_IS_1) ? 1 : 0) == r->dir;
}

static bool
tunnel_ported(const struct flow *f)
{
	const struct tunnel *t = tunnel(f);

	return t != NULL && (t->sport != 0 || t->dport != 0);
}

GET_IF(tunnel_proto, tunnel(f), tunnel(f)->proto)
GET_IF(tunnel_id, tunnel(f),
    tunnel(f)->type == TUNNEL_L2TP ? tunnel(f)->id >> 16 : tunnel(f)->id)
GET_IF(tunnel_session, tunnel(f) && tunnel(f)->type == TUNNEL_L2TP,
    tunnel(f)->id & 0xffff)
GET_IF(tunnel_port_src, tunnel_ported(f),
    tunnel_ours(r) ? tunnel(f)->sport : tunnel(f)->dport)
GET_IF(tunnel_port_dst, tunnel_ported(f),
    tunnel_ours(r) ? tunnel(f)->dport : tunnel(f)->sport)

static void
tunnel_address(const struct record *r, struct value *v, unsigned version, bool src)
{
	const struct tunnel *t = tunnel(r->flow);
	const uint8_t *p;

	if (t == NULL || t->ip_version != version) {
		value_none(v);
		return;
	}
	p = src == tunnel_ours(r) ? t->src : t->dst;
	if (version == 4)
		value_bytes(v, p + 12, 4);
	else
		value_bytes(v, p, 16);
}

void
field_get_tunnel_ip4_src(const struct record *r, struct value *v)
{
	tunnel_address(r, v, 4, true);
}

void
field_get_tunnel_ip4_dst(const struct record *r, struct value *v)
{
	tunnel_address(r, v, 4, false);
}

void
field_get_tunnel_ip6_src(const struct record *r, struct value *v)
{
	tunnel_address(r, v, 6, true);
}

void
field_get_tunnel_ip6_dst(const struct record *r, struct value *v)
{
	tunnel_address(r, v, 6, false);
}

/* --- TCP --- */

/* Flags are part of every record's shape, as ports are: 0 where there is no TCP. */
GET(tcp_flags, r->biflow ? f->tcp[0].flags | f->tcp[1].flags : f->tcp[i].flags)
GET(tcp_flags_in, f->tcp[i].flags)
GET_BACK(tcp_flags_out, f->tcp[o].flags)
GET_IF(retrans_in, is_tcp(f), flow_loss(f, i).retrans)
GET_IF(retrans_out, is_tcp(f) && r->biflow, flow_loss(f, o).retrans)
GET_IF(retrans_bytes_in, is_tcp(f), flow_loss(f, i).retrans_bytes)
GET_IF(retrans_bytes_out, is_tcp(f) && r->biflow, flow_loss(f, o).retrans_bytes)
GET_IF(ooorder_in, is_tcp(f), flow_loss(f, i).ooorder)
GET_IF(ooorder_out, is_tcp(f) && r->biflow, flow_loss(f, o).ooorder)
GET_IF(win_min_in, is_tcp(f) && seen(r, i), f->tcp[i].win_min)
GET_IF(win_min_out, is_tcp(f) && seen(r, o), f->tcp[o].win_min)
GET_IF(win_max_in, is_tcp(f) && seen(r, i), f->tcp[i].win_max)
GET_IF(win_max_out, is_tcp(f) && seen(r, o), f->tcp[o].win_max)
GET_IF(mss_in, f->tcp[i].mss > 0, f->tcp[i].mss)
GET_IF(mss_out, r->biflow && f->tcp[o].mss > 0, f->tcp[o].mss)
GET_IF(wscale_in, is_tcp(f) && f->tcp[i].wscale != 0xff, f->tcp[i].wscale)
GET_IF(wscale_out, is_tcp(f) && r->biflow && f->tcp[o].wscale != 0xff, f->tcp[o].wscale)
GET_IF(client_latency, f->client_nw_us > 0, f->client_nw_us)
GET_IF(server_latency, f->server_nw_us > 0, f->server_nw_us)
GET_IF(appl_latency, flow_appl_us(f) > 0, flow_appl_us(f))

/* --- the key and its neighbourhood --- */

/* Ports mean something: by the protocol, or because the key has some (-p). */
static bool
has_ports(const struct flow *f)
{
	switch (f->key.proto) {
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_DCCP:
	case PROTO_SCTP:
	case PROTO_UDPLITE:
		return true;
	}
	return f->key.port[0] != 0 || f->key.port[1] != 0;
}

GET(protocol, f->key.proto)
GET(ip_version, f->key.ip_version)
GET(ethertype, f->key.ip_version == 4 ? 0x0800 : 0x86dd)
GET(port_src, f->key.port[i])
GET(port_dst, f->key.port[o])
GET_IF(port_srv, has_ports(f), f->key.port[flow_client(f) ^ 1u])
GET_IF(tos_in, seen(r, i), f->tos[i])
GET_IF(tos_out, seen(r, o), f->tos[o])
GET_IF(ttl_in, seen(r, i), f->ttl_max[i])
GET(min_ttl, least(r, f->ttl_min[i], f->ttl_min[o]))
GET(max_ttl, most(r, f->ttl_max[i], f->ttl_max[o]))
GET_IF(vlan, f->key.vlan > 0, f->key.vlan)
GET_IF(vlan_inner, f->vlan_inner > 0, f->vlan_inner)
GET(biflow_direction, i == flow_client(f) ? 1 : 2)
GET(direction,
    config_is_local(r->ctx->config, f->key.addr[i]) &&
	!config_is_local(r->ctx->config, f->key.addr[o]))

#define GET_ICMP4(name, expr) \
	GET_IF(name, f->key.proto == PROTO_ICMP && flow_is_ip4(f) && seen(r, i), expr)
#define GET_ICMP6(name, expr) \
	GET_IF(name, f->key.proto == PROTO_ICMP6 && !flow_is_ip4(f) && seen(r, i), expr)

GET_ICMP4(icmp4, f->icmp_type[i] << 8 | f->icmp_code[i])
GET_ICMP4(icmp4_type, f->icmp_type[i])
GET_ICMP4(icmp4_code, f->icmp_code[i])
GET_ICMP6(icmp6, f->icmp_type[i] << 8 | f->icmp_code[i])
GET_ICMP6(icmp6_type, f->icmp_type[i])
GET_ICMP6(icmp6_code, f->icmp_code[i])

static void
address(const struct record *r, struct value *v, unsigned version, unsigned end)
{
	const struct flow *f = r->flow;

	if (f->key.ip_version != version)
		value_none(v);
	else if (version == 4)
		value_bytes(v, f->key.addr[end] + 12, 4);
	else
		value_bytes(v, f->key.addr[end], 16);
}

void
field_get_ip4_src(const struct record *r, struct value *v)
{
	address(r, v, 4, r->dir);
}

void
field_get_ip4_dst(const struct record *r, struct value *v)
{
	address(r, v, 4, r->dir ^ 1u);
}

void
field_get_ip6_src(const struct record *r, struct value *v)
{
	address(r, v, 6, r->dir);
}

void
field_get_ip6_dst(const struct record *r, struct value *v)
{
	address(r, v, 6, r->dir ^ 1u);
}

static void
mac(struct value *v, const uint8_t *address)
{
	if (address != NULL)
		value_bytes(v, address, 6);
	else
		value_none(v);
}

void
field_get_mac_src(const struct record *r, struct value *v)
{
	mac(v, flow_mac_src(r->flow, r->dir));
}

void
field_get_mac_dst(const struct record *r, struct value *v)
{
	mac(v, flow_mac_dst(r->flow, r->dir));
}

/* --- the probe itself --- */

/* FNV-1a: small, and the same in every run, which a seeded hash is not. */
static uint64_t
fnv1a(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len-- > 0)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

#define FNV_BASIS 0xcbf29ce484222325

static uint32_t
port_index(const struct record *r)
{
	const struct field_context *c = r->ctx;

	return r->flow->port < c->nports && c->port_index ? c->port_index[r->flow->port]
							  : 0;
}

static uint32_t
source_id(const struct record *r)
{
	const char *id = r->ctx->config->probe_id;
	uint32_t index = port_index(r);
	uint64_t h = fnv1a(FNV_BASIS, &index, sizeof(index));

	if (id != NULL)
		h = fnv1a(h, id, strlen(id));
	return (uint32_t)(h ^ h >> 32);
}

GET(zero, 0)
GET(one, 1)
GET(in_index,
    r->ctx->config->in_ifindex >= 0 ? (uint32_t)r->ctx->config->in_ifindex
				    : port_index(r))
GET(out_index,
    r->ctx->config->out_ifindex >= 0 ? (uint32_t)r->ctx->config->out_ifindex
				     : port_index(r))
GET(point_id, port_index(r))
GET(sampling, r->ctx->config->sampling > 1 ? r->ctx->config->sampling : 1)
GET(engine_type, r->ctx->config->engine_type)
GET(engine_id, r->ctx->config->engine_id)
GET(obs_domain, r->ctx->config->obs_domain)
/* 53 bits: all that readers of JSON keep of a number. */
GET(flow_id, fnv1a(FNV_BASIS, &f->key, sizeof(f->key)) >> 11)
GET(source_id, source_id(r))

void
field_get_exporter_ip4(const struct record *r, struct value *v)
{
	if (r->ctx->exporter_ip4 != NULL)
		value_bytes(v, r->ctx->exporter_ip4, 4);
	else
		value_none(v);
}

void
field_get_exporter_ip6(const struct record *r, struct value *v)
{
	if (r->ctx->exporter_ip6 != NULL)
		value_bytes(v, r->ctx->exporter_ip6, 16);
	else
		value_none(v);
}

void
field_get_instance_name(const struct record *r, struct value *v)
{
	value_text(v, r->ctx->config->probe_id);
}

void
field_get_port_name(const struct record *r, struct value *v)
{
	const struct field_context *c = r->ctx;

	value_text(v,
	    r->flow->port < c->nports && c->port_name ? c->port_name[r->flow->port]
						      : NULL);
}

/* --- applications --- */

#define GET_L7(name, expr) GET_IF(name, f->l7 != NULL, expr)

static unsigned
l7_proto(const struct flow_l7 *l7)
{
	return l7->app != 0 ? l7->app : l7->master;
}

/* Protocols nobody can read on the wire, by nDPI's names. */
static bool
is_encrypted(const char *name)
{
	static const char *const names[] = {"TLS", "QUIC", "DTLS", "SSH", "IPSec",
	    "IPsec", "WireGuard", "OpenVPN", "Tor", "DoH_DoT", "Tailscale", "Nebula",
	    "SMTPS", "POPS", "IMAPS", "FTPS"};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (strcmp(name, names[n]) == 0)
			return true;
	return false;
}

static bool
encrypts(const struct record *r)
{
	const struct flow_l7 *l7 = r->flow->l7;

	return l7->tls || is_encrypted(dpi_name(r->ctx->names, l7->master)) ||
	    is_encrypted(dpi_name(r->ctx->names, l7->app));
}

GET_L7(l7_proto, l7_proto(f->l7))
GET_L7(l7_confidence, f->l7->confidence)
GET_L7(l7_risk, f->l7->risk)
GET_L7(l7_score, f->l7->score)
GET_L7(encrypted, encrypts(r))

/* RFC 6759 §4.1: engine 20 (PANA-L7-PEN), the PEN, its number, all big endian. */
void
field_get_app_id(const struct record *r, struct value *v)
{
	unsigned id;

	if (r->flow->l7 == NULL) {
		value_none(v);
		return;
	}
	id = l7_proto(r->flow->l7);
	v->buf[0] = 20;
	v->buf[1] = 0;
	v->buf[2] = FIELD_PEN_NTOP >> 16;
	v->buf[3] = FIELD_PEN_NTOP >> 8 & 0xff;
	v->buf[4] = FIELD_PEN_NTOP & 0xff;
	v->buf[5] = (uint8_t)(id >> 8);
	v->buf[6] = (uint8_t)id;
	value_bytes(v, v->buf, 7);
}

void
field_get_l7_name(const struct record *r, struct value *v)
{
	size_t n;

	if (r->flow->l7 == NULL) {
		value_none(v);
		return;
	}
	n = dpi_full_name(r->ctx->names, r->flow->l7, (char *)v->buf, sizeof(v->buf));
	value_bytes(v, v->buf, n <= FIELD_STRING_MAX ? n : FIELD_STRING_MAX);
}

void
field_get_l7_category(const struct record *r, struct value *v)
{
	const struct flow_l7 *l7 = r->flow->l7;

	value_text(v, l7 != NULL ? dpi_category(r->ctx->names, l7->category) : NULL);
}

void
field_get_user_name(const struct record *r, struct value *v)
{
	value_text(v, r->user);
}

void
field_get_l7_info(const struct record *r, struct value *v)
{
	const struct flow_l7 *l7 = r->flow->l7;

	if (l7 != NULL && l7->info_len > 0)
		value_bytes(v, l7->info, l7->info_len);
	else
		value_none(v);
}

void
field_get_tls_name(const struct record *r, struct value *v)
{
	if (r->flow->l7 != NULL && r->flow->l7->tls)
		field_get_l7_info(r, v);
	else
		value_none(v);
}

void
field_get_l7_risk_name(const struct record *r, struct value *v)
{
	size_t n;

	if (r->flow->l7 == NULL || r->flow->l7->risk == 0) {
		value_none(v);
		return;
	}
	n = dpi_risk_names(r->flow->l7->risk, (char *)v->buf, sizeof(v->buf));
	value_bytes(v, v->buf, n <= FIELD_STRING_MAX ? n : FIELD_STRING_MAX);
}

/* --- names of protocols and ports --- */

/* NAME, or if it has none the digits of NUMBER. */
static void
value_named(struct value *v, const char *name, unsigned number)
{
	uint8_t *p = v->buf + FIELD_STRING_MAX;

	if (name != NULL) {
		value_text(v, name);
		return;
	}
	do {
		*--p = (uint8_t)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	value_bytes(v, p, (size_t)(v->buf + FIELD_STRING_MAX - p));
}

static void
service(const struct record *r, struct value *v, unsigned end)
{
	unsigned port = r->flow->key.port[end];

	if (has_ports(r->flow))
		value_named(v, field_service_name(port), port);
	else
		value_none(v);
}

void
field_get_protocol_map(const struct record *r, struct value *v)
{
	value_named(v, field_protocol_name(r->flow->key.proto), r->flow->key.proto);
}

void
field_get_port_src_map(const struct record *r, struct value *v)
{
	service(r, v, r->dir);
}

void
field_get_port_dst_map(const struct record *r, struct value *v)
{
	service(r, v, r->dir ^ 1u);
}

void
field_get_port_srv_map(const struct record *r, struct value *v)
{
	service(r, v, flow_client(r->flow) ^ 1u);
}
