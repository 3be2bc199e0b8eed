/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/disks.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/blk/items.h"

static const char *why_not(enum tmemif_status rc)
{
    switch (rc) {
    case TMEMIF_TOO_MANY:
        return "there are as many disks as the manager can have";
    case TMEMIF_NO_MEMORY:
        return "the manager has no memory left";
    default:
        return "the manager cannot make a disk";
    }
}

bool disks_create(const struct disks_config *config, struct disks **disks_out,
                  struct disks_found *found_out, const char **why_out)
{
    struct disks *t = calloc(1, sizeof(*t));

    if (!t || !gate_init(&t->gate, config->nr_workers)) {
        free(t);
        *why_out = "out of memory";
        return false;
    }
    t->engine = config->engine;
    t->worker = config->nr_workers - 1;
    t->next_layer = 1;
    *found_out = (struct disks_found){0};
    catalogue_open(&t->catalogue, t->engine, t->worker);
    items_recover(t, config->store, found_out);
    t->taken_up = found_out->disks == 0;
    t->has_caches = config->caches != NULL;
    if (config->caches)
        caches_init(&t->caches, config->caches);
    *disks_out = t;
    return true;
}

bool disks_are_idle(const struct disks *t)
{
    return !t->has_caches || caches_are_idle(&t->caches);
}

void disks_destroy(struct disks *t)
{
    if (!t)
        return;
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i))
        free(i->open);
    if (t->has_caches)
        caches_fini(&t->caches);
    gate_fini(&t->gate);
    free(t);
}

/* ---- opening ---- */

/* Does @name name a base that @item lies on, at whatever depth? */
static bool lies_on(struct disks *t, const struct item *item, const char *name)
{
    for (unsigned n = 0; item && item->entry.below != 0 && n < STACK_MAX_LAYERS; n++) {
        item = item_find_base(t, item->entry.below);
        if (item && strcmp(item->entry.name, name) == 0)
            return true;
    }
    return false;
}

/*
 * Is @item what @target asks for? A swap disk that was made larger may be asked for by any size
 * that it has had: who has it may have taken it up by one, and it has become larger again since.
 */
static bool fits(struct disks *t, const struct item *item, const struct target *target)
{
    if (target->kind == TARGET_SWAP)
        return item->entry.is_swap && target->nr_pages >= item->entry.made_pages &&
               target->nr_pages <= item->entry.nr_pages;
    return !item->entry.is_swap && lies_on(t, item, target->base);
}

/* An entry for a disk on the base @name. NOT_FOUND; BAD_KIND: the base has lost pages. */
static enum tmemif_status entry_on_base(struct disks *t, const char *name, struct entry *entry_out)
{
    const struct item *base = item_find_named(t, true, name);
    struct stack stack;

    if (!base || base->entry.kind != ENTRY_BASE)
        return TMEMIF_NOT_FOUND;
    if (!item_stack(t, base, &stack) || stack.nr == STACK_MAX_LAYERS)
        return TMEMIF_BAD_KIND;
    *entry_out = (struct entry){.kind = ENTRY_DISK,
                                .below = base->entry.layer,
                                .nr_pages = base->entry.nr_pages,
                                .made_pages = base->entry.nr_pages};
    return TMEMIF_OK;
}

static bool add(struct disks *t, const struct target *target, const struct disk_owner *owner,
                struct item **item_out, const char **why_out)
{
    struct entry entry = {.kind = ENTRY_DISK,
                          .nr_pages = target->nr_pages,
                          .made_pages = target->nr_pages,
                          .is_swap = true};
    enum tmemif_status rc = TMEMIF_OK;

    if (target->kind == TARGET_CLONE)
        rc = entry_on_base(t, target->base, &entry);
    if (rc != TMEMIF_OK) {
        *why_out = rc == TMEMIF_NOT_FOUND
                       ? "there is no such base"
                       : "pages of the base were lost, or it has too many layers";
        return false;
    }
    if (target->kind == TARGET_CLONE && target->name[0]) {
        memcpy(entry.name, target->name, sizeof(entry.name));
    } else {
        entry.domid = owner->domid;
        entry.vdev = owner->vdev;
    }
    rc = item_add(t, &entry, item_out);
    if (rc != TMEMIF_OK)
        *why_out = why_not(rc);
    return rc == TMEMIF_OK;
}

static struct disk_ref ref_of(const struct target *target, const struct disk_owner *owner)
{
    struct disk_ref ref = {.owner = *owner};

