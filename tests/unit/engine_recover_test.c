/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What another engine finds in a store that the first one left in mid-life (rule C32). */
#include "tests/lib/random.h"
#include "tests/lib/runner.h"

#include <unistd.h>

#include "tests/unit/engine_world.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT
#define INCLUSIVE  TMEMIF_POOL_INCLUSIVE

/* A restart with everything: the segments are opened anew, the engine made anew. */
static struct store_damage reopen(struct world *w)
{
    struct store_damage damage = {0};
    int fds[STORE_NR_SEGMENTS];
    const char *why;

    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++) {
        fds[i] = dup(store_fd(w->store, (enum store_segment)i));
        WORLD_MUST(fds[i] >= 0);
    }
    engine_destroy(w->e);
    store_close(w->store);
    WORLD_MUST(store_open(fds, &w->store, &damage, &why));
    w->e = engine_create(w->store, &w->config);
    WORLD_MUST(w->e != NULL);
    return damage;
}

/* The live page whose index is @index; there is one. */
static page_nr page_of_index(struct world *w, uint32_t index)
{
    page_nr page = store_next_live(w->store, 0);

    while (page != LAYOUT_NONE && store_desc(w->store, page)->index != index)
        page = store_next_live(w->store, page + 1);
    WORLD_MUST(page != LAYOUT_NONE);
    return page;
}

/* As if a put had been killed after its page went live: a second live page of the handle. */
static void make_rival(struct world *w, uint32_t index, uint64_t tag, int generations_ahead)
{
    const struct desc *d = store_desc(w->store, page_of_index(w, index));
    struct desc_key key = {.index = d->index, .pool = d->pool};
    uint64_t generation = live_generation(d->live) + (uint64_t)(int64_t)generations_ahead;
    page_nr page = store_page_alloc(w->store, DESC_FRAME);

    WORLD_MUST(page != LAYOUT_NONE);
    memcpy(key.object, d->object, sizeof(key.object));
    page_fill(store_frame(w->store, page), tag);
    desc_make_live(store_desc(w->store, page), &key, DESC_FRAME,
                   desc_sum_page(&key, generation, store_frame(w->store, page)), generation);
}

