/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keyname.h -- names of MicroCloud keys: addresses, flows, and bytes from the wire made
 * harmless. Pure.
 */
#ifndef MCPROBE_KEYNAME_H
#define MCPROBE_KEYNAME_H

#include <stddef.h>
#include <stdint.h>

#include "flowkey.h"

#define KEYNAME_PART 200 /* bytes of an encoded part at most */
#define KEYNAME_MAX  256 /* of a whole key at most, NUL excluded */
#define KEYNAME_ADDR 46
#define KEYNAME_FLOW 160

/*
 * Encode LEN bytes from the wire: '%', the glob characters * ? [ ] \, blanks, control
 * bytes and what is not UTF-8 become %XX. Cut, never within an escape or a character, at
 * KEYNAME_PART bytes. Returns the length; TO has room for KEYNAME_PART + 1, gets a NUL.
 */
size_t	 keyname_part(char *to, const void *bytes, size_t len);

/* Canonical text of ADDR (16 bytes, IPv4 mapped; RFC 5952, lower case). The length. */
size_t	 keyname_addr(char *to, const uint8_t *addr);
/* The reverse. 0, or -1 if TEXT (LEN bytes) is no address. */
int	 keyname_read_addr(uint8_t *addr, const char *text, size_t len);

size_t	 keyname_mac(char *to, const uint8_t *mac); /* aa:bb:cc:dd:ee:ff, 17 bytes */

/* "tcp", "udp", "icmp", ... or the number. The length. */
size_t	 keyname_proto(char *to, uint8_t proto);

/*
 * flow.<proto>.<addr>.<port>-<addr>.<port>[@vlan][#sub], the client (endpoint CLIENT of
 * KEY) first. TO has room for KEYNAME_FLOW. The length.
 */
size_t	 keyname_flow(char *to, const struct flowkey *key, unsigned client);

/*
 * The canonical key of a flow's name, whichever side stands first. 0, or -1 if NAME is not
 * one. The IP version is that of the addresses.
 */
int	 keyname_read_flow(struct flowkey *key, const char *name, size_t len);

#endif
