/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flowaccount.c -- what a packet adds to its flow; to its details only where it has some.
 */
#include "flowaccount.h"

#include <string.h>

#include "flowtcp.h"

#define DYNAMIC_PORT 32768

/*
 * Ports that are services though not below 1024. No two share a slot, for these two numbers;
 * compilers warn where a slot is filled twice.
 */
#define SLOT(port) ((uint32_t)((port) * 0x5e0c8b69u) >> 23)
#define PORT(port) [SLOT(port)] = (port)
static const uint16_t service_port[512] = {PORT(1080), PORT(1194), PORT(1433),
	PORT(1434), PORT(1521), PORT(1645), PORT(1646), PORT(1701), PORT(1723),
	PORT(1812), PORT(1813), PORT(1883), PORT(1900), PORT(2049), PORT(2055),
	PORT(2123), PORT(2152), PORT(2375), PORT(2376), PORT(3000), PORT(3128),
	PORT(3260), PORT(3268), PORT(3306), PORT(3389), PORT(3478), PORT(3479),
	PORT(3544), PORT(3690), PORT(3799), PORT(4500), PORT(4739), PORT(4789),
	PORT(5004), PORT(5060), PORT(5061), PORT(5201), PORT(5222), PORT(5246),
	PORT(5247), PORT(5269), PORT(5353), PORT(5355), PORT(5432), PORT(5601),
	PORT(5671), PORT(5672), PORT(5900), PORT(5938), PORT(5985), PORT(6000),
	PORT(6081), PORT(6379), PORT(6380), PORT(6443), PORT(6514), PORT(6667),
	PORT(6881), PORT(8000), PORT(8008), PORT(8080), PORT(8081), PORT(8086),
	PORT(8088), PORT(8443), PORT(8883), PORT(8888), PORT(9000), PORT(9042),
	PORT(9090), PORT(9092), PORT(9100), PORT(9200), PORT(9300), PORT(9418),
	PORT(9993), PORT(9995), PORT(9996), PORT(10050), PORT(10051), PORT(11211),
	PORT(15672), PORT(25565), PORT(27015), PORT(27017), PORT(51820)};
#undef PORT

static inline bool
port_is_service(uint16_t port)
{
	return port < 1024 ? port != 0 : service_port[SLOT(port)] == port;
}

/* To a group or to everybody: such an address answers nobody, and asks nothing. */
static bool
is_group(const uint8_t *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(addr, mapped, sizeof(mapped)) != 0)
		return addr[0] == 0xff;
	return (addr[12] & 0xf0) == 0xe0 || memcmp(addr + 12, "\377\377\377\377", 4) == 0;
}

/* Who is the client: 0 or 1. DIR sent the first packet. */
static unsigned
choose_client(const struct flow *f, const struct packet *pkt, unsigned dir)
{
	bool service[2];

	if (f->key.proto == 6 && (pkt->tcp_flags & TCP_SYN))
		return pkt->tcp_flags & TCP_ACK ? !dir : dir;
	if (f->key.port[0] == f->key.port[1] || f->key.port[0] == 0 ||
	    f->key.port[1] == 0 || is_group(pkt->dst))
		return dir;
	service[0] = port_is_service(f->key.port[0]);
	service[1] = port_is_service(f->key.port[1]);
	if (service[0] != service[1])
		return service[0] ? 1 : 0;
	/* two ports of the dynamic range (RFC 6335 §6; Linux takes 32768 and up) say nothing */
	if (f->key.port[0] >= DYNAMIC_PORT && f->key.port[1] >= DYNAMIC_PORT)
		return dir;
	return f->key.port[0] < f->key.port[1] ? 1 : 0;
}

void
flow_choose_client(struct flow *f, const struct packet *pkt, unsigned dir, bool no_swap)
{
	bool sure = no_swap || (f->key.proto == 6 && (pkt->tcp_flags & TCP_SYN));
	unsigned client = no_swap ? dir : choose_client(f, pkt, dir);

	if (f->flags & FLOW_CLIENT_SURE)
		return;
	f->flags &= ~(uint32_t)FLOW_CLIENT_IS_1;
	f->flags |= client ? FLOW_CLIENT_IS_1 : 0;
	f->flags |= sure ? FLOW_CLIENT_SURE : 0;
}

static unsigned
size_bin(uint32_t len)
{
	static const uint16_t limit[] = {128, 256, 512, 1024, 1514};
	unsigned i;

	for (i = 0; i < FLOW_SIZE_BINS - 1; i++)
		if (len <= limit[i])
			break;
	return i;
}

static unsigned
ttl_bin(uint8_t ttl)
{
	static const uint8_t limit[] = {1, 5, 32, 64, 96, 128, 160, 192, 224};
	unsigned i;

	for (i = 0; i < FLOW_TTL_BINS - 1; i++)
		if (ttl <= limit[i])
			break;
	return i;
}

static void
detail_iat(struct flow_iat *iat, uint64_t us)
{
	double delta = (double)us - iat->mean;

	if (iat->n == 0 || us < iat->min)
		iat->min = us;
	if (us > iat->max)
		iat->max = us;
	iat->sum += us;
	iat->n++;
	iat->mean += delta / iat->n;
	iat->m2 += delta * ((double)us - iat->mean);
}

