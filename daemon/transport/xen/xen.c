/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/transport.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/transport/xen/node.h"
#include "daemon/transport/xen/roster.h"
#include "daemon/transport/xen/vbd.h"
#include "daemon/util/clock.h"
#include "protocol/local.h"

/* What we offer; tmemif.h has the bounds of the protocol. */
#define OFFER_MAX_RINGS      16u
#define OFFER_MAX_ORDER      TMEMIF_MAX_RING_PAGE_ORDER
#define OFFER_MAX_DATA_PAGES 16384u /* 64 MiB: about a tenth of a second to map */
/*
 * Half of it is how long the heartbeats may go without a look, which is what one attach takes at
 * most, with much to spare for a processor that others use (PROTOCOL.md, section 11).
 */
#define OFFER_FENCE_MIN_MS 1000u
_Static_assert(OFFER_FENCE_MIN_MS >= SESSION_FENCE_MIN_MS, "sessions would refuse what is offered");
_Static_assert(OFFER_FENCE_MIN_MS == TMEMIF_LOCAL_MIN_FENCE_MS, "one thread looks at all");

/*
 * A turn takes so many events off the queue, which is done with little work for each, so that a
 * guest that floods a node cannot make the queue grow; and then looks at so many
 * attachments and pools, each with some messages to xenstored. Between turns others have theirs.
 *
 * What maps or unmaps a guest's memory ends the turn, and the next turn does not map either: a
 * timer that became due meanwhile, such as that of the heartbeats, may come after it.
 */
#define EVENTS_PER_TURN      1024u
#define ATTACHMENTS_PER_TURN 16u
#define POOLS_PER_TURN       8u
#define VBDS_PER_TURN        8u /* a few pages are mapped for each */

/* So many turns in a row may leave something to do before the housekeeping has its own. */
#define BUSY_TURNS 16u

static const struct timeval AT_ONCE = {0};
/* When attachments wait that were made too often, or for what xenstore did not say. */
#define LATER_MS 200u
static const struct timeval LATER = {.tv_usec = 1000 * LATER_MS};

static const char release[] = "@releaseDomain";

struct xen_transport {
    struct attachment_world world;
    struct vbd_world vbd_world;
    char policies[SCHEMA_PATH_LEN]; /* watched */
    struct roster attachments;
    struct roster vbds;     /* disks; empty in dom0 */
    uint64_t not_before_ms; /* xenstore did not say: no sweep before that time */
    unsigned nr_busy_turns; /* since the last housekeeping */
    bool announced;         /* the manager has said that it is ready */
    bool rest;              /* the turn before was a long one */
    bool at_once;           /* work_event is due at once */
    bool deaf;              /* xenstore is gone */
    struct event *store_event, *left_event;
    struct event *work_event; /* a timer: there is more to do */
};

/* ---- events ---- */

static struct attachment *attachment_of(struct backend *b)
{
    return (struct attachment *)b;
}

static void touch_policy(struct backend *b)
{
    b->touched = true;
    attachment_of(b)->policy_touched = true;
}

static void on_policy_path(struct xen_transport *t, const char *path)
{
    struct schema_place place;
    uint8_t uuid[TMEMIF_UUID_LEN];

    if (schema_shared_of(path, t->world.platform->domid, uuid)) {
        policies_touch_shared(t->world.policies, uuid);
    } else if (schema_folder_of(path, t->world.platform->domid, SCHEMA_IN_GUEST, &place)) {
        struct backend *b = roster_find(&t->attachments, &place);

        if (b)
            touch_policy(b);
    } else {
        policies_touch_all_shared(t->world.policies);
        for (struct backend *b = t->attachments.first; b; b = b->next)
            touch_policy(b);
    }
}

static void on_path(struct xen_transport *t, const char *path)
{
    if (schema_is_below(path, t->policies)) {
        on_policy_path(t, path);
    } else if (strcmp(path, release) == 0) {
        roster_touch_all(&t->attachments);
        roster_touch_all(&t->vbds);
    } else if (!roster_hear(&t->attachments, path)) {
        roster_hear(&t->vbds, path);
    }
}

