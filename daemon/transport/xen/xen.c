/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/transport.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/transport/xen/node.h"
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

static const struct timeval AT_ONCE = {0};
/* When attachments wait that were made too often, or for what xenstore did not say. */
#define LATER_MS 200u
static const struct timeval LATER = {.tv_usec = 1000 * LATER_MS};

static const char release[] = "@releaseDomain";

struct xen_transport {
    struct attachment_world world;
    char backends[SCHEMA_PATH_LEN], policies[SCHEMA_PATH_LEN]; /* watched */
    struct attachment *attachments;
    bool listing;           /* folders may have come or gone that no event names */
    uint64_t not_before_ms; /* xenstore did not say: no listing and no sweep before that time */
    bool announced;         /* the manager has said that it is ready */
    bool rest;              /* the turn before was a long one */
    bool at_once;           /* work_event is due at once */
    bool deaf;              /* xenstore is gone */
    struct log_limit log_limit;
    struct event *store_event, *left_event;
    struct event *work_event; /* a timer: there is more to do */
};

/* ---- which attachments there are ---- */

static struct attachment *find_attachment(struct xen_transport *t, const struct schema_place *place)
{
    for (struct attachment *a = t->attachments; a; a = a->next) {
        if (a->place.guest == place->guest && a->place.device == place->device)
            return a;
    }
    return NULL;
}

/* Something below the folder of @place has changed. False: no memory, or xenstore does not say. */
static bool touch(struct xen_transport *t, const struct schema_place *place)
{
    struct attachment *a = find_attachment(t, place);

    if (a) {
        a->touched = true;
        return true;
    }
    a = attachment_create(&t->world, place);
    if (!a) {
        log_limited(t->world.log, &t->log_limit, LOG_LEVEL_ERROR, "xen",
                    "dom=%u device=%u why=\"cannot be taken up now: %s\"", place->guest,
                    place->device, strerror(errno));
        return false;
    }
    a->next = t->attachments;
    t->attachments = a;
    return true;
}

static void touch_all(struct xen_transport *t)
{
    for (struct attachment *a = t->attachments; a; a = a->next)
        a->touched = true;
}

/*
 * Names of the children of @path that are numbers go to @visit. False: xenstore does not say
 * which there are, or a visit was in vain.
 */
static bool for_each_number(struct xen_transport *t, const char *path,
                            bool (*visit)(struct xen_transport *t, uint32_t number,
                                          const struct schema_place *place),
                            const struct schema_place *place)
{
    unsigned nr = 0;
    char **names = t->world.platform->ops->list(t->world.platform, path, &nr);
    bool ok = true;

    if (!names)
        return errno == ENOENT;
    for (unsigned i = 0; i < nr; i++) {
        uint64_t number;

        if (schema_scan_number(names[i], strlen(names[i]), &number) && number <= UINT32_MAX)
            ok = visit(t, (uint32_t)number, place) && ok;
    }
    free(names);
    return ok;
}

static bool visit_device(struct xen_transport *t, uint32_t device, const struct schema_place *guest)
{
    struct schema_place place = *guest;

    place.device = device;
    return touch(t, &place);
}

static bool visit_guest(struct xen_transport *t, uint32_t domid, const struct schema_place *nobody)
{
    struct schema_place place = {.manager = t->world.platform->domid, .guest = domid};
    char path[SCHEMA_PATH_LEN];

    (void)nobody;
    schema_folder(path, &place, SCHEMA_IN_BACKEND);
    *strrchr(path, '/') = '\0'; /* the folder above has one for each device */
    return for_each_number(t, path, visit_device, &place);
}

/* What could not be listed is listed again later. */
static void list_attachments(struct xen_transport *t, uint64_t now_ms)
{
    touch_all(t);
    t->listing = !for_each_number(t, t->backends, visit_guest, NULL);
    if (t->listing)
        t->not_before_ms = now_ms + LATER_MS;
}

static void drop(struct xen_transport *t, struct attachment *gone)
{
    for (struct attachment **at = &t->attachments; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            attachment_destroy(gone);
            return;
        }
    }
}

/* ---- events ---- */

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static void on_policy_path(struct xen_transport *t, const char *path)
{
    struct schema_place place;
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct attachment *a;

    if (schema_shared_of(path, t->world.platform->domid, uuid)) {
        policies_touch_shared(t->world.policies, uuid);
    } else if (schema_guest_of(path, t->world.platform->domid, &place)) {
        a = find_attachment(t, &place);
        if (a)
            a->touched = a->policy_touched = true;
    } else {
        policies_touch_all_shared(t->world.policies);
        for (a = t->attachments; a; a = a->next)
            a->touched = a->policy_touched = true;
    }
}

