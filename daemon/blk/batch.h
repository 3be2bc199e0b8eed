/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * batch.h - pages that a disk is to read and write at one go, and whose they are meanwhile.
 *
 *    worker     fills it, disk_run() ---- true: every page has its status
 *                            '--- false: the disk has it
 *    disk       batch_end(), on a thread of its own: the worker is woken, batch_is_done()
 *    control    batch_abandon(): nobody waits for it any more
 *
 * A disk that keeps a batch has all it points to as well. Pure.
 */
#ifndef XTM_BLK_BATCH_H
#define XTM_BLK_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/util/lock.h"

#define DISK_PAGE_SIZE 4096u
/* Pages of one batch. */
#define BATCH_MAX_PAGES 160u

enum disk_status {
    DISK_OK = 0,
    DISK_FULL,    /* no memory: the page is as before */
    DISK_DAMAGED, /* the bytes are not those that were written, until the page is written anew */
    DISK_RANGE,   /* beyond the end */
    DISK_IO,      /* the device failed, or anything else */
};

struct batch_page {
    uint32_t page;
    bool write;
    /*
     * Bytes [first, end) are written, multiples of 512. A page of which a part is written has the
     * rest of its bytes in @data afterwards. Of a read it is the whole page.
     */
    uint16_t first, end;
    /*
     * DISK_PAGE_SIZE bytes, aligned to as many, of private memory; or, to be read into, of the
     * guest's, unless the disk keeps batches: they are written to and never looked at.
     */
    uint8_t *data;
    bool done; /* for the disk: it has its status */
    enum disk_status status;
};

static inline bool batch_page_is_whole(const struct batch_page *p)
{
    return p->first == 0 && p->end == DISK_PAGE_SIZE;
}

/* Take from @old, the page as it was, what is around the part that is written. */
static inline void batch_page_complete(const struct batch_page *p, const uint8_t *old)
{
    memcpy(p->data, old, p->first);
    memcpy(p->data + p->end, old + p->end, DISK_PAGE_SIZE - (size_t)p->end);
}

enum batch_kind { BATCH_TRANSFER, BATCH_DISCARD };

enum batch_state {
    BATCH_OURS,      /* the worker's */
    BATCH_UNDER_WAY, /* the disk's */
    BATCH_ABANDONED, /* the disk's, and nobody waits for it */
};

struct batch {
    enum batch_kind kind;

    /* TRANSFER: pages in any order; what concerns one page happens in the order it stands here. */
    struct batch_page *pages;
    uint32_t nr_pages;
    bool flush; /* then, all that was written to the disk outlives its machine */

    /* DISCARD: of @nr pages, @nr_done were discarded; call again for the rest */
    uint32_t first, nr, nr_done;

    enum disk_status status; /* of the flush, or of the discard */

    /* of a disk that keeps batches */
    struct lock lock;
    _Atomic(int) state;         /* enum batch_state */
    struct batch *next;         /* for who has it */
    void (*wake)(void *waiter); /* any thread; it must not block */
    void *waiter;
    void *memory; /* what the batch lies in, from malloc(): freed when it was abandoned */
};

/* A disk keeps it. Before any other thread sees it. */
void batch_keep(struct batch *b);
/* The other thread has done what it could. @b may be gone when this returns. */
void batch_end(struct batch *b);
/* The worker has it, with every status. */
bool batch_is_done(const struct batch *b);
/* The disk's thread: is there nobody who waits? */
bool batch_is_abandoned(const struct batch *b);
/*
 * For everybody who frees the memory of a batch that a disk may have kept at any time. True: it is
 * the caller's. False: it is freed when the disk is done with it.
 */
bool batch_abandon(struct batch *b);

#endif /* XTM_BLK_BATCH_H */
