/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store/page_hash.h"

#include <string.h>

#include "protocol/tmemif.h"

#ifdef __x86_64__

/*
 * xxhash.h chooses its instructions when it is compiled, so this file is
 * compiled for AVX2 whatever the rest of the program is compiled for.
 */
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define XXH_INLINE_ALL
#define XXH_VECTOR 2 /* XXH_AVX2 */
#include <xxhash.h>

_Static_assert(XXH_VECTOR == XXH_AVX2, "the number that xxhash.h gives it");

uint64_t page_hash_avx2(const void *page, uint64_t seed)
{
    uint64_t hash = XXH3_64bits_withSeed(page, TMEMIF_PAGE_SIZE, seed);

    /* The caller uses SSE, which is slow while upper halves of registers are in use. */
    _mm256_zeroupper();
    return hash;
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif /* __x86_64__ */
