/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd.h - one guest's disk: its nodes, its state, the device that serves it.
 *
 *    watch events --> a look: reads the nodes, tells the state machine of xenstore-schema/
 *    (vbd_states.h) what it saw, does what that says
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_H
#define XTM_TRANSPORT_XEN_VBD_H

#include "daemon/blk/device.h"
#include "daemon/blk/disks.h"
#include "daemon/session/sessions.h"
#include "daemon/transport/xen/roster.h"

/* What all disks of a transport have in common. */
struct vbd_world {
    struct platform *platform;
    struct session_table *sessions;
    struct store *store;
    struct log *log;
    struct disks *disks; /* NULL: none are served */
    unsigned nr_workers;
    int attend_fd;            /* eventfd: some device has news */
    struct scratch **scratch; /* by worker; NULL until a first guest connects */
    uint64_t sweep_at_ms;     /* when to look for disks whose guests are gone; 0: not at all */
    bool swept;               /* what the last daemon left was looked at */
};

void vbd_world_fini(struct vbd_world *w);

/* For a roster, whose world is a struct vbd_world. */
extern const struct roster_ops vbd_roster_ops;

/* Those whose workers have asked for attention are touched. */
void vbds_attend(struct roster *r);
/*
 * Disks that nobody has open, and whose guests are gone, go; so do records of disks that there are
 * no more. It is due some time after something was detached, and at the start when all are taken
 * up.
 */
bool vbds_sweep_is_due(const struct vbd_world *w, uint64_t now_ms);
void vbds_sweep(struct vbd_world *w, struct roster *r, uint64_t now_ms);

#endif /* XTM_TRANSPORT_XEN_VBD_H */
