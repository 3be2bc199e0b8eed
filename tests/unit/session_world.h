/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session_world.h - one session with one ring, and of the daemon what it needs: a test stands in
 * the place of its worker and of its transport.
 */
#ifndef TESTS_UNIT_SESSION_WORLD_H
#define TESTS_UNIT_SESSION_WORLD_H

#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/session/open.h"
#include "daemon/session/record.h"
#include "daemon/session/serve.h"
#include "daemon/util/processor.h"

struct session_world {
    struct store *store;
    struct engine *engine;
    struct link link;
    struct attention attention;
    struct session *session;
    unsigned nr_notified; /* times that the peer was */
    uint32_t notified_of; /* rsp_prod at the last of them */
    uint32_t rearm;       /* set rsp_event to that then; 0: no */
};

static inline void session_world_notify(struct link *link, unsigned ring)
{
    struct session_world *w = (void *)((char *)link - offsetof(struct session_world, link));

    w->nr_notified++;
    w->notified_of = w->session->rings[ring].back.rsp_prod;
    if (w->rearm)
        ring_publish(&w->session->rings[ring].back.view.shared->rsp_event, w->rearm);
}

static inline int session_world_consume(struct link *link, unsigned ring)
{
    (void)link, (void)ring;
    return PROCESSOR_UNKNOWN;
}

static inline void session_world_fail(struct link *link, const char *reason)
{
    (void)link, (void)reason;
}

static inline void session_world_end(struct link *link)
{
    (void)link;
}

static inline enum tmemif_status
session_world_message(void *arg, const struct control_caller *caller, const void *message,
                      uint32_t length, void *reply, uint32_t reply_cap, uint32_t *length_out)
{
    (void)arg, (void)caller, (void)message, (void)length, (void)reply, (void)reply_cap;
    *length_out = 0;
    return TMEMIF_BAD_OP;
}

static inline void session_world_quota(void *arg, account_nr account, const struct account_key *key)
{
    const struct policy policy = {.quota_pages = 100, .max_pages = 100, .weight = 1};

    (void)key;
    engine_account_set_policy(arg, account, &policy);
}

static inline void session_world_ended(void *arg, const void *session)
{
    (void)arg, (void)session;
}

/*
 * Over a ring of one page and a data area, with the store, which it closes in the end. @resume:
 * they were in use with an earlier one.
 */
static inline bool session_world_open(struct session_world *w, struct store *store, uint8_t *ring,
                                      uint8_t *data, uint64_t data_bytes, bool resume)
{
    static const struct link_ops link_ops = {.notify = session_world_notify,
                                             .consume = session_world_consume,
                                             .fail = session_world_fail,
                                             .close = session_world_end};
    static const struct control_ops control = {.handle = session_world_message,
                                               .account_opened = session_world_quota,
                                               .session_ended = session_world_ended};
    const struct engine_config engine_config = {.nr_workers = 1, .nr_shards = 1, .hash_seed = 7};
    struct session_config config = {.store = store, .nr_workers = 1, .control = &control};
    const char *why;

    memset(w, 0, sizeof(*w));
    w->store = store;
    atomic_init(&w->attention.fence_by_ms, HEARTBEAT_NEVER);
    w->attention.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->engine = engine_create(store, &engine_config);
    if (!w->engine)
        return false;
    config.engine = config.control_arg = w->engine;
    w->link = (struct link){.ops = &link_ops,
                            .peer = {.kind = ACCOUNT_LOCAL, .id = 1},
                            .resume = resume,
                            .nr_rings = 1,
                            .data = data,
                            .data_bytes = data_bytes};
    w->link.rings[0] = (struct link_ring){.pages = ring, .wait_fd = -1};
    return session_open(&config, &w->attention, &w->link, &w->session, &why) == TMEMIF_OK;
}

static inline void session_world_close(struct session_world *w)
{
    if (w->session)
        session_free(w->session);
    if (w->engine)
        engine_destroy(w->engine);
    store_close(w->store);
    close(w->attention.fd);
}

#endif /* TESTS_UNIT_SESSION_WORLD_H */
