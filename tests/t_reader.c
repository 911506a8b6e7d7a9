/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_reader.c -- questions to healthy Redis servers: answers, the cache, ways to a node.
 * Without redis-server only the cache is tested.
 */
#include "reader_rig.h"

/*
 * The cache
 */

/* A lookup of KEY that came back. */
static void
cache_one(struct reader_cache *c, const char *key, const char *field,
    enum lookup_result result, uint64_t now_ms)
{
	struct lookup *l = cache_add(c, key, field);

	assert_non_null(l);
	l->result = result;
	if (result == LOOKUP_FOUND) {
		l->value = strdup(key);
		assert_non_null(l->value);
		l->len = strlen(key);
	}
	cache_settle(c, l, now_ms);
}

static void
test_cache(void **state)
{
	struct reader_cache c;
	struct lookup *l;

	(void)state;
	assert_int_equal(cache_init(&c), 0);
	assert_null(cache_find(&c, "k", NULL, 0));
	cache_one(&c, "k", NULL, LOOKUP_FOUND, 1000);
	cache_one(&c, "k", "f", LOOKUP_MISSING, 1000);
	cache_one(&c, "u", NULL, LOOKUP_UNKNOWN, 1000);
	assert_int_equal(c.known, 2);
	assert_null(cache_find(&c, "u", NULL, 1000));
	assert_null(cache_find(&c, "k", "g", 1000));
	assert_null(cache_find(&c, "f", NULL, 1000));
	l = cache_find(&c, "k", NULL, 60999);
	assert_non_null(l);
	assert_string_equal(l->value, "k");
	assert_non_null(cache_find(&c, "k", "f", 5999));
	assert_null(cache_find(&c, "k", "f", 6000));
	assert_null(cache_find(&c, "k", NULL, 61000));
	assert_int_equal(c.known, 0);
	/* Forgetting takes all fields, also of what is under way. */
	cache_one(&c, "k", NULL, LOOKUP_FOUND, 1000);
	cache_one(&c, "k", "f", LOOKUP_FOUND, 1000);
	cache_one(&c, "other", NULL, LOOKUP_FOUND, 1000);
	l = cache_add(&c, "k", "g");
	assert_non_null(l);
	cache_forget(&c, "k");
	cache_forget(&c, "never");
	assert_int_equal(c.known, 1);
	assert_null(cache_find(&c, "k", "g", 1000));
	l->result = LOOKUP_MISSING;
	cache_settle(&c, l, 1000);
	assert_null(cache_find(&c, "k", "g", 1000));
	assert_non_null(cache_find(&c, "other", NULL, 1000));
	cache_clear(&c);
}

static void
test_cache_full(void **state)
{
	struct reader_cache c;
	char key[16];

	(void)state;
	assert_int_equal(cache_init(&c), 0);
	for (unsigned i = 0; i < READER_CACHE_MAX; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		cache_one(&c, key, NULL, i % 2 ? LOOKUP_FOUND : LOOKUP_MISSING, 0);
	}
	assert_int_equal(c.known, READER_CACHE_MAX);
	assert_non_null(cache_find(&c, "k0", NULL, 1)); /* the latest now */
	cache_one(&c, "more", NULL, LOOKUP_FOUND, 0);
	cache_one(&c, "most", NULL, LOOKUP_FOUND, 0);
	assert_int_equal(c.known, READER_CACHE_MAX);
	assert_non_null(cache_find(&c, "k0", NULL, 1));
	assert_null(cache_find(&c, "k1", NULL, 1));
	assert_null(cache_find(&c, "k2", NULL, 1));
	assert_non_null(cache_find(&c, "k3", NULL, 1));
	cache_clear(&c);
}

/*
 * A healthy node
 */
static void
test_answers(void **state)
{
	char longer[300];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	tell(0, "SET k %s", "alice");
	tell(0, "SET empty %s", "");
	tell(0, "SET bytes %b", "a\0b", (size_t)3);
	tell(0, "SET long %s", longer);
	tell(0, "HSET h f %s", "field");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "alice");
	assert_string_equal(answer("none", NULL), "-");
	assert_string_equal(answer("empty", NULL), "");
	assert_string_equal(answer("h", "f"), "field");
	assert_string_equal(answer("h", "g"), "-");
	assert_string_equal(answer("none", "f"), "-");
	/* A key of another type is none. */
	assert_string_equal(answer("h", NULL), "-");
	assert_string_equal(answer("k", "f"), "-");
	assert_int_equal(strlen(answer("long", NULL)), READER_VALUE);
	assert_true(ask("bytes", NULL, &got[0]));
	await(&got[0], 1);
	assert_int_equal(got[0].a.len, 3);
	assert_memory_equal(got[0].a.value, "a\0b", 4);
	assert_int_equal(stats().asked, 10);
	assert_int_equal(stats().found, 5);
	assert_int_equal(stats().missed, 5);
	assert_int_equal(stats().failed, 0);
	assert_int_equal(stats().open, 0);
	assert_int_equal(counters.v[COUNTER_READER_ASKED], 10);
}

