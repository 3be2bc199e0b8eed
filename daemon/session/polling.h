/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polling.h - how long a worker looks on before it sleeps. */
#ifndef XTM_SESSION_POLLING_H
#define XTM_SESSION_POLLING_H

#include <stdbool.h>

struct polling {
    unsigned us;          /* 0: not at all */
    bool on_one_cpu;      /* for peers that may wait for this very processor, too */
    unsigned clock_skips; /* idle turns without a question to the clock, between two with one */
};

/*
 * A look is worth as long as it takes to sleep instead: on each side a few system calls, and a
 * switch that costs as much again. What a call costs is known where the clock is one (a Xen
 * guest whose TSC is not known to be stable); elsewhere they are cheap.
 */
#define POLLING_CALLS    16u
#define POLLING_LEAST_US 50u
#define POLLING_MOST_US  1000u

static inline struct polling polling_that_pays(unsigned nr_cpus, unsigned clock_cost_us)
{
    unsigned us = POLLING_CALLS * clock_cost_us;

    if (us < POLLING_LEAST_US)
        us = POLLING_LEAST_US;
    return (struct polling){
        .us = us < POLLING_MOST_US ? us : POLLING_MOST_US,
        .on_one_cpu = nr_cpus > 1,
        /* an idle turn takes about 1 us: the clock takes an eighth of the time at most */
        .clock_skips = 8 * clock_cost_us,
    };
}

#endif /* XTM_SESSION_POLLING_H */
