/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/dispatch.h"

#include "daemon/session/data.h"
#include "daemon/session/record.h"
#include "daemon/util/bug.h"

/* ---- pages ---- */

static struct page_op page_op_of(const struct sender *s, const struct tmemif_request *r)
{
    const struct tmemif_page *p = &r->u.page;

    if (s->record)
        s->record->op = r->op;
    /* page and range bodies begin alike; a range has no index, and its engine call takes none */
    return (struct page_op){
        .worker = s->worker,
        .account = s->account,
        .pool_id = r->pool,
        .object = {p->object[0], p->object[1], p->object[2]},
        .index = p->index,
        .record = s->record,
    };
}

/*
 * While a page is copied, memory for the requests behind is read as well. The
 * other operations copy nothing and are not worth it.
 */
static void look_ahead(const struct sender *s, unsigned request)
{
    struct lookahead *l = s->lookahead;
    const struct tmemif_request *untrusted;
    const struct tmemif_page *p;
    struct page_op op;

    if (!l)
        return;
    if (request >= l->nr_later) {
        engine_look_ahead(s->engine, l->ahead, NULL, false);
        return;
    }
    untrusted = &l->untrusted_later[request];
    p = &untrusted->u.page;
    op = (struct page_op){
        .account = s->account,
        .pool_id = untrusted->pool,
        .object = {p->object[0], p->object[1], p->object[2]},
        .index = p->index,
    };
    engine_look_ahead(s->engine, l->ahead, &op, untrusted->op == TMEMIF_OP_PAGE_PUT);
}

static enum tmemif_status page_put(const struct sender *s, const struct tmemif_request *r,
                                   struct tmemif_response *rsp)
{
    struct page_op op = page_op_of(s, r);
    struct engine_put put;
    enum tmemif_status rc;
    void *frame;

    (void)rsp;
    if (r->flags & TMEMIF_PUT_LEASED)
        op.lease = &r->u.page.lease;
    rc = engine_put_begin(s->engine, &op, &put, &frame);
    if (rc)
        return rc;
    look_ahead(s, 0);
    if (!data_take_page(s->link, &r->u.page.data, frame, put.seed, &put.facts, &put.has_facts))
        return engine_put_abort(s->engine, &put, TMEMIF_BAD_GRANT);
    return engine_put_commit(s->engine, &put);
}

/* A get under way. */
struct get {
    struct engine_get get;
    const struct tmemif_data *to;
    const void *frame; /* or NULL: */
    uint32_t word;     /* over and over */
    enum tmemif_status status;
    bool pinned; /* it has begun, and has to end */
};

/* @beside others. False: it would have to wait for somebody's end, and has not begun. */
static bool get_begin(const struct sender *s, const struct tmemif_request *r, bool beside,
                      struct get *g, struct tmemif_response *rsp_out)
{
    struct page_op op = page_op_of(s, r);
    bool want_lease = r->flags & TMEMIF_GET_WANT_LEASE;
    struct tmemif_response rsp = {0};
    bool leased = false;

    op.beside = beside;
    g->to = &r->u.page.data;
    g->status = engine_get_begin(s->engine, &op, &g->get, &g->frame, &g->word,
                                 want_lease ? &rsp.lease : NULL, &leased);
    if (g->status == TMEMIF_BUSY) {
        BUG_UNLESS(beside);
        return false;
    }
    g->pinned = g->status == TMEMIF_OK;
    if (leased)
        rsp.flags = TMEMIF_RSP_LEASE;
    *rsp_out = rsp;
    return true;
}

static void get_copy(const struct sender *s, struct get *g)
{
    bool ok;

    if (!g->pinned)
        return;
    ok = g->frame ? data_copy_out(s->link, g->to, g->frame) : data_fill(s->link, g->to, g->word);
    if (!ok)
        g->status = TMEMIF_BAD_GRANT;
}

static void get_end(const struct sender *s, struct get *g)
{
    if (g->pinned)
        engine_get_end(s->engine, &g->get, g->status == TMEMIF_OK);
}

/*
 * Each end waits until what was copied has reached the cache, and so does whatever comes behind
 * it; of several at a time only the first does.
 */
static unsigned page_gets(const struct sender *s, const struct tmemif_request *requests,
                          unsigned nr, struct tmemif_response *rsps_out)
{
    struct get gets[DISPATCH_MOST];
    unsigned begun = 0;

    while (begun < nr && get_begin(s, &requests[begun], begun > 0, &gets[begun], &rsps_out[begun]))
        begun++;
    for (unsigned i = 0; i < begun; i++) {
        look_ahead(s, i);
        get_copy(s, &gets[i]);
    }
    for (unsigned i = 0; i < begun; i++) {
        get_end(s, &gets[i]);
        rsps_out[i].status = (uint16_t)gets[i].status;
    }
    return begun;
}

static enum tmemif_status page_flush(const struct sender *s, const struct tmemif_request *r,
                                     struct tmemif_response *rsp)
{
    const struct page_op op = page_op_of(s, r);

    (void)rsp;
    return engine_flush_page(s->engine, &op);
}

static enum tmemif_status range_flush(const struct sender *s, const struct tmemif_request *r,
                                      struct tmemif_response *rsp)
{
    const struct page_op op = page_op_of(s, r);

    (void)rsp;
    return engine_flush_range(s->engine, &op, r->u.range.first, r->u.range.last);
}

/* ---- pools: under sender.pools_lock ---- */

static enum tmemif_status pool_create(const struct sender *s, const struct tmemif_request *r,
                                      struct tmemif_response *rsp)
{
    uint32_t id = 0;
    enum tmemif_status rc = engine_pool_create(s->engine, s->account, r->u.pool.flags, &id);

    rsp->value = id;
    return rc;
}

