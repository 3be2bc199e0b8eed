/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests of a block ring, served over a disk in memory. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/blk_world.h"
#include "tests/lib/runner.h"
#include "tests/unit/store_fixture.h"

struct bed {
    struct blk_world world;
    struct blk_front front;
    struct blk_memory *memory;
    struct store *store;
};

static void bed_make(struct bed *b, enum blkif_abi abi)
{
    const char *why = NULL;

    b->memory = blk_memory_new(false);
    b->store = store_of(8, 2);
    blk_ring_begin(b->memory);
    b->front = (struct blk_front){.memory = b->memory, .abi = abi};
    CU_ASSERT_FATAL(blk_world_open(&b->world, b->memory, b->store, abi, false, &why));
}

static void bed_end(struct bed *b)
{
    blk_world_close(&b->world, false);
    store_close(b->store);
    blk_memory_free(b->memory, false);
}

/* Serve what was put; the status of the one answer, or 99. */
static int16_t answer_of(struct bed *b, uint64_t id, uint8_t op)
{
    struct blk_response rsp, none;

    blk_front_publish(&b->front);
    CU_ASSERT_EQUAL(blk_world_serve(&b->world), SERVE_EMPTY);
    if (!blk_front_take(&b->front, &rsp) || blk_front_take(&b->front, &none))
        return 99;
    CU_ASSERT_EQUAL(rsp.id, id);
    CU_ASSERT_EQUAL(rsp.op, op);
    return rsp.status;
}

static struct blkif_segment whole(uint32_t page)
{
    return (struct blkif_segment){.ref = page + 1, .first = 0, .last = 7};
}

static int16_t rw(struct bed *b, uint8_t op, uint64_t sector, struct blkif_segment segment)
{
    blk_front_put(&b->front, op, 5, sector, &segment, 1);
    return answer_of(b, 5, op);
}

/* ---- what is asked for happens ---- */

static void page_written_is_read_back(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    fill_page(b.memory->guest[0], 1);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 24, whole(0)), BLKIF_OKAY);
    CU_ASSERT_TRUE(page_holds(b.memory->disk[3], 1));
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 24, whole(1)), BLKIF_OKAY);
    CU_ASSERT_TRUE(page_holds(b.memory->guest[1], 1));
    CU_ASSERT_EQUAL(b.world.nr_reads, 1);
    bed_end(&b);
}

static void part_of_a_page_leaves_the_rest(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    memset(b.memory->disk, 0xdd, sizeof(b.memory->disk));
    memset(b.memory->guest[0], 0x11, TMEMIF_PAGE_SIZE);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 9, (struct blkif_segment){1, 3, 4}), BLKIF_OKAY);
    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i++)
        CU_ASSERT_EQUAL(b.memory->disk[1][i], i / 512 == 1 || i / 512 == 2 ? 0x11 : 0xdd);
    CU_ASSERT_EQUAL(b.memory->disk[0][4095], 0xdd);
    CU_ASSERT_EQUAL(b.memory->disk[2][0], 0xdd);
    bed_end(&b);
}

static void read_of_a_part_writes_no_more_to_the_guest(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    memset(b.memory->disk, 0xdd, sizeof(b.memory->disk));
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 15, (struct blkif_segment){1, 2, 3}), BLKIF_OKAY);
    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i++)
        CU_ASSERT_EQUAL(b.memory->guest[0][i], i / 512 == 2 || i / 512 == 3 ? 0xdd : 0);
    bed_end(&b);
}

/* Of the guest pages a request reads into, some may be mapped; the others are copied at one go. */
static void whole_pages_are_read_right_into_those_that_are_mapped(void)
{
    struct blkif_segment segments[4] = {whole(2), whole(3), whole(4), whole(5)};
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    for (unsigned i = 0; i < 4; i++)
        fill_page(b.memory->disk[8 + i], i);
    b.world.maps_every = 2; /* of pages 3 and 5 */
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 72, whole(3)), BLKIF_OKAY);
    CU_ASSERT_TRUE(page_holds(b.memory->guest[3], 1));
    CU_ASSERT_EQUAL(b.world.nr_copy_calls, 0);

    blk_front_put(&b.front, BLKIF_READ, 1, 64, segments, 4);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_READ), BLKIF_OKAY);
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_TRUE(page_holds(b.memory->guest[2 + i], i));
    CU_ASSERT_EQUAL(b.world.nr_copy_calls, 1);
    CU_ASSERT_EQUAL(b.world.nr_copies, 2);
    bed_end(&b);
}

