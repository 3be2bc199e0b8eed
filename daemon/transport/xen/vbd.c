/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/blk/lost.h"
#include "daemon/transport/xen/node.h"
#include "daemon/transport/xen/vbd_nodes.h"
#include "daemon/transport/xen/vbd_session.h"
#include "daemon/util/clock.h"
#include "xenstore-schema/vbd_states.h"

/* Steps that one look may take: from new to serving and out again is four. */
#define STEPS_PER_LOOK 5u
/* libxl reads our state when it hears of it, and takes a folder that is gone by then for a failure.
 */
#define FOLDER_MS 1000u

struct vbd {
    struct backend backend; /* first: one is the other */
    struct vbd_world *world;
    enum schema_vbd_state state;
    struct vbd_disk disk;
    struct vbd_session session;
    bool waits;         /* for the disk, which another guest has: */
    uint32_t waits_for; /* its domid */
    /* RESUMING, which is never entered again: why it cannot be taken up now, as was said last */
    char lacks[SCHEMA_REASON_LEN];
    uint32_t front_state;  /* as it was last read */
    uint32_t told_pages;   /* the size that the frontend was told; 0: that is not known */
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

/* ---- actions ---- */

/* What came of one. */
enum outcome {
    DONE,
    LATER,   /* xenstore does not say what has to be known */
    WAITS,   /* another guest has the disk, as is said */
    LACKS,   /* it cannot be taken up now, for a reason that is given and may pass */
    NO_DISK, /* it cannot be opened, for a reason that is given */
    BROKEN,  /* the frontend cannot be served, for a reason that is given */
};

static void end_session(struct vbd *v, const char *why)
{
    vbd_session_close(&v->session, v->world, &v->backend, why, false);
}

/* Those who wait for it are looked at again. */
static void touch_waiting(struct vbd *v)
{
    for (struct backend *b = v->world->roster->first; b; b = b->next)
        b->touched = b->touched || ((const struct vbd *)b)->waits;
}

static void end_disk(struct vbd *v)
{
    vbd_disk_end(&v->disk, v->world, &v->backend);
    touch_waiting(v);
}

static void tell_wait(struct vbd *v, const char *why)
{
    backend_say_error(&v->backend, why);
    log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_NOTICE, "wait",
                "dom=%u vbd=%u why=\"%s\"", v->backend.place.guest, v->backend.place.device, why);
}

/* What is written is heard of, too: nothing is said twice. */
static void wait_for_disk(struct vbd *v, const char *why)
{
    if (v->waits && v->waits_for == v->disk.user)
        return;
    v->waits = true;
    v->waits_for = v->disk.user;
    tell_wait(v, why);
}

static void tell_lack(struct vbd *v, const char *why)
{
    if (strcmp(v->lacks, why) == 0)
        return;
    snprintf(v->lacks, sizeof(v->lacks), "%s", why);
    tell_wait(v, why);
}

/* Its requests stay in the ring: a guest that waits may go on, one that is closed has lost them. */
static void wait_to_take_up(struct vbd *v, const char *why)
{
    tell_lack(v, why);
    v->backend.is_new = false; /* nobody else can come to have what it has */
}

/* @resume: the frontend has it. */
static enum outcome open_disk(struct vbd *v, bool resume, char why_out[SCHEMA_REASON_LEN])
{
    enum vbd_found found =
        v->disk.disk ? VBD_FOUND : vbd_disk_open(&v->disk, v->world, &v->backend, resume, why_out);

    if (found == VBD_IN_USE) {
        wait_for_disk(v, why_out);
        return WAITS;
    }
    v->waits = v->waits && found == VBD_UNSURE;
    if (found == VBD_UNOPENED)
        tell_lack(v, why_out);
    if (found == VBD_UNSURE || found == VBD_UNOPENED)
        return LATER;
    if (found == VBD_UNREADY)
        return LACKS;
    return found == VBD_FOUND ? DONE : NO_DISK;
}

/* New nodes may have been written once more since the disk was opened. */
static bool publish_offer(struct backend *b)
{
    struct vbd *v = (struct vbd *)b;

    if (b->published == XENBUS_INITIALISING && v->disk.disk && !vbd_disk_is_named(&v->disk, b))
        return false;
    vbd_nodes_offer(b, &v->disk);
    return b->refused == 0;
}

