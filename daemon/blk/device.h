/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h - a disk as one guest uses it: the queues of a connection, served by workers.
 *
 *    transport --- link ---> device_create() ---> queues[i].ring goes to a worker
 *    worker ----- turn.c: requests of a queue, in batches ----> disk.h
 *    transport: the rings leave their workers, then device_destroy(), then the link is closed
 *
 * The control thread makes and ends it. While a worker has a queue's ring, the queue is that
 * worker's; what is shared is atomic. Pure.
 */
#ifndef XTM_BLK_DEVICE_H
#define XTM_BLK_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/answer.h"
#include "daemon/blk/blkif_ring.h"
#include "daemon/blk/disk.h"
#include "daemon/blk/link.h"
#include "daemon/blk/scratch.h"
#include "daemon/session/worker.h"

struct device;

struct queue {
    struct worker_ring ring; /* first: one is the other */
    struct device *device;
    unsigned number;
    struct blkif_ring back;
    struct ring_rec *record;
    struct scratch *scratch; /* its own, or NULL: the worker's is used */
    bool under_way;          /* the disk keeps scratch->batch */
    /* a DISCARD that takes more than one turn: taken, not answered */
    bool discarding;
    struct blkif_request discard;
    uint32_t next_page, end_page; /* what is left of it */
};

/* What has gone wrong, by the thousand if a frontend likes: counted, and told once of each kind. */
struct device_stats {
    uint64_t requests;
    uint64_t refused; /* malformed, beyond the end, or with grants that cannot be copied */
    uint64_t full;    /* writes for which there was no memory */
    uint64_t damaged; /* requests that met a page with other bytes than were written */
    uint64_t failed;  /* that the device below could not do */
};

struct device {
    struct blk_link *link;
    struct disk *disk;
    bool read_only;
    bool discards;                       /* discard was offered */
    struct scratch **scratch;            /* by worker */
    void (*wake)(struct worker_ring *r); /* for disks that keep batches: worker_wake() */
    _Atomic(const char *) broken;        /* why it is not served any more, or NULL */
    _Atomic(uint64_t) nr_refused, nr_full, nr_damaged, nr_failed;
    atomic_bool has_news; /* the first of a kind, for the control thread to take */
    unsigned nr_queues;
    struct queue queues[BLK_MAX_QUEUES];
};

struct device_config {
    struct blk_link *link;
    struct disk *disk;
    struct store *store; /* records lie there */
    struct answer_owner owner;
    bool read_only;
    bool discards;
    struct scratch **scratch;
    void (*wake)(struct worker_ring *r); /* any thread; may be NULL unless disk->keeps */
};

/*
 * Its queues are ready to be served. An answer that an earlier daemon owed is published. NULL:
 * *why_out is a static sentence, and *lacks_out whether for want of memory or records, which may
 * be there later; then what was to be resumed still can be. Link and disk stay the caller's.
 */
struct device *device_create(const struct device_config *config, bool *lacks_out,
                             const char **why_out);
/*
 * No worker has a queue of it. @kept: its records stay, for the next daemon. What the disk keeps
 * is abandoned.
 */
void device_destroy(struct device *d, bool kept);

/* The frontend broke the protocol: no queue is served from here on. Worker. */
void device_break(struct device *d, const char *reason);
/* NULL: it is served. */
const char *device_broken(const struct device *d);
struct device_stats device_stats(const struct device *d);

/* Worker. */
void device_count_failure(struct device *d, _Atomic(uint64_t) *counter);

/* For a queue's ring: turn.c. */
extern const struct worker_ring_ops turn_ring_ops;

#endif /* XTM_BLK_DEVICE_H */