static void what_is_mapped_is_copied_when_it_is_written_or_no_whole_page(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    b.world.maps_every = 1;
    fill_page(b.memory->guest[3], 7);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 8, whole(3)), BLKIF_OKAY);
    CU_ASSERT_TRUE(page_holds(b.memory->disk[1], 7));
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 8, (struct blkif_segment){6, 0, 6}), BLKIF_OKAY);
    CU_ASSERT_EQUAL(memcmp(b.memory->guest[5], b.memory->disk[1], 7 * 512), 0);
    CU_ASSERT_EQUAL(b.memory->guest[5][4095], 0);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 9, whole(6)), BLKIF_OKAY);
    CU_ASSERT_EQUAL(memcmp(b.memory->guest[6], b.memory->disk[1] + 512, 7 * 512), 0);
    CU_ASSERT_EQUAL(b.world.nr_copies, 3);
    bed_end(&b);
}

static void flush_is_answered_with_and_without_data(void)
{
    struct blkif_segment segment = whole(0);
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    blk_front_put(&b.front, BLKIF_FLUSH, 9, 0, NULL, 0);
    CU_ASSERT_EQUAL(answer_of(&b, 9, BLKIF_FLUSH), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.world.nr_writes, 0);
    fill_page(b.memory->guest[0], 4);
    blk_front_put(&b.front, BLKIF_FLUSH, 9, 8, &segment, 1);
    CU_ASSERT_EQUAL(answer_of(&b, 9, BLKIF_FLUSH), BLKIF_OKAY);
    CU_ASSERT_TRUE(page_holds(b.memory->disk[1], 4));
    bed_end(&b);
}

static void last_sector_can_be_written_and_none_after_it(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, BLK_DISK_PAGES * 8 - 1, (struct blkif_segment){1, 0, 0}),
                    BLKIF_OKAY);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, BLK_DISK_PAGES * 8 - 1, (struct blkif_segment){1, 0, 1}),
                    BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, BLK_DISK_PAGES * 8, (struct blkif_segment){1, 0, 0}),
                    BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, UINT64_MAX, whole(0)), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, UINT64_MAX - 7, whole(0)), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 1ull << 61, whole(0)), BLKIF_ERROR);
    CU_ASSERT_EQUAL(b.world.nr_writes, 1);
    CU_ASSERT_EQUAL(device_stats(b.world.device).refused, 5);
    bed_end(&b);
}

/* ---- against a model ---- */

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

#define MODEL_BYTES  (BLK_DISK_PAGES * TMEMIF_PAGE_SIZE)
#define MODEL_ROUNDS 2000u

struct model {
    uint8_t disk[MODEL_BYTES];
    uint8_t guest[BLK_GUEST_PAGES][TMEMIF_PAGE_SIZE];
};

/* What the segments and the disk do to each other, octet by octet. */
static void model_run(struct model *m, uint8_t op, uint64_t sector,
                      const struct blkif_segment *segments, unsigned nr)
{
    size_t at = (size_t)sector * 512;

    for (unsigned i = 0; i < nr; i++) {
        uint8_t *page = m->guest[segments[i].ref - 1];
        size_t from = segments[i].first * 512u, len = (segments[i].last + 1u) * 512u - from;

        for (size_t k = 0; k < len; k++, at++) {
            if (op == BLKIF_READ)
                page[from + k] = m->disk[at];
            else
                m->disk[at] = page[from + k];
        }
    }
}

static unsigned random_segments(uint64_t *state, struct blkif_segment *segments, unsigned most,
                                uint32_t first_page, uint32_t *nr_sectors_out)
{
    unsigned nr = 1 + next_random(state) % most;

    *nr_sectors_out = 0;
    for (unsigned i = 0; i < nr; i++) {
        uint8_t first = 0, last = 7;

        if (next_random(state) % 3 == 0) {
            first = (uint8_t)(next_random(state) % 8);
            last = (uint8_t)(first + next_random(state) % (8u - first));
        }
        segments[i] = (struct blkif_segment){first_page + i + 1, first, last};
        *nr_sectors_out += last - first + 1u;
    }
    return nr;
}

