/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/batch.h"

#include <stdlib.h>

void batch_keep(struct batch *b)
{
    atomic_store_explicit(&b->state, BATCH_UNDER_WAY, memory_order_relaxed);
}

void batch_end(struct batch *b)
{
    bool abandoned;

    lock_take(&b->lock);
    abandoned = batch_is_abandoned(b);
    if (!abandoned) {
        /* release: who sees it sees what was read, and every status */
        atomic_store_explicit(&b->state, BATCH_OURS, memory_order_release);
        /* under the lock: until then the waiter is not freed */
        b->wake(b->waiter);
    }
    lock_drop(&b->lock);
    if (abandoned)
        free(b->memory);
}

bool batch_is_done(const struct batch *b)
{
    return atomic_load_explicit(&b->state, memory_order_acquire) == BATCH_OURS;
}

bool batch_is_abandoned(const struct batch *b)
{
    return atomic_load_explicit(&b->state, memory_order_seq_cst) == BATCH_ABANDONED;
}

bool batch_abandon(struct batch *b)
{
    bool ours;

    lock_take(&b->lock);
    ours = batch_is_done(b);
    if (!ours)
        atomic_store_explicit(&b->state, BATCH_ABANDONED, memory_order_seq_cst);
    lock_drop(&b->lock);
    return ours;
}
