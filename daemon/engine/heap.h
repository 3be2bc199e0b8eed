/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heap.h - memory beside the segments, counted: the overhead of a page is a promise.
 *
 * Everything taken is zero; large pieces cost nothing before they are touched.
 */
#ifndef XTM_ENGINE_HEAP_H
#define XTM_ENGINE_HEAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct heap {
    _Atomic uint64_t bytes;
};

/* @nr zeroed items of @size bytes, or NULL. Given back with the same numbers. */
static inline void *heap_take(struct heap *h, size_t nr, size_t size)
{
    void *memory = calloc(nr, size);

    if (memory)
        atomic_fetch_add_explicit(&h->bytes, (uint64_t)nr * size, memory_order_relaxed);
    return memory;
}

static inline void heap_give(struct heap *h, void *memory, size_t nr, size_t size)
{
    if (memory)
        atomic_fetch_sub_explicit(&h->bytes, (uint64_t)nr * size, memory_order_relaxed);
    free(memory);
}

#endif /* XTM_ENGINE_HEAP_H */
