/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_node.c -- nodes that behave: what is written, under which name, events, commands.
 * What happens when they do not is in t_node_faults.c. Longer than 800 lines: one list
 * of tests of one rig.
 */
#include "node_rig.h"

/*
 * What is written
 */
static void
test_batches(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	p.config.redis_db = 3;
	probe_start(&p);
	p.cloud.all_kinds = true;
	RUN_UNTIL(ready(&p));
	for (i = 0; i < 20000; i++) {
		cloud_add(&p.cloud, i * 7, i);
		if (i % 1000 == 0)
			event_base_loop(base, EVLOOP_ONCE);
	}
	RUN_UNTIL(ready(&p) && idle(&p));
	tell_server(s, "SELECT 3");
	assert_exact(&p, s);
	assert_answer(s, "k.7", "HGET k.7 name");
	assert_in_range(ask_number(s, "TTL k.7"), 990, 1000);
	assert_answer(s, NULL, "HGET kinds a");
	assert_answer(s, "-5", "HGET kinds b");
	assert_answer(s, "", "HGET kinds c");
	assert_answer(s, "1600000000", "HGET kinds least");
	assert_answer(s, "8", "HGET kinds d");
	assert_int_equal(ask_number(s, "TTL kinds"), -1);
	assert_in_range(ask_number(s, "TTL user.ip.1"), 55, 60);
	assert_int_equal(ask_number(s, "TTL user.ip.2"), -1);
	assert_int_equal(ask_number(s, "ZSCORE top m"), 42);
	assert_in_range(ask_number(s, "TTL top"), 290, 300);
	assert_int_equal(ask_number(s, "EXISTS gone"), 0);
	assert_int_equal(
	    ask_number(s, "SISMEMBER microcloud.nodes %s", p.nodes->v[0].text), 1);
	assert_true(C(&p, NODE_BATCHES) > 1);
	assert_true(C(&p, NODE_KEYS) >= RIG_KEYS);
	assert_int_equal(C(&p, NODE_IN_DOUBT) + C(&p, NODE_RESENT), 0);
	assert_int_equal(C(&p, NODE_REFUSED), 0);
	assert_int_equal(C(&p, NODE_OP_ERRORS), 0);
	assert_int_equal(p.cloud.rearms, 0);
	probe_free(&p);
}

/* The number says how many batches were committed; a batch has an upper bound. */
static void
test_number(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	char number[64];
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	RUN_UNTIL(ready(&p));
	snprintf(number, sizeof(number), "%s:0", p.nodes->instance);
	assert_answer(s, number, "GET probe.p1.seq");
	for (i = 0; i < 5; i++) {
		cloud_add(&p.cloud, i, 1);
		RUN_UNTIL(idle(&p));
	}
	snprintf(number, sizeof(number), "%s:5", p.nodes->instance);
	assert_answer(s, number, "GET probe.p1.seq");
	assert_int_equal(C(&p, NODE_BATCHES), 5);
	assert_int_equal(ask_number(s, "TTL probe.p1.seq"), -1);
	probe_free(&p);
}

/* A batch is bounded: the keys of a large tree go in several. */
static void
test_large(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	p.cloud.fat = 60;
	for (i = 0; i < RIG_KEYS; i++)
		cloud_add(&p.cloud, i, 1);
	RUN_UNTIL(idle(&p));
	assert_exact(&p, s);
	assert_int_equal(ask_number(s, "HLEN k.7"), 62);
	/* 18,900 commands, 5 MB */
	assert_in_range(C(&p, NODE_BATCHES), 4, 8);
	assert_int_equal(C(&p, NODE_COMMANDS), RIG_KEYS * 63);
	assert_int_equal(p.nodes->v[0].batch.bytes.cap, NODE_BATCH_ROOM);
	probe_free(&p);
}

