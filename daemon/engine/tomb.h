/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tomb.h - long flushes: dead at once, reclaimed in slices.
 *
 * A tombstone's record in the segment makes the pages below its generation
 * dead, and the reply may go; look-ups in the shard ask for it while there is
 * one (shard_page_is_dead()). All under the shard's lock.
 */
#ifndef XTM_ENGINE_TOMB_H
#define XTM_ENGINE_TOMB_H

#include "daemon/engine/shard.h"

/* May the pool @slot have one more? One claim gets no more than a quarter of a shard's room. */
bool tomb_may_add(const struct engine *e, const struct shard *s, uint16_t slot);

/* The pages of the object of @h from @first to @last are dead from now on. */
void tomb_add(struct engine *e, struct shard *s, const struct handle *h, uint32_t first,
              uint32_t last);

/*
 * Reclaim some pages of the oldest tombstone, or of the oldest that charges
 * @claim if it is not NULL, into @dead, which is empty. False: there is none.
 */
bool tomb_step(struct engine *e, struct shard *s, const struct claim *claim,
               struct dead_pages *dead);

/* The pool is destroyed and has no page here any more: nor does it need its tombstones. */
void tomb_drop_pool(struct engine *e, struct shard *s, uint16_t pool);

#endif /* XTM_ENGINE_TOMB_H */
