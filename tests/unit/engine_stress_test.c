/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many workers and the control thread at one engine at once. Run under ThreadSanitizer too. */
#include "tests/lib/runner.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/lib/random.h"
#include "tests/unit/engine_world.h"

#define NR_WORKERS 4u
#define NR_HANDLES 64u
#define NR_OPS     30000u

/* A page says of which handle and of which version it is, in every word. */
static void stamp(uint64_t *page, uint64_t handle, uint64_t version)
{
    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*page); i++)
        page[i] = i == 0 ? version : handle << 32 ^ version * 0x9e3779b97f4a7c15ull ^ i;
}

static bool stamp_is_whole(const uint64_t *page, uint64_t handle)
{
    uint64_t version = page[0];

    for (unsigned i = 1; i < TMEMIF_PAGE_SIZE / sizeof(*page); i++) {
        if (page[i] != (handle << 32 ^ version * 0x9e3779b97f4a7c15ull ^ i))
            return false;
    }
    return true;
}

struct stress {
    struct world w;
    account_nr guests[NR_WORKERS];
    uint32_t pools[NR_WORKERS];
    /*
     * Of the handle's only writer: twice the version of the last operation that
     * was answered, plus one if it was a put.
     */
    _Atomic uint64_t answered[NR_HANDLES];
    _Atomic uint64_t begun[NR_HANDLES]; /* the version of the last operation that it began */
    _Atomic bool stop;
    atomic_uint nr_wrong;
};

struct thread {
    pthread_t id;
    struct stress *s;
    unsigned worker;
};

static void run(struct stress *s, void *(*body)(void *), void *(*control)(void *))
{
    struct thread threads[NR_WORKERS], controller = {.s = s};

    for (unsigned i = 0; i < NR_WORKERS; i++) {
        threads[i] = (struct thread){.s = s, .worker = i};
        WORLD_MUST(pthread_create(&threads[i].id, NULL, body, &threads[i]) == 0);
    }
    if (control)
        WORLD_MUST(pthread_create(&controller.id, NULL, control, &controller) == 0);
    for (unsigned i = 0; i < NR_WORKERS; i++)
        pthread_join(threads[i].id, NULL);
    atomic_store(&s->stop, true);
    if (control)
        pthread_join(controller.id, NULL);
}

static struct stress *stress_make(uint32_t nr_frames, uint32_t flags)
{
    struct stress *s = calloc(1, sizeof(*s));

    WORLD_MUST(s != NULL);
    s->w = world_make(nr_frames, 64, NR_WORKERS, 4);
    share(&s->w, 5, 100000);
    for (unsigned i = 0; i < NR_WORKERS; i++) {
        s->guests[i] = guest(&s->w, i + 1, 200, 200);
        allow(&s->w, 5, i + 1, RIGHT_FILL);
        WORLD_MUST(join(&s->w, s->guests[i], 5, flags, &s->pools[i]) == TMEMIF_OK);
    }
    return s;
}

static void stress_end(struct stress *s)
{
    reclaim_all(&s->w);
    CU_ASSERT(is_sound(&s->w));
    CU_ASSERT_EQUAL(atomic_load(&s->nr_wrong), 0);
    world_end(&s->w);
    free(s);
}

static void write_one(struct stress *s, unsigned worker, uint32_t handle, uint64_t version,
                      bool is_put)
{
    struct page_op op = op_of(s->guests[worker], s->pools[worker], handle % 8, handle);
    struct engine_put put;
    void *frame;

    op.worker = worker;
    atomic_store(&s->begun[handle], version);
    if (!is_put) {
        if (engine_flush_page(s->w.e, &op) != TMEMIF_OK)
            atomic_fetch_add(&s->nr_wrong, 1);
    } else if (engine_put_begin(s->w.e, &op, &put, &frame) == TMEMIF_OK) {
        stamp(frame, handle, version);
        is_put = engine_put_commit(s->w.e, &put) == TMEMIF_OK;
    } else {
        is_put = false;
    }
    atomic_store(&s->answered[handle], version * 2 + is_put);
}

/* What is read was not overwritten before the read began, and never goes back. */
static void read_one(struct stress *s, unsigned worker, uint32_t handle, bool is_persistent,
                     uint64_t *seen)
{
    struct page_op op = op_of(s->guests[worker], s->pools[worker], handle % 8, handle);
    uint64_t before = atomic_load(&s->answered[handle]);
    struct engine_get get;
    const void *frame;
    uint32_t word;

    op.worker = worker;
    if (engine_get_begin(s->w.e, &op, &get, &frame, &word, NULL, NULL) == TMEMIF_OK) {
        uint64_t version;

        if (!frame || !stamp_is_whole(frame, handle)) {
            atomic_fetch_add(&s->nr_wrong, 1);
            engine_get_end(s->w.e, &get, true);
            return;
        }
        version = *(const uint64_t *)frame;
        engine_get_end(s->w.e, &get, true);
        /* as new as the last answer; after an answered flush, newer */
        if (version < before / 2 + !(before & 1) || version < *seen)
            atomic_fetch_add(&s->nr_wrong, 1);
        *seen = version;
        return;
    }
    /* a persistent page is found unless the writer's next operation had begun */
    if (is_persistent && (before & 1) && atomic_load(&s->begun[handle]) == before / 2)
        atomic_fetch_add(&s->nr_wrong, 1);
}

