/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blkif_ring.h - the backend's end of a block ring (xen/io/ring.h).
 *
 *   0 req_prod | 4 req_event | 8 rsp_prod | 12 rsp_event | ... | 64 slots
 *
 * A response takes the slot of the request with its number, so requests are answered in the order
 * of the ring, and a request can be read again until its number is answered. Our indexes are
 * private and only stored to shared memory; the frontend's are read once and checked. One thread at
 * a time. Pure.
 */
#ifndef XTM_BLK_BLKIF_RING_H
#define XTM_BLK_BLKIF_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "daemon/blk/blkif.h"

struct blkif_ring_header {
    uint32_t req_prod, req_event;
    uint32_t rsp_prod, rsp_event;
};

struct blkif_ring {
    struct blkif_ring_header *shared; /* the pages belong to whoever mapped them */
    uint8_t *slots;
    enum blkif_abi abi;
    uint32_t nr_slots; /* a power of two */
    uint32_t req_cons; /* requests taken */
    uint32_t rsp_prod; /* responses published */
};

static inline uint32_t blkif_ring_read(const uint32_t *shared)
{
    /* acquire: what the frontend wrote before this index is read after it */
    return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

/* From request @number on, all before it being answered. */
static inline void blkif_ring_init(struct blkif_ring *r, void *pages, unsigned order,
                                   enum blkif_abi abi, uint32_t number)
{
    *r = (struct blkif_ring){
        .shared = (struct blkif_ring_header *)pages,
        .slots = (uint8_t *)pages + BLKIF_RING_HEADER,
        .abi = abi,
        .nr_slots = blkif_nr_slots(abi, order),
        .req_cons = number,
        .rsp_prod = number,
    };
}

/*
 * Requests ready. An index that ran backwards, or past what the ring holds, is a violation by the
 * frontend: *@bad_out is set and 0 returned.
 */
static inline uint32_t blkif_ring_ready(const struct blkif_ring *r, bool *bad_out)
{
    uint32_t ready = blkif_ring_read(&r->shared->req_prod) - r->req_cons;

    *bad_out = ready > r->nr_slots - (r->req_cons - r->rsp_prod);
    return *bad_out ? 0 : ready;
}

static inline uint8_t *blkif_ring_slot(const struct blkif_ring *r, uint32_t number)
{
    return r->slots + (number & (r->nr_slots - 1)) * blkif_slot_bytes(r->abi);
}

/* Copy the next request to private memory; needs blkif_ring_ready() > 0. */
static inline void blkif_ring_take(struct blkif_ring *r, uint8_t slot_out[BLKIF_SLOT_MAX])
{
    const uint32_t *shared = (const uint32_t *)blkif_ring_slot(r, r->req_cons);

    /* each word once: the frontend may be writing to it (XSA-155) */
    for (unsigned i = 0; i < blkif_slot_bytes(r->abi) / sizeof(*shared); i++) {
        uint32_t word = __atomic_load_n(&shared[i], __ATOMIC_RELAXED);

        memcpy(slot_out + i * sizeof(word), &word, sizeof(word));
    }
    r->req_cons++;
}

/* Requests taken and not answered are to be taken again. */
static inline void blkif_ring_untake(struct blkif_ring *r, uint32_t nr)
{
    r->req_cons -= nr;
}

/*
 * Publish the response to the oldest request taken and not answered. Returns true if the
 * frontend must be notified.
 */
static inline bool blkif_ring_answer(struct blkif_ring *r,
                                     const uint8_t response[BLKIF_RESPONSE_BYTES])
{
    uint32_t old = r->rsp_prod, event;

    memcpy(blkif_ring_slot(r, old), response, BLKIF_RESPONSE_BYTES);
    r->rsp_prod = old + 1;
    /* release: the frontend sees the response /before/ the new index */
    __atomic_store_n(&r->shared->rsp_prod, r->rsp_prod, __ATOMIC_RELEASE);
    /* the response is visible /before/ we look at what the frontend waits for */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    event = blkif_ring_read(&r->shared->rsp_event);
    return (uint32_t)(r->rsp_prod - event) < (uint32_t)(r->rsp_prod - old);
}

/*
 * Ask to be notified of the next request. Returns true if one is there already, so the caller
 * must not sleep.
 */
static inline bool blkif_ring_arm(struct blkif_ring *r)
{
    __atomic_store_n(&r->shared->req_event, r->req_cons + 1, __ATOMIC_RELEASE);
    /* our wish is visible /before/ we look for the last time */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return blkif_ring_read(&r->shared->req_prod) != r->req_cons;
}

#endif /* XTM_BLK_BLKIF_RING_H */
