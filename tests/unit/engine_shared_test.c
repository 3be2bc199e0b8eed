/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared pools, rights and fill leases, straight at the engine. */
#include "daemon/engine/shard.h"
#include "tests/lib/runner.h"
#include "tests/unit/engine_world.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT

/* Two guests in one shared pool, the first by its id @p, the second by @q. */
struct pair {
    struct world w;
    account_nr a, b;
    uint32_t p, q;
};

static struct pair pair_make(uint32_t flags)
{
    struct pair s = {.w = world_make(1024, 64, 1, 4)};

    s.a = guest(&s.w, 1, 100, 100);
    s.b = guest(&s.w, 2, 100, 100);
    /* so that their ids differ */
    pool(&s.w, s.b, 0);
    share(&s.w, 5, 100);
    allow(&s.w, 5, 1, RIGHT_FILL);
    allow(&s.w, 5, 2, RIGHT_FILL);
    WORLD_MUST(join(&s.w, s.a, 5, flags, &s.p) == TMEMIF_OK);
    WORLD_MUST(join(&s.w, s.b, 5, flags, &s.q) == TMEMIF_OK);
    return s;
}

static void uuid_of(uint8_t byte, uint8_t uuid_out[TMEMIF_UUID_LEN])
{
    memset(uuid_out, byte, TMEMIF_UUID_LEN);
}

/* A get that is to miss; the lease that comes with it. */
static struct tmemif_lease lease_for(struct world *w, account_nr a, uint32_t p, uint64_t object,
                                     uint32_t index)
{
    struct page_op op = op_of(a, p, object, index);
    struct tmemif_lease lease;
    struct engine_get g;
    const void *frame;
    uint32_t word;
    bool leased;

    WORLD_MUST(engine_get_begin(w->e, &op, &g, &frame, &word, &lease, &leased) == TMEMIF_MISS);
    WORLD_MUST(leased);
    return lease;
}

static enum tmemif_status put_leased(struct world *w, account_nr a, uint32_t p, uint64_t object,
                                     uint32_t index, uint64_t tag, const struct tmemif_lease *lease)
{
    struct page_op op = op_of(a, p, object, index);

    op.lease = lease;
    return put_op(w, &op, tag);
}

static void c10_hit_in_a_shared_pool_leaves_the_page_for_all(void)
{
    struct pair s = pair_make(0);

    CU_ASSERT_NOT_EQUAL(s.p, s.q);
    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c24_put_and_flush_are_seen_by_all_sharers_at_once(void)
{
    struct pair s = pair_make(PERSISTENT);

    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&s.w, s.a, s.p, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_MISS);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c25_shared_pages_are_charged_to_the_pool_alone(void)
{
    struct pair s = pair_make(PERSISTENT);
    struct account_stats stats;

    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 100, 100), TMEMIF_QUOTA);
    CU_ASSERT(engine_account_stats(s.w.e, s.a, &stats));
    CU_ASSERT_EQUAL(stats.persistent_pages, 0);
    CU_ASSERT_EQUAL(stats.ephemeral_pages, 0);
    /* the filler dies and nothing moves */
    engine_account_close(s.w.e, s.a);
    reclaim_all(&s.w);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 99, 99), TMEMIF_OK);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c25_last_one_out_frees_an_ephemeral_pool(void)
{
    struct pair s = pair_make(0);

    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_leave(s.w.e, s.a, s.p), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_destroy(s.w.e, s.b, s.q), TMEMIF_OK);
    reclaim_all(&s.w);
    CU_ASSERT_EQUAL(frames_used(&s.w), 0);
    CU_ASSERT_EQUAL(join(&s.w, s.a, 5, 0, &s.p), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

/* Each end leaves a slot to be reclaimed, and slots are for all. */
static void who_leaves_and_joins_again_and_again_takes_no_slots_from_others(void)
{
    struct pair s = pair_make(0);
    unsigned nr_ended;

    CU_ASSERT_EQUAL(engine_pool_leave(s.w.e, s.b, s.q), TMEMIF_OK);
    for (unsigned i = 0; i < 200; i++) {
        enum tmemif_status rc = TMEMIF_BUSY;

        /* its charge goes with the pool: the limit is not what makes it reclaim */
        CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, i, 1, i), TMEMIF_OK);
        if (i % 2 || engine_pool_leave(s.w.e, s.a, s.p) != TMEMIF_OK)
            engine_account_reset(s.w.e, s.a);
        for (unsigned tries = 0; rc == TMEMIF_BUSY && tries < 100; tries++)
            rc = join(&s.w, s.a, 5, 0, &s.p);
        CU_ASSERT_EQUAL(rc, TMEMIF_OK);
        nr_ended = 0;
        for (uint32_t slot = 0; slot < s.w.e->nr_pools; slot++)
            nr_ended += pool_state(&s.w.e->pools[slot]) == POOL_DRAINING;
        CU_ASSERT(nr_ended <= 4);
    }
    world_end(&s.w);
}

