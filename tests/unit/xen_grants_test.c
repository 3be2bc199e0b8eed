/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies to and from pages that stay mapped. The test is the guest whose pages they are.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/transport/xen/persistent_grants.h"
#include "daemon/transport/xen/vbd_link.h"
#include "protocol/tmemif.h"
#include "tests/lib/fake_platform.h"
#include "tests/lib/runner.h"
#include "tests/unit/store_fixture.h"

#define GUEST 7u
#define MANY  160u /* pages of a call, as many as a batch has */

struct world {
    struct fake_platform *fake;
    struct platform_grants *grants;
    struct persistent_grants persistent;
    uint8_t local[MANY][TMEMIF_PAGE_SIZE];
};

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));

    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    w->fake = fake_platform_new(5);
    w->grants = w->fake->platform.ops->grants_open(&w->fake->platform, GUEST);
    return w;
}

static void world_end(struct world *w)
{
    persistent_grants_unmap(&w->persistent, w->fake->platform.ops, w->grants);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, 0);
    w->fake->platform.ops->grants_close(w->grants);
    fake_platform_free(w->fake);
    free(w);
}

static bool call(struct world *w, struct grant_copy *copies, unsigned nr)
{
    return persistent_grants_copy(&w->persistent, w->fake->platform.ops, w->grants, copies, nr);
}

static uint8_t *guest_page(struct world *w, uint32_t ref)
{
    return w->fake->memory + (size_t)ref * TMEMIF_PAGE_SIZE;
}

/* Whole pages, of references @first and on, each @step from the one before. */
static void move(struct world *w, uint32_t first, uint32_t step, unsigned nr, bool to_guest)
{
    struct grant_copy copies[MANY];

    for (unsigned i = 0; i < nr; i++)
        copies[i] = (struct grant_copy){.ref = first + i * step,
                                        .length = TMEMIF_PAGE_SIZE,
                                        .to_guest = to_guest,
                                        .local = w->local[i],
                                        .status = 1};
    CU_ASSERT(call(w, copies, nr));
    for (unsigned i = 0; i < nr; i++)
        CU_ASSERT_EQUAL(copies[i].status, 0);
}

/* What the guest has reaches us, and what we have reaches the guest. */
static void check_both_ways(struct world *w, uint32_t first, uint32_t step, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        fill_page(guest_page(w, first + i * step), first + i);
    move(w, first, step, nr, false);
    for (unsigned i = 0; i < nr; i++) {
        CU_ASSERT(page_holds(w->local[i], first + i));
        fill_page(w->local[i], 1000 + i);
    }
    move(w, first, step, nr, true);
    for (unsigned i = 0; i < nr; i++)
        CU_ASSERT(page_holds(guest_page(w, first + i * step), 1000 + i));
}

static void page_is_mapped_once_and_never_copied_by_a_call(void)
{
    struct world *w = world_new();

    for (unsigned i = 0; i < 3; i++)
        check_both_ways(w, 40, 1, 5);
    check_both_ways(w, 43, 1, 4); /* two of them are new */
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 0);
    CU_ASSERT_EQUAL(w->fake->nr_maps, 2);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, 7);
    world_end(w);
}

static void page_is_found_once_it_is_mapped(void)
{
    struct world *w = world_new();
    uint8_t *at;

    CU_ASSERT_PTR_NULL(persistent_grants_find(&w->persistent, 40));
    check_both_ways(w, 40, 1, 2);
    at = persistent_grants_find(&w->persistent, 41);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    memset(at, 'm', TMEMIF_PAGE_SIZE);
    CU_ASSERT_EQUAL(guest_page(w, 41)[4095], 'm');
    CU_ASSERT_PTR_NULL(persistent_grants_find(&w->persistent, 42));
    world_end(w);
}

