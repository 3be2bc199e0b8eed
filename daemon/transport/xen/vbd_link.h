/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_link.h - the rings and channels of one disk's frontend, mapped and bound.
 *
 * Made by the control thread from checked nodes; used by workers; closed by the control
 * thread when no worker uses it.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_LINK_H
#define XTM_TRANSPORT_XEN_VBD_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/link.h"
#include "daemon/transport/xen/platform.h"
#include "xenstore-schema/vbd_front.h"

struct vbd_link;

/*
 * Map and bind what @front says of domain @domid. @attend_fd is an eventfd that workers write to
 * when the device has news. False: everything is given back, @why_out says why, and *lacks_out
 * whether for want of something that the manager may have later.
 */
bool vbd_link_open(struct platform *platform, uint32_t domid, const struct schema_vbd_front *front,
                   int attend_fd, struct vbd_link **link_out, bool *lacks_out,
                   char why_out[SCHEMA_REASON_LEN]);
/* Unmap and unbind. */
void vbd_link_close(struct vbd_link *l);

struct blk_link *vbd_link_blk(struct vbd_link *l);
/* Has its worker asked for attention since the last call? */
bool vbd_link_attends(struct vbd_link *l);
/* True once: a queue has stopped mapping what the frontend grants for good, and copies it. */
bool vbd_link_cannot_map(struct vbd_link *l);

#endif /* XTM_TRANSPORT_XEN_VBD_LINK_H */
