/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kill/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/random.h"

#define BATCH       24u
#define BATCH_PAGES 8u

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t below(struct load *l, uint32_t limit)
{
    return seeded_below(&l->random, limit);
}

/* ---- what a page says ---- */

enum where { IN_PRIVATE = 1, IN_COMMON = 2, IN_CACHE = 3 };

struct place {
    enum where where;
    unsigned device, thread; /* 0, 0 in the common pool */
    uint32_t index;
};

static uint64_t place_mark(const struct place *p)
{
    return (uint64_t)p->where << 56 | (uint64_t)p->device << 48 | (uint64_t)p->thread << 40 |
           p->index;
}

/* One version in eight is a page of one word, which takes no frame. */
static void page_fill(uint64_t *page, const struct place *p, uint64_t version)
{
    uint64_t mark = place_mark(p);

    if (version % 8 == 0) {
        uint32_t word = (uint32_t)((mark ^ version) * 0x9e3779b97f4a7c15ull >> 32);

        for (unsigned i = 0; i < XENTMEM_PAGE_SIZE / 8; i++)
            page[i] = (uint64_t)word << 32 | word;
        return;
    }
    for (unsigned i = 0; i < XENTMEM_PAGE_SIZE / 8; i++)
        page[i] = i == 0 ? mark : i == 1 ? version : (mark ^ version << 8) * (2 * i + 1);
}

static bool page_is(const uint64_t *page, const struct place *p, uint64_t version)
{
    uint64_t expected[XENTMEM_PAGE_SIZE / 8];

    page_fill(expected, p, version);
    return memcmp(page, expected, sizeof(expected)) == 0;
}

static struct xentmem_object object_of(const struct load *l)
{
    return (struct xentmem_object){{l->device->number, l->number, 77}};
}

static struct place private_place(const struct load *l, uint32_t index)
{
    return (struct place){IN_PRIVATE, l->device->number, l->number, index};
}

/* ---- asking ---- */

/* An operation begins: what is to be known when it ends. */
struct asked {
    uint64_t begun_us;
    unsigned kills;
    unsigned first_daemon; /* it is done by this one at the earliest */
};

static struct asked ask(const struct load *l)
{
    return (struct asked){.begun_us = now_us(),
                          .kills = atomic_load(&l->run->kills_begun),
                          .first_daemon = atomic_load(&l->run->kills_done)};
}

/* It has ended. Returns the daemon that has done it at the latest. */
static unsigned answered(struct load *l, const struct asked *asked, unsigned nr)
{
    unsigned kills = atomic_load(&l->run->kills_begun);

    atomic_fetch_add_explicit(&l->run->nr_operations, nr, memory_order_relaxed);
    if (kills == asked->kills)
        return kills;
    if (l->nr_waits == l->room_waits) {
        l->room_waits = l->room_waits ? l->room_waits * 2 : 64;
        l->waits = realloc(l->waits, l->room_waits * sizeof(*l->waits));
        if (!l->waits)
            abort();
    }
    l->waits[l->nr_waits++] = (uint32_t)(now_us() - asked->begun_us);
    return kills;
}

/* Put what page_fill() says. *@daemon_out: the one that has done it at the latest; may be NULL. */
static int put_page(struct load *l, uint32_t pool, const struct xentmem_object *object,
                    const struct place *p, uint64_t version, unsigned *daemon_out)
{
    uint64_t page[XENTMEM_PAGE_SIZE / 8];
    struct asked asked;
    unsigned daemon;
    int status;

    page_fill(page, p, version);
    asked = ask(l);
    status = xentmem_put(l->device->t, pool, object, p->index, page);
    daemon = answered(l, &asked, 1);
    if (daemon_out)
        *daemon_out = daemon;
    return status;
}

static void wrong_status(struct load *l, const char *what, int status)
{
    run_fail(l->run, "device %u thread %u: %s: %s", l->device->number, l->number, what,
             status < 0 ? strerror(errno) : xentmem_strstatus(status));
}

/* ---- private pages ---- */

