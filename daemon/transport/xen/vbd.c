/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/node.h"
#include "daemon/transport/xen/vbd_link.h"
#include "daemon/util/clock.h"
#include "xenstore-schema/vbd_states.h"

/* What we offer. */
#define OFFER_MAX_QUEUES 4u
#define OFFER_MAX_ORDER  BLKIF_MAX_RING_ORDER
_Static_assert(OFFER_MAX_QUEUES <= BLK_MAX_QUEUES, "a link has to hold them");
/* Steps that one look may take: from new to serving and out again is four. */
#define STEPS_PER_LOOK 5u
/* How long after a detach, and how often, to look whether guests are gone whose disks are kept. */
#define SWEEP_MS 1000u
/* libxl reads our state when it hears of it, and takes a folder that is gone by then for a failure.
 */
#define FOLDER_MS 1000u

struct vbd {
    struct backend backend; /* first: one is the other */
    struct vbd_world *world;
    enum schema_vbd_state state;
    bool resuming;      /* an earlier daemon has connected it, and we have not yet */
    bool waits;         /* for what xenstore did not say */
    bool failures_told; /* of this connection */
    bool read_only;
    bool discards;     /* the toolstack allows them */
    struct disk *disk; /* NULL: it is not open */
    struct vbd_link *link;
    struct device *device; /* NULL: nothing is mapped */
    unsigned nr_served;    /* queues that workers have */
    uint64_t remove_at_ms; /* ENDED: when our folder is to go */
};

static const struct backend_kind kind = {
    .name = "vbd",
    .folder = SCHEMA_IN_VBD_BACKEND,
    .state = SCHEMA_VBD_STATE,
    .online = SCHEMA_VBD_ONLINE,
    .error = SCHEMA_VBD_ERROR,
    .front_state = SCHEMA_VBDFRONT_STATE,
    .front_backend = SCHEMA_VBDFRONT_BACKEND,
};

static void apply(struct vbd *v, enum schema_vbd_event event, const char *why);

/* ---- memory of the workers ---- */

static void free_scratch(struct vbd_world *w)
{
    for (unsigned i = 0; w->scratch && i < w->nr_workers; i++)
        free(w->scratch[i]);
    free(w->scratch);
    w->scratch = NULL;
}

/* Less than a MiB for each worker, as soon as there is a disk. */
static bool make_scratch(struct vbd_world *w)
{
    if (w->scratch)
        return true;
    w->scratch = calloc(w->nr_workers, sizeof(w->scratch[0]));
    for (unsigned i = 0; w->scratch && i < w->nr_workers; i++) {
        w->scratch[i] = scratch_new();
        if (!w->scratch[i])
            free_scratch(w);
    }
    return w->scratch != NULL;
}

void vbd_world_fini(struct vbd_world *w)
{
    free_scratch(w);
}

/* ---- the disk ---- */

static struct disk_owner owner_of(const struct vbd *v)
{
    return (struct disk_owner){.domid = v->backend.place.guest, .vdev = v->backend.place.device};
}

/* A frontend that has a disk already must not go on with another one, which would be empty. */
static bool find_disk(struct vbd *v, const struct target *target, const char **why_out)
{
    const struct disk_owner owner = owner_of(v);

    if (v->resuming && !disks_has(v->world->disks, target, &owner)) {
        *why_out = "the disk was lost: the manager's memory was damaged";
        return false;
    }
    return disks_open(v->world->disks, target, &owner, &v->disk, why_out);
}

/* The disk is open. False: it is not any more. */
static bool take_mode(struct vbd *v, bool writes, const char **why_out)
{
    v->read_only = !writes;
    if (!writes || !v->disk->read_only)
        return true;
    *why_out = "the manager has this device read-only: access=ro";
    disks_close(v->world->disks, v->disk, DISK_DETACHED);
    v->disk = NULL;
    return false;
}

/* Of a disk that is open. */
static bool may_discard(const struct vbd *v)
{
    return v->discards && !v->read_only && v->disk->discards;
}