static void
test_op_errors(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	struct respbuf info;

	(void)state;
	server_start(s, "a", 0, NULL);
	tell_server(s, "SET k.5 text");
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	cloud_add(&p.cloud, 4, 40);
	cloud_add(&p.cloud, 5, 50); /* HINCRBY and HSET fail, EXPIRE does not */
	cloud_add(&p.cloud, 6, 60);
	RUN_UNTIL(idle(&p));
	assert_int_equal(C(&p, NODE_OP_ERRORS), 2);
	assert_int_equal(C(&p, NODE_REFUSED), 0);
	assert_int_equal(ask_number(s, "HGET k.4 n"), 40);
	assert_int_equal(ask_number(s, "HGET k.6 n"), 60);
	assert_answer(s, "text", "GET k.5");
	respbuf_init(&info);
	nodes_info(p.nodes, &info);
	resp_bytes(&info, "", 1);
	assert_non_null(strstr(info.buf, "# Node0\r\n"));
	assert_non_null(strstr(info.buf, "\r\nstate:ready\r\n"));
	assert_non_null(strstr(info.buf, "\r\nid:p1\r\n"));
	assert_non_null(strstr(info.buf, "\r\nbatches:1\r\n"));
	assert_non_null(strstr(info.buf, "last_error:WRONGTYPE"));
	respbuf_clear(&info);
	probe_free(&p);
}

/* Keys the node has lost are sent whole again. */
static void
test_rearm(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	cloud_add(&p.cloud, 1, 3);
	cloud_add(&p.cloud, 2, 3);
	RUN_UNTIL(idle(&p));
	tell_server(s, "DEL k.1");
	cloud_add(&p.cloud, 1, 4);
	cloud_add(&p.cloud, 2, 4);
	RUN_UNTIL(idle(&p));
	assert_int_equal(p.cloud.rearms, 1);
	assert_int_equal(C(&p, NODE_REARMED), 1);
	assert_int_equal(ask_number(s, "HGET k.1 n"), 4);
	assert_int_equal(ask_number(s, "HGET k.2 n"), 7);
	assert_answer(s, "k.1", "HGET k.1 name");
	assert_int_equal(p.cloud.rearmed_all, 0);

	/* everything: the number is gone too, and the batch that came next is not lost */
	tell_server(s, "FLUSHALL");
	cloud_add(&p.cloud, 1, 9);
	RUN_UNTIL(idle(&p) && p.cloud.rearmed_all == 1);
	RUN_UNTIL(idle(&p));
	assert_int_equal(ask_number(s, "HGET k.1 n"), 9);
	assert_answer(s, "k.2", "HGET k.2 name");
	assert_int_equal(C(&p, NODE_CONFLICTS), 0);

	/* another process: run_id */
	server_kill(s);
	server_again(s);
	RUN_UNTIL(p.cloud.rearmed_all > 1 && ready(&p) && idle(&p));
	assert_answer(s, "k.2", "HGET k.2 name");
	probe_free(&p);
}

static void
test_acl_user(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	char path[128];
	FILE *f;

	(void)state;
	server_start(s, "a", 0, NULL);
	tell_server(s, "ACL SETUSER probe on >s3cret ~* &* +@all -flushall");
	tell_server(s, "ACL SETUSER default -@all +ping");
	server_kill(&servers[1]);
	redisFree(s->c);
	s->c = redisConnectUnix(s->path);
	tell_server(s, "PING");
	freeReplyObject(redisCommand(s->c, "AUTH probe s3cret"));
	snprintf(path, sizeof(path), "%s/password", folder);
	f = fopen(path, "w");
	fputs("s3cret\n", f);
	fclose(f);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	p.config.redis_user = (char *)"probe";
	p.config.redis_password_file = path;
	probe_start(&p);
	cloud_add(&p.cloud, 1, 3);
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_int_equal(ask_number(s, "HGET k.1 n"), 3);
	probe_free(&p);
}

/*
 * At the start
 */
