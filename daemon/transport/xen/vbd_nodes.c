/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_nodes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/blk/blkif.h"
#include "daemon/blk/link.h"

/* What we offer. */
#define OFFER_MAX_QUEUES 4u
#define OFFER_MAX_ORDER  BLKIF_MAX_RING_ORDER
/*
 * Of which Linux takes 32 at most, and keeps as many pages for each slot of its ring where grants
 * are persistent: 4 MiB a queue. With 16 it is 2, and large requests are as fast.
 */
#define OFFER_SEGMENTS 16u
_Static_assert(OFFER_SEGMENTS <= BLKIF_MAX_SEGMENTS, "a request has to fit");
_Static_assert(OFFER_MAX_QUEUES <= BLK_MAX_QUEUES, "a link has to hold them");

/* ---- ours ---- */

void vbd_nodes_offer(struct backend *b, const struct vbd_disk *d)
{
    if (vbd_disk_may_discard(d)) {
        backend_publish_number(b, SCHEMA_VBD_DISCARD, 1);
        backend_publish_number(b, SCHEMA_VBD_GRANULARITY, TMEMIF_PAGE_SIZE);
        backend_publish_number(b, SCHEMA_VBD_ALIGNMENT, 0);
    }
    backend_publish_number(b, SCHEMA_VBD_FLUSH, 1);
    backend_publish_number(b, SCHEMA_VBD_PERSISTENT, 1);
    backend_publish_number(b, SCHEMA_VBD_SEGMENTS, OFFER_SEGMENTS);
    backend_publish_number(b, SCHEMA_VBD_MAX_ORDER, OFFER_MAX_ORDER);
    backend_publish_number(b, SCHEMA_VBD_MAX_QUEUES, OFFER_MAX_QUEUES);
}

void vbd_nodes_sectors(struct backend *b, const struct vbd_disk *d)
{
    backend_publish_number(b, SCHEMA_VBD_SECTORS,
                           (uint64_t)disk_nr_pages(d->disk) * BLKIF_SECTORS_PER_PAGE);
}

void vbd_nodes_sizes(struct backend *b, const struct vbd_disk *d)
{
    vbd_nodes_sectors(b, d);
    backend_publish_number(b, SCHEMA_VBD_SECTOR_SIZE, BLKIF_SECTOR_BYTES);
    backend_publish_number(b, SCHEMA_VBD_PHYSICAL_SIZE, TMEMIF_PAGE_SIZE);
    /* VDISK_READONLY of xen/io/blkif.h */
    backend_publish_number(b, SCHEMA_VBD_INFO, d->read_only ? 4 : 0);
}

bool vbd_nodes_are_refused(struct backend *b, char why_out[SCHEMA_REASON_LEN])
{
    if (b->refused == 0)
        return false;
    if (b->refused == ENOSPC)
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "xenstore's quota of nodes for the manager is used up: in dom0, "
                 "xenstore-control quota set nodes N");
    else
        snprintf(why_out, SCHEMA_REASON_LEN, "a node cannot be written: %s", strerror(b->refused));
    backend_remove(b, SCHEMA_VBD_SEGMENTS);
    return true;
}

/* ---- the frontend's ---- */

enum backend_read vbd_nodes_read_front(struct backend *b, struct schema_vbd_front *front_out,
                                       char why_out[SCHEMA_REASON_LEN])
{
    const struct schema_vbd_offer offer = {.max_queues = OFFER_MAX_QUEUES,
                                           .max_order = OFFER_MAX_ORDER};
    struct backend_reader source;
    struct schema_error error;
    uint32_t offered;
    bool ok;

    backend_reader_begin(&source, b);
    ok = schema_vbd_front_read(&source.reader, &offer, front_out, &error) &&
         schema_read_number(&source.reader, SCHEMA_VBD_PERSISTENT, 0, &offered, &error);
    /*
     * Linux says so whatever it was offered. One that an earlier daemon or the toolstack connected
     * may have been offered nothing, and takes a page that stays mapped for a failure, or does not
     * grant another with the same reference.
     */
    if (ok && offered == 0)
        front_out->is_persistent = false;
    return backend_reader_end(&source, ok, &error, why_out);
}
