/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c -- the lists and their sources. A list that is given anew is built beside the
 * one that counts, and takes its place when it is whole.
 */
#include "watch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glob.h"
#include "pattern.h"
#include "watch_int.h"

static const char *const keys[WATCH_LISTS] = {
	[WATCH_DNS_CLIENTS] = "watch.dns.clients",
	[WATCH_DNS_DOMAINS] = "watch.dns.domains",
	[WATCH_IP] = "watch.ip",
	[WATCH_URL] = "watch.url",
};

struct source {
	struct watch_set set[WATCH_LISTS];
	struct watch_set next[WATCH_LISTS]; /* being given */
};

struct watch {
	unsigned nsources;
	size_t bytes;
	size_t entries[WATCH_LISTS]; /* of all sources */
	struct source source[];
};

const char *
watch_key(enum watch_list list)
{
	return keys[list];
}

static void
set_clear(struct watch_set *s)
{
	size_t *budget = s->budget;

	for (unsigned i = 0; i < s->npatterns; i++)
		pattern_free(s->patterns[i].search);
	free(s->patterns);
	free(s->nets);
	free(s->names);
	free(s->text);
	*budget -= s->bytes;
	memset(s, 0, sizeof(*s));
	s->budget = budget;
}

bool
watch_take(struct watch_set *s, size_t bytes)
{
	if (bytes > WATCH_BYTES || *s->budget + bytes > WATCH_BYTES)
		return false;
	*s->budget += bytes;
	s->bytes += bytes;
	return true;
}

void
watch_give(struct watch_set *s, size_t bytes)
{
	*s->budget -= bytes;
	s->bytes -= bytes;
}

struct watch *
watch_new(unsigned sources)
{
	struct watch *w = calloc(1, sizeof(*w) + sources * sizeof(w->source[0]));
	unsigned i, l;

	if (w == NULL)
		return NULL;
	w->nsources = sources;
	for (i = 0; i < sources; i++)
		for (l = 0; l < WATCH_LISTS; l++)
			w->source[i].set[l].budget = w->source[i].next[l].budget =
			    &w->bytes;
	return w;
}

void
watch_free(struct watch *w)
{
	unsigned i, l;

	for (i = 0; w != NULL && i < w->nsources; i++)
		for (l = 0; l < WATCH_LISTS; l++) {
			set_clear(&w->source[i].set[l]);
			set_clear(&w->source[i].next[l]);
		}
	free(w);
}

/*
 * Giving
 */
static bool
is_addresses(enum watch_list list)
{
	return list == WATCH_DNS_CLIENTS || list == WATCH_IP;
}

void
watch_begin(struct watch *w, unsigned source, enum watch_list list, size_t size)
{
	struct watch_set *s = &w->source[source].next[list];

	set_clear(s);
	/* only a guess: where it is too much, entries will tell */
	if (size > WATCH_ENTRIES)
		size = WATCH_ENTRIES;
	if (is_addresses(list))
		watch_net_room(s, size);
	else
		watch_name_room(s, size);
}

static void
leave_out(struct watch_set *s, const char *text, size_t len, const char *why)
{
	size_t i, max = sizeof(s->example) - strlen(why) - 3;

	if (s->left_out++ > 0)
		return;
	if (max > sizeof(s->example))
		max = 0;
	for (i = 0; i < len && i < max; i++)
		s->example[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	snprintf(s->example + i, sizeof(s->example) - i, ": %s", why);
}

bool
watch_add(struct watch *w, unsigned source, enum watch_list list, const char *text,
    size_t len)
{
	struct watch_set *s = &w->source[source].next[list];
	enum watch_reply reply = WATCH_FULL;
	const char *why = "not understood";

	s->given++;
	while (len > 0 && isspace((unsigned char)text[0])) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len == 0)
		return true; /* nobody means anything by it */
	if (len > WATCH_TEXT) {
		leave_out(s, text, 20, "too long");
		return false;
	}
	if (s->n < WATCH_ENTRIES)
		reply = is_addresses(list)     ? watch_net_add(s, text, len, &why)
		    : list == WATCH_DNS_DOMAINS ? watch_domain_add(s, text, len, &why)
						: watch_url_add(s, text, len, &why);
	if (reply != WATCH_TAKEN)
		leave_out(s, text, len, reply == WATCH_FULL ? "no room" : why);
	return reply == WATCH_TAKEN;
}

