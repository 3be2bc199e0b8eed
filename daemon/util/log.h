/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h - one event a line, `event key=value ...`, to standard error.
 *
 * Each line is one write(2). With priorities (under a service manager) it
 * begins with "<6>" in the manner of sd-daemon(3). What a guest can cause is
 * logged through a struct log_limit that belongs to that guest. Never put
 * bytes of a guest into a line; control characters become '?'.
 */
#ifndef XTM_UTIL_LOG_H
#define XTM_UTIL_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Values are those of syslog(3). */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* Any thread may log. */
struct log {
    int fd;             /* where lines go; not closed */
    bool priorities;    /* begin lines with "<N>" */
    _Atomic(int) level; /* less urgent lines are dropped */
};

/* To @fd; priorities if standard error is the journal (JOURNAL_STREAM). */
void log_init(struct log *log, int fd, enum log_level level);
void log_set_level(struct log *log, enum log_level level);
/* "error", "warning", "notice", "info", "debug". False: no such level. */
bool log_level_parse(const char *name, enum log_level *level_out);

/* log_event(log, LOG_LEVEL_INFO, "attach", "dom=%u rings=%u", ...) */
void log_event(struct log *log, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * At most LOG_LIMIT_BURST lines at once, then one every LOG_LIMIT_MS; the next
 * line that passes says how many did not (`dropped=N`). Zero is a full bucket.
 * One thread at a time.
 */
#define LOG_LIMIT_BURST 8u
#define LOG_LIMIT_MS    1000u
struct log_limit {
    uint64_t used_ms; /* time up to which lines have been paid for */
    uint32_t dropped;
};
/* Whether a line may pass at @now_ms; for tests, and below. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms);

void log_limited(struct log *log, struct log_limit *limit, enum log_level level, const char *event,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif /* XTM_UTIL_LOG_H */
