/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/pool_page.h"

#include "daemon/blk/batch.h"
#include "daemon/store/page_copy.h"
#include "protocol/copy.h"

/* A multiple of POOL_PAGE_FLUSH. */
#define OBJECT_PAGES 256u

struct page_op pool_page_op(unsigned worker, account_nr account, uint32_t page, bool firm)
{
    return (struct page_op){
        .worker = worker,
        .account = account,
        .pool_id = POOL_PAGE_POOL,
        .object = {page / OBJECT_PAGES},
        .index = page % OBJECT_PAGES,
        .firm = firm,
    };
}

static void fill(uint32_t *words, uint32_t word)
{
    for (unsigned i = 0; i < DISK_PAGE_SIZE / sizeof(*words); i++)
        words[i] = word;
}

enum tmemif_status pool_page_read(struct engine *e, const struct page_op *op, void *buffer)
{
    struct engine_get get;
    const void *frame;
    uint32_t word;
    enum tmemif_status rc = engine_get_begin(e, op, &get, &frame, &word, NULL, NULL);

    if (rc != TMEMIF_OK)
        return rc;
    if (frame)
        copy_bytes(buffer, frame, DISK_PAGE_SIZE);
    else
        fill(buffer, word);
    engine_get_end(e, &get, true);
    return TMEMIF_OK;
}

bool pool_page_is_there(struct engine *e, const struct page_op *op)
{
    struct engine_get get;
    enum tmemif_status rc = engine_get_begin(e, op, &get, NULL, NULL, NULL, NULL);

    if (rc == TMEMIF_OK)
        engine_get_end(e, &get, false);
    return rc != TMEMIF_MISS;
}

enum tmemif_status pool_page_write(struct engine *e, const struct page_op *op, const void *buffer)
{
    struct engine_put put;
    void *frame;
    enum tmemif_status rc = engine_put_begin(e, op, &put, &frame);

    if (rc != TMEMIF_OK)
        return rc;
    page_copy(frame, buffer, put.seed, &put.facts);
    put.has_facts = true;
    return engine_put_commit(e, &put);
}

enum tmemif_status pool_page_flush(struct engine *e, const struct page_op *op, uint32_t nr,
                                   uint32_t *done_out)
{
    uint32_t most = POOL_PAGE_FLUSH - op->index % POOL_PAGE_FLUSH;
    enum tmemif_status rc;

    nr = nr < most ? nr : most;
    rc = engine_flush_range(e, op, op->index, op->index + nr - 1);
    *done_out = rc == TMEMIF_OK ? nr : 0;
    return rc;
}
