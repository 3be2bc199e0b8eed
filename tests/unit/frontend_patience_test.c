/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long the library looks for an answer before it sleeps. */
#include "frontend/lib/clock.h"
#include "frontend/lib/patience.h"

#include "protocol/ring.h"
#include "tests/lib/runner.h"

#define LIMIT 50u

static void at_first_it_looks_and_where_it_may_not_it_never_does(void)
{
    struct patience p = {0}, none = {0};

    CU_ASSERT_EQUAL(patience_us(&p, LIMIT), LIMIT);
    for (unsigned i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(patience_us(&none, 0), 0);
        patience_learn(&none, 0, 1000);
    }
}

static void one_late_answer_does_not_end_the_looking(void)
{
    struct patience p = {0};

    for (unsigned i = 0; i < 20; i++)
        patience_learn(&p, LIMIT, 1);
    patience_learn(&p, LIMIT, 1000000);
    CU_ASSERT_EQUAL(patience_us(&p, LIMIT), LIMIT);
}

static void where_answers_are_late_it_looks_now_and_then_and_longer(void)
{
    struct patience p = {0};
    unsigned nr_looks = 0;

    for (unsigned i = 0; i < 40; i++)
        patience_learn(&p, LIMIT, 120);
    for (unsigned i = 0; i < 10 * PATIENCE_PROBE_EVERY; i++) {
        unsigned us = patience_us(&p, LIMIT);

        CU_ASSERT(us == 0 || us == PATIENCE_PROBE_TIMES * LIMIT);
        nr_looks += us != 0;
    }
    CU_ASSERT_EQUAL(nr_looks, 10);
}

static void quick_answers_bring_the_looking_back(void)
{
    struct patience p = {0};
    unsigned nr = 0;

    for (unsigned i = 0; i < 1000; i++)
        patience_learn(&p, LIMIT, UINT64_MAX);
    while (patience_us(&p, LIMIT) != LIMIT && nr < 100) {
        patience_learn(&p, LIMIT, 1);
        nr++;
    }
    CU_ASSERT(nr > 1 && nr < 16);
}

static void a_look_takes_what_a_sleep_costs(void)
{
    CU_ASSERT_EQUAL(ring_look_us(25, 0), 50);
    CU_ASSERT_EQUAL(ring_look_us(30000, 0), 960);
    CU_ASSERT_EQUAL(ring_look_us(UINT32_MAX, 0), 1000);
    CU_ASSERT_EQUAL(ring_look_us(25, 30000),
                    960); /* a cheap clock, and dear calls of the hypervisor */
    CU_ASSERT_EQUAL(ring_look_us(25, 1000), 50);
    /* the clock is asked often enough to keep the limit, and not more often than it is worth */
    CU_ASSERT_EQUAL(patience_pause_us(50, 25), 1);
    CU_ASSERT_EQUAL(patience_pause_us(480, 30000), 120);
    CU_ASSERT_EQUAL(patience_pause_us(10, 30000), 2);
    CU_ASSERT_EQUAL(patience_pause_us(0, 30000), 1);
}

static void deadlines_are_not_early_by_either_clock(void)
{
    static const struct {
        clockid_t id;
        uint64_t tick_us;
    } clocks[] = {{CLOCK_MONOTONIC, 0}, {CLOCK_MONOTONIC_COARSE, 10000}};

    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&clock_of_deadlines.id, clocks[i].id);
        atomic_store(&clock_of_deadlines.tick_us, clocks[i].tick_us);
        CU_ASSERT_TRUE(deadline_passed(deadline_in_ms(0)));
        CU_ASSERT_FALSE(deadline_passed(deadline_in_ms(-1)));
        CU_ASSERT_EQUAL(deadline_left_ms(deadline_in_ms(-1)), -1);
        for (unsigned n = 0; n < 50; n++) {
            uint64_t begun = clock_us(), deadline = deadline_in_ms(3);

            while (!deadline_passed(deadline))
                ;
            CU_ASSERT(clock_us() - begun >= 3000);
        }
    }
    /* chosen by what it costs; either will do here */
    CU_ASSERT(clock_choose_ns() > 0);
    CU_ASSERT((atomic_load(&clock_of_deadlines.tick_us) != 0) ==
              (atomic_load(&clock_of_deadlines.id) == CLOCK_MONOTONIC_COARSE));
}

#define TESTS(T)                                                                                   \
    T(at_first_it_looks_and_where_it_may_not_it_never_does)                                        \
    T(one_late_answer_does_not_end_the_looking)                                                    \
    T(where_answers_are_late_it_looks_now_and_then_and_longer)                                     \
    T(quick_answers_bring_the_looking_back)                                                        \
    T(a_look_takes_what_a_sleep_costs)                                                             \
    T(deadlines_are_not_early_by_either_clock)

RUN_TESTS(TESTS)
