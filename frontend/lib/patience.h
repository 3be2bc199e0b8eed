/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patience.h - how long to look for an answer before going to sleep for it.
 *
 * Looking pays where answers come sooner than a thread can be put to sleep and woken. So
 * the mean of what answers took decides; and where they took too long, a longer look now
 * and then finds out that they have become quick. Without that, two sides that
 * both sleep would make each other wait for ever: each is as late as the other's wake-up.
 */
#ifndef XENTMEM_LIB_PATIENCE_H
#define XENTMEM_LIB_PATIENCE_H

#include <stdatomic.h>
#include <stdint.h>

/* One look in so many, and that many times the limit long, where looking does not pay. */
#define PATIENCE_PROBE_EVERY 16u
#define PATIENCE_PROBE_TIMES 4u

struct patience { /* zero: look, at first */
    _Atomic unsigned mean_us;
    _Atomic unsigned nr_asked;
};

/* Between two questions to the clock: an eighth of the time is theirs, or more of a short look. */
static inline unsigned patience_pause_us(unsigned limit_us, uint64_t clock_cost_ns)
{
    uint64_t us = 8 * clock_cost_ns / 1000;

    if (us > limit_us / 4)
        us = limit_us / 4;
    return us ? (unsigned)us : 1;
}

#define PATIENCE_LOOKS 50u /* take about 1 us */

/* To collect what all rings have takes as long as so many looks or pauses. */
#define PATIENCE_COLLECTS 4u

/* Pauses between two looks, two for each operation under way: 1 us, or 3 where a pause is long. */
#define PATIENCE_PAUSES_MOST 64u

/* For so many microseconds; @limit_us is the user's, 0: never. */
static inline unsigned patience_us(struct patience *p, unsigned limit_us)
{
    if (atomic_load_explicit(&p->mean_us, memory_order_relaxed) <= limit_us)
        return limit_us;
    if (atomic_fetch_add_explicit(&p->nr_asked, 1, memory_order_relaxed) % PATIENCE_PROBE_EVERY)
        return 0;
    return PATIENCE_PROBE_TIMES * limit_us;
}

/* An answer came after @took_us. One that was late for once says little: there is a cap. */
static inline void patience_learn(struct patience *p, unsigned limit_us, uint64_t took_us)
{
    uint64_t mean = atomic_load_explicit(&p->mean_us, memory_order_relaxed);

    if (took_us > PATIENCE_PROBE_TIMES * (uint64_t)limit_us)
        took_us = PATIENCE_PROBE_TIMES * (uint64_t)limit_us;
    atomic_store_explicit(&p->mean_us, (unsigned)((7 * mean + took_us) / 8), memory_order_relaxed);
}

static inline void patience_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif /* XENTMEM_LIB_PATIENCE_H */
