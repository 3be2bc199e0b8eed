/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/layer.h"

#include "daemon/blk/pool_page.h"

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

    if (engine_account_pools(e, layer) != 1ull << POOL_PAGE_POOL)
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
    return pool_page_op(worker, layer, page, true);
}

enum tmemif_status layer_read(struct engine *e, unsigned worker, account_nr layer, uint32_t page,
                              void *buffer)
{
    const struct page_op op = op_of(worker, layer, page);

    return pool_page_read(e, &op, buffer);
}

enum tmemif_status layer_write(struct engine *e, unsigned worker, account_nr layer, uint32_t page,
                               const void *buffer)
{
    const struct page_op op = op_of(worker, layer, page);

    return pool_page_write(e, &op, buffer);
}

bool layer_has(struct engine *e, unsigned worker, account_nr layer, uint32_t page)
{
    const struct page_op op = op_of(worker, layer, page);

    return pool_page_is_there(e, &op);
}

enum tmemif_status layer_flush(struct engine *e, unsigned worker, account_nr layer, uint32_t first,
                               uint32_t nr, uint32_t *done_out)
{
    const struct page_op op = op_of(worker, layer, first);

    return pool_page_flush(e, &op, nr, done_out);
}