/* False: @why_out says why. @later_out: because xenstore does not say what it is. */
static bool open_disk(struct vbd *v, bool *later_out, char why_out[SCHEMA_REASON_LEN])
{
    struct target target;
    const char *why = "";
    size_t len = 0, mode_len = 0;
    char *params = node_read(v->backend.platform, &v->backend.place, SCHEMA_VBD_PARAMS, 0, &len);
    char *mode =
        params ? node_read(v->backend.platform, &v->backend.place, SCHEMA_VBD_MODE, 0, &mode_len)
               : NULL;
    bool ok = false;

    *later_out = (!params || !mode) && errno != ENOENT;
    if (!params || !mode)
        why = "node params or mode is missing";
    else
        ok = target_parse(params, len, &target, &why) && find_disk(v, &target, &why);
    if (ok)
        ok = take_mode(v, mode_len > 0 && mode[0] == 'w', &why);
    if (!ok)
        snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    free(params);
    free(mode);
    return ok;
}

static bool is_guest_gone(const struct vbd_world *w, uint32_t domid)
{
    return w->platform->ops->is_gone(w->platform, domid);
}

static void close_disk(struct vbd *v, enum disk_end end)
{
    if (!v->disk)
        return;
    disks_close(v->world->disks, v->disk, end);
    v->disk = NULL;
    v->world->sweep_at_ms = 1; /* at once */
}

/* ---- the session ---- */

static void log_failures(struct vbd *v, const char *when)
{
    struct device_stats stats = device_stats(v->device);

    log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_NOTICE, "disk",
                "dom=%u vbd=%u %s refused=%" PRIu64 " full=%" PRIu64 " damaged=%" PRIu64
                " failed=%" PRIu64,
                v->backend.place.guest, v->backend.place.device, when, stats.refused, stats.full,
                stats.damaged, stats.failed);
}

static void end_session(struct vbd *v, const char *why, bool kept)
{
    struct device_stats stats;

    if (!v->device)
        return;
    for (unsigned i = 0; i < v->nr_served; i++)
        sessions_leave(v->world->sessions, &v->device->queues[i].ring);
    v->nr_served = 0;
    stats = device_stats(v->device);
    log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_INFO, "detach",
                "dom=%u vbd=%u requests=%" PRIu64 " why=\"%s\"", v->backend.place.guest,
                v->backend.place.device, stats.requests, why);
    if (stats.refused + stats.full + stats.damaged + stats.failed > 0)
        log_failures(v, "in all");
    device_destroy(v->device, kept);
    v->device = NULL;
    vbd_link_close(v->link);
    v->link = NULL;
}

struct node_source {
    struct vbd *vbd;
    char *last;
    bool is_unsure; /* xenstore did not say what some node holds */
};

static const char *read_front_node(void *arg, enum schema_node node, uint32_t number,
                                   size_t *len_out)
{
    struct node_source *source = arg;

    free(source->last);
    source->last = node_read(source->vbd->backend.platform, &source->vbd->backend.place, node,
                             number, len_out);
    if (!source->last && !node_is_hidden(errno))
        source->is_unsure = true;
    return source->last;
}

static bool read_front(struct vbd *v, struct schema_vbd_front *front_out, bool *later_out,
                       char why_out[SCHEMA_REASON_LEN])
{
    const struct schema_vbd_offer offer = {.max_queues = OFFER_MAX_QUEUES,
                                           .max_order = OFFER_MAX_ORDER};
    struct node_source source = {.vbd = v};
    const struct schema_reader reader = {read_front_node, &source};
    struct schema_error error;
    bool ok = schema_vbd_front_read(&reader, &offer, front_out, &error);

    free(source.last);
    *later_out = source.is_unsure;
    if (!ok)
        schema_error_text(why_out, &error);
    return ok && !source.is_unsure;
}

