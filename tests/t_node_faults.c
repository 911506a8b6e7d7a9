/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_node_faults.c -- exactly once, whatever happens to the node or to what lies
 * between: killed, stopped, cut off, full, locked, a replica, taken over by another.
 * Longer than 800 lines: each fault is a story with its servers.
 */
#include "node_rig.h"

static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always"};

static void
start_durable(struct server *s)
{
	server_start(s, "a", 0, durable[0], durable[1], durable[2], durable[3], NULL);
}

static void
start_probe(struct probe *p, const char *id, const char *path)
{
	probe_init(p, id);
	probe_node(p, "unix:%s", path);
	probe_start(p);
}

/* Behind a relay: being of this process it cannot pass on the question at the start. */
static void
make_behind(struct probe *p, const struct relay *r)
{
	probe_init(p, "p1");
	probe_node(p, "unix:%s", r->to);
	probe_make(p);
	p->nodes->v[0].target.path = (char *)r->path;
}

/* Some changes, and a turn of the loop. */
static void
feed(struct probe *p)
{
	static unsigned next;
	unsigned i;

	for (i = 0; i < 20; i++, next += 7)
		cloud_add(&p->cloud, next, 1 + next % 5);
	event_base_loop(base, EVLOOP_ONCE);
}

static void
feed_ms(struct probe *p, unsigned ms)
{
	uint64_t end = node_now() + ms;

	while (node_now() < end)
		feed(p);
}

/* Everything arrived, once; the number says the same. */
static void
assert_all_well(struct probe *p, struct server *s)
{
	char number[64];

	RUN_UNTIL(ready(p) && idle(p));
	assert_exact(p, s);
	snprintf(number, sizeof(number), "%s:%llu", p->nodes->instance,
	    (unsigned long long)C(p, NODE_BATCHES));
	assert_answer(s, number, "GET probe.%s.seq", nodes_probe_id(p->nodes));
	assert_int_equal(C(p, NODE_CONFLICTS), 0);
	assert_int_equal(p->nodes->v[0].rollbacks, 0);
}

/*
 * Servers that die, stop, hang up
 */
static void
test_killed(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	unsigned i;

	(void)state;
	start_durable(s);
	start_probe(&p, "p1", s->path);
	RUN_UNTIL(ready(&p));
	for (i = 0; i < 6; i++) {
		feed_ms(&p, 60);
		if (i % 2 == 0)
			RUN_UNTIL(p.nodes->v[0].batch.state == NODE_BATCH_SENT);
		server_kill(s);
		feed_ms(&p, 20);
		server_exec(s);
		feed_ms(&p, 50);
		server_wait(s);
		RUN_UNTIL(ready(&p));
	}
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_IN_DOUBT) >= 3);
	assert_true(C(&p, NODE_CONNECTS) >= 7);
	/* each was another process, which might have lost something */
	assert_int_equal(p.cloud.rearmed_all, 6);
	probe_free(&p);
}

static void
test_hung_up(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	nodes_times(p.nodes)->window = 0;
	RUN_UNTIL(ready(&p));
	for (i = 0; i < 100; i++) {
		/* in the midst of coming up, or of batches */
		if (i % 3 > 0)
			RUN_UNTIL((feed(&p), ready(&p)));
		feed_ms(&p, (unsigned)rand() % 15);
		tell_server(s, "CLIENT KILL TYPE normal");
	}
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_CONNECTS) > 66);
	assert_true(C(&p, NODE_IN_DOUBT) > 0);
	probe_free(&p);
}

/* A stopped server swallows bytes and connections; it executes all when it goes on. */
static void
test_stopped(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	uint64_t connects;

	(void)state;
	server_start(s, "a", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	probe_make(&p);
	nodes_times(p.nodes)->ack = 150;
	nodes_times(p.nodes)->window = 0;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 100);
	kill(s->pid, SIGSTOP);
	connects = C(&p, NODE_CONNECTS);
	feed_ms(&p, 20);
	while (C(&p, NODE_CONNECTS) < connects + 3)
		feed(&p);
	kill(s->pid, SIGCONT);
	feed_ms(&p, 50);
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_IN_DOUBT) >= 1);
	assert_string_equal(p.nodes->v[0].error, "no answer");
	probe_free(&p);
}

