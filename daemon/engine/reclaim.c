/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/reclaim.h"

#include <string.h>

#include "daemon/engine/tomb.h"

/* Under the lock. One that is under way begins anew: shards that were visited have dead pages. */
static void drain_begin(struct engine *e, uint16_t slot)
{
    struct pool *p = &e->pools[slot];

    if (p->drain_left == 0) {
        uint32_t nr = atomic_load_explicit(&e->nr_drains, memory_order_relaxed);

        e->drains[nr] = slot;
        atomic_store_explicit(&e->nr_drains, nr + 1, memory_order_relaxed);
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

/* Kill up to @most dead pages of the pool. True: the shard may have more. */
static bool drain_shard(struct engine *e, struct pool *p, struct shard *s, unsigned most,
                        struct dead_pages *dead)
{
    struct queue *q = &pool_part_of(e, p, s)->queue;
    uint64_t floor = is_destroyed(p) ? FLOOR_DESTROYED : pool_part_of(e, p, s)->floor;

    for (unsigned nr = 0; nr < most; nr++) {
        page_nr page = is_below(e, q->small.tail, floor) ? q->small.tail : q->main.tail;
        struct handle h;

        if (!is_below(e, page, floor))
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

static unsigned reclaim_drains(struct engine *e, const struct claim *claim, unsigned *budget)
{
    unsigned nr_reclaimed = 0;
    uint32_t at = 0;

    while (*budget && at < atomic_load_explicit(&e->nr_drains, memory_order_relaxed)) {
        unsigned nr;

        if (claim && pool_claim(&e->pools[e->drains[at]]) != claim) {
            at++;
            continue;
        }
        nr = drain_step(e, at, *budget);
        nr_reclaimed += nr;
        /* a visit costs something too */
        *budget -= nr ? (nr < *budget ? nr : *budget) : 1;
    }
    return nr_reclaimed;
}

static unsigned reclaim_tombs(struct engine *e, const struct claim *claim, unsigned *budget)
{
    unsigned nr_reclaimed = 0;

    for (uint32_t i = 0; i < e->nr_shards && *budget; i++) {
        struct shard *s = &e->shards[(e->reclaim_shard + i) & (e->nr_shards - 1)];
        bool more = true;

        while (more && *budget) {
            struct dead_pages dead;
            uint64_t held;

            dead_pages_begin(&dead);
            if (atomic_load_explicit(&e->nr_tombs, memory_order_relaxed) == 0)
                return nr_reclaimed;
            lock_take(&s->lock);
            held = s->nr_ephemeral + s->nr_persistent;
            more = tomb_step(e, s, claim, &dead);
            held -= s->nr_ephemeral + s->nr_persistent;
            lock_drop(&s->lock);
            dead_pages_free(e, &dead);
            nr_reclaimed += (unsigned)held;
            if (more)
                *budget -= held + 1 < *budget ? (unsigned)held + 1 : *budget;
        }
    }
    e->reclaim_shard++;
    return nr_reclaimed;
}

unsigned reclaim_slice(struct engine *e, const struct claim *claim, unsigned nr_pages)
{
    unsigned nr_reclaimed;

    lock_take(&e->reclaim_lock);
    nr_reclaimed = reclaim_drains(e, claim, &nr_pages);
    nr_reclaimed += reclaim_tombs(e, claim, &nr_pages);
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
