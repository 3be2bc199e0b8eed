/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/intent.h"
#include "daemon/engine/reclaim.h"
#include "daemon/engine/reserve.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"
#include "daemon/engine/tuner.h"
#include "daemon/engine/victim.h"

/* Pages evicted, or slices with something to reclaim, for one put at most. */
#define ROOM_TRIES 64u
/* Slices in vain before a persistent put is refused. */
#define VAIN_SLICES 4u
/* Times that a worker's puts do not look for others' dead pages after one has found none. */
#define VAIN_PAUSE 16u
/* The same until there is a frame, which others may take first. */
#define FRAME_TRIES 1024u
/* Slices reclaimed for a frame, which free none where pages of one word over and over are dead. */
#define FRAME_SLICES 16u
/* Pages evicted past minimums for one put: others may take each one's frame first. */
#define REPLACE_TRIES 16u

/* Generations taken for one put before its sum is computed with the lock held. */
#define GENERATION_TRIES 3u

/* Puts for each shard before the shards are levelled again. */
#define PUTS_PER_SHARD 16u

static void count_refused(struct engine *e, struct shard *s, struct pool *p)
{
    struct pool_part *part = pool_part_of(e, p, s);

    s->counters.puts++;
    s->counters.puts_refused++;
    part->counters.puts++;
    part->counters.puts_refused++;
}

/* What forbids this put, under the lock; whatever it is, nothing changes. */
static enum tmemif_status why_forbidden(struct engine *e, struct shard *s, const struct page_op *op,
                                        const struct handle *h)
{
    struct pool *p = &e->pools[h->key.pool];
    enum tmemif_status rc = seat_still_holds(e, op, RIGHT_FILL, h->key.pool);

    if (rc != TMEMIF_OK)
        return rc;
    if (op->lease)
        return lease_is_valid(&s->leases, h, pool_epoch(p), op->lease) ? TMEMIF_OK
                                                                       : TMEMIF_STALE_LEASE;
    return pool_flags(p) & TMEMIF_POOL_LEASED ? TMEMIF_NEED_LEASE : TMEMIF_OK;
}

/* Under the lock: the put is refused for lack of resources, and an older page goes (C6), or stays.
 */
static void refuse_locked(struct engine *e, struct shard *s, const struct page_op *op,
                          const struct handle *h, enum tmemif_status why, struct dead_pages *dead)
{
    uint32_t *slot = shard_seek(e, s, h);

    count_refused(e, s, &e->pools[h->key.pool]);
    if (!slot || op->firm)
        return;
    intent_begin(op->record, &h->key, op->index, op->index, 0, why);
    shard_kill_into(e, s, h, slot, dead);
    ++*lease_handle_counter(&s->leases, h);
    intent_end(op->record, why);
}

/* @why, unless the put was not even allowed. */
static enum tmemif_status refuse(struct engine *e, const struct page_op *op, const struct handle *h,
                                 enum tmemif_status why)
{
    struct shard *s = shard_of(e, h->object_hash);
    struct dead_pages dead;
    enum tmemif_status rc;

    dead_pages_begin(&dead);
    lock_take(&s->lock);
    rc = why_forbidden(e, s, op, h);
    if (rc == TMEMIF_OK) {
        refuse_locked(e, s, op, h, why, &dead);
        rc = why;
    } else if (rc == TMEMIF_STALE_LEASE || rc == TMEMIF_NEED_LEASE) {
        count_refused(e, s, &e->pools[h->key.pool]);
    }
    lock_drop(&s->lock);
    dead_pages_free(e, &dead);
    return rc;
}

/*
 * Is there a page of @h, whose charge a put of it could take over? @frame: one with a frame, which
 * the put would give back.
 */
static bool has_page(struct engine *e, const struct handle *h, bool frame)
{
    struct shard *s = shard_of(e, h->object_hash);
    const uint32_t *slot;
    bool found;

    lock_take(&s->lock);
    slot = shard_seek(e, s, h);
    found = slot && (!frame || e->descs[shard_page_at(s, slot)].kind == DESC_FRAME);
    lock_drop(&s->lock);
    return found;
}

/* Reclaim until some pages have gone; not for ever. Of @claim only, if it is not NULL. */
static bool reclaim_some(struct engine *e, const struct claim *claim, unsigned slices)
{
    while (slices-- && reclaim_has_work(e)) {
        if (reclaim_slice(e, claim, SHARD_SLICE) != 0)
            return true;
    }
    return false;
}