/* Several requests a turn, each with guest pages of its own: reads of one are no writes of another.
 */
static void same_as_model(enum blkif_abi abi, uint64_t seed)
{
    struct model *m = malloc(sizeof(*m));
    struct bed b;

    CU_ASSERT_FATAL(m != NULL);
    bed_make(&b, abi);
    b.world.maps_every = 2;
    memset(m, 0, sizeof(*m));
    for (unsigned round = 0; round < MODEL_ROUNDS; round++) {
        unsigned nr_requests = 1 + next_random(&seed) % 4;
        struct blk_response rsp;

        for (unsigned i = 0; i < nr_requests; i++) {
            struct blkif_segment segments[BLKIF_MAX_SEGMENTS];
            bool indirect = next_random(&seed) % 2;
            uint8_t op = next_random(&seed) % 2 ? BLKIF_READ : BLKIF_WRITE;
            uint32_t nr_sectors;
            unsigned nr = random_segments(&seed, segments, indirect ? 30 : 11, i * 30, &nr_sectors);
            uint64_t sector = next_random(&seed) % (BLK_DISK_PAGES * 8 - nr_sectors + 1);

            if (next_random(&seed) % 2)
                sector -= sector % 8;
            for (unsigned k = 0; op == BLKIF_WRITE && k < nr; k++) {
                memset(b.memory->guest[i * 30 + k], (int)(next_random(&seed) % 256),
                       TMEMIF_PAGE_SIZE);
                memcpy(m->guest[i * 30 + k], b.memory->guest[i * 30 + k], TMEMIF_PAGE_SIZE);
            }
            if (indirect) {
                blk_front_put_indirect(&b.front, op, round * 8 + i, sector, segments, nr, 120 + i);
                memcpy(m->guest[120 + i], b.memory->guest[120 + i], TMEMIF_PAGE_SIZE);
            } else {
                blk_front_put(&b.front, op, round * 8 + i, sector, segments, nr);
            }
            model_run(m, op, sector, segments, nr);
        }
        blk_front_publish(&b.front);
        CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_EMPTY);
        for (unsigned i = 0; i < nr_requests; i++) {
            CU_ASSERT_TRUE_FATAL(blk_front_take(&b.front, &rsp));
            CU_ASSERT_EQUAL(rsp.id, round * 8 + i);
            CU_ASSERT_EQUAL(rsp.status, BLKIF_OKAY);
        }
        CU_ASSERT_FATAL(memcmp(m->disk, b.memory->disk, sizeof(m->disk)) == 0);
        CU_ASSERT_FATAL(memcmp(m->guest, b.memory->guest, sizeof(m->guest)) == 0);
    }
    bed_end(&b);
    free(m);
}

static void random_requests_do_what_a_model_does(void)
{
    same_as_model(BLKIF_ABI_64, 1);
}

static void random_requests_of_a_32_bit_guest_do_too(void)
{
    same_as_model(BLKIF_ABI_32, 2);
}

static void largest_request_fits(void)
{
    struct blkif_segment segments[BLKIF_MAX_SEGMENTS];
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS; i++) {
        segments[i] = (struct blkif_segment){i + 1, 0, i % 2 ? 1 : 2}; /* 2.5 sectors: 40 pages */
        memset(b.memory->guest[i], (int)i, TMEMIF_PAGE_SIZE);
    }
    blk_front_put_indirect(&b.front, BLKIF_WRITE, 1, 3, segments, BLKIF_MAX_SEGMENTS, 150);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.memory->disk[0][3 * 512 + 3 * 512], 1);
    for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS; i++)
        segments[i] = whole(i % BLK_DISK_PAGES);
    blk_front_put_indirect(&b.front, BLKIF_READ, 1, 0, segments, BLKIF_MAX_SEGMENTS, 150);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_READ), BLKIF_ERROR); /* the disk has half as many */
    bed_end(&b);
}

/* ---- what is not allowed ---- */

