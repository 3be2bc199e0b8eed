/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Killed at any instruction of what makes pages, pools, accounts and tombstones live
 * or dead: the next engine finds all of it done or nothing of it, and once
 * it was done it stays so (rule C32).
 */
#include "tests/lib/runner.h"

#include "tests/lib/step.h"
#include "tests/unit/engine_world.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT
#define NR_FRAMES  128u
/* More than are flushed at once, so that a tombstone stands for them. */
#define NR_MANY 80u

/* What the next daemon may find of an act. */
enum found { BEFORE, AFTER, NEITHER };

struct act {
    void (*prepare)(struct world *w);
    void (*run)(struct world *w);
    enum found (*find)(struct world *w);
};

struct trial {
    struct world w;
    const struct act *act;
    uint64_t last;
    bool was_after;
    unsigned nr_before, nr_after, nr_wrong;
};

/* Guests, their pools and what the operator says, as after any start. */
static void say_policy(struct world *w)
{
    guest(w, 1, 300, 300);
    guest(w, 2, 300, 300);
    share(w, 5, 300);
    share(w, 6, 300);
    for (uint32_t domid = 1; domid <= 2; domid++) {
        allow(w, 5, domid, RIGHT_FILL);
        allow(w, 6, domid, RIGHT_FILL);
    }
}

/* Pool 0 of guest 1, account 0, is persistent and has a page that nothing here touches. */
static void begin(struct world *w)
{
    *w = world_make(NR_FRAMES, 16, 1, 1);
    say_policy(w);
    pool(w, 0, PERSISTENT);
    WORLD_MUST(put(w, 0, 0, 999, 9, 99) == TMEMIF_OK);
}

/* ---- is it as before, or as after? ---- */

static const char *look_at_copy(struct trial *t)
{
    struct world next = {.config = t->w.config, .store = step_copy_store(t->w.store)};
    const char *wrong = NULL;
    enum found found;

    if (!next.store)
        return "the segments were refused";
    if (store_damage(next.store)->descs || store_damage(next.store)->records)
        wrong = "something was half written";
    next.e = engine_create(next.store, &next.config);
    WORLD_MUST(next.e != NULL);
    say_policy(&next);
    if (get(&next, 0, 0, 999, 9, 99) != TMEMIF_OK)
        wrong = "what was not touched is lost";
    found = t->act->find(&next);
    t->nr_before += found == BEFORE;
    t->nr_after += found == AFTER;
    if (found == NEITHER)
        wrong = "it has happened in part";
    if (found == BEFORE && t->was_after)
        wrong = "what had happened was undone";
    t->was_after = found == AFTER;
    if (engine_check(next.e))
        wrong = engine_check(next.e);
    engine_destroy(next.e);
    store_close(next.store);
    return wrong;
}

static bool look(void *arg)
{
    struct trial *t = arg;
    uint64_t now = step_fingerprint(t->w.store);
    const char *wrong;

    if (now == t->last)
        return true;
    t->last = now;
    wrong = look_at_copy(t);
    if (wrong)
        printf("after %u states before and %u after: %s\n", t->nr_before, t->nr_after, wrong);
    t->nr_wrong += wrong != NULL;
    return wrong == NULL;
}

static void run_act(void *arg)
{
    struct trial *t = arg;

    t->act->run(&t->w);
}

static void try_act(const struct act *act)
{
    struct trial t = {.act = act};

    begin(&t.w);
    act->prepare(&t.w);
    CU_ASSERT_TRUE(step_through(run_act, look, &t));
    CU_ASSERT_EQUAL(t.nr_wrong, 0);
    /* it was stepped, and looked at on both sides of what makes it so */
    CU_ASSERT(t.nr_before > 0);
    CU_ASSERT(t.nr_after > 0);
    /* what this process has of the engine is older than the store: no end of a world */
    engine_destroy(t.w.e);
    store_close(t.w.store);
}

/* ---- acts ---- */

static void nothing(struct world *w)
{
    (void)w;
}

static enum found page_or_page(struct world *w, uint64_t tag_before, uint64_t tag_after)
{
    enum tmemif_status rc = get(w, 0, 0, 1, 1, tag_before);

