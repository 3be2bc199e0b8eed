/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ghost.h - that a page was here not long ago: 16 bits of its hash, in sets of 31.
 *
 * Each set is a FIFO in one cache line. About 2 bytes for each page that the
 * shard may hold, and one look-up in 2000 finds a ghost that is not there.
 */
#ifndef XTM_ENGINE_GHOST_H
#define XTM_ENGINE_GHOST_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/heap.h"

#define GHOST_WAYS 31u

struct ghost_set {
    uint16_t prints[GHOST_WAYS]; /* 0: none */
    uint16_t next;
};
_Static_assert(sizeof(struct ghost_set) == 64, "a cache line");

struct ghosts {
    struct ghost_set *sets;
    uint32_t nr_sets;
    uint32_t nr_ways; /* used ones of each set */
    struct heap *heap;
};

/* Room for @nr ghosts, or a few more. False: no memory. */
bool ghosts_init(struct ghosts *g, struct heap *heap, uint32_t nr);
void ghosts_fini(struct ghosts *g);

/* The page of @hash was evicted, or taken out by an exclusive get. */
void ghosts_add(struct ghosts *g, uint64_t hash);
/*
 * Was it, and not longer ago than the newest @young_percent of the ghosts that there is room for?
 * The ghost is gone afterwards.
 */
bool ghosts_take(struct ghosts *g, uint64_t hash, uint32_t young_percent);

#endif /* XTM_ENGINE_GHOST_H */