static void judge_put(struct load *l, uint32_t index, uint64_t version, int status)
{
    if (status == XENTMEM_OK) {
        l->pages[index] = version;
    } else if (status == XENTMEM_QUOTA) {
        l->pages[index] = 0; /* rule C6 */
        l->nr_quota++;
    } else {
        wrong_status(l, "put of a private page", status);
    }
}

static void judge_get(struct load *l, uint32_t index, const uint64_t *page, int status)
{
    const struct place p = private_place(l, index);
    uint64_t version = l->pages[index];

    if (status == XENTMEM_OK && version == 0)
        run_fail(l->run, "device %u thread %u: page %u is absent and was found", p.device, p.thread,
                 index);
    else if (status == XENTMEM_OK && !page_is(page, &p, version))
        run_fail(l->run, "device %u thread %u: page %u, version %llu, has other bytes: %llx %llx",
                 p.device, p.thread, index, (unsigned long long)version,
                 (unsigned long long)page[0], (unsigned long long)page[1]);
    else if (status == XENTMEM_MISS && version != 0)
        run_fail(l->run, "device %u thread %u: page %u, version %llu, was acknowledged and is lost",
                 p.device, p.thread, index, (unsigned long long)version);
    else if (status != XENTMEM_OK && status != XENTMEM_MISS)
        wrong_status(l, "get of a private page", status);
}

static void put_private(struct load *l)
{
    /* first all of them, so that the quota is soon used up */
    uint32_t index = l->nr_filled < LOAD_PAGES ? l->nr_filled++ : below(l, LOAD_PAGES);
    const struct place p = private_place(l, index);
    const struct xentmem_object object = object_of(l);
    uint64_t version = ++l->last_version;

    judge_put(l, index, version, put_page(l, l->device->private_pool, &object, &p, version, NULL));
}

static void get_private(struct load *l, uint32_t index)
{
    const struct xentmem_object object = object_of(l);
    uint64_t page[XENTMEM_PAGE_SIZE / 8];
    struct asked asked = ask(l);
    int status = xentmem_get(l->device->t, l->device->private_pool, &object, index, page);

    answered(l, &asked, 1);
    judge_get(l, index, page, status);
}

/* A page, some of them, or all. */
static void flush_private(struct load *l)
{
    const struct xentmem_object object = object_of(l);
    uint32_t first = below(l, LOAD_PAGES), last = first, what = below(l, 1000);
    struct asked asked = ask(l);
    int status;

    if (what < 940) {
        status = xentmem_flush_page(l->device->t, l->device->private_pool, &object, first);
    } else if (what < 998) {
        last = first + below(l, what < 985 ? 10 : 300);
        status = xentmem_flush_range(l->device->t, l->device->private_pool, &object, first, last);
    } else {
        first = 0;
        last = LOAD_PAGES;
        status = xentmem_flush_object(l->device->t, l->device->private_pool, &object);
    }
    answered(l, &asked, 1);
    if (status != XENTMEM_OK)
        wrong_status(l, "flush of private pages", status);
    for (uint32_t i = first; i <= last && i < LOAD_PAGES; i++)
        l->pages[i] = 0;
}

/*
 * Many in one request, of which a kill may see a part done. On few pages: if
 * what was done is done again, a get finds what was put after it.
 */