static void c25_persistent_pool_stays_until_the_operator_removes_it(void)
{
    struct pair s = pair_make(PERSISTENT);
    uint8_t uuid[TMEMIF_UUID_LEN];

    uuid_of(5, uuid);
    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_leave(s.w.e, s.a, s.p), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_leave(s.w.e, s.b, s.q), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&s.w, s.b, 5, PERSISTENT, &s.q), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_shared_remove(s.w.e, uuid), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(engine_shared_remove(s.w.e, uuid), TMEMIF_NOT_FOUND);
    reclaim_all(&s.w);
    CU_ASSERT_EQUAL(frames_used(&s.w), 0);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c25_lost_member_that_may_fill_costs_an_ephemeral_pool_its_pages_and_leases(void)
{
    struct pair s = pair_make(0);
    struct tmemif_lease lease = lease_for(&s.w, s.b, s.q, 1, 50);

    for (uint32_t i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, i, i, i), TMEMIF_OK);
    engine_account_fence(s.w.e, s.a);
    for (uint32_t i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, i, i, i), TMEMIF_MISS);
    CU_ASSERT_EQUAL(put_leased(&s.w, s.b, s.q, 1, 50, 1, &lease), TMEMIF_STALE_LEASE);
    /* before and after the dead ones are reclaimed, the pool works */
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 3, 3, 33), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 70, 3, 34), TMEMIF_OK);
    CU_ASSERT(is_sound(&s.w));
    reclaim_all(&s.w);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 3, 3, 33), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 70, 3, 34), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&s.w), 2);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c25_fence_leaves_persistent_pools_and_readers_pools_alone(void)
{
    struct pair s = pair_make(PERSISTENT);
    uint32_t p, q;

    share(&s.w, 6, 100);
    allow(&s.w, 6, 1, RIGHT_FILL);
    allow(&s.w, 6, 2, RIGHT_READ);
    CU_ASSERT_EQUAL(join(&s.w, s.a, 6, 0, &p), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&s.w, s.b, 6, 0, &q), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.a, p, 2, 2, 2), TMEMIF_OK);
    engine_account_fence(s.w.e, s.b);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.b, q, 2, 2, 2), TMEMIF_OK);
    world_end(&s.w);
}

/* What it flushes from now on flushes nothing: its pages may be older than what it has written. */
static void c25_member_that_may_not_fill_any_more_costs_an_ephemeral_pool_its_pages(void)
{
    struct pair s = pair_make(0);

    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    allow(&s.w, 5, 1, RIGHT_FILL); /* no news */
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    allow(&s.w, 5, 1, RIGHT_READ);
    CU_ASSERT_EQUAL(flush(&s.w, s.a, s.p, 1, 1), TMEMIF_READ_ONLY);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_OK);
    allow(&s.w, 5, 1, RIGHT_NONE);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c25_fences_of_an_empty_pool_use_no_generations_up(void)
{
    struct pair s = pair_make(0);
    uint64_t before, after;

    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    engine_account_fence(s.w.e, s.a);
    reclaim_all(&s.w);
    before = s.w.e->shards[0].generation;
    for (unsigned i = 0; i < 1000; i++)
        engine_account_fence(s.w.e, s.a);
    after = s.w.e->shards[0].generation;
    CU_ASSERT_EQUAL(after, before);
    world_end(&s.w);
}

