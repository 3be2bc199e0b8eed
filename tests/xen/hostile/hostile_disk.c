/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostile_disk: a guest that does everything wrong with its disk, one thing a run.
 *
 *   hostile_disk ITEM VDEV   does it, and judges what came of it; exits 0 if it is as it should be
 *   hostile_disk list        names of all items
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/hostile/disk_front.h"
#include "tests/xen/hostile/items.h"
#include "tests/xen/hostile/page.h"
#include "tests/xen/hostile/spoil.h"

#define NR_PAGES  192u /* more than stay mapped of a queue; eights of them */
#define WILD_REF  30000u
#define NR(table) (sizeof(table) / sizeof((table)[0]))

static uint32_t vdev;

static void attach(struct disk_front *f)
{
    if (!disk_front_attach(f, NR_PAGES))
        hostile_give_up(handshake_error(&f->handshake));
}

/* What is written is read, by this connection. */
static bool is_served(struct disk_front *f)
{
    uint32_t what = (uint32_t)hostile_now_ms();

    page_fill(f->pages[0], what);
    memset(f->pages[1], 0, TMEMIF_PAGE_SIZE);
    return disk_front_call(f, BLKIF_OP_WRITE, 7, 0, 1) == BLKIF_RSP_OKAY &&
           disk_front_call(f, BLKIF_OP_READ, 7, 1, 1) == BLKIF_RSP_OKAY &&
           page_holds(f->pages[1], what);
}

/* The next connection is as good as any. */
static bool is_served_again(struct disk_front *f)
{
    bool ok;

    attach(f);
    ok = is_served(f);
    if (!ok)
        printf("is not served afterwards: \"%s\"\n", handshake_error(&f->handshake));
    disk_front_leave(f);
    return ok;
}

/* ---- nodes, grants and channels ---- */

/* A whole frontend, but for what @spoil does to it. */
static bool try_spoilt(void (*spoil)(struct disk_front *f), const char *item, const char *reason)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    handshake_begin(&f.handshake);
    disk_front_share(&f, NR_PAGES);
    disk_front_publish(&f);
    spoil(&f);
    handshake_state(&f.handshake, XENBUS_INITIALISED);
    ok = handshake_is_closed_for(&f.handshake, item, reason);
    disk_front_leave(&f);
    return ok;
}

static const struct wrong_node wrong_nodes[] = {
    {SCHEMA_VBDFRONT_REF, NULL, 0, "ring-ref is missing"},
    {SCHEMA_VBDFRONT_CHANNEL, NULL, 0, "event-channel is missing"},
    {SCHEMA_VBDFRONT_REF, "4294967296", 0, "ring-ref is out of range"},
    {SCHEMA_VBDFRONT_REF, "\xff\xfe\0\0", 4, "ring-ref is not a decimal number"},
    {SCHEMA_VBDFRONT_CHANNEL, "0", 0, "event-channel is out of range"},
    {SCHEMA_VBDFRONT_ORDER, "4", 0, "ring-page-order is out of range"},
    {SCHEMA_VBDFRONT_ORDER, "3", 0, "ring-ref0 is missing"},
    {SCHEMA_VBDFRONT_QUEUES, "8", 0, "multi-queue-num-queues is more than"},
    {SCHEMA_VBDFRONT_QUEUES, "4", 0, "queue-0/ring-ref is missing"},
    {SCHEMA_VBDFRONT_PROTOCOL, "arm-abi", 0, "protocol is not offered"},
    {SCHEMA_VBDFRONT_PERSISTENT, "2", 0, "feature-persistent is out of range"},
    {SCHEMA_VBDFRONT_STATE, "\x1b[2J", 0, "no meaning"},
};

static const struct wrong_node *wrong_node;

static void wrong_node_of_all(struct disk_front *f)
{
    spoil_node(&f->handshake, wrong_node);
    /* the state is not looked at again once it was wrong */
    if (wrong_node->node == SCHEMA_VBDFRONT_STATE)
        handshake_wait(&f->handshake, STATE_BIT(XENBUS_CLOSED), PATIENCE_MS);
}

