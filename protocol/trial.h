/* SPDX-License-Identifier: MIT */
/* trial.h - what something costs on the processor that this runs on, found by doing it. */
#ifndef TMEM_TRIAL_H
#define TMEM_TRIAL_H

#include <stdint.h>

#define TRIAL_ROUNDS 5u
#define TRIAL_RUNS   256u /* which take many times what a clock does that is a system call, 30 us */

/*
 * TRIAL_RUNS times @run(@arg), in nanoseconds: the least of several rounds, as what disturbs only
 * makes it longer. @now_ns tells the time.
 */
static inline uint64_t trial_ns(void (*run)(void *arg), void *arg, uint64_t (*now_ns)(void))
{
    uint64_t least = UINT64_MAX;

    for (unsigned round = 0; round < TRIAL_ROUNDS; round++) {
        uint64_t before = now_ns(), cost;

        for (unsigned i = 0; i < TRIAL_RUNS; i++) {
            run(arg);
            __asm__ volatile("" : : "r"(arg) : "memory"); /* or it need not be done */
        }
        cost = now_ns() - before;
        least = cost < least ? cost : least;
    }
    return least;
}

#endif /* TMEM_TRIAL_H */
