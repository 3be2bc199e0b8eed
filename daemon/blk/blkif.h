/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkif.h - the block protocol's requests and responses (xen/io/blkif.h), from bytes and to bytes.
 *
 * A slot of the ring is copied once and decoded here; what comes out is in range in itself, and
 * whether it fits the disk is asked with blkif_fits(). Layouts differ between 32-bit and 64-bit
 * frontends in one thing: where the identifier, and all after it, begins.
 *
 * Sectors have 512 bytes whatever the disk. Pure.
 */
#ifndef XTM_BLK_BLKIF_H
#define XTM_BLK_BLKIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tmemif.h"

#define BLKIF_SECTOR_BYTES     512u
#define BLKIF_SECTORS_PER_PAGE (TMEMIF_PAGE_SIZE / BLKIF_SECTOR_BYTES)
#define BLKIF_RING_HEADER      64u  /* bytes of indexes before the first slot */
#define BLKIF_SLOT_MAX         112u /* bytes of a slot at most, and of any request */
#define BLKIF_MAX_RING_ORDER   3u
/* Of a request: half a MiB, in one page of segments. What is offered is less (vbd_nodes.c). */
#define BLKIF_MAX_SEGMENTS      128u
#define BLKIF_SEGMENT_BYTES     8u /* of one in memory */
#define BLKIF_DIRECT_SEGMENTS   11u
#define BLKIF_INDIRECT_REFS     8u
#define BLKIF_SEGMENTS_PER_PAGE (TMEMIF_PAGE_SIZE / BLKIF_SEGMENT_BYTES)
_Static_assert(BLKIF_MAX_SEGMENTS <= BLKIF_SEGMENTS_PER_PAGE, "one indirect page is read");

/* Node `protocol` of the frontend. */
enum blkif_abi { BLKIF_ABI_64, BLKIF_ABI_32 };

enum blkif_op {
    BLKIF_READ = 0,
    BLKIF_WRITE = 1,
    BLKIF_BARRIER = 2, /* not offered */
    BLKIF_FLUSH = 3,
    BLKIF_DISCARD = 5,
    BLKIF_INDIRECT = 6, /* on the wire only: decoded, it is a read or a write */
};

enum blkif_status {
    BLKIF_OKAY = 0,
    BLKIF_ERROR = -1,
    BLKIF_NOT_SUPPORTED = -2,
};

struct blkif_segment {
    uint32_t ref;
    uint8_t first, last; /* sectors of the guest's page, both included */
};

struct blkif_request {
    uint64_t id;          /* the guest's own; repeated in the response */
    uint8_t op;           /* to be repeated in the response: of an indirect request what it does */
    bool indirect;        /* segments are in the page @indirect_ref */
    uint16_t nr_segments; /* at most BLKIF_MAX_SEGMENTS; of a FLUSH it may be 0 */
    uint32_t indirect_ref;
    uint64_t sector;                                      /* where it begins on the disk */
    uint64_t nr_sectors;                                  /* DISCARD; else see blkif_count() */
    struct blkif_segment segments[BLKIF_DIRECT_SEGMENTS]; /* unless indirect; not checked */
};

uint32_t blkif_slot_bytes(enum blkif_abi abi);
/* Slots of a ring of 1 << @order pages: a power of two. */
uint32_t blkif_nr_slots(enum blkif_abi abi, unsigned order);

/*
 * Whatever @slot (blkif_slot_bytes() of private memory) holds, *request_out has an identifier and
 * an operation for the response. OKAY: it is one of READ, WRITE, FLUSH, DISCARD and its numbers are
 * in range. Anything else is the response's status.
 */
enum blkif_status blkif_decode(enum blkif_abi abi, const void *slot,
                               struct blkif_request *request_out);

/*
 * Take segments from @nr * BLKIF_SEGMENT_BYTES of private memory. False: one has sectors outside
 * its page.
 */
bool blkif_take_segments(const void *bytes, unsigned nr, struct blkif_segment *segments_out);
/* The same for those that came in the request itself. */
bool blkif_check_segments(const struct blkif_segment *segments, unsigned nr);
/* Sectors of checked segments. */
uint32_t blkif_count(const struct blkif_segment *segments, unsigned nr);

/* Do @nr_sectors at @sector lie within a disk of @nr_pages? */
bool blkif_fits(uint64_t sector, uint64_t nr_sectors, uint32_t nr_pages);

/* The whole slot's bytes of a response; those after them are the request's still. */
#define BLKIF_RESPONSE_BYTES 12u
void blkif_encode_response(uint64_t id, uint8_t op, enum blkif_status status,
                           uint8_t bytes_out[BLKIF_RESPONSE_BYTES]);

#endif /* XTM_BLK_BLKIF_H */