static void put_at_the_end_of_generations_is_refused_and_flushes_go_on(void)
{
    struct pair s = pair_make(0);

    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    for (uint32_t i = 0; i < s.w.e->nr_shards; i++)
        s.w.e->shards[i].generation = SHARD_LAST_PUT;
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 2, 1, 1), TMEMIF_NO_MEMORY);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    engine_account_fence(s.w.e, s.a);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(flush_object(&s.w, s.b, s.q, 1, 0, 9), TMEMIF_OK);
    world_restart_engine(&s.w);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void a_pool_without_a_right_is_still_one_of_the_accounts(void)
{
    struct pair s = pair_make(0);

    allow(&s.w, 5, 2, RIGHT_NONE);
    CU_ASSERT_EQUAL(engine_account_pools(s.w.e, s.a), 1ull << s.p);
    CU_ASSERT_EQUAL(engine_account_pools(s.w.e, s.b), 3);
    world_end(&s.w);
}

static void c26_who_is_not_allowed_does_not_join(void)
{
    struct pair s = pair_make(0);
    account_nr c = guest(&s.w, 3, 10, 10);
    uint32_t id = 99;

    CU_ASSERT_EQUAL(join(&s.w, c, 5, 0, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(join(&s.w, c, 77, 0, &id), TMEMIF_NOT_ALLOWED);
    /* the name of the pool is no secret, and the kind is not told either */
    CU_ASSERT_EQUAL(join(&s.w, c, 5, PERSISTENT, &id), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(id, 99);
    allow(&s.w, 5, 3, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&s.w, c, 5, PERSISTENT, &id), TMEMIF_BAD_KIND);
    CU_ASSERT_EQUAL(join(&s.w, c, 5, TMEMIF_POOL_INCLUSIVE, &id), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(join(&s.w, c, 5, TMEMIF_POOL_SHARED, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&s.w, c, 5, 0, &id), TMEMIF_OK);
    CU_ASSERT_EQUAL(id, 0);
    world_end(&s.w);
}

static void c26_another_device_or_incarnation_of_a_guest_is_another_member(void)
{
    struct pair s = pair_make(0);
    struct account_key key = guest_key(1);
    account_nr other;
    uint32_t id;

    key.device = 1;
    CU_ASSERT_EQUAL(engine_account_open(s.w.e, &key, &other), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&s.w, other, 5, 0, &id), TMEMIF_NOT_ALLOWED);
    key = guest_key(1);
    key.uuid[3] ^= 1;
    CU_ASSERT_EQUAL(engine_account_open(s.w.e, &key, &other), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&s.w, other, 5, 0, &id), TMEMIF_NOT_ALLOWED);
    world_end(&s.w);
}

static void c26_reader_gets_and_neither_puts_nor_flushes_nor_founds(void)
{
    struct world w = world_make(64, 0, 1, 2);
    account_nr a = guest(&w, 1, 0, 0), b = guest(&w, 2, 0, 0);
    struct tmemif_pool_info info;
    uint32_t p, q;

    share(&w, 5, 100);
    allow(&w, 5, 1, RIGHT_FILL);
    allow(&w, 5, 2, RIGHT_READ);
    CU_ASSERT_EQUAL(join(&w, b, 5, 0, &q), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(join(&w, a, 5, 0, &p), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&w, b, 5, 0, &q), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, b, q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, b, q, 1, 1, 2), TMEMIF_READ_ONLY);
    CU_ASSERT_EQUAL(flush(&w, b, q, 1, 1), TMEMIF_READ_ONLY);
    CU_ASSERT_EQUAL(flush_object(&w, b, q, 1, 0, UINT32_MAX), TMEMIF_READ_ONLY);
    CU_ASSERT_EQUAL(get(&w, b, q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_info(w.e, b, q, &info), TMEMIF_OK);
    CU_ASSERT_EQUAL(info.read_only, 1);
    world_end(&w);
}

static void c26_denied_member_is_refused_at_once_even_in_mid_put(void)
{
    struct pair s = pair_make(PERSISTENT);
    struct page_op op = op_of(s.a, s.p, 1, 1);
    struct engine_put half;
    void *frame;

    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_put_begin(s.w.e, &op, &half, &frame), TMEMIF_OK);
    page_fill(frame, 2);
    allow(&s.w, 5, 1, RIGHT_NONE);
    /* lack of right changes nothing (C6) */
    CU_ASSERT_EQUAL(engine_put_commit(s.w.e, &half), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_NOT_ALLOWED);
    CU_ASSERT_EQUAL(flush(&s.w, s.a, s.p, 1, 1), TMEMIF_NOT_ALLOWED);
    allow(&s.w, 5, 1, RIGHT_READ);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 2), TMEMIF_READ_ONLY);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c31_lease_of_a_miss_lets_one_fill_in(void)
{
    struct pair s = pair_make(0);
    struct tmemif_lease first = lease_for(&s.w, s.a, s.p, 1, 1);
    struct tmemif_lease second = lease_for(&s.w, s.b, s.q, 1, 1);

    CU_ASSERT_EQUAL(put_leased(&s.w, s.a, s.p, 1, 1, 1, &first), TMEMIF_OK);
    CU_ASSERT_EQUAL(put_leased(&s.w, s.b, s.q, 1, 1, 2, &second), TMEMIF_STALE_LEASE);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c31_every_touch_of_the_handle_voids_its_lease(void)
{
    struct pair s = pair_make(0);
    uint8_t uuid[TMEMIF_UUID_LEN];

    uuid_of(5, uuid);
    for (unsigned what = 0; what < 5; what++) {
        struct tmemif_lease lease = lease_for(&s.w, s.a, s.p, what, 1);

        if (what == 0) {
            CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, what, 1, 7), TMEMIF_OK);
            CU_ASSERT_EQUAL(flush(&s.w, s.b, s.q, what, 1), TMEMIF_OK);
        } else if (what == 1) {
            /* of what is not there */
            CU_ASSERT_EQUAL(flush(&s.w, s.b, s.q, what, 1), TMEMIF_OK);
        } else if (what == 2) {
            CU_ASSERT_EQUAL(flush_object(&s.w, s.b, s.q, what, 0, UINT32_MAX), TMEMIF_OK);
        } else if (what == 3) {
            CU_ASSERT_EQUAL(flush_object(&s.w, s.b, s.q, what, 1, 1), TMEMIF_OK);
        } else {
            /* a put that was refused, but took an older page away */
            CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, what, 1, 7), TMEMIF_OK);
            CU_ASSERT_EQUAL(engine_shared_set_frozen(s.w.e, uuid, true), TMEMIF_OK);
            CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, what, 1, 8), TMEMIF_FROZEN);
            CU_ASSERT_EQUAL(engine_shared_set_frozen(s.w.e, uuid, false), TMEMIF_OK);
        }
        CU_ASSERT_EQUAL(put_leased(&s.w, s.a, s.p, what, 1, 9, &lease), TMEMIF_STALE_LEASE);
        CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, what, 1, 9), TMEMIF_MISS);
    }
    world_end(&s.w);
}

