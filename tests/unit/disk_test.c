/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks over the engine: swap, bases, clones, freezing and rolling back. */
#include "tests/lib/runner.h"

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/control/policy.h"
#include "tests/unit/disk_world.h"

/* ---- swap ---- */

static void swap_disk_reads_what_was_written_and_zeros_elsewhere(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(1000), 7);

    WORLD_MUST(d != NULL);
    CU_ASSERT_EQUAL(disk_nr_pages(d), 1000);
    for (uint32_t n = 0; n < 1000; n += 3)
        CU_ASSERT_EQUAL(write_tag(d, n, n), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(d, 0, 77), DISK_OK);
    CU_ASSERT(has_tag(d, 0, 77));
    for (uint32_t n = 3; n < 1000; n++)
        CU_ASSERT(n % 3 == 0 ? has_tag(d, n, n) : has_word(d, n, 0));
    disk_world_end(&dw);
}

static void pages_beyond_the_end_are_refused(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(1000), 7);
    uint32_t done;

    CU_ASSERT_EQUAL(write_tag(d, 1000, 1), DISK_RANGE);
    CU_ASSERT_EQUAL(read_status(d, 1000), DISK_RANGE);
    CU_ASSERT_EQUAL(read_status(d, UINT32_MAX), DISK_RANGE);
    CU_ASSERT_EQUAL(disk_discard(d, 0, 999, 2, &done), DISK_RANGE);
    CU_ASSERT_EQUAL(disk_discard(d, 0, 2, UINT32_MAX, &done), DISK_RANGE);
    CU_ASSERT_EQUAL(disk_discard(d, 0, UINT32_MAX, 1, &done), DISK_RANGE);
    CU_ASSERT_EQUAL(discard(d, 999, 1), DISK_OK);
    disk_world_end(&dw);
}

static void discard_gives_the_memory_back_and_nothing_else(void)
{
    struct disk_world dw = disk_world_make(8192, 64);
    struct disk *d = open_disk(&dw, swap_of(5000), 7);
    uint64_t before = frames_used(&dw.w);
    struct disk_info info;

    for (uint32_t n = 0; n < 5000; n++)
        CU_ASSERT_EQUAL(write_tag(d, n, n), DISK_OK);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before + 5000);
    /* over ends of objects, from the middle of one to the middle of another */
    CU_ASSERT_EQUAL(discard(d, 100, 4000), DISK_OK);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before + 1000);
    for (uint32_t n = 0; n < 5000; n++)
        CU_ASSERT(n < 100 || n >= 4100 ? has_tag(d, n, n) : has_word(d, n, 0));
    CU_ASSERT(find_info(&dw, false, "", 7, &info));
    CU_ASSERT_EQUAL(info.own_pages, 1000);
    CU_ASSERT_EQUAL(discard(d, 0, 5000), DISK_OK);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before);
    disk_world_end(&dw);
}

static void pages_of_zeros_cost_nothing_and_of_one_word_no_frame(void)
{
    struct disk_world dw = disk_world_make(4096, 2048);
    struct disk *d = open_disk(&dw, swap_of(1000), 7);
    uint64_t before = frames_used(&dw.w);
    struct disk_info info;

    for (uint32_t n = 0; n < 1000; n++)
        CU_ASSERT_EQUAL(write_word(d, n, n % 2 ? 0x5a5a5a5a : 0), DISK_OK);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before);
    CU_ASSERT(find_info(&dw, false, "", 7, &info));
    CU_ASSERT_EQUAL(info.own_pages, 500);
    for (uint32_t n = 0; n < 1000; n++)
        CU_ASSERT(has_word(d, n, n % 2 ? 0x5a5a5a5a : 0));
    /* zeros over something are zeros */
    CU_ASSERT_EQUAL(write_tag(d, 1, 1), DISK_OK);
    CU_ASSERT_EQUAL(write_word(d, 1, 0), DISK_OK);
    CU_ASSERT(has_word(d, 1, 0));
    disk_world_end(&dw);
}

/* Fill the store with the pages of two disks; returns how many @d took. */
static uint32_t fill_up(struct disk *d)
{
    uint32_t n = 0;

    while (n < disk_nr_pages(d) && write_tag(d, n, n) == DISK_OK)
        n++;
    return n;
}

static void c06_refused_write_leaves_the_old_page_and_overwriting_always_works(void)
{
    struct disk_world dw = disk_world_make(512, 0);
    struct disk *d = open_disk(&dw, swap_of(2000), 7);
    uint32_t nr = fill_up(d);

    CU_ASSERT(nr > 400 && nr < 512);
    CU_ASSERT_EQUAL(write_tag(d, nr, nr), DISK_FULL);
    CU_ASSERT(has_word(d, nr, 0));
    for (unsigned round = 1; round < 4; round++) {
        for (uint32_t n = 0; n < nr; n++)
            CU_ASSERT_EQUAL(write_tag(d, n, n + 1000 * round), DISK_OK);
    }
    for (uint32_t n = 0; n < nr; n++)
        CU_ASSERT(has_tag(d, n, n + 3000));
    /* what is given back can be had again */
    CU_ASSERT_EQUAL(discard(d, 5, 1), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(d, nr, 5), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(d, 5, 5), DISK_FULL);
    CU_ASSERT(has_word(d, 5, 0));
    disk_world_end(&dw);
}

