/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blk_world.h - a disk in memory, a guest's pages and ring, and a device between them: for tests of
 * the block backend without Xen.
 */
#ifndef TESTS_BLK_WORLD_H
#define TESTS_BLK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/blk/device.h"

#define BLK_DISK_PAGES  64u
#define BLK_GUEST_PAGES 160u /* page n has grant reference n + 1 */
#define BLK_RING_ORDER  0u
#define BLK_BUDGET      1000u
/* Grants from this reference on cannot be copied. */
#define BLK_BAD_REF (BLK_GUEST_PAGES + 1)

/* All that a kill of the daemon leaves; it may be copied as a whole. */
struct blk_memory {
    uint8_t ring[TMEMIF_PAGE_SIZE << BLK_RING_ORDER] __attribute__((aligned(TMEMIF_PAGE_SIZE)));
    uint8_t guest[BLK_GUEST_PAGES][TMEMIF_PAGE_SIZE];
    uint8_t disk[BLK_DISK_PAGES][TMEMIF_PAGE_SIZE];
};

struct blk_world;

struct blk_world {
    struct blk_link link; /* first */
    struct blk_memory *memory;
    struct disk disk;   /* its own of memory->disk */
    struct batch *kept; /* with disk.keeps: what blk_world_end_batch() has to do, or NULL */
    bool has_begun;     /* a batch that is kept is under way: it cannot be taken back */
    unsigned nr_woken;
    struct store *store;
    struct device *device;
    bool lacks; /* there is no device for want of something */
    struct scratch *scratch;
    enum disk_status fails; /* of every page and discard, unless OK */
    enum disk_status flush_fails;
    uint32_t discard_pages; /* of one call, at most */
    bool copy_fails;
    uint32_t maps_every; /* guest pages with multiples of it as reference are mapped; 0: none */
    bool asks_always;    /* the frontend asks for the next notification when it has one */
    unsigned nr_copy_calls, nr_copies, nr_notifies, nr_attends, nr_reads, nr_writes, nr_discards,
        nr_flushes;
    uint32_t told_of; /* answers that were there at the first notification */
};

/* Zeroed pages; aborts if there are none. @shared: with the processes that are forked. */
struct blk_memory *blk_memory_new(bool shared);
void blk_memory_free(struct blk_memory *m, bool shared);

/* A ring with no requests, as a frontend makes it. */
void blk_ring_begin(struct blk_memory *m);

/* As a daemon takes the ring up. False: refused, *why_out says why. */
bool blk_world_open(struct blk_world *w, struct blk_memory *m, struct store *s, enum blkif_abi abi,
                    bool resume, const char **why_out);
void blk_world_close(struct blk_world *w, bool kept);
/* The same with a disk that keeps every batch until blk_world_end_batch(). */
bool blk_world_open_keeping(struct blk_world *w, struct blk_memory *m, struct store *s, bool resume,
                            const char **why_out);
void blk_world_end_batch(struct blk_world *w);
/* A turn of the worker. */
enum serve_result blk_world_serve(struct blk_world *w);

/* ---- the frontend's end ---- */

struct blk_front {
    struct blk_memory *memory;
    enum blkif_abi abi;
    uint32_t req_prod, rsp_cons;
};

struct blk_response {
    uint64_t id;
    uint8_t op;
    int16_t status;
};

/* A slot to be filled; it is published by blk_front_publish(). */
uint8_t *blk_front_slot(struct blk_front *f);
void blk_front_publish(struct blk_front *f);
bool blk_front_take(struct blk_front *f, struct blk_response *response_out);

/* Put a request into the next slot. */
void blk_front_put(struct blk_front *f, uint8_t op, uint64_t id, uint64_t sector,
                   const struct blkif_segment *segments, unsigned nr);
/* The same with its segments in the guest's page @page. */
void blk_front_put_indirect(struct blk_front *f, uint8_t op, uint64_t id, uint64_t sector,
                            const struct blkif_segment *segments, unsigned nr, uint32_t page);
void blk_front_put_discard(struct blk_front *f, uint64_t id, uint64_t sector, uint64_t nr_sectors);

#endif /* TESTS_BLK_WORLD_H */
