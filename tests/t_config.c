/* SPDX-License-Identifier: BSD-3-Clause */
/* t_config.c -- the command line and configuration files, row by row, with mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "config_row.h"
#include "flowkey.h"

#define ARGS_MAX 32

static char folder[] = "/tmp/t_config.XXXXXX";
static char err[512];

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL || chdir(folder) < 0 ? -1 : 0;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = {"a.conf", "b.conf", "c.conf", "d.conf", "e.conf",
		"x.pcap", "lo"};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	return chdir("/") < 0 || rmdir(folder) < 0 ? -1 : 0;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* As the shell would have split LINE: at '|', so that blanks can be tested. */
static int
parse(struct config *c, const char *line)
{
	static char copy[1024];
	char *argv[ARGS_MAX + 1] = {(char *)"mcprobe"}, *rest = copy, *word;
	int argc = 1;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	while (*line != '\0' && (word = strsep(&rest, "|")) != NULL) {
		assert_true(argc < ARGS_MAX);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	err[0] = '\0';
	return config_parse(c, argc, argv, err, sizeof(err));
}

static void
good(struct config *c, const char *line)
{
	if (parse(c, line) < 0)
		fail_msg("%s: %s", line, err);
}

/* LINE is refused with WORDS in the message. */
static void
bad(const char *line, const char *words)
{
	struct config c;

	if (parse(&c, line) == 0)
		fail_msg("%s: accepted", line);
	config_clear(&c);
	if (strstr(err, words) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", line, err, words);
}

static void
bad_file(const char *text, const char *words)
{
	write_file("a.conf", text);
	bad("--dry-run|-c|a.conf", words);
}

static void
test_defaults(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-");
	assert_int_equal(c.action, ACTION_RUN);
	assert_int_equal(c.interfaces.n, 1);
	assert_string_equal(c.interfaces.v[0], "-");
	assert_null(c.filter);
	assert_int_equal(c.snaplen, 65535);
	assert_true(c.promisc);
	assert_int_equal(c.workers, 1);
	assert_true(c.speed == 0);
	assert_int_equal(c.sampling, 1);
	assert_int_equal(c.lifetime_s, 120);
	assert_int_equal(c.idle_s, 30);
	assert_int_equal(c.max_flows, 131072);
	assert_false(c.tunnel);
	assert_int_equal(c.aggregation, FLOWKEY_DEFAULT);
	assert_int_equal(c.nlocal, 0);
	assert_int_equal(c.min_flow_size, 0);
	assert_false(c.no_swap);
	assert_true(c.dpi);
	assert_int_equal(c.collectors.n, 0);
	assert_int_equal(c.version, 9);
	assert_string_equal(c.template, "@DEFAULT@");
	assert_int_equal(c.template_id, 257);
	assert_int_equal(c.biflow, BIFLOW_NTOP);
	assert_int_equal(c.queue_s, 5);
	assert_int_equal(c.template_s, 60);
	assert_int_equal(c.obs_domain, 0);
	assert_int_equal(c.engine_type + c.engine_id, 0);
	assert_false(c.psamp);
	assert_int_equal(c.in_ifindex, -1);
	assert_int_equal(c.out_ifindex, -1);
	assert_false(c.json_ids);
	assert_int_equal(c.dump_s, 60);
	assert_string_equal(c.user, "nobody");
	assert_int_equal(c.verbose, 0);
	assert_false(c.live);
	assert_non_null(c.probe_id);
	config_clear(&c);
	assert_null(c.probe_id);
	config_clear(&c);
}

/* Every row can be given with its letter, its name, its name=value and in a file. */
static void
test_every_row(void **state)
{
	static const char *const special[][2] = {{"speed", "2.5"}, {"aggregation", "1/1/1/1/1"},
		{"local-networks", "10.0.0.0/8"}, {"split", "none"}, {"biflow", "uni"},
		{"obs-domain", "7"}, {"netflow-engine", "1:2"}, {"sampling-options", "psamp"},
		{"json-labels", "ids"}, {"resp", "none"}, {"config", "/dev/null"},
		{"redis", "node:6379"}, {"sentinel", "main@one:26379"}, {"publish", "all"},
		{"resp-tls", "a.pem,a.key,ca.pem"}};
	unsigned i, j;

	(void)state;
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];
		char value[64] = "text", line[256];
		struct config c;

		if (o->kind == OPTION_GROUP || o->kind == OPTION_ACT)
			continue;
		if (o->kind == OPTION_INT)
			snprintf(value, sizeof(value), "%ld", o->max);
		for (j = 0; o->kind == OPTION_CALL &&
		     j < sizeof(special) / sizeof(special[0]); j++)
			if (strcmp(o->name, special[j][0]) == 0)
				strcpy(value, special[j][1]);
		if (strncmp(o->name, "redis-", 6) == 0 || strcmp(o->name, "watch") == 0)
			strcpy(line, "--interface|./none|--redis|node|"); /* about nodes */
		else if (strcmp(o->name, "pcap-file-list") != 0 &&
		    strcmp(o->name, "interface") != 0)
			strcpy(line, "--interface|./none|"); /* "-": not in the background */
		else
			line[0] = '\0';
		/* these two need each other */
		if (strcmp(o->name, "tls-cert") == 0)
			strcat(line, "--tls-key|text|");
		if (strcmp(o->name, "tls-key") == 0)
			strcat(line, "--tls-cert|text|");
		j = (unsigned)strlen(line);
		sprintf(line + j, option_takes_value(o) ? "--%s|%s" : "--%s", o->name, value);
		good(&c, line);
		config_clear(&c);
		if (option_takes_value(o)) {
			sprintf(line + j, "--%s=%s", o->name, value);
			good(&c, line);
			config_clear(&c);
		}
		if (o->letter != 0) {
			sprintf(line + j, option_takes_value(o) ? "-%c|%s" : "-%c", o->letter,
			    value);
			good(&c, line);
			config_clear(&c);
		}
		write_file("a.conf", "");
		sprintf(line + j, option_takes_value(o) ? "%s %s\n" : "%s\n", o->name, value);
		write_file("a.conf", line + j);
		strcpy(line + j, "-c|a.conf");
		good(&c, line);
		config_clear(&c);
	}
}

