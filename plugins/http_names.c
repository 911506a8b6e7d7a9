/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_names.c -- names in what HTTP clients say: hosts, sites, operating systems.
 */
#include "http_int.h"

#include <stdio.h>
#include <string.h>

/* Copy, cut, terminate. False: it is empty. */
bool
http_put(char *to, size_t size, const char *from, size_t len)
{
	len = len < size ? len : size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
	return to[0] != '\0';
}

/* The name in a host, without port and brackets. */
const char *
http_host_name(const char *p, size_t *len)
{
	size_t n = *len, i;
	const char *end;

	if (n > 0 && p[0] == '[' && (end = memchr(p, ']', n)) != NULL) {
		*len = (size_t)(end - p) - 1;
		return p + 1;
	}
	for (i = n; i > 0 && p[i - 1] >= '0' && p[i - 1] <= '9'; i--)
		continue;
	if (i > 0 && p[i - 1] == ':')
		n = i - 1;
	while (n > 0 && p[n - 1] == '.')
		n--;
	*len = n;
	return p;
}

static size_t
label(const char *p, size_t end)
{
	while (end > 0 && p[end - 1] != '.')
		end--;
	return end;
}

/*
 * The site of a host: its last two labels, three where the second is a short one
 * below a country's ("co.uk"); addresses are whole. A guess, as good as no list of
 * suffixes allows.
 */
const char *
http_host_site(const char *host, size_t *len)
{
	const char *p = http_host_name(host, len);
	size_t n = *len, top = label(p, n), second, third;

	if (top == 0 || memchr(p, ':', n) != NULL || (p[top] >= '0' && p[top] <= '9'))
		return p;
	second = label(p, top - 1);
	third = second == 0 ? 0 : label(p, second - 1);
	if (n - top == 2 && top - 1 - second <= 3 && second > 0)
		second = third;
	*len = n - second;
	return p + second;
}

/* "<n>[.<n>]" with any of ._ between, at most two numbers, behind a name. */
static void
version(char *os, size_t size, const char *name, const char *p)
{
	int major = (int)strspn(p, "0123456789"), minor = 0;

	if (p[major] == '.' || p[major] == '_')
		minor = (int)strspn(p + major + 1, "0123456789");
	if (major == 0 || major > 4 || minor > 4)
		snprintf(os, size, "%s", name);
	else if (minor == 0)
		snprintf(os, size, "%s %.*s", name, major, p);
	else
		snprintf(
		    os, size, "%s %.*s.%.*s", name, major, p, minor, p + major + 1);
}

static void
windows(char *os, size_t size, const char *nt)
{
	static const struct {
		const char *nt, *name;
	} names[] = {{"10.0", "10"}, {"6.3", "8.1"}, {"6.2", "8"}, {"6.1", "7"},
	    {"6.0", "Vista"}, {"5.2", "Server 2003"}, {"5.1", "XP"}, {"5.0", "2000"}};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(nt, names[i].nt, strlen(names[i].nt)) == 0) {
			snprintf(os, size, "Windows %s", names[i].name);
			return;
		}
	snprintf(os, size, "Windows");
}

/*
 * The operating system a user agent names. Order matters: phones say they are like
 * others. False: it names none.
 */
bool
http_system(const char *agent, char *os, size_t size)
{
	/* what is looked for; what it is called; is there a version behind it? */
	static const struct {
		const char *mark, *name;
		bool versions;
	} marks[] = {
	    {"Windows Phone OS ", "Windows Phone", true},
	    {"Windows Phone ", "Windows Phone", true},
	    {"Windows NT ", NULL, false},
	    {"Windows", "Windows", false},
	    {"Android ", "Android", true},
	    {"Android", "Android", false},
	    {"iPhone OS ", "iOS", true},
	    {"CPU OS ", "iOS", true},
	    {"iOS ", "iOS", true},
	    {"iPhone", "iOS", false},
	    {"iPad", "iOS", false},
	    {"Mac OS X ", "macOS", true},
	    {"macOS ", "macOS", true},
	    {"Macintosh", "macOS", false},
	    {"apple-darwin", "macOS", false},
	    {"CrOS ", "ChromeOS", false},
	    {"Tizen ", "Tizen", true},
	    {"FreeBSD", "FreeBSD", false},
	    {"OpenBSD", "OpenBSD", false},
	    {"NetBSD", "NetBSD", false},
	    {"SunOS", "SunOS", false},
	    {"Linux", "Linux", false},
	    {"linux-gnu", "Linux", false},
	    {"(darwin", "macOS", false},
	};
	const char *p;
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if ((p = strstr(agent, marks[i].mark)) == NULL)
			continue;
		p += strlen(marks[i].mark);
		if (marks[i].name == NULL)
			windows(os, size, p);
		else
			version(os, size, marks[i].name, marks[i].versions ? p : "");
		return true;
	}
	return false;
}
