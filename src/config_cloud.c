/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_cloud.c -- the options of the MicroCloud: Redis addresses, where to answer
 * clients, which events, the probe's name.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_row.h"

#define REDIS_PORT    6379
#define RESP_DEFAULT  "127.0.0.1:6380"
#define NODES_MAX     64
#define SECRET_MAX    512
#define CHANNEL_BYTES \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static int
reason(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
reason(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return -1;
}

/*
 * Addresses
 */
static void
redis_address_clear(struct redis_address *a)
{
	free(a->text);
	free(a->host);
	free(a->path);
	memset(a, 0, sizeof(*a));
}

static void
redis_list_clear(struct redis_list *l)
{
	while (l->n > 0)
		redis_address_clear(&l->v[--l->n]);
	free(l->v);
	l->v = NULL;
}

/* A port number, or -1. */
static int
read_port(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	return isdigit((unsigned char)*s) && *end == '\0' && n >= 1 && n <= 65535 ? (int)n
										   : -1;
}

/* HOST, HOST:PORT, [IPv6]:PORT. An IPv6 address without brackets has no port. */
static int
read_host(struct redis_address *a, const char *text)
{
	const char *port = NULL, *end;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return -1;
		port = end[1] == ':' ? end + 2 : NULL;
	} else {
		end = strchr(text, ':');
		if (end == NULL || strchr(end + 1, ':') != NULL)
			end = text + strlen(text);
		else
			port = end + 1;
	}
	if (end == text)
		return -1;
	a->port = port != NULL ? read_port(port) : REDIS_PORT;
	a->host = strndup(text, (size_t)(end - text));
	return a->port < 0 || a->host == NULL ? -1 : 0;
}

static int
read_address(struct redis_address *a, const char *text)
{
	memset(a, 0, sizeof(*a));
	a->text = strdup(text);
	if (a->text == NULL)
		return -1;
	if (strncmp(text, "tls://", 6) == 0 || strncmp(text, "rediss://", 9) == 0) {
		a->tls = true;
		return read_host(a, strchr(text, '/') + 2);
	}
	if (strncmp(text, "unix:", 5) != 0)
		return read_host(a, text);
	a->path = strdup(text + 5);
	return a->path == NULL || *a->path == '\0' ||
		strlen(a->path) >= sizeof(((struct sockaddr_un *)0)->sun_path)
	    ? -1
	    : 0;
}

/* Add the addresses of a comma-separated list. */
static int
read_list(struct redis_list *l, const char *value, char *err, size_t errlen)
{
	char *copy = strdup(value), *rest = copy, *word;
	int rc = copy == NULL ? reason(err, errlen, "no memory") : 0;

	while (rc == 0 && (word = strsep(&rest, ", ")) != NULL) {
		struct redis_address *v;

		if (*word == '\0')
			continue;
		if (l->n == NODES_MAX) {
			rc = reason(err, errlen, "%d addresses at most", NODES_MAX);
			break;
		}
		v = realloc(l->v, (l->n + 1) * sizeof(*v));
		if (v == NULL) {
			rc = reason(err, errlen, "no memory");
			break;
		}
		l->v = v;
		if (read_address(&v[l->n], word) < 0) {
			redis_address_clear(&v[l->n]);
			rc = reason(err, errlen,
			    "[tls://]HOST:PORT (ports 1 to 65535) or unix:PATH, not %s", word);
			break;
		}
		l->n++;
	}
	free(copy);
	if (rc == 0 && l->n == 0)
		return reason(err, errlen, "HOST:PORT or unix:PATH");
	return rc;
}

int
config_set_redis(struct config *c, const char *value, char *err, size_t errlen)
{
	return read_list(&c->redis, value, err, errlen);
}

int
config_set_sentinel(struct config *c, const char *value, char *err, size_t errlen)
{
	const char *at = strchr(value, '@');
	char *master;
	unsigned i;

	if (at == NULL || at == value)
		return reason(err, errlen, "MASTER@HOST:PORT,...");
	master = strndup(value, (size_t)(at - value));
	if (master == NULL)
		return reason(err, errlen, "no memory");
	free(c->sentinel_master);
	c->sentinel_master = master;
	redis_list_clear(&c->sentinels);
	if (read_list(&c->sentinels, at + 1, err, errlen) < 0)
		return -1;
	for (i = 0; i < c->sentinels.n; i++)
		if (c->sentinels.v[i].tls)
			return reason(err, errlen,
			    "sentinels and their master without TLS: that is not supported");
	return 0;
}

/*
 * Clients
 */
int
config_set_resp(struct config *c, const char *value, char *err, size_t errlen)
{
	const char *port = strrchr(value, ':');
	bool bare = port == NULL;

	if (strcmp(value, "none") == 0) {
		strlist_clear(&c->resp);
		c->resp_none = true;
		return 0;
	}
	if (strncmp(value, "unix:", 5) == 0) {
		if (strlen(value + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path) ||
		    value[5] == '\0')
			return reason(err, errlen, "unix:PATH of 1 to 107 characters");
	} else if (read_port(bare ? value : port + 1) < 0 || port == value) {
		return reason(err, errlen, "[ADDR:]PORT (ports 1 to 65535), unix:PATH or none");
	}
	c->resp_none = false;
	return strlist_add(&c->resp, value) < 0 ? reason(err, errlen, "no memory") : 0;
}

