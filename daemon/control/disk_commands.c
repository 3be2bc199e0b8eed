/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/control/disk_commands.h"

#include <string.h>

#include "daemon/blk/base.h"

_Static_assert(DISK_PAGE_SIZE == TMEMIF_PAGE_SIZE, "pages");

static struct disk_ref ref_of(const struct tmemctl_disk_ref *disk)
{
    struct disk_ref ref = {.owner = {.domid = disk->domid, .vdev = disk->vdev}};

    memcpy(ref.name, disk->name, sizeof(ref.name));
    return ref;
}

static uint32_t flags_of(const struct disk_info *i)
{
    return (i->is_open ? TMEMCTL_DISK_OPEN : 0) | (i->is_filling ? TMEMCTL_DISK_IMPORTING : 0) |
           (i->is_suspect ? TMEMCTL_DISK_SUSPECT : 0) | (i->is_lost ? TMEMCTL_DISK_LOST : 0);
}

static void put(struct tmemctl_disk_info *record, const struct disk_info *i)
{
    memcpy(record->name, i->name, sizeof(record->name));
    memcpy(record->base, i->base, sizeof(record->base));
    record->kind = i->is_base    ? TMEMCTL_DISK_BASE
                   : i->is_cache ? TMEMCTL_DISK_CACHE
                   : i->is_swap  ? TMEMCTL_DISK_SWAP
                                 : TMEMCTL_DISK_CLONE;
    record->flags = flags_of(i);
    record->domid = i->owner.domid;
    record->vdev = i->owner.vdev;
    record->nr_pages = i->nr_pages;
    record->own_pages = i->own_pages;
    record->nr_above = i->nr_above;
    record->hits = i->hits;
    record->misses = i->misses;
}

static enum tmemif_status list(struct disks *disks, uint64_t from, struct reply *r)
{
    uint32_t cursor = from < UINT32_MAX ? (uint32_t)from : UINT32_MAX;
    struct disk_info info;

    while (reply_has_room(r)) {
        if (!disks_next(disks, &cursor, &info))
            return TMEMIF_OK;
        put(reply_add(r), &info);
    }
    r->head->cursor = cursor;
    return TMEMIF_OK;
}

bool disk_command_is(uint32_t command)
{
    return command == TMEMCTL_LIST_DISKS ||
           (command >= TMEMCTL_BASE_IMPORT && command <= TMEMCTL_DISK_RESIZE);
}

enum tmemif_status disk_command_run(struct disks *disks, const union tmemctl_message *m,
                                    const void *pages, const void *session, struct reply *r)
{
    struct disk_ref ref;

    switch (m->head.command) {
    case TMEMCTL_LIST_DISKS:
        return list(disks, m->head.cursor, r);
    case TMEMCTL_BASE_IMPORT:
        return base_import_begin(disks, m->base_import.name, m->base_import.token, session);
    case TMEMCTL_BASE_PAGES:
        return base_import_write(disks, m->base_pages.token, m->base_pages.first,
                                 m->base_pages.count, pages);
    case TMEMCTL_BASE_END:
        return base_import_end(disks, m->base_end.token, m->base_end.nr_pages);
    case TMEMCTL_BASE_REMOVE:
        return base_remove(disks, m->base.name);
    case TMEMCTL_DISK_ADD:
        return disks_add(disks, m->disk_add.name, m->disk_add.base);
    case TMEMCTL_DISK_FREEZE:
        ref = ref_of(&m->disk_freeze.disk);
        return base_freeze(disks, &ref, m->disk_freeze.name, m->disk_freeze.token);
    case TMEMCTL_DISK_ROLLBACK:
        ref = ref_of(&m->disk.disk);
        return base_rollback(disks, &ref);
    case TMEMCTL_DISK_REMOVE:
        ref = ref_of(&m->disk.disk);
        return disks_remove(disks, &ref);
    case TMEMCTL_DISK_RESIZE:
        ref = ref_of(&m->disk_resize.disk);
        return disks_resize(disks, &ref, m->disk_resize.nr_pages);
    default:
        return TMEMIF_BAD_OP;
    }
}
