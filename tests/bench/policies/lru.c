/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lru.c - the block that was used least recently goes. */
#include <stdlib.h>

#include "tests/bench/policies/block_list.h"
#include "tests/bench/policies/policy.h"

struct lru {
    uint32_t nr_pages;
    struct block_list held;
    struct block_link *links;
    bool *is_held;
};

static void lru_destroy(void *cache)
{
    struct lru *c = cache;

    free(c->links);
    free(c->is_held);
    free(c);
}

static void *lru_create(uint32_t nr_pages, uint32_t nr_blocks)
{
    struct lru *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct lru){.nr_pages = nr_pages,
                      .held = block_list_empty(),
                      .links = calloc(nr_blocks, sizeof(*c->links)),
                      .is_held = calloc(nr_blocks, sizeof(*c->is_held))};
    if (c->links && c->is_held)
        return c;
    lru_destroy(c);
    return NULL;
}

static bool lru_access(void *cache, const struct access *a)
{
    struct lru *c = cache;
    bool hit = c->is_held[a->id];

    if (hit)
        block_list_remove(&c->held, c->links, a->id);
    else if (c->held.nr == c->nr_pages)
        c->is_held[block_list_pop(&c->held, c->links)] = false;
    block_list_push(&c->held, c->links, a->id);
    c->is_held[a->id] = true;
    return hit;
}

const struct cache_policy policy_lru = {"lru", lru_create, lru_destroy, lru_access};
