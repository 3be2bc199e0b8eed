/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shared.h - names of shared pools, and who may join them. For the holder of engine.lock.
 *
 * Default deny: without an entry here nobody joins. An entry, with its policy
 * and its members, is there before the pool and stays after it.
 */
#ifndef XTM_ENGINE_SHARED_H
#define XTM_ENGINE_SHARED_H

#include "daemon/engine/state.h"

/* The place of @uuid in engine.shared; LAYOUT_NONE if it has none. */
uint32_t shared_find(const struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN]);
/* The same, and makes one that grants nothing; LAYOUT_NONE: the table is full. */
uint32_t shared_find_or_add(struct engine *e, const uint8_t uuid[TMEMIF_UUID_LEN]);

/* What the operator allowed @member. */
enum pool_right shared_right(const struct engine *e, uint32_t shared,
                             const struct account_key *member);

#endif /* XTM_ENGINE_SHARED_H */
