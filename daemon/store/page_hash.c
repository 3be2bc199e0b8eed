/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/page_hash.h"

#include "protocol/tmemif.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TRIAL_ROUNDS 5u
#define TRIAL_PAGES  16u

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

/* The least time of several: what disturbs only makes it longer. */
static uint64_t cost_of(page_hash_fn *hash, uint64_t (*now_ns)(void))
{
    static const unsigned char page[TMEMIF_PAGE_SIZE];
    uint64_t least = UINT64_MAX;

    for (unsigned round = 0; round < TRIAL_ROUNDS; round++) {
        volatile uint64_t sum = 0; /* what is not used would not be computed */
        uint64_t before = now_ns(), cost;

        for (unsigned i = 0; i < TRIAL_PAGES; i++)
            sum = hash(page, sum);
        cost = now_ns() - before;
        least = cost < least ? cost : least;
    }
    return least;
}

bool page_hash_choose(uint64_t (*now_ns)(void))
{
    bool vectors = cost_of(with_vectors, now_ns) <= cost_of(page_hash_scalar, now_ns);

    page_hash_way = vectors ? with_vectors : page_hash_scalar;
    return vectors;
}
