/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/pool.h"

#include <string.h>

#include "daemon/engine/reclaim.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"
#include "daemon/engine/tuner.h"

/*
 * How far a new epoch's floor is ahead of the generations that puts have taken, to begin with; it
 * doubles while puts overtake it. Generations end at 2^48, and members can make epochs as fast as
 * they can attach, so it is not large.
 */
#define FLOOR_AHEAD 64u

/* Pools of one account that follow the better rule (tuner.h). */
#define POOLS_TUNED 2u

static enum tmemif_status slot_find_free(const struct engine *e, uint16_t *slot_out)
{
    for (uint32_t i = 0; i < e->nr_pools; i++) {
        if (pool_state(&e->pools[i]) == POOL_FREE) {
            *slot_out = (uint16_t)i;
            return TMEMIF_OK;
        }
    }
    return TMEMIF_TOO_MANY;
}

static struct pool_part *parts_make(struct engine *e)
{
    struct pool_part *parts = heap_take(&e->heap, e->nr_shards, sizeof(*parts));

    for (uint32_t i = 0; parts && i < e->nr_shards; i++)
        queue_init(&parts[i].queue);
    return parts;
}

/* Of a slot that was used before, with every shard's lock in turn: the last pool's figures go. */
static void parts_reset(struct engine *e, struct pool *p)
{
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        struct shard *s = &e->shards[i];
        struct pool_part *part;

        lock_take(&s->lock);
        part = pool_part_of(e, p, s);
        BUG_UNLESS(queue_nr(&part->queue) == 0);
        part->counters = (struct counters){0};
        part->floor = 0;
        lock_drop(&s->lock);
    }
}

static struct claim *claim_for(struct engine *e, const struct pool_owner *owner)
{
    return owner->account != LAYOUT_NONE ? &e->claims[owner->account]
                                         : &e->claims[e->nr_accounts + owner->shared];
}

/* A guest's first pools, and the shared ones, which the operator has allowed. */
static bool is_tuned(const struct pool_owner *owner, uint32_t flags)
{
    return !(flags & TMEMIF_POOL_PERSISTENT) &&
           (owner->account == LAYOUT_NONE || owner->pool_id < POOLS_TUNED);
}

bool pool_set_up(struct engine *e, uint16_t slot, const struct pool_owner *owner, uint32_t flags)
{
    struct pool *p = &e->pools[slot];

    if (!atomic_load_explicit(&p->parts, memory_order_relaxed)) {
        struct pool_part *parts = parts_make(e);

        if (!parts)
            return false;
        atomic_store_explicit(&p->parts, parts, memory_order_relaxed);
    } else {
        parts_reset(e, p);
    }
    atomic_store_explicit(&p->flags, flags, memory_order_relaxed);
    tuner_set_up(e, p, is_tuned(owner, flags));
    atomic_store_explicit(&p->claim, claim_for(e, owner), memory_order_relaxed);
    p->account = owner->account;
    p->pool_id = owner->pool_id;
    p->shared = owner->shared;
    p->nr_joined = 0;
    return true;
}

enum tmemif_status pool_start(struct engine *e, const struct pool_owner *owner, uint32_t flags,
                              uint16_t *slot_out)
{
    struct pool_rec *record;
    struct pool *p;
    uint16_t slot;
    enum tmemif_status rc = slot_find_free(e, &slot);

    if (rc != TMEMIF_OK)
        return rc;
    if (!pool_set_up(e, slot, owner, flags))
        return TMEMIF_NO_MEMORY;
    p = &e->pools[slot];
    record = &store_pools(e->store)[slot];
    /* Leases of other pools, also of one that had the slot, are of other epochs. */
    *record =
        (struct pool_rec){.flags = flags, .account = owner->account, .epoch = ++e->last_epoch};
    if (owner->shared != LAYOUT_NONE)
        memcpy(record->uuid, e->shared[owner->shared].uuid, sizeof(record->uuid));
    atomic_store_explicit(&p->epoch, record->epoch, memory_order_relaxed);
    /* release: who reads this generation reads the flags and claim that go with it */
    atomic_store_explicit(&p->generation, ++e->record_generation, memory_order_release);
    pool_rec_make_live(record, e->record_generation);
    atomic_store_explicit(&p->state, POOL_LIVE, memory_order_release);
    *slot_out = slot;
    return TMEMIF_OK;
}

static void floor_store(struct engine *e, uint16_t slot, uint64_t floor)
{
    __atomic_store_n(&store_pools(e->store)[slot].floor, floor, __ATOMIC_RELEASE);
}

void pool_end(struct engine *e, uint16_t slot)
{
    struct pool *p = &e->pools[slot];

    floor_store(e, slot, FLOOR_DESTROYED);
    if (p->shared != LAYOUT_NONE)
        atomic_store_explicit(&e->shared[p->shared].slot, LAYOUT_NO_SLOT, memory_order_relaxed);
    reclaim_pool(e, slot);
}

static uint64_t highest_generation(const struct engine *e)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < e->nr_shards; i++) {
        uint64_t here = atomic_load_explicit(&e->shards[i].generation, memory_order_relaxed);

        highest = here > highest ? here : highest;
    }
    return highest;
}

/* Let every page of the pool that is live now be below @floor, and every later one not. */
static bool raise_floor(struct engine *e, uint16_t slot, uint64_t floor)
{
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        struct shard *s = &e->shards[i];
        uint64_t last;
        bool raised = false;

        lock_take(&s->lock);
        last = atomic_load_explicit(&s->generation, memory_order_relaxed);
        while (last < floor && !raised)
            raised = atomic_compare_exchange_weak_explicit(
                &s->generation, &last, floor, memory_order_relaxed, memory_order_relaxed);
        if (raised)
            pool_part_of(e, &e->pools[slot], s)->floor = floor;
        lock_drop(&s->lock);
        if (!raised)
            return false;
    }
    return true;
}

/* Has it no page? A put that is under way enters the new epoch, as if it had come later. */
static bool is_empty(struct engine *e, uint16_t slot)
{
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        struct shard *s = &e->shards[i];
        uint32_t nr;

        lock_take(&s->lock);
        nr = queue_nr(&pool_part_of(e, &e->pools[slot], s)->queue);
        lock_drop(&s->lock);
        if (nr != 0)
            return false;
    }
    return true;
}

void pool_begin_epoch(struct engine *e, uint16_t slot)
{
    struct pool *p = &e->pools[slot];
    uint32_t epoch = ++e->last_epoch;
    uint64_t floor, ahead = FLOOR_AHEAD;

    /* Leases first: whoever has the lock of a shard after us finds the new epoch. */
    __atomic_store_n(&store_pools(e->store)[slot].epoch, epoch, __ATOMIC_RELEASE);
    atomic_store_explicit(&p->epoch, epoch, memory_order_relaxed);
    if (is_empty(e, slot))
        return;
    do {
        floor = highest_generation(e) + ahead;
        ahead *= 2;
    } while (!raise_floor(e, slot, floor));
    floor_store(e, slot, floor);
    reclaim_epoch(e, slot);
}

void pool_give_up(struct engine *e, account_nr account, uint32_t pool_id)
{
    uint32_t seat = seat_at(e, account, pool_id);
    struct pool *p;

    if (seat == SEAT_NONE)
        return;
    p = &e->pools[seat_slot(seat)];
    seat_take(e, account, pool_id);
    /* A shared persistent pool stays until the operator removes it (C25). */
    if (p->nr_joined == 0 && !(p->shared != LAYOUT_NONE && pool_is_persistent(p)))
        pool_end(e, seat_slot(seat));
}
