/* SPDX-License-Identifier: BSD-3-Clause */
/* t_export.c -- filters, directions, clocks and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "export.h"
#include "nfreader.h"

#define MS     1000ull
#define SECOND 1000000ull
#define START  (1700000000ull * SECOND) /* 2023-11-14 22:13:20 UTC */

static struct config config;
static struct counters counters;
static struct event_base *base;
static struct template template;
static char dir[32], path[128];

static int
set_up(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&counters, 0, sizeof(counters));
	config.version = 9;
	config.sampling = 1;
	config.template = (char *)"@DEFAULT@";
	config.template_id = 257;
	config.queue_s = 5;
	config.template_packets = 20;
	config.template_s = 60;
	config.dump_s = 60;
	config.in_ifindex = config.out_ifindex = -1;
	strcpy(dir, "/tmp/t_export.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	base = event_base_new();
	return base == NULL;
}

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static int
tear_down(void **state)
{
	(void)state;
	event_base_free(base);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static char *
in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static struct export *
try_export(char *err, size_t errlen)
{
	static const struct export_port port = {"eth0", 7};
	struct export_setup setup = {.config = &config,
	    .template = &template,
	    .ports = &port,
	    .nports = 1,
	    .base = base,
	    .counters = &counters};

	if (template_parse(&template, config.template, config.version, config.biflow,
		false, err, errlen) != 0)
		return NULL;
	return export_new(&setup, err, errlen);
}

static struct export *
open_export(void)
{
	char err[256];
	struct export *e = try_export(err, sizeof(err));

	if (e == NULL)
		fail_msg("%s", err);
	return e;
}

static void
make_flow(struct flow *f, unsigned i, uint64_t now_us)
{
	memset(f, 0, sizeof(*f));
	f->key.ip_version = 4;
	f->key.proto = 6;
	memset(f->key.addr[0] + 10, 0xff, 2);
	memset(f->key.addr[1] + 10, 0xff, 2);
	memcpy(f->key.addr[0] + 12, "\x0a\0\0\x01", 4);
	memcpy(f->key.addr[1] + 12, "\x0a\0\0\x02", 4);
	f->key.port[0] = (uint16_t)(1000 + i);
	f->key.port[1] = 80;
	f->packets[0] = 3;
	f->packets[1] = 2;
	f->octets[0] = 300;
	f->octets[1] = 2000;
	f->first_us[0] = f->first_us[1] = now_us - SECOND;
	f->last_dir_us[0] = f->last_dir_us[1] = now_us;
	f->ended_us = now_us;
	f->mac[0][5] = 1;
	f->flags |= FLOW_MAC_KNOWN;
}

static void
put(struct export *e, unsigned i, uint64_t now_us)
{
	struct flow f;

	make_flow(&f, i, now_us);
	export_clock(e, now_us);
	export_flow(e, &f);
}

/* The whole of a file, NUL-terminated; to be freed. */
static char *
slurp(const char *name, size_t *len)
{
	FILE *f = fopen(name, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(text);
	if (f == NULL)
		fail_msg("%s is not there", name);
	*len = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
test_filter(void **state)
{
	struct export *e;
	struct flow f;
	size_t len;
	char *text;

	(void)state;
	config.min_flow_size = 2301;
	config.json = in_dir("out.json");
	e = open_export();
	put(e, 0, START); /* TCP, 2300 octets: too small */
	make_flow(&f, 1, START);
	f.octets[0]++;
	export_flow(e, &f); /* just large enough */
	make_flow(&f, 2, START);
	f.key.proto = 17;
	export_flow(e, &f); /* not TCP */
	export_free(e);
	text = slurp(config.json, &len);
	assert_int_equal(count(text, "\n"), 2);
	assert_null(strstr(text, ":1000,"));
	free(text);
	assert_int_equal(counters.v[COUNTER_RECORDS], 2);
	assert_int_equal(counters.v[COUNTER_RECORD_PACKETS], 10);
	assert_int_equal(counters.v[COUNTER_RECORD_BYTES], 4601);
	assert_int_equal(counters.v[COUNTER_RECORDS_SMALL], 1);
	assert_int_equal(counters.v[COUNTER_SMALL_PACKETS], 5);
}

static void
test_json(void **state)
{
	struct export *e;
	size_t len;
	char *text;

	(void)state;
	config.json = in_dir("out.json");
	config.template = (char *)"%IPV4_SRC_ADDR %L4_SRC_PORT %IN_PKTS %OUT_PKTS";
	e = open_export();
	put(e, 5, START);
	/* On the disk within a second of the export clock. */
	export_clock(e, START + SECOND);
	text = slurp(config.json, &len);
	assert_string_equal(text,
	    "{\"IPV4_SRC_ADDR\":\"10.0.0.1\",\"L4_SRC_PORT\":1005,\"IN_PKTS\":3,"
	    "\"OUT_PKTS\":2}\n");
	free(text);
	export_free(e);
	assert_int_equal(counters.v[COUNTER_RECORDS], 1);
}

/* Without OUT_ fields each direction with packets is a record, the client's first. */
static void
test_uniflow(void **state)
{
	struct export *e;
	struct flow f;
	size_t len;
	char *text;

	(void)state;
	config.json = in_dir("out.json");
	config.template = (char *)"%L4_SRC_PORT %IN_PKTS";
	e = open_export();
	put(e, 0, START);
	make_flow(&f, 1, START);
	f.flags |= FLOW_CLIENT_IS_1;
	export_flow(e, &f);
	make_flow(&f, 2, START);
	f.packets[1] = f.octets[1] = 0;
	export_flow(e, &f);
	export_free(e);
	text = slurp(config.json, &len);
	assert_string_equal(text, "{\"L4_SRC_PORT\":1000,\"IN_PKTS\":3}\n"
				  "{\"L4_SRC_PORT\":80,\"IN_PKTS\":2}\n"
				  "{\"L4_SRC_PORT\":80,\"IN_PKTS\":2}\n"
				  "{\"L4_SRC_PORT\":1001,\"IN_PKTS\":3}\n"
				  "{\"L4_SRC_PORT\":1002,\"IN_PKTS\":3}\n");
	free(text);
	assert_int_equal(counters.v[COUNTER_RECORDS], 3);
	assert_int_equal(counters.v[COUNTER_RECORD_PACKETS], 13);
}

static void
read_ipfix(const char *name, struct nf_reader *n)
{
	size_t len;
	char *text = slurp(name, &len);

	n->sequenced = true; /* from 0 */
	nf_read_all(n, (uint8_t *)text, len);
	free(text);
}

/* IPFIX whatever the version of the collectors, templates first. */
static void
test_ipfix_file(void **state)
{
	struct nf_reader n = {.lossy = false}, again = {.lossy = false};
	char moved[160];
	struct export *e;
	unsigned i;

	(void)state;
	config.version = 5;
	config.ipfix_file = strdup(in_dir("out.ipfix"));
	snprintf(moved, sizeof(moved), "%s.1", config.ipfix_file);
	e = open_export();
	for (i = 0; i < 100; i++)
		put(e, i, START + i * MS);
	export_clock(e, START + 70 * SECOND);
	read_ipfix(config.ipfix_file, &n);
	assert_int_equal(n.flows, 100);
	assert_int_equal(n.templates, 5);
	assert_int_equal(n.options, 3); /* sampling, statistics, interface */
	assert_int_equal(nf_template(&n, 257)->v[0].id, 8);
	assert_non_null(nf_template(&n, 258));
	/* logrotate and SIGHUP: a file of its own. */
	assert_int_equal(rename(config.ipfix_file, moved), 0);
	put(e, 200, START + 71 * SECOND);
	export_reopen(e);
	put(e, 201, START + 72 * SECOND);
	put(e, 202, START + 72 * SECOND);
	export_free(e);
	memset(&n, 0, sizeof(n));
	read_ipfix(moved, &n);
	assert_int_equal(n.flows, 101);
	read_ipfix(config.ipfix_file, &again);
	assert_int_equal(again.flows, 2);
	assert_int_equal(again.templates, 5);
	free(config.ipfix_file);
}

/* The same flows make the same files. */
static void
test_same_bytes(void **state)
{
	static const char *const names[] = {"a", "b"};
	char *text[2], json[64];
	struct export *e;
	unsigned i, run;
	size_t len[2];

	(void)state;
	for (run = 0; run < 2; run++) {
		snprintf(json, sizeof(json), "%s/json%u", dir, run);
		config.json = json;
		config.ipfix_file = strdup(in_dir(names[run]));
		e = open_export();
		for (i = 0; i < 500; i++)
			put(e, i, START + i * 300 * MS);
		export_flush(e);
		export_free(e);
		text[run] = slurp(config.ipfix_file, &len[run]);
		free(config.ipfix_file);
	}
	assert_int_equal(len[0], len[1]);
	assert_memory_equal(text[0], text[1], len[0]);
	free(text[0]);
	free(text[1]);
}

/* A disk that is full: counted, and never in the way. */
static void
test_disk_full(void **state)
{
	struct export *e;
	unsigned i;

	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	config.json = (char *)"/dev/full";
	e = open_export();
	for (i = 0; i < 10; i++)
		put(e, i, START + i * SECOND);
	export_flush(e);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 10);
	assert_int_equal(counters.v[COUNTER_RECORDS], 10);
	export_reopen(e);
	export_free(e);
	memset(&counters, 0, sizeof(counters));
	config.json = NULL;
	config.ipfix_file = (char *)"/dev/full";
	e = open_export();
	for (i = 0; i < 10; i++)
		put(e, i, START + i * SECOND);
	export_free(e);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 10);
}

/* A full disk that has room again: whole lines only. */
static void
test_disk_recovers(void **state)
{
	struct export *e;
	size_t len;
	char *text;

	(void)state;
	config.json = strdup(in_dir("out.json"));
	assert_int_equal(symlink("/dev/full", config.json), 0);
	e = open_export();
	put(e, 0, START);
	export_clock(e, START + SECOND);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 1);
	assert_int_equal(unlink(config.json), 0);
	export_reopen(e);
	put(e, 1, START + 2 * SECOND);
	export_free(e);
	text = slurp(config.json, &len);
	assert_int_equal(count(text, "\n"), 1);
	assert_non_null(strstr(text, "1001"));
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 1);
	free(text);
	free(config.json);
}