static void
test_kinds(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-|--no-promisc|--no-dpi|--tunnel|-a|--no-swap|--account-l2");
	assert_false(c.promisc);
	assert_false(c.dpi);
	assert_true(c.tunnel && c.all_collectors && c.no_swap && c.account_l2);
	config_clear(&c);
	good(&c, "-i|a/x|-i|b/y|-n|h:1|-n|tcp://h:2|-f|udp port 53|-f|tcp|-T|%IN_BYTES");
	assert_int_equal(c.interfaces.n, 2);
	assert_string_equal(c.interfaces.v[1], "b/y");
	assert_int_equal(c.collectors.n, 2);
	assert_string_equal(c.collectors.v[0], "h:1");
	assert_string_equal(c.filter, "tcp"); /* the last one counts */
	assert_string_equal(c.template, "%IN_BYTES");
	config_clear(&c);
	good(&c, "-i|-|-t|7|-d|8|-M|16|-u|0|-Q|2147483647|-U|256|-z|2000000000");
	assert_int_equal(c.lifetime_s, 7);
	assert_int_equal(c.idle_s, 8);
	assert_int_equal(c.max_flows, 16);
	assert_int_equal(c.in_ifindex, 0);
	assert_int_equal(c.out_ifindex, 2147483647);
	assert_int_equal(c.template_id, 256);
	assert_int_equal(c.min_flow_size, 2000000000);
	config_clear(&c);
}

static void
test_bad_numbers(void **state)
{
	(void)state;
	bad("-i|-|-t|0", "--lifetime-timeout 0: expected a number from 1 to 2000000000");
	bad("-i|-|-t|2000000001", "expected a number");
	bad("-i|-|-t|99999999999999999999", "expected a number");
	bad("-i|-|-t|12s", "12s");
	bad("-i|-|-t|0x10", "expected a number");
	bad("-i|-|-t|1.5", "expected a number");
	bad("-i|-|-t|", "needs a value");
	bad("-i|-|-M|15", "from 16");
	bad("-i|-|-U|255", "from 256");
	bad("-i|-|-u|-2", "from -1");
	bad("-i|-|--workers|65", "to 64");
	bad("-i|-|-V|7", "5, 9 or 10");
	bad("-i|-|-V|11", "from 5 to 10");
	bad("-i|-|--obs-domain|4294967296", "4294967295");
	bad("-i|-|--obs-domain|-1", "4294967295");
}

