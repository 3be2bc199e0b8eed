/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/items.h"

#include <string.h>

struct item *item_next(struct disks *t, const struct item *after)
{
    uint32_t n = after ? (uint32_t)(after - t->items) + 1 : 0;

    for (; n < CATALOGUE_ENTRIES; n++) {
        if (t->items[n].entry.kind != ENTRY_NONE)
            return &t->items[n];
    }
    return NULL;
}

struct item *item_find_free(struct disks *t)
{
    for (uint32_t n = 0; n < CATALOGUE_ENTRIES; n++) {
        if (t->items[n].entry.kind == ENTRY_NONE)
            return &t->items[n];
    }
    return NULL;
}

struct item *item_find_named(struct disks *t, bool base, const char *name)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (item_is_base(i) == base && strcmp(i->entry.name, name) == 0)
            return i;
    }
    return NULL;
}

static bool owner_is(const struct disk_owner *a, uint32_t domid, uint32_t vdev)
{
    return a->domid == domid && a->vdev == vdev;
}

struct item *item_find(struct disks *t, const struct disk_ref *ref)
{
    struct item *detached = NULL;

    if (ref->name[0])
        return item_find_named(t, false, ref->name);
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->open && owner_is(&ref->owner, i->user.domid, i->user.vdev))
            return i;
        if (!item_is_base(i) && !i->open && i->entry.name[0] == '\0' &&
            owner_is(&ref->owner, i->entry.domid, i->entry.vdev))
            detached = i;
    }
    return detached;
}

bool item_is_behind_cache(const struct disks *t, const struct disk_ref *ref)
{
    struct caches_info info;

    if (ref->name[0] || !t->has_caches)
        return false;
    for (uint32_t n = 0; caches_info(&t->caches, n, &info); n++) {
        if (info.owner.domid == ref->owner.domid && info.owner.vdev == ref->owner.vdev)
            return true;
    }
    return false;
}

struct item *item_find_base(struct disks *t, uint32_t layer)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.kind == ENTRY_BASE && i->entry.layer == layer)
            return i;
    }
    return NULL;
}

uint32_t item_nr_above(struct disks *t, const struct item *base)
{
    uint32_t nr = 0;

    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i))
        nr += i->entry.below == base->entry.layer;
    return nr;
}

bool item_stack(struct disks *t, const struct item *item, struct stack *stack_out)
{
    *stack_out = (struct stack){.nr = 0};
    for (;;) {
        if (!item || item->layer == LAYOUT_NONE || stack_out->nr == STACK_MAX_LAYERS)
            return false;
        stack_out->layers[stack_out->nr++] = (struct stack_layer){
            .account = item->layer, .nr_suspect = item->entry.suspect ? item->entry.nr_pages : 0};
        if (item->entry.below == 0)
            return true;
        item = item_find_base(t, item->entry.below);
    }
}

static uint32_t number_of(const struct disks *t, const struct item *item)
{
    return (uint32_t)(item - t->items);
}

enum tmemif_status item_change(struct disks *t, struct item *item, const struct entry *entry)
{
    enum tmemif_status rc = catalogue_write(&t->catalogue, number_of(t, item), entry);

    if (rc == TMEMIF_OK)
        item->entry = *entry;
    return rc;
}

enum tmemif_status item_new_layer(struct disks *t, uint32_t *number_out, account_nr *layer_out)
{
    enum tmemif_status rc = catalogue_make(&t->catalogue);

    if (t->next_layer > CATALOGUE_LAST_LAYER)
        return TMEMIF_TOO_MANY;
    if (rc == TMEMIF_OK)
        rc = layer_make(t->engine, t->next_layer, layer_out);
    if (rc == TMEMIF_OK)
        *number_out = t->next_layer++;
    return rc;
}

enum tmemif_status item_add(struct disks *t, const struct entry *entry, struct item **item_out)
{
    struct item *item = item_find_free(t);
    struct entry new = *entry;
    account_nr layer;
    enum tmemif_status rc;

    if (!item)
        return TMEMIF_TOO_MANY;
    rc = item_new_layer(t, &new.layer, &layer);
    if (rc != TMEMIF_OK)
        return rc;
    rc = item_change(t, item, &new);
    if (rc != TMEMIF_OK) {
        layer_end(t->engine, layer);
        return rc;
    }
    item->layer = layer;
    item->open = NULL;
    item->import_from = NULL;
    *item_out = item;
    return TMEMIF_OK;
}

void item_remove(struct disks *t, struct item *item)
{
    catalogue_erase(&t->catalogue, number_of(t, item));
    if (item->layer != LAYOUT_NONE)
        layer_end(t->engine, item->layer);
    item->entry = (struct entry){.kind = ENTRY_NONE};
}
