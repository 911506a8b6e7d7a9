/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * micro_parse.c -- the parsers of protocols, without the plugins around them.
 */
#include <stdlib.h>
#include <string.h>

#include "dns_wire.h"
#include "http_parse.h"
#include "micro.h"

#define BODY 8192

static void *
nothing(uint32_t size)
{
	(void)size;
	return NULL;
}

static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\3com\0\0\1\0\1";
static const uint8_t response[] =
    "\x12\x34\x81\x80\0\1\0\2\0\0\0\0\3www\7example\3com\0\0\1\0\1"
    "\xc0\x0c\0\5\0\1\0\0\1\x2c\0\6\3app\xc0\x10"
    "\xc0\x2d\0\1\0\1\0\0\1\x2c\0\4\xc6\x12\0\1";

static void
dns_run(const uint8_t *p, size_t len, bool bad, uint32_t n)
{
	struct dns_message m;
	uint32_t i;

	for (i = 0; i < n; i++) {
		micro_check(dns_parse(&m, p, len, len), "no message");
		micro_keep(m.qtype);
	}
	micro_check(m.malformed == bad, "a message is read as it should not be");
}

static void
dns_query(void *state, uint32_t n)
{
	(void)state;
	dns_run(query, sizeof(query) - 1, false, n);
}

static void
dns_response(void *state, uint32_t n)
{
	(void)state;
	dns_run(response, sizeof(response) - 1, false, n);
}

static void
dns_bad(void *state, uint32_t n)
{
	static const uint8_t loop[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1";

	(void)state;
	dns_run(loop, sizeof(loop) - 1, true, n);
}

static void
dns_text(void *state, uint32_t n)
{
	char text[DNS_NAME_TEXT];
	uint32_t i;

	(void)state;
	for (i = 0; i < n; i++)
		micro_keep(dns_name_text(text, sizeof(text), query + 12, 17, true));
}

/* --- HTTP --- */

static const char request[] = "GET /files/12/34.html HTTP/1.1\r\nHost: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n"
    "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en\r\n"
    "Referer: http://www.example.com/\r\nConnection: keep-alive\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\n"
    "Content-Length: 8192\r\nCache-Control: max-age=60\r\n\r\n";

/* A message whole, as one piece. */
static void
http_run(const char *p, size_t len, enum http_side side, uint32_t n)
{
	struct http_parser parser;
	uint32_t i, ends = 0;

	http_parser_init(&parser, side, false);
	for (i = 0; i < n; i++) {
		struct http_input in = {(const uint8_t *)p, (uint32_t)len};
		enum http_step step;

		while ((step = http_parse(&parser, &in)) != HTTP_MORE) {
			if (step == HTTP_HEAD)
				http_body(&parser, http_framing(&parser, false));
			ends += step == HTTP_END;
		}
	}
	micro_check(ends == n, "messages do not end");
}

static void
http_request(void *state, uint32_t n)
{
	(void)state;
	http_run(request, sizeof(request) - 1, HTTP_REQUEST, n);
}

static void *
response_begin(uint32_t size)
{
	char *p = micro_take(1, sizeof(answer) + BODY);

	(void)size;
	memcpy(p, answer, sizeof(answer) - 1);
	memset(p + sizeof(answer) - 1, 'x', BODY);
	return p;
}

static void
http_response(void *state, uint32_t n)
{
	http_run(state, sizeof(answer) - 1 + BODY, HTTP_RESPONSE, n);
}

/* 1,400 octets of nothing, to a parser that is lost. */
static void
http_lost(void *state, uint32_t n)
{
	struct http_parser parser;
	uint32_t i;

	http_parser_init(&parser, HTTP_ANY, true);
	for (i = 0; i < n; i++) {
		struct http_input in = {(const uint8_t *)state + sizeof(answer), 1400};

		http_piece(&parser, in.p, in.len);
		while (http_parse(&parser, &in) != HTTP_MORE)
			;
	}
}

const struct micro micro_parse[] = {
    {"dns query", "a query", 0, 20000, nothing, dns_query, free},
    {"dns response", "a response, alias and address", 0, 20000, nothing, dns_response, free},
    {"dns bad", "a name that points at itself", 0, 20000, nothing, dns_bad, free},
    {"dns text", "a name as text", 0, 20000, nothing, dns_text, free},
    {"http request", "a request, 7 lines", 0, 20000, nothing, http_request, free},
    {"http response", "a response, 5 lines and a body of 8 KB", 0, 20000, response_begin,
	http_response, free},
    {"http lost", "1,400 octets that are no HTTP", 0, 5000, response_begin, http_lost, free},
    {0},
};
