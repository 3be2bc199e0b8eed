/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * figures.h - what a benchmark found: one value a round, told as their median
 * and spread.
 *
 * Standard output has one line for each figure, `NAME MEDIAN LOW HIGH`, which
 * tests/bench/report makes into an object; everything else goes to standard
 * error.
 */
#ifndef TESTS_BENCH_FIGURES_H
#define TESTS_BENCH_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#define ROUNDS_MOST 64u

struct figure {
    const char *name;
    unsigned nr;
    double values[ROUNDS_MOST];
};

/* One more round's value; beyond ROUNDS_MOST they are not kept. */
void figure_add(struct figure *f, double value);
/* Print it. A figure without values is not printed. */
void figure_print(const struct figure *f);
/* The same, under the name BEFORE_NAME_BEHIND. */
void figure_print_as(const char *before, const char *name, const char *behind,
                     const struct figure *f);

/* The median of @nr values, which are sorted meanwhile; 0 of none. */
double median(double *values, size_t nr);

/* xorshift64*: benchmarks repeat what they do. @state is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

/* 0 .. limit-1 */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

void random_shuffle(uint64_t *state, uint32_t *values, uint32_t nr);

#endif /* TESTS_BENCH_FIGURES_H */