static void c31_hits_and_evictions_void_no_lease(void)
{
    struct world w = world_make(32, 0, 1, 1);
    account_nr a = guest(&w, 1, 0, 0);
    struct tmemif_lease lease;
    uint32_t p;

    share(&w, 5, 16);
    allow(&w, 5, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&w, a, 5, 0, &p), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    lease = lease_for(&w, a, p, 2, 2);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 2, 2, 1), TMEMIF_MISS);
    /* others' puts: 20 of 1024 counters are touched, and none is that one */
    for (uint32_t i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 3, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(put_leased(&w, a, p, 2, 2, 2, &lease), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c31_lease_lost_while_the_page_was_copied_changes_nothing(void)
{
    struct pair s = pair_make(PERSISTENT);
    struct tmemif_lease lease = lease_for(&s.w, s.a, s.p, 1, 1);
    struct page_op op = op_of(s.a, s.p, 1, 1);
    struct engine_put half;
    enum tmemif_status rc;
    void *frame;

    op.lease = &lease;
    for (unsigned aborted = 0; aborted < 2; aborted++) {
        CU_ASSERT_EQUAL(engine_put_begin(s.w.e, &op, &half, &frame), TMEMIF_OK);
        page_fill(frame, 1);
        CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_OK);
        rc = aborted ? engine_put_abort(s.w.e, &half, TMEMIF_BAD_GRANT)
                     : engine_put_commit(s.w.e, &half);
        CU_ASSERT_EQUAL(rc, TMEMIF_STALE_LEASE);
        CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_OK);
        CU_ASSERT_EQUAL(flush(&s.w, s.b, s.q, 1, 1), TMEMIF_OK);
        lease = lease_for(&s.w, s.a, s.p, 1, 1);
    }
    CU_ASSERT(is_sound(&s.w));
    world_end(&s.w);
}

