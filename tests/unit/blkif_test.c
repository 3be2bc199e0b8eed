/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block protocol's layout, held against Xen's own header. */
#include "daemon/blk/blkif.h"

#include <string.h>
#include <xen/xen.h>
/* one of its structs is called like one of ours */
#define blkif_request xen_blkif_request
#include <xen/io/blkif.h>
#undef blkif_request

#include "tests/lib/runner.h"

/* Xen's names; ours end in nothing but the word. */
_Static_assert((int)BLKIF_READ == BLKIF_OP_READ && (int)BLKIF_WRITE == BLKIF_OP_WRITE &&
                   (int)BLKIF_BARRIER == BLKIF_OP_WRITE_BARRIER &&
                   (int)BLKIF_FLUSH == BLKIF_OP_FLUSH_DISKCACHE &&
                   (int)BLKIF_DISCARD == BLKIF_OP_DISCARD &&
                   (int)BLKIF_INDIRECT == BLKIF_OP_INDIRECT,
               "operations");
_Static_assert((int)BLKIF_OKAY == BLKIF_RSP_OKAY && (int)BLKIF_ERROR == BLKIF_RSP_ERROR &&
                   (int)BLKIF_NOT_SUPPORTED == BLKIF_RSP_EOPNOTSUPP,
               "statuses");
_Static_assert(BLKIF_DIRECT_SEGMENTS == BLKIF_MAX_SEGMENTS_PER_REQUEST, "segments");

static void slots_are_as_long_as_xens(void)
{
    CU_ASSERT_EQUAL(blkif_slot_bytes(BLKIF_ABI_64), sizeof(union blkif_sring_entry));
    CU_ASSERT_EQUAL(BLKIF_RING_HEADER, offsetof(struct blkif_sring, ring));
    CU_ASSERT_EQUAL(blkif_nr_slots(BLKIF_ABI_64, 0), 32);
    CU_ASSERT_EQUAL(blkif_nr_slots(BLKIF_ABI_64, 3), 256);
    CU_ASSERT_EQUAL(blkif_nr_slots(BLKIF_ABI_32, 0), 32);
    CU_ASSERT_EQUAL(blkif_nr_slots(BLKIF_ABI_32, 3), 256);
}

static void direct_request_is_read_as_xen_writes_it(void)
{
    struct {
        blkif_request_t r;
    } xen = {.r = {.operation = BLKIF_OP_WRITE,
                   .nr_segments = 11,
                   .id = 0x1122334455667788,
                   .sector_number = 0x99aabbccddeeff00}};
    struct blkif_request r;

    xen.r.seg[0].gref = 5, xen.r.seg[0].first_sect = 1, xen.r.seg[0].last_sect = 2;
    xen.r.seg[10].gref = 0xdeadbeef, xen.r.seg[10].first_sect = 6, xen.r.seg[10].last_sect = 7;
    CU_ASSERT_EQUAL(blkif_decode(BLKIF_ABI_64, &xen.r, &r), BLKIF_OKAY);
    CU_ASSERT_EQUAL(r.op, BLKIF_WRITE);
    CU_ASSERT_EQUAL(r.id, 0x1122334455667788);
    CU_ASSERT_EQUAL(r.sector, 0x99aabbccddeeff00);
    CU_ASSERT_FALSE(r.indirect);
    CU_ASSERT_EQUAL(r.nr_segments, 11);
    CU_ASSERT_TRUE(r.segments[0].ref == 5 && r.segments[0].first == 1 && r.segments[0].last == 2);
    CU_ASSERT_TRUE(r.segments[10].ref == 0xdeadbeef && r.segments[10].first == 6 &&
                   r.segments[10].last == 7);
}

static void indirect_request_is_read_as_xen_writes_it(void)
{
    union {
        blkif_request_indirect_t indirect;
        blkif_request_t slot;
    } xen = {.slot = {0}};
    struct blkif_request r;

    xen.indirect.operation = BLKIF_OP_INDIRECT;
    xen.indirect.indirect_op = BLKIF_OP_READ;
    xen.indirect.nr_segments = 128;
    xen.indirect.id = 77;
    xen.indirect.sector_number = 88;
    xen.indirect.indirect_grefs[0] = 99;
    CU_ASSERT_EQUAL(blkif_decode(BLKIF_ABI_64, &xen, &r), BLKIF_OKAY);
    CU_ASSERT_TRUE(r.indirect);
    CU_ASSERT_EQUAL(r.op, BLKIF_READ);
    CU_ASSERT_TRUE(r.nr_segments == 128 && r.id == 77 && r.sector == 88 && r.indirect_ref == 99);
}

