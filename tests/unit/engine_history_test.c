/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rule C19, judged: several workers put, get and flush the same few pages of a
 * shared pool, and every history is linearizable. engine_stress_test gives each
 * handle one writer; here all of them write.
 */
#include "tests/lib/runner.h"

#include <pthread.h>
#include <unistd.h>

#include "tests/lib/history.h"
#include "tests/lib/random.h"
#include "tests/unit/engine_world.h"

#define NR_WORKERS 4u
#define NR_HANDLES 12u
#define NR_OPS     60000u

/* What the control thread does meanwhile. */
enum mischief { NONE, SHORT_OF_MEMORY, FENCE };

struct trial {
    struct world w;
    account_nr guests[NR_WORKERS];
    uint32_t pools[NR_WORKERS];
    _Atomic uint64_t clock;
    struct history_notes notes[NR_WORKERS + 1]; /* and the control thread's */
    atomic_uint nr_wrong;
    _Atomic bool stop;
    enum mischief mischief;
};

struct thread {
    pthread_t id;
    struct trial *t;
    unsigned worker;
    uint64_t random;
};

/* Three objects, so that pages of one object and of several are worked at. */
static struct page_op op_at(const struct thread *me, uint32_t handle)
{
    struct page_op op =
        op_of(me->t->guests[me->worker], me->t->pools[me->worker], handle % 3, handle);

    op.worker = me->worker;
    return op;
}

static void note(struct thread *me, uint32_t handle, enum history_kind kind, uint64_t value,
                 uint64_t begun)
{
    history_note(&me->t->notes[me->worker], &me->t->clock, handle, kind, value, begun);
}

/* A page says of which handle it is and which value it has, and one in four is same-filled. */
static void put_one(struct thread *me, uint32_t handle, uint32_t serial)
{
    struct page_op op = op_at(me, handle);
    uint32_t value = (serial * NR_WORKERS + me->worker) * NR_HANDLES + handle + NR_HANDLES;
    bool aborts = seeded_below(&me->random, 20) == 0;
    uint64_t begun = history_now(&me->t->clock);
    struct engine_put put;
    uint32_t *frame;
    enum tmemif_status rc = engine_put_begin(me->t->w.e, &op, &put, (void **)&frame);

    if (rc == TMEMIF_OK) {
        for (unsigned i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*frame); i++)
            frame[i] = value + (serial % 4 ? i * 77 : 0);
        rc = aborts ? engine_put_abort(me->t->w.e, &put, TMEMIF_BAD_GRANT)
                    : engine_put_commit(me->t->w.e, &put);
    }
    if (rc > TMEMIF_BAD_GRANT)
        atomic_fetch_add(&me->t->nr_wrong, 1);
    note(me, handle, rc == TMEMIF_OK ? HISTORY_PUT : HISTORY_REFUSED, value, begun);
}

static bool page_is_whole(const uint32_t *frame)
{
    bool filled = frame[1] == frame[0];

    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*frame); i++) {
        if (frame[i] != frame[0] + (filled ? 0 : i * 77))
            return false;
    }
    return true;
}

static void get_one(struct thread *me, uint32_t handle)
{
    struct page_op op = op_at(me, handle);
    uint64_t begun = history_now(&me->t->clock);
    struct engine_get get;
    const uint32_t *frame;
    uint32_t value;
    enum tmemif_status rc =
        engine_get_begin(me->t->w.e, &op, &get, (const void **)&frame, &value, NULL, NULL);

    if (rc != TMEMIF_OK) {
        if (rc != TMEMIF_MISS)
            atomic_fetch_add(&me->t->nr_wrong, 1);
        note(me, handle, HISTORY_MISS, 0, begun);
        return;
    }
    if (frame) {
        value = frame[0];
        if (!page_is_whole(frame))
            atomic_fetch_add(&me->t->nr_wrong, 1);
    }
    engine_get_end(me->t->w.e, &get, true);
    if (value % NR_HANDLES != handle)
        atomic_fetch_add(&me->t->nr_wrong, 1);
    note(me, handle, HISTORY_HIT, value, begun);
}

/* One page, or a range; a range is an operation on each of its pages. */
static void flush_some(struct thread *me, uint32_t handle)
{
    struct page_op op = op_at(me, handle);
    uint64_t begun = history_now(&me->t->clock);

    if (seeded_below(&me->random, 4) != 0) {
        if (engine_flush_page(me->t->w.e, &op) != TMEMIF_OK)
            atomic_fetch_add(&me->t->nr_wrong, 1);
        note(me, handle, HISTORY_FLUSH, 0, begun);
        return;
    }
    while (engine_flush_range(me->t->w.e, &op, handle, UINT32_MAX) == TMEMIF_BUSY)
        engine_reclaim(me->t->w.e, me->worker, 64);
    for (; handle < NR_HANDLES; handle += 3)
        note(me, handle, HISTORY_FLUSH, 0, begun);
}

