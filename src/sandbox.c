/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.c -- the list. Names, not numbers: libseccomp knows them for each architecture,
 * and those that one has not are left out. A C library may make the same thing by another
 * call tomorrow; so the list has the whole family where one member is harmless as the
 * other, and is checked by running every end-to-end test under it.
 *
 * Why the wide ones are there: names of nodes and collectors are resolved again while
 * the probe runs, syslog is connected again, SIGHUP and text files open files, libpcap
 * reads an interface's own drops from sysfs and opens a lost interface anew. Threads are
 * made, processes are not.
 */
#include "sandbox.h"

#include <stdio.h>
#include <string.h>

#include "build.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif

#if !defined(HAVE_SECCOMP) || defined(SANITIZED)

enum sandbox_result
sandbox_enter(const struct sandbox_options *o, char *err, size_t errlen)
{
	(void)o;
#ifdef HAVE_SECCOMP
	snprintf(err, errlen, "this is a build with sanitizers");
#else
	snprintf(err, errlen, "this is a build without libseccomp");
#endif
	return SANDBOX_NOT_BUILT;
}

#else

#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Allowed with any argument. */
static const char *const sandbox_calls[] = {
	/* bytes */
	"read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64",
	"pwritev", "pwritev2", "close", "close_range", "lseek", "_llseek", "fcntl", "fcntl64",
	"dup", "dup2", "dup3", "pipe", "pipe2", "sendfile", "sendfile64",
	/* files */
	"open", "openat", "stat", "stat64", "fstat", "fstat64", "lstat", "lstat64",
	"newfstatat", "fstatat64", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64",
	"access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents",
	"getdents64", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink",
	"unlinkat", "ftruncate", "ftruncate64", "fallocate", "fsync", "fdatasync",
	"fadvise64", "fadvise64_64", "umask", "flock",
	/* waiting */
	"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6",
	"pselect6_time64", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait",
	"epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "timerfd_create",
	"timerfd_settime", "timerfd_settime64", "timerfd_gettime", "nanosleep",
	"clock_nanosleep", "clock_nanosleep_time64", "restart_syscall",
	/* sockets; which ones: sandbox_families */
	"socketpair", "connect", "bind", "listen", "accept", "accept4", "getsockname",
	"getpeername", "getsockopt", "setsockopt", "shutdown", "send", "sendto", "sendmsg",
	"sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64",
	/* memory; mmap and mprotect: below */
	"brk", "munmap", "mremap", "madvise", "mincore",
	/* threads and signals */
	"futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list",
	"set_tid_address", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "getcpu",
	"exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"rt_sigpending", "rt_sigtimedwait", "sigaltstack", "sigreturn",
	/* time, and who and where we are */
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
	"gettimeofday", "time", "times", "getrusage", "getrandom", "uname", "sysinfo",
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getuid32",
	"geteuid32", "getgid32", "getegid32", "getrlimit", "ugetrlimit",
};

/* Where the C library goes on in another way. */
static const struct {
	const char *name;
	int error;
} sandbox_refused[] = {
	{"clone3", ENOSYS}, /* its flags are out of a filter's sight: clone is asked then */
	{"openat2", ENOSYS},
	{"io_uring_setup", ENOSYS},
};

static const int sandbox_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/* ioctl: of sockets and interfaces, wireless, and what stdio and libevent ask of files. */
static const unsigned sandbox_ioctl_groups[] = {0x8900, 0x8b00};
static const unsigned sandbox_ioctls[] = {
	0x5401, /* TCGETS */
	0x5413, /* TIOCGWINSZ */
	0x541b, /* FIONREAD */
	0x5421, /* FIONBIO */
	0x5450, /* FIONCLEX */
	0x5451, /* FIOCLEX */
};

static const int sandbox_prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG,
	PR_GET_DUMPABLE, 0x53564d41 /* PR_SET_VMA: names of the heap's mappings */};

