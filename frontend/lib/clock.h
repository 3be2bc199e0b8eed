/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock.h - monotonic time in microseconds, and deadlines in it.
 *
 * Every operation has a deadline, and in a Xen guest whose TSC is not known to be stable reading
 * the exact clock is a system call. There deadlines are in the time of the kernel's last tick.
 */
#ifndef XENTMEM_LIB_CLOCK_H
#define XENTMEM_LIB_CLOCK_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define DEADLINE_NEVER UINT64_MAX

/* By which deadlines are measured, chosen once for the process; exact until then. */
struct clock_of_deadlines {
    _Atomic clockid_t id;
    _Atomic uint64_t tick_us; /* it is late by up to so much */
};
extern struct clock_of_deadlines clock_of_deadlines;

/* Choose it. What the exact clock costs is the result: tens of nanoseconds, or a system call. */
uint64_t clock_choose_ns(void);

/* The exact time in nanoseconds. */
uint64_t clock_ns(void);

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

static inline uint64_t clock_tick_us(void)
{
    return atomic_load_explicit(&clock_of_deadlines.tick_us, memory_order_relaxed);
}

static inline uint64_t deadline_now_us(void)
{
    return clock_read_us(atomic_load_explicit(&clock_of_deadlines.id, memory_order_relaxed));
}

/* @ms from now, or a tick later; 0: it has passed; negative: never. */
static inline uint64_t deadline_in_ms(int ms)
{
    if (ms < 0)
        return DEADLINE_NEVER;
    return deadline_now_us() + (ms ? (uint64_t)ms * 1000 + clock_tick_us() : 0);
}

static inline bool deadline_passed(uint64_t deadline)
{
    return deadline != DEADLINE_NEVER && deadline_now_us() >= deadline;
}

/* What is left of it, as poll() takes it: rounded up, -1 for ever. */
static inline int deadline_left_ms(uint64_t deadline)
{
    uint64_t now, left;

    if (deadline == DEADLINE_NEVER)
        return -1;
    now = deadline_now_us();
    left = deadline > now ? (deadline - now + 999) / 1000 : 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* For who sleeps by the exact clock: at that time the deadline has passed by the other, too. */
static inline struct timespec deadline_timespec(uint64_t deadline)
{
    deadline += clock_tick_us();
    return (struct timespec){.tv_sec = (time_t)(deadline / 1000000),
                             .tv_nsec = (long)(deadline % 1000000) * 1000};
}

/* A condition that is waited for until a deadline_timespec(). */
void clock_init_condition(pthread_cond_t *condition);

/* From when it was begun; zero: not begun. */
struct stopwatch {
    uint64_t begun_us;
};

/* What it shows; it begins with @before_us if it has not begun. */
static inline uint64_t stopwatch_us(struct stopwatch *w, unsigned before_us)
{
    uint64_t now = clock_us();

    if (w->begun_us == 0)
        w->begun_us = now - before_us;
    return now - w->begun_us;
}

#endif /* XENTMEM_LIB_CLOCK_H */
