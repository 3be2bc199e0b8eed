/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/layer.h"

#include <string.h>

#include "daemon/blk/disk.h"
#include "daemon/store/page_copy.h"

/*
 * All pages of an object are in one shard, so a disk is many objects; and each costs some bytes,
 * so they are not small. A multiple of LAYER_FLUSH_PAGES.
 */
#define OBJECT_PAGES 256u

/* The only pool of a layer. */
#define LAYER_POOL 0u

enum tmemif_status layer_make(struct engine *e, uint32_t number, account_nr *layer_out)
{
    const struct account_key key = {.kind = ACCOUNT_DISK, .id = number};
    account_nr layer;
    uint32_t pool_id;
    enum tmemif_status rc = engine_account_open(e, &key, &layer);

    if (rc != TMEMIF_OK)
        return rc;
    rc = engine_pool_create(e, layer, TMEMIF_POOL_PERSISTENT, &pool_id);
    if (rc != TMEMIF_OK || !layer_adopt(e, layer)) {
        engine_account_close(e, layer);
        return rc != TMEMIF_OK ? rc : TMEMIF_BAD_KIND;
    }
    *layer_out = layer;
    return TMEMIF_OK;
}

bool layer_adopt(struct engine *e, account_nr layer)
{
    /*
     * The size of the disk is the limit, as no page is there twice. A quota of so many would be
     * passed for moments, by pages that are about to replace others.
     */
    const struct policy policy = {.quota_pages = PAGES_UNLIMITED, .weight = 1};

    if (engine_account_pools(e, layer) != 1ull << LAYER_POOL)
        return false;
    engine_account_set_policy(e, layer, &policy);
    return true;
}

void layer_end(struct engine *e, account_nr layer)
{
    engine_account_close(e, layer);
}

uint64_t layer_nr_own(struct engine *e, account_nr layer)
{
    struct account_stats stats;

    return engine_account_stats(e, layer, &stats) ? stats.persistent_pages : 0;
}

static struct page_op op_of(unsigned worker, account_nr layer, uint32_t page)
{
    return (struct page_op){
        .worker = worker,
        .account = layer,
        .pool_id = LAYER_POOL,
        .object = {page / OBJECT_PAGES},
        .index = page % OBJECT_PAGES,
        .firm = true,
    };
}

static void fill(uint32_t *words, uint32_t word)
{
    for (unsigned i = 0; i < DISK_PAGE_SIZE / sizeof(*words); i++)
        words[i] = word;
}

enum tmemif_status layer_read(struct engine *e, unsigned worker, account_nr layer, uint32_t page,
                              void *buffer)
{
    const struct page_op op = op_of(worker, layer, page);
    struct engine_get get;
    const void *frame;
    uint32_t word;
    enum tmemif_status rc = engine_get_begin(e, &op, &get, &frame, &word, NULL, NULL);

    if (rc != TMEMIF_OK)
        return rc;
    if (frame)
        memcpy(buffer, frame, DISK_PAGE_SIZE);
    else
        fill(buffer, word);
    engine_get_end(e, &get, true);
    return TMEMIF_OK;
}

enum tmemif_status layer_write(struct engine *e, unsigned worker, account_nr layer, uint32_t page,
                               const void *buffer)
{
    const struct page_op op = op_of(worker, layer, page);
    struct engine_put put;
    void *frame;
    enum tmemif_status rc = engine_put_begin(e, &op, &put, &frame);

    if (rc != TMEMIF_OK)
        return rc;
    page_copy(frame, buffer, put.seed, &put.facts);
    put.has_facts = true;
    return engine_put_commit(e, &put);
}

bool layer_has(struct engine *e, unsigned worker, account_nr layer, uint32_t page)
{
    const struct page_op op = op_of(worker, layer, page);
    struct engine_get get;
    const void *frame;
    uint32_t word;
    enum tmemif_status rc = engine_get_begin(e, &op, &get, &frame, &word, NULL, NULL);

    if (rc == TMEMIF_OK)
        engine_get_end(e, &get, false);
    return rc != TMEMIF_MISS;
}

enum tmemif_status layer_flush(struct engine *e, unsigned worker, account_nr layer, uint32_t first,
                               uint32_t nr, uint32_t *done_out)
{
    const struct page_op op = op_of(worker, layer, first);
    uint32_t most = LAYER_FLUSH_PAGES - first % LAYER_FLUSH_PAGES;
    enum tmemif_status rc;

    nr = nr < most ? nr : most;
    rc = engine_flush_range(e, &op, op.index, op.index + nr - 1);
    *done_out = rc == TMEMIF_OK ? nr : 0;
    return rc;
}
