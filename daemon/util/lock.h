/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.h - a lock for short critical sections: of a shard tens of nanoseconds; a slice of what is
 * reclaimed, or a chunk that gets its memory, is the longest.
 *
 * Spins a little, then sleeps in the kernel, so a holder that lost its virtual
 * CPU does not burn the others'. 4 bytes, zero is unlocked, not recursive.
 * After Drepper, "Futexes Are Tricky", mutex 2: 0 free, 1 held, 2 held and
 * somebody sleeps.
 */
#ifndef XTM_UTIL_LOCK_H
#define XTM_UTIL_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

struct lock {
    atomic_uint state;
};

/* In a loop that waits for another thread: the other one may share this processor. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void lock_wait(struct lock *l); /* slow path of lock_take() */
void lock_wake(struct lock *l); /* slow path of lock_drop() */

static inline bool lock_try(struct lock *l)
{
    unsigned free = 0;

    return atomic_compare_exchange_strong_explicit(&l->state, &free, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void lock_take(struct lock *l)
{
    if (!lock_try(l))
        lock_wait(l);
}

static inline void lock_drop(struct lock *l)
{
    if (atomic_exchange_explicit(&l->state, 0, memory_order_release) == 2)
        lock_wake(l);
}

#endif /* XTM_UTIL_LOCK_H */
