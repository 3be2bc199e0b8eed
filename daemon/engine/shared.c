/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/shared.h"

#include <string.h>

#include "daemon/engine/account_table.h"
#include "daemon/engine/pool.h"
#include "daemon/engine/reserve.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"

uint32_t shared_find(const struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    uint32_t end = atomic_load_explicit(&e->shared_end, memory_order_relaxed);

    for (uint32_t i = 0; i < end; i++) {
        if (e->shared[i].in_use && memcmp(e->shared[i].uuid, uuid, TMEMIF_UUID_LEN) == 0)
            return i;
    }
    return LAYOUT_NONE;
}

uint32_t shared_find_or_add(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    uint32_t i = shared_find(e, uuid);

    if (i != LAYOUT_NONE)
        return i;
    for (i = 0; i < ENGINE_MAX_SHARED; i++) {
        struct claim *claim = &e->claims[e->nr_accounts + i];

        /* Not one whose last pool still drains: pages are charged there. */
        if (e->shared[i].in_use || atomic_load_explicit(&claim->nr_dying, memory_order_acquire))
            continue;
        e->shared[i].in_use = true;
        atomic_store_explicit(&e->shared[i].slot, LAYOUT_NO_SLOT, memory_order_relaxed);
        memcpy(e->shared[i].uuid, uuid, TMEMIF_UUID_LEN);
        claim_set_policy(claim, &(struct policy){.weight = 1});
        atomic_store_explicit(&claim->frozen, false, memory_order_relaxed);
        if (i >= atomic_load_explicit(&e->shared_end, memory_order_relaxed))
            atomic_store_explicit(&e->shared_end, i + 1, memory_order_relaxed);
        return i;
    }
    return LAYOUT_NONE;
}

static struct member *member_find(const struct engine *e, uint32_t shared,
                                  const struct account_key *key)
{
    for (uint32_t i = 0; i < e->nr_members; i++) {
        if (e->members[i].shared == shared && account_key_is(&e->members[i].key, key))
            return &e->members[i];
    }
    return NULL;
}

enum pool_right shared_right(const struct engine *e, uint32_t shared,
                             const struct account_key *member)
{
    const struct member *m = member_find(e, shared, member);

    return m ? m->right : RIGHT_NONE;
}

static bool shared_has_members(const struct engine *e, uint32_t shared)
{
    for (uint32_t i = 0; i < e->nr_members; i++) {
        if (e->members[i].shared == shared)
            return true;
    }
    return false;
}

static struct member *member_add(struct engine *e)
{
    for (uint32_t i = 0; i < e->nr_members; i++) {
        if (e->members[i].shared == LAYOUT_NONE)
            return &e->members[i];
    }
    return e->nr_members < ENGINE_MAX_MEMBERS ? &e->members[e->nr_members++] : NULL;
}

/*
 * A member that has joined feels it at once. One that may not fill any more may not flush either:
 * what it has changed since, and what it flushes in vain, must not be hit by others (C25).
 */
static void seat_set_right(struct engine *e, uint32_t shared, const struct account_key *key,
                           enum pool_right right)
{
    uint16_t slot = atomic_load_explicit(&e->shared[shared].slot, memory_order_relaxed);
    account_nr account = account_find(e, key);
    uint32_t id, before;

    if (slot == LAYOUT_NO_SLOT || account == LAYOUT_NONE || !seat_of_pool(e, account, slot, &id))
        return;
    before = seat_at(e, account, id);
    atomic_store_explicit(&e->accounts[account].seats[id], seat_make(slot, right),
                          memory_order_release);
    if (seat_right(before) == RIGHT_FILL && right != RIGHT_FILL &&
        !pool_is_persistent(&e->pools[slot]))
        pool_begin_epoch(e, slot);
}

enum tmemif_status engine_shared_set_policy(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN],
                                            const struct policy *policy)
{
    uint32_t shared;

    lock_take(&e->lock);
    shared = shared_find_or_add(e, uuid);
    if (shared != LAYOUT_NONE) {
        claim_set_policy(&e->claims[e->nr_accounts + shared], policy);
        reserve_recount(e);
    }
    lock_drop(&e->lock);
    return shared == LAYOUT_NONE ? TMEMIF_TOO_MANY : TMEMIF_OK;
}

