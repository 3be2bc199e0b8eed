/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_disk.h - the disk that the toolstack's nodes ask for: params, mode, discard-enable.
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_DISK_H
#define XTM_TRANSPORT_XEN_VBD_DISK_H

#include "daemon/transport/xen/vbd_world.h"

/* A target with two names is the longest. */
#define VBD_PARAMS_LEN (2 * TARGET_NAME_SIZE + 16)

struct vbd_disk {
    struct disk *disk; /* NULL: it is not open */
    bool read_only;
    bool discards;               /* the toolstack allows them */
    uint32_t user;               /* IN_USE: the domain that has it */
    char params[VBD_PARAMS_LEN]; /* what named it */
};

enum vbd_found {
    VBD_FOUND,
    VBD_REFUSED,
    VBD_UNREADY,  /* its frontend is connected, and the device below is not there, or no memory */
    VBD_UNOPENED, /* the same of a disk that is this guest's alone: nobody may come to have it */
    VBD_IN_USE,   /* by another guest, which may let it go */
    VBD_UNSURE,   /* xenstore does not say which it is, or who has it is not known yet */
};
/*
 * Open what the nodes of @b name. @connected: its frontend has it already, so it must not go on
 * with another one, which would be empty. REFUSED, UNREADY, UNOPENED, IN_USE: @why_out says why, or
 * who has it.
 */
enum vbd_found vbd_disk_open(struct vbd_disk *d, struct vbd_world *w, const struct backend *b,
                             bool connected, char why_out[SCHEMA_REASON_LEN]);
/* Do the nodes of @b name still what was opened? Without a clear answer they do not. */
bool vbd_disk_is_named(const struct vbd_disk *d, const struct backend *b);
/* It stays as it is, for who opens it next. Nothing happens if it is not open. */
void vbd_disk_close(struct vbd_disk *d, struct vbd_world *w);
/*
 * The same, and the nodes of @b that named it are no more: they are gone, or are to go, or are new.
 * What was opened for them without a name goes with them, by an earlier daemon, too: the next
 * nodes in their place may be another guest's, which has the same domid.
 */
void vbd_disk_end(struct vbd_disk *d, struct vbd_world *w, const struct backend *b);

/* Whether discards are allowed is read at other times than the rest. */
void vbd_disk_read_discards(struct vbd_disk *d, const struct backend *b);
/* Of a disk that is open, or in use. */
bool vbd_disk_may_discard(const struct vbd_disk *d);

#endif /* XTM_TRANSPORT_XEN_VBD_DISK_H */