static void part_of_a_page_is_that_part(void)
{
    struct world *w = world_new();
    struct grant_copy copies[2] = {
        {.ref = 9, .offset = 512, .length = 1024, .local = w->local[0]},
        {.ref = 9, .offset = 3584, .length = 512, .to_guest = true, .local = w->local[1]}};

    memset(guest_page(w, 9), 'g', TMEMIF_PAGE_SIZE);
    memset(w->local[1], 'l', TMEMIF_PAGE_SIZE);
    CU_ASSERT(call(w, copies, 2));
    for (unsigned i = 0; i < TMEMIF_PAGE_SIZE; i++) {
        CU_ASSERT_EQUAL(w->local[0][i], i < 1024 ? 'g' : 0);
        CU_ASSERT_EQUAL(guest_page(w, 9)[i], i < 3584 ? 'g' : 'l');
    }
    world_end(w);
}

/* Pairs that differ by 60 have one hash, and the next pair the next one. */
static void references_of_one_hash_are_told_apart(void)
{
    struct world *w = world_new();

    check_both_ways(w, 3, 60, 10);
    check_both_ways(w, 4, 60, 10);
    check_both_ways(w, 3, 60, 10);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 0);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, 20);
    world_end(w);
}

static void those_for_which_there_is_no_room_are_copied(void)
{
    struct world *w = world_new();

    check_both_ways(w, 100, 1, 100);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 0);
    check_both_ways(w, 150, 1, MANY);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 2); /* the rest of each at one go */
    check_both_ways(w, 1000, 1, MANY);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 4);
    check_both_ways(w, 100, 1, 100);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 4);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, PERSISTENT_GRANTS);
    world_end(w);
}

/* By a guest that has one request under way, always with another page. */
static void mappings_are_limited_apart_from_pages(void)
{
    struct world *w = world_new();

    for (uint32_t ref = 1; ref <= PERSISTENT_GRANT_RUNS; ref++)
        check_both_ways(w, ref, 1, 1);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 0);
    check_both_ways(w, 100, 1, 1);
    check_both_ways(w, 110, 1, 4);
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 4);
    CU_ASSERT_EQUAL(w->fake->nr_maps, PERSISTENT_GRANT_RUNS);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, PERSISTENT_GRANT_RUNS);
    world_end(w);
}

/* By a hostile guest, or one that has a page twice in a request. */
static void page_that_is_named_again_and_again_takes_no_more_than_the_room(void)
{
    struct world *w = world_new();

    check_both_ways(w, 50, 0, 1);
    for (unsigned i = 0; i < 4; i++)
        move(w, 60 + i, 0, MANY, true);
    check_both_ways(w, 50, 1, 20);
    CU_ASSERT(w->fake->nr_mapped <= PERSISTENT_GRANTS);
    world_end(w);
}

static void mapping_that_has_failed_is_not_tried_again(void)
{
    struct world *w = world_new();

    check_both_ways(w, 10, 1, 2);
    w->fake->max_mapped = 4;
    check_both_ways(w, 20, 1, 3); /* they are copied */
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 2);
    w->fake->max_mapped = 100;
    check_both_ways(w, 20, 1, 3);
    check_both_ways(w, 10, 1, 2); /* what is mapped stays so */
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 4);
    CU_ASSERT_EQUAL(w->fake->nr_maps, 1);
    world_end(w);
}

static void bad_reference_has_its_status_and_others_theirs(void)
{
    struct world *w = world_new();
    struct grant_copy copies[3];

    for (unsigned i = 0; i < 3; i++)
        copies[i] = (struct grant_copy){.ref = i == 1 ? FAKE_NR_PAGES : 30 + i,
                                        .length = TMEMIF_PAGE_SIZE,
                                        .local = w->local[i],
                                        .status = 1};
    CU_ASSERT(call(w, copies, 3));
    CU_ASSERT_EQUAL(copies[0].status, 0);
    CU_ASSERT_NOT_EQUAL(copies[1].status, 0);
    CU_ASSERT_EQUAL(copies[2].status, 0);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, 0);
    world_end(w);
}

/* ---- a link of two queues ---- */

static struct vbd_link *link_open(struct world *w, bool is_persistent)
{
    const struct schema_vbd_front front = {.is_persistent = is_persistent,
                                           .nr_queues = 2,
                                           .ring_refs = {{1}, {2}},
                                           .channels = {3, 4}};
    char why[SCHEMA_REASON_LEN];
    struct vbd_link *link = NULL;
    bool lacks;