static bool make_device(struct vbd *v, char why_out[SCHEMA_REASON_LEN])
{
    struct device_config config = {
        .link = vbd_link_blk(v->link),
        .disk = v->disk,
        .store = v->world->store,
        .owner = {.domid = v->backend.place.guest, .device = v->backend.place.device},
        .read_only = v->read_only,
        .discards = may_discard(v),
        .scratch = v->world->scratch,
        .wake = worker_wake,
    };
    const char *why = "the manager is out of memory or descriptors";

    config.link->resume = v->resuming;
    v->device = device_create(&config, &why);
    while (v->device && v->nr_served < v->device->nr_queues &&
           sessions_serve(v->world->sessions, &v->device->queues[v->nr_served].ring))
        v->nr_served++;
    if (v->device && v->nr_served == v->device->nr_queues)
        return true;
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    return false;
}

/* Sizes are read by the frontend when our state is 4. */
static void publish_sizes(struct vbd *v)
{
    backend_publish_number(&v->backend, SCHEMA_VBD_SECTORS,
                           (uint64_t)disk_nr_pages(v->disk) * BLKIF_SECTORS_PER_PAGE);
    backend_publish_number(&v->backend, SCHEMA_VBD_SECTOR_SIZE, BLKIF_SECTOR_BYTES);
    backend_publish_number(&v->backend, SCHEMA_VBD_PHYSICAL_SIZE, TMEMIF_PAGE_SIZE);
    /* VDISK_READONLY of xen/io/blkif.h */
    backend_publish_number(&v->backend, SCHEMA_VBD_INFO, v->read_only ? 4 : 0);
}

/* A frontend that slept while the manager was away looks at its rings again. */
static void wake_front(struct vbd *v)
{
    struct blk_link *link = vbd_link_blk(v->link);

    for (unsigned i = 0; i < link->nr_queues; i++)
        link->ops->notify(link, i);
}

/* False: @why_out says why. @later_out: because xenstore does not say. */
static bool connect(struct vbd *v, bool *later_out, char why_out[SCHEMA_REASON_LEN])
{
    struct schema_vbd_front front;

    *later_out = false;
    if (!make_scratch(v->world)) {
        snprintf(why_out, SCHEMA_REASON_LEN, "the manager is out of memory");
        return false;
    }
    if (!read_front(v, &front, later_out, why_out) ||
        !vbd_link_open(v->backend.platform, v->backend.place.guest, &front, v->world->attend_fd,
                       &v->link, why_out))
        return false;
    if (make_device(v, why_out))
        return true;
    if (v->device)
        end_session(v, why_out, v->resuming);
    if (v->link)
        vbd_link_close(v->link);
    v->link = NULL;
    return false;
}

/* xenstore does not say what has to be known there: it is looked at again. */
static void wait_in(struct vbd *v, enum schema_vbd_state state)
{
    v->state = state;
    v->waits = true;
}

/* Has xenstore refused one of the nodes that a frontend needs? Then it is told so, if there is
 * room. */
static bool is_refused(struct vbd *v)
{
    char why[SCHEMA_REASON_LEN];

    if (v->backend.refused == 0)
        return false;
    if (v->backend.refused == ENOSPC)
        snprintf(why, sizeof(why),
                 "xenstore's quota of nodes for the manager is used up: in dom0, "
                 "xenstore-control quota set nodes N");
    else
        snprintf(why, sizeof(why), "a node cannot be written: %s", strerror(v->backend.refused));
    backend_remove(&v->backend, SCHEMA_VBD_SEGMENTS); /* room for the reason */
    apply(v, SCHEMA_VBD_NO_DISK, why);
    return true;
}

