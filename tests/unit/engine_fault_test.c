/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory, descriptors and room run out at every place where they can, one after
 * the other: store and engine refuse, lose nothing and leave nothing behind.
 */
#include "tests/lib/runner.h"

#include <unistd.h>

#include "tests/lib/fault.h"
#include "tests/unit/engine_world.h"

#define PERSISTENT TMEMIF_POOL_PERSISTENT
#define NR_PAGES   200u

static void c02_store_that_cannot_be_made_leaves_nothing(void)
{
    const struct store_config config = {.nr_frames = 1024, .nr_filled = 64};
    const struct fault_held before = fault_held();

    for (unsigned on = 0; on < 2; on++) {
        uint64_t nth = 0;
        bool refused;

        do {
            struct store *s = NULL;
            const char *why = NULL;
            bool made;

            fault_arm(++nth, on);
            made = store_create(&config, &s, &why);
            refused = fault_disarm();
            CU_ASSERT(made || why != NULL);
            if (made)
                store_close(s);
            CU_ASSERT(fault_nothing_leaked(&before));
        } while (refused);
        CU_ASSERT(nth > 10);
    }
}

/* Whatever of a chunk's memory the system took back: no page is handed out without any. */
static void chunk_that_was_given_back_in_part_is_not_handed_out(void)
{
    for (uint64_t nth = 1; nth < 4; nth++) {
        const struct store_config config = {.nr_frames = STORE_CHUNK_PAGES};
        struct store *s;
        const char *why;
        page_nr page;

        CU_ASSERT_TRUE_FATAL(store_create(&config, &s, &why));
        page = store_page_alloc(s, DESC_FRAME);
        CU_ASSERT_NOT_EQUAL_FATAL(page, LAYOUT_NONE);
        memset(store_frame(s, page), 1, TMEMIF_PAGE_SIZE);
        store_page_free(s, page);
        fault_arm(nth, false);
        store_shrink(s, 1);
        fault_disarm();
        fault_arm(1, true);
        page = store_page_alloc(s, DESC_FRAME);
        fault_disarm();
        CU_ASSERT(page == LAYOUT_NONE || lseek(store_fd(s, STORE_FRAMES), 0, SEEK_HOLE) != 0);
        store_close(s);
    }
}

/* A store as a daemon left it: pages, pools of all kinds, a long flush and an intent under way. */
static void make_past(struct world *w)
{
    account_nr a = guest(w, 1, 10000, 10000);
    uint32_t kept = pool(w, a, PERSISTENT), gone = pool(w, a, PERSISTENT), shared;

    pool(w, a, TMEMIF_POOL_INCLUSIVE);
    share(w, 5, 1000);
    allow(w, 5, 1, RIGHT_FILL);
    WORLD_MUST(join(w, a, 5, PERSISTENT, &shared) == TMEMIF_OK);
    for (uint32_t i = 0; i < NR_PAGES; i++) {
        WORLD_MUST(put(w, a, kept, i % 3, i, i) == TMEMIF_OK);
        WORLD_MUST(put(w, a, gone, i, i, i) == TMEMIF_OK);
        WORLD_MUST(put(w, a, shared, i, 2 * i, i) == TMEMIF_OK);
        WORLD_MUST(put(w, a, kept, 99, i, i) == TMEMIF_OK);
    }
    WORLD_MUST(flush_object(w, a, kept, 99, 0, UINT32_MAX) == TMEMIF_OK);
    WORLD_MUST(engine_pool_destroy(w->e, a, gone) == TMEMIF_OK);
    /* and the daemon is killed */
    engine_destroy(w->e);
    w->e = NULL;
}

static void check_past(struct world *w)
{
    account_nr a = guest(w, 1, 10000, 10000);

    share(w, 5, 1000);
    allow(w, 5, 1, RIGHT_FILL);
    for (uint32_t i = 0; i < NR_PAGES; i++) {
        CU_ASSERT_EQUAL(get(w, a, 0, i % 3, i, i), TMEMIF_OK);
        CU_ASSERT_EQUAL(get(w, a, 0, 99, i, i), TMEMIF_MISS);
        CU_ASSERT_EQUAL(get(w, a, 1, i, i, i), TMEMIF_NO_POOL);
        CU_ASSERT_EQUAL(get(w, a, 3, i, 2 * i, i), TMEMIF_OK);
    }
    CU_ASSERT(is_sound(w));
}

static struct world world_with_past(uint32_t nr_frames)
{
    struct world w = world_make(nr_frames, 64, 1, 4);

    make_past(&w);
    return w;
}

/* Open what @kept holds; the descriptors stay. NULL: it was refused. */
static struct store *open_kept(const int kept[STORE_NR_SEGMENTS])
{
    struct store_damage damage;
    int fds[STORE_NR_SEGMENTS];
    const char *why = NULL;
    struct store *s;

    for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++)
        fds[i] = dup(kept[i]);
    if (!store_open(fds, &s, &damage, &why)) {
        CU_ASSERT_PTR_NOT_NULL(why);
        return NULL;
    }
    CU_ASSERT_EQUAL(damage.descs + damage.records + damage.duplicates, 0);
    return s;
}

