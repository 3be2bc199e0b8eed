/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - pool slots: taken, set up, emptied. For the holder of engine.lock.
 *
 * What a restart must find is stored in an order that it can finish: the
 * pool's record before the account's pool id names it, and the other way round
 * at the end. A private pool that no account names has been destroyed.
 */
#ifndef XTM_ENGINE_POOL_H
#define XTM_ENGINE_POOL_H

#include "daemon/engine/state.h"

/* Who a new pool is for. */
struct pool_owner {
    account_nr account; /* LAYOUT_NONE: shared */
    uint32_t pool_id;   /* the account's */
    uint32_t shared;    /* place in engine.shared, or LAYOUT_NONE */
};

/*
 * A live pool with a record, empty, that nobody has a seat in yet.
 *   TOO_MANY   every slot is taken
 *   NO_MEMORY  none for its parts
 */
enum tmemif_status pool_start(struct engine *e, const struct pool_owner *owner, uint32_t flags,
                              uint16_t *slot_out);

/* The heap side of it alone: parts and claim. False: no memory. */
bool pool_set_up(struct engine *e, uint16_t slot, const struct pool_owner *owner, uint32_t flags);

/* Nobody has a seat in the pool: its pages are dead from now on and drain. */
void pool_end(struct engine *e, uint16_t slot);

/* Empty a shared ephemeral pool and void its leases, for all members at once. */
void pool_begin_epoch(struct engine *e, uint16_t slot);

/* Leave a shared pool, end a private one, whichever @pool_id is of @account. */
void pool_give_up(struct engine *e, account_nr account, uint32_t pool_id);

#endif /* XTM_ENGINE_POOL_H */