static enum tmemif_status pool_join(const struct sender *s, const struct tmemif_request *r,
                                    struct tmemif_response *rsp)
{
    uint32_t id = 0;
    enum tmemif_status rc =
        engine_pool_join(s->engine, s->account, r->u.pool.uuid, r->u.pool.flags, &id);

    rsp->value = id;
    return rc;
}

static enum tmemif_status pool_leave(const struct sender *s, const struct tmemif_request *r,
                                     struct tmemif_response *rsp)
{
    (void)rsp;
    return engine_pool_leave(s->engine, s->account, r->pool);
}

static enum tmemif_status pool_destroy(const struct sender *s, const struct tmemif_request *r,
                                       struct tmemif_response *rsp)
{
    (void)rsp;
    return engine_pool_destroy(s->engine, s->account, r->pool);
}

static enum tmemif_status reset(const struct sender *s, const struct tmemif_request *r,
                                struct tmemif_response *rsp)
{
    (void)r;
    (void)rsp;
    engine_account_reset(s->engine, s->account);
    return TMEMIF_OK;
}

/* ---- the rest ---- */

static enum tmemif_status nop(const struct sender *s, const struct tmemif_request *r,
                              struct tmemif_response *rsp)
{
    (void)s;
    (void)r;
    (void)rsp;
    return TMEMIF_OK;
}

static enum tmemif_status pool_info(const struct sender *s, const struct tmemif_request *r,
                                    struct tmemif_response *rsp)
{
    struct tmemif_pool_info info = {0};
    enum tmemif_status rc = engine_pool_info(s->engine, s->account, r->pool, &info);

    (void)rsp;
    if (rc)
        return rc;
    return data_copy_out(s->link, &r->u.info.data, &info) ? TMEMIF_OK : TMEMIF_BAD_GRANT;
}

/* In pages copied. The first takes the lock of every shard, the second may look at 64 pages. */
#define POOL_COST  16u
#define FLUSH_COST 8u

enum {
    CHANGES_POOLS = 1,
    MAY_WAIT = 2, /* BUSY is no answer but a reason to come again */
    TOGETHER = 4, /* several at a time, by page_gets() */
};

static const struct {
    enum tmemif_status (*run)(const struct sender *s, const struct tmemif_request *r,
                              struct tmemif_response *rsp); /* NULL: TOGETHER */
    unsigned traits;
    unsigned cost;
    enum tmemif_status without_account; /* answer to a sender that has none */
} ops[] = {
    [TMEMIF_OP_NOP] = {nop, 0, 1, TMEMIF_OK},
    [TMEMIF_OP_POOL_CREATE] = {pool_create, CHANGES_POOLS | MAY_WAIT, POOL_COST,
                               TMEMIF_NOT_ALLOWED},
    [TMEMIF_OP_POOL_JOIN] = {pool_join, CHANGES_POOLS | MAY_WAIT, POOL_COST, TMEMIF_NOT_ALLOWED},
    [TMEMIF_OP_POOL_LEAVE] = {pool_leave, CHANGES_POOLS, POOL_COST, TMEMIF_NO_POOL},
    [TMEMIF_OP_POOL_DESTROY] = {pool_destroy, CHANGES_POOLS, POOL_COST, TMEMIF_NO_POOL},
    [TMEMIF_OP_POOL_INFO] = {pool_info, 0, POOL_COST, TMEMIF_NO_POOL},
    [TMEMIF_OP_RESET] = {reset, CHANGES_POOLS, POOL_COST, TMEMIF_OK},
    [TMEMIF_OP_PAGE_PUT] = {page_put, 0, 1, TMEMIF_NO_POOL},
    [TMEMIF_OP_PAGE_GET] = {NULL, TOGETHER, 1, TMEMIF_NO_POOL},
    [TMEMIF_OP_PAGE_FLUSH] = {page_flush, 0, 1, TMEMIF_NO_POOL},
    [TMEMIF_OP_OBJECT_FLUSH] = {range_flush, MAY_WAIT, FLUSH_COST, TMEMIF_NO_POOL},
    [TMEMIF_OP_RANGE_FLUSH] = {range_flush, MAY_WAIT, FLUSH_COST, TMEMIF_NO_POOL},
};

unsigned dispatch_cost(unsigned op)
{
    return ops[op].cost;
}

static enum tmemif_status run_pools(const struct sender *s, const struct tmemif_request *r,
                                    struct tmemif_response *rsp)
{
    enum tmemif_status rc;

    lock_take(s->pools_lock);
    record_begin_pools(s->record, r->op, r->pool, engine_account_pools(s->engine, s->account));
    rc = ops[r->op].run(s, r, rsp);
    if (rc == TMEMIF_BUSY) /* which is no answer: it will run again */
        record_put_off_pools(s->record);
    else
        record_finish(s->record, rc, rsp->value);
    lock_drop(s->pools_lock);
    return rc;
}

unsigned dispatch_requests(const struct sender *s, const struct tmemif_request *requests,
                           unsigned nr, struct tmemif_response *rsps_out)
{
    const struct tmemif_request *request = &requests[0];
    unsigned traits = ops[request->op].traits;
    struct tmemif_response rsp = {0};
    enum tmemif_status rc;

    if (s->account == LAYOUT_NONE)
        rc = ops[request->op].without_account;
    else if (traits & TOGETHER)
        return page_gets(s, requests, nr, rsps_out);
    else if (traits & CHANGES_POOLS)
        rc = run_pools(s, request, &rsp);
    else
        rc = ops[request->op].run(s, request, &rsp);

    if (rc == TMEMIF_BUSY && (traits & MAY_WAIT))
        return 0;
    rsp.status = (uint16_t)rc;
    *rsps_out = rsp;
    return 1;
}
