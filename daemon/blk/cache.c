/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/cache.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/blk/pool_page.h"

/* Parts of pages that are written in one round: what is around them is read first. */
#define LANE_PARTS 64u
/* A slice of a discard: 64 MiB. */
#define DISCARD_PAGES 16384u
_Static_assert(DISCARD_PAGES % POOL_PAGE_FLUSH == 0, "whole flushes");

/* A page of a round: one that no other of the round is. */
struct step {
    struct batch_page *page;
    uint8_t *old;   /* a part is written: the page as it was */
    bool is_cached; /* what was read came from the pool */
};

struct cache_lane {
    uint8_t old[LANE_PARTS][DISK_PAGE_SIZE];
    struct batch_page *order[BATCH_MAX_PAGES]; /* by page, then as they came */
    unsigned nr_order;
    struct step steps[BATCH_MAX_PAGES]; /* of the round */
    unsigned nr_steps, nr_parts;
    uint16_t locks[BATCH_MAX_PAGES]; /* of the round, ascending */
    unsigned nr_locks;
    struct backing_io ios[BATCH_MAX_PAGES];
    struct step *io_steps[BATCH_MAX_PAGES];
    unsigned nr_ios;
};

/* ---- the pool ---- */

static struct page_op op_of(const struct cache *c, unsigned worker, uint32_t page)
{
    return pool_page_op(worker, c->account, page, false);
}

/* Whatever the engine says but OK: the device has it. */
static bool get(const struct cache *c, unsigned worker, uint32_t page, void *data)
{
    const struct page_op op = op_of(c, worker, page);

    return pool_page_read(c->door->engine, &op, data) == TMEMIF_OK;
}

/* Refused or not, a page that is there afterwards is @data: it was absent before. */
static void put(const struct cache *c, uint32_t page, const void *data)
{
    const struct page_op op = op_of(c, c->door->worker, page);

    (void)pool_page_write(c->door->engine, &op, data);
}

/* It cannot be refused, but for a pool that is gone (C16). */
static void flush(const struct cache *c, uint32_t page)
{
    const struct page_op op = op_of(c, c->door->worker, page);

    (void)engine_flush_page(c->door->engine, &op);
}

static void flush_slice(const struct cache *c, uint32_t first, uint32_t nr)
{
    while (nr > 0) {
        const struct page_op op = op_of(c, c->door->worker, first);
        uint32_t done;
        enum tmemif_status rc;

        lock_take(&c->door->lock);
        rc = pool_page_flush(c->door->engine, &op, nr, &done);
        lock_drop(&c->door->lock);
        if (rc != TMEMIF_OK)
            return; /* there is no such pool any more: such small ranges are never refused */
        first += done;
        nr -= done;
    }
}

/* ---- worker ---- */

static enum disk_status check(const struct disk *d, const struct batch_page *p)
{
    if (!disk_has_pages(d, p->page, 1))
        return DISK_RANGE;
    return p->write && d->read_only ? DISK_IO : DISK_OK;
}

/* What is in the pool is not what this read is to find: a write stands before it. */
static bool is_written_before(const struct batch *b, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (b->pages[i].write && b->pages[i].page == b->pages[at].page)
            return true;
    }
    return false;
}

/* True: nothing is left to do. */
static bool look(struct cache_disk *d, unsigned worker, struct batch *b)
{
    uint64_t nr_hits = 0, nr_misses = 0;
    bool all_done = true, writes = false;

    for (uint32_t i = 0; i < b->nr_pages; i++) {
        struct batch_page *p = &b->pages[i];

        p->status = check(&d->disk, p);
        p->done = p->status != DISK_OK;
        writes |= p->write;
        if (!p->done && !p->write && !(writes && is_written_before(b, i))) {
            p->done = get(d->cache, worker, p->page, p->data);
            *(p->done ? &nr_hits : &nr_misses) += 1;
        }
        all_done &= p->done;
    }
    atomic_fetch_add_explicit(&d->nr_hits, nr_hits, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->nr_misses, nr_misses, memory_order_relaxed);
    b->status = DISK_OK;
    return all_done && !b->flush;
}

