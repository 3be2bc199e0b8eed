/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of one guest's pages, straight at the engine: put, get, flush. */
#include "tests/lib/runner.h"

#include "tests/unit/engine_world.h"

static void c01_c21_get_returns_what_was_put(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, TMEMIF_POOL_PERSISTENT);

    for (uint32_t i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i / 7, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(get(&w, a, p, i / 7, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 99, 0, 0), TMEMIF_MISS);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c05_second_put_replaces_the_first(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, TMEMIF_POOL_PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 1);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c09_hit_in_an_exclusive_pool_removes(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, 0);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_MISS);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c13_flushed_page_misses_and_flushing_again_succeeds(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, TMEMIF_POOL_PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 3, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 3, 11), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(c01_c21_get_returns_what_was_put)                                                            \
    T(c05_second_put_replaces_the_first)                                                           \
    T(c09_hit_in_an_exclusive_pool_removes)                                                        \
    T(c13_flushed_page_misses_and_flushing_again_succeeds)

RUN_TESTS(TESTS)
