/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * catalogue.h - what must be known of disks and bases after a restart: a page for each in the
 * store.
 *
 * The pages lie in layer 0, page n is entry n. A put is atomic, so an entry is
 * the old one or the new one whenever the daemon is killed. Two entries never change
 * at once; disks.c chooses an order of changes that it can finish, or undo, at a restart.
 *
 * Control thread only.
 */
#ifndef XTM_BLK_CATALOGUE_H
#define XTM_BLK_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/target.h"
#include "daemon/engine/engine.h"

/* As many as there can be accounts, of which each has one at least. */
#define CATALOGUE_ENTRIES 1024u

/* Numbers of layers, of which 0 is the catalogue's own. A store that says more is not believed. */
#define CATALOGUE_LAST_LAYER (UINT32_MAX - 1)

enum entry_kind {
    ENTRY_NONE = 0,
    ENTRY_DISK = 1,    /* its layer is written by a guest */
    ENTRY_BASE = 2,    /* its layer is read-only */
    ENTRY_FILLING = 3, /* a base that is being imported */
};

struct entry {
    enum entry_kind kind;
    uint32_t layer; /* number of the layer that it owns; no other entry has it */
    uint32_t below; /* number of the layer below, which is a base's, or 0 */
    uint32_t nr_pages;
    uint32_t made_pages;         /* of a disk: nr_pages before it was made larger */
    bool is_swap;                /* a disk that began with nothing below */
    bool suspect;                /* of its layer: see struct stack_layer */
    uint64_t token;              /* of the message that made it: a repeated one is known */
    char name[TARGET_NAME_SIZE]; /* "": a disk that ends when it is detached */
    uint32_t domid, vdev;        /* of which guest; of a disk without a name */
};

/* @name is a name that tmemctl_is_name() accepts. */
void entry_set_name(struct entry *entry, const char *name);

struct catalogue {
    struct engine *engine;
    unsigned worker;  /* the control thread's number */
    account_nr layer; /* LAYOUT_NONE until catalogue_make() */
};

/* The catalogue that the store holds. If there is none, or it was lost, there are no entries. */
void catalogue_open(struct catalogue *c, struct engine *e, unsigned worker);

/*
 * To be called before any other layer is made, and not before it is needed: while there
 * is a layer new persistent pages leave frames to spare. TOO_MANY, NO_MEMORY.
 */
enum tmemif_status catalogue_make(struct catalogue *c);

/* NOT_FOUND: there is none. BAD_DATA: it is damaged, or of a newer kind. */
enum tmemif_status catalogue_read(struct catalogue *c, uint32_t number, struct entry *entry_out);
/* NO_MEMORY: it is as it was. */
enum tmemif_status catalogue_write(struct catalogue *c, uint32_t number, const struct entry *entry);
void catalogue_erase(struct catalogue *c, uint32_t number);

#endif /* XTM_BLK_CATALOGUE_H */