static void work(struct thread *t, bool is_persistent)
{
    uint64_t random = t->worker, version = 1;
    uint64_t seen[NR_HANDLES] = {0};

    for (unsigned i = 0; i < NR_OPS; i++) {
        uint32_t handle = seeded_below(&random, NR_HANDLES);

        if (handle % NR_WORKERS == t->worker)
            write_one(t->s, t->worker, handle, version++, seeded_below(&random, 4) != 0);
        else
            read_one(t->s, t->worker, handle, is_persistent, &seen[handle]);
        if (i % 64 == 0)
            engine_reclaim(t->s->w.e, 16);
    }
}

static void *work_persistent(void *argument)
{
    work(argument, true);
    return NULL;
}

static void *work_ephemeral(void *argument)
{
    work(argument, false);
    return NULL;
}

static void c19_c24_readers_see_each_writers_operations_in_order(void)
{
    struct stress *s = stress_make(1024, TMEMIF_POOL_PERSISTENT);

    run(s, work_persistent, NULL);
    stress_end(s);
}

static void c19_holds_while_pages_are_evicted(void)
{
    struct stress *s = stress_make(40, 0);

    run(s, work_ephemeral, NULL);
    stress_end(s);
}

/* Epochs, freezing, policy, rights, and everything that looks. */
static void *control(void *argument)
{
    struct stress *s = ((struct thread *)argument)->s;
    uint64_t random = 99;

    while (!atomic_load(&s->stop)) {
        uint32_t what = seeded_below(&random, 7), g = seeded_below(&random, NR_WORKERS);
        struct engine_metrics metrics;
        struct pool_stats stats;
        uint32_t cursor = 0;

        switch (what) {
        case 0:
            engine_account_fence(s->w.e, s->guests[g]);
            break;
        case 1:
            engine_account_set_frozen(s->w.e, s->guests[g], seeded_below(&random, 2));
            break;
        case 2:
            allow(&s->w, 5, g + 1, seeded_below(&random, 8) ? RIGHT_FILL : RIGHT_NONE);
            break;
        case 3:
            share(&s->w, 5, seeded_below(&random, 200));
            break;
        case 4:
            engine_metrics(s->w.e, &metrics);
            break;
        case 5:
            while (engine_pool_next(s->w.e, &cursor, &stats))
                continue;
            break;
        default:
            store_set_limit(s->w.store, 100 + seeded_below(&random, 100));
        }
    }
    return NULL;
}

/* All that one guest may do, at its own pools and the shared one. */
static void *churn(void *argument)
{
    struct thread *t = argument;
    struct stress *s = t->s;
    struct world *w = &s->w;
    account_nr a = s->guests[t->worker];
    uint64_t random = 1000 + t->worker;
    uint32_t own[3] = {pool(w, a, 0), pool(w, a, TMEMIF_POOL_PERSISTENT),
                       pool(w, a, TMEMIF_POOL_INCLUSIVE)};

    for (unsigned i = 0; i < NR_OPS; i++) {
        uint32_t which = seeded_below(&random, 4);
        uint32_t id = which < 3 ? own[which] : s->pools[t->worker];
        uint32_t object = seeded_below(&random, 3), index = seeded_below(&random, 200);
        struct page_op op = op_of(a, id, object, index);
        struct engine_put put;
        struct engine_get get;
        const void *found;
        void *frame;
        uint32_t word, what = seeded_below(&random, 1000);
        uint64_t handle = which * 1000 + object;

        op.worker = t->worker;
        if (what < 550) {
            if (engine_put_begin(w->e, &op, &put, &frame) != TMEMIF_OK)
                continue;
            stamp(frame, handle, i);
            if (what < 10)
                engine_put_abort(w->e, &put, TMEMIF_BAD_GRANT);
            else
                engine_put_commit(w->e, &put);
        } else if (what < 900) {
            if (engine_get_begin(w->e, &op, &get, &found, &word, NULL, NULL) != TMEMIF_OK)
                continue;
            if (!found || !stamp_is_whole(found, handle))
                atomic_fetch_add(&s->nr_wrong, 1);
            engine_get_end(w->e, &get, what < 880);
        } else if (what < 950) {
            engine_flush_page(w->e, &op);
        } else if (what < 970) {
            while (engine_flush_range(w->e, &op, index, UINT32_MAX) == TMEMIF_BUSY)
                engine_reclaim(w->e, 64);
        } else if (what < 975 && which < 3) {
            if (engine_pool_destroy(w->e, a, id) != TMEMIF_OK)
                atomic_fetch_add(&s->nr_wrong, 1);
            own[which] = pool(w, a,
                              which == 0   ? 0
                              : which == 1 ? TMEMIF_POOL_PERSISTENT
                                           : TMEMIF_POOL_INCLUSIVE);
        } else {
            engine_reclaim(w->e, 32);
        }
    }
    return NULL;
}

