/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h - a guest's end of a disk: rings that are mapped, channels that are bound, grants to copy.
 *
 * A transport makes it and takes it back when no worker has a queue of it any more. Ring pages
 * are shared with a hostile frontend: they are used through blkif_ring.h.
 */
#ifndef XTM_BLK_LINK_H
#define XTM_BLK_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/blkif.h"
#include "daemon/util/grant_copy.h"

#define BLK_MAX_QUEUES 8u

struct blk_link;

/* For workers; none waits for anybody. */
struct blk_link_ops {
    /*
     * Pages of @queue's requests. No system call for those that stay mapped, and one for 64 others.
     * False: it failed as a whole; else each copy has its status.
     */
    bool (*copy)(struct blk_link *l, unsigned queue, struct grant_copy *copies, unsigned nr);
    /*
     * Where a page of @queue's requests stays mapped, until the link is taken back; NULL: it is to
     * be copied. The guest may write to it at any time.
     */
    uint8_t *(*mapped)(struct blk_link *l, unsigned queue, uint32_t ref);
    void (*notify)(struct blk_link *l, unsigned queue);
    /* Consume notifications that made queues[queue].wait_fd readable. */
    void (*consume)(struct blk_link *l, unsigned queue);
    /* Something has happened that the control thread should know: see device.h. */
    void (*attend)(struct blk_link *l);
};

struct blk_link_queue {
    void *pages; /* 1 << order of them */
    int wait_fd; /* readable when the frontend has notified */
};

struct blk_link {
    const struct blk_link_ops *ops;
    enum blkif_abi abi;
    unsigned order; /* of every ring */
    unsigned nr_queues;
    struct blk_link_queue queues[BLK_MAX_QUEUES];
    uint64_t session; /* a number made of what tells this connection from the ones before */
    bool apart;       /* the guest runs in another domain (struct worker_ring) */
    bool resume;      /* an earlier daemon served these rings */
};

#endif /* XTM_BLK_LINK_H */