static void
test_refused_at_start(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	char err[256] = "";

	(void)state;
	server_start(s, "a", free_cluster_port(), "--cluster-enabled", "yes", NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s/nobody", folder); /* is no mistake */
	probe_node(&p, "unix:%s", s->path);
	assert_null(probe_try(&p, err, sizeof(err)));
	assert_non_null(strstr(err, s->path));
	assert_non_null(strstr(err, "is a Redis Cluster; "));
	probe_free(&p);

	server_start(&servers[1], "b", free_port(), NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", servers[1].path);
	probe_node(&p, "127.0.0.1:%d", servers[1].port);
	assert_null(probe_try(&p, err, sizeof(err)));
	assert_non_null(strstr(err, "the same server"));
	probe_free(&p);

	probe_init(&p, "p1");
	probe_node(&p, "localhost:1");
	probe_node(&p, "localhost:1");
	assert_null(probe_try(&p, err, sizeof(err)));
	assert_non_null(strstr(err, "twice"));
	probe_free(&p);

	probe_init(&p, "p1");
	probe_node(&p, "localhost:1");
	p.config.redis_password_file = (char *)"/nonexistent/password";
	assert_null(probe_try(&p, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent/password"));
	probe_free(&p);
}

/* A cluster that takes the place of a node later is not written to. */
static void
test_cluster_later(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s/a.sock", folder);
	probe_start(&p);
	server_start(s, "a", free_cluster_port(), "--cluster-enabled", "yes", NULL);
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(p.nodes->v[0].trouble == NODE_CLUSTER);
	run_ms(200);
	assert_non_null(strstr(p.nodes->v[0].error, "Redis Cluster"));
	assert_int_equal(C(&p, NODE_BATCHES), 0);
	assert_false(nodes_settled(p.nodes));
	nodes_end(p.nodes);
	assert_int_equal(C(&p, NODE_KEYS_LEFT), 1);
	assert_int_equal(C(&p, NODE_BATCHES_LEFT), 0);
	probe_free(&p);
}

/* Names are looked up in the loop; /etc/hosts has this one. */
static void
test_host_name(void **state)
{
	struct server *s = &servers[0];
	struct probe p, q;

	(void)state;
	server_start(s, "a", free_port(), NULL);
	probe_init(&p, "p1");
	probe_node(&p, "localhost:%d", s->port);
	probe_start(&p);
	cloud_add(&p.cloud, 1, 3);
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_int_equal(ask_number(s, "HGET k.1 n"), 3);
	probe_free(&p);

	/* one that nobody knows; freed while it is being looked up */
	probe_init(&q, "p2");
	probe_node(&q, "no.such.name.invalid:6379");
	probe_start(&q);
	run_ms(30);
	probe_free(&q);
}

/*
 * Which node
 */
static void
test_rendezvous(void **state)
{
	struct probe p, q;
	char name[32], err[256];
	unsigned i, j, n[3] = {0, 0, 0};

	(void)state;
	probe_init(&p, "p1");
	probe_init(&q, "p2");
	for (i = 0; i < 3; i++) {
		probe_node(&p, "unix:%s/%c", folder, "abc"[i]);
		probe_node(&q, "unix:%s/%c", folder, "cab"[i]);
	}
	p.nodes = probe_try(&p, err, sizeof(err));
	q.nodes = probe_try(&q, err, sizeof(err));
	assert_non_null(p.nodes);
	assert_non_null(q.nodes);
	assert_int_equal(nodes_count(p.nodes), 3);
	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "ip.10.0.%u.%u", i / 256, i % 256);
		j = nodes_of(p.nodes, name, strlen(name));
		assert_true(j < 3);
		n[j]++;
		/* the order of the list does not matter */
		assert_string_equal(p.nodes->v[j].text,
		    q.nodes->v[nodes_of(q.nodes, name, strlen(name))].text);
	}
	for (i = 0; i < 3; i++)
		assert_in_range(n[i], 850, 1150);
	probe_free(&p);
	probe_free(&q);
}

/*
 * The name
 */
static void
test_heartbeat(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	long long beat;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	RUN_UNTIL(ready(&p) && p.beats >= 2);
	run_ms(20);
	assert_answer(s, p.nodes->instance, "HGET probe.p1 instance");
	assert_answer(s, "rig0", "HGET probe.p1 interface");
	assert_int_equal(ask_number(s, "HEXISTS probe.p1 version"), 1);
	assert_int_equal(ask_number(s, "HEXISTS probe.p1 lag_ms"), 1);
	assert_int_equal(ask_number(s, "HEXISTS probe.p1 merged"), 1);
	assert_int_equal(ask_number(s, "HEXISTS probe.p1 in_doubt"), 1);
	assert_in_range(ask_number(s, "TTL probe.p1"), 10, 15);
	beat = ask_number(s, "HGET probe.p1 beat");
	RUN_UNTIL(ask_number(s, "HGET probe.p1 beat") > beat);
	probe_drain(&p);
	assert_int_equal(ask_number(s, "EXISTS probe.p1"), 0);
	assert_int_equal(ask_number(s, "EXISTS probe.p1.seq"), 1);
	nodes_end(p.nodes);
	probe_free(&p);
}

/* The heartbeat of another is not removed. */
static void
test_bye_of_a_guest(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_make(&p);
	nodes_times(p.nodes)->beat = 60000;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p) && p.beats >= 2);
	run_ms(20);
	tell_server(s, "HSET probe.p1 instance 0123456789abcdef");
	probe_drain(&p);
	assert_int_equal(ask_number(s, "EXISTS probe.p1"), 1);
	probe_free(&p);
}