static void everything_at_once_leaves_every_counter_right(void)
{
    struct stress *s = stress_make(200, 0);

    run(s, churn, control);
    stress_end(s);
}

/* Two rings of one guest: it leaves the pool on one while it puts on the other. */
static void *leave_and_join(void *argument)
{
    struct thread *t = argument;
    struct stress *s = t->s;
    account_nr a = s->guests[0];
    uint64_t random = t->worker;

    for (unsigned i = 0; i < NR_OPS; i++) {
        uint32_t id = seeded_below(&random, 3);
        struct page_op op = op_of(a, id, seeded_below(&random, 4), seeded_below(&random, 100));
        struct engine_put put;
        void *frame;

        op.worker = t->worker;
        if (t->worker == 0) {
            uint32_t made;

            engine_pool_destroy(s->w.e, a, id);
            engine_pool_create(s->w.e, a, seeded_below(&random, 2) ? TMEMIF_POOL_PERSISTENT : 0,
                               &made);
            engine_reclaim(s->w.e, 16);
        } else if (engine_put_begin(s->w.e, &op, &put, &frame) == TMEMIF_OK) {
            stamp(frame, id, i);
            engine_put_commit(s->w.e, &put);
        }
    }
    return NULL;
}

static void c15_pools_that_go_while_others_put_leave_nothing_behind(void)
{
    struct stress *s = stress_make(400, 0);

    run(s, leave_and_join, NULL);
    /* one of the first pools was the shared one, in which the others are still */
    for (unsigned i = 0; i < NR_WORKERS; i++)
        engine_account_reset(s->w.e, s->guests[i]);
    reclaim_all(&s->w);
    CU_ASSERT_EQUAL(frames_used(&s->w), 0);
    stress_end(s);
}

static void *reclaim(void *argument)
{
    struct stress *s = ((struct thread *)argument)->s;

    while (!atomic_load(&s->stop))
        engine_reclaim(s->w.e, 8);
    return NULL;
}

/* The last member leaves a pool whose new epoch is being reclaimed, and founds it anew. */
static void *fence_and_leave(void *argument)
{
    struct thread *t = argument;
    struct world *w = &t->s->w;
    account_nr a = t->s->guests[t->worker];
    uint8_t uuid = (uint8_t)(10 + t->worker);

    for (unsigned i = 0; i < NR_OPS / 3; i++) {
        enum tmemif_status rc;
        uint32_t id;

        WORLD_MUST(join(w, a, uuid, 0, &id) == TMEMIF_OK);
        for (uint32_t index = 0; index < 3; index++) {
            struct page_op op = op_of(a, id, index, i);

            op.worker = t->worker;
            rc = put_op(w, &op, i);
            WORLD_MUST(rc == TMEMIF_OK || rc == TMEMIF_QUOTA || rc == TMEMIF_NO_MEMORY);
            if (index == 1)
                engine_account_fence(w->e, a);
        }
        WORLD_MUST(engine_pool_leave(w->e, a, id) == TMEMIF_OK);
    }
    return NULL;
}

static void c25_last_one_out_of_a_pool_that_begins_an_epoch_leaves_nothing_behind(void)
{
    struct stress *s = stress_make(400, 0);

    for (unsigned i = 0; i < NR_WORKERS; i++) {
        share(&s->w, (uint8_t)(10 + i), 100);
        allow(&s->w, (uint8_t)(10 + i), i + 1, RIGHT_FILL);
    }
    run(s, fence_and_leave, reclaim);
    reclaim_all(&s->w);
    CU_ASSERT_EQUAL(frames_used(&s->w), 0);
    stress_end(s);
}

#define TESTS(T)                                                                                   \
    T(c19_c24_readers_see_each_writers_operations_in_order)                                        \
    T(c19_holds_while_pages_are_evicted)                                                           \
    T(everything_at_once_leaves_every_counter_right)                                               \
    T(c15_pools_that_go_while_others_put_leave_nothing_behind)                                     \
    T(c25_last_one_out_of_a_pool_that_begins_an_epoch_leaves_nothing_behind)

RUN_TESTS(TESTS)
