/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/recover.h"

#include <string.h>

#include "daemon/engine/intent.h"
#include "daemon/engine/pool.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"
#include "daemon/engine/shared.h"
#include "daemon/engine/tomb.h"

/*
 * Accounts, pools, seats, pages, tombstones, intents; then what nobody owns
 * any more is destroyed. Each step may be killed and done again.
 */

static void note_generation(uint64_t *highest, uint64_t generation)
{
    if (generation > *highest)
        *highest = generation;
}

static void recover_accounts(struct engine *e)
{
    const struct account_rec *records = store_accounts(e->store);

    for (account_nr i = 0; i < e->nr_accounts; i++) {
        if (records[i].live == LIVE_DEAD)
            continue;
        note_generation(&e->record_generation, live_generation(records[i].live));
        claim_set_policy(&e->claims[i], &(struct policy){.weight = 1});
        e->accounts[i].state = ACCOUNT_OPEN;
        atomic_store_explicit(&e->accounts_end, i + 1, memory_order_relaxed);
    }
}

/* The id under which the owner named in the record sees the pool. */
static bool owner_find_id(const struct engine *e, uint16_t slot, account_nr account,
                          uint32_t *pool_id_out)
{
    const struct account_rec *record = &store_accounts(e->store)[account];

    for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++) {
        if (record->pools[id] == slot) {
            *pool_id_out = id;
            return true;
        }
    }
    return false;
}

static bool pool_has_owner(const struct engine *e, const struct pool_rec *record, uint16_t slot,
                           struct pool_owner *owner_out)
{
    static const uint8_t no_uuid[TMEMIF_UUID_LEN];

    *owner_out = (struct pool_owner){.account = record->account, .shared = LAYOUT_NONE};
    if (record->floor >= FLOOR_DESTROYED)
        return false;
    if (record->account == LAYOUT_NONE)
        return (record->flags & TMEMIF_POOL_SHARED) &&
               memcmp(record->uuid, no_uuid, sizeof(no_uuid)) != 0;
    return record->account < e->nr_accounts && !(record->flags & TMEMIF_POOL_SHARED) &&
           e->accounts[record->account].state == ACCOUNT_OPEN &&
           owner_find_id(e, slot, record->account, &owner_out->pool_id);
}

/*
 * One pool. A pool without an owner has been destroyed, and so has a second
 * one of the same UUID. *@kept_out: it goes on.
 */
static bool recover_pool(struct engine *e, uint16_t slot, bool *kept_out)
{
    struct pool_rec *record = &store_pools(e->store)[slot];
    struct pool *p = &e->pools[slot];
    struct pool_owner owner;

    *kept_out = false;
    if (!pool_has_owner(e, record, slot, &owner))
        return true;
    if (owner.account == LAYOUT_NONE) {
        owner.shared = shared_find_or_add(e, record->uuid);
        if (owner.shared == LAYOUT_NONE ||
            atomic_load_explicit(&e->shared[owner.shared].slot, memory_order_relaxed) !=
                LAYOUT_NO_SLOT)
            return true;
        atomic_store_explicit(&e->shared[owner.shared].slot, slot, memory_order_relaxed);
        /* An ephemeral one begins empty; a floor that is damaged must not use generations up. */
        record->floor = 0;
    }
    if (!pool_set_up(e, slot, &owner, record->flags))
        return false;
    /* The lease counters begin anew, so no lease may be valid that was out. */
    record->epoch = ++e->last_epoch;
    atomic_store_explicit(&p->epoch, record->epoch, memory_order_relaxed);
    atomic_store_explicit(&p->generation, live_generation(record->live), memory_order_relaxed);
    atomic_store_explicit(&p->state, POOL_LIVE, memory_order_release);
    *kept_out = true;
    return true;
}

static bool recover_pools(struct engine *e)
{
    struct pool_rec *records = store_pools(e->store);

    /* Dead records count too: they tell what epochs there were. */
    for (uint32_t i = 0; i < e->nr_pools; i++) {
        if (records[i].epoch > e->last_epoch)
            e->last_epoch = records[i].epoch;
    }
    for (uint32_t i = 0; i < e->nr_pools; i++) {
        bool kept;

        if (records[i].live == LIVE_DEAD)
            continue;
        note_generation(&e->record_generation, live_generation(records[i].live));
        if (!recover_pool(e, (uint16_t)i, &kept))
            return false;
        /* Its pages are not indexed, and its record goes when they have gone. */
        if (!kept)
            records[i].floor = FLOOR_DESTROYED;
    }
    return true;
}