/* True: there may be more. */
static bool take_events(struct xen_transport *t)
{
    char path[SCHEMA_PATH_LEN];

    for (unsigned i = 0; i < EVENTS_PER_TURN; i++) {
        if (!t->world.platform->ops->next_event(t->world.platform, path)) {
            if (errno != EAGAIN && errno != EINTR) {
                /* those who are attached are served on; nobody else can come or go */
                log_event(t->world.log, LOG_LEVEL_ERROR, "xenstore",
                          "why=\"the connection is lost: %s\" hint=\"restart the daemon\"",
                          strerror(errno));
                t->deaf = true;
            }
            return false;
        }
        on_path(t, path);
    }
    return true;
}

/* ---- accounts of guests that were detached, or died, while nobody looked ---- */

static bool is_attached_here(struct xen_transport *t, const struct account_key *key)
{
    for (struct backend *b = t->attachments.first; b; b = b->next) {
        const struct attachment *a = attachment_of(b);

        if (a->admitted && account_key_is(&a->key, key))
            return true;
    }
    return false;
}

/*
 * Does @key belong to nobody any more? It does if its folder, or the node that says whose it
 * is, is not there, or names somebody else. NODE_FINE: it is somebody's.
 */
static enum node_result find_owner(struct xen_transport *t, const struct account_key *key)
{
    const struct schema_place place = {t->world.platform->domid, key->id, key->device};
    struct account_key now = {0};
    enum node_result result = policies_read_key(t->world.policies, &place, &now);
    char path[SCHEMA_PATH_LEN];
    unsigned nr = 0;
    char **names;

    if (result == NODE_FINE && memcmp(now.uuid, key->uuid, sizeof(now.uuid)) != 0)
        return NODE_ABSENT;
    if (result == NODE_ABSENT || result == NODE_UNKNOWN)
        return result;
    schema_folder(path, &place, SCHEMA_IN_BACKEND);
    names = t->world.platform->ops->list(t->world.platform, path, &nr);
    if (!names)
        return errno == ENOENT ? NODE_ABSENT : NODE_UNKNOWN;
    free(names);
    return NODE_FINE;
}

/* An account holds pages that must not be lost: without a clear answer it stays. */
static void sweep_accounts(struct xen_transport *t, uint64_t now_ms)
{
    struct account_key key;
    uint32_t cursor = 0;

    t->world.sweep = false;
    while (sessions_account_next(t->world.sessions, &cursor, &key)) {
        if (key.kind != ACCOUNT_XEN || is_attached_here(t, &key))
            continue;
        switch (find_owner(t, &key)) {
        case NODE_ABSENT:
            sessions_forget(t->world.sessions, &key);
            policies_dismiss(t->world.policies, &key);
            break;
        case NODE_UNKNOWN:
            t->world.sweep = true;
            t->not_before_ms = now_ms + LATER_MS;
            break;
        default:
            break;
        }
    }
}

/* ---- a turn of the control thread ---- */

/* One attachment or disk. False: none is due. */
static bool look_at_one(struct xen_transport *t, uint64_t now_ms)
{
    enum roster_look looked = roster_look_at_one(&t->attachments, now_ms, t->world.may_map);

    if (looked == ROSTER_ENDED)
        t->world.sweep = true; /* it may never have been admitted */
    return looked != ROSTER_NONE;
}

/* All is taken up that was there when we began: the manager is ready. */
static void announce(struct xen_transport *t)
{
    const struct schema_place self = {.manager = t->world.platform->domid};

    if (t->announced || roster_has_new(&t->attachments) || roster_has_new(&t->vbds))
        return;
    t->announced = true;
    if (!node_write_number(t->world.platform, &self, SCHEMA_MANAGER_READY, t->world.epoch))
        log_event(t->world.log, LOG_LEVEL_ERROR, "xenstore",
                  "why=\"node data/xentmem/ready cannot be written: %s\"", strerror(errno));
}

/* When to go on: there is @more, or somebody waits for its time. */
static void plan(struct xen_transport *t, bool more)
{
    if (t->at_once)
        return; /* adding it again would put it off, and a guest could do that for ever */
    t->at_once = more;
    if (more)
        event_add(t->work_event, &AT_ONCE);
    else if (t->world.sweep || policies_wait(t->world.policies) || roster_waits(&t->attachments) ||
             roster_waits(&t->vbds))
        event_add(t->work_event, &LATER);
}

