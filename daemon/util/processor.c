/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/processor.h"

#include <sched.h>

bool processor_leave(int cpu)
{
    cpu_set_t all, others;

    if (cpu < 0 || cpu >= CPU_SETSIZE || cpu != sched_getcpu() ||
        sched_getaffinity(0, sizeof(all), &all) != 0)
        return false;
    others = all;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof(others), &others) != 0)
        return false;
    /* it has moved; if not all are given back, some were taken meanwhile */
    (void)sched_setaffinity(0, sizeof(all), &all);
    return true;
}
