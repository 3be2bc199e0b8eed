/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of one guest's pages, straight at the engine. */
#include "tests/lib/runner.h"

#include "tests/unit/engine_world.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT
#define INCLUSIVE  TMEMIF_POOL_INCLUSIVE

static struct tmemif_pool_info info_of(struct world *w, account_nr a, uint32_t p)
{
    struct tmemif_pool_info info;

    WORLD_MUST(engine_pool_info(w->e, a, p, &info) == TMEMIF_OK);
    return info;
}

static void c01_c21_get_returns_what_was_put(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i / 7, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(get(&w, a, p, i / 7, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 99, 0, 0), TMEMIF_MISS);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c02_every_refusal_of_a_first_put_leaves_the_handle_absent(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 0, 0);
    uint32_t kept = pool(&w, a, PERSISTENT), cached = pool(&w, a, 0);

    CU_ASSERT_EQUAL(put(&w, a, kept, 1, 1, 1), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(put(&w, a, cached, 1, 1, 1), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(get(&w, a, kept, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c03_persistent_pages_survive_pressure(void)
{
    struct world w = world_make(64, 0, 1, 4);
    account_nr a = guest(&w, 1, 32, 1000);
    uint32_t kept = pool(&w, a, PERSISTENT), cached = pool(&w, a, INCLUSIVE);

    for (uint32_t i = 0; i < 32; i++)
        CU_ASSERT_EQUAL(put(&w, a, kept, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put(&w, a, cached, 2, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 32; i++)
        CU_ASSERT_EQUAL(get(&w, a, kept, 1, i, i), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c05_second_put_replaces_the_first(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 1);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c05_overwriting_needs_no_quota_beyond_what_the_old_page_has(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 2, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 3, 3), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 4), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 4), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c06_duplicate_put_whose_page_cannot_be_read_leaves_nothing(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 10, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_put half;
    void *frame;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_begin(w.e, &op, &half, &frame), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_abort(w.e, &half, TMEMIF_BAD_GRANT), TMEMIF_BAD_GRANT);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c06_duplicate_put_refused_for_memory_leaves_nothing(void)
{
    struct world w = world_make(4, 0, 1, 1);
    account_nr a = guest(&w, 1, 10, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 9, 9), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 12), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 2), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 3, 3), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c06_page_replaced_while_its_quota_went_away_is_gone(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 1, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_put half;
    void *frame;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_begin(w.e, &op, &half, &frame), TMEMIF_OK);
    page_fill(frame, 2);
    /* the charge that the put was to take over goes to another page */
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 7, 7), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_commit(w.e, &half), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 2), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 7, 7), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c07_refused_first_put_moves_no_counter_but_its_own(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 1, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct tmemif_pool_info before, after;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    before = info_of(&w, a, p);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 2), TMEMIF_QUOTA);
    after = info_of(&w, a, p);
    CU_ASSERT_EQUAL(after.puts, before.puts + 1);
    CU_ASSERT_EQUAL(after.puts_refused, before.puts_refused + 1);
    after.puts = before.puts;
    after.puts_refused = before.puts_refused;
    CU_ASSERT_EQUAL(memcmp(&after, &before, sizeof(after)), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c08_another_get_that_missed_keeps_a_failed_get_from_bringing_the_page_back(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 0, 10);
    uint32_t p = pool(&w, a, 0);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_get half;
    const void *frame;
    uint32_t word;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &half, &frame, &word, NULL, NULL), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
    engine_get_end(w.e, &half, false);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
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

static void c09_hit_in_an_inclusive_pool_leaves_the_page(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, INCLUSIVE);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c11_hit_in_a_persistent_pool_does_not_remove(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c12_get_that_fails_leaves_the_page(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 0, 10);
    uint32_t p = pool(&w, a, 0);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_get half;
    const void *frame;
    uint32_t word;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &half, &frame, &word, NULL, NULL), TMEMIF_OK);
    engine_get_end(w.e, &half, false);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c13_flushed_page_misses_and_flushing_again_succeeds(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 3, 11), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 10), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 3, 11), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c13_page_flushed_while_it_is_copied_stays_whole_and_is_gone_after(void)
{
    struct world w = world_make(2, 0, 1, 1);
    account_nr a = guest(&w, 1, 10, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_get half;
    const void *frame;
    uint32_t word;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &half, &frame, &word, NULL, NULL), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 1), TMEMIF_OK);
    /* nobody gets the frame before the reader has done with it */
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 3, 3), TMEMIF_NO_MEMORY);
    CU_ASSERT(page_has(frame, 1));
    engine_get_end(w.e, &half, true);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 3, 3), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* So a worker pins a page once, and waits for nobody while it has others. */