static void bad_requests_are_answered_with_an_error(void)
{
    struct blkif_segment segments[BLKIF_MAX_SEGMENTS + 1];
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS + 1; i++)
        segments[i] = (struct blkif_segment){1, 0, 0};
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, (struct blkif_segment){1, 0, 8}), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, (struct blkif_segment){1, 0, 255}), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, (struct blkif_segment){1, 3, 2}), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, (struct blkif_segment){1, 255, 0}), BLKIF_ERROR);
    blk_front_put(&b.front, BLKIF_READ, 1, 0, segments, 0);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_READ), BLKIF_ERROR);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 0, segments, 12);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_ERROR);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 0, segments, 255);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_ERROR);
    blk_front_put_indirect(&b.front, BLKIF_WRITE, 1, 0, segments, 0, 9);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_ERROR);
    blk_front_put_indirect(&b.front, BLKIF_WRITE, 1, 0, segments, BLKIF_MAX_SEGMENTS + 1, 9);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_ERROR);
    blk_front_put_indirect(&b.front, BLKIF_WRITE, 1, 0, segments, 65535, 9);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_ERROR);
    blk_front_put_indirect(&b.front, BLKIF_FLUSH, 1, 0, segments, 1, 9);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_FLUSH), BLKIF_ERROR);
    segments[3] = (struct blkif_segment){1, 4, 9};
    blk_front_put_indirect(&b.front, BLKIF_WRITE, 1, 0, segments, 5, 9);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_WRITE), BLKIF_ERROR);
    CU_ASSERT_EQUAL(b.world.nr_reads + b.world.nr_writes, 0);
    CU_ASSERT_EQUAL(b.world.nr_attends, 1); /* by the thousand, but told once */
    bed_end(&b);
}

static void unknown_operations_are_not_supported(void)
{
    static const uint8_t ops[] = {BLKIF_BARRIER, 4, 7, 8, 255};
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    for (unsigned i = 0; i < sizeof(ops); i++) {
        blk_front_put(&b.front, ops[i], i, 0, NULL, 0);
        CU_ASSERT_EQUAL(answer_of(&b, i, ops[i]), BLKIF_NOT_SUPPORTED);
    }
    bed_end(&b);
}

static void bad_grant_fails_its_request_alone(void)
{
    struct blkif_segment bad[] = {{1, 0, 7}, {BLK_BAD_REF, 0, 7}}, good = whole(4);
    struct blk_response rsp;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    memset(b.memory->disk, 0xdd, sizeof(b.memory->disk));
    fill_page(b.memory->guest[4], 9);
    blk_front_put(&b.front, BLKIF_WRITE, 0, 0, bad, 2);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 64, &good, 1);
    blk_front_put(&b.front, BLKIF_READ, 2, 0, bad, 2);
    blk_front_put_indirect(&b.front, BLKIF_WRITE, 3, 0, &good, 1, BLK_GUEST_PAGES);
    blk_front_put(&b.front, BLKIF_READ, 4, 64, &good, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_EMPTY);
    for (unsigned i = 0; i < 5; i++) {
        CU_ASSERT_TRUE(blk_front_take(&b.front, &rsp));
        CU_ASSERT_EQUAL(rsp.id, i);
        CU_ASSERT_EQUAL(rsp.status, i == 1 || i == 4 ? BLKIF_OKAY : BLKIF_ERROR);
    }
    CU_ASSERT_EQUAL(b.memory->disk[0][0], 0xdd);
    CU_ASSERT_TRUE(page_holds(b.memory->disk[8], 9));
    CU_ASSERT_EQUAL(b.world.nr_copy_calls,
                    3); /* indirect segments, what is written, what was read */
    bed_end(&b);
}

static void copy_that_fails_as_a_whole_is_an_error(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    b.world.copy_fails = true;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, whole(0)), BLKIF_ERROR);
    CU_ASSERT_EQUAL(b.world.nr_writes, 0);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_ERROR);
    bed_end(&b);
}

static void ring_index_out_of_range_ends_the_service(void)
{
    static const uint32_t bad[] = {33, 0x80000000, UINT32_MAX};

    for (unsigned i = 0; i < 3; i++) {
        struct bed b;

        bed_make(&b, BLKIF_ABI_64);
        b.front.req_prod = bad[i];
        blk_front_publish(&b.front);
        CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_BROKEN);
        CU_ASSERT_STRING_EQUAL(device_broken(b.world.device), "ring index out of range");
        CU_ASSERT_EQUAL(b.world.nr_attends, 1);
        b.front.req_prod = 0;
        blk_front_publish(&b.front);
        CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_BROKEN); /* for good */
        bed_end(&b);
    }
}