/*
 * On the way
 */

/* The fence: an old batch comes late, and does not count. */
static void
test_late_batch(void **state)
{
	struct server *s = &servers[0];
	struct relay r;
	struct probe p;
	struct link *old;
	uint64_t batches;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	relay_start(&r, s->path);
	make_behind(&p, &r);
	nodes_times(p.nodes)->ack = 100;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	r.catch = link_hold;
	for (i = 0; i < 3; i++) {
		/* at first with the whole batch held back; then its end only, MULTI and
		   commands have arrived; then the fence itself */
		r.trap = i == 0 ? "HINCRBY" : i == 1 ? "EXEC" : "MULTI";
		r.caught = NULL;
		if (i == 2)
			tell_server(s, "CLIENT KILL TYPE normal");
		feed_ms(&p, 30);
		RUN_UNTIL(r.caught != NULL);
		old = r.caught;
		batches = C(&p, NODE_BATCHES);
		while (C(&p, NODE_BATCHES) < batches + (i == 1 ? 1 : 3))
			feed(&p);
		assert_true(evbuffer_get_length(old->held) > 0);
		link_release(old);
		feed_ms(&p, 50);
	}
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_RESENT) >= 2);
	probe_free(&p);
	relay_end(&r);
}

/* The old batch comes between the new connection's reading and its fence. */
static void
test_batch_in_between(void **state)
{
	struct server *s = &servers[0];
	struct relay r;
	struct probe p;
	struct link *old, *fence;

	(void)state;
	server_start(s, "a", 0, NULL);
	relay_start(&r, s->path);
	make_behind(&p, &r);
	nodes_times(p.nodes)->ack = 200;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	RUN_UNTIL(idle(&p));
	r.catch = link_hold;
	r.trap = "HINCRBY";
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(r.caught != NULL);
	old = r.caught;
	/* the next connection reads the number, and then wants to write it back */
	r.trap = "EXEC";
	r.caught = NULL;
	RUN_UNTIL(r.caught != NULL);
	fence = r.caught;
	assert_ptr_not_equal(old, fence);
	link_release(old);
	run_ms(30);
	assert_int_equal(ask_number(s, "HGET k.1 n"), p.cloud.key[1].total);
	link_release(fence);
	feed_ms(&p, 50);
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_IN_DOUBT) >= 1);
	probe_free(&p);
	relay_end(&r);
}

/* A batch arrives and its answer does not. */
static void
test_answer_lost(void **state)
{
	struct server *s = &servers[0];
	struct relay r;
	struct probe p;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	relay_start(&r, s->path);
	make_behind(&p, &r);
	nodes_times(p.nodes)->ack = 60;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	r.catch = link_deafen;
	for (i = 0; i < 4; i++) {
		r.trap = "HINCRBY";
		r.caught = NULL;
		feed_ms(&p, 30);
		RUN_UNTIL(r.caught != NULL);
		RUN_UNTIL(!ready(&p));
		RUN_UNTIL(ready(&p));
	}
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_IN_DOUBT) >= 4);
	assert_int_equal(C(&p, NODE_RESENT), 0);
	probe_free(&p);
	relay_end(&r);
}

/*
 * Servers that refuse
 */
static void
test_full(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	tell_server(s, "CONFIG SET maxmemory 100kb");
	RUN_UNTIL((feed(&p), C(&p, NODE_REFUSED) > 0));
	feed_ms(&p, 100);
	assert_int_equal(p.nodes->v[0].trouble, NODE_FULL);
	/* also for a new connection */
	tell_server(s, "CLIENT KILL TYPE normal");
	feed_ms(&p, 100);
	assert_int_equal(p.nodes->v[0].trouble, NODE_FULL);
	/* it is still there for others to see: EXPIRE passes */
	assert_int_equal(ask_number(s, "EXISTS probe.p1"), 1);
	tell_server(s, "CONFIG SET maxmemory 0");
	RUN_UNTIL(p.nodes->v[0].trouble == NODE_FINE);
	assert_all_well(&p, s);
	probe_free(&p);
}

