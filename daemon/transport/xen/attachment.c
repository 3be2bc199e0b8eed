/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/attachment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/node.h"
#include "daemon/util/bug.h"
#include "daemon/util/clock.h"
#include "daemon/util/wake.h"

/* Steps that one look may take: from new to serving and out again is three. */
#define STEPS_PER_LOOK 4u

static const struct backend_kind kind = {
    .name = "device",
    .folder = SCHEMA_IN_BACKEND,
    .state = SCHEMA_BACKEND_STATE,
    .online = SCHEMA_BACKEND_ONLINE,
    .error = SCHEMA_BACKEND_ERROR,
    .front_state = SCHEMA_FRONTEND_STATE,
    .front_backend = SCHEMA_FRONTEND_BACKEND,
};

/* ---- whose it is ---- */

/*
 * Does the policy name the guest that it was admitted as? NODE_FINE, and @is_anothers says that it
 * does not; anything else: that is not known.
 */
static enum node_result look_whose(struct attachment *a)
{
    struct account_key now = {0};
    enum node_result result = policies_read_key(a->world->policies, &a->backend.place, &now);

    if (result == NODE_FINE)
        a->is_anothers =
            a->key.kind == ACCOUNT_XEN && memcmp(now.uuid, a->key.uuid, sizeof(now.uuid)) != 0;
    return result;
}

/* Before anything is offered to it, in the transaction that does. */
static bool publish_offer(struct backend *b)
{
    struct attachment *a = (struct attachment *)b;
    const struct schema_offer *offer = &a->world->offer;
    char version[SCHEMA_NUMBER_LEN];

    if (a->admitted && look_whose(a) == NODE_FINE && a->is_anothers)
        return false;
    schema_format_number(version, TMEMIF_VERSION_1);
    backend_publish(&a->backend, SCHEMA_BACKEND_VERSIONS, version);
    backend_publish_number(&a->backend, SCHEMA_BACKEND_MAX_RINGS, offer->max_rings);
    backend_publish_number(&a->backend, SCHEMA_BACKEND_MAX_ORDER, offer->max_order);
    backend_publish_number(&a->backend, SCHEMA_BACKEND_MAX_DATA, offer->max_data_pages);
    backend_publish_number(&a->backend, SCHEMA_BACKEND_GRANT_COPY, 1);
    backend_publish_number(&a->backend, SCHEMA_BACKEND_FENCE_MIN, offer->fence_ms_min);
    backend_publish_number(&a->backend, SCHEMA_BACKEND_EPOCH, a->world->epoch);
    /* that of an offer which was refused; `xentmem attach' would take it for the answer to this */
    if (a->admitted && b->published == XENBUS_INITIALISING)
        backend_say_error(&a->backend, NULL);
    return a->backend.refused == 0;
}

/* ---- the session ---- */

static bool apply(struct attachment *a, enum schema_back_event event, const char *why);

static void link_close(struct link *link)
{
    struct xen_peer *peer = (struct xen_peer *)link;
    struct attachment *a = peer->owner;

    a->peer = NULL;
    xen_peer_close(peer);
}

/* From outside a turn: what could not be written would wait for one. */
static void link_fail(struct link *link, const char *reason)
{
    struct attachment *a = ((struct xen_peer *)link)->owner;

    (void)apply(a, SCHEMA_PEER_BROKEN, reason);
    if (backend_look_for_debts(&a->backend, clock_now_ms()))
        wake(a->world->left_fd);
}

static const struct link_ops link_ops = {
    .notify = xen_peer_notify,
    .consume = xen_peer_consume,
    .copy_from_grant = xen_peer_copy_from_grant,
    .copy_to_grant = xen_peer_copy_to_grant,
    .fail = link_fail,
    .close = link_close,
};

/*
 * Whatever ended it, and whichever news came first: a frontend that has said good-bye in its
 * ring has left of its own will.
 */
static void end_session(struct attachment *a, const char *why)
{
    if (!a->peer)
        return;
    a->world->was_long = true;
    sessions_detach(a->world->sessions, &a->peer->link,
                    xen_peer_has_left(a->peer) ? SESSION_CLOSED : SESSION_LOST, why);
    BUG_UNLESS(!a->peer);
}

static enum backend_read read_front(struct attachment *a, struct schema_front *front_out,
                                    char why_out[SCHEMA_REASON_LEN])
{
    struct backend_reader source;
    struct schema_error error;
    bool ok;

    backend_reader_begin(&source, &a->backend);
    ok = schema_front_read(&source.reader, &a->world->offer, front_out, &error);
    return backend_reader_end(&source, ok, &error, why_out);
}