static void full_ring_is_served(void)
{
    struct blkif_segment segment = whole(0);
    struct blk_response rsp;
    unsigned nr = 0;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    for (unsigned i = 0; i < 32; i++)
        blk_front_put(&b.front, BLKIF_READ, i, 0, &segment, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_EMPTY);
    while (blk_front_take(&b.front, &rsp))
        CU_ASSERT_EQUAL(rsp.id, nr++);
    CU_ASSERT_EQUAL(nr, 32);
    CU_ASSERT_EQUAL(b.world.nr_copy_calls, 32 / SCRATCH_JOBS_AT_ONCE);
    CU_ASSERT_EQUAL(b.world.nr_notifies, 1);
    /* it can take the first answers while the others are made */
    CU_ASSERT_EQUAL(b.world.told_of, SCRATCH_JOBS_AT_ONCE);
    bed_end(&b);
}

/* What costs next to nothing: a frontend that asks to be told of each answer is not told of each.
 */
static void cheap_requests_are_told_of_a_few_at_a_time(void)
{
    struct worker_ring *r;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    b.world.asks_always = true;
    for (unsigned i = 0; i < 16; i++) {
        blk_front_put(&b.front, 77, i, 0, NULL, 0);
        blk_front_put_discard(&b.front, 100 + i, 0, 0);
    }
    blk_front_publish(&b.front);
    r = &b.world.device->queues[0].ring;
    CU_ASSERT_EQUAL(r->ops->serve(r, 0, 64), SERVE_EMPTY);
    CU_ASSERT(b.world.nr_notifies <= 32 / SCRATCH_JOBS_AT_ONCE + 1);
    CU_ASSERT(b.world.nr_notifies > 0);
    bed_end(&b);
}

static void turn_ends_with_its_budget(void)
{
    struct blkif_segment segment = whole(0);
    struct worker_ring *r;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    for (unsigned i = 0; i < 32; i++)
        blk_front_put(&b.front, BLKIF_READ, i, 0, &segment, 1);
    blk_front_publish(&b.front);
    r = &b.world.device->queues[0].ring;
    CU_ASSERT_EQUAL(r->ops->serve(r, 0, 10), SERVE_MORE);
    CU_ASSERT_EQUAL(b.world.nr_reads, 10);
    CU_ASSERT_EQUAL(r->spent, 10);
    CU_ASSERT_EQUAL(r->ops->serve(r, 0, 32), SERVE_EMPTY);
    CU_ASSERT_EQUAL(b.world.nr_reads, 32);
    CU_ASSERT_EQUAL(r->spent, 32);
    bed_end(&b);
}

/* Whatever else the guest has at the manager counts to it, too. */
static void owner_of_a_queue_is_the_guest(void)
{
    struct owner_id owner;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    owner = b.world.device->queues[0].ring.owner_id;
    CU_ASSERT_EQUAL(owner.kind, ACCOUNT_XEN);
    CU_ASSERT_EQUAL(owner.id, 7);
    bed_end(&b);
}

static void frontend_is_notified_when_it_asks(void)
{
    struct blkif_ring_header *shared;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    shared = (void *)b.memory->ring;
    shared->rsp_event = 3;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_OKAY);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.world.nr_notifies, 0);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.world.nr_notifies, 1);
    bed_end(&b);
}

static void read_only_disk_is_not_written_to(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    b.world.device->read_only = true;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, whole(0)), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_FLUSH, 0, whole(0)), BLKIF_ERROR);
    blk_front_put_discard(&b.front, 1, 0, 8);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_DISCARD), BLKIF_ERROR);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_OKAY);
    blk_front_put(&b.front, BLKIF_FLUSH, 1, 0, NULL, 0);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_FLUSH), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.world.nr_writes + b.world.nr_discards, 0);
    bed_end(&b);
}