static void c32_private_pages_pools_and_accounts_are_found_again(void)
{
    struct world w = world_make(4096, 64, 1, 4);
    account_nr a = guest(&w, 1, 2000, 2000), found;
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, a, INCLUSIVE), cursor = 0;
    struct account_key key;

    for (uint32_t i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(put(&w, a, p, i / 10, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(put(&w, a, q, i, i, i), TMEMIF_OK);
    }
    w.config.nr_shards = 16;
    w.config.hash_seed++;
    reopen(&w);
    CU_ASSERT(engine_account_next(w.e, &cursor, &found, &key));
    CU_ASSERT_EQUAL(found, a);
    CU_ASSERT_EQUAL(key.id, 1);
    CU_ASSERT(!engine_account_next(w.e, &cursor, &found, &key));
    CU_ASSERT(is_sound(&w));
    CU_ASSERT_EQUAL(guest(&w, 1, 2000, 2000), a);
    for (uint32_t i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(get(&w, a, p, i / 10, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(get(&w, a, q, i, i, i), TMEMIF_OK);
    }
    CU_ASSERT_EQUAL(put(&w, a, p, 0, 0, 777), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 0, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    reopen(&w);
    CU_ASSERT_EQUAL(get(&w, a, p, 0, 0, 777), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 10, 10), TMEMIF_MISS);
    world_end(&w);
}

static void found_pages_stay_without_a_policy_and_nothing_new_comes(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, a, INCLUSIVE);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, q, 1, 1, 1), TMEMIF_OK);
    world_restart_engine(&w);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 2), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(put(&w, a, q, 1, 2, 2), TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, q, 1, 1, 1), TMEMIF_OK);
    /* what is there may be overwritten */
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 3), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_shared_pools_are_found_and_rights_must_be_said_again(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0);
    uint32_t p, q, again;

    share(&w, 5, 100);
    share(&w, 6, 100);
    allow(&w, 5, 1, RIGHT_FILL);
    allow(&w, 6, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&w, a, 5, PERSISTENT, &p), TMEMIF_OK);
    CU_ASSERT_EQUAL(join(&w, a, 6, 0, &q), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, q, 1, 1, 1), TMEMIF_OK);
    reopen(&w);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_NOT_ALLOWED);
    share(&w, 5, 100);
    share(&w, 6, 100);
    allow(&w, 5, 1, RIGHT_FILL);
    allow(&w, 6, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    /* shared ephemeral pools start empty */
    CU_ASSERT_EQUAL(get(&w, a, q, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT_EQUAL(frames_used(&w), 1);
    CU_ASSERT_EQUAL(join(&w, a, 5, PERSISTENT, &again), TMEMIF_OK);
    CU_ASSERT_EQUAL(again, p);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_leases_of_the_last_engine_are_refused(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0);
    uint32_t ids[2];
    struct tmemif_lease leases[2];

    for (unsigned n = 0; n < 2; n++) {
        struct page_op op;
        struct engine_get g;
        const void *frame;
        uint32_t word;
        bool leased;

        share(&w, (uint8_t)(5 + n), 100);
        allow(&w, (uint8_t)(5 + n), 1, RIGHT_FILL);
        CU_ASSERT_EQUAL(join(&w, a, (uint8_t)(5 + n), n ? PERSISTENT : 0, &ids[n]), TMEMIF_OK);
        op = op_of(a, ids[n], 1, 1);
        CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &g, &frame, &word, &leases[n], &leased),
                        TMEMIF_MISS);
    }
    world_restart_engine(&w);
    for (unsigned n = 0; n < 2; n++) {
        struct page_op op = op_of(a, ids[n], 1, 1);

        share(&w, (uint8_t)(5 + n), 100);
        allow(&w, (uint8_t)(5 + n), 1, RIGHT_FILL);
        op.lease = &leases[n];
        CU_ASSERT_EQUAL(put_op(&w, &op, 1), TMEMIF_STALE_LEASE);
    }
    world_end(&w);
}

static void c32_of_two_pages_of_one_handle_the_later_wins(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i % 2, i, i), TMEMIF_OK);
    make_rival(&w, 0, 100, 50);
    make_rival(&w, 3, 101, -1);
    CU_ASSERT_EQUAL(frames_used(&w), 6);
    CU_ASSERT_EQUAL(reopen(&w).duplicates, 0);
    CU_ASSERT_EQUAL(get(&w, a, p, 0, 0, 100), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 0, 2, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 3, 3), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 4);
    CU_ASSERT_EQUAL(store_damage(w.store)->duplicates, 0);
    CU_ASSERT(is_sound(&w));
    /* and it goes on from the higher one */
    CU_ASSERT_EQUAL(put(&w, a, p, 0, 0, 200), TMEMIF_OK);
    reopen(&w);
    CU_ASSERT_EQUAL(get(&w, a, p, 0, 0, 200), TMEMIF_OK);
    world_end(&w);
}

static void c32_two_pages_of_one_handle_and_generation_are_both_dropped(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 0, 0), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    make_rival(&w, 0, 100, 0);
    reopen(&w);
    CU_ASSERT_EQUAL(store_damage(w.store)->duplicates, 2);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 0, 0), TMEMIF_MISS);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 1);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* One bit of the page that @tag tells. */
static void damage_page(struct world *w, uint32_t index)
{
    unsigned char *frame = store_frame(w->store, page_of_index(w, index));

    frame[index % TMEMIF_PAGE_SIZE] ^= 0x10;
}

static uint64_t nr_damaged(struct world *w)
{
    struct engine_metrics metrics;

    engine_metrics(w->e, &metrics);
    CU_ASSERT_EQUAL(metrics.pages_damaged, engine_nr_damaged(w->e));
    return metrics.pages_damaged;
}

