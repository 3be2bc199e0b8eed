/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shares of contended ephemeral memory follow the weights, whatever the guests
 * do, and nobody falls below his minimum. The ancestor compared the wrong way
 * round for ten years: the more weight, the more it lost.
 */
#include "tests/lib/runner.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/engine_world.h"

#define INCLUSIVE  TMEMIF_POOL_INCLUSIVE
#define NR_FRAMES  4000u
#define MAX_GUESTS 6u

struct player {
    account_nr account;
    uint32_t pool;
    uint32_t weight;
    unsigned puts; /* in a round; 0: it only sits on what it has */
    uint32_t next;
};

struct game {
    struct world w;
    struct player players[MAX_GUESTS];
    unsigned nr;
    _Atomic uint64_t nr_refused;
};

static void set_policy(struct game *g, unsigned i, uint64_t min, uint32_t weight)
{
    const struct policy policy = {
        .quota_pages = 1000000, .min_pages = min, .max_pages = PAGES_UNLIMITED, .weight = weight};

    g->players[i].weight = weight;
    engine_account_set_policy(g->w.e, g->players[i].account, &policy);
}

static void game_begin_with(struct game *g, uint32_t nr_frames)
{
    memset(g, 0, sizeof(*g));
    g->w = world_make(nr_frames, 0, MAX_GUESTS, 8);
}

static void game_begin(struct game *g)
{
    game_begin_with(g, NR_FRAMES);
}

static void game_end(struct game *g)
{
    CU_ASSERT(is_sound(&g->w));
    world_end(&g->w);
}

static void player_add(struct game *g, uint32_t weight, unsigned puts)
{
    struct player *p = &g->players[g->nr];

    p->account = guest(&g->w, g->nr + 1, 0, 0);
    p->pool = pool(&g->w, p->account, INCLUSIVE);
    p->puts = puts;
    set_policy(g, g->nr, 0, weight);
    g->nr++;
}

static uint64_t held(struct game *g, unsigned i)
{
    struct account_stats stats;

    WORLD_MUST(engine_account_stats(g->w.e, g->players[i].account, &stats));
    return stats.ephemeral_pages;
}

static bool put_next(struct game *g, unsigned i)
{
    struct player *p = &g->players[i];
    struct page_op op = op_of(p->account, p->pool, p->next % 7, p->next);

    op.worker = i;
    p->next++;
    return put_op(&g->w, &op, p->next) == TMEMIF_OK;
}

static void put_many(struct game *g, unsigned i, uint32_t nr)
{
    for (uint32_t n = 0; n < nr; n++)
        g->nr_refused += !put_next(g, i);
}

static void play(struct game *g, unsigned nr_rounds)
{
    for (unsigned round = 0; round < nr_rounds; round++)
        for (unsigned i = 0; i < g->nr; i++)
            put_many(g, i, g->players[i].puts);
}

/* Within 5 % of what it is to be. */
static bool is_about(uint64_t pages, uint64_t expected)
{
    uint64_t off = pages > expected ? pages - expected : expected - pages;

    if (off * 20 > expected)
        printf("%llu pages, not %llu\n", (unsigned long long)pages, (unsigned long long)expected);
    return off * 20 <= expected;
}

/* @pages, shared by weight among the players from @first on. */
static void check_shares(struct game *g, unsigned first, uint64_t pages)
{
    uint64_t weights = 0;

    for (unsigned i = first; i < g->nr; i++)
        weights += g->players[i].weight;
    for (unsigned i = first; i < g->nr; i++)
        CU_ASSERT(is_about(held(g, i), pages * g->players[i].weight / weights));
}

static void hogs_get_what_their_weights_say_however_much_they_put(void)
{
    static const unsigned puts[][4] = {{8, 8, 8, 8}, {32, 16, 8, 4}, {1, 2, 4, 40}, {40, 1, 1, 1}};

    for (unsigned n = 0; n < 4; n++) {
        struct game g;

        game_begin(&g);
        for (unsigned i = 0; i < 4; i++)
            player_add(&g, 1 + i, puts[n][i]);
        play(&g, 8000);
        check_shares(&g, 0, NR_FRAMES);
        CU_ASSERT_EQUAL(g.nr_refused, 0);
        game_end(&g);
    }
}

static void far_apart_weights_are_kept_too(void)
{
    struct game g;

    game_begin(&g);
    player_add(&g, 1, 4);
    player_add(&g, 1, 4);
    player_add(&g, 18, 4);
    play(&g, 4000);
    check_shares(&g, 0, NR_FRAMES);
    game_end(&g);
}

