/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_supervise.c -- the supervisor with children that do as the test says: which end is
 * answered by a new child and which is passed on, how long it waits, what signals do, and
 * who is taken for hanging. Each test is a process of its own, as supervise() wants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "heart.h"
#include "supervise.h"

#define LOOK_MS 20
#define CHILDREN 16

enum act {
	EXIT,	    /* status N, before it is ready */
	READY_EXIT, /* the same, after */
	CRASH,	    /* by signal N, before it is ready */
	READY_CRASH,
	WAIT,	 /* ready, gets on, until SIGTERM: exits N */
	SPIN,	 /* ready, one thread gets on, another does not */
	REST,	 /* ready, control never begins */
	DEAF,	 /* ready, gets on, whatever SIGTERM says */
	EXCUSED, /* ready, control does not get on but may wait; then exits N */
};

struct step {
	enum act act;
	int n;
};

/* What the children tell: shared. */
struct told {
	volatile unsigned born, ready;
	volatile pid_t supervisor, child;
	volatile unsigned hups, usr1s;
	uint64_t born_ms[CHILDREN];
};

static struct told *told;
static volatile sig_atomic_t stopped;

static uint64_t
now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

static void
nap(unsigned ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static void
on_signal(int sig)
{
	if (sig == SIGTERM)
		stopped = 1;
	else if (sig == SIGHUP)
		told->hups++;
	else
		told->usr1s++;
}

static void
on_ready(void *arg)
{
	(void)arg;
	told->ready++;
}

static void
crash(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
	_exit(99);
}

static void __attribute__((noreturn))
child(struct heart *h, const struct step *s)
{
	unsigned i;

	alarm(60); /* nothing outlives the test */
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	signal(SIGUSR1, on_signal);
	if (s->act == EXIT)
		_exit(s->n);
	if (s->act == CRASH)
		crash(s->n);
	if (s->act == EXCUSED)
		h->excused = true;
	if (s->act != REST)
		heart_beat(h, HEART_CONTROL);
	heart_ready(h);
	if (s->act == READY_EXIT || s->act == READY_CRASH) {
		nap(50); /* seen to be ready */
		if (s->act == READY_EXIT)
			_exit(s->n);
		crash(s->n);
	}
	if (s->act == SPIN)
		heart_beat(h, HEART_WORKER + 3);
	for (i = 0; s->act == DEAF || !stopped; i++) {
		if (s->act == EXCUSED && i == 60)
			break;
		if (s->act != REST && s->act != EXCUSED)
			heart_beat(h, HEART_CONTROL);
		nap(10);
	}
	_exit(s->n);
}

/* Run the supervisor over children that do STEP[0], STEP[1], ... The process, in which
 * nothing of cmocka's is touched. Its standard error goes to FD. */
static pid_t
begin(const struct step *step, int fd)
{
	static const struct config config = {.live = true};
	struct supervise_setup s = {&config, on_ready, NULL, LOOK_MS};
	struct rlimit no_core = {0, 0};
	struct heart *heart;
	unsigned again;
	int status;
	pid_t pid;

	memset(told, 0, sizeof(*told));
	pid = fork();
	if (pid != 0)
		return pid;
	setrlimit(RLIMIT_CORE, &no_core);
	dup2(fd, STDERR_FILENO);
	alarm(60);
	told->supervisor = getpid();
	switch (supervise(&s, &heart, &again, &status)) {
	case SUPERVISE_CHILD:
		told->child = getpid();
		if (again < CHILDREN)
			told->born_ms[again] = now_ms();
		told->born++;
		child(heart, &step[again]);
	case SUPERVISE_OVER:
		_exit(status);
	case SUPERVISE_FAILED:
		break;
	}
	_exit(98);
}

/* The exit status of the supervisor at its end. SAID: what it logged. */
static int
end(pid_t pid, int fd, char *said, size_t size)
{
	int status;
	ssize_t n;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	n = pread(fd, said, size - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
log_file(void)
{
	char path[] = "/tmp/t_supervise.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static int
run(const struct step *step, char *said, size_t size)
{
	int fd = log_file(), status = end(begin(step, fd), fd, said, size);

	close(fd);
	return status;
}

static void
until(const volatile unsigned *what, unsigned value)
{
	uint64_t limit = now_ms() + 20000;

	while (*what < value) {
		assert_true(now_ms() < limit);
		nap(5);
	}
}

static void
test_own_ends(void **state)
{
	static const struct step own[] = {{EXIT, 0}, {EXIT, 1}, {EXIT, 2}, {READY_EXIT, 0},
		{READY_EXIT, 1}, {READY_EXIT, 7}};
	char said[2048];
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		assert_int_equal(run(&own[i], said, sizeof(said)), own[i].n);
		assert_int_equal(told->born, 1);
		assert_int_equal(told->ready, own[i].act == READY_EXIT);
		assert_string_equal(said, "");
	}
}

static void
test_crashes(void **state)
{
	static const struct step steps[] = {{READY_CRASH, SIGSEGV}, {CRASH, SIGBUS},
		{READY_CRASH, SIGKILL}, {READY_EXIT, 0}};
	char said[2048];
	uint64_t start = now_ms();

	(void)state;
	assert_int_equal(run(steps, said, sizeof(said)), 0);
	assert_int_equal(told->born, 4);
	assert_int_equal(told->ready, 1);
	assert_true(now_ms() - start < 3000); /* all three at once */
	assert_non_null(strstr(said, "crashed: signal 11 (Segmentation fault"));
	assert_non_null(strstr(said, "; the flows in its table are lost; starting it again\n"));
	assert_non_null(strstr(said, "crashed: signal 7 (Bus error"));
	assert_non_null(strstr(said, "crashed: signal 9 (Killed) after 0."));
}

/* Not again and again without a pause. */
static void
test_back_off(void **state)
{
	static const struct step steps[] = {{READY_CRASH, SIGSEGV}, {CRASH, SIGSEGV},
		{CRASH, SIGSEGV}, {CRASH, SIGSEGV}, {CRASH, SIGSEGV}, {EXIT, 2}};
	char said[2048];

	(void)state;
	assert_int_equal(run(steps, said, sizeof(said)), 2);
	assert_int_equal(told->born, 6);
	assert_true(told->born_ms[3] - told->born_ms[0] < 900);
	assert_in_range(told->born_ms[4] - told->born_ms[3], 1000, 1900);
	assert_in_range(told->born_ms[5] - told->born_ms[4], 2000, 2900);
	assert_non_null(strstr(said, "starting it again in 1 s\n"));
	assert_non_null(strstr(said, "starting it again in 2 s\n"));
}

/* What fails at the first start is wrong; later it may pass, as an interface may come. */
static void
test_cannot_start_again(void **state)
{
	static const struct step steps[] = {
		{READY_CRASH, SIGSEGV}, {EXIT, 1}, {EXIT, 1}, {READY_EXIT, 0}};
	static const struct step usage[] = {{READY_CRASH, SIGSEGV}, {EXIT, 2}};
	char said[2048];

	(void)state;
	assert_int_equal(run(steps, said, sizeof(said)), 0);
	assert_int_equal(told->born, 4);
	assert_non_null(strstr(said, "could not start after 0."));
	assert_int_equal(run(usage, said, sizeof(said)), 2);
	assert_int_equal(told->born, 2);
}

static void
hangs(const struct step *steps, const char *who)
{
	char said[2048];

	assert_int_equal(run(steps, said, sizeof(said)), 5);
	assert_int_equal(told->born, 2);
	assert_non_null(strstr(said, who));
	assert_non_null(strstr(said, "was ended by signal 6"));
}

static void
test_hangs(void **state)
{
	static const struct step spin[] = {{SPIN, 0}, {READY_EXIT, 5}};
	static const struct step rest[] = {{REST, 0}, {READY_EXIT, 5}};
	static const struct step excused[] = {{EXCUSED, 4}};
	char said[2048];

	(void)state;
	hangs(spin, "hangs: worker 3 has not got on");
	hangs(rest, "hangs: control has not got on");
	assert_int_equal(run(excused, said, sizeof(said)), 4);
	assert_string_equal(said, "");
}

/* One that is stopped, as by a debugger, does not hang; nor does one whose supervisor was. */
static void
test_stopped(void **state)
{
	static const struct step steps[] = {{WAIT, 3}};
	char said[2048];
	int fd = log_file();
	pid_t pid = begin(steps, fd);

	(void)state;
	until(&told->ready, 1);
	kill(told->child, SIGSTOP);
	nap(30 * LOOK_MS);
	kill(told->child, SIGCONT);
	nap(5 * LOOK_MS);
	kill(pid, SIGSTOP);
	nap(30 * LOOK_MS);
	kill(pid, SIGCONT);
	nap(5 * LOOK_MS);
	kill(pid, SIGTERM);
	assert_int_equal(end(pid, fd, said, sizeof(said)), 3);
	assert_int_equal(told->born, 1);
	assert_string_equal(said, "");
	close(fd);
}

static void
test_signals(void **state)
{
	static const struct step steps[] = {{WAIT, 6}}, deaf[] = {{DEAF, 0}};
	char said[2048];
	int fd = log_file();
	pid_t pid = begin(steps, fd);
	uint64_t start;

	(void)state;
	until(&told->ready, 1);
	kill(pid, SIGHUP);
	until(&told->hups, 1);
	kill(pid, SIGUSR1);
	until(&told->usr1s, 1);
	kill(pid, SIGTERM);
	assert_int_equal(end(pid, fd, said, sizeof(said)), 6);
	assert_string_equal(said, "");
	pid = begin(deaf, fd);
	until(&told->ready, 1);
	kill(pid, SIGTERM);
	nap(100);
	assert_int_equal(kill(told->child, 0), 0);
	start = now_ms();
	kill(pid, SIGTERM);
	assert_int_equal(end(pid, fd, said, sizeof(said)), 1);
	assert_true(now_ms() - start < 4000);
	assert_int_equal(told->born, 1);
	assert_non_null(strstr(said, "signal 9 (Killed)"));
	assert_non_null(strstr(said, "the end, as it was to stop"));
	close(fd);
}

/* While it waits to start another. */
static void
test_stop_between(void **state)
{
	static const struct step steps[] = {{READY_CRASH, SIGSEGV}, {CRASH, SIGSEGV},
		{CRASH, SIGSEGV}, {CRASH, SIGSEGV}, {WAIT, 0}};
	char said[2048];
	int fd = log_file();
	pid_t pid = begin(steps, fd);

	(void)state;
	until(&told->born, 4);
	nap(200);
	kill(pid, SIGTERM);
	assert_int_equal(end(pid, fd, said, sizeof(said)), 1);
	assert_int_equal(told->born, 4);
	close(fd);
}

static int
setup(void **state)
{
	(void)state;
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	return told == MAP_FAILED ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_ends),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_cannot_start_again),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_stop_between),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