static void disks_errors_are_io_errors_and_counted(void)
{
    struct device_stats stats;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    b.world.fails = DISK_FULL;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, whole(0)), BLKIF_ERROR);
    b.world.fails = DISK_DAMAGED;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_ERROR);
    b.world.fails = DISK_IO;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_READ, 0, whole(0)), BLKIF_ERROR);
    b.world.fails = DISK_OK;
    b.world.flush_fails = DISK_IO;
    CU_ASSERT_EQUAL(rw(&b, BLKIF_WRITE, 0, whole(0)), BLKIF_OKAY);
    CU_ASSERT_EQUAL(rw(&b, BLKIF_FLUSH, 0, whole(0)), BLKIF_ERROR);
    CU_ASSERT_EQUAL(b.world.nr_flushes, 1);
    stats = device_stats(b.world.device);
    CU_ASSERT_EQUAL(stats.full, 1);
    CU_ASSERT_EQUAL(stats.damaged, 1);
    CU_ASSERT_EQUAL(stats.failed, 2);
    CU_ASSERT_EQUAL(stats.requests, 5);
    CU_ASSERT_EQUAL(b.world.nr_attends, 3); /* each kind is told, once */
    bed_end(&b);
}

/* ---- a disk that keeps batches ---- */

static void bed_make_keeping(struct bed *b)
{
    const char *why = NULL;

    b->memory = blk_memory_new(false);
    b->store = store_of(8, 2);
    blk_ring_begin(b->memory);
    b->front = (struct blk_front){.memory = b->memory, .abi = BLKIF_ABI_64};
    CU_ASSERT_FATAL(blk_world_open_keeping(&b->world, b->memory, b->store, false, &why));
}

/* It may be abandoned, and come back when the guest's pages are no longer there. */
static void kept_batch_is_all_private_memory(void)
{
    struct blkif_segment segment = whole(2);
    struct bed b;

    bed_make_keeping(&b);
    b.world.maps_every = 1;
    fill_page(b.memory->disk[4], 6);
    blk_front_put(&b.front, BLKIF_READ, 1, 32, &segment, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    CU_ASSERT_PTR_NOT_EQUAL(b.world.kept->pages[0].data, b.memory->guest[2]);
    blk_world_end_batch(&b.world);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_EMPTY);
    CU_ASSERT_TRUE(page_holds(b.memory->guest[2], 6));
    bed_end(&b);
}

static void device_has_all_requests_of_a_ring_at_once(void)
{
    struct blkif_segment segment = whole(0);
    struct bed b;

    bed_make_keeping(&b);
    for (unsigned i = 0; i < 32; i++)
        blk_front_put(&b.front, BLKIF_READ, i, i * 8, &segment, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    CU_ASSERT_EQUAL(b.world.kept->nr_pages, 32);
    blk_world_end_batch(&b.world);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_EMPTY);
    bed_end(&b);
}

static void kept_batch_is_answered_when_it_is_back(void)
{
    struct blkif_segment segments[2] = {whole(0), whole(1)};
    struct blk_response rsp;
    struct bed b;

    bed_make_keeping(&b);
    fill_page(b.memory->guest[0], 1);
    fill_page(b.memory->disk[9], 9);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 24, &segments[0], 1);
    blk_front_put(&b.front, BLKIF_READ, 2, 72, &segments[1], 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    /* what comes meanwhile waits, and what the frontend does to its pages is nothing to us */
    memset(b.memory->guest[0], 0xff, TMEMIF_PAGE_SIZE);
    blk_front_put(&b.front, BLKIF_READ, 3, 24, &segments[0], 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    CU_ASSERT_FALSE(blk_front_take(&b.front, &rsp));
    CU_ASSERT_EQUAL(b.world.nr_woken, 0);
    blk_world_end_batch(&b.world);
    CU_ASSERT_EQUAL(b.world.nr_woken, 1);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    CU_ASSERT_TRUE(blk_front_take(&b.front, &rsp) && rsp.id == 1 && rsp.status == BLKIF_OKAY);
    CU_ASSERT_TRUE(blk_front_take(&b.front, &rsp) && rsp.id == 2 && rsp.status == BLKIF_OKAY);
    CU_ASSERT_FALSE(blk_front_take(&b.front, &rsp));
    CU_ASSERT_TRUE(page_holds(b.memory->disk[3], 1));
    CU_ASSERT_TRUE(page_holds(b.memory->guest[1], 9));
    blk_world_end_batch(&b.world);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_EMPTY);
    CU_ASSERT_TRUE(blk_front_take(&b.front, &rsp) && rsp.id == 3 && rsp.status == BLKIF_OKAY);
    CU_ASSERT_TRUE(page_holds(b.memory->guest[0], 1));
    bed_end(&b);
}

