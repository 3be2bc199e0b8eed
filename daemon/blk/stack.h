/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stack.h - the layers that a disk is made of; for the files of this folder alone. */
#ifndef XTM_BLK_STACK_H
#define XTM_BLK_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/disk.h"
#include "daemon/blk/gate.h"
#include "daemon/engine/engine.h"

/* Layers of one disk: each is asked in turn for a page that nobody has written. */
#define STACK_MAX_LAYERS 32u

struct stack {
    unsigned nr;
    struct stack_layer {
        account_nr account;
        /* Some of its pages were lost, and nobody knows which: none is absent for certain. */
        bool suspect;
    } layers[STACK_MAX_LAYERS]; /* the top first */
};

struct disk {
    struct engine *engine;
    struct gate *gate;
    uint32_t nr_pages;
    /* Workers use the current one; the other one is the control thread's to prepare. */
    struct stack stacks[2];
    _Atomic unsigned current;
};

/* Any worker that begins from now on uses @next; when this returns, every one does. Control. */
void disk_switch(struct disk *d, const struct stack *next);

#endif /* XTM_BLK_STACK_H */
