/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The judge of histories: what is possible passes, and what is not is told. */
#include "tests/lib/runner.h"

#include <string.h>

#include "tests/lib/history.h"

#define PUT(v, from, to)                                                                           \
    {                                                                                              \
        HISTORY_PUT, v, from, to                                                                   \
    }
#define REFUSED(from, to)                                                                          \
    {                                                                                              \
        HISTORY_REFUSED, 0, from, to                                                               \
    }
#define FLUSH(from, to)                                                                            \
    {                                                                                              \
        HISTORY_FLUSH, 0, from, to                                                                 \
    }
#define HIT(v, from, to)                                                                           \
    {                                                                                              \
        HISTORY_HIT, v, from, to                                                                   \
    }
#define MISS(from, to)                                                                             \
    {                                                                                              \
        HISTORY_MISS, 0, from, to                                                                  \
    }

static bool judge(const struct history_event *events, size_t nr, bool lossy)
{
    struct history_event copy[16], at;

    memcpy(copy, events, nr * sizeof(*events));
    return history_judge(copy, nr, lossy, &at) == NULL;
}

/* Both: the same of a persistent and of an ephemeral pool. */
#define POSSIBLE(lossy, ...)                                                                       \
    do {                                                                                           \
        static const struct history_event h[] = {__VA_ARGS__};                                     \
        CU_ASSERT(judge(h, sizeof(h) / sizeof(h[0]), lossy));                                      \
    } while (0)
#define IMPOSSIBLE(lossy, ...)                                                                     \
    do {                                                                                           \
        static const struct history_event h[] = {__VA_ARGS__};                                     \
        CU_ASSERT(!judge(h, sizeof(h) / sizeof(h[0]), lossy));                                     \
    } while (0)
#define BOTH_POSSIBLE(...)                                                                         \
    do {                                                                                           \
        POSSIBLE(false, __VA_ARGS__);                                                              \
        POSSIBLE(true, __VA_ARGS__);                                                               \
    } while (0)
#define BOTH_IMPOSSIBLE(...)                                                                       \
    do {                                                                                           \
        IMPOSSIBLE(false, __VA_ARGS__);                                                            \
        IMPOSSIBLE(true, __VA_ARGS__);                                                             \
    } while (0)

static void what_a_register_shows_one_thread_is_possible(void)
{
    BOTH_POSSIBLE(MISS(1, 2), PUT(7, 3, 4), HIT(7, 5, 6), PUT(8, 7, 8), HIT(8, 9, 10),
                  FLUSH(11, 12), MISS(13, 14));
    BOTH_POSSIBLE(PUT(7, 1, 2), REFUSED(3, 4), MISS(5, 6));
}

static void a_stale_page_is_told(void)
{
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), PUT(8, 3, 4), HIT(7, 5, 6));
}

static void a_page_that_came_back_is_told(void)
{
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), FLUSH(3, 4), HIT(7, 5, 6));
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), REFUSED(3, 4), HIT(7, 5, 6));
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), MISS(3, 4), HIT(7, 5, 6));
}

static void a_page_of_nowhere_is_told(void)
{
    BOTH_IMPOSSIBLE(HIT(7, 1, 2));
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), HIT(8, 3, 4));
    /* found before anybody put it */
    BOTH_IMPOSSIBLE(HIT(7, 1, 2), PUT(7, 3, 4));
}

static void a_lost_page_is_told_of_a_persistent_pool_only(void)
{
    IMPOSSIBLE(false, PUT(7, 1, 2), MISS(3, 4));
    POSSIBLE(true, PUT(7, 1, 2), MISS(3, 4));
}

static void operations_at_once_may_have_happened_in_any_order(void)
{
    BOTH_POSSIBLE(PUT(7, 1, 10), HIT(7, 2, 3), PUT(8, 4, 11), HIT(8, 5, 6), HIT(8, 12, 13));
    BOTH_POSSIBLE(PUT(7, 1, 10), PUT(8, 2, 9), HIT(7, 11, 12));
    BOTH_POSSIBLE(PUT(7, 1, 10), PUT(8, 2, 9), HIT(8, 11, 12));
    BOTH_POSSIBLE(PUT(7, 1, 10), FLUSH(2, 9), MISS(11, 12));
    BOTH_POSSIBLE(PUT(7, 1, 10), MISS(2, 3), HIT(7, 4, 5));
}

