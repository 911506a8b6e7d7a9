/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_cloud.c -- the control side of the plugin http: reports made into events and
 * keys.
 */
#include "http_int.h"

#include <stdlib.h>
#include <string.h>

#define SENDERS_MAX 1024 /* workers */
#define AGENTS	    64	 /* user agents whose system is remembered */
#define SYSTEM	    64

/* An event. */
struct event {
	uint64_t present;
	uint64_t req_bytes, resp_bytes, latency_us;
	uint32_t client_nw_us, server_nw_us;
	uint16_t status;
	char method[HTTP_METHOD_MAX + 1], url[URL_MAX + 1], host[HOST_MAX + 1];
	char referer[REFERER_MAX + 1], agent[AGENT_MAX + 1], mime[MIME_MAX + 1];
};

static const struct mc_row rows[] = {
    MC_ROW(event, method, "method", MC_STRING, P_METHOD),
    MC_ROW(event, host, "host", MC_STRING, P_HOST),
    MC_ROW(event, url, "url", MC_STRING, P_URL),
    MC_ROW_NULL(event, status, "status", MC_U16, P_STATUS),
    MC_ROW(event, agent, "userAgent", MC_STRING, P_AGENT),
    MC_ROW(event, referer, "referer", MC_STRING, P_REFERER),
    MC_ROW(event, mime, "mime", MC_STRING, P_MIME),
    MC_ROW(event, req_bytes, "reqBytes", MC_U64, P_REQ_BYTES),
    MC_ROW(event, resp_bytes, "respBytes", MC_U64, P_RESP_BYTES),
    MC_ROW_NULL(event, latency_us, "latencyUs", MC_U64, P_LATENCY),
    MC_ROW(event, client_nw_us, "clientLatencyUs", MC_U32, P_CLIENT_NW),
    MC_ROW(event, server_nw_us, "serverLatencyUs", MC_U32, P_SERVER_NW),
};

/* Parts of an event that has not all come. */
struct sender {
	uint64_t id;
	uint32_t have;
	uint8_t buf[WIRE_MAX];
};

/* Looking for a system costs much, and most requests have a user agent seen before. */
struct agent {
	char text[AGENT_MAX + 1]; /* "": none */
	char system[SYSTEM];	  /* "": it names none */
};

struct control {
	int hosts; /* http.host.<name> */
	int ip_requests, ip_errors, ip_os; /* fields of ip.<addr> */
	struct sender **senders;
	unsigned nsenders;
	struct event event;
	struct agent agents[AGENTS];
};

/* Fields of a host's name, by number. */
enum {
	F_REQUESTS,
	F_BYTES,
	F_TIME_SUM,
	F_TIME_MAX,
	F_ERRORS,
	FIELDS
};

static bool
add_fields(struct control *c, const struct mc_setup *setup)
{
	static const char *const names[FIELDS] = {
	    [F_REQUESTS] = "requests",
	    [F_BYTES] = "bytes",
	    [F_TIME_SUM] = "serviceTimeUsSum",
	    [F_TIME_MAX] = "serviceTimeUsMax",
	    [F_ERRORS] = "errors",
	};
	int i, at;

	for (i = 0; c->hosts >= 0 && i < FIELDS; i++) {
		at = mc_field_add(setup, c->hosts, names[i]);
		if (at != i && at != 0) /* 0: nobody could read the keys */
			return false;
	}
	c->ip_requests = mc_field_add(setup, MC_TREE_IP, "http.requests");
	c->ip_errors = mc_field_add(setup, MC_TREE_IP, "http.errors");
	c->ip_os = mc_field_add(setup, MC_TREE_IP, "os");
	return (c->hosts | c->ip_requests | c->ip_errors | c->ip_os) >= 0;
}

void *
http_control_new(const struct mc_setup *setup)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->hosts = mc_tree_add(setup, "http.host.", MC_KEY_HASH, UINT32_MAX);
	if (!add_fields(c, setup)) {
		free(c);
		return NULL;
	}
	return c;
}

void
http_control_free(void *ctx)
{
	struct control *c = ctx;

	while (c->nsenders > 0)
		free(c->senders[--c->nsenders]);
	free(c->senders);
	free(c);
}

/* The event's bytes, once they have all come; NULL: not yet, or never. */
static const uint8_t *
gather(struct control *c, const struct part *part, const uint8_t *p, size_t n)
{
	struct sender *from = NULL, **more;
	unsigned i;

	if (part->at == 0 && part->total == n)
		return p;
	for (i = 0; i < c->nsenders && from == NULL; i++)
		if (c->senders[i]->id == part->sender)
			from = c->senders[i];
	if (from == NULL) {
		if (c->nsenders == SENDERS_MAX)
			return NULL;
		more = realloc(c->senders, (c->nsenders + 1) * sizeof(*more));
		if (more == NULL)
			return NULL;
		c->senders = more;
		if ((from = calloc(1, sizeof(*from))) == NULL)
			return NULL;
		from->id = part->sender;
		c->senders[c->nsenders++] = from;
	}
	if (part->at == 0)
		from->have = 0;
	if (part->at != from->have || n > sizeof(from->buf) - from->have)
		return NULL; /* a part was lost */
	memcpy(from->buf + from->have, p, n);
	from->have += (uint32_t)n;
	return from->have == part->total ? from->buf : NULL;
}

