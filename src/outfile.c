/* SPDX-License-Identifier: BSD-3-Clause */
/* outfile.c -- pieces to a file, whole or not at all. */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define MODE 0644

#define IPFIX_VERSION 10
#define IPFIX_HEADER  16

void
outfile_init(struct outfile *f, const char *path, struct counters *counters)
{
	memset(f, 0, sizeof(*f));
	f->path = path != NULL && strcmp(path, "-") == 0 ? "standard output" : path;
	f->counters = counters;
	f->fd = -1;
}

/* Where the last whole line of FD, END bytes, ends; -1: cannot be read. */
static off_t
end_of_lines(int fd, off_t end)
{
	char bytes[4096];
	off_t at = end;
	ssize_t n = 0;

	while (at > 0) {
		at = at > (off_t)sizeof(bytes) ? at - (off_t)sizeof(bytes) : 0;
		n = pread(fd, bytes, sizeof(bytes), at);
		while (n > 0 && bytes[n - 1] != '\n')
			n--;
		if (n != 0)
			break;
	}
	return n < 0 ? -1 : at + n;
}

/* Where the last whole IPFIX message ends; END if there is something else in the file, for
 * that is not ours to judge. */
static off_t
end_of_messages(int fd, off_t end)
{
	uint8_t head[4];
	off_t at = 0;
	unsigned len;

	while (end - at >= (off_t)sizeof(head)) {
		if (pread(fd, head, sizeof(head), at) != sizeof(head))
			return -1;
		len = (unsigned)(head[2] << 8 | head[3]);
		if ((head[0] << 8 | head[1]) != IPFIX_VERSION || len < IPFIX_HEADER)
			return end;
		if (end - at < len)
			break;
		at += len;
	}
	return at;
}

/* A crash may have cut a write short: cut off what follows the last whole piece. */
static void
cut(const char *path, int fd, enum outfile_mode mode)
{
	off_t end = lseek(fd, 0, SEEK_END), at = -1;
	int in = open(path, O_RDONLY | O_CLOEXEC);

	if (in != -1) {
		at = mode == OUTFILE_RESUME ? end_of_lines(in, end)
					    : end_of_messages(in, end);
		close(in);
	}
	if (at >= 0 && end > at && ftruncate(fd, at) == -1)
		log_warn("%s: what was cut short at its end stays: %s", path,
		    strerror(errno));
}

int
outfile_open(struct outfile *f, const char *path, enum outfile_mode mode)
{
	struct stat st;
	bool made = true;
	int fd;

	if (strcmp(path, "-") == 0) {
		f->fd = STDOUT_FILENO;
		f->mine = f->made = f->regular = false;
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, MODE);
	if (fd == -1 && errno == EEXIST && mode != OUTFILE_FRESH) {
		made = false;
		fd = open(path,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
			(mode == OUTFILE_TRUNCATE ? O_TRUNC : 0),
		    MODE);
	}
	if (fd == -1)
		return -1;
	outfile_close(f);
	f->fd = fd;
	f->mine = true;
	f->made = made;
	f->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if ((mode == OUTFILE_RESUME || mode == OUTFILE_RESUME_IPFIX) && f->regular)
		cut(path, fd, mode);
	f->torn = false;
	return 0;
}

void
outfile_close(struct outfile *f)
{
	/* Network file systems may report a full disk only here. */
	if (f->fd != -1 && f->mine && close(f->fd) == -1 && errno != EINTR)
		outfile_fail(f, errno, 0);
	f->fd = -1;
}

void
outfile_fail(struct outfile *f, int error, uint64_t records)
{
	counter_add(f->counters, COUNTER_FILE_ERRORS, records);
	if (!f->failed)
		log_error("%s: %s; records for it are lost", f->path, strerror(error));
	f->failed = true;
}

/* Bytes written of LEN; fewer means an error, in errno. */
static size_t
write_all(int fd, const char *bytes, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, bytes + done, len - done);
		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0) {
			errno = EIO;
			break;
		} else if (errno == EAGAIN) {
			/* Standard output may be somebody's non-blocking pipe. */
			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			break;
		}
	}
	return done;
}

int
outfile_write(struct outfile *f, const void *bytes, size_t len, uint64_t records)
{
	size_t done;
	off_t start = 0;
	int error;

	if (len == 0)
		return 0;
	if (f->fd == -1) {
		outfile_fail(f, EBADF, records);
		return -1;
	}
	if (f->torn && write_all(f->fd, "\n", 1) == 1)
		f->torn = false;
	if (f->regular)
		start = lseek(f->fd, 0, SEEK_END);
	done = write_all(f->fd, bytes, len);
	if (done == len) {
		if (f->failed)
			log_info("%s: can be written again", f->path);
		f->failed = false;
		return 0;
	}
	error = errno;
	if (done > 0 && (!f->regular || ftruncate(f->fd, start) == -1))
		f->torn = true;
	outfile_fail(f, error, records);
	return -1;
}

void
outfile_chown(struct outfile *f, unsigned uid, unsigned gid)
{
	if (f->fd != -1 && f->mine && f->made && fchown(f->fd, uid, gid) == -1)
		log_warn("%s: cannot give it to user %u: %s", f->path, uid,
		    strerror(errno));
}
