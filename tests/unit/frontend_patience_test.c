/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long the library looks for an answer before it sleeps. */
#include "frontend/lib/patience.h"

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

#define TESTS(T)                                                                                   \
    T(at_first_it_looks_and_where_it_may_not_it_never_does)                                        \
    T(one_late_answer_does_not_end_the_looking)                                                    \
    T(where_answers_are_late_it_looks_now_and_then_and_longer)                                     \
    T(quick_answers_bring_the_looking_back)

RUN_TESTS(TESTS)
