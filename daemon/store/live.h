/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live.h - the two stores that begin and end the life of a record.
 *
 * A kill stops a thread between two instructions and keeps every store before
 * that point, so the order that the compiler emits is the order that is found.
 */
#ifndef XTM_STORE_LIVE_H
#define XTM_STORE_LIVE_H

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/store/layout.h"
#include "daemon/util/bug.h"

/* Every store to the record that the program made before this comes before it. */
static inline void live_begin(uint64_t *live, uint64_t generation, uint16_t check)
{
    BUG_UNLESS(*live == LIVE_DEAD);
    BUG_UNLESS(generation != 0 && generation <= LIVE_GENERATION_MAX);
    __atomic_store_n(live, live_word(generation, check), __ATOMIC_RELEASE);
}

/*
 * A release store keeps what stands before it there; the fence keeps what
 * stands after it from moving up: the record may be filled anew at once, and
 * a kill then must not find it half new and still live.
 */
static inline void live_end(uint64_t *live)
{
    __atomic_store_n(live, LIVE_DEAD, __ATOMIC_RELEASE);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif /* XTM_STORE_LIVE_H */
