/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/items.h"

/*
 * Changes that a kill may have cut in two, and what each leaves:
 *
 *   add       layer, entry                     a layer that no entry has
 *   remove    entry, layer                     the same
 *   rollback  new layer, entry, old layer      the same, whichever of the two it is
 *   freeze    new layer, entry of the base,    the same; and a base with the layer of a disk,
 *             entry of the disk                which has not been frozen then
 *   import    layer, entry, pages, entry       an entry that says so
 *   resize    entry                            nothing: it has the old size, or the new one
 *
 * An entry whose layer is not there was damaged, or its layer was.
 */

static void read_entries(struct disks *t, struct disks_found *found)
{
    for (uint32_t n = 0; n < CATALOGUE_ENTRIES; n++) {
        struct item *item = &t->items[n];

        item->layer = LAYOUT_NONE;
        switch (catalogue_read(&t->catalogue, n, &item->entry)) {
        case TMEMIF_OK:
        case TMEMIF_NOT_FOUND:
            break;
        default:
            /* Nobody can say what it was. */
            catalogue_erase(&t->catalogue, n);
            found->lost++;
        }
        if (item->entry.kind != ENTRY_NONE && item->entry.layer >= t->next_layer)
            t->next_layer = item->entry.layer + 1;
    }
}

static bool is_a_disks(struct disks *t, uint32_t layer)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.kind == ENTRY_DISK && i->entry.layer == layer)
            return true;
    }
    return false;
}

/* Entries that go: the layers of imports then belong to nobody. */
static void undo_halves(struct disks *t, struct disks_found *found)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.kind == ENTRY_FILLING ||
            (i->entry.kind == ENTRY_BASE && is_a_disks(t, i->entry.layer))) {
            found->undone += i->entry.kind == ENTRY_BASE;
            item_remove(t, i);
        }
    }
}

static struct item *find_by_layer(struct disks *t, uint32_t layer)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        if (i->entry.layer == layer && i->layer == LAYOUT_NONE)
            return i;
    }
    return NULL;
}

static void find_layers(struct disks *t, struct disks_found *found)
{
    struct account_key key;
    uint32_t cursor = 0;
    account_nr layer;

    while (engine_account_next(t->engine, &cursor, &layer, &key)) {
        struct item *item;

        if (key.kind != ACCOUNT_DISK || layer == t->catalogue.layer)
            continue;
        if (key.id >= t->next_layer && key.id <= CATALOGUE_LAST_LAYER)
            t->next_layer = key.id + 1;
        item = find_by_layer(t, key.id);
        if (item && layer_adopt(t->engine, layer)) {
            item->layer = layer;
        } else {
            layer_end(t->engine, layer);
            /* the catalogue is made first: it was there */
            if (t->catalogue.layer == LAYOUT_NONE)
                found->lost++;
            else
                found->undone++;
        }
    }
}

/* A page whose descriptor was damaged is absent now, and what lies below must not show. */
static void find_suspects(struct disks *t, struct store *store)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        struct entry entry = i->entry;

        if (i->layer == LAYOUT_NONE || entry.suspect ||
            !store_damage_touches(store, store_accounts(store)[i->layer].pools[0]))
            continue;
        entry.suspect = true;
        /* refused: it is known to this daemon, if not to the next one */
        if (item_change(t, i, &entry) != TMEMIF_OK)
            i->entry.suspect = true;
    }
}

static void count(struct disks *t, struct disks_found *found)
{
    for (struct item *i = item_next(t, NULL); i; i = item_next(t, i)) {
        struct stack stack;

        found->disks += i->entry.kind == ENTRY_DISK;
        found->bases += i->entry.kind == ENTRY_BASE;
        found->lost += !item_stack(t, i, &stack) || i->entry.suspect;
    }
}

void items_recover(struct disks *t, struct store *store, struct disks_found *found_out)
{
    read_entries(t, found_out);
    undo_halves(t, found_out);
    find_layers(t, found_out);
    find_suspects(t, store);
    count(t, found_out);
}