static void c32_page_whose_bytes_were_damaged_is_lost_and_no_other(void)
{
    static const uint32_t kinds[] = {PERSISTENT, INCLUSIVE, 0};

    for (unsigned n = 0; n < 3; n++) {
        struct world w = world_make(1024, 0, 1, 4);
        account_nr a = guest(&w, 1, 500, 500);
        uint32_t p = pool(&w, a, kinds[n]);

        for (uint32_t i = 0; i < 300; i++)
            CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
        damage_page(&w, 3);
        damage_page(&w, 299);
        CU_ASSERT_EQUAL(reopen(&w).descs, 0);
        CU_ASSERT_EQUAL(guest(&w, 1, 500, 500), a);
        CU_ASSERT_EQUAL(nr_damaged(&w), 0); /* nobody has asked */
        for (uint32_t i = 0; i < 300; i++)
            CU_ASSERT_EQUAL(get(&w, a, p, 1, i, i), i == 3 || i == 299 ? TMEMIF_MISS : TMEMIF_OK);
        CU_ASSERT_EQUAL(nr_damaged(&w), 2);
        CU_ASSERT(is_sound(&w));
        /* once lost, lost; and the handle is as good as any other */
        CU_ASSERT_EQUAL(get(&w, a, p, 1, 3, 3), TMEMIF_MISS);
        CU_ASSERT_EQUAL(put(&w, a, p, 1, 3, 7), TMEMIF_OK);
        CU_ASSERT_EQUAL(get(&w, a, p, 1, 3, 7), TMEMIF_OK);
        CU_ASSERT_EQUAL(nr_damaged(&w), 2);
        CU_ASSERT(is_sound(&w));
        world_end(&w);
    }
}

/* Some bits of descriptors and frames, of pages that live and of others near them. */
static void flip_bits(struct world *w, uint64_t *random, unsigned nr_bits)
{
    for (unsigned i = 0; i < nr_bits; i++) {
        bool in_desc = seeded_below(random, 2);
        page_nr page = seeded_below(random, 150);
        unsigned char *bytes =
            in_desc ? (void *)store_desc(w->store, page) : store_frame(w->store, page);
        uint32_t at = seeded_below(random, in_desc ? (uint32_t)sizeof(struct desc)
                                                   : (uint32_t)TMEMIF_PAGE_SIZE);

        bytes[at] ^= (unsigned char)(1u << seeded_below(random, 8));
    }
}

static void c32_whatever_bits_flip_a_page_comes_back_whole_or_not_at_all(void)
{
    uint64_t random = 1;

    for (unsigned round = 0; round < 200; round++) {
        struct world w = world_make(256, 0, 1, 4);
        account_nr a = guest(&w, 1, 200, 200);
        uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, a, INCLUSIVE);
        unsigned nr_flips = 1 + seeded_below(&random, 12), nr_lost = 0, nr_wrong = 0;
        struct store_damage damage;

        for (uint32_t i = 0; i < 60; i++) {
            CU_ASSERT_EQUAL(put(&w, a, p, i, i, i), TMEMIF_OK);
            CU_ASSERT_EQUAL(put(&w, a, q, i, i, 1000 + i), TMEMIF_OK);
        }
        flip_bits(&w, &random, nr_flips);
        damage = reopen(&w);
        for (uint32_t i = 0; i < 120; i++) {
            enum tmemif_status rc = i % 2 ? get(&w, a, p, i / 2, i / 2, i / 2)
                                          : get(&w, a, q, i / 2, i / 2, 1000 + i / 2);

            nr_lost += rc == TMEMIF_MISS;
            nr_wrong += rc != TMEMIF_MISS && rc != TMEMIF_OK;
        }
        CU_ASSERT_EQUAL(nr_wrong, 0);
        CU_ASSERT(nr_lost <= nr_flips);
        CU_ASSERT(nr_lost <= damage.descs + nr_damaged(&w)); /* and is counted */
        CU_ASSERT(is_sound(&w));
        world_end(&w);
    }
}

