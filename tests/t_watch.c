/* SPDX-License-Identifier: BSD-3-Clause */
/* t_watch.c -- the lists of what is watched: entries, look-ups, sources, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyname.h"
#include "watch.h"

static struct watch *w;

static int
set_up(void **state)
{
	(void)state;
	w = watch_new(2);
	return w == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	watch_free(w);
	return 0;
}

/* A list of words that one blank separates. */
static void
give(unsigned source, enum watch_list list, const char *words)
{
	char copy[2048], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", words);
	watch_begin(w, source, list, 0);
	while ((word = strsep(&rest, " ")) != NULL)
		watch_add(w, source, list, word, strlen(word));
	watch_end(w, source, list, 0);
}

static void
left_out(enum watch_list list, size_t n, const char *example)
{
	struct watch_stats stats;

	watch_stats(w, 0, list, &stats);
	assert_int_equal(stats.left_out, n);
	assert_string_equal(stats.example, example);
}

/* The entry ADDR is on the list by; "": none. */
static const char *
addr(const char *text)
{
	static char entry[WATCH_ADDR];
	uint8_t a[16];

	assert_int_equal(keyname_read_addr(a, text, strlen(text)), 0);
	entry[0] = '\0';
	watch_address(w, WATCH_IP, a, entry);
	return entry;
}

static const char *
domain(const char *name)
{
	static char text[WATCH_TEXT + 1];
	struct watch_text entry;

	text[0] = '\0';
	if (watch_domain(w, name, strlen(name), &entry))
		snprintf(text, sizeof(text), "%.*s", (int)entry.len, entry.p);
	return text;
}

static struct watch_text
text_of(const char *s)
{
	return (struct watch_text){s, s != NULL ? strlen(s) : 0};
}

/* All entries a request is meant by, in their order, a blank between. */
static const char *
url(const char *method, const char *host, const char *target)
{
	static const uint8_t server[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 80};
	static char all[2048];
	const struct watch_request r = {text_of(method), text_of(host), text_of(target),
		server};
	struct watch_text found[WATCH_FOUND];
	struct watch_url u;
	bool costly;
	unsigned i, n;
	size_t len = 0;

	assert_true(watch_url_of(&r, &u));
	n = watch_url_find(w, &u, found, &costly);
	assert_false(costly);
	all[0] = '\0';
	for (i = 0; i < n; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%.*s",
		    i > 0 ? " " : "", (int)found[i].len, found[i].p);
	return all;
}

static void
test_addresses(void **state)
{
	(void)state;
	assert_false(watch_any(w, WATCH_IP));
	assert_string_equal(addr("10.0.0.5"), "");
	give(0, WATCH_IP, "10.0.0.5 192.168.7.9/24 172.16.0.0/255.240.0.0 2001:DB8::/32 "
			  "2001:db8:1::1 198.51.100.0/0.0.0.127 10.0.0.5/32");
	assert_true(watch_any(w, WATCH_IP));
	assert_false(watch_any(w, WATCH_DNS_CLIENTS));
	assert_string_equal(addr("10.0.0.5"), "10.0.0.5");
	assert_string_equal(addr("10.0.0.4"), "");
	assert_string_equal(addr("192.168.7.0"), "192.168.7.0/24");
	assert_string_equal(addr("192.168.7.255"), "192.168.7.0/24");
	assert_string_equal(addr("192.168.8.0"), "");
	assert_string_equal(addr("172.31.255.255"), "172.16.0.0/12");
	assert_string_equal(addr("172.32.0.0"), "");
	assert_string_equal(addr("198.51.100.127"), "198.51.100.0/25");
	assert_string_equal(addr("198.51.100.128"), "");
	assert_string_equal(addr("2001:db8:ffff::"), "2001:db8::/32");
	assert_string_equal(addr("2001:db8:1::1"), "2001:db8:1::1"); /* the longest */
	assert_string_equal(addr("2001:db9::"), "");
	left_out(WATCH_IP, 0, "");
	/* all of one version is not all of the other */
	give(0, WATCH_IP, "::/0");
	assert_string_equal(addr("2001:db9::"), "::/0");
	assert_string_equal(addr("10.0.0.5"), "");
	give(0, WATCH_IP, "0.0.0.0/0");
	assert_string_equal(addr("10.0.0.5"), "0.0.0.0/0");
	assert_string_equal(addr("2001:db9::"), "");
	give(0, WATCH_IP, "");
	assert_false(watch_any(w, WATCH_IP));
	assert_string_equal(addr("10.0.0.5"), "");
}