/* Is the id of an account's table a pool that this account may be in? */
static bool seat_is_sound(const struct engine *e, account_nr account, uint32_t pool_id,
                          uint16_t slot)
{
    const struct pool *p;

    if (slot >= e->nr_pools || pool_state(&e->pools[slot]) != POOL_LIVE)
        return false;
    p = &e->pools[slot];
    return p->shared != LAYOUT_NONE || (p->account == account && p->pool_id == pool_id);
}

static void recover_seats(struct engine *e)
{
    for (account_nr i = 0; i < e->nr_accounts; i++) {
        struct account_rec *record = &store_accounts(e->store)[i];
        uint32_t before;

        if (e->accounts[i].state != ACCOUNT_OPEN)
            continue;
        for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++) {
            uint16_t slot = record->pools[id];

            if (slot == LAYOUT_NO_SLOT)
                continue;
            if (!seat_is_sound(e, i, id, slot) || seat_of_pool(e, i, slot, &before))
                record->pools[id] = LAYOUT_NO_SLOT;
            else
                /* A member's right is the operator's to say again. */
                seat_give(e, i, id, slot,
                          e->pools[slot].shared != LAYOUT_NONE ? RIGHT_NONE : RIGHT_FILL);
        }
    }
}

static void page_drop(struct engine *e, page_nr page)
{
    desc_make_dead(&e->descs[page]);
    store_page_free(e->store, page);
}

/* Is the page of a pool that goes on with what it had? */
static bool page_is_kept(const struct engine *e, const struct desc *d)
{
    const struct pool *p = &e->pools[d->pool];

    if (pool_state(p) != POOL_LIVE)
        return false;
    return p->shared == LAYOUT_NONE || pool_is_persistent(p);
}

/* Its descriptor is whole; its bytes are looked at before it is served. */
static void page_doubt(struct engine *e, page_nr page)
{
    if (e->descs[page].kind == DESC_FRAME)
        doubts_add(&e->doubts, page);
}

/* A second live page of one handle: the put that made the younger was never answered, or was. */
static void page_settle(struct engine *e, struct shard *s, const struct handle *h, uint32_t *slot,
                        page_nr page)
{
    page_nr other = shard_page_at(s, slot);
    uint64_t mine = live_generation(e->descs[page].live);
    uint64_t theirs = live_generation(e->descs[other].live);

    if (mine < theirs) {
        page_drop(e, page);
        return;
    }
    if (mine == theirs) {
        /* No put makes two of one generation: neither can be trusted. */
        store_damage_duplicates(e->store, h->key.pool, 2);
        page_drop(e, page);
        if (shard_kill(e, s, h, slot))
            store_page_free(e->store, other);
        return;
    }
    shard_count_page(e, s, &e->descs[page], 1);
    shard_count_page(e, s, &e->descs[other], UINT64_MAX);
    page_doubt(e, page);
    table_replace(&s->pages, slot, page);
    object_index_swing(&s->objects, h, other, page);
    queue_replace(&pool_part_of(e, &e->pools[h->key.pool], s)->queue, e->links, e->descs, other,
                  page);
    page_drop(e, other);
}

static bool page_index(struct engine *e, page_nr page)
{
    struct desc *d = &e->descs[page];
    struct handle h = handle_of_desc(e->seed, d);
    struct shard *s = shard_of(e, h.object_hash);
    struct pool *p = &e->pools[d->pool];
    uint32_t *slot = shard_seek(e, s, &h);

    d->use = 0;
    if (slot) {
        page_settle(e, s, &h, slot, page);
        return true;
    }
    if (!object_index_add(&s->objects, &h, page))
        return false;
    if (!table_insert(&s->pages, h.page_hash, page))
        return false;
    queue_push(&pool_part_of(e, p, s)->queue, e->links, e->descs, page, false);
    shard_count_page(e, s, d, 1);
    page_doubt(e, page);
    claim_charge_found(pool_claim(p), pool_is_persistent(p));
    return true;
}

static bool recover_pages(struct engine *e, uint64_t *highest)
{
    page_nr first = store_next_live(e->store, 0);

    if (first != LAYOUT_NONE && !doubts_init(&e->doubts, &e->heap, e->nr_descs))
        return false;
    for (page_nr page = first; page != LAYOUT_NONE; page = store_next_live(e->store, page + 1)) {
        const struct desc *d = &e->descs[page];

        note_generation(highest, live_generation(d->live));
        if (!page_is_kept(e, d))
            page_drop(e, page);
        else if (!page_index(e, page))
            return false;
    }
    return true;
}