static void c31_stale_lease_changes_nothing_even_when_the_pool_is_frozen_or_full(void)
{
    struct pair s = pair_make(PERSISTENT);
    struct tmemif_lease lease = lease_for(&s.w, s.a, s.p, 1, 1);
    uint8_t uuid[TMEMIF_UUID_LEN];

    uuid_of(5, uuid);
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_shared_set_frozen(s.w.e, uuid, true), TMEMIF_OK);
    CU_ASSERT_EQUAL(put_leased(&s.w, s.a, s.p, 1, 1, 2, &lease), TMEMIF_STALE_LEASE);
    CU_ASSERT_EQUAL(engine_shared_set_frozen(s.w.e, uuid, false), TMEMIF_OK);
    share(&s.w, 5, 0);
    CU_ASSERT_EQUAL(put_leased(&s.w, s.a, s.p, 1, 1, 2, &lease), TMEMIF_STALE_LEASE);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    world_end(&s.w);
}

static void c31_leased_pool_takes_no_put_without_a_lease(void)
{
    struct pair s = pair_make(PERSISTENT | TMEMIF_POOL_LEASED);
    struct tmemif_lease lease = lease_for(&s.w, s.a, s.p, 1, 1);

    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_NEED_LEASE);
    CU_ASSERT_EQUAL(put_leased(&s.w, s.a, s.p, 1, 1, 1, &lease), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 2), TMEMIF_NEED_LEASE);
    CU_ASSERT_EQUAL(get(&s.w, s.b, s.q, 1, 1, 1), TMEMIF_OK);
    world_end(&s.w);
}

static void c31_lease_of_a_pool_is_of_no_use_in_its_successor(void)
{
    struct pair s = pair_make(0);
    struct tmemif_lease lease = lease_for(&s.w, s.a, s.p, 1, 1);

    for (unsigned i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(engine_pool_leave(s.w.e, s.a, s.p), TMEMIF_OK);
        CU_ASSERT_EQUAL(engine_pool_leave(s.w.e, s.b, s.q), TMEMIF_OK);
        reclaim_all(&s.w);
        CU_ASSERT_EQUAL(join(&s.w, s.a, 5, 0, &s.p), TMEMIF_OK);
        CU_ASSERT_EQUAL(join(&s.w, s.b, 5, 0, &s.q), TMEMIF_OK);
        CU_ASSERT_EQUAL(put_leased(&s.w, s.a, s.p, 1, 1, 1, &lease), TMEMIF_STALE_LEASE);
    }
    world_end(&s.w);
}

