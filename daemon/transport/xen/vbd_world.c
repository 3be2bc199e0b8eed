/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/transport/xen/vbd_world.h"

#include <stdlib.h>

#include "daemon/blk/answer.h"
#include "daemon/blk/link.h"
#include "xenstore-schema/vbd_states.h"

/* How long after a detach, and how often, to look whether guests are gone whose disks are kept. */
#define SWEEP_MS 1000u

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

bool vbd_world_is_gone(const struct vbd_world *w, uint32_t domid)
{
    return w->platform->ops->is_gone(w->platform, domid);
}

static void drop_records(struct store *store, const struct answer_owner *owner)
{
    for (uint32_t queue = 0; queue < BLK_MAX_QUEUES; queue++)
        answer_rec_close(answer_rec_find(store, owner, queue));
}

void vbd_world_drop_records(struct vbd_world *w, const struct schema_place *place)
{
    drop_records(w->store, &(struct answer_owner){.domid = place->guest, .device = place->device});
}

static bool is_anybodys(const struct vbd_world *w, const struct answer_owner *owner)
{
    return roster_find(w->roster,
                       &(struct schema_place){.guest = owner->domid, .device = owner->device});
}

static void sweep_records(struct vbd_world *w)
{
    struct answer_owner owner;
    uint32_t cursor = 0;

    while (answer_rec_next(w->store, &cursor, &owner)) {
        if (!is_anybodys(w, &owner))
            drop_records(w->store, &owner);
    }
}

/* False: some are kept whose guests live. */
static bool sweep_disks(struct vbd_world *w)
{
    struct disk_info info;
    uint32_t cursor = 0;
    bool all = true;

    while (disks_next(w->disks, &cursor, &info)) {
        if (info.is_base || info.name[0] != '\0' || info.is_open)
            continue;
        if (!vbd_world_is_gone(w, info.owner.domid)) {
            all = false;
            continue;
        }
        log_event(w->log, LOG_LEVEL_INFO, "forget", "dom=%u vbd=%u", info.owner.domid,
                  info.owner.vdev);
        disks_forget(w->disks, info.owner.domid);
    }
    return all;
}

void vbd_world_hear_release(struct vbd_world *w)
{
    if (w->sweep_at_ms != 0)
        w->sweep_at_ms = 1;
}

bool vbd_world_sweep_is_due(const struct vbd_world *w, uint64_t now_ms)
{
    return w->disks && (!w->swept || (w->sweep_at_ms != 0 && w->sweep_at_ms <= now_ms));
}

void vbd_world_sweep(struct vbd_world *w, uint64_t now_ms)
{
    if (!w->swept) {
        sweep_records(w);
        disks_taken_up(w->disks);
    }
    w->swept = true;
    w->sweep_at_ms = sweep_disks(w) ? 0 : now_ms + SWEEP_MS;
}
