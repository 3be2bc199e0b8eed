/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/mapping.h"
#include "daemon/util/processor.h"
#include "daemon/util/wake.h"
#include "protocol/ring.h"

/* ---- mapping ---- */

static bool map_ring(struct xen_peer *p, unsigned ring, const struct schema_front *front,
                     char why_out[SCHEMA_REASON_LEN])
{
    uint32_t nr = 1u << front->order;
    uint32_t refs[SCHEMA_RING_PAGES];
    char what[32];
    void *pages;

    memcpy(refs, front->ring_refs[ring], sizeof(refs));
    snprintf(what, sizeof(what), "ring-ref%u", ring);
    pages = mapping_map(p->platform, p->grants, what, refs, nr, why_out);
    if (!pages)
        return false;
    p->link.rings[ring] = (struct link_ring){.pages = pages, .order = front->order, .wait_fd = -1};
    p->link.nr_rings = ring + 1;
    return true;
}

/* The directory is copied, once: the guest may write to its pages as it likes. */
static bool copy_directory(struct xen_peer *p, const struct schema_front *front, uint32_t *refs,
                           char why_out[SCHEMA_REASON_LEN])
{
    struct grant_copy copies[SCHEMA_MAX_DIRECTORY];
    char what[32];

    for (uint32_t i = 0; i < front->nr_directory; i++)
        copies[i] = (struct grant_copy){.ref = front->directory_refs[i],
                                        .length = TMEMIF_PAGE_SIZE,
                                        .local = refs + i * SCHEMA_REFS_PER_PAGE};
    if (!p->platform->ops->grants_copy(p->grants, copies, front->nr_directory)) {
        snprintf(why_out, SCHEMA_REASON_LEN, "data-ref: cannot be copied: %s", strerror(errno));
        return false;
    }
    for (uint32_t i = 0; i < front->nr_directory; i++) {
        if (copies[i].status == 0)
            continue;
        snprintf(what, sizeof(what), "data-ref%u", i);
        mapping_explain_ref(what, copies[i].status, why_out);
        return false;
    }
    return true;
}

static bool map_data(struct xen_peer *p, const struct schema_front *front,
                     char why_out[SCHEMA_REASON_LEN])
{
    uint32_t *refs = calloc(front->nr_directory, TMEMIF_PAGE_SIZE);
    bool ok;

    if (!refs) {
        snprintf(why_out, SCHEMA_REASON_LEN, "the manager is out of memory");
        return false;
    }
    ok = copy_directory(p, front, refs, why_out);
    if (ok) {
        p->link.data =
            mapping_map(p->platform, p->grants, "data area", refs, front->nr_data_pages, why_out);
        ok = p->link.data != NULL;
    }
    if (ok) {
        p->nr_data_pages = front->nr_data_pages;
        p->link.data_bytes = (uint64_t)front->nr_data_pages * TMEMIF_PAGE_SIZE;
    }
    free(refs);
    return ok;
}

static bool open_all(struct xen_peer *p, uint32_t domid, const struct schema_front *front,
                     char why_out[SCHEMA_REASON_LEN])
{
    const struct tmemif_ring *shared;

    p->grants = mapping_open(p->platform, domid, why_out);
    if (!p->grants)
        return false;
    for (unsigned i = 0; i < front->nr_rings; i++) {
        if (!map_ring(p, i, front, why_out))
            return false;
    }
    if (!map_data(p, front, why_out))
        return false;
    for (unsigned i = 0; i < front->nr_rings; i++) {
        char what[32];

        snprintf(what, sizeof(what), "event-channel-%u", i);
        p->channels[i] = mapping_bind(p->platform, domid, what, front->channels[i], why_out);
        if (!p->channels[i])
            return false;
        p->link.rings[i].wait_fd = p->platform->ops->channel_fd(p->channels[i]);
    }
    p->link.apart = true;
    shared = p->link.rings[0].pages;
    p->link.resume = ring_read_once(&shared->back_epoch) != 0;
    p->link.fence_ms = front->fence_ms;
    return true;
}

bool xen_peer_open(struct platform *platform, uint32_t domid, const struct schema_front *front,
                   struct xen_peer **peer_out, char why_out[SCHEMA_REASON_LEN])
{
    struct xen_peer *p = calloc(1, sizeof(*p));

    if (!p) {
        snprintf(why_out, SCHEMA_REASON_LEN, "the manager is out of memory");
        return false;
    }
    p->platform = platform;
    p->left_fd = -1;
    if (!open_all(p, domid, front, why_out)) {
        xen_peer_close(p);
        return false;
    }
    *peer_out = p;
    return true;
}

void xen_peer_close(struct xen_peer *p)
{
    const struct platform_ops *ops = p->platform->ops;

    for (unsigned i = 0; i < TMEMIF_MAX_RINGS; i++) {
        if (p->channels[i])
            ops->channel_close(p->channels[i]);
    }
    if (p->link.data)
        ops->grants_unmap(p->grants, p->link.data, p->nr_data_pages);
    for (unsigned i = 0; i < p->link.nr_rings; i++)
        ops->grants_unmap(p->grants, p->link.rings[i].pages, 1u << p->link.rings[i].order);
    if (p->grants)
        ops->grants_close(p->grants);
    free(p);
}

/* ---- for workers ---- */

void xen_peer_notify(struct link *link, unsigned ring)
{
    struct xen_peer *p = (struct xen_peer *)link;

    p->platform->ops->channel_notify(p->channels[ring]);
}

bool xen_peer_is_gone(const struct xen_peer *p)
{
    return !ring_back_is_alive(p->link.rings[0].pages);
}

bool xen_peer_has_left(const struct xen_peer *p)
{
    return ring_back_has_left(p->link.rings[0].pages);
}

/* The end of the peer's process clears front_alive and sends an event (gntalloc's unmap notice). */
static void look_whether_left(struct xen_peer *p)
{
    if (p->left_fd >= 0 && xen_peer_is_gone(p) && !atomic_exchange(&p->left, true))
        wake(p->left_fd);
}

int xen_peer_consume(struct link *link, unsigned ring)
{
    struct xen_peer *p = (struct xen_peer *)link;

    p->platform->ops->channel_consume(p->channels[ring]);
    look_whether_left(p);
    return PROCESSOR_UNKNOWN;
}

static bool copy_grant(struct link *link, const struct tmemif_data *data, void *local,
                       bool to_guest)
{
    struct xen_peer *p = (struct xen_peer *)link;
    struct grant_copy copy = {
        .ref = data->ref,
        .offset = (uint16_t)data->offset,
        .length = (uint16_t)data->length,
        .to_guest = to_guest,
        .local = local,
    };

    return p->platform->ops->grants_copy(p->grants, &copy, 1) && copy.status == 0;
}

bool xen_peer_copy_from_grant(struct link *link, const struct tmemif_data *from, void *local)
{
    return copy_grant(link, from, local, false);
}

bool xen_peer_copy_to_grant(struct link *link, const struct tmemif_data *to, const void *local)
{
    /* it is read from, by a hypercall whose structure has one kind of pointer */
    return copy_grant(link, to, (void *)(uintptr_t)local, true);
}
