/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/conformance/engine_harness.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/engine.h"
#include "daemon/session/dispatch.h"
#include "tests/conformance/page.h"

#define ENGINE_FRAMES 512u

/* One thread of a guest. */
struct engine_port {
    struct port port;
    struct engine *engine;
    account_nr account;
    unsigned worker;
    struct port *sibling; /* the second thread's */
};

struct engine_guest {
    struct engine_port ports[2];
    struct port *entry; /* ports[0], or what was put before it */
    struct call call;   /* under way in @thread */
    pthread_t thread;
};

struct engine_world {
    struct store *store;
    struct engine *engine;
    struct engine_guest guests[NR_GUESTS];
};

static struct engine_port *port_of(struct port *p)
{
    return (struct engine_port *)p; /* its first member */
}

static int port_create(struct port *p, uint32_t flags, uint32_t *pool_out)
{
    return (int)engine_pool_create(port_of(p)->engine, port_of(p)->account, flags, pool_out);
}

static int port_join(struct port *p, const uint8_t *uuid, uint32_t flags, uint32_t *pool_out)
{
    return (int)engine_pool_join(port_of(p)->engine, port_of(p)->account, uuid,
                                 flags | TMEMIF_POOL_SHARED, pool_out);
}

static int port_leave(struct port *p, uint32_t pool)
{
    return (int)engine_pool_leave(port_of(p)->engine, port_of(p)->account, pool);
}

static int port_destroy(struct port *p, uint32_t pool)
{
    return (int)engine_pool_destroy(port_of(p)->engine, port_of(p)->account, pool);
}

static int port_reset(struct port *p)
{
    engine_account_reset(port_of(p)->engine, port_of(p)->account);
    return TMEMIF_OK;
}

static int port_info(struct port *p, uint32_t pool, struct tmemif_pool_info *info_out)
{
    return (int)engine_pool_info(port_of(p)->engine, port_of(p)->account, pool, info_out);
}

static struct page_op op_of(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index)
{
    struct page_op op = {.worker = port_of(p)->worker,
                         .account = port_of(p)->account,
                         .pool_id = pool,
                         .index = index};

    memcpy(op.object, object, sizeof(op.object));
    return op;
}

static int port_put(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                    const void *page, const struct tmemif_lease *lease, bool bad)
{
    struct engine *e = port_of(p)->engine;
    struct page_op op = op_of(p, pool, object, index);
    struct engine_put half;
    enum tmemif_status rc;
    void *frame;

    op.lease = lease;
    rc = engine_put_begin(e, &op, &half, &frame);
    if (rc != TMEMIF_OK)
        return (int)rc;
    if (bad)
        return (int)engine_put_abort(e, &half, TMEMIF_BAD_GRANT);
    memcpy(frame, page, TMEMIF_PAGE_SIZE);
    return (int)engine_put_commit(e, &half);
}

static int port_get(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index,
                    void *page_out, struct tmemif_lease *lease_out, bool *leased_out, bool bad)
{
    struct engine *e = port_of(p)->engine;
    struct page_op op = op_of(p, pool, object, index);
    struct engine_get half;
    enum tmemif_status rc;
    const void *frame;
    uint32_t filled;

    rc = engine_get_begin(e, &op, &half, &frame, &filled, lease_out, leased_out);
    if (rc != TMEMIF_OK)
        return (int)rc;
    for (unsigned i = 0; !bad && !frame && i < PAGE_WORDS; i++)
        memcpy((uint8_t *)page_out + 4 * i, &filled, 4);
    if (!bad && frame)
        memcpy(page_out, frame, TMEMIF_PAGE_SIZE);
    engine_get_end(e, &half, !bad);
    return bad ? TMEMIF_BAD_GRANT : TMEMIF_OK;
}

static int port_flush(struct port *p, uint32_t pool, const uint64_t *object, uint32_t index)
{
    struct page_op op = op_of(p, pool, object, index);

    return (int)engine_flush_page(port_of(p)->engine, &op);
}

static int port_flush_range(struct port *p, uint32_t pool, const uint64_t *object, uint32_t first,
                            uint32_t last, bool whole_object)
{
    struct page_op op = op_of(p, pool, object, 0);
    enum tmemif_status rc;

    (void)whole_object;
    while ((rc = engine_flush_range(port_of(p)->engine, &op, first, last)) == TMEMIF_BUSY)
        engine_reclaim(port_of(p)->engine, 64);
    return (int)rc;
}