static void vector_private(struct load *l)
{
    static _Thread_local uint64_t pages[BATCH][XENTMEM_PAGE_SIZE / 8];
    uint64_t versions[BATCH];
    struct xentmem_op ops[BATCH] = {{0}};
    uint32_t first = below(l, LOAD_PAGES - BATCH_PAGES);
    struct asked asked;

    for (unsigned i = 0; i < BATCH; i++) {
        struct place p = private_place(l, first + below(l, BATCH_PAGES));
        uint32_t what = below(l, 10);

        versions[i] = ++l->last_version;
        page_fill(pages[i], &p, versions[i]);
        ops[i].kind = what < 6 ? XENTMEM_PUT : what < 8 ? XENTMEM_GET : XENTMEM_FLUSH_PAGE;
        ops[i].pool = l->device->private_pool;
        ops[i].index = p.index;
        ops[i].object = object_of(l);
        ops[i].page = pages[i];
    }
    asked = ask(l);
    if (xentmem_vector(l->device->t, ops, BATCH) < 0)
        wrong_status(l, "vector", -1);
    answered(l, &asked, BATCH);
    for (unsigned i = 0; i < BATCH && !atomic_load(&l->run->failed); i++) {
        if (ops[i].kind == XENTMEM_PUT)
            judge_put(l, ops[i].index, versions[i], ops[i].status);
        else if (ops[i].kind == XENTMEM_GET)
            judge_get(l, ops[i].index, pages[i], ops[i].status);
        else if (ops[i].status != XENTMEM_OK)
            wrong_status(l, "flush in a vector", ops[i].status);
        else
            l->pages[ops[i].index] = 0;
    }
}

/* ---- the common pool ---- */

static const struct xentmem_object common_object = {{1, 2, 3}};

/* Different for every put of every thread; odd: no page of one word, so a hit tells its version. */
static uint64_t common_version(struct load *l)
{
    return ++l->last_version << 16 | l->device->number << 8 | l->number << 4 | 1;
}

static void note(struct load *l, uint32_t index, enum history_kind kind, uint64_t version,
                 uint64_t begun)
{
    history_note(&l->notes, &l->run->clock, index, kind, version, begun);
}

static void put_common(struct load *l, uint32_t index)
{
    const struct place p = {IN_COMMON, 0, 0, index};
    uint64_t version = common_version(l), begun = history_now(&l->run->clock);
    int status = put_page(l, l->device->common_pool, &common_object, &p, version, NULL);

    if (status == XENTMEM_OK)
        note(l, index, HISTORY_PUT, version, begun);
    else if (status != XENTMEM_NOT_ALLOWED) /* until the operator has said it again */
        wrong_status(l, "put of a common page", status);
}

static void get_common(struct load *l, uint32_t index)
{
    const struct place p = {IN_COMMON, 0, 0, index};
    uint64_t page[XENTMEM_PAGE_SIZE / 8] = {0};
    struct asked asked = ask(l);
    uint64_t begun = history_now(&l->run->clock);
    int status = xentmem_get(l->device->t, l->device->common_pool, &common_object, index, page);

    answered(l, &asked, 1);
    if (status == XENTMEM_OK && !page_is(page, &p, page[1]))
        run_fail(l->run, "common page %u has other bytes: %llx %llx", index,
                 (unsigned long long)page[0], (unsigned long long)page[1]);
    else if (status == XENTMEM_OK)
        note(l, index, HISTORY_HIT, page[1], begun);
    else if (status == XENTMEM_MISS)
        note(l, index, HISTORY_MISS, 0, begun);
    else if (status != XENTMEM_NOT_ALLOWED)
        wrong_status(l, "get of a common page", status);
}

static bool flush_common(struct load *l, uint32_t index)
{
    struct asked asked = ask(l);
    uint64_t begun = history_now(&l->run->clock);
    int status = xentmem_flush_page(l->device->t, l->device->common_pool, &common_object, index);

    answered(l, &asked, 1);
    if (status == XENTMEM_OK)
        note(l, index, HISTORY_FLUSH, 0, begun);
    else if (status != XENTMEM_NOT_ALLOWED)
        wrong_status(l, "flush of a common page", status);
    return status == XENTMEM_OK;
}

static void use_common(struct load *l)
{
    uint32_t index = below(l, LOAD_COMMON), what = below(l, 10);

    if (what < 4)
        put_common(l, index);
    else if (what < 9)
        get_common(l, index);
    else
        flush_common(l, index);
}

/* ---- the cache pool, and leases ---- */