    if (rc == TMEMIF_OK)
        return BEFORE;
    return get(w, 0, 0, 1, 1, tag_after) == TMEMIF_OK ? AFTER : NEITHER;
}

static void put_7(struct world *w)
{
    put(w, 0, 0, 1, 1, 7);
}

static void put_8(struct world *w)
{
    put(w, 0, 0, 1, 1, 8);
    flush(w, 0, 0, 5, 5); /* one store more, after it */
    put(w, 0, 0, 5, 5, 5);
}

static enum found is_8_or_none(struct world *w)
{
    enum tmemif_status rc = get(w, 0, 0, 1, 1, 8);

    return rc == TMEMIF_OK ? AFTER : rc == TMEMIF_MISS ? BEFORE : NEITHER;
}

static void c32_put_that_is_killed_is_there_or_not(void)
{
    try_act(&(struct act){nothing, put_8, is_8_or_none});
}

static enum found is_8_or_7(struct world *w)
{
    return page_or_page(w, 7, 8);
}

static void c32_overwriting_put_that_is_killed_leaves_the_old_page_or_the_new(void)
{
    try_act(&(struct act){put_7, put_8, is_8_or_7});
}

static void flush_it(struct world *w)
{
    flush(w, 0, 0, 1, 1);
    put(w, 0, 0, 5, 5, 5);
}

static enum found is_gone_or_7(struct world *w)
{
    enum tmemif_status rc = get(w, 0, 0, 1, 1, 7);

    return rc == TMEMIF_OK ? BEFORE : rc == TMEMIF_MISS ? AFTER : NEITHER;
}

static void c32_flushed_page_does_not_come_back(void)
{
    try_act(&(struct act){put_7, flush_it, is_gone_or_7});
}

/* The put is refused and the old page goes (C6). */
static void put_7_and_freeze(struct world *w)
{
    put_7(w);
    engine_account_set_frozen(w->e, 0, true);
}

static void put_in_vain(struct world *w)
{
    put(w, 0, 0, 1, 1, 8);
}

static void c06_c32_refused_put_that_is_killed_leaves_the_old_page_or_none(void)
{
    try_act(&(struct act){put_7_and_freeze, put_in_vain, is_gone_or_7});
}

/* What is dead is reclaimed, too, but where every instruction counts. */
static void reclaim(struct world *w)
{
    if (!STEP_IS_SLOW)
        reclaim_all(w);
}

static void put_many(struct world *w)
{
    for (uint32_t i = 0; i < NR_MANY; i++)
        WORLD_MUST(put(w, 0, 0, 1, i, i) == TMEMIF_OK);
}

static enum found all_or_none(struct world *w, uint32_t pool_id)
{
    uint32_t nr = 0;

    for (uint32_t i = 0; i < NR_MANY; i++)
        nr += get(w, 0, pool_id, 1, i, i) == TMEMIF_OK;
    return nr == NR_MANY ? BEFORE : nr == 0 ? AFTER : NEITHER;
}

static void flush_many(struct world *w)
{
    while (flush_object(w, 0, 0, 1, 0, UINT32_MAX) == TMEMIF_BUSY)
        engine_reclaim(w->e, 0, 64);
    reclaim(w);
}

static enum found all_or_none_of_0(struct world *w)
{
    return all_or_none(w, 0);
}

static void c32_long_flush_has_happened_whole_or_not_at_all(void)
{
    try_act(&(struct act){put_many, flush_many, all_or_none_of_0});
}

static void make_pool(struct world *w)
{
    pool(w, 0, PERSISTENT);
    WORLD_MUST(put(w, 0, 1, 1, 1, 1) == TMEMIF_OK);
}

static enum found is_pool_there(struct world *w)
{
    struct tmemif_pool_info info;
    enum tmemif_status rc = engine_pool_info(w->e, 0, 1, &info);

    return rc == TMEMIF_OK ? AFTER : rc == TMEMIF_NO_POOL ? BEFORE : NEITHER;
}

static void c32_pool_that_is_being_made_is_there_or_not(void)
{
    try_act(&(struct act){nothing, make_pool, is_pool_there});
}

static void make_full_pool(struct world *w)
{
    pool(w, 0, PERSISTENT);
    for (uint32_t i = 0; i < NR_MANY; i++)
        WORLD_MUST(put(w, 0, 1, 1, i, i) == TMEMIF_OK);
}

