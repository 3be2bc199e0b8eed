/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who loses a page, and how many, when memory is used up. */
#include "tests/lib/runner.h"

#include "daemon/engine/claim.h"
#include "daemon/engine/state.h"
#include "tests/unit/engine_world.h"

#define INCLUSIVE TMEMIF_POOL_INCLUSIVE

static void policy(struct world *w, account_nr a, uint64_t min, uint64_t max, uint32_t weight)
{
    engine_account_set_policy(
        w->e, a,
        &(struct policy){
            .quota_pages = 1000000, .min_pages = min, .max_pages = max, .weight = weight});
}

static uint64_t ephemeral(struct world *w, account_nr a)
{
    struct account_stats stats;

    WORLD_MUST(engine_account_stats(w->e, a, &stats));
    return stats.ephemeral_pages;
}

static void who_holds_more_for_its_weight_loses(void)
{
    /* pages, weight; pages, weight */
    CU_ASSERT(claim_owes_more(200, 1, 100, 1));
    CU_ASSERT(!claim_owes_more(100, 1, 200, 1));
    CU_ASSERT(!claim_owes_more(200, 4, 100, 1));
    CU_ASSERT(claim_owes_more(100, 1, 200, 4));
    CU_ASSERT(!claim_owes_more(100, 1, 100, 1));
    CU_ASSERT(claim_owes_more(UINT32_MAX, 1, 1, UINT32_MAX));
    CU_ASSERT(!claim_owes_more(1, UINT32_MAX, UINT32_MAX, 1));
}

