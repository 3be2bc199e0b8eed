/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushing objects and ranges, at once and in slices. */
#include "tests/lib/runner.h"

#include "daemon/engine/shard.h"
#include "tests/unit/engine_world.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT

static uint64_t nr_tombstones(struct world *w)
{
    struct engine_metrics metrics;

    engine_metrics(w->e, &metrics);
    return metrics.tombstones;
}

static void put_many(struct world *w, account_nr a, uint32_t p, uint64_t object, uint32_t nr,
                     uint32_t stride)
{
    for (uint32_t i = 0; i < nr; i++)
        CU_ASSERT_EQUAL(put(w, a, p, object, i * stride, i), TMEMIF_OK);
}

/* How many of those are found. */
static uint32_t nr_found(struct world *w, account_nr a, uint32_t p, uint64_t object, uint32_t nr,
                         uint32_t stride)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < nr; i++)
        found += get(w, a, p, object, i * stride, i) == TMEMIF_OK;
    return found;
}

static void c14_flushed_object_is_gone_and_others_are_not(void)
{
    struct world w = world_make(4096, 0, 1, 4);
    account_nr a = guest(&w, 1, 4000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t nr = 1; nr < 200; nr += 33) {
        put_many(&w, a, p, 1, nr, 1);
        put_many(&w, a, p, 2, nr, 1);
        CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
        /* few pages go at once */
        CU_ASSERT(nr > 64 || nr_tombstones(&w) == 0);
        CU_ASSERT_EQUAL(nr_found(&w, a, p, 1, nr, 1), 0);
        CU_ASSERT_EQUAL(nr_found(&w, a, p, 2, nr, 1), nr);
        CU_ASSERT(is_sound(&w));
    }
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 77, 0, UINT32_MAX), TMEMIF_OK);
    world_end(&w);
}

/* Of object 1; as a ring's worker does it when all tombstones are in use. */
static void flush_at_last(struct world *w, account_nr a, uint32_t p, uint32_t first, uint32_t last)
{
    enum tmemif_status rc;

    while ((rc = flush_object(w, a, p, 1, first, last)) == TMEMIF_BUSY)
        engine_reclaim(w->e, 64);
    CU_ASSERT_EQUAL(rc, TMEMIF_OK);
}

/* Every range of an object, dense or sparse, against the indexes that should be left. */
static void c14_flushed_range_takes_exactly_its_indexes(void)
{
    static const uint32_t strides[] = {1, 63, 64, 65, 1000003};
    struct world w = world_make(4096, 0, 1, 2);
    account_nr a = guest(&w, 1, 4000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (unsigned s = 0; s < sizeof(strides) / sizeof(*strides); s++) {
        for (uint32_t first = 0; first < 300; first += 59) {
            for (uint32_t last = first; last < 300; last += 47) {
                put_many(&w, a, p, 1, 300, strides[s]);
                flush_at_last(&w, a, p, first * strides[s], last * strides[s]);
                for (uint32_t i = 0; i < 300; i++)
                    CU_ASSERT_EQUAL(get(&w, a, p, 1, i * strides[s], i),
                                    i >= first && i <= last ? TMEMIF_MISS : TMEMIF_OK);
            }
        }
        CU_ASSERT(is_sound(&w));
        flush_at_last(&w, a, p, 0, UINT32_MAX);
        reclaim_all(&w);
        CU_ASSERT_EQUAL(frames_used(&w), 0);
    }
    world_end(&w);
}

static void range_that_ends_before_it_begins_is_malformed(void)
{
    struct world w = world_make(64, 0, 1, 2);
    account_nr a = guest(&w, 1, 10, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 5, 5), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 6, 5), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 5), TMEMIF_OK);
    world_end(&w);
}

