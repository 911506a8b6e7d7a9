/* SPDX-License-Identifier: BSD-3-Clause */
/* privs.h -- giving up root. */
#ifndef MCPROBE_PRIVS_H
#define MCPROBE_PRIVS_H

#include <stddef.h>
#include <sys/types.h>

/* The ids of user NAME. 0, or -1 with the reason in ERR. */
int	 privs_user(const char *name, uid_t *, gid_t *, char *err, size_t errlen);

/*
 * Become UID and GID for good, keeping only CAP_NET_RAW, with which a lost interface can
 * be opened again. Before any thread is made: capabilities are per thread. 0, or -1 with
 * the reason in ERR.
 */
int	 privs_drop(uid_t, gid_t, char *err, size_t errlen);

#endif