/* No frame at all: the spare ones, which another guest's put may hold, are taken, too. */
static void c06_overwrite_that_finds_no_frame_leaves_the_old_page(void)
{
    struct disk_world dw = disk_world_make(512, 0);
    struct disk *d = open_disk(&dw, swap_of(2000), 7);
    uint32_t nr = fill_up(d);
    page_nr pages[512];
    unsigned taken = 0;

    while ((pages[taken] = store_page_alloc(dw.w.store, DESC_FRAME)) != LAYOUT_NONE)
        taken++;
    for (uint32_t n = 0; n < nr; n++) {
        CU_ASSERT_EQUAL(write_tag(d, n, n + 1), DISK_FULL);
        CU_ASSERT(has_tag(d, n, n));
    }
    while (taken > 0)
        store_page_free(dw.w.store, pages[--taken]);
    CU_ASSERT_EQUAL(write_tag(d, 0, 5), DISK_OK);
    disk_world_end(&dw);
}

/* Pages of one word take no frame until they are written anew: that is like a first write then. */
static void pages_of_one_word_that_grow_leave_others_the_frames_to_overwrite(void)
{
    struct disk_world dw = disk_world_make(512, 1000);
    struct disk *greedy = open_disk(&dw, swap_of(2000), 7), *d = open_disk(&dw, swap_of(100), 8);
    uint32_t nr = 0;

    for (uint32_t n = 0; n < 100; n++)
        CU_ASSERT_EQUAL(write_tag(d, n, n), DISK_OK);
    for (uint32_t n = 0; n < 900; n++)
        CU_ASSERT_EQUAL(write_word(greedy, n, n + 1), DISK_OK);
    while (nr < 900 && write_tag(greedy, nr, nr) == DISK_OK)
        nr++;
    CU_ASSERT(nr > 300 && nr < 412);
    CU_ASSERT(has_word(greedy, nr, nr + 1));
    for (uint32_t n = 0; n < 100; n++)
        CU_ASSERT_EQUAL(write_tag(d, n, n + 1000), DISK_OK);
    for (uint32_t n = 0; n < 100; n++)
        CU_ASSERT(has_tag(d, n, n + 1000));
    for (uint32_t n = 0; n < nr; n++)
        CU_ASSERT_EQUAL(write_tag(greedy, n, n + 1000), DISK_OK);
    disk_world_end(&dw);
}

/*
 * Another guest has filled the store, reads as many pages as workers can and overwrites them
 * meanwhile, so that their frames stay: that is not the disk's trouble.
 */
static void overwriting_needs_nothing_that_readers_may_hold(void)
{
    enum { NR_WORKERS = 4, NR_READ = (NR_WORKERS - 1) * ENGINE_GETS_MOST };
    const struct account_key key = {.kind = ACCOUNT_DISK, .id = 7};
    const struct policy policy = {.quota_pages = 1000, .weight = 1};
    struct world w = world_make(256, 0, NR_WORKERS, 1);
    account_nr a = guest(&w, 1, 1000, 0), d;
    uint32_t kept = pool(&w, a, TMEMIF_POOL_PERSISTENT), blocks;
    struct engine_get gets[NR_READ];
    struct page_op op;
    const void *frame;
    uint32_t word, nr = 0;

    CU_ASSERT_EQUAL(engine_account_open(w.e, &key, &d), TMEMIF_OK);
    engine_account_set_policy(w.e, d, &policy);
    blocks = pool(&w, d, TMEMIF_POOL_PERSISTENT);
    CU_ASSERT_EQUAL(put(&w, d, blocks, 1, 0, 5), TMEMIF_OK);
    while (put(&w, a, kept, 1, nr, nr) == TMEMIF_OK)
        nr++;
    CU_ASSERT(nr >= NR_READ);
    for (uint32_t n = 0; n < NR_READ; n++) {
        op = op_of(a, kept, 1, n);
        op.worker = n / ENGINE_GETS_MOST;
        op.beside = n % ENGINE_GETS_MOST != 0;
        CU_ASSERT_EQUAL(engine_get_begin(w.e, &op, &gets[n], &frame, &word, NULL, NULL), TMEMIF_OK);
    }
    for (uint32_t n = 0; n < NR_READ; n++) {
        op = op_of(a, kept, 1, n);
        op.worker = NR_WORKERS - 1;
        CU_ASSERT_EQUAL(put_op(&w, &op, 99), TMEMIF_OK);
    }
    op = op_of(d, blocks, 1, 0);
    op.worker = NR_WORKERS - 1;
    op.firm = true;
    CU_ASSERT_EQUAL(put_op(&w, &op, 6), TMEMIF_OK);
    for (uint32_t n = 0; n < NR_READ; n++)
        engine_get_end(w.e, &gets[n], true);
    CU_ASSERT(is_sound(&w));
    world_end(&w);
}

