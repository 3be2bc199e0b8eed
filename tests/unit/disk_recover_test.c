/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What another daemon finds of disks: after a kill at any instruction, and after damage. */
#include "tests/lib/runner.h"

#include "daemon/blk/catalogue.h"
#include "tests/lib/random.h"
#include "tests/unit/disk_world.h"

static void swap_disk_is_found_again_with_what_it_held(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d = open_disk(&dw, swap_of(1000), 7);
    struct disk_info info;

    for (uint32_t n = 0; n < 1000; n += 3)
        CU_ASSERT_EQUAL(write_tag(d, n, n), DISK_OK);
    disk_world_restart(&dw);
    CU_ASSERT_EQUAL(dw.found.disks, 1);
    CU_ASSERT_EQUAL(dw.found.undone + dw.found.lost, 0);
    CU_ASSERT(find_info(&dw, false, "", 7, &info));
    CU_ASSERT(!info.is_open);
    d = open_disk(&dw, swap_of(1000), 7);
    WORLD_MUST(d != NULL);
    for (uint32_t n = 0; n < 1000; n++)
        CU_ASSERT(n % 3 == 0 ? has_tag(d, n, n) : has_word(d, n, 0));
    for (uint32_t n = 0; n < 1000; n++)
        CU_ASSERT_EQUAL(write_tag(d, n, n), DISK_OK); /* its quota is known again */
    disk_world_restart(&dw);
    forget_disk(&dw, 7);
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    disk_world_end(&dw);
}

static void disk_that_became_larger_is_found_again_so(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    const struct disk_owner owner = {.domid = 7, .vdev = 51712};
    const struct target target = swap_of(100), between = swap_of(200), other = swap_of(301);
    struct disk_ref ref = ref_of("", 7);
    struct disk *d = open_disk(&dw, target, 7);

    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK);
    CU_ASSERT_EQUAL(write_tag(d, 299, 1), DISK_OK);
    for (unsigned n = 0; n < 2; n++) {
        disk_world_restart(&dw);
        CU_ASSERT_EQUAL(dw.found.undone + dw.found.lost, 0);
        CU_ASSERT(disks_has(dw.disks, &target, &owner));
        CU_ASSERT(disks_has(dw.disks, &between, &owner));
        CU_ASSERT_FALSE(disks_has(dw.disks, &other, &owner));
        d = open_disk(&dw, target, 7);
        WORLD_MUST(d && disk_nr_pages(d) == 300);
        CU_ASSERT(d->resized);
        CU_ASSERT(has_tag(d, 299, 1));
        CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
        CU_ASSERT_EQUAL(write_tag(d, 299, 1), DISK_OK);
    }
    disk_world_end(&dw);
}

static void bases_clones_and_what_lies_on_what_are_found_again(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("home", 0);
    struct disk *a, *b, *c;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", "home"), 7);
    CU_ASSERT_EQUAL(write_tag(a, 3, 3), DISK_OK);
    CU_ASSERT_EQUAL(write_word(a, 4, 0), DISK_OK);
    CU_ASSERT_EQUAL(base_freeze(dw.disks, &ref, "then", 1), TMEMIF_OK);
    CU_ASSERT_EQUAL(write_tag(a, 3, 33), DISK_OK);
    b = open_disk(&dw, clone_of("then", ""), 8);
    CU_ASSERT_EQUAL(write_tag(b, 5, 5), DISK_OK);
    for (unsigned n = 0; n < 3; n++) {
        disk_world_restart(&dw);
        CU_ASSERT_EQUAL(dw.found.disks, 2);
        CU_ASSERT_EQUAL(dw.found.bases, 2);
        CU_ASSERT_EQUAL(dw.found.undone + dw.found.lost, 0);
    }
    a = open_disk(&dw, clone_of("root", "home"), 7);
    b = open_disk(&dw, clone_of("then", ""), 8);
    c = open_disk(&dw, clone_of("then", ""), 9);
    WORLD_MUST(a && b && c);
    CU_ASSERT(has_tag(a, 3, 33) && has_word(a, 4, 0) && has_word(a, 5, 0) && has_tag(a, 6, 1006));
    CU_ASSERT(has_tag(b, 3, 3) && has_word(b, 4, 0) && has_tag(b, 5, 5) && has_tag(b, 6, 1006));
    CU_ASSERT(has_tag(c, 3, 3) && has_word(c, 4, 0) && has_word(c, 5, 0) && has_tag(c, 6, 1006));
    CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
    CU_ASSERT(has_tag(a, 3, 3));
    CU_ASSERT_EQUAL(base_remove(dw.disks, "root"), TMEMIF_BUSY);
    CU_ASSERT_EQUAL(base_remove(dw.disks, "then"), TMEMIF_BUSY);
    disk_world_end(&dw);
}

