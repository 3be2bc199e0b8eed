/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_session.h"

#include <inttypes.h>
#include <stdio.h>

static void log_failures(const struct vbd_session *s, struct backend *b, const char *when)
{
    struct device_stats stats = device_stats(s->device);

    log_limited(b->log, &b->log_limit, LOG_LEVEL_NOTICE, "disk",
                "dom=%u vbd=%u %s refused=%" PRIu64 " full=%" PRIu64 " damaged=%" PRIu64
                " failed=%" PRIu64,
                b->place.guest, b->place.device, when, stats.refused, stats.full, stats.damaged,
                stats.failed);
}

static void tell_copying(struct vbd_session *s, struct backend *b)
{
    if (vbd_link_cannot_map(s->link))
        log_limited(b->log, &b->log_limit, LOG_LEVEL_NOTICE, "disk",
                    "dom=%u vbd=%u why=\"pages that it grants for good cannot be mapped: they are "
                    "not granted writable, or the manager has no maptrack frames left; a queue "
                    "copies them from now on, which is slower\" hint=\"max_maptrack_frames\"",
                    b->place.guest, b->place.device);
}

void vbd_session_tell_news(struct vbd_session *s, struct backend *b)
{
    if (s->device && atomic_exchange(&s->device->has_news, false))
        log_failures(s, b, "first failures");
    if (s->link)
        tell_copying(s, b);
}

void vbd_session_wake(struct vbd_session *s)
{
    struct blk_link *link = vbd_link_blk(s->link);

    for (unsigned i = 0; i < link->nr_queues; i++)
        link->ops->notify(link, i);
}

/* ---- opening ---- */

static bool make_device(struct vbd_session *s, struct vbd_world *w, const struct backend *b,
                        const struct vbd_disk *d, bool resume, bool *lacks_out,
                        char why_out[SCHEMA_REASON_LEN])
{
    struct device_config config = {
        .link = vbd_link_blk(s->link),
        .disk = d->disk,
        .store = w->store,
        .owner = {.domid = b->place.guest, .device = b->place.device},
        .read_only = d->read_only,
        .discards = vbd_disk_may_discard(d),
        .scratch = w->scratch,
        .wake = worker_wake,
    };
    const char *why;

    config.link->resume = resume;
    s->device = device_create(&config, lacks_out, &why);
    while (s->device && s->nr_served < s->device->nr_queues &&
           sessions_serve(w->sessions, &s->device->queues[s->nr_served].ring))
        s->nr_served++;
    if (s->device && s->nr_served == s->device->nr_queues)
        return true;
    if (s->device) { /* the device is sound: a worker has no room for a ring of it */
        *lacks_out = true;
        why = "the manager is out of memory or descriptors";
    }
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    return false;
}

bool vbd_session_map(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                     const struct schema_vbd_front *front, bool *lacks_out,
                     char why_out[SCHEMA_REASON_LEN])
{
    return vbd_link_open(b->platform, b->place.guest, front, w->attend_fd, &s->link, lacks_out,
                         why_out);
}

bool vbd_session_serve(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                       const struct vbd_disk *d, bool resume, bool *lacks_out,
                       char why_out[SCHEMA_REASON_LEN])
{
    if (make_device(s, w, b, d, resume, lacks_out, why_out))
        return true;
    vbd_session_close(s, w, b, why_out, resume);
    return false;
}

/* ---- closing ---- */

static void close_device(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                         const char *why, bool kept)
{
    struct device_stats stats;

    for (unsigned i = 0; i < s->nr_served; i++)
        sessions_leave(w->sessions, &s->device->queues[i].ring);
    s->nr_served = 0;
    stats = device_stats(s->device);
    log_limited(b->log, &b->log_limit, LOG_LEVEL_INFO, "detach",
                "dom=%u vbd=%u requests=%" PRIu64 " why=\"%s\"", b->place.guest, b->place.device,
                stats.requests, why);
    if (stats.refused + stats.full + stats.damaged + stats.failed > 0)
        log_failures(s, b, "in all");
    device_destroy(s->device, kept);
    s->device = NULL;
}

void vbd_session_close(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                       const char *why, bool kept)
{
    if (s->device)
        close_device(s, w, b, why, kept);
    if (!s->link)
        return;
    tell_copying(s, b);
    vbd_link_close(s->link);
    s->link = NULL;
}
