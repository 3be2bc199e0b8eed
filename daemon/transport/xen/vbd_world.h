/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vbd_world.h - what all disks of a transport have in common.
 *
 * Control thread only.
 */
#ifndef XTM_TRANSPORT_XEN_VBD_WORLD_H
#define XTM_TRANSPORT_XEN_VBD_WORLD_H

#include "daemon/blk/disks.h"
#include "daemon/blk/lost.h"
#include "daemon/blk/scratch.h"
#include "daemon/session/sessions.h"
#include "daemon/transport/xen/roster.h"

struct vbd_world {
    struct platform *platform;
    struct session_table *sessions;
    struct store *store;
    struct log *log;
    struct disks *disks;   /* NULL: none are served */
    struct roster *roster; /* of all of them */
    unsigned nr_workers;
    int attend_fd;            /* eventfd: some device has news */
    struct scratch **scratch; /* by worker; NULL until a first guest connects */
    struct disk lost;         /* for frontends whose disk is no more; with @scratch */
    bool swept;               /* what the last daemon left was looked at */
};

void vbd_world_fini(struct vbd_world *w);

/* Memory of the workers, less than a MiB for each, as soon as there is a disk. False: there is
 * none. */
bool vbd_world_prepare(struct vbd_world *w);

/*
 * Are there disks that an earlier daemon served and we do not yet? What they have is theirs,
 * whoever comes first now.
 */
bool vbd_world_is_resuming(const struct vbd_world *w);

/* Is the disk that an earlier daemon served to @owner the one that @target names now? */
bool vbd_world_is_same(const struct vbd_world *w, const struct target *target,
                       const struct disk_owner *owner);

/* Records of a connection that an earlier daemon had, and we did not come to resume. */
void vbd_world_drop_records(struct vbd_world *w, const struct schema_place *place);

/*
 * What the last daemon left and has no nodes any more goes: disks without a name, and records. From
 * then on the operator may remove disks, as who has one is known. It is due once, when all are
 * taken up.
 */
bool vbd_world_sweep_is_due(const struct vbd_world *w);
void vbd_world_sweep(struct vbd_world *w);

#endif /* XTM_TRANSPORT_XEN_VBD_WORLD_H */
