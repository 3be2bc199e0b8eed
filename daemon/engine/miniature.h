/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * miniature.h - a cache of hashes and no pages: what a pool would hold, on a sample, under one
 * rule.
 *
 * The pages whose hashes fall into a fixed part of all hashes behave, in a cache
 * scaled down by the same part, much as all pages do in the whole one
 * (-> Waldspurger et al., "Cache Modeling and Optimization using Miniature
 * Simulations", ATC 2017). The queues are those of queue.h, in one piece.
 *
 * One thread at a time: the lock is the owner's. Nothing is allocated.
 */
#ifndef XTM_ENGINE_MINIATURE_H
#define XTM_ENGINE_MINIATURE_H

#include "daemon/engine/queue.h"

/* With 256, the better rule was not found in time on one of seventy rows of traces. */
#define MINIATURE_MOST    512u
#define MINIATURE_ENTRIES (2 * MINIATURE_MOST) /* pages and their ghosts */

struct mini_list {
    uint16_t newest, oldest, nr;
};

struct mini_page {
    uint64_t hash;
    uint16_t newer, older;
    uint16_t next; /* of those with the same head */
    uint8_t place; /* enum mini_place */
    uint8_t uses;
};

struct miniature {
    const struct queue_rule *rule;
    uint32_t room; /* pages it may hold, up to MINIATURE_MOST */
    struct mini_list small, main, ghosts, free;
    uint16_t heads[MINIATURE_MOST];
    struct mini_page pages[MINIATURE_ENTRIES];
};

/* Empty, with room for one page. */
void miniature_init(struct miniature *m, const struct queue_rule *rule);

static inline uint32_t miniature_nr(const struct miniature *m)
{
    return (uint32_t)m->small.nr + m->main.nr;
}

/* Is the page held? A use, if so. */
bool miniature_get(struct miniature *m, uint64_t hash);

/* The page is held from now on; another one may have gone for it. Is it held already: no use. */
void miniature_put(struct miniature *m, uint64_t hash);

/* The page was asked for and is handed over, if it is held: a ghost stays. */
void miniature_take(struct miniature *m, uint64_t hash);

/* Forget pages and ghosts whose upper 32 bits of hash are not below @below. */
void miniature_thin(struct miniature *m, uint32_t below);

#endif /* XTM_ENGINE_MINIATURE_H */
