/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reclaim.h - pages that are dead but still hold memory: of destroyed pools and long flushes. */
#ifndef XTM_ENGINE_RECLAIM_H
#define XTM_ENGINE_RECLAIM_H

#include "daemon/engine/state.h"

/* Pool @slot began a new epoch: have every shard visited once and the dead pages reclaimed. */
void reclaim_epoch(struct engine *e, uint16_t slot);
/* The same of a pool that has no seats any more: POOL_DRAINING, and free when that is done. */
void reclaim_pool(struct engine *e, uint16_t slot);

/*
 * Reclaim up to about @nr_pages, of @claim only if it is not NULL. Returns how
 * many pages went. Takes the reclaim lock and those of shards, one at a time.
 */
unsigned reclaim_slice(struct engine *e, const struct claim *claim, unsigned nr_pages);

/*
 * Go on with the long flushes in @s, those of @own first, for about @nr_pages: somebody waits for a
 * tombstone there.
 */
void reclaim_tomb_room(struct engine *e, struct shard *s, const struct claim *own,
                       unsigned nr_pages);

static inline bool reclaim_has_work(const struct engine *e)
{
    return atomic_load_explicit(&e->nr_drains, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&e->nr_tombs, memory_order_relaxed) != 0;
}

#endif /* XTM_ENGINE_RECLAIM_H */