    if (target->kind == TARGET_CLONE)
        memcpy(ref.name, target->name, sizeof(ref.name));
    return ref;
}

/* The item for it, there or made. */
static bool find_or_add(struct disks *t, const struct target *target,
                        const struct disk_owner *owner, struct item **item_out,
                        const char **why_out)
{
    const struct disk_ref ref = ref_of(target, owner);
    struct item *item = item_find(t, &ref);

    if (item && item->open) {
        *why_out = "the disk is in use";
        return false;
    }
    if (item && !fits(t, item, target)) {
        if (item->entry.name[0]) {
            *why_out = "the disk of this name is not a clone of this base";
            return false;
        }
        item_remove(t, item);
        item = NULL;
    }
    if (!item)
        return add(t, target, owner, item_out, why_out);
    *item_out = item;
    return true;
}

bool disks_open(struct disks *t, const struct target *target, const struct disk_owner *owner,
                struct disk **disk_out, const char **why_out)
{
    struct stack_disk *d;
    struct item *item;

    if (target->kind == TARGET_CACHE) {
        *why_out = "this manager serves no devices";
        return t->has_caches && caches_open(&t->caches, target->device, owner, disk_out, why_out);
    }
    d = calloc(1, sizeof(*d));
    if (!d) {
        *why_out = "out of memory";
        return false;
    }
    if (!find_or_add(t, target, owner, &item, why_out)) {
        free(d);
        return false;
    }
    d->disk = (struct disk){.ops = &stack_disk_ops,
                            .nr_pages = item->entry.nr_pages,
                            .resized = item->entry.nr_pages != item->entry.made_pages,
                            .discards = true};
    d->engine = t->engine;
    d->gate = &t->gate;
    if (!item_stack(t, item, &d->stacks[0])) {
        *why_out = "pages of the disk were lost";
        free(d);
        return false;
    }
    item->open = d;
    item->user = *owner;
    *disk_out = &d->disk;
    return true;
}

bool disks_has(struct disks *t, const struct target *target, const struct disk_owner *owner)
{
    const struct disk_ref ref = ref_of(target, owner);
    const struct item *item = item_find(t, &ref);

    if (target->kind == TARGET_CACHE)
        return true; /* the device has it */
    return item && fits(t, item, target);
}

bool disks_is_whole(struct disks *t, const struct target *target, const struct disk_owner *owner)
{
    const struct disk_ref ref = ref_of(target, owner);
    const struct item *item = item_find(t, &ref);
    struct stack stack;

    if (target->kind == TARGET_CACHE)
        return true;
    return item && !item->open && fits(t, item, target) && item_stack(t, item, &stack);
}

bool disks_is_in_use(struct disks *t, const struct target *target, const struct disk_owner *owner,
                     struct disk_owner *user_out)
{
    const struct disk_ref ref = ref_of(target, owner);
    const struct item *item = target->kind == TARGET_CACHE ? NULL : item_find(t, &ref);

    if (!item || !item->open || !fits(t, item, target))
        return false;
    *user_out = item->user;
    return true;
}

void disks_close(struct disks *t, struct disk *disk, enum disk_end end)
{
    if (t->has_caches && caches_close(&t->caches, disk))
        return;
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (!i->open || &i->open->disk != disk)
            continue;
        free(i->open);
        i->open = NULL;
        if (end == DISK_ENDED && i->entry.name[0] == '\0')
            item_remove(t, i);
        return;
    }
}

void disks_forget(struct disks *t, const struct disk_owner *owner)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.kind == ENTRY_DISK && i->entry.name[0] == '\0' && !i->open &&
            i->entry.domid == owner->domid && i->entry.vdev == owner->vdev)
            item_remove(t, i);
    }
}

void disks_tidy(struct disks *t)
{
    if (t->has_caches)
        caches_tidy(&t->caches);
}

void disks_pause(struct disks *t)
{
    if (t->has_caches)
        caches_pause(&t->caches);
}

void disks_resume(struct disks *t)
{
    if (t->has_caches)
        caches_resume(&t->caches);
}

/* ---- for the operator ---- */

enum tmemif_status disks_add(struct disks *t, const char *name, const char *base)
{
    struct entry entry;
    struct item *item;
    enum tmemif_status rc = entry_on_base(t, base, &entry);

    if (rc != TMEMIF_OK)
        return rc;
    item = item_find_named(t, false, name);
    if (item) /* the same message twice, perhaps */
        return item->entry.below == entry.below ? TMEMIF_OK : TMEMIF_BUSY;
    entry_set_name(&entry, name);
    return item_add(t, &entry, &item);
}

