/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch_name.c -- lists of names: of the DNS, and of hosts in URLs; and what else a list
 * of URLs may have. Entries mean what they mean to redis-scripts/dns_watch.py and
 * alert_url.py.
 */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "glob.h"
#include "keyname.h"
#include "pattern.h"
#include "watch_int.h"

#define SLOTS_MIN 16

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

size_t
watch_name_copy(char *to, size_t size, const char *name, size_t len)
{
	size_t i;

	if (len > size)
		len = size;
	for (i = 0; i < len; i++)
		to[i] = lower(name[i]);
	return len > 0 && to[len - 1] == '.' ? len - 1 : len;
}

bool
watch_name_up(const char **name, size_t *len)
{
	const char *dot;

	if (*len == 0)
		return false;
	dot = memchr(*name, '.', *len);
	*len = dot != NULL ? *len - (size_t)(dot + 1 - *name) : 0;
	*name = dot != NULL ? dot + 1 : *name;
	return true;
}

/*
 * The hash
 */
static bool
is_name(const struct watch_set *s, const struct watch_name *n, const char *name,
    size_t len)
{
	const char *p = s->text + n->at + n->from;
	size_t i;

	if ((size_t)(n->to - n->from) != len)
		return false;
	for (i = 0; i < len && lower(p[i]) == name[i]; i++)
		;
	return i == len;
}

static struct watch_name *
slot(const struct watch_set *s, const char *name, size_t len, uint32_t hash)
{
	size_t i = hash & (s->slots - 1);

	while (s->names[i].len > 0 &&
	    (s->names[i].hash != hash || !is_name(s, &s->names[i], name, len)))
		i = (i + 1) & (s->slots - 1);
	return &s->names[i];
}

static struct watch_name *
free_slot(const struct watch_set *s, uint32_t hash)
{
	size_t i = hash & (s->slots - 1);

	while (s->names[i].len > 0)
		i = (i + 1) & (s->slots - 1);
	return &s->names[i];
}

bool
watch_name_room(struct watch_set *s, size_t n)
{
	struct watch_set old = *s;
	size_t i, slots = s->slots > 0 ? s->slots : SLOTS_MIN;

	while (slots < 2 * n)
		slots *= 2;
	if (slots == s->slots)
		return true;
	if (!watch_take(s, slots * sizeof(*s->names)))
		return false;
	s->names = calloc(slots, sizeof(*s->names));
	if (s->names == NULL) {
		s->names = old.names;
		watch_give(s, slots * sizeof(*s->names));
		return false;
	}
	s->slots = slots;
	for (i = 0; i < old.slots; i++)
		if (old.names[i].len > 0)
			*free_slot(s, old.names[i].hash) = old.names[i];
	free(old.names);
	watch_give(s, old.slots * sizeof(*s->names));
	return true;
}

bool
watch_name_find(const struct watch_set *s, const char *name, size_t len,
    struct watch_text *entry)
{
	const struct watch_name *n;

	if (s->slots == 0)
		return false;
	n = slot(s, name, len, (uint32_t)XXH3_64bits(name, len));
	if (n->len == 0)
		return false;
	entry->p = s->text + n->at;
	entry->len = n->len;
	return true;
}

/* Keep a text: where it is. UINT32_MAX: no room. */
static uint32_t
keep(struct watch_set *s, const char *text, size_t len)
{
	size_t cap = s->text_cap > 0 ? s->text_cap : 1024;
	char *more;

	while (cap < s->text_len + len)
		cap *= 2;
	if (cap > s->text_cap) {
		if (!watch_take(s, cap - s->text_cap))
			return UINT32_MAX;
		more = realloc(s->text, cap);
		if (more == NULL) {
			watch_give(s, cap - s->text_cap);
			return UINT32_MAX;
		}
		s->text = more;
		s->text_cap = cap;
	}
	memcpy(s->text + s->text_len, text, len);
	s->text_len += len;
	return (uint32_t)(s->text_len - len);
}