static void disk_takes_the_frames_of_caches_but_no_guests_minimum(void)
{
    struct disk_world dw = disk_world_make(512, 0);
    struct policy policy = {.min_pages = 200, .max_pages = 1000, .weight = 1};
    account_nr a = guest(&dw.w, 1, 0, 0);
    uint32_t cached = pool(&dw.w, a, TMEMIF_POOL_INCLUSIVE);
    struct disk *d = open_disk(&dw, swap_of(2000), 7);
    unsigned kept = 0;
    uint32_t nr;

    engine_account_set_policy(dw.w.e, a, &policy);
    for (uint32_t n = 0; n < 500; n++)
        CU_ASSERT_EQUAL(put(&dw.w, a, cached, n, 0, n), TMEMIF_OK);
    nr = fill_up(d);
    CU_ASSERT(nr > 240 && nr <= 312);
    for (uint32_t n = 0; n < 500; n++)
        kept += get(&dw.w, a, cached, n, 0, n) == TMEMIF_OK;
    CU_ASSERT(kept >= 200);
    for (uint32_t n = 0; n < nr; n++)
        CU_ASSERT_EQUAL(write_tag(d, n, n + 9), DISK_OK);
    disk_world_end(&dw);
}

static void disks_of_guests_are_apart_and_their_policy_is_nobodys(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *a = open_disk(&dw, swap_of(100), 7), *b = open_disk(&dw, swap_of(100), 8);

    CU_ASSERT_EQUAL(write_tag(a, 1, 1), DISK_OK);
    CU_ASSERT(has_word(b, 1, 0));
    CU_ASSERT_PTR_NULL(open_disk(&dw, swap_of(100), 7)); /* open already */
    disks_close(dw.disks, a, DISK_ENDED);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(nr_listed(&dw), 1);
    a = open_disk(&dw, swap_of(100), 7);
    WORLD_MUST(a != NULL);
    CU_ASSERT(has_word(a, 1, 0)); /* nothing of the one before */
    disk_world_end(&dw);
}

static void what_the_operator_says_of_guests_says_nothing_of_disks(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct policy_book *book = policy_create(dw.w.e, &POLICY_DEFAULT);
    struct account_key some = guest_key(7), key;
    struct policy policy = {.quota_pages = 5};
    struct disk *d = open_disk(&dw, swap_of(100), 7);
    uint32_t cursor = 0;
    account_nr account;

    WORLD_MUST(book != NULL);
    CU_ASSERT_EQUAL(policy_set_guest(book, &some, POLICY_QUOTA, &policy), TMEMIF_OK);
    while (engine_account_next(dw.w.e, &cursor, &account, &key))
        policy_account_opened(book, account, &key);
    CU_ASSERT_EQUAL(write_tag(d, 1, 1), DISK_OK);
    policy_destroy(book);
    disk_world_end(&dw);
}

static void disk_that_is_kept_stays_until_its_attachment_has_ended(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(100), 7);
    uint64_t empty = frames_used(&dw.w) - 1; /* its entry */

    CU_ASSERT_EQUAL(write_tag(d, 1, 1), DISK_OK);
    disks_close(dw.disks, d, DISK_KEPT);
    d = open_disk(&dw, swap_of(100), 7);
    WORLD_MUST(d != NULL);
    CU_ASSERT(has_tag(d, 1, 1));
    forget_disk(&dw, 7); /* is open */
    CU_ASSERT(has_tag(d, 1, 1));
    disks_close(dw.disks, d, DISK_KEPT);
    forget_disk(&dw, 8);
    CU_ASSERT_EQUAL(nr_listed(&dw), 1);
    forget_disk(&dw, 7);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    CU_ASSERT_EQUAL(frames_used(&dw.w), empty);
    /* of another size: another disk */
    d = open_disk(&dw, swap_of(100), 7);
    CU_ASSERT_EQUAL(write_tag(d, 1, 1), DISK_OK);
    disks_close(dw.disks, d, DISK_KEPT);
    d = open_disk(&dw, swap_of(101), 7);
    WORLD_MUST(d != NULL);
    CU_ASSERT(has_word(d, 1, 0));
    disk_world_end(&dw);
}

/* ---- bases and clones ---- */

static void clones_share_a_base_and_own_what_they_write(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *a, *b;
    struct disk_info info;
    uint64_t before;

    make_base(&dw, "root", 200, 1000);
    before = frames_used(&dw.w);
    a = open_disk(&dw, clone_of("root", ""), 7);
    b = open_disk(&dw, clone_of("root", ""), 8);
    WORLD_MUST(a && b);
    CU_ASSERT_EQUAL(disk_nr_pages(a), 200);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before + 2); /* an entry each */
    for (uint32_t n = 0; n < 200; n++) {
        CU_ASSERT(n % 2 ? has_word(a, n, 0) : has_tag(a, n, 1000 + n));
        CU_ASSERT(n % 2 ? has_word(b, n, 0) : has_tag(b, n, 1000 + n));
    }
    CU_ASSERT_EQUAL(write_tag(a, 4, 1), DISK_OK);
    CU_ASSERT_EQUAL(write_word(a, 6, 0), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(b, 5, 2), DISK_OK);
    CU_ASSERT(has_tag(a, 4, 1) && has_word(a, 6, 0) && has_word(a, 5, 0));
    CU_ASSERT(has_tag(b, 4, 1004) && has_tag(b, 6, 1006) && has_tag(b, 5, 2));
    CU_ASSERT(find_info(&dw, false, "", 7, &info));
    CU_ASSERT_EQUAL(info.own_pages, 2);
    CU_ASSERT_STRING_EQUAL(info.base, "root");
    CU_ASSERT(find_info(&dw, true, "root", 0, &info));
    CU_ASSERT_EQUAL(info.own_pages, 100);
    CU_ASSERT_EQUAL(info.nr_above, 2);
    disk_world_end(&dw);
}