static void
test_bad_addresses(void **state)
{
	(void)state;
	give(0, WATCH_IP, "www.example.com 10.0.0.1/33 10.0.0.1/ 10.0.0 ::1/129 /8 "
			  "10.0.0.0/255.0.255.0 10.0.0.0/-1 10.0.0.0/8x ::/255.0.0.0 10.0.0.7");
	left_out(WATCH_IP, 10, "www.example.com: no address and no network");
	assert_string_equal(addr("10.0.0.7"), "10.0.0.7");
	give(0, WATCH_IP, "a\033b");
	left_out(WATCH_IP, 1, "a?b: no address and no network");
	/* blanks around are nobody's fault */
	watch_begin(w, 0, WATCH_IP, 0);
	assert_true(watch_add(w, 0, WATCH_IP, " 10.1.1.1\r\n", 11));
	assert_true(watch_add(w, 0, WATCH_IP, " ", 1));
	watch_end(w, 0, WATCH_IP, 0);
	assert_string_equal(addr("10.1.1.1"), "10.1.1.1");
}

static void
test_domains(void **state)
{
	(void)state;
	give(0, WATCH_DNS_DOMAINS, "Example.COM. *.example.net a.b.example.org");
	assert_string_equal(domain("example.com"), "Example.COM.");
	assert_string_equal(domain("WWW.example.com."), "Example.COM.");
	assert_string_equal(domain("a.b.c.d.eXample.com"), "Example.COM.");
	assert_string_equal(domain("badexample.com"), "");
	assert_string_equal(domain("com"), "");
	assert_string_equal(domain("."), "");
	assert_string_equal(domain("example.net"), "*.example.net");
	assert_string_equal(domain("x.example.net"), "*.example.net");
	assert_string_equal(domain("b.example.org"), "");
	assert_string_equal(domain("x.a.b.example.org"), "a.b.example.org");
	/* the nearest entry is told of */
	give(0, WATCH_DNS_DOMAINS, "com example.com");
	assert_string_equal(domain("www.example.com"), "example.com");
	assert_string_equal(domain("www.example2.com"), "com");
	/* the root: everything */
	give(0, WATCH_DNS_DOMAINS, ".");
	assert_string_equal(domain("www.example.com"), ".");
	assert_string_equal(domain("."), ".");
	give(0, WATCH_DNS_DOMAINS, "a*.example *.* ok.example");
	left_out(WATCH_DNS_DOMAINS, 2, "a*.example: a pattern, where names are expected");
}

static void
test_urls(void **state)
{
	(void)state;
	give(0, WATCH_URL, "example.com http://Site.example. 2001:db8::1 user@port.example:80");
	assert_string_equal(url("GET", "example.com", "/"), "example.com");
	assert_string_equal(url("GET", "WWW.Example.com:8080", "/x"), "example.com");
	assert_string_equal(url("GET", "example.com.", "/"), "example.com");
	assert_string_equal(url("GET", "notexample.com", "/"), "");
	assert_string_equal(url("GET", "site.example", "/"), "http://Site.example.");
	assert_string_equal(url("GET", "[2001:db8::1]:80", "/"), "2001:db8::1");
	assert_string_equal(url("GET", "port.example", "/"), "user@port.example:80");
	/* a proxy's requests */
	assert_string_equal(url("GET", "proxy", "http://www.example.com/x"), "example.com");
	assert_string_equal(url("GET", "example.com", "http://other/x"), "");
	assert_string_equal(url("CONNECT", "", "example.com:443"), "example.com");
	assert_string_equal(url("CONNECT", "example.com", ""), "example.com");
	/* no host: the server */
	give(0, WATCH_URL, "192.0.2.80");
	assert_string_equal(url("GET", "", "/"), "192.0.2.80");
	assert_string_equal(url("GET", "elsewhere", "/"), "");
	give(0, WATCH_URL, ".");
	assert_string_equal(url("GET", "any.where", "/"), ".");
}