/* The entry TEXT means the name between FROM and TO. */
static enum watch_reply
add_name(struct watch_set *s, const char *text, size_t len, size_t from, size_t to)
{
	struct watch_name name = {.len = (uint16_t)len,
		.from = (uint16_t)from,
		.to = (uint16_t)to};
	char copy[WATCH_TEXT];
	size_t i;

	for (i = from; i < to; i++)
		copy[i - from] = lower(text[i]);
	name.hash = (uint32_t)XXH3_64bits(copy, to - from);
	if (!watch_name_room(s, s->n + 1))
		return WATCH_FULL;
	if (slot(s, copy, to - from, name.hash)->len > 0)
		return WATCH_TAKEN;
	name.at = keep(s, text, len);
	if (name.at == UINT32_MAX)
		return WATCH_FULL;
	*free_slot(s, name.hash) = name;
	s->n++;
	return WATCH_TAKEN;
}

enum watch_reply
watch_domain_add(struct watch_set *s, const char *text, size_t len, const char **why)
{
	size_t from = len > 2 && text[0] == '*' && text[1] == '.' ? 2 : 0, to = len;

	if (text[to - 1] == '.')
		to--;
	if (memchr(text + from, '*', to - from) != NULL) {
		*why = "a pattern, where names are expected";
		return WATCH_BAD;
	}
	return add_name(s, text, len, from, to);
}

/*
 * URLs
 */

/* Where the name is in an authority: without user, port, brackets. */
static void
bare_host(const char *text, size_t *from, size_t *to)
{
	size_t begin = *from, end = *to, i;
	const char *p;

	for (i = end; i > begin; i--)
		if (text[i - 1] == '@') {
			begin = i;
			break;
		}
	*from = begin;
	if (begin < end && text[begin] == '[' &&
	    (p = memchr(text + begin, ']', end - begin)) != NULL) {
		size_t close = (size_t)(p - text);

		i = close + 1;
		if (i < end && text[i] == ':')
			for (i++; i < end && text[i] >= '0' && text[i] <= '9'; i++)
				;
		if (i == end) {
			*from = begin + 1;
			*to = close;
			goto dot;
		}
	}
	p = memchr(text + begin, ':', end - begin);
	if (p != NULL) {
		for (i = (size_t)(p - text) + 1; i < end && text[i] >= '0' && text[i] <= '9';
		     i++)
			;
		if (i < end)
			return; /* something else; it is compared as it is */
		*to = (size_t)(p - text);
	}
dot:
	if (*to > *from && text[*to - 1] == '.')
		--*to;
}

static bool
begins(const char *text, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(text, with, n) == 0;
}

static bool
is_glob(const char *text, size_t len)
{
	return memchr(text, '*', len) != NULL || memchr(text, '?', len) != NULL ||
	    memchr(text, '[', len) != NULL;
}

/* The set may name an entry several times. */
static bool
has_pattern(const struct watch_set *s, const char *text, size_t len)
{
	for (unsigned i = 0; i < s->npatterns; i++)
		if (s->patterns[i].len == len &&
		    memcmp(s->text + s->patterns[i].at, text, len) == 0)
			return true;
	return false;
}

static enum watch_reply
add_pattern(struct watch_set *s, struct watch_pattern *p, const char *text, size_t len)
{
	size_t bytes = p->search != NULL ? pattern_bytes(p->search) : 0;
	struct watch_pattern *v = s->patterns;

	if (v == NULL) {
		if (!watch_take(s, WATCH_PATTERNS * sizeof(*v)))
			return WATCH_FULL;
		v = calloc(WATCH_PATTERNS, sizeof(*v));
		if (v == NULL) {
			watch_give(s, WATCH_PATTERNS * sizeof(*v));
			return WATCH_FULL;
		}
		s->patterns = v;
	}
	p->at = keep(s, text, len);
	p->len = (uint16_t)len;
	if (p->at == UINT32_MAX || !watch_take(s, bytes))
		return WATCH_FULL;
	v[s->npatterns++] = *p;
	s->n++;
	return WATCH_TAKEN;
}

