/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * supervise.c -- one process, one child, one loop around sigtimedwait().
 *
 * Signals that stop the probe are passed on one for one, so that a second one ends it at
 * once; a child that does not go then is killed. The child counts the supervisor's
 * signals only: a terminal or a service manager may send to both, and that must not
 * look like two.
 */
#include "supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "heart.h"
#include "log.h"

#define START_MS    20	 /* between looks at a child that starts, */
#define LOOK_MS	    1000 /* and at one that runs: supervise_setup.look_ms */
#define HANG_LOOKS  10
#define KILL_MS	    1000 /* after a second stop signal, or SIGABRT */
#define AT_ONCE	    3	 /* restarts without a wait */
#define WAIT_MAX_S  30
#define STEADY_MS   60000 /* who lives so long was a good one */

struct supervisor {
	const struct supervise_setup *s;
	struct heart *heart;
	struct heart_looks looks;
	sigset_t mask, old;
	pid_t child; /* 0: none */
	uint64_t born_ms, look_ms;
	unsigned every_ms;
	uint64_t kill_ms; /* when the child is killed; 0: it is not */
	unsigned stops;	  /* signals to stop so far */
	unsigned again;	  /* children after the first */
	unsigned bad;	  /* of them in a row, crashed soon */
	bool was_ready;	  /* some child was */
	bool hung;	  /* this one is being killed for that */
};

static uint64_t
now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

static bool
is_ready(const struct supervisor *v)
{
	return __atomic_load_n(&v->heart->ready, __ATOMIC_ACQUIRE);
}

/* Would writing to PATH wait for who reads it? */
static bool
may_block(const char *path)
{
	struct stat st;
	int rc;

	if (path == NULL)
		return false;
	rc = strcmp(path, "-") == 0 ? fstat(STDOUT_FILENO, &st) : stat(path, &st);
	return rc == 0 && !S_ISREG(st.st_mode);
}

/*
 * The child
 */

/* In the child: 0. */
static pid_t
bear(struct supervisor *v)
{
	const struct config *c = v->s->config;
	pid_t pid;

	heart_reset(v->heart);
	v->heart->excused =
	    may_block(c->json) || may_block(c->ipfix_file) || may_block(c->events);
	memset(&v->looks, 0, sizeof(v->looks));
	v->hung = false;
	v->kill_ms = 0;
	v->born_ms = v->look_ms = now_ms();
	fflush(NULL); /* or both would write it */
	pid = fork();
	if (pid == 0)
		sigprocmask(SIG_SETMASK, &v->old, NULL);
	else if (pid < 0)
		log_error("supervisor: cannot start the probe: %s", strerror(errno));
	else
		v->child = pid;
	return pid;
}

void
supervise_follow(const struct heart *h)
{
	if (h == NULL)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != h->supervisor)
		raise(SIGTERM); /* it went before that was said */
}

/* T: stopped by a signal, t: by a debugger. */
static bool
is_stopped(pid_t pid)
{
	char path[64], text[256] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	p = fgets(text, sizeof(text), f);
	fclose(f);
	p = p != NULL ? strrchr(text, ')') : NULL;
	return p != NULL && (p[2] == 'T' || p[2] == 't');
}

/* Does it get on? */
static void
watch(struct supervisor *v)
{
	char name[32];
	int who;

	who = heart_look(v->heart, &v->looks, HANG_LOOKS);
	if (who < 0)
		return;
	if (is_stopped(v->child)) {
		memset(&v->looks, 0, sizeof(v->looks));
		return;
	}
	log_error("supervisor: the probe (process %ld) hangs: %s has not got on for %d s",
	    (long)v->child, heart_name((unsigned)who, name, sizeof(name)), HANG_LOOKS);
	v->hung = true;
	kill(v->child, SIGABRT); /* leaves a core, where those are wanted */
	v->kill_ms = now_ms() + KILL_MS;
}

/* What is due by the clock. */
static void
tick(struct supervisor *v)
{
	uint64_t now = now_ms();

	if (!v->was_ready && is_ready(v)) {
		v->was_ready = true;
		v->s->ready(v->s->arg);
	}
	if (v->kill_ms != 0 && now >= v->kill_ms) {
		kill(v->child, SIGKILL);
		v->kill_ms = now + KILL_MS;
	}
	if (now >= v->look_ms + v->every_ms) {
		v->look_ms = now;
		if (!v->hung)
			watch(v);
	}
}

/*
 * Its end
 */
static unsigned
pause_s(const struct supervisor *v)
{
	unsigned n = v->bad - AT_ONCE - 1;

	if (v->bad <= AT_ONCE)
		return 0;
	return n < 5 && 1U << n < WAIT_MAX_S ? 1U << n : WAIT_MAX_S;
}

