/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_session.h - one connection of a disk's frontend: its rings are mapped, and workers serve
 * them.
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_SESSION_H
#define XTM_TRANSPORT_XEN_VBD_SESSION_H

#include "daemon/blk/device.h"
#include "daemon/transport/xen/vbd_disk.h"
#include "daemon/transport/xen/vbd_link.h"

/* Zero: there is none. */
struct vbd_session {
    struct vbd_link *link;
    struct device *device; /* NULL: nothing is mapped */
    unsigned nr_served;    /* queues that workers have */
};

/*
 * Map what @front says and serve it. @resume: an earlier daemon did. False: nothing is mapped,
 * @why_out says why, and *lacks_out whether for want of something that the manager may have later.
 */
bool vbd_session_open(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                      const struct vbd_disk *d, const struct schema_vbd_front *front, bool resume,
                      bool *lacks_out, char why_out[SCHEMA_REASON_LEN]);
/* @kept: for the next daemon to resume. Nothing happens if there is none. */
void vbd_session_close(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                       const char *why, bool kept);

/* A frontend that slept while the manager was away looks at its rings again. */
void vbd_session_wake(struct vbd_session *s);
/* To the log, once for each kind: requests fail, or pages cannot stay mapped. */
void vbd_session_tell_news(struct vbd_session *s, struct backend *b);

#endif /* XTM_TRANSPORT_XEN_VBD_SESSION_H */
