/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_world.h"

#include <stdlib.h>

#include "daemon/blk/answer.h"
#include "daemon/blk/link.h"
#include "xenstore-schema/vbd_states.h"

/* ---- memory of the workers ---- */

static void free_scratch(struct vbd_world *w)
{
    for (unsigned i = 0; w->scratch && i < w->nr_workers; i++)
        free(w->scratch[i]);
    free(w->scratch);
    w->scratch = NULL;
}

bool vbd_world_prepare(struct vbd_world *w)
{
    if (w->scratch)
        return true;
    lost_disk_init(&w->lost);
    w->scratch = calloc(w->nr_workers, sizeof(w->scratch[0]));
    for (unsigned i = 0; w->scratch && i < w->nr_workers; i++) {
        w->scratch[i] = scratch_new();
        if (!w->scratch[i])
            free_scratch(w);
    }
    return w->scratch != NULL;
}

void vbd_world_fini(struct vbd_world *w)
{
    free_scratch(w);
}

bool vbd_world_is_resuming(const struct vbd_world *w)
{
    for (const struct backend *b = w->roster->first; b; b = b->next) {
        if (b->is_new && schema_vbd_begin(b->published) == SCHEMA_VBD_RESUMING)
            return true;
    }
    return w->roster->listing;
}

/* Without a record it is not: the memory that both were in is another now. A device stays. */
bool vbd_world_is_same(const struct vbd_world *w, const struct target *target,
                       const struct disk_owner *owner)
{
    const struct answer_owner of = {.domid = owner->domid, .device = owner->vdev};
    const struct ring_rec *rec = answer_rec_find(w->store, &of, 0);

    return rec ? !answer_rec_is_lost(rec) : target->kind == TARGET_CACHE;
}

/* ---- what guests leave ---- */

static void drop_records(struct store *store, const struct answer_owner *owner)
{
    for (uint32_t queue = 0; queue < BLK_MAX_QUEUES; queue++)
        answer_rec_close(answer_rec_find(store, owner, queue));
}

void vbd_world_drop_records(struct vbd_world *w, const struct schema_place *place)
{
    drop_records(w->store, &(struct answer_owner){.domid = place->guest, .device = place->device});
}

static bool has_nodes(const struct vbd_world *w, uint32_t domid, uint32_t vdev)
{
    return roster_find(w->roster, &(struct schema_place){.guest = domid, .device = vdev});
}

static void sweep_records(struct vbd_world *w)
{
    struct answer_owner owner;
    uint32_t cursor = 0;

    while (answer_rec_next(w->store, &cursor, &owner)) {
        if (!has_nodes(w, owner.domid, owner.device))
            drop_records(w->store, &owner);
    }
}

static void sweep_disks(struct vbd_world *w)
{
    struct disk_info info;
    uint32_t cursor = 0;

    while (disks_next(w->disks, &cursor, &info)) {
        if (info.is_base || info.name[0] != '\0' || info.is_open ||
            has_nodes(w, info.owner.domid, info.owner.vdev))
            continue;
        log_event(w->log, LOG_LEVEL_INFO, "forget", "dom=%u vbd=%u", info.owner.domid,
                  info.owner.vdev);
        disks_forget(w->disks, &info.owner);
    }
}

bool vbd_world_sweep_is_due(const struct vbd_world *w)
{
    return w->disks && !w->swept;
}

void vbd_world_sweep(struct vbd_world *w)
{
    sweep_records(w);
    sweep_disks(w);
    disks_taken_up(w->disks);
    w->swept = true;
}
