/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device that guests share: what is read once, what is written, and what fails. */
#include "tests/lib/runner.h"

#include "daemon/blk/base.h"
#include "daemon/blk/disks.h"
#include "tests/lib/step.h"
#include "tests/unit/cache_world.h"

#define NR_FRAMES 1024u

struct bed {
    struct cache_world cw;
    struct fake_device *b; /* "xvdb", by hand */
    struct disk *one, *two;
    struct call *call;
};

static void bed_make(struct bed *b)
{
    cache_world_make(&b->cw, NR_FRAMES, 3);
    b->b = &b->cw.devices[0];
    b->b->by_hand = true;
    b->one = open_cache(&b->cw, "xvdb", 1);
    b->two = open_cache(&b->cw, "xvdb", 2);
    b->call = call_new();
    CU_ASSERT_FATAL(b->one && b->two);
}

static void bed_end(struct bed *b)
{
    call_free(b->call);
    cache_world_end(&b->cw);
}

static enum disk_status read_at(struct bed *b, struct disk *d, uint32_t page)
{
    call_begin(b->call);
    call_add(b->call, page, false);
    call_run(&b->cw, d, 0, b->call);
    return b->call->pages[0].status;
}

static bool reads(struct bed *b, struct disk *d, uint32_t page, uint64_t tag)
{
    return read_at(b, d, page) == DISK_OK && page_has(b->call->data[0], tag);
}

static enum disk_status write_at(struct bed *b, struct disk *d, uint32_t page, uint64_t tag)
{
    call_begin(b->call);
    page_fill(call_add(b->call, page, true)->data, tag);
    call_run(&b->cw, d, 0, b->call);
    return b->call->pages[0].status;
}

/* ---- reading and writing ---- */

static void one_read_serves_them_all(void)
{
    struct caches_info info;
    struct bed b;

    bed_make(&b);
    for (uint32_t n = 0; n < FAKE_FILLED; n++)
        CU_ASSERT(reads(&b, b.one, n, n));
    CU_ASSERT_EQUAL(b.b->nr_reads, FAKE_FILLED);
    for (uint32_t n = 0; n < FAKE_FILLED; n++)
        CU_ASSERT(reads(&b, b.two, n, n));
    CU_ASSERT_EQUAL(b.b->nr_reads, FAKE_FILLED);
    CU_ASSERT(caches_info(&b.cw.caches, 0, &info) && info.owner.domid == 2);
    CU_ASSERT(info.hits == FAKE_FILLED && info.misses == 0 && info.pool_pages == FAKE_FILLED);
    CU_ASSERT(caches_info(&b.cw.caches, 1, &info) && info.owner.domid == 1);
    CU_ASSERT(info.hits == 0 && info.misses == FAKE_FILLED);
    CU_ASSERT_FALSE(caches_info(&b.cw.caches, 2, &info));
    bed_end(&b);
}

static void write_of_one_is_read_by_the_other(void)
{
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.two, 5, 5));
    CU_ASSERT_EQUAL(write_at(&b, b.one, 5, 500), DISK_OK);
    CU_ASSERT(page_has(b.b->pages[5], 500));
    CU_ASSERT(reads(&b, b.two, 5, 500));
    CU_ASSERT_EQUAL(b.b->nr_reads, 1);
    bed_end(&b);
}

static void device_sees_a_batch_as_a_whole(void)
{
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.one, 30, 30));
    call_begin(b.call);
    for (uint32_t n = 0; n < CALL_PAGES; n++)
        call_add(b.call, (n * 29) % CALL_PAGES, n % 2);
    for (uint32_t n = 0; n < CALL_PAGES; n++)
        page_fill(b.call->data[n], 7000 + n);
    call_run(&b.cw, b.one, 0, b.call);
    CU_ASSERT_EQUAL(b.b->nr_transfers, 1 + 2);
    CU_ASSERT_EQUAL(b.b->nr_reads, 1 + CALL_PAGES / 2 - 1);
    CU_ASSERT_EQUAL(b.b->nr_writes, CALL_PAGES / 2);
    for (uint32_t n = 0; n < CALL_PAGES; n++) {
        const struct batch_page *p = &b.call->pages[n];

        CU_ASSERT_EQUAL(p->status, DISK_OK);
        CU_ASSERT(
            page_has(p->write ? b.b->pages[p->page] : p->data, p->write ? 7000 + n : p->page));
    }
    bed_end(&b);
}