static void discard_is_read_as_xen_writes_it(void)
{
    union {
        blkif_request_discard_t discard;
        blkif_request_t slot;
    } xen = {.slot = {0}};
    struct blkif_request r;

    xen.discard.operation = BLKIF_OP_DISCARD;
    xen.discard.id = 77;
    xen.discard.sector_number = 88;
    xen.discard.nr_sectors = 0x1234567890;
    CU_ASSERT_EQUAL(blkif_decode(BLKIF_ABI_64, &xen, &r), BLKIF_OKAY);
    CU_ASSERT_TRUE(r.op == BLKIF_DISCARD && r.id == 77 && r.sector == 88 &&
                   r.nr_sectors == 0x1234567890);
}

/* In a 32-bit ABI a 64-bit number may stand at any multiple of 4: golden bytes. */
static void request_of_a_32_bit_guest_begins_4_octets_earlier(void)
{
    uint8_t slot[BLKIF_SLOT_MAX] = {
        [0] = BLKIF_READ, [1] = 1,     [2] = 0xff, [3] = 0xff, /* operation, segments, handle */
        [4] = 0x11,       [11] = 0x88,                         /* identifier */
        [12] = 0x21,      [19] = 0x28,                         /* sector */
        [20] = 7,         [24] = 3,    [25] = 5,               /* segment 0 */
    };
    struct blkif_request r;

    CU_ASSERT_EQUAL(blkif_slot_bytes(BLKIF_ABI_32), 108);
    CU_ASSERT_EQUAL(blkif_decode(BLKIF_ABI_32, slot, &r), BLKIF_OKAY);
    CU_ASSERT_EQUAL(r.id, 0x8800000000000011);
    CU_ASSERT_EQUAL(r.sector, 0x2800000000000021);
    CU_ASSERT_TRUE(r.segments[0].ref == 7 && r.segments[0].first == 3 && r.segments[0].last == 5);
}

static void response_is_written_as_xen_reads_it(void)
{
    uint8_t bytes[BLKIF_RESPONSE_BYTES];
    blkif_response_t xen;

    memset(&xen, 0xff, sizeof(xen));
    blkif_encode_response(0x1122334455667788, BLKIF_DISCARD, BLKIF_NOT_SUPPORTED, bytes);
    memcpy(&xen, bytes, sizeof(bytes));
    CU_ASSERT_EQUAL(xen.id, 0x1122334455667788);
    CU_ASSERT_EQUAL(xen.operation, BLKIF_OP_DISCARD);
    CU_ASSERT_EQUAL(xen.status, BLKIF_RSP_EOPNOTSUPP);
}

static void whatever_a_slot_holds_can_be_answered(void)
{
    uint8_t slot[BLKIF_SLOT_MAX];
    struct blkif_request r;

    for (unsigned op = 0; op < 256; op++) {
        memset(slot, 0xff, sizeof(slot));
        slot[0] = (uint8_t)op;
        memset(slot + 8, 0x5a, 8);
        blkif_decode(BLKIF_ABI_64, slot, &r);
        CU_ASSERT_EQUAL(r.id, 0x5a5a5a5a5a5a5a5a);
        CU_ASSERT_EQUAL(r.op, op == BLKIF_INDIRECT ? 0xff : op);
    }
}

#define TESTS(T)                                                                                   \
    T(slots_are_as_long_as_xens)                                                                   \
    T(direct_request_is_read_as_xen_writes_it)                                                     \
    T(indirect_request_is_read_as_xen_writes_it)                                                   \
    T(discard_is_read_as_xen_writes_it)                                                            \
    T(request_of_a_32_bit_guest_begins_4_octets_earlier)                                           \
    T(response_is_written_as_xen_reads_it)                                                         \
    T(whatever_a_slot_holds_can_be_answered)
RUN_TESTS(TESTS)
