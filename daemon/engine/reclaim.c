/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/reclaim.h"

#include <string.h>

#include "daemon/engine/tomb.h"

/*
 * A step of a long flush that kills nothing may have gone past 16 extents to find that out: so
 * many pages would have been killed instead.
 */
#define VAIN_STEP 4u
/* Visits to shards where a pool has no page, for the cost of one page. */
#define VAIN_VISITS 8u
/* One part in so many of what drains may cost is for pools without pages. */
#define EMPTY_PART 4u

static void spend(unsigned *budget, unsigned cost)
{
    *budget -= cost < *budget ? cost : *budget;
}

static bool has_pages(const struct engine *e, struct pool *p)
{
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        if (queue_nr(&pool_part_of(e, p, &e->shards[i])->queue) != 0)
            return true;
    }
    return false;
}

/* Empty pools stand behind those with pages: whoever needs memory is not to visit them first. */
static void drains_insert(struct engine *e, uint16_t slot)
{
    uint32_t nr = atomic_load_explicit(&e->nr_drains, memory_order_relaxed), at = nr;

    if (e->pools[slot].drains_pages)
        at = e->nr_full_drains++;
    memmove(&e->drains[at + 1], &e->drains[at], (nr - at) * sizeof(*e->drains));
    e->drains[at] = slot;
    atomic_store_explicit(&e->nr_drains, nr + 1, memory_order_relaxed);
}

/* Under the lock. One that is under way begins anew: shards that were visited have dead pages. */
static void drain_begin(struct engine *e, uint16_t slot)
{
    struct pool *p = &e->pools[slot];

    if (p->drain_left == 0) {
        p->drains_pages = has_pages(e, p);
        drains_insert(e, slot);
        atomic_fetch_add_explicit(&pool_claim(p)->nr_dying, 1, memory_order_relaxed);
    }
    p->drain_left = e->nr_shards;
}

void reclaim_epoch(struct engine *e, uint16_t slot)
{
    lock_take(&e->reclaim_lock);
    drain_begin(e, slot);
    lock_drop(&e->reclaim_lock);
}

void reclaim_pool(struct engine *e, uint16_t slot)
{
    lock_take(&e->reclaim_lock);
    /* both at once, or the end of an epoch's drain would take the pool for drained */
    atomic_store_explicit(&e->pools[slot].state, POOL_DRAINING, memory_order_release);
    drain_begin(e, slot);
    lock_drop(&e->reclaim_lock);
}

static bool is_destroyed(const struct pool *p)
{
    return pool_state(p) == POOL_DRAINING;
}

static bool is_below(const struct engine *e, page_nr page, uint64_t floor)
{
    return page != LAYOUT_NONE && live_generation(e->descs[page].live) < floor;
}

/* One of those that are dead, which are at the tails; LAYOUT_NONE: there is none. */
static page_nr dead_page(const struct engine *e, const struct queue *q, uint64_t floor)
{
    const page_nr tails[] = {q->small.tail, q->main.tail, q->filled.tail};

    for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        if (is_below(e, tails[i], floor))
            return tails[i];
    }
    return LAYOUT_NONE;
}

/* Kill up to @most dead pages of the pool. True: the shard may have more. */
static bool drain_shard(struct engine *e, struct pool *p, struct shard *s, unsigned most,
                        struct dead_pages *dead)
{
    struct queue *q = &pool_part_of(e, p, s)->queue;
    uint64_t floor = is_destroyed(p) ? FLOOR_DESTROYED : pool_part_of(e, p, s)->floor;

    for (unsigned nr = 0; nr < most; nr++) {
        page_nr page = dead_page(e, q, floor);
        struct handle h;

        if (page == LAYOUT_NONE)
            return false;
        h = handle_of_desc(e->seed, &e->descs[page]);
        shard_kill_into(e, s, &h, shard_seek(e, s, &h), dead);
    }
    return true;
}

static void drain_end(struct engine *e, uint32_t at)
{
    uint16_t slot = e->drains[at];
    struct pool *p = &e->pools[slot];
    uint32_t nr = atomic_load_explicit(&e->nr_drains, memory_order_relaxed) - 1;

    memmove(&e->drains[at], &e->drains[at + 1], (nr - at) * sizeof(*e->drains));
    atomic_store_explicit(&e->nr_drains, nr, memory_order_relaxed);
    e->nr_full_drains -= p->drains_pages;
    atomic_fetch_sub_explicit(&pool_claim(p)->nr_dying, 1, memory_order_release);
    if (is_destroyed(p)) {
        rec_make_dead(&store_pools(e->store)[slot].live);
        atomic_store_explicit(&p->state, POOL_FREE, memory_order_release);
    }
}