static void hogs_that_only_sit_are_brought_down_to_their_share(void)
{
    struct game g;

    game_begin(&g);
    player_add(&g, 1, 0);
    player_add(&g, 2, 0);
    put_many(&g, 0, NR_FRAMES / 2);
    put_many(&g, 1, NR_FRAMES / 2);
    player_add(&g, 3, 5);
    player_add(&g, 4, 20);
    play(&g, 4000);
    check_shares(&g, 0, NR_FRAMES);
    CU_ASSERT_EQUAL(g.nr_refused, 0);
    game_end(&g);
}

static void who_holds_less_than_its_share_loses_nothing(void)
{
    struct game g;

    game_begin(&g);
    player_add(&g, 5, 0);
    put_many(&g, 0, 300);
    for (uint32_t i = 1; i <= 3; i++)
        player_add(&g, i, 6);
    play(&g, 4000);
    CU_ASSERT_EQUAL(held(&g, 0), 300);
    check_shares(&g, 1, NR_FRAMES - 300);
    game_end(&g);
}

static void new_weights_are_reached_by_the_puts_that_follow(void)
{
    struct game g;

    game_begin(&g);
    for (uint32_t i = 0; i < 3; i++)
        player_add(&g, 1 + i, 6);
    play(&g, 3000);
    check_shares(&g, 0, NR_FRAMES);
    for (unsigned i = 0; i < 3; i++)
        set_policy(&g, i, 0, 5 - 2 * i);
    play(&g, 3000);
    check_shares(&g, 0, NR_FRAMES);
    game_end(&g);
}

static void many_pools_hold_no_more_than_one(void)
{
    struct game g;
    uint32_t pools[20];

    game_begin(&g);
    player_add(&g, 1, 8);
    player_add(&g, 1, 8);
    for (unsigned i = 0; i < 20; i++)
        pools[i] = pool(&g.w, g.players[0].account, i % 2 ? INCLUSIVE : 0);
    for (unsigned round = 0; round < 4000; round++) {
        g.players[0].pool = pools[round % 20];
        play(&g, 1);
    }
    check_shares(&g, 0, NR_FRAMES);
    game_end(&g);
}

/* A shared pool is an account of its own with a weight of its own. */
static void shared_pool_has_its_own_share(void)
{
    const struct policy policy = {.max_pages = PAGES_UNLIMITED, .weight = 2};
    struct pool_stats stats;
    uint8_t uuid[TMEMIF_UUID_LEN];
    uint32_t p, cursor = 0;
    uint64_t nr = 0;
    struct game g;

    game_begin(&g);
    player_add(&g, 1, 8);
    player_add(&g, 1, 8);
    memset(uuid, 5, sizeof(uuid));
    CU_ASSERT_EQUAL(engine_shared_set_policy(g.w.e, uuid, &policy), TMEMIF_OK);
    allow(&g.w, 5, 1, RIGHT_FILL);
    CU_ASSERT_EQUAL(join(&g.w, g.players[0].account, 5, 0, &p), TMEMIF_OK);
    for (uint32_t round = 0; round < 4000; round++) {
        for (uint32_t i = 0; i < 8; i++)
            CU_ASSERT_EQUAL(put(&g.w, g.players[0].account, p, i, round, round), TMEMIF_OK);
        play(&g, 1);
    }
    while (engine_pool_next(g.w.e, &cursor, &stats)) {
        if (stats.account == LAYOUT_NONE)
            nr = stats.info.nr_pages;
    }
    CU_ASSERT(is_about(nr, NR_FRAMES / 2));
    check_shares(&g, 0, NR_FRAMES / 2);
    game_end(&g);
}

struct hog {
    pthread_t id;
    struct game *g;
    unsigned i;
    atomic_uint *nr_done;
};

/* Until the others have done enough too: none has the store for himself at the end. */
static void *hog_main(void *argument)
{
    struct hog *h = argument;

    put_many(h->g, h->i, 10 * NR_FRAMES);
    atomic_fetch_add(h->nr_done, 1);
    while (atomic_load(h->nr_done) < h->g->nr)
        put_next(h->g, h->i);
    return NULL;
}

