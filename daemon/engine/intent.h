/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * intent.h - an operation's trace in its ring's record, for a replay (layout.h).
 *
 * Under the shard's lock: intent_begin(), the operation's stores, intent_end().
 * The record's phase is the last store of each. The caller has set the phase to
 * RECORD_IDLE before it wrote the number, element and op of this request.
 */
#ifndef XTM_ENGINE_INTENT_H
#define XTM_ENGINE_INTENT_H

#include <string.h>

#include "daemon/engine/handle.h"
#include "daemon/store/layout.h"

static inline void intent_phase(struct ring_rec *r, enum record_phase phase)
{
    __atomic_store_n(&r->phase, (uint16_t)phase, __ATOMIC_RELEASE);
    /* and what comes after stays after */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * Indexes @first to @last of the object of @key are about to change.
 * PAGE_PUT: @generation is that of the page it makes live, or 0: the put is
 * being refused with @outcome, and only the older page goes (rule C6).
 */
static inline void intent_begin(struct ring_rec *r, const struct desc_key *key, uint32_t first,
                                uint32_t last, uint64_t generation, enum tmemif_status outcome)
{
    if (!r)
        return;
    r->status = (uint16_t)outcome;
    r->pool = key->pool;
    r->generation = generation;
    memcpy(r->object, key->object, sizeof(r->object));
    r->first = first;
    r->last = last;
    r->value = 0;
    intent_phase(r, RECORD_INTENT);
}

static inline void intent_end(struct ring_rec *r, enum tmemif_status outcome)
{
    if (!r)
        return;
    r->status = (uint16_t)outcome;
    intent_phase(r, RECORD_DONE);
}

/* Nothing has happened after all. */
static inline void intent_drop(struct ring_rec *r)
{
    if (r)
        intent_phase(r, RECORD_IDLE);
}

#endif /* XTM_ENGINE_INTENT_H */