/* @pooled: the page is in the pool before. */
static void concern_one_page(bool pooled)
{
    struct batch_page *p;
    struct bed b;

    bed_make(&b);
    if (pooled)
        CU_ASSERT(reads(&b, b.one, 9, 9));
    call_begin(b.call);
    call_add(b.call, 9, false);
    page_fill(call_add(b.call, 9, true)->data, 900);
    call_add(b.call, 9, false);
    for (unsigned n = 0; n < 3; n++) { /* three sectors, one after the other */
        p = call_add(b.call, 9, true);
        p->first = (uint16_t)(512 * (n + 1));
        p->end = (uint16_t)(p->first + 512);
        memset(p->data + p->first, (int)(0xa0 + n), 512);
    }
    call_add(b.call, 9, false);
    call_run(&b.cw, b.one, 0, b.call);
    CU_ASSERT(page_has(b.call->data[0], 9));
    CU_ASSERT(page_has(b.call->data[2], 900));
    page_fill(b.call->data[0], 900);
    for (unsigned n = 0; n < 3; n++)
        memset(b.call->data[0] + 512 * (n + 1), (int)(0xa0 + n), 512);
    CU_ASSERT_EQUAL(memcmp(b.call->data[6], b.call->data[0], DISK_PAGE_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(b.b->pages[9], b.call->data[0], DISK_PAGE_SIZE), 0);
    CU_ASSERT_EQUAL(b.b->nr_reads, 1);
    bed_end(&b);
}

static void what_concerns_one_page_happens_in_order(void)
{
    concern_one_page(false);
    concern_one_page(true);
}

static void pages_that_share_a_lock_go_together(void)
{
    struct bed b;

    bed_make(&b);
    call_begin(b.call);
    for (uint32_t n = 0; n < 8; n++) {
        call_add(b.call, CACHE_LOCKS - 4 + n, false); /* locks wrap around */
        page_fill(call_add(b.call, n % 4, true)->data, 500 + n);
    }
    call_run(&b.cw, b.one, 0, b.call);
    for (uint32_t n = 0; n < 16; n++)
        CU_ASSERT_EQUAL(b.call->pages[n].status, DISK_OK);
    for (uint32_t n = 0; n < 4; n++)
        CU_ASSERT(reads(&b, b.two, n, 504 + n));
    bed_end(&b);
}

/* More parts than a lane has room for, of pages of which the pool has some. */
static void parts_of_pages_leave_the_rest(void)
{
    uint8_t expected[DISK_PAGE_SIZE];
    struct bed b;

    bed_make(&b);
    for (uint32_t n = 0; n < CALL_PAGES; n += 3)
        CU_ASSERT(reads(&b, b.two, n, n));
    call_begin(b.call);
    for (uint32_t n = 0; n < CALL_PAGES; n++) {
        struct batch_page *p = call_add(b.call, n, true);

        p->first = (uint16_t)(512 * (n % 8));
        p->end = (uint16_t)(p->first + 512);
        memset(p->data + p->first, 0x5a, 512);
    }
    call_run(&b.cw, b.one, 0, b.call);
    CU_ASSERT_EQUAL(b.b->nr_writes, CALL_PAGES);
    CU_ASSERT_EQUAL(b.b->nr_reads, CALL_PAGES);
    for (uint32_t n = 0; n < CALL_PAGES; n++) {
        page_fill(expected, n);
        memset(expected + 512 * (n % 8), 0x5a, 512);
        CU_ASSERT_EQUAL(memcmp(b.b->pages[n], expected, DISK_PAGE_SIZE), 0);
        CU_ASSERT_EQUAL(read_at(&b, b.two, n), DISK_OK);
        CU_ASSERT_EQUAL(memcmp(b.call->data[0], expected, DISK_PAGE_SIZE), 0);
    }
    bed_end(&b);
}

static void pool_that_may_hold_nothing_costs_only_reads(void)
{
    struct bed b;

    cache_world_make(&b.cw, NR_FRAMES, 3);
    b.cw.max_pages = 0;
    b.b = &b.cw.devices[0];
    b.b->by_hand = true;
    b.one = open_cache(&b.cw, "xvdb", 1);
    b.call = call_new();
    for (unsigned n = 0; n < 3; n++)
        CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT_EQUAL(b.b->nr_reads, 3);
    CU_ASSERT_EQUAL(write_at(&b, b.one, 5, 50), DISK_OK);
    CU_ASSERT(reads(&b, b.one, 5, 50));
    bed_end(&b);
}

/* An operator may remove any shared pool. */
static void device_is_served_without_its_pool(void)
{
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT_EQUAL(engine_shared_remove(b.cw.w.e, b.cw.caches.caches[0]->uuid), TMEMIF_OK);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT_EQUAL(write_at(&b, b.one, 5, 50), DISK_OK);
    CU_ASSERT(reads(&b, b.two, 5, 50));
    CU_ASSERT_EQUAL(b.b->nr_reads, 3);
    bed_end(&b);
}

/* ---- what fails ---- */

static void page_that_cannot_be_read_is_an_error_of_its_own(void)
{
    struct bed b;

    bed_make(&b);
    b.b->fails_reads[7] = true;
    call_begin(b.call);
    for (uint32_t n = 5; n < 10; n++)
        call_add(b.call, n, false);
    call_run(&b.cw, b.one, 0, b.call);
    for (uint32_t n = 0; n < 5; n++)
        CU_ASSERT_EQUAL(b.call->pages[n].status, n == 2 ? DISK_IO : DISK_OK);
    /* nor can a part of it be written */
    call_begin(b.call);
    call_add(b.call, 7, true)->first = 512;
    call_run(&b.cw, b.one, 0, b.call);
    CU_ASSERT_EQUAL(b.call->pages[0].status, DISK_IO);
    CU_ASSERT_EQUAL(b.b->nr_writes, 0);
    b.b->fails_reads[7] = false;
    CU_ASSERT(reads(&b, b.one, 7, 7));
    bed_end(&b);
}

static void write_that_failed_leaves_what_the_device_has(void)
{
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.two, 5, 5));
    b.b->fails_writes[5] = true;
    CU_ASSERT_EQUAL(write_at(&b, b.one, 5, 50), DISK_IO);
    page_fill(b.b->pages[5], 77); /* a part of it may have arrived, who knows */
    CU_ASSERT(reads(&b, b.two, 5, 77));
    b.b->fails_writes[5] = false;
    CU_ASSERT_EQUAL(write_at(&b, b.one, 5, 50), DISK_OK);
    CU_ASSERT(reads(&b, b.two, 5, 50));
    bed_end(&b);
}