/* Allow NAME if ARG, cut by MASK, is VALUE. 0, also where there is no such call. */
static int
allow_if(scmp_filter_ctx f, const char *name, unsigned arg, uint64_t mask, uint64_t value)
{
	int call = seccomp_syscall_resolve_name(name);
	struct scmp_arg_cmp cmp = {arg, SCMP_CMP_MASKED_EQ, mask, value};

	if (call == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static int
add_plain(scmp_filter_ctx f)
{
	unsigned i;
	int call, rc = 0;

	for (i = 0; rc == 0 && i < sizeof(sandbox_calls) / sizeof(sandbox_calls[0]); i++) {
		call = seccomp_syscall_resolve_name(sandbox_calls[i]);
		if (call != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 0);
	}
	for (i = 0; rc == 0 && i < sizeof(sandbox_refused) / sizeof(sandbox_refused[0]); i++) {
		call = seccomp_syscall_resolve_name(sandbox_refused[i].name);
		if (call != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(f,
			    SCMP_ACT_ERRNO((unsigned)sandbox_refused[i].error), call, 0);
	}
	return rc;
}

/* Sockets of these families; of an unknown one the C library hears EAFNOSUPPORT. */
static int
add_sockets(scmp_filter_ctx f, bool live)
{
	unsigned i;
	int rc = 0;

	for (i = 0;
	    rc == 0 && i < sizeof(sandbox_families) / sizeof(sandbox_families[0]); i++)
		rc = allow_if(
		    f, "socket", 0, UINT32_MAX, (uint64_t)sandbox_families[i]);
	if (rc == 0 && live)
		rc = allow_if(f, "socket", 0, UINT32_MAX, AF_PACKET);
	for (i = 0; rc == 0 &&
	    i < sizeof(sandbox_ioctl_groups) / sizeof(sandbox_ioctl_groups[0]);
	    i++)
		rc = allow_if(f, "ioctl", 1, 0xffffff00, sandbox_ioctl_groups[i]);
	for (i = 0; rc == 0 && i < sizeof(sandbox_ioctls) / sizeof(sandbox_ioctls[0]); i++)
		rc = allow_if(f, "ioctl", 1, UINT32_MAX, sandbox_ioctls[i]);
	return rc;
}

/* Memory that can be run is refused, not fatal: a resolver's library that would be
 * loaded only now is done without. */
static int
add_memory(scmp_filter_ctx f)
{
	static const char *const name[] = {"mmap", "mmap2", "mprotect", "pkey_mprotect"};
	struct scmp_arg_cmp exec = {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC};
	unsigned i;
	int call, rc = 0;

	for (i = 0; rc == 0 && i < sizeof(name) / sizeof(name[0]); i++) {
		rc = allow_if(f, name[i], 2, PROT_EXEC, 0);
		call = seccomp_syscall_resolve_name(name[i]);
		if (rc == 0 && call != __NR_SCMP_ERROR)
			rc = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EACCES), call, 1, &exec);
	}
	return rc;
}

/* Threads and signals of this process, limits read but not set. */
static int
add_process(scmp_filter_ctx f)
{
	unsigned i;
	int rc;

	rc = allow_if(f, "clone", 0, CLONE_THREAD, CLONE_THREAD);
	if (rc == 0)
		rc = allow_if(f, "tgkill", 0, UINT32_MAX, (uint64_t)getpid());
	if (rc == 0)
		rc = allow_if(f, "prlimit64", 2, UINT64_MAX, 0);
	for (i = 0; rc == 0 && i < sizeof(sandbox_prctls) / sizeof(sandbox_prctls[0]); i++)
		rc = allow_if(f, "prctl", 0, UINT32_MAX, (uint64_t)sandbox_prctls[i]);
	return rc;
}

/* SIGSYS: the call was not made. Only what is safe in a handler. */
static void
on_forbidden(int sig, siginfo_t *info, void *context)
{
	char text[] = "mcprobe: error: a forbidden system call, number \0\0\0\0\0\0\0\0\0\0\0\0";
	size_t at = strlen(text);
	char digit[8];
	unsigned n = 0, call = (unsigned)info->si_syscall;
	ssize_t done;

	(void)context;
	do {
		digit[n++] = (char)('0' + call % 10);
		call /= 10;
	} while (call > 0 && n < sizeof(digit));
	while (n > 0)
		text[at++] = digit[--n];
	text[at++] = '\n';
	done = write(STDERR_FILENO, text, at);
	(void)done;
	signal(sig, SIG_DFL);
	raise(sig); /* by it the process ends, as it would have without us */
}

static int
explain_calls(void)
{
	struct sigaction sa = {.sa_sigaction = on_forbidden,
		.sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGSYS, &sa, NULL);
}

/* What the C library loads when it is first needed: the resolver's libraries, the time
 * zone. No packet leaves: the name has no question in it. */
static void
warm_up(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;

	if (getaddrinfo("localhost", NULL, &hints, &list) == 0)
		freeaddrinfo(list);
	tzset();
}

enum sandbox_result
sandbox_enter(const struct sandbox_options *o, char *err, size_t errlen)
{
	scmp_filter_ctx f =
	    seccomp_init(o->explain ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
	int rc;

	if (f == NULL) {
		snprintf(err, errlen, "libseccomp cannot begin");
		return SANDBOX_FAILED;
	}
	warm_up();
	rc = o->explain ? explain_calls() : 0;
	if (rc == 0)
		rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	/* a tree instead of a list; libseccomp before 2.5 has none */
	if (rc == 0)
		seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_plain(f);
	if (rc == 0)
		rc = add_sockets(f, o->live);
	if (rc == 0)
		rc = add_memory(f);
	if (rc == 0)
		rc = add_process(f);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc == 0)
		return SANDBOX_ON;
	snprintf(err, errlen, "seccomp: %s", strerror(rc < 0 ? -rc : errno));
	return SANDBOX_FAILED;
}

#endif
