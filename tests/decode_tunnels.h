/* SPDX-License-Identifier: BSD-3-Clause */
/* decode_tunnels.h -- the sample packet inside each tunnel. */
#ifndef MCPROBE_TESTS_DECODE_TUNNELS_H
#define MCPROBE_TESTS_DECODE_TUNNELS_H

#include "decode_rig.h"

static void
s_ipip(struct buf *b)
{
	put_inner(b);
	put_outer(b, 4);
}

static void
s_4in6(struct buf *b)
{
	put_inner(b);
	put_ip6(b, 1, 4);
	put_eth(b, 0x86dd);
}

static void
s_gre(struct buf *b)
{
	put_inner(b);
	put_gre(b, 0, 0x0800);
	put_outer(b, 47);
}

static void
s_gre_full(struct buf *b)
{
	put_inner(b);
	put_zero(b, 4); /* end of routing */
	PUT(b, 8, 0, 0, 4, 1, 2, 3, 4);
	put32(b, 1);          /* sequence */
	put32(b, 0x11223344); /* key */
	put32(b, 0);          /* checksum, offset */
	put_gre(b, 0xf000, 0x0800);
	put_outer(b, 47);
}

static void
s_gre_mpls(struct buf *b)
{
	put_inner(b);
	put_mpls(b, 5, true);
	put_gre(b, 0, 0x8847);
	put_outer(b, 47);
}

static void
s_gre_teb(struct buf *b)
{
	put_inner_eth(b);
	put_gre(b, 0, 0x6558);
	put_outer(b, 47);
}

static void
s_gre_wccp(struct buf *b)
{
	put_inner(b);
	put_zero(b, 4);
	put_gre(b, 0, 0x883e);
	put_outer(b, 47);
}

static void
s_gre_wlan(struct buf *b)
{
	put_wlan_data(b);
	put_gre(b, 0, 0x8210);
	put_outer(b, 47);
}

static void
s_nvgre(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0x123456ff);
	put_gre(b, 0x2000, 0x6558);
	put_outer(b, 47);
}

static void
s_pptp(struct buf *b)
{
	put_inner(b);
	PUT(b, 0x21);
	put32(b, 2);
	put32(b, 1);
	put16(b, 0x77);
	put16(b, 54);
	put_gre(b, 0x3081, 0x880b);
	put_outer(b, 47);
}

static void
s_erspan1(struct buf *b)
{
	put_inner_eth(b);
	put_gre(b, 0, 0x88be);
	put_outer(b, 47);
}

static void
s_erspan2(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0);
	put32(b, 0x10050064);
	put32(b, 1);
	put_gre(b, 0x1000, 0x88be);
	put_outer(b, 47);
}

static void
s_erspan3(struct buf *b)
{
	put_inner_eth(b);
	put_zero(b, 8);
	put32(b, 1); /* O: a subheader */
	put32(b, 0);
	put32(b, 0x20050064);
	put32(b, 1);
	put_gre(b, 0x1000, 0x22eb);
	put_outer(b, 47);
}

static void
s_gre_udp(struct buf *b)
{
	put_inner(b);
	put_gre(b, 0, 0x0800);
	put_outer_udp(b, 4754);
}

static void
s_gtp(struct buf *b)
{
	put_inner(b);
	put32(b, 0xabcdef01);
	put16(b, 53);
	PUT(b, 0x30, 255);
	put_outer_udp(b, 2152);
}

static void
s_gtp_ext(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 1, 0x85, 1, 0, 9, 0xc0, 1, 0, 1, 0); /* N-PDU, ext 0x85, 0xc0, end */
	PUT(b, 0);
	put32(b, 0xabcdef01);
	put16(b, 65);
	PUT(b, 0x36, 255);
	put_outer_udp(b, 2152);
	/* sequence 0, N-PDU 1: the optional four bytes */
}

static void
s_gtp0(struct buf *b)
{
	put_inner(b);
	put_zero(b, 12);
	put16(b, 0x99);
	put_zero(b, 2);
	put16(b, 53);
	PUT(b, 0x1e, 255);
	put_outer_udp(b, 3386);
}

