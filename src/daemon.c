/* SPDX-License-Identifier: BSD-3-Clause */
/* daemon.c -- running in the background, and the pid file. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

int
daemon_start(void)
{
	int fd[2], status = 0;
	pid_t pid;
	char ok;

	if (pipe(fd) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		close(fd[1]);
		if (read(fd[0], &ok, 1) == 1)
			_exit(0);
		if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
			_exit(WEXITSTATUS(status));
		_exit(1);
	}
	close(fd[0]);
	setsid();
	return fd[1];
}

void
daemon_ready(int fd)
{
	ssize_t n = write(fd, "", 1);

	(void)n;
	close(fd);
}

void
daemon_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

int
pidfile_open(const char *path, char *err, size_t errlen)
{
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(err, errlen, "%s: another mcprobe holds it", path);
		close(fd);
		return -1;
	}
	if (ftruncate(fd, 0) < 0) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int
pidfile_write(int fd)
{
	char text[32];
	int n;

	if (fd < 0)
		return 0;
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	return write(fd, text, (size_t)n) == n ? 0 : -1;
}

void
pidfile_close(int fd, const char *path)
{
	if (fd < 0)
		return;
	if (unlink(path) < 0 && ftruncate(fd, 0) < 0)
		return; /* its lock is gone with us: nobody takes it for a live one */
	close(fd);
}