/* Two of one name: the second is -2, the third -3; at once, as the first answers. */
static void
test_second_instance(void **state)
{
	struct server *s = &servers[0];
	struct probe p[3];
	struct probe *all[3] = {&p[0], &p[1], &p[2]};
	unsigned i, j;

	(void)state;
	server_start(s, "a", 0, NULL);
	for (i = 0; i < 3; i++) {
		probe_init(&p[i], "p1");
		probe_node(&p[i], "unix:%s", s->path);
		probe_make(&p[i]);
		nodes_times(p[i].nodes)->beat = 60000; /* it beats because it is asked */
		nodes_start(p[i].nodes);
		cloud_add(&p[i].cloud, i, 100);
		RUN_UNTIL(ready(&p[i]) && idle(&p[i]));
		RUN_UNTIL(p[i].nodes->v[0].command.conn.state == NODE_CONN_OPEN);
	}
	assert_string_equal(nodes_probe_id(p[0].nodes), "p1");
	assert_string_equal(nodes_probe_id(p[1].nodes), "p1-2");
	assert_string_equal(nodes_probe_id(p[2].nodes), "p1-3");
	for (j = 0; j < 30; j++)
		for (i = 0; i < 3; i++) {
			cloud_add(&p[i].cloud, j, 1);
			event_base_loop(base, EVLOOP_ONCE);
		}
	RUN_UNTIL(idle(&p[0]) && idle(&p[1]) && idle(&p[2]));
	assert_sums(all, 3, (struct server *[]){s}, 1);
	assert_answer(s, p[1].nodes->instance, "HGET probe.p1-2 instance");
	for (i = 0; i < 3; i++) {
		assert_int_equal(C(&p[i], NODE_CONFLICTS), 0);
		probe_free(&p[i]);
	}
}

