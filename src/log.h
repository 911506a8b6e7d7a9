/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h -- messages for people, on stderr or syslog; the one global of the probe. Any
 * thread may log. Never called per packet: hostile bytes have counters instead.
 */
#ifndef MCPROBE_LOG_H
#define MCPROBE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* LEVEL: the least important that is shown. */
void	 log_open(bool to_syslog, enum log_level level);
void	 log_reopen(void);
void	 log_close(void);

#define LOG_FORMAT(n) __attribute__((format(printf, n, n + 1)))
void	 log_error(const char *fmt, ...) LOG_FORMAT(1);
void	 log_warn(const char *fmt, ...) LOG_FORMAT(1);
void	 log_info(const char *fmt, ...) LOG_FORMAT(1);
void	 log_debug(const char *fmt, ...) LOG_FORMAT(1);

/* Start-up only, from main and options: say why and exit(STATUS). */
void	 fatal(int status, const char *fmt, ...) LOG_FORMAT(2)
    __attribute__((noreturn));

#endif
