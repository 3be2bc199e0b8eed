/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Miniatures, and the rule that is chosen by them. */
#include "tests/lib/runner.h"

#include "daemon/engine/miniature.h"
#include "daemon/engine/tuner.h"
#include "tests/unit/engine_world.h"

#define INCLUSIVE TMEMIF_POOL_INCLUSIVE

/* Hashes as they come: the upper half decides about the sample. */
static uint64_t hash_of(uint64_t page)
{
    return page * 0x9e3779b97f4a7c15ull;
}

static struct miniature *miniature_make(const struct queue_rule *rule, uint32_t room)
{
    struct miniature *m = malloc(sizeof(*m));

    WORLD_MUST(m != NULL);
    miniature_init(m, rule);
    m->room = room;
    return m;
}

static void put_all(struct miniature *m, uint64_t first, uint64_t nr)
{
    for (uint64_t page = first; page < first + nr; page++)
        miniature_put(m, hash_of(page));
}

static unsigned get_all(struct miniature *m, uint64_t first, uint64_t nr)
{
    unsigned found = 0;

    for (uint64_t page = first; page < first + nr; page++)
        found += miniature_get(m, hash_of(page));
    return found;
}

static void miniature_holds_the_last_pages_it_has_room_for(void)
{
    struct miniature *m = miniature_make(&queue_strict, 100);

    put_all(m, 0, 1000);
    CU_ASSERT_EQUAL(miniature_nr(m), 100);
    CU_ASSERT_EQUAL(get_all(m, 0, 900), 0);
    CU_ASSERT_EQUAL(get_all(m, 900, 100), 100);
    free(m);
}

static void miniature_keeps_pages_used_often_enough_from_a_scan(void)
{
    struct miniature *strict = miniature_make(&queue_strict, 100);
    struct miniature *generous = miniature_make(&queue_generous, 100);

    put_all(strict, 0, 50);
    put_all(generous, 0, 50);
    get_all(strict, 0, 50);
    get_all(strict, 0, 25);
    get_all(generous, 0, 50);
    put_all(strict, 1000, 2000);
    put_all(generous, 1000, 2000);
    CU_ASSERT_EQUAL(get_all(strict, 0, 25), 25);
    CU_ASSERT_EQUAL(get_all(strict, 25, 25), 0);
    CU_ASSERT_EQUAL(get_all(generous, 0, 50), 50);
    free(strict);
    free(generous);
}

static void miniature_takes_a_page_whose_ghost_it_finds_into_the_main_queue(void)
{
    struct miniature *m = miniature_make(&queue_strict, 100);

    put_all(m, 0, 150);
    CU_ASSERT_EQUAL(m->ghosts.nr, 50);
    put_all(m, 0, 10);
    CU_ASSERT_EQUAL(m->main.nr, 10);
    CU_ASSERT_EQUAL(m->ghosts.nr, 50);
    put_all(m, 1000, 1000);
    CU_ASSERT_EQUAL(m->ghosts.nr, 90);
    CU_ASSERT_EQUAL(get_all(m, 0, 10), 10);
    free(m);
}

static void miniature_hands_pages_over_and_forgets_what_leaves_the_sample(void)
{
    struct miniature *m = miniature_make(&queue_strict, 400);

    put_all(m, 0, 400);
    miniature_take(m, hash_of(3));
    miniature_take(m, hash_of(1000000));
    CU_ASSERT_EQUAL(miniature_nr(m), 399);
    CU_ASSERT_EQUAL(m->ghosts.nr, 1);
    CU_ASSERT_EQUAL(get_all(m, 3, 1), 0);
    miniature_thin(m, UINT32_MAX / 2);
    CU_ASSERT(miniature_nr(m) > 190 && miniature_nr(m) < 210);
    for (uint64_t page = 0; page < 400; page++)
        CU_ASSERT(miniature_get(m, hash_of(page)) ==
                  (page != 3 && hash_of(page) >> 32 < UINT32_MAX / 2));
    put_all(m, 0, 2000);
    CU_ASSERT_EQUAL(miniature_nr(m), 400);
    free(m);
}

