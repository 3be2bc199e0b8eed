/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/account_table.h"
#include "daemon/engine/pool.h"
#include "daemon/engine/reclaim.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shared.h"

/* Destroyed pools of one account whose pages may still be waiting. */
#define DYING_MOST TMEMIF_MAX_POOLS

/*
 * The same of a shared pool, which ends when nobody is in it and begins anew when somebody joins.
 * There may be hundreds of them, and a slot for each one that waits.
 */
#define SHARED_DYING_MOST 4

/* Pools that an account may have however many others there are. */
#define POOLS_ALWAYS 4

#define PRIVATE_FLAGS (TMEMIF_POOL_PERSISTENT | TMEMIF_POOL_INCLUSIVE | TMEMIF_POOL_LEASED)
#define SHARED_FLAGS  (TMEMIF_POOL_PERSISTENT | TMEMIF_POOL_LEASED)

/* Pages that whoever leaves a pool reclaims at once: most pools are empty by then. */
#define RECLAIM_AT_ONCE 256u

/* Slots are for all: some for each account, more only while half of them are free. */
static bool may_have_more(const struct engine *e, account_nr account)
{
    uint32_t nr_free = 0;

    if (__builtin_popcountll(engine_account_pools(e, account)) < POOLS_ALWAYS)
        return true;
    for (uint32_t i = 0; i < e->nr_pools; i++)
        nr_free += pool_state(&e->pools[i]) == POOL_FREE;
    return nr_free > e->nr_pools / 2;
}

static bool has_dying(const struct claim *c, uint32_t most)
{
    return atomic_load_explicit(&c->nr_dying, memory_order_relaxed) >= most;
}

static enum tmemif_status create_locked(struct engine *e, account_nr account, uint32_t flags,
                                        uint32_t *pool_id_out)
{
    struct pool_owner owner = {.account = account, .shared = LAYOUT_NONE};
    uint16_t slot;
    enum tmemif_status rc;

    if (!account_is_open(e, account))
        return TMEMIF_NOT_FOUND;
    /* One that creates and destroys faster than its pages are reclaimed waits. */
    if (has_dying(&e->claims[account], DYING_MOST))
        return TMEMIF_BUSY;
    if (!may_have_more(e, account))
        return TMEMIF_TOO_MANY;
    rc = seat_find_free(e, account, &owner.pool_id);
    if (rc == TMEMIF_OK)
        rc = pool_start(e, &owner, flags, &slot);
    if (rc != TMEMIF_OK)
        return rc;
    seat_give(e, account, owner.pool_id, slot, RIGHT_FILL);
    *pool_id_out = owner.pool_id;
    return TMEMIF_OK;
}

/*
 * Reclaim, if it is that for want of which no pool was begun. BUSY: what @claim has destroyed, and
 * whatever others have destroyed before does not come first.
 */
static bool made_room(struct engine *e, enum tmemif_status rc, const struct claim *claim)
{
    if ((rc != TMEMIF_TOO_MANY && rc != TMEMIF_BUSY) || !reclaim_has_work(e))
        return false;
    reclaim_slice(e, rc == TMEMIF_BUSY ? claim : NULL, RECLAIM_AT_ONCE);
    return true;
}

enum tmemif_status engine_pool_create(struct engine *e, account_nr account, uint32_t flags,
                                      uint32_t *pool_id_out)
{
    enum tmemif_status rc;

    if (flags & ~PRIVATE_FLAGS || (flags & TMEMIF_POOL_PERSISTENT && flags & TMEMIF_POOL_INCLUSIVE))
        return TMEMIF_BAD_REQUEST;
    lock_take(&e->lock);
    rc = create_locked(e, account, flags, pool_id_out);
    lock_drop(&e->lock);
    if (made_room(e, rc, &e->claims[account])) {
        lock_take(&e->lock);
        rc = create_locked(e, account, flags, pool_id_out);
        lock_drop(&e->lock);
    }
    return rc;
}

