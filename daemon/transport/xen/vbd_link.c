/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_link.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/mapping.h"
#include "daemon/transport/xen/persistent_grants.h"
#include "daemon/util/wake.h"
#include "xenstore-schema/nodes.h"

_Static_assert(BLK_MAX_QUEUES <= SCHEMA_VBD_QUEUES, "what is read is enough");

struct vbd_link {
    struct blk_link link; /* first: one is the other */
    struct platform *platform;
    struct platform_grants *grants;
    struct platform_channel *channels[BLK_MAX_QUEUES];
    struct persistent_grants *persistent; /* by queue; NULL: the frontend grants for each request */
    atomic_bool cannot_map;               /* although the frontend grants for good; by workers */
    bool cannot_map_told;
    int attend_fd;
    atomic_bool attends;
};

static struct vbd_link *link_of(struct blk_link *l)
{
    return (struct vbd_link *)l;
}

/* ---- for workers ---- */

static void attend(struct blk_link *l)
{
    atomic_store(&link_of(l)->attends, true);
    wake(link_of(l)->attend_fd);
}

static bool are_done(const struct grant_copy *copies, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        if (copies[i].status != 0)
            return false;
    }
    return true;
}

static bool copy_persistent(struct vbd_link *v, struct persistent_grants *p,
                            struct grant_copy *copies, unsigned nr)
{
    bool had_failed = p->failed;
    bool ok = persistent_grants_copy(p, v->platform->ops, v->grants, copies, nr);

    /* what cannot be copied, either, is the guest's own fault */
    if (p->failed && !had_failed && ok && are_done(copies, nr)) {
        atomic_store(&v->cannot_map, true);
        attend(&v->link);
    }
    return ok;
}

static bool copy(struct blk_link *l, unsigned queue, struct grant_copy *copies, unsigned nr)
{
    struct vbd_link *v = link_of(l);

    if (v->persistent)
        return copy_persistent(v, &v->persistent[queue], copies, nr);
    return v->platform->ops->grants_copy(v->grants, copies, nr);
}

static uint8_t *mapped(struct blk_link *l, unsigned queue, uint32_t ref)
{
    struct vbd_link *v = link_of(l);

    return v->persistent ? persistent_grants_find(&v->persistent[queue], ref) : NULL;
}

static void notify(struct blk_link *l, unsigned queue)
{
    link_of(l)->platform->ops->channel_notify(link_of(l)->channels[queue]);
}

static void consume(struct blk_link *l, unsigned queue)
{
    link_of(l)->platform->ops->channel_consume(link_of(l)->channels[queue]);
}

static const struct blk_link_ops link_ops = {
    .copy = copy, .mapped = mapped, .notify = notify, .consume = consume, .attend = attend};

/* ---- opening ---- */

/*
 * References and ports are used again, but not while they are shared: with the record that is made
 * anew at each connection, what they are tells a connection from the ones before.
 */
static uint64_t session_of(const struct schema_vbd_front *front)
{
    uint64_t x = front->nr_queues * 16 + front->order * 2 + front->is_32_bit;

    for (uint32_t queue = 0; queue < front->nr_queues; queue++) {
        x = x * 0x9e3779b97f4a7c15u + front->channels[queue];
        for (uint32_t i = 0; i < 1u << front->order; i++)
            x = x * 0x9e3779b97f4a7c15u + front->ring_refs[queue][i];
    }
    return x;
}

/* How messages call a queue's node. */
static void name_node(char what_out[MAPPING_WHAT_LEN], const struct schema_vbd_front *front,
                      uint32_t queue, const char *key)
{
    if (front->nr_queues == 1)
        snprintf(what_out, MAPPING_WHAT_LEN, "%s", key);
    else
        snprintf(what_out, MAPPING_WHAT_LEN, "queue-%u/%s", queue, key);
}

static bool open_queue(struct vbd_link *l, uint32_t domid, const struct schema_vbd_front *front,
                       uint32_t queue, char why_out[SCHEMA_REASON_LEN])
{
    struct blk_link_queue *q = &l->link.queues[queue];
    uint32_t refs[SCHEMA_VBD_RING_PAGES];
    char what[MAPPING_WHAT_LEN];

    memcpy(refs, front->ring_refs[queue], sizeof(refs));
    name_node(what, front, queue, "ring-ref");
    q->wait_fd = -1;
    q->pages = mapping_map(l->platform, l->grants, what, refs, 1u << front->order, why_out);
    if (!q->pages)
        return false;
    l->link.nr_queues = queue + 1;
    name_node(what, front, queue, "event-channel");
    l->channels[queue] = mapping_bind(l->platform, domid, what, front->channels[queue], why_out);
    if (!l->channels[queue])
        return false;
    q->wait_fd = l->platform->ops->channel_fd(l->channels[queue]);
    return true;
}

bool vbd_link_open(struct platform *platform, uint32_t domid, const struct schema_vbd_front *front,
                   int attend_fd, struct vbd_link **link_out, bool *lacks_out,
                   char why_out[SCHEMA_REASON_LEN])
{
    struct vbd_link *l = calloc(1, sizeof(*l));
    bool ok;

    *lacks_out = true;
    if (!l) {
        snprintf(why_out, SCHEMA_REASON_LEN, "the manager is out of memory");
        return false;
    }
    l->link.ops = &link_ops;
    l->link.abi = front->is_32_bit ? BLKIF_ABI_32 : BLKIF_ABI_64;
    l->link.order = front->order;
    l->link.apart = true;
    l->link.session = session_of(front);
    l->platform = platform;
    l->attend_fd = attend_fd;
    l->grants = mapping_open(platform, domid, why_out);
    ok = l->grants != NULL;
    if (ok && front->is_persistent)
        l->persistent = calloc(front->nr_queues, sizeof(*l->persistent)); /* NULL: all is copied */
    for (uint32_t queue = 0; ok && queue < front->nr_queues; queue++)
        ok = open_queue(l, domid, front, queue, why_out);
    if (!ok) {
        *lacks_out = errno == ENOMEM;
        vbd_link_close(l);
        return false;
    }
    *link_out = l;
    return true;
}

void vbd_link_close(struct vbd_link *l)
{
    const struct platform_ops *ops = l->platform->ops;

    for (unsigned i = 0; i < l->link.nr_queues; i++) {
        if (l->channels[i])
            ops->channel_close(l->channels[i]);
        ops->grants_unmap(l->grants, l->link.queues[i].pages, 1u << l->link.order);
        if (l->persistent)
            persistent_grants_unmap(&l->persistent[i], ops, l->grants);
    }
    if (l->grants)
        ops->grants_close(l->grants);
    free(l->persistent);
    free(l);
}

struct blk_link *vbd_link_blk(struct vbd_link *l)
{
    return &l->link;
}

bool vbd_link_attends(struct vbd_link *l)
{
    return atomic_exchange(&l->attends, false);
}

bool vbd_link_cannot_map(struct vbd_link *l)
{
    bool is_new = !l->cannot_map_told && atomic_load(&l->cannot_map);

    l->cannot_map_told = l->cannot_map_told || is_new;
    return is_new;
}
