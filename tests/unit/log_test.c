/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/log.h"

#include <string.h>
#include <unistd.h>

#include "tests/lib/runner.h"

/* A log into a pipe; what was written is in text after caught(). */
struct trap {
    struct log log;
    int read_fd, write_fd;
    char text[4096];
};

static void trap_set(struct trap *t, enum log_level level)
{
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    t->read_fd = fds[0];
    t->write_fd = fds[1];
    log_init(&t->log, t->write_fd, level);
}

static const char *caught(struct trap *t)
{
    ssize_t r;

    close(t->write_fd);
    r = read(t->read_fd, t->text, sizeof(t->text) - 1);
    close(t->read_fd);
    t->text[r > 0 ? r : 0] = '\0';
    return t->text;
}

static void event_is_one_line_with_its_level(void)
{
    struct trap t;

    trap_set(&t, LOG_LEVEL_INFO);
    log_event(&t.log, LOG_LEVEL_WARNING, "attach", "dom=%u rings=%d", 7u, 2);
    CU_ASSERT_STRING_EQUAL(caught(&t), "xentmemd: warning: attach dom=7 rings=2\n");
}

static void priorities_stand_first(void)
{
    struct trap t;

    trap_set(&t, LOG_LEVEL_INFO);
    t.log.priorities = true;
    log_event(&t.log, LOG_LEVEL_ERROR, "no-memory", "pages=%u", 1u);
    CU_ASSERT_STRING_EQUAL(caught(&t), "<3>no-memory pages=1\n");
}

static void less_urgent_lines_are_dropped(void)
{
    struct trap t;

    trap_set(&t, LOG_LEVEL_NOTICE);
    log_event(&t.log, LOG_LEVEL_INFO, "attach", "dom=%u", 1u);
    log_set_level(&t.log, LOG_LEVEL_INFO);
    log_event(&t.log, LOG_LEVEL_INFO, "attach", "dom=%u", 2u);
    CU_ASSERT_STRING_EQUAL(caught(&t), "xentmemd: info: attach dom=2\n");
}

static void text_that_was_formatted_in_cannot_begin_a_line(void)
{
    struct trap t;

    trap_set(&t, LOG_LEVEL_INFO);
    log_event(&t.log, LOG_LEVEL_INFO, "guest", "name=%s", "a\n<0>b\x1b[2J");
    CU_ASSERT_STRING_EQUAL(caught(&t), "xentmemd: info: guest name=a?<0>b?[2J\n");
}

static void long_line_is_cut_and_still_ends(void)
{
    char name[3000];
    struct trap t;
    size_t len;

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    trap_set(&t, LOG_LEVEL_INFO);
    log_event(&t.log, LOG_LEVEL_INFO, "guest", "name=%s", name);
    len = strlen(caught(&t));
    CU_ASSERT_EQUAL(len, 1024);
    CU_ASSERT_EQUAL(t.text[len - 1], '\n');
}

static void limit_lets_a_burst_pass_then_one_a_second(void)
{
    struct log_limit limit = {0};
    uint64_t now = 1000000;
    unsigned passed = 0;

    for (unsigned i = 0; i < 1000; i++)
        passed += log_limit_take(&limit, now);
    CU_ASSERT_EQUAL(passed, LOG_LIMIT_BURST);
    CU_ASSERT_EQUAL(limit.dropped, 1000 - LOG_LIMIT_BURST);

    CU_ASSERT_FALSE(log_limit_take(&limit, now + LOG_LIMIT_MS - 1));
    CU_ASSERT_TRUE(log_limit_take(&limit, now + LOG_LIMIT_MS));
    CU_ASSERT_FALSE(log_limit_take(&limit, now + LOG_LIMIT_MS));

    /* a long silence fills the bucket, and no more than that */
    passed = 0;
    for (unsigned i = 0; i < 1000; i++)
        passed += log_limit_take(&limit, now + 1000 * LOG_LIMIT_MS);
    CU_ASSERT_EQUAL(passed, LOG_LIMIT_BURST);
}

static void limited_line_counts_those_before_it_that_were_dropped(void)
{
    struct log_limit limit = {.dropped = 41};
    struct trap t;

    trap_set(&t, LOG_LEVEL_INFO);
    log_limited(&t.log, &limit, LOG_LEVEL_INFO, "bad", "dom=%u", 3u);
    log_limited(&t.log, &limit, LOG_LEVEL_INFO, "bad", "dom=%u", 3u);
    CU_ASSERT_STRING_EQUAL(caught(&t), "xentmemd: info: bad dom=3 dropped=41\n"
                                       "xentmemd: info: bad dom=3\n");
}

static void flood_is_cut_off(void)
{
    struct log_limit limit = {0};
    unsigned nr_lines = 0;
    struct trap t;

    trap_set(&t, LOG_LEVEL_INFO);
    for (unsigned i = 0; i < 10000; i++)
        log_limited(&t.log, &limit, LOG_LEVEL_INFO, "bad", "i=%u", i);
    for (const char *c = caught(&t); *c; c++)
        nr_lines += *c == '\n';
    CU_ASSERT_TRUE(nr_lines >= LOG_LIMIT_BURST && nr_lines <= LOG_LIMIT_BURST + 2);
}

static void levels_are_parsed_by_name(void)
{
    enum log_level level = LOG_LEVEL_INFO;

    CU_ASSERT_TRUE(log_level_parse("debug", &level));
    CU_ASSERT_EQUAL(level, LOG_LEVEL_DEBUG);
    CU_ASSERT_FALSE(log_level_parse("loud", &level));
    CU_ASSERT_FALSE(log_level_parse("", &level));
    CU_ASSERT_EQUAL(level, LOG_LEVEL_DEBUG);
}

#define TESTS(T)                                                                                   \
    T(event_is_one_line_with_its_level)                                                            \
    T(priorities_stand_first)                                                                      \
    T(less_urgent_lines_are_dropped)                                                               \
    T(text_that_was_formatted_in_cannot_begin_a_line)                                              \
    T(long_line_is_cut_and_still_ends)                                                             \
    T(limit_lets_a_burst_pass_then_one_a_second)                                                   \
    T(limited_line_counts_those_before_it_that_were_dropped)                                       \
    T(flood_is_cut_off)                                                                            \
    T(levels_are_parsed_by_name)
RUN_TESTS(TESTS)