static void shares_follow_weights_and_not_their_inverse(void)
{
    struct world w = world_make(4000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0), b = guest(&w, 2, 0, 0);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE);

    policy(&w, a, 0, PAGES_UNLIMITED, 3);
    policy(&w, b, 0, PAGES_UNLIMITED, 1);
    for (uint32_t i = 0; i < 20000; i++) {
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(put(&w, b, q, 1, i, i), TMEMIF_OK);
    }
    CU_ASSERT(ephemeral(&w, a) > 3000 - 150 && ephemeral(&w, a) < 3000 + 150);
    CU_ASSERT_EQUAL(ephemeral(&w, a) + ephemeral(&w, b), 4000);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void one_that_only_sits_gives_way_to_one_that_puts(void)
{
    struct world w = world_make(2000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0), b = guest(&w, 2, 0, 0);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE);

    policy(&w, a, 0, PAGES_UNLIMITED, 1);
    policy(&w, b, 0, PAGES_UNLIMITED, 1);
    for (uint32_t i = 0; i < 2000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, i, i, i), TMEMIF_OK);
    CU_ASSERT(ephemeral(&w, a) > 950 && ephemeral(&w, a) < 1050);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void minimum_is_never_taken_by_others(void)
{
    struct world w = world_make(1000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0), b = guest(&w, 2, 0, 0);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE);
    uint32_t kept = pool(&w, b, TMEMIF_POOL_PERSISTENT);
    uint32_t nr = 0;

    policy(&w, a, 300, PAGES_UNLIMITED, 1);
    policy(&w, b, 0, PAGES_UNLIMITED, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, i, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 300);
    while (put(&w, b, kept, 1, nr, nr) == TMEMIF_OK)
        nr++;
    CU_ASSERT_EQUAL(nr, 700);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 300);
    CU_ASSERT_EQUAL(ephemeral(&w, b), 0);
    /* one's own minimum does not stand in one's own way */
    CU_ASSERT_EQUAL(put(&w, a, p, 77, 7777, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 300);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void maximum_is_kept_by_evicting_from_oneself(void)
{
    struct world w = world_make(1000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 100), b = guest(&w, 2, 0, 500);
    uint32_t p = pool(&w, a, INCLUSIVE), p2 = pool(&w, a, 0), q = pool(&w, b, INCLUSIVE);

    for (uint32_t i = 0; i < 400; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, i, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(put(&w, a, i % 2 ? p : p2, i, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 100);
    CU_ASSERT_EQUAL(ephemeral(&w, b), 400);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void lowered_maximum_is_reached_by_the_puts_that_follow(void)
{
    struct world w = world_make(1000, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 500);
    uint32_t p = pool(&w, a, INCLUSIVE);

    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, i, i), TMEMIF_OK);
    policy(&w, a, 0, 50, 1);
    for (uint32_t i = 0; i < 10; i++)
        put(&w, a, p, 1000 + i, i, i);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 50);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* Pages of one word take no frame, so evicting them makes room for nobody. */
static void guest_full_of_zeros_neither_loses_them_nor_keeps_frames_from_others(void)
{
    struct world w = world_make(2000, 4000, 1, 4);
    account_nr zeros = guest(&w, 1, 0, PAGES_UNLIMITED), last = guest(&w, 2, 500, 0);
    uint32_t z = pool(&w, zeros, INCLUSIVE), kept = pool(&w, last, TMEMIF_POOL_PERSISTENT);

    for (uint32_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(put_zeros(&w, zeros, z, i), TMEMIF_OK);
    for (unsigned g = 0; g < 10; g++) {
        account_nr a = guest(&w, 10 + g, 0, PAGES_UNLIMITED);
        uint32_t p = pool(&w, a, INCLUSIVE);

        for (uint32_t i = 0; i < 250; i++)
            CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    }
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put(&w, last, kept, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, zeros), 3000);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* The oldest pages of one guest take no frame: a put of anybody has to find one that has. */
static void puts_that_need_a_frame_go_past_thousands_that_have_none(void)
{
    enum { NR_ZEROS = 3000, NR_FRAMES = 2000 };
    struct world w = world_make(NR_FRAMES, NR_ZEROS, 1, 4);
    account_nr cache = guest(&w, 1, 0, PAGES_UNLIMITED), other = guest(&w, 2, 500, 0);
    uint32_t c = pool(&w, cache, INCLUSIVE), kept = pool(&w, other, TMEMIF_POOL_PERSISTENT);
    unsigned refused = 0, still_there = 0;

    for (uint32_t i = 0; i < NR_ZEROS; i++)
        CU_ASSERT_EQUAL(put_zeros(&w, cache, c, i), TMEMIF_OK);
    for (uint32_t i = 0; i < NR_FRAMES; i++)
        CU_ASSERT_EQUAL(put(&w, cache, c, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 500; i++)
        refused += put(&w, other, kept, 1, i, i) != TMEMIF_OK;
    CU_ASSERT_EQUAL(refused, 0);
    /* and without its descriptors' end: these pages of one word have frames */
    for (uint32_t i = 0; i < 3 * NR_FRAMES; i++)
        refused += put_zeros(&w, cache, c, NR_ZEROS + i) != TMEMIF_OK;
    CU_ASSERT_EQUAL(refused, 0);
    for (uint32_t i = 0; i < NR_ZEROS; i++)
        still_there += get_zeros(&w, cache, c, i);
    CU_ASSERT_EQUAL(still_there, NR_ZEROS);
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(get(&w, other, kept, 1, i, i), TMEMIF_OK);
    world_end(&w);
}

/* Or a guest that put zeros once would have nothing left of it. */
static void minimum_is_of_pages_with_a_frame(void)
{
    struct world w = world_make(1000, 1000, 1, 4);
    account_nr a = guest(&w, 1, 0, 0), b = guest(&w, 2, 0, 0);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE);

    policy(&w, a, 300, PAGES_UNLIMITED, 1);
    policy(&w, b, 0, PAGES_UNLIMITED, 1000);
    for (uint32_t i = 0; i < 300; i++)
        CU_ASSERT_EQUAL(put_zeros(&w, a, p, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 600);
    CU_ASSERT_EQUAL(ephemeral(&w, b), 700);
    world_end(&w);
}

static void maximum_is_kept_of_pages_with_and_without_a_frame(void)
{
    struct world w = world_make(1000, 1000, 1, 4);
    account_nr a = guest(&w, 1, 0, 100);
    uint32_t p = pool(&w, a, INCLUSIVE);
    unsigned zeros = 0, others = 0;

    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put_zeros(&w, a, p, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 100);
    CU_ASSERT_TRUE(get_zeros(&w, a, p, 499));
    for (uint32_t i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(put_zeros(&w, a, p, 500 + i), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL(ephemeral(&w, a), 100);
    for (uint32_t i = 0; i < 1000; i++) {
        zeros += get_zeros(&w, a, p, i);
        others += get(&w, a, p, 1, i, i) == TMEMIF_OK;
    }
    CU_ASSERT_EQUAL(zeros + others, 100);
    CU_ASSERT(zeros >= 20 && others >= 20);
    world_end(&w);
}

static void page_without_a_frame_that_was_got_leaves_no_ghost(void)
{
    struct world w = world_make(1000, 500, 1, 1);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, 0);

    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put_zeros(&w, a, p, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT(get_zeros(&w, a, p, i));
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 2, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(page_list_nr(&w.e->pools[0].parts[0].queue.small), 100);
    world_end(&w);
}

/* With a frame and without by turns, as it is overwritten; then all goes. */
static void page_changes_its_queue_with_its_kind(void)
{
    struct world w = world_make(1000, 1000, 1, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE);

    for (uint32_t times = 0; times < 3; times++) {
        for (uint32_t i = 0; i < 50; i++)
            CU_ASSERT_EQUAL(put_zeros(&w, a, p, i), TMEMIF_OK);
        CU_ASSERT_TRUE(is_sound(&w));
        for (uint32_t i = 0; i < 50; i += 2)
            CU_ASSERT_EQUAL(put(&w, a, p, 2, i, i), TMEMIF_OK);
        CU_ASSERT_TRUE(is_sound(&w));
    }
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    while (engine_reclaim(w.e, 10))
        ;
    CU_ASSERT_TRUE(is_sound(&w));
    CU_ASSERT_EQUAL(ephemeral(&w, a), 0);
    world_end(&w);
}

static void scan_does_not_wash_out_what_is_asked_for(void)
{
    struct world w = world_make(1000, 0, 1, 2);
    account_nr a = guest(&w, 1, 0, 1000);
    uint32_t p = pool(&w, a, INCLUSIVE), found = 0;

    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 2 * 500; i++)
        CU_ASSERT_EQUAL(get(&w, a, p, 1, i % 500, i % 500), TMEMIF_OK);
    for (uint32_t i = 0; i < 5000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 2, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 500; i++)
        found += get(&w, a, p, 1, i, i) == TMEMIF_OK;
    CU_ASSERT(found > 450);
    world_end(&w);
}

static void page_evicted_too_early_comes_back_to_the_main_queue(void)
{
    struct world w = world_make(1000, 0, 1, 1);
    account_nr a = guest(&w, 1, 0, 1000);
    uint32_t p = pool(&w, a, INCLUSIVE), found = 0;

    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 300; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 2, i, i), TMEMIF_OK);
    /* the first 300 have gone, and are wanted */
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 5), TMEMIF_MISS);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 3, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 100; i++)
        found += get(&w, a, p, 1, i, i) == TMEMIF_OK;
    CU_ASSERT(found > 90);
    world_end(&w);
}