/* Octets of whole seconds of this direction: the slowest and the fastest of them. */
static void
detail_second(struct flow_detail *d, const struct packet *pkt, unsigned dir)
{
	uint64_t second = pkt->ts_us / 1000000;

	if (second != d->second_start[dir]) {
		if (d->second_bytes[dir] > d->bps_max[dir])
			d->bps_max[dir] = d->second_bytes[dir];
		if (d->second_start[dir] != 0 && (d->bps_min[dir] == 0 ||
			d->second_bytes[dir] < d->bps_min[dir]))
			d->bps_min[dir] = d->second_bytes[dir];
		d->second_start[dir] = second;
		d->second_bytes[dir] = 0;
	}
	d->second_bytes[dir] += pkt->octets;
}

static void
detail_packet(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_detail *d = f->detail;

	if (pkt->ntunnels > 0 && !d->has_tunnel) {
		d->tunnel = pkt->tunnel;
		d->has_tunnel = 1;
	}
	if (pkt->nmpls > 0 && d->nmpls == 0) {
		d->nmpls = pkt->nmpls;
		memcpy(d->mpls, pkt->mpls, sizeof(d->mpls));
	}
	d->size_bin[size_bin(pkt->octets)]++;
	d->ttl_bin[ttl_bin(pkt->ttl)]++;
	if (pkt->flags & (PACKET_FRAG_FIRST | PACKET_FRAG_LATER))
		d->fragments[dir]++;
	if ((pkt->flags & PACKET_HAS_ICMP) && pkt->icmp_type < 32)
		d->icmp_types |= 1U << pkt->icmp_type;
	if (f->packets[dir] > 0 && pkt->ts_us >= f->last_dir_us[dir])
		detail_iat(&d->iat[dir], pkt->ts_us - f->last_dir_us[dir]);
	detail_second(d, pkt, dir);
}

/* Do both sides know each other by the MACs that F has, or will have? */
static bool
mac_fits(const struct flow *f, const struct packet *pkt, unsigned dir)
{
	return !(f->flags & (uint32_t)FLOW_MAC_KNOWN << !dir) ||
	    (memcmp(f->mac[dir], pkt->mac_src, 6) == 0 &&
		memcmp(f->mac[!dir], pkt->mac_dst, 6) == 0);
}

static void
flow_mac(struct flow *f, const struct packet *pkt, unsigned dir)
{
	struct flow_detail *d = flow_details(f);

	if (mac_fits(f, pkt, dir) && (d == NULL || !d->odd_mac)) {
		memcpy(f->mac[dir], pkt->mac_src, 6);
		memcpy(f->mac[!dir], pkt->mac_dst, 6);
	} else if (d != NULL) {
		if (!d->odd_mac) {
			memcpy(d->mac[!dir][0], f->mac[!dir], 6);
			memcpy(d->mac[!dir][1], f->mac[dir], 6);
		}
		d->odd_mac = true;
		memcpy(d->mac[dir][0], pkt->mac_src, 6);
		memcpy(d->mac[dir][1], pkt->mac_dst, 6);
	}
	f->flags |= (uint32_t)FLOW_MAC_KNOWN << dir;
}

bool
flow_needs_detail(const struct flow *f, const struct packet *pkt, unsigned dir)
{
	if (f->key.proto == 6 && flowtcp_needs_detail(f, pkt, dir))
		return true;
	return f->packets[dir] == 0 && (pkt->flags & PACKET_HAS_MAC) &&
	    !mac_fits(f, pkt, dir);
}

/* A record's first packet in a direction sets what all later ones only widen. */
static void
flow_first_packet(struct flow *f, const struct packet *pkt, unsigned dir, uint16_t len)
{
	f->first_us[dir] = f->last_dir_us[dir] = pkt->ts_us;
	f->len_min[dir] = f->len_max[dir] = len;
	f->ttl_min[dir] = f->ttl_max[dir] = pkt->ttl;
	f->tos[dir] = pkt->tos;
	if (f->key.proto != 6) {
		f->icmp_type[dir] = pkt->icmp_type;
		f->icmp_code[dir] = pkt->icmp_code;
	}
	if (pkt->flags & PACKET_HAS_MAC)
		flow_mac(f, pkt, dir);
}

void
flow_account(struct flow *f, const struct packet *pkt, unsigned dir, uint32_t octets)
{
	uint16_t len = pkt->octets > UINT16_MAX ? UINT16_MAX : (uint16_t)pkt->octets;

	if (f->flags & FLOW_DETAIL_WHOLE)
		detail_packet(f, pkt, dir);
	if (f->key.proto == 6)
		flowtcp_packet(f, pkt, dir);
	flow_latency(f, pkt, dir);
	if (f->packets[dir] == 0)
		flow_first_packet(f, pkt, dir, len);
	f->packets[dir]++;
	f->octets[dir] += octets;
	if (pkt->ts_us > f->last_dir_us[dir])
		f->last_dir_us[dir] = pkt->ts_us;
	else if (pkt->ts_us < f->first_us[dir])
		f->first_us[dir] = pkt->ts_us;
	if (len < f->len_min[dir])
		f->len_min[dir] = len;
	if (len > f->len_max[dir])
		f->len_max[dir] = len;
	if (pkt->ttl < f->ttl_min[dir])
		f->ttl_min[dir] = pkt->ttl;
	if (pkt->ttl > f->ttl_max[dir])
		f->ttl_max[dir] = pkt->ttl;
}
