/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stack.h - a disk that is made of layers of pages.
 *
 *        read                write
 *          |  has it?          |
 *          v                   v
 *     top layer, writable, the disk's own    --. no
 *     base, read-only, shared by its clones  --+ no
 *     base of that base ...                  --' no: zeros
 *
 * A swap disk is a top layer and no more. Whatever is refused changes nothing,
 * and a page whose bytes are not those that were written stays unreadable until it
 * is written anew: what lies below it is never shown in its place.
 *
 * For the files of this folder alone.
 */
#ifndef XTM_BLK_STACK_H
#define XTM_BLK_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/disk.h"
#include "daemon/blk/gate.h"
#include "daemon/engine/engine.h"
#include "daemon/util/lock.h"

/* Layers of one disk: each is asked in turn for a page that nobody has written. */
#define STACK_MAX_LAYERS 32u

struct stack {
    unsigned nr;
    struct stack_layer {
        account_nr account;
        /*
         * Of its pages below this one some were lost, and nobody knows which: none is absent for
         * certain. A layer has as many pages as its disk or base: above there never was one.
         */
        uint32_t nr_suspect;
    } layers[STACK_MAX_LAYERS]; /* the top first */
};

/* Pages share locks by their number. */
#define STACK_LOCKS 64u

struct stack_disk {
    struct disk disk; /* first: one is the other */
    struct engine *engine;
    struct gate *gate;
    /*
     * A page of which a part is written is read, changed and written again: no other worker writes
     * to the page meanwhile, or discards it.
     */
    struct lock locks[STACK_LOCKS];
    /* Workers use the current one; the other one is the control thread's to prepare. */
    struct stack stacks[2];
    _Atomic unsigned current;
};

extern const struct disk_ops stack_disk_ops;

/* Any worker that begins from now on uses @next; when this returns, every one does. Control. */
void stack_switch(struct stack_disk *d, const struct stack *next);

#endif /* XTM_BLK_STACK_H */