static void
test_locked(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	char path[128];
	FILE *f;

	(void)state;
	server_start(s, "a", 0, NULL);
	tell_server(s, "CONFIG SET requirepass one");
	freeReplyObject(redisCommand(s->c, "AUTH one"));
	snprintf(path, sizeof(path), "%s/password", folder);
	f = fopen(path, "w");
	fputs("one\n", f);
	fclose(f);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", s->path);
	p.config.redis_password_file = path;
	probe_start(&p);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	tell_server(s, "CONFIG SET requirepass two");
	tell_server(s, "CLIENT KILL TYPE normal");
	RUN_UNTIL((feed(&p), p.nodes->v[0].trouble == NODE_RIGHTS));
	assert_non_null(strstr(p.nodes->v[0].error, "WRONGPASS"));
	feed_ms(&p, 300);
	assert_false(ready(&p));
	/* asked from time to time, not all the time */
	assert_in_range(C(&p, NODE_CONNECTS), 2, 8);
	tell_server(s, "CONFIG SET requirepass one");
	assert_all_well(&p, s);
	/* rights taken from a connection that stands */
	tell_server(s, "ACL SETUSER default -hincrby");
	RUN_UNTIL((feed(&p), p.nodes->v[0].trouble == NODE_RIGHTS));
	tell_server(s, "ACL SETUSER default +hincrby");
	assert_all_well(&p, s);
	assert_true(C(&p, NODE_REFUSED) >= 1);
	probe_free(&p);
}

static void
test_replica(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	tell_server(s, "REPLICAOF 127.0.0.1 1");
	RUN_UNTIL((feed(&p), p.nodes->v[0].trouble == NODE_REPLICA));
	tell_server(s, "CLIENT KILL TYPE normal");
	feed_ms(&p, 200);
	assert_int_equal(p.nodes->v[0].trouble, NODE_REPLICA);
	tell_server(s, "REPLICAOF NO ONE");
	RUN_UNTIL(ready(&p));
	assert_all_well(&p, s);
	probe_free(&p);
}

/* An older copy of the data comes back: nothing can bring back the sums, but what the probe
 * has is not added twice, and it goes on. */
static void
test_rolled_back(void **state)
{
	struct server *s = &servers[0];
	struct probe p;
	long long before, after;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	RUN_UNTIL(ready(&p));
	cloud_add(&p.cloud, 1, 10);
	RUN_UNTIL(idle(&p));
	tell_server(s, "SAVE");
	cloud_add(&p.cloud, 1, 20);
	RUN_UNTIL(idle(&p));
	server_kill(s);
	run_ms(20);
	cloud_add(&p.cloud, 1, 40);
	server_again(s);
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_int_equal(ask_number(s, "HGET k.1 n"), 50);
	assert_int_equal(p.nodes->v[0].rollbacks, 1);
	assert_true(p.cloud.rearmed_all >= 1);
	assert_int_equal(C(&p, NODE_CONFLICTS), 0);
	before = ask_number(s, "HGET k.1 n");
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(idle(&p));
	after = ask_number(s, "HGET k.1 n");
	assert_int_equal(after, before + 1);
	assert_int_equal(p.nodes->v[0].rollbacks, 1);
	probe_free(&p);
}

/*
 * Others
 */
static void
test_two_probes(void **state)
{
	struct server *s = &servers[0];
	struct probe p, q;
	struct probe *both[2] = {&p, &q};
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	start_probe(&q, "p2", s->path);
	for (i = 0; i < 30; i++) {
		feed_ms(&p, 5);
		feed_ms(&q, 5);
		if (i % 10 == 9)
			tell_server(s, "CLIENT KILL TYPE normal");
	}
	RUN_UNTIL(ready(&p) && ready(&q) && idle(&p) && idle(&q));
	assert_sums(both, 2, &s, 1);
	assert_int_equal(C(&p, NODE_CONFLICTS) + C(&q, NODE_CONFLICTS), 0);
	probe_free(&p);
	probe_free(&q);
}

