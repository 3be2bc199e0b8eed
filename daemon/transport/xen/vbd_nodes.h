/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_nodes.h - what a disk's nodes say: ours of the offer and the sizes, the frontend's of its
 * rings.
 *
 * What each means: xenstore-schema/SCHEMA.md, section 9. Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_NODES_H
#define XTM_TRANSPORT_XEN_VBD_NODES_H

#include "daemon/transport/xen/vbd_disk.h"
#include "xenstore-schema/vbd_front.h"

/* Features, before our state says InitWait. The disk is open, or another guest has it. */
void vbd_nodes_offer(struct backend *b, const struct vbd_disk *d);
/* What the frontend reads when our state is Connected, and when it is written again. */
void vbd_nodes_sectors(struct backend *b, const struct vbd_disk *d);
/* What it reads the first time. */
void vbd_nodes_sizes(struct backend *b, const struct vbd_disk *d);
/*
 * Has xenstore refused one of these since b->refused was cleared? Then @why_out says so, and there
 * is room for the reason.
 */
bool vbd_nodes_are_refused(struct backend *b, char why_out[SCHEMA_REASON_LEN]);

enum backend_read vbd_nodes_read_front(struct backend *b, struct schema_vbd_front *front_out,
                                       char why_out[SCHEMA_REASON_LEN]);

#endif /* XTM_TRANSPORT_XEN_VBD_NODES_H */