static void attach(struct vbd *v)
{
    bool resuming = v->resuming, later;
    char why[SCHEMA_REASON_LEN];
    bool is_opened = v->disk || open_disk(v, &later, why); /* it is not yet, of an earlier daemon */

    v->failures_told = false;
    if (!is_opened || !connect(v, &later, why)) {
        if (later)
            wait_in(v, resuming ? SCHEMA_VBD_RESUMING : SCHEMA_VBD_WAITING);
        else
            apply(v, is_opened ? SCHEMA_VBD_BROKEN : SCHEMA_VBD_NO_DISK, why);
        return;
    }
    v->resuming = false;
    if (resuming) {
        wake_front(v);
    } else {
        backend_remove(&v->backend, SCHEMA_VBD_ERROR);
        v->backend.refused = 0;
        publish_sizes(v);
        if (is_refused(v))
            return;
        backend_publish_state(&v->backend, XENBUS_CONNECTED);
    }
    log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_INFO, "attach",
                "dom=%u vbd=%u queues=%u order=%u pages=%u%s%s", v->backend.place.guest,
                v->backend.place.device, v->device->nr_queues, vbd_link_blk(v->link)->order,
                disk_nr_pages(v->disk), v->read_only ? " read-only" : "",
                resuming ? " resumed" : "");
}

/* ---- the state machine ---- */

static void publish_offer(struct vbd *v)
{
    struct backend *b = &v->backend;

    if (may_discard(v)) {
        backend_publish_number(b, SCHEMA_VBD_DISCARD, 1);
        backend_publish_number(b, SCHEMA_VBD_GRANULARITY, TMEMIF_PAGE_SIZE);
        backend_publish_number(b, SCHEMA_VBD_ALIGNMENT, 0);
    }
    backend_publish_number(b, SCHEMA_VBD_FLUSH, 1);
    backend_publish_number(b, SCHEMA_VBD_SEGMENTS, BLKIF_MAX_SEGMENTS);
    backend_publish_number(b, SCHEMA_VBD_MAX_ORDER, OFFER_MAX_ORDER);
    backend_publish_number(b, SCHEMA_VBD_MAX_QUEUES, OFFER_MAX_QUEUES);
}

static void read_discards(struct vbd *v)
{
    uint64_t enabled = 1;
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &v->backend.place, SCHEMA_VBD_DISCARD_ENABLE, 0);
    node_read_number(v->backend.platform, path, SCHEMA_VBD_DISCARD_ENABLE, &enabled);
    v->discards = enabled;
}

/* A frontend that begins anew finds the disk as it was; new nodes may name another one. */
static void offer(struct vbd *v, enum schema_vbd_event event, const char *why)
{
    char refusal[SCHEMA_REASON_LEN];
    bool later;

    end_session(v, why, false);
    v->resuming = false;
    v->backend.not_before_ms = 0;
    if (event == SCHEMA_VBD_RENEWED)
        close_disk(v, DISK_DETACHED);
    if (!v->disk && !open_disk(v, &later, refusal)) {
        if (later)
            wait_in(v, SCHEMA_VBD_NEW);
        else
            apply(v, SCHEMA_VBD_NO_DISK, refusal);
        return;
    }
    read_discards(v);
    v->backend.refused = 0;
    publish_offer(v);
    if (!is_refused(v))
        backend_publish_state(&v->backend, XENBUS_INIT_WAIT);
}

static void disown(struct vbd *v, const char *why)
{
    backend_publish_error(&v->backend, why);
    end_session(v, "the manager has closed the session", false);
    backend_publish_state(&v->backend, XENBUS_CLOSING);
    backend_publish_state(&v->backend, XENBUS_CLOSED);
}

/* The toolstack waits for 6, and then for our folder to go. */
static void end(struct vbd *v, const char *why)
{
    uint32_t own_state;

    end_session(v, why, false);
    close_disk(v,
               is_guest_gone(v->world, v->backend.place.guest) ? DISK_GUEST_GONE : DISK_DETACHED);
    v->remove_at_ms = 0;
    /* a node that is written would bring a folder back that has gone already */
    if (!node_read_state(v->backend.platform, &v->backend.place, SCHEMA_VBD_STATE, &own_state))
        return;
    backend_publish_state(&v->backend, XENBUS_CLOSED);
    v->remove_at_ms = clock_now_ms() + FOLDER_MS;
}

