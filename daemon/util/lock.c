/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/util/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* About a microsecond: longer than a shard is ever locked for one page. */
#define SPINS 100

void lock_wait(struct lock *l)
{
    for (int i = 0; i < SPINS; i++) {
        cpu_relax();
        if (atomic_load_explicit(&l->state, memory_order_relaxed) == 0 && lock_try(l))
            return;
    }
    while (atomic_exchange_explicit(&l->state, 2, memory_order_acquire) != 0)
        syscall(SYS_futex, &l->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

void lock_wake(struct lock *l)
{
    syscall(SYS_futex, &l->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
