/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privs.h -- giving up root, and whatever else the running probe has no use for. All of
 * it before any thread is made: capabilities are per thread, and threads inherit.
 */
#ifndef MCPROBE_PRIVS_H
#define MCPROBE_PRIVS_H

#include <stddef.h>
#include <sys/types.h>

/* The ids of user NAME. 0, or -1 with the reason in ERR. */
int	 privs_user(const char *name, uid_t *, gid_t *, char *err, size_t errlen);

/*
 * Become UID and GID for good, keeping only CAP_NET_RAW, with which a lost interface can
 * be opened again: no other capability in any set, none in the bounding set, and
 * no_new_privs. 0, or -1 with the reason in ERR, also if root could be had back.
 */
int	 privs_drop(uid_t, gid_t, char *err, size_t errlen);

/*
 * For who is not root: keep no capability but CAP_NET_RAW, if it is there; no_new_privs.
 * The bounding set is cleared where that is allowed; with no_new_privs and nothing
 * inheritable it gives nothing. 0, or -1 with the reason in ERR.
 */
int	 privs_limit(char *err, size_t errlen);

/* For who stays what he is: no_new_privs alone. 0, or -1 with the reason in ERR. */
int	 privs_seal(char *err, size_t errlen);

#endif