/* Some of what is touched. True: there is more. */
static bool look_around(struct xen_transport *t, uint64_t now_ms)
{
    bool more;

    roster_list(&t->attachments, now_ms);
    roster_list(&t->vbds, now_ms);
    more = policies_run(t->world.policies, POOLS_PER_TURN, now_ms);
    for (unsigned i = 0; i < ATTACHMENTS_PER_TURN && !t->world.was_long; i++) {
        if (!look_at_one(t, now_ms))
            break;
    }
    for (unsigned i = 0; i < VBDS_PER_TURN; i++) {
        if (roster_look_at_one(&t->vbds, now_ms, true) == ROSTER_NONE)
            break;
    }
    return roster_is_due(&t->attachments, now_ms) || roster_is_due(&t->vbds, now_ms) || more;
}

/* What nobody asks for by a node. */
static void keep_house(struct xen_transport *t, uint64_t now_ms)
{
    t->nr_busy_turns = 0;
    if (t->world.sweep && t->not_before_ms <= now_ms)
        sweep_accounts(t, now_ms);
    if (!roster_has_new(&t->vbds) && vbd_world_sweep_is_due(&t->vbd_world))
        vbd_world_sweep(&t->vbd_world);
    announce(t);
}

static void take_turn(struct xen_transport *t, bool may_map)
{
    uint64_t now_ms = clock_now_ms();
    bool more;

    if (t->deaf)
        return;
    more = take_events(t);
    if (t->deaf) {
        event_del(t->store_event);
        return;
    }
    t->world.may_map = may_map;
    t->world.was_long = false;
    more = look_around(t, now_ms) || more;
    t->world.may_map = false;
    t->rest = t->rest || t->world.was_long;
    /* guests that write all the time would put it off for ever */
    if (!more || ++t->nr_busy_turns == BUSY_TURNS)
        keep_house(t, now_ms);
    plan(t, more);
}

void xen_transport_turn(struct xen_transport *t)
{
    bool may_map = !t->rest;

    t->rest = false;
    take_turn(t, may_map);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
    struct xen_transport *t = arg;

    (void)fd;
    (void)what;
    t->at_once = false;
    xen_transport_turn(t);
}

/* There may be two of these for one of on_work(), so they do not map. */
static void on_store(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    take_turn(arg, false);
}

/* The process at the other end of some link is gone, a disk has news, or something is owed. */
static void on_left(evutil_socket_t fd, short what, void *arg)
{
    struct xen_transport *t = arg;
    uint64_t value;
    ssize_t r = read(fd, &value, sizeof(value));

    (void)r;
    (void)what;
    for (struct backend *b = t->attachments.first; b; b = b->next) {
        if (attachment_of(b)->peer && atomic_load(&attachment_of(b)->peer->left))
            b->touched = true;
    }
    vbds_attend(&t->vbds);
    take_turn(t, false);
}

/* A disk that @user has has become larger. */
static void on_resized(void *arg, const struct disk_owner *user)
{
    const struct schema_place place = {.guest = user->domid, .device = user->vdev};
    struct xen_transport *t = arg;
    struct backend *b = roster_find(&t->vbds, &place);

    if (!b)
        return;
    b->touched = true;
    plan(t, true);
}

/* ---- starting ---- */

static bool watch_all(struct xen_transport *t, const char **why_out)
{
    struct platform *platform = t->world.platform;

    if (platform->ops->watch(platform, t->policies) &&
        platform->ops->watch(platform, t->attachments.path) &&
        (!t->vbd_world.disks || platform->ops->watch(platform, t->vbds.path)) &&
        platform->ops->watch(platform, release))
        return true;
    *why_out = strerror(errno);
    return false;
}

static bool make_events(struct xen_transport *t, struct event_base *base, const char **why_out)
{
    struct platform *platform = t->world.platform;

    *why_out = "out of memory or descriptors";
    t->world.left_fd = t->vbd_world.attend_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->world.left_fd < 0)
        return false;
    t->store_event =
        event_new(base, platform->ops->event_fd(platform), EV_READ | EV_PERSIST, on_store, t);
    t->left_event = event_new(base, t->world.left_fd, EV_READ | EV_PERSIST, on_left, t);
    t->work_event = event_new(base, -1, 0, on_work, t);
    return t->store_event && t->left_event && t->work_event &&
           event_add(t->store_event, NULL) == 0 && event_add(t->left_event, NULL) == 0;
}

