/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seat.h - from an account's pool id to the pool, if the account may.
 *
 * Giving, taking and looking for seats is for the holder of engine.lock; to
 * find the pool of an operation for any worker.
 */
#ifndef XTM_ENGINE_SEAT_H
#define XTM_ENGINE_SEAT_H

#include "daemon/engine/state.h"

/*
 * The pool slot of @op, for one who needs @right. Without the shard's lock
 * the answer is a hint; with it, seat_still_holds() says whether it is true.
 *   NO_POOL      no such id, or not this account's
 *   NOT_ALLOWED  the operator took the right away
 *   READ_ONLY    this member may only get
 */
static inline enum tmemif_status seat_find(const struct engine *e, account_nr account,
                                           uint32_t pool_id, enum pool_right right,
                                           uint16_t *slot_out)
{
    uint32_t seat;

    if (account >= e->nr_accounts || pool_id >= TMEMIF_MAX_POOLS)
        return TMEMIF_NO_POOL;
    /* acquire: the pool was set up before the seat */
    seat = atomic_load_explicit(&e->accounts[account].seats[pool_id], memory_order_acquire);
    if (seat == SEAT_NONE)
        return TMEMIF_NO_POOL;
    if (seat_right(seat) == RIGHT_NONE)
        return TMEMIF_NOT_ALLOWED;
    if (seat_right(seat) < right)
        return TMEMIF_READ_ONLY;
    *slot_out = seat_slot(seat);
    return TMEMIF_OK;
}

/* Under the lock of a shard of pool @slot: the status now, NO_POOL if the seat has moved. */
static inline enum tmemif_status seat_still_holds(const struct engine *e, const struct page_op *op,
                                                  enum pool_right right, uint16_t slot)
{
    uint16_t now;
    enum tmemif_status rc = seat_find(e, op->account, op->pool_id, right, &now);

    if (rc != TMEMIF_OK)
        return rc;
    return now == slot ? TMEMIF_OK : TMEMIF_NO_POOL;
}

/* Any thread; who does not hold engine.lock gets what was true a moment ago. */
static inline uint32_t seat_at(const struct engine *e, account_nr account, uint32_t pool_id)
{
    return atomic_load_explicit(&e->accounts[account].seats[pool_id], memory_order_relaxed);
}

/* ---- under engine.lock ---- */

/* The id under which @account is in pool @slot. False: it is not. */
bool seat_of_pool(const struct engine *e, account_nr account, uint16_t slot, uint32_t *pool_id_out);

/* The lowest pool id of @account without a seat; TOO_MANY. */
enum tmemif_status seat_find_free(const struct engine *e, account_nr account,
                                  uint32_t *pool_id_out);
void seat_give(struct engine *e, account_nr account, uint32_t pool_id, uint16_t slot,
               enum pool_right right);
void seat_take(struct engine *e, account_nr account, uint32_t pool_id);

#endif /* XTM_ENGINE_SEAT_H */
