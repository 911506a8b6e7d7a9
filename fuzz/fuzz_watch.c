/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_watch.c -- entries of lists, as a node has them, and what is looked up in them.
 *
 *	lines	entries, up to an empty line; added to every list
 *	lines	method, host, URL; the host is also asked for as a name
 *
 * What is found was given; the same is found twice; added once more it changes nothing;
 * memory is within bounds, and given back; where there is none what is found was given.
 */
#include "fuzz.h"
#include "nomem.h"
#include "watch.h"

#include <stdbool.h>

const char fuzz_name[] = "watch";

#define ENTRIES 200

static struct watch_text
line_of(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *begin = *p, *nl = memchr(begin, '\n', (size_t)(end - begin));

	*p = nl != NULL ? nl + 1 : end;
	return (struct watch_text){(const char *)begin,
		(size_t)((nl != NULL ? nl : end) - begin)};
}

static void
give(struct watch *w, const struct watch_text *entry, unsigned n, bool twice)
{
	unsigned list, i, j;

	for (list = 0; list < WATCH_LISTS; list++) {
		watch_begin(w, 0, list, n);
		for (j = 0; j <= twice; j++)
			for (i = 0; i < n; i++)
				watch_add(w, 0, list, entry[i].p, entry[i].len);
		watch_end(w, 0, list, 0);
	}
}

/* FOUND is a part of one of the entries: blanks around it do not belong to it. */
static void
check_given(struct watch_text found, const struct watch_text *entry, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (found.len <= entry[i].len &&
		    memmem(entry[i].p, entry[i].len, found.p, found.len) != NULL)
			return;
	CHECK(!"it was not given");
}

static void
check_once(struct watch *w, const struct watch_text *entry, unsigned n)
{
	struct watch_stats once[WATCH_LISTS], twice;
	unsigned list;

	for (list = 0; list < WATCH_LISTS; list++) {
		watch_stats(w, 0, list, &once[list]);
		CHECK(once[list].entries + once[list].left_out <= n);
		CHECK(watch_any(w, list) == (once[list].entries > 0));
	}
	give(w, entry, n, true);
	for (list = 0; list < WATCH_LISTS; list++) {
		watch_stats(w, 0, list, &twice);
		CHECK(twice.entries == once[list].entries);
		CHECK(twice.left_out == 2 * once[list].left_out);
	}
}

/* The lists anew, while memory ends. */
static void
check_little(struct watch *w, const struct watch_text *entry, unsigned n,
    const struct watch_url *url, uint64_t seed)
{
	struct watch_text found[WATCH_FOUND];
	struct watch_stats stats;
	unsigned list, count;
	bool costly;

	nomem_some(seed);
	give(w, entry, n, false);
	nomem_set(0, 0);
	for (list = 0; list < WATCH_LISTS; list++) {
		watch_stats(w, 0, list, &stats);
		CHECK(stats.entries + stats.left_out <= n);
	}
	count = watch_url_find(w, url, found, &costly);
	CHECK(count <= WATCH_FOUND);
	while (count > 0)
		check_given(found[--count], entry, n);
	CHECK(watch_bytes(w) <= WATCH_BYTES);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct watch_url url;
	uint8_t *copy = malloc(len + 1); /* LEN and no more: a read beyond it shows */
	const uint8_t *p, *end;
	struct watch_text entry[ENTRIES], found[WATCH_FOUND], again[WATCH_FOUND];
	struct watch *w = watch_new(1);
	struct watch_request r;
	char net[WATCH_ADDR];
	unsigned n = 0, i, count;
	uint8_t addr[16] = {0};
	bool costly;

	CHECK(copy != NULL && w != NULL);
	copy = realloc(copy, len > 0 ? len : 1);
	CHECK(copy != NULL);
	memcpy(copy, data, len);
	p = copy;
	end = p + len;
	while (p < end && n < ENTRIES && (entry[n] = line_of(&p, end)).len > 0)
		n++;
	give(w, entry, n, false);
	check_once(w, entry, n);
	r = (struct watch_request){.method = line_of(&p, end)};
	r.host = line_of(&p, end);
	r.url = line_of(&p, end);
	r.server = addr;
	memcpy(addr, r.url.p, r.url.len < 16 ? r.url.len : 16);
	if (watch_domain(w, r.host.p, r.host.len, &found[0]))
		check_given(found[0], entry, n);
	CHECK(watch_url_of(&r, &url));
	CHECK(url.host <= url.len && url.len < sizeof(url.text));
	CHECK(url.text[url.host] == '/');
	count = watch_url_find(w, &url, found, &costly);
	CHECK(count <= WATCH_FOUND);
	CHECK(watch_url_find(w, &url, again, &costly) == count);
	for (i = 0; i < count; i++) {
		CHECK(found[i].p == again[i].p && found[i].len == again[i].len);
		check_given(found[i], entry, n);
	}
	if (watch_address(w, WATCH_IP, addr, net))
		CHECK(strlen(net) > 0 && strlen(net) < sizeof(net));
	CHECK(watch_bytes(w) <= WATCH_BYTES);
	check_little(w, entry, n, &url, fuzz_hash(UINT64_C(0xcbf29ce484222325), data, len));
	give(w, NULL, 0, false);
	CHECK(watch_bytes(w) <= 4096);
	watch_free(w);
	free(copy);
	return 0;
}
