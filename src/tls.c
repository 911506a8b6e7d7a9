/* SPDX-License-Identifier: BSD-3-Clause */
/* tls.c -- OpenSSL, directly and through libevent's bufferevents. */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls {
	SSL_CTX *ctx;
};

struct tls_stream {
	SSL *ssl;
	int want; /* SSL_ERROR_WANT_ of the last call */
	unsigned long error; /* of OpenSSL, of the last that failed; 0: none */
};

/* OpenSSL's word for ERROR, without codes; "certificate verify failed" with its reason. */
static const char *
explain(SSL *ssl, unsigned long error, int error_no, char *text, size_t size)
{
	long verified = ssl != NULL ? SSL_get_verify_result(ssl) : X509_V_OK;
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

	if (error != 0 && verified != X509_V_OK)
		snprintf(text, size, "its certificate is refused: %s",
		    X509_verify_cert_error_string(verified));
	else if (reason != NULL)
		snprintf(text, size, "TLS: %s", reason);
	else if (error != 0)
		snprintf(text, size, "TLS: error %lx", error);
	else if (error_no == 0)
		snprintf(text, size, "TLS: the connection was cut");
	else
		snprintf(text, size, "%s", strerror(error_no));
	return text;
}

static int
fail(const char *what, char *err, size_t errlen)
{
	char text[160];

	explain(NULL, ERR_peek_last_error(), errno, text, sizeof(text));
	ERR_clear_error();
	snprintf(err, errlen, "%s: %s", what, text);
	return -1;
}

static int
load_own(SSL_CTX *ctx, const char *cert, const char *key, char *err, size_t errlen)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return fail(cert, err, errlen);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return fail(key, err, errlen);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail("the key is not that of the certificate", err, errlen);
	return 0;
}

