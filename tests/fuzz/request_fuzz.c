/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as requests: decoded, and what is accepted is run on an engine.
 *
 *   input   step | step | ...      step = account (1) | request slot (64)
 *
 * Required after each step: a refused request leaves no trace; an accepted one
 * has every field in its documented range; a get never gives anything but the
 * page of the last accepted put of that handle (C5, C13 - C15), though it may
 * miss in an ephemeral pool. At the end the engine's own check.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine.h"
#include "protocol/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_ACCOUNTS 3u /* 0 may fill the shared pools, 1 may read them, 2 neither */
#define NR_FRAMES   16u
#define MAX_STEPS   256u
#define DATA_BYTES  (64u * TMEMIF_PAGE_SIZE)

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- what decoding promises, said once more in other words ---- */

static void data_is_in_range(const struct tmemif_data *d, const struct tmem_limits *l, uint64_t len)
{
    require(d->reserved == 0 && d->length == len);
    if (d->kind == TMEMIF_DATA_AREA) {
        require(d->ref == 0 && d->offset <= l->data_bytes && l->data_bytes - d->offset >= len);
    } else {
        require(d->kind == TMEMIF_DATA_GRANT && l->grant_copy);
        require(d->offset <= TMEMIF_PAGE_SIZE && TMEMIF_PAGE_SIZE - d->offset >= len);
    }
}

static void area_is_in_range(const struct tmemif_data *d, const struct tmem_limits *l, uint64_t len)
{
    data_is_in_range(d, l, len);
    require(d->kind == TMEMIF_DATA_AREA && d->offset % 8 == 0);
}

static void rest_is_zero(const struct tmemif_request *r, size_t from)
{
    for (size_t i = from; i < sizeof(*r); i++)
        require(((const uint8_t *)r)[i] == 0);
}

static void pool_is_in_range(const struct tmemif_request *r)
{
    static const uint8_t none[TMEMIF_UUID_LEN];
    const struct tmemif_pool *p = &r->u.pool;
    bool join = r->op == TMEMIF_OP_POOL_JOIN;

    require(r->pool == 0 && p->flags <= 0xf);
    require(join == ((p->flags & TMEMIF_POOL_SHARED) != 0));
    require(join == (memcmp(p->uuid, none, sizeof(none)) != 0));
    if (p->flags & TMEMIF_POOL_INCLUSIVE)
        require(!(p->flags & (TMEMIF_POOL_PERSISTENT | TMEMIF_POOL_SHARED)));
    rest_is_zero(r, offsetof(struct tmemif_request, u.pool.reserved0));
}

static void page_is_in_range(const struct tmemif_request *r, const struct tmem_limits *l)
{
    const struct tmemif_page *p = &r->u.page;

    if (r->op != TMEMIF_OP_PAGE_PUT || r->flags == 0)
        require(p->lease.epoch == 0 && p->lease.object == 0 && p->lease.handle == 0);
    if (r->op == TMEMIF_OP_PAGE_FLUSH)
        rest_is_zero(r, offsetof(struct tmemif_request, u.page.lease));
    else
        data_is_in_range(&p->data, l, TMEMIF_PAGE_SIZE);
}

