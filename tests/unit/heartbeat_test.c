/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/session/heartbeat.h"

#include "tests/lib/runner.h"

#define FENCE_MS 1000u

static void peer_without_fence_time_is_never_silent(void)
{
    struct heartbeat h;

    heartbeat_start(&h, 0, 5, 100);
    CU_ASSERT_FALSE(heartbeat_look(&h, 5, 100 + 1000000));
    CU_ASSERT_EQUAL(heartbeat_deadline_ms(&h), HEARTBEAT_NEVER);
    CU_ASSERT_EQUAL(heartbeat_period_ms(&h), 0);
}

static void beating_peer_is_never_silent(void)
{
    struct heartbeat h;
    unsigned nr_fences = 0;
    uint32_t beat = UINT32_MAX - 10; /* wraps on the way */

    heartbeat_start(&h, FENCE_MS, beat, 0);
    for (uint64_t now = 0; now < 100 * FENCE_MS; now += heartbeat_period_ms(&h)) {
        if (now % (FENCE_MS / 4) < heartbeat_period_ms(&h))
            beat++;
        nr_fences += heartbeat_look(&h, beat, now);
        CU_ASSERT_TRUE(heartbeat_deadline_ms(&h) > now);
    }
    CU_ASSERT_EQUAL(nr_fences, 0);
}

static void silent_peer_is_fenced_once_at_half_its_time(void)
{
    struct heartbeat h;

    heartbeat_start(&h, FENCE_MS, 1, 0);
    CU_ASSERT_EQUAL(heartbeat_deadline_ms(&h), FENCE_MS / 2);
    CU_ASSERT_FALSE(heartbeat_look(&h, 1, FENCE_MS / 2 - 1));
    CU_ASSERT_TRUE(heartbeat_look(&h, 1, FENCE_MS / 2));
    for (uint64_t now = FENCE_MS / 2; now < 10 * FENCE_MS; now += heartbeat_period_ms(&h)) {
        CU_ASSERT_FALSE(heartbeat_look(&h, 1, now));
        CU_ASSERT_TRUE(h.silent);
        CU_ASSERT_EQUAL(heartbeat_deadline_ms(&h), now + FENCE_MS / 2);
    }
}

/* It published a flush after it was fenced, and has taken it as complete while we were away. */
static void silent_peer_is_fenced_again_after_our_own_absence(void)
{
    struct heartbeat h;

    heartbeat_start(&h, FENCE_MS, 1, 0);
    CU_ASSERT_TRUE(heartbeat_look(&h, 1, FENCE_MS / 2));
    CU_ASSERT_TRUE(heartbeat_look(&h, 2, 5 * FENCE_MS));
    CU_ASSERT_TRUE(h.silent);
    CU_ASSERT_TRUE(heartbeat_look(&h, 2, 10 * FENCE_MS));
    CU_ASSERT_FALSE(heartbeat_look(&h, 3, 10 * FENCE_MS + 1));
    CU_ASSERT_FALSE(h.silent);
}

static void peer_that_beats_again_can_fall_silent_again(void)
{
    struct heartbeat h;

    heartbeat_start(&h, FENCE_MS, 1, 0);
    CU_ASSERT_TRUE(heartbeat_look(&h, 1, FENCE_MS));
    CU_ASSERT_FALSE(heartbeat_look(&h, 2, FENCE_MS + 100));
    CU_ASSERT_FALSE(h.silent);
    /* what was found at FENCE_MS + 100 may have happened right after the look before */
    CU_ASSERT_EQUAL(heartbeat_deadline_ms(&h), FENCE_MS + FENCE_MS / 2);
    CU_ASSERT_TRUE(heartbeat_look(&h, 2, FENCE_MS + FENCE_MS / 2));
}

/* We were away for longer than half the fence time: the change that we find may be old. */
static void change_found_after_our_own_absence_does_not_count(void)
{
    struct heartbeat h;

    heartbeat_start(&h, FENCE_MS, 1, 0);
    CU_ASSERT_TRUE(heartbeat_look(&h, 2, FENCE_MS / 2));
    CU_ASSERT_FALSE(heartbeat_look(&h, 3, FENCE_MS / 2 + 10));
    CU_ASSERT_FALSE(h.silent);
}

static void deadline_counts_from_the_look_before_the_change(void)
{
    struct heartbeat h;

    heartbeat_start(&h, FENCE_MS, 1, 0);
    heartbeat_look(&h, 1, 125);
    heartbeat_look(&h, 2, 250);
    CU_ASSERT_EQUAL(heartbeat_deadline_ms(&h), 125 + FENCE_MS / 2);
}

#define TESTS(T)                                                                                   \
    T(peer_without_fence_time_is_never_silent)                                                     \
    T(beating_peer_is_never_silent)                                                                \
    T(silent_peer_is_fenced_once_at_half_its_time)                                                 \
    T(silent_peer_is_fenced_again_after_our_own_absence)                                           \
    T(peer_that_beats_again_can_fall_silent_again)                                                 \
    T(change_found_after_our_own_absence_does_not_count)                                           \
    T(deadline_counts_from_the_look_before_the_change)
RUN_TESTS(TESTS)