/* Somebody writes under our name: we take another, and count once. */
static void
test_intruder(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	tell_server(s, "SET probe.p1.seq fedcba9876543210:3");
	RUN_UNTIL((feed(&p), C(&p, NODE_CONFLICTS) == 1));
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_string_equal(nodes_probe_id(p.nodes), "p1-2");
	assert_answer(s, "fedcba9876543210:3", "GET probe.p1.seq");
	assert_int_equal(ask_number(s, "HEXISTS probe.p1-2 beat"), 1);
	feed_ms(&p, 50);
	RUN_UNTIL(idle(&p));
	assert_exact(&p, s);
	assert_int_equal(C(&p, NODE_CONFLICTS), 1);
	/* spoken to under its new name */
	RUN_UNTIL(ask_number(s, "PUBLISH mcprobe.cmd.p1-2 x") == 1);
	assert_int_equal(ask_number(s, "PUBLISH mcprobe.cmd.p1 x"), 0);
	probe_free(&p);
}

/*
 * A batch was committed, its answer lost, and before we were back another probe wrote
 * over the number. It left ours where we find it.
 */
static void
test_intruder_in_doubt(void **state)
{
	struct server *s = &servers[0];
	struct relay r;
	struct probe p, q;
	struct probe *both[2] = {&p, &q};

	(void)state;
	server_start(s, "a", 0, NULL);
	relay_start(&r, s->path);
	make_behind(&p, &r);
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	RUN_UNTIL(idle(&p));
	r.trap = "HINCRBY";
	r.catch = link_deafen;
	cloud_add(&p.cloud, 5, 1000);
	RUN_UNTIL(r.caught != NULL);
	RUN_UNTIL(ask_number(s, "HGET k.5 n") == p.cloud.key[5].total);
	/* it stands still (its loop is not run), its heartbeat goes */
	p.nodes->v[0].due_ms = UINT64_MAX;
	node_conn_fail(&p.nodes->v[0].conn, "cut");
	node_command_close(&p.nodes->v[0]);
	p.nodes->v[0].due_ms = p.nodes->v[0].command.due_ms = UINT64_MAX;
	tell_server(s, "DEL probe.p1");
	start_probe(&q, "p1", s->path);
	RUN_UNTIL(ready(&q));
	assert_string_equal(nodes_probe_id(q.nodes), "p1");
	feed_ms(&q, 50);
	RUN_UNTIL(idle(&q));
	/* and goes on */
	p.nodes->v[0].due_ms = p.nodes->v[0].command.due_ms = 0;
	RUN_UNTIL(ready(&p) && idle(&p));
	feed_ms(&p, 50);
	RUN_UNTIL(idle(&p));
	assert_string_equal(nodes_probe_id(p.nodes), "p1-2");
	assert_int_equal(C(&p, NODE_IN_DOUBT), 1);
	assert_int_equal(C(&p, NODE_RESENT), 0);
	assert_int_equal(C(&p, NODE_CONFLICTS), 1);
	assert_sums(both, 2, &s, 1);
	probe_free(&p);
	probe_free(&q);
	relay_end(&r);
}

/* The name changes while another node has a batch in doubt under the old one. */
static void
test_intruder_elsewhere(void **state)
{
	struct server *both[2] = {&servers[0], &servers[1]};
	struct probe p;
	struct probe *one = &p;
	char number[64];

	(void)state;
	server_start(both[0], "a", 0, NULL);
	server_start(both[1], "b", 0, NULL);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s", both[0]->path);
	probe_node(&p, "unix:%s", both[1]->path);
	probe_make(&p);
	nodes_times(p.nodes)->ack = 100;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	kill(both[1]->pid, SIGSTOP);
	RUN_UNTIL((feed(&p), p.nodes->v[1].batch.state == NODE_BATCH_DOUBT));
	tell_server(both[0], "SET probe.p1.seq fedcba9876543210:3");
	RUN_UNTIL((feed(&p), strcmp(nodes_probe_id(p.nodes), "p1-2") == 0));
	feed_ms(&p, 50);
	assert_string_equal(p.nodes->v[0].id, "p1-2");
	assert_string_equal(p.nodes->v[1].id, "p1");
	kill(both[1]->pid, SIGCONT);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 50);
	RUN_UNTIL(ready(&p) && idle(&p));
	assert_string_equal(p.nodes->v[1].id, "p1-2");
	assert_sums(&one, 1, both, 2);
	snprintf(number, sizeof(number), "%s:%llu", p.nodes->instance,
	    (unsigned long long)p.nodes->v[1].acked);
	assert_answer(both[1], number, "GET probe.p1-2.seq");
	probe_free(&p);
}

