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
    struct vbd_link *link; /* NULL: nothing is mapped */
    struct device *device; /* NULL: nobody serves it */
    unsigned nr_served;    /* queues that workers have */
};

/*
 * Map what @front says. False: nothing is mapped, @why_out says why, and *lacks_out whether for
 * want of something that the manager may have later.
 */
bool vbd_session_map(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                     const struct schema_vbd_front *front, bool *lacks_out,
                     char why_out[SCHEMA_REASON_LEN]);
/* Then, serve it. @resume: an earlier daemon did. False: the same. */
bool vbd_session_serve(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                       const struct vbd_disk *d, bool resume, bool *lacks_out,
                       char why_out[SCHEMA_REASON_LEN]);
/* @kept: for the next daemon to resume. Nothing happens if there is none. */
void vbd_session_close(struct vbd_session *s, struct vbd_world *w, struct backend *b,
                       const char *why, bool kept);

/* A frontend that slept while the manager was away looks at its rings again. */
void vbd_session_wake(struct vbd_session *s);
/* To the log, once for each kind: requests fail, or pages cannot stay mapped. */
void vbd_session_tell_news(struct vbd_session *s, struct backend *b);

#endif /* XTM_TRANSPORT_XEN_VBD_SESSION_H */
