/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doubt.h - pages that an earlier daemon left, whose bytes nobody has looked at yet.
 *
 * A restart checks descriptors only; to read every page would take seconds for a million of
 * them. So a page is in doubt until it is first served, and is then compared with its check
 * sum. One bit a page; nobody looks at them any more once no page is in doubt.
 */
#ifndef XTM_ENGINE_DOUBT_H
#define XTM_ENGINE_DOUBT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/heap.h"

#define DOUBT_BITS 64u

struct doubts {
    _Atomic uint64_t *bits; /* NULL: there was never one */
    uint32_t nr_pages;      /* bits there are */
    _Atomic uint32_t nr;    /* in doubt */
};

static inline size_t doubts_words(const struct doubts *d)
{
    return (size_t)d->nr_pages / DOUBT_BITS + 1;
}

static inline bool doubts_init(struct doubts *d, struct heap *heap, uint32_t nr_pages)
{
    d->nr_pages = nr_pages;
    d->bits = heap_take(heap, doubts_words(d), sizeof(*d->bits));
    return d->bits != NULL;
}

static inline uint64_t doubt_bit(uint32_t page)
{
    return 1ull << page % DOUBT_BITS;
}

static inline bool doubts_have(const struct doubts *d, uint32_t page)
{
    return atomic_load_explicit(&d->nr, memory_order_relaxed) != 0 &&
           (atomic_load_explicit(&d->bits[page / DOUBT_BITS], memory_order_relaxed) &
            doubt_bit(page));
}

static inline void doubts_add(struct doubts *d, uint32_t page)
{
    uint64_t before = atomic_fetch_or_explicit(&d->bits[page / DOUBT_BITS], doubt_bit(page),
                                               memory_order_relaxed);

    if (!(before & doubt_bit(page)))
        atomic_fetch_add_explicit(&d->nr, 1, memory_order_relaxed);
}

/* Proved. A page that dies in doubt leaves it to the next one of that number. */
static inline void doubts_end(struct doubts *d, uint32_t page)
{
    uint64_t before = atomic_fetch_and_explicit(&d->bits[page / DOUBT_BITS], ~doubt_bit(page),
                                                memory_order_relaxed);

    if (before & doubt_bit(page))
        atomic_fetch_sub_explicit(&d->nr, 1, memory_order_relaxed);
}

#endif /* XTM_ENGINE_DOUBT_H */