/* Has nobody said anything in its nodes yet, this daemon or one before? */
static bool is_untouched(const struct vbd *v)
{
    return v->backend.published == XENBUS_INITIALISING && !v->disk.disk;
}

/*
 * A frontend that begins anew finds the disk as it was; new nodes have a new one, or name another,
 * and may be another guest's. One that is in use is offered: a guest that is migrated has to be
 * ready for it while the old domain has it.
 */
static enum outcome offer(struct vbd *v, bool renewed, const char *why,
                          char why_out[SCHEMA_REASON_LEN])
{
    enum outcome outcome;
    bool ok;

    end_session(v, why);
    v->backend.not_before_ms = 0;
    /* until we have said 2 the next daemon sees them as new, too */
    if (renewed || is_untouched(v)) {
        end_disk(v);
        vbd_world_drop_records(v->world, &v->backend.place); /* of the last daemon's connection */
    }
    if (renewed)
        v->waits = false; /* the reason went with the old nodes */
    outcome = open_disk(v, false, why_out);
    if (outcome != DONE && outcome != WAITS)
        return outcome;
    vbd_disk_read_discards(&v->disk, &v->backend);
    ok = backend_publish_state_with(&v->backend, publish_offer, XENBUS_INIT_WAIT);
    if (vbd_nodes_are_refused(&v->backend, why_out))
        return NO_DISK;
    return ok || v->backend.state_owed ? DONE : LATER;
}

static enum outcome connect(struct vbd *v, const struct vbd_disk *disk, bool resume,
                            char why_out[SCHEMA_REASON_LEN])
{
    struct schema_vbd_front front;
    bool lacks;

    if (!vbd_world_prepare(v->world)) {
        snprintf(why_out, SCHEMA_REASON_LEN, "the manager is out of memory");
        return resume ? LACKS : BROKEN;
    }
    switch (vbd_nodes_read_front(&v->backend, &front, why_out)) {
    case BACKEND_READ:
        break;
    case BACKEND_READ_BAD:
        return BROKEN;
    case BACKEND_READ_UNSURE:
        return LATER;
    }
    if (!vbd_session_map(&v->session, v->world, &v->backend, &front, &lacks, why_out))
        return resume && lacks ? LACKS : BROKEN;
    /* another guest's were written, and granted, after the toolstack had written ours anew */
    if (!backend_is_as_seen(&v->backend)) {
        vbd_session_close(&v->session, v->world, &v->backend, "whose it is now is not known",
                          resume);
        return LATER;
    }
    if (vbd_session_serve(&v->session, v->world, &v->backend, disk, resume, &lacks, why_out))
        return DONE;
    return resume && lacks ? LACKS : BROKEN;
}

static bool publish_sizes(struct backend *b)
{
    struct vbd *v = (struct vbd *)b;

    backend_say_error(b, NULL);
    if (v->disk.disk)
        vbd_nodes_sizes(b, &v->disk);
    return b->refused == 0;
}

static enum outcome publish_connected(struct vbd *v, char why_out[SCHEMA_REASON_LEN])
{
    (void)backend_publish_state_with(&v->backend, publish_sizes, XENBUS_CONNECTED);
    return vbd_nodes_are_refused(&v->backend, why_out) ? NO_DISK : DONE;
}

/*
 * The frontend has requests under way, and nobody else can answer them: each has an error, until it
 * closes. One that begins anew is offered what the target says, as any other.
 */
static enum outcome fail_requests(struct vbd *v, char why_out[SCHEMA_REASON_LEN])
{
    const struct vbd_disk lost = {.disk = &v->world->lost, .discards = true};
    char why[SCHEMA_REASON_LEN];
    enum outcome outcome = connect(v, &lost, true, why);

    if (outcome == DONE) {
        backend_publish_error(&v->backend, why_out);
        vbd_session_wake(&v->session);
    }
    return outcome == BROKEN ? NO_DISK : outcome;
}

/*
 * @resume: an earlier daemon has connected it, so our nodes are there. @unwanted: it is to close,
 * which it does when it has its answers.
 */