static void
test_verbose(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-b|-i|-");
	assert_int_equal(c.verbose, 1);
	config_clear(&c);
	good(&c, "-bb|-i|-");
	assert_int_equal(c.verbose, 2);
	config_clear(&c);
	good(&c, "-b|-b|-b|-i|-");
	assert_int_equal(c.verbose, 2);
	config_clear(&c);
	good(&c, "-b|2|-i|-");
	assert_int_equal(c.verbose, 2);
	config_clear(&c);
	good(&c, "-i|-|-b|0");
	assert_int_equal(c.verbose, 0);
	config_clear(&c);
	good(&c, "-i|-|--verbose");
	assert_int_equal(c.verbose, 1);
	config_clear(&c);
	/* a file before the level: getopt moves arguments about */
	write_file("a.conf", "idle-timeout 9\n");
	good(&c, "a.conf|-b|2|-i|-");
	assert_int_equal(c.verbose, 2);
	assert_int_equal(c.idle_s, 9);
	assert_string_equal(c.interfaces.v[0], "-");
	config_clear(&c);
	bad("-i|-|-b|3", "0 to 2");
	write_file("a.conf", "verbose 2\n");
	good(&c, "-i|-|-c|a.conf");
	assert_int_equal(c.verbose, 2);
	config_clear(&c);
}

static void
test_aggregation(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-|-p|0/1/0/1/1");
	assert_int_equal(c.aggregation, FLOWKEY_PROTO | FLOWKEY_PORT | FLOWKEY_TOS);
	config_clear(&c);
	good(&c, "-i|-|-p|1/0/1/0/0");
	assert_int_equal(c.aggregation, FLOWKEY_VLAN | FLOWKEY_IP);
	config_clear(&c);
	bad("-i|-|-p|1/1/1/1", "1/1/1/1/0");
	bad("-i|-|-p|1", "five digits");
	bad("-i|-|-p|1/1/1/1/0/1", "five digits");
	bad("-i|-|-p|1/1/1/1/2", "five digits");
	bad("-i|-|-p|11111", "five digits");
}

static void
test_engine(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-|-E|1:255");
	assert_int_equal(c.engine_type, 1);
	assert_int_equal(c.engine_id, 255);
	config_clear(&c);
	bad("-i|-|-E|256:0", "TYPE:ID");
	bad("-i|-|-E|0:256", "TYPE:ID");
	bad("-i|-|-E|0:2555", "TYPE:ID");
	bad("-i|-|-E|0", "TYPE:ID");
	bad("-i|-|-E|0:", "TYPE:ID");
	bad("-i|-|-E|:1", "TYPE:ID");
	bad("-i|-|-E|1:-1", "TYPE:ID");
	bad("-i|-|-E|1:2x", "TYPE:ID");
}

static void
test_speed(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-|--speed|0.5");
	assert_true(c.speed == 0.5);
	config_clear(&c);
	good(&c, "-i|-|--speed|10|--speed|asap");
	assert_true(c.speed == 0);
	config_clear(&c);
	bad("-i|-|--speed|0", "asap");
	bad("-i|-|--speed|-1", "asap");
	bad("-i|-|--speed|nan", "asap");
	bad("-i|-|--speed|inf", "asap");
	bad("-i|-|--speed|2x", "asap");
	bad("-i|-|--speed|fast", "--speed fast: expected a factor");
}

