/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/attachment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/node.h"
#include "daemon/util/bug.h"

/* Each attach maps up to 64 MiB while others wait: some soon, then one a second. */
#define ATTACH_BURST     8u
#define ATTACH_PERIOD_MS 1000u
/* When to look again at what has to wait. */
#define LOOK_WAIT_MS 200u
/* Steps that one look may take: from new to serving and out again is three. */
#define STEPS_PER_LOOK 4u

/* ---- our nodes ---- */

/* xenstored refuses a domU more nodes or bytes than its quota. */
static void check_written(struct attachment *a, bool ok)
{
    if (!ok)
        log_limited(a->world->log, &a->log_limit, LOG_LEVEL_ERROR, "xenstore",
                    "dom=%u device=%u why=\"a node cannot be written: %s\" "
                    "hint=\"xenstore-control quota\"",
                    a->place.guest, a->place.device, strerror(errno));
}

static void publish_number(struct attachment *a, enum schema_node node, uint64_t number)
{
    check_written(a, node_write_number(a->world->platform, &a->place, node, number));
}

static void publish_state(struct attachment *a, enum schema_xenbus state)
{
    a->published = state;
    a->state_owed = !node_write_number(a->world->platform, &a->place, SCHEMA_BACKEND_STATE, state);
    check_written(a, !a->state_owed);
}

static void publish_error(struct attachment *a, const char *why)
{
    check_written(a, node_write(a->world->platform, &a->place, SCHEMA_BACKEND_ERROR, why));
    log_limited(a->world->log, &a->log_limit, LOG_LEVEL_NOTICE, "refused",
                "dom=%u device=%u why=\"%s\"", a->place.guest, a->place.device, why);
}

static void publish_offer(struct attachment *a)
{
    const struct schema_offer *offer = &a->world->offer;
    char version[SCHEMA_NUMBER_LEN];

    schema_format_number(version, TMEMIF_VERSION_1);
    check_written(a, node_write(a->world->platform, &a->place, SCHEMA_BACKEND_VERSIONS, version));
    publish_number(a, SCHEMA_BACKEND_MAX_RINGS, offer->max_rings);
    publish_number(a, SCHEMA_BACKEND_MAX_ORDER, offer->max_order);
    publish_number(a, SCHEMA_BACKEND_MAX_DATA, offer->max_data_pages);
    publish_number(a, SCHEMA_BACKEND_GRANT_COPY, 1);
    publish_number(a, SCHEMA_BACKEND_FENCE_MIN, offer->fence_ms_min);
    publish_number(a, SCHEMA_BACKEND_EPOCH, a->world->epoch);
}

/* ---- the session ---- */

static void apply(struct attachment *a, enum schema_back_event event, const char *why);

static void link_close(struct link *link)
{
    struct xen_peer *peer = (struct xen_peer *)link;
    struct attachment *a = peer->owner;

    a->peer = NULL;
    xen_peer_close(peer);
}