static void c08_long_flush_is_answered_at_once_and_nothing_comes_back(void)
{
    struct world w = world_make(4096, 0, 1, 2);
    account_nr a = guest(&w, 1, 4000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    put_many(&w, a, p, 1, 3000, 1);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 1);
    CU_ASSERT_EQUAL(frames_used(&w), 3000);
    CU_ASSERT_EQUAL(nr_found(&w, a, p, 1, 3000, 1), 0);
    /* what is put now is not under the tombstone */
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 10, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 5000, 5), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    CU_ASSERT(engine_reclaim(w.e, 64));
    CU_ASSERT(frames_used(&w) < 3002);
    CU_ASSERT(frames_used(&w) > 2500);
    reclaim_all(&w);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 0);
    CU_ASSERT_EQUAL(frames_used(&w), 2);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 10, 10), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5000, 5), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void put_that_began_before_a_long_flush_and_ends_after_it_stays(void)
{
    struct world w = world_make(4096, 0, 1, 2);
    account_nr a = guest(&w, 1, 4000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct page_op op = op_of(a, p, 1, 5);
    struct engine_put half;
    void *frame;

    put_many(&w, a, p, 1, 200, 1);
    CU_ASSERT_EQUAL(engine_put_begin(w.e, &op, &half, &frame), TMEMIF_OK);
    page_fill(frame, 77);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_commit(w.e, &half), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 77), TMEMIF_OK);
    reclaim_all(&w);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 77), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 1);
    world_end(&w);
}