static bool serve(struct attachment *a, struct xen_peer *peer, char why_out[SCHEMA_REASON_LEN])
{
    const char *why = "";

    peer->owner = a;
    peer->left_fd = a->world->left_fd;
    peer->link.ops = &link_ops;
    peer->link.peer = a->key;
    peer->link.privileged = a->backend.place.guest == 0;
    if (sessions_attach(a->world->sessions, &peer->link, &why) == TMEMIF_OK) {
        a->peer = peer;
        return true;
    }
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    xen_peer_close(peer);
    return false;
}

/* Another guest with the same domid is attached here now: nothing is left for the one before. */
static void let_go(struct attachment *a)
{
    end_session(a, "its domain is another one now");
    sessions_forget(a->world->sessions, &a->key);
    policies_dismiss(a->world->policies, &a->key);
    a->key = (struct account_key){0};
    a->admitted = a->is_anothers = false;
}

/* Is it served, and as whose? False: xenstore does not say, and nothing has changed. */
static bool admit(struct attachment *a)
{
    if (look_whose(a) == NODE_UNKNOWN)
        return false;
    if (a->is_anothers)
        let_go(a);
    switch (policies_admit(a->world->policies, &a->backend.place, &a->key, a->refusal)) {
    case ADMITTED:
        a->world->sweep = a->world->sweep || !a->admitted;
        a->admitted = true;
        return true;
    case ADMISSION_REFUSED:
        a->admitted = false;
        return true;
    case ADMISSION_UNKNOWN:
        break;
    }
    return false;
}

/* What came of an attach. */
enum outcome {
    DONE,
    LATER,  /* xenstore does not say what has to be known */
    BROKEN, /* the frontend cannot be served, for a reason that is given */
};

/*
 * The frontend's nodes are read, and what they name is mapped: are they those of the guest that was
 * admitted? Another one's were written after the toolstack had written ours anew, which would be
 * seen now.
 */
static enum outcome check_whose(struct attachment *a, char why_out[SCHEMA_REASON_LEN])
{
    switch (look_whose(a)) {
    case NODE_FINE:
        break;
    case NODE_UNKNOWN:
        return LATER;
    default:
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "node uuid below xentmem/guest does not say whose it is any more");
        return BROKEN;
    }
    return !a->is_anothers && backend_is_as_seen(&a->backend) ? DONE : LATER;
}

static enum outcome connect(struct attachment *a, char why_out[SCHEMA_REASON_LEN])
{
    struct schema_front front;
    struct xen_peer *peer;
    enum outcome outcome;

    if (!a->admitted) {
        snprintf(why_out, SCHEMA_REASON_LEN, "%s", a->refusal);
        return BROKEN;
    }
    switch (read_front(a, &front, why_out)) {
    case BACKEND_READ:
        break;
    case BACKEND_READ_BAD:
        return BROKEN;
    case BACKEND_READ_UNSURE:
        return LATER;
    }
    if (!xen_peer_open(a->world->platform, a->backend.place.guest, &front, &peer, why_out))
        return BROKEN;
    outcome = check_whose(a, why_out);
    if (outcome != DONE) {
        xen_peer_close(peer);
        return outcome;
    }
    return serve(a, peer, why_out) ? DONE : BROKEN;
}

static bool publish_session(struct backend *b)
{
    backend_say_error(b, NULL);
    backend_publish_number(b, SCHEMA_BACKEND_EPOCH, ((struct attachment *)b)->world->epoch);
    return b->refused == 0;
}

static enum outcome attach(struct attachment *a, char why_out[SCHEMA_REASON_LEN])
{
    enum outcome outcome;

    a->world->may_map = false;
    a->world->was_long = true;
    outcome = connect(a, why_out);
    if (outcome != DONE)
        return outcome;
    (void)backend_owe_state_with(&a->backend, publish_session, XENBUS_CONNECTED);
    return DONE;
}

/* The attachment ends, and with it the pools. */
static void end(struct attachment *a, const char *why)
{
    end_session(a, why);
    a->is_anothers = false;
    if (!a->admitted) {
        a->world->sweep = true; /* it may have left an account when it was admitted */
        policies_dismiss(a->world->policies, &a->key);
        return;
    }
    sessions_forget(a->world->sessions, &a->key);
    policies_dismiss(a->world->policies, &a->key);
    a->admitted = false;
}

/* ---- the state machine ---- */