static enum outcome attach(struct vbd *v, bool resume, bool unwanted,
                           char why_out[SCHEMA_REASON_LEN])
{
    enum outcome outcome = open_disk(v, resume, why_out);

    if (resume && (outcome == NO_DISK || (outcome == LACKS && unwanted)))
        return fail_requests(v, why_out);
    if (outcome == DONE)
        outcome = connect(v, &v->disk, resume, why_out);
    if (outcome != DONE)
        return outcome;
    /*
     * The last daemon may have been killed before it had told of a resize; and a frontend that
     * has slept meanwhile (xl save) goes on with the size of before, until it is told once more.
     */
    v->told_pages = v->disk.disk->resized ? 0 : disk_nr_pages(v->disk.disk);
    if (resume) {
        backend_say_error(&v->backend, NULL); /* an earlier daemon may have said one */
        vbd_session_wake(&v->session);
    } else {
        outcome = publish_connected(v, why_out);
    }
    if (outcome == DONE)
        log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_INFO, "attach",
                    "dom=%u vbd=%u queues=%u order=%u pages=%u%s%s", v->backend.place.guest,
                    v->backend.place.device, v->session.device->nr_queues,
                    vbd_link_blk(v->session.link)->order, disk_nr_pages(v->disk.disk),
                    v->disk.read_only ? " read-only" : "", resume ? " resumed" : "");
    return outcome;
}

/*
 * Has the disk another size than its frontend was told, which would listen? One that is not
 * connected yet may see the same state twice as one. A lost disk has no size.
 */
static bool owes_size(const struct vbd *v)
{
    return v->state == SCHEMA_VBD_SERVING && v->front_state == XENBUS_CONNECTED && v->disk.disk &&
           disk_nr_pages(v->disk.disk) != v->told_pages;
}

static bool publish_sectors(struct backend *b)
{
    struct vbd *v = (struct vbd *)b;

    if (v->disk.disk)
        vbd_nodes_sectors(b, &v->disk);
    return b->refused == 0;
}

/*
 * A frontend that is connected reads `sectors` when our state is written. One that closes would
 * take Connected for the begin of another connection, so it is told nothing.
 */
static void resize(struct vbd *v)
{
    if (!owes_size(v))
        return;
    if (!backend_repeat_state_with(&v->backend, publish_sectors))
        return; /* it may be at 5 next time; owes_size() says */
    v->told_pages = disk_nr_pages(v->disk.disk);
    log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_INFO, "resize",
                "dom=%u vbd=%u pages=%u", v->backend.place.guest, v->backend.place.device,
                v->told_pages);
}

static void disown(struct vbd *v, const char *why)
{
    backend_publish_error(&v->backend, why);
    end_session(v, "the manager has closed the session");
    backend_owe_state(&v->backend, XENBUS_CLOSING);
    backend_owe_state(&v->backend, XENBUS_CLOSED);
}

/* The toolstack waits for 6, and then for our folder to go. */
static void end(struct vbd *v, const char *why)
{
    end_session(v, why);
    vbd_world_drop_records(v->world, &v->backend.place);
    v->waits = false;
    end_disk(v);
    backend_owe_state(&v->backend, XENBUS_CLOSED);
    v->remove_at_ms = clock_now_ms() + FOLDER_MS;
}

/* ---- the state machine ---- */

static void enter(struct vbd *v, enum schema_vbd_state next, const char *event)
{
    if (next != v->state)
        log_limited(v->backend.log, &v->backend.log_limit, LOG_LEVEL_DEBUG, "state",
                    "dom=%u vbd=%u from=%s to=%s event=\"%s\"", v->backend.place.guest,
                    v->backend.place.device, schema_vbd_state_name(v->state),
                    schema_vbd_state_name(next), event);
    v->state = next;
}

/* @resuming: an earlier daemon has connected it, and we have not yet. */
static enum outcome act(struct vbd *v, enum schema_vbd_action action, enum schema_vbd_event event,
                        bool resuming, const char *why, char why_out[SCHEMA_REASON_LEN])
{
    switch (action) {
    case SCHEMA_VBD_NOTHING:
        break;
    case SCHEMA_VBD_OFFER:
        return offer(v, event == SCHEMA_VBD_RENEWED, why, why_out);
    case SCHEMA_VBD_ATTACH:
        return attach(v, resuming, event == SCHEMA_VBD_UNWANTED, why_out);
    case SCHEMA_VBD_RESIZE:
        resize(v);
        break;
    case SCHEMA_VBD_LEAVE:
        backend_owe_state(&v->backend, XENBUS_CLOSING);
        break;
    case SCHEMA_VBD_CLOSE:
        end_session(v, why);
        backend_owe_state(&v->backend, XENBUS_CLOSED);
        break;
    case SCHEMA_VBD_DISOWN:
        disown(v, why);
        if (event == SCHEMA_VBD_NO_DISK) {
            vbd_disk_close(&v->disk, v->world);
            touch_waiting(v);
        }
        break;
    case SCHEMA_VBD_END:
        end(v, why);
        break;
    }
    return DONE;
}