static void
test_refused(void **state)
{
	const char *keys[READER_KEYS + 1] = {"a", "b", "c", "d", "e"};
	char key[READER_KEY + 2];

	(void)state;
	open_reader(PATIENCE_MS);
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_false(ask(key, NULL, &got[0]));
	assert_false(ask("k", key, &got[0]));
	assert_false(
	    reader_ask(reader, keys, READER_KEYS + 1, NULL, on_answer, &got[0]));
	assert_false(reader_ask(reader, keys, 0, NULL, on_answer, &got[0]));
	key[READER_KEY] = '\0';
	assert_string_equal(answer(key, key), "-");
	assert_int_equal(got[0].n, 0);
}

/* The first key that exists, whatever the cache knows of the others. */
static void
test_several_keys(void **state)
{
	const char *keys[] = {"a", "b", "c", "d"};
	const char *twice[] = {"x", "x", "c"};

	(void)state;
	tell(0, "MSET c %s d %s", "C", "D");
	open_reader(PATIENCE_MS);
	assert_true(reader_ask(reader, keys, 4, NULL, on_answer, &got[0]));
	await(&got[0], 1);
	assert_true(got[0].a.known && got[0].a.found);
	assert_int_equal(got[0].a.which, 2);
	assert_string_equal(got[0].a.value, "C");
	/* Now all of them are known. */
	assert_true(reader_ask(reader, keys, 4, NULL, on_answer, &got[0]));
	assert_int_equal(got[0].n, 2);
	assert_int_equal(got[0].a.which, 2);
	assert_true(reader_ask(reader, keys, 2, NULL, on_answer, &got[0]));
	assert_int_equal(got[0].n, 3);
	assert_true(got[0].a.known && !got[0].a.found);
	/* One of them is not. */
	tell(0, "SET b %s", "B");
	reader_forget(reader, "b");
	assert_true(reader_ask(reader, keys, 4, NULL, on_answer, &got[0]));
	assert_int_equal(got[0].n, 3);
	await(&got[0], 4);
	assert_int_equal(got[0].a.which, 1);
	assert_string_equal(got[0].a.value, "B");
	assert_int_equal(calls(0, "get"), 5);
	assert_true(reader_ask(reader, twice, 3, NULL, on_answer, &got[1]));
	await(&got[1], 1);
	assert_int_equal(got[1].a.which, 2);
	assert_int_equal(calls(0, "get"), 6);
}

static void
test_cached(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	assert_string_equal(answer("none", NULL), "-");
	for (unsigned i = 0; i < 3; i++) {
		/* At once. */
		assert_true(ask("k", NULL, &got[0]));
		assert_true(ask("none", NULL, &got[1]));
	}
	assert_int_equal(got[0].n, 3);
	assert_string_equal(got[0].a.value, "v");
	assert_int_equal(got[1].n, 3);
	assert_true(got[1].a.known);
	assert_int_equal(stats().cached, 6);
	assert_int_equal(stats().asked, 2);
	assert_int_equal(stats().cached_keys, 2);
	assert_int_equal(counters.v[COUNTER_READER_CACHED], 6);
	/* Not found: 5 s. Found: 60 s. */
	reader_age(reader, 5001);
	assert_string_equal(answer("none", NULL), "-");
	assert_string_equal(answer("k", NULL), "v");
	assert_int_equal(calls(0, "get"), 3);
	reader_age(reader, 55000);
	assert_string_equal(answer("k", NULL), "v");
	assert_int_equal(calls(0, "get"), 4);
}

static void
test_forget(void **state)
{
	(void)state;
	tell(0, "SET k %s", "old");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "old");
	tell(0, "SET k %s", "new");
	assert_string_equal(answer("k", NULL), "old");
	reader_forget(reader, "k");
	assert_string_equal(answer("k", NULL), "new");
	/* Under way: who asks later gets an answer of their own, and that is kept. */
	reader_forget(reader, "k");
	assert_true(ask("k", NULL, &got[0]));
	reader_forget(reader, "k");
	tell(0, "SET k %s", "newest");
	assert_true(ask("k", NULL, &got[1]));
	await(&got[1], 1);
	assert_int_equal(got[0].n, 1);
	assert_string_equal(got[1].a.value, "newest");
	assert_int_equal(calls(0, "get"), 4);
	assert_string_equal(answer("k", NULL), "newest");
	assert_int_equal(calls(0, "get"), 4);
	/* Nobody asks again: nothing is kept. */
	reader_forget(reader, "k");
	assert_true(ask("k", NULL, &got[2]));
	reader_forget(reader, "k");
	await(&got[2], 1);
	assert_int_equal(stats().cached_keys, 0);
}