static void discard_over_a_base_reads_as_zeros(void)
{
    struct disk_world dw = disk_world_make(4096, 2048);
    struct disk *a;
    struct disk_info info;

    make_base(&dw, "root", 400, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(write_tag(a, 10, 1), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(a, 11, 1), DISK_OK);
    CU_ASSERT_EQUAL(discard(a, 5, 300), DISK_OK);
    for (uint32_t n = 0; n < 400; n++)
        CU_ASSERT(n % 2 || (n >= 5 && n < 305) ? has_word(a, n, 0) : has_tag(a, n, 1000 + n));
    CU_ASSERT(find_info(&dw, false, "", 7, &info));
    CU_ASSERT_EQUAL(info.own_pages, 150); /* none where the base has nothing */
    disk_world_end(&dw);
}

static void base_goes_only_when_nothing_lies_on_it(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    uint64_t before = frames_used(&dw.w);
    struct disk *a;

    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("root", ""), 7));
    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(base_remove(dw.disks, "root"), TMEMIF_BUSY);
    CU_ASSERT_EQUAL(base_remove(dw.disks, "rot"), TMEMIF_NOT_FOUND);
    disks_close(dw.disks, a, DISK_ENDED);
    CU_ASSERT_EQUAL(base_remove(dw.disks, "root"), TMEMIF_OK);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before);
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    disk_world_end(&dw);
}

static void import_that_is_not_ended_is_no_base_and_goes_with_its_client(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    uint64_t buffer[2 * DISK_PAGE_SIZE / sizeof(uint64_t)] = {1};
    uint64_t before = frames_used(&dw.w);
    int one, other;

    CU_ASSERT_EQUAL(base_import_begin(dw.disks, "a", 1, &one), TMEMIF_OK);
    CU_ASSERT_EQUAL(base_import_begin(dw.disks, "a", 2, &other), TMEMIF_BUSY);
    CU_ASSERT_EQUAL(base_import_begin(dw.disks, "b", 2, &other), TMEMIF_OK);
    CU_ASSERT_EQUAL(base_import_write(dw.disks, 1, 98, 2, buffer), TMEMIF_OK);
    CU_ASSERT_EQUAL(base_import_write(dw.disks, 1, UINT32_MAX, 2, buffer), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 1, 99), TMEMIF_BAD_REQUEST); /* page 99 is there */
    CU_ASSERT_EQUAL(base_import_write(dw.disks, 3, 0, 2, buffer), TMEMIF_NOT_FOUND);
    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("a", ""), 7));
    CU_ASSERT_EQUAL(base_remove(dw.disks, "a"), TMEMIF_BUSY);
    base_import_drop(dw.disks, &one);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 1, 100), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 2, 100), TMEMIF_OK);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 2, 100), TMEMIF_OK); /* the same message again */
    CU_ASSERT_EQUAL(base_import_write(dw.disks, 2, 0, 1, buffer), TMEMIF_NOT_FOUND);
    base_import_drop(dw.disks, &other);
    CU_ASSERT_EQUAL(base_remove(dw.disks, "b"), TMEMIF_OK);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before);
    disk_world_end(&dw);
}

static void kept_clone_is_there_again_for_the_next_guest(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("home", 0);
    struct disk *a;

    make_base(&dw, "root", 200, 1000);
    make_base(&dw, "other", 200, 5000);
    a = open_disk(&dw, clone_of("root", "home"), 7);
    CU_ASSERT_EQUAL(write_tag(a, 3, 3), DISK_OK);
    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("root", "home"), 8)); /* in use */
    CU_ASSERT_EQUAL(disks_remove(dw.disks, &ref), TMEMIF_BUSY);
    disks_close(dw.disks, a, DISK_ENDED);
    forget_disk(&dw, 7);
    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("other", "home"), 8));
    a = open_disk(&dw, clone_of("root", "home"), 8);
    WORLD_MUST(a != NULL);
    CU_ASSERT(has_tag(a, 3, 3) && has_tag(a, 2, 1002));
    disks_close(dw.disks, a, DISK_KEPT);
    CU_ASSERT_EQUAL(disks_remove(dw.disks, &ref), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_remove(dw.disks, &ref), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "home", "root"), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "home", "root"), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "home", "other"), TMEMIF_BUSY);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "away", "rot"), TMEMIF_NOT_FOUND);
    a = open_disk(&dw, clone_of("root", "home"), 8);
    WORLD_MUST(a != NULL);
    CU_ASSERT(has_word(a, 3, 0));
    disk_world_end(&dw);
}