static void damaged_page_that_is_overwritten_or_flushed_does_no_harm(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 100);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    damage_page(&w, 0);
    damage_page(&w, 1);
    reopen(&w);
    CU_ASSERT_EQUAL(guest(&w, 1, 100, 100), a);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 0, 50), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush(&w, a, p, 1, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 51), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 0, 50), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 51), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 2, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(nr_damaged(&w), 0);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c31_miss_of_a_damaged_page_gives_a_lease(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0);
    struct tmemif_lease lease;
    struct engine_get g;
    const void *frame;
    struct page_op op;
    uint32_t p, word;
    bool leased = false;

    share(&w, 5, 100);
    allow(&w, 5, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&w, a, 5, PERSISTENT, &p), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    damage_page(&w, 1);
    reopen(&w);
    share(&w, 5, 100);
    allow(&w, 5, 1, RIGHT_FILL);
    op = op_of(a, p, 1, 1);
    CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &g, &frame, &word, &lease, &leased), TMEMIF_MISS);
    CU_ASSERT(leased);
    op.lease = &lease;
    CU_ASSERT_EQUAL(put_op(&w, &op, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 2), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_long_flush_holds_and_what_came_after_it_stays(void)
{
    struct world w = world_make(2048, 0, 1, 4);
    account_nr a = guest(&w, 1, 2000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&w, a, p, 1, 100, 899), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 500, 7), TMEMIF_OK);
    CU_ASSERT(frames_used(&w) > 900);
    reopen(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 201);
    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(get(&w, a, p, 1, i, i == 500 ? 7 : i),
                        i < 100 || i > 899 || i == 500 ? TMEMIF_OK : TMEMIF_MISS);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_destroyed_pools_stay_destroyed_whatever_had_been_reclaimed(void)
{
    struct world w = world_make(2048, 0, 1, 4);
    account_nr a = guest(&w, 1, 2000, 0);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, a, PERSISTENT);

    for (uint32_t i = 0; i < 900; i++)
        CU_ASSERT_EQUAL(put(&w, a, i % 2 ? p : q, i % 7, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_pool_destroy(w.e, a, p), TMEMIF_OK);
    /* a kill in the middle of the other's end: its seat is gone, its record is not */
    store_accounts(w.store)[a].pools[q] = LAYOUT_NO_SLOT;
    reopen(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, a, q, 0, 0, 0), TMEMIF_NO_POOL);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_removed_shared_pool_stays_removed(void)
{
    struct world w = world_make(2048, 0, 1, 4);
    account_nr a = guest(&w, 1, 0, 0);
    uint8_t uuid[TMEMIF_UUID_LEN];
    uint32_t p;

    memset(uuid, 5, sizeof(uuid));
    share(&w, 5, 1000);
    allow(&w, 5, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&w, a, 5, PERSISTENT, &p), TMEMIF_OK);
    for (uint32_t i = 0; i < 600; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, i, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_shared_remove(w.e, uuid), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 600);
    reopen(&w);
    CU_ASSERT_EQUAL(frames_used(&w), 0);
    share(&w, 5, 1000);
    allow(&w, 5, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&w, a, 5, PERSISTENT, &p), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_MISS);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_floor_that_was_damaged_uses_no_generations_up(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 0);
    uint32_t p = pool(&w, a, PERSISTENT), q;
    uint16_t slot;

    share(&w, 5, 100);
    allow(&w, 5, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&w, a, 5, 0, &q), TMEMIF_OK);
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    slot = store_accounts(w.store)[a].pools[q];
    store_pools(w.store)[slot].floor = LIVE_GENERATION_MAX;
    world_restart_engine(&w);
    engine_account_set_policy(w.e, a, &(struct policy){.quota_pages = 100, .weight = 1});
    CU_ASSERT_EQUAL(put(&w, a, p, 1, 2, 2), TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_seat_in_another_guests_pool_is_not_believed(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 0), b = guest(&w, 2, 100, 0);
    uint32_t p = pool(&w, a, PERSISTENT);

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 1, 1), TMEMIF_OK);
    /* pool id tables are not under a check sum */
    store_accounts(w.store)[b].pools[7] = store_accounts(w.store)[a].pools[p];
    store_accounts(w.store)[b].pools[8] = 4095;
    store_accounts(w.store)[a].pools[9] = store_accounts(w.store)[a].pools[p];
    world_restart_engine(&w);
    CU_ASSERT_EQUAL(get(&w, b, 7, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, b, 8, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, a, 9, 1, 1, 1), TMEMIF_NO_POOL);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 1, 1), TMEMIF_OK);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