static unsigned
files(const char *pattern)
{
	char name[160];
	glob_t g;
	unsigned n;

	snprintf(name, sizeof(name), "%s/%s", dir, pattern);
	n = glob(name, 0, NULL, &g) == 0 ? (unsigned)g.gl_pathc : 0;
	globfree(&g);
	return n;
}

static void
test_dump(void **state)
{
	struct export *e;
	size_t len;
	char *text;

	(void)state;
	config.dump_path = strdup(in_dir("d"));
	config.template = (char *)"%IPV4_SRC_ADDR %IPV6_SRC_ADDR %L4_SRC_PORT %IN_PKTS "
				  "%OUT_PKTS %FIRST_SWITCHED %IN_SRC_MAC";
	e = open_export();
	put(e, 1, START);
	put(e, 2, START + SECOND);
	export_clock(e, START + 3 * SECOND);
	/* 22:13:20 is in the minute that began at 22:13:00. */
	assert_int_equal(files("d/2023/11/14/22/flows-221300.txt.tmp"), 1);
	assert_int_equal(files("d/2023/11/14/22/*.txt"), 0);
	put(e, 3, START + 40 * SECOND);
	assert_int_equal(files("d/2023/11/14/22/*.txt"), 1);
	text = slurp(in_dir("d/2023/11/14/22/flows-221300.txt"), &len);
	assert_string_equal(text,
	    "# IPV4_SRC_ADDR[ip4:4]\tIPV6_SRC_ADDR[ip6:16]\tL4_SRC_PORT[uint:2]\t"
	    "IN_PKTS[uint:4]\tOUT_PKTS[uint:4]\tFIRST_SWITCHED[seconds:4]\t"
	    "IN_SRC_MAC[mac:6]\n"
	    "10.0.0.1\t\t1001\t3\t2\t1699999999.000\t00:00:00:00:00:01\n"
	    "10.0.0.1\t\t1002\t3\t2\t1700000000.000\t00:00:00:00:00:01\n");
	free(text);
	/* SIGHUP in an interval: a second file of it. */
	export_reopen(e);
	put(e, 4, START + 41 * SECOND);
	/* An hour without flows: no file. */
	export_clock(e, START + 3600 * SECOND);
	put(e, 5, START + 7200 * SECOND);
	export_free(e);
	assert_int_equal(files("d/2023/11/14/22/flows-221400.txt"), 1);
	assert_int_equal(files("d/2023/11/14/22/flows-221400-1.txt"), 1);
	assert_int_equal(files("d/2023/11/14/23"), 0);
	assert_int_equal(files("d/2023/11/15/00/flows-001300.txt"), 1);
	assert_int_equal(files("d/*/*/*/*/*.tmp"), 0);
	/* A second run spoils nothing of the first. */
	e = open_export();
	put(e, 1, START);
	export_free(e);
	assert_int_equal(files("d/2023/11/14/22/flows-221300-1.txt"), 1);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 0);
	free(config.dump_path);
}

