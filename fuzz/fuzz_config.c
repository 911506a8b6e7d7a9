/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_config.c -- options from a file, or from a command line.
 *
 *	byte 0	bit 0: the rest is a command line, words end with NUL or a line's end;
 *		else it is a configuration file, "f" in an empty folder
 *	rest	text
 *
 * A file may name other files. The fuzzer must not find its way to a device that never
 * ends: it stands in an empty folder, and a slash counts only after a digit, as in
 * 10.0.0.0/8 or 1/1/1/1/0.
 */
#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "config.h"
#include "config_row.h"
#include "fuzz.h"
#include "nomem.h"

const char fuzz_name[] = "config";

#define TEXT_MAX 8192
#define WORDS 64

static char folder[] = "/dev/shm/mcprobe-fuzz.XXXXXX";

static void
leave_folder(void)
{
	unlink("f");
	if (chdir("/") == 0)
		rmdir(folder);
}

static void
enter_folder(void)
{
	static bool entered;

	if (entered)
		return;
	if (mkdtemp(folder) == NULL) {
		strcpy(folder, "/tmp/mcprobe-fuzz.XXXXXX");
		CHECK(mkdtemp(folder) != NULL);
	}
	CHECK(chdir(folder) == 0);
	atexit(leave_folder);
	entered = true;
}

static bool
harmless(const uint8_t *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] == '/' && (i == 0 || !isdigit(text[i - 1])))
			return false;
	return true;
}

static void
check_config(const struct config *c)
{
	unsigned i;

	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];
		const void *member = (const char *)c + o->offset;

		if (o->kind == OPTION_INT)
			CHECK(*(const int *)member >= o->min &&
			      *(const int *)member <= o->max);
		if (o->kind == OPTION_COUNT)
			CHECK(*(const int *)member >= 0 &&
			      *(const int *)member <= o->max);
	}
	if (c->action != ACTION_RUN)
		return;
	CHECK(c->version == 5 || c->version == 9 || c->version == 10);
	CHECK(c->probe_id != NULL && c->probe_id[0] != '\0');
	CHECK(c->template != NULL && c->file_depth == 0);
	CHECK(c->speed >= 0 && c->speed <= 1e6);
	for (i = 0; i < c->nlocal; i++)
		CHECK(c->local[i].bits <= 128);
	for (i = 0; i < c->nlocal; i++)
		CHECK(config_is_local(c, c->local[i].addr));
}

static void
parse(int argc, char **argv)
{
	struct config c;
	char err[256];
	unsigned long failed;
	int rc;

	memset(err, 'x', sizeof(err));
	rc = config_parse(&c, argc, argv, err, sizeof(err));
	failed = nomem_failed();
	nomem_set(0, 0);
	CHECK(rc != 0 || failed == 0); /* no option is left out for want of memory */
	if (rc == 0)
		check_config(&c);
	else
		CHECK(err[0] != '\0' && memchr(err, '\0', sizeof(err)) != NULL);
	config_clear(&c);
}

/* With all memory there is, then with little. Words may change their places. */
static void
parse_both(int argc, char **argv, uint64_t seed)
{
	char *again[WORDS + 2];

	memcpy(again, argv, ((size_t)argc + 1) * sizeof(*argv));
	nomem_set(0, 0);
	parse(argc, argv);
	nomem_some(seed);
	parse(argc, again);
}

static void
parse_file(const uint8_t *text, size_t len, uint64_t seed)
{
	char *argv[] = {"mcprobe", "--check-config", "-c", "f", NULL};
	int fd = open("f", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd != -1);
	CHECK(write(fd, text, len) == (ssize_t)len);
	close(fd);
	parse_both(4, argv, seed);
}

static void
parse_line(const uint8_t *text, size_t len, uint64_t seed)
{
	char *argv[WORDS + 2] = {"mcprobe"}, *copy = malloc(len + 1), *p;
	int argc = 1;

	CHECK(copy != NULL);
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (p = copy; p < copy + len && argc <= WORDS; p += strlen(p) + 1) {
		p[strcspn(p, "\n")] = '\0';
		argv[argc++] = p;
	}
	parse_both(argc, argv, seed);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t seed = fuzz_hash(UINT64_C(0xcbf29ce484222325), data, len);

	if (len < 1 || len > TEXT_MAX || !harmless(data + 1, len - 1))
		return 0;
	enter_folder();
	if (data[0] & 1)
		parse_line(data + 1, len - 1, seed);
	else
		parse_file(data + 1, len - 1, seed);
	return 0;
}
