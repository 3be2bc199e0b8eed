/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests read and write the same few pages of a slow device through one cache, and what they saw
 * of each page is linearizable: with room for all pages, with room for few, without a
 * pool from the middle on, and with guests that go while their batches are under way.
 */
#include "tests/lib/random.h"
#include "tests/lib/runner.h"

#include "tests/lib/history.h"
#include "tests/unit/cache_world.h"

#define NR_GUESTS  3u
#define NR_HANDLES 12u
#define NR_BATCHES 6000u
#define MOST_PAGES 4u /* of a batch */
/* So many batches of each guest are abandoned: they may happen at any later time, or never. */
#define NR_LEFT 4u

struct trial {
    struct cache_world cw;
    _Atomic uint64_t clock;
    struct history_notes notes[NR_GUESTS];
    atomic_uint nr_wrong, nr_hits;
    bool leaves;
};

struct guest_thread {
    pthread_t id;
    struct trial *t;
    unsigned number; /* its worker as well */
    struct disk *disk;
    uint64_t random;
    uint64_t serial;
};

/* Handle n is page n * 37, so that some are neighbours in locks or shards and others are not. */
static uint32_t page_of_handle(uint32_t handle)
{
    return handle < 6 ? handle : handle * 20;
}

/* What is written says what it is in each word; the device begins with zeros, value 0. */
static void fill(uint8_t *data, uint64_t value)
{
    uint64_t *words = (uint64_t *)(void *)data;

    for (unsigned i = 0; i < DISK_PAGE_SIZE / sizeof(*words); i++)
        words[i] = value ? value + ((uint64_t)i << 48) : 0;
}

static uint64_t value_in(const uint8_t *data)
{
    const uint64_t *words = (const uint64_t *)(const void *)data;
    uint64_t value = words[0];

    for (unsigned i = 0; i < DISK_PAGE_SIZE / sizeof(*words); i++) {
        if (words[i] != (value ? value + ((uint64_t)i << 48) : 0))
            return UINT64_MAX;
    }
    return value;
}

static void note(struct guest_thread *g, const struct call *c, uint64_t begun, bool left)
{
    struct history_notes *n = &g->t->notes[g->number];

    for (uint32_t i = 0; i < c->batch.nr_pages; i++) {
        const struct batch_page *p = &c->pages[i];
        uint32_t handle = p->page < 6 ? p->page : p->page / 20;
        uint64_t value;

        if (left && !p->write)
            continue;
        value = value_in(p->data);
        if (value == UINT64_MAX || (!left && p->status != DISK_OK))
            atomic_fetch_add(&g->t->nr_wrong, 1);
        history_note(n, &g->t->clock, handle,
                     p->write ? HISTORY_PUT
                     : value  ? HISTORY_HIT
                              : HISTORY_MISS,
                     value, begun);
        if (left)
            n->notes[n->nr - 1].event.ended = HISTORY_NEVER;
    }
}

/* Pages of one batch are different ones. */
static void add_pages(struct guest_thread *g, struct call *c)
{
    uint32_t first = seeded_below(&g->random, NR_HANDLES),
             nr = 1 + seeded_below(&g->random, MOST_PAGES);

    call_begin(c);
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t page = page_of_handle((first + i) % NR_HANDLES);
        struct batch_page *p = call_add(c, page, seeded_below(&g->random, 3) == 0);

        if (p->write)
            fill(p->data, ++g->serial * NR_GUESTS + g->number);
    }
}

/* The notes are taken before: then the batch may be gone. */
static struct call *leave(struct guest_thread *g, struct call *c, uint64_t begun)
{
    struct call *next = call_new();

    if (disk_run(g->disk, g->number, &c->batch)) {
        note(g, c, begun, false);
        call_free(next);
        return c;
    }
    note(g, c, begun, true);
    call_free(c);
    return next;
}

static void *use(void *arg)
{
    struct guest_thread *g = arg;
    struct call *c = call_new();

    for (unsigned n = 1; n <= NR_BATCHES; n++) {
        uint64_t begun;

        add_pages(g, c);
        begun = history_now(&g->t->clock);
        if (g->t->leaves && n % (NR_BATCHES / NR_LEFT) == 0) {
            c = leave(g, c, begun);
            continue;
        }
        if (disk_run(g->disk, g->number, &c->batch))
            atomic_fetch_add(&g->t->nr_hits, 1);
        else
            call_wait(c);
        note(g, c, begun, false);
        if (n == NR_BATCHES / 2 && g->t->cw.max_pages == 0)
            (void)engine_shared_remove(g->t->cw.w.e, g->t->cw.caches.caches[0]->uuid);
    }
    call_free(c);
    return NULL;
}

static void race(uint32_t nr_frames, uint64_t max_pages, bool leaves)
{
    static struct trial t;
    struct guest_thread guests[NR_GUESTS];

    memset(&t, 0, sizeof(t));
    cache_world_make(&t.cw, nr_frames, NR_GUESTS);
    t.leaves = leaves;
    t.cw.max_pages = PAGES_UNLIMITED;
    t.cw.devices[0].slow = true;
    memset(t.cw.devices[0].pages, 0, FAKE_PAGES * DISK_PAGE_SIZE);
    for (unsigned i = 0; i < NR_GUESTS; i++) {
        guests[i] = (struct guest_thread){.t = &t, .number = i, .random = 0x5eed + i};
        guests[i].disk = open_cache(&t.cw, "xvdb", i + 1);
        WORLD_MUST(guests[i].disk != NULL);
    }
    t.cw.max_pages = max_pages;
    for (unsigned i = 0; i < NR_GUESTS; i++)
        WORLD_MUST(pthread_create(&guests[i].id, NULL, use, &guests[i]) == 0);
    for (unsigned i = 0; i < NR_GUESTS; i++)
        pthread_join(guests[i].id, NULL);
    CU_ASSERT_EQUAL(t.nr_wrong, 0);
    CU_ASSERT(t.nr_hits > 0);
    CU_ASSERT(t.cw.devices[0].nr_reads > 0);
    CU_ASSERT(history_judge_all(t.notes, NR_GUESTS, NR_HANDLES, false));
    history_free(t.notes, NR_GUESTS);
    cache_world_end(&t.cw);
}

static void histories_with_room_for_all_pages_are_linearizable(void)
{
    race(512, PAGES_UNLIMITED, false);
}

static void histories_with_room_for_few_are_linearizable(void)
{
    race(8, PAGES_UNLIMITED, false);
}

static void histories_whose_pool_is_removed_are_linearizable(void)
{
    race(512, 0, false);
}

static void histories_of_guests_that_go_are_linearizable(void)
{
    race(16, PAGES_UNLIMITED, true);
}

#define TESTS(T)                                                                                   \
    T(histories_with_room_for_all_pages_are_linearizable)                                          \
    T(histories_with_room_for_few_are_linearizable)                                                \
    T(histories_whose_pool_is_removed_are_linearizable)                                            \
    T(histories_of_guests_that_go_are_linearizable)
RUN_TESTS(TESTS)