static bool item_nodes(void)
{
    struct disk_front f;
    bool ok = true;

    for (unsigned i = 0; i < NR(wrong_nodes); i++) {
        char key[SCHEMA_PATH_LEN];

        wrong_node = &wrong_nodes[i];
        schema_key(key, wrong_node->node, 0);
        ok = try_spoilt(wrong_node_of_all, key, wrong_node->reason) && ok;
    }
    disk_front_open(&f, vdev);
    return is_served_again(&f) && ok;
}

/* States that mean nothing, of one that is connected. */
static bool item_states(void)
{
    static const char *const odd[] = {"7", "8", "9", "four", ""};
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    for (unsigned i = 0; i < NR(odd); i++) {
        attach(&f);
        handshake_write_text(&f.handshake, SCHEMA_VBDFRONT_STATE, odd[i]);
        ok = handshake_is_closed_for(&f.handshake, odd[i], "no meaning") && ok;
        disk_front_leave(&f);
    }
    return is_served_again(&f) && ok;
}

static void wild_ring(struct disk_front *f)
{
    handshake_write_number(&f->handshake, SCHEMA_VBDFRONT_REF, WILD_REF);
}

static void read_only_ring(struct disk_front *f)
{
    spoil_with_read_only_page(&f->handshake, SCHEMA_VBDFRONT_REF);
}

static void others_page(struct disk_front *f)
{
    spoil_with_others_page(&f->handshake, SCHEMA_VBDFRONT_REF);
}

static void no_port(struct disk_front *f)
{
    handshake_write_number(&f->handshake, SCHEMA_VBDFRONT_CHANNEL, 1000);
}

static bool item_grants(void)
{
    bool ok = try_spoilt(wild_ring, "wild ring", "ring-ref: page 0: not a valid grant");
    struct disk_front f;

    ok = try_spoilt(read_only_ring, "read-only ring", "granted writable") && ok;
    ok = try_spoilt(others_page, "page for another", "ring-ref: page 0: not a valid") && ok;
    ok = try_spoilt(no_port, "no port", "event-channel: not an unbound channel") && ok;
    disk_front_open(&f, vdev);
    return is_served_again(&f) && ok;
}

/* ---- requests ---- */

static bool try_index(uint32_t ahead, const char *item)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    ok = is_served(&f);
    f.req_prod += ahead;
    disk_front_send(&f);
    disk_front_notify(&f);
    ok = handshake_is_closed_for(&f.handshake, item, "ring index out of range") && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

static bool item_indexes(void)
{
    bool ok = try_index(DISK_FRONT_SLOTS + 1, "one more than there is");

    ok = try_index(0x80000000u, "half a round") && ok;
    return try_index(UINT32_MAX, "backwards") && ok;
}

/* Fill @data of @f with as many segments as it holds, all whole pages that are there. */
static void put_segments(struct disk_front *f, uint32_t data)
{
    struct blkif_request_segment *segments = (void *)f->pages[data];

    for (uint32_t i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*segments); i++)
        segments[i] = (struct blkif_request_segment){.gref = f->refs[i % data], .last_sect = 7};
}

/* For the reference of a page that is there: the first one's, or of a page of segments. */
#define OWN      0u
#define SEGMENTS (NR_PAGES - 1)

#define DIRECT(op, nr, sector, ...)                                                                \
    {                                                                                              \
        .direct = {                                                                                \
            .operation = (op),                                                                     \
            .nr_segments = (nr),                                                                   \
            .sector_number = (sector),                                                             \
            .seg = {{__VA_ARGS__}}                                                                 \
        }                                                                                          \
    }
#define DISCARD(sector, nr)                                                                        \
    {                                                                                              \
        .discard = {.operation = BLKIF_OP_DISCARD, .sector_number = (sector), .nr_sectors = (nr) } \
    }
#define INDIRECT(op, nr, ref)                                                                      \
    {                                                                                              \
        .indirect = {                                                                              \
            .operation = BLKIF_OP_INDIRECT,                                                        \
            .indirect_op = (op),                                                                   \
            .nr_segments = (nr),                                                                   \
            .indirect_grefs = {ref}                                                                \
        }                                                                                          \
    }