/*
 * Servers that are none
 */
static const char *script; /* what is said to everything */

static const char *
say_script(void *arg, const char *command, size_t len)
{
	(void)arg;
	(void)command;
	(void)len;
	return script;
}

static void
test_nonsense(void **state)
{
	static const char *const lines[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"*2147483647\r\n",
		"$2147483646\r\nxxx",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
		":1\r\n:2\r\n:3\r\n",
		"*0\r\n",
		"*-1\r\n",
		"$0\r\n\r\n",
		"+\r\n",
		"-\r\n",
		"-ERR\r\n",
		"-DENIED Redis is running in protected mode\r\n",
		"-ERR max number of clients reached\r\n",
		"$17\r\nx\r\nrole:master\r\nx\r\n$-1\r\n",
		"\r\n",
		"%1\r\n+a\r\n+b\r\n",
	};
	struct actor a;
	struct probe p;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		script = lines[i];
		actor_start(&a, "actor", say_script, NULL);
		a.greeting = i % 2 ? lines[i] : NULL;
		/* the question at the start would wait for an answer from this process */
		probe_init(&p, "p1");
		probe_node(&p, "unix:%s/nobody", folder);
		probe_make(&p);
		p.nodes->v[0].target.path = a.path;
		nodes_times(p.nodes)->ack = nodes_times(p.nodes)->rights = 30;
		nodes_times(p.nodes)->retry_max = 20;
		nodes_start(p.nodes);
		cloud_add(&p.cloud, 1, 1);
		RUN_UNTIL(a.count >= 2 && p.nodes->v[0].error[0] != '\0');
		assert_int_equal(C(&p, NODE_BATCHES), 0);
		nodes_end(p.nodes);
		assert_int_equal(C(&p, NODE_KEYS_LEFT), 1);
		probe_free(&p);
		actor_end(&a);
	}
}

/*
 * A server of which only the answers to a batch are out of order: PHASE says what is
 * wrong.
 */
struct play {
	unsigned queued, phase;
	char number[64]; /* as it was set */
	char next[64];
	bool in_multi, batch;
	bool intrude; /* between the next EXEC and its WATCH */
	unsigned committed;
};

static bool
says(const char *command, size_t len, const char *word)
{
	return memmem(command, len < 40 ? len : 40, word, strlen(word)) != NULL;
}

/* The last word of COMMAND. */
static void
last_word(const char *command, size_t len, char *to, size_t size)
{
	const char *p = command + len - 2;

	while (p > command && p[-1] != '\n')
		p--;
	snprintf(to, size, "%.*s", (int)(command + len - 2 - p), p);
}

static const char *
end_of_transaction(struct play *s)
{
	static char text[256];
	size_t len;
	unsigned i;

	s->in_multi = false;
	if (s->batch) {
		switch (s->phase++) {
		case 0:
			return "-EXECABORT Transaction discarded because of: BUSY\r\n";
		case 1: /* as old servers do it */
			s->in_multi = true;
			return "-OOM command not allowed\r\n";
		case 2:
			return "*-1\r\n";
		case 3: /* executed; they say something strange all the same */
			snprintf(s->number, sizeof(s->number), "%s", s->next);
			s->committed++;
			return "-ERR internal\r\n";
		}
		s->committed++;
	}
	if (s->next[0] != '\0')
		snprintf(s->number, sizeof(s->number), "%s", s->next);
	len = (size_t)snprintf(text, sizeof(text), "*%u\r\n", s->queued);
	for (i = 0; i < s->queued; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ":1\r\n");
	return text;
}