static void c19_get_beside_others_keeps_off_a_page_that_somebody_has(void)
{
    struct world w = world_make(4, 0, 1, 1);
    account_nr a = guest(&w, 1, 10, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op first = op_of(a, p, 1, 1), beside = op_of(a, p, 1, 2);
    struct engine_get gets[2];
    struct engine_metrics metrics;
    const void *frame;
    uint32_t word;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 2), TMEMIF_OK);
    beside.beside = true;
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &first, &gets[0], &frame, &word, NULL, NULL), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &beside, &gets[1], &frame, &word, NULL, NULL), TMEMIF_OK);
    CU_ASSERT(page_has(frame, 2));
    engine_get_end(w.e, &gets[1], true);
    beside.index = 1;
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &beside, &gets[1], &frame, &word, NULL, NULL),
                    TMEMIF_BUSY);
    engine_metrics(w.e, &metrics);
    CU_ASSERT_EQUAL(metrics.gets, 2);
    CU_ASSERT_EQUAL(metrics.hits, 2);
    engine_get_end(w.e, &gets[0], true);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &beside, &gets[1], &frame, &word, NULL, NULL), TMEMIF_OK);
    CU_ASSERT(page_has(frame, 1));
    engine_get_end(w.e, &gets[1], true);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c15_a_pool_id_used_again_starts_empty(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 10, 10);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(pool(&w, a, PERSISTENT), p);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
    reclaim_all(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c15_put_that_began_before_the_pool_was_destroyed_stores_nothing(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 10, 10);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_put half;
    void *frame;

    CU_ASSERT_EQUAL(engine_put_begin(w.e, &op, &half, &frame), TMEMIF_OK);
    page_fill(frame, 1);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    reclaim_all(&w);
    CU_ASSERT_EQUAL(pool(&w, a, PERSISTENT), p);
    CU_ASSERT_EQUAL(engine_put_commit(w.e, &half), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c16_c17_frozen_guest_can_get_and_flush_and_a_duplicate_put_flushes(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 10, 10);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    engine_account_set_frozen(w.e, a, true);
    CU_ASSERT_EQUAL(info_of(&w, a, p).frozen, 1);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 9, 9), TMEMIF_FROZEN);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 0, 0), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 0), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 0, 0), TMEMIF_MISS);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 11), TMEMIF_FROZEN);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    engine_account_set_frozen(w.e, a, false);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 11), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c21_pages_of_one_word_come_back_and_take_no_frame(void)
{
    struct world w = world_make(16, 16, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct engine_metrics metrics;

    for (uint32_t i = 0; i < 20; i++) {
        struct page_op op = op_of(a, p, 1, i);
        struct engine_put half;
        struct engine_get g;
        const void *found;
        uint32_t word = 0;
        void *frame;

        CU_ASSERT_EQUAL(engine_put_begin(w.e, &op, &half, &frame), TMEMIF_OK);
        memset(frame, (int)i, TMEMIF_PAGE_SIZE);
        CU_ASSERT_EQUAL(engine_put_commit(w.e, &half), TMEMIF_OK);
        CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &g, &found, &word, NULL, NULL), TMEMIF_OK);
        /* the last four found no descriptor of that kind and took a frame */
        CU_ASSERT_EQUAL(found == NULL, i < 16);
        CU_ASSERT_EQUAL(found ? *(const uint32_t *)found : word, i * 0x01010101u);
        engine_get_end(w.e, &g, true);
    }
    CU_ASSERT_EQUAL(frames_used(&w), 4);
    engine_metrics(w.e, &metrics);
    CU_ASSERT_EQUAL(metrics.pages_filled, 16);
    CU_ASSERT_EQUAL(metrics.pages_persistent, 20);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* The first half of a put, and the copy, as the daemon does it. */
