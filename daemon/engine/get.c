/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"
#include "daemon/engine/tuner.h"

/* Pin the page in @slot for @get; false if another exclusive get has it. */
static bool pin(struct engine *e, struct shard *s, const uint32_t *slot, bool exclusive,
                struct engine_get *get)
{
    page_nr page = shard_page_at(s, slot);
    struct desc *d = &e->descs[page];

    if (d->use & USE_TAKEN) {
        /* This one misses, so nobody may find the page later (rule C8); see engine_get_end(). */
        use_set(&d->use, USE_ONCE);
        return false;
    }
    if (exclusive) {
        use_clear(&d->use, USE_USES);
        use_set(&d->use, USE_TAKEN);
    } else {
        use_add(&d->use);
    }
    d->use++;
    get->page = page;
    get->live = d->live;
    return true;
}

/* As many have pinned the page as can be counted; or any has, for a get beside others. */
static bool has_to_wait(const struct engine *e, const struct shard *s, const uint32_t *slot,
                        bool beside)
{
    unsigned use = e->descs[shard_page_at(s, slot)].use;

    return beside ? (use & USE_PINS) != 0 : (use & USE_PINS) == USE_PINS;
}

static uint32_t *seek_live(struct engine *e, struct shard *s, const struct handle *h, bool to_copy)
{
    uint32_t *slot = to_copy ? shard_seek_to_copy(e, s, h) : shard_seek(e, s, h);

    return slot && !shard_page_is_dead(e, s, shard_page_at(s, slot)) ? slot : NULL;
}

/*
 * Is the page, pinned for @get, what was put? The descriptor may die meanwhile, so its
 * generation is that of @get.
 */
static bool is_proved(struct engine *e, const struct engine_get *get, const struct handle *h)
{
    if (!doubts_have(&e->doubts, get->page))
        return true;
    if (e->descs[get->page].kind == DESC_FRAME &&
        e->descs[get->page].sum !=
            desc_sum_page(&h->key, live_generation(get->live), engine_frame(e, get->page)))
        return false;
    doubts_end(&e->doubts, get->page);
    return true;
}

/*
 * Under the lock: the pin goes. Does the page live still? If it died meanwhile the last one turns
 * off the light: true in *@free_it_out.
 */
static bool unpin(struct engine *e, const struct engine_get *get, bool *free_it_out)
{
    struct desc *d = &e->descs[get->page];
    bool lives = d->live == get->live;

    d->use--;
    *free_it_out = !lives && (d->use & USE_PINS) == 0;
    return lives;
}

/*
 * The page, pinned for @get and counted as a hit, is damaged. It is lost, and that is a miss; or
 * it stays for whoever has to know that there was one.
 */
static enum tmemif_status meet_damaged(struct engine *e, struct shard *s, const struct handle *h,
                                       struct engine_get *get, struct tmemif_lease *lease_out,
                                       bool *leased_out)
{
    struct pool *p = &e->pools[get->pool];
    bool free_it;

    lock_take(&s->lock);
    s->counters.hits--;
    if (unpin(e, get, &free_it)) {
        /* it lives, so the slot has the same pool still */
        pool_part_of(e, p, s)->counters.hits--;
        atomic_fetch_add_explicit(&e->pages_damaged, 1, memory_order_relaxed);
        if (!get->op.firm) {
            uint32_t *slot = shard_seek(e, s, h);

            BUG_UNLESS(slot != NULL && shard_page_at(s, slot) == get->page);
            free_it = shard_kill(e, s, h, slot);
        }
    }
    if (lease_out && pool_gives_leases(p)) {
        *lease_out = lease_now(&s->leases, h, pool_epoch(p));
        *leased_out = true;
    }
    lock_drop(&s->lock);
    if (free_it)
        store_page_free(e->store, get->page);
    return get->op.firm ? TMEMIF_BAD_DATA : TMEMIF_MISS;
}

/* Pinned: descriptor and frame stay as they are until engine_get_end(). */
static void show(const struct engine *e, page_nr page, const void **frame_out, uint32_t *filled_out)
{
    if (e->descs[page].kind == DESC_FILLED) {
        *frame_out = NULL;
        *filled_out = (uint32_t)e->descs[page].sum;
    } else {
        *frame_out = engine_frame(e, page);
    }
}

enum tmemif_status engine_get_begin(struct engine *e, const struct page_op *op,
                                    struct engine_get *get_out, const void **frame_out,
                                    uint32_t *filled_out, struct tmemif_lease *lease_out,
                                    bool *leased_out)
{
    struct engine_get get = {.op = *op};
    struct handle h;
    struct shard *s;
    struct pool *p;
    struct pool_part *part;
    uint32_t *slot;
    enum tmemif_status rc;
    bool hit;

    if (leased_out)
        *leased_out = false;
    rc = seat_find(e, op->account, op->pool_id, RIGHT_READ, &get.pool);
    if (rc != TMEMIF_OK)
        return rc;
    h = handle_of(e->seed, op->object, op->index, get.pool);
    get.object_hash = h.object_hash;
    s = shard_of(e, h.object_hash);
    p = &e->pools[get.pool];
    table_prefetch(&s->pages, h.page_hash);

    for (;;) {
        lock_take(&s->lock);
        rc = seat_still_holds(e, op, RIGHT_READ, get.pool);
        if (rc != TMEMIF_OK) {
            lock_drop(&s->lock);
            return rc;
        }
        slot = seek_live(e, s, &h, frame_out != NULL);
        if (!slot || !has_to_wait(e, s, slot, op->beside))
            break;
        lock_drop(&s->lock);
        if (op->beside)
            return TMEMIF_BUSY;
    }
    part = pool_part_of(e, p, s);
    s->counters.gets++;
    part->counters.gets++;
    hit = slot && pin(e, s, slot, pool_is_exclusive(p), &get);
    if (hit) {
        s->counters.hits++;
        part->counters.hits++;
    } else if (lease_out && pool_gives_leases(p)) {
        *lease_out = lease_now(&s->leases, &h, pool_epoch(p));
        *leased_out = true;
    }
    lock_drop(&s->lock);
    if (tuner_wants(p, h.page_hash) && !(hit && e->descs[get.page].kind == DESC_FILLED))
        tuner_get(p, h.page_hash, hit);
    if (!hit)
        return TMEMIF_MISS;
    if (!is_proved(e, &get, &h))
        return meet_damaged(e, s, &h, &get, lease_out, leased_out);

    if (frame_out)
        show(e, get.page, frame_out, filled_out);
    *get_out = get;
    return TMEMIF_OK;
}

void engine_get_end(struct engine *e, struct engine_get *get, bool copied)
{
    struct desc *d = &e->descs[get->page];
    struct shard *s = shard_of(e, get->object_hash);
    bool free_it;

    lock_take(&s->lock);
    if (unpin(e, get, &free_it) && (d->use & USE_TAKEN)) {
        bool missed_by_others = d->use & USE_ONCE;

        use_clear(&d->use, USE_TAKEN | USE_USES);
        if (copied || missed_by_others) {
            struct handle h = handle_of_desc(e->seed, d);
            uint32_t *slot = shard_seek(e, s, &h);

            BUG_UNLESS(slot != NULL && shard_page_at(s, slot) == get->page);
            free_it = shard_kill(e, s, &h, slot);
            /* It was wanted: should the guest put it again, it is not as any new one. */
            if (d->kind == DESC_FRAME)
                ghosts_add(&s->ghosts, h.page_hash);
        }
    }
    lock_drop(&s->lock);
    if (free_it)
        store_page_free(e->store, get->page);
}