    CU_ASSERT_FATAL(vbd_link_open(&w->fake->platform, GUEST, &front, -1, &link, &lacks, why));
    return link;
}

/* A page to the guest's page @ref, by queue @queue. */
static void link_copy(struct world *w, struct blk_link *l, unsigned queue, uint32_t ref)
{
    struct grant_copy copy = {
        .ref = ref, .length = TMEMIF_PAGE_SIZE, .to_guest = true, .local = w->local[0]};

    fill_page(w->local[0], ref);
    CU_ASSERT(l->ops->copy(l, queue, &copy, 1));
    CU_ASSERT_EQUAL(copy.status, 0);
    CU_ASSERT(page_holds(guest_page(w, ref), ref));
}

static void queues_map_pages_of_their_own(void)
{
    struct world *w = world_new();
    struct vbd_link *link = link_open(w, true);
    struct blk_link *l = vbd_link_blk(link);
    uint8_t *at;

    link_copy(w, l, 1, 40);
    CU_ASSERT_PTR_NULL(l->ops->mapped(l, 0, 40));
    at = l->ops->mapped(l, 1, 40);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    CU_ASSERT(page_holds(at, 40));
    link_copy(w, l, 0, 41);
    CU_ASSERT_PTR_NOT_NULL(l->ops->mapped(l, 0, 41));
    CU_ASSERT_PTR_NULL(l->ops->mapped(l, 1, 41));
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 0);
    CU_ASSERT_EQUAL(w->fake->nr_mapped, 4); /* with the rings */
    CU_ASSERT_FALSE(vbd_link_cannot_map(link));
    vbd_link_close(link);
    world_end(w);
}

static void nothing_is_mapped_of_who_grants_for_each_request(void)
{
    struct world *w = world_new();
    struct vbd_link *link = link_open(w, false);
    struct blk_link *l = vbd_link_blk(link);

    link_copy(w, l, 1, 40);
    CU_ASSERT_PTR_NULL(l->ops->mapped(l, 1, 40));
    CU_ASSERT_EQUAL(w->fake->nr_copy_calls, 1);
    vbd_link_close(link);
    world_end(w);
}

/* The operator can do nothing about a bad reference, and is not told to. */
static void bad_reference_is_no_lack_of_frames(void)
{
    struct grant_copy bad = {.ref = FAKE_NR_PAGES, .length = TMEMIF_PAGE_SIZE};
    struct world *w = world_new();
    struct vbd_link *link = link_open(w, true);
    struct blk_link *l = vbd_link_blk(link);

    bad.local = w->local[0];
    CU_ASSERT(l->ops->copy(l, 0, &bad, 1));
    CU_ASSERT_NOT_EQUAL(bad.status, 0);
    CU_ASSERT_FALSE(vbd_link_cannot_map(link));
    w->fake->max_mapped = 2; /* the rings */
    link_copy(w, l, 1, 40);
    CU_ASSERT(vbd_link_attends(link));
    CU_ASSERT(vbd_link_cannot_map(link));
    CU_ASSERT_FALSE(vbd_link_cannot_map(link)); /* once */
    vbd_link_close(link);
    world_end(w);
}

#define TESTS(T)                                                                                   \
    T(page_is_mapped_once_and_never_copied_by_a_call)                                              \
    T(page_is_found_once_it_is_mapped)                                                             \
    T(part_of_a_page_is_that_part)                                                                 \
    T(references_of_one_hash_are_told_apart)                                                       \
    T(those_for_which_there_is_no_room_are_copied)                                                 \
    T(mappings_are_limited_apart_from_pages)                                                       \
    T(page_that_is_named_again_and_again_takes_no_more_than_the_room)                              \
    T(mapping_that_has_failed_is_not_tried_again)                                                  \
    T(bad_reference_has_its_status_and_others_theirs)                                              \
    T(queues_map_pages_of_their_own)                                                               \
    T(nothing_is_mapped_of_who_grants_for_each_request)                                            \
    T(bad_reference_is_no_lack_of_frames)
RUN_TESTS(TESTS)