static const struct bad_request {
    union disk_request request;
    bool from_end; /* sectors count from the disk's end */
    int status;
} bad_requests[] = {
    {DIRECT(BLKIF_OP_WRITE_BARRIER, 0, 0, OWN), .status = BLKIF_RSP_EOPNOTSUPP},
    {DIRECT(77, 0, 0, OWN), .status = BLKIF_RSP_EOPNOTSUPP},
    {DIRECT(BLKIF_OP_READ, 0, 0, OWN), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_READ, 12, 0, OWN, 0, 7), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 255, 0, OWN, 0, 7), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 1, 0, OWN, 0, 8), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 1, 0, OWN, 5, 4), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_READ, 1, UINT64_MAX, OWN, 0, 7), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 1, 1ull << 60, OWN, 0, 7), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_READ, 1, 0, OWN, 0, 0), true, BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 1, 0, OWN, 0, 0), true, BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_READ, 1, (uint64_t)-7, OWN, 0, 7), true, BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 1, (uint64_t)-7, OWN, 0, 7), true, BLKIF_RSP_ERROR},
    {DISCARD(1ull << 60, 0), .status = BLKIF_RSP_ERROR},
    {DISCARD(8, UINT64_MAX), .status = BLKIF_RSP_ERROR},
    {DISCARD((uint64_t)-8, 16), true, BLKIF_RSP_ERROR},
    {INDIRECT(BLKIF_OP_WRITE, 65535, OWN), .status = BLKIF_RSP_ERROR},
    {INDIRECT(BLKIF_OP_WRITE, 129, OWN), .status = BLKIF_RSP_ERROR},
    {INDIRECT(BLKIF_OP_WRITE, 0, OWN), .status = BLKIF_RSP_ERROR},
    {INDIRECT(BLKIF_OP_DISCARD, 1, OWN), .status = BLKIF_RSP_ERROR},
    /* from the first of these on, pages are copied that are not mapped yet */
    {DIRECT(BLKIF_OP_READ, 1, 0, WILD_REF, 0, 7), .status = BLKIF_RSP_ERROR},
    {DIRECT(BLKIF_OP_WRITE, 1, 0, UINT32_MAX, 0, 7), .status = BLKIF_RSP_ERROR},
    {INDIRECT(BLKIF_OP_READ, 12, WILD_REF), .status = BLKIF_RSP_ERROR},
};

/* What a row says, for this connection. */
static union disk_request request_of(const struct disk_front *f, const struct bad_request *bad)
{
    union disk_request request = bad->request;

    request.direct.id = (uint64_t)(bad - bad_requests);
    if (bad->from_end)
        request.direct.sector_number += f->nr_sectors;
    if (request.direct.operation == BLKIF_OP_INDIRECT) {
        if (request.indirect.indirect_grefs[0] == OWN)
            request.indirect.indirect_grefs[0] = f->refs[SEGMENTS];
    } else if (request.direct.operation != BLKIF_OP_DISCARD && request.direct.seg[0].gref == OWN)
        request.direct.seg[0].gref = f->refs[0];
    return request;
}

static bool try_request(struct disk_front *f, const struct bad_request *bad)
{
    union disk_request request = request_of(f, bad);
    int status = disk_front_call_request(f, &request);

    if (status != bad->status)
        printf("%u: operation %u is answered %d\n", (unsigned)(bad - bad_requests),
               request.direct.operation, status);
    return status == bad->status;
}

/* Each is answered by an error, the session goes on, and the disk is as it was. */
static bool item_bad_requests(void)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    page_fill(f.pages[0], 1);
    ok = disk_front_call(&f, BLKIF_OP_WRITE, 0, 0, 1) == BLKIF_RSP_OKAY;
    page_fill(f.pages[0], 2);
    put_segments(&f, SEGMENTS);
    for (unsigned i = 0; i < NR(bad_requests); i++)
        ok = try_request(&f, &bad_requests[i]) && ok;
    ok = disk_front_call(&f, BLKIF_OP_READ, 0, 1, 1) == BLKIF_RSP_OKAY &&
         page_holds(f.pages[1], 1) && page_holds(f.pages[0], 2) && ok;
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    return ok;
}

