/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/open.h"

#include <stdlib.h>

#include "daemon/session/record.h"
#include "daemon/session/serve.h"
#include "daemon/util/bug.h"
#include "daemon/util/clock.h"

static struct session *session_alloc(const struct session_config *config,
                                     struct attention *attention, struct link *link)
{
    struct session *s = calloc(1, sizeof(*s) + link->nr_rings * sizeof(s->rings[0]));

    if (!s)
        return NULL;
    s->link = link;
    s->engine = config->engine;
    s->account = LAYOUT_NONE;
    s->attention = attention;
    s->limits = (struct tmem_limits){
        .data_bytes = link->data_bytes,
        .grant_copy = link->ops->copy_from_grant != NULL,
        .privileged = link->privileged,
    };
    s->nr_rings = link->nr_rings;
    for (unsigned i = 0; i < s->nr_rings; i++) {
        s->rings[i].ring.ops = &serve_ring_ops;
        s->rings[i].ring.owner_id = (struct owner_id){link->peer.kind, link->peer.id};
        s->rings[i].ring.wait_fd = link->rings[i].wait_fd;
        s->rings[i].ring.apart = link->apart;
        s->rings[i].session = s;
        s->rings[i].number = i;
    }
    return s;
}

void session_free(struct session *s)
{
    for (unsigned i = 0; i < s->nr_rings; i++)
        free(s->rings[i].call);
    free(s);
}

void session_abandon(struct session *s)
{
    if (!s->link->resume) {
        for (unsigned i = 0; i < s->nr_rings; i++)
            record_close(s->rings[i].record);
    }
    session_free(s);
}

static bool make_calls(struct session *s)
{
    if (!s->limits.privileged)
        return true;
    for (unsigned i = 0; i < s->nr_rings; i++) {
        s->rings[i].call = calloc(1, sizeof(struct control_call));
        if (!s->rings[i].call)
            return false;
    }
    return true;
}

/* Users of this machine make attachments at will; what those hold leaves guests half the table. */
#define MAX_LOCAL_ACCOUNTS (LAYOUT_MAX_ACCOUNTS / 2)

static bool has_room_for(struct engine *e, const struct account_key *key)
{
    struct account_key found;
    account_nr account;
    uint32_t cursor = 0;
    unsigned nr = 0;

    if (key->kind != ACCOUNT_LOCAL)
        return true;
    while (engine_account_next(e, &cursor, &account, &found)) {
        if (account_key_is(&found, key))
            return true;
        nr += found.kind == ACCOUNT_LOCAL;
    }
    return nr < MAX_LOCAL_ACCOUNTS;
}

static enum tmemif_status open_account(const struct session_config *config, struct session *s,
                                       const char **why_out)
{
    const struct account_key *key = &s->link->peer;
    enum tmemif_status rc;

    if (key->device == SESSION_NO_ACCOUNT)
        return TMEMIF_OK;
    if (!has_room_for(s->engine, key)) {
        *why_out = "local clients hold as many attachments as they may together";
        return TMEMIF_TOO_MANY;
    }
    rc = engine_account_open(s->engine, key, &s->account);
    if (rc) {
        *why_out = "all accounts are in use";
        return rc;
    }
    config->control->account_opened(config->control_arg, s->account, key);
    return TMEMIF_OK;
}

/* New rings: whatever a record of an earlier session says is over. */
static enum tmemif_status begin_ring(struct store *store, struct session_ring *r, uint64_t session,
                                     const char **why_out)
{
    if (r->session->account == LAYOUT_NONE)
        return TMEMIF_OK;
    r->record = record_open(store, r->session->account, r->number, session);
    if (!r->record) {
        *why_out = "all ring records are in use";
        return TMEMIF_TOO_MANY;
    }
    return TMEMIF_OK;
}

/* Rings that were in use with an earlier daemon go on where their record stands, or not at all. */
static enum tmemif_status resume_ring(struct store *store, struct session_ring *r, uint64_t session,
                                      uint32_t rsp_prod, uint32_t *number_out, const char **why_out)
{
    struct session *s = r->session;

    if (s->account != LAYOUT_NONE)
        r->record = record_find(store, s->account, r->number);
    if (!r->record) {
        *why_out = "there is no record of these rings: make new ones";
        return TMEMIF_NOT_FOUND;
    }
    if (!record_resume_at(r->record, session, rsp_prod, number_out, &r->replay)) {
        *why_out = "the record is of other rings: make new ones";
        return TMEMIF_NOT_FOUND;
    }
    if (r->replay)
        record_resolve_pools(r->record, engine_account_pools(s->engine, s->account));
    return TMEMIF_OK;
}

static enum tmemif_status open_ring(struct store *store, struct session_ring *r,
                                    const char **why_out)
{
    const struct link *link = r->session->link;
    const struct link_ring *lr = &link->rings[r->number];
    struct tmemif_ring *shared = lr->pages;
    uint64_t session = __atomic_load_n(&shared->front_session, __ATOMIC_RELAXED);
    uint32_t number = 0;
    enum tmemif_status rc;
    bool bad;

    if (link->resume)
        rc = resume_ring(store, r, session, ring_read_once(&shared->rsp_prod), &number, why_out);
    else
        rc = begin_ring(store, r, session, why_out);
    if (rc)
        return rc;

    ring_back_init(&r->back, lr->pages, lr->order, number);
    ring_back_ready(&r->back, &bad);
    if (bad) {
        *why_out = "ring index out of range";
        return TMEMIF_BAD_REQUEST;
    }
    ring_publish(&shared->back_epoch, store_super(store)->incarnation);
    return TMEMIF_OK;
}

static enum tmemif_status open_rings(struct store *store, struct session *s, const char **why_out)
{
    enum tmemif_status rc = TMEMIF_OK;

    for (unsigned i = 0; i < s->nr_rings && rc == TMEMIF_OK; i++)
        rc = open_ring(store, &s->rings[i], why_out);
    return rc;
}

static enum tmemif_status check_link(const struct link *link, const char **why_out)
{
    BUG_UNLESS(link->nr_rings >= 1 && link->nr_rings <= TMEMIF_MAX_RINGS);

    if (link->fence_ms > 0 && link->fence_ms < SESSION_FENCE_MIN_MS) {
        *why_out = "the fence time is too short";
        return TMEMIF_BAD_REQUEST;
    }
    return TMEMIF_OK;
}

enum tmemif_status session_open(const struct session_config *config, struct attention *attention,
                                struct link *link, struct session **session_out,
                                const char **why_out)
{
    enum tmemif_status rc = check_link(link, why_out);
    struct session *s;

    if (rc)
        return rc;
    *why_out = "out of memory";
    s = session_alloc(config, attention, link);
    if (!s)
        return TMEMIF_TOO_MANY;

    rc = make_calls(s) ? TMEMIF_OK : TMEMIF_TOO_MANY;
    if (!rc)
        rc = open_account(config, s, why_out);
    if (!rc)
        rc = open_rings(config->store, s, why_out);
    if (rc) {
        session_abandon(s);
        return rc;
    }
    heartbeat_start(&s->heartbeat, link->fence_ms, session_beat(s), clock_boot_ms());
    *session_out = s;
    return TMEMIF_OK;
}