static void
test_url_patterns(void **state)
{
	(void)state;
	give(0, WATCH_URL, "*.exe.example ads?.example");
	assert_string_equal(url("GET", "a.exe.example", "/"), "*.exe.example");
	assert_string_equal(url("GET", "exe.example", "/"), "");
	assert_string_equal(url("GET", "ADS1.example:80", "/x"), "ads?.example");
	give(0, WATCH_URL, "example.com/Private/* HTTPS://x/y https://CDN.example/*.exe");
	assert_string_equal(url("GET", "example.com", "/Private/"), "example.com/Private/*");
	assert_string_equal(url("GET", "example.com", "/private/"), "");
	assert_string_equal(url("GET", "www.example.com", "/Private/"), "");
	assert_string_equal(url("GET", "cdn.example", "/a/b.exe"), "https://CDN.example/*.exe");
	assert_string_equal(url("GET", "cdn.example", "/a/b.exe?"), "");
	give(0, WATCH_URL, "~/(wp-login|xmlrpc)\\.php ~^evil\\. evil.example");
	assert_string_equal(url("GET", "a", "/wp-login.php"), "~/(wp-login|xmlrpc)\\.php");
	assert_string_equal(url("GET", "evil.example", "/xmlrpc.php"),
	    "evil.example ~/(wp-login|xmlrpc)\\.php ~^evil\\.");
	assert_string_equal(url("GET", "evil.example", "http://good/"), "");
	/* a query without a path has one all the same */
	give(0, WATCH_URL, "a/?b");
	assert_string_equal(url("GET", "x", "http://a?b"), "a/?b");
	give(0, WATCH_URL, "~( /path ~ok");
	left_out(WATCH_URL, 2, "~(: a parenthesis that is not closed");
	assert_string_equal(url("GET", "a", "/ok"), "~ok");
}

static void
test_sources(void **state)
{
	struct watch_stats stats;

	(void)state;
	give(0, WATCH_IP, "10.0.0.1");
	give(1, WATCH_IP, "10.0.0.2");
	assert_string_equal(addr("10.0.0.1"), "10.0.0.1");
	assert_string_equal(addr("10.0.0.2"), "10.0.0.2");
	give(0, WATCH_IP, "");
	assert_string_equal(addr("10.0.0.1"), "");
	assert_string_equal(addr("10.0.0.2"), "10.0.0.2");
	give(0, WATCH_DNS_DOMAINS, "example.com");
	give(1, WATCH_DNS_DOMAINS, "www.example.com");
	assert_string_equal(domain("www.example.com"), "www.example.com");
	/* both have it: it is told of once */
	give(0, WATCH_URL, "example.com ~x example.com ~x");
	give(1, WATCH_URL, "~x example.com");
	assert_string_equal(url("GET", "example.com", "/x"), "example.com ~x");
	watch_stats(w, 0, WATCH_URL, &stats);
	assert_int_equal(stats.entries, 2);
	/* a list that is not whole does not count */
	watch_begin(w, 0, WATCH_IP, 1);
	watch_add(w, 0, WATCH_IP, "10.0.0.9", 8);
	assert_string_equal(addr("10.0.0.9"), "");
	watch_abandon(w, 0, WATCH_IP);
	assert_string_equal(addr("10.0.0.2"), "10.0.0.2");
	watch_end(w, 0, WATCH_IP, 0);
	assert_string_equal(addr("10.0.0.9"), "");
}

/* As many as there may be in earnest, of each kind. */
static void
test_many(void **state)
{
	enum { MANY = 300000 };
	char text[64];
	size_t bytes;
	unsigned i;
	int n;

	(void)state;
	watch_begin(w, 0, WATCH_IP, MANY);
	watch_begin(w, 0, WATCH_DNS_DOMAINS, 0); /* nobody said how many */
	watch_begin(w, 0, WATCH_URL, MANY);
	for (i = 0; i < MANY; i++) {
		n = snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255,
		    i & 255);
		assert_true(watch_add(w, 0, WATCH_IP, text, (size_t)n));
		n = snprintf(text, sizeof(text), "d%u.example", i);
		assert_true(watch_add(w, 0, WATCH_DNS_DOMAINS, text, (size_t)n));
		assert_true(watch_add(w, 0, WATCH_URL, text, (size_t)n));
	}
	watch_end(w, 0, WATCH_IP, 0);
	watch_end(w, 0, WATCH_DNS_DOMAINS, 0);
	watch_end(w, 0, WATCH_URL, 0);
	assert_string_equal(addr("10.4.147.223"), "10.4.147.223"); /* MANY - 1 */
	assert_string_equal(addr("10.4.147.224"), "");
	for (i = 0; i < MANY; i += 997) {
		snprintf(text, sizeof(text), "www.d%u.example", i);
		assert_string_equal(domain(text), text + 4);
		assert_string_equal(url("GET", text, "/"), text + 4);
	}
	assert_string_equal(domain("d300000.example"), "");
	bytes = watch_bytes(w);
	assert_true(bytes > 0 && bytes < 100u << 20);
	/* everything is given back */
	give(0, WATCH_IP, "");
	give(0, WATCH_DNS_DOMAINS, "");
	give(0, WATCH_URL, "");
	assert_true(watch_bytes(w) < 4096);
}