static enum watch_reply
add_search(struct watch_set *s, const char *text, size_t len, const char **why)
{
	struct watch_pattern p = {.search = pattern_new(text + 1, len - 1, why)};
	enum watch_reply reply;

	if (p.search == NULL)
		return WATCH_BAD;
	reply = add_pattern(s, &p, text, len);
	if (reply != WATCH_TAKEN)
		pattern_free(p.search);
	return reply;
}

/* HOST bytes of TEXT from FROM on are the host, a path may follow. */
static enum watch_reply
add_glob(struct watch_set *s, const char *text, size_t len, size_t from, size_t host)
{
	char glob[WATCH_TEXT];
	struct watch_pattern p = {.whole = from + host < len};
	size_t n = watch_name_copy(glob, sizeof(glob), text + from, host);

	memcpy(glob + n, text + from + host, len - from - host);
	n += len - from - host;
	p.glob = keep(s, glob, n);
	p.glob_len = (uint16_t)n;
	return p.glob == UINT32_MAX ? WATCH_FULL : add_pattern(s, &p, text, len);
}

enum watch_reply
watch_url_add(struct watch_set *s, const char *text, size_t len, const char **why)
{
	size_t from = begins(text, len, "http://") ? 7
	    : begins(text, len, "https://")	   ? 8
						   : 0;
	const char *slash = memchr(text + from, '/', len - from);
	size_t to = slash != NULL ? (size_t)(slash - text) : len, host = to - from;

	if (text[0] != '~' && slash == NULL && !is_glob(text + from, host)) {
		bool root = host == 1 && text[from] == '.';

		bare_host(text, &from, &to);
		if (from < to || root)
			return add_name(s, text, len, from, to);
		host = 0;
	}
	if (text[0] != '~' && host == 0) {
		*why = "names no host";
		return WATCH_BAD;
	}
	if (has_pattern(s, text, len))
		return WATCH_TAKEN;
	if (s->npatterns == WATCH_PATTERNS)
		return WATCH_FULL;
	return text[0] == '~' ? add_search(s, text, len, why)
			      : add_glob(s, text, len, from, host);
}

/* scheme://authority, and what follows it. False: URL is no such one. */
static bool
is_absolute(struct watch_text url, struct watch_text *authority, struct watch_text *rest)
{
	size_t i = 0, end;

	while (i < url.len &&
	    ((lower(url.p[i]) >= 'a' && lower(url.p[i]) <= 'z') ||
		(i > 0 && url.p[i] != '\0' && strchr("0123456789+.-", url.p[i]) != NULL)))
		i++;
	if (i == 0 || !begins(url.p + i, url.len - i, "://"))
		return false;
	i += 3;
	for (end = i; end < url.len && strchr("/?#", url.p[end]) == NULL; end++)
		;
	*authority = (struct watch_text){url.p + i, end - i};
	*rest = (struct watch_text){url.p + end, url.len - end};
	return true;
}

static struct watch_text
cut(struct watch_text t)
{
	if (t.len > WATCH_LOOK)
		t.len = WATCH_LOOK;
	return t;
}

bool
watch_url_of(const struct watch_request *r, struct watch_url *to)
{
	struct watch_text host = cut(r->host), url = cut(r->url), authority, rest;
	size_t from = 0, end, i;

	if (is_absolute(url, &authority, &rest)) {
		if (authority.len > 0)
			host = authority;
		url = rest;
	} else if (r->method.len == 7 && memcmp(r->method.p, "CONNECT", 7) == 0) {
		if (url.len > 0)
			host = url;
		url.len = 0;
	}
	end = host.len;
	if (end > 0)
		bare_host(host.p, &from, &end);
	to->host = end - from;
	for (i = 0; i < to->host; i++)
		to->text[i] = lower(host.p[from + i]);
	if (to->host == 0 && r->server != NULL)
		to->host = keyname_addr(to->text, r->server);
	if (to->host == 0)
		return false;
	to->len = to->host;
	if (url.len == 0 || url.p[0] != '/')
		to->text[to->len++] = '/';
	if (url.len > 0)
		memcpy(to->text + to->len, url.p, url.len);
	to->len += url.len;
	return true;
}