/* ---- freeze and rollback ---- */

static void frozen_state_is_a_base_and_the_disk_goes_on(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("", 7);
    struct disk *a, *b;
    struct disk_info info;
    uint64_t before;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(write_tag(a, 3, 3), DISK_OK);
    CU_ASSERT_EQUAL(write_word(a, 4, 0), DISK_OK);
    before = frames_used(&dw.w);
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "root", 9), TMEMIF_BUSY);
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "then", 9), TMEMIF_OK);
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "then", 9), TMEMIF_OK); /* the same message */
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "then", 10), TMEMIF_BUSY);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before + 1); /* no page has moved */
    CU_ASSERT(has_tag(a, 3, 3) && has_word(a, 4, 0) && has_tag(a, 6, 1006));
    CU_ASSERT_EQUAL(write_tag(a, 3, 33), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(a, 8, 8), DISK_OK);
    b = open_disk(&dw, clone_of("then", ""), 8);
    WORLD_MUST(b != NULL);
    CU_ASSERT(has_tag(b, 3, 3) && has_word(b, 4, 0) && has_tag(b, 6, 1006) && has_tag(b, 8, 1008));
    CU_ASSERT(has_tag(a, 3, 33) && has_tag(a, 8, 8));
    CU_ASSERT_EQUAL(base_remove(dw.disks, "root"), TMEMIF_BUSY);
    CU_ASSERT(find_info(&dw, true, "then", 0, &info));
    CU_ASSERT_EQUAL(info.nr_above, 2);
    CU_ASSERT_STRING_EQUAL(info.base, "root");
    disk_world_end(&dw);
}

static void rollback_restores_what_lies_below(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("", 7), nobody = ref_of("", 8);
    struct disk *a;
    uint64_t before;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(write_tag(a, 3, 3), DISK_OK);
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "then", 9), TMEMIF_OK);
    before = frames_used(&dw.w);
    for (uint32_t n = 0; n < 200; n++)
        CU_ASSERT_EQUAL(write_tag(a, n, n), DISK_OK);
    CU_ASSERT_EQUAL(base_rollback(dw.disks, &nobody), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before);
    for (uint32_t n = 0; n < 200; n++) {
        if (n == 3)
            CU_ASSERT(has_tag(a, n, 3));
        if (n != 3)
            CU_ASSERT(n % 2 ? has_word(a, n, 0) : has_tag(a, n, 1000 + n));
    }
    disk_world_end(&dw);
}

static void disk_becomes_larger_while_it_is_used(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(100), 7);
    struct disk_ref ref = ref_of("", 7), other = ref_of("", 8);
    struct disk_info info;

    CU_ASSERT_EQUAL(write_tag(d, 99, 1), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(d, 100, 2), DISK_RANGE);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &other, 300), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK);
    CU_ASSERT_EQUAL(disk_nr_pages(d), 300);
    CU_ASSERT(find_info(&dw, false, "", 7, &info) && info.nr_pages == 300);
    CU_ASSERT(has_tag(d, 99, 1) && has_word(d, 100, 0) && has_word(d, 299, 0));
    CU_ASSERT_EQUAL(write_tag(d, 299, 3), DISK_OK);
    CU_ASSERT(has_tag(d, 299, 3));
    CU_ASSERT_EQUAL(discard(d, 250, 50), DISK_OK);
    CU_ASSERT(has_word(d, 299, 0));
    CU_ASSERT_EQUAL(read_status(d, 300), DISK_RANGE);
    /* the same again changes nothing, and nothing is cut off */
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 299), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(disk_nr_pages(d), 300);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, UINT32_MAX), TMEMIF_OK);
    CU_ASSERT_EQUAL(write_tag(d, UINT32_MAX - 1, 4), DISK_OK);
    CU_ASSERT(has_tag(d, UINT32_MAX - 1, 4) && has_tag(d, 99, 1));
    disk_world_end(&dw);
}

/* Its target says the size it was made with; that of its present one means no other disk. */
static void disk_that_became_larger_is_what_its_target_says(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(100), 7);
    struct disk_ref ref = ref_of("", 7);

    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK);
    CU_ASSERT_EQUAL(write_tag(d, 299, 1), DISK_OK);
    for (unsigned n = 0; n < 3; n++) {
        /* by the size that it was made with, has, or had in between */
        static const uint32_t sizes[] = {100, 300, 200};

        disks_close(dw.disks, d, DISK_KEPT);
        d = open_disk(&dw, swap_of(sizes[n]), 7);
        WORLD_MUST(d != NULL);
        CU_ASSERT_EQUAL(disk_nr_pages(d), 300);
        CU_ASSERT(d->resized);
        CU_ASSERT(has_tag(d, 299, 1));
    }
    for (unsigned n = 0; n < 2; n++) {
        disks_close(dw.disks, d, DISK_KEPT);
        d = open_disk(&dw, swap_of(n == 0 ? 301 : 300), 7);
        WORLD_MUST(d != NULL);
        CU_ASSERT_EQUAL(disk_nr_pages(d), 301 - n);
        CU_ASSERT_FALSE(d->resized);
        CU_ASSERT(has_word(d, 299, 0));
    }
    CU_ASSERT_EQUAL(nr_listed(&dw), 1);
    disk_world_end(&dw);
}

