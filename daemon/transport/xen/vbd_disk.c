/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/transport/xen/node.h"

static bool find(struct vbd_disk *d, struct vbd_world *w, const struct backend *b,
                 const struct target *target, bool connected, const char **why_out)
{
    const struct disk_owner owner = {.domid = b->place.guest, .vdev = b->place.device};

    if (connected && !disks_has(w->disks, target, &owner)) {
        *why_out = "the disk was lost: the manager's memory was damaged";
        return false;
    }
    return disks_open(w->disks, target, &owner, &d->disk, why_out);
}

/* The disk is open. False: it is not any more. */
static bool take_mode(struct vbd_disk *d, struct vbd_world *w, bool writes, const char **why_out)
{
    d->read_only = !writes;
    if (!writes || !d->disk->read_only)
        return true;
    *why_out = "the manager has this device read-only: access=ro";
    vbd_disk_close(d, w, DISK_DETACHED);
    return false;
}

enum vbd_found vbd_disk_open(struct vbd_disk *d, struct vbd_world *w, const struct backend *b,
                             bool connected, char why_out[SCHEMA_REASON_LEN])
{
    struct target target;
    const char *why = "node params or mode is missing";
    size_t len = 0, mode_len = 0;
    char *params = node_read(b->platform, &b->place, SCHEMA_VBD_PARAMS, 0, &len);
    char *mode = params ? node_read(b->platform, &b->place, SCHEMA_VBD_MODE, 0, &mode_len) : NULL;
    bool unsure = (!params || !mode) && errno != ENOENT;
    bool ok = params && mode && target_parse(params, len, &target, &why) &&
              find(d, w, b, &target, connected, &why) &&
              take_mode(d, w, mode_len > 0 && mode[0] == 'w', &why);

    if (!ok)
        snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    free(params);
    free(mode);
    if (unsure)
        return VBD_UNSURE;
    return ok ? VBD_FOUND : VBD_REFUSED;
}

void vbd_disk_close(struct vbd_disk *d, struct vbd_world *w, enum disk_end end)
{
    if (!d->disk)
        return;
    disks_close(w->disks, d->disk, end);
    d->disk = NULL;
    w->sweep_at_ms = 1; /* at once */
}

void vbd_disk_read_discards(struct vbd_disk *d, const struct backend *b)
{
    uint64_t enabled = 1;
    char path[SCHEMA_PATH_LEN];

    schema_path(path, &b->place, SCHEMA_VBD_DISCARD_ENABLE, 0);
    node_read_number(b->platform, path, SCHEMA_VBD_DISCARD_ENABLE, &enabled);
    d->discards = enabled;
}

bool vbd_disk_may_discard(const struct vbd_disk *d)
{
    return d->discards && !d->read_only && d->disk->discards;
}