static void
test_coalesced(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(ask("k", NULL, &got[0]));
	assert_int_equal(stats().open, 1000);
	await(&got[0], 1000);
	assert_int_equal(calls(0, "get"), 1);
	assert_int_equal(stats().found, 1000);
	assert_int_equal(stats().open, 0);
}

/* A thousand questions in one go: as many answers, each its own. */
static void
test_many(void **state)
{
	static struct got many[1000];
	char key[16];
	redisReply *r;

	(void)state;
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < 1000; i++)
		redisAppendCommand(servers[0].c, "SET k%u %u", i, i * 7);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(redisGetReply(servers[0].c, (void **)&r), REDIS_OK);
		freeReplyObject(r);
	}
	open_reader(PATIENCE_MS);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		assert_true(ask(key, NULL, &many[i]));
	}
	for (unsigned i = 0; i < 1000; i++) {
		await(&many[i], 1);
		assert_true(many[i].a.found);
		assert_int_equal(atoi(many[i].a.value), i * 7);
	}
	assert_int_equal(stats().found, 1000);
}

/* Callees ask again, and forget. */
static void
on_answer_ask(void *arg, const struct reader_answer *a)
{
	const char *key = "k";
	struct got *g = arg;

	on_answer(arg, a);
	reader_forget(reader, "k");
	if (g->n < 5)
		assert_true(reader_ask(reader, &key, 1, NULL, on_answer_ask, arg));
}

static void
test_reentered(void **state)
{
	const char *key = "k";

	(void)state;
	tell(0, "SET k %s", "v");
	open_reader(PATIENCE_MS);
	assert_true(reader_ask(reader, &key, 1, NULL, on_answer_ask, &got[0]));
	assert_true(ask("k", NULL, &got[1]));
	await(&got[0], 5);
	assert_int_equal(got[1].n, 1);
	assert_int_equal(stats().open, 0);
}

/*
 * Ways to a node
 */
static void
test_unix_socket(void **state)
{
	(void)state;
	tell(0, "SET k %s", "v");
	address[0].host = NULL;
	address[0].path = servers[0].socket;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
}

static void
test_database(void **state)
{
	(void)state;
	tell(0, "SELECT 3");
	tell(0, "SET k %s", "third");
	tell(0, "SELECT 0");
	config.redis_db = 3;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "third");
	assert_int_equal(calls(0, "select"), 3);
	reader_free(reader);
	/* None of that number: nothing is asked of another. */
	config.redis_db = 99;
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	assert_int_equal(calls(0, "get"), 2);
}

static char *
write_file(const char *name, const char *text)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void
test_password(void **state)
{
	struct reader_setup setup = {&config, base, &counters, node_of, NULL, 1000};
	char err[256] = "";

	(void)state;
	tell(0, "SET k %s", "v");
	tell(0, "CONFIG SET requirepass %s", "se cret");
	tell(0, "ACL SETUSER probe on >%s ~* +@all", "other");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	reader_free(reader);
	config.redis_password_file = write_file("secret", "se cret\n");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	reader_free(reader);
	config.redis_user = (char *)"probe";
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "?");
	/* What was refused is not tried again soon, right as it may be by now. */
	tell(0, "ACL SETUSER probe >%s", "se cret");
	for (uint64_t start = ms(); ms() < start + 300;)
		assert_string_equal(answer("k", NULL), "?");
	assert_true(stats().failed >= 2);
	reader_free(reader);
	config.redis_password_file = write_file("secret", "other");
	open_reader(PATIENCE_MS);
	assert_string_equal(answer("k", NULL), "v");
	reader_free(reader);
	reader = NULL;
	tell(0, "CONFIG SET requirepass %s", "");
	tell(0, "ACL DELUSER probe");
	config.redis_password_file = (char *)"/nowhere/secret";
	assert_null(reader_new(&setup, err, sizeof(err)));
	assert_non_null(strstr(err, "/nowhere/secret"));
}

static void
test_no_node(void **state)
{
	struct reader_setup setup = {&config, base, &counters, node_of, NULL, 1000};
	char err[256] = "";

	(void)state;
	config.redis.n = 0;
	assert_null(reader_new(&setup, err, sizeof(err)));
	assert_string_equal(err, "there is no node to ask");
}

int
main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_full),
		TEST(test_no_node),
	};
	const struct CMUnitTest with_servers[] = {
		TEST(test_answers),
		TEST(test_refused),
		TEST(test_several_keys),
		TEST(test_cached),
		TEST(test_forget),
		TEST(test_coalesced),
		TEST(test_many),
		TEST(test_reentered),
		TEST(test_unix_socket),
		TEST(test_database),
		TEST(test_password),
	};
	int rc;

	if (rig_begin() == -1)
		return 1;
	rc = cmocka_run_group_tests(alone, NULL, NULL);
	if (have_redis()) {
		rc += cmocka_run_group_tests(with_servers, start_servers, stop_servers);
	} else if (rc == 0) {
		printf("SKIP: redis-server is not installed\n");
		rc = SKIPPED;
	}
	rig_end();
	return rc;
}