static void hogs_on_several_workers_get_what_their_weights_say(void)
{
    struct hog hogs[4];
    atomic_uint nr_done = 0;
    struct game g;

    /* each worker may be a choice of victims behind: few pages of a share that is large */
    game_begin_with(&g, 5 * NR_FRAMES);
    for (unsigned i = 0; i < 4; i++)
        player_add(&g, 1 + i, 0);
    for (unsigned i = 0; i < 4; i++) {
        hogs[i] = (struct hog){.g = &g, .i = i, .nr_done = &nr_done};
        WORLD_MUST(pthread_create(&hogs[i].id, NULL, hog_main, &hogs[i]) == 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(hogs[i].id, NULL);
    check_shares(&g, 0, 5 * NR_FRAMES);
    game_end(&g);
}

static void nobody_falls_below_his_minimum_at_any_moment(void)
{
    struct game g;

    game_begin(&g);
    player_add(&g, 1, 1);
    player_add(&g, 100, 7);
    player_add(&g, 100, 9);
    set_policy(&g, 0, 700, 1);
    set_policy(&g, 1, 500, 100);
    put_many(&g, 0, 700);
    put_many(&g, 1, 500);
    for (unsigned round = 0; round < 3000; round++) {
        play(&g, 1);
        CU_ASSERT(held(&g, 0) >= 700);
        CU_ASSERT(held(&g, 1) >= 500);
    }
    CU_ASSERT_EQUAL(g.nr_refused, 0);
    game_end(&g);
}

/* A page that is being replaced is charged twice, and is not one to give for that. */
static void page_that_is_being_replaced_is_of_the_minimum(void)
{
    struct engine_put puts[MAX_GUESTS - 1];
    struct game g;
    void *frame;

    game_begin(&g);
    player_add(&g, 1, 0);
    player_add(&g, 100, 0);
    set_policy(&g, 0, 700, 1);
    put_many(&g, 0, 700);
    put_many(&g, 1, NR_FRAMES);
    for (unsigned i = 0; i < MAX_GUESTS - 1; i++) {
        struct page_op op = op_of(g.players[0].account, g.players[0].pool, i % 7, i);

        op.worker = 1 + i;
        CU_ASSERT_EQUAL(engine_put_begin(g.w.e, &op, &puts[i], &frame), TMEMIF_OK);
        page_fill(frame, i);
    }
    put_many(&g, 1, NR_FRAMES);
    for (unsigned i = 0; i < MAX_GUESTS - 1; i++)
        CU_ASSERT_EQUAL(engine_put_commit(g.w.e, &puts[i]), TMEMIF_OK);
    CU_ASSERT_EQUAL(held(&g, 0), 700);
    CU_ASSERT_EQUAL(g.nr_refused, 0);
    game_end(&g);
}

/* With as many workers as there can be: what they may have under way is not kept by each guest. */
static void minimums_that_fill_the_store_are_had_by_all(void)
{
    enum { NR_GUESTS = 10, MIN = 100 };
    struct world w = world_make(NR_GUESTS * MIN, 0, ENGINE_WORKERS_MOST, 8);
    const struct policy policy = {.min_pages = MIN, .max_pages = PAGES_UNLIMITED, .weight = 1};
    struct account_stats stats;
    account_nr guests[NR_GUESTS];

    for (uint32_t g = 0; g < NR_GUESTS; g++) {
        guests[g] = guest(&w, 1 + g, 0, 0);
        engine_account_set_policy(w.e, guests[g], &policy);
    }
    for (uint32_t g = 0; g < NR_GUESTS; g++) {
        uint32_t p = pool(&w, guests[g], TMEMIF_POOL_INCLUSIVE);

        for (uint32_t i = 0; i < 5 * MIN; i++)
            CU_ASSERT_EQUAL(put(&w, guests[g], p, i, i, i), TMEMIF_OK);
    }
    for (uint32_t g = 0; g < NR_GUESTS; g++) {
        WORLD_MUST(engine_account_stats(w.e, guests[g], &stats));
        CU_ASSERT_EQUAL(stats.ephemeral_pages, MIN);
    }
    world_end(&w);
}

/* Whatever others hold: what is below the minimum is taken in. */
static void nobody_is_refused_below_his_minimum(void)
{
    for (unsigned persistent = 0; persistent < 2; persistent++) {
        struct game g;

        game_begin(&g);
        player_add(&g, 1, 0);
        player_add(&g, 100, 0);
        set_policy(&g, 0, 800, 1);
        if (persistent)
            g.players[1].pool = pool(&g.w, g.players[1].account, TMEMIF_POOL_PERSISTENT);
        put_many(&g, 1, 2 * NR_FRAMES);
        CU_ASSERT_EQUAL(g.nr_refused > 0, persistent);
        atomic_store(&g.nr_refused, 0);
        put_many(&g, 0, 800);
        CU_ASSERT_EQUAL(g.nr_refused, 0);
        CU_ASSERT_EQUAL(held(&g, 0), 800);
        /* and nothing that was accepted went for it */
        put_many(&g, 0, 100);
        CU_ASSERT(held(&g, 0) >= 800);
        game_end(&g);
    }
}

/* A minimum that is not used keeps persistent pages out, and nothing else. */
static void unused_minimum_is_lent_to_ephemeral_pages_only(void)
{
    struct game g;
    struct engine_reserve reserve;
    uint32_t kept;
    unsigned nr = 0;

    game_begin(&g);
    player_add(&g, 1, 0);
    player_add(&g, 1, 0);
    set_policy(&g, 0, 1000, 1);
    kept = pool(&g.w, g.players[1].account, TMEMIF_POOL_PERSISTENT);
    put_many(&g, 1, NR_FRAMES + 500);
    CU_ASSERT_EQUAL(held(&g, 1), NR_FRAMES);
    while (put(&g.w, g.players[1].account, kept, 1, nr, nr) == TMEMIF_OK)
        nr++;
    /* less what every other worker may have under way */
    CU_ASSERT_EQUAL(nr, NR_FRAMES - 1000 - (MAX_GUESTS - 1) * ENGINE_GETS_MOST);
    /* which is what an operator is told that there is */
    reserve = engine_reserve(g.w.e);
    CU_ASSERT_EQUAL(reserve.minimums + reserve.persistent, reserve.limit);
    /* what is there may be overwritten, and what is flushed is room */
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(put(&g.w, g.players[1].account, kept, 1, i, i + 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(flush_object(&g.w, g.players[1].account, kept, 1, 0, 499), TMEMIF_OK);
    for (uint32_t i = 0; i < 500; i++)
        CU_ASSERT_EQUAL(put(&g.w, g.players[1].account, kept, 1, i, i + 2), TMEMIF_OK);
    CU_ASSERT_NOT_EQUAL(put(&g.w, g.players[1].account, kept, 1, nr, nr), TMEMIF_OK);
    /* half of it used: then the other half is kept free */
    put_many(&g, 0, 500);
    CU_ASSERT_EQUAL(held(&g, 0), 500);
    CU_ASSERT_NOT_EQUAL(put(&g.w, g.players[1].account, kept, 1, nr, nr), TMEMIF_OK);
    /* and without the minimum all of it may be had */
    set_policy(&g, 0, 0, 1);
    while (put(&g.w, g.players[1].account, kept, 1, nr, nr) == TMEMIF_OK)
        nr++;
    CU_ASSERT_EQUAL(nr, NR_FRAMES);
    game_end(&g);
}

/* Gets of all other workers have the oldest pages, as many as there can be: the next one goes. */
static void pages_that_are_read_shield_no_others(void)
{
    enum { NR_WORKERS = 16, NR_PINNED = (NR_WORKERS - 1) * ENGINE_GETS_MOST };
    const struct policy policy = {.min_pages = 10, .max_pages = 1000, .weight = 1};
    struct world w = world_make(NR_PINNED + 8, 0, NR_WORKERS, 1);
    account_nr a = guest(&w, 1, 0, 1000), b = guest(&w, 2, 0, 1000);
    uint32_t full = pool(&w, a, INCLUSIVE), poor = pool(&w, b, INCLUSIVE);
    struct engine_get gets[NR_PINNED];
    struct page_op op;
    const void *frame;
    uint32_t word;

    engine_account_set_policy(w.e, b, &policy);
    for (uint32_t n = 0; n < NR_PINNED + 8; n++)
        CU_ASSERT_EQUAL(put(&w, a, full, 1, n, n), TMEMIF_OK);
    for (uint32_t n = 0; n < NR_PINNED; n++) {
        op = op_of(a, full, 1, n);
        op.worker = n / ENGINE_GETS_MOST;
        op.beside = n % ENGINE_GETS_MOST != 0;
        CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &gets[n], &frame, &word, NULL, NULL), TMEMIF_OK);
    }
    op = op_of(b, poor, 1, 0);
    op.worker = NR_WORKERS - 1;
    for (; op.index < 8; op.index++)
        CU_ASSERT_EQUAL(put_op(&w, &op, 1), TMEMIF_OK);
    for (uint32_t n = 0; n < NR_PINNED; n++)
        engine_get_end(w.e, &gets[n], true);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

#define TESTS(T)                                                                                   \
    T(hogs_get_what_their_weights_say_however_much_they_put)                                       \
    T(far_apart_weights_are_kept_too)                                                              \
    T(hogs_that_only_sit_are_brought_down_to_their_share)                                          \
    T(who_holds_less_than_its_share_loses_nothing)                                                 \
    T(new_weights_are_reached_by_the_puts_that_follow)                                             \
    T(many_pools_hold_no_more_than_one)                                                            \
    T(shared_pool_has_its_own_share)                                                               \
    T(hogs_on_several_workers_get_what_their_weights_say)                                          \
    T(nobody_falls_below_his_minimum_at_any_moment)                                                \
    T(page_that_is_being_replaced_is_of_the_minimum)                                               \
    T(minimums_that_fill_the_store_are_had_by_all)                                                 \
    T(nobody_is_refused_below_his_minimum)                                                         \
    T(unused_minimum_is_lent_to_ephemeral_pages_only)                                              \
    T(pages_that_are_read_shield_no_others)

RUN_TESTS(TESTS)
