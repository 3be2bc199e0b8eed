/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.c - FIFO, but a block that was used since it came round last goes round again. */
#include <stdlib.h>

#include "tests/bench/policies/block_list.h"
#include "tests/bench/policies/policy.h"

struct clock {
    uint32_t nr_pages;
    struct block_list held;
    struct block_link *links;
    bool *is_held;
    bool *is_used;
};

static void clock_destroy(void *cache)
{
    struct clock *c = cache;

    free(c->links);
    free(c->is_held);
    free(c->is_used);
    free(c);
}

static void *clock_create(uint32_t nr_pages, uint32_t nr_blocks)
{
    struct clock *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct clock){.nr_pages = nr_pages,
                        .held = block_list_empty(),
                        .links = calloc(nr_blocks, sizeof(*c->links)),
                        .is_held = calloc(nr_blocks, sizeof(*c->is_held)),
                        .is_used = calloc(nr_blocks, sizeof(*c->is_used))};
    if (c->links && c->is_held && c->is_used)
        return c;
    clock_destroy(c);
    return NULL;
}

static void evict(struct clock *c)
{
    for (;;) {
        uint32_t block = block_list_pop(&c->held, c->links);

        if (!c->is_used[block]) {
            c->is_held[block] = false;
            return;
        }
        c->is_used[block] = false;
        block_list_push(&c->held, c->links, block);
    }
}

static bool clock_access(void *cache, const struct access *a)
{
    struct clock *c = cache;

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

const struct cache_policy policy_clock = {"clock", clock_create, clock_destroy, clock_access};