static void put_cached(struct load *l, uint32_t index)
{
    const struct place p = {IN_CACHE, l->device->number, l->number, index};
    const struct xentmem_object object = object_of(l);
    uint64_t version = ++l->last_version;
    int status =
        put_page(l, l->device->cache_pool, &object, &p, version, &l->cached[index].last_daemon);

    if (status == XENTMEM_OK)
        l->cached[index].version = version;
    else if (status < XENTMEM_NOT_ALLOWED && status > XENTMEM_MISS)
        l->cached[index].version = 0;
    else if (status != XENTMEM_NOT_ALLOWED)
        wrong_status(l, "put of a cached page", status);
}

static void get_cached(struct load *l, uint32_t index)
{
    const struct place p = {IN_CACHE, l->device->number, l->number, index};
    const struct xentmem_object object = object_of(l);
    struct load_cached *c = &l->cached[index];
    uint64_t page[XENTMEM_PAGE_SIZE / 8];
    struct asked asked = ask(l);
    int status = xentmem_get(l->device->t, l->device->cache_pool, &object, index, page);

    answered(l, &asked, 1);
    if (status == XENTMEM_MISS) {
        l->nr_emptied += c->version != 0;
        c->version = 0;
    } else if (status == XENTMEM_OK && c->version == 0) {
        run_fail(l->run, "device %u thread %u: cached page %u came back", p.device, p.thread,
                 index);
    } else if (status == XENTMEM_OK && !page_is(page, &p, c->version)) {
        run_fail(l->run, "device %u thread %u: cached page %u has other bytes", p.device, p.thread,
                 index);
    } else if (status == XENTMEM_OK && c->last_daemon < asked.first_daemon) {
        run_fail(l->run, "device %u thread %u: cached page %u of daemon %u was found by daemon %u",
                 p.device, p.thread, index, c->last_daemon, asked.first_daemon);
    } else if (status != XENTMEM_OK && status != XENTMEM_NOT_ALLOWED) {
        wrong_status(l, "get of a cached page", status);
    }
}

/* Ask for a page that nobody has touched: counters of leases tell nothing there, only the epoch. */
static void get_lease(struct load *l, struct load_lease *lease)
{
    const struct xentmem_object object = object_of(l);
    uint64_t page[XENTMEM_PAGE_SIZE / 8];
    struct asked asked;
    int leased = 0, status;

    lease->index = LOAD_CACHED + below(l, 1u << 30);
    asked = ask(l);
    status = xentmem_get_lease(l->device->t, l->device->cache_pool, &object, lease->index, page,
                               &lease->lease, &leased);
    lease->last_daemon = answered(l, &asked, 1);
    lease->given = status == XENTMEM_MISS && leased;
    if (status < 0)
        wrong_status(l, "get with a lease", status);
}

/* A lease that an earlier daemon gave is refused. */
static void put_leased(struct load *l, struct load_lease *lease)
{
    const struct place p = {IN_CACHE, l->device->number, l->number, lease->index};
    const struct xentmem_object object = object_of(l);
    uint64_t page[XENTMEM_PAGE_SIZE / 8];
    struct asked asked;
    int status;

    lease->given = false;
    page_fill(page, &p, ++l->last_version);
    asked = ask(l);
    status = xentmem_put_leased(l->device->t, l->device->cache_pool, &object, lease->index, page,
                                &lease->lease);
    answered(l, &asked, 1);
    l->nr_stale += status == XENTMEM_STALE_LEASE;
    if (status == XENTMEM_OK && lease->last_daemon < asked.first_daemon)
        run_fail(l->run, "a lease of daemon %u was honoured by daemon %u", lease->last_daemon,
                 asked.first_daemon);
    if (status < 0 || status == XENTMEM_MISS)
        wrong_status(l, "put with a lease", status);
}

static void use_lease(struct load *l)
{
    struct load_lease *lease = &l->leases[below(l, LOAD_LEASES)];

    if (lease->given)
        put_leased(l, lease);
    else
        get_lease(l, lease);
}

static void use_cache(struct load *l)
{
    uint32_t index = below(l, LOAD_CACHED), what = below(l, 10);

    if (what < 4)
        put_cached(l, index);
    else if (what < 8)
        get_cached(l, index);
    else
        use_lease(l);
}