static void request_is_in_range(const struct tmemif_request *r, const struct tmem_limits *l)
{
    require(strcmp(tmem_op_name(r->op), "unknown") != 0);
    require(r->pool < TMEMIF_MAX_POOLS);
    require(r->flags == 0 ||
            (r->flags == 1 && (r->op == TMEMIF_OP_PAGE_PUT || r->op == TMEMIF_OP_PAGE_GET)));
    switch (r->op) {
    case TMEMIF_OP_NOP:
    case TMEMIF_OP_RESET:
        rest_is_zero(r, 4);
        break;
    case TMEMIF_OP_POOL_LEAVE:
    case TMEMIF_OP_POOL_DESTROY:
        rest_is_zero(r, 8);
        break;
    case TMEMIF_OP_POOL_CREATE:
    case TMEMIF_OP_POOL_JOIN:
        pool_is_in_range(r);
        break;
    case TMEMIF_OP_POOL_INFO:
        area_is_in_range(&r->u.info.data, l, sizeof(struct tmemif_pool_info));
        rest_is_zero(r, offsetof(struct tmemif_request, u.info.reserved));
        break;
    case TMEMIF_OP_PAGE_PUT:
    case TMEMIF_OP_PAGE_GET:
    case TMEMIF_OP_PAGE_FLUSH:
        page_is_in_range(r, l);
        break;
    case TMEMIF_OP_OBJECT_FLUSH:
        require(r->u.range.first == 0 && r->u.range.last == TMEMIF_INDEX_MAX);
        rest_is_zero(r, offsetof(struct tmemif_request, u.range.reserved));
        break;
    case TMEMIF_OP_RANGE_FLUSH:
        require(r->u.range.first <= r->u.range.last);
        rest_is_zero(r, offsetof(struct tmemif_request, u.range.reserved));
        break;
    case TMEMIF_OP_BATCH:
        require(r->pool == 0 && r->u.batch.count >= 1 && r->u.batch.count <= TMEMIF_MAX_BATCH);
        area_is_in_range(&r->u.batch.requests, l, r->u.batch.count * 64ull);
        area_is_in_range(&r->u.batch.responses, l, r->u.batch.count * 32ull);
        rest_is_zero(r, offsetof(struct tmemif_request, u.batch.reserved0));
        break;
    case TMEMIF_OP_CONTROL:
        require(l->privileged && r->pool == 0);
        require(r->u.control.message.length <= 65536 && r->u.control.reply.length <= 65536);
        area_is_in_range(&r->u.control.message, l, r->u.control.message.length);
        area_is_in_range(&r->u.control.reply, l, r->u.control.reply.length);
        rest_is_zero(r, offsetof(struct tmemif_request, u.control.reserved));
        break;
    default:
        abort();
    }
}

/* ---- what the engine promises ---- */

/* The last accepted put of a handle in a private pool; flushed ones are taken out. */
struct put_seen {
    unsigned account;
    uint32_t pool_id;
    uint64_t object[3];
    uint32_t index;
    uint32_t tag;
    bool persistent;
};

struct world {
    struct store *store;
    struct engine *engine;
    account_nr accounts[NR_ACCOUNTS];
    uint32_t kinds[NR_ACCOUNTS][TMEMIF_MAX_POOLS]; /* flags of private pools, or NO_PRIVATE */
    struct put_seen seen[MAX_STEPS];
    unsigned nr_seen;
    uint32_t tag;
};
#define NO_PRIVATE UINT32_MAX

static const uint8_t shared_uuid[TMEMIF_UUID_LEN] = {1};

static struct account_key key_of(unsigned account)
{
    return (struct account_key){.kind = ACCOUNT_LOCAL, .id = 1000 + account};
}

static void world_begin(struct world *w)
{
    static const struct store_config frames = {.nr_frames = NR_FRAMES, .nr_filled = NR_FRAMES};
    static const struct engine_config config = {.nr_workers = 1, .nr_shards = 1, .hash_seed = 1};
    static const struct policy policy = {.quota_pages = 6, .max_pages = 12, .weight = 256};
    const char *why;

    memset(w, 0, sizeof(*w));
    require(store_create(&frames, &w->store, &why));
    w->engine = engine_create(w->store, &config);
    require(w->engine != NULL);
    memset(w->kinds, 0xff, sizeof(w->kinds));
    for (unsigned i = 0; i < NR_ACCOUNTS; i++) {
        struct account_key key = key_of(i);

        require(engine_account_open(w->engine, &key, &w->accounts[i]) == TMEMIF_OK);
        engine_account_set_policy(w->engine, w->accounts[i], &policy);
        if (i < 2)
            engine_shared_allow(w->engine, shared_uuid, &key, i == 0 ? RIGHT_FILL : RIGHT_READ);
    }
    engine_shared_set_policy(w->engine, shared_uuid, &policy);
}

static void world_end(struct world *w, bool check)
{
    while (engine_reclaim(w->engine, 64))
        ;
    require(!check || engine_check(w->engine) == NULL);
    engine_destroy(w->engine);
    store_close(w->store);
}

static bool is_seen(const struct put_seen *s, unsigned account, const struct tmemif_request *r)
{
    return s->account == account && s->pool_id == r->pool &&
           memcmp(s->object, r->u.page.object, sizeof(s->object)) == 0;
}

/* Forget what the model knows of the pages of @r's object from @first to @last. */
static void forget(struct world *w, unsigned account, const struct tmemif_request *r,
                   uint32_t first, uint32_t last)
{
    for (unsigned i = 0; i < w->nr_seen; i++) {
        const struct put_seen *s = &w->seen[i];

        if (is_seen(s, account, r) && s->index >= first && s->index <= last)
            w->seen[i--] = w->seen[--w->nr_seen];
    }
}

