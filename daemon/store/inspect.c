/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/inspect.h"

#include "daemon/store/record.h"

static void drop_record(uint64_t *live, struct store_damage *damage)
{
    rec_make_dead(live);
    damage->records++;
}

static bool pool_is_live(const struct tables *t, uint32_t pool)
{
    return pool < t->super->nr_pools && t->pools[pool].live != LIVE_DEAD;
}

/* ---- records ---- */

static void inspect_accounts(const struct tables *t, struct store_damage *damage)
{
    for (uint32_t i = 0; i < t->super->nr_accounts; i++) {
        struct account_rec *r = &t->accounts[i];

        if (r->live != LIVE_DEAD && !account_rec_is_whole(r))
            drop_record(&r->live, damage);
    }
}

static bool pool_rec_fits(const struct tables *t, const struct pool_rec *r)
{
    bool shared = r->flags & TMEMIF_POOL_SHARED;

    if (r->flags & ~TMEMIF_POOL_FLAGS)
        return false;
    return shared ? r->account == LAYOUT_NONE : r->account < t->super->nr_accounts;
}

static bool pool_is_destroyed(const struct pool_rec *r)
{
    return r->floor == FLOOR_DESTROYED;
}

/* Only shared ephemeral pools have epochs. A floor is not under the check sum. */
static bool floor_fits(const struct pool_rec *r)
{
    bool has_epochs = (r->flags & TMEMIF_POOL_SHARED) && !(r->flags & TMEMIF_POOL_PERSISTENT);

    return r->floor <= (has_epochs ? LIVE_GENERATION_MAX : 0) || pool_is_destroyed(r);
}

static void inspect_pools(const struct tables *t, struct store_damage *damage)
{
    for (uint32_t i = 0; i < t->super->nr_pools; i++) {
        struct pool_rec *r = &t->pools[i];

        if (r->live == LIVE_DEAD)
            continue;
        if (!(pool_rec_is_whole(r) && pool_rec_fits(t, r))) {
            drop_record(&r->live, damage);
        } else if (!floor_fits(r)) {
            r->floor = 0;
            damage->records++;
        }
    }
}

/* May an account that lives be in the pool? Ids go before a pool is destroyed. */
static bool pool_may_be_of(const struct pool_rec *r, uint32_t account)
{
    return !pool_is_destroyed(r) && ((r->flags & TMEMIF_POOL_SHARED) || r->account == account);
}

/* Is the pool of @id one of an earlier id, too? */
static bool names_again(const struct account_rec *r, uint32_t id)
{
    for (uint32_t before = 0; before < id; before++) {
        if (r->pools[before] == r->pools[id])
            return true;
    }
    return false;
}

/*
 * Pool ids, which are not under a check sum: to a pool that died, as a kill in its destruction
 * leaves it, or to where none can be.
 */
static void inspect_pool_ids(const struct tables *t, struct store_damage *damage)
{
    for (uint32_t i = 0; i < t->super->nr_accounts; i++) {
        struct account_rec *r = &t->accounts[i];

        if (r->live == LIVE_DEAD)
            continue;
        for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++) {
            uint16_t pool = r->pools[id];

            if (pool == LAYOUT_NO_SLOT)
                continue;
            if (pool_is_live(t, pool) && pool_may_be_of(&t->pools[pool], i) && !names_again(r, id))
                continue;
            if (pool >= t->super->nr_pools || pool_is_live(t, pool))
                damage->records++;
            r->pools[id] = LAYOUT_NO_SLOT;
        }
    }
}

static void inspect_tombstones(const struct tables *t, struct store_damage *damage)
{
    for (uint32_t i = 0; i < t->super->nr_tombstones; i++) {
        struct tombstone_rec *r = &t->tombstones[i];

        if (r->live == LIVE_DEAD)
            continue;
        if (!tombstone_rec_is_whole(r) || r->pool >= t->super->nr_pools || r->first > r->last)
            drop_record(&r->live, damage);
        else if (!pool_is_live(t, r->pool))
            rec_make_dead(&r->live); /* its pool went first: nothing is left to flush */
    }
}

static bool ring_rec_fits(const struct tables *t, const struct ring_rec *r)
{
    if (r->phase > RECORD_DONE)
        return false;
    if (r->account == LAYOUT_NONE) /* of a disk, which does not use the engine by a ring's record */
        return r->phase != RECORD_INTENT;
    if (r->account >= t->super->nr_accounts)
        return false;
    return r->phase != RECORD_INTENT || r->pool == LAYOUT_NO_SLOT || r->pool < t->super->nr_pools;
}

