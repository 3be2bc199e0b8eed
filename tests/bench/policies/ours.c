/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ours.c - the engine itself, with one ephemeral pool that has all frames and the
 * daemon's number of shards for two workers.
 *
 * 256 neighbouring blocks are an object. Pages hold their block's number, which every hit
 * checks.
 */
#include "tests/bench/policies/ours.h"

#include <stdlib.h>
#include <string.h>

#include "tests/bench/bed.h"

#define BLOCKS_PER_OBJECT 256u

uint64_t ours_seed = 0x5eed;

struct ours {
    struct store *store;
    struct engine *e;
    account_nr accounts[OURS_GUESTS];
    uint32_t pool_ids[OURS_GUESTS];
};

static void share(struct ours *c)
{
    static const uint8_t uuid[TMEMIF_UUID_LEN] = {1};
    const struct policy policy = {.max_pages = PAGES_UNLIMITED, .weight = 1};

    MUST(engine_shared_set_policy(c->e, uuid, &policy) == TMEMIF_OK);
    for (unsigned g = 0; g < OURS_GUESTS; g++) {
        struct account_key key;
        uint32_t cursor = c->accounts[g];
        account_nr account;

        MUST(engine_account_next(c->e, &cursor, &account, &key));
        MUST(engine_shared_allow(c->e, uuid, &key, RIGHT_FILL) == TMEMIF_OK);
        MUST(engine_pool_join(c->e, c->accounts[g], uuid, TMEMIF_POOL_SHARED, &c->pool_ids[g]) ==
             TMEMIF_OK);
    }
}

struct ours *ours_make(enum ours_kind kind, uint32_t nr_pages)
{
    struct store_config stores = {.nr_frames = nr_pages, .nr_filled = nr_pages / 4};
    struct engine_config config = bed_config();
    struct ours *c = calloc(1, sizeof(*c));
    const char *why;

    if (!c)
        return NULL;
    MUST(store_create(&stores, &c->store, &why));
    config.hash_seed = ours_seed;
    c->e = engine_create(c->store, &config);
    MUST(c->e != NULL);
    for (unsigned g = 0; g < OURS_GUESTS; g++)
        c->accounts[g] = bed_guest(c->e, g + 1);
    if (kind == OURS_SHARED)
        share(c);
    else
        c->pool_ids[0] =
            bed_pool(c->e, c->accounts[0], kind == OURS_INCLUSIVE ? TMEMIF_POOL_INCLUSIVE : 0);
    return c;
}

void ours_free(struct ours *c)
{
    engine_destroy(c->e);
    store_close(c->store);
    free(c);
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

static struct page_op op_of(const struct ours *c, unsigned guest, uint64_t block)
{
    return (struct page_op){.account = c->accounts[guest],
                            .pool_id = c->pool_ids[guest],
                            .object = {block / BLOCKS_PER_OBJECT},
                            .index = (uint32_t)(block % BLOCKS_PER_OBJECT)};
}

bool ours_get(struct ours *c, unsigned guest, uint64_t block)
{
    struct page_op op = op_of(c, guest, block);
    struct engine_get get;
    const void *frame;
    uint32_t word;
    enum tmemif_status rc = engine_get_begin(c->e, &op, &get, &frame, &word, NULL, NULL);

    if (rc == TMEMIF_MISS)
        return false;
    MUST(rc == TMEMIF_OK && frame && is_stamped(frame, block));
    engine_get_end(c->e, &get, true);
    return true;
}

void ours_put(struct ours *c, unsigned guest, uint64_t block)
{
    struct page_op op = op_of(c, guest, block);
    struct engine_put put;
    void *frame;

    MUST(engine_put_begin(c->e, &op, &put, &frame) == TMEMIF_OK);
    stamp(frame, block);
    MUST(engine_put_commit(c->e, &put) == TMEMIF_OK);
}

static void *ours_create(uint32_t nr_pages, uint32_t nr_blocks)
{
    (void)nr_blocks;
    return ours_make(OURS_INCLUSIVE, nr_pages);
}

static void ours_destroy(void *cache)
{
    ours_free(cache);
}

static bool ours_access(void *cache, const struct access *a)
{
    bool hit = !a->is_write && ours_get(cache, 0, a->block);

    if (!hit)
        ours_put(cache, 0, a->block);
    return hit;
}

const struct cache_policy policy_ours = {"engine", ours_create, ours_destroy, ours_access};