void
watch_end(struct watch *w, unsigned source, enum watch_list list, size_t n)
{
	struct watch_set *s = &w->source[source].set[list],
			 *next = &w->source[source].next[list];

	if (n > next->given)
		next->left_out += n - next->given;
	w->entries[list] -= s->n;
	w->entries[list] += next->n;
	set_clear(s);
	*s = *next;
	memset(next, 0, sizeof(*next));
	next->budget = &w->bytes;
}

void
watch_abandon(struct watch *w, unsigned source, enum watch_list list)
{
	set_clear(&w->source[source].next[list]);
}

/*
 * Asking
 */
void
watch_stats(const struct watch *w, unsigned source, enum watch_list list,
    struct watch_stats *to)
{
	const struct watch_set *s = &w->source[source].set[list];

	to->entries = s->n;
	to->left_out = s->left_out;
	memcpy(to->example, s->example, sizeof(to->example));
}

size_t
watch_bytes(const struct watch *w)
{
	return w->bytes;
}

bool
watch_any(const struct watch *w, enum watch_list list)
{
	return w->entries[list] > 0;
}

bool
watch_address(const struct watch *w, enum watch_list list, const uint8_t *addr,
    char *entry)
{
	for (unsigned i = 0; w->entries[list] > 0 && i < w->nsources; i++)
		if (watch_net_find(&w->source[i].set[list], addr, entry))
			return true;
	return false;
}

bool
watch_domain(const struct watch *w, const char *name, size_t len,
    struct watch_text *entry)
{
	char copy[WATCH_LOOK];
	const char *p = copy;
	unsigned i;

	if (w->entries[WATCH_DNS_DOMAINS] == 0)
		return false;
	len = watch_name_copy(copy, sizeof(copy), name, len);
	do {
		for (i = 0; i < w->nsources; i++)
			if (watch_name_find(&w->source[i].set[WATCH_DNS_DOMAINS], p, len,
				entry))
				return true;
	} while (watch_name_up(&p, &len));
	return false;
}

/* The patterns of a source that mean URL. */
static unsigned
find_patterns(const struct watch_set *s, const struct watch_url *url,
    struct watch_text *found, unsigned max, uint32_t *fuel)
{
	unsigned i, n = 0;

	for (i = 0; i < s->npatterns && n < max && *fuel > 0; i++) {
		const struct watch_pattern *p = &s->patterns[i];
		bool match = p->search != NULL
		    ? pattern_search(p->search, url->text, url->len, fuel)
		    : glob_match_within(s->text + p->glob, p->glob_len, url->text,
			  p->whole ? url->len : url->host, fuel);

		if (match)
			found[n++] = (struct watch_text){s->text + p->at, p->len};
	}
	return n;
}

/* Entries that several sources have are told of once. */
static unsigned
once(struct watch_text *found, unsigned n)
{
	unsigned i, j, kept = 0;

	for (i = 0; i < n; i++) {
		for (j = 0; j < kept; j++)
			if (found[j].len == found[i].len &&
			    memcmp(found[j].p, found[i].p, found[i].len) == 0)
				break;
		if (j == kept)
			found[kept++] = found[i];
	}
	return kept;
}

unsigned
watch_url_find(const struct watch *w, const struct watch_url *url,
    struct watch_text found[WATCH_FOUND], bool *costly)
{
	uint32_t fuel = WATCH_FUEL;
	unsigned i, n = 0;

	for (i = 0; w->entries[WATCH_URL] > 0 && i < w->nsources; i++) {
		const struct watch_set *s = &w->source[i].set[WATCH_URL];
		const char *p = url->text;
		size_t len = url->host;

		do {
			if (n < WATCH_FOUND && watch_name_find(s, p, len, &found[n]))
				n++;
		} while (watch_name_up(&p, &len));
		n += find_patterns(s, url, found + n, WATCH_FOUND - n, &fuel);
		n = once(found, n);
	}
	*costly = fuel == 0;
	return n;
}