static void on_path(struct xen_transport *t, const char *path)
{
    struct schema_place place;

    if (schema_backend_of(path, t->world.platform->domid, &place)) {
        t->listing = !touch(t, &place) || t->listing;
    } else if (is_below(path, t->backends)) {
        t->listing = true;
    } else if (is_below(path, t->policies)) {
        on_policy_path(t, path);
    } else if (strcmp(path, release) == 0) {
        touch_all(t);
    } else {
        for (struct attachment *a = t->attachments; a; a = a->next) {
            if (strcmp(path, a->front_state_path) == 0)
                a->touched = true;
        }
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
    for (struct attachment *a = t->attachments; a; a = a->next) {
        if (a->admitted && a->key.id == key->id && a->key.device == key->device &&
            memcmp(a->key.uuid, key->uuid, sizeof(key->uuid)) == 0)
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

/* Can it be looked at in this turn? */
static bool is_due(const struct xen_transport *t, const struct attachment *a, uint64_t now_ms)
{
    return a->touched && a->not_before_ms <= now_ms && (t->world.may_map || !a->wants_map);
}

/* The list is begun anew each time: a look may change it. Who was looked at goes to its end. */
static bool look_at_one(struct xen_transport *t, uint64_t now_ms)
{
    struct attachment **at = &t->attachments, *a;

    while (*at && !is_due(t, *at, now_ms))
        at = &(*at)->next;
    a = *at;
    if (!a)
        return false;
    attachment_look(a, now_ms);
    if (attachment_is_over(a)) {
        drop(t, a);
        t->world.sweep = true; /* it may never have been admitted */
        return true;
    }
    *at = a->next;
    a->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = a;
    return true;
}

/* All is taken up that was there when we began: the manager is ready. */
static void announce(struct xen_transport *t)
{
    const struct schema_place self = {.manager = t->world.platform->domid};

    if (t->announced || t->listing)
        return;
    for (const struct attachment *a = t->attachments; a; a = a->next) {
        if (a->is_new)
            return;
    }
    t->announced = true;
    if (!node_write_number(t->world.platform, &self, SCHEMA_MANAGER_READY, t->world.epoch))
        log_event(t->world.log, LOG_LEVEL_ERROR, "xenstore",
                  "why=\"node data/xentmem/ready cannot be written: %s\"", strerror(errno));
}

/* Is there somebody to be looked at in the next turn? */
static bool is_more(const struct xen_transport *t, uint64_t now_ms)
{
    for (const struct attachment *a = t->attachments; a; a = a->next) {
        if (a->touched && a->not_before_ms <= now_ms)
            return true;
    }
    return false;
}

static bool is_waiting(const struct xen_transport *t)
{
    bool waiting = t->listing || t->world.sweep || policies_wait(t->world.policies);

    for (const struct attachment *a = t->attachments; a; a = a->next)
        waiting = waiting || a->touched;
    return waiting;
}

/* When to go on: there is @more, or somebody waits for its time. */
static void plan(struct xen_transport *t, bool more)
{
    if (t->at_once)
        return; /* adding it again would put it off, and a guest could do that for ever */
    t->at_once = more;
    if (more)
        event_add(t->work_event, &AT_ONCE);
    else if (is_waiting(t))
        event_add(t->work_event, &LATER);
}

static void take_turn(struct xen_transport *t, bool may_map)
{
    uint64_t now_ms = clock_now_ms();
    bool more;

    if (t->deaf)
        return;
    t->world.may_map = may_map;
    t->world.was_long = false;
    more = take_events(t);
    if (t->deaf) {
        event_del(t->store_event);
        return;
    }
    if (t->listing && t->not_before_ms <= now_ms)
        list_attachments(t, now_ms);
    more = policies_run(t->world.policies, POOLS_PER_TURN, now_ms) || more;
    for (unsigned i = 0; i < ATTACHMENTS_PER_TURN && !t->world.was_long; i++) {
        if (!look_at_one(t, now_ms))
            break;
    }
    t->world.may_map = false;
    t->rest = t->rest || t->world.was_long;
    more = is_more(t, now_ms) || more;
    if (!more) {
        if (t->world.sweep && t->not_before_ms <= now_ms)
            sweep_accounts(t, now_ms);
        announce(t);
    }
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

/* The process at the other end of some link is gone; its worker has seen it. */
static void on_left(evutil_socket_t fd, short what, void *arg)
{
    struct xen_transport *t = arg;
    uint64_t value;
    ssize_t r = read(fd, &value, sizeof(value));

    (void)r;
    (void)what;
    for (struct attachment *a = t->attachments; a; a = a->next) {
        if (a->peer && atomic_load(&a->peer->left))
            a->touched = true;
    }
    take_turn(t, false);
}

/* ---- starting ---- */

static bool watch_all(struct xen_transport *t, const char **why_out)
{
    struct platform *platform = t->world.platform;

    if (platform->ops->watch(platform, t->policies) &&
        platform->ops->watch(platform, t->backends) && platform->ops->watch(platform, release))
        return true;
    *why_out = strerror(errno);
    return false;
}

static bool make_events(struct xen_transport *t, struct event_base *base, const char **why_out)
{
    struct platform *platform = t->world.platform;

    *why_out = "out of memory or descriptors";
    t->world.left_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
    t->listing = t->world.sweep = true;
    plan(t, true);
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
    schema_backends(t->backends, platform->domid);
    schema_policies(t->policies, platform->domid);
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
    free_event(t->work_event);
    free_event(t->left_event);
    free_event(t->store_event);
    while (t->attachments)
        drop(t, t->attachments);
    if (t->world.policies)
        policies_destroy(t->world.policies);
    if (t->world.left_fd >= 0)
        close(t->world.left_fd);
    t->world.platform->ops->close(t->world.platform);
    free(t);
}