static void import_that_a_restart_cut_off_leaves_nothing(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    uint64_t buffer[DISK_PAGE_SIZE / sizeof(uint64_t)] = {1};
    uint64_t before = frames_used(&dw.w);

    CU_ASSERT_EQUAL(base_import_begin(dw.disks, "a", 1, &dw), TMEMIF_OK);
    for (uint32_t n = 0; n < 50; n++)
        CU_ASSERT_EQUAL(base_import_write(dw.disks, 1, n, 1, buffer), TMEMIF_OK);
    disk_world_restart(&dw);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 1, 100), TMEMIF_NOT_FOUND);
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    CU_ASSERT_EQUAL(frames_used(&dw.w), before);
    CU_ASSERT_EQUAL(base_import_begin(dw.disks, "a", 1, &dw), TMEMIF_OK);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 1, 100), TMEMIF_OK);
    disk_world_restart(&dw);
    CU_ASSERT_EQUAL(base_import_end(dw.disks, 1, 100), TMEMIF_OK); /* had been done */
    disk_world_end(&dw);
}

/* ---- damage ---- */

/* The live frame whose page begins with what page_fill() makes of @tag. */
static page_nr frame_of_tag(struct disk_world *dw, uint64_t tag)
{
    uint64_t words[DISK_PAGE_SIZE / sizeof(uint64_t)];
    page_nr page = store_next_live(dw->w.store, 0);

    page_fill(words, tag);
    while (page != LAYOUT_NONE && (store_desc(dw->w.store, page)->kind != DESC_FRAME ||
                                   *(uint64_t *)store_frame(dw->w.store, page) != words[0]))
        page = store_next_live(dw->w.store, page + 1);
    WORLD_MUST(page != LAYOUT_NONE);
    return page;
}

static void damaged_page_is_an_error_until_it_is_written_anew(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *a;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(write_tag(a, 4, 4), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(a, 6, 6), DISK_OK);
    *(uint8_t *)store_frame(dw.w.store, frame_of_tag(&dw, 4)) ^= 1;
    *(uint8_t *)store_frame(dw.w.store, frame_of_tag(&dw, 1008)) ^= 1;
    for (unsigned n = 0; n < 2; n++) {
        disk_world_restart(&dw);
        a = open_disk(&dw, clone_of("root", ""), 7);
        for (unsigned again = 0; again < 3; again++) {
            CU_ASSERT_EQUAL(read_status(a, 4), DISK_DAMAGED); /* and not the base's page */
            CU_ASSERT_EQUAL(read_status(a, 8), DISK_DAMAGED);
            CU_ASSERT(has_tag(a, 6, 6) && has_tag(a, 10, 1010));
            /* a part cannot be put among bytes that are lost */
            CU_ASSERT_EQUAL(write_part(a, 0, 8, 512, 1024, 1), DISK_DAMAGED);
        }
    }
    CU_ASSERT_EQUAL(engine_nr_damaged(dw.w.e), 9);
    CU_ASSERT_EQUAL(write_tag(a, 4, 44), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(a, 8, 88), DISK_OK);
    CU_ASSERT(has_tag(a, 4, 44) && has_tag(a, 8, 88));
    disk_world_restart(&dw);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT(has_tag(a, 4, 44) && has_tag(a, 8, 88));
    disk_world_end(&dw);
}

