/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slab.h - items of one size, called by 32-bit numbers, that never move.
 *
 * Memory is taken a chunk of items at a time; a number given back is the next
 * one handed out. One thread at a time: the lock is the owner's.
 */
#ifndef XTM_ENGINE_SLAB_H
#define XTM_ENGINE_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/heap.h"

#define SLAB_CHUNK 256u /* items */
#define SLAB_NONE  UINT32_MAX

struct slab {
    char **chunks;
    uint32_t nr_chunks; /* room in the list of them */
    uint32_t nr_most;
    uint32_t nr_made; /* numbers handed out at any time */
    uint32_t nr_used;
    uint32_t first_free; /* number + 1; the next one stands in the item */
    uint32_t item_bytes; /* a multiple of 8 */
    struct heap *heap;
};

bool slab_init(struct slab *s, struct heap *heap, uint32_t item_bytes, uint32_t nr_most);
void slab_fini(struct slab *s);

/* A number whose item is zero; SLAB_NONE: no memory, or all are in use. */
uint32_t slab_take(struct slab *s);
void slab_give(struct slab *s, uint32_t nr);

static inline void *slab_at(const struct slab *s, uint32_t nr)
{
    return s->chunks[nr / SLAB_CHUNK] + (size_t)(nr % SLAB_CHUNK) * s->item_bytes;
}

#endif /* XTM_ENGINE_SLAB_H */