/* True: it cannot be done. */
static bool refuse_discard(const struct disk *d, struct batch *b)
{
    b->nr_done = 0;
    b->status = !disk_has_pages(d, b->first, b->nr) ? DISK_RANGE : d->read_only ? DISK_IO : DISK_OK;
    return b->status != DISK_OK;
}

static bool run(struct disk *disk, unsigned worker, struct batch *b)
{
    struct cache_disk *d = (struct cache_disk *)disk;
    struct backing *backing = d->cache->backing;

    if (b->kind == BATCH_DISCARD ? refuse_discard(disk, b) : look(d, worker, b))
        return true;
    batch_keep(b);
    atomic_fetch_add_explicit(&d->cache->nr_kept, 1, memory_order_relaxed);
    backing->ops->hand_over(backing, b);
    return false;
}

static bool take_back(struct disk *disk, struct batch *b)
{
    struct cache *c = ((struct cache_disk *)disk)->cache;

    if (!c->backing->ops->take_back(c->backing, b))
        return false;
    atomic_fetch_sub_explicit(&c->nr_kept, 1, memory_order_release);
    return true;
}

const struct disk_ops cache_disk_ops = {.run = run, .take_back = take_back};

void cache_disk_init(struct cache_disk *d, struct cache *c)
{
    memset(d, 0, sizeof(*d));
    d->disk = (struct disk){
        .ops = &cache_disk_ops,
        .nr_pages = c->backing->nr_pages,
        .read_only = c->backing->read_only,
        .discards = c->backing->discards,
        .lasting = true,
        .keeps = true,
    };
    d->cache = c;
}

/* ---- lane: what goes together ---- */

/* Requests are mostly in order already. */
static void sort_pages(struct cache_lane *l, struct batch *b)
{
    l->nr_order = 0;
    for (uint32_t i = 0; i < b->nr_pages; i++) {
        struct batch_page *p = &b->pages[i];
        unsigned at = l->nr_order;

        if (p->done)
            continue;
        for (; at > 0 && l->order[at - 1]->page > p->page; at--)
            l->order[at] = l->order[at - 1];
        l->order[at] = p;
        l->nr_order++;
    }
}

static void add_lock(struct cache_lane *l, uint32_t page)
{
    uint16_t lock = page % CACHE_LOCKS;
    unsigned at = l->nr_locks;

    while (at > 0 && l->locks[at - 1] > lock)
        at--;
    if (at > 0 && l->locks[at - 1] == lock)
        return; /* another page of the round has it as well */
    memmove(&l->locks[at + 1], &l->locks[at], (l->nr_locks - at) * sizeof(l->locks[0]));
    l->locks[at] = lock;
    l->nr_locks++;
}

/*
 * The first of each page's that are left, as far as there is room. What is left of the same page
 * keeps its order. True: there are some.
 */
static bool take_round(struct cache_lane *l)
{
    unsigned nr_left = 0;
    bool seen = false;
    uint32_t last = 0;

    l->nr_steps = l->nr_parts = l->nr_locks = 0;
    for (unsigned i = 0; i < l->nr_order; i++) {
        struct batch_page *p = l->order[i];
        bool is_part = p->write && !batch_page_is_whole(p);
        bool fits = !(seen && p->page == last) && (!is_part || l->nr_parts < LANE_PARTS);

        seen = true;
        last = p->page;
        if (!fits) {
            l->order[nr_left++] = p;
            continue;
        }
        l->steps[l->nr_steps++] =
            (struct step){.page = p, .old = is_part ? l->old[l->nr_parts++] : NULL};
        add_lock(l, p->page);
    }
    l->nr_order = nr_left;
    return l->nr_steps > 0;
}

/* In ascending order, so that no two lanes wait for each other. */
static void lock_pages(struct cache *c, const struct cache_lane *l)
{
    for (unsigned i = 0; i < l->nr_locks; i++)
        lock_take(&c->locks[l->locks[i]]);
}

static void unlock_pages(struct cache *c, const struct cache_lane *l)
{
    for (unsigned i = 0; i < l->nr_locks; i++)
        lock_drop(&c->locks[l->locks[i]]);
}

/* ---- lane: a round ---- */

static void add_io(struct cache_lane *l, struct step *s, uint8_t *data)
{
    l->ios[l->nr_ios] = (struct backing_io){.page = s->page->page, .data = data};
    l->io_steps[l->nr_ios++] = s;
}