static void flush_reaches_the_device_and_its_error_the_guest(void)
{
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    call_begin(b.call);
    call_add(b.call, 5, false); /* which would be a hit */
    b.call->batch.flush = true;
    CU_ASSERT_FALSE(disk_run(b.one, 0, &b.call->batch));
    CU_ASSERT(fake_run(b.b));
    CU_ASSERT(batch_is_done(&b.call->batch) && b.call->batch.status == DISK_OK);
    CU_ASSERT_EQUAL(b.b->nr_flushes, 1);
    CU_ASSERT_EQUAL(b.b->nr_reads, 1);
    b.b->fails_flush = true;
    call_begin(b.call);
    b.call->batch.flush = true;
    call_run(&b.cw, b.one, 0, b.call);
    CU_ASSERT_EQUAL(b.call->batch.status, DISK_IO);
    bed_end(&b);
}

static enum disk_status discard_at(struct bed *b, struct disk *d, uint32_t first, uint32_t nr)
{
    b->call->batch.kind = BATCH_DISCARD;
    b->call->batch.first = first;
    b->call->batch.nr = nr;
    call_run(&b->cw, d, 0, b->call);
    return b->call->batch.status;
}

static void discarded_pages_are_forgotten(void)
{
    struct bed b;

    bed_make(&b);
    for (uint32_t n = 0; n < FAKE_FILLED; n++)
        CU_ASSERT(reads(&b, b.two, n, n));
    CU_ASSERT_EQUAL(discard_at(&b, b.one, 3, 150), DISK_OK);
    CU_ASSERT_EQUAL(b.call->batch.nr_done, 150);
    CU_ASSERT(reads(&b, b.two, 2, 2) && reads(&b, b.two, 153, 153));
    CU_ASSERT_EQUAL(b.b->nr_reads, FAKE_FILLED);
    for (uint32_t n = 3; n < 153; n++) {
        CU_ASSERT_EQUAL(read_at(&b, b.two, n), DISK_OK);
        CU_ASSERT_EQUAL(b.call->data[0][0], 0xd5);
    }
    CU_ASSERT_EQUAL(discard_at(&b, b.one, FAKE_PAGES, 1), DISK_RANGE);
    CU_ASSERT_EQUAL(discard_at(&b, b.one, 1, UINT32_MAX), DISK_RANGE);
    CU_ASSERT_EQUAL(b.b->nr_discards, 150);
    bed_end(&b);
}