static void clone_that_became_larger_than_its_base_has_zeros_there(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("home", 0);
    struct disk_info info;
    struct disk *d, *then;

    make_base(&dw, "root", 100, 1000);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "home", "root"), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK); /* nobody has it */
    d = open_disk(&dw, clone_of("root", "home"), 7);
    WORLD_MUST(d && disk_nr_pages(d) == 300);
    CU_ASSERT(has_tag(d, 98, 1098) && has_word(d, 99, 0) && has_word(d, 299, 0));
    CU_ASSERT_EQUAL(write_part(d, 0, 299, 512, 1024, 0), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(d, 299, 1), DISK_OK);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "home", "root"), TMEMIF_OK); /* it is there */
    /* a frozen state is as large as the disk was */
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "then", 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 400), TMEMIF_OK);
    CU_ASSERT_EQUAL(write_tag(d, 399, 2), DISK_OK);
    then = open_disk(&dw, clone_of("then", ""), 8);
    WORLD_MUST(then && disk_nr_pages(then) == 300);
    CU_ASSERT_FALSE(then->resized);
    CU_ASSERT(has_tag(then, 299, 1) && has_tag(then, 98, 1098));
    /* what is rolled back has what lies below, and keeps the size that the guest knows */
    CU_ASSERT_EQUAL(write_tag(d, 299, 3), DISK_OK);
    CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
    CU_ASSERT_EQUAL(disk_nr_pages(d), 400);
    CU_ASSERT(has_tag(d, 299, 1) && has_word(d, 399, 0));
    CU_ASSERT(find_info(&dw, true, "root", 0, &info) && info.nr_pages == 100);
    CU_ASSERT(find_info(&dw, true, "then", 0, &info) && info.nr_pages == 300);
    CU_ASSERT(find_info(&dw, false, "home", 0, &info) && info.nr_pages == 400);
    disk_world_end(&dw);
}

static void take_news(void *arg, const struct disk_owner *user)
{
    uint32_t *domid = arg;

    *domid = user->domid;
}

static void who_serves_a_disk_is_told_that_it_is_larger(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(100), 7);
    struct disk_ref ref = ref_of("", 7);
    uint32_t domid = 0;

    disks_tell(dw.disks, take_news, &domid);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 50), TMEMIF_BAD_REQUEST);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 100), TMEMIF_OK);
    CU_ASSERT_EQUAL(domid, 0);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 200), TMEMIF_OK);
    CU_ASSERT_EQUAL(domid, 7);
    domid = 0;
    disks_close(dw.disks, d, DISK_KEPT);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK); /* there is nobody to tell */
    CU_ASSERT_EQUAL(domid, 0);
    disk_world_end(&dw);
}

static void disk_of_too_many_layers_is_not_frozen(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("", 7);
    struct disk *a;
    char name[8];
    unsigned n = 0;

    make_base(&dw, "root", 20, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    for (;; n++) {
        snprintf(name, sizeof(name), "b%u", n);
        if (base_freeze(dw.disks, &ref, name, n + 1) != TMEMIF_OK)
            break;
        CU_ASSERT_EQUAL(write_tag(a, n % 20, n), DISK_OK);
    }
    CU_ASSERT_EQUAL(n, 30);
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "more", 999), TMEMIF_TOO_MANY);
    CU_ASSERT(has_tag(a, 9, 29) && has_tag(a, 10, 10) && has_tag(a, 19, 19));
    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("more", ""), 8));
    CU_ASSERT_PTR_NOT_NULL(open_disk(&dw, clone_of("b29", ""), 8));
    disk_world_end(&dw);
}

static void there_are_as_many_disks_as_accounts_and_then_a_reason(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct target target = swap_of(10);
    struct disk_owner owner = {.domid = 1};
    struct disk *d;
    const char *why = NULL;
    unsigned nr = 0;

    while (disks_open(dw.disks, &target, &owner, &d, &why)) {
        owner.domid++;
        nr++;
    }
    CU_ASSERT_EQUAL(nr, LAYOUT_MAX_ACCOUNTS - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "as many disks"));
    CU_ASSERT_EQUAL(nr_listed(&dw), nr);
    disk_world_end(&dw);
}

/* ---- beside workers ---- */

#define RACE_PAGES  64u /* of each writer */
#define RACE_ROUNDS 16u
#define RACE_BASES  16u

struct writer {
    pthread_t thread;
    struct disk *disk;
    unsigned worker;
    _Atomic uint64_t acknowledged[RACE_PAGES]; /* the last tag of each page */
    _Atomic bool stop;
    bool failed;
};

static uint32_t page_of(const struct writer *w, uint32_t n)
{
    return n * 2 + w->worker;
}