/* Have the device do all of l->ios together; what fails is an error of its page. */
static void run_ios(struct cache *c, unsigned lane, bool write)
{
    struct cache_lane *l = c->lanes[lane];

    if (l->nr_ios > 0)
        c->backing->ops->transfer(c->backing, lane, write, l->ios, l->nr_ios);
    for (unsigned i = 0; i < l->nr_ios; i++) {
        if (!l->ios[i].ok)
            l->io_steps[i]->page->status = DISK_IO;
    }
    l->nr_ios = 0;
}

/* What is read, and what is around parts that are written: from the pool, or from the device. */
static void fetch(struct cache *c, unsigned lane)
{
    struct cache_lane *l = c->lanes[lane];

    lock_take(&c->door->lock);
    for (unsigned i = 0; i < l->nr_steps; i++) {
        struct step *s = &l->steps[i];
        uint8_t *data = s->page->write ? s->old : s->page->data;

        if (!data)
            continue;
        /* another lane may have put it while we waited for the lock */
        s->is_cached = get(c, c->door->worker, s->page->page, data);
        if (!s->is_cached)
            add_io(l, s, data);
    }
    lock_drop(&c->door->lock);
    run_ios(c, lane, false);
    for (unsigned i = 0; i < l->nr_steps; i++) {
        struct step *s = &l->steps[i];

        if (s->old && s->page->status == DISK_OK)
            batch_page_complete(s->page, s->old);
    }
}

/* The pool forgets what is going to be written. */
static void forget(struct cache *c, const struct cache_lane *l)
{
    lock_take(&c->door->lock);
    for (unsigned i = 0; i < l->nr_steps; i++) {
        if (l->steps[i].page->write)
            flush(c, l->steps[i].page->page);
    }
    lock_drop(&c->door->lock);
}

/*
 * If the batch is abandoned from here on, whoever looks for the page afterwards does not find it in
 * the pool and waits for our lock: so this is the last moment to ask.
 */
static void write_out(struct cache *c, unsigned lane, const struct batch *b)
{
    struct cache_lane *l = c->lanes[lane];
    bool abandoned = batch_is_abandoned(b);

    for (unsigned i = 0; i < l->nr_steps; i++) {
        struct step *s = &l->steps[i];

        if (!s->page->write || s->page->status != DISK_OK)
            continue;
        if (abandoned)
            s->page->status = DISK_IO;
        else
            add_io(l, s, s->page->data);
    }
    run_ios(c, lane, true);
}

static void keep(struct cache *c, const struct cache_lane *l)
{
    lock_take(&c->door->lock);
    for (unsigned i = 0; i < l->nr_steps; i++) {
        const struct step *s = &l->steps[i];

        if (s->page->status == DISK_OK && (s->page->write || !s->is_cached))
            put(c, s->page->page, s->page->data);
        s->page->done = true;
    }
    lock_drop(&c->door->lock);
}

static void run_round(struct cache *c, unsigned lane, const struct batch *b)
{
    struct cache_lane *l = c->lanes[lane];

    lock_pages(c, l);
    fetch(c, lane);
    forget(c, l);
    write_out(c, lane, b);
    keep(c, l);
    unlock_pages(c, l);
}

static void transfer(struct cache *c, unsigned lane, struct batch *b)
{
    struct cache_lane *l = c->lanes[lane];

    sort_pages(l, b);
    while (!batch_is_abandoned(b) && take_round(l))
        run_round(c, lane, b);
    if (b->flush && !batch_is_abandoned(b) && !c->backing->ops->flush(c->backing))
        b->status = DISK_IO;
}

/* Every page may be among those of the slice that share a lock with others. */
static void discard(struct cache *c, struct batch *b)
{
    uint32_t nr = b->nr < DISCARD_PAGES ? b->nr : DISCARD_PAGES;

    for (unsigned i = 0; i < CACHE_LOCKS; i++)
        lock_take(&c->locks[i]);
    flush_slice(c, b->first, nr);
    if (batch_is_abandoned(b) || !c->backing->ops->discard(c->backing, b->first, nr))
        b->status = DISK_IO;
    else
        b->nr_done = nr;
    for (unsigned i = 0; i < CACHE_LOCKS; i++)
        lock_drop(&c->locks[i]);
}