enum tmemif_status engine_shared_allow(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN],
                                       const struct account_key *member, enum pool_right right)
{
    struct member *m = NULL;
    uint32_t shared;

    lock_take(&e->lock);
    shared = shared_find_or_add(e, uuid);
    if (shared != LAYOUT_NONE) {
        m = member_find(e, shared, member);
        if (!m && right != RIGHT_NONE)
            m = member_add(e);
        if (m)
            *m = (struct member){.key = *member,
                                 .shared = right == RIGHT_NONE ? LAYOUT_NONE : shared,
                                 .right = right};
        if (m || right == RIGHT_NONE)
            seat_set_right(e, shared, member, right);
    }
    lock_drop(&e->lock);
    return shared == LAYOUT_NONE || (!m && right != RIGHT_NONE) ? TMEMIF_TOO_MANY : TMEMIF_OK;
}

enum tmemif_status engine_shared_set_frozen(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN],
                                            bool frozen)
{
    uint32_t shared;
    bool is_new;

    lock_take(&e->lock);
    shared = shared_find(e, uuid);
    is_new = shared != LAYOUT_NONE && claim_set_frozen(&e->claims[e->nr_accounts + shared], frozen);
    lock_drop(&e->lock);
    if (is_new)
        shards_pass(e);
    return shared == LAYOUT_NONE ? TMEMIF_NOT_FOUND : TMEMIF_OK;
}

static void seats_take_all(struct engine *e, uint16_t slot)
{
    uint32_t id;

    for (account_nr i = 0; i < e->nr_accounts; i++) {
        if (account_is_open(e, i) && seat_of_pool(e, i, slot, &id))
            seat_take(e, i, id);
    }
}

/* True: it was. A name that says nothing any more makes room for another. */
static bool shared_forget(struct engine *e, uint32_t shared)
{
    if (shared == LAYOUT_NONE || shared_has_members(e, shared))
        return false;
    e->shared[shared].in_use = false;
    return true;
}

void engine_shared_forget(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    uint32_t shared;

    lock_take(&e->lock);
    shared = shared_find(e, uuid);
    if (shared != LAYOUT_NONE &&
        atomic_load_explicit(&e->shared[shared].slot, memory_order_relaxed) == LAYOUT_NO_SLOT)
        shared_forget(e, shared);
    reserve_recount(e);
    lock_drop(&e->lock);
}

enum tmemif_status engine_shared_remove(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN])
{
    uint16_t slot = LAYOUT_NO_SLOT;
    uint32_t shared;
    bool name_went;

    lock_take(&e->lock);
    shared = shared_find(e, uuid);
    if (shared != LAYOUT_NONE)
        slot = atomic_load_explicit(&e->shared[shared].slot, memory_order_relaxed);
    if (slot != LAYOUT_NO_SLOT) {
        seats_take_all(e, slot);
        pool_end(e, slot);
    }
    name_went = shared_forget(e, shared);
    reserve_recount(e);
    lock_drop(&e->lock);
    return slot == LAYOUT_NO_SLOT && !name_went ? TMEMIF_NOT_FOUND : TMEMIF_OK;
}

bool engine_member_next(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t *cursor,
                        struct account_key *member_out, enum pool_right *right_out,
                        bool *joined_out)
{
    bool found = false;
    uint32_t shared;

    lock_take(&e->lock);
    shared = shared_find(e, uuid);
    while (!found && shared != LAYOUT_NONE && *cursor < e->nr_members) {
        const struct member *m = &e->members[(*cursor)++];
        uint16_t slot = atomic_load_explicit(&e->shared[shared].slot, memory_order_relaxed);
        account_nr account;
        uint32_t id;

        if (m->shared != shared)
            continue;
        found = true;
        account = account_find(e, &m->key);
        *member_out = m->key;
        *right_out = m->right;
        *joined_out = account != LAYOUT_NONE && seat_of_pool(e, account, slot, &id);
    }
    lock_drop(&e->lock);
    return found;
}

bool engine_denied_next(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN], uint32_t *cursor,
                        struct account_key *denied_out)
{
    uint16_t slot = LAYOUT_NO_SLOT;
    bool found = false;
    uint32_t shared;

    lock_take(&e->lock);
    shared = shared_find(e, uuid);
    if (shared != LAYOUT_NONE)
        slot = atomic_load_explicit(&e->shared[shared].slot, memory_order_relaxed);
    while (!found && slot != LAYOUT_NO_SLOT && *cursor < e->nr_accounts) {
        account_nr account = (*cursor)++;
        uint32_t id;

        if (!account_is_open(e, account) || !seat_of_pool(e, account, slot, &id) ||
            seat_right(seat_at(e, account, id)) != RIGHT_NONE)
            continue;
        found = true;
        *denied_out = account_key_of(e, account);
    }
    lock_drop(&e->lock);
    return found;
}
