/* SPDX-License-Identifier: BSD-3-Clause */
/* t_config_cloud.c -- the options of the MicroCloud: addresses, defaults, passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define ARGS_MAX 16

static char err[512];

/* LINE is split at blanks; every test reads standard input. */
static int
parse(struct config *c, const char *line)
{
	static char copy[1024];
	char *argv[ARGS_MAX + 1] = {(char *)"mcprobe"}, *rest = copy, *word;
	int argc = 1;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	while ((word = strsep(&rest, " ")) != NULL)
		argv[argc++] = word;
	argv[argc] = NULL;
	return config_parse(c, argc, argv, err, sizeof(err));
}

static void
good(struct config *c, const char *line)
{
	if (parse(c, line) < 0)
		fail_msg("%s: %s", line, err);
}

static void
bad(const char *line, const char *words)
{
	struct config c;

	assert_int_equal(parse(&c, line), -1);
	if (strstr(err, words) == NULL)
		fail_msg("%s: \"%s\" lacks \"%s\"", line, err, words);
	config_clear(&c);
}

static void
test_defaults(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i -");
	assert_int_equal(c.redis.n, 0);
	assert_null(c.sentinel_master);
	assert_int_equal(c.resp.n, 0);
	assert_false(config_has_cloud(&c));
	assert_int_equal(c.drain_s, 30);
	assert_int_equal(c.volatile_ttl_s, 300);
	assert_int_equal(c.cloud_interval_s, 10);
	assert_int_equal(c.max_keys, 262144);
	assert_int_equal(c.publish.n, 2);
	assert_string_equal(c.publish.v[0], "user");
	assert_string_equal(c.publish.v[1], "alert");
	config_clear(&c);
	assert_null(c.publish.v);
}

static void
test_redis(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i - --redis one:7000,two,[::1]:7001 --redis unix:/run/r.sock "
		 "--redis fe80::1 --redis-db 3 --redis-user u");
	assert_int_equal(c.redis.n, 5);
	assert_string_equal(c.redis.v[0].host, "one");
	assert_int_equal(c.redis.v[0].port, 7000);
	assert_string_equal(c.redis.v[0].text, "one:7000");
	assert_string_equal(c.redis.v[1].host, "two");
	assert_int_equal(c.redis.v[1].port, 6379);
	assert_string_equal(c.redis.v[2].host, "::1");
	assert_int_equal(c.redis.v[2].port, 7001);
	assert_null(c.redis.v[3].host);
	assert_string_equal(c.redis.v[3].path, "/run/r.sock");
	assert_string_equal(c.redis.v[4].host, "fe80::1");
	assert_int_equal(c.redis_db, 3);
	assert_string_equal(c.redis_user, "u");
	assert_true(config_has_cloud(&c));
	config_clear(&c);

	bad("-i - --redis host:0", "ports 1 to 65535");
	bad("-i - --redis host:65536", "host:65536");
	bad("-i - --redis :6379", ":6379");
	bad("-i - --redis [::1", "[::1");
	bad("-i - --redis [::1]6379", "[::1]6379");
	bad("-i - --redis unix:", "unix:PATH");
	bad("-i - --redis ,", "HOST:PORT");
}

static void
test_too_many(void **state)
{
	char line[1024] = "-i - --redis h";
	struct config c;
	unsigned i;

	(void)state;
	for (i = 1; i < 64; i++)
		strcat(line, ",h");
	good(&c, line);
	assert_int_equal(c.redis.n, 64);
	config_clear(&c);
	strcat(line, ",h");
	bad(line, "64");
}

static void
test_sentinel(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i - --sentinel main@a:26379,b:26380");
	assert_string_equal(c.sentinel_master, "main");
	assert_int_equal(c.sentinels.n, 2);
	assert_string_equal(c.sentinels.v[1].host, "b");
	assert_int_equal(c.sentinels.v[1].port, 26380);
	assert_true(config_has_cloud(&c));
	config_clear(&c);
	good(&c, "-i - --sentinel main@a:1 --sentinel other@b:2");
	assert_string_equal(c.sentinel_master, "other");
	assert_int_equal(c.sentinels.n, 1);
	config_clear(&c);
	bad("-i - --sentinel a:26379", "MASTER@");
	bad("-i - --sentinel @a:26379", "MASTER@");
	bad("-i - --sentinel main@", "HOST:PORT");
	bad("-i - --sentinel m@a:1 --redis b:2", "exclude");
}