static void device_that_is_read_only_is_not_written_to(void)
{
    struct bed b;

    cache_world_make(&b.cw, NR_FRAMES, 3);
    b.b = &b.cw.devices[0];
    b.b->by_hand = b.b->backing.read_only = true;
    b.one = open_cache(&b.cw, "xvdb", 1);
    b.call = call_new();
    CU_ASSERT_TRUE(b.one->read_only);
    CU_ASSERT_EQUAL(write_at(&b, b.one, 5, 50), DISK_IO);
    CU_ASSERT_EQUAL(discard_at(&b, b.one, 5, 1), DISK_IO);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT_EQUAL(read_at(&b, b.one, FAKE_PAGES), DISK_RANGE);
    bed_end(&b);
}

/* ---- a guest that goes while something is under way ---- */

static struct call *begin_write(struct bed *b, uint32_t page, uint64_t tag)
{
    struct call *c = call_new();

    call_begin(c);
    page_fill(call_add(c, page, true)->data, tag);
    CU_ASSERT_FALSE(disk_run(b->one, 0, &c->batch));
    return c;
}

static void write_that_has_not_begun_ends_with_its_guest(void)
{
    struct call *c;
    struct bed b;

    bed_make(&b);
    c = begin_write(&b, 5, 50);
    CU_ASSERT_FALSE(batch_abandon(&c->batch));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.one));
    CU_ASSERT(fake_run(b.b)); /* frees it */
    CU_ASSERT_EQUAL(b.b->nr_writes, 0);
    CU_ASSERT(reads(&b, b.two, 5, 5));
    bed_end(&b);
}

/* A guest that comes and goes leaves nothing behind before a device that hangs. */
static void write_that_has_not_begun_can_be_taken_back(void)
{
    struct call *c;
    struct bed b;

    bed_make(&b);
    c = begin_write(&b, 5, 50);
    CU_ASSERT_TRUE(disk_take_back(b.one, &c->batch));
    CU_ASSERT_FALSE(disk_take_back(b.one, &c->batch));
    CU_ASSERT_FALSE(fake_run(b.b));
    free(c->batch.memory);
    CU_ASSERT(reads(&b, b.two, 5, 5));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.one));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.two));
    CU_ASSERT_FALSE(b.b->is_open); /* nothing is waited for */
    b.one = b.two = NULL;
    bed_end(&b);
}