/* Of many that start at once each gets a name of its own. */
static void
test_race_for_a_name(void **state)
{
	struct server *s = &servers[0];
	struct probe p[4];
	unsigned i, j;

	(void)state;
	server_start(s, "a", 0, NULL);
	for (i = 0; i < 4; i++) {
		probe_init(&p[i], "p1");
		probe_node(&p[i], "unix:%s", s->path);
		probe_make(&p[i]);
	}
	for (i = 0; i < 4; i++)
		nodes_start(p[i].nodes);
	RUN_UNTIL(ready(&p[0]) && ready(&p[1]) && ready(&p[2]) && ready(&p[3]));
	for (i = 0; i < 4; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(nodes_probe_id(p[i].nodes),
			    nodes_probe_id(p[j].nodes));
	for (i = 0; i < 4; i++)
		probe_free(&p[i]);
}

/* A dead one's heartbeat goes, and its name with it; until then deltas wait. */
static void
test_predecessor(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	tell_server(s, "HSET probe.p1 instance 0123456789abcdef beat 17 old yes");
	tell_server(s, "PEXPIRE probe.p1 400");
	tell_server(s, "SET probe.p1.seq 0123456789abcdef:99");
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	cloud_add(&p.cloud, 1, 5);
	run_ms(150);
	assert_false(ready(&p));
	assert_int_equal(ask_number(s, "EXISTS k.1"), 0);
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_string_equal(nodes_probe_id(p.nodes), "p1");
	assert_int_equal(ask_number(s, "HGET k.1 n"), 5);
	assert_int_equal(C(&p, NODE_CONFLICTS), 0);
	/* what it had reached is kept for a while */
	assert_int_equal(ask_number(s, "GET probe.p1.seq.0123456789abcdef"), 99);
	assert_in_range(ask_number(s, "TTL probe.p1.seq.0123456789abcdef"), 3500, 3600);
	probe_free(&p);

	/* one that would stay for ever */
	tell_server(s, "DEL probe.p2");
	tell_server(s, "HSET probe.p2 instance 0123456789abcdef beat 17 old yes");
	probe_init(&p, "p2");
	probe_node(&p, "unix:%s", s->path);
	probe_make(&p);
	nodes_times(p.nodes)->dead = 200;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	assert_string_equal(nodes_probe_id(p.nodes), "p2");
	assert_int_equal(ask_number(s, "HEXISTS probe.p2 old"), 0);
	probe_free(&p);
}

/* A short run does not wait to see who is alive. */
static void
test_name_at_the_end(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	tell_server(s, "HSET probe.p1 instance 0123456789abcdef beat 17");
	tell_server(s, "EXPIRE probe.p1 15");
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	cloud_add(&p.cloud, 1, 5);
	run_ms(50);
	probe_drain(&p);
	assert_string_equal(nodes_probe_id(p.nodes), "p1-2");
	assert_int_equal(ask_number(s, "HGET k.1 n"), 5);
	assert_int_equal(ask_number(s, "EXISTS probe.p1"), 1);
	nodes_end(p.nodes);
	assert_int_equal(C(&p, NODE_KEYS_LEFT), 0);
	probe_free(&p);
}

/*
 * Events
 */
struct ear {
	redisContext *c;
};

static void
ear_open(struct ear *e, struct server *s, const char *pattern)
{
	struct timeval limit = {10, 0};

	e->c = redisConnectUnix(s->path);
	redisSetTimeout(e->c, limit);
	freeReplyObject(redisCommand(e->c, "PSUBSCRIBE %s", pattern));
}

/* The next message; to be freed. The loop must have run. */
static redisReply *
ear_hear(struct ear *e)
{
	redisReply *r = NULL;

	assert_int_equal(redisGetReply(e->c, (void **)&r), REDIS_OK);
	assert_int_equal(r->elements, 4);
	return r;
}

static void
publish(struct probe *p, const char *channel, const char *text)
{
	nodes_publish(p->nodes, channel, strlen(channel), text, strlen(text));
}

static void
test_events_follow_keys(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	struct ear e;
	redisReply *r;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	ear_open(&e, s, "user.*");
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_make(&p);
	nodes_times(p.nodes)->window = 100;
	nodes_start(p.nodes);
	/* before it is connected, and with a batch under way */
	for (i = 0; i < 5; i++) {
		char text[16];

		cloud_add(&p.cloud, i, 1);
		snprintf(text, sizeof(text), "%u", i);
		publish(&p, "user.login", text);
		if (i > 2) {
			RUN_UNTIL(p.nodes->v[0].batch.state == NODE_BATCH_SENT);
			assert_true(C(&p, NODE_EVENTS) <= i);
		}
	}
	RUN_UNTIL(C(&p, NODE_EVENTS) == 5);
	for (i = 0; i < 5; i++) {
		r = ear_hear(&e);
		assert_int_equal(atoi(r->element[3]->str), i);
		freeReplyObject(r);
	}
	/* an event whose keys wait is not sent, one without keys is */
	publish(&p, "user.logout", "now");
	RUN_UNTIL(C(&p, NODE_EVENTS) == 6);
	cloud_add(&p.cloud, 1, 1);
	publish(&p, "user.logout", "later");
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(p.nodes->v[0].nevents, 1);
	assert_int_equal(p.nodes->v[0].events_owed, 0);
	probe_drain(&p);
	assert_int_equal(C(&p, NODE_EVENTS), 7);
	assert_int_equal(C(&p, NODE_EVENTS_LOST), 0);
	redisFree(e.c);
	probe_free(&p);
}

/* The order on the server: MONITOR sees EXEC, then PUBLISH. */
static void
test_event_after_exec(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	redisContext *c;
	redisReply *r = NULL;
	struct timeval limit = {10, 0};
	bool written = false, told = false;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	RUN_UNTIL(ready(&p));
	c = redisConnectUnix(s->path);
	redisSetTimeout(c, limit);
	freeReplyObject(redisCommand(c, "MONITOR"));
	for (i = 0; i < RIG_KEYS; i++)
		cloud_add(&p.cloud, i, 1);
	publish(&p, "alert.x", "about 299");
	for (i = 0; i < RIG_KEYS; i++)
		cloud_add(&p.cloud, i, 1); /* the same keys: they keep their places */
	RUN_UNTIL(C(&p, NODE_EVENTS) == 1);
	while (!told) {
		assert_int_equal(redisGetReply(c, (void **)&r), REDIS_OK);
		if (strstr(r->str, "\"HINCRBY\" \"k.299\"") != NULL)
			written = true;
		told = strstr(r->str, "\"PUBLISH\" \"alert.x\"") != NULL;
		if (told)
			assert_true(written);
		freeReplyObject(r);
	}
	redisFree(c);
	probe_free(&p);
}

static void
test_events_bounded(void **state)
{
	static char big[NODE_EVENTS_BYTES + 1];
	struct server *s = &servers[0];
	struct probe p;
	unsigned i;

	(void)state;
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s/a.sock", folder);
	probe_start(&p);
	for (i = 0; i < NODE_EVENTS_MAX + 100; i++)
		publish(&p, "e", "x");
	assert_int_equal(p.nodes->v[0].nevents, NODE_EVENTS_MAX);
	assert_int_equal(C(&p, NODE_EVENTS_LOST), 100);
	memset(big, 'x', sizeof(big) - 1);
	nodes_publish(p.nodes, "e", 1, big, 700000);
	assert_true(p.nodes->v[0].event_bytes <= NODE_EVENTS_BYTES);
	publish(&p, "e", big); /* cannot be held at all */
	server_start(s, "a", 0, NULL);
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_int_equal(C(&p, NODE_EVENTS) + C(&p, NODE_EVENTS_LOST),
	    NODE_EVENTS_MAX + 102);
	assert_true(C(&p, NODE_EVENTS) > 5000);
	/* and what never goes is counted at the end */
	server_kill(s);
	RUN_UNTIL(!ready(&p));
	publish(&p, "e", "1");
	publish(&p, "e", "2");
	nodes_end(p.nodes);
	publish(&p, "e", "3");
	assert_int_equal(C(&p, NODE_EVENTS) + C(&p, NODE_EVENTS_LOST),
	    NODE_EVENTS_MAX + 105);
	probe_free(&p);
}

/*
 * Commands
 */
static void
test_commands(void **state)
{
	static char big[5000];
	struct server *s = &servers[0];
	struct probe p;
	struct ear e;
	redisReply *r;

	(void)state;
	server_start(s, "a", 0, NULL);
	ear_open(&e, s, "mcprobe.reply.*");
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_start(&p);
	RUN_UNTIL(ask_number(s, "PUBLISH mcprobe.cmd.p1 PING") == 1);
	RUN_UNTIL(C(&p, NODE_EVENTS) == 1);
	r = ear_hear(&e);
	assert_string_equal(r->element[2]->str, "mcprobe.reply.p1");
	assert_string_equal(r->element[3]->str, "you said PING");
	freeReplyObject(r);
	/* too long: not answered; nor is what was not asked */
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(ask_number(s, "PUBLISH mcprobe.cmd.p1 %s", big), 1);
	assert_int_equal(ask_number(s, "PUBLISH watch.changed 1"), 1);
	assert_int_equal(ask_number(s, "PUBLISH mcprobe.cmd.all hello"), 1);
	RUN_UNTIL(C(&p, NODE_EVENTS) == 2);
	r = ear_hear(&e);
	assert_string_equal(r->element[3]->str, "you said hello");
	freeReplyObject(r);
	assert_int_equal(p.nodes->v[0].command.ignored, 1);
	/* it comes back by itself */
	tell_server(s, "CLIENT KILL TYPE pubsub");
	RUN_UNTIL(ask_number(s, "PUBLISH mcprobe.cmd.p1 again") == 1);
	RUN_UNTIL(C(&p, NODE_EVENTS) == 3);
	redisFree(e.c);
	probe_free(&p);
}

/*
 * Several
 */
static void
test_three_nodes(void **state)
{
	struct probe p;
	struct probe *one = &p;
	struct server *all[3] = {&servers[0], &servers[1], &servers[2]};
	unsigned i, j;

	(void)state;
	probe_init(&p, "p1");
	for (i = 0; i < 3; i++) {
		server_start(all[i], (char[]){(char)('a' + i), '\0'}, 0,
		    "--appendonly", "yes", "--appendfsync", "always", NULL);
		probe_node(&p, "unix:%s", all[i]->path);
	}
	probe_start(&p);
	for (i = 0; i < 60; i++) {
		for (j = 0; j < RIG_KEYS; j++)
			cloud_add(&p.cloud, j, 1);
		if (i == 20)
			server_kill(all[1]);
		if (i == 40)
			server_again(all[1]);
		run_ms(5);
	}
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_sums(&one, 1, all, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(ask_number(all[i], "SCARD microcloud.nodes"), 3);
		assert_int_equal(ask_number(all[i], "EXISTS probe.p1 probe.p1.seq"), 2);
		assert_true(ask_number(all[i], "DBSIZE") > RIG_KEYS / 6);
	}
	probe_drain(&p);
	for (i = 0; i < 3; i++)
		assert_int_equal(ask_number(all[i], "EXISTS probe.p1"), 0);
	probe_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
		TEST(test_batches),
		TEST(test_number),
		TEST(test_large),
		TEST(test_op_errors),
		TEST(test_rearm),
		TEST(test_acl_user),
		TEST(test_refused_at_start),
		TEST(test_cluster_later),
		TEST(test_host_name),
		TEST(test_rendezvous),
		TEST(test_heartbeat),
		TEST(test_bye_of_a_guest),
		TEST(test_second_instance),
		TEST(test_race_for_a_name),
		TEST(test_predecessor),
		TEST(test_name_at_the_end),
		TEST(test_events_follow_keys),
		TEST(test_event_after_exec),
		TEST(test_events_bounded),
		TEST(test_commands),
		TEST(test_three_nodes),
#undef TEST
	};

	log_open(false, LOG_LEVEL_ERROR);
	if (!rig_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