/* Writes ever higher tags to its own pages, and finds each of them. */
static void *write_on(void *arg)
{
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)] = {0};
    struct writer *w = arg;

    for (uint64_t tag = 1; !atomic_load(&w->stop); tag++) {
        uint32_t n = (uint32_t)(tag % RACE_PAGES);

        buffer[0] = tag;
        w->failed |= disk_write(w->disk, w->worker, page_of(w, n), buffer) != DISK_OK;
        atomic_store(&w->acknowledged[n], tag);
        buffer[0] = 0;
        w->failed |= disk_read(w->disk, w->worker, page_of(w, n), buffer) != DISK_OK;
        w->failed |= buffer[0] != tag;
    }
    return NULL;
}

static void writers_start(struct writer writers[2], struct disk *d)
{
    for (unsigned i = 0; i < 2; i++) {
        writers[i] = (struct writer){.disk = d, .worker = i};
        WORLD_MUST(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]) == 0);
    }
}

static void writers_stop(struct writer writers[2])
{
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&writers[i].stop, true);
        pthread_join(writers[i].thread, NULL);
    }
}

/* The tag in a page, by the control thread; 0: it was never written. */
static uint64_t tag_in(struct disk *d, uint32_t page)
{
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)];

    return disk_read(d, 2, page, buffer) == DISK_OK ? buffer[0] : UINT64_MAX;
}

/* Freeze while writers write: no acknowledged write is missing, and the base stands still. */
static void freeze_in_a_race(struct disk_world *dw, struct writer writers[2], const char *name)
{
    struct disk_ref ref = ref_of("", 7);
    uint64_t before[2][RACE_PAGES], then[2][RACE_PAGES];
    struct disk *frozen;

    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t n = 0; n < RACE_PAGES; n++)
            before[i][n] = atomic_load(&writers[i].acknowledged[n]);
    }
    CU_ASSERT_EQUAL(base_freeze(dw->disks, &ref, name, 1), TMEMIF_OK);
    frozen = open_disk(dw, clone_of(name, ""), 8);
    WORLD_MUST(frozen != NULL);
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t n = 0; n < RACE_PAGES; n++) {
            then[i][n] = tag_in(frozen, page_of(&writers[i], n));
            CU_ASSERT(then[i][n] >= before[i][n] && then[i][n] != UINT64_MAX);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t n = 0; n < RACE_PAGES; n++)
            CU_ASSERT_EQUAL(tag_in(frozen, page_of(&writers[i], n)), then[i][n]);
    }
    disks_close(dw->disks, frozen, DISK_ENDED);
}

/* @d holds what they wrote last. */
static void check_writers(struct disk *d, const struct writer *writers)
{
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT(!writers[i].failed);
        for (uint32_t n = 0; n < RACE_PAGES; n++)
            CU_ASSERT_EQUAL(tag_in(d, page_of(&writers[i], n)), writers[i].acknowledged[n]);
    }
}

static void freeze_loses_no_acknowledged_write_and_the_base_stands_still(void)
{
    struct disk_world dw = disk_world_make(16384, 64);
    struct writer *writers = calloc(2, sizeof(*writers));
    char name[RACE_BASES][8];

    WORLD_MUST(writers != NULL);
    for (unsigned round = 0; round < RACE_ROUNDS; round++) {
        struct disk *d = open_disk(&dw, swap_of(RACE_PAGES * 2), 7);

        writers_start(writers, d);
        for (unsigned n = 0; n < RACE_BASES; n++) {
            snprintf(name[n], sizeof(name[n]), "b%u", n);
            freeze_in_a_race(&dw, writers, name[n]);
        }
        writers_stop(writers);
        check_writers(d, writers);
        disks_close(dw.disks, d, DISK_ENDED);
        for (unsigned n = RACE_BASES; n-- > 0;)
            CU_ASSERT_EQUAL(base_remove(dw.disks, name[n]), TMEMIF_OK);
        reclaim_all(&dw.w);
    }
    free(writers);
    disk_world_end(&dw);
}

static void disk_becomes_larger_under_writers(void)
{
    struct disk_world dw = disk_world_make(16384, 64);
    struct writer *writers = calloc(2, sizeof(*writers));
    struct disk *d = open_disk(&dw, swap_of(RACE_PAGES * 2), 7);
    struct disk_ref ref = ref_of("", 7);
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)] = {77};

    WORLD_MUST(writers != NULL && d != NULL);
    writers_start(writers, d);
    for (uint32_t nr = RACE_PAGES * 2 + 1; nr < RACE_PAGES * 2 + 500; nr++) {
        CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, nr), TMEMIF_OK);
        CU_ASSERT_EQUAL(disk_write(d, 2, nr - 1, buffer), DISK_OK);
        CU_ASSERT_EQUAL(disk_write(d, 2, nr, buffer), DISK_RANGE);
    }
    writers_stop(writers);
    check_writers(d, writers);
    for (uint32_t n = RACE_PAGES * 2; n < RACE_PAGES * 2 + 499; n++)
        CU_ASSERT_EQUAL(tag_in(d, n), 77);
    free(writers);
    disk_world_end(&dw);
}