/* Bytes from the wire cannot break a line of a dump, or of JSON. */
static void
test_hostile_text(void **state)
{
	static const char info[] = "a\tb\nc\\d\x01\x7f\xff\"";
	struct flow_l7 l7;
	struct export *e;
	struct flow f;
	size_t len;
	char *text, err[256], json[64];

	(void)state;
	config.dump_path = strdup(in_dir("d"));
	snprintf(json, sizeof(json), "%s/json", dir);
	config.json = json;
	config.dpi = true;
	config.template = (char *)"%L4_SRC_PORT %L7_INFO %OUT_PKTS";
	assert_int_equal(template_parse(&template, config.template, 9, config.biflow,
			     true, err, sizeof(err)),
	    0);
	{
		struct export_setup setup = {.config = &config,
		    .template = &template,
		    .base = base,
		    .counters = &counters};

		e = export_new(&setup, err, sizeof(err));
		assert_non_null(e);
	}
	memset(&l7, 0, sizeof(l7));
	memcpy(l7.info, info, sizeof(info) - 1);
	l7.info_len = sizeof(info) - 1;
	make_flow(&f, 1, START);
	f.l7 = &l7;
	export_clock(e, START);
	export_flow(e, &f);
	export_free(e);
	text = slurp(in_dir("d/2023/11/14/22/flows-221300.txt"), &len);
	assert_non_null(
	    strstr(text, "\n1001\ta\\x09b\\x0ac\\\\d\\x01\\x7f\\xff\"\t2\n"));
	assert_int_equal(count(text, "\n"), 2);
	free(text);
	text = slurp(json, &len);
	assert_int_equal(count(text, "\n"), 1);
	assert_non_null(strstr(text, "\"a\\tb\\nc\\\\d\\u0001"));
	free(text);
	free(config.dump_path);
}