static void page_lost_with_its_descriptor_does_not_show_what_lies_below(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("", 7);
    struct disk_info info;
    struct disk *a, *b;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    b = open_disk(&dw, clone_of("root", ""), 8);
    CU_ASSERT_EQUAL(write_tag(a, 4, 4), DISK_OK);
    CU_ASSERT_EQUAL(write_tag(a, 6, 6), DISK_OK);
    store_desc(dw.w.store, frame_of_tag(&dw, 4))->index ^= 1u << 20;
    for (unsigned n = 0; n < 2; n++) {
        disk_world_restart(&dw);
        CU_ASSERT_EQUAL(dw.found.lost, 1);
        a = open_disk(&dw, clone_of("root", ""), 7);
        b = open_disk(&dw, clone_of("root", ""), 8);
        CU_ASSERT(find_info(&dw, false, "", 7, &info));
        CU_ASSERT(info.is_suspect && !info.is_lost);
        CU_ASSERT_EQUAL(read_status(a, 4), DISK_DAMAGED);
        CU_ASSERT_EQUAL(read_status(a, 8), DISK_DAMAGED); /* nobody knows which it was */
        CU_ASSERT(has_tag(a, 6, 6));
        CU_ASSERT(has_tag(b, 4, 1004)); /* nothing of its own was lost */
    }
    CU_ASSERT_EQUAL(write_word(a, 4, 0), DISK_OK);
    CU_ASSERT(has_word(a, 4, 0));
    CU_ASSERT_EQUAL(write_word(a, 5, 0), DISK_OK); /* nor has the base one there */
    CU_ASSERT_EQUAL(discard(a, 7, 1), DISK_OK);
    CU_ASSERT(has_word(a, 5, 0) && has_word(a, 7, 0));
    CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
    CU_ASSERT(has_tag(a, 4, 1004) && has_tag(a, 8, 1008));
    disk_world_end(&dw);
}

/* Nothing was lost where the base had no page ever. */
static void clone_larger_than_a_base_that_lost_pages_has_zeros_behind_it(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_ref ref = ref_of("", 7), home = ref_of("home", 0);
    struct disk *a;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(disks_add(dw.disks, "home", "root"), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 300), TMEMIF_OK);
    store_desc(dw.w.store, frame_of_tag(&dw, 1004))->index ^= 1u << 20;
    disk_world_restart(&dw);
    a = open_disk(&dw, clone_of("root", ""), 7);
    WORLD_MUST(a != NULL);
    CU_ASSERT_EQUAL(read_status(a, 4), DISK_DAMAGED);
    CU_ASSERT_EQUAL(read_status(a, 199), DISK_DAMAGED);
    CU_ASSERT(has_word(a, 200, 0) && has_word(a, 299, 0));
    CU_ASSERT_EQUAL(write_word(a, 250, 0), DISK_OK);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &home, 300), TMEMIF_OK);
    /* a disk that lost pages itself is made no larger: which they were is not known */
    CU_ASSERT_EQUAL(write_tag(a, 250, 4), DISK_OK);
    store_desc(dw.w.store, frame_of_tag(&dw, 4))->index ^= 1u << 20;
    disk_world_restart(&dw);
    a = open_disk(&dw, clone_of("root", ""), 7);
    WORLD_MUST(a != NULL);
    CU_ASSERT_EQUAL(read_status(a, 299), DISK_DAMAGED);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 400), TMEMIF_BAD_KIND);
    CU_ASSERT_EQUAL(base_rollback(dw.disks, &ref), TMEMIF_OK);
    CU_ASSERT_EQUAL(disks_resize(dw.disks, &ref, 400), TMEMIF_OK);
    CU_ASSERT(has_word(a, 250, 0) && has_word(a, 399, 0));
    disk_world_end(&dw);
}

