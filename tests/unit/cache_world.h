/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache_world.h - an engine, devices in memory and caches over them, for tests.
 *
 * Workers below the last two are guests', then comes the control thread's, then that of the lanes.
 */
#ifndef TESTS_CACHE_WORLD_H
#define TESTS_CACHE_WORLD_H

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "daemon/blk/caches.h"
#include "daemon/blockdev/crew.h"
#include "tests/unit/engine_world.h"

/* Some share a lock. */
#define FAKE_PAGES  (CACHE_LOCKS + 256u)
#define FAKE_FILLED 256u /* the first ones */

struct fake_device {
    struct backing backing;           /* first */
    uint8_t (*pages)[DISK_PAGE_SIZE]; /* shared with processes that are forked */
    bool is_open, by_hand;            /* by_hand: batches wait for fake_run() */
    bool is_away;                     /* nobody finds it */
    struct crew *crew;
    struct batch *first, *last; /* by hand */
    bool fails_reads[FAKE_PAGES], fails_writes[FAKE_PAGES], fails_flush;
    bool slow;                             /* every transfer lets others run amid a page */
    void (*before)(void *arg, bool write); /* each transfer, or NULL */
    void *before_arg;
    _Atomic unsigned nr_transfers, nr_reads, nr_writes, nr_flushes, nr_discards; /* pages */
    unsigned nr_opens;
};

static inline void fake_copy(const struct fake_device *d, uint8_t *to, const uint8_t *from)
{
    if (!d->slow) {
        memcpy(to, from, DISK_PAGE_SIZE);
        return;
    }
    for (unsigned i = 0; i < DISK_PAGE_SIZE; i += DISK_PAGE_SIZE / 4) {
        memcpy(to + i, from + i, DISK_PAGE_SIZE / 4);
        sched_yield();
    }
}

static inline void fake_transfer(struct backing *b, unsigned lane, bool write,
                                 struct backing_io *ios, unsigned nr)
{
    struct fake_device *d = (struct fake_device *)b;

    WORLD_MUST(lane < BACKING_LANES && d->is_open);
    if (d->before)
        d->before(d->before_arg, write);
    atomic_fetch_add(&d->nr_transfers, 1);
    atomic_fetch_add(write ? &d->nr_writes : &d->nr_reads, nr);
    for (unsigned i = 0; i < nr; i++) {
        uint32_t page = ios[i].page;

        WORLD_MUST(page < b->nr_pages && (i == 0 || page > ios[i - 1].page));
        WORLD_MUST(!write || !b->read_only);
        ios[i].ok = !(write ? d->fails_writes : d->fails_reads)[page];
        if (ios[i].ok)
            fake_copy(d, write ? d->pages[page] : ios[i].data,
                      write ? ios[i].data : d->pages[page]);
    }
}

static inline bool fake_flush(struct backing *b)
{
    struct fake_device *d = (struct fake_device *)b;

    atomic_fetch_add(&d->nr_flushes, 1);
    return !d->fails_flush;
}

static inline bool fake_discard(struct backing *b, uint32_t first, uint32_t nr)
{
    struct fake_device *d = (struct fake_device *)b;

    WORLD_MUST(first <= b->nr_pages && nr <= b->nr_pages - first);
    atomic_fetch_add(&d->nr_discards, nr);
    memset(d->pages[first], 0xd5, (size_t)nr * DISK_PAGE_SIZE);
    return true;
}

static inline void fake_carry_out(void *arg, unsigned lane, struct batch *batch)
{
    struct fake_device *d = arg;

    d->backing.carry_out(d->backing.user, lane, batch);
}

static inline bool fake_start(struct backing *b)
{
    struct fake_device *d = (struct fake_device *)b;

    if (!d->by_hand)
        d->crew = crew_create(BACKING_LANES, fake_carry_out, d);
    return d->by_hand || d->crew;
}

