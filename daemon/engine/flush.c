/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/intent.h"
#include "daemon/engine/reclaim.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/tomb.h"

/* Pages that a flush may kill under one lock. */
#define AT_ONCE SHARD_SLICE

static void count_flush(struct engine *e, struct shard *s, uint16_t pool)
{
    s->counters.flushes++;
    pool_part_of(e, &e->pools[pool], s)->counters.flushes++;
}

enum tmemif_status engine_flush_page(struct engine *e, const struct page_op *op)
{
    struct dead_pages dead;
    uint16_t pool;
    struct handle h;
    struct shard *s;
    enum tmemif_status rc;

    dead_pages_begin(&dead);
    rc = seat_find(e, op->account, op->pool_id, RIGHT_FILL, &pool);
    if (rc != TMEMIF_OK)
        return rc;
    h = handle_of(e->seed, op->object, op->index, pool);
    s = shard_of(e, h.object_hash);
    table_prefetch(&s->pages, h.page_hash);

    lock_take(&s->lock);
    rc = seat_still_holds(e, op, RIGHT_FILL, pool);
    if (rc == TMEMIF_OK) {
        uint32_t *slot = shard_seek(e, s, &h);

        count_flush(e, s, pool);
        intent_begin(op->record, &h.key, op->index, op->index, 0, TMEMIF_OK);
        if (slot)
            shard_kill_into(e, s, &h, slot, &dead);
        ++*lease_handle_counter(&s->leases, &h);
        intent_end(op->record, TMEMIF_OK);
    }
    lock_drop(&s->lock);
    dead_pages_free(e, &dead);
    return rc;
}

/*
 * The pages of the range, if they are found in one bounded look and are few.
 * False: they are not.
 */
static bool find_few(struct shard *s, const struct handle *h, uint32_t first, uint32_t last,
                     uint32_t indexes_out[AT_ONCE], unsigned *nr_out)
{
    struct object_walk walk;
    uint32_t found[EXTENT_PAGES];
    unsigned nr;
    bool few = true, more;

    *nr_out = 0;
    object_walk_begin(&s->objects, h, first, last, &walk);
    /* By list, even a few pages may be at the end of a long one: a tombstone then. */
    if (walk.by_list && walk.left > AT_ONCE)
        return false;
    if (!walk.by_list && (last >> EXTENT_SHIFT) - (first >> EXTENT_SHIFT) > AT_ONCE)
        return false;
    do {
        /* To the end even if they are too many: a tombstone may be walking there too. */
        more = object_walk_step(&s->objects, h, &walk, found, &nr);
        if (few && *nr_out + nr <= AT_ONCE) {
            memcpy(indexes_out + *nr_out, found, nr * sizeof(*found));
            *nr_out += nr;
        } else {
            few = false;
        }
    } while (more);
    return few;
}

/* Under the lock. BUSY: nothing has changed. */
static enum tmemif_status flush_range(struct engine *e, struct shard *s, const struct page_op *op,
                                      const struct handle *h, uint32_t first, uint32_t last,
                                      struct dead_pages *dead)
{
    uint32_t indexes[AT_ONCE];
    unsigned nr;

    if (find_few(s, h, first, last, indexes, &nr)) {
        intent_begin(op->record, &h->key, first, last, 0, TMEMIF_OK);
        shard_kill_indexes(e, s, h, indexes, nr, ANY_GENERATION, dead);
    } else {
        if (!tomb_may_add(e, s, h->key.pool))
            return TMEMIF_BUSY;
        intent_begin(op->record, &h->key, first, last, 0, TMEMIF_OK);
        tomb_add(e, s, h, first, last);
    }
    ++*lease_object_counter(&s->leases, h);
    count_flush(e, s, h->key.pool);
    intent_end(op->record, TMEMIF_OK);
    return TMEMIF_OK;
}

/* The same with the lock. */
static enum tmemif_status flush_range_once(struct engine *e, struct shard *s,
                                           const struct page_op *op, const struct handle *h,
                                           uint32_t first, uint32_t last)
{
    struct dead_pages dead;
    enum tmemif_status rc;

    dead_pages_begin(&dead);
    lock_take(&s->lock);
    rc = seat_still_holds(e, op, RIGHT_FILL, h->key.pool);
    if (rc == TMEMIF_OK)
        rc = flush_range(e, s, op, h, first, last, &dead);
    lock_drop(&s->lock);
    dead_pages_free(e, &dead);
    return rc;
}

enum tmemif_status engine_flush_range(struct engine *e, const struct page_op *op, uint32_t first,
                                      uint32_t last)
{
    uint16_t pool;
    struct handle h;
    struct shard *s;
    enum tmemif_status rc;

    rc = seat_find(e, op->account, op->pool_id, RIGHT_FILL, &pool);
    if (rc != TMEMIF_OK)
        return rc;
    if (first > last)
        return TMEMIF_BAD_REQUEST;
    h = handle_of(e->seed, op->object, first, pool);
    s = shard_of(e, h.object_hash);

    rc = flush_range_once(e, s, op, &h, first, last);
    if (rc == TMEMIF_BUSY) {
        /* some end here and now, and nobody is quicker to take their place */
        reclaim_tomb_room(e, s, pool_claim(&e->pools[pool]), AT_ONCE);
        rc = flush_range_once(e, s, op, &h, first, last);
    }
    return rc;
}
