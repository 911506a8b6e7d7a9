/* SPDX-License-Identifier: BSD-3-Clause */
/* privs.c -- giving up root, by libcap-ng. */
#include "privs.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int
privs_user(const char *name, uid_t *uid, gid_t *gid, char *err, size_t errlen)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		snprintf(err, errlen, "--user %s: %s", name,
		    errno ? strerror(errno) : "no such user");
		return -1;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int
privs_seal(char *err, size_t errlen)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return 0;
	snprintf(err, errlen, "no_new_privs: %s", strerror(errno));
	return -1;
}

int
privs_drop(uid_t uid, gid_t gid, char *err, size_t errlen)
{
	int rc;

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW) < 0) {
		snprintf(err, errlen, "cannot keep CAP_NET_RAW");
		return -1;
	}
	rc = capng_change_id((int)uid, (int)gid,
	    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING | CAPNG_CLEAR_AMBIENT);
	if (rc < 0) {
		snprintf(err, errlen, "cannot become user %u (libcap-ng: %d)", (unsigned)uid,
		    rc);
		return -1;
	}
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
		snprintf(err, errlen, "user %u can become root again", (unsigned)uid);
		return -1;
	}
	return privs_seal(err, errlen);
}

int
privs_limit(char *err, size_t errlen)
{
	bool raw, may_bound;

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0) {
		snprintf(err, errlen, "cannot read the capabilities");
		return -1;
	}
	raw = capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW);
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	if (raw)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
	/* while CAP_SETPCAP is still there */
	if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) < 0) {
		snprintf(err, errlen, "cannot clear the bounding set");
		return -1;
	}
	if (capng_apply(CAPNG_SELECT_CAPS) < 0) {
		snprintf(err, errlen, "cannot give up capabilities");
		return -1;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* old kernels: none */
	return privs_seal(err, errlen);
}
