/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c -- one line per message, to stderr or syslog. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

static struct {
	bool to_syslog;
	enum log_level level;
} logger = {false, LOG_LEVEL_INFO};

void
log_open(bool to_syslog, enum log_level level)
{
	logger.to_syslog = to_syslog;
	logger.level = level;
	if (to_syslog)
		openlog("mcprobe", LOG_PID, LOG_DAEMON);
}

void
log_reopen(void)
{
	if (logger.to_syslog) {
		closelog();
		openlog("mcprobe", LOG_PID, LOG_DAEMON);
	}
}

void
log_close(void)
{
	if (logger.to_syslog)
		closelog();
	logger.to_syslog = false;
}

static void log_write(enum log_level, const char *, va_list)
    __attribute__((format(printf, 2, 0)));

static void
log_write(enum log_level level, const char *fmt, va_list ap)
{
	static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	static const char *const prefix[] = {"error: ", "warning: ", "", ""};
	char line[1024];

	if (level > logger.level)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (logger.to_syslog)
		syslog(priority[level], "%s%s", prefix[level], line);
	else /* one call, one line: threads do not mix theirs */
		fprintf(stderr, "mcprobe: %s%s\n", prefix[level], line);
}

#define LOG_FUNCTION(name, level)                                                      \
	void name(const char *fmt, ...)                                                \
	{                                                                              \
		va_list ap;                                                            \
                                                                                       \
		va_start(ap, fmt);                                                     \
		log_write(level, fmt, ap);                                             \
		va_end(ap);                                                            \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void
fatal(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(status);
}