/* One visit to one shard of the drain at @at. */
static unsigned drain_step(struct engine *e, uint32_t at, unsigned most)
{
    struct pool *p = &e->pools[e->drains[at]];
    struct shard *s = &e->shards[p->drain_left - 1];
    struct dead_pages dead;
    unsigned before;
    bool more;

    dead_pages_begin(&dead);
    lock_take(&s->lock);
    before = queue_nr(&pool_part_of(e, p, s)->queue);
    more = drain_shard(e, p, s, most < SHARD_SLICE ? most : SHARD_SLICE, &dead);
    before -= queue_nr(&pool_part_of(e, p, s)->queue);
    if (!more && is_destroyed(p))
        tomb_drop_pool(e, s, e->drains[at]);
    lock_drop(&s->lock);
    dead_pages_free(e, &dead);
    if (!more && --p->drain_left == 0)
        drain_end(e, at);
    return before;
}

static unsigned reclaim_drains_from(struct engine *e, uint32_t at, const struct claim *claim,
                                    unsigned *budget)
{
    unsigned nr_reclaimed = 0, vain = 0;

    while (*budget && at < atomic_load_explicit(&e->nr_drains, memory_order_relaxed)) {
        unsigned nr;

        if (claim && pool_claim(&e->pools[e->drains[at]]) != claim) {
            at++;
            continue;
        }
        nr = drain_step(e, at, *budget);
        nr_reclaimed += nr;
        spend(budget, nr ? nr : ++vain % VAIN_VISITS == 0);
    }
    return nr_reclaimed;
}

/*
 * Those with pages, but for a part: what fills and destroys pools all the time must not keep empty
 * ones from their end, and others from their slots.
 */
static unsigned reclaim_drains(struct engine *e, const struct claim *claim, unsigned *budget)
{
    unsigned for_empty = *budget / EMPTY_PART, nr;

    *budget -= for_empty;
    nr = reclaim_drains_from(e, e->nr_full_drains, claim, &for_empty);
    *budget += for_empty;
    return nr + reclaim_drains_from(e, 0, claim, budget);
}

/* One step of the oldest long flush in @s. False: there is none. */
static bool tomb_visit(struct engine *e, struct shard *s, const struct claim *claim,
                       unsigned *nr_out)
{
    struct dead_pages dead;
    uint64_t before;
    bool found;

    dead_pages_begin(&dead);
    lock_take(&s->lock);
    before = s->nr_ephemeral + s->nr_persistent;
    found = tomb_step(e, s, claim, &dead);
    *nr_out = (unsigned)(before - s->nr_ephemeral - s->nr_persistent);
    lock_drop(&s->lock);
    dead_pages_free(e, &dead);
    return found;
}

static unsigned reclaim_tombs_at(struct engine *e, struct shard *s, const struct claim *claim,
                                 unsigned *budget)
{
    unsigned nr_reclaimed = 0, nr;

    while (*budget && tomb_visit(e, s, claim, &nr)) {
        nr_reclaimed += nr;
        spend(budget, nr ? nr + 1 : VAIN_STEP);
    }
    return nr_reclaimed;
}

static unsigned reclaim_tombs(struct engine *e, const struct claim *claim, unsigned *budget)
{
    unsigned nr_reclaimed = 0;

    for (uint32_t i = 0; i < e->nr_shards && *budget; i++) {
        struct shard *s = &e->shards[(e->reclaim_shard + i) & (e->nr_shards - 1)];

        if (atomic_load_explicit(&e->nr_tombs, memory_order_relaxed) == 0)
            break;
        nr_reclaimed += reclaim_tombs_at(e, s, claim, budget);
    }
    e->reclaim_shard++;
    return nr_reclaimed;
}

void reclaim_tomb_room(struct engine *e, struct shard *s, const struct claim *own,
                       unsigned nr_pages)
{
    lock_take(&e->reclaim_lock);
    reclaim_tombs_at(e, s, own, &nr_pages);
    reclaim_tombs_at(e, s, NULL, &nr_pages);
    lock_drop(&e->reclaim_lock);
}

unsigned reclaim_slice(struct engine *e, const struct claim *claim, unsigned nr_pages)
{
    unsigned nr_reclaimed, for_tombs = 0;

    lock_take(&e->reclaim_lock);
    /* Half for each: who waits for a tombstone is not to wait for others' pools, one after another.
     */
    if (atomic_load_explicit(&e->nr_tombs, memory_order_relaxed) != 0)
        for_tombs = nr_pages / 2;
    nr_pages -= for_tombs;
    nr_reclaimed = reclaim_drains(e, claim, &nr_pages);
    nr_pages += for_tombs;
    nr_reclaimed += reclaim_tombs(e, claim, &nr_pages);
    if (nr_pages) /* there was less to flush */
        nr_reclaimed += reclaim_drains(e, claim, &nr_pages);
    lock_drop(&e->reclaim_lock);
    return nr_reclaimed;
}

bool engine_reclaim(struct engine *e, unsigned nr_pages)
{
    if (!reclaim_has_work(e))
        return false;
    reclaim_slice(e, NULL, nr_pages);
    return reclaim_has_work(e);
}