static void two_readers_that_saw_them_in_two_orders_are_told(void)
{
    BOTH_IMPOSSIBLE(PUT(7, 1, 20), PUT(8, 2, 19), HIT(7, 3, 4), HIT(8, 5, 6), HIT(7, 7, 8));
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), PUT(8, 3, 20), HIT(8, 4, 5), HIT(7, 6, 7));
}

/* A request that ran once, and once more after another's flush was answered. */
static void an_operation_that_happened_twice_is_told(void)
{
    BOTH_IMPOSSIBLE(PUT(7, 1, 20), HIT(7, 2, 3), FLUSH(4, 5), MISS(6, 7), HIT(7, 8, 9));
    BOTH_IMPOSSIBLE(FLUSH(1, 20), PUT(7, 2, 3), MISS(4, 5), PUT(8, 6, 7), MISS(8, 9),
                    PUT(9, 10, 11), HIT(7, 12, 13));
    IMPOSSIBLE(false, PUT(6, 1, 2), FLUSH(3, 20), MISS(4, 5), PUT(7, 6, 7), MISS(8, 9));
}

static void what_was_never_answered_may_have_happened_or_not(void)
{
    BOTH_POSSIBLE(PUT(7, 1, 2), PUT(8, 3, HISTORY_NEVER), HIT(7, 4, 5));
    BOTH_POSSIBLE(PUT(7, 1, 2), PUT(8, 3, HISTORY_NEVER), HIT(7, 4, 5), HIT(8, 6, 7));
    BOTH_IMPOSSIBLE(PUT(7, 1, 2), PUT(8, 3, HISTORY_NEVER), HIT(8, 4, 5), HIT(7, 6, 7));
}

static void more_at_once_than_it_can_judge_is_no_pass(void)
{
    struct history_event events[HISTORY_MOST_AT_ONCE + 1], at;

    for (unsigned i = 0; i <= HISTORY_MOST_AT_ONCE; i++)
        events[i] = (struct history_event)PUT(i + 1, i + 1, 100 + i);
    CU_ASSERT_PTR_NOT_NULL(history_judge(events, HISTORY_MOST_AT_ONCE + 1, false, &at));
}

static void notes_are_judged_handle_by_handle(void)
{
    struct history_notes threads[2] = {{0}};
    _Atomic uint64_t clock = 0;
    uint64_t begun = history_now(&clock);

    history_note(&threads[0], &clock, 0, HISTORY_PUT, 7, begun);
    begun = history_now(&clock);
    history_note(&threads[1], &clock, 1, HISTORY_MISS, 0, begun);
    begun = history_now(&clock);
    history_note(&threads[1], &clock, 0, HISTORY_HIT, 7, begun);
    CU_ASSERT(history_judge_all(threads, 2, 2, false));
    begun = history_now(&clock);
    history_note(&threads[1], &clock, 1, HISTORY_HIT, 7, begun);
    CU_ASSERT(!history_judge_all(threads, 2, 2, false));
    history_free(threads, 2);
}

#define TESTS(T)                                                                                   \
    T(what_a_register_shows_one_thread_is_possible)                                                \
    T(a_stale_page_is_told)                                                                        \
    T(a_page_that_came_back_is_told)                                                               \
    T(a_page_of_nowhere_is_told)                                                                   \
    T(a_lost_page_is_told_of_a_persistent_pool_only)                                               \
    T(operations_at_once_may_have_happened_in_any_order)                                           \
    T(two_readers_that_saw_them_in_two_orders_are_told)                                            \
    T(an_operation_that_happened_twice_is_told)                                                    \
    T(what_was_never_answered_may_have_happened_or_not)                                            \
    T(more_at_once_than_it_can_judge_is_no_pass)                                                   \
    T(notes_are_judged_handle_by_handle)

RUN_TESTS(TESTS)