/* @late pages of other names are put between the eviction of 100 pages and their return. */
static uint32_t pages_in_main_queues_after(uint32_t flags, uint32_t late)
{
    struct world w = world_make(1000, 0, 1, 1);
    account_nr a = guest(&w, 1, 0, 1000);
    uint32_t p = pool(&w, a, flags), nr;

    for (uint32_t i = 0; i < 1100 + late; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(page_list_nr(&w.e->pools[0].parts[0].queue.main), 0);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    nr = page_list_nr(&w.e->pools[0].parts[0].queue.main);
    world_end(&w);
    return nr;
}

static void page_that_comes_back_late_begins_anew_unless_the_pool_is_exclusive(void)
{
    CU_ASSERT(pages_in_main_queues_after(INCLUSIVE, 0) > 90);
    CU_ASSERT(pages_in_main_queues_after(INCLUSIVE, 500) < 10);
    CU_ASSERT(pages_in_main_queues_after(0, 500) > 90);
}

static void page_that_was_got_and_is_put_again_outlives_a_scan_in_an_exclusive_pool(void)
{
    struct world w = world_make(1000, 0, 1, 2);
    account_nr a = guest(&w, 1, 0, 1000);
    uint32_t p = pool(&w, a, 0), found = 0;

    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(get(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 0);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 5000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 2, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 100; i++)
        found += get(&w, a, p, 1, i, i) == TMEMIF_OK;
    CU_ASSERT(found > 90);
    world_end(&w);
}

/* Hits of a guest that asks for few of 2000 pages often, with room for 100. */
static uint32_t nr_hits(unsigned nr_shards)
{
    struct world w = world_make(1000, 0, 1, nr_shards);
    account_nr a = guest(&w, 1, 0, 100);
    uint32_t p = pool(&w, a, INCLUSIVE), hits = 0;

    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t random = i * 0x9e3779b97f4a7c15ull >> 44; /* 20 bits, cubed below */
        uint32_t page = (uint32_t)((random * random >> 20) * random * 2000 >> 40);

        if (get(&w, a, p, page, page, page) == TMEMIF_OK)
            hits++;
        else
            CU_ASSERT_EQUAL(put(&w, a, p, page, page, page), TMEMIF_OK);
    }
    world_end(&w);
    return hits;
}

