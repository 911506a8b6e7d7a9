/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_nomem.c -- the whole probe, from its command line to its end, while memory ends: the
 * N-th allocation of its own code and of libevent fails, or ten from there on, or all.
 * It must say why it did not start, or run to its end and have counted what was lost.
 *
 *	tests/t_nomem		some N of each scene: a few seconds
 *	tests/t_nomem all [SCENE]	every N
 *	tests/t_nomem SCENE N RUN	one, its output shown
 *
 * Each run is a process of its own, made by fork(): one that dies is seen, and under
 * LeakSanitizer one that leaks too.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fuzz/nomem.h"
#include "counter.h"

int probe_main(int, char **);
#define main probe_main
#include "../src/main.c"
#undef main

#define SECONDS_MAX 60 /* a run that takes longer hangs */
#define TEXT_MAX    (1 << 20)
#define FOREVER	    1000000000ul
#define SOME	    24 /* runs of a scene, in the short form */
#define BAD_MAX	    5  /* that many wrong runs of a scene are told of */

#define COLLECTOR   "tcp" /* stands for the one that listens here and never reads */

static char folder[] = "/tmp/t_nomem.XXXXXX";
static char capture[4096], collector[64];

/* Options of a scene; @ is the folder. All write records to @/json. */
static const char *const common[] = {"--no-sandbox", "--json", "@/json", "--probe-id", "p",
    "-T", "@DEFAULT@ %IN_PKTS %OUT_PKTS %DNS_QUERY %HTTP_URL %RADIUS_USER_NAME", NULL};
static const char *const scenes[][24] = {
    /* everything that needs no other side */
    {"--no-dpi", "--events", "@/events", "--publish", "all", "--split", "dns,http",
	"--ipfix-file", "@/ipfix", "-P", "@/dump", "--resp", "unix:@/resp", "-V", "10",
	"--cloud-interval", "1", NULL},
    /* threads, and other sides that are not there */
    {"--no-dpi", "--workers", "2", "-n", "127.0.0.1:9", "-n", COLLECTOR,
	"--redis", "127.0.0.1:9", "--drain-timeout", "0", "--publish", "all",
	"--local-networks", "10.0.0.0/8", "--tunnel", "-M", "16", NULL},
    {"--watch", "--redis", "unix:@/nobody", "--drain-timeout", "0", "-p", "1/1/1/1/0",
	"--plugin", "dns", "--plugin", "http", "--plugin", "radius", NULL},
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

static const char *
in_folder(const char *word, char *buf, size_t size)
{
	const char *at = strstr(word, "@/");

	if (at == NULL)
		return strcmp(word, COLLECTOR) == 0 ? collector : word;
	snprintf(buf, size, "%.*s%s%s", (int)(at - word), word, folder, at + 1);
	return buf;
}

/* In a child: the probe, with its messages in @/err. Does not return. */
static void
run_scene(unsigned scene, unsigned long at, unsigned long run, const char *asked)
{
	static char text[32][256];
	const char *argv[64] = {"mcprobe", "-i", capture};
	int argc = 3, n, status;
	FILE *fp;

	for (n = 0; common[n] != NULL; n++, argc++)
		argv[argc] = in_folder(common[n], text[argc % 32], sizeof(text[0]));
	for (n = 0; scenes[scene][n] != NULL; n++, argc++)
		argv[argc] = in_folder(scenes[scene][n], text[argc % 32], sizeof(text[0]));
	alarm(SECONDS_MAX);
	nomem_libevent();
	nomem_set(at, run);
	status = probe_main(argc, (char **)(uintptr_t)argv);
	at = nomem_asked();
	nomem_set(0, 0);
	if (asked != NULL && (fp = fopen(asked, "w")) != NULL) {
		fprintf(fp, "%lu\n", at);
		fclose(fp);
	}
	exit(status);
}

static void
fresh_folder(void)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -rf %s/* && mkdir %s/dump", folder, folder);
	if (system(command) != 0)
		exit(1);
}

/* What @/NAME holds, "" if it is not there; borrowed until the next call for SLOT. */
static const char *
content(const char *name, unsigned slot)
{
	static char text[2][TEXT_MAX];
	char path[512];
	size_t n = 0;
	FILE *fp;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fp = fopen(path, "r");
	if (fp != NULL) {
		n = fread(text[slot], 1, TEXT_MAX - 1, fp);
		fclose(fp);
	}
	text[slot][n] = '\0';
	return text[slot];
}

/* The figure of NAME in a summary. */
static uint64_t
figure(const char *summary, const char *name)
{
	const char *p = summary;
	size_t len = strlen(name);

	while ((p = strchr(p, '\n')) != NULL) {
		p++;
		if (strncmp(p, name, len) == 0 && p[len] == ' ')
			return strtoull(p + len, NULL, 10);
	}
	return 0;
}

/* Sum of LABEL's numbers in JSON lines. */
static uint64_t
json_sum(const char *json, const char *label)
{
	uint64_t sum = 0;
	const char *p = json;

	while ((p = strstr(p, label)) != NULL) {
		p += strlen(label);
		sum += strtoull(p, NULL, 10);
	}
	return sum;
}

static unsigned
lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

/* What is wrong with the books of a run that came to its end; NULL: nothing. */
static const char *
books(const char *summary)
{
	uint64_t drops = 0, packets, records = figure(summary, "records");
	const char *json = content("json", 1);
	unsigned i;

	for (i = 0; i < COUNTER_MAX; i++)
		if (counter_table[i].kind == COUNTER_KIND_DROP)
			drops += figure(summary, counter_table[i].name);
	if (figure(summary, "packets") != figure(summary, "flow_packets") + drops)
		return "packets are neither in flows nor dropped";
	packets = figure(summary, "record_packets");
	if (packets + figure(summary, "packets_lost") + figure(summary, "small_packets") !=
	    figure(summary, "flow_packets"))
		return "packets of flows are neither in records nor lost";
	if (figure(summary, "files_bad") == 0 && figure(summary, "packets") != 53)
		return "packets of the file were not read, and nobody says so";
	if (lines(json) + figure(summary, "file_errors") < records)
		return "records are neither in the file nor counted as errors";
	if (lines(json) == records &&
	    json_sum(json, "\"IN_PKTS\":") + json_sum(json, "\"OUT_PKTS\":") != packets)
		return "the records have other packets than the summary says";
	return NULL;
}

/* What is wrong with a run that ended with STATUS; NULL: nothing. */
static const char *
judge(int status)
{
	const char *err = content("err", 0), *summary = strstr(err, "mcprobe: summary\n");

	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? "it hangs" : "it died of a signal";
	if (strstr(err, "Sanitizer") != NULL || strstr(err, "runtime error") != NULL)
		return "a sanitizer's finding";
	if (WEXITSTATUS(status) > 2)
		return "an exit status that is none of ours";
	if (WEXITSTATUS(status) != 0 && strstr(err, "mcprobe: ") == NULL)
		return "it does not say why";
	if (summary != NULL)
		return books(summary);
	return WEXITSTATUS(status) == 0 ? "no summary" : NULL;
}

static bool
one(unsigned scene, unsigned long at, unsigned long run, unsigned long *asked)
{
	const char *wrong;
	char err[512], count[512];
	int status;
	pid_t pid;

	fresh_folder();
	snprintf(err, sizeof(err), "%s/err", folder);
	snprintf(count, sizeof(count), "%s/asked", folder);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (freopen(err, "w", stderr) == NULL)
			_exit(9);
		run_scene(scene, at, run, asked != NULL ? count : NULL);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("# no process\n");
		return false;
	}
	if (asked != NULL)
		*asked = strtoul(content("asked", 0), NULL, 10);
	wrong = judge(status);
	if (wrong == NULL)
		return true;
	printf("# scene %u, allocation %lu, %lu fail: %s (status %x)\n%s\n", scene, at, run,
	    wrong, (unsigned)status, content("err", 0));
	return false;
}

