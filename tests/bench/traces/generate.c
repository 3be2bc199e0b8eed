/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * generate.c - block traces that are made, not found: the same ones for the same seed.
 *
 *     generate KIND SEED [NR_ACCESSES] > FILE.csv
 *
 * zipf      some blocks are wanted much more often than others; they lie anywhere
 * scan      the same, and now and then someone reads many blocks in order, once
 * loop      a file larger than small caches read from end to end, over and over, beside a zipf
 * shift     a working set that wanders over the disk
 *
 * One access in ten is a write, except in scans and loops.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/figures.h"

#define NR_ACCESSES 2000000u
#define NR_BLOCKS   100000u
#define ZIPF_ALPHA  0.9
/* a prime, so that multiplying by another one spreads the popular blocks over the disk */
#define NR_PLACES 99991u

/* Blocks 0.. by their popularity. */
struct zipf {
    double *cumulative;
    uint32_t nr;
};

static bool zipf_init(struct zipf *z, uint32_t nr, double alpha)
{
    double sum = 0;

    *z = (struct zipf){.cumulative = malloc(nr * sizeof(*z->cumulative)), .nr = nr};
    if (!z->cumulative)
        return false;
    for (uint32_t i = 0; i < nr; i++)
        z->cumulative[i] = sum += 1 / pow(i + 1, alpha);
    for (uint32_t i = 0; i < nr; i++)
        z->cumulative[i] /= sum;
    return true;
}

static uint32_t zipf_next(const struct zipf *z, uint64_t *random)
{
    double p = (double)(random_next(random) >> 11) / 0x1p53;
    uint32_t low = 0, high = z->nr - 1;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (z->cumulative[mid] < p)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct generator {
    struct zipf zipf;
    uint64_t random;
    uint64_t now;
    uint64_t left; /* accesses */
};

static void emit(struct generator *g, uint64_t block, bool may_write)
{
    bool is_write = may_write && random_below(&g->random, 10) == 0;

    printf("%llu,%c,%llu\n", (unsigned long long)g->now++, is_write ? 'W' : 'R',
           (unsigned long long)block);
    g->left--;
}

static uint64_t popular(struct generator *g)
{
    return (uint64_t)zipf_next(&g->zipf, &g->random) * 7919 % NR_PLACES;
}

static void run_zipf(struct generator *g)
{
    while (g->left)
        emit(g, popular(g), true);
}

/* Every 100,000 accesses a scan of 50,000 blocks, somewhere in an area ten times as large. */
static void run_scan(struct generator *g)
{
    while (g->left) {
        uint64_t first = NR_BLOCKS + (uint64_t)random_below(&g->random, 450000);

        for (unsigned i = 0; i < 100000 && g->left; i++)
            emit(g, popular(g), true);
        for (unsigned i = 0; i < 50000 && g->left; i++)
            emit(g, first + i, false);
    }
}

static void run_loop(struct generator *g)
{
    uint64_t at = 0;

    while (g->left) {
        emit(g, NR_BLOCKS + at, false);
        at = (at + 1) % 40000;
        if (g->left && random_below(&g->random, 2) == 0)
            emit(g, popular(g), true);
    }
}

/* 90 % in a window of 20,000 blocks that moves on by 2,000 every 40,000 accesses. */
static void run_shift(struct generator *g)
{
    uint64_t first = 0, n = 0;

    while (g->left) {
        if (++n % 40000 == 0)
            first += 2000;
        if (random_below(&g->random, 10) == 0)
            emit(g, random_below(&g->random, 1000000), true);
        else
            emit(g, first + popular(g) % 20000, true);
    }
}

static const struct {
    const char *name;
    void (*run)(struct generator *g);
} kinds[] = {{"zipf", run_zipf}, {"scan", run_scan}, {"loop", run_loop}, {"shift", run_shift}};

int main(int argc, char **argv)
{
    struct generator g = {.left = NR_ACCESSES};

    if (argc == 3 || argc == 4) {
        g.random = strtoull(argv[2], NULL, 10) * 2 + 1;
        if (argc == 4)
            g.left = strtoull(argv[3], NULL, 10);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
            if (strcmp(argv[1], kinds[i].name) != 0)
                continue;
            if (!zipf_init(&g.zipf, NR_BLOCKS, ZIPF_ALPHA))
                return 1;
            printf("time,op,block\n");
            kinds[i].run(&g);
            free(g.zipf.cumulative);
            return ferror(stdout) || fflush(stdout) ? 1 : 0;
        }
    }
    fprintf(stderr, "usage: generate zipf|scan|loop|shift SEED [NR_ACCESSES]\n");
    return 1;
}