/* A shard has a page or two then. */
static void small_pool_keeps_what_is_asked_for_although_it_is_all_over_the_shards(void)
{
    uint32_t whole = nr_hits(1), parted = nr_hits(64);

    CU_ASSERT(whole > 4000);
    CU_ASSERT(parted > whole - whole / 20);
}

/* 600 pages of one object, in one shard, and then 1300 all over: all of the former go, and 300. */
static void page_that_came_first_goes_first_in_whichever_shard_it_is(void)
{
    struct world w = world_make(1000, 0, 1, 32);
    account_nr a = guest(&w, 1, 0, 1000);
    uint32_t p = pool(&w, a, INCLUSIVE), found = 0;

    for (uint32_t i = 0; i < 600; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 1300; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 100 + i, i, i), TMEMIF_OK);
    for (uint32_t i = 300; i < 1300; i++)
        found += get(&w, a, p, 100 + i, i, i) == TMEMIF_OK;
    /* 1000 but for the coarse clock of the shards */
    CU_ASSERT(found > 880);
    world_end(&w);
}

static void one_object_in_one_shard_can_fill_the_store_and_be_evicted(void)
{
    struct world w = world_make(2000, 0, 1, 32);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, INCLUSIVE);

    for (uint32_t i = 0; i < 10000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 2000);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* It holds the most, and has no pool left to evict from; many that are empty come first. */
static void guest_that_gave_all_up_does_not_make_others_puts_fail(void)
{
    struct world w = world_make(2000, 0, 1, 64);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED), b = guest(&w, 2, PAGES_UNLIMITED, 0);
    account_nr c = guest(&w, 3, 0, PAGES_UNLIMITED);
    uint32_t last = 0, q = pool(&w, b, TMEMIF_POOL_PERSISTENT), r = pool(&w, c, INCLUSIVE);

    for (unsigned i = 0; i < TMEMIF_MAX_POOLS; i++)
        last = pool(&w, a, INCLUSIVE);
    for (uint32_t i = 0; i < 1800; i++)
        CU_ASSERT_EQUAL(put(&w, a, last, i, 0, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, 1, i, i), TMEMIF_OK);
    engine_account_reset(w.e, a);
    for (uint32_t i = 200; i < 1500; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(put(&w, c, r, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 0);
    world_end(&w);
}

/* It holds the most for its weight, and all of that is being copied. */
static void guest_whose_pages_are_being_read_does_not_make_others_puts_fail(void)
{
    struct world w = world_make(512, 0, 4, 4);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED), b = guest(&w, 2, 0, PAGES_UNLIMITED);
    account_nr c = guest(&w, 3, 1000, 0);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE);
    uint32_t kept = pool(&w, c, TMEMIF_POOL_PERSISTENT), word;
    struct engine_get gets[ENGINE_GETS_MOST];
    const void *frame;

    policy(&w, b, 0, PAGES_UNLIMITED, 1000);
    for (uint32_t i = 0; i < ENGINE_GETS_MOST; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 512 - ENGINE_GETS_MOST; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, 2, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < ENGINE_GETS_MOST; i++) {
        struct page_op op = op_of(a, p, 1, i);

        op.worker = 1;
        op.beside = i > 0;
        CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &gets[i], &frame, &word, NULL, NULL), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL(put(&w, c, kept, 1, 0, 0), TMEMIF_OK);
    for (uint32_t i = 0; i < ENGINE_GETS_MOST; i++)
        engine_get_end(w.e, &gets[i], true);
    CU_ASSERT_EQUAL(ephemeral(&w, a), ENGINE_GETS_MOST);
    world_end(&w);
}

