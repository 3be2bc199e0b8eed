/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layer.h - pages of one generation of a disk: an account of its own with one persistent pool.
 *
 * Layers have numbers; one that lies on another has a higher one than that. That an account is
 * charged with each layer alone keeps disks from pushing anything else aside, and lets a layer
 * change hands as a whole: a disk's top becomes a base without a page moving.
 *
 * Worker functions take @layer as the account of a whole layer, and the number of a
 * page; absent is what nobody has written, or has discarded.
 */
#ifndef XTM_BLK_LAYER_H
#define XTM_BLK_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/engine/engine.h"

/* ---- control ---- */

/*
 * A new, empty layer. TOO_MANY: there are as many accounts or pools as there can be.
 * NO_MEMORY. A kill leaves it whole or without a pool.
 */
enum tmemif_status layer_make(struct engine *e, uint32_t number, account_nr *layer_out);
/* Is a layer that a restart found all there? Then it takes pages from now on. */
bool layer_adopt(struct engine *e, account_nr layer);
/* Nobody is in it any more: it goes with all its pages, which workers reclaim. */
void layer_end(struct engine *e, account_nr layer);
/* Pages that it holds. */
uint64_t layer_nr_own(struct engine *e, account_nr layer);

/* ---- worker ---- */

/* MISS: absent. BAD_DATA: damaged. */
enum tmemif_status layer_read(struct engine *e, unsigned worker, account_nr layer, uint32_t page,
                              void *buffer);
/* QUOTA, NO_MEMORY: nothing has changed. */
enum tmemif_status layer_write(struct engine *e, unsigned worker, account_nr layer, uint32_t page,
                               const void *buffer);
/* Is there a page, whatever it is like? */
bool layer_has(struct engine *e, unsigned worker, account_nr layer, uint32_t page);
/* Up to POOL_PAGE_FLUSH pages from @first on, at most @nr; *@done_out of them are absent now. */
enum tmemif_status layer_flush(struct engine *e, unsigned worker, account_nr layer, uint32_t first,
                               uint32_t nr, uint32_t *done_out);

#endif /* XTM_BLK_LAYER_H */
