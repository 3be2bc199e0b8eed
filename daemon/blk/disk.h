/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.h - what a disk does, whichever kind it is. Pages of 4096 bytes.
 *
 *    stack.h   layers of pages in memory: swap disks and clones
 *    cache.h   a device of the manager's domain, through a pool that its users share
 *
 * What is written is found by every read that begins after the write has ended. Two
 * writes of one page at once: either of them is last, and parts of a page
 * that do not overlap are both there.
 */
#ifndef XTM_BLK_DISK_H
#define XTM_BLK_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/batch.h"

struct disk;

struct disk_ops {
    bool (*run)(struct disk *d, unsigned worker, struct batch *b);
    bool (*take_back)(struct disk *d, struct batch *b); /* of one that keeps batches */
};

/* Part of a larger struct. Any thread; nothing of it changes, but that it may become larger. */
struct disk {
    const struct disk_ops *ops;
    _Atomic uint32_t nr_pages;
    bool resized; /* since it was made: a guest that has it may know an earlier size */
    bool read_only;
    bool discards; /* it knows what to do with them */
    bool lasting;  /* what it holds is not the manager's memory */
    bool keeps;    /* disk_run() may keep a batch, whose memory must not be a worker's then, nor a
                      guest's; else what is read into is only written to */
};

/* Who has a disk: a guest's domain and the device number that it sees. */
struct disk_owner {
    uint32_t domid, vdev;
};

/*
 * Relaxed: nothing else is made ready for a larger size, so there is nothing that must be seen with
 * it. Whoever asks for what is new was told of it through xenstore, after it was stored.
 */
static inline uint32_t disk_nr_pages(const struct disk *d)
{
    return atomic_load_explicit(&d->nr_pages, memory_order_relaxed);
}

/* Are @nr pages from @first on all its own? */
static inline bool disk_has_pages(const struct disk *d, uint32_t first, uint32_t nr)
{
    uint32_t nr_pages = disk_nr_pages(d);

    return first <= nr_pages && nr <= nr_pages - first;
}

/* Control: not less than it was. */
static inline void disk_set_nr_pages(struct disk *d, uint32_t nr_pages)
{
    atomic_store_explicit(&d->nr_pages, nr_pages, memory_order_relaxed);
}

/*
 * Worker, by any number of workers at once, each with batches of its own; never blocks, and the
 * work is bounded. True: it is done. False: the disk keeps it, see batch.h. A discard makes
 * pages read as zeros, or as anything if the device says so.
 */
static inline bool disk_run(struct disk *d, unsigned worker, struct batch *b)
{
    return d->ops->run(d, worker, b);
}

/*
 * Control: a batch that the disk has kept is the caller's again, and nothing was done of it. False:
 * it is under way, or done.
 */
static inline bool disk_take_back(struct disk *d, struct batch *b)
{
    return d->ops->take_back(d, b);
}

#endif /* XTM_BLK_DISK_H */