static void apply(struct vbd *v, enum schema_vbd_event event, const char *why)
{
    struct schema_vbd_step step = schema_vbd_step(v->state, event);

    if (step.next == SCHEMA_VBD_REFUSED)
        return;
    if (step.next != v->state)
        log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_DEBUG, "state",
                    "dom=%u vbd=%u from=%s to=%s event=\"%s\"", v->backend.place.guest,
                    v->backend.place.device, schema_vbd_state_name(v->state),
                    schema_vbd_state_name(step.next), schema_vbd_event_name(event));
    v->state = step.next;

    switch (step.action) {
    case SCHEMA_VBD_NOTHING:
        break;
    case SCHEMA_VBD_OFFER:
        offer(v, event, why);
        break;
    case SCHEMA_VBD_ATTACH:
        attach(v);
        break;
    case SCHEMA_VBD_LEAVE:
        backend_publish_state(&v->backend, XENBUS_CLOSING);
        break;
    case SCHEMA_VBD_CLOSE:
        end_session(v, why, false);
        backend_publish_state(&v->backend, XENBUS_CLOSED);
        break;
    case SCHEMA_VBD_DISOWN:
        disown(v, why);
        break;
    case SCHEMA_VBD_END:
        end(v, why);
        break;
    }
}

/* ---- looking ---- */

/*
 * May its frontend have requests under way? Then a disk is not taken from it: whoever detaches a
 * disk in use waits until the guest has let it go.
 */
static bool is_used(uint32_t front_state)
{
    return front_state >= XENBUS_INITIALISED && front_state <= XENBUS_CLOSING;
}

static bool observe_front(struct vbd *v, bool offline, enum schema_vbd_event *event_out,
                          const char **why_out)
{
    bool connected = v->device || v->state == SCHEMA_VBD_RESUMING;
    uint32_t state;
    bool gone;

    if (!backend_read_front(&v->backend, &state, &gone))
        return false;
    *why_out = "the frontend's state has changed";
    if (gone) {
        *event_out = SCHEMA_VBD_GONE;
        *why_out = "the guest is gone";
    } else if (offline) {
        *event_out = connected && is_used(state) ? SCHEMA_VBD_UNWANTED : SCHEMA_VBD_OFFLINE;
        *why_out = "detached by the operator";
    } else {
        *event_out = schema_vbd_event_of(state);
        if (*event_out == SCHEMA_VBD_FRONT_ODD)
            *why_out = "node state of the frontend has no meaning here";
    }
    return true;
}

/* What has happened? False: xenstore does not say. */
static bool observe(struct vbd *v, enum schema_vbd_event *event_out, const char **why_out)
{
    if (v->device && device_broken(v->device)) {
        *event_out = SCHEMA_VBD_BROKEN;
        *why_out = device_broken(v->device);
        return true;
    }
    switch (backend_look(&v->backend, v->state == SCHEMA_VBD_ENDED)) {
    case BACKEND_GONE:
        *event_out = SCHEMA_VBD_GONE;
        *why_out = "its nodes are gone";
        return true;
    case BACKEND_RENEWED:
        *event_out = SCHEMA_VBD_RENEWED;
        *why_out = "the toolstack has written its nodes anew";
        return true;
    case BACKEND_OFFLINE:
        return observe_front(v, true, event_out, why_out);
    case BACKEND_ONLINE:
        return observe_front(v, false, event_out, why_out);
    case BACKEND_UNKNOWN:
        break;
    }
    return false;
}

static bool take_step(struct vbd *v, uint64_t now_ms)
{
    enum schema_vbd_event event;
    const char *why;

    if (!observe(v, &event, &why))
        return false;
    if (schema_vbd_step(v->state, event).action == SCHEMA_VBD_ATTACH &&
        !backend_may_attach(&v->backend, now_ms))
        return false;
    apply(v, event, why);
    return true;
}

static bool is_over(const struct backend *b)
{
    return ((const struct vbd *)b)->state == SCHEMA_VBD_ENDED && b->published == XENBUS_UNKNOWN;
}

