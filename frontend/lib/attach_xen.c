/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Xen transport: the frontend's end of the handshake in xenstore-schema/SCHEMA.md. */
#include "frontend/lib/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/lib/clock.h"
#include "frontend/lib/xen_nodes.h"
#include "frontend/lib/xen_share.h"
#include "protocol/ring.h"
#include "protocol/trial.h"
#include "xenstore-schema/states.h"

#define LOCK_FOLDER "/run/xentmem"
/* How long close waits for the manager to unmap: what is still mapped the kernel frees slowly. */
#define CLOSE_TIMEOUT_MS 2000
/* Each takes a grant, of which xen-gntalloc allows a domain 1024 unless told. */
#define DEFAULT_DATA_PAGES 256u

struct attach_xen {
    struct attach attach;
    struct attach_want want;
    struct xen_nodes nodes;
    struct xen_share share;
    enum schema_front_state state;
    uint32_t epoch; /* of the manager, when we last looked */
    bool announced; /* our state node is not as we found it */
    int lock_fd;    /* of this attachment's file */
    int error;      /* what an action failed with */
};

static struct attach_xen *xen_of(struct attach *a)
{
    return (struct attach_xen *)((char *)a - offsetof(struct attach_xen, attach));
}

/* ---- what the steps do ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As wanted, within what the backend offers. */
static int choose_sizes(struct attach_xen *x)
{
    uint32_t rings = attach_choose_rings(1);
    uint32_t order = 0, data = DEFAULT_DATA_PAGES;
    uint32_t max_rings, max_order, max_data, fence_min;

    if (!xen_nodes_has_version(&x->nodes, TMEMIF_VERSION_1) ||
        !xen_nodes_number(&x->nodes, SCHEMA_BACKEND_MAX_RINGS, &max_rings) ||
        !xen_nodes_number(&x->nodes, SCHEMA_BACKEND_MAX_ORDER, &max_order) ||
        !xen_nodes_number(&x->nodes, SCHEMA_BACKEND_MAX_DATA, &max_data) ||
        !xen_nodes_number(&x->nodes, SCHEMA_BACKEND_FENCE_MIN, &fence_min)) {
        log_say(&x->want.log, "the manager does not offer what version 1 of the protocol takes");
        return EPROTO;
    }
    if (x->want.fence_ms && x->want.fence_ms < fence_min) {
        log_say(&x->want.log, "the manager's shortest fence time is %u ms", fence_min);
        return EINVAL;
    }
    if (x->want.nr_rings)
        rings = x->want.nr_rings;
    if (x->want.ring_page_order >= 0)
        order = (uint32_t)x->want.ring_page_order;
    if (x->want.nr_data_pages)
        data = x->want.nr_data_pages;
    x->share.nr_rings = least(rings, max_rings);
    x->share.ring_page_order = least(order, max_order);
    x->share.nr_data_pages = least(data, max_data);
    if (x->share.nr_data_pages < x->want.min_data_pages) {
        log_say(&x->want.log, "%u pages of data are needed, and the manager takes no more than %u",
                x->want.min_data_pages, max_data);
        return ENOSPC;
    }
    return 0;
}

/* Until our nodes are there the ports have no other end. */
static void notify_nobody(void *share)
{
    xen_share_notify(share, 0);
}

static int share(struct attach_xen *x)
{
    struct xen_share *s = &x->share;
    int error = choose_sizes(x);

    if (!error)
        error = xen_share_grant(s, x->nodes.place.manager);
    if (error)
        return error;
    x->attach.notify_ns = trial_call_ns(notify_nobody, s, clock_ns);
    x->attach.nr_rings = s->nr_rings;
    x->attach.ring_page_order = s->ring_page_order;
    x->attach.data = s->data;
    x->attach.nr_data_pages = s->nr_data_pages;
    for (unsigned i = 0; i < s->nr_rings; i++) {
        x->attach.rings[i] = s->rings[i];
        x->attach.wait_fds[i] = xenevtchn_fd(s->channels[i]);
        attach_init_ring(s->rings[i], s->ring_page_order, x->want.session);
    }
    if (xen_nodes_publish(&x->nodes, &(struct xen_offer){.nr_rings = s->nr_rings,
                                                         .ring_page_order = s->ring_page_order,
                                                         .nr_data_pages = s->nr_data_pages,
                                                         .fence_ms = x->want.fence_ms,
                                                         .ring_refs = s->ring_refs,
                                                         .ports = s->ports,
                                                         .nr_directory = s->nr_directory,
                                                         .directory_refs = s->directory_refs}))
        return 0;
    error = errno;
    log_say(&x->want.log, "our nodes cannot be written: %s%s", strerror(error),
            error == ENOSPC ? " (xenstore's quota of nodes)" : "");
    return error ? error : EIO;
}

