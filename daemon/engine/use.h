/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * use.h - what the engine keeps in desc.use, under the lock of the page's shard.
 *
 *   [ 7 taken ][ 6 main queue ][ 5..4 uses ][ 3..0 pins ]
 *
 * A pinned page is being copied out: it is not evicted, and if it dies
 * meanwhile its frame is given back by the last one that unpins it. Uses are
 * counted up to three, from when the page came into its queue.
 */
#ifndef XTM_ENGINE_USE_H
#define XTM_ENGINE_USE_H

#include <stdint.h>

#define USE_PINS  0x0fu
#define USE_ONCE  0x10u /* one use; of a taken page: asked for in vain */
#define USE_USES  0x30u
#define USE_MAIN  0x40u /* in the main queue, not the small one */
#define USE_TAKEN 0x80u /* an exclusive get is under way: others miss */

static inline void use_set(uint8_t *use, unsigned bits)
{
    *use = (uint8_t)(*use | bits);
}

static inline void use_clear(uint8_t *use, unsigned bits)
{
    *use = (uint8_t)(*use & ~bits);
}

static inline unsigned use_count(uint8_t use)
{
    return (use & USE_USES) / USE_ONCE;
}

/* One use more. */
static inline void use_add(uint8_t *use)
{
    if ((*use & USE_USES) != USE_USES)
        *use = (uint8_t)(*use + USE_ONCE);
}

/* One use less; there was one. */
static inline void use_take(uint8_t *use)
{
    *use = (uint8_t)(*use - USE_ONCE);
}

#endif /* XTM_ENGINE_USE_H */
