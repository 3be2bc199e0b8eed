/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backing.h - a device below a cache, and the threads that may wait for it.
 *
 *    a cache's run()  --- hand_over(batch) --->  queue of the device
 *                                                  |  one of its lanes, a thread each
 *    carry_out(cache, lane, batch)  <--------------'
 *         '--- transfer(), flush(), discard(): these block
 *
 * The second, in-memory implementation is the tests'.
 */
#ifndef XTM_BLK_BACKING_H
#define XTM_BLK_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/batch.h"

/* Threads of a device: batches that are under way at a time. */
#define BACKING_LANES 4u

struct backing;

struct backing_io {
    uint32_t page;
    uint8_t *data; /* DISK_PAGE_SIZE bytes, aligned to as many */
    bool ok;
};

struct backing_ops {
    /*
     * Any thread but for the control functions; never blocks. Its lanes call carry_out() with
     * each batch, in the order in which they came.
     */
    void (*hand_over)(struct backing *b, struct batch *batch);
    /* Any thread: no lane carries it out. False: one does, or did. */
    bool (*take_back)(struct backing *b, struct batch *batch);

    /* Lane @lane. All of them are under way at a time, ascending by page, none twice. */
    void (*transfer)(struct backing *b, unsigned lane, bool write, struct backing_io *ios,
                     unsigned nr);
    /* What was written outlives the machine. False: it may not. */
    bool (*flush)(struct backing *b);
    /* Pages have any contents from now on. False: some may have kept theirs. */
    bool (*discard)(struct backing *b, uint32_t first, uint32_t nr);

    /* Control: its threads begin. False: no memory or threads. */
    bool (*start)(struct backing *b);
    /* Control: waits for what is under way, if anything is; then it is gone. */
    void (*close)(struct backing *b);
};

struct backing {
    const struct backing_ops *ops;
    uint64_t device; /* two names of one device have the same */
    uint32_t nr_pages;
    bool read_only;
    bool discards;
    /* its user's, before start() */
    void (*carry_out)(void *user, unsigned lane, struct batch *batch);
    void *user;
};

/* Where devices are found. Control thread. */
struct backing_source {
    /* False: *why_out is a static sentence. */
    bool (*find)(void *arg, const char *name, uint64_t *device_out, const char **why_out);
    /* Nobody else on this machine uses it until it is closed. */
    bool (*open)(void *arg, const char *name, struct backing **backing_out, const char **why_out);
    void *arg;
};

#endif /* XTM_BLK_BACKING_H */