/* ---- the session's code between a guest and the engine, with a link that counts ---- */

struct counting_link {
    struct link link;
    unsigned nr_in, nr_out;
    uint32_t guest_page[PAGE_WORDS];
};

static bool count_in(struct link *link, const struct tmemif_data *from, void *local)
{
    struct counting_link *c = (struct counting_link *)link;

    memcpy(local, (uint8_t *)c->guest_page + from->offset, from->length);
    page_make(c->guest_page, 999); /* who reads twice reads something else */
    c->nr_in++;
    return true;
}

static bool count_out(struct link *link, const struct tmemif_data *to, const void *local)
{
    struct counting_link *c = (struct counting_link *)link;

    memcpy((uint8_t *)c->guest_page + to->offset, local, to->length);
    c->nr_out++;
    return true;
}

static enum tmemif_status dispatch(struct port *p, struct counting_link *c, enum tmemif_op op,
                                   uint32_t pool, const uint64_t *object)
{
    struct lock pools_lock = {0};
    struct sender sender = {.engine = port_of(p)->engine,
                            .worker = port_of(p)->worker,
                            .link = &c->link,
                            .account = port_of(p)->account,
                            .pools_lock = &pools_lock};
    struct tmemif_request request = {.op = (uint16_t)op, .pool = pool};
    struct tmemif_response rsp = {.status = TMEMIF_BUSY};

    memcpy(request.u.page.object, object, sizeof(request.u.page.object));
    request.u.page.data =
        (struct tmemif_data){.kind = TMEMIF_DATA_GRANT, .ref = 1, .length = TMEMIF_PAGE_SIZE};
    c->nr_in = c->nr_out = 0;
    while (dispatch_requests(&sender, &request, 1, &rsp) == 0)
        engine_reclaim(sender.engine, 64);
    return rsp.status;
}

static int port_copies(struct port *p, uint32_t pool, const uint64_t *object)
{
    static const struct link_ops counting = {.copy_from_grant = count_in,
                                             .copy_to_grant = count_out};
    struct counting_link c = {.link.ops = &counting};
    int nr_wrong = 0;

    for (uint32_t tag = 40; tag < 44; tag++) { /* each shape of page: the same-filled one too */
        page_make(c.guest_page, tag);
        nr_wrong += dispatch(p, &c, TMEMIF_OP_PAGE_PUT, pool, object) != TMEMIF_OK;
        nr_wrong += c.nr_in != 1 || c.nr_out != 0;
        nr_wrong += dispatch(p, &c, TMEMIF_OP_PAGE_GET, pool, object) != TMEMIF_OK;
        nr_wrong += c.nr_in != 0 || c.nr_out != 1 || page_tag(c.guest_page) != tag;
        nr_wrong += dispatch(p, &c, TMEMIF_OP_PAGE_FLUSH, pool, object) != TMEMIF_OK;
        nr_wrong += dispatch(p, &c, TMEMIF_OP_PAGE_GET, pool, object) != TMEMIF_MISS;
        nr_wrong += c.nr_in != 0 || c.nr_out != 0; /* a miss writes nothing */
    }
    return nr_wrong;
}

static struct port *port_sibling(struct port *p)
{
    return port_of(p)->sibling;
}

static const struct port_ops port_ops = {
    .create = port_create,
    .join = port_join,
    .leave = port_leave,
    .destroy = port_destroy,
    .reset = port_reset,
    .info = port_info,
    .put = port_put,
    .get = port_get,
    .flush = port_flush,
    .flush_range = port_flush_range,
    .copies = port_copies,
    .sibling = port_sibling,
};

/* ---- guests ---- */

static struct engine_world *world(struct harness *h)
{
    return h->state;
}

static struct account_key key_of(unsigned guest)
{
    return (struct account_key){.kind = ACCOUNT_LOCAL, .id = 1000 + guest};
}

static bool open_guest(struct engine_world *w, unsigned guest)
{
    struct account_key key = key_of(guest);
    account_nr account;

    if (engine_account_open(w->engine, &key, &account) != TMEMIF_OK)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        w->guests[guest].ports[i] =
            (struct engine_port){.port.ops = &port_ops,
                                 .engine = w->engine,
                                 .account = account,
                                 .worker = 2 * guest + i,
                                 .sibling = &w->guests[guest].ports[1].port};
    }
    return true;
}

