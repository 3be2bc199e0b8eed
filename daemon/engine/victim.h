/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* victim.h - who loses a page when memory, or a claim's maximum, is used up. */
#ifndef XTM_ENGINE_VICTIM_H
#define XTM_ENGINE_VICTIM_H

#include "daemon/engine/state.h"

/*
 * Evict one ephemeral page that has a frame: of @only, or if that is NULL of whichever
 * claim holds the most for its weight among those above their minimum (rule C23: no
 * persistent page, none that is pinned). False: none was found. Worker; no
 * lock is held.
 */
bool victim_evict(struct engine *e, struct worker *w, struct claim *only);

/* The same of any claim, above its minimum or not. */
bool victim_evict_past_minimum(struct engine *e, struct worker *w);

/* The same of @c, whose maximum is used up: one without a frame does as well. */
bool victim_evict_any(struct engine *e, struct worker *w, struct claim *c);

#endif /* XTM_ENGINE_VICTIM_H */
