/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tls.h -- TLS of connections: of our own to collectors and nodes, whose certificates are
 * always verified, and of clients to us. Only this room knows OpenSSL's connections; TLS
 * 1.2 at least, no renegotiation.
 *
 * Files are read when a side is made, before rights are given up; certificates that are
 * renewed take effect at the next start.
 */
#ifndef MCPROBE_TLS_H
#define MCPROBE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bufferevent;
struct event_base;
struct tls;
struct tls_stream;

/*
 * What our connections share. CA: a file of the authorities to trust, NULL: the system's.
 * CERT and KEY: what we show to who asks, NULL: nothing. NULL with the reason in ERR.
 */
struct tls	*tls_client_new(const char *ca, const char *cert, const char *key, char *err,
		     size_t errlen);
/*
 * What clients' connections share. CLIENT_CA: who does not show a certificate of these
 * authorities is refused; NULL: nobody is asked. NULL with the reason in ERR.
 */
struct tls	*tls_server_new(const char *cert, const char *key, const char *client_ca,
		     char *err, size_t errlen);
void		 tls_free(struct tls *);

/*
 * For bufferevent_socket_connect(): a bufferevent without socket that reports
 * BEV_EVENT_CONNECTED once HOST, a name or an address, has proved to be that. It owns what
 * is beneath it. NULL: no memory.
 */
struct bufferevent *tls_bufferevent(struct tls *, struct event_base *, const char *host);
/* Why it reported BEV_EVENT_ERROR with errno ERROR, in words. */
const char	*tls_bufferevent_reason(struct bufferevent *, int error, char *text,
		     size_t size);

/*
 * A stream over the non-blocking socket FD, which stays the caller's and must outlive it:
 * to HOST, or from a client. The handshake goes along with the first reads and writes.
 * NULL: no memory.
 */
struct tls_stream *tls_connect(struct tls *, int fd, const char *host);
struct tls_stream *tls_accept(struct tls *, int fd);
/* Does not touch the socket. */
void		 tls_stream_free(struct tls_stream *);
/*
 * As read(2) and write(2); 0 of tls_read(): the end. EAGAIN: again when the socket is
 * readable, or, if tls_wants_write(), writable. Anything else is the end, EPROTO if TLS
 * itself is the reason.
 */
ssize_t		 tls_read(struct tls_stream *, void *, size_t);
ssize_t		 tls_write(struct tls_stream *, const void *, size_t);
/* What the last call waited for. */
bool		 tls_wants_write(const struct tls_stream *);
/* Bytes that were taken from the socket but not read: it may be silent about them. */
bool		 tls_pending(const struct tls_stream *);
/* Has the handshake been made? */
bool		 tls_is_up(const struct tls_stream *);
/* Tell the peer that nothing more will come. */
void		 tls_shutdown(struct tls_stream *);
/* Why the last call failed, in words, with its errno. */
const char	*tls_reason(struct tls_stream *, int error, char *text, size_t size);

#endif