static const char *
play(void *arg, const char *command, size_t len)
{
	static char text[256];
	struct play *s = arg;

	if (says(command, len, "\r\nEXEC\r\n"))
		return end_of_transaction(s);
	if (says(command, len, "\r\nDISCARD\r\n"))
		s->in_multi = false;
	if (s->in_multi && says(command, len, "WATCH\r\n"))
		return "-ERR WATCH inside MULTI is not allowed\r\n";
	if (s->in_multi) {
		s->queued++;
		if (says(command, len, "\r\nHINCRBY\r\n"))
			s->batch = true;
		/* but not what is kept of another's number */
		if (says(command, len, "*3\r\n$3\r\nSET\r\n"))
			last_word(command, len, s->next, sizeof(s->next));
		return "+QUEUED\r\n";
	}
	if (says(command, len, "\r\nMULTI\r\n")) {
		s->in_multi = true;
		s->queued = 0;
		s->batch = false;
		s->next[0] = '\0';
		return "+OK\r\n";
	}
	if (says(command, len, "\r\nWATCH\r\n") && s->intrude && s->phase > 0) {
		snprintf(s->number, sizeof(s->number), "0123456789abcdef:1");
		s->intrude = false;
	}
	if (says(command, len, "\r\nINFO\r\n"))
		return "$23\r\nrun_id:abc\r\nrole:master\r\n";
	if (says(command, len, "\r\nHMGET\r\n"))
		return "*2\r\n$-1\r\n$-1\r\n";
	snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(s->number), s->number);
	if (says(command, len, "\r\nGET\r\n"))
		return text;
	if (says(command, len, "\r\nMGET\r\n")) {
		snprintf(text, sizeof(text), "*2\r\n$%zu\r\n%s\r\n$-1\r\n",
		    strlen(s->number), s->number);
		return text;
	}
	return "+OK\r\n";
}

static void
test_answers_of_exec(void **state)
{
	struct play s = {.phase = 0};
	struct actor a;
	struct probe p;

	(void)state;
	actor_start(&a, "actor", play, &s);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s/nobody", folder);
	probe_make(&p);
	p.nodes->v[0].target.path = a.path;
	nodes_start(p.nodes);
	RUN_UNTIL(p.nodes->v[0].state == NODE_READY);
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(idle(&p));
	/* refused, refused, prevented; the fourth time it was committed and seen to be */
	assert_int_equal(s.phase, 4);
	assert_int_equal(s.committed, 1);
	assert_int_equal(C(&p, NODE_BATCHES), 1);
	assert_int_equal(C(&p, NODE_REFUSED), 3);
	cloud_add(&p.cloud, 2, 1);
	RUN_UNTIL(idle(&p));
	assert_int_equal(s.committed, 2);
	assert_int_equal(C(&p, NODE_BATCHES), 2);
	probe_free(&p);
	actor_end(&a);
}

/* Somebody writes the number behind a transaction, before it is watched again. */
static void
test_gap(void **state)
{
	struct play s = {.phase = 4};
	struct actor a;
	struct probe p;

	(void)state;
	actor_start(&a, "actor", play, &s);
	probe_init(&p, "p1");
	probe_node(&p, "unix:%s/nobody", folder);
	probe_make(&p);
	p.nodes->v[0].target.path = a.path;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	s.intrude = true;
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(idle(&p));
	RUN_UNTIL(C(&p, NODE_CONFLICTS) == 1 && ready(&p));
	assert_string_equal(nodes_probe_id(p.nodes), "p1-2");
	assert_int_equal(s.committed, 1);
	probe_free(&p);
	actor_end(&a);
}