static void set_state(struct attach_xen *x, uint32_t state)
{
    if (!xen_nodes_set_state(&x->nodes, state))
        x->error = log_error(&x->want.log, "our state cannot be written to xenstore", errno);
}

static void leave(struct attach_xen *x)
{
    if (x->share.rings[0])
        ring_front_leave(x->share.rings[0]);
    xen_nodes_set_state(&x->nodes, XENBUS_CLOSING);
}

static void say_why(const struct attach_xen *x)
{
    char reason[XEN_NODES_REASON_LEN];

    xen_nodes_reason(&x->nodes, reason);
    log_say(&x->want.log, "the manager closed the attachment: %s",
            reason[0] ? reason : "it does not say why");
}

/*
 * Take the step that the table has for @event. What is shared is not freed
 * here, also where the table says so: threads may be looking at the rings. It
 * goes in xen_close(), and until then nothing is begun anew.
 */
static void step(struct attach_xen *x, enum schema_front_event event)
{
    struct schema_front_step s = schema_front_step(x->state, event);

    if (s.next == SCHEMA_FRONT_REFUSED)
        return;
    x->state = s.next;
    switch (s.action) {
    case SCHEMA_FRONT_ANNOUNCE:
        x->announced = true;
        set_state(x, XENBUS_INITIALISING);
        break;
    case SCHEMA_FRONT_SHARE:
        x->error = share(x);
        break;
    case SCHEMA_FRONT_ATTACH:
        set_state(x, XENBUS_CONNECTED);
        break;
    case SCHEMA_FRONT_LEAVE:
        leave(x);
        break;
    case SCHEMA_FRONT_LOOK:
        attach_notify_all(&x->attach);
        break;
    case SCHEMA_FRONT_RETRACT:
    case SCHEMA_FRONT_DISCARD:
    case SCHEMA_FRONT_NOTHING:
        break;
    }
    if (s.next == SCHEMA_FRONT_DISOWNED && s.action == SCHEMA_FRONT_RETRACT)
        say_why(x);
}

/* What has happened in xenstore since we last looked. */
static void look(struct attach_xen *x)
{
    uint32_t epoch = x->epoch, state;

    xen_nodes_drain(&x->nodes);
    if (!xen_nodes_are_ours(&x->nodes)) {
        step(x, SCHEMA_BACK_GONE);
        return;
    }
    if (xen_nodes_backend_state(&x->nodes, &state))
        step(x, schema_front_event_of(state));
    if (xen_nodes_number(&x->nodes, SCHEMA_BACKEND_EPOCH, &epoch) && epoch != x->epoch) {
        x->epoch = epoch;
        step(x, SCHEMA_BACK_RESTARTED);
    }
}

/* Look on until the state is none of @before any more. False: the time is up. */
static bool look_until_past(struct attach_xen *x, unsigned before, uint64_t deadline)
{
    struct pollfd news = {.fd = xen_nodes_fd(&x->nodes), .events = POLLIN};

    for (;;) {
        look(x);
        if (x->error || !(before >> x->state & 1))
            return true;
        if (deadline_passed(deadline))
            return false;
        poll(&news, 1, deadline_left_ms(deadline));
    }
}

/* ---- the attachment ---- */

static void xen_notify(struct attach *a, unsigned ring)
{
    xen_share_notify(&xen_of(a)->share, ring);
}

static void xen_consume(struct attach *a, unsigned ring)
{
    xen_share_consume(&xen_of(a)->share, ring);
}

static enum attach_state xen_look(struct attach *a)
{
    struct attach_xen *x = xen_of(a);

    look(x);
    return x->state == SCHEMA_FRONT_ATTACHED ? ATTACH_SERVED : ATTACH_GONE;
}

static enum attach_state xen_again(struct attach *a)
{
    (void)a;
    return ATTACH_GONE; /* look() never says "lost": a restart is seen in the rings */
}

static void say_good_bye(struct attach_xen *x)
{
    step(x, SCHEMA_USER_CLOSES);
    if (x->state == SCHEMA_FRONT_CLOSING)
        look_until_past(x, 1u << SCHEMA_FRONT_CLOSING, deadline_in_ms(CLOSE_TIMEOUT_MS));
}

static void xen_close(struct attach *a, bool forked)
{
    struct attach_xen *x = xen_of(a);
    bool nodes_are_ours = false;

    x->error = 0;
    if (!forked && x->announced) {
        say_good_bye(x);
        nodes_are_ours = x->state != SCHEMA_FRONT_ORPHANED;
    }
    xen_share_close(&x->share, forked);
    if (nodes_are_ours)
        xen_nodes_set_state(&x->nodes, XENBUS_CLOSED);
    xen_nodes_close(&x->nodes, forked);
    if (x->lock_fd >= 0) {
        /* a child may have a copy of the descriptor, which would keep the lock */
        if (!forked)
            flock(x->lock_fd, LOCK_UN);
        close(x->lock_fd);
    }
    free(x);
}