static void link_fail(struct link *link, const char *reason)
{
    apply(((struct xen_peer *)link)->owner, SCHEMA_PEER_BROKEN, reason);
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

struct node_source {
    struct attachment *attachment;
    char *last;
};

static const char *read_front_node(void *arg, enum schema_node node, uint32_t number,
                                   size_t *len_out)
{
    struct node_source *source = arg;
    struct attachment *a = source->attachment;

    free(source->last);
    source->last = node_read(a->world->platform, &a->place, node, number, len_out);
    return source->last;
}

static bool read_front(struct attachment *a, struct schema_front *front_out,
                       char why_out[SCHEMA_REASON_LEN])
{
    struct node_source source = {.attachment = a};
    const struct schema_reader reader = {read_front_node, &source};
    struct schema_error error;
    bool ok = schema_front_read(&reader, &a->world->offer, front_out, &error);

    free(source.last);
    if (!ok)
        schema_error_text(why_out, &error);
    return ok;
}

static bool serve(struct attachment *a, struct xen_peer *peer, char why_out[SCHEMA_REASON_LEN])
{
    const char *why = "";

    peer->owner = a;
    peer->left_fd = a->world->left_fd;
    peer->link.ops = &link_ops;
    peer->link.peer = a->key;
    peer->link.privileged = a->place.guest == 0;
    if (sessions_attach(a->world->sessions, &peer->link, &why) == TMEMIF_OK) {
        a->peer = peer;
        return true;
    }
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    xen_peer_close(peer);
    return false;
}

/* Is it served, and as whose? False: xenstore does not say, and nothing has changed. */
static bool admit(struct attachment *a)
{
    switch (policies_admit(a->world->policies, &a->place, &a->key, a->refusal)) {
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

static void attach(struct attachment *a)
{
    char why[SCHEMA_REASON_LEN];
    struct schema_front *front = malloc(sizeof(*front));
    struct xen_peer *peer;

    a->world->may_map = false;
    a->world->was_long = true;
    snprintf(why, sizeof(why), "%s", a->admitted ? "the manager is out of memory" : a->refusal);
    if (front && a->admitted && read_front(a, front, why) &&
        xen_peer_open(a->world->platform, a->place.guest, front, &peer, why) &&
        serve(a, peer, why)) {
        node_remove(a->world->platform, &a->place, SCHEMA_BACKEND_ERROR);
        publish_number(a, SCHEMA_BACKEND_EPOCH, a->world->epoch);
        publish_state(a, XENBUS_CONNECTED);
    }
    free(front);
    if (!a->peer)
        apply(a, SCHEMA_PEER_BROKEN, why);
    else if (xen_peer_is_gone(a->peer))
        apply(a, SCHEMA_PEER_LEFT, "its process is gone");
}

/* The attachment ends, and with it the pools. */
static void end(struct attachment *a, const char *why)
{
    end_session(a, why);
    if (!a->admitted) {
        a->world->sweep = true;
        return;
    }
    sessions_forget(a->world->sessions, &a->key);
    policies_dismiss(a->world->policies, &a->key);
    a->admitted = false;
}

/* ---- the state machine ---- */

static void offer(struct attachment *a, const char *why)
{
    end_session(a, why);
    if (!a->admitted)
        publish_error(a, a->refusal);
    publish_offer(a);
    publish_state(a, XENBUS_INIT_WAIT);
}

static void close_down(struct attachment *a, const char *why)
{
    end_session(a, why);
    publish_state(a, XENBUS_CLOSING);
    publish_state(a, XENBUS_CLOSED);
}

static void apply(struct attachment *a, enum schema_back_event event, const char *why)
{
    struct schema_back_step step = schema_back_step(a->state, event);

    if (step.next == SCHEMA_BACK_REFUSED)
        return; /* such as the end of a process that is not attached */
    if (step.next != a->state)
        log_limited(a->world->log, &a->log_limit, LOG_LEVEL_DEBUG, "state",
                    "dom=%u device=%u from=%s to=%s event=\"%s\"", a->place.guest, a->place.device,
                    schema_back_state_name(a->state), schema_back_state_name(step.next),
                    schema_back_event_name(event));
    a->state = step.next;

    switch (step.action) {
    case SCHEMA_BACK_NOTHING:
        break;
    case SCHEMA_BACK_OFFER:
        offer(a, why);
        break;
    case SCHEMA_BACK_ATTACH:
        attach(a);
        break;
    case SCHEMA_BACK_CLOSE:
        close_down(a, why);
        break;
    case SCHEMA_BACK_DISOWN:
        publish_error(a, why);
        close_down(a, "the manager has closed the session");
        break;
    case SCHEMA_BACK_END:
        end(a, why);
        if (event == SCHEMA_NODES_OFFLINE)
            publish_state(a, XENBUS_CLOSED);
        break;
    }
}

/* ---- looking ---- */

/*
 * Somebody else may be attached here now: another guest with the same domid. What the one before
 * has left is found by a sweep. False: xenstore does not say.
 */
static bool admit_anew(struct attachment *a)
{
    struct account_key old = a->key;

    if (!admit(a))
        return false;
    if (a->admitted && memcmp(old.uuid, a->key.uuid, sizeof(old.uuid)) == 0)
        return true;
    end_session(a, "its domain is another one now");
    a->world->sweep = true;
    return true;
}

/*
 * The state 5 says nothing: that may be our own, left by a daemon that was killed before it wrote
 * 6. False: xenstore does not say.
 */
static bool read_offline(struct attachment *a, bool *offline_out)
{
    uint64_t online = 1;
    char path[SCHEMA_PATH_LEN];
    enum node_result result;

    schema_path(path, &a->place, SCHEMA_BACKEND_ONLINE, 0);
    result = node_read_number(a->world->platform, path, SCHEMA_BACKEND_ONLINE, &online);
    *offline_out = online == 0;
    return result != NODE_UNKNOWN;
}

/* What has happened? False: xenstore does not say. */
static bool observe_front(struct attachment *a, enum schema_back_event *event_out,
                          const char **why_out)
{
    struct platform *platform = a->world->platform;
    uint32_t state;
    size_t len;
    char *link;

    if (node_read_state(platform, &a->place, SCHEMA_FRONTEND_STATE, &state)) {
        *event_out = schema_back_event_of(state);
        *why_out = *event_out == SCHEMA_FRONT_ODD ? "node state of the frontend has no meaning here"
                                                  : "the frontend's state has changed";
        if (*event_out == SCHEMA_FRONT_READY && a->peer && xen_peer_is_gone(a->peer)) {
            *event_out = SCHEMA_PEER_LEFT;
            *why_out = "its process is gone";
        }
        return true;
    }
    if (!node_is_hidden(errno))
        return false;
    /* the state alone may be missing for a moment; without its link to us the whole folder is */
    link = node_read(platform, &a->place, SCHEMA_FRONTEND_BACKEND, 0, &len);
    *event_out = SCHEMA_FRONT_PREPARES;
    *why_out = "the frontend's state has vanished";
    if (!link && !node_is_hidden(errno))
        return false;
    if (!link) {
        *event_out = SCHEMA_NODES_GONE;
        *why_out = "the guest is gone";
    }
    free(link);
    return true;
}

static bool observe(struct attachment *a, enum schema_back_event *event_out, const char **why_out)
{
    uint32_t own_state;
    bool offline;

    if (!node_read_state(a->world->platform, &a->place, SCHEMA_BACKEND_STATE, &own_state)) {
        *event_out = SCHEMA_NODES_GONE;
        *why_out = "its nodes are gone";
        return errno == ENOENT;
    }
    if (own_state == XENBUS_INITIALISING && a->published != XENBUS_INITIALISING) {
        *event_out = SCHEMA_NODES_RENEWED;
        *why_out = "the toolstack has written its nodes anew";
        return true;
    }
    if (!read_offline(a, &offline))
        return false;
    if (own_state != a->published && (!offline || a->state == SCHEMA_BACK_ENDED))
        publish_state(a, a->published); /* a frontend may be waiting for it */
    if (offline) {
        *event_out = SCHEMA_NODES_OFFLINE;
        *why_out = "detached by the operator";
        return true;
    }
    return observe_front(a, event_out, why_out);
}

/* A virtual schedule, as log_limit_take() has one. */
static bool may_attach(struct attachment *a, uint64_t now_ms)
{
    uint64_t next = a->attaches_ms > now_ms ? a->attaches_ms : now_ms;

    if (next - now_ms > (uint64_t)(ATTACH_BURST - 1) * ATTACH_PERIOD_MS)
        return false;
    a->attaches_ms = next + ATTACH_PERIOD_MS;
    return true;
}

/* A guest that is gone leaves our folder of it behind; the operator's nodes are not ours to tidy.
 */
static void remove_nodes(struct attachment *a)
{
    char folder[SCHEMA_PATH_LEN];
    uint32_t own_state;

    a->published = XENBUS_UNKNOWN;
    if (!node_read_state(a->world->platform, &a->place, SCHEMA_BACKEND_STATE, &own_state))
        return;
    schema_folder(folder, &a->place, SCHEMA_IN_BACKEND);
    a->world->platform->ops->remove(a->world->platform, folder);
}

enum progress {
    STEP_TAKEN,
    STEP_LATER,     /* it attaches too often, or xenstore does not say */
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
    if (schema_back_step(a->state, event).action == SCHEMA_BACK_ATTACH) {
        if (!a->world->may_map)
            return STEP_NEXT_TURN;
        if (!may_attach(a, now_ms))
            return STEP_LATER;
    }
    apply(a, event, why);
    if (event == SCHEMA_NODES_GONE)
        remove_nodes(a);
    return STEP_TAKEN;
}

static void watch_front(struct attachment *a)
{
    if (a->is_watched)
        return;
    a->is_watched = a->world->platform->ops->watch(a->world->platform, a->front_state_path);
    if (!a->is_watched)
        log_limited(a->world->log, &a->log_limit, LOG_LEVEL_ERROR, "xenstore",
                    "dom=%u device=%u why=\"the frontend cannot be watched: %s\" "
                    "hint=\"xenstore-control quota\"",
                    a->place.guest, a->place.device, strerror(errno));
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
        ok = policies_refresh(a->world->policies, &a->place, &a->key);
    a->policy_touched = !ok;
    return ok;
}

static void look_again(struct attachment *a, uint64_t now_ms)
{
    a->touched = true;
    a->not_before_ms = now_ms + LOOK_WAIT_MS;
}

void attachment_look(struct attachment *a, uint64_t now_ms)
{
    enum schema_back_state before;

    a->touched = a->wants_map = false;
    watch_front(a);
    if (!look_at_policy(a)) {
        look_again(a, now_ms);
        if (!a->admitted)
            return; /* nothing of it is mapped, and who it is we do not know */
    }

    for (unsigned i = 0; i < STEPS_PER_LOOK; i++) {
        before = a->state;
        switch (take_step(a, now_ms)) {
        case STEP_TAKEN:
            break;
        case STEP_LATER:
            look_again(a, now_ms);
            return;
        case STEP_NEXT_TURN:
            a->touched = a->wants_map = true;
            return;
        }
        if (a->state == before || a->state == SCHEMA_BACK_ENDED)
            break;
    }
    a->is_new = false;
    if (a->state_owed && !attachment_is_over(a))
        look_again(a, now_ms);
}

bool attachment_is_over(const struct attachment *a)
{
    return a->state == SCHEMA_BACK_ENDED && a->published == XENBUS_UNKNOWN;
}

struct attachment *attachment_create(struct attachment_world *world,
                                     const struct schema_place *place)
{
    struct attachment *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->world = world;
    a->place = *place;
    a->touched = a->is_new = true;
    schema_path(a->front_state_path, place, SCHEMA_FRONTEND_STATE, 0);
    a->published = XENBUS_UNKNOWN;
    if (!node_read_state(world->platform, place, SCHEMA_BACKEND_STATE, &a->published) &&
        errno != ENOENT) {
        free(a);
        return NULL;
    }
    a->state = schema_back_begin(a->published);
    if (a->state == SCHEMA_BACK_CLOSED)
        a->published = XENBUS_CLOSED; /* an earlier daemon may not have come to write it */
    return a;
}

void attachment_destroy(struct attachment *a)
{
    if (a->peer)
        sessions_detach(a->world->sessions, &a->peer->link, SESSION_KEPT, "stopping");
    if (a->is_watched)
        a->world->platform->ops->unwatch(a->world->platform, a->front_state_path);
    free(a);
}
