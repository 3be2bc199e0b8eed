/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/mapping.h"
#include "daemon/transport/xen/node.h"

static struct disk_owner owner_of(const struct backend *b)
{
    return (struct disk_owner){.domid = b->place.guest, .vdev = b->place.device};
}

/* Who may have it, or what is to be known before that is? */
static enum vbd_found look_for(struct vbd_disk *d, const struct vbd_world *w,
                               const struct target *target, const struct disk_owner *owner,
                               bool connected, char why_out[SCHEMA_REASON_LEN])
{
    struct disk_owner user;

    if (connected) {
        if (disks_has(w->disks, target, owner) && vbd_world_is_same(w, target, owner))
            return VBD_FOUND;
        snprintf(why_out, SCHEMA_REASON_LEN,
                 "the disk was lost with the manager's memory: detach it");
        return VBD_REFUSED;
    }
    /* a disk without a name is nobody else's, a device is everybody's */
    if (target->kind == TARGET_CLONE && target->name[0] && vbd_world_is_resuming(w))
        return VBD_UNSURE;
    if (!disks_is_in_use(w->disks, target, owner, &user))
        return VBD_FOUND;
    d->user = user.domid;
    snprintf(why_out, SCHEMA_REASON_LEN, "waits until domain %u lets the disk go", user.domid);
    return VBD_IN_USE;
}

static enum vbd_found open_target(struct vbd_disk *d, struct vbd_world *w, const struct backend *b,
                                  const struct target *target, bool connected,
                                  char why_out[SCHEMA_REASON_LEN])
{
    const struct disk_owner owner = owner_of(b);
    enum vbd_found found = look_for(d, w, target, &owner, connected, why_out);
    const char *why = mapping_forbidden(&b->place);

    if (why) {
        snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
        return VBD_REFUSED;
    }
    if (found != VBD_FOUND)
        return found;
    if (disks_open(w->disks, target, &owner, &d->disk, &why)) {
        if (d->read_only || !d->disk->read_only)
            return VBD_FOUND;
        why = "the manager has this device read-only: access=ro";
        vbd_disk_close(d, w);
    }
    snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    if (!connected || !disks_is_whole(w->disks, target, &owner))
        return VBD_REFUSED;
    /* what it had is where it was: a device for everybody, a disk for nobody before this guest */
    return target->kind == TARGET_CACHE ? VBD_UNREADY : VBD_UNOPENED;
}

static bool is_read_only(const char *mode, size_t len)
{
    return len == 0 || mode[0] != 'w';
}

enum vbd_found vbd_disk_open(struct vbd_disk *d, struct vbd_world *w, const struct backend *b,
                             bool connected, char why_out[SCHEMA_REASON_LEN])
{
    struct target target;
    const char *why = "node params or mode is missing";
    size_t len = 0, mode_len = 0;
    char *params = node_read(b->platform, &b->place, SCHEMA_VBD_PARAMS, 0, &len);
    char *mode = params ? node_read(b->platform, &b->place, SCHEMA_VBD_MODE, 0, &mode_len) : NULL;
    enum vbd_found found = VBD_REFUSED;

    if ((!params || !mode) && errno != ENOENT)
        found = VBD_UNSURE;
    d->read_only = is_read_only(mode, mode_len);
    snprintf(d->params, sizeof(d->params), "%s", params ? params : "");
    if (params && mode && target_parse(params, len, &target, &why))
        found = open_target(d, w, b, &target, connected, why_out);
    else
        snprintf(why_out, SCHEMA_REASON_LEN, "%s", why);
    free(params);
    free(mode);
    return found;
}

bool vbd_disk_is_named(const struct vbd_disk *d, const struct backend *b)
{
    size_t len, mode_len = 0;
    char *params = node_read(b->platform, &b->place, SCHEMA_VBD_PARAMS, 0, &len);
    char *mode = node_read(b->platform, &b->place, SCHEMA_VBD_MODE, 0, &mode_len);
    bool same = params && mode && strcmp(params, d->params) == 0 &&
                d->read_only == is_read_only(mode, mode_len);

    free(params);
    free(mode);
    return same;
}

void vbd_disk_close(struct vbd_disk *d, struct vbd_world *w)
{
    if (d->disk)
        disks_close(w->disks, d->disk, DISK_KEPT);
    d->disk = NULL;
}

void vbd_disk_end(struct vbd_disk *d, struct vbd_world *w, const struct backend *b)
{
    const struct disk_owner owner = owner_of(b);

    if (d->disk)
        disks_close(w->disks, d->disk, DISK_ENDED);
    d->disk = NULL;
    disks_forget(w->disks, &owner); /* one that we have not opened */
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
    /* what is waited for is a disk in memory */
    return d->discards && !d->read_only && (!d->disk || d->disk->discards);
}