int
config_set_resp_tls(struct config *c, const char *value, char *err, size_t errlen)
{
	char **to[] = {&c->resp_cert, &c->resp_key, &c->resp_client_ca};
	char *copy = strdup(value), *rest = copy, *word;
	unsigned n = 0;
	int rc = copy == NULL ? -1 : 0;

	free(c->resp_client_ca);
	c->resp_client_ca = NULL;
	while (rc == 0 && (word = strsep(&rest, ",")) != NULL) {
		if (n == 3 || *word == '\0') {
			n = 0;
			break;
		}
		rc = config_string(to[n++], word);
	}
	free(copy);
	if (rc < 0)
		return reason(err, errlen, "no memory");
	return n < 2 ? reason(err, errlen, "CERT,KEY or CERT,KEY,CLIENT-CA: names of files") : 0;
}

/* The list replaces the one before it, the default's too. */
int
config_set_publish(struct config *c, const char *value, char *err, size_t errlen)
{
	char *copy = strdup(value), *rest = copy, *word, *p;
	int rc = copy == NULL ? reason(err, errlen, "no memory") : 0;

	strlist_clear(&c->publish);
	while (rc == 0 && (word = strsep(&rest, ", ")) != NULL) {
		if (*word == '\0' || strcmp(word, "none") == 0)
			continue;
		p = word + strspn(word, CHANNEL_BYTES);
		if (*p != '\0')
			rc = reason(err, errlen,
			    "names of channels like flow,dns,alert.warning; all; or none");
		else if (strlist_add(&c->publish, word) < 0)
			rc = reason(err, errlen, "no memory");
	}
	free(copy);
	return rc;
}

/*
 * The probe's name
 */
static int
default_probe_id(struct config *c)
{
	char host[128], id[256], *p;
	const char *from = c->pcap_file_list;
	size_t len;

	if (c->interfaces.n > 0)
		from = c->interfaces.v[0];
	if (from == NULL || strcmp(from, "-") == 0)
		from = "stdin";
	if (strrchr(from, '/') != NULL)
		from = strrchr(from, '/') + 1;
	if (gethostname(host, sizeof(host)) < 0)
		strcpy(host, "localhost");
	host[sizeof(host) - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	len = c->live ? strlen(from) : strcspn(from, ".");
	snprintf(id, sizeof(id), "%s-%.*s", host, (int)(len < 100 ? len : 100), from);
	for (p = id; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			*p = '_';
	return config_string(&c->probe_id, id);
}

static int
check_probe_id(const struct config *c, char *err, size_t errlen)
{
	const char *p;

	for (p = c->probe_id; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
			return reason(err, errlen,
			    "--probe-id %s: letters, digits, _ and - only", c->probe_id);
	if (p == c->probe_id || p - c->probe_id > 200)
		return reason(err, errlen, "--probe-id: 1 to 200 characters");
	return 0;
}

/* What says how to use nodes is a mistake where there are none. */
static int
check_nodes(const struct config *c, char *err, size_t errlen)
{
	const struct {
		const char *name;
		bool given;
	} options[] = {{"--redis-user", c->redis_user != NULL},
		{"--redis-password-file", c->redis_password_file != NULL},
		{"--redis-db", c->redis_db != 0},
		{"--watch", c->watch}};
	unsigned i;

	if (c->sentinel_master != NULL && c->redis.n > 0)
		return reason(err, errlen, "--redis and --sentinel exclude each other");
	if (c->sentinel_master != NULL || c->redis.n > 0)
		return 0;
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].given)
			return reason(err, errlen,
			    "%s needs the nodes it is about: --redis or --sentinel",
			    options[i].name);
	return 0;
}

int
config_finish_cloud(struct config *c, char *err, size_t errlen)
{
	if (c->probe_id == NULL && default_probe_id(c) < 0)
		return reason(err, errlen, "no memory");
	if (check_probe_id(c, err, errlen) < 0)
		return -1;
	if (check_nodes(c, err, errlen) < 0)
		return -1;
	if (c->resp_cert != NULL && c->resp_none)
		return reason(err, errlen, "--resp-tls: nobody is answered (--resp none)");
	if (c->daemon && c->events != NULL && strcmp(c->events, "-") == 0)
		return reason(err, errlen, "--daemon cannot write to standard output");
	if (c->resp.n == 0 && !c->resp_none && (c->live || c->stay)) {
		if (strlist_add(&c->resp, RESP_DEFAULT) < 0)
			return reason(err, errlen, "no memory");
		c->resp_default = true;
	}
	return 0;
}

void
config_clear_cloud(struct config *c)
{
	redis_list_clear(&c->redis);
	redis_list_clear(&c->sentinels);
	strlist_clear(&c->resp);
	strlist_clear(&c->publish);
	free(c->sentinel_master);
	free(c->resp_cert);
	free(c->resp_key);
	free(c->resp_client_ca);
}

bool
config_has_cloud(const struct config *c)
{
	return c->redis.n > 0 || c->sentinel_master != NULL || c->resp.n > 0;
}

char *
config_secret(const char *option, const char *path, char *err, size_t errlen)
{
	char line[SECRET_MAX + 2], *secret;
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		reason(err, errlen, "%s %s: %s", option, path, strerror(errno));
		return NULL;
	}
	errno = 0;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	if (ferror(f)) { /* a folder, say */
		reason(err, errlen, "%s %s: %s", option, path, strerror(errno));
		fclose(f);
		return NULL;
	}
	fclose(f);
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || strlen(line) > SECRET_MAX) {
		reason(err, errlen,
		    "%s %s: expected a password of 1 to %d bytes in its first line", option,
		    path, SECRET_MAX);
		return NULL;
	}
	secret = strdup(line);
	if (secret == NULL)
		reason(err, errlen, "no memory");
	explicit_bzero(line, sizeof(line));
	return secret;
}
