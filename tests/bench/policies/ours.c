/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ours.c - the engine itself as a policy: one guest's private inclusive ephemeral
 * pool that has all frames, with the daemon's number of shards for two workers.
 *
 * 256 neighbouring blocks are an object. Pages hold their block's number, which every hit
 * checks.
 */
#include "tests/bench/policies/ours.h"

#include <stdlib.h>
#include <string.h>

#include "tests/bench/bed.h"

#define BLOCKS_PER_OBJECT 256u

struct ours {
    struct store *store;
    struct engine *e;
    account_nr account;
    uint32_t pool_id;
};

static void ours_destroy(void *cache)
{
    struct ours *c = cache;

    engine_destroy(c->e);
    store_close(c->store);
    free(c);
}

static void *ours_create(uint32_t nr_pages, uint32_t nr_blocks)
{
    struct store_config stores = {.nr_frames = nr_pages, .nr_filled = nr_pages / 4};
    struct engine_config config = bed_config();
    struct ours *c = calloc(1, sizeof(*c));
    const char *why;

    (void)nr_blocks;
    if (!c)
        return NULL;
    MUST(store_create(&stores, &c->store, &why));
    c->e = engine_create(c->store, &config);
    MUST(c->e != NULL);
    c->account = bed_guest(c->e, 1);
    c->pool_id = bed_pool(c->e, c->account, TMEMIF_POOL_INCLUSIVE);
    return c;
}

/* Enough of a page that it is no same-filled one; the rest does not matter to eviction. */
static void stamp(void *frame, uint64_t block)
{
    uint64_t words[2] = {block, ~block};

    memcpy(frame, words, sizeof(words));
}

static bool is_stamped(const void *frame, uint64_t block)
{
    uint64_t words[2];

    memcpy(words, frame, sizeof(words));
    return words[0] == block && words[1] == ~block;
}

static bool get(struct ours *c, const struct page_op *op, uint64_t block)
{
    struct engine_get get;
    const void *frame;
    uint32_t word;
    enum tmemif_status rc = engine_get_begin(c->e, op, &get, &frame, &word, NULL, NULL);

    if (rc == TMEMIF_MISS)
        return false;
    MUST(rc == TMEMIF_OK && frame && is_stamped(frame, block));
    engine_get_end(c->e, &get, true);
    return true;
}

static void put(struct ours *c, const struct page_op *op, uint64_t block)
{
    struct engine_put put;
    void *frame;

    MUST(engine_put_begin(c->e, op, &put, &frame) == TMEMIF_OK);
    stamp(frame, block);
    MUST(engine_put_commit(c->e, &put) == TMEMIF_OK);
}

static bool ours_access(void *cache, const struct access *a)
{
    struct ours *c = cache;
    struct page_op op = {.account = c->account,
                         .pool_id = c->pool_id,
                         .object = {a->block / BLOCKS_PER_OBJECT},
                         .index = (uint32_t)(a->block % BLOCKS_PER_OBJECT)};
    bool hit = !a->is_write && get(c, &op, a->block);

    if (!hit)
        put(c, &op, a->block);
    return hit;
}

const struct cache_policy policy_ours = {"engine", ours_create, ours_destroy, ours_access};