static bool
is_local(const struct config *c, const char *text)
{
	uint8_t a[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (inet_pton(AF_INET, text, a + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, a), 1);
	return config_is_local(c, a);
}

static void
test_local(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-|-L|10.0.0.0/8, 192.168.3.77/25,fd00::/8|--local-networks|2001:db8::1,8.8.8.8");
	assert_int_equal(c.nlocal, 5);
	assert_true(is_local(&c, "10.255.0.1"));
	assert_false(is_local(&c, "11.0.0.1"));
	assert_false(is_local(&c, "9.255.255.255"));
	assert_true(is_local(&c, "192.168.3.0"));
	assert_true(is_local(&c, "192.168.3.127"));
	assert_false(is_local(&c, "192.168.3.128"));
	assert_true(is_local(&c, "fdff::1"));
	assert_false(is_local(&c, "fe00::1"));
	assert_true(is_local(&c, "2001:db8::1"));
	assert_false(is_local(&c, "2001:db8::2"));
	assert_true(is_local(&c, "8.8.8.8"));
	assert_false(is_local(&c, "8.8.8.9"));
	config_clear(&c);
	good(&c, "-i|-|-L|0.0.0.0/0");
	assert_true(is_local(&c, "1.2.3.4"));
	assert_false(is_local(&c, "2001:db8::1"));
	config_clear(&c);
	good(&c, "-i|-");
	assert_false(is_local(&c, "1.2.3.4"));
	config_clear(&c);
	bad("-i|-|-L|10.0.0.0/33", "networks like 10.0.0.0/8 or fd00::/8, not 10.0.0.0/33");
	bad("-i|-|-L|fd00::/129", "networks like");
	bad("-i|-|-L|10.0.0.0/", "networks like");
	bad("-i|-|-L|10.0.0/8", "networks like");
	bad("-i|-|-L|/8", "networks like");
	bad("-i|-|-L|10.0.0.0/8,home", "home");
	bad("-i|-|-L|10.0.0.0/-1", "networks like");
}

static void
test_choices(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i|-|--biflow|rfc5103|-V|10|-n|h:1|--json-labels|ids|--sampling-options|psamp");
	assert_int_equal(c.biflow, BIFLOW_RFC5103);
	assert_true(c.json_ids);
	assert_true(c.psamp);
	config_clear(&c);
	bad("-i|-|--biflow|both", "one of ntop, rfc5103, uni");
	bad("-i|-|--json-labels|x", "one of ids, labels");
	bad("-i|-|-N|rfc5103|-n|h:1", "-V 10");
	bad("-i|-|-N|rfc5103|-n|h:1|-V|5", "-V 10");
}

static void
test_suggestions(void **state)
{
	static const char *const names[] = {"alpha", "beta", "gamma"};

	(void)state;
	bad("--interfce|-", "unknown option interfce; did you mean --interface?");
	bad("--idle-timout|3", "--idle-timeout");
	bad("--Tunnel", "--tunnel");
	/* what was typed behind = is not part of the name */
	bad("--interfce=/a/very/long/path/to/a/file.pcap",
	    "unknown option interfce; did you mean --interface?");
	bad("--zzzzqqqq", "--help lists them");
	bad("-i|-|--tunnel=yes", "--tunnel takes no value");
	bad("-i", "--interface needs a value: IF|FILE|-");
	bad("--interface", "--interface needs a value");
	bad("-i|-|-W", "unknown option -W");
	assert_string_equal(config_nearest("betta", names, 3), "beta");
	assert_string_equal(config_nearest("GAMMA", names, 3), "gamma");
	assert_null(config_nearest("xylophone", names, 3));
	assert_null(config_nearest("", names, 0));
	/* longer than any buffer */
	assert_null(config_nearest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    names, 0));
}

static void
test_actions(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-h");
	assert_int_equal(c.action, ACTION_HELP);
	config_clear(&c);
	good(&c, "--version");
	assert_int_equal(c.action, ACTION_VERSION);
	config_clear(&c);
	good(&c, "--fields");
	assert_int_equal(c.action, ACTION_FIELDS);
	config_clear(&c);
}

