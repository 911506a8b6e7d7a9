/* SPDX-License-Identifier: BSD-3-Clause */
/* decode_links.h -- the sample packet over each link type and tag. */
#ifndef MCPROBE_TESTS_DECODE_LINKS_H
#define MCPROBE_TESTS_DECODE_LINKS_H

#include "decode_rig.h"

static void
s_eth(struct buf *b)
{
	put_inner_eth(b);
}

static void
s_vlan(struct buf *b)
{
	put_inner(b);
	put_vlan(b, 100, 0x0800);
	put_eth(b, 0x8100);
}

static void
s_prio(struct buf *b)
{
	put_inner(b);
	put_vlan(b, 0, 0x0800);
	put_eth(b, 0x8100);
}

static void
s_qinq(struct buf *b)
{
	put_inner(b);
	put_vlan(b, 300, 0x0800);
	put_vlan(b, 200, 0x9100);
	put_vlan(b, 100, 0x8100);
	put_eth(b, 0x88a8);
}

static void
s_llc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_eth(b, (unsigned)b->n);
}

static void
s_sap6(struct buf *b)
{
	put_inner(b);
	PUT(b, 6, 6, 3);
	put_eth(b, 56);
}

static void
s_vlan_llc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_vlan(b, 9, (unsigned)b->n);
	put_eth(b, 0x8100);
}

static void
s_isl(struct buf *b)
{
	put_inner_eth(b);
	PUT(b, 0xaa, 0xaa, 3, 0, 0, 0, 0, 0x14, 0, 0, 0, 0);
	put16(b, (unsigned)b->n);
	PUT(b, 1, 0, 0x0c, 0, 0, 0, 2, 9, 9, 9, 9, 9);
}

static void
s_itag(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0x123456);
	put_vlan(b, 50, 0x88e7);
	put_eth(b, 0x88a8);
}

static void
s_vntag(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put32(b, 0x80010002);
	put_eth(b, 0x8926);
}

static void
s_etag(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put_zero(b, 6);
	put_eth(b, 0x893f);
}

static void
s_rtag(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put_zero(b, 4);
	put_eth(b, 0xf1c1);
}

static void
s_hsr(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put_zero(b, 4);
	put_eth(b, 0x892f);
}

static void
s_cmd(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	PUT(b, 1, 1, 0, 1, 0, 7);
	put_eth(b, 0x8909);
}

static void
s_macsec(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put_zero(b, 6);
	put_eth(b, 0x88e5);
}

static void
s_macsec_sci(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	put_zero(b, 13);
	PUT(b, 0x20);
	put_eth(b, 0x88e5);
}

static void
s_trill(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 8);
	PUT(b, 0, 0x40);
	put_eth(b, 0x22f3);
}

static void
s_fabric(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 2);
	put_eth(b, 0x8903);
}

static void
s_jumbo_llc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_eth(b, 0x8870);
}

static void
s_nsh(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 4);
	PUT(b, 0x0f, 0xc2, 1, 3);
	put_eth(b, 0x894f);
}

static void
s_teb(struct buf *b)
{
	put_inner_eth(b);
	put_eth(b, 0x6558);
}

static void
s_mpls(struct buf *b)
{
	put_inner(b);
	put_mpls(b, 0x22222, true);
	put_mpls(b, 0x11111, false);
	put_eth(b, 0x8847);
}

static void
s_mpls_cw(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 4);
	put_mpls(b, 5, true);
	put_eth(b, 0x8848);
}

static void
s_mpls_eth(struct buf *b)
{
	put_inner_eth(b);
	put_mpls(b, 5, true);
	put_eth(b, 0x8847);
}

static void
s_mpls_mac(struct buf *b, unsigned first)
{
	put_inner_eth(b);
	b->p[0] = (uint8_t)first;
	put_mpls(b, 5, true);
	put_eth(b, 0x8847);
}

static void
s_mpls_mac4(struct buf *b)
{
	s_mpls_mac(b, 0x4c);
}

static void
s_mpls_mac6(struct buf *b)
{
	s_mpls_mac(b, 0x64);
}

static void
s_pppoe(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0021);
	put16(b, (unsigned)b->n);
	PUT(b, 0x11, 0, 0, 7);
	put_eth(b, 0x8864);
}

static void
s_null(struct buf *b)
{
	put_inner(b);
	PUT(b, 2, 0, 0, 0);
}

static void
s_loop(struct buf *b)
{
	put_inner(b);
	put32(b, 2);
}

static void
s_raw(struct buf *b)
{
	put_inner(b);
}

static void
s_sll(struct buf *b)
{
	put_inner(b);
	put16(b, 0x0800);
	PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0);
}

