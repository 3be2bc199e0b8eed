/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * items.h - the table's inside, for the files of this folder alone.
 *
 * An item is an entry of the catalogue and what this daemon knows of it besides.
 */
#ifndef XTM_BLK_ITEMS_H
#define XTM_BLK_ITEMS_H

#include "daemon/blk/catalogue.h"
#include "daemon/blk/disks.h"
#include "daemon/blk/layer.h"
#include "daemon/blk/stack.h"

struct item {
    struct entry entry;      /* kind ENTRY_NONE: the place is free */
    account_nr layer;        /* of its own layer; LAYOUT_NONE: it was lost */
    struct stack_disk *open; /* or NULL */
    struct disk_owner user;  /* who has it open */
    const void *import_from; /* ENTRY_FILLING: whose import it is */
    uint32_t import_end;     /* the same: above every page that was written */
};

struct disks {
    struct engine *engine;
    unsigned worker; /* the control thread's number */
    struct gate gate;
    struct catalogue catalogue;
    uint32_t next_layer;
    bool has_caches;
    struct caches caches;
    bool taken_up;                                          /* disks_taken_up() */
    void (*tell)(void *arg, const struct disk_owner *user); /* of one made larger; or NULL */
    void *tell_arg;
    struct item items[CATALOGUE_ENTRIES];
};

/* The next item there is; the first with NULL. NULL: that was the last. */
struct item *item_next(struct disks *t, const struct item *after);

static inline bool item_is_base(const struct item *i)
{
    return i->entry.kind == ENTRY_BASE || i->entry.kind == ENTRY_FILLING;
}

struct item *item_find_named(struct disks *t, bool base, const char *name);
struct item *item_find(struct disks *t, const struct disk_ref *ref);
/*
 * Does @ref name a cache? An item of the same owner was detached before, and is not what is meant.
 */
bool item_is_behind_cache(const struct disks *t, const struct disk_ref *ref);
/* The base whose layer has this number, or NULL. */
struct item *item_find_base(struct disks *t, uint32_t layer);
/* Does anything lie on @base? */
uint32_t item_nr_above(struct disks *t, const struct item *base);

/* False: a layer of it was lost, or they are too many. */
bool item_stack(struct disks *t, const struct item *item, struct stack *stack_out);

/*
 * An item of @entry with a new, empty layer. TOO_MANY, NO_MEMORY: there is
 * nothing new. Killed in between: a layer without an item, which a restart removes.
 */
enum tmemif_status item_add(struct disks *t, const struct entry *entry, struct item **item_out);
/* Have the catalogue say @entry of @item. NO_MEMORY: nothing has changed. */
enum tmemif_status item_change(struct disks *t, struct item *item, const struct entry *entry);
/* Nobody has it open and nothing lies on it: it is gone, its layer last. */
void item_remove(struct disks *t, struct item *item);

/* A new, empty layer and its number. */
enum tmemif_status item_new_layer(struct disks *t, uint32_t *number_out, account_nr *layer_out);
/* A place for one more item, or NULL. */
struct item *item_find_free(struct disks *t);

/* Read the catalogue, settle what was left half done, and add to what was found. */
void items_recover(struct disks *t, struct store *store, struct disks_found *found_out);

#endif /* XTM_BLK_ITEMS_H */