/* ---- noise ---- */

/* A page that is there, and one time in 256 sectors that may not be. */
static void tame_segment(struct disk_front *f, struct blkif_request_segment *segment,
                         uint64_t *seed)
{
    segment->gref = f->refs[segment->gref % SEGMENTS];
    if (noise(seed) % 256 == 0) {
        segment->first_sect %= 9;
        segment->last_sect %= 9;
        return;
    }
    segment->first_sect %= 8;
    segment->last_sect =
        (uint8_t)(segment->first_sect + segment->last_sect % (8 - segment->first_sect));
}

static void tame_indirect(struct disk_front *f, struct blkif_request_indirect *indirect,
                          uint64_t *seed)
{
    struct blkif_request_segment *segments = (void *)f->pages[SEGMENTS];

    indirect->indirect_op %= 3;
    indirect->nr_segments %= 130;
    indirect->indirect_grefs[0] = f->refs[SEGMENTS];
    noise_fill(seed, segments, TMEMIF_PAGE_SIZE);
    for (uint32_t i = 0; i < TMEMIF_PAGE_SIZE / sizeof(*segments); i++)
        tame_segment(f, &segments[i], seed);
}

/* A known operation, for pages and sectors that are there, most of the time: as far as it must be
 * for more than its decoding to be tried. */
static void tame(struct disk_front *f, union disk_request *request, uint64_t *seed)
{
    request->direct.operation %= BLKIF_OP_INDIRECT + 1;
    request->direct.sector_number %= f->nr_sectors;
    switch (request->direct.operation) {
    case BLKIF_OP_DISCARD:
        request->discard.nr_sectors %= 20000;
        break;
    case BLKIF_OP_INDIRECT:
        tame_indirect(f, &request->indirect, seed);
        break;
    default:
        request->direct.nr_segments %= 13;
        for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
            tame_segment(f, &request->direct.seg[i], seed);
    }
}

/* Answers by the operation that was asked for. */
struct tally {
    unsigned nr_okay[BLKIF_OP_INDIRECT + 1], nr_bad[BLKIF_OP_INDIRECT + 1];
};

/* A ring full of noise, half of which is tamed; those are counted. */
static bool noise_round(struct disk_front *f, struct tally *tally, uint64_t *seed)
{
    uint8_t ops[DISK_FRONT_SLOTS];
    int status = BLKIF_RSP_OKAY;

    for (unsigned i = 0; i < DISK_FRONT_SLOTS; i++) {
        union disk_request request;

        noise_fill(seed, &request, sizeof(request));
        if (i % 2)
            tame(f, &request, seed);
        ops[i] = request.direct.operation;
        disk_front_put(f, &request);
    }
    disk_front_send(f);
    for (unsigned i = 0; i < DISK_FRONT_SLOTS && status != DISK_FRONT_NONE; i++) {
        status = disk_front_take(f);
        if (i % 2)
            (status == BLKIF_RSP_OKAY ? tally->nr_okay : tally->nr_bad)[ops[i]]++;
    }
    return status != DISK_FRONT_NONE;
}

static bool has_both(const struct tally *tally, uint8_t op)
{
    printf("operation %u: %u times okay, %u times not\n", op, tally->nr_okay[op],
           tally->nr_bad[op]);
    return tally->nr_okay[op] > 0 && tally->nr_bad[op] > 0;
}

static bool item_noise(void)
{
    static const uint8_t ops[] = {BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_DISCARD,
                                  BLKIF_OP_INDIRECT};
    uint64_t seed = 88172645463325252u;
    struct tally tally = {.nr_okay = {0}};
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    for (unsigned round = 0; round < 100 && ok; round++)
        ok = noise_round(&f, &tally, &seed);
    for (unsigned i = 0; i < NR(ops); i++)
        ok = has_both(&tally, ops[i]) && ok;
    ok = ok && is_served(&f);
    disk_front_leave(&f);
    return ok;
}

