/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* store_fixture.h - small stores for tests, and pages whose content follows from a number. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/store.h"
#include "tests/lib/runner.h"

static inline struct store *store_of(uint32_t nr_frames, uint32_t nr_filled)
{
    struct store_config config = {.nr_frames = nr_frames, .nr_filled = nr_filled};
    struct store *s = NULL;
    const char *why = NULL;

    CU_ASSERT_FATAL(store_create(&config, &s, &why));
    return s;
}

/* Descriptors of the segments that outlive store_close(), as a keeper has them. */
static inline void keep(const struct store *s, int fds_out[STORE_NR_SEGMENTS])
{
    for (int i = 0; i < STORE_NR_SEGMENTS; i++) {
        fds_out[i] = fcntl(store_fd(s, (enum store_segment)i), F_DUPFD_CLOEXEC, 0);
        CU_ASSERT_FATAL(fds_out[i] >= 0);
    }
}

/* The daemon goes and another one comes. */
static inline struct store *reopen(struct store *s, struct store_damage *damage_out)
{
    int fds[STORE_NR_SEGMENTS];
    const char *why = NULL;

    keep(s, fds);
    store_close(s);
    s = NULL;
    CU_ASSERT_FATAL(store_open(fds, &s, damage_out, &why));
    return s;
}

static inline void fill_page(void *page, uint64_t number)
{
    uint64_t *words = page;

    for (size_t i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*words); i++)
        words[i] = (number + 1) * 0x9e3779b97f4a7c15u + i;
}

static inline bool page_holds(const void *page, uint64_t number)
{
    uint64_t expected[TMEMIF_PAGE_SIZE / sizeof(uint64_t)];

    fill_page(expected, number);
    return memcmp(page, expected, sizeof(expected)) == 0;
}

static inline struct desc_key key_of(uint64_t number)
{
    return (struct desc_key){
        .object = {number, ~number, number << 20}, .index = (uint32_t)number * 7, .pool = 3};
}

/* Pool 3, to which key_of() belongs. */
static inline void make_pool(struct store *s)
{
    struct pool_rec *pool = &store_pools(s)[3];

    pool->flags = TMEMIF_POOL_PERSISTENT;
    pool->account = 0;
    pool_rec_make_live(pool, 1);
}

/* Store page @number; generation @number + 1. */
static inline page_nr put_page(struct store *s, uint64_t number)
{
    page_nr page = store_page_alloc(s, DESC_FRAME);
    struct desc_key key = key_of(number);

    CU_ASSERT_FATAL(page != LAYOUT_NONE);
    fill_page(store_frame(s, page), number);
    desc_make_live(store_desc(s, page), &key, DESC_FRAME,
                   desc_sum_page(&key, number + 1, store_frame(s, page)), number + 1);
    return page;
}

static inline page_nr put_filled(struct store *s, uint64_t number)
{
    page_nr page = store_page_alloc(s, DESC_FILLED);
    struct desc_key key = key_of(number);

    CU_ASSERT_FATAL(page != LAYOUT_NONE);
    desc_make_live(store_desc(s, page), &key, DESC_FILLED,
                   desc_sum_filled(&key, number + 1, (uint32_t)number), number + 1);
    return page;
}

static inline uint32_t count_live(const struct store *s)
{
    uint32_t nr = 0;

    for (page_nr p = 0; (p = store_next_live(s, p)) != LAYOUT_NONE; p++)
        nr++;
    return nr;
}

/* Memory that the system gave for a segment. */
static inline uint64_t backed_bytes(const struct store *s, enum store_segment segment)
{
    struct stat st;

    CU_ASSERT_FATAL(fstat(store_fd(s, segment), &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

/* Does @act end in bug()? It runs in a process of its own. */
static inline bool is_a_bug(void (*act)(void *), void *arg)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        struct rlimit no_core = {0, 0};

        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(null, STDERR_FILENO);
        act(arg);
        _exit(0);
    }
    CU_ASSERT_FATAL(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif /* TESTS_STORE_FIXTURE_H */
