/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock.h - time that only goes forward, for timers and intervals. */
#ifndef XTM_UTIL_CLOCK_H
#define XTM_UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock_now_ms(void)
{
    return clock_now_ns() / 1000000u;
}

/* The same, but it goes on while the whole machine is suspended. */
static inline uint64_t clock_boot_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

#endif /* XTM_UTIL_CLOCK_H */