static void
test_resp(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i - --stay");
	assert_int_equal(c.resp.n, 1);
	assert_string_equal(c.resp.v[0], "127.0.0.1:6380");
	assert_true(c.resp_default);
	config_clear(&c);
	good(&c, "-i - --stay --resp none");
	assert_int_equal(c.resp.n, 0);
	config_clear(&c);
	good(&c, "-i - --resp 7000 --resp [::]:7001 --resp unix:/tmp/p.sock");
	assert_int_equal(c.resp.n, 3);
	assert_false(c.resp_default);
	assert_string_equal(c.resp.v[1], "[::]:7001");
	config_clear(&c);
	good(&c, "-i - --resp 7000 --resp none --resp 7001");
	assert_int_equal(c.resp.n, 1);
	assert_string_equal(c.resp.v[0], "7001");
	config_clear(&c);
	bad("-i - --resp 0", "none");
	bad("-i - --resp 65536", "none");
	bad("-i - --resp :7000", "none");
	bad("-i - --resp 127.0.0.1:", "none");
	bad("-i - --resp unix:", "unix:PATH");
}

static void
test_publish(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i - --publish flow,dns --publish alert.warning,my_own-x");
	assert_int_equal(c.publish.n, 2); /* the last one counts */
	assert_string_equal(c.publish.v[0], "alert.warning");
	assert_string_equal(c.publish.v[1], "my_own-x");
	config_clear(&c);
	good(&c, "-i - --publish none");
	assert_int_equal(c.publish.n, 0);
	config_clear(&c);
	bad("-i - --publish flow.*", "names of channels");
	bad("-G -i x --events -", "standard output");
}

/* What says how to use nodes, without any. */
static void
test_no_nodes(void **state)
{
	struct config c;

	(void)state;
	bad("-i - --redis-user x", "--redis-user needs the nodes");
	bad("-i - --redis-password-file x", "--redis-password-file needs the nodes");
	bad("-i - --redis-db 1", "--redis-db needs the nodes");
	bad("-i - --watch", "--watch needs the nodes");
	good(&c, "-i - --redis-db 0");
	assert_false(c.watch);
	config_clear(&c);
	good(&c, "-i - --redis a --redis-user x --redis-password-file x --redis-db 1 --watch");
	assert_true(c.watch);
	config_clear(&c);
	good(&c, "-i - --sentinel m@a --redis-user x --watch");
	config_clear(&c);
}

static char *
secret_of(const char *bytes, size_t len)
{
	char path[] = "/tmp/t_config_cloud.XXXXXX", *secret;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
	secret = config_secret("--redis-password-file", path, err, sizeof(err));
	unlink(path);
	return secret;
}

static void
test_secret(void **state)
{
	char long_one[600];
	char *s;

	(void)state;
	s = secret_of("open sesame\r\nnot this\n", 22);
	assert_string_equal(s, "open sesame");
	free(s);
	s = secret_of("bare", 4);
	assert_string_equal(s, "bare");
	free(s);
	assert_null(secret_of("", 0));
	assert_non_null(strstr(err, "password"));
	assert_null(secret_of("\nsecond\n", 8));
	memset(long_one, 'x', sizeof(long_one));
	assert_null(secret_of(long_one, sizeof(long_one)));
	assert_null(config_secret("--redis-password-file", "/no/such/file", err, sizeof(err)));
	assert_non_null(strstr(err, "--redis-password-file /no/such/file: No such file"));
	assert_null(config_secret("--redis-password-file", "/", err, sizeof(err)));
	assert_non_null(strstr(err, "--redis-password-file /: Is a directory"));
}

/* tls:// and rediss:// are addresses that want TLS; the text stays what it was. */
static void
test_tls(void **state)
{
	struct config c;

	(void)state;
	good(&c, "-i - --redis tls://h:7,rediss://[::1]:8,h:9,tls://h");
	assert_int_equal(c.redis.n, 4);
	assert_true(c.redis.v[0].tls && c.redis.v[1].tls && c.redis.v[3].tls);
	assert_false(c.redis.v[2].tls);
	assert_string_equal(c.redis.v[0].text, "tls://h:7");
	assert_string_equal(c.redis.v[0].host, "h");
	assert_int_equal(c.redis.v[0].port, 7);
	assert_string_equal(c.redis.v[1].host, "::1");
	assert_int_equal(c.redis.v[3].port, 6379);
	config_clear(&c);
	good(&c, "-i - --resp 1 --resp-tls a,b");
	assert_string_equal(c.resp_cert, "a");
	assert_string_equal(c.resp_key, "b");
	assert_null(c.resp_client_ca);
	config_clear(&c);
	good(&c, "-i - --resp 1 --resp-tls a,b,c");
	assert_string_equal(c.resp_client_ca, "c");
	config_clear(&c);
	bad("-i - --resp-tls a", "CERT,KEY");
	bad("-i - --resp-tls a,", "CERT,KEY");
	bad("-i - --resp-tls a,b,c,d", "CERT,KEY");
	bad("-i - --resp none --resp-tls a,b", "nobody is answered");
	bad("-i - --tls-cert a", "need each other");
	bad("-i - --tls-key a", "need each other");
	bad("-i - --sentinel m@tls://h:1", "not supported");
	bad("-i - --redis tls://", "HOST:PORT");
	bad("-i - --collector tls://", "tls://");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_redis),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_sentinel),
		cmocka_unit_test(test_resp),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_no_nodes),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
