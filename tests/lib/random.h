/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* random.h - numbers that a seed repeats. splitmix64 */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

static inline uint64_t seeded_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* 0 .. @limit - 1 */
static inline uint32_t seeded_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(seeded_next(state) % limit);
}

#endif /* TESTS_RANDOM_H */