/* Charge one page, making room below the claim's limit if that can be done. */
static bool charge(struct engine *e, struct worker *w, struct claim *c, bool persistent)
{
    for (unsigned tries = 0; tries < ROOM_TRIES; tries++) {
        if (claim_charge(c, persistent))
            return true;
        /* What has been flushed does not count, once it is reclaimed. */
        if (atomic_load_explicit(&c->nr_dying, memory_order_acquire) != 0 &&
            reclaim_some(e, c, persistent ? VAIN_SLICES : 1))
            continue;
        if (persistent || claim_read(&c->max) == 0 || !victim_evict_any(e, w, c))
            return false;
    }
    return false;
}

/*
 * May the persistent page that was charged be taken, or would it take what a minimum
 * promises? One that replaces another frame has room; what has been flushed makes room.
 */
static bool is_admitted(struct engine *e, const struct handle *h)
{
    for (unsigned tries = 0; tries < ROOM_TRIES; tries++) {
        if (reserve_leaves_room(e) || has_page(e, h, true))
            return true;
        if (!reclaim_some(e, NULL, VAIN_SLICES))
            return false;
    }
    return false;
}

/* Each worker does it, so seldom that a put pays for a sixteenth of a shard. */
static void level_now_and_then(struct engine *e, struct worker *w)
{
    if (w->puts_to_level-- != 0)
        return;
    w->puts_to_level = PUTS_PER_SHARD * e->nr_shards;
    shards_level(e);
}

/*
 * Dead pages go before live ones. But whose they are does not pay for this put, and could make
 * every one look at what is hard to find: after one in vain it is left to the workers.
 */
static bool reclaim_rather(struct engine *e, struct worker *w)
{
    if (!reclaim_has_work(e))
        return false;
    if (w->puts_to_reclaim != 0) {
        w->puts_to_reclaim--;
        return false;
    }
    if (reclaim_some(e, NULL, 1))
        return true;
    w->puts_to_reclaim = VAIN_PAUSE;
    return false;
}

/*
 * A persistent page with a frame that is replaced gives its frame back at once, so a minimum is
 * short of one page for that long. Without it what a disk has could not be written any more.
 */
static page_nr find_to_replace(struct engine *e, struct worker *w, const struct handle *h)
{
    page_nr page = LAYOUT_NONE;

    for (unsigned tries = 0; tries < REPLACE_TRIES && page == LAYOUT_NONE; tries++) {
        if (!has_page(e, h, true) || !victim_evict_past_minimum(e, w))
            break;
        page = store_page_alloc(e->store, DESC_FRAME);
    }
    return page;
}

/* A page with a frame, at the cost of somebody's if need be. */
static page_nr find_page(struct engine *e, struct worker *w, struct claim *own, bool persistent)
{
    unsigned slices = 0;

    for (unsigned tries = 0; tries < FRAME_TRIES; tries++) {
        page_nr page = store_page_alloc(e->store, DESC_FRAME);

        if (page != LAYOUT_NONE)
            return page;
        if (slices < FRAME_SLICES && reclaim_rather(e, w)) {
            slices++;
            continue;
        }
        /* A minimum protects from others, not from oneself. */
        if (victim_evict(e, w, NULL) || (!persistent && victim_evict(e, w, own)))
            continue;
        if (slices++ >= FRAME_SLICES || !reclaim_some(e, NULL, VAIN_SLICES))
            return LAYOUT_NONE;
    }
    return LAYOUT_NONE;
}

static bool is_frozen(const struct engine *e, const struct page_op *op, const struct claim *claim)
{
    return claim_is_frozen(claim) || claim_is_frozen(&e->claims[op->account]);
}

/* What the lock must confirm is asked here too, so that the guest's page is not copied in vain. */
static enum tmemif_status why_not_taken(const struct engine *e, const struct page_op *op,
                                        const struct handle *h, const struct claim *claim)
{
    if ((pool_flags(&e->pools[h->key.pool]) & TMEMIF_POOL_LEASED) && !op->lease)
        return TMEMIF_NEED_LEASE;
    if (is_frozen(e, op, claim))
        return TMEMIF_FROZEN;
    return shard_may_put(shard_of(e, h->object_hash)) ? TMEMIF_OK : TMEMIF_NO_MEMORY;
}

/* What it charges is a live page by now, or nothing. */
static void put_uncount(struct engine_put *put)
{
    if (put->counted)
        claim_end_put(put->claim);
    put->counted = false;
}

/* Charge the page and find it. OK, QUOTA or NO_MEMORY; then nothing is charged. */
static enum tmemif_status take_page(struct engine *e, const struct handle *h,
                                    struct engine_put *put)
{
    struct worker *w = &e->workers[put->op.worker];