static struct engine_put put_half(struct world *w, const struct page_op *op, uint64_t tag)
{
    uint64_t page[TMEMIF_PAGE_SIZE / sizeof(uint64_t)];
    struct engine_put half;
    void *frame;

    WORLD_MUST(engine_put_begin(w->e, op, &half, &frame) == TMEMIF_OK);
    page_fill(page, tag);
    page_copy(frame, page, half.seed, &half.facts);
    half.has_facts = true;
    return half;
}

static bool content_is_whole(struct world *w, page_nr page)
{
    return desc_content_is_whole(store_desc(w->store, page), store_frame(w->store, page));
}

static void c05_a_put_overtaken_while_its_page_is_copied_still_replaces_what_came_first(void)
{
    struct world w = world_make(64, 0, 2, 1);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 1, 1);
    struct engine_put early = put_half(&w, &op, 1);

    /* its generation is higher, so that a restart would prefer it */
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_commit(w.e, &early), TMEMIF_OK);
    CU_ASSERT(content_is_whole(&w, early.page));
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    world_restart_engine(&w);
    CU_ASSERT(is_sound(&w));
    CU_ASSERT_EQUAL(get(&w, guest(&w, 1, 100, 100), p, 1, 1, 1), TMEMIF_OK);
    world_end(&w);
}

static void c21_a_page_summed_by_the_caller_is_whole(void)
{
    struct world w = world_make(64, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 20; i++) {
        struct page_op op = op_of(a, p, i / 3, i);
        struct engine_put half = put_half(&w, &op, i);

        CU_ASSERT_EQUAL(engine_put_commit(w.e, &half), TMEMIF_OK);
        CU_ASSERT(content_is_whole(&w, half.page));
        CU_ASSERT_EQUAL(get(&w, a, p, i / 3, i, i), TMEMIF_OK);
    }
    world_end(&w);
}