static void forget_pool(struct world *w, unsigned account, uint32_t pool_id)
{
    for (unsigned i = 0; i < w->nr_seen; i++) {
        if (w->seen[i].account == account && w->seen[i].pool_id == pool_id)
            w->seen[i--] = w->seen[--w->nr_seen];
    }
    w->kinds[account][pool_id] = NO_PRIVATE;
}

static const struct put_seen *find_seen(const struct world *w, unsigned account,
                                        const struct tmemif_request *r)
{
    for (unsigned i = 0; i < w->nr_seen; i++) {
        if (is_seen(&w->seen[i], account, r) && w->seen[i].index == r->u.page.index)
            return &w->seen[i];
    }
    return NULL;
}

static struct page_op op_of(struct world *w, unsigned account, const struct tmemif_request *r)
{
    struct page_op op = {
        .account = w->accounts[account],
        .pool_id = r->pool,
        .index = r->u.page.index,
        .lease = r->op == TMEMIF_OP_PAGE_PUT && r->flags ? &r->u.page.lease : NULL,
    };

    memcpy(op.object, r->u.page.object, sizeof(op.object));
    return op;
}

static void run_put(struct world *w, unsigned account, const struct tmemif_request *r)
{
    struct page_op op = op_of(w, account, r);
    uint32_t tag = ++w->tag;
    struct engine_put put;
    enum tmemif_status rc;
    void *frame;

    rc = engine_put_begin(w->engine, &op, &put, &frame);
    if (rc == TMEMIF_OK) {
        memset(frame, 0, TMEMIF_PAGE_SIZE);
        for (unsigned i = 0; i < (tag % 2 ? TMEMIF_PAGE_SIZE : 64); i += 4) /* filled, or not */
            memcpy((uint8_t *)frame + i, &tag, 4);
        rc = tag % 7 == 0 ? engine_put_abort(w->engine, &put, TMEMIF_BAD_GRANT)
                          : engine_put_commit(w->engine, &put);
    }
    if (w->kinds[account][r->pool] == NO_PRIVATE)
        return;
    if (rc < TMEMIF_NOT_ALLOWED) /* C6: the older page is gone, whatever happened to the new */
        forget(w, account, r, op.index, op.index);
    if (rc == TMEMIF_OK) {
        struct put_seen *s = &w->seen[w->nr_seen++];

        *s = (struct put_seen){.account = account,
                               .pool_id = r->pool,
                               .index = op.index,
                               .tag = tag,
                               .persistent = w->kinds[account][r->pool] & TMEMIF_POOL_PERSISTENT};
        memcpy(s->object, op.object, sizeof(s->object));
    }
}

static void run_get(struct world *w, unsigned account, const struct tmemif_request *r)
{
    struct page_op op = op_of(w, account, r);
    uint32_t kind = w->kinds[account][r->pool];
    const struct put_seen *seen = find_seen(w, account, r);
    struct engine_get get;
    struct tmemif_lease lease;
    bool leased = false;
    uint32_t filled;
    const void *frame;
    enum tmemif_status rc;

    rc = engine_get_begin(w->engine, &op, &get, &frame, &filled, r->flags ? &lease : NULL, &leased);
    if (rc == TMEMIF_OK) {
        uint32_t tag = filled;

        if (frame)
            memcpy(&tag, frame, 4);
        engine_get_end(w->engine, &get, true);
        require(kind == NO_PRIVATE || (seen && seen->tag == tag));
        if (kind != NO_PRIVATE && !(kind & (TMEMIF_POOL_PERSISTENT | TMEMIF_POOL_INCLUSIVE)))
            forget(w, account, r, op.index, op.index); /* C9 */
    } else if (rc == TMEMIF_MISS && kind != NO_PRIVATE) {
        require(!seen || !seen->persistent);       /* C3 */
        forget(w, account, r, op.index, op.index); /* C8 */
    }
    require(!leased || rc == TMEMIF_MISS);
}