/* ---- other pools ---- */

/* Made once, and answered once: an id that somebody has, or a pool nobody was told of, is seen. */
static void use_other_pools(struct load *l)
{
    struct load_device *d = l->device;
    struct asked asked = ask(l);
    uint32_t id = 0;
    int status;

    if (__builtin_popcountll(d->other_pools) < 20 && below(l, 2)) {
        status = xentmem_pool_create(d->t, XENTMEM_PERSISTENT, &id);
        answered(l, &asked, 1);
        if (status != XENTMEM_OK)
            wrong_status(l, "creation of a pool", status);
        else if (id >= XENTMEM_MAX_POOLS || d->other_pools >> id & 1 || id == d->private_pool ||
                 id == d->common_pool || id == d->cache_pool)
            run_fail(l->run, "device %u: a new pool has the id %u of another", d->number, id);
        else
            d->other_pools |= 1ull << id;
        return;
    }
    if (d->other_pools == 0)
        return;
    id = (uint32_t)__builtin_ctzll(d->other_pools);
    status = xentmem_pool_destroy(d->t, id);
    answered(l, &asked, 1);
    if (status != XENTMEM_OK)
        wrong_status(l, "destruction of a pool", status);
    d->other_pools &= ~(1ull << id);
}

/* ---- the thread ---- */

/* With these shares seven in ten private pages would be there, more than the quota takes. */
static void step(struct load *l)
{
    uint32_t what = below(l, 1000);

    if (what < 350)
        put_private(l);
    else if (what < 580)
        get_private(l, below(l, LOAD_PAGES));
    else if (what < 610)
        flush_private(l);
    else if (what < 710)
        vector_private(l);
    else if (what < 870)
        use_common(l);
    else if (what < 980 || l->number != 0)
        use_cache(l);
    else
        use_other_pools(l);
}

void *load_main(void *argument)
{
    struct load *l = argument;

    while (!atomic_load(&l->run->stop) && !atomic_load(&l->run->failed)) {
        run_rest_here(l->run);
        step(l);
    }
    run_end_here(l->run);
    return NULL;
}

uint64_t load_verify(struct load *l)
{
    uint64_t nr = 0;

    for (uint32_t index = 0; index < LOAD_PAGES; index++) {
        get_private(l, index);
        nr += l->pages[index] != 0;
    }
    return nr;
}

void load_settle_common(struct load *l)
{
    for (uint32_t index = 0; index < LOAD_COMMON; index++) {
        get_common(l, index);
        if (!flush_common(l, index))
            run_fail(l->run, "a member has no right to the common pool");
        get_common(l, index);
    }
}

static void say(void *arg, const char *sentence)
{
    (void)arg;
    printf("%s\n", sentence);
}

bool load_open_device(struct run *r, struct load_device *d, const char *where, unsigned number,
                      uint8_t common_byte)
{
    struct xentmem_options options = XENTMEM_OPTIONS_INIT;
    uint8_t common[XENTMEM_UUID_LEN], cache[XENTMEM_UUID_LEN];

    memset(common, common_byte, sizeof(common));
    memset(cache, LOAD_CACHE_BYTE, sizeof(cache));
    options.log = say;
    options.nr_rings = 2;
    options.timeout_ms = 60000;
    *d = (struct load_device){.number = number, .t = xentmem_open(where, 0, &options)};
    if (!d->t) {
        run_fail(r, "device %u: no attachment: %s", number, strerror(errno));
        return false;
    }
    if (xentmem_pool_create(d->t, XENTMEM_PERSISTENT, &d->private_pool) != XENTMEM_OK ||
        xentmem_pool_join(d->t, common, XENTMEM_PERSISTENT, &d->common_pool) != XENTMEM_OK ||
        xentmem_pool_join(d->t, cache, 0, &d->cache_pool) != XENTMEM_OK) {
        run_fail(r, "device %u: no pools", number);
        return false;
    }
    return true;
}