static void
s_gtp_eth(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 7);
	put16(b, 67);
	PUT(b, 0x30, 255);
	put_outer_udp(b, 2152);
}

static void
s_vxlan(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0x12345600);
	put32(b, 0x08000000);
	put_outer_udp(b, 4789);
}

static void
s_gpe(struct buf *b)
{
	put_inner(b);
	put32(b, 0x12345600);
	put32(b, 0x0c000001);
	put_outer_udp(b, 4790);
}

static void
s_geneve(struct buf *b)
{
	put_inner_eth(b);
	put32(b, 0);
	put32(b, 0x00010101);
	put32(b, 0x12345600);
	put32(b, 0x02006558);
	put_outer_udp(b, 6081);
}

static void
s_l2tp(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 2, 0, 7, 0, 8, 0xff, 3, 0, 0x21);
	put_outer_udp(b, 1701);
}

static void
s_l2tp_full(struct buf *b)
{
	put_inner(b);
	PUT(b, 0, 2, 'z', 'z', 0x21); /* offset of two */
	put32(b, 0x00010002);
	put32(b, 0x00070008);
	put16(b, (unsigned)b->n + 4);
	put16(b, 0x4a02);
	put_outer_udp(b, 1701);
}

static void
s_capwap(struct buf *b)
{
	put_inner(b);
	put_snap(b, 0x0800);
	put_wlan(b, 0x01, 0x08); /* swapped */
	PUT(b, 0, 0x20, 3, 0x10, 0, 0, 0, 0, 6, 1, 2, 3, 4, 5, 6, 0);
	put_outer_udp(b, 5247);
}

static void
s_capwap_order(struct buf *b)
{
	put_wlan_data(b);
	PUT(b, 0, 0x10, 3, 0, 0, 0, 0, 0);
	put_outer_udp(b, 5247);
}

static void
s_capwap_eth(struct buf *b)
{
	put_inner_eth(b);
	PUT(b, 0, 0x10, 2, 0, 0, 0, 0, 0);
	put_outer_udp(b, 5247);
}

static void
s_etherip(struct buf *b)
{
	put_inner_eth(b);
	put16(b, 0x3000);
	put_outer(b, 97);
}

static void
s_ip_eth(struct buf *b)
{
	put_inner_eth(b);
	put_outer(b, 143);
}

static void
s_mpls_ip(struct buf *b)
{
	put_inner(b);
	put_mpls(b, 5, true);
	put_outer(b, 137);
}

static void
s_mpls_udp(struct buf *b)
{
	put_inner(b);
	put_mpls(b, 5, true);
	put_outer_udp(b, 6635);
}

static void
s_ah(struct buf *b)
{
	put_inner(b);
	put_zero(b, 16);
	put32(b, 0x5050);
	PUT(b, 4, 4, 0, 0);
	put_outer(b, 51);
}

static void
s_ah_gre(struct buf *b)
{
	put_inner(b);
	put_gre(b, 0, 0x0800);
	put_zero(b, 20);
	PUT(b, 47, 4, 0, 0);
	put_outer(b, 51);
}

static void
s_lisp(struct buf *b)
{
	put_inner(b);
	put32(b, 0x12345600);
	put32(b, 0x08000000);
	put_outer_udp(b, 4341);
}

static void
s_ayiya(struct buf *b)
{
	put_inner(b);
	put_zero(b, 36);
	put32(b, 1);
	PUT(b, 0x44, 0x52, 0x11, 4);
	put_outer_udp(b, 5072);
}

static void
s_tzsp(struct buf *b)
{
	put_inner_eth(b);
	PUT(b, 1, 0, 0, 1, 0, 10, 1, 5, 1);
	put_outer_udp(b, 37008);
}

static void
s_pim(struct buf *b)
{
	put_inner(b);
	put_zero(b, 6);
	put16(b, 0x2100);
	put_outer(b, 103);
}

#endif
