/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/claim.h"

#include "daemon/util/bug.h"

void claim_set_policy(struct claim *c, const struct policy *policy)
{
    atomic_store_explicit(&c->quota, policy->quota_pages, memory_order_relaxed);
    atomic_store_explicit(&c->min, policy->min_pages, memory_order_relaxed);
    atomic_store_explicit(&c->max, policy->max_pages, memory_order_relaxed);
    /* no division by what an operator forgot */
    atomic_store_explicit(&c->weight, policy->weight ? policy->weight : 1, memory_order_relaxed);
}

struct policy claim_policy(const struct claim *c)
{
    return (struct policy){
        .quota_pages = claim_read(&c->quota),
        .min_pages = claim_read(&c->min),
        .max_pages = claim_read(&c->max),
        .weight = atomic_load_explicit(&c->weight, memory_order_relaxed),
    };
}

static _Atomic uint64_t *counter_of(struct claim *c, bool persistent)
{
    return persistent ? &c->persistent : &c->ephemeral;
}

bool claim_charge(struct claim *c, bool persistent)
{
    uint64_t limit = claim_read(persistent ? &c->quota : &c->max);
    _Atomic uint64_t *counter = counter_of(c, persistent);

    if (atomic_fetch_add_explicit(counter, 1, memory_order_release) < limit)
        return true;
    atomic_fetch_sub_explicit(counter, 1, memory_order_relaxed);
    return false;
}

void claim_charge_found(struct claim *c, bool persistent)
{
    atomic_fetch_add_explicit(counter_of(c, persistent), 1, memory_order_relaxed);
}

void claim_uncharge(struct claim *c, bool persistent)
{
    uint64_t before = atomic_fetch_sub_explicit(counter_of(c, persistent), 1, memory_order_relaxed);

    BUG_UNLESS(before != 0);
}

bool claim_begin_put(struct claim *c)
{
    if (claim_read(&c->min) == 0)
        return false;
    atomic_fetch_add_explicit(&c->under_way, 1, memory_order_relaxed);
    return true;
}

void claim_end_put(struct claim *c)
{
    atomic_fetch_sub_explicit(&c->under_way, 1, memory_order_relaxed);
}

/* Read after the pages that are charged: a put is counted before it charges one. */
static uint64_t kept(const struct claim *c)
{
    uint64_t min = claim_read(&c->min);

    return claim_read(&c->filled) +
           (min < UINT32_MAX ? min + claim_read(&c->under_way) : UINT32_MAX);
}

static uint64_t ephemeral(const struct claim *c)
{
    return atomic_load_explicit(&c->ephemeral, memory_order_acquire);
}

bool claim_may_give(const struct claim *c)
{
    uint64_t pages = ephemeral(c); /* first */

    return pages > kept(c);
}

bool claim_give_up(struct claim *c, bool to_others)
{
    uint64_t pages = ephemeral(c);

    while (pages > (to_others ? kept(c) : 0)) {
        if (atomic_compare_exchange_weak_explicit(&c->ephemeral, &pages, pages - 1,
                                                  memory_order_acquire, memory_order_acquire))
            return true;
    }
    return false;
}