/* The put took its generation, another worker's long flush a later one, and then the put ended. */
static void page_overtaken_by_a_long_flush_gets_a_later_generation(void)
{
    struct world w = world_make(64, 0, 1, 1);
    account_nr a = guest(&w, 1, 10, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct shard *s = &w.e->shards[0];

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    for (uint64_t ahead = 1; ahead < 3; ahead++) {
        uint64_t last = atomic_load(&s->generation);

        s->barrier = last + ahead;
        CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 10 + ahead), TMEMIF_OK);
        CU_ASSERT_EQUAL(live_generation(store_desc(w.store, store_next_live(w.store, 0))->live),
                        last + ahead + 1);
        CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 10 + ahead), TMEMIF_OK);
    }
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void flushed_quota_is_usable_again_at_once(void)
{
    struct world w = world_make(8192, 0, 1, 4);
    account_nr a = guest(&w, 1, 2000, 0), b = guest(&w, 2, 2000, 0);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, b, PERSISTENT);

    /* of another guest, and in front of it in some shards */
    put_many(&w, b, q, 1, 2000, 1);
    CU_ASSERT_EQUAL(flush_object(&w, b, q, 1, 0, UINT32_MAX), TMEMIF_OK);
    for (unsigned round = 0; round < 5; round++) {
        put_many(&w, a, p, round, 2000, 1);
        CU_ASSERT_EQUAL(put(&w, a, p, 99, 0, 0), TMEMIF_QUOTA);
        if (round % 2) {
            CU_ASSERT_EQUAL(flush_object(&w, a, p, round, 0, UINT32_MAX), TMEMIF_OK);
        } else {
            CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
            p = pool(&w, a, PERSISTENT);
        }
    }
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void flushed_memory_is_usable_again_at_once(void)
{
    struct world w = world_make(1000, 0, 1, 4);
    account_nr a = guest(&w, 1, 5000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (unsigned round = 0; round < 5; round++) {
        put_many(&w, a, p, round, 1000, 1);
        CU_ASSERT_EQUAL(put(&w, a, p, 99, 0, 0), TMEMIF_NO_MEMORY);
        CU_ASSERT_EQUAL(flush_object(&w, a, p, round, 0, UINT32_MAX), TMEMIF_OK);
    }
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void more_long_flushes_than_tombstones_wait_for_each_other(void)
{
    struct world w = world_make(65536, 0, 1, 1);
    account_nr a = guest(&w, 1, 65536, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    unsigned nr_busy = 0;

    for (uint32_t object = 0; object < 300; object++)
        put_many(&w, a, p, object, 70, 1);
    for (uint32_t object = 0; object < 300; object++) {
        enum tmemif_status rc;

        while ((rc = flush_object(&w, a, p, object, 0, UINT32_MAX)) == TMEMIF_BUSY) {
            /* refused so, nothing of it has gone */
            CU_ASSERT_EQUAL(nr_found(&w, a, p, object, 70, 1), 70);
            engine_reclaim(w.e, 64);
            nr_busy++;
        }
        CU_ASSERT_EQUAL(rc, TMEMIF_OK);
        CU_ASSERT_EQUAL(nr_found(&w, a, p, object, 70, 1), 0);
    }
    CU_ASSERT(nr_busy > 0);
    CU_ASSERT(is_sound(&w));
    reclaim_all(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    world_end(&w);
}

static void one_guests_long_flushes_leave_tombstones_for_others(void)
{
    struct world w = world_make(65536, 0, 1, 1);
    account_nr a = guest(&w, 1, 60000, 0), b = guest(&w, 2, 5000, 0);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, b, PERSISTENT);
    uint32_t object = 0;

    do
        put_many(&w, a, p, ++object, 70, 1);
    while (flush_object(&w, a, p, object, 0, UINT32_MAX) == TMEMIF_OK && object < 800);
    CU_ASSERT(object < 800);
    put_many(&w, b, q, 1, 70, 1);
    CU_ASSERT_EQUAL(flush_object(&w, b, q, 1, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT(nr_tombstones(&w) <= 17);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void several_long_flushes_of_one_object_overlap(void)
{
    struct world w = world_make(8192, 0, 1, 1);
    account_nr a = guest(&w, 1, 8000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t stride = 1; stride < 200; stride += 67) {
        put_many(&w, a, p, 1, 3000, stride);
        CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 500 * stride, 1500 * stride), TMEMIF_OK);
        CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 1000 * stride, 2000 * stride), TMEMIF_OK);
        engine_reclaim(w.e, 10);
        put_many(&w, a, p, 1, 1250, stride);
        CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, 100 * stride), TMEMIF_OK);
        engine_reclaim(w.e, 10);
        for (uint32_t i = 0; i < 3000; i++)
            CU_ASSERT_EQUAL(get(&w, a, p, 1, i * stride, i),
                            (i > 100 && i < 1250) || i > 2000 ? TMEMIF_OK : TMEMIF_MISS);
        reclaim_all(&w);
        CU_ASSERT_EQUAL(nr_tombstones(&w), 0);
        CU_ASSERT_EQUAL(frames_used(&w), 1149 + 999);
        CU_ASSERT(is_sound(&w));
        CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
        reclaim_all(&w);
    }
    world_end(&w);
}

/* Both look through the object's list of extents. */
static void c08_short_look_at_an_object_does_not_lose_a_long_flush_its_place(void)
{
    struct world w = world_make(2048, 0, 1, 1);
    account_nr a = guest(&w, 1, 2000, 0);
    uint32_t p = pool(&w, a, PERSISTENT), back = 0, kept = 0;

    for (uint32_t extent = 0; extent < 60; extent++) {
        for (uint32_t i = 0; i < 10; i++)
            CU_ASSERT_EQUAL(put(&w, a, p, 1, extent * 6400 + i, i), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    engine_reclaim(w.e, 110);
    CU_ASSERT_EQUAL(frames_used(&w), 500);
    /* where the walk has been there are extents again, at the end of the list */
    for (uint32_t extent = 0; extent < 60; extent++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, extent * 6400 + 20, 20), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 40 * 6400, 60 * 6400), TMEMIF_OK);
    reclaim_all(&w);
    for (uint32_t extent = 0; extent < 60; extent++) {
        back += get(&w, a, p, 1, extent * 6400, 0) != TMEMIF_MISS;
        kept += get(&w, a, p, 1, extent * 6400 + 20, 20) == TMEMIF_OK;
    }
    CU_ASSERT_EQUAL(back, 0);
    CU_ASSERT_EQUAL(kept, 40);
    CU_ASSERT_EQUAL(frames_used(&w), 40);
    world_end(&w);
}