/* It has ended: its folder goes, when the toolstack has had time to read our last state. */
static void tidy(struct vbd *v, uint64_t now_ms)
{
    if (v->remove_at_ms <= now_ms) {
        backend_remove_folder(&v->backend);
        return;
    }
    v->backend.touched = true;
    v->backend.not_before_ms = v->remove_at_ms;
}

static void look(struct backend *b, uint64_t now_ms)
{
    struct vbd *v = (struct vbd *)b;
    enum schema_vbd_state before;

    b->touched = false;
    backend_watch(b);
    for (unsigned i = 0; i < STEPS_PER_LOOK; i++) {
        before = v->state;
        v->waits = false;
        if (!take_step(v, now_ms) || v->waits) {
            backend_look_again(b, now_ms);
            return;
        }
        if (v->state == before || v->state == SCHEMA_VBD_ENDED)
            break;
    }
    b->is_new = false;
    if (v->device && !v->failures_told && atomic_load(&v->device->told)) {
        v->failures_told = true;
        log_failures(v, "first failure");
    }
    if (v->state == SCHEMA_VBD_ENDED)
        tidy(v, now_ms);
    else if (b->state_owed)
        backend_look_again(b, now_ms);
}

static struct backend *create(void *world, const struct schema_place *place)
{
    struct vbd *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->world = world;
    if (!backend_init(&v->backend, &kind, v->world->platform, v->world->log, place)) {
        free(v);
        return NULL;
    }
    v->state = schema_vbd_begin(v->backend.published);
    v->resuming = v->state == SCHEMA_VBD_RESUMING;
    if (v->resuming)
        read_discards(v);
    return &v->backend;
}

/* We are stopping: all stays as it is, for the next daemon to take up. */
static void destroy(struct backend *b)
{
    struct vbd *v = (struct vbd *)b;

    end_session(v, "stopping", true);
    close_disk(v, DISK_STOPPING);
    backend_fini(b);
    free(v);
}

const struct roster_ops vbd_roster_ops = {
    .create = create, .look = look, .is_over = is_over, .destroy = destroy};

/* ---- all of them ---- */

void vbds_attend(struct roster *r)
{
    for (struct backend *b = r->first; b; b = b->next) {
        struct vbd *v = (struct vbd *)b;

        if (v->link && vbd_link_attends(v->link))
            b->touched = true;
    }
}

static bool is_anybodys(struct roster *r, const struct answer_owner *owner)
{
    return roster_find(r, &(struct schema_place){.guest = owner->domid, .device = owner->device});
}

bool vbds_sweep_is_due(const struct vbd_world *w, uint64_t now_ms)
{
    return w->disks && (!w->swept || (w->sweep_at_ms != 0 && w->sweep_at_ms <= now_ms));
}

static void sweep_records(struct vbd_world *w, struct roster *r)
{
    struct answer_owner owner;
    uint32_t cursor = 0;

    while (answer_rec_next(w->store, &cursor, &owner)) {
        for (uint32_t queue = 0; !is_anybodys(r, &owner) && queue < BLK_MAX_QUEUES; queue++)
            answer_rec_close(answer_rec_find(w->store, &owner, queue));
    }
}

void vbds_sweep(struct vbd_world *w, struct roster *r, uint64_t now_ms)
{
    struct disk_info info;
    uint32_t cursor = 0;
    bool kept = false;

    if (!w->swept)
        sweep_records(w, r);
    w->swept = true;
    while (disks_next(w->disks, &cursor, &info)) {
        if (info.is_base || info.name[0] != '\0' || info.is_open)
            continue;
        if (!is_guest_gone(w, info.owner.domid)) {
            kept = true;
            continue;
        }
        log_event(w->log, LOG_LEVEL_INFO, "forget", "dom=%u vbd=%u", info.owner.domid,
                  info.owner.vdev);
        disks_forget(w->disks, info.owner.domid);
    }
    w->sweep_at_ms = kept ? now_ms + SWEEP_MS : 0;
}