static void c32_store_that_cannot_be_opened_is_opened_whole_by_the_next(void)
{
    for (unsigned on = 0; on < 2; on++) {
        struct world w = world_with_past(4096);
        struct fault_held before;
        int kept[STORE_NR_SEGMENTS];
        uint64_t nth = 0;
        bool refused;

        for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++)
            kept[i] = dup(store_fd(w.store, (enum store_segment)i));
        store_close(w.store);
        before = fault_held();
        do {
            fault_arm(++nth, on);
            w.store = open_kept(kept);
            refused = fault_disarm();
            CU_ASSERT(refused || w.store != NULL);
            store_close(w.store);
            CU_ASSERT(fault_nothing_leaked(&before));
        } while (refused);
        CU_ASSERT(nth > 10);
        w.store = open_kept(kept);
        CU_ASSERT_PTR_NOT_NULL_FATAL(w.store);
        w.e = engine_create(w.store, &w.config);
        CU_ASSERT_PTR_NOT_NULL_FATAL(w.e);
        check_past(&w);
        world_end(&w);
        for (unsigned i = 0; i < STORE_NR_SEGMENTS; i++)
            close(kept[i]);
    }
}

static void c32_engine_that_cannot_be_made_loses_nothing(void)
{
    for (unsigned on = 0; on < 2; on++) {
        struct world w = world_with_past(4096);
        const struct fault_held before = fault_held();
        uint64_t nth = 0;
        bool refused;

        do {
            fault_arm(++nth, on);
            w.e = engine_create(w.store, &w.config);
            refused = fault_disarm();
            CU_ASSERT(refused || w.e != NULL);
            if (w.e)
                CU_ASSERT(is_sound(&w));
            engine_destroy(w.e);
            CU_ASSERT(fault_nothing_leaked(&before));
        } while (refused);
        CU_ASSERT(nth > 30);
        w.e = engine_create(w.store, &w.config);
        CU_ASSERT_PTR_NOT_NULL_FATAL(w.e);
        check_past(&w);
        world_end(&w);
    }
}

/* ---- a life of requests ---- */

/* A put may be refused for lack of memory, and then nothing is there (C6); else what was put is. */
static void put_and_look(struct world *w, account_nr a, uint32_t p, uint64_t object, uint32_t index,
                         uint64_t tag, bool keeps)
{
    enum tmemif_status rc = put(w, a, p, object, index, tag), got;

    CU_ASSERT(rc == TMEMIF_OK || rc == TMEMIF_NO_MEMORY);
    got = get(w, a, p, object, index, tag);
    if (rc == TMEMIF_OK && keeps)
        CU_ASSERT_EQUAL(got, TMEMIF_OK);
    if (rc != TMEMIF_OK)
        CU_ASSERT_EQUAL(got, TMEMIF_MISS);
}

/* Everything that may take memory. What is refused is left out. */
static void live(struct world *w)
{
    static const uint32_t flags[] = {PERSISTENT, TMEMIF_POOL_INCLUSIVE, 0};
    account_nr a = guest(w, 1, 100000, 100000);
    uint32_t ids[4];
    bool there[4];

    share(w, 5, 100000);
    allow(w, 5, 1, RIGHT_FILL);
    for (unsigned i = 0; i < 3; i++) {
        enum tmemif_status rc = engine_pool_create(w->e, a, flags[i], &ids[i]);

        there[i] = rc == TMEMIF_OK;
        CU_ASSERT(there[i] || rc == TMEMIF_NO_MEMORY);
    }
    there[3] = join(w, a, 5, PERSISTENT, &ids[3]) == TMEMIF_OK;
    for (uint32_t i = 0; i < 1000; i++) {
        for (unsigned n = 0; n < 4; n++) {
            if (there[n])
                put_and_look(w, a, ids[n], i % 5 ? 1 : i, i * (i % 7), i, n != 2);
        }
    }
    CU_ASSERT(is_sound(w));
    for (unsigned n = 0; n < 4; n++) {
        if (!there[n])
            continue;
        /* rule C16: none of these is ever refused */
        CU_ASSERT_EQUAL(flush(w, a, ids[n], 1, 6), TMEMIF_OK);
        CU_ASSERT_EQUAL(flush_object(w, a, ids[n], 1, 0, UINT32_MAX), TMEMIF_OK);
        CU_ASSERT_EQUAL(get(w, a, ids[n], 1, 12, 2), TMEMIF_MISS);
        put_and_look(w, a, ids[n], 1, 12, 77, n != 2);
    }
    if (there[1])
        CU_ASSERT_EQUAL(engine_pool_destroy(w->e, a, ids[1]), TMEMIF_OK);
    engine_account_fence(w->e, a);
    reclaim_all(w);
    CU_ASSERT(is_sound(w));
}

static void c06_c16_whatever_runs_out_requests_are_refused_and_counters_right(void)
{
    const struct fault_held before = fault_held();

    for (unsigned on = 0; on < 2; on++) {
        uint64_t nth = 0;
        bool refused;

        do {
            struct world w = world_make(8192, 32, 1, 8);

            fault_arm(++nth, on);
            live(&w);
            refused = fault_disarm();
            /* once there is memory again all is as before */
            live(&w);
            engine_account_close(w.e, 0);
            reclaim_all(&w);
            CU_ASSERT(is_sound(&w));
            world_end(&w);
            CU_ASSERT(fault_nothing_leaked(&before));
        } while (refused);
        CU_ASSERT(nth > 20);
    }
}

#define TESTS(T)                                                                                   \
    T(c02_store_that_cannot_be_made_leaves_nothing)                                                \
    T(chunk_that_was_given_back_in_part_is_not_handed_out)                                         \
    T(c32_store_that_cannot_be_opened_is_opened_whole_by_the_next)                                 \
    T(c32_engine_that_cannot_be_made_loses_nothing)                                                \
    T(c06_c16_whatever_runs_out_requests_are_refused_and_counters_right)

RUN_TESTS(TESTS)