static void
tell_crash(const struct supervisor *v, int status, bool over)
{
	double ran = (double)(now_ms() - v->born_ms) / 1000;
	char next[64] = "the end, as it was to stop";
	char how[96];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "%s signal %d (%s%s)",
		    v->hung ? "was ended by" : "crashed:", WTERMSIG(status),
		    strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(how, sizeof(how), "could not start");
	if (!over && pause_s(v) == 0)
		snprintf(next, sizeof(next), "starting it again");
	else if (!over)
		snprintf(next, sizeof(next), "starting it again in %u s", pause_s(v));
	log_error("supervisor: the probe (process %ld) %s after %.1f s%s; %s",
	    (long)v->child, how, ran,
	    is_ready(v) ? "; the flows in its table are lost" : "", next);
}

/* The child has ended with wait STATUS. True: another is to be made. */
static bool
ended(struct supervisor *v, int status, int *exit_status)
{
	bool crashed = WIFSIGNALED(status), over = v->stops > 0;

	/* at its first start, trouble is the user's to hear of; later it may pass */
	if (!crashed && !(WEXITSTATUS(status) == 1 && v->was_ready && !is_ready(v))) {
		*exit_status = WEXITSTATUS(status);
		return false;
	}
	*exit_status = 1;
	if (now_ms() - v->born_ms >= STEADY_MS)
		v->bad = 0;
	v->bad++;
	tell_crash(v, status, over);
	return !over;
}

/*
 * Signals
 */
static void
on_signal(struct supervisor *v, int sig)
{
	if (sig == SIGHUP || sig == SIGUSR1) {
		if (sig == SIGHUP)
			log_reopen();
		/* before that they would end it, and there is nothing to open again */
		if (v->child != 0 && is_ready(v))
			kill(v->child, sig);
		return;
	}
	if (v->child != 0)
		kill(v->child, sig);
	if (++v->stops > 1)
		v->kill_ms = now_ms() + KILL_MS;
}

/* Wait for a signal, at most until UNTIL_MS. */
static void
wait_signal(struct supervisor *v, uint64_t until_ms)
{
	uint64_t now = now_ms(), ms = until_ms > now ? until_ms - now : 0;
	struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	int sig = sigtimedwait(&v->mask, NULL, &ts);

	if (sig > 0 && sig != SIGCHLD)
		on_signal(v, sig);
}

/* Until the child has ended. Its wait status, or -1. */
static int
attend(struct supervisor *v)
{
	uint64_t until;
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(v->child, &status, WNOHANG);
		if (pid == v->child)
			return status;
		if (pid < 0 && errno != EINTR)
			return -1;
		tick(v);
		until = now_ms() + (is_ready(v) ? v->every_ms : START_MS);
		if (v->kill_ms != 0 && v->kill_ms < until)
			until = v->kill_ms;
		wait_signal(v, until);
	}
}

/* Before the next child. */
static void
back_off(struct supervisor *v)
{
	uint64_t end = now_ms() + 1000ULL * pause_s(v);

	while (v->stops == 0 && now_ms() < end)
		wait_signal(v, end);
}

static void
hold_signals(struct supervisor *v)
{
	static const int signals[] = {
		SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD};
	unsigned i;

	sigemptyset(&v->mask);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&v->mask, signals[i]);
	sigprocmask(SIG_BLOCK, &v->mask, &v->old);
}

enum supervise_role
supervise(const struct supervise_setup *s, struct heart **heart, unsigned *again,
    int *status)
{
	struct supervisor v = {.s = s,
		.every_ms = s->look_ms != 0 ? s->look_ms : LOOK_MS};
	pid_t pid;
	int end;

	*heart = v.heart = heart_new();
	*status = 1;
	if (v.heart == NULL)
		return SUPERVISE_FAILED;
	signal(SIGPIPE, SIG_IGN); /* of who reads our log; the child sets it too */
	signal(SIGXFSZ, SIG_IGN); /* a log at its limit */
	hold_signals(&v);
	do {
		*again = v.again++;
		pid = bear(&v);
		if (pid == 0)
			return SUPERVISE_CHILD;
		if (pid < 0) { /* no memory now may be memory later */
			if (!v.was_ready)
				return SUPERVISE_FAILED;
			v.bad++;
			back_off(&v);
			continue;
		}
		end = attend(&v);
		if (end < 0 || !ended(&v, end, status))
			break;
		v.child = 0;
		back_off(&v);
	} while (v.stops == 0);
	return SUPERVISE_OVER;
}
