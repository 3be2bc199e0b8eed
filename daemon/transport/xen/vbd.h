/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd.h - one guest's disk: its state, and what is done in each.
 *
 *    watch events --> a look: reads the nodes, tells the state machine of xenstore-schema/
 *    (vbd_states.h) what it saw, does what that says
 *
 *    vbd_disk.h     the disk that the toolstack asked for
 *    vbd_nodes.h    what is published, what the frontend says
 *    vbd_session.h  rings that are mapped and served
 *    vbd_world.h    what all disks have in common
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_H
#define XTM_TRANSPORT_XEN_VBD_H

#include "daemon/transport/xen/vbd_world.h"

/* For a roster, whose world is a struct vbd_world. */
extern const struct roster_ops vbd_roster_ops;

/* Those whose workers have asked for attention are touched. */
void vbds_attend(struct roster *r);

#endif /* XTM_TRANSPORT_XEN_VBD_H */