static void destroy_pool(struct world *w)
{
    engine_pool_destroy(w->e, 0, 1);
    reclaim(w);
}

static enum found all_or_no_pool(struct world *w)
{
    enum found found = is_pool_there(w);

    if (found == BEFORE) /* there is none: of a destroyed pool that is how it is after */
        return AFTER;
    return found == AFTER && all_or_none(w, 1) == BEFORE ? BEFORE : NEITHER;
}

static void c32_destroyed_pool_is_gone_with_all_its_pages_or_whole(void)
{
    try_act(&(struct act){make_full_pool, destroy_pool, all_or_no_pool});
}

static void close_account(struct world *w)
{
    engine_account_close(w->e, 1);
    reclaim(w);
}

static void give_guest_2_a_page(struct world *w)
{
    pool(w, 1, PERSISTENT);
    WORLD_MUST(put(w, 1, 0, 1, 1, 7) == TMEMIF_OK);
}

static enum found has_guest_2_its_page(struct world *w)
{
    enum tmemif_status rc = get(w, 1, 0, 1, 1, 7);

    return rc == TMEMIF_OK ? BEFORE : rc == TMEMIF_NO_POOL ? AFTER : NEITHER;
}

static void c27_c32_guest_that_is_gone_has_all_or_nothing(void)
{
    try_act(&(struct act){give_guest_2_a_page, close_account, has_guest_2_its_page});
}

static void join_persistent(struct world *w)
{
    uint32_t id;

    WORLD_MUST(join(w, 0, 5, PERSISTENT, &id) == TMEMIF_OK && id == 1);
}

static void c32_shared_pool_that_is_being_joined_is_there_or_not(void)
{
    try_act(&(struct act){nothing, join_persistent, is_pool_there});
}

static void fill_shared(struct world *w)
{
    join_persistent(w);
    for (uint32_t i = 0; i < NR_MANY; i++)
        WORLD_MUST(put(w, 0, 1, 1, i, i) == TMEMIF_OK);
}

static void remove_shared(struct world *w)
{
    uint8_t uuid[TMEMIF_UUID_LEN];

    memset(uuid, 5, sizeof(uuid));
    engine_shared_remove(w->e, uuid);
    reclaim(w);
}

static void c25_c32_removed_shared_pool_is_gone_whole_or_there_whole(void)
{
    try_act(&(struct act){fill_shared, remove_shared, all_or_no_pool});
}

/* Its pages stay for who joins again. */
static void leave_shared(struct world *w)
{
    engine_pool_leave(w->e, 0, 1);
    reclaim(w);
}

static enum found is_left_or_joined(struct world *w)
{
    bool joined = is_pool_there(w) == AFTER;
    uint32_t id;

    if (join(w, 0, 5, PERSISTENT, &id) != TMEMIF_OK || all_or_none(w, id) != BEFORE)
        return NEITHER;
    return joined ? BEFORE : AFTER;
}

static void c25_c32_member_that_leaves_a_persistent_pool_moves_nothing(void)
{
    try_act(&(struct act){fill_shared, leave_shared, is_left_or_joined});
}

#define TESTS(T)                                                                                   \
    T(c32_put_that_is_killed_is_there_or_not)                                                      \
    T(c32_overwriting_put_that_is_killed_leaves_the_old_page_or_the_new)                           \
    T(c32_flushed_page_does_not_come_back)                                                         \
    T(c06_c32_refused_put_that_is_killed_leaves_the_old_page_or_none)                              \
    T(c32_long_flush_has_happened_whole_or_not_at_all)                                             \
    T(c32_pool_that_is_being_made_is_there_or_not)                                                 \
    T(c32_destroyed_pool_is_gone_with_all_its_pages_or_whole)                                      \
    T(c27_c32_guest_that_is_gone_has_all_or_nothing)                                               \
    T(c32_shared_pool_that_is_being_joined_is_there_or_not)                                        \
    T(c25_c32_removed_shared_pool_is_gone_whole_or_there_whole)                                    \
    T(c25_c32_member_that_leaves_a_persistent_pool_moves_nothing)

RUN_TESTS(TESTS)