/* False: a limit of xenstored is in the way. */
static bool offer(struct attachment *a, const char *why)
{
    end_session(a, why);
    if (!a->admitted)
        backend_publish_error(&a->backend, a->refusal);
    (void)backend_publish_state_with(&a->backend, publish_offer, XENBUS_INIT_WAIT);
    if (!a->backend.refused)
        return true;
    /* who waits for it finds the reason, and an operator who raises the limit has it go on */
    backend_publish_refusal(&a->backend, "xenstore refuses the manager a node: in dom0, "
                                         "xenstore-control quota set nodes N");
    return false;
}

static void close_down(struct attachment *a, const char *why)
{
    end_session(a, why);
    backend_owe_state(&a->backend, XENBUS_CLOSING);
    backend_owe_state(&a->backend, XENBUS_CLOSED);
}

static void enter(struct attachment *a, enum schema_back_state next, const char *event)
{
    if (next != a->state)
        log_limited(a->world->log, &a->backend.log_limit, LOG_LEVEL_DEBUG, "state",
                    "dom=%u device=%u from=%s to=%s event=\"%s\"", a->backend.place.guest,
                    a->backend.place.device, schema_back_state_name(a->state),
                    schema_back_state_name(next), event);
    a->state = next;
}

/* It has attached, or is to be looked at again as what it was @before. */
static bool try_attach(struct attachment *a, enum schema_back_state before)
{
    char failure[SCHEMA_REASON_LEN];

    switch (attach(a, failure)) {
    case DONE:
        break;
    case LATER:
        enter(a, before, "not known yet");
        return false;
    case BROKEN:
        return apply(a, SCHEMA_PEER_BROKEN, failure);
    }
    return !xen_peer_is_gone(a->peer) || apply(a, SCHEMA_PEER_LEFT, "its process is gone");
}

/* False: it is to be looked at again, and its state is such that the same will be done then. */
static bool apply(struct attachment *a, enum schema_back_event event, const char *why)
{
    enum schema_back_state before = a->state;
    struct schema_back_step step = schema_back_step(before, event);

    if (step.next == SCHEMA_BACK_REFUSED)
        return true; /* such as the end of a process that is not attached */
    enter(a, step.next, schema_back_event_name(event));

    switch (step.action) {
    case SCHEMA_BACK_NOTHING:
        break;
    case SCHEMA_BACK_OFFER:
        if (offer(a, why))
            break;
        a->backend.is_new = false; /* others need not wait until there is room for it */
        enter(a, SCHEMA_BACK_NEW, "not offered");
        return false;
    case SCHEMA_BACK_ATTACH:
        return try_attach(a, before);
    case SCHEMA_BACK_CLOSE:
        close_down(a, why);
        break;
    case SCHEMA_BACK_DISOWN:
        backend_publish_error(&a->backend, why);
        close_down(a, "the manager has closed the session");
        break;
    case SCHEMA_BACK_END:
        end(a, why);
        if (event == SCHEMA_NODES_OFFLINE)
            backend_owe_state(&a->backend, XENBUS_CLOSED);
        break;
    }
    return true;
}

/* ---- looking ---- */

/* False: xenstore does not say whose it is now. */
static bool admit_anew(struct attachment *a)
{
    if (!admit(a))
        return false;
    if (!a->admitted) {
        end_session(a, "whose it is now is not known");
        a->world->sweep = true;
    }
    return true;
}

/* What has happened? False: xenstore does not say. */
static bool observe_front(struct attachment *a, enum schema_back_event *event_out,
                          const char **why_out)
{
    uint32_t state;
    bool gone;

    if (!backend_read_front(&a->backend, &state, &gone))
        return false;
    *event_out = gone ? SCHEMA_NODES_GONE : schema_back_event_of(state);
    if (gone)
        *why_out = "the guest is gone";
    else if (*event_out == SCHEMA_FRONT_ODD)
        *why_out = "node state of the frontend has no meaning here";
    else if (state == XENBUS_UNKNOWN)
        *why_out = "the frontend's state has vanished";
    else
        *why_out = "the frontend's state has changed";
    if (*event_out == SCHEMA_FRONT_READY && a->peer && xen_peer_is_gone(a->peer)) {
        *event_out = SCHEMA_PEER_LEFT;
        *why_out = "its process is gone";
    }
    return true;
}

