/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "daemon/engine/account_table.h"
#include "daemon/engine/pool.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"

static void counters_add(struct counters *sum, const struct counters *more)
{
    sum->puts += more->puts;
    sum->puts_refused += more->puts_refused;
    sum->gets += more->gets;
    sum->hits += more->hits;
    sum->flushes += more->flushes;
    sum->evictions += more->evictions;
}

/* What every holder of a seat, and the operator, may know of a pool. For the holder of engine.lock.
 */
static void pool_info(struct engine *e, uint16_t slot, struct tmemif_pool_info *info_out)
{
    struct pool *p = &e->pools[slot];
    const struct claim *c = pool_claim(p);
    struct counters sum = {0};
    uint64_t nr_pages = 0;

    for (uint32_t i = 0; i < e->nr_shards; i++) {
        struct shard *s = &e->shards[i];
        struct pool_part *part;

        lock_take(&s->lock);
        part = pool_part_of(e, p, s);
        counters_add(&sum, &part->counters);
        nr_pages += queue_nr(&part->queue);
        lock_drop(&s->lock);
    }
    *info_out = (struct tmemif_pool_info){
        .flags = pool_flags(p),
        .epoch = pool_epoch(p),
        .nr_pages = nr_pages,
        .quota_pages = claim_read(pool_is_persistent(p) ? &c->quota : &c->max),
        .puts = sum.puts,
        .puts_refused = sum.puts_refused,
        .gets = sum.gets,
        .hits = sum.hits,
        .flushes = sum.flushes,
        .evictions = sum.evictions,
        .frozen = claim_is_frozen(c),
    };
    if (p->shared != LAYOUT_NONE)
        memcpy(info_out->uuid, e->shared[p->shared].uuid, sizeof(info_out->uuid));
}

enum tmemif_status engine_pool_info(struct engine *e, account_nr account, uint32_t pool_id,
                                    struct tmemif_pool_info *info_out)
{
    enum tmemif_status rc;
    uint16_t slot;

    lock_take(&e->lock);
    rc = seat_find(e, account, pool_id, RIGHT_READ, &slot);
    if (rc == TMEMIF_OK) {
        pool_info(e, slot, info_out);
        info_out->frozen |= claim_is_frozen(&e->claims[account]);
        info_out->read_only = seat_right(atomic_load_explicit(&e->accounts[account].seats[pool_id],
                                                              memory_order_relaxed)) == RIGHT_READ;
    }
    lock_drop(&e->lock);
    return rc;
}

bool engine_account_stats(struct engine *e, account_nr account, struct account_stats *stats_out)
{
    bool found;

    lock_take(&e->lock);
    found = account_is_open(e, account);
    if (found) {
        const struct claim *c = &e->claims[account];

        *stats_out = (struct account_stats){
            .key = account_key_of(e, account),
            .policy = claim_policy(c),
            .ephemeral_pages = claim_read(&c->ephemeral),
            .persistent_pages = claim_read(&c->persistent),
            .frozen = claim_is_frozen(c),
        };
    }
    lock_drop(&e->lock);
    return found;
}

bool engine_pool_next(struct engine *e, uint32_t *cursor, struct pool_stats *stats_out)
{
    bool found = false;

    lock_take(&e->lock);
    while (!found && *cursor < e->nr_pools) {
        uint16_t slot = (uint16_t)(*cursor)++;
        const struct pool *p = &e->pools[slot];

        if (pool_state(p) != POOL_LIVE)
            continue;
        found = true;
        *stats_out = (struct pool_stats){
            .account = p->account,
            .pool_id = p->shared == LAYOUT_NONE ? p->pool_id : 0,
            .nr_members = p->nr_joined,
            .policy = claim_policy(pool_claim(p)),
        };
        pool_info(e, slot, &stats_out->info);
    }
    lock_drop(&e->lock);
    return found;
}

/* Pages of pools that drain, where they have not been visited yet. */
static uint64_t nr_draining(struct engine *e)
{
    uint64_t nr = 0;

    lock_take(&e->reclaim_lock);
    for (uint32_t at = 0; at < atomic_load_explicit(&e->nr_drains, memory_order_relaxed); at++) {
        struct pool *p = &e->pools[e->drains[at]];

        for (uint32_t i = 0; i < p->drain_left; i++)
            nr += queue_nr(&pool_part_of(e, p, &e->shards[i])->queue);
    }
    lock_drop(&e->reclaim_lock);
    return nr;
}

uint64_t engine_nr_damaged(const struct engine *e)
{
    return atomic_load_explicit(&e->pages_damaged, memory_order_relaxed);
}

void engine_metrics(struct engine *e, struct engine_metrics *metrics_out)
{
    uint64_t turned_away = atomic_load_explicit(&e->puts_turned_away, memory_order_relaxed);
    struct counters sum = {.puts = turned_away, .puts_refused = turned_away};

    *metrics_out = (struct engine_metrics){
        .pages_dead = nr_draining(e),
        .tombstones = atomic_load_explicit(&e->nr_tombs, memory_order_relaxed),
        .pages_damaged = engine_nr_damaged(e),
        .heap_bytes = atomic_load_explicit(&e->heap.bytes, memory_order_relaxed),
    };
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        struct shard *s = &e->shards[i];

        lock_take(&s->lock);
        counters_add(&sum, &s->counters);
        metrics_out->pages_ephemeral += s->nr_ephemeral;
        metrics_out->pages_persistent += s->nr_persistent;
        metrics_out->pages_filled += s->nr_filled;
        for (uint32_t t = 0; t < s->nr_tombs; t++)
            metrics_out->pages_dead += object_index_nr(&s->objects, &s->tombs[t].handle);
        lock_drop(&s->lock);
    }
    metrics_out->puts = sum.puts;
    metrics_out->puts_refused = sum.puts_refused;
    metrics_out->gets = sum.gets;
    metrics_out->hits = sum.hits;
    metrics_out->flushes = sum.flushes;
    metrics_out->evictions = sum.evictions;
}