/* Requests pour in while the write channel gets no answer. */
static void
test_flood(void **state)
{
	struct server *s = &servers[0];
	struct relay r;
	struct probe p;
	unsigned i;

	(void)state;
	server_start(s, "a", 0, NULL);
	relay_start(&r, s->path);
	make_behind(&p, &r);
	nodes_start(p.nodes);
	RUN_UNTIL(ask_number(s, "PUBLISH mcprobe.cmd.p1 x") == 1 &&
	    C(&p, NODE_EVENTS) > 0);
	nodes_times(p.nodes)->look = 0;
	nodes_times(p.nodes)->ack = 300;
	r.trap = "HINCRBY";
	r.catch = link_deafen;
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(r.caught != NULL);
	for (i = 0; ready(&p); i++) {
		ask_number(s, "PUBLISH mcprobe.cmd.p1 %s", i % 2 ? "BEAT" : "x");
		event_base_loop(base, EVLOOP_ONCE);
	}
	assert_true(i > NODE_WANTS);
	assert_true(C(&p, NODE_EVENTS_LOST) > 0);
	assert_all_well(&p, s);
	probe_free(&p);
	relay_end(&r);
}

/*
 * Sentinels
 */
struct sentinel {
	const char *answer; /* NULL: silence */
	char text[64];
};

static const char *
sentinel_answer(void *arg, const char *command, size_t len)
{
	struct sentinel *s = arg;

	assert_true(says(command, len, "SENTINEL"));
	return s->answer;
}

static void
point_to(struct sentinel *s, int port)
{
	char digits[8];

	snprintf(digits, sizeof(digits), "%d", port);
	snprintf(s->text, sizeof(s->text), "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n",
	    strlen(digits), digits);
	s->answer = s->text;
}

/* Three that do not know, or say nothing, or are not there, and one that knows; then the
 * master changes. */
static void
test_sentinels(void **state)
{
	struct server *old = &servers[0], *new = &servers[1];
	struct sentinel s[3] = {{"*-1\r\n", ""}, {NULL, ""}, {NULL, ""}};
	struct redis_address list[4];
	struct actor a[3];
	struct probe p;
	unsigned i;

	(void)state;
	server_start(old, "a", free_port(), "--repl-diskless-sync-delay", "0", NULL);
	server_start(new, "b", free_port(), "--repl-diskless-sync-delay", "0", NULL);
	tell_server(new, "REPLICAOF 127.0.0.1 %d", old->port);
	memset(list, 0, sizeof(list));
	for (i = 0; i < 3; i++) {
		actor_start(&a[i], (char[]){(char)('x' + i), '\0'}, sentinel_answer,
		    &s[i]);
		list[i].path = list[i].text = a[i].path;
	}
	list[3] = list[2];
	list[2].path = list[2].text = (char *)"/nonexistent/socket";
	point_to(&s[2], old->port);
	probe_init(&p, "p1");
	p.config.sentinel_master = (char *)"cloud";
	p.config.sentinels.v = list;
	p.config.sentinels.n = 4;
	probe_make(&p);
	nodes_times(p.nodes)->ack = 100;
	nodes_start(p.nodes);
	RUN_UNTIL(ready(&p));
	assert_memory_equal(p.nodes->v[0].text, "cloud@", 6);
	feed_ms(&p, 50);
	RUN_UNTIL(idle(&p));
	RUN_UNTIL(ask_number(new, "HGET k.7 n") == ask_number(old, "HGET k.7 n") &&
	    ask_number(new, "EXISTS probe.p1.seq") == 1);
	assert_exact(&p, old);
	RUN_UNTIL(ask_number(new, "EXISTS k.299") == ask_number(old, "EXISTS k.299"));

	/* the sentinels are late: they name one that is a replica now */
	tell_server(new, "REPLICAOF NO ONE");
	tell_server(old, "REPLICAOF 127.0.0.1 %d", new->port);
	RUN_UNTIL((feed(&p), p.nodes->v[0].trouble == NODE_REPLICA));
	point_to(&s[2], new->port);
	RUN_UNTIL(ready(&p) && p.nodes->v[0].target.port == new->port);
	feed_ms(&p, 30);
	RUN_UNTIL(idle(&p));
	assert_exact(&p, new);
	RUN_UNTIL(ask_number(new, "PUBLISH mcprobe.cmd.p1 x") == 1);
	probe_free(&p);
	for (i = 0; i < 3; i++)
		actor_end(&a[i]);
}

