/* SPDX-License-Identifier: BSD-3-Clause */
/* daemon.h -- running in the background, and the pid file. */
#ifndef MCPROBE_DAEMON_H
#define MCPROBE_DAEMON_H

#include <stddef.h>

/*
 * Leave the terminal: returns in the child only, with a descriptor for daemon_ready(); the
 * parent waits and exits 0 when the child is ready, or with the child's status if it ends
 * before. -1: cannot fork. Before any thread or event loop is made.
 */
int	 daemon_start(void);

/* Everything is open: let the parent go. */
void	 daemon_ready(int fd);

/* Give up the standard streams. */
void	 daemon_detach(void);

/*
 * Make PATH and lock it. The descriptor to keep, or -1 with the reason in ERR, among them
 * that another probe holds it.
 */
int	 pidfile_open(const char *path, char *err, size_t errlen);

/* Write the process id, once signals are safe to send. 0, also for FD -1; or -1. */
int	 pidfile_write(int fd);

/* Remove it, or empty it where the folder is not ours any more. */
void	 pidfile_close(int fd, const char *path);

#endif
