/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/processor.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

int processor_here(void)
{
    int cpu = sched_getcpu();

    return cpu < 0 ? PROCESSOR_UNKNOWN : cpu;
}

bool processor_leave(int cpu)
{
    cpu_set_t all, others;

    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(all), &all) != 0)
        return false;
    others = all;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof(others), &others) != 0)
        return false;
    /* It has moved. Who might use all that there are may use those that come later, too. */
    if (CPU_COUNT(&all) == sysconf(_SC_NPROCESSORS_ONLN))
        memset(&all, 0xff, sizeof(all));
    (void)sched_setaffinity(0, sizeof(all), &all);
    return true;
}