/* A ring's record as an engine leaves it that is killed in mid-operation. */
static struct ring_rec *intent(struct world *w, uint16_t op, uint16_t pool_slot, uint64_t object,
                               uint32_t first, uint32_t last, uint64_t generation,
                               enum tmemif_status status)
{
    struct ring_rec *r = &store_rings(w->store)[3];

    *r = (struct ring_rec){.account = 0,
                           .ring = 1,
                           .number = 77,
                           .op = op,
                           .phase = RECORD_INTENT,
                           .pool = pool_slot,
                           .object = {object, 7, 9},
                           .first = first,
                           .last = last,
                           .generation = generation,
                           .status = (uint16_t)status};
    ring_rec_make_live(r);
    return r;
}

static void c32_put_that_was_killed_has_happened_or_has_not(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    uint16_t slot = store_accounts(w.store)[a].pools[p];
    uint64_t generation;
    struct ring_rec *r;

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 5, 5), TMEMIF_OK);
    generation = live_generation(store_desc(w.store, page_of_index(&w, 5))->live);

    /* before its page was live: it may be asked again */
    r = intent(&w, TMEMIF_OP_PAGE_PUT, slot, 1, 5, 5, generation + 10, TMEMIF_OK);
    world_restart_engine(&w);
    CU_ASSERT_EQUAL(r->phase, RECORD_IDLE);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 5), TMEMIF_OK);

    /* after, with the old page live still */
    r = intent(&w, TMEMIF_OP_PAGE_PUT, slot, 1, 5, 5, generation + 10, TMEMIF_OK);
    make_rival(&w, 5, 6, 10);
    world_restart_engine(&w);
    CU_ASSERT_EQUAL(r->phase, RECORD_DONE);
    CU_ASSERT_EQUAL(r->status, TMEMIF_OK);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 6), TMEMIF_OK);
    CU_ASSERT_EQUAL(frames_used(&w), 1);

    /* being refused: the old page goes, and the answer is the refusal */
    r = intent(&w, TMEMIF_OP_PAGE_PUT, slot, 1, 5, 5, 0, TMEMIF_QUOTA);
    world_restart_engine(&w);
    CU_ASSERT_EQUAL(r->phase, RECORD_DONE);
    CU_ASSERT_EQUAL(r->status, TMEMIF_QUOTA);
    CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 6), TMEMIF_MISS);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void c32_flush_that_was_killed_is_finished(void)
{
    static const uint16_t ops[] = {TMEMIF_OP_PAGE_FLUSH, TMEMIF_OP_OBJECT_FLUSH,
                                   TMEMIF_OP_RANGE_FLUSH};
    struct world w = world_make(1024, 0, 1, 4);
    account_nr a = guest(&w, 1, 1000, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    uint16_t slot = store_accounts(w.store)[a].pools[p];

    for (unsigned n = 0; n < 3; n++) {
        uint32_t first = n == 1 ? 0 : 50, last = n == 0 ? 50 : n == 1 ? UINT32_MAX : 150;
        struct ring_rec *r;

        for (uint32_t i = 0; i < 200; i++)
            CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
        r = intent(&w, ops[n], slot, 1, first, last, 0, TMEMIF_OK);
        world_restart_engine(&w);
        CU_ASSERT_EQUAL(guest(&w, 1, 1000, 0), a);
        CU_ASSERT_EQUAL(r->phase, RECORD_DONE);
        CU_ASSERT_EQUAL(r->status, TMEMIF_OK);
        for (uint32_t i = 0; i < 200; i++)
            CU_ASSERT_EQUAL(get(&w, a, p, 1, i, i),
                            i >= first && i <= last ? TMEMIF_MISS : TMEMIF_OK);
        CU_ASSERT(is_sound(&w));
    }
    world_end(&w);
}

static void c32_records_say_done_when_the_operation_is(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 1, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    struct ring_rec r = {.op = TMEMIF_OP_PAGE_PUT};
    struct page_op op = op_of(a, p, 1, 5);

    op.record = &r;
    CU_ASSERT_EQUAL(put_op(&w, &op, 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(r.phase, RECORD_DONE);
    CU_ASSERT_EQUAL(r.status, TMEMIF_OK);
    CU_ASSERT_EQUAL(r.first, 5);

    r.phase = RECORD_IDLE;
    engine_account_set_frozen(w.e, a, true);
    CU_ASSERT_EQUAL(put_op(&w, &op, 2), TMEMIF_FROZEN);
    CU_ASSERT_EQUAL(r.phase, RECORD_DONE);
    CU_ASSERT_EQUAL(r.status, TMEMIF_FROZEN);
    CU_ASSERT_EQUAL(r.generation, 0);

    /* nothing was there, nothing has happened */
    r.phase = RECORD_IDLE;
    CU_ASSERT_EQUAL(put_op(&w, &op, 2), TMEMIF_FROZEN);
    CU_ASSERT_EQUAL(r.phase, RECORD_IDLE);

    r.op = TMEMIF_OP_PAGE_FLUSH;
    CU_ASSERT_EQUAL(engine_flush_page(w.e, &op), TMEMIF_OK);
    CU_ASSERT_EQUAL(r.phase, RECORD_DONE);
    r.phase = RECORD_IDLE;
    r.op = TMEMIF_OP_RANGE_FLUSH;
    CU_ASSERT_EQUAL(engine_flush_range(w.e, &op, 3, 9), TMEMIF_OK);
    CU_ASSERT_EQUAL(r.phase, RECORD_DONE);
    CU_ASSERT_EQUAL(r.first, 3);
    CU_ASSERT_EQUAL(r.last, 9);
    world_end(&w);
}

static void intent_of_no_pool_or_no_sense_is_harmless(void)
{
    struct world w = world_make(256, 0, 1, 4);
    account_nr a = guest(&w, 1, 100, 0);
    uint32_t p = pool(&w, a, PERSISTENT);
    uint16_t slot = store_accounts(w.store)[a].pools[p];

    CU_ASSERT_EQUAL(put(&w, a, p, 1, 5, 5), TMEMIF_OK);
    for (unsigned n = 0; n < 4; n++) {
        struct ring_rec *r =
            n == 0   ? intent(&w, TMEMIF_OP_PAGE_FLUSH, UINT16_MAX, 1, 5, 5, 0, TMEMIF_OK)
            : n == 1 ? intent(&w, TMEMIF_OP_RANGE_FLUSH, slot, 1, 6, 5, 0, TMEMIF_OK)
            : n == 2
                ? intent(&w, 9999, slot, 1, 5, 5, 0, TMEMIF_OK)
                : intent(&w, TMEMIF_OP_PAGE_FLUSH, (uint16_t)(slot + 1), 1, 5, 5, 0, TMEMIF_OK);

        world_restart_engine(&w);
        CU_ASSERT_EQUAL(r->phase, RECORD_IDLE);
        CU_ASSERT_EQUAL(get(&w, a, p, 1, 5, 5), TMEMIF_OK);
    }
    world_end(&w);
}

/* How much of @nr pages of object 1 there is. */
static uint32_t count_pages(struct world *w, account_nr a, uint32_t p, uint32_t nr)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < nr; i++)
        found += get(w, a, p, 1, i, i) == TMEMIF_OK;
    return found;
}

static void lower_limit_is_reached_before_anybody_is_served(void)
{
    struct world w = world_make(8192, 0, 2, 4);
    account_nr a = guest(&w, 1, 2000, 0), b = guest(&w, 2, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, b, INCLUSIVE);

    for (uint32_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    for (uint32_t i = 0; i < 7192; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, 1, i, i), TMEMIF_OK);
    reopen(&w);
    CU_ASSERT_EQUAL(engine_set_limit(w.e, 4096), 4096);
    CU_ASSERT(frames_used(&w) <= 4096 && frames_used(&w) > 4000);
    CU_ASSERT(is_sound(&w));
    guest(&w, 1, 2000, 0);
    guest(&w, 2, 0, PAGES_UNLIMITED);
    for (uint32_t i = 0; i < 2000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(count_pages(&w, a, p, 2000), 2000);
    CU_ASSERT(frames_used(&w) <= 4096);
    world_end(&w);
}

static void persistent_pages_above_a_lower_limit_stay_and_can_be_replaced(void)
{
    struct world w = world_make(8192, 0, 2, 4);
    account_nr a = guest(&w, 1, 8192, 0), b = guest(&w, 2, 0, PAGES_UNLIMITED);
    uint32_t p = pool(&w, a, PERSISTENT), q = pool(&w, b, INCLUSIVE);
    uint32_t limit;

    for (uint32_t i = 0; i < 5000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i + 1), TMEMIF_OK);
    for (uint32_t i = 0; i < 3000; i++)
        CU_ASSERT_EQUAL(put(&w, b, q, 1, i, i), TMEMIF_OK);
    reopen(&w);
    limit = engine_set_limit(w.e, 4096);
    CU_ASSERT(limit > 5000 && limit < 5100);
    CU_ASSERT_EQUAL(frames_used(&w), 5000);
    guest(&w, 1, 8192, 0);
    /* nor does a minimum that is had beside them keep them from that */
    engine_account_set_policy(
        w.e, b, &(struct policy){.min_pages = 200, .max_pages = PAGES_UNLIMITED, .weight = 1});
    for (uint32_t i = 0; i < 200; i++)
        put(&w, b, q, 1, i, i);
    CU_ASSERT_EQUAL(frames_used(&w), limit);
    for (uint32_t i = 0; i < 5000; i++)
        CU_ASSERT_EQUAL(put(&w, a, p, 1, i, i), TMEMIF_OK);
    CU_ASSERT_EQUAL(count_pages(&w, a, p, 5000), 5000);
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(c32_private_pages_pools_and_accounts_are_found_again)                                        \
    T(found_pages_stay_without_a_policy_and_nothing_new_comes)                                     \
    T(lower_limit_is_reached_before_anybody_is_served)                                             \
    T(persistent_pages_above_a_lower_limit_stay_and_can_be_replaced)                               \
    T(c32_shared_pools_are_found_and_rights_must_be_said_again)                                    \
    T(c32_leases_of_the_last_engine_are_refused)                                                   \
    T(c32_of_two_pages_of_one_handle_the_later_wins)                                               \
    T(c32_two_pages_of_one_handle_and_generation_are_both_dropped)                                 \
    T(c32_page_whose_bytes_were_damaged_is_lost_and_no_other)                                      \
    T(c32_whatever_bits_flip_a_page_comes_back_whole_or_not_at_all)                                \
    T(damaged_page_that_is_overwritten_or_flushed_does_no_harm)                                    \
    T(c31_miss_of_a_damaged_page_gives_a_lease)                                                    \
    T(c32_long_flush_holds_and_what_came_after_it_stays)                                           \
    T(c32_destroyed_pools_stay_destroyed_whatever_had_been_reclaimed)                              \
    T(c32_removed_shared_pool_stays_removed)                                                       \
    T(c32_floor_that_was_damaged_uses_no_generations_up)                                           \
    T(c32_seat_in_another_guests_pool_is_not_believed)                                             \
    T(c32_put_that_was_killed_has_happened_or_has_not)                                             \
    T(c32_flush_that_was_killed_is_finished)                                                       \
    T(c32_records_say_done_when_the_operation_is)                                                  \
    T(intent_of_no_pool_or_no_sense_is_harmless)

RUN_TESTS(TESTS)
