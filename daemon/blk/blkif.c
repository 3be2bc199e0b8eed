/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/blk/blkif.h"

#include <string.h>

/* Bytes of a slot, and where the identifier stands: a 64-bit number is aligned to 4 in 32-bit ABIs.
 */
static const struct {
    uint32_t slot_bytes, id_at;
} abis[] = {
    [BLKIF_ABI_64] = {.slot_bytes = 112, .id_at = 8},
    [BLKIF_ABI_32] = {.slot_bytes = 108, .id_at = 4},
};

/* Before the identifier. */
#define OP_AT          0u
#define NR_SEGMENTS_AT 1u /* one byte */
#define INDIRECT_OP_AT 1u
#define INDIRECT_NR_AT 2u /* two bytes */
/* From the identifier. */
#define SECTOR_AT       8u
#define SEGMENTS_AT     16u
#define NR_SECTORS_AT   16u /* of a discard */
#define INDIRECT_REF_AT 20u /* behind a handle that says nothing */

uint32_t blkif_slot_bytes(enum blkif_abi abi)
{
    return abis[abi].slot_bytes;
}

uint32_t blkif_nr_slots(enum blkif_abi abi, unsigned order)
{
    uint32_t most = ((TMEMIF_PAGE_SIZE << order) - BLKIF_RING_HEADER) / abis[abi].slot_bytes;
    uint32_t nr = 1;

    while (2 * nr <= most)
        nr *= 2;
    return nr;
}

static uint64_t take_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t take_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint16_t take_u16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static struct blkif_segment take_segment(const uint8_t *at)
{
    return (struct blkif_segment){.ref = take_u32(at), .first = at[4], .last = at[5]};
}

static bool is_copy(uint8_t op)
{
    return op == BLKIF_READ || op == BLKIF_WRITE;
}

static enum blkif_status decode_direct(const uint8_t *slot, const uint8_t *body,
                                       struct blkif_request *r)
{
    r->nr_segments = slot[NR_SEGMENTS_AT];
    if (r->nr_segments > BLKIF_DIRECT_SEGMENTS || (r->nr_segments == 0 && is_copy(r->op)))
        return BLKIF_ERROR;
    for (unsigned i = 0; i < r->nr_segments; i++)
        r->segments[i] = take_segment(body + SEGMENTS_AT + i * BLKIF_SEGMENT_BYTES);
    return BLKIF_OKAY;
}

static enum blkif_status decode_indirect(const uint8_t *slot, const uint8_t *body,
                                         struct blkif_request *r)
{
    r->op = slot[INDIRECT_OP_AT];
    r->indirect = true;
    r->nr_segments = take_u16(slot + INDIRECT_NR_AT);
    r->indirect_ref = take_u32(body + INDIRECT_REF_AT);
    if (!is_copy(r->op) || r->nr_segments == 0 || r->nr_segments > BLKIF_MAX_SEGMENTS)
        return BLKIF_ERROR;
    return BLKIF_OKAY;
}

enum blkif_status blkif_decode(enum blkif_abi abi, const void *slot,
                               struct blkif_request *request_out)
{
    const uint8_t *bytes = slot;
    const uint8_t *body = bytes + abis[abi].id_at;

    *request_out = (struct blkif_request){
        .id = take_u64(body), .op = bytes[OP_AT], .sector = take_u64(body + SECTOR_AT)};
    switch (request_out->op) {
    case BLKIF_READ:
    case BLKIF_WRITE:
    case BLKIF_FLUSH:
        return decode_direct(bytes, body, request_out);
    case BLKIF_DISCARD:
        request_out->nr_sectors = take_u64(body + NR_SECTORS_AT);
        return BLKIF_OKAY;
    case BLKIF_INDIRECT:
        return decode_indirect(bytes, body, request_out);
    default:
        return BLKIF_NOT_SUPPORTED;
    }
}

bool blkif_check_segments(const struct blkif_segment *segments, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        if (segments[i].last >= BLKIF_SECTORS_PER_PAGE || segments[i].first > segments[i].last)
            return false;
    }
    return true;
}

bool blkif_take_segments(const void *bytes, unsigned nr, struct blkif_segment *segments_out)
{
    const uint8_t *at = bytes;

    for (unsigned i = 0; i < nr; i++)
        segments_out[i] = take_segment(at + i * BLKIF_SEGMENT_BYTES);
    return blkif_check_segments(segments_out, nr);
}

uint32_t blkif_count(const struct blkif_segment *segments, unsigned nr)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < nr; i++)
        count += (uint32_t)segments[i].last - segments[i].first + 1;
    return count;
}

bool blkif_fits(uint64_t sector, uint64_t nr_sectors, uint32_t nr_pages)
{
    uint64_t end = (uint64_t)nr_pages * BLKIF_SECTORS_PER_PAGE;

    return sector <= end && nr_sectors <= end - sector;
}

void blkif_encode_response(uint64_t id, uint8_t op, enum blkif_status status,
                           uint8_t bytes_out[BLKIF_RESPONSE_BYTES])
{
    int16_t status16 = (int16_t)status;

    memset(bytes_out, 0, BLKIF_RESPONSE_BYTES);
    memcpy(bytes_out, &id, sizeof(id));
    bytes_out[8] = op;
    memcpy(bytes_out + 10, &status16, sizeof(status16));
}