/* ---- references ---- */

static bool each_once(struct disk_front *f, uint32_t what)
{
    bool ok = true;

    for (uint32_t page = 0; page < NR_PAGES; page += DISK_FRONT_SLOTS) {
        for (uint32_t i = 0; i < DISK_FRONT_SLOTS; i++) {
            page_fill(f->pages[page + i], what + page + i);
            disk_front_put_pages(f, i % 2 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, page + i, 1);
        }
        disk_front_send(f);
        ok = disk_front_drain(f) == BLKIF_RSP_OKAY && ok;
    }
    return ok;
}

/* Does the disk hold what each_once() wrote last? */
static bool last_is_there(struct disk_front *f, uint32_t what)
{
    bool ok = true;

    for (uint32_t i = 1; i < DISK_FRONT_SLOTS; i += 2)
        ok = disk_front_call(f, BLKIF_OP_READ, i, 0, 1) == BLKIF_RSP_OKAY &&
             page_holds(f->pages[0], what + NR_PAGES - DISK_FRONT_SLOTS + i) && ok;
    return ok;
}

/*
 * Every reference is named once, at full rate, by one connection after the other. Mappings that a
 * connection leaves behind use up the suite's max_maptrack_frames, and no later ring can be mapped.
 */
static bool item_each_once(void)
{
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    for (uint32_t round = 0; round < 10; round++) {
        attach(&f);
        ok = each_once(&f, round * NR_PAGES) && ok;
        ok = last_is_there(&f, round * NR_PAGES) && ok;
        disk_front_leave(&f);
    }
    return is_served_again(&f) && ok;
}

/* The ring is read into: what the backend finds there is the disk's octets, a wild index first. */
static bool try_ring_as_data(bool mapped_before, const char *item)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    page_fill(f.pages[0], 4711);
    f.refs[5] = f.ring_ref;
    ok = disk_front_call(&f, BLKIF_OP_WRITE, 3, 0, 1) == BLKIF_RSP_OKAY;
    if (mapped_before)
        ok = disk_front_call(&f, BLKIF_OP_WRITE, 9, 5, 1) == BLKIF_RSP_OKAY && ok;
    disk_front_put_pages(&f, BLKIF_OP_READ, 3, 5, 1);
    disk_front_send(&f);
    ok = handshake_is_closed_for(&f.handshake, item, "ring index out of range") && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

static bool item_ring_as_data(void)
{
    bool ok = try_ring_as_data(false, "copied into");

    /* the daemon has the disk read right into pages that are mapped */
    return try_ring_as_data(true, "read into") && ok;
}

static void *share_read_only(struct handshake *h, int nr, uint32_t *refs_out)
{
    void *pages = xengntshr_share_pages(h->grants, h->place.manager, nr, refs_out, 0);

    if (!pages)
        hostile_give_up("read-only grant");
    return pages;
}

/* Pages that can only be read: they are not mapped, but copied. */
static bool item_read_only_pages(void)
{
    struct disk_front f;
    uint8_t(*pages)[TMEMIF_PAGE_SIZE];
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    pages = share_read_only(&f.handshake, 2, f.refs + 8);
    page_fill(pages[0], 1);
    page_fill(pages[1], 2);
    ok = disk_front_call(&f, BLKIF_OP_WRITE, 20, 8, 2) == BLKIF_RSP_OKAY;
    ok = disk_front_call(&f, BLKIF_OP_READ, 20, 1, 2) == BLKIF_RSP_OKAY && ok;
    ok = page_holds(f.pages[1], 1) && page_holds(f.pages[2], 2) && ok;
    ok = disk_front_call(&f, BLKIF_OP_READ, 21, 8, 1) == BLKIF_RSP_ERROR && ok;
    ok = page_holds(pages[0], 1) && ok;
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    xengntshr_unshare(f.handshake.grants, pages, 2);
    return is_served_again(&f) && ok;
}

/* ---- pages that change or go ---- */

