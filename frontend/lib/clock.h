/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.h - monotonic time in microseconds, and deadlines in it.
 *
 * Every operation has a deadline, and reading the exact clock is a system call in a Xen guest
 * whose TSC is not known to be stable. So deadlines are in the time of the last tick of the
 * kernel's timer, which never is one. It is late by up to CLOCK_TICK_US.
 */
#ifndef XENTMEM_LIB_CLOCK_H
#define XENTMEM_LIB_CLOCK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define DEADLINE_NEVER UINT64_MAX
#define CLOCK_TICK_US  10000u /* with HZ=100 */

static inline uint64_t clock_read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The exact time. */
static inline uint64_t clock_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

/* What it costs to ask for it: nothing to speak of, or what a system call costs. */
static inline unsigned clock_cost_us(void)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = clock_us(), cost = clock_us() - before;

        least = cost < least ? cost : least;
    }
    return (unsigned)least;
}

static inline uint64_t clock_tick_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC_COARSE);
}

/* @ms from now, or a tick later; 0: it has passed; negative: never. */
static inline uint64_t deadline_in_ms(int ms)
{
    if (ms < 0)
        return DEADLINE_NEVER;
    return clock_tick_us() + (ms ? (uint64_t)ms * 1000 + CLOCK_TICK_US : 0);
}

static inline bool deadline_passed(uint64_t deadline)
{
    return deadline != DEADLINE_NEVER && clock_tick_us() >= deadline;
}

/* What is left of it, as poll() takes it: rounded up, -1 for ever. */
static inline int deadline_left_ms(uint64_t deadline)
{
    uint64_t now, left;

    if (deadline == DEADLINE_NEVER)
        return -1;
    now = clock_tick_us();
    left = deadline > now ? (deadline - now + 999) / 1000 : 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* For who sleeps by the exact clock: at that time the deadline has passed by the other, too. */
static inline struct timespec deadline_timespec(uint64_t deadline)
{
    deadline += CLOCK_TICK_US;
    return (struct timespec){.tv_sec = (time_t)(deadline / 1000000),
                             .tv_nsec = (long)(deadline % 1000000) * 1000};
}

/* From when it was begun; zero: not begun. */
struct stopwatch {
    uint64_t begun_us;
};

static inline void stopwatch_begin(struct stopwatch *w)
{
    if (w->begun_us == 0)
        w->begun_us = clock_us();
}

static inline uint64_t stopwatch_us(const struct stopwatch *w)
{
    return w->begun_us ? clock_us() - w->begun_us : 0;
}

#endif /* XENTMEM_LIB_CLOCK_H */
