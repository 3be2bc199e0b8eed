/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* account_table.h - the accounts and the keys in their records. For the holder of engine.lock. */
#ifndef XTM_ENGINE_ACCOUNT_TABLE_H
#define XTM_ENGINE_ACCOUNT_TABLE_H

#include "daemon/engine/state.h"

/* No number of what is not open. */
static inline bool account_is_open(const struct engine *e, account_nr account)
{
    return account < e->nr_accounts && e->accounts[account].state == ACCOUNT_OPEN;
}

struct account_key account_key_of(struct engine *e, account_nr account);

/* The open account of @key, or LAYOUT_NONE. */
account_nr account_find(struct engine *e, const struct account_key *key);

#endif /* XTM_ENGINE_ACCOUNT_TABLE_H */