static void miniature_follows_its_room_down(void)
{
    struct miniature *m = miniature_make(&queue_generous, MINIATURE_MOST);

    put_all(m, 0, 3 * MINIATURE_MOST);
    m->room = 10;
    put_all(m, 100000, 1);
    CU_ASSERT_EQUAL(miniature_nr(m), 10);
    CU_ASSERT_EQUAL(m->ghosts.nr, 3);
    free(m);
}

static void miniature_keeps_the_ghosts_that_are_young_enough_for_its_rule(void)
{
    struct miniature *generous = miniature_make(&queue_generous, 100);
    struct miniature *exclusive = miniature_make(&queue_generous_exclusive, 100);

    put_all(generous, 0, 200);
    put_all(exclusive, 0, 200);
    CU_ASSERT_EQUAL(generous->ghosts.nr, 37);
    CU_ASSERT_EQUAL(exclusive->ghosts.nr, 90);
    put_all(generous, 50, 1);
    put_all(exclusive, 50, 1);
    CU_ASSERT_EQUAL(generous->main.nr, 0);
    CU_ASSERT_EQUAL(exclusive->main.nr, 1);
    put_all(generous, 90, 1);
    CU_ASSERT_EQUAL(generous->main.nr, 1);
    free(generous);
    free(exclusive);
}

/* ---- the rule of a pool ---- */

static const struct pool *only_pool(const struct world *w)
{
    return &w->e->pools[0];
}

static void read_through(struct world *w, account_nr a, uint32_t p, uint64_t page)
{
    if (get(w, a, p, page / 256, (uint32_t)page % 256, (uint32_t)page) != TMEMIF_OK)
        CU_ASSERT_EQUAL(put(w, a, p, page / 256, (uint32_t)page % 256, (uint32_t)page), TMEMIF_OK);
}

static void loop_longer_than_the_pool_makes_it_strict(void)
{
    struct world w = world_make(4000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE);

    CU_ASSERT(pool_rule(only_pool(&w)) == &queue_generous);
    for (unsigned round = 0; round < 20; round++) {
        for (uint64_t page = 0; page < 4500; page++)
            read_through(&w, a, p, page);
    }
    CU_ASSERT(pool_rule(only_pool(&w)) == &queue_strict);
    world_end(&w);
}

/* A window of 3000 pages that wanders: what was asked for once is asked for again, soon, and never
 * later. */
static void working_set_that_wanders_makes_the_pool_generous_again(void)
{
    struct world w = world_make(4000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE);
    uint64_t random = 1;

    for (unsigned i = 0; i < 20 * 4500; i++)
        read_through(&w, a, p, i % 4500);
    CU_ASSERT(pool_rule(only_pool(&w)) == &queue_strict);
    for (uint64_t i = 0; i < 200000; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        read_through(&w, a, p, 100000 + i / 4 + (random >> 33) % 3000);
    }
    CU_ASSERT(pool_rule(only_pool(&w)) == &queue_generous);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void sample_shrinks_as_a_pool_grows_and_is_all_of_a_small_one(void)
{
    struct world w = world_make(20000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE);
    uint64_t in_sample;

    for (uint32_t i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, 0, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(only_pool(&w)->sample_below, UINT32_MAX);
    for (uint32_t i = 0; i < 50000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, 0, i), TMEMIF_OK);
    in_sample = 20000ull * only_pool(&w)->sample_below >> 32;
    CU_ASSERT(in_sample >= MINIATURE_MOST / 2 && in_sample <= MINIATURE_MOST);
    world_end(&w);
}

static void sample_grows_again_when_a_pool_shrinks(void)
{
    struct world w = world_make(20000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED), b = guest(&w, 2, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE), before;

    for (uint32_t i = 0; i < 30000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, 0, i), TMEMIF_OK);
    before = only_pool(&w)->sample_below;
    engine_account_set_policy(w.e, b, &(struct policy){.max_pages = PAGES_UNLIMITED, .weight = 19});
    for (uint32_t i = 0; i < 40000; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, i, 0, i), TMEMIF_OK);
    for (uint32_t i = 30000; i < 50000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, 0, i), TMEMIF_OK);
    CU_ASSERT(only_pool(&w)->sample_below / 4 > before);
    world_end(&w);
}