static void kept_discard_goes_on_where_it_was(void)
{
    struct blk_response rsp;
    unsigned nr = 0;
    struct bed b;

    bed_make_keeping(&b);
    memset(b.memory->disk, 0xdd, sizeof(b.memory->disk));
    b.world.discard_pages = 5;
    blk_front_put_discard(&b.front, 2, 8, (BLK_DISK_PAGES - 1) * 8);
    blk_front_publish(&b.front);
    while (blk_world_serve(&b.world) == SERVE_WAITING) {
        CU_ASSERT_FALSE(blk_front_take(&b.front, &rsp));
        blk_world_end_batch(&b.world);
        nr++;
    }
    CU_ASSERT_EQUAL(nr, (BLK_DISK_PAGES - 1 + 4) / 5);
    CU_ASSERT_TRUE(blk_front_take(&b.front, &rsp) && rsp.id == 2 && rsp.status == BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.memory->disk[0][0], 0xdd);
    CU_ASSERT_EQUAL(b.memory->disk[1][0], 0);
    CU_ASSERT_EQUAL(b.memory->disk[BLK_DISK_PAGES - 1][4095], 0);
    bed_end(&b);
}

/* A sanitizer sees memory that is used after it was freed, or never freed. */
static void kept_batch_outlives_its_device(void)
{
    struct blkif_segment segment = whole(0);
    struct batch *kept;
    struct bed b;

    bed_make_keeping(&b);
    fill_page(b.memory->guest[0], 1);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 24, &segment, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    kept = b.world.kept;
    b.world.has_begun = true;
    CU_ASSERT_FALSE(batch_is_abandoned(kept));
    blk_world_close(&b.world, false);
    CU_ASSERT_TRUE(batch_is_abandoned(kept));
    CU_ASSERT_TRUE(kept->pages[0].write && page_holds(kept->pages[0].data, 1));
    batch_end(kept);
    CU_ASSERT_EQUAL(b.world.nr_woken, 0);
    store_close(b.store);
    blk_memory_free(b.memory, false);
}

static void kept_batch_that_has_not_begun_ends_with_its_device(void)
{
    struct blkif_segment segment = whole(0);
    struct bed b;

    bed_make_keeping(&b);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 24, &segment, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    CU_ASSERT_PTR_NOT_NULL(b.world.kept);
    bed_end(&b);
    CU_ASSERT_PTR_NULL(b.world.kept); /* its memory is gone: nobody may come back to it */
}

static void kept_batch_that_is_back_ends_with_its_device(void)
{
    struct blkif_segment segment = whole(0);
    struct blk_response rsp;
    struct bed b;

    bed_make_keeping(&b);
    blk_front_put(&b.front, BLKIF_WRITE, 1, 24, &segment, 1);
    blk_front_publish(&b.front);
    CU_ASSERT_EQUAL(blk_world_serve(&b.world), SERVE_WAITING);
    blk_world_end_batch(&b.world);
    CU_ASSERT_FALSE(blk_front_take(&b.front, &rsp)); /* nobody has been told of it */
    bed_end(&b);
}

/* ---- discard ---- */

static void discard_gives_back_whole_pages_alone(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    memset(b.memory->disk, 0xdd, sizeof(b.memory->disk));
    blk_front_put_discard(&b.front, 1, 7, 18); /* sectors 7 to 24: pages 1 and 2 */
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_DISCARD), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.memory->disk[0][4095], 0xdd);
    CU_ASSERT_EQUAL(b.memory->disk[1][0], 0);
    CU_ASSERT_EQUAL(b.memory->disk[2][4095], 0);
    CU_ASSERT_EQUAL(b.memory->disk[3][0], 0xdd);
    blk_front_put_discard(&b.front, 1, 25, 6); /* of one page a part */
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_DISCARD), BLKIF_OKAY);
    CU_ASSERT_EQUAL(b.memory->disk[3][0], 0xdd);
    CU_ASSERT_EQUAL(b.world.nr_discards, 1);
    bed_end(&b);
}