static void looking_ahead_changes_nothing_whatever_is_guessed(void)
{
    struct world w = world_make(64, 64, 1, 2);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t kept = pool(&w, a, PERSISTENT), cached = pool(&w, a, 0);
    struct engine_ahead ahead = {0};
    struct engine_metrics before, after;

    for (uint32_t i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(put(&w, a, kept, 1, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(put(&w, a, cached, 1, i, i), TMEMIF_OK);
    }
    engine_metrics(w.e, &before);
    for (uint32_t i = 0; i < 200; i++) {
        struct page_op op = op_of(i % 3 ? a : UINT32_MAX - i, i % 7, i % 2, i % 40);

        /* handles that are there, that are not, pools and accounts that are none */
        engine_look_ahead(w.e, &ahead, i % 5 ? &op : NULL, i % 2);
    }
    engine_metrics(w.e, &after);
    CU_ASSERT_EQUAL(memcmp(&before, &after, sizeof(before)), 0);
    CU_ASSERT(is_sound(&w));
    for (uint32_t i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(get(&w, a, kept, 1, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(get(&w, a, cached, 1, i, i), TMEMIF_OK);
    }
    world_end(&w);
}

static void c22_handles_that_differ_in_any_bit_are_different_pages(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 1000, 0);
    uint32_t p = pool(&w, a, PERSISTENT), other = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 0, 0);

    CU_ASSERT_EQUAL(put_op(&w, &op, 1000), TMEMIF_OK);
    for (unsigned bit = 0; bit < 224; bit++) {
        struct page_op near = op;

        if (bit < 192)
            near.object[bit / 64] ^= 1ull << bit % 64;
        else
            near.index ^= 1u << (bit - 192);
        CU_ASSERT_EQUAL(put_op(&w, &near, bit), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL(get(&w, a, other, 0, 0, 0), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, a, p, 0, 0, 1000), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 225);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c23_page_that_is_being_copied_is_not_evicted(void)
{
    struct world w = world_make(8, 0, 1, 1);
    account_nr a = guest(&w, 1, 0, 100);
    uint32_t p = pool(&w, a, INCLUSIVE);
    struct page_op op = op_of(a, p, 1, 0);
    struct engine_get half;
    const void *frame;
    uint32_t word;

    for (uint32_t i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &half, &frame, &word, NULL, NULL), TMEMIF_OK);
    for (uint32_t i = 100; i < 200; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT(page_has(frame, 0));
    engine_get_end(w.e, &half, true);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 0, 0), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c26_guest_reaches_no_pool_of_another(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 10, 10), b = guest(&w, 2, 10, 10);
    uint32_t p = pool(&w, a, PERSISTENT);
    uint32_t q = pool(&w, b, PERSISTENT);

    CU_ASSERT_EQUAL(p, q);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, b, q, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, b, q + 1, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, b, TMEMIF_MAX_POOLS, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, b, UINT32_MAX, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(put(&w, 1023, 0, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(put(&w, UINT32_MAX, 0, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c27_guest_that_is_gone_leaves_no_page(void)
{
    struct world w = world_make(1024, 64, 1, 4);
    account_nr a = guest(&w, 1, 1000, 1000), again;
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, a, 0);

    for (uint32_t i = 0; i < 300; i++) {
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(put(&w, a, q, i, i, i), TMEMIF_OK);
    }
    engine_account_close(w.e, a);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_NO_POOL);
    reclaim_all(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    again = guest(&w, 1, 1000, 1000);
    CU_ASSERT_EQUAL(get(&w, again, pool(&w, again, PERSISTENT), 1, 1, 1), TMEMIF_MISS);
    world_end(&w);
}

static void every_pool_id_and_no_more_can_be_had(void)
{
    struct world w = world_make(64, 0, 1, 2);
    account_nr a = guest(&w, 1, 10, 10);
    uint32_t id;

    for (uint32_t i = 0; i < TMEMIF_MAX_POOLS; i++)
        CU_ASSERT_EQUAL(pool(&w, a, i % 2 ? PERSISTENT : INCLUSIVE), i);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, a, 0, &id), TMEMIF_TOO_MANY);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, a, PERSISTENT | INCLUSIVE, &id), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, a, TMEMIF_POOL_SHARED, &id), TMEMIF_BAD_REQUEST);
    engine_account_reset(w.e, a);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, a, 0, &id), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* Calls until a pool is there. 0: it was refused. */
static unsigned pool_after_calls(struct world *w, account_nr a)
{
    enum tmemif_status rc = TMEMIF_BUSY;
    unsigned nr = 0;
    uint32_t id;

    while (rc == TMEMIF_BUSY && nr < 1000) {
        rc = engine_pool_create(w->e, a, 0, &id);
        nr++;
    }
    return rc == TMEMIF_OK ? nr : 0;
}

static void guest_that_drops_pools_faster_than_they_are_reclaimed_waits(void)
{
    struct world w = world_make(64, 0, 1, 64);
    account_nr a = guest(&w, 1, 10, 10);
    unsigned most = 0;

    for (unsigned round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < TMEMIF_MAX_POOLS; i++) {
            unsigned nr = pool_after_calls(&w, a);

            CU_ASSERT(nr > 0);
            most = nr > most ? nr : most;
        }
        engine_account_reset(w.e, a);
    }
    CU_ASSERT(most > 1); /* or nothing was tried here */
    world_end(&w);
}

static void guests_that_make_all_the_pools_they_can_leave_some_for_everybody(void)
{
    struct world w = world_make(64, 0, 1, 1);
    uint32_t id, nr = 0;
    account_nr late;

    for (uint32_t g = 0; g < 200; g++) {
        account_nr a = guest(&w, 1 + g, 10, 10);

        while (engine_pool_create(w.e, a, PERSISTENT, &id) == TMEMIF_OK)
            nr++;
        CU_ASSERT(nr >= 4 * (g + 1));
    }
    late = guest(&w, 1000, 10, 10);
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(engine_pool_create(w.e, late, PERSISTENT, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, late, PERSISTENT, &id), TMEMIF_TOO_MANY);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void pools_made_and_destroyed_for_ever_do_not_use_up_the_table(void)
{
    struct world w = world_make(512, 0, 1, 2);
    account_nr a = guest(&w, 1, 400, 10);

    for (uint32_t i = 0; i < 3 * LAYOUT_MAX_POOLS; i++) {
        uint32_t p = pool(&w, a, PERSISTENT);

        /* the last pool's page may still be waiting */
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    }
    reclaim_all(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* It was copied before: when that is answered nothing more is stored. */
static void c17_put_under_way_is_refused_when_its_guest_is_frozen(void)
{
    struct world w = world_make(64, 0, 1, 4);
    account_nr a = guest(&w, 1, 10, 10);
    uint32_t p = pool(&w, a, TMEMIF_POOL_PERSISTENT);
    struct engine_put put_under_way;
    struct page_op op = op_of(a, p, 1, 1);
    void *frame;

    for (unsigned firm = 0; firm < 2; firm++) {
        CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
        op.firm = firm;
        CU_ASSERT_EQUAL(engine_put_begin(w.e, &op, &put_under_way, &frame), TMEMIF_OK);
        page_fill(frame, 2);
        engine_account_set_frozen(w.e, a, true);
        CU_ASSERT_EQUAL(engine_put_commit(w.e, &put_under_way), TMEMIF_FROZEN);
        engine_account_set_frozen(w.e, a, false);
        CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), firm ? TMEMIF_OK : TMEMIF_MISS);
    }
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(c01_c21_get_returns_what_was_put)                                                            \
    T(c02_every_refusal_of_a_first_put_leaves_the_handle_absent)                                   \
    T(c03_persistent_pages_survive_pressure)                                                       \
    T(c05_second_put_replaces_the_first)                                                           \
    T(c05_overwriting_needs_no_quota_beyond_what_the_old_page_has)                                 \
    T(c06_duplicate_put_whose_page_cannot_be_read_leaves_nothing)                                  \
    T(c06_duplicate_put_refused_for_memory_leaves_nothing)                                         \
    T(c06_page_replaced_while_its_quota_went_away_is_gone)                                         \
    T(c07_refused_first_put_moves_no_counter_but_its_own)                                          \
    T(c08_another_get_that_missed_keeps_a_failed_get_from_bringing_the_page_back)                  \
    T(c09_hit_in_an_exclusive_pool_removes)                                                        \
    T(c09_hit_in_an_inclusive_pool_leaves_the_page)                                                \
    T(c11_hit_in_a_persistent_pool_does_not_remove)                                                \
    T(c12_get_that_fails_leaves_the_page)                                                          \
    T(c13_flushed_page_misses_and_flushing_again_succeeds)                                         \
    T(c13_page_flushed_while_it_is_copied_stays_whole_and_is_gone_after)                           \
    T(c19_get_beside_others_keeps_off_a_page_that_somebody_has)                                    \
    T(c15_a_pool_id_used_again_starts_empty)                                                       \
    T(c15_put_that_began_before_the_pool_was_destroyed_stores_nothing)                             \
    T(c16_c17_frozen_guest_can_get_and_flush_and_a_duplicate_put_flushes)                          \
    T(c17_put_under_way_is_refused_when_its_guest_is_frozen)                                       \
    T(c21_pages_of_one_word_come_back_and_take_no_frame)                                           \
    T(c05_a_put_overtaken_while_its_page_is_copied_still_replaces_what_came_first)                 \
    T(c21_a_page_summed_by_the_caller_is_whole)                                                    \
    T(looking_ahead_changes_nothing_whatever_is_guessed)                                           \
    T(c22_handles_that_differ_in_any_bit_are_different_pages)                                      \
    T(c23_page_that_is_being_copied_is_not_evicted)                                                \
    T(c26_guest_reaches_no_pool_of_another)                                                        \
    T(c27_guest_that_is_gone_leaves_no_page)                                                       \
    T(guests_that_make_all_the_pools_they_can_leave_some_for_everybody)                            \
    T(every_pool_id_and_no_more_can_be_had)                                                        \
    T(guest_that_drops_pools_faster_than_they_are_reclaimed_waits)                                 \
    T(pools_made_and_destroyed_for_ever_do_not_use_up_the_table)

RUN_TESTS(TESTS)
