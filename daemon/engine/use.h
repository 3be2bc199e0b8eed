/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * use.h - what the engine keeps in desc.use, under the lock of the page's shard.
 *
 *   [ 7 taken ][ 6 main queue ][ 5 used ][ 4..0 pins ]
 *
 * A pinned page is being copied out: it is not evicted, and if it dies
 * meanwhile its frame is given back by the last one that unpins it.
 */
#ifndef XTM_ENGINE_USE_H
#define XTM_ENGINE_USE_H

#include <stdint.h>

#define USE_PINS  0x1fu
#define USE_USED  0x20u /* asked for since it was queued; of a taken page: asked for in vain */
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

#endif /* XTM_ENGINE_USE_H */