/* They are not evicted with the others, so no rule is chosen by them. */
static void pages_without_a_frame_are_not_in_the_sample(void)
{
    struct world w = world_make(1000, 20000, 1, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE);

    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 20000; i++) {
            if (round == 0)
                CU_ASSERT_EQUAL(put_zeros(&w, a, p, i), TMEMIF_OK);
            CU_ASSERT(get_zeros(&w, a, p, i));
        }
    }
    CU_ASSERT_EQUAL(only_pool(&w)->sample_below, UINT32_MAX);
    world_end(&w);
}

static void guests_that_make_many_pools_do_not_make_many_miniatures(void)
{
    struct world w = world_make(64, 0, 1, 1);
    uint32_t id, nr = 0;

    for (uint32_t g = 0; g < 200; g++) {
        account_nr a = guest(&w, 1 + g, 0, 10);

        for (unsigned i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(engine_pool_create(w.e, a, 0, &id), TMEMIF_OK);
    }
    for (uint32_t i = 0; i < w.e->nr_pools; i++)
        nr += w.e->pools[i].tuner != NULL;
    CU_ASSERT_EQUAL(nr, 256);
    CU_ASSERT_EQUAL(w.e->nr_tuners, nr);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void persistent_pool_has_no_sample_and_a_slot_begins_anew(void)
{
    struct world w = world_make(4000, 0, 1, 4);
    account_nr a = guest(&w, 1, 1000, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, TMEMIF_POOL_PERSISTENT);

    CU_ASSERT_EQUAL(only_pool(&w)->sample_below, 0);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    engine_account_reset(w.e, a);
    while (engine_reclaim(w.e, 1000))
        continue;
    p = pool(&w, a, INCLUSIVE);
    for (unsigned i = 0; i < 20 * 4500; i++)
        read_through(&w, a, p, i % 4500);
    CU_ASSERT(pool_rule(only_pool(&w)) == &queue_strict);
    engine_account_reset(w.e, a);
    while (engine_reclaim(w.e, 1000))
        continue;
    pool(&w, a, INCLUSIVE);
    CU_ASSERT(pool_rule(only_pool(&w)) == &queue_generous);
    CU_ASSERT_EQUAL(only_pool(&w)->sample_below, UINT32_MAX);
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(miniature_holds_the_last_pages_it_has_room_for)                                              \
    T(miniature_keeps_pages_used_often_enough_from_a_scan)                                         \
    T(miniature_takes_a_page_whose_ghost_it_finds_into_the_main_queue)                             \
    T(miniature_hands_pages_over_and_forgets_what_leaves_the_sample)                               \
    T(miniature_keeps_the_ghosts_that_are_young_enough_for_its_rule)                               \
    T(miniature_follows_its_room_down)                                                             \
    T(loop_longer_than_the_pool_makes_it_strict)                                                   \
    T(working_set_that_wanders_makes_the_pool_generous_again)                                      \
    T(sample_shrinks_as_a_pool_grows_and_is_all_of_a_small_one)                                    \
    T(sample_grows_again_when_a_pool_shrinks)                                                      \
    T(pages_without_a_frame_are_not_in_the_sample)                                                 \
    T(guests_that_make_many_pools_do_not_make_many_miniatures)                                     \
    T(persistent_pool_has_no_sample_and_a_slot_begins_anew)

RUN_TESTS(TESTS)
