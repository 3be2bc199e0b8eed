/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/seat.h"

bool seat_of_pool(const struct engine *e, account_nr account, uint16_t slot, uint32_t *pool_id_out)
{
    for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++) {
        uint32_t seat = seat_at(e, account, id);

        if (seat != SEAT_NONE && seat_slot(seat) == slot) {
            *pool_id_out = id;
            return true;
        }
    }
    return false;
}

enum tmemif_status seat_find_free(const struct engine *e, account_nr account, uint32_t *pool_id_out)
{
    for (uint32_t id = 0; id < TMEMIF_MAX_POOLS; id++) {
        if (seat_at(e, account, id) == SEAT_NONE) {
            *pool_id_out = id;
            return TMEMIF_OK;
        }
    }
    return TMEMIF_TOO_MANY;
}

static void seat_record(struct engine *e, account_nr account, uint32_t pool_id, uint16_t slot)
{
    __atomic_store_n(&store_accounts(e->store)[account].pools[pool_id], slot, __ATOMIC_RELEASE);
}

void seat_give(struct engine *e, account_nr account, uint32_t pool_id, uint16_t slot,
               enum pool_right right)
{
    seat_record(e, account, pool_id, slot);
    atomic_store_explicit(&e->accounts[account].seats[pool_id], seat_make(slot, right),
                          memory_order_release);
    e->pools[slot].nr_joined++;
}

void seat_take(struct engine *e, account_nr account, uint32_t pool_id)
{
    uint16_t slot = seat_slot(seat_at(e, account, pool_id));

    atomic_store_explicit(&e->accounts[account].seats[pool_id], SEAT_NONE, memory_order_release);
    seat_record(e, account, pool_id, LAYOUT_NO_SLOT);
    e->pools[slot].nr_joined--;
}