/* All N three times, or some: in steps that meet no rhythm of the probe's. */
static bool
sweep(unsigned scene, bool all)
{
	static const unsigned long run[] = {10, 1, FOREVER};
	unsigned long n = 0, at, step, runs = 0, bad;
	unsigned i;

	bad = !one(scene, 0, 0, &n) || n == 0;
	step = all || n < SOME ? 1 : n / SOME | 1;
	for (at = 1 + scene; bad < BAD_MAX && at <= n + n / 8; at += step)
		for (i = 0; i < (all ? 3 : 1); i++, runs++)
			bad += !one(scene, at, run[all ? i : runs % 3], NULL);
	printf("%sok %u - scene %u: %lu runs, %lu allocations\n", bad > 0 ? "not " : "",
	    scene + 1, scene, runs, n);
	return bad == 0;
}

static void
listen_somewhere(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		exit(1);
	snprintf(collector, sizeof(collector), "tcp://127.0.0.1:%u", ntohs(sin.sin_port));
}

static void
clean(void)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		exit(1);
}

static void
find_capture(void)
{
	const char *srcdir = getenv("srcdir");
	char path[4000], *real;

	snprintf(path, sizeof(path), "%s/fuzz/seeds/nomem/apps.pcap",
	    srcdir != NULL ? srcdir : ".");
	real = realpath(path, NULL);
	if (real == NULL || mkdtemp(folder) == NULL) {
		printf("Bail out! %s is missing\n", path);
		exit(1);
	}
	snprintf(capture, sizeof(capture), "%s", real);
	free(real);
}

int
main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "all") == 0, ok = true;
	unsigned i;

	signal(SIGPIPE, SIG_IGN);
	find_capture();
	listen_somewhere();
	if (argc == 4) {
		ok = one((unsigned)atoi(argv[1]) % SCENES, strtoul(argv[2], NULL, 10),
		    strtoul(argv[3], NULL, 10), NULL);
		printf("%s\n", content("err", 0));
		clean();
		return ok ? 0 : 1;
	}
	for (i = 0; i < SCENES; i++)
		if (argc < 3 || i == (unsigned)atoi(argv[2]))
			ok &= sweep(i, all);
	printf("1..%zu\n", SCENES);
	clean();
	return ok ? 0 : 1;
}
