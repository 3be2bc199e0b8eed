/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/clock.h"

#define LINE_MAX_BYTES 1024u

static const struct {
    const char *name;
    enum log_level level;
} levels[] = {
    {"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING}, {"notice", LOG_LEVEL_NOTICE},
    {"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},
};
#define NR_LEVELS (sizeof(levels) / sizeof(levels[0]))

bool log_level_parse(const char *name, enum log_level *level_out)
{
    for (unsigned i = 0; i < NR_LEVELS; i++) {
        if (strcmp(levels[i].name, name) == 0) {
            *level_out = levels[i].level;
            return true;
        }
    }
    return false;
}

static const char *level_name(enum log_level level)
{
    for (unsigned i = 0; i < NR_LEVELS; i++) {
        if (levels[i].level == level)
            return levels[i].name;
    }
    return "log";
}

/* Is @fd the stream that JOURNAL_STREAM names as "device:inode" (systemd.exec(5))? */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t dev, ino;
    struct stat st;

    return stream && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 && fstat(fd, &st) == 0 &&
           st.st_dev == dev && st.st_ino == ino;
}

void log_init(struct log *log, int fd, enum log_level level)
{
    log->fd = fd;
    log->priorities = is_journal(fd);
    log_set_level(log, level);
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

static bool is_wanted(struct log *log, enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* @len stays below LINE_MAX_BYTES, so that the '\n' takes the place of the terminator. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

__attribute__((format(printf, 2, 0))) static void line_add_va(struct line *l, const char *format,
                                                              va_list args)
{
    size_t room = sizeof(l->text) - l->len;
    int r = vsnprintf(l->text + l->len, room, format, args);

    if (r > 0)
        l->len += (size_t)r < room ? (size_t)r : room - 1;
}

__attribute__((format(printf, 2, 3))) static void line_add(struct line *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line_add_va(l, format, args);
    va_end(args);
}

static void line_begin(struct line *l, const struct log *log, enum log_level level,
                       const char *event)
{
    l->len = 0;
    if (log->priorities)
        line_add(l, "<%d>%s", (int)level, event);
    else
        line_add(l, "xentmemd: %s: %s", level_name(level), event);
}

static void line_write(struct line *l, const struct log *log)
{
    ssize_t r;

    /* one event, one line: nothing that was formatted in may begin another */
    for (size_t i = 0; i < l->len; i++) {
        if ((unsigned char)l->text[i] < ' ' || l->text[i] == 0x7f)
            l->text[i] = '?';
    }
    l->text[l->len++] = '\n';
    r = write(log->fd, l->text, l->len);
    (void)r; /* there is nobody to tell */
}

void log_event(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    struct line l;
    va_list args;

    if (!is_wanted(log, level))
        return;
    line_begin(&l, log, level, event);
    line_add(&l, " ");
    va_start(args, format);
    line_add_va(&l, format, args);
    va_end(args);
    line_write(&l, log);
}

/* A virtual schedule (-> GCRA): each line takes LOG_LIMIT_MS of it, and it may run ahead. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms)
{
    uint64_t next = limit->used_ms > now_ms ? limit->used_ms : now_ms;

    if (next - now_ms > (uint64_t)(LOG_LIMIT_BURST - 1) * LOG_LIMIT_MS) {
        limit->dropped++;
        return false;
    }
    limit->used_ms = next + LOG_LIMIT_MS;
    return true;
}

void log_limited(struct log *log, struct log_limit *limit, enum log_level level, const char *event,
                 const char *format, ...)
{
    struct line l;
    va_list args;

    if (!is_wanted(log, level) || !log_limit_take(limit, clock_now_ms()))
        return;
    line_begin(&l, log, level, event);
    line_add(&l, " ");
    va_start(args, format);
    line_add_va(&l, format, args);
    va_end(args);
    if (limit->dropped > 0)
        line_add(&l, " dropped=%" PRIu32, limit->dropped);
    limit->dropped = 0;
    line_write(&l, log);
}
