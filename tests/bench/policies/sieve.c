/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sieve.c - SIEVE (Zhang et al., NSDI 2024): a hand moves from the oldest block to the newest
 * and takes the first that was not used since it passed; the used ones stay where they are.
 */
#include <stdlib.h>

#include "tests/bench/policies/block_list.h"
#include "tests/bench/policies/policy.h"

struct sieve {
    uint32_t nr_pages;
    struct block_list held;
    uint32_t hand; /* NO_BLOCK: begin at the oldest */
    struct block_link *links;
    bool *is_held;
    bool *is_used;
};

static void sieve_destroy(void *cache)
{
    struct sieve *c = cache;

    free(c->links);
    free(c->is_held);
    free(c->is_used);
    free(c);
}

static void *sieve_create(uint32_t nr_pages, uint32_t nr_blocks)
{
    struct sieve *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct sieve){.nr_pages = nr_pages,
                        .held = block_list_empty(),
                        .hand = NO_BLOCK,
                        .links = calloc(nr_blocks, sizeof(*c->links)),
                        .is_held = calloc(nr_blocks, sizeof(*c->is_held)),
                        .is_used = calloc(nr_blocks, sizeof(*c->is_used))};
    if (c->links && c->is_held && c->is_used)
        return c;
    sieve_destroy(c);
    return NULL;
}

static void evict(struct sieve *c)
{
    uint32_t block = c->hand != NO_BLOCK ? c->hand : c->held.oldest;

    while (c->is_used[block]) {
        c->is_used[block] = false;
        block = c->links[block].newer;
        if (block == NO_BLOCK)
            block = c->held.oldest;
    }
    c->hand = c->links[block].newer;
    c->is_held[block] = false;
    block_list_remove(&c->held, c->links, block);
}

static bool sieve_access(void *cache, const struct access *a)
{
    struct sieve *c = cache;

    if (c->is_held[a->id]) {
        c->is_used[a->id] = true;
        return true;
    }
    if (c->held.nr == c->nr_pages)
        evict(c);
    c->is_held[a->id] = true;
    c->is_used[a->id] = false;
    block_list_push(&c->held, c->links, a->id);
    return false;
}

const struct cache_policy policy_sieve = {"sieve", sieve_create, sieve_destroy, sieve_access};