enum tmemif_status disks_resize(struct disks *t, const struct disk_ref *ref, uint32_t nr_pages)
{
    struct item *item = item_find(t, ref);
    struct entry entry;
    enum tmemif_status rc;

    if (item_is_behind_cache(t, ref))
        return TMEMIF_BAD_KIND;
    if (!item)
        return TMEMIF_NOT_FOUND;
    if (item->entry.suspect || item->layer == LAYOUT_NONE)
        return TMEMIF_BAD_KIND;
    if (nr_pages < item->entry.nr_pages)
        return TMEMIF_BAD_REQUEST;
    if (nr_pages == item->entry.nr_pages) /* the same message twice, perhaps */
        return TMEMIF_OK;
    entry = item->entry;
    entry.nr_pages = nr_pages;
    /* before any guest can write there: what it wrote would be beyond the end after a kill */
    rc = item_change(t, item, &entry);
    if (rc != TMEMIF_OK || !item->open)
        return rc;
    disk_set_nr_pages(&item->open->disk, nr_pages);
    item->open->disk.resized = true;
    if (t->tell)
        t->tell(t->tell_arg, &item->user);
    return TMEMIF_OK;
}

void disks_tell(struct disks *t, void (*tell)(void *arg, const struct disk_owner *user), void *arg)
{
    t->tell = tell;
    t->tell_arg = arg;
}

void disks_taken_up(struct disks *t)
{
    t->taken_up = true;
}

enum tmemif_status disks_remove(struct disks *t, const struct disk_ref *ref)
{
    struct item *item = item_find(t, ref);

    if (item_is_behind_cache(t, ref))
        return TMEMIF_BAD_KIND;
    if (!item)
        return TMEMIF_NOT_FOUND;
    if (item->open || !t->taken_up)
        return TMEMIF_BUSY;
    item_remove(t, item);
    return TMEMIF_OK;
}

static void look_in(struct disks *t, struct item *i, struct disk_info *info_out)
{
    const struct item *base = i->entry.below ? item_find_base(t, i->entry.below) : NULL;
    struct stack stack;

    *info_out = (struct disk_info){
        .owner = {i->entry.domid, i->entry.vdev},
        .is_base = item_is_base(i),
        .is_filling = i->entry.kind == ENTRY_FILLING,
        .is_swap = i->entry.is_swap,
        .is_open = i->open != NULL,
        .is_suspect = i->entry.suspect,
        .is_lost = !item_stack(t, i, &stack),
        .nr_pages = i->entry.kind == ENTRY_FILLING ? i->import_end : i->entry.nr_pages,
        .own_pages = i->layer != LAYOUT_NONE ? layer_nr_own(t->engine, i->layer) : 0,
        .nr_above = item_is_base(i) ? item_nr_above(t, i) : 0,
    };
    memcpy(info_out->name, i->entry.name, sizeof(info_out->name));
    if (base)
        memcpy(info_out->base, base->entry.name, sizeof(info_out->base));
    if (i->open)
        info_out->owner = i->user;
}

/* Caches are numbered after all entries that there can be. */
#define CURSOR_CACHES (CATALOGUE_ENTRIES + 1)

static bool next_cache(struct disks *t, uint32_t *cursor, struct disk_info *info_out)
{
    struct caches_info info;

    if (*cursor < CURSOR_CACHES)
        *cursor = CURSOR_CACHES;
    if (!t->has_caches || !caches_info(&t->caches, *cursor - CURSOR_CACHES, &info))
        return false;
    (*cursor)++;
    *info_out = (struct disk_info){
        .owner = info.owner,
        .is_cache = true,
        .is_open = true,
        .nr_pages = info.nr_pages,
        .own_pages = info.pool_pages,
        .hits = info.hits,
        .misses = info.misses,
    };
    memcpy(info_out->base, info.name, sizeof(info_out->base));
    return true;
}

bool disks_next(struct disks *t, uint32_t *cursor, struct disk_info *info_out)
{
    struct item *item = NULL;

    if (*cursor <= CATALOGUE_ENTRIES)
        item = item_next(t, *cursor ? &t->items[*cursor - 1] : NULL);
    if (!item)
        return next_cache(t, cursor, info_out);
    *cursor = (uint32_t)(item - t->items) + 1;
    look_in(t, item, info_out);
    return true;
}
