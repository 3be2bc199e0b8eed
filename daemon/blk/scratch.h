/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch.h - private memory for the requests of one batch.
 *
 * Nothing is allocated for a request, and nothing that a frontend may still write to is looked at
 * twice: segments and what is written are copied here first, and so is what is read unless it goes
 * right to the guest's page (turn.c). One for each worker, shared by all queues that it serves; a
 * queue of a disk that keeps batches has one of its own.
 */
#ifndef XTM_BLK_SCRATCH_H
#define XTM_BLK_SCRATCH_H

#include <stdint.h>

#include "daemon/blk/batch.h"
#include "daemon/blk/blkif.h"
#include "daemon/util/grant_copy.h"

/* All requests of a small ring; one of the largest, which may begin amid a page, fits. */
#define SCRATCH_JOBS 32u
/*
 * Of those that are served at once, without waiting for a device: the guest can take their answers
 * while the next are served.
 */
#define SCRATCH_JOBS_AT_ONCE 8u
#define SCRATCH_PAGES        BATCH_MAX_PAGES
_Static_assert(SCRATCH_PAGES >= BLKIF_MAX_SEGMENTS + 1, "a request has to fit");

/* A request under way. */
struct job {
    struct blkif_request request;
    enum blkif_status status;       /* OKAY so far, or what it is answered with */
    struct blkif_segment *segments; /* checked copies, request.nr_segments of them */
    uint32_t first_page, nr_pages;  /* of the disk */
    uint32_t first_sector;          /* of the first page, where the request begins */
    uint32_t nr_sectors;
    bool is_straight;    /* each segment is a page of the disk */
    uint8_t *data;       /* nr_pages, side by side */
    uint32_t first_run;  /* its pages in scratch->run; where some are read to may be the guest's */
    uint32_t first_copy; /* what a copy call is to do for it, of scratch->copies */
    uint32_t nr_copies;  /* 0: nothing */
};

struct scratch {
    uint8_t pages[SCRATCH_PAGES][TMEMIF_PAGE_SIZE];
    uint8_t indirect[SCRATCH_PAGES * BLKIF_SEGMENT_BYTES];
    struct blkif_segment segments[SCRATCH_PAGES];
    struct grant_copy copies[SCRATCH_PAGES];
    struct job jobs[SCRATCH_JOBS];
    struct batch_page run[SCRATCH_PAGES];
    struct batch batch; /* of run[] */
    uint32_t nr_jobs, nr_pages, nr_segments, nr_copies;
};

/* From malloc(). NULL: no memory. */
struct scratch *scratch_new(void);

#endif /* XTM_BLK_SCRATCH_H */
