/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.h -- the system calls that the running probe needs, and no others: a seccomp
 * filter for all threads there are and will be. Only this room knows libseccomp.
 */
#ifndef MCPROBE_SANDBOX_H
#define MCPROBE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox_options {
	bool live;    /* interfaces may have to be opened again */
	bool explain; /* a forbidden call is named on standard error before the end */
};

enum sandbox_result {
	SANDBOX_FAILED = -1, /* the kernel refuses, or there is no memory */
	SANDBOX_ON,
	SANDBOX_NOT_BUILT, /* without libseccomp, or with sanitizers, whose calls differ */
};

/*
 * From now on a call that is not on the list ends the process by SIGSYS, whatever thread
 * made it; starting programs and other processes, looking into others, modules, mounts
 * and new rights are not on it. Memory that is both written and run is refused with an
 * error, so what is to be loaded must have been by now. no_new_privs must be set. ERR:
 * why it failed or is not there.
 */
enum sandbox_result sandbox_enter(const struct sandbox_options *, char *err,
			size_t errlen);

#endif
