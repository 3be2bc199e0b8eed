/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine/engine.h"

#include "daemon/engine/recover.h"
#include "daemon/engine/shard.h"
#include "daemon/engine/tuner.h"

/* Shards for each worker: two workers meet on one of 32 locks in a few of a hundred operations. */
#define SHARDS_PER_WORKER 16u

unsigned engine_shards_for(unsigned nr_workers)
{
    unsigned nr = 1;

    while (nr < nr_workers * SHARDS_PER_WORKER && nr < ENGINE_MAX_SHARDS)
        nr *= 2;
    return nr;
}

/* What was asked for is rounded up to a power of two. */
static uint32_t choose_nr_shards(const struct engine_config *config)
{
    uint32_t nr = 1;

    if (config->nr_shards == 0)
        return engine_shards_for(config->nr_workers);
    while (nr < config->nr_shards && nr < ENGINE_MAX_SHARDS)
        nr *= 2;
    return nr;
}

static bool shards_make(struct engine *e)
{
    size_t bytes = (size_t)e->nr_shards * sizeof(*e->shards) + CACHE_LINE;

    e->shards_memory = heap_take(&e->heap, 1, bytes);
    if (!e->shards_memory)
        return false;
    e->shards = (struct shard *)(((uintptr_t)e->shards_memory + CACHE_LINE - 1) &
                                 ~(uintptr_t)(CACHE_LINE - 1));
    for (uint32_t i = 0; i < e->nr_shards; i++) {
        if (!shard_init(e, &e->shards[i]))
            return false;
    }
    return true;
}

static bool tables_make(struct engine *e)
{
    e->links = heap_take(&e->heap, e->nr_descs, sizeof(*e->links));
    e->tombs = heap_take(&e->heap, (size_t)e->nr_shards * shard_tomb_room(e), sizeof(*e->tombs));
    e->workers = heap_take(&e->heap, e->nr_workers, sizeof(*e->workers));
    e->accounts = heap_take(&e->heap, e->nr_accounts, sizeof(*e->accounts));
    e->pools = heap_take(&e->heap, e->nr_pools, sizeof(*e->pools));
    e->shared = heap_take(&e->heap, ENGINE_MAX_SHARED, sizeof(*e->shared));
    e->members = heap_take(&e->heap, ENGINE_MAX_MEMBERS, sizeof(*e->members));
    e->claims = heap_take(&e->heap, (size_t)e->nr_accounts + ENGINE_MAX_SHARED, sizeof(*e->claims));
    e->drains = heap_take(&e->heap, e->nr_pools, sizeof(*e->drains));
    if (!e->links || !e->tombs || !e->workers || !e->accounts || !e->pools || !e->shared ||
        !e->members || !e->claims || !e->drains)
        return false;
    for (unsigned i = 0; i < e->nr_workers; i++)
        e->workers[i].random = XXH3_64bits_withSeed(&i, sizeof(i), e->seed) | 1;
    return true;
}

struct engine *engine_create(struct store *store, const struct engine_config *config)
{
    const struct layout_super *super = store_super(store);
    struct engine *e;

    if (config->nr_workers == 0 || super->nr_descs >= ENGINE_DESCS_MOST)
        return NULL;
    e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->store = store;
    e->descs = store_desc(store, 0);
    e->frames = store_frame(store, 0);
    e->nr_descs = super->nr_descs;
    e->nr_frames = super->nr_frames;
    e->nr_shards = choose_nr_shards(config);
    e->nr_workers = config->nr_workers;
    e->nr_accounts = super->nr_accounts;
    e->nr_pools = super->nr_pools;
    e->emulated = config->emulated;
    e->seed = config->hash_seed;
    if (tables_make(e) && shards_make(e) && engine_recover(e))
        return e;
    engine_destroy(e);
    return NULL;
}

static void pools_free(struct engine *e)
{
    for (uint32_t i = 0; e->pools && i < e->nr_pools; i++) {
        heap_give(&e->heap, atomic_load_explicit(&e->pools[i].parts, memory_order_relaxed),
                  e->nr_shards, sizeof(struct pool_part));
        tuner_free(e, &e->pools[i]);
    }
}

void engine_destroy(struct engine *e)
{
    if (!e)
        return;
    for (uint32_t i = 0; e->shards && i < e->nr_shards; i++)
        shard_fini(&e->shards[i]);
    pools_free(e);
    free(e->shards_memory);
    free(e->links);
    free(e->doubts.bits);
    free(e->tombs);
    free(e->workers);
    free(e->accounts);
    free(e->pools);
    free(e->shared);
    free(e->members);
    free(e->claims);
    free(e->drains);
    free(e);
}