    put->page = LAYOUT_NONE;
    put->counted = !put->persistent && claim_begin_put(put->claim);
    put->charged = charge(e, w, put->claim, put->persistent);
    if (!put->charged && !has_page(e, h, false)) {
        put_uncount(put);
        return TMEMIF_QUOTA;
    }
    level_now_and_then(e, w);
    if (!put->persistent || is_admitted(e, h))
        put->page = find_page(e, w, put->claim, put->persistent);
    if (put->page == LAYOUT_NONE && put->persistent)
        put->page = find_to_replace(e, w, h);
    if (put->page != LAYOUT_NONE)
        return TMEMIF_OK;
    if (put->charged)
        claim_uncharge(put->claim, put->persistent);
    put_uncount(put);
    return TMEMIF_NO_MEMORY;
}

/* While the page is copied: its links, and an older page of the handle, which it replaces. */
static void prefetch_for_commit(struct engine *e, const struct handle *h, page_nr page)
{
    page_nr old = shard_guess(shard_of(e, h->object_hash), h->page_hash);

    prefetch_to_write(&e->links[page]);
    if (old != LAYOUT_NONE) {
        prefetch_to_write(&e->descs[old]);
        prefetch_to_write(&e->links[old]);
    }
}

enum tmemif_status engine_put_begin(struct engine *e, const struct page_op *op,
                                    struct engine_put *put_out, void **frame_out)
{
    struct engine_put put = {.op = *op};
    struct handle h;
    struct pool *p;
    enum tmemif_status rc;

    rc = seat_find(e, op->account, op->pool_id, RIGHT_FILL, &put.pool);
    if (rc != TMEMIF_OK) {
        atomic_fetch_add_explicit(&e->puts_turned_away, 1, memory_order_relaxed);
        return rc;
    }
    p = &e->pools[put.pool];
    h = handle_of(e->seed, op->object, op->index, put.pool);
    put.object_hash = h.object_hash;
    put.page_hash = h.page_hash;
    shard_prefetch(shard_of(e, h.object_hash), &h);
    /* First: if the slot is used again meanwhile, the commit finds another generation. */
    put.pool_generation = atomic_load_explicit(&p->generation, memory_order_acquire);
    put.claim = pool_claim(p);
    put.persistent = pool_is_persistent(p);

    rc = why_not_taken(e, op, &h, put.claim);
    if (rc == TMEMIF_OK)
        rc = take_page(e, &h, &put);
    if (rc != TMEMIF_OK)
        return refuse(e, op, &h, rc);
    put.generation = shard_take_generation(shard_of(e, h.object_hash));
    put.seed = desc_seed(&h.key, put.generation);
    prefetch_for_commit(e, &h, put.page);
    *frame_out = engine_frame(e, put.page);
    *put_out = put;
    return TMEMIF_OK;
}

static struct handle put_handle(const struct engine_put *put)
{
    const uint64_t *object = put->op.object;

    return (struct handle){
        .key = {.object = {object[0], object[1], object[2]},
                .index = put->op.index,
                .pool = put->pool},
        .object_hash = put->object_hash,
        .page_hash = put->page_hash,
    };
}

/* The put has no page any more and charges nothing. */
static void put_give_back(struct engine *e, struct engine_put *put)
{
    store_page_free(e->store, put->page);
    if (put->charged)
        claim_uncharge(put->claim, put->persistent);
    put_uncount(put);
    put->page = LAYOUT_NONE;
    put->charged = false;
}

enum tmemif_status engine_put_abort(struct engine *e, struct engine_put *put,
                                    enum tmemif_status why)
{
    struct handle h = put_handle(put);

    put_give_back(e, put);
    return refuse(e, &put->op, &h, why);
}

/* A page that needs no frame gets a descriptor without one, if there is one left. */
static void drop_needless_frame(struct engine *e, struct engine_put *put)
{
    page_nr filled;

    if (!put->facts.filled)
        return;
    filled = store_page_alloc(e->store, DESC_FILLED);
    if (filled == LAYOUT_NONE)
        return;
    store_page_free(e->store, put->page);
    put->page = filled;
}

static uint64_t sum_of(const struct engine *e, const struct engine_put *put, const struct handle *h,
                       uint64_t generation)
{
    if (e->descs[put->page].kind == DESC_FILLED)
        return desc_sum_filled(&h->key, generation, put->facts.word);
    if (generation == put->generation)
        return put->facts.sum;
    return desc_sum_page(&h->key, generation, engine_frame(e, put->page));
}

