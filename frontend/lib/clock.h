/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.h - monotonic time in microseconds, and deadlines in it. */
#ifndef XENTMEM_LIB_CLOCK_H
#define XENTMEM_LIB_CLOCK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define DEADLINE_NEVER UINT64_MAX

static inline uint64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* @ms from now; negative: never. */
static inline uint64_t deadline_in_ms(int ms)
{
    return ms < 0 ? DEADLINE_NEVER : clock_us() + (uint64_t)ms * 1000;
}

static inline bool deadline_passed(uint64_t deadline)
{
    return deadline != DEADLINE_NEVER && clock_us() >= deadline;
}

/* What is left of it, as poll() takes it: rounded up, -1 for ever. */
static inline int deadline_left_ms(uint64_t deadline)
{
    uint64_t now = clock_us(), left;

    if (deadline == DEADLINE_NEVER)
        return -1;
    left = deadline > now ? (deadline - now + 999) / 1000 : 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static inline struct timespec deadline_timespec(uint64_t deadline)
{
    return (struct timespec){.tv_sec = (time_t)(deadline / 1000000),
                             .tv_nsec = (long)(deadline % 1000000) * 1000};
}

#endif /* XENTMEM_LIB_CLOCK_H */