static void discard_beyond_the_end_is_refused(void)
{
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    blk_front_put_discard(&b.front, 1, 8, BLK_DISK_PAGES * 8);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_DISCARD), BLKIF_ERROR);
    blk_front_put_discard(&b.front, 1, 8, UINT64_MAX - 7);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_DISCARD), BLKIF_ERROR);
    b.world.device->discards = false;
    blk_front_put_discard(&b.front, 1, 8, 8);
    CU_ASSERT_EQUAL(answer_of(&b, 1, BLKIF_DISCARD), BLKIF_NOT_SUPPORTED);
    CU_ASSERT_EQUAL(b.world.nr_discards, 0);
    bed_end(&b);
}

static void long_discard_takes_turns_and_its_place_in_order(void)
{
    struct blkif_segment segment = whole(0);
    struct blk_response rsp;
    struct worker_ring *r;
    unsigned turns = 1;
    struct bed b;

    bed_make(&b, BLKIF_ABI_64);
    memset(b.memory->disk, 0xdd, sizeof(b.memory->disk));
    b.world.discard_pages = 3;
    blk_front_put(&b.front, BLKIF_READ, 1, 0, &segment, 1);
    blk_front_put_discard(&b.front, 2, 0, BLK_DISK_PAGES * 8);
    blk_front_put(&b.front, BLKIF_READ, 3, 0, &segment, 1);
    blk_front_publish(&b.front);
    r = &b.world.device->queues[0].ring;
    while (r->ops->serve(r, 0, 32) == SERVE_MORE) {
        turns++;
        CU_ASSERT_TRUE(b.world.nr_discards <= 2 * turns); /* each does a bounded part */
        /* what the frontend writes to the slot meanwhile is nothing to us */
        if (turns == 3)
            memset(b.memory->ring + 64 + 112, 0xff, 112);
    }
    CU_ASSERT_TRUE(turns > 5);
    for (unsigned i = 1; i <= 3; i++) {
        CU_ASSERT_TRUE(blk_front_take(&b.front, &rsp));
        CU_ASSERT_EQUAL(rsp.id, i);
        CU_ASSERT_EQUAL(rsp.status, BLKIF_OKAY);
    }
    CU_ASSERT_EQUAL(b.memory->disk[BLK_DISK_PAGES - 1][4095], 0);
    CU_ASSERT_EQUAL(b.memory->guest[0][0], 0); /* the second read came after it */
    bed_end(&b);
}

#define TESTS(T)                                                                                   \
    T(page_written_is_read_back)                                                                   \
    T(part_of_a_page_leaves_the_rest)                                                              \
    T(read_of_a_part_writes_no_more_to_the_guest)                                                  \
    T(whole_pages_are_read_right_into_those_that_are_mapped)                                       \
    T(what_is_mapped_is_copied_when_it_is_written_or_no_whole_page)                                \
    T(flush_is_answered_with_and_without_data)                                                     \
    T(last_sector_can_be_written_and_none_after_it)                                                \
    T(random_requests_do_what_a_model_does)                                                        \
    T(random_requests_of_a_32_bit_guest_do_too)                                                    \
    T(largest_request_fits)                                                                        \
    T(bad_requests_are_answered_with_an_error)                                                     \
    T(unknown_operations_are_not_supported)                                                        \
    T(bad_grant_fails_its_request_alone)                                                           \
    T(copy_that_fails_as_a_whole_is_an_error)                                                      \
    T(ring_index_out_of_range_ends_the_service)                                                    \
    T(full_ring_is_served)                                                                         \
    T(cheap_requests_are_told_of_a_few_at_a_time)                                                  \
    T(owner_of_a_queue_is_the_guest)                                                               \
    T(turn_ends_with_its_budget)                                                                   \
    T(frontend_is_notified_when_it_asks)                                                           \
    T(read_only_disk_is_not_written_to)                                                            \
    T(disks_errors_are_io_errors_and_counted)                                                      \
    T(kept_batch_is_all_private_memory)                                                            \
    T(device_has_all_requests_of_a_ring_at_once)                                                   \
    T(kept_batch_is_answered_when_it_is_back)                                                      \
    T(kept_discard_goes_on_where_it_was)                                                           \
    T(kept_batch_outlives_its_device)                                                              \
    T(kept_batch_that_has_not_begun_ends_with_its_device)                                          \
    T(kept_batch_that_is_back_ends_with_its_device)                                                \
    T(discard_gives_back_whole_pages_alone)                                                        \
    T(discard_beyond_the_end_is_refused)                                                           \
    T(long_discard_takes_turns_and_its_place_in_order)
RUN_TESTS(TESTS)