/* False: it is to be looked at again, and its state is such that the same will be done then. */
static bool apply(struct vbd *v, enum schema_vbd_event event, const char *why)
{
    enum schema_vbd_state before = v->state;
    struct schema_vbd_step step = schema_vbd_step(before, event);
    char failure[SCHEMA_REASON_LEN];

    if (step.next == SCHEMA_VBD_REFUSED)
        return true;
    enter(v, step.next, schema_vbd_event_name(event));
    switch (act(v, step.action, event, before == SCHEMA_VBD_RESUMING, why, failure)) {
    case DONE:
        return true;
    case LATER:
        /* what was offered before is no more, and nothing is left of what the last daemon served */
        if (step.action == SCHEMA_VBD_OFFER)
            v->backend.is_new = false;
        enter(v, step.action == SCHEMA_VBD_OFFER ? SCHEMA_VBD_NEW : before, "not known yet");
        return false;
    case WAITS:
        enter(v, before, "in use");
        return true;
    case LACKS:
        enter(v, before, "not now");
        wait_to_take_up(v, failure);
        return false;
    case NO_DISK:
        return apply(v, SCHEMA_VBD_NO_DISK, failure);
    case BROKEN:
        break;
    }
    return apply(v, SCHEMA_VBD_BROKEN, failure);
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
    bool connected = v->session.device || v->state == SCHEMA_VBD_RESUMING;
    uint32_t state;
    bool gone;

    if (!backend_read_front(&v->backend, &state, &gone))
        return false;
    v->front_state = state;
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
    if (v->session.device && device_broken(v->session.device)) {
        *event_out = SCHEMA_VBD_BROKEN;
        *why_out = device_broken(v->session.device);
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

/* Is it too early for @action? What the toolstack does is never. */
static bool is_paced(struct vbd *v, enum schema_vbd_event event, uint64_t now_ms)
{
    switch (schema_vbd_step(v->state, event).action) {
    case SCHEMA_VBD_ATTACH:
        return !backend_may_attach(&v->backend, now_ms);
    case SCHEMA_VBD_OFFER:
        return event != SCHEMA_VBD_RENEWED && !backend_may_offer(&v->backend, now_ms);
    default:
        return false;
    }
}

/* False: it has to wait. */
static bool take_step(struct vbd *v, uint64_t now_ms)
{
    enum schema_vbd_event event;
    const char *why;

    if (!observe(v, &event, &why) || is_paced(v, event, now_ms))
        return false;
    return apply(v, event, why);
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
        if (!is_over(&v->backend))
            backend_look_again(&v->backend, now_ms);
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
        if (!take_step(v, now_ms)) {
            backend_look_again(b, now_ms);
            return;
        }
        if (v->state == before || v->state == SCHEMA_VBD_ENDED)
            break;
    }
    b->is_new = false;
    vbd_session_tell_news(&v->session, b);
    if (v->state == SCHEMA_VBD_ENDED)
        tidy(v, now_ms);
    else if (owes_size(v))
        backend_look_again(b, now_ms);
    else if (!backend_look_for_debts(b, now_ms))
        backend_look_unwatched(b, now_ms);
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
    if (v->state == SCHEMA_VBD_RESUMING)
        vbd_disk_read_discards(&v->disk, &v->backend);
    return &v->backend;
}

/* We are stopping: all stays as it is, for the next daemon to take up. */
static void destroy(struct backend *b)
{
    struct vbd *v = (struct vbd *)b;

    vbd_session_close(&v->session, v->world, b, "stopping", true);
    vbd_disk_close(&v->disk, v->world);
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

        if (v->session.link && vbd_link_attends(v->session.link))
            b->touched = true;
    }
}
