/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/account.h"

#include <string.h>

#include "daemon/engine/account_table.h"
#include "daemon/engine/pool.h"
#include "daemon/engine/reserve.h"
#include "daemon/engine/seat.h"
#include "daemon/engine/shard.h"

struct account_key account_key_of(struct engine *e, account_nr account)
{
    const struct account_rec *record = &store_accounts(e->store)[account];
    struct account_key key = {
        .kind = (enum account_kind)record->kind,
        .id = record->id,
        .device = record->device,
    };

    memcpy(key.uuid, record->uuid, sizeof(key.uuid));
    return key;
}

account_nr account_find(struct engine *e, const struct account_key *key)
{
    uint32_t end = atomic_load_explicit(&e->accounts_end, memory_order_relaxed);

    for (account_nr i = 0; i < end; i++) {
        struct account_key here;

        if (!account_is_open(e, i))
            continue;
        here = account_key_of(e, i);
        if (account_key_is(&here, key))
            return i;
    }
    return LAYOUT_NONE;
}

/* A slot that nothing is charged to; the pools of the last account there have drained. */
static account_nr slot_find_free(const struct engine *e)
{
    for (account_nr i = 0; i < e->nr_accounts; i++) {
        const struct account *a = &e->accounts[i];

        if (a->state == ACCOUNT_FREE ||
            (a->state == ACCOUNT_CLOSING &&
             atomic_load_explicit(&e->claims[i].nr_dying, memory_order_acquire) == 0))
            return i;
    }
    return LAYOUT_NONE;
}

static void record_fill(struct account_rec *record, const struct account_key *key)
{
    *record =
        (struct account_rec){.kind = (uint32_t)key->kind, .id = key->id, .device = key->device};
    memcpy(record->uuid, key->uuid, sizeof(record->uuid));
    for (unsigned i = 0; i < TMEMIF_MAX_POOLS; i++)
        record->pools[i] = LAYOUT_NO_SLOT;
}

static account_nr account_add(struct engine *e, const struct account_key *key)
{
    account_nr account = slot_find_free(e);
    struct account_rec *record;

    if (account == LAYOUT_NONE)
        return LAYOUT_NONE;
    record = &store_accounts(e->store)[account];
    record_fill(record, key);
    account_rec_make_live(record, ++e->record_generation);
    /* Nothing is granted before the operator has spoken. */
    claim_set_policy(&e->claims[account], &(struct policy){.weight = 1});
    atomic_store_explicit(&e->claims[account].frozen, false, memory_order_relaxed);
    e->accounts[account].state = ACCOUNT_OPEN;
    if (account >= atomic_load_explicit(&e->accounts_end, memory_order_relaxed))
        atomic_store_explicit(&e->accounts_end, account + 1, memory_order_relaxed);
    return account;
}

enum tmemif_status engine_account_open(struct engine *e, const struct account_key *key,
                                       account_nr *account_out)
{
    account_nr account;

    lock_take(&e->lock);
    account = account_find(e, key);
    if (account == LAYOUT_NONE)
        account = account_add(e, key);
    lock_drop(&e->lock);
    if (account == LAYOUT_NONE)
        return TMEMIF_TOO_MANY;
    *account_out = account;
    return TMEMIF_OK;
}

static void give_up_all(struct engine *e, account_nr account)
{
    for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++)
        pool_give_up(e, account, id);
}

uint64_t engine_account_pools(const struct engine *e, account_nr account)
{
    uint64_t pools = 0;

    for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++) {
        if (seat_at(e, account, id) != SEAT_NONE)
            pools |= 1ull << id;
    }
    return pools;
}

void engine_account_reset(struct engine *e, account_nr account)
{
    lock_take(&e->lock);
    if (account_is_open(e, account))
        give_up_all(e, account);
    lock_drop(&e->lock);
}

void engine_account_close(struct engine *e, account_nr account)
{
    lock_take(&e->lock);
    if (account_is_open(e, account)) {
        give_up_all(e, account);
        rec_make_dead(&store_accounts(e->store)[account].live);
        e->accounts[account].state = ACCOUNT_CLOSING;
        reserve_recount(e);
    }
    lock_drop(&e->lock);
}

void engine_account_set_policy(struct engine *e, account_nr account, const struct policy *policy)
{
    lock_take(&e->lock);
    if (account_is_open(e, account)) {
        claim_set_policy(&e->claims[account], policy);
        reserve_recount(e);
    }
    lock_drop(&e->lock);
}

void engine_account_set_frozen(struct engine *e, account_nr account, bool frozen)
{
    bool is_new;

    lock_take(&e->lock);
    is_new = account_is_open(e, account) && claim_set_frozen(&e->claims[account], frozen);
    lock_drop(&e->lock);
    if (is_new) /* what is being put is stored before this returns, or not at all */
        shards_pass(e);
}

void engine_account_fence(struct engine *e, account_nr account)
{
    lock_take(&e->lock);
    for (uint32_t id = 0; account_is_open(e, account) && id < TMEMIF_MAX_POOLS; id++) {
        uint32_t seat = seat_at(e, account, id);

        if (seat == SEAT_NONE || seat_right(seat) < RIGHT_FILL)
            continue;
        if (e->pools[seat_slot(seat)].shared != LAYOUT_NONE &&
            !pool_is_persistent(&e->pools[seat_slot(seat)]))
            pool_begin_epoch(e, seat_slot(seat));
    }
    lock_drop(&e->lock);
}

bool engine_account_next(struct engine *e, uint32_t *cursor, account_nr *account_out,
                         struct account_key *key_out)
{
    bool found = false;

    lock_take(&e->lock);
    while (!found && *cursor < e->nr_accounts) {
        account_nr account = (*cursor)++;

        if (!account_is_open(e, account))
            continue;
        *account_out = account;
        *key_out = account_key_of(e, account);
        found = true;
    }
    lock_drop(&e->lock);
    return found;
}