static struct tls *
make(const SSL_METHOD *method, char *err, size_t errlen)
{
	struct tls *t = calloc(1, sizeof(*t));

	ERR_clear_error();
	if (t != NULL)
		t->ctx = SSL_CTX_new(method);
	if (t == NULL || t->ctx == NULL) {
		free(t);
		fail("TLS", err, errlen);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return t;
}

struct tls *
tls_client_new(const char *ca, const char *cert, const char *key, char *err, size_t errlen)
{
	struct tls *t = make(TLS_client_method(), err, errlen);
	int rc = 0;

	if (t == NULL)
		return NULL;
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	if (ca == NULL ? SSL_CTX_set_default_verify_paths(t->ctx) != 1
		       : SSL_CTX_load_verify_locations(t->ctx, ca, NULL) != 1)
		rc = fail(ca != NULL ? ca : "the system's authorities", err, errlen);
	if (rc == 0 && cert != NULL)
		rc = load_own(t->ctx, cert, key, err, errlen);
	if (rc == 0)
		return t;
	tls_free(t);
	return NULL;
}

struct tls *
tls_server_new(const char *cert, const char *key, const char *client_ca, char *err,
    size_t errlen)
{
	struct tls *t = make(TLS_server_method(), err, errlen);
	int rc;

	if (t == NULL)
		return NULL;
	rc = load_own(t->ctx, cert, key, err, errlen);
	if (rc == 0 && client_ca != NULL) {
		SSL_CTX_set_verify(
		    t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		SSL_CTX_set_client_CA_list(t->ctx, SSL_load_client_CA_file(client_ca));
		if (SSL_CTX_load_verify_locations(t->ctx, client_ca, NULL) != 1)
			rc = fail(client_ca, err, errlen);
	}
	/* sessions are few and long: nothing is kept of them */
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(t->ctx, 0);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET);
	if (rc == 0)
		return t;
	tls_free(t);
	return NULL;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* An address must stand in the certificate as an address, a name as a name. */
static bool
is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static SSL *
expect(struct tls *t, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);
	int ok;

	if (ssl == NULL)
		return NULL;
	if (is_address(host)) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	} else {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
	}
	if (ok)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

/*
 * Through libevent
 */
struct bufferevent *
tls_bufferevent(struct tls *t, struct event_base *base, const char *host)
{
	SSL *ssl = expect(t, host);
	struct bufferevent *bev;

	if (ssl == NULL)
		return NULL;
	bev = bufferevent_openssl_socket_new(
	    base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL) {
		SSL_free(ssl);
		return NULL;
	}
	/* many just close; what must be whole has its length in it */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

const char *
tls_bufferevent_reason(struct bufferevent *bev, int error, char *text, size_t size)
{
	unsigned long e, first = bufferevent_get_openssl_error(bev);

	while ((e = bufferevent_get_openssl_error(bev)) != 0)
		;
	return explain(bufferevent_openssl_get_ssl(bev), first, error, text, size);
}

/*
 * Directly
 */
static struct tls_stream *
stream_new(SSL *ssl, int fd)
{
	struct tls_stream *s = ssl != NULL ? calloc(1, sizeof(*s)) : NULL;

	if (s != NULL && SSL_set_fd(ssl, fd) == 1) {
		s->ssl = ssl;
		return s;
	}
	ERR_clear_error();
	SSL_free(ssl);
	free(s);
	return NULL;
}

struct tls_stream *
tls_connect(struct tls *t, int fd, const char *host)
{
	struct tls_stream *s = stream_new(expect(t, host), fd);

	if (s != NULL)
		SSL_set_connect_state(s->ssl);
	return s;
}

struct tls_stream *
tls_accept(struct tls *t, int fd)
{
	struct tls_stream *s = stream_new(SSL_new(t->ctx), fd);

	if (s != NULL)
		SSL_set_accept_state(s->ssl);
	return s;
}

void
tls_stream_free(struct tls_stream *s)
{
	if (s == NULL)
		return;
	SSL_free(s->ssl); /* its BIO does not close FD */
	free(s);
}

/* What a call that returned N means, as read(2) and write(2) say it. */
static ssize_t
result(struct tls_stream *s, int n)
{
	int saved = errno, why;

	s->want = SSL_ERROR_NONE;
	if (n > 0)
		return n;
	why = SSL_get_error(s->ssl, n);
	s->error = 0;
	switch (why) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		s->want = why;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		errno = saved != 0 && saved != EAGAIN ? saved : ECONNRESET;
		break;
	default:
		s->error = ERR_peek_error();
		errno = EPROTO;
	}
	ERR_clear_error();
	/* the end without a farewell: many just close */
	if (SSL_is_init_finished(s->ssl) && s->error != 0 &&
	    ERR_GET_REASON(s->error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return 0;
	return -1;
}

ssize_t
tls_read(struct tls_stream *s, void *buf, size_t len)
{
	errno = 0;
	ERR_clear_error();
	return result(s, SSL_read(s->ssl, buf, len < INT_MAX ? (int)len : INT_MAX));
}

ssize_t
tls_write(struct tls_stream *s, const void *buf, size_t len)
{
	ssize_t n;

	if (len == 0)
		return 0;
	errno = 0;
	ERR_clear_error();
	n = result(s, SSL_write(s->ssl, buf, len < INT_MAX ? (int)len : INT_MAX));
	if (n == 0) {
		errno = EPIPE;
		return -1;
	}
	return n;
}

bool
tls_wants_write(const struct tls_stream *s)
{
	return s->want == SSL_ERROR_WANT_WRITE;
}

bool
tls_pending(const struct tls_stream *s)
{
	return SSL_has_pending(s->ssl) == 1;
}

bool
tls_is_up(const struct tls_stream *s)
{
	return SSL_is_init_finished(s->ssl) == 1;
}

void
tls_shutdown(struct tls_stream *s)
{
	ERR_clear_error();
	if (SSL_is_init_finished(s->ssl) && s->error == 0)
		SSL_shutdown(s->ssl); /* nobody waits for the answer */
	ERR_clear_error();
}

const char *
tls_reason(struct tls_stream *s, int error, char *text, size_t size)
{
	return explain(s->ssl, s->error, error, text, size);
}
