/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/base.h"

#include "daemon/blk/items.h"

/* Have the workers, if any, see what @item is made of now. */
static void show(struct disks *t, const struct item *item)
{
    struct stack stack;

    if (item->open && item_stack(t, item, &stack))
        stack_switch(item->open, &stack);
}

/* ---- freeze ---- */

static struct entry entry_of_frozen(const struct item *disk, const char *name, uint64_t token)
{
    struct entry entry = {
        .kind = ENTRY_BASE,
        .layer = disk->entry.layer,
        .below = disk->entry.below,
        .nr_pages = disk->entry.nr_pages,
        .suspect = disk->entry.suspect,
        .token = token,
    };

    entry_set_name(&entry, name);
    return entry;
}

/* The disk on a new, empty top; its old top and what is below are as they were. */
static enum tmemif_status give_new_top(struct disks *t, struct item *disk, uint32_t below)
{
    struct entry entry = disk->entry;
    account_nr layer;
    enum tmemif_status rc = item_new_layer(t, &entry.layer, &layer);

    if (rc != TMEMIF_OK)
        return rc;
    entry.below = below;
    entry.suspect = false;
    rc = item_change(t, disk, &entry);
    if (rc == TMEMIF_OK)
        disk->layer = layer;
    else
        layer_end(t->engine, layer);
    return rc;
}

static enum tmemif_status freeze(struct disks *t, struct item *disk, const char *name,
                                 uint64_t token)
{
    const struct entry entry = entry_of_frozen(disk, name, token);
    struct item *base = item_find_free(t);
    enum tmemif_status rc;

    if (!base)
        return TMEMIF_TOO_MANY;
    rc = item_change(t, base, &entry);
    if (rc != TMEMIF_OK)
        return rc;
    base->layer = disk->layer;
    rc = give_new_top(t, disk, base->entry.layer);
    if (rc != TMEMIF_OK) {
        /* its layer is the disk's still */
        base->layer = LAYOUT_NONE;
        item_remove(t, base);
        return rc;
    }
    show(t, disk);
    return TMEMIF_OK;
}

enum tmemif_status base_freeze(struct disks *t, const struct disk_ref *ref, const char *name,
                               uint64_t token)
{
    struct item *disk = item_find(t, ref), *base = item_find_named(t, true, name);
    struct stack stack;

    if (base)
        return base->entry.token == token ? TMEMIF_OK : TMEMIF_BUSY;
    if (item_is_behind_cache(t, ref))
        return TMEMIF_BAD_KIND;
    if (!disk)
        return TMEMIF_NOT_FOUND;
    if (!item_stack(t, disk, &stack))
        return TMEMIF_BAD_KIND;
    if (stack.nr == STACK_MAX_LAYERS)
        return TMEMIF_TOO_MANY;
    return freeze(t, disk, name, token);
}

/* ---- rollback ---- */

enum tmemif_status base_rollback(struct disks *t, const struct disk_ref *ref)
{
    struct item *disk = item_find(t, ref);
    const struct item *base;
    struct stack stack;
    account_nr old;
    enum tmemif_status rc;

    if (item_is_behind_cache(t, ref))
        return TMEMIF_BAD_KIND;
    if (!disk)
        return TMEMIF_NOT_FOUND;
    base = disk->entry.below ? item_find_base(t, disk->entry.below) : NULL;
    if (disk->entry.below && (!base || !item_stack(t, base, &stack)))
        return TMEMIF_BAD_KIND;
    old = disk->layer;
    rc = give_new_top(t, disk, disk->entry.below);
    if (rc != TMEMIF_OK)
        return rc;
    show(t, disk);
    /* no worker is in the old top any more */
    if (old != LAYOUT_NONE)
        layer_end(t->engine, old);
    return TMEMIF_OK;
}

/* ---- removing ---- */

enum tmemif_status base_remove(struct disks *t, const char *name)
{
    struct item *base = item_find_named(t, true, name);

    if (!base)
        return TMEMIF_NOT_FOUND;
    if (base->entry.kind == ENTRY_FILLING || item_nr_above(t, base) != 0)
        return TMEMIF_BUSY;
    item_remove(t, base);
    return TMEMIF_OK;
}

/* ---- import ---- */

static struct item *find_import(struct disks *t, enum entry_kind kind, uint64_t token)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.kind == kind && i->entry.token == token)
            return i;
    }
    return NULL;
}

enum tmemif_status base_import_begin(struct disks *t, const char *name, uint64_t token,
                                     const void *from)
{
    /* its size is known in the end */
    struct entry entry = {.kind = ENTRY_FILLING, .nr_pages = UINT32_MAX, .token = token};
    struct item *base = item_find_named(t, true, name);
    enum tmemif_status rc;

    if (base)
        return TMEMIF_BUSY;
    entry_set_name(&entry, name);
    rc = item_add(t, &entry, &base);
    if (rc == TMEMIF_OK) {
        base->import_from = from;
        base->import_end = 0;
    }
    return rc;
}

enum tmemif_status base_import_write(struct disks *t, uint64_t token, uint32_t first,
                                     uint32_t nr_pages, const void *pages)
{
    struct item *base = find_import(t, ENTRY_FILLING, token);
    enum tmemif_status rc = TMEMIF_OK;

    if (!base)
        return TMEMIF_NOT_FOUND;
    if (first > base->entry.nr_pages || nr_pages > base->entry.nr_pages - first)
        return TMEMIF_BAD_REQUEST;
    for (uint32_t n = 0; rc == TMEMIF_OK && n < nr_pages; n++)
        rc = layer_write(t->engine, t->worker, base->layer, first + n,
                         (const uint8_t *)pages + (size_t)n * DISK_PAGE_SIZE);
    if (first + nr_pages > base->import_end)
        base->import_end = first + nr_pages;
    return rc;
}

enum tmemif_status base_import_end(struct disks *t, uint64_t token, uint32_t nr_pages)
{
    struct item *base = find_import(t, ENTRY_FILLING, token);
    struct entry entry;

    if (!base) /* the same message twice, perhaps */
        return find_import(t, ENTRY_BASE, token) ? TMEMIF_OK : TMEMIF_NOT_FOUND;
    if (nr_pages < base->import_end || nr_pages == 0)
        return TMEMIF_BAD_REQUEST;
    entry = base->entry;
    entry.kind = ENTRY_BASE;
    entry.nr_pages = nr_pages;
    return item_change(t, base, &entry);
}

void base_import_drop(struct disks *t, const void *from)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.kind == ENTRY_FILLING && i->import_from == from)
            item_remove(t, i);
    }
}
