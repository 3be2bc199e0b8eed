/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/page_hash.h"

#include "protocol/tmemif.h"
#include "protocol/trial.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TRIAL_PAGES 16u

static uint64_t with_vectors(const void *page, uint64_t seed)
{
    return XXH3_64bits_withSeed(page, TMEMIF_PAGE_SIZE, seed);
}

/* The one thing that this layer keeps: whichever it is, the sum is the same. */
static page_hash_fn *page_hash_way = with_vectors;

uint64_t page_hash(const void *page, uint64_t seed)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return page_hash_avx2(page, seed);
#endif
    return page_hash_way(page, seed);
}

/* Of a page, with each sum as the next seed: what is not used would not be computed. */
struct trial {
    page_hash_fn *hash;
    uint64_t sum;
    unsigned char page[TMEMIF_PAGE_SIZE];
};

static void try_out(void *trial)
{
    struct trial *t = trial;

    t->sum = t->hash(t->page, t->sum);
}

static uint64_t cost_of(page_hash_fn *hash, uint64_t (*now_ns)(void))
{
    struct trial t = {.hash = hash, .sum = 1};

    return trial_ns(try_out, &t, TRIAL_PAGES, now_ns);
}

bool page_hash_choose(uint64_t (*now_ns)(void))
{
    bool vectors = cost_of(with_vectors, now_ns) <= cost_of(page_hash_scalar, now_ns);

    page_hash_way = vectors ? with_vectors : page_hash_scalar;
    return vectors;
}
