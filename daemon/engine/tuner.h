/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tuner.h - which rule a pool's queues follow: the one that would have had more hits lately.
 *
 * No fixed rule is best for every guest (docs/PERFORMANCE.md). So each
 * ephemeral pool has two miniatures (miniature.h), one for each rule, which see
 * the same sample of its gets and puts, as large a part of them as makes some
 * hundred pages. A pool begins with the generous rule, leaves it when the
 * strict one leads by a little, and comes back when the generous one leads by
 * much: a small queue that was too long costs the pages of one scan, and is
 * the better error while nothing is known.
 *
 * The sample is small: a worker that finds the tuner busy leaves it out.
 */
#ifndef XTM_ENGINE_TUNER_H
#define XTM_ENGINE_TUNER_H

#include "daemon/engine/state.h"

/*
 * Begin anew for pool @p, whose flags are set. If it is @wanted, and there are not too many
 * already, a slot is given what stays with it; a pool without keeps the generous rule. Under
 * engine.lock.
 */
void tuner_set_up(struct engine *e, struct pool *p, bool wanted);
void tuner_free(struct engine *e, struct pool *p);

/* Is a page of that hash one of the sample? Never, if the pool has no tuner. */
static inline bool tuner_wants(const struct pool *p, uint64_t page_hash)
{
    /* acquire: the tuner was there before it wanted any */
    return page_hash >> 32 < atomic_load_explicit(&p->sample_below, memory_order_acquire);
}

/* A page of the sample was asked for, and found or not. Worker; no lock is held. */
void tuner_get(struct pool *p, uint64_t page_hash, bool hit);
/* A page of the sample was put, in place of an older one of that name or anew. The same. */
void tuner_put(struct pool *p, uint64_t page_hash, bool replaced);

/* The pool holds @nr_pages, and one is about to be evicted. */
void tuner_note_pressure(struct pool *p, uint64_t nr_pages);

#endif /* XTM_ENGINE_TUNER_H */