static void destroyed_pool_takes_its_tombstones_with_it(void)
{
    struct world w = world_make(1024, 0, 1, 2);
    account_nr a = guest(&w, 1, 1000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    put_many(&w, a, p, 1, 300, 1);
    put_many(&w, a, p, 2, 300, 1);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 2, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    /* page by page: at no time is there a tombstone without its pool */
    while (engine_reclaim(w.e, 1))
        CU_ASSERT(is_sound(&w));
    CU_ASSERT_EQUAL(nr_tombstones(&w), 0);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    world_end(&w);
}

static void destroyed_pool_drains_in_slices(void)
{
    struct world w = world_make(8192, 0, 1, 4);
    account_nr a = guest(&w, 1, 8000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct engine_metrics metrics;

    put_many(&w, a, p, 1, 4000, 1);
    put_many(&w, a, p, 2, 3000, 1000);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    engine_metrics(w.e, &metrics);
    CU_ASSERT(metrics.pages_dead > 5000);
    CU_ASSERT(engine_reclaim(w.e, 100));
    CU_ASSERT(frames_used(&w) > 5000);
    reclaim_all(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 0);
    engine_metrics(w.e, &metrics);
    CU_ASSERT_EQUAL(metrics.pages_dead, 0);
    CU_ASSERT(!engine_reclaim(w.e, 64));
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* Pages of one guest that die slowly, and another's flush that waits for its turn. */
static void long_flush_ends_although_another_guests_pools_drain(void)
{
    struct world w = world_make(16384, 0, 1, 4);
    account_nr a = guest(&w, 1, 16384, 0), b = guest(&w, 2, 16384, 0);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, b, PERSISTENT);

    put_many(&w, a, p, 1, 10000, 1);
    put_many(&w, b, q, 1, 1000, 1);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&w, b, q, 1, 0, UINT32_MAX), TMEMIF_OK);
    for (unsigned i = 0; i < 50; i++)
        engine_reclaim(w.e, 64);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 0);
    CU_ASSERT(frames_used(&w) > 5000);
    world_end(&w);
}