/* All that is there is taken up in turns, which begin with the loop. */
static void begin(struct xen_transport *t)
{
    uint64_t now_ms = clock_now_ms();

    policies_touch_all_shared(t->world.policies);
    while (policies_run(t->world.policies, POOLS_PER_TURN, now_ms))
        ;
    t->attachments.listing = t->world.sweep = true;
    t->vbds.listing = t->vbd_world.disks != NULL;
    if (t->vbd_world.disks)
        disks_tell(t->vbd_world.disks, on_resized, t);
    plan(t, true);
}

/* In dom0 libxl and the kernel's own backend take a disk's target for a file of theirs. */
static void prepare_vbds(struct xen_transport *t, const struct xen_config *config)
{
    struct platform *platform = t->world.platform;

    t->vbd_world = (struct vbd_world){
        .platform = platform,
        .sessions = config->sessions,
        .store = config->store,
        .log = config->log,
        .disks = platform->domid == 0 ? NULL : config->disks,
        .roster = &t->vbds,
        .nr_workers = config->nr_workers,
    };
    t->vbds = (struct roster){.ops = &vbd_roster_ops,
                              .world = &t->vbd_world,
                              .platform = platform,
                              .log = config->log,
                              .folder = SCHEMA_IN_VBD_BACKEND};
    schema_vbds(t->vbds.path, platform->domid);
    if (config->disks && !t->vbd_world.disks) {
        disks_taken_up(config->disks);
        log_event(config->log, LOG_LEVEL_NOTICE, "no-disks",
                  "dom=0 why=\"disks need a manager domain: with backend=0 xl takes target= for a "
                  "file of dom0\"");
    }
}

struct xen_transport *xen_transport_start_on(struct platform *platform,
                                             const struct xen_config *config, const char **why_out)
{
    struct xen_transport *t = calloc(1, sizeof(*t));

    *why_out = "out of memory";
    if (!t) {
        platform->ops->close(platform);
        return NULL;
    }
    t->world = (struct attachment_world){
        .platform = platform,
        .sessions = config->sessions,
        .log = config->log,
        .offer = {.max_rings = OFFER_MAX_RINGS,
                  .max_order = OFFER_MAX_ORDER,
                  .max_data_pages = OFFER_MAX_DATA_PAGES,
                  .fence_ms_min = OFFER_FENCE_MIN_MS},
        .epoch = config->epoch,
        .left_fd = -1,
    };
    t->attachments = (struct roster){.ops = &attachment_roster_ops,
                                     .world = &t->world,
                                     .platform = platform,
                                     .log = config->log,
                                     .folder = SCHEMA_IN_BACKEND};
    schema_backends(t->attachments.path, platform->domid);
    schema_policies(t->policies, platform->domid);
    prepare_vbds(t, config);
    t->world.policies = policies_create(platform, config->log, config->policy, config->policy_arg);
    if (!t->world.policies || !make_events(t, config->base, why_out) || !watch_all(t, why_out)) {
        xen_transport_stop(t);
        return NULL;
    }
    begin(t);
    log_event(config->log, LOG_LEVEL_NOTICE, "xen", "dom=%u epoch=%u", platform->domid,
              config->epoch);
    return t;
}

struct xen_transport *xen_transport_start(const struct xen_config *config, const char **why_out)
{
    struct platform *platform = platform_open(why_out);

    return platform ? xen_transport_start_on(platform, config, why_out) : NULL;
}

uint64_t xen_transport_notify_ns(uint64_t (*now_ns)(void))
{
    return platform_notify_ns(now_ns);
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void xen_transport_stop(struct xen_transport *t)
{
    const struct schema_place self = {.manager = t ? t->world.platform->domid : 0};

    if (!t)
        return;
    node_remove(t->world.platform, &self, SCHEMA_MANAGER_READY);
    if (t->vbd_world.disks)
        disks_tell(t->vbd_world.disks, NULL, NULL);
    free_event(t->work_event);
    free_event(t->left_event);
    free_event(t->store_event);
    roster_fini(&t->vbds);
    roster_fini(&t->attachments);
    vbd_world_fini(&t->vbd_world);
    if (t->world.policies)
        policies_destroy(t->world.policies);
    if (t->world.left_fd >= 0)
        close(t->world.left_fd);
    t->world.platform->ops->close(t->world.platform);
    free(t);
}
