/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.h - has anything touched this handle since? (rule C31)
 *
 * Nothing is kept for a lease that is out. Puts and flushes advance counters
 * that handles and objects hash to; a lease is what they were at a miss. Two
 * handles that share a counter only cost each other a refusal.
 *
 * Counters are 64 bits. A lease has the low halves, and in its epoch the sum
 * of the pool's epoch and the high halves: each only goes up, so a counter that
 * wraps voids the leases that were out. They do not outlive the process; the
 * pools' epochs grow at a restart instead, and a salt keeps the new counters
 * away from the old.
 */
#ifndef XTM_ENGINE_LEASE_H
#define XTM_ENGINE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/handle.h"

#define LEASE_HANDLES 1024u
#define LEASE_OBJECTS 256u

/* One shard's; under its lock. */
struct leases {
    uint64_t handles[LEASE_HANDLES];
    uint64_t objects[LEASE_OBJECTS];
    uint32_t salt;
};

static inline uint64_t *lease_handle_counter(struct leases *l, const struct handle *h)
{
    return &l->handles[h->page_hash % LEASE_HANDLES];
}

static inline uint64_t *lease_object_counter(struct leases *l, const struct handle *h)
{
    /* the low bits chose the shard */
    return &l->objects[(h->object_hash >> 32) % LEASE_OBJECTS];
}

static inline struct tmemif_lease lease_now(struct leases *l, const struct handle *h,
                                            uint32_t pool_epoch)
{
    uint64_t object = *lease_object_counter(l, h) + l->salt;
    uint64_t handle = *lease_handle_counter(l, h) + l->salt;

    return (struct tmemif_lease){
        .epoch = pool_epoch + (uint32_t)(object >> 32) + (uint32_t)(handle >> 32),
        .object = (uint32_t)object,
        .handle = (uint32_t)handle,
    };
}

static inline bool lease_is_valid(struct leases *l, const struct handle *h, uint32_t pool_epoch,
                                  const struct tmemif_lease *lease)
{
    struct tmemif_lease now = lease_now(l, h, pool_epoch);

    return lease->epoch == now.epoch && lease->object == now.object && lease->handle == now.handle;
}

#endif /* XTM_ENGINE_LEASE_H */
