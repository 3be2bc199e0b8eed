/* SPDX-License-Identifier: MIT */
/* trial.h - what something costs on the processor that this runs on, found by doing it. */
#ifndef TMEM_TRIAL_H
#define TMEM_TRIAL_H

#include <stdint.h>

#define TRIAL_ROUNDS 5u
#define TRIAL_CALLS  8u

/*
 * @nr_runs times @run(@arg), in nanoseconds: the least of several rounds, as what disturbs only
 * makes it longer. @now_ns tells the time, which may be a system call of 30 us: the runs have to
 * take many times that.
 */
static inline uint64_t trial_ns(void (*run)(void *arg), void *arg, unsigned nr_runs,
                                uint64_t (*now_ns)(void))
{
    uint64_t least = UINT64_MAX;

    for (unsigned round = 0; round < TRIAL_ROUNDS; round++) {
        uint64_t before = now_ns(), cost;

        for (unsigned i = 0; i < nr_runs; i++) {
            run(arg);
            __asm__ volatile("" : : "r"(arg) : "memory"); /* or it need not be done */
        }
        cost = now_ns() - before;
        least = cost < least ? cost : least;
    }
    return least;
}

/* What it costs to ask @now_ns: tens of nanoseconds, or what a system call costs. */
static inline uint64_t trial_clock_ns(uint64_t (*now_ns)(void))
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = now_ns(), cost = now_ns() - before;

        least = cost < least ? cost : least;
    }
    return least;
}

/*
 * What one @run(@arg) costs that may be a call of the hypervisor: the least of some. A dear clock
 * adds an eighth of itself.
 */
static inline uint64_t trial_call_ns(void (*run)(void *arg), void *arg, uint64_t (*now_ns)(void))
{
    return trial_ns(run, arg, TRIAL_CALLS, now_ns) / TRIAL_CALLS;
}

#endif /* TMEM_TRIAL_H */