static void inspect_rings(const struct tables *t, struct store_damage *damage)
{
    for (uint32_t i = 0; i < t->super->nr_rings; i++) {
        struct ring_rec *r = &t->rings[i];

        if (r->live == LIVE_DEAD)
            continue;
        if (!ring_rec_is_whole(r) || !ring_rec_fits(t, r))
            drop_record(&r->live, damage);
        else if (r->account != LAYOUT_NONE && t->accounts[r->account].live == LIVE_DEAD)
            rec_make_dead(&r->live); /* its account went first */
    }
}

void inspect_records(const struct tables *t, struct store_damage *damage)
{
    inspect_accounts(t, damage);
    inspect_pools(t, damage);
    inspect_pool_ids(t, damage);
    inspect_tombstones(t, damage);
    inspect_rings(t, damage);
}

/* ---- pages ---- */

static bool desc_fits(const struct tables *t, const struct desc *d, enum desc_kind kind)
{
    if (!desc_is_whole(d) || d->kind != kind || !pool_is_live(t, d->pool))
        return false;
    return kind != DESC_FILLED || desc_content_is_whole(d, NULL);
}

/* Whose page it may have been. */
static void note_pool(const struct tables *t, const struct desc *d, struct store_damage *damage)
{
    bool believed = pool_is_live(t, d->pool) || (desc_is_whole(d) && d->pool < t->super->nr_pools);
    uint32_t slot = believed ? d->pool : LAYOUT_MAX_POOLS;

    damage->pools[slot / 64] |= 1ull << slot % 64;
}

/* Returns how many pages of the chunk live. */
static uint32_t inspect_chunk(struct depot *d, uint32_t c, enum desc_kind kind,
                              const struct tables *t, struct store_damage *damage)
{
    page_nr first = depot_chunk_first(d, c);
    uint32_t nr = depot_chunk_nr_pages(d, c);
    uint32_t nr_live = 0;

    for (uint32_t i = 0; i < nr; i++) {
        struct desc *desc = &d->descs[first + i];

        if (desc->live == LIVE_DEAD)
            continue;
        if (!desc_fits(t, desc, kind)) {
            note_pool(t, desc, damage);
            desc_make_dead(desc);
            damage->descs++;
            continue;
        }
        desc->use = 0;
        nr_live++;
    }
    return nr_live;
}

/* Give back what chunks @first to @last - 1, none of which has a live page, may have. */
static void unback_chunks(const struct depot *d, uint32_t first, uint32_t last)
{
    size_t nr_pages;

    if (first == last)
        return;
    nr_pages = depot_chunk_first(d, last - 1) + depot_chunk_nr_pages(d, last - 1) -
               depot_chunk_first(d, first);
    /* Refused: memory stays taken that need not be, until these chunks are used again. */
    (void)segment_unback(d->desc_seg, depot_desc_offset(d, first), nr_pages * sizeof(struct desc));
    if (d->frame_seg)
        (void)segment_unback(d->frame_seg, depot_frame_offset(d, first),
                             nr_pages * TMEMIF_PAGE_SIZE);
}

static const char no_memory[] = "a segment of pages has holes, and there is no memory to fill them";
/* Nothing may be taken for empty then, least of all what would be given back for it. */
static const char no_map[] = "the system does not say where a segment of pages has memory";

static const char *inspect_depot(struct depot *d, enum desc_kind kind, const struct tables *t,
                                 struct store_damage *damage)
{
    struct segment_walk descs, frames;
    uint32_t dead_from = 0; /* chunks from here to the one looked at have no live page */

    segment_walk_init(&descs, d->desc_seg);
    segment_walk_init(&frames, d->frame_seg);
    for (uint32_t c = 0; c < d->nr_chunks; c++) {
        size_t offset = depot_desc_offset(d, c);
        size_t bytes = depot_desc_bytes(d, c);
        bool any = segment_walk_any(&descs, offset, bytes);

        if (descs.failed)
            return no_map;
        /* Reading a hole would take memory for it: where nothing was written nothing lives. */
        if (!any)
            continue;
        if (!segment_walk_all(&descs, offset, bytes) && !segment_back(d->desc_seg, offset, bytes))
            return no_memory;
        if (inspect_chunk(d, c, kind, t, damage) == 0)
            continue;
        unback_chunks(d, dead_from, c);
        dead_from = c + 1;
        if (d->frame_seg &&
            !segment_walk_all(&frames, depot_frame_offset(d, c), depot_frame_bytes(d, c)) &&
            !depot_chunk_back(d, c))
            return no_memory;
        depot_adopt(d, c);
    }
    unback_chunks(d, dead_from, d->nr_chunks);
    return NULL;
}

const char *inspect_pages(struct pages *p, const struct tables *t, struct store_damage *damage)
{
    const char *why = inspect_depot(&p->depots[0], DESC_FRAME, t, damage);

    return why ? why : inspect_depot(&p->depots[1], DESC_FILLED, t, damage);
}
