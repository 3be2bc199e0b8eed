/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "frontend/lib/clock.h"

#include "protocol/trial.h"

/* More than the vDSO takes, less than a system call. */
#define DEAR_NS 200u

struct clock_of_deadlines clock_of_deadlines = {.id = CLOCK_MONOTONIC};

static uint64_t in_ns(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return in_ns(&now);
}

uint64_t clock_choose_ns(void)
{
    uint64_t cost = trial_clock_ns(clock_ns);
    struct timespec tick;

    if (cost > DEAR_NS && clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0) {
        atomic_store(&clock_of_deadlines.tick_us, in_ns(&tick) / 1000);
        atomic_store(&clock_of_deadlines.id, CLOCK_MONOTONIC_COARSE);
    }
    return cost;
}

void clock_init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}