static void rollback_under_writers_leaves_no_page_of_before(void)
{
    struct disk_world dw = disk_world_make(16384, 64);
    struct writer *writers = calloc(2, sizeof(*writers));
    struct disk *d = open_disk(&dw, swap_of(RACE_PAGES * 2), 7);
    struct disk_ref ref = ref_of("", 7);
    uint64_t before[2][RACE_PAGES];

    WORLD_MUST(writers != NULL);
    writers_start(writers, d);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 2; i++) {
            for (uint32_t n = 0; n < RACE_PAGES; n++)
                before[i][n] = atomic_load(&writers[i].acknowledged[n]);
        }
        CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
        for (unsigned i = 0; i < 2; i++) {
            for (uint32_t n = 0; n < RACE_PAGES; n++) {
                uint64_t tag = tag_in(d, page_of(&writers[i], n));

                CU_ASSERT(tag == 0 || tag > before[i][n] || before[i][n] == 0);
            }
        }
        reclaim_all(&dw.w);
    }
    writers_stop(writers);
    free(writers);
    disk_world_end(&dw);
}

/* ---- parts of pages ---- */

#define PART_ROUNDS 20000u

/* Counts in its own sector of one page. */
static void *count_in_a_part(void *arg)
{
    struct writer *w = arg;
    uint16_t first = (uint16_t)(512 * (w->worker + 1));
    uint8_t buffer[DISK_PAGE_SIZE];

    for (unsigned n = 1; n <= PART_ROUNDS; n++) {
        w->failed |=
            write_part(w->disk, w->worker, 3, first, (uint16_t)(first + 512), (int)n % 251);
        w->failed |= disk_read(w->disk, w->worker, 3, buffer) != DISK_OK;
        w->failed |= buffer[first] != n % 251 || buffer[first + 511] != n % 251;
    }
    return NULL;
}

static void parts_of_a_page_by_two_workers_are_both_there(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct writer writers[2];
    struct disk *d = open_disk(&dw, swap_of(20), 7);
    uint8_t buffer[DISK_PAGE_SIZE];

    CU_ASSERT_EQUAL(write_word(d, 3, 0x77777777), DISK_OK);
    for (unsigned i = 0; i < 2; i++) {
        writers[i] = (struct writer){.disk = d, .worker = i};
        WORLD_MUST(pthread_create(&writers[i].thread, NULL, count_in_a_part, &writers[i]) == 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(writers[i].thread, NULL);
        CU_ASSERT_FALSE(writers[i].failed);
    }
    CU_ASSERT_EQUAL(disk_read(d, 0, 3, buffer), DISK_OK);
    CU_ASSERT(buffer[511] == 0x77 && buffer[512 * 3] == 0x77 && buffer[4095] == 0x77);
    disk_world_end(&dw);
}

#define TESTS(T)                                                                                   \
    T(swap_disk_reads_what_was_written_and_zeros_elsewhere)                                        \
    T(parts_of_a_page_by_two_workers_are_both_there)                                               \
    T(pages_beyond_the_end_are_refused)                                                            \
    T(discard_gives_the_memory_back_and_nothing_else)                                              \
    T(pages_of_zeros_cost_nothing_and_of_one_word_no_frame)                                        \
    T(c06_refused_write_leaves_the_old_page_and_overwriting_always_works)                          \
    T(c06_overwrite_that_finds_no_frame_leaves_the_old_page)                                       \
    T(pages_of_one_word_that_grow_leave_others_the_frames_to_overwrite)                            \
    T(overwriting_needs_nothing_that_readers_may_hold)                                             \
    T(disk_takes_the_frames_of_caches_but_no_guests_minimum)                                       \
    T(disks_of_guests_are_apart_and_their_policy_is_nobodys)                                       \
    T(what_the_operator_says_of_guests_says_nothing_of_disks)                                      \
    T(disk_that_is_kept_stays_until_its_attachment_has_ended)                                      \
    T(clones_share_a_base_and_own_what_they_write)                                                 \
    T(discard_over_a_base_reads_as_zeros)                                                          \
    T(base_goes_only_when_nothing_lies_on_it)                                                      \
    T(import_that_is_not_ended_is_no_base_and_goes_with_its_client)                                \
    T(kept_clone_is_there_again_for_the_next_guest)                                                \
    T(frozen_state_is_a_base_and_the_disk_goes_on)                                                 \
    T(rollback_restores_what_lies_below)                                                           \
    T(disk_becomes_larger_while_it_is_used)                                                        \
    T(disk_that_became_larger_is_what_its_target_says)                                             \
    T(clone_that_became_larger_than_its_base_has_zeros_there)                                      \
    T(who_serves_a_disk_is_told_that_it_is_larger)                                                 \
    T(disk_of_too_many_layers_is_not_frozen)                                                       \
    T(there_are_as_many_disks_as_accounts_and_then_a_reason)                                       \
    T(freeze_loses_no_acknowledged_write_and_the_base_stands_still)                                \
    T(disk_becomes_larger_under_writers)                                                           \
    T(rollback_under_writers_leaves_no_page_of_before)
RUN_TESTS(TESTS)