/* More pages of the object than are flushed at once: then a flush is a tombstone, and memory short.
 */
static void fill_behind(struct thread *me, uint32_t handle)
{
    struct page_op op = op_at(me, handle);

    for (unsigned i = 0; i < 8; i++) {
        struct engine_put put;
        void *frame;

        op.index = 1000 + seeded_below(&me->random, 300);
        if (engine_put_begin(me->t->w.e, &op, &put, &frame) != TMEMIF_OK)
            return;
        page_fill(frame, op.index);
        engine_put_commit(me->t->w.e, &put);
    }
}

static void *work(void *argument)
{
    struct thread *me = argument;

    for (uint32_t i = 0; i < NR_OPS; i++) {
        uint32_t handle = seeded_below(&me->random, NR_HANDLES),
                 what = seeded_below(&me->random, 100);

        if (what < 40)
            put_one(me, handle, i);
        else if (what < 80)
            get_one(me, handle);
        else if (what < 95)
            flush_some(me, handle);
        else if (what < 98)
            fill_behind(me, handle);
        else
            engine_reclaim(me->t->w.e, me->worker, 8);
    }
    return NULL;
}

/* To everybody it is a flush of every page. */
static void fence(struct thread *me)
{
    uint64_t begun = history_now(&me->t->clock);

    engine_account_fence(me->t->w.e, me->t->guests[seeded_below(&me->random, NR_WORKERS)]);
    for (uint32_t handle = 0; handle < NR_HANDLES; handle++)
        note(me, handle, HISTORY_FLUSH, 0, begun);
}

static void *control(void *argument)
{
    struct thread *me = argument;
    struct trial *t = me->t;

    while (!atomic_load(&t->stop)) {
        if (t->mischief == SHORT_OF_MEMORY)
            store_set_limit(t->w.store, 8 + seeded_below(&me->random, 24));
        else if (t->mischief == FENCE)
            fence(me);
        usleep(20);
    }
    return NULL;
}

static void try_pool(uint32_t flags, uint32_t nr_frames, enum mischief mischief)
{
    struct trial *t = calloc(1, sizeof(*t));
    struct thread threads[NR_WORKERS + 1];

    WORLD_MUST(t != NULL);
    t->mischief = mischief;
    t->w = world_make(nr_frames, 16, NR_WORKERS, 4);
    share(&t->w, 5, 100000);
    for (unsigned i = 0; i <= NR_WORKERS; i++) {
        threads[i] = (struct thread){.t = t, .worker = i, .random = i};
        if (i == NR_WORKERS)
            break;
        t->guests[i] = guest(&t->w, i + 1, 0, 0);
        allow(&t->w, 5, i + 1, RIGHT_FILL);
        WORLD_MUST(join(&t->w, t->guests[i], 5, flags, &t->pools[i]) == TMEMIF_OK);
    }
    for (unsigned i = 0; i <= NR_WORKERS; i++)
        WORLD_MUST(pthread_create(&threads[i].id, NULL, i < NR_WORKERS ? work : control,
                                  &threads[i]) == 0);
    for (unsigned i = 0; i < NR_WORKERS; i++)
        pthread_join(threads[i].id, NULL);
    atomic_store(&t->stop, true);
    pthread_join(threads[NR_WORKERS].id, NULL);

    CU_ASSERT_EQUAL(atomic_load(&t->nr_wrong), 0);
    CU_ASSERT(
        history_judge_all(t->notes, NR_WORKERS + 1, NR_HANDLES, !(flags & TMEMIF_POOL_PERSISTENT)));
    history_free(t->notes, NR_WORKERS + 1);
    reclaim_all(&t->w);
    CU_ASSERT(is_sound(&t->w));
    world_end(&t->w);
    free(t);
}

static void c19_histories_of_a_shared_persistent_pool_are_linearizable(void)
{
    try_pool(TMEMIF_POOL_PERSISTENT, 2048, NONE);
}

static void c19_histories_are_linearizable_while_puts_are_refused(void)
{
    try_pool(TMEMIF_POOL_PERSISTENT, 32, SHORT_OF_MEMORY);
}

static void c19_histories_of_a_shared_ephemeral_pool_are_linearizable(void)
{
    try_pool(0, 2048, NONE);
}

static void c19_histories_are_linearizable_while_pages_are_evicted(void)
{
    try_pool(0, 32, SHORT_OF_MEMORY);
}

static void c19_c25_histories_are_linearizable_over_new_epochs(void)
{
    try_pool(0, 2048, FENCE);
}

#define TESTS(T)                                                                                   \
    T(c19_histories_of_a_shared_persistent_pool_are_linearizable)                                  \
    T(c19_histories_are_linearizable_while_puts_are_refused)                                       \
    T(c19_histories_of_a_shared_ephemeral_pool_are_linearizable)                                   \
    T(c19_histories_are_linearizable_while_pages_are_evicted)                                      \
    T(c19_c25_histories_are_linearizable_over_new_epochs)

RUN_TESTS(TESTS)