static void
s_sll_vlan(struct buf *b)
{
	put_inner(b);
	put_vlan(b, 100, 0x0800);
	put16(b, 0x8100);
	PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0);
}

static void
s_sll_llc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	PUT(b, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0, 0, 4);
}

static void
s_sll2(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x08, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0);
}

static void
s_ppp(struct buf *b)
{
	put_inner(b);
	PUT(b, 0xff, 3, 0, 0x21);
}

static void
s_ppp_bare(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 0x21);
}

static void
s_ppp_pfc(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x21);
}

static void
s_ppp_mpls(struct buf *b)
{
	put_inner(b);
	put_mpls(b, 5, true);
	PUT(b, 2, 0x81);
}

static void
s_ppp_multi(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 0x3d, 0xc0, 0, 0, 1, 0x21);
}

static void
s_ppp_bridged(struct buf *b)
{
	put_inner_eth(b);
	PUT(b, 0, 0x31, 0, 1);
}

static void
s_ppp_ether(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x11, 0, 0, 7, 0, 55, 0, 0x21);
}

static void
s_ppp_dir(struct buf *b)
{
	put_inner(b);
	PUT(b, 1, 0xff, 3, 0, 0x21);
}

static void
s_chdlc(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x0f, 0, 8, 0);
}

static void
s_frelay(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x18, 0x41, 3, 0xcc);
}

static void
s_frelay_snap(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0);
}

static void
s_wlan(struct buf *b)
{
	put_wlan_data(b);
}

static void
s_wlan_wds(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	PUT(b, 2, 0, 0, 0, 0, 4);
	put_wlan(b, 0x08, 0x03);
}

static void
s_wlan_qos(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 2);
	put_wlan(b, 0x88, 0x02);
}

static void
s_wlan_htc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 6);
	put_wlan(b, 0x88, 0x81);
}

static void
s_wlan_amsdu(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put16(b, (unsigned)b->n);
	PUT(b, 2, 0, 0, 0, 0, 0x0d, 2, 0, 0, 0, 0, 0x05, 0, 0);
	memmove(b->p + 2, b->p, 12); /* addresses, then the length just put */
	b->p += 2;
	b->n -= 2;
	put16(b, 0x8000);
	put_wlan(b, 0x88, 0x01);
}

static void
s_radiotap(struct buf *b)
{
	put_wlan_data(b);
	PUT(b, 0, 0, 9, 0, 2, 0, 0, 0, 0x10);
}

static void
s_radiotap_pad(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 4); /* QoS control and padding to 28 */
	put_wlan(b, 0x88, 0x01);
	PUT(b, 0x20);
	put_zero(b, 12); /* alignment, timestamp */
	PUT(b, 0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0);
}

static void
s_ppi(struct buf *b)
{
	put_wlan_data(b);
	PUT(b, 0, 0, 8, 0, 105, 0, 0, 0);
}

static void
s_prism(struct buf *b)
{
	put_wlan_data(b);
	put_zero(b, 136);
	PUT(b, 0x44, 0, 0, 0, 144, 0, 0, 0);
}

static void
s_avs(struct buf *b)
{
	put_wlan_data(b);
	put_zero(b, 56);
	PUT(b, 0x80, 0x21, 0x10, 1, 0, 0, 0, 64);
}

static void
s_nflog(struct buf *b)
{
	put_inner(b);
	PUT(b, 57, 0, 9, 0);
	PUT(b, 6, 0, 10, 0, 'l', 'o', 0, 0);
	PUT(b, 2, 0, 0, 1);
}

static void
s_nflog_big(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 57, 0, 9);
	PUT(b, 2, 0, 0, 1);
}

static void
s_fddi(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	PUT(b, 0x50, 2, 0, 0, 0, 0, 0x0d, 2, 0, 0, 0, 0, 5);
}

static void
s_ring(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	PUT(b, 0x10, 0x40, 2, 0, 0, 0, 0, 0x0d, 0x82, 0, 0, 0, 0, 5, 4, 0x30, 0, 1);
}

static void
s_atm(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
}

static void
s_ipfc(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_zero(b, 16);
}

static void
s_enc(struct buf *b)
{
	put_inner(b);
	PUT(b, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0);
}

static void
s_pflog(struct buf *b)
{
	put_inner(b);
	put_zero(b, 60);
	PUT(b, 61, 2, 0, 0);
}

static void
s_ipoib(struct buf *b)
{
	put_inner(b);
	put32(b, 0x08000000);
	put_zero(b, 40);
}

static void
s_pktap(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 8);
	PUT(b, 20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0);
}

#endif
