/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Killed at any instruction of a write through a cache: what the next daemon's guests read is what
 * the device has, and it has the old page or the new one; the request, served once
 * more, ends as if nothing had been.
 */
#include "tests/lib/runner.h"

#include "tests/lib/step.h"
#include "tests/unit/cache_world.h"

#define NR_FRAMES 64u

struct trial {
    struct cache_world cw;
    struct disk *disk;
    struct call *call;
    uint64_t last;
    unsigned nr_looks, nr_old, nr_new, nr_wrong;
};

static void begin(struct call *c)
{
    call_begin(c);
    page_fill(call_add(c, 5, true)->data, 50);
    call_add(c, 6, true)->first = 512; /* a part, the rest of which is read first */
    page_fill(c->data[1], 60);
}

static enum disk_status read_page(struct cache_world *cw, struct disk *d, struct call *c,
                                  uint32_t page)
{
    call_begin(c);
    call_add(c, page, false);
    call_run(cw, d, 0, c);
    return c->pages[0].status;
}

static const char *judge(struct trial *t, struct cache_world *cw)
{
    struct disk *d = open_cache(cw, "xvdb", 2);
    struct call *c = call_new();
    const char *wrong = NULL;

    WORLD_MUST(d != NULL);
    for (uint32_t n = 5; n < 8; n++) {
        if (read_page(cw, d, c, n) != DISK_OK ||
            memcmp(c->data[0], cw->devices[0].pages[n], DISK_PAGE_SIZE) != 0)
            wrong = "a page is not what the device has";
        t->nr_old += n == 5 && page_has(c->data[0], 5);
        t->nr_new += n == 5 && page_has(c->data[0], 50);
    }
    begin(c);
    call_run(cw, d, 0, c);
    if (read_page(cw, d, c, 5) != DISK_OK || !page_has(c->data[0], 50))
        wrong = "it was not served once more";
    call_free(c);
    if (engine_check(cw->w.e))
        wrong = engine_check(cw->w.e);
    return wrong;
}

/* The next daemon, over copies of what the killed one left. */
static const char *look_at_copy(struct trial *t)
{
    static struct cache_world next;
    const char *wrong;

    memset(&next, 0, sizeof(next));
    next.max_pages = PAGES_UNLIMITED;
    next.w.config = t->cw.w.config;
    next.w.store = step_copy_store(t->cw.w.store);
    if (!next.w.store)
        return "the segments were refused";
    next.w.e = engine_create(next.w.store, &next.w.config);
    WORLD_MUST(next.w.e != NULL);
    next.devices[0].backing = t->cw.devices[0].backing;
    next.devices[0].by_hand = true;
    next.devices[0].pages = malloc(FAKE_PAGES * sizeof(next.devices[0].pages[0]));
    WORLD_MUST(next.devices[0].pages != NULL);
    memcpy(next.devices[0].pages, t->cw.devices[0].pages, 16 * DISK_PAGE_SIZE);
    caches_make(&next);
    wrong = judge(t, &next);
    caches_fini(&next.caches);
    free(next.devices[0].pages);
    engine_destroy(next.w.e);
    store_close(next.w.store);
    return wrong;
}

static uint64_t fingerprint(struct trial *t)
{
    const uint64_t *words = (const uint64_t *)(const void *)t->cw.devices[0].pages[5];

    /* some moments of the copy to the device, not every one */
    return step_fingerprint(t->cw.w.store) + words[0] + words[100] * 3 + words[511] * 7;
}

static bool look(void *arg)
{
    struct trial *t = arg;
    uint64_t now = fingerprint(t);
    const char *wrong;

    if (now == t->last)
        return true;
    t->last = now;
    wrong = look_at_copy(t);
    t->nr_looks++;
    if (wrong)
        printf("after %u looks: %s\n", t->nr_looks, wrong);
    t->nr_wrong += wrong != NULL;
    return wrong == NULL;
}

static void write_both(void *arg)
{
    struct trial *t = arg;

    begin(t->call);
    call_run(&t->cw, t->disk, 0, t->call);
}

static void next_daemon_shows_what_the_device_has(void)
{
    static struct trial t;

    cache_world_make(&t.cw, NR_FRAMES, 1);
    t.cw.devices[0].by_hand = true;
    t.disk = open_cache(&t.cw, "xvdb", 1);
    t.call = call_new();
    for (uint32_t n = 5; n < 8; n++) /* 5 and 7 are in the pool before */
        WORLD_MUST(n == 6 || read_page(&t.cw, t.disk, t.call, n) == DISK_OK);
    CU_ASSERT_TRUE(step_through(write_both, look, &t));
    CU_ASSERT_EQUAL(t.nr_wrong, 0);
    CU_ASSERT(t.nr_looks > 4);
    CU_ASSERT(t.nr_old > 0);
    CU_ASSERT(t.nr_new > 0);
    printf("# %u states, %u with the old page and %u with the new one\n", t.nr_looks, t.nr_old,
           t.nr_new);
    call_free(t.call);
}

#define TESTS(T) T(next_daemon_shows_what_the_device_has)
RUN_TESTS(TESTS)