static inline void fake_hand_over(struct backing *b, struct batch *batch)
{
    struct fake_device *d = (struct fake_device *)b;

    if (!d->by_hand) {
        crew_hand_over(d->crew, batch);
        return;
    }
    batch->next = NULL;
    *(d->first ? &d->last->next : &d->first) = batch;
    d->last = batch;
}

static inline bool fake_take_back(struct backing *b, struct batch *batch)
{
    struct fake_device *d = (struct fake_device *)b;
    struct batch *before = NULL, *at = d->first;

    if (!d->by_hand)
        return crew_take_back(d->crew, batch);
    for (; at && at != batch; at = at->next)
        before = at;
    if (!at)
        return false;
    *(before ? &before->next : &d->first) = batch->next;
    d->last = d->last == batch ? before : d->last;
    return true;
}

/* Carry out the first batch that waits. False: there is none. */
static inline bool fake_run(struct fake_device *d)
{
    struct batch *b = d->first;

    if (!b)
        return false;
    d->first = b->next;
    fake_carry_out(d, 0, b);
    return true;
}

static inline void fake_close(struct backing *b)
{
    struct fake_device *d = (struct fake_device *)b;

    WORLD_MUST(d->is_open);
    while (fake_run(d))
        continue;
    crew_destroy(d->crew);
    d->crew = NULL;
    d->is_open = false;
}

static const struct backing_ops fake_ops = {
    .hand_over = fake_hand_over,
    .take_back = fake_take_back,
    .transfer = fake_transfer,
    .flush = fake_flush,
    .discard = fake_discard,
    .start = fake_start,
    .close = fake_close,
};

#define CACHE_DEVICES 2u

struct cache_world {
    struct world w;
    struct caches caches;
    struct fake_device devices[CACHE_DEVICES]; /* "xvdb", which "disk/b" is too, and "xvdc" */
    struct backing_source source;
    uint64_t max_pages; /* of a pool */
};

static inline struct fake_device *fake_of_name(struct cache_world *cw, const char *name)
{
    if (strcmp(name, "xvdb") == 0 || strcmp(name, "disk/b") == 0)
        return &cw->devices[0];
    return strcmp(name, "xvdc") == 0 ? &cw->devices[1] : NULL;
}

static inline bool fake_find(void *arg, const char *name, uint64_t *device_out,
                             const char **why_out)
{
    struct fake_device *d = fake_of_name(arg, name);

    *why_out = "no such device";
    if (!d || d->is_away)
        return false;
    *device_out = d->backing.device;
    return true;
}

static inline bool fake_open(void *arg, const char *name, struct backing **backing_out,
                             const char **why_out)
{
    struct fake_device *d = fake_of_name(arg, name);

    *why_out = "in use";
    if (d->is_open)
        return false;
    d->is_open = true;
    d->nr_opens++;
    *backing_out = &d->backing;
    return true;
}

static inline void fake_policy(void *arg, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    struct cache_world *cw = arg;
    const struct policy policy = {.max_pages = cw->max_pages, .weight = 1};

    WORLD_MUST(engine_shared_set_policy(cw->w.e, uuid, &policy) == TMEMIF_OK);
}

/* Of an engine and devices. */
static inline struct caches_config fake_config(struct cache_world *cw)
{
    cw->source = (struct backing_source){.find = fake_find, .open = fake_open, .arg = cw};
    return (struct caches_config){
        .engine = cw->w.e,
        .worker = cw->w.config.nr_workers - 1,
        .source = &cw->source,
        .give_policy = fake_policy,
        .arg = cw,
    };
}

static inline void caches_make(struct cache_world *cw)
{
    const struct caches_config config = fake_config(cw);

    caches_init(&cw->caches, &config);
}

/*
 * @cw is not copied afterwards. Page n of device i begins as that of tag 1000 * i + n if n <
 * FAKE_FILLED, else as zeros.
 */
