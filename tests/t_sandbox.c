/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t_sandbox.c -- what the sandbox lets pass and what ends the process. Each test is a
 * child: the filter cannot be taken off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "sandbox.h"

enum {
	DONE = 40, /* WHAT returned 0 */
	FAILED,
	NO_SANDBOX,
};

static const struct sandbox_options file = {false, false}, live = {true, false},
    explain = {false, true};

static bool
built(void)
{
	struct sandbox_options none = {false, false};
	char err[128];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(sandbox_enter(&none, err, sizeof(err)) == SANDBOX_NOT_BUILT);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Call WHAT under the filter; the wait status of the child. SAID: its standard error. */
static int
under(const struct sandbox_options *o, int (*what)(void), char *said, size_t size)
{
	int fd[2], status;
	char err[128];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (sandbox_enter(o, err, sizeof(err)) != SANDBOX_ON)
			_exit(NO_SANDBOX);
		_exit(what() == 0 ? DONE : FAILED);
	}
	close(fd[1]);
	n = read(fd[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
passes(const struct sandbox_options *o, int (*what)(void))
{
	char said[256];
	int status = under(o, what, said, sizeof(said));

	if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
		print_message("status %x: %s\n", (unsigned)status, said);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), DONE);
}

static void
ends(const struct sandbox_options *o, int (*what)(void))
{
	char said[256];
	int status = under(o, what, said, sizeof(said));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_string_equal(said, "");
}

/*
 * What is allowed
 */
static void *
thread_main(void *arg)
{
	pthread_setname_np(pthread_self(), "late");
	return arg;
}

static int
make_thread(void)
{
	pthread_t t;
	void *result = NULL;
	int mark;

	if (pthread_create(&t, NULL, thread_main, &mark) != 0)
		return -1;
	return pthread_join(t, &result) == 0 && result == &mark ? 0 : -1;
}

static int
resolve(void)
{
	struct addrinfo *list = NULL;
	int rc = getaddrinfo("localhost", "80", NULL, &list);

	if (rc == 0)
		freeaddrinfo(list);
	/* nobody may know the name; not to be ended is what counts */
	getaddrinfo("no-such-host.invalid", "80", NULL, &list);
	return rc;
}

static int
use_files(void)
{
	char dir[] = "/tmp/t_sandbox.XXXXXX", path[64], other[64], text[8] = "";
	time_t now = time(NULL);
	struct tm tm;
	FILE *f;

	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(other, sizeof(other), "%s/b", dir);
	f = fopen(path, "w");
	if (f == NULL || fputs("hello", f) < 0 || fclose(f) != 0 || rename(path, other) != 0)
		return -1;
	f = fopen(other, "r");
	if (f == NULL || fgets(text, sizeof(text), f) == NULL || fclose(f) != 0)
		return -1;
	localtime_r(&now, &tm);
	unlink(other);
	if (strcmp(text, "hello") != 0 || open("/sys/class/net", O_RDONLY | O_DIRECTORY) < 0)
		return -1;
	return unlinkat(AT_FDCWD, dir, AT_REMOVEDIR);
}

static int
write_syslog(void)
{
	openlog("t_sandbox", LOG_PID, LOG_DAEMON);
	syslog(LOG_DEBUG, "hello");
	closelog();
	openlog("t_sandbox", LOG_PID, LOG_DAEMON);
	syslog(LOG_DEBUG, "hello again");
	return 0;
}

static int
use_sockets(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 || listen(fd, 1) != 0)
		return -1;
	return ioctl(fd, FIONREAD, &n) == 0 || errno == EINVAL ? 0 : -1;
}

static int
use_memory(void)
{
	size_t size = 64 << 20;
	char *p = malloc(size);

	if (p == NULL)
		return -1;
	memset(p, 1, size);
	p = realloc(p, 2 * size);
	if (p == NULL)
		return -1;
	free(p);
	return 0;
}

static int
no_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED || errno != EACCES)
		return -1;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == -1 &&
		errno == EACCES
	    ? 0
	    : -1;
}

static int
read_limits(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r);
}

/* Fails without rights, but is not the end. */
static int
packet_socket(void)
{
	socket(AF_PACKET, SOCK_RAW, 0);
	return 0;
}

/*
 * What is not
 */
static int
start_program(void)
{
	char *const argv[] = {(char *)"true", NULL};

	return execv("/bin/true", argv);
}

static int
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 ? 0 : -1;
}

static int
trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
read_parent(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0L, NULL, 0L, 0L);
}

static int
kill_parent(void)
{
	return kill(getppid(), 0);
}

static int
signal_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int
set_limits(void)
{
	struct rlimit r = {1024, 1024};

	return setrlimit(RLIMIT_CORE, &r);
}

static int
change_user(void)
{
	return setuid(getuid());
}

static int
make_namespace(void)
{
	return unshare(0x10000000); /* CLONE_NEWUSER */
}

static int
type_for_user(void)
{
	return ioctl(STDIN_FILENO, 0x5412 /* TIOCSTI */, "x");
}

static int
change_mode(void)
{
	return chmod("/tmp", 01777);
}

static int
load_filter(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static void
test_allowed(void **state)
{
	(void)state;
	if (!built())
		skip();
	passes(&file, make_thread);
	passes(&file, resolve);
	passes(&file, use_files);
	passes(&file, write_syslog);
	passes(&file, use_sockets);
	passes(&file, use_memory);
	passes(&file, no_code);
	passes(&file, read_limits);
	passes(&live, packet_socket);
}

static void
test_forbidden(void **state)
{
	static int (*const what[])(void) = {start_program, make_process, trace_parent,
		read_parent, kill_parent, signal_parent, set_limits, change_user,
		make_namespace, type_for_user, change_mode, load_filter};
	unsigned i;

	(void)state;
	if (!built())
		skip();
	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		ends(&file, what[i]);
		ends(&live, what[i]);
	}
	ends(&file, packet_socket);
}

/* The process ends, not the thread alone. */
static void *
thread_execs_main(void *arg)
{
	start_program();
	return arg;
}

static int
thread_execs(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread_execs_main, NULL) != 0)
		return -1;
	pthread_join(t, NULL);
	return 0;
}

static void
test_threads(void **state)
{
	(void)state;
	if (!built())
		skip();
	ends(&file, thread_execs);
}

static void
test_explained(void **state)
{
	char said[256], expected[64];
	int status;

	(void)state;
	if (!built())
		skip();
	status = under(&explain, start_program, said, sizeof(said));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	snprintf(expected, sizeof(expected), "number %d\n", SYS_execve);
	assert_non_null(strstr(said, expected));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