static void *run_call(void *arg)
{
    struct engine_guest *g = arg;

    guest_do(g->entry, &g->call);
    return NULL;
}

static void begin(struct harness *h, unsigned guest, const struct call *call)
{
    struct engine_guest *g = &world(h)->guests[guest];

    g->call = *call;
    if (pthread_create(&g->thread, NULL, run_call, g) != 0)
        abort();
}

static void end(struct harness *h, unsigned guest, struct call *call_out)
{
    struct engine_guest *g = &world(h)->guests[guest];

    pthread_join(g->thread, NULL);
    *call_out = g->call;
}

/* ---- the operator ---- */

static account_nr account_of(struct harness *h, unsigned guest)
{
    return world(h)->guests[guest].ports[0].account;
}

static bool set_policy(struct harness *h, unsigned guest, const struct policy *policy)
{
    engine_account_set_policy(world(h)->engine, account_of(h, guest), policy);
    return true;
}

static bool set_shared(struct harness *h, const uint8_t *uuid, const struct policy *policy)
{
    return engine_shared_set_policy(world(h)->engine, uuid, policy) == TMEMIF_OK;
}

static bool set_right(struct harness *h, const uint8_t *uuid, unsigned guest, enum pool_right right)
{
    struct account_key key = key_of(guest);

    return engine_shared_allow(world(h)->engine, uuid, &key, right) == TMEMIF_OK;
}

static bool set_frozen(struct harness *h, unsigned guest, bool frozen)
{
    engine_account_set_frozen(world(h)->engine, account_of(h, guest), frozen);
    return true;
}

static bool set_shared_frozen(struct harness *h, const uint8_t *uuid, bool frozen)
{
    return engine_shared_set_frozen(world(h)->engine, uuid, frozen) == TMEMIF_OK;
}

static bool remove_shared(struct harness *h, const uint8_t *uuid)
{
    return engine_shared_remove(world(h)->engine, uuid) == TMEMIF_OK;
}

static const char *check(struct harness *h)
{
    while (engine_reclaim(world(h)->engine, 1024))
        ;
    return engine_check(world(h)->engine);
}

static bool lose(struct harness *h, unsigned guest)
{
    engine_account_fence(world(h)->engine, account_of(h, guest));
    return true;
}

static bool die(struct harness *h, unsigned guest)
{
    struct policy policy = {
        .quota_pages = DEFAULT_QUOTA, .max_pages = PAGES_UNLIMITED, .weight = 256};

    engine_account_close(world(h)->engine, account_of(h, guest));
    return open_guest(world(h), guest) && set_policy(h, guest, &policy);
}

static const struct harness_ops ops = {
    .begin = begin,
    .end = end,
    .set_policy = set_policy,
    .set_shared = set_shared,
    .allow = set_right,
    .freeze = set_frozen,
    .freeze_shared = set_shared_frozen,
    .remove_shared = remove_shared,
    .check = check,
    .lose = lose,
    .die = die,
};

bool engine_harness_open(struct harness *h, struct port *(*wrap)(struct port *port, unsigned guest))
{
    static const struct store_config frames = {.nr_frames = ENGINE_FRAMES,
                                               .nr_filled = ENGINE_FRAMES};
    struct engine_config config = {
        .nr_workers = 2 * NR_GUESTS, .nr_shards = 4, .hash_seed = 0x5eed};
    struct engine_world *w = calloc(1, sizeof(*w));
    const char *why;

    if (!w || !store_create(&frames, &w->store, &why))
        return false;
    w->engine = engine_create(w->store, &config);
    if (!w->engine)
        return false;
    *h = (struct harness){.name = "in process",
                          .ops = &ops,
                          .can_fail_copy = true,
                          .counts_copies = true,
                          .nr_frames = ENGINE_FRAMES,
                          .state = w};
    for (unsigned g = 0; g < NR_GUESTS; g++) {
        if (!open_guest(w, g))
            return false;
        w->guests[g].entry = &w->guests[g].ports[0].port;
        if (wrap)
            w->guests[g].entry = wrap(w->guests[g].entry, g);
    }
    return true;
}

void engine_harness_close(struct harness *h)
{
    engine_destroy(world(h)->engine);
    store_close(world(h)->store);
    free(h->state);
}