/* The host's name in lower case: that of the header, else of the target. */
static size_t
event_host(const struct event *e, char *name, size_t size)
{
	const char *p = e->host;
	size_t len = strlen(p), i;

	if (len == 0) {
		bool connect = strcmp(e->method, "CONNECT") == 0;
		const char *scheme = strstr(e->url, "://");

		if (!connect && (scheme == NULL || e->url[0] == '/'))
			return 0;
		p = connect ? e->url : scheme + 3;
		len = strcspn(p, "/?#");
	}
	p = http_host_name(p, &len);
	len = len < size ? len : size;
	for (i = 0; i < len; i++)
		name[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] - 'A' + 'a' : p[i]);
	return len;
}

/* The system that user agent TEXT names; "": none. */
static const char *
system_of(struct control *c, const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	struct agent *a;
	size_t n;

	for (n = 0; text[n] != '\0'; n++)
		h = (h ^ (uint8_t)text[n]) * 16777619u;
	a = &c->agents[(h ^ h >> 16) % AGENTS];
	if (strcmp(a->text, text) == 0)
		return a->system;
	memcpy(a->text, text, n + 1);
	if (!http_system(text, a->system, sizeof(a->system)))
		a->system[0] = '\0';
	return a->system;
}

static void
count(struct control *c, const struct mc_cloud *cloud, const struct event *e,
    unsigned client)
{
	const uint8_t *addr = cloud->key->addr[client];
	const char *os = "";
	char name[HOST_MAX];
	bool error = (e->present & 1 << P_STATUS) != 0 && e->status >= 400;
	size_t len = event_host(e, name, sizeof(name));
	struct mc_add add[FIELDS];
	unsigned n = 0;

	if ((e->present & 1 << P_REQ_BYTES) != 0)
		add[n++] = (struct mc_add){(uint8_t)c->ip_requests, MC_ADD, 1};
	if (error)
		add[n++] = (struct mc_add){(uint8_t)c->ip_errors, MC_ADD, 1};
	if (n > 0)
		mc_cloud_add(cloud, MC_TREE_IP, addr, 16, add, n, 0, 0);
	if ((e->present & 1 << P_AGENT) != 0)
		os = system_of(c, e->agent);
	if (os[0] != '\0')
		mc_cloud_put(cloud, MC_TREE_IP, addr, 16, c->ip_os, os, strlen(os));
	if (len == 0)
		return;
	n = 0;
	add[n++] = (struct mc_add){F_REQUESTS, MC_ADD, 1};
	add[n++] = (struct mc_add){F_BYTES, MC_ADD, e->req_bytes + e->resp_bytes};
	if (error)
		add[n++] = (struct mc_add){F_ERRORS, MC_ADD, 1};
	if ((e->present & 1 << P_LATENCY) != 0) {
		add[n++] = (struct mc_add){F_TIME_SUM, MC_ADD, e->latency_us};
		add[n++] = (struct mc_add){F_TIME_MAX, MC_ADD_MAX, e->latency_us};
	}
	mc_cloud_add(cloud, c->hosts, name, len, add, n, 0, 0);
}

/* ALL: of the texts too that only events have. */
static void
unpack(struct event *e, const struct wire *m, const uint8_t *p, size_t left, bool all)
{
	static const struct {
		uint16_t offset, size;
		uint8_t bit;
		bool only; /* no key is made of it, if there is a host */
	} texts[HTTP_TEXTS] = {
#define TEXT(m, bit, only) \
	{offsetof(struct event, m), sizeof(((struct event *)0)->m), bit, only}
	    [HTTP_METHOD] = TEXT(method, P_METHOD, true),
	    [HTTP_URL] = TEXT(url, P_URL, true),
	    [HTTP_HOST] = TEXT(host, P_HOST, false),
	    [HTTP_REFERER] = TEXT(referer, P_REFERER, true),
	    [HTTP_AGENT] = TEXT(agent, P_AGENT, false),
	    [HTTP_MIME] = TEXT(mime, P_MIME, true),
#undef TEXT
	};
	unsigned i;

	e->present = m->present;
	e->status = m->status;
	e->req_bytes = m->req_bytes;
	e->resp_bytes = m->resp_bytes;
	e->latency_us = m->latency_us;
	e->client_nw_us = m->client_nw_us;
	e->server_nw_us = m->server_nw_us;
	if (m->client_nw_us != 0)
		e->present |= 1 << P_CLIENT_NW;
	if (m->server_nw_us != 0)
		e->present |= 1 << P_SERVER_NW;
	for (i = 0; i < HTTP_TEXTS; i++) {
		size_t len = m->len[i] < left ? m->len[i] : left;

		((char *)e)[texts[i].offset] = '\0';
		if ((all || !texts[i].only || m->len[HTTP_HOST] == 0) &&
		    http_put((char *)e + texts[i].offset, texts[i].size,
			(const char *)p, len))
			e->present |= UINT64_C(1) << texts[i].bit;
		p += len;
		left -= len;
	}
}

void
http_on_report(void *ctx, const struct mc_cloud *cloud, const void *msg, size_t len)
{
	struct control *c = ctx;
	const uint8_t *p = msg;
	struct part part;
	struct wire m;
	bool wanted;

	if (len < sizeof(part))
		return;
	memcpy(&part, p, sizeof(part));
	p = gather(c, &part, p + sizeof(part), len - sizeof(part));
	if (p == NULL || part.total < sizeof(m))
		return;
	memcpy(&m, p, sizeof(m));
	wanted = mc_cloud_wanted(cloud, "http");
	unpack(&c->event, &m, p + sizeof(m), part.total - sizeof(m), wanted);
	count(c, cloud, &c->event, m.client & 1);
	if (wanted)
		mc_cloud_publish(cloud, "http", m.first_us, m.client & 1, rows,
		    sizeof(rows) / sizeof(rows[0]), &c->event);
}