static void pool_is_created_although_another_guests_pools_drain(void)
{
    struct world w = world_make(16384, 0, 1, 4);
    account_nr a = guest(&w, 1, 16384, 0), b = guest(&w, 2, 16384, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    put_many(&w, a, p, 1, 10000, 1);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    for (unsigned i = 0; i < TMEMIF_MAX_POOLS; i++) {
        p = pool(&w, b, PERSISTENT);
        put_many(&w, b, p, 1, 1, 1);
    }
    engine_account_reset(w.e, b);
    CU_ASSERT_EQUAL(engine_pool_create(w.e, b, PERSISTENT, &p), TMEMIF_OK);
    world_end(&w);
}

static bool is_dying(const struct world *w, account_nr a)
{
    return atomic_load(&w->e->claims[a].nr_dying) != 0;
}

static void empty_pools_end_although_others_with_pages_drain(void)
{
    struct world w = world_make(16384, 0, 1, 4);
    account_nr a = guest(&w, 1, 16384, 0), b = guest(&w, 2, 16384, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    put_many(&w, a, p, 1, 10000, 1);
    for (unsigned i = 0; i < TMEMIF_MAX_POOLS; i++)
        pool(&w, b, PERSISTENT);
    engine_account_reset(w.e, a);
    engine_account_reset(w.e, b);
    for (unsigned i = 0; i < 20; i++)
        engine_reclaim(w.e, 64);
    CU_ASSERT(!is_dying(&w, b));
    CU_ASSERT(is_dying(&w, a));
    /* and one that is destroyed does not wait for another guest's */
    p = pool(&w, b, PERSISTENT);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, b, p), TMEMIF_OK);
    CU_ASSERT(!is_dying(&w, b));
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void tombstones_that_others_hold_are_ended_for_who_needs_one(void)
{
    struct world w = world_make(16384, 0, 1, 1);
    account_nr guests[5];
    uint32_t pools[5], object = 1;

    for (unsigned i = 0; i < 5; i++) {
        guests[i] = guest(&w, i + 1, 16384, 0);
        pools[i] = pool(&w, guests[i], PERSISTENT);
    }
    put_many(&w, guests[4], pools[4], 1, 70, 1);
    for (unsigned i = 0; i < 4; i++) {
        do
            put_many(&w, guests[i], pools[i], ++object, 65, 1);
        while (flush_object(&w, guests[i], pools[i], object, 0, UINT32_MAX) == TMEMIF_OK &&
               nr_tombstones(&w) < (i + 1) * 16);
    }
    CU_ASSERT_EQUAL(nr_tombstones(&w), 64);
    for (unsigned i = 0; i < 2; i++)
        if (flush_object(&w, guests[4], pools[4], 1, 0, UINT32_MAX) == TMEMIF_OK)
            break;
    CU_ASSERT_EQUAL(nr_found(&w, guests[4], pools[4], 1, 70, 1), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* Extents that a long flush goes past, since none of its pages are in its range. */
#define VAIN_EXTENTS 4000u

static void long_flush_of_nothing_does_not_make_one_put_look_at_all_of_it(void)
{
    struct world w = world_make(8192, 0, 1, 1);
    account_nr a = guest(&w, 1, VAIN_EXTENTS, 0), b = guest(&w, 2, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, b, 0);

    put_many(&w, a, p, 1, VAIN_EXTENTS, EXTENT_PAGES);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, VAIN_EXTENTS * EXTENT_PAGES, UINT32_MAX), TMEMIF_OK);
    put_many(&w, b, q, 1, 8192 - VAIN_EXTENTS, 1);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 1);
    /* whose it is, and others when memory is used up */
    CU_ASSERT_EQUAL(put(&w, a, p, 2, 0, 0), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 1);
    put_many(&w, b, q, 2, 40, 1);
    CU_ASSERT_EQUAL(nr_tombstones(&w), 1);
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(c14_flushed_object_is_gone_and_others_are_not)                                               \
    T(c14_flushed_range_takes_exactly_its_indexes)                                                 \
    T(range_that_ends_before_it_begins_is_malformed)                                               \
    T(c08_long_flush_is_answered_at_once_and_nothing_comes_back)                                   \
    T(put_that_began_before_a_long_flush_and_ends_after_it_stays)                                  \
    T(page_overtaken_by_a_long_flush_gets_a_later_generation)                                      \
    T(flushed_quota_is_usable_again_at_once)                                                       \
    T(flushed_memory_is_usable_again_at_once)                                                      \
    T(one_guests_long_flushes_leave_tombstones_for_others)                                         \
    T(more_long_flushes_than_tombstones_wait_for_each_other)                                       \
    T(several_long_flushes_of_one_object_overlap)                                                  \
    T(c08_short_look_at_an_object_does_not_lose_a_long_flush_its_place)                            \
    T(destroyed_pool_takes_its_tombstones_with_it)                                                 \
    T(destroyed_pool_drains_in_slices)                                                             \
    T(long_flush_ends_although_another_guests_pools_drain)                                         \
    T(empty_pools_end_although_others_with_pages_drain)                                            \
    T(tombstones_that_others_hold_are_ended_for_who_needs_one)                                     \
    T(pool_is_created_although_another_guests_pools_drain)                                         \
    T(long_flush_of_nothing_does_not_make_one_put_look_at_all_of_it)

RUN_TESTS(TESTS)