static inline void fake_devices_make(struct cache_world *cw)
{
    memset(cw, 0, sizeof(*cw));
    cw->max_pages = PAGES_UNLIMITED;
    for (unsigned i = 0; i < CACHE_DEVICES; i++) {
        struct fake_device *d = &cw->devices[i];

        d->backing = (struct backing){
            .ops = &fake_ops, .device = 0xca00 + i * 16, .nr_pages = FAKE_PAGES, .discards = true};
        d->pages = mmap(NULL, FAKE_PAGES * sizeof(d->pages[0]), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        WORLD_MUST((void *)d->pages != MAP_FAILED);
        for (uint32_t n = 0; n < FAKE_FILLED; n++)
            page_fill(d->pages[n], 1000 * i + n);
    }
}

static inline void fake_devices_end(struct cache_world *cw)
{
    for (unsigned i = 0; i < CACHE_DEVICES; i++) {
        WORLD_MUST(!cw->devices[i].is_open);
        munmap(cw->devices[i].pages, FAKE_PAGES * sizeof(cw->devices[i].pages[0]));
    }
}

/* Devices, an engine and caches. */
static inline void cache_world_make(struct cache_world *cw, uint32_t nr_frames, unsigned nr_guests)
{
    fake_devices_make(cw);
    cw->w = world_make(nr_frames, 64, nr_guests + 2, 4);
    caches_make(cw);
}

static inline void cache_world_end(struct cache_world *cw)
{
    caches_fini(&cw->caches);
    fake_devices_end(cw);
    world_end(&cw->w);
}

/* The disk of a guest, or NULL. */
static inline struct disk *open_cache(struct cache_world *cw, const char *name, uint32_t domid)
{
    const struct disk_owner owner = {.domid = domid, .vdev = 51712};
    char device[TARGET_NAME_SIZE] = {0};
    struct disk *disk;
    const char *why;

    strncpy(device, name, sizeof(device) - 1);
    return caches_open(&cw->caches, device, &owner, &disk, &why) ? disk : NULL;
}

/* ---- one guest's batches ---- */

#define CALL_PAGES 64u

/* From call_new(), as a batch may outlive its guest. */
struct call {
    uint8_t data[CALL_PAGES][DISK_PAGE_SIZE];
    struct batch_page pages[CALL_PAGES];
    struct batch batch;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
};

static inline void call_wake(void *waiter)
{
    struct call *c = waiter;

    pthread_mutex_lock(&c->mutex);
    pthread_cond_signal(&c->woken);
    pthread_mutex_unlock(&c->mutex);
}

static inline struct call *call_new(void)
{
    struct call *c = aligned_alloc(DISK_PAGE_SIZE, (sizeof(*c) | (DISK_PAGE_SIZE - 1)) + 1);

    WORLD_MUST(c != NULL);
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->woken, NULL);
    c->batch.pages = c->pages;
    c->batch.wake = call_wake;
    c->batch.waiter = c->batch.memory = c;
    return c;
}

static inline void call_free(struct call *c)
{
    if (batch_abandon(&c->batch))
        free(c);
}

static inline void call_begin(struct call *c)
{
    c->batch.kind = BATCH_TRANSFER;
    c->batch.nr_pages = 0;
    c->batch.flush = false;
}

static inline struct batch_page *call_add(struct call *c, uint32_t page, bool write)
{
    struct batch_page *p = &c->pages[c->batch.nr_pages];

    WORLD_MUST(c->batch.nr_pages < CALL_PAGES);
    *p = (struct batch_page){
        .page = page, .write = write, .end = DISK_PAGE_SIZE, .data = c->data[c->batch.nr_pages++]};
    return p;
}

static inline void call_wait(struct call *c)
{
    pthread_mutex_lock(&c->mutex);
    while (!batch_is_done(&c->batch))
        pthread_cond_wait(&c->woken, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
}

/* Until it is done, whoever does it. */
static inline void call_run(struct cache_world *cw, struct disk *d, unsigned worker, struct call *c)
{
    if (disk_run(d, worker, &c->batch))
        return;
    for (unsigned i = 0; i < CACHE_DEVICES; i++) {
        while (fake_run(&cw->devices[i]))
            continue;
    }
    call_wait(c);
}

#endif /* TESTS_CACHE_WORLD_H */
