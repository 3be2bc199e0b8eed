/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache.h - a device of the manager's domain, used by guests through one pool that they share.
 *
 *    worker, any number            lane of the device, a few
 *      read, in the pool: done
 *      else ---- batch ---->         lock pages | look again | read device  | put    | unlock
 *                                    lock pages | flush pool | write device | put    | unlock
 *
 * The pool is shared and ephemeral: it starts empty with every daemon, and pages may be gone at any
 * time. A page is in it only while it is what the device holds:
 *
 *  - it is put under the page's lock alone, after it was read or written;
 *  - before a write reaches the device the page is flushed, and readers wait for the lock.
 *
 * So a read finds what the last write that had ended has written, whoever wrote it; a hit
 * takes no lock. Of a batch that is abandoned (its guest is gone) no write begins any more, or one
 * that had begun has the locks: nobody reads or writes those pages before it has ended.
 *
 * Lanes enter the engine with one worker number for all caches, one at a time.
 */
#ifndef XTM_BLK_CACHE_H
#define XTM_BLK_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/backing.h"
#include "daemon/blk/disk.h"
#include "daemon/engine/engine.h"
#include "daemon/util/lock.h"

/* Pages share locks by their number. A power of two: neighbours have different ones. */
#define CACHE_LOCKS 4096u

/* How lanes get into the engine. */
struct cache_door {
    struct engine *engine;
    unsigned worker;
    struct lock lock; /* held inside */
};

struct cache_lane;

struct cache {
    struct cache_door *door;
    struct backing *backing;
    uint32_t number;    /* tells it from the other caches */
    account_nr account; /* its only pool is the cache's */
    uint8_t uuid[TMEMIF_UUID_LEN];
    struct cache_lane *lanes[BACKING_LANES];
    struct lock locks[CACHE_LOCKS];
    _Atomic uint32_t nr_kept; /* batches under way */
};

/* One guest's use of it. */
struct cache_disk {
    struct disk disk; /* first: one is the other */
    struct cache *cache;
    _Atomic uint64_t nr_hits, nr_misses; /* pages read; a miss had to wait for the device */
};

extern const struct disk_ops cache_disk_ops;

/*
 * Over @backing, which is its own from now on; closed in case of failure. *why_out is a static
 * sentence.
 */
bool cache_create(struct cache_door *door, struct backing *backing, uint32_t number,
                  struct cache **cache_out, const char **why_out);
/* No disk uses it any more. Waits for what is under way. */
void cache_destroy(struct cache *c);
/* Pages that its pool has. */
uint64_t cache_nr_pages(const struct cache *c);

static inline bool cache_is_idle(const struct cache *c)
{
    return atomic_load_explicit(&c->nr_kept, memory_order_acquire) == 0;
}

void cache_disk_init(struct cache_disk *d, struct cache *c);

#endif /* XTM_BLK_CACHE_H */