static void
test_input(void **state)
{
	struct config c;

	(void)state;
	write_file("x.pcap", "");
	bad("-t|5", "no input");
	good(&c, "--dry-run");
	config_clear(&c);
	good(&c, "--check-config");
	config_clear(&c);
	good(&c, "-i|x.pcap");
	assert_false(c.live);
	config_clear(&c);
	good(&c, "-i|/no/such/file.pcap");
	assert_false(c.live);
	config_clear(&c);
	good(&c, "-i|any");
	assert_true(c.live);
	config_clear(&c);
	good(&c, "-i|lo|-i|any");
	assert_true(c.live);
	config_clear(&c);
	bad("-i|lo|-i|x.pcap", "do not mix");
	bad("-i|-|-i|any", "do not mix");
	bad("-i|-|--pcap-file-list|x", "exclude each other");
	bad("-i|lo|--speed|2", "--speed are for capture files");
	bad("-i|lo|--stay", "lo is an interface");
	bad("-i|absent.pcap|--stay", "absent.pcap: no such file");
	good(&c, "--pcap-file-list|list");
	assert_false(c.live);
	config_clear(&c);
	write_file("lo", ""); /* an interface's name stays one, whatever lies around */
	good(&c, "-i|lo");
	assert_true(c.live);
	config_clear(&c);
	good(&c, "-i|./lo");
	assert_false(c.live);
	config_clear(&c);
	unlink("lo");
}

static void
expect_id(const char *line, const char *tail)
{
	struct config c;
	const char *p;

	good(&c, line);
	for (p = c.probe_id; *p != '\0'; p++)
		assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789_-", *p));
	assert_true(strlen(c.probe_id) > strlen(tail));
	assert_string_equal(c.probe_id + strlen(c.probe_id) - strlen(tail), tail);
	config_clear(&c);
}

static void
test_probe_id(void **state)
{
	struct config c;
	char line[400];

	(void)state;
	expect_id("-i|-", "-stdin");
	expect_id("-i|/a/b c/mon day.pcap.gz", "-mon_day");
	expect_id("-i|lo", "-lo");
	expect_id("-i|eth0.100", "-eth0_100");
	expect_id("--pcap-file-list|/x/list.txt", "-list");
	expect_id("-i|/odd/", "-");
	good(&c, "-i|-|--probe-id|Edge-1_a");
	assert_string_equal(c.probe_id, "Edge-1_a");
	config_clear(&c);
	bad("-i|-|--probe-id|a.b", "letters, digits");
	bad("-i|-|--probe-id|a b", "letters, digits");
	bad("-i|-|--probe-id|*", "letters, digits");
	memset(line, 'x', sizeof(line));
	memcpy(line, "-i|-|--probe-id|", 16);
	line[300] = '\0';
	bad(line, "1 to 200");
	memset(line, 'x', sizeof(line));
	memcpy(line, "-i|/", 4);
	line[250] = '\0';
	good(&c, line); /* a long file name is cut, not refused */
	config_clear(&c);
}

/*
 * Files
 */
static void
test_file_forms(void **state)
{
	struct config c;

	(void)state;
	write_file("a.conf",
	    "# a comment\n"
	    "\n"
	    "   \t\n"
	    "interface -\r\n"
	    "idle-timeout=11\n"
	    "  lifetime-timeout \t =  12  \n"
	    "--queue-timeout 13\n"
	    "-M=64\n"
	    "U 300\n"
	    "tunnel\n"
	    "no-dpi yes\n"
	    "no-promisc no\n"
	    "no-swap = no\n"
	    "flow-templ \"%IN_BYTES %OUT_BYTES\"\n"
	    "bpf-filter 'tcp[13] = 2 and host \"x\"'\n"
	    "json \"\n"
	    "dump-path it's\n"
	    "collector udp://h:1\n"
	    "collector = h:2\n"
	    "  # indented\n"
	    "probe-id last-line-without-end");
	good(&c, "-c|a.conf");
	assert_string_equal(c.interfaces.v[0], "-");
	assert_int_equal(c.idle_s, 11);
	assert_int_equal(c.lifetime_s, 12);
	assert_int_equal(c.queue_s, 13);
	assert_int_equal(c.max_flows, 64);
	assert_int_equal(c.template_id, 300);
	assert_true(c.tunnel);
	assert_false(c.dpi);
	assert_true(c.promisc);
	assert_false(c.no_swap);
	assert_string_equal(c.template, "%IN_BYTES %OUT_BYTES");
	assert_string_equal(c.filter, "tcp[13] = 2 and host \"x\"");
	assert_string_equal(c.json, "\"");
	assert_string_equal(c.dump_path, "it's");
	assert_int_equal(c.collectors.n, 2);
	assert_string_equal(c.collectors.v[1], "h:2");
	assert_string_equal(c.probe_id, "last-line-without-end");
	config_clear(&c);
	/* later ones win, wherever they stand; a file alone is read too */
	write_file("a.conf", "idle-timeout 11\n");
	good(&c, "-d|5|-i|-|-c|a.conf|-t|6");
	assert_int_equal(c.idle_s, 11);
	config_clear(&c);
	good(&c, "-c|a.conf|-d|5|-i|-");
	assert_int_equal(c.idle_s, 5);
	config_clear(&c);
	good(&c, "a.conf|-i|-");
	assert_int_equal(c.idle_s, 11);
	config_clear(&c);
}