struct flipper {
    pthread_t thread;
    uint8_t *page;
    atomic_bool stop;
};

static void *flip(void *arg)
{
    struct flipper *flipper = arg;

    for (uint32_t what = 1; !atomic_load_explicit(&flipper->stop, memory_order_relaxed); what++) {
        for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i += 64)
            ((volatile uint8_t *)flipper->page)[i] = (uint8_t)what;
    }
    return NULL;
}

static void start_flipping(struct flipper *flipper, uint8_t *page)
{
    *flipper = (struct flipper){.page = page};
    if (pthread_create(&flipper->thread, NULL, flip, flipper) != 0)
        hostile_give_up("thread");
}

static void stop_flipping(struct flipper *flipper)
{
    atomic_store(&flipper->stop, true);
    pthread_join(flipper->thread, NULL);
}

/* Only every 64th octet is ever changed. */
static bool rest_is_zero(const uint8_t *page)
{
    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i++) {
        if (i % 64 && page[i])
            return false;
    }
    return true;
}

/* The data page that is written from changes meanwhile, and so does the one that is read into. */
#define WRITTEN 0u
#define READ    3u

static bool write_changing(struct disk_front *f, uint32_t page)
{
    return disk_front_call(f, BLKIF_OP_WRITE, page, WRITTEN, 1) == BLKIF_RSP_OKAY &&
           disk_front_call(f, BLKIF_OP_READ, page, 1, 1) == BLKIF_RSP_OKAY &&
           disk_front_call(f, BLKIF_OP_READ, page, READ, 1) == BLKIF_RSP_OKAY &&
           disk_front_call(f, BLKIF_OP_READ, page, 2, 1) == BLKIF_RSP_OKAY &&
           memcmp(f->pages[1], f->pages[2], TMEMIF_PAGE_SIZE) == 0 && rest_is_zero(f->pages[1]);
}

/* A page that changes while it is written is some page, and reads as that one from then on. */
static bool item_changing(void)
{
    struct flipper flippers[2];
    struct disk_front f;
    bool ok = true;

    disk_front_open(&f, vdev);
    attach(&f);
    memset(f.pages[WRITTEN], 0, TMEMIF_PAGE_SIZE);
    start_flipping(&flippers[0], f.pages[WRITTEN]);
    start_flipping(&flippers[1], f.pages[READ]);
    for (uint32_t round = 0; round < 300 && ok; round++) {
        ok = write_changing(&f, round);
        if (!ok)
            printf("round %u\n", round);
    }
    stop_flipping(&flippers[0]);
    stop_flipping(&flippers[1]);
    ok = ok && is_served(&f);
    disk_front_leave(&f);
    return ok;
}

/* Every data page is named, eight at a time: as many of them are mapped as there can be. */
static bool write_all(struct disk_front *f)
{
    bool ok = true;

    for (uint32_t page = 0; page < NR_PAGES; page += 8)
        ok = disk_front_call(f, BLKIF_OP_WRITE, page, page, 8) == BLKIF_RSP_OKAY && ok;
    return ok;
}

/* Pages that are mapped are no longer granted, as far as this guest can say so. */
static bool item_pages_end(void)
{
    struct disk_front f;
    uint32_t nr_okay = 0;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    ok = write_all(&f);
    xengntshr_unshare(f.handshake.grants, f.pages, f.nr_pages);
    f.pages = NULL;
    for (uint32_t page = 0; page < NR_PAGES; page += 8) {
        int status = disk_front_call(&f, BLKIF_OP_READ, page, page, 8);

        nr_okay += status == BLKIF_RSP_OKAY;
        ok = status != DISK_FRONT_NONE && ok;
    }
    printf("%u of %u reads are okay\n", nr_okay, NR_PAGES / 8);
    ok = nr_okay > 0 && ok; /* what is mapped stays so, into pages that nobody else has */
    f.pages =
        xengntshr_share_pages(f.handshake.grants, f.handshake.place.manager, NR_PAGES, f.refs, 1);
    if (!f.pages)
        hostile_give_up("grant of new pages");
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

/* ---- too much, too little ---- */

/* Answers are not taken, and notifications and watch events come as fast as they go. */
static bool item_flood(void)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    for (uint32_t i = 0; i < DISK_FRONT_SLOTS; i++)
        disk_front_put_pages(&f, BLKIF_OP_READ, i, i, 1);
    disk_front_send(&f);
    for (unsigned i = 0; i < 20000; i++)
        disk_front_notify(&f);
    for (unsigned i = 0; i < 2000; i++)
        handshake_state(&f.handshake, XENBUS_CONNECTED);
    ok = disk_front_drain(&f) == BLKIF_RSP_OKAY;
    ok = is_served(&f) && ok;
    disk_front_leave(&f);
    return ok;
}