static void carry_out(void *user, unsigned lane, struct batch *b)
{
    struct cache *c = user;

    if (b->kind == BATCH_DISCARD)
        discard(c, b);
    else
        transfer(c, lane, b);
    batch_end(b);
    /* release: whoever sees that the cache is idle sees that we have left it */
    atomic_fetch_sub_explicit(&c->nr_kept, 1, memory_order_release);
}

/* ---- control ---- */

/* Its device and size: what an operator sees of it, and names a policy for. */
static void make_uuid(const struct backing *b, uint8_t uuid_out[TMEMIF_UUID_LEN])
{
    static const char prefix[4] = {'d', 'i', 's', 'k'};

    memcpy(uuid_out, prefix, 4);
    for (unsigned i = 0; i < 4; i++)
        uuid_out[4 + i] = (uint8_t)(b->nr_pages >> 8 * (3 - i));
    for (unsigned i = 0; i < 8; i++)
        uuid_out[8 + i] = (uint8_t)(b->device >> 8 * (7 - i));
}

static struct account_key key_of(uint32_t number)
{
    return (struct account_key){.kind = ACCOUNT_CACHE, .id = number};
}

static enum tmemif_status make_pool(struct cache *c, uint32_t number)
{
    struct engine *e = c->door->engine;
    const struct account_key key = key_of(number);
    uint32_t pool_id = TMEMIF_MAX_POOLS;
    enum tmemif_status rc = engine_account_open(e, &key, &c->account);

    if (rc != TMEMIF_OK)
        return rc;
    rc = engine_shared_allow(e, c->uuid, &key, RIGHT_FILL);
    if (rc == TMEMIF_OK)
        rc = engine_pool_join(e, c->account, c->uuid, 0, &pool_id);
    return rc == TMEMIF_OK && pool_id != POOL_PAGE_POOL ? TMEMIF_BAD_KIND : rc;
}

static void end_pool(struct cache *c, uint32_t number)
{
    struct engine *e = c->door->engine;
    const struct account_key key = key_of(number);

    if (c->account == LAYOUT_NONE)
        return;
    engine_account_close(e, c->account); /* the last one out: its pages are freed */
    (void)engine_shared_allow(e, c->uuid, &key, RIGHT_NONE);
    (void)engine_shared_remove(e, c->uuid);
}

static bool make_lanes(struct cache *c)
{
    const size_t bytes =
        (sizeof(struct cache_lane) + DISK_PAGE_SIZE - 1) & ~((size_t)DISK_PAGE_SIZE - 1);

    for (unsigned i = 0; i < BACKING_LANES; i++) {
        c->lanes[i] = aligned_alloc(DISK_PAGE_SIZE, bytes);
        if (!c->lanes[i])
            return false;
        c->lanes[i]->nr_ios = 0;
    }
    return true;
}

static bool fill_in(struct cache *c, const char **why_out)
{
    *why_out = "the manager has no memory left";
    if (!make_lanes(c))
        return false;
    *why_out = "there are as many pools as the manager can have";
    if (make_pool(c, c->number) != TMEMIF_OK)
        return false;
    c->backing->carry_out = carry_out;
    c->backing->user = c;
    *why_out = "no memory or threads for the device";
    return c->backing->ops->start(c->backing);
}

bool cache_create(struct cache_door *door, struct backing *backing, uint32_t number,
                  struct cache **cache_out, const char **why_out)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (!c) {
        *why_out = "the manager has no memory left";
        backing->ops->close(backing);
        return false;
    }
    c->door = door;
    c->backing = backing;
    c->number = number;
    c->account = LAYOUT_NONE;
    make_uuid(backing, c->uuid);
    if (fill_in(c, why_out)) {
        *cache_out = c;
        return true;
    }
    cache_destroy(c);
    return false;
}

void cache_destroy(struct cache *c)
{
    c->backing->ops->close(c->backing);
    end_pool(c, c->number);
    for (unsigned i = 0; i < BACKING_LANES; i++)
        free(c->lanes[i]);
    free(c);
}

uint64_t cache_nr_pages(const struct cache *c)
{
    struct tmemif_pool_info info;

    return engine_pool_info(c->door->engine, c->account, POOL_PAGE_POOL, &info) == TMEMIF_OK
               ? info.nr_pages
               : 0;
}
