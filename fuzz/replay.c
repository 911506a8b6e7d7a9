/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c -- a fuzz target as a plain program. Without arguments it is a test: it runs
 * the seeds and the regressions of its target, then each of them cut short at many
 * lengths and changed in a few places, always in the same way. With arguments it runs
 * these files: how a finding is looked at.
 */
#include <dirent.h>
#include <stdbool.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX (1 << 20)
#ifndef VARIANTS
#define VARIANTS 128 /* of each input, cut short; and as many changed */
#endif
#define SECONDS_MAX 20 /* an input that takes longer is a hang */

struct replay {
	unsigned files, variants;
	uint64_t random;
};

/* xorshift64: the same everywhere. */
static uint64_t
draw(struct replay *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

/* From memory of exactly LEN bytes. */
static void
run(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len);

	CHECK(exact != NULL || len == 0);
	if (len > 0)
		memcpy(exact, data, len);
	alarm(SECONDS_MAX);
	LLVMFuzzerTestOneInput(exact, len);
	alarm(0);
	free(exact);
}

static void
change(struct replay *r, uint8_t *data, size_t len)
{
	static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff};
	uint64_t n = 1 + draw(r) % 4;

	for (; n > 0; n--) {
		uint64_t what = draw(r);
		uint8_t *p = &data[draw(r) % len];

		if (what & 1)
			*p ^= (uint8_t)(1 << (what >> 1 & 7));
		else if (what & 2)
			*p = odd[(what >> 2) % sizeof(odd)];
		else
			*p = (uint8_t)(what >> 2);
	}
}

static void
run_variants(struct replay *r, const uint8_t *data, size_t len)
{
	size_t step = len / VARIANTS + 1, cut;
	uint8_t *copy = malloc(len);
	unsigned i;

	CHECK(copy != NULL || len == 0);
	for (cut = 0; cut < len; cut += step, r->variants++)
		run(data, cut);
	for (i = 0; i < VARIANTS && len > 0; i++, r->variants++) {
		memcpy(copy, data, len);
		change(r, copy, len);
		run(copy, len);
	}
	free(copy);
}

static void
run_file(struct replay *r, const char *path, bool variants)
{
	FILE *fp = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	size_t len;

	if (fp == NULL || data == NULL) {
		fprintf(stderr, "%s cannot be read\n", path);
		exit(1);
	}
	printf("# %s\n", path);
	fflush(stdout); /* what did it, if it dies now */
	len = fread(data, 1, INPUT_MAX, fp);
	fclose(fp);
	run(data, len);
	r->files++;
	if (variants)
		run_variants(r, data, len);
	free(data);
}

static int
visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* All files of SRCDIR/PLACE/<target>, by name; how many. */
static unsigned
run_folder(struct replay *r, const char *srcdir, const char *place)
{
	char path[4096];
	struct dirent **list;
	int i, n;

	snprintf(path, sizeof(path), "%s/%s/%s", srcdir, place, fuzz_name);
	n = scandir(path, &list, visible, alphasort);
	if (n < 0)
		return 0;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s/%s", srcdir, place, fuzz_name,
		    list[i]->d_name);
		run_file(r, path, true);
		free(list[i]);
	}
	free(list);
	return (unsigned)n;
}

int
main(int argc, char **argv)
{
	struct replay r = {.random = UINT64_C(0x9e3779b97f4a7c15)};
	const char *srcdir = getenv("srcdir");
	char *absolute =
	    realpath(srcdir != NULL ? srcdir : ".", NULL); /* targets may move */
	unsigned seeds, regressions;
	int i;

	for (i = 1; i < argc; i++)
		run_file(&r, argv[i], false);
	if (argc > 1 || absolute == NULL) {
		free(absolute);
		return argc > 1 ? 0 : 1;
	}
	seeds = run_folder(&r, absolute, "fuzz/seeds");
	regressions = run_folder(&r, absolute, "tests/regress");
	free(absolute);
	printf("%sok 1 - %s: %u seeds\n", seeds > 0 ? "" : "not ", fuzz_name, seeds);
	printf("ok 2 - %s: %u regressions\n", fuzz_name, regressions);
	printf("ok 3 - %s: %u variants of them\n1..3\n", fuzz_name, r.variants);
	return seeds > 0 ? 0 : 1;
}