/* Is @generation above all that could make the page dead from its first moment? */
static bool generation_is_good(const struct engine *e, const struct shard *s, struct pool *p,
                               page_nr old, uint64_t generation)
{
    return generation > s->barrier && generation >= pool_part_of(e, p, s)->floor &&
           (old == LAYOUT_NONE || generation > live_generation(e->descs[old].live));
}

/* Under the lock, all is allowed and summed: the page enters or the put is refused. */
static enum tmemif_status put_enter(struct engine *e, struct shard *s, struct engine_put *put,
                                    const struct handle *h, struct shard_new_page *new,
                                    struct dead_pages *dead)
{
    struct pool *p = &e->pools[put->pool];
    struct pool_part *part = pool_part_of(e, p, s);
    struct ring_rec *record = put->op.record;
    bool free_old;

    if (is_frozen(e, &put->op, put->claim))
        return TMEMIF_FROZEN;
    if (!put->charged) {
        /* It was to take over the charge of a page that may have gone. */
        if (!new->slot && !claim_charge(put->claim, put->persistent))
            return TMEMIF_QUOTA;
        if (new->slot)
            claim_charge_found(put->claim, put->persistent);
        put->charged = true;
    }
    intent_begin(record, &h->key, h->key.index, h->key.index, new->generation, TMEMIF_OK);
    if (!shard_enter(e, s, h, new, &free_old)) {
        intent_drop(record);
        return TMEMIF_NO_MEMORY;
    }
    if (free_old)
        dead->pages[dead->nr++] = new->old;
    ++*lease_handle_counter(&s->leases, h);
    s->counters.puts++;
    part->counters.puts++;
    intent_end(record, TMEMIF_OK);
    return TMEMIF_OK;
}

/*
 * Take the lock, with a generation above all that was flushed meanwhile and the sum that goes with
 * it. Returns what forbids the put, if anything does; the lock is held either way.
 */
static enum tmemif_status lock_for_commit(struct engine *e, struct shard *s,
                                          const struct engine_put *put, const struct handle *h,
                                          struct shard_new_page *new)
{
    struct pool *p = &e->pools[put->pool];

    new->generation = put->generation;
    for (unsigned tries = 1;; tries++) {
        enum tmemif_status rc;

        new->sum = sum_of(e, put, h, new->generation);
        lock_take(&s->lock);
        rc = why_forbidden(e, s, &put->op, h);
        if (rc != TMEMIF_OK)
            return rc;
        if (atomic_load_explicit(&p->generation, memory_order_relaxed) != put->pool_generation)
            return TMEMIF_NO_POOL;
        new->slot = shard_seek(e, s, h);
        new->old = new->slot ? shard_page_at(s, new->slot) : LAYOUT_NONE;
        if (generation_is_good(e, s, p, new->old, new->generation))
            return TMEMIF_OK;
        if (tries == GENERATION_TRIES)
            break;
        lock_drop(&s->lock);
        new->generation = shard_take_generation(s);
    }
    /* Overtaken each time. Nobody flushes under the lock. */
    new->generation = shard_take_generation(s);
    new->sum = sum_of(e, put, h, new->generation);
    return TMEMIF_OK;
}

enum tmemif_status engine_put_commit(struct engine *e, struct engine_put *put)
{
    struct handle h = put_handle(put);
    struct shard *s = shard_of(e, h.object_hash);
    struct pool *p = &e->pools[put->pool];
    struct shard_new_page new = {0};
    struct dead_pages dead;
    enum tmemif_status rc;
    bool has_frame;

    dead_pages_begin(&dead);
    if (!put->has_facts)
        page_look(engine_frame(e, put->page), put->seed, &put->facts);
    drop_needless_frame(e, put);
    new.page = put->page;
    has_frame = e->descs[new.page].kind == DESC_FRAME; /* once it is live, others may evict it */
    rc = lock_for_commit(e, s, put, &h, &new);
    if (rc == TMEMIF_OK) {
        rc = put_enter(e, s, put, &h, &new, &dead);
        if (rc != TMEMIF_OK)
            refuse_locked(e, s, &put->op, &h, rc, &dead);
    } else if (rc == TMEMIF_STALE_LEASE || rc == TMEMIF_NEED_LEASE) {
        count_refused(e, s, p);
    }
    lock_drop(&s->lock);
    if (rc != TMEMIF_OK)
        put_give_back(e, put);
    else
        put_uncount(put);
    if (rc == TMEMIF_OK && has_frame && tuner_wants(p, h.page_hash))
        tuner_put(p, h.page_hash, new.old != LAYOUT_NONE);
    dead_pages_free(e, &dead);
    return rc;
}