/* A real one. */
static void
test_real_sentinel(void **state)
{
	struct server *s = &servers[0], *w = &servers[1];
	struct redis_address address = {.text = (char *)"sentinel"};
	struct probe p;
	char conf[128];
	FILE *f;

	(void)state;
	server_start(s, "a", free_port(), NULL);
	memset(w, 0, sizeof(*w));
	w->port = free_port();
	snprintf(w->name, sizeof(w->name), "w");
	snprintf(w->path, sizeof(w->path), "%s/w.sock", folder);
	snprintf(conf, sizeof(conf), "%s/sentinel.conf", folder);
	f = fopen(conf, "w");
	fprintf(f, "port %d\nbind 127.0.0.1\nunixsocket %s\ndir %s\n"
		   "sentinel monitor cloud 127.0.0.1 %d 1\n",
	    w->port, w->path, folder, s->port);
	fclose(f);
	w->argv[0] = "redis-server";
	w->argv[1] = conf;
	w->argv[2] = "--sentinel";
	server_exec(w);
	server_wait(w);
	address.host = (char *)"127.0.0.1";
	address.port = w->port;
	probe_init(&p, "p1");
	p.config.sentinel_master = (char *)"cloud";
	p.config.sentinels.v = &address;
	p.config.sentinels.n = 1;
	probe_start(&p);
	RUN_UNTIL(ready(&p));
	feed_ms(&p, 30);
	assert_all_well(&p, s);
	assert_int_equal(p.nodes->v[0].target.port, s->port);
	probe_free(&p);

	/* a master it has never heard of */
	probe_init(&p, "p1");
	p.config.sentinel_master = (char *)"other";
	p.config.sentinels.v = &address;
	p.config.sentinels.n = 1;
	probe_start(&p);
	RUN_UNTIL(strstr(p.nodes->v[0].error, "does not know") != NULL);
	probe_free(&p);
}

/*
 * The end
 */
static void
test_end_without_node(void **state)
{
	struct server *s = &servers[0];
	struct probe p;

	(void)state;
	server_start(s, "a", 0, NULL);
	start_probe(&p, "p1", s->path);
	RUN_UNTIL(ready(&p));
	kill(s->pid, SIGSTOP);
	cloud_add(&p.cloud, 1, 1);
	RUN_UNTIL(p.nodes->v[0].batch.state == NODE_BATCH_SENT);
	cloud_add(&p.cloud, 2, 1);
	cloud_add(&p.cloud, 3, 1);
	nodes_publish(p.nodes, "e", 1, "x", 1);
	nodes_drain(p.nodes);
	run_ms(50);
	assert_false(nodes_settled(p.nodes));
	nodes_end(p.nodes);
	assert_int_equal(C(&p, NODE_BATCHES_LEFT), 1);
	assert_int_equal(C(&p, NODE_KEYS_LEFT), 2);
	assert_int_equal(C(&p, NODE_EVENTS_LOST), 1);
	nodes_end(p.nodes);
	assert_int_equal(C(&p, NODE_KEYS_LEFT), 2);
	probe_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
		TEST(test_killed),
		TEST(test_hung_up),
		TEST(test_stopped),
		TEST(test_late_batch),
		TEST(test_batch_in_between),
		TEST(test_answer_lost),
		TEST(test_full),
		TEST(test_locked),
		TEST(test_replica),
		TEST(test_rolled_back),
		TEST(test_two_probes),
		TEST(test_intruder),
		TEST(test_intruder_in_doubt),
		TEST(test_intruder_elsewhere),
		TEST(test_nonsense),
		TEST(test_answers_of_exec),
		TEST(test_gap),
		TEST(test_flood),
		TEST(test_sentinels),
		TEST(test_real_sentinel),
		TEST(test_end_without_node),
#undef TEST
	};

	log_open(false, LOG_LEVEL_ERROR);
	if (!rig_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
