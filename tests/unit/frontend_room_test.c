/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "frontend/lib/room.h"
#include "tests/lib/runner.h"

static uint8_t data[1]; /* only its address is used */

static void pages_side_by_side_do_not_overlap_and_come_back(void)
{
    struct call *calls[10];
    uint8_t owner[100] = {0};
    struct room r;
    bool overlap = false;

    CU_ASSERT_EQUAL_FATAL(room_init(&r, data, 100, 32), 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 10; i++) {
            calls[i] = room_take(&r, 10, false);
            CU_ASSERT_PTR_NOT_NULL_FATAL(calls[i]);
            for (uint32_t p = 0; p < 10; p++)
                overlap |= owner[calls[i]->first_page + p]++ != 0;
        }
        CU_ASSERT_FALSE(overlap);
        CU_ASSERT_PTR_NULL(room_take(&r, 1, false));
        CU_ASSERT_EQUAL(r.nr_free_pages, 0);
        for (unsigned i = 0; i < 10; i++) {
            for (uint32_t p = 0; p < 10; p++)
                owner[calls[i]->first_page + p]--;
            room_give(&r, calls[i]);
        }
        CU_ASSERT_EQUAL(r.nr_free_pages, 100);
    }
    room_fini(&r, false);
}

static void a_run_is_not_made_of_scattered_pages(void)
{
    struct call *calls[16];
    struct room r;

    CU_ASSERT_EQUAL_FATAL(room_init(&r, data, 16, 32), 0);
    for (unsigned i = 0; i < 16; i++)
        calls[i] = room_take(&r, 1, false);
    for (unsigned i = 0; i < 16; i += 2)
        room_give(&r, calls[i]);
    CU_ASSERT_EQUAL(r.nr_free_pages, 8);
    CU_ASSERT_PTR_NULL(room_take(&r, 2, false));
    CU_ASSERT_PTR_NOT_NULL(room_take(&r, 1, false));
    room_fini(&r, false);
}

static void asynchronous_calls_leave_the_reserve_alone(void)
{
    unsigned taken = 0;
    struct room r;

    CU_ASSERT_EQUAL_FATAL(room_init(&r, data, 64, 512), 0);
    while (room_take(&r, 1, true))
        taken++;
    CU_ASSERT_EQUAL(taken, 64 - 8);
    CU_ASSERT_PTR_NOT_NULL(room_take(&r, 8, false));
    CU_ASSERT_PTR_NULL(room_take(&r, 1, false));
    room_fini(&r, false);
}

static void asynchronous_calls_leave_calls_for_threads(void)
{
    unsigned taken = 0;
    struct room r;

    CU_ASSERT_EQUAL_FATAL(room_init(&r, data, 64, 32), 0);
    while (room_take(&r, 0, true))
        taken++;
    CU_ASSERT_EQUAL(taken, 64);
    taken = 0;
    while (room_take(&r, 0, false))
        taken++;
    CU_ASSERT_EQUAL(taken, 16);
    room_fini(&r, false);
}

static void pages_of_a_batch_go_back_with_its_call(void)
{
    struct batch *batch = malloc(sizeof(*batch) + 40 * sizeof(uint32_t));
    struct call *call;
    struct room r;

    CU_ASSERT_EQUAL_FATAL(room_init(&r, data, 64, 32), 0);
    call = room_take(&r, 4, false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(call);
    batch->nr_pages = room_take_pages(&r, 40, batch->pages);
    CU_ASSERT_EQUAL(batch->nr_pages, 40);
    CU_ASSERT_EQUAL(r.nr_free_pages, 20);
    call->batch = batch;
    room_give(&r, call);
    CU_ASSERT_EQUAL(r.nr_free_pages, 64);
    CU_ASSERT_PTR_NOT_NULL(room_take(&r, 64, false));
    room_fini(&r, false);
}

static void fewer_pages_are_given_when_there_are_no_more(void)
{
    uint32_t pages[100];
    struct room r;

    CU_ASSERT_EQUAL_FATAL(room_init(&r, data, 70, 32), 0);
    CU_ASSERT_EQUAL(room_take_pages(&r, 100, pages), 70);
    CU_ASSERT_EQUAL(room_take_pages(&r, 1, pages), 0);
    room_fini(&r, false);
}

#define TESTS(T)                                                                                   \
    T(pages_side_by_side_do_not_overlap_and_come_back)                                             \
    T(a_run_is_not_made_of_scattered_pages)                                                        \
    T(asynchronous_calls_leave_the_reserve_alone)                                                  \
    T(asynchronous_calls_leave_calls_for_threads)                                                  \
    T(pages_of_a_batch_go_back_with_its_call)                                                      \
    T(fewer_pages_are_given_when_there_are_no_more)
RUN_TESTS(TESTS)