/* A folder that cannot be written: counted, tried again with the next file. */
static void
test_dump_errors(void **state)
{
	struct export *e;

	(void)state;
	config.dump_path = strdup(in_dir("d"));
	e = open_export();
	/* A file where a folder should be. */
	close(open(in_dir("d/2023"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	put(e, 1, START);
	put(e, 2, START);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 2);
	assert_int_equal(unlink(in_dir("d/2023")), 0);
	put(e, 3, START + SECOND); /* the same interval: still none */
	put(e, 4, START + 60 * SECOND);
	export_free(e);
	assert_int_equal(counters.v[COUNTER_FILE_ERRORS], 3);
	assert_int_equal(files("d/2023/11/14/22/flows-221400.txt"), 1);
	free(config.dump_path);
}

static void
test_refused(void **state)
{
	char err[256];

	(void)state;
	config.json = (char *)"/no/such/folder/out.json";
	assert_null(try_export(err, sizeof(err)));
	assert_non_null(strstr(err, "/no/such/folder/out.json"));
	config.json = NULL;
	config.ipfix_file = (char *)"/no/such/folder/out.ipfix";
	assert_null(try_export(err, sizeof(err)));
	config.ipfix_file = NULL;
	config.dump_path = (char *)"/no/such/folder/dump";
	assert_null(try_export(err, sizeof(err)));
	assert_non_null(strstr(err, "/no/such/folder/dump"));
}

/* The clock never goes back, however the times come. */
static void
test_clock_back(void **state)
{
	struct nf_reader n = {.lossy = false};
	struct export *e;

	(void)state;
	config.ipfix_file = strdup(in_dir("out.ipfix"));
	e = open_export();
	put(e, 1, START);
	put(e, 2, START + 10 * SECOND);
	put(e, 3, START - 100 * SECOND);
	put(e, 4, START + 5 * SECOND);
	export_free(e);
	read_ipfix(config.ipfix_file, &n);
	assert_int_equal(n.flows, 4);
	assert_int_equal(n.header_ms, (START + 10 * SECOND) / MS);
	free(config.ipfix_file);
}

/* Without a clock, flows or sinks there is nothing to do, and nothing breaks. */
static void
test_nothing(void **state)
{
	struct export *e;
	struct flow f;

	(void)state;
	export_free(open_export());
	export_free(NULL);
	e = open_export();
	export_flush(e);
	export_reopen(e);
	export_report(e);
	make_flow(&f, 1, START);
	export_flow(e, &f); /* before any clock */
	assert_int_equal(export_pending(e), 0);
	export_free(e);
	assert_int_equal(counters.v[COUNTER_RECORDS], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_filter),
		TEST(test_json),
		TEST(test_uniflow),
		TEST(test_ipfix_file),
		TEST(test_same_bytes),
		TEST(test_disk_full),
		TEST(test_disk_recovers),
		TEST(test_dump),
		TEST(test_hostile_text),
		TEST(test_dump_errors),
		TEST(test_refused),
		TEST(test_clock_back),
		TEST(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