struct leaving {
    struct bed *bed;
    struct batch *batch;
    bool was_forgotten;
};

/* Its guest goes at the last moment, while the page around the part is read. */
static void leave(void *arg, bool write)
{
    struct leaving *l = arg;

    CU_ASSERT_FALSE(write);
    CU_ASSERT_FALSE(batch_abandon(l->batch));
}

static void write_does_not_begin_after_its_guest_has_gone(void)
{
    struct leaving leaving;
    struct call *c = call_new();
    struct bed b;

    bed_make(&b);
    call_begin(c);
    call_add(c, 5, true)->first = 512;
    leaving = (struct leaving){.bed = &b, .batch = &c->batch};
    b.b->before = leave;
    b.b->before_arg = &leaving;
    CU_ASSERT_FALSE(disk_run(b.one, 0, &c->batch));
    CU_ASSERT(fake_run(b.b));
    b.b->before = NULL;
    CU_ASSERT_EQUAL(b.b->nr_writes, 0);
    CU_ASSERT(reads(&b, b.two, 5, 5));
    bed_end(&b);
}

/* Its guest goes while the device writes: whoever looks now must wait, and not find the old page.
 */
static void leave_and_look(void *arg, bool write)
{
    struct leaving *l = arg;
    struct call *c = l->bed->call;

    if (!write)
        return;
    CU_ASSERT_FALSE(batch_abandon(l->batch));
    call_begin(c);
    call_add(c, 5, false);
    l->was_forgotten = !disk_run(l->bed->two, 1, &c->batch);
}

static void page_is_not_in_the_pool_while_it_is_written(void)
{
    struct leaving leaving;
    struct call *c;
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.two, 5, 5));
    c = begin_write(&b, 5, 50);
    leaving = (struct leaving){.bed = &b, .batch = &c->batch};
    b.b->before = leave_and_look;
    b.b->before_arg = &leaving;
    CU_ASSERT(fake_run(b.b));
    CU_ASSERT_TRUE(leaving.was_forgotten);
    CU_ASSERT(fake_run(b.b)); /* the other one's read */
    CU_ASSERT(batch_is_done(&b.call->batch) && page_has(b.call->data[0], 50));
    bed_end(&b);
}

/* ---- caches come and go ---- */

static void two_names_of_a_device_are_one_cache(void)
{
    struct disk *other, *same;
    struct bed b;

    bed_make(&b);
    same = open_cache(&b.cw, "disk/b", 3);
    other = open_cache(&b.cw, "xvdc", 3);
    CU_ASSERT_FATAL(same && other);
    CU_ASSERT_PTR_NULL(open_cache(&b.cw, "xvdd", 3));
    CU_ASSERT_EQUAL(b.b->nr_opens, 1);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT(reads(&b, same, 5, 5));
    CU_ASSERT_EQUAL(b.b->nr_reads, 1);
    CU_ASSERT(reads(&b, other, 5, 1005));
    CU_ASSERT_EQUAL(write_at(&b, other, 5, 50), DISK_OK);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    bed_end(&b);
}

static void device_is_closed_after_its_last_disk_and_read_anew(void)
{
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.one));
    CU_ASSERT_FALSE(caches_close(&b.cw.caches, b.one));
    CU_ASSERT_TRUE(b.b->is_open);
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.two));
    CU_ASSERT_FALSE(b.b->is_open);
    page_fill(b.b->pages[5], 55); /* somebody else has it meanwhile */
    b.one = open_cache(&b.cw, "xvdb", 1);
    CU_ASSERT(reads(&b, b.one, 5, 55));
    bed_end(&b);
}

