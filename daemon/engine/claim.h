/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * claim.h - what an account, or a shared pool, holds and may hold.
 *
 * A shared pool has a claim of its own, so that a member that leaves or dies
 * moves nothing (rule C25). Pages are counted when they are charged, which for
 * a put under way is before they are live. Policy is written by the control
 * thread and read by all.
 */
#ifndef XTM_ENGINE_CLAIM_H
#define XTM_ENGINE_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/account.h"

struct claim {
    _Atomic uint64_t persistent, ephemeral; /* pages charged */
    _Atomic uint64_t filled;                /* ephemeral ones that take no frame */
    _Atomic uint64_t under_way;             /* ephemeral ones of puts that are not done */
    _Atomic uint64_t quota, min, max;       /* struct policy */
    _Atomic uint32_t weight;
    /* Its pools that drain and its tombstones: while there are any, memory may come back. */
    _Atomic uint32_t nr_dying;
    _Atomic bool frozen;
};

static inline uint64_t claim_read(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static inline bool claim_is_frozen(const struct claim *c)
{
    return atomic_load_explicit(&c->frozen, memory_order_relaxed);
}

/* True: it was not frozen before. */
static inline bool claim_set_frozen(struct claim *c, bool frozen)
{
    return !atomic_exchange_explicit(&c->frozen, frozen, memory_order_relaxed) && frozen;
}

void claim_set_policy(struct claim *c, const struct policy *policy);
struct policy claim_policy(const struct claim *c);

/* One page more, if the quota (or for ephemeral pages the maximum) allows it. */
bool claim_charge(struct claim *c, bool persistent);
/* One page more whatever the limit: it is there already. */
void claim_charge_found(struct claim *c, bool persistent);
void claim_uncharge(struct claim *c, bool persistent);

/*
 * A page that is replaced is charged twice until the put is done. To take that for a page that the
 * claim has above its minimum would leave it with less. So puts of ephemeral pages are counted from
 * before they charge until they are done, if there is a minimum. False: there is none.
 */
bool claim_begin_put(struct claim *c);
void claim_end_put(struct claim *c);
/* Has it ephemeral pages in frames that others may have? */
bool claim_may_give(const struct claim *c);

/* One ephemeral page less, if there is one; @to_others: one of those that they may have. */
bool claim_give_up(struct claim *c, bool to_others);

/*
 * Should @a lose a page rather than @b? Both hold more than their minimum, and
 * @..._pages in frames; the one that holds more of them for its weight loses.
 */
static inline bool claim_owes_more(uint64_t a_pages, uint32_t a_weight, uint64_t b_pages,
                                   uint32_t b_weight)
{
    /* a_pages / a_weight > b_pages / b_weight; pages are below 2^32 */
    return a_pages * b_weight > b_pages * a_weight;
}

#endif /* XTM_ENGINE_CLAIM_H */
