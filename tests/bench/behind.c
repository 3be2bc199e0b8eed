/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/behind.h"

#include <stdlib.h>

#include "tests/bench/policies/block_list.h"

/* Accesses in a row by one of two guests. */
#define TURN 1024u

struct page_cache {
    uint32_t nr_pages;
    struct block_list held;
    struct block_link *links;
    bool *is_held;
};

static bool page_cache_init(struct page_cache *c, uint32_t nr_pages, uint32_t nr_blocks)
{
    *c = (struct page_cache){.nr_pages = nr_pages,
                             .held = block_list_empty(),
                             .links = calloc(nr_blocks, sizeof(*c->links)),
                             .is_held = calloc(nr_blocks, sizeof(*c->is_held))};
    return c->links && c->is_held;
}

static void page_cache_fini(struct page_cache *c)
{
    free(c->links);
    free(c->is_held);
}

/* The block is the newest now. What was dropped for it, or NO_BLOCK. */
static uint32_t page_cache_enter(struct page_cache *c, uint32_t id)
{
    uint32_t dropped = NO_BLOCK;

    if (c->is_held[id]) {
        block_list_remove(&c->held, c->links, id);
    } else if (c->held.nr == c->nr_pages) {
        dropped = block_list_pop(&c->held, c->links);
        c->is_held[dropped] = false;
    }
    c->is_held[id] = true;
    block_list_push(&c->held, c->links, id);
    return dropped;
}

struct behind {
    const struct trace *t;
    enum ours_kind kind;
    struct page_cache caches[OURS_GUESTS];
    uint64_t *blocks; /* by id */
    struct ours *pool;
    size_t nr_gets, nr_hits;
};

static void step(struct behind *b, unsigned guest, const struct access *a)
{
    struct page_cache *c = &b->caches[guest];
    bool missed = !c->is_held[a->id];
    uint32_t dropped = page_cache_enter(c, a->id);
    bool hit = false;

    b->blocks[a->id] = a->block;
    /* what a guest is about to write is of no use in an exclusive pool */
    if (missed && (!a->is_write || b->kind == OURS_EXCLUSIVE))
        hit = ours_get(b->pool, guest, a->block);
    if (missed && !a->is_write) {
        b->nr_gets++;
        b->nr_hits += hit;
    }
    if (b->kind == OURS_EXCLUSIVE && dropped != NO_BLOCK)
        ours_put(b->pool, guest, b->blocks[dropped]);
    if (b->kind != OURS_EXCLUSIVE && (a->is_write || (missed && !hit)))
        ours_put(b->pool, guest, a->block);
}

static void run(struct behind *b)
{
    for (size_t i = 0; i < b->t->nr; i++)
        step(b, b->kind == OURS_SHARED ? i / TURN % OURS_GUESTS : 0, &b->t->accesses[i]);
}

double behind_replay(const struct trace *t, enum ours_kind kind, uint32_t guest_pages,
                     uint32_t pool_pages)
{
    struct behind b = {.t = t, .kind = kind};
    bool ok = true;

    b.blocks = calloc(t->nr_blocks, sizeof(*b.blocks));
    for (unsigned g = 0; g < OURS_GUESTS; g++)
        ok = page_cache_init(&b.caches[g], guest_pages, t->nr_blocks) && ok;
    b.pool = ours_make(kind, pool_pages);
    ok = ok && b.blocks && b.pool;
    if (ok)
        run(&b);
    if (b.pool)
        ours_free(b.pool);
    for (unsigned g = 0; g < OURS_GUESTS; g++)
        page_cache_fini(&b.caches[g]);
    free(b.blocks);
    if (!ok)
        return -1;
    return b.nr_gets ? (double)b.nr_hits / (double)b.nr_gets : 0;
}