/* Alone in its shard, and being copied: the next oldest goes, and nobody else pays. */
static void page_that_is_being_read_does_not_shield_its_guest(void)
{
    struct world w = world_make(1024, 0, 2, 64);
    account_nr a = guest(&w, 1, 0, PAGES_UNLIMITED), b = guest(&w, 2, 0, PAGES_UNLIMITED);
    account_nr c = guest(&w, 3, 1000, 0);
    uint32_t p = pool(&w, a, INCLUSIVE), q = pool(&w, b, INCLUSIVE);
    uint32_t kept = pool(&w, c, TMEMIF_POOL_PERSISTENT), word;
    struct page_op op = op_of(a, p, 1, 0);
    struct engine_get get;
    const void *frame;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 0, 0), TMEMIF_OK);
    for (uint32_t i = 0; i < 723; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 2, i, i), TMEMIF_OK); /* one object, one shard */
    for (uint32_t i = 0; i < 300; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, i, 0, i), TMEMIF_OK);
    op.worker = 1;
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &get, &frame, &word, NULL, NULL), TMEMIF_OK);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&w, c, kept, 1, i, i), TMEMIF_OK);
    engine_get_end(w.e, &get, true);
    CU_ASSERT_EQUAL(ephemeral(&w, a), 624);
    CU_ASSERT_EQUAL(ephemeral(&w, b), 300);
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(who_holds_more_for_its_weight_loses)                                                         \
    T(shares_follow_weights_and_not_their_inverse)                                                 \
    T(one_that_only_sits_gives_way_to_one_that_puts)                                               \
    T(minimum_is_never_taken_by_others)                                                            \
    T(maximum_is_kept_by_evicting_from_oneself)                                                    \
    T(lowered_maximum_is_reached_by_the_puts_that_follow)                                          \
    T(guest_full_of_zeros_neither_loses_them_nor_keeps_frames_from_others)                         \
    T(puts_that_need_a_frame_go_past_thousands_that_have_none)                                     \
    T(minimum_is_of_pages_with_a_frame)                                                            \
    T(maximum_is_kept_of_pages_with_and_without_a_frame)                                           \
    T(page_without_a_frame_that_was_got_leaves_no_ghost)                                           \
    T(page_changes_its_queue_with_its_kind)                                                        \
    T(scan_does_not_wash_out_what_is_asked_for)                                                    \
    T(page_evicted_too_early_comes_back_to_the_main_queue)                                         \
    T(page_that_comes_back_late_begins_anew_unless_the_pool_is_exclusive)                          \
    T(page_that_was_got_and_is_put_again_outlives_a_scan_in_an_exclusive_pool)                     \
    T(small_pool_keeps_what_is_asked_for_although_it_is_all_over_the_shards)                       \
    T(page_that_came_first_goes_first_in_whichever_shard_it_is)                                    \
    T(one_object_in_one_shard_can_fill_the_store_and_be_evicted)                                   \
    T(guest_that_gave_all_up_does_not_make_others_puts_fail)                                       \
    T(guest_whose_pages_are_being_read_does_not_make_others_puts_fail)                             \
    T(page_that_is_being_read_does_not_shield_its_guest)

RUN_TESTS(TESTS)