/* No put makes two pages of one handle and generation: neither is believed. */
static void page_lost_to_another_of_its_name_does_not_show_what_lies_below(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct desc_key key;
    struct disk *a;
    page_nr page, twin;

    make_base(&dw, "root", 200, 1000);
    a = open_disk(&dw, clone_of("root", ""), 7);
    CU_ASSERT_EQUAL(write_tag(a, 4, 4), DISK_OK);
    page = frame_of_tag(&dw, 4);
    twin = store_page_alloc(dw.w.store, DESC_FRAME);
    WORLD_MUST(twin != LAYOUT_NONE);
    key = (struct desc_key){.index = store_desc(dw.w.store, page)->index,
                            .pool = store_desc(dw.w.store, page)->pool};
    memcpy(key.object, store_desc(dw.w.store, page)->object, sizeof(key.object));
    desc_make_live(store_desc(dw.w.store, twin), &key, DESC_FRAME, 0,
                   live_generation(store_desc(dw.w.store, page)->live));
    disk_world_restart(&dw);
    CU_ASSERT_EQUAL(store_damage(dw.w.store)->duplicates, 2);
    a = open_disk(&dw, clone_of("root", ""), 7);
    WORLD_MUST(a != NULL);
    CU_ASSERT_EQUAL(read_status(a, 4), DISK_DAMAGED);
    disk_world_end(&dw);
}

static void disk_whose_entry_was_damaged_is_not_there(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    const struct disk_owner owner = {.domid = 7, .vdev = 51712};
    const struct target target = swap_of(20), other = swap_of(21);
    struct disk *d = open_disk(&dw, target, 7);
    page_nr page;

    CU_ASSERT_EQUAL(write_tag(d, 4, 4), DISK_OK);
    disk_world_restart(&dw);
    CU_ASSERT(disks_has(dw.disks, &target, &owner));
    CU_ASSERT(!disks_has(dw.disks, &other, &owner));
    page = store_next_live(dw.w.store, 0);
    while (memcmp(store_frame(dw.w.store, page), "disk", 4) != 0)
        page = store_next_live(dw.w.store, page + 1);
    *(uint8_t *)store_frame(dw.w.store, page) ^= 1;
    disk_world_restart(&dw);
    CU_ASSERT_EQUAL(dw.found.lost, 1);
    CU_ASSERT(!disks_has(dw.disks, &target, &owner));
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    disk_world_end(&dw);
}

static void damage_layer(struct disk_world *dw, uint32_t number)
{
    struct account_rec *r = store_accounts(dw->w.store);

    while (r->live == LIVE_DEAD || r->kind != ACCOUNT_DISK || r->id != number)
        r++;
    r->device ^= 1;
}

static void disk_whose_layer_is_lost_is_not_opened_nor_taken_for_another(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk_info info;
    struct disk *a;

    make_base(&dw, "root", 20, 1000);
    a = open_disk(&dw, clone_of("root", "home"), 7);
    CU_ASSERT_EQUAL(write_tag(a, 4, 4), DISK_OK);
    a = open_disk(&dw, swap_of(20), 8);
    CU_ASSERT_EQUAL(write_tag(a, 4, 4), DISK_OK);
    damage_layer(&dw, 1); /* of root */
    damage_layer(&dw, 3); /* of the swap disk */
    for (unsigned n = 0; n < 2; n++) {
        disk_world_restart(&dw);
        CU_ASSERT_EQUAL(dw.found.lost, 3);
        CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("root", "home"), 7));
        CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("root", ""), 9));
        CU_ASSERT_PTR_NULL(open_disk(&dw, swap_of(20), 8));
        CU_ASSERT(find_info(&dw, false, "home", 0, &info) && info.is_lost);
    }
    /* a new layer never takes the place of the lost one */
    make_base(&dw, "root2", 20, 5000);
    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("root", "home"), 7));
    CU_ASSERT_PTR_NULL(open_disk(&dw, clone_of("root2", "home"), 7));
    forget_disk(&dw, 8);
    CU_ASSERT_PTR_NOT_NULL(open_disk(&dw, swap_of(20), 8));
    disk_world_end(&dw);
}

