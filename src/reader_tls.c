/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader_tls.c -- bytes between hiredis' buffers and a socket, in the clear by hiredis
 * itself, or through TLS, which hiredis 0.14 does not know.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <hiredis/sds.h>

#include "reader_int.h"
#include "tls.h"

#define READ_BYTES 16384 /* a record of TLS */
#define READ_TIMES 16	 /* at once: others wait */

static int
plain(redisContext *c, int rc, char *why, size_t size)
{
	if (rc == REDIS_OK)
		return 0;
	snprintf(why, size, "%s", c->errstr);
	return -1;
}

int
link_write(redisContext *c, struct tls_stream *tls, bool *all, char *why, size_t size)
{
	int done = 0, rc;
	ssize_t n;

	if (tls == NULL) {
		rc = plain(c, redisBufferWrite(c, &done), why, size);
		*all = done != 0;
		return rc;
	}
	while (sdslen(c->obuf) > 0) {
		n = tls_write(tls, c->obuf, sdslen(c->obuf));
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			tls_reason(tls, errno, why, size);
			return -1;
		}
		if (n < 0)
			break;
		sdsrange(c->obuf, (int)n, -1);
	}
	*all = sdslen(c->obuf) == 0;
	return 0;
}

int
link_read(redisContext *c, struct tls_stream *tls, char *why, size_t size)
{
	char bytes[READ_BYTES];
	unsigned i;
	ssize_t n;

	if (tls == NULL)
		return plain(c, redisBufferRead(c), why, size);
	for (i = 0; i < READ_TIMES || tls_pending(tls); i++) {
		n = tls_read(tls, bytes, sizeof(bytes));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n == 0) {
			snprintf(why, size, "Server closed the connection");
			return -1;
		}
		if (n < 0) {
			tls_reason(tls, errno, why, size);
			return -1;
		}
		if (redisReaderFeed(c->reader, bytes, (size_t)n) != REDIS_OK) {
			snprintf(why, size, "%s", c->reader->errstr);
			return -1;
		}
	}
	return 0;
}
