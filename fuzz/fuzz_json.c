/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_json.c -- any bytes, told from JSON and written as JSON.
 */
#include "fuzz.h"
#include "json.h"

const char fuzz_name[] = "json";

#define TEXT_MAX 4096

static size_t
without_blanks(const uint8_t *p, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", p[len - 1]) != NULL && p[len - 1] != '\0')
		len--;
	return len;
}

/* What is whole stays so in an array, and in an object, but for their depth. */
static void
check_within(const uint8_t *p, size_t len, bool valid)
{
	struct json j;
	bool within;

	json_init(&j);
	json_open(&j);
	json_raw(&j, "a", p, len);
	json_close(&j);
	CHECK(!j.failed);
	within = json_valid(j.buf, j.len);
	CHECK(!valid || within || memchr(p, '[', len) || memchr(p, '{', len));
	json_clear(&j);
}

/* As a string it is always JSON, on one line. */
static void
check_string(const uint8_t *p, size_t len)
{
	struct json j;

	json_init(&j);
	json_open(&j);
	json_string(&j, "a", p, len);
	json_close(&j);
	CHECK(!j.failed);
	CHECK(json_valid(j.buf, j.len));
	CHECK(memchr(j.buf, '\n', j.len) == NULL && memchr(j.buf, '\r', j.len) == NULL);
	CHECK(!json_valid(j.buf, j.len - 1));
	json_clear(&j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	size_t n = TEXT_MAX, end;
	uint8_t *text = input_frame(&in, &n);
	bool valid = json_valid(text, n);

	end = without_blanks(text, n);
	if (valid) {
		CHECK(end > 0 && json_valid(text, end));
		/* Half of what ends in a quote or bracket is not whole. */
		if (strchr("\"]}", text[end - 1]) != NULL)
			CHECK(!json_valid(text, end - 1));
	}
	check_within(text, n, valid);
	check_string(text, n);
	free(text);
	return 0;
}