/* Numbers that only damage can bring about: no layer is taken for another, and none is made. */
static void last_number_of_a_layer_is_never_passed(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    const struct account_key last = {.kind = ACCOUNT_DISK, .id = UINT32_MAX - 1};
    const struct account_key beyond = {.kind = ACCOUNT_DISK, .id = UINT32_MAX};
    account_nr account;
    struct disk *d = open_disk(&dw, swap_of(20), 7);

    CU_ASSERT_EQUAL(write_tag(d, 1, 1), DISK_OK);
    CU_ASSERT_EQUAL(engine_account_open(dw.w.e, &last, &account), TMEMIF_OK);
    CU_ASSERT_EQUAL(engine_account_open(dw.w.e, &beyond, &account), TMEMIF_OK);
    disk_world_restart(&dw);
    CU_ASSERT_PTR_NULL(open_disk(&dw, swap_of(20), 8));
    d = open_disk(&dw, swap_of(20), 7);
    WORLD_MUST(d != NULL);
    CU_ASSERT(has_tag(d, 1, 1));
    CU_ASSERT_EQUAL(nr_listed(&dw), 1);
    disk_world_end(&dw);
}

/* Entries with whatever numbers: circles, two of one layer, layers that are not there. */
static void write_entries(struct disk_world *dw, uint64_t *random)
{
    struct catalogue c;

    catalogue_open(&c, dw->w.e, 2);
    WORLD_MUST(catalogue_make(&c) == TMEMIF_OK);
    for (uint32_t n = 0; n < 8; n++) {
        struct entry entry = {
            .kind = (enum entry_kind)(1 + seeded_below(random, 4)),
            .layer = seeded_below(random, 7),
            .below = seeded_below(random, 7),
            .nr_pages = seeded_below(random, 30),
            .is_swap = seeded_below(random, 2),
            .domid = seeded_below(random, 3),
            .vdev = 51712,
        };

        if (seeded_below(random, 2))
            snprintf(entry.name, sizeof(entry.name), "n%u", seeded_below(random, 4));
        if (seeded_below(random, 4))
            WORLD_MUST(catalogue_write(&c, n, &entry) == TMEMIF_OK);
    }
}

static void use_all(struct disk_world *dw, uint64_t *random)
{
    for (unsigned n = 0; n < 30; n++) {
        struct disk_ref ref = ref_of("", seeded_below(random, 3));
        struct disk *d = NULL;
        char name[8], other[8];
        uint32_t done;

        snprintf(name, sizeof(name), "n%u", seeded_below(random, 4));
        snprintf(other, sizeof(other), "n%u", seeded_below(random, 6));
        if (seeded_below(random, 2))
            strcpy(ref.name, name);
        switch (seeded_below(random, 7)) {
        case 0:
            d = open_disk(dw, clone_of(name, ref.name[0] ? other : ""), ref.owner.domid);
            break;
        case 1:
            d = open_disk(dw, swap_of(1 + seeded_below(random, 30)), ref.owner.domid);
            break;
        case 2:
            (void)base_freeze(dw->disks, &ref, other, n + 1);
            break;
        case 3:
            (void)base_rollback(dw->disks, &ref);
            break;
        case 4:
            (void)base_remove(dw->disks, name);
            break;
        case 5:
            (void)disks_remove(dw->disks, &ref);
            break;
        default:
            (void)disks_add(dw->disks, other, name);
        }
        if (!d)
            continue;
        (void)write_tag(d, seeded_below(random, 30), n);
        (void)read_status(d, seeded_below(random, 30));
        (void)disk_discard(d, 0, 0, 1, &done);
        disks_close(dw->disks, d, (enum disk_end)seeded_below(random, 2));
    }
}