static void run_flush(struct world *w, unsigned account, const struct tmemif_request *r)
{
    struct page_op op = op_of(w, account, r);
    uint32_t first = r->u.page.index, last = first;
    enum tmemif_status rc;

    if (r->op == TMEMIF_OP_PAGE_FLUSH) {
        rc = engine_flush_page(w->engine, &op);
    } else {
        first = r->u.range.first;
        last = r->u.range.last;
        while ((rc = engine_flush_range(w->engine, &op, first, last)) == TMEMIF_BUSY)
            engine_reclaim(w->engine, 64);
    }
    if (w->kinds[account][r->pool] != NO_PRIVATE) {
        require(rc == TMEMIF_OK); /* C16 */
        forget(w, account, r, first, last);
    }
}

static void run_pool(struct world *w, unsigned account, const struct tmemif_request *r)
{
    struct tmemif_pool_info info;
    account_nr nr = w->accounts[account];
    uint32_t id = TMEMIF_MAX_POOLS;

    switch (r->op) {
    case TMEMIF_OP_POOL_CREATE:
        if (engine_pool_create(w->engine, nr, r->u.pool.flags, &id) == TMEMIF_OK) {
            require(id < TMEMIF_MAX_POOLS && w->kinds[account][id] == NO_PRIVATE);
            w->kinds[account][id] = r->u.pool.flags;
        }
        break;
    case TMEMIF_OP_POOL_JOIN:
        if (engine_pool_join(w->engine, nr, r->u.pool.uuid, r->u.pool.flags, &id) == TMEMIF_OK) {
            require(account < 2 && id < TMEMIF_MAX_POOLS); /* C26 */
            require(w->kinds[account][id] == NO_PRIVATE);
        }
        break;
    case TMEMIF_OP_POOL_LEAVE:
        require(engine_pool_leave(w->engine, nr, r->pool) != TMEMIF_OK ||
                w->kinds[account][r->pool] == NO_PRIVATE);
        break;
    case TMEMIF_OP_POOL_DESTROY:
        if (engine_pool_destroy(w->engine, nr, r->pool) == TMEMIF_OK)
            forget_pool(w, account, r->pool);
        break;
    case TMEMIF_OP_RESET:
        engine_account_reset(w->engine, nr);
        for (id = 0; id < TMEMIF_MAX_POOLS; id++)
            forget_pool(w, account, id);
        break;
    case TMEMIF_OP_POOL_INFO:
        if (engine_pool_info(w->engine, nr, r->pool, &info) == TMEMIF_OK)
            require(w->kinds[account][r->pool] == NO_PRIVATE ||
                    info.flags == w->kinds[account][r->pool]);
        break;
    default:
        break;
    }
}

static void run(struct world *w, unsigned account, const struct tmemif_request *r)
{
    switch (r->op) {
    case TMEMIF_OP_PAGE_PUT:
        run_put(w, account, r);
        break;
    case TMEMIF_OP_PAGE_GET:
        run_get(w, account, r);
        break;
    case TMEMIF_OP_PAGE_FLUSH:
    case TMEMIF_OP_OBJECT_FLUSH:
    case TMEMIF_OP_RANGE_FLUSH:
        run_flush(w, account, r);
        break;
    default:
        run_pool(w, account, r);
    }
}

static void step(struct world *w, const uint8_t *data)
{
    struct tmem_limits limits = {
        .data_bytes = DATA_BYTES, .grant_copy = data[0] & 0x40, .privileged = data[0] & 0x80};
    struct tmemif_request untrusted, request, before;

    memcpy(&untrusted, data + 1, sizeof(untrusted));
    memset(&request, 0xa5, sizeof(request));
    before = request;
    if (tmem_request_decode(&untrusted, &limits, &request) != TMEMIF_OK) {
        require(memcmp(&request, &before, sizeof(request)) == 0);
        require(tmem_batch_element_decode(&untrusted, &limits, &request) != TMEMIF_OK);
        return;
    }
    require(memcmp(&request, &untrusted, sizeof(request)) == 0);
    request_is_in_range(&request, &limits);
    if (tmem_batch_element_decode(&untrusted, &limits, &before) == TMEMIF_OK)
        require(request.op >= 32 && request.op <= 36);
    run(w, (data[0] & 0x3f) % NR_ACCOUNTS, &request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + data[i]);
    world_begin(&w);
    for (unsigned n = 0; n < MAX_STEPS && size >= 65; n++, data += 65, size -= 65)
        step(&w, data);
    /* the engine's check costs ten times the rest: some inputs get it, always the same ones */
    world_end(&w, sum % 16 == 0);
    return 0;
}
