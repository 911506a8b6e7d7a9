/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dns_wire.h -- DNS messages: bytes in, a struct out. Pure; no memory but the caller's.
 *
 * A message costs time in proportion to its length whatever it says of itself: names
 * are stepped over, not followed; only the question's and some answers' are expanded,
 * each in at most DNS_NAME_MAX bytes and DNS_JUMPS_MAX pointers; the first lie ends the
 * reading.
 */
#ifndef MCPROBE_DNS_WIRE_H
#define MCPROBE_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER     12
#define DNS_NAME_MAX   255 /* RFC 1035 §2.3.4, on the wire, root label included */
#define DNS_JUMPS_MAX  127 /* as many as a name may have labels */
#define DNS_NAME_TEXT  (4 * DNS_NAME_MAX + 1)
#define DNS_ITEMS_MAX  8   /* addresses or names of the answer that are kept */
#define DNS_RESPONSE   256
#define DNS_MNEMONIC   16

enum dns_opcode {
	DNS_UPDATE = 5,
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DNAME = 39,
	DNS_OPT = 41,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
};

enum dns_section {
	DNS_QUESTIONS,
	DNS_ANSWERS,
	DNS_AUTHORITY,
	DNS_ADDITIONAL,
	DNS_SECTIONS
};

/* Of dns_name_read(), both negative. */
enum dns_name_error {
	DNS_NAME_BAD = -1,
	DNS_NAME_LONG = -2,
};

enum dns_question {
	DNS_NO_QUESTION,  /* there is none, or it could not be read */
	DNS_QUESTION_OK,
	/* its name is none, but the type is there */
	DNS_QUESTION_LOOPS,
	DNS_QUESTION_LONG,
};

/* A name as on the wire, uncompressed, letters as they came. LEN 0: none; the root: 1. */
struct dns_name {
	uint8_t len;
	uint8_t wire[DNS_NAME_MAX];
};

struct dns_message {
	uint16_t id;
	uint16_t rcode; /* with the upper bits of an OPT record, RFC 6891 §6.1.3 */
	uint16_t count[DNS_SECTIONS];
	uint16_t qtype; /* unless DNS_NO_QUESTION */
	uint8_t opcode;
	bool response;
	bool malformed; /* what it says and what there is do not agree */
	bool has_ttl;
	uint32_t ttl; /* of the first address, else of the first answer */
	enum dns_question question;
	unsigned naddrs;
	uint8_t addrs[DNS_ITEMS_MAX][16]; /* of the answer; IPv4 mapped */
	struct dns_name qname; /* of the first question */
	struct dns_name owner; /* of the first address */
	char response_text[DNS_RESPONSE]; /* first addresses, else names; "" none */
};

/*
 * Read the message of LEN captured bytes of WIRE_LEN. False: not even a header. All of
 * M but the unused part of its arrays is written. What was not captured is not
 * malformed.
 */
bool	 dns_parse(struct dns_message *m, const uint8_t *p, size_t len, size_t wire_len);

/*
 * The name of the LEN bytes at P that begins at AT, uncompressed. 0, or an enum
 * dns_name_error if it is bad, too long, or goes beyond LEN (NAME is then none).
 * Pointers lead back only, RFC 1035 §4.1.4.
 */
int	 dns_name_read(struct dns_name *name, const uint8_t *p, size_t len, size_t at);

/*
 * As text: labels with dots between, the root ".". Control bytes are \DDD (decimal),
 * the backslash is doubled, other bytes stay as they are (UTF-8 is frequent in LLMNR
 * and mDNS). LOWER: ASCII letters lower-cased. At most SIZE - 1 bytes and a NUL, never
 * half an escape. Returns the length.
 */
size_t	 dns_name_text(char *to, size_t size, const uint8_t *wire, size_t len, bool lower);

/* Equal but for the case of ASCII letters, RFC 4343. */
bool	 dns_name_equal(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen);

/* "AAAA", or "TYPE65280" (RFC 3597); "NXDOMAIN", or "RCODE12". */
void	 dns_type_name(char to[DNS_MNEMONIC], uint16_t type);
void	 dns_rcode_name(char to[DNS_MNEMONIC], uint16_t rcode);

/* Addresses as text, IPv4 where mapped. TO has room for 46. The length. */
size_t	 dns_addr_text(char *to, const uint8_t addr[16]);

#endif