static bool observe(struct attachment *a, enum schema_back_event *event_out, const char **why_out)
{
    switch (backend_look(&a->backend, a->state == SCHEMA_BACK_ENDED)) {
    case BACKEND_GONE:
        *event_out = SCHEMA_NODES_GONE;
        *why_out = "its nodes are gone";
        return true;
    case BACKEND_RENEWED:
        *event_out = SCHEMA_NODES_RENEWED;
        *why_out = "the toolstack has written its nodes anew";
        return true;
    case BACKEND_OFFLINE:
        *event_out = SCHEMA_NODES_OFFLINE;
        *why_out = "detached by the operator";
        return true;
    case BACKEND_ONLINE:
        if (!a->is_anothers)
            return observe_front(a, event_out, why_out);
        *event_out = SCHEMA_NODES_RENEWED;
        *why_out = "its policy names another guest";
        return true;
    case BACKEND_UNKNOWN:
        break;
    }
    return false;
}

enum progress {
    STEP_TAKEN,
    STEP_LATER,     /* it begins too often, or xenstore does not say */
    STEP_NEXT_TURN, /* mapping is not allowed in this turn */
};

static enum progress take_step(struct attachment *a, uint64_t now_ms)
{
    enum schema_back_event event;
    const char *why;

    if (!observe(a, &event, &why))
        return STEP_LATER;
    if (event == SCHEMA_NODES_RENEWED && !admit_anew(a))
        return STEP_LATER;
    switch (schema_back_step(a->state, event).action) {
    case SCHEMA_BACK_ATTACH:
        if (!a->world->may_map)
            return STEP_NEXT_TURN;
        if (!backend_may_attach(&a->backend, now_ms))
            return STEP_LATER;
        break;
    case SCHEMA_BACK_OFFER:
        if (event != SCHEMA_NODES_RENEWED && !backend_may_offer(&a->backend, now_ms))
            return STEP_LATER;
        break;
    default:
        break;
    }
    if (!apply(a, event, why))
        return STEP_LATER;
    if (event == SCHEMA_NODES_GONE)
        backend_remove_folder(&a->backend); /* the operator's nodes are not ours to tidy */
    return STEP_TAKEN;
}

/*
 * If there is no policy, whoever tries to attach is told. False: xenstore does not say; what was
 * said before stays.
 */
static bool look_at_policy(struct attachment *a)
{
    bool ok = true;

    if (a->state == SCHEMA_BACK_ENDED)
        return true;
    if (!a->admitted)
        ok = admit(a);
    else if (a->policy_touched)
        ok = look_whose(a) != NODE_UNKNOWN &&
             (a->is_anothers || policies_refresh(a->world->policies, &a->backend.place, &a->key));
    a->policy_touched = !ok;
    return ok;
}

static bool is_over(const struct backend *b)
{
    const struct attachment *a = (const struct attachment *)b;

    return a->state == SCHEMA_BACK_ENDED && b->published == XENBUS_UNKNOWN;
}

static void look(struct backend *b, uint64_t now_ms)
{
    struct attachment *a = (struct attachment *)b;
    enum schema_back_state before;

    b->touched = b->wants_map = false;
    backend_watch(b);
    if (!look_at_policy(a)) {
        backend_look_again(b, now_ms);
        if (!a->admitted)
            return; /* nothing of it is mapped, and who it is we do not know */
    }

    for (unsigned i = 0; i < STEPS_PER_LOOK; i++) {
        before = a->state;
        switch (take_step(a, now_ms)) {
        case STEP_TAKEN:
            break;
        case STEP_LATER:
            backend_look_again(b, now_ms);
            return;
        case STEP_NEXT_TURN:
            b->touched = b->wants_map = true;
            return;
        }
        if (a->state == before || a->state == SCHEMA_BACK_ENDED)
            break;
    }
    b->is_new = false;
    if (is_over(b))
        return;
    if (!backend_look_for_debts(b, now_ms))
        backend_look_unwatched(b, now_ms);
}

static struct backend *create(void *world, const struct schema_place *place)
{
    struct attachment *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->world = world;
    if (!backend_init(&a->backend, &kind, a->world->platform, a->world->log, place)) {
        free(a);
        return NULL;
    }
    a->state = schema_back_begin(a->backend.published);
    if (a->state == SCHEMA_BACK_CLOSED)
        a->backend.published = XENBUS_CLOSED; /* an earlier daemon may not have come to write it */
    return &a->backend;
}

/* Its session ends as SESSION_KEPT, its nodes stay as they are. */
static void destroy(struct backend *b)
{
    struct attachment *a = (struct attachment *)b;

    if (a->peer)
        sessions_detach(a->world->sessions, &a->peer->link, SESSION_KEPT, "stopping");
    backend_fini(b);
    free(a);
}

const struct roster_ops attachment_roster_ops = {
    .create = create, .look = look, .is_over = is_over, .destroy = destroy};