static void
test_file_mistakes(void **state)
{
	(void)state;
	bad_file("idle-timeout 5\n\nidle-timout 6\n",
	    "a.conf:3: unknown option idle-timout; did you mean --idle-timeout?");
	bad_file("idle-timeout\n", "a.conf:1: --idle-timeout needs a value: SEC");
	bad_file("idle-timeout \"\"\n", "a.conf:1: --idle-timeout needs a value");
	bad_file("#\nidle-timeout x\n", "a.conf:2: --idle-timeout x: expected a number");
	bad_file("tunnel maybe\n", "a.conf:1: --tunnel maybe: expected yes or no");
	bad_file("help\n", "a.conf:1: --help has no place in a file");
	bad_file("v\n", "a.conf:1: --version has no place");
	bad_file("biflow x\n", "a.conf:1: --biflow x: expected one of");
	bad_file("=\n", "a.conf:1: ");
	bad_file("verbose 3\n", "a.conf:1: --verbose 3: expected a number from 0 to 2");
	bad("-c|none.conf", "none.conf: No such file");
	bad("none.conf", "none.conf: No such file");
	bad("-c|.", "Is a directory");
}

/* A file may name others; a mistake is told with the way to it. */
static void
test_file_nesting(void **state)
{
	struct config c;

	(void)state;
	write_file("a.conf", "config b.conf\nidle-timeout 20\n");
	write_file("b.conf", "config c.conf\nlifetime-timeout 21\n");
	write_file("c.conf", "config d.conf\nqueue-timeout 22\n");
	write_file("d.conf", "interface -\n");
	good(&c, "-c|a.conf");
	assert_int_equal(c.idle_s, 20);
	assert_int_equal(c.lifetime_s, 21);
	assert_int_equal(c.queue_s, 22);
	assert_int_equal(c.interfaces.n, 1);
	assert_int_equal(c.file_depth, 0);
	config_clear(&c);
	write_file("d.conf", "idle-timeout x\n");
	bad("-c|a.conf", "d.conf:1: --idle-timeout x");
	/* one too deep, and a circle */
	write_file("d.conf", "config e.conf\n");
	write_file("e.conf", "interface -\n");
	bad("-c|a.conf", "nest too deep");
	write_file("b.conf", "config a.conf\n");
	bad("-c|a.conf", "nest too deep");
	write_file("a.conf", "\nconfig none.conf\n");
	bad("-c|a.conf", "a.conf:2: none.conf: No such file");
	/* many files in a row are not deep */
	write_file("a.conf", "idle-timeout 20\n");
	good(&c, "-i|-|-c|a.conf|-c|a.conf|-c|a.conf|-c|a.conf|-c|a.conf|-c|a.conf");
	config_clear(&c);
}

static void
test_long_lines(void **state)
{
	static char text[70000];
	struct config c;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "flow-templ ", 11);
	write_file("a.conf", text);
	good(&c, "-i|-|-c|a.conf");
	assert_int_equal(strlen(c.template), sizeof(text) - 1 - 11);
	config_clear(&c);
	text[10] = 'y';
	bad_file(text, "a.conf:1: unknown option");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_verbose),
		cmocka_unit_test(test_aggregation),
		cmocka_unit_test(test_engine),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_probe_id),
		cmocka_unit_test(test_file_forms),
		cmocka_unit_test(test_file_mistakes),
		cmocka_unit_test(test_file_nesting),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