/* Kill what is in the range and below @generation. */
static void range_kill(struct engine *e, const uint64_t object[3], uint16_t pool, uint32_t first,
                       uint32_t last, uint64_t generation)
{
    struct handle h = handle_of(e->seed, object, first, pool);
    struct shard *s = shard_of(e, h.object_hash);
    struct object_walk walk;
    uint32_t indexes[EXTENT_PAGES];
    unsigned nr;
    bool more;

    object_walk_begin(&s->objects, &h, first, last, &walk);
    do {
        struct dead_pages dead;

        dead_pages_begin(&dead);
        more = object_walk_step(&s->objects, &h, &walk, indexes, &nr);
        shard_kill_indexes(e, s, &h, indexes, nr, generation, &dead);
        dead_pages_free(e, &dead);
    } while (more);
}

static bool pool_goes_on(const struct engine *e, uint32_t slot)
{
    return slot < e->nr_pools && pool_state(&e->pools[slot]) == POOL_LIVE;
}

static void recover_tombstones(struct engine *e, uint64_t *highest)
{
    struct tombstone_rec *records = store_tombstones(e->store);

    for (uint32_t i = 0; i < store_super(e->store)->nr_tombstones; i++) {
        struct tombstone_rec *r = &records[i];

        if (r->live == LIVE_DEAD)
            continue;
        note_generation(highest, live_generation(r->live));
        if (pool_goes_on(e, r->pool) && r->first <= r->last)
            range_kill(e, r->object, (uint16_t)r->pool, r->first, r->last,
                       live_generation(r->live));
        rec_make_dead(&r->live);
    }
}

/* Is there a live page of the record's handle and generation? */
static bool put_has_happened(struct engine *e, const struct ring_rec *r)
{
    struct handle h = handle_of(e->seed, r->object, r->first, r->pool);
    struct shard *s = shard_of(e, h.object_hash);
    const uint32_t *slot = shard_seek(e, s, &h);

    return slot && live_generation(e->descs[shard_page_at(s, slot)].live) == r->generation;
}

/* An operation that was under way: it has happened, or it happens now, or it never began. */
static void intent_finish(struct engine *e, struct ring_rec *r)
{
    if (!pool_goes_on(e, r->pool) || r->first > r->last) {
        /* Nothing of that pool can be asked for any more. */
        intent_phase(r, RECORD_IDLE);
        return;
    }
    switch (r->op) {
    case TMEMIF_OP_PAGE_PUT:
        if (r->generation != 0) {
            /* An older page of the handle has lost against this one already. */
            if (put_has_happened(e, r))
                intent_end(r, TMEMIF_OK);
            else
                intent_phase(r, RECORD_IDLE);
            return;
        }
        /* It was being refused, and with what is in the record. */
        __attribute__((fallthrough));
    case TMEMIF_OP_PAGE_FLUSH:
    case TMEMIF_OP_OBJECT_FLUSH:
    case TMEMIF_OP_RANGE_FLUSH:
        range_kill(e, r->object, r->pool, r->first, r->last, ANY_GENERATION);
        intent_end(r, (enum tmemif_status)r->status);
        return;
    default:
        intent_phase(r, RECORD_IDLE);
    }
}

static void recover_intents(struct engine *e)
{
    struct ring_rec *records = store_rings(e->store);

    for (uint32_t i = 0; i < store_super(e->store)->nr_rings; i++) {
        if (records[i].live != LIVE_DEAD && records[i].phase == RECORD_INTENT)
            intent_finish(e, &records[i]);
    }
}

/* Pools that ended in mid-life of the last daemon: their pages have been dropped. */
static void end_ownerless(struct engine *e)
{
    struct pool_rec *records = store_pools(e->store);

    for (uint32_t i = 0; i < e->nr_pools; i++) {
        struct pool *p = &e->pools[i];

        if (records[i].live == LIVE_DEAD)
            continue;
        if (pool_state(p) == POOL_FREE)
            rec_make_dead(&records[i].live);
        else if (p->shared != LAYOUT_NONE && p->nr_joined == 0 && !pool_is_persistent(p))
            pool_end(e, (uint16_t)i);
    }
}

/* From now on every page gets a higher generation than any record or page had. */
static void begin_generations(struct engine *e, uint64_t highest)
{
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        atomic_store_explicit(&e->shards[i].generation, highest, memory_order_relaxed);
        e->shards[i].barrier = highest;
    }
}

bool engine_recover(struct engine *e)
{
    uint64_t highest = 0;

    recover_accounts(e);
    if (!recover_pools(e))
        return false;
    recover_seats(e);
    if (!recover_pages(e, &highest))
        return false;
    recover_tombstones(e, &highest);
    recover_intents(e);
    begin_generations(e, highest);
    end_ownerless(e);
    return true;
}