/* It goes while all of its disk is being discarded, and does not wait for the backend to go. */
static bool item_discard_and_close(void)
{
    union disk_request all = {.discard = {.operation = BLKIF_OP_DISCARD}};
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    ok = write_all(&f);
    all.discard.nr_sectors = f.nr_sectors;
    disk_front_put(&f, &all);
    disk_front_send(&f);
    handshake_state(&f.handshake, XENBUS_CLOSING);
    handshake_state(&f.handshake, XENBUS_CLOSED);
    ok = handshake_wait(&f.handshake, STATE_BIT(XENBUS_CLOSED), PATIENCE_MS) == XENBUS_CLOSED && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

/* What was asked for is done, and nobody can be told. */
static bool item_closes_its_port(void)
{
    struct disk_front f;
    bool ok;

    disk_front_open(&f, vdev);
    attach(&f);
    ok = is_served(&f);
    for (uint32_t i = 0; i < DISK_FRONT_SLOTS; i++)
        disk_front_put_pages(&f, BLKIF_OP_WRITE, i, i, 1);
    disk_front_send(&f);
    disk_front_close_port(&f);
    ok = disk_front_drain(&f) == BLKIF_RSP_OKAY && ok;
    disk_front_leave(&f);
    return is_served_again(&f) && ok;
}

static _Noreturn void load_for_ever(struct disk_front *f)
{
    for (uint32_t page = 0;; page = (page + 8) % NR_PAGES) {
        disk_front_call(f, BLKIF_OP_WRITE, page, page, 8);
        disk_front_call(f, BLKIF_OP_READ, page, page, 8);
    }
}

static void attach_and_load(void)
{
    struct disk_front f;

    disk_front_open(&f, vdev);
    if (disk_front_attach(&f, NR_PAGES))
        load_for_ever(&f);
}

static bool item_dies(void)
{
    struct disk_front f;

    hostile_kill_children(attach_and_load);
    disk_front_open(&f, vdev);
    return is_served_again(&f);
}

/* Under load, with as many pages mapped as there can be, until the domain is destroyed. */
static bool item_stays(void)
{
    struct disk_front f;

    disk_front_open(&f, vdev);
    attach(&f);
    load_for_ever(&f);
}

/* ---- all ---- */

static const struct hostile_item items[] = {
    {"nodes", item_nodes},
    {"states", item_states},
    {"grants", item_grants},
    {"indexes", item_indexes},
    {"bad-requests", item_bad_requests},
    {"noise", item_noise},
    {"each-once", item_each_once},
    {"ring-as-data", item_ring_as_data},
    {"read-only-pages", item_read_only_pages},
    {"changing", item_changing},
    {"pages-end", item_pages_end},
    {"flood", item_flood},
    {"discard-and-close", item_discard_and_close},
    {"closes-its-port", item_closes_its_port},
    {"dies", item_dies},
    {"stays", item_stays},
};

int main(int argc, char **argv)
{
    int rc = 2;

    if (argc == 3)
        vdev = (uint32_t)strtoul(argv[2], NULL, 10);
    if (vdev != 0 || (argc == 2 && strcmp(argv[1], "list") == 0))
        rc = hostile_items_run(items, NR(items), argv[1]);
    if (rc == 2)
        fprintf(stderr, "usage: hostile_disk list | ITEM VDEV\n");
    return rc;
}