static void device_that_is_waited_for_is_closed_later(void)
{
    struct call *c;
    struct bed b;

    bed_make(&b);
    c = begin_write(&b, 5, 50);
    CU_ASSERT_FALSE(batch_abandon(&c->batch));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.one));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.two));
    caches_tidy(&b.cw.caches);
    CU_ASSERT_TRUE(b.b->is_open);
    CU_ASSERT_FALSE(caches_are_idle(&b.cw.caches));
    b.one = open_cache(&b.cw, "xvdb", 1); /* in between it is taken up as it is */
    CU_ASSERT(reads(&b, b.one, 5, 5));
    CU_ASSERT_EQUAL(b.b->nr_opens, 1);
    CU_ASSERT_TRUE(caches_are_idle(&b.cw.caches));
    CU_ASSERT_TRUE(caches_close(&b.cw.caches, b.one));
    CU_ASSERT_FALSE(b.b->is_open);
    bed_end(&b);
}

/* Pools, members and accounts are used up by hundreds of devices, or are given back. */
static void hundreds_of_caches_come_and_go(void)
{
    struct bed b;

    bed_make(&b);
    for (unsigned n = 0; n < 3000; n++) {
        struct disk *d;

        b.cw.devices[1].backing.device = 0xcb00 + n;
        b.cw.devices[1].by_hand = true;
        d = open_cache(&b.cw, "xvdc", 3);
        CU_ASSERT_FATAL(d != NULL);
        CU_ASSERT(reads(&b, d, 5, 1005) && reads(&b, d, 5, 1005));
        CU_ASSERT_TRUE(caches_close(&b.cw.caches, d));
        while (engine_reclaim(b.cw.w.e, 64))
            continue;
    }
    CU_ASSERT_EQUAL(b.cw.devices[1].nr_reads, 3000);
    bed_end(&b);
}

static void next_daemon_begins_with_an_empty_pool(void)
{
    struct account_key key;
    uint32_t cursor = 0;
    account_nr account;
    struct store *left;
    struct bed b;

    bed_make(&b);
    CU_ASSERT(reads(&b, b.one, 5, 5));
    /* killed: nobody has said good-bye to the engine in what it leaves */
    left = step_copy_store(b.cw.w.store);
    caches_fini(&b.cw.caches);
    engine_destroy(b.cw.w.e);
    store_close(b.cw.w.store);
    b.cw.w.store = left;
    b.cw.w.e = engine_create(left, &b.cw.w.config);
    CU_ASSERT_FATAL(b.cw.w.e != NULL);
    CU_ASSERT_TRUE(engine_account_next(b.cw.w.e, &cursor, &account, &key));
    cursor = 0;
    caches_make(&b.cw);
    CU_ASSERT_FALSE(engine_account_next(b.cw.w.e, &cursor, &account, &key));
    page_fill(b.b->pages[5], 55);
    b.one = open_cache(&b.cw, "xvdb", 1);
    CU_ASSERT(reads(&b, b.one, 5, 55));
    bed_end(&b);
}

/* ---- among other disks ---- */

static struct disk *open_target(struct disks *t, struct target target, uint32_t domid)
{
    const struct disk_owner owner = {.domid = domid, .vdev = 51712};
    struct disk *disk;
    const char *why = NULL;

    if (disks_open(t, &target, &owner, &disk, &why))
        return disk;
    CU_ASSERT_PTR_NOT_NULL(why);
    return NULL;
}