static const struct attach_ops xen_ops = {
    .notify = xen_notify,
    .consume = xen_consume,
    .look = xen_look,
    .again = xen_again,
    .close = xen_close,
};

static int no_lock(const struct attach_xen *x, const char *path)
{
    int error = errno;
    const char *hint = "";

    if (error == EACCES)
        hint = strcmp(path, LOCK_FOLDER) && access(path, F_OK) == 0
                   ? ": somebody else has made it: let root remove it"
                   : ": others than root need a line in /etc/tmpfiles.d/xentmem.conf: "
                     "d " LOCK_FOLDER " 2775 root GROUP";
    log_say(&x->want.log, "%s: %s%s", path, strerror(error), hint);
    return error;
}

/*
 * One process uses one attachment. Whoever may read the file may lock it: the group, which the
 * operator chooses with the folder's, and no others.
 */
static int take_lock(struct attach_xen *x)
{
    char path[sizeof(LOCK_FOLDER) + 32];

    if (mkdir(LOCK_FOLDER, 0755) < 0 && errno != EEXIST)
        return no_lock(x, LOCK_FOLDER);
    snprintf(path, sizeof(path), LOCK_FOLDER "/xen-%u.lock", x->want.device);
    x->lock_fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0640);
    if (x->lock_fd < 0)
        return no_lock(x, path);
    if (flock(x->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        log_say(&x->want.log, "another process uses xen:%u (it holds %s)", x->want.device, path);
        return EBUSY;
    }
    return 0;
}

/* The handshake. 0 or an errno value. */
static int shake_hands(struct attach_xen *x)
{
    unsigned under_way = 1u << SCHEMA_FRONT_STARTING | 1u << SCHEMA_FRONT_SHARED;

    if (!xen_nodes_watch(&x->nodes)) {
        log_say(&x->want.log, "xenstore cannot be watched: %s", strerror(errno));
        return errno;
    }
    xen_nodes_number(&x->nodes, SCHEMA_BACKEND_EPOCH, &x->epoch);
    step(x, SCHEMA_USER_OPENS);
    if (!x->error && !look_until_past(x, under_way, deadline_in_ms(x->want.timeout_ms))) {
        log_say(&x->want.log, "the manager (domain %u) does not answer", x->nodes.place.manager);
        return ETIMEDOUT;
    }
    if (x->error)
        return x->error;
    switch (x->state) {
    case SCHEMA_FRONT_ATTACHED:
        x->attach.apart = true;
        return 0;
    case SCHEMA_FRONT_ORPHANED:
        log_say(&x->want.log, "the manager (domain %u) is gone", x->nodes.place.manager);
        return ENODEV;
    default:
        return ECONNREFUSED;
    }
}

int attach_xen_open(const struct attach_want *want, struct attach **attach_out)
{
    struct xen_nodes nodes;
    struct attach_xen *x;
    uint32_t state;
    int error;

    /* before anything is allocated: is there a manager at all? */
    error = xen_nodes_open(&nodes, want->device, &want->log);
    if (error)
        return error;
    if (!xen_nodes_backend_state(&nodes, &state) ||
        schema_front_event_of(state) == SCHEMA_BACK_GONE) {
        log_say(&want->log, "the manager (domain %u) is gone", nodes.place.manager);
        xen_nodes_close(&nodes, false);
        return ENODEV;
    }
    x = calloc(1, sizeof(*x));
    if (!x) {
        xen_nodes_close(&nodes, false);
        return log_error(&want->log, "no handle", ENOMEM);
    }
    x->attach.ops = &xen_ops;
    x->attach.log = want->log;
    x->want = *want;
    x->nodes = nodes;
    x->state = SCHEMA_FRONT_IDLE;
    x->lock_fd = -1;

    error = take_lock(x);
    if (!error)
        error = xen_share_open(&x->share, &want->log);
    if (!error)
        error = shake_hands(x);
    if (error) {
        xen_close(&x->attach, false);
        return error;
    }
    x->attach.event_fd = xen_nodes_fd(&x->nodes);
    *attach_out = &x->attach;
    return 0;
}

bool attach_xen_exists(uint32_t device)
{
    const struct log_to nobody = {0};
    struct xen_nodes nodes;

    if (xen_nodes_open(&nodes, device, &nobody))
        return false;
    xen_nodes_close(&nodes, false);
    return true;
}