static void c17_frozen_guest_fills_no_shared_pool_and_others_do(void)
{
    struct pair s = pair_make(0);

    engine_account_set_frozen(s.w.e, s.a, true);
    CU_ASSERT_EQUAL(put(&s.w, s.a, s.p, 1, 1, 1), TMEMIF_FROZEN);
    CU_ASSERT_EQUAL(put(&s.w, s.b, s.q, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&s.w, s.a, s.p, 1, 1, 2), TMEMIF_OK);
    world_end(&s.w);
}

static void members_and_policies_are_listed(void)
{
    struct pair s = pair_make(0);
    struct account_key member;
    enum pool_right right;
    struct pool_stats stats;
    uint8_t uuid[TMEMIF_UUID_LEN];
    uint32_t cursor = 0;
    unsigned nr = 0, nr_shared = 0;
    bool joined;

    uuid_of(5, uuid);
    allow(&s.w, 5, 9, RIGHT_READ);
    while (engine_member_next(s.w.e, uuid, &cursor, &member, &right, &joined)) {
        nr++;
        CU_ASSERT_EQUAL(right, member.id == 9 ? RIGHT_READ : RIGHT_FILL);
        CU_ASSERT_EQUAL(joined, member.id != 9);
    }
    CU_ASSERT_EQUAL(nr, 3);
    for (cursor = 0; engine_pool_next(s.w.e, &cursor, &stats);) {
        if (stats.account != LAYOUT_NONE)
            continue;
        nr_shared++;
        CU_ASSERT_EQUAL(memcmp(stats.info.uuid, uuid, sizeof(uuid)), 0);
        CU_ASSERT_EQUAL(stats.nr_members, 2);
        CU_ASSERT_EQUAL(stats.policy.max_pages, 100);
    }
    CU_ASSERT_EQUAL(nr_shared, 1);
    world_end(&s.w);
}

#define TESTS(T)                                                                                   \
    T(c10_hit_in_a_shared_pool_leaves_the_page_for_all)                                            \
    T(c17_frozen_guest_fills_no_shared_pool_and_others_do)                                         \
    T(c24_put_and_flush_are_seen_by_all_sharers_at_once)                                           \
    T(c25_shared_pages_are_charged_to_the_pool_alone)                                              \
    T(c25_last_one_out_frees_an_ephemeral_pool)                                                    \
    T(who_leaves_and_joins_again_and_again_takes_no_slots_from_others)                             \
    T(c25_persistent_pool_stays_until_the_operator_removes_it)                                     \
    T(c25_lost_member_that_may_fill_costs_an_ephemeral_pool_its_pages_and_leases)                  \
    T(c25_fence_leaves_persistent_pools_and_readers_pools_alone)                                   \
    T(c25_member_that_may_not_fill_any_more_costs_an_ephemeral_pool_its_pages)                     \
    T(c25_fences_of_an_empty_pool_use_no_generations_up)                                           \
    T(put_at_the_end_of_generations_is_refused_and_flushes_go_on)                                  \
    T(a_pool_without_a_right_is_still_one_of_the_accounts)                                         \
    T(c26_who_is_not_allowed_does_not_join)                                                        \
    T(c26_another_device_or_incarnation_of_a_guest_is_another_member)                              \
    T(c26_reader_gets_and_neither_puts_nor_flushes_nor_founds)                                     \
    T(c26_denied_member_is_refused_at_once_even_in_mid_put)                                        \
    T(c31_lease_of_a_miss_lets_one_fill_in)                                                        \
    T(c31_every_touch_of_the_handle_voids_its_lease)                                               \
    T(c31_hits_and_evictions_void_no_lease)                                                        \
    T(c31_lease_lost_while_the_page_was_copied_changes_nothing)                                    \
    T(c31_stale_lease_changes_nothing_even_when_the_pool_is_frozen_or_full)                        \
    T(c31_leased_pool_takes_no_put_without_a_lease)                                                \
    T(c31_lease_of_a_pool_is_of_no_use_in_its_successor)                                           \
    T(members_and_policies_are_listed)

RUN_TESTS(TESTS)