/* *@claim_out is the pool's, if the answer is BUSY. */
static enum tmemif_status join_locked(struct engine *e, account_nr account,
                                      const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t flags,
                                      uint32_t *pool_id_out, const struct claim **claim_out)
{
    struct pool_owner owner = {.account = LAYOUT_NONE};
    struct account_key key;
    enum pool_right right;
    enum tmemif_status rc;
    uint16_t slot;

    if (!account_is_open(e, account))
        return TMEMIF_NOT_FOUND;
    owner.shared = shared_find(e, uuid);
    if (owner.shared == LAYOUT_NONE)
        return TMEMIF_NOT_ALLOWED;
    key = account_key_of(e, account);
    right = shared_right(e, owner.shared, &key);
    if (right == RIGHT_NONE)
        return TMEMIF_NOT_ALLOWED;

    slot = atomic_load_explicit(&e->shared[owner.shared].slot, memory_order_relaxed);
    if (slot != LAYOUT_NO_SLOT && pool_flags(&e->pools[slot]) != (flags | TMEMIF_POOL_SHARED))
        return TMEMIF_BAD_KIND;
    /* Who may not write to a pool does not decide what it is. */
    if (slot == LAYOUT_NO_SLOT && right < RIGHT_FILL)
        return TMEMIF_NO_POOL;
    if (slot != LAYOUT_NO_SLOT && seat_of_pool(e, account, slot, pool_id_out))
        return TMEMIF_OK;
    rc = seat_find_free(e, account, &owner.pool_id);
    if (rc != TMEMIF_OK)
        return rc;
    if (slot == LAYOUT_NO_SLOT) {
        *claim_out = &e->claims[e->nr_accounts + owner.shared];
        if (has_dying(*claim_out, SHARED_DYING_MOST))
            return TMEMIF_BUSY;
        rc = pool_start(e, &owner, flags | TMEMIF_POOL_SHARED, &slot);
        if (rc != TMEMIF_OK)
            return rc;
        atomic_store_explicit(&e->shared[owner.shared].slot, slot, memory_order_relaxed);
    }
    seat_give(e, account, owner.pool_id, slot, right);
    *pool_id_out = owner.pool_id;
    return TMEMIF_OK;
}

enum tmemif_status engine_pool_join(struct engine *e, account_nr account,
                                    const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t flags,
                                    uint32_t *pool_id_out)
{
    const struct claim *claim = NULL;
    enum tmemif_status rc;

    flags &= ~TMEMIF_POOL_SHARED;
    if (flags & ~SHARED_FLAGS)
        return TMEMIF_BAD_REQUEST;
    lock_take(&e->lock);
    rc = join_locked(e, account, uuid, flags, pool_id_out, &claim);
    lock_drop(&e->lock);
    if (made_room(e, rc, claim)) {
        lock_take(&e->lock);
        rc = join_locked(e, account, uuid, flags, pool_id_out, &claim);
        lock_drop(&e->lock);
    }
    return rc;
}

/* The slot that a worker's pool operation is about. */
static enum tmemif_status seat_of(const struct engine *e, account_nr account, uint32_t pool_id,
                                  uint16_t *slot_out)
{
    uint32_t seat;

    if (!account_is_open(e, account) || pool_id >= TMEMIF_MAX_POOLS)
        return TMEMIF_NO_POOL;
    seat = seat_at(e, account, pool_id);
    if (seat == SEAT_NONE)
        return TMEMIF_NO_POOL;
    *slot_out = seat_slot(seat);
    return TMEMIF_OK;
}

/* Out of the pool, which ends if nobody needs it. @shared: only out of a shared one. */
static enum tmemif_status leave(struct engine *e, account_nr account, uint32_t pool_id, bool shared)
{
    const struct claim *claim = NULL;
    enum tmemif_status rc;
    uint16_t slot;

    lock_take(&e->lock);
    rc = seat_of(e, account, pool_id, &slot);
    if (rc == TMEMIF_OK && shared && e->pools[slot].shared == LAYOUT_NONE)
        rc = TMEMIF_BAD_KIND;
    if (rc == TMEMIF_OK) {
        claim = pool_claim(&e->pools[slot]);
        pool_give_up(e, account, pool_id);
    }
    lock_drop(&e->lock);
    if (rc == TMEMIF_OK && reclaim_has_work(e))
        reclaim_slice(e, claim, RECLAIM_AT_ONCE);
    return rc;
}

enum tmemif_status engine_pool_leave(struct engine *e, account_nr account, uint32_t pool_id)
{
    return leave(e, account, pool_id, true);
}

enum tmemif_status engine_pool_destroy(struct engine *e, account_nr account, uint32_t pool_id)
{
    return leave(e, account, pool_id, false);
}