static void
test_bounds(void **state)
{
	struct watch_stats stats;
	char text[WATCH_TEXT + 1];
	unsigned i, taken = 0;
	int n;

	(void)state;
	memset(text, 'a', sizeof(text));
	watch_begin(w, 0, WATCH_DNS_DOMAINS, 0);
	assert_true(watch_add(w, 0, WATCH_DNS_DOMAINS, text, WATCH_TEXT));
	assert_false(watch_add(w, 0, WATCH_DNS_DOMAINS, text, WATCH_TEXT + 1));
	watch_end(w, 0, WATCH_DNS_DOMAINS, 10); /* a node says it has 10 */
	watch_stats(w, 0, WATCH_DNS_DOMAINS, &stats);
	assert_int_equal(stats.entries, 1);
	assert_int_equal(stats.left_out, 9);
	assert_string_equal(stats.example, "aaaaaaaaaaaaaaaaaaaa: too long");
	/* patterns */
	watch_begin(w, 0, WATCH_URL, 0);
	for (i = 0; i < WATCH_PATTERNS + 10; i++) {
		n = snprintf(text, sizeof(text), "%s%u*", i % 2 == 0 ? "~y" : "x", i);
		taken += watch_add(w, 0, WATCH_URL, text, (size_t)n);
	}
	watch_end(w, 0, WATCH_URL, 0);
	assert_int_equal(taken, WATCH_PATTERNS);
	watch_stats(w, 0, WATCH_URL, &stats);
	assert_int_equal(stats.left_out, 10);
	/* long entries without end: memory has one */
	memset(text, 'b', sizeof(text));
	watch_begin(w, 1, WATCH_DNS_DOMAINS, 0);
	for (i = 0; i < 400000; i++) {
		n = snprintf(text, sizeof(text), "%u", i);
		text[n] = 'b';
		watch_add(w, 1, WATCH_DNS_DOMAINS, text, WATCH_TEXT);
		assert_true(watch_bytes(w) <= WATCH_BYTES);
	}
	watch_end(w, 1, WATCH_DNS_DOMAINS, 0);
	watch_stats(w, 1, WATCH_DNS_DOMAINS, &stats);
	assert_true(stats.entries > 100000);
	assert_int_equal(stats.left_out, 400000 - stats.entries);
	/* what was there goes on */
	assert_string_equal(url("GET", "x1zzz", "/"), "x1*");
}

/* Patterns and URLs that are made to take long: bounded, and said. */
static void
test_costly(void **state)
{
	static char target[WATCH_LOOK];
	const struct watch_request r = {text_of("GET"), text_of("a"),
		{target, sizeof(target)}, NULL};
	static struct watch_url u;
	struct watch_text found[WATCH_FOUND];
	bool costly;

	(void)state;
	memset(target, 'a', sizeof(target));
	target[0] = '/';
	assert_true(watch_url_of(&r, &u));
	give(0, WATCH_URL, "a/*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab*c "
			   "~(a*)*(a*)*(a*)*(a*)*(a*)*(a*)*b");
	assert_int_equal(watch_url_find(w, &u, found, &costly), 0);
	assert_true(costly);
	give(0, WATCH_URL, "a/aa*");
	assert_int_equal(watch_url_find(w, &u, found, &costly), 1);
	assert_false(costly);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_domains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_urls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_url_patterns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_costly, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