static void table_of_disks_has_caches_too(void)
{
    const struct target swap = {.kind = TARGET_SWAP, .nr_pages = 7},
                        xvdb = {.kind = TARGET_CACHE, .device = "xvdb"},
                        none = {.kind = TARGET_CACHE, .device = "xvdz"};
    static struct cache_world cw;
    struct disks_config config;
    struct disk_ref ref = {.owner = {.vdev = 51712}};
    struct disks_found found;
    struct disk_info info;
    struct disks *t = NULL;
    struct disk *d;
    uint32_t cursor = 0;
    const char *why;

    cache_world_make(&cw, NR_FRAMES, 1);
    config = (struct disks_config){.engine = cw.w.e,
                                   .store = cw.w.store,
                                   .nr_workers = cw.w.config.nr_workers - 1,
                                   .caches = &cw.caches.config};
    CU_ASSERT_TRUE_FATAL(disks_create(&config, &t, &found, &why));
    disks_close(t, open_target(t, swap, 7), DISK_KEPT); /* and behind the cache from now on */
    d = open_target(t, xvdb, 7);
    CU_ASSERT(d && open_target(t, swap, 8) && !open_target(t, none, 9));
    CU_ASSERT_TRUE(disks_has(t, &xvdb, &(struct disk_owner){7, 51712}));
    CU_ASSERT(disks_next(t, &cursor, &info) && info.is_swap && !info.is_open);
    CU_ASSERT(disks_next(t, &cursor, &info) && info.is_swap && !info.is_cache);
    CU_ASSERT(disks_next(t, &cursor, &info) && info.is_cache && info.owner.domid == 7);
    CU_ASSERT_STRING_EQUAL(info.base, "xvdb");
    CU_ASSERT_EQUAL(info.nr_pages, FAKE_PAGES);
    CU_ASSERT_FALSE(disks_next(t, &cursor, &info));
    CU_ASSERT_FALSE(disks_next(t, &cursor, &info));
    ref.owner.domid = 7;
    CU_ASSERT_EQUAL(disks_resize(t, &ref, 2 * FAKE_PAGES), TMEMIF_BAD_KIND);
    CU_ASSERT_EQUAL(base_freeze(t, &ref, "frozen", 1), TMEMIF_BAD_KIND);
    CU_ASSERT_EQUAL(base_rollback(t, &ref), TMEMIF_BAD_KIND);
    CU_ASSERT_EQUAL(disks_remove(t, &ref), TMEMIF_BAD_KIND);
    ref.owner.domid = 8;
    CU_ASSERT_EQUAL(disks_resize(t, &ref, 8), TMEMIF_OK);
    disks_close(t, d, DISK_ENDED);
    CU_ASSERT_EQUAL(disks_remove(t, &(struct disk_ref){.owner = {7, 51712}}), TMEMIF_OK);
    CU_ASSERT_FALSE(cw.devices[0].is_open);
    disks_destroy(t);
    config.caches = NULL;
    CU_ASSERT_TRUE_FATAL(disks_create(&config, &t, &found, &why));
    CU_ASSERT_PTR_NULL(open_target(t, xvdb, 7));
    disks_destroy(t);
    cache_world_end(&cw);
}

#define TESTS(T)                                                                                   \
    T(one_read_serves_them_all)                                                                    \
    T(write_of_one_is_read_by_the_other)                                                           \
    T(device_sees_a_batch_as_a_whole)                                                              \
    T(what_concerns_one_page_happens_in_order)                                                     \
    T(pages_that_share_a_lock_go_together)                                                         \
    T(parts_of_pages_leave_the_rest)                                                               \
    T(pool_that_may_hold_nothing_costs_only_reads)                                                 \
    T(device_is_served_without_its_pool)                                                           \
    T(page_that_cannot_be_read_is_an_error_of_its_own)                                             \
    T(write_that_failed_leaves_what_the_device_has)                                                \
    T(flush_reaches_the_device_and_its_error_the_guest)                                            \
    T(discarded_pages_are_forgotten)                                                               \
    T(device_that_is_read_only_is_not_written_to)                                                  \
    T(write_that_has_not_begun_ends_with_its_guest)                                                \
    T(write_that_has_not_begun_can_be_taken_back)                                                  \
    T(write_does_not_begin_after_its_guest_has_gone)                                               \
    T(page_is_not_in_the_pool_while_it_is_written)                                                 \
    T(two_names_of_a_device_are_one_cache)                                                         \
    T(device_is_closed_after_its_last_disk_and_read_anew)                                          \
    T(device_that_is_waited_for_is_closed_later)                                                   \
    T(hundreds_of_caches_come_and_go)                                                              \
    T(next_daemon_begins_with_an_empty_pool)                                                       \
    T(table_of_disks_has_caches_too)
RUN_TESTS(TESTS)