static void whatever_a_catalogue_says_does_no_harm(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct disk_world dw = disk_world_make(512, 16);
        uint64_t random = seed;

        if (seeded_below(&random, 4))
            make_base(&dw, "n0", 1 + seeded_below(&random, 20), 1000);
        for (uint32_t domid = 0; domid < 3; domid++)
            open_disk(&dw, swap_of(20), domid);
        write_entries(&dw, &random);
        for (unsigned n = 0; n < 3; n++) {
            disk_world_restart(&dw);
            use_all(&dw, &random);
            CU_ASSERT(is_sound(&dw.w));
        }
        disk_world_end(&dw);
    }
}

static void lost_catalogue_is_begun_anew_and_the_memory_comes_back(void)
{
    struct disk_world dw = disk_world_make(4096, 64);
    struct disk *d;

    make_base(&dw, "root", 20, 1000);
    damage_layer(&dw, 0);
    disk_world_restart(&dw);
    CU_ASSERT_EQUAL(dw.found.lost, 1);
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    reclaim_all(&dw.w);
    CU_ASSERT_EQUAL(frames_used(&dw.w), 0);
    d = open_disk(&dw, swap_of(20), 7);
    WORLD_MUST(d != NULL);
    CU_ASSERT_EQUAL(write_tag(d, 1, 1), DISK_OK);
    CU_ASSERT(has_word(d, 0, 0));
    disk_world_end(&dw);
}

static void without_disks_nothing_is_kept_from_anybody(void)
{
    struct disk_world dw = disk_world_make(64, 0);
    account_nr a = guest(&dw.w, 1, 1000, 0), found;
    uint32_t p = pool(&dw.w, a, TMEMIF_POOL_PERSISTENT), cursor = 0;
    struct account_key key;

    for (uint32_t n = 0; n < 64; n++)
        CU_ASSERT_EQUAL(put(&dw.w, a, p, n, 0, n), TMEMIF_OK);
    CU_ASSERT(engine_account_next(dw.w.e, &cursor, &found, &key));
    CU_ASSERT(!engine_account_next(dw.w.e, &cursor, &found, &key));
    CU_ASSERT_PTR_NULL(open_disk(&dw, swap_of(20), 7)); /* no page for its entry */
    CU_ASSERT_EQUAL(nr_listed(&dw), 0);
    disk_world_restart(&dw);
    CU_ASSERT_EQUAL(dw.found.disks + dw.found.lost, 0);
    disk_world_end(&dw);
}

#define TESTS(T)                                                                                   \
    T(swap_disk_is_found_again_with_what_it_held)                                                  \
    T(disk_that_became_larger_is_found_again_so)                                                   \
    T(bases_clones_and_what_lies_on_what_are_found_again)                                          \
    T(import_that_a_restart_cut_off_leaves_nothing)                                                \
    T(damaged_page_is_an_error_until_it_is_written_anew)                                           \
    T(page_lost_with_its_descriptor_does_not_show_what_lies_below)                                 \
    T(clone_larger_than_a_base_that_lost_pages_has_zeros_behind_it)                                \
    T(page_lost_to_another_of_its_name_does_not_show_what_lies_below)                              \
    T(disk_whose_entry_was_damaged_is_not_there)                                                   \
    T(disk_whose_layer_is_lost_is_not_opened_nor_taken_for_another)                                \
    T(last_number_of_a_layer_is_never_passed)                                                      \
    T(whatever_a_catalogue_says_does_no_harm)                                                      \
    T(lost_catalogue_is_begun_anew_and_the_memory_comes_back)                                      \
    T(without_disks_nothing_is_kept_from_anybody)
RUN_TESTS(TESTS)
