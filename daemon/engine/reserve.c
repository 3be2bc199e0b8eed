/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/reserve.h"

#include "daemon/engine/account_table.h"

static uint64_t add_up_to_all(uint64_t sum, uint64_t pages)
{
    /* more than there can be frames is all of them */
    return pages > UINT32_MAX || sum + pages > UINT32_MAX ? UINT32_MAX : sum + pages;
}

void reserve_recount(struct engine *e)
{
    uint32_t nr_shared = atomic_load_explicit(&e->shared_end, memory_order_relaxed);
    uint64_t sum = 0;
    bool disks = false;

    for (account_nr i = 0; i < e->nr_accounts; i++) {
        if (!account_is_open(e, i))
            continue;
        sum = add_up_to_all(sum, claim_read(&e->claims[i].min));
        disks |= store_accounts(e->store)[i].kind == ACCOUNT_DISK;
    }
    for (uint32_t i = 0; i < nr_shared; i++) {
        if (e->shared[i].in_use)
            sum = add_up_to_all(sum, claim_read(&e->claims[e->nr_accounts + i].min));
    }
    atomic_store_explicit(&e->minimums, sum, memory_order_relaxed);
    /* for the page that is replaced, and for workers that were let in at one time */
    atomic_store_explicit(&e->spare, disks ? e->nr_workers + 1 : 0, memory_order_relaxed);
}

static uint64_t nr_persistent(const struct engine *e)
{
    uint32_t nr_accounts = atomic_load_explicit(&e->accounts_end, memory_order_relaxed);
    uint32_t nr_shared = atomic_load_explicit(&e->shared_end, memory_order_relaxed);
    uint64_t nr = 0;

    for (account_nr i = 0; i < nr_accounts; i++)
        nr += claim_read(&e->claims[i].persistent);
    for (uint32_t i = 0; i < nr_shared; i++)
        nr += claim_read(&e->claims[e->nr_accounts + i].persistent);
    return nr;
}

/*
 * Every other worker may hold a page of a put under way, or those of its gets: nobody can evict
 * them, and if they are replaced meanwhile their frames stay.
 */
static uint64_t held_by_others(const struct engine *e)
{
    return (uint64_t)(e->nr_workers - 1) * ENGINE_GETS_MOST;
}

struct engine_reserve engine_reserve(const struct engine *e)
{
    struct store_usage usage = store_usage(e->store);
    uint64_t persistent = nr_persistent(e);

    uint64_t kept = atomic_load_explicit(&e->spare, memory_order_relaxed) + held_by_others(e);

    return (struct engine_reserve){
        .limit = usage.limit > kept ? usage.limit - kept : 0,
        .minimums = atomic_load_explicit(&e->minimums, memory_order_relaxed),
        .persistent = persistent < usage.frames_used ? persistent : usage.frames_used,
    };
}

bool reserve_leaves_room(const struct engine *e)
{
    uint64_t minimums = atomic_load_explicit(&e->minimums, memory_order_relaxed);
    uint64_t spare = atomic_load_explicit(&e->spare, memory_order_relaxed);
    struct store_usage usage;
    uint64_t kept;

    if (minimums == 0 && spare == 0)
        return true;
    kept = minimums + spare + held_by_others(e);
    usage = store_usage(e->store);
    return usage.frames_used + kept < usage.limit || nr_persistent(e) + kept <= usage.limit;
}
